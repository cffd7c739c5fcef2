/* The texts that a command was given, as operands or as lines of standard input, a batch at a time: what
 * `translate`, `classify` and `tag` share. */
#ifndef CUSEQ_CLI_FEED_H
#define CUSEQ_CLI_FEED_H

#include "cli/command.h"
#include "cli/lines.h"
#include "cli/texts.h"

struct feed {
  const struct arguments *arguments; /* MODEL, and texts or a lone "-"                                    */
  struct texts *texts;
  char **items; /* [texts->most] the batch; NULL: an empty text, which is not among the texts that are run */
  int32_t count;
  struct lines lines;
  int32_t next;         /* the last operand taken */
  cuseq_status refused; /* why the text after the last batch is not taken */
  int reason;           /* errno of a failed read */
};

/* How many texts texts_open should have room for: the operands; 0: as many as fit. */
int32_t feed_most(const struct arguments *arguments);

/* Returns an exit status; release it with feed_close in any case.
 *   texts  open */
int feed_open(struct feed *feed, const struct arguments *arguments, struct texts *texts);
void feed_close(struct feed *feed);

/* Gathers batch after batch, and has each worked on, until there is no more, `work` fails, or the user
 * interrupts.
 *   work     runs the texts, prints them, and returns an exit status; after it the batch goes
 *   done     counts the texts that were printed, for the message of an interruption
 *   verb     what was done with them, "translated"
 *   result   receives how the texts ended, for feed_end
 * Lines are worked on as they come: a batch ends where there is nothing to read at once. */
int feed_all(struct feed *feed, int (*work)(void *owner), void *owner, const long *done, const char *verb,
             enum line_result *result);

/* Says why there are no more texts, unless they simply ended. Returns an exit status. */
int feed_end(const struct feed *feed, enum line_result result);

#endif
