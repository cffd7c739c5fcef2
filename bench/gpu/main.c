/* bench_gpu: cuseq on an NVIDIA GPU beside cuDNN, a launch for each step, and PyTorch. Every version is
 * verified against the float64 reference, warmed up, then measured in interleaved rounds. On an emulated
 * device each runs once: that has counters, and no times. Run from the repository's root.
 *
 * Exit status: 0 done; 1 wrong answers; 2 usage, no GPU, a file that cannot be written; 3 the device
 * failed. */
#include "cases.h"
#include "figures.h"
#include "floor.h"
#include "measure.h"
#include "peer.h"
#include "report.h"
#include "torch_child.h"

#include <cuda_runtime_api.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Multiply-adds of a case that an emulated device is given where no case is named. */
static const double EMULATED_MOST = 3e7;

struct options {
  int rounds;
  const char *json;
  bool skip_without_gpu, lists;
  char **filters;
  int filter_count;
};

static bool (*const openers[PEERS])(struct peer *, struct instance *, cudaStream_t) = {
    peer_cuseq,        peer_per_step, peer_per_step_graph, peer_cudnn_standard, peer_cudnn_persistent,
    peer_cudnn_packed, peer_torch,    peer_torch_graph,
};
/* On an emulated device the first of them, since the others need a driver; all where stand-ins for them are
 * there to be tested (CUSEQ_BENCH_STAND_INS in the environment). */
enum { PEERS_EMULATED = 3 };

static void *locked(size_t bytes) {
  void *memory = NULL;
  return cudaMallocHost(&memory, bytes) == cudaSuccess ? memory : NULL;
}

static void unlock(void *memory) {
  cudaFreeHost(memory);
}

/* A peer of others' that fails is told in its row; after ours, and the per-step version, there is nothing to
 * compare with. */
static bool goes_on_without(struct contestant *contestant, int number) {
  if (number < PEERS_EMULATED)
    return false;
  cudaGetLastError();
  contestant->peer.is_there = contestant->is_right = false;
  contestant->count = 0;
  snprintf(contestant->peer.note, sizeof contestant->peer.note, "it failed while it was measured");
  return true;
}

static bool measure_rounds(struct contestant *contestants, int count, int rounds, cudaStream_t stream) {
  for (int i = 0; i < count; i++) {
    struct contestant *c = &contestants[i];
    c->samples = calloc((size_t)rounds, sizeof *c->samples);
    if (!c->samples || (c->is_right && !contestant_warm_up(c, stream) && !goes_on_without(c, i)))
      return false;
  }
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < count; i++)
      if (contestants[i].is_right && !contestant_measure(&contestants[i], stream) &&
          !goes_on_without(&contestants[i], i))
        return false;
  return true;
}

/* 0, or the exit status. A peer with wrong answers is told in its row; ours, and the per-step version, are an
 * error. */
static int run_case(const struct bench_case *bench_case, const struct options *options,
                    const struct device *device, struct report *report, cudaStream_t stream) {
  struct contestant contestants[PEERS] = {0};
  struct instance instance;
  const int count = bench_case->alone                                         ? 1
                    : device->is_emulated && !getenv("CUSEQ_BENCH_STAND_INS") ? PEERS_EMULATED
                                                                              : PEERS;
  if (!instance_make(&instance, &bench_case->workload))
    return 3;
  int status = 0;
  for (int i = 0; i < count && status == 0; i++)
    if (!openers[i](&contestants[i].peer, &instance, stream) ||
        !contestant_verify(&contestants[i], &instance, stream))
      status = 3;
  if (status == 0 && !device->is_emulated && !measure_rounds(contestants, count, options->rounds, stream))
    status = 3;
  if (status == 0 && !report_case(report, bench_case, &instance, contestants, count))
    status = 2;
  for (int i = 0; i < count && i < PEERS_EMULATED && status == 0; i++)
    if (!contestants[i].is_right) {
      fprintf(stderr, "bench_gpu: %s: %s: wrong answers (error %.3g of what is allowed)\n",
              bench_case->workload.name, contestants[i].peer.name, contestants[i].error);
      status = 1;
    }
  for (int i = 0; i < count; i++)
    contestant_free(&contestants[i]);
  instance_free(&instance);
  return status;
}

static bool is_wanted(const struct bench_case *bench_case, const struct options *options,
                      const struct device *device) {
  for (int i = 0; i < options->filter_count; i++)
    if (case_is_wanted(bench_case, options->filters[i]))
      return true;
  return options->filter_count == 0 &&
         (!device->is_emulated || floor_multiply_adds(&bench_case->workload, NULL,
                                                      bench_case->workload.encodes_only) <= EMULATED_MOST);
}

static int run_all(const struct options *options, int argc, char **argv) {
  struct bench_case cases[MOST_CASES];
  struct device device;
  char reason[256];
  if (!device_find(&device, reason, sizeof reason)) {
    fprintf(stderr, "bench_gpu: %s\n", reason);
    return options->skip_without_gpu ? 0 : 2;
  }
  struct report *report = report_begin(argc, argv, &device, options->rounds, options->json);
  cudaStream_t stream;
  if (!report)
    return 2;
  workload_arrays(locked, unlock);
  const int count = cases_make(cases);
  int status = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess ? 0 : 3, left_out = 0;
  for (int i = 0; i < count && status == 0; i++)
    if (is_wanted(&cases[i], options, &device))
      status = run_case(&cases[i], options, &device, report, stream);
    else
      left_out++;
  if (left_out > 0 && options->filter_count == 0)
    printf("# left out  %d cases, too large for an emulated device; their names run them\n", left_out);
  torch_end();
  cudaStreamDestroy(stream);
  if (!report_end(report) && status == 0)
    status = 2;
  return status;
}

static int list(void) {
  struct bench_case cases[MOST_CASES];
  const int count = cases_make(cases);
  for (int i = 0; i < count; i++)
    puts(cases[i].workload.name);
  return 0;
}

static void usage(FILE *file) {
  fputs("usage: ./run bench gpu [--rounds N] [--json FILE] [--skip-without-gpu] [--list] [CASE...]\n\n"
        "Measures cuseq on an NVIDIA GPU beside cuDNN, a launch for each step (cuBLAS), and PyTorch.\n"
        "  --rounds N           rounds to measure (default 15, 3 to 1000)\n"
        "  --json FILE          also write the results as JSON\n"
        "  --skip-without-gpu   exit status 0 where there is no GPU, instead of 2\n"
        "  --list               the names of the cases\n"
        "  CASE                 only these, such as W2, \"W4 mixed\", B (the sweep) or \"H 256\"\n",
        file);
}

static bool known_filters(const struct options *options) {
  struct bench_case cases[MOST_CASES];
  const int count = cases_make(cases);
  for (int i = 0; i < options->filter_count; i++) {
    bool found = false;
    for (int n = 0; n < count; n++)
      found = found || case_is_wanted(&cases[n], options->filters[i]);
    if (!found) {
      fprintf(stderr, "bench_gpu: %s: there is no such case (--list names them)\n", options->filters[i]);
      return false;
    }
  }
  return true;
}

int main(int argc, char **argv) {
  static const struct option names[] = {{"rounds", required_argument, NULL, 'r'},
                                        {"json", required_argument, NULL, 'j'},
                                        {"skip-without-gpu", no_argument, NULL, 's'},
                                        {"list", no_argument, NULL, 'l'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
  struct options options = {.rounds = ROUNDS_USUAL};
  for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    if (option == 'r')
      options.rounds = figure_rounds(optarg);
    else if (option == 'j')
      options.json = optarg;
    else if (option == 's')
      options.skip_without_gpu = true;
    else if (option == 'l')
      options.lists = true;
    else {
      usage(option == 'h' ? stdout : stderr);
      return option == 'h' ? 0 : 2;
    }
  }
  options.filters = argv + optind;
  options.filter_count = argc - optind;
  if (options.rounds == 0) {
    usage(stderr);
    return 2;
  }
  if (options.lists)
    return list();
  return known_filters(&options) ? run_all(&options, argc, argv) : 2;
}
