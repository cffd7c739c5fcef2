/* wmma.load, wmma.store and wmma.mma for f16, bf16, tf32, f64 and 8-bit integers. */
#include "memory_lanes.h"
#include "tensor.h"

enum role { MATRIX_A, MATRIX_B, MATRIX_C };

static const struct {
  const char *name;
  struct emu_matrix_shape shape;
} shapes[] = {
    {"m16n16k16", {16, 16, 16}}, {"m8n32k16", {8, 32, 16}}, {"m32n8k16", {32, 8, 16}},
    {"m16n16k8", {16, 16, 8}},   {"m8n8k4", {8, 8, 4}},
};

struct transfer {
  struct emu_matrix_shape shape;
  enum role role;
  enum emu_type type;
  bool columns;           /* stored column by column */
  unsigned registers;     /* that hold the matrix once */
  unsigned leading;       /* rows or columns are this far apart where no stride is given */
  const uint16_t *places; /* of the elements, row * EMU_MATRIX_MOST + column: by register, element, lane */
};

static unsigned register_bytes(enum emu_type type) {
  return type == EMU_F64 ? 8 : 4;
}

/* Registers that hold a matrix once. */
static unsigned registers_of(const struct emu_matrix_shape *s, enum role role, enum emu_type type) {
  if (role == MATRIX_C)
    return s->m * s->n / (EMU_LANES * emu_fragment_per(type));
  return emu_fragment_registers(role == MATRIX_A ? s->m : s->n, s->k, type);
}

static struct emu_place_in_matrix place(const struct emu_matrix_shape *s, enum role role, unsigned per,
                                        unsigned lane, unsigned index, unsigned element) {
  if (role == MATRIX_A)
    return emu_fragment_a(s, per, lane, index, element);
  if (role == MATRIX_B)
    return emu_fragment_b(s, per, lane, index, element);
  return emu_fragment_c(s, lane, index * per + element);
}

/* ---- Between memory and registers ---- */

/* Where the elements `unit` of a register lie, lane by lane. */
static void element_addresses(struct emu_warp *w, const struct emu_instruction *in, const struct transfer *t,
                              unsigned index, unsigned unit, uint64_t addresses[EMU_LANES]) {
  const unsigned per = emu_fragment_per(t->type), bytes = emu_type_bytes(t->type);
  const uint16_t *places = t->places + (index % t->registers * per + unit) * EMU_LANES;
  const bool given = in->operand[2].kind == EMU_OPERAND_VALUE, wide = in->operand[1].bytes == 8;
  const uint32_t *strides = given ? emu_u32(w, &in->operand[2]) : NULL;
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    const uint64_t stride = given ? strides[lane] : t->leading;
    const uint64_t row = places[lane] / EMU_MATRIX_MOST, column = places[lane] % EMU_MATRIX_MOST;
    addresses[lane] = (t->columns ? column * stride + row : row * stride + column) * bytes;
  }
  for (unsigned lane = 0; lane < EMU_LANES && wide; lane++)
    addresses[lane] += emu_u64(w, &in->operand[1])[lane] + (uint64_t)in->operand[1].displacement;
  for (unsigned lane = 0; lane < EMU_LANES && !wide; lane++)
    addresses[lane] += emu_lane_address(w, &in->operand[1], lane);
}

/* Whether the elements of one register are neighbours in memory. */
static bool whole_registers(const struct transfer *t, unsigned per) {
  return per == 1 || t->columns == (t->role == MATRIX_B);
}

/* emu_access, by the shorter way where there is one. */
static unsigned char *access_element(struct emu_warp *w, const struct emu_instruction *in, uint64_t address,
                                     unsigned bytes, unsigned kind, unsigned lane) {
  enum emu_space space = (enum emu_space)in->space;
  unsigned char *memory = NULL;
  if (bytes >= 4) {
    if (space == EMU_SPACE_GENERIC)
      space = emu_space_of(address);
    if (space == EMU_SPACE_SHARED)
      memory = emu_shared_lane(w, in, (uint32_t)address, bytes, kind, lane);
    else if (space == EMU_SPACE_GLOBAL)
      memory = emu_global_lane(w, in, address, bytes, kind, lane);
  }
  return memory || w->stop ? memory
                           : emu_access(w, in, (enum emu_space)in->space, address, bytes, kind, lane);
}

/* Moves words of the block's own shared memory; false if something is not as usual, and nothing has been done
 * then. */
static bool move_shared(struct emu_warp *w, const struct emu_instruction *in,
                        const uint64_t addresses[EMU_LANES], unsigned index, bool load) {
  const uint64_t window = in->space == EMU_SPACE_GENERIC ? EMU_WINDOW_SHARED : 0;
  const struct emu_block *b = w->block;
  uint32_t offset[EMU_LANES], *r = emu_u32(w, in->elements + in->operand[0].first + index);
  uint64_t bad = b->shared_bytes < 4;
  if (in->space != EMU_SPACE_GENERIC && in->space != EMU_SPACE_SHARED)
    return false;
  for (unsigned i = 0; i < EMU_LANES; i++) {
    const uint64_t at = addresses[i] - window;
    bad |= (at & 3) | (uint64_t)(at > (uint64_t)b->shared_bytes - 4);
    offset[i] = (uint32_t)at;
  }
  if (bad || !(load ? emu_note_shared_reads(w, offset, 4, EMU_ALL_LANES)
                    : emu_note_shared_writes(w, offset, 4, EMU_ALL_LANES)))
    return false;
  emu_count_shared(w, in, index, offset, 4, !load, EMU_ALL_LANES);
  if (load)
    EMU_EACH_LANE(r, EMU_ALL_LANES, *(const uint32_t *)(const void *)(b->shared + offset[i]));
  for (unsigned i = 0; i < EMU_LANES && !load; i++)
    memcpy(b->shared + offset[i], &r[i], 4);
  return true;
}

/* Moves one register of every lane, in units of `bytes`. */
static bool move_register(struct emu_warp *w, const struct emu_instruction *in, const struct transfer *t,
                          unsigned index, bool load) {
  const unsigned per = emu_fragment_per(t->type), whole = register_bytes(t->type);
  const unsigned bytes = whole_registers(t, per) ? whole : emu_type_bytes(t->type), units = whole / bytes;
  const struct emu_operand *r = in->elements + in->operand[0].first + index;
  const unsigned kind = load ? EMU_READ : EMU_WRITE;
  const bool again = load && index >= t->registers; /* held more than once: the same memory as before */
  uint64_t addresses[EMU_LANES];
  for (unsigned unit = 0; unit < units; unit++) {
    element_addresses(w, in, t, index, unit, addresses);
    if (!again && bytes == 4 && move_shared(w, in, addresses, index, load))
      continue;
    for (unsigned lane = 0; lane < EMU_LANES && !again; lane++) {
      unsigned char *memory = access_element(w, in, addresses[lane], bytes, kind, lane);
      if (!memory)
        return false;
      unsigned char *value = (unsigned char *)EMU_OPERAND_AT(w, r) + lane * whole + unit * bytes;
      if (load)
        memcpy(value, memory, bytes);
      else
        memcpy(memory, value, bytes);
    }
    emu_count_lanes(w, in,
                    in->space == EMU_SPACE_GENERIC ? emu_space_of(addresses[0]) : (enum emu_space)in->space,
                    addresses, bytes, !load, EMU_ALL_LANES);
  }
  if (again)
    memcpy(EMU_OPERAND_AT(w, r), EMU_OPERAND_AT(w, r - t->registers), EMU_LANES * whole);
  return true;
}

static void load(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct transfer *t = in->extra;
  if (!emu_whole_warp(w, in, mask))
    return;
  for (unsigned i = 0; i < in->operand[0].count; i++)
    if (!move_register(w, in, t, i, true))
      return;
}

static void store(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct transfer *t = in->extra;
  if (!emu_whole_warp(w, in, mask))
    return;
  for (unsigned i = 0; i < in->operand[0].count; i++)
    if (!move_register(w, in, t, i, false))
      return;
}

/* ---- The product ---- */

static void multiply(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  if (emu_whole_warp(w, in, mask))
    emu_tensor_product(w, in, in->extra);
}

/* ---- Decoding ---- */

static bool take_shape(struct emu_decoder *decoder, struct emu_matrix_shape *shape) {
  for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
    if (emu_take(decoder, shapes[i].name)) {
      *shape = shapes[i].shape;
      return true;
    }
  return false;
}

/* Whether a type goes with a shape: as a factor, or as what accumulates. */
static bool fits(const struct emu_matrix_shape *s, enum emu_type type, bool accumulates) {
  switch (s->k) {
  case 4:
    return type == EMU_F64;
  case 8:
    return type == (accumulates ? EMU_F32 : EMU_TF32);
  default:
    if (accumulates)
      return type == EMU_F16 || type == EMU_F32 || type == EMU_S32;
    return type == EMU_F16 || type == EMU_BF16 || type == EMU_S8 || type == EMU_U8;
  }
}

static const uint16_t *places_of(struct emu_decoder *decoder, const struct emu_matrix_shape *s,
                                 enum role role, enum emu_type type) {
  const unsigned per = emu_fragment_per(type), count = registers_of(s, role, type) * per;
  uint16_t *places = emu_arena_allocate(emu_decoder_arena(decoder), count * EMU_LANES * sizeof *places);
  for (unsigned i = 0; places && i < count; i++)
    for (unsigned lane = 0; lane < EMU_LANES; lane++) {
      const struct emu_place_in_matrix p = place(s, role, per, lane, i / per, i % per);
      places[i * EMU_LANES + lane] = (uint16_t)(p.row * EMU_MATRIX_MOST + p.column);
    }
  return places;
}

static const char *const layouts[] = {"row", "col", NULL};

static enum emu_decode_result decode_transfer(struct emu_decoder *decoder, struct emu_instruction *out,
                                              bool loads) {
  static const char *const roles[] = {"a", "b", "c", NULL};
  struct transfer *t = emu_arena_allocate(emu_decoder_arena(decoder), sizeof *t);
  if (!t)
    return emu_refuse(decoder, "out of memory");
  const int role = loads ? emu_take_one(decoder, roles) : emu_take(decoder, "d") ? MATRIX_C : -1;
  const int layout = emu_take_one(decoder, layouts);
  if (role < 0 || layout < 0 || !take_shape(decoder, &t->shape))
    return EMU_UNSUPPORTED;
  emu_take_space(decoder, out);
  t->type = emu_take_type(decoder);
  t->role = (enum role)role;
  t->columns = layout == 1;
  if (!fits(&t->shape, t->type, role == MATRIX_C))
    return emu_refuse(decoder, "no such combination of shape and type");
  const unsigned rows = role == MATRIX_B ? t->shape.k : t->shape.m,
                 columns = role == MATRIX_A ? t->shape.k : t->shape.n;
  t->leading = t->columns ? rows : columns;
  t->registers = registers_of(&t->shape, t->role, t->type);
  t->places = places_of(decoder, &t->shape, t->role, t->type);
  if (!t->places)
    return emu_refuse(decoder, "out of memory");
  const unsigned vector = loads ? 0 : 1;
  if (!emu_bind_vector(decoder, out, 0, vector, register_bytes(t->type)) ||
      !emu_bind_address(decoder, out, 1, 1 - vector))
    return EMU_UNSUPPORTED;
  if (emu_operand_count(decoder) > 2 && !emu_bind_value(decoder, out, 2, 2, 4))
    return EMU_UNSUPPORTED;
  if (out->operand[0].count < t->registers || out->operand[0].count % t->registers)
    return emu_refuse(decoder, "a matrix has the wrong number of registers");
  out->extra = t;
  out->class = EMU_CLASS_TENSOR;
  out->run = loads ? load : store;
  return EMU_DECODED;
}

static enum emu_decode_result decode_product(struct emu_decoder *decoder, struct emu_instruction *out) {
  struct emu_tensor *x = emu_arena_allocate(emu_decoder_arena(decoder), sizeof *x);
  if (!x)
    return emu_refuse(decoder, "out of memory");
  if (emu_take_one(decoder, layouts) < 0 || emu_take_one(decoder, layouts) < 0 ||
      !take_shape(decoder, &x->shape))
    return EMU_UNSUPPORTED;
  x->d = emu_take_type(decoder);
  x->a = emu_take_type(decoder);
  x->b = emu_take_type(decoder);
  x->c = emu_take_type(decoder);
  if (x->b == EMU_TYPE_NONE) { /* f16 factors go unnamed: .dtype.ctype */
    x->c = x->a;
    x->a = x->b = EMU_F16;
  }
  const bool whole = x->a == EMU_S8 || x->a == EMU_U8;
  if (!fits(&x->shape, x->a, false) || !fits(&x->shape, x->b, false) || !fits(&x->shape, x->c, true) ||
      !fits(&x->shape, x->d, true) || whole != (x->d == EMU_S32) || whole != (x->c == EMU_S32))
    return emu_refuse(decoder, "no such combination of shape and types");
  x->saturates = whole && emu_take(decoder, "satfinite");
  if (x->d == EMU_F64)
    emu_take(decoder, "rn");
  const enum emu_type types[] = {x->d, x->a, x->b, x->c};
  const enum role roles[] = {MATRIX_C, MATRIX_A, MATRIX_B, MATRIX_C};
  for (unsigned i = 0; i < 4; i++)
    if (!emu_bind_vector(decoder, out, i, i, register_bytes(types[i])) ||
        out->operand[i].count < registers_of(&x->shape, roles[i], types[i]))
      return emu_refuse(decoder, "a matrix has the wrong number of registers");
  out->extra = x;
  out->class = EMU_CLASS_TENSOR;
  out->run = multiply;
  return EMU_DECODED;
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out) {
  if (!emu_take(decoder, "sync") || !emu_take(decoder, "aligned"))
    return EMU_UNSUPPORTED;
  if (emu_take(decoder, "load"))
    return decode_transfer(decoder, out, true);
  if (emu_take(decoder, "store"))
    return decode_transfer(decoder, out, false);
  return emu_take(decoder, "mma") ? decode_product(decoder, out) : EMU_UNSUPPORTED;
}

static const struct emu_opcode_entry opcodes[] = {{"wmma", decode}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_wmma) = {"wmma", opcodes};
