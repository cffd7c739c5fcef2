/* mma.sync: where each element of A, B, C and D lies (the manual's formulas, shape by shape), and what is
 * computed. */
#include "families.h"
#include "probe.h"
#include "tensor_values.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 32, SIDE = 32 };

struct shape {
  unsigned m, n, k;
  enum element a, b, c, d;
  const char *suffix;
  bool a_columns, b_rows; /* m8n8k4 of f16 */
};

struct place {
  unsigned row, column;
};

/* ---- The manual's formulas: i counts a lane's elements ---- */

static bool is_quad(const struct shape *s) {
  return s->m == 8 && s->k == 4 && s->a == E_F16;
}

static struct place place_of_a(const struct shape *s, unsigned lane, unsigned i) {
  const unsigned g = lane >> 2, t = lane % 4;
  if (is_quad(s)) {
    if (s->a_columns)
      return (struct place){lane < 16 ? i % 4 : i % 4 + 4, lane % 4};
    return (struct place){lane < 16 ? lane % 4 : lane % 4 + 4, i};
  }
  switch (element_bytes(s->a)) {
  case 1:
    if (s->m == 8)
      return (struct place){g, t * 4 + i};
    if (s->k == 16)
      return (struct place){i < 4 ? g : g + 8, t * 4 + (i & 3)};
    return (struct place){i < 4 || (i >= 8 && i < 12) ? g : g + 8,
                          i < 8 ? t * 4 + (i & 3) : t * 4 + (i & 3) + 16};
  case 2:
    if (s->k == 8)
      return (struct place){i < 2 ? g : g + 8, t * 2 + (i & 1)};
    return (struct place){i < 2 || (i >= 4 && i < 6) ? g : g + 8,
                          i < 4 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8};
  case 4:
    if (s->k == 4)
      return (struct place){i == 0 ? g : g + 8, t};
    return (struct place){i == 0 || i == 2 ? g : g + 8, i < 2 ? t : t + 4};
  default:
    if (s->k == 4)
      return (struct place){i == 0 ? g : g + 8, t};
    return (struct place){i % 2 == 0 ? g : g + 8, t + i / 2 * 4};
  }
}

static struct place place_of_b(const struct shape *s, unsigned lane, unsigned i) {
  const unsigned g = lane >> 2, t = lane % 4;
  if (is_quad(s)) {
    if (s->b_rows)
      return (struct place){lane % 4, lane < 16 ? i : i + 4};
    return (struct place){i, lane < 16 ? lane % 4 : lane % 4 + 4};
  }
  switch (element_bytes(s->a)) {
  case 1:
    return (struct place){i < 4 ? t * 4 + (i & 3) : t * 4 + (i & 3) + 16, g};
  case 2:
    return (struct place){i < 2 ? t * 2 + (i & 1) : t * 2 + (i & 1) + 8, g};
  default:
    return (struct place){t + 4 * i, g};
  }
}

static struct place place_of_c(const struct shape *s, enum element type, unsigned lane, unsigned i) {
  const unsigned g = lane >> 2, t = lane % 4;
  if (is_quad(s) && type == E_F16)
    return (struct place){lane < 16 ? lane % 4 : lane % 4 + 4, i};
  if (is_quad(s)) {
    const unsigned x = (lane & 1) + (i & 2);
    return (struct place){lane < 16 ? x : x + 4, (i & 4) + (lane & 2) + (i & 1)};
  }
  return (struct place){i < 2 ? g : g + 8, t * 2 + (i & 1)};
}

/* ---- A launch of one instruction over one set of matrices (four of them for quads, each in its own lanes)
 * ---- */

struct matrices {
  double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];
};

static unsigned elements_of(const struct shape *s, unsigned rows, unsigned columns) {
  return is_quad(s) ? (columns == 8 && rows == 8 ? 8 : 4) : rows * columns / LANES;
}

static unsigned registers_of(const struct shape *s, enum element type, unsigned rows, unsigned columns) {
  const unsigned bytes = elements_of(s, rows, columns) * element_bytes(type);
  return type == E_F64 ? bytes / 8 : bytes / 4;
}

/* Words of each lane: A, B, C, D, each in registers. */
struct layout {
  unsigned a, b, c, d, bytes; /* registers, and the bytes of one */
  unsigned stride;            /* bytes of a lane */
};

static struct layout layout_of(const struct shape *s) {
  struct layout l = {registers_of(s, s->a, s->m, s->k),
                     registers_of(s, s->b, s->k, s->n),
                     registers_of(s, s->c, s->m, s->n),
                     registers_of(s, s->d, s->m, s->n),
                     s->a == E_F64 ? 8 : 4,
                     0};
  l.stride = (l.a + l.b + l.c + l.d) * l.bytes;
  return l;
}

static void add_list(struct text *text, char letter, unsigned first, unsigned count) {
  text_add(text, "{");
  for (unsigned i = 0; i < count; i++)
    text_add(text, "%s%%%c%u", i ? ", " : "", letter, first + i);
  text_add(text, "}");
}

static char *kernel_of(const struct shape *s, const struct layout *l) {
  struct text body = {0};
  const char letter = l->bytes == 8 ? 'q' : 'r';
  const unsigned inputs = l->a + l->b + l->c;
  text_add(&body, "mad.wide.u32 %%mine, %%thread, %u, %%buffer;\n", l->stride);
  for (unsigned i = 0; i < inputs; i++)
    text_add(&body, "ld.global.b%u %%%c%u, [%%mine+%u];\n", l->bytes * 8, letter, i, i * l->bytes);
  text_add(&body, "mma.sync.aligned.m%un%uk%u.%s.%s.%s.%s.%s.%s%s ", s->m, s->n, s->k,
           s->a_columns ? "col" : "row", s->b_rows ? "row" : "col", element_name(s->d), element_name(s->a),
           element_name(s->b), element_name(s->c), s->suffix);
  add_list(&body, letter, inputs, l->d);
  text_add(&body, ", ");
  add_list(&body, letter, 0, l->a);
  text_add(&body, ", ");
  add_list(&body, letter, l->a, l->b);
  text_add(&body, ", ");
  add_list(&body, letter, l->a + l->b, l->c);
  text_add(&body, ";\n");
  for (unsigned i = 0; i < l->d; i++)
    text_add(&body, "st.global.b%u [%%mine+%u], %%%c%u;\n", l->bytes * 8, (inputs + i) * l->bytes, letter,
             inputs + i);
  char *kernel = probe_kernel(body.at, 0);
  text_free(&body);
  return kernel;
}

static unsigned matrix_of(const struct shape *s, unsigned lane) {
  return is_quad(s) ? lane % 16 / 4 : 0;
}

/* noise goes to the low 13 bits of tf32 elements, which do not take part */
static void scatter(const struct shape *s, const struct layout *l, const struct matrices *x,
                    unsigned char *memory, uint32_t noise) {
  const unsigned c_offset = (l->a + l->b) * l->bytes;
  for (unsigned lane = 0; lane < LANES; lane++) {
    unsigned char *mine = memory + (size_t)lane * l->stride;
    const struct matrices *y = &x[matrix_of(s, lane)];
    for (unsigned i = 0; i < elements_of(s, s->m, s->k); i++) {
      const struct place p = place_of_a(s, lane, i);
      const uint64_t bits = element_bits(s->a, y->a[p.row][p.column]) | (s->a == E_TF32 ? noise : 0);
      memcpy(mine + i * element_bytes(s->a), &bits, element_bytes(s->a));
    }
    for (unsigned i = 0; i < elements_of(s, s->k, s->n); i++) {
      const struct place p = place_of_b(s, lane, i);
      const uint64_t bits = element_bits(s->b, y->b[p.row][p.column]) | (s->b == E_TF32 ? noise : 0);
      memcpy(mine + l->a * l->bytes + i * element_bytes(s->b), &bits, element_bytes(s->b));
    }
    for (unsigned i = 0; i < elements_of(s, s->m, s->n); i++) {
      const struct place p = place_of_c(s, s->c, lane, i);
      const uint64_t bits = element_bits(s->c, y->c[p.row][p.column]);
      memcpy(mine + c_offset + i * element_bytes(s->c), &bits, element_bytes(s->c));
    }
  }
}

static double product(const struct shape *s, const struct matrices *x, unsigned row, unsigned column,
                      double *size) {
  wide sum = x->c[row][column];
  *size = fabs(x->c[row][column]);
  for (unsigned k = 0; k < s->k; k++) {
    sum += (wide)x->a[row][k] * x->b[k][column];
    *size += fabs(x->a[row][k] * x->b[k][column]);
  }
  return (double)sum;
}

/* Runs and compares; `slack` is the error allowed relative to the sum of the magnitudes, 0 for exact. */
static void check(const struct shape *s, const struct matrices *x, double slack, uint32_t noise,
                  const char *what) {
  const struct layout l = layout_of(s);
  unsigned char *memory = calloc(LANES, l.stride);
  char *kernel = kernel_of(s, &l);
  if (!memory)
    exit(2);
  scatter(s, &l, x, memory, noise);
  char *report = probe_launch(kernel, 1, LANES, 0, (uint32_t *)(void *)memory, LANES * l.stride / 4);
  unsigned wrong = 0, bad_row = 0, bad_column = 0;
  double bad = 0, wanted = 0;
  for (unsigned lane = 0; lane < LANES && !report; lane++)
    for (unsigned i = 0; i < elements_of(s, s->m, s->n); i++) {
      const struct place p = place_of_c(s, s->d, lane, i);
      uint64_t bits = 0;
      memcpy(&bits, memory + (size_t)lane * l.stride + (l.a + l.b + l.c) * l.bytes + i * element_bytes(s->d),
             element_bytes(s->d));
      double size;
      const double want = product(s, &x[matrix_of(s, lane)], p.row, p.column, &size),
                   got = element_value(s->d, bits);
      const bool right =
          want != want ? got != got : got == want || (!isinf(want) && fabs(got - want) <= slack * size);
      if (!right && !wrong++) {
        bad = got;
        wanted = want;
        bad_row = p.row;
        bad_column = p.column;
      }
    }
  probe_check(!report && !wrong, "mma m%un%uk%u %s.%s%s %s: %u wrong, D[%u][%u] is %g, not %g %s", s->m, s->n,
              s->k, element_name(s->d), element_name(s->a), s->suffix, what, wrong, bad_row, bad_column, bad,
              wanted, report ? report : "");
  free(report);
  free(kernel);
  free(memory);
}

/* Elements that name their positions: one factor a selection, the other all different. */
static void check_places(const struct shape *s, bool name_a) {
  struct matrices x[4];
  memset(x, 0, sizeof x);
  const bool tiny = s->a == E_E4M3 || s->a == E_E5M2, byte = element_bytes(s->a) == 1;
  for (unsigned q = 0; q < 4; q++) {
    for (unsigned i = 0; i < s->m; i++)
      for (unsigned k = 0; k < s->k; k++) {
        const unsigned name = i * s->k + k + q;
        x[q].a[i][k] = name_a ? (tiny ? name % 8 : byte ? name % 127 : name % 255) : k == (i + q) % s->k;
      }
    for (unsigned k = 0; k < s->k; k++)
      for (unsigned j = 0; j < s->n; j++) {
        const unsigned name = k * s->n + j + q;
        x[q].b[k][j] = name_a ? k == (j * 3 + q) % s->k : (tiny ? name % 8 : byte ? name % 127 : name % 255);
      }
    for (unsigned i = 0; i < s->m; i++)
      for (unsigned j = 0; j < s->n; j++)
        x[q].c[i][j] = 256 * (1 + (double)((i * s->n + j) % 4));
  }
  check(s, x, 0, 0, name_a ? "places of A" : "places of B");
}

static void check_place_of_c(const struct shape *s) {
  struct matrices x[4];
  memset(x, 0, sizeof x);
  for (unsigned q = 0; q < 4; q++)
    for (unsigned i = 0; i < s->m; i++)
      for (unsigned j = 0; j < s->n; j++)
        x[q].c[i][j] = i * s->n + j + 7 * q;
  check(s, x, 0, 0, "places of C and D");
}

static double some_value(enum element type, uint64_t *state) {
  const uint64_t bits = oracle_noise(state);
  switch (type) {
  case E_S8:
    return (int8_t)bits;
  case E_U8:
    return (uint8_t)bits;
  case E_S32:
    return (double)(int32_t)bits / 4096;
  case E_E4M3:
  case E_E5M2:
    return (double)(bits % 17) - 8;
  default:
    return element_value(type, element_bits(type, ldexp((double)(int32_t)bits, -31 + (int)(bits >> 40 & 3))));
  }
}

static void check_sums(const struct shape *s, double slack) {
  struct matrices x[4];
  uint64_t state = s->k * 100 + s->a;
  memset(x, 0, sizeof x);
  for (unsigned q = 0; q < 4; q++)
    for (unsigned i = 0; i < SIDE; i++)
      for (unsigned j = 0; j < SIDE; j++) {
        x[q].a[i][j] = some_value(s->a, &state);
        x[q].b[i][j] = some_value(s->b, &state);
        x[q].c[i][j] = s->c == E_S32 ? (double)(int64_t)some_value(E_S32, &state) : some_value(s->c, &state);
      }
  check(s, x, slack, s->a == E_TF32 ? 0x1fff : 0, "sums");
  if (element_bytes(s->a) == 1)
    return;
  x[0].a[1][2] = x[1].a[1][2] = x[2].a[1][2] = x[3].a[1][2] = NAN;
  x[0].b[3][4] = x[1].b[3][4] = x[2].b[3][4] = x[3].b[3][4] = INFINITY;
  x[0].b[2][4] = x[1].b[2][4] = x[2].b[2][4] = x[3].b[2][4] = 1;
  check(s, x, slack, 0, "NaN and infinity");
}

/* s32 sums that pass the largest integer: they wrap, or stay there with .satfinite. */
static void check_overflow(void) {
  const char *const suffixes[] = {"", ".satfinite"};
  for (unsigned saturates = 0; saturates < 2; saturates++) {
    struct text body = {0};
    uint32_t buffer[LANES] = {0};
    text_add(&body,
             "mov.b32 %%r0, 0x7f7f7f7f; mov.b32 %%r1, 0x7fffff00;\n"
             "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32%s {%%r2, %%r3}, {%%r0}, {%%r0}, {%%r1, %%r1};\n"
             "st.global.b32 [%%mine], %%r2;\n",
             suffixes[saturates]);
    char *kernel = probe_kernel(body.at, 0), *report = probe_launch(kernel, 1, LANES, 0, buffer, LANES);
    const uint32_t want = saturates ? 0x7fffffffu : 0x7fffff00u + 16 * 127 * 127;
    probe_check(!report && buffer[5] == want, "mma s8%s past the largest sum: %x, not %x %s",
                suffixes[saturates], buffer[5], want, report ? report : "");
    free(report);
    free(kernel);
    text_free(&body);
  }
}

/* 1 and 1.5 halves of its last place: the number next to 1, or 1 where sums are rounded towards zero; the
 * same below zero. */
static void check_rounding(void) {
  const char *perturbs = getenv("CUSEQ_EMULATOR_PERTURB");
  const bool truncates = perturbs && !strcmp(perturbs, "1");
  for (unsigned negative = 0; negative < 2; negative++) {
    struct text body = {0};
    uint32_t buffer[LANES] = {0};
    text_add(
        &body, /* of A there is 2^-12 in row 0, of B 1.5 * 2^-12 everywhere, C is 1 */
        "setp.eq.u32 %%p0, %%thread, 0; selp.b32 %%r0, 0x39800000, 0, %%p0;\n"
        "mov.b32 %%r1, %s; mov.b32 %%r2, %s;\n"
        "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%%r3, %%r4, %%r5, %%r6}, {%%r0, %%r0}, {%%r1}, "
        "{%%r2, %%r2, %%r2, %%r2};\nst.global.b32 [%%mine], %%r3;\n",
        negative ? "0xb9c00000" : "0x39c00000", negative ? "0xbf800000" : "0x3f800000");
    char *kernel = probe_kernel(body.at, 0), *report = probe_launch(kernel, 1, LANES, 0, buffer, LANES);
    const uint32_t want = (negative ? 0xbf800000u : 0x3f800000u) + !truncates;
    probe_check(!report && buffer[0] == want, "mma tf32 rounds a sum: %x, not %x %s", buffer[0], want,
                report ? report : "");
    free(report);
    free(kernel);
    text_free(&body);
  }
}

void test_mma(void) {
  static const struct shape shapes[] = {
      {16, 8, 8, E_F16, E_F16, E_F16, E_F16, "", 0, 0},
      {16, 8, 8, E_F16, E_F16, E_F32, E_F32, "", 0, 0},
      {16, 8, 16, E_F16, E_F16, E_F16, E_F16, "", 0, 0},
      {16, 8, 16, E_F16, E_F16, E_F32, E_F32, "", 0, 0},
      {16, 8, 8, E_BF16, E_BF16, E_F32, E_F32, "", 0, 0},
      {16, 8, 16, E_BF16, E_BF16, E_F32, E_F32, "", 0, 0},
      {16, 8, 4, E_TF32, E_TF32, E_F32, E_F32, "", 0, 0},
      {16, 8, 8, E_TF32, E_TF32, E_F32, E_F32, "", 0, 0},
      {8, 8, 4, E_F64, E_F64, E_F64, E_F64, "", 0, 0},
      {16, 8, 4, E_F64, E_F64, E_F64, E_F64, ".rn", 0, 0},
      {16, 8, 8, E_F64, E_F64, E_F64, E_F64, "", 0, 0},
      {16, 8, 16, E_F64, E_F64, E_F64, E_F64, "", 0, 0},
      {8, 8, 16, E_S8, E_S8, E_S32, E_S32, "", 0, 0},
      {16, 8, 16, E_S8, E_U8, E_S32, E_S32, "", 0, 0},
      {16, 8, 32, E_U8, E_S8, E_S32, E_S32, "", 0, 0},
      {16, 8, 32, E_E4M3, E_E5M2, E_F32, E_F32, "", 0, 0},
      {16, 8, 32, E_E5M2, E_E4M3, E_F16, E_F16, "", 0, 0},
      {16, 8, 16, E_E4M3, E_E4M3, E_F32, E_F32, "", 0, 0},
      {8, 8, 4, E_F16, E_F16, E_F16, E_F16, "", 0, 0},
      {8, 8, 4, E_F16, E_F16, E_F32, E_F32, "", 1, 0},
      {8, 8, 4, E_F16, E_F16, E_F32, E_F32, "", 0, 1},
      {8, 8, 4, E_F16, E_F16, E_F32, E_F16, "", 1, 1},
      {8, 8, 4, E_F16, E_F16, E_F16, E_F32, "", 0, 0},
  };
  for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    const struct shape *s = &shapes[i];
    const double slack = s->d == E_F16 ? 0x1p-10 : s->d == E_F64 ? 0x1p-49 : s->d == E_S32 ? 0 : 0x1p-20;
    check_places(s, true);
    check_places(s, false);
    check_place_of_c(s);
    check_sums(s, slack);
  }
  check_overflow();
  check_rounding();
  probe_check(probe_is_refused(
                  "mma.sync.aligned.m16n8k16.col.col.f32.f16.f16.f32 {%r0,%r1,%r2,%r3}, {%r4,%r5,%r6,%r7}, "
                  "{%r8,%r9}, {%r10,%r11,%r12,%r13}; mov.b32 %rd, 0;"),
              "mma m16n8k16 takes .row.col alone");
}
