/* One connection that sends a request, waits for its answer, and sends the next. */
#ifndef SERVING_LOAD_CONNECTION_H
#define SERVING_LOAD_CONNECTION_H

#include "requests.h"

#include <stdint.h>

struct connection {
  int socket;
  const struct prepared *prepared; /* under way; NULL: none                                                */
  size_t sent;
  uint64_t begun; /* nanoseconds                                                                           */
  char *answer;
  size_t received, capacity;
};

enum connection_state {
  CONNECTION_WAITS,    /* for more of the answer                                                           */
  CONNECTION_ANSWERED, /* status and body are there                                                        */
  CONNECTION_LOST      /* the server closed it, or what it says is not HTTP                                */
};

/* Connects to 127.0.0.1; false: errno says why. */
bool connection_open(struct connection *connection, uint16_t port);
void connection_close(struct connection *connection);

/* Begins a request. */
enum connection_state connection_send(struct connection *connection, const struct prepared *prepared);

/* Goes on with what can be read or written. After an answer the body lies at *body. */
enum connection_state connection_go_on(struct connection *connection, int *status, const char **body,
                                       size_t *size);

uint64_t now_ns(void);

#endif
