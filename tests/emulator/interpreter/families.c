/* Every family of instructions, in the order in which they are asked for an opcode. */
#include "interpreter.h"

#define EMU_FAMILIES(X)                                                                                                \
  X(integer)

#define DECLARE(name) extern const struct emu_family EMU_VARIANT(emu_family_##name);
EMU_FAMILIES(DECLARE)

extern const struct emu_family *const EMU_VARIANT(emu_families)[];
#define LIST(name) &EMU_VARIANT(emu_family_##name),
const struct emu_family *const EMU_VARIANT(emu_families)[] = {EMU_FAMILIES(LIST) NULL};
