/* Instruction tests: emulator_instructions FAMILY..., or all of them. */
#include "families.h"
#include "probe.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  void (*run)(void);
} families[] = {
#define LIST(name) {#name, test_##name},
    EMU_TEST_FAMILIES(LIST)};

int main(int argc, char **argv) {
  int known = argc == 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
    int wanted = argc == 1;
    for (int j = 1; j < argc; j++)
      wanted |= !strcmp(argv[j], families[i].name);
    if (!wanted)
      continue;
    known = 1;
    const int cases = probe_cases(), failures = probe_failures();
    families[i].run();
    printf("%-16s %d cases, %d failed\n", families[i].name, probe_cases() - cases,
           probe_failures() - failures);
  }
  if (!known) {
    fprintf(stderr, "emulator_instructions: no such family\n");
    return 2;
  }
  return probe_failures() != 0;
}
