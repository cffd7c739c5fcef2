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
#include "model/structure.h"

#include <stdbool.h>

/* How cells of an encoder's layer run. The first five are the mappings of the sequence kernel. */
enum cuda_encoder {
  CUDA_ENCODER_WARP16 = SEQUENCE_MAPPING_WARP16,
  CUDA_ENCODER_WARP32 = SEQUENCE_MAPPING_WARP32,
  CUDA_ENCODER_BLOCK64 = SEQUENCE_MAPPING_BLOCK64,
  CUDA_ENCODER_CLUSTER128 = SEQUENCE_MAPPING_CLUSTER128,
  CUDA_ENCODER_GRID = SEQUENCE_MAPPING_GRID,
  CUDA_ENCODER_CELL = SEQUENCE_MAPPINGS, /* a graph of a product and a cell kernel per step: cell_graph.c */
};

/* What texts call them. */
extern const char *const cuda_encoder_names[CUDA_ENCODER_CELL + 1];

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
  bool whole; /* cuseq_run is one launch; the decoder's kind is for encoding and decoding apart */
  enum cuda_decoder_kind decoder;
};

/* ---- the encoder ---- */

/* Cells of a layer that run together: both directions where they are alike, otherwise one of them. */
struct cuda_cells {
  enum cell_form form;
  int32_t inputs, units;
  cuseq_activation activation, recurrent_activation;
  cuseq_precision precision; /* of the session; cuda_cells_of() leaves it float32 */
  int32_t directions;        /* 1 or 2 */
  int32_t first;             /* of the layer's cells: 0, or 1 where it is the backward one alone */
};

/* What kernels make of a cell of the lowered model. */
enum cell_form cuda_cell_form(const struct cell *cell);

/* The cells of a layer of the lowered model; returns how many, 1 or 2. */
int32_t cuda_cells_of(const struct encoder_layer *layer, struct cuda_cells cells[2]);

/* Why a mapping cannot run cells on a device; NULL where it can. Static text that goes on after "needed".
 * Pure. */
const char *cuda_mapping_fault(const struct cuda_cells *cells, enum sequence_mapping mapping,
                               const struct launch_device *device);

/* How cells run. Depends on them and the device alone, so that it is the same in all calls of a session.
 * Pure.
 *   why  may be NULL: receives what a mapping would have needed where it is CUDA_ENCODER_CELL for want of it,
 *        static text; else NULL */
enum cuda_encoder cuda_encoder_choose(const struct cuda_cells *cells, const struct launch_device *device,
                                      const struct cuda_forced *forced, const char **why);

/* Whether what is forced can run every layer; an error says what cannot. */
cuseq_status cuda_encoder_check(const struct encoder_structure *encoder, const struct launch_device *device,
                                const struct cuda_forced *forced);

/* ---- a call ---- */

/* Reads a text; NULL and "" force nothing. */
cuseq_status cuda_forced_parse(const char *text, struct cuda_forced *forced);

/* The choice for a call of this shape. Pure. A longer call takes CUDA_DECODER_STEPS where a shorter one
 * does. */
struct cuda_choice cuda_choose(const cuseq_config *config, const struct cuda_shape *shape,
                               const struct launch_device *device, const struct cuda_forced *forced);

/* The decoder's part of it alone. */
enum cuda_decoder_kind cuda_choose_decoder(const cuseq_config *config, int32_t time,
                                           const struct cuda_forced *forced);

/* Whether what is forced of the whole model can run every call of a session with this many positions at most;
 * an error says what cannot. */
cuseq_status cuda_forced_check(const cuseq_config *config, int32_t max_time,
                               const struct launch_device *device, const struct cuda_forced *forced);

/* Why the loop of a decoder of version 1 does not keep its weights in registers, static text that goes on
 * after "need"; NULL: it does (kernels/decoder/decode_small.cuh). Pure: the same in all calls of a session,
 * and on every device. */
const char *cuda_registers_reason(const cuseq_config *config);

/* A decoder's sizes without weights and buffers, and so those of an attention-only model. */
void cuda_decode_sizes(const cuseq_config *config, struct decode *decode);

#endif
