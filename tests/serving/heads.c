/* Models without a decoder: labels of texts and of their tokens; and features that are not numbers. */
#include "case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(serving_heads, .init = case_folder, .fini = case_folder_remove);

#define MODEL(over, labels)                                                                                  \
  "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","          \
  "\"units\":2}"                                                                                             \
  "}]},\"output\":{\"heads\":[{\"name\":\"pos\",\"over\":\"" over                                            \
  "\",\"layers\":[{\"units\":3,\"activation\":\"softmax\"}]},{\"name\":\"number\",\"over\":\"" over          \
  "\",\"layers\":[{\"units\":1}]}]},\"vocabulary\":{\"length\":6,\"input\":[\"a\",\"b\",\"c\"],"             \
  "\"labels\":" labels "}}"
#define LABELS "{\"pos\":[\"noun\",\"\",\"verb\"],\"number\":[\"one\",\"many\"]}"

static struct served_case open_with(const char *json) {
  case_save(json, 11);
  return case_open(NULL);
}

/* The best of three, and of the two that one logit decides between. */
static void expect_labels(const TRITONBACKEND_Request *request, uint32_t at, const float outputs[4]) {
  static const char *const pos[] = {"noun", "", "verb"};
  const float *scores = (const float *)stand_in_tensor(request, "SCORES")->data + at;
  int best = 0;
  for (int k = 1; k < 3; k++)
    best = outputs[k] > outputs[best] ? k : best;
  double many = 1 / (1 + exp(-(double)outputs[3]));
  cr_expect_str_eq(stand_in_text(request, "TEXT", at), pos[best]);
  cr_expect_eq(scores[0], outputs[best]);
  cr_expect_str_eq(stand_in_text(request, "TEXT", at + 1), many > 0.5 ? "many" : "one");
  cr_expect(fabs((double)scores[1] - (many > 0.5 ? many : 1 - many)) <= 1e-6);
}

static TRITONBACKEND_Request *request_of(const char *first, const char *second) {
  TRITONBACKEND_Request *request = stand_in_request();
  stand_in_texts(request, (const char *[]){first, second, NULL});
  stand_in_output(request, "TEXT");
  stand_in_output(request, "SCORES");
  stand_in_output(request, "OUTPUTS");
  return request;
}

Test(serving_heads, a_classifier_answers_with_the_label_of_each_head) {
  struct served_case served = open_with(MODEL("mean", LABELS));
  TRITONBACKEND_Request *requests[2] = {request_of("abc", "c"), request_of("bb", "acacac")};
  stand_in_execute(served.instance, requests, 2);
  for (int i = 0; i < 2; i++) {
    cr_assert_str_eq(stand_in_answer(requests[i])->error, "");
    const struct stand_in_tensor *outputs = stand_in_tensor(requests[i], "OUTPUTS");
    cr_assert_eq(outputs->size, 2 * 4 * sizeof(float));
    for (uint32_t b = 0; b < 2; b++)
      expect_labels(requests[i], 2 * b, (const float *)outputs->data + (size_t)4 * b);
    stand_in_free(requests[i]);
  }
  case_close(&served);
}

Test(serving_heads, a_tagger_answers_with_labels_for_each_token_and_none_behind_them) {
  struct served_case served = open_with(MODEL("every", LABELS));
  TRITONBACKEND_Request *requests[2] = {request_of("abc", "c"), request_of("bb", "acacac")};
  stand_in_execute(served.instance, requests, 2);
  const uint32_t times[2] = {3, 6}, lengths[2][2] = {{3, 1}, {2, 6}};
  for (int i = 0; i < 2; i++) {
    cr_assert_str_eq(stand_in_answer(requests[i])->error, "");
    const struct stand_in_tensor *text = stand_in_tensor(requests[i], "TEXT");
    cr_expect(text->rank == 3 && text->shape[0] == 2 && text->shape[1] == times[i] && text->shape[2] == 2);
    const float *outputs = stand_in_tensor(requests[i], "OUTPUTS")->data;
    for (uint32_t b = 0; b < 2; b++)
      for (uint32_t t = 0; t < times[i]; t++) {
        uint32_t at = b * times[i] + t;
        if (t < lengths[i][b])
          expect_labels(requests[i], 2 * at, outputs + (size_t)4 * at);
        else
          cr_expect_str_eq(stand_in_text(requests[i], "TEXT", 2 * at), "");
      }
    stand_in_free(requests[i]);
  }
  case_close(&served);
}

Test(serving_heads, a_model_without_labels_has_no_texts) {
  case_save("{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{"
            "\"kind\":\"gru\",\"units\":2}}]},\"output\":{\"over\":\"mean\",\"layers\":[{"
            "\"units\":2}]},\"vocabulary\":{\"length\":6,\"input\":[\"a\",\"b\",\"c\"]}}",
            3);
  struct served_case served = case_open(NULL);
  case_fails(&served, case_text("abc"), "output TEXT: the model has no such output");
  TRITONBACKEND_Request *request = case_ids((int32_t[]){1}, 1, 1, (const char *[]){"OUTPUTS", NULL});
  stand_in_integer(request, "steps", 3);
  case_fails(&served, request, "steps: the model has no decoder");
  request = case_ids((int32_t[]){1}, 1, 1, (const char *[]){"OUTPUTS", NULL});
  stand_in_integer(request, "beam", 3);
  case_fails(&served, request, "beam: the model has no decoder");
  case_close(&served);
}

Test(serving_heads, features_that_are_not_numbers_are_refused_beside_those_that_are) {
  case_save("{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{"
            "\"kind\":\"gru\",\"units\":2}}]},\"output\":{\"over\":\"mean\",\"layers\":[{"
            "\"units\":2}]}}",
            3);
  struct served_case served =
      case_open("{\"backend\":\"cuseq\",\"max_batch_size\":8,\"input\":[{\"name\":\"INPUT\",\"data_type\":"
                "\"TYPE_FP64\",\"dims\":[-1,3]}]}");
  TRITONBACKEND_Request *requests[3];
  for (int i = 0; i < 3; i++) {
    double values[6] = {1, 2, 3, 4, i == 1 ? (double)NAN : 5, 6};
    requests[i] = stand_in_request();
    stand_in_input(requests[i], "INPUT", TRITONSERVER_TYPE_FP64, values, sizeof values, 3,
                   (int64_t[]){1, 2, 3});
    stand_in_output(requests[i], "OUTPUTS");
  }
  stand_in_execute(served.instance, requests, 3);
  cr_expect_str_eq(stand_in_answer(requests[0])->error, "");
  cr_expect(strstr(stand_in_answer(requests[1])->error, "[0,1,1] is not finite"), "%s",
            stand_in_answer(requests[1])->error);
  case_same(requests[2], "OUTPUTS", stand_in_tensor(requests[0], "OUTPUTS")->data, 8);
  for (int i = 0; i < 3; i++)
    stand_in_free(requests[i]);
  case_close(&served);
}
