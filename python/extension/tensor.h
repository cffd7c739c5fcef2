/* Arrays that are not numpy's: on a device, or another library's in host memory. The Python type is
 * cuseq.Tensor. */
#ifndef CUSEQ_PYTHON_TENSOR_H
#define CUSEQ_PYTHON_TENSOR_H

#include "extension.h"

#include "dlpack.h"

enum { TENSOR_AXES = 8 };

/* Memory that tensors share, and that outlives them where another library has taken one: whose last reference
 * goes frees it. References may be dropped by any thread, without the GIL. One of the members says whose it
 * is. */
struct memory;

struct memory *memory_new(void);
void memory_keep(struct memory *memory);
void memory_drop(struct memory *memory);
/* The same with the GIL, where an exception may be on its way: what frees another library's memory does not
 * see it. */
void memory_drop_between(struct memory *memory);

/* Whose it is. Each may be called once, on a new one. */
void memory_is_of_device(struct memory *memory, void *pointer); /* freed by cuda_free */
void memory_is_of_object(struct memory *memory, PyObject *owner);
void memory_is_managed(struct memory *memory, struct dlpack_managed *managed);
void memory_is_versioned(struct memory *memory, struct dlpack_versioned *versioned);

/* The data is complete behind all work that the stream has now. Returns the reason why not, or NULL. */
const char *memory_ready_on(struct memory *memory, int device, void *stream);
/* NULL: the data is complete. */
void *memory_event(const struct memory *memory);

/* The types of elements by the letters that the buffer protocol has for them, 'i' for four bytes and 'q' for
 * eight; 'E' is bfloat16, for which it has none. */
struct element {
  char type;
  uint8_t bytes;
  uint8_t code;     /* of DLPack */
  const char *name; /* numpy's */
};

const struct element *element_of_type(char type);                /* NULL: there is none such */
const struct element *element_of_dlpack(uint8_t code, int bits); /* likewise */

typedef struct {
  PyObject_HEAD struct memory *memory;
  void *data;
  const struct element *element;
  bool read_only, on_device;
  int device; /* its number, where it is on one */
  int rank;
  int64_t shape[TENSOR_AXES], strides[TENSOR_AXES]; /* in elements */
} TensorObject;

extern PyType_Spec tensor_spec;

/* A tensor of that memory, of which it takes over the caller's reference, also where it fails. Row-major
 * where strides is NULL. */
TensorObject *tensor_new(const struct extension *extension, struct memory *memory, void *data,
                         const struct element *element, int rank, const int64_t *shape,
                         const int64_t *strides);

int64_t tensor_elements(const TensorObject *tensor);
bool tensor_is_contiguous(const TensorObject *tensor);

/* A row-major copy on its device, made in the stream's order. */
TensorObject *tensor_contiguous(const struct extension *extension, const TensorObject *tensor, void *stream);

/* Makes the stream wait for the tensor's data. Returns false with an exception. */
bool tensor_wait(const TensorObject *tensor, void *stream);

/* ---- exchange.c: other libraries ---- */

PyObject *tensor_from_dlpack(PyObject *type, PyObject *arguments);
PyObject *tensor_from_interface(PyObject *type, PyObject *arguments);
PyObject *tensor_device_number(PyObject *type, PyObject *pointer);
PyObject *tensor_to_dlpack(PyObject *self, PyObject *arguments, PyObject *keywords);
PyObject *tensor_dlpack_device(PyObject *self, PyObject *unused);
PyObject *tensor_interface(PyObject *self, void *unused);
int tensor_get_buffer(PyObject *self, Py_buffer *view, int flags);
void tensor_release_buffer(PyObject *self, Py_buffer *view);

#endif
