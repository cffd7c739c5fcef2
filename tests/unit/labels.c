/* Labels of heads: where they are found, and where they cannot fit. */
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A model of 3 symbols with these heads. */
static void json_make(char json[1024], const char *output, const char *labels) {
  snprintf(json, 1024,
           "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
           "\"units\":2}}]},\"output\":%s,\"vocabulary\":{\"length\":4,\"input\":[\"a\",\"b\",\"c\"]%s}}",
           output, labels);
}

#define HEAD(name, units, activation)                                                                        \
  "{\"name\":\"" name "\",\"over\":\"every\",\"layers\":[{\"units\":" #units ",\"activation\":\"" activation \
  "\"}]}"
#define LABELS(list) ",\"labels\":" list
static const char one[] = HEAD("pos", 3, "softmax");
static const char unnamed[] = "{\"over\":\"mean\",\"layers\":[{\"units\":2,\"activation\":\"log_softmax\"}]}";
static const char two[] = "{\"heads\":[" HEAD("pos", 3, "softmax") "," HEAD("number", 1, "sigmoid") "]}";

static cuseq_model *model_with(const char *output, const char *labels) {
  char json[1024];
  struct random random = {3};
  json_make(json, output, labels);
  return random_model(json, NULL, &random);
}

static void expect_head(const cuseq_model *model, int32_t index, const char *name, int32_t units,
                        int32_t offset, cuseq_activation activation, int32_t labels) {
  cuseq_head head = CUSEQ_HEAD_INIT;
  cr_assert_eq(cuseq_model_head(model, index, &head), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_str_eq(head.name, name);
  cr_expect_eq(head.units, units);
  cr_expect_eq(head.offset, offset);
  cr_expect_eq(head.activation, activation);
  cr_expect_eq(head.labels, labels);
}

Test(labels, a_list_is_of_the_only_head_whether_it_has_a_name_or_not) {
  cuseq_model *model = model_with(one, LABELS("[\"noun\",\"\",\"ve rb\"]"));
  expect_head(model, 0, "pos", 3, 0, CUSEQ_ACTIVATION_SOFTMAX, 3);
  cr_expect_str_eq(cuseq_model_label(model, 0, 0), "noun");
  cr_expect_str_eq(cuseq_model_label(model, 0, 1), "");
  cr_expect_str_eq(cuseq_model_label(model, 0, 2), "ve rb");
  cr_expect_null(cuseq_model_label(model, 0, 3));
  cr_expect_null(cuseq_model_label(model, 0, -1));
  cr_expect_null(cuseq_model_label(model, 1, 0));
  cr_expect_null(cuseq_model_label(NULL, 0, 0));
  cuseq_model_destroy(model);
  model = model_with(unnamed, LABELS("[\"no\",\"yes\"]"));
  expect_head(model, 0, "output", 2, 0, CUSEQ_ACTIVATION_LOG_SOFTMAX, 2);
  cuseq_model_destroy(model);
  model = model_with(unnamed, LABELS("{\"output\":[\"no\",\"yes\"]}"));
  cr_expect_str_eq(cuseq_model_label(model, 0, 1), "yes");
  cuseq_model_destroy(model);
}

Test(labels, heads_find_theirs_by_name_and_may_lack_them) {
  cuseq_model *model = model_with(two, LABELS("{\"number\":[\"one\",\"many\"],\"pos\":[\"x\",\"y\",\"z\"]}"));
  expect_head(model, 0, "pos", 3, 0, CUSEQ_ACTIVATION_SOFTMAX, 3);
  expect_head(model, 1, "number", 1, 3, CUSEQ_ACTIVATION_SIGMOID, 2);
  cr_expect_str_eq(cuseq_model_label(model, 1, 1), "many");
  cuseq_model_destroy(model);
  model = model_with(two, LABELS("{\"number\":[\"many\"]}"));
  expect_head(model, 0, "pos", 3, 0, CUSEQ_ACTIVATION_SOFTMAX, 0);
  cr_expect_null(cuseq_model_label(model, 0, 0));
  expect_head(model, 1, "number", 1, 3, CUSEQ_ACTIVATION_SIGMOID, 1);
  cuseq_model_destroy(model);
  model = model_with(two, "");
  expect_head(model, 0, "pos", 3, 0, CUSEQ_ACTIVATION_SOFTMAX, 0);
  cuseq_model_destroy(model);
}

Test(labels, a_head_that_is_not_there_and_a_size_that_nobody_set_are_refused) {
  cuseq_model *model = model_with(one, "");
  cuseq_head head = CUSEQ_HEAD_INIT, unset = {0};
  cr_expect_eq(cuseq_model_head(model, 1, &head), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_str_eq(cuseq_last_error(), "cuseq_model_head: no head 1 (there are 1)");
  cr_expect_eq(cuseq_model_head(model, 0, &unset), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(cuseq_model_head(NULL, 0, &head), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(cuseq_model_head(model, 0, NULL), CUSEQ_STATUS_INVALID_ARGUMENT);
  cuseq_model_destroy(model);
}

Test(labels, a_decoder_has_a_head_too) {
  struct random random = {3};
  cuseq_model *model = random_model(
      "{\"version\":1,\"encoder\":{\"features\":3,\"units\":2},\"attention\":{\"score\":\"dot\"},"
      "\"decoder\":{\"units\":4,\"steps\":3},\"output\":{\"units\":4}}",
      &(struct random_widths){0}, &random);
  expect_head(model, 0, "output", 4, 0, CUSEQ_ACTIVATION_SOFTMAX, 0);
  cuseq_model_destroy(model);
}

static void expect_no_model(const char *json, const char *said) {
  cuseq_model *model;
  cuseq_tensor none = {.name = "none"};
  cr_expect_eq(cuseq_model_create(json, &none, 0, &model), CUSEQ_STATUS_INVALID_MODEL, "%s", json);
  cr_expect_null(model);
  cr_expect(strstr(cuseq_last_error(), said) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(), said);
}

Test(labels, what_cannot_fit_is_refused_with_the_head_and_the_numbers) {
  static const struct {
    const char *output, *labels, *said;
  } rows[] = {
      {one, "[\"x\",\"y\"]",
       "vocabulary.labels does not fit head \"pos\" (found 2 labels, its 3 units need 3)"},
      {one, "[\"x\",\"y\",\"x\"]", "vocabulary.labels has \"x\" twice"},
      {one, "[\"x\",\"y\",3]", "vocabulary.labels entry 2 is not a string"},
      {one, "[\"x\",\"y\",\"a\\tb\"]", "vocabulary.labels entry 2 has a control character (found U+0009)"},
      {one, "[]", "vocabulary.labels is not a list of labels, nor an object of such lists"},
      {one, "\"xyz\"", "vocabulary.labels is not a list of labels"},
      {one, "{}", "vocabulary.labels names 0 heads (needed 1 to 8)"},
      {one, "{\"pos\":{}}", "vocabulary.labels.pos is not a list of labels"},
      {one, "{\"case\":[\"x\",\"y\",\"z\"]}",
       "vocabulary.labels has \"case\", and no head of this name (there are pos)"},
      {two, "[\"x\",\"y\",\"z\"]",
       "vocabulary.labels is one list for several heads (needed an object of lists by their names: pos, "
       "number)"},
      {two, "{\"number\":[\"x\",\"y\",\"z\"]}",
       "vocabulary.labels does not fit head \"number\" (found 3 labels, its 1 unit needs 1 or 2)"},
      {two, "{\"number\":[\"x\",\"x\"]}", "vocabulary.labels.number has \"x\" twice"},
      {"{\"heads\":[" HEAD("a", 1, "softmax") "," HEAD("a", 1, "softmax") "]}", "{\"a\":[\"x\"]}",
       "vocabulary.labels has \"a\", which is the name of several heads"},
      {HEAD("a", 1, "linear"), "[\"x\"]",
       "vocabulary.labels does not fit head \"a\" (found 1 labels, its 1 unit needs 2)"},
      {HEAD("a", 1, "softmax"), "[\"x\",\"y\"]",
       "vocabulary.labels does not fit head \"a\" (found 2 labels, its 1 unit needs 1)"},
      {HEAD("a", 2, "tanh"), "[\"x\",\"y\"]",
       "vocabulary.labels are of head \"a\", whose outputs are no probabilities (found tanh, needed "
       "softmax,"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char json[1024], labels[256];
    snprintf(labels, sizeof labels, LABELS("%s"), rows[i].labels);
    json_make(json, rows[i].output, labels);
    expect_no_model(json, rows[i].said);
  }
}

Test(labels, a_model_with_a_decoder_and_one_without_outputs_have_none) {
  expect_no_model("{\"version\":1,\"encoder\":{\"features\":1,\"units\":2},\"attention\":{\"score\":\"dot\"},"
                  "\"decoder\":{\"units\":4,\"steps\":3},\"output\":{\"units\":1},"
                  "\"vocabulary\":{\"length\":4,\"input\":[\"a\"],\"output\":[\"b\"],\"labels\":[\"c\"]}}",
                  "vocabulary.labels belongs to heads without a decoder (found a decoder, whose tokens are "
                  "vocabulary.output)");
  expect_no_model("{\"version\":1,\"encoder\":{\"features\":1,\"units\":2},\"attention\":{\"score\":\"dot\"},"
                  "\"vocabulary\":{\"length\":4,\"input\":[\"a\"],\"labels\":[\"c\"]}}",
                  "vocabulary.labels belongs to heads without a decoder (found no output)");
  expect_no_model(
      "{\"version\":2,\"input\":{\"features\":1},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\","
      "\"units\":2}}]},\"decoder\":{\"reads\":[\"token\"],\"feedback\":\"output\",\"start_token\":0,"
      "\"steps\":2,\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":2}}]},\"output\":{\"layers\":["
      "{\"units\":1,\"activation\":\"softmax\"}]},"
      "\"vocabulary\":{\"length\":4,\"input\":[\"a\"],\"output\":[\"b\"],\"labels\":[\"c\"]}}",
      "vocabulary.labels belongs to heads without a decoder (found a decoder");
}

Test(labels, outputs_without_a_decoder_need_no_names_but_those_that_are_there_fit) {
  cuseq_model *model = model_with(one, "");
  cr_expect_eq(cuseq_model_config(model)->output_symbols, 0);
  cr_expect_null(cuseq_model_output_symbol(model, 0));
  cuseq_model_destroy(model);
  model = model_with(one, ",\"output\":[\"x\",\"y\",\"z\"]");
  cr_expect_str_eq(cuseq_model_output_symbol(model, 2), "z");
  cuseq_model_destroy(model);
  char json[1024];
  json_make(json, one, ",\"output\":[\"x\",\"y\"]");
  expect_no_model(json, "vocabulary.output does not fit (found 2 symbols, output.units needs 3)");
}

/* ---- how probable they are ---- */

static void expect_probabilities(const char *output, const char *labels, const float *outputs, int32_t count,
                                 const double *expected) {
  cuseq_model *model = model_with(output, labels);
  double found[4];
  cr_assert_eq(cuseq_model_label_probabilities(model, 0, outputs, found), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  for (int32_t i = 0; i < count; i++)
    cr_expect(fabs(found[i] - expected[i]) < 1e-12, "%d: %.15g, not %.15g", i, found[i], expected[i]);
  cuseq_model_destroy(model);
}

Test(labels, probabilities_are_made_of_each_kind_of_outputs) {
  const char *three = LABELS("[\"a\",\"b\",\"c\"]"), *pair = LABELS("[\"no\",\"yes\"]");
  const double e = exp(1.0), ones[] = {1 / (1 + e + e * e), e / (1 + e + e * e), e * e / (1 + e + e * e)};
  expect_probabilities(one, three, (float[]){0.25f, 0.5f, 0.25f}, 3, (double[]){0.25, 0.5, 0.25});
  expect_probabilities(HEAD("pos", 3, "linear"), three, (float[]){1000, 1001, 1002}, 3, ones);
  expect_probabilities(unnamed, pair, (float[]){-1, -2}, 2, (double[]){exp(-1.0), exp(-2.0)});
  expect_probabilities(HEAD("pos", 1, "sigmoid"), pair, (float[]){0.75f}, 2, (double[]){0.25, 0.75});
  expect_probabilities(HEAD("pos", 1, "linear"), pair, (float[]){1}, 2, (double[]){1 / (1 + e), e / (1 + e)});
}

Test(labels, probabilities_of_what_has_none_are_refused) {
  cuseq_model *model = model_with(two, LABELS("{\"number\":[\"many\"]}"));
  const float outputs[4] = {0, 0, 0, 0.5f};
  double found[4];
  cr_expect_eq(cuseq_model_label_probabilities(model, 0, outputs, found), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_str_eq(cuseq_last_error(), "cuseq_model_label_probabilities: head \"pos\" has no labels");
  cr_expect_eq(cuseq_model_label_probabilities(model, 2, outputs, found), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(cuseq_model_label_probabilities(model, 1, NULL, found), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(cuseq_model_label_probabilities(model, 1, outputs, found), CUSEQ_STATUS_OK);
  cr_expect_eq(found[0], 0.5);
  cuseq_model_destroy(model);
}
