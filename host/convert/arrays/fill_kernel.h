/* Kernels and biases of single layers, read and put together: what fill.c and fill_cell.c are made of. */
#ifndef CUSEQ_ARRAYS_FILL_KERNEL_H
#define CUSEQ_ARRAYS_FILL_KERNEL_H

#include "convert/arrays/fill.h"

void fill_release(struct checkpoint_array *array);

/* Reads a kernel as [inputs,units], transposed as its source says, as who named it usually has it, or as its
 * shape tells; a vector named by itself is one of one output. widths->units 0: any. */
cuseq_status fill_read_kernel(const struct source *source, struct checkpoint_tensor *tensor,
                              enum convention convention, const struct fill_widths *widths,
                              struct checkpoint_array *kernel);

/* Whether such a kernel has to be transposed: `array` is as it lies in the file. */
cuseq_status fill_choose_transposed(const struct source *source, const struct checkpoint_tensor *tensor,
                                    const struct checkpoint_array *array, const struct fill_widths *widths,
                                    enum convention convention, bool *transposed);

cuseq_status fill_read_bias(const struct source *source, struct checkpoint_tensor *tensor, int64_t units,
                            struct checkpoint_array *bias);

/* A bias of zeros, where the model has one and the module none. */
cuseq_status fill_zeros(int64_t count, struct checkpoint_array *bias);

/* Adds b to a, whichever of them there is; b goes. */
void fill_add_up(struct checkpoint_array *a, struct checkpoint_array *b);

/* All dense layers that a source goes through, as one; no data where there are none. On failure too they are
 * the caller's to release.
 *   widths  of what the part reads; receive those of what is behind
 *   kernel, bias  without data at first */
cuseq_status fill_read_front(struct checkpoint *checkpoint, const struct source *source,
                             struct fill_widths *widths, struct checkpoint_array *kernel,
                             struct checkpoint_array *bias);

/* kernel = front kernel; bias = front_bias kernel + bias. Nothing where front has no data. */
cuseq_status fill_put_behind(struct checkpoint_array *front, struct checkpoint_array *front_bias,
                             struct checkpoint_array *kernel, struct checkpoint_array *bias);

#endif
