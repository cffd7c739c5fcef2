/* Precisions by their names: what --precision takes, and what is printed of a session. */
#ifndef CUSEQ_CLI_PRECISION_H
#define CUSEQ_CLI_PRECISION_H

#include "cuseq/cuseq.h"

/* The precision of a name; an exit status, with a message where there is none. */
int precision_parse(const char *text, cuseq_precision *precision);

/* What a session computes on, for people: "cpu", or "cpu in bf16". Valid until the next call. */
const char *precision_device(const cuseq_session *session);

#endif
