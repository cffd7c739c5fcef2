#include "vector.h"

#include "formats/npz.h"
#include "model/model.h"
#include "support/compare.h"
#include "support/results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static char report[768];

const char *vector_report(void) {
  return report;
}

/* The names of what goes in, which is not compared. */
static const char *const inputs[] = {"input",    "lengths",   "start_h",        "start_c",
                                     "rows",     "initial_h", "initial_c",      "initial_fed",
                                     "previous", "targets",   "target_lengths", "given"};

static int is_input(const char *name) {
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
    if (strcmp(inputs[i], name) == 0)
      return 1;
  return 0;
}

/* The data of an array, or NULL where the vector has none of the name; counts one of another type as none. */
static const void *data_of(const struct npz *vector, const char *name, enum npy_dtype dtype) {
  const struct npy_array *array = npz_find(vector, name);
  return array && array->dtype == dtype ? array->data : NULL;
}

static cuseq_input input_of(const struct npz *vector, const struct npy_array *array) {
  return (cuseq_input){.size = sizeof(cuseq_input),
                       .data = array->data,
                       .dtype = array->dtype == NPY_F32 ? CUSEQ_DTYPE_F32 : CUSEQ_DTYPE_I32,
                       .batch = (int32_t)array->shape[0],
                       .time = (int32_t)array->shape[1],
                       .lengths = data_of(vector, "lengths", NPY_I32),
                       .initial_h = data_of(vector, "start_h", NPY_F32),
                       .initial_c = data_of(vector, "start_c", NPY_F32)};
}

const char *const vector_names[RESULTS_FLOATS] = {
    "annotations", "h_fw",    "c_fw",     "h_bw",   "c_bw",    "encoder_h",
    "encoder_c",   "context", "alphas",   "states", "outputs", "log_probabilities",
    "final_h",     "final_c", "final_fed"};

/* The result of a name; NULL where the model has no such. */
static const struct results_floats *floats_of(const struct results *got, const char *name) {
  for (int i = 0; i < RESULTS_FLOATS; i++)
    if (strcmp(vector_names[i], name) == 0 && got->floats[i].data)
      return &got->floats[i];
  return NULL;
}

static double lead(const double *outputs, int32_t V) {
  double best = -INFINITY, second = -INFINITY;
  for (int32_t v = 0; v < V; v++) {
    second = fmax(second, fmin(best, outputs[v]));
    best = fmax(best, outputs[v]);
  }
  return best - second;
}

/* Whether another token than the wanted one may stand there: where the lead of its head is too small to
 * tell, and in an ended row, all but 0. */
static int any_token_goes(const struct results *got, const struct npz *vector, int32_t i, double tolerance) {
  const double *outputs = data_of(vector, "outputs", NPY_F64);
  const struct head *head = &got->model->structure.output.heads[i % got->N];
  return outputs &&
         lead(outputs + (size_t)(i / got->N) * (size_t)got->V + head->offset, head->units) <= tolerance;
}

/* Tokens and output lengths; `exact` wants every token. */
static int integers_hold(const struct results *got, const struct npz *vector, int exact, double tolerance) {
  const int32_t *tokens = data_of(vector, "tokens", NPY_I32);
  const int32_t *lengths = data_of(vector, "output_lengths", NPY_I32);
  for (int32_t i = 0; tokens && i < got->B * got->Y * got->N; i++)
    if (got->tokens[i] != tokens[i] && (exact || !any_token_goes(got, vector, i, tolerance))) {
      snprintf(report, sizeof report, "tokens[%d,%d,%d]: got %d, want %d", (int)(i / got->N / got->Y),
               (int)(i / got->N % got->Y), (int)(i % got->N), (int)got->tokens[i], (int)tokens[i]);
      return 0;
    }
  for (int32_t b = 0; got->tokens && b < got->B; b++)
    if (got->output_lengths[b] != (lengths ? lengths[b] : got->Y)) {
      snprintf(report, sizeof report, "output_lengths[%d]: got %d, want %d", (int)b,
               (int)got->output_lengths[b], (int)(lengths ? lengths[b] : got->Y));
      return 0;
    }
  return 1;
}

static int arrays_hold(const struct results *got, const struct npz *vector, int exact, double rounding) {
  const char *outside;
  if (!results_guards_whole(got, &outside)) {
    snprintf(report, sizeof report, "%s: written outside of it", outside);
    return 0;
  }
  for (size_t i = 0; i < vector->count; i++) {
    const struct npz_entry *entry = &vector->entries[i];
    if (is_input(entry->name) || strcmp(entry->name, "tokens") == 0 ||
        strcmp(entry->name, "output_lengths") == 0)
      continue;
    const struct results_floats *floats = floats_of(got, entry->name);
    const float *data = floats ? floats->data : NULL;
    size_t count = floats ? floats->rows * floats->columns : 0;
    double bound = exact || !floats ? rounding : floats->tolerance;
    int wide = entry->array.dtype == NPY_F64;
    if (!data || count != entry->array.count || (!wide && entry->array.dtype != NPY_F32)) {
      snprintf(report, sizeof report,
               "%s: no such result, or of another size or type (%zu elements, needs %zu)", entry->name,
               entry->array.count, count);
      return 0;
    }
    if (!(wide ? compare_f32_f64(data, entry->array.data, count, bound)
               : compare_f32(data, entry->array.data, count, bound))) {
      snprintf(report, sizeof report, "%s: %s", entry->name, compare_report());
      return 0;
    }
  }
  return integers_hold(got, vector, exact, 2.0 * got->floats[10].tolerance);
}

/* Y of the call: steps, positions, or 1. */
static int32_t steps_of(const cuseq_model *model, const struct npz *vector, const cuseq_input *input) {
  const cuseq_config *config = cuseq_model_config(model);
  const struct npy_array *outputs = npz_find(vector, "outputs");
  return config->is_tagger ? input->time : config->has_decoder && outputs ? (int32_t)outputs->shape[1] : 1;
}

int vector_holds(const cuseq_model *model, const char *npz_path, const char *device, double rounding) {
  struct npz vector = {0};
  if (npz_read(npz_path, &vector) != CUSEQ_STATUS_OK) {
    snprintf(report, sizeof report, "%s", cuseq_last_error());
    return 0;
  }
  const struct npy_array *array = npz_find(&vector, "input"), *rows = npz_find(&vector, "rows");
  int holds = 0;
  snprintf(report, sizeof report, "%s: no input, or of a type that no vector has", npz_path);
  if (array && (array->dtype == NPY_F32 || array->dtype == NPY_I32)) {
    cuseq_input input = input_of(&vector, array);
    struct results got;
    results_make_rows(&got, model, input.batch, rows ? (int32_t)rows->shape[0] : input.batch, input.time,
                      steps_of(model, &vector, &input));
    got.decoding.rows = data_of(&vector, "rows", NPY_I32);
    got.decoding.initial_h = data_of(&vector, "initial_h", NPY_F32);
    got.decoding.initial_c = data_of(&vector, "initial_c", NPY_F32);
    got.decoding.initial_fed = data_of(&vector, "initial_fed", NPY_F32);
    got.decoding.previous = data_of(&vector, "previous", NPY_I32);
    got.decoding.targets = data_of(&vector, "targets", NPY_I32);
    got.decoding.target_lengths = data_of(&vector, "target_lengths", NPY_I32);
    got.decoding.given = data_of(&vector, "given", NPY_F32);
    results_run(&got, model, device, 0, &input);
    holds = arrays_hold(&got, &vector, strcmp(device, "reference") == 0, rounding);
    results_free(&got);
  }
  npz_free(&vector);
  return holds;
}
