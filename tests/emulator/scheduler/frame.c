/* Frames of calls, and the registers in them whose value is known from the start. */
#include "block.h"

#include <stdlib.h>
#include <string.h>

uint32_t emu_cluster_size(const struct emu_warp *w) {
  return w->launch->cluster_size;
}

uint32_t emu_cluster_rank(const struct emu_warp *w) {
  return w->block->rank;
}

static uint32_t dimension(const struct emu_dim3 *d, uint32_t axis) {
  return axis == 0 ? d->x : axis == 1 ? d->y : d->z;
}

static uint64_t cluster_value(const struct emu_warp_state *s, uint32_t which) {
  const struct emu_block *b = s->block;
  const struct emu_launch *l = b->launch;
  uint32_t axis = (which - EMU_SPECIAL_CLUSTERID_X) % 3;
  uint32_t size = l->cluster_dim[axis];
  switch ((which - EMU_SPECIAL_CLUSTERID_X) / 3) {
  case 0:
    return b->position[axis] / size;
  case 1:
    return dimension(&l->parameters.grid, axis) / size;
  case 2:
    return b->position[axis] % size;
  default:
    return size;
  }
}

static uint64_t lane_mask(uint32_t which, unsigned lane) {
  uint32_t bit = 1u << lane;
  switch (which) {
  case EMU_SPECIAL_LANEMASK_EQ:
    return bit;
  case EMU_SPECIAL_LANEMASK_LE:
    return bit | (bit - 1);
  case EMU_SPECIAL_LANEMASK_LT:
    return bit - 1;
  case EMU_SPECIAL_LANEMASK_GE:
    return ~(bit - 1);
  default:
    return ~(bit | (bit - 1));
  }
}

uint64_t emu_special_value(const struct emu_warp_state *s, uint32_t which, unsigned lane) {
  const struct emu_block *b = s->block;
  const struct emu_launch *l = b->launch;
  if (which <= EMU_SPECIAL_TID_Z)
    return s->warp.thread[which - EMU_SPECIAL_TID_X][lane];
  if (which <= EMU_SPECIAL_NTID_Z)
    return dimension(&l->parameters.block, which - EMU_SPECIAL_NTID_X);
  if (which <= EMU_SPECIAL_CTAID_Z)
    return b->position[which - EMU_SPECIAL_CTAID_X];
  if (which <= EMU_SPECIAL_NCTAID_Z)
    return dimension(&l->parameters.grid, which - EMU_SPECIAL_NCTAID_X);
  if (which <= EMU_SPECIAL_CLUSTER_NCTAID_Z)
    return cluster_value(s, which);
  if (which >= EMU_SPECIAL_LANEMASK_EQ && which <= EMU_SPECIAL_LANEMASK_GT)
    return lane_mask(which, lane);
  switch (which) {
  case EMU_SPECIAL_CLUSTER_CTARANK:
    return b->rank;
  case EMU_SPECIAL_CLUSTER_NCTARANK:
    return l->cluster_size;
  case EMU_SPECIAL_IS_EXPLICIT_CLUSTER:
    return l->cluster_size > 1;
  case EMU_SPECIAL_LANEID:
    return lane;
  case EMU_SPECIAL_WARPID:
    return s->warp.index;
  case EMU_SPECIAL_NWARPID:
    return emu_settings()->threads_per_multiprocessor / 32;
  case EMU_SPECIAL_SMID:
    return b->index % (uint64_t)emu_settings()->multiprocessors;
  case EMU_SPECIAL_NSMID:
    return (uint64_t)emu_settings()->multiprocessors;
  case EMU_SPECIAL_GRIDID:
    return l->parameters.operation.id;
  case EMU_SPECIAL_DYNAMIC_SMEM:
    return l->parameters.dynamic_shared;
  case EMU_SPECIAL_TOTAL_SMEM:
  case EMU_SPECIAL_AGGR_SMEM:
    return l->shared_bytes;
  case EMU_SPECIAL_RESERVED_BEGIN:
  case EMU_SPECIAL_RESERVED_0:
    return l->reserved_shared;
  case EMU_SPECIAL_RESERVED_1:
    return l->reserved_shared + EMU_RESERVED_SHARED / 2;
  case EMU_SPECIAL_RESERVED_END:
    return l->reserved_shared + EMU_RESERVED_SHARED;
  case EMU_SPECIAL_ENVREG + 1:
    return l->grid_workspace >> 32;
  case EMU_SPECIAL_ENVREG + 2:
    return (uint32_t)l->grid_workspace;
  default:
    return 0;
  }
}

static bool differs_by_lane(const struct emu_frame_constant *c) {
  return c->kind == EMU_CONSTANT_SPECIAL &&
         (c->which <= EMU_SPECIAL_TID_Z || c->which == EMU_SPECIAL_LANEID ||
          (c->which >= EMU_SPECIAL_LANEMASK_EQ && c->which <= EMU_SPECIAL_LANEMASK_GT));
}

#define FILL(type, expression)                                                                               \
  for (unsigned lane = 0; lane < EMU_LANES; lane++)                                                          \
  ((type *)(void *)at)[lane] = (type)(expression)

static void fill_constants(struct emu_warp_state *s, struct emu_frame *f) {
  for (uint32_t i = 0; i < f->function->constant_count; i++) {
    const struct emu_frame_constant *c = &f->function->constants[i];
    unsigned char *at = f->registers + c->offset;
    uint64_t value =
        c->kind == EMU_CONSTANT_LOCAL ? f->local_base + c->value : emu_special_value(s, c->which, 0);
    if (c->kind == EMU_CONSTANT_SPECIAL && c->which <= EMU_SPECIAL_TID_Z && c->bytes == 4)
      memcpy(at, s->warp.thread[c->which - EMU_SPECIAL_TID_X], sizeof s->warp.thread[0]);
    else if (differs_by_lane(c) && c->bytes == 4)
      FILL(uint32_t, emu_special_value(s, c->which, lane));
    else if (differs_by_lane(c) && c->bytes == 8)
      FILL(uint64_t, emu_special_value(s, c->which, lane));
    else if (differs_by_lane(c))
      FILL(uint16_t, emu_special_value(s, c->which, lane));
    else if (c->bytes == 4)
      FILL(uint32_t, value);
    else if (c->bytes == 8)
      FILL(uint64_t, value);
    else
      FILL(uint16_t, value);
  }
}

struct emu_frame *emu_frame_enter(struct emu_warp_state *s, const struct emu_code_function *function,
                                  struct emu_frame *parent) {
  struct emu_frame **from = &s->unused_frames, *f;
  while (*from && (*from)->capacity < function->frame_bytes)
    from = &(*from)->parent;
  f = *from;
  if (f) {
    *from = f->parent;
  } else {
    f = calloc(1, sizeof *f);
    unsigned char *registers = f ? aligned_alloc(64, function->frame_bytes) : NULL;
    if (!registers) {
      free(f);
      return NULL;
    }
    f->registers = registers;
    f->capacity = function->frame_bytes;
  }
  for (uint32_t i = 0; i < function->zero_count; i++)
    memset(f->registers + function->zeros[i].offset, 0, function->zeros[i].bytes);
  f->function = function;
  f->holders = 1;
  f->parent = parent;
  f->depth = parent ? parent->depth + 1 : 0;
  f->local_base = parent ? parent->local_base + parent->function->local_bytes : 0;
  if (parent)
    emu_frame_hold(parent);
  fill_constants(s, f);
  return f;
}

void emu_frame_hold(struct emu_frame *f) {
  f->holders++;
}

void emu_frame_drop(struct emu_warp_state *s, struct emu_frame *f) {
  while (f && --f->holders == 0) {
    struct emu_frame *parent = f->parent;
    f->parent = s->unused_frames;
    s->unused_frames = f;
    f = parent;
  }
}
