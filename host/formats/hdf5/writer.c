#include "writer.h"
#include "image.h"
#include "stream.h"

#include <errno.h>
#include <hdf5.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct writer {
  FILE *out;
  uint64_t budget; /* bytes of dataset and attribute data that may still be read */
  uint32_t objects;
  uint64_t strings; /* of attributes, so far */
  int depth;
  const char *failure; /* what is wrong; NULL as long as all is well */
  bool memory;         /* it failed for want of memory */
};

static herr_t find_memory(unsigned place, const H5E_error2_t *error, void *found) {
  (void)place;
  if (error->min_num == H5E_NOSPACE || error->min_num == H5E_CANTALLOC)
    *(bool *)found = true;
  return 0;
}

/* Called right behind what failed, while HDF5 still knows why. */
static bool fail(struct writer *writer, const char *reason) {
  if (writer->failure == NULL) {
    writer->failure = reason;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, find_memory, &writer->memory);
  }
  return false;
}

static bool fail_memory(struct writer *writer) {
  writer->memory = true;
  return fail(writer, "out of memory");
}

static bool put(struct writer *writer, const void *bytes, size_t size) {
  if (size > 0 && fwrite(bytes, 1, size, writer->out) != size)
    return fail(writer, "the stream cannot be written");
  return true;
}

static bool put_integer(struct writer *writer, uint64_t value, int bytes) {
  unsigned char little[8];
  for (int i = 0; i < bytes; i++)
    little[i] = (unsigned char)(value >> (8 * i));
  return put(writer, little, (size_t)bytes);
}

static bool put_string(struct writer *writer, const char *text, size_t size) {
  if (size > HDF5_STREAM_MAX_STRING)
    return fail(writer, "a text is too long");
  return put_integer(writer, size, 4) && put(writer, text, size);
}

static bool put_tag(struct writer *writer, char tag) {
  return put(writer, &tag, 1);
}

static bool take(struct writer *writer, uint64_t bytes) {
  if (bytes > writer->budget)
    return fail(writer, "its arrays are larger than the file");
  writer->budget -= bytes;
  return true;
}

/* One more object, against a file whose links make a tree without end. */
static bool count_object(struct writer *writer) {
  if (++writer->objects > HDF5_STREAM_MAX_OBJECTS)
    return fail(writer, "it has too many objects");
  return true;
}

/* ---- attributes ----------------------------------------------------------------------------------- */

static bool put_variable_strings(struct writer *writer, hid_t attribute, hid_t type, hid_t space,
                                 size_t count) {
  char **strings = calloc(count, sizeof *strings);
  if (strings == NULL)
    return fail_memory(writer);
  hid_t memory = H5Tcopy(H5T_C_S1);
  H5Tset_size(memory, H5T_VARIABLE);
  H5Tset_cset(memory, H5Tget_cset(type));
  bool good = H5Aread(attribute, memory, strings) >= 0 || fail(writer, "an attribute cannot be read");
  for (size_t i = 0; good && i < count; i++) {
    size_t size = strings[i] != NULL ? strlen(strings[i]) : 0;
    good = take(writer, size) && put_string(writer, strings[i] != NULL ? strings[i] : "", size);
  }
  if (good)
    H5Dvlen_reclaim(memory, space, H5P_DEFAULT, strings);
  H5Tclose(memory);
  free(strings);
  return good;
}

static bool put_fixed_strings(struct writer *writer, hid_t attribute, hid_t type, size_t count) {
  size_t size = H5Tget_size(type);
  if (size == 0 || size > HDF5_STREAM_MAX_STRING || count > SIZE_MAX / size)
    return fail(writer, "an attribute's texts have a bad length");
  if (!take(writer, (uint64_t)size * count))
    return false;
  char *bytes = calloc(count, size);
  if (bytes == NULL)
    return fail_memory(writer);
  bool good = H5Aread(attribute, type, bytes) >= 0 || fail(writer, "an attribute cannot be read");
  for (size_t i = 0; good && i < count; i++) {
    const char *text = bytes + i * size;
    good = put_string(writer, text, strnlen(text, size));
  }
  free(bytes);
  return good;
}

static bool put_attribute(struct writer *writer, hid_t attribute) {
  char name[256];
  ssize_t length = H5Aget_name(attribute, sizeof name, name);
  if (length < 0 || (size_t)length >= sizeof name)
    return fail(writer, "an attribute's name cannot be read");
  hid_t type = H5Aget_type(attribute);
  hid_t space = H5Aget_space(attribute);
  hssize_t points = type >= 0 && space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
  bool text = points >= 0 && H5Tget_class(type) == H5T_STRING;
  bool good = points >= 0 || fail(writer, "an attribute cannot be read");
  if (good && (text || points == 0)) {
    writer->strings += (uint64_t)points;
    good = writer->strings <= HDF5_STREAM_MAX_STRINGS || fail(writer, "its attributes have too many texts");
    good = good && put_tag(writer, 'A') && put_string(writer, name, (size_t)length) &&
           put_integer(writer, (uint64_t)points, 4);
    if (good && points > 0)
      good = H5Tis_variable_str(type) > 0
                 ? put_variable_strings(writer, attribute, type, space, (size_t)points)
                 : put_fixed_strings(writer, attribute, type, (size_t)points);
  }
  if (space >= 0)
    H5Sclose(space);
  if (type >= 0)
    H5Tclose(type);
  return good;
}

static bool put_attributes(struct writer *writer, hid_t object) {
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS) < 0)
    return fail(writer, "an object cannot be read");
  for (hsize_t i = 0; i < info.num_attrs; i++) {
    if (!count_object(writer))
      return false;
    hid_t attribute = H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0)
      return fail(writer, "an attribute cannot be read");
    bool good = put_attribute(writer, attribute);
    H5Aclose(attribute);
    if (!good)
      return false;
  }
  return true;
}

/* ---- datasets ------------------------------------------------------------------------------------- */

static bool has_bfloat16_mark(hid_t dataset) {
  if (H5Aexists(dataset, "dtype") <= 0)
    return false;
  hid_t attribute = H5Aopen(dataset, "dtype", H5P_DEFAULT);
  hid_t type = attribute >= 0 ? H5Aget_type(attribute) : -1;
  char *text = NULL;
  bool marked = false;
  if (type >= 0 && H5Tis_variable_str(type) > 0) {
    hid_t memory = H5Tcopy(H5T_C_S1);
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    if (H5Aread(attribute, memory, &text) >= 0 && text != NULL) {
      marked = strcmp(text, "bfloat16") == 0;
      H5free_memory(text);
    }
    H5Tclose(memory);
  }
  if (type >= 0)
    H5Tclose(type);
  if (attribute >= 0)
    H5Aclose(attribute);
  return marked;
}

/* How a dataset goes into the stream, and the type in memory that it is read as (little-endian). */
static enum hdf5_stream_type stream_type(hid_t dataset, hid_t type, hid_t *memory) {
  size_t size = H5Tget_size(type);
  if (H5Tget_class(type) == H5T_FLOAT && size <= 8) {
    *memory = size <= 4 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE;
    return size <= 4 ? HDF5_STREAM_F32 : HDF5_STREAM_F64;
  }
  if (H5Tget_class(type) == H5T_OPAQUE && size == 2) {
    *memory = type;
    return has_bfloat16_mark(dataset) ? HDF5_STREAM_BF16 : HDF5_STREAM_RAW16;
  }
  return HDF5_STREAM_OTHER;
}

static bool put_data(struct writer *writer, hid_t dataset, hid_t memory, uint64_t bytes) {
  void *data = malloc(bytes > 0 ? bytes : 1);
  if (data == NULL)
    return fail_memory(writer);
  bool good = H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0 ||
              fail(writer, "an array cannot be read");
  good = good && put(writer, data, bytes);
  free(data);
  return good;
}

/* External and virtual storage would bring in other files. */
static bool lies_in_the_file(hid_t dataset) {
  hid_t settings = H5Dget_create_plist(dataset);
  if (settings < 0)
    return false;
  bool inside = H5Pget_external_count(settings) == 0 && H5Pget_layout(settings) != H5D_VIRTUAL;
  H5Pclose(settings);
  return inside;
}

static bool put_dataset(struct writer *writer, hid_t dataset, const char *name) {
  static const uint64_t sizes[] = {
      [HDF5_STREAM_F32] = 4, [HDF5_STREAM_F64] = 8, [HDF5_STREAM_BF16] = 2, [HDF5_STREAM_RAW16] = 2};
  hsize_t dims[H5S_MAX_RANK];
  hid_t type = H5Dget_type(dataset);
  hid_t space = H5Dget_space(dataset);
  int rank = space >= 0 ? H5Sget_simple_extent_dims(space, dims, NULL) : -1;
  hid_t memory = -1;
  bool good = (type >= 0 && rank >= 0) || fail(writer, "an array cannot be read");
  good = good && (lies_in_the_file(dataset) || fail(writer, "an array's numbers are in another file"));
  enum hdf5_stream_type kind = HDF5_STREAM_OTHER;
  if (good && rank <= HDF5_STREAM_MAX_RANK && H5Sget_simple_extent_type(space) != H5S_NULL)
    kind = stream_type(dataset, type, &memory);
  uint64_t bytes = kind == HDF5_STREAM_OTHER ? 0 : sizes[kind];
  if (kind == HDF5_STREAM_OTHER)
    rank = 0;
  for (int i = 0; good && i < rank; i++) {
    if (dims[i] != 0 && bytes > UINT64_MAX / dims[i])
      good = fail(writer, "an array's shape is absurd");
    bytes *= dims[i];
  }
  good = good && take(writer, bytes) && put_tag(writer, 'D') && put_string(writer, name, strlen(name)) &&
         put_integer(writer, kind, 1) && put_integer(writer, (uint64_t)rank, 1);
  for (int i = 0; good && i < rank; i++)
    good = put_integer(writer, dims[i], 8);
  if (good && kind != HDF5_STREAM_OTHER)
    good = put_data(writer, dataset, memory, bytes);
  good = good && put_attributes(writer, dataset);
  if (space >= 0)
    H5Sclose(space);
  if (type >= 0)
    H5Tclose(type);
  return good;
}

/* ---- groups --------------------------------------------------------------------------------------- */

static bool put_group(struct writer *writer, hid_t group);

static bool put_child(struct writer *writer, hid_t group, const char *name) {
  hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0)
    return fail(writer, "an object cannot be opened");
  bool good = true;
  H5I_type_t type = H5Iget_type(object);
  if (type == H5I_GROUP) {
    if (writer->depth >= HDF5_STREAM_MAX_DEPTH)
      good = fail(writer, "its groups are nested too deep");
    writer->depth++;
    good = good && put_tag(writer, 'G') && put_string(writer, name, strlen(name)) &&
           put_group(writer, object) && put_tag(writer, 'E');
    writer->depth--;
  } else if (type == H5I_DATASET) {
    good = put_dataset(writer, object, name);
  }
  H5Oclose(object);
  return good;
}

/* The optimizer's state is of no use, and twice the size of the model. */
static bool wanted(const struct writer *writer, const char *name) {
  return writer->depth > 0 || (strcmp(name, "optimizer_weights") != 0 && strcmp(name, "optimizer") != 0);
}

static bool put_links(struct writer *writer, hid_t group) {
  H5G_info_t info;
  if (H5Gget_info(group, &info) < 0)
    return fail(writer, "a group cannot be read");
  char name[4096];
  for (hsize_t i = 0; i < info.nlinks; i++) {
    if (!count_object(writer))
      return false;
    ssize_t length =
        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
    if (length <= 0 || (size_t)length >= sizeof name)
      return fail(writer, "a link's name cannot be read");
    H5L_info_t link;
    if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0)
      return fail(writer, "a link cannot be read");
    if (link.type != H5L_TYPE_HARD) /* a soft or external link could point at another file */
      return fail(writer, "it has links that are not hard links");
    if (wanted(writer, name) && !put_child(writer, group, name))
      return false;
  }
  return true;
}

static bool put_group(struct writer *writer, hid_t group) {
  return put_attributes(writer, group) && put_links(writer, group);
}

int writer_run(int file, uint64_t file_size, FILE *out) {
  struct writer writer = {.out = out, .budget = file_size * 2 + (1 << 20)};
  if (H5open() < 0 || H5PLset_loading_state(0) < 0) /* no filter plugins */
    return HDF5_EXIT_MEMORY;                        /* nothing of the file has been looked at yet */
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  put(&writer, HDF5_STREAM_MAGIC, HDF5_STREAM_MAGIC_SIZE);
  hid_t opened = image_open(file, file_size);
  if (opened < 0) {
    if (errno == ENOMEM)
      fail_memory(&writer);
    fail(&writer, "it has no HDF5 structure");
  } else {
    hid_t root = H5Gopen2(opened, "/", H5P_DEFAULT);
    if (root < 0)
      fail(&writer, "its root group cannot be read");
    else
      put_group(&writer, root);
  }
  if (writer.failure != NULL) {
    put_tag(&writer, 'X');
    put_string(&writer, writer.failure, strlen(writer.failure));
  } else {
    put_tag(&writer, 'Z');
  }
  int status = writer.failure == NULL ? HDF5_EXIT_DONE : writer.memory ? HDF5_EXIT_MEMORY : HDF5_EXIT_REFUSED;
  if (fflush(out) != 0)
    status = HDF5_EXIT_REFUSED;
  _Exit(status); /* without libhdf5's exit handlers, which a damaged file may have upset */
}
