/* The kernels for AVX-512; the build gives this file its instruction set. */
#define CPU_KERNELS cpu_kernels_avx512
#define CPU_KERNELS_NAME "AVX-512"
#include "backends/cpu/kernels/table.h"
