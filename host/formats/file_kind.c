#include "formats/file_kind.h"

#include "error.h"
#include "formats/file.h"
#include "formats/file_kind_parts.h"
#include "formats/json_bound.h"
#include "formats/text.h"
#include "rlimits.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_BYTES = 4096, CHUNK = 1 << 16, WORD_MOST = 32 };

/* What files of a kind begin with, the more particular before the less. */
static const struct {
  size_t offset, size;
  const char *bytes;
  enum file_kind kind;
} magics[] = {
    {0, 8, "\x89HDF\r\n\x1a\n", FILE_KIND_HDF5},
    {0, 4, "PK\3\4", FILE_KIND_ZIP},
    {0, 6, "\x93NUMPY", FILE_KIND_NPY},
    {0, 14, "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19", FILE_KIND_TORCH}, /* the number it had before 1.6 */
    {4, 4, "TFL3", FILE_KIND_TFLITE},
    {257, 5, "ustar", FILE_KIND_TAR},
    {0, 2, "\x1f\x8b", FILE_KIND_COMPRESSED},
    {4, 6, "1AY&SY", FILE_KIND_COMPRESSED}, /* bzip2's; "BZh" alone may begin a text */
    {0, 6,
     "\xfd"
     "7zXZ",
     FILE_KIND_COMPRESSED},
    {0, 4, "\x28\xb5\x2f\xfd", FILE_KIND_COMPRESSED},
    {0, 38, "version https://git-lfs.github.com/spec", FILE_KIND_LFS_POINTER},
};
enum { MAGICS = sizeof magics / sizeof *magics };

const char *file_kind_name(enum file_kind kind) {
  static const char *const names[FILE_KINDS] = {
      [FILE_KIND_EMPTY] = "empty",
      [FILE_KIND_CUSEQ_MODEL] = "a cuseq model",
      [FILE_KIND_NAMED_ARRAYS] = "named arrays in .safetensors, without a cuseq configuration",
      [FILE_KIND_BROKEN_SAFETENSORS] = "a damaged .safetensors file",
      [FILE_KIND_KERAS] = "a Keras model",
      [FILE_KIND_HDF5] = "an HDF5 file without a whole Keras model",
      [FILE_KIND_ONNX] = "an ONNX model",
      [FILE_KIND_TORCH] = "a PyTorch checkpoint",
      [FILE_KIND_PICKLE] = "a Python pickle",
      [FILE_KIND_NPY] = "an array (.npy)",
      [FILE_KIND_NPZ] = "several arrays (.npz)",
      [FILE_KIND_TFLITE] = "a TensorFlow Lite model",
      [FILE_KIND_SAVED_MODEL] = "a TensorFlow SavedModel",
      [FILE_KIND_TF_CHECKPOINT] = "a TensorFlow checkpoint",
      [FILE_KIND_ZIP] = "a zip archive",
      [FILE_KIND_BROKEN_ZIP] = "a damaged zip archive",
      [FILE_KIND_TAR] = "a tar archive",
      [FILE_KIND_COMPRESSED] = "a compressed file",
      [FILE_KIND_SHARDS] = "the index of a checkpoint in several files",
      [FILE_KIND_JSON] = "a JSON text",
      [FILE_KIND_WEB_PAGE] = "a web page",
      [FILE_KIND_LFS_POINTER] = "a pointer of Git LFS",
      [FILE_KIND_TEXT] = "a text",
  };
  return names[kind];
}

size_t file_kind_read(int descriptor, size_t offset, void *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = pread(descriptor, (char *)bytes + done, size - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    done += (size_t)n;
  }
  return done;
}

size_t file_kind_count(int descriptor, const char *word, size_t length, size_t most) {
  static const size_t overlap = WORD_MOST;
  char *chunk = malloc(overlap + CHUNK);
  size_t kept = 0, offset = 0, count = 0;
  for (size_t n = 1; chunk && n > 0 && count < most;) {
    n = file_kind_read(descriptor, offset, chunk + kept, CHUNK);
    offset += n;
    size_t held = kept + n, at = 0;
    for (char *hit; count < most && (hit = memmem(chunk + at, held - at, word, length)) != NULL; count++)
      at = (size_t)(hit - chunk) + length;
    kept = held - at < length - 1 ? held - at : length - 1; /* a word may go on in the next chunk */
    memmove(chunk, chunk + held - kept, kept);
  }
  free(chunk);
  return count;
}

/* ---- .safetensors --------------------------------------------------------------------------------- */

/* Whether the header's JSON has a configuration of ours; broken where it is no JSON, or costs more than the
 * reader pays. */
static enum file_kind kind_of_header(const char *header, size_t length, size_t file_size) {
  json_error_t error;
  if (json_bound(header, length).memory > file_size + ((size_t)40 << 20))
    return FILE_KIND_BROKEN_SAFETENSORS;
  json_t *root = json_loadb(header, length, JSON_REJECT_DUPLICATES, &error);
  if (!json_is_object(root)) {
    json_decref(root);
    return FILE_KIND_BROKEN_SAFETENSORS;
  }
  bool ours = json_is_string(json_object_get(json_object_get(root, "__metadata__"), "cuseq"));
  json_decref(root);
  return ours ? FILE_KIND_CUSEQ_MODEL : FILE_KIND_NAMED_ARRAYS;
}

/* `first` is an eight-byte length and a brace with a key or none behind it. */
static enum file_kind kind_of_safetensors(int descriptor, const unsigned char *first, size_t size) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--)
    length = length << 8 | first[i];
  if (length > size - 8)
    return FILE_KIND_BROKEN_SAFETENSORS;
  char *header = malloc((size_t)length);
  enum file_kind kind = FILE_KIND_BROKEN_SAFETENSORS;
  if (header && file_kind_read(descriptor, 8, header, (size_t)length) == length)
    kind = kind_of_header(header, (size_t)length, size);
  free(header);
  return kind;
}

/* Such a header is at least "{}" and, so that other files with a brace there are not taken for it, under a
 * terabyte. */
static bool begins_safetensors(const unsigned char *first, size_t got) {
  return got >= 10 && first[8] == '{' && first[9] != 0 && strchr("\"} \t\r\n", first[9]) != NULL &&
         first[7] == 0 && first[6] == 0 && first[5] == 0;
}

/* ---- texts ---------------------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *beginning) {
  return strncasecmp(text, beginning, strlen(beginning)) == 0;
}

/* `first` is zero-terminated behind its `got` bytes. */
static enum file_kind kind_of_text(const char *first, size_t got) {
  size_t mark;
  if (text_begin(first, got, &mark) != TEXT_FINE)
    return FILE_KIND_UNKNOWN;
  for (size_t i = mark; i < got; i++)
    if ((unsigned char)first[i] < '\t' || (first[i] > '\r' && first[i] < ' ' && first[i] != '\033'))
      return FILE_KIND_UNKNOWN;
  const char *text = first + mark + strspn(first + mark, " \t\r\n");
  if (*text == '{' || *text == '[')
    return strstr(text, "\"weight_map\"") != NULL ? FILE_KIND_SHARDS : FILE_KIND_JSON;
  if (begins_with(text, "model_checkpoint_path:"))
    return FILE_KIND_TF_CHECKPOINT;
  return begins_with(text, "<!doctype html") || begins_with(text, "<html") ? FILE_KIND_WEB_PAGE
                                                                           : FILE_KIND_TEXT;
}

/* ---- all ------------------------------------------------------------------------------------------ */

/* Protocol 2 and later begin with a byte that no text has, and all end in a dot. */
static bool is_pickle(int descriptor, const unsigned char *first, size_t size) {
  char last = 0;
  return first[0] == 0x80 && first[1] >= 2 && first[1] <= 5 &&
         file_kind_read(descriptor, size - 1, &last, 1) == 1 && last == '.';
}

/* TensorFlow's index is a table of strings, which ends in a number. */
static bool is_string_table(int descriptor, size_t size) {
  static const unsigned char number[8] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
  unsigned char last[sizeof number];
  return size > sizeof last &&
         file_kind_read(descriptor, size - sizeof last, last, sizeof last) == sizeof last &&
         memcmp(last, number, sizeof number) == 0;
}

enum file_kind file_kind_of(int descriptor, size_t size) {
  char first[FIRST_BYTES + 1];
  const unsigned char *bytes = (const unsigned char *)first;
  size_t got = file_kind_read(descriptor, 0, first, FIRST_BYTES);
  first[got] = 0;
  if (got == 0)
    return FILE_KIND_EMPTY;
  enum file_kind kind = FILE_KIND_UNKNOWN;
  for (int i = MAGICS - 1; i >= 0; i--)
    if (got >= magics[i].offset + magics[i].size &&
        memcmp(first + magics[i].offset, magics[i].bytes, magics[i].size) == 0)
      kind = magics[i].kind;
  if (kind == FILE_KIND_HDF5)
    return file_kind_count(descriptor, "model_config", 12, 1) ? FILE_KIND_KERAS : FILE_KIND_HDF5;
  if (kind == FILE_KIND_ZIP)
    return file_kind_of_zip(descriptor);
  if (kind != FILE_KIND_UNKNOWN)
    return kind;
  if (begins_safetensors(bytes, got))
    return kind_of_safetensors(descriptor, bytes, size);
  if (got > 2 && is_pickle(descriptor, bytes, size))
    return FILE_KIND_PICKLE;
  if (is_string_table(descriptor, size))
    return FILE_KIND_TF_CHECKPOINT;
  kind = file_kind_of_protobuf(descriptor, size);
  return kind != FILE_KIND_UNKNOWN ? kind : kind_of_text(first, got);
}

/* TensorFlow's folders have this file in them. */
static bool is_saved_model_folder(const char *path) {
  char inner[4096];
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
         snprintf(inner, sizeof inner, "%s/saved_model.pb", path) < (int)sizeof inner &&
         access(inner, F_OK) == 0;
}

cuseq_status file_kind_find(const char *path, enum file_kind *kind) {
  int descriptor;
  size_t size;
  *kind = FILE_KIND_UNKNOWN;
  if (is_saved_model_folder(path)) {
    *kind = FILE_KIND_SAVED_MODEL;
    return CUSEQ_STATUS_OK;
  }
  TRY(file_open(path, &descriptor, &size));
  errno = 0;
  *kind = file_kind_of(descriptor, size);
  const int reason = errno;
  close(descriptor);
  struct rlimits_text words;
  if (*kind == FILE_KIND_UNKNOWN && (reason == EMFILE || reason == ENFILE || reason == ENOMEM))
    return error_set(reason == ENOMEM ? CUSEQ_STATUS_OUT_OF_MEMORY : CUSEQ_STATUS_IO,
                     "%s: cannot be looked into (%s)", path, rlimits_reason(reason, &words));
  return CUSEQ_STATUS_OK;
}
