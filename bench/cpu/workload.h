/* The workloads: models with random weights, random input, and the multiply-adds that they take. */
#ifndef BENCH_CPU_WORKLOAD_H
#define BENCH_CPU_WORKLOAD_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stddef.h>

/* Who asks the attention of a published model: the state before the decoder's cells, or the one after
 * them. */
enum decoder { DECODER_NONE, DECODER_BAHDANAU, DECODER_LUONG };

/* A model of version 2 with the structure and the shape of a published one (published.c). */
struct published {
  bool gru;          /* else LSTM */
  bool forward;      /* the encoder reads in one direction only */
  int32_t layers;    /* of the encoder */
  int32_t embedding; /* E, of the input's symbols and of the decoder's; 0: dense input */
  bool folded;       /* their products with the first layers are made ahead, as cuseq does with small ones */
  bool tagger;       /* a softmax at every position */
  enum decoder decoder;   /* Luong's has an attentional vector tanh(W [c;h]) */
  int32_t decoder_layers; /* LSTMs or GRUs, begun with the encoder's final states */
  bool feeds;             /* the attentional vector is read by the next step */
};

struct workload {
  const char *name;
  const char *what; /* one line for the heading */
  int32_t B, T, F, H;
  int32_t keys;    /* of version 1: units of the attention's first layer: 1, or a second layer follows */
  int32_t S, Y, V; /* 0: no decoder */
  bool ids;        /* token ids instead of dense input */
  bool encode_only;
  bool ragged;                       /* rows of 5 to T positions, spread evenly over the logarithms */
  int32_t beams;                     /* 0: the best token at each step */
  bool bf16;                         /* measured in bf16, too, where the processor has that */
  const struct published *published; /* NULL: a model of version 1, said by the members above */
  double bar;                        /* share of peak to reach on one thread; 0: none */
  double bar_gain;                   /* share of the peak's gain to reach on two threads; 0: none */
};

/* All of them; the count in *count. */
const struct workload *workloads(int *count);

/* The widths of the last encoder layer's annotations, and the row lengths that the workload has. */
int32_t workload_annotations(const struct workload *workload);
void workload_lengths(const struct workload *workload, int32_t *lengths);

/* 2 x the multiply-adds of one call. The first step's products with a zero state are not made and not
 * counted, nor are those with what is padding. */
double workload_flops(const struct workload *workload);

/* Weights of so many bytes that are read so many times. */
struct streamed {
  double bytes, times;
};

/* The weights that a call of one row reads if each step reads them once: of each of the encoder's layers and
 * directions those of the state, of the decoder all. Returns how many; 0 for several rows, which share what
 * is read. */
enum { MOST_STREAMED = 2 };
int workload_streams(const struct workload *workload, struct streamed streams[MOST_STREAMED]);
int published_streams(const struct workload *workload, struct streamed streams[MOST_STREAMED]);

/* A model with random weights; NULL with a message on stderr. */
cuseq_model *workload_model(const struct workload *workload);
cuseq_model *published_model(const struct workload *workload);
double published_flops(const struct workload *workload);

/* A workload with its model, input and outputs. What it does not give has no array. */
struct instance {
  const struct workload *workload;
  cuseq_precision precision; /* of sessions, and of what is allowed; the reference's are float64 */
  cuseq_model *model;
  float *x;         /* [B,T,F] or NULL */
  int32_t *ids;     /* [B,T] or NULL */
  int32_t *lengths; /* [B] or NULL */
  float *annotations;
  float *contexts, *alphas, *outputs;
  float *log_probabilities; /* [B,Y] of the tokens, or [B,K] of the beam's hypotheses */
  int32_t *tokens;          /* [B,Y] or [B,K,Y] */
};

/* Everything of it; false with a message on stderr. */
bool instance_make(struct instance *instance, const struct workload *workload);
void instance_free(struct instance *instance);

/* Zeroed arrays for the results of `instance->workload`, of whose model and input there is nothing yet. */
void instance_make_results(struct instance *instance);

/* Whether the cpu has bf16 here. */
bool instance_has_bf16(const struct instance *instance);

/* A session of the workload's size. */
cuseq_session *instance_open(const struct instance *instance, const char *device, int32_t threads,
                             int32_t batch);

/* One call over `batch` rows from row `first`, into the instance's arrays from their beginning. */
cuseq_status instance_call(const struct instance *instance, cuseq_session *session, int32_t first,
                           int32_t batch);

/* An array of results that is verified: batch first, `row` numbers a row. */
struct judged {
  const char *name;
  const float *values;   /* or NULL */
  const int32_t *tokens; /* then these, which must be equal */
  size_t row;
  double tolerance; /* |got - want| <= tolerance x max(1, |want|) */
};
enum { MOST_JUDGED = 3 };

/* What of the instance's workload is verified; how many arrays. `all`: also what only cuseq gives of it. */
int instance_judged(const struct instance *instance, bool all, struct judged judged[MOST_JUDGED]);

/* The same arrays from row `row` on, for a call that makes only that one. */
struct instance instance_at(const struct instance *instance, int32_t row);

/* The rows that are verified: the first, the last and two between, or fewer; how many. */
enum { VERIFIED_ROWS = 4 };
int workload_verified(const struct workload *workload, int32_t rows[VERIFIED_ROWS]);

/* What the float64 reference makes of those rows, one after the other from the beginning of the arrays of
 * `reference`, which shares the instance's model and input. false where a call fails; it is to be freed in
 * any case. */
bool reference_make(const struct instance *instance, struct instance *reference);
void reference_free(struct instance *reference);

/* The largest error of the instance's results in those rows, as a share of what is allowed. */
double reference_worst(const struct instance *got, const struct instance *reference);

/* Whether those rows of the cpu's outputs agree with the reference; *worst receives the largest error, as a
 * share of what is allowed. */
bool instance_verify(const struct instance *instance, cuseq_session *session, double *worst);

#endif
