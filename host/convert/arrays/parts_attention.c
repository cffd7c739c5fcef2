/* Attention, a decoder's or an encoder layer's, from its sources. */
#include "convert/arrays/parts_attention.h"

#include "convert/arrays/fill.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>

cuseq_status parts_add_vector(struct checkpoint *checkpoint, const struct sources *sources, int64_t size,
                              const char *size_by, const char *key) {
  struct checkpoint_array vector;
  TRY(fill_read_vector(checkpoint, sources_find(sources, key), size, size_by, &vector));
  return fill_add(checkpoint, key, &vector, true);
}

cuseq_status parts_add_dense(struct checkpoint *checkpoint, const struct sources *sources,
                             const struct dense *dense, const char *inputs_by, const char *key) {
  char scale[NAMES_KEY_CAPACITY + 16], offset[NAMES_KEY_CAPACITY + 16];
  if (dense->units == 0)
    return CUSEQ_STATUS_OK;
  TRY(fill_dense(checkpoint, sources_find(sources, key), dense, inputs_by, 0, key));
  if (dense->norm.units == 0)
    return CUSEQ_STATUS_OK;
  snprintf(scale, sizeof scale, "%s.norm.scale", key);
  snprintf(offset, sizeof offset, "%s.norm.offset", key);
  TRY(parts_add_vector(checkpoint, sources, dense->norm.units, "as many as are normalised", scale));
  return parts_add_vector(checkpoint, sources, dense->norm.units, "as many as are normalised", offset);
}

/* ---- attention ------------------------------------------------------------------------------------ */

struct attention_context {
  struct checkpoint *checkpoint;
  const struct sources *sources;
  const struct attention_structure *attention;
  const char *key; /* "attention" */
  const char *units_by;
};

/* The source of a part, or NULL; `name` receives its key. */
static const struct source *find(const struct attention_context *context, const char *part,
                                 char name[NAMES_KEY_CAPACITY]) {
  snprintf(name, NAMES_KEY_CAPACITY, "%s.%s", context->key, part);
  return sources_find(context->sources, name);
}

/* e = key G query. The module maps annotations to the state, (W a) . s, or with the order "state" first the
 * state to the annotations, a . (W s). A bias of the first adds a term of the state alone, the same at every
 * position; of the second, one that the score has not. */
static cuseq_status add_general(const struct attention_context *context, int64_t key, int64_t query) {
  static const char annotations[] = "the width of the keys", state[] = "the width of what asks";
  char name[NAMES_KEY_CAPACITY];
  const struct source *source = find(context, "general", name);
  const bool swapped = source->name->swapped;
  const struct fill_widths widths = {swapped ? query : key, swapped ? state : annotations,
                                     swapped ? key : query, swapped ? annotations : state};
  struct checkpoint_array kernel, bias;
  cuseq_status status;
  TRY(fill_read_dense(context->checkpoint, source, &widths, &kernel, &bias));
  for (int64_t i = 0; swapped && bias.data != NULL && i < bias.columns; i++)
    if (bias.data[i] != 0) {
      status =
          source_error(source,
                       "it has a bias, which the score \"general\" has not (needed \"%s.query_map\", a dense "
                       "layer \"query\", and the score \"dot\")",
                       context->key);
      goto cleanup;
    }
  if (swapped)
    TRY_CLEANUP(checkpoint_transpose(&kernel));
  status = fill_add(context->checkpoint, name, &kernel, false);
cleanup:
  free(kernel.data);
  free(bias.data);
  return status;
}

/* The biases of key and query are one. */
static cuseq_status add_bias(const struct attention_context *context, struct checkpoint_array *biases) {
  const struct attention_structure *attention = context->attention;
  char name[NAMES_KEY_CAPACITY];
  const struct source *source = find(context, "bias", name);
  struct checkpoint_array sum = {1, attention->units, calloc((size_t)attention->units, sizeof(float))},
                          own = {0};
  if (sum.data == NULL)
    return error_out_of_memory();
  cuseq_status status = CUSEQ_STATUS_OK;
  if (source != NULL)
    status = fill_read_vector(context->checkpoint, source, attention->units, context->units_by, &own);
  const struct checkpoint_array *parts[] = {&biases[0], &biases[1], &own};
  for (int64_t i = 0; i < attention->units; i++) {
    double value = 0;
    for (int part = 0; part < 3; part++)
      value += parts[part]->data != NULL ? (double)parts[part]->data[i] : 0.0;
    sum.data[i] = (float)value;
  }
  free(own.data);
  if (status == CUSEQ_STATUS_OK)
    status = fill_add(context->checkpoint, name, &sum, true);
  free(sum.data);
  return status;
}

static cuseq_status zero_kernel(int64_t rows, int64_t columns, struct checkpoint_array *kernel) {
  *kernel = (struct checkpoint_array){rows, columns, calloc((size_t)(rows * columns), sizeof(float))};
  return kernel->data != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

static cuseq_status add_additive(const struct attention_context *context, int64_t key, int64_t query) {
  static const char *const parts[] = {"key", "query"};
  const struct attention_structure *attention = context->attention;
  const int64_t inputs[] = {key, query};
  struct checkpoint_array biases[2] = {{0}, {0}}, kernel = {0};
  char name[NAMES_KEY_CAPACITY];
  cuseq_status status;
  for (int i = 0; i < 2; i++) {
    const struct source *source = find(context, parts[i], name);
    const struct fill_widths widths = {inputs[i], i == 0 ? "the width of the keys" : "the width of what asks",
                                       attention->units, context->units_by};
    if (source->zeros) /* nobody asks: the scores are of the keys alone */
      TRY_CLEANUP(zero_kernel(inputs[i], attention->units, &kernel));
    else
      TRY_CLEANUP(fill_read_dense(context->checkpoint, source, &widths, &kernel, &biases[i]));
    if (biases[i].data != NULL && !attention->has_bias) {
      status = source_error(source, "it has a bias (needed \"bias\": true of \"%s\" in the configuration)",
                            context->key);
      goto cleanup;
    }
    TRY_CLEANUP(fill_add(context->checkpoint, name, &kernel, false));
  }
  find(context, "value", name);
  TRY_CLEANUP(
      parts_add_vector(context->checkpoint, context->sources, attention->units, context->units_by, name));
  if (attention->has_bias)
    status = add_bias(context, biases);
cleanup:
  free(kernel.data);
  free(biases[0].data);
  free(biases[1].data);
  return status;
}

/* What keys, values and queries go through: a source each, or one of all three. */
static cuseq_status add_maps(const struct attention_context *context, const struct attention_source *from) {
  const struct attention_structure *attention = context->attention;
  const struct source *together = sources_find(context->sources, context->key);
  const struct {
    const struct dense *dense;
    const char *inputs_by, *name;
  } maps[] = {{&attention->key_map, from->attended, "key_map"},
              {&attention->value_map, from->attended, "value_map"},
              {&attention->query_map, from->asks, "query_map"}};
  if (together != NULL)
    return fill_projections(context->checkpoint, together, attention, from->width, context->key);
  for (int i = 0; i < 3; i++) {
    char name[NAMES_KEY_CAPACITY];
    find(context, maps[i].name, name);
    TRY(parts_add_dense(context->checkpoint, context->sources, maps[i].dense, maps[i].inputs_by, name));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status parts_add_attention(struct checkpoint *checkpoint, const struct sources *sources,
                                 const struct attention_structure *attention,
                                 const struct attention_source *from, const char *key) {
  char units_by[NAMES_KEY_CAPACITY + 16], name[NAMES_KEY_CAPACITY];
  const struct attention_context context = {checkpoint, sources, attention, key, units_by};
  const int32_t key_width = attention_key_width(attention, from->width),
                query_width = attention_query_width(attention);
  snprintf(units_by, sizeof units_by, "as %s.units says", key);
  TRY(add_maps(&context, from));
  for (int l = 0; l < attention->layers.count; l++) {
    snprintf(name, sizeof name, "%s.layers.%d", key, l);
    const struct source *source = sources_find(sources, name);
    TRY(fill_dense(checkpoint, source, &attention->layers.layers[l],
                   l == 0 ? "the widths of the keys and of what asks" : "as many as the layer before gives",
                   source->name->swapped ? key_width : 0, name));
  }
  if (attention->score == CUSEQ_SCORE_GENERAL)
    TRY(add_general(&context, key_width, query_width));
  if (attention->score == CUSEQ_SCORE_ADDITIVE)
    TRY(add_additive(&context, key_width, query_width));
  if (attention->positions == 0)
    return CUSEQ_STATUS_OK;
  find(&context, "position_bias", name);
  return parts_add_vector(checkpoint, sources, attention->positions, "as attention.positions says", name);
}
