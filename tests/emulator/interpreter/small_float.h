/* Floating formats narrower than 32 bits, and TensorFloat-32: bits in, bits out.
 *
 * A value is widened to double without error, arithmetic happens there, and one rounding brings it back.
 * Where a sum does not fit in a double's 53 bits, it is first rounded to odd (emu_float_add_odd,
 * emu_float_fma_odd): rounding that once more to at most 24 bits gives the correctly rounded result of the
 * exact value. All functions are pure and thread safe. */
#ifndef EMU_SMALL_FLOAT_H
#define EMU_SMALL_FLOAT_H

#include <stdbool.h>
#include <stdint.h>

enum emu_rounding {
  EMU_ROUND_NEAREST_EVEN, /* .rn */
  EMU_ROUND_ZERO,         /* .rz */
  EMU_ROUND_DOWN,         /* .rm */
  EMU_ROUND_UP,           /* .rp */
  EMU_ROUND_NEAREST_AWAY, /* .rna */
};

enum emu_float_format {
  EMU_FORMAT_F16,
  EMU_FORMAT_BF16,
  EMU_FORMAT_TF32, /* kept in 32 bits like an f32 whose low 13 bits are zero */
  EMU_FORMAT_F32,
  EMU_FORMAT_E4M3, /* no infinity; NaN is 0x7f */
  EMU_FORMAT_E5M2,
};

/* What happens to a result besides its rounding. FTZ flushes a subnormal result to a zero of its sign. */
enum {
  EMU_FLOAT_FTZ = 1,
  EMU_FLOAT_SAT = 2,       /* clamp to [0,1], NaN becomes +0 */
  EMU_FLOAT_RELU = 4,      /* negative becomes +0, NaN stays NaN */
  EMU_FLOAT_SATFINITE = 8, /* beyond the largest finite number: that number */
};

/* bits of `format` as a double, exactly. NaNs become a quiet NaN of the same sign. */
double emu_float_decode(enum emu_float_format format, uint32_t bits);

/* value rounded to `format`; every NaN becomes the format's canonical NaN (0x7fff, 0x7fff, 0x7fffffff, 0x7f).
 */
uint32_t emu_float_encode(enum emu_float_format format, double value, enum emu_rounding rounding,
                          unsigned flags);

/* bits of `format` with a subnormal replaced by a zero of its sign (.ftz on an input). */
uint32_t emu_float_flush(enum emu_float_format format, uint32_t bits);

bool emu_float_is_nan(enum emu_float_format format, uint32_t bits);

/* a + b, a * b + c and an integer of 64 bits, rounded to odd in double precision. */
double emu_float_add_odd(double a, double b);
double emu_float_fma_odd(double a, double b, double c);
double emu_float_from_integer_odd(uint64_t bits, bool is_signed);

/* The two 16-bit formats alone, fast: exact widening to float. */
float emu_half_to_float(uint16_t bits);
float emu_bfloat_to_float(uint16_t bits);

/* atom.add.noftz and red.add.noftz: the sum, rounded to nearest even. */
uint16_t emu_half_add(uint16_t a, uint16_t b);
uint16_t emu_bfloat_add(uint16_t a, uint16_t b);

#endif
