#include "convert/arrays/parts.h"

#include "convert/arrays/fill.h"
#include "convert/arrays/parts_attention.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the parts are read from and added to. */
struct parts_context {
  struct checkpoint *checkpoint;
  const struct sources *sources;
  const struct structure *structure;
};

static cuseq_status add_vector(const struct parts_context *context, int64_t size, const char *size_by,
                               const char *key) {
  return parts_add_vector(context->checkpoint, context->sources, size, size_by, key);
}

static cuseq_status add_dense(const struct parts_context *context, const struct dense *dense,
                              const char *inputs_by, const char *key) {
  return parts_add_dense(context->checkpoint, context->sources, dense, inputs_by, key);
}

/* ---- encoder -------------------------------------------------------------------------------------- */

static cuseq_status add_input(const struct parts_context *context) {
  const struct input_structure *input = &context->structure->input;
  struct checkpoint_array table;
  if (input->embedding_units > 0) {
    const struct fill_widths widths = {input->features, "as input.features says", input->embedding_units,
                                       "as input.embedding says"};
    TRY(fill_read_table(context->checkpoint, sources_find(context->sources, "input.embedding"), &widths,
                        &table));
    TRY(fill_add(context->checkpoint, "input.embedding", &table, false));
  }
  if (!input->has_affine)
    return CUSEQ_STATUS_OK;
  TRY(add_vector(context, input->features, "as input.features says", "input.scale"));
  return add_vector(context, input->features, "as input.features says", "input.offset");
}

/* How many layers of a module are read under a key that names all of them. */
static int layers_of(const struct parts_context *context, const struct source *source) {
  static const char *const sides[] = {"forward", "backward"};
  const struct structure *structure = context->structure;
  int count = 1;
  if (strcmp(source->name->key, "encoder") == 0)
    for (int l = 0; l < structure->encoder.count; l++)
      for (int d = 0; d < 2; d++)
        if (encoder_layer_has(&structure->encoder.layers[l], d) &&
            sources_find_cell(context->sources, "encoder.layers", l, sides[d]) == source)
          count = l + 1;
  if (strcmp(source->name->key, "decoder") == 0)
    for (int l = 0; l < structure->decoder.count; l++)
      if (sources_find_cell(context->sources, "decoder.layers", l, NULL) == source)
        count = l + 1;
  return count;
}

static cuseq_status add_encoder_layer(const struct parts_context *context, int l) {
  static const char *const sides[] = {"forward", "backward"};
  const struct encoder_layer *layer = &context->structure->encoder.layers[l];
  char key[NAMES_KEY_CAPACITY], inputs_by[NAMES_KEY_CAPACITY + 32];
  if (l > 0)
    snprintf(inputs_by, sizeof inputs_by, "as encoder.layers.%d gives", l - 1);
  else
    snprintf(inputs_by, sizeof inputs_by, "as input.%s says",
             context->structure->input.embedding_units > 0 ? "embedding" : "features");
  for (int d = 0; d < 2; d++) {
    if (!encoder_layer_has(layer, d))
      continue;
    const struct source *source = sources_find_cell(context->sources, "encoder.layers", l, sides[d]);
    snprintf(key, sizeof key, "encoder.layers.%d.%s", l, sides[d]);
    bool whole = strcmp(source->name->key, "encoder") == 0, single = strcmp(source->name->key, key) == 0;
    const struct wanted_cell wanted = {.kind = layer->cells[d].kind,
                                       .layers = layers_of(context, source),
                                       .layer = whole ? l : 0,
                                       .side = layer->direction == LAYER_BIDIRECTIONAL && !single ? sides[d]
                                                                                                  : NULL};
    TRY(fill_cell(context->checkpoint, source, &wanted, &layer->cells[d], inputs_by, key));
  }
  snprintf(key, sizeof key, "encoder.layers.%d.weighting", l);
  TRY(add_dense(context, &layer->weighting, "the layer's weighting.positions", key));
  const struct attention_structure *attention = encoder_self_attention(&context->structure->encoder, layer);
  if (attention != NULL) {
    const struct attention_source from = {"the width of the layer", "the width of the layer",
                                          layer->merged_width};
    snprintf(key, sizeof key, "encoder.layers.%d.self_attention", l);
    TRY(parts_add_attention(context->checkpoint, context->sources, attention, &from, key));
  }
  snprintf(key, sizeof key, "encoder.layers.%d.dense", l);
  snprintf(inputs_by, sizeof inputs_by, "as %s of encoder.layers.%d give%s",
           attention != NULL ? "the self_attention" : "the cells", l, attention != NULL ? "s" : "");
  return add_dense(context, &layer->dense, inputs_by, key);
}

/* ---- decoder -------------------------------------------------------------------------------------- */

/* A table that the model has under another key already: the source, where it is named, has to be the same. */
static cuseq_status check_same(const struct parts_context *context, const struct source *source,
                               const char *key, struct checkpoint_array *array) {
  const struct checkpoint *checkpoint = context->checkpoint;
  const size_t bytes = (size_t)array->rows * (size_t)array->columns * sizeof(float);
  cuseq_status status = CUSEQ_STATUS_OK;
  for (size_t i = 0; i < checkpoint->made_count; i++)
    if (strcmp(checkpoint->made[i].name, key) == 0 &&
        memcmp(checkpoint->made[i].data, array->data, bytes) != 0)
      status = source_error(
          source, "its numbers are others than those of \"%s\", which the configuration says it is", key);
  free(array->data);
  return status;
}

static cuseq_status add_embedding(const struct parts_context *context) {
  const struct decoder_structure *decoder = &context->structure->decoder;
  const struct source *source = sources_find(context->sources, "decoder.embedding");
  struct checkpoint_array table;
  if (source == NULL)
    return CUSEQ_STATUS_OK;
  const struct fill_widths widths = {decoder->tokens, "as many as there are tokens", decoder->embedding_units,
                                     "as decoder.embedding says"};
  TRY(fill_read_table(context->checkpoint, source, &widths, &table));
  if (decoder->embedding_is_encoders)
    return check_same(context, source, "input.embedding", &table);
  return fill_add(context->checkpoint, "decoder.embedding", &table, false);
}

static cuseq_status add_decoder_layer(const struct parts_context *context, int l) {
  const struct decoder_layer *layer = &context->structure->decoder.layers[l];
  const struct source *source = sources_find_cell(context->sources, "decoder.layers", l, NULL);
  char key[NAMES_KEY_CAPACITY], inputs_by[NAMES_KEY_CAPACITY + 48] = "the widths of decoder.reads";
  const struct wanted_cell wanted = {.kind = layer->cell.kind,
                                     .layers = layers_of(context, source),
                                     .layer = strcmp(source->name->key, "decoder") == 0 ? l : 0};
  if (l > 0)
    snprintf(inputs_by, sizeof inputs_by, "as decoder.layers.%d gives%s", l - 1,
             layer->reads_context ? ", and the context" : "");
  snprintf(key, sizeof key, "decoder.layers.%d", l);
  TRY(fill_cell(context->checkpoint, source, &wanted, &layer->cell, inputs_by, key));
  snprintf(key, sizeof key, "decoder.layers.%d.initial_h", l);
  TRY(add_dense(context, &layer->initial_h.dense, "the width of the state that it is made of", key));
  snprintf(key, sizeof key, "decoder.layers.%d.initial_c", l);
  return add_dense(context, &layer->initial_c.dense, "the width of the state that it is made of", key);
}

static cuseq_status add_decoder(const struct parts_context *context) {
  const struct decoder_structure *decoder = &context->structure->decoder;
  TRY(add_dense(context, &context->structure->asking.initial.dense,
                "the width of the state that it is made of", "state.initial"));
  for (int l = 0; l < decoder->count; l++)
    TRY(add_decoder_layer(context, l));
  TRY(add_embedding(context));
  return add_dense(context, &decoder->attentional.dense, "the widths of decoder.attentional.parts",
                   "decoder.attentional");
}

/* ---- output --------------------------------------------------------------------------------------- */

/* The last layer of a tied head: its kernel is the embedding, and of its module the bias is read. */
static cuseq_status add_tied(const struct parts_context *context, const struct dense *dense,
                             const char *key) {
  const struct source *source = sources_find(context->sources, key);
  const struct fill_widths widths = {dense->inputs, "the width of decoder.embedding", dense->units,
                                     "as many as there are tokens"};
  struct checkpoint_array kernel, bias;
  char name[NAMES_KEY_CAPACITY + 8];
  if (source == NULL)
    return CUSEQ_STATUS_OK;
  TRY(fill_read_dense(context->checkpoint, source, &widths, &kernel, &bias));
  cuseq_status status = checkpoint_transpose(&kernel);
  if (status == CUSEQ_STATUS_OK)
    status = check_same(
        context, source,
        context->structure->decoder.embedding_is_encoders ? "input.embedding" : "decoder.embedding", &kernel);
  else
    free(kernel.data);
  if (status == CUSEQ_STATUS_OK && (bias.data != NULL) != dense->has_bias)
    status =
        source_error(source, "it has %s bias, and the configuration says the other", bias.data ? "a" : "no");
  snprintf(name, sizeof name, "%s.bias", key);
  if (status == CUSEQ_STATUS_OK && bias.data != NULL)
    status = fill_add(context->checkpoint, name, &bias, true);
  free(bias.data);
  return status;
}

static cuseq_status add_output(const struct parts_context *context) {
  const struct output_structure *output = &context->structure->output;
  for (int i = 0; i < output->count; i++)
    for (int l = 0; l < output->heads[i].layers.count; l++) {
      const struct head *head = &output->heads[i];
      const struct dense *dense = &head->layers.layers[l];
      char key[NAMES_KEY_CAPACITY];
      if (output->count == 1)
        snprintf(key, sizeof key, "output.layers.%d", l);
      else
        snprintf(key, sizeof key, "output.heads.%d.layers.%d", i, l);
      if (head->is_tied && l + 1 == head->layers.count)
        TRY(add_tied(context, dense, key));
      else
        TRY(add_dense(context, dense,
                      l == 0 ? "the width of what the head is over" : "as the layer before gives", key));
    }
  return CUSEQ_STATUS_OK;
}

cuseq_status parts_add(struct checkpoint *checkpoint, const struct sources *sources,
                       const struct structure *structure) {
  const struct parts_context context = {checkpoint, sources, structure};
  TRY(add_input(&context));
  for (int l = 0; l < structure->encoder.count; l++)
    TRY(add_encoder_layer(&context, l));
  if (structure->attention.present) {
    const struct attention_source from = {"the width of the annotations", "the width of what asks",
                                          structure->encoder.width};
    TRY(parts_add_attention(checkpoint, sources, &structure->attention, &from, "attention"));
  }
  TRY(add_decoder(&context));
  return add_output(&context);
}
