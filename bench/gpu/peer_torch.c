/* PyTorch as a peer: torch_peer.py in a child process, one for the whole benchmark. Files in a folder of its own carry
 * model, input and answers; lines over pipes the rest. */
#include "peer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
  bool tried;
  pid_t pid;
  FILE *to, *from;
  char version[160]; /* or why it is not there */
  bool is_there;
} child;

struct slot {
  struct instance *instance;
  char folder[64];
  int number;
};

/* A line there, and the answer: true for "ok"; `text` receives what follows "ok" or "no". */
static bool ask(char *text, size_t capacity, const char *format, ...) {
  char line[400];
  va_list arguments;
  va_start(arguments, format);
  vfprintf(child.to, format, arguments);
  va_end(arguments);
  fputc('\n', child.to);
  if (fflush(child.to) != 0 || !fgets(line, sizeof line, child.from)) {
    snprintf(text, capacity, "PyTorch's process ended");
    child.is_there = false;
    return false;
  }
  line[strcspn(line, "\n")] = 0;
  snprintf(text, capacity, "%.*s", (int)capacity - 1, strlen(line) > 3 ? line + 3 : "");
  return strncmp(line, "ok", 2) == 0;
}

static void child_run(int input, int output) {
  dup2(input, 0);
  dup2(output, 1);
  const char *device = getenv("CUSEQ_BENCH_TORCH_DEVICE");
  execlp("python3", "python3", "-B", "bench/gpu/torch_peer.py", "--device", device ? device : "cuda",
         (char *)NULL);
  _exit(127);
}

static void child_start(void) {
  int there[2], back[2];
  child.tried = true;
  snprintf(child.version, sizeof child.version, "absent: python3 does not start");
  if (pipe2(there, O_CLOEXEC) != 0)
    return;
  if (pipe2(back, O_CLOEXEC) != 0) {
    close(there[0]);
    close(there[1]);
    return;
  }
  signal(SIGPIPE, SIG_IGN);
  child.pid = fork();
  if (child.pid == 0)
    child_run(there[0], back[1]);
  close(there[0]);
  close(back[1]);
  child.to = fdopen(there[1], "w");
  child.from = fdopen(back[0], "r");
  if (child.pid < 0 || !child.to || !child.from)
    return;
  char text[120];
  child.is_there = ask(text, sizeof text, "version");
  snprintf(child.version, sizeof child.version, "%s%s", child.is_there ? "" : "absent: ", text);
}

void torch_version(char *text, size_t capacity) {
  if (!child.tried)
    child_start();
  snprintf(text, capacity, "%s", child.version);
}

void torch_end(void) {
  if (child.to)
    fclose(child.to);
  if (child.from)
    fclose(child.from);
  if (child.pid > 0)
    waitpid(child.pid, NULL, 0);
  memset(&child, 0, sizeof child);
}

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
  const size_t B = (size_t)w->B, T = (size_t)w->T, A = 2 * (size_t)w->H, Y = (size_t)workload_steps(w);
  char text[400];
  struct answers got;
  *worst = 0;
  if (!ask(text, sizeof text, "answers %d", slot->number)) {
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
  if (ask(text, sizeof text, "measure %d", slot->number) &&
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
  if (child.is_there)
    ask(text, sizeof text, "close %d", slot->number);
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
  if (!child.tried)
    child_start();
  if (!child.is_there) {
    snprintf(peer->note, sizeof peer->note, "%s", child.version);
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
      ask(peer->note, sizeof peer->note,
          "open %d %s %d {\"B\":%d,\"T\":%d,\"F\":%d,\"H\":%d,\"keys\":%d,\"S\":%d,\"Y\":%d,\"V\":%d,"
          "\"ids\":%d,\"mixed\":%d,\"encodes_only\":%d}",
          slot->number, slot->folder, graph, (int)w->B, (int)w->T, (int)w->F, (int)w->H, (int)w->keys,
          (int)w->S, (int)w->Y, (int)w->V, w->ids, w->mixed_lengths, w->encodes_only);
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
