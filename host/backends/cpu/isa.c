#include "backends/cpu/isa.h"

#include "backends/backend.h"
#include "error.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct isa {
  const char *name; /* in CUSEQ_CPU_ISA */
  const struct cpu_kernels *kernels;
};

/* Best first. */
static const struct isa isas[] = {
#if defined(CPU_X86_64)
    {"avx512", &cpu_kernels_avx512},
    {"avx2", &cpu_kernels_avx2},
#endif
    {"portable", &cpu_kernels_portable},
};

enum { ISA_COUNT = sizeof isas / sizeof *isas };

static bool isa_available(const struct cpu_kernels *kernels) {
#if defined(CPU_X86_64)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (kernels == &cpu_kernels_avx2)
    return avx2;
  if (kernels == &cpu_kernels_avx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return kernels == &cpu_kernels_portable;
}

static const struct cpu_kernels *isa_best(void) {
  for (int i = 0; i < ISA_COUNT; i++)
    if (isa_available(isas[i].kernels))
      return isas[i].kernels;
  return &cpu_kernels_portable;
}

/* The entry that the environment names; NULL for a name that is unknown. `named`: whether it names one. */
static const struct isa *isa_wanted(bool *named, const char **name) {
  *name = getenv("CUSEQ_CPU_ISA");
  *named = *name && **name;
  for (int i = 0; *named && i < ISA_COUNT; i++)
    if (strcmp(isas[i].name, *name) == 0)
      return &isas[i];
  return NULL;
}

cuseq_status isa_pick(const struct cpu_kernels **kernels) {
  bool named;
  const char *name;
  const struct isa *wanted = isa_wanted(&named, &name);
  *kernels = named ? NULL : isa_best();
  if (!named)
    return CUSEQ_STATUS_OK;
  if (!wanted)
    return error_set(
        CUSEQ_STATUS_NO_DEVICE,
        "CUSEQ_CPU_ISA: no such instruction set (found \"%.40s\", needed avx512, avx2 or portable)", name);
  if (!isa_available(wanted->kernels))
    return error_set(CUSEQ_STATUS_NO_DEVICE, "CUSEQ_CPU_ISA: this processor does not have it (found %s)",
                     name);
  *kernels = wanted->kernels;
  return CUSEQ_STATUS_OK;
}

/* Whether this processor multiplies bf16. */
static bool isa_bf16(void) {
#if defined(CPU_X86_64)
  return isa_available(&cpu_kernels_avx512) && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

cuseq_status isa_products(const struct cpu_kernels *kernels, const char *device, cuseq_precision precision,
                          const struct cpu_products **products) {
  char reason[160];
  *products = &kernels->products;
  if (precision == CUSEQ_PRECISION_FLOAT32)
    return CUSEQ_STATUS_OK;
  if (precision != CUSEQ_PRECISION_BF16)
    return backend_precision_refused(device, precision,
                                     "processors have no such products (needed float32 or bf16)");
  if (!isa_bf16()) {
    snprintf(reason, sizeof reason, "this processor lacks AVX-512 BF16 (found %s)", isa_best()->name);
    return backend_precision_refused(device, precision, reason);
  }
#if defined(CPU_X86_64)
  if (kernels == &cpu_kernels_avx512) {
    *products = &cpu_products_avx512_bf16;
    return CUSEQ_STATUS_OK;
  }
#endif
  snprintf(reason, sizeof reason, "CUSEQ_CPU_ISA chooses %s, which has none (needed avx512)", kernels->name);
  return backend_precision_refused(device, precision, reason);
}

const struct cpu_screening *isa_screening(const struct cpu_kernels *kernels) {
#if defined(CPU_X86_64)
  if (kernels == &cpu_kernels_avx512 && __builtin_cpu_supports("avx512vnni"))
    return &cpu_screening_avx512_vnni;
#else
  (void)kernels;
#endif
  return NULL;
}

int32_t isa_cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0)
    return 1;
  int32_t cores = CPU_COUNT(&set);
  return cores > 0 ? cores : 1;
}

void backend_cpu_describe(char *text, size_t capacity) {
  bool named;
  const char *name;
  const struct isa *wanted = isa_wanted(&named, &name);
  const struct cpu_kernels *kernels = wanted && isa_available(wanted->kernels) ? wanted->kernels : isa_best();
  int32_t cores = isa_cores();
  if (capacity > 0)
    snprintf(text, capacity, "%s%s, %d core%s", kernels->name,
             isa_bf16() && kernels == isa_best() ? " with BF16" : "", (int)cores, cores == 1 ? "" : "s");
}
