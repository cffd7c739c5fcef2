/* Zip archives, by the names of their members. */
#include "formats/file_kind_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

enum { ENTRIES_MOST = (1 << 16) - 1 };

static bool ends_in(const char *name, const char *ending) {
  size_t length = strlen(name), wanted = strlen(ending);
  return length >= wanted && strcmp(name + length - wanted, ending) == 0;
}

static enum file_kind kind_of_members(zip_t *zip) {
  zip_int64_t count = zip_get_num_entries(zip, 0), arrays = 0;
  bool config = false, metadata = false, pickle = false, exported = false;
  for (zip_int64_t i = 0; i < count; i++) {
    const char *name = zip_get_name(zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
    if (!name)
      continue;
    arrays += ends_in(name, ".npy");
    config = config || strcmp(name, "config.json") == 0;
    metadata = metadata || strcmp(name, "metadata.json") == 0 || strcmp(name, "model.weights.h5") == 0;
    pickle = pickle || strcmp(name, "data.pkl") == 0 || ends_in(name, "/data.pkl");
    exported = exported || ends_in(name, "/archive_format"); /* torch.export's, .pt2 */
  }
  if (config && metadata)
    return FILE_KIND_KERAS;
  if (pickle || exported)
    return FILE_KIND_TORCH;
  return count > 0 && arrays == count ? FILE_KIND_NPZ : FILE_KIND_ZIP;
}

bool file_kind_zip_has_more(int descriptor, size_t most) {
  return file_kind_count(descriptor, "PK\1\2", 4, most + 1) > most;
}

/* Whether an archive could not be opened because of what is in it. libzip says "truncated" from 1.11 on. */
static bool is_damage(int code) {
#ifdef ZIP_ER_TRUNCATED_ZIP
  if (code == ZIP_ER_TRUNCATED_ZIP)
    return true;
#endif
  return code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS;
}

enum file_kind file_kind_of_zip(int descriptor) {
  if (file_kind_zip_has_more(descriptor, ENTRIES_MOST))
    return FILE_KIND_ZIP;
  int own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0), code;
  if (own < 0)
    return FILE_KIND_UNKNOWN;
  zip_t *zip = zip_fdopen(own, 0, &code);
  if (!zip) {
    const int reason = errno;
    close(own);
    errno = reason;
    return is_damage(code) ? FILE_KIND_BROKEN_ZIP : FILE_KIND_UNKNOWN;
  }
  enum file_kind kind = kind_of_members(zip);
  zip_discard(zip);
  return kind;
}
