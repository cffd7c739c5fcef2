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

/* All arrays that are members of that structure, but for the input's data, whose elements are of several
 * sizes. */
static cuseq_status locate_members(struct arrays *arrays, enum call_structure structure,
                                   const void *members) {
  CALL_EACH (array, structure)
    if (array != BACKEND_DATA)
      TRY(locate(arrays, array, call_pointer(array, members), sizeof(float)));
  return CUSEQ_STATUS_OK;
}

cuseq_status arrays_of_input(struct arrays *arrays, const cuseq_input *input) {
  size_t element = input->dtype == CUSEQ_DTYPE_F64 || input->dtype == CUSEQ_DTYPE_I64 ? 8 : 4;
  TRY(locate_members(arrays, CALL_INPUT, input));
  return locate(arrays, BACKEND_DATA, input->data, element);
}

cuseq_status arrays_of_encoding(struct arrays *arrays, const cuseq_encoding *encoding) {
  return locate_members(arrays, CALL_ENCODING, encoding);
}

cuseq_status arrays_of_decoding(struct arrays *arrays, const cuseq_decoding *decoding) {
  return locate_members(arrays, CALL_DECODING, decoding);
}

cuseq_status arrays_of_beam(struct arrays *arrays, const cuseq_beam *beam) {
  return locate_members(arrays, CALL_BEAM, beam);
}

cuseq_status arrays_of_attention(struct arrays *arrays, const float *state, const float *context,
                                 const float *alphas) {
  TRY(locate(arrays, BACKEND_STATE_H, state, sizeof(float)));
  TRY(locate(arrays, BACKEND_CONTEXTS, context, sizeof(float)));
  return locate(arrays, BACKEND_ALPHAS, alphas, sizeof(float));
}
