/* Large batches of host arrays in windows of rows, so that copies and kernels overlap: while the device
 * computes one window, the next one's input is converted and copied, and the last one's results are copied
 * and handed over. */
#ifndef CUSEQ_CUDA_ROWS_H
#define CUSEQ_CUDA_ROWS_H

#include "backends/cuda/cuda.h"

/* Makes what windows need where calls of the limits may be worth it. close(NULL) does nothing. */
cuseq_status cuda_rows_open(struct cuda_session *session);
void cuda_rows_close(struct cuda_session *session);

/* Queues a call - decoding may be NULL - in windows where that pays and changes no row's bits; otherwise
 * does nothing. *queued says which. It pays where several MiB are copied one way; models with products by
 * cuBLAS are left out, whose bits depend on the batch, and so are calls with inputs on the device. */
cuseq_status cuda_rows_queue(struct cuda_session *session, const struct backend_input *input,
                             const cuseq_encoding *encoding, const cuseq_decoding *decoding, bool *queued);

#endif
