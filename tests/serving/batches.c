/* Requests that are executed together. */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(serving_batches, .init = case_folder, .fini = case_folder_remove);

#define DATES "models/dates.safetensors"

static const char *const arrays[] = {"TOKENS", "OUTPUTS", "ALPHAS", "CONTEXT", "STATES", "ANNOTATIONS",
                                     "H_FW",   "C_FW",    "H_BW",   "C_BW",    "SCORES", NULL};

/* Whether a request's answer is, to the bit, that of the same request by itself. */
static void expect_same_answer(const TRITONBACKEND_Request *got, const TRITONBACKEND_Request *alone) {
  const struct stand_in_answer *wanted = stand_in_answer(alone);
  cr_assert_str_eq(stand_in_answer(got)->error, "");
  cr_expect_eq(stand_in_answer(got)->count, wanted->count);
  for (uint32_t i = 0; i < wanted->count; i++) {
    const struct stand_in_tensor *tensor = stand_in_tensor(got, wanted->outputs[i].name);
    cr_assert_not_null(tensor);
    cr_expect_eq(memcmp(tensor->shape, wanted->outputs[i].shape, sizeof tensor->shape), 0,
                 "%s has another shape", tensor->name);
    case_same(got, tensor->name, wanted->outputs[i].data, wanted->outputs[i].size);
  }
}

static TRITONBACKEND_Request *by_chance(struct random *random, int32_t rows, int32_t time) {
  int32_t ids[4 * 30];
  for (int32_t i = 0; i < rows * time; i++)
    ids[i] = random_below(random, 37);
  TRITONBACKEND_Request *request = case_ids(ids, rows, time, arrays);
  if (random_below(random, 2)) {
    int32_t lengths[4];
    for (int32_t b = 0; b < rows; b++)
      lengths[b] = 1 + random_below(random, time);
    stand_in_input(request, "LENGTHS", TRITONSERVER_TYPE_INT32, lengths, (size_t)rows * 4, 2,
                   (int64_t[]){rows, 1});
  }
  return request;
}

Test(serving_batches, requests_of_different_lengths_are_one_call_with_the_answers_of_each_alone) {
  enum { COUNT = 13 };
  uint64_t calls[64];
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  TRITONBACKEND_Request *together[COUNT], *alone[COUNT];
  uint64_t rows = 0;
  for (int i = 0; i < COUNT; i++) {
    int32_t count = 1 + i % 4, time = 1 + (7 * i) % 30;
    struct random first = {100 + (uint64_t)i}, second = first;
    together[i] = by_chance(&first, count, time);
    alone[i] = by_chance(&second, count, time);
    rows += (uint64_t)count;
    case_answered(&served, alone[i]);
  }
  cr_expect_eq(stand_in_calls(served.instance, calls), COUNT);
  stand_in_execute(served.instance, together, COUNT);
  cr_expect_eq(stand_in_calls(served.instance, calls), 1);
  cr_expect_eq(calls[0], rows);
  for (int i = 0; i < COUNT; i++) {
    expect_same_answer(together[i], alone[i]);
    stand_in_free(together[i]);
    stand_in_free(alone[i]);
  }
  case_close(&served);
}

Test(serving_batches, targets_and_their_lengths_go_together) {
  uint64_t calls[64];
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  TRITONBACKEND_Request *requests[4];
  for (int i = 0; i < 4; i++) {
    int32_t ids[6] = {1, 2, 3, 4, 5, 6}, targets[5] = {1, 2, 3, 4, i % 2};
    requests[i] = case_ids(ids, 1, 3 + i % 2, (const char *[]){"SCORES", "LOG_PROBABILITIES", NULL});
    stand_in_input(requests[i], "TARGETS", TRITONSERVER_TYPE_INT32, targets, sizeof targets, 2,
                   (int64_t[]){1, 5});
    if (i % 2)
      stand_in_input(requests[i], "TARGET_LENGTHS", TRITONSERVER_TYPE_INT32, (int32_t[]){2}, 4, 2,
                     (int64_t[]){1, 1});
    if (i < 2)
      case_answered(&served, requests[i]);
  }
  stand_in_calls(served.instance, calls);
  stand_in_execute(served.instance, requests + 2, 2);
  cr_expect_eq(stand_in_calls(served.instance, calls), 1);
  for (int i = 0; i < 2; i++) {
    expect_same_answer(requests[i + 2], requests[i]);
    const float *logs = stand_in_tensor(requests[i], "LOG_PROBABILITIES")->data;
    double sum = 0;
    for (int y = 0; y < (i ? 2 : 5); y++)
      sum += (double)logs[y];
    cr_expect_eq(*(float *)stand_in_tensor(requests[i], "SCORES")->data, (float)sum);
  }
  for (int i = 0; i < 4; i++)
    stand_in_free(requests[i]);
  case_close(&served);
}

Test(serving_batches, what_decodes_differently_is_a_call_of_its_own) {
  uint64_t calls[64];
  case_copy("models/dates_feedback.safetensors");
  struct served_case served = case_open(NULL);
  TRITONBACKEND_Request *requests[6];
  for (int i = 0; i < 6; i++) {
    requests[i] = case_text(i % 2 ? "3 May 1979" : "sat 21 Jan, 2012");
    if (i >= 2 && i < 4)
      stand_in_integer(requests[i], "beam", 3);
    if (i >= 4)
      stand_in_integer(requests[i], "steps", 4);
  }
  stand_in_execute(served.instance, requests, 6);
  cr_expect_eq(stand_in_calls(served.instance, calls), 3);
  for (int i = 0; i < 3; i++)
    cr_expect_eq(calls[i], 2);
  for (int i = 0; i < 6; i++) {
    cr_assert_str_eq(stand_in_answer(requests[i])->error, "");
    const char *whole = i % 2 ? "1979-05-03" : "2012-01-21", *start = i % 2 ? "1979" : "2012";
    cr_expect_str_eq(stand_in_text(requests[i], "TEXT", 0), i < 4 ? whole : start);
    stand_in_free(requests[i]);
  }
  case_close(&served);
}

Test(serving_batches, one_bad_request_gets_its_error_and_the_others_their_answers) {
  enum { COUNT = 16 };
  uint64_t calls[64];
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  for (int bad = 0; bad < COUNT; bad++) {
    TRITONBACKEND_Request *requests[COUNT];
    for (int i = 0; i < COUNT; i++) {
      int32_t ids[10] = {1, 2, 3, 4, 5, 6, i, 7, 8, 9};
      ids[8] = i == bad ? 99 : 1;
      requests[i] = case_ids(ids, 2, 5, (const char *[]){"TEXT", "TOKENS", NULL});
    }
    stand_in_execute(served.instance, requests, COUNT);
    for (int i = 0; i < COUNT; i++) {
      const struct stand_in_answer *answer = stand_in_answer(requests[i]);
      cr_expect_eq(answer->error[0] != '\0', i == bad);
      if (i == bad)
        cr_expect(strstr(answer->error, "id [1,3] is out of range (found 99"), "%s", answer->error);
      else
        cr_expect_eq(stand_in_tensor(requests[i], "TOKENS")->size, 2 * 10 * 4);
      stand_in_free(requests[i]);
    }
    stand_in_calls(served.instance, calls);
  }
  case_close(&served);
}

Test(serving_batches, bad_texts_and_good_ones_part_before_the_call) {
  uint64_t calls[64];
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  TRITONBACKEND_Request *requests[4] = {case_text("3 May 1979"), case_text(""), case_text("\xff"),
                                        case_text("sat 21 Jan, 2012")};
  stand_in_execute(served.instance, requests, 4);
  cr_expect_eq(stand_in_calls(served.instance, calls), 1);
  cr_expect_eq(calls[0], 2);
  cr_expect_str_eq(stand_in_text(requests[0], "TEXT", 0), "1979-05-03");
  cr_expect(stand_in_answer(requests[1])->error[0] && stand_in_answer(requests[2])->error[0]);
  cr_expect_str_eq(stand_in_text(requests[3], "TEXT", 0), "2012-01-21");
  for (int i = 0; i < 4; i++)
    stand_in_free(requests[i]);
  case_close(&served);
}

Test(serving_batches, more_rows_than_a_session_takes_are_several_calls) {
  enum { COUNT = 5 };
  uint64_t calls[64];
  case_copy(DATES);
  struct served_case served = case_open("{\"backend\":\"cuseq\",\"max_batch_size\":4}");
  TRITONBACKEND_Request *requests[COUNT];
  int32_t ids[4 * 2] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int i = 0; i < COUNT; i++)
    requests[i] = case_ids(ids, i % 2 ? 3 : 1, 2, (const char *[]){"TOKENS", NULL});
  stand_in_execute(served.instance, requests, COUNT); /* 1 3 1 3 1 */
  cr_expect_eq(stand_in_calls(served.instance, calls), 3);
  for (int i = 0; i < COUNT; i++) {
    cr_expect_str_eq(stand_in_answer(requests[i])->error, "");
    stand_in_free(requests[i]);
  }
  int32_t many[5] = {0};
  case_fails(&served, case_ids(many, 5, 1, (const char *[]){"TOKENS", NULL}),
             "too many rows (found 5, needed at most 4)");
  case_close(&served);
}

Test(serving_batches, a_session_grows_to_the_longest_request_and_refuses_what_is_beyond) {
  case_save("{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":"
            "\"gru\",\"units\":2}}]},\"output\":{\"over\":\"every\",\"layers\":[{\"units\":2}]}}",
            5);
  struct served_case served =
      case_open("{\"backend\":\"cuseq\",\"max_batch_size\":4,\"parameters\":{\"threads\":{"
                "\"string_value\":\"1\"}}}");
  float *values = calloc(3 * 1025, sizeof *values);
  TRITONBACKEND_Request *requests[2];
  const int64_t times[2] = {1000, 2};
  for (int i = 0; i < 2; i++) {
    requests[i] = stand_in_request();
    stand_in_input(requests[i], "INPUT", TRITONSERVER_TYPE_FP32, values, (size_t)(12 * times[i]), 3,
                   (int64_t[]){1, times[i], 3});
    stand_in_output(requests[i], "OUTPUTS");
  }
  stand_in_execute(served.instance, requests, 2);
  for (int i = 0; i < 2; i++) {
    cr_expect_str_eq(stand_in_answer(requests[i])->error, "");
    cr_expect_eq(stand_in_tensor(requests[i], "OUTPUTS")->size, (size_t)times[i] * 2 * 4);
    stand_in_free(requests[i]);
  }
  TRITONBACKEND_Request *request = stand_in_request();
  stand_in_input(request, "INPUT", TRITONSERVER_TYPE_FP32, values, 12 * 1025, 3, (int64_t[]){1, 1025, 3});
  case_fails(&served, request, "found 1025");
  free(values);
  case_close(&served);
}
