/* cuseq's CPU backend as a peer among the others. */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

struct model {
  const struct instance *instance;
  cuseq_session *session;
};

static void *open_model(const struct instance *instance, int threads) {
  struct model *model = malloc(sizeof *model);
  if (!model)
    return NULL;
  *model = (struct model){instance, instance_open(instance, "cpu", threads, instance->workload->B)};
  return model->session ? model : NULL;
}

static bool call(void *opened) {
  const struct model *model = opened;
  return instance_call(model->instance, model->session, 0, model->instance->workload->B) == CUSEQ_STATUS_OK;
}

int main(int argc, char **argv) {
  char name[64];
  snprintf(name, sizeof name, "cuseq %s", cuseq_version());
  return worker_main(argc, argv, &(struct worker){.name = name, .open = open_model, .call = call});
}
