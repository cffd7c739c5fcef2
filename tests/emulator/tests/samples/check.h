// What every sample needs: calls that must succeed, comparisons with the CPU's result, and the verdict.
#ifndef SAMPLE_CHECK_H
#define SAMPLE_CHECK_H

#include <cuda_runtime.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#define CHECK(call)                                                                                          \
  do {                                                                                                       \
    const cudaError_t status_ = (call);                                                                      \
    if (status_ != cudaSuccess) {                                                                            \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(status_));            \
      exit(1);                                                                                               \
    }                                                                                                        \
  } while (0)

#define EXPECT(condition)                                                                                    \
  do {                                                                                                       \
    if (!(condition)) {                                                                                      \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                         \
      exit(1);                                                                                               \
    }                                                                                                        \
  } while (0)

// Compares n values; a NaN is never close.
template <typename T>
void expect_close(const char *what, const T *got, const T *want, size_t n, double bound) {
  for (size_t i = 0; i < n; i++)
    if (!(std::fabs((double)got[i] - (double)want[i]) <= bound)) {
      fprintf(stderr, "%s: element %zu is %g, not %g (bound %g)\n", what, i, (double)got[i], (double)want[i],
              bound);
      exit(1);
    }
}

template <typename T> T *device_array(size_t n, const T *values = nullptr) {
  T *d;
  CHECK(cudaMalloc(&d, n * sizeof(T)));
  if (values)
    CHECK(cudaMemcpy(d, values, n * sizeof(T), cudaMemcpyHostToDevice));
  return d;
}

template <typename T> void fetch(T *values, const T *d, size_t n) {
  CHECK(cudaMemcpy(values, d, n * sizeof(T), cudaMemcpyDeviceToHost));
}

inline unsigned noise(unsigned &state) {
  state = state * 1664525u + 1013904223u;
  return state >> 8;
}

inline int passed(const char *name) {
  CHECK(cudaDeviceSynchronize());
  printf("%s: passed\n", name);
  return 0;
}

#endif
