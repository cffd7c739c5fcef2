#include "texts.h"

#include <stdio.h>
#include <string.h>

/* The next element of a BYTES tensor: its length in four bytes, little-endian, then its bytes. */
static TRITONSERVER_Error *element_next(const struct given *given, size_t *at, const char **text,
                                        size_t *length) {
  const unsigned char *bytes = given->data;
  if (given->size - *at < 4)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "TEXT: has fewer elements than its shape says");
  const unsigned char *p = bytes + *at;
  *length = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
  *at += 4;
  if (*length > given->size - *at)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "TEXT: an element is longer than what there is");
  *text = (const char *)bytes + *at;
  *at += *length;
  return NULL;
}

static TRITONSERVER_Error *row_encode(struct job *job, const struct served *served, int32_t row,
                                      const char *text, size_t length) {
  char subject[32];
  snprintf(subject, sizeof subject, "TEXT[%d]", (int)row);
  if (length == 0)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: is empty", subject);
  if (memchr(text, '\0', length))
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: has a zero byte in it", subject);
  TRY(room_reserve(&job->text, length + 1, 1));
  char *copy = job->text.data;
  if (!copy)
    return fault_memory(subject);
  memcpy(copy, text, length);
  copy[length] = '\0';
  int32_t *ids = (int32_t *)job->ids.data + (size_t)row * (size_t)served->config->text_length;
  int32_t *lengths = job->text_lengths.data, *own = job->own_lengths.data;
  return fault_library(cuseq_text_encode(served->model, copy, job->truncate, ids, &lengths[row], &own[row]),
                       subject);
}

/* Rows of the longest text, so that no position is computed that no text has. */
static void rows_tighten(struct job *job, int32_t stride) {
  const int32_t *lengths = job->lengths;
  int32_t *ids = job->ids.data;
  for (int32_t b = 0; b < job->rows; b++)
    if (lengths[b] > job->time)
      job->time = lengths[b];
  for (int32_t b = 1; b < job->rows && job->time < stride; b++)
    memmove(ids + (size_t)b * (size_t)job->time, ids + (size_t)b * (size_t)stride,
            (size_t)job->time * sizeof *ids);
}

TRITONSERVER_Error *texts_encode(struct job *job, const struct served *served) {
  const struct given *given = &job->given[INPUT_TEXT];
  int32_t longest = served->config->text_length;
  size_t at = 0, rows = (size_t)job->rows;
  if (given->on_device)
    return fault(TRITONSERVER_ERROR_UNSUPPORTED, "TEXT: lies on the device (needed host memory)");
  TRY(room_reserve(&job->ids, rows * (size_t)longest, sizeof(int32_t)));
  TRY(room_reserve(&job->text_lengths, rows, sizeof(int32_t)));
  TRY(room_reserve(&job->own_lengths, rows, sizeof(int32_t)));
  for (int32_t b = 0; b < job->rows; b++) {
    const char *text = "";
    size_t length = 0;
    TRY(element_next(given, &at, &text, &length));
    TRY(row_encode(job, served, b, text, length));
  }
  if (at != given->size)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "TEXT: has more elements than its shape says");
  job->dtype = CUSEQ_DTYPE_I32;
  job->data = job->ids.data;
  job->lengths = job->text_lengths.data;
  job->own = job->own_lengths.data;
  if (served->config->only_time > 0)
    job->time = longest;
  else
    rows_tighten(job, longest);
  return NULL;
}
