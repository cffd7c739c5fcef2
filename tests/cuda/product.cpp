/* Products by tensor cores against sums in float64. */
#include "bounds.h"
#include "sequence_case.h"

struct product_case {
  int m, n, k, apart; /* apart: floats between two rows of A */
  bool transposed, adds, has_bias;
  int count;
  cuseq_precision precision;
};

static std::string product_name(const struct product_case &c) {
  char name[160];
  std::snprintf(name, sizeof name, "product %d x %d x %d, apart %d, count %d, precision %d%s%s%s", c.m, c.n,
                c.k, c.apart, c.count, (int)c.precision, c.transposed ? " transposed" : "",
                c.adds ? " adds" : "", c.has_bias ? " bias" : "");
  return name;
}

/* Rows of A lie behind one another with poison between them; B's and C's do not. */
struct product_data {
  std::vector<float> a, b, c, bias;
};

static struct product_data product_data(const struct product_case &c) {
  struct product_data data;
  size_t count = (size_t)c.count, lda = (size_t)(c.k + c.apart);
  data.a = case_values(count * c.m * lda, 1.0);
  for (size_t i = 0; i < data.a.size(); i++)
    if (i % lda >= (size_t)c.k)
      data.a[i] = NAN;
  data.b = case_values(count * c.k * c.n, 1.7 / std::sqrt(c.k));
  data.c = case_values(count * c.m * c.n, 1.0);
  data.bias = case_values((size_t)c.n, 1.0);
  return data;
}

static std::vector<float> product_run(const struct product_case &c, const struct product_data &data,
                                      const struct launch_stream *stream) {
  device_array<float> d_a(data.a), d_b(data.b), d_bias(data.bias), d_c(data.c);
  struct product p = {};
  p.d_a = d_a.data(), p.d_b = d_b.data(), p.d_c = d_c.data(), p.d_bias = c.has_bias ? d_bias.data() : NULL;
  p.m = c.m, p.n = c.n, p.k = c.k, p.lda = c.k + c.apart, p.ldb = c.transposed ? c.k : c.n;
  p.transposed = c.transposed, p.count = c.count, p.adds = c.adds, p.precision = c.precision;
  if (launch_product(&p, stream) != CUSEQ_STATUS_OK) {
    std::printf("FAILED to launch: %s\n", stream->error);
    std::exit(1);
  }
  std::vector<float> result = d_c.read();
  check_that(d_c.intact(), "nothing is written outside of the product");
  return result;
}

static double product_bound(const struct product_case &c) {
  return c.precision == CUSEQ_PRECISION_BF16   ? 0x1p-7
         : c.precision == CUSEQ_PRECISION_TF32 ? 0x1p-10
                                               : bound_of_sums(c.k);
}

static void check_product(const struct product_case &c, const struct launch_stream *stream) {
  struct product_data data = product_data(c);
  std::vector<double> want(data.c.size());
  size_t lda = (size_t)(c.k + c.apart);
  for (size_t i = 0; i < want.size(); i++) {
    size_t j = i % c.n, row = i / c.n, which = row / c.m;
    double sum = c.adds ? (double)data.c[i] : 0.0;
    const float *b = data.b.data() + which * c.k * c.n;
    for (size_t k = 0; k < (size_t)c.k; k++)
      sum += (double)data.a[row * lda + k] * (double)b[c.transposed ? j * c.k + k : k * c.n + j];
    want[i] = sum + (c.has_bias ? (double)data.bias[j] : 0.0);
  }
  std::vector<float> got = product_run(c, data, stream);
  check_close(product_name(c).c_str(), got, want, product_bound(c));
  double largest = 0.0;
  for (size_t i = 0; i < want.size(); i++)
    largest = std::fmax(largest, std::fabs((double)got[i] - want[i]));
  if (c.precision != CUSEQ_PRECISION_FLOAT32 && c.m * c.n > 100)
    check_that(largest >= 0.01 * product_bound(c), (product_name(c) + ": factors are rounded").c_str());
}

/* A row has the same bits alone, and in twice as many rows. */
static void check_rows(int n, int k, cuseq_precision precision, const struct launch_stream *stream) {
  struct product_case c = {37, n, k, 0, false, false, true, 1, precision};
  struct product_data data = product_data(c);
  std::vector<float> all = product_run(c, data, stream);
  for (int row : {0, 20, 36}) {
    struct product_case one = c;
    struct product_data alone = data;
    one.m = 1;
    alone.a.assign(data.a.begin() + (long)row * k, data.a.begin() + (long)(row + 1) * k);
    alone.c.resize((size_t)n);
    std::vector<float> got = product_run(one, alone, stream);
    check_that(std::memcmp(got.data(), all.data() + (size_t)row * n, (size_t)n * sizeof(float)) == 0,
               (product_name(c) + ": a row alone has the same bits").c_str());
  }
}

/* A factor that is not finite leaves nothing finite behind, and other rows alone. */
static void check_not_finite(const struct launch_stream *stream) {
  for (float bad : {NAN, INFINITY, -INFINITY})
    for (cuseq_precision precision : {CUSEQ_PRECISION_FLOAT32, CUSEQ_PRECISION_TF32, CUSEQ_PRECISION_BF16}) {
      struct product_case c = {3, 40, 20, 0, false, false, false, 1, precision};
      struct product_data data = product_data(c);
      data.a[20 + 7] = bad;
      std::vector<float> got = product_run(c, data, stream);
      for (int i = 0; i < 3 * 40; i++)
        check_that(std::isfinite(got[i]) == (i / 40 != 1),
                   (product_name(c) + ": what is not finite").c_str());
    }
}

static void check_refusals(const struct launch_device &device) {
  char error[160] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  device_array<float> some((size_t)16);
  struct product p = {};
  check_that(launch_product(&p, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "empty sizes are refused");
  p.m = p.n = p.k = 2, p.lda = p.ldb = 2;
  check_that(launch_product(&p, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no matrices are refused");
  p.d_a = p.d_b = p.d_c = some.data(), p.lda = 1;
  check_that(launch_product(&p, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "rows that overlap are refused");
  struct launch_device without = device;
  without.tensor_cores = 0;
  stream.device = &without, p.lda = 2;
  check_that(launch_product(&p, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "a device without tensor cores is refused");
}

int main() {
  struct launch_device device = case_device();
  char error[160] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  const int sizes[][3] = {{1, 1, 1},     {1, 32, 16},   {5, 33, 7},    {8, 31, 17},   {9, 64, 20},
                          {33, 100, 64}, {32, 40, 129}, {65, 96, 130}, {3, 36, 1100}, {2, 500, 300}};
  for (const auto &size : sizes)
    for (int i = 0; i < 3; i++) {
      struct product_case c = {
          size[0], size[1], size[2], 4 * (i % 2), i == 1, i == 2, i != 0, 1 + i % 2, CUSEQ_PRECISION_FLOAT32};
      check_product(c, &stream);
      c.precision = i % 2 ? CUSEQ_PRECISION_TF32 : CUSEQ_PRECISION_BF16;
      c.apart = i % 2 ? 1 : 0, c.transposed = i != 1;
      check_product(c, &stream);
    }
  for (cuseq_precision precision : {CUSEQ_PRECISION_FLOAT32, CUSEQ_PRECISION_TF32, CUSEQ_PRECISION_BF16})
    check_rows(50, 300, precision, &stream);
  check_not_finite(&stream);
  check_refusals(device);
  return check_end();
}
