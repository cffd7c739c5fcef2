/* JSON as Python writes it: Infinity, -Infinity and NaN become objects that stand for them, and nothing
 * else changes. */
#include "convert/keras/model_text.h"
#include "convert/keras/python_json.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the text is rewritten to; "" where it has nothing to rewrite. For free(). */
static char *rewritten(const char *text) {
  char *json, *copy;
  size_t length;
  cr_assert(python_json_rewrite(text, strlen(text), "text", &json, &length) == CUSEQ_STATUS_OK);
  copy = calloc(1, length + 1);
  cr_assert(copy);
  if (json)
    memcpy(copy, json, length);
  free(json);
  return copy;
}

static void expect_rewritten(const char *text, const char *wanted) {
  char *got = rewritten(text);
  cr_expect(strcmp(got, wanted) == 0, "%s: got %s, want %s", text, got, wanted);
  free(got);
}

Test(keras_json, numbers_that_json_has_not_become_objects) {
  expect_rewritten("{\"a\":NaN}", "{\"a\":{\"number\":\"NaN\"}}");
  expect_rewritten("[Infinity,-Infinity, NaN ]",
                   "[{\"number\":\"Infinity\"},{\"number\":\"-Infinity\"}, {\"number\":\"NaN\"} ]");
  expect_rewritten("NaN", "{\"number\":\"NaN\"}");
  expect_rewritten("-Infinity", "{\"number\":\"-Infinity\"}");
}

Test(keras_json, texts_are_not_touched) {
  expect_rewritten("{\"NaN\":\"Infinity\"}", "");
  expect_rewritten("[\"a \\\" NaN\", \"\\\\\", NaN]", "[\"a \\\" NaN\", \"\\\\\", {\"number\":\"NaN\"}]");
  expect_rewritten("[\"\\\\\\\" -Infinity\"]", "");
  expect_rewritten("[\"NaN", "");
  expect_rewritten("\"\\", "");
  expect_rewritten("", "");
  expect_rewritten("[\"\",NaN,\"NaN\"]", "[\"\",{\"number\":\"NaN\"},\"NaN\"]");
}

Test(keras_json, what_is_cut_short_is_none_of_them) {
  static const char *const texts[] = {"[Na", "[N", "[Infinit", "-Infinit", "-", "-I", "Inf", "nan", "inf"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    expect_rewritten(texts[i], "");
}

static json_t *parsed(const char *text) {
  json_t *json = NULL;
  cuseq_status status = model_text_parse(text, strlen(text), "text", &json);
  cr_expect((status == CUSEQ_STATUS_OK) == (json != NULL));
  return json;
}

Test(keras_json, parsed_numbers_are_told_from_everything_else) {
  json_t *json =
      parsed("{\"i\":Infinity,\"m\":-Infinity,\"n\":NaN,\"x\":2.5,\"k\":3,\"t\":\"NaN\",\"o\":{\"number\":1},"
             "\"p\":{\"number\":\"NaN\",\"more\":1},\"z\":null}");
  cr_assert(json);
  double number = 0;
  cr_expect(python_json_number(json_object_get(json, "i"), &number) && number == INFINITY);
  cr_expect(python_json_number(json_object_get(json, "m"), &number) && number == -INFINITY);
  cr_expect(python_json_number(json_object_get(json, "n"), &number) && isnan(number));
  cr_expect(python_json_number(json_object_get(json, "x"), &number) && number == 2.5);
  cr_expect(python_json_number(json_object_get(json, "k"), &number) && number == 3);
  static const char *const others[] = {"t", "o", "p", "z", "missing"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    cr_expect(!python_json_number(json_object_get(json, others[i]), &number), "%s is a number", others[i]);
  json_decref(json);
}

Test(keras_json, damaged_text_stays_damaged) {
  static const char *const texts[] = {"{\"a\":1NaN}",       "{\"a\":NaN1}",
                                      "{\"a\":--Infinity}", "{NaN:1}",
                                      "{\"a\":-NaN}",       "{\"a\":InfinityNaN}",
                                      "{\"a\":+Infinity}",  "[NaN]",
                                      "{\"a\":NaN",         "NaN"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    json_t *json = parsed(texts[i]);
    bool object_of_one = json != NULL && json_object_get(json, "number") != NULL; /* "NaN" alone */
    cr_expect(json == NULL || object_of_one, "%s was read", texts[i]);
    json_decref(json);
  }
}

Test(keras_json, a_text_of_such_numbers_alone_is_refused) {
  enum { NUMBERS = 10001 };
  char *text = malloc(4 * NUMBERS + 16);
  cr_assert(text);
  size_t used = (size_t)sprintf(text, "{\"a\":[NaN");
  for (int i = 1; i < NUMBERS; i++)
    used += (size_t)sprintf(text + used, ",NaN");
  sprintf(text + used, "]}");
  cr_expect(parsed(text) == NULL);
  free(text);
}
