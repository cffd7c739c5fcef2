/* Which outputs the inputs of a decoder's step are, by what the caller says, by names and by shapes. */
#ifndef CUSEQ_ONNX_PAIR_MATCH_H
#define CUSEQ_ONNX_PAIR_MATCH_H

#include "convert/onnx/pair.h"

/* "[batch, time, 10]" of what a file declares; returns `text`. */
const char *pair_describe(const struct declared *declared, char *text, size_t capacity);

/* Whether two names are the same but for words that tell before from after. */
bool pair_same_root(const char *a, const char *b);

/* The name of an output of the step. */
const char *pair_step_output(const struct pair *pair, int32_t at);

/* Reads what the caller says into the inputs. */
cuseq_status pair_read_links(struct pair *pair);

/* Whether an output of the encoder has its place. */
bool pair_is_taken(const struct pair *pair, int32_t output);

/* Asks which of several outputs an input is.
 *   whose  "encoder" or "decoder" */
cuseq_status pair_refuse_ambiguous(const struct declared *input, const char *whose);

/* Finds the token before where it is one-hot: no input is of integers, and one alone is [rows, V] or [rows,
 * 1, V] and neither an output of the encoder nor of another width than the step's first output. */
cuseq_status pair_find_one_hot(struct pair *pair);

/* Finds what inputs begin with, by name where that is enough, otherwise by shape where only one fits. */
cuseq_status pair_find_initial(struct pair *pair);

#endif
