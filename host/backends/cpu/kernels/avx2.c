/* The kernels for AVX2; the build gives this file its instruction set. */
#define CPU_KERNELS cpu_kernels_avx2
#define CPU_KERNELS_NAME "AVX2"
#include "backends/cpu/kernels/table.h"
