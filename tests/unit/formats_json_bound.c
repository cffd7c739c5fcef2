/* What JSON will cost is known before it is loaded. */
#include "formats/json_bound.h"

#include "support/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

static struct json_bound bound_of(const char *text) {
  return json_bound(text, strlen(text));
}

Test(json_bound, counts_what_is_outside_of_texts_only) {
  struct json_bound bound = bound_of("{\"a{[:,\": [1, {\"b\\\"}{\": []}]}");
  cr_assert_eq(bound.depth, 4);
  cr_assert_eq(bound.objects, 2);
  cr_assert_eq(bound.keys, 2);
  cr_assert_eq(bound_of("\"[[[[[[\"").depth, 0);
  cr_assert_eq(bound_of("\"\\\"[[[\"").depth, 0);
  cr_assert_eq(bound_of("\"\\\\\"[[[").depth, 3);
}

Test(json_bound, depth_is_the_deepest_and_not_the_last) {
  cr_assert_eq(bound_of("[[[]],[[]],[]]").depth, 3);
  cr_assert_eq(bound_of("]]]}}}[").depth, 1);
}

Test(json_bound, of_no_text_is_nothing) {
  struct json_bound bound = json_bound(NULL, 0);
  cr_assert(bound.memory == 0 && bound.depth == 0 && bound.objects == 0 && bound.keys == 0);
}

Test(json_bound, does_not_look_behind_the_text) {
  cr_assert_eq(json_bound("[[[", 2).depth, 2);
  cr_assert_eq(json_bound("\"\\\"", 2).depth, 0);
}

Test(json_bound, of_empty_objects_is_far_more_than_their_bytes) {
  struct bytes text = {0};
  bytes_add_text(&text, "[{}");
  bytes_add_repeated(&text, ",{}", 1000);
  struct json_bound bound = json_bound(text.data, text.size);
  cr_assert_gt(bound.memory, 200 * 1000);
  cr_assert_lt(bound.memory, 400 * 1000);
  bytes_free(&text);
}
