/* What a model is, as data: input -> encoder -> attention -> what becomes of it. Every backend walks this
 * structure; none asks which kind of model it is. docs/model-format.md says what each part computes and where
 * it comes from.
 *
 * A structure is made from the configuration (structure_parse.c, or structure_version1.c for files of version
 * 1), then gets its weights (tensors.c), then is lowered once (lower.c): after that the backends see no
 * special cases. Widths are in elements; pointers to weights are views of the model's storage, row-major. */
#ifndef CUSEQ_MODEL_STRUCTURE_H
#define CUSEQ_MODEL_STRUCTURE_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  STRUCTURE_MAX_ENCODER_LAYERS = 64,
  STRUCTURE_MAX_SELF_ATTENTIONS = 8, /* of the encoder's layers */
  STRUCTURE_MAX_DECODER_LAYERS = 8,
  STRUCTURE_MAX_DENSE = 8, /* dense layers in a row */
  STRUCTURE_MAX_HEADS = 8,
  STRUCTURE_MAX_PARTS = 4, /* vectors that are read side by side */
  STRUCTURE_MAX_LOOKUPS = 8,
  STRUCTURE_MAX_INPUT_PARTS = 16,
};

/* ---- layers ---- */

/* A layer normalisation of some of a dense layer's sums, z = x K + k: in the place of the `units` sums from
 * `first` on, scale (z - mean) / sqrt(variance + epsilon) + offset, mean and variance of these sums. units 0:
 * none. */
struct dense_norm {
  int32_t first, units;
  float epsilon;
  const float *scale, *offset; /* [units] */
};

/* y = activation(norm(x K + k)). No layer at all where kernel is NULL: y = x. */
struct dense {
  int32_t inputs, units;
  cuseq_activation activation;
  struct dense_norm norm; /* of a dense layer behind an encoder's, and of a head's but for its last, alone */
  bool has_bias;
  bool transposed;     /* kernel lies as [units, inputs] */
  const float *kernel; /* [inputs, units] */
  const float *bias;   /* [units], or NULL */
};

/* Element (k, j) of a dense layer's kernel: what input k adds to unit j. */
static inline float dense_weight(const struct dense *dense, int32_t k, int32_t j) {
  return dense->transposed ? dense->kernel[(size_t)j * (size_t)dense->inputs + (size_t)k]
                           : dense->kernel[(size_t)k * (size_t)dense->units + (size_t)j];
}

/* Dense layers one after the other; count 0: y = x. */
struct dense_chain {
  int32_t count;
  struct dense layers[STRUCTURE_MAX_DENSE];
};

enum cell_kind { CELL_LSTM, CELL_GRU };

/* A recurrent cell. Gates lie side by side along the last axis of the kernels: LSTM i, f, c, o; GRU z, r,
 * n. */
struct cell {
  enum cell_kind kind;
  /* GRU: n = act(x W + b + r (h U + b')), PyTorch's and cuDNN's; else n = act(x W + b + (r h) U) */
  bool reset_after;
  bool has_bias;
  bool has_recurrent_bias; /* GRU with the reset after the product */
  int32_t inputs, units;
  cuseq_activation activation, recurrent_activation;
  const float *kernel;           /* [inputs, gates x units] */
  const float *recurrent_kernel; /* [units, gates x units]  */
  const float *bias;             /* [gates x units], or NULL */
  const float *recurrent_bias;   /* [gates x units], or NULL; lowered: NULL */
  const float
      *candidate_bias; /* lowered, GRU: [units] of n's recurrent bias, or NULL; the rest is in `bias` */
};

/* Gates of a cell, and whether it has a cell state c beside h. */
static inline int32_t cell_gates(enum cell_kind kind) {
  return kind == CELL_LSTM ? 4 : 3;
}
static inline bool cell_has_c(enum cell_kind kind) {
  return kind == CELL_LSTM;
}

/* ---- attention ---- */

/* When attention looks, and who asks: the asked layer's state before the step (Bahdanau), the one that it has
 * just made (Luong: the layers above it, and everything behind, read this step's context), or the embedded
 * token. */
enum attention_asks { ASKS_PREVIOUS, ASKS_CURRENT, ASKS_TOKEN };

/* The two kinds of energies that every score becomes. */
enum energy_kind {
  ENERGY_PRODUCT, /* e_t = scale (key_t . query) + bias_t                              */
  ENERGY_LAYERS,  /* e_t = scale layers(activation(key_t + query)) + bias_t            */
};

/* What a decoder, or a state, asks the annotations; or what every position of an encoder's layer asks all of
 * them (self-attention). Lowered: keys and values are made once per sequence, the query once per step or
 * position. */
struct attention_structure {
  bool present;
  cuseq_score score; /* as the configuration has it; backends look at `kind` */
  enum attention_asks asks;
  int32_t asked_layer;  /* of the decoder, whose hidden state asks; -1: the token, or the encoder's state */
  int32_t query_inputs; /* width of what asks */
  /* score dot: query, key and value are cut into so many equal parts, each attends by itself, and their
   * contexts lie side by side; else 1 */
  int32_t heads;
  float scale;
  int32_t positions;          /* of position_bias: T is then at most this; 0: none */
  const float *position_bias; /* [positions], or NULL */
  /* as configured */
  struct dense key_map, value_map, query_map; /* kernel NULL: none */
  struct dense_chain layers;                  /* score concat: the first reads key and query side by side */
  int32_t units;                              /* score additive: u */
  bool has_bias;                              /* score additive */
  const float *general;                       /* score general: [key width, query width] */
  const float *additive_key, *additive_query, *additive_value, *additive_bias;
  /* as lowered */
  enum energy_kind kind;
  int32_t key_width;           /* of keys and queries */
  struct dense_chain keys;     /* a -> key; count 0: the annotation itself */
  struct dense_chain query;    /* what asks -> query; count 0: itself */
  cuseq_activation activation; /* ENERGY_LAYERS: of key + query */
  struct dense_chain energies; /* ENERGY_LAYERS: behind it, the last of one unit; count 0: key_width is 1 */
  struct dense_chain values;   /* a -> value; count 0: the annotation itself */
  int32_t context_width;       /* C: of values and of the context */
};

/* ---- input and encoder ---- */

/* Columns of dense input that hold ids: in the place of each comes the id's row of a table. */
struct input_lookup {
  int32_t column, columns; /* the first one, and how many lie behind it, itself counted */
  int32_t ids, units;
  const float *table; /* [ids, units] */
};

/* What the caller gives, token ids or features, becomes what the first layer reads. */
struct input_structure {
  int32_t features; /* F: the width of dense input; ids are 0 .. F-1, id k stands for the one-hot row k */
  int32_t embedding_units; /* E; 0: no embedding, the first layer reads the F features themselves */
  const float *embedding;  /* [F, E]: row `id` is read; dense input is refused unless it is one-hot */
  bool embedding_folded;   /* lowered: the first layer's kernels have a row for each id, and width is F */
  bool has_affine;         /* x' = scale x + offset, per feature; only without an embedding; lowered: no */
  const float *scale, *offset; /* [F] */
  int32_t lookup_count;        /* only without an embedding and an affine map; lowered: 0 */
  struct input_lookup lookups[STRUCTURE_MAX_LOOKUPS]; /* by their columns */
  int32_t width; /* of what the first layer reads: E or F; with lookups what becomes of the F columns */
};

/* The width of dense input as backends get it: columns of ids are looked up before (host/lookup.c). */
static inline int32_t input_row_width(const struct input_structure *input) {
  return input->lookup_count > 0 ? input->width : input->features;
}

enum layer_direction { LAYER_FORWARD, LAYER_BACKWARD, LAYER_BIDIRECTIONAL };

/* One encoder layer: cells in one direction or both, merged; plus the layer's input where it is residual:
 * x. Where it weights its positions every feature of x is multiplied by weights of its own, a softmax over
 * the row's positions. Where the layer attends to itself every position of x asks all of them: y is the
 * contexts, or the contexts and x side by side; else y = x. Then y through a dense layer where it has one. */
struct encoder_layer {
  enum layer_direction direction;
  cuseq_merge merge; /* of two directions */
  bool residual;
  int32_t inputs;       /* width of what it reads */
  struct cell cells[2]; /* cells[0]: the forward one; cells[1]: the backward one */
  int32_t merged_width; /* of the merged hidden states, x */
  /* of the weights of positions: it reads and gives T, each feature's positions; units 0: none. T is the only
   * length that rows have, with zeros behind a row's last */
  struct dense weighting;
  int32_t self_attention; /* its number among the encoder's, from 1 on; 0: none */
  bool beside;            /* y is the context and x, side by side */
  int32_t joined_width;   /* of y */
  struct dense dense;     /* behind y; of every position */
  int32_t width;          /* of what it gives */
};

/* Whether a layer has that direction: 0 forward, 1 backward. */
static inline bool encoder_layer_has(const struct encoder_layer *layer, int direction) {
  return layer->direction == LAYER_BIDIRECTIONAL || (layer->direction == LAYER_BACKWARD) == (direction == 1);
}

/* How many directions a layer has. */
static inline int32_t encoder_layer_directions(const struct encoder_layer *layer) {
  return layer->direction == LAYER_BIDIRECTIONAL ? 2 : 1;
}

struct encoder_structure {
  int32_t count;
  struct encoder_layer layers[STRUCTURE_MAX_ENCODER_LAYERS];
  int32_t self_attention_count;
  struct attention_structure self_attentions[STRUCTURE_MAX_SELF_ATTENTIONS];
  int32_t width; /* A, of the annotations: what the last layer gives */
};

/* ---- decoder ---- */

/* Vectors that are read side by side, in the order in which they are listed. */
enum part { PART_TOKEN, PART_CONTEXT, PART_ATTENTIONAL, PART_STATE, PART_GIVEN };
struct parts {
  int32_t count;
  enum part list[STRUCTURE_MAX_PARTS];
};

/* Where a state h or c of a decoder layer begins. */
enum initial_from {
  INITIAL_ZEROS,
  /* the final state of an encoder layer, one direction's or both together, through a dense layer or not */
  INITIAL_ENCODER,
  INITIAL_OTHER, /* this layer's other state: c begins as h does, or h as c does */
};
enum initial_directions { INITIAL_CONCAT, INITIAL_SUM, INITIAL_FORWARD, INITIAL_BACKWARD };
struct initial_structure {
  enum initial_from from;
  int32_t encoder_layer;
  bool takes_c; /* the encoder's c rather than its h */
  enum initial_directions directions;
  int32_t inputs;     /* width of what it takes */
  struct dense dense; /* kernel NULL: none */
};

struct decoder_layer {
  struct cell cell;
  bool residual;      /* adds what it reads of the layer below */
  bool reads_context; /* a layer beyond the first: the context behind the hidden state below */
  int32_t inputs;     /* width of what it reads */
  struct initial_structure initial_h, initial_c;
};

/* A vector made of others: activation(W concat(parts) + b). */
struct attentional_structure {
  bool present;
  struct parts parts; /* of PART_CONTEXT, PART_STATE, PART_TOKEN */
  struct dense dense;
};

/* What a step reads as PART_TOKEN: the best token of the step before, a token that the caller gives, or the
 * probabilities of the step before themselves. */
enum feedback { FEEDBACK_NONE, FEEDBACK_OUTPUT, FEEDBACK_GIVEN, FEEDBACK_PROBABILITIES };

struct decoder_structure {
  bool present;
  int32_t count;
  struct decoder_layer layers[STRUCTURE_MAX_DECODER_LAYERS];
  struct parts reads; /* what the first layer reads: of all parts but PART_STATE */
  struct attentional_structure attentional;
  enum feedback feedback;
  int32_t tokens;                 /* V of what is fed back */
  int32_t embedding_units;        /* E of the token; 0: one-hot, [V] wide */
  const float *embedding;         /* [V, E] */
  bool embedding_is_encoders;     /* it is the input's embedding: one tensor */
  int32_t start_token, end_token; /* -1: none */
  int32_t given_width;            /* G of the numbers that the caller gives for every step; 0: none */
  int32_t steps;                  /* Y that a call makes where the caller says nothing */
  int32_t state_width;            /* of all layers' h side by side; the c of LSTM layers lie likewise */
  /* of the vectors that a step hands to the next beside states and token, in this order; 0: not handed on.
   * The context is where with ASKS_CURRENT a layer up to the asked one reads it. */
  int32_t fed_attentional, fed_context, fed_probabilities;
  int32_t fed_width; /* of all */
};

/* Whether its steps read tokens. */
static inline bool decoder_reads_tokens(const struct decoder_structure *decoder) {
  return decoder->feedback == FEEDBACK_OUTPUT || decoder->feedback == FEEDBACK_GIVEN;
}

/* ---- output ---- */

enum head_source {
  HEAD_STEP,    /* every step of the decoder: parts of the step */
  HEAD_CONTEXT, /* the context of a model without a decoder */
  HEAD_FINAL,   /* the encoder's final h, the last layer's directions side by side */
  HEAD_MEAN,    /* of the annotations over the row's positions */
  HEAD_MAXIMUM,
  HEAD_LAST,      /* the annotation at the row's last position */
  HEAD_EVERY,     /* every position of the row */
  HEAD_POSITIONS, /* all annotations one after the other, zeros behind a row's last: of one T */
};

/* One of the vectors that a head of a model without a decoder reads side by side. */
struct head_read {
  enum head_source source; /* HEAD_EVERY is alone; HEAD_STEP is none of these */
  int32_t layer;           /* HEAD_FINAL: of the encoder */
  bool takes_c;            /* HEAD_FINAL: its c rather than its h */
  int32_t positions;       /* HEAD_POSITIONS: T */
  int32_t width;
};

/* Dense layers over a vector, the last one with softmax, log_softmax or any other activation. Heads lie side
 * by side in the array `outputs`. */
struct head {
  char name[32];
  enum head_source source; /* HEAD_STEP, or that of the first of `reads` */
  int32_t read_count;      /* 0 of HEAD_STEP */
  struct head_read reads[STRUCTURE_MAX_PARTS];
  struct parts parts; /* HEAD_STEP: of all parts */
  int32_t inputs;
  struct dense_chain layers;
  int32_t units;  /* what it gives */
  int32_t offset; /* of its first output in a row of `outputs` */
  bool
      is_tied; /* its last kernel is the transposed embedding of the decoder's token (no tensor of its own) */
};

struct output_structure {
  int32_t count; /* of heads; 0: an attention-only model */
  struct head heads[STRUCTURE_MAX_HEADS];
  int32_t width; /* V of all heads */
};

/* ---- the whole ---- */

/* The state that attends in a model that attends without a decoder. */
struct asking_structure {
  bool present;
  int32_t units;
  struct initial_structure initial;
};

struct structure {
  struct input_structure input;
  struct encoder_structure encoder;
  struct attention_structure attention;
  struct asking_structure asking;
  struct decoder_structure decoder;
  struct output_structure output;
};

/* The self-attention of an encoder's layer; NULL: none. */
static inline const struct attention_structure *
encoder_self_attention(const struct encoder_structure *encoder, const struct encoder_layer *layer) {
  return layer->self_attention > 0 ? &encoder->self_attentions[layer->self_attention - 1] : NULL;
}

/* Widths of keys and of what asks, as the score meets them, of an attention as configured that looks at
 * vectors of `width`. */
static inline int32_t attention_key_width(const struct attention_structure *attention, int32_t width) {
  return attention->key_map.units > 0 ? attention->key_map.units : width;
}
static inline int32_t attention_query_width(const struct attention_structure *attention) {
  return attention->query_map.units > 0 ? attention->query_map.units : attention->query_inputs;
}

/* Width of a part of a decoder's step; PART_STATE is the last layer's h. */
int32_t structure_part_width(const struct structure *structure, enum part part);
int32_t structure_parts_width(const struct structure *structure, const struct parts *parts);

/* Width of what one side of an encoder layer's final states gives an initial state. */
int32_t structure_final_width(const struct encoder_layer *layer, enum initial_directions directions);
/* Where a direction's final states begin among those of all layers and directions side by side, in units. */
int32_t structure_final_offset(const struct encoder_structure *encoder, int32_t layer, int direction);

/* The T that a model takes because a layer weights its positions or a head reads all of them side by side; 0:
 * any. */
int32_t structure_time(const struct structure *structure);

/* Whether a dense layer of a head normalises; or of a head or behind an encoder's layer. */
bool structure_head_norms(const struct structure *structure);
bool structure_norms(const struct structure *structure);

/* Whether rows of `outputs` are positions, as a head is over every one; otherwise they are steps, or one a
 * row. */
bool structure_is_tagger(const struct structure *structure);
/* Whether heads over rows stand beside heads over every position: what they give is the same at every
 * position. */
bool structure_is_mixed(const struct structure *structure);

#endif
