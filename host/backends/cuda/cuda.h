/* The CUDA backend inside its module: a session's device memory, and the stages of a call.
 *
 * Everything is queued on the session's stream; a call with results in host memory waits for it once, at
 * its end, unless calls are asynchronous. */
#ifndef CUSEQ_CUDA_CUDA_H
#define CUSEQ_CUDA_CUDA_H

#include "backends/backend.h"
#include "backends/cuda/plan.h"
#include "kernels/launch.h"

#include <cuda_runtime_api.h>

struct cuda_blas;
struct cuda_rows;
struct cuda_graphs;
struct cuda_steps;
struct cuda_search;

/* Cells of a layer that run together, on the device; packed as launch_recurrence.h says. */
struct cuda_run {
  struct cuda_cells cells;
  enum cuda_encoder encoder;
  float *d_kernel;    /* [inputs,D,H,4] */
  float *d_recurrent; /* [D,H,H,4]      */
  float *d_bias;      /* [D,H,4]        */
  float *d_candidate; /* [D,H,H]; GRU with the reset before the product, else NULL */
};

/* One layer of the encoder. */
struct cuda_layer {
  const struct encoder_layer *layer; /* of the lowered model */
  int32_t count;
  struct cuda_run runs[2];
  int32_t states;     /* width of the final states of the layers before it */
  struct dense dense; /* the one behind it, its kernel and bias on the device; kernel NULL: none */
};

/* Where an array of a call lies. */
enum cuda_place { CUDA_PLACE_PAGEABLE, CUDA_PLACE_LOCKED, CUDA_PLACE_DEVICE };

/* staging.c: page-locked memory that copies from and to ordinary memory pass through. */
enum { CUDA_SLOTS = 2, CUDA_SLOT_BYTES = 4 << 20, CUDA_SLOT_ARRAYS = 32 };
struct cuda_delivery {
  void *to;
  const void *from;
  size_t bytes;
};
struct cuda_slot {
  void *h_bytes;
  size_t used;
  cudaEvent_t passed;                                /* recorded when the slot is left */
  bool in_flight;                                    /* left, and not waited for since */
  struct cuda_delivery deliveries[CUDA_SLOT_ARRAYS]; /* to the caller, once it has passed */
  int32_t count;
};
struct cuda_ring {
  struct cuda_slot slots[CUDA_SLOTS];
  size_t bytes; /* of a slot */
  int32_t current;
};

struct cuda_rings {
  struct cuda_ring in, out;
};

/* check.c: what is checked on the device. Page-locked memory that it writes. */
struct cuda_faults {
  struct input_fault input;
  uint64_t results; /* struct launch_check; BACKEND_NO_FAULT: none */
};
struct cuda_checks {
  struct input_check next; /* gathered, not queued yet */
  struct input_record *d_record;
  struct cuda_faults *h_faults;
  int64_t call;     /* the number of the call under way */
  int64_t reported; /* of the last one that was waited for */
};

/* What layers that attend to themselves work in, one after the other. */
struct cuda_self_work {
  float *d_queries, *d_keys; /* [B,T,U], or NULL: no layer maps them                    */
  float *d_values;           /* [B,T,C], likewise                                       */
  float *d_contexts;         /* [B,T,C] where a dense layer is behind                   */
  int32_t *d_rows;           /* [B T] who asks, of layered energies; and what of it they attend to */
  int32_t *d_attended;
  void *d_workspace; /* of launch_attend */
};

/* Arrays of rows that a call works in; device memory. A window of rows has them from its first row on
 * (rows.c). */
struct cuda_work {
  /* the input, as the call brought it */
  float *d_x;         /* [B,T,F]; [B,T] where the model takes ids alone */
  int32_t *d_ids;     /* [B,T] */
  float *d_embedded;  /* [B,T,E] rows of the embedding */
  int32_t *d_lengths; /* [B] */
  int32_t *d_order;   /* [B] */
  float *d_initial_h; /* a block [B,H] for each direction of each layer, one after the other */
  float *d_initial_c;
  /* between the layers */
  float *d_projected;      /* [B,T,D,H,4] */
  float *d_annotations[2]; /* [B,T,width]: a layer's input and output, in turns */
  float *d_directions;     /* [2,B,T,H], merges other than concat */
  float *d_merged;         /* [B,T,merged width] what a dense layer behind a layer reads, or self-attention */
  float *d_unweighted;     /* [B,T,merged width] what a layer gives whose positions are to be weighted */
  struct cuda_self_work self;
  float *d_final_h;  /* as d_initial_h */
  float *d_final_c;  /* 0 where a cell has no c */
  void *d_workspace; /* of the sequence kernel */
  float *d_products; /* [D,B,H,4] h U of a step, CUDA_ENCODER_CELL */
  float *d_reset;    /* [D,B,H] r h of a step, GRU with the reset before the product; then r h U_n */
  float *d_candidate;
  /* made of the annotations */
  float *d_keys;   /* [B,T,U], or NULL: the annotations are the keys */
  float *d_values; /* [B,T,C], or NULL: the annotations are the values */
  /* [B,T,S] of score general of version 1, whose kernels multiply keys where others do queries; or NULL */
  float *d_general_keys;
  float *d_wide[2]; /* [B T, the widest layer of keys, values and a tagger's heads] */
  /* decoding.c: the arrays of a decoding, the session's own; those of other structures are NULL. Inputs hold
   * what the caller gives; results are written here where the caller's array is not on the device. */
  void *decoding[BACKEND_ARRAYS];
};

/* What is encoded, until it is encoded again. */
struct cuda_encoded {
  float *d_annotations;     /* one of the two arrays */
  const int32_t *d_lengths; /* as in the call's arrays, or NULL: all rows have T positions */
  int32_t batch, time;
  bool keys_made, general_keys_made; /* of the annotations: one launch from input to output leaves none */
  bool came_with_keys, came_with_general_keys; /* by the call that encoded them */
};

/* Results of a window that are copied when the next window's work has been queued. */
struct cuda_later {
  struct {
    enum backend_array array;
    void *out;
    const void *device;
    size_t bytes;
  } copies[BACKEND_ARRAYS];
  int32_t count;
};

/* The call under way. */
struct cuda_call {
  int32_t first_row;                  /* of a window, 0 otherwise */
  uint8_t places[BACKEND_ARRAYS];     /* enum cuda_place, of arrays that are not NULL */
  bool waits;                         /* for its results, at its end */
  cudaStream_t stream_in, stream_out; /* of copies from and to the host */
  cudaEvent_t order;                  /* between streams, waited for as soon as it is recorded; of windows */
  struct cuda_later *later;           /* results are copied later, by rows.c; NULL: at once */
  const float *d_given_x;             /* the dense input: d_x, or where the caller left it */
  /* capture.c: whether the stream is being captured, and the thread's own mode of what may be called
   * meanwhile */
  bool captured;
  enum cudaStreamCaptureMode mode;
};

struct cuda_session {
  const cuseq_model *model; /* the session's; it outlives this */
  struct backend_limits limits;
  struct launch_device device;
  int32_t index; /* cuda:N */
  cudaStream_t stream;
  struct cuda_rows *rows; /* rows.c; NULL where calls are not large enough */
  char error[512];
  struct launch_stream launch;
  struct cuda_blas *blas;     /* NULL until a shape needs it */
  void *d_blas_workspace;     /* NULL: cuBLAS's own. Captured products need one that stays */
  struct cuda_graphs *graphs; /* NULL where the choice needs none */
  struct cuda_forced forced;
  struct cuda_choice choice; /* for a call of the limits */
  void *arena;               /* all device memory, one allocation */
  /* weights */
  struct cuda_layer layers[STRUCTURE_MAX_ENCODER_LAYERS];
  float *d_embedding; /* [F,E] of the input, where it is looked up; else NULL */
  struct cuda_decoder
      *decoder;               /* attention and decoder of version 1 as one launch each; NULL: of version 2 */
  struct cuda_steps *steps;   /* attention, decoder and heads of any structure, step by step */
  struct cuda_search *search; /* NULL: the model feeds no tokens back */
  struct cuda_rings *rings;
  struct cuda_checks checks;
  struct cuda_work work;
  struct cuda_encoded encoded;
  struct cuda_call call;
};

/* device.c: how many there are (0: why is the thread's error), one of them in words, and its properties. */
int32_t cuda_device_count(void);
void cuda_device_describe(int32_t index, char *text, size_t capacity);
cuseq_status cuda_device_read(int32_t index, struct launch_device *device);

/* precision.c: refuses a session's precision where the device's kernels do not have it; session->device has
 * been read. */
cuseq_status cuda_precision_check(const struct cuda_session *session, const char *device);

/* arena.c: device arrays, listed to be taken as one allocation. */
enum { CUDA_PLAN_ENTRIES = 2048 };
struct cuda_plan {
  size_t bytes;
  int32_t count;
  struct {
    void **array;
    size_t offset;
  } entries[CUDA_PLAN_ENTRIES];
};
/* Adds an array of `bytes` (0: the pointer stays NULL), 256-byte aligned. */
void cuda_plan_add(struct cuda_plan *plan, void *array, size_t bytes);
/* memory.c: takes the memory of a session of its limits, sets every pointer, clears what has to begin at 0.
 * Says how much was needed, what is free and which limits would fit where it does not. */
cuseq_status cuda_memory_take(struct cuda_session *session);

/* needs.c: whether a call of the limits needs graphs; whether it needs products by cuBLAS; whether these may
 * stand in graphs, which need a workspace that stays. */
bool cuda_needs_graphs(const struct cuda_session *session);
bool cuda_needs_blas(const struct cuda_session *session);
bool cuda_captures_products(const struct cuda_session *session);

/* layers.c: the encoder's arrays and the upload of its weights. */
void cuda_layers_plan(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_layers_upload(struct cuda_session *session);
/* Whether layers run as graphs, and whether a call needs products by cuBLAS: of ids, or of dense input, whose
 * products of the first layer come with the first call that has some. */
bool cuda_layers_need_graphs(const struct cuda_session *session);
bool cuda_layers_need_blas(const struct cuda_session *session, bool dense);
/* Whether kernels alone encode such a call, row by row, so that it may be cut into windows of rows. */
bool cuda_layers_take_rows(const struct cuda_session *session, const struct backend_input *input);
/* Where the final states of a layer's direction (0 forward, 1 backward) begin in d_final_h and d_final_c, of
 * `batch` rows: a block [batch,H]. */
size_t cuda_states_offset(const struct cuda_session *session, int32_t layer, int direction, int32_t batch);

/* weighting.c: the weights of a layer's positions, of d_unweighted to d_output. */
cuseq_status cuda_weighting_queue(struct cuda_session *session, int32_t l, float *d_output);

/* self_attention.c: a layer's, over its merged outputs [B,T,merged width]; the contexts to d_output, whose
 * positions are output_stride apart. */
cuseq_status cuda_self_attention_queue(struct cuda_session *session, const struct encoder_layer *layer,
                                       const float *merged, float *d_output, int64_t output_stride);
void cuda_self_attention_plan(struct cuda_session *session, struct cuda_plan *plan);
/* Whether its queries, keys and values are made row by row, without cuBLAS; true where it has none. */
bool cuda_self_attention_is_narrow(const struct cuda_session *session, const struct encoder_layer *layer);
/* Positions that one launch lets ask; 0: all of them. */
int32_t cuda_self_attention_window(const struct cuda_session *session, const struct encoder_layer *layer);

/* input.c: brings the caller's input - ids or dense rows, lengths, initial states - to the device, checks
 * included. */
cuseq_status cuda_input_queue(struct cuda_session *session, const struct backend_input *input);
/* Where the dense input of a call will be: where the caller left it on the device, or in d_x - also where a
 * result that kernels write goes to that very memory. Comes first; decoding may be NULL. */
void cuda_input_place(struct cuda_session *session, const struct backend_input *input,
                      const cuseq_decoding *decoding);
/* Whether the input is token ids. */
bool cuda_input_is_ids(const struct backend_input *input);

/* encode.c: queues the encoder; the results stay on the device. */
cuseq_status cuda_encode_queue(struct cuda_session *session, const struct backend_input *input);
/* Queues copies of what is wanted to the caller's arrays. */
cuseq_status cuda_encode_fetch(struct cuda_session *session, const cuseq_encoding *encoding);

/* Where the last layer's annotations are made. */
static inline float *cuda_last_annotations(const struct cuda_session *session) {
  return session->work.d_annotations[(session->model->lowered.encoder.count - 1) % 2];
}

/* Rows of a decoding of the limits: R. */
int32_t cuda_rows_limit(const struct cuda_session *session);
/* One of the session's arrays of a decoding. */
static inline float *cuda_decoding_floats(const struct cuda_session *session, enum backend_array array) {
  return session->work.decoding[array];
}

/* decode.c: attention and decoder. */
cuseq_status cuda_decoder_open(struct cuda_session *session);
void cuda_decoder_plan(struct cuda_session *session, struct cuda_plan *plan);
/* Once weights and arrays have their places. */
void cuda_decoder_fill(struct cuda_session *session);
void cuda_decoder_close(struct cuda_session *session);
/* Queues what attention needs of the annotations once per sequence. */
cuseq_status cuda_keys_queue(struct cuda_session *session);
cuseq_status cuda_attend_queue(struct cuda_session *session, const float *hidden, float *context,
                               float *alphas);
cuseq_status cuda_decode_queue(struct cuda_session *session, const cuseq_decoding *decoding);

/* queue.c: queues a call, as one launch where the model fits into one; decoding may be NULL. */
cuseq_status cuda_call_queue(struct cuda_session *session, const struct backend_input *input,
                             const cuseq_encoding *encoding, const cuseq_decoding *decoding);

/* whole.c: queues encoder and decoder as one launch where the model fits into one, and copies of what is
 * wanted; otherwise it does nothing. *queued says which. */
cuseq_status cuda_whole_queue(struct cuda_session *session, const struct backend_input *input,
                              const cuseq_encoding *encoding, const cuseq_decoding *decoding, bool *queued);

/* blas.c: cuBLAS, loaded when a shape first needs it. */
cuseq_status cuda_blas_open(struct cuda_session *session);
void cuda_blas_close(struct cuda_session *session);
/* Which stream further products go to. */
cuseq_status cuda_blas_stream(struct cuda_session *session, cudaStream_t stream);
/* Bytes of d_blas_workspace. */
size_t cuda_blas_workspace_bytes(const struct launch_device *device);
/* C[m,n] = A[m,k] B[k,n], or C += A B, row-major; rows of A lie lda apart, those of C n. `count` of
 * them, 0 or 1: one, lie one after the other. */
struct cuda_product {
  const float *a, *b;
  float *c;
  int32_t m, n, k;
  int64_t lda;
  int64_t ldb;     /* rows of B lie so far apart; 0: n */
  bool transposed; /* B lies as [n,k] */
  int32_t count;
  bool adds;
};
cuseq_status cuda_blas_product(struct cuda_session *session, const struct cuda_product *product);
/* product.c: the same by the device's tensor cores, and by cuBLAS where it has none. */
cuseq_status cuda_product_queue(struct cuda_session *session, const struct cuda_product *product);
bool cuda_products_need_blas(const struct cuda_session *session);
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

/* capture.c: calls in a graph of the caller's. Begin refuses a session that was not opened for it while its
 * stream is being captured; end is called after every call that begin let through. */
cuseq_status cuda_capture_begin(struct cuda_session *session, const char *call);
void cuda_capture_end(struct cuda_session *session);
/* A stream that cannot be captured is refused when a session opens for it. */
cuseq_status cuda_capture_check(const struct cuda_session *session);
/* After a call that encodes, and before one that decodes what was encoded: in a session opened for graphs a
 * decoding makes again what an earlier decoding made of the annotations, as its graph may be launched without
 * the other's. */
void cuda_capture_encoded(struct cuda_session *session);
void cuda_capture_decodes(struct cuda_session *session);

/* locate.c */
cuseq_status cuda_locate(void *state, enum backend_array array, const void *pointer, bool *on_device);
bool cuda_is_device_memory(const void *pointer);

/* staging.c: slots for up to `bytes` of a call, or of a fixed size where that is more. Close takes any
 * state. */
cuseq_status cuda_ring_open(struct cuda_ring *ring, size_t bytes);
void cuda_ring_close(struct cuda_ring *ring);
/* Queues a copy of a host array to the device; NULL does nothing. */
cuseq_status cuda_copy_in(struct cuda_session *session, enum backend_array array, void *device,
                          const void *host, size_t bytes);
/* The same for float64, which is rounded to float32. */
cuseq_status cuda_copy_in_f64(struct cuda_session *session, float *device, const double *host, size_t count);
/* Queues a copy of a result to where the caller's array lies; NULL, or `device` itself, does nothing. */
cuseq_status cuda_copy_out(struct cuda_session *session, enum backend_array array, void *out,
                           const void *device, size_t bytes);
/* `after` goes on when `before` has come to here: streams of a session that has windows. */
cuseq_status cuda_streams_order(struct cuda_session *session, cudaStream_t before, cudaStream_t after);
/* Kernels that are queued from here on come after the copies of the call's inputs; nothing where there are no
 * windows. */
cuseq_status cuda_inputs_arrived(struct cuda_session *session);
/* Ends a call that does not wait: its slots are the device's until it has passed them. */
cuseq_status cuda_staging_leave(struct cuda_session *session);
/* Ends a call after the streams have been waited for; delivers what the caller is to get, or forgets it. */
void cuda_staging_end(struct cuda_session *session, bool delivers);

/* check.c: adds an array on the device to the next launch of checks. `target` receives it, clamped and
 * converted. */
void cuda_check_integers(struct cuda_session *session, enum backend_array name, const int32_t *source,
                         int32_t *target, int64_t count, int32_t low, int32_t high);
void cuda_check_states(struct cuda_session *session, enum backend_array name, const float *source,
                       float *target, int64_t count);
/* Tokens [rows,steps], of each row the first d_lengths[row] (NULL: all). */
void cuda_check_targets(struct cuda_session *session, const int32_t *source, int32_t *target, int32_t rows,
                        int32_t steps, int32_t high, const int32_t *d_lengths);
/* What is given for every step, [rows,steps,width], of each row the first d_lengths[row] steps (NULL:
 * all). */
void cuda_check_given(struct cuda_session *session, const float *source, float *target, int32_t rows,
                      int32_t steps, int32_t width, const int32_t *d_lengths);
/* The input, `width` elements a position; target NULL: it stays where it is. */
void cuda_check_data(struct cuda_session *session, const void *source, cuseq_dtype dtype, void *target,
                     int32_t width, const int32_t *d_lengths);
/* Ends the bringing of inputs: what is queued from here on comes after their copies, beginning with the
 * checks, if there is anything to check. */
cuseq_status cuda_check_queue(struct cuda_session *session);
/* What kernels are told of results that are not finite; `step` of the decoder, 0 where it is not one step's
 * launch. */
struct launch_check cuda_check_results(const struct cuda_session *session, int32_t step);
/* After the stream has been waited for: the first fault since the last report, as a status with a line of
 * text. */
cuseq_status cuda_check_report(struct cuda_session *session);

#endif
