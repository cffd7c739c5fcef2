/* Small models of any structure from the input to the last token in one launch. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/loop_row.cuh"
#include "kernels/recurrence/encoder_any.cuh"

enum {
  HIDDEN_FLOATS = 4 * 72,
  STAGE_FLOATS = 8192,
  MODEL_FLOATS = (sizeof(struct whole_any_model) + 15) / 16 * 4
};

/* ---- the block's copies ---- */

/* The structure into shared memory, and the weights that there is room for; complete after
 * block_copies_wait() and the next barrier, but for the structure, which is complete at its end. */
__device__ static void model_load(const struct any_parameters &p, float *s) {
  struct whole_any_model *m = (struct whole_any_model *)s;
  block_copy(s, (const float *)p.a.d_model, (int)(sizeof(struct whole_any_model) / sizeof(float)),
             (int)threadIdx.x, THREADS);
  block_copies_wait();
  __syncthreads(); /* the structure is there */
  int at = p.at.kept, end = p.at.kept + p.at.kept_floats;
  for (int i = 0; i < m->kept_count; i++) { /* the same in all threads */
    int floats = m->kept[i].floats, padded = (floats + 3) & ~3;
    if (at + padded > end)
      continue;
    block_copy(s + at, m->kept[i].d_weights, floats, (int)threadIdx.x, THREADS);
    if (threadIdx.x == 0)
      *(const float **)((char *)m + m->kept[i].at) = s + at;
    at += padded;
  }
}

/* ---- models without a decoder ---- */

/* One vector of the row's annotations: the mean, the maximum or the last; or position t's. Complete after the
 * next barrier. */
__device__ static void head_read(const any_row &row, const struct whole_head &head, int t, float *to) {
  const float *annotations = row.annotations();
  int stride = row.p.at.stride;
  for (int j = (int)threadIdx.x; j < head.inputs; j += THREADS) {
    const float *column = annotations + j;
    float x = column[(head.source == WHOLE_EVERY ? t : row.length - 1) * stride];
    if (head.source == WHOLE_MAXIMUM)
      for (int i = 0; i < row.length; i++) {
        float y = column[i * stride];
        x = y > x || y != y ? y : x;
      }
    if (head.source == WHOLE_MEAN) {
      x = 0.0f;
      for (int first = 0; first < row.length; first += BLOCK_FEATURES) {
        float block = 0.0f;
        for (int i = first; i < min(first + (int)BLOCK_FEATURES, row.length); i++)
          block += column[i * stride];
        x += block;
      }
      x /= (float)row.length;
    }
    to[j] = x;
  }
}

/* Head h at one position, or of the row (t 0). */
__device__ static void head_make(const any_row &row, const loop_row &loop, int h, int t) {
  const struct whole_head &head = row.m.head[h];
  const struct loop &a = loop.a;
  int64_t y = head.source == WHOLE_EVERY ? (int64_t)row.b * a.time + t : row.b;
  if (head.source == WHOLE_FINAL)
    initial_state(loop, head.final, head.inputs, head.read_at);
  else if (head.source != WHOLE_CONTEXT)
    head_read(row, head, t, loop.s + head.read_at);
  __syncthreads(); /* what the head reads is complete; the head before has been read */
  loop_chain(loop, head.layers);
  struct head_result result =
      block_head(loop.s + loop.m.logits_at, head.d_bias, head.units, head.activation,
                 a.d_outputs ? a.d_outputs + y * row.m.outputs + head.offset : nullptr, nullptr,
                 loop.s + loop.m.reduce_at, a.check, row.b, 0);
  if (threadIdx.x == 0 && a.d_tokens)
    a.d_tokens[y * row.m.heads + h] = result.token;
}

/* Positions behind the row's length give zeros. */
__device__ static void heads_clear(const any_row &row) {
  const struct loop &a = row.p.a.loop;
  int64_t y = (int64_t)row.b * a.time + row.length;
  int count = a.time - row.length;
  for (int n = (int)threadIdx.x; a.d_outputs && n < count * row.m.outputs; n += THREADS)
    a.d_outputs[y * row.m.outputs + n] = 0.0f;
  for (int n = (int)threadIdx.x; a.d_tokens && n < count * row.m.heads; n += THREADS)
    a.d_tokens[y * row.m.heads + n] = 0;
}

/* Attention of the state that asks, and the heads. */
__device__ static void heads_run(const any_row &row, loop_row &loop) {
  const struct loop &a = loop.a;
  bool tags = row.m.heads > 0 && row.m.head[0].source == WHOLE_EVERY;
  loop.step = -1; /* what is told is of no step */
  if (loop.m.attends != LOOP_ATTENDS_NEVER) {
    float *state = loop.s + row.m.asking_at;
    if (a.d_given_h)
      for (int j = (int)threadIdx.x; j < row.m.asking_units; j += THREADS)
        state[j] = a.d_given_h[(int64_t)row.b * row.m.asking_units + j];
    else
      initial_state(loop, row.m.asking, row.m.asking_units, row.m.asking_at);
    __syncthreads(); /* the state that asks is complete */
    loop_attend(loop, row.b);
  }
  for (int t = 0; t < (tags ? row.length : 1); t++)
    for (int h = 0; h < row.m.heads; h++)
      head_make(row, loop, h, t);
  if (tags)
    heads_clear(row);
  if (threadIdx.x == 0 && a.d_output_lengths)
    a.d_output_lengths[row.b] = tags ? row.length : 1;
}

/* ---- a row ---- */

__device__ static void row_decode(const any_row &row) {
  const struct any_places &at = row.p.at;
  const struct whole_any_sizes &sizes = row.p.a.sizes;
  float *keys = row.annotations(), *values = row.annotations();
  any_store(row, row.m.layer[row.m.layers - 1].width);
  if (row.m.keys > 0)
    any_layers(row, row.m.key, row.m.keys, keys = row.s + at.keys);
  if (row.m.values > 0)
    any_layers(row, row.m.value, row.m.values, values = row.s + at.values);
  loop_row loop = {row.m.loop,
                   row.p.a.loop,
                   {keys, values, row.m.keys > 0 ? sizes.keys : at.stride,
                    row.m.values > 0 ? sizes.values : at.stride, row.s + at.states,
                    row.s + at.states + sizes.states, 1, 0},
                   row.s + at.loop,
                   row.b,
                   row.length,
                   0,
                   0};
  if (row.m.loop.layers > 0)
    loop_run(loop);
  else
    heads_run(row, loop);
}

/* computes  encoder, keys and values, and the decoder loop, or attention and heads, of every row, of any
 *           structure
 * shapes    struct whole_any in launch_whole.h; one block makes a row, then the row gridDim.x further on
 * mapping   x W of a pass - all positions, where they have room - by the whole block; then one warp (H > 32:
 *           four) per direction walks the recurrence; dense layers over positions: thread = (t, unit); the
 *           decoder as in loop.cu, or head after head. All in shared memory between them
 * launch    grid min(B, SMs), block 256, dynamic shared memory: the structure, the vectors, annotations, keys
 *           and values; copies of weights in what is left
 * budget    252 registers
 * numerics  float32; those of sequence, keys and loop; deterministic, and a row's bits depend on no other
 * why       one launch, nothing between the stages passes through global memory, weights are fetched once per
 *           block; the structure is data, so that one kernel serves all cells, layers and wirings. Six cores
 *           in one kernel cost no registers: one of them runs at a time */
static __global__ void __launch_bounds__(THREADS, 1)
    whole_any_kernel(const __grid_constant__ struct any_parameters p) {
  extern __shared__ float4 shared[];
  float *s = (float *)shared;
  model_load(p, s);
  for (int b = (int)blockIdx.x; b < p.a.loop.batch; b += (int)gridDim.x) {
    any_row row = {p, *(const struct whole_any_model *)s, s, b, p.a.loop.time, 0};
    if (p.a.loop.d_lengths)
      row.length = p.a.loop.d_lengths[b];
    any_encode(row);
    block_copies_wait();
    __syncthreads(); /* weights are there */
    row_decode(row);
    __syncthreads(); /* this row's arrays are read before the next row's come */
  }
}

/* ---- the launch ---- */

static int add(int64_t *floats, int64_t width) {
  int64_t at = *floats;
  *floats += (width + 3) / 4 * 4;
  return at > INT32_MAX ? INT32_MAX : (int)at;
}

static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* How many features of x and W are staged at once; *floats is what they take. */
static int stage_features(const struct whole_any_sizes *sizes, int steps, int time, bool ids,
                          const struct launch_device *device, int64_t *floats) {
  int quarter = device->shared_bytes / 16, most = quarter < STAGE_FLOATS ? quarter : STAGE_FLOATS;
  int each = (steps < time ? 2 : 1) * steps + 4 * sizes->columns, features = sizes->dense_inputs[ids ? 1 : 0];
  int fit = most / each < 1 ? 1 : most / each, slice = fit < features ? fit : features;
  *floats = (int64_t)slice * each;
  return slice;
}

/* The places with passes of `steps`, without copies of weights; returns the floats. */
static int64_t places_make(const struct whole_any_sizes *sizes, int steps, int time, bool ids,
                           const struct launch_device *device, struct any_places *at) {
  int64_t floats = 0, encoder, between, staged;
  at->steps = steps;
  at->stride = sizes->width | 1;
  at->slice = stage_features(sizes, steps, time, ids, device, &staged);
  add(&floats, MODEL_FLOATS);
  encoder = between = floats;
  at->loop = (int)floats;
  at->hidden = add(&encoder, HIDDEN_FLOATS);
  at->products = add(&encoder, (int64_t)steps * sizes->columns * 4);
  at->stage = add(&encoder, staged);
  at->between = add(&between, (int64_t)time * sizes->between);
  add(&floats, (int64_t)sizes->loop + time);
  floats = larger(floats, larger(encoder, between));
  at->final = add(&floats, 2 * sizes->columns);
  at->states = add(&floats, 2 * (int64_t)sizes->states);
  at->annotations[1] = add(&floats, (int64_t)time * at->stride);
  at->annotations[0] = sizes->moves ? add(&floats, (int64_t)time * at->stride) : at->annotations[1];
  at->keys = add(&floats, (int64_t)time * sizes->keys);
  at->values = add(&floats, (int64_t)time * sizes->values);
  at->kept = floats > INT32_MAX ? INT32_MAX : (int)floats;
  return floats;
}

/* The longest pass with which all weights are kept; where that is none, the longest that is possible. 0:
 * there is none. */
static int64_t places_choose(const struct whole_any_sizes *sizes, int time, bool ids,
                             const struct launch_device *device, struct any_places *at) {
  int64_t room = device->shared_bytes / (int64_t)sizeof(float), found = 0;
  for (int steps = time; steps > 0; steps = steps == time ? (time - 1) / 8 * 8 : steps - 8) {
    struct any_places places;
    int64_t floats = places_make(sizes, steps, time, ids, device, &places);
    bool all = floats + sizes->kept <= room;
    if (floats > room || (!all && found > 0))
      continue;
    found = floats;
    *at = places;
    at->kept_floats = (int)(all ? sizes->kept : room - floats);
    if (all)
      break;
  }
  return found == 0 ? 0 : found + at->kept_floats;
}

extern "C" int32_t whole_any_possible(const struct whole_any_sizes *sizes, int32_t time, int32_t takes_ids,
                                      const struct launch_device *device) {
  struct any_places at;
  return time >= 1 && time <= WHOLE_ANY_TIME_MOST &&
         places_choose(sizes, time, takes_ids != 0, device, &at) > 0;
}

extern "C" cuseq_status launch_whole_any(const struct whole_any *arguments,
                                         const struct launch_stream *stream) {
  static const char *const name = "launch_whole_any";
  const struct whole_any *a = arguments;
  const struct launch_device *device = stream->device;
  struct any_parameters p;
  LAUNCH_NEED(a->loop.batch >= 1 && a->loop.steps >= 1, "%s: batch or steps below 1 (found %d, %d)", name,
              (int)a->loop.batch, (int)a->loop.steps);
  LAUNCH_NEED(a->d_model && a->d_annotations && a->d_final_h && a->d_final_c,
              "%s: the model or an array of the encoder's is missing", name);
  LAUNCH_NEED((a->d_ids != nullptr) != (a->d_x != nullptr), "%s: either ids or x is needed", name);
  LAUNCH_NEED(whole_any_possible(&a->sizes, a->loop.time, a->d_ids != nullptr, device),
              "%s: the model does not fit into one launch", name);
  p.a = *a;
  size_t bytes = (size_t)places_choose(&a->sizes, a->loop.time, a->d_ids != nullptr, device, &p.at) * 4;
  cuseq_status status = launch_allow_shared(stream, name, whole_any_kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  int32_t blocks = device->multiprocessors < a->loop.batch ? device->multiprocessors : a->loop.batch;
  whole_any_kernel<<<(unsigned)blocks, THREADS, bytes, (cudaStream_t)stream->stream>>>(p);
  return launch_result(stream, name, cudaGetLastError());
}
