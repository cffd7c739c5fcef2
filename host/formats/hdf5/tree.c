#include "formats/hdf5/tree.h"
#include "error.h"

#include <stdbool.h>
#include <string.h>

struct parser {
  const unsigned char *at;
  size_t left;
  struct hdf5_tree *tree;
  size_t objects;
  size_t nodes;
  size_t strings;
};

static cuseq_status damaged(const char *reason) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable HDF5 file (%s)", reason);
}

/* ---- the stream's elements: each returns false at its end ----------------------------------------- */

static bool take_integer(struct parser *parser, int bytes, uint64_t *value) {
  if (parser->left < (size_t)bytes)
    return false;
  *value = 0;
  for (int i = 0; i < bytes; i++)
    *value |= (uint64_t)parser->at[i] << (8 * i);
  parser->at += bytes;
  parser->left -= (size_t)bytes;
  return true;
}

static bool take_string(struct parser *parser, struct hdf5_string *string) {
  uint64_t size;
  if (!take_integer(parser, 4, &size) || size > HDF5_STREAM_MAX_STRING || size > parser->left)
    return false;
  *string = (struct hdf5_string){(const char *)parser->at, size};
  parser->at += size;
  parser->left -= size;
  return true;
}

static cuseq_status take_attribute(struct parser *parser, struct hdf5_node *owner) {
  struct hdf5_string name;
  uint64_t count;
  if (!take_string(parser, &name) || !take_integer(parser, 4, &count))
    return damaged("its reader stopped");
  parser->strings += (size_t)count;
  if (parser->strings > HDF5_STREAM_MAX_STRINGS || count > parser->left / 4)
    return damaged("its attributes have too many texts");
  struct hdf5_attribute *attribute = arena_allocate(&parser->tree->arena, sizeof *attribute);
  struct hdf5_string *strings = arena_allocate(&parser->tree->arena, (size_t)count * sizeof *strings + 1);
  if (attribute == NULL || strings == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < count; i++)
    if (!take_string(parser, &strings[i]))
      return damaged("its reader stopped");
  *attribute = (struct hdf5_attribute){name, strings, (size_t)count, owner->attributes};
  owner->attributes = attribute;
  return CUSEQ_STATUS_OK;
}

static cuseq_status take_array(struct parser *parser, struct hdf5_node *node) {
  static const size_t sizes[] = {[HDF5_STREAM_OTHER] = 0,
                                 [HDF5_STREAM_F32] = 4,
                                 [HDF5_STREAM_F64] = 8,
                                 [HDF5_STREAM_BF16] = 2,
                                 [HDF5_STREAM_RAW16] = 2};
  uint64_t type, rank;
  if (!take_string(parser, &node->name) || !take_integer(parser, 1, &type) || !take_integer(parser, 1, &rank))
    return damaged("its reader stopped");
  if (type > HDF5_STREAM_RAW16 || rank > HDF5_STREAM_MAX_RANK)
    return damaged("an array has an unknown type");
  node->is_array = 1;
  node->type = (enum hdf5_stream_type)type;
  node->rank = (int32_t)rank;
  uint64_t elements = 1;
  for (uint64_t i = 0; i < rank; i++) {
    uint64_t dim;
    if (!take_integer(parser, 8, &dim))
      return damaged("its reader stopped");
    if (dim > INT64_MAX || (dim != 0 && elements > INT64_MAX / dim))
      return damaged("an array's shape is absurd");
    node->shape[i] = (int64_t)dim;
    elements *= dim;
  }
  if (type != HDF5_STREAM_OTHER && elements > parser->left / sizes[type])
    return damaged("an array is cut short");
  size_t bytes = (size_t)elements * sizes[type];
  node->data = parser->at;
  node->elements = type == HDF5_STREAM_OTHER ? 0 : (size_t)elements;
  parser->at += bytes;
  parser->left -= bytes;
  return CUSEQ_STATUS_OK;
}

/* ---- the tree ------------------------------------------------------------------------------------- */

struct open_group {
  struct hdf5_node *group;
  struct hdf5_node **tail;
};

static cuseq_status add_node(struct parser *parser, struct open_group *open, struct hdf5_node **node) {
  if (++parser->objects > HDF5_STREAM_MAX_OBJECTS)
    return damaged("it has too many objects");
  *node = arena_allocate(&parser->tree->arena, sizeof **node);
  if (*node == NULL)
    return error_out_of_memory();
  (*node)->number = ++parser->nodes;
  *open->tail = *node;
  open->tail = &(*node)->next;
  return CUSEQ_STATUS_OK;
}

static cuseq_status reader_failed(struct parser *parser) {
  struct hdf5_string reason;
  if (!take_string(parser, &reason))
    return damaged("its reader stopped");
  int size = reason.size > 200 ? 200 : (int)reason.size;
  return error_set(CUSEQ_STATUS_INVALID_FILE, "not a readable HDF5 file (%.*s)", size, reason.text);
}

static cuseq_status parse_records(struct parser *parser) {
  struct open_group stack[HDF5_STREAM_MAX_DEPTH + 1];
  int depth = 0;
  stack[0] = (struct open_group){parser->tree->root, &parser->tree->root->first_child};
  struct hdf5_node *owner = parser->tree->root; /* of the attributes that come */
  uint64_t tag;
  while (take_integer(parser, 1, &tag)) {
    struct hdf5_node *node;
    switch (tag) {
    case 'G':
      if (depth >= HDF5_STREAM_MAX_DEPTH)
        return damaged("its groups are nested too deep");
      TRY(add_node(parser, &stack[depth], &node));
      if (!take_string(parser, &node->name))
        return damaged("its reader stopped");
      stack[++depth] = (struct open_group){node, &node->first_child};
      owner = node;
      break;
    case 'E':
      if (depth == 0)
        return damaged("its reader stopped");
      owner = stack[--depth].group;
      break;
    case 'A':
      if (++parser->objects > HDF5_STREAM_MAX_OBJECTS)
        return damaged("it has too many objects");
      TRY(take_attribute(parser, owner));
      break;
    case 'D':
      TRY(add_node(parser, &stack[depth], &node));
      TRY(take_array(parser, node));
      owner = node;
      break;
    case 'X':
      return reader_failed(parser);
    case 'Z':
      return depth == 0 && parser->left == 0 ? CUSEQ_STATUS_OK : damaged("its reader stopped");
    default:
      return damaged("its reader stopped");
    }
  }
  return damaged("its reader stopped");
}

cuseq_status hdf5_tree_parse(const void *stream, size_t size, struct hdf5_tree *tree) {
  *tree = (struct hdf5_tree){0};
  struct parser parser = {.at = stream, .left = size, .tree = tree};
  if (size < HDF5_STREAM_MAGIC_SIZE || memcmp(stream, HDF5_STREAM_MAGIC, HDF5_STREAM_MAGIC_SIZE) != 0)
    return damaged("its reader stopped");
  parser.at += HDF5_STREAM_MAGIC_SIZE;
  parser.left -= HDF5_STREAM_MAGIC_SIZE;
  tree->root = arena_allocate(&tree->arena, sizeof *tree->root);
  if (tree->root == NULL)
    return error_out_of_memory();
  cuseq_status status = parse_records(&parser);
  if (status != CUSEQ_STATUS_OK)
    hdf5_tree_free(tree);
  return status;
}

void hdf5_tree_free(struct hdf5_tree *tree) {
  arena_free(&tree->arena);
  *tree = (struct hdf5_tree){0};
}

const struct hdf5_node *hdf5_find(const struct hdf5_node *group, const char *path, size_t path_size) {
  while (group != NULL && path_size > 0) {
    const char *slash = memchr(path, '/', path_size);
    size_t size = slash != NULL ? (size_t)(slash - path) : path_size;
    if (size > 0) {
      const struct hdf5_node *child = group->is_array ? NULL : group->first_child;
      while (child != NULL && !(child->name.size == size && memcmp(child->name.text, path, size) == 0))
        child = child->next;
      group = child;
    }
    size_t skip = slash != NULL ? size + 1 : size;
    path += skip;
    path_size -= skip;
  }
  return group;
}

const struct hdf5_attribute *hdf5_attribute_find(const struct hdf5_node *node, const char *name) {
  size_t size = strlen(name);
  for (const struct hdf5_attribute *attribute = node->attributes; attribute != NULL;
       attribute = attribute->next)
    if (attribute->name.size == size && memcmp(attribute->name.text, name, size) == 0)
      return attribute;
  return NULL;
}
