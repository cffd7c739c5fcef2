/* Weights of the positions of an encoder's layer, for each feature by itself. */
#include "backends/cuda/steps.h"
#include "kernels/launch_weighting.h"

#include "backends/cuda/trace.h"
#include "error.h"

cuseq_status cuda_weighting_queue(struct cuda_session *session, int32_t l, float *d_output) {
  const struct encoder_layer *layer = &session->steps->structure.encoder.layers[l];
  const struct weighting weighting = {.batch = session->encoded.batch,
                                      .time = session->encoded.time,
                                      .width = layer->merged_width,
                                      .d_lengths = session->encoded.d_lengths,
                                      .d_kernel = layer->weighting.kernel,
                                      .d_bias = layer->weighting.bias,
                                      .d_x = session->work.d_unweighted,
                                      .d_output = d_output,
                                      .check = cuda_check_results(session, 0)};
  CUDA_RANGE("weighting", session->encoded.batch, session->encoded.time, layer->merged_width);
  return cuda_launched(session, launch_weighting(&weighting, &session->launch));
}
