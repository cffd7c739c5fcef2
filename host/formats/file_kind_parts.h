/* What file_kind.c is made of: containers whose kind lies deeper than in their first bytes. */
#ifndef CUSEQ_FORMATS_FILE_KIND_PARTS_H
#define CUSEQ_FORMATS_FILE_KIND_PARTS_H

#include "formats/file_kind.h"

#include <stddef.h>

/* Reads at most `size` bytes at an offset; returns how many there are. */
size_t file_kind_read(int descriptor, size_t offset, void *bytes, size_t size);

/* How often a word of at most 32 bytes occurs in the file, counted up to `most`. */
size_t file_kind_count(int descriptor, const char *word, size_t length, size_t most);

/* A zip archive, by the names of its members. */
/* FILE_KIND_UNKNOWN and errno where the machine has no room to look into it. */
enum file_kind file_kind_of_zip(int descriptor);

/* What protocol buffers hold is told by their outermost fields: an ONNX ModelProto or a TensorFlow
 * SavedModel; FILE_KIND_UNKNOWN of anything else. */
enum file_kind file_kind_of_protobuf(int descriptor, size_t size);

#endif
