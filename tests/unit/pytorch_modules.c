/* Modules of PyTorch checkpoints: one that is not what a description maps it to says what it is, and every
 * tensor of a mapped module is used or the reason of a refusal. */
#include "pytorch_case.h"

TestSuite(modules, .init = folder_make, .fini = folder_remove);

Test(modules, a_recurrent_module_that_is_another_says_so) {
  static const struct {
    int gates, layers;
    bool cell, bidirectional;
    int64_t units, projected;
    const char *words;
  } rows[] = {
      {4, 2, false, false, 4, 0,
       "module 'cell' (\"decoder\"): an nn.LSTM of 2 layers (needed 1; it has weight_ih_l1)"},
      {4, 1, false, true, 4, 0,
       "a bidirectional nn.LSTM (needed one direction; it has weight_ih_l0_reverse)"},
      {4, 1, false, false, 6, 4, "an nn.LSTM with a projection (proj_size 4), which cuseq cannot express"},
      {4, 1, false, false, 5, 0, "an nn.LSTM of 5 units (needed 4, as decoder.units says)"},
      {3, 1, false, false, 4, 0, "an nn.GRU (needed an nn.LSTM"},
      {1, 1, false, false, 4, 0, "an nn.RNN (needed an nn.LSTM"},
      {3, 1, true, false, 4, 0, "an nn.GRUCell (needed an nn.LSTM"},
      {1, 1, true, false, 4, 0, "an nn.RNNCell (needed an nn.LSTM"},
      {4, 1, true, false, 3, 0, "an nn.LSTMCell of 3 units (needed 4"},
      {5, 1, true, false, 4, 0, "a recurrent module of a kind of its own (needed an nn.LSTM"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct state_dict dict = good_dict();
    state_dict_remove(&dict, "cell");
    if (rows[i].cell)
      state_dict_add_cell(&dict, "cell", rows[i].gates, 4, rows[i].units);
    else
      state_dict_add_rnn(&dict, "cell", rows[i].gates, 4, rows[i].units, rows[i].layers,
                         rows[i].bidirectional, rows[i].projected);
    expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT, rows[i].words);
    expect_refused(&dict, CONFIG, NAMES ",\"ignore\":[\"cell\"]", THE_CHECKPOINT, rows[i].words);
  }
}

Test(modules, an_encoder_of_other_layers_or_directions_says_so) {
  static const struct {
    int layers;
    bool bidirectional;
    const char *config, *words;
  } rows[] = {
      {2, true, "", "module 'rnn' (\"encoder\"): an nn.LSTM of 2 layers (needed 1; it has weight_ih_l1)"},
      {1, true, ",\"layers\":3", "an nn.LSTM of 1 layer (needed 3)"},
      {1, false, "", "an nn.LSTM of one direction (needed a bidirectional one, with weight_ih_l0_reverse)"},
      {1, true, ",\"direction\":\"forward\"", "a bidirectional nn.LSTM (needed one direction"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char config[500];
    struct state_dict dict = {.count = 0};
    state_dict_add_rnn(&dict, "rnn", 4, 6, 2, rows[i].layers, rows[i].bidirectional, 0);
    snprintf(config, sizeof config,
             "\"version\":1,\"encoder\":{\"features\":6,\"units\":2%s},\"attention\":{\"score\":\"dot\"}",
             rows[i].config);
    expect_refused(&dict, config, ENCODER, THE_CHECKPOINT, rows[i].words);
  }
  struct state_dict dict = good_dict();
  state_dict_remove(&dict, "rnn");
  state_dict_add_cell(&dict, "rnn", 4, 6, 2);
  expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT,
                 "an nn.LSTMCell (needed an nn.LSTM: \"encoder.layers.N.forward\"");
}

/* Each layer an nn.LSTM of both directions, as people stack them by hand. */
Test(modules, layers_may_be_modules_of_their_own) {
  static const char config[] = "\"version\":1,\"encoder\":{\"features\":6,\"units\":2,\"layers\":2},"
                               "\"attention\":{\"score\":\"dot\"}";
  struct state_dict whole = {.count = 0}, apart = {.count = 0};
  struct convert_json json;
  state_dict_add_rnn(&whole, "rnn", 4, 6, 2, 2, true, 0);
  apart = whole;
  for (size_t i = 0; i < apart.count; i++) /* rnn.weight_ih_l1 becomes second.weight_ih_l0 */
    if (strstr(apart.names[i], "_l1"))
      *strchr(strstr(apart.names[i], "_l1"), '1') = '0', memcpy(apart.names[i], "2nd", 3);
  cuseq_model *a = convert(&whole, config, ENCODER, &json);
  cuseq_model *b =
      convert(&apart, config, "\"encoder.layers.0\":\"rnn\",\"encoder.layers.1\":\"2nd\"", &json);
  cr_assert(a && b, "%s", cuseq_last_error());
  for (size_t i = 0; i < cuseq_model_tensor_count(a); i++) {
    cuseq_tensor x, y;
    cuseq_model_tensor(a, i, &x);
    cuseq_model_tensor(b, i, &y);
    size_t elements = (size_t)(x.shape[0] * (x.rank == 2 ? x.shape[1] : 1));
    cr_expect(memcmp(x.data, y.data, elements * sizeof(float)) == 0, "%s", x.name);
  }
  cuseq_model_destroy(a);
  cuseq_model_destroy(b);
  expect_converts(&apart, config, "\"encoder\":\"rnn\",\"encoder.layers.1\":\"2nd\"");
  expect_refused(&apart, config,
                 "\"encoder\":\"rnn\",\"encoder.layers.0\":\"x\",\"encoder.layers.1\":\"2nd\"",
                 THE_DESCRIPTION, "\"encoder\" has no use");
  expect_refused(&apart, config, "\"encoder.layers.0\":\"rnn\",\"encoder.layers.1.forward\":\"2nd\"",
                 THE_DESCRIPTION, "\"encoder.layers.1.backward\"");
  expect_refused(&whole, config,
                 "\"encoder\":\"rnn\",\"encoder.layers.1.forward\":\"a\",\"encoder.layers.1.backward\":\"b\"",
                 THE_CHECKPOINT, "an nn.LSTM of 2 layers (needed 1");
}

Test(modules, a_module_that_is_no_such_one_says_what_it_is) {
  static const struct {
    const char *names, *words;
  } rows[] = {
      {ENCODER "," ATTENTION ",\"decoder\":\"linear\"," OUTPUT,
       "module 'linear' (\"decoder\"): an nn.Linear (needed an nn.LSTM or an nn.LSTMCell)"},
      {ENCODER "," ATTENTION ",\"decoder\":\"norm\"," OUTPUT, "a batch normalisation (needed an nn.LSTM"},
      {ENCODER "," ATTENTION ",\"decoder\":\"layer_norm\"," OUTPUT, "a normalisation, such as nn.LayerNorm"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":\"norm\"",
       "a batch normalisation (needed an nn.Linear)"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":\"rnn2\"", "an nn.LSTM (needed an nn.Linear)"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":\"nowhere\"",
       "not in the checkpoint (needed an nn.Linear)"},
      {ENCODER "," ATTENTION "," DECODER ",\"output\":\"scale\"",
       "a parameter, not a module (needed an nn.Linear)"},
      {ENCODER "," ATTENTION ",\"decoder\":\"cel\"," OUTPUT, "not in the checkpoint (needed an nn.LSTM"},
      {"\"encoder\":\"encoder\"," ATTENTION "," DECODER "," OUTPUT,
       "a module of others, which has 'encoder.lstm.weight_ih_l0' (needed an nn.LSTM)"},
  };
  struct state_dict dict = good_dict();
  state_dict_add_linear(&dict, "linear", 4, 5, true);
  state_dict_add_norm(&dict, "norm", 4);
  state_dict_add(&dict, "layer_norm.weight", 4, 0);
  state_dict_add(&dict, "scale", 4, 0);
  state_dict_add_rnn(&dict, "rnn2", 4, 4, 4, 1, false, 0);
  state_dict_add_rnn(&dict, "encoder.lstm", 4, 6, 2, 1, true, 0);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_refused(&dict, CONFIG, rows[i].names, THE_CHECKPOINT, rows[i].words);
}

#define WRAPPED(prefix)                                                                                      \
  "\"encoder\":\"" prefix "rnn\",\"attention.layers.0\":\"" prefix                                           \
  "energy.0\",\"attention.layers.1\":\"" prefix "energy.2\",\"decoder\":\"" prefix                           \
  "cell\",\"output\":\"" prefix "out\""

Test(modules, what_wraps_a_model_may_be_named_or_left_out) {
  struct state_dict dict = good_dict();
  state_dict_rename(&dict, "", "module."); /* nn.DataParallel */
  expect_converts(&dict, CONFIG, NAMES);
  expect_converts(&dict, CONFIG, WRAPPED("module."));
  dict = good_dict();
  state_dict_rename(&dict, "rnn.", "_orig_mod."); /* torch.compile of one module */
  expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT, "module 'rnn' (\"encoder\"): not in the checkpoint");
  dict = good_dict();
  state_dict_rename(&dict, "", "_orig_mod.module."); /* torch.compile of nn.DataParallel */
  expect_converts(&dict, CONFIG, NAMES);
  expect_converts(&dict, CONFIG, WRAPPED("module."));
  expect_converts(&dict, CONFIG, WRAPPED("_orig_mod.module."));
}

Test(modules, modules_within_others_are_found_by_their_whole_names) {
  struct state_dict dict = good_dict();
  state_dict_rename(&dict, "", "net.");
  expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT,
                 "module 'rnn' (\"encoder\"): not in the checkpoint, which has 'net.rnn.weight_ih_l0'");
  expect_converts(&dict, CONFIG, WRAPPED("net."));
}

Test(modules, a_state_dict_may_be_the_module_itself) {
  static const char config[] =
      "\"version\":1,\"encoder\":{\"features\":6,\"units\":2},\"attention\":{\"score\":\"dot\"}";
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "", 4, 6, 2, 1, true, 0);
  expect_converts(&dict, config, "\"encoder\":\"\"");
  state_dict_add(&dict, "weight_hr_l0", 2, 2);
  expect_refused(&dict, config, "\"encoder\":\"\"", THE_CHECKPOINT, "a projection");
}

/* Sizes are told of the module that has them, not of what would have been made of it. */
Test(modules, a_module_of_other_widths_says_so) {
  static const struct {
    const char *module;
    int64_t inputs, outputs; /* of an nn.Linear; of an nn.LSTMCell only what it reads counts */
    const char *words;
  } rows[] = {
      {"energy.0", 7, 3, "it reads 7 numbers (needed 8, the widths of the annotations and of the state)"},
      {"energy.0", 8, 2, "it gives 2 numbers (needed 3, as attention.layers.0.units says)"},
      {"energy.2", 2, 1, "it reads 2 numbers (needed 3, as many as the layer before gives)"},
      {"energy.2", 3, 2, "it gives 2 numbers (needed 1, as attention.layers.1.units says)"},
      {"out", 5, 5, "it reads 5 numbers (needed 4, as decoder.units says)"},
      {"out", 4, 6, "it gives 6 numbers (needed 5, as output.units says)"},
      {"cell", 9, 0, "its weight_ih reads 9 numbers (needed 4, the width of the context)"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct state_dict dict = good_dict();
    state_dict_remove(&dict, rows[i].module);
    if (rows[i].outputs > 0)
      state_dict_add_linear(&dict, rows[i].module, rows[i].inputs, rows[i].outputs, true);
    else
      state_dict_add_cell(&dict, rows[i].module, 4, rows[i].inputs, 4);
    expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT, rows[i].words);
  }
  struct state_dict dict = good_dict();
  state_dict_add_linear(&dict, "embed", 5, 7, false);
  expect_refused(
      &dict, CONFIG, NAMES ",\"encoder.embedding\":\"embed\"", THE_CHECKPOINT,
      "module 'embed' (\"encoder.embedding\"): it has 7 rows (needed 6, as encoder.features says)");
  state_dict_remove(&dict, "embed");
  state_dict_add_linear(&dict, "embed", 5, 6, false);
  expect_refused(&dict, CONFIG, NAMES ",\"encoder.embedding\":\"embed\"", THE_CHECKPOINT,
                 "its weight_ih_l0 reads 6 numbers (needed 5, the width of encoder.embedding)");
}

/* ---- every tensor ---- */

/* nn.LSTM has biases everywhere or nowhere. */
Test(modules, biases_that_are_missing_in_one_place_are_not_zeros) {
  static const char *const gone[] = {"rnn.bias_ih_l0", "rnn.bias_hh_l0_reverse", "cell.bias_ih",
                                     "cell.bias_hh"};
  for (size_t i = 0; i < 4; i++) {
    struct state_dict dict = good_dict();
    char words[80];
    state_dict_remove(&dict, gone[i]);
    snprintf(words, sizeof words, "tensor '%s': missing in the checkpoint", gone[i]);
    expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT, words);
  }
  struct state_dict dict = good_dict();
  state_dict_remove(&dict, "rnn.bias_ih_l0_reverse");
  state_dict_remove(&dict, "rnn.bias_hh_l0_reverse");
  expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT,
                 "tensor 'rnn.bias_ih_l0_reverse': missing in the checkpoint");
  state_dict_remove(&dict, "rnn.bias_ih_l0");
  state_dict_remove(&dict, "rnn.bias_hh_l0");
  expect_converts(&dict, CONFIG, NAMES);
}

Test(modules, a_weight_that_is_missing_beside_its_bias_is_told_by_its_name) {
  static const char *const gone[] = {"out.weight", "energy.0.weight", "cell.weight_hh", "rnn.weight_hh_l0"};
  for (size_t i = 0; i < 4; i++) {
    struct state_dict dict = good_dict();
    char words[80];
    state_dict_remove(&dict, gone[i]);
    snprintf(words, sizeof words, "tensor '%s': missing in the checkpoint", gone[i]);
    expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT, words);
  }
}

/* Its table is as wide as the features are many, so that the sizes alone do not tell. */
Test(modules, an_embedding_that_nothing_names_is_told_under_which_key_it_goes) {
  struct state_dict dict = good_dict();
  state_dict_add_linear(&dict, "embed", 6, 6, false);
  expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT,
                 "tensor 'embed.weight': nothing in names reaches it (an embedding of the input is "
                 "\"encoder.embedding\"; a module that");
}

Test(modules, what_a_mapped_module_has_besides_is_never_left_out) {
  static const struct {
    const char *tensor, *words;
  } rows[] = {
      {"out.weight_mask",
       "module 'out' (\"output\"): it has 'out.weight_mask' besides, which is not left out"},
      {"out.running_mean", "as batch normalisation has, which cuseq cannot express"},
      {"out.lora_A.default.weight", "as LoRA adds to a module"},
      {"out.weight_g", "as a module has whose weights are made of others"},
      {"out.parametrizations.weight.original0", "as a module has whose weights are made of others"},
      {"out.zero_point", "as quantised modules have"},
      {"cell.weight_ih_l0", "module 'cell' (\"decoder\")"},
      {"energy.0.scale", "module 'energy.0' (\"attention.layers.0\"): it has 'energy.0.scale'"},
      {"rnn.bias_ih_l0_backward", "module 'rnn' (\"encoder\"): it has 'rnn.bias_ih_l0_backward' besides"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct state_dict dict = good_dict();
    char names[700];
    state_dict_add(&dict, rows[i].tensor, 5, 0);
    expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT, rows[i].words);
    snprintf(names, sizeof names, NAMES ",\"ignore\":[\"%s\"]", rows[i].tensor);
    expect_refused(&dict, CONFIG, names, THE_CHECKPOINT, rows[i].words);
  }
}

Test(modules, what_is_ignored_is_there_and_belongs_to_no_mapped_module) {
  struct state_dict dict = good_dict();
  state_dict_add(&dict, "statistics", 3, 0);
  state_dict_add_norm(&dict, "outer.norm", 3);
  expect_refused(
      &dict, CONFIG, NAMES, THE_CHECKPOINT,
      "tensor 'statistics': nothing in names reaches it (a module that the output does not depend on");
  expect_converts(&dict, CONFIG, NAMES ",\"ignore\":[\"statistics\",\"outer.norm\"]");
  expect_converts(&dict, CONFIG, NAMES ",\"ignore\":[\"statistics\",\"outer\"]");
  expect_refused(&dict, CONFIG, NAMES ",\"ignore\":[\"statistics\"]", THE_CHECKPOINT,
                 "tensor 'outer.norm.weight': nothing in names reaches it");
  expect_refused(&dict, CONFIG, NAMES ",\"ignore\":[\"statistics\",\"outer\",\"statistcs\"]", THE_DESCRIPTION,
                 "\"ignore\" has 'statistcs', which is nothing in the checkpoint");
  expect_refused(&dict, CONFIG, NAMES ",\"ignore\":[\"stat\",\"outer\"]", THE_DESCRIPTION,
                 "'stat', which is nothing in the checkpoint");
  expect_refused(&dict, CONFIG, NAMES ",\"ignore\":[\"statistics\",\"outer\",\"out\"]", THE_DESCRIPTION,
                 "\"ignore\" has 'out', which would hide 'out.weight' of \"output\"");
  expect_refused(&dict, CONFIG, NAMES ",\"ignore\":[\"statistics\",\"outer\",\"rnn.bias_hh_l0\"]",
                 THE_DESCRIPTION, "which would hide 'rnn.bias_hh_l0' of \"encoder\"");
}

Test(modules, a_normalisation_that_nothing_maps_is_told) {
  struct state_dict dict = good_dict();
  state_dict_add(&dict, "energy.1.running_mean", 3, 0);
  expect_refused(&dict, CONFIG, NAMES, THE_CHECKPOINT,
                 "as batch normalisation has, which cuseq cannot express");
}

/* safetensors.torch.save_model stores tied tensors once, and tells the other names in the metadata. */
Test(modules, tied_tensors_are_there_under_all_their_names) {
  struct state_dict dict = good_dict();
  state_dict_remove(&dict, "out.bias");
  state_dict_add(&dict, "shared", 5, 0);
  dict.metadata[dict.metadata_count++] = (struct safetensors_pair){"out.bias", "shared"};
  dict.metadata[dict.metadata_count++] = (struct safetensors_pair){"format", "pt"};
  expect_converts(&dict, CONFIG, NAMES ",\"ignore\":[\"shared\"]");
  dict.metadata[dict.metadata_count++] = (struct safetensors_pair){"rnn.weight_ih_l1", "rnn.weight_ih_l0"};
  expect_refused(&dict, CONFIG, NAMES ",\"ignore\":[\"shared\"]", THE_CHECKPOINT,
                 "an nn.LSTM of 2 layers (needed 1");
}

Test(modules, quantised_weights_are_refused_by_their_type) {
  struct state_dict dict = good_dict();
  for (size_t i = 0; i < dict.count; i++)
    if (strcmp(dict.names[i], "out.weight") == 0) {
      dict.tensors[i].dtype_name = "I8";
      dict.tensors[i].dtype = -1;
      dict.tensors[i].bytes /= 4;
    }
  expect_refused(
      &dict, CONFIG, NAMES, THE_CHECKPOINT,
      "tensor 'out.weight': its type is I8 (needed F32, F16, BF16 or F64: quantised weights as they");
}

/* ---- attention ---- */

static struct state_dict additive_dict(int64_t query_units, int64_t value_bias) {
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 4, 6, 2, 1, true, 0);
  state_dict_add_linear(&dict, "k", 4, 3, true);
  state_dict_add_linear(&dict, "q", 4, query_units, false);
  state_dict_add_linear(&dict, "v", 3, 1, false);
  if (value_bias > 0)
    state_dict_add(&dict, "v.bias", value_bias, 0);
  return dict;
}

Test(modules, the_parts_of_the_additive_score_fit_one_another) {
  static const char config[] =
      "\"version\":1,\"encoder\":{\"features\":6,\"units\":2},\"attention\":{\"score\":\"additive\"}";
  static const char names[] =
      ENCODER ",\"attention.key\":\"k\",\"attention.query\":\"q\",\"attention.value\":\"v\"";
  static float infinite[] = {1.0f / 0.0f};
  struct state_dict dict = additive_dict(3, 1);
  expect_converts(&dict, config, names);
  dict.tensors[dict.count - 1].data = infinite;
  expect_refused(&dict, config, names, THE_CHECKPOINT, "tensor 'v.bias'[0]: not finite in float32");
  dict = additive_dict(3, 2);
  expect_refused(&dict, config, names, THE_CHECKPOINT,
                 "its bias does not fit its weights (found 2 values, needed 1)");
  dict = additive_dict(2, 0);
  expect_refused(&dict, config, names, THE_CHECKPOINT,
                 "it gives 2 numbers (needed 3, as attention.key gives)");
}

Test(modules, a_configuration_may_have_as_many_attention_layers_as_the_library) {
  char config[2000], names[2000], *c = config, *n = names;
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 4, 6, 2, 1, true, 0);
  c += sprintf(c, "\"version\":1,\"encoder\":{\"features\":6,\"units\":2},\"attention\":{\"score\":"
                  "\"concat\",\"layers\":[");
  n += sprintf(n, ENCODER);
  for (int i = 0; i < CUSEQ_MAX_ATTENTION_LAYERS; i++) {
    char module[16];
    sprintf(module, "e.%d", i);
    state_dict_add_linear(&dict, module, i ? 1 : 8, 1, true);
    c += sprintf(c, "%s{\"units\":1}", i ? "," : "");
    n += sprintf(n, ",\"attention.layers.%d\":\"e.%d\"", i, i);
  }
  strcpy(c, "]}");
  expect_converts(&dict, config, names);
  strcpy(c, ",{\"units\":1}]}");
  expect_refused(&dict, config, names, THE_DESCRIPTION, "attention.layers is not a list of 1 to 8 layers");
}
