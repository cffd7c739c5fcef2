/* The processor's peak: fused multiply-adds in registers, nothing else. */
#ifndef BENCH_CPU_PEAK_H
#define BENCH_CPU_PEAK_H

enum { PEAK_MOST_THREADS = 256 };

/* Picks the kernel for the instruction set that `description` (of the device "cpu") starts with. */
void peak_choose(const char *description);

/* Floats in a vector of the instruction set picked. */
int peak_lanes(void);

/* Seconds since some start. */
double peak_clock(void);

/* GFLOP/s of `threads` (1 .. PEAK_MOST_THREADS) threads together: the best of some bursts of about 0.3 ms.
 * One caller at a time. */
double peak_measure(int threads, int bursts);

/* The same of products of bf16 pairs (AVX-512 BF16), each two multiply-adds. Only where the processor has
 * them. */
double peak_measure_bf16(int threads, int bursts);

/* Ends the other threads. */
void peak_end(void);

#endif
