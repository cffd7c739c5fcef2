/* A state_dict, its description, and what must come of changes to them: for the tests of arrays_convert. */
#ifndef TESTS_UNIT_PYTORCH_CASE_H
#define TESTS_UNIT_PYTORCH_CASE_H

#include "convert/convert.h"
#include "support/folder.h"
#include "support/state_dict.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* F 6, H 2 in two directions, so A 4; S 4, u 3, V 5. */
#define CONFIG                                                                                               \
  "\"version\":1,\"encoder\":{\"features\":6,\"units\":2},\"attention\":{\"score\":\"concat\",\"layers\":["  \
  "{\"units\":3,\"activation\":\"tanh\"},{\"units\":1,\"activation\":\"linear\"}]},"                         \
  "\"decoder\":{\"units\":4,\"steps\":3},\"output\":{\"units\":5}"
#define ENCODER "\"encoder\":\"rnn\""
#define ATTENTION "\"attention.layers.0\":\"energy.0\",\"attention.layers.1\":\"energy.2\""
#define DECODER "\"decoder\":\"cell\""
#define OUTPUT "\"output\":\"out\""
#define NAMES ENCODER "," ATTENTION "," DECODER "," OUTPUT

/* The modules that NAMES has. */
static inline struct state_dict good_dict(void) {
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 4, 6, 2, 1, true, 0);
  state_dict_add_linear(&dict, "energy.0", 8, 3, true);
  state_dict_add_linear(&dict, "energy.2", 3, 1, true);
  state_dict_add_cell(&dict, "cell", 4, 4, 4);
  state_dict_add_linear(&dict, "out", 4, 5, true);
  return dict;
}

static inline cuseq_model *convert(const struct state_dict *dict, const char *config, const char *names,
                                   struct convert_json *json) {
  static char text[4096];
  cuseq_model *model;
  snprintf(text, sizeof text, "{%s,\"names\":{%s}}", config, names);
  *json = (struct convert_json){.text = text};
  cuseq_status status = arrays_convert(state_dict_write(dict, "dict.safetensors"), json, &model);
  cr_assert_eq(status == CUSEQ_STATUS_OK, model != NULL);
  return model;
}

static inline void expect_converts(const struct state_dict *dict, const char *config, const char *names) {
  struct convert_json json;
  cuseq_model *model = convert(dict, config, names, &json);
  cr_expect(model != NULL, "%s: %s", names, cuseq_last_error());
  cr_expect(!json.at_fault);
  cuseq_model_destroy(model);
}

enum fault { THE_CHECKPOINT, THE_DESCRIPTION };

static inline void expect_refused(const struct state_dict *dict, const char *config, const char *names,
                                  enum fault fault, const char *words) {
  struct convert_json json;
  cuseq_model *model = convert(dict, config, names, &json);
  const char *error = cuseq_last_error();
  cr_assert(model == NULL, "%s: converted, and should say: %s", names, words);
  cr_expect(strstr(error, words) != NULL, "\"%s\" does not say \"%s\"", error, words);
  cr_expect_eq(json.at_fault, fault == THE_DESCRIPTION, "%s", error);
  cr_expect_eq(strstr(error, "dict.safetensors: ") != NULL, fault == THE_CHECKPOINT, "%s", error);
}

#endif
