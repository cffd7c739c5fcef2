#ifndef EMU_RUNTIME_CUDA_API_H
#define EMU_RUNTIME_CUDA_API_H

/* CUDA's own declarations, so that what is defined here has the types that programs were compiled with.
 * Everything declared in it is visible outside the library; everything else is hidden. */
#pragma GCC visibility push(default)
#include <cuda_runtime_api.h>
#pragma GCC visibility pop

#define EMU_EXPORT __attribute__((visibility("default")))

#endif
