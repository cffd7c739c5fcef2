/* The cpu backend's state: packed weights, what is encoded, and a workspace per thread. It lies in two blocks
 * that are made at open, the weights' shared by all sessions of the model. It walks the model's lowered
 * structure. */
#ifndef CUSEQ_CPU_CPU_H
#define CUSEQ_CPU_CPU_H

#include "backends/backend.h"
#include "backends/cpu/arena.h"
#include "backends/cpu/kernels.h"
#include "backends/cpu/pool.h"
#include "model/part.h"

#include <stdatomic.h>
#include <stdbool.h>

/* ---- packed weights; kernels.h has the layouts ---- */

/* Dense layers one after the other. */
struct cpu_chain {
  int32_t count;
  struct cpu_dense layers[STRUCTURE_MAX_DENSE];
  struct dense_norm norm[STRUCTURE_MAX_DENSE];      /* of the sums; its factors are the model's own */
  cuseq_activation activation[STRUCTURE_MAX_DENSE]; /* linear where the kernels that follow apply it */
};

/* What an attention makes keys, queries, values and energies with. */
struct cpu_attention {
  struct cpu_chain keys; /* a -> key; of layered energies scaled, with the bias                */
  const float *key;      /* layered energies of one unit: [A] padded with zeros, and key_bias  */
  float key_bias;
  struct cpu_chain query; /* what asks -> query; of layered energies scaled                     */
  float query_scale;      /* self-attention's inner products: what queries are multiplied by    */
  struct cpu_chain values;
  struct cpu_energy energy; /* layered energies */
};

struct cpu_encoder_layer {
  struct cpu_cell cells[2];
  struct cpu_chain weighting; /* of the positions of a feature */
  struct cpu_chain dense;
};

struct cpu_decoder_layer {
  struct cpu_cell cell;
  struct cpu_chain initial_h, initial_c;
};

/* Of what may be folded: see fold.h. */
struct cpu_fold_weights {
  struct cpu_chain keys;        /* annotation -> folded key */
  struct cpu_chain attentional; /* value -> folded value */
  struct cpu_chain attentional_rest;
};

struct cpu_weights {
  struct cpu_encoder_layer *encoder;     /* [layers] */
  struct cpu_decoder_layer *decoder;     /* [layers] */
  struct cpu_attention *self_attentions; /* [the encoder's] */
  struct cpu_attention attention;
  struct cpu_chain asking; /* the state that asks without a decoder */
  struct cpu_chain attentional;
  struct cpu_fold_weights fold;
  struct cpu_chain *heads;  /* [heads] */
  struct cpu_screen screen; /* of the last layer of the decoder's head; no weights: it is not screened */
};

/* What sessions of one model share. */
struct cpu_packed {
  struct model_part part; /* its key is the products, of an instruction set and a precision */
  struct cpu_weights weights;
  void *memory;
};

/* ---- one thread's room for one tile of rows ---- */

/* How many rows of steps are projected at a time: four register blocks. The weights come from the third level
 * each time, and push out those of the steps. (48 are as fast, 12 are 2% slower.) */
enum { PROJECTED_ROWS = 24 };

/* How many positions are folded at a time: the weights may come from the third level too. */
enum { FOLDED_ROWS = 48 };

/* A self-attention adds up values in at most so many blocks of a multiple of so many positions. */
enum { SELF_BLOCKS = 16, SELF_BLOCK = 64 };

/* What one row of a layer that attends to itself is computed in. */
struct cpu_self_room {
  float *keys; /* as self_attention.c has them */
  float *values;
  float *mapped;   /* [CPU_LANES][widest] keys, values or queries of some positions */
  float *energies; /* [CPU_LANES][time] of a head */
  float *contexts; /* [CPU_LANES][head] */
  int32_t powers;  /* whether layered keys are kept as powers of two */
};

/* What some features of a row are weighted in. */
struct cpu_weighting_room {
  float *features; /* [CPU_LANES][time] */
  float *alphas;   /* [CPU_LANES][time] */
};

/* From so many threads on two directions are shared step by step; fewer have a direction each, and do not
 * wait for one another, unless directions are made in turn (plan_directions_in_turn()). */
enum { CPU_SHARED_DIRECTIONS = 4 };

/* How many rows are screened at a time: see screen.h. */
enum { SCREENED_ROWS = 4 };

/* What they are screened in. */
struct cpu_screen_room {
  struct cpu_screen_row rows[SCREENED_ROWS];
  float *logits; /* [SCREEN_COLUMNS] */
};

/* Steps of which the logits are made later: two register blocks of rows. */
enum { LATER_ROWS = 12 };

/* What the head's last layer reads in them. */
struct cpu_later {
  int32_t count;
  int32_t row[LATER_ROWS], step[LATER_ROWS], token[LATER_ROWS]; /* the token: -1: not known yet */
  float *inputs;                                                /* [LATER_ROWS][later_stride] */
  float *logits;                                                /* [LATER_ROWS][logits_stride] */
};

/* Strides are padded widths. */
struct cpu_worker {
  int32_t parts; /* how many threads may share the products of its tile: one but where it is the only tile */
  /* the encoder's, per direction */
  struct cpu_cell_row *rows[2]; /* [tile_rows] */
  float *narrowed[2];           /* [max(tile_rows, PROJECTED_ROWS)][features] float64 input */
  float *projected[2];          /* [PROJECTED_ROWS][4 x units] the input's part of some steps' sums */
  float *states[2];             /* [tile_rows][units] what a cell keeps beside h */
  float *gates[2];              /* [tile_rows][4 x units] of GRUs with their reset before the product */
  float *merged;                /* [CPU_LANES][widest] positions of a layer that is not done with its cells */
  float *row; /* [time][widest] one row of a layer that looks at several positions at a time */
  struct cpu_weighting_room weighting;
  struct cpu_self_room self;
  const float **pointers; /* [max(tile_rows, CPU_LANES)] */
  /* the decoder's */
  float *hidden[2];     /* [tile_rows][states] all layers' states, this step's and the last one's */
  float *kept;          /* [tile_rows][states] */
  float *given;         /* [tile_rows][states] what residual layers give */
  float *numbers;       /* [tile_rows][given] what the caller gives of the step, as whole vectors */
  float *begun;         /* [4 x states] of one row: the next step's sums, as far as they are made early */
  float *context;       /* [tile_rows][context] */
  float *attentional;   /* [tile_rows][attentional] */
  float *one_hot;       /* [tile_rows][tokens] where tokens without an embedding are read as vectors, or
                         probabilities in their place */
  float *read;          /* [tile_rows][widest] vectors side by side, and what chains compute in */
  float *chained;       /* [tile_rows][widest] the other half of what chains compute in */
  const float **asking; /* [tile_rows] queries, or what asks */
  float *query;         /* [tile_rows][key] */
  float *energies;      /* [time] */
  float *folding;       /* [FOLDED_ROWS][folded] products on their way to folded keys and values */
  float *folded;        /* [tile_rows][folded values] their sums */
  float *kept_energies; /* [time] where a row adds up values and folded ones */
  float *head_query; /* [key] of one row, each head's part in whole vectors; NULL where there is one head */
  float *of_head;    /* [value] the context of one head; likewise */
  float *mean;       /* [time] of the heads' weights, while they are added up; likewise */
  float *scratch;    /* of the energies, and of the keys */
  struct cpu_screen_room *screened; /* NULL where nothing is */
  struct cpu_later *later;
  int32_t *active;  /* [tile_rows] the tile's rows that have not ended */
  int32_t *some;    /* [tile_rows] those of them that are folded, or are not */
  int32_t *token;   /* [tile_rows] */
  int32_t *encoded; /* [tile_rows] the encoded row that each one attends to */
  int32_t *number;  /* [tile_rows] its number in the caller's arrays */
  void *room;       /* [room_size] what the products need beside; NULL in float32 */
};

/* Whose products with the context are folded: see fold.h. */
enum cpu_reader { READER_NONE, READER_ATTENTIONAL, READER_CELL };

/* Folded keys or values; no columns: none are. */
struct cpu_folded {
  int32_t columns;
  int32_t longest; /* the most positions of a row that has them */
  size_t stride;
  float *x;      /* [batch][longest][stride] */
  int32_t *made; /* [batch] whether the row has them */
};

struct cpu_fold {
  struct cpu_folded keys, values;
  enum cpu_reader reader; /* of the values */
  bool context_read;      /* by others too */
};

struct cpu {
  const struct cpu_kernels *kernels;
  const struct cpu_products *products;   /* the kernels' own, or those of the session's precision */
  const struct cpu_screening *screening; /* NULL: sessions of this model do not screen */
  bool screen_all;                       /* wherever it can be done */
  struct cpu_pool *pool;
  void *memory; /* of the workspace */
  cuseq_model *model;
  const struct structure *structure; /* as lowered */
  struct backend_limits limits;
  struct cpu_packed *packed;

  /* padded widths */
  size_t units_stride;  /* the widest direction of a layer */
  size_t layer_stride;  /* a row of `layers`: time x the widest layer, spread over the cache's sets */
  size_t side_stride;   /* a row of `sides`: time x two directions */
  size_t final_stride;  /* all layers' final states */
  size_t states_stride; /* all decoder layers' states, each padded */
  size_t state_offset[STRUCTURE_MAX_DECODER_LAYERS];
  size_t context_stride;
  size_t attentional_stride;
  size_t numbers_stride;
  size_t token_stride; /* of one_hot; 0: none */
  size_t read_stride;  /* the widest vectors that are read side by side, or that a chain computes */
  size_t key_rows;     /* units of layered keys, in whole vectors */
  size_t query_stride;
  size_t key_stride;    /* of keys of inner products that are not the annotations themselves; 0 .. */
  size_t value_stride;  /* .. and of values; of several heads always theirs, each head's part padded */
  size_t room_size;     /* bytes */
  size_t part_bytes;    /* of weights, from which another thread is worth its part of a product */
  struct cpu_fold fold; /* what is folded, and for which rows */
  bool state_first;     /* sums of the decoder's cells begin with the state's part: see plan_state_first() */

  /* for whole batches */
  float *layers
      [2];      /* [batch][layer_stride] a layer's output: the annotations end in [0]; [1] from 2 layers on */
  float *sides; /* [batch][side_stride] hidden states apart, for layers that are not done with their cells */
  float *keys;  /* [batch][key_rows][time of the call, padded]; of inner products [batch][time][key_stride] */
  float *values;       /* [batch][time][value_stride] */
  int32_t *key_powers; /* [batch] whether the row's keys are kept as powers of two: see kernels.h */
  float *final_h;      /* [batch][final_stride] */
  float *final_c;
  const float *zeros; /* as long as any state */
  int32_t *lengths;   /* [batch] */
  int32_t *order;     /* [batch] rows by length, longest first */
  int32_t *counts;    /* [time + 1] to sort by */

  struct cpu_worker *workers; /* [threads] */
  int32_t tile_rows;          /* the most rows in a tile */

  /* what is encoded */
  int32_t batch;
  int32_t time;
  bool keys_ready;
  uint32_t calls;

  _Atomic uint64_t fault; /* the first row of the call that left float32's range; see backend.h */
};

/* Notes that a row did, at a step of the decoder or at 0, in any thread. */
void cpu_note(struct cpu *cpu, size_t row, int32_t step, enum backend_stage stage);

/* Checks an array of a row, and notes what is not finite. */
static inline void cpu_check(struct cpu *cpu, size_t row, int32_t step, enum backend_stage stage,
                             const float *x, int32_t count) {
  if (!cpu->kernels->finite(x, count, false))
    cpu_note(cpu, row, step, stage);
}

/* One call's parts, for the tasks of the pool. */
struct cpu_call {
  struct cpu *cpu;
  const struct backend_input *input; /* NULL: nothing is encoded */
  const cuseq_encoding *encoding;
  const cuseq_decoding *decoding; /* NULL: nothing is decoded */
  float *log_outputs;             /* of a search's step; else NULL */
  int32_t layer;
  int32_t tiles;
  uint32_t number; /* of the session's calls: those of a search make one step each */
};

/* Rows `first` .. first + count - 1: of the encoded rows by length, or of a decoding's. */
struct cpu_tile {
  int32_t first;
  int32_t count;
};

/* weights.c: packs the model's weights, or adds up what they take. */
void weights_pack(struct cpu *cpu, struct cpu_arena *arena);
/* A dense layer as a chain of one; of no layer where it has no kernel. */
void weights_pack_dense(const struct cpu *cpu, const struct dense *dense, struct cpu_arena *arena,
                        struct cpu_chain *chain);

/* workspace.c: strides, and everything that is not weights; the same two passes. */
void workspace_sizes(struct cpu *cpu);
void workspace_take(struct cpu *cpu, struct cpu_arena *arena);

/* Whether a layer has more to do than its cells leave in place: a merge other than concat, a residual,
 * weights of positions, self-attention, a dense layer. */
bool layer_finishes(const struct encoder_layer *layer);

/* The stride of a layer's positions. */
static inline size_t layer_position(const struct encoder_layer *layer) {
  return arena_padded(layer->width);
}

/* The buffer that layer `layer` writes: the last one's is 0. */
static inline float *layer_output(const struct cpu *cpu, int32_t layer) {
  return cpu->layers[(cpu->structure->encoder.count - 1 - layer) & 1];
}
/* A row of the annotations, and the stride of its positions. */
static inline const float *annotations_of(const struct cpu *cpu, int32_t row) {
  return cpu->layers[0] + (size_t)row * cpu->layer_stride;
}
static inline size_t annotation_stride(const struct cpu *cpu) {
  return arena_padded(cpu->structure->encoder.width);
}

/* encoder.c: one layer of a tile: direction 0, 1, or -1 for all that it has and what follows them. */
void encoder_layer(const struct cpu_call *call, struct cpu_tile tile, int32_t worker, int32_t direction);
/* encoder_finish.c: what follows the directions; zeros past the rows' lengths in the caller's annotations. */
void encoder_finish(const struct cpu_call *call, struct cpu_tile tile, int32_t worker);
void encoder_clear(const struct cpu_call *call, struct cpu_tile tile);

/* The rows that a product has in registers: more take as much longer. */
enum { ROWS_AT_A_TIME = 6 };

/* product.c: in how many parts a product of `count` rows with that many bytes of weights is worth making. */
int32_t product_parts(const struct cpu *cpu, const struct cpu_worker *worker, size_t bytes, int32_t count);

/* product.c: the products of kernels.h for a tile of the worker's, in parts where that is faster: made by as
 * many threads as worker->parts allows, with the same bits. A step's end is part of it. */
void product_dense(const struct cpu *cpu, const struct cpu_worker *worker, const struct cpu_dense *dense,
                   const float *const *in, int32_t count, float *out, size_t stride, bool turned);
/* A step of some rows of a cell, with all its blocks and the worker's room; of two cells, the directions of a
 * layer, at a time. */
struct product_step {
  struct cpu_cell_step *step;
  const struct cpu_cell_row *rows;
  int32_t count;
};
void product_steps(const struct cpu *cpu, const struct cpu_worker *worker, const struct product_step *of,
                   int32_t count);
/* A GRU with its reset before the product has a product more, of columns in groups. */
static inline bool cell_has_end(const struct cpu_cell *cell) {
  return cell->kind == CELL_GRU && !cell->reset_after;
}
/* One step by one thread: small models feel every detour. */
static inline void product_step_alone(const struct cpu *cpu, const struct product_step *of) {
  cpu->products->cell_step(of->step, of->rows, of->count);
  if (cell_has_end(of->step->cell))
    cpu->products->cell_end(of->step, of->rows, of->count);
}
/* One step of one cell. */
static inline void product_step(const struct cpu *cpu, const struct cpu_worker *worker,
                                const struct product_step *of) {
  if (worker->parts > 1)
    product_steps(cpu, worker, of, 1);
  else
    product_step_alone(cpu, of);
}
void product_project(const struct cpu *cpu, const struct cpu_worker *worker, const struct cpu_cell *cell,
                     const struct cpu_cell_row *rows, int32_t count, bool turned);

/* chain.c: `count` rows at in[i] through a chain; the results, [count][stride] with whole vectors written,
 * end in `out`, with `spare` of the same size for what lies between. A chain of no layers copies. `turned`:
 * see cpu_cell_step. */
void chain_run(const struct cpu *cpu, const struct cpu_worker *worker, const struct cpu_chain *chain,
               const float **in, int32_t width, int32_t count, float *out, float *spare, size_t stride,
               bool turned);

/* Positions of a row, side by side. */
struct cpu_positions {
  const float *x;
  size_t stride;
  int32_t width, length;
};
/* `here` positions from t on, at most CPU_LANES, through a chain that has a layer; [here][stride] with whole
 * vectors written. */
void chain_positions(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_chain *chain,
                     const struct cpu_positions *row, int32_t t, int32_t here, float *out, size_t stride);

/* self_attention.c: a row of a layer that attends to itself. */
struct cpu_self {
  const struct attention_structure *attention; /* as lowered */
  const struct cpu_attention *weights;
};
/* Makes keys and values of all positions. */
void self_attention_begin(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_self *self,
                          const struct cpu_positions *row);
/* The contexts [here][stride] of `here` positions from t on, at most CPU_LANES. Returns whether their
 * energies are finite. */
bool self_attention_ask(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_self *self,
                        const struct cpu_positions *row, int32_t t, int32_t here, float *to, size_t stride);

/* weighting.c: multiplies the features of all positions of a row [length][stride], in whole vectors, by their
 * weights. Returns whether the energies are finite. */
bool weighting_run(const struct cpu *cpu, struct cpu_worker *worker, const struct cpu_chain *weighting,
                   float *x, size_t stride, int32_t length);

/* attention.c: layered keys of a row's positions, as [units][stride]; whether they are kept as powers of two.
 * What stands past the length, up to a whole vector, is never looked at. */
int32_t attention_layered_keys(const struct cpu *cpu, struct cpu_worker *worker,
                               const struct attention_structure *attention,
                               const struct cpu_attention *weights, const struct cpu_positions *row,
                               float *keys, size_t stride);
/* How many rows of units layered keys have. */
static inline size_t attention_key_rows(const struct attention_structure *attention) {
  return attention->key_width == 1 ? 1 : arena_padded(attention->key_width);
}

/* attention.c: what a row's energies and contexts are made of, where keys are the annotations themselves. */
typedef struct cpu_positions attention_rows(const struct cpu *cpu, int32_t row);
attention_rows attention_annotations, attention_values;

/* attention.c: what attention needs of the annotations of encoded rows order[tile], once per sequence; and
 * one step: context and alphas of `count` rows, tile-local numbers in worker->active, for what asks at
 * asks[n], into worker->context and the caller's arrays. */
void attention_keys(struct cpu *cpu, struct cpu_worker *worker, struct cpu_tile tile);
struct attention_out {
  float *contexts; /* the caller's row b at b*context_stride; NULL: not wanted */
  float *alphas;
  size_t context_stride;
  size_t alpha_stride;
  int32_t step; /* the decoder's, from 1 on                                                              */
};
void attention_step(struct cpu *cpu, struct cpu_worker *worker, int32_t count, const float *const *asks,
                    struct attention_out out);

/* initial.c: the states of rows before the first step, [count][stride]; worker->encoded says which rows. */
void initial_state(struct cpu *cpu, struct cpu_worker *worker, int32_t count,
                   const struct initial_structure *initial, const struct cpu_chain *dense, int32_t units,
                   float *state, size_t stride);
/* One attention step of a tile for the caller's states; NULL: as the model says. */
void initial_attend(struct cpu *cpu, struct cpu_tile tile, int32_t worker, const float *hidden,
                    float *context, float *alphas);

/* decoder.c: all steps of a tile of a decoding. */
void decoder_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t worker);
/* output.c: the heads of models without a decoder. */
void output_tile(const struct cpu_call *call, struct cpu_tile tile, int32_t worker);
/* The number of the largest logit of a head, in whole vectors; *finite receives whether they give finite
 * outputs. */
int32_t output_best(const struct cpu *cpu, const struct head *head, const float *logits, bool *finite);
/* The last activation of a head: `out` [units] from logits in whole vectors, which are overwritten, and whose
 * largest is number `best`. */
void output_activate(const struct cpu *cpu, const struct head *head, float *logits, int32_t best, float *out);

#endif
