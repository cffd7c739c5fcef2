/* Dense layers that are no chain: several beside one another, or one that is added to what it reads. A head's
 * layers lie one after the other, each with one activation, so what a later layer reads besides goes along
 * through the layers between: relu(x) - relu(-x) is x, exactly, and numbers that are not negative go through
 * relu, elu and leaky_relu as they are. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 16, MOST_SEEN = 256 };

/* ---- what it is made of --------------------------------------------------------------------------- */

static bool is_open(const struct recogniser *recogniser, const struct bases *stops, int32_t expression) {
  const struct expression *e = expression_at(recogniser->expressions, expression);
  return (e->op == EXPRESSION_ACTIVATION || e->op == EXPRESSION_NORM) && !e->atom &&
         !bases_have(stops, expression);
}

cuseq_status network_leaves(const struct recogniser *recogniser, int32_t expression,
                            const struct bases *stops, struct bases *leaves) {
  int32_t open[MOST_SEEN], count = 0;
  struct bases some;
  TRY(chain_leaves(recogniser, expression, stops, &some));
  leaves->count = 0;
  for (int32_t next = -1; next < count; next++) {
    if (next >= 0)
      TRY(affine_leaves(recogniser->expressions,
                        expression_at(recogniser->expressions, open[next])->children[0], stops, some.list,
                        AFFINE_MAX_BASES, &some.count));
    for (int32_t i = 0; i < some.count; i++) {
      const struct graph_node *node = expression_at(recogniser->expressions, some.list[i])->node;
      bool seen = false;
      for (int32_t k = 0; k < count; k++)
        seen = seen || open[k] == some.list[i];
      if (seen)
        continue;
      if (!is_open(recogniser, stops, some.list[i])) {
        if (!bases_add(leaves, some.list[i]))
          return node_refuse(node, "it comes together with other tensors, of which cuseq can express %d here",
                             AFFINE_MAX_BASES);
        continue;
      }
      if (count >= MOST_SEEN)
        return node_refuse(node, "a head is made of too many layers");
      open[count++] = some.list[i];
    }
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the layers ----------------------------------------------------------------------------------- */

/* An activation, or a normalisation, over a map of bases and of other nodes. */
struct node {
  int32_t expression;
  struct bases reads;
  bool made;
};

/* What a level does: it takes all nodes of an activation, or it normalises what one node does, beside which
 * everything goes as it is. */
struct kind {
  cuseq_activation activation;
  const struct node *norm; /* NULL: none */
};

/* What a level's output has: an expression, as it is or as its positive part and then its negative one. */
struct item {
  int32_t expression;
  bool split, positive;
  int32_t at, width;
};

struct network {
  const struct recogniser *recogniser;
  const char *subject;
  struct node nodes[MOST_NODES];
  int32_t node_count;
  struct bases root_reads;
  struct item items[AFFINE_MAX_BASES];
  int32_t item_count;
  int32_t width;
  int32_t most;
  struct chain *chain;
  cuseq_status failed;
};

/* Any refusal will do: the chain's is what is told. */
static cuseq_status give_up(const struct network *network, int32_t expression) {
  return node_refuse(expression_at(network->recogniser->expressions, expression)->node,
                     "cuseq cannot express what it does to %s", network->subject);
}

static cuseq_status find_nodes(struct network *network, const struct bases *reads,
                               const struct bases *bases) {
  const struct expressions *expressions = network->recogniser->expressions;
  for (int32_t i = 0; i < reads->count; i++) {
    bool known = !is_open(network->recogniser, bases, reads->list[i]);
    for (int32_t k = 0; k < network->node_count; k++)
      known = known || network->nodes[k].expression == reads->list[i];
    if (known)
      continue;
    if (network->node_count >= MOST_NODES)
      return give_up(network, reads->list[i]);
    struct node *node = &network->nodes[network->node_count++];
    *node = (struct node){.expression = reads->list[i]};
    TRY(affine_leaves(expressions, expression_at(expressions, node->expression)->children[0], bases,
                      node->reads.list, AFFINE_MAX_BASES, &node->reads.count));
    TRY(find_nodes(network, &node->reads, bases));
  }
  return CUSEQ_STATUS_OK;
}

static const struct item *item_of(const struct network *network, int32_t expression) {
  for (int32_t i = 0; i < network->item_count; i++)
    if (network->items[i].expression == expression)
      return &network->items[i];
  return NULL;
}

static bool is_ready(const struct network *network, const struct node *node) {
  bool ready = !node->made;
  for (int32_t i = 0; i < node->reads.count; i++)
    ready = ready && item_of(network, node->reads.list[i]) != NULL;
  return ready;
}

static struct kind kind_of(const struct network *network, const struct node *node) {
  const struct expression *e = expression_at(network->recogniser->expressions, node->expression);
  return e->op == EXPRESSION_NORM ? (struct kind){CUSEQ_ACTIVATION_LINEAR, node}
                                  : (struct kind){(cuseq_activation)e->part, NULL};
}

/* Whether a node is what a level of this kind makes. */
static bool is_of_level(const struct network *network, const struct node *node, struct kind kind) {
  const struct kind own = kind_of(network, node);
  return is_ready(network, node) && own.norm == kind.norm && own.activation == kind.activation;
}

/* Whether an item is read behind the level that makes these nodes. */
static bool is_needed(const struct network *network, int32_t expression, struct kind kind) {
  bool needed = bases_have(&network->root_reads, expression);
  for (int32_t k = 0; k < network->node_count; k++) {
    const struct node *node = &network->nodes[k];
    needed =
        needed || (!node->made && !is_of_level(network, node, kind) && bases_have(&node->reads, expression));
  }
  return needed;
}

static bool is_identity_above_zero(cuseq_activation activation) {
  return activation == CUSEQ_ACTIVATION_RELU || activation == CUSEQ_ACTIVATION_ELU ||
         activation == CUSEQ_ACTIVATION_LEAKY_RELU || activation == CUSEQ_ACTIVATION_LEAKY_RELU_02 ||
         activation == CUSEQ_ACTIVATION_LEAKY_RELU_03;
}

static bool can_pass(const struct network *network, struct kind kind) {
  for (int32_t i = 0; i < network->item_count && kind.norm == NULL; i++) {
    const struct item *item = &network->items[i];
    if (!is_needed(network, item->expression, kind) || kind.activation == CUSEQ_ACTIVATION_RELU)
      continue;
    if (!is_identity_above_zero(kind.activation) || !(item->positive || item->split))
      return false;
  }
  return true;
}

/* A map of the items as one of what the level below gives, put into columns from `at` on, times `sign`. */
static void put_map(const struct network *network, const struct affine *map, int32_t at, double sign,
                    struct affine *level) {
  int32_t row = 0;
  for (int32_t i = 0; i < network->item_count; i++)
    for (int32_t half = 0; half <= network->items[i].split; half++) {
      const struct item *item = &network->items[i];
      for (int32_t r = 0; r < item->width; r++)
        for (int32_t c = 0; c < map->columns; c++)
          level->matrix[(size_t)(item->at + half * item->width + r) * (size_t)level->columns +
                        (size_t)(at + c)] =
              (half == 0 ? sign : -sign) * map->matrix[(size_t)(row + r) * (size_t)map->columns + (size_t)c];
      row += half == item->split ? item->width : 0;
    }
  for (int32_t c = 0; c < map->columns; c++)
    level->bias[at + c] = sign * map->bias[c];
}

/* An expression as a map of the items. */
static cuseq_status map_of(const struct network *network, int32_t expression, struct affine *map) {
  struct bases bases = {.count = network->item_count};
  for (int32_t i = 0; i < network->item_count; i++)
    bases.list[i] = network->items[i].expression;
  return affine_make(network->recogniser->expressions, expression, &bases, network->subject, map);
}

/* A new level; NULL where there is none, for the reason that is kept. */
static struct level *begin_level(struct network *network, int32_t columns, cuseq_activation activation,
                                 int32_t expression) {
  struct level *level = &network->chain->levels[network->chain->count];
  const size_t elements = (size_t)network->width * (size_t)columns;
  if (network->chain->count >= network->most) {
    network->failed = give_up(network, expression);
    return NULL;
  }
  network->chain->count++;
  *level = (struct level){.map = {.rows = network->width, .columns = columns}, .activation = activation};
  level->map.matrix = calloc(elements + 1, sizeof *level->map.matrix);
  level->map.bias = calloc((size_t)columns + 1, sizeof *level->map.bias);
  if (level->map.matrix != NULL && level->map.bias != NULL)
    return level;
  network->failed = error_out_of_memory();
  return NULL;
}

/* An expression's own columns. */
static cuseq_status put_expression(const struct network *network, int32_t expression, int32_t at, double sign,
                                   struct level *level) {
  struct affine map;
  TRY(map_of(network, expression, &map));
  put_map(network, &map, at, sign, &level->map);
  affine_free(&map);
  return CUSEQ_STATUS_OK;
}

/* An item that goes on through a level: what is not known to be positive is split, what is split stays so. */
static cuseq_status pass(const struct network *network, const struct item *from, struct item *to,
                         struct level *level) {
  const size_t columns = (size_t)level->map.columns;
  if (!from->split) {
    TRY(put_expression(network, from->expression, to->at, 1, level));
    return to->split ? put_expression(network, from->expression, to->at + to->width, -1, level)
                     : CUSEQ_STATUS_OK;
  }
  for (int32_t k = 0; k < 2 * from->width; k++)
    level->map.matrix[(size_t)(from->at + k) * columns + (size_t)(to->at + k)] = 1;
  return CUSEQ_STATUS_OK;
}

/* One level: all nodes of its kind that are ready, and what is read behind them.
 *   next  receives the items that it gives */
static cuseq_status list_level(const struct network *network, struct kind kind, struct item *next,
                               int32_t *count, int32_t *width) {
  const struct expressions *expressions = network->recogniser->expressions;
  *count = *width = 0;
  for (int32_t k = 0; k < network->node_count; k++) {
    const struct node *node = &network->nodes[k];
    if (!is_of_level(network, node, kind))
      continue;
    if (*count >= AFFINE_MAX_BASES)
      return give_up(network, node->expression);
    struct item item = {.expression = node->expression,
                        .positive = kind.activation == CUSEQ_ACTIVATION_RELU ||
                                    kind.activation == CUSEQ_ACTIVATION_SIGMOID,
                        .at = *width,
                        .width = expression_at(expressions, node->expression)->width};
    next[(*count)++] = item;
    *width += item.width;
  }
  for (int32_t i = 0; i < network->item_count; i++) {
    struct item item = network->items[i];
    if (!is_needed(network, item.expression, kind))
      continue;
    if (*count >= AFFINE_MAX_BASES)
      return give_up(network, item.expression);
    item.split = item.split || (kind.norm == NULL && !item.positive);
    item.at = *width;
    next[(*count)++] = item;
    *width += (1 + item.split) * item.width;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status make_level(struct network *network, struct kind kind) {
  const struct expressions *expressions = network->recogniser->expressions;
  struct item next[AFFINE_MAX_BASES] = {{0}};
  int32_t count = 0, width = 0;
  TRY(list_level(network, kind, next, &count, &width));
  struct level *level = begin_level(network, width, kind.activation, next[0].expression);
  if (level == NULL)
    return network->failed;
  if (kind.norm != NULL) { /* what it normalises lies first */
    int32_t normalised = kind.norm->expression;
    const struct bases none = {.count = 0};
    chain_norm(network->recogniser, &none, &normalised, &level->norm);
  }
  for (int32_t i = 0; i < count; i++) {
    const struct item *from = item_of(network, next[i].expression);
    TRY(from != NULL ? pass(network, from, &next[i], level)
                     : put_expression(network, expression_at(expressions, next[i].expression)->children[0],
                                      next[i].at, 1, level));
  }
  for (int32_t k = 0; k < network->node_count; k++)
    for (int32_t i = 0; i < count; i++)
      network->nodes[k].made = network->nodes[k].made || network->nodes[k].expression == next[i].expression;
  memcpy(network->items, next, (size_t)count * sizeof *next);
  network->item_count = count;
  network->width = width;
  return CUSEQ_STATUS_OK;
}

/* The next level: one through which everything goes that is read behind it; or one that splits, so that it
 * does. */
static cuseq_status make_next(struct network *network, bool *more) {
  *more = false;
  for (int32_t k = 0; k < network->node_count; k++) {
    const struct node *node = &network->nodes[k];
    *more = *more || !node->made;
    if (is_ready(network, node) && can_pass(network, kind_of(network, node)))
      return make_level(network, kind_of(network, node));
  }
  for (int32_t k = 0; k < network->node_count; k++)
    if (is_ready(network, &network->nodes[k]) &&
        is_identity_above_zero(kind_of(network, &network->nodes[k]).activation))
      return make_level(network, (struct kind){CUSEQ_ACTIVATION_RELU, NULL});
  return *more ? give_up(network, network->nodes[0].expression) : CUSEQ_STATUS_OK;
}

static cuseq_status make_levels(struct network *network, int32_t root, cuseq_activation activation,
                                const struct bases *bases) {
  const struct expressions *expressions = network->recogniser->expressions;
  TRY(affine_leaves(expressions, root, bases, network->root_reads.list, AFFINE_MAX_BASES,
                    &network->root_reads.count));
  TRY(find_nodes(network, &network->root_reads, bases));
  for (int32_t i = 0; i < bases->count; i++) {
    struct item *item = &network->items[network->item_count++];
    *item = (struct item){.expression = bases->list[i],
                          .at = network->width,
                          .width = expression_at(expressions, bases->list[i])->width};
    network->width += item->width;
  }
  for (bool more = true; more;)
    TRY(make_next(network, &more));
  struct level *level = begin_level(network, expression_at(expressions, root)->width, activation, root);
  if (level == NULL)
    return network->failed;
  return put_expression(network, root, 0, 1, level);
}

cuseq_status network_read(const struct recogniser *recogniser, int32_t expression, const struct bases *bases,
                          const char *subject, int32_t most, struct chain *chain) {
  char reason[1024];
  cuseq_status status = chain_read(recogniser, expression, bases, subject, most, true, true, chain);
  if (status != CUSEQ_STATUS_INVALID_MODEL)
    return status;
  snprintf(reason, sizeof reason, "%s", error_text());
  struct network network = {.recogniser = recogniser, .subject = subject, .most = most, .chain = chain};
  cuseq_activation activation = chain_activation(recogniser, bases, &expression);
  chain->count = 0;
  cuseq_status again = make_levels(&network, expression, activation, bases);
  if (again == CUSEQ_STATUS_OK)
    return again;
  chain_free(chain);
  return again == CUSEQ_STATUS_OUT_OF_MEMORY ? again : error_set(status, "%s", reason);
}
