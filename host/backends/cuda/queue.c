#include "backends/cuda/whole_any.h"

#include "error.h"

static cuseq_status encode_queue(struct cuda_session *session, const struct backend_input *input,
                                 const cuseq_encoding *encoding) {
  TRY(cuda_encode_queue(session, input));
  TRY(cuda_keys_queue(session));
  return cuda_encode_fetch(session, encoding);
}

cuseq_status cuda_call_queue(struct cuda_session *session, const struct backend_input *input,
                             const cuseq_encoding *encoding, const cuseq_decoding *decoding) {
  bool queued = false;
  cuda_input_place(session, input, decoding);
  if (decoding)
    TRY(cuda_whole_queue(session, input, encoding, decoding, &queued));
  if (decoding && !queued)
    TRY(cuda_whole_any_queue(session, input, encoding, decoding, &queued));
  if (queued)
    return CUSEQ_STATUS_OK;
  TRY(encode_queue(session, input, encoding));
  return decoding ? cuda_decode_queue(session, decoding) : CUSEQ_STATUS_OK;
}
