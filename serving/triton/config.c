#include "config.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_BATCH = 64, LARGEST_BATCH = 1 << 16 };

/* ---- between Triton's messages and JSON ---- */

static TRITONSERVER_Error *message_parse(TRITONSERVER_Message *message, json_t **root) {
  const char *text = NULL;
  size_t size = 0;
  TRY(TRITONSERVER_MessageSerializeToJson(message, &text, &size));
  json_error_t problem;
  *root = json_loadb(text, size, 0, &problem);
  if (!*root)
    return fault(TRITONSERVER_ERROR_INTERNAL, "the server's configuration is not JSON: %s", problem.text);
  return NULL;
}

TRITONSERVER_Error *config_read(TRITONBACKEND_Model *model, json_t **root) {
  TRITONSERVER_Message *message = NULL;
  *root = NULL;
  TRY(TRITONBACKEND_ModelConfig(model, 1, &message));
  TRITONSERVER_Error *error = message_parse(message, root);
  fault_drop(TRITONSERVER_MessageDelete(message));
  return error;
}

static TRITONSERVER_Error *config_write(TRITONBACKEND_Model *model, const json_t *root) {
  char *text = json_dumps(root, JSON_COMPACT);
  if (!text)
    return fault_memory("configuration");
  TRITONSERVER_Message *message = NULL;
  TRITONSERVER_Error *error = TRITONSERVER_MessageNewFromSerializedJson(&message, text, strlen(text));
  if (!error) {
    error = TRITONBACKEND_ModelSetConfig(model, 1, message);
    fault_drop(TRITONSERVER_MessageDelete(message));
  }
  free(text);
  return error;
}

/* ---- completion ---- */

static const char *type_name(TRITONSERVER_DataType type) {
  switch (type) {
  case TRITONSERVER_TYPE_INT32:
    return "TYPE_INT32";
  case TRITONSERVER_TYPE_INT64:
    return "TYPE_INT64";
  case TRITONSERVER_TYPE_FP32:
    return "TYPE_FP32";
  case TRITONSERVER_TYPE_FP64:
    return "TYPE_FP64";
  case TRITONSERVER_TYPE_BYTES:
    return "TYPE_STRING";
  default:
    return "TYPE_INVALID";
  }
}

static json_t *port_json(const struct port *port) {
  json_t *dims = json_array();
  for (int32_t i = 0; i < port->rank; i++)
    json_array_append_new(dims, json_integer(port->axes[i] < 0 ? -1 : port->axes[i]));
  return json_pack("{s:s, s:s, s:o}", "name", port->name, "data_type", type_name(port->type), "dims", dims);
}

static bool is_empty(const json_t *root, const char *key) {
  return json_array_size(json_object_get(root, key)) == 0;
}

static void inputs_complete(json_t *root, const struct ports *ports) {
  json_t *list = json_array();
  bool texts = ports->inputs[INPUT_TEXT].rank >= 0;
  for (int i = 0; i < INPUT_COUNT; i++) {
    const struct port *port = &ports->inputs[i];
    if (port->rank < 0)
      continue;
    json_t *entry = port_json(port);
    if (i != INPUT_DATA || texts)
      json_object_set_new(entry, "optional", json_true());
    if (i == INPUT_DATA || i == INPUT_TARGETS)
      json_object_set_new(entry, "allow_ragged_batch", json_true());
    json_array_append_new(list, entry);
  }
  json_object_set_new(root, "input", list);
}

static void outputs_complete(json_t *root, const struct ports *ports) {
  json_t *list = json_array();
  for (int i = 0; i < OUTPUT_COUNT; i++)
    if (ports->outputs[i].rank >= 0)
      json_array_append_new(list, port_json(&ports->outputs[i]));
  json_object_set_new(root, "output", list);
}

TRITONSERVER_Error *config_complete(TRITONBACKEND_Model *model, json_t *root, const struct ports *ports) {
  if (is_empty(root, "input"))
    inputs_complete(root, ports);
  if (is_empty(root, "output"))
    outputs_complete(root, ports);
  if (json_integer_value(json_object_get(root, "max_batch_size")) == 0)
    json_object_set_new(root, "max_batch_size", json_integer(DEFAULT_BATCH));
  bool scheduled = json_object_get(root, "dynamic_batching") || json_object_get(root, "sequence_batching") ||
                   json_object_get(root, "ensemble_scheduling");
  if (!scheduled)
    json_object_set_new(root, "dynamic_batching", json_object());
  return config_write(model, root);
}

/* ---- checks ---- */

static TRITONSERVER_DataType type_of(const char *name) {
  static const TRITONSERVER_DataType types[] = {TRITONSERVER_TYPE_INT32, TRITONSERVER_TYPE_INT64,
                                                TRITONSERVER_TYPE_FP32, TRITONSERVER_TYPE_FP64,
                                                TRITONSERVER_TYPE_BYTES};
  for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
    if (strcmp(type_name(types[i]), name) == 0)
      return types[i];
  return TRITONSERVER_TYPE_INVALID;
}

/* The number of an axis; Triton writes 64-bit numbers as strings. */
static int64_t dim_of(const json_t *dims, int32_t i) {
  const json_t *dim = json_array_get(dims, (size_t)i);
  return json_is_string(dim) ? strtoll(json_string_value(dim), NULL, 10) : json_integer_value(dim);
}

static void shape_print(const struct port *port, char *text, size_t capacity) {
  static const char *const names[] = {"", "T", "Y", "N"};
  size_t used = 0;
  text[0] = '\0';
  for (int32_t i = 0; i < port->rank && used < capacity; i++) {
    int32_t axis = port->axes[i];
    if (axis < 0)
      used += (size_t)snprintf(text + used, capacity - used, i ? ",%s" : "%s", names[-axis]);
    else
      used += (size_t)snprintf(text + used, capacity - used, i ? ",%d" : "%d", (int)axis);
  }
}

/* Whether the axes that a configuration lists are the port's, or any where the port's or its own are open. */
static TRITONSERVER_Error *dims_check(const char *kind, const struct port *port, const json_t *entry) {
  const json_t *dims = json_object_get(entry, "dims");
  bool fits = (int32_t)json_array_size(dims) == port->rank;
  for (int32_t i = 0; fits && i < port->rank; i++) {
    int64_t dim = dim_of(dims, i);
    fits = dim == -1 || (dim > 0 && (port->axes[i] < 0 || dim == port->axes[i]));
  }
  if (fits)
    return NULL;
  char needed[64], *found = json_dumps(dims, JSON_COMPACT);
  shape_print(port, needed, sizeof needed);
  TRITONSERVER_Error *error =
      fault(TRITONSERVER_ERROR_INVALID_ARG, "%s %s: dims are not the model's (found %s, needed [%s])", kind,
            port->name, found ? found : "none", needed);
  free(found);
  return error;
}

static TRITONSERVER_Error *type_check(const char *kind, const struct port *port, const json_t *entry) {
  const char *found = json_string_value(json_object_get(entry, "data_type"));
  if (type_of(found) == port->type)
    return NULL;
  return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s %s: data_type is not the model's (found %s, needed %s)",
               kind, port->name, found ? found : "none", type_name(port->type));
}

/* INPUT is what the configuration says: ids of either size, or dense numbers of either size. */
static TRITONSERVER_Error *data_check(struct port *port, const json_t *entry, const cuseq_config *config) {
  const char *found = json_string_value(json_object_get(entry, "data_type"));
  port->type = type_of(found);
  bool dense = port->type == TRITONSERVER_TYPE_FP32 || port->type == TRITONSERVER_TYPE_FP64;
  if (type_size(port->type) == 0)
    return fault(
        TRITONSERVER_ERROR_INVALID_ARG,
        "input INPUT: data_type is none of the model's (found %s, needed TYPE_INT32 or TYPE_INT64 for "
        "ids, TYPE_FP32 or TYPE_FP64 for features)",
        found ? found : "none");
  port->rank = dense ? 2 : 1;
  port->axes[1] = dense ? config->features : 0;
  return dims_check("input", port, entry);
}

static const char *entry_name(const json_t *entry) {
  const char *name = json_string_value(json_object_get(entry, "name"));
  return name ? name : "";
}

static TRITONSERVER_Error *input_check(const json_t *entry, struct ports *ports, const cuseq_config *config,
                                       bool *listed) {
  enum input_id id = ports_input(ports, entry_name(entry));
  if (id == INPUT_COUNT)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "input %.100s: the model has no such input",
                 entry_name(entry));
  if (json_object_get(entry, "reshape"))
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "input %s: reshape is not supported", entry_name(entry));
  listed[id] = true;
  struct port *port = &ports->inputs[id];
  if (id == INPUT_DATA)
    return data_check(port, entry, config);
  TRY(type_check("input", port, entry));
  return dims_check("input", port, entry);
}

static TRITONSERVER_Error *inputs_check(const json_t *root, struct ports *ports, const cuseq_config *config) {
  bool listed[INPUT_COUNT] = {false};
  size_t i;
  json_t *entry;
  json_array_foreach(json_object_get(root, "input"), i, entry) {
    TRY(input_check(entry, ports, config, listed));
  }
  if (!listed[INPUT_TEXT] && !listed[INPUT_DATA])
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "input: there is none to encode (needed %sINPUT)",
                 ports->inputs[INPUT_TEXT].rank >= 0 ? "TEXT or " : "");
  for (int id = 0; id < INPUT_COUNT; id++)
    if (!listed[id])
      ports->inputs[id].rank = -1;
  return NULL;
}

static TRITONSERVER_Error *outputs_check(const json_t *root, struct ports *ports) {
  bool listed[OUTPUT_COUNT] = {false};
  size_t i;
  json_t *entry;
  json_array_foreach(json_object_get(root, "output"), i, entry) {
    enum output_id id = ports_output(ports, entry_name(entry));
    if (id == OUTPUT_COUNT)
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "output %.100s: the model has no such output",
                   entry_name(entry));
    if (json_object_get(entry, "reshape"))
      return fault(TRITONSERVER_ERROR_INVALID_ARG, "output %s: reshape is not supported", entry_name(entry));
    TRY(type_check("output", &ports->outputs[id], entry));
    TRY(dims_check("output", &ports->outputs[id], entry));
    listed[id] = true;
  }
  for (int id = 0; id < OUTPUT_COUNT; id++)
    if (!listed[id])
      ports->outputs[id].rank = -1;
  return NULL;
}

TRITONSERVER_Error *config_check(const json_t *root, struct ports *ports, const cuseq_config *config,
                                 int32_t *max_batch) {
  int64_t batch = json_integer_value(json_object_get(root, "max_batch_size"));
  if (batch < 1 || batch > LARGEST_BATCH)
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "max_batch_size: is out of range (found %lld, needed 1 to %d)", (long long)batch,
                 LARGEST_BATCH);
  if (json_object_get(root, "sequence_batching"))
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "sequence_batching: not supported (needed dynamic_batching)");
  const json_t *policy = json_object_get(root, "model_transaction_policy");
  if (json_is_true(json_object_get(policy, "decoupled")))
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "model_transaction_policy: decoupled is not supported (each request has one response)");
  *max_batch = (int32_t)batch;
  TRY(inputs_check(root, ports, config));
  return outputs_check(root, ports);
}
