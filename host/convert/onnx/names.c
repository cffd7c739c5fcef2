#include "convert/onnx/names.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 60000 };

static uint64_t hash_of(const char *text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *text != '\0'; text++)
    hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
  return hash ^ (hash >> 31);
}

static size_t slot_of(const struct names *names, const char *text) {
  size_t slot = hash_of(text) % names->table_size;
  while (names->table[slot] >= 0 && strcmp(names->list[names->table[slot]].text, text) != 0)
    slot = (slot + 1) % names->table_size;
  return slot;
}

struct name *name_find(const struct names *names, const char *text) {
  int32_t index = names->table_size > 0 ? names->table[slot_of(names, text)] : -1;
  return index >= 0 ? &names->list[index] : NULL;
}

static cuseq_status add(struct names *names, const struct name *made) {
  size_t slot = slot_of(names, made->text);
  struct name *old = names->table[slot] >= 0 ? &names->list[names->table[slot]] : NULL;
  if (old != NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "the graph is damaged (two tensors are called '%.120s')",
                     made->text);
  names->table[slot] = (int32_t)names->count;
  names->list[names->count++] = *made;
  return CUSEQ_STATUS_OK;
}

/* Of a graph and its branches, whose nesting is bounded by the file's reader. */
static size_t count_names(const OnnxFile__Graph *graph) {
  size_t count = graph->n_initializer + graph->n_input;
  for (size_t i = 0; i < graph->n_node; i++) {
    const OnnxFile__Node *node = graph->node[i];
    count += node->n_output;
    for (size_t a = 0; a < node->n_attribute; a++)
      if (node->attribute[a]->g != NULL)
        count += count_names(node->attribute[a]->g);
  }
  return count;
}

static cuseq_status add_initializers(struct names *names, const OnnxFile__Graph *graph) {
  for (size_t i = 0; i < graph->n_initializer; i++) {
    const OnnxFile__Tensor *tensor = graph->initializer[i];
    struct name made = {.text = tensor->name, .initializer = tensor};
    if (tensor->name == NULL || tensor->name[0] == '\0')
      return error_set(CUSEQ_STATUS_INVALID_FILE, "the graph is damaged (a weight has no name)");
    TRY(add(names, &made));
  }
  return CUSEQ_STATUS_OK;
}

/* Files of opset 8 and before list initializers among the inputs. */
static cuseq_status add_inputs(struct evaluator *evaluator, struct names *names) {
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  for (size_t i = 0; i < graph->n_input; i++) {
    const char *text = graph->input[i]->name;
    if (text == NULL || text[0] == '\0')
      return error_set(CUSEQ_STATUS_INVALID_FILE, "the graph is damaged (an input has no name)");
    const struct name *old = name_find(names, text);
    struct name made = {.text = text};
    if (old == NULL || old->initializer == NULL)
      TRY(add(names, &made));
  }
  return CUSEQ_STATUS_OK;
}

/* at  the place in the graph of the node that they belong to; -1: each has its own */
static cuseq_status add_nodes(struct names *names, const OnnxFile__Graph *graph, int32_t at) {
  for (size_t i = 0; i < graph->n_node; i++)
    for (size_t k = 0; k < graph->node[i]->n_output; k++) {
      struct name made = {
          .text = graph->node[i]->output[k], .maker = graph->node[i], .maker_at = at >= 0 ? at : (int32_t)i};
      if (made.text[0] != '\0')
        TRY(add(names, &made));
    }
  return CUSEQ_STATUS_OK;
}

/* Those of the branches, whose names are no others' either. Bodies of loops, which are refused, have names of
 * their own. */
static cuseq_status add_branches(struct names *names, const OnnxFile__Graph *graph, int32_t at) {
  for (size_t i = 0; i < graph->n_node; i++)
    for (size_t a = 0; a < graph->node[i]->n_attribute; a++) {
      const OnnxFile__Graph *branch = graph->node[i]->attribute[a]->g;
      int32_t owner = at >= 0 ? at : (int32_t)i;
      if (branch == NULL || operation_is_loop(graph->node[i]->op_type))
        continue;
      TRY(add_initializers(names, branch));
      TRY(add_nodes(names, branch, owner));
      TRY(add_branches(names, branch, owner));
    }
  return CUSEQ_STATUS_OK;
}

cuseq_status name_table_make(struct evaluator *evaluator, struct names *names) {
  const OnnxFile__Graph *graph = evaluator->file->model->graph;
  size_t count = count_names(graph);
  *names = (struct names){.capacity = count, .table_size = 2 * count + 16};
  if (count > MAX_NAMES)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "its graph is too large (%zu tensors)", count);
  names->list = calloc(count + 1, sizeof *names->list);
  names->table = malloc(names->table_size * sizeof *names->table);
  if (names->list == NULL || names->table == NULL)
    return error_out_of_memory();
  memset(names->table, 0xff, names->table_size * sizeof *names->table);
  TRY(add_initializers(names, graph));
  TRY(add_inputs(evaluator, names));
  TRY(add_nodes(names, graph, -1));
  return add_branches(names, graph, -1);
}

void name_table_free(struct names *names) {
  free(names->list);
  free(names->table);
  *names = (struct names){0};
}
