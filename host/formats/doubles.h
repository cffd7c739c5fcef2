/* Names of which two must not be the same. */
#ifndef CUSEQ_FORMATS_DOUBLES_H
#define CUSEQ_FORMATS_DOUBLES_H

#include <stddef.h>

/* A name that is there twice, or NULL. Sorts the names. */
const char *doubles_find(const char **names, size_t count);

#endif
