/* Beam search on the device: no step of it waits for the host. */
#ifndef CUSEQ_CUDA_SEARCH_H
#define CUSEQ_CUDA_SEARCH_H

#include "backends/cuda/steps.h"
#include "search/search.h"

/* Gives the arrays of a search a place; none for models that are not searched. */
void cuda_search_plan(struct cuda_session *session, struct cuda_plan *plan);
/* Makes what a search needs on the host. close takes NULL. */
cuseq_status cuda_search_open(struct cuda_session *session);
void cuda_search_close(struct cuda_session *session);
/* Queues a search of what is encoded: `search` has been begun and gets all choices, alphas [steps, rows K, T]
 * are those of all lanes, or NULL; `begin` says what the search begins with. After the wait for it,
 * cuda_search_deliver() hands over the rows' hypotheses. */
cuseq_status cuda_search_queue(struct cuda_session *session, struct search *search,
                               const cuseq_decoding *begin, float *alphas);
void cuda_search_deliver(const struct cuda_session *session, struct search *search);

#endif
