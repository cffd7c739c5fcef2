/* Encoder and decoder of small models as one launch. */
#include "backends/cuda/decoder.h"

#include "backends/cuda/decoding.h"
#include "backends/cuda/steps.h"
#include "backends/cuda/trace.h"
#include "error.h"

/* The encoder's part: the first layer, and the states of all. */
static void encoder_fill(const struct cuda_session *session, const struct backend_input *input,
                         struct sequence *encoder) {
  const cuseq_config *config = &session->model->config;
  const struct cuda_run *layer = &session->layers[0].runs[0];
  *encoder = (struct sequence){.batch = input->batch,
                               .time = input->time,
                               .units = config->units,
                               .directions = config_directions(config),
                               .activation = config->activation,
                               .recurrent_activation = config->recurrent_activation,
                               .d_lengths = input->lengths ? session->work.d_lengths : NULL,
                               .d_ids = cuda_input_is_ids(input) ? session->work.d_ids : NULL,
                               .d_x = cuda_input_is_ids(input) ? NULL : session->call.d_given_x,
                               .features = config->features,
                               .d_kernel = layer->d_kernel,
                               .d_recurrent = layer->d_recurrent,
                               .d_bias = layer->d_bias,
                               .d_initial_h = input->initial_h ? session->work.d_initial_h : NULL,
                               .d_initial_c = input->initial_c ? session->work.d_initial_c : NULL,
                               .d_output = {cuda_last_annotations(session), NULL},
                               .d_final_h = session->work.d_final_h,
                               .d_final_c = session->work.d_final_c,
                               .check = cuda_check_results(session, 0)};
}

static cuseq_status model_queue(struct cuda_session *session, const struct whole_model *model) {
  CUDA_RANGE("whole model", session->encoded.batch, session->encoded.time, session->model->config.units);
  return cuda_launched(session, launch_whole_model(model, &session->launch));
}

cuseq_status cuda_whole_queue(struct cuda_session *session, const struct backend_input *input,
                              const cuseq_encoding *encoding, const cuseq_decoding *decoding, bool *queued) {
  int32_t layers = session->model->config.layers;
  *queued = false;
  if (!session->decoder || !cuda_decodes_fused(decoding))
    return CUSEQ_STATUS_OK;
  struct whole_model model = {
      .layers = layers, .merge = session->model->config.merge, .decode = session->decoder->decode};
  const struct cuda_shape shape = {input->time, cuda_input_is_ids(input)};
  *queued = cuda_choose(&session->model->config, &shape, &session->device, &session->forced).whole;
  if (!*queued)
    return CUSEQ_STATUS_OK;
  encoder_fill(session, input, &model.encoder);
  for (int32_t l = 1; l < layers && l < WHOLE_MODEL_LAYERS_MOST; l++)
    model.above[l - 1] =
        (struct whole_layer){session->layers[l].runs[0].d_kernel, session->layers[l].runs[0].d_recurrent,
                             session->layers[l].runs[0].d_bias};
  TRY(cuda_input_queue(session, input));
  session->encoded.d_annotations = cuda_last_annotations(session);
  session->encoded.general_keys_made = false;
  session->encoded.keys_made = false;
  TRY(cuda_decoding_bring(session, decoding, session->encoded.batch));
  cuda_decode_arguments(session, decoding, &model.decode);
  TRY(model_queue(session, &model));
  TRY(cuda_encode_fetch(session, encoding));
  return cuda_decode_fetch(session, decoding, &model.decode);
}
