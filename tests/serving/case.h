/* What tests of the backend begin with: a model in a folder of its own, loaded, with an instance of a CPU. */
#ifndef TESTS_SERVING_CASE_H
#define TESTS_SERVING_CASE_H

#include "stand_in.h"
#include "support/random_model.h"

#include <criterion/criterion.h>

struct served_case {
  TRITONBACKEND_Model *model;
  TRITONBACKEND_ModelInstance *instance;
  cuseq_model *own; /* the same model, for what is compared with                                           */
};

/* A folder for the test, with an empty version 1, and the backend loaded into the process. */
void case_folder(void);
void case_folder_remove(void);

/* Puts a model's file into it, or one of random weights. */
void case_copy(const char *path);
void case_save(const char *json, uint64_t seed);

/* Loads what is in the folder.
 *   config  of it, as JSON; NULL: none */
struct served_case case_open(const char *config);
void case_close(struct served_case *served);

/* A configuration that is refused, with this in the line that says why. */
void case_refused(const char *config, const char *line);

/* A request of one text, and its answer's TEXT. */
TRITONBACKEND_Request *case_text(const char *text);

/* Ids of [rows, time], and outputs, which NULL ends. */
TRITONBACKEND_Request *case_ids(const int32_t *ids, int64_t rows, int64_t time, const char *const *outputs);

/* Executes one request and expects no error, or one that has this in it. */
void case_answered(struct served_case *served, TRITONBACKEND_Request *request);
void case_fails(struct served_case *served, TRITONBACKEND_Request *request, const char *line);

/* The output of a request is this, to the bit. */
void case_same(const TRITONBACKEND_Request *request, const char *name, const void *data, size_t size);

#endif
