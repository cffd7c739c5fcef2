#include "formats/torch.h"

#include "error.h"
#include "formats/doubles.h"
#include "formats/file_kind.h"
#include "formats/torch_objects.h"
#include "rlimits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

enum {
  MAX_ENTRIES = 16384,
  MAX_DEPTH = 24,
  MAX_VISITS = 1 << 20,
  MAX_TENSORS = 1 << 15,
  NAME_CAPACITY = 512,
  PREFIX_CAPACITY = 300
};
static const size_t spare_bytes = (size_t)40 << 20;

/* A checkpoint being read. */
struct reading {
  zip_t *zip;
  char prefix[PREFIX_CAPACITY]; /* of the members' names, "archive/" */
  size_t file_size, unpacked;
  struct torch_file *file;
  size_t capacity, visits;
};

static cuseq_status damaged(const char *member, const char *reason) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable PyTorch checkpoint (%s: %s)", member, reason);
}

/* ---- members -------------------------------------------------------------------------------------- */

/* Reads a member whole; what the directory says of its size is a limit, and not believed. */
static cuseq_status read_member(struct reading *reading, zip_uint64_t index, size_t most,
                                unsigned char **bytes, size_t *size) {
  zip_stat_t info;
  const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(reading->zip, index, 0, &info) != 0 || (info.valid & needed) != needed)
    return damaged("archive", "a directory entry is incomplete");
  if (info.encryption_method != ZIP_EM_NONE)
    return damaged(info.name, "encrypted");
  if (info.size > most)
    return damaged(info.name, "it unpacks to too much for the archive");
  zip_file_t *member = zip_fopen_index(reading->zip, index, 0);
  if (member == NULL)
    return damaged(info.name, zip_strerror(reading->zip));
  *size = (size_t)info.size;
  *bytes = malloc(*size + 1);
  size_t done = 0;
  zip_int64_t got = *bytes != NULL ? 1 : 0;
  while (got > 0 &&
         done <= *size) { /* one byte more shows a member that is longer, and has its checksum looked at */
    got = zip_fread(member, *bytes + done, *size + 1 - done);
    done += got > 0 ? (size_t)got : 0;
  }
  zip_fclose(member);
  if (*bytes == NULL)
    return error_out_of_memory();
  return got == 0 && done == *size ? CUSEQ_STATUS_OK : damaged(info.name, "it cannot be read");
}

static bool ends_in(const char *name, const char *ending) {
  size_t length = strlen(name), wanted = strlen(ending);
  return length >= wanted && strcmp(name + length - wanted, ending) == 0;
}

/* The one member data.pkl, which tells the folder of all others. */
static cuseq_status find_pickle(struct reading *reading, zip_uint64_t *index) {
  zip_int64_t count = zip_get_num_entries(reading->zip, 0);
  bool found = false;
  for (zip_int64_t i = 0; i < count; i++) {
    const char *name = zip_get_name(reading->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
    if (name == NULL || !(strcmp(name, "data.pkl") == 0 || ends_in(name, "/data.pkl")))
      continue;
    size_t length = strlen(name) - strlen("data.pkl");
    if (found || length >= PREFIX_CAPACITY)
      return damaged("archive", "more than one data.pkl, or one with too long a name");
    found = true;
    *index = (zip_uint64_t)i;
    memcpy(reading->prefix, name, length);
  }
  return found ? CUSEQ_STATUS_OK : damaged("data.pkl", "missing");
}

static zip_int64_t locate(const struct reading *reading, const char *name) {
  char path[PREFIX_CAPACITY + 256];
  if (snprintf(path, sizeof path, "%s%s", reading->prefix, name) >= (int)sizeof path)
    return -1;
  return zip_name_locate(reading->zip, path, ZIP_FL_ENC_RAW);
}

/* TorchScript has its program beside the pickle; newer checkpoints say the order of their bytes. */
static cuseq_status check_kind(struct reading *reading) {
  if (locate(reading, "constants.pkl") >= 0)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "a TorchScript program, not a state_dict (load it with torch.jit.load and save its "
                     "state_dict() with torch.save)");
  zip_int64_t index = locate(reading, "byteorder");
  if (index < 0)
    return CUSEQ_STATUS_OK;
  unsigned char *bytes = NULL;
  size_t size = 0;
  cuseq_status status = read_member(reading, (zip_uint64_t)index, 16, &bytes, &size);
  if (status == CUSEQ_STATUS_OK && !(size == 6 && memcmp(bytes, "little", 6) == 0))
    status =
        error_set(CUSEQ_STATUS_INVALID_FILE,
                  "byteorder: '%.*s' (needed little; load it with torch.load and save it on a machine of "
                  "that order)",
                  (int)size, (const char *)bytes);
  free(bytes);
  return status;
}

/* ---- tensors -------------------------------------------------------------------------------------- */

/* The bytes of a storage, read once. */
static cuseq_status load_storage(struct reading *reading, const struct torch_storage *storage,
                                 const unsigned char **bytes) {
  char member[256];
  zip_int64_t index = -1;
  zip_stat_t info;
  if (snprintf(member, sizeof member, "data/%s", storage->key) < (int)sizeof member)
    index = locate(reading, member);
  if (index < 0 || zip_stat_index(reading->zip, (zip_uint64_t)index, 0, &info) != 0 ||
      !(info.valid & ZIP_STAT_SIZE))
    return damaged(member, "missing");
  if (storage->elements > info.size / storage->item)
    return damaged(member, "smaller than the storage that it should be");
  unsigned char **slot = &reading->file->storages[index];
  if (*slot == NULL) {
    size_t size, most = reading->file_size + spare_bytes - reading->unpacked;
    TRY(read_member(reading, (zip_uint64_t)index, most, slot, &size));
    reading->unpacked += size;
  }
  *bytes = *slot;
  return CUSEQ_STATUS_OK;
}

static cuseq_status add_tensor(struct reading *reading, const struct torch_object *tensor, const char *name) {
  struct torch_file *file = reading->file;
  const unsigned char *bytes = NULL;
  if (file->count == MAX_TENSORS)
    return damaged("data.pkl", "too many tensors");
  if (file->count == reading->capacity) {
    size_t capacity = reading->capacity > 0 ? 2 * reading->capacity : 64;
    struct named_array *grown = realloc(file->arrays, capacity * sizeof *grown);
    if (grown == NULL)
      return error_out_of_memory();
    file->arrays = grown;
    reading->capacity = capacity;
  }
  if (tensor->extent > 0)
    TRY(load_storage(reading, &tensor->storage, &bytes));
  struct named_array *array = &file->arrays[file->count++];
  *array = tensor->array;
  array->name = arena_copy(&file->arena, name, strlen(name));
  if (bytes != NULL)
    array->data = bytes + tensor->offset * tensor->storage.item;
  return array->name != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

static cuseq_status walk(struct reading *reading, const struct pickle_value *value, char *name, size_t length,
                         int depth);

/* One item of a container: its key is added to the name. */
static cuseq_status walk_item(struct reading *reading, const struct pickle_value *item, char *name,
                              size_t length, const char *key, int depth) {
  int added = snprintf(name + length, NAME_CAPACITY - length, "%s%s", length > 0 ? "." : "", key);
  if (added < 0 || (size_t)added >= NAME_CAPACITY - length)
    return damaged("data.pkl", "a name is too long");
  TRY(walk(reading, item, name, length + (size_t)added, depth + 1));
  name[length] = 0;
  return CUSEQ_STATUS_OK;
}

/* All tensors in dictionaries, lists and tuples. */
static cuseq_status walk(struct reading *reading, const struct pickle_value *value, char *name, size_t length,
                         int depth) {
  char number[32];
  if (++reading->visits > MAX_VISITS || depth > MAX_DEPTH)
    return damaged("data.pkl", "its dictionaries lie too deep in each other");
  if (value->kind == PICKLE_OBJECT) {
    const struct torch_object *object = value->object;
    return object->is_tensor ? add_tensor(reading, object, length > 0 ? name : "tensor") : CUSEQ_STATUS_OK;
  }
  if (value->kind == PICKLE_DICT)
    for (size_t i = 0; i + 1 < value->count; i += 2) {
      const struct pickle_value *key = value->items[i];
      if (key->kind != PICKLE_TEXT && key->kind != PICKLE_INT)
        continue;
      if (key->kind == PICKLE_TEXT && memchr(key->text, 0, key->size) != NULL)
        return damaged("data.pkl", "a name has a zero byte");
      snprintf(number, sizeof number, "%lld", (long long)key->integer);
      TRY(walk_item(reading, value->items[i + 1], name, length, key->kind == PICKLE_INT ? number : key->text,
                    depth));
    }
  if (value->kind == PICKLE_LIST || value->kind == PICKLE_TUPLE)
    for (size_t i = 0; i < value->count; i++) {
      snprintf(number, sizeof number, "%zu", i);
      TRY(walk_item(reading, value->items[i], name, length, number, depth));
    }
  return CUSEQ_STATUS_OK;
}

static cuseq_status has_tensors(struct reading *reading, const struct pickle_value *value, int depth,
                                bool *has) {
  if (++reading->visits > MAX_VISITS || depth > MAX_DEPTH)
    return damaged("data.pkl", "its dictionaries lie too deep in each other");
  if (value->kind == PICKLE_OBJECT)
    *has = ((const struct torch_object *)value->object)->is_tensor;
  bool container = value->kind == PICKLE_DICT || value->kind == PICKLE_LIST || value->kind == PICKLE_TUPLE;
  size_t step = value->kind == PICKLE_DICT ? 2 : 1;
  for (size_t i = step - 1; container && i < value->count && !*has; i += step)
    TRY(has_tensors(reading, value->items[i], depth + 1, has));
  return CUSEQ_STATUS_OK;
}

/* The dictionary that all tensors lie in, among settings and numbers of others: {"model": it, "epoch": 3}. */
static cuseq_status find_state_dict(struct reading *reading, const struct pickle_value **value) {
  for (int depth = 0; (*value)->kind == PICKLE_DICT; depth++) {
    const struct pickle_value *only = NULL;
    size_t count = 0;
    for (size_t i = 1; i < (*value)->count; i += 2) {
      bool has = false;
      TRY(has_tensors(reading, (*value)->items[i], depth, &has));
      only = has ? (*value)->items[i] : only;
      count += has;
    }
    if (count != 1 || only->kind != PICKLE_DICT)
      break;
    *value = only;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static cuseq_status check_names(const struct torch_file *file) {
  const char **names = malloc((file->count + 1) * sizeof *names);
  if (names == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < file->count; i++)
    names[i] = file->arrays[i].name;
  const char *twice = doubles_find(names, file->count);
  free(names);
  return twice == NULL ? CUSEQ_STATUS_OK : damaged(twice, "two tensors of this name");
}

static cuseq_status read_archive(struct reading *reading) {
  struct torch_file *file = reading->file;
  struct arena arena = {0};
  unsigned char *bytes = NULL;
  size_t size = 0;
  zip_uint64_t index = 0;
  char name[NAME_CAPACITY] = "";
  struct pickle_value *root;
  const struct pickle_value *state_dict;
  cuseq_status status;
  TRY(find_pickle(reading, &index));
  TRY(check_kind(reading));
  file->storage_count = (size_t)zip_get_num_entries(reading->zip, 0);
  file->storages = calloc(file->storage_count, sizeof *file->storages);
  if (file->storages == NULL)
    return error_out_of_memory();
  const struct pickle_reader reader = torch_reader(&arena);
  TRY_CLEANUP(read_member(reading, index, PICKLE_MOST_BYTES, &bytes, &size));
  TRY_CLEANUP(pickle_read(bytes, size, &reader, &arena, &root));
  state_dict = root;
  TRY_CLEANUP(find_state_dict(reading, &state_dict));
  TRY_CLEANUP(walk(reading, state_dict, name, 0, 0));
  TRY_CLEANUP(check_names(file));
  if (file->count == 0)
    status = error_set(CUSEQ_STATUS_INVALID_FILE, "data.pkl: no tensors in it");
cleanup:
  arena_free(&arena);
  free(bytes);
  return status;
}

/* Takes the archive over. */
static cuseq_status read_zip(zip_t *zip, size_t size, struct torch_file *file) {
  struct reading reading = {.zip = zip, .file_size = size, .file = file};
  cuseq_status status = read_archive(&reading);
  zip_discard(zip);
  if (status != CUSEQ_STATUS_OK)
    torch_file_free(file);
  return status;
}

cuseq_status torch_file_read(int file, size_t size, struct torch_file *result) {
  struct rlimits_text reason;
  *result = (struct torch_file){0};
  if (file_kind_zip_has_more(file, MAX_ENTRIES))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable PyTorch checkpoint (more than %d entries)",
                     MAX_ENTRIES);
  int own = dup(file), code = 0;
  if (own < 0)
    return error_set(CUSEQ_STATUS_IO, "the file cannot be read: %s", rlimits_reason(errno, &reason));
  zip_t *zip = zip_fdopen(own, 0, &code);
  if (zip == NULL) {
    close(own);
    return code == ZIP_ER_MEMORY ? error_out_of_memory() : damaged("archive", "a damaged zip file");
  }
  return read_zip(zip, size, result);
}

cuseq_status torch_file_parse(const void *bytes, size_t size, struct torch_file *result) {
  const unsigned char *at = bytes, *end = at + size;
  zip_error_t error;
  *result = (struct torch_file){0};
  for (size_t count = 0; (at = memmem(at, (size_t)(end - at), "PK\1\2", 4)) != NULL; at += 4)
    if (++count > MAX_ENTRIES)
      return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable PyTorch checkpoint (more than %d entries)",
                       MAX_ENTRIES);
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &error);
  zip_t *zip = source != NULL ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
  bool memory = zip == NULL && zip_error_code_zip(&error) == ZIP_ER_MEMORY;
  zip_error_fini(&error);
  if (zip == NULL) {
    zip_source_free(source);
    return memory ? error_out_of_memory() : damaged("archive", "a damaged zip file");
  }
  return read_zip(zip, size, result);
}

void torch_file_free(struct torch_file *file) {
  for (size_t i = 0; i < file->storage_count; i++)
    free(file->storages[i]);
  free(file->storages);
  free(file->arrays);
  arena_free(&file->arena);
  *file = (struct torch_file){0};
}
