/* Encoder layers that attend to themselves: configurations that contradict themselves, sizes around the
 * vectors and blocks that a device computes in, and what a row's bits depend on. */
#include "support/random_model.h"
#include "support/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>

#ifndef SELF_ATTENTION_DEVICE
#define SELF_ATTENTION_DEVICE "cpu"
#define SELF_ATTENTION_POSITIONS 1100
#endif

/* A layer of 2 x 4 units over 5 features, and a head over every position. */
#define LAYER(more) "{\"cell\":{\"kind\":\"gru\",\"units\":4},\"direction\":\"bidirectional\"" more "}"
#define TAGGER(layers)                                                                                       \
  "{\"version\":2,\"input\":{\"features\":5},\"encoder\":{\"layers\":[" layers                               \
  "]},\"output\":{\"over\":\"every\",\"layers\":[{\"units\":3,\"activation\":\"softmax\"}]}}"
#define ASKING(more) TAGGER(LAYER(",\"self_attention\":{" more "}"))
#define MAPS(key, query, value)                                                                              \
  "\"key\":{\"units\":" key "},\"query\":{\"units\":" query "},\"value\":{\"units\":" value "}"

/* ---- configurations ---- */

Test(self_attention, what_contradicts_itself_is_refused) {
  static const struct {
    const char *json, *words;
  } rows[] = {
      {ASKING(""), "\"encoder.layers.0.self_attention\" has no \"score\""},
      {ASKING("\"score\":\"dot\",\"head\":2"),
       "\"encoder.layers.0.self_attention\" has an unknown key \"head\""},
      {ASKING("\"score\":\"dot\",\"asks\":\"current\""), "has an unknown key \"asks\""},
      {ASKING("\"score\":\"dot\",\"layer\":0"), "has an unknown key \"layer\""},
      {ASKING("\"score\":\"dot\",\"positions\":5"), "has an unknown key \"positions\""},
      {ASKING("\"score\":\"dot\",\"heads\":0"),
       "encoder.layers.0.self_attention.heads is out of range (found 0"},
      {ASKING("\"score\":\"general\",\"heads\":2"),
       "encoder.layers.0.self_attention.heads belong to the score \"dot\" (found 2 with \"general\")"},
      {ASKING("\"score\":\"dot\",\"heads\":3"),
       "encoder.layers.0.self_attention.heads do not divide the keys (found 3 heads of 8 units)"},
      {ASKING("\"score\":\"dot\",\"heads\":2," MAPS("6", "5", "4")),
       "heads do not divide the queries (found 2 heads of 5 units)"},
      {ASKING("\"score\":\"dot\",\"heads\":2," MAPS("6", "6", "3")),
       "heads do not divide the values (found 2 heads of 3 units)"},
      {ASKING("\"score\":\"dot\",\"key\":{\"units\":5}"),
       "encoder.layers.0.self_attention.score \"dot\" needs vectors of one width (found keys of 5 and a "
       "query of 8)"},
      {ASKING("\"score\":\"dot\",\"units\":5"),
       "encoder.layers.0.self_attention.units belongs to the score \"additive\" (found \"dot\")"},
      {ASKING("\"score\":\"concat\",\"layers\":[{\"units\":2}]"),
       "encoder.layers.0.self_attention.layers end in the energy (found 2 units, needed 1)"},
      {ASKING("\"score\":\"dot\",\"beside\":1"), "encoder.layers.0.self_attention.beside"},
      {ASKING("\"score\":\"dot\",\"value\":{\"units\":2,\"norm\":{\"epsilon\":1}}"),
       "encoder.layers.0.self_attention.value.norm belongs to"},
      {TAGGER(LAYER(",\"self_attention\":true")), "encoder.layers.0.self_attention"},
      {TAGGER(LAYER("") "," LAYER(",\"self_attention\":{\"score\":\"dot\",\"heads\":3}")),
       "encoder.layers.1.self_attention.heads do not divide"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    rows_expect_refused(rows[i].json, rows[i].words);
}

#define TWICE(layer) layer "," layer
#define DOT LAYER(",\"self_attention\":{\"score\":\"dot\"}")

Test(self_attention, eight_layers_may_have_one) {
  struct random random = {3};
  cuseq_model_destroy(random_model(TAGGER(TWICE(TWICE(TWICE(DOT))) "," LAYER("")), NULL, &random));
  rows_expect_refused(TAGGER(TWICE(TWICE(TWICE(DOT))) "," LAYER("") "," DOT),
                      "encoder.layers.9.self_attention is one too many (at most 8 layers have one)");
}

/* ---- sizes ---- */

static void expect_close(const char *json, int32_t batch, int32_t T) {
  rows_expect_close(json, SELF_ATTENTION_DEVICE, batch, T, T);
}

static const int32_t times[] = {1,  2,  7,  8,   15,  16,  17,  31,   33,  63,
                                64, 65, 97, 128, 130, 257, 600, 1025, 1100};
enum { TIMES = sizeof times / sizeof *times };

Test(self_attention, agrees_with_the_reference_whatever_the_number_of_positions) {
  for (int i = 0; i < TIMES && times[i] <= SELF_ATTENTION_POSITIONS; i++) {
    expect_close(ASKING("\"score\":\"dot\",\"heads\":2,\"scale\":0.5," MAPS("8", "8", "6")), 4, times[i]);
    expect_close(ASKING("\"score\":\"additive\",\"units\":5,\"bias\":true,\"beside\":true"), 3, times[i]);
    expect_close(ASKING("\"score\":\"concat\",\"layers\":[{\"units\":1,\"activation\":\"tanh\"}]"), 3,
                 times[i]);
  }
}

Test(self_attention, agrees_with_the_reference_whatever_the_width_of_a_head) {
  static const int32_t widths[] = {1, 3, 8, 15, 16, 17, 32, 33, 47, 48, 63, 64, 65, 80, 100, 113, 150};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
    for (int heads = 1; heads <= 3; heads += 2) {
      char json[900];
      const int units = heads * widths[i], other = heads * widths[(i + 5) % (sizeof widths / sizeof *widths)];
      snprintf(json, sizeof json,
               TAGGER(LAYER(",\"self_attention\":{\"score\":\"dot\",\"heads\":%d,\"scale\":0.3,"
                            "\"key\":{\"units\":%d},\"query\":{\"units\":%d,\"activation\":\"tanh\"},"
                            "\"value\":{\"units\":%d}},\"dense\":{\"units\":4}")),
               heads, units, units, other);
      expect_close(json, 2, 37);
    }
}

/* Sums over many positions are sums of blocks. */
Test(self_attention, of_very_many_positions_errs_as_that_of_few) {
  enum { MANY = SELF_ATTENTION_POSITIONS < 1100 ? 1500 : 3000 };
  expect_close(ASKING("\"score\":\"dot\",\"heads\":4,\"scale\":0.1"), 1, MANY);
}

Test(self_attention, looks_at_what_it_reads_itself) {
  expect_close(ASKING("\"score\":\"dot\",\"heads\":8,\"beside\":true"), 5, 20);
  expect_close(ASKING("\"score\":\"general\",\"scale\":-0.7"), 5, 20);
  expect_close(
      TAGGER(LAYER(",\"merge\":\"mul\",\"self_attention\":{\"score\":\"dot\",\"heads\":2}") "," LAYER(
          ",\"self_attention\":{\"score\":\"additive\",\"units\":7}")),
      5, 20);
}

/* ---- bits ---- */

Test(self_attention, bits_of_a_row_depend_on_nothing_but_the_row) {
  static const char json[] =
      TAGGER(LAYER(",\"self_attention\":{\"score\":\"dot\",\"heads\":2,\"scale\":0.5},"
                   "\"dense\":{\"units\":7}") "," LAYER(",\"self_attention\":{\"score\":\"concat\","
                                                        "\"layers\":[{\"units\":4,\"activation\":\"relu\"},{"
                                                        "\"units\":1}]}"));
  rows_expect_same_bits(json, SELF_ATTENTION_DEVICE, 70, 70);
}
