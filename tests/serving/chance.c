/* Requests by chance, right and wrong ones: together they are answered as each is alone, to the bit or to the
 * word. */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(serving_chance, .init = case_folder, .fini = case_folder_remove);

enum { ROUNDS = 400, MOST = 6, ROWS = 3, LONGEST = 40 };

/* One in so many. */
static bool seldom(struct random *random, int32_t many) {
  return random_below(random, many) == 0;
}

static int64_t size_by_chance(struct random *random, int64_t right) {
  return seldom(random, 40) ? random_below(random, 6) - 1 : right;
}

static void add_texts(TRITONBACKEND_Request *request, struct random *random, int64_t rows) {
  static const char *const texts[] = {"3 May 1979", "sat 21 Jan, 2012", "7/26/70",
                                      "1 2 3",      "\xc3\xa4",         "zzz"};
  unsigned char bytes[ROWS * 64];
  size_t used = 0;
  for (int64_t i = 0; i < rows; i++) {
    const char *text = texts[random_below(random, 6)];
    size_t length = seldom(random, 30) ? (size_t)random_below(random, 40) : strlen(text);
    memset(bytes + used + 4, 'x', length);
    memcpy(bytes + used + 4, text, length < strlen(text) ? length : strlen(text));
    for (int k = 0; k < 4; k++)
      bytes[used + (size_t)k] =
          (unsigned char)((seldom(random, 100) ? random_bits(random) : length) >> (8 * k));
    used += 4 + length;
  }
  stand_in_input(request, "TEXT", TRITONSERVER_TYPE_BYTES, bytes, used, 2, (int64_t[]){rows, 1});
}

/* Integers [rows, columns]; seldom one that is out of range, or another shape or type than the bytes have. */
static void add_integers(TRITONBACKEND_Request *request, struct random *random, const char *name,
                         int64_t rows, int64_t columns, int32_t least, int32_t bound) {
  int32_t values[ROWS * LONGEST];
  for (int64_t i = 0; i < rows * columns; i++)
    values[i] = seldom(random, 400) ? (int32_t)random_bits(random) : least + random_below(random, bound);
  TRITONSERVER_DataType type = seldom(random, 60) ? TRITONSERVER_TYPE_INT64 : TRITONSERVER_TYPE_INT32;
  int64_t shape[3] = {size_by_chance(random, rows), size_by_chance(random, columns), 1};
  stand_in_input(request, name, type, values, (size_t)(rows * columns) * sizeof *values,
                 seldom(random, 60) ? 3 : 2, shape);
}

static void add_parameters(TRITONBACKEND_Request *request, struct random *random) {
  if (seldom(random, 3))
    stand_in_integer(request, "beam", random_below(random, 14) - 1);
  if (seldom(random, 4))
    stand_in_integer(request, "n_best", random_below(random, 4));
  if (seldom(random, 5))
    stand_in_integer(request, "steps", random_below(random, 13));
  if (seldom(random, 10))
    stand_in_string(request, "length_penalty", seldom(random, 4) ? "none" : "gnmt");
  if (seldom(random, 10))
    stand_in_number(request, "alpha", (double)random_between(random, -1, 12));
  if (seldom(random, 10))
    stand_in_boolean(request, "truncate", seldom(random, 2));
  if (seldom(random, 50))
    stand_in_string(request, "beams", "3");
}

static void add_outputs(TRITONBACKEND_Request *request, struct random *random) {
  static const char *const names[] = {"TEXT",   "SCORES",      "TOKENS",     "OUTPUTS",
                                      "ALPHAS", "CONTEXT",     "STATES",     "ANNOTATIONS",
                                      "H_BW",   "BEAM_TOKENS", "BEAM_ALPHAS"};
  int32_t last = -1, count = 1 + random_below(random, 3);
  for (int32_t i = 0; i < count; i++) {
    last += 1 + random_below(random, 4);
    if (last < (int32_t)(sizeof names / sizeof *names))
      stand_in_output(request, names[last]);
  }
}

static TRITONBACKEND_Request *by_chance(uint64_t seed) {
  struct random random = {seed};
  TRITONBACKEND_Request *request = stand_in_request();
  int64_t rows = 1 + random_below(&random, ROWS),
          time = 1 + random_below(&random, seldom(&random, 20) ? LONGEST : 30);
  bool texts = seldom(&random, 2);
  if (texts)
    add_texts(request, &random, rows);
  if (!texts || seldom(&random, 50))
    add_integers(request, &random, "INPUT", rows, time, 0, 37);
  if (!texts && seldom(&random, 2))
    add_integers(request, &random, "LENGTHS", rows, 1, 1, (int32_t)time);
  if (seldom(&random, 6))
    add_integers(request, &random, "TARGETS", rows, 1 + random_below(&random, 10), 0, 11);
  if (seldom(&random, 12))
    add_integers(request, &random, "TARGET_LENGTHS", rows, 1, 1, 2);
  if (seldom(&random, 6))
    add_integers(request, &random, "START", rows, 1, 0, 11);
  if (seldom(&random, 8) && !texts)
    stand_in_pieces(request, "INPUT", 1 + (size_t)random_below(&random, 9));
  add_parameters(request, &random);
  add_outputs(request, &random);
  return request;
}

static void expect_same(const TRITONBACKEND_Request *got, const TRITONBACKEND_Request *alone, uint64_t seed) {
  const struct stand_in_answer *wanted = stand_in_answer(alone);
  cr_assert_str_eq(stand_in_answer(got)->error, wanted->error, "request %d: found \"%s\", needed \"%s\"",
                   (int)seed, stand_in_answer(got)->error, wanted->error);
  for (uint32_t i = 0; i < wanted->count && !*wanted->error; i++) {
    const struct stand_in_tensor *tensor = stand_in_tensor(got, wanted->outputs[i].name);
    cr_assert(tensor && tensor->size == wanted->outputs[i].size, "request %d: %s", (int)seed,
              wanted->outputs[i].name);
    cr_assert_eq(memcmp(tensor->data, wanted->outputs[i].data, tensor->size), 0, "request %d: %s differs",
                 (int)seed, tensor->name);
  }
}

static int answered_together(struct served_case *served, uint64_t seed) {
  uint64_t calls[64];
  TRITONBACKEND_Request *together[MOST], *alone[MOST];
  uint32_t count = 1 + (uint32_t)(seed % MOST);
  int answered = 0;
  for (uint32_t i = 0; i < count; i++) {
    together[i] = by_chance(1 + seed * MOST + i);
    alone[i] = by_chance(1 + seed * MOST + i);
    stand_in_execute(served->instance, &alone[i], 1);
    answered += stand_in_answer(alone[i])->error[0] == '\0';
  }
  stand_in_execute(served->instance, together, count);
  stand_in_calls(served->instance, calls);
  for (uint32_t i = 0; i < count; i++) {
    expect_same(together[i], alone[i], 1 + seed * MOST + i);
    stand_in_free(together[i]);
    stand_in_free(alone[i]);
  }
  return answered;
}

static void try_model(const char *path) {
  case_copy(path);
  struct served_case served = case_open(NULL);
  int answered = 0;
  for (uint64_t seed = 0; seed < ROUNDS; seed++)
    answered += answered_together(&served, seed);
  cr_expect(answered > ROUNDS / 4 && answered < 3 * ROUNDS,
            "%d were answered: right and wrong ones should be many", answered);
  case_close(&served);
}

Test(serving_chance, requests_together_are_answered_as_each_is_alone) {
  try_model("models/dates.safetensors");
  try_model("models/dates_feedback.safetensors");
}
