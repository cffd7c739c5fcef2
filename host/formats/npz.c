#include "formats/npz.h"

#include "error.h"
#include "formats/doubles.h"
#include "formats/file.h"
#include "formats/npy_data.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* libzip takes some 400 bytes for each entry of the directory, which of 47 bytes in the file would be too
 * much. */
enum { MAX_ENTRIES = 16384, BUFFER_SIZE = 1 << 17 };
static const size_t spare_bytes = (size_t)40 << 20;

/* A member being read, through a buffer that is larger than any header. */
struct member {
  zip_file_t *file;
  unsigned char *buffer; /* [BUFFER_SIZE] */
  size_t filled;
};

static cuseq_status zip_failure(const char *name, zip_error_t *error) {
  cuseq_status status =
      zip_error_code_zip(error) == ZIP_ER_MEMORY ? CUSEQ_STATUS_OUT_OF_MEMORY : CUSEQ_STATUS_INVALID_FILE;
  return error_set(status, "%s: cannot be read (%s)", name, zip_error_strerror(error));
}

/* Every entry that libzip will hold has this signature in the file; how many there are is not left to a
 * header. */
static cuseq_status bound_entries(const unsigned char *bytes, size_t size) {
  const unsigned char *at = bytes, *end = bytes + size;
  size_t count = 0;
  while ((at = memmem(at, (size_t)(end - at), "PK\1\2", 4)) != NULL) {
    if (++count > MAX_ENTRIES)
      return error_set(CUSEQ_STATUS_INVALID_FILE, "archive: too many entries (at most %d)", MAX_ENTRIES);
    at += 4;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status open_archive(const unsigned char *bytes, size_t size, zip_t **zip) {
  if (size == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "archive: the file is empty");
  if (size >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "archive: a single .npy array (an .npz is needed)");
  TRY(bound_entries(bytes, size));
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &error);
  *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
  if (!*zip) {
    cuseq_status status = zip_failure("archive", &error);
    if (source)
      zip_source_free(source);
    zip_error_fini(&error);
    return status;
  }
  zip_error_fini(&error);
  return CUSEQ_STATUS_OK;
}

/* Checks what the directory says of a member, and adds its size to that of all. */
static cuseq_status check_member(zip_t *zip, size_t index, size_t file_size, zip_stat_t *info,
                                 size_t *total) {
  if (zip_stat_index(zip, index, 0, info) != 0)
    return zip_failure("archive", zip_get_error(zip));
  size_t length = strlen(info->name);
  if (length <= 4 || strcmp(info->name + length - 4, ".npy") != 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "'%s': not an array (an .npz holds .npy files only)",
                     info->name);
  const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if ((info->valid & needed) != needed)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "'%s': its directory entry is incomplete", info->name);
  if (info->encryption_method != ZIP_EM_NONE)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "'%s': encrypted", info->name);
  if (info->comp_method != ZIP_CM_STORE && info->comp_method != ZIP_CM_DEFLATE)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "'%s': compressed by method %d (stored and deflated can be read)", info->name,
                     info->comp_method);
  if (__builtin_add_overflow(*total, info->size, total) || *total > file_size + spare_bytes)
    return error_set(
        CUSEQ_STATUS_INVALID_FILE,
        "'%s': unpacks to too much (%ju bytes; all arrays together may have %zu more than the file)",
        info->name, (uintmax_t)info->size, spare_bytes);
  return CUSEQ_STATUS_OK;
}

/* Fills the buffer to its end or the member's. */
static cuseq_status fill(struct member *member, const char *name) {
  while (member->filled < BUFFER_SIZE) {
    zip_int64_t n = zip_fread(member->file, member->buffer + member->filled, BUFFER_SIZE - member->filled);
    if (n < 0) {
      cuseq_status status = zip_failure(name, zip_file_get_error(member->file));
      return status;
    }
    if (n == 0)
      break;
    member->filled += (size_t)n;
  }
  return CUSEQ_STATUS_OK;
}

static void consume(struct member *member, size_t bytes) {
  member->filled -= bytes;
  memmove(member->buffer, member->buffer + bytes, member->filled);
}

/* skips: an array whose header is not one that is read is left without data. */
static cuseq_status read_array(struct member *member, const zip_stat_t *info, bool skips,
                               struct npy_array *array) {
  struct npy_header header;
  TRY(fill(member, info->name));
  cuseq_status status = npy_header_parse(member->buffer, member->filled, &header);
  if (status == CUSEQ_STATUS_INVALID_FILE && skips)
    return CUSEQ_STATUS_OK;
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, info->name);
  if (header.data_bytes != info->size - header.size || header.size > info->size)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: data: shape and dtype need %zu bytes (there are %jd)",
                     info->name, header.data_bytes, (intmax_t)(info->size - header.size));
  status = npy_data_allocate(&header, array);
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, info->name);
  consume(member, header.size);
  size_t item = npy_item_size(header.dtype);
  size_t done = 0;
  while (done < header.count) {
    TRY(fill(member, info->name));
    size_t count = member->filled / item;
    if (count > header.count - done)
      count = header.count - done;
    if (count == 0)
      return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: data: truncated (%zu elements of %zu)", info->name,
                       done, header.count);
    npy_data_place(&header, done, count, member->buffer, array->data);
    consume(member, count * item);
    done += count;
  }
  TRY(fill(member, info->name)); /* nothing more, and at the end libzip compares the checksum */
  if (member->filled > 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: data: more than the directory says", info->name);
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_member(zip_t *zip, size_t index, const zip_stat_t *info, unsigned char *buffer,
                                bool skips, struct npz_entry *entry) {
  size_t length = strlen(info->name) - 4;
  char *name = malloc(length + 1);
  if (!name)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "'%s': no memory for its name", info->name);
  memcpy(name, info->name, length);
  name[length] = 0;
  entry->name = name;
  struct member member = {zip_fopen_index(zip, index, 0), buffer, 0};
  if (!member.file)
    return zip_failure(info->name, zip_get_error(zip));
  cuseq_status status = read_array(&member, info, skips, &entry->array);
  zip_fclose(member.file);
  return status;
}

static cuseq_status check_names(const struct npz *archive) {
  const char **names = malloc(archive->count * sizeof *names);
  if (!names)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "archive: no memory for its %zu names", archive->count);
  for (size_t i = 0; i < archive->count; i++)
    names[i] = archive->entries[i].name;
  const char *twice = doubles_find(names, archive->count);
  free(names);
  return twice == NULL ? CUSEQ_STATUS_OK
                       : error_set(CUSEQ_STATUS_INVALID_FILE, "'%s': two arrays of this name", twice);
}

static cuseq_status parse(const void *bytes, size_t size, bool skips, struct npz *archive) {
  cuseq_status status = CUSEQ_STATUS_OK;
  zip_t *zip = NULL;
  unsigned char *buffer = NULL;
  size_t total = 0;
  zip_stat_t info;
  memset(archive, 0, sizeof *archive);
  TRY(open_archive(bytes, size, &zip));
  size_t count = (size_t)zip_get_num_entries(zip, 0);
  if (count == 0)
    TRY_CLEANUP(error_set(CUSEQ_STATUS_INVALID_FILE, "archive: no arrays in it"));
  for (size_t i = 0; i < count; i++)
    TRY_CLEANUP(check_member(zip, i, size, &info, &total));
  archive->entries = calloc(count, sizeof *archive->entries);
  buffer = malloc(BUFFER_SIZE);
  if (!archive->entries || !buffer)
    TRY_CLEANUP(error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "archive: no memory for its %zu arrays", count));
  total = 0;
  for (size_t i = 0; i < count; i++) {
    TRY_CLEANUP(check_member(zip, i, size, &info, &total));
    archive->count = i + 1;
    TRY_CLEANUP(read_member(zip, i, &info, buffer, skips, &archive->entries[i]));
  }
  TRY_CLEANUP(check_names(archive));
cleanup:
  zip_discard(zip);
  free(buffer);
  if (status != CUSEQ_STATUS_OK)
    npz_free(archive);
  return status;
}

cuseq_status npz_parse(const void *bytes, size_t size, struct npz *archive) {
  return parse(bytes, size, false, archive);
}

static cuseq_status read_file(const char *path, bool skips, struct npz *archive) {
  void *bytes;
  size_t size;
  memset(archive, 0, sizeof *archive);
  TRY(file_read(path, &bytes, &size));
  cuseq_status status = parse(bytes, size, skips, archive);
  free(bytes);
  return status == CUSEQ_STATUS_OK ? status : error_prefix(status, path);
}

cuseq_status npz_read(const char *path, struct npz *archive) {
  return read_file(path, false, archive);
}

cuseq_status npz_read_some(const char *path, struct npz *archive) {
  return read_file(path, true, archive);
}

void npz_free(struct npz *archive) {
  for (size_t i = 0; i < archive->count; i++) {
    free((char *)archive->entries[i].name);
    npy_free(&archive->entries[i].array);
  }
  free(archive->entries);
  memset(archive, 0, sizeof *archive);
}

const struct npy_array *npz_find(const struct npz *archive, const char *name) {
  for (size_t i = 0; i < archive->count; i++)
    if (strcmp(archive->entries[i].name, name) == 0)
      return &archive->entries[i].array;
  return NULL;
}
