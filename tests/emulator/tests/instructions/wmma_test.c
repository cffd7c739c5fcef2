/* wmma.load, wmma.mma, wmma.store: every shape, type, layout and state space against a plain product of the
 * matrices. */
#include "families.h"
#include "probe.h"
#include "tensor_values.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 32, SIDE = 32, ROOM = 4096 /* bytes for each matrix */ };

struct form {
  unsigned m, n, k;
  enum element a, b, c, d;
  unsigned a_registers, b_registers;
  bool a_columns, b_columns, c_columns, d_columns, shared;
  const char *suffix;
};

struct matrix {
  unsigned rows, columns, stride;
  bool by_columns;
  enum element type;
};

static unsigned at(const struct matrix *x, unsigned row, unsigned column) {
  return (x->by_columns ? column * x->stride + row : row * x->stride + column) * element_bytes(x->type);
}

static struct matrix matrix_of(unsigned rows, unsigned columns, bool by_columns, enum element type) {
  const unsigned pad = 16 / element_bytes(type);
  return (struct matrix){rows, columns, (by_columns ? rows : columns) + pad, by_columns, type};
}

static void add_list(struct text *text, char letter, unsigned first, unsigned count) {
  text_add(text, "{");
  for (unsigned i = 0; i < count; i++)
    text_add(text, "%s%%%c%u", i ? ", " : "", letter, first + i);
  text_add(text, "}");
}

static unsigned registers_of_c(const struct form *f, enum element type) {
  const unsigned bytes = f->m * f->n * element_bytes(type) / LANES;
  return type == E_F64 ? bytes / 8 : bytes / 4;
}

/* Matrices lie ROOM apart: A, B, C, D; with `shared` the first three are copied to shared memory before. */
static char *kernel_of(const struct form *f, const struct matrix x[4]) {
  struct text body = {0};
  const char letter = f->a == E_F64 ? 'q' : 'r', *space = f->shared      ? ".shared"
                                                          : f->a_columns ? ".global"
                                                                         : "";
  const unsigned c = registers_of_c(f, f->c), d = registers_of_c(f, f->d),
                 first[] = {0, f->a_registers, f->a_registers + f->b_registers};
  const unsigned counts[] = {f->a_registers, f->b_registers, c};
  if (f->shared)
    text_add(
        &body,
        "mov.b32 %%r40, sdata; mul.lo.u32 %%r41, %%thread, 4; add.u32 %%r40, %%r40, %%r41; mov.b32 %%r42, "
        "0;\n"
        "again: ld.global.b32 %%r43, [%%mine]; st.shared.b32 [%%r40], %%r43; add.u64 %%mine, %%mine, 128;\n"
        "add.u32 %%r40, %%r40, 128; add.u32 %%r42, %%r42, 128; setp.lt.u32 %%p1, %%r42, %u; @%%p1 bra "
        "again;\n"
        "bar.sync 0;\n",
        3 * ROOM);
  for (unsigned i = 0; i < 3; i++) {
    text_add(&body, "wmma.load.%c.sync.aligned.%s.m%un%uk%u%s.%s ", "abc"[i], x[i].by_columns ? "col" : "row",
             f->m, f->n, f->k, space, element_name(x[i].type));
    add_list(&body, letter, first[i], counts[i]);
    text_add(&body, ", [%s+%u], %u;\n", f->shared ? "sdata" : "%buffer", i * ROOM, x[i].stride);
  }
  const char *layouts[] = {x[0].by_columns ? "col" : "row", x[1].by_columns ? "col" : "row"};
  text_add(&body, "wmma.mma.sync.aligned.%s.%s.m%un%uk%u.", layouts[0], layouts[1], f->m, f->n, f->k);
  if (f->a == E_F16)
    text_add(&body, "%s.%s ", element_name(f->d), element_name(f->c));
  else
    text_add(&body, "%s.%s.%s.%s%s ", element_name(f->d), element_name(f->a), element_name(f->b),
             element_name(f->c), f->suffix);
  const unsigned last = first[2] + c;
  add_list(&body, letter, last, d);
  for (unsigned i = 0; i < 3; i++) {
    text_add(&body, ", ");
    add_list(&body, letter, first[i], counts[i]);
  }
  text_add(&body, ";\nwmma.store.d.sync.aligned.%s.m%un%uk%u.global.%s [%%buffer+%u], ",
           x[3].by_columns ? "col" : "row", f->m, f->n, f->k, element_name(f->d), 3 * ROOM);
  add_list(&body, letter, last, d);
  text_add(&body, ", %u;\n", x[3].stride);
  char *kernel = probe_kernel(body.at, 3 * ROOM);
  text_free(&body);
  return kernel;
}

static double some_value(enum element type, uint64_t *state) {
  const uint64_t bits = oracle_noise(state);
  if (type == E_S8)
    return (int8_t)bits;
  if (type == E_U8)
    return (uint8_t)bits;
  if (type == E_S32)
    return (int32_t)bits / 16;
  return element_value(type, element_bits(type, ldexp((double)(int32_t)bits, -31 + (int)(bits >> 40 & 3))));
}

static void check(struct form f) {
  const struct matrix x[4] = {matrix_of(f.m, f.k, f.a_columns, f.a), matrix_of(f.k, f.n, f.b_columns, f.b),
                              matrix_of(f.m, f.n, f.c_columns, f.c), matrix_of(f.m, f.n, f.d_columns, f.d)};
  unsigned char *memory = calloc(4, ROOM);
  double values[3][SIDE][SIDE];
  uint64_t state = f.m + f.a * 64u;
  if (!memory)
    exit(2);
  for (unsigned i = 0; i < 3; i++)
    for (unsigned row = 0; row < x[i].rows; row++)
      for (unsigned column = 0; column < x[i].columns; column++) {
        values[i][row][column] = some_value(x[i].type, &state);
        const uint64_t bits = element_bits(x[i].type, values[i][row][column]);
        memcpy(memory + i * ROOM + at(&x[i], row, column), &bits, element_bytes(x[i].type));
      }
  char *kernel = kernel_of(&f, x),
       *report = probe_launch(kernel, 1, LANES, 0, (uint32_t *)(void *)memory, ROOM);
  const double slack = f.d == E_F16 ? 0x1p-10 : f.d == E_F64 ? 0x1p-49 : f.d == E_S32 ? 0 : 0x1p-20;
  unsigned wrong = 0;
  double bad = 0, wanted = 0;
  for (unsigned row = 0; row < f.m && !report; row++)
    for (unsigned column = 0; column < f.n; column++) {
      wide sum = values[2][row][column];
      double size = fabs(values[2][row][column]);
      for (unsigned k = 0; k < f.k; k++) {
        sum += (wide)values[0][row][k] * values[1][k][column];
        size += fabs(values[0][row][k] * values[1][k][column]);
      }
      uint64_t bits = 0;
      memcpy(&bits, memory + 3 * ROOM + at(&x[3], row, column), element_bytes(f.d));
      const double got = element_value(f.d, bits);
      if (!(fabs(got - (double)sum) <= slack * size) && !wrong++) {
        bad = got;
        wanted = (double)sum;
      }
    }
  probe_check(!report && !wrong,
              "wmma m%un%uk%u %s to %s layouts %d%d%d%d shared %d: %u wrong, %g is not %g %s", f.m, f.n, f.k,
              element_name(f.a), element_name(f.d), f.a_columns, f.b_columns, f.c_columns, f.d_columns,
              f.shared, wrong, bad, wanted, report ? report : "");
  free(report);
  free(kernel);
  free(memory);
}

void test_wmma(void) {
  static const struct form forms[] = {
      {.m = 16,
       .n = 16,
       .k = 16,
       .a = E_F16,
       .b = E_F16,
       .c = E_F32,
       .d = E_F32,
       .a_registers = 8,
       .b_registers = 8},
      {.m = 32,
       .n = 8,
       .k = 16,
       .a = E_F16,
       .b = E_F16,
       .c = E_F16,
       .d = E_F16,
       .a_registers = 8,
       .b_registers = 8},
      {.m = 8,
       .n = 32,
       .k = 16,
       .a = E_F16,
       .b = E_F16,
       .c = E_F16,
       .d = E_F32,
       .a_registers = 8,
       .b_registers = 8},
      {.m = 16,
       .n = 16,
       .k = 16,
       .a = E_BF16,
       .b = E_BF16,
       .c = E_F32,
       .d = E_F32,
       .a_registers = 4,
       .b_registers = 4},
      {.m = 32,
       .n = 8,
       .k = 16,
       .a = E_BF16,
       .b = E_BF16,
       .c = E_F32,
       .d = E_F32,
       .a_registers = 8,
       .b_registers = 2},
      {.m = 8,
       .n = 32,
       .k = 16,
       .a = E_BF16,
       .b = E_BF16,
       .c = E_F32,
       .d = E_F32,
       .a_registers = 2,
       .b_registers = 8},
      {.m = 16,
       .n = 16,
       .k = 8,
       .a = E_TF32,
       .b = E_TF32,
       .c = E_F32,
       .d = E_F32,
       .a_registers = 4,
       .b_registers = 4},
      {.m = 8,
       .n = 8,
       .k = 4,
       .a = E_F64,
       .b = E_F64,
       .c = E_F64,
       .d = E_F64,
       .a_registers = 1,
       .b_registers = 1,
       .suffix = ".rn"},
      {.m = 16,
       .n = 16,
       .k = 16,
       .a = E_S8,
       .b = E_S8,
       .c = E_S32,
       .d = E_S32,
       .a_registers = 2,
       .b_registers = 2},
      {.m = 32,
       .n = 8,
       .k = 16,
       .a = E_U8,
       .b = E_U8,
       .c = E_S32,
       .d = E_S32,
       .a_registers = 4,
       .b_registers = 1},
      {.m = 8,
       .n = 32,
       .k = 16,
       .a = E_S8,
       .b = E_S8,
       .c = E_S32,
       .d = E_S32,
       .a_registers = 1,
       .b_registers = 4,
       .suffix = ".satfinite"},
  };
  for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++)
    for (unsigned layouts = 0; layouts < 16; layouts++) {
      struct form f = forms[i];
      f.suffix = f.suffix ? f.suffix : "";
      f.a_columns = layouts & 1;
      f.b_columns = layouts >> 1 & 1;
      f.c_columns = layouts >> 2 & 1;
      f.d_columns = layouts >> 3 & 1;
      f.shared = (layouts ^ layouts >> 1) & 1;
      check(f);
    }
}
