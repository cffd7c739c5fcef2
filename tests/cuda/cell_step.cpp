/* The step kernel alone, every cell: whole sequences, step by step, with the products made on the host of the
 * packed weights, against the float64 loop over the weights as the model has them. */
#include "bounds.h"
#include "cell_host.h"

#include <algorithm>
#include <string>

enum cell_source { FROM_PROJECTED, FROM_IDS, FROM_ROW_IDS, FROM_NOTHING, SOURCES };

struct cell_case {
  enum cell_form form;
  enum cell_source source;
  int B, T, F, H, D, apart; /* apart: floats between the units of two rows of states */
  cuseq_activation activation, recurrent_activation;
  bool ragged, initial, concat, biases;
  double bound;
};

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t below) {
  random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)((random_state >> 33) % below);
}

static std::vector<float> random_values(size_t count, double scale) {
  std::vector<float> values(count);
  for (float &value : values)
    value = (float)(scale * ((double)random_below(2000001) / 1e6 - 1.0));
  return values;
}

/* A case's data as the model has it, and packed; states [D,B,H]. */
struct cell_data {
  struct host_cell cells[2];
  std::vector<float> kernel, recurrent, bias, candidate;
  std::vector<float> initial_h, initial_c;
  std::vector<int32_t> ids, row_ids, lengths;
};

static struct cell_data data_of(const struct cell_case &c) {
  struct cell_data data;
  size_t width = (size_t)host_gates(c.form) * c.H, H4 = (size_t)c.H * 4;
  data.kernel.assign((size_t)c.F * c.D * H4, NAN), data.recurrent.assign((size_t)c.D * c.H * H4, NAN);
  data.bias.assign((size_t)c.D * H4, NAN), data.candidate.assign((size_t)c.D * c.H * c.H, NAN);
  for (int d = 0; d < c.D; d++) {
    struct host_cell &cell = data.cells[d];
    cell = {c.form, c.H, c.activation, c.recurrent_activation, {}, {}, {}, {}};
    cell.kernel = random_values((size_t)c.F * width, c.source == FROM_NOTHING ? 0.0 : 1.0);
    cell.recurrent = random_values((size_t)c.H * width, 1.5 / std::sqrt(c.H));
    if (c.biases)
      cell.bias = random_values(width, 0.5);
    if (c.biases && c.form == CELL_FORM_GRU_RESET_AFTER)
      cell.candidate_bias = random_values((size_t)c.H, 0.5);
    cell_pack_kernel(c.form, cell.kernel.data(), c.F, c.H, c.D, d, data.kernel.data());
    cell_pack_recurrent(c.form, cell.recurrent.data(), c.H, d, data.recurrent.data());
    cell_pack_bias(c.form, c.biases ? cell.bias.data() : NULL,
                   cell.candidate_bias.empty() ? NULL : cell.candidate_bias.data(), c.H, d, data.bias.data());
    if (c.form == CELL_FORM_GRU_RESET_BEFORE)
      cell_pack_candidate(cell.recurrent.data(), c.H, d, data.candidate.data());
  }
  data.initial_h = random_values((size_t)c.D * c.B * c.H, 0.8);
  data.initial_c = random_values((size_t)c.D * c.B * c.H, 1.2);
  for (int b = 0; b < c.B; b++) {
    data.lengths.push_back(!c.ragged ? c.T
                           : b == 0  ? 1
                           : b == 1  ? c.T
                                     : (int)random_below((uint32_t)c.T + 1));
    data.row_ids.push_back((int32_t)random_below((uint32_t)c.F));
    for (int t = 0; t < c.T; t++) /* beyond the length an id that must not be looked at */
      data.ids.push_back(t >= data.lengths[b]       ? 1 << 30
                         : c.source == FROM_ROW_IDS ? data.row_ids[b]
                                                    : (int32_t)random_below((uint32_t)c.F));
  }
  return data;
}

struct cell_wanted {
  std::vector<double> output, h, c; /* [B,T,D,H] [D,B,H] [D,B,H] */
};

static struct cell_wanted wanted_of(const struct cell_case &c, const struct cell_data &data) {
  struct cell_wanted want;
  int G = host_gates(c.form);
  want.output.assign((size_t)c.B * c.T * c.D * c.H, 0.0);
  for (int d = 0; d < c.D; d++)
    for (int b = 0; b < c.B; b++) {
      const struct host_cell &cell = data.cells[d];
      size_t state = ((size_t)d * c.B + b) * c.H;
      std::vector<double> h((size_t)c.H), cs((size_t)c.H), x((size_t)G * c.H);
      for (int j = 0; j < c.H && c.initial; j++)
        h[j] = (double)data.initial_h[state + j], cs[j] = (double)data.initial_c[state + j];
      for (int s = 0; s < data.lengths[b]; s++) {
        int t = d == 0 ? s : data.lengths[b] - 1 - s;
        const float *row = cell.kernel.data() + (size_t)data.ids[(size_t)b * c.T + t] * G * c.H;
        for (int j = 0; j < G * c.H; j++)
          x[j] = (double)row[j] + (c.biases ? (double)cell.bias[j] : 0.0);
        host_cell_step(cell, x, h, cs);
        std::copy(h.begin(), h.end(), want.output.begin() + (long)((((size_t)b * c.T + t) * c.D + d) * c.H));
      }
      want.h.insert(want.h.end(), h.begin(), h.end());
      want.c.insert(want.c.end(), cs.begin(), cs.end());
    }
  return want;
}

/* Rows of H floats that lie apart become rows without anything between, and the other way round (poison
 * between). */
static std::vector<float> spread(const struct cell_case &c, const std::vector<float> &rows) {
  std::vector<float> states((size_t)c.D * c.B * (c.H + c.apart), NAN);
  for (size_t row = 0; row < (size_t)c.D * c.B; row++)
    std::copy_n(rows.begin() + (long)(row * c.H), c.H, states.begin() + (long)(row * (c.H + c.apart)));
  return states;
}

static std::vector<float> gather(const struct cell_case &c, const std::vector<float> &states, bool &intact) {
  std::vector<float> rows;
  for (size_t row = 0; row < (size_t)c.D * c.B; row++)
    for (int j = 0; j < c.H + c.apart; j++)
      if (j < c.H)
        rows.push_back(states[row * (c.H + c.apart) + j]);
      else
        intact = intact && std::isnan(states[row * (c.H + c.apart) + j]);
  return rows;
}

/* v W, v [D,B,H] as the device has it and W [D,H,wide]: in float64, rounded. */
static std::vector<float> product(const struct cell_case &c, const std::vector<float> &v,
                                  const std::vector<float> &weights, int wide) {
  std::vector<float> products;
  for (size_t row = 0; row < (size_t)c.D * c.B; row++) {
    std::vector<double> sums((size_t)wide, 0.0);
    for (int k = 0; k < c.H; k++)
      for (int j = 0; j < wide; j++)
        sums[j] += (double)v[row * c.H + k] * (double)weights[((row / c.B) * c.H + k) * wide + j];
    products.insert(products.end(), sums.begin(), sums.end());
  }
  return products;
}

/* x W of every position, [B,T,D,H,4]; poison beyond the lengths. */
static std::vector<float> projected_of(const struct cell_case &c, const struct cell_data &data) {
  size_t width = (size_t)c.D * c.H * 4;
  std::vector<float> projected((size_t)c.B * c.T * width, NAN);
  for (int i = 0; i < c.B * c.T; i++)
    if (i % c.T < data.lengths[i / c.T])
      std::copy_n(data.kernel.begin() + (long)((size_t)data.ids[i] * width), width,
                  projected.begin() + (long)(i * width));
  return projected;
}

static void launch(const struct cell_step &a) {
  struct launch_device device = {};
  char error[256] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  if (launch_cell_step(&a, &stream) != CUSEQ_STATUS_OK) {
    std::printf("FAILED to launch: %s\n", error);
    std::exit(1);
  }
  CHECK_CUDA(cudaDeviceSynchronize());
}

/* One step as a backend makes it: the product, the launch, and where the cell has two of them the second
 * pair. */
static void step(const struct cell_case &c, const struct cell_data &data, struct cell_step a,
                 const device_array<float> &d_h) {
  bool none = a.step == 0 && !c.initial, intact = true;
  std::vector<float> h = a.step > 0 ? gather(c, d_h.read(), intact) : data.initial_h;
  device_array<float> d_products(none ? std::vector<float>() : product(c, h, data.recurrent, 4 * c.H));
  a.d_products = none ? NULL : d_products.data();
  if (c.form == CELL_FORM_GRU_RESET_BEFORE && !none) {
    device_array<float> d_reset((size_t)c.D * c.B * c.H);
    a.d_reset = d_reset.data();
    launch(a);
    device_array<float> d_candidate(product(c, d_reset.read(), data.candidate, c.H));
    a.d_reset = NULL;
    a.d_candidate = d_candidate.data();
    launch(a);
    check_that(d_reset.intact(), "nothing is written outside of r h");
  } else {
    launch(a);
  }
}

static void run_case(const struct cell_case &c) {
  struct cell_data data = data_of(c);
  struct cell_wanted want = wanted_of(c, data);
  std::vector<float> untouched((size_t)c.D * c.B * c.H, 0.0f);
  const std::vector<float> &begin_h = c.initial ? data.initial_h : untouched;
  const std::vector<float> &begin_c = c.initial ? data.initial_c : untouched;
  bool lstm = c.form == CELL_FORM_LSTM;
  device_array<float> d_kernel(data.kernel), d_bias(data.bias), d_h(spread(c, begin_h)),
      d_c(lstm ? spread(c, begin_c) : std::vector<float>()), d_projected(projected_of(c, data)),
      d_initial_h(spread(c, data.initial_h)), d_initial_c(spread(c, data.initial_c));
  device_array<int32_t> d_ids(data.ids), d_row_ids(data.row_ids), d_lengths(data.lengths);
  size_t leading = c.concat ? (size_t)c.D * c.H : (size_t)c.H + 3, each = (size_t)c.B * c.T * leading;
  device_array<float> d_output(c.concat ? each : each * c.D);
  struct cell_step a = {};
  a.form = c.form, a.batch = c.B, a.time = c.T, a.units = c.H, a.directions = c.D;
  a.activation = c.activation, a.recurrent_activation = c.recurrent_activation;
  a.d_lengths = c.ragged ? d_lengths.data() : NULL;
  a.d_projected = c.source == FROM_PROJECTED ? d_projected.data() : NULL;
  a.d_ids = c.source == FROM_IDS ? d_ids.data() : NULL;
  a.d_row_ids = c.source == FROM_ROW_IDS ? d_row_ids.data() : NULL;
  a.d_kernel = a.d_ids || a.d_row_ids ? d_kernel.data() : NULL;
  a.d_bias = d_bias.data(), a.d_h = d_h.data(), a.d_c = lstm ? d_c.data() : NULL;
  a.state_leading = c.apart > 0 ? c.H + c.apart : 0, a.leading = (int64_t)leading;
  for (int d = 0; d < c.D; d++)
    a.d_output[d] = d_output.data() + (c.concat ? (size_t)d * c.H : each * d);
  for (a.step = 0; a.step < c.T; a.step++) {
    a.d_previous_h = a.step > 0 ? d_h.data() : c.initial ? d_initial_h.data() : NULL;
    a.d_previous_c = !lstm ? NULL : a.step > 0 ? d_c.data() : c.initial ? d_initial_c.data() : NULL;
    step(c, data, a, d_h);
  }
  std::vector<float> output = d_output.read(), taken;
  for (size_t row = 0; row < (size_t)c.B * c.T; row++)
    for (int d = 0; d < c.D; d++)
      for (int j = 0; j < c.H; j++)
        taken.push_back(output[row * leading + (c.concat ? (size_t)d * c.H : each * d) + j]);
  char name[200];
  std::snprintf(name, sizeof name, "cell %d from %d H %d B %d T %d D %d apart %d activations %d %d%s%s",
                c.form, c.source, c.H, c.B, c.T, c.D, c.apart, c.activation, c.recurrent_activation,
                c.ragged ? " ragged" : "", c.initial ? " initial" : "");
  std::string text = name;
  bool intact = true;
  check_close((text + ": output").c_str(), taken, want.output, c.bound);
  check_close((text + ": h").c_str(), gather(c, d_h.read(), intact), want.h, c.bound);
  if (lstm)
    check_close((text + ": c").c_str(), gather(c, d_c.read(), intact), want.c, c.bound);
  check_that(intact && d_output.intact() && d_h.intact() && d_c.intact(),
             (text + " writes outside of the states").c_str());
}

/* The first number that is not finite is told, with its row. */
static void faults(enum cell_form form) {
  uint64_t *h_fault;
  CHECK_CUDA(cudaHostAlloc((void **)&h_fault, sizeof *h_fault, cudaHostAllocMapped));
  *h_fault = UINT64_MAX;
  const int H = 3, B = 4;
  std::vector<float> projected((size_t)B * H * 4, 0.5f), bias((size_t)H * 4, 0.0f);
  for (int sum = 0; sum < 4; sum++)
    projected[(2 * H + 1) * 4 + sum] = INFINITY;
  device_array<float> d_projected(projected), d_bias(bias), d_h((size_t)B * H), d_c((size_t)B * H);
  struct cell_step a = {};
  a.form = form, a.batch = B, a.time = a.directions = 1, a.units = H;
  a.activation = CUSEQ_ACTIVATION_LINEAR, a.recurrent_activation = CUSEQ_ACTIVATION_SOFTPLUS;
  a.d_projected = d_projected.data(), a.d_bias = d_bias.data(), a.d_h = d_h.data(), a.d_c = d_c.data();
  a.check.d_fault = h_fault, a.check.first_row = 10, a.check.step = 7;
  launch(a);
  check_that(*h_fault == ((uint64_t)12 << 32 | 7 << 8 | LAUNCH_STAGE_DECODER),
             "a state that is not finite is told with its row and step");
  CHECK_CUDA(cudaFreeHost(h_fault));
}

static void refuse(struct cell_step a, const char *text) {
  struct launch_device device = {};
  char error[256] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  check_that(launch_cell_step(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && std::strstr(error, text),
             text);
}

static void refusals(void) {
  static float some[16] __attribute__((aligned(16)));
  static int32_t ids[1];
  struct cell_step good = {};
  good.batch = good.time = good.units = good.directions = 1;
  good.activation = CUSEQ_ACTIVATION_TANH, good.recurrent_activation = CUSEQ_ACTIVATION_SIGMOID;
  good.d_bias = some, good.d_h = some, good.d_c = some;
  struct cell_step bad = good;
  bad.form = (enum cell_form)3;
  refuse(bad, "no such cell");
  bad = good, bad.directions = 3;
  refuse(bad, "a size is not possible");
  bad = good, bad.batch = 1 << 20, bad.units = 1 << 12;
  refuse(bad, "too many cells");
  bad = good, bad.step = 1;
  refuse(bad, "the step is none of");
  bad = good, bad.d_projected = some, bad.d_ids = ids;
  refuse(bad, "more than one input");
  bad = good, bad.d_row_ids = ids;
  refuse(bad, "ids without a kernel");
  bad = good, bad.d_c = NULL;
  refuse(bad, "states are missing");
  bad = good, bad.d_reset = some;
  refuse(bad, "of a cell that has none");
  bad.form = CELL_FORM_GRU_RESET_BEFORE, bad.d_candidate = some;
  refuse(bad, "each is one of two launches");
  bad = good, bad.activation = CUSEQ_ACTIVATION_SOFTMAX;
  refuse(bad, "none of a number");
  bad = good, bad.recurrent_activation = CUSEQ_ACTIVATION_LOG_SOFTMAX;
  refuse(bad, "none of a number");
  bad = good, bad.units = 2, bad.state_leading = 1;
  refuse(bad, "states' leading dimension");
  bad = good, bad.d_output[0] = some;
  refuse(bad, "leading dimension");
  bad = good, bad.d_products = some + 1;
  refuse(bad, "not a multiple of 16");
}

/* Every size with every source, one of the usual pairs of activations each. */
static void sizes(enum cell_form form) {
  static const int sizes[] = {1, 15, 16, 17, 31, 32, 33, 64, 65, 127, 129, 256, 513};
  static const cuseq_activation activations[] = {CUSEQ_ACTIVATION_TANH, CUSEQ_ACTIVATION_RELU,
                                                 CUSEQ_ACTIVATION_LINEAR};
  static const cuseq_activation recurrents[] = {CUSEQ_ACTIVATION_SIGMOID, CUSEQ_ACTIVATION_HARD_SIGMOID,
                                                CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2};
  int i = 0;
  for (int H : sizes)
    for (int source = 0; source < SOURCES; source++, i++) {
      struct cell_case c = {};
      c.form = form, c.source = (enum cell_source)source;
      c.H = H, c.B = 1 + i % 4, c.T = H > 200 ? 2 : 4, c.F = source == FROM_NOTHING ? 1 : 5,
      c.D = 1 + i % 3 % 2;
      c.apart = i % 3 == 1 ? 0 : 1 + i % 7;
      c.activation = activations[i % 3], c.recurrent_activation = recurrents[i / 3 % 3];
      c.ragged = i % 5 != 0, c.initial = i % 2 == 0, c.concat = i / 2 % 2 == 0, c.biases = i % 7 != 3;
      c.bound =
          bound_of_sums(c.F + c.H) * (c.activation == CUSEQ_ACTIVATION_TANH ? 1.0 : 3.0); /* states grow */
      if (H > 200 && source != FROM_PROJECTED && source != FROM_IDS)
        continue;
      run_case(c);
    }
}

/* Every activation in both places; exponentials of exponentials leave float32, so that these make one
 * step. */
static void activations(enum cell_form form) {
  for (int i = 0; i < 2 * HOST_ACTIVATIONS; i++) {
    cuseq_activation activation = host_activations[i % HOST_ACTIVATIONS];
    struct cell_case c = {};
    c.form = form, c.source = FROM_PROJECTED;
    c.H = 20, c.B = 5, c.T = activation == CUSEQ_ACTIVATION_EXPONENTIAL ? 1 : 2, c.F = 5, c.D = 2,
    c.apart = 4;
    c.activation = i < HOST_ACTIVATIONS ? activation : CUSEQ_ACTIVATION_TANH;
    c.recurrent_activation = i < HOST_ACTIVATIONS ? CUSEQ_ACTIVATION_SIGMOID : activation;
    c.ragged = c.concat = c.initial = c.biases = true;
    c.bound = 6.0 * bound_of_sums(c.F + c.H); /* gates beyond 1 */
    run_case(c);
  }
}

int main(int argc, char **argv) {
  enum cell_form form = (enum cell_form)(argc > 1 ? std::atoi(argv[1]) : 0);
  sizes(form);
  activations(form);
  faults(form);
  refusals();
  return check_end();
}
