/* Products of cells, decoders' layers, keys, values and outputs: by tensor cores where there are some, with
 * the same bits for a row whatever its batch; else by cuBLAS. */
#include "backends/cuda/cuda.h"

#include "error.h"

bool cuda_products_need_blas(const struct cuda_session *session) {
  return !session->device.tensor_cores;
}

cuseq_status cuda_product_queue(struct cuda_session *session, const struct cuda_product *p) {
  if (cuda_products_need_blas(session)) {
    if (!session->blas)
      TRY(cuda_blas_open(session));
    return cuda_blas_product(session, p);
  }
  const struct product product = {.d_a = p->a,
                                  .d_b = p->b,
                                  .d_c = p->c,
                                  .m = p->m,
                                  .n = p->n,
                                  .k = p->k,
                                  .lda = p->lda,
                                  .ldb = p->ldb > 0      ? p->ldb
                                         : p->transposed ? p->k
                                                         : p->n,
                                  .transposed = p->transposed,
                                  .count = p->count,
                                  .adds = p->adds,
                                  .precision = session->limits.precision};
  return cuda_launched(session, launch_product(&product, &session->launch));
}
