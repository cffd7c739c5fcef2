#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_WORKLOADS = 32, MOST_LINE = 1024 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool write_row(FILE *file, const struct judged *judged, size_t row) {
  const size_t at = row * judged->row;
  if (judged->values)
    return fwrite(judged->values + at, sizeof *judged->values, judged->row, file) == judged->row;
  bool whole = true;
  for (size_t i = 0; i < judged->row; i++) {
    const float token = (float)judged->tokens[at + i];
    whole = fwrite(&token, sizeof token, 1, file) == 1 && whole;
  }
  return whole;
}

bool worker_write_results(const struct instance *instance, bool gathered, const char *path) {
  struct judged judged[MOST_JUDGED];
  int32_t rows[VERIFIED_ROWS];
  const int count = workload_verified(instance->workload, rows),
            arrays = instance_judged(instance, false, judged);
  FILE *file = fopen(path, "wb");
  if (!file)
    return false;
  bool whole = true;
  for (int i = 0; i < arrays; i++)
    for (int n = 0; n < count; n++)
      whole = write_row(file, &judged[i], gathered ? (size_t)n : (size_t)rows[n]) && whole;
  return fclose(file) == 0 && whole;
}

struct opened {
  struct instance instance;
  void *model;
};

struct server {
  const struct worker *worker;
  const char *data;
  int threads;
  FILE *answers; /* stdout as it was: libraries that print do so to stderr */
  struct opened opened[MOST_WORKLOADS];
};

static bool read_file(const char *path, void *bytes, size_t size) {
  FILE *file = fopen(path, "rb");
  bool whole = file && fread(bytes, 1, size, file) == size;
  if (file)
    fclose(file);
  return whole;
}

/* The workload's model, input and empty results; false where the folder has not got them. */
static bool load(struct instance *instance, const struct workload *w, const char *data) {
  const size_t positions = (size_t)w->B * (size_t)w->T;
  const size_t input_size = positions * (w->ids ? sizeof(int32_t) : (size_t)w->F * sizeof(float));
  char path[MOST_LINE];
  *instance = (struct instance){.workload = w};
  snprintf(path, sizeof path, "%s/%s/model.safetensors", data, w->name);
  if (cuseq_model_load(path, &instance->model) != CUSEQ_STATUS_OK)
    return false;
  void *input = malloc(input_size);
  if (w->ids)
    instance->ids = input;
  else
    instance->x = input;
  if (w->ragged && (instance->lengths = malloc((size_t)w->B * sizeof(int32_t))))
    workload_lengths(w, instance->lengths);
  instance_make_results(instance);
  snprintf(path, sizeof path, "%s/%s/input", data, w->name);
  return input && (!w->ragged || instance->lengths) && read_file(path, input, input_size);
}

static struct opened *find(struct server *server, const char *name, const struct workload **workload) {
  int count;
  const struct workload *all = workloads(&count);
  for (int i = 0; i < count; i++)
    if (strcmp(all[i].name, name) == 0) {
      *workload = &all[i];
      return &server->opened[i];
    }
  return NULL;
}

static void order_open(struct server *server, const char *name, const char *path) {
  const struct workload *workload;
  struct opened *opened = find(server, name, &workload);
  if (!opened)
    fprintf(server->answers, "error %s: no such workload\n", name);
  else if (!load(&opened->instance, workload, server->data))
    fprintf(server->answers, "error %s: its data cannot be read\n", name);
  else if (!(opened->model = server->worker->open(&opened->instance, server->threads)))
    fprintf(server->answers, "error %s: cannot be set up\n", name);
  else if (!server->worker->call(opened->model))
    fprintf(server->answers, "error %s: a call failed\n", name);
  else if (!worker_write_results(&opened->instance, false, path))
    fprintf(server->answers, "error %s: cannot be written (%s)\n", path, strerror(errno));
  else
    fputs("ok\n", server->answers);
}

static void order_time(struct server *server, const char *name, double seconds) {
  const struct workload *workload;
  struct opened *opened = find(server, name, &workload);
  if (!opened || !opened->model) {
    fprintf(server->answers, "error %s: not open\n", name);
    return;
  }
  int calls = 0;
  double best = 1e9, start = now(), end = start;
  while (end - start < seconds || (calls < 2 && end - start < 0.1)) {
    const double before = now();
    if (!server->worker->call(opened->model)) {
      fprintf(server->answers, "error %s: a call failed\n", name);
      return;
    }
    end = now();
    best = end - before < best ? end - before : best;
    calls++;
  }
  fprintf(server->answers, "ok %.3f %d\n", best * 1e6, calls);
}

int worker_main(int argc, char **argv, const struct worker *worker) {
  static struct server server;
  if (argc != 3 || atoi(argv[2]) < 1) {
    fprintf(stderr, "usage: %s DATA THREADS\n", argv[0]);
    return 2;
  }
  server = (struct server){.worker = worker, .data = argv[1], .threads = atoi(argv[2])};
  server.answers = fdopen(dup(STDOUT_FILENO), "w");
  if (!server.answers || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
    return 3;
  fprintf(server.answers, "ready %s\n", worker->name);
  fflush(server.answers);
  for (char line[MOST_LINE]; fgets(line, sizeof line, stdin);) {
    char *order = strtok(line, "\t\n"), *name = strtok(NULL, "\t\n"), *rest = strtok(NULL, "\t\n");
    if (!order || !name || !rest)
      fputs("error an order has three parts\n", server.answers);
    else if (strcmp(order, "open") == 0)
      order_open(&server, name, rest);
    else if (strcmp(order, "time") == 0)
      order_time(&server, name, atof(rest));
    else
      fprintf(server.answers, "error %s: no such order\n", order);
    fflush(server.answers);
  }
  return 0;
}
