/* What the layers of Keras compute, one function for each kind; layers.c chooses. Each reads call->inputs and
 * call->states and makes its outputs, or refuses in the layer's name. */
#ifndef CUSEQ_KERAS_LAYERS_H
#define CUSEQ_KERAS_LAYERS_H

#include "convert/keras/evaluate.h"

/* layers_recurrent.c */
cuseq_status layer_recurrent(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_bidirectional(struct evaluator *evaluator, struct layer_call *call);

/* layers_cells.c */
cuseq_status layer_cell(struct evaluator *evaluator, struct layer_call *call);

/* layers_source.c */
/* The shape that an input layer gives, with the batch: a list, or NULL. */
const json_t *layer_input_shape(const struct keras_layer *layer);
cuseq_status layer_input(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_embedding(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_masking(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_zeros_like(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_argmax(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_one_hot(struct evaluator *evaluator, struct layer_call *call);

/* layers_normal.c */
cuseq_status layer_batch_normalization(struct evaluator *evaluator, struct layer_call *call);
/* The layer normalisation of such a configuration, of the features. */
cuseq_status layer_normalise(struct evaluator *evaluator, struct layer_call *call, const json_t *config,
                             struct value *value);
cuseq_status layer_layer_normalization(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_normalization(struct evaluator *evaluator, struct layer_call *call);
cuseq_status batch_normalise(struct evaluator *evaluator, struct layer_call *call, const json_t *config,
                             struct value *value);
cuseq_status layer_rescaling(struct evaluator *evaluator, struct layer_call *call);

/* layers_slice.c */
cuseq_status layer_get_item(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_take(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_split(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_unstack(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_flip(struct evaluator *evaluator, struct layer_call *call);

/* layers_shape.c */
cuseq_status layer_identity(struct evaluator *evaluator, struct layer_call *call);
/* A vector as so many parts of it, one after the other; and the other way round. */
cuseq_status steps_of_vector(struct evaluator *evaluator, const struct keras_layer *layer, int32_t steps,
                             int32_t *expression);
cuseq_status vector_of_steps(struct evaluator *evaluator, const struct keras_layer *layer,
                             int32_t *expression);
cuseq_status layer_repeat_vector(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_reshape(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_flatten(struct evaluator *evaluator, struct layer_call *call);
/* Whether a value is [batch, time, ..] of a known time, over a sequence that the model is given; and all
 * positions of such a one, of numbers or vectors, side by side. */
bool flatten_fits(const struct evaluator *evaluator, const struct value *value);
cuseq_status flatten_apply(struct evaluator *evaluator, const struct keras_layer *layer, struct value *value);
cuseq_status layer_repeat(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_permute(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_transpose(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_expand_dims(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_squeeze(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_concatenate(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_stack(struct evaluator *evaluator, struct layer_call *call);

/* layers_convolution.c */
cuseq_status layer_convolution(struct evaluator *evaluator, struct layer_call *call);

/* layers_dense.c */
cuseq_status layer_dense(struct evaluator *evaluator, struct layer_call *call);
/* A Dense layer of such a configuration, the call's layer itself or the one in it, of `value`. */
cuseq_status dense_apply(struct evaluator *evaluator, struct layer_call *call, const json_t *config,
                         const struct value *value);

/* layers_distributed.c */
cuseq_status layer_time_distributed(struct evaluator *evaluator, struct layer_call *call);
/* Whether a value is [batch, time, n, features], its n vectors a position as steps; makes one of
 * [batch, time, n x features]; and the other way round. */
bool value_is_segments(const struct expressions *expressions, const struct value *value);
cuseq_status segments_make(struct evaluator *evaluator, const struct keras_layer *layer, int64_t vectors,
                           struct value *value);
cuseq_status segments_join(struct evaluator *evaluator, const struct keras_layer *layer, struct value *value);

/* layers_positions.c: a Dense layer over an axis of positions, the last one. */
cuseq_status dense_positions(struct evaluator *evaluator, struct layer_call *call, const json_t *config);
/* Refuses a product with what such a layer makes where that is not the weights of the other factor. */
cuseq_status positions_check_product(const struct evaluator *evaluator, const struct keras_layer *layer,
                                     int32_t product);
/* Whether softmax_apply() along the axis of positions makes weights of what such a layer gives, each
 * element's by themselves. */
bool is_positions_softmax(const struct evaluator *evaluator, const struct value *value, int32_t axis);

/* layers_activation.c */
cuseq_status layer_activation(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_softmax(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_log_softmax(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_relu(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_leaky_relu(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_prelu(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_elu(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_gelu(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_function(struct evaluator *evaluator, struct layer_call *call);

/* layers_merge.c */
cuseq_status layer_add(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_multiply(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_subtract(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_divide(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_negative(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_average(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_maximum(struct evaluator *evaluator, struct layer_call *call);

/* layers_product.c */
cuseq_status layer_dot(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_matmul(struct evaluator *evaluator, struct layer_call *call);

/* layers_pool.c */
cuseq_status layer_sum(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_mean(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_largest(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_average_pooling(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_maximum_pooling(struct evaluator *evaluator, struct layer_call *call);
/* The largest, or the mean, of some vectors. */
cuseq_status vectors_pool(struct evaluator *evaluator, const struct keras_layer *layer, bool maximum,
                          const int32_t *vectors, int32_t count, int32_t *made);

/* layers_thin.c */
cuseq_status layer_pool_maximum(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_pool_mean(struct evaluator *evaluator, struct layer_call *call);

cuseq_status layer_cropping(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_zero_padding(struct evaluator *evaluator, struct layer_call *call);

/* A sequence without `first` positions at its beginning and `last` at its end; axis 1 is that of the time. */
cuseq_status crop_apply(struct evaluator *evaluator, const struct keras_layer *layer, int64_t first,
                        int64_t last, struct value *value);

/* Some neighbouring positions, which were taken one by one, as the sequence that they are a part of, cropped;
 * what is something else stays. */
cuseq_status steps_as_sequence(struct evaluator *evaluator, const struct keras_layer *layer,
                               struct value *value);

/* layers_convolution.c: the sequence over the clock that has not the first `count` positions. */
cuseq_status cut_apply(struct evaluator *evaluator, const struct keras_layer *layer, int32_t count,
                       struct value *value);

/* Every stride-th position of a sequence, as long as `reach` positions are left. */
cuseq_status thin_apply(struct evaluator *evaluator, const struct keras_layer *layer, int64_t reach,
                        int64_t stride, struct value *value);

/* Of a sequence the `reach` positions of each window that begins every `stride` positions, side by side. */
cuseq_status thin_window(struct evaluator *evaluator, const struct keras_layer *layer, int64_t reach,
                         int64_t stride, struct value *value);

/* A setting of one number, which Keras also writes as a list of one. */
cuseq_status settings_size(const struct keras_layer *layer, const char *key, int64_t fallback, int64_t *size);

/* layers_attention.c */
cuseq_status layer_attention(struct evaluator *evaluator, struct layer_call *call);
cuseq_status layer_additive_attention(struct evaluator *evaluator, struct layer_call *call);

/* layers_multi_head.c */
cuseq_status layer_multi_head_attention(struct evaluator *evaluator, struct layer_call *call);

/* activation.c: what stands where a layer names its activation. */
struct named_activation {
  cuseq_activation kind;
  bool over_axis_1; /* a softmax of the author's own, over axis 1; Keras' is over the last one */
  bool said;        /* the user says that it is the author's own, and means this */
};

/* The activation of Keras' that has a name, as the Keras of this major version computes it; false: none. */
bool activation_named(const char *name, int major, cuseq_activation *kind);

/* The activation that a setting names; `absent` is meant where there is none. */
cuseq_status activation_parse(struct evaluator *evaluator, const struct keras_layer *layer,
                              const json_t *setting, cuseq_activation absent,
                              struct named_activation *activation);

/* Applies an activation. */
cuseq_status activation_apply(struct evaluator *evaluator, const struct keras_layer *layer,
                              struct named_activation activation, struct value *value);

/* What a Conv1D has, as its configuration and its weights say.
 *   window    places of the kernel; between two of them lie dilation - 1 positions that are not read
 *   array     the kernel in the file */
struct convolution {
  int64_t window, dilation, strides;
  int32_t kernel, bias; /* matrices [window x inputs, filters], [1, filters] or -1 */
  const struct hdf5_node *array;
  struct named_activation activation;
};

/* layers_convolution.c: `layer` has the configuration and `owner` the weights; it reads vectors of
 * `width`. */
cuseq_status convolution_read(struct evaluator *evaluator, const struct keras_layer *layer,
                              const struct keras_layer *owner, int32_t width,
                              struct convolution *convolution);

/* An expression times a number. */
cuseq_status scale_make(struct evaluator *evaluator, const struct keras_layer *layer, double scalar,
                        int32_t child, int32_t *expression);

/* An expression times the row vector `factors` plus the row vector `terms`, elementwise, for a value or each
 * of its steps; NULL: none. Both are as wide as the value. */
cuseq_status affine_apply(struct evaluator *evaluator, const struct keras_layer *layer, const double *factors,
                          const double *terms, struct value *value);

/* The sum of a vector's elements, each times an element of the row vector `scale` (NULL: ones). */
cuseq_status weighted_sum(struct evaluator *evaluator, const struct keras_layer *layer, const float *scale,
                          int32_t child, int32_t *expression);

/* The vector at one position of an axis of positions, which goes. */
cuseq_status position_apply(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                            int64_t position, struct value *value);

/* The node that masks a layer which an expression is computed of, position by position or otherwise; NULL:
 * none. */
const struct graph_node *masked_below(const struct expressions *expressions, int32_t expression);

/* Whether padded positions hold the row's last vector again: so they do where an expression is computed,
 * position by position, of what a masked layer gives that reads forwards, unless Keras is told otherwise. */
bool padding_repeats(const struct expressions *expressions, int32_t expression);

/* Whether a value is an input [batch, n] as it is given, but for axes of one entry behind it. */
bool input_is_vector(const struct evaluator *evaluator, const struct value *value);

/* Takes such an input as a sequence of so many positions, [batch, positions, width], and says so. */
cuseq_status input_as_sequence(struct evaluator *evaluator, int64_t positions, int32_t width,
                               struct value *value);

/* The axis that holds a vector's elements. */
static inline struct axis axis_of_width(int32_t width) {
  return width == 1 ? (struct axis){AXIS_REPEAT, 1, 0} : (struct axis){AXIS_FEATURE, width, 0};
}

/* Softmax along an axis. */
cuseq_status softmax_apply(struct evaluator *evaluator, const struct keras_layer *layer, int32_t axis,
                           struct value *value);

/* The logarithm of a softmax along the last axis. */
cuseq_status log_softmax_apply(struct evaluator *evaluator, const struct keras_layer *layer,
                               struct value *value);

/* Sums the products of weights and vectors over the encoder's positions: the context. `axis` is the time
 * axis, which goes, and counts them by `clock`. `weights` must be a softmax over the positions. */
cuseq_status context_make(struct evaluator *evaluator, const struct keras_layer *layer, int32_t clock,
                          int32_t weights, int32_t vectors, int32_t *context);

/* mask.c: before a call, refuses masks that it is given, unless they are those that its inputs have
 * anyway, and takes away those that it is told not to use. */
cuseq_status mask_before(const struct evaluator *evaluator, struct layer_call *call);

/* One mask that is given with input `at`: none, the one that the input has, or an input of the model, which
 * lengths stand for. */
cuseq_status mask_check_given(const struct layer_call *call, const struct graph_argument *given, size_t at);

/* mask_attention.c: whether a layer is Keras' attention of one head, which uses the masks of query and value
 * alone. */
bool mask_is_attention(const struct keras_layer *layer);

/* Refuses, in Keras 3, an attention whose file gives it no mask, where it is not certain which it finds. */
cuseq_status mask_check_attention(const struct evaluator *evaluator, const struct layer_call *call);

/* mask_before's of a MultiHeadAttention. */
cuseq_status mask_of_heads(const struct evaluator *evaluator, const struct layer_call *call);

/* Behind a call, takes away the masks that its layer does not hand on. */
cuseq_status mask_behind(const struct evaluator *evaluator, struct layer_call *call);

/* settings.c: refuses a layer that computes with rounded numbers, and marks one that computes in half
 * precision. */
cuseq_status settings_check(const struct keras_layer *layer);

/* Adds a line for each policy of half precision that layers were marked with. */
cuseq_status settings_note_half(struct evaluator *evaluator);

/* Whether all layers that compute with fractions, and the inputs, have the same dtype. */
bool settings_have_one_precision(const struct keras_model *model);

/* Whether a layer, or what is in it, has weights of bfloat16. */
bool settings_store_bfloat16(const struct keras_layer *layer);

/* Whether a layer, or what is in it, computes something else while it is trained: drops, adds noise, takes
 * the batch's own mean. A model may. */
bool settings_differ_in_training(const struct keras_layer *layer);

/* Refuses a data_format other than channels_last. */
cuseq_status settings_channels_last(const struct keras_layer *layer);

/* arguments.c: refuses what a call has beside tensors and is not known, so that nothing is passed over.
 *   known  words: the keywords that the layer's function reads; !KEY: one that must be off; #: numbers are
 *          read too */
cuseq_status arguments_check(const struct layer_call *call, const char *known);

/* A setting of an operation: among the call's keywords (TensorFlow's), or in its configuration. NULL:
 * none. */
const json_t *call_setting(const struct layer_call *call, const char *key);

/* An axis as call_setting has it; the value's own must exist. */
cuseq_status call_axis(const struct layer_call *call, const struct value *value, const char *key,
                       int64_t fallback, int32_t *axis);

/* The number among a MultiHeadAttention's tensors of the one that it is given as query, value or key;
 * input_count: none. */
size_t call_input_named(const struct layer_call *call, const char *name);

/* Refuses unless the call has from `least` to `most` tensors. */
cuseq_status call_arity(const struct layer_call *call, size_t least, size_t most);

/* Applies a map from one expression to one to a value, or to each step of one that has an AXIS_STEP. */
typedef cuseq_status (*expression_map)(struct evaluator *evaluator, void *context, int32_t child,
                                       int32_t *expression);
cuseq_status value_map(struct evaluator *evaluator, struct value *value, expression_map map, void *context);

#endif
