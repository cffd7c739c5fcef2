/* What is done beside the recurrence of a layer: the merges of two directions, residuals and dense layers behind, an
 * embedding's rows, the order of rows by length. */
#include "cell_host.h"

static void check_merge(cuseq_merge merge, size_t count, const struct launch_stream *stream) {
  std::vector<float> x(count), y(count);
  std::vector<double> want(count);
  for (size_t i = 0; i < count; i++) {
    x[i] = std::sin((float)i), y[i] = std::cos(3.0f * (float)i);
    double a = x[i], b = y[i];
    want[i] = merge == CUSEQ_MERGE_SUM ? a + b : merge == CUSEQ_MERGE_MUL ? a * b : (a + b) / 2;
  }
  device_array<float> d_x(x), d_y(y), d_z(count);
  struct layer_merge a = {merge, (int64_t)count, d_x.data(), d_y.data(), d_z.data()};
  check_that(launch_layer_merge(&a, stream) == CUSEQ_STATUS_OK, "merge launches");
  check_close("merge", d_z.read(), want, 1e-7);
  a.d_output = d_x.data(); /* in place */
  check_that(launch_layer_merge(&a, stream) == CUSEQ_STATUS_OK, "merge launches in place");
  check_close("merge in place", d_x.read(), want, 1e-7);
  check_that(d_x.intact() && d_y.intact() && d_z.intact(), "nothing is written outside of the merge");
}

static void check_order(int batch, const struct launch_stream *stream) {
  std::vector<int32_t> lengths, want;
  for (int b = 0; b < batch; b++)
    lengths.push_back(1 + (b * 7919) % 13);
  for (int length = 13; length >= 1; length--)
    for (int b = 0; b < batch; b++)
      if (lengths[b] == length)
        want.push_back(b);
  device_array<int32_t> d_lengths(lengths), d_order((size_t)batch);
  struct row_order a = {batch, d_lengths.data(), d_order.data()};
  check_that(launch_row_order(&a, stream) == CUSEQ_STATUS_OK, "order launches");
  check_that(d_order.read() == want, "rows come by falling length, equal ones in their order");
  check_that(d_order.intact(), "nothing is written outside of the order");
}

/* Positions of rows of which the last count least: t < L, L = 1, T, and between. */
static std::vector<int32_t> lengths_of(int B, int T) {
  std::vector<int32_t> lengths;
  for (int b = 0; b < B; b++)
    lengths.push_back(b == 0 ? 1 : b == 1 ? T : 1 + b * 5 % T);
  return lengths;
}

enum residual { NO_RESIDUAL, ROWS, IDS };

/* y = activation(v + x + bias), 0 and nothing read beyond the lengths. */
static void check_finish(int width, enum residual residual, cuseq_activation activation, bool has_bias,
                         const struct launch_stream *stream) {
  const int B = 5, T = 7;
  std::vector<int32_t> lengths = lengths_of(B, T), ids;
  std::vector<float> values, x, bias;
  std::vector<double> want;
  for (int j = 0; j < width; j++)
    bias.push_back(0.25f * std::cos(5.0f * (float)j));
  for (int p = 0; p < B * T; p++) {
    bool there = p % T < lengths[p / T];
    ids.push_back(there ? p * 3 % width : 1 << 30);
    for (int j = 0; j < width; j++) {
      float v = std::sin((float)(p * width + j)), r = std::cos(0.7f * (float)(p + j));
      values.push_back(there ? v : NAN);
      x.push_back(there ? r : NAN);
      double sum = (double)v + (residual == ROWS ? (double)r : residual == IDS && j == ids[p] ? 1.0 : 0.0);
      want.push_back(there ? host_activate(activation, sum + (has_bias ? (double)bias[j] : 0.0)) : 0.0);
    }
  }
  device_array<float> d_values(values), d_x(x), d_bias(bias);
  device_array<int32_t> d_lengths(lengths), d_ids(ids);
  struct layer_finish a = {};
  a.batch = B, a.time = T, a.width = width, a.d_lengths = d_lengths.data(), a.d_values = d_values.data();
  a.d_residual = residual == ROWS ? d_x.data() : NULL,
  a.d_residual_ids = residual == IDS ? d_ids.data() : NULL;
  a.activation = activation, a.d_bias = has_bias ? d_bias.data() : NULL;
  check_that(launch_layer_finish(&a, stream) == CUSEQ_STATUS_OK, "what follows a layer launches");
  check_close("what follows a layer", d_values.read(), want, 1e-6);
  check_that(d_values.intact(), "nothing is written outside of the values");
}

static void check_embedding(int width, const struct launch_stream *stream) {
  const int B = 4, T = 9, rows = 11;
  std::vector<int32_t> lengths = lengths_of(B, T), ids;
  std::vector<float> table;
  std::vector<double> want;
  for (int i = 0; i < rows * width; i++)
    table.push_back((float)i);
  for (int p = 0; p < B * T; p++) {
    bool there = p % T < lengths[p / T];
    ids.push_back(there ? p * 7 % rows : -5);
    for (int j = 0; j < width; j++)
      want.push_back(there ? (double)(ids[p] * width + j) : 0.0);
  }
  device_array<float> d_table(table), d_output(want.size());
  device_array<int32_t> d_lengths(lengths), d_ids(ids);
  struct embedding_rows a = {B, T, width, d_lengths.data(), d_ids.data(), d_table.data(), d_output.data()};
  check_that(launch_embedding_rows(&a, stream) == CUSEQ_STATUS_OK, "rows of an embedding launch");
  check_close("rows of an embedding", d_output.read(), want, 0.0);
  check_that(d_output.intact(), "nothing is written outside of the rows");
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
    struct layer_finish a = {};
    a.batch = 3, a.time = 4, a.width = 2, a.d_lengths = d_lengths.data(), a.d_values = d_values.data();
    a.check.d_fault = h_fault, a.check.first_row = 7;
    check_that(launch_layer_finish(&a, stream) == CUSEQ_STATUS_OK, "what follows a layer launches");
    CHECK_CUDA(cudaDeviceSynchronize());
    check_that(*h_fault == (t == 2 ? UINT64_MAX : ((uint64_t)9 << 32 | LAUNCH_STAGE_MERGE)),
               "a value that is not finite is told with its row");
  }
  CHECK_CUDA(cudaFreeHost(h_fault));
}

static void check_refusals(const struct launch_stream *stream) {
  device_array<float> some((size_t)4);
  device_array<int32_t> ids((size_t)4);
  struct layer_finish finish = {};
  check_that(launch_layer_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "empty sizes are refused");
  finish.batch = finish.time = finish.width = 1;
  check_that(launch_layer_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no values are refused");
  finish.d_values = some.data(), finish.activation = CUSEQ_ACTIVATION_SOFTMAX;
  check_that(launch_layer_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "softmax is refused");
  finish.activation = CUSEQ_ACTIVATION_LINEAR, finish.d_residual = some.data(),
  finish.d_residual_ids = ids.data();
  check_that(launch_layer_finish(&finish, stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "two residuals are refused");
  struct embedding_rows rows = {1, 1, 0, NULL, ids.data(), some.data(), some.data()};
  check_that(launch_embedding_rows(&rows, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no width is refused");
  rows.width = 1, rows.d_ids = NULL;
  check_that(launch_embedding_rows(&rows, stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no ids are refused");
}

int main() {
  struct launch_device device = {};
  char error[160] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  for (cuseq_merge merge : {CUSEQ_MERGE_SUM, CUSEQ_MERGE_MUL, CUSEQ_MERGE_AVE})
    for (size_t count : {1, 31, 256, 1009})
      check_merge(merge, count, &stream);
  for (int width : {1, 31, 32, 33, 150}) {
    for (int residual = NO_RESIDUAL; residual <= IDS; residual++)
      check_finish(width, (enum residual)residual, CUSEQ_ACTIVATION_LINEAR, false, &stream);
    check_embedding(width, &stream);
  }
  for (int i = 0; i < HOST_ACTIVATIONS; i++)
    check_finish(20, i % 2 ? ROWS : NO_RESIDUAL, host_activations[i], i % 3 != 0, &stream);
  check_fault(&stream);
  check_refusals(&stream);
  for (int batch : {1, 2, 31, 256, 257, 600})
    check_order(batch, &stream);
  struct layer_merge concat = {CUSEQ_MERGE_CONCAT, 1, NULL, NULL, NULL};
  check_that(launch_layer_merge(&concat, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "concat is refused");
  struct row_order empty = {0, NULL, NULL};
  check_that(launch_row_order(&empty, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "an empty order is refused");
  device_array<int32_t> lengths((size_t)1);
  struct row_order many = {65537, lengths.data(), lengths.data()};
  check_that(launch_row_order(&many, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "too many rows are refused");
  return check_end();
}
