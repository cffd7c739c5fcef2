// Reads or writes device memory from host code, as its argument says.
#include "check.h"

#include <string.h>

int main(int argc, char **argv) {
  volatile int *device;
  OK(cudaMalloc((void **)&device, 64));
  if (argc > 1 && !strcmp(argv[1], "write"))
    device[3] = 1;
  else
    printf("read %d\n", device[3]);
  return finish();
}
