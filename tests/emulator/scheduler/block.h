/* A launch that is being run: its blocks, their warps, and the paths that a warp's lanes have split into.
 * */
#ifndef EMU_BLOCK_H
#define EMU_BLOCK_H

#include "../counters/tally.h"
#include "../interpreter/interpreter.h"
#include "../program/module.h"

#include <stdatomic.h>

/* A call's registers and place in the stack of local memory. Held by the paths in it, by frames called from
 * it and by meetings. */
struct emu_frame {
  struct emu_frame *parent; /* the caller's; in the pool of unused frames the next one */
  const struct emu_code_function *function;
  uint32_t holders;
  uint32_t return_to; /* instruction behind the call */
  uint32_t capacity;
  uint32_t depth;
  uint64_t local_base;
  unsigned char *registers;
};

/* A point where lanes that went different ways continue together. Lanes that have arrived are held by the
 * meeting, not by a path. */
struct emu_meeting {
  struct emu_meeting *outer; /* where the lanes meet next; in the pool of unused meetings the next one */
  struct emu_frame *frame;
  uint32_t at;
  uint32_t expected, arrived;
  bool listed;
};

enum emu_path_state { EMU_PATH_READY, EMU_PATH_CONVERGE, EMU_PATH_BARRIER, EMU_PATH_CLUSTER };

/* Lanes that are at one instruction of one call. */
struct emu_path {
  uint32_t lanes, next;
  enum emu_path_state state;
  uint32_t wanted; /* EMU_PATH_CONVERGE: lanes that have to come; EMU_PATH_BARRIER: number of the barrier */
  bool granted;    /* its named lanes have come, at other instructions */
  struct emu_frame *frame;
  struct emu_meeting *meeting;
};

enum emu_stop {
  EMU_STOP_NONE = 0,
  EMU_STOP_FAULT = 1, /* the launch ends */
  EMU_STOP_PATH = 2,  /* the path has ended, split or waits: choose another */
  EMU_STOP_RETRY = 4, /* others have to do something first */
};

struct emu_warp_state {
  struct emu_warp warp; /* first: handlers get a pointer to this */
  struct emu_path paths[EMU_LANES];
  uint32_t path_count, current;
  struct emu_meeting **meetings;
  uint32_t meeting_count, meeting_capacity;
  struct emu_meeting *unused_meetings;
  struct emu_frame *unused_frames;
  unsigned char *local; /* lane by lane, local_bytes each */
  uint64_t local_capacity;
  bool blocked;        /* no path is ready */
  bool yielded;        /* the last turn ended with looks at what others have to change */
  uint32_t vain;       /* turns of paths, one after the other, that ended with such looks */
  uint32_t turn_polls; /* since the paths last took turns */
  uint64_t turn_steps;
  uint32_t cluster_phase[EMU_LANES]; /* of barrier.cluster that each lane has arrived at, + 1 */
  uint32_t exit_index[EMU_LANES];    /* instruction at which each lane exited */
  struct emu_block *block;
};

enum { EMU_BARRIERS = 16, EMU_MAX_WARPS = 32 };

struct emu_barrier {
  uint32_t expected; /* threads; 0 while nobody has come */
  uint32_t arrived;
  uint32_t joined; /* value of the reduction so far */
  uint32_t warps;  /* that have come: a bit per warp */
  uint32_t lanes[EMU_MAX_WARPS];
  uint32_t index; /* of the instruction that came first */
};

struct emu_shared_races;
struct emu_knowledge;

struct emu_block {
  struct emu_launch *launch;
  struct emu_worker *worker;
  struct emu_cluster *cluster;
  uint64_t index; /* in the grid, x fastest */
  uint32_t position[3];
  uint32_t rank;                              /* in the cluster */
  uint32_t warp_count, thread_count, running; /* warps that have not ended */
  struct emu_warp_state *warps;
  uint32_t warp_capacity;
  unsigned char *shared, *shared_initialised;
  uint32_t shared_bytes;
  uint32_t shared_capacity;
  struct emu_shared_races *races;
  struct emu_knowledge *knowledge; /* of other blocks; NULL if nothing in the launch orders blocks */
  uint32_t context;                /* who this block is in the race shadows of global memory */
  uint32_t several; /* the reader "blocks of this launch, this one among them"; 0 if there is none */
  struct emu_barrier barriers[EMU_BARRIERS];
  uint32_t arrived; /* threads that have come to barrier.cluster in this phase */
  bool releases;    /* one of them at least with .release */
  bool live;        /* started and not at its end */
};

enum { EMU_MAX_CLUSTER = 16 };

/* Blocks that run together: of a cluster, or a single one. */
struct emu_cluster {
  struct emu_block blocks[EMU_MAX_CLUSTER];
  uint32_t count, live;
  uint32_t arrived; /* threads that have come to barrier.cluster */
  uint32_t phase;
  struct emu_cluster_order *order; /* between its threads; NULL if nothing has to be known of it */
  struct emu_cluster *next;
};

/* Bank conflicts of the last access of an instruction: the same wherever addresses lie in the same way. */
struct emu_conflicts {
  uint32_t bytes, mask, replays; /* bytes 0: unknown */
  uint32_t delta[EMU_LANES];     /* from the first lane's address */
};
enum { EMU_CONFLICTS = 64 };

/* Contexts of an operation that another is ordered after: `count` from `first` on. */
struct emu_ordered {
  uint32_t first, count;
};

/* What a worker looked like when it last looked whether it comes round to the same: stall.c. */
struct emu_stall {
  uint64_t steps, bytes; /* then; how much there was to look at */
  uint64_t writes, state;
  uint32_t times; /* that it has been the same */
  bool idle;      /* it goes round, or has ended */
};

/* A host thread that runs blocks. */
struct emu_worker {
  struct emu_launch *launch;
  struct emu_tally *tallies;     /* by instruction */
  struct emu_allocation **cache; /* allocation that each memory instruction hit last */
  uint64_t steps, threads, blocks;
  uint64_t changes; /* by atomic operations */
  bool clocked;     /* a thread has looked at a clock */
  struct emu_stall stall;
  struct emu_cluster **resident; /* in the order of their start */
  uint32_t resident_count, resident_limit;
  struct emu_cluster *unused;
  uint64_t cache_generation;
  struct emu_conflicts conflicts[EMU_CONFLICTS]; /* by instruction, modulo their number */
  /* Operations that the launch is ordered after, though some before them are not: those whose writes and
   * reads were met last. */
  struct emu_ordered wrote, read;
  uint32_t kept; /* the shadow of a read that nothing orders before the launch, which stays; 0: none met */
};

enum { EMU_RESERVED_SHARED = 1024 };

struct emu_launch {
  struct emu_launch_parameters parameters;
  const struct emu_program *program;
  struct emu_kernel *kernel;
  const unsigned char *arguments;
  uint64_t block_total;
  uint32_t threads_per_block, warps_per_block, cluster_size;
  uint32_t cluster_dim[3];
  uint32_t shared_bytes;
  uint32_t reserved_shared;    /* offset of the system's part, behind the launch's own; 0 if it is not used */
  uint64_t local_bytes;        /* per thread */
  bool checks, perturb, stops; /* stops: a finding ends the launch */
  uint64_t max_steps;
  uint32_t workers;
  uint64_t grid_workspace;        /* device address, cooperative launches */
  uint32_t first_context;         /* of the launch in the race shadows */
  uint32_t settled_context;       /* every context below happens before this launch */
  bool races_between_blocks;      /* can be told */
  struct emu_global_order *order; /* NULL if nothing in the launch orders blocks */
  struct emu_reports *reports;
  _Atomic uint64_t stop_block; /* the lowest block with a fault: blocks above need not run; UINT64_MAX */
  _Atomic uint64_t next_block;
  _Atomic uint32_t idle; /* workers that have ended, or go round */
};

/* How many lanes; __builtin_popcount is a call where the processor need not have the instruction. */
static inline uint32_t emu_count_lanes_of(uint32_t mask) {
  if (mask == EMU_ALL_LANES)
    return EMU_LANES;
  mask -= mask >> 1 & 0x55555555;
  mask = (mask & 0x33333333) + (mask >> 2 & 0x33333333);
  return ((mask + (mask >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

static inline struct emu_warp_state *emu_state(struct emu_warp *w) {
  return (struct emu_warp_state *)w;
}

/* path.c: the path that runs is the one at `current`; its lanes, next instruction and frame are in the warp
 * while it does. */
void emu_path_load(struct emu_warp_state *s, uint32_t index);
void emu_path_save(struct emu_warp_state *s);
void emu_path_remove(struct emu_warp_state *s, uint32_t index);
/* Takes `lanes` out of the running path and lets them go on at `next`; all of them meet at `meet_at`
 * (EMU_NO_TARGET: nowhere). */
void emu_path_split(struct emu_warp_state *s, uint32_t lanes, uint32_t next, uint32_t meet_at);
/* Gives the lanes in `mask` a path of their own that executes `in` again, while the others go on behind it.
 */
void emu_path_isolate(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t mask);
void emu_path_exit(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t lanes);
/* Joins two paths that are at the same place. */
void emu_path_join(struct emu_warp_state *s, uint32_t index, uint32_t other);
/* Joins the ready paths that are at the same place. */
void emu_path_merge(struct emu_warp_state *s);
/* meeting.c */
bool emu_meeting_open(struct emu_warp_state *s, struct emu_path *path, uint32_t at);
/* The running path has come to its meeting: it ends, and goes on if it was the last. */
void emu_meeting_arrive(struct emu_warp_state *s);
/* `lanes` will not come to the meetings from `inner` up to, not including, `outer`. */
void emu_meeting_leave(struct emu_warp_state *s, struct emu_meeting *inner, const struct emu_meeting *outer,
                       uint32_t lanes);
/* Lets lanes that wait at a meeting go on without the others, if they are among `lanes`; true if there were
 * some. */
bool emu_meeting_release(struct emu_warp_state *s, uint32_t lanes);
/* converge.c: frees the paths whose named lanes have come; true if some were. */
bool emu_converge_complete(struct emu_warp_state *s);
/* frame.c */
struct emu_frame *emu_frame_enter(struct emu_warp_state *s, const struct emu_code_function *function,
                                  struct emu_frame *parent);
void emu_frame_hold(struct emu_frame *frame);
void emu_frame_drop(struct emu_warp_state *s, struct emu_frame *frame);
uint64_t emu_special_value(const struct emu_warp_state *s, uint32_t which, unsigned lane);
/* warp.c */
bool emu_warp_start(struct emu_warp_state *s, struct emu_block *block,
                    uint32_t index); /* false: no host memory */
/* Runs until the warp ends, waits or has had its turn; true if it executed anything but looks at what
 * others should change. */
bool emu_warp_run(struct emu_warp_state *s);
void emu_tally_undo(struct emu_warp *w, const struct emu_instruction *in,
                    uint32_t mask);          /* it will be executed again */
void emu_warp_end(struct emu_warp_state *s); /* gives pending things back, keeps memory for the next block */
void emu_warp_free(struct emu_warp_state *s);
void emu_lane_position(const struct emu_warp_state *s, unsigned lane, uint32_t position[3]);
/* barrier.c: lanes in `mask` come to a barrier of the block. expected 0: all threads of it. `value`:
 * predicate of bar.red. */
void emu_barrier_come(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask, uint32_t barrier,
                      uint32_t expected, bool waits, uint32_t value);
enum emu_barrier_result { EMU_BARRIER_PLAIN = 0, EMU_BARRIER_COUNT, EMU_BARRIER_ALL, EMU_BARRIER_ANY };
/* option[] of barriers: enum emu_barrier_result, whose result is operand 0; whether all lanes of a warp
 * have to come together. */
enum { EMU_OPTION_BARRIER = 0, EMU_OPTION_ALIGNED = 1 };
/* cluster.c: barrier.cluster */
void emu_cluster_arrive(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask, bool releases);
void emu_cluster_wait(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask);
/* The block of the cluster that a shared address belongs to; NULL if there is none or it has ended. */
struct emu_block *emu_block_of_shared(struct emu_warp *w, uint32_t address);
/* stuck.c: nothing in the block (or cluster) can move: reports who waits for whom. */
void emu_block_stuck(struct emu_block *block);
/* stall.c: whether the launch goes on for ever, which has been reported then; a worker has ended. */
bool emu_stall_check(struct emu_worker *worker);
void emu_stall_end(struct emu_worker *worker);
/* block.c */
bool emu_block_start(struct emu_block *block, struct emu_launch *launch, struct emu_worker *worker,
                     struct emu_cluster *cluster, uint64_t index, const uint32_t position[3], uint32_t rank);
bool emu_block_turn(struct emu_block *block); /* true if something moved */
bool emu_block_busy(
    const struct emu_block *block); /* some warp would go on without looking at what others change */
bool emu_block_blocked(
    const struct emu_block *block); /* every warp waits for others of the block or cluster */
bool emu_block_release(
    struct emu_block *block); /* lets lanes go on that wait for lanes of their warp which are at a barrier */
void emu_block_end(struct emu_block *block);
void emu_block_free(struct emu_block *block);
/* workers.c: runs the blocks of a launch; false if the host has no memory. */
bool emu_workers_run(struct emu_launch *launch, struct emu_tally *tallies);

#endif
