#include "arguments.h"

static const char *const names[PARAMETERS] = {
    [PARAMETER(data)] = "data",
    [PARAMETER(lengths)] = "lengths",
    [PARAMETER(encoder_h)] = "encoder_h",
    [PARAMETER(encoder_c)] = "encoder_c",
    [PARAMETER(rows)] = "rows",
    [PARAMETER(initial_h)] = "initial_h",
    [PARAMETER(initial_c)] = "initial_c",
    [PARAMETER(initial_fed)] = "initial_fed",
    [PARAMETER(previous)] = "previous",
    [PARAMETER(targets)] = "targets",
    [PARAMETER(target_lengths)] = "target_lengths",
    [PARAMETER(given)] = "given",
    [PARAMETER(state)] = "state",
    [PARAMETER(steps)] = "steps",
    [PARAMETER(wanted)] = "wanted",
    [PARAMETER(out)] = "out",
    [PARAMETER(results)] = "results",
};

int arguments_intern(struct extension *extension) {
  _Static_assert(PARAMETERS <= PARAMETERS_MOST, "the extension has too few names");
  for (int i = 0; i < PARAMETERS; i++)
    if (!(extension->parameters[i] = PyUnicode_InternFromString(names[i])))
      return -1;
  return 0;
}

/* The place of a keyword in the call's list; -1: it has none such. Names in a program are the very texts that
 * were interned here; those that were put together at run time are compared. */
static int find(const struct extension *extension, const struct parameters *parameters, PyObject *keyword) {
  for (int i = 0; i < parameters->count; i++)
    if (keyword == extension->parameters[parameters->members[i]])
      return i;
  for (int i = 0; i < parameters->count; i++)
    if (PyUnicode_CompareWithASCIIString(keyword, names[parameters->members[i]]) == 0)
      return i;
  return -1;
}

bool arguments_read(const struct extension *extension, const struct parameters *parameters,
                    PyObject *const *arguments, Py_ssize_t positional, PyObject *keywords,
                    struct given *given) {
  PyObject **members = (PyObject **)given;
  const Py_ssize_t named = keywords ? PyTuple_Size(keywords) : 0;
  if (positional > parameters->count) {
    PyErr_Format(extension->errors[WRONG_TYPE], "%s(): too many arguments (found %zd, needed at most %d)",
                 parameters->call, positional, parameters->count);
    return false;
  }
  for (Py_ssize_t i = 0; i < positional; i++)
    members[parameters->members[i]] = arguments[i];
  for (Py_ssize_t i = 0; i < named; i++) {
    PyObject *keyword = PyTuple_GetItem(keywords, i);
    const int at = find(extension, parameters, keyword);
    if (at < 0 || members[parameters->members[at]]) {
      PyErr_Format(extension->errors[WRONG_TYPE],
                   at < 0 ? "%s(): unknown argument (found %R)" : "%s(): an argument twice (found %R)",
                   parameters->call, keyword);
      return false;
    }
    members[parameters->members[at]] = arguments[positional + i];
  }
  for (int i = 0; i < parameters->required; i++)
    if (!members[parameters->members[i]]) {
      PyErr_Format(extension->errors[WRONG_TYPE], "%s(): %s is missing", parameters->call,
                   names[parameters->members[i]]);
      return false;
    }
  return arguments_out(extension, given);
}

bool arguments_out(const struct extension *extension, struct given *given) {
  if (given->out == Py_None)
    given->out = NULL;
  if (!given->out || PyDict_Check(given->out))
    return true;
  PyErr_Format(extension->errors[WRONG_TYPE], "out: wrong type (found %R, needed a dictionary of arrays)",
               (PyObject *)Py_TYPE(given->out));
  return false;
}

bool arguments_steps(const struct extension *extension, const struct given *given, int *steps) {
  *steps = 0;
  if (!given->steps)
    return true;
  const long number = PyLong_AsLong(given->steps);
  if (number == -1 && PyErr_Occurred())
    return false;
  if (number > INT32_MAX || number < INT32_MIN) {
    PyErr_Format(extension->errors[WRONG_VALUE], "steps: out of range (found %ld)", number);
    return false;
  }
  *steps = (int)number;
  return true;
}
