/* One direction of one row through all its steps, whatever core holds U; and the kernel around it. */
#ifndef CUSEQ_KERNELS_CHAIN_CUH
#define CUSEQ_KERNELS_CHAIN_CUH

#include "kernels/common/check.cuh"
#include "kernels/recurrence/cores.cuh"

/* x W of a row's steps for one unit, loaded in the order of the steps. Lanes of one unit load the same
 * address. */
template <int SOURCE> struct chain_loader;

template <> struct chain_loader<SEQUENCE_OF_PROJECTED> {
  const float4 *next;
  ptrdiff_t stride;
  bool there;
  __device__ __forceinline__ chain_loader(const struct sequence &a, const chain_row &row, int unit) {
    ptrdiff_t position = (ptrdiff_t)a.directions * a.units;
    there = unit < a.units;
    next = (const float4 *)a.d_projected + ((ptrdiff_t)row.b * a.time + row.t(0)) * position +
           row.d * a.units + unit;
    stride = row.is_backward ? -position : position;
  }
  __device__ __forceinline__ float4 load(int) {
    float4 z = there ? __ldg(next) : sums_zero();
    next += stride;
    return z;
  }
};

/* Ids come 32 at a time, one a lane, a batch ahead of their use; the rows of W are gathered. */
template <> struct chain_loader<SEQUENCE_OF_IDS> {
  const struct sequence &a;
  const chain_row &row;
  const float4 *kernel;
  bool there;
  int now, ahead;
  __device__ __forceinline__ chain_loader(const struct sequence &a, const chain_row &row, int unit)
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
    return there ? __ldg(kernel + (ptrdiff_t)k * a.directions * a.units) : sums_zero();
  }
};

/* x W inside of the block, for dense x: producer warps compute CHUNK steps ahead of the recurrence into
 * shared memory, double-buffered; one barrier of the whole block per CHUNK steps says "full" and, for the
 * other buffer, "empty". */
template <class core> struct chain_producer {
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
  __device__ __forceinline__ static void load_x(const struct sequence &a, const chain_row &row, int first,
                                                struct memory &m) {
    int F = a.features, apart = F | 1, thread = (int)threadIdx.x - core::THREADS;
    for (int s = thread >> 5; s < CHUNK; s += THREADS / 32)
      for (int f = thread & 31; f < F; f += 32) {
        bool there = first + s < row.length;
        m.x[s * apart + f] = there ? a.d_x[((ptrdiff_t)row.b * a.time + row.t(first + s)) * F + f] : 0.0f;
      }
  }
  __device__ __forceinline__ static void run(const struct sequence &a, const chain_row &row,
                                             struct memory &m) {
    int F = a.features, apart = F | 1, thread = (int)threadIdx.x - core::THREADS;
    int unit = thread % core::UNITS, group = thread / core::UNITS;
    const float4 *kernel = (const float4 *)a.d_kernel + row.d * a.units + unit;
    for (int first = 0, buffer = 0; first < row.length; first += CHUNK, buffer ^= 1) {
      load_x(a, row, first, m);
      asm volatile("bar.sync 2, %0;" ::"n"(THREADS) : "memory"); /* x is complete */
      float4 z[EACH];
      for (int i = 0; i < EACH; i++)
        z[i] = sums_zero();
      for (int f = 0; f < F; f++) {
        float4 w = unit < a.units ? __ldg(kernel + (ptrdiff_t)f * a.directions * a.units) : sums_zero();
#pragma unroll
        for (int i = 0; i < EACH; i++)
          core::cell::project(z[i], m.x[(group + i * GROUPS) * apart + f], w);
      }
#pragma unroll
      for (int i = 0; i < EACH; i++)
        m.z[buffer][group + i * GROUPS][unit] = z[i];
      barrier(); /* this chunk is full; the one before it has been used up, and x has been read by all */
    }
  }
};

/* Where a chain writes h of its unit, step after step; NULL: nowhere. */
struct chain_writer {
  float *next;
  ptrdiff_t apart;
  __device__ __forceinline__ chain_writer(float *output, const chain_row &row, int step, ptrdiff_t leading) {
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
__device__ __forceinline__ void chain_step(const struct sequence_parameters &p, const core &u, int s,
                                           float4 start, float4 bias, float *hidden, Writer &output,
                                           float &carried, float &h) {
  float4 z = u.product(hidden + (s & 1) * core::HIDDEN, start, bias);
  h = core::cell::update(p.gates, z, carried);
  u.publish(hidden + (~s & 1) * core::HIDDEN, h);
  output.write(u.writer, h);
  u.sync(); /* h of this step is there for all; the h before it has been read by all */
}

/* All steps with inputs from memory, loaded DEPTH steps ahead. */
template <class core, int SOURCE>
__device__ __forceinline__ void chain_steps(const struct sequence_parameters &p, const core &u,
                                            const chain_row &row, float4 bias, float *hidden,
                                            chain_writer &output, float &carried, float &h) {
  chain_loader<SOURCE> loader(p.a, row, u.unit);
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
        chain_step(p, u, s, core::start(x, bias), bias, hidden, output, carried, h);
      }
    }
}

/* A chain from its initial to its final state. `hidden` [2][HIDDEN] is shared; m is the producers' memory or
 * NULL. */
template <class core, int SOURCE>
__device__ __forceinline__ void chain_run(const struct sequence_parameters &p, const chain_row &row,
                                          float *hidden, typename chain_producer<core>::memory *m) {
  const struct sequence &a = p.a;
  core u;
  u.load(a.d_recurrent, a.units, row.d);
  bool there = u.unit < a.units;
  size_t state = ((size_t)row.d * a.batch + row.b) * a.units + u.unit;
  float h = there && a.d_initial_h ? a.d_initial_h[state] : 0.0f;
  float c = core::cell::HAS_C && there && a.d_initial_c ? a.d_initial_c[state] : 0.0f;
  float carried = core::cell::carried(h, c);
  float4 bias = there ? __ldg((const float4 *)a.d_bias + row.d * a.units + u.unit) : sums_zero();
  float *own = a.d_output[row.d];
  if (own)
    own += (ptrdiff_t)row.b * a.time * a.leading + u.unit;
  chain_writer output(own, row, 0, a.leading);
  u.begin();
  u.publish(hidden, h);
  u.sync(); /* the initial h is there */
  if (SOURCE == SEQUENCE_OF_X) {
    const int CHUNK = chain_producer<core>::CHUNK;
    for (int s = 0; s < row.length; s++) {
      if (s % CHUNK == 0)
        chain_producer<core>::barrier(); /* the chunk from s on is full, and the one before it free */
      float4 x = m->z[s / CHUNK & 1][s % CHUNK][u.unit];
      chain_step(p, u, s, core::start(x, bias), bias, hidden, output, carried, h);
    }
  } else {
    chain_steps<core, SOURCE == SEQUENCE_OF_IDS ? SEQUENCE_OF_IDS : SEQUENCE_OF_PROJECTED>(
        p, u, row, bias, hidden, output, carried, h);
  }
  if (u.writer) {
    check_states(a.check, row.b, 0, LAUNCH_STAGE_ENCODER, h, carried);
    if (a.d_final_h)
      a.d_final_h[state] = h;
    if (core::cell::HAS_C && a.d_final_c)
      a.d_final_c[state] = carried;
    for (int t = row.length; own && t < a.time; t++)
      own[(ptrdiff_t)t * a.leading] = 0.0f;
  }
}

/* The body of the chain kernels: blocks BLOCKS x (place D + d) ... own direction d of the row at `place` of
 * the order. */
template <class core, int SOURCE>
__device__ __forceinline__ void chain_block(const struct sequence_parameters &p) {
  __shared__ __align__(16) float hidden[2 * core::HIDDEN];
  unsigned chain = blockIdx.x / core::BLOCKS;
  chain_row row(p.a, (int)(chain / p.a.directions), (int)(chain % p.a.directions));
  if constexpr (SOURCE == SEQUENCE_OF_X) {
    __shared__ typename chain_producer<core>::memory m;
    if (threadIdx.x < core::THREADS)
      chain_run<core, SOURCE>(p, row, hidden, &m);
    else
      chain_producer<core>::run(p.a, row, m);
  } else {
    chain_run<core, SOURCE>(p, row, hidden, nullptr);
  }
}

template <class core, int SOURCE> constexpr int chain_threads() {
  return core::THREADS + (SOURCE == SEQUENCE_OF_X ? chain_producer<core>::THREADS : 0);
}

/* Launches the kernel that fits the source; x is NULL where the mapping does not take it. */
typedef void chain_kernel(const struct sequence_parameters);

template <class core>
static cudaError_t chain_launch(const struct sequence_parameters *p, chain_kernel *projected,
                                chain_kernel *ids, chain_kernel *x, cudaStream_t stream) {
  chain_kernel *kernel = p->a.d_x ? x : p->a.d_ids ? ids : projected;
  dim3 grid((unsigned)(p->a.batch * p->a.directions * core::BLOCKS));
  dim3 block((unsigned)(p->a.d_x ? chain_threads<core, SEQUENCE_OF_X>() : core::THREADS));
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
