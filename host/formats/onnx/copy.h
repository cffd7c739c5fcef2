/* An ONNX file without its large numbers, and without what is not read: what protobuf-c is given. */
#ifndef CUSEQ_FORMATS_ONNX_COPY_H
#define CUSEQ_FORMATS_ONNX_COPY_H

#include "cuseq/cuseq.h"

#include <stddef.h>

/* Copies a message of type Model with the fields of onnx.proto alone. raw_data, float_data and double_data
 * are replaced by their places in the file, so that no weight is held twice. Nesting is bounded, and so is
 * what protobuf-c will take for the copy: a message of two bytes may become a structure of two hundred.
 *   copy   receives the message, for free() */
cuseq_status onnx_copy(const void *bytes, size_t size, void **copy, size_t *copy_size);

#endif
