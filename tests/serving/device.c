/* Instances of KIND_GPU: on a GPU, or on the emulated device. Arrays there are used where they lie. */
#include "case.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATES "models/dates.safetensors"

/* ---- the device's memory ---- */

static int (*cuda_malloc)(void **, size_t), (*cuda_free)(void *),
    (*cuda_copy)(void *, const void *, size_t, int);

static void *device_allocate(size_t size) {
  void *memory = NULL;
  cr_assert_eq(cuda_malloc(&memory, size), 0);
  return memory;
}

static void device_release(void *memory) {
  cr_assert_eq(cuda_free(memory), 0);
}

static void device_copy(void *to, const void *from, size_t size) {
  cr_assert_eq(cuda_copy(to, from, size, 4 /* cudaMemcpyDefault */), 0);
}

/* The library that the backend links finds its module there. */
static bool device_there(void) {
  void *memory = NULL;
  return access(CUDA_MODULE, F_OK) == 0 && cuda_malloc(&memory, 1) == 0 && cuda_free(memory) == 0;
}

/* Whether there is a device; its memory is then the stand-in's. */
static bool device_begin(void) {
  void *runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_LOCAL);
  if (!runtime)
    return false;
  *(void **)&cuda_malloc = dlsym(runtime, "cudaMalloc");
  *(void **)&cuda_free = dlsym(runtime, "cudaFree");
  *(void **)&cuda_copy = dlsym(runtime, "cudaMemcpy");
  stand_in_device = (struct stand_in_device){device_allocate, device_release, device_copy};
  return device_there();
}

static void begin(void) {
  case_folder();
  if (!device_begin())
    cr_skip_test("there is no cuda device, and no emulated one");
}

TestSuite(serving_device, .init = begin, .fini = case_folder_remove);

static struct served_case open_on_gpu(const char *config) {
  struct served_case served = case_open(config);
  char error[512];
  stand_in_instance_close(served.instance);
  served.instance = stand_in_instance(served.model, TRITONSERVER_INSTANCEGROUPKIND_GPU, 0, error);
  cr_assert_not_null(served.instance, "%s", error);
  return served;
}

Test(serving_device, texts_of_several_requests_are_one_call_on_a_gpu) {
  uint64_t calls[64];
  case_copy(DATES);
  struct served_case served = open_on_gpu("{\"backend\":\"cuseq\",\"max_batch_size\":4}");
  TRITONBACKEND_Request *requests[2] = {case_text("3 May 1979"), case_text("sat 21 Jan, 2012")};
  stand_in_execute(served.instance, requests, 2);
  cr_expect_eq(stand_in_calls(served.instance, calls), 1);
  cr_expect_str_eq(stand_in_text(requests[0], "TEXT", 0), "1979-05-03");
  cr_expect_str_eq(stand_in_text(requests[1], "TEXT", 0), "2012-01-21");
  stand_in_free(requests[0]);
  stand_in_free(requests[1]);
  case_close(&served);
}

Test(serving_device, arrays_on_the_device_are_used_where_they_lie) {
  uint64_t calls[64];
  case_copy(DATES);
  struct served_case served = open_on_gpu("{\"backend\":\"cuseq\",\"max_batch_size\":4}");
  TRITONBACKEND_Request *requests[3];
  for (int i = 0; i < 3; i++) {
    int32_t ids[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    requests[i] = case_ids(ids, 2, 6, (const char *[]){"TOKENS", "OUTPUTS", NULL});
  }
  stand_in_on_device(requests[1], "INPUT");
  stand_in_on_device(requests[1], "OUTPUTS");
  stand_in_on_device(requests[2], "TOKENS");
  stand_in_execute(served.instance, requests, 3);
  cr_expect_eq(stand_in_calls(served.instance, calls), 3, "each is a call of its own");
  for (int i = 0; i < 3; i++) {
    cr_assert_str_eq(stand_in_answer(requests[i])->error, "");
    case_same(requests[i], "TOKENS", stand_in_tensor(requests[0], "TOKENS")->data, sizeof(int32_t[2][10]));
    case_same(requests[i], "OUTPUTS", stand_in_tensor(requests[0], "OUTPUTS")->data,
              sizeof(float[2][10][11]));
  }
  for (int i = 0; i < 3; i++)
    stand_in_free(requests[i]);
  case_close(&served);
}

Test(serving_device, ids_on_the_device_that_are_out_of_range_are_refused_and_the_next_request_is_answered) {
  case_copy(DATES);
  struct served_case served = open_on_gpu("{\"backend\":\"cuseq\",\"max_batch_size\":4}");
  int32_t ids[3] = {1, 37, 2};
  TRITONBACKEND_Request *request = case_ids(ids, 1, 3, (const char *[]){"TOKENS", NULL});
  stand_in_on_device(request, "INPUT");
  stand_in_on_device(request, "TOKENS");
  case_fails(&served, request, "37");
  request = case_text("3 May 1979");
  stand_in_output(request, "TOKENS");
  stand_in_on_device(request, "TOKENS");
  case_fails(&served, request, "TOKENS: a buffer on a device goes without TEXT and SCORES");
  request = case_text("3 May 1979");
  case_answered(&served, request);
  cr_expect_str_eq(stand_in_text(request, "TEXT", 0), "1979-05-03");
  stand_in_free(request);
  case_close(&served);
}

Test(serving_device, a_plan_is_the_sessions) {
  case_copy(DATES);
  struct served_case served = open_on_gpu(
      "{\"backend\":\"cuseq\",\"max_batch_size\":4,\"parameters\":{\"plan\":{\"string_value\":\"stages\"}}}");
  TRITONBACKEND_Request *request = case_text("3 May 1979");
  case_answered(&served, request);
  cr_expect_str_eq(stand_in_text(request, "TEXT", 0), "1979-05-03");
  stand_in_free(request);
  case_close(&served);
}
