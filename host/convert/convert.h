/* From other people's model files to cuseq models: what `cuseq convert` calls. */
#ifndef CUSEQ_CONVERT_H
#define CUSEQ_CONVERT_H

#include "cuseq/cuseq.h"

#include <stdbool.h>

/* A JSON text that says what the model's file does not. */
struct convert_json {
  const char *text;
  bool at_fault; /* receives, with an error, whether it is about this text: it then names no file          */
};

/* What the user says of a decoder, where the model's file does not. */
struct convert_decoder {
  int32_t start_token, end_token; /* -1: nothing */
  int32_t steps;                  /* that a call makes when it says nothing; 0: nothing */
};

/* The token of a symbol of a vocabulary's output, as keras_convert is given it; -1: it has no such symbol. */
cuseq_status convert_symbol(struct convert_json *vocabulary, const char *symbol, int32_t *token);

/* Reads a whole Keras model: a legacy .h5 (HDF5) or a .keras archive, told apart by their first bytes.
 *   path        the file
 *   vocabulary  the JSON object that becomes the configuration's "vocabulary"; NULL: none
 *   own_activations  what functions of the author's own compute, of which the file has only the names:
 *               "NAME=MEANING,NAME=MEANING", as docs/from-keras.md tells; NULL: nothing is said
 *   decoder     NULL: nothing is said
 *   model       receives the model, NULL on failure
 *   notes       may be NULL: receives what the user should know about the conversion (initial states that are
 *               inputs, say), lines that end in '\n', for free(); NULL when there is nothing to say
 * HDF5 is read in a child process, the program cuseq-hdf5. Errors name the file and, for a graph that cuseq
 * cannot express, the layer. Blocks. Thread-safe, but for hdf5_process_set_program. */
cuseq_status keras_convert(const char *path, struct convert_json *vocabulary, const char *own_activations,
                           const struct convert_decoder *decoder, cuseq_model **model, char **notes);

/* The same of an encoder and one step of its decoder, in two files.
 *   paths  [2] the encoder's, the decoder's
 *   links  "INPUT=OUTPUT,...": which output of the encoder, by its number from 1 on or its layer's name, an
 *          input of the decoder begins with, where that is not certain, or INPUT=zeros; NULL: nothing */
cuseq_status keras_convert_pair(const char *const *paths, struct convert_json *vocabulary,
                                const char *own_activations, const struct convert_decoder *decoder,
                                const char *links, cuseq_model **model, char **notes);

/* Makes a model of a file of named arrays: .safetensors, .npz, HDF5 (.h5, and what is in a .keras), or a
 * PyTorch zip checkpoint.
 *   path         the file
 *   description  the configuration of docs/model-format.md with one more key, "names", from our prefixes to
 *                the file's: docs/from-pytorch.md. What is wrong with it is told before the file is read
 *   model        receives the model, NULL on failure */
cuseq_status arrays_convert(const char *path, struct convert_json *description, cuseq_model **model);

/* Reads an ONNX model: one file, or an encoder and one step of its decoder.
 *   paths       [count] the files: one, or the encoder and the decoder
 *   decoder     NULL: nothing is said
 *   links       of two files: "INPUT=OUTPUT,...", which output an input of the decoder begins with, or is at
 *               the next step, where neither names nor shapes tell, or INPUT=zeros; NULL: nothing
 *   vocabulary  as of keras_convert
 *   model       receives the model, NULL on failure
 *   notes       as of keras_convert
 * Weights may lie in other files in the model's folder. Errors name the file and, for a graph that cuseq
 * cannot express, the node. */
cuseq_status onnx_convert(const char *const *paths, size_t count, struct convert_json *vocabulary,
                          const struct convert_decoder *decoder, const char *links, cuseq_model **model,
                          char **notes);

#endif
