/* The model's tensors from the arrays of their sources: transposed, gates put in order, biases added up,
 * dense layers without an activation folded in. */
#ifndef CUSEQ_ARRAYS_FILL_H
#define CUSEQ_ARRAYS_FILL_H

#include "convert/arrays/locate.h"

/* What a part reads and gives, and who says so: "as output.layers.0.units says". */
struct fill_widths {
  int64_t inputs;
  const char *inputs_by;
  int64_t units;
  const char *units_by;
};

/* Adds KEY.kernel, .recurrent_kernel and the biases that the cell has. */
cuseq_status fill_cell(struct checkpoint *checkpoint, const struct source *source,
                       const struct wanted_cell *wanted, const struct cell *cell, const char *inputs_by,
                       const char *key);

/* Reads the kernel [inputs,units] and the bias of a dense layer.
 *   bias  receives it, or no data where the layer has none */
cuseq_status fill_read_dense(struct checkpoint *checkpoint, const struct source *source,
                             const struct fill_widths *widths, struct checkpoint_array *kernel,
                             struct checkpoint_array *bias);

/* Adds KEY.kernel and, where the layer has one, KEY.bias. Where the source is residual, the last inputs, as
 * many as there are units, are added to what the module makes of the others.
 *   behind  so many of the kernel's last rows are moved before the others; 0: none */
cuseq_status fill_dense(struct checkpoint *checkpoint, const struct source *source, const struct dense *dense,
                        const char *inputs_by, int64_t behind, const char *key);

/* Adds KEY.query_map, .key_map and .value_map, each with its bias, of an nn.MultiheadAttention over vectors
 * of `width`. */
cuseq_status fill_projections(struct checkpoint *checkpoint, const struct source *source,
                              const struct attention_structure *attention, int32_t width, const char *key);

/* Reads an embedding [rows,units]. */
cuseq_status fill_read_table(struct checkpoint *checkpoint, const struct source *source,
                             const struct fill_widths *widths, struct checkpoint_array *table);

/* Reads a vector of so many numbers; the weight of a dense layer of one unit is one, too. Of an attention's
 * value its bias is passed over, of others it is refused. */
cuseq_status fill_read_vector(struct checkpoint *checkpoint, const struct source *source, int64_t size,
                              const char *size_by, struct checkpoint_array *vector);

/* Adds a vector or a matrix, and takes its data over. */
cuseq_status fill_add(struct checkpoint *checkpoint, const char *name, struct checkpoint_array *array,
                      bool vector);

#endif
