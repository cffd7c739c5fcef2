/* The C call in a loop: what calls from Python are held against. Loaded by overhead.py with ctypes. */
#include "cuseq/cuseq.h"

#include <time.h>

static double thread_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seconds of the thread for each of so many calls of cuseq_run; negative where one fails. */
CUSEQ_API double bench_call(cuseq_session *session, const cuseq_input *input, const cuseq_encoding *encoding,
                            const cuseq_decoding *decoding, int calls);

double bench_call(cuseq_session *session, const cuseq_input *input, const cuseq_encoding *encoding,
                  const cuseq_decoding *decoding, int calls) {
  const double start = thread_seconds();
  for (int i = 0; i < calls; i++)
    if (cuseq_run(session, input, encoding, decoding) != CUSEQ_STATUS_OK)
      return -1.0;
  return (thread_seconds() - start) / calls;
}
