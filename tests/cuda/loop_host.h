/* Models of the decoder's loop with random weights, and a walk over them in float64 on the host. */
#ifndef CUSEQ_TESTS_CUDA_LOOP_HOST_H
#define CUSEQ_TESTS_CUDA_LOOP_HOST_H

#include "cell_host.h"
#include "random_numbers.h"

#include <algorithm>
#include <memory>

/* What a case has; sizes by chance are odd. */
struct loop_case {
  int B, encoded, T, Y, V;
  std::vector<int> units; /* of the layers */
  enum loop_attends attends;
  bool layers_score;        /* energies are layers over key + query; else an inner product */
  int energies;             /* 1: activation(key + query) alone; 2, 3: layers behind it */
  int C, U, E, attentional; /* context, keys, embedding (0: one-hot), attentional vector (0: none) */
  bool residual, feeds, ends, targets, given, named, transposed;
  cuseq_activation output;
};

/* Arrays of weights in both memories: the host's by the device's address. */
struct weights {
  random_numbers &random;
  std::vector<std::unique_ptr<device_array<float>>> arrays;
  std::vector<std::vector<float>> host;
  const float *add(size_t count, float size) {
    host.push_back(random.values(count, size));
    arrays.emplace_back(new device_array<float>(host.back()));
    return arrays.back()->data();
  }
  const std::vector<float> &of(const float *device) const {
    for (size_t i = 0; i < arrays.size(); i++)
      if (arrays[i]->data() == device)
        return host[i];
    std::printf("a pointer of no array\n");
    std::exit(1);
  }
};

/* ---- the model ---- */

struct builder {
  const loop_case &c;
  weights &w;
  struct loop_model m = {};
  int place(int width) {
    int at = m.shared_floats;
    m.shared_floats += (width + 3) / 4 * 4;
    return at;
  }
  static void part(struct loop_parts &parts, int at, int width, bool is_token = false) {
    parts.list[parts.count].at = at;
    parts.list[parts.count].width = width;
    parts.list[parts.count++].is_token = is_token;
  }
  struct loop_dense dense(struct loop_parts reads, int units, cuseq_activation activation, int to) {
    struct loop_dense d = {};
    d.reads = reads, d.units = units, d.activation = activation, d.to = to;
    for (int i = 0; i < reads.count; i++)
      d.inputs += reads.list[i].width;
    d.d_kernel = w.add((size_t)d.inputs * units, 1.0f / std::sqrt((float)d.inputs));
    d.d_bias = w.add(units, 0.3f);
    return d;
  }
  void layer(int l, int &offset) {
    struct loop_layer &layer = m.layer[l];
    layer.form = (enum cell_form)(l % 3);
    int S = layer.units = c.units[l];
    layer.activation = l == 1 ? CUSEQ_ACTIVATION_SOFTSIGN : CUSEQ_ACTIVATION_TANH;
    layer.recurrent_activation = l == 2 ? CUSEQ_ACTIVATION_HARD_SIGMOID : CUSEQ_ACTIVATION_SIGMOID;
    layer.h = place(S), layer.c = place(S);
    layer.residual = c.residual && l > 0 && c.units[l - 1] == S;
    layer.above = layer.residual ? place(S) : layer.h;
    layer.offset = offset;
    offset += S;
    if (l == 0 && c.feeds)
      part(layer.reads, m.token_at, c.E ? c.E : c.V, c.E == 0);
    if (l == 0 && c.attends == LOOP_ATTENDS_BEFORE)
      part(layer.reads, m.context_at, c.C);
    if (l == 0 && c.attentional)
      part(layer.reads, m.attentional.to, c.attentional);
    if (l == 0 && layer.reads.count == 0)
      part(layer.reads, m.reset_at + 128, 1); /* one number that is 0 */
    if (l > 0)
      part(layer.reads, m.layer[l - 1].above, c.units[l - 1]);
    layer.below_parts = layer.reads.count;
    if (l > 0 && c.attends == LOOP_ATTENDS_BEHIND)
      part(layer.reads, m.context_at, c.C);
    int inputs = 0;
    for (int i = 0; i < layer.reads.count; i++)
      inputs += layer.reads.list[i].width;
    float size = 1.0f / std::sqrt((float)(inputs + S));
    layer.d_kernel = w.add((size_t)inputs * S * 4, size);
    layer.d_recurrent = w.add((size_t)S * S * 4, size);
    layer.d_candidate = layer.form == CELL_FORM_GRU_RESET_BEFORE ? w.add((size_t)S * S, size) : NULL;
    layer.d_bias = w.add((size_t)S * 4, 0.3f);
    layer.initial_h.from_encoder = layer.initial_c.from_encoder = l == 0;
    layer.initial_h.first_units = layer.initial_c.first_units = S;
    layer.initial_c.takes_c = 1;
    layer.initial_h.is_other = l == 0 && c.residual; /* h begins as c does */
  }
  void attention() {
    m.attends = c.attends;
    if (c.attends == LOOP_ATTENDS_NEVER)
      return;
    const struct loop_layer &asked = m.layer[0];
    struct loop_parts asks = {};
    part(asks, c.attends == LOOP_ATTENDS_BEHIND ? asked.above : asked.h, asked.units);
    m.query.count = 1;
    m.query.layers[0] = dense(asks, c.U, CUSEQ_ACTIVATION_LINEAR, m.query_at);
    m.values_width = c.C;
    struct attention_score &score = m.score;
    score.scale = 0.7f, score.annotation_width = c.C, score.state_units = c.U;
    score.score = c.layers_score ? CUSEQ_SCORE_CONCAT : CUSEQ_SCORE_GENERAL;
    if (c.layers_score) {
      score.layers = c.energies;
      for (int l = 0; l < c.energies; l++) {
        score.units[l] = l == c.energies - 1 ? 1 : l == 0 ? c.U : 5;
        score.activation[l] = l == 0 ? CUSEQ_ACTIVATION_TANH : CUSEQ_ACTIVATION_GELU;
        if (l > 0) {
          score.d_kernel[l] = w.add((size_t)score.units[l - 1] * score.units[l], 0.5f);
          score.d_bias[l] = w.add(score.units[l], 0.3f);
        }
      }
    }
    m.d_position_bias = w.add(c.T, 0.5f);
  }
  void head() {
    struct loop_parts reads = {}, hidden = {};
    part(reads, m.layer[m.layers - 1].above, c.units.back());
    if (c.attends != LOOP_ATTENDS_NEVER)
      part(reads, m.context_at, c.C);
    if (c.attentional)
      part(reads, m.attentional.to, c.attentional);
    m.head.count = 2;
    m.head.layers[0] = dense(reads, 19, CUSEQ_ACTIVATION_SWISH, m.scratch_at[0]);
    part(hidden, m.scratch_at[0], 19);
    m.head.layers[1] = dense(hidden, c.V, CUSEQ_ACTIVATION_LINEAR, m.logits_at);
    m.head.layers[1].d_bias = NULL;
    m.head.layers[1].transposed = c.transposed;
    m.d_output_bias = w.add(c.V, 0.5f);
    m.output_activation = c.output;
    m.outputs = c.V;
  }
  struct loop_model make() {
    int offset = 0;
    m.layers = (int)c.units.size();
    m.partial_at = place(4 * LOOP_THREADS), m.reduce_at = place(128), m.token_at = place(c.E);
    m.context_at = place(c.C), m.query_at = place(c.U), m.deep_at = place(8 * 2 * (c.U > 5 ? c.U : 5));
    m.reset_at = place(129), m.scratch_at[0] = place(256), m.scratch_at[1] = place(256);
    m.logits_at = place(c.V);
    m.has_attentional = c.attentional > 0;
    m.attentional.to = place(c.attentional);
    m.attentional_width = c.attentional;
    m.carried_width = 0;
    for (int l = 0; l < m.layers; l++)
      layer(l, offset);
    m.state_width = offset;
    if (c.attentional) {
      struct loop_parts parts = {};
      part(parts, m.layer[m.layers - 1].above, c.units.back());
      if (c.attends != LOOP_ATTENDS_NEVER)
        part(parts, m.context_at, c.C);
      m.attentional = dense(parts, c.attentional, CUSEQ_ACTIVATION_TANH, m.attentional.to);
    }
    attention();
    head();
    m.reads_token = c.feeds, m.embedding_units = c.E;
    m.d_embedding = c.E ? w.add((size_t)c.V * c.E, 1.0f) : NULL;
    m.start_token = 0, m.end_token = c.ends ? c.V - 1 : -1;
    m.energies_at = m.shared_floats;
    return m;
  }
};

/* ---- the walk on the host ---- */

struct host_walk {
  const loop_case &c;
  const weights &w;
  const struct loop_model &m;
  std::vector<double> s;
  int token = 0;

  double reads(const struct loop_parts &parts, int k) const {
    for (int i = 0; i < parts.count; i++) {
      if (k < parts.list[i].width)
        return parts.list[i].is_token ? (k == token ? 1.0 : 0.0) : s[(size_t)parts.list[i].at + k];
      k -= parts.list[i].width;
    }
    return 0.0;
  }
  void dense(const struct loop_dense &d) {
    const std::vector<float> &kernel = w.of(d.d_kernel);
    std::vector<double> y((size_t)d.units);
    for (int j = 0; j < d.units; j++) {
      double sum = d.d_bias ? w.of(d.d_bias)[j] : 0.0;
      for (int k = 0; k < d.inputs; k++)
        sum += reads(d.reads, k) *
               (double)(d.transposed ? kernel[(size_t)j * d.inputs + k] : kernel[(size_t)k * d.units + j]);
      y[j] = host_activate(d.activation, sum);
    }
    std::copy(y.begin(), y.end(), s.begin() + d.to);
  }
  void cell(const struct loop_layer &layer) {
    const std::vector<float> &kernel = w.of(layer.d_kernel), &recurrent = w.of(layer.d_recurrent),
                             &bias = w.of(layer.d_bias);
    int S = layer.units, inputs = 0;
    for (int i = 0; i < layer.reads.count; i++)
      inputs += layer.reads.list[i].width;
    auto act = [&](double x) { return host_activate(layer.activation, x); };
    auto rec = [&](double x) { return host_activate(layer.recurrent_activation, x); };
    std::vector<double> z((size_t)S * 4), h(s.begin() + layer.h, s.begin() + layer.h + S), next = h,
                                                                                           above((size_t)S);
    for (int j = 0; j < 4 * S; j++) {
      z[j] = bias[j];
      for (int k = 0; k < inputs; k++)
        z[j] += reads(layer.reads, k) * (double)kernel[(size_t)k * 4 * S + j];
      for (int k = 0; k < S; k++)
        z[j] += h[k] * (double)recurrent[(size_t)k * 4 * S + j];
    }
    for (int j = 0; j < S; j++) {
      const double *sums = &z[4 * (size_t)j];
      double &state = s[(size_t)layer.c + j];
      if (layer.form == CELL_FORM_LSTM) {
        state = rec(sums[1]) * state + rec(sums[0]) * act(sums[2]);
        next[j] = rec(sums[3]) * act(state);
        continue;
      }
      double n = sums[2] + rec(sums[1]) * sums[3];
      if (layer.form == CELL_FORM_GRU_RESET_BEFORE) {
        const std::vector<float> &candidate = w.of(layer.d_candidate);
        n = sums[2];
        for (int k = 0; k < S; k++)
          n += rec(z[4 * (size_t)k + 1]) * h[k] * (double)candidate[(size_t)k * S + j];
      }
      next[j] = rec(sums[0]) * h[j] + (1.0 - rec(sums[0])) * act(n);
    }
    struct loop_parts below = layer.reads;
    below.count = layer.below_parts;
    for (int j = 0; j < S && layer.residual; j++)
      above[j] = next[j] + reads(below, j);
    std::copy(next.begin(), next.end(), s.begin() + layer.h);
    if (layer.residual)
      std::copy(above.begin(), above.end(), s.begin() + layer.above);
  }
  double energy(const float *key, int t) const {
    const struct attention_score &score = m.score;
    const double *query = &s[(size_t)m.query_at];
    std::vector<double> u;
    double e = 0.0;
    for (int j = 0; j < c.U && !c.layers_score; j++)
      e += key[j] * query[j];
    for (int j = 0; j < c.U && c.layers_score; j++)
      u.push_back(host_activate(score.activation[0], key[j] + query[j]));
    for (int l = 1; l < score.layers && c.layers_score; l++) {
      std::vector<double> next;
      for (int j = 0; j < score.units[l]; j++) {
        double sum = w.of(score.d_bias[l])[j];
        for (size_t k = 0; k < u.size(); k++)
          sum += u[k] * (double)w.of(score.d_kernel[l])[k * score.units[l] + j];
        next.push_back(host_activate(score.activation[l], sum));
      }
      u = next;
    }
    return (c.layers_score ? u[0] : e) * (double)score.scale + (double)w.of(m.d_position_bias)[t];
  }
  void attend(const float *keys, const float *values, int length, double *alphas, double *context) {
    for (int l = 0; l < m.query.count; l++)
      dense(m.query.layers[l]);
    std::vector<double> e;
    double most = -INFINITY, sum = 0.0;
    for (int t = 0; t < length; t++) {
      e.push_back(energy(keys + (size_t)t * c.U, t));
      most = std::fmax(most, e[t]);
    }
    for (int t = 0; t < length; t++)
      sum += std::exp(e[t] - most);
    for (int j = 0; j < c.C; j++)
      s[(size_t)m.context_at + j] = 0.0;
    for (int t = 0; t < length; t++) {
      alphas[t] = std::exp(e[t] - most) / sum;
      for (int j = 0; j < c.C; j++)
        s[(size_t)m.context_at + j] += alphas[t] * (double)values[(size_t)t * c.C + j];
    }
    std::copy_n(s.begin() + m.context_at, c.C, context);
  }
};

#endif
