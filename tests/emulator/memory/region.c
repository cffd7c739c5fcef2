/* Reserves the device's part of the address space, and says so in one line when host code dereferences it.
 * */
#include "memory.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct emu_region regions[EMU_REGIONS];
static bool reserved;
static struct sigaction previous_action;

static void *reserve(uint64_t bytes, int protection) {
  void *p = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

static void release(struct emu_region *r) {
  void *parts[] = {r->base ? (void *)(uintptr_t)r->base : NULL, r->file >= 0 ? r->host : NULL, r->initialised,
                   r->writers, r->readers};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (parts[i])
      munmap(parts[i], r->size);
  if (r->file >= 0)
    close(r->file);
  *r = (struct emu_region){.file = -1};
}

static bool reserve_region(struct emu_region *r, uint64_t bytes, bool hidden) {
  *r = (struct emu_region){.size = bytes, .file = -1};
  if (hidden) {
    r->file = memfd_create("emulated-device", MFD_CLOEXEC);
    if (r->file < 0)
      return false;
    r->base = (uint64_t)(uintptr_t)reserve(bytes, PROT_NONE);
    void *host = ftruncate(r->file, (off_t)bytes)
                     ? MAP_FAILED
                     : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, r->file, 0);
    r->host = host == MAP_FAILED ? NULL : host;
  } else {
    r->host = reserve(bytes, PROT_READ | PROT_WRITE);
    r->base = (uint64_t)(uintptr_t)r->host;
  }
  r->initialised = reserve(bytes, PROT_READ | PROT_WRITE);
  r->writers = reserve(bytes, PROT_READ | PROT_WRITE);
  r->readers = reserve(bytes, PROT_READ | PROT_WRITE);
  r->next = r->base;
  if (r->base && r->host && r->initialised && r->writers && r->readers)
    return true;
  release(r);
  return false;
}

/* Async-signal-safe: one line for an access to device memory, then whatever would have happened anyway. */
static void on_fault(int signal_number, siginfo_t *information, void *context) {
  uint64_t address = (uint64_t)(uintptr_t)information->si_addr;
  if (emu_address_is_device(address)) {
    char line[] =
        "host code: it dereferences device memory (address 0x0000000000000000; copy it with cudaMemcpy)\n";
    char *digits = strstr(line, "0x") + 17;
    for (int i = 0; i < 16; i++, address >>= 4)
      *digits-- = "0123456789abcdef"[address & 15];
    ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
    (void)ignored;
  }
  if (previous_action.sa_flags & SA_SIGINFO && previous_action.sa_sigaction) {
    previous_action.sa_sigaction(signal_number, information, context);
    return;
  }
  if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal_number);
    return;
  }
  signal(signal_number, SIG_DFL); /* the access is repeated on return and ends the program */
}

static void watch_host_accesses(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &previous_action);
}

struct emu_region *emu_regions(struct emu_error *error) {
  if (reserved)
    return regions;
  for (unsigned shift = 38; shift >= 32;
       shift--) { /* 256 GiB of addresses, less where the host allows less */
    uint64_t bytes = UINT64_C(1) << shift;
    if (!reserve_region(&regions[EMU_REGION_DEVICE], bytes, true))
      continue;
    if (reserve_region(&regions[EMU_REGION_HOST], bytes / 4, false)) {
      reserved = true;
      watch_host_accesses();
      return regions;
    }
    release(&regions[EMU_REGION_DEVICE]);
  }
  error->status = EMU_ERROR_HOST_MEMORY;
  snprintf(error->text, sizeof error->text, "device memory: address space cannot be reserved (%s)",
           strerror(errno));
  return NULL;
}

bool emu_address_is_device(uint64_t address) {
  return reserved && address - regions[EMU_REGION_DEVICE].base < regions[EMU_REGION_DEVICE].size;
}

void emu_regions_forget_races(void) {
  for (int i = 0; reserved && i < EMU_REGIONS; i++) {
    uint64_t used = (regions[i].next - regions[i].base + 4095) & ~UINT64_C(4095);
    madvise(regions[i].writers, used, MADV_DONTNEED);
    madvise(regions[i].readers, used, MADV_DONTNEED);
  }
}
