/* atom and red: every operation and type, one thread at a time against wide arithmetic, and many threads at
 * once. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum operation { ADD, MIN, MAX, INC, DEC, AND, OR, XOR, EXCH, CAS };

struct form {
  enum operation operation;
  char kind; /* u, s, b, f */
  unsigned bits;
  enum oracle_format format;
  bool pair; /* f16x2, bf16x2 */
};

static uint64_t mask_of(unsigned bits) {
  return bits == 64 ? ~0ull : (1ull << bits) - 1;
}

static uint64_t float_sum(const struct form *f, uint64_t a, uint64_t b) {
  return oracle_round(f->format, oracle_sum(oracle_value(f->format, a), oracle_value(f->format, b)), RN);
}

/* What is left in memory of `old` when b (and c) come. */
static uint64_t after(const struct form *f, uint64_t old, uint64_t b, uint64_t c) {
  const unsigned unused = 64 - f->bits;
  const int64_t x = (int64_t)(old << unused) >> unused, y = (int64_t)(b << unused) >> unused;
  const bool less = f->kind == 's' ? x < y : old < b;
  switch (f->operation) {
  case ADD:
    if (f->pair)
      return float_sum(f, old & 0xffff, b & 0xffff) | float_sum(f, old >> 16, b >> 16) << 16;
    return f->kind == 'f' ? float_sum(f, old, b) : old + b;
  case MIN:
    return less ? old : b;
  case MAX:
    return less ? b : old;
  case INC:
    return old >= b ? 0 : old + 1;
  case DEC:
    return old == 0 || old > b ? b : old - 1;
  case AND:
    return old & b;
  case OR:
    return old | b;
  case XOR:
    return old ^ b;
  case EXCH:
    return b;
  case CAS:
    return old == b ? c : old;
  }
  return 0;
}

static uint64_t expected(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  const uint64_t mask = mask_of(f->bits);
  return after(f, x[0] & mask, x[1] & mask, x[2] & mask) & mask;
}

static uint64_t expected_old(const uint64_t x[3], const void *detail) {
  const struct form *f = detail;
  return x[0] & mask_of(f->bits);
}

static enum probe_operand operand_of(const struct form *f) {
  if (f->kind == 'f')
    return f->pair ? (f->format == F16 ? PROBE_F16X2 : PROBE_BF16X2)
                   : (f->format == F32   ? PROBE_F32
                      : f->format == F64 ? PROBE_F64
                      : f->format == F16 ? PROBE_F16
                                         : PROBE_BF16);
  return f->bits == 16 ? PROBE_I16 : f->bits == 32 ? PROBE_I32 : PROBE_I64;
}

static enum probe_result result_of(const struct form *f) {
  if (f->kind != 'f')
    return PROBE_BITS;
  if (f->pair)
    return f->format == F16 ? PROBE_RESULT_F16X2 : PROBE_RESULT_BF16X2;
  return f->format == F32   ? PROBE_RESULT_F32
         : f->format == F64 ? PROBE_RESULT_F64
         : f->format == F16 ? PROBE_RESULT_F16
                            : PROBE_RESULT_BF16;
}

/* The operand's own place in the buffer serves as memory: %at. */
static void run(struct form f, const char *name, const char *type) {
  const char w = f.bits == 16 ? 'h' : f.bits == 32 ? 'r' : 'q';
  const char *third = f.operation == CAS ? (w == 'h' ? ", %hc" : w == 'r' ? ", %rc" : ", %qc") : "";
  struct probe p = {
      .operands = {operand_of(&f), operand_of(&f), f.operation == CAS ? operand_of(&f) : PROBE_NONE},
      .result = result_of(&f),
      .expected = expected,
      .detail = &f};
  probe_format(p, "atom.global.%s.%s %%%c1, [%%at], %%%cb%s; ld.global.b%u %%%cd, [%%at];", name, type, w, w,
               third, f.bits, w);
  probe_format(p, "atom.acq_rel.gpu.%s.%s %%%c1, [%%at], %%%cb%s; ld.relaxed.gpu.global.b%u %%%cd, [%%at];",
               name, type, w, w, third, f.bits, w);
  probe_format(p,
               "mov.u32 %%r20, sdata; mov.u32 %%r21, %%tid.x; mad.lo.u32 %%r20, %%r21, 8, %%r20; "
               "st.shared.b%u [%%r20], %%%ca;\n"
               "atom.shared.%s.%s %%%c1, [%%r20], %%%cb%s; ld.shared.b%u %%%cd, [%%r20];",
               f.bits, w, name, type, w, w, third, f.bits, w);
  if (f.operation != EXCH && f.operation != CAS) {
    probe_format(p, "red.global.%s.%s [%%at], %%%cb; ld.global.b%u %%%cd, [%%at];", name, type, w, f.bits, w);
    probe_format(p, "red.relaxed.sys.global.%s.%s [%%at], %%%cb; ld.global.b%u %%%cd, [%%at];", name, type, w,
                 f.bits, w);
  }
  p.expected = expected_old;
  probe_format(p, "atom.global.%s.%s %%%cd, [%%at], %%%cb%s;", name, type, w, w, third);
}

static void every_form(void) {
  static const char *const names[] = {"add", "min", "max", "inc", "dec", "and", "or", "xor", "exch", "cas"};
  for (unsigned bits = 32; bits <= 64; bits *= 2) {
    const char *u = bits == 32 ? "u32" : "u64", *s = bits == 32 ? "s32" : "s64",
               *b = bits == 32 ? "b32" : "b64";
    run((struct form){ADD, 'u', bits, F32, false}, names[ADD], u);
    for (enum operation o = MIN; o <= MAX; o++) {
      run((struct form){o, 'u', bits, F32, false}, names[o], u);
      run((struct form){o, 's', bits, F32, false}, names[o], s);
    }
    for (enum operation o = AND; o <= CAS; o++)
      run((struct form){o, 'b', bits, F32, false}, names[o], b);
  }
  run((struct form){ADD, 's', 32, F32, false}, "add", "s32");
  run((struct form){INC, 'u', 32, F32, false}, "inc", "u32");
  run((struct form){DEC, 'u', 32, F32, false}, "dec", "u32");
  run((struct form){CAS, 'b', 16, F32, false}, "cas", "b16");
  run((struct form){ADD, 'f', 64, F64, false}, "add", "f64");
  run((struct form){ADD, 'f', 16, F16, false}, "add.noftz", "f16");
  run((struct form){ADD, 'f', 16, BF16, false}, "add.noftz", "bf16");
  run((struct form){ADD, 'f', 32, F16, true}, "add.noftz", "f16x2");
  run((struct form){ADD, 'f', 32, BF16, true}, "add.noftz", "bf16x2");
}

/* atom.add.f32 flushes subnormals in global memory: the manual says so; the values here are none. */
static uint64_t flushed_sum(const uint64_t x[3], const void *detail) {
  (void)detail;
  const uint64_t a = oracle_flush(F32, x[0] & 0xffffffff), b = oracle_flush(F32, x[1] & 0xffffffff);
  return oracle_flush(F32, oracle_round(F32, oracle_sum(oracle_value(F32, a), oracle_value(F32, b)), RN));
}

static bool flushed_or_not(const uint64_t x[3], uint64_t got, const void *detail) {
  const uint64_t a = flushed_sum(x, detail);
  const uint64_t b = oracle_round(
      F32, oracle_sum(oracle_value(F32, x[0] & 0xffffffff), oracle_value(F32, x[1] & 0xffffffff)), RN);
  return got == a || got == b || (oracle_is_nan(F32, got) && oracle_is_nan(F32, a));
}

/* ---- Many threads ---- */

enum { THREADS = 256, BLOCKS = 4, WORDS = 16 };

static void together(const char *what, const char *body, const uint32_t *want, unsigned count) {
  uint32_t buffer[WORDS] = {0};
  buffer[8] = 0xffffffff;
  char *kernel = probe_kernel(body, 64), *report = probe_launch(kernel, BLOCKS, THREADS, 0, buffer, WORDS);
  probe_check(!report && !memcmp(buffer, want, count * sizeof *want), "%s: %x %x %x %x %s", what, buffer[0],
              buffer[1], buffer[2], buffer[3], report ? report : "");
  free(report);
  free(kernel);
}

static void many_threads(void) {
  const uint32_t all = THREADS * BLOCKS;
  together("sums of all threads",
           "mov.b32 %r1, 1; red.global.add.u32 [%buffer], %r1; atom.global.add.u32 %r2, [%buffer+4], 2;\n"
           "red.global.max.u32 [%buffer+8], %thread; mov.f32 %f1, 0f3F000000; red.global.add.f32 "
           "[%buffer+12], %f1;",
           (const uint32_t[]){all, 2 * all, THREADS - 1, 0x44000000}, 4);
  together(
      "a lock between lanes of a warp",
      "try: atom.acquire.gpu.global.cas.b32 %r1, [%buffer], 0, 1; setp.ne.u32 %p1, %r1, 0; @%p1 bra try;\n"
      "ld.relaxed.gpu.global.u32 %r2, [%buffer+4]; add.u32 %r2, %r2, 1; st.relaxed.gpu.global.u32 "
      "[%buffer+4], %r2;\n"
      "atom.release.gpu.global.exch.b32 %r1, [%buffer], 0;",
      (const uint32_t[]){0, all}, 2);
  together("old values are a permutation",
           "atom.global.inc.u32 %r1, [%buffer], 0xffffffff; red.global.xor.b32 [%buffer+4], %r1; cvt.u64.u32 "
           "%q1, %r1;\n"
           "red.global.add.u64 [%buffer+8], %q1;",
           (const uint32_t[]){all, 0, all * (all - 1) / 2, 0}, 4);
}

void test_atomics(void) {
  every_form();
  probe_run(&(struct probe){.line = "atom.global.add.f32 %r1, [%at], %rb; ld.global.b32 %rd, [%at];",
                            .operands = {PROBE_F32, PROBE_F32},
                            .accepts = flushed_or_not});
  many_threads();
}
