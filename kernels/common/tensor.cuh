/* Products by tensor cores: the two instructions, what they take, and float32 as two numbers that they take.
 * sm_80 and later.
 *
 * A warp multiplies A [16,k] by B [k,8] and adds C [16,8]. Lane 4 g + t holds of A rows g and g + 8, of B
 * column g, of C rows g and g + 8 and columns 2 t and 2 t + 1 (the PTX manual's figures of m16n8k8 and
 * m16n8k16). Products are exact; sums are rounded towards zero by the machine, to float32's width: who adds
 * many of them, adds blocks of them in float32. */
#ifndef CUSEQ_KERNELS_TENSOR_CUH
#define CUSEQ_KERNELS_TENSOR_CUH

#include <stdint.h>

/* What the factors of a product are to them. */
enum tensor_kind {
  TENSOR_FLOAT32, /* two tf32 numbers each, of which three products are made */
  TENSOR_TF32,
  TENSOR_BF16,
  TENSOR_HALVES, /* two float16 each, of numbers that a power of two has brought near 2^15: three products */
};

/* Instructions that 16 k take, of one tile of A and for one of the products. */
__host__ __device__ static constexpr int tensor_steps(tensor_kind kind) {
  return kind == TENSOR_BF16 || kind == TENSOR_HALVES ? 1 : 2;
}
/* Registers that four k of a factor take, of one row or column. */
__host__ __device__ static constexpr int tensor_registers(tensor_kind kind) {
  return kind == TENSOR_BF16 ? 2 : 4;
}

/* c += a b, k 8: of A (g,t) (g+8,t) (g,t+4) (g+8,t+4), of B (t,g) (t+4,g), tf32; of C (g,2t) (g,2t+1)
 * (g+8,2t) (g+8,2t+1). */
__device__ __forceinline__ void tensor_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, "
      "%1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/* c += a b, k 16, two bfloat16 a register, the lower k in the lower half: of A k 2t and 2t+1 of rows g and
 * g+8, then 2t+8 and 2t+9; of B the same k of column g; C as above. */
__device__ __forceinline__ void tensor_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/* The same of float16. */
__device__ __forceinline__ void tensor_f16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

static const uint32_t TENSOR_TF32_BITS = 0xffffe000u; /* sign, 8 bits of exponent, 10 of fraction */

/* The nearest tf32, halves away from zero; what is not finite stays so. */
__device__ __forceinline__ float tensor_round(float x) {
  uint32_t rounded = 0;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
#endif
  return __uint_as_float(rounded);
}

/* The nearest number of 22 significant bits: such a one is the sum of two tf32. NaN and infinity stay what
 * they are. */
__device__ __forceinline__ float tensor_round_to_two(float x) {
  uint32_t rounded = (__float_as_uint(x) + 2u) & ~3u;
  return fabsf(x) < __uint_as_float(0x7f800000u) ? __uint_as_float(rounded) : x;
}

/* x = high + low, exactly, of what tensor_round_to_two() gives. What three products of such numbers leave
 * out, low times low, is 2^-22 of the product on average. Where x is not finite, low is NaN: so is every sum
 * then. */
__device__ __forceinline__ void tensor_split(float x, uint32_t &high, uint32_t &low) {
  high = __float_as_uint(x) & TENSOR_TF32_BITS;
  low = __float_as_uint(x - __uint_as_float(high));
}

/* The two tf32 numbers whose sum is x but for 2^-24 of it, the nearest one and the nearest to the rest: three
 * products of such numbers err as one in float32 does. Where x is not finite, so is no sum of theirs. */
__device__ __forceinline__ void tensor_part(float x, uint32_t &high, uint32_t &low) {
  const uint32_t half = 0x1000u; /* of the last bit that a tf32 has */
  high = (__float_as_uint(x) + half) & TENSOR_TF32_BITS;
  low = (__float_as_uint(x - __uint_as_float(high)) + half) & TENSOR_TF32_BITS;
}

/* Two bfloat16, the nearest ones, ties to even. */
__device__ __forceinline__ uint32_t tensor_pack(float lower, float upper) {
  uint32_t both = 0;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(upper), "f"(lower));
#endif
  return both;
}

/* ---- float32 as two float16 ---- */

/* What the lower of two halves stands for 2^-11 of: the higher one has 11 bits. */
static const float TENSOR_HALF_BITS = 2048.0f;

/* Two numbers below 2^16 as two float16 each, high + low / 2^11, the nearest ones: 23 bits and the sign of
 * low, down to 2^-14, and below that 2^-36 at most of error. What is not finite has no finite halves. */
__device__ __forceinline__ void tensor_halves(float lower, float upper, uint32_t &high, uint32_t &low) {
  uint32_t both = 0, rest = 0;
#if __CUDA_ARCH__ >= 800
  float first, second;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(upper), "f"(lower));
  asm("{\n\t.reg .b16 a, b;\n\tmov.b32 {a, b}, %2;\n\tcvt.f32.f16 %0, a;\n\tcvt.f32.f16 %1, b;\n\t}"
      : "=f"(first), "=f"(second)
      : "r"(both));
  asm("cvt.rn.f16x2.f32 %0, %1, %2;"
      : "=r"(rest)
      : "f"((upper - second) * TENSOR_HALF_BITS), "f"((lower - first) * TENSOR_HALF_BITS));
#endif
  high = both, low = rest;
}

/* The power of two by which numbers up to `most` come below 2^15, and no more than that; its inverse is one
 * of float32's normal numbers, too. */
__device__ __forceinline__ float tensor_scale(float most) {
  int exponent = 127 + 127 + 14 - (__float_as_int(most) >> 23);
  return __int_as_float(min(max(exponent, 1), 253) << 23);
}
__device__ __forceinline__ float tensor_inverse(float scale) {
  return __int_as_float((254 << 23) - __float_as_int(scale));
}

#endif
