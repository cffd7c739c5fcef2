#include "floor.h"

/* Cycles of one step of a chain, from the latencies of its instructions on an H100 (shared load 30, shuffle
 * 24, MUFU 20, barrier 25, distributed shared memory 220), good to about 30%: the dependent multiply-adds,
 * the exchange of h, the activations. Above 128 units weights lie on several SMs: 1 us for a flag barrier at
 * 1.755 GHz. */
static double step_cycles(int32_t units) {
  return units <= 16 ? 230 : units <= 32 ? 300 : units <= 64 ? 360 : units <= 128 ? 720 : 1755;
}

/* Energies, softmax and context of one decoder step, in the same way. */
static const double ATTENTION_CYCLES = 700;

/* Positions that count: of all rows, and of the longest one. */
static double positions(const struct workload *w, const int32_t *lengths, double *longest) {
  double sum = 0;
  *longest = 0;
  for (int32_t b = 0; b < w->B; b++) {
    const double length = lengths ? lengths[b] : w->T;
    sum += length;
    *longest = length > *longest ? length : *longest;
  }
  return sum;
}

double floor_multiply_adds(const struct workload *w, const int32_t *lengths, bool encodes_only) {
  double longest;
  const double all = positions(w, lengths, &longest), B = w->B, H = w->H, A = workload_annotations(w),
               u = w->keys;
  const double S = w->S > 0 ? w->S : A, Y = workload_steps(w), F = w->ids ? 0 : w->F;
  const double layers = workload_layers(w);
  double count = workload_directions(w) * (all * (F + (layers - 1) * A) + layers * (all - B) * H) * 4 * H;
  if (encodes_only)
    return count;
  count += all * A * u + Y * (B * S * u + (u > 1 ? all * u : 0) + all * A);
  if (w->S > 0)
    count += B * ((A * Y + S * (Y - 1)) * 4 * S + S * w->V * Y);
  return count;
}

/* Weights, input and answers, each once. */
static double bytes(const struct workload *w, double all, bool encodes_only) {
  const double B = w->B, H = w->H, A = workload_annotations(w), S = w->S > 0 ? w->S : A,
               Y = workload_steps(w), T = w->T, layers = workload_layers(w);
  double floats = workload_directions(w) * 4 * H * (w->F + (layers - 1) * A + layers * (H + 1)) +
                  (w->ids ? all : all * w->F);
  if (encodes_only)
    return 4 * (floats + B * T * A);
  floats += (A + S + 1) * w->keys + B * Y * (A + T);
  if (w->S > 0)
    floats += 4 * S * (A + S + 1) + (S + 1) * w->V + B * Y * (w->V + 1);
  return 4 * floats;
}

struct floor floor_of(const struct workload *w, const int32_t *lengths, bool encodes_only,
                      const struct device *device) {
  double longest;
  const double all = positions(w, lengths, &longest), Y = workload_steps(w);
  double cycles = workload_layers(w) * longest * step_cycles(w->H);
  if (!encodes_only)
    cycles += Y * (ATTENTION_CYCLES + (w->S > 0 ? step_cycles(w->S) : 0));
  struct floor floor = {device->launch_us, "launch"};
  const struct floor others[] = {
      {1e6 * cycles / device->clock, "chain"},
      {1e6 * bytes(w, all, encodes_only) / device->bandwidth, "bandwidth"},
      {1e6 * floor_multiply_adds(w, lengths, encodes_only) / device->fma, "arithmetic"},
  };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (others[i].us > floor.us)
      floor = others[i];
  return floor;
}
