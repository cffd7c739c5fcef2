/* .safetensors files that break a rule of the format get one line that says which, and no memory. */
#include "formats/safetensors.h"

#include "error.h"
#include "support/bytes.h"
#include "support/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_refused(const struct bytes *bytes, const char *reason) {
  struct safetensors file;
  unsigned char *exact = malloc(bytes->size + !bytes->size); /* so that a sanitizer sees what lies beyond */
  if (bytes->size > 0)
    memcpy(exact, bytes->data, bytes->size);
  cuseq_status status = safetensors_parse(exact, bytes->size, &file);
  free(exact);
  cr_assert_eq(status, CUSEQ_STATUS_INVALID_FILE, "%d instead of: %s", status, reason);
  cr_assert(strstr(error_text(), reason), "%s instead of: %s", error_text(), reason);
  cr_assert(file.owner == NULL && file.tensors == NULL && file.tensor_count == 0 && file.metadata == NULL);
}

static struct bytes file_of(const char *header, size_t length, size_t data_bytes) {
  struct bytes file = {0};
  bytes_add_little_endian(&file, length, 8);
  bytes_add(&file, header, length);
  bytes_add_repeated(&file, "x", data_bytes);
  return file;
}

struct refusal {
  const char *header;
  size_t data_bytes;
  const char *reason;
};

static void assert_all_refused(const struct refusal *refusals, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct bytes bytes = file_of(refusals[i].header, strlen(refusals[i].header), refusals[i].data_bytes);
    assert_refused(&bytes, refusals[i].reason);
    bytes_free(&bytes);
  }
}
#define ASSERT_ALL_REFUSED(refusals) assert_all_refused(refusals, sizeof(refusals) / sizeof *(refusals))

#define ENTRY(name, dtype, shape, offsets)                                                                   \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets) "{" ENTRY("a", dtype, shape, offsets) "}"

Test(safetensors_bad, header_lengths_that_lie_are_refused) {
  struct bytes bytes = {0};
  assert_refused(&bytes, "header: the file is empty (0 bytes, at least 8 are needed)");
  bytes_add_little_endian(&bytes, 2, 8);
  for (bytes.size = 1; bytes.size < 8; bytes.size++)
    assert_refused(&bytes, "header: the file ends in its length");
  assert_refused(
      &bytes, "header: longer than the file, which is truncated or no .safetensors (2 bytes, the file has 0");
  bytes_add_text(&bytes, "{");
  assert_refused(&bytes, "header: longer than the file");
  bytes_free(&bytes);
  static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 8, 1ull << 63, 1ull << 32, 3};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    bytes_add_little_endian(&bytes, lengths[i], 8);
    bytes_add_text(&bytes, "{}");
    assert_refused(&bytes, "header: longer than the file");
    bytes_free(&bytes);
  }
}

Test(safetensors_bad, headers_that_do_not_begin_with_a_brace_are_refused) {
  static const struct refusal refusals[] = {
      {"", 0, "header: does not begin with '{'"},
      {"[]", 0, "header: does not begin with '{'"},
      {" {}", 0, "header: does not begin with '{'"},
      {"\n{}", 0, "header: does not begin with '{'"},
      {"\xef\xbb\xbf{}", 0, "header: does not begin with '{'"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(safetensors_bad, headers_that_are_not_json_are_refused) {
  static const struct refusal refusals[] = {
      {"{", 0, "header: not valid JSON"},
      {"{}x", 0, "header: not valid JSON"},
      {"{}{}", 0, "header: not valid JSON"},
      {"{\"a\"}", 0, "header: not valid JSON"},
      {"{a:1}", 0, "header: not valid JSON"},
      {"{\"__metadata__\":{\"a\":\"\\ud800\"}}", 0, "header: not valid JSON"},
      {"{\"__metadata__\":{\"a\":\"\\x\"}}", 0, "header: not valid JSON"},
      {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0, "header: not valid JSON (unable to decode byte 0xff"},
      {"{\"__metadata__\":{\"a\":\"\xc0\x80\"}}", 0, "header: not valid JSON (unable to decode byte 0xc0"},
      {"{\"__metadata__\":{\"a\":\"b", 0, "header: not valid JSON"},
      {"{\"__metadata__\":{\"a\\u0000b\":\"c\"}}", 0, "header: not valid JSON"},
      {ONE("U8", "[99999999999999999999]", "[0,1]"), 1, "header: not valid JSON (too big integer"},
      {ONE("U8", "[1e999]", "[0,1]"), 1, "header: not valid JSON (real number overflow"},
  };
  ASSERT_ALL_REFUSED(refusals);
  struct bytes zero = file_of("{\0}", 3, 0), ending = file_of("{}\0", 3, 0);
  assert_refused(&zero, "header: not valid JSON");
  assert_refused(&ending, "header: not valid JSON");
  bytes_free(&zero);
  bytes_free(&ending);
}

Test(safetensors_bad, names_that_are_there_twice_are_refused) {
  static const struct refusal refusals[] = {
      {"{" ENTRY("a", "U8", "[1]", "[0,1]") "," ENTRY("a", "U8", "[1]", "[1,2]") "}", 2,
       "duplicate object key"},
      {"{" ENTRY("a", "U8", "[1]", "[0,1]") "," ENTRY("\\u0061", "U8", "[1]", "[1,2]") "}", 2,
       "duplicate object key"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate object key"},
      {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}", 0, "duplicate object key"},
      {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
       "duplicate object key"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(safetensors_bad, metadata_other_than_texts_are_refused) {
  static const struct refusal refusals[] = {
      {"{\"__metadata__\":[]}", 0, "__metadata__: not an object"},
      {"{\"__metadata__\":null}", 0, "__metadata__: not an object"},
      {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: the value of 'k' is not a string"},
      {"{\"__metadata__\":{\"j\":\"\",\"k\":{}}}", 0, "__metadata__: the value of 'k' is not a string"},
      {"{\"__metadata__\":{\"k\":null}}", 0, "__metadata__: the value of 'k' is not a string"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(safetensors_bad, entries_that_are_not_dtype_shape_and_offsets_are_refused) {
  static const struct refusal refusals[] = {
      {"{\"a\":1}", 0, "tensor 'a': its header entry is not an object"},
      {"{\"a\":{}}", 0, "tensor 'a': its dtype is missing or not a string"},
      {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
       "its dtype is missing or not a string"},
      {ONE("F33", "[1]", "[0,1]"), 1, "tensor 'a': unknown dtype 'F33'"},
      {ONE("f32", "[1]", "[0,4]"), 4, "tensor 'a': unknown dtype 'f32'"},
      {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "its shape is missing or not an array"},
      {ONE("U8", "1", "[0,1]"), 1, "its shape is missing or not an array"},
      {ONE("U8", "[-1]", "[0,1]"), 1, "not a non-negative integer"},
      {ONE("U8", "[1.0]", "[0,1]"), 1, "not a non-negative integer"},
      {ONE("U8", "[\"1\"]", "[0,1]"), 1, "not a non-negative integer"},
      {ONE("U8", "[true]", "[0,1]"), 1, "not a non-negative integer"},
      {ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "too many dimensions (9, at most 8)"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1,
       "its data_offsets are missing or not two non-negative integers"},
      {ONE("U8", "[1]", "[0]"), 1, "its data_offsets are missing or not two"},
      {ONE("U8", "[1]", "[0,1,1]"), 1, "its data_offsets are missing or not two"},
      {ONE("U8", "[1]", "[-1,0]"), 1, "its data_offsets are missing or not two"},
      {ONE("U8", "[1]", "[0,1.0]"), 1, "its data_offsets are missing or not two"},
      {ONE("U8", "[1]", "{}"), 1, "its data_offsets are missing or not two"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":0}}", 1, "unknown key 'x'"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(safetensors_bad, sizes_and_places_that_lie_are_refused) {
  static const struct refusal refusals[] = {
      {ONE("F32", "[2]", "[0,4]"), 4, "tensor 'a': shape and dtype need 8 bytes (its data_offsets have 4)"},
      {ONE("F32", "[]", "[0,8]"), 8, "tensor 'a': shape and dtype need 4 bytes"},
      {ONE("F32", "[0]", "[0,4]"), 4, "tensor 'a': shape and dtype need 0 bytes"},
      {ONE("F4", "[3]", "[0,1]"), 1, "its elements do not fill whole bytes"},
      {ONE("F32", "[1000000000000000000]", "[0,4]"), 4, "its shape has more elements than can be counted"},
      {ONE("F32", "[4294967296,4294967296]", "[0,4]"), 4, "its shape has more elements than can be counted"},
      {ONE("U8", "[9223372036854775807,2,0]", "[0,0]"), 0, "its shape has more elements than can be counted"},
      {ONE("U8", "[2]", "[0,2]"), 1, "its data lie beyond the end of the file (bytes 0 to 2 of the data"},
      {ONE("U8", "[1]", "[9223372036854775806,9223372036854775807]"), 1,
       "its data lie beyond the end of the file"},
      {ONE("U8", "[1]", "[1,0]"), 1, "its data_offsets run backwards (1 to 0)"},
      {ONE("U8", "[1]", "[1,2]"), 2,
       "tensor 'a': its data leave a hole before them (they start at byte 1, needed 0)"},
      {ONE("U8", "[1]", "[0,1]"), 2,
       "data: bytes after the last tensor (the tensors have 1 bytes, the file has 2)"},
      {"{}", 1, "data: bytes after the last tensor (the tensors have 0 bytes, the file has 1)"},
      {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[2]", "[1,3]") "}", 3,
       "tensor 'b': its data overlap another tensor's (they start at byte 1, needed 2)"},
      {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[2]", "[0,2]") "}", 2,
       "overlap another tensor's"},
      {"{" ENTRY("a", "U8", "[1]", "[0,1]") "," ENTRY("b", "U8", "[1]", "[2,3]") "}", 3,
       "leave a hole before them"},
      {"{" ENTRY("a", "U8", "[4]", "[0,4]") "," ENTRY("b", "U8", "[0]", "[2,2]") "}", 4,
       "overlap another tensor's"},
  };
  ASSERT_ALL_REFUSED(refusals);
}

Test(safetensors_bad, nesting_of_more_than_three_levels_is_refused) {
  static const struct refusal refusals[] = {
      {"{\"a\":{\"shape\":[[1]]}}", 0, "header: nested too deeply (4 levels, at most 3)"},
      {"{\"__metadata__\":{\"a\":{\"b\":{}}}}", 0, "header: nested too deeply"},
  };
  ASSERT_ALL_REFUSED(refusals);
  struct bytes header = {0};
  bytes_add_text(&header, "{\"a\":");
  bytes_add_repeated(&header, "[", 10000000);
  struct bytes bytes = file_of((char *)header.data, header.size, 0);
  assert_refused(&bytes, "header: nested too deeply");
  bytes_free(&bytes);
  bytes_free(&header);
}

Test(safetensors_bad, braces_in_texts_are_not_taken_for_nesting) {
  const char *header = "{\"__metadata__\":{\"a\":\"{[{[{[\\\"{[{[\\\\\"}}";
  struct bytes bytes = file_of(header, strlen(header), 0);
  struct safetensors file;
  cr_assert_eq(safetensors_parse(bytes.data, bytes.size, &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_str_eq(safetensors_metadata(&file, "a"), "{[{[{[\"{[{[\\");
  safetensors_free(&file);
  bytes_free(&bytes);
}

Test(safetensors_bad, every_truncation_of_a_good_file_is_refused) {
  const char *header = "{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "U8", "[0]", "[8,8]") "}";
  struct bytes bytes = file_of(header, strlen(header), 8);
  size_t whole = bytes.size;
  for (bytes.size = 0; bytes.size < whole; bytes.size++)
    assert_refused(&bytes,
                   bytes.size < 8 + strlen(header) ? "header: " : "tensor 'a': its data lie beyond the end");
  bytes_free(&bytes);
}

/* Ways to make jansson allocate much for few bytes: what a header begins with, repeats, and ends with; in
 * what is repeated, # becomes a number, so that keys differ. And what is said of it once all of it was read,
 * NULL where it is right: running out of memory looks like a mistake in the JSON at times. */
static const struct {
  const char *start, *unit, *end, *verdict;
} patterns[] = {
    {"{\"x\":0", ",\"#\":{}", "}", "tensor 'x': its header entry is not an object"},
    {"{\"x\":0", ",\"#\":[]", "}", "tensor 'x': its header entry is not an object"},
    {"{\"x\":0", ",\"#\":0", "}", "tensor 'x': its header entry is not an object"},
    {"{\"__metadata__\":{\"x\":\"\"", ",\"#\":\"\"", "}}", NULL},
    {"{\"a\":{\"shape\":[0", ",0", "]}}", "tensor 'a': its dtype is missing"},
    {"{\"a\":{\"shape\":[\"\"", ",\"\"", "]}}", "tensor 'a': its dtype is missing"},
    {"{\"a\":[{}", ",{}", "]}", "tensor 'a': its header entry is not an object"},
    {"{\"a\":[[]", ",[]", "]}", "tensor 'a': its header entry is not an object"},
    {"{\"__metadata__\":{\"x\":\"", "0123456789abcdef", "\"}}", NULL},
    {"{\"__metadata__\":{\"", "0123456789abcdef", "\":\"\"}}", NULL},
    {"{" ENTRY("x", "U8", "[0]", "[0,0]"), "," ENTRY("#", "U8", "[0]", "[0,0]"), "}", NULL},
};
enum { PATTERN_COUNT = sizeof patterns / sizeof *patterns };

static struct bytes pattern_file(int pattern, size_t units) {
  struct bytes header = {0};
  const char *unit = patterns[pattern].unit, *mark = strchr(unit, '#');
  size_t before = mark ? (size_t)(mark - unit) : strlen(unit);
  bytes_add_text(&header, patterns[pattern].start);
  for (size_t i = 0; i < units; i++) {
    char number[24];
    bytes_add(&header, unit, before);
    if (mark) {
      bytes_add(&header, number, (size_t)snprintf(number, sizeof number, "%zx", i));
      bytes_add_text(&header, mark + 1);
    }
  }
  bytes_add_text(&header, patterns[pattern].end);
  struct bytes file = file_of((char *)header.data, header.size, 0);
  bytes_free(&header);
  return file;
}

/* How many of the pattern are just within what is accepted, as the refusal of far more lets reckon. */
static size_t units_within_bound(int pattern) {
  enum { FAR_MORE = 2000000 };
  struct safetensors file;
  struct bytes bytes = pattern_file(pattern, FAR_MORE);
  size_t size = bytes.size, cost, limit;
  cr_assert_eq(safetensors_parse(bytes.data, bytes.size, &file), CUSEQ_STATUS_INVALID_FILE);
  bytes_free(&bytes);
  int found =
      sscanf(error_text(), "header: too complex (reading it would take %zu bytes of memory, at most %zu",
             &cost, &limit);
  cr_assert_eq(found, 2, "pattern %d: %s", pattern, error_text());
  return (size_t)((double)(limit - size) / ((double)(cost - size) / FAR_MORE));
}

enum { READ_WHOLE, TOO_COMPLEX, SOMETHING_ELSE, NO_LIMIT };

/* Reads the file, in a process of its own, with as much memory as twice its size and 64 MB leave. */
static int read_in_bound(int pattern, size_t units) {
  struct bytes bytes = pattern_file(pattern, units);
  pid_t child = fork();
  if (child == 0) {
    struct safetensors file;
    const char *verdict = patterns[pattern].verdict;
    if (!memory_limit(bytes.size + (64 << 20)))
      _exit(NO_LIMIT);
    cuseq_status status = safetensors_parse(bytes.data, bytes.size, &file);
    if (verdict ? strstr(error_text(), verdict) != NULL : status == CUSEQ_STATUS_OK)
      _exit(READ_WHOLE);
    _exit(strstr(error_text(), "header: too complex") ? TOO_COMPLEX : SOMETHING_ELSE);
  }
  int status;
  bytes_free(&bytes);
  cr_assert(waitpid(child, &status, 0) == child && WIFEXITED(status), "the child ended by a signal");
  return WEXITSTATUS(status);
}

Test(safetensors_memory, of_the_most_complex_headers_that_are_read_stays_in_its_bound) {
  if (read_in_bound(0, 1) == NO_LIMIT)
    cr_skip_test("memory cannot be limited under a sanitizer");
  for (int pattern = 0; pattern < PATTERN_COUNT; pattern++) {
    size_t units = units_within_bound(pattern);
    cr_assert_gt(units, 10000, "pattern %d", pattern);
    cr_assert_eq(read_in_bound(pattern, units - units / 16), READ_WHOLE, "pattern %d, %zu units", pattern,
                 units);
    cr_assert_eq(read_in_bound(pattern, units + units / 8), TOO_COMPLEX, "pattern %d, %zu units", pattern,
                 units);
  }
}
