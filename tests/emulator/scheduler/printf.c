/* printf of device code. The compiler lays the arguments out in the caller's local memory, each aligned to
 * its size: integers as 4 or 8 bytes, every floating value as a double, %s as a device pointer. */
#include "system.h"

#include <string.h>

enum { MAX_FORMAT = 1 << 16, MAX_SPECIFICATION = 64, MAX_WIDTH = 4096 };

struct arguments {
  struct emu_warp_state *s;
  unsigned lane;
  uint64_t next;
};

static bool take(struct arguments *arguments, unsigned bytes, uint64_t *value) {
  arguments->next = (arguments->next + bytes - 1) & ~(uint64_t)(bytes - 1);
  const void *at = emu_system_read(arguments->s, arguments->lane, arguments->next, bytes);
  if (!at)
    return false;
  *value = 0;
  memcpy(value, at, bytes);
  arguments->next += bytes;
  return true;
}

static bool character(struct emu_warp_state *s, unsigned lane, uint64_t address, char *c) {
  const char *at = emu_system_read(s, lane, address, 1);
  if (at)
    *c = *at;
  return at != NULL;
}

/* Writes a device string through `specification`, "%s" with flags, width and precision. */
static bool print_string(struct arguments *arguments, const char *specification, FILE *to) {
  uint64_t address;
  static char text[MAX_FORMAT]; /* launches that print stay on one host thread */
  size_t length = 0;
  if (!take(arguments, 8, &address))
    return false;
  if (address == 0) {
    fprintf(to, specification, "(null)");
    return true;
  }
  do {
    if (!character(arguments->s, arguments->lane, address + length, &text[length]))
      return false;
  } while (text[length++] != '\0' && length < sizeof text - 1);
  text[length] = '\0';
  fprintf(to, specification, text);
  return true;
}

/* One specification from behind its '%': flags, width and precision (a '*' takes an argument), length. */
struct specification {
  char text[MAX_SPECIFICATION];
  size_t length;
  int longs; /* 8-byte integers when > 0 */
  char conversion;
};

static bool append(struct specification *spec, char c) {
  if (spec->length + 8 >= sizeof spec->text)
    return false;
  spec->text[spec->length++] = c;
  return true;
}

static bool append_star(struct specification *spec, struct arguments *arguments) {
  uint64_t value;
  char number[16];
  if (!take(arguments, 4, &value))
    return false;
  int32_t width = (int32_t)value;
  width = width > MAX_WIDTH ? MAX_WIDTH : width < -MAX_WIDTH ? -MAX_WIDTH : width;
  snprintf(number, sizeof number, "%d", (int)width);
  for (const char *c = number; *c; c++)
    if (!append(spec, *c))
      return false;
  return true;
}

static bool read_specification(struct specification *spec, struct arguments *arguments, uint64_t *format) {
  *spec = (struct specification){.text = "%", .length = 1};
  for (;;) {
    char c;
    if (!character(arguments->s, arguments->lane, (*format)++, &c) || c == '\0')
      return false;
    if (c == '*' ? !append_star(spec, arguments) : strchr("-+ #0123456789.", c) && !append(spec, c))
      return false;
    if (c == '*' || strchr("-+ #0123456789.", c))
      continue;
    if (c == 'l' || c == 'j' || c == 'z' || c == 't' || c == 'q' || c == 'L') {
      spec->longs++;
    } else if (c != 'h') {
      spec->conversion = c;
      return true;
    }
  }
}

/* Finishes the specification with the host's length and conversion, and writes its argument. */
static bool print_argument(struct specification *spec, struct arguments *arguments, FILE *to) {
  char c = spec->conversion;
  uint64_t value;
  if (c == 's') {
    memcpy(spec->text + spec->length, "s", 2);
    return print_string(arguments, spec->text, to);
  }
  if (strchr("diouxX", c)) {
    memcpy(spec->text + spec->length, (char[]){'l', 'l', c, '\0'}, 4);
    if (!take(arguments, spec->longs > 0 ? 8 : 4, &value))
      return false;
    bool is_signed = c == 'd' || c == 'i';
    if (is_signed && spec->longs == 0)
      value = (uint64_t)(int64_t)(int32_t)value;
    fprintf(to, spec->text, (long long)value);
    return true;
  }
  memcpy(spec->text + spec->length, (char[]){c, '\0'}, 2);
  if (c == 'c') {
    if (take(arguments, 4, &value))
      fprintf(to, spec->text, (int)value);
    else
      return false;
  } else if (c == 'p') {
    if (take(arguments, 8, &value))
      fprintf(to, spec->text, (void *)(uintptr_t)value);
    else
      return false;
  } else if (strchr("fFeEgGaA", c)) {
    double number;
    if (!take(arguments, 8, &value))
      return false;
    memcpy(&number, &value, sizeof number);
    fprintf(to, spec->text, number);
  } else {
    return false;
  }
  return true;
}

bool emu_device_printf(struct emu_warp_state *s, unsigned lane, uint64_t format, uint64_t arguments, FILE *to,
                       int *count) {
  struct arguments list = {s, lane, arguments};
  *count = 0;
  for (uint64_t end = format + MAX_FORMAT; format < end;) {
    char c;
    if (!character(s, lane, format++, &c))
      return false;
    if (c == '\0')
      return true;
    if (c != '%') {
      fputc(c, to);
      continue;
    }
    struct specification spec;
    if (!read_specification(&spec, &list, &format))
      return false;
    if (spec.conversion == '%') {
      fputc('%', to);
      continue;
    }
    if (!print_argument(&spec, &list, to))
      return false;
    ++*count;
  }
  return false;
}
