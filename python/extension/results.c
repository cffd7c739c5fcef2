/* Results: which arrays there are, of what shapes, and which of them a call makes. */
#include "call.h"

#include <stddef.h>
#include <string.h>

/* axes: B batch, T positions, Y steps, N results of a search, and widths of cuseq_config: A annotation, H
 * forward and G backward units, E all encoder states of all rows, C context, S state, D decoder states, X
 * fed, V outputs, K heads where there are several. An array one of whose widths is 0 is not there. */
struct result {
  const char *name;
  enum result_group group;
  size_t offset;
  char type;
  const char *axes;
};

#define ENCODING(member) GROUP_ENCODING, offsetof(cuseq_encoding, member)
#define DECODING(member) GROUP_DECODING, offsetof(cuseq_decoding, member)
#define BEAM(member) GROUP_BEAM, offsetof(cuseq_beam, member)
#define ATTENTION(member) GROUP_ATTENTION, offsetof(struct attention, member)

static const struct result results[] = {
    {"annotations", ENCODING(annotations), 'f', "BTA"},
    {"h_fw", ENCODING(h_fw), 'f', "BH"},
    {"c_fw", ENCODING(c_fw), 'f', "BH"},
    {"h_bw", ENCODING(h_bw), 'f', "BG"},
    {"c_bw", ENCODING(c_bw), 'f', "BG"},
    {"encoder_h", ENCODING(final_h), 'f', "E"},
    {"encoder_c", ENCODING(final_c), 'f', "E"},
    {"context", DECODING(contexts), 'f', "BYC"},
    {"alphas", DECODING(alphas), 'f', "BYT"},
    {"states", DECODING(states), 'f', "BYS"},
    {"outputs", DECODING(outputs), 'f', "BYV"},
    {"log_probabilities", DECODING(log_probabilities), 'f', "BY"},
    {"tokens", DECODING(tokens), 'i', "BYK"},
    {"output_lengths", DECODING(output_lengths), 'i', "B"},
    {"final_h", DECODING(final_h), 'f', "BD"},
    {"final_c", DECODING(final_c), 'f', "BD"},
    {"final_fed", DECODING(final_fed), 'f', "BX"},
    {"tokens", BEAM(tokens), 'i', "BNY"},
    {"lengths", BEAM(lengths), 'i', "BN"},
    {"scores", BEAM(scores), 'f', "BN"},
    {"log_probabilities", BEAM(log_probabilities), 'f', "BN"},
    {"alphas", BEAM(alphas), 'f', "BNYT"},
    {"context", ATTENTION(context), 'f', "BC"},
    {"alphas", ATTENTION(alphas), 'f', "BT"},
};

#define RESULTS ((int)(sizeof results / sizeof *results))

/* The size of an axis; 0: there is none such, -1: it is left out. */
static int64_t axis_size(const struct sizes *sizes, char axis) {
  const cuseq_config *c = sizes->config;
  switch (axis) {
  case 'B':
    return sizes->batch;
  case 'T':
    return sizes->time;
  case 'Y':
    return c->has_decoder || c->is_tagger ? sizes->steps : -1;
  case 'N':
    return sizes->best;
  case 'A':
    return c->annotation_width;
  case 'H':
    return c->direction == CUSEQ_DIRECTION_BIDIRECTIONAL || c->backward_units == 0 ? c->units : 0;
  case 'G':
    return c->backward_units;
  case 'E':
    return c->encoder_state_width * sizes->batch;
  case 'C':
    return c->context_width;
  case 'S':
    return c->has_decoder ? c->state_units : 0;
  case 'D':
    return c->decoder_state_width;
  case 'X':
    return c->fed_width;
  case 'V':
    return c->outputs;
  case 'K':
    return c->heads > 1 ? c->heads : c->heads == 1 ? -1 : 0;
  }
  return 0;
}

/* What a result is made as; false: the model has none such. */
static bool form_of(const struct result *result, const struct sizes *sizes, struct form *form) {
  *form = (struct form){.name = result->name, .type = result->type};
  if (strcmp(result->name, "alphas") == 0 && sizes->config->context_width == 0)
    return false;
  if (*result->axes == 'E') {
    form->batch = sizes->batch;
    form->width = sizes->config->encoder_state_width;
  }
  for (const char *axis = result->axes; *axis; axis++) {
    const int64_t size = axis_size(sizes, *axis);
    if (size == 0)
      return false;
    if (size > 0)
      form->shape[form->rank++] = size;
  }
  return true;
}

/* Whether a call gives an array that nobody asks for by its name. */
static bool gives(const struct result *result, const cuseq_config *c) {
  if (strcmp(result->name, "output_lengths") == 0)
    return c->is_tagger || (c->has_decoder && c->end_token >= 0);
  if (strcmp(result->name, "log_probabilities") == 0)
    return result->group == GROUP_BEAM;
  static const char *const seldom[] = {"encoder_h", "encoder_c", "final_h", "final_c", "final_fed"};
  for (int i = 0; i < 5; i++)
    if (strcmp(result->name, seldom[i]) == 0)
      return false;
  return result->group != GROUP_BEAM || strcmp(result->name, "alphas") != 0;
}

int results_intern(struct extension *extension) {
  _Static_assert(RESULTS <= RESULTS_MOST, "the extension has too few names");
  for (int r = 0; r < RESULTS; r++)
    if (!(extension->names[r] = PyUnicode_InternFromString(results[r].name)))
      return -1;
  return 0;
}

/* The results of that name in the groups, as bits; 0: there are none such. Names in a program are the very
 * texts that were interned here; those that were put together at run time are compared. */
static uint32_t bits_of(const struct extension *extension, PyObject *name, unsigned groups) {
  uint32_t bits = 0;
  for (int r = 0; r < RESULTS; r++)
    if (name == extension->names[r] && groups >> results[r].group & 1)
      bits |= 1u << r;
  for (int r = 0; !bits && r < RESULTS; r++)
    if (groups >> results[r].group & 1 && PyUnicode_CompareWithASCIIString(name, results[r].name) == 0)
      return bits_of(extension, extension->names[r], groups);
  return bits;
}

/* The bits of one name of what is wanted. */
static bool name_read(const struct extension *extension, PyObject *name, unsigned groups, uint32_t *bits) {
  const uint32_t found = PyUnicode_Check(name) ? bits_of(extension, name, groups) : 0;
  if (!PyUnicode_Check(name))
    PyErr_Format(extension->errors[WRONG_TYPE], "the name of an array is a text (found %R)", name);
  else if (!found)
    PyErr_Format(extension->errors[WRONG_VALUE], "%U: there is no such array", name);
  *bits |= found;
  return found != 0;
}

/* Those of a sequence of names, or of a dictionary's keys. */
static bool names_read(const struct extension *extension, PyObject *names, unsigned groups, uint32_t *bits) {
  if (PyTuple_Check(names)) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(names); i++)
      if (!name_read(extension, PyTuple_GetItem(names, i), groups, bits))
        return false;
    return true;
  }
  PyObject *iterator = PyObject_GetIter(names), *item;
  while (iterator && (item = PyIter_Next(iterator))) {
    const bool known = name_read(extension, item, groups, bits);
    Py_DECREF(item);
    if (!known)
      break;
  }
  Py_XDECREF(iterator);
  return !PyErr_Occurred();
}

static bool place_read(const struct extension *extension, PyObject *results, enum place *place) {
  *place = PLACE_OF_INPUT;
  if (!results || results == Py_None)
    return true;
  const char *name = PyUnicode_AsUTF8AndSize(results, NULL);
  if (!name)
    return false;
  if (strcmp(name, "host") == 0)
    *place = PLACE_HOST;
  else if (strcmp(name, "device") == 0)
    *place = PLACE_DEVICE;
  else
    PyErr_Format(extension->errors[WRONG_VALUE], "results: unknown (found %s, needed None, host or device)",
                 name);
  return *place != PLACE_OF_INPUT;
}

bool wanted_read(const struct extension *extension, struct wanted *wanted, PyObject *results) {
  wanted->bits = 0;
  if (wanted->names == Py_None)
    wanted->names = NULL;
  return place_read(extension, results, &wanted->place) &&
         (!wanted->names || names_read(extension, wanted->names, wanted->groups, &wanted->bits)) &&
         (!wanted->out || names_read(extension, wanted->out, wanted->groups, &wanted->bits));
}

/* Where the members are whose addresses a group of results has. */
static void *structure_of(struct call *call, enum result_group group) {
  switch (group) {
  case GROUP_ENCODING:
    return &call->encoding;
  case GROUP_DECODING:
    return &call->decoding;
  case GROUP_BEAM:
    return &call->beam;
  case GROUP_ATTENTION:
    return &call->attention;
  }
  return NULL;
}

/* Whether a result is to be made, and as what. False with an exception where it was asked for and is not
 * there. */
static bool is_made(const struct extension *extension, const struct result *result, bool asked,
                    const struct wanted *wanted, const struct sizes *sizes, struct form *form) {
  if (!(wanted->groups >> result->group & 1) || !(asked || (!wanted->names && gives(result, sizes->config))))
    return false;
  if (form_of(result, sizes, form))
    return true;
  if (asked)
    PyErr_Format(extension->errors[WRONG_VALUE], "%s: the model has no such array", result->name);
  return false;
}

static bool place_check(const struct call *call, const struct wanted *wanted, bool *on_device) {
  *on_device = wanted->place == PLACE_DEVICE || (wanted->place == PLACE_OF_INPUT && call->input_on_device);
  if (!*on_device || call->arrays.device >= 0)
    return true;
  PyErr_Format(call->arrays.extension->errors[WRONG_VALUE],
               "results: the session's device has no memory of its own (found %s, needed cuda)",
               call->arrays.device_name);
  return false;
}

/* Makes room on the device for what the caller has no arrays for. */
static bool room_make(struct call *call, const struct wanted *wanted, const struct sizes *sizes,
                      PyObject *const *names) {
  int64_t bytes = 0;
  struct form form;
  for (int r = 0; r < RESULTS; r++)
    if (is_made(call->arrays.extension, &results[r], wanted->bits >> r & 1, wanted, sizes, &form) &&
        !(wanted->out && PyDict_GetItemWithError(wanted->out, names[r])))
      bytes += form_bytes(&form);
  return !PyErr_Occurred() && arrays_room(&call->arrays, bytes);
}

bool results_make(SessionObject *self, struct call *call, const struct wanted *wanted,
                  const struct sizes *sizes) {
  PyObject *const *names = extension_of((PyObject *)self)->names;
  bool on_device;
  struct form form;
  if (!(call->made = PyDict_New()) || !place_check(call, wanted, &on_device) ||
      (on_device && !call->arrays.captures && !room_make(call, wanted, sizes, names)))
    return false;
  for (int r = 0; r < RESULTS; r++) {
    void *pointer = NULL;
    if (!is_made(call->arrays.extension, &results[r], wanted->bits >> r & 1, wanted, sizes, &form)) {
      if (PyErr_Occurred())
        return false;
      continue;
    }
    PyObject *array = wanted->out ? PyDict_GetItemWithError(wanted->out, names[r]) : NULL;
    if (array) {
      Py_INCREF(array);
      if (!arrays_write(&call->arrays, array, &form, &pointer))
        Py_CLEAR(array);
    } else if (call->arrays.captures && !PyErr_Occurred()) {
      PyErr_Format(call->arrays.extension->errors[WRONG_VALUE],
                   "out: %s is missing (a session that captures makes no arrays)", results[r].name);
    } else if (!PyErr_Occurred()) {
      array = on_device ? arrays_make_on_device(&call->arrays, &form, &pointer)
                        : arrays_make(&call->arrays, &form, &self->shapes[r], &pointer);
    }
    const bool kept = array && PyDict_SetItem(call->made, names[r], array) == 0;
    Py_XDECREF(array);
    if (!kept)
      return false;
    memcpy((char *)structure_of(call, results[r].group) + results[r].offset, &pointer, sizeof pointer);
  }
  return !wanted->out || arrays_are_apart(&call->arrays);
}
