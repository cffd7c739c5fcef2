/* The processor's peak: fused multiply-adds in registers, nothing else. */
#ifndef BENCH_CPU_PEAK_H
#define BENCH_CPU_PEAK_H

/* Picks the kernel for the instruction set that `description` (of the device "cpu") starts with. */
void peak_choose(const char *description);

/* Seconds since some start. */
double peak_clock(void);

/* GFLOP/s of `threads` (1 or 2) threads together: the best of some bursts of about 0.3 ms. */
double peak_measure(int threads, int bursts);

/* Ends the second thread. */
void peak_end(void);

#endif
