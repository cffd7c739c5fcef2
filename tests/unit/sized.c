/* Structures that begin with their size: of callers compiled with an older header, with a newer one, and of
 * callers who never set it. */
#include "cuseq/cuseq.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define T 3

static const float numbers[16] = {0.1f, -0.2f, 0.3f, 0.4f, -0.5f, 0.6f, 0.7f, -0.8f};
static const float x[T * 2] = {1, 0, 0, 1, 1, 1};

static cuseq_model *model_make(void) {
  static const char config[] = "{\"version\":1,\"encoder\":{\"features\":2,\"units\":1},\"attention\":{"
                               "\"score\":\"concat\",\"layers\":"
                               "[{\"units\":1,\"activation\":\"tanh\"}]}}";
  const cuseq_tensor tensors[] = {
      {"encoder.layers.0.forward.kernel", CUSEQ_DTYPE_F32, 2, {2, 4}, numbers},
      {"encoder.layers.0.forward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, numbers},
      {"encoder.layers.0.forward.bias", CUSEQ_DTYPE_F32, 1, {4}, numbers},
      {"encoder.layers.0.backward.kernel", CUSEQ_DTYPE_F32, 2, {2, 4}, numbers},
      {"encoder.layers.0.backward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, numbers},
      {"encoder.layers.0.backward.bias", CUSEQ_DTYPE_F32, 1, {4}, numbers},
      {"attention.layers.0.kernel", CUSEQ_DTYPE_F32, 2, {4, 1}, numbers},
      {"attention.layers.0.bias", CUSEQ_DTYPE_F32, 1, {1}, numbers},
  };
  cuseq_model *model;
  cr_assert_eq(cuseq_model_create(config, tensors, sizeof tensors / sizeof *tensors, &model), CUSEQ_STATUS_OK,
               "%s", cuseq_last_error());
  return model;
}

static cuseq_session *session_make(const cuseq_model *model) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "reference";
  options.max_time = T;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

static void expect(cuseq_status got, cuseq_status want, const char *words) {
  cr_expect_eq(got, want, "%s, wanted %s: %s", cuseq_status_string(got), cuseq_status_string(want), words);
  if (want != CUSEQ_STATUS_OK)
    cr_expect(strstr(cuseq_last_error(), words) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(),
              words);
}

/* The structures of a call, each with room behind it for what a later version may have there. */
struct call {
  struct {
    cuseq_input now;
    void *later;
  } input;
  struct {
    cuseq_encoding now;
    void *later;
  } encoding;
  struct {
    cuseq_decoding now;
    void *later;
  } decoding;
  float annotations[T * 2], context[2], alphas[T];
};

static void call_make(struct call *call) {
  memset(call, 0, sizeof *call);
  call->input.now = (cuseq_input){.size = sizeof(cuseq_input), .data = x, .batch = 1, .time = T};
  call->encoding.now = (cuseq_encoding){.size = sizeof(cuseq_encoding), .annotations = call->annotations};
  call->decoding.now =
      (cuseq_decoding){.size = sizeof(cuseq_decoding), .contexts = call->context, .alphas = call->alphas};
}

static cuseq_status run(cuseq_session *session, const struct call *call) {
  return cuseq_run(session, &call->input.now, &call->encoding.now, &call->decoding.now);
}

/* Each structure of the call in turn: its size, and what lies behind it. */
static size_t *size_of(struct call *call, int which, void ***later, size_t *whole) {
  switch (which) {
  case 0:
    *later = &call->input.later;
    *whole = sizeof call->input;
    return &call->input.now.size;
  case 1:
    *later = &call->encoding.later;
    *whole = sizeof call->encoding;
    return &call->encoding.now.size;
  default:
    *later = &call->decoding.later;
    *whole = sizeof call->decoding;
    return &call->decoding.now.size;
  }
}

static const char *const names[] = {"cuseq_input", "cuseq_encoding", "cuseq_decoding"};
static const char *const inits[] = {"CUSEQ_INPUT_INIT", "CUSEQ_ENCODING_INIT", "CUSEQ_DECODING_INIT"};

Test(sized, a_size_that_nobody_set_is_refused_by_name) {
  cuseq_model *model = model_make();
  cuseq_session *session = session_make(model);
  struct call call;
  void **later;
  size_t whole;
  char words[120];
  for (int which = 0; which < 3; which++) {
    static const size_t wrong[] = {12, 8001, (size_t)1 << 40, (size_t)-8};
    call_make(&call);
    size_t *size = size_of(&call, which, &later, &whole);
    *size = 0;
    snprintf(words, sizeof words, "cuseq_run: the size of %s is 0 (needed sizeof(%s), which %s sets)",
             names[which], names[which], inits[which]);
    expect(run(session, &call), CUSEQ_STATUS_INVALID_ARGUMENT, words);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
      *size = wrong[i];
      snprintf(words, sizeof words, "the size of %s is wrong (found %zu, needed ", names[which], wrong[i]);
      expect(run(session, &call), CUSEQ_STATUS_INVALID_ARGUMENT, words);
    }
  }
  call_make(&call);
  expect(cuseq_encode(session, &call.input.now, NULL), CUSEQ_STATUS_OK, "");
  call.decoding.now.size = 0;
  expect(cuseq_decode(session, &call.decoding.now), CUSEQ_STATUS_INVALID_ARGUMENT,
         "cuseq_decode: the size of cuseq_decoding is 0");
  call.input.now.size = 0;
  expect(cuseq_encode(session, &call.input.now, NULL), CUSEQ_STATUS_INVALID_ARGUMENT,
         "cuseq_encode: the size of cuseq_input is 0");
  cuseq_session_options options = {.max_batch = 1, .max_time = 1};
  cuseq_session *other;
  expect(cuseq_session_open(model, &options, &other), CUSEQ_STATUS_INVALID_ARGUMENT,
         "the size of cuseq_session_options is 0 (needed sizeof(cuseq_session_options), which "
         "cuseq_session_options_init sets)");
  cr_expect(other == NULL);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(sized, a_larger_structure_is_taken_where_what_is_new_in_it_is_zero) {
  cuseq_model *model = model_make();
  cuseq_session *session = session_make(model);
  struct call call;
  void **later;
  size_t whole;
  for (int which = 0; which < 3; which++) {
    char words[120];
    call_make(&call);
    size_t *size = size_of(&call, which, &later, &whole);
    *size = whole;
    expect(run(session, &call), CUSEQ_STATUS_OK, names[which]);
    cr_expect(call.alphas[0] > 0 && call.annotations[0] != 0, "%s", names[which]);
    *later = &call;
    snprintf(words, sizeof words,
             "cuseq_run: %s has members that this version does not know (found %zu bytes, knows %zu)",
             names[which], whole, whole - sizeof(void *));
    expect(run(session, &call), CUSEQ_STATUS_NOT_SUPPORTED, words);
  }
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* What a caller does not have is not looked at, whatever lies there. */
Test(sized, of_a_smaller_structure_what_is_missing_has_its_default) {
  cuseq_model *model = model_make();
  cuseq_session *session = session_make(model);
  static const int32_t lengths[] = {-1};
  struct call call, whole;
  call_make(&whole);
  expect(run(session, &whole), CUSEQ_STATUS_OK, "");
  call_make(&call);
  call.input.now.size = offsetof(cuseq_input, lengths);
  call.input.now.lengths = lengths;
  call.encoding.now.size = offsetof(cuseq_encoding, h_fw);
  call.encoding.now.h_fw = (float *)1;
  call.decoding.now.size = offsetof(cuseq_decoding, states);
  call.decoding.now.states = call.decoding.now.outputs = (float *)1;
  expect(run(session, &call), CUSEQ_STATUS_OK, "");
  cr_expect(memcmp(call.annotations, whole.annotations, sizeof whole.annotations) == 0);
  cr_expect(memcmp(call.alphas, whole.alphas, sizeof whole.alphas) == 0);
  cuseq_session_close(session);

  cuseq_session_options options;
  memset(&options, 0x55, sizeof options);
  const size_t older = offsetof(cuseq_session_options, stream);
  cuseq_session_options_init(&options, older, model);
  cr_expect(options.size == older && options.max_batch == 1 && options.max_beams == 1);
  cr_expect_eq(((const unsigned char *)&options)[older], 0x55, "no more is written than there is");
  options.device = "reference";
  expect(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(sized, a_device_is_described_as_far_as_the_structure_goes) {
  struct {
    cuseq_device now;
    char later[16];
  } device = {.now = CUSEQ_DEVICE_INIT};
  expect(cuseq_device_get(0, &device.now), CUSEQ_STATUS_OK, "");
  cr_expect_str_eq(device.now.name, "reference");
  cr_expect(device.now.description[0] != 0 && device.now.size == sizeof(cuseq_device));
  memset(&device, 0x55, sizeof device);
  device.now.size = offsetof(cuseq_device, description);
  expect(cuseq_device_get(1, &device.now), CUSEQ_STATUS_OK, "");
  cr_expect_str_eq(device.now.name, "cpu");
  cr_expect_eq(device.now.description[0], 0x55, "no more is written than there is");
  memset(&device, 0, sizeof device);
  device.now.size = sizeof device;
  expect(cuseq_device_get(0, &device.now), CUSEQ_STATUS_OK, "");
  cr_expect(device.now.size == sizeof device && device.later[0] == 0);
  device.now.size = 0;
  expect(cuseq_device_get(0, &device.now), CUSEQ_STATUS_INVALID_ARGUMENT,
         "cuseq_device_get: the size of cuseq_device is 0 (needed sizeof(cuseq_device), which "
         "CUSEQ_DEVICE_INIT sets)");
}

/* The initializers set the size and nothing else. */
Test(sized, initializers_leave_all_else_zero) {
  const cuseq_decoding decoding = CUSEQ_DECODING_INIT, zero = {.size = sizeof zero};
  cr_expect(memcmp(&decoding, &zero, sizeof zero) == 0);
  const cuseq_input input = CUSEQ_INPUT_INIT;
  const cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  cr_expect(input.size == sizeof input && input.data == NULL && input.batch == 0);
  cr_expect(encoding.size == sizeof encoding && encoding.annotations == NULL && encoding.final_c == NULL);
}
