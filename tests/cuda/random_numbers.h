/* A deterministic source of numbers. */
#ifndef CUSEQ_TESTS_CUDA_RANDOM_NUMBERS_H
#define CUSEQ_TESTS_CUDA_RANDOM_NUMBERS_H

#include <cstdint>
#include <vector>

struct random_numbers {
  uint64_t state;
  uint32_t next() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33);
  }
  /* In [-size, size). */
  std::vector<float> values(size_t count, float size) {
    std::vector<float> all(count);
    for (float &x : all)
      x = size * ((float)(next() >> 7) / 8388608.0f - 1.0f);
    return all;
  }
  /* From low to high. */
  std::vector<int32_t> integers(size_t count, int32_t low, int32_t high) {
    std::vector<int32_t> all(count);
    for (int32_t &x : all)
      x = low + (int32_t)(next() % (uint32_t)(high - low + 1));
    return all;
  }
};

#endif
