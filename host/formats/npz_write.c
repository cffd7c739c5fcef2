#include "error.h"
#include "formats/file.h"
#include "formats/npy_header.h"
#include "formats/npz.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { COPY_SIZE = 1 << 16, DATE_1980_01_01 = 1 << 5 | 1 };

static cuseq_status zip_failure(const char *what, zip_error_t *error) {
  cuseq_status status =
      zip_error_code_zip(error) == ZIP_ER_MEMORY ? CUSEQ_STATUS_OUT_OF_MEMORY : CUSEQ_STATUS_INVALID_ARGUMENT;
  return error_set(status, "'%s': cannot be written (%s)", what, zip_error_strerror(error));
}

/* Adds an array; `header` must stay until the archive is closed, as the array's data must. */
static cuseq_status add_entry(zip_t *zip, const struct npz_entry *entry, enum npz_compression compression,
                              char header[NPY_HEADER_WRITTEN]) {
  size_t header_bytes, data_bytes;
  cuseq_status status = npy_header_format(&entry->array, header, &header_bytes, &data_bytes);
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, entry->name);
  size_t capacity = strlen(entry->name) + sizeof ".npy";
  char *name = malloc(capacity);
  if (!name)
    return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "'%s': no memory to write it", entry->name);
  snprintf(name, capacity, "%s.npy", entry->name);
  zip_buffer_fragment_t fragments[] = {{(zip_uint8_t *)header, header_bytes},
                                       {entry->array.data, data_bytes}};
  zip_source_t *source = zip_source_buffer_fragment(zip, fragments, 2, 0);
  zip_int64_t index = source ? zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8) : -1;
  free(name);
  if (index < 0) {
    status = zip_failure(entry->name, zip_get_error(zip));
    zip_source_free(source);
    return status;
  }
  zip_int32_t method = compression == NPZ_DEFLATED ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
  if (zip_set_file_compression(zip, (zip_uint64_t)index, method, 0) != 0 ||
      zip_file_set_dostime(zip, (zip_uint64_t)index, 0, DATE_1980_01_01, 0) != 0)
    return zip_failure(entry->name, zip_get_error(zip));
  return CUSEQ_STATUS_OK;
}

/* Makes the archive in memory, in a source that the caller frees. */
static cuseq_status make_archive(const struct npz *archive, enum npz_compression compression,
                                 zip_source_t **finished) {
  cuseq_status status = CUSEQ_STATUS_OK;
  zip_t *zip = NULL;
  zip_error_t error;
  zip_error_init(&error);
  char(*headers)[NPY_HEADER_WRITTEN] = malloc(archive->count * sizeof *headers);
  zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
  if (!headers || !source)
    TRY_CLEANUP(error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "archive: no memory to write it"));
  zip = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
  if (!zip)
    TRY_CLEANUP(zip_failure("archive", &error));
  zip_source_keep(source); /* the archive has one reference, this function the other */
  for (size_t i = 0; i < archive->count; i++)
    TRY_CLEANUP(add_entry(zip, &archive->entries[i], compression, headers[i]));
  if (zip_close(zip) != 0)
    TRY_CLEANUP(zip_failure("archive", zip_get_error(zip)));
  zip = NULL;
  *finished = source;
  source = NULL;
cleanup:
  if (zip)
    zip_discard(zip);
  zip_source_free(source);
  free(headers);
  zip_error_fini(&error);
  return status;
}

static cuseq_status copy_archive(zip_source_t *source, const char *path) {
  struct output_file output;
  TRY(output_file_open(&output, path));
  char *buffer = malloc(COPY_SIZE);
  zip_int64_t n = buffer && zip_source_open(source) == 0 ? 1 : -1;
  while (n > 0) {
    n = zip_source_read(source, buffer, COPY_SIZE);
    if (n > 0)
      output_file_write(&output, buffer, (size_t)n); /* the commit tells of failures */
  }
  free(buffer);
  if (n == 0)
    return output_file_commit(&output);
  output_file_discard(&output);
  return error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "%s: no memory to write it", path);
}

cuseq_status npz_write(const char *path, const struct npz *archive, enum npz_compression compression) {
  if (archive->count == 0)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "%s: no arrays to write (at least one is needed)", path);
  zip_source_t *source;
  cuseq_status status = make_archive(archive, compression, &source);
  if (status != CUSEQ_STATUS_OK)
    return error_prefix(status, path);
  status = copy_archive(source, path);
  zip_source_free(source);
  return status;
}
