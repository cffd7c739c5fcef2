/* Small models from the input to the last token in one launch. */
#include "kernels/common/launch_error.cuh"
#include "kernels/decoder/whole_row.cuh"

enum {
  UNITS_MOST = 64,
  STATE_MOST = 128,
  TIME_MOST = 512,     /* longer rows attend by several blocks (attend.cu)                                  */
  STEPS_LEAST = 8,     /* of a pass                                                                         */
  STAGE_FLOATS = 8192, /* about what slices of x and W may take                                             */
};

/* computes  encoder of one or few layers, keys, and the decoder loop (or one attention step), of every row
 * shapes    as in launch_attention.h; one block makes a row, then the row gridDim.x further on
 * mapping   x W of a pass - all positions, where they have room - by the whole block (ids: gathered; dense x:
 *           thread = column of four positions); then one warp (H > 32: four) per direction walks the
 *           recurrence (cores.cuh) while the other warps, or asynchronous copies, fetch the decoder's weights
 *           into shared memory; layers one after the other; keys: thread = (t, unit); the decoder loop as in
 *           decode.cu, that of a small model with its weights in registers. All in shared memory between them
 * launch    grid min(B, SMs), block 256, dynamic shared memory: the placement
 * budget    255 registers; shared memory: W1 47.6 KB, the dates 182.4 KB (ids) at T = 30, all weights kept
 * numerics  bit for bit those of sequence, layer_merge, attention_keys and decode (attend); deterministic,
 *           rows independent
 * cost      the dates, batch 1: bench/counters/table.md; a cell step and a step of the decoder:
 *           bench/machine/table.md
 * why       one launch, nothing between the stages passes through global memory; weights are fetched once per
 *           block, U once per pass; one kernel for all H, which chooses its core in front of a recurrence: a
 *           kernel for each core is three times the same decoder, which is most of the code, and no faster */
static __global__ void __launch_bounds__(DECODE_THREADS, 1)
    whole_model_kernel(const __grid_constant__ struct whole_parameters p) {
  extern __shared__ float4 shared[];
  whole_block(p, (float *)shared);
}

/* Rows of annotations in shared memory are an odd number of floats apart. */
static int annotation_stride(const struct sequence *a) {
  return (a->directions * a->units) | 1;
}

/* What slices of x and W may take: a quarter of a small device's shared memory. */
static int stage_most(const struct launch_device *device) {
  int quarter = device->shared_bytes / 16;
  return quarter < STAGE_FLOATS ? quarter : STAGE_FLOATS;
}

/* How many features of x and W are staged at once in passes of `steps`: all, or what there is room for; 0:
 * there are none. Layers above the first have dense input. *floats is what they take. */
static int stage_features(const struct whole_model *model, int steps, const struct launch_device *device,
                          int64_t *floats) {
  const struct sequence *a = &model->encoder;
  int each = (steps < a->time ? 2 : 1) * steps + 4 * a->directions * a->units;
  int features = a->d_ids ? 0 : a->features, below = model->decode.score.annotation_width;
  features = model->layers > 1 && below > features ? below : features;
  int fit = stage_most(device) / each < 1 ? 1 : stage_most(device) / each;
  int slice = fit < features ? fit : features;
  *floats = (int64_t)slice * each;
  return slice;
}

/* The places with passes of `steps`; *all says whether all copies of weights have one. */
static struct placement whole_place(const struct whole_model *model, int steps,
                                    const struct launch_device *device, bool *all) {
  const struct sequence *a = &model->encoder;
  const struct decode *d = &model->decode;
  int64_t columns = (int64_t)a->directions * a->units, T = a->time;
  int64_t A = d->score.annotation_width, U = attention_keys_wide(d->score);
  struct placement placement = placement_make(device->shared_bytes);
  if (d->outputs > 0)
    decode_place_vectors(&placement, d, DECODE_THREADS, T);
  else
    attention_place(&placement, &d->score, DECODE_THREADS, T);
  placement_add(&placement, PLACE_HIDDEN, a->directions * 2 * core_block64<cell_lstm>::HIDDEN, false);
  placement_add(&placement, PLACE_FINAL, 2 * columns, false);
  placement_add(&placement, PLACE_ANNOTATIONS, T * annotation_stride(a), false);
  if (model->layers > 1)
    placement_add(&placement, PLACE_BELOW, T * annotation_stride(a), false);
  if (d->score.score != CUSEQ_SCORE_DOT)
    placement_add(&placement, PLACE_KEYS, T * U, false);
  placement_add(&placement, PLACE_PRODUCTS, steps * columns * 4, false);
  int64_t staged;
  stage_features(model, steps, device, &staged);
  placement_add(&placement, PLACE_STAGE, staged, false);
  if (d->score.score != CUSEQ_SCORE_DOT)
    placement_add(&placement, PLACE_KEY_KERNEL, A * U, true);
  if (d->outputs > 0)
    decode_place_weights(&placement, d);
  *all = (d->score.score == CUSEQ_SCORE_DOT || placement.at[PLACE_KEY_KERNEL] >= 0) &&
         (d->outputs == 0 || placement.at[PLACE_KERNEL] >= 0) && placement.workspace_floats == 0;
  return placement;
}

/* The longest pass with which everything is kept; where that is none, the longest that is possible. 0: there
 * is none. */
static int whole_steps(const struct whole_model *model, const struct launch_device *device,
                       struct placement *placement) {
  int T = model->encoder.time, possible = 0;
  bool all = false;
  for (int steps = T; steps > 0 && !all; steps = steps == T ? (T - 1) / 8 * 8 : steps - 8) {
    struct placement found = whole_place(model, steps, device, &all);
    if (all || (possible == 0 && found.workspace_floats == 0)) {
      *placement = found;
      possible = steps;
    }
  }
  return possible;
}

extern "C" int32_t whole_model_possible(const struct whole_model *model, const struct launch_device *device) {
  const struct sequence *a = &model->encoder;
  struct placement placement;
  if (a->units < 1 || a->units > UNITS_MOST || a->directions < 1 || a->directions > 2 || a->time < 1 ||
      a->time > TIME_MOST || model->layers < 1 || model->layers > WHOLE_MODEL_LAYERS_MOST)
    return 0;
  bool is_merged = a->directions == 2 && model->merge != CUSEQ_MERGE_CONCAT;
  if (model->decode.score.annotation_width != (is_merged ? 1 : a->directions) * a->units)
    return 0;
  if (!a->d_ids && (int64_t)a->features * TIME_MOST > INT32_MAX) /* offsets are 32 bits wide */
    return 0;
  return model->decode.score.state_units <= STATE_MOST && whole_steps(model, device, &placement) > 0;
}

static const char *whole_fault(const struct whole_model *model, const struct launch_device *device) {
  const struct sequence *a = &model->encoder;
  const struct decode *d = &model->decode;
  const char *fault = attention_score_fault(&d->score);
  fault = fault ? fault : initial_state_fault(&d->start, d->outputs > 0);
  fault = fault || d->outputs == 0 ? fault : decode_fault(d);
  if (fault)
    return fault;
  if (d->start.state_units != d->score.state_units)
    return "the initial state's width differs from the score's";
  if (a->batch < 1)
    return "batch below 1";
  if ((a->d_ids != nullptr) == (a->d_x != nullptr) || a->features < 1)
    return "either ids or x is needed, and features";
  if (!a->d_kernel || !a->d_recurrent || !a->d_bias)
    return "the encoder's weights are missing";
  for (int l = 1; l < model->layers && l < WHOLE_MODEL_LAYERS_MOST; l++)
    if (!model->above[l - 1].d_kernel || !model->above[l - 1].d_recurrent || !model->above[l - 1].d_bias)
      return "the weights of a layer are missing";
  if (d->score.score != CUSEQ_SCORE_DOT && !d->score.d_key)
    return "the score's key weights are missing";
  return whole_model_possible(model, device) ? nullptr : "the model does not fit into one launch";
}

extern "C" cuseq_status launch_whole_model(const struct whole_model *model,
                                           const struct launch_stream *stream) {
  static const char *const name = "launch_whole_model";
  const char *fault = whole_fault(model, stream->device);
  LAUNCH_NEED(!fault, "%s: %s", name, fault);
  const struct sequence *a = &model->encoder;
  struct whole_parameters p;
  p.encoder.a = *a;
  p.encoder.a.d_order = nullptr;
  p.encoder.a.leading = annotation_stride(a);
  p.encoder.gates = device_gates_make(a->activation, a->recurrent_activation);
  for (int l = 0; l < WHOLE_MODEL_LAYERS_MOST - 1; l++)
    p.above[l] = model->above[l];
  p.layers = model->layers;
  p.steps = whole_steps(model, stream->device, &p.placement);
  p.keeps = model->decode.outputs > 0 && decoder_is_kept(&p.placement, &model->decode);
  int64_t staged;
  p.slice = stage_features(model, p.steps, stream->device, &staged);
  p.is_small = model->decode.outputs > 0 && !decode_small_fault(&model->decode);
  p.merge = model->merge;
  p.d = model->decode;
  p.d.batch = a->batch;
  p.d.time = a->time;
  p.d.d_lengths = a->d_lengths;
  size_t bytes = (size_t)p.placement.shared_floats * 4;
  cuseq_status status = launch_allow_shared(stream, name, whole_model_kernel, bytes);
  if (status != CUSEQ_STATUS_OK)
    return status;
  int32_t blocks = stream->device->multiprocessors < a->batch ? stream->device->multiprocessors : a->batch;
  whole_model_kernel<<<(unsigned)blocks, DECODE_THREADS, bytes, (cudaStream_t)stream->stream>>>(p);
  return launch_result(stream, name, cudaGetLastError());
}
