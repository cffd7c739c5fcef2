/* What a model of version 2 is, part by part. */
#ifndef CUSEQ_CLI_INFO_STRUCTURE_H
#define CUSEQ_CLI_INFO_STRUCTURE_H

#include "cuseq/cuseq.h"

#include <stdbool.h>

/* Prints the structure of a model whose configuration says "version": 2; false, and nothing is printed: it
 * is of another one. */
bool info_structure(const cuseq_model *model);

#endif
