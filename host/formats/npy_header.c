#include "formats/npy_header.h"

#include "error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "what is written is taken to be little-endian");

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* The text of the header, a Python dictionary, as far as it is read. */
struct cursor {
  const unsigned char *text;
  size_t size, at;
};

static cuseq_status bad(const struct cursor *cursor, const char *what) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "header: %s (at character %zu of its dictionary)", what,
                   cursor->at);
}

static int peek(const struct cursor *cursor) {
  return cursor->at < cursor->size ? cursor->text[cursor->at] : -1;
}

static void skip_space(struct cursor *cursor) {
  for (int c = peek(cursor); c == ' ' || (c >= '\t' && c <= '\r'); c = peek(cursor))
    cursor->at++;
}

/* Skips space and, if it comes next, `c`. */
static int take(struct cursor *cursor, int c) {
  skip_space(cursor);
  if (peek(cursor) != c)
    return 0;
  cursor->at++;
  return 1;
}

static int take_word(struct cursor *cursor, const char *word) {
  size_t length = strlen(word);
  skip_space(cursor);
  if (cursor->size - cursor->at < length || memcmp(cursor->text + cursor->at, word, length) != 0)
    return 0;
  cursor->at += length;
  return 1;
}

/* A string in single or double quotes, as Python 2 wrote it perhaps with a u before it. Escapes do not occur
 * in what is known here, so they are refused. */
static cuseq_status read_string(struct cursor *cursor, char *text, size_t capacity) {
  skip_space(cursor);
  if (peek(cursor) == 'u' || peek(cursor) == 'U')
    cursor->at++;
  int quote = peek(cursor);
  if (quote != '\'' && quote != '"')
    return bad(cursor, "a string is needed");
  cursor->at++;
  size_t length = 0;
  for (int c = peek(cursor); c != quote; c = peek(cursor)) {
    if (c < 0)
      return bad(cursor, "a string does not end");
    if (c == '\\' || c == '\n' || length + 1 == capacity)
      return bad(cursor, "a string that is no known key or dtype");
    text[length++] = (char)c;
    cursor->at++;
  }
  cursor->at++;
  text[length] = 0;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_dimension(struct cursor *cursor, int64_t *value) {
  skip_space(cursor);
  if (peek(cursor) == '-')
    return bad(cursor, "a negative dimension");
  size_t start = cursor->at;
  *value = 0;
  for (int c = peek(cursor); c >= '0' && c <= '9'; c = peek(cursor)) {
    if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, c - '0', value))
      return bad(cursor, "a dimension that is too large");
    cursor->at++;
  }
  if (cursor->at == start)
    return bad(cursor, "a dimension is needed");
  if (cursor->text[start] == '0' && cursor->at > start + 1)
    return bad(cursor, "a dimension with leading zeros");
  if (peek(cursor) == 'L' || peek(cursor) == 'l') /* long integers of Python 2 */
    cursor->at++;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_shape(struct cursor *cursor, struct npy_header *header) {
  if (!take(cursor, '('))
    return bad(cursor, "the shape is not a tuple");
  int comma = 1;
  while (!take(cursor, ')')) {
    if (!comma)
      return bad(cursor, "a comma is missing in the shape");
    if (header->rank == NPY_MAX_RANK)
      return error_set(CUSEQ_STATUS_INVALID_FILE, "header: too many dimensions (more than %d)", NPY_MAX_RANK);
    TRY(read_dimension(cursor, &header->shape[header->rank++]));
    comma = take(cursor, ',');
  }
  if (header->rank == 1 && !comma)
    return bad(cursor, "the shape is not a tuple, which of one dimension needs a comma");
  return CUSEQ_STATUS_OK;
}

static cuseq_status unreadable_dtype(const char *text) {
  const char *kind = text + (*text == '<' || *text == '>' || *text == '=' || *text == '|');
  const char *reason = "not one of f2 f4 f8 i1 i2 i4 i8 u1";
  if (strcmp(kind, "b1") == 0)
    reason = "booleans; save it as .astype('uint8')";
  else if (*kind == 'O')
    reason = "Python objects, which are never unpickled";
  else if (*kind == 'V' || strchr(kind, ','))
    reason = "a structured array";
  else if (*kind == 'U' || *kind == 'S' || *kind == 'a')
    reason = "texts, not numbers";
  else if (*kind == 'c')
    reason = "complex numbers";
  return error_set(CUSEQ_STATUS_INVALID_FILE, "header: dtype '%s' cannot be read (%s)", text, reason);
}

static cuseq_status read_dtype(struct cursor *cursor, struct npy_header *header) {
  static const char *const names[] = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1"}; /* as enum npy_dtype */
  char text[64];
  skip_space(cursor);
  if (peek(cursor) == '[' || peek(cursor) == '(' || peek(cursor) == '{')
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "header: structured arrays cannot be read (one number per element is)");
  TRY(read_string(cursor, text, sizeof text));
  const char *name = text + (*text == '<' || *text == '>' || *text == '=' || *text == '|');
  for (int i = NPY_F16; i <= NPY_U8; i++)
    if (strcmp(name, names[i]) == 0) {
      header->dtype = (enum npy_dtype)i;
      header->swapped = *text == '>';
      if (*text == '|' && npy_item_size(header->dtype) > 1)
        return error_set(CUSEQ_STATUS_INVALID_FILE, "header: dtype '%s' does not tell the byte order", text);
      return CUSEQ_STATUS_OK;
    }
  return unreadable_dtype(text);
}

enum { KEY_DESCR = 1, KEY_FORTRAN_ORDER = 2, KEY_SHAPE = 4, KEY_ALL = 7 };

static cuseq_status read_item(struct cursor *cursor, struct npy_header *header, int *seen) {
  char key[64];
  TRY(read_string(cursor, key, sizeof key));
  int which = strcmp(key, "descr") == 0           ? KEY_DESCR
              : strcmp(key, "fortran_order") == 0 ? KEY_FORTRAN_ORDER
              : strcmp(key, "shape") == 0         ? KEY_SHAPE
                                                  : 0;
  if (which == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: unknown key '%s'", key);
  if (*seen & which)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: '%s' is there twice", key);
  *seen |= which;
  if (!take(cursor, ':'))
    return bad(cursor, "a colon is needed");
  if (which == KEY_DESCR)
    return read_dtype(cursor, header);
  if (which == KEY_SHAPE)
    return read_shape(cursor, header);
  header->fortran = take_word(cursor, "True");
  if (!header->fortran && !take_word(cursor, "False"))
    return bad(cursor, "fortran_order is neither True nor False");
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_dictionary(struct cursor *cursor, struct npy_header *header) {
  int seen = 0, comma = 1;
  if (!take(cursor, '{'))
    return bad(cursor, "not a dictionary");
  while (!take(cursor, '}')) {
    if (!comma)
      return bad(cursor, "a comma is needed");
    TRY(read_item(cursor, header, &seen));
    comma = take(cursor, ',');
  }
  skip_space(cursor);
  if (peek(cursor) >= 0)
    return bad(cursor, "text after the dictionary");
  if (seen != KEY_ALL)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: '%s' is missing",
                     !(seen & KEY_DESCR)           ? "descr"
                     : !(seen & KEY_FORTRAN_ORDER) ? "fortran_order"
                                                   : "shape");
  return CUSEQ_STATUS_OK;
}

static cuseq_status measure(enum npy_dtype dtype, int32_t rank, const int64_t *shape, size_t *count,
                            size_t *bytes) {
  if (rank == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "shape: a single number without dimensions (at least 1 is needed)");
  for (int32_t i = 0; i < rank; i++)
    if (shape[i] == 0)
      return error_set(CUSEQ_STATUS_INVALID_FILE, "shape: no elements (dimension %d is 0)", (int)i);
  *count = 1;
  for (int32_t i = 0; i < rank; i++)
    if (shape[i] < 0 || __builtin_mul_overflow(*count, (size_t)shape[i], count))
      return error_set(CUSEQ_STATUS_INVALID_FILE, "shape: more elements than can be counted");
  if (__builtin_mul_overflow(*count, npy_item_size(dtype), bytes) || *bytes > (size_t)INT64_MAX)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "shape: more elements than can be counted");
  return CUSEQ_STATUS_OK;
}

cuseq_status npy_header_parse(const void *bytes, size_t size, struct npy_header *header) {
  const unsigned char *start = bytes;
  memset(header, 0, sizeof *header);
  if (size >= 4 && memcmp(start, "PK\3\4", 4) == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: a zip archive, perhaps an .npz (an .npy is needed)");
  if (size == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: the file is empty");
  if (memcmp(start, magic, size < sizeof magic ? size : sizeof magic) != 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "header: not an .npy file (it does not begin with \\x93NUMPY)");
  if (size < 10)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: truncated (%zu bytes)", size);
  if (start[6] < 1 || start[6] > 3 || start[7] != 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: version %d.%d (1.0, 2.0 and 3.0 can be read)",
                     start[6], start[7]);
  size_t prefix = start[6] == 1 ? 10 : 12;
  uint32_t length = start[8] | (uint32_t)start[9] << 8;
  if (prefix == 12 && size >= prefix)
    length |= (uint32_t)start[10] << 16 | (uint32_t)start[11] << 24;
  if (length > NPY_HEADER_MAX - 12)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: too long (%ju bytes, at most %d)", (uintmax_t)length,
                     NPY_HEADER_MAX - 12);
  if (size < prefix || length > size - prefix)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "header: truncated (%ju bytes of %ju)",
                     (uintmax_t)(size < prefix ? 0 : size - prefix), (uintmax_t)length);
  struct cursor cursor = {start + prefix, length, 0};
  TRY(read_dictionary(&cursor, header));
  header->size = prefix + length;
  return measure(header->dtype, header->rank, header->shape, &header->count, &header->data_bytes);
}

cuseq_status npy_header_format(const struct npy_array *array, char text[NPY_HEADER_WRITTEN], size_t *length,
                               size_t *data_bytes) {
  static const char *const descriptions[] = {"<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1"};
  size_t count;
  if (array->rank < 0 || array->rank > NPY_MAX_RANK)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "shape: rank %d (1 to %d can be written)",
                     (int)array->rank, NPY_MAX_RANK);
  if (measure(array->dtype, array->rank, array->shape, &count, data_bytes) != CUSEQ_STATUS_OK)
    return CUSEQ_STATUS_INVALID_ARGUMENT;
  enum { PREFIX = 10, ALIGNMENT = 64 };
  char *at = text + PREFIX, *end = text + NPY_HEADER_WRITTEN;
  at += snprintf(at, (size_t)(end - at), "{'descr': '%s', 'fortran_order': False, 'shape': (",
                 descriptions[array->dtype]);
  for (int32_t i = 0; i < array->rank; i++)
    at += snprintf(at, (size_t)(end - at), i == 0 ? "%" PRId64 "," : " %" PRId64 ",", array->shape[i]);
  if (array->rank > 1)
    at--;
  at += snprintf(at, (size_t)(end - at), "), }");
  *length = ((size_t)(at - text) + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  memset(at, ' ', *length - (size_t)(at - text));
  text[*length - 1] = '\n';
  memcpy(text, magic, sizeof magic);
  text[6] = 1;
  text[7] = 0;
  text[8] = (char)((*length - PREFIX) & 0xff);
  text[9] = (char)((*length - PREFIX) >> 8);
  return CUSEQ_STATUS_OK;
}
