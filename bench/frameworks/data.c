/* bench_frameworks_data FOLDER: writes every workload for the peers: its model, its input and what the float64 reference
 * makes of the rows that are verified, one folder a workload:
 *
 *   shape               "B T F H keys S Y V ids encode_only", numbers
 *   model.safetensors   the weights
 *   input               [B,T,F] float32, or [B,T] int32 ids, raw
 *   reference           what worker_write_results writes
 *   allowed             the most that cuseq_model_tolerance() allows of these arrays, a number */
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
  const size_t positions = (size_t)w->T * 2 * (size_t)w->H, width = 2 * (size_t)w->H;
  const size_t outputs = (size_t)w->Y * (size_t)w->V;
  cuseq_session *session = instance_open(instance, "reference", 1, 1);
  int32_t rows[WORKER_ROWS];
  const int count = worker_rows(w, rows);
  bool made = session != NULL;
  for (int n = 0; n < count && made; n++) {
    struct instance row = *instance;
    row.annotations += (size_t)n * positions;
    row.contexts += (size_t)n * width * (size_t)(w->Y > 0 ? w->Y : 1);
    row.outputs += (size_t)n * outputs;
    made = instance_call(&row, session, rows[n], 1) == CUSEQ_STATUS_OK;
  }
  cuseq_session_close(session);
  return made;
}

/* Of outputs where there are any, else of annotations and contexts, which are one file. */
static double allowed(const struct instance *instance) {
  const struct workload *w = instance->workload;
  if (w->Y > 0)
    return cuseq_model_tolerance(instance->model, w->T, 0, CUSEQ_RESULT_OUTPUTS);
  const double annotations = cuseq_model_tolerance(instance->model, w->T, 0, CUSEQ_RESULT_ANNOTATIONS),
               contexts = cuseq_model_tolerance(instance->model, w->T, 0, CUSEQ_RESULT_CONTEXTS);
  return contexts > annotations && !w->encode_only ? contexts : annotations;
}

static bool export_workload(const struct workload *w, const char *parent) {
  char folder[MOST_PATH / 2], path[MOST_PATH], shape[256];
  struct instance instance;
  snprintf(folder, sizeof folder, "%s/%s", parent, w->name);
  if (!instance_make(&instance, w))
    return false;
  const size_t positions = (size_t)w->B * (size_t)w->T;
  snprintf(shape, sizeof shape, "%d %d %d %d %d %d %d %d %d %d\n", (int)w->B, (int)w->T, (int)w->F, (int)w->H,
           (int)w->keys, (int)w->S, (int)w->Y, (int)w->V, w->ids, w->encode_only);
  bool written = mkdir(folder, 0777) == 0 || errno == EEXIST;
  written =
      written && (w->ids ? write_file(folder, "input", instance.ids, positions * sizeof(int32_t))
                         : write_file(folder, "input", instance.x, positions * (size_t)w->F * sizeof(float)));
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  written = written && cuseq_model_save(instance.model, path) == CUSEQ_STATUS_OK;
  snprintf(path, sizeof path, "%s/reference", folder);
  written = written && make_reference(&instance) && worker_write_results(&instance, true, path);
  written = written && write_file(folder, "shape", shape, strlen(shape));
  snprintf(shape, sizeof shape, "%.9g\n", allowed(&instance));
  written = written && write_file(folder, "allowed", shape, strlen(shape));
  instance_free(&instance);
  return written;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  int count;
  const struct workload *all = workloads(&count);
  for (int i = 0; i < count; i++)
    if (!export_workload(&all[i], argv[1])) {
      fprintf(stderr, "bench_frameworks_data: %s/%s: cannot be written (%s; %s)\n", argv[1], all[i].name,
              strerror(errno), cuseq_last_error());
      return 3;
    }
  return 0;
}
