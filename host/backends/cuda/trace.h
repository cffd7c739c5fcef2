/* What a profiler sees of a session: NVTX ranges in the domain "cuseq", one around every call and around
 * every stage of it, each with B, T and H as an extended payload. Without a tool that listens a range costs
 * one comparison; without the NVTX headers it costs nothing.
 *
 * The names, as a tool shows them, nested as here:
 *   open                    B, T: the session's limits
 *     upload                of the weights
 *   run, or encode, attend, decode
 *     input                 copies of the caller's arrays to the device
 *     layer N               one layer of the encoder
 *       projection          the product over all positions, where the sequence kernel does not take x itself
 *       sequence  merge  residual  weighting  self-attention  dense
 *     keys                  what attention needs of the annotations, once per sequence
 *     attention step, or decode loop
 *       capture             of a graph, inside of a sequence or a decode loop: the first call of a shape
 *     whole model           in place of the four before, where encoder and decoder are one launch
 *     copy out              of what the caller wants
 *     wait                  for the device, once, at the end */
#ifndef CUSEQ_CUDA_TRACE_H
#define CUSEQ_CUDA_TRACE_H

#include <stdint.h>

#ifdef CUSEQ_NVTX

/* Both are for CUDA_RANGE. `number` follows the name where it is not negative. Returns whether there is a
 * range to end. Any thread may call; a range ends on the thread that began it. */
int cuda_range_begin(const char *name, int number, int32_t batch, int32_t time, int32_t units);
void cuda_range_end(const int *begun);

/* From here to the end of the enclosing block is a range, whichever way the block is left. One in a block. */
#define CUDA_RANGE_NUMBERED(name, number, batch, time, units)                                                \
  __attribute__((cleanup(cuda_range_end), unused)) const int cuda_range_ =                                   \
      cuda_range_begin(name, number, batch, time, units)

#else
#define CUDA_RANGE_NUMBERED(name, number, batch, time, units) ((void)(batch), (void)(time), (void)(units))
#endif

#define CUDA_RANGE(name, batch, time, units) CUDA_RANGE_NUMBERED(name, -1, batch, time, units)

#endif
