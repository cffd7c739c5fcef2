#include "requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *file_read(const char *name, size_t *size) {
  FILE *file = fopen(name, "rb");
  char *bytes = NULL;
  *size = 0;
  if (file && fseek(file, 0, SEEK_END) == 0) {
    long end = ftell(file);
    bytes = end >= 0 && fseek(file, 0, SEEK_SET) == 0 ? malloc((size_t)end + 1) : NULL;
    if (bytes) {
      *size = fread(bytes, 1, (size_t)end, file);
      bytes[*size] = '\0';
    }
  }
  if (file)
    fclose(file);
  return bytes;
}

/* The request as HTTP has it. */
static bool text_make(struct prepared *prepared, const char *path, size_t header, const char *body,
                      size_t size) {
  char lines[512], binary[64] = "";
  if (header > 0)
    snprintf(binary, sizeof binary, "Inference-Header-Content-Length: %zu\r\n", header);
  int length =
      snprintf(lines, sizeof lines, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
               path, binary, size);
  prepared->size = (size_t)length + size;
  prepared->text = length < (int)sizeof lines ? malloc(prepared->size) : NULL;
  if (!prepared->text)
    return false;
  memcpy(prepared->text, lines, (size_t)length);
  memcpy(prepared->text + length, body, size);
  return true;
}

/* The record that begins at *at. */
static bool record_read(struct prepared *prepared, const char **at, const char *end, const char *path) {
  char *next;
  prepared->status = (int)strtol(*at, &next, 10);
  size_t header = strtoul(next, &next, 10), body = strtoul(next, &next, 10);
  prepared->expected_size = strtoul(next, &next, 10);
  if (*next != '\n' || body > (size_t)(end - next) || prepared->expected_size > (size_t)(end - next) - body)
    return false;
  prepared->expected = next + 1 + body;
  *at = prepared->expected + prepared->expected_size;
  return *at <= end && text_make(prepared, path, header, next + 1, body);
}

bool requests_read(struct requests *requests, const char *file, const char *path) {
  size_t size;
  *requests = (struct requests){.bytes = file_read(file, &size)};
  if (!requests->bytes) {
    fprintf(stderr, "http_load: %s: cannot be read\n", file);
    return false;
  }
  const char *at = requests->bytes, *end = at + size;
  while (at < end) {
    struct prepared *longer = realloc(requests->list, (requests->count + 1) * sizeof *longer);
    if (!longer)
      return false;
    requests->list = longer;
    longer[requests->count] = (struct prepared){0};
    if (!record_read(&longer[requests->count], &at, end, path)) {
      fprintf(stderr, "http_load: %s: request %zu is not one\n", file, requests->count + 1);
      return false;
    }
    requests->count++;
  }
  if (requests->count == 0)
    fprintf(stderr, "http_load: %s: has no requests\n", file);
  return requests->count > 0;
}

void requests_free(struct requests *requests) {
  for (size_t i = 0; i < requests->count; i++)
    free(requests->list[i].text);
  free(requests->list);
  free(requests->bytes);
}

bool request_answered(const struct prepared *prepared, int status, const char *body, size_t size) {
  size_t expected = prepared->expected_size;
  if (status != prepared->status || expected > size)
    return false;
  if (status == 200)
    return memcmp(body + size - expected, prepared->expected, expected) == 0;
  return memmem(body, size, prepared->expected, expected) != NULL;
}
