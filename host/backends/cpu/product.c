/* Products of a tile's rows with weights, which one thread makes, or several in parts: each some columns of
 * the weights, so that every thread's second-level cache keeps weights of its own. Threads of the pool wait
 * for one another after each product, which takes some 0.2 us. */
#include "backends/cpu/cpu.h"

enum { GROUP = 4 }; /* vectors of columns that a product has in registers */

static int32_t smaller(int32_t a, int32_t b) {
  return a < b ? a : b;
}

int32_t product_parts(const struct cpu *cpu, const struct cpu_worker *worker, size_t bytes, int32_t count) {
  if (worker->parts <= 1)
    return 1;
  const size_t groups = ((size_t)count + ROWS_AT_A_TIME - 1) / ROWS_AT_A_TIME,
               most = bytes * groups / cpu->part_bytes;
  return most < 1 ? 1 : most < (size_t)worker->parts ? (int32_t)most : worker->parts;
}

/* Part `index` of `parts` even ones over `all` blocks, in multiples of `step`: the last one has the rest. */
static struct cpu_part part_at(int32_t all, int32_t step, int32_t parts, int32_t index) {
  const int64_t steps = (all + step - 1) / step;
  const int32_t first = (int32_t)(steps * index / parts) * step,
                end = smaller((int32_t)(steps * (index + 1) / parts) * step, all);
  return (struct cpu_part){first, end - first};
}

/* ---- dense layers ---- */

struct dense_call {
  const struct cpu *cpu;
  const struct cpu_dense *dense;
  const float *const *in;
  float *out;
  size_t stride;
  int32_t count;
  int32_t parts;
  bool turned;
};

static int32_t vectors_of(const struct cpu *cpu, int32_t units) {
  return (units + cpu->kernels->width - 1) / cpu->kernels->width;
}

static void dense_task(void *argument, int32_t index, int32_t worker) {
  const struct dense_call *call = argument;
  const struct cpu *cpu = call->cpu;
  const struct cpu_part part = part_at(vectors_of(cpu, call->dense->units), GROUP, call->parts, index);
  const struct cpu_dense dense =
      cpu_dense_part(call->dense, part, cpu->kernels->width, cpu->products->word_inputs);
  if (part.count > 0)
    cpu->products->dense(&dense, call->in, call->count, call->out + part.first * cpu->kernels->width,
                         call->stride, call->turned, cpu->workers[worker].room);
}

void product_dense(const struct cpu *cpu, const struct cpu_worker *worker, const struct cpu_dense *dense,
                   const float *const *in, int32_t count, float *out, size_t stride, bool turned) {
  const size_t bytes =
      (size_t)dense->inputs * (size_t)dense->units * sizeof(float) / (size_t)cpu->products->word_inputs;
  const int32_t parts = product_parts(cpu, worker, bytes, count);
  if (parts <= 1) {
    cpu->products->dense(dense, in, count, out, stride, turned, worker->room);
    return;
  }
  struct dense_call call = {cpu, dense, in, out, stride, count, parts, turned};
  pool_share(cpu->pool, parts, dense_task, &call);
}

/* ---- cells ---- */

/* The bytes of a cell's weights for that many inputs. */
static size_t cell_bytes(const struct cpu *cpu, const struct cpu_cell *cell, int32_t inputs) {
  return (size_t)inputs * (size_t)cell->units * (size_t)cell_gates(cell->kind) * sizeof(float) /
         (size_t)cpu->products->word_inputs;
}

/* The part of a cell that part `index` of `parts` is. */
static struct cpu_part cell_part(const struct cpu_cell *cell, int32_t parts, int32_t index) {
  return part_at(cell->blocks, cell_has_end(cell) || cell->beside ? GROUP : 2, parts, index);
}

struct steps_call {
  const struct cpu *cpu;
  const struct product_step *of;
  int32_t parts; /* of each */
};

/* The part's step, in the worker's own room. */
static struct cpu_cell_step step_part(const struct steps_call *call, int32_t index, int32_t worker) {
  struct cpu_cell_step step = *call->of[index / call->parts].step;
  step.part = cell_part(step.cell, call->parts, index % call->parts);
  step.room = call->cpu->workers[worker].room;
  return step;
}

static void step_task(void *argument, int32_t index, int32_t worker) {
  const struct steps_call *call = argument;
  const struct product_step *of = &call->of[index / call->parts];
  const struct cpu_cell_step step = step_part(call, index, worker);
  if (step.part.count > 0)
    call->cpu->products->cell_step(&step, of->rows, of->count);
}

static void end_task(void *argument, int32_t index, int32_t worker) {
  const struct steps_call *call = argument;
  const struct product_step *of = &call->of[index / call->parts];
  const struct cpu_cell_step step = step_part(call, index, worker);
  if (step.part.count > 0 && cell_has_end(step.cell))
    call->cpu->products->cell_end(&step, of->rows, of->count);
}

void product_steps(const struct cpu *cpu, const struct cpu_worker *worker, const struct product_step *of,
                   int32_t count) {
  int32_t parts = worker->parts / count;
  bool ends = false;
  for (int32_t n = 0; n < count && parts > 1; n++) {
    const struct cpu_cell *cell = of[n].step->cell;
    const int32_t inputs = of[n].step->started ? 0 : cell->inputs;
    parts =
        smaller(parts, product_parts(cpu, worker, cell_bytes(cpu, cell, inputs + cell->units), of[n].count));
    ends = ends || cell_has_end(cell);
  }
  for (int32_t n = 0; n < count && parts <= 1; n++)
    product_step_alone(cpu, &of[n]);
  if (parts <= 1)
    return;
  struct steps_call call = {cpu, of, parts};
  pool_share(cpu->pool, count * parts, step_task, &call);
  if (ends)
    pool_share(cpu->pool, count * parts, end_task, &call);
}

struct project_call {
  const struct cpu *cpu;
  const struct cpu_cell *cell;
  const struct cpu_cell_row *rows;
  int32_t count;
  int32_t parts;
  bool turned;
};

static void project_task(void *argument, int32_t index, int32_t worker) {
  const struct project_call *call = argument;
  const struct cpu_part part = cell_part(call->cell, call->parts, index);
  if (part.count > 0)
    call->cpu->products->cell_project(call->cell, call->rows, call->count, part, call->turned,
                                      call->cpu->workers[worker].room);
}

void product_project(const struct cpu *cpu, const struct cpu_worker *worker, const struct cpu_cell *cell,
                     const struct cpu_cell_row *rows, int32_t count, bool turned) {
  const int32_t parts = product_parts(cpu, worker, cell_bytes(cpu, cell, cell->inputs), count);
  if (parts <= 1) {
    cpu->products->cell_project(cell, rows, count, (struct cpu_part){0, cell->blocks}, turned, worker->room);
    return;
  }
  struct project_call call = {cpu, cell, rows, count, parts, turned};
  pool_share(cpu->pool, parts, project_task, &call);
}
