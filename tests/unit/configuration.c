/* Configurations and tensors that do not make a model: each is refused by its key, its tensor, its shape. */
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char good[] =
    "{\"version\":1,\"encoder\":{\"features\":3,\"units\":2},\"attention\":{\"score\":\"concat\",\"layers\":["
    "{\"units\":"
    "1,\"activation\":\"tanh\"}]},\"decoder\":{\"units\":4,\"steps\":2},\"output\":{\"units\":5}}";

/* The good one with one part replaced. */
static char *replaced(const char *part, const char *by) {
  const char *at = strstr(good, part);
  cr_assert_not_null(at, "the configuration has no %s", part);
  char *text = calloc(1, sizeof good + strlen(by));
  memcpy(text, good, (size_t)(at - good));
  strcat(text, by);
  strcat(text, at + strlen(part));
  return text;
}

static cuseq_status create(const char *json) {
  cuseq_model *model;
  cuseq_tensor none = {.name = "none"};
  cuseq_status status = cuseq_model_create(json, &none, 0, &model);
  cr_expect_null(model);
  return status;
}

Test(configuration, a_wrong_one_is_refused_by_its_key) {
  static const struct {
    const char *part, *by, *words;
  } rows[] = {
      {"\"version\":1", "\"version\":3", "version 3 (this cuseq knows 1 and 2)"},
      {"\"version\":1", "\"version\":0", "configuration: version is out of range (found 0, needed 1 to 2)"},
      {"\"version\":1,", "", "configuration: there is no \"version\""},
      {"\"version\":1", "\"version\":1,\"colour\":3", "unknown key \"colour\""},
      {"\"units\":2", "\"units\":2,\"unit\":2", "\"encoder\" has an unknown key \"unit\""},
      {"\"units\":2", "\"units\":0", "encoder.units is out of range (found 0"},
      {"\"units\":2", "\"units\":-7", "encoder.units is out of range (found -7"},
      {"\"units\":2", "\"units\":2.5", "encoder.units is not an integer"},
      {"\"units\":2", "\"units\":99999999999999999999", "not JSON"},
      {"\"units\":2", "\"units\":2,\"units\":2", "not JSON"},
      {"\"units\":2", "\"units\":2,\"layers\":65",
       "encoder.layers is out of range (found 65, needed 1 to 64)"},
      {"\"units\":2", "\"units\":2,\"direction\":\"sideways\"", "needed one of bidirectional, forward"},
      {"\"units\":2", "\"units\":2,\"merge\":7", "encoder.merge is unknown (found no string"},
      {"\"units\":2", "\"units\":2,\"direction\":\"forward\",\"merge\":\"sum\"", "nothing to merge"},
      {"\"units\":2", "\"units\":2,\"activation\":\"gelu\"", "encoder.activation is unknown (found \"gelu\""},
      {"\"units\":2", "\"units\":2,\"recurrent_activation\":\"tanh\"", "needed one of sigmoid, hard_sigmoid"},
      {"{\"features\":3,\"units\":2}", "[]", "\"encoder\" is not an object"},
      {"\"encoder\":{\"features\":3,\"units\":2},", "", "there is no \"encoder\""},
      {"\"score\":\"concat\",", "", "\"attention\" has no \"score\""},
      {"\"concat\"", "\"dot\"", "attention.layers belongs to the score \"concat\" only"},
      {"\"concat\"", "\"concat\",\"scale\":\"big\"", "attention.scale is not a finite float32 number"},
      {"\"concat\"", "\"concat\",\"scale\":1e300", "attention.scale is not a finite float32 number"},
      {"[{\"units\":1,\"activation\":\"tanh\"}]", "[]", "attention.layers is not a list of 1 to 8 layers"},
      {"{\"units\":1,", "{\"units\":3,",
       "the last of attention.layers makes the energy (found 3 units, needed 1)"},
      {"\"tanh\"", "\"softplus\"", "attention.layers.0.activation is unknown"},
      {"\"steps\":2", "\"steps\":0", "decoder.steps is out of range"},
      {"\"units\":4", "\"units\":6", "decoder.units does not fit the encoder's final state (found 6"},
      {"\"steps\":2", "\"steps\":2,\"feedback\":\"output\"", "\"decoder\" has no \"start_token\""},
      {"\"steps\":2", "\"steps\":2,\"start_token\":5",
       "decoder.start_token is out of range (found 5, needed 0 to 4)"},
      {"\"steps\":2", "\"steps\":2,\"end_token\":-1", "decoder.end_token is out of range (found -1"},
      {",\"output\":{\"units\":5}", "", "there is no \"output\" (\"decoder\" needs it)"},
      {"\"decoder\":{\"units\":4,\"steps\":2},", "", "there is no \"decoder\" (\"output\" needs it)"},
      {"\"output\":", "\"state\":{},\"output\":", "\"state\" belongs to a model without a decoder"},
      {"\"output\":", "\"vocabulary\":{\"length\":3,\"input\":[\"a\"],\"output\":[\"b\"]},\"output\":",
       "vocabulary.input does not fit (found 1 symbols, encoder.features needs 3)"},
      {"\"output\":", "\"vocabulary\":{\"length\":3,\"input\":[\"a\",\"b\",\"a\"]},\"output\":",
       "\"a\" twice"},
      {"\"output\":", "\"vocabulary\":{\"length\":3,\"input\":[\"ab\"]},\"output\":",
       "neither one character nor a name"},
      {"\"output\":", "\"vocabulary\":{\"length\":0,\"input\":[\"a\"]},\"output\":",
       "vocabulary.length is out of range"},
      {"{\"version\"", "[{\"version\"", "not JSON"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char *json = replaced(rows[i].part, rows[i].by);
    cr_expect_eq(create(json), CUSEQ_STATUS_INVALID_MODEL, "%s", json);
    cr_expect(strstr(cuseq_last_error(), rows[i].words) != NULL, "\"%s\" does not say \"%s\"",
              cuseq_last_error(), rows[i].words);
    free(json);
  }
}

Test(configuration, json_deeper_than_any_sense_is_refused) {
  enum { DEPTH = 10000 };
  char *json = malloc(DEPTH + 1);
  memset(json, '[', DEPTH);
  json[DEPTH] = '\0';
  cr_expect_eq(create(json), CUSEQ_STATUS_INVALID_MODEL);
  cr_expect(strstr(cuseq_last_error(), "not JSON") != NULL);
  free(json);
}

Test(configuration, json_that_would_take_much_memory_is_refused_before_it_does) {
  enum { OBJECTS = 100000 };
  char *json = malloc(3 * OBJECTS + 8);
  char *at = json + sprintf(json, "{\"x\":[0");
  for (int i = 0; i < OBJECTS - 2; i++, at += 3)
    memcpy(at, ",{}", 3);
  memcpy(at, "]}", 3);
  cr_expect_eq(create(json), CUSEQ_STATUS_INVALID_MODEL);
  cr_expect(strstr(cuseq_last_error(), "configuration: too complex") != NULL, "%s", cuseq_last_error());
  free(json);
}

enum { GOOD_TENSORS = 64 };

struct tensors {
  cuseq_model *model;
  cuseq_tensor list[GOOD_TENSORS];
  size_t count;
};

static void tensors_make(struct tensors *tensors) {
  struct random random = {5};
  tensors->model = random_model(good, &(struct random_widths){0}, &random);
  tensors->count = cuseq_model_tensor_count(tensors->model);
  cr_assert_leq(tensors->count, GOOD_TENSORS - 1);
  for (size_t i = 0; i < tensors->count; i++)
    cr_assert_eq(cuseq_model_tensor(tensors->model, i, &tensors->list[i]), CUSEQ_STATUS_OK);
}

static void expect_refused(const struct tensors *tensors, const char *words) {
  cuseq_model *model;
  cr_expect_eq(cuseq_model_create(good, tensors->list, tensors->count, &model), CUSEQ_STATUS_INVALID_MODEL);
  cr_expect_null(model);
  cr_expect(strstr(cuseq_last_error(), words) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(),
            words);
}

Test(configuration, a_missing_tensor_is_named_with_the_shape_it_needs) {
  struct tensors tensors;
  tensors_make(&tensors);
  tensors.list[0] = tensors.list[--tensors.count];
  expect_refused(&tensors, "tensor encoder.layers.0.forward.kernel: missing (needed [3,8])");
  cuseq_model_destroy(tensors.model);
}

Test(configuration, an_extra_tensor_is_named) {
  struct tensors tensors;
  tensors_make(&tensors);
  tensors.list[tensors.count] = tensors.list[0];
  tensors.list[tensors.count++].name = "optimizer.step";
  expect_refused(&tensors, "tensor optimizer.step: not part of this model");
  tensors.list[tensors.count - 1].name = tensors.list[1].name;
  tensors.list[tensors.count - 1] = tensors.list[1];
  expect_refused(&tensors, "tensor encoder.layers.0.forward.recurrent_kernel: there twice");
  cuseq_model_destroy(tensors.model);
}

Test(configuration, a_wrong_shape_is_named_with_what_was_found_and_needed) {
  struct tensors tensors;
  tensors_make(&tensors);
  tensors.list[0].shape[0] = 4;
  expect_refused(&tensors,
                 "tensor encoder.layers.0.forward.kernel: the wrong shape (found [4,8], needed [3,8])");
  tensors.list[0].rank = 1;
  expect_refused(&tensors, "(found [4], needed [3,8])");
  cuseq_model_destroy(tensors.model);
}

Test(configuration, a_wrong_type_is_named) {
  struct tensors tensors;
  tensors_make(&tensors);
  tensors.list[0].dtype = CUSEQ_DTYPE_I32;
  expect_refused(&tensors, "the wrong type (found I32, needed F32, F64, F16 or BF16)");
  cuseq_model_destroy(tensors.model);
}

Test(configuration, weights_that_are_not_finite_are_named_by_index) {
  struct tensors tensors;
  tensors_make(&tensors);
  float kernel[24] = {0};
  kernel[11] = NAN;
  tensors.list[0].data = kernel;
  expect_refused(&tensors, "tensor encoder.layers.0.forward.kernel[1,3]: not finite in float32 (found nan)");
  double wide[24] = {0};
  wide[23] = 1e39;
  tensors.list[0].data = wide;
  tensors.list[0].dtype = CUSEQ_DTYPE_F64;
  expect_refused(&tensors, "tensor encoder.layers.0.forward.kernel[2,7]: not finite in float32");
  cuseq_model_destroy(tensors.model);
}

/* 1, -0.5, the largest, the smallest denormal, 1/3 as each type has them. */
Test(configuration, every_float_type_is_converted_exactly) {
  static const uint16_t half[4] = {0x3c00, 0xb800, 0x7bff, 0x0001},
                        bfloat[4] = {0x3f80, 0xbf00, 0x7f7f, 0x0001};
  static const float half_values[4] = {1.0f, -0.5f, 65504.0f, 0x1p-24f};
  static const float bfloat_values[4] = {1.0f, -0.5f, 0x1.fep127f, 0x1p-133f};
  const void *data[] = {half, bfloat};
  const float *values[] = {half_values, bfloat_values};
  static const cuseq_dtype dtypes[] = {CUSEQ_DTYPE_F16, CUSEQ_DTYPE_BF16};
  for (int i = 0; i < 2; i++) {
    struct tensors tensors;
    tensors_make(&tensors);
    size_t at = 0;
    while (strcmp(tensors.list[at].name, "attention.layers.0.kernel") != 0)
      at++;
    uint16_t kernel[8];
    memcpy(kernel, data[i], 8);
    memcpy(kernel + 4, data[i], 8);
    tensors.list[at].data = kernel;
    tensors.list[at].dtype = dtypes[i];
    cuseq_model *model;
    cr_assert_eq(cuseq_model_create(good, tensors.list, tensors.count, &model), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
    cuseq_tensor made;
    cr_assert_eq(cuseq_model_tensor(model, at, &made), CUSEQ_STATUS_OK);
    for (int j = 0; j < 8; j++)
      cr_expect_eq(((const float *)made.data)[j], values[i][j % 4]);
    cuseq_model_destroy(model);
    cuseq_model_destroy(tensors.model);
  }
}
