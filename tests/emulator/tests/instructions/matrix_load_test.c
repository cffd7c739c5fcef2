/* ldmatrix, stmatrix, movmatrix: elements name their matrix, row and column. */
#include "families.h"
#include "probe.h"
#include "text.h"

#include <stdlib.h>

enum { LANES = 32, PITCH = 48 /* bytes between rows in shared memory */ };

static uint16_t name_of(unsigned matrix, unsigned row, unsigned column) {
  return (uint16_t)(matrix << 8 | row << 4 | column);
}

/* The pair that lane l holds of a matrix. */
static uint32_t pair_of(unsigned matrix, unsigned lane, bool transposed) {
  const unsigned row = lane / 4, column = lane % 4 * 2;
  if (transposed)
    return name_of(matrix, column, row) | (uint32_t)name_of(matrix, column + 1, row) << 16;
  return name_of(matrix, row, column) | (uint32_t)name_of(matrix, row, column + 1) << 16;
}

static void add_list(struct text *text, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    text_add(text, "%s%%r%u", i ? ", " : "{", i);
  text_add(text, "}");
}

/* Lane l writes row l (of the l / 8-th matrix) from the buffer to shared memory, and all load. */
static void check_load(unsigned count, bool transposed, const char *space) {
  struct text body = {0};
  uint32_t buffer[LANES * 8] = {0};
  for (unsigned lane = 0; lane < LANES; lane++)
    for (unsigned i = 0; i < 4; i++)
      buffer[lane * 4 + i] =
          name_of(lane / 8, lane % 8, 2 * i) | (uint32_t)name_of(lane / 8, lane % 8, 2 * i + 1) << 16;
  text_add(
      &body,
      "mad.wide.u32 %%mine, %%thread, 16, %%buffer; ld.global.v4.b32 {%%r0, %%r1, %%r2, %%r3}, [%%mine];\n"
      "mov.b32 %%r10, sdata; mad.lo.u32 %%r10, %%thread, %d, %%r10;\n"
      "st.shared.v4.b32 [%%r10], {%%r0, %%r1, %%r2, %%r3}; bar.warp.sync 0xffffffff;\n"
      "cvt.u64.u32 %%q1, %%r10; cvta.shared.u64 %%q1, %%q1;\n"
      "ldmatrix.sync.aligned.m8n8.x%u%s%s.b16 ",
      PITCH, count, transposed ? ".trans" : "", space);
  add_list(&body, count);
  text_add(&body, ", [%s];\nmad.wide.u32 %%mine, %%thread, 16, %%buffer;\n", *space ? "%r10" : "%q1");
  for (unsigned i = 0; i < count; i++)
    text_add(&body, "st.global.b32 [%%mine+%u], %%r%u;\n", 512 + 4 * i, i);
  char *kernel = probe_kernel(body.at, LANES * PITCH),
       *report = probe_launch(kernel, 1, LANES, 0, buffer, LANES * 8);
  unsigned wrong = 0;
  for (unsigned lane = 0; lane < LANES && !report; lane++)
    for (unsigned i = 0; i < count; i++)
      wrong += buffer[128 + lane * 4 + i] != pair_of(i, lane, transposed);
  probe_check(!report && !wrong, "ldmatrix x%u transposed %d%s: %u wrong %s", count, transposed, space, wrong,
              report ? report : "");
  free(report);
  free(kernel);
  text_free(&body);
}

static void check_store(unsigned count, bool transposed) {
  struct text body = {0};
  uint32_t buffer[LANES * 8] = {0};
  for (unsigned lane = 0; lane < LANES; lane++)
    for (unsigned i = 0; i < 4; i++)
      buffer[lane * 4 + i] = pair_of(i, lane, transposed);
  text_add(
      &body,
      "mad.wide.u32 %%mine, %%thread, 16, %%buffer; ld.global.v4.b32 {%%r0, %%r1, %%r2, %%r3}, [%%mine];\n"
      "mov.b32 %%r10, sdata; mad.lo.u32 %%r10, %%thread, %d, %%r10;\n"
      "stmatrix.sync.aligned.m8n8.x%u%s.shared.b16 [%%r10], ",
      PITCH, count, transposed ? ".trans" : "");
  add_list(&body, count);
  text_add(&body,
           "; bar.warp.sync 0xffffffff; setp.ge.u32 %%p1, %%thread, %u; @%%p1 ret;\n"
           "ld.shared.v4.b32 {%%r0, %%r1, %%r2, %%r3}, [%%r10]; st.global.v4.b32 [%%mine+512], {%%r0, %%r1, "
           "%%r2, %%r3};\n",
           count * 8);
  char *kernel = probe_kernel(body.at, LANES * PITCH),
       *report = probe_launch(kernel, 1, LANES, 0, buffer, LANES * 8);
  unsigned wrong = 0;
  for (unsigned row = 0; row < count * 8 && !report; row++)
    for (unsigned i = 0; i < 4; i++)
      wrong += buffer[128 + row * 4 + i] !=
               (name_of(row / 8, row % 8, 2 * i) | (uint32_t)name_of(row / 8, row % 8, 2 * i + 1) << 16);
  probe_check(!report && !wrong, "stmatrix x%u transposed %d: %u wrong %s", count, transposed, wrong,
              report ? report : "");
  free(report);
  free(kernel);
  text_free(&body);
}

static void check_move(void) {
  uint32_t buffer[LANES];
  for (unsigned lane = 0; lane < LANES; lane++)
    buffer[lane] = pair_of(3, lane, false);
  char *kernel = probe_kernel("ld.global.b32 %r0, [%mine]; movmatrix.sync.aligned.m8n8.trans.b16 %r1, %r0;\n"
                              "st.global.b32 [%mine], %r1;",
                              0);
  char *report = probe_launch(kernel, 1, LANES, 0, buffer, LANES);
  unsigned wrong = 0;
  for (unsigned lane = 0; lane < LANES; lane++)
    wrong += buffer[lane] != pair_of(3, lane, true);
  probe_check(!report && !wrong, "movmatrix: %u wrong %s", wrong, report ? report : "");
  free(report);
  free(kernel);
}

void test_matrix_load(void) {
  for (unsigned count = 1; count <= 4; count *= 2)
    for (unsigned transposed = 0; transposed < 2; transposed++) {
      check_load(count, transposed, ".shared");
      check_load(count, transposed, ".shared::cta");
      check_load(count, transposed, "");
      check_store(count, transposed);
    }
  check_move();
}
