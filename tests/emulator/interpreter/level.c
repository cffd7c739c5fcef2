/* Chooses the level once; CUSEQ_EMULATOR_LEVEL (portable, avx2, avx512) lowers it, so that tests can run
 * each. Compiled once, not per level. */
#include "level.h"

#include <stdlib.h>
#include <string.h>

extern const struct emu_family *const emu_families_portable[];
#ifdef EMU_X86_LEVELS
extern const struct emu_family *const emu_families_avx2[];
extern const struct emu_family *const emu_families_avx512[];
#endif

static int choose(void) {
  int best = 0;
#ifdef EMU_X86_LEVELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    best = 1;
  if (best && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    best = 2;
#endif
  const char *asked = getenv("CUSEQ_EMULATOR_LEVEL");
  if (asked && !strcmp(asked, "portable"))
    return 0;
  if (asked && !strcmp(asked, "avx2") && best > 1)
    return 1;
  return best;
}

const struct emu_family *const *emu_level_families(void) {
  switch (choose()) {
#ifdef EMU_X86_LEVELS
  case 2:
    return emu_families_avx512;
  case 1:
    return emu_families_avx2;
#endif
  default:
    return emu_families_portable;
  }
}

const char *emu_level_name(void) {
  return (const char *const[]){"portable", "avx2", "avx512"}[choose()];
}
