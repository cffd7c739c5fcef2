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
/* barrier.cluster: lanes arrive; all threads of the cluster have arrived; lanes have waited for the phase
 * that is over. */
void emu_order_cluster_arrive(struct emu_warp *warp, uint32_t mask, bool releases);
void emu_order_cluster_over(struct emu_cluster *cluster);
void emu_order_cluster_waited(struct emu_warp *warp, uint32_t mask);
/* An asynchronous copy to shared memory of `owner` has been asked for; has been waited for. */
void emu_order_copy_begins(struct emu_warp *warp, unsigned lane, struct emu_block *owner, uint32_t offset,
                           unsigned bytes);
void emu_order_copy_ends(struct emu_block *owner, uint32_t offset, unsigned bytes);
/* One that is waited for at an mbarrier, in its phase `phase`; somebody has waited for an earlier one than
 * `phase`. */
void emu_order_copy_until(struct emu_warp *warp, unsigned lane, struct emu_block *owner, uint32_t offset,
                          unsigned bytes, const void *object, uint32_t phase);
void emu_order_copies_arrived(struct emu_warp *warp, const void *object, uint32_t phase);
/* A bulk copy to global memory reads the block's shared memory; commit_group; wait_group, but for `left`
 * groups. */
void emu_order_bulk_reads(struct emu_warp *warp, unsigned lane, uint32_t offset, uint32_t bytes);
void emu_order_bulk_commit(struct emu_warp *warp, uint32_t mask);
void emu_order_bulk_wait(struct emu_warp *warp, uint32_t mask, uint32_t left);
/* undefined.c: what shuffles of lanes that take no part give. `sources`: the lane that each lane reads; to,
 * from: the registers. */
void emu_undefined_shuffled(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask,
                            const void *to, const void *from, const uint8_t sources[EMU_LANES],
                            const uint32_t members[EMU_LANES]);
/* Before an instruction, where a register of the warp holds such a value; false after a report that ends the
 * launch. */
bool emu_undefined_before(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask);
void emu_undefined_forget(struct emu_warp *w);
/* A block's threads have all ended. */
void emu_order_block_ended(struct emu_block *block);
void emu_order_cluster_end(struct emu_cluster *cluster);
/* bar.warp.sync: each lane in mask with the lanes of its member mask. */
void emu_order_warp(struct emu_warp *warp, const uint32_t members[EMU_LANES], uint32_t mask);
/* mbarrier.init of 8 bytes at an offset of the block's shared memory; fence.mbarrier_init. */
void emu_order_init(struct emu_warp *warp, unsigned lane, uint32_t offset);
void emu_order_init_fence(struct emu_warp *warp, uint32_t mask);
void emu_order_fence(struct emu_warp *warp, uint32_t mask, enum emu_scope scope);
/* A strong access (EMU_READ, EMU_WRITE, both for atomics): with fences around it, it orders. */
/* Whether such accesses by lanes of the warp can order nothing yet: nobody has published anything, and
 * none of its threads has fenced. */
bool emu_orders_nothing(const struct emu_warp *warp);
void emu_order_strong(struct emu_warp *warp, unsigned lane, const void *object, unsigned kind,
                      enum emu_scope scope);

#endif
