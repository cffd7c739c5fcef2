/* The input of a model of version 2: what it is, and what a caller makes it of. */
#include "convert/recognise/emit.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

cuseq_status emit_table(struct emitter *emitter, int32_t matrix, int32_t rows, const char *name) {
  const struct matrix *from = &emitter->expressions->matrices[matrix];
  float *data;
  TRY(emit_tensor(emitter, rows, from->columns, &data, "%s", name));
  memcpy(data, from->data, (size_t)rows * (size_t)from->columns * sizeof *data);
  return CUSEQ_STATUS_OK;
}

static cuseq_status set_lookups(struct emitter *emitter, json_t *json) {
  json_t *list = json_array(), *item;
  TRY(emit_set_number(json, "features", emitter->lookups->columns));
  TRY(emit_set(json, "lookups", list));
  for (int32_t i = 0; i < emitter->lookups->count; i++) {
    const struct graph_lookup *lookup = &emitter->lookups->list[i];
    const struct matrix *table = &emitter->expressions->matrices[lookup->matrix];
    char name[64];
    TRY(emit_item(list, &item));
    TRY(emit_set_number(item, "column", lookup->column));
    if (lookup->columns > 1)
      TRY(emit_set_number(item, "columns", lookup->columns));
    TRY(emit_set_number(item, "ids", table->rows));
    TRY(emit_set_number(item, "units", table->columns));
    snprintf(name, sizeof name, "input.lookups.%d.embedding", (int)i);
    TRY(emit_table(emitter, lookup->matrix, table->rows, name));
  }
  return CUSEQ_STATUS_OK;
}

/* What lies side by side in the input; not said where several positions are read as one. */
static cuseq_status set_input_parts(const struct emitter *emitter, json_t *json, int32_t features) {
  int32_t columns = 0;
  json_t *list, *item;
  for (int32_t i = 0; i < emitter->parts->count; i++)
    columns += emitter->parts->list[i].columns;
  if (columns != features)
    return CUSEQ_STATUS_OK;
  list = json_array();
  TRY(emit_set(json, "parts", list));
  for (int32_t i = 0; i < emitter->parts->count; i++) {
    const struct graph_part *part = &emitter->parts->list[i];
    TRY(emit_item(list, &item));
    TRY(emit_set(item, "name", json_string(part->name)));
    TRY(emit_set_number(item, "columns", part->columns));
    if (part->behind > 0)
      TRY(emit_set_number(item, "behind", part->behind));
    if (part->repeated)
      TRY(emit_set(item, "repeated", json_true()));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status emit_input(struct emitter *emitter) {
  const struct found_encoder *encoder = &emitter->model->encoder;
  json_t *json;
  TRY(emit_object(emitter->json, "input", &json));
  if (emitter->parts != NULL)
    TRY(set_input_parts(
        emitter, json, emitter->lookups != NULL ? emitter->lookups->columns : encoder->layers[0].front.rows));
  if (emitter->lookups != NULL)
    return set_lookups(emitter, json);
  if (encoder->embedding < 0)
    return emit_set_number(json, "features", encoder->layers[0].front.rows);
  const struct matrix *table = &emitter->expressions->matrices[encoder->embedding];
  TRY(emit_set_number(json, "features", table->rows));
  TRY(emit_set_number(json, "embedding", table->columns));
  return emit_table(emitter, encoder->embedding, table->rows, "input.embedding");
}
