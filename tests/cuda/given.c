/* The numbers that every step of a decoder is given, in host memory and on the device: the same bits, and the
 * same lines about what is wrong in them. */
#include "cuda/call_memory.h"
#include "support/compare.h"
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { B = 3, T = 5, Y = 4, F = 3, G = 3, V = 4 };

static const char json[] =
    "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"lstm\","
    "\"units\":6}}]},\"attention\":{\"score\":\"general\",\"asks\":\"current\"},"
    "\"decoder\":{\"reads\":[\"given\",\"token\"],\"given\":3,\"feedback\":\"output\",\"start_token\":0,"
    "\"steps\":4,\"layers\":[{\"cell\":{\"kind\":\"lstm\",\"units\":6}}]},"
    "\"output\":{\"parts\":[\"state\",\"context\",\"given\"],\"layers\":[{\"units\":4,\"activation\":"
    "\"softmax\"}]}}";

/* A model, a session of it, and what a call is given. */
struct call {
  cuseq_model *model;
  cuseq_session *session;
  float x[B * T * F], given[B * Y * G], outputs[B * Y * V];
  cuseq_input input;
  cuseq_decoding decoding;
};

static void call_open(struct call *call) {
  struct random random = {91};
  cuseq_session_options options;
  *call = (struct call){.model = random_model(json, NULL, &random)};
  cuseq_session_options_init(&options, sizeof options, call->model);
  options.device = "cuda";
  options.max_batch = B;
  options.max_time = T;
  cr_assert_eq(cuseq_session_open(call->model, &options, &call->session), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  for (int i = 0; i < B * T * F; i++)
    call->x[i] = random_between(&random, -1, 1);
  for (int i = 0; i < B * Y * G; i++)
    call->given[i] = random_between(&random, -1, 1);
  call->input = (cuseq_input){
      .size = sizeof(cuseq_input), .data = call->x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  call->decoding =
      (cuseq_decoding){.size = sizeof(cuseq_decoding), .given = call->given, .outputs = call->outputs};
}

static void call_close(struct call *call) {
  cuseq_session_close(call->session);
  cuseq_model_destroy(call->model);
}

static cuseq_status run(struct call *call) {
  return cuseq_run(call->session, &call->input, NULL, &call->decoding);
}

Test(given, on_the_device_gives_the_bits_of_host_arrays) {
  struct call call;
  float want[B * Y * V];
  call_open(&call);
  for (int i = 0; i < 2; i++) { /* a graph's second launch reads them anew */
    call.given[5] += (float)i;
    call.decoding.given = call.given;
    cr_assert_eq(run(&call), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    memcpy(want, call.outputs, sizeof want);
    float *d_given = memory_copy(MEMORY_DEVICE, call.given, sizeof call.given);
    call.decoding.given = d_given;
    memset(call.outputs, 0, sizeof call.outputs);
    cr_assert_eq(run(&call), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    cr_expect(compare_bytes(call.outputs, want, sizeof want), "%s", compare_report());
    memory_free(d_given);
  }
  call_close(&call);
}

Test(given, that_is_not_finite_is_told_as_for_host_arrays_as_far_as_it_counts) {
  static const int32_t targets[B * Y], lengths[B] = {4, 2, 4};
  static const char line[] = "given: [1,2,1] is not finite (found inf, needed finite numbers)";
  struct call call;
  call_open(&call);
  call.given[(1 * Y + 2) * G + 1] = INFINITY;
  cr_expect_eq(run(&call), CUSEQ_STATUS_NON_FINITE);
  cr_expect_str_eq(cuseq_last_error(), line);
  float *d_given = memory_copy(MEMORY_DEVICE, call.given, sizeof call.given);
  int32_t *d_lengths = memory_copy(MEMORY_DEVICE, lengths, sizeof lengths);
  call.decoding.given = d_given;
  cr_expect_eq(run(&call), CUSEQ_STATUS_NON_FINITE);
  cr_expect_str_eq(cuseq_last_error(), line);
  call.decoding.targets = targets;
  cr_expect_eq(run(&call), CUSEQ_STATUS_NON_FINITE);
  for (int i = 0; i < 2; i++) {
    call.decoding.target_lengths = i == 0 ? lengths : d_lengths;
    cr_expect_eq(run(&call), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int k = 0; k < B * Y * V; k++)
      cr_expect(isfinite(call.outputs[k]), "%d", k);
  }
  memory_free(d_given);
  memory_free(d_lengths);
  call_close(&call);
}

Test(given, keeps_a_decoder_from_being_one_launch_and_says_so) {
  struct call call;
  char text[4096];
  call_open(&call);
  cuseq_session_plan(call.session, text, sizeof text);
  cr_expect(strstr(text, "each step of its decoder is given numbers") != NULL, "%s", text);
  call_close(&call);
}
