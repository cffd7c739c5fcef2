/* The cpu backend: float32, fast, and a row's bits independent of everything but the row. */
#include "backends/cpu/cpu.h"

#include "backends/cpu/isa.h"
#include "backends/cpu/plan.h"
#include "error.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

static void cpu_close(void *state) {
  struct cpu *cpu = state;
  if (!cpu)
    return;
  pool_close(cpu->pool);
  free(cpu->memory);
  free(cpu);
}

/* Asks for large pages where there is room for some: weights of megabytes are walked through for every step.
 * A hint; without them all is the same. */
static void use_large_pages(char *memory, size_t size) {
#ifdef MADV_HUGEPAGE
  const size_t page = (size_t)2 << 20;
  const size_t before = (page - (uintptr_t)memory % page) % page;
  if (size >= before + 2 * page)
    madvise(memory + before, (size - before) / page * page, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)size;
#endif
}

/* Adds up, allocates zeroed memory (pages that no call reaches are never touched), cuts it up and packs. */
static cuseq_status cpu_fill(struct cpu *cpu, const cuseq_model *model) {
  const size_t line = 64;
  struct cpu_arena arena = {0};
  weights_pack(cpu, model, &arena);
  workspace_take(cpu, &arena);
  if (!arena.overflow && arena.used <= SIZE_MAX / 2)
    cpu->memory = calloc(1, arena.used + line);
  if (!cpu->memory)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                     "cuseq_session_open: out of memory (%zu MB for max_batch %d, max_time %d)",
                     arena.used >> 20, (int)cpu->limits.batch, (int)cpu->limits.time);
  use_large_pages(cpu->memory, arena.used);
  arena = (struct cpu_arena){.base = (char *)cpu->memory + (line - (uintptr_t)cpu->memory % line) % line};
  weights_pack(cpu, model, &arena);
  workspace_take(cpu, &arena);
  return CUSEQ_STATUS_OK;
}

static cuseq_status cpu_open(const cuseq_model *model, const struct backend_limits *limits,
                             const char *device, void **state) {
  (void)device; /* there is only one */
  cuseq_status status;
  struct cpu *cpu = calloc(1, sizeof *cpu);
  if (!cpu)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "cuseq_session_open: out of memory");
  cpu->config = model->config;
  cpu->limits = *limits;
  cpu->directions = config_directions(&model->config);
  TRY_CLEANUP(isa_pick(&cpu->kernels));
  workspace_sizes(cpu);
  cpu->tile_rows = plan_tile_rows(cpu);
  TRY_CLEANUP(pool_open(limits->threads > 0 ? limits->threads : plan_threads(cpu), &cpu->pool));
  TRY_CLEANUP(cpu_fill(cpu, model));
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

/* What follows the encoder's layers in a tile. */
static void finish_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t worker) {
  struct cpu *cpu = call->cpu;
  if (call->input)
    encoder_clear(call, tile);
  if (!call->decoding)
    return;
  if (!cpu->keys_ready)
    attention_keys(cpu, &cpu->workers[worker], tile);
  decoder_tile(call, tile, worker);
}

static void task_whole(void *argument, int32_t index, int32_t worker) {
  struct cpu_call call = *(const struct cpu_call *)argument;
  const struct cpu_tile tile = plan_tile(call.cpu->batch, call.tiles, index);
  for (call.layer = 0; call.layer < call.cpu->config.layers; call.layer++)
    encoder_layer(&call, tile, worker, -1);
  call.layer--;
  finish_tile(&call, tile, worker);
}

static void task_direction(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  encoder_layer(call, plan_tile(call->cpu->batch, call->tiles, index / 2), worker, index % 2);
}

static void task_merge(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  (void)worker;
  encoder_merge(call, plan_tile(call->cpu->batch, call->tiles, index));
}

static void task_finish(void *argument, int32_t index, int32_t worker) {
  const struct cpu_call *call = argument;
  finish_tile(call, plan_tile(call->cpu->batch, call->tiles, index), worker);
}

/* Encodes, and decodes where call->decoding is not NULL. */
static cuseq_status cpu_work(struct cpu_call *call) {
  struct cpu *cpu = call->cpu;
  const struct backend_input *input = call->input;
  const int32_t steps = call->decoding ? call->decoding->steps : 0;
  if (input) {
    plan_order(cpu, input->lengths, input->batch, input->time);
    cpu->keys_ready = false;
  }
  const struct cpu_plan plan = plan_call(cpu, input != NULL, cpu->batch, cpu->time, steps);
  call->tiles = plan.encode_tiles;
  if (input && plan.whole) {
    pool_run(cpu->pool, plan.threads, plan.encode_tiles, task_whole, call);
  } else {
    for (call->layer = 0; input && call->layer < cpu->config.layers; call->layer++) {
      pool_run(cpu->pool, plan.threads, 2 * plan.encode_tiles, task_direction, call);
      if (cpu->sides)
        pool_run(cpu->pool, plan.threads, plan.encode_tiles, task_merge, call);
    }
    call->tiles = plan.decode_tiles;
    pool_run(cpu->pool, plan.threads, plan.decode_tiles, task_finish, call);
  }
  cpu->keys_ready = cpu->keys_ready || call->decoding;
  return CUSEQ_STATUS_OK;
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
  decoder_attend(cpu, tile, worker, call->hidden, call->context, call->alphas);
}

static cuseq_status cpu_attend(void *state, const float *hidden, float *context, float *alphas) {
  struct cpu *cpu = state;
  const struct cpu_plan plan = plan_call(cpu, false, cpu->batch, cpu->time, 1);
  struct attend_call call = {cpu, hidden, context, alphas, plan.decode_tiles};
  pool_run(cpu->pool, plan.threads, plan.decode_tiles, task_attend, &call);
  cpu->keys_ready = true;
  return CUSEQ_STATUS_OK;
}

const struct backend backend_cpu = {
    .open = cpu_open,
    .close = cpu_close,
    .threads = cpu_threads,
    .encode = cpu_encode,
    .attend = cpu_attend,
    .decode = cpu_decode,
    .run = cpu_run,
};
