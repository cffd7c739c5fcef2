/* cuDNN's RNN as peers: the encoder by its standard algorithm, by the fastest of its persistent ones, and of
 * packed rows by whichever is fastest. It has no attention and no decoder, and takes ids as one-hot rows;
 * packing and sorting are done before anything is timed. */
#include "cudnn_net.h"
#include "device_call.h"
#include "floor.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>

/* The standard one first; the others are the persistent ones. */
static const struct {
  cudnnRNNAlgo_t algorithm;
  const char *name;
} algorithms[] = {{CUDNN_RNN_ALGO_STANDARD, "STANDARD"},
                  {CUDNN_RNN_ALGO_PERSIST_STATIC, "PERSIST_STATIC"},
                  {CUDNN_RNN_ALGO_PERSIST_DYNAMIC, "PERSIST_DYNAMIC"},
                  {CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H, "PERSIST_STATIC_SMALL_H"}};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

struct encoder {
  struct instance *instance;
  cudaStream_t stream;
  const struct cudnn_library *library;
  cudnnHandle_t handle;
  struct cudnn_layout layout;
  struct cudnn_net net; /* the fastest */
  float *h_x, *h_y;     /* page-locked, in cuDNN's order */
  float *d_x, *d_y;
  size_t x_bytes, y_bytes;
};

static bool queue(void *state) {
  struct encoder *e = state;
  const cudnnStatus_t status = cudnn_net_run(&e->net, e->d_x, e->d_y);
  if (status != CUDNN_STATUS_SUCCESS)
    fprintf(stderr, "bench: cuDNN: %s\n", e->library->cudnnGetErrorString(status));
  return status == CUDNN_STATUS_SUCCESS;
}

static bool copy_back(struct encoder *e) {
  DEVICE_CALL(cudaMemcpyAsync(e->h_y, e->d_y, e->y_bytes, cudaMemcpyDeviceToHost, e->stream));
  DEVICE_CALL(cudaStreamSynchronize(e->stream));
  return true;
}

static bool unpack(void *state, const struct answers *answers) {
  struct encoder *e = state;
  cudnn_layout_output(&e->layout, e->h_y, workload_annotations(&e->instance->workload), answers->annotations);
  return true;
}

static bool fetch(void *state, const struct answers *answers) {
  return copy_back(state) && unpack(state, answers);
}

static bool whole(void *state, const struct answers *answers) {
  struct encoder *e = state;
  (void)answers; /* see unpack() */
  DEVICE_CALL(cudaMemcpyAsync(e->d_x, e->h_x, e->x_bytes, cudaMemcpyHostToDevice, e->stream));
  return queue(e) && copy_back(e);
}

static void close_encoder(void *state) {
  struct encoder *e = state;
  if (e->net.library)
    cudnn_net_close(&e->net);
  if (e->handle)
    e->library->cudnnDestroy(e->handle);
  cudnn_layout_free(&e->layout);
  cudaFree(e->d_x);
  cudaFree(e->d_y);
  cudaFreeHost(e->h_x);
  cudaFreeHost(e->h_y);
  free(e);
}

static bool arrays(struct encoder *e) {
  const struct workload *w = &e->instance->workload;
  e->x_bytes = (size_t)e->layout.vectors * (size_t)w->F * sizeof(float);
  e->y_bytes = (size_t)e->layout.vectors * (size_t)workload_annotations(w) * sizeof(float);
  DEVICE_CALL(cudaMallocHost((void **)&e->h_x, e->x_bytes));
  DEVICE_CALL(cudaMallocHost((void **)&e->h_y, e->y_bytes));
  DEVICE_CALL(cudaMalloc((void **)&e->d_x, e->x_bytes));
  DEVICE_CALL(cudaMalloc((void **)&e->d_y, e->y_bytes));
  cudnn_layout_input(&e->layout, e->instance, e->h_x);
  DEVICE_CALL(cudaMemcpy(e->d_x, e->h_x, e->x_bytes, cudaMemcpyHostToDevice));
  return true;
}

/* Microseconds of a call of a net, after some to warm up, which on an emulated device is no time; false where
 * it fails. */
static bool time_net(struct encoder *e, const struct cudnn_net *net, double *us) {
  const int warm = device_is_emulated() ? 0 : 3, timed = device_is_emulated() ? 1 : 10;
  cudaEvent_t before, after;
  DEVICE_CALL(cudaEventCreate(&before));
  DEVICE_CALL(cudaEventCreate(&after));
  bool ran = true;
  for (int i = 0; i < warm + timed && ran; i++) {
    if (i == warm)
      cudaEventRecord(before, e->stream);
    ran = cudnn_net_run(net, e->d_x, e->d_y) == CUDNN_STATUS_SUCCESS;
  }
  cudaEventRecord(after, e->stream);
  float milliseconds = 0;
  ran = cudaEventSynchronize(after) == cudaSuccess && ran;
  ran = ran && cudaEventElapsedTime(&milliseconds, before, after) == cudaSuccess;
  cudaEventDestroy(before);
  cudaEventDestroy(after);
  *us = 1e3 * milliseconds / timed;
  return ran;
}

static void note(struct peer *peer, const char *name, const char *what) {
  const size_t used = strlen(peer->note);
  snprintf(peer->note + used, sizeof peer->note - used, "%s%s %s", used ? ", " : "", name, what);
}

/* Tries the algorithms from `first` to before `end` and keeps the fastest in e->net. */
static bool choose(struct peer *peer, struct encoder *e, int first, int end) {
  double best = 0;
  const char *chosen = NULL;
  for (int i = first; i < end; i++) {
    struct cudnn_net net;
    double us = 0;
    char text[64];
    const cudnnStatus_t status =
        cudnn_net_open(&net, e->library, e->handle, e->instance, &e->layout, algorithms[i].algorithm);
    const bool ran = status == CUDNN_STATUS_SUCCESS && time_net(e, &net, &us);
    if (ran && device_is_emulated())
      snprintf(text, sizeof text, "works");
    else if (ran)
      snprintf(text, sizeof text, "%.1f us", us);
    else
      snprintf(text, sizeof text, "%s",
               status == CUDNN_STATUS_SUCCESS ? "fails" : e->library->cudnnGetErrorString(status));
    note(peer, algorithms[i].name, text);
    const bool is_better = ran && (!chosen || us < best);
    if (is_better) {
      struct cudnn_net slower = e->net;
      e->net = net;
      net = slower;
      best = us;
      chosen = algorithms[i].name;
    }
    if (net.library)
      cudnn_net_close(&net);
  }
  cudaGetLastError(); /* of one that failed */
  char tried[sizeof peer->note];
  memcpy(tried, peer->note, sizeof tried);
  snprintf(peer->note, sizeof peer->note, "encoder only, %s; tried: %.280s", chosen ? chosen : "none works",
           tried);
  return chosen != NULL;
}

static bool open_encoder(struct peer *peer, struct instance *instance, cudaStream_t stream, bool is_packed,
                         int first, int end) {
  struct encoder *e = calloc(1, sizeof *e);
  const char *reason;
  if (!e) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  e->instance = instance;
  e->stream = stream;
  peer->state = e;
  peer->close = close_encoder;
  peer->gives_annotations = true;
  e->library = cudnn_library(&reason);
  if (!e->library) {
    snprintf(peer->note, sizeof peer->note, "%s", reason);
    return true;
  }
  cudnnStatus_t status = e->library->cudnnCreate(&e->handle);
  if (status == CUDNN_STATUS_SUCCESS)
    status = e->library->cudnnSetStream(e->handle, stream);
  if (status != CUDNN_STATUS_SUCCESS) {
    snprintf(peer->note, sizeof peer->note, "cuDNN gives no handle (%s)",
             e->library->cudnnGetErrorString(status));
    return true;
  }
  if (!cudnn_layout_make(&e->layout, instance, is_packed)) {
    fprintf(stderr, "bench: out of memory\n");
    return false;
  }
  if (!arrays(e))
    return false;
  peer->is_there = choose(peer, e, first, end);
  return true;
}

static const struct peer functions = {.queue = queue, .fetch = fetch, .whole = whole, .unpack = unpack};

bool peer_cudnn_standard(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  *peer = functions;
  strcpy(peer->name, "cuDNN, standard");
  return open_encoder(peer, instance, stream, false, 0, 1);
}

bool peer_cudnn_persistent(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  *peer = functions;
  strcpy(peer->name, "cuDNN, persistent");
  return open_encoder(peer, instance, stream, false, 1, ALGORITHMS);
}

bool peer_cudnn_packed(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  *peer = functions;
  strcpy(peer->name, "cuDNN, packed");
  return open_encoder(peer, instance, stream, true, 0, ALGORITHMS);
}

void cudnn_version(char *text, size_t capacity) {
  const char *reason;
  const struct cudnn_library *library = cudnn_library(&reason);
  const size_t version = library ? library->cudnnGetVersion() : 0;
  if (library)
    snprintf(text, capacity, "%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
  else
    snprintf(text, capacity, "absent: %s", reason);
}
