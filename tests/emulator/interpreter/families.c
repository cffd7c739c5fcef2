/* Every family of instructions, in the order in which they are asked for an opcode. */
#include "interpreter.h"

#define EMU_FAMILIES(X)                                                                                      \
  X(half)                                                                                                    \
  X(half_compare)                                                                                            \
  X(half_convert)                                                                                            \
  X(mma)                                                                                                     \
  X(wmma)                                                                                                    \
  X(matrix_load)                                                                                             \
  X(async_copy)                                                                                              \
  X(bulk_copy)                                                                                               \
  X(mbarrier)                                                                                                \
  X(cluster)                                                                                                 \
  X(carry)                                                                                                   \
  X(integer)                                                                                                 \
  X(float)                                                                                                   \
  X(double)                                                                                                  \
  X(approximate)                                                                                             \
  X(convert)                                                                                                 \
  X(dot)                                                                                                     \
  X(fields)                                                                                                  \
  X(shuffle)                                                                                                 \
  X(vote)                                                                                                    \
  X(bits)                                                                                                    \
  X(compare)                                                                                                 \
  X(move)                                                                                                    \
  X(control)                                                                                                 \
  X(memory)                                                                                                  \
  X(atomic)                                                                                                  \
  X(barrier)

#define DECLARE(name) extern const struct emu_family EMU_VARIANT(emu_family_##name);
EMU_FAMILIES(DECLARE)

extern const struct emu_family *const EMU_VARIANT(emu_families)[];
#define LIST(name) &EMU_VARIANT(emu_family_##name),
const struct emu_family *const EMU_VARIANT(emu_families)[] = {EMU_FAMILIES(LIST) NULL};
