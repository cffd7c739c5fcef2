/* Starts and ends of launches and blocks, for the checks. */
#include "order.h"
#include "cluster_order.h"

bool emu_order_launch_start(struct emu_launch *l) {
  const struct emu_operation *operation = &l->parameters.operation;
  struct emu_dim3 grid = l->parameters.grid;
  if (l->checks) {
    l->settled_context = emu_contexts_settled(operation);
    l->first_context = emu_contexts_open(operation, l->kernel->readable_name, l->block_total + 1, &grid);
    if (l->settled_context > l->first_context) /* the numbers have started again */
      l->settled_context = l->first_context;
  }
  return emu_global_order_start(l);
}

void emu_order_launch_end(struct emu_launch *l) {
  emu_global_order_end(l);
}

bool emu_order_block_start(struct emu_block *b) {
  struct emu_cluster *c = b->cluster;
  if (b->launch->checks && c->count > 1 && !c->order && !(c->order = emu_cluster_order_make(c)))
    return false;
  return emu_global_block_start(b) && emu_shared_block_start(b);
}

void emu_order_block_ended(struct emu_block *b) {
  if (b->races && b->races->foreign && b->launch->checks)
    emu_foreign_end(b);
}

void emu_order_cluster_end(struct emu_cluster *c) {
  emu_cluster_order_free(c->order);
  c->order = NULL;
}

void emu_order_block_end(struct emu_block *b) {
  emu_global_block_end(b);
}

void emu_order_block_free(struct emu_block *b) {
  emu_shared_block_free(b);
}
