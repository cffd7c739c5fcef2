/* The arrays that a run gives, by the names and shapes of OUT.npz. */
#ifndef CUSEQ_CLI_RESULTS_H
#define CUSEQ_CLI_RESULTS_H

#include "cuseq/cuseq.h"

#include <stdbool.h>

enum result_id {
  RESULT_ANNOTATIONS,
  RESULT_H_FW,
  RESULT_C_FW,
  RESULT_H_BW,
  RESULT_C_BW,
  RESULT_CONTEXT,
  RESULT_ALPHAS,
  RESULT_STATES,
  RESULT_OUTPUTS,
  RESULT_TOKENS,
  RESULT_OUTPUT_LENGTHS,
  RESULT_LOG_PROBABILITIES, /* only where it is asked for by name */
  RESULT_COUNT
};

/* Sets of them, for results_make. */
#define RESULT_SET(id) (1u << (id))
#define RESULT_SET_ALL ((1u << RESULT_LOG_PROBABILITIES) - 1)
#define RESULT_SET_ENCODING ((1u << RESULT_CONTEXT) - 1)

/* Tokens and lengths are int32, all others float32. */
static inline bool result_is_integer(enum result_id id) {
  return id == RESULT_TOKENS || id == RESULT_OUTPUT_LENGTHS;
}

struct result {
  const char *name;
  bool integer; /* int32, otherwise float32                                                               */
  int32_t rank; /* 0: the model has no such array                                                         */
  int64_t shape[4];
  void *data; /* NULL: not wanted                                                                         */
};

struct results {
  struct result arrays[RESULT_COUNT];
  int32_t steps; /* Y; T of a head over every position, 1 of other models without a decoder              */
};

/* Shapes for `batch` rows, and memory for those in the set, unless they need more than the machine has.
 * Returns an exit status. */
int results_make(struct results *results, const cuseq_config *config, int64_t batch, int32_t time,
                 int32_t steps, unsigned set);
void results_free(struct results *results);

/* Refuses results of `bytes` bytes where the machine has less memory. Returns an exit status. */
int results_memory_check(double bytes);

/* Elements of one row of the batch. */
size_t result_row(const struct result *result);

/* Points a call's structures at the rows from `first` on. */
void results_bind(const struct results *results, int64_t first, cuseq_encoding *encoding,
                  cuseq_decoding *decoding);

/* The arrays at row `first`, NULL where there are none. */
float *results_floats(const struct results *results, enum result_id id, int64_t first);
int32_t *results_integers(const struct results *results, enum result_id id, int64_t first);

/* Steps of row `b` up to and with the end token, all of them where the model has none; of a head over
 * every position those of the row; 1 of other models without a decoder. */
int32_t results_steps(const struct results *results, int64_t b);

/* The steps to compute: those that --steps asks for (0: none asked), or the model's. Returns an exit
 * status. */
int steps_choose(const cuseq_config *config, int32_t asked, int32_t *steps);

/* The positions that a command plans with where there is no input: those that --time asks for (0: none
 * asked), or what the model or its vocabulary has. */
int32_t time_without_input(const cuseq_config *config, int32_t asked);

/* How many rows to compute at a time, such that what a session needs stays within some 64 MB.
 *   beams  of a search; 0: none */
int32_t rows_at_a_time(const cuseq_config *config, int64_t batch, int32_t time, int32_t steps, int32_t beams);

#endif
