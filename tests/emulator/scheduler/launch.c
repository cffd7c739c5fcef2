/* A launch: whether it is possible, and running it to its end. */
#define _POSIX_C_SOURCE 200809L
#include "block.h"

#include "../checks/order.h"
#include "../checks/report.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024, GRID_WORKSPACE_BYTES = 4096, DEFAULT_STACK = 1024, MAX_LOCAL = 512 * 1024 };

static enum emu_status refuse(struct emu_error *error, enum emu_status status,
                              const struct emu_launch_parameters *p, const char *what, uint64_t found,
                              uint64_t needed) {
  error->status = status;
  snprintf(error->text, sizeof error->text, "launch of %s: %s (found %llu, at most %llu)",
           p->kernel->readable_name, what, (unsigned long long)found, (unsigned long long)needed);
  return status;
}

static enum emu_status validate_shape(const struct emu_launch_parameters *p, struct emu_error *error) {
  const struct emu_function *f = p->kernel->function;
  const struct emu_dim3 *g = &p->grid, *b = &p->block;
  if (!g->x || !g->y || !g->z || !b->x || !b->y || !b->z)
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p, "a grid or block dimension is 0", 0, 0);
  if (g->x > INT32_MAX || g->y > 65535 || g->z > 65535)
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p, "the grid is too large",
                  g->x > INT32_MAX ? g->x
                  : g->y > 65535   ? g->y
                                   : g->z,
                  g->x > INT32_MAX ? INT32_MAX : 65535);
  if (b->x > 1024 || b->y > 1024 || b->z > 64)
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p, "a block dimension is too large",
                  b->x > 1024   ? b->x
                  : b->y > 1024 ? b->y
                                : b->z,
                  b->z > 64 ? 64 : 1024);
  uint64_t threads = (uint64_t)b->x * b->y * b->z;
  if (threads > MAX_THREADS)
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p, "too many threads in a block", threads,
                  MAX_THREADS);
  if (threads > f->max_threads)
    return refuse(error, EMU_ERROR_LAUNCH_RESOURCES, p, "more threads in a block than its launch bounds",
                  threads, f->max_threads);
  const uint32_t *r = f->required_block;
  if (r[0] && (r[0] != b->x || r[1] != b->y || r[2] != b->z))
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p,
                  "the block is not of the size that the kernel requires", threads,
                  (uint64_t)r[0] * r[1] * r[2]);
  return EMU_OK;
}

static void cluster_of(const struct emu_launch_parameters *p, uint32_t dim[3]) {
  const uint32_t *required = p->kernel->function->required_cluster;
  const uint32_t asked[3] = {p->cluster.x, p->cluster.y, p->cluster.z};
  for (int i = 0; i < 3; i++)
    dim[i] = required[0] ? (required[i] ? required[i] : 1) : asked[i] ? asked[i] : 1;
}

static enum emu_status validate_cluster(const struct emu_launch_parameters *p, struct emu_error *error) {
  uint32_t dim[3];
  cluster_of(p, dim);
  uint64_t size = (uint64_t)dim[0] * dim[1] * dim[2];
  if (size > EMU_MAX_CLUSTER || (size > 1 && emu_settings()->capability < 90))
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p, "the cluster is too large for the device", size,
                  emu_settings()->capability < 90 ? 1 : EMU_MAX_CLUSTER);
  if (p->grid.x % dim[0] || p->grid.y % dim[1] || p->grid.z % dim[2])
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p, "the grid is no multiple of the cluster",
                  p->grid.x, dim[0]);
  return EMU_OK;
}

enum emu_status emu_launch_validate(const struct emu_launch_parameters *p, struct emu_error *error) {
  const struct emu_settings *settings = emu_settings();
  struct emu_program *program = emu_kernel_program(p->kernel, error);
  if (!program)
    return error->status;
  enum emu_status status = validate_shape(p, error);
  if (status == EMU_OK)
    status = validate_cluster(p, error);
  if (status != EMU_OK)
    return status;
  uint64_t shared = (uint64_t)program->shared_bytes + p->dynamic_shared;
  if (shared > settings->shared_per_block)
    return refuse(error, EMU_ERROR_LAUNCH_CONFIGURATION, p, "too many bytes of shared memory", shared,
                  settings->shared_per_block);
  if (p->argument_bytes < program->parameter_bytes)
    return refuse(error, EMU_ERROR_INVALID_VALUE, p, "too few bytes of arguments", p->argument_bytes,
                  program->parameter_bytes);
  if (p->cooperative) {
    uint64_t threads = (uint64_t)p->block.x * p->block.y * p->block.z;
    uint64_t fit = (uint64_t)settings->multiprocessors *
                   emu_kernel_occupancy(p->kernel, (uint32_t)threads, p->dynamic_shared);
    uint64_t blocks = (uint64_t)p->grid.x * p->grid.y * p->grid.z;
    if (blocks > fit)
      return refuse(error, EMU_ERROR_COOPERATIVE_TOO_LARGE, p, "too many blocks to be resident at once",
                    blocks, fit);
  }
  return EMU_OK;
}

/* Memory that cooperative groups synchronise grids with, zero at the start of each launch. */
static bool prepare_workspace(struct emu_launch *l, struct emu_error *error) {
  static struct emu_allocation *workspaces[16];
  int device = l->kernel->module->device;
  if (!workspaces[device]) {
    workspaces[device] =
        emu_allocation_create(device, GRID_WORKSPACE_BYTES, 512, EMU_MEMORY_DEVICE, "launch", error);
    if (!workspaces[device])
      return false;
    workspaces[device]->name = "(grid workspace)";
  }
  struct emu_allocation *a = workspaces[device];
  memset(a->host, 0, a->size);
  memset(a->initialised, 1, a->size);
  l->grid_workspace = a->base;
  return true;
}

static bool prepare(struct emu_launch *l, const struct emu_launch_parameters *p, struct emu_error *error) {
  const struct emu_settings *settings = emu_settings();
  l->parameters = *p;
  l->kernel = p->kernel;
  l->program = p->kernel->program;
  l->arguments = p->arguments;
  l->block_total = (uint64_t)p->grid.x * p->grid.y * p->grid.z;
  l->threads_per_block = p->block.x * p->block.y * p->block.z;
  l->warps_per_block = (l->threads_per_block + EMU_LANES - 1) / EMU_LANES;
  cluster_of(p, l->cluster_dim);
  l->cluster_size = l->cluster_dim[0] * l->cluster_dim[1] * l->cluster_dim[2];
  l->shared_bytes = l->program->shared_bytes + p->dynamic_shared;
  if (l->program->uses_reserved_shared)
    l->reserved_shared = (l->shared_bytes + 127) & ~127u;
  uint64_t stack = p->stack_limit ? p->stack_limit : DEFAULT_STACK;
  l->local_bytes = l->program->stack_bytes + (l->program->recursive ? stack : 0);
  l->local_bytes = l->local_bytes > MAX_LOCAL ? MAX_LOCAL : (l->local_bytes + 15) & ~UINT64_C(15);
  l->checks = settings->checks != EMU_CHECKS_OFF;
  l->stops = settings->checks == EMU_CHECKS_ON;
  l->perturb = settings->perturb;
  l->max_steps = settings->max_steps;
  atomic_store(&l->stop_block, UINT64_MAX);
  atomic_store(&l->next_block, 0);
  l->reports = emu_reports_create();
  error->status = EMU_ERROR_HOST_MEMORY;
  snprintf(error->text, sizeof error->text, "launch of %s: no host memory", l->kernel->readable_name);
  return l->reports && (!p->cooperative || prepare_workspace(l, error)) && emu_order_launch_start(l);
}

enum emu_status emu_launch(const struct emu_launch_parameters *p, struct emu_launch_result *result) {
  struct emu_error error = {EMU_OK, ""};
  struct emu_launch l = {0};
  *result = (struct emu_launch_result){.status = EMU_OK};
  result->status = emu_launch_validate(p, &error);
  struct emu_tally *tallies = NULL;
  if (result->status == EMU_OK) {
    tallies = calloc(p->kernel->program->code_count, sizeof *tallies);
    if (!prepare(&l, p, &error) || !tallies || !emu_workers_run(&l, tallies)) {
      result->status = error.status;
    } else {
      emu_reports_finish(l.reports, result);
      enum emu_status status =
          emu_counters_collect(l.program, tallies, emu_settings()->counters != NULL, result);
      result->counters.blocks = l.block_total;
      result->counters.threads = l.block_total * l.threads_per_block;
      result->status = result->status == EMU_OK ? status : result->status;
      error.text[0] = '\0';
    }
    emu_order_launch_end(&l);
    emu_reports_destroy(l.reports);
  }
  if (!result->report && error.text[0] && result->status != EMU_OK)
    result->report = strdup(error.text);
  free(tallies);
  return result->status;
}

void emu_launch_result_free(struct emu_launch_result *result) {
  free(result->report);
  free(result->lines);
  *result = (struct emu_launch_result){0};
}
