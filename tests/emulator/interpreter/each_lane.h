/* Handlers of one, two and three sources, written as expressions, and tables of handlers by type. */
#ifndef EMU_EACH_LANE_H
#define EMU_EACH_LANE_H

#include "interpreter.h"

/* Results and sources are either the same register or apart from each other. */
#if defined(__clang__)
#define EMU_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define EMU_LOOP _Pragma("GCC ivdep")
#endif

/* For each lane i: d[i] = expression, in the lanes of mask. */
#define EMU_EACH_LANE(d, mask, expression)                                                                   \
  do {                                                                                                       \
    if ((mask) == EMU_ALL_LANES) {                                                                           \
      EMU_LOOP                                                                                               \
      for (int i = 0; i < EMU_LANES; i++)                                                                    \
        (d)[i] = (expression);                                                                               \
    } else {                                                                                                 \
      EMU_LOOP                                                                                               \
      for (int i = 0; i < EMU_LANES; i++)                                                                    \
        (d)[i] = (mask) >> i & 1 ? (expression) : (d)[i];                                                    \
    }                                                                                                        \
  } while (0)

#define EMU_HANDLER(name)                                                                                    \
  static void name(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask)
#define EMU_VALUES(type, name, slot) type *name = EMU_OPERAND_AT(w, &in->operand[slot])

/* A handler of one source x, whose type the result need not have. */
#define EMU_CONVERSION(name, to, from, expression)                                                           \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(to, d, 0);                                                                                    \
    EMU_VALUES(const from, a, 1);                                                                            \
    EMU_EACH_LANE(d, mask, ({                                                                                \
                    const from x = a[i];                                                                     \
                    (to)(expression);                                                                        \
                  }));                                                                                       \
  }

/* Handlers of one, two and three sources x, y, z of a type. */
#define EMU_UNARY(name, type, expression) EMU_CONVERSION(name, type, type, expression)
#define EMU_BINARY(name, type, expression)                                                                   \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_VALUES(const type, b, 2);                                                                            \
    EMU_EACH_LANE(d, mask, ({                                                                                \
                    const type x = a[i], y = b[i];                                                           \
                    (type)(expression);                                                                      \
                  }));                                                                                       \
  }
#define EMU_TERNARY(name, type, expression)                                                                  \
  EMU_HANDLER(name) {                                                                                        \
    EMU_VALUES(type, d, 0);                                                                                  \
    EMU_VALUES(const type, a, 1);                                                                            \
    EMU_VALUES(const type, b, 2);                                                                            \
    EMU_VALUES(const type, c, 3);                                                                            \
    EMU_EACH_LANE(d, mask, ({                                                                                \
                    const type x = a[i], y = b[i], z = c[i];                                                 \
                    (type)(expression);                                                                      \
                  }));                                                                                       \
  }

/* Handlers by type: 16, 32, 64 bits, unsigned and signed. */
struct emu_integer_handlers {
  emu_handler *u16, *s16, *u32, *s32, *u64, *s64;
};

static inline emu_handler *emu_integer_handler(const struct emu_integer_handlers *h, enum emu_type type) {
  switch (type) {
  case EMU_U16:
  case EMU_B16:
    return h->u16;
  case EMU_S16:
    return h->s16;
  case EMU_U32:
  case EMU_B32:
    return h->u32;
  case EMU_S32:
    return h->s32;
  case EMU_U64:
  case EMU_B64:
    return h->u64;
  case EMU_S64:
    return h->s64;
  default:
    return NULL;
  }
}

static inline bool emu_is_integer(enum emu_type type) {
  return type >= EMU_U8 && type <= EMU_B64;
}

/* The usual end of a decode function: `count` operands of the type's width. */
static inline enum emu_decode_result emu_decode_values(struct emu_decoder *d, struct emu_instruction *out,
                                                       emu_handler *run, unsigned count, unsigned bytes,
                                                       enum emu_class class) {
  out->run = run;
  out->class = (uint8_t) class;
  if (!run)
    return emu_refuse(d, "not for this type");
  return emu_bind_values(d, out, count, bytes) ? EMU_DECODED : EMU_UNSUPPORTED;
}

#endif
