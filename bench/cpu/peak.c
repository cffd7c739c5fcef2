#include "peak.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Chains: two units of four cycles' latency need 8, and 12 fit everywhere. */
enum { CHAINS = 12, BURST = 100000 };

struct kernel {
  const char *name; /* what the description starts with */
  float (*run)(long rounds);
  int lanes;
};

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float run_avx512(long rounds) {
  __m512 sum[CHAINS], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
#pragma GCC unroll 12
  for (int i = 0; i < CHAINS; i++)
    sum[i] = _mm512_set1_ps((float)i);
  for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
      sum[i] = _mm512_fmadd_ps(sum[i], x, y);
  }
  for (int i = 1; i < CHAINS; i++)
    sum[0] = _mm512_add_ps(sum[0], sum[i]);
  return _mm512_reduce_add_ps(sum[0]);
}

__attribute__((target("avx2,fma"))) static float run_avx2(long rounds) {
  __m256 sum[CHAINS], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
#pragma GCC unroll 12
  for (int i = 0; i < CHAINS; i++)
    sum[i] = _mm256_set1_ps((float)i);
  for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
      sum[i] = _mm256_fmadd_ps(sum[i], x, y);
  }
  for (int i = 1; i < CHAINS; i++)
    sum[0] = _mm256_add_ps(sum[0], sum[i]);
  float lanes[8];
  _mm256_storeu_ps(lanes, sum[0]);
  return lanes[0];
}
#endif

static float run_portable(long rounds) {
  typedef float vector __attribute__((vector_size(16)));
  vector sum[CHAINS], x = {0.999f, 0.999f, 0.999f, 0.999f}, y = {0.001f, 0.001f, 0.001f, 0.001f};
#pragma GCC unroll 12
  for (int i = 0; i < CHAINS; i++)
    sum[i] = y * (float)i;
  for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
      sum[i] = sum[i] * x + y;
  }
  for (int i = 1; i < CHAINS; i++)
    sum[0] += sum[i];
  return sum[0][0];
}

static const struct kernel kernels[] = {
#if defined(__x86_64__)
    {"AVX-512", run_avx512, 16},
    {"AVX2", run_avx2, 8},
#endif
    {"", run_portable, 4},
};

static const struct kernel *chosen = &kernels[sizeof kernels / sizeof *kernels - 1];
static volatile float sink;

void peak_choose(const char *description) {
  for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
    if (strncmp(description, kernels[i].name, strlen(kernels[i].name)) == 0) {
      chosen = &kernels[i];
      return;
    }
}

double peak_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The second thread: sleeps on its condition, and spins for the start of each burst. */
static struct {
  pthread_t handle;
  bool started;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  bool awake, stop;
  atomic_int bursts_wanted, ready, done;
} helper = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void helper_bursts(void) {
  for (int burst = 1;; burst++) {
    atomic_store(&helper.ready, burst);
    int wanted;
    while ((wanted = atomic_load(&helper.bursts_wanted)) < burst && wanted >= 0)
      ;
    if (wanted < 0)
      return;
    sink = chosen->run(BURST);
    atomic_store(&helper.done, burst);
  }
}

static void *helper_main(void *unused) {
  (void)unused;
  for (;;) {
    pthread_mutex_lock(&helper.mutex);
    while (!helper.awake && !helper.stop)
      pthread_cond_wait(&helper.wake, &helper.mutex);
    bool stop = helper.stop;
    helper.awake = false;
    pthread_mutex_unlock(&helper.mutex);
    if (stop)
      return NULL;
    helper_bursts();
    atomic_store(&helper.ready, -1);
  }
}

static void helper_signal(bool stop) {
  if (!helper.started && stop)
    return;
  if (!helper.started)
    helper.started = pthread_create(&helper.handle, NULL, helper_main, NULL) == 0;
  pthread_mutex_lock(&helper.mutex);
  helper.awake = !stop;
  helper.stop = stop;
  pthread_cond_signal(&helper.wake);
  pthread_mutex_unlock(&helper.mutex);
}

static double burst_flops(int threads) {
  return 2.0 * CHAINS * BURST * chosen->lanes * threads;
}

static double measure_one(int bursts) {
  double best = 1e9;
  for (int burst = 0; burst < bursts; burst++) {
    double start = peak_clock();
    sink = chosen->run(BURST);
    double seconds = peak_clock() - start;
    best = seconds < best ? seconds : best;
  }
  return burst_flops(1) / best * 1e-9;
}

static double measure_two(int bursts) {
  double best = 1e9;
  atomic_store(&helper.bursts_wanted, 0);
  atomic_store(&helper.done, 0);
  atomic_store(&helper.ready, 0);
  helper_signal(false);
  for (int burst = 1; burst <= bursts; burst++) {
    while (atomic_load(&helper.ready) != burst)
      ;
    double start = peak_clock();
    atomic_store(&helper.bursts_wanted, burst);
    sink = chosen->run(BURST);
    while (atomic_load(&helper.done) != burst)
      ;
    double seconds = peak_clock() - start;
    best = seconds < best ? seconds : best;
  }
  atomic_store(&helper.bursts_wanted, -1);
  while (atomic_load(&helper.ready) != -1)
    ;
  return burst_flops(2) / best * 1e-9;
}

double peak_measure(int threads, int bursts) {
  return threads == 1 ? measure_one(bursts) : measure_two(bursts);
}

void peak_end(void) {
  helper_signal(true);
  if (helper.started)
    pthread_join(helper.handle, NULL);
  helper.started = false;
}
