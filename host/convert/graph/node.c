#include "convert/graph/node.h"
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

cuseq_status node_refuse(const struct graph_node *node, const char *format, ...) {
  char reason[768];
  va_list list;
  va_start(list, format);
  vsnprintf(reason, sizeof reason, format, list);
  va_end(list);
  return error_set(CUSEQ_STATUS_INVALID_MODEL, "%s '%.120s' (%.60s): %s",
                   node->word != NULL ? node->word : "layer", node->name, node->class_name, reason);
}

cuseq_status node_copy(struct arena *arena, const struct graph_node *node, struct graph_node **copy) {
  *copy = arena_allocate(arena, sizeof **copy);
  if (*copy == NULL)
    return error_out_of_memory();
  **copy = *node;
  return CUSEQ_STATUS_OK;
}
