/* Reads one JSON value from stdin, and nothing after it; fails otherwise. With arguments, keys and indices,
 * prints the value that they lead to. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  json_error_t error;
  json_t *root = json_loadf(stdin, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
  if (!root) {
    fprintf(stderr, "json: line %d: %s\n", error.line, error.text);
    return 1;
  }
  json_t *value = root;
  for (int i = 1; i < argc && value; i++)
    value = json_is_array(value) ? json_array_get(value, strtoul(argv[i], NULL, 10))
                                 : json_object_get(value, argv[i]);
  if (argc > 1 && json_is_string(value))
    printf("%s\n", json_string_value(value));
  else if (argc > 1 && value) {
    json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
    printf("\n");
  }
  int missing = !value;
  json_decref(root);
  return missing;
}
