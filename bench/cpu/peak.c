#include "peak.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
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

__attribute__((target("avx512f,avx512bf16"))) static float run_bf16(long rounds) {
  __m512 sum[CHAINS];
  const __m512bh x = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f)), y = x;
#pragma GCC unroll 12
  for (int i = 0; i < CHAINS; i++)
    sum[i] = _mm512_set1_ps((float)i);
  for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
      sum[i] = _mm512_dpbf16_ps(sum[i], x, y);
  }
  for (int i = 1; i < CHAINS; i++)
    sum[0] = _mm512_add_ps(sum[0], sum[i]);
  return _mm512_reduce_add_ps(sum[0]);
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

#if defined(__x86_64__)
static const struct kernel bf16 = {"", run_bf16, 32};
#endif

static const struct kernel *chosen = &kernels[sizeof kernels / sizeof *kernels - 1];
static const struct kernel *running; /* in the bursts under way */
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

/* The other threads: they sleep on a condition, and spin for the start of each burst. */
static struct {
  pthread_t handles[PEAK_MOST_THREADS - 1];
  int started;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  int generation, active; /* a new generation wakes the first `active` */
  bool stop;
  atomic_int bursts_wanted, ready, done, left;
} helpers = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void helper_bursts(void) {
  for (int burst = 1;; burst++) {
    atomic_fetch_add(&helpers.ready, 1);
    int wanted;
    while ((wanted = atomic_load(&helpers.bursts_wanted)) < burst && wanted >= 0)
      ;
    if (wanted < 0)
      return;
    sink = running->run(BURST);
    atomic_fetch_add(&helpers.done, 1);
  }
}

static void *helper_main(void *argument) {
  const int index = (int)(intptr_t)argument;
  for (int seen = 0;;) {
    pthread_mutex_lock(&helpers.mutex);
    while (!helpers.stop && (helpers.generation == seen || index >= helpers.active))
      pthread_cond_wait(&helpers.wake, &helpers.mutex);
    bool stop = helpers.stop;
    seen = helpers.generation;
    pthread_mutex_unlock(&helpers.mutex);
    if (stop)
      return NULL;
    helper_bursts();
    atomic_fetch_add(&helpers.left, 1);
  }
}

/* Wakes `wanted` helpers, started where they are not yet; how many there are. */
static int helpers_wake(int wanted) {
  while (helpers.started < wanted) {
    void *index = (void *)(intptr_t)helpers.started;
    if (pthread_create(&helpers.handles[helpers.started], NULL, helper_main, index) != 0)
      break;
    helpers.started++;
  }
  const int active = wanted < helpers.started ? wanted : helpers.started;
  pthread_mutex_lock(&helpers.mutex);
  helpers.active = active;
  helpers.generation++;
  pthread_cond_broadcast(&helpers.wake);
  pthread_mutex_unlock(&helpers.mutex);
  return active;
}

static double burst_flops(int threads) {
  return 2.0 * CHAINS * BURST * running->lanes * threads;
}

static double measure_one(int bursts) {
  double best = 1e9;
  for (int burst = 0; burst < bursts; burst++) {
    double start = peak_clock();
    sink = running->run(BURST);
    double seconds = peak_clock() - start;
    best = seconds < best ? seconds : best;
  }
  return burst_flops(1) / best * 1e-9;
}

static void wait_for(atomic_int *counter, int count) {
  while (atomic_load(counter) != count)
    ;
}

static double measure_many(int threads, int bursts) {
  double best = 1e9;
  atomic_store(&helpers.bursts_wanted, 0);
  atomic_store(&helpers.done, 0);
  atomic_store(&helpers.ready, 0);
  atomic_store(&helpers.left, 0);
  const int active = helpers_wake(threads - 1);
  for (int burst = 1; burst <= bursts; burst++) {
    wait_for(&helpers.ready, burst * active);
    double start = peak_clock();
    atomic_store(&helpers.bursts_wanted, burst);
    sink = running->run(BURST);
    wait_for(&helpers.done, burst * active);
    double seconds = peak_clock() - start;
    best = seconds < best ? seconds : best;
  }
  atomic_store(&helpers.bursts_wanted, -1);
  wait_for(&helpers.left, active);
  return burst_flops(active + 1) / best * 1e-9;
}

static double measure(const struct kernel *kernel, int threads, int bursts) {
  threads = threads < PEAK_MOST_THREADS ? threads : PEAK_MOST_THREADS;
  running = kernel;
  return threads == 1 ? measure_one(bursts) : measure_many(threads, bursts);
}

double peak_measure(int threads, int bursts) {
  return measure(chosen, threads, bursts);
}

double peak_measure_bf16(int threads, int bursts) {
#if defined(__x86_64__)
  return measure(&bf16, threads, bursts);
#else
  return measure(chosen, threads, bursts);
#endif
}

int peak_lanes(void) {
  return chosen->lanes;
}

void peak_end(void) {
  pthread_mutex_lock(&helpers.mutex);
  helpers.stop = true;
  pthread_cond_broadcast(&helpers.wake);
  pthread_mutex_unlock(&helpers.mutex);
  while (helpers.started > 0)
    pthread_join(helpers.handles[--helpers.started], NULL);
  helpers.stop = false;
}
