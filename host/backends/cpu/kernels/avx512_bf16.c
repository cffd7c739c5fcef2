/* Products in bf16 for AVX-512 with BF16; the build gives this file its instruction set. */
#define CPU_BF16
#include "backends/cpu/kernels/cell_step.h"

const struct cpu_products cpu_products_avx512_bf16 = {
    .word_inputs = WORD_INPUTS,
    .cell_code = kernel_cell_code,
    .cell_step = kernel_cell_step,
    .cell_end = kernel_cell_end,
    .cell_project = kernel_cell_project,
    .dense = kernel_dense,
    .cell_room = kernel_cell_room,
    .dense_room = kernel_dense_room,
};
