#include "arrays.h"

#include "backends/cuda_loader.h"
#include "error.h"

/* Backends without memory of their own take host arrays: one on a device is told where the process works
 * with CUDA. */
static cuseq_status host_only(const struct arrays *arrays, enum backend_array array, const void *pointer) {
  return cuda_device_memory(pointer)
             ? error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                         "%s: it lies in device memory (device %s takes arrays in host memory)",
                         backend_array_name(array), arrays->device)
             : CUSEQ_STATUS_OK;
}

static cuseq_status locate(struct arrays *arrays, enum backend_array array, const void *pointer,
                           size_t element) {
  bool remembers = !arrays->backend->locate || arrays->memory == CUSEQ_MEMORY_HOST;
  arrays->on_device[array] = false;
  if (!pointer || (remembers && pointer == arrays->known[array]))
    return CUSEQ_STATUS_OK;
  if (arrays->backend->locate)
    TRY(arrays->backend->locate(arrays->state, array, pointer, &arrays->on_device[array]));
  else
    TRY(host_only(arrays, array, pointer));
  if (remembers)
    arrays->known[array] = pointer;
  if (arrays->on_device[array] && (uintptr_t)pointer % element != 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     "%s: its address is not a multiple of %zu bytes (found %p on the device)",
                     backend_array_name(array), element, pointer);
  return CUSEQ_STATUS_OK;
}

static cuseq_status locate_all(struct arrays *arrays, enum backend_array first, const void *const *pointers,
                               int count) {
  for (int i = 0; i < count; i++)
    TRY(locate(arrays, first + (enum backend_array)i, pointers[i], sizeof(float)));
  return CUSEQ_STATUS_OK;
}

cuseq_status arrays_of_input(struct arrays *arrays, const cuseq_input *input) {
  const void *pointers[] = {input->lengths, input->initial_h, input->initial_c};
  size_t element = input->dtype == CUSEQ_DTYPE_F64 || input->dtype == CUSEQ_DTYPE_I64 ? 8 : 4;
  TRY(locate_all(arrays, BACKEND_LENGTHS, pointers, 3));
  return locate(arrays, BACKEND_DATA, input->data, element);
}

cuseq_status arrays_of_encoding(struct arrays *arrays, const cuseq_encoding *encoding) {
  const void *pointers[] = {encoding->annotations, encoding->h_fw,    encoding->c_fw,   encoding->h_bw,
                            encoding->c_bw,        encoding->final_h, encoding->final_c};
  return locate_all(arrays, BACKEND_ANNOTATIONS, pointers, 7);
}

cuseq_status arrays_of_decoding(struct arrays *arrays, const cuseq_decoding *decoding) {
  const void *inputs[] = {decoding->previous, decoding->initial_h, decoding->initial_c};
  const void *outputs[] = {decoding->contexts, decoding->alphas, decoding->states,
                           decoding->outputs,  decoding->tokens, decoding->output_lengths,
                           decoding->final_h,  decoding->final_c};
  TRY(locate_all(arrays, BACKEND_PREVIOUS, inputs, 3));
  return locate_all(arrays, BACKEND_CONTEXTS, outputs, 8);
}

cuseq_status arrays_of_attention(struct arrays *arrays, const float *state, const float *context,
                                 const float *alphas) {
  const void *outputs[] = {context, alphas};
  TRY(locate(arrays, BACKEND_STATE_H, state, sizeof(float)));
  return locate_all(arrays, BACKEND_CONTEXTS, outputs, 2);
}
