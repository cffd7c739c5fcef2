/* cp.async: copies of 4, 8 or 16 bytes from global to shared memory that take place later.
 *
 * A copy is kept until its lane waits for it, so that a kernel that reads too early sees what was there
 * before, and its target is watched meanwhile. What it writes and reads counts as accessed both when it is
 * asked for and when it takes place, as it may happen at any time in between; the source must be the same at
 * both. Groups belong to a lane: group numbers count its commits. */
#include "barrier_object.h"
#include "memory_lanes.h"

#include "../checks/report.h"

#include <stdlib.h>
#include <string.h>

struct copy {
  const struct emu_instruction *in;
  uint64_t to, from;
  uint32_t group;
  uint8_t lane, bytes, source_bytes; /* what the source does not give is set to zero */
  unsigned char source[16];          /* as it was when the copy was asked for */
};

/* What warp->async points to. */
struct pending {
  uint32_t count, capacity;
  uint32_t commits[EMU_LANES];
  struct copy copies[];
};

enum { OFFSET_MASK = 0xffffff };

/* option[0]: bytes; option[1]: form of operand 2: none, the number of source bytes, or a predicate that
 * ignores the source */
enum { WHOLE_SOURCE, SOURCE_BYTES, IGNORE_SOURCE };

static struct pending *reserve(struct emu_warp *w, const struct emu_instruction *in, uint32_t more) {
  struct pending *p = w->async;
  const uint32_t count = p ? p->count : 0;
  if (p && count + more <= p->capacity)
    return p;
  const uint32_t capacity = 2 * (count + more);
  struct pending *grown = realloc(p, sizeof *grown + capacity * sizeof grown->copies[0]);
  if (!grown) {
    emu_fault(w, in, 0, EMU_ERROR_HOST_MEMORY, "no memory for %u pending copies", capacity);
    return NULL;
  }
  if (!p)
    memset(grown, 0, sizeof *grown);
  grown->capacity = capacity;
  w->async = grown;
  return grown;
}

/* The source's bytes, a power of two at a time since it may give fewer than the copy takes. */
static bool read_source(struct emu_warp *w, const struct copy *c, unsigned char *value) {
  for (unsigned done = 0; done < c->source_bytes;) {
    unsigned step = c->bytes;
    while (done % step || done + step > c->source_bytes)
      step /= 2;
    const void *from = emu_access(w, c->in, EMU_SPACE_GLOBAL, c->from + done, step, EMU_READ, c->lane);
    if (!from)
      return false;
    memcpy(value + done, from, step);
    done += step;
  }
  return true;
}

static bool begin(struct emu_warp *w, struct copy *c) {
  if (!read_source(w, c, c->source) ||
      !emu_access(w, c->in, EMU_SPACE_SHARED, c->to, c->bytes, EMU_WRITE, c->lane))
    return false;
  emu_order_copy_begins(w, c->lane, emu_block_of_shared(w, (uint32_t)c->to), (uint32_t)c->to & OFFSET_MASK,
                        c->bytes);
  return true;
}

/* How many copies from c on are of lanes that follow each other, whole, and side by side in both memories. */
static uint32_t run_length(const struct copy *c, uint32_t most) {
  const uint32_t bytes = c->bytes;
  uint32_t n = 1;
  while (n < most && c[n].in == c->in && c[n].lane == c->lane + n && c[n].to == c->to + n * bytes &&
         c[n].from == c->from + n * bytes && c[n].source_bytes == bytes)
    n++;
  return c->source_bytes == bytes ? n : 1;
}

/* Begins n copies side by side as one; false if something is not as usual: one by one then. */
static bool begin_run(struct emu_warp *w, struct copy *c, uint32_t n) {
  const uint32_t bytes = c->bytes;
  const unsigned char *from = n >= EMU_RUN_WORTH_IT && c->to <= w->block->shared_bytes
                                  ? emu_global_run(w, c->in, c->from, bytes, n * bytes, c->lane, false)
                                  : NULL;
  if (!from || !emu_shared_run(w, c->to, bytes, c->lane, n))
    return false;
  for (uint32_t i = 0; i < n; i++) {
    memcpy(c[i].source, from + i * bytes, bytes);
    emu_order_copy_begins(w, c[i].lane, w->block, (uint32_t)c[i].to, bytes);
  }
  return true;
}

static void copy(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  struct pending *p = reserve(w, in, EMU_LANES);
  uint64_t from[EMU_LANES], to[EMU_LANES];
  if (!p)
    return;
  const uint32_t bytes = in->option[0], first = p->count;
  uint32_t reads = 0;
  EMU_FOR_LANES (lane, mask) {
    uint32_t source_bytes = bytes;
    if (in->option[1] == SOURCE_BYTES)
      source_bytes = emu_u32(w, &in->operand[2])[lane];
    else if (in->option[1] == IGNORE_SOURCE && emu_predicate(w, &in->operand[2]) >> lane & 1)
      source_bytes = 0;
    if (source_bytes > bytes) {
      emu_fault(w, in, lane, EMU_FAULT_CHECK, "cp.async with %u source bytes of a copy of %u", source_bytes,
                bytes);
      p->count = first;
      return;
    }
    to[lane] = emu_lane_address(w, &in->operand[0], lane);
    from[lane] = emu_lane_address(w, &in->operand[1], lane);
    reads |= (uint32_t)(source_bytes > 0) << lane;
    struct copy *c = &p->copies[p->count];
    *c = (struct copy){.in = in,
                       .to = to[lane],
                       .from = from[lane],
                       .group = p->commits[lane],
                       .lane = (uint8_t)lane,
                       .bytes = (uint8_t)bytes,
                       .source_bytes = (uint8_t)source_bytes};
    p->count++;
  }
  const struct emu_allocation *a = w->worker->cache[in->index];
  EMU_FOR_LANES (lane, a && a->initialised ? reads : 0)
    if (from[lane] - a->base < a->size)
      emu_global_prefetch(a, from[lane] - a->base, bytes, false);
  for (uint32_t i = first; i < p->count;) {
    const uint32_t n = run_length(&p->copies[i], p->count - i);
    bool good = begin_run(w, &p->copies[i], n);
    for (uint32_t k = 0; k < n && !good; k++)
      if (!begin(w, &p->copies[i + k])) {
        p->count = i + k;
        return;
      }
    i += n;
  }
  if (reads)
    emu_count_lanes(w, in, EMU_SPACE_GLOBAL, from, bytes, false, reads);
  emu_count_lanes(w, in, EMU_SPACE_SHARED, to, bytes, true, mask);
}

static bool perform(struct emu_warp *w, const struct copy *c) {
  unsigned char value[16] = {0};
  if (!read_source(w, c, value))
    return false;
  if (w->launch->checks && memcmp(value, c->source, c->source_bytes) &&
      emu_finding(
          w, c->in, c->lane,
          "race: the source of cp.async at 0x%llx (%u bytes) has been written before the copy was waited for",
          (unsigned long long)c->from, c->source_bytes))
    return false;
  emu_order_copy_ends(emu_block_of_shared(w, (uint32_t)c->to), (uint32_t)c->to & OFFSET_MASK, c->bytes);
  void *to = emu_access(w, c->in, EMU_SPACE_SHARED, c->to, c->bytes, EMU_WRITE, c->lane);
  if (to)
    memcpy(to, value, c->bytes);
  return to;
}

/* Performs n copies side by side as one; false if something is not as usual: one by one then. */
static bool perform_run(struct emu_warp *w, const struct copy *c, uint32_t n) {
  const uint32_t bytes = c->bytes;
  const unsigned char *from = n >= EMU_RUN_WORTH_IT && c->to <= w->block->shared_bytes
                                  ? emu_global_run(w, c->in, c->from, bytes, n * bytes, c->lane, false)
                                  : NULL;
  for (uint32_t i = 0; i < n && from && w->launch->checks; i++)
    if (memcmp(from + i * bytes, c[i].source, bytes) != 0)
      return false;
  if (!from)
    return false;
  emu_order_copy_ends(w->block, (uint32_t)c->to, n * bytes);
  unsigned char *to = emu_shared_run(w, c->to, bytes, c->lane, n);
  if (!to)
    return false;
  memcpy(to, from, n * bytes);
  return true;
}

static bool perform_all(struct emu_warp *w, const struct copy *c, uint32_t n) {
  if (perform_run(w, c, n))
    return true;
  for (uint32_t i = 0; i < n; i++)
    if (!perform(w, &c[i]))
      return false;
  return true;
}

static bool is_due(const struct pending *p, const struct copy *c, uint32_t mask, uint32_t left, bool all) {
  return mask >> c->lane & 1 && (all || (uint64_t)c->group + left < p->commits[c->lane]);
}

/* Performs the copies of the lanes in mask that are not among their `left` latest committed groups; with
 * `all`, every one. */
static bool complete(struct emu_warp *w, uint32_t mask, uint32_t left, bool all) {
  struct pending *p = w->async;
  uint32_t kept = 0;
  bool good = true;
  if (!p)
    return true;
  for (uint32_t i = 0; i < p->count;) {
    const struct copy *c = &p->copies[i];
    uint32_t n = 0;
    while (i + n < p->count && n < EMU_LANES && is_due(p, &c[n], mask, left, all))
      n++;
    if (n) {
      n = run_length(c, n);
      good = good && perform_all(w, c, n);
    } else {
      p->copies[kept++] = *c;
    }
    i += n ? n : 1;
  }
  p->count = kept;
  return good;
}

static void commit(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  struct pending *p = reserve(w, in, 0);
  if (p)
    EMU_FOR_LANES (lane, mask)
      p->commits[lane]++;
}

static void wait_group(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  complete(w, mask, (uint32_t)in->operand[0].value, false);
}

static void wait_all(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  (void)in;
  complete(w, mask, 0, true);
}

/* An arrival once the lane's copies are done, which is made to be now. Without .noinc the phase first expects
 * one arrival more, so that nothing but the order is left of it. option[0]: .noinc */
static void arrive(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  if (!complete(w, mask, 0, true))
    return;
  EMU_FOR_LANES (lane, mask) {
    const uint64_t address = emu_lane_address(w, &in->operand[0], lane);
    uint64_t *object = emu_barrier_at(w, in, (enum emu_space)in->space, address, lane);
    if (!object)
      return;
    emu_order_arrive(w, lane, object, EMU_SHARED, true);
    if (in->option[0] && !emu_barrier_arrive(w, in, object, 1, false, lane))
      return;
  }
}

/* ---- Decoding ---- */

static enum emu_decode_result decode_copy(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const caching[] = {"ca", "cg", NULL};
  static const char *const prefetches[] = {"L2::64B", "L2::128B", "L2::256B", NULL};
  const int caches = emu_take_one(decoder, caching);
  if (caches < 0 || (!emu_take(decoder, "shared") && !emu_take(decoder, "shared::cta")) ||
      !emu_take(decoder, "global"))
    return EMU_UNSUPPORTED;
  emu_take_one(decoder, prefetches);
  const bool has_policy = emu_take(decoder, "L2::cache_hint");
  const unsigned operands = emu_operand_count(decoder) - has_policy;
  if (operands < 3 || operands > 4 || !emu_bind_address(decoder, out, 0, 0) ||
      !emu_bind_address(decoder, out, 1, 1) || !emu_bind_value(decoder, out, 3, 2, 4))
    return EMU_UNSUPPORTED;
  const uint64_t bytes = out->operand[3].value;
  if (!out->operand[3].immediate || (bytes != 16 && (caches == 1 || (bytes != 4 && bytes != 8))))
    return emu_refuse(decoder, "a copy is of 16 bytes, with .ca also of 4 or 8");
  out->option[0] = (uint32_t)bytes;
  if (operands == 4 && emu_operand_kind(decoder, 3) == EMU_OPERAND_PREDICATE) {
    out->option[1] = IGNORE_SOURCE;
    if (!emu_bind_predicate(decoder, out, 2, 3))
      return EMU_UNSUPPORTED;
  } else if (operands == 4) {
    out->option[1] = SOURCE_BYTES;
    if (!emu_bind_value(decoder, out, 2, 3, 4))
      return EMU_UNSUPPORTED;
  }
  out->class = EMU_CLASS_GLOBAL;
  out->run = copy;
  return EMU_DECODED;
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "async") || emu_has(decoder, "bulk"))
    return EMU_NOT_MINE;
  out->class = EMU_CLASS_SYNCHRONISATION;
  if (emu_take(decoder, "commit_group")) {
    out->run = commit;
    return EMU_DECODED;
  }
  if (emu_take(decoder, "wait_all")) {
    out->run = wait_all;
    return EMU_DECODED;
  }
  if (emu_take(decoder, "wait_group")) {
    out->run = wait_group;
    return emu_bind_value(decoder, out, 0, 0, 4) && out->operand[0].immediate ? EMU_DECODED : EMU_UNSUPPORTED;
  }
  if (emu_take(decoder, "mbarrier")) {
    if (!emu_take(decoder, "arrive") || !emu_take(decoder, "b64"))
      return EMU_UNSUPPORTED;
    out->option[0] = emu_take(decoder, "noinc");
    emu_take_space(decoder, out);
    out->run = arrive;
    return emu_bind_address(decoder, out, 0, 0) ? EMU_DECODED : EMU_UNSUPPORTED;
  }
  return decode_copy(decoder, out);
}

static const struct emu_opcode_entry opcodes[] = {{"cp", decode}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_async_copy) = {"async_copy", opcodes};
