/* Logic, shifts, bit fields and byte permutations: and, or, xor, not, cnot, lop3, shl, shr, shf, popc, clz,
 * brev, bfind, bfe, bfi, bmsk, fns, szext, prmt, mov of vectors. */
#include "families.h"
#include "probe.h"

#include <string.h>

enum operation {
  AND,
  OR,
  XOR,
  NOT,
  CNOT,
  SHL,
  SHR_UNSIGNED,
  SHR_SIGNED,
  POPC,
  CLZ,
  BREV,
  BFIND,
  BFIND_SHIFT,
  BFE_UNSIGNED,
  BFE_SIGNED,
  BFI
};

struct form {
  enum operation operation;
  unsigned bits;
  bool is_signed;
};

static uint64_t mask_of(unsigned bits) {
  return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

static int bit_of(uint64_t value, unsigned index) {
  return value >> index & 1;
}

/* Bit by bit, as the manual's text goes. */
static uint64_t count_and_find(const struct form *f, uint64_t a) {
  unsigned count = 0;
  switch (f->operation) {
  case POPC:
    for (unsigned i = 0; i < f->bits; i++)
      count += bit_of(a, i);
    return count;
  case CLZ:
    while (count < f->bits && !bit_of(a, f->bits - 1 - count))
      count++;
    return count;
  case BREV: {
    uint64_t result = 0;
    for (unsigned i = 0; i < f->bits; i++)
      result |= (uint64_t)bit_of(a, i) << (f->bits - 1 - i);
    return result;
  }
  default: {
    const int sign = f->is_signed && bit_of(a, f->bits - 1);
    for (int i = (int)f->bits - 1; i >= 0; i--)
      if (bit_of(a, (unsigned)i) != sign)
        return f->operation == BFIND_SHIFT ? f->bits - 1 - (unsigned)i : (unsigned)i;
    return 0xffffffff;
  }
  }
}

static uint64_t extract(const struct form *f, uint64_t a, unsigned position, unsigned length) {
  const unsigned top = f->bits - 1;
  int sign = 0;
  if (f->operation == BFE_SIGNED && length)
    sign = bit_of(a, position + length - 1 < top ? position + length - 1 : top);
  uint64_t result = 0;
  for (unsigned i = 0; i <= top; i++)
    result |= (uint64_t)(i < length && position + i <= top ? bit_of(a, position + i) : sign) << i;
  return result;
}

static uint64_t expected(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const uint64_t mask = mask_of(f->bits), a = x[0] & mask, b = x[1] & mask;
  const uint32_t shift = (uint32_t)x[1];
  switch (f->operation) {
  case AND:
    return a & b;
  case OR:
    return a | b;
  case XOR:
    return a ^ b;
  case NOT:
    return ~a & mask;
  case CNOT:
    return a == 0;
  case SHL:
    return shift >= f->bits ? 0 : a << shift & mask;
  case SHR_UNSIGNED:
    return shift >= f->bits ? 0 : a >> shift;
  case SHR_SIGNED: {
    const int64_t value = (int64_t)(a << (64 - f->bits)) >> (64 - f->bits);
    return (uint64_t)(value >> (shift >= f->bits ? f->bits - 1 : shift)) & mask;
  }
  case BFE_UNSIGNED:
  case BFE_SIGNED:
    return extract(f, a, x[1] & 0xff, x[2] & 0xff);
  default:
    return count_and_find(f, a);
  }
}

static enum probe_operand operand_of(unsigned bits) {
  return bits == 16 ? PROBE_I16 : bits == 32 ? PROBE_I32 : PROBE_I64;
}

static char width_of(unsigned bits) {
  return bits == 16 ? 'h' : bits == 32 ? 'r' : 'q';
}

static void logic(unsigned bits) {
  static const struct {
    const char *opcode;
    enum operation operation;
  } two[] = {{"and", AND}, {"or", OR}, {"xor", XOR}}, one[] = {{"not", NOT}, {"cnot", CNOT}};
  const char w = width_of(bits);
  struct form f = {.bits = bits};
  for (unsigned i = 0; i < 3; i++) {
    f.operation = two[i].operation;
    probe_format(
        (struct probe){.operands = {operand_of(bits), operand_of(bits)}, .expected = expected, .detail = &f},
        "%s.b%u %%%cd, %%%ca, %%%cb;", two[i].opcode, bits, w, w, w);
  }
  for (unsigned i = 0; i < 2; i++) {
    f.operation = one[i].operation;
    probe_format((struct probe){.operands = {operand_of(bits)}, .expected = expected, .detail = &f},
                 "%s.b%u %%%cd, %%%ca;", one[i].opcode, bits, w, w);
  }
  static const struct {
    const char *opcode;
    enum operation operation;
  } shifts[] = {{"shl.b", SHL}, {"shr.u", SHR_UNSIGNED}, {"shr.b", SHR_UNSIGNED}, {"shr.s", SHR_SIGNED}};
  for (unsigned i = 0; i < 4; i++) {
    f.operation = shifts[i].operation;
    probe_format(
        (struct probe){.operands = {operand_of(bits), PROBE_I32}, .expected = expected, .detail = &f},
        "%s%u %%%cd, %%%ca, %%rb;", shifts[i].opcode, bits, w, w);
  }
}

static uint64_t predicate_logic(const uint64_t x[3], const void *detail) {
  const char *opcode = detail;
  const unsigned a = x[0] & 1, b = x[1] & 1;
  return *opcode == 'a' ? a & b : *opcode == 'o' ? a | b : *opcode == 'x' ? a ^ b : !a;
}

static void predicates(void) {
  static const char *const opcodes[] = {"and", "or", "xor"};
  for (unsigned i = 0; i < 3; i++)
    probe_format(
        (struct probe){.operands = {PROBE_BIT, PROBE_BIT}, .expected = predicate_logic, .detail = opcodes[i]},
        "%s.pred %%pd, %%pa, %%pb;", opcodes[i]);
  probe_run(&(struct probe){
      .line = "not.pred %pd, %pa;", .operands = {PROBE_BIT}, .expected = predicate_logic, .detail = "not"});
}

static void counting(unsigned bits) {
  static const struct {
    const char *opcode;
    enum operation operation;
    bool is_signed, same_width;
  } counts[] = {{"popc.b", POPC, 0, 0},
                {"clz.b", CLZ, 0, 0},
                {"brev.b", BREV, 0, 1},
                {"bfind.u", BFIND, 0, 0},
                {"bfind.s", BFIND, 1, 0},
                {"bfind.shiftamt.u", BFIND_SHIFT, 0, 0},
                {"bfind.shiftamt.s", BFIND_SHIFT, 1, 0}};
  for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    const struct form f = {counts[i].operation, bits, counts[i].is_signed};
    probe_format((struct probe){.operands = {operand_of(bits)}, .expected = expected, .detail = &f},
                 "%s%u %%%cd, %%%ca;", counts[i].opcode, bits, counts[i].same_width ? width_of(bits) : 'r',
                 width_of(bits));
  }
  for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
    const struct form f = {is_signed ? BFE_SIGNED : BFE_UNSIGNED, bits, is_signed};
    probe_format(
        (struct probe){
            .operands = {operand_of(bits), PROBE_I8, PROBE_I8}, .expected = expected, .detail = &f},
        "bfe.%c%u %%%cd, %%%ca, %%rb, %%rc;", is_signed ? 's' : 'u', bits, width_of(bits), width_of(bits));
  }
}

/* a inserted into b; position and length follow from c */
static uint64_t insert(const uint64_t x[3], const void *detail) {
  const unsigned bits = *(const unsigned *)detail, position = x[2] & 0xff, length = x[2] >> 3 & 0xff;
  uint64_t result = x[1] & mask_of(bits);
  for (unsigned i = 0; i < length && position + i < bits; i++)
    result = (result & ~(1ull << (position + i))) | (uint64_t)bit_of(x[0], i) << (position + i);
  return result;
}

static void insertion(const unsigned *bits) {
  const char w = width_of(*bits);
  probe_format((struct probe){.operands = {operand_of(*bits), operand_of(*bits), PROBE_I16},
                              .expected = insert,
                              .detail = bits},
               "and.b32 %%r1, %%rc, 255; shr.b32 %%r2, %%rc, 3; and.b32 %%r2, %%r2, 255; bfi.b%u %%%cd, "
               "%%%ca, %%%cb, %%r1, %%r2;",
               *bits, w, w, w);
}

/* ---- lop3, prmt, shf, bmsk, fns, szext ---- */

static uint64_t table_logic(const uint64_t x[3], const void *detail) {
  const unsigned table = *(const unsigned *)detail;
  uint64_t result = 0;
  for (unsigned i = 0; i < 32; i++)
    result |=
        (uint64_t)bit_of(table, (unsigned)(bit_of(x[0], i) << 2 | bit_of(x[1], i) << 1 | bit_of(x[2], i)))
        << i;
  return result;
}

static uint64_t permuted(const uint64_t x[3], const void *detail) {
  const char *mode = detail;
  const uint64_t bytes = (x[0] & 0xffffffff) | x[1] << 32;
  const uint32_t c = (uint32_t)x[2];
  const unsigned s = c & 3;
  uint64_t result = 0;
  for (unsigned i = 0; i < 4; i++) {
    unsigned from;
    bool replicates = false;
    if (!*mode) {
      from = c >> 4 * i & 7;
      replicates = c >> 4 * i & 8;
    } else if (!strcmp(mode, ".f4e"))
      from = s + i;
    else if (!strcmp(mode, ".b4e"))
      from = (s + 8 - i) % 8;
    else if (!strcmp(mode, ".rc8"))
      from = s;
    else if (!strcmp(mode, ".ecl"))
      from = i < s ? s : i;
    else if (!strcmp(mode, ".ecr"))
      from = i > s ? s : i;
    else
      from = (s & 1) * 2 + i % 2;
    uint64_t byte = bytes >> 8 * from & 0xff;
    if (replicates)
      byte = byte & 0x80 ? 0xff : 0;
    result |= byte << 8 * i;
  }
  return result;
}

static uint64_t funnel(const uint64_t x[3], const void *detail) {
  const char *mode = detail; /* l or r, then c or w */
  const uint64_t both = (x[0] & 0xffffffff) | x[1] << 32;
  uint32_t n = (uint32_t)x[2];
  n = mode[1] == 'w' ? n & 31 : n > 32 ? 32 : n;
  return (mode[0] == 'l' ? (uint64_t)(((unsigned __int128)both << n) >> 32) : both >> n) & 0xffffffff;
}

static uint64_t bit_mask(const uint64_t x[3], const void *detail) {
  const bool wraps = *(const char *)detail == 'w';
  const uint32_t a = wraps ? x[0] & 31 : (uint32_t)x[0], b = wraps ? x[1] & 31 : (uint32_t)x[1];
  uint64_t result = 0;
  for (uint64_t i = a; i < (uint64_t)a + b && i < 32; i++)
    result |= 1ull << i;
  return result;
}

static uint64_t nth_set(const uint64_t x[3], const void *detail) {
  (void)detail;
  const uint32_t base = x[1] & 31;
  const int32_t offset = (int32_t)x[2];
  if (offset == 0)
    return bit_of(x[0], base) ? base : 0xffffffff;
  int64_t count = 0, want = offset < 0 ? -(int64_t)offset : offset;
  for (int i = (int)base; i >= 0 && i < 32; i += offset < 0 ? -1 : 1)
    if (bit_of(x[0], (unsigned)i) && ++count == want)
      return (unsigned)i;
  return 0xffffffff;
}

static uint64_t extended(const uint64_t x[3], const void *detail) {
  const char *mode = detail; /* w or c, then s or u */
  const uint32_t n = mode[0] == 'w' ? x[1] & 31 : x[1] > 32 ? 32 : (uint32_t)x[1];
  if (n == 0)
    return 0;
  const uint64_t low = x[0] & mask_of(n);
  return mode[1] == 's' && bit_of(low, n - 1) ? (low | ~mask_of(n)) & 0xffffffff : low;
}

static void three_operands(void) {
  static const unsigned tables[] = {0x00, 0x01, 0x80, 0x96, 0xe8, 0xca, 0xfe, 0x3c, 0x27, 0xff, 0xf8, 0x6a};
  const enum probe_operand i32 = PROBE_I32;
  for (unsigned i = 0; i < sizeof tables / sizeof tables[0]; i++)
    probe_format((struct probe){.operands = {i32, i32, i32}, .expected = table_logic, .detail = &tables[i]},
                 "lop3.b32 %%rd, %%ra, %%rb, %%rc, %u;", tables[i]);
  static const char *const modes[] = {"", ".f4e", ".b4e", ".rc8", ".ecl", ".ecr", ".rc16"};
  for (unsigned i = 0; i < 7; i++)
    probe_format((struct probe){.operands = {i32, i32, i32}, .expected = permuted, .detail = modes[i]},
                 "prmt.b32%s %%rd, %%ra, %%rb, %%rc;", modes[i]);
  static const char *const funnels[][2] = {
      {"l.clamp", "lc"}, {"l.wrap", "lw"}, {"r.clamp", "rc"}, {"r.wrap", "rw"}};
  for (unsigned i = 0; i < 4; i++)
    probe_format((struct probe){.operands = {i32, i32, i32}, .expected = funnel, .detail = funnels[i][1]},
                 "shf.%s.b32 %%rd, %%ra, %%rb, %%rc;", funnels[i][0]);
  probe_run(&(struct probe){
      .line = "bmsk.clamp.b32 %rd, %ra, %rb;", .operands = {i32, i32}, .expected = bit_mask, .detail = "c"});
  probe_run(&(struct probe){
      .line = "bmsk.wrap.b32 %rd, %ra, %rb;", .operands = {i32, i32}, .expected = bit_mask, .detail = "w"});
  probe_run(&(struct probe){.line = "and.b32 %r1, %rb, 31; fns.b32 %rd, %ra, %r1, %rc;",
                            .operands = {i32, i32, i32},
                            .expected = nth_set});
  probe_run(&(struct probe){
      .line = "szext.wrap.u32 %rd, %ra, %rb;", .operands = {i32, i32}, .expected = extended, .detail = "wu"});
  probe_run(&(struct probe){.line = "szext.clamp.s32 %rd, %ra, %rb;",
                            .operands = {i32, i32},
                            .expected = extended,
                            .detail = "cs"});
}

/* ---- Moves ---- */

static uint64_t swapped(const uint64_t x[3], const void *detail) {
  (void)detail;
  return x[0] << 32 | x[0] >> 32;
}

static uint64_t reversed_halves(const uint64_t x[3], const void *detail) {
  (void)detail;
  return x[0] << 48 | (x[0] & 0xffff0000) << 16 | (x[0] >> 16 & 0xffff0000) | x[0] >> 48;
}

static uint64_t low_byte_up(const uint64_t x[3], const void *detail) {
  (void)detail;
  return (x[0] & 0xffff) << 16 | (x[0] >> 16 & 0xffff);
}

static uint64_t constant(const uint64_t x[3], const void *detail) {
  (void)x;
  return *(const uint64_t *)detail;
}

static void moves(void) {
  probe_run(&(struct probe){.line = "mov.b64 {%r1, %r2}, %qa; mov.b64 %qd, {%r2, %r1};",
                            .operands = {PROBE_I64},
                            .expected = swapped});
  probe_run(&(struct probe){.line = "mov.b64 {%h1, %h2, %h3, %h4}, %qa; mov.b64 %qd, {%h4, %h3, %h2, %h1};",
                            .operands = {PROBE_I64},
                            .expected = reversed_halves});
  probe_run(&(struct probe){.line = "mov.b32 {%h1, %h2}, %ra; mov.b32 %rd, {%h2, %h1};",
                            .operands = {PROBE_I32},
                            .expected = low_byte_up});
  probe_run(&(struct probe){.line = "mov.b128 %x1, {%qa, %qb}; mov.b128 {%q1, %q2}, %x1; mov.b64 {%r1, %r2}, "
                                    "%q1; mov.b64 %qd, {%r2, %r1};",
                            .operands = {PROBE_I64, PROBE_I64},
                            .expected = swapped});
  static const struct {
    const char *line;
    uint64_t value;
  } constants[] = {{"mov.u32 %rd, 0xFFFFFFFF;", 0xffffffff},
                   {"mov.s32 %rd, -5;", 0xfffffffb},
                   {"mov.u64 %qd, 0123;", 83},
                   {"mov.u32 %rd, 0b1011;", 11},
                   {"mov.b64 %qd, -1;", ~0ull},
                   {"mov.f32 %rd, 0f3FC00000;", 0x3fc00000},
                   {"mov.f32 %rd, 1.5;", 0x3fc00000},
                   {"mov.f64 %qd, 0dC004000000000000;", 0xc004000000000000},
                   {"mov.f64 %qd, 2.5e-1;", 0x3fd0000000000000},
                   {"mov.u32 %rd, WARP_SZ;", 32},
                   {"mov.u16 %hd, 65535;", 65535}};
  for (unsigned i = 0; i < sizeof constants / sizeof constants[0]; i++)
    probe_run(
        &(struct probe){.line = constants[i].line, .expected = constant, .detail = &constants[i].value});
}

void test_bits(void) {
  static const unsigned widths[] = {16, 32, 64};
  for (unsigned i = 0; i < 3; i++)
    logic(widths[i]);
  predicates();
  for (unsigned i = 1; i < 3; i++) {
    counting(widths[i]);
    insertion(&widths[i]);
  }
  three_operands();
  moves();
}
