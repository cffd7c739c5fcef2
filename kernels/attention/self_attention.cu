/* Self-attention by inner products, in several heads. */
#include "kernels/common/activation.cuh"
#include "kernels/common/block_dense.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/launch_error.cuh"
#include "kernels/launch_self.h"

/* A block's tiles: QUERIES that ask, POSITIONS asked at a time. A step brings UNITS of both, or COLUMNS of
 * the values of HALF of the positions. A thread has FOUR queries, and FOUR positions or columns. */
enum { THREADS = 128, QUERIES = 32, POSITIONS = 64, UNITS = 16, HALF = 32, COLUMNS = 64, FOUR = 4 };
enum { ACROSS = 16 }; /* threads side by side: 16 x FOUR positions or columns */

/* Four floats more in each row: a warp's 16-byte accesses are then in different banks. */
enum { PITCH = UNITS + 4, WEIGHTS_PITCH = QUERIES + 4 };
enum { KEYS_AT = QUERIES * PITCH, STEP_FLOATS = HALF * COLUMNS };
static_assert((QUERIES + POSITIONS) * PITCH <= STEP_FLOATS, "a step of units has room");

/* Units whose products are added up in one go. */
enum { BLOCK_UNITS = 128 };

/* How far an energy may lie above what is subtracted of all. Below, sums go on as they are: were they scaled
 * with every tile, their error would grow with T. */
static const float LEEWAY = 1.0f;

/* What a block reads: of one row and head, its queries from its first one on and its values from its first
 * column on. */
struct self_block {
  const float *queries, *keys, *values;
  int query_stride, key_stride, value_stride;
  int asking;        /* its queries that are within the length; the rest is not read */
  int length, units; /* positions; units of a key */
  int columns;       /* of the values, as many as it has sums for */
  bool quads;        /* all of it is read by 16 bytes */
};

/* A block's shared memory: two steps, one of them on its way, and the weights of a tile of positions. */
struct self_shared {
  float4 steps[2][STEP_FLOATS / 4];
  float4 weights[POSITIONS * WEIGHTS_PITCH / 4]; /* [position][query] */
};

/* Where a block is: tile by tile of positions first the steps of units, then those of values. */
struct self_step {
  int first; /* of the tile's positions                     */
  int unit;  /* the first one of a step of units; beyond the units: of values */
  int value; /* the number of a step of values              */
};

/* target[r][k] = source[r][k] where r < rows and k < units, else 0; complete as copy_ahead() says. Rows of 16
 * lie 20 apart: eight of them, or two that are four apart, are in different banks, and neighbours take these.
 */
template <int ROWS, int WIDTH, int APART>
static __device__ __forceinline__ void tile_copy(float *target, const float *source, int stride, int rows,
                                                 int units, bool quads) {
  constexpr int across = WIDTH / 4;
  constexpr bool narrow = WIDTH == UNITS;
  if (quads) {
#pragma unroll
    for (int i = 0; i < ROWS * across; i += THREADS) {
      int n = i + (int)threadIdx.x, r = narrow ? n / (8 * across) * 8 + n % 8 : n / across;
      int k = (narrow ? n / 8 : n) % across * 4;
      float4 *to = (float4 *)(target + r * APART + k);
      if (r < rows && k < units)
        copy_ahead(to, (const float4 *)(source + (int64_t)r * stride + k));
      else
        *to = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
  } else {
#pragma unroll 4
    for (int n = (int)threadIdx.x; n < ROWS * WIDTH; n += THREADS) {
      int r = n / WIDTH, k = n % WIDTH;
      r = narrow ? (r & ~7) + (r & 1) * 4 + (r >> 1 & 3) : r;
      if (r < rows && k < units)
        copy_ahead(target + r * APART + k, source + (int64_t)r * stride + k);
      else
        target[r * APART + k] = 0.0f;
    }
  }
}

/* Positions of a tile that there are. */
static __device__ __forceinline__ int tile_positions(const struct self_block &block, int first) {
  return min((int)POSITIONS, block.length - first);
}

/* Whether the values of a tile are two steps for each group of columns, or one. */
static __device__ __forceinline__ int tile_halves(const struct self_block &block, int first) {
  return tile_positions(block, first) > HALF;
}

static __device__ __forceinline__ bool is_of_units(const struct self_block &block,
                                                   const struct self_step &step) {
  return step.unit < block.units;
}

/* The one after it; of a tile beyond the length: there is none. */
static __device__ __forceinline__ struct self_step step_after(const struct self_block &block,
                                                              struct self_step step) {
  if (is_of_units(block, step)) {
    step.unit += UNITS;
    return step;
  }
  int groups = (block.columns + COLUMNS - 1) / COLUMNS;
  if (++step.value == groups << tile_halves(block, step.first))
    step = {step.first + POSITIONS, 0, 0};
  return step;
}

/* Begins to bring a step, where there is one. */
static __device__ __forceinline__ void step_bring(const struct self_block &block,
                                                  const struct self_step &step, float *target) {
  if (step.first >= block.length)
    return;
  int count = tile_positions(block, step.first);
  if (is_of_units(block, step)) {
    int units = block.units - step.unit;
    tile_copy<QUERIES, UNITS, PITCH>(target, block.queries + step.unit, block.query_stride, block.asking,
                                     units, block.quads);
    tile_copy<POSITIONS, UNITS, PITCH>(target + KEYS_AT,
                                       block.keys + (int64_t)step.first * block.key_stride + step.unit,
                                       block.key_stride, count, units, block.quads);
  } else {
    int halves = tile_halves(block, step.first), column = (step.value >> halves) * COLUMNS,
        from = (step.value & halves) * HALF;
    tile_copy<HALF, COLUMNS, COLUMNS>(
        target, block.values + (int64_t)(step.first + from) * block.value_stride + column, block.value_stride,
        count - from, block.columns - column, block.quads);
  }
}

/* sum[r][c] += queries 4 y + r times keys x + 16 c, of a step's units. */
static __device__ __forceinline__ void energies_add(const float *step, float (&sum)[FOUR][FOUR]) {
  int x = (int)threadIdx.x % ACROSS, y = (int)threadIdx.x / ACROSS;
  const float *queries = step + FOUR * y * PITCH, *keys = step + KEYS_AT + x * PITCH;
#pragma unroll 1
  for (int k = 0; k < UNITS; k += 4) {
    float4 query[FOUR];
#pragma unroll
    for (int r = 0; r < FOUR; r++)
      query[r] = *(const float4 *)(queries + r * PITCH + k);
#pragma unroll
    for (int c = 0; c < FOUR; c++) {
      float4 key = *(const float4 *)(keys + c * ACROSS * PITCH + k);
#pragma unroll
      for (int r = 0; r < FOUR; r++) {
        sum[r][c] = fmaf(query[r].x, key.x, sum[r][c]);
        sum[r][c] = fmaf(query[r].y, key.y, sum[r][c]);
        sum[r][c] = fmaf(query[r].z, key.z, sum[r][c]);
        sum[r][c] = fmaf(query[r].w, key.w, sum[r][c]);
      }
    }
  }
}

/* sum[r][i] += weights of queries 4 y + r times columns 4 x + i of the values, over `count` positions; what
 * is beyond, to the next multiple of four, is 0. */
static __device__ __forceinline__ void values_add(const float *step, const float *weights, int count,
                                                  float (&sum)[FOUR][FOUR]) {
  int x = (int)threadIdx.x % ACROSS, y = (int)threadIdx.x / ACROSS;
#pragma unroll 1
  for (int first = 0; first < count; first += 4) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int t = first + i;
      float4 p = *(const float4 *)(weights + t * WEIGHTS_PITCH + FOUR * y);
      float4 v = *(const float4 *)(step + t * COLUMNS + FOUR * x);
      const float of[FOUR] = {p.x, p.y, p.z, p.w};
#pragma unroll
      for (int r = 0; r < FOUR; r++) {
        sum[r][0] = fmaf(of[r], v.x, sum[r][0]);
        sum[r][1] = fmaf(of[r], v.y, sum[r][1]);
        sum[r][2] = fmaf(of[r], v.z, sum[r][2]);
        sum[r][3] = fmaf(of[r], v.w, sum[r][3]);
      }
    }
  }
}

/* The softmax of a thread's four queries so far. */
struct self_softmax {
  float base[FOUR];   /* what is subtracted of energies: the largest one, or LEEWAY below it at most */
  float sum[FOUR];    /* of exp(energy - base) at this thread's positions */
  float factor[FOUR]; /* of what was summed with the base before */
};

/* A tile's energies, scaled, become weights exp(energy - base), in shared memory after the next barrier; 0
 * beyond `count`. They themselves become 0. */
static __device__ __forceinline__ void weights_make(float (&energy)[FOUR][FOUR], float scale, int count,
                                                    struct self_softmax *softmax, float *weights) {
  int x = (int)threadIdx.x % ACROSS, y = (int)threadIdx.x / ACROSS;
#pragma unroll
  for (int r = 0; r < FOUR; r++) {
    float most = -INFINITY;
#pragma unroll
    for (int c = 0; c < FOUR; c++) {
      energy[r][c] *= scale;
      most = x + ACROSS * c < count && energy[r][c] > most ? energy[r][c] : most;
    }
#pragma unroll
    for (int distance = ACROSS / 2; distance > 0; distance /= 2) {
      float other = __shfl_xor_sync(0xffffffffu, most, distance);
      most = other > most ? other : most;
    }
    bool rises = most > softmax->base[r] + LEEWAY;
    softmax->factor[r] = rises ? device_exp(softmax->base[r] - most) : 1.0f;
    softmax->base[r] = rises ? most : softmax->base[r];
    float sum = 0.0f;
#pragma unroll
    for (int c = 0; c < FOUR; c++) {
      energy[r][c] = x + ACROSS * c < count ? device_exp(energy[r][c] - softmax->base[r]) : 0.0f;
      sum += energy[r][c];
    }
    softmax->sum[r] = fmaf(softmax->sum[r], softmax->factor[r], sum);
  }
#pragma unroll
  for (int c = 0; c < FOUR; c++)
    *(float4 *)(weights + (x + ACROSS * c) * WEIGHTS_PITCH + FOUR * y) =
        make_float4(energy[0][c], energy[1][c], energy[2][c], energy[3][c]);
#pragma unroll
  for (int r = 0; r < FOUR; r++)
#pragma unroll
    for (int c = 0; c < FOUR; c++)
      energy[r][c] = 0.0f;
}

/* energy += sum, which becomes 0. */
static __device__ __forceinline__ void block_add(float (&energy)[FOUR][FOUR], float (&sum)[FOUR][FOUR]) {
#pragma unroll
  for (int r = 0; r < FOUR; r++)
#pragma unroll
    for (int c = 0; c < FOUR; c++) {
      energy[r][c] += sum[r][c];
      sum[r][c] = 0.0f;
    }
}

/* total = total factor + sum of one group of columns; sum becomes 0. By selection: an index that is not known
 * when it is compiled would keep the totals out of registers. */
template <int GROUPS>
static __device__ __forceinline__ void tile_add(float (&total)[GROUPS][FOUR][FOUR], int group,
                                                const float (&factor)[FOUR], float (&sum)[FOUR][FOUR]) {
#pragma unroll
  for (int r = 0; r < FOUR; r++)
#pragma unroll
    for (int i = 0; i < FOUR; i++) {
#pragma unroll
      for (int g = 0; g < GROUPS; g++)
        total[g][r][i] = g == group ? fmaf(total[g][r][i], factor[r], sum[r][i]) : total[g][r][i];
      sum[r][i] = 0.0f;
    }
}

/* total: the sums of weights times values over all positions; and the weights' softmax. */
template <int GROUPS>
static __device__ __forceinline__ void
positions_sum(const struct self_block &block, struct self_shared &shared, float scale,
              struct self_softmax *softmax, float (&total)[GROUPS][FOUR][FOUR]) {
  float sum[FOUR][FOUR] = {}, energy[FOUR][FOUR] = {};
  struct self_step step = {0, 0, 0};
  step_bring(block, step, (float *)shared.steps[0]);
  for (int turn = 0; step.first < block.length; turn ^= 1) {
    const float *here = (const float *)shared.steps[turn];
    struct self_step next = step_after(block, step);
    block_copies_wait();
    __syncthreads(); /* the step is complete, and the other one's place and the weights have been read */
    step_bring(block, next, (float *)shared.steps[turn ^ 1]);
    int count = tile_positions(block, step.first);
    if (is_of_units(block, step)) {
      energies_add(here, sum);
      bool is_last = !is_of_units(block, next);
      if (is_last || next.unit % BLOCK_UNITS == 0)
        block_add(energy, sum);
      if (is_last)
        weights_make(energy, scale, count, softmax, (float *)shared.weights);
    } else {
      int halves = tile_halves(block, step.first), from = (step.value & halves) * HALF;
      values_add(here, (const float *)shared.weights + from * WEIGHTS_PITCH, min((int)HALF, count - from),
                 sum);
      if ((step.value & halves) == halves)
        tile_add<GROUPS>(total, step.value >> halves, softmax->factor, sum);
    }
    step = next;
  }
}

/* The block's queries and columns of the output, divided by the sums of weights; 0 at queries beyond the
 * length. Whether all of it is finite. */
template <int GROUPS>
static __device__ __forceinline__ bool output_write(const struct self_block &block, int rows, float *output,
                                                    int64_t stride, const struct self_softmax &softmax,
                                                    const float (&total)[GROUPS][FOUR][FOUR]) {
  int x = (int)threadIdx.x % ACROSS, y = (int)threadIdx.x / ACROSS;
  bool finite = true;
#pragma unroll
  for (int r = 0; r < FOUR; r++) {
    int row = FOUR * y + r;
    float sum = softmax.sum[r];
#pragma unroll
    for (int distance = ACROSS / 2; distance > 0; distance /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    float normaliser = 1.0f / sum;
#pragma unroll
    for (int g = 0; g < GROUPS; g++)
#pragma unroll
      for (int i = 0; i < FOUR; i++) {
        int column = g * COLUMNS + FOUR * x + i;
        float value = row < block.asking ? total[g][r][i] * normaliser : 0.0f;
        if (row < rows && column < block.columns) {
          output[row * stride + column] = value;
          finite = finite && check_is_finite(value);
        }
      }
  }
  return finite;
}

/* computes  output[t] = sum_j alphas[t,j] v[j], alphas[t] = softmax over j < length of scale q[t] k[j], of
 *           every row and head
 * shapes    as in launch_self.h; 4-byte aligned, and read by 16 bytes where all of them allow it; the output
 *           aliases nothing
 * mapping   block = (row, head, 64 GROUPS columns of the values, 32 queries), 128 threads. Positions pass in
 *           tiles of 64; of each tile first the products with 16 units of queries and keys at a time, a
 *           thread 4 queries by 4 positions; then their weights, queries by lanes of half a warp; then for
 *           each 64 columns the values of 32 positions at a time, a thread 4 queries by 4 columns. While one
 *           step is computed the next one is copied
 * launch    grid B heads ceil(columns of a head / (64 GROUPS)) ceil(T / 32), block 128, static shared memory
 *           25 KB
 * budget    168 registers; 25 KB of shared memory
 * numerics  float32 FMA. Products over 128 units at a time and then these sums; sums over positions tile by
 *           tile, each tile's in their order. They are of exp(e - base), where base rises with a tile that
 *           has an energy more than 1 above it: what was summed before is then scaled. So the error does not
 *           grow with T, and the order depends on the row's length alone: deterministic
 * why       energies never leave the block. Two loads from shared memory are sixteen FMA. Values wider than
 *           256 columns are several blocks', which make the energies again: sums of 32 queries by 512 columns
 *           would not fit into a thread's registers */
template <int GROUPS>
static __global__ void __launch_bounds__(THREADS, 3)
    self_attend_kernel(const __grid_constant__ struct self_attend a, int query_tiles, int column_tiles,
                       bool quads) {
  __shared__ struct self_shared shared;
  int rest = (int)blockIdx.x / query_tiles, query = ((int)blockIdx.x - rest * query_tiles) * QUERIES;
  int head = rest / column_tiles, column = (rest - head * column_tiles) * GROUPS * COLUMNS;
  int b = head / a.heads, units = a.key_width / a.heads, wide = a.value_width / a.heads;
  head -= b * a.heads;
  int64_t position = (int64_t)b * a.time;
  struct self_block block;
  block.query_stride = (int)a.query_stride, block.key_stride = (int)a.key_stride,
  block.value_stride = (int)a.value_stride;
  block.queries = a.d_queries + (position + query) * a.query_stride + head * units;
  block.keys = a.d_keys + position * a.key_stride + head * units;
  block.values = a.d_values + position * a.value_stride + head * wide + column;
  block.length = a.d_lengths ? a.d_lengths[b] : a.time;
  block.asking = min((int)QUERIES, max(block.length - query, 0));
  block.units = units;
  block.columns = min(wide - column, GROUPS * (int)COLUMNS);
  block.quads = quads;
  float total[GROUPS][FOUR][FOUR] = {};
  struct self_softmax softmax;
#pragma unroll
  for (int r = 0; r < FOUR; r++)
    softmax.base[r] = -INFINITY, softmax.sum[r] = 0.0f;
  if (block.asking > 0) /* the same in all threads: who asks nothing gives 0 */
    positions_sum(block, shared, a.scale, &softmax, total);
  float *output = a.d_output + (position + query) * a.output_stride + head * wide + column;
  if (!output_write<GROUPS>(block, a.time - query, output, a.output_stride, softmax, total))
    check_tell(a.check, b, a.check.step, LAUNCH_STAGE_MERGE);
}

static bool is_quads(const void *array, int64_t stride) {
  return (uintptr_t)array % 16 == 0 && stride % 4 == 0;
}

template <int GROUPS>
static cuseq_status self_attend_launch(const struct self_attend *a, const struct launch_stream *stream,
                                       const char *name) {
  int units = a->key_width / a->heads, wide = a->value_width / a->heads;
  int query_tiles = (a->time + QUERIES - 1) / QUERIES,
      column_tiles = (wide + GROUPS * COLUMNS - 1) / (GROUPS * COLUMNS);
  bool quads = units % 4 == 0 && wide % 4 == 0 && is_quads(a->d_queries, a->query_stride) &&
               is_quads(a->d_keys, a->key_stride) && is_quads(a->d_values, a->value_stride);
  double blocks = (double)a->batch * a->heads * column_tiles * query_tiles;
  LAUNCH_NEED(blocks <= INT32_MAX, "%s: too large (found B %d, T %d, %d heads)", name, (int)a->batch,
              (int)a->time, (int)a->heads);
  self_attend_kernel<GROUPS>
      <<<(unsigned)blocks, THREADS, 0, (cudaStream_t)stream->stream>>>(*a, query_tiles, column_tiles, quads);
  return launch_result(stream, name, cudaGetLastError());
}

extern "C" cuseq_status launch_self_attend(const struct self_attend *arguments,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_self_attend";
  const struct self_attend *a = arguments;
  LAUNCH_NEED(a->batch >= 1 && a->time >= 1 && a->heads >= 1,
              "%s: batch, time or heads below 1 (found %d, %d, %d)", name, (int)a->batch, (int)a->time,
              (int)a->heads);
  LAUNCH_NEED(a->key_width >= 1 && a->value_width >= 1 && a->key_width % a->heads == 0 &&
                  a->value_width % a->heads == 0,
              "%s: widths that %d heads do not share (found %d, %d)", name, (int)a->heads, (int)a->key_width,
              (int)a->value_width);
  LAUNCH_NEED(a->query_stride <= INT32_MAX && a->key_stride <= INT32_MAX && a->value_stride <= INT32_MAX,
              "%s: positions too far apart", name);
  LAUNCH_NEED(a->d_queries && a->d_keys && a->d_values && a->d_output, "%s: an array is NULL", name);
  int wide = a->value_width / a->heads;
  if (wide <= COLUMNS)
    return self_attend_launch<1>(a, stream, name);
  return wide <= 2 * COLUMNS ? self_attend_launch<2>(a, stream, name)
                             : self_attend_launch<4>(a, stream, name);
}
