#include "data_files.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MOST_PATH = 1024 };

static bool write_file(const char *folder, const char *name, const void *bytes, size_t size) {
  char path[MOST_PATH];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  bool whole = file && fwrite(bytes, 1, size, file) == size;
  return file && fclose(file) == 0 && whole;
}

/* The workload in numbers. */
static bool write_shape(const struct instance *instance, const char *folder) {
  const struct workload *w = instance->workload;
  struct judged judged[MOST_JUDGED], rounded[MOST_JUDGED];
  struct instance bf16 = *instance;
  int32_t rows[VERIFIED_ROWS];
  bf16.precision = CUSEQ_PRECISION_BF16;
  const int count = workload_verified(w, rows), arrays = instance_judged(instance, false, judged);
  char path[MOST_PATH];
  instance_judged(&bf16, false, rounded);
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
    fprintf(file, "%s[\"%s\", %zu, %.9g, %.9g]", i > 0 ? ", " : "", judged[i].name,
            (size_t)count * judged[i].row, judged[i].tolerance, rounded[i].tolerance);
  fputs("]}\n", file);
  return fclose(file) == 0;
}

bool data_write(const struct instance *instance, const char *folder) {
  const struct workload *w = instance->workload;
  const size_t positions = (size_t)w->B * (size_t)w->T;
  char path[MOST_PATH];
  bool written = mkdir(folder, 0777) == 0 || errno == EEXIST;
  written = written &&
            (w->ids ? write_file(folder, "input", instance->ids, positions * sizeof(int32_t))
                    : write_file(folder, "input", instance->x, positions * (size_t)w->F * sizeof(float)));
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  written = written && cuseq_model_save(instance->model, path) == CUSEQ_STATUS_OK;
  return written && write_shape(instance, folder);
}
