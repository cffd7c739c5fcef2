/* What a file holds, told by its bytes alone: its name plays no part. Nothing of it is believed, and little
 * is read; that it can be read as what it looks like is for its reader to find out. */
#ifndef CUSEQ_FORMATS_FILE_KIND_H
#define CUSEQ_FORMATS_FILE_KIND_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stddef.h>

enum file_kind {
  FILE_KIND_UNKNOWN,
  FILE_KIND_EMPTY,
  FILE_KIND_CUSEQ_MODEL,        /* .safetensors with a cuseq configuration                                 */
  FILE_KIND_NAMED_ARRAYS,       /* .safetensors without one: a state_dict                                  */
  FILE_KIND_BROKEN_SAFETENSORS, /* begins like one                                                         */
  FILE_KIND_KERAS,              /* a whole model: .keras, or HDF5 with a model_config                      */
  FILE_KIND_HDF5,               /* any other                                                               */
  FILE_KIND_ONNX,
  FILE_KIND_TORCH,  /* torch.save, of now and before 1.6; TorchScript                                      */
  FILE_KIND_PICKLE, /* any other                                                                           */
  FILE_KIND_NPY,
  FILE_KIND_NPZ,
  FILE_KIND_TFLITE,
  FILE_KIND_SAVED_MODEL, /* TensorFlow's folder, or the saved_model.pb in it                               */
  FILE_KIND_TF_CHECKPOINT, /* the .index of TensorFlow's weights, or the text "checkpoint" beside it       */
  FILE_KIND_ZIP,        /* any other                                                                      */
  FILE_KIND_BROKEN_ZIP, /* begins like one                                                                */
  FILE_KIND_TAR,
  FILE_KIND_COMPRESSED, /* gzip, bzip2, xz, zstd                                                           */
  FILE_KIND_SHARDS,     /* the index of a checkpoint in several files                                     */
  FILE_KIND_JSON,       /* a text that begins with a brace or a bracket                                    */
  FILE_KIND_WEB_PAGE,
  FILE_KIND_LFS_POINTER, /* what Git leaves where the file itself was not fetched                          */
  FILE_KIND_TEXT,        /* any other, as far as one looks                                                 */
};
enum { FILE_KINDS = FILE_KIND_TEXT + 1 };

/* Looks into a regular file, or into a folder that may be TensorFlow's. A file that cannot be read is an
 * error that names it, as of file_read. */
cuseq_status file_kind_find(const char *path, enum file_kind *kind);

/* The same of a file that is open. */
enum file_kind file_kind_of(int descriptor, size_t size);

/* The container alone, by the file's first bytes: FILE_KIND_HDF5 or FILE_KIND_ZIP, either of which a Keras
 * model may be, or another kind that those bytes tell. FILE_KIND_UNKNOWN of all others, with errno where it
 * cannot be read. */
enum file_kind file_kind_container(int descriptor);

/* Whether a zip archive may have more than `most` entries, all of which libzip would hold: every one has a
 * signature in the file, and how many there are is not left to a header. */
bool file_kind_zip_has_more(int descriptor, size_t most);

/* "a Keras model"; NULL of FILE_KIND_UNKNOWN. */
const char *file_kind_name(enum file_kind kind);

#endif
