/* Which kernels run a model: chosen from its shapes and the device's properties alone, or forced by a text.
 *
 * The text has words separated by commas:
 *   stages        a launch per stage, never one for encoder and decoder together
 *   whole         encoder and decoder in one launch
 *   encoder=NAME  warp16, warp32, block64, cluster128, grid, cell
 *   decoder=NAME  loop, steps; says nothing about a model that has no decoder
 * Forcing encoder or decoder means stages. */
#ifndef CUSEQ_CUDA_PLAN_H
#define CUSEQ_CUDA_PLAN_H

#include "kernels/launch.h"

#include <stdbool.h>

/* How the layers of the encoder run. The first five are the mappings of the sequence kernel. */
enum cuda_encoder {
  CUDA_ENCODER_WARP16 = LSTM_MAPPING_WARP16,
  CUDA_ENCODER_WARP32 = LSTM_MAPPING_WARP32,
  CUDA_ENCODER_BLOCK64 = LSTM_MAPPING_BLOCK64,
  CUDA_ENCODER_CLUSTER128 = LSTM_MAPPING_CLUSTER128,
  CUDA_ENCODER_GRID = LSTM_MAPPING_GRID,
  CUDA_ENCODER_CELL = LSTM_MAPPINGS, /* a graph of a product and a cell kernel per step: cell_graph.c */
};

/* How the steps of the decoder run. */
enum cuda_decoder_kind {
  CUDA_DECODER_LOOP = 0,  /* all steps in one kernel */
  CUDA_DECODER_STEPS = 1, /* a graph of kernels and products per step: decode_graph.c */
};

/* What a text forces; CUDA_FREE: nothing. */
enum { CUDA_FREE = -1 };
struct cuda_forced {
  int whole;   /* 1 whole, 0 stages */
  int encoder; /* enum cuda_encoder */
  int decoder; /* enum cuda_decoder_kind */
};

/* The sizes of a call, or the limits of a session. */
struct cuda_shape {
  int32_t time;
  bool ids; /* token ids, not dense rows */
};

struct cuda_choice {
  bool whole; /* cuseq_run is one launch; the others are for encoding and decoding apart */
  enum cuda_encoder encoder;
  enum cuda_decoder_kind decoder;
};

/* Reads a text; NULL and "" force nothing. */
cuseq_status cuda_forced_parse(const char *text, struct cuda_forced *forced);

/* The choice for a call of this shape. Pure. Encoder depends on H, D and the device alone, so that it is the same in all
 * calls of a session; a longer call takes CUDA_DECODER_STEPS where a shorter one does. */
struct cuda_choice cuda_choose(const cuseq_config *config, const struct cuda_shape *shape,
                               const struct launch_device *device, const struct cuda_forced *forced);

/* Whether what is forced can run every call of a session with this many positions at most; an error says what cannot. */
cuseq_status cuda_forced_check(const cuseq_config *config, int32_t max_time,
                               const struct launch_device *device, const struct cuda_forced *forced);

/* A decoder's sizes without weights and buffers, and so those of an attention-only model. */
void cuda_decode_sizes(const cuseq_config *config, struct decode *decode);

#endif
