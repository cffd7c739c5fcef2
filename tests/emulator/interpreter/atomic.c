/* atom and red. */
#include "each_lane.h"

#include "../checks/order.h"
#include "atomic_half.h"

#include <math.h>
#include <string.h>

struct atomic_type;
typedef uint64_t operation(uint64_t old, uint64_t b, uint64_t c);

struct atomic {
  operation *apply;
  uint8_t bytes, kind, scope, count; /* count: elements of a vector */
  bool returns, acquires, releases;
  uint8_t operand; /* slot of b; the address is the one before it */
};

#define OPERATION(name, type, expression)                                                                    \
  static uint64_t name(uint64_t first, uint64_t second, uint64_t third) {                                    \
    type old = (type)first, b = (type)second, c = (type)third;                                               \
    (void)c;                                                                                                 \
    (void)b;                                                                                                 \
    return (uint64_t)(expression);                                                                           \
  }
OPERATION(op_add, uint64_t, old + b)
OPERATION(op_and, uint64_t, old &b)
OPERATION(op_or, uint64_t, old | b)
OPERATION(op_xor, uint64_t, old ^ b)
OPERATION(op_exch, uint64_t, b + 0 * old)
OPERATION(op_min_u, uint64_t, old < b ? old : b)
OPERATION(op_max_u, uint64_t, old > b ? old : b)
OPERATION(op_min_s32, int32_t, old < b ? old : b)
OPERATION(op_max_s32, int32_t, old > b ? old : b)
OPERATION(op_min_s64, int64_t, old < b ? old : b)
OPERATION(op_max_s64, int64_t, old > b ? old : b)
OPERATION(op_inc, uint32_t, old >= b ? 0 : old + 1)
OPERATION(op_dec, uint32_t, old == 0 || old > b ? b : old - 1)
OPERATION(op_cas_16, uint16_t, old == b ? c : old)
OPERATION(op_cas_32, uint32_t, old == b ? c : old)
OPERATION(op_cas_64, uint64_t, old == b ? c : old)

static uint64_t op_add_f32(uint64_t first, uint64_t second, uint64_t third) {
  uint32_t bits[2] = {(uint32_t)first, (uint32_t)second};
  float v[2];
  (void)third;
  memcpy(v, bits, sizeof v);
  v[0] += v[1];
  memcpy(bits, v, sizeof bits);
  return v[0] != v[0] ? 0x7fffffff : bits[0];
}

/* red and atom on global memory flush subnormal sums of f32, on shared memory they do not. */
static uint64_t op_add_f32_flush(uint64_t first, uint64_t second, uint64_t third) {
  uint32_t a = (uint32_t)first, b = (uint32_t)second;
  a = a & 0x7f800000 ? a : a & 0x80000000;
  b = b & 0x7f800000 ? b : b & 0x80000000;
  uint32_t sum = (uint32_t)op_add_f32(a, b, third);
  return sum & 0x7f800000 ? sum : sum & 0x80000000;
}

static uint64_t op_add_f64(uint64_t first, uint64_t second, uint64_t third) {
  double v[2];
  uint64_t bits;
  (void)third;
  memcpy(&v[0], &first, 8);
  memcpy(&v[1], &second, 8);
  v[0] += v[1];
  memcpy(&bits, v, 8);
  return bits;
}

static const struct emu_operand *element(const struct emu_instruction *in, const struct emu_operand *o,
                                         unsigned k) {
  return o->kind == EMU_OPERAND_VECTOR ? &in->elements[o->first + k] : o;
}

static void put(struct emu_warp *w, const struct emu_operand *o, unsigned lane, uint64_t value) {
  if (o->bytes == 8)
    emu_u64(w, o)[lane] = value;
  else if (o->bytes == 4)
    emu_u32(w, o)[lane] = (uint32_t)value;
  else
    emu_u16(w, o)[lane] = (uint16_t)value;
}

/* *changed: set if the lane gets or leaves another value than it has or finds. */
static bool run_lane(struct emu_warp *w, const struct emu_instruction *in, const struct atomic *a,
                     unsigned lane, uint64_t address, bool *changed) {
  const struct emu_operand *b = &in->operand[a->operand], *c = &in->operand[a->operand + 1];
  for (unsigned k = 0; k < a->count; k++) {
    unsigned char *at =
        emu_access(w, in, (enum emu_space)in->space, address + k * a->bytes, a->bytes, a->kind, lane);
    if (!at)
      return false;
    enum emu_scope scope = (enum emu_scope)a->scope;
    if (a->acquires)
      emu_order_acquire(w, lane, at, scope);
    if (a->releases)
      emu_order_release(w, lane, at, scope);
    emu_order_strong(w, lane, at, EMU_READ_WRITE, scope);
    uint64_t old = 0, third = c->kind == EMU_OPERAND_VALUE ? emu_lane_value(w, c, lane) : 0;
    memcpy(&old, at, a->bytes);
    uint64_t value = a->apply(old, emu_lane_value(w, element(in, b, k), lane), third);
    memcpy(at, &value, a->bytes);
    w->worker->changes += value != old;
    *changed = *changed || value != old || !a->returns ||
               emu_lane_value(w, element(in, &in->operand[0], k), lane) != old;
    if (a->returns)
      put(w, element(in, &in->operand[0], k), lane, old);
  }
  return true;
}

EMU_HANDLER(run_atomic) {
  const struct atomic *a = in->extra;
  uint64_t address[EMU_LANES];
  bool changed = false;
  EMU_FOR_LANES (lane, mask) {
    address[lane] = emu_lane_address(w, &in->operand[a->operand - 1], lane);
    if (!run_lane(w, in, a, lane, address[lane], &changed))
      return;
  }
  if (a->returns) {
    emu_warp_polls(w);
    if (emu_count_look(w, in, address[__builtin_ctz(mask)], changed, mask))
      return;
  }
  enum emu_space space = (enum emu_space)in->space;
  if (space == EMU_SPACE_GENERIC)
    space = emu_space_of(address[__builtin_ctz(mask)]);
  emu_count_access(w, in, space, address, (unsigned)a->bytes * a->count, EMU_READ_WRITE, mask);
}

/* 128-bit exch and cas. */
EMU_HANDLER(run_atomic_128) {
  const struct atomic *a = in->extra;
  uint64_t address[EMU_LANES];
  EMU_FOR_LANES (lane, mask) {
    address[lane] = emu_lane_address(w, &in->operand[1], lane);
    unsigned char *at = emu_access(w, in, (enum emu_space)in->space, address[lane], 16, a->kind, lane);
    if (!at)
      return;
    emu_order_strong(w, lane, at, EMU_READ_WRITE, (enum emu_scope)a->scope);
    uint64_t old[2], *d = emu_u64(w, &in->operand[0]), *b = emu_u64(w, &in->operand[2]);
    memcpy(old, at, 16);
    bool swaps = true;
    if (in->operand[3].kind == EMU_OPERAND_VALUE) {
      swaps = old[0] == b[lane] && old[1] == b[EMU_LANES + lane];
      b = emu_u64(w, &in->operand[3]);
    }
    uint64_t value[2] = {b[lane], b[EMU_LANES + lane]};
    w->worker->changes += swaps;
    if (swaps)
      memcpy(at, value, 16);
    d[lane] = old[0];
    d[EMU_LANES + lane] = old[1];
  }
  emu_count_access(w, in,
                   in->space == EMU_SPACE_GENERIC ? emu_space_of(address[__builtin_ctz(mask)])
                                                  : (enum emu_space)in->space,
                   address, 16, EMU_READ_WRITE, mask);
  emu_warp_polls(w);
}

/* ---- Decoding ---- */

static operation *find_float(const char *name, enum emu_type type, enum emu_space space) {
  bool shared = space == EMU_SPACE_SHARED;
  if (!strcmp(name, "add"))
    return type == EMU_F32   ? (shared ? op_add_f32 : op_add_f32_flush)
           : type == EMU_F64 ? op_add_f64
                             : emu_atomic_half(name, type);
  return emu_atomic_half(name, type);
}

static operation *find_operation(const char *name, enum emu_type type, enum emu_space space) {
  bool is_signed = emu_type_signed(type);
  unsigned bytes = emu_type_bytes(type);
  if (type >= EMU_F16 && type <= EMU_F64)
    return find_float(name, type, space);
  if (!strcmp(name, "cas"))
    return bytes == 2 ? op_cas_16 : bytes == 4 ? op_cas_32 : op_cas_64;
  static const struct {
    const char *name;
    operation *plain;
  } simple[] = {{"add", op_add},   {"and", op_and}, {"or", op_or},  {"xor", op_xor},
                {"exch", op_exch}, {"inc", op_inc}, {"dec", op_dec}};
  for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
    if (!strcmp(name, simple[i].name))
      return simple[i].plain;
  if (!strcmp(name, "min"))
    return !is_signed ? op_min_u : bytes == 4 ? op_min_s32 : op_min_s64;
  if (!strcmp(name, "max"))
    return !is_signed ? op_max_u : bytes == 4 ? op_max_s32 : op_max_s64;
  return NULL;
}

static void take_ordering(struct emu_decoder *d, struct emu_instruction *out, struct atomic *a) {
  static const char *const orders[] = {"relaxed", "acquire", "release", "acq_rel", NULL};
  static const char *const scopes[] = {"cta", "cluster", "gpu", "sys", NULL};
  int order = emu_take_one(d, orders), scope = emu_take_one(d, scopes);
  a->kind = EMU_READ_WRITE | EMU_STRONG;
  a->scope = (uint8_t)(scope < 0 ? EMU_GPU : scope);
  a->acquires = order == 1 || order == 3;
  a->releases = order == 2 || order == 3;
  if (a->scope == EMU_CTA)
    a->kind |= EMU_SCOPE_BLOCK;
  if (a->scope == EMU_CLUSTER)
    a->kind |= EMU_SCOPE_CLUSTER;
  if (out->space != EMU_SPACE_SHARED)
    out->flags |= EMU_FLAG_SERIAL | EMU_FLAG_SYNCHRONISES;
}

static bool bind(struct emu_decoder *d, struct emu_instruction *out, struct atomic *a, int vector) {
  unsigned first = a->returns ? 1 : 0, width = a->bytes;
  a->operand = (uint8_t)(first + 1);
  bool cas = emu_operand_count(d) == first + 3;
  if (emu_operand_count(d) > first + 3 || emu_operand_count(d) < first + 2)
    return emu_refuse(d, "another number of operands is needed") == EMU_DECODED;
  if (!emu_bind_address(d, out, first, first))
    return false;
  if (vector >= 0)
    return (!a->returns || emu_bind_vector(d, out, 0, 0, width)) &&
           emu_bind_vector(d, out, first + 1, first + 1, width) && out->operand[first + 1].count == a->count;
  return (!a->returns || emu_bind_value(d, out, 0, 0, width)) &&
         emu_bind_value(d, out, first + 1, first + 1, width) &&
         (!cas || emu_bind_value(d, out, first + 2, first + 2, width));
}

static enum emu_decode_result decode_atomic(struct emu_decoder *d, struct emu_instruction *out) {
  static const char *const names[] = {"add", "and", "or",  "xor", "exch", "inc",
                                      "dec", "min", "max", "cas", NULL};
  static const char *const vectors[] = {"v2", "v4", "v8", NULL};
  struct atomic *a = emu_arena_allocate(emu_decoder_arena(d), sizeof *a);
  if (!a || emu_has(d, "async") || emu_has(d, "bulk"))
    return EMU_NOT_MINE;
  emu_take_space(d, out);
  take_ordering(d, out, a);
  int name = emu_take_one(d, names), vector = emu_take_one(d, vectors);
  emu_take(d, "noftz");
  emu_take(d, "L2::cache_hint");
  enum emu_type type = emu_take_type(d);
  a->bytes = (uint8_t)emu_type_bytes(type);
  a->count = (uint8_t)(vector < 0 ? 1 : 2 << vector);
  a->returns = emu_opcode(d)[0] == 'a';
  if (name < 0 || a->bytes < 2)
    return emu_refuse(d, "this operation is not known");
  a->apply = find_operation(names[name], type, (enum emu_space)out->space);
  if (type == EMU_F32 && vector >= 0)
    a->apply = op_add_f32;
  out->class = out->space == EMU_SPACE_SHARED ? EMU_CLASS_SHARED : EMU_CLASS_GLOBAL;
  if (out->space == EMU_SPACE_GENERIC)
    out->flags |= EMU_FLAG_ANY_SPACE;
  if (a->returns && !strcmp(names[name], "cas") && type != EMU_B128)
    out->flags |= EMU_FLAG_COMPARES;
  out->run = type == EMU_B128 ? run_atomic_128 : run_atomic;
  out->extra = a;
  if (!a->apply)
    return emu_refuse(d, "this operation is not known for the type");
  return bind(d, out, a, vector) ? EMU_DECODED : EMU_UNSUPPORTED;
}

static const struct emu_opcode_entry opcodes[] = {
    {"atom", decode_atomic}, {"red", decode_atomic}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_atomic) = {"atomic", opcodes};
