/* The cells of the mapping GRID with tensor cores (grid_tensor.cuh): what a team has in shared memory, where
 * h lies, how a tile of rows begins, and what is made of the sums. */
#ifndef CUSEQ_KERNELS_GRID_CELLS_CUH
#define CUSEQ_KERNELS_GRID_CELLS_CUH

#include "kernels/common/check.cuh"
#include "kernels/common/tensor.cuh"
#include "kernels/recurrence/grid_group.cuh"

static const int TENSOR_TEAM = 128; /* threads */

/* Shared memory of a team of up to EIGHTS times eight rows; the teams' lie one behind the other, and U behind
 * them. */
template <int SLOTS, int EIGHTS> struct tensor_memory {
  float4 sums[TENSOR_TEAM / 32][SLOTS][EIGHTS][2]
             [32];                         /* of each quarter of k: [unit tile][eight rows][2 t + ..][lane] */
  int row[EIGHTS * 8], length[EIGHTS * 8]; /* of the tile; length 0 where there is no row */
  float scale[EIGHTS * 8];                 /* of h of a row, where it is two float16 */
};

/* H in units of 16, which h is padded to: zeros. */
__host__ __device__ static inline int tensor_sixteens(int units) {
  return (units + 15) >> 4;
}

/* Where h of a row of the tile and a unit stands, for the products: [buffer][eight rows][16
 * units][row][unit]. The unit 8 further on is 8 further on where `unit` is below 8 of its 16. */
__device__ __forceinline__ int tensor_place(const struct sequence_grid &g, int groups, int buffer, int row,
                                            int unit) {
  return ((buffer * (g.rows >> 3) + row / 8) * groups + (unit >> 4)) * 128 + row % 8 * 16 + (unit & 15);
}
/* `scale`: of the row. Of two float16 four units' high halves stand in front of their low ones. */
template <tensor_kind KIND>
__device__ __forceinline__ void tensor_store(const struct grid_tile &tile, int place, float h, float scale,
                                             bool stores) {
  if constexpr (KIND == TENSOR_HALVES) {
    uint32_t high, low;
    tensor_halves(h * scale, 0.0f, high, low);
    unsigned short *to = (unsigned short *)tile.hidden + (2 * place - (place & 3));
    if (stores)
      to[0] = (unsigned short)high, to[4] = (unsigned short)low;
  } else if constexpr (KIND == TENSOR_BF16) {
    unsigned short rounded = (unsigned short)tensor_pack(h, 0.0f);
    if (stores)
      ((unsigned short *)tile.hidden)[place] = rounded;
  } else {
    float rounded = KIND == TENSOR_TF32 ? tensor_round(h) : tensor_round_to_two(h);
    if (stores)
      tile.hidden[place] = rounded;
  }
}

__device__ __forceinline__ unsigned grid_glance(const unsigned *counter) {
  unsigned seen;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(counter) : "memory");
  return seen;
}

/* Waits until a group's counter has come to `wanted`: looks that order nothing, and one fence behind them. */
__device__ __forceinline__ void grid_await(const unsigned *counter, unsigned wanted) {
  while (grid_glance(counter) < wanted)
    __nanosleep(20);
  __threadfence();
}

/* The tile's rows and their lengths. A barrier must follow. */
template <int SLOTS, int EIGHTS>
__device__ __forceinline__ void tensor_rows(const struct sequence &a, struct tensor_memory<SLOTS, EIGHTS> &m,
                                            const struct grid_tile &tile, int thread) {
  if (thread < EIGHTS * 8) {
    bool there = thread < tile.rows;
    int b = there ? (a.d_order ? a.d_order[tile.first + thread] : tile.first + thread) : 0;
    m.row[thread] = b;
    m.length[thread] = there ? (a.d_lengths ? a.d_lengths[b] : a.time) : 0;
  }
}

/* Initial states of the tile of units that begins at `first`, and zeros at positions beyond the rows'
 * lengths. The last tile of units makes the padding of h too. */
template <class Cell, tensor_kind KIND, int SLOTS, int EIGHTS>
__device__ __forceinline__ void tensor_begin(const struct sequence &a, const struct sequence_grid &g,
                                             const struct tensor_memory<SLOTS, EIGHTS> &m,
                                             const struct grid_tile &tile, int first, int thread) {
  int groups = tensor_sixteens(a.units), unit = first + thread % 16;
  int end = first + 8 * SLOTS < a.units ? first + 8 * SLOTS : groups * 16;
  for (int row = thread / 16; row < g.rows && unit < end; row += TENSOR_TEAM / 16) {
    bool there = row < tile.rows && unit < a.units;
    size_t state = there ? ((size_t)tile.d * a.batch + m.row[row]) * a.units + unit : 0;
    float h = there && a.d_initial_h ? a.d_initial_h[state] : 0.0f;
    tensor_store<KIND>(tile, tensor_place(g, groups, 0, row, unit), h, m.scale[row], true);
    tensor_store<KIND>(tile, tensor_place(g, groups, 1, row, unit), 0.0f, 1.0f, true);
    if (!there)
      continue;
    g.cells[((size_t)m.row[row] * a.directions + tile.d) * a.units + unit] =
        Cell::carried(h, Cell::HAS_C && a.d_initial_c ? a.d_initial_c[state] : 0.0f);
    float *output = a.d_output[tile.d];
    for (int t = m.length[row]; output && t < a.time; t++)
      output[((ptrdiff_t)m.row[row] * a.time + t) * a.leading + unit] = 0.0f;
  }
}

/* A thread's cells of a tile of rows: of one row, a unit of every unit tile. x W of the next step is fetched
 * while the blocks wait for one another; what the cells carry stays in registers where the block has one tile
 * of units. Nothing is loaded or computed behind a branch: rows that have ended, and such as there are not,
 * take what stands at a position that there is, and store nothing. */
template <class Cell, tensor_kind KIND, int SLOTS, int EIGHTS> struct tensor_cells {
  static_assert(EIGHTS * 64 <= TENSOR_TEAM, "a thread has one row");
  const struct sequence_parameters &p;
  const struct sequence_grid &g;
  const struct tensor_memory<SLOTS, EIGHTS> &m;
  const struct grid_tile &tile;
  bool alone;       /* the block's tile of units is its only one */
  int n, odd, lane; /* where its sums lie */
  int row, b, length;
  int begin, towards; /* the row's first position, of all rows', and the way to the next one: 1 or -1 */
  int coming;         /* the row of x W that is fetched next; ids are looked up a step before */
  int place;          /* of h of the row, of the first units */
  float *output;      /* where the row's next h goes, of the first units; NULL: nowhere */
  float scale;        /* of the row's h, where it is two float16 */
  float4 x[SLOTS];
  float carried[SLOTS], h[SLOTS];

  __device__ __forceinline__ tensor_cells(const struct sequence_parameters &parameters,
                                          const struct sequence_grid &grid,
                                          const struct tensor_memory<SLOTS, EIGHTS> &memory,
                                          const struct grid_tile &of, int thread, bool has_one)
      : p(parameters), g(grid), m(memory), tile(of), alone(has_one) {
    n = thread / 64 % EIGHTS, odd = thread / 32 % 2, lane = thread % 32;
    row = n * 8 + lane % 4 * 2 + odd;
    b = m.row[row];
    length = thread < EIGHTS * 64 ? m.length[row] : 0;
    towards = tile.d == 1 || p.a.is_backward ? -1 : 1;
    begin = b * p.a.time + (towards < 0 ? max(length - 1, 0) : 0); /* of more positions no x W has room */
    place = tensor_place(g, tensor_sixteens(p.a.units), 0, row, 0) + lane / 4;
    scale = m.scale[row];
    output = p.a.d_output[tile.d];
    if (output)
      output += (size_t)(unsigned)begin * (unsigned)p.a.leading + lane / 4;
  }

  /* Where x W of step s stands. */
  __device__ __forceinline__ void find(int s) {
    int of = begin + towards * min(s, max(length - 1, 0));
    coming = p.a.d_ids ? __ldg(p.a.d_ids + of) : of;
  }

  /* The thread's unit of the first unit tile; of the others it is 8 and more further on. `first`: of the tile
   * of units. */
  __device__ __forceinline__ int unit(int first) const {
    return first + lane / 4;
  }
  __device__ __forceinline__ bool runs(int s, int first, int slot) const {
    return s < length && unit(first) + slot * 8 < p.a.units;
  }
  __device__ __forceinline__ float *cell(int first) const {
    return g.cells + (size_t)(unsigned)(b * p.a.directions + tile.d) * (unsigned)p.a.units + unit(first);
  }

  /* x W of what find() has found. */
  __device__ __forceinline__ void fetch(int first) {
    const float4 *input = (const float4 *)(p.a.d_ids ? p.a.d_kernel : p.a.d_projected) +
                          (size_t)((unsigned)coming * p.a.directions + tile.d) * (unsigned)p.a.units;
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++)
      x[slot] = __ldg(input + min(unit(first) + slot * 8, p.a.units - 1));
  }
  /* What the cells of step s carry to the next one: where other units come before. */
  __device__ __forceinline__ void put(int s, int first) const {
    float *c = cell(first);
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++)
      if (runs(s, first, slot))
        c[slot * 8] = carried[slot];
  }
  /* What those of step s are carried. */
  __device__ __forceinline__ void take(int s, int first) {
    const float *c = cell(first);
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++) {
      carried[slot] = 0.0f;
      if (runs(s, first, slot))
        carried[slot] = c[slot * 8];
    }
  }

  /* h of the next step, of the sums of the tile of units that begins at `first`, for the other blocks.
   * `bias`, `inverses`: the tile's, and of its scales; `count`: the eights of rows that have sums. */
  template <class Gates>
  __device__ __forceinline__ void update(const Gates &gates, const float4 *bias, const float4 *inverses,
                                         int s, int first, int count) {
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++) {
      float4 z = sums_add(x[slot], bias[slot * 8 + lane / 4]), by = sums_zero();
      if constexpr (KIND == TENSOR_HALVES)
        by = sums_times(inverses[slot * 8 + lane / 4], tensor_inverse(scale));
#pragma unroll
      for (int quarter = 0; quarter < TENSOR_TEAM / 32; quarter++)
        if constexpr (KIND == TENSOR_HALVES)
          z = sums_scaled(z, m.sums[quarter][slot][min(n, count - 1)][odd][lane], by);
        else
          z = sums_add(z, m.sums[quarter][slot][min(n, count - 1)][odd][lane]);
      h[slot] = Cell::update(gates, z, carried[slot]);
    }
    int to = tensor_place(g, tensor_sixteens(p.a.units), ~s & 1, 0, first) + place;
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++)
      tensor_store<KIND>(tile, to + slot * 8, h[slot], scale, runs(s, first, slot));
  }

  /* Results of the step. */
  __device__ __forceinline__ void settle(int s, int first) const {
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++)
      if (output && runs(s, first, slot))
        output[first + slot * 8] = h[slot];
    if (s == length - 1 && unit(first) < p.a.units)
      for (int slot = 0; slot < SLOTS && unit(first) + slot * 8 < p.a.units; slot++)
        finish(first, slot);
  }
  __device__ __forceinline__ void step_over() {
    if (output)
      output += towards * (ptrdiff_t)p.a.leading;
  }
  __device__ __forceinline__ void finish(int first, int slot) const {
    const struct sequence &a = p.a;
    check_states(a.check, b, 0, LAUNCH_STAGE_ENCODER, h[slot], carried[slot]);
    size_t state = ((size_t)tile.d * a.batch + b) * a.units + unit(first) + slot * 8;
    if (a.d_final_h)
      a.d_final_h[state] = h[slot];
    if (Cell::HAS_C && a.d_final_c)
      a.d_final_c[state] = carried[slot];
  }
};

#endif
