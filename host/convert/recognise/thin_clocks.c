/* How the clocks of a graph that gives one position for several are to each other. */
#include "convert/recognise/thin_parts.h"
#include "error.h"

cuseq_status thin_refuse(const struct thinning *thinning, const struct graph_node *node) {
  return node_refuse(thinning->node,
                     "it gives fewer positions than it reads, which cuseq cannot express with '%.100s' "
                     "(needed: poolings and strides in front of all recurrent layers, behind them none)",
                     node->name);
}

static int32_t root_of(const struct expressions *expressions, int32_t clock) {
  while (expressions->clocks[clock].of >= 0)
    clock = expressions->clocks[clock].of;
  return clock;
}

static int64_t strides_to(const struct expressions *expressions, int32_t clock) {
  int64_t strides = 1;
  for (; expressions->clocks[clock].of >= 0; clock = expressions->clocks[clock].of)
    if (expressions->clocks[clock].stride > 0 && strides <= THIN_MOST_STRIDE)
      strides *= expressions->clocks[clock].stride;
  return strides;
}

int64_t thin_floor(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

cuseq_status thin_measure(struct thinning *thinning) {
  const struct expressions *expressions = thinning->expressions;
  int64_t most = 1;
  thinning->base = -1;
  for (int32_t c = 0; c < expressions->clock_count; c++) {
    const int64_t strides = strides_to(expressions, c);
    if (strides <= most)
      continue;
    most = strides;
    thinning->base = root_of(expressions, c);
    thinning->node = expressions->clocks[c].node;
  }
  if (thinning->base < 0)
    return CUSEQ_STATUS_OK;
  if (most > THIN_MOST_STRIDE)
    return node_refuse(thinning->node, "it gives a position for %lld that it reads (at most %d)",
                       (long long)most, THIN_MOST_STRIDE);
  thinning->stride = (int32_t)most;
  const int64_t time = expressions->clocks[thinning->base].length;
  const int64_t blocks = time < 0 ? 0 : (time + most - 1) / most;
  for (int32_t c = 0; c < expressions->clock_count; c++) {
    const struct clock *clock = &expressions->clocks[c];
    const int64_t strides = strides_to(expressions, c);
    if (root_of(expressions, c) != thinning->base || most % strides != 0)
      continue;
    thinning->rate[c] = (int32_t)(most / strides);
    if (clock->length >= 0)
      thinning->gap[c] = thinning->rate[c] * blocks - clock->length;
    else if (clock->stride > 0)
      thinning->gap[c] = -(thin_floor(-thinning->gap[clock->of] - clock->reach, clock->stride) + 1);
    else if (clock->of >= 0) /* a cut of a cut one says all that it has not of the first */
      thinning->gap[c] = thinning->gap[clock->of] + clock->cut - expressions->clocks[clock->of].cut;
  }
  return CUSEQ_STATUS_OK;
}
