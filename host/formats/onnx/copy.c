#include "formats/onnx/copy.h"

#include "error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* A graph in an attribute of a node in a graph is three deep; loops within loops are refused by name
 * anyway. */
enum { MAX_DEPTH = 24, VARINT_BYTES = 10, LENGTH_BYTES = 5 };

/* What protobuf-c allocates for a submessage, beside its fields' contents: its structure (the largest has
 * some 200 bytes), its pointer in the list that grows, malloc's own; and for a text. */
enum { MESSAGE_COST = 320, TEXT_COST = 32, NUMBER_COST = 16 };
static const size_t allowance = (size_t)32 << 20;

enum message {
  MESSAGE_MODEL,
  MESSAGE_OPERATOR_SET,
  MESSAGE_FUNCTION,
  MESSAGE_GRAPH,
  MESSAGE_SPARSE,
  MESSAGE_VALUE_INFO,
  MESSAGE_TYPE,
  MESSAGE_TENSOR_TYPE,
  MESSAGE_SHAPE,
  MESSAGE_DIMENSION,
  MESSAGE_NODE,
  MESSAGE_ATTRIBUTE,
  MESSAGE_TENSOR,
  MESSAGE_ENTRY,
};

enum kind {
  KIND_NUMBER,  /* a varint                                          */
  KIND_NUMBERS, /* varints, one by one or packed                     */
  KIND_FLOAT,   /* four bytes                                        */
  KIND_FLOATS,  /* such, one by one or packed                        */
  KIND_TEXT,    /* bytes without a zero among them                   */
  KIND_BYTES,
  KIND_ONE,    /* a message, at most once                           */
  KIND_MANY,   /* messages                                          */
  KIND_STORED, /* numbers that stay where they are                  */
};

/* The fields of onnx.proto. */
static const struct rule {
  enum message of;
  uint32_t number;
  enum kind kind;
  enum message inner;
} rules[] = {
    {MESSAGE_MODEL, 1, KIND_NUMBER, 0},
    {MESSAGE_MODEL, 2, KIND_TEXT, 0},
    {MESSAGE_MODEL, 3, KIND_TEXT, 0},
    {MESSAGE_MODEL, 7, KIND_ONE, MESSAGE_GRAPH},
    {MESSAGE_MODEL, 8, KIND_MANY, MESSAGE_OPERATOR_SET},
    {MESSAGE_MODEL, 25, KIND_MANY, MESSAGE_FUNCTION},
    {MESSAGE_OPERATOR_SET, 1, KIND_TEXT, 0},
    {MESSAGE_OPERATOR_SET, 2, KIND_NUMBER, 0},
    {MESSAGE_FUNCTION, 1, KIND_TEXT, 0},
    {MESSAGE_FUNCTION, 10, KIND_TEXT, 0},
    {MESSAGE_GRAPH, 1, KIND_MANY, MESSAGE_NODE},
    {MESSAGE_GRAPH, 2, KIND_TEXT, 0},
    {MESSAGE_GRAPH, 5, KIND_MANY, MESSAGE_TENSOR},
    {MESSAGE_GRAPH, 11, KIND_MANY, MESSAGE_VALUE_INFO},
    {MESSAGE_GRAPH, 12, KIND_MANY, MESSAGE_VALUE_INFO},
    {MESSAGE_GRAPH, 15, KIND_MANY, MESSAGE_SPARSE},
    {MESSAGE_SPARSE, 1, KIND_ONE, MESSAGE_TENSOR},
    {MESSAGE_VALUE_INFO, 1, KIND_TEXT, 0},
    {MESSAGE_VALUE_INFO, 2, KIND_ONE, MESSAGE_TYPE},
    {MESSAGE_TYPE, 1, KIND_ONE, MESSAGE_TENSOR_TYPE},
    {MESSAGE_TENSOR_TYPE, 1, KIND_NUMBER, 0},
    {MESSAGE_TENSOR_TYPE, 2, KIND_ONE, MESSAGE_SHAPE},
    {MESSAGE_SHAPE, 1, KIND_MANY, MESSAGE_DIMENSION},
    {MESSAGE_DIMENSION, 1, KIND_NUMBER, 0},
    {MESSAGE_DIMENSION, 2, KIND_TEXT, 0},
    {MESSAGE_NODE, 1, KIND_TEXT, 0},
    {MESSAGE_NODE, 2, KIND_TEXT, 0},
    {MESSAGE_NODE, 3, KIND_TEXT, 0},
    {MESSAGE_NODE, 4, KIND_TEXT, 0},
    {MESSAGE_NODE, 5, KIND_MANY, MESSAGE_ATTRIBUTE},
    {MESSAGE_NODE, 7, KIND_TEXT, 0},
    {MESSAGE_ATTRIBUTE, 1, KIND_TEXT, 0},
    {MESSAGE_ATTRIBUTE, 2, KIND_FLOAT, 0},
    {MESSAGE_ATTRIBUTE, 3, KIND_NUMBER, 0},
    {MESSAGE_ATTRIBUTE, 4, KIND_BYTES, 0},
    {MESSAGE_ATTRIBUTE, 5, KIND_ONE, MESSAGE_TENSOR},
    {MESSAGE_ATTRIBUTE, 6, KIND_ONE, MESSAGE_GRAPH},
    {MESSAGE_ATTRIBUTE, 7, KIND_FLOATS, 0},
    {MESSAGE_ATTRIBUTE, 8, KIND_NUMBERS, 0},
    {MESSAGE_ATTRIBUTE, 9, KIND_BYTES, 0},
    {MESSAGE_ATTRIBUTE, 20, KIND_NUMBER, 0},
    {MESSAGE_ATTRIBUTE, 21, KIND_TEXT, 0},
    {MESSAGE_TENSOR, 1, KIND_NUMBERS, 0},
    {MESSAGE_TENSOR, 2, KIND_NUMBER, 0},
    {MESSAGE_TENSOR, 4, KIND_STORED, 0},
    {MESSAGE_TENSOR, 5, KIND_NUMBERS, 0},
    {MESSAGE_TENSOR, 7, KIND_NUMBERS, 0},
    {MESSAGE_TENSOR, 8, KIND_TEXT, 0},
    {MESSAGE_TENSOR, 9, KIND_STORED, 0},
    {MESSAGE_TENSOR, 10, KIND_STORED, 0},
    {MESSAGE_TENSOR, 13, KIND_MANY, MESSAGE_ENTRY},
    {MESSAGE_TENSOR, 14, KIND_NUMBER, 0},
    {MESSAGE_ENTRY, 1, KIND_TEXT, 0},
    {MESSAGE_ENTRY, 2, KIND_TEXT, 0},
};

static const uint32_t stored_field = 1000;

struct copier {
  const uint8_t *bytes; /* the whole file */
  uint8_t *copy;
  size_t used, capacity;
  size_t cost, most; /* what protobuf-c will take for the copy, and what it may */
};

/* A field of the file. */
struct field {
  uint32_t number;
  enum wire wire;
  size_t begin; /* of the key */
  size_t data;  /* of the value; of bytes, behind their length */
  size_t end;
};

static cuseq_status damaged(size_t at) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not an ONNX model: it is damaged or cut short at byte %zu",
                   at);
}

static bool read_varint(const uint8_t *bytes, size_t end, size_t *at, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < VARINT_BYTES && *at < end; i++) {
    uint8_t byte = bytes[(*at)++];
    *value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (!(byte & 0x80))
      return true;
  }
  return false;
}

static cuseq_status read_field(const struct copier *copier, size_t at, size_t end, struct field *field) {
  uint64_t key, length = 0;
  field->begin = at;
  if (!read_varint(copier->bytes, end, &at, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX >> 3)
    return damaged(field->begin);
  field->number = (uint32_t)(key >> 3);
  field->wire = (enum wire)(key & 7);
  field->data = at;
  switch (field->wire) {
  case WIRE_VARINT:
    if (!read_varint(copier->bytes, end, &at, &length))
      return damaged(field->begin);
    length = 0;
    break;
  case WIRE_FIXED64:
    length = 8;
    break;
  case WIRE_FIXED32:
    length = 4;
    break;
  case WIRE_BYTES:
    if (!read_varint(copier->bytes, end, &at, &length))
      return damaged(field->begin);
    field->data = at;
    break;
  default:
    return damaged(field->begin);
  }
  if (length > end - at)
    return damaged(field->begin);
  field->end = at + (size_t)length;
  return CUSEQ_STATUS_OK;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static cuseq_status reserve(struct copier *copier, size_t size) {
  size_t needed;
  if (__builtin_add_overflow(copier->used, size, &needed))
    return error_out_of_memory();
  if (copier->copy != NULL && needed <= copier->capacity)
    return CUSEQ_STATUS_OK;
  size_t capacity = needed + needed / 2 + 4096;
  uint8_t *copy = realloc(copier->copy, capacity);
  if (copy == NULL)
    return error_out_of_memory();
  copier->copy = copy;
  copier->capacity = capacity;
  return CUSEQ_STATUS_OK;
}

static void put_varint(struct copier *copier, uint64_t value) { /* behind a reserve */
  for (; value >= 0x80; value >>= 7)
    copier->copy[copier->used++] = (uint8_t)(value | 0x80);
  copier->copy[copier->used++] = (uint8_t)value;
}

static cuseq_status put_bytes(struct copier *copier, size_t begin, size_t end) {
  TRY(reserve(copier, end - begin));
  memcpy(copier->copy + copier->used, copier->bytes + begin, end - begin);
  copier->used += end - begin;
  return CUSEQ_STATUS_OK;
}

static cuseq_status pay(struct copier *copier, size_t cost) {
  copier->cost += cost;
  if (copier->cost > copier->most)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "its nodes, names and attributes take too much memory for the size of the file");
  return CUSEQ_STATUS_OK;
}

/* ---- fields --------------------------------------------------------------------------------------- */

static const struct rule *find_rule(enum message of, uint32_t number) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].of == of && rules[i].number == number)
      return &rules[i];
  return NULL;
}

static bool fits(enum kind kind, enum wire wire) {
  switch (kind) {
  case KIND_NUMBER:
    return wire == WIRE_VARINT;
  case KIND_NUMBERS:
    return wire == WIRE_VARINT || wire == WIRE_BYTES;
  case KIND_FLOAT:
    return wire == WIRE_FIXED32;
  case KIND_FLOATS:
    return wire == WIRE_FIXED32 || wire == WIRE_BYTES;
  default:
    return wire == WIRE_BYTES;
  }
}

/* Where the numbers lie, in place of them. */
static cuseq_status put_stored(struct copier *copier, const struct field *field) {
  enum { MOST = 48 };
  TRY(pay(copier, MESSAGE_COST));
  TRY(reserve(copier, MOST));
  size_t key = copier->used;
  put_varint(copier, (uint64_t)stored_field << 3 | WIRE_BYTES);
  size_t length = copier->used++;
  uint64_t values[3] = {field->number, field->data, field->end - field->data};
  for (unsigned i = 0; i < 3; i++) {
    put_varint(copier, (uint64_t)(i + 1) << 3 | WIRE_VARINT);
    put_varint(copier, values[i]);
  }
  copier->copy[length] = (uint8_t)(copier->used - length - 1);
  return copier->used - key <= MOST ? CUSEQ_STATUS_OK : damaged(field->begin);
}

static cuseq_status copy_message(struct copier *copier, enum message of, size_t at, size_t end, int depth);

/* The length stands in front of the message and is known behind it: five bytes hold any. */
static cuseq_status put_message(struct copier *copier, const struct rule *rule, const struct field *field,
                                int depth) {
  if (depth >= MAX_DEPTH)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "its graphs are nested too deep");
  TRY(pay(copier, MESSAGE_COST));
  TRY(reserve(copier, VARINT_BYTES + LENGTH_BYTES));
  put_varint(copier, (uint64_t)rule->number << 3 | WIRE_BYTES);
  size_t length = copier->used;
  copier->used += LENGTH_BYTES;
  TRY(copy_message(copier, rule->inner, field->data, field->end, depth + 1));
  size_t size = copier->used - length - LENGTH_BYTES;
  if (size > INT32_MAX)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "its graph is larger than 2 GiB");
  for (int i = 0; i < LENGTH_BYTES; i++)
    copier->copy[length + (size_t)i] =
        (uint8_t)((size >> (7 * i) & 0x7f) | (i + 1 < LENGTH_BYTES ? 0x80 : 0));
  return CUSEQ_STATUS_OK;
}

/* How much protobuf-c takes for the contents of a field that is copied as it is. */
static size_t cost_of(enum kind kind, const struct field *field) {
  size_t size = field->end - field->data;
  if (kind == KIND_NUMBERS && field->wire == WIRE_BYTES)
    return size * 8 + TEXT_COST;
  if (kind == KIND_TEXT || kind == KIND_BYTES)
    return size + TEXT_COST;
  return kind == KIND_FLOATS ? size * 2 + TEXT_COST : NUMBER_COST;
}

static cuseq_status copy_field(struct copier *copier, const struct rule *rule, const struct field *field,
                               int depth) {
  if (!fits(rule->kind, field->wire))
    return damaged(field->begin);
  if (rule->kind == KIND_STORED)
    return put_stored(copier, field);
  if (rule->kind == KIND_ONE || rule->kind == KIND_MANY)
    return put_message(copier, rule, field, depth);
  if (rule->kind == KIND_TEXT && memchr(copier->bytes + field->data, 0, field->end - field->data) != NULL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "a name in it has a zero byte (at byte %zu)", field->data);
  TRY(pay(copier, cost_of(rule->kind, field)));
  return put_bytes(copier, field->begin, field->end);
}

/* A message that may be there once, and numbers in several pieces, are refused where they come again. */
static cuseq_status copy_message(struct copier *copier, enum message of, size_t at, size_t end, int depth) {
  bool seen[32] = {false}, stored = false;
  while (at < end) {
    struct field field;
    TRY(read_field(copier, at, end, &field));
    at = field.end;
    const struct rule *rule = find_rule(of, field.number);
    if (rule == NULL)
      continue;
    bool again = rule->kind == KIND_STORED ? stored : rule->kind == KIND_ONE && seen[rule->number];
    if (again && rule->kind == KIND_STORED)
      return error_set(CUSEQ_STATUS_INVALID_FILE,
                       "the numbers of a tensor are in several pieces (at byte %zu)", field.begin);
    if (again)
      return damaged(field.begin);
    seen[rule->number] = true;
    stored = stored || rule->kind == KIND_STORED;
    TRY(copy_field(copier, rule, &field, depth));
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status onnx_copy(const void *bytes, size_t size, void **copy, size_t *copy_size) {
  struct copier copier = {.bytes = bytes, .most = size + allowance};
  *copy = NULL;
  *copy_size = 0;
  cuseq_status status = copy_message(&copier, MESSAGE_MODEL, 0, size, 0);
  if (status != CUSEQ_STATUS_OK) {
    free(copier.copy);
    return status;
  }
  *copy = copier.copy;
  *copy_size = copier.used;
  return CUSEQ_STATUS_OK;
}
