/* How cuDNN wants a batch to lie in memory. */
#include "cudnn_net.h"

#include <stdlib.h>
#include <string.h>

bool cudnn_layout_make(struct cudnn_layout *layout, const struct instance *instance, bool is_packed) {
  const int32_t B = instance->workload.B, T = instance->workload.T;
  *layout = (struct cudnn_layout){.is_packed = is_packed, .B = B, .T = T};
  layout->lengths = malloc((size_t)B * sizeof *layout->lengths);
  layout->order = malloc((size_t)B * sizeof *layout->order);
  layout->starts = malloc((size_t)T * sizeof *layout->starts);
  if (!layout->lengths || !layout->order || !layout->starts) {
    cudnn_layout_free(layout);
    return false;
  }
  int32_t placed = 0;
  for (int32_t b = 0; b < B; b++) {
    layout->lengths[b] = instance->lengths ? instance->lengths[b] : T;
    layout->order[b] = b;
  }
  for (int32_t length = T; is_packed && length > 0; length--) /* the longest first */
    for (int32_t b = 0; b < B; b++)
      if (layout->lengths[b] == length)
        layout->order[placed++] = b;
  for (int32_t t = 0; t < T; t++) {
    layout->starts[t] = layout->vectors;
    for (int32_t b = 0; b < B; b++)
      layout->vectors += !is_packed || layout->lengths[b] > t;
  }
  return true;
}

void cudnn_layout_free(struct cudnn_layout *layout) {
  free(layout->lengths);
  free(layout->order);
  free(layout->starts);
  *layout = (struct cudnn_layout){0};
}

void cudnn_layout_input(const struct cudnn_layout *layout, const struct instance *instance, float *x) {
  const int32_t T = layout->T, F = instance->workload.F;
  memset(x, 0, (size_t)layout->vectors * (size_t)F * sizeof *x);
  for (int32_t place = 0; place < layout->B; place++) {
    const int32_t b = layout->order[place];
    for (int32_t t = 0; t < layout->lengths[b]; t++) {
      float *to = x + (layout->starts[t] + place) * F;
      const int64_t from = (int64_t)b * T + t;
      if (instance->ids)
        to[instance->ids[from]] = 1.0f;
      else
        memcpy(to, instance->x + from * F, (size_t)F * sizeof *to);
    }
  }
}

void cudnn_layout_output(const struct cudnn_layout *layout, const float *y, int32_t width,
                         float *annotations) {
  const size_t bytes = (size_t)width * sizeof *y;
  for (int32_t place = 0; place < layout->B; place++) {
    const int32_t b = layout->order[place];
    for (int32_t t = 0; t < layout->T; t++) {
      float *to = annotations + ((int64_t)b * layout->T + t) * width;
      if (t < layout->lengths[b])
        memcpy(to, y + (layout->starts[t] + place) * width, bytes);
      else
        memset(to, 0, bytes);
    }
  }
}
