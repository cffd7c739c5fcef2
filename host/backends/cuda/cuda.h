/* The CUDA backend inside its module: a session's device memory, and the stages of a call.
 *
 * Everything is queued on the session's stream; a call whose results go to host memory synchronises once, at its end. */
#ifndef CUSEQ_CUDA_CUDA_H
#define CUSEQ_CUDA_CUDA_H

#include "backends/backend.h"
#include "backends/cuda/plan.h"
#include "kernels/launch.h"

#include <cuda_runtime_api.h>

struct cuda_blas;
struct cuda_graphs;

/* One layer of the encoder on the device, both directions; packed as launch.h says. */
struct cuda_layer {
  float *d_kernel;    /* [inputs,D,H,4] */
  float *d_recurrent; /* [D,H,H,4]      */
  float *d_bias;      /* [D,H,4]        */
  int32_t inputs;
};

struct cuda_session {
  const cuseq_model *model; /* the session's; it outlives this */
  struct backend_limits limits;
  struct launch_device device;
  int32_t index; /* cuda:N */
  cudaStream_t stream;
  char error[512];
  struct launch_stream launch;
  struct cuda_blas *blas;     /* NULL until a shape needs it */
  void *d_blas_workspace;     /* NULL: cuBLAS's own. Captured products need one that stays */
  struct cuda_graphs *graphs; /* NULL where the choice needs none */
  struct cuda_forced forced;
  struct cuda_choice choice; /* for a call of the limits */
  enum lstm_mapping mapping;
  void *arena; /* all device memory, one allocation */
  size_t arena_bytes;
  struct cuda_layer layers[MODEL_MAX_LAYERS];
  struct cuda_decoder *decoder; /* weights and buffers of attention and decoder */
  /* pinned host memory: what is queued for copying must stay as it is until the stream has passed it */
  float *h_x; /* [B,T,F], float64 input rounded to float32 */
  /* the input, as the call brought it */
  float *d_x;         /* [B,T,F] */
  int32_t *d_ids;     /* [B,T] */
  int32_t *d_lengths; /* [B] */
  int32_t *d_order;   /* [B] */
  float *d_initial_h; /* [layers,D,B,H] */
  float *d_initial_c;
  /* between the layers */
  float *d_projected;      /* [B,T,D,H,4] */
  float *d_annotations[2]; /* [B,T,A]: a layer's input and output, in turns */
  float *d_directions;     /* [D,B,T,H], merges other than concat */
  float *d_final_h;        /* [layers,D,B,H] */
  float *d_final_c;
  void *d_workspace; /* of the sequence kernel */
  float *d_products; /* [D,B,H,4] h U of a step, CUDA_ENCODER_CELL */
  /* what is encoded */
  float *d_encoded;                 /* one of d_annotations */
  const int32_t *d_encoded_lengths; /* d_lengths, or NULL: all rows have T positions */
  int32_t batch, time;
};

/* memory.c: lists device arrays, then takes one allocation for all. */
struct cuda_plan {
  size_t bytes;
  int32_t count;
  struct {
    void **array;
    size_t offset;
  } entries[MODEL_MAX_LAYERS * 3 + 64];
};
/* Adds an array of `bytes` (0: the pointer stays NULL), 256-byte aligned. */
void cuda_plan_add(struct cuda_plan *plan, void *array, size_t bytes);
/* Allocates and sets every pointer. Says how much was needed and what is free when it does not fit. */
cuseq_status cuda_plan_allocate(struct cuda_session *session, const struct cuda_plan *plan);

/* layers.c: the encoder's arrays and the upload of its weights. */
void cuda_layers_plan(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_layers_upload(struct cuda_session *session);

/* encode.c: queues copies of the caller's input - ids or dense rows, lengths, initial states - to the device. */
cuseq_status cuda_input_queue(struct cuda_session *session, const struct backend_input *input);
/* Queues the encoder; the results stay on the device. */
cuseq_status cuda_encode_queue(struct cuda_session *session, const struct backend_input *input);
/* Queues copies of what is wanted to the caller's arrays. */
cuseq_status cuda_encode_fetch(struct cuda_session *session, const cuseq_encoding *encoding);

/* decode.c: attention and decoder. */
cuseq_status cuda_decoder_open(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_decoder_upload(struct cuda_session *session);
void cuda_decoder_close(struct cuda_session *session);
/* Queues what attention needs of the annotations once per sequence. */
cuseq_status cuda_keys_queue(struct cuda_session *session);
cuseq_status cuda_attend_queue(struct cuda_session *session, const float *hidden, float *context,
                               float *alphas);
cuseq_status cuda_decode_queue(struct cuda_session *session, const cuseq_decoding *decoding);

/* whole.c: queues encoder and decoder as one launch where the model fits into one, and copies of what is wanted; otherwise it
 * does nothing. *queued says which. */
cuseq_status cuda_whole_queue(struct cuda_session *session, const struct backend_input *input,
                              const cuseq_encoding *encoding, const cuseq_decoding *decoding, bool *queued);

/* blas.c: cuBLAS, loaded when a shape first needs it. */
cuseq_status cuda_blas_open(struct cuda_session *session);
void cuda_blas_close(struct cuda_session *session);
/* Which stream further products go to. */
cuseq_status cuda_blas_stream(struct cuda_session *session, cudaStream_t stream);
/* Bytes of d_blas_workspace. */
size_t cuda_blas_workspace_bytes(const struct launch_device *device);
/* C[m,n] = A[m,k] B[k,n], or C += A B, row-major; rows of A lie lda apart, those of B and C n. `count` of them, 0 or 1: one,
 * lie one after the other. */
struct cuda_product {
  const float *a, *b;
  float *c;
  int32_t m, n, k;
  int64_t lda;
  int32_t count;
  bool adds;
};
cuseq_status cuda_blas_product(struct cuda_session *session, const struct cuda_product *product);
/* A and C dense. */
cuseq_status cuda_blas_multiply(struct cuda_session *session, const float *a, const float *b, float *c,
                                int32_t m, int32_t n, int32_t k);

/* failure.c: a failed call of the runtime as a status with a line of text. */
cuseq_status cuda_failure(cudaError_t error, const char *call);
#define CUDA_TRY(call)                                                                                       \
  do {                                                                                                       \
    cudaError_t cuda_error_ = (call);                                                                        \
    if (cuda_error_ != cudaSuccess)                                                                          \
      return cuda_failure(cuda_error_, #call);                                                               \
  } while (0)
/* A launcher's result: its text becomes the thread's error. */
cuseq_status cuda_launched(const struct cuda_session *session, cuseq_status status);

/* Copies between host and device, on the session's stream; NULL on the host side does nothing. */
cuseq_status cuda_copy_in(struct cuda_session *session, void *device, const void *host, size_t bytes);
cuseq_status cuda_copy_out(struct cuda_session *session, void *host, const void *device, size_t bytes);

#endif
