#include "cuseq/cuseq.h"

#include "error.h"
#include "model/words.h"

#define TEXT(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *cuseq_version(void) {
  return VERSION_TEXT(CUSEQ_VERSION_MAJOR, CUSEQ_VERSION_MINOR, CUSEQ_VERSION_PATCH);
}

const char *cuseq_status_string(cuseq_status status) {
  static const char *const names[] = {
      "ok",           "invalid argument", "invalid file",   "invalid model",
      "input/output", "out of memory",    "no such device", "not supported",
      "not finite",   "device failed",
  };
  return (unsigned)status < sizeof names / sizeof *names ? names[status] : "unknown status";
}

const char *cuseq_precision_name(cuseq_precision precision) {
  return word_of(words_precision, (int)precision);
}

const char *cuseq_last_error(void) {
  return error_text();
}
