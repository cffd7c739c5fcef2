/* The cpu backend's state: packed weights, what is encoded, and a workspace per thread. All of it lies in one
 * block that is made at open. */
#ifndef CUSEQ_CPU_CPU_H
#define CUSEQ_CPU_CPU_H

#include "backends/backend.h"
#include "backends/cpu/arena.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/pool.h"

#include <stdbool.h>

/* Packed weights; see kernels.h for the layouts. */
struct cpu_weights {
  struct cpu_lstm (*encoder)[2]; /* [layers] */
  struct cpu_lstm decoder;
  struct cpu_dense keys; /* scores with keys, more than one unit: a -> keys, with the bias               */
  const float *key;      /* keys of one unit: [A] padded with zeros, and key_bias                        */
  float key_bias;
  struct cpu_dense query;   /* s -> query; score general: s -> G s                                          */
  struct cpu_energy energy; /* scores with keys                                                             */
  struct cpu_dense initial_h;
  struct cpu_dense initial_c;
  struct cpu_dense output;
  const float *embedding; /* [V,E] or NULL */
};

/* How many rows of steps are projected at a time: two register blocks. */
enum { PROJECTED_ROWS = 12 };

/* One thread's room for one tile of rows. Strides are padded widths. */
struct cpu_worker {
  struct cpu_lstm_row *rows[2]; /* [tile_rows] per direction                                                */
  float
      *narrowed[2]; /* [max(tile_rows, PROJECTED_ROWS)][features] float64 input, per direction             */
  float
      *projected[2]; /* [PROJECTED_ROWS][4 x units] the input's part of some steps' sums, per direction     */
  float *cells[2];   /* [tile_rows][units] cell states                                           */
  const float **pointers; /* [max(tile_rows, CPU_LANES)]                                              */
  float *hidden[2];       /* [tile_rows][state] the decoder's states, this step's and the last one's  */
  float *cell;            /* [tile_rows][state]                                                       */
  float *context;         /* [tile_rows][annotation]                                                  */
  float *query;           /* [tile_rows][query_width]                                                 */
  float *logits;          /* [tile_rows][outputs]                                                     */
  float *energies;        /* [time]                                                                   */
  float *scratch;         /* of the energies, and of the keys                                         */
  int32_t *active;        /* [tile_rows] the tile's rows that have not ended                          */
  int32_t *token;         /* [tile_rows]                                                              */
};

struct cpu {
  const struct cpu_kernels *kernels;
  struct cpu_pool *pool;
  void *memory; /* what the arena cuts up */
  cuseq_config config;
  struct backend_limits limits;
  struct cpu_weights weights;
  int32_t directions;
  bool keyed; /* the score has keys: concat, additive */

  /* padded widths */
  size_t units_stride;      /* H */
  size_t annotation_stride; /* A */
  size_t state_stride;      /* S */
  size_t query_stride;
  size_t output_stride;
  size_t final_stride; /* D*H */
  size_t key_rows;     /* units of the keys, in whole vectors */
  size_t layer_stride; /* a row of `layers`: time x A, an odd number of lines so that rows spread over the
                          cache */
  size_t side_stride;  /* a row of `sides` */

  /* for whole batches */
  float *layers[2]; /* [batch][layer_stride] a layer's output; [0] ends as the annotations; [1] from 2 layers
                       on */
  float *sides;     /* [batch][side_stride] h_fw, h_bw apart, for merges other than concat                */
  float *keys;      /* [batch][key_rows][time] (the time of the call, padded)                             */
  int32_t *key_powers; /* [batch] whether the row's keys are kept as powers of two: see kernels.h        */
  float *final_h; /* [batch][final_stride] the last layer's final states                                */
  float *final_c;
  const float *zeros; /* as long as any state                                                               */
  int32_t *lengths;   /* [batch]                                                                            */
  int32_t *order;     /* [batch] rows by length, longest first                                              */
  int32_t *counts;    /* [time + 1] to sort by                                                              */

  struct cpu_worker *workers; /* [threads] */
  int32_t tile_rows;          /* the most rows in a tile                                                    */

  /* what is encoded */
  int32_t batch;
  int32_t time;
  bool keys_ready;
};

/* One call's parts, for the tasks of the pool. */
struct cpu_call {
  struct cpu *cpu;
  const struct backend_input *input; /* NULL: nothing is encoded                                            */
  const cuseq_encoding *encoding;
  const cuseq_decoding *decoding; /* NULL: nothing is decoded                                               */
  int32_t layer;
  int32_t tiles;
};

/* Rows order[first .. first + count - 1]. */
struct cpu_tile {
  int32_t first;
  int32_t count;
};

/* weights.c: packs the model's weights, or adds up what they take. */
void weights_pack(struct cpu *cpu, const cuseq_model *model, struct cpu_arena *arena);

/* workspace.c: strides, and everything that is not weights; the same two passes. */
void workspace_sizes(struct cpu *cpu);
void workspace_take(struct cpu *cpu, struct cpu_arena *arena);

/* encoder.c: one layer of a tile: direction 0, 1, or -1 for all and the merge; and what follows the
 * directions. */
void encoder_layer(const struct cpu_call *call, struct cpu_tile tile, int32_t worker, int32_t direction);
void encoder_merge(const struct cpu_call *call, struct cpu_tile tile);
/* Zeros past the rows' lengths in the caller's annotations. */
void encoder_clear(const struct cpu_call *call, struct cpu_tile tile);

/* attention.c: the keys of a tile; and one step: context and alphas of `count` rows, tile-local numbers in
 * worker->active, from hidden states at hidden + i*state_stride, into worker->context and the caller's
 * arrays. */
void attention_keys(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile);
struct attention_out {
  float *contexts; /* row b's at b*context_stride; NULL: not wanted                                         */
  float *alphas;
  size_t context_stride;
  size_t alpha_stride;
};
void attention_step(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile, int32_t count,
                    const float *hidden, struct attention_out out);

/* decoder.c: all steps of a tile. */
void decoder_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t worker);
/* One attention step of a tile; initial NULL: the model's initial state. */
void decoder_attend(struct cpu *cpu, struct cpu_tile tile, int32_t worker, const float *initial,
                    float *context, float *alphas);

#endif
