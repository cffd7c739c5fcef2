/* Models in cuseq's format against what Keras and PyTorch compute from them: models/NAME.safetensors beside
 * models/NAME.npz, each on each device. Run from the repository's root. */
#include "index.h"
#include "vector.h"

#include "formats/npz.h"
#include "support/folder.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

/* The device tests build this file again for theirs. */
#ifndef GOLDEN_DEVICES
#define GOLDEN_DEVICES "reference", "cpu"
#endif
static const char *const devices[] = {GOLDEN_DEVICES};

/* The reference computes in float64 and rounds to float32 once: by half a unit in the last place. */
static const double ROUNDING = 6.1e-8;

enum { DEVICES = sizeof devices / sizeof *devices, FEWEST = 170 };

static void check_model(const char *safetensors) {
  char path[220];
  cuseq_model *model;
  cr_assert(cuseq_model_load(safetensors, &model) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  snprintf(path, sizeof path, "%s", safetensors);
  strcpy(strrchr(path, '.'), ".npz");
  for (int d = 0; d < DEVICES; d++)
    cr_expect(vector_holds(model, path, devices[d], ROUNDING), "%s on %s: %s", path, devices[d],
              vector_report());
  cuseq_model_destroy(model);
}

/* A process of its own for each model would take longer than its test. */
ParameterizedTestParameters(golden, models_give_what_their_frameworks_computed) {
  return cr_make_param_array(int, index_shares(), INDEX_SHARES);
}

ParameterizedTest(int *share, golden, models_give_what_their_frameworks_computed) {
  glob_t found;
  cr_assert(glob("tests/golden/models/*.safetensors", 0, NULL, &found) == 0);
  for (size_t i = (size_t)*share; i < found.gl_pathc; i += INDEX_SHARES)
    check_model(found.gl_pathv[i]);
  globfree(&found);
}

Test(golden, all_the_models_are_there) {
  glob_t found;
  cr_assert(glob("tests/golden/models/*.safetensors", 0, NULL, &found) == 0,
            "run from the repository's root");
  cr_assert(found.gl_pathc >= FEWEST, "%zu models", found.gl_pathc);
  globfree(&found);
}

/* Loads a model and its vector, lets `spoil` loose on an array of it, and expects the comparison to name
 * `found`. */
static void expect_found_in(const char *model_name, const char *name, const char *found,
                            void (*spoil)(struct npz_entry *entry)) {
  cuseq_model *model;
  struct npz vector;
  char path[200];
  snprintf(path, sizeof path, "tests/golden/models/%s.safetensors", model_name);
  cr_assert(cuseq_model_load(path, &model) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  snprintf(path, sizeof path, "tests/golden/models/%s.npz", model_name);
  cr_assert(npz_read(path, &vector) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  for (size_t i = 0; i < vector.count; i++)
    if (strcmp(vector.entries[i].name, name) == 0)
      spoil(&vector.entries[i]);
  cr_assert(npz_write(folder_path("spoiled.npz"), &vector, NPZ_STORED) == CUSEQ_STATUS_OK, "%s",
            cuseq_last_error());
  cr_expect(!vector_holds(model, folder_path("spoiled.npz"), "reference", 1e-6), "%s", name);
  cr_expect(strstr(vector_report(), found), "%s: %s", name, vector_report());
  npz_free(&vector);
  cuseq_model_destroy(model);
}

static void expect_found(const char *model_name, const char *name, void (*spoil)(struct npz_entry *entry)) {
  expect_found_in(model_name, name, name, spoil);
}

static void nudge_last(struct npz_entry *entry) {
  ((double *)entry->array.data)[entry->array.count - 1] += 1e-5;
}

static void other_token(struct npz_entry *entry) {
  ((int32_t *)entry->array.data)[entry->array.count - 1] ^= 1;
}

/* Another token, row or length, in range where 1 is. */
static void first_token(struct npz_entry *entry) {
  int32_t *value = entry->array.data;
  *value = *value == 1 ? 2 : 1;
}

static void nudge_first(struct npz_entry *entry) {
  *(float *)entry->array.data += 0.5f;
}

static void shorter(struct npz_entry *entry) {
  entry->array.shape[0]--;
  entry->array.count -= entry->array.count / (size_t)(entry->array.shape[0] + 1);
}

Test(golden, comparison_finds_one_wrong_number_in_any_array, .init = folder_make, .fini = folder_remove) {
  const char *const names[] = {"annotations", "h_fw",      "c_fw",    "h_bw",   "c_bw",
                               "encoder_h",   "encoder_c", "context", "alphas", "states",
                               "outputs",     "final_h",   "final_c"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    expect_found("keras_concat", names[i], nudge_last);
  expect_found("keras_concat", "tokens", other_token);
}

Test(golden, comparison_finds_one_wrong_number_of_any_structure, .init = folder_make, .fini = folder_remove) {
  static const struct {
    const char *model, *name;
    void (*spoil)(struct npz_entry *entry);
  } rows[] = {{"structure_continues_context", "log_probabilities", nudge_last},
              {"structure_continues_context", "final_fed", nudge_last},
              {"structure_rows", "outputs", nudge_last},
              {"structure_rows", "tokens", other_token},
              {"structure_rows", "annotations", nudge_last},
              {"structure_unequal_directions", "encoder_h", nudge_last},
              {"structure_unequal_directions", "h_bw", nudge_last},
              {"structure_taggers", "outputs", nudge_last},
              {"structure_taggers", "tokens", other_token},
              {"structure_taggers", "output_lengths", other_token},
              {"structure_heads", "tokens", other_token}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_found(rows[i].model, rows[i].name, rows[i].spoil);
}

/* What goes in is passed on: the comparison fails when it is another. */
Test(golden, what_goes_in_is_passed_on, .init = folder_make, .fini = folder_remove) {
  static const struct {
    const char *model, *name, *changed;
    void (*spoil)(struct npz_entry *entry);
  } rows[] = {{"structure_given_tokens", "targets", "states", first_token},
              {"structure_given_tokens", "target_lengths", "", first_token},
              {"structure_rows", "rows", "", first_token},
              {"structure_rows", "previous", "", first_token},
              {"structure_continues_context", "initial_fed", "", nudge_first},
              {"structure_unequal_layers", "start_h", "", nudge_first}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_found_in(rows[i].model, rows[i].name, rows[i].changed, rows[i].spoil);
}

Test(golden, comparison_finds_an_array_of_another_size, .init = folder_make, .fini = folder_remove) {
  expect_found("keras_concat", "alphas", shorter);
}
