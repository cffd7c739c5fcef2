/* Protocol buffers, by their outermost fields: each is a key - number and wire type - and a value, which is a
 * number or bytes behind their length. */
#include "formats/file_kind_parts.h"

#include <stdbool.h>
#include <stdint.h>

enum { WIRE_NUMBER = 0, WIRE_BYTES = 2, FIELDS_LOOKED_AT = 4096, NUMBER_BYTES = 10, IR_VERSIONS = 1000 };

/* Fields of onnx.ModelProto: ir_version and model_version are numbers, all others bytes. */
enum { ONNX_IR_VERSION = 1, ONNX_MODEL_VERSION = 5, ONNX_GRAPH = 7 };
static const uint8_t onnx_fields[] = {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26};

/* Fields of tensorflow.SavedModel. */
enum { SAVED_MODEL_VERSION = 1, SAVED_MODEL_GRAPHS = 2 };

struct field {
  uint64_t number, wire, value; /* the value of bytes is their length */
  size_t next;                  /* where the next one begins */
};

static bool read_number(const unsigned char *bytes, size_t size, size_t *at, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < NUMBER_BYTES && *at < size; i++) {
    unsigned char byte = bytes[(*at)++];
    *value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (!(byte & 0x80))
      return true;
  }
  return false;
}

static bool read_field(int descriptor, size_t offset, struct field *field) {
  unsigned char bytes[2 * NUMBER_BYTES];
  size_t got = file_kind_read(descriptor, offset, bytes, sizeof bytes), at = 0;
  uint64_t key;
  if (!read_number(bytes, got, &at, &key) || !read_number(bytes, got, &at, &field->value))
    return false;
  field->number = key >> 3;
  field->wire = key & 7;
  field->next = offset + at;
  return field->wire == WIRE_NUMBER ||
         (field->wire == WIRE_BYTES && !__builtin_add_overflow(field->next, field->value, &field->next));
}

static bool is_onnx_field(const struct field *field) {
  bool known = false;
  for (size_t i = 0; i < sizeof onnx_fields; i++)
    known = known || field->number == onnx_fields[i];
  bool number = field->number == ONNX_IR_VERSION || field->number == ONNX_MODEL_VERSION;
  return known && field->wire == (number ? WIRE_NUMBER : WIRE_BYTES);
}

static bool is_saved_model_field(const struct field *field) {
  return field->number == SAVED_MODEL_VERSION
             ? field->wire == WIRE_NUMBER && field->value == 1
             : field->number == SAVED_MODEL_GRAPHS && field->wire == WIRE_BYTES;
}

enum file_kind file_kind_of_protobuf(int descriptor, size_t size) {
  bool onnx = true, saved_model = true, seen[32] = {false};
  struct field field;
  size_t offset = 0;
  for (int i = 0; offset < size && i < FIELDS_LOOKED_AT && (onnx || saved_model); i++, offset = field.next) {
    if (!read_field(descriptor, offset, &field))
      return FILE_KIND_UNKNOWN;
    onnx = onnx && is_onnx_field(&field) && (field.number != ONNX_IR_VERSION || field.value < IR_VERSIONS);
    saved_model = saved_model && is_saved_model_field(&field);
    if (field.number < sizeof seen / sizeof *seen)
      seen[field.number] = true;
  }
  /* A graph may go on beyond the end of a file that is cut short. */
  if (onnx && seen[ONNX_IR_VERSION] && seen[ONNX_GRAPH] && (offset <= size || field.number == ONNX_GRAPH))
    return FILE_KIND_ONNX;
  if (saved_model && seen[SAVED_MODEL_VERSION] && seen[SAVED_MODEL_GRAPHS] && offset <= size)
    return FILE_KIND_SAVED_MODEL;
  return FILE_KIND_UNKNOWN;
}
