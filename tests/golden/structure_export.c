/* Writes random structures, what goes into them and what the reference makes of it, for judge_structures.py:
 *
 *   structure_export FOLDER SEED COUNT LARGEST [changed]
 *
 * changed: structures of which something was changed after they were drawn, so far as they are configurations
 * still: what is accepted must be what the document says. Structure N is FOLDER/N.safetensors, and
 * FOLDER/N.npz with arrays as golden_models.py names them. */
#include "vector.h"

#include "formats/npz.h"
#include "model/config.h"
#include "model/model.h"
#include "support/random_structure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ENTRIES = 40 };

static void add(struct npz *archive, const char *name, const void *data, enum npy_dtype dtype, int64_t rows,
                int64_t columns, int64_t depth) {
  if (!data)
    return;
  int64_t shape[] = {rows, columns, depth};
  struct npy_array array = {.dtype = dtype, .data = (void *)data, .count = 1};
  for (int i = 0; i < 3 && shape[i] > 0; i++) {
    array.shape[array.rank++] = shape[i];
    array.count *= (size_t)shape[i];
  }
  archive->entries[archive->count++] = (struct npz_entry){name, array};
}

static void add_inputs(struct npz *archive, const struct random_structure *made) {
  const cuseq_config *config = cuseq_model_config(made->model);
  int64_t rows = made->encoded, states = (int64_t)config->encoder_state_width * rows;
  int64_t state = config->has_decoder ? config->decoder_state_width : config->state_units;
  add(archive, "input", made->x, NPY_F32, rows, made->T, config->features);
  add(archive, "input", made->ids, NPY_I32, rows, made->T, 0);
  add(archive, "lengths", made->lengths, NPY_I32, rows, 0, 0);
  add(archive, "start_h", made->start_h, NPY_F32, states, 0, 0);
  add(archive, "start_c", made->start_c, NPY_F32, states, 0, 0);
  add(archive, "rows", made->rows, NPY_I32, made->B, 0, 0);
  add(archive, "initial_h", made->initial_h, NPY_F32, made->B, state, 0);
  add(archive, "initial_c", made->initial_c, NPY_F32, made->B, state, 0);
  add(archive, "initial_fed", made->initial_fed, NPY_F32, made->B, config->fed_width, 0);
  add(archive, "previous", made->previous, NPY_I32, made->B, 0, 0);
  add(archive, "targets", made->targets, NPY_I32, made->B, made->Y, 0);
  add(archive, "given", made->given, NPY_F32, made->B, made->Y, config->given_width);
  add(archive, "target_lengths", made->target_lengths, NPY_I32, made->B, 0, 0);
}

static void add_results(struct npz *archive, const struct results *got) {
  for (int i = 0; i < RESULTS_FLOATS; i++)
    add(archive, vector_names[i], got->floats[i].data, NPY_F32, (int64_t)got->floats[i].rows,
        (int64_t)got->floats[i].columns, 0);
  add(archive, "tokens", got->tokens, NPY_I32, got->B, (int64_t)got->Y * got->N, 0);
  add(archive, "output_lengths", got->output_lengths, NPY_I32, got->B, 0, 0);
}

/* Draws structures and changes something in each until one is still a configuration, for its positions
 * too. */
static void make_changed(struct random_structure *made, struct random *random, int32_t largest) {
  enum { T = 4, Y = 3 };
  for (;;) {
    random_structure_json(random, largest, T, Y, made->json);
    if (random_below(random, 4) == 0)
      random_structure_json_give(made->json, random, largest);
    random_structure_mutate(made->json, random, largest);
    cuseq_model *plan = calloc(1, sizeof *plan);
    if (!plan)
      abort();
    cuseq_status status = config_parse(made->json, strlen(made->json), plan);
    int32_t positions = plan->structure.attention.positions, only = structure_time(&plan->structure);
    atomic_init(&plan->references, 1);
    cuseq_model_destroy(plan);
    if (status == CUSEQ_STATUS_OK && (positions == 0 || positions >= T) && (only == 0 || only == T))
      break;
  }
  char json[RANDOM_STRUCTURE_JSON];
  memcpy(json, made->json, sizeof json);
  random_structure_of(made, json, random, largest, T, Y);
}

static int export_one(const char *folder, int32_t number, struct random *random, int32_t largest,
                      int changed) {
  struct random_structure made;
  struct results got;
  struct npz_entry entries[MOST_ENTRIES];
  struct npz archive = {.entries = entries};
  char path[512];
  if (changed)
    make_changed(&made, random, largest);
  else
    random_structure_make(&made, random, largest);
  if (!changed && number % 4 == 0)
    random_structure_give(&made, largest);
  random_structure_run(&made, "reference", 1, &got);
  add_inputs(&archive, &made);
  add_results(&archive, &got);
  snprintf(path, sizeof path, "%s/%d.safetensors", folder, (int)number);
  cuseq_status status = cuseq_model_save(made.model, path);
  snprintf(path, sizeof path, "%s/%d.npz", folder, (int)number);
  if (status == CUSEQ_STATUS_OK)
    status = npz_write(path, &archive, NPZ_STORED);
  if (status != CUSEQ_STATUS_OK)
    fprintf(stderr, "structure_export: %s\n", cuseq_last_error());
  results_free(&got);
  random_structure_free(&made);
  return status == CUSEQ_STATUS_OK;
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: structure_export FOLDER SEED COUNT LARGEST [changed]\n");
    return 2;
  }
  struct random random = {strtoull(argv[2], NULL, 10)};
  int32_t count = atoi(argv[3]), largest = atoi(argv[4]);
  for (int32_t i = 0; i < count; i++)
    if (!export_one(argv[1], i, &random, largest, argc > 5))
      return 1;
  return 0;
}
