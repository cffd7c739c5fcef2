/* What a device must do. session.c has validated every argument before any of these is called: shapes and
 * limits hold, and of host arrays also what is in them: lengths are in 1..T, ids in 0..F-1, dense input is
 * finite unless that was allowed. Arrays on a device have been aligned to their elements, no more. */
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
  bool allow_nonfinite;
  const char *cuda_plan; /* NULL: chosen, or as the environment says; valid until open() returns */
};

/* The arrays of a call: inputs in the order in which they are checked, then outputs. */
enum backend_array {
  BACKEND_PREVIOUS,
  BACKEND_STATE_H, /* the decoder's initial_h; the state of cuseq_attend */
  BACKEND_STATE_C,
  BACKEND_LENGTHS,
  BACKEND_INITIAL_H,
  BACKEND_INITIAL_C,
  BACKEND_DATA,
  BACKEND_ANNOTATIONS,
  BACKEND_H_FW,
  BACKEND_C_FW,
  BACKEND_H_BW,
  BACKEND_C_BW,
  BACKEND_FINAL_H,
  BACKEND_FINAL_C,
  BACKEND_CONTEXTS,
  BACKEND_ALPHAS,
  BACKEND_STATES,
  BACKEND_OUTPUTS,
  BACKEND_TOKENS,
  BACKEND_OUTPUT_LENGTHS,
  BACKEND_DECODER_FINAL_H,
  BACKEND_DECODER_FINAL_C,
};
enum { BACKEND_ARRAYS = BACKEND_DECODER_FINAL_C + 1, BACKEND_INPUTS = BACKEND_DATA + 1 };

/* What messages call an array. */
const char *backend_array_name(enum backend_array array);

/* The encoder's input. Exactly one of ids, f32, f64, device is not NULL. Dense rows that are all one-hot come
 * as ids. Where the lengths are on the device, so that a host cannot tell which positions count, ids, f32 and
 * f64 are not checked, and ids beyond int32 are the nearest int32. */
struct backend_input {
  const void *device; /* the caller's data on the device, of type `dtype`                                 */
  cuseq_dtype dtype;  /* of `device`                                                                      */
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
 * model has no feedback, otherwise [B]: session.c fills in the start token, but not for backends with
 * streams. */
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
  /* Tells where an array of the coming call lies, not NULL, and keeps it in the state until it is told
   * otherwise; refuses one that lies where it must not. NULL where `stream` is. */
  cuseq_status (*locate)(void *state, enum backend_array array, const void *pointer, bool *on_device);
};

extern const struct backend backend_reference;
extern const struct backend backend_cpu;

/* One line about the machine's CPU as the cpu backend sees it: instruction set and cores. */
void backend_cpu_describe(char *text, size_t capacity);

#endif
