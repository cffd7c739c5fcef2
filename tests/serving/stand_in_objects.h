/* What stands behind the interface's names, for the two halves of the stand-in. */
#ifndef TESTS_SERVING_STAND_IN_OBJECTS_H
#define TESTS_SERVING_STAND_IN_OBJECTS_H

#include "stand_in.h"

struct TRITONBACKEND_Model {
  char *config, *folder;
  bool complete;
  void *state;
};

struct TRITONBACKEND_ModelInstance {
  TRITONBACKEND_Model *model;
  TRITONSERVER_InstanceGroupKind kind;
  int32_t id;
  void *state;
  uint64_t rows[64];
  uint32_t calls;
};

struct TRITONBACKEND_Input {
  struct stand_in_tensor tensor;
  size_t piece;
  bool on_device;
};

struct TRITONBACKEND_Output {
  struct stand_in_tensor *tensor;
  bool on_device;
};

struct stand_in_parameter {
  const char *key, *text;
  TRITONSERVER_ParameterType type;
  union {
    int64_t integer;
    bool boolean;
    double number;
  } value;
};

struct stand_in_wanted {
  const char *name;
  bool on_device;
};

struct TRITONBACKEND_Request {
  TRITONBACKEND_Input inputs[8];
  struct stand_in_parameter parameters[16];
  struct stand_in_wanted outputs[24];
  TRITONBACKEND_Output made[24];
  uint32_t input_count, parameter_count, output_count;
  bool cancelled;
  struct stand_in_answer answer;
};

TRITONSERVER_Error_Code stand_in_code(const TRITONSERVER_Error *error);

/* Ends the test: the backend has broken a rule of the interface. */
_Noreturn void stand_in_wrong(const char *what);

#endif
