/* One attention step of one row by one block: query, energies, softmax, context. Used by attend, decode,
 * whole_model. */
#ifndef CUSEQ_KERNELS_ATTENTION_STEP_CUH
#define CUSEQ_KERNELS_ATTENTION_STEP_CUH

#include "kernels/common/activation.cuh"
#include "kernels/common/block_dense.cuh"
#include "kernels/common/check.cuh"
#include "kernels/common/placement.cuh"
#include "kernels/launch.h"

/* A row and the block's arrays for it; shared or global memory, whatever the placement gave. */
struct attention_row {
  const float *annotations; /* [T,A] what the context is a sum of                                           */
  const float *keys;        /* [T,U]                                                                        */
  const float
      *query_kernel;  /* [S,U], scores concat and additive                                            */
  const float *state; /* [S]                                                                          */
  float *query;       /* [U], scores concat and additive                                              */
  float *energies;    /* [T]                                                                          */
  float *layers;      /* [warps, 2, widest], score concat with three layers or more                   */
  float *partial;     /* [block]                                                                      */
  float *reduce;      /* [PLACE_REDUCE_FLOATS]: warps' maxima from 0, warps' sums from 32             */
  const float
      *position_bias; /* [T] added to the energies; NULL: none                                          */
  int length, time, widest;
  int stride;     /* of annotations */
  int key_stride; /* of keys */
};

__host__ __device__ static inline int attention_keys_wide(const struct attention_score &score) {
  switch (score.score) {
  case CUSEQ_SCORE_CONCAT:
    return score.units[0];
  case CUSEQ_SCORE_ADDITIVE:
    return score.additive_units;
  case CUSEQ_SCORE_GENERAL:
    return score.state_units;
  default:
    return score.annotation_width;
  }
}

/* Scores whose query is s K_s; the others take s itself. */
__host__ __device__ static inline bool attention_has_query(const struct attention_score &score) {
  return score.score == CUSEQ_SCORE_CONCAT || score.score == CUSEQ_SCORE_ADDITIVE;
}

/* The widest hidden layer of score concat with three layers or more, 0 otherwise. */
__host__ __device__ static inline int attention_widest(const struct attention_score &score) {
  int widest = 0;
  if (score.score == CUSEQ_SCORE_CONCAT && score.layers > 2)
    for (int l = 0; l + 1 < score.layers; l++)
      widest = score.units[l] > widest ? score.units[l] : widest;
  return widest;
}

/* An activation of attention's layers: of kernels that take every activation (ALL), or those of version 1
 * alone. */
template <bool ALL>
__device__ __forceinline__ float attention_activate(cuseq_activation activation, float x) {
  return ALL ? device_activate_any(activation, x) : device_activate(activation, x);
}

/* A weight of attention's layers: in memory in models of version 1, else perhaps a copy in shared memory. */
template <bool ALL> __device__ __forceinline__ float attention_weight(const float *weight) {
  return ALL ? *weight : __ldg(weight);
}

/* A layer's bias of unit j; layers need not have one. */
template <bool ALL> __device__ __forceinline__ float attention_bias(const float *bias, int j) {
  return bias ? attention_weight<ALL>(bias + j) : 0.0f;
}

/* Terms that a lane adds up in one go; what is more is added in such blocks. */
enum { BLOCK_TERMS = 128 };

/* The part of a position's energy that lane `lane` of `lanes` sums: key units first + lane, first + lane +
 * lanes, .. below width. */
template <bool ALL>
__device__ __forceinline__ float energy_part(const struct attention_score &score, const float *key,
                                             const float *query, int first, int width, int lane, int lanes) {
  float sum = 0.0f;
  lane += first;
  if (score.score == CUSEQ_SCORE_ADDITIVE) {
    for (int j = lane; j < width; j += lanes)
      sum = fmaf(attention_weight<ALL>(score.d_value + j), device_tanh(key[j] + query[j]), sum);
  } else if (score.score == CUSEQ_SCORE_CONCAT && score.layers == 1) {
    if (lane == 0)
      sum = attention_activate<ALL>(score.activation[0], key[0] + query[0]);
  } else if (score.score == CUSEQ_SCORE_CONCAT) {
    for (int j = lane; j < width; j += lanes)
      sum = fmaf(attention_weight<ALL>(score.d_kernel[1] + j),
                 attention_activate<ALL>(score.activation[0], key[j] + query[j]), sum);
  } else {
    for (int j = lane; j < width; j += lanes)
      sum = fmaf(key[j], query[j], sum);
  }
  return sum;
}

/* The energy of one position under three dense layers or more, by one warp; every lane returns it. */
template <bool ALL>
__device__ inline float energy_deep(const struct attention_score &score, const float *key, const float *query,
                                    float *u, float *next, int lane) {
  for (int j = lane; j < score.units[0]; j += WARP)
    u[j] = attention_activate<ALL>(score.activation[0], key[j] + query[j]);
  __syncwarp(); /* u is read by all lanes */
  int last = score.layers - 1;
  for (int l = 1; l < last; l++) {
    int width = score.units[l];
    for (int j = lane; j < width; j += WARP) {
      float sum = 0.0f;
      for (int first = 0, inputs = score.units[l - 1]; first < inputs; first += BLOCK_TERMS) {
        float block = 0.0f;
#pragma unroll 1
        for (int k = first; k < min(first + (int)BLOCK_TERMS, inputs); k++)
          block = fmaf(u[k], attention_weight<ALL>(score.d_kernel[l] + (int64_t)k * width + j), block);
        sum += block;
      }
      next[j] = attention_activate<ALL>(score.activation[l], sum + attention_bias<ALL>(score.d_bias[l], j));
    }
    __syncwarp(); /* next is read by all lanes, and u written again */
    float *swap = u;
    u = next;
    next = swap;
  }
  float sum = 0.0f;
#pragma unroll 1
  for (int k = lane; k < score.units[last - 1]; k += WARP)
    sum = fmaf(u[k], attention_weight<ALL>(score.d_kernel[last] + k), sum);
  sum = warp_sum(sum); /* all lanes have read u */
  return attention_activate<ALL>(score.activation[last], sum + attention_bias<ALL>(score.d_bias[last], 0));
}

/* Positions that are summed in one go: all of those that a block has, where rows are split. */
enum { CONTEXT_BLOCK = 512 };

/* How many lanes share a position: few for narrow keys, so that few idle. Of the width alone: what a row
 * gives must not depend on how far it is padded. */
__device__ __forceinline__ int energy_lanes(int width) {
  int lanes = width >= 128 ? (int)WARP : 8;
  while (lanes > width)
    lanes /= 2;
  return lanes;
}

/* The whole part, in blocks where there are many units. */
template <bool ALL>
__device__ __forceinline__ float energy_parts(const struct attention_score &score, const float *key,
                                              const float *query, int width, int lane, int lanes) {
  int block = lanes * BLOCK_TERMS;
  float sum = energy_part<ALL>(score, key, query, 0, min(width, block), lane, lanes);
  for (int first = block; first < width; first += block)
    sum += energy_part<ALL>(score, key, query, first, min(width, first + block), lane, lanes);
  return sum;
}

/* energies[t], t < length, and each warp's maximum in reduce[warp]; complete after the caller's next
 * barrier. */
template <bool ALL = false>
__device__ inline void block_energies(const struct attention_score &score, const struct attention_row &row) {
  int width = attention_keys_wide(score);
  int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, warps = (int)blockDim.x / WARP;
  const float *query = attention_has_query(score) ? row.query : row.state;
  float most = -INFINITY;
  if (row.widest > 0) {
    float *u = row.layers + (int64_t)warp * 2 * row.widest;
    for (int t = warp; t < row.length; t += warps) {
      float e =
          energy_deep<ALL>(score, row.keys + (int64_t)t * row.key_stride, query, u, u + row.widest, lane);
      e *= score.scale;
      if (row.position_bias)
        e += row.position_bias[t];
      most = e > most ? e : most;
      if (lane == 0)
        row.energies[t] = e;
    }
  } else {
    int lanes = energy_lanes(width), log = 31 - __clz(lanes), positions = WARP >> log;
    for (int first = warp * positions; first < row.length; first += warps * positions) {
      int t = first + (lane >> log); /* the loop is uniform in a warp: all lanes shuffle */
      float e = 0.0f;
      if (t < row.length)
        e = energy_parts<ALL>(score, row.keys + (int64_t)t * row.key_stride, query, width, lane & (lanes - 1),
                              lanes);
      for (int distance = lanes / 2; distance > 0; distance /= 2)
        e += __shfl_xor_sync(0xffffffffu, e, distance);
      if (score.score == CUSEQ_SCORE_CONCAT && score.layers == 2)
        e = attention_activate<ALL>(score.activation[1], e + attention_bias<ALL>(score.d_bias[1], 0));
      e *= score.scale;
      if (row.position_bias && t < row.length)
        e += row.position_bias[t];
      if (t < row.length) {
        most = e > most ? e : most;
        if ((lane & (lanes - 1)) == 0)
          row.energies[t] = e;
      }
    }
  }
  most = warp_max(most);
  if (lane == 0)
    row.reduce[warp] = most;
}

/* energies become exp(e - max), and each warp's sum goes to reduce[32 + warp]; complete after the next
 * barrier. */
__device__ inline void block_exponents(const struct attention_row &row) {
  int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP, warps = (int)blockDim.x / WARP;
  float sum = 0.0f;
  if (warp * WARP < row.length) { /* the same in a warp: short rows are few warps' work */
    float most = warp_max(lane < warps ? row.reduce[lane] : -INFINITY);
    for (int t = (int)threadIdx.x; t < row.length; t += (int)blockDim.x) {
      float p = device_exp(row.energies[t] - most);
      row.energies[t] = p;
      sum += p;
    }
    sum = warp_sum(sum);
  }
  if (lane == 0)
    row.reduce[32 + warp] = sum;
}

/* This thread's part of a column of the context, in blocks of positions. */
__device__ __forceinline__ float context_part(const struct block_split &split,
                                              const struct attention_row &row, const float *column) {
  float sum = 0.0f;
  for (int first = 0; first < row.length; first += CONTEXT_BLOCK) {
    float block = 0.0f;
    part_products(split, row.energies + first, min((int)CONTEXT_BLOCK, row.length - first),
                  column + (int64_t)first * row.stride, row.stride, block);
    sum += block;
  }
  return sum;
}

/* context[i] = (sum_t p[t] a[t,i]) / sum p to one or two places; alphas[t] = p[t] / sum p, 0 at t >= length;
 * is_part: not divided, and not checked. split: of A. Any of the targets may be NULL. Complete, and `partial`
 * and energies free, after the caller's next barrier. What is not finite is told as of row b and a step. */
__device__ inline void block_context(const struct block_split &split, const struct attention_row &row, int A,
                                     const struct launch_check &check, int b, int step, float *alphas,
                                     float *context, float *second, bool is_part = false) {
  int lane = (int)threadIdx.x % WARP, warps = (int)blockDim.x / WARP;
  float sum_all = row.reduce[32];
  if (row.length > WARP) /* otherwise the other warps' sums are 0 */
    sum_all = warp_sum(lane < warps ? row.reduce[32 + lane] : 0.0f);
  if (!is_part && threadIdx.x == 0 && !check_is_finite(sum_all))
    check_tell(check, b, step, LAUNCH_STAGE_ENERGIES);
  float normaliser = row.length > 0 ? 1.0f / sum_all : 0.0f; /* a row of no positions gives zeros */
  normaliser = is_part ? 1.0f : normaliser;
  if (alphas)
    for (int t = (int)threadIdx.x; t < row.time; t += (int)blockDim.x)
      alphas[t] = t < row.length ? row.energies[t] * normaliser : 0.0f;
  if (!context && !second)
    return;
  for (int first = 0; first < A; first += split.columns) {
    int i = first + split.column;
    if (split.part < split.parts && i < A) {
      float sum = context_part(split, row, row.annotations + i);
      if (split.parts == 1) {
        sum *= normaliser;
        if (context)
          context[i] = sum;
        if (second)
          second[i] = sum;
        if (!is_part)
          check_value(check, b, step, LAUNCH_STAGE_CONTEXT, sum);
      } else {
        row.partial[threadIdx.x] = sum;
      }
    }
  }
  if (split.parts == 1)
    return;
  __syncthreads(); /* the partial sums are written */
  int i = (int)threadIdx.x;
  if (i < A) {
    const float *part = row.partial + i;
    float sum = *part;
    for (int p = 1; p < split.parts; p++) {
      part += A;
      sum += *part;
    }
    sum *= normaliser;
    if (context)
      context[i] = sum;
    if (second)
      second[i] = sum;
    if (!is_part)
      check_value(check, b, step, LAUNCH_STAGE_CONTEXT, sum);
  }
}

/* The step after its query, which must be complete as state must; `partial` free. The context is `width`
 * wide. What is written is complete after the next barrier. ALL: of every activation. */
template <bool ALL = false>
__device__ inline void
block_attend_query(const struct block_split &split, const struct attention_score &score,
                   const struct attention_row &row, int width, const struct launch_check &check, int b,
                   int step, float *alphas, float *context, float *second) {
  block_energies<ALL>(score, row);
  __syncthreads(); /* energies and the warps' maxima are complete */
  block_exponents(row);
  __syncthreads(); /* exponents and the warps' sums are complete */
  block_context(split, row, width, check, b, step, alphas, context, second);
}

/* How a block shares a step's two products: the query's and the context's columns. Divisions: made once for
 * all steps. */
struct attention_splits {
  struct block_split query, context;
};

__device__ __forceinline__ struct attention_splits
attention_splits_make(const struct attention_score &score) {
  const struct attention_splits splits = {block_split_make(attention_keys_wide(score)),
                                          block_split_make(score.annotation_width)};
  return splits;
}

/* The query, where the score has one; state must be ready and `partial` free. Complete at its end. */
__device__ inline void block_query(const struct block_split &split, const struct attention_score &score,
                                   const struct attention_row &row) {
  if (attention_has_query(score)) {
    block_dense(split, row.state, score.state_units, row.query_kernel, nullptr, attention_keys_wide(score),
                row.query, row.partial);
    __syncthreads(); /* the query is complete */
  }
}

/* The whole step. state must be ready and `partial` free; what is written is complete after the next
 * barrier. */
__device__ inline void block_attend(const struct attention_splits &splits,
                                    const struct attention_score &score, const struct attention_row &row,
                                    const struct launch_check &check, int b, int step, float *alphas,
                                    float *context, float *second) {
  block_query(splits.query, score, row);
  block_attend_query(splits.context, score, row, score.annotation_width, check, b, step, alphas, context,
                     second);
}

/* Gives the arrays of a step their places. */
static inline void attention_place(struct placement *placement, const struct attention_score *score,
                                   int threads, int64_t time) {
  placement_add(placement, PLACE_PARTIAL, 4 * (int64_t)threads, false);
  placement_add(placement, PLACE_REDUCE, PLACE_REDUCE_FLOATS, false);
  placement_add(placement, PLACE_STATE, score->state_units, false);
  if (attention_has_query(*score))
    placement_add(placement, PLACE_QUERY, attention_keys_wide(*score), false);
  placement_add(placement, PLACE_ENERGIES, time, false);
  placement_add(placement, PLACE_LAYERS, (int64_t)threads / WARP * 2 * attention_widest(*score), false);
}

/* `workspace` is a float *, or nullptr. */
template <class Workspace>
__device__ inline void attention_row_place(struct attention_row *row, const struct attention_score &score,
                                           const struct placement &placement, float *shared,
                                           Workspace workspace) {
  row->query_kernel = score.d_query;
  row->state = placed(placement, PLACE_STATE, shared, workspace);
  row->query = placed(placement, PLACE_QUERY, shared, workspace);
  row->energies = placed(placement, PLACE_ENERGIES, shared, workspace);
  row->layers = placed(placement, PLACE_LAYERS, shared, workspace);
  row->partial = placed(placement, PLACE_PARTIAL, shared, workspace);
  row->reduce = placed(placement, PLACE_REDUCE, shared, workspace);
  row->position_bias = nullptr;
  row->widest = attention_widest(score);
  row->stride = score.annotation_width;
  row->key_stride = attention_keys_wide(score);
}

/* Whether a score can be launched; NULL or what is wrong with it. has_query: queries are given. */
static inline const char *attention_score_fault(const struct attention_score *score, bool has_query = false) {
  if (score->annotation_width < 1 || score->state_units < 1)
    return "annotation_width or state_units below 1";
  if (score->score == CUSEQ_SCORE_DOT)
    return score->annotation_width == score->state_units
               ? nullptr
               : "score dot needs states as wide as the annotations";
  if (score->score == CUSEQ_SCORE_GENERAL)
    return nullptr;
  if (score->score == CUSEQ_SCORE_ADDITIVE)
    return score->additive_units < 1            ? "additive_units below 1"
           : !score->d_query || !score->d_value ? "score additive without query or value"
                                                : nullptr;
  if (score->score != CUSEQ_SCORE_CONCAT)
    return "no such score";
  if (score->layers < 1 || score->layers > CUSEQ_MAX_ATTENTION_LAYERS || score->units[score->layers - 1] != 1)
    return "score concat has no 1 to 8 layers, the last of one unit";
  for (int l = 0; l < score->layers; l++)
    if (score->units[l] < 1 || (l > 0 && !score->d_kernel[l]))
      return "a layer of score concat has no units or no weights";
  return score->d_query || has_query ? nullptr : "score concat without query";
}

#endif
