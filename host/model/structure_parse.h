/* The parts of structure_parse.c: each reads one object of a version 2 configuration. */
#ifndef CUSEQ_MODEL_STRUCTURE_PARSE_H
#define CUSEQ_MODEL_STRUCTURE_PARSE_H

#include "model/fields.h"
#include "model/structure.h"

/* Reads a version 2 configuration (its JSON object; "version" and "vocabulary" are the caller's) and works
 * out every width. Weights are NULL until tensors_load. */
cuseq_status structure_parse(const json_t *root, struct structure *structure);

/* A dense layer, `inputs` wide, with one of `words` as its activation.
 *   norm  whether it may normalise */
cuseq_status parse_dense(const struct field_object *object, int32_t inputs, const struct word *words,
                         bool norm, struct dense *dense);
/* The same where `key` is there; nothing else. */
cuseq_status parse_optional_dense(const struct field_object *object, const char *key, int32_t inputs,
                                  bool norm, struct dense *dense);
/* A list of low to high dense layers, each reading the one before; the last one's activation is one of
 * `last`.
 *   norms  whether those before the last may normalise */
cuseq_status parse_dense_chain(const struct field_object *object, const char *key, int32_t high,
                               int32_t inputs, const struct word *last, bool norms,
                               struct dense_chain *chain);
/* A cell without its inputs' width. */
cuseq_status parse_cell(const struct field_object *object, struct cell *cell);
/* A list of parts, each one of those in `allowed` (a set of 1 << part) and none twice. */
cuseq_status parse_parts(const struct field_object *object, const char *key, unsigned allowed,
                         struct parts *parts);

/* structure_decoder.c: everything but widths of inputs. */
cuseq_status parse_decoder(const struct field_object *object, struct structure *structure);
/* An initial state, h or c, of a decoder layer or of the state that asks.
 *   has_other  there is the other one of h and c beside it
 *   units      that it must have; 0: any */
cuseq_status parse_initial(const struct field_object *object, const struct structure *structure, bool is_c,
                           bool has_other, int32_t units, struct initial_structure *initial);
/* structure_attention.c; the decoder or the state that asks is known. */
cuseq_status parse_attention(const struct field_object *object, struct structure *structure);
/* What an encoder's layer asks itself, where it does; and the width of what its dense layer reads. The merged
 * width is known. */
cuseq_status parse_self_attention(const struct field_object *object, struct encoder_structure *encoder,
                                  struct encoder_layer *layer);
/* structure_output.c */
cuseq_status parse_output(const struct field_object *object, struct structure *structure);
/* structure_widths.c: what reads what; refuses what contradicts itself. */
cuseq_status structure_resolve(struct structure *structure);

#endif
