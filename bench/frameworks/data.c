/* bench_frameworks_data FOLDER [WORKLOAD...]: writes every workload, or those, for the peers: its model, its
 * input and what the float64 reference makes of the rows that are verified, one folder a workload:
 *
 *   shape               JSON: B T F H keys S Y V, beams, ids and encode_only, lengths or null; of what is
 *                       judged the numbers and what may differ in float32, and in bf16
 *   model.safetensors   the weights
 *   input               [B,T,F] float32, or [B,T] int32 ids, raw
 *   reference           what worker_write_results writes */
#include "data_files.h"
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PATH = 1024 };

static bool export_workload(const struct workload *w, const char *parent) {
  char folder[MOST_PATH / 2], path[MOST_PATH];
  struct instance instance, reference;
  snprintf(folder, sizeof folder, "%s/%s", parent, w->name);
  snprintf(path, sizeof path, "%s/reference", folder);
  if (!instance_make(&instance, w))
    return false;
  bool written = data_write(&instance, folder);
  if (written) {
    written = reference_make(&instance, &reference) && worker_write_results(&reference, true, path);
    reference_free(&reference);
  }
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
