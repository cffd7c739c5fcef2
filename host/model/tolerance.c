/* The error that arithmetic makes in a model of this structure, followed from the input to the outputs as
 * mean squares of numbers and of their errors (moments.h), for weights as large as trained models have them;
 * and how far the largest of many errors lies beyond that. docs/exactness.md derives it and has the
 * measurements that the constants come from. */
#include "model/tolerance.h"

#include "model/model.h"
#include "model/tolerance_follow.h"
#include "model/tolerance_range.h"

#include <math.h>
#include <stdbool.h>

/* The gain of outputs' last layers whose exponential is taken: of small numbers. */
static const double GAIN_EXPONENT = 1.0;

/* Never is less than this allowed, in units of 2^-24: nine roundings of a number near 1; where factors are
 * rounded, what the product of two of them near 1 errs at most. */
static const double LEAST[] = {
    [CUSEQ_PRECISION_FLOAT32] = 9.0, [CUSEQ_PRECISION_TF32] = 0x1p13, [CUSEQ_PRECISION_BF16] = 0x1p16};

/* ---- outputs ---- */

/* What a head of a model without a decoder reads, side by side. */
static struct moments reads_of(const struct structure *s, const struct profile *p, const struct head *head) {
  struct moments x = {0.0, 0.0};
  double width = 0.0;
  for (int32_t i = 0; i < head->read_count; i++) {
    const struct head_read *read = &head->reads[i];
    const struct encoder_layer *layer = &s->encoder.layers[read->layer];
    const struct moments *state = read->takes_c ? p->c[read->layer] : p->h[read->layer];
    const struct moments one =
        read->source == HEAD_CONTEXT ? p->context
        : read->source == HEAD_FINAL
            ? moments_beside(state[0], encoder_layer_has(layer, 0), state[1], encoder_layer_has(layer, 1))
            : p->annotations;
    x = moments_beside(x, width, one, read->width);
    width += read->width;
  }
  return x;
}

/* The head's outputs, or the logarithms of its probabilities. */
static double head_error(const struct structure *s, const struct profile *p, const struct head *head,
                         bool logarithms) {
  double n = head->inputs;
  struct moments x =
      head->source == HEAD_STEP ? tolerance_parts(s, p, &head->parts, &n) : reads_of(s, p, head);
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  x = tolerance_head_sums(
      head, x, n, last->activation == CUSEQ_ACTIVATION_EXPONENTIAL ? GAIN_EXPONENT : TOLERANCE_GAIN_OUTPUT,
      p->factors);
  if (last->activation == CUSEQ_ACTIVATION_LOG_SOFTMAX || logarithms)
    return sqrt(2.0 * x.error / (1.0 + 0.5 * x.size));
  if (last->activation == CUSEQ_ACTIVATION_SOFTMAX) {
    const double peak = tolerance_peak(x, last->units);
    return last->units > 1 ? peak * (1.0 - peak) * sqrt(2.0 * x.error) + 0.5 : 0.5;
  }
  return moments_activated_counted(last->activation, x);
}

/* ---- the largest of many ---- */

/* How far the largest of `many` errors lies beyond their root mean square: errors are products of many
 * factors, and have longer tails than a bell has. */
static double tail(double many) {
  return 1.5 + 0.8 * log1p(many);
}

static double largest_of(const struct moments *of, int32_t count) {
  double most = 0.0;
  for (int32_t i = 0; i < count; i++)
    most = fmax(most, moments_counted(of[i]));
  return most;
}

static double outputs_error(const struct structure *s, const struct profile *p, bool logarithms) {
  double most = 0.0;
  for (int32_t i = 0; i < s->output.count; i++)
    most = fmax(most, head_error(s, p, &s->output.heads[i], logarithms));
  return most * tail(s->output.width * p->steps);
}

/* What trained models err beyond the moments, which take weights and errors to be independent, by the kind of
 * array. A decoder's steps hang together, final states are looked at in every layer, and few rows have two
 * positions that share all weight. Where factors are rounded a weight errs alike at every step, and a cell
 * that remembers adds that up. */
struct beyond {
  double float32, rounded;
};
static const struct beyond BEYOND[] = {
    [CUSEQ_RESULT_ANNOTATIONS] = {3.3, 5.3},      [CUSEQ_RESULT_ENCODER_H] = {5.8, 7.0},
    [CUSEQ_RESULT_ENCODER_C] = {3.5, 5.3},        [CUSEQ_RESULT_CONTEXTS] = {2.7, 2.7},
    [CUSEQ_RESULT_ALPHAS] = {1.8, 1.8},           [CUSEQ_RESULT_STATES] = {5.1, 5.1},
    [CUSEQ_RESULT_DECODER_C] = {4.4, 5.5},        [CUSEQ_RESULT_OUTPUTS] = {3.9, 3.9},
    [CUSEQ_RESULT_LOG_PROBABILITIES] = {3.0, 2.8}};
static const struct beyond WITHOUT_DECODER = {3.3, 3.9};

/* The states, and the attentional vector that a step hands on beside them. */
static double states_error(const struct structure *s, const struct profile *p) {
  return fmax(fmax(moments_counted(p->state), moments_counted(p->attentional)),
              largest_of(p->decoder_h, s->decoder.count));
}

/* Annotations that are the last layer's states side by side err as the direction does that errs most. */
static double annotations_error(const struct structure *s, const struct profile *p) {
  const int32_t l = s->encoder.count - 1;
  const struct encoder_layer *last = &s->encoder.layers[l];
  const bool states = last->dense.units == 0 && !last->residual && last->self_attention == 0 &&
                      last->weighting.units == 0 && last->merge == CUSEQ_MERGE_CONCAT;
  return fmax(moments_counted(p->annotations), states ? largest_of(p->h[l], 2) : 0.0);
}

/* The largest error by the moments. */
static double largest_error(const struct structure *s, const struct profile *p, cuseq_result result) {
  const double width = s->encoder.width;
  switch (result) {
  case CUSEQ_RESULT_ANNOTATIONS:
    return tail(width * p->time) * annotations_error(s, p);
  case CUSEQ_RESULT_ENCODER_H:
    return tail(width) * largest_of(&p->h[0][0], 2 * s->encoder.count);
  case CUSEQ_RESULT_ENCODER_C:
    return tail(width) * largest_of(&p->c[0][0], 2 * s->encoder.count);
  case CUSEQ_RESULT_CONTEXTS:
    return tail(width * p->steps) * moments_counted(p->context);
  case CUSEQ_RESULT_ALPHAS:
    return tail(p->steps) * p->alphas;
  case CUSEQ_RESULT_STATES:
    return tail(s->decoder.state_width * p->steps) * states_error(s, p);
  case CUSEQ_RESULT_DECODER_C:
    return tail(s->decoder.state_width) * largest_of(p->decoder_c, s->decoder.count);
  case CUSEQ_RESULT_OUTPUTS:
    return outputs_error(s, p, false);
  case CUSEQ_RESULT_LOG_PROBABILITIES:
    return outputs_error(s, p, true);
  }
  return 0.0;
}

static double usual_error(const struct structure *s, const struct profile *p, cuseq_result result) {
  if (result == CUSEQ_RESULT_CONTEXTS && p->time == 1.0 && s->attention.value_map.units == 0)
    result = CUSEQ_RESULT_ANNOTATIONS; /* of one position the context is the annotation */
  const struct beyond *beyond =
      result == CUSEQ_RESULT_OUTPUTS && !s->decoder.present ? &WITHOUT_DECODER : &BEYOND[result];
  const double times = result == CUSEQ_RESULT_DECODER_C ? p->steps : p->time,
               alike = p->factors > 0.0 ? 1.0 - 1.0 / times : 0.0; /* of one step there is no second */
  return (beyond->float32 + alike * (beyond->rounded - beyond->float32)) * largest_error(s, p, result);
}

static bool has(const struct structure *s, cuseq_result result) {
  switch (result) {
  case CUSEQ_RESULT_CONTEXTS:
  case CUSEQ_RESULT_ALPHAS:
    return s->attention.present;
  case CUSEQ_RESULT_STATES:
  case CUSEQ_RESULT_DECODER_C:
    return s->decoder.present;
  case CUSEQ_RESULT_OUTPUTS:
  case CUSEQ_RESULT_LOG_PROBABILITIES:
    return s->output.count > 0;
  default:
    return true;
  }
}

/* What rounding both factors of a product beforehand makes of one whose mean square is 1. Of a number of 8
 * significant bits a unit of the last place is 2^16 times float32's, of one of 11 it is 2^13 times. */
static double factors_of(cuseq_precision precision) {
  switch (precision) {
  case CUSEQ_PRECISION_TF32:
    return 2.0 * MOMENTS_ROUNDING * 0x1p26;
  case CUSEQ_PRECISION_BF16:
    return 2.0 * MOMENTS_ROUNDING * 0x1p32;
  case CUSEQ_PRECISION_FLOAT32:
    break;
  }
  return 0.0;
}

double tolerance_of(const struct structure *structure, cuseq_precision precision, int32_t time, int32_t steps,
                    cuseq_result result) {
  struct profile p = {.time = time > 1 ? time : 1,
                      .steps = structure->decoder.present && steps > 1 ? steps : 1,
                      .factors = factors_of(precision)};
  if (!has(structure, result))
    return 0.0;
  tolerance_follow(structure, &p);
  const double usual = usual_error(structure, &p, result); /* 0: nothing is computed, as of a GRU's c */
  const double allowed = 0x1p-24 * fmax(LEAST[usual > 0.0 ? precision : CUSEQ_PRECISION_FLOAT32], usual);
  return fmin(allowed, tolerance_range(structure, result));
}

double cuseq_model_tolerance(const cuseq_model *model, cuseq_precision precision, int32_t time, int32_t steps,
                             cuseq_result result) {
  if (!model || precision < CUSEQ_PRECISION_FLOAT32 || precision > CUSEQ_PRECISION_BF16)
    return 0.0;
  const struct structure *structure = &model->structure;
  return tolerance_of(structure, precision, time, steps > 0 ? steps : structure->decoder.steps, result);
}
