/* The calls of cuDNN 9 that its peer makes, loaded at run time: the benchmark runs without it. */
#ifndef BENCH_GPU_CUDNN_LIBRARY_H
#define BENCH_GPU_CUDNN_LIBRARY_H

#include <cudnn.h>

#define CUDNN_CALLS(use)                                                                                     \
  use(cudnnGetVersion) use(cudnnGetErrorString) use(cudnnCreate) use(cudnnDestroy) use(cudnnSetStream)       \
      use(cudnnCreateRNNDescriptor) use(cudnnDestroyRNNDescriptor) use(cudnnSetRNNDescriptor_v8)             \
          use(cudnnCreateRNNDataDescriptor) use(cudnnDestroyRNNDataDescriptor)                               \
              use(cudnnSetRNNDataDescriptor) use(cudnnCreateTensorDescriptor)                                \
                  use(cudnnDestroyTensorDescriptor) use(cudnnSetTensorNdDescriptor)                          \
                      use(cudnnGetTensorNdDescriptor) use(cudnnGetRNNWeightSpaceSize)                        \
                          use(cudnnGetRNNTempSpaceSizes) use(cudnnGetRNNWeightParams)                        \
                              use(cudnnBuildRNNDynamic) use(cudnnRNNForward)

#define CUDNN_MEMBER(name) __typeof__(&name) name;
struct cudnn_library {
  CUDNN_CALLS(CUDNN_MEMBER)
};
#undef CUDNN_MEMBER

/* The library, loaded on the first call; NULL where libcudnn.so.9 is not there or lacks a call: *reason then
 * has one line. */
const struct cudnn_library *cudnn_library(const char **reason);

#endif
