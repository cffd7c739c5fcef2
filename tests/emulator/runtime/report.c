#include "report.h"
#include "graph.h"
#include "report_write.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Collects what launches counted, by launch and by kernel, and speaks at the process's end. */

static struct emu_record *records;
static size_t record_count, record_room;
static struct emu_total *totals;
static size_t total_count;
static bool wanted, begun;

struct name {
  struct name *next;
  char text[];
};

const char *emu_name(const char *text) {
  enum { BUCKETS = 256 };
  static struct name *buckets[BUCKETS];
  unsigned hash = 5381;
  for (const char *c = text; *c; c++)
    hash = hash * 33 + (unsigned char)*c;
  struct name **at = &buckets[hash % BUCKETS];
  for (struct name *n = *at; n; n = n->next)
    if (!strcmp(n->text, text))
      return n->text;
  struct name *n = emu_need(sizeof *n + strlen(text) + 1);
  memcpy(n->text, text, strlen(text) + 1);
  n->next = *at;
  *at = n;
  return n->text;
}

void emu_report_begin(void) {
  const char *table = getenv("CUSEQ_EMULATOR_TABLE");
  wanted = emu_settings()->counters || (table && *table && strcmp(table, "0") != 0);
  begun = true;
}

static void add(struct emu_counters *to, const struct emu_counters *from) {
  /* The structure is nothing but 64-bit counts. */
  uint64_t *t = (uint64_t *)to;
  const uint64_t *f = (const uint64_t *)from;
  for (size_t i = 0; i < sizeof *to / sizeof *t; i++)
    t[i] += f[i];
}

static struct emu_total *total_of(const char *kernel, bool library) {
  for (size_t i = 0; i < total_count; i++)
    if (totals[i].kernel == kernel)
      return &totals[i];
  totals = emu_need_again(totals, (total_count + 1) * sizeof *totals);
  totals[total_count] = (struct emu_total){.kernel = kernel, .library = library};
  return &totals[total_count++];
}

static void add_lines(struct emu_total *total, const struct emu_launch_result *result) {
  for (size_t i = 0; i < result->line_count; i++) {
    const struct emu_line_counters *from = &result->lines[i];
    const char *file = emu_name(from->file ? from->file : "");
    size_t at = 0;
    while (at < total->line_count && (total->lines[at].file != file || total->lines[at].line != from->line))
      at++;
    if (at == total->line_count) {
      total->lines = emu_need_again(total->lines, (at + 1) * sizeof *total->lines);
      total->lines[at] = (struct emu_line_counters){.file = file, .line = from->line};
      total->line_count++;
    }
    add(&total->lines[at].counters, &from->counters);
  }
}

static struct emu_record *new_record(void) {
  if (record_count == record_room) {
    record_room = record_room ? record_room * 2 : 64;
    records = emu_need_again(records, record_room * sizeof *records);
  }
  return &records[record_count++];
}

void emu_report_launch(const struct emu_work *work, const struct emu_kernel_info *info,
                       const struct emu_launch_result *result) {
  if (!wanted)
    return;
  struct emu_total *total = total_of(work->name, false);
  total->launches++;
  add(&total->counters, &result->counters);
  add_lines(total, result);
  *new_record() = (struct emu_record){.kernel = work->name,
                                      .device = work->device,
                                      .grid = work->kernel.grid,
                                      .block = work->kernel.block,
                                      .cluster = work->kernel.cluster,
                                      .dynamic_shared = work->kernel.dynamic_shared,
                                      .static_shared = info->shared_bytes,
                                      .cooperative = work->kernel.cooperative,
                                      .status = result->status,
                                      .counters = result->counters};
}

void emu_report_library(const char *name) {
  if (!wanted)
    return;
  name = emu_name(name);
  total_of(name, true)->launches++;
  *new_record() = (struct emu_record){.kernel = name, .library = true};
}

static size_t forgotten(enum emu_handle_kind kind, const char *what, const char *call) {
  size_t count = 0;
  void *handle;
  for (size_t i = 0; (handle = emu_handle_at(kind, i)); i++) {
    if ((kind == EMU_HANDLE_STREAM && ((cudaStream_t)handle)->per_thread) ||
        (kind == EMU_HANDLE_GRAPH && ((cudaGraph_t)handle)->inner))
      continue;
    count++;
  }
  if (count)
    emu_say("leak: %zu %s%s without %s", count, what, count > 1 ? "s" : "", call);
  return count;
}

void emu_report_leaks(void) {
  if (emu_settings()->checks == EMU_CHECKS_OFF)
    return;
  /* After a fault nothing can be given back any more: what is left says nothing about the program. */
  for (int device = 0; device < emu_settings()->devices; device++)
    if (emu_sticky(device) != cudaSuccess)
      return;
  fflush(stdout);
  emu_memory_leaks(stderr);
  forgotten(EMU_HANDLE_STREAM, "stream", "cudaStreamDestroy");
  forgotten(EMU_HANDLE_EVENT, "event", "cudaEventDestroy");
  forgotten(EMU_HANDLE_GRAPH, "graph", "cudaGraphDestroy");
  forgotten(EMU_HANDLE_EXEC, "executable graph", "cudaGraphExecDestroy");
  forgotten(EMU_HANDLE_OBJECT, "user object", "cudaUserObjectRelease");
  forgotten(EMU_HANDLE_CUBLAS, "cuBLAS handle", "cublasDestroy");
}

__attribute__((destructor)) static void end_of_process(void) {
  if (!begun)
    return;
  emu_enter(EMU_CALL_PLAIN);
  emu_idle_end();
  size_t dropped = emu_queue_drop(-1), unawaited = emu_queue_unawaited();
  if (dropped && emu_settings()->checks != EMU_CHECKS_OFF)
    emu_say("exit: %zu queued operation%s never waited for and did not run", dropped,
            dropped > 1 ? "s were" : " was");
  if (unawaited && emu_settings()->checks != EMU_CHECKS_OFF)
    emu_say("exit: %zu queued operation%s never waited for and ran only as no call was made for a while",
            unawaited, unawaited > 1 ? "s were" : " was");
  emu_report_leaks();
  if (wanted) {
    const struct emu_summary summary = {.records = records,
                                        .record_count = record_count,
                                        .totals = totals,
                                        .total_count = total_count,
                                        .dropped = dropped + unawaited};
    const char *table = getenv("CUSEQ_EMULATOR_TABLE");
    if (emu_settings()->counters)
      emu_write_json(emu_settings()->counters, &summary);
    if (table && *table && strcmp(table, "0") != 0)
      emu_write_table(stderr, &summary);
  }
  emu_leave(cudaSuccess);
}
