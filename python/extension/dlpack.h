/* The structures of DLPack, version 1.1 of its specification: how libraries hand arrays to one another. A
 * capsule named "dltensor" holds a `struct dlpack_managed`, one named "dltensor_versioned" a `struct
 * dlpack_versioned`. Who takes the array renames the capsule to "used_..." and calls `deleter` when done with
 * it. */
#ifndef CUSEQ_PYTHON_DLPACK_H
#define CUSEQ_PYTHON_DLPACK_H

#include <stdint.h>

enum dlpack_device { DLPACK_CPU = 1, DLPACK_CUDA = 2, DLPACK_CUDA_HOST = 3, DLPACK_CUDA_MANAGED = 13 };
enum dlpack_code { DLPACK_INT = 0, DLPACK_UINT = 1, DLPACK_FLOAT = 2, DLPACK_BFLOAT = 4, DLPACK_BOOL = 6 };
enum { DLPACK_READ_ONLY = 1, DLPACK_MAJOR = 1, DLPACK_MINOR = 0 };

struct dlpack_tensor {
  void *data;
  int32_t device_type, device_index;
  int32_t rank;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape;
  int64_t *strides; /* in elements; NULL: row-major without gaps */
  uint64_t byte_offset;
};

struct dlpack_managed {
  struct dlpack_tensor tensor;
  void *context;
  void (*deleter)(struct dlpack_managed *self);
};

struct dlpack_versioned {
  uint32_t major, minor;
  void *context;
  void (*deleter)(struct dlpack_versioned *self);
  uint64_t flags;
  struct dlpack_tensor tensor;
};

#endif
