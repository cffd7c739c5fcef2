/* Copies between the caller's host arrays and the device.
 *
 * Ordinary host memory passes through page-locked slots, two for each way: while the device copies out of
 * one slot the host fills the other, so that arrays of any size go through memory of a fixed size. A slot
 * is taken again when the device is through with it, which an event tells; what came from the device is
 * then handed to the caller. */
#include "backends/cuda/cuda.h"

#include "error.h"

#include <string.h>

enum { ALIGNMENT = 64 };

static size_t rounded(size_t bytes) {
  return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- slots ---- */

cuseq_status cuda_ring_open(struct cuda_ring *ring, size_t bytes) {
  ring->bytes = rounded(bytes < CUDA_SLOT_BYTES ? bytes + CUDA_SLOT_ARRAYS * ALIGNMENT : CUDA_SLOT_BYTES);
  for (int i = 0; i < CUDA_SLOTS; i++) {
    CUDA_TRY(cudaEventCreateWithFlags(&ring->slots[i].passed, cudaEventDisableTiming));
    CUDA_TRY(cudaMallocHost(&ring->slots[i].h_bytes, ring->bytes));
  }
  return CUSEQ_STATUS_OK;
}

void cuda_ring_close(struct cuda_ring *ring) {
  for (int i = 0; i < CUDA_SLOTS; i++) {
    cudaFreeHost(ring->slots[i].h_bytes);
    if (ring->slots[i].passed)
      cudaEventDestroy(ring->slots[i].passed);
  }
}

/* The device is through with a slot: what it copied there goes to the caller. */
static void slot_deliver(struct cuda_slot *slot) {
  for (int32_t i = 0; i < slot->count; i++)
    memcpy(slot->deliveries[i].to, slot->deliveries[i].from, slot->deliveries[i].bytes);
  slot->count = 0;
  slot->used = 0;
  slot->in_flight = false;
}

/* Leaves the current slot to the device, which is through with it once it has passed what is queued on
 * `stream`. */
static cuseq_status ring_turn(struct cuda_ring *ring, cudaStream_t stream) {
  struct cuda_slot *slot = &ring->slots[ring->current];
  if (slot->used == 0)
    return CUSEQ_STATUS_OK;
  CUDA_TRY(cudaEventRecord(slot->passed, stream));
  slot->in_flight = true;
  ring->current = (ring->current + 1) % CUDA_SLOTS;
  return CUSEQ_STATUS_OK;
}

/* Room in a slot for up to `bytes`, *given of them. */
static cuseq_status ring_take(struct cuda_ring *ring, cudaStream_t stream, size_t bytes, void **room,
                              size_t *given) {
  struct cuda_slot *slot = &ring->slots[ring->current];
  bool fits = slot->used < ring->bytes && slot->count < CUDA_SLOT_ARRAYS;
  /* what fits into a slot of its own is not cut in two */
  if (!slot->in_flight && slot->used > 0 &&
      (!fits || (bytes > ring->bytes - slot->used && bytes <= ring->bytes))) {
    TRY(ring_turn(ring, stream));
    slot = &ring->slots[ring->current];
  }
  if (slot->in_flight) {
    CUDA_TRY(cudaEventSynchronize(slot->passed));
    slot_deliver(slot);
  }
  *room = (char *)slot->h_bytes + slot->used;
  *given = bytes < ring->bytes - slot->used ? bytes : ring->bytes - slot->used;
  slot->used += rounded(*given);
  return CUSEQ_STATUS_OK;
}

/* ---- copies ---- */

static cuseq_status staged_in(struct cuda_session *session, char *device, const char *host, size_t bytes) {
  while (bytes > 0) {
    void *room = NULL;
    size_t given = 0;
    TRY(ring_take(&session->rings->in, session->call.stream_in, bytes, &room, &given));
    memcpy(room, host, given);
    CUDA_TRY(cudaMemcpyAsync(device, room, given, cudaMemcpyHostToDevice, session->call.stream_in));
    device += given;
    host += given;
    bytes -= given;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_copy_in(struct cuda_session *session, enum backend_array array, void *device,
                          const void *host, size_t bytes) {
  if (!host || bytes == 0)
    return CUSEQ_STATUS_OK;
  /* page-locked memory is the caller's again when the call returns, unless calls are asynchronous */
  if (session->call.places[array] != CUDA_PLACE_LOCKED ||
      !(session->call.waits || session->limits.asynchronous))
    return staged_in(session, device, host, bytes);
  CUDA_TRY(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, session->call.stream_in));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_copy_in_f64(struct cuda_session *session, float *device, const double *host, size_t count) {
  while (count > 0) {
    void *room = NULL;
    size_t given = 0;
    TRY(ring_take(&session->rings->in, session->call.stream_in, count * sizeof *device, &room, &given));
    for (size_t i = 0; i < given / sizeof *device; i++)
      ((float *)room)[i] = (float)host[i];
    CUDA_TRY(cudaMemcpyAsync(device, room, given, cudaMemcpyHostToDevice, session->call.stream_in));
    device += given / sizeof *device;
    host += given / sizeof *device;
    count -= given / sizeof *device;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status staged_out(struct cuda_session *session, char *host, const char *device, size_t bytes) {
  struct cuda_ring *ring = &session->rings->out;
  while (bytes > 0) {
    void *room = NULL;
    size_t given = 0;
    TRY(ring_take(ring, session->call.stream_out, bytes, &room, &given));
    CUDA_TRY(cudaMemcpyAsync(room, device, given, cudaMemcpyDeviceToHost, session->call.stream_out));
    struct cuda_slot *slot = &ring->slots[ring->current];
    slot->deliveries[slot->count++] = (struct cuda_delivery){host, room, given};
    device += given;
    host += given;
    bytes -= given;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_copy_out(struct cuda_session *session, enum backend_array array, void *out,
                           const void *device, size_t bytes) {
  if (!out || out == device || bytes == 0)
    return CUSEQ_STATUS_OK;
  if (session->call.later && session->call.places[array] != CUDA_PLACE_DEVICE) {
    struct cuda_later *later = session->call.later;
    later->copies[later->count].array = array;
    later->copies[later->count].out = out;
    later->copies[later->count].device = device;
    later->copies[later->count++].bytes = bytes;
    return CUSEQ_STATUS_OK;
  }
  if (session->call.places[array] == CUDA_PLACE_PAGEABLE)
    return staged_out(session, out, device, bytes);
  if (session->call.places[array] == CUDA_PLACE_LOCKED)
    CUDA_TRY(cudaMemcpyAsync(out, device, bytes, cudaMemcpyDeviceToHost, session->call.stream_out));
  else
    CUDA_TRY(cudaMemcpyAsync(out, device, bytes, cudaMemcpyDeviceToDevice, session->stream));
  return CUSEQ_STATUS_OK;
}

/* ---- streams ---- */

cuseq_status cuda_streams_order(struct cuda_session *session, cudaStream_t before, cudaStream_t after) {
  CUDA_TRY(cudaEventRecord(session->call.order, before));
  CUDA_TRY(cudaStreamWaitEvent(after, session->call.order, 0));
  return CUSEQ_STATUS_OK;
}

cuseq_status cuda_inputs_arrived(struct cuda_session *session) {
  return session->call.stream_in == session->stream
             ? CUSEQ_STATUS_OK
             : cuda_streams_order(session, session->call.stream_in, session->stream);
}

/* ---- a call's end ---- */

cuseq_status cuda_staging_leave(struct cuda_session *session) {
  return ring_turn(&session->rings->in, session->call.stream_in);
}

void cuda_staging_end(struct cuda_session *session, bool delivers) {
  struct cuda_ring *rings[] = {&session->rings->in, &session->rings->out};
  for (int r = 0; r < 2; r++)
    for (int i = 0; i < CUDA_SLOTS; i++) {
      /* the older slot first: the order does not matter, as no two deliveries of a call overlap */
      if (!delivers)
        rings[r]->slots[i].count = 0;
      slot_deliver(&rings[r]->slots[i]);
    }
}
