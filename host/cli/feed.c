#include "cli/feed.h"

#include "cli/interrupt.h"
#include "cli/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool from_stdin(const struct arguments *arguments) {
  return arguments->operand_count == 2 && strcmp(arguments->operands[1], "-") == 0;
}

int32_t feed_most(const struct arguments *arguments) {
  return from_stdin(arguments) ? 0 : arguments->operand_count - 1;
}

int feed_open(struct feed *feed, const struct arguments *arguments, struct texts *texts) {
  *feed = (struct feed){.arguments = arguments, .texts = texts};
  feed->items = calloc((size_t)texts->most, sizeof *feed->items);
  return feed->items ? EXIT_DONE : fail_memory();
}

static void clear(struct feed *feed) {
  for (int32_t i = 0; i < feed->count; i++)
    free(feed->items[i]);
  feed->count = 0;
  texts_clear(feed->texts);
}

void feed_close(struct feed *feed) {
  if (feed->texts)
    clear(feed);
  lines_free(&feed->lines);
  free(feed->items);
}

/* The next text. LINE_NOT_YET when the batch should rather be computed than waited for. */
static enum line_result next_text(struct feed *feed, char **text) {
  if (from_stdin(feed->arguments))
    return lines_next(&feed->lines, feed->count == 0, text);
  if (++feed->next >= feed->arguments->operand_count)
    return LINE_END;
  *text = feed->arguments->operands[feed->next];
  return LINE_READY;
}

/* Fills the batch. LINE_READY when it is full, LINE_NOT_YET when there is nothing more to be had now. */
static enum line_result gather(struct feed *feed) {
  while (feed->count < feed->texts->most) {
    char *text = NULL;
    enum line_result result = next_text(feed, &text);
    feed->reason = errno;
    if (result != LINE_READY)
      return result;
    char *item = *text ? strdup(text) : NULL;
    if (*text && !item) {
      feed->reason = ENOMEM;
      return LINE_FAILED;
    }
    feed->refused = item ? texts_add(feed->texts, text) : CUSEQ_STATUS_OK;
    if (feed->refused != CUSEQ_STATUS_OK) {
      free(item);
      return LINE_END;
    }
    feed->items[feed->count++] = item;
  }
  return LINE_READY;
}

int feed_all(struct feed *feed, int (*work)(void *owner), void *owner, const long *done, const char *verb,
             enum line_result *result) {
  int status = EXIT_DONE;
  *result = LINE_READY;
  while (status == EXIT_DONE && (*result == LINE_READY || *result == LINE_NOT_YET)) {
    *result = gather(feed);
    status = work(owner);
    if (status == EXIT_DONE)
      status = stdout_check();
    clear(feed);
    interrupt_progress("interrupted: %ld texts %s", *done, verb);
    if (status == EXIT_DONE && interrupt_requested())
      *result = LINE_INTERRUPTED;
  }
  return status;
}

int feed_end(const struct feed *feed, enum line_result result) {
  char subject[64];
  if (from_stdin(feed->arguments))
    snprintf(subject, sizeof subject, "stdin: line %ld", feed->lines.number);
  else
    snprintf(subject, sizeof subject, "text %d", (int)feed->next);
  if (result == LINE_INTERRUPTED)
    return interrupt_leave();
  if (result == LINE_TOO_LONG)
    return fail("%s: too long (found over %d bytes)", subject, LINE_LONGEST);
  if (result == LINE_NO_TEXT)
    return fail("%s: %s", subject, text_fault_words(feed->lines.fault));
  if (result == LINE_FAILED)
    return fail("%s: cannot be read (%s)", from_stdin(feed->arguments) ? "stdin" : subject,
                strerror(feed->reason));
  if (feed->refused == CUSEQ_STATUS_OK)
    return EXIT_DONE;
  fail("%s: %s%s", subject, texts_reason(), strstr(texts_reason(), "too long") ? "; --truncate cuts it" : "");
  return exit_status(feed->refused);
}
