/* A description to begin with: which modules are the encoder's, which the decoder's, is told by their names
 * and widths; what arrays cannot tell is to be filled in. */
#include "convert/arrays/inspect.h"

#include "error.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MODULES_MOST = 256 };

/* What is proposed of which modules. */
struct proposal {
  const struct inspection *inspection;
  json_t *names, *decoder;
  bool taken[MODULES_MOST];
  int64_t width;  /* of the annotations */
  int64_t tokens; /* rows of the decoder's embedding; 0: not known */
  int64_t units;  /* of the decoder's last layer */
  bool attends;
};

/* ---- modules -------------------------------------------------------------------------------------- */

static const struct inspected_module *module_at(const struct proposal *proposal, size_t i) {
  return &proposal->inspection->modules[i];
}

static size_t module_count(const struct proposal *proposal) {
  return proposal->inspection->count < MODULES_MOST ? proposal->inspection->count : MODULES_MOST;
}

static bool has_word(const char *name, const char *const *words) {
  for (; *words != NULL; words++)
    if (strcasestr(name, *words) != NULL)
      return true;
  return false;
}

static bool is_decoders(const char *name) {
  static const char *const words[] = {"dec", "speller", "target", "trg", "tgt", NULL};
  return has_word(name, words);
}

static bool is_attentions(const char *name) {
  static const char *const words[] = {"att", "energy", "score", "align", NULL};
  return has_word(name, words);
}

static bool is_recurrent(const struct inspected_module *module) {
  return module->kind == INSPECTED_LSTM || module->kind == INSPECTED_GRU;
}

/* Rows and width of what may be an embedding; 0 of what may not. PyTorch's weight lies [rows,width]. */
static int64_t table_rows(const struct inspected_module *module) {
  return module->kind == INSPECTED_EMBEDDING                                          ? module->inputs
         : module->kind == INSPECTED_LINEAR_OR_EMBEDDING                              ? module->units
         : module->kind == INSPECTED_OTHER && strcasestr(module->name, "emb") != NULL ? module->inputs
                                                                                      : 0;
}
static int64_t table_width(const struct inspected_module *module) {
  return module->kind == INSPECTED_LINEAR_OR_EMBEDDING ? module->inputs : module->units;
}

/* Whether the module may be a dense layer: a matrix by itself may lie either way round. */
static bool is_dense(const struct inspected_module *module, int64_t inputs) {
  return (module->kind == INSPECTED_LINEAR || module->kind == INSPECTED_LINEAR_OR_EMBEDDING) &&
         module->inputs == inputs;
}

/* Puts a module under a key of names. */
static void name_it(struct proposal *proposal, const char *key, size_t i, int layer) {
  static const char *const roles[] = {"kernel", "recurrent_kernel", "bias", "recurrent_bias"};
  const struct inspected_module *module = module_at(proposal, i);
  const char *gates = module->kind == INSPECTED_GRU ? "FILL IN: r,z,n or z,r,n" : "FILL IN: i,f,c,o, say";
  json_t *value = json_string(module->name);
  proposal->taken[i] = true;
  if (module->arrays[0] != NULL) {
    json_decref(value);
    value = json_object();
    if (is_recurrent(module))
      json_object_set_new(value, "gates", json_string(gates));
    for (int role = 0; role < 4; role++)
      if (module->arrays[role] != NULL)
        json_object_set_new(value, roles[role], json_string(module->arrays[role]->name));
  } else if (layer >= 0) {
    json_decref(value);
    value = json_pack("{s:s,s:i}", "name", module->name, "layer", layer);
  }
  json_object_set_new(proposal->names, key, value);
}

static json_t *cell_of(const struct inspected_module *module) {
  json_t *cell = json_pack("{s:s,s:I}", "kind", module->kind == INSPECTED_LSTM ? "lstm" : "gru", "units",
                           (json_int_t)module->units);
  if (!module->bias)
    json_object_set_new(cell, "bias", json_false());
  if (module->kind == INSPECTED_GRU && module->bias && !module->recurrent_too)
    json_object_set_new(cell, "reset", json_string("before"));
  return cell;
}

/* ---- encoder -------------------------------------------------------------------------------------- */

/* The next untaken recurrent module of the encoder, or of the decoder; module_count where there is none. */
static size_t next_recurrent(const struct proposal *proposal, bool decoders, size_t i) {
  for (; i < module_count(proposal); i++) {
    const struct inspected_module *module = module_at(proposal, i);
    if (is_recurrent(module) && !proposal->taken[i] && is_decoders(module->name) == decoders)
      break;
  }
  return i;
}

/* A dense layer from one width to another, between two layers of the encoder. */
static json_t *dense_between(struct proposal *proposal, int layer, int64_t from, int64_t to) {
  for (size_t i = 0; i < module_count(proposal); i++) {
    const struct inspected_module *module = module_at(proposal, i);
    char key[64];
    if (proposal->taken[i] || !is_dense(module, from) || module->units != to)
      continue;
    snprintf(key, sizeof key, "encoder.layers.%d.dense", layer);
    name_it(proposal, key, i, -1);
    return json_pack("{s:I,s:s,s:b}", "units", (json_int_t)to, "activation",
                     "FILL IN: linear, tanh, relu or another", "bias", module->bias);
  }
  return NULL;
}

static json_t *encoder_of(struct proposal *proposal, int64_t *inputs) {
  json_t *layers = json_array();
  size_t first = next_recurrent(proposal, false, 0), count = 0;
  for (size_t i = first; i < module_count(proposal); i = next_recurrent(proposal, false, i + 1))
    count++;
  for (size_t i = first; i < module_count(proposal); i = next_recurrent(proposal, false, i + 1)) {
    const struct inspected_module *module = module_at(proposal, i);
    int number = (int)json_array_size(layers);
    if (number > 0 && module->inputs != proposal->width) {
      json_t *dense = dense_between(proposal, number - 1, proposal->width, module->inputs);
      if (dense != NULL)
        json_object_set_new(json_array_get(layers, (size_t)number - 1), "dense", dense);
    }
    for (int layer = 0; layer < module->layers; layer++) {
      char key[64] = "encoder";
      json_array_append_new(layers, json_pack("{s:o,s:s}", "cell", cell_of(module), "direction",
                                              module->directions == 2 ? "bidirectional" : "forward"));
      if (count > 1)
        snprintf(key, sizeof key, "encoder.layers.%d", number + layer);
      name_it(proposal, key, i, count > 1 && module->layers > 1 ? layer : -1);
    }
    proposal->width = module->units * module->directions;
    *inputs = number == 0 ? module->inputs : *inputs;
  }
  return json_pack("{s:o}", "layers", layers);
}

/* ---- embeddings ----------------------------------------------------------------------------------- */

/* An untaken table; of this width, or of any where it is 0. Those that are called embeddings come first. */
static size_t find_table(const struct proposal *proposal, int64_t width, bool decoders) {
  size_t found = module_count(proposal);
  for (size_t i = 0; i < module_count(proposal); i++) {
    const struct inspected_module *module = module_at(proposal, i);
    bool called = module->kind == INSPECTED_EMBEDDING || strcasestr(module->name, "emb") != NULL ||
                  strcasestr(module->name, "lut") != NULL;
    if (proposal->taken[i] || table_rows(module) == 0 || (width > 0 && table_width(module) != width) ||
        (width == 0 && !called) || is_decoders(module->name) != decoders)
      continue;
    if (called)
      return i;
    found = found == module_count(proposal) ? i : found;
  }
  return found;
}

static json_t *input_of(struct proposal *proposal, int64_t inputs) {
  size_t i = find_table(proposal, inputs, false);
  if (i == module_count(proposal))
    return json_pack("{s:I}", "features", (json_int_t)inputs);
  name_it(proposal, "input.embedding", i, -1);
  return json_pack("{s:I,s:I}", "features", (json_int_t)table_rows(module_at(proposal, i)), "embedding",
                   (json_int_t)inputs);
}

/* ---- decoder -------------------------------------------------------------------------------------- */

/* What the first layer reads, as far as widths tell: the token, and the context or the attentional vector
 * behind it. */
static json_t *reads_of(struct proposal *proposal, int64_t inputs, int64_t embedding, int64_t units) {
  bool context = inputs == embedding + proposal->width, attentional = inputs == embedding + units;
  if (inputs == embedding)
    return json_pack("[s]", "token");
  proposal->attends = true;
  if (context && !attentional)
    return json_pack("[s,s]", "token", "context");
  if (attentional && !context) {
    json_object_set_new(proposal->decoder, "attentional",
                        json_pack("{s:s,s:I,s:s}", "parts",
                                  "FILL IN: [\"context\", \"state\"], in their order", "units",
                                  (json_int_t)units, "activation", "tanh"));
    return json_pack("[s,s]", "token", "attentional");
  }
  return json_string("FILL IN: [\"token\", \"context\"], or with \"attentional\", in their order");
}

static json_t *decoder_layer_of(const struct inspected_module *module, bool context) {
  static const char states[] =
      "FILL IN: {\"from\": \"zeros\"}, or {\"from\": \"encoder\", \"layer\": 0}, say";
  json_t *layer = json_pack("{s:o,s:s}", "cell", cell_of(module), "initial_h", states);
  if (module->kind == INSPECTED_LSTM)
    json_object_set_new(layer, "initial_c", json_string(states));
  if (context)
    json_object_set_new(layer, "reads_context", json_true());
  return layer;
}

static void decoder_of(struct proposal *proposal) {
  json_t *layers = json_array();
  size_t first = next_recurrent(proposal, true, 0), count = 0;
  for (size_t i = first; i < module_count(proposal); i = next_recurrent(proposal, true, i + 1))
    count++;
  if (count == 0) {
    json_decref(layers);
    return;
  }
  proposal->decoder = json_object();
  const struct inspected_module *cell = module_at(proposal, first);
  size_t table = find_table(proposal, 0, true);
  if (table == module_count(proposal))
    table = find_table(proposal, 0, false);
  int64_t embedding = table < module_count(proposal) ? table_width(module_at(proposal, table)) : 0;
  json_object_set_new(proposal->decoder, "reads", reads_of(proposal, cell->inputs, embedding, cell->units));
  if (embedding > 0) {
    json_object_set_new(proposal->decoder, "embedding", json_integer((json_int_t)embedding));
    proposal->tokens = table_rows(module_at(proposal, table));
    name_it(proposal, "decoder.embedding", table, -1);
  }
  json_object_set_new(proposal->decoder, "feedback", json_string("output"));
  json_object_set_new(proposal->decoder, "start_token",
                      json_string("FILL IN: the token that a text begins with"));
  json_object_set_new(proposal->decoder, "end_token",
                      json_string("FILL IN, or take it out: the token that ends a text"));
  json_object_set_new(proposal->decoder, "steps", json_string("FILL IN: how many tokens a text has at most"));
  for (size_t i = first; i < module_count(proposal); i = next_recurrent(proposal, true, i + 1)) {
    const struct inspected_module *module = module_at(proposal, i);
    int number = (int)json_array_size(layers);
    for (int layer = 0; layer < module->layers; layer++) {
      char key[64] = "decoder";
      bool context = layer == 0 && number > 0 && module->inputs == proposal->units + proposal->width;
      json_array_append_new(layers, decoder_layer_of(module, context));
      if (count > 1)
        snprintf(key, sizeof key, "decoder.layers.%d", number + layer);
      name_it(proposal, key, i, count > 1 && module->layers > 1 ? layer : -1);
    }
    proposal->units = module->units;
  }
  json_object_set_new(proposal->decoder, "layers", layers);
}

/* ---- output --------------------------------------------------------------------------------------- */

/* The last untaken dense layer of this many outputs, or of any where it is 0, but for those of attention. */
static size_t find_output(const struct proposal *proposal, int64_t units) {
  size_t found = module_count(proposal);
  for (size_t i = 0; i < module_count(proposal); i++) {
    const struct inspected_module *module = module_at(proposal, i);
    if (!proposal->taken[i] && is_dense(module, module->inputs) && !is_attentions(module->name) &&
        (units == 0 || module->units == units))
      found = i;
  }
  return found;
}

/* Adds a dense layer to a head's, under the key PREFIX.layers.N of names. */
static void add_layer(struct proposal *proposal, json_t *layers, const char *prefix, size_t i,
                      const char *activation) {
  const struct inspected_module *module = module_at(proposal, i);
  char key[64];
  snprintf(key, sizeof key, "%s.layers.%zu", prefix, json_array_size(layers));
  name_it(proposal, key, i, -1);
  json_array_append_new(layers, json_pack("{s:I,s:s,s:b}", "units", (json_int_t)module->units, "activation",
                                          activation, "bias", module->bias));
}

/* The layers of a head that begins with a dense layer, and goes on with the next one where that reads what it
 * gives. */
static json_t *head_of(struct proposal *proposal, const char *prefix, size_t i) {
  json_t *layers = json_array();
  size_t next = i + 1;
  while (next < module_count(proposal) && proposal->taken[next])
    next++;
  bool two =
      next < module_count(proposal) && is_dense(module_at(proposal, next), module_at(proposal, i)->units);
  add_layer(proposal, layers, prefix, i, two ? "FILL IN: relu, tanh, linear or another" : "softmax");
  if (two)
    add_layer(proposal, layers, prefix, next, "softmax");
  return json_pack("{s:s,s:o}", "over", "FILL IN: every (position), final, last, mean or maximum", "layers",
                   layers);
}

static bool begins_head(const struct proposal *proposal, size_t i) {
  const struct inspected_module *module = module_at(proposal, i);
  return !proposal->taken[i] && is_dense(module, proposal->width) && !is_attentions(module->name);
}

/* The heads of a model that does not decode: all that read annotations. */
static json_t *heads_of(struct proposal *proposal) {
  json_t *heads = json_array(), *only;
  size_t count = 0;
  for (size_t i = 0; i < module_count(proposal); i++)
    count += begins_head(proposal, i);
  for (size_t i = 0; i < module_count(proposal); i++) {
    char prefix[32] = "output";
    if (!begins_head(proposal, i))
      continue;
    if (count > 1)
      snprintf(prefix, sizeof prefix, "output.heads.%zu", json_array_size(heads));
    json_array_append_new(heads, head_of(proposal, prefix, i));
  }
  if (json_array_size(heads) > 1)
    return json_pack("{s:o}", "heads", heads);
  only = json_incref(json_array_get(heads, 0));
  json_decref(heads);
  return only;
}

static json_t *output_of(struct proposal *proposal) {
  if (proposal->decoder == NULL)
    return heads_of(proposal);
  size_t last = find_output(proposal, proposal->tokens);
  if (last == module_count(proposal))
    return NULL;
  const struct inspected_module *module = module_at(proposal, last);
  json_t *output = json_object(), *layers = json_array();
  add_layer(proposal, layers, "output", last, "softmax");
  if (json_object_get(proposal->decoder, "attentional") != NULL)
    json_object_set_new(output, "parts", json_pack("[s]", "attentional"));
  else if (module->inputs != proposal->units)
    json_object_set_new(output, "parts",
                        json_string("FILL IN: [\"state\", \"context\"], say, in their order"));
  json_object_set_new(output, "layers", layers);
  return output;
}

/* ---- all together --------------------------------------------------------------------------------- */

static bool has_attention(const struct proposal *proposal) {
  bool has = proposal->attends;
  for (size_t i = 0; i < module_count(proposal); i++)
    has = has || (!proposal->taken[i] && is_attentions(module_at(proposal, i)->name));
  return has;
}

static json_t *make(struct proposal *proposal) {
  json_t *root = json_pack("{s:i}", "version", 2);
  int64_t inputs = 0;
  json_t *encoder = encoder_of(proposal, &inputs);
  json_object_set_new(root, "input", input_of(proposal, inputs));
  json_object_set_new(root, "encoder", encoder);
  decoder_of(proposal);
  json_t *output = output_of(proposal);
  if (has_attention(proposal))
    json_object_set_new(root, "attention",
                        json_pack("{s:s,s:s}", "score", "FILL IN: dot, general, additive or concat", "asks",
                                  "FILL IN: previous (state, Bahdanau), current (Luong) or token"));
  if (proposal->decoder != NULL)
    json_object_set(root, "decoder", proposal->decoder);
  if (output != NULL)
    json_object_set_new(root, "output", output);
  json_object_set(root, "names", proposal->names);
  return root;
}

cuseq_status inspection_propose(const struct inspection *inspection, char **json) {
  struct proposal *proposal = calloc(1, sizeof *proposal);
  *json = NULL;
  if (proposal == NULL)
    return error_out_of_memory();
  proposal->inspection = inspection;
  cuseq_status status = CUSEQ_STATUS_OK;
  if (next_recurrent(proposal, false, 0) == module_count(proposal)) {
    status = error_set(CUSEQ_STATUS_INVALID_MODEL, "no arrays of an LSTM or GRU that could be an encoder");
  } else {
    proposal->names = json_object();
    json_t *root = make(proposal);
    *json = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    if (*json == NULL)
      status = error_out_of_memory();
  }
  json_decref(proposal->decoder);
  json_decref(proposal->names);
  free(proposal);
  return status;
}
