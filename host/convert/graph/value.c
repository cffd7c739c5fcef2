#include "convert/graph/value.h"
#include "convert/graph/self_attention.h"
#include "error.h"

#include <stdio.h>
#include <string.h>

static int32_t width_of(const struct expressions *expressions, const struct value *value) {
  return expression_at(expressions, value->expression)->width;
}

static bool is_single(const struct axis *axis) {
  return axis->kind == AXIS_REPEAT && axis->size == 1;
}

bool value_has_axes(const struct expressions *expressions, const struct value *value, const char *axes) {
  if (value->axis_count != (int32_t)strlen(axes))
    return false;
  for (int32_t i = 0; i < value->axis_count; i++) {
    const struct axis *axis = &value->axes[i];
    bool fits = false;
    switch (axes[i]) {
    case 'B':
      fits = axis->kind == AXIS_BATCH;
      break;
    case 'T':
      fits = axis->kind == AXIS_TIME;
      break;
    case 'F':
      fits = value_is_feature_axis(expressions, value, i);
      break;
    case '1':
      fits = is_single(axis);
      break;
    case 'S':
      fits = axis->kind == AXIS_STEP;
      break;
    }
    if (!fits)
      return false;
  }
  return true;
}

const char *value_describe(const struct expressions *expressions, const struct value *value, char *text,
                           size_t capacity) {
  size_t used = 0;
  text[0] = '\0';
  for (int32_t i = 0; i < value->axis_count; i++) {
    const struct axis *axis = &value->axes[i];
    const char *before = i == 0 ? "[" : ", ";
    int more;
    if (axis->kind == AXIS_BATCH)
      more = snprintf(text + used, capacity - used, "%sbatch", before);
    else if (axis->kind == AXIS_TIME)
      more = snprintf(text + used, capacity - used, "%stime", before);
    else if (axis->kind == AXIS_STEP)
      more = snprintf(text + used, capacity - used, "%ssteps", before);
    else if (axis->kind == AXIS_FEATURE)
      more = snprintf(text + used, capacity - used, "%s%d", before, width_of(expressions, value));
    else
      more = snprintf(text + used, capacity - used, "%s%lld", before, (long long)axis->size);
    if (more < 0 || (size_t)more >= capacity - used)
      return text;
    used += (size_t)more;
  }
  snprintf(text + used, capacity - used, "]");
  return text;
}

bool value_is_feature_axis(const struct expressions *expressions, const struct value *value, int32_t at) {
  if (at < 0 || at >= value->axis_count)
    return false;
  return value->axes[at].kind == AXIS_FEATURE ||
         (is_single(&value->axes[at]) && width_of(expressions, value) == 1);
}

int32_t value_axis(const struct value *value, int64_t axis) {
  if (axis < 0)
    axis += value->axis_count;
  return axis < 0 || axis >= value->axis_count ? -1 : (int32_t)axis;
}

bool value_insert_axis(struct value *value, int32_t at, struct axis axis) {
  if (value->axis_count >= VALUE_MAX_AXES)
    return false;
  for (int32_t i = value->axis_count; i > at; i--)
    value->axes[i] = value->axes[i - 1];
  value->axes[at] = axis;
  value->axis_count++;
  return true;
}

void value_remove_axis(struct value *value, int32_t at) {
  for (int32_t i = at; i + 1 < value->axis_count; i++)
    value->axes[i] = value->axes[i + 1];
  value->axis_count--;
}

/* ---- broadcasting --------------------------------------------------------------------------------- */

/* One axis of two values together; false where they do not fit. A repeated vector may meet the encoder's
 * positions, and a single number any axis. */
static bool join_axes(const struct axis *a, const struct axis *b, struct axis *joined) {
  if (a->kind == AXIS_REPEAT && b->kind != AXIS_REPEAT) {
    const struct axis *swap = a;
    a = b;
    b = swap;
  }
  *joined = *a;
  if (b->kind == AXIS_REPEAT) {
    if (a->kind == AXIS_BATCH)
      return false;
    if (a->kind == AXIS_REPEAT && a->size == 1)
      *joined = *b;
    return b->size == 1 || b->size == a->size || (a->kind == AXIS_REPEAT && a->size == 1);
  }
  return a->kind == b->kind && a->clock == b->clock &&
         (a->kind == AXIS_BATCH || a->size == b->size || a->size < 0 || b->size < 0);
}

cuseq_status value_broadcast(const struct expressions *expressions, const struct graph_node *node,
                             const struct value *first, const struct value *second, struct value *result) {
  char left[128], right[128];
  bool fits = first->axis_count == second->axis_count;
  int features = 0;
  uint32_t clocks = 0;
  *result = *first;
  for (int32_t i = 0; fits && i < first->axis_count; i++) {
    fits = join_axes(&first->axes[i], &second->axes[i], &result->axes[i]);
    features += result->axes[i].kind == AXIS_FEATURE;
    uint32_t clock = result->axes[i].kind == AXIS_TIME ? (uint32_t)1 << result->axes[i].clock : 0;
    fits = fits && (clocks & clock) == 0;
    clocks |= clock;
  }
  for (int32_t i = 0; i < first->axis_count && i < second->axis_count; i++) {
    const struct axis *a = &first->axes[i], *b = &second->axes[i];
    if (a->kind == AXIS_TIME && b->kind == AXIS_TIME && a->clock != b->clock)
      return node_refuse(node, "it joins two sequences, '%.80s' and '%.80s', position by position",
                         expressions->clocks[a->clock].node->name, expressions->clocks[b->clock].node->name);
  }
  int32_t w1 = width_of(expressions, first), w2 = width_of(expressions, second);
  if (!fits || features > 1 || (w1 != w2 && w1 != 1 && w2 != 1))
    return node_refuse(node, "it joins %s and %s, which cuseq cannot express",
                       value_describe(expressions, first, left, sizeof left),
                       value_describe(expressions, second, right, sizeof right));
  result->mask = first->mask != NULL ? first->mask : second->mask;
  return CUSEQ_STATUS_OK;
}

/* ---- pairs of positions --------------------------------------------------------------------------- */

/* The axis of a clock's positions, or of those of its twin; -1: none. */
static int32_t axis_of_clock(const struct expressions *expressions, const struct value *value, int32_t clock,
                             bool twin) {
  for (int32_t i = 0; i < value->axis_count; i++) {
    const struct axis *axis = &value->axes[i];
    if (axis->kind == AXIS_TIME && (twin ? expressions->clocks[axis->clock].twin : axis->clock) == clock)
      return i;
  }
  return -1;
}

cuseq_status value_twin(struct expressions *expressions, const struct graph_node *node, int32_t axis,
                        struct value *value) {
  int32_t twin;
  TRY(clock_twin(expressions, value->axes[axis].clock, &twin));
  value->axes[axis].clock = twin;
  return expression_twin(expressions, value->expression, twin, node, &value->expression);
}

cuseq_status value_untwin(struct expressions *expressions, struct value *value) {
  for (int32_t i = 0; i < value->axis_count; i++) {
    struct axis *axis = &value->axes[i];
    const int32_t twin = axis->clock;
    if (axis->kind != AXIS_TIME || expressions->clocks[twin].twin < 0 ||
        expression_at(expressions, value->expression)->clocks != (uint32_t)1 << twin)
      continue;
    axis->clock = expressions->clocks[twin].twin;
    return expression_untwin(expressions, value->expression, twin, &value->expression);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status value_pair(struct expressions *expressions, const struct graph_node *node, struct value *first,
                        struct value *second) {
  for (int32_t c = 0; c < expressions->clock_count; c++) {
    const int32_t a = axis_of_clock(expressions, first, c, false);
    const int32_t b = axis_of_clock(expressions, second, c, false);
    const int32_t of_first = axis_of_clock(expressions, first, c, true);
    const int32_t of_second = axis_of_clock(expressions, second, c, true);
    if (a < 0 || b < 0 || a == b)
      continue;
    if (of_first < 0 && of_second < 0)
      return value_twin(expressions, node, a > b ? a : b, a > b ? first : second);
    if (of_second < 0 && of_first == b)
      return value_twin(expressions, node, b, second);
    if (of_first < 0 && of_second == a)
      return value_twin(expressions, node, a, first);
  }
  return CUSEQ_STATUS_OK;
}

/* ---- positions of two inputs ---------------------------------------------------------------------- */

static bool is_given(const struct clock *clock) {
  return clock->of < 0 && clock->twin < 0 && !clock->repeats;
}

cuseq_status value_align(struct expressions *expressions, const struct graph_node *node,
                         const struct value *to, struct value *value) {
  const struct expression *e = expression_at(expressions, value->expression);
  for (int32_t i = 0; i < to->axis_count && i < value->axis_count; i++) {
    const struct axis *given = &to->axes[i];
    struct axis *axis = &value->axes[i];
    if (given->kind != AXIS_TIME || axis->kind != AXIS_TIME || given->clock == axis->clock)
      continue;
    const struct clock *a = &expressions->clocks[given->clock], *b = &expressions->clocks[axis->clock];
    const bool fits = a->length == b->length || a->length < 0 || b->length < 0;
    if (!is_given(a) || !is_given(b) || !fits || e->clocks != (uint32_t)1 << axis->clock)
      continue;
    struct expression made = {.op = EXPRESSION_ALIGN,
                              .clock = given->clock,
                              .index = axis->clock,
                              .matrix = -1,
                              .bias = -1,
                              .node = node,
                              .child_count = 1,
                              .children = &value->expression};
    axis->clock = given->clock;
    return expression_make(expressions, &made, &value->expression);
  }
  return CUSEQ_STATUS_OK;
}

/* ---- reshaping ------------------------------------------------------------------------------------ */

cuseq_status value_reshape(const struct expressions *expressions, const struct graph_node *node,
                           const struct value *value, const int64_t *shape, int32_t count,
                           struct value *result) {
  char text[128];
  int32_t next = 1; /* the axis of `value` that is to be placed */
  struct value made = {.expression = value->expression, .axis_count = 1, .axes = {{AXIS_BATCH, -1, 0}}};
  bool fits = value->axis_count > 0 && value->axes[0].kind == AXIS_BATCH && count < VALUE_MAX_AXES;
  for (int32_t i = 0; fits && i < count; i++) {
    while (next < value->axis_count && is_single(&value->axes[next]))
      next++;
    struct axis single = {AXIS_REPEAT, 1, 0};
    bool places = next < value->axis_count;
    int64_t size = !places                                  ? 1
                   : value->axes[next].kind == AXIS_FEATURE ? width_of(expressions, value)
                                                            : value->axes[next].size;
    if (places && (size == shape[i] || shape[i] == -1))
      made.axes[made.axis_count++] = value->axes[next++];
    else if (shape[i] == 1 || (shape[i] == -1 && !places))
      made.axes[made.axis_count++] = single;
    else
      fits = false;
  }
  while (next < value->axis_count && is_single(&value->axes[next]))
    next++;
  if (!fits || next < value->axis_count)
    return node_refuse(node, "it takes %s apart or mixes its axes, which cuseq cannot express",
                       value_describe(expressions, value, text, sizeof text));
  *result = made;
  return CUSEQ_STATUS_OK;
}
