/* The reference: the formulas of docs/model-format.md in float64, nothing clever. Everything else is judged
 * against it. It computes from the structure as its author configured it, so that what is lowered for the
 * other backends is judged too.
 *
 * Letters as in cuseq.h. Every function takes and gives float64; weights are float32 as the model holds
 * them. */
#ifndef CUSEQ_REFERENCE_REFERENCE_H
#define CUSEQ_REFERENCE_REFERENCE_H

#include "backends/backend.h"
#include "model/activation.h"

/* A product of a number and a weight: what a device's precision rounds, and the reference does not. */
static inline double reference_product(double x, float weight) {
  return x * (double)weight;
}

/* y [units] += x [inputs] kernel [inputs,units] */
void reference_multiply(const double *x, const float *kernel, int32_t inputs, int32_t units, double *y);

/* x [inputs] becomes activation(x kernel + bias) [units]; softmax and log_softmax are left to the caller.
 * kernel NULL leaves x as it is. `scratch` holds units. */
void reference_dense(const struct dense *dense, double *x, double *scratch);

/* One step of a cell: h and c [units] are replaced. `id` >= 0: x is the one-hot row `id` and not looked at.
 * `z` holds 7 x units. */
void reference_cell_step(const struct cell *cell, const double *x, int32_t id, double *h, double *c,
                         double *z);

/* What a session holds. */
struct reference {
  cuseq_model *model;
  const struct structure *structure; /* as configured */
  struct backend_limits limits;
  int32_t batch; /* B and T of what is encoded */
  int32_t time;
  int32_t widest;      /* of all vectors */
  int32_t *lengths;    /* [B] */
  double *annotations; /* [B,T,A] */
  double *final_h;     /* [B, encoder_state_width]: every layer's final states, forward before backward */
  double *final_c;
  /* one row's, while it is encoded */
  double *below;      /* [T,widest] a layer's input, then its output */
  double *directions; /* [2,T,widest] hidden states */
  double *asking;     /* [3,T,widest] keys and values, and queries of a layer that attends to itself */
  /* one row's, while it is decoded */
  double *h, *c;       /* [max(S, widest)] */
  double *outputs_of;  /* [S] what each decoder layer gave last */
  double *attentional; /* [widest] */
  double *given;       /* [widest] */
  double *context;     /* [widest] */
  double *token;       /* [widest] the embedded token */
  double *read;        /* [reads] vectors side by side */
  double *query;       /* [widest] */
  double *key;         /* [reads] */
  double *joined;      /* [widest] a key and a query side by side */
  double *alphas;      /* [T] of a head, then their mean over the heads */
  double *mean;        /* [T] while they are added up */
  double *output;      /* [reads] */
  double *sums;        /* [widest] of the last output layer, before its softmax */
  double *scratch;     /* [7 x reads] */
  uint64_t fault;      /* the first row of the call that left float32's range */
  float *log_outputs;  /* [rows, V] where a step gives them; else NULL */
};

/* Notes that a row did; whether the row goes on all the same. */
bool reference_leaves(struct reference *r, int64_t row, enum backend_stage stage);

/* Whether all values, or the largest of them, are finite in float32; NaN is not. */
bool reference_in_range(const double *values, size_t count);
bool reference_bounded(const double *values, int32_t count);

/* attention.c: one attention step of encoded row `row` for what asks [query_inputs]: alphas [T] and context
 * [C] are left in `r`. Returns whether the energies are in range: the largest of them, as one that is much
 * smaller makes an alpha of 0 wherever it lies. */
bool reference_attend(struct reference *r, int32_t row, const double *asks);

/* Self-attention over the positions x [width] of a row in r->below: the contexts are left in
 * reference_contexts(). Returns whether all energies are in range, likewise. */
bool reference_self_attend(struct reference *r, const struct attention_structure *attention, int32_t width,
                           int32_t length);
/* [T,widest], in the place of the queries. */
static inline const double *reference_contexts(const struct reference *r) {
  return r->asking + 2 * (size_t)r->limits.time * (size_t)r->widest;
}

/* initial.c: a state [units] of encoded row `row` as `initial` says; INITIAL_OTHER is the caller's. */
void reference_initial(const struct reference *r, int32_t row, const struct initial_structure *initial,
                       int32_t units, double *state);

/* output.c: a head's output [units], from what it reads [inputs] in `x`, in place; r->sums receives what a
 * softmax is taken of. *token receives the argmax. Returns whether the outputs are in float32's range. */
bool reference_head(struct reference *r, const struct head *head, double *x, int32_t *token);
/* The outputs of models without a decoder. */
void reference_outputs(struct reference *r, const cuseq_decoding *decoding);

cuseq_status reference_encode(void *state, const struct backend_input *input, const cuseq_encoding *encoding);
cuseq_status reference_attend_all(void *state, const float *hidden, float *context, float *alphas);
cuseq_status reference_decode(void *state, const cuseq_decoding *decoding);
cuseq_status reference_step(void *state, const cuseq_decoding *decoding, float *log_outputs);

/* values [count] rounded to float32 at `target` + offset; a NULL target is skipped. */
void reference_store(float *target, size_t offset, const double *values, size_t count);

#endif
