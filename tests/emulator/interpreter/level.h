/* The families as compiled for this host's processor. */
#ifndef EMU_LEVEL_H
#define EMU_LEVEL_H

#include "../program/decoder.h"

const struct emu_family *const *emu_level_families(void);
const char *emu_level_name(void);

#endif
