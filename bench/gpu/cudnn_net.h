/* The LSTM layers of cuDNN 9 with a workload's weights and input, in one layout and by one algorithm. */
#ifndef BENCH_GPU_CUDNN_NET_H
#define BENCH_GPU_CUDNN_NET_H

#include "cudnn_library.h"
#include "workload.h"

#include <cuda_runtime_api.h>

/* Where row b's position t lies among the vectors of an array, and back. */
struct cudnn_layout {
  bool is_packed; /* time-major without padding, the longest row first; else time-major [T,B] */
  int32_t B, T;
  int32_t *lengths; /* [B] of the rows as the caller numbers them */
  int32_t *order;   /* [B] rows as they lie side by side */
  int64_t *starts;  /* [T] first vector of position t */
  int64_t vectors;  /* all of them */
};
bool cudnn_layout_make(struct cudnn_layout *layout, const struct instance *instance, bool is_packed);
void cudnn_layout_free(struct cudnn_layout *layout);

/* x [vectors,F], ids as one-hot rows, padding 0. */
void cudnn_layout_input(const struct cudnn_layout *layout, const struct instance *instance, float *x);
/* annotations [B,T,width] from y [vectors,width], 0 at t >= length. */
void cudnn_layout_output(const struct cudnn_layout *layout, const float *y, int32_t width,
                         float *annotations);

struct cudnn_net {
  const struct cudnn_library *library;
  cudnnHandle_t handle; /* the caller's */
  cudnnRNNDescriptor_t rnn;
  cudnnRNNDataDescriptor_t x_descriptor, y_descriptor;
  cudnnTensorDescriptor_t state_descriptor;
  void *d_weights, *d_workspace;
  int32_t *d_lengths;
  size_t weight_bytes, workspace_bytes;
};

/* Makes it for plain float32 arithmetic; CUDNN_STATUS_SUCCESS, or why cuDNN does not do it this way. */
cudnnStatus_t cudnn_net_open(struct cudnn_net *net, const struct cudnn_library *library, cudnnHandle_t handle,
                             const struct instance *instance, const struct cudnn_layout *layout,
                             cudnnRNNAlgo_t algorithm);
void cudnn_net_close(struct cudnn_net *net);

/* Queues a forward pass: d_x [vectors,F] to d_y [vectors,A]. */
cudnnStatus_t cudnn_net_run(const struct cudnn_net *net, const float *d_x, float *d_y);

#endif
