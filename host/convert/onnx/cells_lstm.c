/* nn.LSTMCell and its like: o tanh(f c + i g), made of products, sums, sigmoids and tanhs. */
#include "convert/onnx/cells.h"
#include "convert/onnx/gate.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

static struct expression at(const struct evaluator *evaluator, int32_t expression) {
  return *expression_at(evaluator->expressions, expression);
}

/* ---- sources -------------------------------------------------------------------------------------- */

/* Whether h is the hidden state that came with the cell state c. */
static bool is_partner(const struct expression *h, const struct expression *c) {
  return h->op == EXPRESSION_CELL && c->op == EXPRESSION_CELL && h->part == CELL_H && c->part == CELL_C &&
         h->index == c->index && h->child_count == c->child_count &&
         memcmp(h->children, c->children, (size_t)h->child_count * sizeof *h->children) == 0;
}

/* How well an expression would do as a hidden state before the step. It decides between two readings of the
 * same sum, both of which compute the same: only one of them goes on from step to step. */
static int likeness(const struct evaluator *evaluator, int32_t source, int32_t c, int32_t units) {
  struct expression h = at(evaluator, source), before = c >= 0 ? at(evaluator, c) : h;
  if (h.width != units)
    return -1;
  if (c >= 0 && is_partner(&h, &before))
    return 5;
  if (h.op == EXPRESSION_INPUT || h.op == EXPRESSION_ZEROS)
    return 4;
  if (h.op == EXPRESSION_FINAL)
    return 3;
  if (h.op == EXPRESSION_CELL)
    return 2;
  return h.op == EXPRESSION_EMBEDDING || h.op == EXPRESSION_CONCAT || h.op == EXPRESSION_CONTEXT ? 0 : 1;
}

/* Puts the hidden state second. */
static bool order_sources(const struct evaluator *evaluator, struct sources *sources, int32_t c,
                          int32_t units) {
  if (sources->count != 2)
    return false;
  int first = likeness(evaluator, sources->list[0], c, units),
      second = likeness(evaluator, sources->list[1], c, units);
  if (first > second) {
    int32_t swap = sources->list[0];
    sources->list[0] = sources->list[1];
    sources->list[1] = swap;
  }
  return first >= 0 || second >= 0;
}

/* A single source may be input and state side by side: takes it apart where it ends, or begins, in a
 * state. */
struct joined {
  int32_t input, state;
  int32_t input_row, state_row; /* where their rows begin in the joined vector's */
};

static cuseq_status take_apart(struct evaluator *evaluator, const struct node_call *call, int32_t source,
                               int32_t c, int32_t units, struct joined *joined, bool *fits) {
  struct expression e = at(evaluator, source), rest = e;
  *fits = e.op == EXPRESSION_CONCAT && e.child_count >= 2;
  if (!*fits)
    return CUSEQ_STATUS_OK;
  int32_t last = e.children[e.child_count - 1], first = e.children[0];
  bool behind = likeness(evaluator, last, c, units) >= likeness(evaluator, first, c, units);
  joined->state = behind ? last : first;
  *fits = likeness(evaluator, joined->state, c, units) >= 0;
  if (!*fits)
    return CUSEQ_STATUS_OK;
  rest.child_count--;
  rest.children = behind ? e.children : e.children + 1;
  rest.node = call->kept;
  joined->input_row = behind ? 0 : units;
  joined->state_row = behind ? e.width - units : 0;
  return expression_make(evaluator->expressions, &rest, &joined->input);
}

/* Kernels of both sources, or of the two parts of one. children[0] and [1] receive input and state. */
static cuseq_status make_kernels(struct evaluator *evaluator, const struct node_call *call,
                                 const struct gate *gates, int32_t count, struct sources *sources, int32_t c,
                                 struct recurrent_cell *cell, int32_t *children, bool *found) {
  struct joined joined;
  int32_t units = cell->units, whole = sources->list[0];
  if (sources->count == 1) {
    TRY(take_apart(evaluator, call, whole, c, units, &joined, found));
    if (!*found)
      return CUSEQ_STATUS_OK;
    children[0] = joined.input;
    children[1] = joined.state;
    TRY(gate_make_kernel(evaluator, call, gates, count, whole, joined.input_row,
                         at(evaluator, joined.input).width, units, &cell->kernel));
    return gate_make_kernel(evaluator, call, gates, count, whole, joined.state_row, units, units,
                            &cell->recurrent_kernel);
  }
  *found = order_sources(evaluator, sources, c, units);
  if (!*found)
    return CUSEQ_STATUS_OK;
  children[0] = sources->list[0];
  children[1] = sources->list[1];
  TRY(gate_make_kernel(evaluator, call, gates, count, children[0], 0, at(evaluator, children[0]).width, units,
                       &cell->kernel));
  return gate_make_kernel(evaluator, call, gates, count, children[1], 0, units, units,
                          &cell->recurrent_kernel);
}

/* ---- the cell ------------------------------------------------------------------------------------- */

/* f c + i g. */
struct lstm_parts {
  int32_t f, c, i, g;
};

/* candidate  which of the two terms is taken as i g: both may look like it, where c is a dense map with the
 * same
 *            activation before the first step */
static bool lstm_parts(const struct evaluator *evaluator, int32_t state, cuseq_activation activation,
                       int candidate, struct lstm_parts *parts) {
  struct expression e = at(evaluator, state);
  int32_t sigmoids[2], others[2];
  struct gate gate;
  if (e.op != EXPRESSION_ADD || e.child_count != 2)
    return false;
  for (int k = 0; k < 2; k++)
    if (!gate_times(evaluator, e.children[k], &sigmoids[k], &others[k]))
      return false;
  if (!gate_read(evaluator, others[candidate], &gate) || gate.activation != activation)
    return false;
  *parts = (struct lstm_parts){sigmoids[1 - candidate], cells_state(evaluator, others[1 - candidate]),
                               sigmoids[candidate], others[candidate]};
  return true;
}

static cuseq_status lstm_cell(struct evaluator *evaluator, const struct node_call *call,
                              const struct lstm_parts *parts, int32_t o, int32_t *expression, bool *found) {
  struct gate gates[4];
  const int32_t list[4] = {parts->i, parts->f, parts->g, o};
  const struct linear *linears[4];
  struct sources sources = {.count = 0};
  struct recurrent_cell cell = {.kind = CELL_LSTM, .units = at(evaluator, o).width, .recurrent_bias = -1};
  int32_t children[3] = {-1, -1, parts->c};
  for (int k = 0; k < 4; k++) {
    *found = gate_read(evaluator, list[k], &gates[k]) && gates[k].linear.width == cell.units &&
             gate_add_sources(&gates[k].linear, &sources);
    if (!*found)
      return CUSEQ_STATUS_OK;
    linears[k] = &gates[k].linear;
  }
  cell.activation = gates[2].activation;
  cell.recurrent_activation = gates[0].activation;
  *found = gates[1].activation == cell.recurrent_activation &&
           gates[3].activation == cell.recurrent_activation && sources.count > 0 &&
           at(evaluator, parts->c).width == cell.units;
  if (!*found)
    return CUSEQ_STATUS_OK;
  TRY(make_kernels(evaluator, call, gates, 4, &sources, parts->c, &cell, children, found));
  if (!*found)
    return CUSEQ_STATUS_OK;
  TRY(gate_make_bias(evaluator, call, linears, 4, cell.units, &cell.bias));
  return gate_enter_cell(evaluator, call, &cell, children, CELL_H, expression);
}

int32_t cells_state(const struct evaluator *evaluator, int32_t expression) {
  const struct shared *shared = evaluator->shared;
  for (int32_t i = shared->state_count - 1; i >= 0; i--)
    if (shared->states[2 * i] == expression)
      return shared->states[2 * i + 1];
  return expression;
}

/* Keeps that a sum is the cell state beside a cell's hidden state. */
static cuseq_status remember_state(struct evaluator *evaluator, int32_t sum, int32_t hidden) {
  struct shared *shared = evaluator->shared;
  struct expression made = at(evaluator, hidden);
  if (shared->state_count == shared->state_capacity) {
    int32_t capacity = shared->state_capacity * 2 + 16;
    int32_t *list = realloc(shared->states, 2 * (size_t)capacity * sizeof *list);
    if (list == NULL)
      return error_out_of_memory();
    shared->states = list;
    shared->state_capacity = capacity;
  }
  made.part = CELL_C;
  shared->states[2 * shared->state_count] = sum;
  TRY(expression_make(evaluator->expressions, &made, &shared->states[2 * shared->state_count + 1]));
  shared->state_count++;
  return CUSEQ_STATUS_OK;
}

cuseq_status cells_of_product(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                              int32_t *expression, bool *found) {
  int32_t state;
  struct lstm_parts parts;
  *found = false;
  for (int k = 0; k < 4 && !*found; k++) {
    int32_t o = k % 2 == 0 ? a : b, squashed = k % 2 == 0 ? b : a;
    if (!gate_is_sigmoid(evaluator, o) || !gate_is_activation(evaluator, squashed, &state) ||
        !lstm_parts(evaluator, state, (cuseq_activation)at(evaluator, squashed).part, k / 2, &parts))
      continue;
    TRY(lstm_cell(evaluator, call, &parts, o, expression, found));
    if (*found)
      TRY(remember_state(evaluator, state, *expression));
  }
  return CUSEQ_STATUS_OK;
}
