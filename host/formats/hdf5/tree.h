/* The groups, attributes and arrays of an HDF5 file, as cuseq-hdf5's stream (hdf5/stream.h) brings them. */
#ifndef CUSEQ_FORMATS_HDF5_TREE_H
#define CUSEQ_FORMATS_HDF5_TREE_H

#include "cuseq/cuseq.h"
#include "formats/arena.h"
#include "formats/hdf5/stream.h"

#include <stddef.h>
#include <stdint.h>

struct hdf5_string {
  const char *text; /* not zero-terminated; may hold any byte */
  size_t size;
};

struct hdf5_attribute {
  struct hdf5_string name;
  struct hdf5_string *strings;
  size_t count;
  struct hdf5_attribute *next;
};

/* A group or an array. */
struct hdf5_node {
  struct hdf5_string name;
  size_t number; /* the root is 0; the others count in the order of the stream */
  int is_array;
  struct hdf5_attribute *attributes;
  struct hdf5_node *first_child; /* of a group, in the order of the stream */
  struct hdf5_node *next;        /* its next sibling */
  enum hdf5_stream_type type;    /* of an array */
  int32_t rank;
  int64_t shape[HDF5_STREAM_MAX_RANK];
  const unsigned char *data; /* little-endian, unaligned, in the stream */
  size_t elements;
};

struct hdf5_tree {
  struct hdf5_node *root;
  struct arena arena; /* what the nodes and attributes live in */
};

/* Parses a whole stream, which must outlive the tree. An error says "not a readable HDF5 file (...)" without
 * the file's name. Believes nothing: every length is held against what is left of the stream. */
cuseq_status hdf5_tree_parse(const void *stream, size_t size, struct hdf5_tree *tree);

/* Releases; does nothing on a zeroed structure. */
void hdf5_tree_free(struct hdf5_tree *tree);

/* The child of that name ("a/b/c": through groups), or NULL. */
const struct hdf5_node *hdf5_find(const struct hdf5_node *group, const char *path, size_t path_size);

/* The attribute of that name, or NULL. */
const struct hdf5_attribute *hdf5_attribute_find(const struct hdf5_node *node, const char *name);

#endif
