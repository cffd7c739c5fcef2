/* Models of version 1. */
#include "random.h"
#include "workload.h"

#include <stdio.h>

static void add_direction(struct tensors *tensors, const char *prefix, int64_t inputs, int64_t units) {
  char name[MOST_TENSOR_NAME];
  snprintf(name, sizeof name, "%s.kernel", prefix);
  tensors_add_kernel(tensors, name, inputs, 4 * units);
  snprintf(name, sizeof name, "%s.recurrent_kernel", prefix);
  tensors_add_kernel(tensors, name, units, 4 * units);
  snprintf(name, sizeof name, "%s.bias", prefix);
  tensors_add_bias(tensors, name, 4 * units);
}

static void add_all(struct tensors *tensors, const struct workload *w) {
  const int64_t H = w->H, A = 2 * H, S = w->S > 0 ? w->S : A;
  add_direction(tensors, "encoder.layers.0.forward", w->F, H);
  add_direction(tensors, "encoder.layers.0.backward", w->F, H);
  tensors_add_kernel(tensors, "attention.layers.0.kernel", A + S, w->keys);
  tensors_add_bias(tensors, "attention.layers.0.bias", w->keys);
  if (w->keys > 1) {
    tensors_add_kernel(tensors, "attention.layers.1.kernel", w->keys, 1);
    tensors_add_bias(tensors, "attention.layers.1.bias", 1);
  }
  if (w->Y > 0) {
    add_direction(tensors, "decoder", A, S);
    tensors_add_kernel(tensors, "output.kernel", S, w->V);
    tensors_add_bias(tensors, "output.bias", w->V);
  }
}

cuseq_model *workload_model(const struct workload *w) {
  static struct tensors tensors;
  char json[1024];
  if (w->published)
    return published_model(w);
  int used = snprintf(json, sizeof json, "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d},",
                      (int)w->F, (int)w->H);
  used += snprintf(
      json + used, sizeof json - (size_t)used, "\"attention\":{\"score\":\"concat\",\"layers\":[%s]}",
      w->keys > 1 ? "{\"units\":10,\"activation\":\"tanh\"},{\"units\":1,\"activation\":\"relu\"}"
                  : "{\"units\":1,\"activation\":\"tanh\"}");
  if (w->Y > 0)
    used += snprintf(
        json + used, sizeof json - (size_t)used,
        ",\"decoder\":{\"units\":%d,\"steps\":%d,\"initial_state\":\"zeros\"},\"output\":{\"units\":%d}",
        (int)w->S, (int)w->Y, (int)w->V);
  snprintf(json + used, sizeof json - (size_t)used, "}");
  tensors.count = 0;
  add_all(&tensors, w);
  return tensors_model(&tensors, json);
}
