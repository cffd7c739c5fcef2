/* host/backends/reference and its activations once more, with float in place of double, and the factors of
 * its products with weights rounded as a precision says. Every header that declares a double comes first.
 * Math functions and constants stay double, so that activations are rounded once; sums and products are
 * float32's. */
#include "support/reference_f32.h"

#include "backends/backend.h"
#include "error.h"
#include "session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Woverflow" /* the bound of float64 is infinite in float32 */
#pragma GCC diagnostic ignored "-Wunused-function"

#define activation_log_softmax f32_log_softmax
#define activation_normalise f32_normalise
#define activation_softmax f32_softmax
#define activation_value f32_activate
#define reference_attend f32_attend
#define reference_attend_all f32_attend_all
#define reference_bounded f32_bounded
#define reference_cell_step f32_cell_step
#define reference_decode f32_decode
#define reference_dense f32_dense
#define reference_encode f32_encode
#define reference_final_offset f32_final_offset
#define reference_head f32_head
#define reference_in_range f32_in_range
#define reference_initial f32_initial
#define reference_leaves f32_leaves
#define reference_multiply f32_multiply
#define reference_outputs f32_outputs
#define reference_self_attend f32_self_attend
#define reference_step f32_step
#define reference_store f32_store
#define backend_reference backend_f32
#define double float
#define reference_product f32_unrounded_product
#include "backends/reference/reference.h"
#undef reference_product
#define reference_product f32_product

static cuseq_precision precision; /* of the session that was opened last */

/* To the nearest number of `bits` significant bits, ties to even. */
static float to_bits(float x, int bits) {
  const uint32_t dropped = 24 - (uint32_t)bits, half = (1u << (dropped - 1)) - 1u;
  uint32_t word;
  if (!isfinite(x))
    return x;
  memcpy(&word, &x, sizeof word);
  word += half + (word >> dropped & 1u);
  word &= ~0u << dropped;
  memcpy(&x, &word, sizeof x);
  return x;
}

static float f32_product(float x, float weight) {
  if (precision == CUSEQ_PRECISION_FLOAT32)
    return x * weight;
  const int bits = precision == CUSEQ_PRECISION_BF16 ? 8 : 11;
  return to_bits(x, bits) * to_bits(weight, bits);
}

#include "backends/reference/attention.c"
#include "backends/reference/cell.c"
#include "backends/reference/decoder.c"
#include "backends/reference/encoder.c"
#include "backends/reference/initial.c"
#include "backends/reference/math.c"
#include "backends/reference/output.c"
#include "backends/reference/reference.c"
#include "model/activation.c"
#undef double

cuseq_status reference_f32_open(const cuseq_model *model, const cuseq_session_options *options,
                                cuseq_session **session) {
  cuseq_session_options opened = *options;
  opened.device = "reference";
  opened.precision = CUSEQ_PRECISION_FLOAT32; /* all that the reference's session takes */
  TRY(cuseq_session_open(model, &opened, session));
  cuseq_session *made = *session;
  made->backend->close(made->state);
  made->state = NULL;
  made->backend = &backend_f32;
  made->arrays.backend = &backend_f32;
  const cuseq_status status = backend_f32.open(made->model, &made->limits, made->device, &made->state);
  made->arrays.state = made->state;
  precision = options->precision;
  if (status != CUSEQ_STATUS_OK) {
    cuseq_session_close(made);
    *session = NULL;
  }
  return status;
}
