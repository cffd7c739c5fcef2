/* What the tests of captured calls share: models and ways to run them, a call's arrays on the device,
 * graphs. */
#ifndef TESTS_CUDA_CAPTURE_CASE_H
#define TESTS_CUDA_CAPTURE_CASE_H

#include "cuda/call_memory.h"
#include "support/random_case.h"

#include <cuda_runtime_api.h>

enum { B = 3, T = 8, F = 6, S = 14, Y = 3, V = 5 };

/* A model, and the plan that is forced. */
struct way {
  const char *name, *model, *plan;
  struct random_widths widths;
};
enum { WAYS = 6 };
extern const struct way ways[WAYS];

void done(cuseq_status status);
void cuda_done(cudaError_t error);

cuseq_model *model_of(const struct way *way, uint64_t seed);
cudaStream_t stream_make(void);

/* Of a session that is opened to be captured. */
cuseq_session_options options_of(const cuseq_model *model, const struct way *way, cudaStream_t stream);
cuseq_session *session_open(const cuseq_model *model, const struct way *way, cudaStream_t stream);

/* The arrays of a call on the device, and what it gives there. */
struct call {
  cuseq_input input;
  struct results results;
  struct call_memory device;
};
void call_make(struct call *call, const cuseq_model *model);
void call_free(struct call *call);

/* Another input, number `n`, in the same arrays; on the host it is x [B,T,F] and lengths [B]. */
void call_feed(const struct call *call, uint64_t n);
void call_input(uint64_t n, float *x, const int32_t **lengths);

/* Whether the arrays hold what a session that is not captured makes of input number `n`. */
void call_expect(struct call *call, const cuseq_model *model, const struct way *way, uint64_t n);

void begin(cudaStream_t stream);
cudaGraphExec_t end(cudaStream_t stream);

/* The graph of cuseq_run. */
cudaGraphExec_t capture_run(cuseq_session *session, cudaStream_t stream, const struct call *call);

#endif
