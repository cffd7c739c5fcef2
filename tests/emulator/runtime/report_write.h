#ifndef EMU_RUNTIME_REPORT_WRITE_H
#define EMU_RUNTIME_REPORT_WRITE_H

#include "runtime.h"

#include <stdio.h>

/* One launch, one cuBLAS call. */
struct emu_record {
  const char *kernel;
  int device;
  struct emu_dim3 grid, block, cluster;
  uint32_t dynamic_shared, static_shared;
  bool cooperative, library;
  enum emu_status status;
  struct emu_counters counters;
};

/* All launches of one kernel. */
struct emu_total {
  const char *kernel;
  bool library;
  uint64_t launches;
  struct emu_counters counters;
  struct emu_line_counters *lines;
  size_t line_count;
};

struct emu_summary {
  const struct emu_record *records;
  size_t record_count;
  const struct emu_total *totals;
  size_t total_count;
  size_t dropped; /* operations that nothing waited for */
};

/* Writes the file whole or not at all. */
void emu_write_json(const char *path, const struct emu_summary *summary);
void emu_write_table(FILE *to, const struct emu_summary *summary);

#endif
