/* The names of arrays: paths whose parts have dots or slashes between. */
#ifndef CUSEQ_ARRAYS_ARRAY_NAMES_H
#define CUSEQ_ARRAYS_ARRAY_NAMES_H

#include <stdbool.h>

/* The last part. */
const char *array_name_leaf(const char *name);

/* Whether the last part is this word, with ":0" behind it, which TensorFlow adds, or not. */
bool array_name_ends(const char *name, const char *word);

/* Whether an array is in a group "vars", in which Keras 3 numbers a layer's weights. */
bool array_name_in_vars(const char *name);

#endif
