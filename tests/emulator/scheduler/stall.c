/* Launches that go on for ever. Where all warps that are left come back to the registers and the place that
 * they had, and nothing has been written meanwhile, they will do so again: nobody has to wait for the step
 * budget. */
#include "block.h"

#include "../memory/memory.h"

#include <string.h>

/* Registers that hold a clock never come back: with those, places alone have to, for longer. */
enum { STEPS_BETWEEN = 50000, BYTES_OF_STEP = 1024, TIMES_THE_SAME = 4, TIMES_WITH_CLOCKS = 100 };

static uint64_t mix(uint64_t hash, uint64_t value) {
  return (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15) + (hash >> 29);
}

static uint64_t mix_bytes(uint64_t hash, const unsigned char *bytes, uint64_t count) {
  for (uint64_t i = 0; i + 8 <= count; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    hash = mix(hash, word);
  }
  return hash;
}

static uint64_t mix_path(uint64_t hash, const struct emu_path *p, bool registers, uint64_t *bytes) {
  hash = mix(hash, (uint64_t)p->lanes << 32 | (registers ? p->next : p->state));
  for (const struct emu_frame *f = registers ? p->frame : NULL; f; f = f->parent) {
    hash = mix_bytes(hash, f->registers, f->function->frame_bytes);
    *bytes += f->function->frame_bytes;
  }
  return hash;
}

/* All that the running blocks are; *bytes: how much that was. Who has the next turn is no part of it. */
static uint64_t state_of(const struct emu_worker *w, uint64_t *bytes) {
  uint64_t hash = 1;
  for (uint32_t c = 0; c < w->resident_count; c++)
    for (uint32_t i = 0; i < w->resident[c]->count; i++) {
      const struct emu_block *b = &w->resident[c]->blocks[i];
      if (!b->running)
        continue;
      hash = mix_bytes(hash, b->shared, b->shared_bytes);
      *bytes += b->shared_bytes;
      for (uint32_t k = 0; k < b->warp_count; k++)
        for (uint32_t p = 0; p < b->warps[k].path_count; p++)
          hash = mix_path(hash, &b->warps[k].paths[p], !w->clocked, bytes);
    }
  return hash;
}

/* Stores, and atomic operations that have changed something. */
static uint64_t writes_of(const struct emu_worker *w) {
  uint64_t writes = w->changes;
  for (uint32_t i = 0; i < w->launch->program->code_count; i++)
    writes += w->tallies[i].global_requests[EMU_TALLY_STORE] + w->tallies[i].shared_requests[EMU_TALLY_STORE];
  return writes;
}

static uint64_t looked_at(const struct emu_warp *w, bool *global) {
  const struct emu_instruction *in = w->look;
  *global = in && (in->space == EMU_SPACE_GLOBAL ||
                   (in->space == EMU_SPACE_GENERIC && emu_space_of(w->look_address) == EMU_SPACE_GLOBAL));
  return w->look_address;
}

static bool is_ready(const struct emu_warp_state *s) {
  for (uint32_t p = 0; p < s->path_count; p++)
    if (s->paths[p].state == EMU_PATH_READY)
      return true;
  return false;
}

/* The first warp that goes on; NULL if there is none, if one looks at memory that the host may change, or at
 * clocks alone. */
static struct emu_warp_state *who_goes_on(const struct emu_worker *w) {
  struct emu_warp_state *first = NULL;
  for (uint32_t c = 0; c < w->resident_count; c++)
    for (uint32_t i = 0; i < w->resident[c]->count; i++) {
      struct emu_block *b = &w->resident[c]->blocks[i];
      for (uint32_t k = 0; b->running && k < b->warp_count; k++) {
        struct emu_warp_state *s = &b->warps[k];
        bool global;
        if (!is_ready(s))
          continue;
        const uint64_t address = looked_at(&s->warp, &global);
        const struct emu_allocation *a = global ? emu_allocation_find(address) : NULL;
        if ((a && a->kind != EMU_MEMORY_DEVICE) || (w->clocked && !s->warp.look))
          return NULL;
        first = first ? first : s;
      }
    }
  return first;
}

static void report(const struct emu_worker *w, struct emu_warp_state *s) {
  const struct emu_launch *l = w->launch;
  char where[400] = "", what[300] = "", rest[120] = "";
  const uint64_t clusters = l->block_total / l->cluster_size, begun = atomic_load(&l->next_block);
  uint32_t index = 0;
  bool global;
  while (s->paths[index].state != EMU_PATH_READY)
    index++;
  emu_path_load(s, index);
  const uint64_t address = looked_at(&s->warp, &global);
  const struct emu_allocation *a = global ? emu_allocation_find(address) : NULL;
  if (a)
    emu_allocation_describe(a, what, sizeof what);
  if (a)
    snprintf(where, sizeof where, " (it looks at 0x%llx, %llu bytes into %s)", (unsigned long long)address,
             (unsigned long long)(address - a->base), what);
  else if (s->warp.look)
    snprintf(where, sizeof where, " (it looks at shared memory at 0x%x)", (uint32_t)address);
  if (begun < clusters)
    snprintf(rest, sizeof rest, "; %llu of %llu blocks have not begun, as no more fit on the device at once",
             (unsigned long long)((clusters - begun) * l->cluster_size), (unsigned long long)l->block_total);
  emu_fault(
      &s->warp, &l->program->code[s->warp.next], (unsigned)__builtin_ctz(s->warp.active), EMU_FAULT_TIMEOUT,
      "deadlock: the thread waits for what nobody will do, and so does every other that has not ended%s%s",
      where, rest);
}

/* Until they look again. */
static void forget_looks(struct emu_worker *w) {
  for (uint32_t c = 0; c < w->resident_count; c++)
    for (uint32_t i = 0; i < w->resident[c]->count; i++)
      for (uint32_t k = 0; k < w->resident[c]->blocks[i].warp_count; k++)
        w->resident[c]->blocks[i].warps[k].warp.look = NULL;
}

/* Whether it was time to look; t->times then says how often all has been as it was the time before. */
static bool has_looked(struct emu_worker *w) {
  struct emu_stall *t = &w->stall;
  uint64_t bytes = 0;
  if (w->steps - t->steps < STEPS_BETWEEN + t->bytes / BYTES_OF_STEP)
    return false;
  const uint64_t writes = writes_of(w);
  const bool quiet = t->steps && writes == t->writes;
  const uint64_t state = quiet ? state_of(w, &bytes) : 0;
  const bool same = quiet && state == t->state;
  *t = (struct emu_stall){.steps = w->steps,
                          .writes = writes,
                          .state = state,
                          .bytes = bytes,
                          .times = same ? t->times + 1 : 0,
                          .idle = t->idle};
  if (w->clocked && t->times != 2 * TIMES_WITH_CLOCKS)
    forget_looks(w);
  return true;
}

void emu_stall_end(struct emu_worker *w) {
  if (w->stall.idle)
    return;
  w->stall.idle = true;
  atomic_fetch_add(&w->launch->idle, 1);
}

bool emu_stall_check(struct emu_worker *w) {
  struct emu_stall *t = &w->stall;
  const uint32_t enough = w->clocked ? TIMES_WITH_CLOCKS : TIMES_THE_SAME;
  if (!has_looked(w))
    return false;
  if (t->times >= enough)
    emu_stall_end(w);
  else if (t->idle) {
    t->idle = false;
    atomic_fetch_sub(&w->launch->idle, 1);
  }
  if (t->times < 2 * enough || atomic_load(&w->launch->idle) < w->launch->workers)
    return false;
  struct emu_warp_state *s = who_goes_on(w);
  if (s)
    report(w, s);
  return s != NULL;
}
