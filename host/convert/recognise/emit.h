/* What was recognised, as a configuration and tensors of docs/model-format.md. */
#ifndef CUSEQ_RECOGNISE_EMIT_H
#define CUSEQ_RECOGNISE_EMIT_H

#include "convert/recognise/join.h"
#include "convert/recognise/recognised.h"

enum { EMIT_MAX_TENSORS = 1024 };

struct emitter {
  const struct expressions *expressions;
  struct recognised *model;
  const struct graph_lookups *lookups;    /* of the input's columns, or NULL */
  const struct graph_parts *parts;        /* of the input, or NULL */
  cuseq_tensor tensors[EMIT_MAX_TENSORS]; /* names and data from malloc */
  size_t count;
  json_t *json;
};

/* ---- emit_tensors.c ---- */

/* A new tensor of zeros for the caller to fill in; columns 0: a vector of `rows` elements. */
cuseq_status emit_tensor(struct emitter *emitter, int64_t rows, int64_t columns, float **data,
                         const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Rows of an affine map's matrix as float32. */
void emit_rows(const struct affine *affine, int32_t first, int32_t rows, float *to);

/* prefix.kernel of an affine map, and prefix.bias where `bias`. */
cuseq_status emit_dense(struct emitter *emitter, const struct affine *affine, bool bias, const char *prefix);

/* prefix.norm.scale and prefix.norm.offset, where there is a normalisation. */
cuseq_status emit_norm(struct emitter *emitter, const struct level_norm *norm, const char *prefix);

/* prefix.NAME of a matrix as it is. */
cuseq_status emit_matrix(struct emitter *emitter, int32_t matrix, bool vector, const char *prefix,
                         const char *name);

/* The same, whose kernel takes the memory of the map's matrix: heads may be as large as all else together. */
cuseq_status emit_dense_taken(struct emitter *emitter, struct affine *affine, bool bias, const char *prefix);

/* A cell's tensors; what lies in front of it goes into its kernel and bias, and so does an embedding: its
 * rows, taken through the front and the kernel, are the kernel for token ids.
 *   front      the map of what it reads; NULL: none
 *   embedding  a matrix, or -1
 *   bias       whether there is a bias (emit_has_bias) */
cuseq_status emit_cell(struct emitter *emitter, const struct recurrent_cell *cell, const struct affine *front,
                       int32_t embedding, bool bias, const char *prefix);

/* Whether a cell has a bias, its own or one that its front makes. */
bool emit_has_bias(const struct recurrent_cell *cell, const struct affine *front);

/* prefix.key, .query, .value and, where there is one, .bias of score additive; prefix.general. */
cuseq_status emit_additive(struct emitter *emitter, const struct found_attention *attention,
                           const char *prefix, bool *bias);
cuseq_status emit_general(struct emitter *emitter, const struct found_attention *attention,
                          const char *prefix);

/* ---- emit_version1.c ---- */

/* Whether version 1 can say the model. */
bool emit_fits_version1(const struct emitter *emitter);
cuseq_status emit_version1(struct emitter *emitter);

/* ---- emit_input.c ---- */

/* Rows of a matrix as a tensor. */
cuseq_status emit_table(struct emitter *emitter, int32_t matrix, int32_t rows, const char *name);
/* The object "input" of version 2, and its tensors. */
cuseq_status emit_input(struct emitter *emitter);

/* ---- emit_version2.c ---- */

cuseq_status emit_version2(struct emitter *emitter);

/* A cell under a key; units, activation and bias of a dense layer; parts under a key. */
cuseq_status emit_set_cell(json_t *json, const char *key, const struct recurrent_cell *cell, bool bias);
cuseq_status emit_set_level(json_t *object, const struct level *level);
cuseq_status emit_set_parts(json_t *json, const char *key, const struct parts *parts);

/* Where a state begins, and the tensors of a dense layer that makes it. */
cuseq_status emit_set_initial(struct emitter *emitter, json_t *json, const struct found_initial *initial,
                              const char *prefix);

/* ---- emit_decoder.c ---- */

cuseq_status emit_decoder(struct emitter *emitter);

/* ---- JSON ---- */

/* Sets a key, taking the value; fails where memory is missing. */
cuseq_status emit_set(json_t *object, const char *key, json_t *value);
cuseq_status emit_set_word(json_t *object, const char *key, const char *word);
cuseq_status emit_set_number(json_t *object, const char *key, int64_t number);

/* A new object under a key. */
cuseq_status emit_object(json_t *object, const char *key, json_t **made);
/* A new object at the end of a list. */
cuseq_status emit_item(json_t *list, json_t **made);

#endif
