/* mma.sync: D = A * B + C by a whole warp, for f16, bf16, tf32, f64, 8-bit integers and 8-bit floats.
 *
 * Products are exact and sums are kept in double precision, rounded once at the end: at least as precise as
 * the manual asks for, which leaves order and rounding of the sum open. Where approximate instructions are to
 * err, a sum in f32 is rounded towards zero, as it was seen to be on GPUs. f64 is a chain of fused
 * multiply-adds along k. */
#include "fragment.h"

#include <math.h>

struct mma {
  struct emu_matrix_shape shape;
  enum emu_type a, b, c, d;
  bool saturates;
  bool quads;             /* m8n8k4 of f16: four products, each by eight lanes */
  bool a_columns, b_rows; /* only quads come in these */
};

struct matrices {
  double a[EMU_MATRIX_MOST][EMU_MATRIX_MOST], b[EMU_MATRIX_MOST][EMU_MATRIX_MOST],
      c[EMU_MATRIX_MOST][EMU_MATRIX_MOST];
};

static void multiply(struct matrices *x, const struct emu_matrix_shape *s, bool fused) {
  for (unsigned i = 0; i < s->m; i++)
    for (unsigned k = 0; k < s->k; k++) {
      const double a = x->a[i][k];
      if (fused)
        for (unsigned j = 0; j < s->n; j++)
          x->c[i][j] = fma(a, x->b[k][j], x->c[i][j]);
      else
        for (unsigned j = 0; j < s->n; j += 8) /* n is a multiple of 8 */
          for (unsigned l = 0; l < 8; l++)
            x->c[i][j + l] += a * x->b[k][j + l];
    }
}

static void gather(struct emu_warp *w, const struct emu_instruction *in, const struct mma *m,
                   struct matrices *x) {
  const struct emu_operand *a = in->elements + in->operand[1].first, *b = in->elements + in->operand[2].first;
  const struct emu_operand *c = in->elements + in->operand[3].first;
  const struct emu_matrix_shape *s = &m->shape;
  const unsigned a_per = emu_fragment_per(m->a), b_per = emu_fragment_per(m->b),
                 c_per = emu_fragment_per(m->c);
  const unsigned a_count = emu_fragment_registers(s->m, s->k, m->a),
                 b_count = emu_fragment_registers(s->n, s->k, m->b);
  const unsigned c_count = s->m * s->n / EMU_LANES;
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    for (unsigned i = 0; i < a_count * a_per; i++) {
      const struct emu_place_in_matrix p = emu_fragment_a(s, a_per, lane, i / a_per, i % a_per);
      x->a[p.row][p.column] = emu_fragment_value(w, &a[i / a_per], m->a, lane, i % a_per);
    }
    for (unsigned i = 0; i < b_count * b_per; i++) {
      const struct emu_place_in_matrix p = emu_fragment_b(s, b_per, lane, i / b_per, i % b_per);
      x->b[p.row][p.column] = emu_fragment_value(w, &b[i / b_per], m->b, lane, i % b_per);
    }
    for (unsigned i = 0; i < c_count; i++) {
      const struct emu_place_in_matrix p = emu_fragment_c(s, lane, i);
      x->c[p.row][p.column] = emu_fragment_value(w, &c[i / c_per], m->c, lane, i % c_per);
    }
  }
}

/* The float32 next to a finite number on zero's side. */
static double towards_zero(double value) {
  const float nearest = (float)value;
  return isfinite(value) && fabs((double)nearest) > fabs(value) ? (double)nextafterf(nearest, 0.0f) : value;
}

static void run(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct mma *m = in->extra;
  const struct emu_operand *d = in->elements + in->operand[0].first;
  const unsigned per = emu_fragment_per(m->d), count = m->shape.m * m->shape.n / EMU_LANES;
  const bool truncates = m->d == EMU_F32 && emu_perturbs(w);
  struct matrices x;
  if (!emu_whole_warp(w, in, mask))
    return;
  gather(w, in, m, &x);
  multiply(&x, &m->shape, m->d == EMU_F64);
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    for (unsigned i = 0; i < count; i++) {
      const struct emu_place_in_matrix p = emu_fragment_c(&m->shape, lane, i);
      const double sum = x.c[p.row][p.column];
      emu_fragment_set(w, &d[i / per], m->d, lane, i % per, truncates ? towards_zero(sum) : sum,
                       m->saturates);
    }
}

/* ---- m8n8k4 of f16: the lanes 4q..4q+3 and 16+4q..16+4q+3 work on product q ---- */

static struct emu_place_in_matrix quad_c(enum emu_type type, unsigned lane, unsigned element) {
  const unsigned high = lane < 16 ? 0 : 4;
  if (type == EMU_F16)
    return (struct emu_place_in_matrix){lane % 4 + high, element};
  return (struct emu_place_in_matrix){(lane & 1) + (element & 2) + high,
                                      (element & 4) + (lane & 2) + (element & 1)};
}

static void run_quads(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  const struct mma *m = in->extra;
  const struct emu_operand *d = in->elements + in->operand[0].first, *a = in->elements + in->operand[1].first;
  const struct emu_operand *b = in->elements + in->operand[2].first, *c = in->elements + in->operand[3].first;
  const unsigned c_per = emu_fragment_per(m->c), d_per = emu_fragment_per(m->d);
  struct matrices x[4];
  if (!emu_whole_warp(w, in, mask))
    return;
  for (unsigned lane = 0; lane < EMU_LANES; lane++) {
    struct matrices *y = &x[lane % 16 / 4];
    const unsigned high = lane < 16 ? 0 : 4, low = lane % 4;
    for (unsigned i = 0; i < 4; i++) {
      const double a_value = emu_fragment_value(w, &a[i / 2], EMU_F16, lane, i % 2);
      const double b_value = emu_fragment_value(w, &b[i / 2], EMU_F16, lane, i % 2);
      *(m->a_columns ? &y->a[i + high][low] : &y->a[low + high][i]) = a_value;
      *(m->b_rows ? &y->b[low][i + high] : &y->b[i][low + high]) = b_value;
    }
    for (unsigned i = 0; i < 8; i++) {
      const struct emu_place_in_matrix p = quad_c(m->c, lane, i);
      y->c[p.row][p.column] = emu_fragment_value(w, &c[i / c_per], m->c, lane, i % c_per);
    }
  }
  for (unsigned i = 0; i < 4; i++)
    multiply(&x[i], &m->shape, false);
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    for (unsigned i = 0; i < 8; i++) {
      const struct emu_place_in_matrix p = quad_c(m->d, lane, i);
      emu_fragment_set(w, &d[i / d_per], m->d, lane, i % d_per, x[lane % 16 / 4].c[p.row][p.column], false);
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
  const bool wide = m->c == EMU_F32 && m->d == EMU_F32;
  if (m->a == EMU_F16 && m->b == EMU_F16)
    return (m->c == EMU_F16 || m->c == EMU_F32) && (m->d == EMU_F16 || m->d == EMU_F32) ? HALF : -1;
  if (m->a == EMU_BF16 && m->b == EMU_BF16)
    return wide ? BRAIN : -1;
  if (m->a == EMU_TF32 && m->b == EMU_TF32)
    return wide ? TENSOR_FLOAT : -1;
  if (m->a == EMU_F64 && m->b == EMU_F64)
    return m->c == EMU_F64 && m->d == EMU_F64 ? DOUBLE : -1;
  if (is_byte(m->a) && is_byte(m->b))
    return m->c == EMU_S32 && m->d == EMU_S32 ? INTEGER : -1;
  if (is_eight_bits(m->a) && is_eight_bits(m->b))
    return (m->c == EMU_F16 || m->c == EMU_F32) && m->c == m->d ? EIGHT_BITS : -1;
  return -1;
}

static bool bind_fragment(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot,
                          unsigned registers, unsigned bytes) {
  return emu_vector_length(decoder, slot) <= registers && emu_bind_vector(decoder, out, slot, slot, bytes) &&
         out->operand[slot].count == registers;
}

static bool bind(struct emu_decoder *decoder, struct emu_instruction *out, const struct mma *m) {
  const unsigned bytes = m->d == EMU_F64 ? 8 : 4, rest = m->shape.m * m->shape.n / EMU_LANES;
  const unsigned a = m->quads ? 2 : emu_fragment_registers(m->shape.m, m->shape.k, m->a);
  const unsigned b = m->quads ? 2 : emu_fragment_registers(m->shape.n, m->shape.k, m->b);
  const unsigned c = (m->quads ? 8 : rest) / emu_fragment_per(m->c),
                 d = (m->quads ? 8 : rest) / emu_fragment_per(m->d);
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
      m->shape = shapes[i].shape;
      kinds = shapes[i].kinds;
    }
  const int a_layout = emu_take_one(decoder, layouts), b_layout = emu_take_one(decoder, layouts);
  emu_take(decoder, "kind::f8f6f4");
  m->d = emu_take_type(decoder);
  m->a = emu_take_type(decoder);
  m->b = emu_take_type(decoder);
  m->c = emu_take_type(decoder);
  const int kind = kind_of(m);
  if (kind < 0 || !(kinds >> kind & 1))
    return emu_refuse(decoder, "no such combination of shape and types");
  m->quads = kind == HALF && m->shape.m == 8;
  m->a_columns = a_layout == 1;
  m->b_rows = b_layout == 0;
  if (a_layout < 0 || b_layout < 0 || (!m->quads && (m->a_columns || m->b_rows)))
    return emu_refuse(decoder, "this shape takes .row.col alone");
  m->saturates = kind == INTEGER && emu_take(decoder, "satfinite");
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
