/* What a profiler sees of the CUDA backend: names, nesting and payloads of its NVTX ranges, as
 * nvtx_listener.c writes them down. */
#include "cuseq/cuseq.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { B = 2, T = 5, MAX_B = 3, MAX_T = 8, RECORDED = 1 << 14 };

/* NVTX looks for a tool once, when the first range begins. */
static void listen(void) {
  folder_make();
  setenv("NVTX_INJECTION64_PATH", getenv("CUSEQ_TEST_LISTENER"), 1);
  setenv("NVTX_LISTENER_FILE", folder_path("ranges"), 1);
}

/* Shows the first line that differs. */
static void expect_recorded(const char *want) {
  static char got[RECORDED];
  FILE *file = fopen(folder_path("ranges"), "rb");
  cr_assert_not_null(file, "no tool listened");
  got[fread(got, 1, sizeof got - 1, file)] = '\0';
  fclose(file);
  size_t line = 0, i = 0;
  for (; want[i] && got[i] == want[i]; i++)
    line = want[i] == '\n' ? i + 1 : line;
  cr_assert(got[i] == want[i], "recorded:\n%s\nwanted from here on:\n%s", got, want + line);
}

static cuseq_session *open_on_cuda(const cuseq_model *model) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.max_batch = MAX_B;
  options.max_time = MAX_T;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return session;
}

#define done(call) cr_assert_eq(call, CUSEQ_STATUS_OK, "%s", cuseq_last_error())

Test(nvtx, every_call_and_stage_of_a_stacked_model_is_a_range, .init = listen, .fini = folder_remove) {
  static const float x[B * T * 7];
  setenv("CUSEQ_CUDA_PLAN", "stages", 1); /* it would be one launch otherwise */
  cuseq_model *model;
  done(cuseq_model_load("tests/golden/models/keras_stacked_sum.safetensors", &model));
  cuseq_session *session = open_on_cuda(model);
  int32_t tokens[B * 4];
  float context[B * 6];
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .tokens = tokens};
  done(cuseq_encode(session, &input, NULL));
  done(cuseq_attend(session, NULL, context, NULL));
  done(cuseq_decode(session, &decoding));
  done(cuseq_run(session, &input, NULL, &decoding));
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  expect_recorded("cuseq: open B=3 T=8 H=6\n"
                  "cuseq:   upload B=3 T=8 H=6\n"
                  ".\n"
                  "cuseq: encode B=2 T=5 H=6\n"
                  "cuseq:   input B=2 T=5 H=6\n"
                  "cuseq:   layer 0 B=2 T=5 H=6\n"
                  "cuseq:     sequence B=2 T=5 H=6\n"
                  "cuseq:     merge B=2 T=5 H=6\n"
                  "cuseq:   layer 1 B=2 T=5 H=6\n"
                  "cuseq:     sequence B=2 T=5 H=6\n"
                  "cuseq:     merge B=2 T=5 H=6\n"
                  "cuseq:   keys B=2 T=5 H=6\n"
                  "cuseq:   copy out B=2 T=5 H=6\n"
                  ".\n"
                  "cuseq: attend B=2 T=5 H=6\n"
                  "cuseq:   input B=2 T=5 H=6\n"
                  "cuseq:   attention step B=2 T=5 H=6\n"
                  "cuseq:   copy out B=2 T=5 H=6\n"
                  "cuseq:   wait B=2 T=5 H=6\n"
                  ".\n"
                  "cuseq: decode B=2 T=5 H=6\n"
                  "cuseq:   input B=2 T=5 H=6\n"
                  "cuseq:   decode loop B=2 T=5 H=6\n"
                  "cuseq:   copy out B=2 T=5 H=6\n"
                  "cuseq:   wait B=2 T=5 H=6\n"
                  ".\n"
                  "cuseq: run B=2 T=5 H=6\n"
                  "cuseq:   input B=2 T=5 H=6\n"
                  "cuseq:   layer 0 B=2 T=5 H=6\n"
                  "cuseq:     sequence B=2 T=5 H=6\n"
                  "cuseq:     merge B=2 T=5 H=6\n"
                  "cuseq:   layer 1 B=2 T=5 H=6\n"
                  "cuseq:     sequence B=2 T=5 H=6\n"
                  "cuseq:     merge B=2 T=5 H=6\n"
                  "cuseq:   keys B=2 T=5 H=6\n"
                  "cuseq:   copy out B=2 T=5 H=6\n"
                  "cuseq:   input B=2 T=5 H=6\n"
                  "cuseq:   decode loop B=2 T=5 H=6\n"
                  "cuseq:   copy out B=2 T=5 H=6\n"
                  "cuseq:   wait B=2 T=5 H=6\n"
                  ".\n");
}

/* Wide enough for the product ahead of the sequence; score dot has no keys. */
Test(nvtx, a_product_ahead_of_the_sequence_is_a_range, .init = listen, .fini = folder_remove) {
  enum { F = 5, H = 65 };
  static const float kernel[F * 4 * H], recurrent[H * 4 * H], bias[4 * H], x[B * T * F];
#define tensor(key, array, ...)                                                                              \
  { .name = "encoder.layers.0.forward." key, .data = (array), .dtype = CUSEQ_DTYPE_F32, __VA_ARGS__ }
  const cuseq_tensor tensors[] = {tensor("kernel", kernel, .rank = 2, .shape = {F, 4 * H}),
                                  tensor("recurrent_kernel", recurrent, .rank = 2, .shape = {H, 4 * H}),
                                  tensor("bias", bias, .rank = 1, .shape = {4 * H})};
  cuseq_model *model;
  done(
      cuseq_model_create("{\"version\":1,\"encoder\":{\"features\":5,\"units\":65,\"direction\":\"forward\"},"
                         "\"attention\":{\"score\":\"dot\"}}",
                         tensors, sizeof tensors / sizeof *tensors, &model));
  cuseq_session *session = open_on_cuda(model);
  float context[B * H];
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .contexts = context};
  done(cuseq_run(session, &input, NULL, &decoding));
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  expect_recorded("cuseq: open B=3 T=8 H=65\n"
                  "cuseq:   upload B=3 T=8 H=65\n"
                  ".\n"
                  "cuseq: run B=2 T=5 H=65\n"
                  "cuseq:   input B=2 T=5 H=65\n"
                  "cuseq:   layer 0 B=2 T=5 H=65\n"
                  "cuseq:     projection B=2 T=5 H=65\n"
                  "cuseq:     sequence B=2 T=5 H=65\n"
                  "cuseq:   copy out B=2 T=5 H=65\n"
                  "cuseq:   input B=2 T=5 H=65\n"
                  "cuseq:   attention step B=2 T=5 H=65\n"
                  "cuseq:   copy out B=2 T=5 H=65\n"
                  "cuseq:   wait B=2 T=5 H=65\n"
                  ".\n");
}

/* The dates model, opened, run and closed. */
static void run_dates(int calls) {
  static const float x[B * T * 37];
  cuseq_model *model;
  done(cuseq_model_load("models/dates.safetensors", &model));
  cuseq_session *session = open_on_cuda(model);
  int32_t tokens[B * 10];
  const cuseq_input input = {
      .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = B, .time = T};
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .tokens = tokens};
  for (int i = 0; i < calls; i++)
    done(cuseq_run(session, &input, NULL, &decoding));
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

Test(nvtx, a_small_model_is_one_range_between_its_copies, .init = listen, .fini = folder_remove) {
  run_dates(1);
  expect_recorded("cuseq: open B=3 T=8 H=32\n"
                  "cuseq:   upload B=3 T=8 H=32\n"
                  ".\n"
                  "cuseq: run B=2 T=5 H=32\n"
                  "cuseq:   input B=2 T=5 H=32\n"
                  "cuseq:   input B=2 T=5 H=32\n"
                  "cuseq:   whole model B=2 T=5 H=32\n"
                  "cuseq:   copy out B=2 T=5 H=32\n"
                  "cuseq:   copy out B=2 T=5 H=32\n"
                  "cuseq:   wait B=2 T=5 H=32\n"
                  ".\n");
}

static void listen_and_force_graphs(void) {
  listen();
  setenv("CUSEQ_CUDA_PLAN", "encoder=cell,decoder=steps", 1);
}

/* A graph is made once: the same call again only launches it. */
Test(nvtx, making_a_graph_is_a_range_of_the_first_call, .init = listen_and_force_graphs,
     .fini = folder_remove) {
  run_dates(2);
  expect_recorded("cuseq: open B=3 T=8 H=32\n"
                  "cuseq:   upload B=3 T=8 H=32\n"
                  ".\n"
                  "cuseq: run B=2 T=5 H=32\n"
                  "cuseq:   input B=2 T=5 H=32\n"
                  "cuseq:   layer 0 B=2 T=5 H=32\n"
                  "cuseq:     projection B=2 T=5 H=32\n"
                  "cuseq:     sequence B=2 T=5 H=32\n"
                  "cuseq:       capture B=2 T=5 H=32\n"
                  "cuseq:   keys B=2 T=5 H=32\n"
                  "cuseq:   copy out B=2 T=5 H=32\n"
                  "cuseq:   input B=2 T=5 H=32\n"
                  "cuseq:   decode loop B=2 T=5 H=32\n"
                  "cuseq:     capture B=2 T=5 H=32\n"
                  "cuseq:   copy out B=2 T=5 H=32\n"
                  "cuseq:   wait B=2 T=5 H=32\n"
                  ".\n"
                  "cuseq: run B=2 T=5 H=32\n"
                  "cuseq:   input B=2 T=5 H=32\n"
                  "cuseq:   layer 0 B=2 T=5 H=32\n"
                  "cuseq:     projection B=2 T=5 H=32\n"
                  "cuseq:     sequence B=2 T=5 H=32\n"
                  "cuseq:   keys B=2 T=5 H=32\n"
                  "cuseq:   copy out B=2 T=5 H=32\n"
                  "cuseq:   input B=2 T=5 H=32\n"
                  "cuseq:   decode loop B=2 T=5 H=32\n"
                  "cuseq:   copy out B=2 T=5 H=32\n"
                  "cuseq:   wait B=2 T=5 H=32\n"
                  ".\n");
}

/* Leaves the emulated device 1 MiB of memory. */
static void listen_and_have_little_memory(void) {
  listen();
  setenv("CUSEQ_EMULATOR_MEMORY", "1048576", 1);
}

/* A range ends however its call ends. */
Test(nvtx, a_session_that_does_not_fit_leaves_no_range_open, .init = listen_and_have_little_memory,
     .fini = folder_remove) {
  cuseq_model *model;
  done(cuseq_model_load("tests/golden/models/keras_stacked_sum.safetensors", &model));
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cuda";
  options.max_batch = 256;
  options.max_time = 256;
  cuseq_session *session;
  cuseq_status status = cuseq_session_open(model, &options, &session);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  if (status == CUSEQ_STATUS_OK)
    cr_skip_test("this device has room for it");
  cr_assert_eq(status, CUSEQ_STATUS_OUT_OF_MEMORY, "%s", cuseq_last_error());
  expect_recorded("cuseq: open B=256 T=256 H=6\n.\n");
}
