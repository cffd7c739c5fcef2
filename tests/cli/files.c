/* Writes the models and arrays that the command-line tests use into a folder. */
#include "cuseq/cuseq.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "support/random_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

static const char *path_of(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void check(cuseq_status status, const char *what) {
  if (status == CUSEQ_STATUS_OK)
    return;
  fprintf(stderr, "files: %s: %s\n", what, cuseq_last_error());
  exit(2);
}

static void write_model(const char *name, const char *json, struct random_widths widths, uint64_t seed) {
  struct random random = {.state = seed * 88172645463325252u};
  cuseq_model *model = random_model(json, &widths, &random);
  check(cuseq_model_save(model, path_of(name)), name);
  cuseq_model_destroy(model);
}

static void write_models(void) {
  write_model("small.safetensors",
              "{\"version\":1,\"encoder\":{\"features\":3,\"units\":2},"
              "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":1,\"activation\":\"tanh\"}]},"
              "\"decoder\":{\"units\":4,\"steps\":3,\"initial_state\":\"zeros\"},\"output\":{\"units\":5}}",
              (struct random_widths){0}, 1);
  write_model("attention.safetensors",
              "{\"version\":1,\"encoder\":{\"features\":3,\"units\":2},"
              "\"attention\":{\"score\":\"dot\"}}",
              (struct random_widths){0}, 1);
  write_model("forward.safetensors",
              "{\"version\":1,\"encoder\":{\"features\":3,\"units\":2,\"direction\":\"forward\"},"
              "\"attention\":{\"score\":\"dot\"},\"decoder\":{\"units\":2,\"steps\":3},"
              "\"output\":{\"units\":4,\"activation\":\"linear\"}}",
              (struct random_widths){0}, 1);
  /* Seed 413: its outputs differ from text to text, and end early. */
  write_model("text.safetensors",
              "{\"version\":1,\"encoder\":{\"features\":4,\"units\":3},"
              "\"attention\":{\"score\":\"additive\"},"
              "\"decoder\":{\"units\":5,\"steps\":8,\"initial_state\":\"zeros\",\"feedback\":\"output\","
              "\"start_token\":3,\"end_token\":3},\"output\":{\"units\":4},"
              "\"vocabulary\":{\"length\":6,\"input\":[\"a\",\"b\",\"c\",\" \"],"
              "\"output\":[\"x\",\"y\",\"z\",\"<end>\"]}}",
              (struct random_widths){.additive_units = 3, .embedding_units = 2}, 413);
  /* One batch of it takes the reference many seconds. */
  write_model("slow.safetensors",
              "{\"version\":1,\"encoder\":{\"features\":4,\"units\":256},"
              "\"attention\":{\"score\":\"additive\"},"
              "\"decoder\":{\"units\":5,\"steps\":8,\"initial_state\":\"zeros\"},\"output\":{\"units\":4},"
              "\"vocabulary\":{\"length\":20000,\"input\":[\"a\",\"b\",\"<unk>\",\"<pad>\"],"
              "\"output\":[\"x\",\"y\",\"z\",\"<end>\"]}}",
              (struct random_widths){.additive_units = 3}, 1);
}

/* Of a configuration whose quotes are single ones. */
static void write_quoted(const char *name, const char *text, uint64_t seed) {
  char json[2048];
  snprintf(json, sizeof json, "%s", text);
  for (char *c = json; *c; c++)
    *c = *c == '\'' ? '"' : *c;
  write_model(name, json, (struct random_widths){0}, seed);
}

/* Version 2; quotes are single ones. Seeds whose outputs differ and end early. */
static void write_structures(void) {
#define VOCABULARY ",'vocabulary':{'length':6,'input':['a','b','c',' '],'output':['x','y','z','<end>']}}"
  static const struct {
    const char *name, *text;
    uint64_t seed;
  } models[] = {
      {"layers.safetensors",
       "{'version':2,'input':{'features':4,'embedding':3},"
       "'encoder':{'layers':[{'cell':{'kind':'lstm','units':3},'direction':'bidirectional'},"
       "{'cell':{'kind':'gru','units':4,'reset':'before','activation':'relu'},'direction':'bidirectional',"
       "'merge':'sum','dense':{'units':6,'activation':'tanh'}}]},"
       "'attention':{'score':'general','asks':'current','layer':0,'scale':0.5,'value':{'units':5}},"
       "'decoder':{'reads':['token','attentional'],'embedding':3,'feedback':'output','start_token':3,'end_"
       "token':3,"
       "'steps':8,'layers':[{'cell':{'kind':'lstm','units':6},'initial_h':{'layer':0},'initial_c':{'layer':0}"
       "},"
       "{'cell':{'kind':'gru','units':6},'residual':true,'reads_context':true,'initial_h':{'from':'zeros'}}],"
       "'attentional':{'parts':['context','state'],'units':5,'activation':'tanh'}},"
       "'output':{'parts':['attentional'],'layers':[{'units':4,'activation':'softmax'}]}" VOCABULARY,
       103},
      {"plain.safetensors",
       "{'version':2,'input':{'features':4},'encoder':{'layers':[{'cell':{'kind':'gru','units':3}}]},"
       "'decoder':{'reads':['token'],'feedback':'output','start_token':0,'end_token':3,'steps':5,"
       "'layers':[{'cell':{'kind':'gru','units':3}}]},"
       "'output':{'layers':[{'units':5,'activation':'tanh'},{'units':4,'activation':'log_softmax'}]"
       "}" VOCABULARY,
       39},
      {"given.safetensors",
       "{'version':2,'input':{'features':4},'encoder':{'layers':[{'cell':{'kind':'gru','units':3}}]},"
       "'decoder':{'reads':['token'],'feedback':'given','start_token':0,'end_token':3,'steps':5,"
       "'layers':[{'cell':{'kind':'gru','units':3}}]},'output':{'layers':[{'units':4,'activation':'softmax'}]"
       "}" VOCABULARY,
       24},
      {"numbers.safetensors",
       "{'version':2,'input':{'features':3},'encoder':{'layers':[{'cell':{'kind':'lstm','units':3}}]},"
       "'decoder':{'reads':['given','token'],'given':2,'feedback':'output','start_token':0,'steps':3,"
       "'layers':[{'cell':{'kind':'lstm','units':3}}]},"
       "'output':{'parts':['state','given'],'layers':[{'units':4,'activation':'softmax'}]}}",
       11},
      {"tagger.safetensors",
       "{'version':2,'input':{'features':3},'encoder':{'layers':[{'cell':{'kind':'lstm','units':2},"
       "'direction':'backward'}]},'output':{'heads':[{'name':'kind','over':'every','layers':[{'units':4,"
       "'activation':'softmax'}]},{'over':'every','layers':[{'units':2}]}]}}",
       5},
  };
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    write_quoted(models[i].name, models[i].text, models[i].seed);
}

static void write_array(const char *name, enum npy_dtype dtype, int32_t rank, const int64_t *shape,
                        const void *data) {
  struct npy_array array = {.dtype = dtype, .rank = rank, .count = 1, .data = (void *)data};
  for (int32_t i = 0; i < rank; i++) {
    array.shape[i] = shape[i];
    array.count *= (size_t)shape[i];
  }
  check(npy_write(path_of(name), &array), name);
}

/* Models whose outputs have labels, and such whose texts are words. Quotes are single ones. */
static void write_labelled(void) {
#define ENCODER "'encoder':{'layers':[{'cell':{'kind':'lstm','units':3},'direction':'bidirectional'}]},"
#define LETTERS "'length':6,'input':['a','b','c',' ']"
#define WORDS "'length':6,'split':'whitespace','lowercase':true,'drop':',.','input':['the','cat','sat'"
  static const struct {
    const char *name, *text;
    uint64_t seed;
  } models[] = {
      {"classes.safetensors",
       "{'version':2,'input':{'features':4}," ENCODER
       "'attention':{'score':'general'},'output':{'over':'context',"
       "'layers':[{'units':3,'activation':'softmax'}]},'vocabulary':{" LETTERS
       ",'labels':['no','per haps','']}}",
       5},
      {"heads.safetensors",
       "{'version':2,'input':{'features':4}," ENCODER "'output':{'heads':["
       "{'name':'topic','over':'mean','layers':[{'units':4,'activation':'log_softmax'}]},"
       "{'name':'plain','over':'final','layers':[{'units':2,'activation':'tanh'}]},"
       "{'name':'tone','over':'last','layers':[{'units':3,'activation':'sigmoid'}]}]},"
       "'vocabulary':{" LETTERS ",'labels':{'tone':['dry','warm','loud'],'topic':['w','x','y','z']}}}",
       6},
      {"review.safetensors",
       "{'version':2,'input':{'features':5}," ENCODER "'output':{'over':'maximum','layers':[{'units':1}]},"
       "'vocabulary':{" WORDS ",'<unk>','<pad>'],'labels':['bad','good']}}",
       7},
      {"tags.safetensors",
       "{'version':2,'input':{'features':4}," ENCODER "'output':{'over':'every','layers':[{'units':3,"
       "'activation':'softmax'}]},'vocabulary':{" LETTERS ",'labels':['A','B','C']}}",
       67},
      {"words.safetensors",
       "{'version':2,'input':{'features':3}," ENCODER "'output':{'heads':["
       "{'name':'pos','over':'every','layers':[{'units':3}]},"
       "{'name':'number','over':'every','layers':[{'units':1,'activation':'sigmoid'}]}]},"
       "'vocabulary':{" WORDS "],'labels':{'pos':['DET','NOUN','VERB'],'number':['singular','plural']}}}",
       289},
      {"speech.safetensors",
       "{'version':2,'input':{'features':4}," ENCODER
       "'attention':{'score':'dot'},'decoder':{'reads':['token','context'],"
       "'feedback':'output','start_token':3,'end_token':3,'steps':5,'layers':[{'cell':{'kind':'gru','units':"
       "6}}]},"
       "'output':{'layers':[{'units':4,'activation':'softmax'}]},'vocabulary':{" LETTERS
       ",'split':{'output':'whitespace'},'output':['AH0','B','ZH','<end>']}}",
       3},
      {"unlabelled.safetensors",
       "{'version':2,'input':{'features':4}," ENCODER "'output':{'over':'mean','layers':[{'units':3,"
       "'activation':'softmax'}]},'vocabulary':{" LETTERS "}}",
       5},
  };
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    write_quoted(models[i].name, models[i].text, models[i].seed);
  const int64_t letters[] = {1, 4}, words[] = {1, 3};
  write_array("letters.npy", NPY_I32, 2, letters, (int32_t[]){0, 1, 3, 2}); /* "ab c" */
  write_array("sentence.npy", NPY_I32, 2, words, (int32_t[]){0, 1, 2});     /* "the cat sat" */
}

enum { B = 3, T = 5, F = 3, MANY = 600 };

/* Small multiples of 1/8, so that every floating-point type holds them. */
static void write_dense(void) {
  static const int64_t shape[] = {B, T, F}, wide[] = {B, T, F + 1}, many[] = {MANY, T, F};
  float f4[B * T * (F + 1)];
  double f8[B * T * F];
  for (int i = 0; i < B * T * (F + 1); i++)
    f4[i] = (float)(i * 7 % 23 - 11) / 8;
  for (int i = 0; i < B * T * F; i++)
    f8[i] = (double)f4[i];
  write_array("dense.npy", NPY_F32, 3, shape, f4);
  write_array("dense8.npy", NPY_F64, 3, shape, f8);
  write_array("wide.npy", NPY_F32, 3, wide, f4);
  write_array("flat.npy", NPY_F32, 2, shape, f4);
  write_array("row.npy", NPY_F32, 1, shape, f4);
  float *more = malloc(sizeof *more * MANY * T * F);
  if (!more)
    exit(2);
  for (int i = 0; i < MANY * T * F; i++)
    more[i] = f4[i % (B * T * F)];
  write_array("many.npy", NPY_F32, 3, many, more);
  free(more);
  f4[1 * T * F + 2 * F + 1] = NAN;
  write_array("nan.npy", NPY_F32, 3, shape, f4);
  f8[2 * T * F + 4 * F + 2] = -INFINITY;
  write_array("infinite.npy", NPY_F64, 3, shape, f8);
  f8[2 * T * F + 4 * F + 2] = 1e300;
  write_array("huge.npy", NPY_F64, 3, shape, f8);
}

/* Of numbers.safetensors. */
static void write_numbers(void) {
  enum { Y = 4, G = 2, ROW = Y * G };
  float f4[B * ROW];
  double f8[B * ROW];
  static float many[MANY * ROW];
  for (int i = 0; i < B * ROW; i++)
    f8[i] = f4[i] = (float)(i * 5 % 17 - 8) / 8;
  for (int i = 0; i < MANY * ROW; i++)
    many[i] = f4[i % (B * ROW)];
  write_array("numbers.npy", NPY_F32, 3, (int64_t[]){B, Y, G}, f4);
  write_array("numbers8.npy", NPY_F64, 3, (int64_t[]){B, Y, G}, f8);
  write_array("numbers_many.npy", NPY_F32, 3, (int64_t[]){MANY, Y, G}, many);
  f4[1 * ROW + 2 * G + 1] = NAN;
  write_array("numbers_nan.npy", NPY_F32, 3, (int64_t[]){B, Y, G}, f4);
}

static void write_ids(void) {
  static const int64_t shape[] = {B, T}, dense[] = {B, T, F};
  int64_t i8[B * T];
  int32_t i4[B * T];
  uint8_t one_hot[B * T * F] = {0};
  for (int i = 0; i < B * T; i++) {
    i4[i] = i * i % F;
    i8[i] = i4[i];
    one_hot[i * F + i4[i]] = 1;
  }
  write_array("ids8.npy", NPY_I64, 2, shape, i8);
  write_array("ids4.npy", NPY_I32, 2, shape, i4);
  write_array("one_hot.npy", NPY_U8, 3, dense, one_hot);
  int32_t many[MANY * T];
  for (int i = 0; i < MANY * T; i++)
    many[i] = i4[i % (B * T)];
  write_array("ids_many.npy", NPY_I32, 2, (int64_t[]){MANY, T}, many);
  i8[1 * T + 3] = F;
  write_array("ids_large.npy", NPY_I64, 2, shape, i8);
  i4[2 * T + 4] = -1;
  write_array("ids_negative.npy", NPY_I32, 2, shape, i4);
}

static void write_lengths(void) {
  static const int64_t rows[] = {B}, fewer[] = {B - 1};
  write_array("lengths.npy", NPY_I64, 1, rows, (int64_t[]){5, 2, 1});
  write_array("lengths_zero.npy", NPY_I32, 1, rows, (int32_t[]){5, 0, 1});
  write_array("lengths_large.npy", NPY_I64, 1, rows, (int64_t[]){5, 2, 6});
  write_array("lengths_enormous.npy", NPY_I64, 1, rows, (int64_t[]){5, INT64_MAX, 6});
  write_array("lengths_few.npy", NPY_I64, 1, fewer, (int64_t[]){5, 2});
  write_array("lengths_float.npy", NPY_F32, 1, rows, (float[]){5, 2, 1});
}

/* What text.safetensors is made to follow; its token 3 ends. */
static void write_targets(void) {
  static const int64_t shape[] = {B, 4}, few[] = {B - 1, 4};
  const int32_t tokens[B * 4] = {0, 1, 3, 2, 2, -1, 0, 0, 1, 1, 1, 1};
  int32_t large[B * 4] = {0, 0, 0, 0, 0, 4}, none[B * 4] = {0, 0, 0, 0, -1};
  write_array("targets.npy", NPY_I32, 2, shape, tokens);
  write_array("targets_few.npy", NPY_I32, 2, few, tokens);
  write_array("targets_large.npy", NPY_I32, 2, shape, large);
  write_array("targets_enormous.npy", NPY_I64, 2, (int64_t[]){3, 1}, (int64_t[]){1, 2, INT64_MAX});
  write_array("targets_none.npy", NPY_I32, 2, shape, none);
}

/* The encoder of attention.safetensors as an nn.LSTM named "lstm": matrices transposed, two biases. */
static void write_state_dict(void) {
  static const char *const names[2][4] = {
      {"lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"},
      {"lstm.weight_ih_l0_reverse", "lstm.weight_hh_l0_reverse", "lstm.bias_ih_l0_reverse",
       "lstm.bias_hh_l0_reverse"}};
  static float values[8][64];
  struct safetensors_tensor tensors[8];
  cuseq_model *model;
  check(cuseq_model_load(path_of("attention.safetensors"), &model), "attention.safetensors");
  for (size_t i = 0; i < 8; i++) {
    cuseq_tensor from;
    size_t which = i % 4;
    check(cuseq_model_tensor(model, i / 4 * 3 + (which < 2 ? which : 2), &from), "a tensor");
    int64_t rows = from.shape[0], columns = from.rank == 2 ? from.shape[1] : 1;
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < columns; c++)
        values[i][c * rows + r] = which == 3 ? 0.125f : ((const float *)from.data)[r * columns + c];
    for (int64_t r = 0; r < rows && which == 2; r++)
      values[i][r] -= 0.125f;
    tensors[i] = (struct safetensors_tensor){.name = names[i / 4][which],
                                             .dtype_name = "F32",
                                             .dtype = CUSEQ_DTYPE_F32,
                                             .rank = from.rank,
                                             .shape = {from.rank == 2 ? columns : rows, rows},
                                             .data = values[i],
                                             .bytes = (size_t)(rows * columns) * sizeof(float)};
  }
  cuseq_model_destroy(model);
  check(safetensors_write(path_of("state_dict.safetensors"),
                          &(struct safetensors){.tensors = tensors, .tensor_count = 8}),
        "state_dict.safetensors");
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: files FOLDER\n");
    return 2;
  }
  folder = argv[1];
  write_models();
  write_structures();
  write_labelled();
  write_targets();
  write_state_dict();
  write_dense();
  write_numbers();
  write_ids();
  write_lengths();
  return 0;
}
