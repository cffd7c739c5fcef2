// Memory of every kind: allocation, copies in every direction, sets, pointers, variables, codes for misuse.
#include "check.h"

#include <stdlib.h>
#include <string.h>

__device__ int counter[4] = {1, 2, 3, 4};
__constant__ float table[8];
__managed__ int shared_by_both = 5;

__global__ void scale(float *values, int n, float factor) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    values[i] *= factor;
}

__global__ void use_variables(int *out) {
  out[0] = counter[0] + (int)table[3] + shared_by_both;
  shared_by_both = 11;
}

enum { N = 1000, BYTES = N * 4 };

static void copies_go_in_every_direction() {
  float *a, *b, *pinned, host[N], back[N];
  OK(cudaMalloc(&a, BYTES));
  OK(cudaMalloc(&b, BYTES));
  OK(cudaMallocHost(&pinned, BYTES));
  for (int i = 0; i < N; i++)
    host[i] = (float)i;
  OK(cudaMemcpy(a, host, BYTES, cudaMemcpyHostToDevice));
  OK(cudaMemcpy(b, a, BYTES, cudaMemcpyDeviceToDevice));
  OK(cudaMemcpy(pinned, b, BYTES, cudaMemcpyDefault));
  OK(cudaMemcpy(back, pinned, BYTES, cudaMemcpyHostToHost));
  CHECK(!memcmp(back, host, BYTES));
  scale<<<(N + 127) / 128, 128>>>(b, N, 2);
  OK(cudaMemcpy(back, b, BYTES, cudaMemcpyDefault));
  CHECK(back[0] == 0 && back[7] == 14 && back[N - 1] == 2 * (N - 1));
  OK(cudaMemcpy(a + 10, b, 40, cudaMemcpyDeviceToDevice));
  OK(cudaMemcpy(back, a, BYTES, cudaMemcpyDeviceToHost));
  CHECK(back[9] == 9 && back[10] == 0 && back[19] == 18 && back[20] == 20);
  OK(cudaMemcpyPeer(a, 0, b, 0, BYTES));
  OK(cudaMemcpy(back, a, 4 * 8, cudaMemcpyDeviceToHost));
  CHECK(back[7] == 14);
  OK(cudaFree(a));
  OK(cudaFree(b));
  OK(cudaFreeHost(pinned));
}

static void sets_fill_bytes_rows_and_boxes() {
  unsigned char *a, host[64 * 8];
  size_t pitch;
  OK(cudaMalloc(&a, 64 * 8));
  OK(cudaMemset(a, 1, 64 * 8));
  OK(cudaMemset2D(a, 64, 7, 10, 8));
  OK(cudaMemset2DAsync(a + 32, 64, 9, 3, 2, 0));
  OK(cudaMemcpy(host, a, sizeof host, cudaMemcpyDeviceToHost));
  CHECK(host[0] == 7 && host[9] == 7 && host[10] == 1 && host[64 * 7 + 9] == 7 && host[32] == 9 &&
        host[96 + 2] == 9 && host[128 + 32] == 1);
  OK(cudaFree(a));
  OK(cudaMallocPitch((void **)&a, &pitch, 100, 8));
  CHECK(pitch >= 100 && pitch % 256 == 0);
  CODE(cudaMemset2D(a, 50, 0, 100, 2), cudaErrorInvalidValue);
  OK(cudaMemset2D(a, pitch, 3, 100, 8));
  OK(cudaMemcpy2D(host, 64, a, pitch, 50, 8, cudaMemcpyDeviceToHost));
  CHECK(host[0] == 3 && host[64 * 7 + 49] == 3);
  OK(cudaFree(a));
  cudaPitchedPtr box;
  OK(cudaMalloc3D(&box, make_cudaExtent(40, 4, 3)));
  OK(cudaMemset3D(box, 6, make_cudaExtent(40, 4, 3)));
  unsigned char flat[40 * 4 * 3];
  cudaMemcpy3DParms p = {};
  p.srcPtr = box;
  p.dstPtr = make_cudaPitchedPtr(flat, 40, 40, 4);
  p.extent = make_cudaExtent(40, 4, 3);
  p.kind = cudaMemcpyDeviceToHost;
  OK(cudaMemcpy3D(&p));
  CHECK(flat[0] == 6 && flat[sizeof flat - 1] == 6);
  p.srcPtr.pitch = 8;
  CODE(cudaMemcpy3D(&p), cudaErrorInvalidPitchValue);
  OK(cudaFree(box.ptr));
}

static void rows_are_copied_with_pitches() {
  int host[6][8], back[6][5], *device;
  size_t pitch;
  for (int y = 0; y < 6; y++)
    for (int x = 0; x < 8; x++)
      host[y][x] = 10 * y + x;
  OK(cudaMallocPitch((void **)&device, &pitch, 32, 6));
  OK(cudaMemcpy2D(device, pitch, host, 32, 32, 6, cudaMemcpyHostToDevice));
  OK(cudaMemcpy2D(back, 20, (char *)device + 4, pitch, 20, 6, cudaMemcpyDeviceToHost));
  CHECK(back[0][0] == 1 && back[5][4] == 55);
  CODE(cudaMemcpy2D(back, 10, device, pitch, 20, 6, cudaMemcpyDeviceToHost), cudaErrorInvalidPitchValue);
  CODE(cudaMemcpy2D(back, 20, device, pitch, 20, 600, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  OK(cudaFree(device));
}

static void variables_are_reached_by_symbol() {
  int back[4], *out, answer;
  float values[8] = {0, 1, 2, 30, 4, 5, 6, 7};
  void *address;
  size_t size;
  OK(cudaMalloc(&out, 4));
  OK(cudaMemcpyFromSymbol(back, counter, sizeof back));
  CHECK(back[0] == 1 && back[3] == 4);
  back[0] = 100;
  OK(cudaMemcpyToSymbol(counter, back, 4));
  OK(cudaMemcpyToSymbol(table, values, sizeof values));
  OK(cudaMemcpyToSymbolAsync(table, values + 3, 4, 12, cudaMemcpyHostToDevice, 0));
  use_variables<<<1, 1>>>(out);
  OK(cudaMemcpy(&answer, out, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(answer, 100 + 30 + 5);
  OK(cudaDeviceSynchronize());
  CHECK_EQUAL(shared_by_both, 11);
  OK(cudaGetSymbolAddress(&address, counter));
  OK(cudaGetSymbolSize(&size, counter));
  CHECK_EQUAL(size, 16);
  OK(cudaMemcpy(back, (char *)address + 4, 8, cudaMemcpyDeviceToHost));
  CHECK(back[0] == 2 && back[1] == 3);
  CODE(cudaMemcpyToSymbol(counter, back, 20), cudaErrorInvalidValue);
  CODE(cudaMemcpyToSymbol(counter, back, 8, 12), cudaErrorInvalidValue);
  CODE(cudaMemcpyToSymbol(counter, back, 4, 0, cudaMemcpyDeviceToHost), cudaErrorInvalidMemcpyDirection);
  CODE(cudaGetSymbolSize(&size, "no such"), cudaErrorInvalidSymbol);
  CODE(cudaFree(address), cudaErrorInvalidValue);
  OK(cudaFree(out));
}

static void pointers_say_what_they_are() {
  float *device, *pinned, *managed, *plain = (float *)malloc(BYTES), *mapped;
  cudaPointerAttributes a;
  OK(cudaMalloc(&device, BYTES));
  OK(cudaHostAlloc(&pinned, BYTES, cudaHostAllocMapped));
  OK(cudaMallocManaged(&managed, BYTES));
  OK(cudaPointerGetAttributes(&a, device + 5));
  CHECK(a.type == cudaMemoryTypeDevice && a.device == 0 && a.devicePointer == device + 5 && !a.hostPointer);
  OK(cudaPointerGetAttributes(&a, pinned));
  CHECK(a.type == cudaMemoryTypeHost && a.hostPointer == pinned);
  OK(cudaPointerGetAttributes(&a, managed));
  CHECK(a.type == cudaMemoryTypeManaged);
  OK(cudaPointerGetAttributes(&a, plain));
  CHECK(a.type == cudaMemoryTypeUnregistered);
  CODE(cudaHostGetDevicePointer(&mapped, plain, 0), cudaErrorInvalidValue);
  OK(cudaMemset(device, 0, BYTES));
  OK(cudaHostRegister(plain, BYTES, cudaHostRegisterMapped));
  CODE(cudaHostRegister(plain, BYTES, 0), cudaErrorHostMemoryAlreadyRegistered);
  OK(cudaHostGetDevicePointer(&mapped, plain, 0));
  for (int i = 0; i < N; i++)
    plain[i] = managed[i] = pinned[i] = 3;
  scale<<<8, 128>>>(mapped, N, 5);
  scale<<<8, 128>>>(managed, N, 6);
  scale<<<8, 128>>>(pinned, N, 7);
  OK(cudaDeviceSynchronize());
  CHECK(plain[17] == 15 && managed[17] == 18 && pinned[17] == 21);
  OK(cudaMemcpy(managed, device, 4, cudaMemcpyDefault));
  OK(cudaMemset(managed + 1, 0, 4)); // of managed memory both are waited for
  CHECK(managed[1] == 0);
  OK(cudaHostUnregister(plain));
  CODE(cudaHostUnregister(plain), cudaErrorHostMemoryNotRegistered);
  CODE(cudaFree(pinned), cudaErrorInvalidValue);
  CODE(cudaFreeHost(device), cudaErrorInvalidValue);
  OK(cudaFree(device));
  OK(cudaFree(managed));
  OK(cudaFreeHost(pinned));
  free(plain);
}

static void misuse_is_answered_by_code() {
  char host[16], *device, *nothing = (char *)1;
  void *p;
  OK(cudaMalloc(&device, 16));
  OK(cudaMalloc(&p, 0));
  CHECK(!p);
  OK(cudaFree(NULL));
  OK(cudaFreeHost(NULL));
  CODE(cudaMalloc(NULL, 4), cudaErrorInvalidValue);
  CODE(cudaMalloc(&p, (size_t)1 << 50), cudaErrorMemoryAllocation);
  CODE(cudaGetLastError(), cudaErrorMemoryAllocation);
  CODE(cudaGetLastError(), cudaSuccess);
  CODE(cudaMallocManaged(&p, 16, 77), cudaErrorInvalidValue);
  CODE(cudaMemcpy(NULL, host, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CODE(cudaMemcpy(device, NULL, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CODE(cudaMemcpy(device, nothing, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CODE(cudaMemcpy(nothing, device, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  CODE(cudaMemcpy(host, host, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CODE(cudaMemcpy(device, device, 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CODE(cudaMemcpy(device, host, 17, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CODE(cudaMemcpy(device + 8, host, 9, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  CODE(cudaMemcpy(device, host, 4, (cudaMemcpyKind)5), cudaErrorInvalidMemcpyDirection);
  CODE(cudaMemset(host, 0, 4), cudaErrorInvalidValue);
  CODE(cudaMemset(device, 0, 17), cudaErrorInvalidValue);
  OK(cudaMemset(device, 0, 0));
  CODE(cudaFree(device + 1), cudaErrorInvalidValue);
  CODE(cudaFree(host), cudaErrorInvalidValue);
  OK(cudaFree(device));
  CODE(cudaFree(device), cudaErrorInvalidValue);
  CODE(cudaMemcpy(host, device, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  cudaGetLastError();
}

static void stream_ordered_memory_lives_between_its_calls() {
  cudaStream_t stream;
  float *a, *b, host[N];
  cudaMemPool_t pool, own;
  unsigned long long used;
  OK(cudaStreamCreate(&stream));
  OK(cudaMallocAsync(&a, BYTES, stream));
  OK(cudaMemsetAsync(a, 0, BYTES, stream));
  scale<<<8, 128, 0, stream>>>(a, N, 2);
  OK(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, stream));
  OK(cudaDeviceGetDefaultMemPool(&pool, 0));
  OK(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used));
  CHECK_EQUAL(used, BYTES);
  OK(cudaFreeAsync(a, stream));
  CODE(cudaFreeAsync(a, stream), cudaErrorInvalidValue);
  OK(cudaStreamSynchronize(stream));
  OK(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used));
  CHECK_EQUAL(used, 0);
  CHECK(host[3] == 0);
  cudaMemPoolProps props = {};
  props.allocType = cudaMemAllocationTypePinned;
  props.location.type = cudaMemLocationTypeDevice;
  OK(cudaMemPoolCreate(&own, &props));
  OK(cudaMallocFromPoolAsync(&b, BYTES, own, stream));
  unsigned long long keep = 4096;
  OK(cudaMemPoolSetAttribute(own, cudaMemPoolAttrReleaseThreshold, &keep));
  OK(cudaFree(b));
  OK(cudaMemPoolDestroy(own));
  CODE(cudaMemPoolDestroy(pool), cudaErrorInvalidValue);
  OK(cudaStreamDestroy(stream));
  cudaGetLastError();
}

int main() {
  copies_go_in_every_direction();
  sets_fill_bytes_rows_and_boxes();
  rows_are_copied_with_pitches();
  variables_are_reached_by_symbol();
  pointers_say_what_they_are();
  misuse_is_answered_by_code();
  stream_ordered_memory_lives_between_its_calls();
  size_t left, total;
  OK(cudaMemGetInfo(&left, &total));
  CHECK(left <= total && total >= (size_t)1 << 30);
  return finish();
}
