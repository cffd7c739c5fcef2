/* Tensors that do not make a version 2 model: each is refused by its name, whichever of a structure's it
 * is. */
#include "support/random_structure.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRUCTURES = 40, MOST_TENSORS = 128 };

struct tensors {
  cuseq_model *model;
  cuseq_tensor list[MOST_TENSORS];
  size_t count;
};

static void expect_refused(const struct tensors *tensors, const cuseq_tensor *list, size_t count,
                           const char *format, const char *name) {
  char words[200];
  cuseq_model *model;
  snprintf(words, sizeof words, format, name);
  cr_expect_eq(cuseq_model_create(cuseq_model_config_json(tensors->model), list, count, &model),
               CUSEQ_STATUS_INVALID_MODEL, "%s: %s", words, cuseq_model_config_json(tensors->model));
  cr_expect(strncmp(cuseq_last_error(), words, strlen(words)) == 0, "\"%s\" does not say \"%s\"",
            cuseq_last_error(), words);
}

static size_t size_of(const cuseq_tensor *tensor) {
  return (size_t)(tensor->shape[0] * (tensor->rank == 2 ? tensor->shape[1] : 1));
}

/* One tensor left out, of another shape, with a NaN, or there under another name. */
static void check_tensor(const struct tensors *tensors, size_t index) {
  cuseq_tensor list[MOST_TENSORS + 1], *one = &list[index];
  const char *name = tensors->list[index].name;
  memcpy(list, tensors->list, tensors->count * sizeof *list);
  list[index] = list[tensors->count - 1];
  expect_refused(tensors, list, tensors->count - 1, "tensor %s: missing (needed [", name);
  list[index] = tensors->list[index];
  one->shape[one->rank - 1]++;
  expect_refused(tensors, list, tensors->count, "tensor %s: the wrong shape (found [", name);
  *one = tensors->list[index];
  float *spoilt = malloc(size_of(one) * sizeof *spoilt);
  cr_assert_not_null(spoilt);
  memcpy(spoilt, one->data, size_of(one) * sizeof *spoilt);
  spoilt[size_of(one) - 1] = NAN;
  one->data = spoilt;
  expect_refused(tensors, list, tensors->count, "tensor %s[", name);
  *one = tensors->list[index];
  list[tensors->count] = *one;
  list[tensors->count].name = "decoder.layers.8.kernel";
  expect_refused(tensors, list, tensors->count + 1, "tensor %s: not part of this model",
                 "decoder.layers.8.kernel");
  free(spoilt);
}

Test(structure_tensors, each_is_refused_by_its_name) {
  struct random random = {83};
  for (int i = 0; i < STRUCTURES; i++) {
    struct random_structure made;
    random_structure_make(&made, &random, 5);
    struct tensors tensors = {.model = made.model, .count = cuseq_model_tensor_count(made.model)};
    cr_assert_leq(tensors.count, MOST_TENSORS);
    for (size_t t = 0; t < tensors.count; t++)
      cr_assert_eq(cuseq_model_tensor(made.model, t, &tensors.list[t]), CUSEQ_STATUS_OK);
    for (size_t t = 0; t < tensors.count; t++)
      check_tensor(&tensors, t);
    random_structure_free(&made);
  }
}

/* A tied kernel and a shared embedding are one tensor: they have no others. */
Test(structure_tensors, embeddings_that_are_read_twice_are_one_tensor) {
  static const char json[] = "{\"version\":2,\"input\":{\"features\":7,\"embedding\":4},\"encoder\":{"
                             "\"layers\":[{\"cell\":{\"kind\":\"gru\","
                             "\"units\":4}}]},\"decoder\":{\"reads\":[\"token\"],\"feedback\":\"output\","
                             "\"start_token\":0,\"steps\":3,"
                             "\"embedding\":\"encoder\",\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":4}}"
                             "]},\"output\":{\"tied\":true,"
                             "\"layers\":[{\"units\":7}]}}";
  static const char *const names[] = {"input.embedding",
                                      "encoder.layers.0.forward.kernel",
                                      "encoder.layers.0.forward.recurrent_kernel",
                                      "encoder.layers.0.forward.bias",
                                      "encoder.layers.0.forward.recurrent_bias",
                                      "decoder.layers.0.kernel",
                                      "decoder.layers.0.recurrent_kernel",
                                      "decoder.layers.0.bias",
                                      "decoder.layers.0.recurrent_bias",
                                      "output.layers.0.bias"};
  struct random random = {3};
  cuseq_model *model = random_model(json, NULL, &random);
  cr_assert_eq(cuseq_model_tensor_count(model), sizeof names / sizeof *names);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    cuseq_tensor tensor;
    cr_assert_eq(cuseq_model_tensor(model, i, &tensor), CUSEQ_STATUS_OK);
    cr_expect_str_eq(tensor.name, names[i]);
  }
  cuseq_model_destroy(model);
}
