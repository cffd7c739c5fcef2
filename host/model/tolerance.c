/* The error that float32 arithmetic usually makes, followed through the structure, times a margin. docs/exactness.md
 * derives it and has the measurements that the constants come from. Everything here is in units of 2^-24, the
 * rounding error of a number near 1. */
#include "model/tolerance.h"

#include "model/model.h"

#include <math.h>
#include <stdbool.h>

/* Between what is usual for trained models and what is let through. */
static const double MARGIN = 2.5;

/* The largest of the errors that a sum of n products leaves in the cells of `many` steps, one of which is looked at
 * each time: its rounding errors add up as a random walk, those of the activations are as of four products more, and the
 * largest of many grows with their logarithm. */
static double cell_error(double n, double many) {
  return sqrt(n + 4.0) * (0.15 + 0.30 * log1p(many));
}

/* Half of what a relu is given is cut to 0, errors and all, and so is what a hard sigmoid is given beyond its slope. */
static double activity(const struct cell *cell) {
  return (cell->activation == CUSEQ_ACTIVATION_RELU ? 0.7 : 1.0) *
         (cell->recurrent_activation == CUSEQ_ACTIVATION_SIGMOID ? 1.0 : 0.95);
}

/* Of a state that stands at one position, where the largest of few is looked at. */
static double few(double many) {
  return fmin(many, 6.0);
}

/* Errors below a layer, as they come out of it. Narrow layers pass on less; cells that do not saturate are stable with
 * small weights only, and these shrink what comes from below. */
static double layer_growth(const struct encoder_layer *layer, double time) {
  const struct cell *cell = &layer->cells[layer->direction == LAYER_BACKWARD];
  if (cell->activation != CUSEQ_ACTIVATION_TANH)
    return 0.5;
  return (0.15 + 0.38 * log1p(time)) * cell->units / (cell->units + 3.0);
}

/* Dense layers over vectors that err by `error`: each a sum of its inputs' products, which are of about 1 / sqrt(inputs),
 * so that errors come through it as they are. */
static double chain_error(const struct dense_chain *chain, double error) {
  for (int32_t l = 0; l < chain->count; l++)
    error = hypot(0.5 * sqrt((double)chain->layers[l].inputs), 1.4 * error);
  return error;
}

static double dense_error(const struct dense *dense, double error) {
  const struct dense_chain one = {.count = dense->units > 0, .layers = {*dense}};
  return chain_error(&one, error);
}

/* A sum of two directions has the errors of both, a mean half of that, and a product those of two numbers below 1, each
 * times the other. */
static double merge_error(const struct encoder_layer *layer, double error) {
  if (layer->direction != LAYER_BIDIRECTIONAL || layer->merge == CUSEQ_MERGE_CONCAT)
    return error;
  return error * (layer->merge == CUSEQ_MERGE_SUM ? sqrt(2.0) : layer->merge == CUSEQ_MERGE_AVE ? 0.7 : 0.5);
}

/* About how large annotations are: those of cells that saturate reach 1, stacked stable ones fade, and so does a product of
 * two directions. */
static double annotation_size(const struct structure *s) {
  const struct encoder_layer *last = &s->encoder.layers[s->encoder.count - 1];
  const struct cell *cell = &last->cells[last->direction == LAYER_BACKWARD];
  const bool merges = last->direction == LAYER_BIDIRECTIONAL;
  if (last->residual || last->dense.units > 0 || s->attention.value_map.units > 0)
    return 1.0;
  double size = cell->activation == CUSEQ_ACTIVATION_TANH ? 1.0 : s->encoder.count == 1 ? 0.7 : 0.3;
  if (merges && last->merge == CUSEQ_MERGE_MUL)
    size *= 0.3;
  return merges && last->merge == CUSEQ_MERGE_AVE ? 0.7 * size : size;
}

/* The encoder's hidden states, the largest error over `many` positions: each layer adds its own to what it passes on.
 * Layers above the first read states, which are smaller than what the first one reads. Of the cells that err most where
 * `cells`, else of what layer `last` gives. */
static double encoder_error(const struct structure *s, double time, double many, int32_t last, bool cells) {
  double error = 0.0, most = 0.0;
  for (int32_t l = 0; l <= last; l++) {
    const struct encoder_layer *layer = &s->encoder.layers[l];
    const struct cell *cell = &layer->cells[layer->direction == LAYER_BACKWARD];
    const double shrunk = l == 0 ? 1.0 : cell->activation == CUSEQ_ACTIVATION_TANH ? 0.8 : 0.5;
    const double own = cell_error((double)layer->inputs + cell->units, many) * shrunk * activity(cell);
    const double below = error;
    error = l == 0 ? own : hypot(own, layer_growth(layer, time) * below);
    most = fmax(most, error);
    if (cells && l == last)
      return most;
    error = l < last || layer->residual || layer->dense.units > 0 ? error : merge_error(layer, error);
    error = layer->residual ? error + below : error;
    error = dense_error(&layer->dense, error);
  }
  return error;
}

static bool bounded(cuseq_activation activation) {
  return activation == CUSEQ_ACTIVATION_TANH || activation == CUSEQ_ACTIVATION_SIGMOID ||
         activation == CUSEQ_ACTIVATION_HARD_SIGMOID || activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2 ||
         activation == CUSEQ_ACTIVATION_HARD_TANH || activation == CUSEQ_ACTIVATION_SOFTSIGN;
}

static double key_inputs(const struct structure *s) {
  return (double)s->encoder.width + s->attention.query_inputs;
}

/* Energies that are made by layers, of which the last but one has u units: a sum of u products of about 1, whose partial
 * sums grow as they are added, and the errors of the u units, which are sums of A + S products. */
static double layered_error(const struct structure *s, double u) {
  const double size = 0.5 + 0.5 * annotation_size(s);
  return hypot(0.53 * size * sqrt(u) * pow(key_inputs(s), 0.25), 0.18 * u);
}

static double concat_error(const struct structure *s) {
  const struct dense_chain *layers = &s->attention.layers;
  const bool is_bounded = bounded(layers->layers[layers->count - 1].activation);
  if (layers->count == 1)
    return 0.4 * pow(key_inputs(s), 0.25) * (is_bounded ? 0.8 : 1.0);
  return layered_error(s, layers->layers[layers->count - 2].units) * (is_bounded ? 0.3 : 1.0);
}

static bool begins_at_zeros(const struct structure *s) {
  const struct initial_structure *initial =
      s->decoder.present ? &s->decoder.layers[0].initial_h : &s->asking.initial;
  return initial->from == INITIAL_ZEROS;
}

/* The energies' own error; keys and queries that come through layers of their own err by these, too. */
static double energies_error(const struct structure *s) {
  const struct attention_structure *attention = &s->attention;
  const double A = s->encoder.width, S = attention->query_inputs;
  double error = attention->score == CUSEQ_SCORE_DOT        ? 0.05 * A * annotation_size(s)
                 : attention->score == CUSEQ_SCORE_GENERAL  ? 0.1 * sqrt(A * S)
                 : attention->score == CUSEQ_SCORE_ADDITIVE ? layered_error(s, attention->units)
                                                            : concat_error(s);
  if (attention->key_map.units > 0)
    error = hypot(error, 0.3 * sqrt(A * attention->key_map.units));
  if (attention->query_map.units > 0)
    error = hypot(error, 0.3 * sqrt(S * attention->query_map.units));
  return error;
}

/* Weights of attention err by up to half of what their energies err; of one step, and of the largest of several. */
static double alphas_error(const struct structure *s, double time, double steps) {
  const struct attention_structure *attention = &s->attention;
  const bool inner = attention->score == CUSEQ_SCORE_DOT || attention->score == CUSEQ_SCORE_GENERAL;
  if (time <= 1.0)
    return 1.0; /* the only alpha is 1 */
  double error = energies_error(s) * fabs((double)attention->scale) * (1.0 + 0.3 * log(steps));
  if (inner && attention->asks == ASKS_PREVIOUS && begins_at_zeros(s) && !attention->query_map.units)
    error *= 1.0 - 1.0 / steps; /* states grow from 0 */
  return error < 1.0 ? 1.0 : error;
}

/* A mean of annotations errs as one of them, and by what its weights err. */
static double context_error(const struct structure *s, double time, double steps) {
  const int32_t last = s->encoder.count - 1;
  double annotations = encoder_error(s, time, few(time), last, false);
  annotations = dense_error(&s->attention.value_map, annotations);
  return fmax(1.0, hypot(0.4 * annotations, 0.78 * alphas_error(s, time, steps) * annotation_size(s)));
}

static bool reads_token(const struct decoder_structure *decoder) {
  for (int32_t i = 0; i < decoder->reads.count; i++)
    if (decoder->reads.list[i] == PART_TOKEN)
      return true;
  return false;
}

/* What the last decoder layer gives: each layer adds its own error to what it reads. */
static double states_error(const struct structure *s, double time, double steps) {
  const struct decoder_structure *decoder = &s->decoder;
  const double later = 1.0 + 0.3 * log(steps);
  const double passed_on = decoder->layers[0].cell.activation == CUSEQ_ACTIVATION_TANH ? 1.3 : 0.6;
  double below = s->attention.present ? passed_on * context_error(s, time, steps) * later : 0.0,
         error = below;
  for (int32_t l = 0; l < decoder->count; l++) {
    const struct cell *cell = &decoder->layers[l].cell;
    const bool starts_at_0 = l == 0 && begins_at_zeros(s) && steps <= 1.0;
    const bool one_hot = l == 0 && reads_token(decoder) && decoder->embedding_units == 0;
    const double read =
        (double)cell->inputs - (one_hot ? decoder->tokens : 0); /* of a one-hot token, one product */
    const double units = cell->units;
    const double own = (units + 1.0) / (units + 2.0) *
                       cell_error(read + (starts_at_0 ? 0.0 : units), few(steps + 0.5)) * activity(cell);
    error = hypot(own, l == 0 ? below : error * later);
    error = decoder->layers[l].residual ? 2.0 * error : error;
  }
  return error;
}

static double head_error(const struct structure *s, const struct head *head, double time, double steps) {
  const struct dense *last = &head->layers.layers[head->layers.count - 1];
  const int32_t top = s->encoder.count - 1;
  double read = head->source == HEAD_STEP      ? states_error(s, time, steps)
                : head->source == HEAD_CONTEXT ? context_error(s, time, steps)
                                               : encoder_error(s, time, time, top, false);
  if (head->source == HEAD_STEP && s->decoder.attentional.present)
    read = hypot(read, dense_error(&s->decoder.attentional.dense, read));
  struct dense_chain before = head->layers;
  before.count--;
  double logits = hypot(1.4 * sqrt((double)last->inputs), 3.2 * chain_error(&before, read));
  return fmax(1.0, last->activation == CUSEQ_ACTIVATION_SOFTMAX ? 0.18 * logits : logits);
}

static double outputs_error(const struct structure *s, double time, double steps) {
  double most = 0.0;
  for (int32_t i = 0; i < s->output.count; i++)
    most = fmax(most, head_error(s, &s->output.heads[i], time, steps));
  return most;
}

/* Cell states are not cut to 1, and their errors stay in them from step to step. */
static const double CELL_STATES = 1.7, DECODER_CELL_STATES = 1.37;

static double usual_error(const struct structure *s, double time, double steps, cuseq_result result) {
  const int32_t top = s->encoder.count - 1;
  switch (result) {
  case CUSEQ_RESULT_ANNOTATIONS:
    return encoder_error(s, time, time, top, false);
  case CUSEQ_RESULT_ENCODER_H:
    return encoder_error(s, time, few(time), top, true);
  case CUSEQ_RESULT_ENCODER_C:
    return CELL_STATES * encoder_error(s, time, few(time), top, true);
  case CUSEQ_RESULT_CONTEXTS:
    return s->attention.present ? context_error(s, time, steps) : 0.0;
  case CUSEQ_RESULT_ALPHAS:
    return s->attention.present ? alphas_error(s, time, steps) : 0.0;
  case CUSEQ_RESULT_STATES:
    return s->decoder.present ? states_error(s, time, steps) : 0.0;
  case CUSEQ_RESULT_DECODER_C:
    return s->decoder.present ? DECODER_CELL_STATES * states_error(s, time, steps) : 0.0;
  case CUSEQ_RESULT_OUTPUTS:
    return s->output.count > 0 ? outputs_error(s, time, steps) : 0.0;
  }
  return 0.0;
}

double tolerance_of(const struct structure *structure, int32_t time, int32_t steps, cuseq_result result) {
  const double T = time > 1 ? time : 1, Y = structure->decoder.present && steps > 1 ? steps : 1;
  return MARGIN * 0x1p-24 * usual_error(structure, T, Y, result);
}

double cuseq_model_tolerance(const cuseq_model *model, int32_t time, int32_t steps, cuseq_result result) {
  if (!model)
    return 0.0;
  const struct structure *structure = &model->structure;
  return tolerance_of(structure, time, steps > 0 ? steps : structure->decoder.steps, result);
}
