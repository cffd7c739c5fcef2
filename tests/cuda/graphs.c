/* Encoders and decoders that run step by step, as graphs: against the float64 reference and against the
 * single kernels, over shapes that choose them and shapes that do not. */
#include "support/compare.h"
#include "support/random_case.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
  int32_t B, T, Y, F, H, S, V;
  const char *encoder, *attention, *decoder; /* what comes after the sizes, with a comma before it */
  struct random_widths widths;
  bool ids, ragged;
};

static const char small_network[] = "\"score\":\"concat\",\"layers\":[{\"units\":10,\"activation\":\"tanh\"},"
                                    "{\"units\":1,\"activation\":\"relu\"}]";

static void case_make(struct random_case *made, const struct shape *shape, uint64_t seed) {
  struct random random = {seed};
  *made = (struct random_case){.B = shape->B, .T = shape->T, .Y = shape->Y, .widths = shape->widths};
  snprintf(made->json, sizeof made->json,
           "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d%s},\"attention\":{%s},\"decoder\":{"
           "\"units\":%d,"
           "\"steps\":%d%s},\"output\":{\"units\":%d}}",
           (int)shape->F, (int)shape->H, shape->encoder ? shape->encoder : "",
           shape->attention ? shape->attention : small_network, (int)shape->S, (int)shape->Y,
           shape->decoder ? shape->decoder : ",\"initial_state\":\"dense\"", (int)shape->V);
  made->model = random_model(made->json, &made->widths, &random);
  size_t positions = (size_t)made->B * (size_t)made->T, count = positions * (size_t)shape->F;
  if (shape->ids)
    made->ids = malloc(positions * sizeof *made->ids);
  else
    made->x = malloc(count * sizeof *made->x);
  for (size_t i = 0; shape->ids && i < positions; i++)
    made->ids[i] = random_below(&random, shape->F);
  for (size_t i = 0; !shape->ids && i < count; i++)
    made->x[i] = random_between(&random, -1.0f, 1.0f);
  if (!shape->ragged)
    return;
  made->lengths = malloc((size_t)made->B * sizeof *made->lengths);
  for (int32_t b = 0; b < made->B; b++)
    made->lengths[b] = b == 0 ? made->T : 1 + random_below(&random, made->T);
}

static void run_with(struct results *results, const struct random_case *made, const char *device,
                     const char *plan) {
  cuseq_input input = random_case_input(made);
  results_make(results, made->model, made->B, made->T, made->Y);
  if (plan)
    setenv("CUSEQ_CUDA_PLAN", plan, 1);
  else
    unsetenv("CUSEQ_CUDA_PLAN");
  results_run(results, made->model, device, 0, &input);
  unsetenv("CUSEQ_CUDA_PLAN");
}

/* Every way of running the model agrees with the reference, and with the first one. */
static void check_shape(const struct shape *shape, const char *const *plans, int count) {
  struct random_case made;
  struct results want, first, got;
  const char *name;
  case_make(&made, shape, 7 + (uint64_t)shape->H);
  run_with(&want, &made, "reference", NULL);
  for (int i = 0; i < count; i++) {
    const char *plan = plans[i] ? plans[i] : "chosen";
    run_with(&got, &made, "cuda", plans[i]);
    cr_expect(results_guards_whole(&got, &name), "%s writes outside %s: %s", plan, name, made.json);
    cr_expect(results_close(&got, &want, 1.0), "%s: %s: %s", plan, results_report(), made.json);
    if (i == 0) {
      first = got;
      continue;
    }
    cr_expect(results_close(&got, &first, 2.0), "%s: %s: %s", plan, results_report(), made.json);
    results_free(&got);
  }
  results_free(&first);
  results_free(&want);
  random_case_free(&made);
}

static const char *const encoders[] = {"encoder=grid", "encoder=cell"};
static const char *const decoders[] = {"decoder=loop", "decoder=steps"};

Test(graphs, wide_encoders_agree_whichever_way_they_run) {
  const struct shape shapes[] = {
      {.B = 3, .T = 4, .Y = 2, .F = 9, .H = 300, .S = 20, .V = 7, .ragged = true},
      {.B = 2,
       .T = 3,
       .Y = 1,
       .F = 6,
       .H = 300,
       .S = 9,
       .V = 5,
       .ids = true,
       .encoder = ",\"merge\":\"sum\""},
      {.B = 2, .T = 3, .Y = 1, .F = 4, .H = 1030, .S = 5, .V = 3, .ragged = true},
      {.B = 1, .T = 2, .Y = 1, .F = 3, .H = 1030, .S = 5, .V = 3, .encoder = ",\"direction\":\"forward\""},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    check_shape(&shapes[i], encoders, 2);
}

Test(graphs, a_wide_encoder_is_a_graph_by_choice) {
  static const char *const chosen[] = {NULL, "encoder=cell"};
  const struct shape shape = {.B = 2, .T = 3, .Y = 2, .F = 5, .H = 1025, .S = 6, .V = 4, .ragged = true};
  check_shape(&shape, chosen, 2);
}

Test(graphs, large_decoders_agree_whichever_way_they_run) {
  static const char fed[] =
      ",\"initial_state\":\"dense\",\"feedback\":\"output\",\"start_token\":1,\"end_token\":2";
  static const char ends[] = ",\"initial_state\":\"zeros\",\"end_token\":0";
  const struct shape shapes[] = {
      {.B = 3, .T = 5, .Y = 3, .F = 4, .H = 20, .S = 129, .V = 11, .ragged = true},
      {.B = 5, .T = 4, .Y = 6, .F = 4, .H = 130, .S = 200, .V = 3, .decoder = fed, .ragged = true},
      {.B = 5,
       .T = 4,
       .Y = 6,
       .F = 4,
       .H = 10,
       .S = 33,
       .V = 3,
       .decoder = fed,
       .widths = {.embedding_units = 13}},
      {.B = 6, .T = 3, .Y = 5, .F = 3, .H = 8, .S = 150, .V = 2, .decoder = ends, .ragged = true},
      {.B = 4, .T = 3, .Y = 5, .F = 3, .H = 150, .S = 9, .V = 2, .decoder = ends, .ragged = true},
      {.B = 2,
       .T = 6,
       .Y = 2,
       .F = 4,
       .H = 64,
       .S = 128,
       .V = 300,
       .attention = "\"score\":\"dot\"",
       .decoder = ",\"initial_state\":\"encoder\""},
      {.B = 2,
       .T = 6,
       .Y = 2,
       .F = 4,
       .H = 70,
       .S = 140,
       .V = 40,
       .attention = "\"score\":\"general\"",
       .decoder = ",\"initial_state\":\"encoder\"",
       .ragged = true},
      {.B = 2,
       .T = 70,
       .Y = 3,
       .F = 4,
       .H = 12,
       .S = 31,
       .V = 9,
       .attention = "\"score\":\"additive\"",
       .widths = {.additive_units = 50, .additive_bias = true},
       .ragged = true},
      {.B = 3,
       .T = 9,
       .Y = 3,
       .F = 4,
       .H = 12,
       .S = 150,
       .V = 9,
       .attention = "\"score\":\"additive\"",
       .decoder = ends,
       .widths = {.additive_units = 131},
       .ragged = true},
      {.B = 2,
       .T = 5,
       .Y = 2,
       .F = 4,
       .H = 12,
       .S = 200,
       .V = 9,
       .attention = "\"score\":\"concat\",\"layers\":[{\"units\":90,\"activation\":\"tanh\"},"
                    "{\"units\":7,\"activation\":\"relu\"},{\"units\":1,\"activation\":\"linear\"}]",
       .ragged = true},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    check_shape(&shapes[i], decoders, 2);
}

/* More positions than a decoder's kernel is chosen for; and one position on either side of that. */
Test(graphs, many_positions_agree_whichever_way_they_run) {
  static const char *const ways[] = {NULL, "decoder=loop", "decoder=steps,encoder=cell"};
  static const int32_t times[] = {512, 513, 640, 1024};
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    const struct shape shape = {
        .B = 2, .T = times[i], .Y = 2, .F = 3, .H = 9, .S = 12, .V = 5, .ragged = true};
    check_shape(&shape, ways, times[i] == 640 ? 3 : 2);
  }
}

/* More shapes than graphs are kept, there and back: each has the bits that it has in a session of its own. */
Test(graphs, a_session_that_meets_many_shapes_gives_each_the_same_bits) {
  enum { SHAPES = 20 };
  static const char plan[] = "encoder=cell,decoder=steps";
  const struct shape shape = {.B = 2, .T = SHAPES, .Y = 2, .F = 3, .H = 5, .S = 6, .V = 4};
  struct random_case made;
  case_make(&made, &shape, 99);
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, made.model);
  options.device = "cuda";
  options.max_batch = shape.B;
  options.max_time = shape.T;
  options.cuda_plan = plan;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(made.model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int call = 0; call < 2 * SHAPES; call++) {
    struct random_case part = made;
    struct results want, got;
    part.T = call < SHAPES ? call + 1 : 2 * SHAPES - call;
    run_with(&want, &part, "cuda", plan);
    cuseq_input input = random_case_input(&part);
    results_make(&got, part.model, part.B, part.T, part.Y);
    cr_assert_eq(cuseq_run(session, &input, &got.encoding, &got.decoding), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
    for (int32_t b = 0; b < part.B; b++)
      cr_expect(results_same_row(&got, b, &want, b), "T %d: %s", (int)part.T, results_report());
    results_free(&got);
    results_free(&want);
  }
  cuseq_session_close(session);
  random_case_free(&made);
}

/* What a caller leaves out, gives - states, tokens - or asks for again does not depend on which graph was
 * made before. */
Test(graphs, steps_of_ones_own_continue_a_decoding) {
  enum { B = 3, Y = 4, S = 7, V = 5, A = 12 };
  const struct shape shape = {.B = B,
                              .T = 6,
                              .Y = Y,
                              .F = 4,
                              .H = A / 2,
                              .S = S,
                              .V = V,
                              .attention = "\"score\":\"additive\"",
                              .decoder =
                                  ",\"initial_state\":\"zeros\",\"feedback\":\"output\",\"start_token\":0",
                              .widths = {.additive_units = 4},
                              .ragged = true};
  struct random_case made;
  case_make(&made, &shape, 5);
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, made.model);
  options.device = "cuda";
  options.max_batch = B;
  options.max_time = shape.T;
  options.cuda_plan = "decoder=steps";
  cuseq_session *session;
  cuseq_input input = random_case_input(&made);
  cr_assert_eq(cuseq_session_open(made.model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  float states[B * Y * S], h[B * S], c[B * S], context[B * A], alone[B * Y * A];
  int32_t tokens[B * Y], token[B];
  cuseq_decoding whole = {
      .size = sizeof(cuseq_decoding), .states = states, .tokens = tokens, .contexts = alone};
  cr_assert_eq(cuseq_run(session, &input, NULL, &whole), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int y = 0; y < Y; y++) {
    cuseq_decoding step = {.size = sizeof(cuseq_decoding),
                           .steps = 1,
                           .tokens = token,
                           .final_h = h,
                           .final_c = c,
                           .contexts = context};
    if (y > 0) {
      step.initial_h = h;
      step.initial_c = c;
      step.previous = token;
    }
    cr_assert_eq(cuseq_decode(session, &step), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
    for (int b = 0; b < B; b++) {
      cr_expect_eq(token[b], tokens[b * Y + y], "step %d row %d", y, b);
      assert_same_bytes(&h[b * S], &states[(b * Y + y) * S], S * sizeof *h);
      assert_same_bytes(&context[b * A], &alone[(b * Y + y) * A], A * sizeof *context);
    }
  }
  cuseq_session_close(session);
  random_case_free(&made);
}

#define cuda_done(call) cr_assert_eq(call, cudaSuccess)

/* Device arrays, calls that do not wait, and a stream that cannot be captured: the bits of the same calls
 * with host arrays. */
Test(graphs, results_are_delivered_to_the_device_in_stream_order) {
  enum { B = 3, T = 6, Y = 4, S = 7, V = 5, A = 10, CALLS = 3 };
  const struct shape shape = {.B = B, .T = T, .Y = Y, .F = 4, .H = A / 2, .S = S, .V = V, .ragged = true};
  struct random_case made;
  case_make(&made, &shape, 21);
  struct results want;
  run_with(&want, &made, "cuda", "encoder=cell,decoder=steps");
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, made.model);
  options.device = "cuda";
  options.max_batch = B;
  options.max_time = T;
  options.cuda_plan = "encoder=cell,decoder=steps";
  options.stream = cudaStreamLegacy;
  options.asynchronous = 1;
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(made.model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  float *outputs[CALLS], *alphas[CALLS], *final_h[CALLS];
  cuseq_input input = random_case_input(&made);
  for (int i = 0; i < CALLS; i++) {
    cuda_done(cudaMalloc((void **)&outputs[i], sizeof(float) * B * Y * V));
    cuda_done(cudaMalloc((void **)&alphas[i], sizeof(float) * B * Y * T));
    cuda_done(cudaMalloc((void **)&final_h[i], sizeof(float) * B * S));
    const cuseq_decoding decoding = {
        .size = sizeof(cuseq_decoding), .outputs = outputs[i], .alphas = alphas[i], .final_h = final_h[i]};
    cr_assert_eq(cuseq_run(session, &input, NULL, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  }
  cr_assert_eq(cuseq_session_synchronize(session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (int i = 0; i < CALLS; i++) {
    float got[B * Y * V + B * Y * T + B * S];
    cuda_done(cudaMemcpy(got, outputs[i], sizeof(float) * B * Y * V, cudaMemcpyDeviceToHost));
    assert_same_bytes(got, want.decoding.outputs, sizeof(float) * B * Y * V);
    cuda_done(cudaMemcpy(got, alphas[i], sizeof(float) * B * Y * T, cudaMemcpyDeviceToHost));
    assert_same_bytes(got, want.decoding.alphas, sizeof(float) * B * Y * T);
    cuda_done(cudaMemcpy(got, final_h[i], sizeof(float) * B * S, cudaMemcpyDeviceToHost));
    assert_same_bytes(got, want.decoding.final_h, sizeof(float) * B * S);
    cudaFree(outputs[i]);
    cudaFree(alphas[i]);
    cudaFree(final_h[i]);
  }
  cuseq_session_close(session);
  results_free(&want);
  random_case_free(&made);
}
