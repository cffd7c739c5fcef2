/* cuseq's CPU backend as a peer among the others: bench_frameworks_cuseq DATA THREADS [bf16]. */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
  struct instance instance;
  cuseq_session *session;
};

static cuseq_precision precision;

static void *open_model(const struct instance *instance, int threads) {
  struct model *model = malloc(sizeof *model);
  if (!model)
    return NULL;
  model->instance = *instance;
  model->instance.precision = precision;
  model->session = instance_open(&model->instance, "cpu", threads, instance->workload->B);
  return model->session ? model : NULL;
}

static bool call(void *opened) {
  const struct model *model = opened;
  return instance_call(&model->instance, model->session, 0, model->instance.workload->B) == CUSEQ_STATUS_OK;
}

int main(int argc, char **argv) {
  char name[64];
  if (argc == 4 && strcmp(argv[3], "bf16") == 0) {
    precision = CUSEQ_PRECISION_BF16;
    argc--;
  }
  snprintf(name, sizeof name, "cuseq %s", cuseq_version());
  return worker_main(argc, argv, &(struct worker){.name = name, .open = open_model, .call = call});
}
