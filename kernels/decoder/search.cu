/* Beam search between two steps of a model, on the device. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/decoder_step.cuh"
#include "kernels/launch.h"

#include <math.h>

enum { THREADS = 256, GATHER_THREADS = 128 };

/* computes  the state of a search before its first step
 * shapes    struct search_arrays in launch_search.h
 * mapping   thread = lane
 * launch    grid ceil(B K / 256), block 256, no shared memory
 * budget    40 registers
 * numerics  integers */
__global__ void __launch_bounds__(THREADS)
    search_begin_kernel(const __grid_constant__ struct search_arrays a) {
  int lane = (int)(blockIdx.x * THREADS + threadIdx.x);
  if (lane == 0)
    *a.d_step = 0;
  if (lane >= a.rows * a.beams)
    return;
  int b = lane / a.beams, place = lane - b * a.beams;
  bool is_live = place == 0;
  a.d_lane_rows[lane] = b;
  a.d_lane_parents[lane] = lane;
  a.d_lane_tokens[lane] = !is_live || (!a.d_previous && a.d_settings->start_token < 0) ? 0
                          : a.d_previous                                               ? a.d_previous[b]
                                         : a.d_settings->start_token;
  a.d_running[lane] = is_live;
  a.d_attended[lane] = !is_live ? 0 : a.d_lengths ? a.d_lengths[b] : a.time;
  if (!is_live)
    return;
  a.d_beam[lane] = {0.0, 0, -1, lane, 0};
  a.d_beam_count[b] = 1;
  a.d_retired_count[b] = 0;
  a.d_live[b] = 1;
}

/* Tokens in the order of results: the larger logarithm, then the lower token. What is not a number is minus
 * infinity. */
__device__ __forceinline__ bool comes_before(float log, int token, float other, int other_token) {
  return log > other || (log == other && token < other_token);
}

/* computes  the best K tokens of a lane, in order; keeps the step's alphas of the lane
 * shapes    struct search_arrays in launch_search.h
 * mapping   block = lane, thread = token, then the token 256 further on; a pass over the tokens for each
 *           candidate, which looks for the first that comes after the one before
 * launch    grid B K, block 256, static shared memory 512 bytes
 * budget    40 registers; 512 bytes of shared memory
 * numerics  comparisons of float32
 * why       K passes read V numbers from L2 and keep nothing: no sort, no memory beside, any K and V */
__global__ void __launch_bounds__(THREADS)
    search_candidates_kernel(const __grid_constant__ struct search_arrays a) {
  __shared__ float reduce[PLACE_REDUCE_FLOATS];
  int lane = (int)blockIdx.x;
  if (!a.d_running[lane]) /* the same in all threads */
    return;
  int step = *a.d_step, V = a.tokens, lanes = a.rows * a.beams;
  if (a.d_all_alphas)
    for (int t = (int)threadIdx.x; t < a.time; t += THREADS)
      a.d_all_alphas[((int64_t)step * lanes + lane) * a.time + t] = a.d_alphas[(int64_t)lane * a.time + t];
  int excluded = step + 1 < a.d_settings->min_length ? a.d_settings->end_token : -1;
  const float *row = a.d_logs + (int64_t)lane * V;
  float last = INFINITY;
  int last_token = -1;
  for (int i = 0; i < a.beams; i++) {
    float best = -INFINITY;
    int token = INT32_MAX;
    for (int v = (int)threadIdx.x; v < V; v += THREADS) {
      float log = row[v];
      log = log != log ? -INFINITY : log;
      if (v != excluded && comes_before(last, last_token, log, v) && comes_before(log, v, best, token)) {
        best = log;
        token = v;
      }
    }
    block_best(best, token, reduce);
    if (threadIdx.x == 0)
      a.d_candidates[(int64_t)lane * a.beams + i] = {best, token}; /* INT32_MAX: there are no more */
    last = best;
    last_token = token;
    __syncthreads(); /* all have read the warps' first */
  }
}

/* What a place of the beam offers next. */
struct offer {
  double key, sum;
  int parent, token;
};

/* The order of results: the larger key, then the lower parent; a parent's own candidates come in their
 * order. */
__device__ __forceinline__ bool is_better(const offer &a, const offer &b) {
  return a.key > b.key || (a.key == b.key && a.parent < b.parent);
}

/* Candidate number `at` of place `parent` of row b; parent INT32_MAX: there is none. */
__device__ static offer offer_of(const struct search_arrays &a, int b, int parent, int at, int count,
                                 int step) {
  offer none = {-INFINITY, -INFINITY, INT32_MAX, -1};
  if (parent >= count)
    return none;
  const struct search_hypothesis &h = a.d_beam[b * a.beams + parent];
  if (h.is_finished)
    return at > 0 ? none : offer{h.sum / a.d_divisors[h.length], h.sum, parent, -1};
  if (at >= a.beams)
    return none;
  struct search_candidate candidate = a.d_candidates[(int64_t)(b * a.beams + parent) * a.beams + at];
  if (candidate.token == INT32_MAX)
    return none;
  double sum = h.sum + (double)candidate.log;
  offer made = {sum / a.d_divisors[step + 1], sum, parent, candidate.token};
  if (made.key != made.key)
    made.key = made.sum = -INFINITY;
  return made;
}

__device__ __forceinline__ offer warp_best_offer(offer mine) {
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    offer other;
    other.key = __shfl_xor_sync(0xffffffffu, mine.key, distance);
    other.sum = __shfl_xor_sync(0xffffffffu, mine.sum, distance);
    other.parent = __shfl_xor_sync(0xffffffffu, mine.parent, distance);
    other.token = __shfl_xor_sync(0xffffffffu, mine.token, distance);
    mine = is_better(other, mine) ? other : mine;
  }
  return mine;
}

/* What the selected candidates of a row become; by one thread. */
__device__ static void row_advance(const struct search_arrays &a, int b, const offer *selected, int count,
                                   int step) {
  const struct search_settings &settings = *a.d_settings;
  struct search_hypothesis next[SEARCH_MOST_BEAMS];
  int K = a.beams, first = b * K, kept = 0, retired = a.d_retired_count[b], live = 0;
  int parents[SEARCH_MOST_BEAMS], tokens[SEARCH_MOST_BEAMS];
  for (int i = 0; i < count; i++) {
    const struct search_hypothesis parent = a.d_beam[first + selected[i].parent];
    struct search_hypothesis h = parent;
    if (!parent.is_finished) {
      int64_t at = step * a.step_stride + first + i;
      a.d_chosen_tokens[at] = selected[i].token;
      a.d_chosen_after[at] = parent.last;
      a.d_chosen_lanes[at] = parent.lane;
      h = {selected[i].sum, step + 1, first + i, 0, selected[i].token == settings.end_token};
    }
    if (h.is_finished && settings.retires) {
      a.d_retired[2 * first + retired++] = h;
      continue;
    }
    parents[kept] = parent.lane;
    tokens[kept] = selected[i].token;
    next[kept++] = h;
  }
  bool goes_on = step + 1 < settings.max_length && retired < K;
  a.d_retired_count[b] = retired;
  a.d_beam_count[b] = kept;
  for (int i = 0; i < K; i++) {
    bool is_live = i < kept && goes_on && !next[i].is_finished;
    if (i < kept) {
      next[i].lane = first + i;
      a.d_beam[first + i] = next[i];
    }
    a.d_running[first + i] = is_live;
    a.d_attended[first + i] = !is_live ? 0 : a.d_lengths ? a.d_lengths[b] : a.time;
    a.d_lane_parents[first + i] = is_live ? parents[i] : first + i;
    a.d_lane_tokens[first + i] = is_live ? tokens[i] : 0;
    live += is_live;
  }
  a.d_live[b] = live;
}

/* computes  the best K of a row's candidates, and the beam that they make
 * shapes    struct search_arrays in launch_search.h
 * mapping   block = row, one warp: thread = two places of the beam, each a list of candidates in order; the
 *           lists are merged by K comparisons of their heads. One thread does the rest
 * launch    grid B, block 32, static shared memory 1.5 KB
 * budget    128 registers, 2.3 KB of local memory for the next beam; 1.5 KB of shared memory
 * numerics  float64 sums and keys, as host/search has them; divisors from the host */
__global__ void __launch_bounds__(WARP) search_step_kernel(const __grid_constant__ struct search_arrays a) {
  __shared__ offer selected[SEARCH_MOST_BEAMS];
  int b = (int)blockIdx.x, thread = (int)threadIdx.x;
  if (a.d_live[b] == 0) /* the same in all threads */
    return;
  int step = *a.d_step, count = a.d_beam_count[b], found = 0;
  int at[2] = {0, 0};
  for (; found < a.beams; found++) {
    offer low = offer_of(a, b, thread, at[0], count, step);
    offer high = offer_of(a, b, thread + WARP, at[1], count, step);
    offer best = warp_best_offer(is_better(high, low) ? high : low);
    if (best.parent == INT32_MAX) /* the same in all threads: no candidates are left */
      break;
    at[0] += best.parent == thread;
    at[1] += best.parent == thread + WARP;
    if (thread == 0)
      selected[found] = best;
  }
  __syncwarp(); /* thread 0 has written what it reads; all have read the beam */
  if (thread == 0)
    row_advance(a, b, selected, found, step);
}

/* computes  state[lane] = state[parent of lane], in place, of all states
 * shapes    struct search_gather in launch_search.h
 * mapping   block = (row, 128 columns of one state), thread = column of all K lanes
 * launch    grid (ceil(widest / 128), B, states), block 128, static shared memory 32 KB
 * budget    40 registers; 32 KB of shared memory
 * numerics  copies */
__global__ void __launch_bounds__(GATHER_THREADS)
    search_gather_kernel(const __grid_constant__ struct search_gather a) {
  __shared__ float column[SEARCH_MOST_BEAMS][GATHER_THREADS];
  if (blockIdx.x + blockIdx.y + blockIdx.z + threadIdx.x == 0)
    *a.d_step += 1; /* nothing else in this launch looks at it */
  float *state = a.states[blockIdx.z].d_state;
  int width = a.states[blockIdx.z].width, j = (int)(blockIdx.x * GATHER_THREADS + threadIdx.x);
  if (!state || j >= width)
    return;
  for (int b = (int)blockIdx.y; b < a.rows; b += (int)gridDim.y) {
    int first = b * a.beams;
    for (int i = 0; i < a.beams; i++)
      column[i][threadIdx.x] = state[(int64_t)a.d_lane_parents[first + i] * width + j];
    for (int i = 0; i < a.beams; i++)
      state[(int64_t)(first + i) * width + j] = column[i][threadIdx.x];
  }
}

static const char *search_fault(const struct search_arrays *a) {
  if (a->rows < 1 || a->beams < 1 || a->beams > SEARCH_MOST_BEAMS || a->tokens < 1 || a->time < 1)
    return "rows, tokens or time below 1, or beams not within 1 to 64";
  if ((int64_t)a->rows * a->beams > INT32_MAX - THREADS)
    return "too many lanes";
  if (!a->d_settings || !a->d_divisors || !a->d_logs || !a->d_candidates || !a->d_beam || !a->d_retired)
    return "an array is missing";
  return a->d_all_alphas && !a->d_alphas ? "alphas are kept that are not there" : nullptr;
}

extern "C" cuseq_status launch_search_begin(const struct search_arrays *arguments,
                                            const struct launch_stream *stream) {
  static const char *const name = "launch_search_begin";
  const char *fault = search_fault(arguments);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  unsigned lanes = (unsigned)(arguments->rows * arguments->beams);
  search_begin_kernel<<<(lanes + THREADS - 1) / THREADS, THREADS, 0, (cudaStream_t)stream->stream>>>(
      *arguments);
  return launch_result(stream, name, cudaGetLastError());
}

extern "C" cuseq_status launch_search_candidates(const struct search_arrays *arguments,
                                                 const struct launch_stream *stream) {
  static const char *const name = "launch_search_candidates";
  const char *fault = search_fault(arguments);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  search_candidates_kernel<<<(unsigned)(arguments->rows * arguments->beams), THREADS, 0,
                             (cudaStream_t)stream->stream>>>(*arguments);
  return launch_result(stream, name, cudaGetLastError());
}

extern "C" cuseq_status launch_search_step(const struct search_arrays *arguments,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_search_step";
  const char *fault = search_fault(arguments);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  search_step_kernel<<<(unsigned)arguments->rows, WARP, 0, (cudaStream_t)stream->stream>>>(*arguments);
  return launch_result(stream, name, cudaGetLastError());
}

extern "C" cuseq_status launch_search_gather(const struct search_gather *arguments,
                                             const struct launch_stream *stream) {
  static const char *const name = "launch_search_gather";
  const struct search_gather *a = arguments;
  LAUNCH_NEED(a->rows >= 1 && a->beams >= 1 && a->beams <= SEARCH_MOST_BEAMS && a->d_lane_parents &&
                  a->d_step,
              "%s: rows or beams are not possible (found %d, %d), or an array is missing", name, (int)a->rows,
              (int)a->beams);
  int widest = 1;
  for (int i = 0; i < SEARCH_STATES; i++)
    widest = a->states[i].d_state && a->states[i].width > widest ? a->states[i].width : widest;
  dim3 grid((unsigned)((widest + GATHER_THREADS - 1) / GATHER_THREADS),
            (unsigned)(a->rows < 65535 ? a->rows : 65535), SEARCH_STATES);
  search_gather_kernel<<<grid, GATHER_THREADS, 0, (cudaStream_t)stream->stream>>>(*a);
  return launch_result(stream, name, cudaGetLastError());
}
