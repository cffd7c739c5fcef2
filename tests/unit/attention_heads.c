/* Several heads that a decoder's steps, or a state, ask: configurations that contradict themselves, sizes
 * around the vectors and blocks that a device computes in, and what a row's bits depend on. */
#include "support/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>

#ifndef HEADS_DEVICE
#define HEADS_DEVICE "cpu"
#define HEADS_POSITIONS 1100
#endif

/* An encoder of 2 x 4 units over 5 features. */
#define MODEL(more)                                                                                          \
  "{\"version\":2,\"input\":{\"features\":5},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","          \
  "\"units\":4},\"direction\":\"bidirectional\"}]}," more "}"
#define MAPS(key, query, value)                                                                              \
  ",\"key\":{\"units\":" key "},\"query\":{\"units\":" query "},\"value\":{\"units\":" value "}"
#define DECODER(reads, more)                                                                                 \
  "\"decoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":8}}],\"reads\":[" reads                    \
  "],\"steps\":4,\"feedback\":\"output\",\"start_token\":1" more                                             \
  "},\"output\":{\"parts\":[\"state\",\"context\"],\"layers\":[{\"units\":6,\"activation\":\"softmax\"}]}"
#define ASKED(attention) MODEL("\"attention\":{" attention "}," DECODER("\"token\"", ""))
#define CONTEXT(attention)                                                                                   \
  MODEL("\"attention\":{" attention "},\"output\":{\"over\":[\"context\",\"final\"],\"layers\":[{\"units\":" \
        "3}]}")

Test(attention_heads, what_contradicts_itself_is_refused) {
  static const struct {
    const char *json, *words;
  } rows[] = {
      {ASKED("\"score\":\"dot\",\"heads\":0"), "attention.heads is out of range (found 0"},
      {ASKED("\"score\":\"general\",\"heads\":2"),
       "attention.heads belong to the score \"dot\" (found 2 with \"general\")"},
      {ASKED("\"score\":\"dot\",\"heads\":3"),
       "attention.heads do not divide the keys (found 3 heads of 8 units)"},
      {ASKED("\"score\":\"dot\",\"heads\":2" MAPS("6", "5", "4")),
       "attention.heads do not divide the queries (found 2 heads of 5 units)"},
      {ASKED("\"score\":\"dot\",\"heads\":2" MAPS("6", "6", "3")),
       "attention.heads do not divide the values (found 2 heads of 3 units)"},
      {ASKED("\"score\":\"dot\",\"heads\":2,\"key\":{\"units\":6}"),
       "attention.score \"dot\" needs vectors of one width (found keys of 6 and a query of 8)"},
      {ASKED("\"score\":\"dot\",\"asks\":\"token\",\"heads\":2"),
       "attention.score \"dot\" needs vectors of one width (found keys of 8 and a query of 6)"},
      {CONTEXT("\"score\":\"dot\",\"heads\":5"), "attention.heads do not divide the keys"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    rows_expect_refused(rows[i].json, rows[i].words);
}

/* ---- sizes ---- */

static const int32_t times[] = {1, 2, 15, 16, 17, 31, 33, 64, 130, 513, 600, 1025, 1100};
enum { TIMES = sizeof times / sizeof *times };

Test(attention_heads, agree_with_the_reference_whatever_the_number_of_positions) {
  for (int i = 0; i < TIMES && times[i] <= HEADS_POSITIONS; i++) {
    rows_expect_close(
        ASKED("\"score\":\"dot\",\"heads\":2,\"scale\":0.5,\"asks\":\"current\"" MAPS("8", "8", "6")),
        HEADS_DEVICE, 4, times[i], 4);
    rows_expect_close(CONTEXT("\"score\":\"dot\",\"heads\":4"), HEADS_DEVICE, 3, times[i], 1);
  }
}

Test(attention_heads, agree_with_the_reference_whatever_their_widths) {
  static const int32_t widths[] = {1, 3, 8, 15, 16, 17, 32, 33, 64, 65, 100, 113, 260};
  enum { WIDTHS = sizeof widths / sizeof *widths };
  for (int i = 0; i < WIDTHS; i++)
    for (int heads = 2; heads <= 5; heads += 3) {
      char json[1200];
      snprintf(json, sizeof json,
               ASKED("\"score\":\"dot\",\"heads\":%d,\"scale\":0.3,\"key\":{\"units\":%d},"
                     "\"query\":{\"units\":%d,\"activation\":\"tanh\"},\"value\":{\"units\":%d}"),
               heads, heads * widths[i], heads * widths[i], heads * widths[(i + 5) % WIDTHS]);
      rows_expect_close(json, HEADS_DEVICE, 3, 37, 3);
    }
}

/* ---- ways to ask ---- */

#define BOTH "\"token\",\"context\""

Test(attention_heads, may_be_asked_before_and_behind_the_cells_and_by_the_token) {
  rows_expect_close(
      MODEL("\"attention\":{\"score\":\"dot\",\"heads\":4,\"positions\":30}," DECODER(BOTH, "")),
      HEADS_DEVICE, 5, 30, 4);
  rows_expect_close(MODEL("\"attention\":{\"score\":\"dot\",\"heads\":2,\"asks\":\"current\"}," DECODER(
                        BOTH, ",\"end_token\":2")),
                    HEADS_DEVICE, 5, 30, 6);
  rows_expect_close(
      MODEL("\"attention\":{\"score\":\"dot\",\"heads\":8,\"asks\":\"token\",\"scale\":-0.5}," DECODER(
          BOTH, ",\"embedding\":8")),
      HEADS_DEVICE, 5, 30, 4);
}

Test(attention_heads, bits_of_a_row_depend_on_nothing_but_the_row) {
  rows_expect_same_bits(
      MODEL("\"attention\":{\"score\":\"dot\",\"heads\":4,\"asks\":\"current\"}," DECODER(BOTH, "")),
      HEADS_DEVICE, 70, 5);
}
