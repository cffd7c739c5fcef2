#include "convert/arrays/array_names.h"

#include <stddef.h>
#include <string.h>

const char *array_name_leaf(const char *name) {
  const char *last = name;
  for (const char *at = name; *at != 0; at++)
    if (*at == '.' || *at == '/')
      last = at + 1;
  return last;
}

bool array_name_ends(const char *name, const char *word) {
  const char *leaf = array_name_leaf(name);
  size_t length = strlen(word);
  return strncmp(leaf, word, length) == 0 && (leaf[length] == 0 || leaf[length] == ':');
}

bool array_name_in_vars(const char *name) {
  size_t folder = (size_t)(array_name_leaf(name) - name);
  return folder >= 5 && strncmp(name + folder - 5, "vars/", 5) == 0 &&
         (folder == 5 || name[folder - 6] == '/');
}
