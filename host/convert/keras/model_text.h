/* The text that describes a Keras model - configuration, version - and what stands in for it in an HDF5
 * file. */
#ifndef CUSEQ_KERAS_MODEL_TEXT_H
#define CUSEQ_KERAS_MODEL_TEXT_H

#include "convert/convert.h"
#include "convert/keras/evaluate.h"

/* Parses JSON from a file that nobody vouches for: no duplicate keys, no more values than a model has. It
 * may be Python's (python_json.h).
 *   name  of the text, for messages */
cuseq_status model_text_parse(const char *text, size_t size, const char *name, json_t **json);

/* Reads "2.1.3", "2.2.4-tf", "3.5.0". */
cuseq_status model_text_version(const char *text, size_t size, struct keras_version *version);

/* What the user says beside the file. Zeroed: nothing. */
struct model_hints {
  const json_t *vocabulary;              /* a JSON object or NULL */
  struct own_activations *own;           /* may be NULL; receives which of them are used */
  const struct convert_decoder *decoder; /* may be NULL */
  const char *links;                     /* of two models: which outputs inputs are, or NULL */
  /* may be NULL; called when the file has been read to its end, whose groups and arrays are not looked at
   * from then on */
  void (*file_is_read)(void *file);
  void *file;
};

/* A model whose configuration and weights are at hand. */
struct model_text {
  const json_t *config; /* {"class_name": ..., "config": ...} */
  struct keras_version version;
  const struct hdf5_node *root; /* the file's root group */
  bool legacy;                  /* of a whole-model .h5 */
};

/* Converts a model whose configuration and weights are at hand. This is all that is done with a file's
 * contents but for HDF5 and zip, and what the fuzzer runs.
 *   config      the model's configuration, {"class_name": ..., "config": ...}
 *   version     of the Keras that wrote it
 *   root        the file's root group; legacy: of a whole-model .h5
 *   hints       may be NULL: nothing
 *   notes       as in keras_convert */
cuseq_status model_text_convert(const json_t *config, const struct keras_version *version,
                                const struct hdf5_node *root, bool legacy, const struct model_hints *hints,
                                cuseq_model **model, char **notes);

/* The same of an encoder and one step of its decoder.
 *   second  receives whether an error is about the decoder, or both */
cuseq_status model_text_convert_pair(const struct model_text *texts, const struct model_hints *hints,
                                     bool *second, cuseq_model **model, char **notes);

/* The configuration and version of a whole-model .h5, which are attributes of its root.
 *   config  receives what text->config borrows */
cuseq_status model_text_legacy(const struct hdf5_node *root, json_t **config, struct model_text *text);

/* The same for a whole-model .h5: configuration and version are attributes of its root. */
cuseq_status model_text_convert_legacy(const struct hdf5_node *root, const struct model_hints *hints,
                                       cuseq_model **model, char **notes);

#endif
