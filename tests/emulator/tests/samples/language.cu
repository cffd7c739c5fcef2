// What C++ on the device asks of the machine: templates and functors, lambdas, virtual functions, function
// pointers, recursion, constant and __device__ variables, local arrays, structures by value, bit fields,
// 64-bit and half arithmetic, new and delete left out.
#include "check.h"

#include <cuda_fp16.h>
#include <vector>

struct Particle {
  float3 position;
  short kind;
  unsigned flags : 5, count : 11;
  double weight;
};

__constant__ float coefficients[8];
__constant__ Particle origin;
__device__ int launches = 5;
__device__ float table[4][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}};
__managed__ int managed_total;

template <typename T, typename Operation> __global__ void transform(T *data, int n, Operation operation) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
    data[i] = operation(data[i], i);
}

struct Polynomial {
  int degree;
  template <typename T> __device__ T operator()(T x, int) const {
    T y = 0;
    for (int i = degree; i >= 0; i--)
      y = y * x + (T)coefficients[i];
    return y;
  }
};

class Shape {
public:
  __device__ virtual float area() const = 0;
  __device__ virtual ~Shape() {
  }
};
class Square : public Shape {
  float side;

public:
  __device__ Square(float s) : side(s) {
  }
  __device__ float area() const override {
    return side * side;
  }
};
class Circle : public Shape {
  float radius;

public:
  __device__ Circle(float r) : radius(r) {
  }
  __device__ float area() const override {
    return 3 * radius * radius;
  }
};

__global__ void virtual_calls(float *out) {
  Square square(threadIdx.x);
  Circle circle(threadIdx.x + 1);
  const Shape *shapes[2] = {&square, &circle};
  out[threadIdx.x] = shapes[threadIdx.x % 2]->area();
}

typedef float (*function)(float);
__device__ float twice(float x) {
  return 2 * x;
}
__device__ float negative(float x) {
  return -x;
}
__device__ function chosen = negative;
__device__ __noinline__ int fibonacci(int n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__global__ void pointers(float *out, int *numbers, function given) {
  const function functions[] = {twice, chosen, given};
  out[threadIdx.x] = functions[threadIdx.x % 3](threadIdx.x);
  numbers[threadIdx.x] = fibonacci(threadIdx.x % 12);
}

__device__ function twice_address = twice;

__global__ void structures(Particle p, Particle *out, const unsigned char *order) {
  int local[16];
  for (int i = 0; i < 16; i++)
    local[i] = (i * 7 + threadIdx.x) % 16;
  p.kind += (short)local[order[threadIdx.x] % 16];
  p.flags = (p.flags + threadIdx.x) & 31;
  p.count--;
  p.weight *= origin.weight;
  p.position.y = table[threadIdx.x % 4][threadIdx.x % 3];
  out[threadIdx.x] = p;
  if (threadIdx.x == 0)
    launches++;
  atomicAdd(&managed_total, 1);
}

__global__ void arithmetic(unsigned long long *out, const int *in, __half *halves) {
  const int i = threadIdx.x, x = in[i];
  unsigned long long y = (unsigned long long)x * 0x9e3779b97f4a7c15ull;
  y ^= y >> 31;
  y += __popc(x) + __clz(x) * 3 + __ffs(x) * 5 + __brev(x) % 7 + __byte_perm(x, ~x, 0x2541) +
       __umulhi(x, 77) + __sad(x, 9, 1u);
  y += (unsigned long long)(x / 7) + x % 13 + (x >> 3) + __funnelshift_l(x, i, 11) + __vaddus2(x, i);
  switch (i % 6) {
  case 0:
    y += 1;
    break;
  case 1:
    y *= 3;
    break;
  case 2:
    y ^= 0xff;
    break;
  case 3:
    y -= 9;
    break;
  case 4:
    y = ~y;
  }
  out[i] = y;
  const __half2 h = __floats2half2_rn(x % 50 * .25f, i * .5f);
  halves[i] = __hadd(__low2half(__hmul2(h, h)), __high2half(__hfma2(h, h, h)));
}

static unsigned long long arithmetic_on_host(int i, int x) {
  unsigned long long y = (unsigned long long)x * 0x9e3779b97f4a7c15ull;
  const unsigned u = (unsigned)x;
  y ^= y >> 31;
  unsigned reversed = 0;
  for (int b = 0; b < 32; b++)
    reversed |= (u >> b & 1) << (31 - b);
  const unsigned long long both = u | (unsigned long long)~u << 32;
  unsigned permuted = 0;
  for (int b = 0; b < 4; b++)
    permuted |= (unsigned)(both >> 8 * (0x2541 >> 4 * b & 7) & 0xff) << 8 * b;
  const int high = (int)((unsigned long long)u * 77 >> 32), distance = (x > 9 ? x - 9 : 9 - x) + 1;
  unsigned lo = (u & 0xffff) + (i & 0xffff), hi = (u >> 16) + ((unsigned)i >> 16);
  const unsigned packed = (lo > 0xffff ? 0xffff : lo) | (hi > 0xffff ? 0xffff : hi) << 16;
  const int zeros = x ? __builtin_clz(u) : 32;
  y += (unsigned)(__builtin_popcount(u) + zeros * 3 + __builtin_ffs(x) * 5) + reversed % 7 + permuted + high +
       distance;
  y += (unsigned long long)(x / 7) + x % 13 + (x >> 3) +
       (unsigned)(((unsigned long long)i << 32 | u) << 11 >> 32) + packed;
  const unsigned long long results[] = {y + 1, y * 3, y ^ 0xff, y - 9, ~y, y};
  return results[i % 6];
}

static void check_arithmetic() {
  std::vector<int> in(96);
  std::vector<unsigned long long> out(96);
  std::vector<__half> halves(96);
  unsigned state = 41;
  for (int &x : in)
    x = (int)noise(state);
  int *d_in = device_array(96, in.data());
  unsigned long long *d_out = device_array<unsigned long long>(96);
  __half *d_halves = device_array<__half>(96);
  arithmetic<<<1, 96>>>(d_out, d_in, d_halves);
  fetch(out.data(), d_out, 96);
  fetch(halves.data(), d_halves, 96);
  for (int i = 0; i < 96; i++) {
    EXPECT(out[i] == arithmetic_on_host(i, in[i]));
    const double a = in[i] % 50 * .25, b = i * .5;
    EXPECT(fabs(__half2float(halves[i]) - (a * a + b * b + b)) <= (a * a + b * b + b) / 500);
  }
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_out));
  CHECK(cudaFree(d_halves));
}

static void check_variables() {
  Particle p = {{1, 2, 3}, 100, 3, 9, 1.5}, at = {{0, 0, 0}, 0, 0, 0, 4.0}, out[32];
  unsigned char order[32];
  int count = 0;
  for (int i = 0; i < 32; i++)
    order[i] = (unsigned char)(i * 5);
  CHECK(cudaMemcpyToSymbol(origin, &at, sizeof at));
  unsigned char *d_order = device_array(32, order);
  Particle *d_out = device_array<Particle>(32);
  managed_total = 3;
  structures<<<1, 32>>>(p, d_out, d_order);
  fetch(out, d_out, 32);
  for (int i = 0; i < 32; i++) {
    EXPECT(out[i].kind == 100 + (order[i] % 16 * 7 + i) % 16 && out[i].flags == ((3u + i) & 31) &&
           out[i].count == 8);
    EXPECT(out[i].weight == 6.0 && out[i].position.y == i % 4 * 3 + i % 3 + 1);
  }
  CHECK(cudaMemcpyFromSymbol(&count, launches, sizeof count));
  EXPECT(count == 6 && managed_total == 35);
  void *address;
  size_t bytes;
  CHECK(cudaGetSymbolAddress(&address, table));
  CHECK(cudaGetSymbolSize(&bytes, table));
  EXPECT(bytes == sizeof table && address);
  CHECK(cudaFree(d_order));
  CHECK(cudaFree(d_out));
}

int main() {
  const float host_coefficients[8] = {1, -2, 3, 0.5f};
  std::vector<float> x(100), want(100);
  std::vector<double> y(100);
  for (int i = 0; i < 100; i++) {
    x[i] = y[i] = i * .1f;
    want[i] = ((.5f * x[i] + 3) * x[i] - 2) * x[i] + 1;
  }
  CHECK(cudaMemcpyToSymbol(coefficients, host_coefficients, sizeof host_coefficients));
  float *d_x = device_array(100, x.data());
  double *d_y = device_array(100, y.data());
  transform<<<2, 32>>>(d_x, 100, Polynomial{3});
  transform<<<2, 32>>>(d_y, 100, Polynomial{3});
  fetch(x.data(), d_x, 100);
  fetch(y.data(), d_y, 100);
  expect_close("polynomial", x.data(), want.data(), 100, 1e-3);
  for (int i = 0; i < 100; i++)
    EXPECT(fabs(y[i] - want[i]) <= 1e-3);
  const int offset = 10;
  transform<<<1, 64>>>(d_x, 100, [=] __device__(float, int i) { return float(i + offset); });
  fetch(x.data(), d_x, 100);
  EXPECT(x[99] == 109);
  virtual_calls<<<1, 64>>>(d_x);
  fetch(x.data(), d_x, 64);
  for (int i = 0; i < 64; i++)
    EXPECT(x[i] == (i % 2 ? 3.f * (i + 1) * (i + 1) : (float)i * i));
  function given;
  int numbers[64], *d_numbers = device_array<int>(64);
  CHECK(cudaMemcpyFromSymbol(&given, twice_address, sizeof given));
  pointers<<<1, 64>>>(d_x, d_numbers, given);
  fetch(x.data(), d_x, 64);
  fetch(numbers, d_numbers, 64);
  const int series[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
  for (int i = 0; i < 64; i++)
    EXPECT(x[i] == (i % 3 == 1 ? -i : 2 * i) && numbers[i] == series[i % 12]);
  check_variables();
  check_arithmetic();
  CHECK(cudaFree(d_x));
  CHECK(cudaFree(d_y));
  CHECK(cudaFree(d_numbers));
  return passed("language");
}
