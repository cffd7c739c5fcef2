/* Handlers that work lane by lane: the loop over all lanes becomes vector code, the one over some lanes
 * writes only those. Results may lie where operands do, since lane i alone reads and writes place i. */
#ifndef EMU_LANES_H
#define EMU_LANES_H

#include "interpreter.h"
#include "small_float.h"

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
      EMU_FOR_LANES (lane, mask) {                                                                           \
        const a_type a = a_[lane];                                                                           \
        const b_type b = b_[lane];                                                                           \
        const c_type c = c_[lane];                                                                           \
        (void)a, (void)b, (void)c;                                                                           \
        d[lane] = (result_type)(expression);                                                                 \
      }                                                                                                      \
  }

/* All four of one type. */
#define EMU_LANEWISE_SAME(name, type, expression) EMU_LANEWISE(name, type, type, type, type, expression)

#endif
