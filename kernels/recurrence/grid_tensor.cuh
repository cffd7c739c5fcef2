/* What a block of the mapping GRID does with tensor cores: its part of a state that many blocks share. */
#ifndef CUSEQ_KERNELS_GRID_TENSOR_CUH
#define CUSEQ_KERNELS_GRID_TENSOR_CUH

#include "kernels/common/tensor.cuh"
#include "kernels/recurrence/grid_cells.cuh"
#include "kernels/recurrence/grid_scales.cuh"

/* A block is one or two teams of four warps. All of them share the block's columns of U, which lie in shared
 * memory as the products take them; each team has tiles of rows and counters of its own, so that one
 * multiplies while another waits for its flags, its h or its sums. A warp multiplies a quarter of k, every
 * fourth 16 of them, for all of the team's rows and the block's units; sums of four warps meet in shared
 * memory, where a thread takes those of one or two cells.
 *
 * The product is U' h': rows of the instruction's A are sums of units, its columns rows of the batch. Which k
 * stands where in A and B is free as long as both agree: lane (g,t) has k 4 t to 4 t + 3 of every 16, so that
 * h of a row and U of a unit are one load.
 *
 * Order of summation, the same for all kernels of a kind, whatever their tiles: of a quarter of k blocks of
 * 128 k, which the tensor cores sum by themselves; then x W, the bias, quarter 0, 1, 2, 3. */

/* Which sum of which unit tile stands in row g (half 0) and g + 8 (half 1) of tile `m` of 16 rows of A. A
 * cell whose third sum has no part of h does without it where that saves a tile. */
template <class Cell, int SLOTS> struct tensor_tiles {
  static const bool PACKED = !Cell::THIRD_OF_HIDDEN && SLOTS == 2;
  static const int COUNT = PACKED ? 3 : 2 * SLOTS;
  __host__ __device__ static constexpr int slot(int m, int half) {
    return !PACKED ? m / 2 : m < 2 ? m : half;
  }
  __host__ __device__ static constexpr int sum(int m, int half) {
    return !PACKED ? m % 2 * 2 + half : m < 2 ? half : 3;
  }
};

/* A lane's h of 16 k; of a step to come it is stored so, too. */
template <tensor_kind KIND> struct tensor_h { uint32_t v[tensor_registers(KIND)]; };

/* A lane's U of a block's unit tiles for 16 k, as the products take them: [tile of A][instruction][k, row g
 * or g + 8], of its four k the first two for the first instruction, or two pairs for the only one; of two
 * float16 high and low in the instruction's place. */
template <tensor_kind KIND, int TILES> struct tensor_weights {
  static const int VECTORS = tensor_registers(KIND) / 2; /* of a tile */
  uint32_t a[TILES][VECTORS][4];
};

template <class Cell, tensor_kind KIND, int SLOTS, int EIGHTS> struct tensor_team {
  typedef tensor_tiles<Cell, SLOTS> tiles;
  typedef struct tensor_weights<KIND, tiles::COUNT> weights;
  static const int VECTORS = weights::VECTORS * tiles::COUNT; /* that a lane loads of U for 16 k */
  static const int UNITS =
      8 * SLOTS; /* of a tile of the block's units: SLOTS tiles of the product, side by side */
  const struct sequence_parameters &p;
  const struct sequence_grid &g;
  struct tensor_memory<SLOTS, EIGHTS> &m;
  const uint4 *u;         /* [tiles of units][resident / 16][tile of A][instruction][lane] */
  const float4 *bias;     /* [tiles of units][UNITS] */
  const float4 *inverses; /* the same: of what U of a unit's sums was scaled by, where it is two float16 */
  int rank, d, barrier;
  int thread, warp, lane;
  int stride; /* units from one of the block's tiles of them to the next */
  bool meets; /* the thread tells the other blocks of its team's, and waits for theirs */
  /* of the product: all 16 k, this warp's, those of them whose U is in shared memory, all of them there; from
   * one buffer of h to the other, in parts of a lane */
  int sixteens, share, there, resident, buffer_stride;

  /* Values that the compiler would make anew in every step. */
  __device__ __forceinline__ void begin() {
    sixteens = tensor_sixteens(p.a.units), resident = g.resident / 16;
    share = (sixteens - warp + 3) >> 2, there = (resident - warp + 3) >> 2;
    buffer_stride = (g.rows >> 3) * sixteens * 32;
    asm volatile("" : "+r"(warp), "+r"(lane), "+r"(stride), "+r"(sixteens));
    asm volatile("" : "+r"(share), "+r"(there), "+r"(resident), "+r"(buffer_stride));
  }

  /* ---- U ---- */

  /* Of memory that has them as the model does; `by`: the tile's inverses. */
  __device__ __forceinline__ void weights_made(weights &to, int q, int first, const float4 *by) const {
    float w[SLOTS][4][4];
#pragma unroll
    for (int i = 0; i < SLOTS * 4; i++) {
      int k = q * 16 + lane % 4 * 4 + i % 4, unit = first + i / 4 * 8 + lane / 4;
      float4 sums = sums_zero();
      if (k < p.a.units && unit < p.a.units)
        sums = __ldg((const float4 *)p.a.d_recurrent + ((size_t)d * p.a.units + k) * p.a.units + unit);
      if constexpr (KIND == TENSOR_HALVES) {
        float4 own = by[i / 4 * 8 + lane / 4];
        sums.x *= tensor_inverse(own.x), sums.y *= tensor_inverse(own.y);
        sums.z *= tensor_inverse(own.z), sums.w *= tensor_inverse(own.w);
      }
      w[i / 4][i % 4][0] = sums.x, w[i / 4][i % 4][1] = sums.y;
      w[i / 4][i % 4][2] = sums.z, w[i / 4][i % 4][3] = sums.w;
    }
#pragma unroll
    for (int tile = 0; tile < tiles::COUNT; tile++)
#pragma unroll
      for (int i = 0; i < 4 * tensor_steps(KIND); i++) {
        int slot = tiles::slot(tile, i % 2), sum = tiles::sum(tile, i % 2), pair = i / 2 * 2 % 4;
        uint32_t &a = to.a[tile][i / 4][i % 4];
        if (KIND == TENSOR_HALVES)
          tensor_halves(w[slot][pair][sum], w[slot][pair + 1][sum], a, to.a[tile][weights::VECTORS - 1][i]);
        else if (KIND == TENSOR_BF16)
          a = tensor_pack(w[slot][pair][sum], w[slot][pair + 1][sum]);
        else if (KIND == TENSOR_TF32)
          a = __float_as_uint(tensor_round(w[slot][i / 2][sum]));
        else
          a = __float_as_uint(tensor_round_to_two(w[slot][i / 2][sum]));
      }
  }
  /* Fills the block's shared memory, with all its warps. */
  __device__ __forceinline__ void load_weights(uint4 *to, float4 *bias_to, float4 *inverses_to) const {
    if constexpr (KIND == TENSOR_HALVES) {
      tensor_unit_scales<UNITS>(p.a, d, rank, g.blocks, inverses_to);
      __syncthreads(); /* scales are there */
    }
    for (int i = (int)threadIdx.x, owned = 0; (owned = i / UNITS * g.blocks + rank) * UNITS < p.a.units;
         i += (int)blockDim.x) {
      int unit = owned * UNITS + i % UNITS;
      bias_to[i] = unit < p.a.units ? __ldg((const float4 *)p.a.d_bias + d * p.a.units + unit) : sums_zero();
    }
    int resident = g.resident / 16, warps = (int)blockDim.x / 32;
    for (int first = rank * UNITS; first < p.a.units;
         first += g.blocks * UNITS, to += resident * VECTORS * 32, inverses_to += UNITS)
      for (int q = (int)threadIdx.x / 32; q < resident; q += warps) {
        weights made;
        weights_made(made, q, first, inverses_to);
#pragma unroll
        for (int i = 0; i < VECTORS; i++) {
          const uint32_t(&a)[4] = made.a[i / weights::VECTORS][i % weights::VECTORS];
          to[(q * VECTORS + i) * 32 + lane] = make_uint4(a[0], a[1], a[2], a[3]);
        }
      }
  }
  __device__ __forceinline__ void weights_there(weights &to, const uint4 *from) const {
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
      uint4 a = from[i * 32];
      uint32_t(&four)[4] = to.a[i / weights::VECTORS][i % weights::VECTORS];
      four[0] = a.x, four[1] = a.y, four[2] = a.z, four[3] = a.w;
    }
  }

  /* ---- the product ---- */

  /* Sums of a lane: row g or g + 8 of a tile of A by half, batch row 2 t or 2 t + 1. */
  template <int N> struct sums {
    float of[tiles::COUNT][N][4];
    __device__ __forceinline__ void clear() {
#pragma unroll
      for (int i = 0; i < tiles::COUNT * N * 4; i++)
        of[i / 4 / N][i / 4 % N][i % 4] = 0.0f;
    }
  };

  /* 16 k of N times eight rows. float32: the products of what is small have sums of their own and lose
   * nothing to the large ones. */
  template <int N>
  __device__ __forceinline__ void multiply(sums<N> &large, sums<N> &small, const weights &w,
                                           const struct tensor_h<KIND> (&h)[N]) const {
#pragma unroll
    for (int step = 0; step < tensor_steps(KIND); step++) {
      uint32_t high[N][2], low[N][2];
#pragma unroll
      for (int i = 0; i < 2 * N; i++)
        if (KIND == TENSOR_FLOAT32)
          tensor_split(__uint_as_float(h[i / 2].v[step * 2 + i % 2]), high[i / 2][i % 2], low[i / 2][i % 2]);
        else
          high[i / 2][i % 2] = h[i / 2].v[step * 2 + i % 2];
#pragma unroll
      for (int tile = 0; tile < tiles::COUNT; tile++) {
        const uint32_t(&a)[4] = w.a[tile][step];
        uint32_t upper[4], rest[4];
#pragma unroll
        for (int i = 0; i < 4 && KIND == TENSOR_FLOAT32; i++)
          tensor_split(__uint_as_float(a[i]), upper[i], rest[i]);
#pragma unroll
        for (int n = 0; n < N; n++) {
          if (KIND == TENSOR_HALVES) {
            const uint32_t low[2] = {h[n].v[2], h[n].v[3]};
            tensor_f16(large.of[tile][n], a, high[n]);
            tensor_f16(small.of[tile][n], w.a[tile][1], high[n]);
            tensor_f16(small.of[tile][n], a, low);
          } else if (KIND == TENSOR_BF16) {
            tensor_bf16(large.of[tile][n], a, high[n]);
          } else if (KIND == TENSOR_TF32) {
            tensor_tf32(large.of[tile][n], a, high[n]);
          } else {
            tensor_tf32(large.of[tile][n], upper, high[n]);
            tensor_tf32(small.of[tile][n], rest, high[n]);
            tensor_tf32(small.of[tile][n], upper, low[n]);
          }
        }
      }
    }
  }

  /* h of N times eight rows and 16 k of a step, a lane's four. Blocks of other SMs wrote it: read from the L2
   * cache. */
  template <int N>
  __device__ __forceinline__ void fetch(struct tensor_h<KIND> (&to)[N],
                                        const struct tensor_h<KIND> *h) const {
#pragma unroll
    for (int n = 0; n < N; n++) {
      const struct tensor_h<KIND> *from = h + n * sixteens * 32;
      if constexpr (KIND == TENSOR_BF16) {
        uint2 two = __ldcg((const uint2 *)from);
        to[n].v[0] = two.x, to[n].v[1] = two.y;
      } else {
        uint4 four = __ldcg((const uint4 *)from);
        to[n].v[0] = four.x, to[n].v[1] = four.y, to[n].v[2] = four.z, to[n].v[3] = four.w;
      }
    }
  }

  /* What tensor cores have added up; `adds`: to what stands there. */
  template <int N>
  __device__ __forceinline__ void hand_over(const sums<N> &large, const sums<N> &small, bool adds) const {
    float z[SLOTS][N][2][4] = {};
#pragma unroll
    for (int tile = 0; tile < tiles::COUNT; tile++)
#pragma unroll
      for (int n = 0; n < N; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
          z[tiles::slot(tile, i / 2)][n][i % 2][tiles::sum(tile, i / 2)] =
              KIND == TENSOR_HALVES
                  ? fmaf(small.of[tile][n][i], 1.0f / TENSOR_HALF_BITS, large.of[tile][n][i])
              : KIND == TENSOR_FLOAT32 ? large.of[tile][n][i] + small.of[tile][n][i]
                                       : large.of[tile][n][i];
    if (adds) {
      __syncwarp(); /* that the compiler branches: few have so many k */
#pragma unroll
      for (int i = 0; i < SLOTS * N * 2; i++) {
        float(&to)[4] = z[i / 2 / N][i / 2 % N][i % 2];
        float4 before = m.sums[warp][i / 2 / N][i / 2 % N][i % 2][lane];
        to[0] += before.x, to[1] += before.y, to[2] += before.z, to[3] += before.w;
      }
    }
#pragma unroll
    for (int i = 0; i < SLOTS * N * 2; i++) {
      const float(&from)[4] = z[i / 2 / N][i / 2 % N][i % 2];
      m.sums[warp][i / 2 / N][i / 2 % N][i % 2][lane] = make_float4(from[0], from[1], from[2], from[3]);
    }
  }

  /* Times 16 k whose h is on its way at once: all of them, so that what is waited for is waited for once; but
   * for float32's of a packed cell, where the compiler is short of registers. */
  static const int AHEAD = KIND == TENSOR_FLOAT32 && tiles::PACKED ? 6 : 8;

  /* Four or eight times 16 k. */
  template <int N>
  __device__ __forceinline__ void multiply_eight(sums<N> &large, sums<N> &small, const uint4 *w,
                                                 const struct tensor_h<KIND> *h, bool eight) const {
    struct tensor_h<KIND> all[8][N];
#pragma unroll
    for (int i = 0; i < AHEAD; i++)
      if (i < 4 || eight)
        fetch<N>(all[i], h + i * 128);
#pragma unroll
    for (int i = 0; i < 8; i++) {
      if (i == 4 && !eight)
        break;
      weights a;
      weights_there(a, w + i * 4 * VECTORS * 32);
      multiply<N>(large, small, a, all[i]);
      if (i + AHEAD < 8 && eight)
        fetch<N>(all[i + AHEAD], h + (i + AHEAD) * 128);
    }
  }

  /* This warp's quarter of h U, of N times eight rows and the tile of units that begins at `first`, the
   * block's `owned`th. */
  template <int N>
  __device__ __forceinline__ void product(const struct grid_tile &tile, int buffer, int owned,
                                          int first) const {
    const struct tensor_h<KIND> *h =
        (const struct tensor_h<KIND> *)tile.hidden + (buffer * buffer_stride + warp * 32 + lane);
    const uint4 *w = u + (owned * resident + warp) * VECTORS * 32 + lane;
    for (int begin = 0; begin == 0 || begin < share; begin += 8) {
      int end = min(begin + 8, share), fast = begin + max(0, (min(end, there) - begin) & ~3);
      sums<N> large, small;
      large.clear(), small.clear();
      if (begin < fast)
        multiply_eight<N>(large, small, w + begin * 4 * VECTORS * 32, h + begin * 128, begin + 4 < fast);
#pragma unroll 1
      for (int i = fast; i < end; i++) {
        weights a;
        struct tensor_h<KIND> now[N];
        fetch<N>(now, h + i * 128);
        if (i < there)
          weights_there(a, w + i * 4 * VECTORS * 32);
        else
          weights_made(a, warp + i * 4, first, inverses + owned * UNITS);
        multiply<N>(large, small, a, now);
      }
      hand_over<N>(large, small, begin > 0);
    }
  }

  /* ---- steps ---- */

  __device__ __forceinline__ void sync() const {
    asm volatile("bar.sync %0, 128;" ::"r"(barrier) : "memory");
  }
  __device__ __forceinline__ void arrive(unsigned *counter) const {
    sync(); /* all of this team's reads and writes are done */
    if (meets)
      grid_tell(counter);
  }
  /* All teams of the group that have this tile have arrived `round` times, where `all`, and all of this team
   * have come here. Ends the hazards of h that others wrote, of h that others read and may be overwritten
   * now, and of the sums of the tile of units before. */
  __device__ __forceinline__ void wait(const unsigned *counter, unsigned round, bool all) const {
    if (all && meets)
      grid_await(counter, (unsigned)g.blocks * round);
    sync(); /* all threads come after what thread 0 has seen */
  }

  /* One step of `count` times eight rows. */
  __device__ __forceinline__ void step(tensor_cells<Cell, KIND, SLOTS, EIGHTS> &cells, int s, int count,
                                       unsigned *counter, unsigned round) const {
    int first = rank * UNITS;
    for (int owned = 0;; owned++) {
      wait(counter, round, owned == 0);
      if (EIGHTS > 1 && count < EIGHTS)
        product<1>(cells.tile, s & 1, owned, first);
      else
        product<EIGHTS>(cells.tile, s & 1, owned, first);
      sync(); /* the sums are there */
      if (device_gates_are_usual(p.gates))
        cells.update(device_usual_gates(), bias + owned * UNITS, inverses + owned * UNITS, s, first, count);
      else
        cells.update(p.gates, bias + owned * UNITS, inverses + owned * UNITS, s, first, count);
      int next = first + stride;
      bool last = cells.alone || next >= p.a.units;
      if (last && s + 1 < cells.tile.steps)
        arrive(counter); /* with all of h of the next step */
      if (!cells.alone)
        cells.find(s + last);
      cells.fetch(last ? rank * UNITS : next);
      cells.settle(s, first);
      if (!cells.alone) {
        cells.put(s, first);
        cells.take(s + last, last ? rank * UNITS : next);
      }
      if (last)
        break;
      first = next;
    }
    cells.find(s + 2);
    cells.step_over();
  }

  /* All steps of one tile of rows; `round`: how often the group has met before. */
  __device__ __forceinline__ void run(struct grid_tile &tile, unsigned *counter, unsigned &round) {
    int longest[EIGHTS];
    tensor_rows<SLOTS, EIGHTS>(p.a, m, tile, thread);
    sync(); /* rows and lengths are there */
    if constexpr (KIND == TENSOR_HALVES) {
      tensor_row_scales<SLOTS, EIGHTS>(p.a, m, d, thread);
      sync(); /* scales are there */
    }
    tile.steps = 0;
#pragma unroll
    for (int n = 0; n < EIGHTS; n++) {
      longest[n] = 0;
      for (int i = 0; i < 8; i++)
        longest[n] = max(longest[n], m.length[n * 8 + i]);
      tile.steps = max(tile.steps, longest[n]);
    }
    for (int first = rank * UNITS; first < p.a.units; first += g.blocks * UNITS)
      tensor_begin<Cell, KIND, SLOTS, EIGHTS>(p.a, g, m, tile, first, thread);
    arrive(counter); /* with the initial states */
    tensor_cells<Cell, KIND, SLOTS, EIGHTS> cells(p, g, m, tile, thread,
                                                  (rank + g.blocks) * UNITS >= p.a.units);
    cells.find(0);
    cells.fetch(rank * UNITS);
    cells.take(0, rank * UNITS);
    cells.find(1);
    for (int s = 0; s < tile.steps; s++) {
      int count = 1;
#pragma unroll
      for (int n = 1; n < EIGHTS; n++)
        count = s < longest[n] ? n + 1 : count;
      step(cells, s, count, counter, ++round);
    }
    sync(); /* rows and lengths have been read by all */
  }
};

#endif
