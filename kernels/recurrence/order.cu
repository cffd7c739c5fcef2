/* Rows by falling length, so that the longest chains start first. */
#include "kernels/common/launch_error.cuh"

static const int ORDER_THREADS = 256;

/* computes  order[place(b)] = b, place(b) = number of rows that are longer than b, or as long and before it.
 * shapes    lengths [B], order [B].
 * mapping   a thread owns a row and reads all lengths, ORDER_THREADS at a time through shared memory.
 * launch    grid ceil(B / 256), block 256, shared 1 KB.
 * budget    32 registers.
 * why       B^2 comparisons take microseconds at the batches that are run (B 1024: a million), one launch, no
 *           sort's passes. */
static __global__ void __launch_bounds__(ORDER_THREADS)
    row_order_place(int32_t batch, const int32_t *d_lengths, int32_t *d_order) {
  __shared__ int32_t some[ORDER_THREADS];
  int32_t b = (int32_t)(blockIdx.x * ORDER_THREADS + threadIdx.x);
  int32_t own = b < batch ? d_lengths[b] : 0, place = 0;
  for (int32_t first = 0; first < batch; first += ORDER_THREADS) {
    int32_t other = first + (int32_t)threadIdx.x;
    __syncthreads(); /* the lengths before these have been read by all */
    some[threadIdx.x] = other < batch ? d_lengths[other] : -1;
    __syncthreads(); /* these are there */
    for (int32_t i = 0; i < ORDER_THREADS; i++)
      place += some[i] > own || (some[i] == own && first + i < b);
  }
  if (b < batch)
    d_order[place] = b;
}

cuseq_status launch_row_order(const struct row_order *arguments, const struct launch_stream *stream) {
  const struct row_order *a = arguments;
  if (a->batch < 1 || a->batch > ROW_ORDER_MOST || !a->d_lengths || !a->d_order)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "order: an array is missing or B is not possible (B %d, 1 to %d)", a->batch,
                         ROW_ORDER_MOST);
  unsigned blocks = (unsigned)(a->batch + ORDER_THREADS - 1) / ORDER_THREADS;
  row_order_place<<<blocks, ORDER_THREADS, 0, (cudaStream_t)stream->stream>>>(a->batch, a->d_lengths,
                                                                              a->d_order);
  return launch_result(stream, "order", cudaGetLastError());
}
