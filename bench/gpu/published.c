/* bench_gpu_published: W5, W6, W7 and W9, the models that others have published, on an NVIDIA GPU: cuseq
 * beside itself with a launch for each step and beside PyTorch. Every side is verified against the float64
 * reference, warmed up, then measured in interleaved rounds. On an emulated device cuseq's run once: that has
 * no times. Run from the repository's root.
 *
 * Exit status: 0 done; 1 wrong answers; 2 usage, no GPU, a file that cannot be written; 3 the device
 * failed. */
#include "device.h"
#include "figures.h"
#include "published_side.h"
#include "torch_child.h"

#include <cuda_runtime_api.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Multiply-adds of a case that an emulated device is given where no case is named. */
static const double EMULATED_MOST = 3e7;

struct options {
  int rounds;
  const char *json;
  char **filters;
  int filter_count;
};

struct run {
  const struct options *options;
  struct device device;
  struct results *results;
  cudaStream_t stream;
};

struct contestant {
  struct side side;
  bool is_right;
  double error; /* NaN: not verified */
  struct sample *samples;
  int count;
};

static bool (*const openers[SIDES])(struct side *, struct instance *,
                                    cudaStream_t) = {side_cuseq, side_cuseq_steps, side_torch};

/* W8, which only encodes, is bench_gpu's. */
static bool is_case(const struct workload *w) {
  return w->published && !w->encode_only;
}

static bool is_wanted(const struct workload *w, const struct run *run) {
  const struct options *options = run->options;
  for (int i = 0; i < options->filter_count; i++) {
    const size_t length = strlen(options->filters[i]);
    if (strncmp(w->name, options->filters[i], length) == 0 &&
        (w->name[length] == 0 || w->name[length] == ' '))
      return true;
  }
  return options->filter_count == 0 && (!run->device.is_emulated || workload_flops(w) <= 2 * EMULATED_MOST);
}

/* ---- the report ---- */

static void print_row(const struct run *run, const struct workload *w, const struct contestant *c,
                      double ours) {
  const struct spread device = timing_spread(c->samples, c->count, false),
                      host = timing_spread(c->samples, c->count, true);
  char texts[4][32];
  printf("  %-12s %-22s ", w->name, c->side.name);
  if (!run->device.is_emulated)
    printf("%11s %7s %11s  ", figure_text(device.median, "%.2f", texts[0]),
           figure_text(device.median / ours, "%.2f", texts[1]), figure_text(host.median, "%.2f", texts[2]));
  printf("%s%% of the error allowed%s; %s\n", figure_text(100 * c->error, "%.2g", texts[3]),
         c->side.is_there && !c->is_right ? ", WRONG" : "", c->side.note);
}

static void json_row(const struct run *run, const struct workload *w, const struct contestant *c) {
  const struct spread device = timing_spread(c->samples, c->count, false),
                      host = timing_spread(c->samples, c->count, true);
  struct results *r = run->results;
  results_row(r, "time");
  results_text(r, "workload", w->name);
  results_number(r, "B", w->B);
  results_number(r, "T", w->T);
  results_number(r, "threads", 1);
  results_text(r, "system", c->side.name);
  results_number(r, "rounds", c->count);
  results_number(r, "error_share", c->error);
  if (!figure_times(r, run->device.is_emulated, device, host))
    return;
  results_text(r, isfinite(device.median) ? "note" : "reason",
               c->side.note[0] || c->is_right ? c->side.note : "wrong answers");
}

/* ---- a case ---- */

static bool measure_rounds(const struct run *run, struct contestant *contestants, int count) {
  const int rounds = run->options->rounds;
  for (int i = 0; i < count; i++)
    if (!(contestants[i].samples = calloc((size_t)rounds, sizeof *contestants[i].samples)))
      return false;
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < count; i++) {
      struct contestant *c = &contestants[i];
      struct sample sample = {NAN, NAN};
      if (!c->is_right)
        continue;
      if (c->side.measure(c->side.state, &sample)) {
        c->samples[c->count++] = sample;
        continue;
      }
      if (i < SIDES_EMULATED)
        return false;
      c->is_right = c->side.is_there = false; /* PyTorch's failure is told in its row */
      c->count = 0;
      snprintf(c->side.note, sizeof c->side.note, "it failed while it was measured");
    }
  return true;
}

static int verify(struct contestant *contestants, int count, const struct instance *instance) {
  struct instance reference;
  int status = reference_make(instance, &reference) ? 0 : 3;
  for (int i = 0; i < count && status == 0; i++) {
    struct contestant *c = &contestants[i];
    c->error = NAN;
    if (c->side.is_there && !c->side.check(c->side.state, &reference, &c->error))
      status = 3;
    c->is_right = c->side.is_there && c->error <= 1.0;
    if (i < SIDES_EMULATED && !c->is_right && status == 0) {
      fprintf(stderr, "bench_gpu_published: %s: %s: wrong answers (error %.3g of what is allowed)\n",
              instance->workload->name, c->side.name, c->error);
      status = 1;
    }
  }
  reference_free(&reference);
  return status;
}

static int run_case(const struct run *run, const struct workload *workload) {
  struct contestant contestants[SIDES] = {0};
  struct instance instance;
  const int count = run->device.is_emulated && !getenv("CUSEQ_BENCH_STAND_INS") ? SIDES_EMULATED : SIDES;
  if (!instance_make(&instance, workload))
    return 3;
  int status = 0;
  for (int i = 0; i < count && status == 0; i++)
    if (!openers[i](&contestants[i].side, &instance, run->stream))
      status = 3;
  if (status == 0)
    status = verify(contestants, count, &instance);
  if (status == 0 && !run->device.is_emulated && !measure_rounds(run, contestants, count))
    status = 3;
  const double ours = timing_spread(contestants[0].samples, contestants[0].count, false).median;
  for (int i = 0; i < count && status <= 1; i++) {
    print_row(run, workload, &contestants[i], ours);
    if (run->results)
      json_row(run, workload, &contestants[i]);
  }
  fflush(stdout);
  if (status == 0 && run->results && !results_save(run->results))
    status = 2;
  for (int i = 0; i < count; i++) {
    if (contestants[i].side.close && contestants[i].side.state)
      contestants[i].side.close(contestants[i].side.state);
    free(contestants[i].samples);
  }
  instance_free(&instance);
  return status;
}

/* ---- the program ---- */

static void heading(struct run *run, int argc, char **argv) {
  struct heading heading;
  char torch[200];
  heading_make(&heading, "gpu", run->device.name, argc, argv);
  const char *arguments = strstr(heading.command, "bench gpu");
  char command[sizeof heading.command];
  snprintf(command, sizeof command, "./run bench gpu-published%s",
           arguments ? arguments + strlen("bench gpu") : "");
  memcpy(heading.command, command, sizeof command);
  heading_print(&heading);
  printf("# device    %s, %s%s%s\n", run->device.name, run->device.versions,
         run->device.clocks[0] ? ", " : "", run->device.clocks);
  if (run->device.is_emulated) {
    printf("# emulated  each side runs once; there are no times\n");
  } else {
    torch_version(torch, sizeof torch);
    printf("# peers     PyTorch %s\n# rounds    %d, interleaved: medians\n", torch, run->options->rounds);
    printf("#\n# %-12s %-22s %11s %7s %11s  notes\n", "case", "side", "device us", "ratio", "host us");
  }
  if (run->options->json)
    run->results = results_begin(run->options->json, &heading, run->options->rounds);
}

static int run_all(const struct options *options, int argc, char **argv) {
  struct run run = {.options = options};
  char reason[256];
  int count, status = 0;
  const struct workload *all = workloads(&count);
  if (!device_find(&run.device, reason, sizeof reason)) {
    fprintf(stderr, "bench_gpu_published: %s\n", reason);
    return 2;
  }
  heading(&run, argc, argv);
  if (options->json && !run.results)
    return 2;
  if (cudaStreamCreateWithFlags(&run.stream, cudaStreamNonBlocking) != cudaSuccess)
    status = 3;
  for (int i = 0; i < count && status == 0; i++)
    if (is_case(&all[i]) && is_wanted(&all[i], &run))
      status = run_case(&run, &all[i]);
  torch_end();
  cudaStreamDestroy(run.stream);
  if (run.results && !results_end(run.results) && status == 0)
    status = 2;
  return status;
}

static int list(void) {
  int count;
  const struct workload *all = workloads(&count);
  for (int i = 0; i < count; i++)
    if (is_case(&all[i]))
      puts(all[i].name);
  return 0;
}

static int usage(FILE *file, int status) {
  fputs("usage: ./run bench gpu-published [--rounds N] [--json FILE] [--list] [CASE...]\n\n"
        "Measures published models on an NVIDIA GPU: cuseq, cuseq with a launch for each step, and PyTorch.\n"
        "  --rounds N   rounds to measure (default 15, 3 to 1000)\n"
        "  --json FILE  also write the results as JSON\n"
        "  --list       the names of the cases\n"
        "  CASE         only these, such as W6 or \"W6 beam B1\"\n",
        file);
  return status;
}

/* A filter that names no case is refused before anything runs. */
static bool known(const struct options *options) {
  int count;
  const struct workload *all = workloads(&count);
  for (int i = 0; i < options->filter_count; i++) {
    const struct options one = {.filters = options->filters + i, .filter_count = 1};
    const struct run run = {.options = &one};
    bool found = false;
    for (int n = 0; n < count; n++)
      found = found || (is_case(&all[n]) && is_wanted(&all[n], &run));
    if (!found) {
      fprintf(stderr, "bench_gpu_published: %s: there is no such case (--list names them)\n",
              options->filters[i]);
      return false;
    }
  }
  return true;
}

int main(int argc, char **argv) {
  static const struct option names[] = {{"rounds", required_argument, NULL, 'r'},
                                        {"json", required_argument, NULL, 'j'},
                                        {"list", no_argument, NULL, 'l'},
                                        {"help", no_argument, NULL, 'h'},
                                        {0}};
  struct options options = {.rounds = ROUNDS_USUAL};
  for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    if (option == 'r')
      options.rounds = figure_rounds(optarg);
    else if (option == 'j')
      options.json = optarg;
    else if (option == 'l')
      return list();
    else
      return option == 'h' ? usage(stdout, 0) : usage(stderr, 2);
  }
  options.filters = argv + optind;
  options.filter_count = argc - optind;
  if (options.rounds == 0)
    return usage(stderr, 2);
  return known(&options) ? run_all(&options, argc, argv) : 2;
}
