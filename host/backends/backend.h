/* What a device must do. session.c has validated every argument before any of these is called: shapes and
 * limits hold, and of host arrays also what is in them: lengths are in 1..T, ids in 0..F-1, dense input is
 * finite unless that was allowed. Arrays on a device have been aligned to their elements, no more. */
#ifndef CUSEQ_BACKENDS_BACKEND_H
#define CUSEQ_BACKENDS_BACKEND_H

#include "backends/call.h"
#include "cuseq/cuseq.h"
#include "model/model.h"

#include <stdbool.h>
#include <stdint.h>

struct search;

/* The least number that rounds to infinity in float32. */
static const double BEYOND_F32 = 0x1.ffffffp127;

struct backend_limits {
  int32_t batch;
  int32_t time;
  int32_t steps;
  int32_t beams;             /* a decoding may have batch x beams rows */
  int32_t threads;           /* as asked for; 0: what helps */
  cuseq_precision precision; /* open() refuses what the device cannot do: backend_precision_refused() */
  /* for cuda, as in cuseq_session_options */
  cuseq_memory memory;
  void *stream;
  bool asynchronous;
  bool capture; /* then memory is the device's and calls are asynchronous */
  bool allow_nonfinite;
  const char *cuda_plan; /* NULL: chosen, or as the environment says; valid until open() returns */
};

/* Where a call's numbers can leave float32's range though its input and the weights are finite, in the order
 * in which they are made. A row that does so is reported unless non-finite numbers are allowed: of several
 * the first. */
enum backend_stage {
  BACKEND_STAGE_ENCODER, /* the encoder's states */
  BACKEND_STAGE_MERGE,   /* what a layer makes of them */
  BACKEND_STAGE_ENERGIES,
  BACKEND_STAGE_CONTEXT,
  BACKEND_STAGE_DECODER, /* the decoder's states */
  BACKEND_STAGE_OUTPUTS,
};

/* A row, the decoder's step (0: before its first) and a stage as one number that is smaller for an earlier
 * row, and in one row for what comes first. */
#define BACKEND_NO_FAULT UINT64_MAX
static inline uint64_t backend_fault(int64_t row, int32_t step, enum backend_stage stage) {
  return (uint64_t)row << 32 | (uint64_t)step << 8 | (uint64_t)stage;
}

/* CUSEQ_STATUS_NON_FINITE and its line for a fault; BACKEND_NO_FAULT is CUSEQ_STATUS_OK. `earlier` begins the
 * line. */
cuseq_status backend_fault_report(uint64_t fault, const char *earlier);

/* CUSEQ_STATUS_NOT_SUPPORTED and its line: the device has not the precision that was asked for, and why. */
cuseq_status backend_precision_refused(const char *device, cuseq_precision precision, const char *reason);

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
 * model has no feedback, otherwise [B]: session.c fills in the start token, -1 where the model has none and
 * needs none, but not for backends with streams. */
struct backend {
  /* Makes the device's copy of the weights and all workspaces. */
  cuseq_status (*open)(const cuseq_model *model, const struct backend_limits *limits, const char *device,
                       void **state);
  void (*close)(void *state);
  /* Threads in use, 1 where that has no meaning. */
  int32_t (*threads)(const void *state);
  /* What calls of the limits are run by, lines of text; returns the length of all of it. NULL: there is one
   * way only. */
  size_t (*plan)(const void *state, char *text, size_t capacity);
  /* `encoding` is never NULL; its members may be. Leaves the annotations in the state. */
  cuseq_status (*encode)(void *state, const struct backend_input *input, const cuseq_encoding *encoding);
  cuseq_status (*attend)(void *state, const float *hidden, float *context, float *alphas);
  cuseq_status (*decode)(void *state, const cuseq_decoding *decoding);
  /* One step of each row, for searches: decode of a decoding with `rows` and steps 1, all arrays in host
   * memory; and log_outputs [batch, V] receives the logarithms of the output's probabilities. They are made
   * of the logits, as log_softmax makes them: a probability that vanishes in float32 has a logarithm all the
   * same. For models with feedback whose output is softmax or log_softmax. NULL: the backend does not
   * search. */
  cuseq_status (*step)(void *state, const cuseq_decoding *decoding, float *log_outputs);
  /* All steps of a search that has been begun, on the device: fills in the hypotheses of its rows and all
   * choices, as search_step() does until no lanes are left. `begin` is the decoding that it begins with;
   * alphas [steps, rows x K, T] receives those of lane row x K + place of each step, or is NULL. NULL: the
   * session calls `step` for each. */
  cuseq_status (*search)(void *state, struct search *search, const cuseq_decoding *begin, float *alphas);
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
