/* Texts through a model, a batch at a time: what all commands that read texts share. */
#ifndef CUSEQ_CLI_TEXTS_H
#define CUSEQ_CLI_TEXTS_H

#include "cli/beams.h"
#include "cli/command.h"
#include "cli/results.h"
#include "cuseq/cuseq.h"

/* What becomes of texts. */
enum texts_use {
  TEXTS_TRANSLATED, /* a decoder writes another */
  TEXTS_SCORED,     /* a decoder follows another */
  TEXTS_CLASSIFIED, /* each has a label */
  TEXTS_TAGGED,     /* each of its tokens has one */
};

struct texts {
  cuseq_model *model;
  cuseq_session *session;
  const cuseq_config *config;
  bool truncate;
  cuseq_beam beam;  /* beams 0: no search, each step's best token                                         */
  int32_t steps;    /* Y; 1 without a decoder                                                             */
  int32_t most;     /* texts in a batch                                                                   */
  int32_t count;    /* texts in this batch                                                                */
  int32_t time;     /* T of the last texts_run                                                            */
  int32_t *ids;     /* [most, text_length], after texts_run [count, time]                                 */
  int32_t *lengths; /* [most] positions                                                                   */
  struct results results;    /* tokens, output_lengths, and what `set` asked for; none of a search        */
  struct beam_results found; /* of a search                                                               */
  int32_t *targets;          /* [most, steps] outputs that are followed; NULL: the model's own            */
  int32_t *target_lengths;   /* [most]                                                                    */
  char *text;                /* room for one output                                                       */
  size_t capacity;
};

/* Loads the model of the first operand, which must have a vocabulary and what the use needs, and takes the
 * arguments' search. After it texts can be added, one at a time, to see whether they can be read. Returns an
 * exit status; release it with texts_close in any case. */
int texts_load(struct texts *texts, enum texts_use use, const struct arguments *arguments);

/* Opens a session for up to `most` texts (0: as many as fit a bounded memory).
 *   steps  Y; 0: as the search or the model says
 *   set    results beside tokens and lengths; of a search only whether RESULT_ALPHAS are in it counts */
int texts_open(struct texts *texts, const struct arguments *arguments, int32_t most, int32_t steps,
               unsigned set);
void texts_close(struct texts *texts);

/* Adds a text to the batch. On failure the reason, without a subject, is what texts_reason() gives. */
cuseq_status texts_add(struct texts *texts, const char *text);
const char *texts_reason(void);

/* Runs the batch. Returns an exit status. texts_clear begins the next one. */
int texts_run(struct texts *texts);
void texts_clear(struct texts *texts);

/* How many outputs each text has: the results of a search, or 1. */
int32_t texts_best(const struct texts *texts);

/* The tokens of output `n` of text `i` of the batch; *count receives how many. */
const int32_t *texts_tokens(const struct texts *texts, int32_t i, int32_t n, int32_t *count);

/* That output as a text; valid until the next call. */
const char *texts_output(struct texts *texts, int32_t i, int32_t n);

/* What its steps attended to, [steps, time]; of a model without a decoder [1, time]. NULL: it was not asked
 * for. */
const float *texts_alphas(const struct texts *texts, int32_t i, int32_t n);

/* The outputs of a model without a decoder for text `i`: of a tagger those for its token `t`. */
const float *texts_outputs(const struct texts *texts, int32_t i, int32_t t);

/* Its score: of a search what it is ranked by, otherwise its log-probability. Linear outputs count as
 * logits. */
double texts_score(const struct texts *texts, int32_t i, int32_t n);

#endif
