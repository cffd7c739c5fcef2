/* A file of prepared requests, each with the answer that is expected. It is a sequence of
 *
 *   STATUS HEADER BODY EXPECTED\n   the HTTP status that is expected, and how many bytes each of these has
 *   body                            whose first HEADER bytes are JSON, the rest binary data; 0: all is JSON
 *   expected                        what the body of the answer ends with where STATUS is 200, else contains
 */
#ifndef SERVING_LOAD_REQUESTS_H
#define SERVING_LOAD_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

struct prepared {
  int status;
  char *text; /* the whole HTTP request                                                                    */
  size_t size;
  const char *expected;
  size_t expected_size;
};

struct requests {
  struct prepared *list;
  size_t count;
  char *bytes; /* of the file                                                                              */
};

/* Reads a file. Prints what is wrong and returns false.
 *   path  of the request on the server, "/v2/models/dates/infer" */
bool requests_read(struct requests *requests, const char *file, const char *path);
void requests_free(struct requests *requests);

/* Whether an answer is the one that is expected. */
bool request_answered(const struct prepared *prepared, int status, const char *body, size_t size);

#endif
