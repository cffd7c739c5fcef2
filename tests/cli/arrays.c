/* Prints the arrays of an .npz: "NAME TYPE [SHAPE]", one a line; with a second argument, the values of that
 * one. */
#include "formats/npz.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

static void print_array(const struct npz_entry *entry) {
  const struct npy_array *array = &entry->array;
  printf("%s %s [", entry->name, npy_dtype_name(array->dtype));
  for (int32_t i = 0; i < array->rank; i++)
    printf("%s%lld", i ? "," : "", (long long)array->shape[i]);
  printf("]\n");
}

static void print_values(const struct npy_array *array) {
  for (size_t i = 0; i < array->count; i++)
    if (array->dtype == NPY_I32)
      printf("%d\n", ((const int32_t *)array->data)[i]);
    else
      printf("%.9g\n", (double)((const float *)array->data)[i]);
}

int main(int argc, char **argv) {
  struct npz archive;
  if (argc < 2 || npz_read(argv[1], &archive) != CUSEQ_STATUS_OK) {
    fprintf(stderr, "arrays: %s\n", error_text());
    return 2;
  }
  const struct npy_array *wanted = argc > 2 ? npz_find(&archive, argv[2]) : NULL;
  for (size_t i = 0; i < archive.count && argc == 2; i++)
    print_array(&archive.entries[i]);
  if (wanted)
    print_values(wanted);
  npz_free(&archive);
  return argc > 2 && !wanted;
}
