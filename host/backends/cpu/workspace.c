/* How large everything is, and where it lies. */
#include "backends/cpu/cpu.h"

static size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

/* The stride of rows of which `window` floats each are in use at a time: in lines, a remainder of the
 * caches' sets that makes the windows of successive rows follow each other there. (At a multiple of the
 * sets they all share a few.) */
static size_t spread_stride(size_t floats, size_t window) {
  const size_t lines = (floats + CPU_LANES - 1) / CPU_LANES, wanted = window / CPU_LANES;
  const size_t sets =
      lines >= 4096 ? 1024 : 64; /* of the second level where the padding is small beside the row */
  return (lines + (wanted % sets + sets - lines % sets) % sets) * CPU_LANES;
}

void workspace_sizes(struct cpu *cpu) {
  const cuseq_config *config = &cpu->config;
  const size_t time = arena_padded(cpu->limits.time);
  cpu->units_stride = arena_padded(config->units);
  cpu->annotation_stride = arena_padded(config->annotation_width);
  cpu->state_stride = arena_padded(config->state_units);
  cpu->output_stride = arena_padded(config->outputs);
  cpu->final_stride = arena_padded(config_final_width(config));
  int32_t keys = config->score == CUSEQ_SCORE_CONCAT     ? config->attention_units[0]
                 : config->score == CUSEQ_SCORE_ADDITIVE ? config->additive_units
                                                         : 0;
  cpu->keyed = keys > 0;
  cpu->key_rows = keys == 1 ? 1 : arena_padded(keys);
  cpu->query_stride = cpu->keyed                             ? arena_padded(keys)
                      : config->score == CUSEQ_SCORE_GENERAL ? cpu->annotation_stride
                                                             : 0;
  cpu->layer_stride = spread_stride(time * cpu->annotation_stride, cpu->units_stride);
  cpu->side_stride = spread_stride(time * 2 * cpu->units_stride, cpu->units_stride);
}

/* The widest layer of the score, and a block of keys before it is transposed. */
static size_t scratch_size(const struct cpu *cpu) {
  size_t widest = 1;
  for (int32_t l = 0; l <= cpu->weights.energy.layers && cpu->keyed; l++)
    widest = larger(widest, (size_t)cpu->weights.energy.units[l]);
  return larger(2 * widest, cpu->key_rows) * CPU_LANES;
}

static void worker_take(const struct cpu *cpu, struct cpu_arena *arena, struct cpu_worker *worker) {
  const size_t rows = (size_t)cpu->tile_rows;
  struct cpu_worker w = {0};
  for (int32_t d = 0; d < cpu->directions; d++) {
    w.rows[d] = arena_take(arena, rows, 1, sizeof *w.rows[d]);
    w.narrowed[d] = arena_floats(arena, larger(rows, PROJECTED_ROWS), arena_padded(cpu->config.features));
    w.projected[d] = arena_floats(arena, PROJECTED_ROWS, 4 * cpu->units_stride);
    w.cells[d] = arena_floats(arena, rows, cpu->units_stride);
  }
  w.pointers = arena_take(arena, larger(rows, CPU_LANES), 1, sizeof *w.pointers);
  w.hidden[0] = arena_floats(arena, rows, cpu->state_stride);
  w.hidden[1] = arena_floats(arena, rows, cpu->state_stride);
  w.cell = arena_floats(arena, rows, cpu->state_stride);
  w.context = arena_floats(arena, rows, cpu->annotation_stride);
  w.query = arena_floats(arena, rows, cpu->query_stride);
  w.logits = arena_floats(arena, rows, cpu->output_stride);
  w.energies = arena_floats(arena, arena_padded(cpu->limits.time), 1);
  w.scratch = arena_floats(arena, scratch_size(cpu), 1);
  w.active = arena_take(arena, rows, 1, sizeof *w.active);
  w.token = arena_take(arena, rows, 1, sizeof *w.token);
  if (worker && arena_real(arena))
    *worker = w;
}

void workspace_take(struct cpu *cpu, struct cpu_arena *arena) {
  const size_t batch = (size_t)cpu->limits.batch, time = arena_padded(cpu->limits.time);
  const int32_t threads = pool_threads(cpu->pool);
  cpu->layers[0] = arena_floats(arena, batch, cpu->layer_stride);
  if (cpu->config.layers > 1)
    cpu->layers[1] = arena_floats(arena, batch, cpu->layer_stride);
  if (cpu->directions == 2 && cpu->config.merge != CUSEQ_MERGE_CONCAT)
    cpu->sides = arena_floats(arena, batch, cpu->side_stride);
  if (cpu->keyed)
    cpu->keys = arena_floats(arena, batch, cpu->key_rows * time);
  cpu->key_powers = arena_take(arena, batch, 1, sizeof *cpu->key_powers);
  cpu->final_h = arena_floats(arena, batch, cpu->final_stride);
  cpu->final_c = arena_floats(arena, batch, cpu->final_stride);
  cpu->zeros = arena_floats(arena, larger(cpu->units_stride, cpu->state_stride), 1);
  cpu->lengths = arena_take(arena, batch, 1, sizeof *cpu->lengths);
  cpu->order = arena_take(arena, batch, 1, sizeof *cpu->order);
  cpu->counts = arena_take(arena, (size_t)cpu->limits.time + 1, 1, sizeof *cpu->counts);
  cpu->workers = arena_take(arena, (size_t)threads, 1, sizeof *cpu->workers);
  for (int32_t i = 0; i < threads; i++)
    worker_take(cpu, arena, cpu->workers ? &cpu->workers[i] : NULL);
}
