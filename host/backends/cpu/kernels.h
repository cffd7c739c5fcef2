/* What differs between instruction sets: one table of functions per set, all made from the sources in
 * kernels/. Every function is pure apart from the arrays it is given, allocates nothing and may run in any
 * thread. What it computes for one row has the same bits whatever the other rows are and however many there
 * are. */
#ifndef CUSEQ_CPU_KERNELS_H
#define CUSEQ_CPU_KERNELS_H

#include "cuseq/cuseq.h"
#include "model/structure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arrays that kernels read or write in whole vectors start at, and have strides of, multiples of this many
 * floats. */
enum { CPU_LANES = 16 };

/* Pre-activations are packed scaled so that activations start with a power of two or a clip: sigmoid(x) =
 * 1/(1+2^z) with z = -log2(e) x, tanh(x) = (1-2^z)/(1+2^z) with z = -2 log2(e) x, and a hard sigmoid is
 * clip(z + 0.5, 0, 1) with z = slope x: the 0.5 in the bias would have every partial sum rounded at its size,
 * which doubled the error. */
double cpu_scale_of(cuseq_activation activation);

/* Products of weights are made in float32 or, where a session asks for it, in bf16. Packed weights are words
 * of 32 bits: a weight in float32, scaled; or the weights of two inputs in bf16, the first in the low half
 * and an odd last one beside a zero, as they are in the model: the sums are scaled, so that a model whose
 * weights are bf16 loses nothing of them. */

/* Weights of more bytes than this do not stay in the third-level cache from step to step. */
enum { CPU_THIRD_LEVEL = 16 << 20 };

/* Packed weights of a dense layer: columns in groups of 4, then 2, then 1 vectors. */
struct cpu_dense {
  const float *weights; /* per group [words of the inputs][vectors][width] */
  const float *bias; /* [units rounded up to width]; zeros where the layer has none                       */
  float scale;       /* of the sums; looked at in bf16 */
  int32_t inputs;
  int32_t units;
  bool far; /* of a layer that comes from memory at every step, whose columns threads may share */
};

/* Some of the blocks of a cell's units, or of the vectors of a dense layer's columns: what one thread makes
 * of a product that several share. The sums of a column do not depend on the part that it is in. */
struct cpu_part {
  int32_t first;
  int32_t count;
};

/* The columns of a part as a layer of its own, for vectors of `width` and words of `word_inputs` weights. The
 * part begins at a multiple of 4 vectors, so that all columns are in the groups that they are in anyway. */
static inline struct cpu_dense cpu_dense_part(const struct cpu_dense *dense, struct cpu_part part,
                                              int32_t width, int32_t word_inputs) {
  const int32_t from = part.first * width, most = part.count * width, left = dense->units - from;
  struct cpu_dense of = *dense;
  of.weights += (size_t)((dense->inputs + word_inputs - 1) / word_inputs) * (size_t)from;
  of.bias += from;
  of.units = left < most ? left : most;
  return of;
}

/* Packed weights of a recurrent cell: units in blocks of `width` (the kernels' vector), the gates side by
 * side. Lanes past the last unit are zero. The four sums of a unit: LSTM i, f, c, o; GRU z, r, n of the
 * input, n of the hidden state.
 *
 * Where the units of an LSTM's last block fill at most half of a vector of 16, or a quarter, it is the cell's
 * tail: its sums share two vectors or one, [i f] [c o] or [i f c o], and so do the weights that add to them.
 * The bias, and all other arrays of sums, are so in the tail's place too, which stays as large as any
 * block's; what lies behind them there is not looked at. */
struct cpu_cell {
  enum cell_kind kind;
  bool reset_after; /* GRU */
  /* [blocks but the tail] of [words of the inputs][gates][width], then [words of the units][gates][width]; a
   * GRU with its reset before the product has no n in the second */
  const float *weights;
  /* the same weights once more for one row, of blocks in fours that lie side by side: [fours] of [words][4]
   * [gates][width]; NULL: it reads those above */
  const float *beside;
  const float *tail;          /* [words of the inputs, then of the units][tail_vectors][width] */
  int32_t tail_vectors;       /* 2 or 1; 0: there is no tail */
  const float *bias;          /* [blocks][four sums][width], scaled as the weights are */
  float scale[4];             /* of the four sums; looked at in bf16 */
  struct cpu_dense candidate; /* GRU with its reset before the product: U_n */
  /* [tokens][blocks][gates][width] what each token's embedding adds to the sums of the input, in the place of
   * weights that would be multiplied with it; NULL: the cell reads no such token */
  const float *token_sums;
  int32_t inputs;
  int32_t units;
  int32_t blocks;    /* the tail is one of them */
  size_t block_size; /* the weights of a block that is not the tail, in floats */
  int32_t code;      /* which of the kernels' code is made for it: what cell_code() said */
  cuseq_activation activation;
  cuseq_activation recurrent_activation;
};

/* tail_vectors of a cell of so many units. A GRU has none: its inputs and its state add to different sums,
 * and zeros as the weights of the others would make NaN of infinities. */
static inline int32_t cpu_tail_vectors(enum cell_kind kind, int32_t units, int32_t width) {
  const int32_t last = (units - 1) % width + 1;
  return kind != CELL_LSTM || width != CPU_LANES ? 0 : 4 * last <= width ? 1 : 2 * last <= width ? 2 : 0;
}

/* A cell that reads `inputs` of what this one reads, from a word of the weights on, for cell_project(). Its
 * state is an LSTM's last input; a GRU's has other gates. */
static inline struct cpu_cell cpu_cell_inputs(const struct cpu_cell *cell, int32_t word, int32_t inputs,
                                              int32_t width) {
  struct cpu_cell of = *cell;
  of.weights += (size_t)word * (size_t)(cell_gates(cell->kind) * width);
  of.tail += (size_t)word * (size_t)(cell->tail_vectors * width);
  of.inputs = inputs;
  return of;
}

enum { CPU_SEGMENTS = STRUCTURE_MAX_PARTS + 2 };

/* How a step's input is put together: sums = bias + (a gathered row) + sum over segments of in[s] . weight
 * rows; and where `has_hidden`, in[segments] is the previous hidden state, whose weights come behind those of
 * all inputs. At last comes the token's row of the cell's token_sums. */
struct cpu_cell_step {
  const struct cpu_cell *cell;
  int32_t segments;
  int32_t
      first[CPU_SEGMENTS]; /* the segment's first row of the weights; of the hidden state the cell's inputs */
  int32_t count[CPU_SEGMENTS]; /* of the hidden state too */
  bool has_hidden;
  int32_t hot_first;    /* the weights' row of id 0, or -1: nothing is gathered */
  struct cpu_part part; /* the blocks that are made */
  bool started;         /* the sums start from the rows' `start`, not from the bias */
  /* The units' blocks are taken from the last to the first. Where every other step is so, it begins with the
   * weights that are still in the caches from the one before; else weights a little larger than a cache are
   * never found in it. */
  bool turned;
  void *room; /* bf16: cell_room() bytes for as many rows */
};

struct cpu_cell_row {
  const float *in[CPU_SEGMENTS]; /* [count[s]] each, any alignment */
  float *state;                  /* [blocks*width] LSTM: c, GRU: h once more; replaced */
  float *out;                    /* [units] the new hidden state; must not overlap `in` */
  float *copy;                   /* [units] a second place for it, or NULL */
  float *gates;       /* GRU with its reset before the product: [4][blocks*width] of scratch, from row to row
                                    at one distance */
  int32_t hot;        /* the id to gather where hot_first >= 0, or whose token_sums are added */
  const float *start; /* [blocks][four sums][width] what cell_project() made, where the step is `started` */
};

/* The energies of keyed scores: e_t = layers(act_1(key_t + query)). Keys and query come scaled for act_1. */
struct cpu_energy {
  int32_t layers; /* those after the first; 0: e_t = act_1(key_t + query)                            */
  int32_t units[CUSEQ_MAX_ATTENTION_LAYERS]; /* [0]: of the keys; [l]: of the l-th layer after */
  cuseq_activation activation[CUSEQ_MAX_ATTENTION_LAYERS];
  const float
      *weights[CUSEQ_MAX_ATTENTION_LAYERS]; /* [l] row-major [units[l-1]][units[l]], scaled; [0] unused */
  const float *bias[CUSEQ_MAX_ATTENTION_LAYERS]; /* [l] [units[l]], scaled                                */
  float scale;
};

/* Which part of an attention step is not finite. */
enum cpu_attended { CPU_ATTENDED, CPU_ATTENDED_ENERGIES, CPU_ATTENDED_CONTEXT };

/* Products with weights, in one precision. */
struct cpu_products {
  int32_t word_inputs; /* weights in a word: 1, in bf16 2 */

  /* `code` of a cell that has everything else but its weights. */
  int32_t (*cell_code)(const struct cpu_cell *cell);

  /* One time step of `count` rows; of a GRU with its reset before the product z, x W_n and r h. */
  void (*cell_step)(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count);

  /* The end of a step of a GRU with its reset before the product, when all parts of it are made: the part
   * begins at a multiple of 4 blocks. */
  void (*cell_end)(const struct cpu_cell_step *step, const struct cpu_cell_row *rows, int32_t count);

  /* The first part of a step's sums for `count` rows of any steps, out = bias + in[0] . the weights of the
   * inputs, as `start` has it. A step that goes on from there has the bits of one that makes the whole sum.
   * `turned`: the units' blocks are taken from the last to the first, as in cpu_cell_step. */
  void (*cell_project)(const struct cpu_cell *cell, const struct cpu_cell_row *rows, int32_t count,
                       struct cpu_part part, bool turned, void *room);

  /* out[i] = bias + in[i] . weights for `count` rows; whole vectors are written at out + i*out_stride.
   * `turned`: the columns are taken from the last to the first, as in cpu_cell_step. room: bf16: dense_room()
   * bytes for as many rows */
  void (*dense)(const struct cpu_dense *dense, const float *const *in, int32_t count, float *out,
                size_t out_stride, bool turned, void *room);

  /* Bytes of room for `count` rows of such a cell or dense layer; NULL in float32, which needs none. */
  size_t (*cell_room)(int32_t inputs, int32_t units, int32_t count);
  size_t (*dense_room)(int32_t inputs, int32_t count);
};

struct cpu_kernels {
  const char *name; /* "AVX-512", "AVX2", "portable" */
  int32_t width; /* floats in a vector                                                                    */
  struct cpu_products products; /* in float32 */

  /* x = activation(x), x unscaled, in whole vectors: [count rounded up to width]. */
  void (*activate)(cuseq_activation activation, float *x, int32_t count);

  /* x = exp(x), the same way: what the softmaxes use. */
  void (*exponential)(float *x, int32_t count);

  /* The logarithm of the sum of exp(x - top) over x [count], of which `top` is the largest: log(softmax(x))
   * is (x - top) - log_sum. Whole vectors are read. */
  float (*log_sum)(const float *x, int32_t count, float top);

  /* out [count] = (x - top) - log_sum, out unpadded. Whole vectors are read. */
  void (*log_softmax)(const float *x, int32_t count, float top, float log_sum, float *out);

  /* out [count] = softmax(x [count]), out unpadded, may be x. x is read and overwritten in whole vectors;
   * what lies past count is ignored. */
  void (*softmax)(float *x, int32_t count, float *out);

  /* The index of the largest value, the lowest of equal ones; 0 where the first is NaN. *finite receives what
   * finite() says of x. Whole vectors are read. */
  int32_t (*argmax)(const float *x, int32_t count, bool softmax, bool *finite);

  /* out [columns][out_stride] = the transpose of in [rows][in_stride]; whole width x width blocks are moved.
   */
  void (*transpose)(const float *in, size_t in_stride, int32_t rows, int32_t columns, float *out,
                    size_t out_stride);

  /* e[t] = scale * (bias + a_t . v) for t < length: a [length][stride], `width` columns of it, v zero past
   * them. Reads and writes whole vectors of t. */
  void (*dots)(const float *a, size_t stride, int32_t columns, const float *v, float bias, float scale,
               int32_t length, float *e);

  /* keys = 2^keys, in whole vectors of t < length, where the score is a tanh layer and one unit and the
   * powers are representable: 1; else the keys stay as they are: 0. */
  int32_t (*key_powers)(const struct cpu_energy *energy, float *keys, size_t stride, int32_t length);

  /* e[t] for t < length from keys [units[0]][stride] and query [units[0]]; `powers`: what key_powers said of
   * the keys. scratch: [2][largest units][CPU_LANES]. */
  void (*energies)(const struct cpu_energy *energy, const float *keys, size_t stride, int32_t powers,
                   const float *query, int32_t length, float *scratch, float *e);

  /* e = softmax(e) over t < length, zero up to the whole vector; context [columns] = sum of e_t a_t, in whole
   * vectors. Says what of it is not finite. */
  enum cpu_attended (*attend)(const float *a, size_t stride, int32_t columns, int32_t length, float *e,
                              float *context);

  /* e = exp(e - the largest) over t < length, zero up to the whole vector: softmax but for the division by
   * the sum, which it returns. It is not finite where softmax is not. */
  float (*exponentials)(float *e, int32_t length);

  /* Whether all of x [count] is finite; with `softmax` whether its softmax is: minus infinity gives 0 there.
   * Whole vectors are read, and what lies past count is ignored. */
  bool (*finite)(const float *x, int32_t count, bool softmax);

  /* out = in1 (op) in2 element by element: the merges sum, mul, ave. Whole vectors. */
  void (*merge)(cuseq_merge merge, const float *in1, const float *in2, int32_t count, float *out);

  /* out [count] = in rounded to float32. */
  void (*narrow)(const double *in, int32_t count, float *out);
};

/* A dense layer's weights in 8 bits, a scale for each column, by which the column with the largest sum is
 * looked for: a quarter of the bytes. A sum made of them is off by at most what `errors` tell. */
enum { SCREEN_COLUMNS = 64, SCREEN_ERRORS = 3, SCREEN_INPUTS = 4 };
struct cpu_screen {
  /* [groups of SCREEN_COLUMNS] of [fours of inputs][columns][SCREEN_INPUTS]; zeros where there is no input or
   * column */
  const int8_t *weights;
  const float *scale;   /* [columns of whole groups] */
  const float *bias;    /* [columns of whole groups]; far below all numbers where there is no column */
  const int32_t *start; /* [columns of whole groups] what the inputs' offset of 128 adds to the sum, less */
  /* [CPU_LANES columns of whole groups][SCREEN_ERRORS] what no column's error is above: times the length of
   * the inputs, times the length of what they lose, and alone */
  const float *errors;
  int32_t inputs;
  int32_t units;
};

/* A row that is screened. */
struct cpu_screen_row {
  uint8_t *inputs; /* [inputs in whole vectors] in 8 bits, 128 more than they are */
  float scale;
  float length; /* Euclidean, of the inputs */
  float lost;   /* the same of what they lose */
  float *most;  /* [columns of whole groups] what no sum is above */
};

struct cpu_screening {
  /* Makes all of a row's members but `most`, and its inputs, of x [count]. False where x is not finite, or
   * too large or small for it. */
  bool (*begin)(const float *x, int32_t count, struct cpu_screen_row *row);

  /* Makes `most` of the columns of some groups for `count` rows; least[i] receives what the largest sum of
   * row i among them is not below. */
  void (*groups)(const struct cpu_screen *screen, struct cpu_part part, const struct cpu_screen_row *rows,
                 int32_t count, float *least);

  /* The groups of which a sum may be as large as `least`: their numbers to `found` [room], in order; returns
   * how many there are, room + 1 where they are more. */
  int32_t (*select)(const struct cpu_screen *screen, const float *most, float least, int32_t *found,
                    int32_t room);
};

extern const struct cpu_kernels cpu_kernels_portable;
#if defined(__x86_64__)
extern const struct cpu_kernels cpu_kernels_avx2;
extern const struct cpu_kernels cpu_kernels_avx512;
/* for sessions whose kernels are AVX-512's, on processors that have these instructions */
extern const struct cpu_products cpu_products_avx512_bf16;
extern const struct cpu_screening cpu_screening_avx512_vnni;
#endif

#endif
