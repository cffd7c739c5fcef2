/* What a model's outputs mean, and where a text's tokens lie: for m.classify and m.tag. */
#include "extension.h"

#include <stdlib.h>

static const cuseq_model *model_of(PyObject *self) {
  return ((ModelObject *)self)->model;
}

static PyObject *labels_of(const cuseq_model *model, int32_t head, int32_t count) {
  PyObject *list = PyList_New(count);
  for (int32_t i = 0; list && i < count; i++) {
    PyObject *label = PyUnicode_FromString(cuseq_model_label(model, head, i));
    if (!label || PyList_SetItem(list, i, label) != 0)
      Py_CLEAR(list);
  }
  return list;
}

PyObject *model_heads(PyObject *self, PyObject *unused) {
  (void)unused;
  const cuseq_model *model = model_of(self);
  const int32_t count = cuseq_model_config(model)->heads;
  PyObject *list = PyList_New(count);
  for (int32_t i = 0; list && i < count; i++) {
    cuseq_head head = CUSEQ_HEAD_INIT;
    const cuseq_status status = cuseq_model_head(model, i, &head);
    PyObject *labels = status == CUSEQ_STATUS_OK ? labels_of(model, i, head.labels)
                                                 : raise_status(extension_of(self), status);
    const char *activation = head.activation == CUSEQ_ACTIVATION_LINEAR        ? "linear"
                             : head.activation == CUSEQ_ACTIVATION_LOG_SOFTMAX ? "log_softmax"
                                                                               : "probabilities";
    PyObject *entry =
        labels ? Py_BuildValue("(siisN)", head.name, (int)head.offset, (int)head.units, activation, labels)
               : NULL;
    if (!entry || PyList_SetItem(list, i, entry) != 0)
      Py_CLEAR(list);
  }
  return list;
}

PyObject *model_text_spans(PyObject *self, PyObject *text) {
  const cuseq_model *model = model_of(self);
  int32_t count = 0;
  PyObject *bytes = PyUnicode_AsUTF8String(text);
  if (!bytes)
    return NULL;
  int32_t *spans = calloc(2 * (size_t)cuseq_model_config(model)->text_length + 2, sizeof *spans);
  PyObject *list = NULL;
  if (!spans) {
    PyErr_NoMemory();
  } else {
    const cuseq_status status = cuseq_text_spans(model, PyBytes_AsString(bytes), spans, &count);
    list = status == CUSEQ_STATUS_OK ? PyList_New(count) : raise_status(extension_of(self), status);
  }
  for (int32_t i = 0; list && i < count; i++) {
    PyObject *span = Py_BuildValue("(ii)", (int)spans[2 * i], (int)spans[2 * i + 1]);
    if (!span || PyList_SetItem(list, i, span) != 0)
      Py_CLEAR(list);
  }
  free(spans);
  Py_DECREF(bytes);
  return list;
}
