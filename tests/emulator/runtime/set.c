#include "copy.h"
#include "stream.h"

static struct emu_set_work set_line(void *to, int value, size_t count) {
  return (struct emu_set_work){.to = (uint64_t)(uintptr_t)to,
                               .value = (unsigned char)value,
                               .element = 1,
                               .pitch = count,
                               .slice = count,
                               .width = count,
                               .height = 1,
                               .depth = 1};
}

/* Checks that the whole of it is device memory. */
cudaError_t emu_set_check(const struct emu_set_work *set, const char *name) {
  struct emu_allocation_info info;
  size_t row, rows, slices, span;
  if (__builtin_mul_overflow(set->width, set->element, &row) ||
      __builtin_mul_overflow(set->height - 1, set->pitch, &rows) ||
      __builtin_mul_overflow(set->depth - 1, set->slice, &slices) ||
      __builtin_add_overflow(rows, slices, &span) || __builtin_add_overflow(span, row, &span))
    return emu_fail(cudaErrorInvalidValue, "%s: more bytes than an address space holds", name);
  if (set->height > 1 && row > set->pitch)
    return emu_fail(cudaErrorInvalidValue, "%s: rows overlap (width %zu, pitch %zu)", name, row, set->pitch);
  enum emu_place place = emu_place(set->to, &info);
  if (place == EMU_PLACE_HOST || place == EMU_PLACE_NOWHERE)
    return emu_fail(cudaErrorInvalidValue, "%s: the destination is %s (found 0x%llx, need device memory)",
                    name, place == EMU_PLACE_HOST ? "a host pointer" : "no live allocation",
                    (unsigned long long)set->to);
  if (info.base + info.size - set->to < span)
    return emu_fail(cudaErrorInvalidValue,
                    "%s: the destination is too small (%llu bytes left of %llu at 0x%llx, need %zu)", name,
                    (unsigned long long)(info.base + info.size - set->to), (unsigned long long)info.size,
                    (unsigned long long)set->to, span);
  return cudaSuccess;
}

static cudaError_t issue(struct emu_set_work set, cudaStream_t handle, bool asynchronous, const char *name) {
  cudaStream_t stream;
  EMU_TRY(emu_stream_find(handle, &stream));
  if (!set.width || !set.height || !set.depth)
    return cudaSuccess;
  EMU_TRY(emu_set_check(&set, name));
  struct emu_work work = {.kind = EMU_WORK_SET, .device = stream->device, .name = name, .set = set};
  struct emu_allocation_info info;
  /* Only a set of page-locked or managed memory is waited for; of device memory not even cudaMemset is. */
  bool waits = !asynchronous && emu_place(set.to, &info) != EMU_PLACE_DEVICE;
  EMU_TRY(emu_issue(handle, &work));
  return waits ? emu_stream_wait(stream) : cudaSuccess;
}

cudaError_t emu_run_set(struct emu_stream_operation *operation) {
  const struct emu_set_work *set = &operation->work.set;
  struct emu_operation core = emu_core_operation(operation);
  struct emu_error error = {0};
  enum emu_status status = EMU_OK;
  size_t width = set->width, height = set->height;
  emu_run.sets++;
  emu_run.set_bytes += width * set->element * height * set->depth;
  emu_deliver(&operation->after, true);
  if (set->depth == 1 && set->pitch == width * set->element)
    width *= height, height = 1;
  for (size_t z = 0; z < set->depth && status == EMU_OK; z++)
    for (size_t y = 0; y < height && status == EMU_OK; y++)
      status = emu_memory_set(set->to + z * set->slice + y * set->pitch, set->value, set->element, width,
                              &core, &error);
  return emu_from_core(status == EMU_ERROR_INVALID_VALUE ? EMU_FAULT_ILLEGAL_ADDRESS : status, &error);
}

static struct emu_set_work set_plane(void *to, size_t pitch, int value, size_t width, size_t height) {
  struct emu_set_work set = set_line(to, value, width);
  set.pitch = pitch;
  set.height = height;
  return set;
}

static struct emu_set_work set_box(struct cudaPitchedPtr to, int value, struct cudaExtent extent) {
  struct emu_set_work set = set_plane(to.ptr, to.pitch, value, extent.width, extent.height);
  set.slice = to.pitch * to.ysize;
  set.depth = extent.depth;
  return set;
}

cudaError_t cudaMemset(void *devPtr, int value, size_t count) {
  EMU_API(issue(set_line(devPtr, value, count), cudaStreamLegacy, false, "cudaMemset"));
}

EMU_EXPORT cudaError_t cudaMemset_ptds(void *devPtr, int value, size_t count) {
  EMU_API(issue(set_line(devPtr, value, count), cudaStreamPerThread, false, "cudaMemset"));
}

cudaError_t cudaMemsetAsync(void *devPtr, int value, size_t count, cudaStream_t stream) {
  EMU_API(issue(set_line(devPtr, value, count), stream, true, "cudaMemsetAsync"));
}

EMU_EXPORT cudaError_t cudaMemsetAsync_ptsz(void *devPtr, int value, size_t count, cudaStream_t stream) {
  EMU_API(issue(set_line(devPtr, value, count), emu_per_thread(stream), true, "cudaMemsetAsync"));
}

cudaError_t cudaMemset2D(void *devPtr, size_t pitch, int value, size_t width, size_t height) {
  EMU_API(issue(set_plane(devPtr, pitch, value, width, height), cudaStreamLegacy, false, "cudaMemset2D"));
}

EMU_EXPORT cudaError_t cudaMemset2D_ptds(void *devPtr, size_t pitch, int value, size_t width, size_t height) {
  EMU_API(issue(set_plane(devPtr, pitch, value, width, height), cudaStreamPerThread, false, "cudaMemset2D"));
}

cudaError_t cudaMemset2DAsync(void *devPtr, size_t pitch, int value, size_t width, size_t height,
                              cudaStream_t stream) {
  EMU_API(issue(set_plane(devPtr, pitch, value, width, height), stream, true, "cudaMemset2DAsync"));
}

EMU_EXPORT cudaError_t cudaMemset2DAsync_ptsz(void *devPtr, size_t pitch, int value, size_t width,
                                              size_t height, cudaStream_t stream) {
  EMU_API(issue(set_plane(devPtr, pitch, value, width, height), emu_per_thread(stream), true,
                "cudaMemset2DAsync"));
}

cudaError_t cudaMemset3D(struct cudaPitchedPtr pitchedDevPtr, int value, struct cudaExtent extent) {
  EMU_API(issue(set_box(pitchedDevPtr, value, extent), cudaStreamLegacy, false, "cudaMemset3D"));
}

EMU_EXPORT cudaError_t cudaMemset3D_ptds(struct cudaPitchedPtr pitchedDevPtr, int value,
                                         struct cudaExtent extent) {
  EMU_API(issue(set_box(pitchedDevPtr, value, extent), cudaStreamPerThread, false, "cudaMemset3D"));
}

cudaError_t cudaMemset3DAsync(struct cudaPitchedPtr pitchedDevPtr, int value, struct cudaExtent extent,
                              cudaStream_t stream) {
  EMU_API(issue(set_box(pitchedDevPtr, value, extent), stream, true, "cudaMemset3DAsync"));
}

EMU_EXPORT cudaError_t cudaMemset3DAsync_ptsz(struct cudaPitchedPtr pitchedDevPtr, int value,
                                              struct cudaExtent extent, cudaStream_t stream) {
  EMU_API(issue(set_box(pitchedDevPtr, value, extent), emu_per_thread(stream), true, "cudaMemset3DAsync"));
}
