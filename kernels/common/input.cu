/* Arrays that a caller left on the device: checked, converted, brought to where the other kernels expect
 * them. */
#include "kernels/common/launch_error.cuh"

enum { INPUT_THREADS = 256, INPUT_CHUNK = 8 * INPUT_THREADS, NAME_SHIFT = 58 };

struct input_grid {
  struct input_check check;
  unsigned blocks[INPUT_ARRAYS]; /* of each array */
};

__device__ __forceinline__ int64_t input_integer(const input_array &array, int64_t i) {
  return array.dtype == CUSEQ_DTYPE_I64 ? ((const int64_t *)array.d_source)[i]
                                        : ((const int32_t *)array.d_source)[i];
}

__device__ __forceinline__ bool input_is_integer(const input_array &array) {
  return array.dtype == CUSEQ_DTYPE_I32 || array.dtype == CUSEQ_DTYPE_I64;
}

/* Element i, checked and brought to its target. Returns whether it is a fault. */
__device__ __forceinline__ bool input_element(const input_array &array, int64_t i, bool counts) {
  if (input_is_integer(array)) {
    int64_t value = counts ? input_integer(array, i) : 0;
    int64_t inside = value < array.low ? array.low : value > array.high ? array.high : value;
    if (array.d_target)
      ((int32_t *)array.d_target)[i] = counts ? (int32_t)inside : 0;
    return counts && inside != value;
  }
  float value = 0.0f;
  if (counts)
    value = array.dtype == CUSEQ_DTYPE_F64 ? (float)((const double *)array.d_source)[i]
                                           : ((const float *)array.d_source)[i];
  if (array.d_target)
    ((float *)array.d_target)[i] = value;
  return counts && array.finite && !isfinite(value);
}

__device__ void input_tell(const input_check &check, uint64_t lowest) {
  struct input_fault *fault = check.fault;
  int32_t name = (int32_t)(lowest >> NAME_SHIFT);
  int64_t index = (int64_t)(lowest & (((uint64_t)1 << NAME_SHIFT) - 1));
  int n = 0;
  while (check.arrays[n].name != name)
    n++;
  const input_array &array = check.arrays[n];
  fault->array = array;
  fault->index = index;
  fault->call = check.call;
  if (input_is_integer(array))
    fault->integer = input_integer(array, index);
  else
    fault->number = array.dtype == CUSEQ_DTYPE_F64 ? ((const double *)array.d_source)[index]
                                                   : (double)((const float *)array.d_source)[index];
  fault->found = 1;
}

/* computes  target = source, integers clamped to low..high, floats rounded to float32; the first element
 *           that is out of range or not finite goes to the fault
 * shapes    as in launch_input.h; a target aliases nothing
 * mapping   blocks 0 .. blocks[0] - 1 have the first array, the next ones the second, ...; a block = 2048
 *           neighbouring elements of one row; neighbours take neighbours
 * launch    grid the sum of rows x ceil(columns / 2048), 256 threads, no shared memory
 * budget    40 registers, 0 bytes of shared memory
 * numerics  float64 is rounded to the nearest float32, as the host does; deterministic
 * why       one launch for all arrays of a call. The block that arrives last tells the fault, so that no
 *           launch follows this one, and reads the value again from the source, which does not change */
__global__ void __launch_bounds__(INPUT_THREADS)
    input_check_kernel(const __grid_constant__ struct input_grid grid) {
  int n = 0;
  unsigned block = blockIdx.x;
  while (block >= grid.blocks[n])
    block -= grid.blocks[n++];
  const input_array &array = grid.check.arrays[n];
  unsigned chunks = (unsigned)((array.columns + INPUT_CHUNK - 1) / INPUT_CHUNK);
  int64_t row = block / chunks, first = (int64_t)(block % chunks) * INPUT_CHUNK;
  int64_t counting = array.columns;
  if (array.d_lengths) {
    int32_t length = array.d_lengths[row];
    length = length < 1 ? 1 : length > array.positions ? array.positions : length;
    counting = array.columns / array.positions * length;
  }
  uint64_t lowest = 0;
  for (int64_t column = first + threadIdx.x; column < first + INPUT_CHUNK && column < array.columns;
       column += INPUT_THREADS) {
    int64_t i = row * array.columns + column;
    if (input_element(array, i, column < counting) && !lowest)
      lowest = ~((uint64_t)array.name << NAME_SHIFT | (uint64_t)i);
  }
  struct input_record *record = grid.check.d_record;
  if (lowest)
    atomicMax((unsigned long long *)&record->lowest, (unsigned long long)lowest);
  __threadfence();
  __syncthreads(); /* all faults of the block are in the record before it arrives */
  if (threadIdx.x != 0 || atomicInc(&record->arrived, gridDim.x - 1) != gridDim.x - 1)
    return;
  __threadfence();
  lowest = atomicExch((unsigned long long *)&record->lowest, 0);
  if (lowest && !record->pending) {
    record->pending = 1;
    input_tell(grid.check, ~lowest);
  }
}

static const char *input_array_fault(const struct input_array *array) {
  if (array->name < 0 || array->name > 31)
    return "a name is not in 0..31";
  if (!array->d_source || array->rows < 1 || array->columns < 1)
    return "an array is missing or empty";
  if (array->dtype != CUSEQ_DTYPE_F32 && array->dtype != CUSEQ_DTYPE_F64 && array->dtype != CUSEQ_DTYPE_I32 &&
      array->dtype != CUSEQ_DTYPE_I64)
    return "a type is not F32, F64, I32 or I64";
  if (array->d_lengths && (array->positions < 1 || array->columns % array->positions != 0))
    return "the columns are not a multiple of the positions";
  return nullptr;
}

extern "C" cuseq_status launch_input_check(const struct input_check *arguments,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_input_check";
  struct input_grid grid = {*arguments, {}};
  LAUNCH_NEED(arguments->count >= 1 && arguments->count <= INPUT_ARRAYS,
              "%s: the number of arrays is not possible (found %d)", name, (int)arguments->count);
  LAUNCH_NEED(arguments->d_record && arguments->fault, "%s: the record or the fault is NULL", name);
  int64_t blocks = 0;
  for (int n = 0; n < arguments->count; n++) {
    const struct input_array *array = &arguments->arrays[n];
    const char *fault = input_array_fault(array);
    LAUNCH_NEED(!fault, "%s: %s", name, fault);
    int64_t chunks = (array->columns + INPUT_CHUNK - 1) / INPUT_CHUNK;
    LAUNCH_NEED(array->rows <= INT32_MAX && chunks <= INT32_MAX / array->rows, "%s: too large an array",
                name);
    grid.blocks[n] = (unsigned)(array->rows * chunks);
    blocks += grid.blocks[n];
  }
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too many elements", name);
  input_check_kernel<<<(unsigned)blocks, INPUT_THREADS, 0, (cudaStream_t)stream->stream>>>(grid);
  return launch_result(stream, name, cudaGetLastError());
}
