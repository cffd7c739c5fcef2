/* ONNX files that are damaged, cut short, not what they say, or hostile: each gets one line that names the
 * file and what is wrong, and no model. The files are made byte by byte, field by field, as the ONNX
 * specification numbers them. */
#include "convert/convert.h"
#include "support/bytes.h"
#include "support/folder.h"
#include "support/memory.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(onnx_bad, .init = folder_make, .fini = folder_remove);

/* ---- protocol buffers ---- */

static void put_varint(struct bytes *bytes, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    bytes_add_little_endian(bytes, (value & 0x7f) | 0x80, 1);
  bytes_add_little_endian(bytes, value, 1);
}

static void put_number(struct bytes *bytes, unsigned field, uint64_t value) {
  put_varint(bytes, (uint64_t)field << 3);
  put_varint(bytes, value);
}

static void put_bytes(struct bytes *bytes, unsigned field, const void *data, size_t size) {
  put_varint(bytes, (uint64_t)field << 3 | 2);
  put_varint(bytes, size);
  bytes_add(bytes, data, size);
}

static void put_text(struct bytes *bytes, unsigned field, const char *text) {
  put_bytes(bytes, field, text, strlen(text));
}

/* Puts a message into another and frees it. */
static void put_message(struct bytes *bytes, unsigned field, struct bytes *message) {
  put_bytes(bytes, field, message->data, message->size);
  bytes_free(message);
}

/* ---- ONNX ---- */

static void put_node(struct bytes *graph, const char *operation, const char *domain, const char *name,
                     const char *input, const char *output) {
  struct bytes node = {0};
  put_text(&node, 1, input);
  put_text(&node, 2, output);
  put_text(&node, 3, name);
  put_text(&node, 4, operation);
  put_text(&node, 7, domain);
  put_message(graph, 1, &node);
}

static void put_dimension(struct bytes *shape, int64_t size, const char *symbol) {
  struct bytes dimension = {0};
  if (size > 0)
    put_number(&dimension, 1, (uint64_t)size);
  else
    put_text(&dimension, 2, symbol);
  put_message(shape, 1, &dimension);
}

/* A float [batch, time, features], or an output without a shape where features is 0. */
static void put_value(struct bytes *graph, unsigned field, const char *name, int64_t features) {
  struct bytes info = {0}, type = {0}, tensor = {0}, shape = {0};
  put_text(&info, 1, name);
  put_number(&tensor, 1, 1);
  if (features > 0) {
    put_dimension(&shape, 0, "batch");
    put_dimension(&shape, 0, "time");
    put_dimension(&shape, features, "");
    put_message(&tensor, 2, &shape);
  }
  put_message(&type, 1, &tensor);
  put_message(&info, 2, &type);
  put_message(graph, field, &info);
}

/* A tensor of floats: `count` dimensions, and bytes of raw_data. */
static void put_tensor(struct bytes *graph, const char *name, const int64_t *dims, size_t count,
                       const void *data, size_t size) {
  struct bytes tensor = {0};
  for (size_t i = 0; i < count; i++)
    put_number(&tensor, 1, (uint64_t)dims[i]);
  put_number(&tensor, 2, 1);
  put_text(&tensor, 8, name);
  put_bytes(&tensor, 9, data, size);
  put_message(graph, 5, &tensor);
}

/* A tensor whose numbers lie in another file. */
static void put_beside(struct bytes *graph, const char *name, const char *location) {
  struct bytes tensor = {0}, entry = {0};
  put_number(&tensor, 1, 2);
  put_number(&tensor, 1, 2);
  put_number(&tensor, 2, 1);
  put_text(&tensor, 8, name);
  put_text(&entry, 1, "location");
  put_text(&entry, 2, location);
  put_message(&tensor, 13, &entry);
  put_number(&tensor, 14, 1);
  put_message(graph, 5, &tensor);
}

/* Writes a model of a graph, which is freed; returns its path. */
static const char *write_model(struct bytes *graph, int64_t opset) {
  struct bytes model = {0}, set = {0};
  put_number(&model, 1, 8);
  put_message(&model, 7, graph);
  put_text(&set, 1, "");
  put_number(&set, 2, (uint64_t)opset);
  put_message(&model, 8, &set);
  const char *path = folder_write("model.onnx", model.data, model.size);
  bytes_free(&model);
  return path;
}

/* A graph of one node between an input x of two features and an output y. */
static struct bytes one_node(const char *operation, const char *domain) {
  struct bytes graph = {0};
  put_node(&graph, operation, domain, "the node", "x", "y");
  put_value(&graph, 11, "x", 2);
  put_value(&graph, 12, "y", 0);
  return graph;
}

/* ---- converting ---- */

/* Converts files, which must be refused in one line that has the first one's name in front and all the
 * words. */
static void expect_refused(const char *const *paths, size_t count, const char *const *words) {
  cuseq_model *model = (cuseq_model *)1;
  char *notes = (char *)1;
  cuseq_status status = onnx_convert(paths, count, NULL, NULL, NULL, &model, &notes);
  const char *text = cuseq_last_error();
  cr_assert(status != CUSEQ_STATUS_OK, "converted");
  cr_expect(model == NULL && notes == NULL, "a model or notes beside an error");
  bool named = false;
  for (size_t i = 0; i < count; i++)
    named = named || strncmp(text, paths[i], strlen(paths[i])) == 0;
  cr_expect(named && strchr(text, '\n') == NULL, "%s", text);
  for (size_t i = 0; words[i] != NULL; i++)
    cr_expect(strstr(text, words[i]) != NULL, "\"%s\" is not in: %s", words[i], text);
}

#define EXPECT_REFUSED(path, ...)                                                                            \
  expect_refused((const char *const[]){path}, 1, (const char *const[]){__VA_ARGS__, NULL})

/* ---- tests ---- */

Test(onnx_bad, loops_and_operations_of_other_domains_are_refused_by_the_nodes_name) {
  struct bytes graph = one_node("Loop", "");
  EXPECT_REFUSED(write_model(&graph, 17), "'the node'", "Loop", "loops");
  graph = one_node("Scan", "");
  EXPECT_REFUSED(write_model(&graph, 17), "'the node'", "Scan", "loops");
  graph = one_node("If", "");
  EXPECT_REFUSED(write_model(&graph, 17), "'the node'", "If");
  graph = one_node("Attention", "com.microsoft");
  EXPECT_REFUSED(write_model(&graph, 17), "'the node'", "com.microsoft.Attention", "domain");
  graph = one_node("NonMaxSuppression", "");
  EXPECT_REFUSED(write_model(&graph, 17), "'the node'", "NonMaxSuppression");
}

Test(onnx_bad, opsets_before_11_and_of_the_future_are_refused) {
  static const int64_t sets[] = {0, 1, 10, 99, 1 << 30};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    struct bytes graph = one_node("Tanh", "");
    EXPECT_REFUSED(write_model(&graph, sets[i]), "opset", "11 to");
  }
}

Test(onnx_bad, graphs_that_are_cyclic_or_read_what_is_not_there_are_refused) {
  struct bytes graph = {0};
  put_node(&graph, "Tanh", "", "first", "b", "a");
  put_node(&graph, "Tanh", "", "second", "a", "b");
  put_value(&graph, 11, "x", 2);
  put_value(&graph, 12, "b", 0);
  EXPECT_REFUSED(write_model(&graph, 17), "'first'", "'b'", "cyclic");
  graph = (struct bytes){0};
  put_node(&graph, "Tanh", "", "first", "nowhere", "y");
  put_value(&graph, 11, "x", 2);
  put_value(&graph, 12, "y", 0);
  EXPECT_REFUSED(write_model(&graph, 17), "'first'", "'nowhere'");
  graph = (struct bytes){0};
  put_node(&graph, "Tanh", "", "first", "x", "y");
  put_node(&graph, "Tanh", "", "second", "x", "y");
  put_value(&graph, 11, "x", 2);
  put_value(&graph, 12, "y", 0);
  EXPECT_REFUSED(write_model(&graph, 17), "two tensors", "'y'");
}

Test(onnx_bad, tensors_larger_than_what_they_have_are_refused_before_memory_is_spent) {
  static const int64_t million[] = {1000000, 1000000}, wraps[] = {INT64_MAX, INT64_MAX, 4},
                       negative[] = {-1, 2};
  static const struct {
    const int64_t *dims;
    size_t count;
  } cases[] = {{million, 2}, {wraps, 3}, {negative, 2}};
  bool limited = memory_limit((size_t)256 << 20);
  for (size_t i = 0; i < 3; i++) {
    struct bytes graph = one_node("Tanh", "");
    put_tensor(&graph, "weights", cases[i].dims, cases[i].count, "12345678", 8);
    EXPECT_REFUSED(write_model(&graph, 17), "'weights'", "dimensions");
  }
  if (!limited)
    cr_log_info("memory could not be limited here");
}

Test(onnx_bad, weights_outside_the_models_folder_are_not_opened) {
  static const char *const locations[] = {"/etc/passwd", "../model.bin", "a/../../model.bin", "..", "",
                                          "a/.."};
  for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
    struct bytes graph = one_node("Tanh", "");
    put_beside(&graph, "weights", locations[i]);
    EXPECT_REFUSED(write_model(&graph, 17), "weights", "leads out of the model's folder");
  }
  cr_assert(symlink("/etc/passwd", folder_path("link")) == 0 && symlink("/etc", folder_path("folder")) == 0);
  static const char *const links[] = {"link", "folder/passwd"};
  for (size_t i = 0; i < 2; i++) {
    struct bytes graph = one_node("Tanh", "");
    put_beside(&graph, "weights", links[i]);
    EXPECT_REFUSED(write_model(&graph, 17), "weights", "symbolic link");
  }
  struct bytes graph = one_node("Tanh", "");
  put_beside(&graph, "weights", "missing.bin");
  EXPECT_REFUSED(write_model(&graph, 17), "weights", "missing.bin", "No such file");
  folder_write("short.bin", "1234", 4);
  graph = one_node("Tanh", "");
  put_beside(&graph, "weights", "short.bin");
  EXPECT_REFUSED(write_model(&graph, 17), "weights", "4 bytes");
}

Test(onnx_bad, every_beginning_of_a_file_is_refused_in_one_line) {
  struct bytes graph = one_node("Loop", ""), whole = {0};
  FILE *file = fopen(write_model(&graph, 17), "rb");
  cr_assert(file != NULL);
  char chunk[4096];
  bytes_add(&whole, chunk, fread(chunk, 1, sizeof chunk, file));
  fclose(file);
  for (size_t size = 0; size < whole.size; size++)
    EXPECT_REFUSED(folder_write("cut.onnx", whole.data, size), "cut.onnx");
  bytes_free(&whole);
}

Test(onnx_bad, graphs_nested_without_end_and_many_empty_messages_are_refused) {
  struct bytes graph = {0};
  put_value(&graph, 11, "x", 2);
  for (int i = 0; i < 500; i++) { /* a graph in an attribute of a node in a graph */
    struct bytes attribute = {0}, node = {0}, outer = {0};
    put_message(&attribute, 6, &graph);
    put_message(&node, 5, &attribute);
    put_message(&outer, 1, &node);
    graph = outer;
  }
  EXPECT_REFUSED(write_model(&graph, 17), "nested too deep");
  graph = (struct bytes){0};
  bytes_add_repeated(&graph, "\x0a\x02\x0a", 1); /* not aligned to anything: damaged */
  EXPECT_REFUSED(write_model(&graph, 17), "damaged");
  graph = (struct bytes){0};
  for (int i = 0; i < 400000; i++)
    put_bytes(&graph, 1, "", 0); /* 800 KB that would become a hundred megabytes of nodes */
  EXPECT_REFUSED(write_model(&graph, 17), "too much memory");
}

Test(onnx_bad, an_encoder_and_a_decoder_that_do_not_fit_are_refused_by_name) {
  struct bytes graph = one_node("Tanh", "");
  const char *first = write_model(&graph, 17);
  char encoder[256];
  snprintf(encoder, sizeof encoder, "%s", folder_path("encoder.onnx"));
  cr_assert(rename(first, encoder) == 0);
  graph = one_node("Tanh", "");
  put_value(&graph, 11, "state", 7);
  const char *paths[2] = {encoder, write_model(&graph, 17)};
  expect_refused(paths, 2, (const char *const[]){"'state'", "decoder", NULL});
}
