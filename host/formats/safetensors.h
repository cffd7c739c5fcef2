/* .safetensors: an 8-byte header length, a JSON header, the tensors' bytes.
 *
 * The format's rules are those of the safetensors project (README, "Format"). Three bounds are ours: a tensor
 * has at most SAFETENSORS_MAX_RANK dimensions, an entry has no keys but dtype, shape and data_offsets, and a
 * header is refused that would take more memory than the file plus 40 MB to read (some 18,000 tensors beside
 * small data). */
#ifndef CUSEQ_FORMATS_SAFETENSORS_H
#define CUSEQ_FORMATS_SAFETENSORS_H

#include "cuseq/cuseq.h"

#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_MAX_RANK = 8 };

struct safetensors_tensor {
  const char *name;
  const char *dtype_name; /* as the file says, "F32", "BF16", "U8" ...; a writer may leave it NULL         */
  int dtype;              /* its cuseq_dtype, or -1 for one that cuseq has no use for                     */
  int32_t rank;
  int64_t shape[SAFETENSORS_MAX_RANK];
  const void *data; /* points into the parsed bytes, little-endian; may be unaligned                      */
  size_t bytes;
};

struct safetensors_pair {
  const char *key;
  const char *value;
};

struct safetensors {
  struct safetensors_tensor *tensors; /* in the order of their data                                        */
  size_t tensor_count;
  struct safetensors_pair *metadata; /* the entries of __metadata__                                       */
  size_t metadata_count;
  void *owner; /* what safetensors_free releases; NULL in a structure that a writer filled itself         */
};

/* Parses a file that is in memory. Every rule of the format is checked before anything is believed. The
 * result points into `bytes`, which must outlive it. Errors do not name the file (error_prefix does). */
cuseq_status safetensors_parse(const void *bytes, size_t size, struct safetensors *file);

/* Whether a file of this size that begins with these `count` bytes may be one; the first 9 tell all that it
 * looks at. */
cuseq_status safetensors_check(const void *bytes, size_t count, size_t size);

/* Releases what safetensors_parse made; does nothing on a zeroed structure. */
void safetensors_free(struct safetensors *file);

/* Writes `file` (tensors in the order given, contiguous from an 8-byte boundary on, header padded with
 * spaces); whole or not. Of each tensor, dtype_name (or where it is NULL, dtype) and shape must agree with
 * bytes. */
cuseq_status safetensors_write(const char *path, const struct safetensors *file);

/* The value of a key of __metadata__, or NULL. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);

#endif
