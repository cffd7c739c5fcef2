/* One step of cells after their product, for weights that do not fit on the chip. */
#include "kernels/common/activation.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"
#include "kernels/recurrence/cell_any.cuh"

enum { THREADS = 128 };

static __device__ __forceinline__ float4 cell_add(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/* x W of row b at position t, direction d, unit j; 0 where there is none. */
static __device__ __forceinline__ float4 cell_input(const struct cell_step &a, int d, int b, int t, int j) {
  int64_t position = (int64_t)b * a.time + t;
  if (a.d_projected)
    return __ldg((const float4 *)a.d_projected + (position * a.directions + d) * a.units + j);
  if (!a.d_ids && !a.d_row_ids)
    return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  int64_t id = a.d_ids ? a.d_ids[position] : a.d_row_ids[b];
  return __ldg((const float4 *)a.d_kernel + (id * a.directions + d) * a.units + j);
}

/* Where the step of a thread is: direction, row and unit, and the unit's place among the states. */
struct cell_place {
  int d, b, j;
  int64_t state;
};

/* The cell's update: h' of the place, whose state it writes. */
template <int FORM>
static __device__ __forceinline__ float cell_update(const struct cell_step &a, const struct cell_functions &f,
                                                    const struct cell_place &at, unsigned n, float4 z) {
  float h = a.d_previous_h ? a.d_previous_h[at.state] : 0.0f, c = 0.0f;
  if (FORM == CELL_FORM_LSTM)
    c = a.d_previous_c ? a.d_previous_c[at.state] : 0.0f;
  h = cell_any_update((enum cell_form)FORM, f, z,
                      FORM == CELL_FORM_GRU_RESET_BEFORE && a.d_candidate ? a.d_candidate[n] : 0.0f, h, c);
  if (FORM == CELL_FORM_LSTM)
    a.d_c[at.state] = c;
  a.d_h[at.state] = h;
  check_states(a.check, at.b, a.check.step, a.check.step > 0 ? LAUNCH_STAGE_DECODER : LAUNCH_STAGE_ENCODER, h,
               c);
  return h;
}

/* r h of the place, of the sum of r. */
static __device__ __forceinline__ float cell_reset(const struct cell_step &a, const struct cell_functions &f,
                                                   const struct cell_place &at, float sum) {
  return a.d_previous_h ? cell_any_reset(f, sum) * a.d_previous_h[at.state] : 0.0f;
}

/* computes  s = h U + x W + b, and of it what enum cell_form says, of one step, where the row still runs;
 *           output 0 where it has ended. GRU_RESET_BEFORE with d_reset: r h alone
 * shapes    struct cell_step in launch_recurrence.h
 * mapping   thread = (direction, row, unit), units innermost: all four sums in one 16-byte load of each
 *           summand
 * launch    grid ceil(D B H / 128), block 128, no shared memory
 * budget    40 registers
 * numerics  float32: (bias + x W) + h U; deterministic, of the product's order of summation
 * why       what is around the product in one kernel, so that a step is two nodes of a graph; the product
 *           reads U once for all rows, which a block per row would not
 * cost      a cell of an LSTM: 52 bytes read and 8 written, 12 with the output; 210 thread instructions with
 *           tanh and a hard sigmoid (63 float32, 94 integer), as counted on the dates at batch 64 */
template <int FORM>
__global__ void __launch_bounds__(THREADS)
    cell_step_kernel(const __grid_constant__ struct cell_step a,
                     const __grid_constant__ struct cell_functions functions) {
  unsigned n = blockIdx.x * THREADS + threadIdx.x, H = (unsigned)a.units, B = (unsigned)a.batch;
  unsigned row = n / H;
  int j = (int)(n - row * H), d = row >= B, b = (int)(row - d * B);
  if (row >= B * (unsigned)a.directions)
    return;
  const struct cell_place at = {d, b, j, row * a.state_leading + j};
  int length = a.d_lengths ? a.d_lengths[b] : a.time, step = a.step;
  bool runs = step < length;
  int t = runs && (d == 1 || a.is_backward) ? length - 1 - step : step;
  float h = 0.0f;
  if (runs) {
    float4 z = __ldg((const float4 *)a.d_bias + d * a.units + j);
    z = cell_add(z, cell_input(a, d, b, t, j));
    if (a.d_products)
      z = cell_add(z, ((const float4 *)a.d_products)[n]);
    if (FORM == CELL_FORM_GRU_RESET_BEFORE && a.d_reset)
      h = cell_reset(a, functions, at, z.y);
    else
      h = cell_update<FORM>(a, functions, at, n, z);
  }
  if (FORM == CELL_FORM_GRU_RESET_BEFORE && a.d_reset) {
    a.d_reset[n] = h;
    return;
  }
  float *output = a.d_output[d];
  if (output)
    output[((int64_t)b * a.time + t) * a.leading + j] = h;
}

static const char *states_fault(const struct cell_step *a) {
  bool before = a->form == CELL_FORM_GRU_RESET_BEFORE;
  if (!a->d_bias || !a->d_h || (a->form == CELL_FORM_LSTM && !a->d_c))
    return "bias or states are missing";
  if (!before && (a->d_reset || a->d_candidate))
    return "r h or a candidate of a cell that has none";
  if (a->d_reset && a->d_candidate)
    return "both r h and a candidate (each is one of two launches)";
  if (a->state_leading != 0 && a->state_leading < a->units)
    return "the states' leading dimension is below H";
  if ((a->d_output[0] || a->d_output[1]) && a->leading < a->units)
    return "the leading dimension is below H";
  return nullptr;
}

static const char *cell_fault(const struct cell_step *a) {
  if (a->form < CELL_FORM_LSTM || a->form > CELL_FORM_GRU_RESET_BEFORE)
    return "there is no such cell";
  if (a->batch < 1 || a->time < 1 || a->units < 1 || a->directions < 1 || a->directions > 2)
    return "a size is not possible (B, T, H from 1, D 1 or 2)";
  if (a->is_backward && a->directions != 1)
    return "backward is said of one direction, not of two";
  if ((int64_t)a->batch * a->directions * a->units > INT32_MAX - THREADS)
    return "too many cells (D B H is to fit into 31 bits)";
  if (a->step < 0 || a->step >= a->time)
    return "the step is none of 0..T-1";
  if (!!a->d_projected + !!a->d_ids + !!a->d_row_ids > 1)
    return "more than one input";
  if ((a->d_ids || a->d_row_ids) && !a->d_kernel)
    return "ids without a kernel";
  if (!device_activation_is_any(a->activation) || !device_activation_is_any(a->recurrent_activation))
    return "an activation is none of a number";
  if (((uintptr_t)a->d_products | (uintptr_t)a->d_projected | (uintptr_t)a->d_kernel | (uintptr_t)a->d_bias) %
      16)
    return "an address is not a multiple of 16";
  return states_fault(a);
}

extern "C" cuseq_status launch_cell_step(const struct cell_step *arguments,
                                         const struct launch_stream *stream) {
  static const char *const name = "cell step";
  const char *fault = cell_fault(arguments);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  struct cell_step a = *arguments;
  a.state_leading = a.state_leading ? a.state_leading : a.units;
  struct cell_functions functions;
  functions.is_usual = device_gates_take(a.activation, a.recurrent_activation);
  functions.gates = device_gates_make(a.activation, a.recurrent_activation);
  functions.activation = a.activation;
  functions.recurrent = a.recurrent_activation;
  auto kernel = a.form == CELL_FORM_LSTM              ? cell_step_kernel<CELL_FORM_LSTM>
                : a.form == CELL_FORM_GRU_RESET_AFTER ? cell_step_kernel<CELL_FORM_GRU_RESET_AFTER>
                                                      : cell_step_kernel<CELL_FORM_GRU_RESET_BEFORE>;
  unsigned cells = (unsigned)a.batch * (unsigned)a.directions * (unsigned)a.units;
  kernel<<<(cells + THREADS - 1) / THREADS, THREADS, 0, (cudaStream_t)stream->stream>>>(a, functions);
  return launch_result(stream, name, cudaGetLastError());
}
