#include "convert/arrays/array_file.h"

#include "convert/keras/archive.h"
#include "error.h"
#include "formats/file.h"
#include "formats/file_kind.h"
#include "formats/hdf5/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_CAPACITY = 1024 };

static struct named_array *room_for(struct array_file *file, size_t count) {
  file->arrays = calloc(count + 1, sizeof *file->arrays);
  return file->arrays;
}

/* ---- .safetensors --------------------------------------------------------------------------------- */

static void add_tensor(struct array_file *file, const char *name, const struct safetensors_tensor *tensor) {
  struct named_array *array = &file->arrays[file->count++];
  *array = (struct named_array){.name = name,
                                .dtype_name = tensor->dtype_name,
                                .dtype = tensor->dtype,
                                .rank = tensor->rank,
                                .data = tensor->data};
  memcpy(array->shape, tensor->shape, sizeof tensor->shape);
  named_array_pack(array);
}

static bool has_array(const struct array_file *file, const char *name) {
  for (size_t i = 0; i < file->count; i++)
    if (strcmp(file->arrays[i].name, name) == 0)
      return true;
  return false;
}

/* Tied tensors, which safetensors.torch.save_model stores once, are there under all their names: the file's
 * metadata tells the others. */
static cuseq_status add_safetensors(struct array_file *file) {
  const struct safetensors *parsed = &file->safetensors;
  if (room_for(file, parsed->tensor_count + parsed->metadata_count) == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < parsed->tensor_count; i++)
    add_tensor(file, parsed->tensors[i].name, &parsed->tensors[i]);
  for (size_t i = 0; i < parsed->metadata_count; i++)
    for (size_t k = 0; k < parsed->tensor_count; k++)
      if (strcmp(parsed->tensors[k].name, parsed->metadata[i].value) == 0 &&
          !has_array(file, parsed->metadata[i].key))
        add_tensor(file, parsed->metadata[i].key, &parsed->tensors[k]);
  return CUSEQ_STATUS_OK;
}

static cuseq_status open_safetensors(const char *path, struct array_file *file) {
  size_t size;
  TRY(file_read_checked(path, safetensors_check, &file->bytes, &size));
  cuseq_status status = safetensors_parse(file->bytes, size, &file->safetensors);
  return status == CUSEQ_STATUS_OK ? add_safetensors(file) : error_prefix(status, path);
}

/* ---- .npz ----------------------------------------------------------------------------------------- */

static cuseq_status open_npz(const char *path, struct array_file *file) {
  static const struct {
    const char *name;
    int dtype;
  } types[] = {
      [NPY_F16] = {"F16", CUSEQ_DTYPE_F16},
      [NPY_F32] = {"F32", CUSEQ_DTYPE_F32},
      [NPY_F64] = {"F64", CUSEQ_DTYPE_F64},
      [NPY_I8] = {"I8", -1},
      [NPY_I16] = {"I16", -1},
      [NPY_I32] = {"I32", CUSEQ_DTYPE_I32},
      [NPY_I64] = {"I64", CUSEQ_DTYPE_I64},
      [NPY_U8] = {"U8", -1},
  };
  TRY(npz_read_some(path, &file->npz));
  if (room_for(file, file->npz.count) == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < file->npz.count; i++) {
    const struct npz_entry *entry = &file->npz.entries[i];
    struct named_array *array = &file->arrays[file->count++];
    const bool read = entry->array.data != NULL;
    *array = (struct named_array){.name = entry->name,
                                  .dtype_name = read ? types[entry->array.dtype].name : "of another kind",
                                  .dtype = read ? types[entry->array.dtype].dtype : -1,
                                  .rank = entry->array.rank,
                                  .data = entry->array.data};
    memcpy(array->shape, entry->array.shape, sizeof entry->array.shape);
    named_array_pack(array);
  }
  return CUSEQ_STATUS_OK;
}

/* ---- HDF5 ----------------------------------------------------------------------------------------- */

static size_t count_arrays(const struct hdf5_node *group) {
  size_t count = 0;
  for (const struct hdf5_node *child = group->first_child; child != NULL; child = child->next)
    count += child->is_array ? 1 : count_arrays(child);
  return count;
}

static void add_node(struct array_file *file, const struct hdf5_node *node, const char *name) {
  static const struct {
    const char *name;
    int dtype;
  } types[] = {
      [HDF5_STREAM_OTHER] = {"no floating-point numbers", -1},
      [HDF5_STREAM_F32] = {"F32", CUSEQ_DTYPE_F32},
      [HDF5_STREAM_F64] = {"F64", CUSEQ_DTYPE_F64},
      [HDF5_STREAM_BF16] = {"BF16", CUSEQ_DTYPE_BF16},
      [HDF5_STREAM_RAW16] = {"two bytes of no type", -1},
  };
  struct named_array *array = &file->arrays[file->count++];
  *array = (struct named_array){.name = name,
                                .dtype_name = types[node->type].name,
                                .dtype = types[node->type].dtype,
                                .rank = node->rank,
                                .data = node->data};
  memcpy(array->shape, node->shape, sizeof node->shape);
  named_array_pack(array);
}

/* All arrays in a group, by their paths.
 *   path  [PATH_CAPACITY], of the group */
static cuseq_status add_group(struct array_file *file, const struct hdf5_node *group, char *path,
                              size_t length) {
  for (const struct hdf5_node *child = group->first_child; child != NULL; child = child->next) {
    size_t used = length;
    if (length + child->name.size + 2 > PATH_CAPACITY ||
        memchr(child->name.text, 0, child->name.size) != NULL)
      return error_set(CUSEQ_STATUS_INVALID_FILE,
                       "not a readable HDF5 file (a name is too long, or has a zero byte)");
    if (length > 0)
      path[used++] = '/';
    memcpy(path + used, child->name.text, child->name.size);
    used += child->name.size;
    path[used] = 0;
    if (!child->is_array) {
      TRY(add_group(file, child, path, used));
      continue;
    }
    const char *name = arena_copy(&file->tree.arena, path, used);
    if (name == NULL)
      return error_out_of_memory();
    add_node(file, child, name);
  }
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_hdf5(int descriptor, struct array_file *file) {
  char path[PATH_CAPACITY] = "";
  size_t size;
  TRY(hdf5_process_run(descriptor, &file->bytes, &size));
  TRY(hdf5_tree_parse(file->bytes, size, &file->tree));
  if (room_for(file, count_arrays(file->tree.root)) == NULL)
    return error_out_of_memory();
  return add_group(file, file->tree.root, path, 0);
}

static cuseq_status read_keras(int descriptor, struct array_file *file) {
  struct archive archive;
  TRY(archive_read(descriptor, &archive));
  cuseq_status status = read_hdf5(archive.weights, file);
  archive_free(&archive);
  return status;
}

/* ---- all ------------------------------------------------------------------------------------------ */

static cuseq_status read_torch(int descriptor, size_t size, struct array_file *file) {
  if (file_kind_container(descriptor) != FILE_KIND_ZIP)
    return error_set(
        CUSEQ_STATUS_INVALID_FILE,
        "a PyTorch checkpoint that is no zip, as versions before 1.6 wrote (load it with torch.load, "
        "weights_only=True, and save it again with torch.save)");
  TRY(torch_file_read(descriptor, size, &file->torch));
  if (room_for(file, file->torch.count) == NULL)
    return error_out_of_memory();
  file->count = file->torch.count;
  memcpy(file->arrays, file->torch.arrays, file->count * sizeof *file->arrays);
  return CUSEQ_STATUS_OK;
}

static cuseq_status open_descriptor(int descriptor, size_t size, enum file_kind kind,
                                    struct array_file *file) {
  if (kind == FILE_KIND_TORCH)
    return read_torch(descriptor, size, file);
  return file_kind_container(descriptor) == FILE_KIND_ZIP ? read_keras(descriptor, file)
                                                          : read_hdf5(descriptor, file);
}

cuseq_status array_file_open(const char *path, struct array_file *file) {
  enum file_kind kind;
  int descriptor;
  size_t size;
  *file = (struct array_file){0};
  TRY(file_kind_find(path, &kind));
  file->format = file_kind_name(kind);
  switch (kind) {
  case FILE_KIND_NPZ:
    return open_npz(path, file);
  case FILE_KIND_TORCH:
  case FILE_KIND_KERAS:
  case FILE_KIND_HDF5: {
    TRY(file_open(path, &descriptor, &size));
    cuseq_status status = open_descriptor(descriptor, size, kind, file);
    close(descriptor);
    return status == CUSEQ_STATUS_OK ? status : error_prefix(status, path);
  }
  default:
    return open_safetensors(path, file);
  }
}

void array_file_close(struct array_file *file) {
  safetensors_free(&file->safetensors);
  npz_free(&file->npz);
  torch_file_free(&file->torch);
  hdf5_tree_free(&file->tree);
  free(file->arrays);
  free(file->bytes);
  *file = (struct array_file){0};
}
