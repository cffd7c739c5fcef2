#include "report.h"

#include "figures.h"
#include "torch_child.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct report {
  const struct device *device;
  struct heading heading;
  struct results *results;
};

/* What each does that cuseq does not, or is spared. */
static const struct {
  const char *system, *what, *did;
} systems[] = {
    {"per step", "cuBLAS and pointwise kernels, bench/gpu/per_step.c",
     "a launch for each step of everything"},
    {"per step, graph", "the same, captured once as a CUDA graph", "fixed sizes; the same kernels"},
    {"cuDNN, standard", "cudnnRNNForward, its standard algorithm", "the encoder only; ids as one-hot rows"},
    {"cuDNN, persistent", "the fastest of its persistent algorithms", "the same"},
    {"cuDNN, packed", "the fastest of all of them on packed rows", "the same; sorting and packing not timed"},
    {"PyTorch", "nn.LSTM, attention and nn.LSTMCell", "ids as one-hot rows"},
    {"PyTorch, graph", "the same, captured once as a CUDA graph", "fixed sizes"},
};

static void version_of(const char *system, const struct report *report, char *text, size_t capacity) {
  if (strncmp(system, "cuDNN", 5) == 0)
    cudnn_version(text, capacity);
  else if (strncmp(system, "PyTorch", 7) == 0)
    torch_version(text, capacity);
  else
    snprintf(text, capacity, "%s", report->device->versions);
}

static void print_heading(const struct report *report, int rounds) {
  const struct device *d = report->device;
  char cudnn[200], torch[200];
  heading_print(&report->heading);
  printf("# device    %s, %s%s%s\n", d->name, d->versions, d->clocks[0] ? ", " : "", d->clocks);
  if (d->is_emulated) {
    printf("# emulated  each version runs once; what it did stands in the device's counters, and there are "
           "no times\n");
    return;
  }
  cudnn_version(cudnn, sizeof cudnn);
  torch_version(torch, sizeof torch);
  printf("# clocks    driver, SM and memory now, highest SM, power limit as nvidia-smi tells them: %s\n",
         d->clocks[0] ? d->clocks : "unknown");
  printf("# peers     cuDNN %s; PyTorch %s\n", cudnn, torch);
  printf("# verified  every version against the float64 reference before it was timed\n");
  printf("# rounds    %d, interleaved: medians; device: a call with its arrays on the device, of many "
         "queued, by\n"
         "#           events; host: from page-locked host memory and back, by clock\n",
         rounds);
  printf("# device    a launch %.2f us, a node of a graph %.2f us, a busy SM %.0f MHz, measured\n"
         "# floor     the largest of launch, chain (cycles per step on paper at %.0f MHz),\n"
         "#           bandwidth (%.0f GB/s) and arithmetic (%.1f T multiply-adds/s)\n",
         d->launch_us, d->node_us, d->busy_clock * 1e-6, d->clock * 1e-6, d->bandwidth * 1e-9,
         d->fma * 1e-12);
}

static void system_rows(const struct report *report) {
  char version[200];
  for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
    version_of(systems[i].system, report, version, sizeof version);
    results_row(report->results, "system");
    results_text(report->results, "system", systems[i].system);
    results_text(report->results, "version", version);
    results_text(report->results, "what", systems[i].what);
    results_text(report->results, "did", systems[i].did);
  }
}

/* What was measured of the device itself. */
static void device_rows(const struct report *report) {
  const struct device *d = report->device;
  const struct {
    const char *what, *unit;
    double value;
  } rows[] = {{"a launch among many", "us", d->launch_us},
              {"a node of a graph", "us", d->node_us},
              {"clock of a busy SM", "MHz", d->busy_clock * 1e-6},
              {"highest clock of the SMs", "MHz", d->clock * 1e-6}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    results_row(report->results, "machine");
    results_text(report->results, "what", rows[i].what);
    results_number(report->results, "value", rows[i].value);
    results_text(report->results, "unit", rows[i].unit);
  }
}

struct report *report_begin(int argc, char **argv, const struct device *device, int rounds,
                            const char *json) {
  struct report *report = calloc(1, sizeof *report);
  if (!report) {
    fprintf(stderr, "bench: out of memory\n");
    return NULL;
  }
  report->device = device;
  heading_make(&report->heading, "gpu", device->name, argc, argv);
  if (json && !(report->results = results_begin(json, &report->heading, rounds))) {
    free(report);
    return NULL;
  }
  print_heading(report, rounds);
  if (report->results && !device->is_emulated) {
    system_rows(report);
    device_rows(report);
  }
  if (device->is_emulated)
    printf("#\n# %-14s %5s %5s %5s %5s  %-15s  %s\n", "case", "B", "T", "F", "H", "version",
           "error, % of allowed");
  else
    printf("#\n# %-14s %5s %5s %5s %5s  %-15s %11s %7s %11s %7s %7s  %-10s  %s\n", "case", "B", "T", "F", "H",
           "version", "device us", "ratio", "host us", "ratio", "% floor", "binds", "spread, error, notes");
  return report;
}

static void json_case(const struct report *report, const struct bench_case *bench_case,
                      const struct contestant *c, const struct floor *floor) {
  const struct workload *w = &bench_case->workload;
  const struct spread kernel = contestant_spread(c, false), host = contestant_spread(c, true);
  struct results *r = report->results;
  const char sweep[2] = {bench_case->sweep, 0};
  results_row(r, "time");
  results_text(r, "workload", w->name);
  if (bench_case->sweep) {
    results_text(r, "sweep", sweep);
    results_number(r, "value", sweep[0] == 'B' ? w->B : sweep[0] == 'H' ? w->H : w->T);
  }
  results_number(r, "B", w->B);
  results_number(r, "T", w->T);
  results_number(r, "F", w->F);
  results_number(r, "H", w->H);
  results_number(r, "layers", workload_layers(w));
  results_bool(r, "forward", w->forward);
  results_bool(r, "mixed_lengths", workload_has_lengths(w));
  results_number(r, "threads", 1);
  results_text(r, "system", c->peer.name);
  results_number(r, "rounds", c->count);
  results_number(r, "error_share", c->error);
  if (!figure_times(r, report->device->is_emulated, kernel, host))
    return;
  results_number(r, "floor_us", floor->us);
  results_text(r, "floor", floor->binds);
  results_text(r, isfinite(kernel.median) ? "note" : "reason", c->peer.note);
}

static void print_row(const struct workload *w, const struct contestant *c, const struct contestant *ours,
                      const struct floor *floor) {
  const struct spread kernel = contestant_spread(c, false), host = contestant_spread(c, true);
  const double our_kernel = contestant_spread(ours, false).median,
               our_host = contestant_spread(ours, true).median;
  char texts[6][32];
  printf("  %-14s %5d %5d %5d %5d  %-15s %11s %7s %11s %7s %7s  %-10s ", w->name, (int)w->B, (int)w->T,
         (int)w->F, (int)w->H, c->peer.name, figure_text(kernel.median, "%.2f", texts[0]),
         figure_text(kernel.median / our_kernel, "%.2f", texts[1]),
         figure_text(host.median, "%.2f", texts[2]), figure_text(host.median / our_host, "%.2f", texts[3]),
         figure_text(100 * floor->us / kernel.median, "%.1f", texts[4]), floor->binds);
  if (!c->peer.is_there)
    printf(" not measured: %s\n", c->peer.note);
  else if (!c->is_right)
    printf(" not measured: wrong answers (error %.3g of what is allowed)%s%s\n", c->error,
           c->peer.note[0] ? "; " : "", c->peer.note);
  else
    printf(" %.0f%%, %s%%%s%s\n", 100 * (kernel.high - kernel.low) / kernel.median,
           figure_text(100 * c->error, "%.2g", texts[5]), c->peer.note[0] ? "; " : "", c->peer.note);
}

static void print_emulated(const struct workload *w, const struct contestant *c) {
  char text[32];
  const bool is_wrong = c->peer.is_there && !c->is_right;
  printf("  %-14s %5d %5d %5d %5d  %-15s  %s%s%s%s\n", w->name, (int)w->B, (int)w->T, (int)w->F, (int)w->H,
         c->peer.name, figure_text(100 * c->error, "%.2g", text), is_wrong ? " WRONG" : "",
         c->peer.note[0] ? "; " : "", c->peer.note);
}

bool report_case(struct report *report, const struct bench_case *bench_case, const struct instance *instance,
                 const struct contestant *contestants, int count) {
  const struct workload *w = &bench_case->workload;
  for (int i = 0; i < count; i++) {
    const struct contestant *c = &contestants[i];
    struct floor floor = {NAN, "-"};
    if (!report->device->is_emulated)
      floor = floor_of(w, instance->lengths, w->encodes_only || c->peer.gives_annotations, report->device);
    if (report->device->is_emulated)
      print_emulated(w, c);
    else
      print_row(w, c, &contestants[0], &floor);
    if (report->results)
      json_case(report, bench_case, c, &floor);
  }
  fflush(stdout);
  return !report->results || results_save(report->results);
}

bool report_end(struct report *report) {
  const bool written = !report->results || results_end(report->results);
  free(report);
  return written;
}
