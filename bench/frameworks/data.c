/* bench_frameworks_data FOLDER [WORKLOAD...]: writes every workload, or those, for the peers: its model, its input and what
 * the float64 reference makes of the rows that are verified, one folder a workload:
 *
 *   shape               JSON: B T F H keys S Y V, beams, ids and encode_only, lengths or null, the tolerances
 *   model.safetensors   the weights
 *   input               [B,T,F] float32, or [B,T] int32 ids, raw
 *   reference           what worker_write_results writes */
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_PATH = 1024 };

static bool write_file(const char *folder, const char *name, const void *bytes, size_t size) {
  char path[MOST_PATH];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  bool whole = file && fwrite(bytes, 1, size, file) == size;
  return file && fclose(file) == 0 && whole;
}

/* The reference's results for the verified rows stand gathered at the beginning of the instance's arrays. */
static bool make_reference(const struct instance *instance) {
  const struct workload *w = instance->workload;
  cuseq_session *session = instance_open(instance, "reference", 1, 1);
  int32_t rows[VERIFIED_ROWS];
  const int count = workload_verified(w, rows);
  bool made = session != NULL;
  for (int n = 0; n < count && made; n++) {
    const struct instance row = instance_at(instance, n);
    made = instance_call(&row, session, rows[n], 1) == CUSEQ_STATUS_OK;
  }
  cuseq_session_close(session);
  return made;
}

/* The workload in numbers, for those who read no C. */
static bool write_shape(const struct instance *instance, const char *folder) {
  const struct workload *w = instance->workload;
  struct judged judged[MOST_JUDGED];
  int32_t rows[VERIFIED_ROWS];
  const int count = workload_verified(w, rows), arrays = instance_judged(instance, false, judged);
  char path[MOST_PATH];
  snprintf(path, sizeof path, "%s/shape", folder);
  FILE *file = fopen(path, "w");
  if (!file)
    return false;
  fprintf(file,
          "{\"B\": %d, \"T\": %d, \"F\": %d, \"H\": %d, \"keys\": %d, \"S\": %d, \"Y\": %d, \"V\": %d,\n",
          (int)w->B, (int)w->T, (int)w->F, (int)w->H, (int)w->keys, (int)w->S, (int)w->Y, (int)w->V);
  fprintf(file, " \"beams\": %d, \"ids\": %s, \"encode_only\": %s, \"lengths\": ", (int)w->beams,
          w->ids ? "true" : "false", w->encode_only ? "true" : "false");
  fputs(instance->lengths ? "[" : "null", file);
  for (int32_t b = 0; instance->lengths && b < w->B; b++)
    fprintf(file, "%s%d", b > 0 ? ", " : "", (int)instance->lengths[b]);
  fputs(instance->lengths ? "],\n \"judged\": [" : ",\n \"judged\": [", file);
  for (int i = 0; i < arrays; i++)
    fprintf(file, "%s[\"%s\", %zu, %.9g]", i > 0 ? ", " : "", judged[i].name, (size_t)count * judged[i].row,
            judged[i].tolerance);
  fputs("]}\n", file);
  return fclose(file) == 0;
}

static bool export_workload(const struct workload *w, const char *parent) {
  char folder[MOST_PATH / 2], path[MOST_PATH];
  struct instance instance;
  snprintf(folder, sizeof folder, "%s/%s", parent, w->name);
  if (!instance_make(&instance, w))
    return false;
  const size_t positions = (size_t)w->B * (size_t)w->T;
  bool written = mkdir(folder, 0777) == 0 || errno == EEXIST;
  written =
      written && (w->ids ? write_file(folder, "input", instance.ids, positions * sizeof(int32_t))
                         : write_file(folder, "input", instance.x, positions * (size_t)w->F * sizeof(float)));
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  written = written && cuseq_model_save(instance.model, path) == CUSEQ_STATUS_OK;
  snprintf(path, sizeof path, "%s/reference", folder);
  written = written && make_reference(&instance) && worker_write_results(&instance, true, path);
  written = written && write_shape(&instance, folder);
  instance_free(&instance);
  return written;
}

/* Whether the names, of which there may be none, have this one. */
static bool is_wanted(const char *name, char *const *names, int count) {
  bool found = count == 0;
  for (int i = 0; i < count; i++)
    found = found || strcmp(names[i], name) == 0;
  return found;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s FOLDER [WORKLOAD...]\n", argv[0]);
    return 2;
  }
  int count;
  const struct workload *all = workloads(&count);
  for (int i = 0; i < count; i++)
    if (is_wanted(all[i].name, argv + 2, argc - 2) && !export_workload(&all[i], argv[1])) {
      fprintf(stderr, "bench_frameworks_data: %s/%s: cannot be written (%s; %s)\n", argv[1], all[i].name,
              strerror(errno), cuseq_last_error());
      return 3;
    }
  return 0;
}
