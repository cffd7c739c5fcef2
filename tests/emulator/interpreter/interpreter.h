/* What a family of instructions works with: the warp, its lanes' values, device memory.
 *
 * Every file of this folder is compiled several times for levels of the host processor (portable, AVX2,
 * AVX-512), with EMU_VARIANT pasting the level to a name; so every symbol in it is static, except its
 * family:
 * `const struct emu_family EMU_VARIANT(emu_family_integer) = {...};`, which families.c lists. Helpers that
 * families share are static inline in headers here. No -ffast-math, no contraction
 * (-ffp-contract=off): write fmaf/fma where PTX says fma. The rounding mode is to-nearest when a handler is
 * called and when it returns. */
#ifndef EMU_INTERPRETER_H
#define EMU_INTERPRETER_H

#include "../program/decoder.h"

#ifndef EMU_LEVEL
#define EMU_LEVEL portable
#endif
#define EMU_PASTE2(a, b) a##_##b
#define EMU_PASTE(a, b) EMU_PASTE2(a, b)
#define EMU_VARIANT(name) EMU_PASTE(name, EMU_LEVEL)

enum { EMU_LANES = 32 };
#define EMU_ALL_LANES UINT32_MAX

struct emu_block;  /* a thread block that is being run: ../scheduler/block.h */
struct emu_launch; /* a launch that is being run: ../scheduler/launch.h */
struct emu_frame;
struct emu_worker;

struct emu_warp {
  unsigned char *base[2]; /* EMU_BASE_FRAME, EMU_BASE_POOL */
  uint32_t active;        /* lanes of the path that runs */
  uint32_t next;          /* index of the instruction that comes next; branches change it */
  uint32_t stop;          /* not 0: leave the loop: raised fault, wait, path change */
  uint32_t polls;         /* looks at memory that others may change: atomics, volatile, nanosleep ...; a fair
                             scheduler's hint */
  uint32_t existing;      /* lanes that the block has in this warp */
  uint32_t alive;         /* existing lanes that have not exited */
  uint32_t index;         /* of the warp in its block */
  uint32_t thread[3][EMU_LANES]; /* threadIdx of each lane: x, y, z */
  struct emu_frame *frame;
  struct emu_block *block;
  struct emu_launch *launch;
  struct emu_worker *worker;
  /* Value that the access in progress writes, if it is known: writing what is there already is no race. */
  const void *storing;
  const struct emu_instruction *look; /* the last look at what others may change, and where */
  uint64_t look_address;
  struct emu_undefined *undefined; /* registers with undefined values; NULL: none */
  void *async; /* pending cp.async copies; malloc'ed by async_copy.c, freed by the core when the warp ends */
};

/* Values of a bound operand, lane by lane. */
#define EMU_OPERAND_AT(warp, operand) ((void *)((warp)->base[(operand)->base] + (operand)->offset))
static inline uint16_t *emu_u16(struct emu_warp *w, const struct emu_operand *o) {
  return EMU_OPERAND_AT(w, o);
}
static inline uint32_t *emu_u32(struct emu_warp *w, const struct emu_operand *o) {
  return EMU_OPERAND_AT(w, o);
}
static inline uint64_t *emu_u64(struct emu_warp *w, const struct emu_operand *o) {
  return EMU_OPERAND_AT(w, o);
}
static inline float *emu_f32(struct emu_warp *w, const struct emu_operand *o) {
  return EMU_OPERAND_AT(w, o);
}
static inline double *emu_f64(struct emu_warp *w, const struct emu_operand *o) {
  return EMU_OPERAND_AT(w, o);
}
/* Value of a predicate operand as a lane mask. */
static inline uint32_t emu_predicate(struct emu_warp *w, const struct emu_operand *o) {
  return *(uint32_t *)EMU_OPERAND_AT(w, o) ^ o->invert;
}
/* Sets a predicate register in the lanes of `mask`. */
static inline void emu_set_predicate(struct emu_warp *w, const struct emu_operand *o, uint32_t value,
                                     uint32_t mask) {
  uint32_t *p = EMU_OPERAND_AT(w, o);
  *p = (*p & ~mask) | (value & mask);
}
/* One lane's value of a 16, 32 or 64-bit operand, zero-extended. */
static inline uint64_t emu_lane_value(struct emu_warp *w, const struct emu_operand *o, unsigned lane) {
  return o->bytes == 8 ? emu_u64(w, o)[lane] : o->bytes == 4 ? emu_u32(w, o)[lane] : emu_u16(w, o)[lane];
}
/* One lane's address: register + displacement, in the space of the instruction (32-bit addresses wrap in 32
 * bits). */
static inline uint64_t emu_lane_address(struct emu_warp *w, const struct emu_operand *o, unsigned lane) {
  if (o->bytes == 8)
    return emu_u64(w, o)[lane] + (uint64_t)o->displacement;
  return (uint32_t)(emu_u32(w, o)[lane] + (uint32_t)o->displacement);
}
/* The loop over the lanes of a mask; `lane` is declared. */
#define EMU_FOR_LANES(lane, mask)                                                                            \
  for (uint32_t lane##_left = (mask), lane = 0;                                                              \
       lane##_left && (lane = (uint32_t)__builtin_ctz(lane##_left), 1); lane##_left &= lane##_left - 1)

/* ---- Device memory ---- */

enum emu_space {
  EMU_SPACE_GENERIC = 0,
  EMU_SPACE_GLOBAL,
  EMU_SPACE_SHARED, /* of the own block; also shared::cluster addresses of other blocks, see
                       emu_shared_address */
  EMU_SPACE_LOCAL,
  EMU_SPACE_CONST,
  EMU_SPACE_PARAM, /* of the kernel; functions' parameters are in local memory */
};

enum emu_access_kind {
  EMU_READ = 1,
  EMU_WRITE = 2,
  EMU_READ_WRITE = 3,
  EMU_STRONG = 4,      /* atomic, volatile, relaxed, acquire, release: races only with weak accesses */
  EMU_SCOPE_BLOCK = 8, /* a strong access whose scope is the block (.cta) only */
  EMU_SCOPE_CLUSTER = 16,
  EMU_ALL_OF_WARP = 32, /* all lanes do it, not just the one that is named */
  EMU_NONCOHERENT = 64, /* a read through a cache that does not see what the launch writes */
};

/* The place in host memory of `bytes` bytes at a device address for one lane, having done every check
 * (state space, bounds, alignment, after free, initialisation when read, race) and marked it as initialised
 * when written. `bytes` is at most 16 and a power of two and the address has to be aligned to it. Returns
 * NULL and raises the fault if the access must not be done: return from the handler then. Does not count; see
 * emu_count_*. */
void *emu_access(struct emu_warp *warp, const struct emu_instruction *in, enum emu_space space,
                 uint64_t address, unsigned bytes, unsigned kind, unsigned lane);
/* Counts a warp's memory request: the lanes' addresses (of lanes in mask) of `bytes` each. kind EMU_READ,
 * EMU_WRITE, or EMU_READ_WRITE for atomics. emu_access's space, resolved: pass what the first lane's access
 * hit. */
void emu_count_access(struct emu_warp *warp, const struct emu_instruction *in, enum emu_space space,
                      const uint64_t address[EMU_LANES], unsigned bytes, unsigned kind, uint32_t mask);
/* Passes that bank conflicts add to an access of the lanes in mask to shared memory. */
unsigned emu_replays(const uint64_t address[EMU_LANES], unsigned bytes, uint32_t mask);
/* Counts a look at what others may change: `changed` says whether it gave or left anything new. True if it is
 * the same look as the one before, in vain: then it is a poll and not to be counted as anything else.
 * emu_count_poll: what is one for certain. */
bool emu_count_look(struct emu_warp *warp, const struct emu_instruction *in, uint64_t address, bool changed,
                    uint32_t mask);
void emu_count_poll(struct emu_warp *warp, const struct emu_instruction *in, uint32_t mask);
/* State space that a generic address lies in (GLOBAL for all that is in no window). */
enum emu_space emu_space_of(uint64_t generic);
/* Whether an address is that of a constant variable. */
bool emu_is_constant(uint64_t address);

/* Shared addresses are 32 bits: bits 0..23 the offset in a block's shared memory, bits 24..31 0 for the own
 * block, else 1 + the rank in the cluster. Generic addresses of shared memory are EMU_WINDOW_SHARED + that.
 */
#define EMU_WINDOW_SHARED UINT64_C(0x0001000000000000)
#define EMU_WINDOW_LOCAL UINT64_C(0x0001000100000000)
#define EMU_WINDOW_PARAM UINT64_C(0x0001000200000000)
#define EMU_WINDOW_CODE UINT64_C(0x0001000300000000)
#define EMU_WINDOW_BYTES UINT64_C(0x0000000100000000)

/* ---- Blocks, clusters ---- */

uint32_t emu_cluster_size(const struct emu_warp *warp); /* 1 without clusters */
uint32_t emu_cluster_rank(const struct emu_warp *warp);

/* ---- Waiting ---- */

/* For instructions with a member mask. True if every lane that the masks of the lanes in `mask` name is in
 * `mask`: go on. Otherwise the path has been parked until the others arrive (or split, if the guard left
 * lanes out): return from the handler at once; the instruction is executed again later. members[lane] is
 * each lane's member mask. */
bool emu_warp_converge(struct emu_warp *warp, const struct emu_instruction *in,
                       const uint32_t members[EMU_LANES], uint32_t mask);
/* Tells the scheduler that this warp looked at something that others have to change (try_wait that failed,
 * a spin). */
static inline void emu_warp_polls(struct emu_warp *warp) {
  warp->polls++;
}
/* Executes the instruction again after others had a turn (for instructions that block). */
void emu_warp_retry(struct emu_warp *warp);

/* ---- Order: release and acquire by one lane, for mbarrier, atomics, fences ---- */

/* EMU_SHARED: the cluster, for what stands in shared memory alone: restricted fences, and mbarriers whose
 * scope is not named. */
enum emu_scope { EMU_CTA = 0, EMU_CLUSTER, EMU_GPU, EMU_SYS, EMU_SHARED };
/* What the lane did so far is published at `object` (any address key; resolved host pointer is best) / what
 * was published there is ordered before what the lane does next. */
void emu_order_release(struct emu_warp *warp, unsigned lane, const void *object, enum emu_scope scope);
void emu_order_acquire(struct emu_warp *warp, unsigned lane, const void *object, enum emu_scope scope);
/* An arrival at an mbarrier: what it publishes is to be had when the phase is over, which
 * emu_order_phase_over says. One that does not release publishes what fences before it do. */
void emu_order_arrive(struct emu_warp *warp, unsigned lane, const void *object, enum emu_scope scope,
                      bool releases);
void emu_order_phase_over(struct emu_warp *warp, const void *object);
/* Lanes exchange values, each with those of its member mask: what they have read before, they have read. */
void emu_order_exchange(struct emu_warp *warp, const uint32_t members[EMU_LANES], uint32_t mask);

/* ---- Faults ---- */

/* Stops the launch; the text gets kernel, source line, block and thread added. `format` names what is
 * wrong.
 */
void emu_fault(struct emu_warp *warp, const struct emu_instruction *in, unsigned lane, enum emu_status status,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* ---- Approximate instructions: CUSEQ_EMULATOR_PERTURB ---- */

/* Whether to perturb, and a value in [-1, 1] that depends on the argument's bits alone. */
bool emu_perturbs(const struct emu_warp *warp);
static inline double emu_perturbation(uint64_t bits) {
  bits = (bits ^ (bits >> 31)) * UINT64_C(0x9e3779b97f4a7c15);
  bits ^= bits >> 29;
  return (double)(int64_t)(bits * UINT64_C(0xbf58476d1ce4e5b9)) * 0x1p-63;
}

#endif
