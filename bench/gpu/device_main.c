/* bench_device: what device 0 is, as JSON on stdout, once a kernel has run on it. Exit status 2, and a line
 * on stderr, where there is none. */
#include "device.h"

#include <stdio.h>

/* Names come from a driver: what JSON would need to escape is left out. */
static void text(const char *name, const char *value) {
  printf("\"%s\": \"", name);
  for (; *value; value++)
    if (*value != '"' && *value != '\\' && (unsigned char)*value >= 0x20)
      putchar(*value);
  fputs("\", ", stdout);
}

int main(void) {
  struct device device;
  char reason[256];
  if (!device_find(&device, reason, sizeof reason)) {
    fprintf(stderr, "bench_device: %s\n", reason);
    return 2;
  }
  putchar('{');
  text("name", device.name);
  text("versions", device.versions);
  text("clocks", device.clocks);
  printf("\"capability\": %d, \"multiprocessors\": %d, \"emulated\": %s}\n", device.capability,
         device.multiprocessors, device.is_emulated ? "true" : "false");
  return 0;
}
