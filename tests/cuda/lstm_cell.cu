/* The cell kernel alone: whole sequences, step by step, with the product made on the host, against the float64 loop. */
#include "lstm_case.h"

enum cell_source { FROM_PROJECTED, FROM_IDS, FROM_ROW_IDS, FROM_NOTHING };

struct cell_case {
  struct lstm_case c;
  enum cell_source source;
};

/* h U of a step in float64, rounded, [D,B,H,4]; h as the device has it. */
static std::vector<float> products_of(const struct lstm_case &c, const struct lstm_data &data,
                                      const std::vector<float> &h) {
  std::vector<float> products((size_t)c.D * c.B * c.H * 4);
  for (int d = 0; d < c.D; d++)
    for (int b = 0; b < c.B; b++) {
      std::vector<double> z((size_t)4 * c.H, 0.0);
      const float *row = h.data() + ((size_t)d * c.B + b) * c.H;
      for (int k = 0; k < c.H; k++)
        for (int j = 0; j < 4 * c.H; j++)
          z[j] += (double)row[k] * (double)data.recurrent[d][(size_t)k * 4 * c.H + j];
      for (int j = 0; j < c.H; j++)
        for (int gate = 0; gate < 4; gate++)
          products[(((size_t)d * c.B + b) * c.H + j) * 4 + gate] = (float)z[(size_t)gate * c.H + j];
    }
  return products;
}

static void run_case(const struct cell_case &one) {
  struct lstm_case c = one.c;
  struct lstm_data data = case_data(c);
  if (one.source == FROM_ROW_IDS) /* every position has the row's first id */
    for (int i = 0; i < c.B * c.T; i++)
      data.ids[i] = data.ids[i / c.T * c.T];
  if (one.source == FROM_NOTHING)
    for (int d = 0; d < c.D; d++)
      data.kernel[d].assign(data.kernel[d].size(), 0.0f);
  struct lstm_wanted want = case_reference(c, data);
  size_t H4 = (size_t)c.H * 4, states = (size_t)c.D * c.B * c.H;
  std::vector<float> kernel(c.F * c.D * H4), bias(c.D * H4);
  for (int d = 0; d < c.D; d++) {
    lstm_pack_kernel(data.kernel[d].data(), c.F, c.H, c.D, d, kernel.data());
    lstm_pack_bias(data.bias[d].data(), c.H, d, bias.data());
  }
  std::vector<int32_t> row_ids;
  for (int b = 0; b < c.B; b++)
    row_ids.push_back(data.ids[(size_t)b * c.T]);
  device_array<float> d_kernel(kernel), d_bias(bias), d_initial_c(data.initial_c), d_h(states), d_c(states);
  device_array<float> d_projected(one.source == FROM_PROJECTED ? case_projected(c, data)
                                                               : std::vector<float>());
  device_array<int32_t> d_ids(data.ids), d_row_ids(row_ids), d_lengths(data.lengths);
  size_t leading = c.concat ? (size_t)c.D * c.H : (size_t)c.H + 3, each = (size_t)c.B * c.T * leading;
  device_array<float> d_output(c.concat ? each : each * c.D);
  struct launch_device device = case_device();
  char error[256] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  struct lstm_cell a = {};
  a.batch = c.B, a.time = c.T, a.units = c.H, a.directions = c.D;
  a.activation = c.activation, a.recurrent_activation = c.recurrent;
  a.d_lengths = c.ragged ? d_lengths.data() : NULL;
  a.d_projected = one.source == FROM_PROJECTED ? d_projected.data() : NULL;
  a.d_ids = one.source == FROM_IDS ? d_ids.data() : NULL;
  a.d_row_ids = one.source == FROM_ROW_IDS ? d_row_ids.data() : NULL;
  a.d_kernel = one.source == FROM_IDS || one.source == FROM_ROW_IDS ? d_kernel.data() : NULL;
  a.d_bias = d_bias.data(), a.d_h = d_h.data(), a.d_c = d_c.data(), a.leading = (int64_t)leading;
  for (int d = 0; d < c.D; d++)
    a.d_output[d] = d_output.data() + (c.concat ? (size_t)d * c.H : each * d);
  for (a.step = 0; a.step < c.T; a.step++) {
    bool none = a.step == 0 && !c.initial;
    device_array<float> d_products(none ? std::vector<float>()
                                        : products_of(c, data, a.step == 0 ? data.initial_h : d_h.read()));
    a.d_products = none ? NULL : d_products.data();
    a.d_previous_c = a.step > 0 ? d_c.data() : c.initial ? d_initial_c.data() : NULL;
    if (launch_lstm_cell(&a, &stream) != CUSEQ_STATUS_OK) {
      std::printf("FAILED to launch: %s\n", error);
      std::exit(1);
    }
    CHECK_CUDA(cudaDeviceSynchronize());
  }
  std::vector<float> output = d_output.read(), taken((size_t)c.B * c.T * c.D * c.H);
  for (int d = 0; d < c.D; d++)
    case_take(c, output, leading, c.concat ? (size_t)d * c.H : each * d, d, taken);
  std::string name = "cell from " + std::to_string((int)one.source) + " " + case_name(c);
  double bound = case_bound(c) * (c.activation == CUSEQ_ACTIVATION_TANH ? 1.0 : 3.0); /* states grow */
  check_close((name + " output").c_str(), taken, want.output, bound);
  check_close((name + " h").c_str(), d_h.read(), want.final_h, bound);
  check_close((name + " c").c_str(), d_c.read(), want.final_c, bound);
  check_that(d_output.intact() && d_h.intact() && d_c.intact(), (name + " writes outside").c_str());
}

static void refuse(struct lstm_cell a, const char *text) {
  struct launch_device device = case_device();
  char error[256] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  check_that(launch_lstm_cell(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && std::strstr(error, text),
             text);
}

static void refusals(void) {
  static float some[16] __attribute__((aligned(16)));
  static int32_t ids[1];
  struct lstm_cell good = {};
  good.batch = good.time = good.units = good.directions = 1;
  good.activation = CUSEQ_ACTIVATION_TANH, good.recurrent_activation = CUSEQ_ACTIVATION_SIGMOID;
  good.d_bias = some, good.d_h = some, good.d_c = some;
  struct lstm_cell bad = good;
  bad.directions = 3;
  refuse(bad, "a size is not possible");
  bad = good, bad.batch = 1 << 20, bad.units = 1 << 12;
  refuse(bad, "too many cells");
  bad = good, bad.step = 1;
  refuse(bad, "the step is none of");
  bad = good, bad.d_projected = some, bad.d_ids = ids;
  refuse(bad, "more than one input");
  bad = good, bad.d_row_ids = ids;
  refuse(bad, "ids without a kernel");
  bad = good, bad.d_h = NULL;
  refuse(bad, "states are missing");
  bad = good, bad.activation = CUSEQ_ACTIVATION_SIGMOID;
  refuse(bad, "activation is not tanh");
  bad = good, bad.recurrent_activation = CUSEQ_ACTIVATION_TANH;
  refuse(bad, "is no sigmoid");
  bad = good, bad.d_output[0] = some;
  refuse(bad, "leading dimension");
  bad = good, bad.d_products = some + 1;
  refuse(bad, "not a multiple of 16");
}

int main(void) {
  static const int sizes[] = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 256, 513};
  static const cuseq_activation activations[] = {CUSEQ_ACTIVATION_TANH, CUSEQ_ACTIVATION_RELU,
                                                 CUSEQ_ACTIVATION_LINEAR};
  static const cuseq_activation recurrents[] = {CUSEQ_ACTIVATION_SIGMOID, CUSEQ_ACTIVATION_HARD_SIGMOID,
                                                CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2};
  int i = 0;
  for (int H : sizes) {
    for (int source = 0; source < 4; source++, i++) {
      struct cell_case one = {};
      one.source = (enum cell_source)source;
      one.c.mapping = LSTM_MAPPING_GRID;
      one.c.H = H, one.c.B = 1 + i % 4, one.c.T = H > 200 ? 2 : 4, one.c.F = 5, one.c.D = 1 + i % 3 % 2;
      one.c.source = source == FROM_IDS || source == FROM_ROW_IDS ? SOURCE_IDS : SOURCE_PROJECTED;
      one.c.activation = activations[i % 3], one.c.recurrent = recurrents[i / 3 % 3];
      one.c.ragged = i % 5 != 0, one.c.initial = i % 2 == 0, one.c.concat = i / 2 % 2 == 0;
      if (H > 200 && source > 1)
        continue;
      run_case(one);
    }
  }
  for (int a = 0; a < 9; a++) {
    struct cell_case one = {};
    one.c.H = 20, one.c.B = 5, one.c.T = 3, one.c.F = 5, one.c.D = 2, one.c.source = SOURCE_PROJECTED;
    one.c.activation = activations[a % 3], one.c.recurrent = recurrents[a / 3], one.c.ragged = true,
    one.c.concat = true;
    run_case(one);
  }
  refusals();
  return check_end();
}
