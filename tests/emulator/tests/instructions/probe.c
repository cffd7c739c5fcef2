#include "probe.h"

#include "../../core.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 4, NOISE = 1500, MOST_FAILURES = 200 };

static int failures, cases;

int probe_failures(void) {
  return failures;
}

int probe_cases(void) {
  return cases;
}

void probe_check(bool holds, const char *format, ...) {
  cases++;
  if (holds)
    return;
  va_list list;
  va_start(list, format);
  printf("FAILED ");
  vprintf(format, list);
  printf("\n");
  va_end(list);
  if (++failures >= MOST_FAILURES)
    exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = calloc(1, bytes ? bytes : 1);
  if (!memory) {
    fprintf(stderr, "out of memory\n");
    exit(2);
  }
  return memory;
}

static char *text_of(const char *format, ...) {
  char *text = NULL;
  va_list list;
  va_start(list, format);
  if (vasprintf(&text, format, list) < 0)
    exit(2);
  va_end(list);
  return text;
}

/* ---- Launching ---- */

char *probe_launch(const char *ptx, unsigned blocks, unsigned threads, unsigned cluster, uint32_t *buffer,
                   size_t words) {
  struct emu_error error = {0};
  struct emu_module *module = NULL;
  uint64_t address = 0;
  char *report = NULL;
  const struct emu_operation host = {.id = 0, .name = "test"};
  static uint32_t operations;
  if (emu_module_load(ptx, strlen(ptx), false, 0, &module, &error) != EMU_OK)
    return text_of("%s", error.text);
  struct emu_kernel *kernel = emu_module_kernel(module, "probe");
  if (!kernel)
    report = text_of("no kernel named probe");
  if (!report && emu_memory_allocate(0, words * 4, EMU_MEMORY_DEVICE, "test", &address, &error) != EMU_OK)
    report = text_of("%s", error.text);
  struct emu_operation operation = host;
  operation.id = ++operations;
  if (!report && emu_memory_copy_in(address, buffer, words * 4, &operation, &error) != EMU_OK)
    report = text_of("%s", error.text);
  if (!report) {
    struct emu_launch_parameters p = {.kernel = kernel, .grid = {blocks, 1, 1}, .block = {threads, 1, 1}};
    struct emu_launch_result result;
    p.cluster = (struct emu_dim3){cluster, cluster ? 1 : 0, cluster ? 1 : 0};
    p.arguments = &address;
    p.argument_bytes = sizeof address;
    p.operation = (struct emu_operation){.id = ++operations, .name = "launch"};
    emu_launch(&p, &result);
    if (result.status != EMU_OK || result.report)
      report = text_of("status %d: %s", (int)result.status, result.report ? result.report : "no report");
    emu_launch_result_free(&result);
  }
  operation.id = ++operations;
  if (!report && emu_memory_copy_out(buffer, address, words * 4, &operation, &error) != EMU_OK)
    report = text_of("%s", error.text);
  if (address)
    emu_memory_free(address, &error);
  emu_module_unload(module);
  return report;
}

char *probe_kernel(const char *body, unsigned shared_bytes) {
  return text_of(
      ".version 8.6\n.target sm_90\n.address_size 64\n"
      ".visible .entry probe(.param .u64 probe_buffer) {\n"
      ".reg .pred %%p<8>; .reg .b16 %%h<16>; .reg .b32 %%r<64>; .reg .b64 %%q<32>; .reg .b128 %%x<4>;\n"
      ".reg .f32 %%f<32>; .reg .f64 %%g<16>;\n"
      ".reg .b64 %%buffer, %%mine; .reg .b32 %%thread, %%block, %%threads;\n"
      ".shared .align 128 .b8 sdata[%u];\n"
      "ld.param.u64 %%buffer, [probe_buffer];\ncvta.to.global.u64 %%buffer, %%buffer;\n"
      "mov.u32 %%thread, %%tid.x;\nmov.u32 %%block, %%ctaid.x;\nmov.u32 %%threads, %%ntid.x;\n"
      "mad.wide.u32 %%mine, %%thread, 4, %%buffer;\n"
      "%s\nret;\n}\n",
      shared_bytes ? shared_bytes : 16, body);
}

/* ---- Operands ---- */

struct values {
  uint64_t *at;
  size_t count;
};

static enum oracle_format format_of(enum probe_operand operand) {
  switch (operand) {
  case PROBE_F16:
  case PROBE_F16X2:
    return F16;
  case PROBE_BF16:
  case PROBE_BF16X2:
    return BF16;
  case PROBE_F64:
    return F64;
  default:
    return F32;
  }
}

static const uint64_t *edges_of(enum probe_operand operand, int *count) {
  static const uint64_t bits[] = {0, 1};
  switch (operand) {
  case PROBE_NONE:
    *count = 1;
    return bits;
  case PROBE_BIT:
    *count = 2;
    return bits;
  case PROBE_I8:
    return oracle_integer_edges(8, count);
  case PROBE_I16:
    return oracle_integer_edges(16, count);
  case PROBE_I32:
    return oracle_integer_edges(32, count);
  case PROBE_I64:
    return oracle_integer_edges(64, count);
  default:
    return oracle_edges(format_of(operand), count);
  }
}

static uint64_t edge(enum probe_operand operand, size_t index) {
  int count;
  const uint64_t *edges = edges_of(operand, &count);
  const uint64_t value = edges[index % (size_t)count];
  if (operand == PROBE_F16X2 || operand == PROBE_BF16X2)
    return value | edges[(index * 7 + 3) % (size_t)count] << 16;
  return value;
}

/* Half of the noise is any bits, half is floats whose exponents are near each other. */
static uint64_t noise(enum probe_operand operand, uint64_t *state, bool near) {
  const uint64_t bits = oracle_noise(state);
  switch (operand) {
  case PROBE_NONE:
    return 0;
  case PROBE_BIT:
    return bits & 1;
  case PROBE_I8:
    return bits & 0xff;
  case PROBE_I16:
    return bits & 0xffff;
  case PROBE_I32:
    return bits & 0xffffffff;
  case PROBE_I64:
    return bits;
  case PROBE_F32:
    return near ? (bits & 0x80ffffff) | (0x3c000000 + (bits >> 32 & 0x07000000)) : bits & 0xffffffff;
  case PROBE_F64:
    return near ? (bits & 0x803fffffffffffff) | 0x3fc0000000000000 : bits;
  case PROBE_F16:
    return near ? (bits & 0x8fff) | 0x3000 : bits & 0xffff;
  case PROBE_BF16:
    return near ? (bits & 0x81ff) | 0x3e00 : bits & 0xffff;
  default:
    return bits & (near ? 0xbfffbfff : 0xffffffff);
  }
}

/* All combinations of edges (fewer edges the more operands there are), then noise; 16 bits alone are tried
 * out. */
static struct values operands_for(const struct probe *probe) {
  size_t counts[3], edges = 1, arity = 0;
  for (int i = 0; i < 3; i++) {
    int count;
    edges_of(probe->operands[i], &count);
    counts[i] = (size_t)count;
    arity += probe->operands[i] != PROBE_NONE;
  }
  if (arity == 3)
    for (int i = 0; i < 3; i++)
      counts[i] = counts[i] > 17 ? 17 : counts[i];
  for (int i = 0; i < 3; i++)
    edges *= counts[i];
  const bool whole = arity == 1 && (probe->operands[0] == PROBE_F16 || probe->operands[0] == PROBE_BF16 ||
                                    probe->operands[0] == PROBE_I16);
  const size_t count = edges + NOISE + (whole ? 65536 : 0);
  struct values v = {allocate(count * 3 * sizeof *v.at), count};
  uint64_t state = 12345;
  for (size_t n = 0; n < count; n++) {
    uint64_t *x = v.at + 3 * n;
    size_t rest = n;
    for (int i = 0; i < 3; i++) {
      int all;
      edges_of(probe->operands[i], &all);
      /* the cut list takes its samples evenly */
      const size_t index = rest % counts[i] * (size_t)all / counts[i];
      x[i] = n < edges ? edge(probe->operands[i], index) : noise(probe->operands[i], &state, n % 2);
      rest /= counts[i];
    }
    if (n >= edges + NOISE)
      x[0] = n - edges - NOISE;
  }
  return v;
}

/* ---- Cases ---- */

static char *kernel_for(const char *line, size_t count) {
  const char *const stores[] = {"%hd", "%rd", "%qd", "%pd"};
  const char *const collects[] = {"cvt.u64.u16 %qd, %hd;", "cvt.u64.u32 %qd, %rd;", "",
                                  "selp.b64 %qd, 1, 0, %pd; selp.b64 %qe, 2, 0, %pe; or.b64 %qd, %qd, %qe;"};
  const char *collect = "";
  for (int i = 0; i < 4; i++)
    if (strstr(line, stores[i]))
      collect = collects[i];
  char *body = text_of(
      ".reg .pred %%pa, %%pb, %%pc, %%pd, %%pe, %%done; .reg .b16 %%ha, %%hb, %%hc, %%hd; .reg .b32 %%ra, "
      "%%rb, %%rc, %%rd, %%n;\n"
      ".reg .b64 %%qa, %%qb, %%qc, %%qd, %%qe, %%at;\n"
      "mad.lo.u32 %%n, %%block, %%threads, %%thread;\nsetp.ge.u32 %%done, %%n, %zu;\n@%%done ret;\n"
      "mad.wide.u32 %%at, %%n, 24, %%buffer;\n"
      "ld.global.b64 %%qa, [%%at];\nld.global.b64 %%qb, [%%at+8];\nld.global.b64 %%qc, [%%at+16];\n"
      "cvt.u32.u64 %%ra, %%qa;\ncvt.u32.u64 %%rb, %%qb;\ncvt.u32.u64 %%rc, %%qc;\n"
      "cvt.u16.u64 %%ha, %%qa;\ncvt.u16.u64 %%hb, %%qb;\ncvt.u16.u64 %%hc, %%qc;\n"
      "and.b32 %%rd, %%ra, 1;\nsetp.ne.u32 %%pa, %%rd, 0;\nand.b32 %%rd, %%rb, 1;\nsetp.ne.u32 %%pb, %%rd, "
      "0;\n"
      "and.b32 %%rd, %%rc, 1;\nsetp.ne.u32 %%pc, %%rd, 0;\nsetp.ne.u32 %%pd, 0, 0;\nsetp.ne.u32 %%pe, 0, 0;\n"
      "mov.b16 %%hd, 0;\nmov.b32 %%rd, 0;\nmov.b64 %%qd, 0;\n%s\n%s\nst.global.b64 [%%at], %%qd;\n",
      count, line, collect);
  char *text = probe_kernel(body, 1024);
  free(body);
  return text;
}

static bool same_float(enum oracle_format format, uint64_t got, uint64_t want) {
  return got == want || (oracle_is_nan(format, got) && oracle_is_nan(format, want));
}

static bool is_right(const struct probe *probe, const uint64_t x[3], uint64_t got, uint64_t want) {
  if (probe->accepts)
    return probe->accepts(x, got, probe->detail);
  switch (probe->result) {
  case PROBE_BITS:
    return got == want;
  case PROBE_RESULT_F16:
    return same_float(F16, got, want);
  case PROBE_RESULT_BF16:
    return same_float(BF16, got, want);
  case PROBE_RESULT_F32:
    return same_float(F32, got, want);
  case PROBE_RESULT_F64:
    return same_float(F64, got, want);
  case PROBE_RESULT_F16X2:
    return same_float(F16, got & 0xffff, want & 0xffff) && same_float(F16, got >> 16, want >> 16);
  case PROBE_RESULT_BF16X2:
    return same_float(BF16, got & 0xffff, want & 0xffff) && same_float(BF16, got >> 16, want >> 16);
  }
  return false;
}

void probe_run(const struct probe *probe) {
  struct values v = operands_for(probe);
  uint64_t *results = allocate(v.count * 3 * sizeof *results);
  memcpy(results, v.at, v.count * 3 * sizeof *results);
  char *ptx = kernel_for(probe->line, v.count);
  char *report = probe_launch(ptx, (unsigned)(v.count + 127) / 128, 128, 0, (uint32_t *)results, v.count * 6);
  if (report)
    probe_check(false, "%s: %s", probe->line, report);
  size_t wrong = 0;
  for (size_t i = 0; i < v.count && !report; i++) {
    const uint64_t *x = v.at + 3 * i, got = results[3 * i];
    const uint64_t want = probe->expected ? probe->expected(x, probe->detail) : 0;
    if (is_right(probe, x, got, want))
      continue;
    if (wrong++ < SHOWN)
      printf("  %s with %" PRIx64 ", %" PRIx64 ", %" PRIx64 ": got %" PRIx64 ", want %" PRIx64 "\n",
             probe->line, x[0], x[1], x[2], got, want);
  }
  if (!report)
    probe_check(wrong == 0, "%s: %zu of %zu results are wrong", probe->line, wrong, v.count);
  free(report);
  free(ptx);
  free(results);
  free(v.at);
}

void probe_format(struct probe probe, const char *format, ...) {
  char *line = NULL;
  va_list list;
  va_start(list, format);
  if (vasprintf(&line, format, list) < 0)
    exit(2);
  va_end(list);
  probe.line = line;
  probe_run(&probe);
  free(line);
}

bool probe_is_refused(const char *line) {
  uint64_t operands[3] = {0};
  char *ptx = kernel_for(line, 1), *report = probe_launch(ptx, 1, 32, 0, (uint32_t *)operands, 6);
  const bool refused = report;
  free(report);
  free(ptx);
  return refused;
}
