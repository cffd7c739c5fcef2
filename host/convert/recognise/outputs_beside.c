/* Whether the numbers of the model's outputs lie as cuseq's do, and which arrays those beside them are. */
#include "convert/recognise/recognised.h"
#include "error.h"

#include <stdio.h>

/* ---- how their numbers lie ------------------------------------------------------------------------ */

/* Whether the numbers lie as in cuseq's arrays: by rows, steps, positions and features, whatever axes of
 * one entry are among them. */
static bool in_order(const struct value *value, int32_t encoder_clock) {
  static const int ranks[] = {
      [AXIS_BATCH] = 0, [AXIS_STEP] = 1, [AXIS_TIME] = 2, [AXIS_FEATURE] = 3, [AXIS_REPEAT] = -1};
  int last = -1;
  for (int32_t i = 0; i < value->axis_count; i++) {
    int rank = ranks[value->axes[i].kind];
    if (value->axes[i].kind == AXIS_TIME && value->axes[i].clock != encoder_clock)
      rank = ranks[AXIS_STEP];
    if (rank < 0 && value->axes[i].size == 1)
      continue;
    if (rank <= last)
      return false;
    last = rank;
  }
  return true;
}

static cuseq_status check_order(const struct recogniser *recogniser, const struct listed_output *output,
                                size_t number) {
  const struct expressions *expressions = recogniser->expressions;
  char text[128];
  if (in_order(&output->value, recogniser->model->encoder.clock))
    return CUSEQ_STATUS_OK;
  return node_refuse(expression_at(expressions, output->value.expression)->node,
                     "output %zu of the model is %s (cuseq's arrays are [batch, steps, time or features])",
                     number, value_describe(expressions, &output->value, text, sizeof text));
}

/* The decoder's outputs: one for each step, or all of them joined. */
static cuseq_status check_steps(struct recogniser *recogniser, const struct listed_outputs *listed) {
  const struct recognised *model = recogniser->model;
  const struct expressions *expressions = recogniser->expressions;
  size_t single = 0, joined = 0;
  for (size_t i = 0; i < listed->count; i++) {
    const struct listed_output *output = &listed->list[i];
    if (output->beside)
      continue;
    TRY(check_order(recogniser, output, i + 1));
    single += !output->joined;
    joined += output->joined;
    if (model->decoder.present && joined + single > 1 && joined > 0)
      return node_refuse(expression_at(expressions, output->value.expression)->node,
                         "output %zu of the model joins some steps of the decoder, or others do "
                         "(needed one output for each step, or one of all)",
                         i + 1);
    if (output->flat && model->decoder.present)
      TRY(notes_add(recogniser->notes, "output %zu, [batch, %lld], is given as outputs [batch, %d, %d]",
                    i + 1, (long long)expression_at(expressions, output->value.expression)->width,
                    model->decoder.steps,
                    model->heads[0].layers.levels[model->heads[0].layers.count - 1].map.columns));
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the outputs beside them ---------------------------------------------------------------------- */

enum array {
  ARRAY_NONE,
  ARRAY_ALPHAS,
  ARRAY_CONTEXT,
  ARRAY_STATES,
  ARRAY_FINAL_C,
  ARRAY_ANNOTATIONS,
  ARRAY_H_FW,
  ARRAY_C_FW,
  ARRAY_H_BW,
  ARRAY_C_BW,
  ARRAY_COUNT
};

static const char *const array_names[] = {[ARRAY_ALPHAS] = "alphas",
                                          [ARRAY_CONTEXT] = "context",
                                          [ARRAY_STATES] = "states",
                                          [ARRAY_FINAL_C] = NULL,
                                          [ARRAY_ANNOTATIONS] = "annotations",
                                          [ARRAY_H_FW] = "h_fw",
                                          [ARRAY_C_FW] = "c_fw",
                                          [ARRAY_H_BW] = "h_bw",
                                          [ARRAY_C_BW] = "c_bw"};

/* What an array has at a step of the graph, as an expression; -1: it has none. */
static int32_t array_at(const struct recognised *model, enum array array, int32_t step) {
  const int32_t *values = array == ARRAY_ALPHAS    ? model->step_alphas
                          : array == ARRAY_CONTEXT ? model->step_contexts
                          : array == ARRAY_STATES  ? model->step_states
                                                   : NULL;
  return values != NULL ? values[step] : -1;
}

static bool has_steps(enum array array) {
  return array == ARRAY_ALPHAS || array == ARRAY_CONTEXT || array == ARRAY_STATES;
}

/* Whether an expression is what the last layer of the encoder gives, though nothing else of the model reads
 * it. */
static bool is_last_sequence(const struct recognised *model, const struct expression *e) {
  const struct found_layer *last = &model->encoder.layers[model->encoder.count - 1];
  bool backward = last->direction == LAYER_BACKWARD;
  bool one = last->direction != LAYER_BIDIRECTIONAL || last->index[0] == last->index[1];
  return model->encoder.annotations < 0 && e->op == EXPRESSION_SEQUENCE && e->part == SEQUENCE_MERGED &&
         one && e->index == last->index[backward ? 1 : 0] && e->child_count == 1 &&
         e->children[0] == last->child && !last->residual && !last->attends && last->weighted < 0 &&
         !last->has_dense;
}

/* The array that an expression is in, and at which of the graph's steps. */
static enum array find_array(const struct recogniser *recogniser, int32_t expression, int32_t *step) {
  const struct recognised *model = recogniser->model;
  const struct expression *e = expression_at(recogniser->expressions, expression);
  const struct found_layer *last = &model->encoder.layers[model->encoder.count - 1];
  for (*step = 0; *step < model->graph_steps; ++*step)
    for (enum array array = ARRAY_ALPHAS; array <= ARRAY_STATES; array++)
      if (array_at(model, array, *step) == expression)
        return array;
  *step = 0;
  if (model->last_cell == expression)
    return ARRAY_FINAL_C;
  if (expression == model->encoder.annotations || is_last_sequence(model, e))
    return ARRAY_ANNOTATIONS;
  for (int32_t d = 0; e->op == EXPRESSION_FINAL && d < last->final_h.count; d++) {
    bool backward = d == 1 || last->direction == LAYER_BACKWARD;
    if (expression == last->final_h.list[d])
      return backward ? ARRAY_H_BW : ARRAY_H_FW;
    if (d < last->final_c.count && expression == last->final_c.list[d])
      return backward ? ARRAY_C_BW : ARRAY_C_FW;
  }
  return ARRAY_NONE;
}

enum { ALL_STEPS = -1, LAST_STEP = -2 };

struct beside {
  enum array array;
  int32_t step; /* or ALL_STEPS, LAST_STEP */
};

static cuseq_status refuse_beside(const struct expressions *expressions, const struct listed_output *output,
                                  size_t number) {
  return node_refuse(
      expression_at(expressions, output->value.expression)->node,
      "output %zu of the model is none of the arrays that cuseq gives: make the model without it "
      "(beside the outputs there may be the alphas, contexts and hidden states of the decoder's "
      "steps, its last cell state, the annotations, and each final state of the encoder's "
      "last layer)",
      number);
}

static cuseq_status check_beside(struct recogniser *recogniser, const struct listed_output *output,
                                 size_t number, struct beside *beside) {
  const struct expressions *expressions = recogniser->expressions;
  const struct recognised *model = recogniser->model;
  bool clocked =
      model->decoder.present && (model->decoder.step.clock >= 0 || recogniser->request->state_count > 0);
  int32_t first = clocked ? model->decoder.step.outputs[number - 1] : output->parts[0];
  beside->array = find_array(recogniser, first, &beside->step);
  bool known = beside->array != ARRAY_NONE;
  if (known && output->joined) {
    known = has_steps(beside->array) && output->part_count == model->graph_steps;
    for (int32_t k = 0; known && k < output->part_count; k++)
      known = array_at(model, beside->array, k) == output->parts[k];
    beside->step = ALL_STEPS;
  }
  if (clocked && has_steps(beside->array))
    beside->step = output->last ? LAST_STEP : ALL_STEPS;
  if (!known)
    return refuse_beside(expressions, output, number);
  const struct graph_node *mask = model->encoder.mask;
  if (beside->array == ARRAY_ANNOTATIONS && mask != NULL)
    return node_refuse(mask,
                       "output %zu of the model is the annotations, which Keras repeats at masked positions "
                       "(cuseq gives 0 there): make the model without it",
                       number);
  return check_order(recogniser, output, number);
}

/* ---- notes ---------------------------------------------------------------------------------------- */

/* "4", "4 to 6", "2, 4, 6", "1, 3, 5, 7, 9, 11 and others". */
static void describe(const int32_t *numbers, size_t count, char *text, size_t capacity) {
  enum { MOST = 6 };
  size_t used = 0;
  bool run = count > 1;
  for (size_t i = 1; i < count; i++)
    run = run && numbers[i] == numbers[i - 1] + 1;
  if (run) {
    snprintf(text, capacity, "%d to %d", numbers[0], numbers[count - 1]);
    return;
  }
  text[0] = '\0';
  for (size_t i = 0; i < count && i < MOST && used < capacity; i++)
    used += (size_t)snprintf(text + used, capacity - used, i == 0 ? "%d" : ", %d", numbers[i]);
  if (count > MOST && used < capacity)
    snprintf(text + used, capacity - used, " and others");
}

static cuseq_status note_array(struct recogniser *recogniser, enum array array, const int32_t *outputs,
                               const int32_t *steps, size_t count) {
  char numbers[128], at[160] = "", named[96];
  describe(outputs, count, numbers, sizeof numbers);
  if (array == ARRAY_FINAL_C)
    snprintf(named, sizeof named, "the decoder's last cell state, final_c of the C interface");
  else
    snprintf(named, sizeof named, "%s of cuseq run", array_names[array]);
  if (steps[0] == LAST_STEP)
    snprintf(at, sizeof at, ", the last step");
  if (has_steps(array) && steps[0] >= 0) {
    char list[128];
    describe(steps, count, list, sizeof list);
    snprintf(at, sizeof at, ", step%s %s", count > 1 ? "s" : "", list);
  }
  return notes_add(recogniser->notes, "output%s %s of the model: left out, as %s %s%s", count > 1 ? "s" : "",
                   numbers, count > 1 ? "they are" : "it is", named, at);
}

/* One line for the outputs of each array that are single steps, and one for each that joins all of them. */
static cuseq_status note_beside(struct recogniser *recogniser, const struct beside *list, size_t count) {
  int32_t *outputs = arena_allocate(recogniser->arena, 2 * count * sizeof *outputs);
  if (outputs == NULL)
    return error_out_of_memory();
  int32_t *steps = outputs + count;
  for (enum array array = ARRAY_ALPHAS; array < ARRAY_COUNT; array++) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
      int32_t number = (int32_t)i + 1;
      if (list[i].array != array)
        continue;
      if (list[i].step < 0) {
        TRY(note_array(recogniser, array, &number, &list[i].step, 1));
        continue;
      }
      outputs[found] = number;
      steps[found++] = list[i].step + 1;
    }
    if (found > 0)
      TRY(note_array(recogniser, array, outputs, steps, found));
  }
  return CUSEQ_STATUS_OK;
}

/* Which columns of `outputs` are which of the model's, where there are several; that it is one, where
 * others are not. */
static cuseq_status note_heads(struct recogniser *recogniser) {
  const struct recognised *model = recogniser->model;
  int32_t column = 0;
  if (model->head_count == 1 && !model->decoder.present && recogniser->request->output_count > 1)
    return notes_add(recogniser->notes, "output '%.100s' is outputs of cuseq run", model->heads[0].name);
  const bool every = heads_over_every(model);
  for (int32_t i = 0; model->head_count > 1 && i < model->head_count; i++) {
    const bool spread = every && model->heads[i].source != HEAD_EVERY;
    const struct chain *layers = &model->heads[i].layers;
    int32_t width = layers->levels[layers->count - 1].map.columns;
    TRY(notes_add(recogniser->notes, "output '%.100s' is columns %d to %d of outputs%s", model->heads[i].name,
                  column, column + width - 1, spread ? ", the same at every position" : ""));
    column += width;
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status outputs_check(struct recogniser *recogniser, const struct listed_outputs *listed) {
  struct beside *list = arena_allocate(recogniser->arena, listed->count * sizeof *list);
  if (list == NULL)
    return error_out_of_memory();
  TRY(check_steps(recogniser, listed));
  TRY(note_heads(recogniser));
  for (size_t i = 0; i < listed->count; i++)
    if (listed->list[i].beside)
      TRY(check_beside(recogniser, &listed->list[i], i + 1, &list[i]));
  return note_beside(recogniser, list, listed->count);
}
