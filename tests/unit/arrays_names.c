/* Descriptions of version 2: every key of names is known or refused, at every level and before the file is
 * read; what a source says fits the arrays, or the message says which of the two does not. */
#include "pytorch_case.h"

TestSuite(sources, .init = folder_make, .fini = folder_remove);

/* F 6, a GRU of 2 units in two directions, a tagger of 3. */
#define GRU                                                                                                  \
  "\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":" \
  "2},"                                                                                                      \
  "\"direction\":\"bidirectional\"}]},\"output\":{\"over\":\"every\",\"layers\":[{\"units\":3,"              \
  "\"activation\":"                                                                                          \
  "\"softmax\"}]}"
#define TAG "\"output.layers.0\":\"out\""

static struct state_dict gru_dict(void) {
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 3, 6, 2, 1, true, 0);
  state_dict_add_linear(&dict, "out", 4, 3, true);
  return dict;
}

Test(sources, the_plain_one_converts) {
  struct state_dict dict = gru_dict();
  expect_converts(&dict, GRU, "\"encoder\":\"rnn\"," TAG);
  expect_converts(&dict, GRU, "\"encoder.layers.0\":{\"name\":\"rnn\",\"layer\":0}," TAG ",\"ignore\":[]");
}

Test(sources, every_key_at_every_level_is_known_or_refused) {
  static const struct {
    const char *names, *words;
  } rows[] = {
      {"\"encoder\":\"rnn\"," TAG ",\"decoder\":\"x\"",
       "\"decoder\" is nothing that this configuration has (it has encoder, "},
      {"\"encoder\":\"rnn\"," TAG ",\"input.embedding\":\"x\"", "\"input.embedding\" is nothing"},
      {"\"encoder\":\"rnn\"," TAG ",\"encoder.layers.1\":\"x\"", "\"encoder.layers.1\" is nothing"},
      {"\"encoder\":\"rnn\"," TAG ",\"encoder.layers.0.dense\":\"x\"",
       "\"encoder.layers.0.dense\" is nothing"},
      {"\"encoder\":\"rnn\"," TAG ",\"output\":\"x\"", "\"output\" is nothing"},
      {"\"encoder\":\"rnn\"", "\"output.layers.0\" is missing"},
      {TAG, "\"encoder\" is missing, and so is \"encoder.layers.0.forward\""},
      {"\"encoder\":\"rnn\",\"encoder.layers.0\":\"rnn2\"," TAG, "\"encoder\" has no use"},
      {"\"encoder\":1," TAG, "\"encoder\" is no name"},
      {"\"encoder\":null," TAG, "\"encoder\" is no name"},
      {"\"encoder\":[\"rnn\"]," TAG, "\"encoder\" is no name"},
      {"\"encoder\":{}," TAG, "\"encoder\" is no name"},
      {"\"encoder\":{\"name\":1}," TAG, "\"encoder\" is no name"},
      {"\"encoder\":{\"nam\":\"rnn\"}," TAG, "\"encoder\" has an unknown key \"nam\""},
      {"\"encoder\":{\"name\":\"rnn\",\"layer\":0}," TAG,
       "\"encoder\" has an unknown key \"layer\", or one of a wrong"},
      {"\"encoder.layers.0\":{\"name\":\"rnn\",\"layer\":-1}," TAG, "\"layer\", or one of a wrong value"},
      {"\"encoder\":{\"name\":\"rnn\",\"transpose\":1}," TAG, "\"transpose\", or one of a wrong value"},
      {"\"encoder\":{\"name\":\"rnn\",\"kernel\":\"k\"}," TAG,
       "\"encoder\" is no name (needed a text, or an object with "
       "\"name\", or one with the names of its arrays, \"kernel\" and "
       "so on, not both)"},
      {"\"encoder\":{\"kernel\":\"k\",\"gates\":\"zrn\"}," TAG, "\"encoder\" has no \"recurrent_kernel\""},
      {"\"encoder\":{\"recurrent_kernel\":\"k\"}," TAG, "\"encoder\" has no \"kernel\""},
      {"\"encoder\":{\"kernel\":\"k\",\"recurrent_kernel\":\"u\"}," TAG, "\"encoder\" has no \"gates\""},
      {"\"encoder\":{\"kernel\":1,\"recurrent_kernel\":\"u\"}," TAG,
       "\"encoder\".\"kernel\" is no name of an array"},
      {"\"encoder\":\"rnn\",\"output.layers.0\":{\"kernel\":\"k\",\"recurrent_kernel\":\"u\"}",
       "\"output.layers.0\" has \"recurrent_kernel\", which it cannot have"},
      {"\"encoder\":\"rnn\",\"output.layers.0\":{\"name\":\"out\",\"gates\":\"zrn\"}",
       "\"gates\", which only cells have"},
      {"\"encoder\":\"rnn\",\"output.layers.0\":{\"name\":\"out\",\"order\":[\"state\",\"annotations\"]}",
       "the order of \"output.layers.0\" has no meaning"},
      {"\"encoder\":{\"name\":\"rnn\",\"through\":1}," TAG,
       "\"encoder\".\"through\" is not the name of a dense layer"},
      {"\"encoder\":{\"name\":\"rnn\",\"through\":[]}," TAG, "\"encoder\".\"through\" is not the name"},
      {"\"encoder\":\"rnn\"," TAG ",\"ignore\":\"rest\"", "\"ignore\" is not a list"},
      {"\"encoder\":\"rnn\",\"output.layers.0\":\"rnn\"",
       "\"encoder\" and \"output.layers.0\" are both 'rnn'"},
  };
  struct state_dict dict = gru_dict();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_refused(&dict, GRU, rows[i].names, THE_DESCRIPTION, rows[i].words);
}

/* A tagger behind an nn.MultiheadAttention of 4 units and a residual sum. */
#define ASKING(bias)                                                                                         \
  "\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":" \
  "2},"                                                                                                      \
  "\"direction\":\"bidirectional\",\"self_attention\":{\"score\":\"dot\",\"heads\":2,\"beside\":true,"       \
  "\"query\":{\"units\":4},\"key\":{\"units\":4},\"value\":{\"units\":4" bias                                \
  "}},\"dense\":{\"units\":4}}]},"                                                                           \
  "\"output\":{\"over\":\"every\",\"layers\":[{\"units\":3}]}"
#define MULTI_HEAD "\"encoder.layers.0.self_attention\":\"mha\""
#define RESIDUAL "\"encoder.layers.0.dense\":{\"name\":\"mha.out_proj\",\"residual\":true}"
#define RNN_AND_TAG "\"encoder\":\"rnn\"," TAG

static struct state_dict asking_dict(void) {
  struct state_dict dict = gru_dict();
  state_dict_add(&dict, "mha.in_proj_weight", 12, 4);
  state_dict_add(&dict, "mha.in_proj_bias", 12, 0);
  state_dict_add_linear(&dict, "mha.out_proj", 4, 4, true);
  return dict;
}

Test(sources, an_nn_multihead_attention_is_one_source) {
  static const struct {
    const char *names, *words;
    enum fault fault;
  } rows[] = {
      {RNN_AND_TAG "," RESIDUAL,
       "\"encoder.layers.0.self_attention.key_map\" is missing (or \"encoder.layers.0.self_attention\", an "
       "nn.MultiheadAttention)",
       THE_DESCRIPTION},
      {RNN_AND_TAG "," RESIDUAL "," MULTI_HEAD ",\"encoder.layers.0.self_attention.key_map\":\"k\"",
       "\"encoder.layers.0.self_attention.key_map\" is named twice", THE_DESCRIPTION},
      {RNN_AND_TAG "," RESIDUAL ",\"encoder.layers.0.self_attention\":{\"kernel\":\"mha.in_proj_weight\"}",
       "has \"kernel\", which it cannot have", THE_DESCRIPTION},
      {RNN_AND_TAG "," RESIDUAL ",\"encoder.layers.0.self_attention\":\"out2\"",
       "needed an nn.MultiheadAttention whose queries, keys and values are of one width", THE_CHECKPOINT},
      {RNN_AND_TAG "," MULTI_HEAD ",\"encoder.layers.0.dense\":\"mha.out_proj\"", "needed 8", THE_CHECKPOINT},
      {RNN_AND_TAG "," MULTI_HEAD ",\"encoder.layers.0.dense\":{\"name\":\"mha.out_proj\",\"residual\":1}",
       "\"residual\", or one of a wrong value", THE_DESCRIPTION},
      {"\"encoder\":\"rnn\",\"output.layers.0\":{\"name\":\"out\",\"residual\":true}," MULTI_HEAD
       "," RESIDUAL,
       "\"residual\", or one of a wrong value", THE_DESCRIPTION},
  };
  struct state_dict dict = asking_dict();
  expect_converts(&dict, ASKING(""), RNN_AND_TAG "," RESIDUAL "," MULTI_HEAD);
  expect_refused(&dict, ASKING(",\"bias\":false"), RNN_AND_TAG "," RESIDUAL "," MULTI_HEAD, THE_CHECKPOINT,
                 "says \"bias\": false");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_refused(&dict, ASKING(""), rows[i].names, rows[i].fault, rows[i].words);
  state_dict_add(&dict, "mha.bias_k", 4, 0);
  expect_refused(&dict, ASKING(""), RNN_AND_TAG "," RESIDUAL "," MULTI_HEAD, THE_CHECKPOINT, "bias_k");
  dict = asking_dict();
  state_dict_remove(&dict, "mha.in_proj_weight");
  state_dict_add(&dict, "mha.in_proj_weight", 15, 5);
  expect_refused(&dict, ASKING(""), RNN_AND_TAG "," RESIDUAL "," MULTI_HEAD, THE_CHECKPOINT,
                 "its in_proj_weight is [15,5] (needed [12,4]");
}

Test(sources, gates_are_those_of_the_cell_each_once) {
  static const char *const bad[] = {"\"i,f,c,o\"", "\"z,r\"", "\"z,r,n,n\"", "\"z,z,n\"",
                                    "\"zrx\"",     "\"\"",    "1",           "[]"};
  static const char *const good[] = {"\"r,z,n\"", "\"r, z, n\"", "\"rzn\"", "\"r,u,h\""};
  struct state_dict dict = gru_dict();
  char names[300];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    snprintf(names, sizeof names, "\"encoder\":{\"name\":\"rnn\",\"gates\":%s}," TAG, bad[i]);
    expect_refused(&dict, GRU, names, THE_DESCRIPTION, "\"gates\" is not the gates of a GRU");
  }
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    snprintf(names, sizeof names, "\"encoder\":{\"name\":\"rnn\",\"gates\":%s}," TAG, good[i]);
    expect_converts(&dict, GRU, names);
  }
}

/* One direction of the GRU by the names of its arrays, and the tag's kernel, which is square where units are.
 */
#define FORWARD                                                                                              \
  "\"version\":2,\"input\":{\"features\":2},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"gru\",\"units\":" \
  "2}}]},"                                                                                                   \
  "\"output\":{\"over\":\"every\",\"layers\":[{\"units\":2,\"activation\":\"softmax\",\"bias\":false}]}"
#define ARRAYS(more)                                                                                         \
  "\"encoder\":{\"kernel\":\"w\",\"recurrent_kernel\":\"u\",\"bias\":\"b\",\"recurrent_bias\":\"c\","        \
  "\"gates\":\"zrn\"" more "}"

static struct state_dict arrays_dict(bool turned) {
  struct state_dict dict = {.count = 0};
  state_dict_add(&dict, "w", turned ? 6 : 2, turned ? 2 : 6);
  state_dict_add(&dict, "u", turned ? 6 : 2, turned ? 2 : 6);
  state_dict_add(&dict, "b", 6, 0);
  state_dict_add(&dict, "c", 6, 0);
  state_dict_add(&dict, "tag", 2, 2);
  return dict;
}

Test(sources, single_arrays_lie_as_their_shapes_tell_or_as_is_said) {
  struct state_dict dict = arrays_dict(false), turned = arrays_dict(true);
  expect_converts(&dict, FORWARD, ARRAYS("") ",\"output.layers.0\":{\"kernel\":\"tag\",\"transpose\":false}");
  expect_converts(&turned, FORWARD, ARRAYS("") ",\"output.layers.0\":{\"name\":\"tag\",\"transpose\":true}");
  expect_refused(&dict, FORWARD, ARRAYS("") ",\"output.layers.0\":\"tag\"", THE_CHECKPOINT,
                 "which axis of 'tag' [2,2] is which, its shape does not tell (needed \"transpose\"");
  expect_refused(
      &dict, FORWARD,
      ARRAYS(",\"transpose\":true") ",\"output.layers.0\":{\"kernel\":\"tag\",\"transpose\":false}",
      THE_CHECKPOINT, "the arrays of \"encoder\": 'u' reads 6 numbers (needed 2");
}

Test(sources, arrays_that_are_not_there_or_left_over_are_told) {
  struct state_dict dict = arrays_dict(false);
  expect_refused(&dict, FORWARD,
                 "\"encoder\":{\"kernel\":\"w\",\"recurrent_kernel\":\"v\",\"gates\":\"zrn\"},"
                 "\"output.layers.0\":{\"kernel\":\"tag\",\"transpose\":false}",
                 THE_CHECKPOINT, "tensor 'v' (\"encoder\".\"recurrent_kernel\"): not in the file");
  expect_refused(&dict, FORWARD,
                 "\"encoder\":{\"kernel\":\"w\",\"recurrent_kernel\":\"u\",\"bias\":\"b\",\"gates\":\"zrn\"},"
                 "\"output.layers.0\":{\"kernel\":\"tag\",\"transpose\":false}",
                 THE_CHECKPOINT, "tensor 'c': nothing in names reaches it");
  expect_converts(
      &dict, FORWARD,
      "\"encoder\":{\"kernel\":\"w\",\"recurrent_kernel\":\"u\",\"bias\":\"b\",\"gates\":\"zrn\"},"
      "\"output.layers.0\":{\"kernel\":\"tag\",\"transpose\":false},\"ignore\":[\"c\"]");
}

Test(sources, modules_of_another_kind_or_size_are_told_by_what_they_are) {
  static const struct {
    const char *names, *words;
  } rows[] = {
      {"\"encoder\":\"out\",\"output.layers.0\":\"rnn\"",
       "module 'out' (\"encoder\"): an nn.Linear (needed an nn.GRU"},
      {"\"encoder\":\"rn\"," TAG,
       "module 'rn' (\"encoder\"): not in the checkpoint, which has 'rnn.weight_ih_l0'"},
      {"\"encoder.layers.0\":{\"name\":\"rnn\",\"layer\":1}," TAG, "an nn.GRU of 1 layer (needed 2)"},
      {"\"encoder.layers.0.forward\":\"rnn\",\"encoder.layers.0.backward\":\"other\"," TAG,
       "module 'rnn' (\"encoder.layers.0.forward\"): an nn.GRU of both directions (needed one)"},
      {"\"encoder\":{\"name\":\"rnn\",\"through\":\"proj\"}," TAG,
       "it goes through 'proj': not in the checkpoint"},
      {"\"encoder\":{\"name\":\"rnn\",\"through\":\"out\"}," TAG,
       "'out.weight' reads 4 numbers (needed 6, as input.features says)"},
  };
  struct state_dict dict = gru_dict();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    expect_refused(&dict, GRU, rows[i].names, THE_CHECKPOINT, rows[i].words);
  dict = (struct state_dict){.count = 0};
  state_dict_add_rnn(&dict, "rnn", 4, 6, 2, 1, true, 0);
  state_dict_add_linear(&dict, "out", 4, 3, true);
  expect_refused(&dict, GRU, "\"encoder\":\"rnn\"," TAG, THE_CHECKPOINT, "an nn.LSTM (needed an nn.GRU");
  dict = (struct state_dict){.count = 0};
  state_dict_add_rnn(&dict, "rnn", 3, 6, 2, 2, true, 0);
  state_dict_add_linear(&dict, "out", 4, 3, true);
  expect_refused(&dict, GRU, "\"encoder\":\"rnn\"," TAG, THE_CHECKPOINT,
                 "an nn.GRU of 2 layers (needed 1; \"layer\" says");
  expect_refused(&dict, GRU, "\"encoder.layers.0\":{\"name\":\"rnn\",\"layer\":0}," TAG, THE_CHECKPOINT,
                 "it has 'rnn.weight_ih_l1' besides, which is not left out");
  dict = gru_dict();
  state_dict_add(&dict, "rnn.scale", 2, 0);
  expect_refused(&dict, GRU, "\"encoder\":\"rnn\"," TAG, THE_CHECKPOINT, "it has 'rnn.scale' besides");
}

Test(sources, biases_and_resets_fit_the_configuration) {
  struct state_dict dict = gru_dict();
  static const char before[] = "\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":[{\"cell\":{"
                               "\"kind\":\"gru\",\"units\":2,"
                               "\"reset\":\"before\"},\"direction\":\"bidirectional\"}]},\"output\":{"
                               "\"over\":\"every\",\"layers\":[{\"units\":3,"
                               "\"activation\":\"softmax\"}]}";
  static const char none[] = "\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":[{\"cell\":{"
                             "\"kind\":\"gru\",\"units\":2},"
                             "\"direction\":\"bidirectional\"}]},\"output\":{\"over\":\"every\",\"layers\":[{"
                             "\"units\":3,\"bias\":false,"
                             "\"activation\":\"softmax\"}]}";
  expect_refused(&dict, before, "\"encoder\":\"rnn\"," TAG, THE_CHECKPOINT,
                 "PyTorch's GRU resets after the product (needed \"reset\": \"after\"");
  expect_refused(
      &dict, none, "\"encoder\":\"rnn\"," TAG, THE_CHECKPOINT,
      "module 'out' (\"output.layers.0\"): it has a bias, and the configuration says \"bias\": false");
}

#define TIED                                                                                                 \
  "\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"lstm\","          \
  "\"units\":3}}]},"                                                                                         \
  "\"decoder\":{\"reads\":[\"token\"],\"embedding\":3,\"feedback\":\"output\",\"start_token\":0,\"steps\":"  \
  "2,\"layers\":[{"                                                                                          \
  "\"cell\":{\"kind\":\"lstm\",\"units\":3}}]},\"output\":{\"tied\":true,\"layers\":[{\"units\":5,"          \
  "\"activation\":"                                                                                          \
  "\"softmax\",\"bias\":false}]}"
#define TIED_NAMES "\"encoder\":\"rnn\",\"decoder\":\"cell\",\"decoder.embedding\":\"table\""

/* What a tied head's module has is the embedding itself, or another thing than the configuration says. */
Test(sources, a_tied_kernel_is_the_embedding_or_refused) {
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 4, 6, 3, 1, false, 0);
  state_dict_add_cell(&dict, "cell", 4, 3, 3);
  state_dict_add(&dict, "table.weight", 5, 3);
  expect_converts(&dict, TIED, TIED_NAMES);
  dict.metadata[dict.metadata_count++] = (struct safetensors_pair){"out.weight", "table.weight"};
  expect_converts(&dict, TIED, TIED_NAMES ",\"output.layers.0\":\"out\"");
  expect_refused(&dict, TIED, TIED_NAMES, THE_CHECKPOINT, "tensor 'out.weight': nothing in names reaches it");
  dict.metadata_count = 0;
  state_dict_add(&dict, "out.weight", 5, 3);
  expect_refused(&dict, TIED, TIED_NAMES ",\"output.layers.0\":\"out\"", THE_CHECKPOINT,
                 "its numbers are others than those of \"decoder.embedding\"");
}

Test(sources, a_vector_by_itself_has_no_bias) {
  static const char affine[] = "\"version\":2,\"input\":{\"features\":6,\"affine\":true},\"encoder\":{"
                               "\"layers\":[{\"cell\":{\"kind\":\"gru\","
                               "\"units\":2}}]},\"output\":{\"over\":\"every\",\"layers\":[{\"units\":3}]}";
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "rnn", 3, 6, 2, 1, false, 0);
  state_dict_add_linear(&dict, "out", 2, 3, true);
  state_dict_add_linear(&dict, "scale", 6, 1, true);
  state_dict_add(&dict, "offset", 6, 0);
  expect_refused(&dict, affine,
                 "\"encoder\":\"rnn\"," TAG ",\"input.scale\":\"scale\",\"input.offset\":\"offset\"",
                 THE_CHECKPOINT, "module 'scale' (\"input.scale\"): it has 'scale.bias' besides");
}

/* Listen, attend and spell joins each two positions between its layers, and Stanza's taggers have gates of
 * highways: no configuration says so, and what there is of them does not fit or is left over. */
Test(sources, pyramids_and_highways_are_told_by_what_does_not_fit) {
  static const char stack[] =
      "\"version\":2,\"input\":{\"features\":6},\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"lstm\","
      "\"units\":2},"
      "\"direction\":\"bidirectional\"},{\"cell\":{\"kind\":\"lstm\",\"units\":2},\"direction\":"
      "\"bidirectional\"}]},"
      "\"output\":{\"over\":\"every\",\"layers\":[{\"units\":3,\"activation\":\"softmax\"}]}";
  struct state_dict dict = {.count = 0};
  state_dict_add_rnn(&dict, "listener.0", 4, 6, 2, 1, true, 0);
  state_dict_add_rnn(&dict, "listener.1", 4, 8, 2, 1, true, 0);
  state_dict_add_linear(&dict, "out", 4, 3, true);
  expect_refused(
      &dict, stack, "\"encoder.layers.0\":\"listener.0\",\"encoder.layers.1\":\"listener.1\"," TAG,
      THE_CHECKPOINT,
      "module 'listener.1' (\"encoder.layers.1\"): 'listener.1.weight_ih_l0' reads 8 numbers (needed 4, as "
      "encoder.layers.0 gives)");
  dict = (struct state_dict){.count = 0};
  state_dict_add_rnn(&dict, "lstm.0", 4, 6, 2, 1, true, 0);
  state_dict_add_rnn(&dict, "lstm.1", 4, 4, 2, 1, true, 0);
  state_dict_add_linear(&dict, "highway.0", 6, 4, true);
  state_dict_add_linear(&dict, "out", 4, 3, true);
  expect_refused(&dict, stack, "\"encoder.layers.0\":\"lstm.0\",\"encoder.layers.1\":\"lstm.1\"," TAG,
                 THE_CHECKPOINT, "tensor 'highway.0.weight': nothing in names reaches it");
}

/* A dictionary is read before the file, a wrong one is told before a file that is not there. */
Test(sources, the_description_is_told_before_the_file) {
  struct convert_json json = {.text = "{" GRU ",\"names\":{\"encoder\":\"rnn\"}}"};
  cuseq_model *model;
  cr_expect_neq(arrays_convert(folder_path("absent.pt"), &json, &model), CUSEQ_STATUS_OK);
  cr_expect(json.at_fault && strstr(cuseq_last_error(), "\"output.layers.0\" is missing") != NULL, "%s",
            cuseq_last_error());
  json = (struct convert_json){.text = "{" GRU ",\"names\":{\"encoder\":\"rnn\"," TAG "}}"};
  cr_expect_eq(arrays_convert(folder_path("absent.pt"), &json, &model), CUSEQ_STATUS_IO);
  cr_expect(!json.at_fault && strstr(cuseq_last_error(), "absent.pt: ") != NULL);
}
