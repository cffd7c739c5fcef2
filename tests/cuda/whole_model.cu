/* Whole models in one launch against float64: encoder, attention, decoder; ids and dense x; both directions and one. */
#include "decoder_host.h"

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

/* The encoder's weights in Keras's layout by direction, and packed on the device. */
struct random_encoder {
  int F, H, D;
  cuseq_activation activation, recurrent;
  std::vector<float> kernel[2], recurrent_kernel[2], bias[2];
  both packed_kernel, packed_recurrent, packed_bias, initial_h, initial_c;

  random_encoder(int features, int units, int directions, int B, random_source &random)
      : F(features), H(units), D(directions), activation(TANH), recurrent(SIGMOID) {
    std::vector<float> all((size_t)F * D * H * 4), u, b;
    for (int d = 0; d < D; d++) {
      kernel[d] = random.values((size_t)F * 4 * H, 2.0f / std::sqrt((float)F));
      recurrent_kernel[d] = random.values((size_t)H * 4 * H, 1.5f / std::sqrt((float)H));
      bias[d] = random.values(4 * (size_t)H, 0.5f);
      std::vector<float> one = gates_innermost(kernel[d], H);
      for (int f = 0; f < F; f++)
        std::copy(one.begin() + (size_t)f * 4 * H, one.begin() + (size_t)(f + 1) * 4 * H,
                  all.begin() + ((size_t)f * D + d) * 4 * H);
      one = gates_innermost(recurrent_kernel[d], H);
      u.insert(u.end(), one.begin(), one.end());
      one = gates_innermost(bias[d], H);
      b.insert(b.end(), one.begin(), one.end());
    }
    packed_kernel.set(all);
    packed_recurrent.set(u);
    packed_bias.set(b);
    initial_h.set(random.values((size_t)D * B * H, 1.0f));
    initial_c.set(random.values((size_t)D * B * H, 1.0f));
  }

  /* x [T,F] of row b of B -> annotations [T,D H], final states [D,B,H] */
  void host_encode(const double *x, int b, int B, int T, int length, double *annotations,
                   std::vector<double> &final_h, std::vector<double> &final_c) const {
    for (int d = 0; d < D; d++) {
      std::vector<double> h(H), c(H);
      for (int j = 0; j < H; j++) {
        h[j] = initial_h.host[((size_t)d * B + b) * H + j];
        c[j] = initial_c.host[((size_t)d * B + b) * H + j];
      }
      for (int s = 0; s < length; s++) {
        int t = d == 0 ? s : length - 1 - s;
        std::vector<double> z = host_dense(x + (size_t)t * F, F, kernel[d].data(), bias[d].data(), 4 * H);
        std::vector<double> r = host_dense(h.data(), H, recurrent_kernel[d].data(), nullptr, 4 * H);
        for (int j = 0; j < H; j++) {
          double f = host_activate(recurrent, z[H + j] + r[H + j]);
          c[j] = f * c[j] + host_activate(recurrent, z[j] + r[j]) *
                                host_activate(activation, z[2 * H + j] + r[2 * H + j]);
          h[j] = host_activate(recurrent, z[3 * H + j] + r[3 * H + j]) * host_activate(activation, c[j]);
          annotations[(size_t)t * D * H + d * H + j] = h[j];
        }
      }
      std::copy(h.begin(), h.end(), final_h.begin() + ((size_t)d * B + b) * H);
      std::copy(c.begin(), c.end(), final_c.begin() + ((size_t)d * B + b) * H);
    }
    (void)T;
  }
};

/* Keys and decoder (or attention) as launches of their own on what the whole model encoded: the same bits. */
static void stages_check(const struct whole_model &model, const decoder_case &c,
                         const std::vector<float> &contexts, const std::vector<float> &alphas,
                         const std::string &what) {
  test_device device;
  struct decode d = model.decode;
  device_array<float> keys((size_t)c.B * c.T * attention_key_width(&d.score));
  d.batch = c.B;
  d.time = c.T;
  d.d_lengths = model.encoder.d_lengths;
  d.d_annotations = model.encoder.d_output[0];
  d.d_keys = keys.data();
  d.start.d_final_h = model.encoder.d_final_h;
  d.start.d_final_c = model.encoder.d_final_c;
  struct attention_keys key_arguments = {d.score, c.B, c.T, d.d_annotations, keys.data()};
  if (d.score.score != DOT && !device.launched(launch_attention_keys(&key_arguments, &device.stream), what))
    return;
  decoder_outputs outputs(c);
  outputs.put(&d, c.V ? ALL : 3);
  struct attend attend = {};
  attend.score = d.score;
  attend.start = d.start;
  attend.batch = c.B;
  attend.time = c.T;
  attend.d_lengths = d.d_lengths;
  attend.d_annotations = d.d_annotations;
  attend.d_keys = d.d_keys;
  attend.d_alphas = d.d_alphas;
  attend.alphas_stride = c.T;
  attend.d_context = d.d_contexts;
  attend.context_stride = c.A;
  if (!device.launched(c.V ? launch_decode(&d, &device.stream) : launch_attend(&attend, &device.stream),
                       what))
    return;
  check_that(std::memcmp(outputs.contexts.read().data(), contexts.data(), contexts.size() * 4) == 0 &&
                 std::memcmp(outputs.alphas.read().data(), alphas.data(), alphas.size() * 4) == 0,
             (what + ": the bits of the stages").c_str());
}

/* c.A = D H; c.V = 0: attention only. `ids`: token ids in place of dense x. */
static void whole_case_check(decoder_case c, int F, int H, int D, bool ids, uint64_t seed) {
  random_source random(seed);
  test_device device;
  bool attention_only = c.V == 0;
  c.A = D * H;
  random_encoder encoder(F, H, D, c.B, random);
  encoder.recurrent = c.recurrent;
  encoder.activation = c.activation;
  random_decoder decoder(c, random);
  decoder.H = H;
  decoder.d.start.units = H;
  decoder.d.start.directions = D;
  if (c.initial == DENSE)
    for (int i = 0; i < 4; i += 2)
      decoder.initial[i].set(random.values((size_t)D * H * c.S, 0.5f));
  decoder.d.start.d_kernel_h = decoder.initial[0].d();
  decoder.d.start.d_kernel_c = decoder.initial[2].d();
  std::string what = "whole F " + std::to_string(F) + " H " + std::to_string(H) + " D " + std::to_string(D) +
                     (ids ? " ids " : " x ") + decoder.c.name();
  std::vector<int32_t> lengths = random_lengths(c.B, c.T, c.ragged, random), tokens((size_t)c.B * c.T);
  std::vector<float> x = random.values((size_t)c.B * c.T * F, 1.0f);
  for (size_t n = 0; n < tokens.size(); n++) {
    tokens[n] = (int32_t)(random.next() % (uint32_t)F);
    for (int f = 0; ids && f < F; f++)
      x[n * F + f] = f == tokens[n];
  }
  device_array<int32_t> d_lengths(lengths), d_ids(tokens);
  device_array<float> d_x(x), d_annotations((size_t)c.B * c.T * c.A), d_final_h((size_t)D * c.B * H),
      d_final_c((size_t)D * c.B * H);
  struct whole_model model = {};
  model.encoder.batch = c.B;
  model.encoder.time = c.T;
  model.encoder.units = H;
  model.encoder.directions = D;
  model.encoder.activation = c.activation;
  model.encoder.recurrent_activation = c.recurrent;
  model.encoder.d_lengths = c.ragged ? d_lengths.data() : nullptr;
  model.encoder.d_ids = ids ? d_ids.data() : nullptr;
  model.encoder.d_x = ids ? nullptr : d_x.data();
  model.encoder.features = F;
  model.encoder.d_kernel = encoder.packed_kernel.d();
  model.encoder.d_recurrent = encoder.packed_recurrent.d();
  model.encoder.d_bias = encoder.packed_bias.d();
  model.encoder.d_initial_h = encoder.initial_h.d();
  model.encoder.d_initial_c = encoder.initial_c.d();
  model.encoder.d_output[0] = d_annotations.data();
  model.encoder.d_final_h = d_final_h.data();
  model.encoder.d_final_c = d_final_c.data();
  model.merge = CUSEQ_MERGE_CONCAT;
  model.decode = decoder.d;
  if (!whole_model_possible(&model, &device.device)) { /* sm_75 and sm_120 have little shared memory */
    check_that(device.device.shared_bytes < (c.T > 64 ? 100 : 65) * 1024,
               (what + ": fits in one launch").c_str());
    check_that(launch_whole_model(&model, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
               (what + ": what does not fit is refused").c_str());
    return;
  }
  std::vector<double> annotations((size_t)c.B * c.T * c.A, 0.0), final_h((size_t)D * c.B * H),
      final_c((size_t)D * c.B * H), wide(x.begin(), x.end());
  for (int b = 0; b < c.B; b++)
    encoder.host_encode(wide.data() + (size_t)b * c.T * F, b, c.B, c.T, c.ragged ? lengths[b] : c.T,
                        annotations.data() + (size_t)b * c.T * c.A, final_h, final_c);
  decoder_result want;
  if (attention_only)
    for (int b = 0; b < c.B; b++) {
      std::vector<std::vector<double>> keys;
      for (int t = 0; t < c.T; t++)
        keys.push_back(decoder.scored.host_key(annotations.data() + ((size_t)b * c.T + t) * c.A));
      std::vector<double> s = decoder.host_start(b, false, final_h), alphas, context;
      decoder.scored.host_attend(annotations.data() + (size_t)b * c.T * c.A, keys,
                                 c.ragged ? lengths[b] : c.T, c.T, s.data(), alphas, context);
      want.alphas.insert(want.alphas.end(), alphas.begin(), alphas.end());
      want.contexts.insert(want.contexts.end(), context.begin(), context.end());
    }
  else
    want = decoder.host_decode(annotations, lengths, {}, final_h, final_c);
  double bound = c.T <= 64 ? 3e-6 : 1e-5;
  unsigned wanted = attention_only ? 3 : ALL;
  std::vector<float> first;
  for (int run = 0; run < 2; run++) {
    decoder_outputs outputs(c);
    outputs.put(&model.decode, wanted);
    if (!device.launched(launch_whole_model(&model, &device.stream), what))
      return;
    outputs.check(what, want, bound, wanted);
    std::vector<float> bits = outputs.contexts.read();
    check_that(run == 0 || std::memcmp(bits.data(), first.data(), bits.size() * 4) == 0,
               (what + ": the same bits again").c_str());
    first = bits;
    if (run == 1)
      stages_check(model, c, bits, outputs.alphas.read(), what);
  }
  check_close((what + " annotations").c_str(), d_annotations.read(), annotations, bound);
  check_close((what + " encoder h").c_str(), d_final_h.read(), final_h, bound);
  check_close((what + " encoder c").c_str(), d_final_c.read(), final_c, bound);
  check_that(d_annotations.intact() && d_final_h.intact() && d_final_c.intact(),
             (what + ": nothing is written outside").c_str());
}

int main(int count, char **arguments) {
  uint64_t seed = 1;
  std::vector<cuseq_activation> tanh_relu = {TANH, RELU};
  const decoder_case dates = {CONCAT, {10, 1}, tanh_relu, 2,     30,    0,     64,   11,     10,
                              0,      NONE,    -1,        false, ZEROS, false, TANH, KERAS2, SOFTMAX};
  const decoder_case seed_model = {CONCAT, {1},  {TANH}, 5,     30,      0,     32,   0,       1,
                                   0,      NONE, -1,     false, ENCODER, false, TANH, SIGMOID, SOFTMAX};
  std::string only = count > 1 ? arguments[1] : "";
  if (only != "w1")
    whole_case_check(dates, 37, 32, 2, true, seed++);
  if (only != "w2")
    whole_case_check(seed_model, 37, 16, 2, false, seed++);
  if (!only.empty())
    return check_end();
  whole_case_check(dates, 37, 32, 2, false, seed++);
  for (int H : {1, 15, 16, 17, 31, 32})
    for (int D : {1, 2}) {
      whole_case_check(
          {ADDITIVE, {7}, {}, 3, 13, 0, 9, 12, 3, 4, OUTPUT, 2, true, DENSE, false, TANH, SIGMOID, SOFTMAX},
          20, H, D, true, seed++);
      whole_case_check(
          {DOT, {}, {}, 2, 33, 0, D * H, 40, 2, 0, NONE, -1, true, ENCODER, false, TANH, HARD, LINEAR}, 5, H,
          D, false, seed++);
      whole_case_check(
          {GENERAL, {}, {}, 2, 5, 0, 21, 0, 1, 0, NONE, -1, true, DENSE, false, RELU, KERAS2, SOFTMAX}, 300,
          H, D, false, seed++);
    }
  for (int T : {1, 2, 31, 64, 150})
    whole_case_check({CONCAT,
                      {5, 4, 1},
                      tanh_relu,
                      2,
                      T,
                      0,
                      24,
                      6,
                      2,
                      0,
                      OUTPUT,
                      1,
                      true,
                      ENCODER,
                      true,
                      TANH,
                      SIGMOID,
                      SOFTMAX},
                     9, 12, 2, T % 2 == 0, seed++);
  whole_case_check({CONCAT,
                    {4, 1},
                    tanh_relu,
                    271,
                    3,
                    0,
                    6,
                    5,
                    2,
                    0,
                    OUTPUT,
                    1,
                    true,
                    ZEROS,
                    false,
                    TANH,
                    SIGMOID,
                    SOFTMAX},
                   6, 4, 2, true, seed++); /* more rows than blocks */
  return check_end();
}
