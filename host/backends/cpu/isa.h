/* Which kernels this processor runs. */
#ifndef CUSEQ_CPU_ISA_H
#define CUSEQ_CPU_ISA_H

#include "backends/cpu/kernels.h"

/* The best kernels for this processor, or those that the environment's CUSEQ_CPU_ISA names ("avx512", "avx2",
 * "portable"). CUSEQ_STATUS_NO_DEVICE for a name that is unknown or that this processor does not have. */
cuseq_status isa_pick(const struct cpu_kernels **kernels);

/* The products of a precision for these kernels, on this processor; refuses one that there is not. */
cuseq_status isa_products(const struct cpu_kernels *kernels, const char *device, cuseq_precision precision,
                          const struct cpu_products **products);

/* Screening for these kernels, on this processor; NULL: it has no instructions for it. */
const struct cpu_screening *isa_screening(const struct cpu_kernels *kernels);

/* The cores that this process may run on. */
int32_t isa_cores(void);

#endif
