#include "cli/precision.h"

#include "cli/message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int precision_parse(const char *text, cuseq_precision *precision) {
  for (int i = CUSEQ_PRECISION_FLOAT32; i <= CUSEQ_PRECISION_BF16; i++)
    if (strcmp(cuseq_precision_name((cuseq_precision)i), text) == 0) {
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
           named ? cuseq_precision_name(precision) : "");
  return text;
}
