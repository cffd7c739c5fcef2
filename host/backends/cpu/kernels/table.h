/* The table of one instruction set; CPU_KERNELS and CPU_KERNELS_NAME come from the file that includes this.
 */
#include "backends/cpu/kernels/attention.h"
#include "backends/cpu/kernels/cell_step.h"
#include "backends/cpu/kernels/dense.h"
#include "backends/cpu/kernels/functions.h"

const struct cpu_kernels CPU_KERNELS = {
    .name = CPU_KERNELS_NAME,
    .width = LANES,
    .products = {.word_inputs = WORD_INPUTS,
                 .cell_code = kernel_cell_code,
                 .cell_step = kernel_cell_step,
                 .cell_end = kernel_cell_end,
                 .cell_project = kernel_cell_project,
                 .dense = kernel_dense},
    .activate = kernel_activate,
    .exponential = kernel_exponential,
    .log_sum = kernel_log_sum,
    .log_softmax = kernel_log_softmax,
    .softmax = kernel_softmax,
    .argmax = kernel_argmax,
    .transpose = kernel_transpose,
    .dots = kernel_dots,
    .key_powers = kernel_key_powers,
    .energies = kernel_energies,
    .attend = kernel_attend,
    .exponentials = kernel_exponentials,
    .finite = kernel_finite,
    .merge = kernel_merge,
    .narrow = kernel_narrow,
};
