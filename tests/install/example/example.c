/* The smallest model there is, made from arrays: an encoder of one unit per direction, energies, softmax,
 * context. */
#include <cuseq/cuseq.h>

#include <stdio.h>

int main(void) {
  static const float kernel[8] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f};
  static const char config[] =
      "{\"version\":1,\"encoder\":{\"features\":2,\"units\":1},\"attention\":{\"score\":"
      "\"concat\",\"layers\":[{\"units\":1,\"activation\":\"tanh\"}]}}";
  const cuseq_tensor tensors[] = {
      {"encoder.layers.0.forward.kernel", CUSEQ_DTYPE_F32, 2, {2, 4}, kernel},
      {"encoder.layers.0.forward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, kernel},
      {"encoder.layers.0.forward.bias", CUSEQ_DTYPE_F32, 1, {4}, kernel},
      {"encoder.layers.0.backward.kernel", CUSEQ_DTYPE_F32, 2, {2, 4}, kernel},
      {"encoder.layers.0.backward.recurrent_kernel", CUSEQ_DTYPE_F32, 2, {1, 4}, kernel},
      {"encoder.layers.0.backward.bias", CUSEQ_DTYPE_F32, 1, {4}, kernel},
      {"attention.layers.0.kernel", CUSEQ_DTYPE_F32, 2, {4, 1}, kernel},
      {"attention.layers.0.bias", CUSEQ_DTYPE_F32, 1, {1}, kernel},
  };
  const float x[6] = {1, 0, 0, 1, 1, 1};
  float context[2], alphas[3];
  cuseq_model *model = NULL;
  cuseq_session *session = NULL;
  cuseq_session_options options;
  cuseq_status status = cuseq_model_create(config, tensors, sizeof tensors / sizeof *tensors, &model);
  if (status == CUSEQ_STATUS_OK) {
    cuseq_session_options_init(&options, sizeof options, model);
    options.max_time = 3;
    status = cuseq_session_open(model, &options, &session);
  }
  if (status == CUSEQ_STATUS_OK) {
    cuseq_input input = {
        .size = sizeof(cuseq_input), .data = x, .dtype = CUSEQ_DTYPE_F32, .batch = 1, .time = 3};
    cuseq_decoding decoding = {.size = sizeof(cuseq_decoding), .contexts = context, .alphas = alphas};
    status = cuseq_run(session, &input, NULL, &decoding);
  }
  if (status == CUSEQ_STATUS_OK)
    printf("context %.6f %.6f alphas %.6f %.6f %.6f\n", (double)context[0], (double)context[1],
           (double)alphas[0], (double)alphas[1], (double)alphas[2]);
  else
    fprintf(stderr, "%s\n", cuseq_last_error());
  cuseq_session_close(session);
  cuseq_model_destroy(model);
  return status == CUSEQ_STATUS_OK ? 0 : 1;
}
