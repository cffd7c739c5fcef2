/* Models of all kinds: requests of different lengths, together and each alone. */
#include "case.h"

#include "support/folder.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(serving_models, .init = case_folder, .fini = case_folder_remove);

enum { REQUESTS = 5, LONGEST = 7 };

/* Numbers for three steps, where the model is given some. */
static void numbers_by_chance(TRITONBACKEND_Request *request, const cuseq_config *config,
                              struct random *random) {
  size_t count = 2 * 3 * (size_t)config->given_width;
  float *numbers = malloc((count + 1) * sizeof *numbers);
  for (size_t i = 0; i < count; i++)
    numbers[i] = random_between(random, -1, 1);
  if (count > 0)
    stand_in_input(request, "GIVEN", TRITONSERVER_TYPE_FP32, numbers, count * 4, 3,
                   (int64_t[]){2, 3, config->given_width});
  free(numbers);
}

/* Random rows: numbers, or ids where the model takes nothing else; and targets where it follows them. */
static TRITONBACKEND_Request *by_chance(const struct served_case *served, uint64_t seed, int64_t time) {
  const cuseq_config *config = cuseq_model_config(served->own);
  struct random random = {seed};
  TRITONBACKEND_Request *request = stand_in_request();
  size_t F = (size_t)config->features, rows = (size_t)(2 * time);
  if (strstr(stand_in_config(served->model), "\"INPUT\",\"data_type\":\"TYPE_INT32\"")) {
    int32_t ids[2 * LONGEST];
    for (size_t i = 0; i < rows; i++)
      ids[i] = random_below(&random, config->features);
    stand_in_input(request, "INPUT", TRITONSERVER_TYPE_INT32, ids, rows * 4, 2, (int64_t[]){2, time});
  } else {
    float *values = malloc(rows * F * sizeof *values);
    for (size_t i = 0; i < rows * F; i++)
      values[i] = random_between(&random, -1, 1);
    stand_in_input(request, "INPUT", TRITONSERVER_TYPE_FP32, values, rows * F * 4, 3,
                   (int64_t[]){2, time, (int64_t)F});
    free(values);
  }
  int32_t lengths[2] = {(int32_t)time, 1 + random_below(&random, (int32_t)time)};
  stand_in_input(request, "LENGTHS", TRITONSERVER_TYPE_INT32, lengths, 8, 2, (int64_t[]){2, 1});
  if (config->needs_targets) {
    int32_t targets[2 * 3];
    for (int i = 0; i < 6; i++)
      targets[i] = random_below(&random, config->outputs);
    stand_in_input(request, "TARGETS", TRITONSERVER_TYPE_INT32, targets, sizeof targets, 2,
                   (int64_t[]){2, 3});
  }
  numbers_by_chance(request, config, &random);
  return request;
}

/* Asks for every array but those of a search. */
static void ask_for_all(const struct served_case *served, TRITONBACKEND_Request *request) {
  static const char *const names[] = {"TOKENS",  "OUTPUT_LENGTHS", "LOG_PROBABILITIES",
                                      "OUTPUTS", "CONTEXT",        "ALPHAS",
                                      "STATES",  "ANNOTATIONS",    "H_FW",
                                      "C_FW",    "H_BW",           "C_BW",
                                      "SCORES"};
  char quoted[64];
  const char *outputs = strstr(stand_in_config(served->model), "\"output\"");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(quoted, sizeof quoted, "\"%s\"", names[i]);
    if (strstr(outputs, quoted))
      stand_in_output(request, names[i]);
  }
}

static void expect_alike(const char *path, const TRITONBACKEND_Request *got,
                         const TRITONBACKEND_Request *alone) {
  const struct stand_in_answer *wanted = stand_in_answer(alone);
  cr_assert_str_eq(stand_in_answer(got)->error, wanted->error, "%s: \"%s\" together, \"%s\" alone", path,
                   stand_in_answer(got)->error, wanted->error);
  for (uint32_t i = 0; i < wanted->count && !*wanted->error; i++) {
    const struct stand_in_tensor *tensor = stand_in_tensor(got, wanted->outputs[i].name);
    cr_assert_eq(tensor->size, wanted->outputs[i].size);
    cr_expect_eq(memcmp(tensor->data, wanted->outputs[i].data, tensor->size), 0, "%s: %s differs", path,
                 tensor->name);
  }
}

static size_t answered_alike(const char *path) {
  uint64_t calls[64];
  case_copy(path);
  struct served_case served = case_open(NULL);
  TRITONBACKEND_Request *together[REQUESTS], *alone[REQUESTS];
  size_t answered = 0;
  for (int i = 0; i < REQUESTS; i++) {
    int64_t time = 1 + (3 * i + 6) % LONGEST;
    together[i] = by_chance(&served, 40 + (uint64_t)i, time);
    alone[i] = by_chance(&served, 40 + (uint64_t)i, time);
    ask_for_all(&served, together[i]);
    ask_for_all(&served, alone[i]);
    stand_in_execute(served.instance, &alone[i], 1);
    answered += stand_in_answer(alone[i])->error[0] == '\0';
  }
  stand_in_calls(served.instance, calls);
  stand_in_execute(served.instance, together, REQUESTS);
  if (answered == REQUESTS)
    cr_expect_eq(stand_in_calls(served.instance, calls), 1, "%s: one call was expected", path);
  for (int i = 0; i < REQUESTS; i++) {
    expect_alike(path, together[i], alone[i]);
    stand_in_free(together[i]);
    stand_in_free(alone[i]);
  }
  case_close(&served);
  return answered;
}

Test(serving_models, requests_of_different_lengths_have_the_answers_of_each_alone_whatever_the_model) {
  glob_t files;
  size_t answered = 0;
  cr_assert_eq(glob("tests/golden/models/*.safetensors", 0, NULL, &files), 0);
  for (size_t i = 0; i < files.gl_pathc; i++)
    answered += answered_alike(files.gl_pathv[i]);
  cr_expect(files.gl_pathc > 50, "there should be many models");
  cr_expect(answered * 10 > files.gl_pathc * REQUESTS * 9, "%zu of %zu requests were answered", answered,
            files.gl_pathc * REQUESTS);
  globfree(&files);
}
