/* What the device tests share: a call that must succeed, device arrays with guard bands, a comparison that
 * NaN fails. */
#ifndef CUSEQ_TESTS_CUDA_CHECK_H
#define CUSEQ_TESTS_CUDA_CHECK_H

#include <cuda_runtime_api.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

static int check_failures;

#define CHECK_CUDA(call)                                                                                     \
  do {                                                                                                       \
    cudaError_t check_status_ = (call);                                                                      \
    if (check_status_ != cudaSuccess) {                                                                      \
      std::printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(check_status_));          \
      std::exit(1);                                                                                          \
    }                                                                                                        \
  } while (0)

/* A device array between two guard bands. Without contents it holds NaN (0xff), as poison. The emulated
 * device itself tells what is read or written outside of an allocation: there are no bands there, which would
 * hide a read. */
template <class T> class device_array {
public:
  explicit device_array(size_t count) : count_(count) {
    allocate();
  }
  explicit device_array(const std::vector<T> &values) : count_(values.size()) {
    allocate();
    if (count_)
      CHECK_CUDA(cudaMemcpy(data(), values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  device_array(const device_array &) = delete;
  device_array &operator=(const device_array &) = delete;
  ~device_array() {
    cudaFree(base_);
  }
  T *data() const {
    return (T *)(base_ + guard());
  }
  std::vector<T> read() const {
    std::vector<T> values(count_);
    if (count_)
      CHECK_CUDA(cudaMemcpy(values.data(), data(), count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
  /* Whether both guard bands are as they were. */
  bool intact() const {
    std::vector<unsigned char> all(bytes());
    CHECK_CUDA(cudaMemcpy(all.data(), base_, all.size(), cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < guard(); i++)
      if (all[i] != 0xff || all[all.size() - 1 - i] != 0xff)
        return false;
    return true;
  }

private:
  /* On a GPU: the emulated device sees for itself what is written beside an array. */
  static size_t guard() {
    static const size_t bytes = is_emulated() ? 0 : 256;
    return bytes;
  }
  static bool is_emulated() {
    cudaDeviceProp properties;
    CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
    return strstr(properties.name, "emulated") != nullptr;
  }
  size_t bytes() const {
    return count_ * sizeof(T) + 2 * guard();
  }
  void allocate() {
    CHECK_CUDA(cudaMalloc((void **)&base_, bytes() ? bytes() : 1));
    CHECK_CUDA(cudaMemset(base_, 0xff, bytes()));
  }
  size_t count_;
  char *base_ = nullptr;
};

/* |got - want| <= bound x max(1, |want|) everywhere; NaN fails. Says the worst place otherwise. */
static inline bool check_close(const char *what, const std::vector<float> &got,
                               const std::vector<double> &want, double bound) {
  size_t worst = 0;
  double most = -1.0;
  bool good = got.size() == want.size();
  for (size_t i = 0; good && i < want.size(); i++) {
    double error = std::fabs((double)got[i] - want[i]) / std::fmax(1.0, std::fabs(want[i]));
    if (!(error <= most)) {
      most = std::isnan(error) ? INFINITY : error;
      worst = i;
    }
  }
  good = good && (want.empty() || most <= bound);
  if (!good) {
    std::printf("FAILED %s: element %zu of %zu (got %.9g, want %.9g, bound %.3g)\n", what, worst, want.size(),
                worst < got.size() ? (double)got[worst] : NAN, worst < want.size() ? want[worst] : NAN,
                bound);
    check_failures++;
  }
  return good;
}

static inline void check_that(bool condition, const char *what) {
  if (!condition) {
    std::printf("FAILED %s\n", what);
    check_failures++;
  }
}

static inline int check_end(void) {
  CHECK_CUDA(cudaDeviceSynchronize());
  std::printf("%s\n", check_failures ? "FAILED" : "passed");
  return check_failures != 0;
}

#endif
