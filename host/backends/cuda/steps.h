/* Attention, decoder and heads of any structure, step by step: the complete path, with what it needs on the
 * device. What one launch can do instead, loop.h and plan.h say.
 *
 * R is the number of rows that are decoded: those that are encoded, or as many as a decoding's `rows` name.
 * All working arrays are the session's own, so that a graph of the steps serves whatever a caller wants of
 * it. */
#ifndef CUSEQ_CUDA_STEPS_H
#define CUSEQ_CUDA_STEPS_H

#include "backends/cuda/dense.h"
#include "backends/cuda/upload.h"

/* A decoder layer's cell, packed as launch_recurrence.h says. */
struct cuda_cell {
  enum cell_form form;
  float *d_kernel;    /* [inputs,S,4] */
  float *d_recurrent; /* [S,S,4] */
  float *d_candidate; /* [S,S] GRU that resets before the product, or NULL */
  float *d_bias;      /* [S,4] */
};

struct cuda_steps {
  struct cuda_upload upload;
  struct structure structure; /* lowered; pointers to weights are device memory, but for cells */
  struct cuda_cell cells[STRUCTURE_MAX_DECODER_LAYERS];
  int32_t offsets[STRUCTURE_MAX_DECODER_LAYERS]; /* of a layer's states among all layers' */
  struct loop_model *d_loop;                     /* loop.c; NULL: the decoder does not run in one launch */
  int32_t loop_floats;
  struct whole_any_model *d_whole; /* whole_any.c; NULL: no call is one launch from input to output */
  struct whole_any_sizes whole;
  /* of a step; the layers' states lie in the decoding's arrays of final states */
  void *d_workspace;      /* of attention */
  float *d_queries;       /* [R,U] */
  float *d_head_alphas;   /* [R,N,T] of attention with several heads */
  float *d_scratch[2];    /* [R, the widest dense layer] */
  float *d_gates;         /* [R,S,4] of the widest layer */
  float *d_reset;         /* [R,S] r h, of GRU layers that reset before the product */
  float *d_candidate;     /* [R,S] */
  float *d_above;         /* [R, all layers' S] what residual layers give, where there are any */
  float *d_context;       /* [R,C] */
  float *d_attentional;   /* [R,width] */
  float *d_fed;           /* [R,E] */
  float *d_probabilities; /* [R,V] that a step reads of the step before, where it does */
  float *d_logits;        /* [R,V]; [B T,V] of taggers */
  float *d_log_outputs;   /* [R,V] of a search's step */
  int32_t *d_fed_ids;     /* [R] */
  int32_t *d_attended;    /* [R] */
};

/* A call of the steps. */
struct cuda_stepping {
  int32_t rows;          /* R */
  int32_t steps;         /* Y */
  int32_t apart;         /* of what they begin with: row r lies in place r x apart; 0 is 1 */
  const int32_t *d_rows; /* NULL: the encoded rows themselves */
  bool given_h, given_c, given_fed, given_tokens, given_lengths, given_targets;
  uint64_t wanted; /* a bit for each array of the call that is wanted */
  bool wants_logs; /* d_log_outputs */
};

/* steps.c: makes the list of weights; gives everything a place; copies the weights. close takes NULL. */
cuseq_status cuda_steps_open(struct cuda_session *session);
void cuda_steps_plan(struct cuda_session *session, struct cuda_plan *plan);
cuseq_status cuda_steps_upload(struct cuda_session *session);
void cuda_steps_close(struct cuda_session *session);
/* The widest array that a row or a position of the steps has. */
int32_t cuda_steps_widest(const struct cuda_session *session);

/* steps_attention.c: the lowered energies as the kernels take them: an inner product of keys and queries, or
 * layers over their sum; of attention to vectors of `width`. */
struct attention_score cuda_steps_score(const struct attention_structure *attention, int32_t width);
/* Makes keys and values, where there are any, once per sequence. */
cuseq_status cuda_steps_keys_queue(struct cuda_session *session);
/* Whether they are so narrow that no product but launch_attention_keys' makes them. */
bool cuda_steps_keys_are_narrow(const struct structure *structure);
/* The context and the alphas of R rows for what asks, `query` [R, query inputs]; d_lengths [R] says how many
 * positions each attends to. */
struct cuda_asking {
  struct cuda_parts query;
  int32_t rows;
  const int32_t *d_rows;
  const int32_t *d_lengths;
  float *d_alphas; /* row r at d_alphas + r * alphas_stride */
  int64_t alphas_stride;
  float *d_context; /* [R,C] */
  struct launch_check check;
};
cuseq_status cuda_steps_attend(struct cuda_session *session, const struct cuda_asking *asking);
/* Bytes of steps->d_workspace. */
size_t cuda_steps_attend_bytes(const struct cuda_session *session, int32_t rows);

/* steps_begin.c: an initial state of R rows into d_output, whose rows are `stride` apart. */
cuseq_status cuda_steps_initial(struct cuda_session *session, const struct initial_structure *initial,
                                const struct cuda_stepping *stepping, int32_t units, float *d_output,
                                int64_t stride);
/* The states of all layers, from the caller's or the encoder's, and what a step before the first would have
 * handed on. */
cuseq_status cuda_steps_begin(struct cuda_session *session, const struct cuda_stepping *stepping);

/* steps_decode.c: all steps of R rows, as one graph where the session has graphs. */
cuseq_status cuda_steps_queue(struct cuda_session *session, const struct cuda_stepping *stepping);
/* One step of R rows for a search: those that run have 1 in the array of output lengths, the others 0; what
 * each reads is in d_fed_ids. */
cuseq_status cuda_steps_one(struct cuda_session *session, const struct cuda_stepping *stepping);
/* The token that a step reads: its embedding, or its id; or the probabilities in its place. */
struct cuda_part cuda_steps_token(const struct cuda_session *session);
/* Makes it the start token, of R rows. */
cuseq_status cuda_steps_start_token(struct cuda_session *session, int32_t rows);

/* steps_heads.c: attention and heads of a model without a decoder. */
cuseq_status cuda_steps_outputs(struct cuda_session *session, const struct cuda_stepping *stepping);

/* decode.c: what a decoding asks for. */
struct cuda_stepping cuda_stepping_of(const struct cuda_session *session, const cuseq_decoding *decoding);

/* The bit of an array in `wanted`. */
static inline uint64_t cuda_wanted(enum backend_array array) {
  return (uint64_t)1 << array;
}

#endif
