/* Descriptions of PyTorch checkpoints: every key is known or refused, at every level, before the checkpoint
 * is read. */
#include "pytorch_case.h"

TestSuite(names, .init = folder_make, .fini = folder_remove);

Test(names, the_plain_one_converts) {
  struct state_dict dict = good_dict();
  expect_converts(&dict, CONFIG, NAMES);
  expect_converts(&dict, CONFIG, NAMES ",\"ignore\":[]");
}

/* ---- what needs no checkpoint ---- */

Test(names, every_key_of_names_is_known_or_refused) {
  static const struct {
    const char *names, *words;
  } rows[] = {
      {NAMES ",\"decoders\":\"cell\"",
       "\"decoders\" is nothing that this configuration has (it has encoder, "},
      {NAMES ",\"\":\"cell\"", "\"\" is nothing"},
      {NAMES ",\"attention.layers.2\":\"x\"", "\"attention.layers.2\" is nothing"},
      {NAMES ",\"attention.layers.00\":\"x\"", "\"attention.layers.00\" is nothing"},
      {NAMES ",\"attention.key\":\"x\"", "\"attention.key\" is nothing"},
      {NAMES ",\"encoder.layers.1.forward\":\"x\"", "\"encoder.layers.1.forward\" is nothing"},
      {NAMES ",\"encoder.layers.0.sideways\":\"x\"", "\"encoder.layers.0.sideways\" is nothing"},
      {NAMES ",\"decoder.embedding\":\"x\"", "\"decoder.embedding\" is nothing"},
      {NAMES ",\"initial.h\":\"x\"", "\"initial.h\" is nothing"},
      {ENCODER "," ATTENTION "," DECODER, "\"output\" is missing"},
      {ATTENTION "," DECODER "," OUTPUT, "\"encoder\" is missing, and so is \"encoder.layers.0.forward\""},
      {"\"encoder.layers.0.forward\":\"a\"," ATTENTION "," DECODER "," OUTPUT,
       "\"encoder.layers.0.backward\""},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":1", "\"output\" is no name"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":[\"out\"]", "\"output\" is no name"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":{}", "\"output\" is no name"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":{\"nam\":\"out\"}", "\"output\" is no name"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":{\"name\":\"out\",\"orders\":[]}",
       "\"output\" has an unknown key \"orders\""},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":{\"name\":\"out\",\"order\":[\"state\",\"context\"]}",
       "the order of \"output\" has no meaning"},
      {ENCODER "," ATTENTION ",\"decoder\":{\"name\":\"cell\",\"order\":[\"feedback\",\"context\"]}," OUTPUT,
       "the order of \"decoder\" has no meaning"},
      {NAMES ",\"ignore\":\"rest\"", "\"ignore\" is not a list"},
      {NAMES ",\"ignore\":{\"rest\":1}", "\"ignore\" is not a list"},
      {NAMES ",\"ignore\":[1]", "\"ignore\" is not a list"},
      {NAMES ",\"ignore\":[\"\"]", "\"ignore\" is not a list"},
      {NAMES ",\"ignore\":[[\"rest\"]]", "\"ignore\" is not a list"},
      {NAMES ",\"ignore\":null", "\"ignore\" is not a list"},
  };
  struct state_dict dict = good_dict();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_refused(&dict, CONFIG, rows[i].names, THE_DESCRIPTION, rows[i].words);
}

Test(names, an_order_is_the_two_inputs_in_one_order_or_the_other) {
  static const char *const bad[] = {"[]",
                                    "[\"state\"]",
                                    "[\"state\",\"state\"]",
                                    "[\"annotations\",\"stat\"]",
                                    "\"state\"",
                                    "[1,2]",
                                    "[\"state\",\"annotations\",\"state\"]",
                                    "[\"context\",\"feedback\"]",
                                    "null",
                                    "{}"};
  struct state_dict dict = good_dict();
  char names[1000];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    snprintf(names, sizeof names,
             ENCODER ",\"attention.layers.0\":{\"name\":\"energy.0\",\"order\":%s},"
                     "\"attention.layers.1\":\"energy.2\"," DECODER "," OUTPUT,
             bad[i]);
    expect_refused(&dict, CONFIG, names, THE_DESCRIPTION, "the order of \"attention.layers.0\" is not");
  }
  expect_converts(&dict, CONFIG,
                  ENCODER
                  ",\"attention.layers.0\":{\"order\":[\"state\",\"annotations\"],\"name\":\"energy.0\"},"
                  "\"attention.layers.1\":\"energy.2\"," DECODER "," OUTPUT);
}

Test(names, the_configuration_is_told_before_the_names_and_these_before_the_checkpoint) {
  static const struct {
    const char *config, *names, *words;
  } rows[] = {
      {CONFIG ",\"nams\":{}", "\"nonsense\":1", "unknown key \"nams\""},
      {"\"version\":1,\"encoder\":{\"features\":6,\"units\":2,\"direction\":\"forwards\"},\"attention\":{}",
       "\"nonsense\":1", "encoder.direction is unknown"},
      {CONFIG, "\"nonsense\":1", "\"nonsense\" is nothing"},
  };
  char text[2000];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    cuseq_model *model;
    snprintf(text, sizeof text, "{%s,\"names\":{%s}}", rows[i].config, rows[i].names);
    struct convert_json json = {.text = text};
    cr_expect_neq(arrays_convert(folder_path("absent.safetensors"), &json, &model), CUSEQ_STATUS_OK);
    cr_expect(json.at_fault && strstr(cuseq_last_error(), rows[i].words) != NULL, "%s", cuseq_last_error());
  }
  struct convert_json json = {.text = "{" CONFIG ",\"names\":{" NAMES "}}"};
  cuseq_model *model;
  cr_expect_eq(arrays_convert(folder_path("absent.safetensors"), &json, &model), CUSEQ_STATUS_IO);
  cr_expect(!json.at_fault && strstr(cuseq_last_error(), "absent.safetensors: ") != NULL);
}

/* The author's tanh over the encoder's final state would be left out without a word. */
Test(names, an_activation_of_a_layer_that_is_not_there_is_refused) {
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 4, 6, 2, 1, true, 0);
  static const char encoder[] =
      "\"version\":1,\"encoder\":{\"features\":6,\"units\":2},\"attention\":{\"score\":\"dot\"}";
  char config[500];
  snprintf(config, sizeof config, "%s,\"state\":{\"initial_activation\":\"tanh\"}", encoder);
  expect_refused(&dict, config, ENCODER, THE_DESCRIPTION, "state.initial_activation has no layer");
  snprintf(config, sizeof config, "%s,\"state\":{\"initial_activation\":\"linear\"}", encoder);
  expect_converts(&dict, config, ENCODER);
}

Test(names, two_parts_are_one_module_only_where_that_can_be_meant) {
  struct state_dict dict = good_dict();
  expect_refused(&dict, CONFIG,
                 "\"encoder.layers.0.forward\":\"rnn\",\"encoder.layers.0.backward\":\"rnn\"," ATTENTION
                 "," DECODER "," OUTPUT,
                 THE_DESCRIPTION,
                 "\"encoder.layers.0.forward\" and \"encoder.layers.0.backward\" are both 'rnn'");
  expect_refused(&dict, CONFIG,
                 ENCODER ",\"attention.layers.0\":\"out\",\"attention.layers.1\":\"energy.2\"," DECODER
                         "," OUTPUT,
                 THE_DESCRIPTION, "\"attention.layers.0\" and \"output\" are both 'out'");
  expect_refused(&dict, CONFIG, ENCODER "," ATTENTION ",\"decoder\":\"rnn\"," OUTPUT, THE_DESCRIPTION,
                 "are both 'rnn'");
}

#define DENSE                                                                                                \
  "\"version\":1,\"encoder\":{\"features\":5,\"units\":2},\"attention\":{\"score\":\"dot\"},"                \
  "\"decoder\":{\"units\":4,\"steps\":3,\"initial_state\":\"dense\",\"feedback\":\"output\",\"start_"        \
  "token\":0},"                                                                                              \
  "\"output\":{\"units\":5}"

/* One table is both embeddings and the output's weights; one layer makes both initial states. */
Test(names, tied_tables_and_a_shared_bridge_convert) {
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 4, 4, 2, 1, true, 0);
  state_dict_add_linear(&dict, "bridge", 4, 4, true);
  state_dict_add_linear(&dict, "embed", 4, 5, false);
  state_dict_add_cell(&dict, "cell", 4, 8, 4);
  expect_converts(
      &dict, DENSE,
      ENCODER ",\"encoder.embedding\":\"embed\",\"initial.h\":\"bridge\",\"initial.c\":\"bridge\"," DECODER
              ",\"decoder.embedding\":\"embed\",\"output\":\"embed\"");
}
