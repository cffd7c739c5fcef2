/* Whatever the text, the reader of configurations gives a structure or one line that says what is wrong with
 * it; a structure of version 2 makes a model of exactly the tensors that it lists, and of no fewer; and the
 * model runs. */
#include "backends/backend.h"
#include "cuseq/cuseq.h"
#include "model/config.h"
#include "model/model.h"
#include "model/tensors.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NUMBERS = 1 << 18 }; /* of a model that is made */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
  if (!condition)
    abort();
}

/* The configuration, or NULL. */
static cuseq_model *parse(const char *text, size_t size) {
  cuseq_model *plan = calloc(1, sizeof *plan);
  require(plan != NULL);
  atomic_init(&plan->references, 1);
  cuseq_status status = config_parse(text, size, plan);
  if (status == CUSEQ_STATUS_OK) {
    require(plan->version == 1 || plan->version == 2);
    return plan;
  }
  const char *error = cuseq_last_error();
  require(status == CUSEQ_STATUS_INVALID_MODEL && strncmp(error, "configuration: ", 15) == 0);
  require(strchr(error, '\n') == NULL && error[15] != 0);
  cuseq_model_destroy(plan);
  return NULL;
}

/* What a model says of itself can be allocated by. */
static void check_model(const cuseq_model *model) {
  const cuseq_config *config = cuseq_model_config(model);
  require(config->features > 0 && config->annotation_width >= 0 && config->context_width >= 0);
  require(config->state_units >= 0 && config->fed_width >= 0 && config->heads >= 0 && config->outputs >= 0);
  require(!config->has_decoder ||
          (config->steps > 0 && config->outputs > 0 && config->decoder_state_width > 0));
  for (int result = CUSEQ_RESULT_ANNOTATIONS; result <= CUSEQ_RESULT_OUTPUTS; result++)
    for (int precision = CUSEQ_PRECISION_FLOAT32; precision <= CUSEQ_PRECISION_BF16; precision++) {
      double tolerance = cuseq_model_tolerance(model, (cuseq_precision)precision, 7, 0, (cuseq_result)result);
      require(tolerance >= 0 && tolerance - tolerance == 0);
    }
}

enum { MOST_TIME = 16 };

/* Runs a row through the model on the reference, which computes from the structure as configured. */
static void run(const cuseq_model *model) {
  const cuseq_config *config = cuseq_model_config(model);
  const int32_t positions = model->structure.attention.positions, time = structure_time(&model->structure);
  const int32_t T = time > 0 ? time : positions == 1 ? 1 : 2;
  if (T > MOST_TIME || (positions > 0 && T > positions))
    return;
  int32_t steps = config->has_decoder ? 2 : config->is_tagger ? T : 1;
  const struct backend_limits limits = {.batch = 1, .time = T, .steps = 2, .beams = 1, .threads = 1};
  static const int32_t ids[MOST_TIME], tokens[2];
  int32_t previous = config->start_token > 0 ? config->start_token : 0;
  float *outputs = calloc((size_t)steps * (size_t)config->outputs + 1, sizeof *outputs);
  float *given = calloc((size_t)steps * (size_t)config->given_width + 1, sizeof *given);
  void *state;
  const cuseq_encoding encoding = CUSEQ_ENCODING_INIT;
  const struct backend_input input = {.ids = ids, .dtype = CUSEQ_DTYPE_I32, .batch = 1, .time = T};
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                   .steps = steps,
                                   .batch = 1,
                                   .previous = &previous,
                                   .targets = config->has_decoder ? tokens : NULL,
                                   .outputs = config->outputs > 0 ? outputs : NULL,
                                   .given = config->given_width > 0 ? given : NULL};
  require(outputs != NULL && given != NULL);
  require(backend_reference.open(model, &limits, "reference", &state) == CUSEQ_STATUS_OK);
  cuseq_status status = backend_reference.encode(state, &input, &encoding);
  if (status == CUSEQ_STATUS_OK)
    status = backend_reference.decode(state, &decoding);
  require(status == CUSEQ_STATUS_OK || status == CUSEQ_STATUS_NON_FINITE);
  backend_reference.close(state);
  free(outputs);
  free(given);
}

/* The model of these tensors, all of small numbers; it has to be made, or with `lacking` 1 to be refused. */
static void make(const char *json, const struct tensor_list *list, const float *numbers, size_t lacking) {
  cuseq_tensor *tensors = calloc(list->count + 1, sizeof *tensors);
  cuseq_model *model;
  require(tensors != NULL);
  for (size_t i = 0; i < list->count; i++) {
    const struct tensor_entry *entry = &list->entries[i];
    tensors[i] = (cuseq_tensor){.name = entry->name,
                                .dtype = CUSEQ_DTYPE_F32,
                                .rank = entry->rank,
                                .shape = {entry->shape[0], entry->shape[1]},
                                .data = numbers};
  }
  cuseq_status status = cuseq_model_create(json, tensors, list->count - lacking, &model);
  require((status == CUSEQ_STATUS_OK) == (lacking == 0) && (model != NULL) == (lacking == 0));
  if (model != NULL) {
    check_model(model);
    run(model);
    require(strcmp(cuseq_model_config_json(model), json) == 0);
  }
  cuseq_model_destroy(model);
  free(tensors);
}

/* Makes the model, where it is small. */
static void check_structure(cuseq_model *plan) {
  struct tensor_list list;
  int64_t all = 0, largest = 0;
  require(tensor_list_make(&plan->structure, plan->version, &list) == CUSEQ_STATUS_OK && list.count > 0);
  for (size_t i = 0; i < list.count; i++) {
    const struct tensor_entry *entry = &list.entries[i];
    require((entry->rank == 1 || entry->rank == 2) && entry->shape[0] > 0);
    require(entry->rank == 1 || entry->shape[1] > 0);
    int64_t count = entry->shape[0] * (entry->rank == 2 ? entry->shape[1] : 1);
    all += count;
    largest = count > largest ? count : largest;
  }
  if (all <= MOST_NUMBERS) {
    float *numbers = malloc((size_t)largest * sizeof *numbers);
    require(numbers != NULL);
    for (int64_t i = 0; i < largest; i++)
      numbers[i] = (float)(i % 13 - 6) * 0x1p-6f;
    make(plan->json, &list, numbers, 0);
    make(plan->json, &list, numbers, 1);
    free(numbers);
  }
  tensor_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  cuseq_model *plan = parse((const char *)bytes, size);
  if (plan == NULL)
    return 0;
  cuseq_model *again = parse(plan->json, strlen(plan->json));
  require(again != NULL && strcmp(again->json, plan->json) == 0);
  cuseq_model_destroy(again);
  if (plan->version == 2)
    check_structure(plan);
  cuseq_model_destroy(plan);
  return 0;
}
