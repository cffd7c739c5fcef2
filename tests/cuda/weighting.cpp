/* Weights of the positions, for each feature by itself: against float64, over sizes and ragged rows; a row's
 * bits whatever its batch; what is not finite. */
#include "attention_host.h"
#include "kernels/launch_weighting.h"

struct weighting_case {
  int B, T, width;
  bool ragged, bias;
  float size; /* of the kernel's elements, times the root of T */
};

static std::string case_name(const struct weighting_case &c) {
  return "weighting B " + std::to_string(c.B) + " T " + std::to_string(c.T) + " width " +
         std::to_string(c.width) + (c.ragged ? " ragged" : "") + (c.bias ? " bias" : "");
}

/* What lies behind a row's length is NaN: nothing of it may be looked at. */
struct weighting_arrays {
  std::vector<int32_t> lengths;
  both x, kernel, bias;

  void make(const struct weighting_case &c, random_source &random) {
    lengths = random_lengths(c.B, c.T, c.ragged, random);
    if (!c.ragged)
      lengths.assign(c.B, c.T);
    std::vector<float> all((size_t)c.B * c.T * c.width, NAN);
    for (int b = 0; b < c.B; b++)
      for (int i = 0; i < lengths[b] * c.width; i++)
        all[(size_t)b * c.T * c.width + i] = random.value(1.0f);
    x.set(all);
    kernel.set(random.values((size_t)c.T * c.T, c.size / std::sqrt((float)c.T)));
    if (c.bias)
      bias.set(random.values((size_t)c.T, 1.0f));
  }
  struct weighting arguments(const struct weighting_case &c, const int32_t *d_lengths,
                             float *d_output) const {
    struct weighting a = {};
    a.batch = c.B, a.time = c.T, a.width = c.width;
    a.d_lengths = d_lengths;
    a.d_kernel = kernel.d(), a.d_bias = bias.d(), a.d_x = x.d();
    a.d_output = d_output;
    return a;
  }
  std::vector<double> want(const struct weighting_case &c) const {
    std::vector<double> all((size_t)c.B * c.T * c.width, 0.0);
    for (int b = 0; b < c.B; b++)
      for (int j = 0; j < c.width && lengths[b] > 0; j++) {
        const float *of = &x.host[(size_t)b * c.T * c.width + j];
        std::vector<double> alphas(c.T, 0.0);
        for (int t = 0; t < lengths[b]; t++) {
          alphas[t] = c.bias ? bias.host[t] : 0.0;
          for (int k = 0; k < lengths[b]; k++)
            alphas[t] += (double)kernel.host[(size_t)k * c.T + t] * of[(size_t)k * c.width];
        }
        host_softmax(alphas, lengths[b]);
        for (int t = 0; t < lengths[b]; t++)
          all[((size_t)b * c.T + t) * c.width + j] = alphas[t] * of[(size_t)t * c.width];
      }
    return all;
  }
};

/* The last row has the bits that it has among the others. */
static void alone_check(const struct weighting_case &c, const struct weighting_arrays &arrays,
                        const device_array<int32_t> &d_lengths, const std::vector<float> &got,
                        test_device &device, const std::string &what) {
  struct weighting_case one = c;
  const size_t first = (size_t)(c.B - 1) * c.T * c.width, count = (size_t)c.T * c.width;
  one.B = 1;
  device_array<float> d_output(count);
  struct weighting a = arrays.arguments(one, d_lengths.data() + (c.B - 1), d_output.data());
  a.d_x += first;
  if (device.launched(launch_weighting(&a, &device.stream), what + " alone"))
    check_that(std::memcmp(d_output.read().data(), got.data() + first, count * 4) == 0,
               (what + ": a row alone has the same bits").c_str());
}

static void weighting_check(const struct weighting_case &c, uint64_t seed) {
  random_source random(seed);
  test_device device;
  struct weighting_arrays arrays;
  arrays.make(c, random);
  std::string what = case_name(c);
  device_array<int32_t> d_lengths(arrays.lengths);
  device_array<float> d_output((size_t)c.B * c.T * c.width);
  device_array<uint64_t> d_fault(std::vector<uint64_t>(1, UINT64_MAX));
  struct weighting a = arrays.arguments(c, c.ragged ? d_lengths.data() : nullptr, d_output.data());
  a.check.d_fault = d_fault.data();
  if (!device.launched(launch_weighting(&a, &device.stream), what))
    return;
  std::vector<float> got = d_output.read();
  check_close(what.c_str(), got, arrays.want(c), bound_of_sums(c.T) * c.size + BOUND_OF_A_SOFTMAX);
  check_that(d_fault.read()[0] == UINT64_MAX, "what is finite is no fault");
  check_that(d_output.intact(), "nothing is written outside of the output");
  alone_check(c, arrays, d_lengths, got, device, what);
}

static void sizes_check(void) {
  uint64_t seed = 1;
  for (int T : {1, 2, 7, 31, 32, 33, 64, 65, 130})
    for (int width : {1, 5, 31, 32, 33, 70}) {
      weighting_check({3, T, width, true, seed % 2 == 0, 1.0f}, seed);
      weighting_check({1, T, width, false, seed % 2 == 1, 3.0f}, seed + 1000);
      seed++;
    }
  weighting_check({2, 500, 3, true, true, 1.0f}, seed++);
  weighting_check({2, 40, 8, true, true, 20.0f}, seed++); /* sharp: a few weights are all */
}

/* A fault has the row's number and the stage of a merge; energies that overflow are one, and such as are
 * minus infinity beside others are none. */
static void fault_check(void) {
  const struct weighting_case c = {3, 9, 4, false, true, 1.0f};
  for (int kind = 0; kind < 3; kind++) {
    random_source random(5);
    test_device device;
    struct weighting_arrays arrays;
    arrays.make(c, random);
    std::vector<float> x = arrays.x.host, kernel = arrays.kernel.host;
    if (kind == 0)
      x[((size_t)1 * c.T + 5) * c.width + 2] = NAN;
    for (int k = 0; k < c.T && kind > 0; k++) {
      x[((size_t)1 * c.T + k) * c.width + 2] = 2.0f;
      kernel[(size_t)k * c.T + 3] = kind == 1 ? 3e38f : -3e38f;
    }
    if (kind > 0) /* the other rows and features have nothing of it */
      for (size_t i = 0; i < x.size(); i++)
        x[i] = i / (c.T * c.width) == 1 && i % c.width == 2 ? 2.0f : 0.0f;
    arrays.x.set(x);
    arrays.kernel.set(kernel);
    device_array<float> d_output((size_t)c.B * c.T * c.width);
    device_array<uint64_t> d_fault(std::vector<uint64_t>(1, UINT64_MAX));
    struct weighting a = arrays.arguments(c, nullptr, d_output.data());
    a.check.d_fault = d_fault.data();
    a.check.first_row = 10;
    const uint64_t fault = kind == 2 ? UINT64_MAX : (uint64_t)11 << 32 | LAUNCH_STAGE_MERGE;
    if (device.launched(launch_weighting(&a, &device.stream), "energies out of range"))
      check_that(d_fault.read()[0] == fault, "energies out of range are told of their row");
  }
}

static void refusals_check(void) {
  test_device device;
  device_array<float> some((size_t)4), other((size_t)4);
  struct weighting good = {};
  good.batch = good.time = good.width = 1;
  good.d_kernel = good.d_x = some.data();
  good.d_output = other.data();
  struct weighting bad[] = {good, good, good, good, good, good};
  bad[0].batch = 0;
  bad[1].time = 0;
  bad[2].width = 0;
  bad[3].d_kernel = nullptr;
  bad[4].d_output = some.data();
  bad[5].batch = bad[5].width = 1 << 20;
  for (const struct weighting &one : bad)
    check_that(launch_weighting(&one, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT && device.error[0],
               "impossible sizes and missing arrays are refused");
}

int main() {
  sizes_check();
  fault_check();
  refusals_check();
  return check_end();
}
