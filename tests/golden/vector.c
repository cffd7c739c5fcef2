#include "vector.h"

#include "formats/npz.h"
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
static const char *const inputs[] = {"input",     "lengths",   "start_h", "start_c",
                                     "initial_h", "initial_c", "previous"};

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
  return (cuseq_input){.data = array->data,
                       .dtype = array->dtype == NPY_F32 ? CUSEQ_DTYPE_F32 : CUSEQ_DTYPE_I32,
                       .batch = (int32_t)array->shape[0],
                       .time = (int32_t)array->shape[1],
                       .lengths = data_of(vector, "lengths", NPY_I32),
                       .initial_h = data_of(vector, "start_h", NPY_F32),
                       .initial_c = data_of(vector, "start_c", NPY_F32)};
}

/* The result of a name; NULL where the model has no such. */
static const float *floats_of(const struct results *got, const char *name) {
  const struct {
    const char *name;
    const float *data;
  } table[] = {{"annotations", got->encoding.annotations},
               {"h_fw", got->encoding.h_fw},
               {"c_fw", got->encoding.c_fw},
               {"h_bw", got->encoding.h_bw},
               {"c_bw", got->encoding.c_bw},
               {"encoder_h", got->encoding.final_h},
               {"encoder_c", got->encoding.final_c},
               {"context", got->decoding.contexts},
               {"alphas", got->decoding.alphas},
               {"states", got->decoding.states},
               {"outputs", got->decoding.outputs},
               {"final_h", got->decoding.final_h},
               {"final_c", got->decoding.final_c}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strcmp(table[i].name, name) == 0)
      return table[i].data;
  return NULL;
}

static size_t count_of(const struct results *got, const float *data) {
  for (int i = 0; i < RESULTS_FLOATS; i++)
    if (got->floats[i].data == data)
      return got->floats[i].rows * got->floats[i].columns;
  return 0;
}

static double lead(const double *outputs, int32_t V) {
  double best = -INFINITY, second = -INFINITY;
  for (int32_t v = 0; v < V; v++) {
    second = fmax(second, fmin(best, outputs[v]));
    best = fmax(best, outputs[v]);
  }
  return best - second;
}

/* Tokens and output lengths. Where a row's lead is too small to tell, and in an ended row, all but 0, any
 * token goes; `exact` wants every token all the same. */
static int integers_hold(const struct results *got, const struct npz *vector, int exact, double tolerance) {
  const int32_t *tokens = data_of(vector, "tokens", NPY_I32);
  const int32_t *lengths = data_of(vector, "output_lengths", NPY_I32);
  const double *outputs = data_of(vector, "outputs", NPY_F64);
  for (int32_t i = 0; tokens && i < got->B * got->Y; i++)
    if (got->tokens[i] != tokens[i] &&
        (exact || !(lead(outputs + (size_t)i * (size_t)got->V, got->V) <= tolerance))) {
      snprintf(report, sizeof report, "tokens[%d,%d]: got %d, want %d", (int)(i / got->Y), (int)(i % got->Y),
               (int)got->tokens[i], (int)tokens[i]);
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

static int arrays_hold(const struct results *got, const struct npz *vector, int exact, double tolerance) {
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
    const float *data = floats_of(got, entry->name);
    size_t count = count_of(got, data);
    int wide = entry->array.dtype == NPY_F64;
    if (!data || count != entry->array.count || (!wide && entry->array.dtype != NPY_F32)) {
      snprintf(report, sizeof report,
               "%s: no such result, or of another size or type (%zu elements, needs %zu)", entry->name,
               entry->array.count, count);
      return 0;
    }
    if (!(wide ? compare_f32_f64(data, entry->array.data, count, tolerance)
               : compare_f32(data, entry->array.data, count, tolerance))) {
      snprintf(report, sizeof report, "%s: %s", entry->name, compare_report());
      return 0;
    }
  }
  return integers_hold(got, vector, exact, tolerance);
}

int vector_holds(const cuseq_model *model, const char *npz_path, const char *device, double tolerance) {
  struct npz vector = {0};
  if (npz_read(npz_path, &vector) != CUSEQ_STATUS_OK) {
    snprintf(report, sizeof report, "%s", cuseq_last_error());
    return 0;
  }
  const struct npy_array *array = npz_find(&vector, "input"), *context = npz_find(&vector, "context");
  int holds = 0;
  snprintf(report, sizeof report, "%s: no input, no context, or of a type that no vector has", npz_path);
  if (array && context && (array->dtype == NPY_F32 || array->dtype == NPY_I32)) {
    cuseq_input input = input_of(&vector, array);
    int32_t Y = context->rank == 3 ? (int32_t)context->shape[1] : 1;
    struct results got;
    results_make(&got, model, input.batch, input.time, Y);
    got.decoding.initial_h = data_of(&vector, "initial_h", NPY_F32);
    got.decoding.initial_c = data_of(&vector, "initial_c", NPY_F32);
    got.decoding.previous = data_of(&vector, "previous", NPY_I32);
    results_run(&got, model, device, 0, &input);
    holds = arrays_hold(&got, &vector, strcmp(device, "reference") == 0, tolerance);
    results_free(&got);
  }
  npz_free(&vector);
  return holds;
}
