/* http_load: puts a server on this machine under load and looks at every answer.
 *
 *   http_load PORT PATH FILE CONNECTIONS REQUESTS
 *
 * Sends REQUESTS requests of FILE (requests.h), one after the other and again from its beginning, over so
 * many connections at the same time, each of which waits for its answer before it sends again. Prints one
 * line of JSON: how many answers were right, wrong and lost, requests a second, and the latency's
 * percentiles. Exit status 1: an answer was wrong or lost. The first wrong ones are printed to stderr. */
#include "connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 64, SHOWN = 5, MOST_CONNECTIONS = 4096 };

struct load {
  struct requests requests;
  struct connection *connections;
  uint16_t port;
  int epoll;
  size_t connection_count, wanted, begun, ended;
  size_t right, wrong, lost;
  uint64_t *latencies; /* [wanted], of those that were answered                                            */
  size_t measured;
};

static void show(const struct load *load, const char *what, int status, const char *body, size_t size) {
  if (load->wrong + load->lost <= SHOWN)
    fprintf(stderr, "http_load: %s: status %d: %.*s\n", what, status, (int)(size > 300 ? 300 : size), body);
}

static bool watch(struct load *load, struct connection *connection) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  return epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->socket, &event) == 0;
}

/* Sends the next request, if any is left. A connection that is lost is opened again for it. */
static void begin(struct load *load, struct connection *connection) {
  connection->prepared = NULL;
  while (load->begun < load->wanted) {
    const struct prepared *prepared = &load->requests.list[load->begun++ % load->requests.count];
    if (connection_send(connection, prepared) == CONNECTION_WAITS)
      return;
    load->lost++;
    load->ended++;
    show(load, "not sent", 0, "", 0);
    connection_close(connection);
    if (!connection_open(connection, load->port) || !watch(load, connection))
      return;
  }
}

static void end(struct load *load, struct connection *connection, enum connection_state state, int status,
                const char *body, size_t size) {
  load->ended++;
  if (state == CONNECTION_LOST) {
    load->lost++;
    show(load, "lost", 0, "", 0);
    connection_close(connection);
    if (!connection_open(connection, load->port) || !watch(load, connection))
      return;
  } else {
    load->latencies[load->measured++] = now_ns() - connection->begun;
    bool right = request_answered(connection->prepared, status, body, size);
    load->right += right;
    load->wrong += !right;
    if (!right)
      show(load, "wrong", status, body, size);
  }
  begin(load, connection);
}

static void go_on(struct load *load, struct connection *connection) {
  int status = 0;
  const char *body = NULL;
  size_t size = 0;
  if (!connection->prepared) { /* it has nothing left to do, and the server closes it */
    epoll_ctl(load->epoll, EPOLL_CTL_DEL, connection->socket, NULL);
    return;
  }
  enum connection_state state = connection_go_on(connection, &status, &body, &size);
  if (state != CONNECTION_WAITS)
    end(load, connection, state, status, body, size);
}

static bool run(struct load *load) {
  struct epoll_event events[EVENTS];
  for (size_t i = 0; i < load->connection_count; i++)
    if (!connection_open(&load->connections[i], load->port) || !watch(load, &load->connections[i])) {
      perror("http_load: cannot connect");
      return false;
    }
  for (size_t i = 0; i < load->connection_count; i++)
    begin(load, &load->connections[i]);
  while (load->ended < load->wanted) {
    int count = epoll_wait(load->epoll, events, EVENTS, 30000);
    if (count == 0) {
      fprintf(stderr, "http_load: no answer for 30 seconds\n");
      load->lost += load->wanted - load->ended;
      return true;
    }
    for (int i = 0; i < count; i++)
      go_on(load, events[i].data.ptr);
  }
  return true;
}

static int ascending(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static double percentile(const struct load *load, double part) {
  if (load->measured == 0)
    return 0;
  return (double)load->latencies[(size_t)(part * (double)(load->measured - 1))] / 1000;
}

static void report(struct load *load, double seconds) {
  qsort(load->latencies, load->measured, sizeof *load->latencies, ascending);
  printf("{\"right\": %zu, \"wrong\": %zu, \"lost\": %zu, \"seconds\": %.3f, \"requests_per_second\": %.0f, "
         "\"p50_us\": %.0f, \"p90_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f}\n",
         load->right, load->wrong, load->lost, seconds, (double)load->ended / seconds, percentile(load, 0.5),
         percentile(load, 0.9), percentile(load, 0.99), percentile(load, 1));
}

static void load_free(struct load *load) {
  for (size_t i = 0; load->connections && i < load->connection_count; i++)
    if (load->connections[i].answer)
      connection_close(&load->connections[i]);
  requests_free(&load->requests);
  free(load->connections);
  free(load->latencies);
}

/* Exit status: 0 all was right, 1 something was not, 2 it could not be tried. */
static int load_do(struct load *load, const char *file, const char *path) {
  if (load->connection_count < 1 || load->connection_count > MOST_CONNECTIONS || load->wanted < 1 ||
      !requests_read(&load->requests, file, path))
    return 2;
  load->connections = calloc(load->connection_count, sizeof *load->connections);
  load->latencies = calloc(load->wanted, sizeof *load->latencies);
  load->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (!load->connections || !load->latencies || load->epoll < 0)
    return 2;
  uint64_t begun = now_ns();
  if (!run(load))
    return 2;
  report(load, (double)(now_ns() - begun) / 1e9);
  return load->wrong + load->lost > 0;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: http_load PORT PATH FILE CONNECTIONS REQUESTS\n");
    return 2;
  }
  struct load load = {.port = (uint16_t)strtoul(argv[1], NULL, 10),
                      .connection_count = strtoul(argv[4], NULL, 10),
                      .wanted = strtoul(argv[5], NULL, 10)};
  int status = load_do(&load, argv[3], argv[2]);
  load_free(&load);
  return status;
}
