/* Precisions by their names. */
#include "extension.h"

#include <string.h>

static const char *const names[] = {
    [CUSEQ_PRECISION_FLOAT32] = "float32", [CUSEQ_PRECISION_TF32] = "tf32", [CUSEQ_PRECISION_BF16] = "bf16"};

bool precision_read(const struct extension *extension, const char *name, cuseq_precision *precision) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], name) == 0) {
      *precision = (cuseq_precision)i;
      return true;
    }
  PyErr_Format(extension->errors[WRONG_VALUE],
               "precision: there is no such one (found \"%s\", needed float32, tf32 or bf16)", name);
  return false;
}

PyObject *precision_name(cuseq_precision precision) {
  return PyUnicode_FromString(names[precision]);
}
