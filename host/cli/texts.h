/* Texts through a model, a batch at a time: what `translate` and `evaluate` share. */
#ifndef CUSEQ_CLI_TEXTS_H
#define CUSEQ_CLI_TEXTS_H

#include "cli/command.h"
#include "cli/results.h"
#include "cuseq/cuseq.h"

struct texts {
  cuseq_model *model;
  cuseq_session *session;
  const cuseq_config *config;
  bool truncate;
  int32_t most;     /* texts in a batch                                                                   */
  int32_t count;    /* texts in this batch                                                                */
  int32_t time;     /* T of the last texts_run                                                            */
  int32_t *ids;     /* [most, text_length], after texts_run [count, time]                                 */
  int32_t *lengths; /* [most] positions                                                                   */
  struct results results; /* tokens, output_lengths, and what `set` asked for                             */
  char *text;             /* room for one output                                                          */
  size_t capacity;
};

/* Loads the model, which must have a vocabulary and a decoder, and opens a session for up to `most` texts (0:
 * as many as fit a bounded memory). Returns an exit status; release it with texts_close in any case. */
int texts_open(struct texts *texts, const char *model, const struct arguments *arguments, int32_t most,
               unsigned set);
void texts_close(struct texts *texts);

/* Adds a text to the batch. On failure the reason, without a subject, is what texts_reason() gives. */
cuseq_status texts_add(struct texts *texts, const char *text);
const char *texts_reason(void);

/* Runs the batch. Returns an exit status. texts_clear begins the next one. */
int texts_run(struct texts *texts);
void texts_clear(struct texts *texts);

/* The output of text `i` of the batch; valid until the next call. */
const char *texts_output(struct texts *texts, int32_t i);

/* The log-probability of that output: the sum over its steps, up to and with the end token. Linear outputs
 * count as logits. */
double texts_score(const struct texts *texts, int32_t i);

#endif
