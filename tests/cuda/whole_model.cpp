/* Whole models in one launch against float64, and against a launch per stage bit by bit: encoder, attention,
 * decoder; ids and dense x; both directions and one; every merge; one layer and more; one pass over the steps
 * and several. */
#include "decoder_host.h"

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

  /* x [T,F] of row b of B -> annotations [T,A], final states [D,B,H] from `first` on */
  void host_encode(const double *x, int b, int B, int length, cuseq_merge merge, double *annotations,
                   size_t first, std::vector<double> &final_h, std::vector<double> &final_c) const {
    std::vector<double> both_sides((size_t)length * D * H);
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
          both_sides[(size_t)t * D * H + d * H + j] = h[j];
        }
      }
      std::copy(h.begin(), h.end(), final_h.begin() + first + ((size_t)d * B + b) * H);
      std::copy(c.begin(), c.end(), final_c.begin() + first + ((size_t)d * B + b) * H);
    }
    bool merges = D == 2 && merge != CUSEQ_MERGE_CONCAT;
    for (int t = 0; t < length; t++)
      for (int j = 0; j < (merges ? H : D * H); j++) {
        double f = both_sides[(size_t)t * D * H + j], g = merges ? both_sides[(size_t)t * D * H + H + j] : 0;
        annotations[(size_t)t * (merges ? H : D * H) + j] = !merges                    ? f
                                                            : merge == CUSEQ_MERGE_MUL ? f * g
                                                            : merge == CUSEQ_MERGE_SUM ? f + g
                                                                                       : (f + g) / 2;
      }
  }
};

/* The encoder as launches of its own: the same bits. Not where a product ahead of it is another's work. */
static void encoder_stages_check(const struct whole_model &model, int A,
                                 const std::vector<float> &annotations, const std::vector<float> &final_h,
                                 const std::string &what) {
  test_device device;
  const struct sequence &e = model.encoder;
  size_t positions = (size_t)e.batch * e.time, state = (size_t)e.directions * e.batch * e.units;
  bool merges = e.directions == 2 && model.merge != CUSEQ_MERGE_CONCAT;
  device_array<float> outputs[2] = {device_array<float>(positions * A), device_array<float>(positions * A)};
  device_array<float> sides(2 * positions * e.units), h(model.layers * state), c(model.layers * state);
  for (int l = 0; l < model.layers; l++) {
    struct sequence a = e;
    a.mapping = sequence_mapping_choose(e.units, &device.device);
    if (l > 0) {
      a.d_ids = nullptr;
      a.d_x = outputs[(l - 1) % 2].data();
      a.features = A;
      a.d_kernel = model.above[l - 1].d_kernel;
      a.d_recurrent = model.above[l - 1].d_recurrent;
      a.d_bias = model.above[l - 1].d_bias;
    }
    if (a.d_x && !sequence_mapping_takes_x(a.mapping, a.features, a.units))
      return;
    a.d_initial_h += l * state;
    a.d_initial_c += l * state;
    a.d_final_h = h.data() + l * state;
    a.d_final_c = c.data() + l * state;
    float *output = outputs[l % 2].data();
    a.d_output[0] = merges ? sides.data() : output;
    a.d_output[1] = merges ? sides.data() + positions * e.units : output + e.units;
    a.leading = merges ? e.units : A;
    struct layer_merge merge = {model.merge, (int64_t)positions * e.units, a.d_output[0], a.d_output[1],
                                output};
    if (!device.launched(launch_sequence(&a, &device.stream), what) ||
        (merges && !device.launched(launch_layer_merge(&merge, &device.stream), what)))
      return;
  }
  check_that(std::memcmp(outputs[(model.layers - 1) % 2].read().data(), annotations.data(),
                         annotations.size() * 4) == 0 &&
                 std::memcmp(h.read().data(), final_h.data(), final_h.size() * 4) == 0,
             (what + ": the bits of the encoder's stages").c_str());
}

/* Keys and decoder (or attention) as launches of their own on what the whole model encoded: the same bits. */
static void stages_check(const struct whole_model &model, const decoder_case &c,
                         const std::vector<float> &contexts, const std::vector<float> &alphas,
                         const std::string &what) {
  test_device device;
  struct decode d = model.decode;
  device_array<float> keys((size_t)c.B * c.T * attention_score_key_width(&d.score));
  d.batch = c.B;
  d.time = c.T;
  d.d_lengths = model.encoder.d_lengths;
  d.d_annotations = model.encoder.d_output[0];
  d.d_keys = keys.data();
  size_t above = (size_t)(model.layers - 1) * model.encoder.directions * c.B * model.encoder.units;
  d.start.d_final_h = model.encoder.d_final_h + above;
  d.start.d_final_c = model.encoder.d_final_c + above;
  struct attention_keys key_arguments = {d.score,         c.B,         c.T,
                                         d.d_annotations, keys.data(), CUSEQ_PRECISION_FLOAT32};
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

/* What a case has beside its decoder. */
struct whole_shape {
  int F, H, D;
  bool ids;
  cuseq_merge merge;
  int layers, limit; /* limit > 0: shared bytes of the device */
};

static std::vector<double> last_layer(const std::vector<double> &states, int layers) {
  return std::vector<double>(states.end() - (long)(states.size() / (size_t)layers), states.end());
}

/* c.A follows from the shape; c.V = 0: attention only. */
static void whole_shape_check(decoder_case c, const struct whole_shape &shape, uint64_t seed) {
  random_source random(seed);
  test_device device;
  if (shape.limit && shape.limit < device.device.shared_bytes)
    device.device.shared_bytes = shape.limit;
  int F = shape.F, H = shape.H, D = shape.D, layers = shape.layers;
  bool attention_only = c.V == 0, ids = shape.ids;
  c.A = D == 2 && shape.merge != CUSEQ_MERGE_CONCAT ? H : D * H;
  std::vector<random_encoder> encoders;
  std::vector<float> initial_h, initial_c;
  for (int l = 0; l < layers; l++) {
    encoders.emplace_back(l == 0 ? F : c.A, H, D, c.B, random);
    encoders[l].recurrent = c.recurrent;
    encoders[l].activation = c.activation;
    initial_h.insert(initial_h.end(), encoders[l].initial_h.host.begin(), encoders[l].initial_h.host.end());
    initial_c.insert(initial_c.end(), encoders[l].initial_c.host.begin(), encoders[l].initial_c.host.end());
  }
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
                     " merge " + std::to_string(shape.merge) + " layers " + std::to_string(layers) +
                     " limit " + std::to_string(shape.limit) + (ids ? " ids " : " x ") + decoder.c.name();
  std::vector<int32_t> lengths = random_lengths(c.B, c.T, c.ragged, random), tokens((size_t)c.B * c.T);
  std::vector<float> x = random.values((size_t)c.B * c.T * F, 1.0f);
  for (size_t n = 0; n < tokens.size(); n++) {
    tokens[n] = (int32_t)(random.next() % (uint32_t)F);
    for (int f = 0; ids && f < F; f++)
      x[n * F + f] = f == tokens[n];
  }
  size_t states = (size_t)layers * D * c.B * H;
  device_array<int32_t> d_lengths(lengths), d_ids(tokens);
  device_array<float> d_x(x), d_initial_h(initial_h), d_initial_c(initial_c),
      d_annotations((size_t)c.B * c.T * c.A), d_final_h(states), d_final_c(states);
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
  model.encoder.d_kernel = encoders[0].packed_kernel.d();
  model.encoder.d_recurrent = encoders[0].packed_recurrent.d();
  model.encoder.d_bias = encoders[0].packed_bias.d();
  model.encoder.d_initial_h = d_initial_h.data();
  model.encoder.d_initial_c = d_initial_c.data();
  model.encoder.d_output[0] = d_annotations.data();
  model.encoder.d_final_h = d_final_h.data();
  model.encoder.d_final_c = d_final_c.data();
  model.layers = layers;
  for (int l = 1; l < layers; l++)
    model.above[l - 1] = {encoders[l].packed_kernel.d(), encoders[l].packed_recurrent.d(),
                          encoders[l].packed_bias.d()};
  model.merge = shape.merge;
  model.decode = decoder.d;
  if (!whole_model_possible(&model, &device.device)) { /* sm_75 and sm_120 have little shared memory */
    check_that(device.device.shared_bytes < (shape.limit ? shape.limit : 100 * 1024),
               (what + ": fits in one launch").c_str());
    check_that(launch_whole_model(&model, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
               (what + ": what does not fit is refused").c_str());
    return;
  }
  std::vector<double> annotations((size_t)c.B * c.T * c.A, 0.0), final_h(states), final_c(states),
      below(x.begin(), x.end());
  for (int l = 0; l < layers; l++) {
    std::vector<double> made(annotations.size(), 0.0);
    size_t row = (size_t)c.T * (l == 0 ? F : c.A);
    for (int b = 0; b < c.B; b++)
      encoders[l].host_encode(below.data() + b * row, b, c.B, c.ragged ? lengths[b] : c.T, shape.merge,
                              made.data() + (size_t)b * c.T * c.A, l * (states / layers), final_h, final_c);
    below = annotations = made;
  }
  std::vector<double> last_h = last_layer(final_h, layers), last_c = last_layer(final_c, layers);
  decoder_result want;
  if (attention_only)
    for (int b = 0; b < c.B; b++) {
      std::vector<std::vector<double>> keys;
      for (int t = 0; t < c.T; t++)
        keys.push_back(decoder.scored.host_key(annotations.data() + ((size_t)b * c.T + t) * c.A));
      std::vector<double> s = decoder.host_start(b, false, last_h), alphas, context;
      decoder.scored.host_attend(annotations.data() + (size_t)b * c.T * c.A, keys,
                                 c.ragged ? lengths[b] : c.T, c.T, s.data(), alphas, context);
      want.alphas.insert(want.alphas.end(), alphas.begin(), alphas.end());
      want.contexts.insert(want.contexts.end(), context.begin(), context.end());
    }
  else
    want = decoder.host_decode(annotations, lengths, {}, last_h, last_c);
  double bound = decoder_bound(c);
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
  encoder_stages_check(model, c.A, d_annotations.read(), d_final_h.read(), what);
  check_that(d_annotations.intact() && d_final_h.intact() && d_final_c.intact(),
             (what + ": nothing is written outside").c_str());
}

static void whole_case_check(const decoder_case &c, int F, int H, int D, bool ids, uint64_t seed) {
  whole_shape_check(c, {F, H, D, ids, CUSEQ_MERGE_CONCAT, 1, 0}, seed);
}

/* Merges and layers, and devices whose shared memory makes several passes of a row. */
static void shapes_check(uint64_t seed) {
  std::vector<cuseq_activation> tanh_relu = {TANH, RELU};
  decoder_case c = {CONCAT, {4, 1}, tanh_relu, 2,    19,    0,     20,   9,       2,
                    0,      NONE,   -1,        true, ZEROS, false, TANH, SIGMOID, SOFTMAX};
  for (int H : {16, 31, 50})
    for (cuseq_merge merge : {CUSEQ_MERGE_SUM, CUSEQ_MERGE_MUL, CUSEQ_MERGE_AVE})
      whole_shape_check(c, {9, H, 2, merge == CUSEQ_MERGE_MUL, merge, 1, 0}, seed++);
  for (int H : {12, 32, 64})
    for (int layers : {2, 3, 4})
      whole_shape_check(
          c,
          {9, H, 1 + layers % 2, layers == 2, layers == 3 ? CUSEQ_MERGE_CONCAT : CUSEQ_MERGE_SUM, layers, 0},
          seed++);
  c.T = 45;
  for (int H : {16, 32, 64})
    for (int layers : {1, 2})
      for (bool ids : {false, true})
        whole_shape_check(c,
                          {30, H, 2, ids, CUSEQ_MERGE_CONCAT, layers,
                           ((24 + H) << 10) + (layers - 1) * c.T * (2 * H + 1) * 4},
                          seed++);
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
  for (int H : {1, 15, 16, 17, 31, 32, 33, 63, 64})
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
  for (int T : {1, 2, 31, 64, 150, 512})
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
  shapes_check(seed);
  return check_end();
}
