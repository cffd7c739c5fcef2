/* The kernels for any processor. */
#define CPU_KERNELS cpu_kernels_portable
#define CPU_KERNELS_NAME "portable"
#include "backends/cpu/kernels/table.h"
