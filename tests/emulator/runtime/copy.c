#include "copy.h"
#include "../module/fatbin.h"
#include "capture.h"
#include "stream.h"

enum emu_place emu_place(uint64_t address, struct emu_allocation_info *info) {
  if (emu_memory_find(address, info)) {
    switch (info->kind) {
    case EMU_MEMORY_DEVICE:
      return EMU_PLACE_DEVICE;
    case EMU_MEMORY_MANAGED:
      return EMU_PLACE_MANAGED;
    case EMU_MEMORY_PINNED:
    case EMU_MEMORY_REGISTERED:
      return EMU_PLACE_PINNED;
    }
  }
  return emu_address_is_device(address) ? EMU_PLACE_NOWHERE : EMU_PLACE_HOST;
}

struct emu_copy_work emu_copy_line(uint64_t to, uint64_t from, size_t bytes) {
  return (struct emu_copy_work){.to = {.address = to, .pitch = bytes, .slice = bytes},
                                .from = {.address = from, .pitch = bytes, .slice = bytes},
                                .width = bytes,
                                .height = 1,
                                .depth = 1};
}

size_t emu_copy_span(const struct emu_copy_work *copy, const struct emu_copy_side *side) {
  return (copy->depth - 1) * side->slice + (copy->height - 1) * side->pitch + copy->width;
}

/* Sizes of a hostile caller must not wrap around. */
static bool sizes_fit(const struct emu_copy_work *copy, const struct emu_copy_side *side) {
  size_t rows, slices, span;
  return !__builtin_mul_overflow(copy->height - 1, side->pitch, &rows) &&
         !__builtin_mul_overflow(copy->depth - 1, side->slice, &slices) &&
         !__builtin_add_overflow(rows, slices, &span) && !__builtin_add_overflow(span, copy->width, &span) &&
         side->address + span >= side->address;
}

static bool there_on_host(uint64_t address, size_t bytes, bool write) {
  const char *first = (const char *)(uintptr_t)address, *last = first + bytes - 1;
  char a, b;
  if (emu_probe_read(&a, first, 1) != 1 || emu_probe_read(&b, last, 1) != 1)
    return false;
  return !write || (emu_probe_write((void *)(uintptr_t)first, &a, 1) == 1 &&
                    emu_probe_write((void *)(uintptr_t)last, &b, 1) == 1);
}

static cudaError_t check_side(const struct emu_copy_work *copy, const struct emu_copy_side *side, bool write,
                              const char *name) {
  const char *what = write ? "destination" : "source";
  struct emu_allocation_info info;
  size_t span = emu_copy_span(copy, side);
  unsigned long long at = side->address;
  enum emu_place place = emu_place(side->address, &info);
  if (place == EMU_PLACE_NOWHERE)
    return emu_fail(cudaErrorInvalidValue, "%s: the %s is no live allocation (found 0x%llx)", name, what, at);
  if (place == EMU_PLACE_HOST) {
    if (!side->host)
      return emu_fail(cudaErrorInvalidValue,
                      "%s: the %s is a host pointer (found 0x%llx, need device memory)", name, what, at);
    if (!there_on_host(side->address, span, write))
      return emu_fail(cudaErrorInvalidValue, "%s: the %s cannot be %s (found %zu bytes at 0x%llx)", name,
                      what, write ? "written" : "read", span, at);
    return cudaSuccess;
  }
  if (place == EMU_PLACE_DEVICE && side->host)
    return emu_fail(cudaErrorInvalidValue, "%s: the %s is a device pointer (found 0x%llx, need host memory)",
                    name, what, at);
  if (info.base + info.size - side->address < span)
    return emu_fail(cudaErrorInvalidValue,
                    "%s: the %s is too small (%llu bytes left of %llu at 0x%llx, need %zu)", name, what,
                    (unsigned long long)(info.base + info.size - side->address),
                    (unsigned long long)info.size, at, span);
  return cudaSuccess;
}

static bool host_by_default(uint64_t address) {
  struct emu_allocation_info info;
  enum emu_place place = emu_place(address, &info);
  return place == EMU_PLACE_HOST || place == EMU_PLACE_PINNED;
}

cudaError_t emu_copy_resolve(struct emu_copy_work *copy, enum cudaMemcpyKind kind, const char *name) {
  if ((unsigned)kind > cudaMemcpyDefault)
    return emu_fail(cudaErrorInvalidMemcpyDirection, "%s: no such direction (found %d)", name, (int)kind);
  if (!copy->to.address || !copy->from.address)
    return emu_fail(cudaErrorInvalidValue, "%s: the %s is null", name,
                    copy->to.address ? "source" : "destination");
  if (!sizes_fit(copy, &copy->to) || !sizes_fit(copy, &copy->from))
    return emu_fail(cudaErrorInvalidValue, "%s: more bytes than an address space holds", name);
  if (kind == cudaMemcpyDefault) {
    copy->to.host = host_by_default(copy->to.address);
    copy->from.host = host_by_default(copy->from.address);
  } else {
    copy->to.host = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyHostToHost;
    copy->from.host = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyHostToHost;
  }
  copy->kind = copy->to.host ? (copy->from.host ? cudaMemcpyHostToHost : cudaMemcpyDeviceToHost)
                             : (copy->from.host ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToDevice);
  EMU_TRY(check_side(copy, &copy->to, true, name));
  return check_side(copy, &copy->from, false, name);
}

static bool is_managed(uint64_t address) {
  struct emu_allocation_info info;
  return emu_place(address, &info) == EMU_PLACE_MANAGED;
}

cudaError_t emu_copy_issue(struct emu_copy_work *copy, enum cudaMemcpyKind kind, cudaStream_t stream,
                           bool asynchronous, const char *name) {
  cudaStream_t found;
  EMU_TRY(emu_stream_find(stream, &found));
  if (!copy->width || !copy->height || !copy->depth)
    return (unsigned)kind > cudaMemcpyDefault ? cudaErrorInvalidMemcpyDirection : cudaSuccess;
  EMU_TRY(emu_copy_resolve(copy, kind, name));
  /* Between devices not even cudaMemcpy is waited for; what the host may read at once, managed memory, is. */
  bool managed = is_managed(copy->to.address) || is_managed(copy->from.address);
  bool waits = !asynchronous && (copy->kind != cudaMemcpyDeviceToDevice || managed);
  if (copy->kind == cudaMemcpyHostToHost && !found->capture)
    waits = true;
  copy->waits = waits;
  struct emu_work work = {.kind = EMU_WORK_COPY, .device = found->device, .name = name, .copy = *copy};
  if (!asynchronous)
    EMU_TRY(emu_capture_forbids_waiting(found));
  EMU_TRY(emu_issue(stream, &work));
  return waits ? emu_stream_wait(found) : cudaSuccess;
}

#define LINE(to, from, bytes) emu_copy_line((uint64_t)(uintptr_t)(to), (uint64_t)(uintptr_t)(from), bytes)

static cudaError_t copy_line(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                             cudaStream_t stream, bool asynchronous, const char *name) {
  struct emu_copy_work copy = LINE(to, from, bytes);
  return emu_copy_issue(&copy, kind, stream, asynchronous, name);
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind) {
  EMU_API(copy_line(dst, src, count, kind, cudaStreamLegacy, false, "cudaMemcpy"));
}

EMU_EXPORT cudaError_t cudaMemcpy_ptds(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind) {
  EMU_API(copy_line(dst, src, count, kind, cudaStreamPerThread, false, "cudaMemcpy"));
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
  EMU_API(copy_line(dst, src, count, kind, stream, true, "cudaMemcpyAsync"));
}

EMU_EXPORT cudaError_t cudaMemcpyAsync_ptsz(void *dst, const void *src, size_t count,
                                            enum cudaMemcpyKind kind, cudaStream_t stream) {
  EMU_API(copy_line(dst, src, count, kind, emu_per_thread(stream), true, "cudaMemcpyAsync"));
}

static cudaError_t copy_peer(void *to, int to_device, const void *from, int from_device, size_t bytes,
                             cudaStream_t stream, const char *name) {
  EMU_TRY(emu_device_check(to_device));
  EMU_TRY(emu_device_check(from_device));
  struct emu_copy_work copy = LINE(to, from, bytes);
  copy.peer = true;
  return emu_copy_issue(&copy, cudaMemcpyDeviceToDevice, stream, true, name);
}

cudaError_t cudaMemcpyPeer(void *dst, int dstDevice, const void *src, int srcDevice, size_t count) {
  EMU_API(copy_peer(dst, dstDevice, src, srcDevice, count, cudaStreamLegacy, "cudaMemcpyPeer"));
}

cudaError_t cudaMemcpyPeerAsync(void *dst, int dstDevice, const void *src, int srcDevice, size_t count,
                                cudaStream_t stream) {
  EMU_API(copy_peer(dst, dstDevice, src, srcDevice, count, stream, "cudaMemcpyPeerAsync"));
}
