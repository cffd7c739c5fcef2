/* Keys, initial states and the attention step, each kernel alone against float64. */
#include "attention_host.h"
#include "initial_states.cuh"

static const cuseq_activation TANH = CUSEQ_ACTIVATION_TANH, RELU = CUSEQ_ACTIVATION_RELU,
                              SIGMOID = CUSEQ_ACTIVATION_SIGMOID, LINEAR = CUSEQ_ACTIVATION_LINEAR;

struct attention_case {
  cuseq_score kind;
  std::vector<int> units;
  std::vector<cuseq_activation> activation;
  int B, T, A, S;
  bool ragged;
};

/* Keys by their kernel, then a step on them, both with strided outputs; the same bits a second time. */
static void attention_case_check(const struct attention_case &c, uint64_t seed) {
  random_source random(seed);
  test_device device;
  random_score scored;
  scored.make(c.kind, c.A, c.S, c.units, c.activation, random);
  int U = attention_score_key_width(&scored.score);
  std::string what = "score " + std::to_string(c.kind) + " layers " + std::to_string(scored.score.layers) +
                     " B " + std::to_string(c.B) + " T " + std::to_string(c.T) + " A " + std::to_string(c.A) +
                     " S " + std::to_string(c.S) + " U " + std::to_string(U);
  std::vector<int32_t> lengths = random_lengths(c.B, c.T, c.ragged, random);
  both annotations, state;
  annotations.set(random_annotations(c.B, c.T, c.A, lengths, random));
  state.set(random.values((size_t)c.B * c.S, 1.0f));
  device_array<int32_t> d_lengths(lengths);
  device_array<float> d_keys((size_t)c.B * c.T * U);
  if (c.kind != CUSEQ_SCORE_DOT) {
    struct attention_keys keys = {scored.score,    c.B,           c.T,
                                  annotations.d(), d_keys.data(), CUSEQ_PRECISION_FLOAT32};
    if (!device.launched(launch_attention_keys(&keys, &device.stream), what + " keys"))
      return;
  }
  int alphas_stride = c.T + 3, context_stride = c.A + 5;
  struct attend attend = {};
  attend.score = scored.score;
  attend.start.state_units = c.S;
  attend.start.d_given_h = state.d();
  attend.batch = c.B;
  attend.time = c.T;
  attend.d_lengths = c.ragged ? d_lengths.data() : nullptr;
  attend.d_annotations = annotations.d();
  attend.d_keys = c.kind == CUSEQ_SCORE_DOT ? nullptr : d_keys.data();
  attend.alphas_stride = alphas_stride;
  attend.context_stride = context_stride;
  device_array<char> workspace(std::vector<char>(attend_workspace_bytes(&attend, &device.device), 0));
  attend.d_workspace = workspace.data();
  std::vector<float> first[2];
  for (int run = 0; run < 2; run++) {
    device_array<float> d_alphas(std::vector<float>((size_t)c.B * alphas_stride, -7.0f));
    device_array<float> d_context(std::vector<float>((size_t)c.B * context_stride, -7.0f));
    attend.d_alphas = d_alphas.data();
    attend.d_context = d_context.data();
    if (!device.launched(launch_attend(&attend, &device.stream), what + " attend"))
      return;
    std::vector<float> alphas = d_alphas.read(), context = d_context.read();
    check_that(d_alphas.intact() && d_context.intact() && d_keys.intact() && workspace.intact(),
               (what + ": nothing is written outside").c_str());
    if (run == 0) {
      first[0] = alphas;
      first[1] = context;
    } else {
      check_that(std::memcmp(first[0].data(), alphas.data(), alphas.size() * 4) == 0 &&
                     std::memcmp(first[1].data(), context.data(), context.size() * 4) == 0,
                 (what + ": the same bits again").c_str());
    }
  }
  std::vector<double> want_keys, want_alphas, want_context;
  for (int b = 0; b < c.B; b++) {
    std::vector<double> a(annotations.host.begin() + (size_t)b * c.T * c.A,
                          annotations.host.begin() + (size_t)(b + 1) * c.T * c.A);
    std::vector<double> s(state.host.begin() + (size_t)b * c.S, state.host.begin() + (size_t)(b + 1) * c.S);
    std::vector<std::vector<double>> keys(c.T);
    for (int t = 0; t < c.T; t++) {
      keys[t] = scored.host_key(a.data() + (size_t)t * c.A);
      want_keys.insert(want_keys.end(), keys[t].begin(), keys[t].end());
    }
    std::vector<double> alphas, context;
    scored.host_attend(a.data(), keys, c.ragged ? lengths[b] : c.T, c.T, s.data(), alphas, context);
    alphas.resize(alphas_stride, -7.0);
    context.resize(context_stride, -7.0);
    want_alphas.insert(want_alphas.end(), alphas.begin(), alphas.end());
    want_context.insert(want_context.end(), context.begin(), context.end());
  }
  double bound = bound_of_sums(c.A + c.S);
  if (c.kind != CUSEQ_SCORE_DOT)
    check_close((what + " keys").c_str(), d_keys.read(), want_keys, bound);
  check_close((what + " alphas").c_str(), first[0], want_alphas, bound);
  check_close((what + " context").c_str(), first[1], want_context, bound);
}

static void attention_check(void) {
  uint64_t seed = 1;
  for (int n : {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 256}) {
    attention_case_check({CUSEQ_SCORE_CONCAT, {1}, {TANH}, 3, 30, n, n, true}, seed++);
    attention_case_check({CUSEQ_SCORE_DOT, {}, {}, 2, 31, n, n, true}, seed++);
    attention_case_check({CUSEQ_SCORE_GENERAL, {}, {}, 2, 33, n, 257 - n, false}, seed++);
    attention_case_check({CUSEQ_SCORE_ADDITIVE, {n}, {}, 3, 7, 24, 20, true}, seed++);
    attention_case_check({CUSEQ_SCORE_CONCAT, {n, 1}, {TANH, RELU}, 2, 12, n, 10, true}, seed++);
    attention_case_check({CUSEQ_SCORE_CONCAT, {n, 13, 1}, {RELU, SIGMOID, LINEAR}, 2, 9, 21, 18, true},
                         seed++);
  }
  for (int T : {1, 2, 30, 31, 32, 33, 511, 512, 513, 1000}) {
    attention_case_check({CUSEQ_SCORE_CONCAT, {10, 1}, {TANH, RELU}, 2, T, 64, 64, false}, seed++);
    attention_case_check({CUSEQ_SCORE_CONCAT, {1}, {RELU}, 3, T, 6, 5, true}, seed++);
    attention_case_check({CUSEQ_SCORE_DOT, {}, {}, 2, T, 20, 20, true}, seed++);
    attention_case_check({CUSEQ_SCORE_CONCAT, {5, 4, 3, 2, 1}, {TANH, LINEAR}, 2, T, 8, 9, true}, seed++);
  }
  for (int T : {4096, 5000, 16384}) {
    attention_case_check({CUSEQ_SCORE_ADDITIVE, {6}, {}, 2, T, 8, 4, true}, seed++);
    attention_case_check({CUSEQ_SCORE_CONCAT, {3, 1}, {TANH, RELU}, 3, T, 5, 4, true}, seed++);
  }
  attention_case_check({CUSEQ_SCORE_DOT, {}, {}, 2, 16384, 2, 2, true}, seed++);
  attention_case_check({CUSEQ_SCORE_DOT, {}, {}, 1, 60000, 1, 1, false}, seed++); /* many blocks */
  attention_case_check({CUSEQ_SCORE_DOT, {}, {}, 3, 26000, 1, 1, true}, seed++);  /* of several rows */
  attention_case_check({CUSEQ_SCORE_CONCAT, {3000, 2, 1}, {TANH}, 1, 3, 2, 2, false},
                       seed++); /* layers there */
  attention_case_check({CUSEQ_SCORE_GENERAL, {}, {}, 1, 2, 3, 1100, false}, seed++);
}

/* Energies whose exponentials alone overflow, or are all 0: of whole numbers, so that they are exact. */
static void extremes_check(void) {
  for (float sign : {-1.0f, 1.0f})
    for (int T : {9, 300}) {
      const int A = 4;
      random_source random(93);
      test_device device;
      random_score scored;
      scored.make(CUSEQ_SCORE_DOT, A, A, {}, {}, random);
      scored.score.scale = 1.0f;
      std::vector<int32_t> lengths = {1, T - 4};
      std::vector<float> a((size_t)2 * T * A);
      for (size_t i = 0; i < a.size(); i++)
        a[i] = 0.25f * (float)(i * 7 % 5) + 1.0f;
      both annotations, state;
      annotations.set(a);
      state.set(std::vector<float>(2 * A, sign * 64.0f));
      device_array<int32_t> d_lengths(lengths);
      device_array<float> d_alphas((size_t)2 * T), d_context(2 * A);
      struct attend attend = {};
      attend.score = scored.score;
      attend.start.state_units = A;
      attend.start.d_given_h = state.d();
      attend.batch = 2;
      attend.time = T;
      attend.d_lengths = d_lengths.data();
      attend.d_annotations = annotations.d();
      attend.d_alphas = d_alphas.data();
      attend.alphas_stride = T;
      attend.d_context = d_context.data();
      attend.context_stride = A;
      if (!device.launched(launch_attend(&attend, &device.stream), "energies far from 0"))
        return;
      std::vector<double> want_alphas, want_context;
      for (int b = 0; b < 2; b++) {
        std::vector<double> row(a.begin() + (size_t)b * T * A, a.begin() + (size_t)(b + 1) * T * A), alphas,
            context;
        std::vector<double> s(A, sign * 64.0);
        std::vector<std::vector<double>> keys(T);
        for (int t = 0; t < T; t++)
          keys[t] = scored.host_key(row.data() + (size_t)t * A);
        scored.host_attend(row.data(), keys, lengths[b], T, s.data(), alphas, context);
        want_alphas.insert(want_alphas.end(), alphas.begin(), alphas.end());
        want_context.insert(want_context.end(), context.begin(), context.end());
      }
      check_close("energies far from 0: alphas", d_alphas.read(), want_alphas, BOUND_OF_A_SOFTMAX);
      check_close("energies far from 0: context", d_context.read(), want_context, BOUND_OF_A_SOFTMAX);
    }
}

/* Rows of several blocks: a row has the bits that it has alone and without padding, whatever was on the
 * workspace before; and either result may be left out. */
static void long_rows_check(void) {
  const int B = 5, T = 1700, A = 40, S = 12, lengths[] = {1700, 512, 513, 1, 1100};
  random_source random(11);
  test_device device;
  random_score scored;
  scored.make(CUSEQ_SCORE_CONCAT, A, S, {4, 1}, {TANH, LINEAR}, random);
  both annotations, keys, state;
  annotations.set(random.values((size_t)B * T * A, 1.0f));
  keys.set(random.values((size_t)B * T * 4, 2.0f));
  state.set(random.values((size_t)B * S, 1.0f));
  device_array<int32_t> d_lengths(std::vector<int32_t>(lengths, lengths + B));
  device_array<float> d_alphas((size_t)B * T), d_context((size_t)B * A);
  struct attend attend = {};
  attend.score = scored.score;
  attend.start.state_units = S;
  attend.start.d_given_h = state.d();
  attend.batch = B;
  attend.time = T;
  attend.d_lengths = d_lengths.data();
  attend.d_annotations = annotations.d();
  attend.d_keys = keys.d();
  attend.alphas_stride = T;
  attend.context_stride = A;
  attend.d_alphas = d_alphas.data();
  attend.d_context = d_context.data();
  device_array<char> workspace(std::vector<char>(attend_workspace_bytes(&attend, &device.device), 0));
  attend.d_workspace = workspace.data();
  if (!device.launched(launch_attend(&attend, &device.stream), "long rows"))
    return;
  std::vector<float> alphas = d_alphas.read(), context = d_context.read();
  for (int b = 0; b < B; b++) {
    struct attend alone = attend;
    size_t first = (size_t)b * T;
    device_array<float> own_alphas((size_t)lengths[b]), own_context((size_t)A);
    alone.batch = 1;
    alone.time = lengths[b];
    alone.d_lengths = nullptr;
    alone.d_annotations += first * A;
    alone.d_keys += first * 4;
    alone.start.d_given_h += (size_t)b * S;
    for (int wanted = 1; wanted <= 3; wanted++) {
      alone.d_alphas = wanted & 1 ? own_alphas.data() : nullptr;
      alone.d_context = wanted & 2 ? own_context.data() : nullptr;
      if (!device.launched(launch_attend(&alone, &device.stream), "a long row"))
        return;
    }
    check_that(std::memcmp(own_alphas.read().data(), alphas.data() + first, (size_t)lengths[b] * 4) == 0 &&
                   std::memcmp(own_context.read().data(), context.data() + (size_t)b * A, A * 4) == 0,
               "a long row alone has the same bits");
    for (int t = lengths[b]; t < T; t++)
      check_that(alphas[first + t] == 0.0f, "weights of masked positions of a long row are zero");
  }
  check_that(workspace.intact(), "long rows: workspace");
}

/* kind, and whether the caller gives the state */
static void initial_state_case_check(cuseq_initial_state kind, bool given, int B, int D, int H, int S,
                                     bool cell, uint64_t seed) {
  random_source random(seed);
  test_device device;
  both final[2], kernel[2], bias[2], state[2];
  for (int i = 0; i < 2; i++) {
    final[i].set(random.values((size_t)D * B * H, 1.0f));
    kernel[i].set(random.values((size_t)D * H * S, 1.0f / std::sqrt((float)(D * H))));
    bias[i].set(random.values(S, 0.5f));
    state[i].set(random.values((size_t)B * S, 1.0f));
  }
  struct initial_states arguments = {};
  arguments.start = {kind,
                     TANH,
                     D,
                     H,
                     S,
                     given ? state[0].d() : nullptr,
                     given ? state[1].d() : nullptr,
                     final[0].d(),
                     final[1].d(),
                     kernel[0].d(),
                     bias[0].d(),
                     kernel[1].d(),
                     bias[1].d()};
  device_array<float> d_h((size_t)B * S), d_c((size_t)B * S);
  arguments.batch = B;
  arguments.d_h = d_h.data();
  arguments.d_c = cell ? d_c.data() : nullptr;
  std::string what = "initial state kind " + std::to_string(kind) + " S " + std::to_string(S);
  if (!device.launched(launch_initial_states(&arguments, &device.stream), what))
    return;
  for (int i = 0; i < (cell ? 2 : 1); i++) {
    std::vector<double> want;
    for (int b = 0; b < B; b++) {
      std::vector<double> x, y(S, 0.0);
      for (int d = 0; d < D; d++)
        for (int k = 0; k < H; k++)
          x.push_back(final[i].host[((size_t)d * B + b) * H + k]);
      if (given)
        y.assign(state[i].host.begin() + (size_t)b * S, state[i].host.begin() + (size_t)(b + 1) * S);
      else if (kind == CUSEQ_INITIAL_STATE_ENCODER)
        y = x;
      else if (kind == CUSEQ_INITIAL_STATE_DENSE) {
        y = host_dense(x.data(), D * H, kernel[i].host.data(), bias[i].host.data(), S);
        for (double &value : y)
          value = std::tanh(value);
      }
      want.insert(want.end(), y.begin(), y.end());
    }
    check_close(what.c_str(), i ? d_c.read() : d_h.read(), want, bound_of_sums(D * H));
  }
  check_that(d_h.intact() && d_c.intact(), "initial states: nothing is written outside");
}

static void refusals_check(void) {
  test_device device;
  random_source random(5);
  random_score scored;
  scored.make(CUSEQ_SCORE_CONCAT, 4, 4, {3, 1}, {TANH}, random);
  struct attend attend = {};
  attend.score = scored.score;
  attend.start.state_units = 4;
  attend.batch = 1;
  attend.time = 2;
  check_that(launch_attend(&attend, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT && device.error[0],
             "a step without annotations is refused");
  attend.score.layers = 9;
  check_that(launch_attend(&attend, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "nine layers are refused");
  device_array<float> some((size_t)16);
  attend.score = scored.score;
  attend.d_annotations = attend.d_keys = some.data();
  attend.start.kind = CUSEQ_INITIAL_STATE_ZEROS;
  attend.heads = 2;
  check_that(launch_attend(&attend, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT &&
                 strstr(device.error, "no inner product") != nullptr,
             "heads of layers are refused");
  random_score product;
  product.make(CUSEQ_SCORE_GENERAL, 4, 4, {}, {}, random);
  attend.score = product.score;
  attend.heads = 3;
  check_that(launch_attend(&attend, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT &&
                 strstr(device.error, "do not divide the values") != nullptr,
             "heads that do not divide the values are refused");
  attend.score = scored.score;
  attend.heads = 0;
  attend.time = 0;
  check_that(launch_attend(&attend, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "T of 0 is refused");
  struct attention_keys keys = {scored.score, 1, 2, nullptr, nullptr, CUSEQ_PRECISION_FLOAT32};
  check_that(launch_attention_keys(&keys, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "keys without annotations are refused");
  struct initial_states states = {};
  states.start = {CUSEQ_INITIAL_STATE_ENCODER,
                  TANH,
                  2,
                  3,
                  5,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr};
  states.batch = 1;
  check_that(launch_initial_states(&states, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "an encoder's state of another width is refused");
}

int main() {
  attention_check();
  long_rows_check();
  for (int n : {1, 16, 33, 64, 129, 200}) {
    initial_state_case_check(CUSEQ_INITIAL_STATE_ZEROS, false, 3, 2, n, 2 * n, true, 100 + n);
    initial_state_case_check(CUSEQ_INITIAL_STATE_ENCODER, false, 3, 2, n, 2 * n, true, 200 + n);
    initial_state_case_check(CUSEQ_INITIAL_STATE_ENCODER, false, 2, 1, n, n, false, 300 + n);
    initial_state_case_check(CUSEQ_INITIAL_STATE_DENSE, false, 3, 2, 17, n, true, 400 + n);
    initial_state_case_check(CUSEQ_INITIAL_STATE_DENSE, true, 2, 1, 17, n, true, 500 + n);
  }
  extremes_check();
  refusals_check();
  return check_end();
}
