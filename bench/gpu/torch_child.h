/* The process in which PyTorch runs, bench/gpu/torch_peer.py by the path's python3: one for the whole
 * benchmark, begun when it is first asked for. CUSEQ_BENCH_TORCH_DEVICE in the environment is its device
 * ("cuda" where there is none), and CUSEQ_BENCH_TORCH_LIBRARY_PATH its LD_LIBRARY_PATH, where it is to have
 * another than the benchmark. */
#ifndef BENCH_GPU_TORCH_CHILD_H
#define BENCH_GPU_TORCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>

bool torch_is_there(void);

/* "2.15.0", or why it is not there. */
void torch_version(char *text, size_t capacity);

/* A line there, and the answer: true for "ok"; `text` receives what follows "ok" or "no". */
__attribute__((format(printf, 3, 4))) bool torch_ask(char *text, size_t capacity, const char *format, ...);

/* Ends it. */
void torch_end(void);

#endif
