/* The textbook version as a peer. */
#include "textbook.h"
#include "worker.h"

static void *open_model(const struct instance *instance, int threads) {
  return textbook_open(instance, threads);
}

static bool call(void *textbook) {
  textbook_run(textbook);
  return true;
}

int main(int argc, char **argv) {
  return worker_main(argc, argv, &(struct worker){.name = "textbook C", .open = open_model, .call = call});
}
