#include "cli/precision.h"

#include "cli/message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [CUSEQ_PRECISION_FLOAT32] = "float32", [CUSEQ_PRECISION_TF32] = "tf32", [CUSEQ_PRECISION_BF16] = "bf16"};

enum { NAMES = sizeof names / sizeof *names };

const char *precision_name(cuseq_precision precision) {
  return names[precision];
}

int precision_parse(const char *text, cuseq_precision *precision) {
  for (int i = 0; i < NAMES; i++)
    if (strcmp(names[i], text) == 0) {
      *precision = (cuseq_precision)i;
      return EXIT_DONE;
    }
  return fail("--precision: there is no such precision (found \"%s\", needed float32, tf32 or bf16)", text);
}

const char *precision_device(const cuseq_session *session) {
  static char text[64];
  const cuseq_precision precision = cuseq_session_precision(session);
  const bool named = precision != CUSEQ_PRECISION_FLOAT32;
  snprintf(text, sizeof text, "%s%s%s", cuseq_session_device(session), named ? " in " : "",
           named ? precision_name(precision) : "");
  return text;
}
