/* Self-attention by inner products: against float64, over heads, widths and ragged rows; a row's bits
 * whatever its batch and its padding; and against the other kernel that attends, asked by every position. */
#include "attention_host.h"

struct self_case {
  int B, T, heads, units, wide; /* of one head */
  bool ragged;
  int gap; /* floats between the positions of each array */
  float size;
};

static std::string case_name(const struct self_case &c) {
  return "self-attention B " + std::to_string(c.B) + " T " + std::to_string(c.T) + " heads " +
         std::to_string(c.heads) + " units " + std::to_string(c.units) + " columns " +
         std::to_string(c.wide) + (c.ragged ? " ragged" : "") + " gap " + std::to_string(c.gap);
}

/* Queries, keys and values; what lies behind a row's length, and between positions, is NaN: nothing of it may
 * be looked at. */
struct self_arrays {
  std::vector<int32_t> lengths;
  both queries, keys, values;
  int query_stride, value_stride;

  void make(const struct self_case &c, random_source &random) {
    lengths = random_lengths(c.B, c.T, c.ragged, random);
    if (!c.ragged)
      lengths.assign(c.B, c.T);
    query_stride = c.heads * c.units + c.gap;
    value_stride = c.heads * c.wide + c.gap;
    queries.set(filled(c, c.heads * c.units, c.size, random));
    keys.set(filled(c, c.heads * c.units, c.size, random));
    values.set(filled(c, c.heads * c.wide, 1.0f, random));
  }
  std::vector<float> filled(const struct self_case &c, int width, float size, random_source &random) const {
    std::vector<float> all((size_t)c.B * c.T * (width + c.gap), NAN);
    for (int b = 0; b < c.B; b++)
      for (int t = 0; t < lengths[b]; t++)
        for (int i = 0; i < width; i++)
          all[((size_t)b * c.T + t) * (width + c.gap) + i] = random.value(size);
    return all;
  }
  struct self_attend arguments(const struct self_case &c, const int32_t *d_lengths, float *d_output) const {
    struct self_attend a = {};
    a.batch = c.B, a.time = c.T, a.heads = c.heads;
    a.key_width = c.heads * c.units, a.value_width = c.heads * c.wide;
    a.scale = scale(c);
    a.d_lengths = d_lengths;
    a.d_queries = queries.d(), a.d_keys = keys.d(), a.d_values = values.d();
    a.query_stride = a.key_stride = query_stride;
    a.value_stride = a.output_stride = value_stride;
    a.d_output = d_output;
    return a;
  }
  static float scale(const struct self_case &c) {
    return 1.0f / std::sqrt((float)c.units);
  }
  /* -7 between positions, as the output has it before the call. */
  std::vector<double> want(const struct self_case &c) const {
    std::vector<double> all((size_t)c.B * c.T * value_stride, -7.0);
    for (int b = 0; b < c.B; b++)
      for (int t = 0; t < c.T; t++)
        for (int h = 0; h < c.heads; h++)
          position(c, b, t, h, &all[((size_t)b * c.T + t) * value_stride + h * c.wide]);
    return all;
  }
  void position(const struct self_case &c, int b, int t, int h, double *output) const {
    std::fill(output, output + c.wide, 0.0);
    if (t >= lengths[b])
      return;
    const float *q = &queries.host[((size_t)b * c.T + t) * query_stride + h * c.units];
    std::vector<double> alphas(lengths[b], 0.0);
    for (int j = 0; j < lengths[b]; j++) {
      const float *k = &keys.host[((size_t)b * c.T + j) * query_stride + h * c.units];
      for (int i = 0; i < c.units; i++)
        alphas[j] += (double)q[i] * k[i];
      alphas[j] *= scale(c);
    }
    host_softmax(alphas, lengths[b]);
    for (int j = 0; j < lengths[b]; j++) {
      const float *v = &values.host[((size_t)b * c.T + j) * value_stride + h * c.wide];
      for (int i = 0; i < c.wide; i++)
        output[i] += alphas[j] * v[i];
    }
  }
};

/* The last row, without its padding, has the bits that it has among the others. */
static void alone_check(const struct self_case &c, const struct self_arrays &arrays,
                        const std::vector<float> &got, test_device &device, const std::string &what) {
  struct self_case one = c;
  size_t first = (size_t)(c.B - 1) * c.T;
  one.B = 1, one.T = arrays.lengths[c.B - 1];
  device_array<float> d_output(std::vector<float>((size_t)one.T * arrays.value_stride, -7.0f));
  struct self_attend a = arrays.arguments(one, nullptr, d_output.data());
  a.d_queries += first * arrays.query_stride;
  a.d_keys += first * arrays.query_stride;
  a.d_values += first * arrays.value_stride;
  if (device.launched(launch_self_attend(&a, &device.stream), what + " alone"))
    check_that(std::memcmp(d_output.read().data(), got.data() + first * arrays.value_stride,
                           (size_t)one.T * arrays.value_stride * 4) == 0,
               (what + ": a row alone has the same bits").c_str());
}

static void self_check(const struct self_case &c, uint64_t seed) {
  random_source random(seed);
  test_device device;
  struct self_arrays arrays;
  arrays.make(c, random);
  std::string what = case_name(c);
  device_array<int32_t> d_lengths(arrays.lengths);
  device_array<float> d_output(std::vector<float>((size_t)c.B * c.T * arrays.value_stride, -7.0f));
  device_array<uint64_t> d_fault(std::vector<uint64_t>(1, UINT64_MAX));
  struct self_attend a = arrays.arguments(c, c.ragged ? d_lengths.data() : nullptr, d_output.data());
  a.check.d_fault = d_fault.data();
  if (!device.launched(launch_self_attend(&a, &device.stream), what))
    return;
  std::vector<float> got = d_output.read();
  /* energies are sums of units products of numbers up to size, scaled: what they err, alphas err */
  double bound = bound_of_sums(c.units) * std::fmax(1.0, c.size * c.size) + BOUND_OF_A_SOFTMAX;
  check_close(what.c_str(), got, arrays.want(c), bound);
  check_that(d_fault.read()[0] == UINT64_MAX, "what is finite is no fault");
  check_that(d_output.intact(), "nothing is written outside of the output");
  alone_check(c, arrays, got, device, what);
}

static void sizes_check(void) {
  uint64_t seed = 1;
  for (int T : {1, 7, 64, 130})
    for (int heads : {1, 3, 4})
      for (int wide : {1, 5, 16, 33}) {
        self_check({3, T, heads, wide, wide, true, 0, 1.0f}, seed++);
        self_check({2, T, heads, 37 - wide, wide, false, 3, 1.0f}, seed++);
      }
  for (int n : {15, 17, 31, 32, 63, 64, 65, 127, 128, 129, 144, 200, 256, 257, 300, 512}) {
    self_check({2, 40, 1, n, n, true, 0, 1.0f}, seed++);
    self_check({1, 33, 1, 8, n, false, 4, 1.0f}, seed++);
    self_check({2, n, 2, 12, 20, true, 0, 1.0f}, seed++);
  }
  self_check({2, 70, 2, 8, 280, true, 0, 1.0f}, seed++); /* columns of several blocks, in heads */
  self_check({1, 2000, 1, 4, 6, false, 0, 1.0f}, seed++);
  self_check({2, 150, 2, 16, 8, true, 0, 6.0f}, seed++); /* sharp: a few weights are all */
}

/* Energies that rise with every tile, and whose exponentials alone overflow, or are all 0. */
static void extremes_check(void) {
  const int T = 300;
  for (float slope : {2.0f, 0.01f, -2.0f, 0.0f})
    for (float offset : {-300.0f, 0.0f, 300.0f}) {
      test_device device;
      std::vector<float> query(T, 1.0f), key(T), value(T);
      std::vector<double> alphas(T), want;
      for (int t = 0; t < T; t++) {
        key[t] = offset + slope * (float)t; /* energies are exactly these */
        value[t] = (float)(t % 7) - 3.0f;
        alphas[t] = key[t];
      }
      host_softmax(alphas, T);
      double context = 0;
      for (int t = 0; t < T; t++)
        context += alphas[t] * value[t];
      want.assign(T, context);
      device_array<float> d_query(query), d_key(key), d_value(value), d_output((size_t)T);
      struct self_attend a = {};
      a.batch = a.heads = a.key_width = a.value_width = 1;
      a.time = T;
      a.scale = 1.0f;
      a.d_queries = d_query.data(), a.d_keys = d_key.data(), a.d_values = d_value.data();
      a.query_stride = a.key_stride = a.value_stride = a.output_stride = 1;
      a.d_output = d_output.data();
      if (device.launched(launch_self_attend(&a, &device.stream), "energies far from 0"))
        check_close("energies far from 0", d_output.read(), want, 3 * BOUND_OF_A_SOFTMAX);
    }
}

/* The same by launch_attend, whose rows name what they attend to. */
static void attend_check(int B, int T, int A, uint64_t seed) {
  random_source random(seed);
  test_device device;
  const struct self_case c = {B, T, 1, A, A, true, 0, 1.0f};
  struct self_arrays arrays;
  arrays.make(c, random);
  std::vector<float> finite = arrays.queries.host; /* attend copies the queries of all rows */
  for (float &x : finite)
    x = std::isnan(x) ? 0.0f : x;
  arrays.queries.set(finite);
  device_array<int32_t> d_lengths(arrays.lengths), d_rows((size_t)B * T), d_attended((size_t)B * T);
  device_array<float> d_output((size_t)B * T * A), d_context((size_t)B * T * A);
  const struct self_rows rows = {B, T, d_lengths.data(), d_rows.data(), d_attended.data()};
  struct self_attend self = arrays.arguments(c, d_lengths.data(), d_output.data());
  struct attend attend = {};
  attend.score.score = CUSEQ_SCORE_GENERAL;
  attend.score.scale = self.scale;
  attend.score.annotation_width = attend.score.state_units = attend.start.state_units = A;
  attend.start.d_given_h = self.d_queries;
  attend.batch = B * T;
  attend.time = T;
  attend.d_rows = d_rows.data();
  attend.d_lengths = d_attended.data();
  attend.d_annotations = attend.d_keys = self.d_keys;
  attend.d_values = self.d_values;
  attend.values_width = A;
  attend.d_context = d_context.data();
  attend.context_stride = A;
  device_array<char> workspace(std::vector<char>(attend_workspace_bytes(&attend, &device.device), 0));
  attend.d_workspace = workspace.data();
  if (!device.launched(launch_self_rows(&rows, &device.stream), "rows that ask") ||
      !device.launched(launch_self_attend(&self, &device.stream), "self-attention") ||
      !device.launched(launch_attend(&attend, &device.stream), "attention that every position asks"))
    return;
  std::vector<float> other = d_context.read();
  check_close("self-attention, and attention that every position asks", d_output.read(),
              std::vector<double>(other.begin(), other.end()), 2 * bound_of_sums(A));
  check_that(d_rows.intact() && d_attended.intact(), "nothing is written outside of the rows that ask");
}

/* A fault has the row's number and the stage of a merge. */
static void fault_check(void) {
  const struct self_case c = {3, 40, 2, 4, 4, false, 0, 1.0f};
  for (float bad : {INFINITY, NAN}) {
    random_source random(5);
    test_device device;
    struct self_arrays arrays;
    arrays.make(c, random);
    std::vector<float> keys = arrays.keys.host;
    keys[((size_t)1 * c.T + 35) * arrays.query_stride + 6] = bad;
    arrays.keys.set(keys);
    device_array<float> d_output((size_t)c.B * c.T * arrays.value_stride);
    device_array<uint64_t> d_fault(std::vector<uint64_t>(1, UINT64_MAX));
    struct self_attend a = arrays.arguments(c, nullptr, d_output.data());
    a.check.d_fault = d_fault.data();
    a.check.first_row = 10;
    if (device.launched(launch_self_attend(&a, &device.stream), "a key that is not finite"))
      check_that(d_fault.read()[0] == ((uint64_t)11 << 32 | LAUNCH_STAGE_MERGE),
                 "a key that is not finite is told of its row");
  }
}

static void refusals_check(void) {
  test_device device;
  device_array<float> some((size_t)4);
  struct self_attend good = {};
  good.batch = good.time = good.heads = good.key_width = good.value_width = 1;
  good.scale = 1.0f;
  good.d_queries = good.d_keys = good.d_values = some.data();
  good.d_output = some.data();
  struct self_attend bad[] = {good, good, good, good, good, good};
  bad[0].batch = 0;
  bad[1].time = 0;
  bad[2].heads = 0;
  bad[3].heads = bad[3].key_width = 2;
  bad[4].d_output = nullptr;
  bad[5].batch = bad[5].time = 1 << 20;
  for (const struct self_attend &one : bad)
    check_that(launch_self_attend(&one, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT && device.error[0],
               "impossible sizes and missing arrays are refused");
  const struct self_rows none = {1, 1, nullptr, nullptr, nullptr};
  check_that(launch_self_rows(&none, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "rows without an array are refused");
}

int main() {
  sizes_check();
  extremes_check();
  attend_check(2, 45, 24, 3);
  attend_check(1, 520, 3, 4); /* attend's rows of several blocks */
  fault_check();
  refusals_check();
  return check_end();
}
