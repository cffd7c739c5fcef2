/* Which output of the encoder an input of the decoder's step is: what the caller says, what it is made of,
 * its width. */
#include "convert/keras/layers.h"
#include "convert/keras/pair.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

static const struct expression *given_at(const struct keras_pair *pair, int32_t output) {
  return expression_at(&pair->evaluator->expressions, pair->given[output].expression);
}

static const char *output_name(const struct keras_pair *pair, int32_t output) {
  return pair->encoder->outputs[output].layer->node.name;
}

/* Several outputs, or none, may be meant by an input. */
static cuseq_status refuse_link(const struct keras_pair *pair, const struct pair_input *input, int found) {
  char outputs[512] = "";
  size_t used = 0;
  for (size_t i = 0; i < pair->encoder->output_count && used + 1 < sizeof outputs; i++)
    used += (size_t)snprintf(outputs + used, sizeof outputs - used, "%s%zu '%.40s'", i == 0 ? "" : ", ",
                             i + 1, output_name(pair, (int32_t)i));
  return layer_refuse(input->layer,
                      "%s of the encoder's outputs may be what this input begins with: say which with --link "
                      "%.80s=NUMBER, or =zeros (%s)",
                      found == 0 ? "none" : "several", input->layer->node.name, outputs);
}

/* ---- what the caller says ------------------------------------------------------------------------- */

/* An output by its number, from 1 on, or by its layer's name; -1: there is none, or several. */
static int32_t find_output(const struct keras_pair *pair, const char *name, size_t length) {
  char *end, text[16] = "";
  int32_t found = -1;
  memcpy(text, name, length < sizeof text - 1 ? length : sizeof text - 1);
  const long number = strtol(text, &end, 10);
  if (end != text && *end == '\0')
    return number >= 1 && (size_t)number <= pair->encoder->output_count ? (int32_t)number - 1 : -1;
  for (size_t i = 0; i < pair->encoder->output_count; i++)
    if (strlen(output_name(pair, (int32_t)i)) == length &&
        memcmp(output_name(pair, (int32_t)i), name, length) == 0)
      found = found == -1 ? (int32_t)i : -2;
  return found < 0 ? -1 : found;
}

static cuseq_status read_links(struct keras_pair *pair) {
  for (const char *at = pair->links; at != NULL && *at != '\0';) {
    const size_t length = strcspn(at, ","), left = strcspn(at, "=");
    const int shown = length < 100 ? (int)length : 100;
    struct pair_input *input = NULL;
    for (int32_t i = 0; left < length && i < pair->input_count; i++) {
      const char *name = pair->inputs[i].layer->node.name;
      if (strlen(name) == left && memcmp(name, at, left) == 0)
        input = &pair->inputs[i];
    }
    if (input == NULL)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "--link '%.*s': the decoder has no such input (needed INPUT=OUTPUT)", shown, at);
    const char *name = at + left + 1;
    const size_t rest = length - left - 1;
    input->linked = true;
    input->zeros = rest == 5 && memcmp(name, "zeros", rest) == 0;
    input->output = input->zeros ? -1 : find_output(pair, name, rest);
    if (!input->zeros && input->output < 0)
      return error_set(
          CUSEQ_STATUS_INVALID_ARGUMENT,
          "--link '%.*s': no output of the encoder (needed its number, from 1 to %zu, its layer's "
          "name where that gives one, or zeros)",
          shown, at, pair->encoder->output_count);
    at += length + (at[length] == ',');
  }
  return CUSEQ_STATUS_OK;
}

/* ---- tokens and sequences ------------------------------------------------------------------------- */

static int64_t size_at(const json_t *shape, size_t at) {
  const json_t *size = json_array_get(shape, at);
  return json_is_integer(size) ? json_integer_value(size) : -1;
}

static bool reads(const struct graph_argument *argument, const struct keras_layer *layer) {
  bool found = argument->kind == ARGUMENT_TENSOR && argument->reference.layer == layer;
  for (size_t i = 0; argument->kind == ARGUMENT_LIST && i < argument->count; i++)
    found = found || reads(&argument->items[i], layer);
  return found;
}

/* Whether an Embedding reads an input, or rows are made one-hot of it. */
static bool is_looked_up(const struct keras_model *model, const struct keras_layer *input) {
  for (size_t i = 0; i < model->layer_count; i++) {
    const struct keras_layer *layer = &model->layers[i];
    const bool table =
        strcmp(layer->node.class_name, "Embedding") == 0 || strcmp(layer->node.class_name, "OneHot") == 0;
    for (size_t k = 0; table && k < layer->call_count; k++)
      for (size_t n = 0; n < layer->calls[k].count; n++)
        if (reads(&layer->calls[k].arguments[n], input))
          return true;
  }
  return false;
}

/* The encoder's outputs over positions that an input may be: of its width, and of its length where both are
 * known. -1: none, -2: several. */
static int32_t find_sequence(const struct keras_pair *pair, const json_t *shape) {
  int32_t found = -1;
  for (size_t i = 0; json_array_size(shape) == 3 && i < pair->encoder->output_count; i++) {
    const struct value *value = &pair->given[i];
    if (!value_has_axes(&pair->evaluator->expressions, value, "BTF") ||
        given_at(pair, (int32_t)i)->clocks == 0 || size_at(shape, 2) != given_at(pair, (int32_t)i)->width)
      continue;
    const int64_t length = size_at(shape, 1);
    if (length >= 0 && value->axes[1].size >= 0 && length != value->axes[1].size)
      continue;
    found = found == -1 ? (int32_t)i : -2;
  }
  return found;
}

static cuseq_status sort_input(struct keras_pair *pair, struct pair_input *input) {
  const json_t *shape = layer_input_shape(input->layer);
  const size_t rank = json_array_size(shape);
  const int32_t sequence = find_sequence(pair, shape);
  input->token = is_looked_up(pair->step, input->layer);
  if (input->token && rank == 2 && size_at(shape, 1) > 1)
    return layer_refuse(input->layer, "it reads %lld tokens at a step (needed one)",
                        (long long)size_at(shape, 1));
  if (input->token || input->linked || rank != 3)
    return CUSEQ_STATUS_OK;
  if (sequence == -2)
    return refuse_link(pair, input, 2);
  input->sequence = sequence >= 0;
  input->output = sequence;
  input->token = sequence < 0 && size_at(shape, 1) <= 1 && size_at(shape, 2) > 1; /* one-hot */
  return CUSEQ_STATUS_OK;
}

cuseq_status keras_pair_sort(struct keras_pair *pair) {
  int32_t tokens = 0;
  if (pair->step->input_count > PAIR_MAX_INPUTS)
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "the decoder has %zu inputs (needed at most %d)",
                     pair->step->input_count, PAIR_MAX_INPUTS);
  pair->input_count = (int32_t)pair->step->input_count;
  for (int32_t i = 0; i < pair->input_count; i++)
    pair->inputs[i] = (struct pair_input){.layer = pair->step->inputs[i].layer, .output = -1, .after = -1};
  TRY(read_links(pair));
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct pair_input *input = &pair->inputs[i];
    TRY(sort_input(pair, input));
    if (input->linked && input->output >= 0)
      input->sequence = given_at(pair, input->output)->clocks != 0;
    tokens += input->token;
    if (tokens > 1)
      return layer_refuse(input->layer, "it is a second token that the decoder reads at a step (needed one)");
  }
  return CUSEQ_STATUS_OK;
}

/* ---- states --------------------------------------------------------------------------------------- */

/* Which final states an expression is made of: bit 0 hidden, bit 1 cell states. */
static int states_in(const struct expressions *expressions, int32_t expression, int depth) {
  const struct expression *e = expression_at(expressions, expression);
  if (e->op == EXPRESSION_FINAL)
    return e->part == FINAL_FORWARD_C || e->part == FINAL_BACKWARD_C ? 2 : 1;
  int found = 0;
  for (int32_t i = 0; depth < MAX_DEPTH && i < e->child_count; i++)
    found |= states_in(expressions, e->children[i], depth + 1);
  return found;
}

static bool is_taken(const struct keras_pair *pair, int32_t output) {
  for (int32_t i = 0; i < pair->input_count; i++)
    if (pair->inputs[i].output == output)
      return true;
  return false;
}

/* What tells inputs and outputs apart is which of a cell's two states they are. */
cuseq_status keras_pair_begin(struct keras_pair *pair, struct pair_input *input, bool cell) {
  const struct expressions *expressions = &pair->evaluator->expressions;
  const int32_t width = expression_at(expressions, input->value.expression)->width;
  int32_t found = -1;
  int count = 0;
  if (input->linked)
    return CUSEQ_STATUS_OK;
  for (int32_t i = 0; (size_t)i < pair->encoder->output_count; i++) {
    const struct expression *e = given_at(pair, i);
    if (e->clocks != 0 || e->width != width || is_taken(pair, i) ||
        states_in(expressions, pair->given[i].expression, 0) != (cell ? 2 : 1))
      continue;
    /* an encoder may list its last output, which is its hidden state */
    count += found < 0 || pair->given[found].expression != pair->given[i].expression;
    found = i;
  }
  if (count != 1)
    return refuse_link(pair, input, count);
  input->output = found;
  return CUSEQ_STATUS_OK;
}
