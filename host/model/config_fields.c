/* Reading the fields of one object of the configuration. */
#include "error.h"
#include "model/config.h"

#include <string.h>

cuseq_status config_known_keys(const json_t *object, const char *where, const char *const *keys) {
  if (!json_is_object(object))
    return *where ? error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: \"%s\" is not an object", where)
                  : error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: not an object");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    const char *const *known = keys;
    while (*known && strcmp(*known, key) != 0)
      known++;
    if (!*known)
      return *where ? error_set(CUSEQ_STATUS_INVALID_MODEL,
                                "configuration: \"%s\" has an unknown key \"%.100s\"", where, key)
                    : error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: unknown key \"%.100s\"", key);
  }
  return CUSEQ_STATUS_OK;
}

cuseq_status config_integer(const json_t *object, const char *where, const char *key, int64_t low,
                            int64_t high, int32_t *value) {
  const json_t *field = json_object_get(object, key);
  const char *dot = *where ? "." : "";
  if (!field)
    return *where ? error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: \"%s\" has no \"%s\"", where, key)
                  : error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: there is no \"%s\"", key);
  if (!json_is_integer(field))
    return error_set(CUSEQ_STATUS_INVALID_MODEL, "configuration: %s%s%s is not an integer", where, dot, key);
  json_int_t found = json_integer_value(field);
  if (found < low || found > high)
    return error_set(CUSEQ_STATUS_INVALID_MODEL,
                     "configuration: %s%s%s is out of range (found %lld, needed %lld to %lld)", where, dot,
                     key, (long long)found, (long long)low, (long long)high);
  *value = (int32_t)found;
  return CUSEQ_STATUS_OK;
}
