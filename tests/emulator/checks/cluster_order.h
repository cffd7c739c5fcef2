/* Order between the threads of a cluster's blocks. A cluster has none of this (order NULL) if it is of one
 * block and uses no barrier.cluster, or if the checks are off: then nothing happens here. */
#ifndef EMU_CLUSTER_ORDER_H
#define EMU_CLUSTER_ORDER_H

#include "races.h"

enum { EMU_TIME_BITS = 17 };

struct emu_cluster_order *emu_cluster_order_make(const struct emu_cluster *c);
void emu_cluster_order_free(struct emu_cluster_order *order);

/* When a thread of a block did something: its block's time, and how often the times have started again. */
uint32_t emu_stamp(const struct emu_block *b, uint32_t time);
/* Whether what thread `about` of another block did up to the stamp happens before what a thread of `b` does
 * now. */
bool emu_cluster_knows(const struct emu_block *b, uint32_t thread, const struct emu_block *other,
                       uint32_t about, uint32_t stamp);
/* `own`: what the thread knows of each thread of its block, by time. wide: for the whole cluster, not the
 * block alone. */
void emu_cluster_release(struct emu_block *b, uint32_t thread, const void *object, const uint32_t *own,
                         bool wide);
void emu_cluster_acquire(struct emu_block *b, uint32_t thread, const void *object, bool wide);
/* A relaxed look, which orders from the next fence on. */
void emu_cluster_look(struct emu_block *b, uint32_t thread, const void *object, bool wide);
void emu_cluster_fence(struct emu_block *b, uint32_t thread, uint32_t now, bool wide);
bool emu_cluster_fenced(const struct emu_block *b, uint32_t thread);
/* What was published at `from` is from now on published at `to`. */
void emu_cluster_complete(struct emu_cluster *c, const void *from, const void *to);
/* These lanes of each warp meet: all learn what any of them knows. */
void emu_cluster_join(struct emu_block *b, const uint32_t lanes[EMU_MAX_WARPS]);

/* barrier.cluster: a thread arrives; all have; a thread has waited. */
void emu_cluster_arrival(struct emu_block *b, uint32_t thread, uint32_t now, bool releases);
void emu_cluster_phase_over(struct emu_cluster *c);
void emu_cluster_waited(struct emu_block *b, uint32_t thread);
/* Up to which of its block's times the arrival of a thread at the phase that is over covers; 0: nothing. */
uint32_t emu_cluster_arrived(const struct emu_block *b, uint32_t thread);
/* Whether the block, whose threads have all ended, can not have ended before that access of another block's
 * thread. */
bool emu_cluster_outlives(const struct emu_block *b, const struct emu_block *other, uint32_t about,
                          uint32_t stamp);

/* Whether the block has waited at a barrier.cluster that the thread arrived at after the stamp, released
 * or not. */
bool emu_cluster_has_met(const struct emu_block *b, const struct emu_block *other, uint32_t about,
                         uint32_t stamp);
/* cluster_inits.c: whether the last write of a word is the initialisation of an mbarrier that a block
 * knows of. */
bool emu_init_is_known(const struct emu_block *b, const struct emu_block *owner, uint32_t word);

/* cluster_races.c: accesses to shared memory of another block, and the owner's to what others have accessed.
 * False after a report that ends the launch. */
bool emu_race_foreign(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                      struct emu_block *owner, uint32_t offset, unsigned bytes, unsigned kind);
bool emu_race_with_foreign(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                           uint32_t offset, unsigned bytes, unsigned kind);
/* A block has ended: others must not have been able to access its shared memory any more. */
void emu_foreign_end(struct emu_block *b);

#endif
