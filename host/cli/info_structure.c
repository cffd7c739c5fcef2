/* The configuration is the author's JSON, checked when the model was loaded: keys that it leaves out have
 * the values that docs/model-format.md gives them. */
#include "cli/info_structure.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- values ---- */

static const char *word(const json_t *object, const char *key, const char *absent) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : absent;
}

static int number(const json_t *object, const char *key, int absent) {
  const json_t *value = json_object_get(object, key);
  return json_is_integer(value) ? (int)json_integer_value(value) : absent;
}

static bool is_true(const json_t *object, const char *key) {
  return json_is_true(json_object_get(object, key));
}

/* "token, context" */
static void print_list(const json_t *list) {
  for (size_t i = 0; i < json_array_size(list); i++)
    printf("%s%s", i ? ", " : "", json_string_value(json_array_get(list, i)));
}

/* A line of the part before, under its text. */
static void continue_line(void) {
  fputs("\n           ", stdout);
}

/* ---- layers ---- */

static void print_dense(const json_t *dense) {
  const json_t *norm = json_object_get(dense, "norm");
  const int units = number(dense, "units", 0), first = number(norm, "first", 0);
  const int normed = norm ? number(norm, "units", units - first) : 0;
  printf("dense %d", units);
  if (normed > 0 && normed < units)
    printf(" with %d normalised", normed);
  else if (normed > 0)
    fputs(" normalised", stdout);
  printf(" %s", word(dense, "activation", "linear"));
}

static void print_dense_layers(const json_t *layers) {
  for (size_t i = 0; i < json_array_size(layers); i++) {
    fputs(i ? ", " : "", stdout);
    print_dense(json_array_get(layers, i));
  }
}

/* "GRU of 3 units (reset before)": what is as usual is not said. */
static void print_cell(const json_t *cell) {
  bool gru = strcmp(word(cell, "kind", "lstm"), "gru") == 0;
  const char *activation = word(cell, "activation", "tanh"),
             *gates = word(cell, "recurrent_activation", "sigmoid");
  printf("%s of %d units", gru ? "GRU" : "LSTM", number(cell, "units", 0));
  if (gru)
    printf(", reset %s", word(cell, "reset", "after"));
  if (strcmp(activation, "tanh") != 0 || strcmp(gates, "sigmoid") != 0)
    printf(", %s, gates %s", activation, gates);
}

/* "concat: dense 4 tanh, dense 1 linear, scale 0.5" */
static void print_score(const json_t *attention) {
  const json_t *layers = json_object_get(attention, "layers");
  fputs(word(attention, "score", ""), stdout);
  if (layers) {
    fputs(": ", stdout);
    print_dense_layers(layers);
  }
  if (number(attention, "units", 0) > 0)
    printf(": %d units", number(attention, "units", 0));
  if (number(attention, "heads", 1) > 1)
    printf(" of %d heads", number(attention, "heads", 1));
  if (json_object_get(attention, "scale"))
    printf(", scale %g", json_number_value(json_object_get(attention, "scale")));
}

/* What keys, values and queries go through, each after what `before` prints. */
static void print_maps(const json_t *attention, void before(void)) {
  static const char *const maps[] = {"key", "value", "query"};
  for (int i = 0; i < 3; i++) {
    const json_t *map = json_object_get(attention, maps[i]);
    if (!map)
      continue;
    before();
    printf("%s through ", maps[i]);
    print_dense(map);
  }
}

static void print_comma(void) {
  fputs(", ", stdout);
}

static void print_self_attention(const json_t *attention) {
  fputs(", attends to itself (", stdout);
  print_score(attention);
  print_maps(attention, print_comma);
  fputs(is_true(attention, "beside") ? "; itself beside the context)" : ")", stdout);
}

static void print_encoder_layer(const json_t *layer) {
  const char *direction = word(layer, "direction", "forward");
  bool both = strcmp(direction, "bidirectional") == 0;
  const json_t *backward = json_object_get(layer, "backward_cell"), *dense = json_object_get(layer, "dense"),
               *weighting = json_object_get(layer, "weighting");
  printf("%s ", direction);
  print_cell(json_object_get(layer, "cell"));
  if (both && backward) {
    fputs(" and backward ", stdout);
    print_cell(backward);
  }
  if (both)
    printf(", merge %s", word(layer, "merge", "concat"));
  if (is_true(layer, "residual"))
    fputs(", residual", stdout);
  if (weighting)
    printf(", weights of its %d positions for each feature", number(weighting, "positions", 0));
  if (json_object_get(layer, "self_attention"))
    print_self_attention(json_object_get(layer, "self_attention"));
  if (dense) {
    fputs(", then ", stdout);
    print_dense(dense);
  }
}

/* ": words 1, price 2 (the same at every position)". */
static void print_parts(const json_t *parts) {
  for (size_t i = 0; i < json_array_size(parts); i++) {
    const json_t *part = json_array_get(parts, i);
    printf("%s %s %d", i > 0 ? "," : ":", json_string_value(json_object_get(part, "name")),
           number(part, "columns", 1));
    if (is_true(part, "repeated"))
      fputs(" (the same at every position)", stdout);
    if (number(part, "behind", 0) > 0)
      printf(" (behind %d positions of zeros)", number(part, "behind", 0));
  }
}

static void print_encoder(const json_t *root, const cuseq_config *config) {
  const json_t *input = json_object_get(root, "input");
  const json_t *layers = json_object_get(json_object_get(root, "encoder"), "layers");
  printf("input      %d features", (int)config->features);
  print_parts(json_object_get(input, "parts"));
  if (number(input, "embedding", 0) > 0)
    printf(", embedded in %d units", number(input, "embedding", 0));
  for (size_t i = 0; i < json_array_size(json_object_get(input, "lookups")); i++) {
    const json_t *lookup = json_array_get(json_object_get(input, "lookups"), i);
    const int first = number(lookup, "column", 0), columns = number(lookup, "columns", 1);
    printf(", column%s %d", columns > 1 ? "s" : "", first);
    if (columns > 1)
      printf(" to %d", first + columns - 1);
    printf(" of %d ids embedded in %d units", number(lookup, "ids", 0), number(lookup, "units", 0));
  }
  if (is_true(input, "affine"))
    fputs(", scaled and shifted", stdout);
  printf("\nencoder    %zu layer%s, annotations %d wide", json_array_size(layers),
         json_array_size(layers) == 1 ? "" : "s", (int)config->annotation_width);
  for (size_t l = 0; l < json_array_size(layers); l++) {
    continue_line();
    printf("layer %zu: ", l);
    print_encoder_layer(json_array_get(layers, l));
  }
  putchar('\n');
}

/* ---- attention ---- */

static void print_asks(const json_t *attention, const json_t *decoder) {
  const char *asks = word(attention, "asks", "previous");
  size_t layers = json_array_size(json_object_get(decoder, "layers"));
  if (strcmp(asks, "token") == 0)
    fputs(", asked by the token", stdout);
  else if (layers > 0)
    printf(", asked by the %s state of decoder layer %d", asks, number(attention, "layer", (int)layers - 1));
}

static void print_attention(const json_t *root) {
  const json_t *attention = json_object_get(root, "attention");
  if (!attention)
    return;
  fputs("attention  ", stdout);
  print_score(attention);
  print_asks(attention, json_object_get(root, "decoder"));
  print_maps(attention, continue_line);
  if (number(attention, "positions", 0) > 0) {
    continue_line();
    printf("a bias for each of %d positions", number(attention, "positions", 0));
  }
  putchar('\n');
}

/* ---- decoder ---- */

/* Where a state begins; `usual` is the kind of state that it takes where nothing is said. */
static void print_initial(const json_t *initial, const char *usual, int last_layer) {
  const char *from = word(initial, "from", "encoder"), *directions = word(initial, "directions", "concat");
  const json_t *dense = json_object_get(initial, "dense");
  if (strcmp(from, "zeros") == 0) {
    fputs("zeros", stdout);
    return;
  }
  if (strcmp(from, "other") == 0) {
    fputs("the other state", stdout);
    return;
  }
  printf("encoder layer %d's %s", number(initial, "layer", last_layer), word(initial, "state", usual));
  if (strcmp(directions, "concat") != 0)
    printf(" (%s)", directions);
  if (dense) {
    fputs(" through ", stdout);
    print_dense(dense);
  }
}

static void print_decoder_layer(const json_t *layer, int last_encoder_layer) {
  const json_t *cell = json_object_get(layer, "cell");
  print_cell(cell);
  if (is_true(layer, "residual"))
    fputs(", residual", stdout);
  if (is_true(layer, "reads_context"))
    fputs(", reads the context", stdout);
  fputs("; h begins with ", stdout);
  print_initial(json_object_get(layer, "initial_h"), "h", last_encoder_layer);
  if (strcmp(word(cell, "kind", "lstm"), "lstm") == 0) {
    fputs(", c with ", stdout);
    print_initial(json_object_get(layer, "initial_c"), "c", last_encoder_layer);
  }
}

static void print_feedback(const json_t *decoder, const cuseq_config *config) {
  const char *feedback = word(decoder, "feedback", "none");
  if (strcmp(feedback, "none") == 0)
    return;
  continue_line();
  const bool probabilities = strcmp(feedback, "probabilities") == 0;
  fputs(strcmp(feedback, "given") == 0 ? "follows the caller's tokens"
        : probabilities                ? "reads its last probabilities"
                                       : "follows its last output",
        stdout);
  if (json_is_string(json_object_get(decoder, "embedding")))
    fputs(", embedded as the input", stdout);
  else if (number(decoder, "embedding", 0) > 0)
    printf(", embedded in %d units", number(decoder, "embedding", 0));
  else if (!probabilities)
    fputs(", one-hot", stdout);
  if (config->start_token >= 0)
    printf(", from token %d", (int)config->start_token);
}

static void print_decoder(const json_t *root, const cuseq_config *config) {
  const json_t *decoder = json_object_get(root, "decoder"), *layers = json_object_get(decoder, "layers");
  const json_t *attentional = json_object_get(decoder, "attentional");
  int last = (int)json_array_size(json_object_get(json_object_get(root, "encoder"), "layers")) - 1;
  if (!decoder)
    return;
  printf("decoder    %zu layer%s, %d steps, reads ", json_array_size(layers),
         json_array_size(layers) == 1 ? "" : "s", (int)config->steps);
  print_list(json_object_get(decoder, "reads"));
  for (size_t l = 0; l < json_array_size(layers); l++) {
    continue_line();
    printf("layer %zu: ", l);
    print_decoder_layer(json_array_get(layers, l), last);
  }
  if (attentional) {
    continue_line();
    fputs("attentional: ", stdout);
    print_dense(attentional);
    fputs(" over ", stdout);
    print_list(json_object_get(attentional, "parts"));
  }
  if (config->given_width > 0) {
    continue_line();
    printf("each step is given %d number%s", (int)config->given_width, config->given_width == 1 ? "" : "s");
  }
  print_feedback(decoder, config);
  if (config->end_token >= 0) {
    continue_line();
    printf("ends with token %d", (int)config->end_token);
  }
  putchar('\n');
}

/* The state that asks in a model without a decoder. */
static void print_state(const json_t *root, const cuseq_config *config) {
  if (!json_object_get(root, "attention") || json_object_get(root, "decoder"))
    return;
  int last = (int)json_array_size(json_object_get(json_object_get(root, "encoder"), "layers")) - 1;
  printf("state      %d units, ", (int)config->state_units);
  print_initial(json_object_get(root, "state"), "h", last);
  putchar('\n');
}

/* ---- output ---- */

/* What a head of a model without a decoder is over: a word, or several side by side. */
static void print_over(const json_t *over) {
  for (size_t i = 0; i < json_array_size(over); i++) {
    const json_t *item = json_array_get(over, i), *layer = json_object_get(item, "layer");
    fputs(i > 0 ? ", " : "", stdout);
    fputs(json_is_string(item) ? json_string_value(item) : word(item, "over", ""), stdout);
    if (json_is_object(item) && strcmp(word(item, "state", "h"), "c") == 0)
      fputs(" c", stdout);
    if (json_object_get(item, "count"))
      printf(" (%lld)", (long long)json_integer_value(json_object_get(item, "count")));
    if (layer)
      printf(" of layer %lld", (long long)json_integer_value(layer));
  }
  if (json_is_string(over))
    printf("%s%s", json_string_value(over), strcmp(json_string_value(over), "every") == 0 ? " position" : "");
}

static void print_head(const json_t *head, bool decodes) {
  const json_t *parts = json_object_get(head, "parts");
  print_dense_layers(json_object_get(head, "layers"));
  fputs(" over ", stdout);
  if (!decodes)
    print_over(json_object_get(head, "over"));
  else if (parts)
    print_list(parts);
  else
    fputs("state", stdout);
  if (is_true(head, "tied"))
    fputs(", tied to the embedding", stdout);
}

static void print_output(const json_t *root) {
  const json_t *output = json_object_get(root, "output"), *heads = json_object_get(output, "heads");
  bool decodes = json_object_get(root, "decoder") != NULL;
  if (!output)
    return;
  fputs("output     ", stdout);
  if (!heads)
    print_head(output, decodes);
  for (size_t i = 0; i < json_array_size(heads); i++) {
    const json_t *head = json_array_get(heads, i);
    if (i > 0)
      continue_line();
    if (json_object_get(head, "name"))
      printf("%s: ", word(head, "name", ""));
    else
      printf("head %zu: ", i);
    print_head(head, decodes);
  }
  putchar('\n');
}

bool info_structure(const cuseq_model *model) {
  json_t *root = json_loads(cuseq_model_config_json(model), 0, NULL);
  bool described = number(root, "version", 0) == 2;
  if (described) {
    const cuseq_config *config = cuseq_model_config(model);
    print_encoder(root, config);
    print_attention(root);
    print_state(root, config);
    print_decoder(root, config);
    print_output(root);
  }
  json_decref(root);
  return described;
}
