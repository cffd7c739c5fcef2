/* Whether a class that a file names is Keras' own is a question of the version that wrote the file. */
#include "convert/keras/identity.h"
#include "convert/keras/identity_keys.h"

#include <criterion/criterion.h>

static const struct keras_version old = {.major = 2, .minor = 2},
                                  tf_old = {.major = 2, .minor = 3, .tensorflow = true},
                                  tf_first = {.major = 2, .minor = 4}, tf = {.major = 2, .minor = 15},
                                  new = {.major = 3, .minor = 15};

Test(keras_identity, functional_models_are_called_model_before_keras_2_4_and_functional_from_then_on) {
  const struct keras_version *const before[] = {&old, &tf_old}, *const behind[] = {&tf_first, &tf, &new};
  for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
    cr_expect(identity_is_model_class_of(before[i], "Model"));
    cr_expect(!identity_is_model_class_of(before[i], "Functional"));
    cr_expect(identity_is_model_class_of(before[i], "Sequential"));
  }
  for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
    cr_expect(!identity_is_model_class_of(behind[i], "Model"));
    cr_expect(identity_is_model_class_of(behind[i], "Functional"));
    cr_expect(identity_is_model_class_of(behind[i], "Sequential"));
  }
}

Test(keras_identity, layers_that_a_version_did_not_have_yet_are_none_of_its_own) {
  cr_expect(!identity_has_layer(&old, "Attention") && !identity_has_layer(&old, "AdditiveAttention"));
  cr_expect(identity_has_layer(&tf_old, "Attention") && identity_has_layer(&new, "AdditiveAttention"));
  cr_expect(!identity_has_layer(&old, "Identity") && !identity_has_layer(&tf_first, "Identity"));
  cr_expect(identity_has_layer(&tf, "Identity") && identity_has_layer(&new, "Identity"));
  cr_expect(!identity_has_layer(&(struct keras_version){.major = 2, .minor = 0}, "Softmax"));
  cr_expect(identity_has_layer(&old, "Softmax") && identity_has_layer(&old, "LSTM"));
  cr_expect(!identity_has_layer(&new, "TFOpLambda"));
}

Test(keras_identity, keys_are_those_of_the_version) {
  const struct identity_keys *dense = identity_layer_keys("Dense");
  cr_expect_eq(identity_key(dense, &old, "dtype"), WRITES_SOMETIMES);
  cr_expect_eq(identity_key(dense, &new, "dtype"), WRITES_ALWAYS);
  cr_expect_eq(identity_key(dense, &tf, "lora_rank"), WRITES_NEVER);
  cr_expect_eq(identity_key(dense, &new, "lora_rank"), WRITES_SOMETIMES);
  cr_expect_eq(identity_key(dense, &new, "unit"), WRITES_NEVER);
}
