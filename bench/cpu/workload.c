#include "workload.h"

#include <math.h>

/* PyTorch's tutorial on translation with attention. */
static const struct published tutorial = {.gru = true,
                                          .forward = true,
                                          .layers = 1,
                                          .embedding = 128,
                                          .folded = true,
                                          .decoder = DECODER_BAHDANAU,
                                          .decoder_layers = 1};

/* OpenNMT-py's model of type rnn, with its defaults. */
static const struct published translator = {
    .layers = 2, .embedding = 500, .decoder = DECODER_LUONG, .decoder_layers = 2, .feeds = true};

static const struct published labeller = {.layers = 2, .embedding = 128, .tagger = true};
static const struct published encoder = {.layers = 1};

/* Stanza's lemmatiser. */
static const struct published lemmatiser = {
    .layers = 1, .embedding = 50, .folded = true, .decoder = DECODER_LUONG, .decoder_layers = 1};

#define TUTORIAL                                                                                             \
  .T = 10, .F = 3000, .H = 128, .S = 128, .Y = 10, .V = 3000, .ids = true, .published = &tutorial
#define TRANSLATOR                                                                                           \
  .T = 25, .F = 10000, .H = 250, .S = 500, .Y = 25, .V = 10000, .ids = true, .published = &translator
#define TAGGER .T = 40, .F = 10000, .H = 256, .V = 50, .ids = true, .bf16 = true, .published = &labeller
#define LEMMATISER                                                                                           \
  .T = 10, .F = 80, .H = 100, .S = 200, .Y = 12, .V = 80, .ids = true, .published = &lemmatiser

static const struct workload all[] = {
    {.name = "W1",
     .what = "Bi-LSTM over dense input, attention Dense(1,tanh), one step",
     .B = 5,
     .T = 30,
     .F = 37,
     .H = 16,
     .keys = 1,
     .bar = 0.65},
    {.name = "W2 B1",
     .what = "dates: one-hot ids, attention Dense(10,tanh) Dense(1,relu), LSTM decoder, 10 steps",
     .B = 1,
     .T = 30,
     .F = 37,
     .H = 32,
     .keys = 10,
     .S = 64,
     .Y = 10,
     .V = 11,
     .ids = true},
    {.name = "W2 B32",
     .what = "the same",
     .B = 32,
     .T = 30,
     .F = 37,
     .H = 32,
     .keys = 10,
     .S = 64,
     .Y = 10,
     .V = 11,
     .ids = true,
     .bar = 0.62},
    {.name = "W2 B1024",
     .what = "the same",
     .B = 1024,
     .T = 30,
     .F = 37,
     .H = 32,
     .keys = 10,
     .S = 64,
     .Y = 10,
     .V = 11,
     .ids = true,
     .bar_gain = 0.93},
    {.name = "W3",
     .what = "Bi-LSTM",
     .B = 32,
     .T = 100,
     .F = 128,
     .H = 128,
     .keys = 1,
     .encode_only = true,
     .bf16 = true,
     .bar = 0.88,
     .bar_gain = 0.93},
    {.name = "W4",
     .what = "Bi-LSTM",
     .B = 64,
     .T = 128,
     .F = 512,
     .H = 512,
     .keys = 1,
     .encode_only = true,
     .bf16 = true,
     .bar = 0.90,
     .bar_gain = 0.93},
    {.name = "W5 B1",
     .what = "GRU encoder and decoder, Bahdanau attention, V 3000, 10 steps",
     .B = 1,
     TUTORIAL},
    {.name = "W5 B32", .what = "the same", .B = 32, TUTORIAL, .bar = 0.55},
    {.name = "W6 B1",
     .what = "2 Bi-LSTM, 2 LSTM with input feeding, general attention after the cells, V 10000, 25 steps",
     .B = 1,
     TRANSLATOR},
    {.name = "W6 B32", .what = "the same", .B = 32, TRANSLATOR},
    {.name = "W6 beam B1", .what = "the same, beam search of 5", .B = 1, TRANSLATOR, .beams = 5},
    {.name = "W6 beam B32", .what = "the same, beam search of 5", .B = 32, TRANSLATOR, .beams = 5},
    {.name = "W7 B1", .what = "tagger: 2 Bi-LSTM, softmax of 50 at every position", .B = 1, TAGGER},
    {.name = "W7 B32", .what = "the same", .B = 32, TAGGER, .bar = 0.88},
    {.name = "W8",
     .what = "Bi-LSTM over rows of 5 to 200 positions",
     .B = 64,
     .T = 200,
     .F = 256,
     .H = 256,
     .encode_only = true,
     .ragged = true,
     .bf16 = true,
     .published = &encoder,
     .bar = 0.80},
    {.name = "W9 B1",
     .what = "lemmatiser: Bi-LSTM, LSTM, general attention after the cell, V 80, 12 steps",
     .B = 1,
     LEMMATISER},
    {.name = "W9 B128", .what = "the same", .B = 128, LEMMATISER},
    {.name = "W10",
     .what = "Bi-LSTM over one row",
     .B = 1,
     .T = 64,
     .F = 1024,
     .H = 1024,
     .keys = 1,
     .encode_only = true,
     .bf16 = true},
};

const struct workload *workloads(int *count) {
  *count = sizeof all / sizeof *all;
  return all;
}

int32_t workload_annotations(const struct workload *w) {
  return w->published && w->published->forward ? w->H : 2 * w->H;
}

void workload_lengths(const struct workload *w, int32_t *lengths) {
  enum { SHORTEST = 5 };
  uint32_t state = 1; /* a generator of its own: the same lengths whatever was made before */
  for (int32_t b = 0; b < w->B; b++) {
    state = state * 1664525u + 1013904223u;
    const double share = (double)(state >> 8) * 0x1p-24;
    lengths[b] = w->ragged ? (int32_t)lround(SHORTEST * pow((double)w->T / SHORTEST, share)) : w->T;
  }
}

int workload_verified(const struct workload *w, int32_t rows[VERIFIED_ROWS]) {
  int count = 0;
  for (int n = 0; n < VERIFIED_ROWS; n++) {
    int32_t row = (int32_t)((int64_t)(w->B - 1) * n / (VERIFIED_ROWS - 1));
    if (count == 0 || row != rows[count - 1])
      rows[count++] = row;
  }
  return count;
}

double workload_flops(const struct workload *w) {
  if (w->published)
    return published_flops(w);
  double B = w->B, T = w->T, F = w->ids ? 0 : w->F, H = w->H, A = 2 * H, S = w->S > 0 ? w->S : A, u = w->keys;
  double encoder = 2 * B * (T * F + (T - 1) * H) * 4 * H;
  if (w->encode_only)
    return 2 * encoder;
  double steps = w->Y > 0 ? w->Y : 1, keys = B * T * A * u;
  double attention = B * (S * u + (u > 1 ? T * u : 0) + T * A) * steps;
  double decoder = w->Y > 0 ? B * ((A * steps + S * (steps - 1)) * 4 * S + S * w->V * steps) : 0;
  return 2 * (encoder + keys + attention + decoder);
}

int workload_streams(const struct workload *w, struct streamed streams[MOST_STREAMED]) {
  if (w->B != 1)
    return 0;
  if (w->published)
    return published_streams(w, streams);
  const double H = w->H, A = 2 * H, S = w->S, u = w->keys;
  streams[0] = (struct streamed){H * 4 * H * sizeof(float), 2.0 * (w->T - 1)};
  streams[1] = (struct streamed){((A + S) * 4 * S + S * u + S * w->V) * sizeof(float), w->Y};
  return w->Y > 0 ? 2 : 1;
}
