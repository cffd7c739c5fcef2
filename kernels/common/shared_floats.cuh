/* Shared memory by the address that instructions take. */
#ifndef CUSEQ_KERNELS_SHARED_FLOATS_CUH
#define CUSEQ_KERNELS_SHARED_FLOATS_CUH

/* Floats in shared memory by the 32-bit address that instructions take. Of a pointer the compiler makes it
 * anew in every step. */
struct shared_floats {
  unsigned at;
  __device__ __forceinline__ explicit shared_floats(const float *pointer)
      : at((unsigned)__cvta_generic_to_shared(pointer)) {
    asm volatile("" : "+r"(at));
  }
  __device__ __forceinline__ shared_floats(const shared_floats &of, int offset) : at(of.at + 4 * offset) {
  }
  __device__ __forceinline__ float4 load4(int k) const {
    float4 v;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(at + 4 * k));
    return v;
  }
  /* Without a branch, which would be more than the store. */
  __device__ __forceinline__ void store(int k, float value, bool stores) const {
    asm volatile(
        "{\n\t.reg .pred p;\n\tsetp.ne.s32 p, %2, 0;\n\t@p st.shared.f32 [%0], %1;\n\t}" ::"r"(at + 4 * k),
        "f"(value), "r"((int)stores)
        : "memory");
  }
};

#endif
