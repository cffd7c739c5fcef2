/* The arrays of a call, listed once: what is checked, located, staged, cut into windows of rows, cleared and
 * printed is made from this table. */
#ifndef CUSEQ_BACKENDS_CALL_H
#define CUSEQ_BACKENDS_CALL_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stddef.h>

/* Inputs in the order in which they are checked, then outputs. */
enum backend_array {
  BACKEND_PREVIOUS,
  BACKEND_STATE_H, /* the decoder's initial_h; the state of cuseq_attend */
  BACKEND_STATE_C,
  BACKEND_FED,
  BACKEND_ROWS,
  BACKEND_TARGETS,
  BACKEND_GIVEN,
  BACKEND_TARGET_LENGTHS,
  BACKEND_LENGTHS,
  BACKEND_INITIAL_H,
  BACKEND_INITIAL_C,
  BACKEND_DATA,
  BACKEND_ANNOTATIONS,
  BACKEND_H_FW,
  BACKEND_C_FW,
  BACKEND_H_BW,
  BACKEND_C_BW,
  BACKEND_FINAL_H,
  BACKEND_FINAL_C,
  BACKEND_CONTEXTS,
  BACKEND_ALPHAS,
  BACKEND_STATES,
  BACKEND_OUTPUTS,
  BACKEND_LOG_PROBABILITIES,
  BACKEND_TOKENS,
  BACKEND_OUTPUT_LENGTHS,
  BACKEND_DECODER_FINAL_H,
  BACKEND_DECODER_FINAL_C,
  BACKEND_FINAL_FED,
  BACKEND_BEST_TOKENS,
  BACKEND_BEST_LENGTHS,
  BACKEND_BEST_SCORES,
  BACKEND_BEST_LOG_PROBABILITIES,
  BACKEND_BEST_ALPHAS,
  BACKEND_ARRAYS,                       /* how many there are */
  BACKEND_INPUTS = BACKEND_ANNOTATIONS, /* how many of them are inputs */
};

/* The structure of cuseq.h that an array is a member of. */
enum call_structure { CALL_INPUT, CALL_ENCODING, CALL_DECODING, CALL_BEAM };

/* What a row of the batch has in an array. The encoder's states of all layers are no rows of a batch: a block
 * for each direction of each layer. The results of a beam search have as much for each of a row's
 * hypotheses. */
enum call_rows { CALL_PER_ROW, CALL_PER_POSITION, CALL_PER_STEP, CALL_BLOCKS };

/* How wide one of these is. */
enum call_width {
  WIDTH_ONE,
  WIDTH_FEATURES,   /* F of dense input, 1 of ids */
  WIDTH_TIME,       /* T */
  WIDTH_ANNOTATION, /* A */
  WIDTH_FORWARD,    /* H of the last layer's forward direction */
  WIDTH_BACKWARD,
  WIDTH_ENCODER_STATE, /* of all layers and directions */
  WIDTH_CONTEXT,       /* C */
  WIDTH_STATE,         /* S' of one step */
  WIDTH_DECODER_STATE, /* S of all layers */
  WIDTH_FED,           /* X */
  WIDTH_GIVEN,         /* G */
  WIDTH_OUTPUTS,       /* V */
  WIDTH_HEADS,         /* N, at least 1 */
};

struct call_array {
  const char *name; /* in messages */
  size_t offset;    /* of the pointer in its structure */
  enum call_structure structure;
  bool is_integer; /* int32; else float */
  enum call_rows rows;
  enum call_width width;
};

extern const struct call_array call_arrays[BACKEND_ARRAYS];

/* The arrays of a structure: its inputs, then its outputs. */
struct call_range {
  enum backend_array first, end;
};

static const struct call_range call_ranges[][2] = {
    [CALL_INPUT] = {{BACKEND_LENGTHS, BACKEND_ANNOTATIONS}},
    [CALL_ENCODING] = {{BACKEND_ANNOTATIONS, BACKEND_CONTEXTS}},
    [CALL_DECODING] = {{BACKEND_PREVIOUS, BACKEND_LENGTHS}, {BACKEND_CONTEXTS, BACKEND_BEST_TOKENS}},
    [CALL_BEAM] = {{BACKEND_BEST_TOKENS, BACKEND_ARRAYS}},
};

/* Runs what follows for each array of a structure. */
#define CALL_EACH(array, structure)                                                                          \
  for (int range_ = 0; range_ < 2; range_++)                                                                 \
    for (enum backend_array array = call_ranges[structure][range_].first;                                    \
         array < call_ranges[structure][range_].end; array++)

/* What messages call an array. */
const char *backend_array_name(enum backend_array array);

/* The pointer of an array in its structure. */
static inline void *call_pointer(enum backend_array array, const void *structure) {
  return *(void *const *)((const char *)structure + call_arrays[array].offset);
}

/* Where the pointer of an array lies in its structure. */
static inline void *call_member(enum backend_array array, void *structure) {
  return (char *)structure + call_arrays[array].offset;
}

/* How many elements one row of the batch has in an array, for T positions and Y steps; of CALL_BLOCKS the
 * same in all blocks together. BACKEND_DATA counts as dense. */
size_t call_row_elements(const cuseq_config *config, enum backend_array array, int32_t time, int32_t steps);

#endif
