/* The instruction families under test, one function each. */
#ifndef EMU_TEST_FAMILIES_H
#define EMU_TEST_FAMILIES_H

#define EMU_TEST_FAMILIES(X)                                                                                 \
  X(float)                                                                                                   \
  X(double)                                                                                                  \
  X(approximate)                                                                                             \
  X(compare)                                                                                                 \
  X(convert)                                                                                                 \
  X(integer)                                                                                                 \
  X(bits)                                                                                                    \
  X(warp)                                                                                                    \
  X(memory)                                                                                                  \
  X(atomics)                                                                                                 \
  X(control)                                                                                                 \
  X(half)                                                                                                    \
  X(half_compare)                                                                                            \
  X(half_convert)                                                                                            \
  X(mma)                                                                                                     \
  X(wmma)                                                                                                    \
  X(matrix_load)                                                                                             \
  X(async_copy)                                                                                              \
  X(mbarrier)                                                                                                \
  X(cluster)                                                                                                 \
  X(bodies)

#define EMU_TEST_DECLARE(name) void test_##name(void);
EMU_TEST_FAMILIES(EMU_TEST_DECLARE)

#endif
