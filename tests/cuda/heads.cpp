/* What heads read where there is no decoder, what decoders begin from, and the end of a head; against host
 * formulas. */
#include "cell_host.h"

#include "bounds.h"
#include "random_numbers.h"

#include <string>

static struct launch_device the_device;
static char error[256];
static const struct launch_stream stream = {NULL, &the_device, error, sizeof error};

static bool equal(const std::vector<float> &got, const std::vector<double> &want) {
  bool good = got.size() == want.size();
  for (size_t i = 0; good && i < got.size(); i++)
    good = (double)got[i] == want[i];
  return good;
}

/* ---- initial states ---- */

static void check_gather(int encoded, int batch, int first, int second, bool sums, bool named,
                         uint64_t seed) {
  random_numbers random = {seed};
  int width = first + (sums ? 0 : second), stride = width + 3;
  std::vector<float> a = random.values((size_t)encoded * first, 1.0f),
                     b = random.values((size_t)encoded * second, 1.0f);
  std::vector<int32_t> rows = random.integers(batch, 0, encoded - 1);
  device_array<float> d_a(a), d_b(b), d_output(std::vector<float>((size_t)batch * stride, 9.0f));
  device_array<int32_t> d_rows(rows);
  struct initial_gather g = {};
  g.batch = batch, g.d_first = d_a.data(), g.d_second = second ? d_b.data() : NULL, g.first_units = first;
  g.second_units = second, g.sums = sums, g.d_rows = named ? d_rows.data() : NULL;
  g.d_output = d_output.data(), g.stride = stride;
  std::vector<double> want((size_t)batch * stride, 9.0);
  for (int r = 0; r < batch; r++) {
    int from = named ? rows[r] : r;
    for (int j = 0; j < width; j++) {
      float x = j < first ? a[(size_t)from * first + j] : b[(size_t)from * second + j - first];
      want[(size_t)r * stride + j] = sums && second ? (double)(x + b[(size_t)from * second + j]) : (double)x;
    }
  }
  std::string name = "gather " + std::to_string(first) + " " + std::to_string(second) + (sums ? " sums" : "");
  check_that(launch_initial_gather(&g, &stream) == CUSEQ_STATUS_OK, error);
  check_that(equal(d_output.read(), want) && d_output.intact(), name.c_str());
}

static void check_zeros(void) {
  device_array<float> d_output(std::vector<float>(2 * 40, 9.0f));
  struct initial_gather g = {};
  g.batch = 2, g.first_units = 37, g.d_output = d_output.data(), g.stride = 40;
  check_that(launch_initial_gather(&g, &stream) == CUSEQ_STATUS_OK, error);
  std::vector<float> got = d_output.read();
  for (int j = 0; j < 80; j++)
    check_that(got[j] == (j % 40 < 37 ? 0.0f : 9.0f), "no state is zeros, and nothing beyond");
  g.d_second = d_output.data();
  check_that(launch_initial_gather(&g, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "a second direction alone is refused");
}

/* ---- pooling ---- */

static void check_pool(int batch, int time, int width, bool ragged, uint64_t seed) {
  random_numbers random = {seed};
  std::vector<float> a = random.values((size_t)batch * time * width, 1.0f);
  for (float &x : a) /* the same number often, so that maxima tie */
    x = random.next() % 3 ? x : 0.5f;
  std::vector<int32_t> lengths = random.integers(batch, 1, time);
  if (time > 2) /* a NaN within the row, and one beyond it */
    a[1 * (size_t)width] = NAN;
  device_array<float> d_a(a);
  device_array<int32_t> d_lengths(lengths);
  for (int kind = POOL_MEAN; kind <= POOL_LAST; kind++) {
    device_array<float> d_output((size_t)batch * width);
    struct pool p = {};
    p.kind = (enum pool_kind)kind, p.batch = batch, p.time = time, p.width = width;
    p.d_lengths = ragged ? d_lengths.data() : NULL, p.d_annotations = d_a.data(),
    p.d_output = d_output.data();
    check_that(launch_pool(&p, &stream) == CUSEQ_STATUS_OK, error);
    std::vector<float> got = d_output.read();
    std::vector<double> want;
    std::vector<float> found;
    for (int b = 0; b < batch; b++)
      for (int j = 0; j < width; j++) {
        int length = ragged ? lengths[b] : time;
        double sum = 0.0, most = -INFINITY, last = 0.0;
        for (int t = 0; t < length; t++) {
          last = a[((size_t)b * time + t) * width + j];
          sum += last;
          most = last > most || std::isnan(last) ? last : most;
          most = std::isnan(sum) ? NAN : most;
        }
        double x = kind == POOL_MEAN ? sum / length : kind == POOL_MAXIMUM ? most : last;
        float y = got[(size_t)b * width + j];
        if (std::isnan(x)) {
          check_that(std::isnan(y), "a row that holds NaN has a mean and a maximum of NaN");
          continue;
        }
        want.push_back(x);
        found.push_back(y);
      }
    std::string name =
        "pool " + std::to_string(kind) + " T " + std::to_string(time) + " width " + std::to_string(width);
    check_close(name.c_str(), found, want, kind == POOL_MEAN ? BOUND_OF_A_MEAN : 0.0);
    check_that(d_output.intact(), name.c_str());
  }
}

/* ---- the end of a head ---- */

struct head_case {
  int rows, positions, units;
  cuseq_activation activation;
  bool has_bias, ragged, ties;
};

static void check_head(const head_case &c, uint64_t seed) {
  random_numbers random = {seed};
  int rows = c.rows * c.positions, stride = c.units + 2, offset = 1;
  std::vector<float> logits = random.values((size_t)rows * c.units, 3.0f),
                     bias = random.values(c.units, 1.0f);
  for (float &x : logits)
    x = c.ties ? (float)((int)(random.next() % 5u) - 2) : x;
  for (float &x : bias)
    x = c.ties ? 0.0f : x;
  std::vector<int32_t> lengths = random.integers(c.rows, 1, c.positions);
  device_array<float> d_logits(logits), d_bias(bias),
      d_outputs(std::vector<float>((size_t)rows * stride, 9.0f));
  device_array<int32_t> d_tokens(std::vector<int32_t>((size_t)rows * 2, -7)), d_lengths(lengths);
  struct head_output h = {};
  h.rows = rows, h.units = c.units, h.positions = c.positions, h.activation = c.activation;
  h.d_logits = d_logits.data(), h.d_bias = c.has_bias ? d_bias.data() : NULL;
  h.d_outputs = d_outputs.data() + offset, h.output_stride = stride;
  h.d_tokens = d_tokens.data() + 1, h.token_stride = 2, h.d_lengths = c.ragged ? d_lengths.data() : NULL;
  check_that(launch_head_output(&h, &stream) == CUSEQ_STATUS_OK, error);
  std::vector<double> want((size_t)rows * stride, 9.0);
  std::vector<int32_t> tokens((size_t)rows * 2, -7);
  for (int r = 0; r < rows; r++) {
    bool counts = !c.ragged || r % c.positions < lengths[r / c.positions];
    std::vector<double> o((size_t)c.units);
    double most = -INFINITY, sum = 0.0;
    int best = 0;
    for (int v = 0; v < c.units; v++) {
      float x = logits[(size_t)r * c.units + v] + (c.has_bias ? bias[v] : 0.0f);
      o[v] = host_activate(c.activation, x);
      best = o[v] > o[best] ? v : best;
      most = std::fmax(most, o[v]);
    }
    for (int v = 0; v < c.units; v++)
      sum += std::exp(o[v] - most);
    for (int v = 0; v < c.units; v++) {
      double y = c.activation == CUSEQ_ACTIVATION_SOFTMAX       ? std::exp(o[v] - most) / sum
                 : c.activation == CUSEQ_ACTIVATION_LOG_SOFTMAX ? o[v] - most - std::log(sum)
                                                                : o[v];
      want[(size_t)r * stride + offset + v] = counts ? y : 0.0;
    }
    tokens[(size_t)r * 2 + 1] = counts ? best : 0;
  }
  std::string name =
      "head units " + std::to_string(c.units) + " activation " + std::to_string((int)c.activation);
  check_close(name.c_str(), d_outputs.read(), want, BOUND_OF_A_SOFTMAX);
  /* activations other than those that normalise may tie in float32 where float64 tells numbers apart */
  bool exact = c.ties || c.activation == CUSEQ_ACTIVATION_SOFTMAX ||
               c.activation == CUSEQ_ACTIVATION_LOG_SOFTMAX || c.activation == CUSEQ_ACTIVATION_LINEAR;
  check_that(!exact || d_tokens.read() == tokens, (name + ": tokens, the lowest of those that tie").c_str());
  check_that(d_outputs.intact() && d_tokens.intact() && d_logits.intact(), name.c_str());
}

/* NaN is never the best but where it is first, and where all the rest is NaN. */
/* A row's first position comes to all of its positions; behind its last, 0; other columns stay. */
static void check_spread(int batch, int time, int units, bool ragged, bool outputs, bool tokens) {
  const int V = units + 3, offset = 2, heads = 2;
  std::vector<int32_t> lengths, marks;
  std::vector<float> values;
  std::vector<double> want;
  std::vector<int32_t> want_marks;
  for (int b = 0; b < batch; b++)
    lengths.push_back(ragged ? 1 + b * 7 % time : time);
  for (int b = 0; b < batch; b++)
    for (int t = 0; t < time; t++) {
      for (int v = 0; v < V; v++) {
        const bool ours = outputs && v >= offset && v < offset + units;
        values.push_back((float)(1000 * b + 10 * t + v));
        want.push_back(!ours ? (double)values.back() : t < lengths[b] ? 1000.0 * b + v : 0.0);
      }
      for (int h = 0; h < heads; h++) {
        marks.push_back(100 * b + 10 * t + h);
        want_marks.push_back(!tokens || h != 1 ? marks.back() : t < lengths[b] ? 100 * b + h : 0);
      }
    }
  device_array<float> d_values(values);
  device_array<int32_t> d_marks(marks), d_lengths(lengths);
  struct head_spread s = {};
  s.batch = batch, s.time = time, s.units = units, s.d_lengths = ragged ? d_lengths.data() : NULL;
  s.d_outputs = outputs ? d_values.data() + offset : NULL, s.output_stride = V;
  s.d_tokens = tokens ? d_marks.data() + 1 : NULL, s.token_stride = heads;
  check_that(launch_head_spread(&s, &stream) == CUSEQ_STATUS_OK, error);
  check_that(equal(d_values.read(), want), "outputs of a row at every position");
  check_that(d_marks.read() == want_marks, "tokens of a row at every position");
  check_that(d_values.intact() && d_marks.intact(), "nothing is written outside");
  s.d_outputs = NULL, s.d_tokens = NULL;
  check_that(launch_head_spread(&s, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT,
             "nothing to spread is refused");
}

static void check_nan(void) {
  const std::vector<float> logits = {1.0f, NAN, 2.0f, NAN, 5.0f, 2.0f, NAN, NAN, NAN};
  device_array<float> d_logits(logits);
  device_array<int32_t> d_tokens(3);
  struct head_output h = {};
  h.rows = 3, h.units = 3, h.positions = 1, h.activation = CUSEQ_ACTIVATION_LINEAR;
  h.d_logits = d_logits.data(), h.d_tokens = d_tokens.data(), h.token_stride = 1;
  check_that(launch_head_output(&h, &stream) == CUSEQ_STATUS_OK, error);
  check_that(d_tokens.read() == std::vector<int32_t>{2, 0, 0}, "NaN among the classes");
  h.d_logits = NULL;
  check_that(launch_head_output(&h, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "missing logits are refused");
}

int main(void) {
  const cuseq_activation SOFTMAX = CUSEQ_ACTIVATION_SOFTMAX, LOGS = CUSEQ_ACTIVATION_LOG_SOFTMAX,
                         LINEAR = CUSEQ_ACTIVATION_LINEAR, SIGMOID = CUSEQ_ACTIVATION_SIGMOID;
  static const int widths[] = {1, 31, 32, 33, 127, 200};
  for (int w : widths) {
    check_gather(3, 3, w, 0, false, false, 1 + w);
    check_gather(2, 5, w, 37, false, true, 2 + w);
    check_gather(4, 7, w, w, true, true, 3 + w);
  }
  check_zeros();
  check_pool(1, 1, 1, false, 1);
  check_pool(3, 31, 33, true, 2);
  check_pool(2, 300, 129, true, 3);
  check_pool(5, 129, 7, false, 4);
  const head_case cases[] = {
      {1, 1, 1, SOFTMAX, true, false, false},
      {3, 1, 31, SOFTMAX, true, false, true},
      {2, 7, 33, SOFTMAX, false, true, false},
      {2, 5, 257, LOGS, true, true, false},
      {3, 3, 2, LINEAR, false, true, true},
      {2, 1, 1000, LINEAR, true, false, true},
      {1, 1, 10240, SOFTMAX, true, false, false},
      {2, 1, 10241, SOFTMAX, true, false, false}, /* sums stay in memory */
      {2, 1, 12007, LOGS, false, false, true},
      {2, 4, 12, SIGMOID, true, true, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_head(cases[i], 50 + i);
  for (int i = 0; i < HOST_ACTIVATIONS; i++)
    check_head({2, 1, 37, host_activations[i], true, false, false}, 90 + i);
  check_spread(1, 1, 1, false, true, true);
  check_spread(3, 7, 31, true, true, true);
  check_spread(2, 5, 129, true, true, false);
  check_spread(4, 3, 128, false, false, true);
  check_nan();
  return check_end();
}
