/* .onnx: a graph of nodes and its weights, in the file or in others beside it.
 *
 * The graph's structures are those that protobuf-c makes of onnx.proto. Weights are no part of them: they
 * stay in the file's bytes, and are converted when they are asked for. */
#ifndef CUSEQ_FORMATS_ONNX_H
#define CUSEQ_FORMATS_ONNX_H

#include "cuseq/cuseq.h"

#include <stddef.h>
#include <stdint.h>

typedef struct OnnxFile__Model OnnxFile__Model;
typedef struct OnnxFile__Tensor OnnxFile__Tensor;

enum { ONNX_MAX_RANK = 8 };

/* ONNX's numbers for types of elements, those that are told apart here. */
enum {
  ONNX_FLOAT = 1,
  ONNX_UINT8 = 2,
  ONNX_INT8 = 3,
  ONNX_INT16 = 5,
  ONNX_INT32 = 6,
  ONNX_INT64 = 7,
  ONNX_BOOL = 9,
  ONNX_FLOAT16 = 10,
  ONNX_DOUBLE = 11,
  ONNX_BFLOAT16 = 16,
};

struct onnx_file {
  OnnxFile__Model *model; /* has a graph */
  const unsigned char *bytes;
  size_t size;
  void *read;   /* by onnx_read: the bytes, or NULL */
  char *folder; /* where files beside it are looked for; NULL: there are none, as it was no file */
};

/* Reads a file. The bytes are kept until onnx_free, for the weights. Errors name the file. */
cuseq_status onnx_read(const char *path, struct onnx_file *file);

/* The same of bytes in memory, which the caller keeps until onnx_free. */
cuseq_status onnx_parse(const void *bytes, size_t size, struct onnx_file *file);

/* Releases the bytes of a file that onnx_read read, once no weight is asked for any more; the graph stays. */
void onnx_release_bytes(struct onnx_file *file);

/* Releases; does nothing on a zeroed structure. */
void onnx_free(struct onnx_file *file);

/* How many numbers a tensor has, by its dimensions. What it says is held against what it has, before any
 * memory is spent on it: a tensor of more numbers than lie in the file is refused. Errors name the tensor. */
cuseq_status onnx_tensor_count(const struct onnx_file *file, const OnnxFile__Tensor *tensor, size_t *count);

/* The numbers of a tensor of float, double, float16 or bfloat16; doubles are rounded.
 *   to  [onnx_tensor_count] */
cuseq_status onnx_tensor_floats(const struct onnx_file *file, const OnnxFile__Tensor *tensor, float *to);

/* The numbers of a tensor of integers or of truth values. */
cuseq_status onnx_tensor_integers(const struct onnx_file *file, const OnnxFile__Tensor *tensor, int64_t *to);

/* Whether a tensor's type is one of onnx_tensor_floats, of onnx_tensor_integers. */
int onnx_type_is_float(int32_t type);
int onnx_type_is_integer(int32_t type);

/* A file beside the model: opens the location that a tensor names, relative to the model's folder. What is
 * absolute, leads out of the folder or passes through a symbolic link is refused.
 *   descriptor  the caller's to close */
cuseq_status onnx_beside_open(const char *folder, const char *location, int *descriptor, size_t *size);

#endif
