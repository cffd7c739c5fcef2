/* CUSEQ_EMULATOR_*: read once. A value that makes no sense is named on stderr and the default used. */
#include "core.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct emu_settings settings;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool done;

const char *const emu_class_names[EMU_CLASSES] = {
    "half",   "float",  "double", "integer",  "special", "conversion",      "control",
    "global", "shared", "local",  "constant", "tensor",  "synchronisation", "other"};

static uint64_t number(const char *name, uint64_t low, uint64_t high, uint64_t otherwise) {
  const char *text = getenv(name);
  if (!text || !*text)
    return otherwise;
  char *end;
  unsigned long long value = strtoull(text, &end, 0);
  if (*end || value < low || value > high || text[0] == '-') {
    fprintf(stderr, "%s: it is ignored (found '%s', %llu to %llu is needed)\n", name, text,
            (unsigned long long)low, (unsigned long long)high);
    return otherwise;
  }
  return value;
}

static void read_checks(void) {
  const char *text = getenv("CUSEQ_EMULATOR_CHECKS");
  if (!text || !*text || !strcmp(text, "on"))
    settings.checks = EMU_CHECKS_ON;
  else if (!strcmp(text, "off"))
    settings.checks = EMU_CHECKS_OFF;
  else if (!strcmp(text, "report"))
    settings.checks = EMU_CHECKS_REPORT;
  else
    fprintf(stderr, "CUSEQ_EMULATOR_CHECKS: it is ignored (found '%s', on, off or report is needed)\n", text);
}

static void read_settings(void) {
  settings.capability = (int)number("CUSEQ_EMULATOR_SM", 75, 121, 90);
  uint64_t newest = (uint64_t)settings.capability;
  settings.newest_code = (unsigned)number("CUSEQ_EMULATOR_CODE", 75, newest, newest);
  settings.devices = (int)number("CUSEQ_EMULATOR_DEVICES", 1, 16, 1);
  settings.seed = number("CUSEQ_EMULATOR_SEED", 0, UINT64_MAX, 0);
  settings.max_steps = number("CUSEQ_EMULATOR_MAX_STEPS", 1, UINT64_MAX, UINT64_C(2000000000));
  read_checks();
  settings.counters = getenv("CUSEQ_EMULATOR_COUNTERS");
  if (settings.counters && !*settings.counters)
    settings.counters = NULL;
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  settings.threads = (int)number("CUSEQ_EMULATOR_THREADS", 1, 64,
                                 online < 1   ? 1
                                 : online > 8 ? 8
                                              : (uint64_t)online);
  settings.notes = number("CUSEQ_EMULATOR_NOTES", 0, 1, 1) != 0;
  settings.perturb = number("CUSEQ_EMULATOR_PERTURB", 0, 1, 0) != 0;
  int c = settings.capability;
  uint64_t multiprocessors = c < 80 ? 40 : c < 90 ? 108 : c < 120 ? 132 : 170;
  uint64_t shared = (c < 80 ? 64 : c == 80 || c == 87 ? 163 : c < 90 ? 99 : c < 120 ? 227 : 99) * 1024;
  settings.multiprocessors = (int)number("CUSEQ_EMULATOR_MULTIPROCESSORS", 1, 1024, multiprocessors);
  settings.shared_per_block = (uint32_t)number("CUSEQ_EMULATOR_SHARED", 1024, 8 << 20, shared);
  settings.shared_per_multiprocessor = settings.shared_per_block + (c < 80 ? 0 : 1024);
  settings.threads_per_multiprocessor = c < 80 ? 1024 : c == 80 || (c >= 90 && c < 120) ? 2048 : 1536;
  settings.blocks_per_multiprocessor = c < 80 ? 16 : c == 80 || (c >= 90 && c < 120) ? 32 : 24;
  settings.device_memory = number("CUSEQ_EMULATOR_MEMORY", 1 << 20, UINT64_C(1) << 36, UINT64_C(16) << 30);
  atomic_store_explicit(&done, true, memory_order_release);
}

const struct emu_settings *emu_settings(void) {
  if (!atomic_load_explicit(&done, memory_order_acquire))
    pthread_once(&once, read_settings);
  return &settings;
}
