/* Handlers that work lane by lane: the loop over all lanes becomes vector code, the one over some lanes writes only those.
 * Results may lie where operands do, since lane i alone reads and writes place i. */
#ifndef EMU_LANES_H
#define EMU_LANES_H

#include "interpreter.h"
#include "small_float.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __clang__
#define EMU_INDEPENDENT
#else
#define EMU_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Defines handler `name`: d = expression of a, b and c (values of the operands' lanes). */
#define EMU_LANEWISE(name, result_type, a_type, b_type, c_type, expression)                                  \
  static void name(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {                    \
    result_type *d = EMU_OPERAND_AT(w, &in->operand[0]);                                                     \
    const a_type *a_ = EMU_OPERAND_AT(w, &in->operand[1]);                                                   \
    const b_type *b_ = EMU_OPERAND_AT(w, &in->operand[2]);                                                   \
    const c_type *c_ = EMU_OPERAND_AT(w, &in->operand[3]);                                                   \
    if (mask == EMU_ALL_LANES) {                                                                             \
      EMU_INDEPENDENT for (unsigned lane = 0; lane < EMU_LANES; lane++) {                                    \
        const a_type a = a_[lane];                                                                           \
        const b_type b = b_[lane];                                                                           \
        const c_type c = c_[lane];                                                                           \
        (void)a, (void)b, (void)c;                                                                           \
        d[lane] = (result_type)(expression);                                                                 \
      }                                                                                                      \
    } else                                                                                                   \
      EMU_FOR_LANES(lane, mask) {                                                                            \
        const a_type a = a_[lane];                                                                           \
        const b_type b = b_[lane];                                                                           \
        const c_type c = c_[lane];                                                                           \
        (void)a, (void)b, (void)c;                                                                           \
        d[lane] = (result_type)(expression);                                                                 \
      }                                                                                                      \
  }

/* All four of one type. */
#define EMU_LANEWISE_SAME(name, type, expression) EMU_LANEWISE(name, type, type, type, type, expression)

/* Lanes whose word is not zero. */
static inline uint32_t emu_lanes_set(const uint32_t words[EMU_LANES]) {
  uint32_t set = 0;
#ifdef __SSE2__
  const __m128i zero = _mm_setzero_si128();
  for (unsigned i = 0; i < EMU_LANES; i += 16) {
    __m128i equal[4];
    for (unsigned j = 0; j < 4; j++)
      equal[j] = _mm_cmpeq_epi32(_mm_loadu_si128((const __m128i *)(const void *)(words + i + 4 * j)), zero);
    const __m128i low = _mm_packs_epi32(equal[0], equal[1]), high = _mm_packs_epi32(equal[2], equal[3]);
    set |= (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high)) << i;
  }
  return ~set;
#endif
  for (unsigned i = 0; i < EMU_LANES; i++)
    set |= (uint32_t)(words[i] != 0) << i;
  return set;
}

#endif
