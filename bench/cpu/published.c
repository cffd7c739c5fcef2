/* Models of version 2 with the structures of published ones: their configurations, tensors and
 * multiply-adds. */
#include "random.h"
#include "workload.h"

#include <stdio.h>

static int gates_of(const struct published *p) {
  return p->gru ? 3 : 4;
}

/* ---- the configuration ---- */

struct text {
  char json[4096];
  size_t used;
};

#define WRITE(text, ...)                                                                                     \
  ((text)->used +=                                                                                           \
   (size_t)snprintf((text)->json + (text)->used, sizeof(text)->json - (text)->used, __VA_ARGS__))

static void write_cell(struct text *text, const struct published *p, int32_t units) {
  WRITE(text, "\"cell\":{\"kind\":\"%s\",\"units\":%d}", p->gru ? "gru" : "lstm", (int)units);
}

static void write_encoder(struct text *text, const struct workload *w) {
  const struct published *p = w->published;
  WRITE(text, "{\"version\":2,\"input\":{\"features\":%d", (int)w->F);
  if (p->embedding > 0)
    WRITE(text, ",\"embedding\":%d", (int)p->embedding);
  WRITE(text, "},\"encoder\":{\"layers\":[");
  for (int32_t l = 0; l < p->layers; l++) {
    WRITE(text, "%s{", l > 0 ? "," : "");
    write_cell(text, p, w->H);
    WRITE(text, ",\"direction\":\"%s\"}", p->forward ? "forward" : "bidirectional");
  }
  WRITE(text, "]}");
}

static void write_attention(struct text *text, const struct workload *w) {
  if (w->published->decoder == DECODER_BAHDANAU)
    WRITE(text, ",\"attention\":{\"score\":\"additive\",\"units\":%d,\"bias\":true}", (int)w->S);
  else
    WRITE(text, ",\"attention\":{\"score\":\"general\",\"asks\":\"current\"}");
}

/* A layer begins with the final states of the encoder's layer of the same number. */
static void write_decoder(struct text *text, const struct workload *w) {
  const struct published *p = w->published;
  const bool luong = p->decoder == DECODER_LUONG;
  WRITE(text,
        ",\"decoder\":{\"reads\":[\"token\"%s],\"embedding\":%d,\"feedback\":\"output\",\"start_token\":0",
        p->feeds ? ",\"attentional\""
        : luong  ? ""
                 : ",\"context\"",
        (int)p->embedding);
  WRITE(text, ",\"steps\":%d,\"layers\":[", (int)w->Y);
  for (int32_t l = 0; l < p->decoder_layers; l++) {
    WRITE(text, "%s{", l > 0 ? "," : "");
    write_cell(text, p, w->S);
    WRITE(text, ",\"initial_h\":{\"layer\":%d}", (int)l);
    if (!p->gru)
      WRITE(text, ",\"initial_c\":{\"layer\":%d}", (int)l);
    WRITE(text, "}");
  }
  WRITE(text, "]");
  if (luong)
    WRITE(text,
          ",\"attentional\":{\"parts\":[\"context\",\"state\"],\"units\":%d,\"activation\":\"tanh\",\"bias\":"
          "false}",
          (int)w->S);
  WRITE(text, "},\"output\":{\"parts\":[\"%s\"],\"layers\":[{\"units\":%d,\"activation\":\"softmax\"}]}",
        luong ? "attentional" : "state", (int)w->V);
}

/* ---- the tensors ---- */

static void add_cell(struct tensors *tensors, const struct published *p, const char *prefix, int64_t inputs,
                     int64_t units) {
  char name[MOST_TENSOR_NAME];
  const int64_t width = gates_of(p) * units;
  snprintf(name, sizeof name, "%s.kernel", prefix);
  tensors_add_kernel(tensors, name, inputs, width);
  snprintf(name, sizeof name, "%s.recurrent_kernel", prefix);
  tensors_add_kernel(tensors, name, units, width);
  snprintf(name, sizeof name, "%s.bias", prefix);
  tensors_add_bias(tensors, name, width);
  if (!p->gru)
    return;
  snprintf(name, sizeof name, "%s.recurrent_bias", prefix);
  tensors_add_bias(tensors, name, width);
}

static void add_encoder(struct tensors *tensors, const struct workload *w) {
  const struct published *p = w->published;
  char name[MOST_TENSOR_NAME];
  if (p->embedding > 0)
    tensors_add(tensors, "input.embedding", w->F, p->embedding, 1.0f);
  for (int32_t l = 0; l < p->layers; l++)
    for (int d = 0; d < (p->forward ? 1 : 2); d++) {
      snprintf(name, sizeof name, "encoder.layers.%d.%s", (int)l, d == 0 ? "forward" : "backward");
      add_cell(tensors, p, name,
               l > 0              ? workload_annotations(w)
               : p->embedding > 0 ? p->embedding
                                  : w->F,
               w->H);
    }
}

static void add_decoder(struct tensors *tensors, const struct workload *w) {
  const struct published *p = w->published;
  const int64_t A = workload_annotations(w), S = w->S;
  char name[MOST_TENSOR_NAME];
  if (p->decoder == DECODER_BAHDANAU) {
    tensors_add_kernel(tensors, "attention.key", A, S);
    tensors_add_kernel(tensors, "attention.query", S, S);
    tensors_add_bias(tensors, "attention.bias", S);
    tensors_add(tensors, "attention.value", 0, S, 0.5f);
  } else {
    tensors_add_kernel(tensors, "attention.general", A, S);
    tensors_add_kernel(tensors, "decoder.attentional.kernel", A + S, S);
  }
  tensors_add(tensors, "decoder.embedding", w->V, p->embedding, 1.0f);
  for (int32_t l = 0; l < p->decoder_layers; l++) {
    snprintf(name, sizeof name, "decoder.layers.%d", (int)l);
    add_cell(tensors, p, name,
             l > 0                            ? S
             : p->decoder == DECODER_BAHDANAU ? p->embedding + A
                                              : p->embedding + (p->feeds ? S : 0),
             S);
  }
}

cuseq_model *published_model(const struct workload *w) {
  static struct tensors tensors;
  const struct published *p = w->published;
  struct text text = {.used = 0};
  tensors.count = 0;
  write_encoder(&text, w);
  add_encoder(&tensors, w);
  if (p->tagger)
    WRITE(&text, ",\"output\":{\"over\":\"every\",\"layers\":[{\"units\":%d,\"activation\":\"softmax\"}]}",
          (int)w->V);
  else if (p->decoder == DECODER_NONE) /* an encoder alone is part of a model that attends */
    WRITE(&text, ",\"attention\":{\"score\":\"dot\"}");
  if (p->decoder != DECODER_NONE) {
    write_attention(&text, w);
    write_decoder(&text, w);
    add_decoder(&tensors, w);
  }
  WRITE(&text, "}");
  if (w->V > 0) { /* larger than others: what is chosen at a step is not as good as the second */
    tensors_add(&tensors, "output.layers.0.kernel", w->S > 0 ? w->S : workload_annotations(w), w->V, 0.3f);
    tensors_add_bias(&tensors, "output.layers.0.bias", w->V);
  }
  return tensors_model(&tensors, text.json);
}

/* ---- multiply-adds ---- */

/* Of the encoder, for `positions` of all rows. */
static double encoder_work(const struct workload *w, double positions) {
  const struct published *p = w->published;
  const double H = w->H, directions = p->forward ? 1 : 2;
  double work = 0.0;
  for (int32_t l = 0; l < p->layers; l++) {
    const double inputs = l > 0 ? directions * H : p->folded ? 0.0 : p->embedding > 0 ? p->embedding : w->F;
    work += directions * (positions * inputs + (positions - w->B) * H) * gates_of(p) * H;
  }
  return work;
}

/* Weights that a decoder's step reads. */
static double step_weights(const struct workload *w) {
  const struct published *p = w->published;
  const double S = w->S, A = workload_annotations(w);
  const bool luong = p->decoder == DECODER_LUONG;
  const double first = (p->folded ? 0.0 : p->embedding) + (p->feeds ? S : luong ? 0.0 : A);
  double work = (first + S) * gates_of(p) * S + (p->decoder_layers - 1) * 2.0 * S * gates_of(p) * S;
  work += luong ? (A + S) * S : S * S; /* the attentional layer, or what asks */
  return work + S * w->V;
}

/* Of a decoder's step, for one hypothesis. */
static double step_work(const struct workload *w) {
  const double T = w->T;
  return step_weights(w) + T * w->S + T * workload_annotations(w); /* the energies and the context */
}

int published_streams(const struct workload *w, struct streamed streams[MOST_STREAMED]) {
  const struct published *p = w->published;
  const double H = w->H, directions = p->forward ? 1 : 2;
  streams[0] = (struct streamed){H * gates_of(p) * H * sizeof(float), directions * p->layers * (w->T - 1.0)};
  streams[1] = (struct streamed){step_weights(w) * sizeof(float), w->Y};
  return p->decoder != DECODER_NONE ? 2 : 1;
}

double published_flops(const struct workload *w) {
  const struct published *p = w->published;
  const double A = workload_annotations(w);
  double positions = 0.0;
  int32_t lengths[1024];
  if (w->B > (int32_t)(sizeof lengths / sizeof *lengths))
    return 0.0;
  workload_lengths(w, lengths);
  for (int32_t b = 0; b < w->B; b++)
    positions += lengths[b];
  double work = encoder_work(w, positions);
  if (p->tagger)
    work += positions * A * w->V;
  if (p->decoder != DECODER_NONE) {
    /* a beam's first step has one hypothesis a row */
    const double steps = w->beams > 0 ? 1.0 + (w->Y - 1) * (double)w->beams : w->Y;
    work += positions * A * w->S + w->B * steps * step_work(w);
  }
  return 2.0 * work;
}
