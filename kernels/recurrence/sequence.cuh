/* What the mappings of a sequence share: the kernel parameter, rows, and the launchers of each
 * mapping. */
#ifndef CUSEQ_KERNELS_SEQUENCE_CUH
#define CUSEQ_KERNELS_SEQUENCE_CUH

#include "kernels/common/activation.cuh"
#include "kernels/launch.h"

enum sequence_source { SEQUENCE_OF_PROJECTED, SEQUENCE_OF_IDS, SEQUENCE_OF_X };

struct sequence_parameters {
  struct sequence a;
  struct device_gates gates;
};

/* One direction of one row. Step s reads and writes position t(s). */
struct chain_row {
  int b, d, length;
  bool is_backward;
  __device__ __forceinline__ chain_row(const struct sequence &a, int place, int direction) {
    b = a.d_order ? a.d_order[place] : place;
    d = direction;
    is_backward = direction == 1 || a.is_backward;
    length = a.d_lengths ? a.d_lengths[b] : a.time;
  }
  __device__ __forceinline__ int t(int s) const {
    return is_backward ? length - 1 - s : s;
  }
};

__device__ __forceinline__ float4 sums_add(float4 x, float4 y) {
  return make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
}

/* z += x w, the four sums of a unit of x W. */
__device__ __forceinline__ void sums_multiply(float4 &z, float x, float4 w) {
  z.x = fmaf(x, w.x, z.x);
  z.y = fmaf(x, w.y, z.y);
  z.z = fmaf(x, w.z, z.z);
  z.w = fmaf(x, w.w, z.w);
}

/* x + y z. */
__device__ __forceinline__ float4 sums_scaled(float4 x, float4 y, float4 z) {
  return make_float4(fmaf(y.x, z.x, x.x), fmaf(y.y, z.y, x.y), fmaf(y.z, z.z, x.z), fmaf(y.w, z.w, x.w));
}

__device__ __forceinline__ float4 sums_times(float4 x, float by) {
  return make_float4(x.x * by, x.y * by, x.z * by, x.w * by);
}

__device__ __forceinline__ float4 sums_zero() {
  return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

/* The launchers of the mappings; arguments have been checked. They return cudaGetLastError's answer. */
cudaError_t sequence_launch_warp16(const struct sequence_parameters *parameters, cudaStream_t stream);
cudaError_t sequence_launch_warp32(const struct sequence_parameters *parameters, cudaStream_t stream);
cudaError_t sequence_launch_block64(const struct sequence_parameters *parameters, cudaStream_t stream);
cudaError_t sequence_launch_cluster128(const struct sequence_parameters *parameters, cudaStream_t stream);
cudaError_t sequence_launch_grid(const struct sequence_parameters *parameters,
                                 const struct launch_device *device, cudaStream_t stream);
size_t sequence_grid_workspace(int32_t batch, int32_t units, int32_t directions,
                               const struct launch_device *device);

#endif
