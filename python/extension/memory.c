#include "tensor.h"

#include "cuda.h"

#include <stdatomic.h>
#include <stdlib.h>

struct memory {
  atomic_int references;
  void *device; /* from cuda_allocate */
  PyObject *owner;
  struct dlpack_managed *managed;
  struct dlpack_versioned *versioned;
  void *event; /* behind which the data is complete */
};

struct memory *memory_new(void) {
  struct memory *memory = calloc(1, sizeof *memory);
  if (memory)
    atomic_init(&memory->references, 1);
  else
    PyErr_NoMemory();
  return memory;
}

void memory_keep(struct memory *memory) {
  atomic_fetch_add_explicit(&memory->references, 1, memory_order_relaxed);
}

void memory_drop(struct memory *memory) {
  if (!memory || atomic_fetch_sub_explicit(&memory->references, 1, memory_order_acq_rel) != 1)
    return;
  cuda_event_free(memory->event);
  cuda_free(memory->device);
  if (memory->managed && memory->managed->deleter)
    memory->managed->deleter(memory->managed);
  if (memory->versioned && memory->versioned->deleter)
    memory->versioned->deleter(memory->versioned);
  if (memory->owner && Py_IsInitialized()) {
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF(memory->owner);
    PyGILState_Release(state);
  }
  free(memory);
}

void memory_drop_between(struct memory *memory) {
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  memory_drop(memory);
  PyErr_Restore(type, value, trace);
}

void memory_is_of_device(struct memory *memory, void *pointer) {
  memory->device = pointer;
}

void memory_is_of_object(struct memory *memory, PyObject *owner) {
  Py_INCREF(owner);
  memory->owner = owner;
}

void memory_is_managed(struct memory *memory, struct dlpack_managed *managed) {
  memory->managed = managed;
}

void memory_is_versioned(struct memory *memory, struct dlpack_versioned *versioned) {
  memory->versioned = versioned;
}

const char *memory_ready_on(struct memory *memory, int device, void *stream) {
  return cuda_event_make(device, stream, &memory->event);
}

void *memory_event(const struct memory *memory) {
  return memory->event;
}
