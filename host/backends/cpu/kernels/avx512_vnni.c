/* Screening (screen.h) for AVX-512 with VNNI; the build gives this file its instruction set. vpdpbusd adds
 * the products of four unsigned and four signed numbers of 8 bits to each sum of 32. */
#include "backends/cpu/kernels.h"
#include "backends/cpu/kernels/simd.h"

#include <math.h>

enum { VECTORS = SCREEN_COLUMNS / LANES, ROWS = 4 };

/* Sizes between which products of inputs and weights are normal numbers. */
static const float LEAST = 0x1p-60f, MOST = 0x1p+60f;

/* What lengths may be too small by: their sums and roots are rounded. */
static const float ROUNDED = 1.001f;

static bool screen_begin(const float *x, int32_t count, struct cpu_screen_row *row) {
  const vf sign = v_set(-0.0f);
  vf largest = v_set(0.0f), length = v_set(0.0f), lost = v_set(0.0f);
  for (int32_t k = 0; k < count; k += LANES) {
    const vf here = count - k >= LANES ? v_load(x + k) : v_load_first(x + k, count - k);
    largest = v_at_least(largest, _mm512_andnot_ps(sign, here));
    length = v_fma(here, here, length);
  }
  const float most = v_largest(largest), sum = v_sum(length);
  if (!(most >= LEAST && most <= MOST && sum <= MOST * MOST)) /* a NaN is in the sum */
    return false;
  const float scale = most / 127.0f;
  const vf steps = v_set(127.0f / most), back = v_set(-scale);
  for (int32_t k = 0; k < count; k += LANES) {
    const vf here = count - k >= LANES ? v_load(x + k) : v_load_first(x + k, count - k);
    const vf rounded =
        v_at_least(v_set(-127.0f), v_at_most(v_set(127.0f), _mm512_roundscale_ps(here * steps, 8)));
    const vf rest = v_fma(rounded, back, here);
    lost = v_fma(rest, rest, lost);
    const __m512i whole = _mm512_cvtps_epi32(rounded + v_set(128.0f));
    _mm_storeu_si128((__m128i *)(void *)(row->inputs + k), _mm512_cvtepi32_epi8(whole));
  }
  row->scale = scale;
  row->length = sqrtf(sum) * ROUNDED;
  row->lost = sqrtf(v_sum(lost)) * ROUNDED;
  return true;
}

/* The sums of a group for R rows: sums[r][v]. */
INLINE void group_sums(const int R, const int8_t *weights, const int32_t *start, int32_t fours,
                       const struct cpu_screen_row *rows, __m512i sums[][VECTORS]) {
  UNROLL
  for (int r = 0; r < R; r++)
    UNROLL
  for (int v = 0; v < VECTORS; v++)
    sums[r][v] = _mm512_loadu_si512(start + v * LANES);
  for (int32_t k = 0; k < fours; k++, weights += SCREEN_INPUTS * SCREEN_COLUMNS) {
    __m512i w[VECTORS];
    UNROLL
    for (int v = 0; v < VECTORS; v++)
      w[v] = _mm512_loadu_si512(weights + v * SCREEN_INPUTS * LANES);
    UNROLL
    for (int r = 0; r < R; r++) {
      int32_t four;
      memcpy(&four, rows[r].inputs + SCREEN_INPUTS * k, sizeof four);
      const __m512i x = _mm512_set1_epi32(four);
      UNROLL
      for (int v = 0; v < VECTORS; v++)
        sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], x, w[v]);
    }
  }
}

INLINE void group_of_rows(const int R, const struct cpu_screen *screen, int32_t group,
                          const struct cpu_screen_row *rows, vf *least) {
  const int32_t fours = (screen->inputs + SCREEN_INPUTS - 1) / SCREEN_INPUTS;
  const size_t first = (size_t)group * SCREEN_COLUMNS;
  __m512i sums[ROWS][VECTORS];
  group_sums(R, screen->weights + first * SCREEN_INPUTS * (size_t)fours, screen->start + first, fours, rows,
             sums);
  UNROLL
  for (int v = 0; v < VECTORS; v++) {
    const size_t at = first + (size_t)(v * LANES);
    const float *errors = screen->errors + at / LANES * SCREEN_ERRORS;
    const vf scale = v_load(screen->scale + at), bias = v_load(screen->bias + at);
    UNROLL
    for (int r = 0; r < R; r++) {
      const float error = errors[0] * rows[r].length + errors[1] * rows[r].lost + errors[2];
      const vf about = v_fma(_mm512_cvtepi32_ps(sums[r][v]), scale * v_set(rows[r].scale), bias);
      v_store(rows[r].most + at, about + v_set(error));
      least[r] = v_at_least(least[r], about - v_set(error));
    }
  }
}

#define GROUPS_CASE(R)                                                                                       \
  case R:                                                                                                    \
    for (int32_t n = 0; n < part.count; n++)                                                                 \
      group_of_rows(R, screen, part.first + n, rows + first, lower);                                         \
    break;

static void screen_groups(const struct cpu_screen *screen, struct cpu_part part,
                          const struct cpu_screen_row *rows, int32_t count, float *least) {
  for (int32_t first = 0; first < count; first += ROWS) {
    const int32_t here = count - first < ROWS ? count - first : ROWS;
    vf lower[ROWS];
    for (int r = 0; r < ROWS; r++)
      lower[r] = v_set(-__builtin_inff());
    switch (here) {
      GROUPS_CASE(1)
      GROUPS_CASE(2)
      GROUPS_CASE(3)
      GROUPS_CASE(4)
    }
    for (int32_t r = 0; r < here; r++)
      least[first + r] = v_largest(lower[r]);
  }
}

static int32_t screen_select(const struct cpu_screen *screen, const float *most, float least, int32_t *found,
                             int32_t room) {
  const vf bound = v_set(least);
  int32_t count = 0;
  for (int32_t first = 0; first < screen->units && count <= room;
       first += SCREEN_COLUMNS, most += SCREEN_COLUMNS) {
    int some = 0;
    UNROLL
    for (int v = 0; v < VECTORS; v++)
      some |= _mm512_cmp_ps_mask(v_load(most + v * LANES), bound, _CMP_GE_OQ);
    if (some && count < room)
      found[count] = first / SCREEN_COLUMNS;
    count += some != 0;
  }
  return count;
}

const struct cpu_screening cpu_screening_avx512_vnni = {
    .begin = screen_begin,
    .groups = screen_groups,
    .select = screen_select,
};
