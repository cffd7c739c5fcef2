/* What a device must do. session.c has validated every argument before any of these is called: shapes and
 * limits hold, lengths are in 1..T, ids in 0..F-1, dense input is finite unless that was allowed. */
#ifndef CUSEQ_BACKENDS_BACKEND_H
#define CUSEQ_BACKENDS_BACKEND_H

#include "cuseq/cuseq.h"
#include "model/model.h"

#include <stdbool.h>

struct backend_limits {
  int32_t batch;
  int32_t time;
  int32_t steps;
  int32_t threads; /* as asked for; 0: what helps */
  /* for cuda, as in cuseq_session_options */
  cuseq_memory memory;
  void *stream;
  bool asynchronous;
  const char *cuda_plan; /* NULL: chosen, or as the environment says; valid until open() returns */
};

/* The encoder's input. Exactly one of ids, f32, f64 is not NULL. Dense rows that are all one-hot come as ids.
 */
struct backend_input {
  const int32_t *ids; /* [B,T]; unspecified at t >= the row's length                                      */
  const float *f32;   /* [B,T,F]                                                                          */
  const double *f64;  /* [B,T,F]; to be rounded to float32 before anything else                           */
  int32_t batch;
  int32_t time;
  const int32_t *lengths; /* [B] or NULL: all T                                                            */
  const float *initial_h; /* [layers x D, B, H] or NULL: zeros                                             */
  const float *initial_c;
};

/* One decoding; as cuseq_decoding with steps resolved to 1 .. limits.steps. `previous` is NULL where the
 * model has no feedback, otherwise [B]: session.c fills in the start token. */
struct backend {
  /* Makes the device's copy of the weights and all workspaces. */
  cuseq_status (*open)(const cuseq_model *model, const struct backend_limits *limits, const char *device,
                       void **state);
  void (*close)(void *state);
  /* Threads in use, 1 where that has no meaning. */
  int32_t (*threads)(const void *state);
  /* `encoding` is never NULL; its members may be. Leaves the annotations in the state. */
  cuseq_status (*encode)(void *state, const struct backend_input *input, const cuseq_encoding *encoding);
  cuseq_status (*attend)(void *state, const float *hidden, float *context, float *alphas);
  cuseq_status (*decode)(void *state, const cuseq_decoding *decoding);
  /* encode and decode in one; NULL: the session calls the two. `encoding` and `decoding` are never NULL.
   * After it the annotations are in the state as after encode. */
  cuseq_status (*run)(void *state, const struct backend_input *input, const cuseq_encoding *encoding,
                      const cuseq_decoding *decoding);
  /* Waits for all work; NULL where every call is complete when it returns. */
  cuseq_status (*synchronize)(void *state);
  /* The stream that work is queued on; NULL where there are none, and the backend takes host arrays only. */
  void *(*stream)(const void *state);
};

extern const struct backend backend_reference;
extern const struct backend backend_cpu;

/* One line about the machine's CPU as the cpu backend sees it: instruction set and cores. */
void backend_cpu_describe(char *text, size_t capacity);

#endif
