/* Vocabularies of words: texts cut at white space, and written with a space between words. */
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* A decoder over 5 symbols that writes 4. */
static cuseq_model *model_with(const char *vocabulary, const char *decoder) {
  char json[1024];
  snprintf(json, sizeof json,
           "{\"version\":1,\"encoder\":{\"features\":5,\"units\":2},\"attention\":{\"score\":\"dot\"},"
           "\"decoder\":{\"units\":4,\"steps\":3%s},\"output\":{\"units\":4},\"vocabulary\":%s}",
           decoder, vocabulary);
  struct random random = {3};
  return random_model(json, &(struct random_widths){0}, &random);
}

#define OUTPUT "\"output\":[\"AH0\",\"na\u00efve\",\"<end>\",\"<unk>\"]"
#define INPUT "\"input\":[\"new\",\"york\",\"\u00e9t\u00e9\",\"<unk>\",\"<pad>\"]"
#define SURE "\"input\":[\"new\",\"york\",\"\u00e9t\u00e9\",\"b\",\"a\"]"
static const char words[] =
    "{\"length\":4,\"split\":\"whitespace\"," INPUT "," OUTPUT ",\"lowercase\":true,\"drop\":\",;\"}";
static const char sure[] = "{\"length\":4,\"split\":\"whitespace\"," SURE "," OUTPUT "}";
static const char spoken[] = "{\"length\":4,\"split\":{\"output\":\"whitespace\"},\"input\":[\"a\",\"b\",\" "
                             "\",\"<unk>\",\"<pad>\"]," OUTPUT "}";

static void expect_ids(const cuseq_model *model, const char *text, const int32_t want[4], int32_t want_own) {
  int32_t ids[4], length, own;
  cr_assert_eq(cuseq_text_encode(model, text, 0, ids, &length, &own), CUSEQ_STATUS_OK, "%s: %s", text,
               cuseq_last_error());
  cr_expect_eq(own, want_own, "%s: %d tokens", text, (int)own);
  for (int i = 0; i < 4; i++)
    cr_expect_eq(ids[i], want[i], "%s: ids[%d] is %d", text, i, (int)ids[i]);
}

static void expect_refused(const cuseq_model *model, const char *text, const char *said) {
  int32_t ids[4], length;
  cr_expect_eq(cuseq_text_encode(model, text, 0, ids, &length, NULL), CUSEQ_STATUS_INVALID_ARGUMENT, "%s",
               text);
  cr_expect(strstr(cuseq_last_error(), said) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(), said);
}

static void expect_spans(const cuseq_model *model, const char *text, int32_t want_count,
                         const int32_t *want) {
  int32_t spans[8], count;
  cr_assert_eq(cuseq_text_spans(model, text, spans, &count), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(count, want_count, "%s: %d tokens", text, (int)count);
  for (int32_t i = 0; i < 2 * count; i++)
    cr_expect_eq(spans[i], want[i], "%s: spans[%d] is %d", text, (int)i, (int)spans[i]);
}

Test(vocabulary_words, texts_are_cut_at_white_space_of_every_kind) {
  cuseq_model *model = model_with(words, "");
  expect_ids(model, "new york", (const int32_t[]){0, 1, 4, 4}, 2);
  expect_ids(model, "  New\tYORK\n", (const int32_t[]){0, 1, 4, 4}, 2);
  expect_ids(model, "new\xc2\xa0york\xe3\x80\x80\xc3\xa9t\xc3\xa9", (const int32_t[]){0, 1, 2, 4}, 3);
  expect_ids(model, "newyork ne new", (const int32_t[]){3, 3, 0, 4}, 3);
  expect_ids(model, "", (const int32_t[]){4, 4, 4, 4}, 0);
  expect_ids(model, " \t ", (const int32_t[]){4, 4, 4, 4}, 0);
  cuseq_model_destroy(model);
}

Test(vocabulary_words, what_is_dropped_is_dropped_within_words_and_a_word_of_nothing_else_is_none) {
  cuseq_model *model = model_with(words, "");
  expect_ids(model, "n,ew ;, york;", (const int32_t[]){0, 1, 4, 4}, 2);
  expect_spans(model, "n,ew ;, york;", 2, (const int32_t[]){0, 4, 8, 13});
  cuseq_model_destroy(model);
}

Test(vocabulary_words, names_in_brackets_are_no_words_of_a_text) {
  cuseq_model *model = model_with(words, "");
  expect_ids(model, "<pad> new <unk>", (const int32_t[]){3, 0, 3, 4}, 3);
  cuseq_model_destroy(model);
}

Test(vocabulary_words, unknown_and_too_many_words_are_told_as_words) {
  cuseq_model *model = model_with(sure, "");
  expect_refused(model, "new yorker",
                 "word 1 is not in the vocabulary (found \"yorker\", and there is no <unk>)");
  expect_refused(model, "New", "word 0 is not in the vocabulary (found \"New\"");
  expect_refused(model, "a b a b a", "too long (found 5 words, at most 4)");
  expect_refused(model, " ", "empty (found 0 words, needed at least 1)");
  expect_refused(model, "new \xff", "not UTF-8 at byte 4");
  expect_refused(model, "new y\xff", "not UTF-8 at byte 5");
  /* a long word is cut between characters */
  expect_refused(model, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9z",
                 "found \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", and");
  cuseq_model_destroy(model);
}

Test(vocabulary_words, spans_are_where_the_tokens_lie_and_stop_at_the_length) {
  cuseq_model *model = model_with(words, "");
  int32_t spans[8], count;
  expect_spans(model, " new  \xc3\xa9t\xc3\xa9", 2, (const int32_t[]){1, 4, 6, 11});
  expect_spans(model, "a b c d e", 4, (const int32_t[]){0, 1, 2, 3, 4, 5, 6, 7});
  expect_spans(model, "", 0, NULL);
  cr_expect_eq(cuseq_text_spans(model, "a \xff", spans, &count), CUSEQ_STATUS_INVALID_ARGUMENT);
  cr_expect_eq(cuseq_text_spans(model, NULL, spans, &count), CUSEQ_STATUS_INVALID_ARGUMENT);
  cuseq_model_destroy(model);
  model = model_with(spoken, "");
  expect_spans(model, "\xc3\xa9 a", 3, (const int32_t[]){0, 2, 2, 3, 3, 4});
  cuseq_model_destroy(model);
}

static void expect_text(const cuseq_model *model, const int32_t *tokens, int32_t count, const char *want) {
  char text[64];
  int32_t bytes = cuseq_model_config(model)->output_bytes;
  cr_assert_leq((size_t)(bytes * count + 1), sizeof text);
  cr_assert_eq(cuseq_text_decode(model, tokens, count, text, (size_t)(bytes * count + 1)), CUSEQ_STATUS_OK,
               "%s", cuseq_last_error());
  cr_expect_str_eq(text, want);
}

Test(vocabulary_words, words_are_written_with_a_space_between_them_and_read_again) {
  cuseq_model *model = model_with(words, ",\"end_token\":2");
  int32_t tokens[4], count;
  cr_expect_eq(cuseq_model_config(model)->output_bytes, 7);
  expect_text(model, (const int32_t[]){0, 1, 0, 2, 0}, 5, "AH0 na\xc3\xafve AH0");
  expect_text(model, (const int32_t[]){3, 0}, 2, "\xef\xbf\xbd AH0");
  expect_text(model, (const int32_t[]){1, 1, 1}, 3, "na\xc3\xafve na\xc3\xafve na\xc3\xafve");
  expect_text(model, (const int32_t[]){2}, 1, "");
  cr_assert_eq(cuseq_text_tokens(model, "AH0  na\xc3\xafve x", tokens, 4, &count), CUSEQ_STATUS_OK);
  cr_expect_eq(count, 4);
  cr_expect(tokens[0] == 0 && tokens[1] == 1 && tokens[2] == 3 && tokens[3] == 2);
  cr_expect_eq(cuseq_text_tokens(model, "AH0 AH0 AH0 AH0", tokens, 4, &count), CUSEQ_STATUS_INVALID_ARGUMENT);
  cuseq_model_destroy(model);
  model = model_with(words, "");
  expect_text(model, (const int32_t[]){0, 2, 1}, 3,
              "AH0 na\xc3\xafve"); /* a name prints nothing, and no space */
  cuseq_model_destroy(model);
}

Test(vocabulary_words, each_side_may_be_cut_in_its_own_way) {
  cuseq_model *model = model_with(spoken, "");
  expect_ids(model, "a b", (const int32_t[]){0, 2, 1, 4}, 3);
  expect_text(model, (const int32_t[]){0, 0}, 2, "AH0 AH0");
  cuseq_model_destroy(model);
}

Test(vocabulary_words, every_symbol_of_a_large_vocabulary_is_found) {
  enum { COUNT = 500 };
  static char json[COUNT * 12 + 512];
  int used =
      snprintf(json, sizeof json,
               "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":1},\"attention\":{\"score\":\"dot\"},"
               "\"vocabulary\":{\"length\":2,\"split\":\"whitespace\",\"input\":[",
               COUNT);
  for (int i = 0; i < COUNT; i++)
    used += snprintf(json + used, sizeof json - (size_t)used, "%s\"w%d\"", i ? "," : "", i * 7919 % COUNT);
  snprintf(json + used, sizeof json - (size_t)used, "]}}");
  struct random random = {5};
  cuseq_model *model = random_model(json, &(struct random_widths){0}, &random);
  for (int i = 0; i < COUNT; i++) {
    char text[16];
    int32_t ids[2], length;
    snprintf(text, sizeof text, "w%d", i * 7919 % COUNT);
    cr_assert_eq(cuseq_text_encode(model, text, 0, ids, &length, NULL), CUSEQ_STATUS_OK, "%s",
                 cuseq_last_error());
    cr_expect_eq(ids[0], i, "%s is %d", text, (int)ids[0]);
  }
  cuseq_model_destroy(model);
}

static void expect_no_model(const char *vocabulary, const char *said) {
  char json[1024];
  snprintf(json, sizeof json,
           "{\"version\":1,\"encoder\":{\"features\":2,\"units\":2},\"attention\":{\"score\":\"dot\"},"
           "\"vocabulary\":%s}",
           vocabulary);
  cuseq_model *model;
  cuseq_tensor none = {.name = "none"};
  cr_expect_eq(cuseq_model_create(json, &none, 0, &model), CUSEQ_STATUS_INVALID_MODEL, "%s", json);
  cr_expect(strstr(cuseq_last_error(), said) != NULL, "\"%s\" does not say \"%s\"", cuseq_last_error(), said);
}

Test(vocabulary_words, a_split_that_is_none_and_symbols_that_no_split_gives_are_refused) {
  expect_no_model("{\"length\":2,\"split\":\"words\",\"input\":[\"a\",\"b\"]}",
                  "vocabulary.split is unknown (found \"words\", needed one of characters, whitespace)");
  expect_no_model("{\"length\":2,\"split\":1,\"input\":[\"a\",\"b\"]}",
                  "vocabulary.split is unknown (found no string");
  expect_no_model("{\"length\":2,\"split\":{\"input\":\"word\"},\"input\":[\"a\",\"b\"]}",
                  "vocabulary.split.input is unknown (found \"word\"");
  expect_no_model("{\"length\":2,\"split\":{\"in\":\"characters\"},\"input\":[\"a\",\"b\"]}",
                  "\"vocabulary.split\" has an unknown key \"in\"");
  expect_no_model(
      "{\"length\":2,\"split\":\"whitespace\",\"input\":[\"a\",\"b c\"]}",
      "vocabulary.input entry 1 is neither a word without white space nor a name in <> (found \"b c\")");
  expect_no_model("{\"length\":2,\"split\":\"whitespace\",\"input\":[\"\",\"b\"]}",
                  "entry 0 is neither a word");
  expect_no_model("{\"length\":2,\"input\":[\"a\",\"bc\"]}", "entry 1 is neither one character nor");
  expect_no_model("{\"length\":2,\"split\":\"whitespace\",\"input\":[\"new\",\"new\"]}",
                  "vocabulary.input has \"new\" twice");
}
