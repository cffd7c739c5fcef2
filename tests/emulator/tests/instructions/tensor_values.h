/* Types of matrix elements as the tensor-core tests use them. */
#ifndef EMU_TEST_TENSOR_VALUES_H
#define EMU_TEST_TENSOR_VALUES_H

#include "oracle.h"

enum element { E_F16, E_BF16, E_TF32, E_F32, E_F64, E_S8, E_U8, E_S32, E_E4M3, E_E5M2 };

const char *element_name(enum element element);
unsigned element_bytes(enum element element);
/* Bits of a number that the type holds exactly (8-bit floats: whole numbers from -8 to 8), else the nearest.
 */
uint64_t element_bits(enum element element, double value);
double element_value(enum element element, uint64_t bits);

#endif
