/* The merges of two directions, and the order of rows by length. */
#include "check.h"
#include "kernels/launch.h"

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

int main() {
  struct launch_device device = {};
  char error[160] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  for (cuseq_merge merge : {CUSEQ_MERGE_SUM, CUSEQ_MERGE_MUL, CUSEQ_MERGE_AVE})
    for (size_t count : {1, 31, 256, 1009})
      check_merge(merge, count, &stream);
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
