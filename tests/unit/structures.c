/* Structures of version 2 by chance on every backend, against the float64 reference. */
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* The device tests build this file again, for their device and with fewer structures. */
#ifndef STRUCTURES_DEVICES
#define STRUCTURES_DEVICES "cpu"
#define STRUCTURES_SMALL 300
#define STRUCTURES_MIDDLE 60
#define STRUCTURES_LARGE 60
#endif

static const char *const devices[] = {STRUCTURES_DEVICES};
enum { DEVICES = sizeof devices / sizeof *devices };

static void check_structure(const struct random_structure *made, const char *device) {
  struct results want, got;
  const char *name;
  random_structure_run(made, "reference", 1, &want);
  random_structure_run(made, device, 0, &got);
  cr_expect(results_guards_whole(&got, &name), "%s writes outside %s: %s", device, name, made->json);
  cr_expect(results_close(&got, &want, 1.0), "%s: %s: B %d (%d encoded) T %d Y %d%s%s%s: %s", device,
            results_report(), (int)made->B, (int)made->encoded, (int)made->T, (int)made->Y,
            made->ids ? " ids" : "", made->lengths ? " lengths" : "", made->targets ? " targets" : "",
            made->json);
  results_free(&got);
  results_free(&want);
}

static void check_structures(uint64_t seed, int count, int32_t largest) {
  for (int d = 0; d < DEVICES; d++) {
    struct random random = {seed};
    for (int i = 0; i < count; i++) {
      struct random_structure made;
      random_structure_make(&made, &random, largest);
      check_structure(&made, devices[d]);
      if (i % 4 == 0 && random_structure_give(&made, largest))
        check_structure(&made, devices[d]);
      random_structure_free(&made);
    }
  }
}

Test(structures, any_small_structure_agrees_with_the_reference) {
  check_structures(101, STRUCTURES_SMALL, 9);
}

Test(structures, any_structure_of_middle_size_agrees_with_the_reference) {
  check_structures(102, STRUCTURES_MIDDLE, 40);
}

Test(structures, every_size_of_one_agrees_with_the_reference) {
  check_structures(103, STRUCTURES_SMALL / 3, 1);
}

#ifdef STRUCTURES_LARGE
/* One row and two through cells and layers as trained models have them, whose weights leave the caches one by
 * one: how one row's products are made depends on that. */
Test(structures, any_structure_of_large_layers_and_few_rows_agrees_with_the_reference) {
  struct random random = {104};
  for (int i = 0; i < STRUCTURES_LARGE; i++) {
    char json[RANDOM_STRUCTURE_JSON];
    struct random own = random_next(&random), sizes = random_named(&own, "sizes");
    const int32_t T = 1 + random_below(&sizes, 5), Y = 1 + random_below(&sizes, 4);
    struct random_structure made;
    random_structure_json(&own, 400, T, Y, json);
    random_structure_of(&made, json, &own, 2, T, Y);
    check_structure(&made, "cpu");
    random_structure_free(&made);
  }
}
#endif
