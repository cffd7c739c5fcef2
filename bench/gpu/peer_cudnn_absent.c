/* In place of cuDNN's peer where cudnn.h was not there when this was built. */
#include "peer.h"

#include <stdio.h>

static const char reason[] = "built without cudnn.h";

static bool absent(struct peer *peer, const char *name) {
  *peer = (struct peer){.gives_annotations = true};
  snprintf(peer->name, sizeof peer->name, "%s", name);
  snprintf(peer->note, sizeof peer->note, "%s", reason);
  return true;
}

bool peer_cudnn_standard(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  (void)instance, (void)stream;
  return absent(peer, "cuDNN, standard");
}

bool peer_cudnn_persistent(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  (void)instance, (void)stream;
  return absent(peer, "cuDNN, persistent");
}

bool peer_cudnn_packed(struct peer *peer, struct instance *instance, cudaStream_t stream) {
  (void)instance, (void)stream;
  return absent(peer, "cuDNN, packed");
}

void cudnn_version(char *text, size_t capacity) {
  snprintf(text, capacity, "absent: %s", reason);
}
