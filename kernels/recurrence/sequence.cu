/* The choice among the mappings of a sequence, and the launcher that checks for all of them. */
#include "kernels/common/launch_error.cuh"
#include "kernels/recurrence/sequence.cuh"

static const int32_t mapping_units[SEQUENCE_MAPPINGS] = {16, 32, 64, 128, INT32_MAX};
static const int32_t MAX_PRODUCED_FEATURES = 128;

int32_t sequence_mapping_possible(enum sequence_mapping mapping, int32_t units,
                                  const struct launch_device *device) {
  if ((int)mapping < 0 || (int)mapping >= SEQUENCE_MAPPINGS || units < 1 || units > mapping_units[mapping])
    return 0;
  return mapping != SEQUENCE_MAPPING_CLUSTER128 || (device->architecture >= 90 && device->clusters);
}

enum sequence_mapping sequence_mapping_choose(int32_t units, const struct launch_device *device) {
  for (int mapping = 0; mapping < SEQUENCE_MAPPING_GRID; mapping++)
    if (sequence_mapping_possible((enum sequence_mapping)mapping, units, device))
      return (enum sequence_mapping)mapping;
  return SEQUENCE_MAPPING_GRID;
}

int32_t sequence_mapping_takes_x(enum sequence_mapping mapping, int32_t features, int32_t units) {
  return mapping <= SEQUENCE_MAPPING_BLOCK64 && units <= mapping_units[mapping] && features >= 1 &&
         features <= MAX_PRODUCED_FEATURES;
}

size_t sequence_workspace_bytes(enum sequence_mapping mapping, int32_t batch, int32_t units,
                                int32_t directions, const struct launch_device *device) {
  return mapping == SEQUENCE_MAPPING_GRID ? sequence_grid_workspace(batch, units, directions, device) : 0;
}

static const void *misaligned(const struct sequence *a) {
  const void *vectors[] = {a->d_projected, a->d_kernel, a->d_recurrent, a->d_bias};
  for (const void *vector : vectors)
    if ((uintptr_t)vector % 16 != 0)
      return vector;
  return NULL;
}

static cuseq_status check(const struct sequence *a, const struct launch_stream *stream) {
  if (a->form != CELL_FORM_LSTM && a->form != CELL_FORM_GRU_RESET_AFTER)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: cell %d is no LSTM and no GRU with the reset after the product",
                         (int)a->form);
  if (a->batch < 1 || a->time < 1 || a->units < 1 || a->directions < 1 || a->directions > 2)
    return launch_refuse(
        stream, CUSEQ_STATUS_INVALID_ARGUMENT,
        "sequence: a size is not possible (B %d, T %d, H %d, D %d; B, T, H from 1, D 1 or 2)", a->batch,
        a->time, a->units, a->directions);
  if (a->is_backward && a->directions != 1)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: backward is said of one direction, not of two");
  if (!sequence_mapping_possible(a->mapping, a->units, stream->device))
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: mapping %d does not run H %d on compute capability %d", (int)a->mapping,
                         a->units, stream->device->architecture);
  if (a->mapping == SEQUENCE_MAPPING_GRID && a->precision != CUSEQ_PRECISION_FLOAT32 &&
      (a->precision < CUSEQ_PRECISION_FLOAT32 || a->precision > CUSEQ_PRECISION_BF16 ||
       !stream->device->tensor_cores))
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: precision %d is not there on compute capability %d", (int)a->precision,
                         stream->device->architecture);
  if ((int64_t)a->batch * a->directions * 2 > INT32_MAX)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT, "sequence: too many rows (B %d, at most %d)",
                         a->batch, INT32_MAX / 4);
  if (a->mapping == SEQUENCE_MAPPING_GRID && (int64_t)a->batch * a->time > INT32_MAX)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: too many positions (B %d, T %d, at most 2^31 - 1 together)", a->batch,
                         a->time);
  if (!!a->d_projected + !!a->d_ids + !!a->d_x != 1)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: exactly one input is needed (projected %d, ids %d, x %d)",
                         !!a->d_projected, !!a->d_ids, !!a->d_x);
  if (a->d_x && !sequence_mapping_takes_x(a->mapping, a->features, a->units))
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: mapping %d does not take x of F %d at H %d (project it ahead)",
                         (int)a->mapping, a->features, a->units);
  if (!a->d_recurrent || !a->d_bias || (!a->d_projected && !a->d_kernel))
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: weights are missing (recurrent, bias and, with ids or x, kernel)");
  if (a->activation != CUSEQ_ACTIVATION_TANH && a->activation != CUSEQ_ACTIVATION_RELU &&
      a->activation != CUSEQ_ACTIVATION_LINEAR)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: activation %d is not tanh, relu or linear", (int)a->activation);
  if (a->recurrent_activation < CUSEQ_ACTIVATION_SIGMOID ||
      a->recurrent_activation > CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2)
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: recurrent activation %d is no sigmoid", (int)a->recurrent_activation);
  if ((a->d_output[0] || a->d_output[1]) && (a->leading < a->units || a->leading > INT32_MAX))
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: leading dimension %lld is below H %d or above 2^31 - 1",
                         (long long)a->leading, a->units);
  if (misaligned(a))
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: address %p is not a multiple of 16", misaligned(a));
  if (a->mapping == SEQUENCE_MAPPING_GRID && (!a->d_workspace || (uintptr_t)a->d_workspace % 256 != 0))
    return launch_refuse(stream, CUSEQ_STATUS_INVALID_ARGUMENT,
                         "sequence: workspace %p is missing or not a multiple of 256", a->d_workspace);
  return CUSEQ_STATUS_OK;
}

cuseq_status launch_sequence(const struct sequence *arguments, const struct launch_stream *stream) {
  cuseq_status status = check(arguments, stream);
  if (status != CUSEQ_STATUS_OK)
    return status;
  struct sequence_parameters p;
  p.a = *arguments;
  p.gates = device_gates_make(arguments->activation, arguments->recurrent_activation);
  cudaStream_t queue = (cudaStream_t)stream->stream;
  switch (arguments->mapping) {
  case SEQUENCE_MAPPING_WARP16:
    return launch_result(stream, "sequence", sequence_launch_warp16(&p, queue));
  case SEQUENCE_MAPPING_WARP32:
    return launch_result(stream, "sequence", sequence_launch_warp32(&p, queue));
  case SEQUENCE_MAPPING_BLOCK64:
    return launch_result(stream, "sequence", sequence_launch_block64(&p, queue));
  case SEQUENCE_MAPPING_CLUSTER128:
    return launch_result(stream, "sequence", sequence_launch_cluster128(&p, queue));
  case SEQUENCE_MAPPING_GRID:
    break;
  }
  return launch_result(stream, "sequence", sequence_launch_grid(&p, stream->device, queue));
}
