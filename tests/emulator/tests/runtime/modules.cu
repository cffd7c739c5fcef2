// Modules that a program loads itself, and fat binaries that are damaged or do not suit the device.
#include "check.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern "C" {
void **__cudaRegisterFatBinary(void *wrapper);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name, int limit,
                            uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid, int *size);
}

static const char text[] = ".version 7.0\n"
                           ".target sm_75\n"
                           ".address_size 64\n"
                           ".visible .global .align 4 .u32 offset = 40;\n"
                           ".visible .entry store(.param .u64 to, .param .u32 value)\n"
                           "{\n"
                           "  .reg .b32 %r<4>;\n"
                           "  .reg .b64 %rd<3>;\n"
                           "  ld.param.u64 %rd1, [to];\n"
                           "  cvta.to.global.u64 %rd2, %rd1;\n"
                           "  ld.param.u32 %r1, [value];\n"
                           "  ld.global.u32 %r2, [offset];\n"
                           "  add.s32 %r3, %r1, %r2;\n"
                           "  st.global.u32 [%rd2], %r3;\n"
                           "  ret;\n"
                           "}\n";

static cudaError_t load(cudaLibrary_t *library, const void *code) {
  return cudaLibraryLoadData(library, code, NULL, NULL, 0, NULL, NULL, 0);
}

static void a_library_of_ptx_text_runs() {
  cudaLibrary_t library;
  cudaKernel_t kernel, listed;
  unsigned count;
  void *offset;
  size_t bytes;
  int *device, value = 2, answer;
  OK(load(&library, text));
  OK(cudaLibraryGetKernel(&kernel, library, "store"));
  CODE(cudaLibraryGetKernel(&kernel, library, "nothing"), cudaErrorSymbolNotFound);
  OK(cudaLibraryGetKernelCount(&count, library));
  CHECK_EQUAL(count, 1);
  OK(cudaLibraryEnumerateKernels(&listed, 1, library));
  CHECK(listed == kernel);
  OK(cudaLibraryGetGlobal(&offset, &bytes, library, "offset"));
  CHECK_EQUAL(bytes, 4);
  CODE(cudaLibraryGetGlobal(&offset, &bytes, library, "none"), cudaErrorSymbolNotFound);
  OK(cudaMalloc(&device, 4));
  void *arguments[] = {&device, &value};
  OK(cudaLaunchKernel((void *)kernel, dim3(1), dim3(1), arguments, 0, 0));
  OK(cudaMemcpy(&answer, device, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(answer, 42);
  value = 100;
  OK(cudaMemcpy(offset, &value, 4, cudaMemcpyHostToDevice));
  OK(cudaLaunchKernel((void *)kernel, dim3(1), dim3(1), arguments, 0, 0));
  OK(cudaMemcpy(&answer, device, 4, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(answer, 200);
  OK(cudaLibraryUnload(library));
  CODE(cudaLaunchKernel((void *)kernel, dim3(1), dim3(1), arguments, 0, 0), cudaErrorInvalidDeviceFunction);
  CODE(cudaLibraryUnload(library), cudaErrorInvalidResourceHandle);
  OK(cudaFree(device));
  cudaGetLastError();
}

static void bad_text_is_refused() {
  cudaLibrary_t library;
  char copy[sizeof text + 16];
  CHECK(load(&library, "no PTX at all") != cudaSuccess);
  CHECK(load(&library, "") != cudaSuccess);
  CODE(load(&library, NULL), cudaErrorInvalidValue);
  CODE(load(&library, ".version 99.0\n.target sm_75\n.address_size 64\n"), cudaErrorUnsupportedPtxVersion);
  CODE(load(&library, ".version 9.0\n.target sm_121\n.address_size 64\n"), cudaErrorNoKernelImageForDevice);
  for (size_t cut = 1; cut < sizeof text - 1; cut += 7) { // cut anywhere: an error or a module, never a crash
    memcpy(copy, text, cut);
    copy[cut] = 0;
    if (load(&library, copy) == cudaSuccess)
      OK(cudaLibraryUnload(library));
  }
  for (size_t at = 0; at < sizeof text - 1; at += 3) {
    memcpy(copy, text, sizeof text);
    copy[at] = (char)(copy[at] ^ 0x15);
    if (!copy[at])
      copy[at] = '#';
    if (load(&library, copy) == cudaSuccess)
      OK(cudaLibraryUnload(library));
  }
  CODE(cudaLibraryLoadFromFile(&library, "no/such/file", NULL, NULL, 0, NULL, NULL, 0),
       cudaErrorFileNotFound);
  cudaGetLastError();
}

struct wrapper {
  int magic, version;
  const void *data, *more;
};

static char host_symbol;

// As nvcc's own code would register it; answers what the first launch does.
static cudaError_t launch_registered(void *wrapped) {
  void **handle = __cudaRegisterFatBinary(wrapped);
  __cudaRegisterFunction(handle, &host_symbol, NULL, "store", -1, NULL, NULL, NULL, NULL, NULL);
  __cudaRegisterFatBinaryEnd(handle);
  int *device = NULL, value = 1;
  OK(cudaMalloc(&device, 4));
  void *arguments[] = {&device, &value};
  cudaError_t status = cudaLaunchKernel(&host_symbol, dim3(1), dim3(1), arguments, 0, 0);
  OK(cudaDeviceSynchronize());
  OK(cudaFree(device));
  __cudaUnregisterFatBinary(handle);
  cudaGetLastError();
  return status;
}

static void put(unsigned char *at, unsigned long long value, size_t bytes) {
  memcpy(at, &value, bytes);
}

static void damaged_fat_binaries_are_refused() {
  static unsigned char image[4096];
  wrapper w = {0x466243b1, 1, image, NULL};
  size_t length = sizeof text;
  put(image, 0xba55ed50u, 4);
  put(image + 4, 1, 2);
  put(image + 6, 16, 2);
  put(image + 8, 64 + length, 8);
  put(image + 16, 1, 2);
  put(image + 18, 0x101, 2);
  put(image + 20, 64, 4);
  put(image + 24, length, 8);
  put(image + 42, 7, 2);
  put(image + 44, 75, 4);
  put(image + 56, 0x11, 8);
  memcpy(image + 80, text, length);
  CODE(launch_registered(&w), cudaSuccess);
  put(image + 44, 121, 4); // for a newer device
  CODE(launch_registered(&w), cudaErrorNoKernelImageForDevice);
  put(image + 44, 75, 4);
  put(image + 42, 77, 2); // in a newer language
  CODE(launch_registered(&w), cudaErrorUnsupportedPtxVersion);
  put(image + 42, 7, 2);
  put(image + 16, 2, 2); // machine code only
  CODE(launch_registered(&w), cudaErrorNoKernelImageForDevice);
  put(image + 16, 1, 2);
  put(image + 24, 100000, 8); // longer than its container
  CODE(launch_registered(&w), cudaErrorInvalidKernelImage);
  put(image + 8, 1ull << 40, 8);
  CODE(launch_registered(&w), cudaErrorInvalidKernelImage);
  put(image, 0, 4);
  CODE(launch_registered(&w), cudaErrorInvalidKernelImage);
  w.data = (void *)16;
  CODE(launch_registered(&w), cudaErrorInvalidKernelImage);
  CODE(launch_registered(NULL), cudaErrorInvalidKernelImage);
  put(image, 0xba55ed50u, 4);
  put(image + 8, 64 + length, 8);
  put(image + 24, length, 8);
  w.data = image;
  image[80 + 120] = 1; // no character of PTX
  CODE(launch_registered(&w), cudaErrorInvalidPtx);
}

int main() {
  a_library_of_ptx_text_runs();
  bad_text_is_refused();
  damaged_fat_binaries_are_refused();
  return finish();
}
