/* What the mappings of the LSTM sequence share: the kernel parameter, rows, and the launchers of each
 * mapping. */
#ifndef CUSEQ_KERNELS_LSTM_SEQUENCE_CUH
#define CUSEQ_KERNELS_LSTM_SEQUENCE_CUH

#include "kernels/common/activation.cuh"
#include "kernels/launch.h"

enum lstm_source { LSTM_SOURCE_PROJECTED, LSTM_SOURCE_IDS, LSTM_SOURCE_X };

struct lstm_parameters {
  struct lstm_sequence a;
  struct device_gates gates;
};

/* One direction of one row. Step s reads and writes position t(s). */
struct lstm_row {
  int b, d, length;
  bool is_backward;
  __device__ __forceinline__ lstm_row(const struct lstm_sequence &a, int place, int direction) {
    b = a.d_order ? a.d_order[place] : place;
    d = direction;
    is_backward = direction == 1 || a.is_backward;
    length = a.d_lengths ? a.d_lengths[b] : a.time;
  }
  __device__ __forceinline__ int t(int s) const {
    return is_backward ? length - 1 - s : s;
  }
};

__device__ __forceinline__ float4 lstm_add(float4 x, float4 y) {
  return make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
}

/* z += h u, the four gates of a unit. */
__device__ __forceinline__ void lstm_multiply(float4 &z, float h, float4 u) {
  z.x = fmaf(h, u.x, z.x);
  z.y = fmaf(h, u.y, z.y);
  z.z = fmaf(h, u.z, z.z);
  z.w = fmaf(h, u.w, z.w);
}

__device__ __forceinline__ float4 lstm_zero() {
  return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

/* The launchers of the mappings; arguments have been checked. They return cudaGetLastError's answer. */
cudaError_t lstm_launch_warp16(const struct lstm_parameters *parameters, cudaStream_t stream);
cudaError_t lstm_launch_warp32(const struct lstm_parameters *parameters, cudaStream_t stream);
cudaError_t lstm_launch_block64(const struct lstm_parameters *parameters, cudaStream_t stream);
cudaError_t lstm_launch_cluster128(const struct lstm_parameters *parameters, cudaStream_t stream);
cudaError_t lstm_launch_grid(const struct lstm_parameters *parameters, const struct launch_device *device,
                             cudaStream_t stream);
size_t lstm_grid_workspace(int32_t batch, int32_t units, int32_t directions,
                           const struct launch_device *device);

#endif
