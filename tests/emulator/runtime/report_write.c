#include "report_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void text(FILE *to, const char *s) {
  fputc('"', to);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\')
      fprintf(to, "\\%c", *s);
    else if ((unsigned char)*s < 0x20)
      fprintf(to, "\\u%04x", *s);
    else
      fputc(*s, to);
  }
  fputc('"', to);
}

static void classes(FILE *to, const char *name, const uint64_t *counts) {
  fprintf(to, "\"%s\":{", name);
  for (int i = 0; i < EMU_CLASSES; i++)
    fprintf(to, "%s\"%s\":%" PRIu64, i ? "," : "", emu_class_names[i], counts[i]);
  fputs("},", to);
}

static uint64_t sectors(const struct emu_counters *c) {
  return c->global_load_sectors + c->global_store_sectors + c->global_atomic_sectors;
}

static double sector_ratio(const struct emu_counters *c) {
  return c->global_ideal_sectors ? (double)sectors(c) / (double)c->global_ideal_sectors : 1;
}

static void counters(FILE *to, const struct emu_counters *c) {
  fputc('{', to);
  classes(to, "warp_instructions", c->warp_instructions);
  classes(to, "thread_instructions", c->thread_instructions);
#define COUNT(field) fprintf(to, "\"" #field "\":%" PRIu64 ",", c->field)
  COUNT(global_load_requests);
  COUNT(global_store_requests);
  COUNT(global_atomic_requests);
  COUNT(global_load_sectors);
  COUNT(global_store_sectors);
  COUNT(global_atomic_sectors);
  COUNT(global_ideal_sectors);
  fprintf(to, "\"global_sector_ratio\":%.4f,", sector_ratio(c));
  COUNT(shared_load_requests);
  COUNT(shared_store_requests);
  COUNT(shared_atomic_requests);
  COUNT(shared_replays);
  COUNT(local_load_requests);
  COUNT(local_store_requests);
  COUNT(local_bytes);
  COUNT(barriers);
  COUNT(divergent_branches);
  COUNT(polls);
  COUNT(blocks);
#undef COUNT
  fprintf(to, "\"threads\":%" PRIu64 "}", c->threads);
}

static void launch(FILE *to, const struct emu_record *r) {
  fputs("{\"kernel\":", to);
  text(to, r->kernel);
  if (r->library) {
    fputs(",\"library\":true}", to);
    return;
  }
  fprintf(to, ",\"device\":%d,\"grid\":[%u,%u,%u],\"block\":[%u,%u,%u],\"cluster\":[%u,%u,%u],", r->device,
          r->grid.x, r->grid.y, r->grid.z, r->block.x, r->block.y, r->block.z, r->cluster.x, r->cluster.y,
          r->cluster.z);
  fprintf(to, "\"dynamic_shared\":%u,\"static_shared\":%u,\"cooperative\":%s,\"status\":%d,\"counters\":",
          r->dynamic_shared, r->static_shared, r->cooperative ? "true" : "false", (int)r->status);
  counters(to, &r->counters);
  fputc('}', to);
}

static void kernel(FILE *to, const struct emu_total *t) {
  fputs("{\"kernel\":", to);
  text(to, t->kernel);
  fprintf(to, ",\"library\":%s,\"launches\":%" PRIu64 ",\"counters\":", t->library ? "true" : "false",
          t->launches);
  counters(to, &t->counters);
  fputs(",\"lines\":[", to);
  for (size_t i = 0; i < t->line_count; i++) {
    fprintf(to, "%s\n{\"file\":", i ? "," : "");
    text(to, t->lines[i].file);
    fprintf(to, ",\"line\":%u,\"counters\":", t->lines[i].line);
    counters(to, &t->lines[i].counters);
    fputc('}', to);
  }
  fputs("]}", to);
}

static const char *const copy_names[] = {"host_to_host", "host_to_device", "device_to_host",
                                         "device_to_device", "peer"};

static void run(FILE *to, size_t dropped) {
  const struct emu_run *r = &emu_run;
  fprintf(to,
          "\"run\":{\"launches\":%" PRIu64 ",\"library_calls\":%" PRIu64 ",\"graph_launches\":%" PRIu64
          ",\"graph_nodes\":%" PRIu64,
          r->launches + r->library_calls, r->library_calls, r->graph_launches, r->graph_nodes);
  fputs(",\"copies\":{", to);
  for (int i = 0; i < 5; i++)
    fprintf(to, "%s\"%s\":{\"count\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", i ? "," : "", copy_names[i],
            r->copies[i], r->copy_bytes[i]);
  fprintf(to, "},\"sets\":{\"count\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", r->sets, r->set_bytes);
  fprintf(to, ",\"host_functions\":%" PRIu64 ",\"synchronisations\":%" PRIu64, r->host_functions,
          r->synchronisations);
  fprintf(to, ",\"allocations\":{\"count\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"freed\":%" PRIu64 "}",
          r->allocations, r->allocated_bytes, r->frees);
  fprintf(to, ",\"never_waited_for\":%zu}", dropped);
}

static void document(FILE *to, const struct emu_summary *s) {
  static const char *const checks[] = {"on", "off", "report"};
  const struct emu_settings *e = emu_settings();
  fprintf(to,
          "{\"emulator\":{\"capability\":%d,\"devices\":%d,\"seed\":%" PRIu64
          ",\"checks\":\"%s\",\"perturb\":%s},\n",
          e->capability, e->devices, e->seed, checks[e->checks], e->perturb ? "true" : "false");
  run(to, s->dropped);
  fputs(",\n\"launches\":[", to);
  for (size_t i = 0; i < s->record_count; i++) {
    fputs(i ? ",\n" : "\n", to);
    launch(to, &s->records[i]);
  }
  fputs("],\n\"kernels\":[", to);
  for (size_t i = 0; i < s->total_count; i++) {
    fputs(i ? ",\n" : "\n", to);
    kernel(to, &s->totals[i]);
  }
  fputs("]}\n", to);
}

/* %p in the name stands for the process's number, for programs that start others. */
static char *file_name(const char *pattern) {
  const char *mark = strstr(pattern, "%p");
  char *name = NULL;
  if (!mark)
    return strdup(pattern);
  if (asprintf(&name, "%.*s%ld%s", (int)(mark - pattern), pattern, (long)getpid(), mark + 2) < 0)
    return NULL;
  return name;
}

void emu_write_json(const char *pattern, const struct emu_summary *summary) {
  char *beside = NULL, *path = file_name(pattern);
  if (!path || asprintf(&beside, "%s.%ld.part", path, (long)getpid()) < 0) {
    free(path);
    return;
  }
  FILE *file = fopen(beside, "w");
  if (file)
    document(file, summary);
  bool bad = !file || ferror(file);
  if (file && fclose(file))
    bad = true;
  if (bad || rename(beside, path)) {
    emu_say("%s: counters cannot be written (%s)", path, strerror(errno));
    unlink(beside);
  }
  free(beside);
  free(path);
}

static uint64_t sum(const uint64_t *counts) {
  uint64_t total = 0;
  for (int i = 0; i < EMU_CLASSES; i++)
    total += counts[i];
  return total;
}

static void table_row(FILE *to, const struct emu_total *t) {
  const struct emu_counters *c = &t->counters;
  fprintf(to, "%-36.36s %8" PRIu64, t->kernel, t->launches);
  if (t->library) {
    fputs("  (a library call: one launch, not counted inside)\n", to);
    return;
  }
  fprintf(to,
          " %12" PRIu64 " %14" PRIu64 " %10" PRIu64 " %10" PRIu64 " %6.2f %10" PRIu64 " %9" PRIu64
          " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
          sum(c->warp_instructions), sum(c->thread_instructions),
          c->global_load_requests + c->global_store_requests + c->global_atomic_requests, sectors(c),
          sector_ratio(c), c->shared_load_requests + c->shared_store_requests + c->shared_atomic_requests,
          c->shared_replays, c->local_bytes, c->barriers, c->divergent_branches, c->polls);
}

static void class_row(FILE *to, const struct emu_total *t) {
  const uint64_t *w = t->counters.warp_instructions;
  fprintf(to, "%-36.36s", t->kernel);
  for (int i = 0; i < EMU_CLASSES; i++)
    if (w[i])
      fprintf(to, " %s %" PRIu64, emu_class_names[i], w[i]);
  fputc('\n', to);
}

void emu_write_table(FILE *to, const struct emu_summary *s) {
  const struct emu_run *r = &emu_run;
  fflush(stdout);
  fprintf(to, "\ncuseq-emulator: counts on an emulated sm_%d (never times)\n", emu_settings()->capability);
  fprintf(to, "%-36s %8s %12s %14s %10s %10s %6s %10s %9s %9s %9s %9s %9s\n", "kernel", "launches",
          "warp instr", "thread instr", "global req", "sectors", "/least", "shared req", "replays", "local B",
          "barriers", "divergent", "polls");
  for (size_t i = 0; i < s->total_count; i++)
    table_row(to, &s->totals[i]);
  fprintf(to, "\nwarp instructions by class\n");
  for (size_t i = 0; i < s->total_count; i++)
    if (!s->totals[i].library)
      class_row(to, &s->totals[i]);
  fprintf(to,
          "\nlaunches %" PRIu64 " (%" PRIu64 " library calls), graph launches %" PRIu64
          ", synchronisations %" PRIu64 ", host functions %" PRIu64 "\n",
          r->launches + r->library_calls, r->library_calls, r->graph_launches, r->synchronisations,
          r->host_functions);
  for (int i = 0; i < 5; i++)
    if (r->copies[i])
      fprintf(to, "copies %s: %" PRIu64 ", %" PRIu64 " bytes\n", copy_names[i], r->copies[i],
              r->copy_bytes[i]);
  if (r->sets)
    fprintf(to, "sets: %" PRIu64 ", %" PRIu64 " bytes\n", r->sets, r->set_bytes);
}
