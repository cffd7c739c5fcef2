/* The workloads of the GPU's benchmarks: shapes, models with random weights, random input, and the float64
 * reference's answers. Nothing of CUDA. */
#ifndef BENCH_GPU_WORKLOAD_H
#define BENCH_GPU_WORKLOAD_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct workload {
  char name[32];
  int32_t B, T, F, H;
  int32_t keys;       /* 1: attention Dense(1,tanh); more: Dense(keys,tanh), Dense(1,relu) */
  int32_t S, Y, V;    /* decoder units, steps, classes; 0: no decoder, one attention step */
  bool ids;           /* token ids instead of dense input */
  bool encodes_only;  /* annotations are the result, nothing attends */
  bool mixed_lengths; /* rows of 1 .. T positions, the first of T */
  /* of encoders alone: */
  int32_t layers; /* 0: one */
  bool forward;   /* reads in one direction only */
  bool ragged;    /* rows of 5 .. T positions, spread evenly over the logarithms */
};

/* W1, W2 (B 1, 32, 1024), W3, W4, W8, the encoders of W6, W7 and W9, and encoders whose times others have
 * published; the count in *count. */
const struct workload *workloads(int *count);

/* One of them by name ("W1", "W2 B32", ...); NULL where there is none. */
const struct workload *workload_find(const char *name);

/* What a call gives; arrays that it does not give, or that are not asked for, are NULL. */
struct answers {
  float *annotations; /* [B,T,2H] */
  float *contexts;    /* [B,Y,2H] unless encodes_only; Y is 1 without a decoder */
  float *alphas;      /* [B,Y,T]  */
  float *outputs;     /* [B,Y,V] with a decoder */
  int32_t *tokens;    /* [B,Y]   */
};

/* Fewer where a row is long work for the reference. */
enum { VERIFIED_ROWS = 4 };

/* A workload with its model and input, all of it in host memory. */
struct instance {
  struct workload workload;
  cuseq_model *model;
  float *x;         /* [B,T,F] or NULL */
  int32_t *ids;     /* [B,T] or NULL */
  int32_t *lengths; /* [B] or NULL: all T */
  /* the reference's answers for some rows, from instance_verify()'s first call on */
  bool has_reference;
  int32_t verified, rows[VERIFIED_ROWS];
  struct answers reference[VERIFIED_ROWS];
};

/* Steps of attention and decoder of one call; layers and directions of the encoder, and the width of its
 * annotations; whether rows have lengths of their own. */
int32_t workload_steps(const struct workload *workload);
int32_t workload_layers(const struct workload *workload);
int32_t workload_directions(const struct workload *workload);
int32_t workload_annotations(const struct workload *workload);
bool workload_has_lengths(const struct workload *workload);

/* "encoder.layers.LAYER.forward.PART", or backward's; PART is kernel, recurrent_kernel or bias. */
enum { MOST_TENSOR_NAME = 64 };
void workload_tensor(char name[MOST_TENSOR_NAME], int32_t layer, int32_t direction, const char *part);

/* The data of one of a model's tensors; NULL where it has none of that name. */
const float *model_tensor(const cuseq_model *model, const char *name);

/* Where input and answers lie from now on: memory of `take`, given back to `release`. malloc and free
 * otherwise. To be called before anything is made. */
void workload_arrays(void *(*take)(size_t bytes), void (*release)(void *memory));

/* false with a message on stderr. The same numbers on every machine, whatever was made before. */
bool instance_make(struct instance *instance, const struct workload *workload);
void instance_free(struct instance *instance);

/* Room for the answers of a workload: its results, its annotations, or both. false with a message on
 * stderr. */
enum { ANSWERS_RESULTS = 1, ANSWERS_ANNOTATIONS = 2 };
bool answers_make(struct answers *answers, const struct workload *workload, int wanted);
void answers_free(struct answers *answers);

/* The input of all rows, for the public calls. */
cuseq_input instance_input(const struct instance *instance);

/* One call of a session over the public interface. `input` and `answers` may be of device arrays. */
cuseq_status workload_call(const struct workload *workload, cuseq_session *session, const cuseq_input *input,
                           const struct answers *answers);
/* The same with the instance's own input. */
cuseq_status instance_call(const struct instance *instance, cuseq_session *session,
                           const struct answers *answers);

/* Whether what `got` has of the first, the last and two rows between, or of the last alone, agrees with the
 * float64 reference; *worst receives the largest error as a share of what cuseq_model_tolerance() allows.
 * Tokens are compared where the reference's two best outputs are farther apart than that. */
bool instance_verify(struct instance *instance, const struct answers *got, double *worst);

#endif
