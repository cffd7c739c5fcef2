/* Models recognised in expressions that no file stands behind: graphs over two clocks, steps that are a
 * graph of their own, vectors that are repeated. What comes out is looked at as a structure. */
#include "convert/recognise/recognise.h"
#include "model/model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { H = 3, E = 2, V = 5, MOST = 64 };

/* A graph while it is made. */
struct graph {
  struct arena arena;
  struct expressions expressions;
  struct notes notes;
  struct graph_node nodes[MOST];
  int32_t node_count;
  struct graph_input inputs[4];
  struct graph_output outputs[4];
  struct graph_state states[4];
  struct recognise_request request;
  cuseq_model *model;
};

static struct graph *graph_begin(void) {
  struct graph *graph = calloc(1, sizeof *graph);
  cr_assert(graph);
  graph->expressions.arena = &graph->arena;
  graph->request = (struct recognise_request){.expressions = &graph->expressions,
                                              .notes = &graph->notes,
                                              .inputs = graph->inputs,
                                              .outputs = graph->outputs,
                                              .states = graph->states,
                                              .token = -1,
                                              .start_token = -1,
                                              .end_token = -1};
  return graph;
}

static void graph_end(struct graph *graph) {
  cuseq_model_destroy(graph->model);
  expressions_free(&graph->expressions);
  arena_free(&graph->arena);
  free(graph->notes.text);
  free(graph);
}

static const struct graph_node *node(struct graph *graph, const char *name) {
  struct graph_node *made = &graph->nodes[graph->node_count++];
  cr_assert(graph->node_count <= MOST);
  *made = (struct graph_node){.name = name, .class_name = "Layer"};
  return made;
}

#define MAKE(call) cr_assert((call) == CUSEQ_STATUS_OK, "%s", cuseq_last_error())

static int32_t matrix(struct graph *graph, int32_t rows, int32_t columns) {
  int32_t index;
  bool found;
  MAKE(matrix_make(&graph->expressions, NULL, 0, rows, columns, &index, &found));
  for (int32_t i = 0; i < rows * columns; i++)
    graph->expressions.matrices[index].data[i] = (float)(i % 7 - 3) * 0.1F + 0.01F * (float)index;
  return index;
}

static int32_t input(struct graph *graph, const char *name, int32_t width, int32_t clock) {
  const struct graph_node *of = node(graph, name);
  int32_t index = (int32_t)graph->request.input_count++, made;
  graph->inputs[index].node = of;
  if (clock >= 0)
    MAKE(clock_make(&graph->expressions, of, -1, false, &clock));
  struct expression e = {.op = EXPRESSION_INPUT,
                         .width = width,
                         .clock = clock,
                         .index = index,
                         .matrix = -1,
                         .bias = -1,
                         .node = of};
  MAKE(expression_make(&graph->expressions, &e, &made));
  return made;
}

static int32_t over(struct graph *graph, enum expression_op op, const int32_t *children, int32_t count,
                    int32_t matrix_index) {
  struct expression e = {.op = op,
                         .matrix = matrix_index,
                         .bias = -1,
                         .node = node(graph, "layer"),
                         .child_count = count,
                         .children = children};
  int32_t made;
  MAKE(expression_make(&graph->expressions, &e, &made));
  return made;
}

static int32_t embed(struct graph *graph, int32_t ids, int32_t table) {
  return over(graph, EXPRESSION_EMBEDDING, &ids, 1, table);
}

static int32_t dense(struct graph *graph, int32_t child, int32_t columns) {
  return over(graph, EXPRESSION_DENSE, &child, 1,
              matrix(graph, expression_at(&graph->expressions, child)->width, columns));
}

static int32_t join(struct graph *graph, int32_t a, int32_t b) {
  return over(graph, EXPRESSION_CONCAT, (const int32_t[]){a, b}, 2, -1);
}

static int32_t classes(struct graph *graph, int32_t child) {
  return over(graph, EXPRESSION_CLASSES, &child, 1, -1);
}

static struct recurrent_cell cell_of(struct graph *graph, const struct graph_node *of, enum cell_kind kind,
                                     int32_t inputs) {
  int32_t gates = cell_gates(kind);
  return (struct recurrent_cell){.node = of,
                                 .kind = kind,
                                 .reset_after = true,
                                 .units = H,
                                 .activation = CUSEQ_ACTIVATION_TANH,
                                 .recurrent_activation = CUSEQ_ACTIVATION_SIGMOID,
                                 .kernel = matrix(graph, inputs, gates * H),
                                 .recurrent_kernel = matrix(graph, H, gates * H),
                                 .bias = matrix(graph, 1, gates * H),
                                 .recurrent_bias = kind == CELL_GRU ? matrix(graph, 1, gates * H) : -1};
}

/* A layer over a sequence, with initial states or without; final receives its last h and c. */
static int32_t layer(struct graph *graph, enum cell_kind kind, enum layer_direction direction, int32_t x,
                     const int32_t *states, int32_t *final) {
  const struct graph_node *of = node(graph, "recurrent");
  int32_t children[3] = {x, states ? states[0] : -1, states ? states[1] : -1}, made;
  struct recurrent_layer l = {.node = of, .direction = direction};
  struct recurrent_cell cell = cell_of(graph, of, kind, expression_at(&graph->expressions, x)->width);
  l.directions[direction == LAYER_BACKWARD] = cell;
  struct expression e = {.op = EXPRESSION_SEQUENCE,
                         .part = SEQUENCE_MERGED,
                         .width = H,
                         .matrix = -1,
                         .bias = -1,
                         .node = of,
                         .child_count = states ? 1 + (cell_has_c(kind) ? 2 : 1) : 1,
                         .children = children};
  MAKE(recurrent_layer_make(&graph->expressions, &l, &e.index));
  MAKE(expression_make(&graph->expressions, &e, &made));
  e.op = EXPRESSION_FINAL;
  for (int32_t c = 0; final && c < (cell_has_c(kind) ? 2 : 1); c++) {
    e.part = (direction == LAYER_BACKWARD ? FINAL_BACKWARD_H : FINAL_FORWARD_H) + c;
    MAKE(expression_make(&graph->expressions, &e, &final[c]));
  }
  return made;
}

static int32_t attend(struct graph *graph, int32_t query, int32_t annotations, int32_t clock) {
  int32_t energies = over(graph, EXPRESSION_DOT, (const int32_t[]){query, annotations}, 2, -1), alphas;
  MAKE(expression_over(&graph->expressions, EXPRESSION_SOFTMAX, clock, 0, false, energies,
                       node(graph, "softmax"), &alphas));
  return over(graph, EXPRESSION_CONTEXT, (const int32_t[]){alphas, annotations}, 2, -1);
}

static cuseq_status recognise(struct graph *graph, int32_t output) {
  const struct expression *e = expression_at(&graph->expressions, output);
  struct value value = {.expression = output, .axis_count = 1, .axes = {{AXIS_BATCH, -1, 0}}};
  for (int32_t c = 0; c < graph->expressions.clock_count; c++)
    if (e->clocks >> c & 1)
      value.axes[value.axis_count++] = (struct axis){AXIS_TIME, -1, c};
  value.axes[value.axis_count++] = (struct axis){AXIS_FEATURE, e->width, 0};
  graph->outputs[graph->request.output_count++] = (struct graph_output){"output", value};
  return recognise_model(&graph->request, &graph->model);
}

static const struct structure *structure_of(struct graph *graph, int32_t output) {
  cr_assert(recognise(graph, output) == CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return &graph->model->structure;
}

static void expect_refusal(struct graph *graph, int32_t output, const char *words) {
  cr_assert(recognise(graph, output) == CUSEQ_STATUS_INVALID_MODEL);
  cr_expect(strstr(cuseq_last_error(), words), "expected \"%s\", got: %s", words, cuseq_last_error());
  cr_expect(!graph->model);
}

/* ---- given tokens --------------------------------------------------------------------------------- */

/* An encoder, and a decoder over given tokens that begins with its final states; *y receives the decoder's
 * sequence and *a the encoder's. */
static void given_tokens(struct graph *graph, enum cell_kind kind, int32_t *a, int32_t *y) {
  int32_t final[2];
  int32_t x = embed(graph, input(graph, "source", 1, 0), matrix(graph, 7, E));
  *a = layer(graph, kind, LAYER_FORWARD, x, NULL, final);
  int32_t tokens = embed(graph, input(graph, "target", 1, 1), matrix(graph, V, E));
  *y = layer(graph, kind, LAYER_FORWARD, tokens, final, NULL);
}

Test(recognise, decoder_over_given_tokens_has_states_of_the_encoder_and_given_feedback) {
  struct graph *graph = graph_begin();
  int32_t a, y;
  given_tokens(graph, CELL_LSTM, &a, &y);
  const struct structure *s = structure_of(graph, classes(graph, dense(graph, y, V)));
  cr_expect(s->decoder.present && s->decoder.count == 1 && !s->attention.present);
  cr_expect_eq(s->decoder.feedback, FEEDBACK_GIVEN);
  cr_expect_eq(s->decoder.start_token, -1);
  cr_expect_eq(s->decoder.embedding_units, E);
  cr_expect(s->decoder.reads.count == 1 && s->decoder.reads.list[0] == PART_TOKEN);
  cr_expect(s->decoder.layers[0].initial_h.from == INITIAL_ENCODER &&
            !s->decoder.layers[0].initial_h.takes_c);
  cr_expect(s->decoder.layers[0].initial_c.from == INITIAL_ENCODER && s->decoder.layers[0].initial_c.takes_c);
  cr_expect_eq(s->input.embedding_units, E);
  cr_expect(strstr(graph->notes.text, "target"), "%s", graph->notes.text);
  graph_end(graph);
}

Test(recognise, start_token_makes_a_decoder_over_given_tokens_choose_its_own) {
  struct graph *graph = graph_begin();
  int32_t a, y;
  given_tokens(graph, CELL_GRU, &a, &y);
  graph->request.start_token = 1;
  graph->request.end_token = 4;
  graph->request.steps = 9;
  const struct structure *s = structure_of(graph, classes(graph, dense(graph, y, V)));
  cr_expect_eq(s->decoder.feedback, FEEDBACK_OUTPUT);
  cr_expect(s->decoder.start_token == 1 && s->decoder.end_token == 4 && s->decoder.steps == 9);
  cr_expect_eq(s->decoder.layers[0].cell.kind, CELL_GRU);
  cr_expect(s->decoder.layers[0].cell.has_recurrent_bias);
  graph_end(graph);
}

Test(recognise, energies_over_both_clocks_are_asked_by_the_current_state) {
  struct graph *graph = graph_begin();
  int32_t a, y;
  given_tokens(graph, CELL_LSTM, &a, &y);
  int32_t context = attend(graph, y, a, 0);
  int32_t made = dense(graph, join(graph, context, y), 4), activated;
  MAKE(expression_unary(&graph->expressions, EXPRESSION_ACTIVATION, CUSEQ_ACTIVATION_TANH, made,
                        node(graph, "tanh"), &activated));
  const struct structure *s = structure_of(graph, classes(graph, dense(graph, activated, V)));
  cr_expect(s->attention.present && s->attention.asks == ASKS_CURRENT && s->attention.asked_layer == 0);
  cr_expect_eq(s->attention.score, CUSEQ_SCORE_DOT);
  cr_expect_eq(s->output.heads[0].layers.count, 2);
  cr_expect(s->output.heads[0].parts.count == 2 && s->output.heads[0].parts.list[0] == PART_CONTEXT &&
            s->output.heads[0].parts.list[1] == PART_STATE);
  graph_end(graph);
}

Test(recognise, attention_by_the_embedded_token_asks_by_token) {
  struct graph *graph = graph_begin();
  int32_t final[2];
  int32_t x = embed(graph, input(graph, "source", 1, 0), matrix(graph, 7, E));
  int32_t a = layer(graph, CELL_LSTM, LAYER_FORWARD, x, NULL, final);
  int32_t token = embed(graph, input(graph, "target", 1, 1), matrix(graph, V, H));
  int32_t y =
      layer(graph, CELL_LSTM, LAYER_FORWARD, join(graph, token, attend(graph, token, a, 0)), final, NULL);
  const struct structure *s = structure_of(graph, classes(graph, dense(graph, y, V)));
  cr_expect_eq(s->attention.asks, ASKS_TOKEN);
  cr_expect(s->decoder.reads.count == 2 && s->decoder.reads.list[1] == PART_CONTEXT);
  graph_end(graph);
}

Test(recognise, decoder_that_reads_its_tokens_backwards_is_refused) {
  struct graph *graph = graph_begin();
  int32_t a, y;
  given_tokens(graph, CELL_GRU, &a, &y);
  int32_t back = layer(graph, CELL_GRU, LAYER_BACKWARD, y, NULL, NULL);
  expect_refusal(graph, classes(graph, dense(graph, back, V)), "backwards");
  graph_end(graph);
}

Test(recognise, decoder_over_numbers_is_given_them_at_every_step) {
  struct graph *graph = graph_begin();
  int32_t final[2];
  layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), NULL, final);
  int32_t y = layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "future", 2, 1), final, NULL);
  const struct structure *s = structure_of(graph, dense(graph, y, 1));
  cr_expect(s->decoder.reads.count == 1 && s->decoder.reads.list[0] == PART_GIVEN);
  cr_expect_eq(s->decoder.given_width, 2);
  cr_expect_eq(s->decoder.feedback, FEEDBACK_NONE);
  cr_expect(strstr(graph->notes.text, "'future'") && strstr(graph->notes.text, "[batch, steps, 2]"), "%s",
            graph->notes.text);
  graph_end(graph);
}

Test(recognise, numbers_of_several_inputs_lie_in_the_inputs_order_wherever_they_are_read) {
  struct graph *graph = graph_begin();
  int32_t final[2], source = input(graph, "source", 4, 0), days = input(graph, "days", 2, 1);
  layer(graph, CELL_LSTM, LAYER_FORWARD, source, NULL, final);
  struct expression weather = *expression_at(&graph->expressions, days);
  weather.width = 3;
  weather.node = node(graph, "weather");
  weather.index = (int32_t)graph->request.input_count++;
  graph->inputs[weather.index].node = weather.node;
  int32_t of_day;
  MAKE(expression_make(&graph->expressions, &weather, &of_day));
  int32_t y = layer(graph, CELL_LSTM, LAYER_FORWARD, of_day, final, NULL);
  const struct structure *s = structure_of(graph, dense(graph, join(graph, days, y), 2));
  cr_expect_eq(s->decoder.given_width, 5);
  cr_expect(s->output.heads[0].parts.count == 2 && s->output.heads[0].parts.list[0] == PART_GIVEN);
  for (int32_t j = 0; j < 4 * H; j++) /* the cell does not read the days, the head not the weather */
    cr_expect_eq(s->decoder.layers[0].cell.kernel[j], 0);
  cr_expect_neq(s->output.heads[0].layers.layers[0].kernel[0], 0);
  cr_expect_eq(s->output.heads[0].layers.layers[0].kernel[2 * 2], 0);
  cr_expect(strstr(graph->notes.text, "'days' is columns 0 to 1") &&
                strstr(graph->notes.text, "'weather' is columns 2 to 4"),
            "%s", graph->notes.text);
  graph_end(graph);
}

Test(recognise, numbers_that_a_further_layer_reads_are_refused) {
  struct graph *graph = graph_begin();
  int32_t final[2], future = input(graph, "future", 2, 1);
  layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), NULL, final);
  int32_t y = layer(graph, CELL_LSTM, LAYER_FORWARD, future, final, NULL);
  int32_t z = layer(graph, CELL_LSTM, LAYER_FORWARD, join(graph, y, future), final, NULL);
  expect_refusal(graph, dense(graph, z, 1), "'future'");
  cr_expect(strstr(cuseq_last_error(), "another layer than the decoder's first"), "%s", cuseq_last_error());
  graph_end(graph);
}

/* ---- vectors at every step ------------------------------------------------------------------------ */

Test(recognise, repeated_state_is_carried_by_a_layer_in_front) {
  struct graph *graph = graph_begin();
  int32_t final[2], clock, repeated;
  layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), NULL, final);
  MAKE(clock_make(&graph->expressions, node(graph, "repeat"), 6, true, &clock));
  MAKE(expression_over(&graph->expressions, EXPRESSION_REPEAT, clock, 0, false, final[0],
                       node(graph, "repeat"), &repeated));
  int32_t y = layer(graph, CELL_LSTM, LAYER_FORWARD, repeated, NULL, NULL);
  const struct structure *s = structure_of(graph, dense(graph, y, 4));
  cr_expect(s->decoder.count == 2 && s->decoder.steps == 6);
  const struct decoder_layer *carrier = &s->decoder.layers[0];
  cr_expect(carrier->cell.kind == CELL_GRU && carrier->cell.units == H);
  cr_expect(carrier->initial_h.from == INITIAL_ENCODER && !carrier->initial_h.dense.kernel);
  for (int32_t u = 0; u < 3 * H * H; u++)
    cr_expect_eq(carrier->cell.recurrent_kernel[u], 0.0F);
  cr_expect_eq(s->decoder.layers[1].initial_h.from, INITIAL_ZEROS);
  graph_end(graph);
}

Test(recognise, token_passes_beside_a_vector_that_is_the_same_at_every_step) {
  struct graph *graph = graph_begin();
  int32_t final[2], repeated;
  int32_t x = embed(graph, input(graph, "source", 1, 0), matrix(graph, 7, E));
  layer(graph, CELL_GRU, LAYER_FORWARD, x, NULL, final);
  int32_t token = embed(graph, input(graph, "target", 1, 1), matrix(graph, V, E));
  MAKE(expression_over(&graph->expressions, EXPRESSION_REPEAT, 1, 0, false, final[0], node(graph, "repeat"),
                       &repeated));
  int32_t y = layer(graph, CELL_GRU, LAYER_FORWARD, join(graph, token, repeated), final, NULL);
  const struct structure *s = structure_of(graph, classes(graph, dense(graph, y, V)));
  cr_expect_eq(s->decoder.count, 2);
  cr_expect_eq(s->decoder.layers[0].cell.units, H + E);
  cr_expect(s->decoder.reads.count == 1 && s->decoder.reads.list[0] == PART_TOKEN);
  graph_end(graph);
}

/* ---- a step of its own ---------------------------------------------------------------------------- */

Test(recognise, step_of_its_own_is_put_together_by_its_states) {
  struct graph *graph = graph_begin();
  int32_t final[2], children[3], made[2];
  int32_t x = embed(graph, input(graph, "source", 1, 0), matrix(graph, 7, E));
  int32_t a = layer(graph, CELL_LSTM, LAYER_FORWARD, x, NULL, final);
  int32_t token = input(graph, "token", 1, -1), h = input(graph, "h", H, -1), c = input(graph, "c", H, -1);
  const struct graph_node *of = node(graph, "cell");
  struct recurrent_cell cell = cell_of(graph, of, CELL_LSTM, E + H);
  struct expression e = {
      .op = EXPRESSION_CELL, .matrix = -1, .bias = -1, .node = of, .child_count = 3, .children = children};
  MAKE(recurrent_cell_make(&graph->expressions, &cell, &e.index));
  children[0] = join(graph, embed(graph, token, matrix(graph, V, E)), attend(graph, h, a, 0));
  children[1] = h;
  children[2] = c;
  for (e.part = CELL_H; e.part <= CELL_C; e.part++)
    MAKE(expression_make(&graph->expressions, &e, &made[e.part]));
  graph->states[0] = (struct graph_state){h, made[0], final[0]};
  graph->states[1] = (struct graph_state){c, made[1], final[1]};
  graph->request.state_count = 2;
  graph->request.token = token;
  graph->request.start_token = 2;
  const struct structure *s = structure_of(graph, classes(graph, dense(graph, made[0], V)));
  cr_expect(s->decoder.count == 1 && s->decoder.feedback == FEEDBACK_OUTPUT && s->decoder.start_token == 2);
  cr_expect(s->attention.present && s->attention.asks == ASKS_PREVIOUS);
  cr_expect(s->decoder.layers[0].initial_c.from == INITIAL_ENCODER && s->decoder.layers[0].initial_c.takes_c);
  graph_end(graph);
}

/* ---- without a decoder ---------------------------------------------------------------------------- */

Test(recognise, forward_and_backward_layers_of_their_own_are_one_bidirectional_layer) {
  struct graph *graph = graph_begin();
  int32_t x = input(graph, "source", 4, 0);
  int32_t forward = layer(graph, CELL_GRU, LAYER_FORWARD, x, NULL, NULL);
  int32_t backward = layer(graph, CELL_GRU, LAYER_BACKWARD, x, NULL, NULL);
  const struct structure *s = structure_of(graph, dense(graph, join(graph, forward, backward), 2));
  cr_expect(s->encoder.count == 1 && s->encoder.layers[0].direction == LAYER_BIDIRECTIONAL);
  cr_expect_eq(s->encoder.width, 2 * H);
  cr_expect_eq(s->output.heads[0].source, HEAD_EVERY);
  graph_end(graph);
}

Test(recognise, layer_that_a_vector_begins_is_given_its_sequence_step_by_step) {
  struct graph *graph = graph_begin();
  int32_t h = dense(graph, input(graph, "vector", 4, -1), H), states[2] = {h, h};
  int32_t y = layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), states, NULL);
  const struct structure *s = structure_of(graph, dense(graph, y, 2));
  cr_expect_eq(s->decoder.given_width, 4);
  cr_expect(strstr(graph->notes.text, "'vector'") && strstr(graph->notes.text, "'source'"), "%s",
            graph->notes.text);
  graph_end(graph);
}

Test(recognise, states_that_are_inputs_are_taken_as_zeros_and_said_to_be) {
  struct graph *graph = graph_begin();
  int32_t states[2] = {input(graph, "h0", H, -1), input(graph, "c0", H, -1)};
  int32_t y = layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), states, NULL);
  const struct structure *s = structure_of(graph, dense(graph, y, 2));
  cr_expect_eq(s->output.heads[0].source, HEAD_EVERY);
  cr_expect(strstr(graph->notes.text, "'h0'") && strstr(graph->notes.text, "'c0'"), "%s", graph->notes.text);
  graph_end(graph);
}

Test(recognise, final_state_and_a_context_are_read_side_by_side) {
  struct graph *graph = graph_begin();
  int32_t final[2], a = layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), NULL, final);
  const struct structure *s = structure_of(
      graph, classes(graph, dense(graph, join(graph, attend(graph, final[0], a, 0), final[0]), V)));
  cr_assert(!s->decoder.present && s->attention.present && s->output.heads[0].read_count == 2);
  cr_expect_eq(s->output.heads[0].reads[0].source, HEAD_CONTEXT);
  cr_expect_eq(s->output.heads[0].reads[1].source, HEAD_FINAL);
  graph_end(graph);
}

Test(recognise, layers_beside_one_another_become_a_stack_whose_directions_hand_on) {
  struct graph *graph = graph_begin();
  int32_t x = input(graph, "source", 4, 0), left[2], right[2];
  layer(graph, CELL_LSTM, LAYER_FORWARD, x, NULL, left);
  layer(graph, CELL_GRU, LAYER_FORWARD, x, NULL, right);
  const struct structure *s = structure_of(graph, dense(graph, join(graph, left[0], right[0]), 2));
  cr_assert_eq(s->encoder.count, 2);
  cr_expect_eq(s->encoder.layers[0].direction, LAYER_BIDIRECTIONAL);
  cr_expect(s->encoder.layers[0].cells[0].kind == CELL_LSTM &&
            s->encoder.layers[0].cells[1].kind == CELL_GRU);
  cr_expect_eq(s->encoder.layers[0].cells[1].units, 4);
  cr_expect(s->encoder.layers[1].cells[0].kind == CELL_GRU && s->output.heads[0].read_count == 2);
  graph_end(graph);
}

Test(recognise, a_layer_that_is_read_beside_what_it_reads_is_handed_on_to_the_head) {
  struct graph *graph = graph_begin();
  int32_t a = layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), NULL, NULL);
  int32_t b = layer(graph, CELL_LSTM, LAYER_FORWARD, a, NULL, NULL);
  const struct structure *s = structure_of(graph, dense(graph, join(graph, a, b), 2));
  cr_assert_eq(s->encoder.count, 2);
  cr_expect_eq(s->encoder.layers[0].direction, LAYER_FORWARD);
  cr_expect_eq(s->encoder.layers[1].direction, LAYER_BIDIRECTIONAL);
  cr_expect_eq(s->encoder.width, 2 * H);
  cr_expect_eq(s->output.heads[0].source, HEAD_EVERY);
  graph_end(graph);
}

Test(recognise, mean_and_last_position_of_one_sequence_are_two_heads) {
  struct graph *graph = graph_begin();
  int32_t x = input(graph, "source", 4, 0), mean, last;
  int32_t y = join(graph, layer(graph, CELL_GRU, LAYER_FORWARD, x, NULL, NULL),
                   layer(graph, CELL_GRU, LAYER_BACKWARD, x, NULL, NULL));
  MAKE(expression_over(&graph->expressions, EXPRESSION_POOL, 0, POOL_MEAN, false, y, node(graph, "mean"),
                       &mean));
  MAKE(
      expression_over(&graph->expressions, EXPRESSION_POSITION, 0, -1, false, y, node(graph, "last"), &last));
  struct value value = {.expression = classes(graph, dense(graph, mean, 3)),
                        .axis_count = 2,
                        .axes = {{AXIS_BATCH, -1, 0}, {AXIS_FEATURE, 3, 0}}};
  graph->outputs[graph->request.output_count++] = (struct graph_output){"first", value};
  const struct structure *s = structure_of(graph, dense(graph, last, 2));
  cr_expect_eq(s->output.count, 2);
  cr_expect(s->output.heads[0].source == HEAD_MEAN && s->output.heads[1].source == HEAD_LAST);
  cr_expect_str_eq(s->output.heads[0].name, "first");
  graph_end(graph);
}

Test(recognise, given_numbers_as_many_as_linear_outputs_are_no_tokens_and_as_many_as_classes_are) {
  struct graph *graph = graph_begin();
  int32_t final[2];
  layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), NULL, final);
  int32_t y = layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "future", 2, 1), final, NULL);
  const struct structure *s = structure_of(graph, dense(graph, y, 2));
  cr_expect_eq(s->decoder.given_width, 2);
  graph_end(graph);
  graph = graph_begin();
  layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "source", 4, 0), NULL, final);
  y = layer(graph, CELL_LSTM, LAYER_FORWARD, input(graph, "future", 2, 1), final, NULL);
  s = structure_of(graph, classes(graph, dense(graph, y, 2)));
  cr_expect_eq(s->decoder.given_width, 0);
  cr_expect_eq(s->decoder.feedback, FEEDBACK_GIVEN);
  graph_end(graph);
}

Test(recognise, masked_token_cannot_start_a_decoder) {
  struct graph *graph = graph_begin();
  int32_t a, y;
  given_tokens(graph, CELL_GRU, &a, &y);
  graph->expressions.layers[1].mask = node(graph, "embedding");
  graph->request.start_token = 0;
  expect_refusal(graph, classes(graph, dense(graph, y, V)), "masks token 0");
  graph_end(graph);
}
