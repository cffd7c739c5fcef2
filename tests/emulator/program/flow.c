/* Where the lanes that a branch splits meet again: the branch's immediate post-dominator, over basic
 * blocks, by the iterative algorithm of Cooper, Harvey and Kennedy on the reversed graph. */
#include "build.h"

#include <stdlib.h>
#include <string.h>

struct graph {
  struct emu_program *program;
  uint32_t first, count;       /* instructions of the function */
  uint32_t *block_of;          /* by instruction - first */
  uint32_t *start;             /* first instruction of each block, relative */
  uint32_t blocks;             /* the virtual exit is block number `blocks` */
  uint32_t *edge_start, *edge; /* predecessors, over all blocks and the exit */
  uint32_t *order; /* by block: number in postorder of the reversed graph; the exit has the highest */
  uint32_t *by_order;
  uint32_t *dominator;
};

static uint32_t flow_of(const struct emu_instruction *in) {
  return in->option[EMU_OPTION_FLOW];
}

/* Calls `edge` with every successor of a block's last instruction; `blocks` stands for the exit. */
static uint32_t successors(const struct graph *g, uint32_t block, uint32_t *out, uint32_t most) {
  uint32_t end = block + 1 < g->blocks ? g->start[block + 1] : g->count;
  const struct emu_instruction *in = &g->program->code[g->first + end - 1];
  uint32_t n = 0;
  uint32_t flow = flow_of(in);
  if (flow == EMU_FLOW_BRANCH && n < most)
    out[n++] = g->block_of[in->operand[0].target - g->first];
  if (flow == EMU_FLOW_TABLE) {
    const struct emu_branch_targets *t = in->extra;
    for (uint32_t i = 0; i < t->count && n < most; i++)
      out[n++] = g->block_of[t->target[i] - g->first];
  }
  bool falls = flow == EMU_FLOW_NEXT || in->guard != EMU_NO_GUARD;
  if (falls && n < most)
    out[n++] = end < g->count ? g->block_of[end] : g->blocks;
  if (flow == EMU_FLOW_END && n < most)
    out[n++] = g->blocks;
  return n;
}

static void find_blocks(struct graph *g, unsigned char *leads) {
  leads[0] = 1;
  for (uint32_t i = 0; i < g->count; i++) {
    const struct emu_instruction *in = &g->program->code[g->first + i];
    uint32_t flow = flow_of(in);
    if (flow == EMU_FLOW_BRANCH)
      leads[in->operand[0].target - g->first] = 1;
    if (flow == EMU_FLOW_TABLE) {
      const struct emu_branch_targets *t = in->extra;
      for (uint32_t k = 0; k < t->count; k++)
        leads[t->target[k] - g->first] = 1;
    }
    if ((flow == EMU_FLOW_BRANCH || flow == EMU_FLOW_TABLE || flow == EMU_FLOW_END) && i + 1 < g->count)
      leads[i + 1] = 1;
  }
  for (uint32_t i = 0; i < g->count; i++) {
    if (leads[i])
      g->start[g->blocks++] = i;
    g->block_of[i] = g->blocks - 1;
  }
}

static bool find_predecessors(struct graph *g, uint32_t *scratch, uint32_t most) {
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t b = 0; b < g->blocks; b++) {
      uint32_t n = successors(g, b, scratch, most);
      for (uint32_t i = 0; i < n; i++) {
        if (pass == 0)
          g->edge_start[scratch[i] + 1]++;
        else
          g->edge[g->edge_start[scratch[i]]++] = b;
      }
    }
    if (pass == 0) {
      for (uint32_t b = 0; b <= g->blocks; b++)
        g->edge_start[b + 1] += g->edge_start[b];
      g->edge = malloc((g->edge_start[g->blocks + 1] + 1) * sizeof *g->edge);
      if (!g->edge)
        return false;
    }
  }
  for (uint32_t b = g->blocks + 1; b > 0; b--) /* the second pass moved each start to its end */
    g->edge_start[b] = g->edge_start[b - 1];
  g->edge_start[0] = 0;
  return true;
}

/* Postorder numbers from the exit backwards, without recursion. Blocks that cannot reach the exit keep
 * EMU_NO_TARGET. */
static uint32_t number_blocks(struct graph *g, uint32_t *stack, uint32_t *position) {
  uint32_t depth = 0, next = 0;
  for (uint32_t b = 0; b <= g->blocks; b++)
    g->order[b] = EMU_NO_TARGET;
  unsigned char *seen = calloc(g->blocks + 1, 1);
  if (!seen)
    return 0;
  stack[depth] = g->blocks;
  position[depth++] = g->edge_start[g->blocks];
  seen[g->blocks] = 1;
  while (depth) {
    uint32_t b = stack[depth - 1];
    if (position[depth - 1] < g->edge_start[b + 1]) {
      uint32_t to = g->edge[position[depth - 1]++];
      if (!seen[to]) {
        seen[to] = 1;
        stack[depth] = to;
        position[depth++] = g->edge_start[to];
      }
    } else {
      g->by_order[next] = b;
      g->order[b] = next++;
      depth--;
    }
  }
  free(seen);
  return next;
}

static uint32_t intersect(const struct graph *g, uint32_t a, uint32_t b) {
  while (a != b) {
    while (g->order[a] < g->order[b])
      a = g->dominator[a];
    while (g->order[b] < g->order[a])
      b = g->dominator[b];
  }
  return a;
}

static void find_dominators(struct graph *g, uint32_t numbered, uint32_t *scratch, uint32_t most) {
  for (uint32_t b = 0; b <= g->blocks; b++)
    g->dominator[b] = EMU_NO_TARGET;
  g->dominator[g->blocks] = g->blocks;
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t i = numbered - 1; i-- > 0;) {
      uint32_t b = g->by_order[i], found = EMU_NO_TARGET;
      uint32_t n = successors(g, b, scratch, most);
      for (uint32_t k = 0; k < n; k++)
        if (g->order[scratch[k]] != EMU_NO_TARGET && g->dominator[scratch[k]] != EMU_NO_TARGET)
          found = found == EMU_NO_TARGET ? scratch[k] : intersect(g, found, scratch[k]);
      if (found != g->dominator[b]) {
        g->dominator[b] = found;
        changed = true;
      }
    }
  }
}

static void set_reconvergence(struct graph *g) {
  for (uint32_t i = 0; i < g->count; i++) {
    struct emu_instruction *in = &g->program->code[g->first + i];
    if (flow_of(in) != EMU_FLOW_BRANCH && flow_of(in) != EMU_FLOW_TABLE)
      continue;
    uint32_t d = g->dominator[g->block_of[i]];
    in->reconverge = d == EMU_NO_TARGET || d >= g->blocks ? EMU_NO_TARGET : g->first + g->start[d];
  }
}

bool emu_flow_reconvergence(struct emu_program *p, const struct emu_code_function *f) {
  struct graph g = {.program = p, .first = f->first, .count = f->count};
  uint32_t most = 2;
  for (uint32_t i = 0; i < f->count; i++)
    if (flow_of(&p->code[f->first + i]) == EMU_FLOW_TABLE) {
      uint32_t n = ((const struct emu_branch_targets *)p->code[f->first + i].extra)->count + 2;
      most = n > most ? n : most;
    }
  size_t n = f->count + 3;
  unsigned char *leads = calloc(n, 1);
  uint32_t *memory = calloc(9 * n + most, sizeof *memory);
  bool done = false;
  if (leads && memory) {
    uint32_t *scratch = memory + 9 * n;
    g.block_of = memory;
    g.start = memory + n;
    g.edge_start = memory + 2 * n;
    g.order = memory + 4 * n;
    g.by_order = memory + 5 * n;
    g.dominator = memory + 6 * n;
    find_blocks(&g, leads);
    if (find_predecessors(&g, scratch, most)) {
      uint32_t numbered = number_blocks(&g, memory + 7 * n, memory + 8 * n);
      if (numbered) {
        find_dominators(&g, numbered, scratch, most);
        set_reconvergence(&g);
        done = true;
      }
    }
  }
  free(g.edge);
  free(memory);
  free(leads);
  return done;
}
