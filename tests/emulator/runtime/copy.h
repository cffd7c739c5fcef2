#ifndef EMU_RUNTIME_COPY_H
#define EMU_RUNTIME_COPY_H

#include "queue.h"

/* What an address is to a copy. */
enum emu_place {
  EMU_PLACE_HOST, /* memory of the program's own, unknown to the device */
  EMU_PLACE_DEVICE,
  EMU_PLACE_PINNED, /* page-locked or registered */
  EMU_PLACE_MANAGED,
  EMU_PLACE_NOWHERE, /* in the device's range, but nothing is allocated there */
};
enum emu_place emu_place(uint64_t address, struct emu_allocation_info *info);

/* One line of bytes. */
struct emu_copy_work emu_copy_line(uint64_t to, uint64_t from, size_t bytes);
/* Decides which side is host memory and checks that both sides are there in full. */
cudaError_t emu_copy_resolve(struct emu_copy_work *copy, enum cudaMemcpyKind kind, const char *name);
/* Bytes from the first to past the last of one side. */
size_t emu_copy_span(const struct emu_copy_work *copy, const struct emu_copy_side *side);
/* Resolves and queues a copy; a synchronous one is waited for unless both sides are on devices. */
cudaError_t emu_copy_issue(struct emu_copy_work *copy, enum cudaMemcpyKind kind, cudaStream_t stream,
                           bool asynchronous, const char *name);
/* Before a copy is queued: a pageable source that earlier work in its order still writes is brought up to
 * date. */
void emu_copy_settle_source(const struct emu_copy_work *copy, const struct emu_clock *after);
/* As a copy is queued: takes a pageable source as it is now and poisons a host destination. */
void emu_copy_queued(struct emu_stream_operation *operation);

/* Checks that the whole of a set is device memory. */
cudaError_t emu_set_check(const struct emu_set_work *set, const char *name);
/* cudaMemcpy3D's parameters as a copy; arrays are refused. */
cudaError_t emu_copy_box(const struct cudaMemcpy3DParms *p, struct emu_copy_work *copy);
struct emu_copy_work emu_copy_plane(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                                    size_t width, size_t height);
/* The part of a variable that a copy to or from a symbol means. */
cudaError_t emu_symbol_range(const void *symbol, size_t count, size_t offset, uint64_t *address);

#endif
