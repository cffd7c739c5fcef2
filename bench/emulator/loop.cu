/* How many thread instructions per second the emulated CUDA device executes: a loop of float32 arithmetic
 * with a global load and a global store, every lane active. Prints the best of the rounds in seconds; the
 * instructions come from the device's own counters. On a real GPU the time means nothing and is not
 * printed. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <cuda_runtime.h>

#define CHECK(call)                                                                                          \
  do {                                                                                                       \
    cudaError_t error_ = (call);                                                                             \
    if (error_ != cudaSuccess) {                                                                             \
      fprintf(stderr, "bench_emulator: %s: %s\n", #call, cudaGetErrorString(error_));                        \
      exit(3);                                                                                               \
    }                                                                                                        \
  } while (0)

enum { BLOCKS = 16, THREADS = 256, STEPS = 2000 };

__global__ void loop(const float *in, float *out) {
  int i = blockIdx.x * THREADS + threadIdx.x;
  float sum = 0.0f;
  for (int step = 0; step < STEPS; step++) {
    float x = in[(step & 15) * BLOCKS * THREADS + i];
    float y = x + 0.125f;
    sum = fmaf(x, y, sum);
    sum = fmaf(sum, 0.5f, x);
    sum = fmaf(y, 0.25f, sum);
    sum = sum * 0.75f + y;
    out[i] = sum;
  }
}

static double seconds(void) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 5;
  cudaDeviceProp properties;
  CHECK(cudaGetDeviceProperties(&properties, 0));
  if (!strstr(properties.name, "mulat")) {
    fprintf(stderr, "bench_emulator: %s is not an emulated device\n", properties.name);
    return 2;
  }
  float *in, *out;
  CHECK(cudaMalloc(&in, 16 * BLOCKS * THREADS * sizeof *in));
  CHECK(cudaMalloc(&out, BLOCKS * THREADS * sizeof *out));
  CHECK(cudaMemset(in, 0, 16 * BLOCKS * THREADS * sizeof *in));
  double best = 1e9;
  for (int round = 0; round < rounds; round++) {
    double start = seconds();
    loop<<<BLOCKS, THREADS>>>(in, out);
    CHECK(cudaGetLastError());
    CHECK(cudaDeviceSynchronize());
    double taken = seconds() - start;
    best = taken < best ? taken : best;
  }
  CHECK(cudaFree(in));
  CHECK(cudaFree(out));
  printf("%.6f\n", best);
  return 0;
}
