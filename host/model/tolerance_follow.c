/* Mean squares of numbers and of their errors, layer by layer in the order in which the reference
 * computes. */
#include "model/tolerance_follow.h"

#include <math.h>
#include <stdbool.h>

/* Gains of trained models: the root mean square of a kernel's weights times the root of its inputs. Cells
 * that do not saturate are stable with small weights only. */
static const double GAIN_LSTM = 3.0, GAIN_GRU = 1.8, GAIN_STABLE = 0.9, GAIN_SCORE = 2.0, GAIN_CONCAT = 4.0,
                    GAIN_ENERGY = 5.0;
static const double EMBEDDING = 0.81; /* the mean square of embeddings */

enum { MOST_STEPS = 64 }; /* of a recurrence, whose errors have settled by then */

/* ---- cells ---- */

static bool is_gate(cuseq_activation activation) {
  return activation == CUSEQ_ACTIVATION_SIGMOID || activation == CUSEQ_ACTIVATION_HARD_SIGMOID ||
         activation == CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2;
}

static double cell_gain(const struct cell *cell) {
  if (cell->activation != CUSEQ_ACTIVATION_TANH || !is_gate(cell->recurrent_activation))
    return GAIN_STABLE;
  return cell->kind == CELL_GRU ? GAIN_GRU : GAIN_LSTM;
}

/* A pre-activation of what is read, n products of it, and the state. */
static struct moments cell_sums(const struct cell *cell, struct moments x, double n, struct moments h,
                                double factors) {
  const struct moments both = {x.size + h.size, x.error + h.error};
  return moments_sums(both, n + cell->units, cell_gain(cell), factors);
}

static void lstm_step(const struct cell *cell, struct moments x, double n, double factors, struct moments *h,
                      struct moments *c) {
  const struct moments sums = cell_sums(cell, x, n, *h, factors),
                       gate = moments_activated(cell->recurrent_activation, sums),
                       candidate = moments_activated(cell->activation, sums);
  *c = moments_sum(moments_product(gate, *c), moments_product(gate, candidate));
  *h = moments_product(gate, moments_activated(cell->activation, *c));
}

static void gru_step(const struct cell *cell, struct moments x, double n, double factors, struct moments *h) {
  const struct moments gate =
                           moments_activated(cell->recurrent_activation, cell_sums(cell, x, n, *h, factors)),
                       sums = cell_sums(cell, x, n, moments_product(gate, *h), factors),
                       candidate = moments_activated(cell->activation, sums);
  /* Gates between 0 and 1 leave as much as they let through; others, spread around 0, add up to more. */
  const struct moments left = {is_gate(cell->recurrent_activation) ? gate.size : 1.0 + gate.size, gate.error};
  *h = moments_sum(moments_product(gate, *h), moments_product(left, candidate));
}

static void cell_step(const struct cell *cell, struct moments x, double n, double factors, struct moments *h,
                      struct moments *c) {
  if (cell->kind == CELL_GRU)
    gru_step(cell, x, n, factors, h);
  else
    lstm_step(cell, x, n, factors, h, c);
}

/* ---- dense layers ---- */

struct moments tolerance_dense(const struct dense *layer, struct moments x, double n, double gain,
                               double factors) {
  const struct moments sums = moments_sums(x, n, gain, factors),
                       normed = moments_normed(sums, layer->norm.units, layer->units, layer->norm.epsilon);
  return moments_activated(layer->activation, normed);
}

static struct moments dense(const struct dense *layer, struct moments x, double gain, double factors) {
  return layer->units > 0 ? tolerance_dense(layer, x, layer->inputs, gain, factors) : x;
}

/* ---- attention ---- */

/* n products of the elements of two vectors. */
static struct moments inner(struct moments a, struct moments b, double n) {
  const double size = n * a.size * b.size;
  const struct moments exact = {size, n * (a.size * b.error + b.size * a.error) +
                                          MOMENTS_ROUNDING * size * n / 2.0};
  return moments_rounded(exact);
}

static struct moments chain(const struct dense_chain *layers, struct moments x, double gain, double factors) {
  for (int32_t l = 0; l < layers->count; l++)
    x = dense(&layers->layers[l], x, l == layers->count - 1 ? GAIN_ENERGY : gain, factors);
  return x;
}

/* Energies of vectors x [width] for what asks. */
static struct moments energies(const struct attention_structure *a, int32_t width, struct moments x,
                               struct moments asks, double factors) {
  const struct moments key = dense(&a->key_map, x, GAIN_SCORE, factors),
                       query = dense(&a->query_map, asks, GAIN_SCORE, factors);
  const double key_width = attention_key_width(a, width), query_width = attention_query_width(a);
  struct moments e;
  switch (a->score) {
  case CUSEQ_SCORE_GENERAL:
    e = inner(moments_sums(key, key_width, GAIN_SCORE, factors), query, query_width);
    break;
  case CUSEQ_SCORE_ADDITIVE:
    e = moments_sum(moments_sums(key, key_width, GAIN_SCORE, factors),
                    moments_sums(query, query_width, GAIN_SCORE, factors));
    e = moments_sums(moments_activated(CUSEQ_ACTIVATION_TANH, e), a->units, GAIN_ENERGY, 0.0);
    break;
  case CUSEQ_SCORE_CONCAT:
    e = chain(&a->layers, moments_beside(key, key_width, query, query_width), GAIN_CONCAT, factors);
    break;
  default:
    e = inner(key, query, key_width / a->heads);
  }
  return moments_times(e, a->scale);
}

/* The context of the values v of all positions by such energies, and the error of an alpha. Of energies that
 * differ much, two positions share the weight; of equal ones, all. What rounding a weight makes is alike in
 * all positions, and no average makes it less. */
static struct moments averaged(struct moments e, struct moments v, const struct profile *p, double *alpha) {
  const double T = p->time;
  const double top = fmin(0.5, exp(1.5 * sqrt(e.size)) / T), weight = T > 1.0 ? top * (1.0 - top) : 0.0,
               kept = fmax(0.3, fmin(1.0, exp(fmin(e.size, 20.0)) / T)),
               alike = p->factors > 0.0 ? (1.0 + kept) / 2.0 : kept;
  const double passed = T > 1.0 ? 4.0 * top * top / (16.0 + 6.0 * sqrt(12.6 * e.size)) : 0.0;
  *alpha = sqrt(2.0 * weight * weight * e.error + MOMENTS_ROUNDING * top * 4.0);
  return moments_settled(
      (struct moments){kept * v.size, alike * v.error + 4.0 * passed * e.error * v.size +
                                          MOMENTS_ROUNDING * kept * v.size * (fmin(T, 64.0) / 4.0 + 1.0)});
}

static void attend(const struct structure *s, struct profile *p, struct moments asks) {
  double alpha;
  const struct moments e = energies(&s->attention, s->encoder.width, p->annotations, asks, p->factors);
  p->context = averaged(e, p->values, p, &alpha);
  p->alphas = fmax(p->alphas, alpha);
}

/* What a layer gives of x whose positions it weights. The largest weight is far from the usual one: numbers
 * are as large as usual ones make them, and err as the largest do. */
static struct moments weighted(const struct encoder_layer *layer, struct moments x, const struct profile *p) {
  const double T = layer->weighting.units;
  if (T == 0.0)
    return x;
  const struct moments e = moments_sums(x, T, TOLERANCE_GAIN_DENSE, p->factors);
  const double top = fmin(0.6, exp(1.5 * sqrt(e.size)) / T), kept = fmin(1.0, exp(fmin(e.size, 20.0)) / T);
  return (struct moments){x.size * kept / T,
                          top * top * (x.error + x.size * (0.25 * e.error + MOMENTS_ROUNDING * 4.0))};
}

/* What a layer gives of x that its positions ask. */
static struct moments self_attended(const struct structure *s, const struct encoder_layer *layer,
                                    struct moments x, const struct profile *p) {
  const struct attention_structure *a = encoder_self_attention(&s->encoder, layer);
  double alpha;
  if (!a)
    return x;
  const struct moments e = energies(a, layer->merged_width, x, x, p->factors),
                       values = dense(&a->value_map, x, GAIN_SCORE, p->factors),
                       context = averaged(e, values, p, &alpha);
  return layer->beside ? moments_beside(context, a->context_width, x, layer->merged_width) : context;
}

/* ---- the encoder ---- */

static void layer_run(const struct cell *cell, struct moments x, double n, const struct profile *p,
                      struct moments *h, struct moments *c) {
  *h = *c = (struct moments){0.0, 0.0};
  for (int t = 0; t < p->time && t < MOST_STEPS; t++) {
    const double before = h->error;
    cell_step(cell, x, n, p->factors, h, c);
    if (t > 3 && fabs(h->error - before) < 1e-3 * before)
      break;
  }
}

static struct moments merged(const struct encoder_layer *layer, const struct moments h[2]) {
  if (layer->direction != LAYER_BIDIRECTIONAL)
    return h[layer->direction == LAYER_BACKWARD];
  switch (layer->merge) {
  case CUSEQ_MERGE_SUM:
    return moments_sum(h[0], h[1]);
  case CUSEQ_MERGE_AVE:
    return moments_times(moments_sum(h[0], h[1]), 0.5);
  case CUSEQ_MERGE_MUL:
    return moments_product(h[0], h[1]);
  case CUSEQ_MERGE_CONCAT:
    break;
  }
  return moments_beside(h[0], layer->cells[0].units, h[1], layer->cells[1].units);
}

static void follow_encoder(const struct structure *s, struct profile *p) {
  struct moments x = {s->input.embedding_units > 0 ? EMBEDDING : 1.0, 0.0};
  if (s->input.has_affine)
    x = moments_sum(moments_times(x, 0.4), (struct moments){0.16, 0.0});
  for (int32_t l = 0; l < s->encoder.count; l++) {
    const struct encoder_layer *layer = &s->encoder.layers[l];
    for (int d = 0; d < 2; d++)
      if (encoder_layer_has(layer, d))
        layer_run(&layer->cells[d], x, layer->inputs, p, &p->h[l][d], &p->c[l][d]);
    struct moments given = merged(layer, p->h[l]);
    given = layer->residual ? moments_sum(given, x) : given;
    given = self_attended(s, layer, weighted(layer, given, p), p);
    x = dense(&layer->dense, given, TOLERANCE_GAIN_DENSE, p->factors);
  }
  p->annotations = x;
  p->values = dense(&s->attention.value_map, x, GAIN_SCORE, p->factors);
}

/* ---- the decoder ---- */

static struct moments initial(const struct structure *s, const struct profile *p,
                              const struct initial_structure *from, struct moments other) {
  if (from->from == INITIAL_ZEROS)
    return (struct moments){0.0, 0.0};
  if (from->from == INITIAL_OTHER)
    return other;
  const struct encoder_layer *layer = &s->encoder.layers[from->encoder_layer];
  const struct moments *states = from->takes_c ? p->c[from->encoder_layer] : p->h[from->encoder_layer];
  struct moments x;
  if (layer->direction != LAYER_BIDIRECTIONAL || from->directions == INITIAL_FORWARD ||
      from->directions == INITIAL_BACKWARD)
    x = states[layer->direction == LAYER_BACKWARD ||
               (layer->direction == LAYER_BIDIRECTIONAL && from->directions == INITIAL_BACKWARD)];
  else
    x = from->directions == INITIAL_SUM
            ? moments_sum(states[0], states[1])
            : moments_beside(states[0], layer->cells[0].units, states[1], layer->cells[1].units);
  return dense(&from->dense, x, TOLERANCE_GAIN_DENSE, p->factors);
}

/* An embedded token, or the probabilities that are read in its place. */
static struct moments token(const struct structure *s, const struct profile *p) {
  return s->decoder.feedback == FEEDBACK_PROBABILITIES ? p->probabilities : (struct moments){EMBEDDING, 0.0};
}

struct moments tolerance_parts(const struct structure *s, const struct profile *p, const struct parts *parts,
                               double *products) {
  const struct decoder_structure *decoder = &s->decoder;
  struct moments x = {0.0, 0.0};
  double width = 0.0;
  *products = 0.0;
  for (int32_t i = 0; i < parts->count; i++) {
    const double one = structure_part_width(s, parts->list[i]);
    const bool one_hot = parts->list[i] == PART_TOKEN && decoder->embedding_units == 0 &&
                         decoder->feedback != FEEDBACK_PROBABILITIES;
    const struct moments part = parts->list[i] == PART_CONTEXT       ? p->context
                                : parts->list[i] == PART_STATE       ? p->state
                                : parts->list[i] == PART_ATTENTIONAL ? p->attentional
                                : parts->list[i] == PART_GIVEN       ? (struct moments){1.0, 0.0}
                                : one_hot                            ? (struct moments){1.0 / one, 0.0}
                                                                     : token(s, p);
    x = moments_beside(x, width, part, one);
    width += one;
    *products += one_hot ? 1.0 : one;
  }
  return x;
}

static void decoder_layers(const struct structure *s, struct profile *p) {
  const struct decoder_structure *decoder = &s->decoder;
  const struct attention_structure *attention = &s->attention;
  double n;
  struct moments below = tolerance_parts(s, p, &decoder->reads, &n);
  for (int32_t l = 0; l < decoder->count; l++) {
    const struct decoder_layer *layer = &decoder->layers[l];
    struct moments x = below;
    if (layer->reads_context) {
      x = moments_beside(x, n, p->context, s->attention.context_width);
      n = layer->inputs;
    }
    cell_step(&layer->cell, x, n, p->factors, &p->decoder_h[l], &p->decoder_c[l]);
    below = layer->residual ? moments_sum(p->decoder_h[l], below) : p->decoder_h[l];
    n = layer->cell.units;
    if (attention->present && attention->asks == ASKS_CURRENT && attention->asked_layer == l)
      attend(s, p, p->decoder_h[l]);
  }
  p->state = below;
}

struct moments tolerance_head_sums(const struct head *head, struct moments x, double n, double gain,
                                   double factors) {
  for (int32_t l = 0; l < head->layers.count - 1; l++) {
    x = tolerance_dense(&head->layers.layers[l], x, n, TOLERANCE_GAIN_DENSE, factors);
    n = head->layers.layers[l].units;
  }
  return moments_sums(x, n, gain, factors);
}

double tolerance_peak(struct moments sums, int32_t units) {
  return fmin(0.5, exp(1.5 * sqrt(sums.size)) / units);
}

/* The softmax that the next step reads. The squares of probabilities add up to the largest of them at most,
 * and those of their errors to that of the sums times it and what it leaves. */
static struct moments probabilities(const struct structure *s, const struct profile *p) {
  const struct head *head = &s->output.heads[0];
  double n;
  const struct moments x = tolerance_parts(s, p, &head->parts, &n),
                       sums = tolerance_head_sums(head, x, n, TOLERANCE_GAIN_OUTPUT, p->factors);
  if (head->units == 1)
    return (struct moments){1.0, 0.0};
  const double peak = tolerance_peak(sums, head->units), size = peak / head->units;
  return moments_rounded((struct moments){size, size * ((1.0 - peak) * sums.error + MOMENTS_ROUNDING * 3.0)});
}

static void follow_decoder(const struct structure *s, struct profile *p) {
  const struct decoder_structure *decoder = &s->decoder;
  const struct attention_structure *attention = &s->attention;
  const struct moments none = {0.0, 0.0};
  p->probabilities = (struct moments){1.0 / (decoder->tokens > 0 ? decoder->tokens : 1), 0.0};
  for (int32_t l = 0; l < decoder->count; l++) {
    p->decoder_h[l] = initial(s, p, &decoder->layers[l].initial_h, none);
    p->decoder_c[l] = initial(s, p, &decoder->layers[l].initial_c, p->decoder_h[l]);
    if (decoder->layers[l].initial_h.from == INITIAL_OTHER)
      p->decoder_h[l] = p->decoder_c[l];
  }
  for (int y = 0; y < p->steps && y < MOST_STEPS; y++) {
    if (attention->present && attention->asks != ASKS_CURRENT)
      attend(s, p, attention->asks == ASKS_TOKEN ? token(s, p) : p->decoder_h[attention->asked_layer]);
    decoder_layers(s, p);
    double n;
    if (decoder->attentional.present) {
      const struct moments x = tolerance_parts(s, p, &decoder->attentional.parts, &n);
      p->attentional = moments_activated(decoder->attentional.dense.activation,
                                         moments_sums(x, n, TOLERANCE_GAIN_DENSE, p->factors));
    }
    if (decoder->feedback == FEEDBACK_PROBABILITIES)
      p->probabilities = probabilities(s, p);
  }
}

void tolerance_follow(const struct structure *s, struct profile *p) {
  follow_encoder(s, p);
  if (s->decoder.present) {
    follow_decoder(s, p);
  } else if (s->attention.present) {
    const int32_t last = s->encoder.count - 1;
    const struct encoder_layer *layer = &s->encoder.layers[last];
    const struct moments none = {0.0, 0.0},
                         final = moments_beside(p->h[last][0], encoder_layer_has(layer, 0), p->h[last][1],
                                                encoder_layer_has(layer, 1));
    attend(s, p, s->asking.present ? initial(s, p, &s->asking.initial, none) : final);
  }
}
