/* What sessions of one model share: made once, kept as long as any uses it, and made again after that. */
#include "model/part.h"
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static int made;

static cuseq_status make(void *argument, struct model_part **part) {
  (void)argument;
  made++;
  *part = calloc(1, sizeof **part);
  return *part ? CUSEQ_STATUS_OK : CUSEQ_STATUS_OUT_OF_MEMORY;
}

static cuseq_status make_fails(void *argument, struct model_part **part) {
  (void)argument, (void)part;
  return CUSEQ_STATUS_OUT_OF_MEMORY;
}

static cuseq_model *some_model(void) {
  struct random random = {7};
  return random_model(
      "{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":"
      "\"gru\",\"units\":2}}]},\"output\":{\"over\":\"mean\",\"layers\":[{\"units\":2}]}}",
      NULL, &random);
}

Test(model_part, a_part_is_made_once_and_is_its_last_user_s_to_free) {
  static const char keys[2];
  cuseq_model *model = some_model();
  struct model_part *first = NULL, *again = NULL, *other = NULL;
  cr_assert_eq(model_part_take(model, &keys[0], make, NULL, &first), CUSEQ_STATUS_OK);
  cr_assert_eq(model_part_take(model, &keys[0], make, NULL, &again), CUSEQ_STATUS_OK);
  cr_assert_eq(model_part_take(model, &keys[1], make, NULL, &other), CUSEQ_STATUS_OK);
  cr_expect_eq(made, 2);
  cr_expect_eq(first, again);
  cr_expect_neq(first, other);
  cr_expect(!model_part_leave(model, first));
  cr_expect(model_part_leave(model, first));
  free(first);
  cr_assert_eq(model_part_take(model, &keys[0], make, NULL, &again), CUSEQ_STATUS_OK);
  cr_expect_eq(made, 3);
  cr_expect(model_part_leave(model, other));
  cr_expect(model_part_leave(model, again));
  free(other);
  free(again);
  cuseq_model_destroy(model);
}

Test(model_part, one_that_cannot_be_made_leaves_nothing_behind) {
  static const char key;
  cuseq_model *model = some_model();
  struct model_part *part = NULL;
  cr_expect_eq(model_part_take(model, &key, make_fails, NULL, &part), CUSEQ_STATUS_OUT_OF_MEMORY);
  cr_expect_null(part);
  cr_assert_eq(model_part_take(model, &key, make, NULL, &part), CUSEQ_STATUS_OK);
  cr_expect(model_part_leave(model, part));
  free(part);
  cuseq_model_destroy(model);
}
