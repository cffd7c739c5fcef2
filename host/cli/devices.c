/* cuseq devices: where models can run. */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cuseq/cuseq.h"

#include <stdio.h>
#include <string.h>

/* The device that "auto" takes: the first CUDA device, the CPU where there is none. */
static bool is_automatic(const cuseq_device *device, bool cuda_there) {
  return strcmp(device->name, cuda_there ? "cuda:0" : "cpu") == 0;
}

static int run_devices(const struct arguments *arguments) {
  int32_t count = cuseq_device_count();
  bool cuda_there = false;
  cuseq_device device = CUSEQ_DEVICE_INIT;
  for (int32_t i = 0; i < count; i++)
    cuda_there |= cuseq_device_get(i, &device) == CUSEQ_STATUS_OK && strcmp(device.name, "cuda:0") == 0;
  if (arguments->json)
    putchar('[');
  for (int32_t i = 0; i < count; i++) {
    cuseq_status status = cuseq_device_get(i, &device);
    if (status != CUSEQ_STATUS_OK)
      return fail_library(status);
    bool automatic = is_automatic(&device, cuda_there);
    if (!arguments->json) {
      printf("%-10s %s%s\n", device.name, device.description, automatic ? " (auto)" : "");
      continue;
    }
    fputs(i ? ",\n {\"name\": " : "\n {\"name\": ", stdout);
    json_put_string(stdout, device.name);
    fputs(", \"description\": ", stdout);
    json_put_string(stdout, device.description);
    printf(", \"auto\": %s}", automatic ? "true" : "false");
  }
  if (arguments->json)
    puts("\n]");
  return EXIT_DONE;
}

const struct command command_devices = {
    .name = "devices",
    .operands = "",
    .fewest = 0,
    .most = 0,
    .summary = "list the devices of this machine",
    .description = "Lists the devices that --device takes, and marks the one that auto stands for.",
    .example = "  cuseq devices",
    .options = {OPTION_JSON, OPTION_HELP},
    .run = run_devices,
};
