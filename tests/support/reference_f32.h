/* The reference's own source in float32, the factors of products rounded as the session's precision says:
 * what a careful plain implementation in its order errs. */
#ifndef TESTS_SUPPORT_REFERENCE_F32_H
#define TESTS_SUPPORT_REFERENCE_F32_H

#include "cuseq/cuseq.h"

/* cuseq_session_open() of a session that computes so, whatever device the options name. The precision is that
 * of the session that was opened last: one at a time. */
cuseq_status reference_f32_open(const cuseq_model *model, const cuseq_session_options *options,
                                cuseq_session **session);

#endif
