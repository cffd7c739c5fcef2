// Numbers: option prices, bodies under gravity, a separable convolution with constant coefficients, a Walsh
// transform, a Monte Carlo integral with curand's device generator, a Mandelbrot set, a stencil; built with
// and without -use_fast_math.
#include "check.h"

#include <curand_kernel.h>
#include <vector>

__device__ inline float cumulative(float d) {
  const float a1 = 0.31938153f, a2 = -0.356563782f, a3 = 1.781477937f, a4 = -1.821255978f, a5 = 1.330274429f;
  const float k = __fdividef(1.0f, 1.0f + 0.2316419f * fabsf(d));
  const float c = 0.39894228f * __expf(-0.5f * d * d) * (k * (a1 + k * (a2 + k * (a3 + k * (a4 + k * a5)))));
  return d > 0 ? 1.0f - c : c;
}

__launch_bounds__(128) __global__
    void option_prices(float2 *__restrict call_put, const float *__restrict stock,
                       const float *__restrict strike, const float *__restrict years, float rate,
                       float volatility, int n) {
  const int i = blockDim.x * blockIdx.x + threadIdx.x;
  if (i >= n)
    return;
  const float s = stock[i], x = strike[i], t = years[i], root = __fdividef(1.0f, rsqrtf(t));
  const float d1 = __fdividef(__logf(s / x) + (rate + 0.5f * volatility * volatility) * t, volatility * root);
  const float d2 = d1 - volatility * root, e = __expf(-rate * t), c1 = cumulative(d1), c2 = cumulative(d2);
  call_put[i] = make_float2(s * c1 - x * e * c2, x * e * (1.0f - c2) - s * (1.0f - c1));
}

__global__ void gravity(const float4 *bodies, float3 *force, int n) {
  extern __shared__ float4 near[];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float4 me = i < n ? bodies[i] : make_float4(0, 0, 0, 0);
  float3 sum = {0, 0, 0};
  for (int tile = 0; tile < n; tile += blockDim.x) {
    near[threadIdx.x] = tile + threadIdx.x < n ? bodies[tile + threadIdx.x] : make_float4(0, 0, 0, 0);
    __syncthreads();
#pragma unroll 8
    for (int j = 0; j < blockDim.x; j++) {
      const float x = near[j].x - me.x, y = near[j].y - me.y, z = near[j].z - me.z;
      const float inverse = rsqrtf(x * x + y * y + z * z + 0.01f),
                  scale = near[j].w * inverse * inverse * inverse;
      sum.x += x * scale;
      sum.y += y * scale;
      sum.z += z * scale;
    }
    __syncthreads();
  }
  if (i < n)
    force[i] = sum;
}

__constant__ float filter[17];

__global__ void convolve_rows(float *out, const float *in, int width, int height) {
  __shared__ float row[4][64 + 16];
  const int y = blockIdx.y * 4 + threadIdx.y, x = blockIdx.x * 64 + threadIdx.x;
  for (int i = threadIdx.x; i < 64 + 16; i += 64) {
    const int from = blockIdx.x * 64 + i - 8;
    row[threadIdx.y][i] = from >= 0 && from < width && y < height ? in[y * width + from] : 0;
  }
  __syncthreads();
  if (x >= width || y >= height)
    return;
  float sum = 0;
#pragma unroll
  for (int j = -8; j <= 8; j++)
    sum += filter[8 - j] * row[threadIdx.y][threadIdx.x + 8 + j];
  out[y * width + x] = sum;
}

__global__ void walsh(float *data, int log_n) {
  extern __shared__ float values[];
  const int n = 1 << log_n;
  float *mine = data + (blockIdx.x << log_n);
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    values[i] = mine[i];
  for (int stride = n / 2; stride >= 1; stride >>= 1) {
    __syncthreads();
    for (int i = threadIdx.x; i < n / 2; i += blockDim.x) {
      const int low = i & (stride - 1), a = ((i - low) << 1) + low, b = a + stride;
      const float x = values[a], y = values[b];
      values[a] = x + y;
      values[b] = x - y;
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    mine[i] = values[i];
}

__global__ void quarter_circle(unsigned *inside, int samples, unsigned long long seed) {
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  curandStatePhilox4_32_10_t state;
  curand_init(seed, id, 0, &state);
  unsigned count = 0;
  for (int i = 0; i < samples; i++) {
    const float4 u = curand_uniform4(&state);
    count += (u.x * u.x + u.y * u.y <= 1) + (u.z * u.z + u.w * u.w <= 1);
  }
  atomicAdd(inside, count);
}

template <typename T> __global__ void mandelbrot(int *out, int width, int height, int most) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height)
    return;
  const T cr = (T)-2 + (T)3 * x / width, ci = (T)-1 + (T)2 * y / height;
  T zr = 0, zi = 0;
  int steps = 0;
  while (steps < most && zr * zr + zi * zi < 4) {
    const T t = zr * zr - zi * zi + cr;
    zi = 2 * zr * zi + ci;
    zr = t;
    steps++;
  }
  out[y * width + x] = steps;
}

static double cumulative_exact(double d) {
  return .5 * erfc(-d / sqrt(2.0));
}

static void check_options() {
  const int n = 1000;
  std::vector<float> s(n), x(n), t(n);
  std::vector<float2> got(n);
  unsigned state = 47;
  for (int i = 0; i < n; i++) {
    s[i] = 5 + noise(state) % 2500 / 100.f;
    x[i] = 1 + noise(state) % 9900 / 100.f;
    t[i] = .25f + noise(state) % 975 / 100.f;
  }
  float *d_s = device_array(n, s.data()), *d_x = device_array(n, x.data()), *d_t = device_array(n, t.data());
  float2 *d_out = device_array<float2>(n);
  option_prices<<<(n + 127) / 128, 128>>>(d_out, d_s, d_x, d_t, .02f, .3f, n);
  fetch(got.data(), d_out, n);
  for (int i = 0; i < n; i++) {
    const double root = sqrt(t[i]), d1 = (log(s[i] / x[i]) + (.02 + .045) * t[i]) / (.3 * root),
                 d2 = d1 - .3 * root;
    const double e = exp(-.02 * t[i]), call = s[i] * cumulative_exact(d1) - x[i] * e * cumulative_exact(d2);
    EXPECT(fabs(got[i].x - call) <= 2e-4 && fabs(got[i].y - (call - s[i] + x[i] * e)) <= 2e-4);
  }
  CHECK(cudaFree(d_s));
  CHECK(cudaFree(d_x));
  CHECK(cudaFree(d_t));
  CHECK(cudaFree(d_out));
}

static void check_gravity() {
  const int n = 300;
  std::vector<float4> bodies(n);
  std::vector<float3> force(n);
  unsigned state = 53;
  for (float4 &b : bodies)
    b = make_float4(noise(state) % 100 * .1f, noise(state) % 100 * .1f, noise(state) % 100 * .1f, 1);
  float4 *d_bodies = device_array(n, bodies.data());
  float3 *d_force = device_array<float3>(n);
  gravity<<<(n + 63) / 64, 64, 64 * sizeof(float4)>>>(d_bodies, d_force, n);
  fetch(force.data(), d_force, n);
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < n; j++) {
      const double x = bodies[j].x - bodies[i].x, y = bodies[j].y - bodies[i].y,
                   z = bodies[j].z - bodies[i].z;
      sum += x * pow(x * x + y * y + z * z + .01, -1.5);
    }
    EXPECT(fabs(force[i].x - sum) <= 1e-4 * (1 + fabs(sum)) * 10);
  }
  CHECK(cudaFree(d_bodies));
  CHECK(cudaFree(d_force));
}

static void check_convolution() {
  const int width = 150, height = 10;
  std::vector<float> in(width * height), out(in.size()), want(in.size());
  float coefficients[17];
  for (int i = 0; i < 17; i++)
    coefficients[i] = (i + 1) * .125f;
  for (size_t i = 0; i < in.size(); i++)
    in[i] = (float)(i * 31 % 64);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int j = -8; j <= 8; j++)
        want[y * width + x] += x + j >= 0 && x + j < width ? coefficients[8 - j] * in[y * width + x + j] : 0;
  CHECK(cudaMemcpyToSymbol(filter, coefficients, sizeof coefficients));
  float *d_in = device_array(in.size(), in.data()), *d_out = device_array<float>(in.size());
  convolve_rows<<<dim3(3, 3), dim3(64, 4)>>>(d_out, d_in, width, height);
  fetch(out.data(), d_out, out.size());
  expect_close("convolution", out.data(), want.data(), out.size(), 1e-2);
  walsh<<<1, 128, 1024 * sizeof(float)>>>(d_in, 10);
  walsh<<<1, 64, 1024 * sizeof(float)>>>(d_in, 10); // its own inverse, but for the size
  fetch(out.data(), d_in, 1024);
  for (int i = 0; i < 1024; i++)
    EXPECT(out[i] == in[i] * 1024);
  CHECK(cudaFree(d_in));
  CHECK(cudaFree(d_out));
}

int main() {
  check_options();
  check_gravity();
  check_convolution();
  unsigned inside = 0, *d_inside = device_array(1, &inside);
  quarter_circle<<<8, 64>>>(d_inside, 40, 1234);
  fetch(&inside, d_inside, 1);
  const double pi = 4.0 * inside / (8 * 64 * 40 * 2);
  EXPECT(fabs(pi - 3.14159265) < 0.05);
  CHECK(cudaFree(d_inside));
  const int width = 60, height = 40;
  std::vector<int> single(width * height), twice(width * height);
  int *d_out = device_array<int>(width * height), differences = 0;
  mandelbrot<float><<<dim3(8, 5), dim3(8, 8)>>>(d_out, width, height, 64);
  fetch(single.data(), d_out, single.size());
  mandelbrot<double><<<dim3(8, 5), dim3(8, 8)>>>(d_out, width, height, 64);
  fetch(twice.data(), d_out, twice.size());
  for (int i = 0; i < width * height; i++) {
    const double cr = -2 + 3.0 * (i % width) / width, ci = -1 + 2.0 * (i / width) / height;
    double zr = 0, zi = 0;
    int steps = 0;
    while (steps < 64 && zr * zr + zi * zi < 4) {
      const double t = zr * zr - zi * zi + cr;
      zi = 2 * zr * zi + ci;
      zr = t;
      steps++;
    }
    differences += (twice[i] != steps) + (single[i] != steps);
  }
  EXPECT(differences < width * height / 50); // the edge of the set hangs on the last bit
  CHECK(cudaFree(d_out));
  return passed("numerics");
}
