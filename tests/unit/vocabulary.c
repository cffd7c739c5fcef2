/* Texts to ids, tokens to texts. */
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static cuseq_model *model_with(const char *vocabulary, int features, const char *decoder) {
  char json[1024];
  snprintf(json, sizeof json,
           "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":2},\"attention\":{\"score\":\"dot\"},"
           "\"decoder\":{\"units\":4,\"steps\":3%s},\"output\":{\"units\":4},\"vocabulary\":%s}",
           features, decoder, vocabulary);
  struct random random = {3};
  return random_model(json, &(struct random_widths){0}, &random);
}

static const char padded[] = "{\"length\":6,\"input\":[\"a\",\"b\",\"\u00e9\",\"<unk>\",\"<pad>\"],"
                             "\"output\":[\"x\",\"\u20ac\",\"<end>\","
                             "\"<unk>\"],\"lowercase\":true,\"drop\":\",;\"}";
static const char bare[] =
    "{\"length\":6,\"input\":[\"a\",\"b\",\"<\"],\"output\":[\"w\",\"x\",\"y\",\"z\"]}";

static void expect_ids(const cuseq_model *model, const char *text, int truncate, const int32_t *want,
                       int32_t want_length) {
  int32_t ids[6], length, characters;
  cr_assert_eq(cuseq_text_encode(model, text, truncate, ids, &length, &characters), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cr_expect_eq(length, want_length, "%s: length %d", text, (int)length);
  for (int i = 0; i < 6; i++)
    cr_expect_eq(ids[i], want[i], "%s: ids[%d] is %d", text, i, (int)ids[i]);
}

static void expect_refused(const cuseq_model *model, const char *text, const char *words) {
  int32_t ids[6], length;
  cr_expect_eq(cuseq_text_encode(model, text, 0, ids, &length, NULL), CUSEQ_STATUS_INVALID_ARGUMENT, "%s",
               text);
  cr_expect(strstr(cuseq_last_error(), words) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(),
            words);
}

Test(vocabulary, texts_are_lowered_dropped_from_and_padded) {
  cuseq_model *model = model_with(padded, 5, "");
  expect_ids(model, "aB", 0, (const int32_t[]){0, 1, 4, 4, 4, 4}, 6);
  expect_ids(model, "a,;b\xc3\xa9?", 0, (const int32_t[]){0, 1, 2, 3, 4, 4}, 6);
  expect_ids(model, "", 0, (const int32_t[]){4, 4, 4, 4, 4, 4}, 6);
  expect_ids(model, "ababab,", 0, (const int32_t[]){0, 1, 0, 1, 0, 1}, 6);
  expect_ids(model, "abababa", 1, (const int32_t[]){0, 1, 0, 1, 0, 1}, 6);
  expect_refused(model, "abababa", "too long (found 7 characters, at most 6)");
  expect_refused(model, "a\xc3", "not UTF-8 at byte 1");
  expect_refused(model, "\xed\xa0\x80", "not UTF-8 at byte 0");
  cuseq_model_destroy(model);
}

Test(vocabulary, without_padding_lengths_are_told_and_unknown_characters_refused) {
  cuseq_model *model = model_with(bare, 3, "");
  expect_ids(model, "ba<", 0, (const int32_t[]){1, 0, 2, 0, 0, 0}, 3);
  expect_refused(model, "", "empty");
  expect_refused(model, "aB", "character 1 is not in the vocabulary (found U+0042, and there is no <unk>)");
  cuseq_model_destroy(model);
}

Test(vocabulary, a_model_without_one_refuses_texts) {
  struct random random = {4};
  cuseq_model *model = random_model(
      "{\"version\":1,\"encoder\":{\"features\":2,\"units\":2},\"attention\":{\"score\":\"dot\"}}",
      &(struct random_widths){0}, &random);
  expect_refused(model, "a", "the model has no vocabulary");
  cr_expect_null(cuseq_model_input_symbol(model, 0));
  cuseq_model_destroy(model);
}

static void expect_text(const cuseq_model *model, const int32_t *tokens, int32_t count, const char *want) {
  char text[64];
  cr_assert_eq(cuseq_text_decode(model, tokens, count, text, sizeof text), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cr_expect_str_eq(text, want);
}

Test(vocabulary, tokens_print_up_to_the_end_token) {
  cuseq_model *model = model_with(padded, 5, ",\"end_token\":2");
  expect_text(model, (const int32_t[]){0, 1, 2, 0}, 4, "x\xe2\x82\xac");
  expect_text(model, (const int32_t[]){3, 0}, 2, "\xef\xbf\xbdx");
  expect_text(model, NULL, 0, "");
  char text[4];
  cr_expect_eq(cuseq_text_decode(model, (const int32_t[]){0, 1}, 2, text, 4), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(cuseq_text_decode(model, (const int32_t[]){4}, 1, text, 4), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect(strstr(cuseq_last_error(), "found 4, needed 0 to 3") != NULL);
  cuseq_model_destroy(model);
  model = model_with(padded, 5, "");
  expect_text(model, (const int32_t[]){0, 2, 1}, 3, "x\xe2\x82\xac");
  cr_expect_str_eq(cuseq_model_output_symbol(model, 2), "<end>");
  cr_expect_str_eq(cuseq_model_input_symbol(model, 2), "\xc3\xa9");
  cr_expect_null(cuseq_model_input_symbol(model, 5));
  cuseq_model_destroy(model);
}

static void expect_tokens(const cuseq_model *model, const char *text, const int32_t *want,
                          int32_t want_count) {
  int32_t tokens[4] = {9, 9, 9, 9}, count;
  cr_assert_eq(cuseq_text_tokens(model, text, tokens, 3, &count), CUSEQ_STATUS_OK, "%s: %s", text,
               cuseq_last_error());
  cr_expect_eq(count, want_count, "%s: %d tokens", text, (int)count);
  for (int32_t i = 0; i < 4; i++)
    cr_expect_eq(tokens[i], i < want_count ? want[i] : 9, "%s: tokens[%d] is %d", text, i, (int)tokens[i]);
}

static void expect_no_tokens(const cuseq_model *model, const char *text, const char *words) {
  int32_t tokens[3], count;
  cr_expect_eq(cuseq_text_tokens(model, text, tokens, 3, &count), CUSEQ_STATUS_INVALID_ARGUMENT, "%s", text);
  cr_expect(strstr(cuseq_last_error(), words), "\"%s\" does not say \"%s\"", cuseq_last_error(), words);
}

Test(vocabulary, what_a_model_might_write_has_tokens_and_the_end_token_behind_them) {
  cuseq_model *model = model_with(padded, 5, ",\"end_token\":2");
  expect_tokens(model, "x\xe2\x82\xac", (const int32_t[]){0, 1, 2}, 3);
  expect_tokens(model, "?", (const int32_t[]){3, 2}, 2);
  expect_tokens(model, "", (const int32_t[]){2}, 1);
  expect_no_tokens(model, "xxx", "too long (found 4 tokens, at most 3)");
  expect_no_tokens(model, "x\xe2", "not UTF-8 at byte 1");
  cuseq_model_destroy(model);
  model = model_with(bare, 3, ",\"end_token\":3");
  expect_tokens(model, "wx", (const int32_t[]){0, 1, 3}, 3);
  expect_no_tokens(model, "wz", "character 1 is the end token");
  expect_no_tokens(model, "wa", "character 1 is not in the output vocabulary (found U+0061");
  cuseq_model_destroy(model);
  model = model_with(bare, 3, "");
  expect_tokens(model, "wxz", (const int32_t[]){0, 1, 3}, 3);
  expect_no_tokens(model, "", "empty (and the model has no end token)");
  cuseq_model_destroy(model);
}
