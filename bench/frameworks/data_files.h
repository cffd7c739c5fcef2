/* A workload as files, for those who read no C: shape, model.safetensors and input, as data.c describes
 * them. */
#ifndef BENCH_FRAMEWORKS_DATA_FILES_H
#define BENCH_FRAMEWORKS_DATA_FILES_H

#include "../cpu/workload.h"

/* Makes the folder where it is not there. false where something cannot be written. */
bool data_write(const struct instance *instance, const char *folder);

#endif
