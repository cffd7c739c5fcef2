/* Pickles: data is read, and nothing else; what is refused is refused by its name, and nothing of it is run.
 */
#include "formats/pickle.h"

#include "error.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static int calls;

static cuseq_status count_call(void *context, int global, const struct pickle_value *arguments,
                               struct pickle_value *result) {
  (void)context;
  calls++;
  result->kind = PICKLE_INT;
  result->integer = global * 100 + (int64_t)arguments->count;
  return CUSEQ_STATUS_OK;
}

static cuseq_status take_id(void *context, const struct pickle_value *id, struct pickle_value *result) {
  (void)context;
  *result = *id;
  return CUSEQ_STATUS_OK;
}

static const struct pickle_global globals[] = {{"known", "first"}, {"known", "second"}, {NULL, NULL}};

static cuseq_status read_bytes(const void *bytes, size_t size, struct arena *arena,
                               struct pickle_value **value) {
  const struct pickle_reader reader = {globals, "data.pkl", "a state_dict", NULL, count_call, take_id};
  unsigned char *exact = malloc(size + !size); /* so that a sanitizer sees what is read beyond it */
  memcpy(exact, bytes, size);
  calls = 0;
  *value = NULL;
  cuseq_status status = pickle_read(exact, size, &reader, arena, value);
  free(exact);
  return status;
}

#define READ(text, arena, value) read_bytes(text, sizeof(text) - 1, arena, value)

static void expect_refused_of(const void *bytes, size_t size, const char *words) {
  struct arena arena = {0};
  struct pickle_value *value;
  cuseq_status status = read_bytes(bytes, size, &arena, &value);
  cr_expect_eq(status, CUSEQ_STATUS_INVALID_FILE, "%d instead of: %s", status, words);
  cr_expect(strstr(error_text(), words) != NULL, "\"%s\" does not say \"%s\"", error_text(), words);
  arena_free(&arena);
}

#define expect_refused(text, words) expect_refused_of(text, sizeof(text) - 1, words)

Test(pickle, data_of_all_kinds_is_read) {
  struct arena arena = {0};
  struct pickle_value *value;
  /* {"a": (1, -2, 300), "b": [None, True, 2.5], 7: b"xy"} as protocol 2 writes it, and 2**70 */
  static const char text[] =
      "\x80\2}q\0(X\1\0\0\0aK\1J\xfe\xff\xff\xffM,\1\x87q\1X\1\0\0\0b]q\2(N\x88G@\4\0\0\0\0\0\0e"
      "K\7C\2xyK\x08\x8a\x09\0\0\0\0\0\0\0\0@u.";
  cr_assert_eq(READ(text, &arena, &value), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(value->kind == PICKLE_DICT && value->count == 8);
  cr_expect(value->items[0]->kind == PICKLE_TEXT && strcmp(value->items[0]->text, "a") == 0);
  const struct pickle_value *tuple = value->items[1], *list = value->items[3], *bytes = value->items[5];
  cr_assert(tuple->kind == PICKLE_TUPLE && tuple->count == 3);
  cr_expect(tuple->items[0]->integer == 1 && tuple->items[1]->integer == -2 &&
            tuple->items[2]->integer == 300);
  cr_assert(list->kind == PICKLE_LIST && list->count == 3);
  cr_expect(list->items[0]->kind == PICKLE_NONE && list->items[1]->integer == 1 &&
            list->items[2]->kind == PICKLE_FLOAT);
  cr_expect(bytes->kind == PICKLE_BYTES && bytes->size == 2 && memcmp(bytes->text, "xy", 2) == 0);
  cr_expect(value->items[7]->kind == PICKLE_OTHER);
  arena_free(&arena);
}

Test(pickle, protocol_4_with_frames_and_a_memo_is_read) {
  struct arena arena = {0};
  struct pickle_value *value;
  static const char text[] = "\x80\4\x95\x10\0\0\0\0\0\0\0]\x94(\x8c\1a\x94h\1\x8f\x94(K\1\x90\x8a\1\xff"
                             "e.";
  cr_assert_eq(READ(text, &arena, &value), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert(value->kind == PICKLE_LIST && value->count == 4);
  cr_expect(value->items[0] == value->items[1], "the memo gives the same text");
  cr_expect(value->items[2]->kind == PICKLE_SET && value->items[2]->count == 1);
  cr_expect(value->items[3]->integer == -1);
  arena_free(&arena);
}

Test(pickle, known_globals_are_handed_to_the_reader_with_their_arguments) {
  struct arena arena = {0};
  struct pickle_value *value;
  cr_assert_eq(READ("\x80\2cknown\nsecond\nq\0)R.", &arena, &value), CUSEQ_STATUS_OK, "%s", error_text());
  cr_expect(calls == 1 && value->integer == 100);
  cr_assert_eq(READ("\x80\4\x8c\5known\x8c\5first\x93K\1K\2\x86R}b.", &arena, &value), CUSEQ_STATUS_OK, "%s",
               error_text());
  cr_expect(calls == 1 && value->integer == 2);
  cr_assert_eq(READ("\x80\2K\5Q.", &arena, &value), CUSEQ_STATUS_OK, "%s", error_text());
  cr_expect(value->kind == PICKLE_INT && value->integer == 5);
  arena_free(&arena);
}

Test(pickle, every_other_global_is_refused_by_its_name_and_nothing_runs) {
  expect_refused("\x80\2cposix\nsystem\nX\2\0\0\0ls\x85R.",
                 "it has 'posix.system', which is none of the names");
  expect_refused("\x80\4\x8c\5posix\x8c\6system\x93\x8c\2ls\x85R.", "it has 'posix.system', which is none");
  expect_refused("\x80\2cbuiltins\neval\n.", "'builtins.eval'");
  expect_refused("\x80\2cknown\nfirst\x00\n.", "'known.first");
  expect_refused("\x80\2cknown\nfirst.__init__\n.", "'known.first.__init__'");
  expect_refused("\x80\2cknown.first\n\n.", "'known.first.'");
  expect_refused("\x80\2ccollections\nOrderedDict\n)\x81.", "'collections.OrderedDict'");
  cr_expect_eq(calls, 0);
}

Test(pickle, what_makes_objects_in_other_ways_is_refused_by_its_opcode) {
  expect_refused("\x80\2cknown\nfirst\n)\x81.", "it has the opcode 0x81, which a state_dict does not need");
  expect_refused("\x80\2(iposix\nsystem\n.", "the opcode 0x69");
  expect_refused("\x80\2(cknown\nfirst\no.", "the opcode 0x6f");
  expect_refused("\x80\2\x82\1.", "the opcode 0x82");
  expect_refused("\x80\2P0\n.", "the opcode 0x50");
}

Test(pickle, calls_of_what_is_no_global_are_refused) {
  expect_refused("\x80\2K\1)R.", "a call of what cannot be called");
  expect_refused("\x80\2cknown\nfirst\n)R)R.", "a call of what cannot be called");
  expect_refused("\x80\2cknown\nfirst\n]R.", "a call of what cannot be called");
  expect_refused("\x80\2)R.", "a call of what cannot be called");
}

Test(pickle, a_stack_that_lacks_something_is_refused) {
  static const char *const ends[] = {"a.", "s.", "e.", "u.", "t.",   "\x85.", "\x87.", "0.",
                                     "1.", "2.", "b.", "Q.", "q\1.", "h\1.",  "."};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    char text[16] = "\x80\2";
    size_t size = 2 + strlen(ends[i]);
    memcpy(text + 2, ends[i], strlen(ends[i]));
    expect_refused_of(text, size, "not a readable pickle");
  }
  expect_refused("\x80\2}(K\1u.", "a key without a value");
  expect_refused("\x80\2K\1(K\2e.", "what is filled is not what it should be");
  expect_refused("\x80\2(.", "its stack does not end with one value");
  expect_refused("\x80\2K\1K\2.", "its stack does not end with one value");
  expect_refused("\x80\2N.N", "bytes behind its end");
  expect_refused("\x80\1N.", "a protocol that is not 2 to 5");
  expect_refused("\x80\2r\xff\xff\xff\xff.", "its memo is wrong");
}

Test(pickle, every_cut_of_one_is_refused) {
  static const char text[] =
      "\x80\2}q\0(X\1\0\0\0aK\1J\xfe\xff\xff\xffM,\1\x87q\1X\1\0\0\0b]q\2(N\x88G@\4\0\0\0\0\0\0eu.";
  for (size_t size = 0; size + 1 < sizeof text; size++)
    expect_refused_of(text, size, "it is cut short");
}

Test(pickle, lengths_beyond_the_end_and_memory_beyond_measure_are_refused) {
  expect_refused("\x80\2X\xff\xff\xff\xff"
                 "abc.",
                 "it is cut short");
  expect_refused("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                 "abc.",
                 "it is cut short");
  expect_refused("\x80\2\x8b\xff\xff\xff\x7f"
                 "abc.",
                 "it is cut short");
  size_t size = (size_t)4 << 20;
  char *text = malloc(size);
  memset(text, ']', size);
  expect_refused_of(text, size, "too large to be a state_dict");
  free(text);
  size = PICKLE_MOST_BYTES + 1;
  text = calloc(size, 1);
  expect_refused_of(text, size, "too large to be a state_dict (16777217 bytes, at most 16777216)");
  free(text);
}
