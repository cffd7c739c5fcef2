/* The decoder's loop of any structure alone, against a walk over the same model in float64 on the host. */
#include "loop_host.h"

#include "bounds.h"

#include <string>

/* What a call gives, in the order of struct loop. */
struct host_results {
  std::vector<double> contexts, alphas, states, outputs, logs, end_h, end_c;
  std::vector<int32_t> tokens, lengths;
};

/* All that a call gives and takes, in both memories. */
struct loop_arrays {
  std::vector<float> keys, values, final_h, final_c, given_h, given_c, given_fed;
  std::vector<int32_t> lengths, rows, previous, targets, target_lengths;
};

static host_results host_run(const loop_case &c, const weights &w, const struct loop_model &m,
                             const loop_arrays &a) {
  size_t B = c.B, Y = c.Y, S = m.state_width, last = c.units.back();
  host_results r;
  r.contexts.assign(B * Y * c.C, 0.0), r.alphas.assign(B * Y * c.T, 0.0), r.states.assign(B * Y * last, 0.0);
  r.outputs.assign(B * Y * c.V, 0.0), r.logs.assign(B * Y, 0.0);
  r.end_h.assign(B * S, 0.0), r.end_c.assign(B * S, 0.0);
  r.tokens.assign(B * Y, m.end_token < 0 ? 0 : m.end_token);
  for (size_t b = 0; b < B; b++) {
    size_t from = c.named ? (size_t)a.rows[b] : b;
    host_walk walk = {c, w, m, std::vector<double>((size_t)m.shared_floats, 0.0)};
    walk.token = a.previous[b];
    for (int l = 0; l < m.layers; l++)
      for (int j = 0; j < c.units[l]; j++) {
        const struct loop_layer &layer = m.layer[l];
        bool is_lstm = layer.form == CELL_FORM_LSTM;
        double h = l > 0 ? 0.0 : (layer.initial_h.is_other ? a.final_c : a.final_h)[from * c.units[0] + j],
               s = l == 0 ? a.final_c[from * c.units[0] + j] : 0.0;
        h = c.given ? a.given_h[b * S + layer.offset + j] : h;
        s = c.given ? a.given_c[b * S + layer.offset + j] : s;
        walk.s[(size_t)layer.h + j] = h;
        walk.s[(size_t)layer.c + j] = is_lstm ? s : 0.0;
      }
    for (int j = 0; j < c.attentional && c.given; j++)
      walk.s[(size_t)m.attentional.to + j] = a.given_fed[b * c.attentional + j];
    int steps = c.targets ? a.target_lengths[b] : c.Y, y = 0;
    for (bool ends = false; y < steps && !ends; y++) {
      size_t at = b * Y + y;
      for (int j = 0; j < c.E && c.feeds; j++)
        walk.s[(size_t)m.token_at + j] = w.of(m.d_embedding)[(size_t)walk.token * c.E + j];
      auto attend = [&]() {
        walk.attend(&a.keys[from * c.T * c.U], &a.values[from * c.T * c.C], a.lengths[from],
                    &r.alphas[at * c.T], &r.contexts[at * c.C]);
      };
      if (c.attends == LOOP_ATTENDS_BEFORE)
        attend();
      for (int l = 0; l < m.layers; l++) {
        walk.cell(m.layer[l]);
        if (l == 0 && c.attends == LOOP_ATTENDS_BEHIND)
          attend();
      }
      if (m.has_attentional)
        walk.dense(m.attentional);
      for (int l = 0; l < m.head.count; l++)
        walk.dense(m.head.layers[l]);
      std::vector<double> o;
      double sum = 0.0;
      int best = 0;
      for (int v = 0; v < c.V; v++) {
        o.push_back(walk.s[(size_t)m.logits_at + v] + (double)w.of(m.d_output_bias)[v]);
        best = o[v] > o[best] ? v : best;
      }
      for (int v = 0; v < c.V; v++)
        sum += std::exp(o[v] - o[best]);
      for (int v = 0; v < c.V; v++)
        r.outputs[at * c.V + v] = c.output == CUSEQ_ACTIVATION_SOFTMAX ? std::exp(o[v] - o[best]) / sum
                                                                       : o[v] - o[best] - std::log(sum);
      int next = c.targets ? a.targets[at] : best;
      r.tokens[at] = best;
      r.logs[at] = o[next] - o[best] - std::log(sum);
      std::copy_n(walk.s.begin() + m.layer[m.layers - 1].above, last, &r.states[at * last]);
      ends = !c.targets && best == m.end_token;
      walk.token = next;
    }
    r.lengths.push_back(y);
    for (int l = 0; l < m.layers; l++)
      for (int j = 0; j < c.units[l]; j++) {
        r.end_h[b * S + m.layer[l].offset + j] = walk.s[(size_t)m.layer[l].h + j];
        r.end_c[b * S + m.layer[l].offset + j] = walk.s[(size_t)m.layer[l].c + j];
      }
  }
  return r;
}

static loop_arrays arrays_make(const loop_case &c, int S, random_numbers &random) {
  loop_arrays a;
  a.keys = random.values((size_t)c.encoded * c.T * c.U, 1.0f);
  a.values = random.values((size_t)c.encoded * c.T * c.C, 1.0f);
  a.final_h = random.values((size_t)c.encoded * c.units[0], 0.9f);
  a.final_c = random.values((size_t)c.encoded * c.units[0], 0.9f);
  a.given_h = random.values((size_t)c.B * S, 0.9f), a.given_c = random.values((size_t)c.B * S, 0.9f);
  a.given_fed = random.values((size_t)c.B * (c.attentional ? c.attentional : 1), 0.9f);
  a.lengths = random.integers(c.encoded, 1, c.T), a.rows = random.integers(c.B, 0, c.encoded - 1);
  a.previous = random.integers(c.B, 0, c.V - 1);
  a.targets = random.integers((size_t)c.B * c.Y, 0, c.V - 1), a.target_lengths = random.integers(c.B, 1, c.Y);
  return a;
}

static void check_loop(const loop_case &c, uint64_t seed) {
  random_numbers random = {seed * 77 + 5};
  weights w = {random, {}, {}};
  builder build = {c, w};
  struct loop_model model = build.make();
  loop_arrays a = arrays_make(c, model.state_width, random);
  a.target_lengths[0] = c.Y;
  host_results want = host_run(c, w, model, a);
  if (c.targets && c.ends) { /* an end token that is made ends nothing where tokens are given */
    model.end_token = want.tokens[0];
    want = host_run(c, w, model, a);
  }
  device_array<struct loop_model> d_model(std::vector<struct loop_model>{model});
  device_array<float> keys(a.keys), values(a.values), final_h(a.final_h), final_c(a.final_c),
      given_h(a.given_h), given_c(a.given_c), fed(a.given_fed);
  device_array<int32_t> lengths(a.lengths), rows(a.rows), previous(a.previous), targets(a.targets),
      target_lengths(a.target_lengths), tokens(want.tokens.size()), output_lengths(c.B);
  device_array<float> contexts(want.contexts.size()), alphas(want.alphas.size()), states(want.states.size()),
      outputs(want.outputs.size()), logs(want.logs.size()), end_h(want.end_h.size()),
      end_c(want.end_c.size());
  struct loop call = {};
  call.d_model = d_model.data(), call.shared_floats = model.shared_floats;
  call.batch = c.B, call.time = c.T, call.steps = c.Y, call.encoded = c.encoded;
  call.d_lengths = lengths.data(), call.d_rows = c.named ? rows.data() : NULL;
  call.d_keys = keys.data(), call.d_values = values.data();
  call.d_final_h = final_h.data(), call.d_final_c = final_c.data();
  call.d_given_h = c.given ? given_h.data() : NULL, call.d_given_c = c.given ? given_c.data() : NULL;
  call.d_given_fed = c.given && c.attentional ? fed.data() : NULL, call.d_previous = previous.data();
  call.d_targets = c.targets ? targets.data() : NULL;
  call.d_target_lengths = c.targets ? target_lengths.data() : NULL;
  call.d_contexts = contexts.data(), call.d_alphas = alphas.data(), call.d_states = states.data();
  call.d_outputs = outputs.data(), call.d_log_probabilities = logs.data(), call.d_tokens = tokens.data();
  call.d_output_lengths = output_lengths.data(), call.d_end_h = end_h.data(), call.d_end_c = end_c.data();
  struct launch_device device = {};
  char error[256] = "", name[160];
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  check_that(launch_loop(&call, &stream) == CUSEQ_STATUS_OK, error);
  std::snprintf(name, sizeof name, "loop B %d T %d Y %d V %d layers %zu attends %d%s", c.B, c.T, c.Y, c.V,
                c.units.size(), (int)c.attends, c.targets ? " targets" : "");
  double widest = 0.0;
  for (int S : c.units)
    widest = std::fmax(widest, 2.0 * S + c.C + c.V);
  double bound = 2.0 * c.Y * bound_of_sums(widest);
  std::string at = name;
  if (c.attends != LOOP_ATTENDS_NEVER) {
    check_close((at + ": contexts").c_str(), contexts.read(), want.contexts, bound);
    check_close((at + ": alphas").c_str(), alphas.read(), want.alphas, bound);
  }
  check_close((at + ": states").c_str(), states.read(), want.states, bound);
  check_close((at + ": outputs").c_str(), outputs.read(), want.outputs, bound);
  check_close((at + ": log-probabilities").c_str(), logs.read(), want.logs, bound);
  check_close((at + ": final h").c_str(), end_h.read(), want.end_h, bound);
  check_close((at + ": final c").c_str(), end_c.read(), want.end_c, bound);
  check_that(tokens.read() == want.tokens && output_lengths.read() == want.lengths,
             (at + ": tokens").c_str());
  check_that(outputs.intact() && tokens.intact() && states.intact() && end_h.intact(), name);
  call.d_model = NULL;
  check_that(launch_loop(&call, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "a loop without a model is refused");
}

int main(void) {
  const enum loop_attends NEVER = LOOP_ATTENDS_NEVER, BEFORE = LOOP_ATTENDS_BEFORE,
                          BEHIND = LOOP_ATTENDS_BEHIND;
  const cuseq_activation SOFTMAX = CUSEQ_ACTIVATION_SOFTMAX, LOGS = CUSEQ_ACTIVATION_LOG_SOFTMAX;
  /* B encoded T Y V; units; attends, energies; C U E attentional; residual feeds ends targets given named
   * transposed */
  const loop_case cases[] = {
      {1, 1, 1,     1,     1,     {1},   BEFORE, false, 0,     1,      1,
       0, 0, false, false, false, false, false,  false, false, SOFTMAX},
      {3, 3, 7,     4,    11,   {31},  BEFORE, true,  2,     33,     10,
       0, 0, false, true, true, false, false,  false, false, SOFTMAX},
      {2, 2,  31,   3,    33,    {33, 33}, BEHIND, false, 0,    32,  33,
       5, 13, true, true, false, false,    false,  false, true, LOGS},
      {5, 2, 33,    3,    257,   {128}, BEHIND, true, 3,     129,    17,
       7, 0, false, true, false, true,  true,   true, false, SOFTMAX},
      {2, 3, 65,   3,    2,    {17, 5, 5, 128}, BEFORE, true, 1,    40,  1,
       3, 9, true, true, true, false,           true,   true, true, LOGS},
      {2, 2, 5,     5,    1024,  {7, 9}, NEVER, false, 0,    1,      1,
       1, 4, false, true, false, false,  false, false, true, SOFTMAX},
      {1, 1,  512,  2,    3,    {64, 64, 64}, BEHIND, true,  2,     256,    64,
       0, 31, true, true, true, true,         false,  false, false, SOFTMAX},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_loop(cases[i], i + 1);
  return check_end();
}
