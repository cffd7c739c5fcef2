/* Products of two sequences, such as a gate's and what it lets through: an LSTM without recurrent weights
 * whose input gate is 1 and whose forget gate is 0, so that it gives its output gate's activation of one map
 * times another map. */
#include "convert/recognise/weave_parts.h"
#include "error.h"

/* Where an activation is 0 and where it is 1, so that it may be that of an LSTM's gates. A sigmoid is so near
 * to 0 at -128 that nothing is left of a cell state. */
struct gate {
  cuseq_activation activation;
  float zero, one;
};

static const struct gate gates[] = {
    {CUSEQ_ACTIVATION_SIGMOID, -128, 64},
    {CUSEQ_ACTIVATION_HARD_SIGMOID, -8, 8},
    {CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2, -8, 8},
    {CUSEQ_ACTIVATION_TANH, 0, 64},
    {CUSEQ_ACTIVATION_RELU, 0, 1},
    {CUSEQ_ACTIVATION_LINEAR, 0, 1},
};

static const struct gate *gate_of(const struct expression *e) {
  for (size_t i = 0; i < sizeof gates / sizeof *gates; i++)
    if (e->op == EXPRESSION_ACTIVATION && e->part == (int32_t)gates[i].activation)
      return &gates[i];
  return NULL;
}

bool weave_is_product(const struct weave *weave, const struct expression *e) {
  const uint32_t clock = (uint32_t)1 << weave->clock;
  return e->op == EXPRESSION_PRODUCT && e->child_count == 2 &&
         expression_at(weave->expressions, e->children[0])->clocks == clock &&
         expression_at(weave->expressions, e->children[1])->clocks == clock;
}

/* Which factor goes through an activation that gates have; the first one, as it is, where none does. */
static int gated(const struct weave *weave, const struct expression *product) {
  return gate_of(expression_at(weave->expressions, product->children[0])) == NULL &&
         gate_of(expression_at(weave->expressions, product->children[1])) != NULL;
}

int32_t weave_factor(const struct weave *weave, const struct expression *product, int32_t number) {
  const int first = gated(weave, product);
  const int32_t factor = product->children[number == 0 ? first : 1 - first];
  const struct expression *e = expression_at(weave->expressions, factor);
  return number == 0 && gate_of(e) != NULL ? e->children[0] : factor;
}

/* Gate number `gate` of the cell becomes a map, whose one column may stand for all. */
static void set_gate(struct expressions *expressions, const struct recurrent_cell *cell, int gate,
                     const struct affine *map) {
  const size_t units = (size_t)cell->units, columns = (size_t)map->columns;
  float *kernel = expressions->matrices[cell->kernel].data, *bias = expressions->matrices[cell->bias].data;
  for (size_t u = 0; u < units; u++) {
    const size_t from = columns == 1 ? 0 : u, to = (size_t)gate * units + u;
    bias[to] = (float)map->bias[from];
    for (size_t r = 0; r < (size_t)map->rows; r++)
      kernel[r * 4 * units + to] = (float)map->matrix[r * columns + from];
  }
}

static cuseq_status make_cell(struct weave *weave, const struct expression *product,
                              struct recurrent_cell *cell) {
  enum { INPUT, FORGET, CANDIDATE, OUTPUT };
  struct expressions *expressions = weave->expressions;
  const struct gate *gate = gate_of(expression_at(expressions, product->children[gated(weave, product)]));
  const int64_t units = product->width;
  struct affine maps[2] = {{0}, {0}};
  bool found;
  cuseq_status status = CUSEQ_STATUS_OK;
  gate = gate != NULL ? gate : &gates[sizeof gates / sizeof *gates - 1];
  *cell = (struct recurrent_cell){.node = product->node,
                                  .kind = CELL_LSTM,
                                  .units = product->width,
                                  .activation = CUSEQ_ACTIVATION_LINEAR,
                                  .recurrent_activation = gate->activation,
                                  .recurrent_bias = -1};
  for (int i = 0; i < 2; i++)
    TRY_CLEANUP(weave_map(weave, weave_factor(weave, product, i), &maps[i]));
  TRY_CLEANUP(matrix_make(expressions, NULL, 0, maps[0].rows, 4 * units, &cell->kernel, &found));
  TRY_CLEANUP(matrix_make(expressions, NULL, 0, units, 4 * units, &cell->recurrent_kernel, &found));
  TRY_CLEANUP(matrix_make(expressions, NULL, 0, 1, 4 * units, &cell->bias, &found));
  for (int64_t u = 0; u < units; u++) {
    expressions->matrices[cell->bias].data[INPUT * units + u] = gate->one;
    expressions->matrices[cell->bias].data[FORGET * units + u] = gate->zero;
  }
  set_gate(expressions, cell, OUTPUT, &maps[0]);
  set_gate(expressions, cell, CANDIDATE, &maps[1]);
cleanup:
  for (int i = 0; i < 2; i++)
    affine_free(&maps[i]);
  return status;
}

cuseq_status weave_product_make(struct weave *weave, int32_t s, const int32_t *handed, int32_t count) {
  const struct expression e = *expression_at(weave->expressions, weave->stages[s]);
  struct recurrent_cell cell;
  int32_t block;
  TRY(make_cell(weave, &e, &cell));
  TRY(weave_put_cell(weave, s, 0, &cell, handed, count, &block));
  return weave_add_item(weave, (struct weave_item){weave->stages[s], {block, -1}, CUSEQ_MERGE_CONCAT});
}
