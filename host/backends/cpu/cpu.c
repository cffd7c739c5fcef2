/* The cpu backend: fast, and a row's bits independent of everything but the row. */
#include "backends/cpu/fold.h"
#include "backends/cpu/isa.h"
#include "backends/cpu/plan.h"
#include "backends/cpu/screen.h"
#include "error.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* From this size on weights are walked through faster where they lie in large pages, and a page that is not
 * full costs little beside them. */
enum { LARGE_PAGE = 2 << 20, LARGE_FROM = 768 << 10 };

/* Zeroed memory whose pages are not touched before they are used, with its beginning on a line, or on a large
 * page where it is that large. That the pages are large is a hint; without them all is the same. *memory is
 * what is to be freed. */
static char *memory_take(size_t size, void **memory) {
  const size_t line = 64;
#ifdef MADV_HUGEPAGE
  const size_t start = size >= LARGE_FROM ? LARGE_PAGE : line;
#else
  const size_t start = line;
#endif
  if (size > SIZE_MAX / 2)
    return NULL;
  const size_t whole = (size + start - 1) / start * start;
  *memory = calloc(1, whole + start);
  if (!*memory)
    return NULL;
  char *base = (char *)*memory + (start - (uintptr_t)*memory % start) % start;
#ifdef MADV_HUGEPAGE
  if (start == LARGE_PAGE)
    madvise(base, whole, MADV_HUGEPAGE);
#endif
  return base;
}

/* Adds up what `cut` takes, allocates it, and cuts it up. */
static cuseq_status arena_fill(struct cpu *cpu, void (*cut)(struct cpu *, struct cpu_arena *),
                               void **memory) {
  struct cpu_arena arena = {0};
  cut(cpu, &arena);
  char *base = arena.overflow ? NULL : memory_take(arena.used, memory);
  if (!base)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                     "cuseq_session_open: out of memory (%zu MB for max_batch %d, max_time %d)",
                     arena.used >> 20, (int)cpu->limits.batch, (int)cpu->limits.time);
  arena = (struct cpu_arena){.base = base};
  cut(cpu, &arena);
  return CUSEQ_STATUS_OK;
}

static void packed_free(struct cpu_packed *packed) {
  free(packed->memory);
  free(packed);
}

/* The weights as the products of an instruction set and a precision have them. */
static cuseq_status packed_make(void *argument, struct model_part **part) {
  struct cpu *cpu = argument;
  struct cpu_packed *packed = calloc(1, sizeof *packed);
  if (!packed)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cpu->packed = packed;
  const cuseq_status status = arena_fill(cpu, weights_pack, &packed->memory);
  if (status != CUSEQ_STATUS_OK) {
    cpu->packed = NULL;
    packed_free(packed);
    return status;
  }
  *part = &packed->part;
  return CUSEQ_STATUS_OK;
}

static cuseq_status weights_share(struct cpu *cpu) {
  struct model_part *part;
  TRY(model_part_take(cpu->model, cpu->products, packed_make, cpu, &part));
  cpu->packed = (struct cpu_packed *)part;
  return CUSEQ_STATUS_OK;
}

static void cpu_close(void *state) {
  struct cpu *cpu = state;
  if (!cpu)
    return;
  pool_close(cpu->pool);
  if (cpu->packed && model_part_leave(cpu->model, &cpu->packed->part))
    packed_free(cpu->packed);
  if (cpu->model)
    model_release(cpu->model);
  free(cpu->memory);
  free(cpu);
}

static cuseq_status cpu_open(const cuseq_model *model, const struct backend_limits *limits,
                             const char *device, void **state) {
  cuseq_status status;
  struct cpu *cpu = calloc(1, sizeof *cpu);
  if (!cpu)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cpu->model = model_retain(model);
  cpu->structure = &cpu->model->lowered;
  cpu->limits = *limits;
  TRY_CLEANUP(isa_pick(&cpu->kernels));
  TRY_CLEANUP(isa_products(cpu->kernels, device, limits->precision, &cpu->products));
  fold_plan(cpu);
  screen_plan(cpu);
  workspace_sizes(cpu);
  cpu->state_first = plan_state_first(cpu);
  cpu->tile_rows = plan_tile_rows(cpu);
  cpu->part_bytes = plan_part_bytes();
  TRY_CLEANUP(pool_open(limits->threads > 0 ? limits->threads : plan_threads(cpu), &cpu->pool));
  TRY_CLEANUP(weights_share(cpu));
  TRY_CLEANUP(arena_fill(cpu, workspace_take, &cpu->memory));
  *state = cpu;
  return CUSEQ_STATUS_OK;
cleanup:
  cpu_close(cpu);
  return status;
}

static int32_t cpu_threads(const void *state) {
  const struct cpu *cpu = state;
  return pool_threads(cpu->pool);
}

void cpu_note(struct cpu *cpu, size_t row, int32_t step, enum backend_stage stage) {
  const uint64_t fault = backend_fault((int64_t)row, step, stage);
  uint64_t first = atomic_load_explicit(&cpu->fault, memory_order_relaxed);
  while (fault < first && !atomic_compare_exchange_weak_explicit(&cpu->fault, &first, fault,
                                                                 memory_order_relaxed, memory_order_relaxed))
    ;
}

static void call_begin(struct cpu *cpu) {
  atomic_store_explicit(&cpu->fault, BACKEND_NO_FAULT, memory_order_relaxed);
}

/* The call's status: its results are complete. */
static cuseq_status call_end(const struct cpu *cpu) {
  return cpu->limits.allow_nonfinite
             ? CUSEQ_STATUS_OK
             : backend_fault_report(atomic_load_explicit(&cpu->fault, memory_order_relaxed), "");
}

/* What a tile decodes once its annotations are there. */
static void decode_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t worker) {
  if (call->cpu->structure->decoder.present)
    decoder_tile(call, tile, worker);
  else
    output_tile(call, tile, worker);
}

/* What follows the encoder's layers in a tile. */
static void finish_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t worker) {
  struct cpu *cpu = call->cpu;
  if (call->input)
    encoder_clear(call, tile);
  if (!call->decoding)
    return;
  if (!cpu->keys_ready)
    attention_keys(cpu, &cpu->workers[worker], tile);
  decode_tile(call, tile, worker);
}

static void task_whole(void *argument, int32_t index, int32_t worker) {
  struct cpu_call call = *(const struct cpu_call *)argument;
  const struct cpu_tile tile = plan_tile(call.cpu->batch, call.tiles, index);
  for (call.layer = 0; call.layer < call.cpu->structure->encoder.count; call.layer++)
    encoder_layer(&call, tile, worker, -1);
  call.layer--;
  finish_tile(&call, tile, worker);
}

static void task_direction(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  const struct encoder_layer *layer = &call->cpu->structure->encoder.layers[call->layer];
  const int32_t count = encoder_layer_directions(layer), only = encoder_layer_has(layer, 0) ? 0 : 1;
  encoder_layer(call, plan_tile(call->cpu->batch, call->tiles, index / count), worker,
                count == 2 ? index % 2 : only);
}

static void task_layer_finish(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  encoder_finish(call, plan_tile(call->cpu->batch, call->tiles, index), worker);
}

static void task_finish(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  finish_tile(call, plan_tile(call->cpu->batch, call->tiles, index), worker);
}

static void task_keys(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  struct cpu *cpu = call->cpu;
  attention_keys(cpu, &cpu->workers[worker], plan_tile(cpu->batch, call->tiles, index));
}

/* A tile of a decoding whose rows attend to any encoded rows. */
static void task_rows(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  decode_tile(call, plan_tile(call->decoding->batch, call->tiles, index), worker);
}

/* Runs the tasks of a call. The caller's thread does the only one that there is, and others may help it. */
static void call_run(struct cpu *cpu, const struct cpu_plan *plan, int32_t tasks, cpu_task task,
                     void *argument) {
  cpu->workers[0].parts = tasks == 1 ? plan->parts : 1;
  pool_run(cpu->pool, plan->threads, tasks, task, argument);
}

/* Decodes rows that the caller names: whatever they may attend to must be ready first. */
static void rows_work(struct cpu_call *call) {
  struct cpu *cpu = call->cpu;
  struct cpu_plan plan = plan_call(cpu, false, cpu->batch, cpu->time, 1);
  call->tiles = plan.decode_tiles;
  if (!cpu->keys_ready)
    call_run(cpu, &plan, call->tiles, task_keys, call);
  plan = plan_call(cpu, false, call->decoding->batch, cpu->time, call->decoding->steps);
  call->tiles = plan.decode_tiles;
  call_run(cpu, &plan, call->tiles, task_rows, call);
}

/* Encodes, and decodes where call->decoding is not NULL. */
static cuseq_status cpu_work(struct cpu_call *call) {
  struct cpu *cpu = call->cpu;
  const struct backend_input *input = call->input;
  const int32_t steps = call->decoding ? call->decoding->steps : 0;
  call_begin(cpu);
  call->number = cpu->calls++;
  if (input) {
    plan_order(cpu, input->lengths, input->batch, input->time);
    cpu->keys_ready = false;
  }
  const struct cpu_plan plan = plan_call(cpu, input != NULL, cpu->batch, cpu->time, steps);
  call->tiles = plan.encode_tiles;
  if (call->decoding && call->decoding->rows) {
    rows_work(call);
  } else if (input && plan.whole) {
    call_run(cpu, &plan, plan.encode_tiles, task_whole, call);
  } else {
    for (call->layer = 0; input && call->layer < cpu->structure->encoder.count; call->layer++) {
      const struct encoder_layer *layer = &cpu->structure->encoder.layers[call->layer];
      call_run(cpu, &plan, encoder_layer_directions(layer) * plan.encode_tiles, task_direction, call);
      if (layer_finishes(layer))
        call_run(cpu, &plan, plan.encode_tiles, task_layer_finish, call);
    }
    call->layer = cpu->structure->encoder.count - 1;
    call->tiles = plan.decode_tiles;
    call_run(cpu, &plan, plan.decode_tiles, task_finish, call);
  }
  cpu->keys_ready = cpu->keys_ready || call->decoding;
  return call_end(cpu);
}

static cuseq_status cpu_encode(void *state, const struct backend_input *input,
                               const cuseq_encoding *encoding) {
  struct cpu_call call = {.cpu = state, .input = input, .encoding = encoding};
  return cpu_work(&call);
}

static cuseq_status cpu_decode(void *state, const cuseq_decoding *decoding) {
  struct cpu_call call = {.cpu = state, .decoding = decoding};
  return cpu_work(&call);
}

static cuseq_status cpu_step(void *state, const cuseq_decoding *decoding, float *log_outputs) {
  struct cpu_call call = {.cpu = state, .decoding = decoding, .log_outputs = log_outputs};
  return cpu_work(&call);
}

static cuseq_status cpu_run(void *state, const struct backend_input *input, const cuseq_encoding *encoding,
                            const cuseq_decoding *decoding) {
  struct cpu_call call = {.cpu = state, .input = input, .encoding = encoding, .decoding = decoding};
  return cpu_work(&call);
}

/* One attention step, for the tasks. */
struct attend_call {
  struct cpu *cpu;
  const float *hidden;
  float *context;
  float *alphas;
  int32_t tiles;
};

static void task_attend(void *argument, int32_t index, int32_t worker) {
  const struct attend_call *call = argument;
  struct cpu *cpu = call->cpu;
  const struct cpu_tile tile = plan_tile(cpu->batch, call->tiles, index);
  if (!cpu->keys_ready)
    attention_keys(cpu, &cpu->workers[worker], tile);
  initial_attend(cpu, tile, worker, call->hidden, call->context, call->alphas);
}

static cuseq_status cpu_attend(void *state, const float *hidden, float *context, float *alphas) {
  struct cpu *cpu = state;
  const struct cpu_plan plan = plan_call(cpu, false, cpu->batch, cpu->time, 1);
  struct attend_call call = {cpu, hidden, context, alphas, plan.decode_tiles};
  call_begin(cpu);
  call_run(cpu, &plan, plan.decode_tiles, task_attend, &call);
  cpu->keys_ready = true;
  return call_end(cpu);
}

const struct backend backend_cpu = {
    .open = cpu_open,
    .close = cpu_close,
    .threads = cpu_threads,
    .encode = cpu_encode,
    .attend = cpu_attend,
    .decode = cpu_decode,
    .step = cpu_step,
    .run = cpu_run,
};
