#include "formats/torch_objects.h"

#include "error.h"

#include <stddef.h>
#include <string.h>

enum global {
  ORDERED_DICT,
  REBUILD_TENSOR,
  REBUILD_TENSOR_V2,
  REBUILD_PARAMETER,
  REBUILD_PARAMETER_WITH_STATE,
  SIZE,
  DEVICE,
};

/* Storages by their classes, each of a type of elements. */
static const struct storage_class {
  const char *name, *dtype_name;
  int dtype;
  size_t item;
} classes[] = {
    {"FloatStorage", "F32", CUSEQ_DTYPE_F32, 4},
    {"DoubleStorage", "F64", CUSEQ_DTYPE_F64, 8},
    {"HalfStorage", "F16", CUSEQ_DTYPE_F16, 2},
    {"BFloat16Storage", "BF16", CUSEQ_DTYPE_BF16, 2},
    {"LongStorage", "I64", CUSEQ_DTYPE_I64, 8},
    {"IntStorage", "I32", CUSEQ_DTYPE_I32, 4},
    {"ShortStorage", "I16", -1, 2},
    {"CharStorage", "I8", -1, 1},
    {"ByteStorage", "U8", -1, 1},
    {"BoolStorage", "BOOL", -1, 1},
    {"ComplexFloatStorage", "C64", -1, 8},
};
enum { CLASSES = sizeof classes / sizeof *classes };

static const struct pickle_global globals[] = {
    [ORDERED_DICT] = {"collections", "OrderedDict"},
    [REBUILD_TENSOR] = {"torch._utils", "_rebuild_tensor"},
    [REBUILD_TENSOR_V2] = {"torch._utils", "_rebuild_tensor_v2"},
    [REBUILD_PARAMETER] = {"torch._utils", "_rebuild_parameter"},
    [REBUILD_PARAMETER_WITH_STATE] = {"torch._utils", "_rebuild_parameter_with_state"},
    [SIZE] = {"torch", "Size"},
    [DEVICE] = {"torch", "device"},
    {"torch", "float32"}, /* types among a checkpoint's settings, of no use */
    {"torch", "float64"},
    {"torch", "float16"},
    {"torch", "bfloat16"},
    {"torch", "int64"},
    {"torch", "int32"},
    {"torch", "FloatStorage"}, /* `classes`, in their order */
    {"torch", "DoubleStorage"},
    {"torch", "HalfStorage"},
    {"torch", "BFloat16Storage"},
    {"torch", "LongStorage"},
    {"torch", "IntStorage"},
    {"torch", "ShortStorage"},
    {"torch", "CharStorage"},
    {"torch", "ByteStorage"},
    {"torch", "BoolStorage"},
    {"torch", "ComplexFloatStorage"},
    {NULL, NULL},
};
enum { FIRST_CLASS = sizeof globals / sizeof *globals - 1 - CLASSES };

static cuseq_status damaged(const char *reason) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "data.pkl: not a readable state_dict (%s)", reason);
}

/* ---- tensors -------------------------------------------------------------------------------------- */

static bool is_integers(const struct pickle_value *value) {
  bool all = value->kind == PICKLE_TUPLE && value->count <= NAMED_ARRAY_MAX_RANK;
  for (size_t i = 0; all && i < value->count; i++)
    all = value->items[i]->kind == PICKLE_INT && value->items[i]->integer >= 0;
  return all;
}

/* How far a tensor reaches, and that it does not reach beyond its storage nor repeats elements of it. */
static cuseq_status measure(struct torch_object *tensor) {
  const struct named_array *array = &tensor->array;
  uint64_t last = 0, elements = 1, reach;
  bool overflow = false;
  for (int32_t axis = 0; axis < array->rank; axis++) {
    uint64_t size = (uint64_t)array->shape[axis], step;
    overflow = overflow || __builtin_mul_overflow(elements, size, &elements);
    if (size > 0)
      overflow = overflow || __builtin_mul_overflow(size - 1, (uint64_t)array->strides[axis], &step) ||
                 __builtin_add_overflow(last, step, &last);
  }
  tensor->extent = elements > 0 ? last + 1 : 0;
  overflow = overflow || __builtin_add_overflow(tensor->offset, tensor->extent, &reach);
  if (overflow || reach > tensor->storage.elements)
    return damaged("a tensor reaches beyond its storage");
  if (elements > tensor->storage.elements)
    return damaged("a tensor repeats elements of its storage: save it contiguous");
  return CUSEQ_STATUS_OK;
}

/* (storage, offset, size, strides, ...) */
static cuseq_status make_tensor(struct arena *arena, const struct pickle_value *arguments,
                                struct pickle_value *result) {
  const struct torch_object *storage = arguments->count >= 4 && arguments->items[0]->kind == PICKLE_OBJECT
                                           ? arguments->items[0]->object
                                           : NULL;
  if (storage == NULL || storage->is_tensor || arguments->items[1]->kind != PICKLE_INT ||
      arguments->items[1]->integer < 0)
    return damaged("a tensor without a storage");
  const struct pickle_value *shape = arguments->items[2], *strides = arguments->items[3];
  if (!is_integers(shape) || !is_integers(strides) || shape->count != strides->count)
    return damaged("a tensor whose shape is none");
  struct torch_object *tensor = arena_allocate(arena, sizeof *tensor);
  if (tensor == NULL)
    return error_out_of_memory();
  *tensor = *storage;
  tensor->is_tensor = true;
  tensor->offset = (uint64_t)arguments->items[1]->integer;
  tensor->array = (struct named_array){.dtype_name = storage->storage.dtype_name,
                                       .dtype = storage->storage.dtype,
                                       .rank = (int32_t)shape->count};
  for (size_t axis = 0; axis < shape->count; axis++) {
    tensor->array.shape[axis] = shape->items[axis]->integer;
    tensor->array.strides[axis] = strides->items[axis]->integer;
  }
  result->kind = PICKLE_OBJECT;
  result->object = tensor;
  return measure(tensor);
}

/* A parameter is the tensor that it has. */
static cuseq_status make_parameter(const struct pickle_value *arguments, struct pickle_value *result) {
  if (arguments->count < 1 || arguments->items[0]->kind != PICKLE_OBJECT)
    return damaged("a parameter without a tensor");
  *result = *arguments->items[0];
  return CUSEQ_STATUS_OK;
}

static cuseq_status call(void *context, int global, const struct pickle_value *arguments,
                         struct pickle_value *result) {
  switch (global) {
  case ORDERED_DICT: /* empty: its items are set behind it */
    result->kind = PICKLE_DICT;
    return arguments->count == 0 ? CUSEQ_STATUS_OK : damaged("an OrderedDict made of something");
  case REBUILD_TENSOR:
  case REBUILD_TENSOR_V2:
    return make_tensor(context, arguments, result);
  case REBUILD_PARAMETER:
  case REBUILD_PARAMETER_WITH_STATE:
    return make_parameter(arguments, result);
  case SIZE:
    if (arguments->count != 1 || !is_integers(arguments->items[0]))
      return damaged("a torch.Size that is none");
    *result = *arguments->items[0];
    return CUSEQ_STATUS_OK;
  case DEVICE:
    return CUSEQ_STATUS_OK; /* stays of no use */
  default:
    return damaged("a call of a type");
  }
}

/* ---- storages ------------------------------------------------------------------------------------- */

/* ("storage", class, key, device, elements) */
static cuseq_status make_storage(void *context, const struct pickle_value *id, struct pickle_value *result) {
  bool fits = id->kind == PICKLE_TUPLE && id->count == 5 && id->items[0]->kind == PICKLE_TEXT &&
              strcmp(id->items[0]->text, "storage") == 0 && id->items[1]->kind == PICKLE_GLOBAL &&
              id->items[1]->integer >= FIRST_CLASS && id->items[2]->kind == PICKLE_TEXT &&
              id->items[4]->kind == PICKLE_INT && id->items[4]->integer >= 0;
  if (!fits)
    return damaged("a persistent id that is no storage");
  const struct storage_class *class = &classes[id->items[1]->integer - FIRST_CLASS];
  struct torch_object *object = arena_allocate(context, sizeof *object);
  if (object == NULL)
    return error_out_of_memory();
  object->storage = (struct torch_storage){.key = id->items[2]->text,
                                           .dtype_name = class->dtype_name,
                                           .dtype = class->dtype,
                                           .item = class->item,
                                           .elements = (uint64_t)id->items[4]->integer};
  result->kind = PICKLE_OBJECT;
  result->object = object;
  return CUSEQ_STATUS_OK;
}

struct pickle_reader torch_reader(struct arena *arena) {
  return (struct pickle_reader){.globals = globals,
                                .place = "data.pkl",
                                .purpose = "a state_dict",
                                .context = arena,
                                .call = call,
                                .persistent = make_storage};
}
