/* The sums z = x W + b + h U with U in registers, one class per mapping, of any cell. A cell is one small
 * class (cell_lstm.cuh, cell_gru.cuh) that says
 *   HAS_C            whether it has a state beside h
 *   THIRD_OF_HIDDEN  whether the third sum has a part of h, as all others have
 *   multiply         the sums' parts of h: z += h u
 *   project          their parts of x: z += x w
 *   carried          what a unit keeps from step to step
 *   update           what it makes of the four sums
 * Each core has
 *   cell     the cell
 *   THREADS  threads that hold U
 *   UNITS    of H at most
 *   BLOCKS   of a cluster
 *   HIDDEN   floats of one buffer of h in shared memory (16-byte aligned)
 *   BEHIND   floats behind the two buffers that the core has for itself
 *   place    where h[k] lies in a buffer
 *   unit     the unit whose cell the thread updates; several threads may do so, with the same bits
 *   writer   exactly one thread of each unit: the one that writes h
 *   load     takes direction d of U [D,H,H,4] into registers; rows and columns beyond H are 0. NARROW:
 *            recurrent_at()'s
 *   start    what of x + b can be added ahead of the step; x is x W
 *   product  x + b + h U for `unit`, complete in every thread, of start and b
 *   begin    publishes the first h in the first buffer, for all; 0 stands in the rest, at units beyond H too
 *   publish  writes h of `unit`, where that is below H, into a buffer, for every thread that will read it:
 *            what stands at units beyond H stays 0, whatever their threads compute
 *   sync     of a step that is even or odd: after it every published value is there, and the other buffer,
 *            read before it, may be written
 * h is double-buffered so that one sync per step ends both hazards. */
#ifndef CUSEQ_KERNELS_CORES_CUH
#define CUSEQ_KERNELS_CORES_CUH

#include "kernels/common/shared_floats.cuh"
#include "kernels/recurrence/sequence.cuh"

/* Row k of direction d of U [D,H,H,4], of one unit; at most 128 units. NARROW: what is no part of h is not
 * loaded, in two loads in place of one, where registers are so few that the compiler would spill others
 * meanwhile. */
template <class Cell, bool NARROW>
__device__ __forceinline__ float4 recurrent_at(const float *recurrent, int units, int d, int k, int unit) {
  if (k >= units || unit >= units)
    return sums_zero();
  const float *at = recurrent + 4 * ((d * units + k) * units + unit);
  if (Cell::THIRD_OF_HIDDEN || !NARROW)
    return __ldg((const float4 *)at);
  float2 first = __ldg((const float2 *)at);
  return make_float4(first.x, first.y, 0.0f, __ldg(at + 3));
}

/* z and the other lanes' z, of a cell's parts of h. */
template <class Cell> __device__ __forceinline__ float4 sums_xor(float4 z, int lanes) {
  float x = __shfl_xor_sync(0xffffffffu, z.x, lanes), y = __shfl_xor_sync(0xffffffffu, z.y, lanes);
  float third = Cell::THIRD_OF_HIDDEN ? __shfl_xor_sync(0xffffffffu, z.z, lanes) : 0.0f;
  float w = __shfl_xor_sync(0xffffffffu, z.w, lanes);
  return make_float4(z.x + x, z.y + y, Cell::THIRD_OF_HIDDEN ? z.z + third : z.z, z.w + w);
}

/* 32 values of h, read as uniform 16-byte loads, times 32 rows of U. */
template <class Cell>
__device__ __forceinline__ void sums_multiply32(float4 &z, const shared_floats &h, int first,
                                                const float4 *u) {
#pragma unroll
  for (int k = 0; k < 32; k += 4) {
    float4 v = h.load4(first + k);
    Cell::multiply(z, v.x, u[k]);
    Cell::multiply(z, v.y, u[k + 1]);
    Cell::multiply(z, v.z, u[k + 2]);
    Cell::multiply(z, v.w, u[k + 3]);
  }
}

/* H <= 16, one warp: lanes 0-15 own the first and the third sum of a unit, 16-31 the second and the fourth;
 * each in two parts, of even k on top of x and of odd k on top of b, so that four chains hide the latency of
 * fma. 32 fma, 2 adds, 2 shuffles a step, where a cell's third sum has no part of h too. After the exchange
 * both halves have all four sums and go through the same cell: parting them costs more than computing
 * twice. */
template <class Cell> struct core_warp16 {
  typedef Cell cell;
  static const int THREADS = 32, UNITS = 16, BLOCKS = 1, HIDDEN = 16, BEHIND = 0;
  float u[16][2];
  int unit, upper;
  bool writer;

  template <bool NARROW> __device__ __forceinline__ void load(const float *recurrent, int units, int d) {
    int lane = threadIdx.x & 31;
    unit = lane & 15;
    upper = lane >> 4;
    writer = !upper && unit < units;
#pragma unroll
    for (int k = 0; k < 16; k++) {
      float4 v = recurrent_at<Cell, NARROW>(recurrent, units, d, k, unit);
      u[k][0] = upper ? v.y : v.x;
      u[k][1] = upper ? v.w : v.z;
    }
  }
  __device__ __forceinline__ static int place(int k) {
    return k;
  }
  __device__ __forceinline__ static float4 start(float4 x, float4) {
    return x;
  }
  __device__ __forceinline__ float4 product(const shared_floats &h, float4 x, float4 b) const {
    float even0 = upper ? x.y : x.x, even1 = upper ? x.w : x.z;
    float odd0 = upper ? b.y : b.x, odd1 = upper ? b.w : b.z;
#pragma unroll
    for (int k = 0; k < 16; k += 4) {
      float4 v = h.load4(k);
      even0 = fmaf(v.x, u[k][0], even0);
      even1 = fmaf(v.x, u[k][1], even1);
      odd0 = fmaf(v.y, u[k + 1][0], odd0);
      odd1 = fmaf(v.y, u[k + 1][1], odd1);
      even0 = fmaf(v.z, u[k + 2][0], even0);
      even1 = fmaf(v.z, u[k + 2][1], even1);
      odd0 = fmaf(v.w, u[k + 3][0], odd0);
      odd1 = fmaf(v.w, u[k + 3][1], odd1);
    }
    float own0 = even0 + odd0, own1 = even1 + odd1;
    float other0 = __shfl_xor_sync(0xffffffffu, own0, 16), other1 = __shfl_xor_sync(0xffffffffu, own1, 16);
    return upper ? make_float4(other0, own0, other1, own1) : make_float4(own0, other0, own1, other1);
  }
  __device__ __forceinline__ void begin(const shared_floats &hidden, float h) const {
    hidden.store(unit, h, !upper);
    hidden.store(HIDDEN + unit, 0.0f, !upper);
    sync<1>();
  }
  template <int TO> __device__ __forceinline__ void publish(const shared_floats &hidden, float h) const {
    hidden.store(TO * HIDDEN + unit, h, writer);
  }
  template <int ODD> __device__ __forceinline__ void sync() const {
    __syncwarp();
  }
  __device__ __forceinline__ static int rank() {
    return 0;
  }
};

/* H <= 32, one warp: a lane owns all four sums of a unit, 128 registers of U. 128 fma a step in four chains,
 * which is what the warp's scheduler issues in the latency of 32 dependent fma: nothing is left to hide. */
template <class Cell> struct core_warp32 {
  typedef Cell cell;
  static const int THREADS = 32, UNITS = 32, BLOCKS = 1, HIDDEN = 32, BEHIND = 0;
  float4 u[32];
  int unit;
  bool writer;

  template <bool NARROW> __device__ __forceinline__ void load(const float *recurrent, int units, int d) {
    unit = threadIdx.x & 31;
    writer = unit < units;
#pragma unroll
    for (int k = 0; k < 32; k++)
      u[k] = recurrent_at<Cell, NARROW>(recurrent, units, d, k, unit);
  }
  __device__ __forceinline__ static int place(int k) {
    return k;
  }
  __device__ __forceinline__ static float4 start(float4 x, float4 b) {
    return sums_add(x, b);
  }
  __device__ __forceinline__ float4 product(const shared_floats &h, float4 z, float4) const {
    sums_multiply32<Cell>(z, h, 0, u);
    return z;
  }
  __device__ __forceinline__ void begin(const shared_floats &hidden, float h) const {
    hidden.store(unit, h, true);
    hidden.store(HIDDEN + unit, 0.0f, true);
    sync<1>();
  }
  template <int TO> __device__ __forceinline__ void publish(const shared_floats &hidden, float h) const {
    hidden.store(TO * HIDDEN + unit, h, writer);
  }
  template <int ODD> __device__ __forceinline__ void sync() const {
    __syncwarp();
  }
  __device__ __forceinline__ static int rank() {
    return 0;
  }
};

/* H <= 64, four warps, the first or the second four of a block: a thread owns all four sums of a unit over
 * half of k; the halves lie in the halves of a warp and are summed by four shuffles. The second half of h
 * starts 4 floats late, so that the two addresses of a load lie in different banks. */
template <class Cell> struct core_block64 {
  typedef Cell cell;
  static const int THREADS = 128, UNITS = 64, BLOCKS = 1, HIDDEN = 72, BEHIND = 0;
  float4 u[32];
  int unit, half;
  bool writer;

  template <bool NARROW> __device__ __forceinline__ void load(const float *recurrent, int units, int d) {
    unit = (threadIdx.x >> 5 & 3) * 16 + (threadIdx.x & 15);
    half = threadIdx.x >> 4 & 1;
    writer = half == 0 && unit < units;
#pragma unroll
    for (int k = 0; k < 32; k++)
      u[k] = recurrent_at<Cell, NARROW>(recurrent, units, d, half * 32 + k, unit);
  }
  __device__ __forceinline__ static int place(int k) {
    return k + (k >> 5) * 4;
  }
  __device__ __forceinline__ static float4 start(float4 x, float4 b) {
    return sums_add(x, b);
  }
  __device__ __forceinline__ float4 product(const shared_floats &h, float4 z, float4) const {
    float4 part = sums_zero();
    sums_multiply32<Cell>(part, h, half * 36, u);
    return sums_add(z, sums_xor<Cell>(part, 16));
  }
  __device__ __forceinline__ void begin(const shared_floats &hidden, float h) const {
    hidden.store(place(unit), h, half == 0);
    hidden.store(HIDDEN + place(unit), 0.0f, half == 0);
    sync<1>();
  }
  template <int TO> __device__ __forceinline__ void publish(const shared_floats &hidden, float h) const {
    hidden.store(TO * HIDDEN + place(unit), h, writer);
  }
  template <int ODD> __device__ __forceinline__ void sync() const {
    asm volatile("bar.sync %0, 128;" ::"r"(1 + (threadIdx.x >> 7)) : "memory");
  }
  __device__ __forceinline__ static int rank() {
    return 0;
  }
};

/* H <= 128, a cluster of two blocks of eight warps: a block owns 64 units, a thread all four sums of a unit
 * over a quarter of k; the quarters lie in the quarters of a warp. h goes into both blocks' shared memory:
 * quarter 0 sends it to its own block and quarter 1, which has the same value, to the other, by st.async,
 * which tells an mbarrier of the receiver. There is one for each buffer; a phase is over when all units' h
 * has come. Every warp sends in every step, 0 at units beyond H: so no thread is a phase late, and whoever
 * has seen a step's end knows that all warps of both blocks have read what the next step overwrites. A
 * cluster's barrier in their place costs a fence of everything that the block has stored in memory. These
 * instructions are there from sm_90 on: kernels use the core under that condition. */
template <class Cell> struct core_cluster128 {
  typedef Cell cell;
  static const int THREADS = 256, UNITS = 128, BLOCKS = 2, HIDDEN = 144, BEHIND = 4;
  float4 u[32];
  int unit, quarter;
  bool writer, there;
  unsigned to,
      arrived;     /* in the receiver's shared memory: h of the unit in buffer 0, the mbarrier of buffer 0 */
  unsigned phases; /* this block's mbarriers */
  unsigned parity; /* of the phase that is waited for */

  __device__ __forceinline__ static int rank() {
    unsigned r;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
    return (int)r;
  }
  template <bool NARROW> __device__ __forceinline__ void load(const float *recurrent, int units, int d) {
    unit = rank() * 64 + (threadIdx.x >> 5) * 8 + (threadIdx.x & 7);
    quarter = threadIdx.x >> 3 & 3;
    there = unit < units;
    writer = quarter == 0 && there;
#pragma unroll
    for (int k = 0; k < 32; k++)
      u[k] = recurrent_at<Cell, NARROW>(recurrent, units, d, quarter * 32 + k, unit);
  }
  __device__ __forceinline__ static int place(int k) {
    return k + (k >> 5) * 4;
  }
  __device__ __forceinline__ static float4 start(float4 x, float4 b) {
    return sums_add(x, b);
  }
  __device__ __forceinline__ float4 product(const shared_floats &h, float4 z, float4) const {
    float4 part = sums_zero();
    sums_multiply32<Cell>(part, h, quarter * 36, u);
    return sums_add(z, sums_xor<Cell>(sums_xor<Cell>(part, 8), 16));
  }
  /* A place of this block's shared memory as it is in the receiver's. */
  __device__ __forceinline__ unsigned received(unsigned own) const {
    unsigned address;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(own), "r"(rank() ^ (quarter == 1)));
    return address;
  }
  /* The next phase of an mbarrier is over when h of all units has come. */
  __device__ __forceinline__ void expect(int buffer) const {
    if (threadIdx.x == 0)
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(phases + 8 * buffer),
                   "r"(UNITS * 4)
                   : "memory");
  }
  __device__ __forceinline__ void begin(const shared_floats &hidden, float h) {
    to = received(hidden.at + 4 * place(unit));
    phases = hidden.at + 4 * 2 * HIDDEN;
    arrived = received(phases);
    parity = 0;
    hidden.store(HIDDEN + place(unit), 0.0f, quarter == 0);
    for (int buffer = 0; buffer < 2 && threadIdx.x == 0; buffer++)
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(phases + 8 * buffer) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    cluster_barrier(); /* the other block is there, and its mbarriers are */
    if (quarter < 2)
      asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(to), "f"(there ? h : 0.0f) : "memory");
    expect(0);
    expect(1);
    cluster_barrier(); /* the first h is there */
  }
  __device__ __forceinline__ static void cluster_barrier() {
    asm volatile("barrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;" ::
                     : "memory");
  }
  template <int TO> __device__ __forceinline__ void publish(const shared_floats &, float h) const {
    asm volatile("{\n\t.reg .pred p;\n\tsetp.lt.s32 p, %2, 2;\n\t"
                 "@p st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%3];\n\t}" ::"r"(
                     to + TO * 4 * HIDDEN),
                 "r"(__float_as_uint(there ? h : 0.0f)), "r"(quarter), "r"(arrived + TO * 8)
                 : "memory");
  }
  template <int ODD> __device__ __forceinline__ void sync() {
    const int buffer = ODD ? 0 : 1;
    asm volatile("{\n\t.reg .pred p;\nagain:\n\t"
                 "mbarrier.try_wait.parity.relaxed.cluster.shared::cta.b64 p, [%0], %1;\n\t"
                 "@!p bra again;\n\t"
                 "fence.acquire.sync_restrict::shared::cluster.cluster;\n\t}" ::"r"(phases + 8 * buffer),
                 "r"(parity)
                 : "memory");
    expect(buffer);
    parity ^= ODD;
  }
};

#endif
