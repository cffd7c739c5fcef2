/* A stand-in for Triton Inference Server, for tests of the backend where there is no server: it loads
 * libtriton_cuseq.so as the server does, provides what the backend calls, and keeps account of it - every
 * error and message is freed once, every request answered once, released once and told of in the statistics.
 * It is not a server: there are no threads, and a test says itself which requests are executed together. */
#ifndef TESTS_SERVING_STAND_IN_H
#define TESTS_SERVING_STAND_IN_H

#include "../../serving/triton/api.h"

struct stand_in_tensor {
  const char *name;
  TRITONSERVER_DataType type;
  int64_t shape[4];
  uint32_t rank;
  void *data;
  size_t size;
};

/* What a request was answered with. */
struct stand_in_answer {
  int sent; /* how often                                                                                   */
  TRITONSERVER_Error_Code code;
  char error[512]; /* "": none                                                                             */
  struct stand_in_tensor outputs[24];
  uint32_t count;
  int released, reported;
  bool success; /* as reported                                                                             */
};

/* What the server offers; a test may change it before it loads. */
extern uint32_t stand_in_major, stand_in_minor;

/* Loads the backend and asks it to initialize; NULL or what went wrong, which lives until the next call. */
const char *stand_in_backend(void);

/* A model of a configuration (JSON) in a folder, of version 1. With complete the backend fills it in.
 *   error  receives what went wrong; "": nothing did */
TRITONBACKEND_Model *stand_in_load(const char *config, const char *folder, bool complete, char error[512]);
void stand_in_unload(TRITONBACKEND_Model *model);

/* The configuration as the backend left it. */
const char *stand_in_config(const TRITONBACKEND_Model *model);

TRITONBACKEND_ModelInstance *stand_in_instance(TRITONBACKEND_Model *model,
                                               TRITONSERVER_InstanceGroupKind kind, int32_t id,
                                               char error[512]);
void stand_in_instance_close(TRITONBACKEND_ModelInstance *instance);

/* The rows of each call that the instance told of, in order; returns how many calls there were since the last
 * time. */
uint32_t stand_in_calls(TRITONBACKEND_ModelInstance *instance, uint64_t rows[64]);

/* A request. Arrays are copied. */
TRITONBACKEND_Request *stand_in_request(void);
void stand_in_input(TRITONBACKEND_Request *request, const char *name, TRITONSERVER_DataType type,
                    const void *data, size_t size, uint32_t rank, const int64_t *shape);
/* TEXT of one or more texts, which NULL ends. */
void stand_in_texts(TRITONBACKEND_Request *request, const char *const *texts);
/* Cuts the buffer of an input into pieces of so many bytes. */
void stand_in_pieces(TRITONBACKEND_Request *request, const char *name, size_t piece);
/* How memory of a GPU is had; where a test sets none, what lies there is told by the label alone. */
struct stand_in_device {
  void *(*allocate)(size_t size);
  void (*release)(void *memory);
  void (*copy)(void *to, const void *from, size_t size); /* either way                                     */
};
extern struct stand_in_device stand_in_device;

/* Puts an input, or an output, into a GPU's memory. After the request is executed its outputs lie in host
 * memory. */
void stand_in_on_device(TRITONBACKEND_Request *request, const char *name);
void stand_in_output(TRITONBACKEND_Request *request, const char *name);
void stand_in_integer(TRITONBACKEND_Request *request, const char *key, int64_t value);
void stand_in_string(TRITONBACKEND_Request *request, const char *key, const char *value);
void stand_in_boolean(TRITONBACKEND_Request *request, const char *key, bool value);
void stand_in_number(TRITONBACKEND_Request *request, const char *key, double value);
void stand_in_cancel(TRITONBACKEND_Request *request);

/* Has the instance execute requests together, and checks the account of them. */
void stand_in_execute(TRITONBACKEND_ModelInstance *instance, TRITONBACKEND_Request **requests,
                      uint32_t count);

const struct stand_in_answer *stand_in_answer(const TRITONBACKEND_Request *request);
const struct stand_in_tensor *stand_in_tensor(const TRITONBACKEND_Request *request, const char *name);
/* Element i of a BYTES tensor; valid until eight more calls. */
const char *stand_in_text(const TRITONBACKEND_Request *request, const char *name, uint32_t i);
void stand_in_free(TRITONBACKEND_Request *request);

/* How many errors, messages and responses there are that nobody has freed. */
int stand_in_alive(void);

#endif
