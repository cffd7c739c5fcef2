/* Which blocks run, and on how many host threads. A worker keeps one cluster (most often a single block)
 * running until it ends; only when that one just looks at memory that others have to change does it start
 * further ones and lets all take turns. */
#include "block.h"

#include "../checks/order.h"

#include <pthread.h>
#include <stdlib.h>

static void position_of(const struct emu_launch *l, uint64_t cluster, uint32_t rank, uint32_t position[3],
                        uint64_t *index) {
  const struct emu_dim3 *g = &l->parameters.grid;
  uint64_t across[3] = {g->x / l->cluster_dim[0], g->y / l->cluster_dim[1], g->z / l->cluster_dim[2]};
  const uint32_t *d = l->cluster_dim;
  position[0] = (uint32_t)(cluster % across[0] * d[0] + rank % d[0]);
  position[1] = (uint32_t)(cluster / across[0] % across[1] * d[1] + rank / d[0] % d[1]);
  position[2] = (uint32_t)(cluster / across[0] / across[1] * d[2] + rank / d[0] / d[1]);
  *index = position[0] + (uint64_t)g->x * (position[1] + (uint64_t)g->y * position[2]);
}

static void out_of_memory(struct emu_cluster *c) {
  struct emu_block *b = &c->blocks[0];
  emu_fault(&b->warps[0].warp, &b->launch->program->code[0], 0, EMU_ERROR_HOST_MEMORY,
            "no host memory to run the block");
}

/* Starts the next cluster of the grid; false if there is none or the host has no memory. */
static bool start_cluster(struct emu_worker *w) {
  struct emu_launch *l = w->launch;
  uint64_t clusters = l->block_total / l->cluster_size;
  uint64_t next = atomic_fetch_add(&l->next_block, 1);
  if (next >= clusters)
    return false;
  struct emu_cluster *c = w->unused;
  if (c)
    w->unused = c->next;
  else
    c = calloc(1, sizeof *c);
  if (!c)
    return false;
  w->resident[w->resident_count++] = c;
  c->count = c->live = l->cluster_size;
  c->arrived = c->phase = 0;
  for (uint32_t i = 0; i < c->count; i++) {
    uint32_t position[3];
    uint64_t index;
    position_of(l, next, i, position, &index);
    if (emu_block_start(&c->blocks[i], l, w, c, index, position, i))
      continue;
    if (c->blocks[i].warps)
      out_of_memory(c);
    return false;
  }
  return true;
}

static void end_cluster(struct emu_worker *w, uint32_t at) {
  struct emu_cluster *c = w->resident[at];
  for (uint32_t i = 0; i < c->count; i++)
    emu_block_end(&c->blocks[i]);
  emu_order_cluster_end(c);
  for (uint32_t i = at; i + 1 < w->resident_count; i++)
    w->resident[i] = w->resident[i + 1];
  w->resident_count--;
  c->next = w->unused;
  w->unused = c;
}

/* A turn of every block of a cluster; false if the cluster is at its end. */
static bool cluster_turn(struct emu_cluster *c, bool *busy) {
  bool moved = false, blocked = true;
  uint32_t running = 0;
  *busy = false;
  for (uint32_t i = 0; i < c->count; i++) {
    struct emu_block *b = &c->blocks[i];
    if (!b->running)
      continue;
    moved = emu_block_turn(b) || moved;
    if (atomic_load_explicit(&b->launch->stop_block, memory_order_relaxed) <= b->index)
      return false;
    running += b->running != 0;
  }
  for (uint32_t i = 0; i < c->count; i++) {
    *busy = *busy || (c->blocks[i].running && emu_block_busy(&c->blocks[i]));
    blocked = blocked && (!c->blocks[i].running || emu_block_blocked(&c->blocks[i]));
  }
  if (running && blocked) {
    bool released = false;
    for (uint32_t i = 0; i < c->count; i++)
      released = (c->blocks[i].running && emu_block_release(&c->blocks[i])) || released;
    *busy = released;
    for (uint32_t i = 0; i < c->count && !released; i++)
      if (c->blocks[i].running) {
        emu_block_stuck(&c->blocks[i]);
        return false;
      }
  }
  return running != 0;
}

static void *run_worker(void *argument) {
  struct emu_worker *w = argument;
  struct emu_launch *l = w->launch;
  bool more = true;
  while (more || w->resident_count) {
    bool any_busy = false;
    for (uint32_t i = 0; i < w->resident_count;) {
      bool busy;
      if (cluster_turn(w->resident[i], &busy)) {
        any_busy = any_busy || busy;
        i++;
        if (busy)
          break; /* the older ones first */
      } else {
        end_cluster(w, i);
      }
    }
    if (atomic_load(&l->stop_block) == UINT64_MAX && emu_stall_check(w))
      break;
    if (atomic_load(&l->stop_block) != UINT64_MAX) {
      more = false; /* blocks below it have been started already, and end */
      if (l->workers == 1)
        break;
    }
    if (more && !any_busy && w->resident_count < w->resident_limit)
      more = start_cluster(w);
  }
  emu_stall_end(w);
  while (w->resident_count)
    end_cluster(w, w->resident_count - 1);
  while (w->unused) {
    struct emu_cluster *c = w->unused;
    w->unused = c->next;
    for (uint32_t i = 0; i < EMU_MAX_CLUSTER; i++)
      emu_block_free(&c->blocks[i]);
    free(c);
  }
  return NULL;
}

static uint32_t resident_limit(const struct emu_launch *l) {
  uint64_t clusters = l->block_total / l->cluster_size;
  uint64_t limit = 1;
  if (l->parameters.cooperative)
    limit = clusters;
  else if (l->program->flags & (EMU_FLAG_SYNCHRONISES | EMU_FLAG_SERIAL))
    limit = (uint64_t)emu_settings()->multiprocessors *
            emu_kernel_occupancy(l->kernel, l->threads_per_block, l->parameters.dynamic_shared) /
            l->cluster_size;
  limit = limit < 1 ? 1 : limit;
  return (uint32_t)(limit < clusters ? limit : clusters);
}

static bool prepare_worker(struct emu_worker *w, struct emu_launch *l, struct emu_tally *tallies,
                           uint32_t limit) {
  *w = (struct emu_worker){.launch = l, .tallies = tallies, .resident_limit = limit};
  w->cache = calloc(l->program->code_count, sizeof *w->cache);
  w->resident = calloc(limit, sizeof *w->resident);
  return w->cache && w->resident && tallies;
}

static void add_tallies(struct emu_tally *to, const struct emu_tally *from, uint32_t count) {
  uint64_t *a = (uint64_t *)to;
  const uint64_t *b = (const uint64_t *)from;
  for (size_t i = 0; i < count * (sizeof *to / sizeof *a); i++)
    a[i] += b[i];
}

static uint32_t worker_count(const struct emu_launch *l) {
  const struct emu_program *p = l->program;
  if (p->flags & EMU_FLAG_SERIAL || p->calls_printf || p->calls_heap || l->parameters.cooperative || l->order)
    return 1;
  uint64_t clusters = l->block_total / l->cluster_size;
  uint64_t threads = (uint64_t)emu_settings()->threads;
  uint64_t work = l->block_total * l->threads_per_block;
  enum { THREADS_WORTH_A_WORKER = 2048 };
  if (work < THREADS_WORTH_A_WORKER)
    return 1;
  return (uint32_t)(threads < clusters ? threads : clusters);
}

bool emu_workers_run(struct emu_launch *l, struct emu_tally *tallies) {
  uint32_t count = worker_count(l), limit = resident_limit(l), started = 0;
  struct emu_worker *workers = calloc(count, sizeof *workers);
  pthread_t *threads = calloc(count, sizeof *threads);
  bool ok = workers && threads;
  l->workers = count;
  for (uint32_t i = 0; ok && i < count; i++)
    ok = prepare_worker(&workers[i], l, i ? calloc(l->program->code_count, sizeof *tallies) : tallies, limit);
  if (ok) {
    for (uint32_t i = 1; i < count; i++, started++)
      if (pthread_create(&threads[i], NULL, run_worker, &workers[i]))
        break;
    run_worker(&workers[0]);
    for (uint32_t i = 1; i <= started; i++) {
      pthread_join(threads[i], NULL);
      add_tallies(tallies, workers[i].tallies, l->program->code_count);
    }
  }
  for (uint32_t i = 0; workers && i < count; i++) {
    if (i)
      free(workers[i].tallies);
    free(workers[i].cache);
    free(workers[i].resident);
  }
  free(workers);
  free(threads);
  return ok;
}
