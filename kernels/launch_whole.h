/* The part of launch.h, which includes this file, for whole models of any structure in one launch: a block
 * makes a row from its input to its last token. What launch.h says of pointers, launchers and errors holds
 * here as well.
 *
 * The structure is data in device memory, which every block copies into its shared memory; what the decoder's
 * loop takes of it is in launch_loop.h. Models of version 1 have a kernel of their own
 * (launch_whole_model). */
#ifndef CUSEQ_KERNELS_LAUNCH_WHOLE_H
#define CUSEQ_KERNELS_LAUNCH_WHOLE_H

#include "kernels/launch_loop.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WHOLE_ANY_LAYERS_MOST = 4,
  WHOLE_ANY_HEADS_MOST = 4,
  WHOLE_ANY_CHAIN_MOST = 2,
  WHOLE_ANY_UNITS_MOST = 64,
  WHOLE_ANY_TIME_MOST = 512,
  WHOLE_ANY_KEPT_MOST = 80
};

/* A dense layer over every position; units 0: none. */
struct whole_dense {
  int32_t inputs, units;
  const float *d_kernel, *d_bias; /* [inputs,units]; [units] or NULL */
  cuseq_activation activation;
};

/* A layer of the encoder: one direction, or two whose cells are alike. */
struct whole_any_layer {
  enum cell_form form; /* not GRU_RESET_BEFORE */
  int32_t inputs, units, directions, is_backward;
  cuseq_activation activation, recurrent_activation; /* those of struct sequence */
  const float *d_kernel, *d_recurrent, *d_bias;      /* packed as launch_recurrence.h says */
  cuseq_merge merge;                                 /* of two directions */
  int32_t merged_width, residual, width;             /* width: of what the layer gives */
  int32_t states;                                    /* units of the layers before it */
  struct whole_dense dense;
};

/* What a head of a model without a decoder reads. */
enum whole_source { WHOLE_CONTEXT, WHOLE_FINAL, WHOLE_MEAN, WHOLE_MAXIMUM, WHOLE_LAST, WHOLE_EVERY };
struct whole_head {
  enum whole_source source;
  struct loop_initial final; /* WHOLE_FINAL */
  struct loop_chain layers; /* the last one without bias and activation: these are here; reads from read_at */
  const float *d_bias;
  cuseq_activation activation;
  int32_t inputs, read_at, units, offset; /* offset: in a row of the outputs */
};

/* A model; device memory. Of models without a decoder `loop` has no layers, but what attends and what heads
 * use. */
struct whole_any_model {
  struct loop_model loop;
  int32_t layers;
  struct whole_any_layer layer[WHOLE_ANY_LAYERS_MOST];
  const float
      *d_table; /* [ids,E] what the first layer reads of an id; NULL: its own kernel has rows for ids */
  int32_t keys, values; /* layers that make them; 0: the annotations themselves */
  struct whole_dense key[WHOLE_ANY_CHAIN_MOST], value[WHOLE_ANY_CHAIN_MOST];
  struct loop_initial asking; /* no decoder: the state that asks, `asking_units` at asking_at */
  int32_t asking_units, asking_at;
  int32_t heads, outputs; /* outputs: of all heads */
  struct whole_head head[WHOLE_ANY_HEADS_MOST];
  /* Weights that are read again and again, and where in this structure their pointers lie (bytes): those that
   * there is room for are copied into shared memory. */
  int32_t kept_count;
  struct {
    const float *d_weights;
    int32_t at, floats;
  } kept[WHOLE_ANY_KEPT_MOST];
};

/* What of a model decides where its arrays lie; widths in floats. */
struct whole_any_sizes {
  int32_t loop;            /* the loop's vectors without its energies */
  int32_t layers;          /* of the encoder */
  int32_t columns, width;  /* the widest layer's D H, and the widest vector of a position */
  int32_t states;          /* of all layers and directions */
  int32_t dense_inputs[2]; /* the widest that layers multiply of rows: of a call with dense input, with ids */
  int32_t keys, values;    /* of a position; 0: none */
  int32_t between;         /* of a position, between two layers that make keys or values */
  int32_t moves;           /* not 0: a layer's annotations are made of another array's */
  int64_t kept;            /* all weights that are kept */
};

/* A call. Of `loop` d_model, shared_floats, encoded, d_rows, d_keys, d_values, d_final_h and d_final_c are
 * not looked at. */
struct whole_any {
  const struct whole_any_model *d_model;
  struct whole_any_sizes sizes;
  struct loop loop;
  const int32_t *d_ids;                   /* [B,T], or NULL */
  const float *d_x;                       /* [B,T,features] otherwise */
  const float *d_initial_h, *d_initial_c; /* as d_final_h; NULL: zeros */
  float *d_annotations;                   /* [B,T,A], zeros at t >= a row's length */
  float *d_final_h, *d_final_c; /* a block [B,H] for each direction of each layer; c of a GRU: zeros */
};

/* Whether a model of these sizes runs in one launch over T positions. */
int32_t whole_any_possible(const struct whole_any_sizes *sizes, int32_t time, int32_t takes_ids,
                           const struct launch_device *device);
cuseq_status launch_whole_any(const struct whole_any *arguments, const struct launch_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
