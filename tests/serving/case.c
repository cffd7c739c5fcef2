#include "case.h"

#include "support/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char nothing[] =
    "{\"name\":\"model\",\"backend\":\"cuseq\",\"max_batch_size\":0,\"input\":[],\"output\":[]}";

void case_folder(void) {
  folder_make();
  mkdir(folder_path("1"), 0700);
  const char *wrong = stand_in_backend();
  if (wrong) {
    fprintf(stderr, "%s\n", wrong);
    abort();
  }
}

void case_folder_remove(void) {
  folder_remove();
}

void case_copy(const char *path) {
  char command[8192];
  snprintf(command, sizeof command, "cp %s %s", path, folder_path("1/model.safetensors"));
  cr_assert_eq(system(command), 0); // NOLINT(cert-env33-c): the test's own words
}

void case_save(const char *json, uint64_t seed) {
  struct random random = {seed};
  cuseq_model *model = random_model(json, NULL, &random);
  cr_assert_eq(cuseq_model_save(model, folder_path("1/model.safetensors")), CUSEQ_STATUS_OK, "%s",
               cuseq_last_error());
  cuseq_model_destroy(model);
}

struct served_case case_open(const char *config) {
  char error[512];
  struct served_case served = {0};
  served.model = stand_in_load(config ? config : nothing, folder_path(""), true, error);
  cr_assert_not_null(served.model, "%s", error);
  served.instance = stand_in_instance(served.model, TRITONSERVER_INSTANCEGROUPKIND_CPU, 0, error);
  cr_assert_not_null(served.instance, "%s", error);
  cr_assert_eq(cuseq_model_load(folder_path("1/model.safetensors"), &served.own), CUSEQ_STATUS_OK);
  return served;
}

void case_close(struct served_case *served) {
  stand_in_instance_close(served->instance);
  stand_in_unload(served->model);
  cuseq_model_destroy(served->own);
  cr_expect_eq(stand_in_alive(), 0, "%d errors, messages or responses are left", stand_in_alive());
}

void case_refused(const char *config, const char *line) {
  char error[512];
  TRITONBACKEND_Model *model = stand_in_load(config, folder_path(""), true, error);
  if (model) {
    TRITONBACKEND_ModelInstance *instance =
        stand_in_instance(model, TRITONSERVER_INSTANCEGROUPKIND_CPU, 0, error);
    cr_assert_null(instance, "%s should be refused", config);
    stand_in_unload(model);
  }
  cr_expect(strstr(error, line) != NULL, "found \"%s\", needed \"%s\"", error, line);
  cr_expect_null(strchr(error, '\n'));
  cr_expect_eq(stand_in_alive(), 0);
}

TRITONBACKEND_Request *case_text(const char *text) {
  TRITONBACKEND_Request *request = stand_in_request();
  stand_in_texts(request, (const char *[]){text, NULL});
  stand_in_output(request, "TEXT");
  return request;
}

TRITONBACKEND_Request *case_ids(const int32_t *ids, int64_t rows, int64_t time, const char *const *outputs) {
  TRITONBACKEND_Request *request = stand_in_request();
  stand_in_input(request, "INPUT", TRITONSERVER_TYPE_INT32, ids, (size_t)(rows * time) * sizeof *ids, 2,
                 (int64_t[]){rows, time});
  for (; *outputs; outputs++)
    stand_in_output(request, *outputs);
  return request;
}

void case_answered(struct served_case *served, TRITONBACKEND_Request *request) {
  stand_in_execute(served->instance, &request, 1);
  cr_assert_str_eq(stand_in_answer(request)->error, "");
}

void case_fails(struct served_case *served, TRITONBACKEND_Request *request, const char *line) {
  stand_in_execute(served->instance, &request, 1);
  const char *error = stand_in_answer(request)->error;
  cr_expect(*error && strstr(error, line), "found \"%s\", needed \"%s\"", error, line);
  cr_expect_null(strchr(error, '\n'));
  stand_in_free(request);
  cr_expect_eq(stand_in_alive(), 0);
}

void case_same(const TRITONBACKEND_Request *request, const char *name, const void *data, size_t size) {
  const struct stand_in_tensor *tensor = stand_in_tensor(request, name);
  cr_assert_not_null(tensor, "%s is not there", name);
  cr_assert_eq(tensor->size, size, "%s: found %zu bytes, needed %zu", name, tensor->size, size);
  cr_expect_eq(memcmp(tensor->data, data, size), 0, "%s differs", name);
}
