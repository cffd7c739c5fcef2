#include "kernels/launch.h"

/* from [rows,4,H] to [rows][stride][H,4] */
static void pack_rows(const float *from, int32_t rows, int32_t units, size_t stride, float *packed) {
  for (int32_t row = 0; row < rows; row++)
    for (int32_t gate = 0; gate < 4; gate++)
      for (int32_t j = 0; j < units; j++)
        packed[(size_t)row * stride + (size_t)j * 4 + gate] = from[((size_t)row * 4 + gate) * units + j];
}

void lstm_pack_kernel(const float *kernel, int32_t features, int32_t units, int32_t directions, int32_t d,
                      float *packed) {
  size_t width = (size_t)units * 4;
  pack_rows(kernel, features, units, width * directions, packed + width * d);
}

void lstm_pack_recurrent(const float *recurrent, int32_t units, int32_t d, float *packed) {
  size_t width = (size_t)units * 4;
  pack_rows(recurrent, units, units, width, packed + width * units * d);
}

void lstm_pack_bias(const float *bias, int32_t units, int32_t d, float *packed) {
  size_t width = (size_t)units * 4;
  pack_rows(bias, 1, units, width, packed + width * d);
}
