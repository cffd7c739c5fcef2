#include "convert/onnx/tensor.h"

#include <stdio.h>

int32_t tensor_rank(const struct tensor *tensor) {
  return tensor_has_axes(tensor) ? tensor->axis_count : tensor->rank;
}

struct dim tensor_dim(const struct tensor *tensor, int32_t at) {
  return tensor_has_axes(tensor) ? tensor->axes[at].size : tensor->dims[at];
}

int32_t tensor_cell_count(const struct tensor *tensor) {
  int64_t count = 1;
  for (int32_t i = 0; i < tensor->axis_count; i++)
    count *= tensor_axis_cells(&tensor->axes[i]);
  return (int32_t)count;
}

int32_t tensor_find_axis(const struct tensor *tensor, enum tensor_axis_kind kind) {
  for (int32_t i = 0; i < tensor->axis_count; i++)
    if (tensor->axes[i].kind == kind)
      return i;
  return -1;
}

bool tensor_insert_single(struct tensor *tensor, int32_t at) {
  int32_t rank = tensor_rank(tensor);
  if (rank >= TENSOR_MAX_AXES || at < 0 || at > rank)
    return false;
  for (int32_t i = rank; i > at; i--) {
    tensor->axes[i] = tensor->axes[i - 1];
    tensor->dims[i] = tensor->dims[i - 1];
  }
  tensor->axes[at] = tensor_single();
  tensor->dims[at] = dim_of(1);
  tensor->axis_count += tensor_has_axes(tensor);
  tensor->rank += !tensor_has_axes(tensor);
  return true;
}

/* In a file that is made for one row, the rows' axis may change places with any other of one entry. */
static void move_rows(struct tensor *tensor, int32_t from) {
  bool one = tensor_has_axes(tensor) && tensor->axes[from].kind == TENSOR_BATCH &&
             dim_is(&tensor->axes[from].size, 1);
  for (int32_t i = 0; one && i < tensor->axis_count; i++)
    if (tensor_is_single(&tensor->axes[i])) {
      tensor->axes[i] = tensor->axes[from];
      tensor->axes[from] = tensor_single();
      return;
    }
}

bool tensor_remove_single(struct tensor *tensor, int32_t at) {
  int32_t rank = tensor_rank(tensor);
  if (at < 0 || at >= rank)
    return false;
  move_rows(tensor, at);
  bool single = tensor_has_axes(tensor) ? tensor_is_single(&tensor->axes[at]) : dim_is(&tensor->dims[at], 1);
  for (int32_t i = at; single && i + 1 < rank; i++) {
    tensor->axes[i] = tensor->axes[i + 1];
    tensor->dims[i] = tensor->dims[i + 1];
  }
  tensor->axis_count -= single && tensor_has_axes(tensor);
  tensor->rank -= single && !tensor_has_axes(tensor);
  return single;
}

static int describe_dim(const struct dim *dim, char *text, size_t capacity) {
  static const char *const powers[] = {"", "batch", "time", "batch x time"};
  int64_t value;
  if (dim_constant(dim, &value))
    return snprintf(text, capacity, "%lld", (long long)value);
  bool named = dim->known && dim->factor == 1 && dim->batch <= 1 && dim->time <= 1 && dim->batch >= 0 &&
               dim->time >= 0;
  return snprintf(text, capacity, "%s", named ? powers[dim->batch + 2 * dim->time] : "?");
}

const char *tensor_describe(const struct tensor *tensor, char *text, size_t capacity) {
  size_t used = 0;
  for (int32_t i = 0; i < tensor_rank(tensor) && used + 2 < capacity; i++) {
    struct dim dim = tensor_dim(tensor, i);
    bool batch = tensor_has_axes(tensor) && tensor->axes[i].kind == TENSOR_BATCH;
    bool time = tensor_has_axes(tensor) &&
                (tensor->axes[i].kind == TENSOR_TIME || tensor->axes[i].kind == TENSOR_TWIN);
    used += (size_t)snprintf(text + used, capacity - used, "%s", i == 0 ? "[" : ", ");
    if (used + 1 >= capacity)
      break;
    if (batch || time)
      used += (size_t)snprintf(text + used, capacity - used, "%s", batch ? "batch" : "time");
    else
      used += (size_t)describe_dim(&dim, text + used, capacity - used);
  }
  if (used + 2 < capacity)
    snprintf(text + used, capacity - used, used == 0 ? "[]" : "]");
  return text;
}
