/* The table of one instruction set; CPU_KERNELS and CPU_KERNELS_NAME come from the file that includes this.
 */
#include "backends/cpu/kernels/attention.h"
#include "backends/cpu/kernels/dense.h"
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/lstm.h"

const struct cpu_kernels CPU_KERNELS = {
    .name = CPU_KERNELS_NAME,
    .width = LANES,
    .lstm_step = kernel_lstm_step,
    .lstm_project = kernel_lstm_project,
    .dense = kernel_dense,
    .activate = kernel_activate,
    .exponential = kernel_exponential,
    .softmax = kernel_softmax,
    .argmax = kernel_argmax,
    .transpose = kernel_transpose,
    .dots = kernel_dots,
    .key_powers = kernel_key_powers,
    .energies = kernel_energies,
    .attend = kernel_attend,
    .merge = kernel_merge,
    .narrow = kernel_narrow,
};
