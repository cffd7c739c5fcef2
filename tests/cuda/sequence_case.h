/* One layer on the device and in a float64 loop on the host, straight from the formulas. */
#ifndef CUSEQ_TESTS_CUDA_SEQUENCE_CASE_H
#define CUSEQ_TESTS_CUDA_SEQUENCE_CASE_H

#include "bounds.h"
#include "cell_host.h"

#include <memory>
#include <string>

enum case_source { SOURCE_PROJECTED, SOURCE_IDS, SOURCE_X };

struct sequence_case {
  enum cell_form form; /* LSTM, or GRU with the reset after the product */
  enum sequence_mapping mapping;
  int B, T, F, H, D;
  enum case_source source;
  cuseq_activation activation, recurrent;
  bool ragged, initial, ordered, concat;
  bool backward; /* of D 1 */
  bool once;     /* no second launch: of large ones */
  cuseq_precision precision;
};

/* The arrays of a case, in the model's layout. */
struct sequence_data {
  struct host_cell cells[2];
  std::vector<float> x, initial_h, initial_c;
  std::vector<int32_t> ids, lengths, order;
};

struct sequence_results {
  std::vector<float> output, final_h, final_c; /* output [B,T,D,H] whatever the layout on the device */
};

struct sequence_wanted {
  std::vector<double> output, final_h, final_c;
};

static uint64_t case_state = 1;

static inline uint32_t case_random(uint32_t below) {
  case_state = case_state * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)((case_state >> 33) % below);
}

static inline std::vector<float> case_values(size_t count, double scale) {
  std::vector<float> values(count);
  for (float &value : values)
    value = (float)(scale * ((double)case_random(2000001) / 1e6 - 1.0));
  return values;
}

static inline struct sequence_data case_data(const struct sequence_case &c) {
  struct sequence_data data;
  size_t width = (size_t)host_gates(c.form) * c.H;
  for (int d = 0; d < c.D; d++) {
    struct host_cell &cell = data.cells[d];
    cell = {c.form, c.H, c.activation, c.recurrent, {}, {}, {}, {}};
    cell.kernel = case_values(c.F * width, c.source == SOURCE_IDS ? 1.0 : 1.5 / std::sqrt(c.F));
    cell.recurrent = case_values(c.H * width, 1.5 / std::sqrt(c.H));
    cell.bias = case_values(width, 0.5);
    if (c.form != CELL_FORM_LSTM)
      cell.candidate_bias = case_values((size_t)c.H, 0.5);
  }
  data.x = case_values((size_t)c.B * c.T * c.F, 1.0);
  data.initial_h = case_values((size_t)c.D * c.B * c.H, 0.8);
  data.initial_c = case_values((size_t)c.D * c.B * c.H, 1.2);
  for (int b = 0; b < c.B; b++)
    data.lengths.push_back(!c.ragged ? c.T : b == 0 ? 1 : b == 1 ? c.T : 1 + (int)case_random((uint32_t)c.T));
  for (int b = 0; b < c.B; b++)
    for (int t = 0; t < c.T; t++) /* beyond the length an id that must not be looked at */
      data.ids.push_back(t < data.lengths[b] ? (int32_t)case_random((uint32_t)c.F) : 1 << 30);
  for (int length = c.T; length >= 1; length--)
    for (int b = 0; b < c.B; b++)
      if (data.lengths[b] == length)
        data.order.push_back(b);
  return data;
}

/* x W of one position, float64, without the bias. */
static inline std::vector<double> case_product(const struct sequence_case &c,
                                               const struct sequence_data &data, int d, int b, int t) {
  int width = host_gates(c.form) * c.H;
  std::vector<double> z((size_t)width, 0.0);
  size_t position = (size_t)b * c.T + t;
  for (int f = 0; f < c.F; f++) {
    double x = c.source == SOURCE_IDS ? (data.ids[position] == f ? 1.0 : 0.0) : data.x[position * c.F + f];
    for (int j = 0; x != 0.0 && j < width; j++)
      z[j] += x * (double)data.cells[d].kernel[(size_t)f * width + j];
  }
  return z;
}

static inline struct sequence_wanted case_reference(const struct sequence_case &c,
                                                    const struct sequence_data &data) {
  struct sequence_wanted want;
  int H = c.H;
  want.output.assign((size_t)c.B * c.T * c.D * H, 0.0);
  want.final_h.resize((size_t)c.D * c.B * H);
  want.final_c.resize((size_t)c.D * c.B * H);
  std::vector<double> h((size_t)H), cell((size_t)H);
  for (int d = 0; d < c.D; d++)
    for (int b = 0; b < c.B; b++) {
      size_t state = ((size_t)d * c.B + b) * H;
      for (int j = 0; j < H; j++) {
        h[j] = c.initial ? (double)data.initial_h[state + j] : 0.0;
        cell[j] = c.initial ? (double)data.initial_c[state + j] : 0.0;
      }
      for (int s = 0; s < data.lengths[b]; s++) {
        int t = d == 1 || c.backward ? data.lengths[b] - 1 - s : s;
        std::vector<double> x = case_product(c, data, d, b, t);
        for (size_t j = 0; j < x.size(); j++)
          x[j] += (double)data.cells[d].bias[j];
        host_cell_step(data.cells[d], x, h, cell);
        std::copy(h.begin(), h.end(), want.output.begin() + (long)((((size_t)b * c.T + t) * c.D + d) * H));
      }
      std::copy(h.begin(), h.end(), want.final_h.begin() + (long)state);
      std::copy(cell.begin(), cell.end(), want.final_c.begin() + (long)state);
    }
  return want;
}

/* [B,T,D,H,4] float32, rounded from float64; poison beyond the lengths. */
static inline std::vector<float> case_projected(const struct sequence_case &c,
                                                const struct sequence_data &data) {
  std::vector<float> projected((size_t)c.B * c.T * c.D * c.H * 4, NAN);
  for (int b = 0; b < c.B; b++)
    for (int t = 0; t < data.lengths[b]; t++)
      for (int d = 0; d < c.D; d++) {
        std::vector<double> z = case_product(c, data, d, b, t);
        for (int j = 0; j < c.H; j++)
          for (int gate = 0; gate < 4; gate++)
            projected[((((size_t)b * c.T + t) * c.D + d) * c.H + j) * 4 + gate] =
                gate < host_gates(c.form) ? (float)z[(size_t)gate * c.H + j] : 0.0f;
      }
  return projected;
}

static inline struct launch_device case_device(void) {
  struct launch_device device;
  int major, minor, value;
  CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  CHECK_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
  device.architecture = 10 * major + minor;
  CHECK_CUDA(cudaDeviceGetAttribute(&device.multiprocessors, cudaDevAttrMultiProcessorCount, 0));
  CHECK_CUDA(cudaDeviceGetAttribute(&device.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  CHECK_CUDA(cudaDeviceGetAttribute(&device.cooperative, cudaDevAttrCooperativeLaunch, 0));
  CHECK_CUDA(cudaDeviceGetAttribute(&value, cudaDevAttrClusterLaunch, 0));
  device.clusters = value && launch_clusters_built();
  device.tensor_cores = launch_tensor_cores_built();
  return device;
}

/* Takes direction d out of [rows][leading]. */
static inline void case_take(const struct sequence_case &c, const std::vector<float> &from, size_t leading,
                             size_t offset, int d, std::vector<float> &output) {
  for (size_t row = 0; row < (size_t)c.B * c.T; row++)
    for (int j = 0; j < c.H; j++)
      output[(row * c.D + d) * c.H + j] = from[row * leading + offset + j];
}

/* Runs a case on the device, on a workspace of its own where none is given. */
static inline struct sequence_results case_run(const struct sequence_case &c,
                                               const struct sequence_data &data,
                                               const struct launch_device &device, char *workspace = NULL) {
  size_t H4 = (size_t)c.H * 4;
  std::vector<float> kernel(c.F * c.D * H4), recurrent(c.D * c.H * H4), bias(c.D * H4);
  for (int d = 0; d < c.D; d++) {
    const struct host_cell &cell = data.cells[d];
    cell_pack_kernel(c.form, cell.kernel.data(), c.F, c.H, c.D, d, kernel.data());
    cell_pack_recurrent(c.form, cell.recurrent.data(), c.H, d, recurrent.data());
    cell_pack_bias(c.form, cell.bias.data(), cell.candidate_bias.empty() ? NULL : cell.candidate_bias.data(),
                   c.H, d, bias.data());
  }
  device_array<float> d_kernel(kernel), d_recurrent(recurrent), d_bias(bias), d_h(data.initial_h),
      d_c(data.initial_c);
  device_array<float> d_projected(c.source == SOURCE_PROJECTED ? case_projected(c, data)
                                                               : std::vector<float>());
  device_array<float> d_x(data.x), d_final_h((size_t)c.D * c.B * c.H), d_final_c((size_t)c.D * c.B * c.H);
  device_array<int32_t> d_ids(data.ids), d_lengths(data.lengths), d_order(data.order);
  size_t leading = c.concat ? (size_t)c.D * c.H : (size_t)c.H + 3, each = (size_t)c.B * c.T * leading;
  device_array<float> d_output(c.concat ? each : each * c.D);
  size_t bytes = sequence_workspace_bytes(c.mapping, c.B, c.H, c.D, &device);
  device_array<char> d_workspace(std::vector<char>(bytes, 0));
  struct sequence a = {};
  a.form = c.form, a.mapping = c.mapping, a.is_backward = c.backward;
  a.batch = c.B, a.time = c.T, a.units = c.H, a.directions = c.D, a.features = c.F;
  a.activation = c.activation, a.recurrent_activation = c.recurrent;
  a.d_lengths = c.ragged ? d_lengths.data() : NULL;
  a.d_order = c.ordered ? d_order.data() : NULL;
  a.d_projected = c.source == SOURCE_PROJECTED ? d_projected.data() : NULL;
  a.d_ids = c.source == SOURCE_IDS ? d_ids.data() : NULL;
  a.d_x = c.source == SOURCE_X ? d_x.data() : NULL;
  a.d_kernel = c.source == SOURCE_PROJECTED ? NULL : d_kernel.data();
  a.d_recurrent = d_recurrent.data(), a.d_bias = d_bias.data();
  a.d_initial_h = c.initial ? d_h.data() : NULL, a.d_initial_c = c.initial ? d_c.data() : NULL;
  a.leading = (int64_t)leading;
  a.precision = c.precision;
  for (int d = 0; d < c.D; d++)
    a.d_output[d] = d_output.data() + (c.concat ? (size_t)d * c.H : each * d);
  a.d_final_h = d_final_h.data(), a.d_final_c = d_final_c.data();
  a.d_workspace = workspace ? workspace : d_workspace.data();
  char error[256] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  struct sequence_results results;
  for (int again = 0; again < (c.once ? 1 : 2); again++) { /* twice on one workspace, with the same bits */
    if (launch_sequence(&a, &stream) != CUSEQ_STATUS_OK) {
      std::printf("FAILED to launch: %s\n", error);
      std::exit(1);
    }
    struct sequence_results these;
    these.final_h = d_final_h.read(), these.final_c = d_final_c.read();
    std::vector<float> output = d_output.read();
    these.output.resize((size_t)c.B * c.T * c.D * c.H);
    for (int d = 0; d < c.D; d++)
      case_take(c, output, leading, c.concat ? (size_t)d * c.H : each * d, d, these.output);
    if (again)
      check_that(
          std::memcmp(results.output.data(), these.output.data(), these.output.size() * sizeof(float)) == 0 &&
              std::memcmp(results.final_h.data(), these.final_h.data(),
                          these.final_h.size() * sizeof(float)) == 0 &&
              std::memcmp(results.final_c.data(), these.final_c.data(),
                          these.final_c.size() * sizeof(float)) == 0,
          "a second launch gives the same bits");
    results = these;
  }
  check_that(d_output.intact() && d_final_h.intact() && d_final_c.intact() && d_workspace.intact(),
             "nothing is written outside of the results");
  return results;
}

static inline std::string case_name(const struct sequence_case &c) {
  char name[200];
  std::snprintf(name, sizeof name,
                "cell %d mapping %d H %d B %d T %d F %d D %d source %d activations %d %d%s%s%s%s%s%s",
                (int)c.form, (int)c.mapping, c.H, c.B, c.T, c.F, c.D, (int)c.source, (int)c.activation,
                (int)c.recurrent, c.ragged ? " ragged" : "", c.initial ? " initial" : "",
                c.ordered ? " ordered" : "", c.concat ? " concat" : "", c.backward ? " backward" : "",
                c.precision == CUSEQ_PRECISION_BF16   ? " bf16"
                : c.precision == CUSEQ_PRECISION_TF32 ? " tf32"
                                                      : "");
  return name;
}

/* What a case may err: in a step a unit adds up its inputs' and its state's products. Factors that are
 * rounded to 8 or 11 bits err by 2^-9 or 2^-12 of themselves; weights and states of these cases make sums of
 * less than 1 of them. */
static inline double case_bound(const struct sequence_case &c) {
  if (c.precision != CUSEQ_PRECISION_FLOAT32)
    return c.precision == CUSEQ_PRECISION_BF16 ? 0x1p-7 : 0x1p-10;
  return bound_of_sums(c.F + c.H);
}

/* A case against the float64 loop. */
static inline void case_check(const struct sequence_case &c, const struct launch_device &device) {
  struct sequence_data data = case_data(c);
  struct sequence_wanted want = case_reference(c, data);
  struct sequence_results got = case_run(c, data, device);
  std::string name = case_name(c);
  check_close((name + ": output").c_str(), got.output, want.output, case_bound(c));
  check_close((name + ": final h").c_str(), got.final_h, want.final_h, case_bound(c));
  bool has_c = false;
  for (float value : got.final_c)
    has_c = has_c || !std::isnan(value);
  check_that(has_c == (c.form == CELL_FORM_LSTM), (name + ": a GRU has no c").c_str());
  if (c.form == CELL_FORM_LSTM)
    check_close((name + ": final c").c_str(), got.final_c, want.final_c, case_bound(c));
}

#endif
