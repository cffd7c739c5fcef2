#include "convert/recognise/recognise_outputs.h"
#include "convert/recognise/recognise_steps.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PARTS = 65536, MAX_JOINED = 4096, MAX_DEPTH = 64 };

/* ---- what the outputs are made of ----------------------------------------------------------------- */

static bool is_beside(const struct expression *e) {
  return e->op == EXPRESSION_SOFTMAX || e->op == EXPRESSION_CELL || e->op == EXPRESSION_SEQUENCE ||
         e->op == EXPRESSION_FINAL || e->op == EXPRESSION_CONTEXT;
}

struct joined_parts {
  int32_t list[MAX_JOINED];
  int32_t count;
};

/* The tensors that a Concatenate along the features joins. One whose tensors come from the same step of
 * the decoder is that step's output. */
static cuseq_status split(const struct expressions *expressions, int32_t expression, int depth,
                          struct joined_parts *parts) {
  const struct expression *e = expression_at(expressions, expression);
  if (e->op == EXPRESSION_CONCAT && !e->clocks && depth < MAX_DEPTH &&
      output_state(expressions, expression) < 0) {
    for (int32_t i = 0; i < e->child_count; i++)
      TRY(split(expressions, e->children[i], depth + 1, parts));
    return CUSEQ_STATUS_OK;
  }
  if (parts->count >= MAX_JOINED)
    return node_refuse(e->node, "it joins too many tensors");
  parts->list[parts->count++] = expression;
  return CUSEQ_STATUS_OK;
}

static cuseq_status list_one(struct recogniser *recogniser, const struct value *value,
                             struct joined_parts *parts, struct listed_output *output) {
  const struct expressions *expressions = recogniser->expressions;
  const struct expression *e = expression_at(expressions, value->expression);
  *output = (struct listed_output){.value = *value, .joined = e->op == EXPRESSION_STEPS};
  parts->count = 0;
  parts->list[0] = value->expression;
  if (output->joined)
    for (int32_t i = 0; i < e->child_count; i++)
      parts->list[parts->count++] = e->children[i];
  else
    TRY(split(expressions, value->expression, 0, parts));
  output->flat = parts->count > 1 && !output->joined;
  output->joined = output->joined || output->flat;
  output->part_count = parts->count;
  output->beside = is_beside(expression_at(expressions, parts->list[0]));
  int32_t *copy = arena_allocate(recogniser->arena, (size_t)parts->count * sizeof *copy);
  if (copy == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  memcpy(copy, parts->list, (size_t)parts->count * sizeof *copy);
  output->parts = copy;
  return CUSEQ_STATUS_OK;
}

cuseq_status outputs_list(struct recogniser *recogniser, struct listed_outputs *listed) {
  size_t count = recogniser->request->output_count;
  struct joined_parts parts;
  size_t total = 0;
  *listed = (struct listed_outputs){.count = count};
  listed->list = arena_allocate(recogniser->arena, count * sizeof *listed->list);
  if (listed->list == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  for (size_t i = 0; i < count; i++) {
    TRY(list_one(recogniser, &recogniser->request->outputs[i].value, &parts, &listed->list[i]));
    total += (size_t)listed->list[i].part_count;
  }
  if (total > MAX_PARTS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "the model has too many outputs (found %zu, needed at most %d)", total, MAX_PARTS);
  listed->steps = arena_allocate(recogniser->arena, total * sizeof *listed->steps);
  if (listed->steps == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  for (size_t i = 0; i < count; i++)
    for (int32_t k = 0; !listed->list[i].beside && k < listed->list[i].part_count; k++)
      listed->steps[listed->step_count++] = listed->list[i].parts[k];
  return CUSEQ_STATUS_OK;
}

cuseq_status outputs_context(struct listed_outputs *listed, const struct expressions *expressions,
                             int32_t *context) {
  const struct expression *first = expression_at(expressions, listed->list[0].value.expression);
  struct listed_output *found = NULL;
  for (size_t i = 0; i < listed->count; i++) {
    struct listed_output *output = &listed->list[i];
    const struct expression *e = expression_at(expressions, output->value.expression);
    if (e->op != EXPRESSION_CONTEXT)
      continue;
    if (found != NULL && found->value.expression == output->value.expression)
      return node_refuse(e->node, "the model gives its context twice (cuseq gives it once)");
    if (found != NULL)
      return node_refuse(e->node, "the model gives several contexts and no output of a decoder");
    found = output;
  }
  if (found == NULL)
    return node_refuse(first->node,
                       "the model gives neither an output of a decoder nor a context of an attention");
  found->beside = false;
  *context = found->value.expression;
  return CUSEQ_STATUS_OK;
}

/* ---- how their numbers lie ------------------------------------------------------------------------ */

/* Whether the numbers lie as in cuseq's arrays: by rows, steps, positions and features, whatever axes of
 * one entry are among them. */
static bool in_order(const struct value *value) {
  static const int ranks[] = {
      [AXIS_BATCH] = 0, [AXIS_STEP] = 1, [AXIS_TIME] = 2, [AXIS_FEATURE] = 3, [AXIS_REPEAT] = -1};
  int last = -1;
  for (int32_t i = 0; i < value->axis_count; i++) {
    int rank = ranks[value->axes[i].kind];
    if (rank < 0 && value->axes[i].size == 1)
      continue;
    if (rank <= last)
      return false;
    last = rank;
  }
  return true;
}

static cuseq_status check_order(const struct expressions *expressions, const struct listed_output *output,
                                size_t number) {
  char text[128];
  if (in_order(&output->value))
    return CUSEQ_STATUS_OK;
  return node_refuse(expression_at(expressions, output->value.expression)->node,
                     "output %zu of the model is %s (cuseq's arrays are [batch, steps, time or features])",
                     number, value_describe(expressions, &output->value, text, sizeof text));
}

/* The decoder's outputs: one for each step, or all of them joined. */
static cuseq_status check_steps(struct recogniser *recogniser, const struct listed_outputs *listed,
                                const struct recognised *model) {
  const struct expressions *expressions = recogniser->expressions;
  size_t single = 0, joined = 0;
  for (size_t i = 0; i < listed->count; i++) {
    const struct listed_output *output = &listed->list[i];
    if (output->beside)
      continue;
    TRY(check_order(expressions, output, i + 1));
    single += !output->joined;
    joined += output->joined;
    if (joined + single > 1 && joined > 0)
      return node_refuse(expression_at(expressions, output->value.expression)->node,
                         "output %zu of the model joins some steps of the decoder, or others do "
                         "(needed one output for each step, or one of all)",
                         i + 1);
    if (output->flat)
      TRY(notes_add(recogniser->notes, "output %zu, [batch, %lld], is given as outputs [batch, %d, %d]",
                    i + 1, (long long)expression_at(expressions, output->value.expression)->width,
                    model->steps, model->output.columns));
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

static bool has_steps(enum array array) {
  return array == ARRAY_ALPHAS || array == ARRAY_CONTEXT || array == ARRAY_STATES;
}

/* What an array has at a step, as an expression; -1: it has none. */
static int32_t array_at(const struct expressions *expressions, const struct recognised *model,
                        enum array array, int32_t step) {
  const struct decoder_step *at = &model->step_list[step];
  if (array == ARRAY_CONTEXT)
    return at->context;
  if (array == ARRAY_ALPHAS)
    return expression_at(expressions, at->context)->children[0];
  return array == ARRAY_STATES ? at->cell : -1;
}

/* The cell state that belongs to the last step's hidden state. */
static bool is_last_cell(const struct expressions *expressions, const struct recognised *model,
                         int32_t expression) {
  const struct expression *c = expression_at(expressions, expression);
  if (model->steps == 0 || c->op != EXPRESSION_CELL || c->part != CELL_C)
    return false;
  const struct expression *h = expression_at(expressions, model->step_list[model->steps - 1].cell);
  return c->index == h->index && memcmp(c->children, h->children, 3 * sizeof *c->children) == 0;
}

/* The array that an expression is in, and at which step. */
static enum array find_array(const struct expressions *expressions, const struct recognised *model,
                             int32_t expression, int32_t *step) {
  const struct expression *e = expression_at(expressions, expression);
  int32_t steps = model->steps > 0 ? model->steps : 1;
  for (*step = 0; *step < steps; ++*step)
    for (enum array array = ARRAY_ALPHAS; array <= ARRAY_STATES; array++)
      if (array_at(expressions, model, array, *step) == expression)
        return array;
  *step = 0;
  if (is_last_cell(expressions, model, expression))
    return ARRAY_FINAL_C;
  if (expression == model->annotations)
    return ARRAY_ANNOTATIONS;
  for (int32_t d = 0; e->op == EXPRESSION_FINAL && d < model->final_h.count; d++) {
    if (expression == model->final_h.list[d])
      return d == 0 ? ARRAY_H_FW : ARRAY_H_BW;
    if (expression == model->final_c.list[d])
      return d == 0 ? ARRAY_C_FW : ARRAY_C_BW;
  }
  return ARRAY_NONE;
}

struct beside {
  enum array array;
  int32_t step; /* -1: all of them */
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
                                 size_t number, const struct recognised *model, struct beside *beside) {
  const struct expressions *expressions = recogniser->expressions;
  beside->array = find_array(expressions, model, output->parts[0], &beside->step);
  bool known = beside->array != ARRAY_NONE;
  if (known && output->joined) {
    known = has_steps(beside->array) && output->part_count == (model->steps > 0 ? model->steps : 1);
    for (int32_t k = 0; known && k < output->part_count; k++)
      known = array_at(expressions, model, beside->array, k) == output->parts[k];
    beside->step = -1;
  }
  if (!known)
    return refuse_beside(expressions, output, number);
  const struct graph_node *mask = expressions->layers[model->encoders[0]].mask;
  if (beside->array == ARRAY_ANNOTATIONS && mask != NULL)
    return node_refuse(mask,
                       "output %zu of the model is the annotations, which Keras repeats at masked positions "
                       "(cuseq gives 0 there): make the model without it",
                       number);
  return check_order(expressions, output, number);
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
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
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

cuseq_status outputs_check(struct recogniser *recogniser, const struct listed_outputs *listed,
                           const struct recognised *model) {
  struct beside *list = arena_allocate(recogniser->arena, listed->count * sizeof *list);
  if (list == NULL)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "out of memory");
  TRY(check_steps(recogniser, listed, model));
  for (size_t i = 0; i < listed->count; i++)
    if (listed->list[i].beside)
      TRY(check_beside(recogniser, &listed->list[i], i + 1, model, &list[i]));
  return note_beside(recogniser, list, listed->count);
}
