/* mma.sync: D = A * B + C by a whole warp, for f16, bf16, tf32, f64, 8-bit integers and 8-bit floats.
 *
 * Where approximate instructions are to err, a sum in f32 is rounded towards zero, as it was seen to be on
 * GPUs; the manual leaves order and rounding of sums open. */
#include "tensor.h"

struct mma {
  struct emu_tensor x;
  bool quads;             /* m8n8k4 of f16: four products, each by eight lanes */
  bool a_columns, b_rows; /* only quads come in these */
};

static void run(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct mma *m = in->extra;
  if (emu_whole_warp(w, in, mask))
    emu_tensor_product(w, in, &m->x);
}

/* ---- m8n8k4 of f16: the lanes 4q..4q+3 and 16+4q..16+4q+3 work on product q ---- */

static struct emu_place_in_matrix quad_c(enum emu_type type, unsigned lane, unsigned element) {
  const unsigned high = lane < 16 ? 0 : 4;
  if (type == EMU_F16)
    return (struct emu_place_in_matrix){lane % 4 + high, element};
  return (struct emu_place_in_matrix){(lane & 1) + (element & 2) + high,
                                      (element & 4) + (lane & 2) + (element & 1)};
}

struct quad {
  double a[8][4], b[4][8], c[8][8];
};

static void multiply(struct quad *x) {
  for (unsigned i = 0; i < 8; i++)
    for (unsigned k = 0; k < 4; k++)
      for (unsigned j = 0; j < 8; j++)
        x->c[i][j] += x->a[i][k] * x->b[k][j];
}

static void run_quads(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct mma *m = in->extra;
  const struct emu_operand *d = in->elements + in->operand[0].first, *a = in->elements + in->operand[1].first;
  const struct emu_operand *b = in->elements + in->operand[2].first, *c = in->elements + in->operand[3].first;
  const unsigned c_per = emu_fragment_per(m->x.c), d_per = emu_fragment_per(m->x.d);
  struct quad x[4];
  if (!emu_whole_warp(w, in, mask))
    return;
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    struct quad *y = &x[lane % 16 / 4];
    const unsigned high = lane < 16 ? 0 : 4, low = lane % 4;
    for (unsigned i = 0; i < 4; i++) {
      const double a_value = emu_fragment_value(w, &a[i / 2], EMU_F16, lane, i % 2);
      const double b_value = emu_fragment_value(w, &b[i / 2], EMU_F16, lane, i % 2);
      *(m->a_columns ? &y->a[i + high][low] : &y->a[low + high][i]) = a_value;
      *(m->b_rows ? &y->b[low][i + high] : &y->b[i][low + high]) = b_value;
    }
    for (unsigned i = 0; i < 8; i++) {
      const struct emu_place_in_matrix p = quad_c(m->x.c, lane, i);
      y->c[p.row][p.column] = emu_fragment_value(w, &c[i / c_per], m->x.c, lane, i % c_per);
    }
  }
  for (unsigned i = 0; i < 4; i++)
    multiply(&x[i]);
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    for (unsigned i = 0; i < 8; i++) {
      const struct emu_place_in_matrix p = quad_c(m->x.d, lane, i);
      emu_fragment_set(w, &d[i / d_per], m->x.d, lane, i % d_per, x[lane % 16 / 4].c[p.row][p.column], false);
    }
}

/* ---- Decoding ---- */

enum kind { HALF, BRAIN, TENSOR_FLOAT, DOUBLE, INTEGER, EIGHT_BITS };

static const struct {
  const char *name;
  struct emu_matrix_shape shape;
  unsigned kinds;
} shapes[] = {
    {"m8n8k4", {8, 8, 4}, 1 << HALF | 1 << DOUBLE},
    {"m16n8k4", {16, 8, 4}, 1 << TENSOR_FLOAT | 1 << DOUBLE},
    {"m16n8k8", {16, 8, 8}, 1 << HALF | 1 << BRAIN | 1 << TENSOR_FLOAT | 1 << DOUBLE},
    {"m16n8k16", {16, 8, 16}, 1 << HALF | 1 << BRAIN | 1 << DOUBLE | 1 << INTEGER | 1 << EIGHT_BITS},
    {"m8n8k16", {8, 8, 16}, 1 << INTEGER},
    {"m16n8k32", {16, 8, 32}, 1 << INTEGER | 1 << EIGHT_BITS},
};

static bool is_byte(enum emu_type type) {
  return type == EMU_S8 || type == EMU_U8;
}

static bool is_eight_bits(enum emu_type type) {
  return type == EMU_E4M3 || type == EMU_E5M2;
}

/* The kind of a combination of types; -1 if there is none such. */
static int kind_of(const struct mma *m) {
  const bool wide = m->x.c == EMU_F32 && m->x.d == EMU_F32;
  if (m->x.a == EMU_F16 && m->x.b == EMU_F16)
    return (m->x.c == EMU_F16 || m->x.c == EMU_F32) && (m->x.d == EMU_F16 || m->x.d == EMU_F32) ? HALF : -1;
  if (m->x.a == EMU_BF16 && m->x.b == EMU_BF16)
    return wide ? BRAIN : -1;
  if (m->x.a == EMU_TF32 && m->x.b == EMU_TF32)
    return wide ? TENSOR_FLOAT : -1;
  if (m->x.a == EMU_F64 && m->x.b == EMU_F64)
    return m->x.c == EMU_F64 && m->x.d == EMU_F64 ? DOUBLE : -1;
  if (is_byte(m->x.a) && is_byte(m->x.b))
    return m->x.c == EMU_S32 && m->x.d == EMU_S32 ? INTEGER : -1;
  if (is_eight_bits(m->x.a) && is_eight_bits(m->x.b))
    return (m->x.c == EMU_F16 || m->x.c == EMU_F32) && m->x.c == m->x.d ? EIGHT_BITS : -1;
  return -1;
}

static bool bind_fragment(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                          unsigned registers, unsigned bytes) {
  return emu_vector_length(decoder, slot) <= registers && emu_bind_vector(decoder, out, slot, slot, bytes) &&
         out->operand[slot].count == registers;
}

static bool bind(struct emu_decoder *decoder, struct emu_instruction *out, const struct mma *m) {
  const unsigned bytes = m->x.d == EMU_F64 ? 8 : 4, rest = m->x.shape.m * m->x.shape.n / EMU_LANES;
  const unsigned a = m->quads ? 2 : emu_fragment_registers(m->x.shape.m, m->x.shape.k, m->x.a);
  const unsigned b = m->quads ? 2 : emu_fragment_registers(m->x.shape.n, m->x.shape.k, m->x.b);
  const unsigned c = (m->quads ? 8 : rest) / emu_fragment_per(m->x.c),
                 d = (m->quads ? 8 : rest) / emu_fragment_per(m->x.d);
  return bind_fragment(decoder, out, 0, d, bytes) && bind_fragment(decoder, out, 1, a, bytes) &&
         bind_fragment(decoder, out, 2, b, bytes) && bind_fragment(decoder, out, 3, c, bytes);
}

static enum emu_decode_result decode(struct emu_decoder *decoder, struct emu_instruction *out) {
  static const char *const layouts[] = {"row", "col", NULL};
  if (!emu_take(decoder, "sync") || !emu_take(decoder, "aligned"))
    return EMU_UNSUPPORTED;
  struct mma *m = emu_arena_allocate(emu_decoder_arena(decoder), sizeof *m);
  if (!m)
    return emu_refuse(decoder, "out of memory");
  unsigned kinds = 0;
  for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0] && !kinds; i++)
    if (emu_take(decoder, shapes[i].name)) {
      m->x.shape = shapes[i].shape;
      kinds = shapes[i].kinds;
    }
  const int a_layout = emu_take_one(decoder, layouts), b_layout = emu_take_one(decoder, layouts);
  emu_take(decoder, "kind::f8f6f4");
  m->x.d = emu_take_type(decoder);
  m->x.a = emu_take_type(decoder);
  m->x.b = emu_take_type(decoder);
  m->x.c = emu_take_type(decoder);
  const int kind = kind_of(m);
  if (kind < 0 || !(kinds >> kind & 1))
    return emu_refuse(decoder, "no such combination of shape and types");
  m->quads = kind == HALF && m->x.shape.m == 8;
  m->a_columns = a_layout == 1;
  m->b_rows = b_layout == 0;
  if (a_layout < 0 || b_layout < 0 || (!m->quads && (m->a_columns || m->b_rows)))
    return emu_refuse(decoder, "this shape takes .row.col alone");
  m->x.saturates = kind == INTEGER && emu_take(decoder, "satfinite");
  if (kind == DOUBLE)
    emu_take(decoder, "rn");
  if (!bind(decoder, out, m))
    return emu_refuse(decoder, "a matrix has the wrong number of registers");
  out->extra = m;
  out->class = EMU_CLASS_TENSOR;
  out->run = m->quads ? run_quads : run;
  return EMU_DECODED;
}

static const struct emu_opcode_entry opcodes[] = {{"mma", decode}, {NULL, NULL}};

const struct emu_family EMU_VARIANT(emu_family_mma) = {"mma", opcodes};
