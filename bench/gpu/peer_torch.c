/* PyTorch as a peer: torch_peer.py in a child process (torch_child.h). Files in a folder of its own carry
 * model, input and answers. */
#include "peer.h"
#include "torch_child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct slot {
  struct instance *instance;
  char folder[64];
  int number;
};

static void path_in(const struct slot *slot, const char *name, char path[128]) {
  snprintf(path, 128, "%s/%s", slot->folder, name);
}

static bool write_array(const struct slot *slot, const char *name, const void *data, size_t bytes) {
  char path[128];
  path_in(slot, name, path);
  FILE *file = fopen(path, "wb");
  bool written = file && fwrite(data, 1, bytes, file) == bytes;
  if (file)
    written = fclose(file) == 0 && written;
  if (!written)
    fprintf(stderr, "bench: %s: cannot be written\n", path);
  return written;
}

static bool read_array(const struct slot *slot, const char *name, void *data, size_t bytes) {
  char path[128];
  if (!data)
    return true;
  path_in(slot, name, path);
  FILE *file = fopen(path, "rb");
  const bool was_read = file && fread(data, 1, bytes, file) == bytes;
  if (file)
    fclose(file);
  if (!was_read)
    fprintf(stderr, "bench: %s: it is not what PyTorch should have written\n", path);
  return was_read;
}

static bool verify(void *state, double *worst) {
  struct slot *slot = state;
  const struct workload *w = &slot->instance->workload;
  const size_t B = (size_t)w->B, T = (size_t)w->T, A = (size_t)workload_annotations(w),
               Y = (size_t)workload_steps(w);
  char text[400];
  struct answers got;
  *worst = 0;
  if (!torch_ask(text, sizeof text, "answers %d", slot->number)) {
    fprintf(stderr, "bench: PyTorch: %s\n", text);
    return false;
  }
  if (!answers_make(&got, w, ANSWERS_RESULTS))
    return false;
  const bool right = read_array(slot, "annotations.bin", got.annotations, B * T * A * 4) &&
                     read_array(slot, "contexts.bin", got.contexts, B * Y * A * 4) &&
                     read_array(slot, "alphas.bin", got.alphas, B * Y * T * 4) &&
                     read_array(slot, "outputs.bin", got.outputs, B * Y * (size_t)w->V * 4) &&
                     read_array(slot, "tokens.bin", got.tokens, B * Y * 4) &&
                     instance_verify(slot->instance, &got, worst);
  answers_free(&got);
  return right;
}

static bool measure(void *state, struct sample *sample) {
  struct slot *slot = state;
  char text[400];
  if (torch_ask(text, sizeof text, "measure %d", slot->number) &&
      sscanf(text, "%lf %lf", &sample->kernel_us, &sample->host_us) == 2)
    return true;
  fprintf(stderr, "bench: PyTorch: %s\n", text);
  return false;
}

static void close_slot(void *state) {
  static const char *const files[] = {"model.safetensors", "x.bin",           "ids.bin",
                                      "lengths.bin",       "annotations.bin", "contexts.bin",
                                      "alphas.bin",        "outputs.bin",     "tokens.bin"};
  struct slot *slot = state;
  char text[400], path[128];
  if (torch_is_there())
    torch_ask(text, sizeof text, "close %d", slot->number);
  for (size_t i = 0; i < sizeof files / sizeof *files && slot->folder[0]; i++) {
    path_in(slot, files[i], path);
    unlink(path);
  }
  if (slot->folder[0])
    rmdir(slot->folder);
  free(slot);
}

static bool write_files(struct slot *slot) {
  const struct instance *instance = slot->instance;
  const size_t B = (size_t)instance->workload.B, T = (size_t)instance->workload.T;
  const char *folder = getenv("TMPDIR");
  char path[128];
  snprintf(slot->folder, sizeof slot->folder, "%.32s/cuseq-bench-XXXXXX", folder ? folder : "/tmp");
  if (!mkdtemp(slot->folder)) {
    fprintf(stderr, "bench: %s: cannot be made\n", slot->folder);
    slot->folder[0] = 0;
    return false;
  }
  path_in(slot, "model.safetensors", path);
  if (cuseq_model_save(instance->model, path) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "bench: %s\n", cuseq_last_error());
    return false;
  }
  return (!instance->ids || write_array(slot, "ids.bin", instance->ids, B * T * 4)) &&
         (!instance->x ||
          write_array(slot, "x.bin", instance->x, B * T * (size_t)instance->workload.F * 4)) &&
         (!instance->lengths || write_array(slot, "lengths.bin", instance->lengths, B * 4));
}

static bool open_slot(struct peer *peer, struct instance *instance, const char *name, bool graph) {
  const struct workload *w = &instance->workload;
  *peer = (struct peer){.verify = verify, .measure = measure, .close = close_slot};
  snprintf(peer->name, sizeof peer->name, "%s", name);
  if (!torch_is_there()) {
    torch_version(peer->note, sizeof peer->note);
    peer->close = NULL;
    return true;
  }
  struct slot *slot = calloc(1, sizeof *slot);
  if (!slot) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  slot->instance = instance;
  slot->number = graph;
  peer->state = slot;
  if (!write_files(slot))
    return false;
  peer->is_there =
      torch_ask(peer->note, sizeof peer->note,
                "open %d %s %d {\"B\":%d,\"T\":%d,\"F\":%d,\"H\":%d,\"keys\":%d,\"S\":%d,\"Y\":%d,\"V\":%d,"
                "\"ids\":%d,\"mixed\":%d,\"encodes_only\":%d,\"layers\":%d,\"directions\":%d}",
                slot->number, slot->folder, graph, (int)w->B, (int)w->T, (int)w->F, (int)w->H, (int)w->keys,
                (int)w->S, (int)w->Y, (int)w->V, w->ids, workload_has_lengths(w), w->encodes_only,
                (int)workload_layers(w), (int)workload_directions(w));
  return true;
}

bool peer_torch(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  (void)stream; /* a stream of its own process */
  return open_slot(peer, instance, "PyTorch", false);
}

bool peer_torch_graph(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  (void)stream;
  return open_slot(peer, instance, "PyTorch, graph", true);
}
