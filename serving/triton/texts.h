/* TEXT of a request, as ids. */
#ifndef CUSEQ_SERVING_TEXTS_H
#define CUSEQ_SERVING_TEXTS_H

#include "job.h"

/* The job's data, lengths, time and own become those of its texts. */
TRITONSERVER_Error *texts_encode(struct job *job, const struct served *served);

#endif
