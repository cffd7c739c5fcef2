/* The numbers of tensors, wherever they lie: in raw_data, in a list of their own type, or in a file beside
 * the model. */
#include "error.h"
#include "formats/onnx/onnx.h"
#include "onnx.pb-c.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  FIELD_FLOAT_DATA = 4,
  FIELD_RAW_DATA = 9,
  FIELD_DOUBLE_DATA = 10,
  LOCATION_EXTERNAL = 1,
  CHUNK = 1 << 16
};

/* Where the numbers of a tensor are: `bytes` in memory, or in a file that is open; or integers one by one. */
struct numbers {
  int32_t type;
  size_t item; /* its bytes */
  size_t count;
  const unsigned char *bytes;     /* NULL: elsewhere */
  int descriptor;                 /* of a file beside the model, or -1 */
  size_t offset;                  /* in it */
  const OnnxFile__Tensor *listed; /* int32_data or int64_data */
};

static cuseq_status refuse(const OnnxFile__Tensor *tensor, const char *reason) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "tensor '%.120s': %s", tensor->name ? tensor->name : "",
                   reason);
}

static size_t item_size(int32_t type) {
  switch (type) {
  case ONNX_FLOAT:
  case ONNX_INT32:
    return 4;
  case ONNX_DOUBLE:
  case ONNX_INT64:
    return 8;
  case ONNX_FLOAT16:
  case ONNX_BFLOAT16:
  case ONNX_INT16:
    return 2;
  case ONNX_UINT8:
  case ONNX_INT8:
  case ONNX_BOOL:
    return 1;
  default:
    return 0;
  }
}

int onnx_type_is_float(int32_t type) {
  return type == ONNX_FLOAT || type == ONNX_DOUBLE || type == ONNX_FLOAT16 || type == ONNX_BFLOAT16;
}

int onnx_type_is_integer(int32_t type) {
  return item_size(type) > 0 && !onnx_type_is_float(type);
}

static cuseq_status product(const OnnxFile__Tensor *tensor, size_t *count) {
  *count = 1;
  if (tensor->n_dims > ONNX_MAX_RANK)
    return refuse(tensor, "it has too many dimensions");
  for (size_t i = 0; i < tensor->n_dims; i++)
    if (tensor->dims[i] < 0 || __builtin_mul_overflow(*count, (size_t)tensor->dims[i], count) ||
        *count > SIZE_MAX / 16)
      return refuse(tensor, "its dimensions are absurd");
  return CUSEQ_STATUS_OK;
}

/* ---- in other files ------------------------------------------------------------------------------- */

static const char *entry_of(const OnnxFile__Tensor *tensor, const char *key) {
  for (size_t i = 0; i < tensor->n_external_data; i++)
    if (tensor->external_data[i]->key != NULL && strcmp(tensor->external_data[i]->key, key) == 0)
      return tensor->external_data[i]->value;
  return NULL;
}

static bool read_size(const char *text, size_t absent, size_t *size) {
  char *end;
  *size = absent;
  if (text == NULL)
    return true;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  *size = (size_t)value;
  return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0';
}

static cuseq_status find_beside(const struct onnx_file *file, const OnnxFile__Tensor *tensor,
                                struct numbers *numbers) {
  size_t size, length, needed = numbers->count * numbers->item;
  const char *location = entry_of(tensor, "location");
  if (location == NULL || !read_size(entry_of(tensor, "offset"), 0, &numbers->offset) ||
      !read_size(entry_of(tensor, "length"), needed, &length) || length != needed)
    return refuse(tensor, "where its numbers lie is said in a way that makes no sense");
  if (file->folder == NULL)
    return refuse(tensor, "its numbers lie in another file");
  cuseq_status status = onnx_beside_open(file->folder, location, &numbers->descriptor, &size);
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, tensor->name != NULL ? tensor->name : "a tensor");
  if (numbers->offset > size || needed > size - numbers->offset) {
    close(numbers->descriptor);
    numbers->descriptor = -1;
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "tensor '%.120s': '%.200s' has %zu bytes (needed %zu from byte %zu on)", tensor->name,
                     location, size, needed, numbers->offset);
  }
  return CUSEQ_STATUS_OK;
}

/* ---- in the file ---------------------------------------------------------------------------------- */

static cuseq_status wrong_size(const OnnxFile__Tensor *tensor, size_t found, size_t needed) {
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "tensor '%.120s': its numbers do not fill its dimensions (found %zu, needed %zu)",
                   tensor->name ? tensor->name : "", found, needed);
}

static cuseq_status find_stored(const struct onnx_file *file, const OnnxFile__Tensor *tensor,
                                struct numbers *numbers) {
  const OnnxFile__Stored *stored = tensor->stored;
  if (stored->offset > file->size || stored->size > file->size - stored->offset)
    return refuse(tensor, "its numbers lie outside the file");
  bool fits = stored->field == FIELD_RAW_DATA ||
              (stored->field == FIELD_FLOAT_DATA && numbers->type == ONNX_FLOAT) ||
              (stored->field == FIELD_DOUBLE_DATA && numbers->type == ONNX_DOUBLE);
  if (!fits)
    return refuse(tensor, "its numbers are stored as another type than its own");
  numbers->bytes = file->bytes + stored->offset;
  if (stored->size != numbers->count * numbers->item)
    return wrong_size(tensor, (size_t)stored->size / numbers->item, numbers->count);
  return CUSEQ_STATUS_OK;
}

/* Finds the numbers; behind it `descriptor` is the caller's to close where it is not -1. */
static cuseq_status find(const struct onnx_file *file, const OnnxFile__Tensor *tensor,
                         struct numbers *numbers) {
  *numbers =
      (struct numbers){.type = tensor->data_type, .item = item_size(tensor->data_type), .descriptor = -1};
  if (numbers->item == 0)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "tensor '%.120s': its elements are of a type that is not read (ONNX's number %d)",
                     tensor->name ? tensor->name : "", tensor->data_type);
  TRY(product(tensor, &numbers->count));
  if (tensor->data_location == LOCATION_EXTERNAL)
    return find_beside(file, tensor, numbers);
  if (tensor->stored != NULL)
    return find_stored(file, tensor, numbers);
  size_t listed = tensor->data_type == ONNX_INT64 ? tensor->n_int64_data : tensor->n_int32_data;
  if (tensor->data_type == ONNX_FLOAT || tensor->data_type == ONNX_DOUBLE)
    listed = 0; /* they have lists of their own, which are stored */
  if (listed != numbers->count)
    return wrong_size(tensor, listed, numbers->count);
  numbers->listed = tensor;
  return CUSEQ_STATUS_OK;
}

cuseq_status onnx_tensor_count(const struct onnx_file *file, const OnnxFile__Tensor *tensor, size_t *count) {
  struct numbers numbers;
  TRY(find(file, tensor, &numbers));
  if (numbers.descriptor >= 0)
    close(numbers.descriptor);
  *count = numbers.count;
  return CUSEQ_STATUS_OK;
}

/* ---- conversion ----------------------------------------------------------------------------------- */

static float from_half(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value =
      exponent == 0 ? ldexpf((float)fraction, -24) : ldexpf((float)(fraction + 1024), exponent - 25);
  if (exponent == 31)
    value = fraction != 0 ? NAN : INFINITY;
  return bits >> 15 ? -value : value;
}

static float to_float(int32_t type, const unsigned char *item) {
  uint16_t half;
  double wide;
  float value;
  switch (type) {
  case ONNX_FLOAT:
    memcpy(&value, item, sizeof value);
    return value;
  case ONNX_DOUBLE:
    memcpy(&wide, item, sizeof wide);
    return (float)wide;
  case ONNX_FLOAT16:
    memcpy(&half, item, sizeof half);
    return from_half(half);
  default: { /* bfloat16 */
    memcpy(&half, item, sizeof half);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  }
}

static int64_t to_integer(int32_t type, const unsigned char *item) {
  int64_t wide;
  int32_t middle;
  int16_t narrow;
  switch (type) {
  case ONNX_INT64:
    memcpy(&wide, item, sizeof wide);
    return wide;
  case ONNX_INT32:
    memcpy(&middle, item, sizeof middle);
    return middle;
  case ONNX_INT16:
    memcpy(&narrow, item, sizeof narrow);
    return narrow;
  case ONNX_INT8:
    return (int8_t)*item;
  case ONNX_BOOL:
    return *item != 0;
  default:
    return *item;
  }
}

static void convert(const struct numbers *numbers, const unsigned char *bytes, size_t first, size_t count,
                    float *floats, int64_t *integers) {
  if (floats != NULL && numbers->type == ONNX_FLOAT) {
    memcpy(floats + first, bytes, count * sizeof *floats);
    return;
  }
  for (size_t i = 0; i < count; i++)
    if (floats != NULL)
      floats[first + i] = to_float(numbers->type, bytes + i * numbers->item);
    else if (integers != NULL)
      integers[first + i] = to_integer(numbers->type, bytes + i * numbers->item);
}

/* int32_data holds small integers, truth values, and the bits of half floats. */
static void convert_listed(const struct numbers *numbers, float *floats, int64_t *integers) {
  const OnnxFile__Tensor *tensor = numbers->listed;
  for (size_t i = 0; i < numbers->count; i++) {
    int64_t value = numbers->type == ONNX_INT64 ? tensor->int64_data[i] : (int64_t)tensor->int32_data[i];
    if (floats != NULL) {
      uint16_t bits = (uint16_t)value;
      unsigned char item[sizeof(double)] = {0};
      memcpy(item, &bits, sizeof bits);
      floats[i] = to_float(numbers->type, item);
    } else if (integers != NULL) {
      integers[i] = numbers->type == ONNX_BOOL ? value != 0 : value;
    }
  }
}

static cuseq_status convert_beside(const struct numbers *numbers, const OnnxFile__Tensor *tensor,
                                   float *floats, int64_t *integers) {
  unsigned char chunk[CHUNK] = {0};
  size_t at_once = sizeof chunk / numbers->item;
  for (size_t done = 0; done < numbers->count;) {
    size_t count = numbers->count - done < at_once ? numbers->count - done : at_once;
    size_t size = count * numbers->item, got = 0;
    while (got < size) {
      ssize_t n = pread(numbers->descriptor, chunk + got, size - got,
                        (off_t)(numbers->offset + done * numbers->item + got));
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return error_set(CUSEQ_STATUS_IO, "tensor '%.120s': its file cannot be read (%s)", tensor->name,
                         n < 0 ? strerror(errno) : "it became shorter");
      got += (size_t)n;
    }
    convert(numbers, chunk, done, count, floats, integers);
    done += count;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status load(const struct onnx_file *file, const OnnxFile__Tensor *tensor, float *floats,
                         int64_t *integers) {
  struct numbers numbers;
  TRY(find(file, tensor, &numbers));
  if ((floats != NULL) != (onnx_type_is_float(numbers.type) != 0)) {
    if (numbers.descriptor >= 0)
      close(numbers.descriptor);
    return refuse(tensor, floats != NULL ? "its elements are no floats" : "its elements are no integers");
  }
  cuseq_status status = CUSEQ_STATUS_OK;
  if (numbers.descriptor >= 0) {
    status = convert_beside(&numbers, tensor, floats, integers);
    close(numbers.descriptor);
  } else if (numbers.bytes != NULL) {
    convert(&numbers, numbers.bytes, 0, numbers.count, floats, integers);
  } else if (numbers.listed != NULL) {
    convert_listed(&numbers, floats, integers);
  }
  return status;
}

cuseq_status onnx_tensor_floats(const struct onnx_file *file, const OnnxFile__Tensor *tensor, float *to) {
  return load(file, tensor, to, NULL);
}

cuseq_status onnx_tensor_integers(const struct onnx_file *file, const OnnxFile__Tensor *tensor, int64_t *to) {
  return load(file, tensor, NULL, to);
}
