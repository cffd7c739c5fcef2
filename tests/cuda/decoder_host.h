/* A decoder of random weights, on the device and in float64 on the host from design formulas. */
#ifndef CUSEQ_TESTS_CUDA_DECODER_HOST_H
#define CUSEQ_TESTS_CUDA_DECODER_HOST_H

#include "attention_host.h"

/* Short names for tables of cases. */
static const cuseq_activation TANH = CUSEQ_ACTIVATION_TANH, RELU = CUSEQ_ACTIVATION_RELU,
                              SIGMOID = CUSEQ_ACTIVATION_SIGMOID, LINEAR = CUSEQ_ACTIVATION_LINEAR,
                              HARD = CUSEQ_ACTIVATION_HARD_SIGMOID,
                              KERAS2 = CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2,
                              SOFTMAX = CUSEQ_ACTIVATION_SOFTMAX;
static const cuseq_initial_state ZEROS = CUSEQ_INITIAL_STATE_ZEROS, ENCODER = CUSEQ_INITIAL_STATE_ENCODER,
                                 DENSE = CUSEQ_INITIAL_STATE_DENSE;
static const cuseq_feedback NONE = CUSEQ_FEEDBACK_NONE, OUTPUT = CUSEQ_FEEDBACK_OUTPUT;
static const cuseq_score CONCAT = CUSEQ_SCORE_CONCAT, DOT = CUSEQ_SCORE_DOT, GENERAL = CUSEQ_SCORE_GENERAL,
                         ADDITIVE = CUSEQ_SCORE_ADDITIVE;
enum { ALL = 255 };

struct decoder_case {
  cuseq_score kind;
  std::vector<int> units;
  std::vector<cuseq_activation> attention_activation;
  int B, T, A, S, V, Y, E;
  cuseq_feedback feedback;
  int end_token; /* -1: none */
  bool ragged;
  cuseq_initial_state initial; /* encoder: A = S = 2 H; dense: H = 5 */
  bool given;
  cuseq_activation activation, recurrent, output;
  std::string name() const {
    char text[200];
    std::snprintf(
        text, sizeof text,
        "decoder score %d layers %zu B %d T %d A %d S %d V %d Y %d E %d feedback %d end %d initial %d "
        "act %d rec %d",
        (int)kind, units.size(), B, T, A, S, V, Y, E, (int)feedback, end_token, (int)initial, (int)activation,
        (int)recurrent);
    return text;
  }
};

/* What it may err: a step's attention and cell, with whatever earlier steps left them. */
static inline double decoder_bound(const decoder_case &c) {
  return 2.0 * bound_of_sums(c.A + 2 * c.S + c.V);
}

/* What decoding gives, in the order of struct decode. */
struct decoder_result {
  std::vector<double> contexts, alphas, states, outputs, final_h, final_c;
  std::vector<int32_t> tokens, output_lengths;
  std::vector<double> margins; /* [B,Y] best logit less the second                                         */
};

/* [k, 4, units] as Keras has it -> [k, units, 4] */
static inline std::vector<float> gates_innermost(const std::vector<float> &keras, int units) {
  std::vector<float> packed(keras.size());
  for (size_t k = 0; k < keras.size() / (4 * (size_t)units); k++)
    for (int g = 0; g < 4; g++)
      for (int j = 0; j < units; j++)
        packed[(k * units + j) * 4 + g] = keras[(k * 4 + g) * units + j];
  return packed;
}

struct random_decoder {
  decoder_case c;
  random_score scored;
  both kernel, recurrent, bias, embedding, output_kernel, output_bias; /* host: Keras; device: packed      */
  both final_h, final_c, initial[4], given_h, given_c;
  int H = 0;
  struct decode d = {};

  static void pack(both &array, std::vector<float> keras, int units) {
    array.set(gates_innermost(keras, units));
    array.host = keras;
  }

  random_decoder(const decoder_case &of, random_source &random) : c(of) {
    scored.make(c.kind, c.A, c.S, c.units, c.attention_activation, random);
    int fed = c.feedback ? (c.E ? c.E : c.V) : 0;
    pack(kernel, random.values((size_t)(c.A + fed) * 4 * c.S, 2.0f / std::sqrt((float)c.A)), c.S);
    pack(recurrent, random.values((size_t)c.S * 4 * c.S, 1.5f / std::sqrt((float)c.S)), c.S);
    pack(bias, random.values(4 * (size_t)c.S, 0.5f), c.S);
    if (c.E)
      embedding.set(random.values((size_t)c.V * c.E, 1.0f));
    output_kernel.set(random.values((size_t)c.S * c.V, 3.0f / std::sqrt((float)c.S)));
    output_bias.set(random.values(c.V, 0.5f));
    H = c.initial == CUSEQ_INITIAL_STATE_ENCODER ? c.S / 2 : 5;
    final_h.set(random.values((size_t)2 * c.B * H, 1.0f));
    final_c.set(random.values((size_t)2 * c.B * H, 1.0f));
    for (int i = 0; i < 4; i++)
      initial[i].set(random.values(i % 2 ? c.S : (size_t)2 * H * c.S, 0.5f));
    given_h.set(random.values((size_t)c.B * c.S, 1.0f));
    given_c.set(random.values((size_t)c.B * c.S, 1.0f));
    d.score = scored.score;
    d.start = {c.initial,
               CUSEQ_ACTIVATION_TANH,
               2,
               H,
               c.S,
               c.given ? given_h.d() : nullptr,
               c.given ? given_c.d() : nullptr,
               final_h.d(),
               final_c.d(),
               initial[0].d(),
               initial[1].d(),
               initial[2].d(),
               initial[3].d()};
    d.batch = c.B;
    d.time = c.T;
    d.steps = c.Y;
    d.activation = c.activation;
    d.recurrent_activation = c.recurrent;
    d.feedback = c.feedback;
    d.embedding_units = c.E;
    d.d_embedding = embedding.d();
    d.d_kernel = kernel.d();
    d.d_recurrent = recurrent.d();
    d.d_bias = bias.d();
    d.outputs = c.V;
    d.output_activation = c.output;
    d.d_output_kernel = output_kernel.d();
    d.d_output_bias = output_bias.d();
    d.start_token = c.feedback ? 0 : -1;
    d.end_token = c.end_token;
  }

  /* h or c of row b before the first step; the encoder's final states are given as [D,B,H] */
  std::vector<double> host_start(int b, bool cell, const std::vector<double> &final_states) const {
    std::vector<double> x, y(c.S, 0.0);
    const both &given = cell ? given_c : given_h;
    if (c.given)
      return std::vector<double>(given.host.begin() + (size_t)b * c.S,
                                 given.host.begin() + (size_t)(b + 1) * c.S);
    for (int k = 0; k < d.start.directions * H; k++)
      x.push_back(final_states[((size_t)(k / H) * c.B + b) * H + k % H]);
    if (c.initial == CUSEQ_INITIAL_STATE_ENCODER)
      return x;
    if (c.initial == CUSEQ_INITIAL_STATE_ZEROS)
      return y;
    y = host_dense(x.data(), (int)x.size(), initial[cell ? 2 : 0].host.data(),
                   initial[cell ? 3 : 1].host.data(), c.S);
    for (double &value : y)
      value = std::tanh(value);
    return y;
  }

  void host_cell(const std::vector<double> &x, std::vector<double> &h, std::vector<double> &cell) const {
    std::vector<double> z =
        host_dense(x.data(), (int)x.size(), kernel.host.data(), bias.host.data(), 4 * c.S);
    std::vector<double> r = host_dense(h.data(), c.S, recurrent.host.data(), nullptr, 4 * c.S);
    for (int j = 0; j < c.S; j++) {
      double i = host_activate(c.recurrent, z[j] + r[j]);
      double f = host_activate(c.recurrent, z[c.S + j] + r[c.S + j]);
      double g = host_activate(c.activation, z[2 * c.S + j] + r[2 * c.S + j]);
      double o = host_activate(c.recurrent, z[3 * c.S + j] + r[3 * c.S + j]);
      cell[j] = f * cell[j] + i * g;
      h[j] = o * host_activate(c.activation, cell[j]);
    }
  }

  /* `previous` [B] or empty. */
  decoder_result host_decode(const std::vector<double> &annotations, const std::vector<int32_t> &lengths,
                             const std::vector<int32_t> &previous, const std::vector<double> &encoder_h,
                             const std::vector<double> &encoder_c) const {
    decoder_result r;
    for (int b = 0; b < c.B; b++) {
      const double *a = annotations.data() + (size_t)b * c.T * c.A;
      std::vector<std::vector<double>> keys;
      for (int t = 0; t < c.T; t++)
        keys.push_back(scored.host_key(a + (size_t)t * c.A));
      std::vector<double> h = host_start(b, false, encoder_h), cell = host_start(b, true, encoder_c);
      int token = previous.empty() ? d.start_token : previous[b], steps = 0;
      bool ended = false;
      for (int y = 0; y < c.Y; y++) {
        std::vector<double> alphas(c.T, 0.0), context(c.A, 0.0), state(c.S, 0.0), output(c.V, 0.0);
        double margin = 1;
        if (!ended) {
          scored.host_attend(a, keys, lengths.empty() ? c.T : lengths[b], c.T, h.data(), alphas, context);
          std::vector<double> x = context;
          for (int j = 0; c.feedback && j < (c.E ? c.E : c.V); j++)
            x.push_back(c.E ? (double)embedding.host[(size_t)token * c.E + j] : j == token);
          host_cell(x, h, cell);
          state = h;
          output = host_dense(h.data(), c.S, output_kernel.host.data(), output_bias.host.data(), c.V);
          token = 0;
          for (int v = 1; v < c.V; v++)
            token = output[v] > output[token] ? v : token;
          margin = INFINITY;
          for (int v = 0; v < c.V; v++)
            margin = v == token ? margin : std::fmin(margin, output[token] - output[v]);
          if (c.output == CUSEQ_ACTIVATION_SOFTMAX)
            host_softmax(output, c.V);
          ended = token == c.end_token;
          steps++;
        }
        r.alphas.insert(r.alphas.end(), alphas.begin(), alphas.end());
        r.contexts.insert(r.contexts.end(), context.begin(), context.end());
        r.states.insert(r.states.end(), state.begin(), state.end());
        r.outputs.insert(r.outputs.end(), output.begin(), output.end());
        r.tokens.push_back(token);
        r.margins.push_back(margin);
      }
      r.output_lengths.push_back(steps);
      r.final_h.insert(r.final_h.end(), h.begin(), h.end());
      r.final_c.insert(r.final_c.end(), cell.begin(), cell.end());
    }
    return r;
  }
};

/* The device's outputs of one decoding: poisoned, and put into a struct decode. */
struct decoder_outputs {
  device_array<float> contexts, alphas, states, outputs, final_h, final_c;
  device_array<int32_t> tokens, output_lengths;
  explicit decoder_outputs(const decoder_case &c)
      : contexts((size_t)c.B * c.Y * c.A), alphas((size_t)c.B * c.Y * c.T), states((size_t)c.B * c.Y * c.S),
        outputs((size_t)c.B * c.Y * c.V), final_h((size_t)c.B * c.S), final_c((size_t)c.B * c.S),
        tokens((size_t)c.B * c.Y), output_lengths(c.B) {
  }
  /* Each bit of `wanted` asks for one. */
  void put(struct decode *d, unsigned wanted) const {
    d->d_contexts = wanted & 1 ? contexts.data() : nullptr;
    d->d_alphas = wanted & 2 ? alphas.data() : nullptr;
    d->d_states = wanted & 4 ? states.data() : nullptr;
    d->d_outputs = wanted & 8 ? outputs.data() : nullptr;
    d->d_final_h = wanted & 16 ? final_h.data() : nullptr;
    d->d_final_c = wanted & 32 ? final_c.data() : nullptr;
    d->d_tokens = wanted & 64 ? tokens.data() : nullptr;
    d->d_output_lengths = wanted & 128 ? output_lengths.data() : nullptr;
  }
  void check(const std::string &what, const decoder_result &want, double bound, unsigned wanted) const {
    const struct {
      const char *name;
      const device_array<float> *got;
      const std::vector<double> *want;
    } arrays[] = {{" contexts", &contexts, &want.contexts}, {" alphas", &alphas, &want.alphas},
                  {" states", &states, &want.states},       {" outputs", &outputs, &want.outputs},
                  {" final h", &final_h, &want.final_h},    {" final c", &final_c, &want.final_c}};
    for (int i = 0; i < 6; i++) {
      if (wanted & (1u << i))
        check_close((what + arrays[i].name).c_str(), arrays[i].got->read(), *arrays[i].want, bound);
      check_that(arrays[i].got->intact(), (what + arrays[i].name + ": nothing is written outside").c_str());
    }
    std::vector<int32_t> got = tokens.read();
    for (size_t i = 0; wanted & 64 && i < got.size(); i++)
      if (got[i] != want.tokens[i] && want.margins[i] > 1e-5) {
        std::printf("token %zu: got %d, want %d\n", i, got[i], want.tokens[i]);
        check_that(false, (what + " tokens").c_str());
        break;
      }
    check_that(!(wanted & 128) || output_lengths.read() == want.output_lengths, (what + " lengths").c_str());
    check_that(tokens.intact() && output_lengths.intact(), (what + ": nothing is written outside").c_str());
  }
};

#endif
