#include "copy.h"
#include "stream.h"

struct emu_copy_work emu_copy_plane(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                                    size_t width, size_t height) {
  return (struct emu_copy_work){
      .to = {.address = (uint64_t)(uintptr_t)to, .pitch = to_pitch, .slice = to_pitch * height},
      .from = {.address = (uint64_t)(uintptr_t)from, .pitch = from_pitch, .slice = from_pitch * height},
      .width = width,
      .height = height,
      .depth = 1};
}

static cudaError_t issue_plane(struct emu_copy_work copy, enum cudaMemcpyKind kind, cudaStream_t stream,
                               bool asynchronous, const char *name) {
  if (copy.height > 1 && (copy.width > copy.to.pitch || copy.width > copy.from.pitch))
    return emu_fail(cudaErrorInvalidPitchValue, "%s: rows overlap (width %zu, pitches %zu and %zu)", name,
                    copy.width, copy.to.pitch, copy.from.pitch);
  return emu_copy_issue(&copy, kind, stream, asynchronous, name);
}

cudaError_t cudaMemcpy2D(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width,
                         size_t height, enum cudaMemcpyKind kind) {
  EMU_API(issue_plane(emu_copy_plane(dst, dpitch, src, spitch, width, height), kind, cudaStreamLegacy, false,
                      "cudaMemcpy2D"));
}

EMU_EXPORT cudaError_t cudaMemcpy2D_ptds(void *dst, size_t dpitch, const void *src, size_t spitch,
                                         size_t width, size_t height, enum cudaMemcpyKind kind) {
  EMU_API(issue_plane(emu_copy_plane(dst, dpitch, src, spitch, width, height), kind, cudaStreamPerThread,
                      false, "cudaMemcpy2D"));
}

cudaError_t cudaMemcpy2DAsync(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width,
                              size_t height, enum cudaMemcpyKind kind, cudaStream_t stream) {
  EMU_API(issue_plane(emu_copy_plane(dst, dpitch, src, spitch, width, height), kind, stream, true,
                      "cudaMemcpy2DAsync"));
}

EMU_EXPORT cudaError_t cudaMemcpy2DAsync_ptsz(void *dst, size_t dpitch, const void *src, size_t spitch,
                                              size_t width, size_t height, enum cudaMemcpyKind kind,
                                              cudaStream_t stream) {
  EMU_API(issue_plane(emu_copy_plane(dst, dpitch, src, spitch, width, height), kind, emu_per_thread(stream),
                      true, "cudaMemcpy2DAsync"));
}

static struct emu_copy_side box_side(struct cudaPitchedPtr pointer, struct cudaPos at) {
  size_t slice = pointer.pitch * pointer.ysize;
  return (struct emu_copy_side){.address = (uint64_t)(uintptr_t)pointer.ptr + at.x + at.y * pointer.pitch +
                                           at.z * slice,
                                .pitch = pointer.pitch,
                                .slice = slice};
}

cudaError_t emu_copy_box(const struct cudaMemcpy3DParms *p, struct emu_copy_work *copy) {
  if (!p)
    return cudaErrorInvalidValue;
  if (p->srcArray || p->dstArray)
    return emu_fail(cudaErrorNotSupported, "cudaMemcpy3D: arrays are not supported by the emulated device");
  if (!p->srcPtr.ptr || !p->dstPtr.ptr)
    return cudaErrorInvalidValue;
  struct cudaExtent e = p->extent;
  if (e.width > p->srcPtr.pitch || e.width > p->dstPtr.pitch)
    return cudaErrorInvalidPitchValue;
  if (e.depth > 1 && (e.height > p->srcPtr.ysize || e.height > p->dstPtr.ysize))
    return cudaErrorInvalidValue;
  *copy = (struct emu_copy_work){.to = box_side(p->dstPtr, p->dstPos),
                                 .from = box_side(p->srcPtr, p->srcPos),
                                 .width = e.width,
                                 .height = e.height,
                                 .depth = e.depth};
  return cudaSuccess;
}

static cudaError_t issue_box(const struct cudaMemcpy3DParms *p, cudaStream_t stream, bool asynchronous,
                             const char *name) {
  struct emu_copy_work copy;
  if (p && (!p->extent.width || !p->extent.height || !p->extent.depth))
    return cudaSuccess;
  EMU_TRY(emu_copy_box(p, &copy));
  return emu_copy_issue(&copy, p->kind, stream, asynchronous, name);
}

cudaError_t cudaMemcpy3D(const struct cudaMemcpy3DParms *p) {
  EMU_API(issue_box(p, cudaStreamLegacy, false, "cudaMemcpy3D"));
}

EMU_EXPORT cudaError_t cudaMemcpy3D_ptds(const struct cudaMemcpy3DParms *p) {
  EMU_API(issue_box(p, cudaStreamPerThread, false, "cudaMemcpy3D"));
}

cudaError_t cudaMemcpy3DAsync(const struct cudaMemcpy3DParms *p, cudaStream_t stream) {
  EMU_API(issue_box(p, stream, true, "cudaMemcpy3DAsync"));
}

EMU_EXPORT cudaError_t cudaMemcpy3DAsync_ptsz(const struct cudaMemcpy3DParms *p, cudaStream_t stream) {
  EMU_API(issue_box(p, emu_per_thread(stream), true, "cudaMemcpy3DAsync"));
}

static cudaError_t issue_peer_box(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream,
                                  const char *name) {
  struct emu_copy_work copy;
  if (!p)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_device_check(p->srcDevice));
  EMU_TRY(emu_device_check(p->dstDevice));
  struct cudaMemcpy3DParms plain = {.srcArray = p->srcArray,
                                    .srcPos = p->srcPos,
                                    .srcPtr = p->srcPtr,
                                    .dstArray = p->dstArray,
                                    .dstPos = p->dstPos,
                                    .dstPtr = p->dstPtr,
                                    .extent = p->extent,
                                    .kind = cudaMemcpyDeviceToDevice};
  EMU_TRY(emu_copy_box(&plain, &copy));
  copy.peer = true;
  return emu_copy_issue(&copy, cudaMemcpyDeviceToDevice, stream, true, name);
}

cudaError_t cudaMemcpy3DPeer(const struct cudaMemcpy3DPeerParms *p) {
  EMU_API(issue_peer_box(p, cudaStreamLegacy, "cudaMemcpy3DPeer"));
}

EMU_EXPORT cudaError_t cudaMemcpy3DPeer_ptds(const struct cudaMemcpy3DPeerParms *p) {
  EMU_API(issue_peer_box(p, cudaStreamPerThread, "cudaMemcpy3DPeer"));
}

cudaError_t cudaMemcpy3DPeerAsync(const struct cudaMemcpy3DPeerParms *p, cudaStream_t stream) {
  EMU_API(issue_peer_box(p, stream, "cudaMemcpy3DPeerAsync"));
}

EMU_EXPORT cudaError_t cudaMemcpy3DPeerAsync_ptsz(const struct cudaMemcpy3DPeerParms *p,
                                                  cudaStream_t stream) {
  EMU_API(issue_peer_box(p, emu_per_thread(stream), "cudaMemcpy3DPeerAsync"));
}

static cudaError_t issue_batch(void *const *to, const void *const *from, const size_t *sizes, size_t count,
                               cudaStream_t stream) {
  if (!to || !from || !sizes || !count || !stream || stream == cudaStreamLegacy)
    return cudaErrorInvalidValue;
  for (size_t i = 0; i < count; i++) {
    struct emu_copy_work copy =
        emu_copy_line((uint64_t)(uintptr_t)to[i], (uint64_t)(uintptr_t)from[i], sizes[i]);
    EMU_TRY(emu_copy_issue(&copy, cudaMemcpyDefault, stream, true, "cudaMemcpyBatchAsync"));
  }
  return cudaSuccess;
}

/* The attributes say where memory is and when a source may be read; on the emulated device addresses tell it.
 */
cudaError_t cudaMemcpyBatchAsync(void *const *dsts, const void *const *srcs, const size_t *sizes,
                                 size_t count, struct cudaMemcpyAttributes *attrs, size_t *attrsIdxs,
                                 size_t numAttrs, cudaStream_t stream) {
  (void)attrs, (void)attrsIdxs, (void)numAttrs;
  EMU_API(issue_batch(dsts, srcs, sizes, count, stream));
}

EMU_EXPORT cudaError_t cudaMemcpyBatchAsync_ptsz(void *const *dsts, const void *const *srcs,
                                                 const size_t *sizes, size_t count,
                                                 struct cudaMemcpyAttributes *attrs, size_t *attrsIdxs,
                                                 size_t numAttrs, cudaStream_t stream) {
  (void)attrs, (void)attrsIdxs, (void)numAttrs;
  EMU_API(issue_batch(dsts, srcs, sizes, count, emu_per_thread(stream)));
}
