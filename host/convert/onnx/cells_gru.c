/* nn.GRUCell and its like: n + z (h - n), or (1 - z) n + z h, the reset before the recurrent product or
 * behind it. */
#include "convert/onnx/cells.h"
#include "convert/onnx/gate.h"
#include "convert/onnx/numbers.h"
#include "error.h"

#include <stdlib.h>

static struct expression at(const struct evaluator *evaluator, int32_t expression) {
  return *expression_at(evaluator->expressions, expression);
}

struct gru_parts {
  int32_t z, n, h; /* h -1: zeros */
};

static bool is_negative(const struct evaluator *evaluator, int32_t expression, int32_t of) {
  struct expression e = at(evaluator, expression);
  return e.op == EXPRESSION_SCALE && e.scalar == -1 && e.children[0] == of;
}

/* n + z (h - n). */
static bool gru_by_difference(const struct evaluator *evaluator, int32_t product, int32_t n,
                              struct gru_parts *parts) {
  int32_t difference;
  if (!gate_times(evaluator, product, &parts->z, &difference))
    return false;
  struct expression e = at(evaluator, difference);
  parts->n = n;
  parts->h = -1;
  if (is_negative(evaluator, difference, n))
    return true;
  if (e.op != EXPRESSION_ADD || e.child_count != 2)
    return false;
  bool second = is_negative(evaluator, e.children[1], n);
  parts->h = e.children[second ? 0 : 1];
  return second || is_negative(evaluator, e.children[0], n);
}

/* 1 - z. */
static bool is_complement(const struct evaluator *evaluator, int32_t expression, int32_t z) {
  struct expression e = at(evaluator, expression);
  if (e.op != EXPRESSION_AFFINE || e.matrix >= 0 || !is_negative(evaluator, e.children[0], z))
    return false;
  for (int32_t i = 0; i < e.width; i++)
    if (evaluator->expressions->matrices[e.bias].data[i] != 1)
      return false;
  return true;
}

/* (1 - z) n + z h. */
static bool gru_by_parts(const struct evaluator *evaluator, int32_t a, int32_t b, struct gru_parts *parts) {
  struct expression e = at(evaluator, a);
  if (!gate_times(evaluator, b, &parts->z, &parts->h) || e.op != EXPRESSION_PRODUCT || e.child_count != 2)
    return false;
  bool first = is_complement(evaluator, e.children[0], parts->z);
  parts->n = e.children[first ? 1 : 0];
  return first || is_complement(evaluator, e.children[1], parts->z);
}

/* The candidate: x part + r (h part), or a dense map of x and r h; *state receives h. */
struct candidate {
  bool after;
  struct gate reset;
  struct linear input, state;
  int32_t h;
};

static bool candidate_after(const struct evaluator *evaluator, int32_t sum, struct candidate *candidate) {
  struct expression e = at(evaluator, sum);
  int32_t reset, product;
  bool after = false;
  for (int32_t i = 0; e.op == EXPRESSION_ADD && e.child_count == 2 && i < 2 && !after; i++) {
    if (!gate_times(evaluator, e.children[i], &reset, &product))
      continue;
    after = linear_of(evaluator, product, &candidate->state) && candidate->state.term_count == 1 &&
            gate_read(evaluator, reset, &candidate->reset) &&
            linear_of(evaluator, e.children[1 - i], &candidate->input);
  }
  candidate->after = true;
  candidate->h = after ? candidate->state.terms[0].source : -1;
  return after;
}

static bool candidate_before(const struct evaluator *evaluator, int32_t sum, struct candidate *candidate) {
  struct linear all;
  int32_t reset, h;
  if (!linear_of(evaluator, sum, &all) || all.term_count > 2)
    return false;
  candidate->after = false;
  candidate->input = all;
  candidate->input.term_count = 0;
  candidate->state = (struct linear){.width = all.width};
  for (int32_t i = 0; i < all.term_count; i++) {
    if (gate_times(evaluator, all.terms[i].source, &reset, &h) &&
        gate_read(evaluator, reset, &candidate->reset)) {
      candidate->h = h;
      candidate->state.terms[candidate->state.term_count++] = all.terms[i];
    } else {
      candidate->input.terms[candidate->input.term_count++] = all.terms[i];
    }
  }
  for (int32_t i = 0; i < candidate->state.term_count; i++)
    candidate->state.terms[i].source = candidate->h;
  return candidate->state.term_count == 1;
}

static cuseq_status gru_cell(struct evaluator *evaluator, const struct node_call *call,
                             const struct gru_parts *parts, int32_t *expression, bool *found) {
  struct candidate candidate;
  struct gate gates[3];
  struct sources sources = {.count = 0};
  int32_t sum, children[2];
  struct recurrent_cell cell = {
      .kind = CELL_GRU, .units = at(evaluator, parts->z).width, .recurrent_bias = -1};
  *found = gate_is_activation(evaluator, parts->n, &sum) &&
           (candidate_after(evaluator, sum, &candidate) || candidate_before(evaluator, sum, &candidate)) &&
           gate_read(evaluator, parts->z, &gates[0]);
  if (!*found)
    return CUSEQ_STATUS_OK;
  gates[1] = candidate.reset;
  gates[2] = (struct gate){.linear = candidate.input};
  cell.reset_after = candidate.after;
  cell.activation = (cuseq_activation)at(evaluator, parts->n).part;
  cell.recurrent_activation = gates[0].activation;
  for (int k = 0; k < 3; k++)
    *found = *found && gates[k].linear.width == cell.units && gate_add_sources(&gates[k].linear, &sources);
  bool state = parts->h == candidate.h || (parts->h < 0 && at(evaluator, candidate.h).op == EXPRESSION_ZEROS);
  *found = *found && state && sources.count == 2 && gates[1].activation == cell.recurrent_activation &&
           (sources.list[0] == candidate.h || sources.list[1] == candidate.h) &&
           at(evaluator, candidate.h).width == cell.units;
  if (!*found)
    return CUSEQ_STATUS_OK;
  children[0] = sources.list[sources.list[0] == candidate.h ? 1 : 0];
  children[1] = candidate.h;
  for (int32_t i = 0; i < candidate.input.term_count; i++)
    *found = *found && candidate.input.terms[i].source == children[0];
  if (!*found)
    return CUSEQ_STATUS_OK;
  const struct linear *biases[3] = {&gates[0].linear, &gates[1].linear, &candidate.input};
  const struct linear *recurrent[3] = {NULL, NULL, &candidate.state};
  TRY(gate_make_kernel(evaluator, call, gates, 3, children[0], 0, at(evaluator, children[0]).width,
                       cell.units, &cell.kernel));
  gates[2].linear = candidate.state;
  TRY(gate_make_kernel(evaluator, call, gates, 3, children[1], 0, cell.units, cell.units,
                       &cell.recurrent_kernel));
  TRY(gate_make_bias(evaluator, call, biases, 3, cell.units, &cell.bias));
  if (candidate.after)
    TRY(gate_make_bias(evaluator, call, recurrent, 3, cell.units, &cell.recurrent_bias));
  if (cell.recurrent_bias >= 0 && cell.bias < 0) {
    float *zeros = calloc(3 * (size_t)cell.units, sizeof *zeros);
    if (zeros == NULL)
      return error_out_of_memory();
    TRY(matrix_enter(evaluator, call, 1, (int64_t)3 * cell.units, zeros, &cell.bias));
  }
  return gate_enter_cell(evaluator, call, &cell, children, CELL_H, expression);
}

cuseq_status cells_of_sum(struct evaluator *evaluator, const struct node_call *call, int32_t a, int32_t b,
                          int32_t *expression, bool *found) {
  struct gru_parts parts;
  *found = false;
  for (int k = 0; k < 2 && !*found; k++) {
    int32_t first = k == 0 ? a : b, second = k == 0 ? b : a;
    if (gru_by_difference(evaluator, first, second, &parts) || gru_by_parts(evaluator, first, second, &parts))
      TRY(gru_cell(evaluator, call, &parts, expression, found));
  }
  return CUSEQ_STATUS_OK;
}
