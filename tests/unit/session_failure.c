/* A device that fails, on a machine without memory to spare: the session must refuse all work after it. The
 * device is one of this file's own, which session.c finds by the device_find here. */
#include "device.h"
#include "error.h"
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int calls;          /* what the device was asked to do */
static bool memory_is_out; /* strdup and malloc fail; the linker sends ours here */

char *__real_strdup(const char *text);
void *__real_malloc(size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_malloc(size_t size);

char *__wrap_strdup(const char *text) {
  return memory_is_out ? NULL : __real_strdup(text);
}

void *__wrap_malloc(size_t size) {
  return memory_is_out ? NULL : __real_malloc(size);
}

static cuseq_status failing_open(const cuseq_model *model, const struct backend_limits *limits,
                                 const char *device, void **state) {
  (void)model, (void)limits, (void)device;
  *state = &calls;
  return CUSEQ_STATUS_OK;
}

static void failing_close(void *state) {
  (void)state;
}

static int32_t failing_threads(const void *state) {
  (void)state;
  return 1;
}

static cuseq_status failing_encode(void *state, const struct backend_input *input,
                                   const cuseq_encoding *encoding) {
  (void)state, (void)input, (void)encoding;
  return error_set(CUSEQ_STATUS_DEVICE_FAILED, "failing:0: fault %d", ++calls);
}

static cuseq_status failing_decode(void *state, const cuseq_decoding *decoding) {
  (void)state, (void)decoding;
  return error_set(CUSEQ_STATUS_DEVICE_FAILED, "failing:0: fault %d", ++calls);
}

static const struct backend failing = {.open = failing_open,
                                       .close = failing_close,
                                       .threads = failing_threads,
                                       .encode = failing_encode,
                                       .decode = failing_decode};

cuseq_status device_find(const char *wanted, const struct backend **backend, char name[32]) {
  (void)wanted;
  *backend = &failing;
  snprintf(name, 32, "failing:0");
  return CUSEQ_STATUS_OK;
}

Test(session_failure, a_failed_device_is_left_alone_though_there_is_no_memory) {
  static const char json[] = "{\"version\":1,\"encoder\":{\"features\":2,\"units\":1},"
                             "\"attention\":{\"score\":\"dot\"}}";
  struct random random = {3};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random);
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, NULL, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  const float x[2] = {0};
  cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 1};
  memory_is_out = true;
  cuseq_status first = cuseq_encode(session, &input, NULL);
  cuseq_status second = cuseq_run(session, &input, NULL, &(cuseq_decoding)CUSEQ_DECODING_INIT);
  memory_is_out = false;
  cr_expect_eq(first, CUSEQ_STATUS_DEVICE_FAILED);
  cr_expect_eq(second, CUSEQ_STATUS_DEVICE_FAILED);
  cr_expect_eq(calls, 1, "the device was called %d times", calls);
  cr_expect_str_eq(cuseq_last_error(), "cuseq_run: the device failed earlier: failing:0: fault 1");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}
