/* Loading: what is filled in, and what is refused. */
#include "case.h"

#include "support/folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(serving_load, .init = case_folder, .fini = case_folder_remove);

#define DATES "models/dates.safetensors"
#define CONFIG(rest) "{\"name\":\"model\",\"backend\":\"cuseq\"," rest "}"
#define TEXTS "\"input\":[{\"name\":\"TEXT\",\"data_type\":\"TYPE_STRING\",\"dims\":[\"1\"]}]"
#define OUTPUT_TEXTS "\"output\":[{\"name\":\"TEXT\",\"data_type\":\"TYPE_STRING\",\"dims\":[-1]}]"
#define PARAMETER(name, value)                                                                               \
  CONFIG("\"max_batch_size\":4,\"parameters\":{\"" name "\":{\"string_value\":\"" value "\"}}")

Test(serving_load, a_configuration_that_says_nothing_is_filled_in_from_the_model) {
  case_copy(DATES);
  struct served_case served = case_open(NULL);
  const char *config = stand_in_config(served.model);
  static const char *const lines[] = {
      "\"max_batch_size\":64",
      "\"dynamic_batching\":{}",
      "{\"name\":\"TEXT\",\"data_type\":\"TYPE_STRING\",\"dims\":[1],\"optional\":true}",
      "{\"name\":\"INPUT\",\"data_type\":\"TYPE_INT32\",\"dims\":[-1],\"optional\":true,"
      "\"allow_ragged_batch\":true}",
      "{\"name\":\"LENGTHS\",\"data_type\":\"TYPE_INT32\",\"dims\":[1],\"optional\":true}",
      "{\"name\":\"TARGETS\",\"data_type\":\"TYPE_INT32\",\"dims\":[-1],\"optional\":true,"
      "\"allow_ragged_batch\":true}",
      "{\"name\":\"OUTPUTS\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1,11]}",
      "{\"name\":\"ALPHAS\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1,-1]}",
      "{\"name\":\"ANNOTATIONS\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1,64]}"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    cr_expect(strstr(config, lines[i]) != NULL, "%s should have %s", config, lines[i]);
  cr_expect_null(strstr(config, "BEAM_"), "no tokens are fed back, so that there is nothing to search");
  cr_expect_null(strstr(config, "OUTPUT_LENGTHS"), "there is no end token");
  case_close(&served);
}

Test(serving_load, a_model_without_vocabulary_takes_features) {
  case_save("{\"version\":2,\"input\":{\"features\":3},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":"
            "\"gru\",\"units\":2}}]},\"output\":{\"over\":\"mean\",\"layers\":[{\"units\":2}]}}",
            5);
  struct served_case served = case_open(NULL);
  const char *config = stand_in_config(served.model);
  cr_expect(strstr(config, "{\"name\":\"INPUT\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1,3],"
                           "\"allow_ragged_batch\":true}"),
            "%s", config);
  cr_expect_null(strstr(config, "TEXT"));
  cr_expect_null(strstr(config, "TARGETS"));
  case_close(&served);
}

Test(serving_load, what_a_configuration_says_is_kept) {
  case_copy(DATES);
  struct served_case served =
      case_open(CONFIG("\"max_batch_size\":3," TEXTS "," OUTPUT_TEXTS ",\"dynamic_batching\":{\"a\":1}"));
  const char *config = stand_in_config(served.model);
  cr_expect(strstr(config, "\"max_batch_size\":3,"));
  cr_expect(strstr(config, "\"dynamic_batching\":{\"a\":1}"));
  cr_expect_null(strstr(config, "INPUT"));
  cr_expect_null(strstr(config, "SCORES"));
  TRITONBACKEND_Request *request = case_text("3 May 1979");
  case_answered(&served, request);
  cr_expect_str_eq(stand_in_text(request, "TEXT", 0), "1979-05-03");
  stand_in_free(request);
  case_fails(&served, case_ids((int32_t[]){1}, 1, 1, (const char *[]){"TEXT", NULL}),
             "input INPUT: the model has no such input");
  case_close(&served);
}

Test(serving_load, a_server_that_fills_nothing_in_has_the_configuration_checked) {
  char error[512];
  case_copy(DATES);
  TRITONBACKEND_Model *model = stand_in_load(CONFIG("\"max_batch_size\":4"), folder_path(""), false, error);
  cr_expect_null(model);
  cr_expect(strstr(error, "input: there is none to encode"), "%s", error);
  model = stand_in_load(CONFIG(TEXTS "," OUTPUT_TEXTS), folder_path(""), false, error);
  cr_expect_null(model);
  cr_expect(strstr(error, "max_batch_size: is out of range (found 0"), "%s", error);
  model =
      stand_in_load(CONFIG("\"max_batch_size\":2," TEXTS "," OUTPUT_TEXTS), folder_path(""), false, error);
  cr_assert_not_null(model, "%s", error);
  cr_expect_null(strstr(stand_in_config(model), "dynamic_batching"));
  stand_in_unload(model);
}

Test(serving_load, a_configuration_that_contradicts_the_model_is_refused_by_name) {
  case_copy(DATES);
#define INPUT(name, type, dims)                                                                              \
  CONFIG("\"max_batch_size\":4,\"input\":[{\"name\":\"" name "\",\"data_type\":\"" type "\",\"dims\":" dims  \
         "}]")
#define OUTPUT(name, type, dims)                                                                             \
  CONFIG("\"max_batch_size\":4,\"output\":[{\"name\":\"" name "\",\"data_type\":\"" type "\",\"dims\":" dims \
         "}]")
  case_refused(INPUT("TEXTS", "TYPE_STRING", "[1]"), "input TEXTS: the model has no such input");
  case_refused(INPUT("TEXT", "TYPE_INT32", "[1]"),
               "input TEXT: data_type is not the model's (found TYPE_INT32, needed TYPE_STRING)");
  case_refused(INPUT("TEXT", "TYPE_STRING", "[2]"),
               "input TEXT: dims are not the model's (found [2], needed [1])");
  case_refused(INPUT("INPUT", "TYPE_FP32", "[-1,36]"),
               "input INPUT: dims are not the model's (found [-1,36], needed [T,37])");
  case_refused(INPUT("INPUT", "TYPE_INT32", "[-1,37]"), "needed [T]");
  case_refused(INPUT("INPUT", "TYPE_FP16", "[-1]"), "input INPUT: data_type is none of the model's");
  case_refused(INPUT("LENGTHS", "TYPE_INT32", "[1]"),
               "input: there is none to encode (needed TEXT or INPUT)");
  case_refused(OUTPUT("LOGITS", "TYPE_FP32", "[-1]"), "output LOGITS: the model has no such output");
  case_refused(OUTPUT("OUTPUTS", "TYPE_FP32", "[-1,12]"),
               "output OUTPUTS: dims are not the model's (found [-1,12], needed [Y,11])");
  case_refused(OUTPUT("TOKENS", "TYPE_INT64", "[-1]"), "output TOKENS: data_type is not the model's");
  case_refused(OUTPUT("BEAM_TOKENS", "TYPE_INT32", "[-1,-1]"), "the model has no such output");
  case_refused(CONFIG("\"max_batch_size\":70000"),
               "max_batch_size: is out of range (found 70000, needed 1 to 65536)");
  case_refused(CONFIG("\"max_batch_size\":1,\"sequence_batching\":{}"), "sequence_batching: not supported");
  case_refused(CONFIG("\"max_batch_size\":1,\"model_transaction_policy\":{\"decoupled\":true}"), "decoupled");
}

Test(serving_load, parameters_are_known_and_of_their_types_or_refused) {
  case_copy(DATES);
  case_refused(PARAMETER("thread", "2"), "parameters.thread: there is no such parameter (needed device,");
  case_refused(PARAMETER("threads", "two"), "parameters.threads: threads: is of another type");
  case_refused(PARAMETER("threads", "-1"), "is out of range (found -1, needed 0 to 1024)");
  case_refused(
      PARAMETER("precision", "half"),
      "parameters.precision: there is no such precision (found \"half\", needed float32, tf32 or bf16)");
  case_refused(PARAMETER("precision", "tf32"), "tf32"); /* no CPU has it */
  case_refused(PARAMETER("max_time", "0"), "is out of range");
  case_refused(PARAMETER("max_time", "20"),
               "shorter than the vocabulary's texts (found 20, needed at least 30)");
  case_refused(PARAMETER("truncate", "yes"), "needed true or false");
  case_refused(PARAMETER("beam", "65"), "found 65, needed 0 to 64");
  case_refused(PARAMETER("beam", "12"), "more than the model's outputs (found 12, needed 1 to 11)");
  case_refused(PARAMETER("n_best", "2"), "n_best: goes with beam");
  case_refused(PARAMETER("length_penalty", "short"), "there is no such (found \"short\"");
  case_refused(PARAMETER("device", "cuda:0"), "contradicts the instance group (found cuda:0");
  case_refused(PARAMETER("device", "tpu"), "tpu");
  case_refused(PARAMETER("device", "a name that is longer than any device's"), "too long");
}

Test(serving_load, a_file_that_is_missing_or_none_of_ours_is_named) {
  case_refused(CONFIG("\"max_batch_size\":4"), "1/model.safetensors");
  folder_write("1/model.safetensors", "not a model", 11);
  case_refused(CONFIG("\"max_batch_size\":4"), "1/model.safetensors");
  case_refused(CONFIG("\"max_batch_size\":4,\"default_model_filename\":\"other.safetensors\""),
               "1/other.safetensors");
}

Test(serving_load, a_gpu_that_is_not_there_is_refused) {
  char error[512];
  case_copy(DATES);
  TRITONBACKEND_Model *model = stand_in_load(CONFIG("\"max_batch_size\":4"), folder_path(""), true, error);
  cr_assert_not_null(model, "%s", error);
  cr_expect_null(stand_in_instance(model, TRITONSERVER_INSTANCEGROUPKIND_GPU, 11, error));
  cr_expect(strstr(error, "cuda:11"), "%s", error);
  stand_in_unload(model);
}

Test(serving_load, memory_that_does_not_suffice_refuses_the_model) {
  case_copy(DATES);
  case_refused(
      CONFIG("\"max_batch_size\":65536,\"parameters\":{\"max_time\":{\"string_value\":\"1048576\"}}"),
      "memory");
}

Test(serving_load, a_server_of_another_interface_is_refused) {
  stand_in_major = TRITON_MAJOR + 1;
  const char *wrong = stand_in_backend();
  cr_assert_not_null(wrong);
  cr_expect(strstr(wrong, "found version 2.16, needed 1.16 or a later 1.x"), "%s", wrong);
  stand_in_major = TRITON_MAJOR;
  stand_in_minor = TRITON_MINOR - 1;
  cr_expect_not_null(stand_in_backend());
  stand_in_minor = TRITON_MINOR + 30;
  cr_expect_null(stand_in_backend());
}
