#include "bandwidth.h"

#include "peak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { UNROLL = 8, LINE = 64 };

static volatile float sink;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float read_avx512(const float *data, size_t count) {
  __m512 sum[UNROLL];
#pragma GCC unroll 8
  for (int j = 0; j < UNROLL; j++)
    sum[j] = _mm512_setzero_ps();
  for (size_t i = 0; i < count; i += 16 * UNROLL) {
#pragma GCC unroll 8
    for (int j = 0; j < UNROLL; j++)
      sum[j] = _mm512_add_ps(sum[j], _mm512_load_ps(data + i + 16 * j));
  }
  for (int j = 1; j < UNROLL; j++)
    sum[0] = _mm512_add_ps(sum[0], sum[j]);
  return _mm512_reduce_add_ps(sum[0]);
}

__attribute__((target("avx2"))) static float read_avx2(const float *data, size_t count) {
  __m256 sum[UNROLL];
#pragma GCC unroll 8
  for (int j = 0; j < UNROLL; j++)
    sum[j] = _mm256_setzero_ps();
  for (size_t i = 0; i < count; i += 8 * UNROLL) {
#pragma GCC unroll 8
    for (int j = 0; j < UNROLL; j++)
      sum[j] = _mm256_add_ps(sum[j], _mm256_load_ps(data + i + 8 * j));
  }
  for (int j = 1; j < UNROLL; j++)
    sum[0] = _mm256_add_ps(sum[0], sum[j]);
  float lanes[8];
  _mm256_storeu_ps(lanes, sum[0]);
  return lanes[0];
}
#endif

static float read_portable(const float *data, size_t count) {
  typedef float vector __attribute__((vector_size(16)));
  vector sum[UNROLL] = {{0}};
  const vector *vectors = (const vector *)(const void *)data;
  for (size_t i = 0; i < count / 4; i += UNROLL) {
#pragma GCC unroll 8
    for (int j = 0; j < UNROLL; j++)
      sum[j] += vectors[i + (size_t)j];
  }
  for (int j = 1; j < UNROLL; j++)
    sum[0] += sum[j];
  return sum[0][0];
}

static float read_all(const float *data, size_t count) {
#if defined(__x86_64__)
  if (peak_lanes() == 16)
    return read_avx512(data, count);
  if (peak_lanes() == 8)
    return read_avx2(data, count);
#endif
  return read_portable(data, count);
}

double bandwidth_measure(size_t bytes) {
  const size_t step = 16 * UNROLL * sizeof(float); /* of the widest vectors */
  bytes = (bytes + step - 1) / step * step;
  float *data = aligned_alloc(LINE, bytes);
  if (!data) {
    fprintf(stderr, "bench: out of memory (%zu MB)\n", bytes >> 20);
    exit(3);
  }
  memset(data, 0, bytes);
  /* Small ones several times within a pass: the clock takes tens of nanoseconds. */
  const size_t repeats = bytes < (1u << 20) ? (1u << 20) / bytes : 1;
  double best = 1e9, start = peak_clock();
  for (int pass = 0; pass < 3 || peak_clock() - start < 0.03; pass++) {
    double before = peak_clock();
    for (size_t repeat = 0; repeat < repeats; repeat++)
      sink = read_all(data, bytes / sizeof *data);
    double seconds = (peak_clock() - before) / (double)repeats;
    best = seconds < best ? seconds : best;
  }
  free(data);
  return (double)bytes / best;
}

const char *bandwidth_level(size_t bytes) {
  const long first = sysconf(_SC_LEVEL1_DCACHE_SIZE), second = sysconf(_SC_LEVEL2_CACHE_SIZE),
             third = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (first <= 0 || second <= 0)
    return "memory or caches";
  if (bytes <= (size_t)first)
    return "first-level cache";
  if (bytes <= (size_t)second)
    return "second-level cache";
  return third > 0 && bytes <= (size_t)third ? "third-level cache" : "memory";
}
