/* Version 2 configurations that contradict themselves: each is refused, with what was found and what is
 * needed. */
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two decoder layers with input feeding, and Luong's attention; A 8, S 8. */
#define LUONG                                                                                                \
  "{\"version\":2,\"input\":{\"features\":9,\"embedding\":5},\"encoder\":{\"layers\":["                      \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":4},\"direction\":\"bidirectional\"},"                              \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":4},\"direction\":\"bidirectional\"}]},"                            \
  "\"attention\":{\"score\":\"general\",\"asks\":\"current\"},"                                              \
  "\"decoder\":{\"reads\":[\"token\",\"attentional\"],\"embedding\":6,\"feedback\":\"output\","              \
  "\"start_token\":2,\"end_token\":3,\"steps\":7,"                                                           \
  "\"layers\":[{\"cell\":{\"kind\":\"lstm\",\"units\":8},\"initial_h\":{\"layer\":0},"                       \
  "\"initial_c\":{\"layer\":0}},{\"cell\":{\"kind\":\"lstm\",\"units\":8}}],"                                \
  "\"attentional\":{\"parts\":[\"context\",\"state\"],\"units\":6,\"activation\":\"tanh\"}},"                \
  "\"output\":{\"parts\":[\"attentional\"],\"layers\":[{\"units\":11,\"activation\":\"softmax\"}]}}"

/* A GRU with Bahdanau's attention that reads the context; A 6, S 6. */
#define BAHDANAU                                                                                             \
  "{\"version\":2,\"input\":{\"features\":5},\"encoder\":{\"layers\":["                                      \
  "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"direction\":\"bidirectional\"}]},"                             \
  "\"attention\":{\"score\":\"additive\",\"units\":4},"                                                      \
  "\"decoder\":{\"reads\":[\"context\"],\"steps\":3,\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":6}}]}" \
  ","                                                                                                        \
  "\"output\":{\"layers\":[{\"units\":7,\"activation\":\"softmax\"}]}}"

/* Two heads over every position. */
#define TAGGER                                                                                               \
  "{\"version\":2,\"input\":{\"features\":5},\"encoder\":{\"layers\":["                                      \
  "{\"cell\":{\"kind\":\"gru\",\"units\":5},\"residual\":true},"                                             \
  "{\"cell\":{\"kind\":\"gru\",\"units\":3},\"direction\":\"bidirectional\",\"merge\":\"sum\"}]},"           \
  "\"output\":{\"heads\":[{\"over\":\"every\",\"layers\":[{\"units\":4}]},"                                  \
  "{\"over\":\"every\",\"name\":\"case\",\"layers\":[{\"units\":2}]}]}}"

/* Attention without a decoder; A 6. */
#define ASKING                                                                                               \
  "{\"version\":2,\"input\":{\"features\":5,\"affine\":true},\"encoder\":{\"layers\":["                      \
  "{\"cell\":{\"kind\":\"lstm\",\"units\":3},\"direction\":\"bidirectional\"}]},"                            \
  "\"attention\":{\"score\":\"dot\"},\"state\":{\"from\":\"encoder\"}}"

static const char *const bases[] = {LUONG, BAHDANAU, TAGGER, ASKING};

/* The base with one part replaced. */
static char *replaced(const char *base, const char *part, const char *by) {
  const char *at = strstr(base, part);
  cr_assert_not_null(at, "the configuration has no %s", part);
  char *text = calloc(1, strlen(base) + strlen(by) + 1);
  memcpy(text, base, (size_t)(at - base));
  strcat(text, by);
  strcat(text, at + strlen(part));
  return text;
}

struct refusal {
  const char *base, *part, *by, *words;
};

static void expect_refused(const struct refusal *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *json = replaced(rows[i].base, rows[i].part, rows[i].by);
    cuseq_model *model;
    cuseq_tensor none = {.name = "none"};
    cr_expect_eq(cuseq_model_create(json, &none, 0, &model), CUSEQ_STATUS_INVALID_MODEL, "%s", json);
    cr_expect_null(model);
    cr_expect(strstr(cuseq_last_error(), rows[i].words) != NULL, "\"%s\" does not say \"%s\"",
              cuseq_last_error(), rows[i].words);
    free(json);
  }
}
#define EXPECT_REFUSED(rows) expect_refused(rows, sizeof(rows) / sizeof *(rows))

Test(structure_configuration, the_ones_that_are_spoilt_below_make_models) {
  for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
    struct random random = {7 + i};
    cuseq_model_destroy(random_model(bases[i], NULL, &random));
  }
}

Test(structure_configuration, unknown_keys_are_refused_by_name_at_every_level) {
  static const struct refusal rows[] = {
      {LUONG, "\"version\":2", "\"version\":2,\"colour\":3", "configuration: unknown key \"colour\""},
      {LUONG, "\"features\":9", "\"features\":9,\"feature\":1", "\"input\" has an unknown key \"feature\""},
      {LUONG, "\"encoder\":{", "\"encoder\":{\"units\":3,", "\"encoder\" has an unknown key \"units\""},
      {LUONG, "\"direction\"", "\"Direction\"", "\"encoder.layers.0\" has an unknown key \"Direction\""},
      {LUONG, "\"units\":4", "\"units\":4,\"unit\":2",
       "\"encoder.layers.0.cell\" has an unknown key \"unit\""},
      {LUONG, "\"asks\"", "\"asked\"", "\"attention\" has an unknown key \"asked\""},
      {LUONG, "\"steps\"", "\"step\":1,\"steps\"", "\"decoder\" has an unknown key \"step\""},
      {LUONG, "\"initial_h\"", "\"initial\"", "\"decoder.layers.0\" has an unknown key \"initial\""},
      {LUONG, "{\"layer\":0}", "{\"layers\":0}",
       "\"decoder.layers.0.initial_h\" has an unknown key \"layers\""},
      {LUONG, "\"parts\":[\"context\"", "\"reads\":[],\"parts\":[\"context\"",
       "\"decoder.attentional\" has an unknown key \"reads\""},
      {LUONG, "\"output\":{\"parts\"", "\"output\":{\"units\":3,\"parts\"",
       "\"output\" has an unknown key \"units\""},
      {LUONG, "{\"units\":11", "{\"size\":1,\"units\":11", "\"output.layers.0\" has an unknown key \"size\""},
      {TAGGER, "\"heads\"", "\"tied\":false,\"heads\"", "\"output\" has an unknown key \"tied\""},
      {ASKING, "\"from\"", "\"form\"", "\"state\" has an unknown key \"form\""},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, values_of_the_wrong_kind_are_refused) {
  static const struct refusal rows[] = {
      {LUONG, "\"version\":2", "\"version\":3", "version 3 (this cuseq knows 1 and 2)"},
      {LUONG, "\"input\":{\"features\":9,\"embedding\":5},", "", "configuration: there is no \"input\""},
      {LUONG, "{\"features\":9,\"embedding\":5}", "[9]", "input is not an object"},
      {LUONG, "\"features\":9", "\"features\":0",
       "input.features is out of range (found 0, needed 1 to 1048576)"},
      {LUONG, "\"embedding\":5", "\"embedding\":\"5\"", "input.embedding is not an integer"},
      {TAGGER, "\"residual\":true", "\"residual\":1", "encoder.layers.0.residual is neither true nor false"},
      {LUONG, "\"units\":4", "\"units\":2.5", "encoder.layers.0.cell.units is not an integer"},
      {LUONG, "\"kind\":\"lstm\"", "\"kind\":\"rnn\"",
       "encoder.layers.0.cell.kind is unknown (found \"rnn\", needed one of lstm, gru)"},
      {LUONG, "\"kind\":\"lstm\",", "", "\"encoder.layers.0.cell\" has no \"kind\""},
      {LUONG, "\"bidirectional\"", "\"sideways\"", "needed one of forward, backward, bidirectional"},
      {LUONG, "\"general\"", "\"cosine\"",
       "attention.score is unknown (found \"cosine\", needed one of concat, dot"},
      {LUONG, "\"current\"", "\"now\"",
       "attention.asks is unknown (found \"now\", needed one of previous, current, token)"},
      {LUONG, "\"general\"", "\"general\",\"scale\":\"big\"",
       "attention.scale is not a finite float32 number"},
      {LUONG, "\"general\"", "\"general\",\"scale\":1e300", "attention.scale is not a finite float32 number"},
      {LUONG, "\"tanh\"", "\"softmax\"", "decoder.attentional.activation is unknown (found \"softmax\""},
      {LUONG, "\"softmax\"", "\"softmin\"", "output.layers.0.activation is unknown (found \"softmin\""},
      {LUONG, "[{\"units\":11", "[{\"units\":3,\"activation\":\"softmax\"},{\"units\":11",
       "output.layers.0.activation is unknown (found \"softmax\""},
      {LUONG, "\"embedding\":6", "\"embedding\":\"mine\"",
       "decoder.embedding is unknown (found \"mine\", needed a width or \"encoder\")"},
      {LUONG, "\"steps\":7,", "", "\"decoder\" has no \"steps\""},
      {TAGGER, "\"name\":\"case\"", "\"name\":\"\"", "output.heads.1.name is no text of 1 to 31 bytes"},
      {BAHDANAU, "\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":3},\"direction\":\"bidirectional\"}]",
       "\"layers\":[]", "encoder.layers has too few items (found 0, needed 1 to 64)"},
      {BAHDANAU, "[{\"units\":7,\"activation\":\"softmax\"}]",
       "[{\"units\":7},{\"units\":7},{\"units\":7},{\"units\":7},{\"units\":7},{\"units\":7},{\"units\":7},"
       "{\"units\":7},{\"units\":7}]",
       "output.layers has too many items (found 9, needed 1 to 8)"},
      {BAHDANAU, "[{\"units\":7,\"activation\":\"softmax\"}]", "7",
       "output.layers is not a list (needed one of 1 to 8)"},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, vectors_that_a_head_cannot_read_beside_one_another_are_refused) {
#define OVER "\"over\":\"every\",\"name\":\"case\""
  static const struct refusal rows[] = {
      {TAGGER, OVER, "\"over\":\"positions\"", "is \"positions\" without their number"},
      {TAGGER, OVER, "\"over\":[{\"over\":\"positions\"}]", "over.0\" has no \"count\""},
      {TAGGER, OVER, "\"over\":[{\"over\":\"positions\",\"count\":99999999}]", "over.0.count"},
      {TAGGER, OVER, "\"over\":[{\"over\":\"mean\",\"count\":3},\"last\"]", "count belongs to \"positions\""},
      {TAGGER, OVER, "\"over\":[\"every\"]", "has one word in a list"},
      {TAGGER, OVER, "\"over\":[]", "output.heads.1.over has too few items"},
      {TAGGER, OVER, "\"over\":[\"mean\",\"last\",\"final\",\"maximum\",\"mean\"]",
       "too many items (found 5"},
      {TAGGER, OVER, "\"over\":[\"mean\",\"every\"]", "output.heads.1.over has \"every\" beside others"},
      {TAGGER, OVER, "\"over\":[\"mean\",\"context\"]", "but there is no \"attention\""},
      {TAGGER, OVER, "\"over\":[\"mean\",\"step\"]", "does not fit (found \"step\""},
      {TAGGER, OVER, "\"over\":[\"median\",\"mean\"]", "over.0.over is unknown (found \"median\""},
      {TAGGER, OVER, "\"over\":[7,8]", "output.heads.1.over.0"},
      {TAGGER, OVER, "\"over\":[{\"over\":\"mean\",\"layer\":0}]", "layer belongs to \"final\""},
      {TAGGER, OVER, "\"over\":[{\"over\":\"final\",\"layer\":2}]", "over.0.layer"},
      {TAGGER, OVER, "\"over\":[{\"over\":\"final\",\"state\":\"c\"}]",
       "is \"c\", which a gru does not have"},
      {TAGGER, OVER, "\"over\":[{\"over\":\"final\",\"lager\":1}]", "unknown key \"lager\""},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, cells_and_layers_that_contradict_themselves_are_refused) {
  static const struct refusal rows[] = {
      {LUONG, "\"kind\":\"lstm\"", "\"kind\":\"lstm\",\"reset\":\"after\"",
       "encoder.layers.0.cell.reset belongs to the kind \"gru\" (found with \"lstm\")"},
      {LUONG, "\"kind\":\"lstm\"", "\"kind\":\"lstm\",\"recurrent_bias\":true",
       "encoder.layers.0.cell.recurrent_bias belongs to a gru with the reset \"after\""},
      {BAHDANAU, "\"kind\":\"gru\"", "\"kind\":\"gru\",\"reset\":\"before\",\"recurrent_bias\":true",
       "encoder.layers.0.cell.recurrent_bias belongs to a gru with the reset \"after\""},
      {TAGGER, "\"residual\":true", "\"merge\":\"sum\"",
       "encoder.layers.0.merge has nothing to merge (found \"sum\" with direction \"forward\")"},
      {TAGGER, "\"residual\":true", "\"backward_cell\":{\"kind\":\"gru\",\"units\":5}",
       "encoder.layers.0.backward_cell belongs to the direction \"bidirectional\" (found \"forward\")"},
      {TAGGER, "\"merge\":\"sum\"", "\"merge\":\"sum\",\"backward_cell\":{\"kind\":\"gru\",\"units\":4}",
       "encoder.layers.1.merge needs directions of one width (found 3 and 4 units)"},
      {TAGGER, "\"merge\":\"sum\"", "\"merge\":\"sum\",\"residual\":true",
       "encoder.layers.1.residual adds vectors of unequal widths (found 5 read and 3 given)"},
      {TAGGER, "\"features\":5", "\"features\":5,\"affine\":true",
       "encoder.layers.0.residual does not go with input.affine"},
      {LUONG, "\"embedding\":5", "\"embedding\":5,\"affine\":true",
       "input.affine does not go with an embedding"},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, columns_of_the_input_that_contradict_themselves_are_refused) {
#define INPUT(keys) "\"features\":5," keys
  static const struct refusal rows[] = {
      {TAGGER, "\"features\":5",
       INPUT("\"parts\":[{\"name\":\"a\",\"columns\":2},{\"name\":\"b\",\"columns\":2}]"),
       "input.parts have 4 columns together (needed 5, input.features)"},
      {TAGGER, "\"features\":5", INPUT("\"parts\":[{\"columns\":5}]"),
       "input.parts.0.name is needed, a text"},
      {TAGGER, "\"features\":5", INPUT("\"parts\":[{\"name\":\"a\",\"columns\":6}]"),
       "input.parts.0.columns"},
      {TAGGER, "\"features\":5",
       INPUT("\"parts\":[{\"name\":\"a\",\"columns\":5,\"behind\":1,\"repeated\":true}]"),
       "input.parts.0.behind does not go with repeated"},
      {TAGGER, "\"features\":5", INPUT("\"parts\":[{\"name\":\"a\",\"columns\":5,\"rows\":1}]"), "rows"},
      {TAGGER, "\"features\":5", INPUT("\"lookups\":[{\"column\":5,\"ids\":3,\"units\":2}]"),
       "input.lookups.0.column"},
      {TAGGER, "\"features\":5", INPUT("\"lookups\":[{\"column\":3,\"columns\":3,\"ids\":3,\"units\":2}]"),
       "input.lookups.0.columns"},
      {TAGGER, "\"features\":5", INPUT("\"affine\":true,\"lookups\":[{\"column\":0,\"ids\":3,\"units\":2}]"),
       "input.lookups do not go with input.embedding and input.affine"},
      {TAGGER, "\"features\":5",
       INPUT("\"lookups\":[{\"column\":1,\"ids\":3,\"units\":2},{\"column\":1,\"ids\":3,\"units\":2}]"),
       "input.lookups.1.column"},
  };
#undef INPUT
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, attention_that_contradicts_itself_is_refused) {
  static const struct refusal rows[] = {
      {LUONG, "\"asks\":\"current\"", "\"asks\":\"current\",\"layer\":2",
       "attention.layer is out of range (found 2, needed 0 to 1)"},
      {LUONG, "\"asks\":\"current\"", "\"asks\":\"token\",\"layer\":0",
       "attention.layer does not go with asks \"token\""},
      {ASKING, "\"dot\"", "\"dot\",\"asks\":\"current\"", "attention.asks needs a decoder (found none)"},
      {ASKING, "\"dot\"", "\"dot\",\"layer\":0", "attention.layer needs a decoder (found none)"},
      {BAHDANAU, "\"units\":4", "\"asks\":\"token\",\"units\":4",
       "attention.asks is \"token\", but \"decoder.feedback\" is \"none\""},
      {LUONG, "\"general\"", "\"general\",\"units\":3",
       "attention.units belongs to the score \"additive\" (found \"general\")"},
      {LUONG, "\"general\"", "\"general\",\"bias\":true",
       "attention.bias belongs to the score \"additive\" (found \"general\")"},
      {BAHDANAU, "\"units\":4", "\"units\":4,\"layers\":[]",
       "attention.layers belongs to the score \"concat\" (found \"additive\")"},
      {BAHDANAU, ",\"units\":4", "", "\"attention\" has no \"units\""},
      {LUONG, "\"general\"", "\"concat\"", "\"attention\" has no \"layers\""},
      {LUONG, "\"general\"", "\"concat\",\"layers\":[{\"units\":3}]",
       "attention.layers end in the energy (found 3 units, needed 1)"},
      {ASKING, "\"dot\"", "\"dot\",\"key\":{\"units\":5}",
       "attention.score \"dot\" needs vectors of one width (found keys of 5 and a query of 6)"},
      {ASKING, "\"dot\"", "\"dot\",\"positions\":0", "attention.positions is out of range (found 0"},
      {BAHDANAU, "\"reads\":[\"context\"]", "\"reads\":[\"token\"],\"feedback\":\"output\",\"start_token\":0",
       "nothing reads the context of \"attention\" (needed in decoder.reads, decoder.attentional or output)"},
      {ASKING, ",\"state\":{\"from\":\"encoder\"}",
       ",\"output\":{\"over\":\"mean\",\"layers\":[{\"units\":2}]}",
       "nothing reads the context of \"attention\""},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, what_is_read_must_be_there) {
  static const struct refusal rows[] = {
      {BAHDANAU, "\"attention\":{\"score\":\"additive\",\"units\":4},", "",
       "decoder.reads reads the \"context\", but there is no \"attention\""},
      {LUONG, "\"attention\":{\"score\":\"general\",\"asks\":\"current\"},", "",
       "decoder.attentional reads the \"context\", but there is no \"attention\""},
      {TAGGER, "{\"over\":\"every\",\"layers\":[{\"units\":4}]},",
       "{\"over\":\"context\",\"layers\":[{\"units\":4}]},",
       "output.heads.0.over is \"context\", but there is no \"attention\""},
      {BAHDANAU, "[\"context\"]", "[\"context\",\"attentional\"]",
       "decoder.reads reads the \"attentional\" vector, but there is no \"decoder.attentional\""},
      {BAHDANAU, "\"output\":{", "\"output\":{\"parts\":[\"attentional\"],",
       "output.parts reads the \"attentional\" vector, but there is no \"decoder.attentional\""},
      {BAHDANAU, "[\"context\"]", "[\"context\",\"token\"]",
       "decoder.reads reads the \"token\", but \"decoder.feedback\" is \"none\""},
      {BAHDANAU, "\"output\":{", "\"output\":{\"parts\":[\"token\"],",
       "output.parts reads the \"token\", but \"decoder.feedback\" is \"none\""},
      {BAHDANAU, "[\"context\"]", "[\"state\"]",
       "decoder.reads has a part that does not belong there (found \"state\", needed of token, context, "
       "attentional, given)"},
      {LUONG, "[\"context\",\"state\"]", "[\"attentional\"]",
       "decoder.attentional.parts has a part that does not belong there (found \"attentional\", needed of "
       "token, context, state)"},
      {BAHDANAU, "[\"context\"]", "[\"context\",\"given\"]",
       "decoder.reads reads what is \"given\", but \"decoder.given\" does not say how many numbers that are"},
      {BAHDANAU, "\"output\":{", "\"output\":{\"parts\":[\"given\"],",
       "output.parts reads what is \"given\", but"},
      {BAHDANAU, "\"steps\":3", "\"steps\":3,\"given\":2",
       "nothing reads \"decoder.given\" (needed \"given\" in decoder.reads or output.parts)"},
      {BAHDANAU, "[\"context\"],\"steps\":3", "[\"given\",\"context\"],\"steps\":3,\"given\":0",
       "decoder.given is out of range (found 0"},
      {LUONG, "[\"context\",\"state\"]", "[\"given\"]",
       "decoder.attentional.parts has a part that does not belong there (found \"given\", needed of"},
      {BAHDANAU, "[\"context\"]", "[\"context\",\"context\"]",
       "decoder.reads has a part twice (found \"context\")"},
      {BAHDANAU, "[\"context\"]", "[]", "decoder.reads has too few items (found 0, needed 1 to 4)"},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, an_attentional_vector_must_be_read) {
  struct random random = {3};
  char *by_output = replaced(LUONG, "[\"token\",\"attentional\"]", "[\"token\"]");
  cuseq_model_destroy(random_model(by_output, NULL, &random));
  const struct refusal by_nothing = {
      by_output, "\"parts\":[\"attentional\"]", "\"parts\":[\"state\"]",
      "nothing reads \"decoder.attentional\" (needed in decoder.reads or output.parts)"};
  expect_refused(&by_nothing, 1);
  free(by_output);
}

Test(structure_configuration, a_decoder_that_contradicts_itself_is_refused) {
  static const struct refusal rows[] = {
      {LUONG, "{\"cell\":{\"kind\":\"lstm\",\"units\":8},\"initial_h\"",
       "{\"residual\":true,\"cell\":{\"kind\":\"lstm\",\"units\":8},\"initial_h\"",
       "decoder.layers.0.residual belongs to a layer beyond the first (decoder.reads says what the first one "
       "reads)"},
      {LUONG, "{\"cell\":{\"kind\":\"lstm\",\"units\":8},\"initial_h\"",
       "{\"reads_context\":true,\"cell\":{\"kind\":\"lstm\",\"units\":8},\"initial_h\"",
       "decoder.layers.0.reads_context belongs to a layer beyond the first"},
      {LUONG, "{\"cell\":{\"kind\":\"lstm\",\"units\":8}}",
       "{\"residual\":true,\"cell\":{\"kind\":\"lstm\",\"units\":7},\"initial_h\":{\"from\":\"zeros\"},"
       "\"initial_c\":{\"from\":\"zeros\"}}",
       "decoder.layers.1.residual adds vectors of unequal widths (found 8 below and 7 units)"},
      {BAHDANAU,
       "\"attention\":{\"score\":\"additive\",\"units\":4},\"decoder\":{\"reads\":[\"context\"],\"steps\":3,"
       "\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":6}}]",
       "\"decoder\":{\"reads\":[\"token\"],\"feedback\":\"given\",\"steps\":3,\"layers\":[{\"cell\":{"
       "\"kind\":\"gru\",\"units\":6}},{\"cell\":{\"kind\":\"gru\",\"units\":6},\"reads_context\":true}]",
       "decoder.layers.1 reads the context, but there is no \"attention\""},
      {LUONG, "\"start_token\":2,", "", "\"decoder\" has no \"start_token\" (feedback \"output\" needs it)"},
      {LUONG, "\"start_token\":2", "\"start_token\":11",
       "decoder.start_token is out of range (found 11, needed 0 to 10)"},
      {LUONG, "\"end_token\":3", "\"end_token\":12",
       "decoder.end_token is out of range (found 12, needed 0 to 10)"},
      {LUONG, "\"end_token\":3", "\"end_token\":-1", "decoder.end_token is out of range (found -1"},
      {BAHDANAU, "\"steps\":3", "\"steps\":3,\"embedding\":4",
       "decoder.embedding is of a token that nothing feeds back (found feedback \"none\")"},
      {LUONG, "\"embedding\":6", "\"embedding\":\"encoder\"",
       "decoder.embedding is the encoder's, of other tokens (found 9 in input.features and 11 outputs)"},
      {BAHDANAU, "\"steps\":3", "\"steps\":3,\"embedding\":\"encoder\"",
       "decoder.embedding is the encoder's, which has none (input.embedding)"},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, probabilities_that_are_none_or_are_embedded_are_not_fed_back) {
#define FED_BACK                                                                                             \
  "\"reads\":[\"context\"],\"steps\":3,\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":6}}]},\"output\":{" \
  "\"layers\":["                                                                                             \
  "{\"units\":7,\"activation\":\"softmax\"}]"
#define FEEDS(last, more)                                                                                    \
  "\"reads\":[\"context\",\"token\"],\"feedback\":\"probabilities\"," more                                   \
  "\"steps\":3,\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":6}}]},\"output\":{\"layers\":[{\"units\":"  \
  "7" last "}]"
  static const struct refusal rows[] = {
      {BAHDANAU, FED_BACK, FEEDS(",\"activation\":\"log_softmax\"", ""),
       "decoder.feedback is \"probabilities\", but the output is none (found \"log_softmax\", needed "
       "\"softmax\")"},
      {BAHDANAU, FED_BACK, FEEDS("", ""), "(found \"linear\", needed \"softmax\")"},
      {BAHDANAU, FED_BACK, FEEDS(",\"activation\":\"softmax\"", "\"start_token\":7,"),
       "decoder.start_token is out of range (found 7, needed 0 to 6)"},
      {LUONG, "\"feedback\":\"output\"", "\"feedback\":\"probabilities\"",
       "decoder.embedding is of tokens (found feedback \"probabilities\": the vector is read itself)"},
      {LUONG, "\"feedback\":\"output\"", "\"feedback\":\"probability\"",
       "decoder.feedback is unknown (found \"probability\", needed one of none, output, given, "
       "probabilities)"},
  };
  EXPECT_REFUSED(rows);
  char *json = replaced(BAHDANAU, FED_BACK, FEEDS(",\"activation\":\"softmax\"", ""));
  struct random random = {5};
  cuseq_model *model = random_model(json, NULL, &random);
  const cuseq_config *config = cuseq_model_config(model);
  cr_expect(config->feedback == CUSEQ_FEEDBACK_PROBABILITIES && config->fed_width == 7 &&
            config->start_token == -1 && !config->needs_targets);
  cuseq_model_destroy(model);
  free(json);
}

Test(structure_configuration, initial_states_that_do_not_fit_are_refused) {
  static const struct refusal rows[] = {
      {LUONG, "{\"layer\":0}", "{\"layer\":2}",
       "decoder.layers.0.initial_h.layer is out of range (found 2, needed 0 to 1)"},
      {LUONG, "{\"layer\":0}", "{\"directions\":\"sum\"}",
       "\"decoder.layers.0.initial_h\" does not fit (found 4 from encoder layer 1, needed 8 units)"},
      {LUONG, "{\"layer\":0}", "{\"dense\":{\"units\":7}}",
       "\"decoder.layers.0.initial_h\" does not fit (found 7 from encoder layer 1 through its dense layer, "
       "needed 8 units)"},
      {LUONG, "{\"layer\":0}", "{\"from\":\"zeros\",\"layer\":0}",
       "decoder.layers.0.initial_h.layer belongs to a state from the \"encoder\" (found from \"zeros\")"},
      {LUONG, "{\"layer\":0}", "{\"units\":8}",
       "decoder.layers.0.initial_h.units is not said here (it is the cell's)"},
      {LUONG, "\"initial_h\":{\"layer\":0},\"initial_c\":{\"layer\":0}",
       "\"initial_h\":{\"from\":\"other\"},\"initial_c\":{\"from\":\"other\"}",
       "decoder.layers.0.initial_h and initial_c are each the other one"},
      {BAHDANAU, "{\"cell\":{\"kind\":\"gru\",\"units\":6}}",
       "{\"cell\":{\"kind\":\"gru\",\"units\":6},\"initial_c\":{}}",
       "decoder.layers.0.initial_c belongs to an lstm (found a gru)"},
      {BAHDANAU, "{\"cell\":{\"kind\":\"gru\",\"units\":6}}",
       "{\"cell\":{\"kind\":\"gru\",\"units\":6},\"initial_h\":{\"from\":\"other\"}}",
       "decoder.layers.0.initial_h.from is \"other\", but there is no other state"},
      {BAHDANAU, "{\"cell\":{\"kind\":\"gru\",\"units\":6}}",
       "{\"cell\":{\"kind\":\"gru\",\"units\":6},\"initial_h\":{\"state\":\"c\"}}",
       "decoder.layers.0.initial_h.state is \"c\", which a gru does not have (encoder layer 0; needed "
       "\"h\")"},
      /* what is not said is c, which this encoder does not have: it is not guessed that h was meant */
      {BAHDANAU, "{\"cell\":{\"kind\":\"gru\",\"units\":6}}", "{\"cell\":{\"kind\":\"lstm\",\"units\":6}}",
       "decoder.layers.0.initial_c.state is \"c\", which a gru does not have (encoder layer 0; needed \"h\", "
       "or from \"zeros\""},
      {TAGGER, "\"output\"", "\"state\":{},\"output\"",
       "state belongs to a model with attention and without a decoder"},
      {LUONG, "\"output\":{", "\"state\":{},\"output\":{",
       "state belongs to a model with attention and without a decoder"},
      {ASKING, "\"from\":\"encoder\"", "\"from\":\"zeros\"",
       "state.units is not there (a state from \"zeros\" needs it)"},
      {ASKING, "\"from\":\"encoder\"", "\"from\":\"encoder\",\"units\":5",
       "\"state\" does not fit (found 6 from encoder layer 0, needed 5 units)"},
      {ASKING, "\"from\":\"encoder\"", "\"from\":\"other\"",
       "state.from is \"other\", but there is no other state"},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, states_of_one_direction_are_taken_of_layers_that_have_two) {
  static const char one[] = "{\"version\":2,\"input\":{\"features\":5},\"encoder\":{\"layers\":["
                            "{\"cell\":{\"kind\":\"lstm\",\"units\":3},\"backward_cell\":{\"kind\":\"gru\","
                            "\"units\":4},\"direction\":\"bidirectional\"},"
                            "{\"cell\":{\"kind\":\"lstm\",\"units\":3}}]},"
                            "\"decoder\":{\"reads\":[\"token\"],\"feedback\":\"given\",\"steps\":3,"
                            "\"layers\":[{\"cell\":{\"kind\":\"lstm\",\"units\":3},"
                            "\"initial_h\":{\"layer\":0,\"directions\":\"forward\"},\"initial_c\":{\"layer\":"
                            "0,\"directions\":\"forward\"}}]},"
                            "\"output\":{\"layers\":[{\"units\":7,\"activation\":\"softmax\"}]}}";
  static const struct refusal rows[] = {
      {one, "\"initial_h\":{\"layer\":0,", "\"initial_h\":{\"layer\":1,",
       "decoder.layers.0.initial_h.directions is \"forward\" of an encoder layer of one direction (layer 1)"},
      {one, "\"forward\"}}]", "\"backward\"}}]",
       "decoder.layers.0.initial_c.state is \"c\", which a gru does not have"},
      {one, "\"initial_h\":{\"layer\":0,\"directions\":\"forward\"}",
       "\"initial_h\":{\"layer\":0,\"directions\":\"sum\"}",
       "decoder.layers.0.initial_h.directions is \"sum\" of directions of unequal widths (layer 0)"},
  };
  struct random random = {3};
  cuseq_model_destroy(
      random_model(one, NULL, &random)); /* the forward direction has a c, whatever the other one is */
  EXPECT_REFUSED(rows);
}

#define LAYER "[{\"units\":4}]"
#define NORMED(norm) "[{\"units\":4,\"norm\":" norm "},{\"units\":4}]"

Test(structure_configuration, normalisations_that_do_not_fit_are_refused) {
  static const struct refusal rows[] = {
      {TAGGER, LAYER, "[{\"units\":4,\"norm\":{\"epsilon\":0.1}}]", "norm belongs to the dense layer behind"},
      {TAGGER, LAYER, NORMED("0.1"), "output.heads.0.layers.0.norm"},
      {TAGGER, LAYER, NORMED("{}"), "norm.epsilon is missing, or not above 0"},
      {TAGGER, LAYER, NORMED("{\"epsilon\":0}"), "norm.epsilon is missing, or not above 0"},
      {TAGGER, LAYER, NORMED("{\"epsilon\":1e-50}"), "norm.epsilon is missing, or not above 0"},
      {TAGGER, LAYER, NORMED("{\"epsilon\":0.1,\"axis\":1}"), "unknown key \"axis\""},
      {TAGGER, LAYER, NORMED("{\"epsilon\":0.1,\"first\":4}"), "norm.first"},
      {TAGGER, LAYER, NORMED("{\"epsilon\":0.1,\"first\":2,\"units\":3}"), "norm.units"},
      {TAGGER, LAYER, NORMED("{\"epsilon\":0.1,\"units\":0}"), "norm.units"},
      {BAHDANAU, "\"score\":", "\"key\":{\"units\":4,\"norm\":{\"epsilon\":0.1}},\"score\":",
       "norm belongs to the dense layer behind"},
  };
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, weights_of_positions_that_do_not_fit_are_refused) {
#define WEIGHTED(keys) "\"residual\":true,\"weighting\":" keys
#define FLAT(count) "\"over\":[{\"over\":\"positions\",\"count\":" count "}]"
  static const struct refusal rows[] = {
      {TAGGER, "\"residual\":true", WEIGHTED("7"), "encoder.layers.0.weighting"},
      {TAGGER, "\"residual\":true", WEIGHTED("{}"), "positions"},
      {TAGGER, "\"residual\":true", WEIGHTED("{\"positions\":0}"), "encoder.layers.0.weighting.positions"},
      {TAGGER, "\"residual\":true", WEIGHTED("{\"positions\":3,\"units\":3}"), "unknown key \"units\""},
      {TAGGER, "\"residual\":true}",
       WEIGHTED(
           "{\"positions\":3}},{\"cell\":{\"kind\":\"gru\",\"units\":5},\"weighting\":{\"positions\":4}}"),
       "encoder.layers.1.weighting.positions does not fit (found 4, needed 3"},
      {TAGGER, "\"residual\":true", WEIGHTED("{\"positions\":3,\"bias\":1}"),
       "encoder.layers.0.weighting.bias"},
      {TAGGER, "{\"over\":\"every\",\"layers\":[{\"units\":4}]},{\"over\":\"every\"",
       "{" FLAT("3") ",\"layers\":[{\"units\":4}]},{" FLAT("4"),
       "output head 1 reads \"positions\" with a count that does not fit (found 4, needed 3"},
  };
#undef WEIGHTED
#undef FLAT
  EXPECT_REFUSED(rows);
}

Test(structure_configuration, outputs_that_do_not_fit_are_refused) {
  static const struct refusal rows[] = {
      {BAHDANAU, ",\"output\":{\"layers\":[{\"units\":7,\"activation\":\"softmax\"}]}", "",
       "there is no \"output\" (\"decoder\" needs it)"},
      {ASKING, ",\"attention\":{\"score\":\"dot\"},\"state\":{\"from\":\"encoder\"}", "",
       "there is no \"output\" (nor \"attention\" to do without it)"},
      {BAHDANAU, "\"output\":{", "\"output\":{\"over\":\"mean\",",
       "output.over does not fit (found \"mean\" in a model with a decoder)"},
      {TAGGER, "\"over\":\"every\"", "\"over\":\"step\"",
       "output.heads.0.over does not fit (found \"step\" in a model without a decoder)"},
      {TAGGER, "\"over\":\"every\",", "", "\"output.heads.0\" has no \"over\""},
      {TAGGER, "\"over\":\"every\"", "\"over\":\"every\",\"parts\":[\"state\"]",
       "output.heads.0.parts belong to a head over \"step\" (found over \"every\")"},
      {TAGGER, "\"output\":{\"heads\":[",
       "\"attention\":{\"score\":\"dot\"},\"output\":{\"heads\":[{\"over\":\"context\",\"layers\":[{"
       "\"units\":2}]},",
       "output.heads.0.over is \"context\" beside a head over \"every\" position"},
      {BAHDANAU, "\"output\":{\"layers\":[{\"units\":7,\"activation\":\"softmax\"}]}",
       "\"output\":{\"heads\":[{\"layers\":[{\"units\":7}]},{\"layers\":[{\"units\":7}]}]}",
       "output.heads are several (found 2, a decoder has 1)"},
      {BAHDANAU, "\"output\":{", "\"output\":{\"tied\":true,",
       "output.tied needs a decoder with an embedding (decoder.embedding)"},
      {LUONG, "\"output\":{\"parts\":[\"attentional\"]", "\"output\":{\"tied\":true,\"parts\":[\"state\"]",
       "output.tied does not fit the embedding (found 8 inputs of the last layer, needed 6)"},
      {TAGGER, "\"output\"", "\"vocabulary\":{\"length\":3,\"input\":[\"a\"]},\"output\"",
       "vocabulary.input does not fit (found 1 symbols, input.features needs 5)"},
  };
  EXPECT_REFUSED(rows);
}
