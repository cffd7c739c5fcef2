/* One direction of one row through all its steps, whatever core holds U; and the kernel around it. */
#ifndef CUSEQ_KERNELS_CHAIN_CUH
#define CUSEQ_KERNELS_CHAIN_CUH

#include "kernels/common/check.cuh"
#include "kernels/recurrence/cores.cuh"

/* A number that the compiler knows nothing of: what is derived from it is not kept in registers from
 * before. */
__device__ __forceinline__ int anew(int number) {
  asm volatile("" : "+r"(number));
  return number;
}

/* Where x W of a row's steps lies for one unit: at() takes steps in rising order, one by one. Lanes of one
 * unit read the same address. */
template <int SOURCE> struct chain_source;

template <> struct chain_source<SEQUENCE_OF_PROJECTED> {
  const float4 *start;
  int stride;
  __device__ __forceinline__ chain_source(const struct sequence &a, const chain_row &row, int unit) {
    int position = a.directions * a.units;
    start = (const float4 *)a.d_projected + ((ptrdiff_t)row.b * a.time + row.t(0)) * position +
            row.d * a.units + unit;
    stride = row.is_backward ? -position : position;
  }
  __device__ __forceinline__ void begin(int) {
  }
  __device__ __forceinline__ const float4 *at(int s) const {
    return start + (ptrdiff_t)s * stride;
  }
};

/* Ids come 32 at a time, one a lane, a batch ahead of their use; the rows of W are gathered. */
template <> struct chain_source<SEQUENCE_OF_IDS> {
  const struct sequence &a;
  const chain_row &row;
  const float4 *kernel;
  int stride, now, ahead;
  __device__ __forceinline__ chain_source(const struct sequence &a, const chain_row &row, int unit)
      : a(a), row(row) {
    kernel = (const float4 *)a.d_kernel + row.d * a.units + unit;
    stride = a.directions * a.units;
    now = 0;
    ahead = id(0);
  }
  /* Of this lane's step; 0 beyond the row. */
  __device__ __forceinline__ int id(int first) const {
    int s = first + (int)(threadIdx.x & 31);
    return s < row.length ? __ldg(a.d_ids + (ptrdiff_t)row.b * a.time + row.t(s)) : 0;
  }
  /* Before at() of a step that is a multiple of CHAIN_AHEAD. */
  __device__ __forceinline__ void begin(int s) {
    if ((s & 31) == 0) {
      now = ahead;
      ahead = id(s + 32);
    }
  }
  __device__ __forceinline__ const float4 *at(int s) const {
    return kernel + (ptrdiff_t)__shfl_sync(0xffffffffu, now, s & 31) * stride;
  }
};

/* x W of CHAIN_AHEAD steps, from memory, before they are walked. From sm_80 on they are copied into shared
 * memory, each step's under a number of its own, so that a step waits for its own alone: registers would all
 * be waited for at once, as there are few scoreboards. Each thread reads what it has copied itself. Step s is
 * CHAIN_AHEAD n + SLOT.
 *   fetch  begins to load step s, unless it is the limit or beyond: the row's length; 0 in threads beyond H,
 *          which take zeros
 *   take   gives it; steps in the same order */
enum { CHAIN_AHEAD = 4 };

template <class core, int SOURCE> struct chain_loader {
#if __CUDA_ARCH__ >= 800
  static const int FLOATS = CHAIN_AHEAD * core::THREADS * 4; /* of shared memory */
  shared_floats ring;
  __device__ __forceinline__ chain_loader(float *memory, int limit) : ring(memory + 4 * threadIdx.x) {
    for (int slot = 0; slot < CHAIN_AHEAD && limit == 0; slot++)
      ((float4 *)memory)[slot * core::THREADS + threadIdx.x] = sums_zero();
  }
  template <int SLOT>
  __device__ __forceinline__ void fetch(const chain_source<SOURCE> &source, int s, int limit) {
    asm volatile(
        "{\n\t.reg .pred p;\n\tsetp.lt.s32 p, %2, %3;\n\t@p cp.async.cg.shared.global [%0], [%1], 16;\n\t"
        "cp.async.commit_group;\n\t}" ::"r"(ring.at + SLOT * core::THREADS * 16),
        "l"(__cvta_generic_to_global(source.at(s))), "r"(s), "r"(limit)
        : "memory");
  }
  template <int SLOT> __device__ __forceinline__ float4 take() const {
    asm volatile("cp.async.wait_group %0;" ::"n"(CHAIN_AHEAD - 1) : "memory");
    return ring.load4(SLOT * core::THREADS * 4);
  }
  __device__ __forceinline__ void end() const {
    asm volatile("cp.async.wait_all;" ::: "memory");
  }
#else
  static const int FLOATS = 4;
  float4 x[CHAIN_AHEAD];
  __device__ __forceinline__ chain_loader(float *, int) {
    for (int slot = 0; slot < CHAIN_AHEAD; slot++)
      x[slot] = sums_zero();
  }
  template <int SLOT>
  __device__ __forceinline__ void fetch(const chain_source<SOURCE> &source, int s, int limit) {
    const float4 *at = source.at(s);
    if (s < limit)
      x[SLOT] = __ldg(at);
  }
  template <int SLOT> __device__ __forceinline__ float4 take() const {
    return x[SLOT];
  }
  __device__ __forceinline__ void end() const {
  }
#endif
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

/* Where a chain writes h of its unit, step after step; nowhere if `output` is NULL. Without a branch, which
 * would be more than the store. */
struct chain_writer {
  float *next;
  int apart; /* floats; the launcher refuses more */
  bool writes;
  __device__ __forceinline__ chain_writer(float *output, const chain_row &row, ptrdiff_t leading,
                                          bool is_writer) {
    next = output ? output + row.t(0) * leading : nullptr;
    apart = row.is_backward ? -(int)leading : (int)leading;
    writes = is_writer && output;
  }
  __device__ __forceinline__ void write(float h) {
    asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.s32 p, %2, 0;\n\t@p st.global.f32 [%0], %1;\n\t}" ::"l"(next),
                 "f"(h), "r"((int)writes)
                 : "memory");
    next += apart;
  }
};

/* What goes from step to step in a thread of a chain. */
struct chain_state {
  float4 bias;
  float carried, h;
};

/* One cell step of a chain, of the core's unit: the number of the step is even or odd as ODD says; x is x W,
 * `output` has write(). */
template <int ODD, class core, class Functions, class Writer>
__device__ __forceinline__ void chain_step(const Functions &functions, core &u, float4 x,
                                           const shared_floats &hidden, Writer &output,
                                           struct chain_state &state) {
  float4 z = u.product(shared_floats(hidden, ODD * core::HIDDEN), core::start(x, state.bias), state.bias);
  state.h = core::cell::update(functions, z, state.carried);
  u.template publish<!ODD>(hidden, state.h);
  u.template sync<ODD>(); /* h of this step is there for all; the h before it has been read by all */
  output.write(state.h);
}

/* Step s, which is CHAIN_AHEAD n + SLOT, with x W from memory; that of CHAIN_AHEAD steps on is fetched. */
template <int SLOT, class core, int SOURCE, class Functions>
__device__ __forceinline__ void
chain_step_ahead(const Functions &functions, core &u, int s, int limit, chain_source<SOURCE> &source,
                 chain_loader<core, SOURCE> &loader, const shared_floats &hidden, chain_writer &output,
                 struct chain_state &state) {
  float4 x = loader.template take<SLOT>();
  if (SLOT == 0)
    source.begin(s + CHAIN_AHEAD);
  loader.template fetch<SLOT>(source, s + CHAIN_AHEAD, limit);
  chain_step<SLOT % 2>(functions, u, x, hidden, output, state);
}

/* All steps with inputs from memory. */
template <class core, int SOURCE, class Functions>
__device__ __forceinline__ void chain_steps(const Functions &functions, core &u, int length, int limit,
                                            chain_source<SOURCE> &source, chain_loader<core, SOURCE> &loader,
                                            const shared_floats &hidden, chain_writer &output,
                                            struct chain_state &state) {
  int s = 0;
  source.begin(0);
  loader.template fetch<0>(source, 0, limit);
  loader.template fetch<1>(source, 1, limit);
  loader.template fetch<2>(source, 2, limit);
  loader.template fetch<3>(source, 3, limit);
  for (; s + CHAIN_AHEAD <= length; s += CHAIN_AHEAD) {
    chain_step_ahead<0>(functions, u, s, limit, source, loader, hidden, output, state);
    chain_step_ahead<1>(functions, u, s + 1, limit, source, loader, hidden, output, state);
    chain_step_ahead<2>(functions, u, s + 2, limit, source, loader, hidden, output, state);
    chain_step_ahead<3>(functions, u, s + 3, limit, source, loader, hidden, output, state);
  }
  if (s < length)
    chain_step_ahead<0>(functions, u, s, limit, source, loader, hidden, output, state);
  if (s + 1 < length)
    chain_step_ahead<1>(functions, u, s + 1, limit, source, loader, hidden, output, state);
  if (s + 2 < length)
    chain_step_ahead<2>(functions, u, s + 2, limit, source, loader, hidden, output, state);
  loader.end();
}

/* `count` steps from an even one on, whose x W lies in shared memory, `apart` float4s from step to step. */
template <class core, class Functions, class Writer>
__device__ __forceinline__ void chain_steps_shared(const Functions &functions, core &u, const float4 *x,
                                                   int apart, int count, const shared_floats &hidden,
                                                   Writer &output, struct chain_state &state) {
  shared_floats next((const float *)x);
  for (int s = 0; s + 2 <= count; s += 2) {
    chain_step<0>(functions, u, next.load4(0), hidden, output, state);
    next = shared_floats(next, 4 * apart);
    chain_step<1>(functions, u, next.load4(0), hidden, output, state);
    next = shared_floats(next, 4 * apart);
  }
  if (count & 1)
    chain_step<0>(functions, u, next.load4(0), hidden, output, state);
}

/* What a chain has of shared memory beside h: the producers' memory, or the loader's. */
template <class core, int SOURCE> struct chain_memory {
  struct type {
    __align__(16) float x[chain_loader<core, SOURCE>::FLOATS];
  };
};
template <class core> struct chain_memory<core, SEQUENCE_OF_X> {
  typedef typename chain_producer<core>::memory type;
};

/* All steps of a chain, whatever its source. */
template <class core, int SOURCE, class Functions>
__device__ __forceinline__ void chain_all(const Functions &functions, const struct sequence &a, core &u,
                                          const chain_row &row, const shared_floats &hidden,
                                          typename chain_memory<core, SOURCE>::type &m, chain_writer &output,
                                          struct chain_state &state) {
  if constexpr (SOURCE == SEQUENCE_OF_X) {
    const int CHUNK = chain_producer<core>::CHUNK;
    for (int first = 0, buffer = 0; first < row.length; first += CHUNK, buffer ^= 1) {
      chain_producer<core>::barrier(); /* the chunk from `first` on is full, and the one before it free */
      chain_steps_shared(functions, u, &m.z[buffer][0][u.unit], core::UNITS, min(CHUNK, row.length - first),
                         hidden, output, state);
    }
  } else {
    chain_source<SOURCE> source(a, row, u.unit);
    int limit = u.unit < a.units ? row.length : 0;
    chain_loader<core, SOURCE> loader(m.x, limit);
    chain_steps(functions, u, row.length, limit, source, loader, hidden, output, state);
  }
}

/* The row and direction of a block of a chain kernel: blocks BLOCKS x (place D + d) ... own direction d of
 * the row at `place` of the order. */
template <class core> __device__ __forceinline__ chain_row chain_row_of(const struct sequence &a, int block) {
  unsigned chain = (unsigned)block / core::BLOCKS;
  return chain_row(a, (int)(chain / a.directions), (int)(chain % a.directions));
}

/* Behind the last step of a chain: its states, and 0 where the row has ended. */
template <class core>
__device__ __forceinline__ void chain_end(const struct sequence &a, const chain_row &row, int unit,
                                          const struct chain_state &state) {
  size_t at = ((size_t)row.d * a.batch + row.b) * a.units + unit;
  check_states(a.check, row.b, 0, LAUNCH_STAGE_ENCODER, state.h, state.carried);
  if (a.d_final_h)
    a.d_final_h[at] = state.h;
  if (core::cell::HAS_C && a.d_final_c)
    a.d_final_c[at] = state.carried;
  float *output = a.d_output[row.d];
  if (output)
    for (int t = row.length; t < a.time; t++)
      output[((ptrdiff_t)row.b * a.time + t) * a.leading + unit] = 0.0f;
}

/* A chain from its initial to its final state. `hidden` [2 HIDDEN + BEHIND] and m are shared. */
template <class core, int SOURCE>
__device__ __forceinline__ void chain_run(const struct sequence_parameters &p, const chain_row &row,
                                          float *hidden, typename chain_memory<core, SOURCE>::type &m) {
  const struct sequence &a = p.a;
  core u;
  u.template load<SOURCE == SEQUENCE_OF_X>(a.d_recurrent, a.units, row.d);
  bool there = u.unit < a.units;
  size_t at = ((size_t)row.d * a.batch + row.b) * a.units + u.unit;
  struct chain_state state;
  state.h = there && a.d_initial_h ? a.d_initial_h[at] : 0.0f;
  float c = core::cell::HAS_C && there && a.d_initial_c ? a.d_initial_c[at] : 0.0f;
  state.carried = core::cell::carried(state.h, c);
  state.bias = there ? __ldg((const float4 *)a.d_bias + row.d * a.units + u.unit) : sums_zero();
  float *own = a.d_output[row.d];
  if (own)
    own += (ptrdiff_t)row.b * a.time * a.leading + u.unit;
  chain_writer output(own, row, a.leading, u.writer);
  const shared_floats buffers(hidden);
  u.begin(buffers, state.h); /* the initial h is there */
  if (row.length > 0) {
    if (device_gates_are_usual(p.gates))
      chain_all<core, SOURCE>(device_usual_gates(), a, u, row, buffers, m, output, state);
    else
      chain_all<core, SOURCE>(p.gates, a, u, row, buffers, m, output, state);
  }
  if (u.writer) /* the row is found again: registers are short while U is in them */
    chain_end<core>(a, chain_row_of<core>(a, anew((int)blockIdx.x)), anew(u.unit), state);
}

/* The body of the chain kernels. */
template <class core, int SOURCE>
__device__ __forceinline__ void chain_block(const struct sequence_parameters &p) {
  __shared__ __align__(16) float hidden[2 * core::HIDDEN + core::BEHIND];
  __shared__ typename chain_memory<core, SOURCE>::type m;
  chain_row row = chain_row_of<core>(p.a, (int)blockIdx.x);
  if constexpr (SOURCE == SEQUENCE_OF_X) {
    if (threadIdx.x < core::THREADS)
      chain_run<core, SOURCE>(p, row, hidden, m);
    else
      chain_producer<core>::run(p.a, row, m);
  } else {
    chain_run<core, SOURCE>(p, row, hidden, m);
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
