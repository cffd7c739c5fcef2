/* What both benchmarks of the GPU read and write alike: how many rounds are asked for, and times. */
#ifndef BENCH_GPU_FIGURES_H
#define BENCH_GPU_FIGURES_H

#include "../results/results.h"
#include "timing.h"

enum { ROUNDS_USUAL = 15, ROUNDS_FEWEST = 3, ROUNDS_MOST = 1000 };

/* The number of rounds that --rounds names; 0 where it is none from ROUNDS_FEWEST to ROUNDS_MOST. */
int figure_rounds(const char *text);

/* "-" for what was not measured. */
const char *figure_text(double value, const char *format, char text[32]);

/* Adds a version's times to the row that was begun. false: an emulated device has none, and the row says
 * so. */
bool figure_times(struct results *results, bool is_emulated, struct spread device, struct spread host);

#endif
