/* One step of an LSTM layer after its product, for weights that do not fit on the chip. */
#include "kernels/common/activation.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"

enum { THREADS = 128 };

static __device__ __forceinline__ float4 cell_add(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/* x W of row b at position t, direction d, unit j; 0 where there is none. */
static __device__ __forceinline__ float4 cell_input(const struct lstm_cell &a, int d, int b, int t, int j) {
  int64_t position = (int64_t)b * a.time + t;
  if (a.d_projected)
    return __ldg((const float4 *)a.d_projected + (position * a.directions + d) * a.units + j);
  if (!a.d_ids && !a.d_row_ids)
    return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  int64_t id = a.d_ids ? a.d_ids[position] : a.d_row_ids[b];
  return __ldg((const float4 *)a.d_kernel + (id * a.directions + d) * a.units + j);
}

/* computes  z = h U + x W + b; i, f, o = rec(z); g = act(z_c); c' = f c + i g; h' = o act(c') of one step, where the row still
 *           runs; output 0 where it has ended
 * shapes    struct lstm_cell in launch.h
 * mapping   thread = (direction, row, unit), units innermost: all four gates in one 16-byte load of each summand
 * launch    grid ceil(D B H / 128), block 128, no shared memory
 * budget    40 registers
 * numerics  float32: (bias + x W) + h U; deterministic, of the product's order of summation
 * why       what is around the product in one kernel, so that a step is two nodes of a graph; the product reads U once for all
 *           rows, which a block per row would not
 * cost      a cell: 52 bytes read and 8 written, 12 with the output; 210 thread instructions with tanh and a hard sigmoid (63
 *           float32, 94 integer), as counted on the dates at batch 64 */
__global__ void __launch_bounds__(THREADS)
    lstm_cell_kernel(const __grid_constant__ struct lstm_cell a,
                     const __grid_constant__ struct device_gates gates) {
  unsigned n = blockIdx.x * THREADS + threadIdx.x, H = (unsigned)a.units, B = (unsigned)a.batch;
  unsigned row = n / H;
  int j = (int)(n - row * H), d = row >= B, b = (int)(row - d * B);
  if (row >= B * (unsigned)a.directions)
    return;
  int length = a.d_lengths ? a.d_lengths[b] : a.time, step = a.step;
  bool runs = step < length;
  int t = runs && d == 1 ? length - 1 - step : step;
  float h = 0.0f;
  if (runs) {
    float4 z = __ldg((const float4 *)a.d_bias + d * a.units + j);
    z = cell_add(z, cell_input(a, d, b, t, j));
    if (a.d_products)
      z = cell_add(z, ((const float4 *)a.d_products)[n]);
    float c = a.d_previous_c ? a.d_previous_c[n] : 0.0f;
    h = device_lstm_cell(gates, z, c);
    a.d_h[n] = h;
    a.d_c[n] = c;
    check_states(a.check, b, a.check.step, a.check.step > 0 ? LAUNCH_STAGE_DECODER : LAUNCH_STAGE_ENCODER, h,
                 c);
  }
  float *output = a.d_output[d];
  if (output)
    output[((int64_t)b * a.time + t) * a.leading + j] = h;
}

static const char *cell_fault(const struct lstm_cell *a) {
  if (a->batch < 1 || a->time < 1 || a->units < 1 || a->directions < 1 || a->directions > 2)
    return "a size is not possible (B, T, H from 1, D 1 or 2)";
  if ((int64_t)a->batch * a->directions * a->units > INT32_MAX - THREADS)
    return "too many cells (D B H is to fit into 31 bits)";
  if (a->step < 0 || a->step >= a->time)
    return "the step is none of 0..T-1";
  if (!!a->d_projected + !!a->d_ids + !!a->d_row_ids > 1)
    return "more than one input";
  if ((a->d_ids || a->d_row_ids) && !a->d_kernel)
    return "ids without a kernel";
  if (!a->d_bias || !a->d_h || !a->d_c)
    return "bias or states are missing";
  if (a->activation != CUSEQ_ACTIVATION_TANH && a->activation != CUSEQ_ACTIVATION_RELU &&
      a->activation != CUSEQ_ACTIVATION_LINEAR)
    return "the activation is not tanh, relu or linear";
  if (a->recurrent_activation < CUSEQ_ACTIVATION_SIGMOID ||
      a->recurrent_activation > CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2)
    return "the recurrent activation is no sigmoid";
  if ((a->d_output[0] || a->d_output[1]) && a->leading < a->units)
    return "the leading dimension is below H";
  if (((uintptr_t)a->d_products | (uintptr_t)a->d_projected | (uintptr_t)a->d_kernel | (uintptr_t)a->d_bias) %
      16)
    return "an address is not a multiple of 16";
  return nullptr;
}

extern "C" cuseq_status launch_lstm_cell(const struct lstm_cell *arguments,
                                         const struct launch_stream *stream) {
  static const char *const name = "lstm cell";
  const char *fault = cell_fault(arguments);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  unsigned cells = (unsigned)arguments->batch * (unsigned)arguments->directions * (unsigned)arguments->units;
  lstm_cell_kernel<<<(cells + THREADS - 1) / THREADS, THREADS, 0, (cudaStream_t)stream->stream>>>(
      *arguments, device_gates_make(arguments->activation, arguments->recurrent_activation));
  return launch_result(stream, name, cudaGetLastError());
}
