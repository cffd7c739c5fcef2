/* A launch that is being run: its blocks, their warps, and the paths that a warp's lanes have split into. */
#ifndef EMU_BLOCK_H
#define EMU_BLOCK_H

#include "../counters/tally.h"
#include "../interpreter/interpreter.h"
#include "../program/module.h"

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
  uint32_t polls;
  uint64_t steps;
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
  bool blocked;                   /* no path is ready */
  uint32_t exit_index[EMU_LANES]; /* instruction at which each lane exited */
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
  unsigned char *shared, *shared_initialised;
  uint32_t shared_bytes;
  uint32_t shared_capacity;
  struct emu_shared_races *races;
  struct emu_knowledge *knowledge; /* of other blocks; NULL if nothing in the launch orders blocks */
  uint32_t context;                /* who this block is in the race shadows of global memory */
  struct emu_barrier barriers[EMU_BARRIERS];
  bool started, done;
  uint32_t turn;
};

enum { EMU_MAX_CLUSTER = 16 };

struct emu_cluster {
  struct emu_block *blocks[EMU_MAX_CLUSTER];
  uint32_t count;
  uint32_t position[3];
  uint32_t arrived, phase; /* barrier.cluster */
  uint32_t done;
};

/* A host thread that runs blocks. */
struct emu_worker {
  struct emu_launch *launch;
  struct emu_tally *tallies;     /* by instruction */
  struct emu_allocation **cache; /* allocation that each memory instruction hit last */
  uint64_t steps, threads, blocks;
  struct emu_cluster *clusters; /* resident ones */
  struct emu_block *blocks_memory;
  uint32_t resident, resident_limit;
};

struct emu_launch {
  struct emu_launch_parameters parameters;
  const struct emu_program *program;
  struct emu_kernel *kernel;
  const unsigned char *arguments;
  uint64_t block_total;
  uint32_t threads_per_block, warps_per_block, cluster_size;
  uint32_t cluster_dim[3];
  uint32_t shared_bytes;
  uint64_t local_bytes;        /* per thread */
  bool checks, perturb, stops; /* stops: a finding ends the launch */
  uint64_t max_steps;
  uint64_t grid_workspace;        /* device address, cooperative launches */
  uint32_t first_context;         /* of the launch in the race shadows */
  uint32_t settled_context;       /* every context below happens before this launch */
  struct emu_global_order *order; /* NULL if nothing in the launch orders blocks */
  struct emu_reports *reports;
  volatile int stopping;
  uint64_t stop_block; /* the lowest block with a fault */
};

static inline struct emu_warp_state *emu_state(struct emu_warp *w) {
  return (struct emu_warp_state *)w;
}

/* path.c */
bool emu_warp_start(struct emu_warp_state *s); /* false: no host memory */
void emu_warp_branch(struct emu_warp *w, const struct emu_instruction *in, uint32_t taken, uint32_t mask);
void emu_warp_split(struct emu_warp_state *s, uint32_t lanes, uint32_t next, uint32_t meet_at);
void emu_warp_exit(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask);
void emu_warp_merge(struct emu_warp_state *s);  /* joins ready paths at the same place */
bool emu_path_arrive(struct emu_warp_state *s); /* true: the path goes on */
bool emu_warp_release_meetings(struct emu_warp_state *s, uint32_t lanes); /* true if some lanes were let go */
struct emu_path *emu_path_current(struct emu_warp_state *s);
void emu_path_load(struct emu_warp_state *s, uint32_t index);
void emu_path_save(struct emu_warp_state *s);
void emu_path_leave_meetings(struct emu_warp_state *s, uint32_t index, struct emu_meeting *up_to);
/* frame.c */
struct emu_frame *emu_frame_enter(struct emu_warp_state *s, const struct emu_code_function *function,
                                  struct emu_frame *parent);
void emu_frame_drop(struct emu_warp_state *s, struct emu_frame *frame);
void emu_warp_free(struct emu_warp_state *s);
uint64_t emu_special_value(const struct emu_warp_state *s, uint32_t which, unsigned lane);
/* warp.c: runs until the warp ends, waits or has had its turn. */
void emu_warp_run(struct emu_warp_state *s);
/* barrier.c of the scheduler */
void emu_barrier_wait(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask, uint32_t barrier,
                      uint32_t expected, bool waits);
bool emu_block_report_stuck(struct emu_block *block);
/* block.c */
bool emu_block_prepare(struct emu_block *block);
bool emu_block_turn(struct emu_block *block); /* true if something moved */
void emu_block_free(struct emu_block *block);

#endif
