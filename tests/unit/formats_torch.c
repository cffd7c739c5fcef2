/* PyTorch's zip checkpoints: tensors as views of storages, whatever lies around them; damaged and hostile
 * ones get one line that says why. Those that torch.save itself wrote are in tests/golden/arrays. */
#include "formats/torch.h"

#include "error.h"
#include "support/archive.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- pickles as torch.save writes them ---- */

static void add_text(struct bytes *pickle, const char *text) {
  bytes_add(pickle, "X", 1);
  bytes_add_little_endian(pickle, strlen(text), 4);
  bytes_add_text(pickle, text);
}

static void add_integer(struct bytes *pickle, int64_t value) {
  bytes_add(pickle, "\x8a\x08", 2);
  bytes_add_little_endian(pickle, (uint64_t)value, 8);
}

static void add_integers(struct bytes *pickle, const int64_t *values, int count) {
  bytes_add(pickle, "(", 1);
  for (int i = 0; i < count; i++)
    add_integer(pickle, values[i]);
  bytes_add(pickle, "t", 1);
}

/* A view of a storage of FloatStorage or another class. */
struct view {
  const char *name, *class, *key;
  int64_t elements; /* of the storage */
  int64_t offset;
  int rank;
  int64_t shape[4], strides[4];
};

static void add_tensor(struct bytes *pickle, const struct view *view) {
  char global[64];
  snprintf(global, sizeof global, "ctorch\n%s\n", view->class ? view->class : "FloatStorage");
  bytes_add_text(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
  add_text(pickle, "storage");
  bytes_add_text(pickle, global);
  add_text(pickle, view->key);
  add_text(pickle, "cpu");
  add_integer(pickle, view->elements);
  bytes_add_text(pickle, "tQ");
  add_integer(pickle, view->offset);
  add_integers(pickle, view->shape, view->rank);
  add_integers(pickle, view->strides, view->rank);
  bytes_add_text(pickle, "\x89"
                         "ccollections\nOrderedDict\n)RtR");
}

static void add_view(struct bytes *pickle, const struct view *view) {
  add_text(pickle, view->name);
  add_tensor(pickle, view);
  bytes_add(pickle, "s", 1);
}

static struct bytes state_dict_of(const struct view *views, size_t count) {
  struct bytes pickle = {0};
  bytes_add_text(&pickle, "\x80\2"
                          "ccollections\nOrderedDict\n)R");
  for (size_t i = 0; i < count; i++)
    add_view(&pickle, &views[i]);
  bytes_add_text(&pickle, "}");
  add_text(&pickle, "_metadata");
  bytes_add_text(&pickle, "}sb.");
  return pickle;
}

/* ---- archives ---- */

static const float numbers[6] = {0, 1, 2, 3, 4, 5};

/* data.pkl, the storage data/0 with six numbers, and more members. */
static cuseq_status parse(const struct bytes *pickle, const struct member *more, size_t more_count,
                          struct torch_file *file) {
  struct member members[8] = {{.name = "m/data.pkl", .data = pickle->data, .size = pickle->size},
                              {.name = "m/data/0", .data = numbers, .size = sizeof numbers},
                              {.name = "m/version", .data = "3\n", .size = 2}};
  for (size_t i = 0; i < more_count; i++)
    members[3 + i] = more[i];
  struct bytes archive = archive_of(members, 3 + more_count);
  cuseq_status status = torch_file_parse(archive.data, archive.size, file);
  bytes_free(&archive);
  return status;
}

static void expect_refused_with(struct bytes pickle, const struct member *more, size_t more_count,
                                const char *words) {
  struct torch_file file;
  cuseq_status status = parse(&pickle, more, more_count, &file);
  cr_expect_eq(status, CUSEQ_STATUS_INVALID_FILE, "%d instead of: %s", status, words);
  cr_expect(strstr(error_text(), words) != NULL, "\"%s\" does not say \"%s\"", error_text(), words);
  cr_expect(file.arrays == NULL && file.storages == NULL);
  bytes_free(&pickle);
}

static void expect_view_refused(struct view view, const char *words) {
  view.name = view.name ? view.name : "a";
  view.key = view.key ? view.key : "0";
  expect_refused_with(state_dict_of(&view, 1), NULL, 0, words);
}

static float at(const struct named_array *array, int64_t r, int64_t c) {
  float number;
  memcpy(&number, array->data + 4 * (r * array->strides[0] + c * array->strides[1]), 4);
  return number;
}

/* ---- what is read ---- */

Test(torch_file, views_of_one_storage_keep_their_offsets_and_strides) {
  static const struct view views[] = {
      {"whole", NULL, "0", 6, 0, 2, {2, 3}, {3, 1}},  {"turned", NULL, "0", 6, 0, 2, {3, 2}, {1, 3}},
      {"corner", NULL, "0", 6, 1, 2, {2, 2}, {3, 1}}, {"row", NULL, "0", 6, 3, 1, {3}, {1}},
      {"one", NULL, "0", 6, 5, 0, {0}, {0}},          {"none", NULL, "0", 6, 6, 1, {0}, {1}}};
  struct bytes pickle = state_dict_of(views, 6);
  struct torch_file file;
  cr_assert_eq(parse(&pickle, NULL, 0, &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(file.count, 6);
  for (int i = 0; i < 6; i++)
    cr_expect(strcmp(file.arrays[i].name, views[i].name) == 0 && file.arrays[i].dtype == CUSEQ_DTYPE_F32);
  cr_expect(at(&file.arrays[0], 1, 0) == 3 && at(&file.arrays[1], 2, 1) == 5 &&
            at(&file.arrays[1], 0, 1) == 3);
  cr_expect(at(&file.arrays[2], 1, 1) == 5 && at(&file.arrays[2], 0, 0) == 1);
  cr_expect(file.arrays[3].rank == 1 && file.arrays[4].rank == 0 && file.arrays[5].data == NULL);
  torch_file_free(&file);
  bytes_free(&pickle);
}

Test(torch_file, types_are_told_and_those_of_no_use_are_listed) {
  static const struct {
    const char *class, *name;
    int dtype, item;
  } types[] = {{"DoubleStorage", "F64", CUSEQ_DTYPE_F64, 8},
               {"HalfStorage", "F16", CUSEQ_DTYPE_F16, 2},
               {"BFloat16Storage", "BF16", CUSEQ_DTYPE_BF16, 2},
               {"LongStorage", "I64", CUSEQ_DTYPE_I64, 8},
               {"IntStorage", "I32", CUSEQ_DTYPE_I32, 4},
               {"ByteStorage", "U8", -1, 1},
               {"BoolStorage", "BOOL", -1, 1}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    const struct view view = {"a", types[i].class, "0", 24 / types[i].item, 0, 1, {24 / types[i].item}, {1}};
    struct bytes pickle = state_dict_of(&view, 1);
    struct torch_file file;
    cr_assert_eq(parse(&pickle, NULL, 0, &file), CUSEQ_STATUS_OK, "%s", error_text());
    cr_expect(strcmp(file.arrays[0].dtype_name, types[i].name) == 0 &&
              file.arrays[0].dtype == types[i].dtype);
    torch_file_free(&file);
    bytes_free(&pickle);
  }
}

/* {"epoch": 3, "model": {"net": state_dict, ...}, ...} */
static struct bytes nested(bool optimizer) {
  static const struct view view = {"w", NULL, "0", 6, 0, 1, {6}, {1}};
  struct bytes pickle = {0};
  bytes_add_text(&pickle, "\x80\2}");
  add_text(&pickle, "epoch");
  add_integer(&pickle, 3);
  bytes_add_text(&pickle, "s");
  add_text(&pickle, "model");
  bytes_add_text(&pickle, "}");
  add_view(&pickle, &view);
  bytes_add_text(&pickle, "s");
  if (optimizer) {
    add_text(&pickle, "optimizer");
    bytes_add_text(&pickle, "}");
    add_integer(&pickle, 0);
    bytes_add_text(&pickle, "]");
    add_tensor(&pickle, &view);
    bytes_add_text(&pickle, "ass");
  }
  bytes_add_text(&pickle, ".");
  return pickle;
}

Test(torch_file, names_lead_through_dictionaries_unless_only_one_has_tensors) {
  struct bytes pickle = nested(false);
  struct torch_file file;
  cr_assert_eq(parse(&pickle, NULL, 0, &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_expect(file.count == 1 && strcmp(file.arrays[0].name, "w") == 0, "%s", file.arrays[0].name);
  torch_file_free(&file);
  bytes_free(&pickle);
  pickle = nested(true);
  cr_assert_eq(parse(&pickle, NULL, 0, &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_expect(file.count == 2 && strcmp(file.arrays[0].name, "model.w") == 0 &&
                strcmp(file.arrays[1].name, "optimizer.0.0") == 0,
            "%s %s", file.arrays[0].name, file.arrays[1].name);
  torch_file_free(&file);
  bytes_free(&pickle);
}

/* ---- what is refused ---- */

Test(torch_file, tensors_beyond_their_storage_are_refused) {
  expect_view_refused((struct view){.elements = 6, .rank = 1, .shape = {7}, .strides = {1}},
                      "beyond its storage");
  expect_view_refused((struct view){.elements = 6, .offset = 1, .rank = 1, .shape = {6}, .strides = {1}},
                      "beyond its storage");
  expect_view_refused((struct view){.elements = 6, .rank = 2, .shape = {2, 3}, .strides = {4, 1}},
                      "beyond its storage");
  expect_view_refused(
      (struct view){.elements = 6, .offset = INT64_MAX, .rank = 1, .shape = {6}, .strides = {1}},
      "beyond its storage");
  expect_view_refused(
      (struct view){.elements = 6, .rank = 2, .shape = {INT64_MAX, INT64_MAX}, .strides = {INT64_MAX, 0}},
      "beyond its storage");
  expect_view_refused((struct view){.elements = 6, .rank = 1, .shape = {1000000}, .strides = {0}},
                      "repeats elements of its storage");
  expect_view_refused((struct view){.elements = 6, .rank = 1, .shape = {2}, .strides = {-1}},
                      "whose shape is none");
  expect_view_refused((struct view){.elements = 6, .offset = -1, .rank = 1, .shape = {2}, .strides = {1}},
                      "a tensor without a storage");
  expect_view_refused((struct view){.elements = 7, .rank = 1, .shape = {6}, .strides = {1}},
                      "data/0: smaller than the storage");
  expect_view_refused(
      (struct view){.elements = 6, .class = "DoubleStorage", .rank = 1, .shape = {6}, .strides = {1}},
      "data/0: smaller than the storage");
  expect_view_refused((struct view){.elements = 6, .key = "1", .rank = 1, .shape = {6}, .strides = {1}},
                      "data/1: missing");
  expect_view_refused(
      (struct view){.elements = 6, .key = "../m/data/0", .rank = 1, .shape = {6}, .strides = {1}},
      "data/../m/data/0: missing");
}

Test(torch_file, classes_and_functions_of_others_are_refused_by_name) {
  expect_view_refused(
      (struct view){.elements = 6, .class = "QInt8Storage", .rank = 1, .shape = {6}, .strides = {1}},
      "'torch.QInt8Storage', which is none of the names that a state_dict needs");
  struct bytes pickle = {0};
  bytes_add_text(&pickle, "\x80\2"
                          "cargparse\nNamespace\n)\x81}b.");
  expect_refused_with(pickle, NULL, 0, "data.pkl: it has 'argparse.Namespace'");
  pickle = (struct bytes){0};
  bytes_add_text(&pickle, "\x80\2"
                          "ctorch\nFloatStorage\n)R.");
  expect_refused_with(pickle, NULL, 0, "a call of a type");
  pickle = (struct bytes){0};
  bytes_add_text(&pickle, "\x80\2"
                          "ccollections\nOrderedDict\n]("
                          "K\1K\2\x86tR.");
  expect_refused_with(pickle, NULL, 0, "not a readable");
}

Test(torch_file, other_orders_of_bytes_programs_and_empty_files_are_refused) {
  static const struct view view = {"a", NULL, "0", 6, 0, 1, {6}, {1}};
  const struct member big = {.name = "m/byteorder", .data = "big", .size = 3},
                      little = {.name = "m/byteorder", .data = "little", .size = 6},
                      constants = {.name = "m/constants.pkl", .data = "x", .size = 1},
                      second = {.name = "n/data.pkl", .data = "x", .size = 1};
  struct torch_file file;
  expect_refused_with(state_dict_of(&view, 1), &big, 1, "byteorder: 'big' (needed little");
  expect_refused_with(state_dict_of(&view, 1), &constants, 1, "a TorchScript program");
  expect_refused_with(state_dict_of(&view, 1), &second, 1, "more than one data.pkl");
  expect_refused_with(state_dict_of(&view, 0), NULL, 0, "no tensors in it");
  struct bytes pickle = state_dict_of(&view, 1);
  cr_expect_eq(parse(&pickle, &little, 1, &file), CUSEQ_STATUS_OK, "%s", error_text());
  torch_file_free(&file);
  bytes_free(&pickle);
}

Test(torch_file, two_tensors_of_a_name_are_refused) {
  static const struct view views[] = {{"a", NULL, "0", 6, 0, 1, {6}, {1}},
                                      {"a", NULL, "0", 6, 0, 1, {3}, {1}}};
  expect_refused_with(state_dict_of(views, 2), NULL, 0, "a: two tensors of this name");
}

/* Lists in lists, each twice: 2^40 of them to walk. */
Test(torch_file, dictionaries_that_multiply_are_refused) {
  struct bytes pickle = {0};
  bytes_add_text(&pickle, "\x80\2]q");
  bytes_add_little_endian(&pickle, 0, 1);
  for (int i = 1; i < 40; i++) {
    bytes_add_text(&pickle, "0](h");
    bytes_add_little_endian(&pickle, (uint64_t)i - 1, 1);
    bytes_add_text(&pickle, "h");
    bytes_add_little_endian(&pickle, (uint64_t)i - 1, 1);
    bytes_add_text(&pickle, "eq");
    bytes_add_little_endian(&pickle, (uint64_t)i, 1);
  }
  bytes_add_text(&pickle, ".");
  expect_refused_with(pickle, NULL, 0, "lie too deep in each other");
  pickle = (struct bytes){0};
  bytes_add_text(&pickle, "\x80\2]q\1h\1a."); /* a list that is in itself */
  expect_refused_with(pickle, NULL, 0, "lie too deep in each other");
}

Test(torch_file, every_cut_of_one_is_refused) {
  static const struct view view = {"a", NULL, "0", 6, 0, 1, {6}, {1}};
  struct bytes pickle = state_dict_of(&view, 1);
  const struct member members[] = {{.name = "m/data.pkl", .data = pickle.data, .size = pickle.size},
                                   {.name = "m/data/0", .data = numbers, .size = sizeof numbers}};
  struct bytes archive = archive_of(members, 2);
  struct torch_file file;
  for (size_t size = 0; size < archive.size; size++) {
    unsigned char *exact = malloc(size + 1);
    memcpy(exact, archive.data, size);
    cr_expect_neq(torch_file_parse(exact, size, &file), CUSEQ_STATUS_OK, "%zu of %zu bytes", size,
                  archive.size);
    free(exact);
  }
  cr_expect_eq(torch_file_parse(archive.data, archive.size, &file), CUSEQ_STATUS_OK);
  torch_file_free(&file);
  bytes_free(&archive);
  bytes_free(&pickle);
}
