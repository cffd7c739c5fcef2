#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 64 << 10 };

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

bool connection_open(struct connection *connection, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  *connection = (struct connection){.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                                    .answer = malloc(FIRST_CAPACITY),
                                    .capacity = FIRST_CAPACITY};
  return connection->socket >= 0 && connection->answer &&
         setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0 &&
         connect(connection->socket, (struct sockaddr *)&address, sizeof address) == 0;
}

void connection_close(struct connection *connection) {
  if (connection->socket >= 0)
    close(connection->socket);
  free(connection->answer);
}

/* What is sent is small and the socket's buffer is not: blocking costs nothing. */
static bool send_all(struct connection *connection) {
  while (connection->sent < connection->prepared->size) {
    ssize_t count = send(connection->socket, connection->prepared->text + connection->sent,
                         connection->prepared->size - connection->sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    connection->sent += (size_t)count;
  }
  return true;
}

enum connection_state connection_send(struct connection *connection, const struct prepared *prepared) {
  connection->prepared = prepared;
  connection->sent = connection->received = 0;
  connection->begun = now_ns();
  return send_all(connection) ? CONNECTION_WAITS : CONNECTION_LOST;
}

/* The length of the body by its header line; false: there is none. */
static bool body_length(const char *head, const char *end, size_t *length) {
  static const char name[] = "\r\nContent-Length:";
  for (const char *at = head; at + sizeof name < end; at++)
    if (strncasecmp(at, name, sizeof name - 1) == 0) {
      *length = strtoul(at + sizeof name - 1, NULL, 10);
      return true;
    }
  return false;
}

/* Whether the answer is whole. */
static enum connection_state answer_take(const struct connection *connection, int *status, const char **body,
                                         size_t *size) {
  const char *end = memmem(connection->answer, connection->received, "\r\n\r\n", 4);
  if (!end)
    return CONNECTION_WAITS;
  if (connection->received < 12 || memcmp(connection->answer, "HTTP/1.1 ", 9) != 0 ||
      !body_length(connection->answer, end + 4, size))
    return CONNECTION_LOST;
  *body = end + 4;
  *status = (int)strtol(connection->answer + 9, NULL, 10);
  size_t there = connection->received - (size_t)(*body - connection->answer);
  return there < *size ? CONNECTION_WAITS : there == *size ? CONNECTION_ANSWERED : CONNECTION_LOST;
}

enum connection_state connection_go_on(struct connection *connection, int *status, const char **body,
                                       size_t *size) {
  if (connection->received + 1 >= connection->capacity) {
    char *larger = realloc(connection->answer, 2 * connection->capacity);
    if (!larger)
      return CONNECTION_LOST;
    connection->answer = larger;
    connection->capacity *= 2;
  }
  ssize_t count = recv(connection->socket, connection->answer + connection->received,
                       connection->capacity - connection->received - 1, 0);
  if (count < 0 && (errno == EINTR || errno == EAGAIN))
    return CONNECTION_WAITS;
  if (count <= 0)
    return CONNECTION_LOST;
  connection->received += (size_t)count;
  connection->answer[connection->received] = '\0';
  return answer_take(connection, status, body, size);
}
