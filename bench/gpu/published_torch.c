/* PyTorch as a side: torch_peer.py, which takes the models' structures from
 * ../frameworks/torch_published.py. */
#include "../frameworks/data_files.h"
#include "published_side.h"
#include "torch_child.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct slot {
  char folder[64];
};

enum { MOST_PATH = 128 };

/* The largest error of `count` floats in the file, as a share of what is allowed; tokens must be equal. */
static double worst_of(FILE *file, const struct judged *wanted, size_t count) {
  double worst = 0.0;
  for (size_t i = 0; i < count; i++) {
    float got;
    if (fread(&got, sizeof got, 1, file) != 1)
      return INFINITY;
    const double want = wanted->tokens ? (double)wanted->tokens[i] : (double)wanted->values[i];
    const double size = fabs(want) > 1.0 ? fabs(want) : 1.0, error = fabs((double)got - want);
    const double share =
        wanted->tokens ? (error == 0.0 ? 0.0 : INFINITY) : error / (wanted->tolerance * size);
    worst = share <= worst ? worst : isnan(share) ? INFINITY : share;
  }
  return worst;
}

static bool check(void *state, const struct instance *reference, double *worst) {
  const struct slot *slot = state;
  struct judged wanted[MOST_JUDGED];
  int32_t rows[VERIFIED_ROWS];
  char text[400], path[MOST_PATH];
  *worst = INFINITY;
  if (!torch_ask(text, sizeof text, "answers 0")) {
    fprintf(stderr, "bench: PyTorch: %s\n", text);
    return true;
  }
  snprintf(path, sizeof path, "%s/answers.bin", slot->folder);
  FILE *file = fopen(path, "rb");
  if (!file)
    return true;
  const int count = workload_verified(reference->workload, rows),
            arrays = instance_judged(reference, false, wanted);
  *worst = 0.0;
  for (int i = 0; i < arrays; i++)
    *worst = fmax(*worst, worst_of(file, &wanted[i], (size_t)count * wanted[i].row));
  fclose(file);
  return true;
}

static bool measure(void *state, struct sample *sample) {
  (void)state;
  char text[400];
  if (torch_ask(text, sizeof text, "measure 0") &&
      sscanf(text, "%lf %lf", &sample->kernel_us, &sample->host_us) == 2)
    return true;
  fprintf(stderr, "bench: PyTorch: %s\n", text);
  return false;
}

static void close_slot(void *state) {
  static const char *const files[] = {"model.safetensors", "input", "shape", "answers.bin"};
  struct slot *slot = state;
  char text[400], path[MOST_PATH];
  if (torch_is_there())
    torch_ask(text, sizeof text, "close 0");
  for (size_t i = 0; i < sizeof files / sizeof *files && slot->folder[0]; i++) {
    snprintf(path, sizeof path, "%s/%s", slot->folder, files[i]);
    unlink(path);
  }
  if (slot->folder[0])
    rmdir(slot->folder);
  free(slot);
}

bool side_torch(struct side *side, struct instance *instance, cudaStream_t stream) {
  (void)stream; /* a stream of its own process */
  *side = (struct side){.name = "PyTorch"};
  if (!torch_is_there()) {
    torch_version(side->note, sizeof side->note);
    return true;
  }
  struct slot *slot = calloc(1, sizeof *slot);
  if (!slot) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  *side = (struct side){
      .name = "PyTorch", .state = slot, .check = check, .measure = measure, .close = close_slot};
  const char *parent = getenv("TMPDIR");
  snprintf(slot->folder, sizeof slot->folder, "%.32s/cuseq-bench-XXXXXX", parent ? parent : "/tmp");
  if (!mkdtemp(slot->folder)) {
    fprintf(stderr, "bench: %s: cannot be made\n", slot->folder);
    slot->folder[0] = 0;
    return false;
  }
  if (!data_write(instance, slot->folder)) {
    fprintf(stderr, "bench: %s: cannot be written (%s)\n", slot->folder, cuseq_last_error());
    return false;
  }
  side->is_there = torch_ask(side->note, sizeof side->note, "published 0 %s", slot->folder);
  return true;
}
