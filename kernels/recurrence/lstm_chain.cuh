/* One direction of one row through all its steps, whatever core holds U; and the kernel around it. */
#ifndef CUSEQ_KERNELS_LSTM_CHAIN_CUH
#define CUSEQ_KERNELS_LSTM_CHAIN_CUH

#include "kernels/common/check.cuh"
#include "kernels/recurrence/lstm_cores.cuh"

/* x W of a row's steps for one unit, loaded in the order of the steps. Lanes of one unit load the same
 * address. */
template <int SOURCE> struct lstm_loader;

template <> struct lstm_loader<LSTM_SOURCE_PROJECTED> {
  const float4 *next;
  ptrdiff_t stride;
  bool there;
  __device__ __forceinline__ lstm_loader(const struct lstm_sequence &a, const lstm_row &row, int unit) {
    ptrdiff_t position = (ptrdiff_t)a.directions * a.units;
    there = unit < a.units;
    next = (const float4 *)a.d_projected + ((ptrdiff_t)row.b * a.time + row.t(0)) * position +
           row.d * a.units + unit;
    stride = row.is_backward ? -position : position;
  }
  __device__ __forceinline__ float4 load(int) {
    float4 z = there ? __ldg(next) : lstm_zero();
    next += stride;
    return z;
  }
};

/* Ids come 32 at a time, one a lane, a batch ahead of their use; the rows of W are gathered. */
template <> struct lstm_loader<LSTM_SOURCE_IDS> {
  const struct lstm_sequence &a;
  const lstm_row &row;
  const float4 *kernel;
  bool there;
  int now, ahead;
  __device__ __forceinline__ lstm_loader(const struct lstm_sequence &a, const lstm_row &row, int unit)
      : a(a), row(row) {
    there = unit < a.units;
    kernel = (const float4 *)a.d_kernel + row.d * a.units + unit;
    now = 0;
    ahead = id(0);
  }
  __device__ __forceinline__ int id(int first) const {
    int s = first + (int)(threadIdx.x & 31);
    return s < row.length ? __ldg(a.d_ids + (ptrdiff_t)row.b * a.time + row.t(s)) : 0;
  }
  __device__ __forceinline__ float4 load(int s) {
    if ((s & 31) == 0) {
      now = ahead;
      ahead = id(s + 32);
    }
    int k = __shfl_sync(0xffffffffu, now, s & 31);
    return there ? __ldg(kernel + (ptrdiff_t)k * a.directions * a.units) : lstm_zero();
  }
};

/* x W inside of the block, for dense x: producer warps compute CHUNK steps ahead of the recurrence into
 * shared memory, double-buffered; one barrier of the whole block per CHUNK steps says "full" and, for the
 * other buffer, "empty". */
template <class core> struct lstm_producer {
  static const int THREADS = core::UNITS == 64 ? 256 : 128;
  static const int CHUNK = core::UNITS == 16 ? 32 : 16;
  static const int GROUPS = THREADS / core::UNITS, EACH = CHUNK / GROUPS;
  static const int FEATURES = 128; /* at most */
  struct memory {
    float4 z[2][CHUNK][core::UNITS];
    float x[CHUNK * (FEATURES + 1)];
  };
  __device__ __forceinline__ static void barrier() {
    asm volatile("bar.sync 0, %0;" ::"n"(core::THREADS + THREADS) : "memory");
  }
  /* Rows of x are an odd number of floats apart, so that two steps read by a warp lie in other banks. */
  __device__ __forceinline__ static void load_x(const struct lstm_sequence &a, const lstm_row &row, int first,
                                                struct memory &m) {
    int F = a.features, apart = F | 1, thread = (int)threadIdx.x - core::THREADS;
    for (int s = thread >> 5; s < CHUNK; s += THREADS / 32)
      for (int f = thread & 31; f < F; f += 32) {
        bool there = first + s < row.length;
        m.x[s * apart + f] = there ? a.d_x[((ptrdiff_t)row.b * a.time + row.t(first + s)) * F + f] : 0.0f;
      }
  }
  __device__ __forceinline__ static void run(const struct lstm_sequence &a, const lstm_row &row,
                                             struct memory &m) {
    int F = a.features, apart = F | 1, thread = (int)threadIdx.x - core::THREADS;
    int unit = thread % core::UNITS, group = thread / core::UNITS;
    const float4 *kernel = (const float4 *)a.d_kernel + row.d * a.units + unit;
    for (int first = 0, buffer = 0; first < row.length; first += CHUNK, buffer ^= 1) {
      load_x(a, row, first, m);
      asm volatile("bar.sync 2, %0;" ::"n"(THREADS) : "memory"); /* x is complete */
      float4 z[EACH];
      for (int i = 0; i < EACH; i++)
        z[i] = lstm_zero();
      for (int f = 0; f < F; f++) {
        float4 w = unit < a.units ? __ldg(kernel + (ptrdiff_t)f * a.directions * a.units) : lstm_zero();
#pragma unroll
        for (int i = 0; i < EACH; i++)
          lstm_multiply(z[i], m.x[(group + i * GROUPS) * apart + f], w);
      }
#pragma unroll
      for (int i = 0; i < EACH; i++)
        m.z[buffer][group + i * GROUPS][unit] = z[i];
      barrier(); /* this chunk is full; the one before it has been used up, and x has been read by all */
    }
  }
};

/* Where a chain writes h of its unit, step after step; NULL: nowhere. */
struct lstm_writer {
  float *next;
  ptrdiff_t apart;
  __device__ __forceinline__ lstm_writer(float *output, const lstm_row &row, int step, ptrdiff_t leading) {
    next = output ? output + row.t(step) * leading : nullptr;
    apart = row.is_backward ? -leading : leading;
  }
  __device__ __forceinline__ void write(bool writes, float h) {
    if (next) {
      if (writes)
        *next = h;
      next += apart;
    }
  }
};

/* One cell step of a chain, of the core's unit; `start` is core::start of x W, `output` has write(). */
template <class core, class Writer>
__device__ __forceinline__ void lstm_chain_step(const struct lstm_parameters &p, const core &u, int s,
                                                float4 start, float4 bias, float *hidden, Writer &output,
                                                float &c, float &h) {
  float4 z = u.product(hidden + (s & 1) * core::HIDDEN, start, bias);
  h = device_lstm_cell(p.gates, z, c);
  u.publish(hidden + (~s & 1) * core::HIDDEN, h);
  output.write(u.writer, h);
  u.sync(); /* h of this step is there for all; the h before it has been read by all */
}

/* All steps with inputs from memory, loaded DEPTH steps ahead. */
template <class core, int SOURCE>
__device__ __forceinline__ void lstm_chain_steps(const struct lstm_parameters &p, const core &u,
                                                 const lstm_row &row, float4 bias, float *hidden,
                                                 lstm_writer &output, float &c, float &h) {
  lstm_loader<SOURCE> loader(p.a, row, u.unit);
  float4 ahead[core::DEPTH];
#pragma unroll
  for (int i = 0; i < core::DEPTH; i++)
    if (i < row.length)
      ahead[i] = loader.load(i);
  for (int first = 0; first < row.length; first += core::DEPTH)
#pragma unroll
    for (int i = 0; i < core::DEPTH; i++) {
      int s = first + i;
      if (s < row.length) {
        float4 x = ahead[i];
        if (s + core::DEPTH < row.length)
          ahead[i] = loader.load(s + core::DEPTH);
        lstm_chain_step(p, u, s, core::start(x, bias), bias, hidden, output, c, h);
      }
    }
}

/* A chain from its initial to its final state. `hidden` [2][HIDDEN] is shared; m is the producers' memory or
 * NULL. */
template <class core, int SOURCE>
__device__ __forceinline__ void lstm_chain_run(const struct lstm_parameters &p, const lstm_row &row,
                                               float *hidden, typename lstm_producer<core>::memory *m) {
  const struct lstm_sequence &a = p.a;
  core u;
  u.load(a.d_recurrent, a.units, row.d);
  bool there = u.unit < a.units;
  size_t state = ((size_t)row.d * a.batch + row.b) * a.units + u.unit;
  float h = there && a.d_initial_h ? a.d_initial_h[state] : 0.0f;
  float c = there && a.d_initial_c ? a.d_initial_c[state] : 0.0f;
  float4 bias = there ? __ldg((const float4 *)a.d_bias + row.d * a.units + u.unit) : lstm_zero();
  float *own = a.d_output[row.d];
  if (own)
    own += (ptrdiff_t)row.b * a.time * a.leading + u.unit;
  lstm_writer output(own, row, 0, a.leading);
  u.begin();
  u.publish(hidden, h);
  u.sync(); /* the initial h is there */
  if (SOURCE == LSTM_SOURCE_X) {
    const int CHUNK = lstm_producer<core>::CHUNK;
    for (int s = 0; s < row.length; s++) {
      if (s % CHUNK == 0)
        lstm_producer<core>::barrier(); /* the chunk from s on is full, and the one before it free */
      float4 x = m->z[s / CHUNK & 1][s % CHUNK][u.unit];
      lstm_chain_step(p, u, s, core::start(x, bias), bias, hidden, output, c, h);
    }
  } else {
    lstm_chain_steps<core, SOURCE == LSTM_SOURCE_IDS ? LSTM_SOURCE_IDS : LSTM_SOURCE_PROJECTED>(
        p, u, row, bias, hidden, output, c, h);
  }
  if (u.writer) {
    check_states(a.check, row.b, 0, LAUNCH_STAGE_ENCODER, h, c);
    if (a.d_final_h)
      a.d_final_h[state] = h;
    if (a.d_final_c)
      a.d_final_c[state] = c;
    for (int t = row.length; own && t < a.time; t++)
      own[(ptrdiff_t)t * a.leading] = 0.0f;
  }
}

/* The body of the chain kernels: blocks BLOCKS x (place D + d) ... own direction d of the row at `place` of
 * the order. */
template <class core, int SOURCE>
__device__ __forceinline__ void lstm_chain_block(const struct lstm_parameters &p) {
  __shared__ __align__(16) float hidden[2 * core::HIDDEN];
  unsigned chain = blockIdx.x / core::BLOCKS;
  lstm_row row(p.a, (int)(chain / p.a.directions), (int)(chain % p.a.directions));
  if constexpr (SOURCE == LSTM_SOURCE_X) {
    __shared__ typename lstm_producer<core>::memory m;
    if (threadIdx.x < core::THREADS)
      lstm_chain_run<core, SOURCE>(p, row, hidden, &m);
    else
      lstm_producer<core>::run(p.a, row, m);
  } else {
    lstm_chain_run<core, SOURCE>(p, row, hidden, nullptr);
  }
}

template <class core, int SOURCE> constexpr int lstm_chain_threads() {
  return core::THREADS + (SOURCE == LSTM_SOURCE_X ? lstm_producer<core>::THREADS : 0);
}

/* Launches the kernel that fits the source; x is NULL where the mapping does not take it. */
typedef void lstm_chain_kernel(const struct lstm_parameters);

template <class core>
static cudaError_t lstm_chain_launch(const struct lstm_parameters *p, lstm_chain_kernel *projected,
                                     lstm_chain_kernel *ids, lstm_chain_kernel *x, cudaStream_t stream) {
  lstm_chain_kernel *kernel = p->a.d_x ? x : p->a.d_ids ? ids : projected;
  dim3 grid((unsigned)(p->a.batch * p->a.directions * core::BLOCKS));
  dim3 block((unsigned)(p->a.d_x ? lstm_chain_threads<core, LSTM_SOURCE_X>() : core::THREADS));
  if (core::BLOCKS == 1) { /* a plain launch: not every runtime has those with attributes */
    kernel<<<grid, block, 0, stream>>>(*p);
    return cudaGetLastError();
  }
  cudaLaunchConfig_t config = {};
  cudaLaunchAttribute cluster = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = core::BLOCKS;
  cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
  config.attrs = &cluster;
  config.numAttrs = 1;
  cudaError_t status = cudaLaunchKernelEx(&config, kernel, *p);
  cudaError_t last = cudaGetLastError();
  return status != cudaSuccess ? status : last;
}

#endif
