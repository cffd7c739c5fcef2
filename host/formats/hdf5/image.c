#include "image.h"

#include <errno.h>
#include <sys/mman.h>

/* HDF5 opens files by name alone; a memory file has none, and /proc/self/fd is not mounted everywhere. Its
 * driver for files in memory takes an image instead, which it would copy twice: with these calls it is
 * handed the mapping itself. */
static void *mapping;

static void *give_mapping(size_t size, H5FD_file_image_op_t operation, void *data) {
  (void)size;
  (void)operation;
  (void)data;
  return mapping;
}

static void *copy_nothing(void *to, const void *from, size_t size, H5FD_file_image_op_t operation,
                          void *data) {
  (void)size;
  (void)operation;
  (void)data;
  return to == from ? to : NULL;
}

/* A file that is only read does not grow. */
static void *refuse_to_grow(void *image, size_t size, H5FD_file_image_op_t operation, void *data) {
  (void)image;
  (void)size;
  (void)operation;
  (void)data;
  return NULL;
}

static herr_t free_nothing(void *image, H5FD_file_image_op_t operation, void *data) {
  (void)image;
  (void)operation;
  (void)data;
  return 0;
}

hid_t image_open(int descriptor, size_t size) {
  H5FD_file_image_callbacks_t calls = {.image_malloc = give_mapping,
                                       .image_memcpy = copy_nothing,
                                       .image_realloc = refuse_to_grow,
                                       .image_free = free_nothing};
  errno = 0;
  mapping = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (mapping == MAP_FAILED)
    return -1;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access < 0 || H5Pset_fapl_core(access, 1 << 16, false) < 0 ||
      H5Pset_file_image_callbacks(access, &calls) < 0 || H5Pset_file_image(access, mapping, size) < 0)
    return -1;
  return H5Fopen("standard input", H5F_ACC_RDONLY, access);
}
