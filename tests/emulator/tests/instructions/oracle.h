/* What an instruction must give, worked out in wider arithmetic: binary128 with the sign of what it left out,
 * and integers of 128 bits. Nothing here shares code with the interpreter. */
#ifndef EMU_TEST_ORACLE_H
#define EMU_TEST_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

typedef __float128 wide;

/* value plus an infinitesimal of the sign of `residual`: a result rounded to 113 bits together with where the
 * exact one lies. */
struct exact {
  wide value;
  int residual;
};

enum oracle_format { F16, BF16, TF32, F32, F64, ORACLE_FORMATS };
enum oracle_rounding { RN, RZ, RM, RP, RNA };

wide oracle_value(enum oracle_format format, uint64_t bits);
bool oracle_is_nan(enum oracle_format format, uint64_t bits);
bool oracle_is_subnormal(enum oracle_format format, uint64_t bits);
uint64_t oracle_sign(enum oracle_format format, uint64_t bits);
/* bits with a subnormal replaced by the zero of its sign */
uint64_t oracle_flush(enum oracle_format format, uint64_t bits);
uint64_t oracle_nan(enum oracle_format format);

uint64_t oracle_round(enum oracle_format format, struct exact x, enum oracle_rounding rounding);
/* Rounded to an integer and clamped to its range, as cvt does. A NaN gives 0. */
uint64_t oracle_to_integer(struct exact x, enum oracle_rounding rounding, unsigned bits, bool is_signed);

struct exact oracle_sum(wide a, wide b);
struct exact oracle_product(wide a, wide b); /* of operands with at most 56 bits */
struct exact oracle_fma(wide a, wide b, wide c);
struct exact oracle_quotient(wide a, wide b);
struct exact oracle_root(wide a);

/* Reproducible 64-bit noise. */
uint64_t oracle_noise(uint64_t *state);
/* The i-th interesting bit pattern of a format, or of an integer of so many bits; *count says how many there
 * are. */
const uint64_t *oracle_edges(enum oracle_format format, int *count);
const uint64_t *oracle_integer_edges(unsigned bits, int *count);

#endif
