/* The conversion of files that are in memory. */
#ifndef CUSEQ_ONNX_CONVERT_H
#define CUSEQ_ONNX_CONVERT_H

#include "convert/convert.h"
#include "formats/onnx/onnx.h"

#include <jansson.h>

/* Makes a model of one file, or of an encoder and one step of its decoder. The bytes of files that onnx_read
 * read are released on the way.
 *   paths       of the files, for messages; NULL: they have none
 *   vocabulary  a JSON object or NULL
 *   decoder, links  as of onnx_convert
 *   model       receives the model, NULL on failure
 *   notes       may be NULL: as of onnx_convert */
cuseq_status onnx_convert_files(struct onnx_file *files, size_t count, const char *const *paths,
                                const json_t *vocabulary, const struct convert_decoder *decoder,
                                const char *links, cuseq_model **model, char **notes);

#endif
