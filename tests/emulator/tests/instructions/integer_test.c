/* Integer arithmetic: add, sub, mul, mad, div, rem, neg, abs, min, max, carries, 24-bit products, sad, dp2a,
 * dp4a. */
#include "families.h"
#include "probe.h"

enum operation {
  ADD,
  SUB,
  MUL_LO,
  MUL_HI,
  MUL_WIDE,
  MAD_LO,
  MAD_HI,
  MAD_WIDE,
  DIV,
  REM,
  NEG,
  ABS,
  MIN,
  MAX,
  SAD
};

struct form {
  enum operation operation;
  unsigned bits;
  bool is_signed, sat;
};

typedef __int128 big;

static big value_of(const struct form *f, uint64_t bits, unsigned width) {
  const unsigned unused = 64 - width;
  return f->is_signed ? (big)((int64_t)(bits << unused) >> unused) : (big)(bits << unused >> unused);
}

static big clamp(const struct form *f, big value) {
  const big top = f->is_signed ? ((big)1 << (f->bits - 1)) - 1 : ((big)1 << f->bits) - 1;
  const big bottom = f->is_signed ? -((big)1 << (f->bits - 1)) : 0;
  return value > top ? top : value < bottom ? bottom : value;
}

static uint64_t mask_of(unsigned bits) {
  return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

/* The product's bits from `bits` up: 64-bit factors fill all of 128 bits. */
static big high_half(const struct form *f, big a, big b) {
  if (f->is_signed)
    return (a * b) >> f->bits;
  return (big)(((unsigned __int128)a * (unsigned __int128)b) >> f->bits);
}

static uint64_t expected(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const big a = value_of(f, x[0], f->bits), b = value_of(f, x[1], f->bits), c = value_of(f, x[2], f->bits);
  big result = 0;
  switch (f->operation) {
  case ADD:
    result = a + b;
    break;
  case SUB:
    result = a - b;
    break;
  case MUL_LO:
    result = (big)((unsigned __int128)a * (unsigned __int128)b);
    break;
  case MUL_HI:
    result = high_half(f, a, b);
    break;
  case MAD_LO:
    result = (big)((unsigned __int128)a * (unsigned __int128)b) + c;
    break;
  case MAD_HI:
    result = high_half(f, a, b) + c;
    break;
  case MUL_WIDE:
    return (uint64_t)(a * b) & mask_of(2 * f->bits);
  case MAD_WIDE:
    return ((uint64_t)(a * b) + x[2]) & mask_of(2 * f->bits);
  case DIV: /* division by zero gives all ones on hardware; the manual leaves it open */
    result = b == 0 ? (big)-1 : a / b;
    break;
  case REM:
    result = b == 0 ? a : a % b;
    break;
  case NEG:
    result = -a;
    break;
  case ABS:
    result = a < 0 ? -a : a;
    break;
  case MIN:
    result = a < b ? a : b;
    break;
  case MAX:
    result = a > b ? a : b;
    break;
  case SAD:
    result = c + (a > b ? a - b : b - a);
    break;
  }
  return (uint64_t)(f->sat ? clamp(f, result) : result) & mask_of(f->bits);
}

static enum probe_operand operand_of(unsigned bits) {
  return bits == 16 ? PROBE_I16 : bits == 32 ? PROBE_I32 : PROBE_I64;
}

static char width_of(unsigned bits) {
  return bits == 16 ? 'h' : bits == 32 ? 'r' : 'q';
}

static void run(const char *opcode, unsigned arity, struct form f) {
  const bool widens = f.operation == MUL_WIDE || f.operation == MAD_WIDE;
  const char w = width_of(f.bits), d = widens ? width_of(2 * f.bits) : w;
  struct probe p = {.expected = expected, .detail = &f};
  for (unsigned i = 0; i < arity; i++)
    p.operands[i] = operand_of(i == 2 && widens ? 2 * f.bits : f.bits);
  const char type = f.is_signed ? 's' : 'u';
  if (arity == 1)
    probe_format(p, "%s.%c%u %%%cd, %%%ca;", opcode, type, f.bits, d, w);
  else if (arity == 2)
    probe_format(p, "%s.%c%u %%%cd, %%%ca, %%%cb;", opcode, type, f.bits, d, w, w);
  else
    probe_format(p, "%s.%c%u %%%cd, %%%ca, %%%cb, %%%cc;", opcode, type, f.bits, d, w, w, d);
}

static void by_type(unsigned bits, bool is_signed) {
  const struct form f = {.bits = bits, .is_signed = is_signed};
  static const struct {
    const char *opcode;
    enum operation operation;
    unsigned arity;
  } operations[] = {{"add", ADD, 2},          {"sub", SUB, 2},       {"mul.lo", MUL_LO, 2},
                    {"mul.hi", MUL_HI, 2},    {"mad.lo", MAD_LO, 3}, {"mad.hi", MAD_HI, 3},
                    {"div", DIV, 2},          {"rem", REM, 2},       {"min", MIN, 2},
                    {"max", MAX, 2},          {"sad", SAD, 3},       {"mul.wide", MUL_WIDE, 2},
                    {"mad.wide", MAD_WIDE, 3}};
  for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    struct form g = f;
    g.operation = operations[i].operation;
    if (bits == 64 && (g.operation == MUL_WIDE || g.operation == MAD_WIDE))
      continue;
    run(operations[i].opcode, operations[i].arity, g);
  }
  if (!is_signed)
    return;
  run("neg", 1, (struct form){.operation = NEG, .bits = bits, .is_signed = true});
  run("abs", 1, (struct form){.operation = ABS, .bits = bits, .is_signed = true});
}

static void saturating(void) {
  run("add.sat", 2, (struct form){.operation = ADD, .bits = 32, .is_signed = true, .sat = true});
  run("sub.sat", 2, (struct form){.operation = SUB, .bits = 32, .is_signed = true, .sat = true});
  run("mad.hi.sat", 3, (struct form){.operation = MAD_HI, .bits = 32, .is_signed = true, .sat = true});
}

/* ---- Carries: two instructions make one wide sum ---- */

static uint64_t sum64(const uint64_t x[3], const void *detail) {
  (void)detail;
  return x[0] + x[1];
}

static uint64_t difference64(const uint64_t x[3], const void *detail) {
  (void)detail;
  return x[0] - x[1];
}

static uint64_t carry_out(const uint64_t x[3], const void *detail) {
  (void)detail;
  return (uint64_t)(((unsigned __int128)x[0] + x[1]) >> 64);
}

static uint64_t borrow_out(const uint64_t x[3], const void *detail) {
  (void)detail;
  return x[0] < x[1] ? 0xffffffff : 0;
}

static uint64_t product64(const uint64_t x[3], const void *detail) {
  (void)detail;
  return (x[0] & 0xffffffff) * (x[1] & 0xffffffff) + x[2];
}

#define SPLIT "mov.b64 {%r1, %r2}, %qa; mov.b64 {%r3, %r4}, %qb; mov.b64 {%r5, %r6}, %qc; "

static void line(struct probe p, const char *text) {
  p.line = text;
  probe_run(&p);
}

static void carries(void) {
  const struct probe p = {.operands = {PROBE_I64, PROBE_I64, PROBE_NONE}, .expected = sum64};
  struct probe q = p;
  line(q, SPLIT "add.cc.u32 %r1, %r1, %r3; addc.u32 %r2, %r2, %r4; mov.b64 %qd, {%r1, %r2};");
  q.expected = carry_out;
  line(q, "add.cc.u64 %q1, %qa, %qb; addc.u32 %rd, 0, 0;");
  line(q, SPLIT "add.cc.s32 %r1, %r1, %r3; addc.cc.s32 %r2, %r2, %r4; addc.u32 %rd, 0, 0;");
  q.expected = difference64;
  line(q, SPLIT "sub.cc.u32 %r1, %r1, %r3; subc.u32 %r2, %r2, %r4; mov.b64 %qd, {%r1, %r2};");
  q.expected = borrow_out;
  line(q, SPLIT "sub.cc.u32 %r1, %r1, %r3; subc.cc.u32 %r2, %r2, %r4; subc.u32 %rd, 0, 0;");
  line(q, "sub.cc.u64 %q1, %qa, %qb; subc.u32 %rd, 0, 0;");
  q.expected = product64;
  q.operands[0] = q.operands[1] = PROBE_I32;
  q.operands[2] = PROBE_I64;
  line(q, SPLIT "mad.lo.cc.u32 %r5, %ra, %rb, %r5; madc.hi.u32 %r6, %ra, %rb, %r6; mov.b64 "
                "%qd, {%r5, %r6};");
}

/* ---- 24-bit products and dot products of bytes ---- */

struct narrow {
  bool a_signed, b_signed, high, adds;
};

static int64_t low24(uint64_t bits, bool is_signed) {
  return is_signed ? (int64_t)(bits << 40) >> 40 : (int64_t)(bits << 40 >> 40);
}

static uint64_t product24(const uint64_t x[3], const void *detail) {
  const struct narrow *f = detail;
  const int64_t product = low24(x[0], f->a_signed) * low24(x[1], f->a_signed);
  return (uint64_t)((f->high ? product >> 16 : product) + (f->adds ? (int64_t)(int32_t)x[2] : 0)) &
         0xffffffff;
}

static int64_t part(uint64_t bits, unsigned index, unsigned width, bool is_signed) {
  const uint64_t value = bits >> (index * width) & mask_of(width);
  return is_signed ? (int64_t)(value << (64 - width)) >> (64 - width) : (int64_t)value;
}

static uint64_t dot4(const uint64_t x[3], const void *detail) {
  const struct narrow *f = detail;
  int64_t sum = (int64_t)(x[2] & 0xffffffff);
  for (unsigned i = 0; i < 4; i++)
    sum += part(x[0], i, 8, f->a_signed) * part(x[1], i, 8, f->b_signed);
  return (uint64_t)sum & 0xffffffff;
}

static uint64_t dot2(const uint64_t x[3], const void *detail) {
  const struct narrow *f = detail;
  int64_t sum = (int64_t)(x[2] & 0xffffffff);
  for (unsigned i = 0; i < 2; i++)
    sum += part(x[0], i, 16, f->a_signed) * part(x[1], i + (f->high ? 2 : 0), 8, f->b_signed);
  return (uint64_t)sum & 0xffffffff;
}

static void narrow_products(void) {
  for (unsigned i = 0; i < 4; i++) {
    struct narrow f = {.a_signed = i & 1, .b_signed = i >> 1};
    const char a = f.a_signed ? 's' : 'u', b = f.b_signed ? 's' : 'u';
    struct probe p = {.operands = {PROBE_I32, PROBE_I32, PROBE_I32}, .expected = dot4, .detail = &f};
    probe_format(p, "dp4a.%c32.%c32 %%rd, %%ra, %%rb, %%rc;", a, b);
    p.expected = dot2;
    probe_format(p, "dp2a.lo.%c32.%c32 %%rd, %%ra, %%rb, %%rc;", a, b);
    f.high = true;
    probe_format(p, "dp2a.hi.%c32.%c32 %%rd, %%ra, %%rb, %%rc;", a, b);
    f.high = i >> 1;
    p.expected = product24;
    p.operands[2] = PROBE_NONE;
    probe_format(p, "mul24.%s.%c32 %%rd, %%ra, %%rb;", f.high ? "hi" : "lo", a);
    f.adds = true;
    p.operands[2] = PROBE_I32;
    probe_format(p, "mad24.%s.%c32 %%rd, %%ra, %%rb, %%rc;", f.high ? "hi" : "lo", a);
  }
}

void test_integer(void) {
  for (unsigned bits = 16; bits <= 64; bits *= 2)
    for (unsigned is_signed = 0; is_signed < 2; is_signed++)
      by_type(bits, is_signed);
  saturating();
  carries();
  narrow_products();
}
