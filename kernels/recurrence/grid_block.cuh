/* What a block of the mapping GRID does without tensor cores: its part of a state that many blocks share. */
#ifndef CUSEQ_KERNELS_GRID_BLOCK_CUH
#define CUSEQ_KERNELS_GRID_BLOCK_CUH

#include "kernels/common/check.cuh"
#include "kernels/recurrence/grid_group.cuh"

/* A group of `blocks` blocks owns one direction and takes tiles of up to 64 rows one after the other; each
 * block owns every blocks-th tile of UNITS units. A step: every block reads the whole h of the tile from the
 * L2 cache, SUB (4 or 8) rows at a time, multiplies it with its columns of U, updates its cells and writes
 * its part of the new h; then the group's barrier. */
static const int GRID_THREADS = 256, GRID_WARPS = GRID_THREADS / 32;
static const int GRID_ROWS = 64;   /* of a tile, at most */
static const int GRID_CHUNK = 512; /* rows of U, and values of h of a row, at a time */
static const int GRID_PAUSES =
    8; /* short pauses between two looks at a flag: about the time that a look takes */

__device__ __forceinline__ unsigned grid_look(const unsigned *counter) {
  unsigned seen;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(counter) : "memory");
  return seen;
}

/* The barrier of a group: all its blocks have arrived `round` times. Ends two hazards at once: h that others
 * wrote is there, and h that others read may be overwritten. */
__device__ __forceinline__ void grid_barrier(unsigned *counter, unsigned blocks, unsigned &round) {
  round++;
  __syncthreads(); /* all of this block's reads and writes are done */
  if (blocks > 1) {
    if (threadIdx.x == 0) {
      grid_tell(counter);
      while (grid_look(counter) < blocks * round)
        for (int pause = 0; pause < GRID_PAUSES; pause++)
          __nanosleep(8);
    }
    __syncthreads(); /* all threads come after what thread 0 has seen */
  }
}

/* Shared memory of a block; `u` follows, [unit tiles][resident][UNITS]. SUB rows, 4 or 8, go through the
 * product together. */
template <int UNITS, int SUB> struct grid_memory {
  float4 h[SUB / 4][GRID_CHUNK];         /* of SUB rows: 4 rows side by side                           */
  float4 sums[GRID_WARPS][SUB][UNITS];   /* what each warp's part of k gives                           */
  int longest[GRID_ROWS / SUB];          /* length of every SUB rows                                      */
  int row[GRID_ROWS], length[GRID_ROWS]; /* of the tile; length 0 where there is no row                */
};

template <class Cell, int UNITS, int SUB> struct grid_block {
  static const int PARTS = GRID_THREADS / UNITS; /* parts of k, interleaved                             */
  static const int INSIDE = 32 / UNITS;          /* of them in one warp                                 */
  static const int ROUNDS = GRID_CHUNK / GRID_THREADS;
  static const int KEPT = SUB / INSIDE; /* rows that a thread has sums of after the exchange   */
  const struct sequence_parameters &p;
  const struct sequence_grid &g;
  struct grid_memory<UNITS, SUB> &m;
  float4 *u;
  int rank, d;
  float4 ahead[SUB / 4 * ROUNDS]; /* h on its way from the L2 cache to shared memory */

  /* This block's tiles of units begin at rank * UNITS, (rank + blocks) * UNITS ... */
  __device__ __forceinline__ int tile_stride() const {
    return g.blocks * UNITS;
  }
  __device__ __forceinline__ float4 weight(int k, int unit) const {
    if (k >= p.a.units || unit >= p.a.units)
      return sums_zero();
    return __ldg((const float4 *)p.a.d_recurrent + ((size_t)d * p.a.units + k) * p.a.units + unit);
  }
  __device__ __forceinline__ void load_weights() {
    int slot = 0;
    for (int first = rank * UNITS; first < p.a.units; first += tile_stride(), slot++)
      for (int i = threadIdx.x; i < g.resident * UNITS; i += GRID_THREADS)
        u[(size_t)slot * g.resident * UNITS + i] = weight(i / UNITS, first + i % UNITS);
  }
  /* Where h of a row of the tile and a unit lies. */
  __device__ __forceinline__ float *hidden_at(const struct grid_tile &tile, int buffer, int row,
                                              int unit) const {
    return tile.hidden + (((size_t)buffer * (g.rows / 4) + row / 4) * p.a.units + unit) * 4 + row % 4;
  }

  /* Loads h of a step for SUB rows from k0 on into registers, and later puts it into shared memory: in
   * between the product before it goes on. Blocks of other SMs wrote it: read from the L2 cache. */
  __device__ __forceinline__ void fetch(const struct grid_tile &tile, int buffer, int sub, int k0) {
    const float4 *from = (const float4 *)hidden_at(tile, buffer, sub, k0);
#pragma unroll
    for (int i = 0; i < SUB / 4 * ROUNDS; i++) {
      int k = i % ROUNDS * GRID_THREADS + (int)threadIdx.x;
      if (k0 + k < p.a.units)
        ahead[i] = __ldcg(from + (size_t)(i / ROUNDS) * p.a.units + k);
    }
  }
  __device__ __forceinline__ void place(int k0) {
#pragma unroll
    for (int i = 0; i < SUB / 4 * ROUNDS; i++) {
      int k = i % ROUNDS * GRID_THREADS + (int)threadIdx.x;
      if (k0 + k < p.a.units)
        m.h[i / ROUNDS][k] = ahead[i];
    }
  }

  __device__ __forceinline__ void multiply_row(float4 (&z)[SUB], int k, float4 w) const {
#pragma unroll
    for (int quad = 0; quad < SUB / 4; quad++) {
      float4 h = m.h[quad][k];
      Cell::multiply(z[quad * 4], h.x, w);
      Cell::multiply(z[quad * 4 + 1], h.y, w);
      Cell::multiply(z[quad * 4 + 2], h.z, w);
      Cell::multiply(z[quad * 4 + 3], h.w, w);
    }
  }

  /* Every PARTS-th k of a chunk: from shared memory as far as U is there, then through the caches. */
  __device__ __forceinline__ void multiply(float4 (&z)[SUB], int slot, int first, int k0) const {
    int count = min(GRID_CHUNK, p.a.units - k0), here = min(count, g.resident - k0);
    int unit = (int)threadIdx.x % UNITS, k = (int)threadIdx.x / UNITS;
    const float4 *w = u + ((size_t)slot * g.resident + k0) * UNITS + threadIdx.x;
#pragma unroll 4
    for (; k < here; k += PARTS, w += GRID_THREADS)
      multiply_row(z, k, *w);
    bool there = first + unit < p.a.units;
    size_t row = (size_t)d * p.a.units + k0 + k;
    w = (const float4 *)p.a.d_recurrent + (there ? row * p.a.units + first + unit : 0);
    size_t apart = there ? (size_t)PARTS * p.a.units : 0;
#pragma unroll 4
    for (; k < count; k += PARTS, w += apart)
      multiply_row(z, k, __ldg(w));
  }

  /* Sums the parts of k inside of a warp: in each exchange a lane gives away half of its rows. */
  __device__ __forceinline__ void exchange(float4 (&z)[SUB]) const {
    int lane = threadIdx.x & 31, row = 0;
#pragma unroll
    for (int half = SUB / 2, apart = 16; apart >= UNITS; half /= 2, apart /= 2) {
      bool upper = lane & apart;
#pragma unroll
      for (int i = 0; i < half; i++) {
        float4 give = upper ? z[i] : z[i + half], keep = upper ? z[i + half] : z[i];
        give.x = __shfl_xor_sync(0xffffffffu, give.x, apart);
        give.y = __shfl_xor_sync(0xffffffffu, give.y, apart);
        if (Cell::THIRD_OF_HIDDEN)
          give.z = __shfl_xor_sync(0xffffffffu, give.z, apart);
        give.w = __shfl_xor_sync(0xffffffffu, give.w, apart);
        z[i] = sums_add(keep, give);
      }
      row += upper ? half : 0;
    }
#pragma unroll
    for (int i = 0; i < KEPT; i++)
      m.sums[threadIdx.x >> 5][row + i][lane % UNITS] = z[i];
  }

  /* The cells of SUB rows by UNITS units, one a thread: parts of k from all warps, input, bias, cell. */
  __device__ __forceinline__ void cells(const struct grid_tile &tile, int s, int sub, int first) {
    const struct sequence &a = p.a;
    int unit = first + (int)threadIdx.x % UNITS, i = (int)threadIdx.x / UNITS, row = sub + i;
    if (i >= SUB || unit >= a.units || s >= m.length[row])
      return;
    int b = m.row[row], t = d == 1 || a.is_backward ? m.length[row] - 1 - s : s;
    float4 z = sums_add(__ldg((const float4 *)a.d_bias + d * a.units + unit), grid_input(a, d, b, t, unit));
    for (int warp = 0; warp < GRID_WARPS; warp++)
      z = sums_add(z, m.sums[warp][i][threadIdx.x % UNITS]);
    float *cell = g.cells + ((size_t)b * a.directions + d) * a.units + unit;
    float carried = *cell;
    float h = Cell::update(p.gates, z, carried);
    *cell = carried;
    *hidden_at(tile, ~s & 1, row, unit) = h;
    if (a.d_output[d])
      a.d_output[d][((ptrdiff_t)b * a.time + t) * a.leading + unit] = h;
    if (s == m.length[row] - 1) {
      check_states(a.check, b, 0, LAUNCH_STAGE_ENCODER, h, carried);
      size_t state = ((size_t)d * a.batch + b) * a.units + unit;
      if (a.d_final_h)
        a.d_final_h[state] = h;
      if (Cell::HAS_C && a.d_final_c)
        a.d_final_c[state] = carried;
    }
  }

  /* The first place from `sub` on, by SUB rows, where a row is still running at step s. */
  __device__ __forceinline__ int next_running(const struct grid_tile &tile, int s, int sub) const {
    while (sub < tile.rows && s >= m.longest[sub / SUB])
      sub += SUB;
    return sub;
  }

  /* One step of SUB rows, whose h has been fetched; fetches what comes next, of the rows at `next` if there
   * are any. */
  __device__ __forceinline__ void step(const struct grid_tile &tile, int s, int sub, int next) {
    bool whole = p.a.units <= GRID_CHUNK;
    int slot = 0;
    for (int first = rank * UNITS; first < p.a.units; first += tile_stride(), slot++) {
      float4 z[SUB];
#pragma unroll
      for (int i = 0; i < SUB; i++)
        z[i] = sums_zero();
      bool last = whole || first + tile_stride() >= p.a.units;
      for (int k0 = 0; k0 < p.a.units; k0 += GRID_CHUNK) {
        if (!whole || slot == 0) {
          __syncthreads(); /* the h before this has been read by all */
          place(k0);
          __syncthreads(); /* this h is there */
          if (k0 + GRID_CHUNK < p.a.units)
            fetch(tile, s & 1, sub, k0 + GRID_CHUNK);
          else if (!last)
            fetch(tile, s & 1, sub, 0);
          else if (next < tile.rows)
            fetch(tile, s & 1, next, 0);
        }
        multiply(z, slot, first, k0);
      }
      if (slot > 0)
        __syncthreads(); /* the sums of the tile of units before have been read by all */
      exchange(z);
      __syncthreads(); /* the sums are there */
      cells(tile, s, sub, first);
    }
  }

  /* Initial states of this block's units; zeros at positions beyond the rows' lengths. A barrier must follow:
   * other threads go on with them. */
  __device__ __forceinline__ void begin(const struct grid_tile &tile) {
    const struct sequence &a = p.a;
    for (int first = rank * UNITS; first < a.units; first += tile_stride())
      for (int i = threadIdx.x; i < g.rows * UNITS; i += GRID_THREADS) {
        int row = i / UNITS, unit = first + i % UNITS;
        if (unit >= a.units)
          continue;
        bool there = row < tile.rows;
        size_t state = there ? ((size_t)d * a.batch + m.row[row]) * a.units + unit : 0;
        float h = there && a.d_initial_h ? a.d_initial_h[state] : 0.0f;
        *hidden_at(tile, 0, row, unit) = h;
        *hidden_at(tile, 1, row, unit) = 0.0f;
        if (!there)
          continue;
        g.cells[((size_t)m.row[row] * a.directions + d) * a.units + unit] =
            Cell::carried(h, Cell::HAS_C && a.d_initial_c ? a.d_initial_c[state] : 0.0f);
        float *output = a.d_output[d];
        for (int t = m.length[row]; output && t < a.time; t++)
          output[((ptrdiff_t)m.row[row] * a.time + t) * a.leading + unit] = 0.0f;
      }
  }

  /* All steps of one tile of rows. */
  __device__ __forceinline__ void run(struct grid_tile &tile, unsigned *counter, unsigned &round) {
    const struct sequence &a = p.a;
    for (int i = threadIdx.x; i < GRID_ROWS; i += GRID_THREADS) {
      int b = i < tile.rows ? (a.d_order ? a.d_order[tile.first + i] : tile.first + i) : 0;
      m.row[i] = b;
      m.length[i] = i < tile.rows ? (a.d_lengths ? a.d_lengths[b] : a.time) : 0;
    }
    __syncthreads(); /* rows and lengths are there */
    tile.steps = 0;
    for (int sub = 0; sub < GRID_ROWS; sub += SUB) {
      int longest = 0;
      for (int i = 0; i < SUB; i++)
        longest = max(longest, m.length[sub + i]);
      tile.steps = max(tile.steps, longest);
      if (threadIdx.x == 0)
        m.longest[sub / SUB] = longest;
    }
    begin(tile);
    grid_barrier(counter, (unsigned)g.blocks, round); /* and the longest lengths are there */
    for (int s = 0; s < tile.steps; s++) {
      int sub = next_running(tile, s, 0);
      fetch(tile, s & 1, sub, 0);
      while (sub < tile.rows) { /* the same in all threads */
        int next = next_running(tile, s, sub + SUB);
        step(tile, s, sub, next);
        sub = next;
      }
      grid_barrier(counter, (unsigned)g.blocks, round);
    }
  }
};

#endif
