/* From other people's model files to cuseq models: what `cuseq convert` calls. */
#ifndef CUSEQ_FORMATS_CONVERT_H
#define CUSEQ_FORMATS_CONVERT_H

#include "cuseq/cuseq.h"

/* Reads a whole Keras model: a legacy .h5 (HDF5) or a .keras archive, told apart by their first bytes.
 *   path             the file
 *   vocabulary_json  the JSON object that becomes the configuration's "vocabulary"; NULL: none
 *   model            receives the model, NULL on failure
 *   notes            may be NULL: receives what the user should know about the conversion (initial states
 * that are inputs, say), lines that end in '\n', for free(); NULL when there is nothing to say HDF5 is read
 * in a child process, the program cuseq-hdf5. Errors name the file and, for a graph that cuseq cannot
 * express, the layer. Blocks. Thread-safe, but for convert_set_hdf5_program. */
cuseq_status keras_convert(const char *path, const char *vocabulary_json, cuseq_model **model, char **notes);

/* Reads a PyTorch state_dict from .safetensors.
 *   path         the file
 *   config_json  the configuration of docs/model-format.md with one more key, "names", from our prefixes to
 * the checkpoint's: docs/from-pytorch.md model        receives the model, NULL on failure */
cuseq_status pytorch_convert(const char *path, const char *config_json, cuseq_model **model);

/* Where cuseq-hdf5 is, for programs that do not lie beside it (tests). NULL: beside the running program, or
 * in
 * ../libexec/cuseq from there. The text must outlive its use. Not thread-safe. */
void convert_set_hdf5_program(const char *path);

#endif
