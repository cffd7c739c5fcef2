/* What lies between products: the end of dense layers, residuals, rows of a table. */
#include "bounds.h"
#include "cell_host.h"

static const int B = 5, T = 7; /* rows of the batch, positions of each */

/* Positions of the rows that count: all, or of every row some. */
static std::vector<int32_t> lengths_of(void) {
  std::vector<int32_t> lengths;
  for (int b = 0; b < B; b++)
    lengths.push_back(b == 0 ? 1 : b == 1 ? T : 1 + b * 5 % T);
  return lengths;
}

struct finish_case {
  int width, apart; /* apart: floats between two rows */
  cuseq_activation activation;
  bool has_bias, has_added, has_lengths, has_running;
};

/* output = activation(sums + bias) + added; 0 beyond the lengths, untouched where a row does not run, and
 * nothing read in either place. */
static void check_finish(const struct finish_case &c, const struct launch_stream *stream) {
  const int step = 3, W = c.width, wide = W + c.apart;
  std::vector<int32_t> lengths = lengths_of(), running;
  for (int b = 0; b < B; b++)
    running.push_back(b % 2 ? step + 1 : step);
  std::vector<float> sums, added, bias, before((size_t)B * T * wide, 77.0f);
  std::vector<double> want(before.begin(), before.end());
  for (int j = 0; j < W; j++)
    bias.push_back(0.25f * std::cos(5.0f * (float)j));
  for (int p = 0; p < B * T; p++) {
    int b = p / T;
    bool runs = !c.has_running || step < running[b], there = !c.has_lengths || p % T < lengths[b];
    for (int j = 0; j < wide; j++) {
      float v = std::sin((float)(p * wide + j)), x = std::cos(0.7f * (float)(p + j));
      bool counts = runs && there && j < W;
      sums.push_back(counts ? v : NAN);
      added.push_back(counts ? x : NAN);
      double y = host_activate(c.activation, (double)v + (c.has_bias && j < W ? (double)bias[j] : 0.0));
      if (runs && j < W)
        want[(size_t)p * wide + j] = there ? y + (c.has_added ? (double)x : 0.0) : 0.0;
    }
  }
  device_array<float> d_sums(sums), d_added(added), d_bias(bias), d_output(before);
  device_array<int32_t> d_lengths(lengths), d_running(running);
  struct dense_finish a = {};
  a.rows = (int64_t)B * T, a.width = W, a.positions = T, a.activation = c.activation;
  a.d_sums = d_sums.data(), a.sums_stride = a.added_stride = a.output_stride = wide;
  a.d_bias = c.has_bias ? d_bias.data() : NULL, a.d_added = c.has_added ? d_added.data() : NULL;
  a.d_output = d_output.data();
  a.d_lengths = c.has_lengths ? d_lengths.data() : NULL,
  a.d_running = c.has_running ? d_running.data() : NULL;
  a.step = step, a.stage = LAUNCH_STAGE_MERGE;
  check_that(launch_dense_finish(&a, stream) == CUSEQ_STATUS_OK, "the end of a dense layer launches");
  check_close("the end of a dense layer", d_output.read(), want, bound_of_sums(2));
  check_that(d_output.intact(), "nothing is written outside of the output");
}

/* Rows of a table, in place of what was there or on top of it. */
static void check_lookup(int width, bool is_transposed, bool is_unit, bool adds, bool has_lengths,
                         const struct launch_stream *stream) {
  const int rows = 11, wide = width + 3;
  std::vector<int32_t> lengths = lengths_of(), ids;
  std::vector<float> table, before;
  for (int i = 0; i < rows * width; i++)
    table.push_back((float)i);
  std::vector<double> want;
  for (int p = 0; p < B * T; p++) {
    bool there = !has_lengths || p % T < lengths[p / T];
    ids.push_back(there ? p * 7 % rows : 1 << 30);
    for (int j = 0; j < wide; j++) {
      int place = is_transposed ? j * rows + ids[p] : ids[p] * width + j;
      double x = !there || j >= width ? 0.0 : is_unit ? (j == ids[p]) : (double)place;
      before.push_back(0.5f * (float)j);
      want.push_back(j >= width || adds ? 0.5 * j + x : x);
    }
  }
  device_array<float> d_table(table), d_output(before);
  device_array<int32_t> d_lengths(lengths), d_ids(ids);
  struct table_lookup a = {};
  a.rows = (int64_t)B * T, a.width = width, a.positions = T, a.d_ids = d_ids.data();
  a.d_table = is_unit ? NULL : d_table.data();
  a.row_stride = is_transposed ? 1 : width, a.column_stride = is_transposed ? rows : 1;
  a.d_output = d_output.data(), a.output_stride = wide, a.adds = adds;
  a.d_lengths = has_lengths ? d_lengths.data() : NULL;
  check_that(launch_table_lookup(&a, stream) == CUSEQ_STATUS_OK, "rows of a table launch");
  check_close("rows of a table", d_output.read(), want, 0.0);
  check_that(d_output.intact(), "nothing is written outside of the output");
}

/* sums + bias, of which some are brought to mean 0 and variance 1, scaled and shifted; rows beyond the
 * lengths are not read, and stay as they are. A row of equal numbers becomes the offsets. */
static void check_norm(int width, int first, int units, bool has_bias, bool has_lengths,
                       const struct launch_stream *stream) {
  std::vector<int32_t> lengths = lengths_of();
  std::vector<float> sums, bias, scale, offset;
  std::vector<double> want;
  const double epsilon = 1e-3;
  for (int j = 0; j < width; j++)
    bias.push_back(has_bias ? 0.25f * std::cos(5.0f * (float)j) : 0.0f);
  for (int j = 0; j < units; j++)
    scale.push_back(1.0f + 0.5f * std::sin(3.0f * (float)j)), offset.push_back(std::cos(2.0f * (float)j));
  for (int p = 0; p < B * T; p++) {
    const bool there = !has_lengths || p % T < lengths[p / T];
    std::vector<double> z;
    double mean = 0.0, variance = 0.0;
    for (int j = 0; j < width; j++) {
      sums.push_back(!there ? 99.0f : p == 1 ? 3.0f - bias[j] : std::sin((float)(p * width + j)));
      z.push_back((double)(sums.back() + bias[j]));
    }
    for (int j = first; j < first + units; j++)
      mean += z[j] / units;
    for (int j = first; j < first + units; j++)
      variance += (z[j] - mean) * (z[j] - mean) / units;
    for (int j = 0; j < width; j++) {
      const bool normal = j >= first && j < first + units;
      const double y =
          normal ? (z[j] - mean) / std::sqrt(variance + (double)(float)epsilon) * (double)scale[j - first] +
                       (double)offset[j - first]
                 : z[j];
      want.push_back(there ? y : 99.0);
    }
  }
  device_array<float> d_sums(sums), d_bias(bias), d_scale(scale), d_offset(offset);
  device_array<int32_t> d_lengths(lengths);
  struct sums_norm a = {};
  a.rows = (int64_t)B * T, a.width = width, a.positions = T, a.first = first, a.units = units;
  a.epsilon = (float)epsilon, a.d_sums = d_sums.data(), a.d_bias = has_bias ? d_bias.data() : NULL;
  a.d_scale = d_scale.data(), a.d_offset = d_offset.data();
  a.d_lengths = has_lengths ? d_lengths.data() : NULL;
  check_that(launch_sums_norm(&a, stream) == CUSEQ_STATUS_OK, "a normalisation launches");
  check_close("a normalisation", d_sums.read(), want, bound_of_sums(2));
  check_that(d_sums.intact(), "nothing is written outside of the sums");
}

static void check_norm_refusals(const struct launch_stream *stream) {
  device_array<float> some((size_t)4);
  struct sums_norm a = {};
  check_that(launch_sums_norm(&a, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "empty sizes are refused");
  a.rows = 1, a.width = 4, a.positions = 1, a.first = 2, a.units = 3, a.epsilon = 1.0f;
  a.d_sums = some.data(), a.d_scale = a.d_offset = some.data();
  check_that(launch_sums_norm(&a, stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "a normalisation of more sums than there are is refused");
  a.units = 2, a.epsilon = 0.0f;
  check_that(launch_sums_norm(&a, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "an epsilon of 0 is refused");
  a.epsilon = 1.0f, a.d_offset = NULL;
  check_that(launch_sums_norm(&a, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no offsets are refused");
}

/* A value that is not finite is told with its row; one beyond the lengths is not looked at. */
static void check_fault(const struct launch_stream *stream) {
  uint64_t *h_fault;
  CHECK_CUDA(cudaHostAlloc((void **)&h_fault, sizeof *h_fault, cudaHostAllocMapped));
  *h_fault = UINT64_MAX;
  std::vector<float> values((size_t)3 * 4 * 2, 1.0f);
  values[2] = INFINITY; /* row 0 beyond its length of 1 */
  device_array<int32_t> d_lengths(std::vector<int32_t>{1, 4, 2});
  for (int t : {2, 1}) { /* row 2 beyond its length, then within */
    values[(2 * 4 + t) * 2 + 1] = -INFINITY;
    device_array<float> d_values(values);
    struct dense_finish a = {};
    a.rows = 12, a.width = 2, a.positions = 4, a.d_lengths = d_lengths.data();
    a.d_sums = a.d_output = d_values.data(), a.sums_stride = a.output_stride = 2;
    a.check.d_fault = h_fault, a.check.first_row = 7, a.stage = LAUNCH_STAGE_MERGE;
    check_that(launch_dense_finish(&a, stream) == CUSEQ_STATUS_OK, "the end of a dense layer launches");
    CHECK_CUDA(cudaDeviceSynchronize());
    check_that(*h_fault == (t == 2 ? UINT64_MAX : ((uint64_t)9 << 32 | LAUNCH_STAGE_MERGE)),
               "a value that is not finite is told with its row");
  }
  CHECK_CUDA(cudaFreeHost(h_fault));
}

static void check_refusals(const struct launch_stream *stream) {
  device_array<float> some((size_t)4);
  device_array<int32_t> ids((size_t)4);
  struct dense_finish finish = {};
  check_that(launch_dense_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "empty sizes are refused");
  finish.rows = finish.width = finish.positions = 1, finish.sums_stride = finish.output_stride = 1;
  check_that(launch_dense_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no sums are refused");
  finish.d_sums = finish.d_output = some.data(), finish.activation = CUSEQ_ACTIVATION_SOFTMAX;
  check_that(launch_dense_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "softmax is refused");
  finish.activation = CUSEQ_ACTIVATION_LINEAR, finish.positions = 2;
  check_that(launch_dense_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "rows that are no positions of rows are refused");
  struct table_lookup lookup = {};
  lookup.rows = 1, lookup.d_ids = ids.data(), lookup.d_output = some.data();
  check_that(launch_table_lookup(&lookup, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no width is refused");
  lookup.width = 1, lookup.d_lengths = ids.data();
  check_that(launch_table_lookup(&lookup, stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "lengths without positions are refused");
  lookup.d_lengths = NULL, lookup.d_ids = NULL;
  check_that(launch_table_lookup(&lookup, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no ids are refused");
}

int main() {
  struct launch_device device = {};
  char error[160] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  for (int width : {1, 31, 32, 33, 150})
    for (int i = 0; i < 16; i++) {
      struct finish_case c = {width,        i % 3,       CUSEQ_ACTIVATION_LINEAR, (i & 1) != 0, (i & 2) != 0,
                              (i & 4) != 0, (i & 8) != 0};
      check_finish(c, &stream);
      check_lookup(width, i & 1, i % 3 == 0, i & 2, i & 4, &stream);
    }
  for (int width : {1, 31, 32, 33, 150})
    for (int i = 0; i < 4; i++) {
      check_norm(width, 0, width, i & 1, i & 2, &stream);
      check_norm(width, width / 3, (width + 2) / 3, i & 1, i & 2, &stream);
    }
  check_norm_refusals(&stream);
  for (int i = 0; i < HOST_ACTIVATIONS; i++) {
    struct finish_case c = {20, 0, host_activations[i], i % 3 != 0, i % 2 != 0, true, false};
    check_finish(c, &stream);
  }
  check_fault(&stream);
  check_refusals(&stream);
  return check_end();
}
