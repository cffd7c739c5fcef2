/* The decoder loop alone against float64: every score, initial state, feedback, activation; sizes, lengths,
 * end tokens. */
#include "decoder_host.h"

static std::vector<double> doubles(const std::vector<float> &x) {
  return std::vector<double>(x.begin(), x.end());
}

/* Two launches with all outputs, the same bits; then one for each output alone. `limit` > 0: shared bytes of
 * the device; `larger`: times the last layer of score concat. */
static void decode_case_check(const decoder_case &c, uint64_t seed, bool previous_given = false,
                              int limit = 0, bool each_alone = false, float larger = 1.0f) {
  random_source random(seed);
  test_device device;
  if (limit && limit < device.device.shared_bytes)
    device.device.shared_bytes = limit;
  random_decoder decoder(c, random);
  if (larger != 1.0f) {
    std::vector<float> last = decoder.scored.kernels[1].host;
    for (float &w : last)
      w *= larger;
    decoder.scored.kernels[1].set(last);
    decoder.d.score.d_kernel[1] = decoder.scored.score.d_kernel[1] = decoder.scored.kernels[1].d();
  }
  std::string what = decoder.c.name() + " limit " + std::to_string(limit);
  std::vector<int32_t> lengths = random_lengths(c.B, c.T, c.ragged, random), previous;
  both annotations;
  annotations.set(random_annotations(c.B, c.T, c.A, lengths, random));
  device_array<int32_t> d_lengths(lengths);
  for (int b = 0; previous_given && b < c.B; b++)
    previous.push_back((int32_t)(random.next() % (uint32_t)c.V));
  device_array<int32_t> d_previous(previous);
  int U = attention_score_key_width(&decoder.scored.score);
  device_array<float> d_keys((size_t)c.B * c.T * U);
  struct decode d = decoder.d;
  if (c.kind != DOT) {
    struct attention_keys keys = {decoder.scored.score, c.B,           c.T,
                                  annotations.d(),      d_keys.data(), CUSEQ_PRECISION_FLOAT32};
    if (!device.launched(launch_attention_keys(&keys, &device.stream), what))
      return;
    d.d_keys = d_keys.data();
  }
  d.d_annotations = annotations.d();
  d.d_lengths = c.ragged ? d_lengths.data() : nullptr;
  d.d_previous = previous_given ? d_previous.data() : nullptr;
  device_array<char> workspace(decode_workspace_bytes(&d, &device.device));
  d.d_workspace = workspace.data();
  decoder_result want = decoder.host_decode(doubles(annotations.host), lengths, previous,
                                            doubles(decoder.final_h.host), doubles(decoder.final_c.host));
  double bound = decoder_bound(c);
  std::vector<float> first;
  for (int run = 0; run < 2; run++) {
    decoder_outputs outputs(c);
    outputs.put(&d, ALL);
    if (!device.launched(launch_decode(&d, &device.stream), what))
      return;
    outputs.check(what, want, bound, ALL);
    std::vector<float> bits = outputs.states.read();
    check_that(run == 0 || std::memcmp(bits.data(), first.data(), bits.size() * 4) == 0,
               (what + ": the same bits again").c_str());
    first = bits;
  }
  for (unsigned wanted = 0; each_alone && wanted < ALL; wanted = wanted ? 2 * wanted : 1) {
    decoder_outputs outputs(c);
    outputs.put(&d, wanted);
    if (!device.launched(launch_decode(&d, &device.stream), what))
      return;
    outputs.check(what + " alone " + std::to_string(wanted), want, bound, wanted);
  }
  check_that(workspace.intact(), (what + ": workspace").c_str());
}

/* A row's bits with others beside it are those it has alone. */
static void rows_alone_check(void) {
  decoder_case c = {CONCAT, {10, 1}, {TANH, RELU}, 5,     17,      12,   12,   5,       4,
                    0,      OUTPUT,  -1,           false, ENCODER, true, TANH, SIGMOID, SOFTMAX};
  random_source random(77);
  test_device device;
  random_decoder decoder(c, random);
  both annotations, keys;
  annotations.set(random_annotations(c.B, c.T, c.A, {}, random));
  keys.set(random.values((size_t)c.B * c.T * 10, 1.0f));
  decoder_outputs all(c);
  struct decode d = decoder.d;
  d.d_annotations = annotations.d();
  d.d_keys = keys.d();
  all.put(&d, ALL);
  device.launched(launch_decode(&d, &device.stream), "all rows");
  std::vector<float> together = all.outputs.read();
  for (int b = 0; b < c.B; b++) {
    decoder_outputs one(c);
    d.batch = 1;
    d.d_annotations = annotations.d() + (size_t)b * c.T * c.A;
    d.d_keys = keys.d() + (size_t)b * c.T * 10;
    d.start.d_given_h = decoder.given_h.d() + (size_t)b * c.S;
    d.start.d_given_c = decoder.given_c.d() + (size_t)b * c.S;
    one.put(&d, ALL);
    device.launched(launch_decode(&d, &device.stream), "one row");
    size_t row = (size_t)c.Y * c.V;
    check_that(std::memcmp(one.outputs.read().data(), together.data() + b * row, row * 4) == 0,
               "a row's bits do not depend on the others");
  }
}

/* A row's bits do not depend on how far it is padded. */
static void padding_check(void) {
  decoder_case c = {CONCAT, {10, 1}, {TANH, LINEAR}, 1,       20,   64,   64,      11,     6, 0,
                    OUTPUT, -1,      false,          ENCODER, true, TANH, SIGMOID, SOFTMAX};
  random_source random(78);
  test_device device;
  random_decoder decoder(c, random);
  std::vector<float> annotations = random.values((size_t)c.T * c.A, 1.0f),
                     keys = random.values((size_t)c.T * 10, 1.0f);
  device_array<int32_t> d_length(std::vector<int32_t>(1, c.T));
  std::vector<float> first;
  for (int T : {20, 70, 600}) {
    both padded, padded_keys;
    annotations.resize((size_t)T * c.A, NAN);
    keys.resize((size_t)T * 10, NAN);
    padded.set(annotations);
    padded_keys.set(keys);
    decoder_case longer = c;
    longer.T = T;
    decoder_outputs outputs(longer);
    struct decode d = decoder.d;
    d.time = T;
    d.d_lengths = d_length.data();
    d.d_annotations = padded.d();
    d.d_keys = padded_keys.d();
    outputs.put(&d, ALL);
    device.launched(launch_decode(&d, &device.stream), "a padded row");
    std::vector<float> bits = outputs.outputs.read();
    check_that(T == 20 || std::memcmp(bits.data(), first.data(), bits.size() * 4) == 0,
               "a row's bits do not depend on how far it is padded");
    first = bits;
  }
}

/* The dates' decoder, with as many units as annotations are wide. */
static decoder_case dates_case(int units, int steps, bool ragged, cuseq_activation recurrent) {
  return {CONCAT, {10, 1}, {TANH, RELU}, 2,      30,    units, units, 11,        steps,
          0,      NONE,    -1,           ragged, ZEROS, false, TANH,  recurrent, SOFTMAX};
}

/* The loop whose weights stay in registers: positions beyond a set of 32, classes and units at its ends,
 * and energies that may be too large for it. */
static void small_check(void) {
  uint64_t seed = 3000;
  std::vector<cuseq_activation> tanh_linear = {TANH, LINEAR};
  for (int T : {1, 31, 32, 33, 64, 65, 129})
    for (int end : {-1, 3})
      decode_case_check({CONCAT,
                         {16, 1},
                         tanh_linear,
                         3,
                         T,
                         64,
                         64,
                         32,
                         7,
                         0,
                         OUTPUT,
                         end,
                         true,
                         ZEROS,
                         true,
                         TANH,
                         SIGMOID,
                         SOFTMAX},
                        seed++, true);
  for (int Y : {1, 2, 3, 4, 5})
    decode_case_check(
        {ADDITIVE, {16}, {}, 2, 9, 23, 37, 9, Y, 0, NONE, -1, true, ZEROS, true, TANH, SIGMOID, LINEAR},
        seed++, false, 0, Y == 4);
  for (float larger : {10.0f, 25.0f, 60.0f})
    decode_case_check(dates_case(64, 2, true, SIGMOID), seed++, false, 0, false, larger);
}

/* Of equal logits the first wins, in a warp and across warps; also where all are equal. */
static void ties_check(void) {
  for (int V : {1, 9, 40, 700}) {
    decoder_case c = {CONCAT, {1},  {TANH}, 1,     3,     4,     4,    V,       3,
                      0,      NONE, -1,     false, ZEROS, false, TANH, SIGMOID, SOFTMAX};
    random_source random(91);
    test_device device;
    random_decoder decoder(c, random);
    both annotations, keys, kernel, bias;
    annotations.set(random.values(12, 1.0f));
    keys.set(random.values(3, 1.0f));
    for (int first : {0, V / 2}) {
      std::vector<float> biases(V, 0.25f);
      for (int v = 0; v < first; v++)
        biases[v] = -1.0f;
      kernel.set(std::vector<float>((size_t)c.S * V, 0.0f));
      bias.set(biases);
      decoder_outputs outputs(c);
      struct decode d = decoder.d;
      d.d_annotations = annotations.d();
      d.d_keys = keys.d();
      d.d_output_kernel = kernel.d();
      d.d_output_bias = bias.d();
      outputs.put(&d, ALL);
      device.launched(launch_decode(&d, &device.stream), "ties");
      check_that(outputs.tokens.read() == std::vector<int32_t>(3, first), "the lowest of equal classes wins");
    }
  }
}

/* A model whose logits are `biases`, exactly; its tokens, and its outputs against float64's. */
static void logits_check(const std::vector<float> &biases, int token, const char *what) {
  int V = (int)biases.size();
  decoder_case c = {CONCAT, {1},  {TANH}, 1,     3,     4,     4,    V,       2,
                    0,      NONE, -1,     false, ZEROS, false, TANH, SIGMOID, SOFTMAX};
  random_source random(92);
  test_device device;
  random_decoder decoder(c, random);
  both annotations, keys, kernel, bias;
  annotations.set(random.values(12, 1.0f));
  keys.set(random.values(3, 1.0f));
  kernel.set(std::vector<float>((size_t)c.S * V, 0.0f));
  bias.set(biases);
  decoder_outputs outputs(c);
  struct decode d = decoder.d;
  d.d_annotations = annotations.d();
  d.d_keys = keys.d();
  d.d_output_kernel = kernel.d();
  d.d_output_bias = bias.d();
  outputs.put(&d, ALL);
  device.launched(launch_decode(&d, &device.stream), what);
  check_that(outputs.tokens.read() == std::vector<int32_t>(2, token), what);
  std::vector<double> want = doubles(biases);
  for (double value : want)
    if (std::isnan(value))
      return;
  host_softmax(want, V);
  want.insert(want.end(), want.begin(), want.end());
  check_close(what, outputs.outputs.read(), want, BOUND_OF_A_SOFTMAX);
}

/* Logits whose exponentials alone overflow, or are all 0; NaN is never chosen, but at 0 it is never
 * beaten. */
static void extremes_check(void) {
  for (int V : {1, 9, 40, 700}) {
    std::vector<float> high(V), low(V), first(V), all(V, NAN), middle(V);
    for (int v = 0; v < V; v++) {
      high[v] = 300.0f + 0.25f * (float)(v % 5);
      low[v] = high[v] - 600.0f;
      first[v] = v ? 1.0f : NAN;
      middle[v] = v == V / 2 && v ? NAN : v == V - 1 ? 2.0f : 1.0f;
    }
    int best = V < 5 ? V - 1 : 4;
    logits_check(high, best, "logits far above 0");
    logits_check(low, best, "logits far below 0");
    logits_check(first, 0, "NaN comes first");
    logits_check(all, 0, "all are NaN");
    logits_check(middle, V - 1, "NaN is not chosen");
  }
}

static void sizes_check(void) {
  uint64_t seed = 1000;
  std::vector<cuseq_activation> tanh_relu = {TANH, RELU};
  for (int n : {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 256}) {
    decode_case_check(dates_case(n, 3, true, KERAS2), seed++);
    decode_case_check(
        {ADDITIVE, {n}, {}, 2, 7, 9, 14, n, 3, 0, OUTPUT, 0, true, DENSE, false, TANH, SIGMOID, SOFTMAX},
        seed++);
    decode_case_check(
        {GENERAL, {}, {}, 2, n, 20, n + 3, 6, 2, n, OUTPUT, 2, true, DENSE, false, RELU, HARD, SOFTMAX},
        seed++);
  }
  for (int T : {1, 30, 31, 33, 500, 513})
    decode_case_check(
        {DOT, {}, {}, 2, T, 24, 24, 5, 3, 0, NONE, -1, true, ENCODER, false, TANH, SIGMOID, LINEAR}, seed++);
  decode_case_check({CONCAT,
                     {6, 1},
                     tanh_relu,
                     1,
                     5000,
                     6,
                     6,
                     3,
                     2,
                     0,
                     NONE,
                     -1,
                     false,
                     ZEROS,
                     false,
                     TANH,
                     SIGMOID,
                     SOFTMAX},
                    seed++);
  decode_case_check({CONCAT,
                     {4, 3, 1},
                     {TANH, SIGMOID, LINEAR},
                     3,
                     9,
                     8,
                     8,
                     4,
                     40,
                     3,
                     OUTPUT,
                     1,
                     true,
                     ENCODER,
                     false,
                     LINEAR,
                     KERAS2,
                     SOFTMAX},
                    seed++);
  decode_case_check(
      {GENERAL, {}, {}, 1, 3, 5, 600, 1500, 2, 0, OUTPUT, -1, false, ZEROS, false, TANH, SIGMOID, SOFTMAX},
      seed++);
}

static void configurations_check(void) {
  uint64_t seed = 2000;
  for (cuseq_activation activation : {TANH, RELU, LINEAR})
    for (cuseq_activation recurrent : {SIGMOID, HARD, KERAS2})
      decode_case_check({CONCAT,
                         {1},
                         {TANH},
                         2,
                         6,
                         10,
                         12,
                         7,
                         4,
                         0,
                         OUTPUT,
                         3,
                         true,
                         DENSE,
                         false,
                         activation,
                         recurrent,
                         SOFTMAX},
                        seed++);
  for (cuseq_initial_state initial : {ZEROS, ENCODER, DENSE})
    for (bool given : {false, true})
      decode_case_check(
          {DOT, {}, {}, 3, 8, 16, 16, 40, 5, 4, OUTPUT, 39, true, initial, given, TANH, SIGMOID, SOFTMAX},
          seed++, true);
  for (cuseq_activation output : {SOFTMAX, LINEAR})
    decode_case_check({CONCAT,
                       {10, 1},
                       {TANH, RELU},
                       3,
                       30,
                       16,
                       12,
                       50,
                       4,
                       0,
                       NONE,
                       7,
                       true,
                       ZEROS,
                       true,
                       TANH,
                       KERAS2,
                       output},
                      seed++, false, 0, true);
  /* ends that nobody reads off the tokens */
  decode_case_check({DOT, {}, {}, 6, 5, 8, 8, 3, 7, 0, NONE, 1, true, ZEROS, true, TANH, SIGMOID, SOFTMAX},
                    seed++, false, 0, true);
  /* the dates; then with less shared memory, down to none for anything but partial sums */
  for (int limit : {0, 160 * 1024, 96 * 1024, 48 * 1024, 12 * 1024, 4608})
    decode_case_check(dates_case(64, 3, false, KERAS2), seed++, false, limit);
  decode_case_check({CONCAT,
                     {6, 5, 1},
                     {TANH, RELU},
                     3,
                     40,
                     16,
                     16,
                     35,
                     3,
                     9,
                     OUTPUT,
                     -1,
                     true,
                     ENCODER,
                     false,
                     TANH,
                     SIGMOID,
                     SOFTMAX},
                    seed++, false, 4608);
  /* more in every block's part of the workspace than its slack */
  decode_case_check(
      {DOT, {}, {}, 3, 8000, 2, 2, 4, 2, 0, NONE, -1, true, ZEROS, false, TANH, SIGMOID, SOFTMAX}, seed++,
      false, 4608);
  /* more rows than blocks */
  decode_case_check({CONCAT,
                     {2, 1},
                     {TANH, RELU},
                     601,
                     3,
                     4,
                     4,
                     5,
                     2,
                     0,
                     OUTPUT,
                     2,
                     true,
                     ZEROS,
                     false,
                     TANH,
                     SIGMOID,
                     SOFTMAX},
                    seed++);
}

static void refusals_check(void) {
  test_device device;
  random_source random(5);
  decoder_case c = {DOT, {}, {}, 1, 2, 4, 4, 3, 2, 0, OUTPUT, 1, false, ZEROS, false, TANH, SIGMOID, SOFTMAX};
  random_decoder decoder(c, random);
  both annotations;
  annotations.set(random.values(8, 1.0f));
  struct decode d = decoder.d;
  check_that(launch_decode(&d, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT && device.error[0],
             "a decoder without annotations is refused");
  d.d_annotations = annotations.d();
  d.start_token = 3;
  check_that(launch_decode(&d, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "a start token that is no class is refused");
  d.start_token = 0;
  d.steps = 0;
  check_that(launch_decode(&d, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "Y of 0 is refused");
  d.steps = 2;
  d.d_output_kernel = nullptr;
  check_that(launch_decode(&d, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "a decoder without output weights is refused");
}

int main() {
  sizes_check();
  configurations_check();
  rows_alone_check();
  padding_check();
  small_check();
  ties_check();
  extremes_check();
  refusals_check();
  return check_end();
}
