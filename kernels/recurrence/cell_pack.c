#include "kernels/launch.h"

#include <string.h>

/* Which of the four sums of a unit a gate's block of the kernels and biases goes to, or NOT for none: the
 * candidate's block of a GRU's recurrent kernel has a sum of its own, or a matrix. */
enum { SUMS = 4, NOT = -1 };
static const int lstm_sums[] = {0, 1, 2, 3};
static const int gru_sums[] = {0, 1, 2}, after_recurrent[] = {0, 1, 3}, before_recurrent[] = {0, 1, NOT};

/* from [rows, gates, H] to [rows][stride][H, 4] */
static void pack_rows(const float *from, int32_t rows, int32_t gates, const int *sums, int32_t units,
                      size_t stride, float *packed) {
  for (size_t row = 0; row < (size_t)rows; row++) {
    float *to = packed + row * stride;
    memset(to, 0, (size_t)units * SUMS * sizeof *to);
    for (int32_t gate = 0; gate < gates; gate++)
      for (int32_t j = 0; j < units && sums[gate] != NOT; j++)
        to[(size_t)j * SUMS + (size_t)sums[gate]] =
            from[(row * (size_t)gates + (size_t)gate) * (size_t)units + (size_t)j];
  }
}

static int32_t gates_of(enum cell_form form) {
  return form == CELL_FORM_LSTM ? 4 : 3;
}

void cell_pack_kernel(enum cell_form form, const float *kernel, int32_t inputs, int32_t units,
                      int32_t directions, int32_t d, float *packed) {
  size_t width = (size_t)units * SUMS;
  pack_rows(kernel, inputs, gates_of(form), form == CELL_FORM_LSTM ? lstm_sums : gru_sums, units,
            width * (size_t)directions, packed + width * (size_t)d);
}

void cell_pack_recurrent(enum cell_form form, const float *recurrent, int32_t units, int32_t d,
                         float *packed) {
  size_t width = (size_t)units * SUMS;
  const int *sums = form == CELL_FORM_LSTM              ? lstm_sums
                    : form == CELL_FORM_GRU_RESET_AFTER ? after_recurrent
                                                        : before_recurrent;
  pack_rows(recurrent, units, gates_of(form), sums, units, width, packed + width * (size_t)units * (size_t)d);
}

void cell_pack_bias(enum cell_form form, const float *bias, const float *candidate_bias, int32_t units,
                    int32_t d, float *packed) {
  size_t width = (size_t)units * SUMS;
  float *to = packed + width * (size_t)d;
  memset(to, 0, width * sizeof *to);
  if (bias)
    pack_rows(bias, 1, gates_of(form), form == CELL_FORM_LSTM ? lstm_sums : gru_sums, units, width, to);
  for (int32_t j = 0; candidate_bias && form == CELL_FORM_GRU_RESET_AFTER && j < units; j++)
    to[(size_t)j * SUMS + 3] = candidate_bias[j];
}

void cell_pack_candidate(const float *recurrent, int32_t units, int32_t d, float *packed) {
  size_t H = (size_t)units;
  for (size_t k = 0; k < H; k++)
    memcpy(packed + ((size_t)d * H + k) * H, recurrent + (k * 3 + 2) * H, H * sizeof *packed);
}
