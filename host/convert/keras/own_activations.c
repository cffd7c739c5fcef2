#include "convert/keras/own_activations.h"
#include "convert/keras/layers.h"
#include "error.h"

#include <string.h>

#define OPTION "--own-activation: "

/* Copies `size` bytes of a name; false where they are none or too many. */
static bool copy_name(const char *text, size_t size, char *name) {
  if (size == 0 || size >= OWN_ACTIVATIONS_NAME)
    return false;
  memcpy(name, text, size);
  name[size] = '\0';
  return true;
}

/* Reads one NAME=MEANING of `size` bytes. */
static cuseq_status add(const char *text, size_t size, struct own_activations *own) {
  struct own_activation *made = &own->list[own->count];
  const char *mark = memchr(text, '=', size);
  cuseq_activation kind;
  if (own->count >= OWN_ACTIVATIONS_MOST)
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, OPTION "too many functions (needed at most %d)",
                     OWN_ACTIVATIONS_MOST);
  if (mark == NULL || !copy_name(text, (size_t)(mark - text), made->name) ||
      !copy_name(mark + 1, size - (size_t)(mark + 1 - text), made->meaning))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, OPTION "not NAME=MEANING (found \"%.*s\")",
                     size > 80 ? 80 : (int)size, text);
  if (strcmp(made->meaning, OWN_SOFTMAX_AXIS_1) != 0 && !activation_named(made->meaning, 3, &kind))
    return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                     OPTION "cuseq has no activation '%s' (needed " OWN_SOFTMAX_AXIS_1
                            " or one of Keras' names, such as tanh)",
                     made->meaning);
  for (int32_t i = 0; i < own->count; i++)
    if (strcmp(own->list[i].name, made->name) == 0)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, OPTION "'%s' is said twice", made->name);
  made->used = false;
  own->count++;
  return CUSEQ_STATUS_OK;
}

cuseq_status own_activations_parse(const char *text, struct own_activations *own) {
  *own = (struct own_activations){0};
  for (;;) {
    size_t size = strcspn(text, ",");
    TRY(add(text, size, own));
    if (text[size] == '\0')
      return CUSEQ_STATUS_OK;
    text += size + 1;
  }
}

const char *own_activations_meaning(struct own_activations *own, const char *name) {
  for (int32_t i = 0; own != NULL && i < own->count; i++)
    if (strcmp(own->list[i].name, name) == 0) {
      own->list[i].used = true;
      return own->list[i].meaning;
    }
  return NULL;
}

cuseq_status own_activations_all_used(const struct own_activations *own) {
  for (int32_t i = 0; i < own->count; i++)
    if (!own->list[i].used)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       OPTION "no layer of the model has an activation called '%s'", own->list[i].name);
  return CUSEQ_STATUS_OK;
}
