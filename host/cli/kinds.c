#include "cli/kinds.h"

#include "cli/message.h"
#include "error.h"
#include "formats/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char shards_way[] = "load it whole and save its state_dict as one .safetensors file, of which "
                                 "cuseq convert --config makes a model";
static const char hdf5_way[] = "model.save keeps the whole, of which cuseq convert makes a model; of weights "
                               "alone cuseq convert --config does";
static const char pickle_way[] = "cuseq cannot read it: save its arrays as .npz or .safetensors, of which "
                                 "cuseq convert --config makes a model";
static const char saved_model_way[] =
    "cuseq cannot read it, but where Keras 2 wrote it, load it there and save it as .h5, "
    "which cuseq convert takes";
static const char checkpoint_way[] =
    "load it into the Keras model that it was saved from, and save that whole (model.save), "
    "of which cuseq convert makes a model";

/* The way from a kind to a model. */
static const char *const ways_to_a_model[FILE_KINDS] = {
    [FILE_KIND_NAMED_ARRAYS] = "with a configuration, cuseq convert --config makes a model of it",
    [FILE_KIND_KERAS] = "cuseq convert makes a model of it",
    [FILE_KIND_HDF5] = hdf5_way,
    [FILE_KIND_ONNX] = "cuseq convert makes a model of it",
    [FILE_KIND_TORCH] = "with a configuration, cuseq convert --config makes a model of it",
    [FILE_KIND_PICKLE] = pickle_way,
    [FILE_KIND_NPY] = "an input, not a model",
    [FILE_KIND_NPZ] = "of the weights of a model, cuseq convert --config makes a model",
    [FILE_KIND_TFLITE] = "cuseq cannot read it, but cuseq convert takes the Keras model that it was made of",
    [FILE_KIND_SAVED_MODEL] = saved_model_way,
    [FILE_KIND_TF_CHECKPOINT] = checkpoint_way,
    [FILE_KIND_SHARDS] = shards_way,
    [FILE_KIND_JSON] = "not a model",
    [FILE_KIND_TEXT] = "not a model",
};

/* The way from a kind to what is in it, or was meant. */
static const char *const ways_out[FILE_KINDS] = {
    [FILE_KIND_BROKEN_SAFETENSORS] = "it was cut short or changed, and has to be copied again",
    [FILE_KIND_ZIP] = "unpack it first",
    [FILE_KIND_BROKEN_ZIP] = "it was cut short or changed, and has to be copied again",
    [FILE_KIND_TAR] = "unpack it first",
    [FILE_KIND_COMPRESSED] = "unpack it first (gzip, bzip2, xz or zstd)",
    [FILE_KIND_WEB_PAGE] = "it came in place of the file that was to be downloaded",
    [FILE_KIND_LFS_POINTER] = "git lfs pull fetches the file itself",
};

static const char *needed(enum wanted wanted, enum file_kind kind) {
  switch (wanted) {
  case WANTED_MODEL:
    return "a cuseq model";
  case WANTED_OTHER_MODEL:
    return "a Keras model, .keras or .h5, an ONNX model, or named arrays and --config";
  case WANTED_ARRAYS:
    return "named arrays: .safetensors, .npz, HDF5 or a PyTorch checkpoint";
  case WANTED_ARRAY:
    return kind == FILE_KIND_NPZ ? "one array in .npy, as numpy.save writes it"
                                 : "an array in .npy, as numpy.save writes it";
  case WANTED_ARCHIVE:
    return "arrays in .npz, as numpy.savez writes them";
  case WANTED_PAIRS:
    return "lines of text, tab, text";
  case WANTED_JSON:
    return "a JSON text";
  }
  return "";
}

int fail_other_kind(const char *path, enum wanted wanted, enum file_kind kind) {
  const char *name = file_kind_name(kind), *way = ways_out[kind];
  if (!way && (wanted == WANTED_MODEL || wanted == WANTED_OTHER_MODEL))
    way = ways_to_a_model[kind];
  if (wanted == WANTED_OTHER_MODEL && kind == FILE_KIND_CUSEQ_MODEL)
    return fail("%s: already a cuseq model", path);
  if (way)
    return fail("%s: %s: %s", path, name, way);
  return fail("%s: %s (needed %s)", path, name ? name : "unknown kind of file", needed(wanted, kind));
}

/* Whether the reader of what was wanted knows better what is wrong with a file of this kind. */
static bool is_wanted(enum wanted wanted, enum file_kind kind) {
  if (kind == FILE_KIND_UNKNOWN || kind == FILE_KIND_EMPTY)
    return true;
  switch (wanted) {
  case WANTED_MODEL:
    return kind == FILE_KIND_CUSEQ_MODEL || kind == FILE_KIND_BROKEN_SAFETENSORS;
  case WANTED_OTHER_MODEL:
    return kind == FILE_KIND_KERAS || kind == FILE_KIND_HDF5 || kind == FILE_KIND_NAMED_ARRAYS ||
           kind == FILE_KIND_BROKEN_SAFETENSORS || kind == FILE_KIND_ONNX;
  case WANTED_ARRAYS:
    return kind == FILE_KIND_CUSEQ_MODEL || kind == FILE_KIND_NAMED_ARRAYS ||
           kind == FILE_KIND_BROKEN_SAFETENSORS || kind == FILE_KIND_NPZ || kind == FILE_KIND_TORCH ||
           kind == FILE_KIND_KERAS || kind == FILE_KIND_HDF5;
  case WANTED_ARRAY:
    return kind == FILE_KIND_NPY;
  case WANTED_ARCHIVE:
    return kind == FILE_KIND_NPZ;
  case WANTED_PAIRS:
  case WANTED_JSON:
    return kind == FILE_KIND_TEXT || kind == FILE_KIND_JSON || kind == FILE_KIND_SHARDS;
  }
  return true;
}

/* Whether a file is of another kind than was wanted, and which. */
static bool is_other(const char *path, enum wanted wanted, enum file_kind *kind) {
  return file_kind_find(path, kind) == CUSEQ_STATUS_OK && !is_wanted(wanted, *kind);
}

int fail_kind(const char *path, enum wanted wanted, cuseq_status status, const char *error) {
  enum file_kind kind;
  char line[1024]; /* looking at the file changes the last error */
  snprintf(line, sizeof line, "%s", error);
  if (status != CUSEQ_STATUS_OUT_OF_MEMORY && is_other(path, wanted, &kind))
    return fail_other_kind(path, wanted, kind);
  return fail_status(status, line);
}

int model_load(const char *path, cuseq_model **model) {
  cuseq_status status = cuseq_model_load(path, model);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_kind(path, WANTED_MODEL, status, cuseq_last_error());
}

int text_load(const char *path, enum wanted wanted, char **text, size_t *size) {
  enum file_kind kind;
  cuseq_status status = text_read(path, text, size);
  if (status != CUSEQ_STATUS_OK)
    return fail_kind(path, wanted, status, error_text());
  if (!is_other(path, wanted, &kind)) /* small files of other kinds may lack what no text has */
    return EXIT_DONE;
  free(*text);
  *text = NULL;
  return fail_other_kind(path, wanted, kind);
}
