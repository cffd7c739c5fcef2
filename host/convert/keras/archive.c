#include "convert/keras/archive.h"
#include "error.h"
#include "formats/file_kind.h"
#include "formats/text.h"
#include "rlimits.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

enum { ALLOWANCE = 48 << 20, MAX_JSON = 16 << 20, MAX_ENTRIES = 16384 };

static cuseq_status damaged(const char *member, const char *reason) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable .keras archive (%s: %s)", member, reason);
}

/* Opens a member; what it says of its size is a limit, and not believed. */
static cuseq_status open_member(zip_t *zip, const char *name, uint64_t most, zip_file_t **file,
                                uint64_t *size) {
  zip_stat_t facts;
  if (zip_stat(zip, name, 0, &facts) != 0 || !(facts.valid & ZIP_STAT_SIZE))
    return damaged(name, "missing");
  if (facts.size > most)
    return damaged(name, "too large for the archive");
  if ((facts.valid & ZIP_STAT_ENCRYPTION_METHOD) && facts.encryption_method != ZIP_EM_NONE)
    return damaged(name, "encrypted");
  *file = zip_fopen(zip, name, 0);
  if (*file == NULL)
    return damaged(name, zip_strerror(zip));
  *size = facts.size;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_text(zip_t *zip, const char *name, struct archive_member *member) {
  zip_file_t *file;
  uint64_t size;
  TRY(open_member(zip, name, MAX_JSON, &file, &size));
  member->bytes = malloc((size_t)size + 1);
  zip_int64_t got = member->bytes != NULL ? zip_fread(file, member->bytes, size) : -1;
  zip_fclose(file);
  if (member->bytes == NULL)
    return error_out_of_memory();
  if (got < 0 || (uint64_t)got != size)
    return damaged(name, "cannot be read");
  member->size = (size_t)size;
  cuseq_status status = text_make(member->bytes, &member->size);
  return status == CUSEQ_STATUS_OK ? status : error_prefix(status, name);
}

/* A memory file counts against the limit of a file's size, too. */
static cuseq_status write_all(int file, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(file, bytes, size);
    if (written < 0 && errno == EINTR)
      continue;
    struct rlimits_text reason;
    if (written <= 0)
      return error_set(written < 0 && errno == EFBIG ? CUSEQ_STATUS_IO : CUSEQ_STATUS_OUT_OF_MEMORY,
                       "a memory file of the weights cannot be written (%s)", rlimits_reason(errno, &reason));
    bytes += written;
    size -= (size_t)written;
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status copy_member(zip_file_t *member, const char *name, uint64_t size, int file) {
  char chunk[65536];
  uint64_t total = 0;
  for (;;) {
    zip_int64_t got = zip_fread(member, chunk, sizeof chunk);
    if (got < 0)
      return damaged(name, "cannot be read");
    if (got == 0)
      return total == size ? CUSEQ_STATUS_OK : damaged(name, "cut short");
    total += (uint64_t)got;
    if (total > size)
      return damaged(name, "larger than it says");
    TRY(write_all(file, chunk, (size_t)got));
  }
}

static cuseq_status read_weights(zip_t *zip, uint64_t archive_size, int *file) {
  static const char name[] = "model.weights.h5";
  zip_file_t *member;
  uint64_t size;
  TRY(open_member(zip, name, archive_size + ALLOWANCE, &member, &size));
  *file = memfd_create("cuseq-weights", MFD_CLOEXEC);
  struct rlimits_text reason;
  cuseq_status status = *file < 0
                            ? error_set(CUSEQ_STATUS_IO, "a memory file of the weights cannot be made (%s)",
                                        rlimits_reason(errno, &reason))
                            : copy_member(member, name, size, *file);
  zip_fclose(member);
  return status;
}

/* libzip's own copy of the descriptor, which it closes. */
static cuseq_status open_zip(int file, zip_t **zip) {
  struct rlimits_text reason;
  int own = dup(file), code = 0;
  if (own < 0)
    return error_set(CUSEQ_STATUS_IO, "the file cannot be read: %s", rlimits_reason(errno, &reason));
  errno = 0;
  *zip = zip_fdopen(own, 0, &code);
  if (*zip != NULL)
    return CUSEQ_STATUS_OK;
  int failure = errno;
  close(own);
  if (code == ZIP_ER_MEMORY)
    return error_out_of_memory();
  if (failure == EMFILE || failure == ENFILE)
    return error_set(CUSEQ_STATUS_IO, "the file cannot be read: %s", rlimits_reason(failure, &reason));
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable .keras archive (a damaged zip file)");
}

cuseq_status archive_read(int file, struct archive *archive) {
  *archive = (struct archive){.weights = -1};
  struct stat facts;
  if (fstat(file, &facts) != 0)
    return error_set(CUSEQ_STATUS_IO, "the file cannot be read: %s", strerror(errno));
  zip_t *zip;
  if (file_kind_zip_has_more(file, MAX_ENTRIES))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable .keras archive (more than %d entries)",
                     MAX_ENTRIES);
  TRY(open_zip(file, &zip));
  cuseq_status status;
  TRY_CLEANUP(read_text(zip, "metadata.json", &archive->metadata));
  TRY_CLEANUP(read_text(zip, "config.json", &archive->config));
  TRY_CLEANUP(read_weights(zip, (uint64_t)facts.st_size, &archive->weights));
cleanup:
  zip_discard(zip);
  if (status != CUSEQ_STATUS_OK)
    archive_free(archive);
  return status;
}

void archive_free(struct archive *archive) {
  free(archive->metadata.bytes);
  free(archive->config.bytes);
  if (archive->weights >= 0)
    close(archive->weights);
  *archive = (struct archive){.weights = -1};
}
