#include "textbook.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct lstm {
  const float *kernel, *recurrent, *bias; /* [F,4H], [H,4H], [4H]; gates i, f, c, o */
  int inputs, units;
};

struct textbook {
  const struct instance *instance;
  int threads;
  struct lstm directions[2], decoder;
  const float *attention[2], *attention_bias[2], *output, *output_bias;
  float *scratch; /* [threads, scratch_size] */
  size_t scratch_size;
};

static const float *weights(const struct instance *instance, const char *name) {
  cuseq_tensor tensor;
  for (size_t i = 0; i < cuseq_model_tensor_count(instance->model); i++)
    if (cuseq_model_tensor(instance->model, i, &tensor) == CUSEQ_STATUS_OK && strcmp(tensor.name, name) == 0)
      return tensor.data;
  return NULL;
}

struct textbook *textbook_open(const struct instance *instance, int threads) {
  const struct workload *w = instance->workload;
  const int S = w->S > 0 ? w->S : 2 * w->H;
  struct textbook *textbook = calloc(1, sizeof *textbook);
  if (!textbook)
    return NULL;
  textbook->instance = instance;
  textbook->threads = threads;
  textbook->directions[0] = (struct lstm){weights(instance, "encoder.layers.0.forward.kernel"),
                                          weights(instance, "encoder.layers.0.forward.recurrent_kernel"),
                                          weights(instance, "encoder.layers.0.forward.bias"), w->F, w->H};
  textbook->directions[1] = (struct lstm){weights(instance, "encoder.layers.0.backward.kernel"),
                                          weights(instance, "encoder.layers.0.backward.recurrent_kernel"),
                                          weights(instance, "encoder.layers.0.backward.bias"), w->F, w->H};
  textbook->decoder =
      (struct lstm){weights(instance, "decoder.kernel"), weights(instance, "decoder.recurrent_kernel"),
                    weights(instance, "decoder.bias"), 2 * w->H, S};
  textbook->attention[0] = weights(instance, "attention.layers.0.kernel");
  textbook->attention[1] = weights(instance, "attention.layers.1.kernel");
  textbook->attention_bias[0] = weights(instance, "attention.layers.0.bias");
  textbook->attention_bias[1] = weights(instance, "attention.layers.1.bias");
  textbook->output = weights(instance, "output.kernel");
  textbook->output_bias = weights(instance, "output.bias");
  /* z [4 units], h and c [units] of the widest cell, energies [T], context [A] */
  textbook->scratch_size = (size_t)(6 * (S > w->H ? S : w->H) + w->T + 2 * w->H);
  textbook->scratch = malloc((size_t)threads * textbook->scratch_size * sizeof(float));
  if (!textbook->scratch) {
    textbook_close(textbook);
    return NULL;
  }
  return textbook;
}

void textbook_close(struct textbook *textbook) {
  if (textbook)
    free(textbook->scratch);
  free(textbook);
}

static float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

/* y += x[rows] K[rows,columns] */
static void add_product(float *y, const float *x, const float *K, int rows, int columns) {
  for (int k = 0; k < rows; k++)
    for (int j = 0; j < columns; j++)
      y[j] += x[k] * K[k * columns + j];
}

/* One step: h and c [units] become the next ones. x [inputs], or NULL and a one-hot `id`. z [4 units] is
 * scratch. */
static void lstm_step(const struct lstm *cell, const float *x, int id, float *z, float *h, float *c) {
  const int H = cell->units;
  memcpy(z, cell->bias, (size_t)(4 * H) * sizeof *z);
  if (x)
    add_product(z, x, cell->kernel, cell->inputs, 4 * H);
  else
    for (int j = 0; j < 4 * H; j++)
      z[j] += cell->kernel[id * 4 * H + j];
  add_product(z, h, cell->recurrent, H, 4 * H);
  for (int u = 0; u < H; u++) {
    c[u] = sigmoid(z[H + u]) * c[u] + sigmoid(z[u]) * tanhf(z[2 * H + u]);
    h[u] = sigmoid(z[3 * H + u]) * tanhf(c[u]);
  }
}

static void softmax(float *values, int count) {
  float most = values[0], sum = 0.0f;
  for (int i = 1; i < count; i++)
    most = values[i] > most ? values[i] : most;
  for (int i = 0; i < count; i++)
    sum += values[i] = expf(values[i] - most);
  for (int i = 0; i < count; i++)
    values[i] /= sum;
}

/* The context [A] of a state [S] over one row's annotations [T,A]; alphas [T] is scratch. */
static void attend(const struct textbook *textbook, const float *annotations, const float *state, int S,
                   float *alphas, float *context) {
  const struct workload *w = textbook->instance->workload;
  const int A = 2 * w->H, units = w->keys;
  for (int t = 0; t < w->T; t++) {
    float hidden[16];
    memcpy(hidden, textbook->attention_bias[0], (size_t)units * sizeof *hidden);
    add_product(hidden, annotations + (size_t)t * (size_t)A, textbook->attention[0], A, units);
    add_product(hidden, state, textbook->attention[0] + (size_t)A * (size_t)units, S, units);
    for (int u = 0; u < units; u++)
      hidden[u] = tanhf(hidden[u]);
    alphas[t] = hidden[0];
    if (units > 1) {
      alphas[t] = textbook->attention_bias[1][0];
      add_product(&alphas[t], hidden, textbook->attention[1], units, 1);
      alphas[t] = alphas[t] > 0.0f ? alphas[t] : 0.0f;
    }
  }
  softmax(alphas, w->T);
  memset(context, 0, (size_t)A * sizeof *context);
  add_product(context, alphas, annotations, w->T, A);
}

static void run_row(const struct textbook *textbook, size_t b, float *scratch) {
  const struct instance *instance = textbook->instance;
  const struct workload *w = instance->workload;
  const int H = w->H, T = w->T, A = 2 * H, S = w->S > 0 ? w->S : A, widest = S > H ? S : H;
  float *z = scratch, *h = z + 4 * widest, *c = h + widest, *alphas = c + widest, *context = alphas + T;
  float *annotations = instance->annotations + b * (size_t)T * (size_t)A;
  for (int d = 0; d < 2; d++) {
    memset(h, 0, (size_t)H * sizeof *h);
    memset(c, 0, (size_t)H * sizeof *c);
    for (int n = 0; n < T; n++) {
      const size_t t = (size_t)(d == 0 ? n : T - 1 - n), position = b * (size_t)T + t;
      lstm_step(&textbook->directions[d], w->ids ? NULL : instance->x + position * (size_t)w->F,
                w->ids ? instance->ids[position] : 0, z, h, c);
      memcpy(annotations + t * (size_t)A + d * H, h, (size_t)H * sizeof *h);
    }
  }
  if (w->encode_only)
    return;
  if (w->Y == 0) { /* the state that attends: forward's after the last position, backward's after the first */
    memcpy(h, annotations + (size_t)(T - 1) * (size_t)A, (size_t)H * sizeof *h);
    memcpy(h + H, annotations + H, (size_t)H * sizeof *h);
    attend(textbook, annotations, h, S, alphas, instance->contexts + b * (size_t)A);
    return;
  }
  memset(h, 0, (size_t)S * sizeof *h);
  memset(c, 0, (size_t)S * sizeof *c);
  for (int y = 0; y < w->Y; y++) {
    float *output = instance->outputs + (b * (size_t)w->Y + (size_t)y) * (size_t)w->V;
    attend(textbook, annotations, h, S, alphas, context);
    lstm_step(&textbook->decoder, context, 0, z, h, c);
    memcpy(output, textbook->output_bias, (size_t)w->V * sizeof *output);
    add_product(output, h, textbook->output, S, w->V);
    softmax(output, w->V);
  }
}

void textbook_run(struct textbook *textbook) {
  const int B = textbook->instance->workload->B, parts = textbook->threads;
#pragma omp parallel for num_threads(parts) if (parts > 1)
  for (int part = 0; part < parts; part++)
    for (int b = B * part / parts; b < B * (part + 1) / parts; b++)
      run_row(textbook, (size_t)b, textbook->scratch + (size_t)part * textbook->scratch_size);
}
