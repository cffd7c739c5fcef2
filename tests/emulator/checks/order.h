/* What happens before what, by PTX's memory model: between the threads of a block (for shared memory) and
 * between the blocks of a launch and other operations (for global memory). Global memory is seen block by
 * block: what any thread of a block did counts as done by the block. */
#ifndef EMU_ORDER_H
#define EMU_ORDER_H

#include "../scheduler/block.h"

/* Both return false if the host has no memory. */
bool emu_order_launch_start(struct emu_launch *launch);
void emu_order_launch_end(struct emu_launch *launch);
bool emu_order_block_start(struct emu_block *block);
void emu_order_block_end(struct emu_block *block);
void emu_order_block_free(struct emu_block *block);

/* The lanes of each warp meet at a barrier of the block. */
void emu_order_barrier(struct emu_block *block, const uint32_t lanes[EMU_MAX_WARPS]);
/* All blocks of a cluster meet. */
void emu_order_cluster(struct emu_cluster *cluster);
/* bar.warp.sync: each lane in mask with the lanes of its member mask. */
void emu_order_warp(struct emu_warp *warp, const uint32_t members[EMU_LANES], uint32_t mask);
void emu_order_fence(struct emu_warp *warp, uint32_t mask, enum emu_scope scope);
/* A strong access (EMU_READ, EMU_WRITE, both for atomics): with fences around it, it orders. */
void emu_order_strong(struct emu_warp *warp, unsigned lane, const void *object, unsigned kind,
                      enum emu_scope scope);

#endif
