#include "convert/onnx/evaluate.h"

#include "error.h"

#include <string.h>

/* ONNX's numbers for types of attributes; files of old exporters leave the type out. */
enum { TYPE_NONE = 0, TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_STRING = 3, TYPE_INTS = 7 };

const OnnxFile__Attribute *attribute_find(const struct node_call *call, const char *name) {
  for (size_t i = 0; i < call->node->n_attribute; i++)
    if (call->node->attribute[i]->name != NULL && strcmp(call->node->attribute[i]->name, name) == 0)
      return call->node->attribute[i];
  return NULL;
}

static cuseq_status wrong_type(const struct node_call *call, const char *name) {
  return call_refuse(call, "its attribute %s is of another type than ONNX says", name);
}

cuseq_status attribute_integer(const struct node_call *call, const char *name, int64_t absent,
                               int64_t *value) {
  const OnnxFile__Attribute *attribute = attribute_find(call, name);
  *value = absent;
  if (attribute == NULL)
    return CUSEQ_STATUS_OK;
  if (!attribute->has_i || (attribute->type != TYPE_INT && attribute->type != TYPE_NONE))
    return wrong_type(call, name);
  *value = attribute->i;
  return CUSEQ_STATUS_OK;
}

cuseq_status attribute_float(const struct node_call *call, const char *name, double absent, double *value) {
  const OnnxFile__Attribute *attribute = attribute_find(call, name);
  *value = absent;
  if (attribute == NULL)
    return CUSEQ_STATUS_OK;
  if (!attribute->has_f || (attribute->type != TYPE_FLOAT && attribute->type != TYPE_NONE))
    return wrong_type(call, name);
  *value = (double)attribute->f;
  return CUSEQ_STATUS_OK;
}

cuseq_status attribute_text(struct evaluator *evaluator, const struct node_call *call, const char *name,
                            const char **text) {
  const OnnxFile__Attribute *attribute = attribute_find(call, name);
  *text = NULL;
  if (attribute == NULL)
    return CUSEQ_STATUS_OK;
  if (!attribute->has_s || (attribute->type != TYPE_STRING && attribute->type != TYPE_NONE))
    return wrong_type(call, name);
  *text = arena_copy(evaluator->arena, (const char *)attribute->s.data, attribute->s.len);
  return *text != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

/* Whether `name` is one of the words of `known`. */
static bool is_word(const char *known, const char *name) {
  size_t length = strlen(name);
  for (const char *at = known; *at != '\0';) {
    size_t word = strcspn(at, " ");
    if (word == length && memcmp(at, name, length) == 0)
      return true;
    at += word + strspn(at + word, " ");
  }
  return false;
}

cuseq_status attributes_check(const struct node_call *call, const char *known) {
  for (size_t i = 0; i < call->node->n_attribute; i++) {
    const char *name = call->node->attribute[i]->name;
    if (call->node->attribute[i]->ref_attr_name != NULL && call->node->attribute[i]->ref_attr_name[0] != '\0')
      return call_refuse(call, "its attribute %.60s is a function's", name != NULL ? name : "");
    if (name == NULL || !is_word(known, name))
      return call_refuse(call, "its attribute %.60s is not known", name != NULL ? name : "");
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status tensor_constants(struct evaluator *evaluator, const struct node_call *call,
                              const struct tensor *tensor, const int64_t **values, int32_t *count) {
  int64_t *list;
  size_t total = 1;
  bool integers = tensor->kind == TENSOR_INTEGERS || (tensor->kind == TENSOR_FILL && tensor->integer);
  for (int32_t i = 0; integers && i < tensor->rank; i++)
    integers = tensor->dims[i].known && tensor->dims[i].batch == 0 && tensor->dims[i].time == 0 &&
               tensor->dims[i].factor >= 0 && tensor->dims[i].factor <= TENSOR_MAX_INTEGERS &&
               (total *= (size_t)tensor->dims[i].factor) <= TENSOR_MAX_INTEGERS;
  if (!integers)
    return call_refuse(call, "its axes, sizes or indices are no constants");
  list = arena_allocate(evaluator->arena, (total + 1) * sizeof *list);
  if (list == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < total; i++) {
    list[i] = (int64_t)tensor->fill;
    if (tensor->kind == TENSOR_INTEGERS && !dim_constant(&tensor->integers[i], &list[i]))
      return call_refuse(call, "its axes, sizes or indices depend on how many rows or positions there are");
  }
  *values = list;
  *count = (int32_t)total;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_integers(struct evaluator *evaluator, const struct node_call *call, size_t input,
                           const char *attribute, int64_t since, const int64_t **values, int32_t *count) {
  *count = -1;
  *values = NULL;
  const struct tensor *tensor = node_input(call, input);
  if (evaluator->opset >= since)
    return tensor->kind == TENSOR_NONE ? CUSEQ_STATUS_OK
                                       : tensor_constants(evaluator, call, tensor, values, count);
  const OnnxFile__Attribute *found = attribute_find(call, attribute);
  if (found == NULL)
    return CUSEQ_STATUS_OK;
  if ((found->type != TYPE_INTS && found->type != TYPE_NONE) || found->n_ints > TENSOR_MAX_INTEGERS)
    return wrong_type(call, attribute);
  int64_t *list = arena_allocate(evaluator->arena, (found->n_ints + 1) * sizeof *list);
  if (list == NULL)
    return error_out_of_memory();
  for (size_t i = 0; i < found->n_ints; i++)
    list[i] = found->ints[i];
  *values = list;
  *count = (int32_t)found->n_ints;
  return CUSEQ_STATUS_OK;
}

cuseq_status node_axis(const struct node_call *call, int64_t axis, int32_t rank, int32_t *at) {
  int64_t counted = axis < 0 ? axis + rank : axis;
  *at = (int32_t)counted;
  if (counted < 0 || counted >= rank)
    return call_refuse(call, "its axis %lld is none of what it is given, which has %d", (long long)axis,
                       rank);
  return CUSEQ_STATUS_OK;
}
