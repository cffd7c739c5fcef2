/* Precisions by their names. */
#include "extension.h"

#include <string.h>

bool precision_read(const struct extension *extension, const char *name, cuseq_precision *precision) {
  for (int i = CUSEQ_PRECISION_FLOAT32; i <= CUSEQ_PRECISION_BF16; i++)
    if (strcmp(cuseq_precision_name((cuseq_precision)i), name) == 0) {
      *precision = (cuseq_precision)i;
      return true;
    }
  PyErr_Format(extension->errors[WRONG_VALUE],
               "precision: there is no such one (found \"%s\", needed float32, tf32 or bf16)", name);
  return false;
}
