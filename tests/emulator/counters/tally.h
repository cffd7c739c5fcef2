/* What is counted while a launch runs: per instruction of the program and per host thread, summed up at the
 * end. */
#ifndef EMU_TALLY_H
#define EMU_TALLY_H

#include "../core.h"

enum { EMU_TALLY_LOAD = 0, EMU_TALLY_STORE, EMU_TALLY_ATOMIC, EMU_TALLY_KINDS };

struct emu_tally {
  uint64_t warps, threads;
  uint64_t global_requests[EMU_TALLY_KINDS], global_sectors[EMU_TALLY_KINDS], global_ideal;
  uint64_t shared_requests[EMU_TALLY_KINDS], shared_replays;
  uint64_t local_requests[EMU_TALLY_KINDS], local_bytes;
  uint64_t divergent, polls;
};

struct emu_program;
struct emu_launch_result;

/* Adds up the tallies of a launch, by class and, where lines are asked for, by source line. */
enum emu_status emu_counters_collect(const struct emu_program *program, const struct emu_tally *tallies,
                                     bool lines, struct emu_launch_result *result);

#endif
