#include "backends/cuda/loop.h"

/* What runs step by step is a graph with products in it. */
bool cuda_needs_graphs(const struct cuda_session *session) {
  const struct structure *structure = &session->model->lowered;
  bool fused = session->decoder ? session->choice.decoder == CUDA_DECODER_LOOP
                                : session->forced.decoder != CUDA_DECODER_STEPS &&
                                      !cuda_loop_reason(structure, session->limits.time, &session->device);
  bool steps = structure->decoder.present && (!fused || session->limits.beams > 1);
  return cuda_layers_need_graphs(session) || steps;
}

bool cuda_needs_blas(const struct cuda_session *session) {
  const struct structure *structure = &session->model->lowered;
  bool heads = !structure->decoder.present && structure->output.count > 0;
  bool steps =
      cuda_needs_graphs(session) || heads || (!session->decoder && !cuda_steps_keys_are_narrow(structure));
  return (steps && cuda_products_need_blas(session)) || cuda_layers_need_blas(session, false);
}

bool cuda_captures_products(const struct cuda_session *session) {
  return (cuda_needs_graphs(session) && cuda_products_need_blas(session)) ||
         (session->limits.capture && (cuda_needs_blas(session) || cuda_layers_need_blas(session, true)));
}
