#include "fatbin.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The kernel copies for us and stops at the first page that is not there, where a memcpy would end the
 * process. Where the call itself is forbidden (old containers) the addresses are believed. */
static size_t transfer(void *local, void *remote, size_t bytes, int write) {
  size_t done = 0;
  while (done < bytes) {
    struct iovec here = {(char *)local + done, bytes - done};
    struct iovec there = {(char *)remote + done, bytes - done};
    ssize_t got = write ? process_vm_writev(getpid(), &here, 1, &there, 1, 0)
                        : process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    if (got > 0) {
      done += (size_t)got;
      continue;
    }
    if (got < 0 && (errno == ENOSYS || errno == EPERM)) {
      if (write)
        memcpy((char *)remote + done, (char *)local + done, bytes - done);
      else
        memcpy((char *)local + done, (char *)remote + done, bytes - done);
      return bytes;
    }
    break;
  }
  return done;
}

size_t emu_probe_read(void *to, const void *from, size_t bytes) {
  return transfer(to, (void *)(uintptr_t)from, bytes, 0);
}

size_t emu_probe_write(void *to, const void *from, size_t bytes) {
  return transfer((void *)(uintptr_t)from, to, bytes, 1);
}

size_t emu_readable_bytes(const void *address, size_t limit) {
  enum { PAGE = 4096 };
  uintptr_t start = (uintptr_t)address;
  if (start < PAGE || start + limit < start)
    return 0;
  size_t done = 0;
  while (done < limit) {
    char probe;
    if (emu_probe_read(&probe, (const void *)(start + done), 1) != 1)
      return done;
    size_t step = PAGE - ((start + done) & (PAGE - 1));
    done += step < limit - done ? step : limit - done;
  }
  return done;
}
