/* Races on global memory: one lane's access against who accessed the words before. */
#include "report.h"
#include "within_block.h"

/* `known`: an operation that is ordered before, to be asked first; another one takes its place. */
static bool unordered(const struct emu_block *b, uint32_t context, struct emu_ordered *known) {
  const struct emu_launch *l = b->launch;
  if (context < l->settled_context || context == b->context || emu_is_ordered(known, context))
    return false;
  if (context < l->first_context)
    return !emu_context_ordered(context, &l->parameters.operation, known);
  if (!l->races_between_blocks)
    return false;
  return l->order ? !emu_global_knows(b, context) : true;
}

static bool report(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                   const struct emu_allocation *a, uint64_t offset, unsigned bytes, unsigned kind,
                   uint32_t word, bool written) {
  char who[200], what[300];
  uint32_t context = word >> EMU_CONTEXT_SHIFT;
  uint64_t block = context >= w->launch->first_context ? emu_global_block_of(w->launch, context) : UINT64_MAX;
  emu_context_describe(context, block, who, sizeof who);
  emu_allocation_describe(a, what, sizeof what);
  const char *name = (kind & EMU_READ_WRITE) == EMU_READ_WRITE ? "atomic operation on"
                     : kind & EMU_WRITE                        ? "write of"
                                                               : "read of";
  return !emu_finding(
      w, in, lane, "race: global %s %u bytes at 0x%llx (%llu bytes into %s), not ordered after a %s%s by %s",
      name, bytes, (unsigned long long)(a->base + offset), (unsigned long long)offset, what,
      word & EMU_SHADOW_STRONG ? "strong " : "", written ? "write" : "read", who);
}

static bool in_the_way(const struct emu_block *b, uint32_t word, uint32_t mask, bool strong,
                       struct emu_ordered *known) {
  return word & mask && !(strong && word & EMU_SHADOW_STRONG) &&
         unordered(b, word >> EMU_CONTEXT_SHIFT, known);
}

/* The same block adds to what it did; a weak access makes the word weak. */
static uint32_t merged(uint32_t old, uint32_t context, uint32_t mask, bool strong) {
  uint32_t word = context << EMU_CONTEXT_SHIFT | mask | (strong ? EMU_SHADOW_STRONG : 0);
  if (old >> EMU_CONTEXT_SHIFT != context)
    return word;
  word |= old & EMU_SHADOW_BYTES;
  return old & EMU_SHADOW_STRONG ? word : word & ~(uint32_t)EMU_SHADOW_STRONG;
}

/* ld.global.nc of what another block of the launch wrote: ordered or not, an older copy may be in the
 * cache. */
static bool stale(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                  const struct emu_allocation *a, uint64_t offset, unsigned bytes, uint32_t word) {
  char what[300];
  emu_allocation_describe(a, what, sizeof what);
  return emu_finding(
      w, in, lane,
      "race: global read of %u bytes at 0x%llx (%llu bytes into %s) by ld.global.nc, which does not see "
      "what the same launch wrote there (by block %llu)",
      bytes, (unsigned long long)(a->base + offset), (unsigned long long)offset, what,
      (unsigned long long)emu_global_block_of(w->launch, word >> EMU_CONTEXT_SHIFT));
}

/* A volatile or relaxed load, which looks but once, of what another block stored so and has not fenced since:
 * no race, but nothing makes it see that. */
static bool unfenced(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                     const struct emu_allocation *a, uint64_t offset, unsigned bytes, unsigned kind,
                     uint32_t writer) {
  char who[200], what[300];
  const uint32_t context = writer >> EMU_CONTEXT_SHIFT;
  const void *object = a->host + offset;
  if (kind & EMU_WRITE) {
    if ((kind & EMU_READ_WRITE) == EMU_WRITE)
      emu_global_stored(w->block, object);
    return false;
  }
  /* Eight bytes and more may be a value and the flag that tells of it, which need no fence. */
  if (bytes > 4 || !(in->flags & EMU_FLAG_LOOKS_ONCE) || !(writer & EMU_SHADOW_STRONG) ||
      !emu_global_is_unfenced(w->block, object, context))
    return false;
  emu_context_describe(context, emu_global_block_of(w->launch, context), who, sizeof who);
  emu_allocation_describe(a, what, sizeof what);
  return emu_finding(
      w, in, lane,
      "order: global read of %u bytes at 0x%llx (%llu bytes into %s) may miss what %s wrote there: "
      "that block has executed no fence (__threadfence) since",
      bytes, (unsigned long long)(a->base + offset), (unsigned long long)offset, what, who);
}

bool emu_race_global(struct emu_warp *w, const struct emu_instruction *in, unsigned lane,
                     struct emu_allocation *a, uint64_t offset, unsigned bytes, unsigned kind) {
  struct emu_block *b = w->block;
  bool strong = emu_is_strong(in, kind) && !(kind & EMU_SCOPE_BLOCK) &&
                !(kind & EMU_SCOPE_CLUSTER && w->launch->cluster_size == 1);
  uint64_t last = (offset + bytes - 1) / 4;
  if (!emu_race_within_block(w, in, lane, a, offset, bytes, kind, emu_is_strong(in, kind)))
    return false;
  for (uint64_t i = offset / 4; i <= last; i++) {
    uint64_t from = i * 4 > offset ? i * 4 : offset,
             to = i * 4 + 4 < offset + bytes ? i * 4 + 4 : offset + bytes;
    uint32_t mask = ((1u << (to - from)) - 1) << (from - i * 4);
    uint32_t writer = a->writers[i], reader = a->readers[i];
    if (strong && i == offset / 4 && w->launch->order &&
        unfenced(w, in, lane, a, offset, bytes, kind, writer))
      return false;
    if (strong && !(kind & EMU_STRONG) && in_the_way(b, writer, mask, false, &w->worker->wrote) &&
        writer & EMU_SHADOW_STRONG)
      emu_note_first_look(w, in, lane, kind);
    if (in_the_way(b, writer, mask, strong, &w->worker->wrote) &&
        !(writer >> EMU_CONTEXT_SHIFT >= w->launch->first_context &&
          emu_same_value(w, in, lane, a->host + offset, bytes)) &&
        !report(w, in, lane, a, offset, bytes, kind, writer, true))
      return false;
    if (kind & EMU_NONCOHERENT && writer & mask && writer >> EMU_CONTEXT_SHIFT != b->context &&
        writer >> EMU_CONTEXT_SHIFT >= w->launch->first_context &&
        stale(w, in, lane, a, offset, bytes, writer))
      return false;
    if (kind & EMU_WRITE) {
      if (in_the_way(b, reader, mask, strong, &w->worker->read) &&
          !report(w, in, lane, a, offset, bytes, kind, reader, false))
        return false;
      a->writers[i] = merged(writer, b->context, mask, strong);
      emu_race_writes(a, b->context);
      continue;
    }
    uint32_t other = reader >> EMU_CONTEXT_SHIFT;
    if (other && other == b->several)
      continue;
    if (unordered(b, other, &w->worker->read)) {
      uint32_t both = other >= w->launch->first_context ? emu_global_add_reader(b, other) : other;
      a->readers[i] =
          both << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES | (strong ? reader & EMU_SHADOW_STRONG : 0);
      if (both == other && other < w->launch->first_context)
        w->worker->kept = both << EMU_CONTEXT_SHIFT | EMU_SHADOW_BYTES;
    } else {
      a->readers[i] = merged(reader, b->context, mask, strong);
    }
  }
  return true;
}
