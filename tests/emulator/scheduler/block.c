/* A thread block: its memory, its warps and their turns. */
#include "block.h"

#include "../checks/order.h"

#include <stdlib.h>
#include <string.h>

static bool reserve_shared(struct emu_block *b, uint32_t own, uint32_t reserved_at) {
  uint32_t bytes =
      reserved_at || b->launch->program->uses_reserved_shared ? reserved_at + EMU_RESERVED_SHARED : own;
  b->shared_bytes = bytes;
  if (bytes > b->shared_capacity) {
    uint32_t capacity = (bytes + 127) & ~127u;
    free(b->shared);
    free(b->shared_initialised);
    b->shared = aligned_alloc(64, capacity);
    b->shared_initialised = aligned_alloc(64, capacity);
    b->shared_capacity = b->shared && b->shared_initialised ? capacity : 0;
    if (!b->shared_capacity)
      return false;
  }
  if (bytes) {
    memset(b->shared, 0, bytes);
    memset(b->shared_initialised, 0, bytes);
    if (bytes > own)
      memset(b->shared_initialised + reserved_at, 1, EMU_RESERVED_SHARED);
  }
  return true;
}

bool emu_block_start(struct emu_block *b, struct emu_launch *launch, struct emu_worker *worker,
                     struct emu_cluster *cluster, uint64_t index, const uint32_t position[3], uint32_t rank) {
  b->launch = launch;
  b->worker = worker;
  b->cluster = cluster;
  b->index = index;
  memcpy(b->position, position, sizeof b->position);
  b->rank = rank;
  b->arrived = 0;
  b->releases = false;
  b->thread_count = launch->threads_per_block;
  b->warp_count = b->running = launch->warps_per_block;
  memset(b->barriers, 0, sizeof b->barriers);
  if (!reserve_shared(b, launch->shared_bytes, launch->reserved_shared))
    return false;
  if (b->warp_capacity < b->warp_count) {
    struct emu_warp_state *grown = realloc(b->warps, b->warp_count * sizeof *grown);
    if (!grown)
      return false;
    memset(grown + b->warp_capacity, 0, (b->warp_count - b->warp_capacity) * sizeof *grown);
    b->warps = grown;
    b->warp_capacity = b->warp_count;
  }
  b->live = true;
  for (uint32_t i = 0; i < b->warp_count; i++)
    if (!emu_warp_start(&b->warps[i], b, i))
      return false;
  worker->blocks++;
  worker->threads += b->thread_count;
  return emu_order_block_start(b);
}

/* Which warp goes first: warp 0, or one that the seed and the block choose. */
static uint32_t first_warp(const struct emu_block *b) {
  uint64_t seed = emu_settings()->seed;
  if (!seed)
    return 0;
  uint64_t mixed = (seed + b->index) * UINT64_C(0x9e3779b97f4a7c15);
  return (uint32_t)((mixed >> 32) % b->warp_count);
}

bool emu_block_turn(struct emu_block *b) {
  bool moved = false;
  uint32_t first = first_warp(b);
  for (uint32_t i = 0; i < b->warp_count; i++) {
    struct emu_warp_state *s = &b->warps[(first + i) % b->warp_count];
    if (!s->path_count || s->blocked)
      continue;
    moved = emu_warp_run(s) || moved;
    if (s->warp.stop & EMU_STOP_FAULT)
      return true;
    if (s->path_count)
      continue;
    emu_warp_end(s);
    moved = true;
    if (--b->running == 0)
      emu_order_block_ended(b);
  }
  return moved;
}

bool emu_block_busy(const struct emu_block *b) {
  for (uint32_t i = 0; i < b->warp_count; i++)
    if (b->warps[i].path_count && !b->warps[i].blocked && !b->warps[i].yielded)
      return true;
  return false;
}

bool emu_block_blocked(const struct emu_block *b) {
  for (uint32_t i = 0; i < b->warp_count; i++)
    if (b->warps[i].path_count && !b->warps[i].blocked)
      return false;
  return true;
}

/* Lanes that wait at a meeting for lanes that wait at a barrier: an aligned barrier must not be reached by
 * a part of a warp, any other may. */
static bool may_release(const struct emu_warp_state *s) {
  const struct emu_instruction *code = s->warp.launch->program->code;
  for (uint32_t k = 0; k < s->path_count; k++)
    if (s->paths[k].state == EMU_PATH_BARRIER && code[s->paths[k].next - 1].option[EMU_OPTION_ALIGNED])
      return false;
  return true;
}

bool emu_block_release(struct emu_block *b) {
  bool released = false;
  for (uint32_t i = 0; i < b->warp_count; i++)
    if (b->warps[i].path_count && may_release(&b->warps[i]) &&
        emu_meeting_release(&b->warps[i], EMU_ALL_LANES)) {
      b->warps[i].blocked = false;
      released = true;
    }
  return released;
}

void emu_block_end(struct emu_block *b) {
  for (uint32_t i = 0; i < b->warp_count && b->live; i++)
    emu_warp_end(&b->warps[i]);
  emu_order_block_end(b);
  b->live = false;
}

void emu_block_free(struct emu_block *b) {
  for (uint32_t i = 0; i < b->warp_capacity; i++)
    emu_warp_free(&b->warps[i]);
  free(b->warps);
  free(b->shared);
  free(b->shared_initialised);
  emu_order_block_free(b);
  *b = (struct emu_block){0};
}
