/* The arrays of one call: each is read or written where it lies, and kept until the call is done. */
#ifndef CUSEQ_PYTHON_ARRAYS_H
#define CUSEQ_PYTHON_ARRAYS_H

#include "tensor.h"

enum { ARRAYS_MOST = 32 };

/* What memory an array takes, to see whether results would overlap. */
struct span {
  const char *name;
  const char *begin, *end;
  bool written;
};

struct arrays {
  const struct extension *extension;
  const char *device_name;        /* of the session */
  int device;                     /* its number; -1: arrays lie in host memory */
  void *stream;                   /* of the session, on a device */
  bool on_device;                 /* one of the arrays is, at least */
  bool captures;                  /* all have to be, as they are, and none may be made */
  Py_buffer buffers[ARRAYS_MOST]; /* of numpy's arrays */
  PyObject *held[ARRAYS_MOST];    /* tensors, and arrays that were made for the call */
  struct span spans[ARRAYS_MOST];
  int buffers_count, held_count, spans_count;
  struct memory *room; /* of results on the device */
  char *room_next;
};

void arrays_release(struct arrays *arrays);

/* An array, as it was found. */
struct view {
  void *data;
  char type;        /* 'f', 'd', 'i', 'q'; '?' is another */
  const char *name; /* the type's, or its format */
  bool on_device;
  int rank;
  int64_t shape[TENSOR_AXES];
};

/* An array that is read: numpy's, a tensor, or what another library has by DLPack, __cuda_array_interface__
 * or the buffer protocol. One that is not contiguous is copied. Returns false with an exception. */
bool arrays_take(struct arrays *arrays, PyObject *object, const char *name, struct view *view);

/* The same of that type and shape; None gives a NULL pointer.
 *   type   'i' int32, 'f' float32
 *   shape  [rank], -1 in it is any size */
bool arrays_read(struct arrays *arrays, PyObject *object, const char *name, char type, int rank,
                 const int64_t *shape, const void **pointer);

/* Encoder states: [layers x directions, batch, units], or one after the other in one axis of width x
 * batch. */
bool arrays_read_states(struct arrays *arrays, PyObject *object, const char *name, int64_t batch,
                        int64_t width, const void **pointer);

/* The input, [B,T,F] float32 or float64, or [B,T] int32 or int64.
 *   on_device  receives where it lies */
bool arrays_read_input(struct arrays *arrays, PyObject *object, int32_t features, cuseq_input *input,
                       bool *on_device);

/* What results are made as: their name, type and shape; batch and width as of arrays_read_states where they
 * are encoder states, else 0. */
struct form {
  const char *name;
  char type;
  int rank;
  int64_t shape[4];
  int64_t batch, width;
};

int64_t form_bytes(const struct form *form);

/* The caller's array for results. It must be writable, contiguous and of that form. */
bool arrays_write(struct arrays *arrays, PyObject *object, const struct form *form, void **pointer);

/* New ones: numpy's, or on the device, for which arrays_room has made room of the sum of form_bytes of
 * all. */
PyObject *arrays_make(struct arrays *arrays, const struct form *form, struct kept_shape *kept,
                      void **pointer);
bool arrays_room(struct arrays *arrays, int64_t bytes);
PyObject *arrays_make_on_device(struct arrays *arrays, const struct form *form, void **pointer);

/* Whether no result overlaps another array of the call, but for a state that is carried on in its place. */
bool arrays_are_apart(const struct arrays *arrays);

#endif
