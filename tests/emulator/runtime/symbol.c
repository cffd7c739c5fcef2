#include "copy.h"
#include "kernel.h"
#include "stream.h"

/* __device__ and __constant__ variables, named by their host symbols. */

static cudaError_t address_of(void **out, const void *symbol) {
  struct emu_variable_info info;
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_variable_find(symbol, emu_device(), &info));
  *out = (void *)(uintptr_t)info.address;
  return cudaSuccess;
}

static cudaError_t size_of(size_t *out, const void *symbol) {
  struct emu_variable_info info;
  if (!out)
    return cudaErrorInvalidValue;
  EMU_TRY(emu_variable_find(symbol, emu_device(), &info));
  *out = info.size;
  return cudaSuccess;
}

cudaError_t cudaGetSymbolAddress(void **devPtr, const void *symbol) {
  EMU_API(address_of(devPtr, symbol));
}

cudaError_t cudaGetSymbolSize(size_t *size, const void *symbol) {
  EMU_API(size_of(size, symbol));
}

cudaError_t emu_symbol_range(const void *symbol, size_t count, size_t offset, uint64_t *address) {
  struct emu_variable_info info = {0};
  *address = 0;
  EMU_TRY(emu_variable_find(symbol, emu_device(), &info));
  if (offset > info.size || count > info.size - offset)
    return emu_fail(cudaErrorInvalidValue, "%s: too small a variable (%zu bytes at offset %zu, it has %llu)",
                    info.name, count, offset, (unsigned long long)info.size);
  *address = info.address + offset;
  return cudaSuccess;
}

static cudaError_t to_symbol(const void *symbol, const void *from, size_t count, size_t offset,
                             enum cudaMemcpyKind kind, cudaStream_t stream, bool asynchronous,
                             const char *name) {
  uint64_t address;
  EMU_TRY(emu_symbol_range(symbol, count, offset, &address));
  if (kind != cudaMemcpyHostToDevice && kind != cudaMemcpyDeviceToDevice && kind != cudaMemcpyDefault)
    return cudaErrorInvalidMemcpyDirection;
  struct emu_copy_work copy = emu_copy_line(address, (uint64_t)(uintptr_t)from, count);
  return emu_copy_issue(&copy, kind, stream, asynchronous, name);
}

static cudaError_t from_symbol(void *to, const void *symbol, size_t count, size_t offset,
                               enum cudaMemcpyKind kind, cudaStream_t stream, bool asynchronous,
                               const char *name) {
  uint64_t address;
  EMU_TRY(emu_symbol_range(symbol, count, offset, &address));
  if (kind != cudaMemcpyDeviceToHost && kind != cudaMemcpyDeviceToDevice && kind != cudaMemcpyDefault)
    return cudaErrorInvalidMemcpyDirection;
  struct emu_copy_work copy = emu_copy_line((uint64_t)(uintptr_t)to, address, count);
  return emu_copy_issue(&copy, kind, stream, asynchronous, name);
}

cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *src, size_t count, size_t offset,
                               enum cudaMemcpyKind kind) {
  EMU_API(to_symbol(symbol, src, count, offset, kind, cudaStreamLegacy, false, "cudaMemcpyToSymbol"));
}

EMU_EXPORT cudaError_t cudaMemcpyToSymbol_ptds(const void *symbol, const void *src, size_t count,
                                               size_t offset, enum cudaMemcpyKind kind) {
  EMU_API(to_symbol(symbol, src, count, offset, kind, cudaStreamPerThread, false, "cudaMemcpyToSymbol"));
}

cudaError_t cudaMemcpyToSymbolAsync(const void *symbol, const void *src, size_t count, size_t offset,
                                    enum cudaMemcpyKind kind, cudaStream_t stream) {
  EMU_API(to_symbol(symbol, src, count, offset, kind, stream, true, "cudaMemcpyToSymbolAsync"));
}

EMU_EXPORT cudaError_t cudaMemcpyToSymbolAsync_ptsz(const void *symbol, const void *src, size_t count,
                                                    size_t offset, enum cudaMemcpyKind kind,
                                                    cudaStream_t stream) {
  EMU_API(
      to_symbol(symbol, src, count, offset, kind, emu_per_thread(stream), true, "cudaMemcpyToSymbolAsync"));
}

cudaError_t cudaMemcpyFromSymbol(void *dst, const void *symbol, size_t count, size_t offset,
                                 enum cudaMemcpyKind kind) {
  EMU_API(from_symbol(dst, symbol, count, offset, kind, cudaStreamLegacy, false, "cudaMemcpyFromSymbol"));
}

EMU_EXPORT cudaError_t cudaMemcpyFromSymbol_ptds(void *dst, const void *symbol, size_t count, size_t offset,
                                                 enum cudaMemcpyKind kind) {
  EMU_API(from_symbol(dst, symbol, count, offset, kind, cudaStreamPerThread, false, "cudaMemcpyFromSymbol"));
}

cudaError_t cudaMemcpyFromSymbolAsync(void *dst, const void *symbol, size_t count, size_t offset,
                                      enum cudaMemcpyKind kind, cudaStream_t stream) {
  EMU_API(from_symbol(dst, symbol, count, offset, kind, stream, true, "cudaMemcpyFromSymbolAsync"));
}

EMU_EXPORT cudaError_t cudaMemcpyFromSymbolAsync_ptsz(void *dst, const void *symbol, size_t count,
                                                      size_t offset, enum cudaMemcpyKind kind,
                                                      cudaStream_t stream) {
  EMU_API(from_symbol(dst, symbol, count, offset, kind, emu_per_thread(stream), true,
                      "cudaMemcpyFromSymbolAsync"));
}
