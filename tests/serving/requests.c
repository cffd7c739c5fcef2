/* One request at a time: what it gives and takes, and what is wrong with it. */
#include "case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(serving_requests, .init = case_folder, .fini = case_folder_remove);

#define DATES "models/dates.safetensors"
#define FEEDBACK "models/dates_feedback.safetensors"

enum { B = 2, T = 30, Y = 10, V = 11 };

/* The library's own answer. */
struct wanted {
  int32_t ids[B * T], lengths[B], tokens[B * Y];
  float outputs[B * Y * V], alphas[B * Y * T], annotations[B * T * 64], logs[B * Y];
};

static cuseq_session *session_open(const cuseq_model *model, int32_t beams) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.max_batch = B;
  options.max_beams = beams;
  cuseq_session *session = NULL;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void wanted_make(struct wanted *wanted, const cuseq_model *model, const char *const texts[B]) {
  for (int b = 0; b < B; b++)
    cr_assert_eq(cuseq_text_encode(model, texts[b], 0, wanted->ids + b * T, &wanted->lengths[b], NULL),
                 CUSEQ_STATUS_OK);
  cuseq_input input = {
      .size = sizeof input, .data = wanted->ids, .dtype = CUSEQ_DTYPE_I32, .batch = B, .time = T};
  input.lengths = wanted->lengths;
  cuseq_encoding encoding = {.size = sizeof encoding, .annotations = wanted->annotations};
  cuseq_decoding decoding = {.size = sizeof decoding,
                             .tokens = wanted->tokens,
                             .outputs = wanted->outputs,
                             .alphas = wanted->alphas,
                             .log_probabilities = wanted->logs};
  cuseq_session *session = session_open(model, 1);
  cr_assert_eq(cuseq_run(session, &input, &encoding, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);
}

static const char *const two[] = {"3 May 1979", "sat 21 Jan, 2012", NULL};

Test(serving_requests, texts_and_arrays_are_the_librarys) {
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  struct wanted *wanted = malloc(sizeof *wanted);
  wanted_make(wanted, served.own, two);
  TRITONBACKEND_Request *request = stand_in_request();
  stand_in_texts(request, two);
  static const char *const names[] = {"TEXT",   "SCORES",      "TOKENS",           "OUTPUTS",
                                      "ALPHAS", "ANNOTATIONS", "LOG_PROBABILITIES"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    stand_in_output(request, names[i]);
  case_answered(&served, request);
  cr_expect_eq(stand_in_answer(request)->count, 7, "what is not asked for is not given");
  cr_expect_str_eq(stand_in_text(request, "TEXT", 0), "1979-05-03");
  cr_expect_str_eq(stand_in_text(request, "TEXT", 1), "2012-01-21");
  case_same(request, "TOKENS", wanted->tokens, sizeof wanted->tokens);
  case_same(request, "OUTPUTS", wanted->outputs, sizeof wanted->outputs);
  case_same(request, "ALPHAS", wanted->alphas, sizeof wanted->alphas);
  case_same(request, "ANNOTATIONS", wanted->annotations, sizeof wanted->annotations);
  case_same(request, "LOG_PROBABILITIES", wanted->logs, sizeof wanted->logs);
  const struct stand_in_tensor *scores = stand_in_tensor(request, "SCORES");
  cr_expect(scores->rank == 2 && scores->shape[0] == 2 && scores->shape[1] == 1);
  for (int b = 0; b < B; b++) {
    double sum = 0;
    for (int y = 0; y < Y; y++)
      sum += (double)wanted->logs[b * Y + y];
    cr_expect_eq(((float *)scores->data)[b], (float)sum);
  }
  stand_in_free(request);
  free(wanted);
  case_close(&served);
}

Test(serving_requests, one_that_names_no_output_gets_all_that_there_are) {
  case_copy(FEEDBACK);
  struct served_case served = case_open(NULL);
  static const char *const all[] = {"TEXT",         "SCORES",
                                    "TOKENS",       "LOG_PROBABILITIES",
                                    "OUTPUTS",      "CONTEXT",
                                    "ALPHAS",       "STATES",
                                    "ANNOTATIONS",  "H_FW",
                                    "C_FW",         "BEAM_TOKENS",
                                    "BEAM_LENGTHS", "BEAM_LOG_PROBABILITIES",
                                    "BEAM_ALPHAS",  "H_BW",
                                    "C_BW"};
  for (int beam = 0; beam <= 2; beam += 2) {
    TRITONBACKEND_Request *request = stand_in_request();
    stand_in_texts(request, two);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
      if (strstr(stand_in_config(served.model), all[i]))
        stand_in_output(request, all[i]);
    stand_in_integer(request, "beam", beam);
    case_answered(&served, request);
    cr_expect_eq(stand_in_tensor(request, "TOKENS") != NULL, beam == 0);
    cr_expect_eq(stand_in_tensor(request, "BEAM_TOKENS") != NULL, beam > 0);
    cr_expect_str_eq(stand_in_text(request, "TEXT", 0), "1979-05-03");
    stand_in_free(request);
  }
  case_close(&served);
}

Test(serving_requests, a_beam_search_is_the_librarys) {
  enum { N = 3 };
  case_copy(FEEDBACK);
  struct served_case served = case_open(NULL);
  const cuseq_config *config = cuseq_model_config(served.own);
  int32_t steps = config->steps, ids[B * T], lengths[B];
  for (int b = 0; b < B; b++)
    cr_assert_eq(cuseq_text_encode(served.own, two[b], 0, ids + b * T, &lengths[b], NULL), CUSEQ_STATUS_OK);
  cuseq_input input = {.size = sizeof input, .data = ids, .dtype = CUSEQ_DTYPE_I32, .batch = B, .time = T};
  cuseq_beam beam;
  cuseq_beam_init(&beam, sizeof beam);
  float scores[B * N];
  int32_t tokens[B * N * 64];
  cr_assert(steps <= 64);
  beam.beams = 4;
  beam.n_best = N;
  beam.length_penalty = CUSEQ_LENGTH_PENALTY_GNMT;
  beam.alpha = 0.6f;
  beam.scores = scores;
  beam.tokens = tokens;
  cuseq_session *session = session_open(served.own, 4);
  cr_assert_eq(cuseq_encode(session, &input, NULL), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(cuseq_beam_search(session, &beam), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cuseq_session_close(session);

  TRITONBACKEND_Request *request = stand_in_request();
  stand_in_texts(request, two);
  stand_in_output(request, "TEXT");
  stand_in_output(request, "SCORES");
  stand_in_output(request, "BEAM_TOKENS");
  stand_in_integer(request, "beam", 4);
  stand_in_string(request, "n_best", "3");
  stand_in_string(request, "length_penalty", "gnmt");
  stand_in_number(request, "alpha", (double)0.6f);
  case_answered(&served, request);
  case_same(request, "SCORES", scores, sizeof scores);
  case_same(request, "BEAM_TOKENS", tokens, (size_t)(B * N * steps) * sizeof *tokens);
  char text[512];
  for (uint32_t i = 0; i < B * N; i++) {
    cr_assert_eq(cuseq_text_decode(served.own, tokens + i * (uint32_t)steps, steps, text, sizeof text),
                 CUSEQ_STATUS_OK);
    cr_expect_str_eq(stand_in_text(request, "TEXT", i), text);
  }
  stand_in_free(request);
  case_close(&served);
}

/* A request of the two texts with one output and a parameter that is not right. */
static TRITONBACKEND_Request *with_integer(const char *key, int64_t value) {
  TRITONBACKEND_Request *request = case_text("3 May 1979");
  stand_in_integer(request, key, value);
  return request;
}

Test(serving_requests, parameters_that_are_not_right_are_refused_by_name) {
  case_copy(FEEDBACK);
  struct served_case served = case_open(NULL);
  case_fails(&served, with_integer("beams", 4), "parameter beams: there is no such");
  case_fails(&served, with_integer("beam", -1), "beam: is out of range (found -1");
  case_fails(&served, with_integer("beam", 40), "beam: too many (found 40, needed at most max_beam, 16)");
  case_fails(&served, with_integer("n_best", 2), "n_best: goes with beam");
  case_fails(&served, with_integer("truncate", 1), "truncate: is of another type (found an integer");
  case_fails(&served, with_integer("steps", 100), "steps");
  TRITONBACKEND_Request *request = with_integer("beam", 3);
  stand_in_number(request, "alpha", 0);
  case_fails(&served, request, "alpha: is out of range");
  request = with_integer("beam", 3);
  stand_in_number(request, "alpha", 1);
  case_fails(&served, request, "alpha: goes with length_penalty");
  request = with_integer("beam", 3);
  stand_in_output(request, "OUTPUTS");
  case_fails(&served, request, "OUTPUTS: a beam search does not give it");
  request = case_text("3 May 1979");
  stand_in_output(request, "BEAM_TOKENS");
  case_fails(&served, request, "BEAM_TOKENS: goes with beam");
  case_close(&served);
}

Test(serving_requests, texts_that_are_not_right_are_refused_in_the_librarys_words) {
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  case_fails(&served, case_text(""), "TEXT[0]: is empty");
  case_fails(&served, case_text("a date that is far too long for what this model reads"),
             "too long (found 53 characters");
  case_fails(&served, case_text("\xff\xfe"), "UTF-8");
  char *megabyte = malloc((1 << 20) + 1);
  memset(megabyte, 'a', 1 << 20);
  megabyte[1 << 20] = '\0';
  case_fails(&served, case_text(megabyte), "too long (found 1048576 characters");
  free(megabyte);
  TRITONBACKEND_Request *request = stand_in_request();
  stand_in_input(request, "TEXT", TRITONSERVER_TYPE_BYTES, "\3\0\0\0a\0b", 7, 2, (int64_t[]){1, 1});
  stand_in_output(request, "TEXT");
  case_fails(&served, request, "zero byte");
  for (int64_t rows = 1; rows <= 3; rows += 2) { /* there are two */
    request = stand_in_request();
    stand_in_input(request, "TEXT", TRITONSERVER_TYPE_BYTES, "\1\0\0\0001\1\0\0\0002", 10, 2,
                   (int64_t[]){rows, 1});
    stand_in_output(request, "TEXT");
    case_fails(&served, request, rows == 1 ? "more elements" : "fewer elements");
  }
  request = stand_in_request();
  stand_in_input(request, "TEXT", TRITONSERVER_TYPE_BYTES, "\377\377\377\377a", 5, 2, (int64_t[]){1, 1});
  stand_in_output(request, "TEXT");
  case_fails(&served, request, "longer than what there is");
  request = case_text("a date that is far too long for what this model reads");
  stand_in_boolean(request, "truncate", true);
  case_answered(&served, request);
  stand_in_free(request);
  case_close(&served);
}

static const char *const tokens_only[] = {"TOKENS", NULL};

Test(serving_requests, arrays_that_are_not_right_are_refused) {
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  int32_t ids[30] = {1, 2, 3};
  int64_t one[2] = {1, 1};
  case_fails(&served, case_ids((int32_t[]){1, 37}, 1, 2, tokens_only), "id [0,1] is out of range (found 37");
  case_fails(&served, case_ids((int32_t[]){-1, 3}, 1, 2, tokens_only), "found -1");
  case_fails(&served, case_ids(ids, 1, 0, tokens_only), "INPUT: axis 1 is out of range (found 0");
  TRITONBACKEND_Request *request = case_ids(ids, 1, 3, tokens_only);
  stand_in_input(request, "LENGTHS", TRITONSERVER_TYPE_INT32, (int32_t[]){4}, 4, 2, one);
  case_fails(&served, request, "found 4");
  request = case_ids(ids, 1, 3, tokens_only);
  stand_in_input(request, "LENGTHS", TRITONSERVER_TYPE_INT64, (int64_t[]){4}, 8, 2, one);
  case_fails(&served, request, "LENGTHS: is of another type");
  request = case_ids(ids, 2, 3, tokens_only);
  stand_in_input(request, "LENGTHS", TRITONSERVER_TYPE_INT32, (int32_t[]){3}, 4, 2, one);
  case_fails(&served, request, "LENGTHS: has another number of rows (found 1, needed 2)");
  request = case_text("3 May 1979");
  stand_in_input(request, "INPUT", TRITONSERVER_TYPE_INT32, ids, 12, 2, (int64_t[]){1, 3});
  case_fails(&served, request, "one of TEXT and INPUT is needed (found both)");
  request = stand_in_request();
  stand_in_output(request, "TOKENS");
  case_fails(&served, request, "found none");
  request = stand_in_request();
  stand_in_input(request, "INPUT", TRITONSERVER_TYPE_INT32, ids, 12, 3, (int64_t[]){1, 3, 1});
  case_fails(&served, request, "INPUT: has a wrong number of axes (found 3, needed 2)");
  request = stand_in_request();
  stand_in_input(request, "INPUT", TRITONSERVER_TYPE_INT32, ids, 11, 2, (int64_t[]){1, 3});
  case_fails(&served, request, "INPUT: its bytes are not what its shape says");
  case_fails(&served, case_ids(ids, 1, 3, (const char *[]){"LOGITS", NULL}),
             "output LOGITS: the model has no such");
  request = case_ids(ids, 1, 3, tokens_only);
  stand_in_input(request, "TARGETS", TRITONSERVER_TYPE_INT32, (int32_t[]){11, 0}, 8, 2, (int64_t[]){1, 2});
  case_fails(&served, request, "found 11");
  case_close(&served);
}

/* The tokens of one step that follow each token of a start. */
Test(serving_requests, a_start_is_the_token_before_the_first_step) {
  case_copy(FEEDBACK);
  struct served_case served = case_open(NULL);
  int32_t ids[T] = {1, 2, 3}, tokens[2 * 4];
  cuseq_session *session = session_open(served.own, 1);
  cuseq_input input = {.size = sizeof input, .data = ids, .dtype = CUSEQ_DTYPE_I32, .batch = 1, .time = 3};
  for (int32_t start = 0; start < 2; start++) {
    cuseq_decoding decoding = {
        .size = sizeof decoding, .steps = 4, .previous = &start, .tokens = tokens + 4 * start};
    cr_assert_eq(cuseq_run(session, &input, NULL, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  }
  cuseq_session_close(session);
  TRITONBACKEND_Request *requests[2];
  for (int32_t start = 0; start < 2; start++) {
    requests[start] = case_ids(ids, 1, 3, tokens_only);
    stand_in_input(requests[start], "START", TRITONSERVER_TYPE_INT32, &start, 4, 2, (int64_t[]){1, 1});
    stand_in_integer(requests[start], "steps", 4);
  }
  stand_in_execute(served.instance, requests, 2);
  for (int32_t start = 0; start < 2; start++) {
    case_same(requests[start], "TOKENS", tokens + 4 * start, 4 * sizeof *tokens);
    stand_in_free(requests[start]);
  }
  TRITONBACKEND_Request *request = case_ids(ids, 1, 3, tokens_only);
  stand_in_input(request, "START", TRITONSERVER_TYPE_INT32, (int32_t[]){99}, 4, 2, (int64_t[]){1, 1});
  case_fails(&served, request, "found 99");
  case_close(&served);
}

Test(serving_requests, a_request_that_was_cancelled_is_dropped_before_work) {
  uint64_t rows[64];
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  TRITONBACKEND_Request *request = case_text("3 May 1979");
  stand_in_cancel(request);
  stand_in_execute(served.instance, &request, 1);
  cr_expect_eq(stand_in_answer(request)->code, TRITONSERVER_ERROR_CANCELLED);
  cr_expect_eq(stand_in_calls(served.instance, rows), 0);
  stand_in_free(request);
  case_close(&served);
}

Test(serving_requests, an_input_in_pieces_is_one_and_what_lies_on_a_device_is_refused_by_a_cpu) {
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  int32_t ids[4] = {3, 4, 5, 6};
  TRITONBACKEND_Request *whole = case_ids(ids, 1, 4, tokens_only), *cut = case_ids(ids, 1, 4, tokens_only);
  stand_in_pieces(cut, "INPUT", 3);
  case_answered(&served, whole);
  case_answered(&served, cut);
  case_same(cut, "TOKENS", stand_in_tensor(whole, "TOKENS")->data, stand_in_tensor(whole, "TOKENS")->size);
  stand_in_free(whole);
  stand_in_free(cut);
  TRITONBACKEND_Request *request = case_ids(ids, 1, 4, tokens_only);
  stand_in_on_device(request, "INPUT");
  case_fails(&served, request, "INPUT: lies on a device (needed host memory, or an instance of KIND_GPU)");
  request = case_ids(ids, 1, 4, tokens_only);
  stand_in_on_device(request, "TOKENS");
  case_fails(&served, request, "TOKENS: its buffer lies on a device");
  case_close(&served);
}
