// cuBLAS: products in every form against sums taken in double, vectors, pointer modes, capture, refusals.
#include "check.h"

#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <math.h>
#include <vector>

#define BLAS(call, wanted) CHECK_EQUAL(call, wanted)
#define GOOD(call) CHECK_EQUAL(call, CUBLAS_STATUS_SUCCESS)

static cublasHandle_t handle;

template <class T> struct device_vector {
  T *data;
  size_t n;
  explicit device_vector(const std::vector<T> &from) : n(from.size()) {
    OK(cudaMalloc(&data, n * sizeof(T)));
    OK(cudaMemcpy(data, from.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  }
  explicit device_vector(size_t count) : n(count) {
    OK(cudaMalloc(&data, n * sizeof(T))); // never written: reading it would be caught
  }
  std::vector<T> back() const {
    std::vector<T> out(n);
    OK(cudaMemcpy(out.data(), data, n * sizeof(T), cudaMemcpyDeviceToHost));
    return out;
  }
  ~device_vector() {
    OK(cudaFree(data));
  }
};

static unsigned state = 1;
static double draw() {
  state = state * 1664525u + 1013904223u;
  return (int)(state >> 16) % 17 / 4.0 - 2; // few bits: exact in half precision too
}

template <class T> static std::vector<T> random_values(size_t n) {
  std::vector<T> v(n);
  for (auto &x : v)
    x = T((float)draw());
  return v;
}

static double element(const std::vector<double> &x, int ld, cublasOperation_t op, int i, int j) {
  return op == CUBLAS_OP_N ? x[j * ld + i] : x[i * ld + j];
}

template <class T> static std::vector<double> widen(const std::vector<T> &v) {
  std::vector<double> out;
  for (const T &x : v)
    out.push_back((double)(float)x);
  return out;
}

template <class In, class Out>
static void product(cudaDataType in, cudaDataType out, cublasOperation_t ta, cublasOperation_t tb, int m,
                    int n, int k, float alpha, float beta, double tolerance) {
  int lda = (ta == CUBLAS_OP_N ? m : k) + 3, ldb = (tb == CUBLAS_OP_N ? k : n) + 1, ldc = m + 2;
  auto a = random_values<In>((size_t)lda * (ta == CUBLAS_OP_N ? k : m));
  auto b = random_values<In>((size_t)ldb * (tb == CUBLAS_OP_N ? n : k));
  auto c = random_values<Out>((size_t)ldc * n);
  device_vector<In> da(a), db(b);
  device_vector<Out> dc(c);
  GOOD(cublasGemmEx(handle, ta, tb, m, n, k, &alpha, da.data, in, lda, db.data, in, ldb, &beta, dc.data, out,
                    ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  auto wa = widen(a), wb = widen(b), wc = widen(c), got = widen(dc.back());
  double worst = 0;
  for (int j = 0; j < n; j++)
    for (int i = 0; i < ldc; i++) {
      double want = wc[j * ldc + i];
      if (i < m) {
        double sum = 0;
        for (int p = 0; p < k; p++)
          sum += element(wa, lda, ta, i, p) * element(wb, ldb, tb, p, j);
        want = alpha * sum + beta * want;
      }
      double error = fabs(got[j * ldc + i] - want) / fmax(1, fabs(want));
      worst = error <= worst ? worst : error;
    }
  CHECK(worst <= tolerance);
}

static void products_in_every_orientation() {
  const cublasOperation_t ops[] = {CUBLAS_OP_N, CUBLAS_OP_T};
  for (auto ta : ops)
    for (auto tb : ops) {
      product<float, float>(CUDA_R_32F, CUDA_R_32F, ta, tb, 7, 5, 9, 1.5f, 0.5f, 1e-6);
      product<float, float>(CUDA_R_32F, CUDA_R_32F, ta, tb, 33, 1, 65, 1, 0, 1e-6);
      product<__half, float>(CUDA_R_16F, CUDA_R_32F, ta, tb, 4, 8, 3, 2, 1, 1e-6);
      product<__half, __half>(CUDA_R_16F, CUDA_R_16F, ta, tb, 5, 3, 4, 1, 0, 1e-3);
      product<__nv_bfloat16, float>(CUDA_R_16BF, CUDA_R_32F, ta, tb, 6, 2, 8, 1, 0, 1e-6);
      product<__nv_bfloat16, __nv_bfloat16>(CUDA_R_16BF, CUDA_R_16BF, ta, tb, 3, 3, 3, 1, 0, 8e-3);
    }
}

static void typed_and_batched_forms_agree() {
  const int m = 4, n = 3, k = 5, batch = 3;
  auto a = random_values<float>(m * k * batch), b = random_values<float>(k * n * batch);
  device_vector<float> da(a), db(b), dc(m * n * batch), dd(m * n * batch), de(m * n * batch);
  float one = 1, zero = 0;
  for (int i = 0; i < batch; i++)
    GOOD(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, da.data + i * m * k, m,
                     db.data + i * k * n, k, &zero, dc.data + i * m * n,
                     m)); // C was never written: beta 0 must not read it
  GOOD(cublasSgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, da.data, m, m * k, db.data,
                                 k, k * n, &zero, dd.data, m, m * n, batch));
  std::vector<float *> pa, pb, pe;
  for (int i = 0; i < batch; i++) {
    pa.push_back(da.data + i * m * k);
    pb.push_back(db.data + i * k * n);
    pe.push_back(de.data + i * m * n);
  }
  device_vector<float *> dpa(pa), dpb(pb), dpe(pe);
  GOOD(cublasSgemmBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, dpa.data, m, dpb.data, k, &zero,
                          dpe.data, m, batch));
  CHECK(dc.back() == dd.back() && dc.back() == de.back());
  auto da64 = device_vector<double>(std::vector<double>(a.begin(), a.end()));
  auto db64 = device_vector<double>(std::vector<double>(b.begin(), b.end()));
  device_vector<double> dc64(m * n);
  double one64 = 1, zero64 = 0;
  GOOD(cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one64, da64.data, m, db64.data, k, &zero64,
                   dc64.data, m));
  auto wide = dc64.back();
  auto narrow = dc.back();
  for (int i = 0; i < m * n; i++)
    CHECK(fabs(wide[i] - narrow[i]) < 1e-5);
}

// A number just above 1 that tf32, half and bfloat16 lose, each at its own bit.
static void faster_modes_round_their_inputs() {
  struct {
    cublasComputeType_t compute;
    float kept, lost;
  } modes[] = {{CUBLAS_COMPUTE_32F_FAST_TF32, 1 + 0x1p-10f, 1 + 0x1p-12f},
               {CUBLAS_COMPUTE_32F_FAST_16F, 1 + 0x1p-10f, 1 + 0x1p-12f},
               {CUBLAS_COMPUTE_32F_FAST_16BF, 1 + 0x1p-7f, 1 + 0x1p-9f}};
  float one = 1, zero = 0;
  for (const auto &mode : modes)
    for (float x : {mode.kept, mode.lost}) {
      device_vector<float> a(std::vector<float>{x}), b(std::vector<float>{1}), c(1);
      GOOD(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, a.data, CUDA_R_32F, 1, b.data,
                        CUDA_R_32F, 1, &zero, c.data, CUDA_R_32F, 1, mode.compute, CUBLAS_GEMM_DEFAULT));
      CHECK(c.back()[0] == (x == mode.kept ? x : 1));
    }
  device_vector<float> a(std::vector<float>{1 + 0x1p-12f}), b(std::vector<float>{1}), c(1);
  GOOD(cublasSetMathMode(handle, CUBLAS_TF32_TENSOR_OP_MATH));
  GOOD(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, a.data, 1, b.data, 1, &zero, c.data, 1));
  CHECK(c.back()[0] == 1);
  GOOD(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH));
  GOOD(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, a.data, 1, b.data, 1, &zero, c.data, 1));
  CHECK(c.back()[0] == 1 + 0x1p-12f);
}

static void vectors_are_combined() {
  std::vector<float> x = {1, -2, 3, -4, 5, -6}, y = {10, 20, 30, 40, 50, 60};
  device_vector<float> dx(x), dy(y);
  float two = 2, result;
  int index;
  GOOD(cublasSaxpy(handle, 3, &two, dx.data, 2, dy.data, 1));
  CHECK((dy.back() == std::vector<float>{12, 26, 40, 40, 50, 60}));
  GOOD(cublasSaxpy(handle, 3, &two, dx.data, -2, dy.data + 3, 1)); // from the other end
  CHECK((dy.back() == std::vector<float>{12, 26, 40, 50, 56, 62}));
  GOOD(cublasSdot(handle, 6, dx.data, 1, dx.data, 1, &result));
  CHECK(result == 91);
  GOOD(cublasSnrm2(handle, 6, dx.data, 1, &result));
  CHECK(fabs(result - sqrt(91.0)) < 1e-6);
  GOOD(cublasSasum(handle, 6, dx.data, 1, &result));
  CHECK(result == 21);
  GOOD(cublasIsamax(handle, 6, dx.data, 1, &index));
  CHECK_EQUAL(index, 6);
  GOOD(cublasIsamin(handle, 6, dx.data, 1, &index));
  CHECK_EQUAL(index, 1);
  GOOD(cublasSscal(handle, 2, &two, dx.data, 3));
  CHECK((dx.back() == std::vector<float>{2, -2, 3, -8, 5, -6}));
  GOOD(cublasSswap(handle, 2, dx.data, 1, dy.data, 1));
  GOOD(cublasScopy(handle, 2, dx.data, 1, dx.data + 4, 1));
  CHECK((dx.back() == std::vector<float>{12, 26, 3, -8, 12, 26}));
  GOOD(cublasSnrm2(handle, 0, dx.data, 1, &result));
  CHECK(result == 0);
  GOOD(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_DEVICE));
  device_vector<float> alpha(std::vector<float>{3}), sum(1);
  GOOD(cublasSscal(handle, 1, alpha.data, dx.data, 1));
  GOOD(cublasSdot(handle, 1, dx.data, 1, dx.data, 1, sum.data));
  CHECK(sum.back()[0] == 36 * 36);
  GOOD(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_HOST));
}

static void matrices_meet_vectors() {
  std::vector<float> a = {1, 2, 3, 4, 5, 6}; // 2 x 3
  device_vector<float> da(a), dx(std::vector<float>{1, 1, 2}), dy(2), dz(std::vector<float>{7, 8, 9});
  float one = 1, zero = 0, two = 2;
  GOOD(cublasSgemv(handle, CUBLAS_OP_N, 2, 3, &one, da.data, 2, dx.data, 1, &zero, dy.data, 1));
  CHECK((dy.back() == std::vector<float>{14, 18}));
  GOOD(cublasSgemv(handle, CUBLAS_OP_T, 2, 3, &one, da.data, 2, dy.data, 1, &two, dz.data, 1));
  CHECK((dz.back() == std::vector<float>{14 + 36 + 14, 42 + 72 + 16, 70 + 108 + 18}));
  GOOD(cublasSger(handle, 2, 3, &one, dy.data, 1, dx.data, 1, da.data, 2));
  CHECK((da.back() == std::vector<float>{15, 20, 17, 22, 33, 42}));
  device_vector<float> dt(6);
  GOOD(cublasSgeam(handle, CUBLAS_OP_T, CUBLAS_OP_N, 3, 2, &one, da.data, 2, &zero, dt.data, 3, dt.data, 3));
  CHECK((dt.back() == std::vector<float>{15, 17, 33, 20, 22, 42}));
  // A triangle: what lies outside it was never written.
  float *triangle;
  std::vector<float> columns = {2, 3, 4};
  OK(cudaMalloc(&triangle, 16));
  OK(cudaMemcpy(triangle, columns.data(), 8, cudaMemcpyHostToDevice));
  OK(cudaMemcpy(triangle + 3, columns.data() + 2, 4, cudaMemcpyHostToDevice));
  device_vector<float> rhs(std::vector<float>{2, 11}), square(std::vector<float>{1, 0, 0, 1}), out(4);
  GOOD(cublasStrsm(handle, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N, CUBLAS_DIAG_NON_UNIT, 2, 1,
                   &one, triangle, 2, rhs.data, 2));
  CHECK((rhs.back() == std::vector<float>{1, 2}));
  GOOD(cublasSsymm(handle, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, 2, 2, &one, triangle, 2, square.data, 2,
                   &zero, out.data, 2));
  CHECK((out.back() == std::vector<float>{2, 3, 3, 4}));
  OK(cudaFree(triangle));
}

static void calls_are_captured_like_kernels() {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  float half_ = 0.5f;
  OK(cudaStreamCreate(&stream));
  GOOD(cublasSetStream(handle, stream));
  device_vector<float> x(std::vector<float>{64, 128});
  OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  GOOD(cublasSscal(handle, 2, &half_, x.data, 1));
  OK(cudaStreamEndCapture(stream, &graph));
  half_ = 100; // taken when it was captured
  OK(cudaGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 3; i++)
    OK(cudaGraphLaunch(exec, stream));
  OK(cudaStreamSynchronize(stream));
  CHECK((x.back() == std::vector<float>{8, 16}));
  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphDestroy(graph));
  GOOD(cublasSetStream(handle, 0));
  OK(cudaStreamDestroy(stream));
}

static void misuse_is_refused() {
  device_vector<float> a(std::vector<float>(16, 1.0f)), c(16);
  float one = 1, zero = 0;
  auto n = CUBLAS_OP_N;
  BLAS(cublasSgemm(handle, n, n, 4, 4, 4, &one, a.data, 3, a.data, 4, &zero, c.data, 4),
       CUBLAS_STATUS_INVALID_VALUE);
  BLAS(cublasSgemm(handle, n, n, -1, 4, 4, &one, a.data, 4, a.data, 4, &zero, c.data, 4),
       CUBLAS_STATUS_INVALID_VALUE);
  BLAS(cublasSgemm(handle, n, n, 4, 4, 4, NULL, a.data, 4, a.data, 4, &zero, c.data, 4),
       CUBLAS_STATUS_INVALID_VALUE);
  BLAS(cublasSgemm(handle, n, n, 4, 4, 4, &one, a.data, 4, a.data, 4, &zero, a.data, 4),
       CUBLAS_STATUS_INVALID_VALUE);
  BLAS(cublasSgemm(handle, (cublasOperation_t)9, n, 4, 4, 4, &one, a.data, 4, a.data, 4, &zero, c.data, 4),
       CUBLAS_STATUS_INVALID_VALUE);
  BLAS(cublasSgemm(NULL, n, n, 4, 4, 4, &one, a.data, 4, a.data, 4, &zero, c.data, 4),
       CUBLAS_STATUS_NOT_INITIALIZED);
  BLAS(cublasGemmEx(handle, n, n, 4, 4, 4, &one, a.data, CUDA_R_32F, 4, a.data, CUDA_R_16F, 4, &zero, c.data,
                    CUDA_R_32F, 4, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
       CUBLAS_STATUS_NOT_SUPPORTED);
  GOOD(cublasSgemm(handle, n, n, 0, 4, 4, &one, NULL, 1, NULL, 4, &zero, NULL, 1));
  cuComplex complex_one = {1, 0};
  BLAS(cublasCscal(handle, 1, &complex_one, NULL, 1), CUBLAS_STATUS_NOT_SUPPORTED);
  BLAS(cublasDestroy((cublasHandle_t)&one), CUBLAS_STATUS_NOT_INITIALIZED);
  BLAS(cublasSetStream(handle, (cudaStream_t)0x12340), CUBLAS_STATUS_INVALID_VALUE);
}

int main() {
  GOOD(cublasCreate(&handle));
  int version;
  GOOD(cublasGetVersion(handle, &version));
  CHECK(version >= 130000);
  products_in_every_orientation();
  typed_and_batched_forms_agree();
  faster_modes_round_their_inputs();
  vectors_are_combined();
  matrices_meet_vectors();
  calls_are_captured_like_kernels();
  misuse_is_refused();
  GOOD(cublasDestroy(handle));
  return finish();
}
