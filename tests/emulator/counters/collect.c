/* Adds up what was counted per instruction: by class, and by source line where lines are asked for. */
#include "../interpreter/interpreter.h"
#include "../program/build.h"
#include "tally.h"

#include <stdlib.h>
#include <string.h>

static uint64_t sum(const uint64_t values[EMU_TALLY_KINDS]) {
  return values[EMU_TALLY_LOAD] + values[EMU_TALLY_STORE] + values[EMU_TALLY_ATOMIC];
}

/* Generic accesses count by the space that most of their requests hit. */
static enum emu_class class_of(const struct emu_instruction *in, const struct emu_tally *t) {
  if (!(in->flags & EMU_FLAG_ANY_SPACE))
    return in->class < EMU_CLASSES ? (enum emu_class)in->class : EMU_CLASS_OTHER;
  uint64_t global = sum(t->global_requests), shared = sum(t->shared_requests), local = sum(t->local_requests);
  if (global >= shared && global >= local)
    return EMU_CLASS_GLOBAL;
  return shared >= local ? EMU_CLASS_SHARED : EMU_CLASS_LOCAL;
}

static void add(struct emu_counters *to, const struct emu_instruction *in, const struct emu_tally *t) {
  enum emu_class class = class_of(in, t);
  to->warp_instructions[class] += t->warps;
  to->thread_instructions[class] += t->threads;
  to->global_load_requests += t->global_requests[EMU_TALLY_LOAD];
  to->global_store_requests += t->global_requests[EMU_TALLY_STORE];
  to->global_atomic_requests += t->global_requests[EMU_TALLY_ATOMIC];
  to->global_load_sectors += t->global_sectors[EMU_TALLY_LOAD];
  to->global_store_sectors += t->global_sectors[EMU_TALLY_STORE];
  to->global_atomic_sectors += t->global_sectors[EMU_TALLY_ATOMIC];
  to->global_ideal_sectors += t->global_ideal;
  to->shared_load_requests += t->shared_requests[EMU_TALLY_LOAD];
  to->shared_store_requests += t->shared_requests[EMU_TALLY_STORE];
  to->shared_atomic_requests += t->shared_requests[EMU_TALLY_ATOMIC];
  to->shared_replays += t->shared_replays;
  to->local_load_requests += t->local_requests[EMU_TALLY_LOAD];
  to->local_store_requests += t->local_requests[EMU_TALLY_STORE] + t->local_requests[EMU_TALLY_ATOMIC];
  to->local_bytes += t->local_bytes;
  to->barriers += in->flags & EMU_FLAG_BARRIER ? t->warps : 0;
  to->divergent_branches += t->divergent;
  to->polls += t->polls;
}

static int compare_lines(const void *left, const void *right) {
  const struct emu_line_counters *a = left, *b = right;
  int order = strcmp(a->file, b->file);
  return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* Both structures hold nothing but counts. */
static void merge(struct emu_counters *to, const struct emu_counters *from) {
  uint64_t *sums = (uint64_t *)(void *)to;
  const uint64_t *values = (const uint64_t *)(const void *)from;
  _Static_assert(sizeof *to % sizeof *sums == 0, "emu_counters holds 64-bit counts only");
  for (size_t i = 0; i < sizeof *to / sizeof *sums; i++)
    sums[i] += values[i];
}

/* Sorts by file and line, joins what is the same line; returns how many are left. */
static size_t join_lines(struct emu_line_counters *lines, size_t count) {
  size_t kept = 0;
  qsort(lines, count, sizeof *lines, compare_lines);
  for (size_t i = 0; i < count; i++) {
    if (kept > 0 && compare_lines(&lines[kept - 1], &lines[i]) == 0)
      merge(&lines[kept - 1].counters, &lines[i].counters);
    else
      lines[kept++] = lines[i];
  }
  return kept;
}

static enum emu_status collect_lines(const struct emu_program *program, const struct emu_tally *tallies,
                                     struct emu_launch_result *result) {
  struct emu_line_counters *lines = calloc(program->place_count + (size_t)1, sizeof *lines);
  if (!lines)
    return EMU_ERROR_HOST_MEMORY;
  for (uint32_t p = 0; p < program->place_count; p++)
    lines[p] = (struct emu_line_counters){.file = program->places[p].file, .line = program->places[p].line};
  struct emu_line_counters *nowhere = &lines[program->place_count];
  nowhere->file = "";
  for (uint32_t i = 0; i < program->code_count; i++) {
    const struct emu_instruction *in = &program->code[i];
    add(in->place < program->place_count ? &lines[in->place].counters : &nowhere->counters, in, &tallies[i]);
  }
  size_t used = 0;
  for (size_t p = 0; p <= program->place_count; p++) {
    static const struct emu_counters none;
    if (!lines[p].file)
      lines[p].file = "";
    if (memcmp(&lines[p].counters, &none, sizeof none) != 0)
      lines[used++] = lines[p];
  }
  result->lines = lines;
  result->line_count = join_lines(lines, used);
  return EMU_OK;
}

enum emu_status emu_counters_collect(const struct emu_program *program, const struct emu_tally *tallies,
                                     bool lines, struct emu_launch_result *result) {
  for (uint32_t i = 0; i < program->code_count; i++)
    add(&result->counters, &program->code[i], &tallies[i]);
  return lines ? collect_lines(program, tallies, result) : EMU_OK;
}
