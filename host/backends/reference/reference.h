/* The reference: design formulas in float64, nothing clever. Everything else is judged against it.
 *
 * Letters as in cuseq.h. Every function takes and gives float64; weights are float32 as the model holds them.
 */
#ifndef CUSEQ_REFERENCE_REFERENCE_H
#define CUSEQ_REFERENCE_REFERENCE_H

#include "backends/backend.h"

/* act(x) for every activation but softmax. */
double reference_activate(cuseq_activation activation, double x);

/* x [n] becomes softmax(x) over its first `length` entries and 0 behind them. */
void reference_softmax(double *x, int32_t length, int32_t n);

/* y [units] += x [inputs] kernel [inputs,units] */
void reference_multiply(const double *x, const float *kernel, int32_t inputs, int32_t units, double *y);

/* y [units] = x [inputs] kernel + bias */
void reference_dense(const struct dense_weights *dense, const double *x, double *y);

/* One step of a cell: z = x W + h U + b; h and c [H] are replaced. `id` >= 0: x is the one-hot row `id` and
 * not looked at. `z` [4H] is scratch. */
void reference_lstm_step(const struct lstm_weights *weights, cuseq_activation activation,
                         cuseq_activation recurrent, const double *x, int32_t id, double *h, double *c,
                         double *z);

/* One attention step of one row: alphas [T] and context [A] from annotations [T,A] and the state s [S].
 * `scratch` holds at least reference_attention_scratch(config) doubles. */
void reference_attend(const cuseq_model *model, const double *annotations, int32_t length, int32_t T,
                      const double *s, double *alphas, double *context, double *scratch);
size_t reference_attention_scratch(const cuseq_config *config);

/* What a session holds. */
struct reference {
  cuseq_model *model;
  struct backend_limits limits;
  int32_t batch; /* B and T of what is encoded */
  int32_t time;
  int32_t *lengths;    /* [B] */
  double *annotations; /* [B,T,A] */
  double *below;       /* [T,widest] one row's input to a layer */
  double *directions;  /* [2,T,H] one row's hidden states */
  double *final_h;     /* [B, D*H] the last layer's final states, forward then backward */
  double *final_c;
  double *h, *c;      /* [max(H,S)] a cell's state */
  double *z;          /* [4 max(H,S)] */
  double *cell_input; /* [A+E] the decoder cell's */
  double *output;     /* [V] */
  double *alphas;     /* [T] */
  double *scratch;
};

cuseq_status reference_encode(void *state, const struct backend_input *input, const cuseq_encoding *encoding);
cuseq_status reference_attend_all(void *state, const float *hidden, float *context, float *alphas);
cuseq_status reference_decode(void *state, const cuseq_decoding *decoding);

/* values [count] rounded to float32 at `target` + offset; a NULL target is skipped. */
void reference_store(float *target, size_t offset, const double *values, size_t count);

#endif
