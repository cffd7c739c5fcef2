#include "convert/arrays/locate.h"

#include "convert/arrays/array_names.h"
#include "convert/arrays/module.h"
#include "error.h"
#include "model/words.h"

#include <stdio.h>
#include <string.h>

/* ---- names of Keras ------------------------------------------------------------------------------- */

/* Whether a part of the path behind the module begins with a word, "forward_lstm" with "forward". */
static bool has_part(const char *path, const char *word) {
  for (const char *at = path; (at = strstr(at, word)) != NULL; at++)
    if (at == path || at[-1] == '/' || at[-1] == '.')
      return true;
  return false;
}

/* The array that is in the same group as another, by its word or its number in "vars". */
static struct checkpoint_tensor *beside(const struct checkpoint *checkpoint,
                                        const struct checkpoint_tensor *other, const char *word,
                                        const char *number) {
  size_t folder = (size_t)(array_name_leaf(other->name) - other->name);
  const char *wanted = array_name_in_vars(other->name) ? number : word;
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    struct checkpoint_tensor *tensor = &checkpoint->tensors[i];
    if (strncmp(tensor->name, other->name, folder) == 0 &&
        array_name_leaf(tensor->name) == tensor->name + folder && array_name_ends(tensor->name, wanted))
      return tensor;
  }
  return NULL;
}

/* The one array within a module that has this word as its last part, or this number in "vars", and as many
 * axes.
 *   side  a part of its path begins so; NULL: any */
static cuseq_status find_one(const struct checkpoint *checkpoint, const struct source *source,
                             const char *module, const char *word, const char *number, const char *side,
                             struct checkpoint_tensor **found) {
  *found = NULL;
  for (size_t i = 0; i < checkpoint->tensor_count; i++) {
    struct checkpoint_tensor *tensor = &checkpoint->tensors[i];
    const char *path = checkpoint_within(module, tensor->name);
    if (path == NULL || tensor->data->rank != 2 ||
        !(array_name_ends(tensor->name, word) ||
          (array_name_in_vars(tensor->name) && array_name_ends(tensor->name, number))) ||
        (side != NULL && !has_part(path, side)))
      continue;
    if (*found != NULL)
      return source_error(
          source, "it has '%.200s' and '%.200s', of which either may be meant (needed the name of one)",
          (*found)->name, tensor->name);
    *found = tensor;
  }
  return CUSEQ_STATUS_OK;
}

/* ---- arrays named one by one ---------------------------------------------------------------------- */

static cuseq_status locate_named(const struct checkpoint *checkpoint, const struct source *source,
                                 struct located *located) {
  for (int role = 0; role < ARRAY_ROLES; role++) {
    if (source->arrays[role] == NULL)
      continue;
    located->arrays[role] = checkpoint_named(checkpoint, source->arrays[role]);
    if (located->arrays[role] == NULL)
      return error_set(CUSEQ_STATUS_INVALID_MODEL, "tensor '%.200s' (\"%s\".\"%s\"): not in the file",
                       source->arrays[role], source->name->key, array_role_names[role]);
  }
  located->convention = CONVENTION_NONE;
  return CUSEQ_STATUS_OK;
}

/* ---- cells ---------------------------------------------------------------------------------------- */

static const char *class_wanted(enum cell_kind kind) {
  return kind == CELL_LSTM ? "an nn.LSTM" : "an nn.GRU";
}

static cuseq_status expect_layers(const struct source *source, const struct recurrent *found,
                                  const struct wanted_cell *wanted) {
  const char *class = module_recurrent_class(found);
  if (source->layer >= 0 ? source->layer >= found->layers : found->layers != wanted->layers)
    return source_error(
        source, "%s of %d layer%s (needed %d%s)", class, found->layers, found->layers == 1 ? "" : "s",
        source->layer >= 0 ? source->layer + 1 : wanted->layers,
        wanted->layers == 1 && source->layer < 0 ? "; \"layer\" says which one is meant" : "");
  if (found->reverse && wanted->side == NULL)
    return source_error(source, "%s of both directions (needed one)", class);
  if (!found->reverse && wanted->side != NULL)
    return source_error(source, "%s of one direction (needed both, as the configuration has it)", class);
  return CUSEQ_STATUS_OK;
}

/* An nn.LSTM, nn.GRU or a cell of them, which module_look has found. */
static cuseq_status locate_pytorch(const struct checkpoint *checkpoint, const struct source *source,
                                   const struct recurrent *found, const struct wanted_cell *wanted,
                                   struct located *located) {
  static const char *const stems[ARRAY_ROLES] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
  const char *class = module_recurrent_class(found), *module = source->name->module;
  char suffix[64], ending[32] = "";
  if (found->projected > 0)
    return source_error(source, "%s with a projection (proj_size %lld), which cuseq cannot express", class,
                        (long long)found->projected);
  if (found->gates != (wanted->kind == CELL_LSTM ? 4 : 3))
    return source_error(source, "%s (needed %s, as the configuration has it)", class,
                        class_wanted(wanted->kind));
  if (found->layers > 0) {
    TRY(expect_layers(source, found, wanted));
    snprintf(ending, sizeof ending, "_l%d%s", source->layer >= 0 ? source->layer : wanted->layer,
             wanted->side != NULL && strcmp(wanted->side, "backward") == 0 ? "_reverse" : "");
  } else if (wanted->side != NULL || wanted->layers != 1) {
    return source_error(source, "%s (needed %s; \"%s.layers.N.forward\" and so on name cells)", class,
                        class_wanted(wanted->kind),
                        strncmp(source->name->key, "decoder", 7) == 0 ? "decoder" : "encoder");
  }
  for (int role = 0; role < ARRAY_ROLES; role++) {
    bool is_bias = role == ROLE_BIAS || role == ROLE_RECURRENT_BIAS;
    snprintf(suffix, sizeof suffix, "%s%s", stems[role], ending);
    located->arrays[role] = checkpoint_find(checkpoint, module, suffix);
    if (located->arrays[role] == NULL && (!is_bias || found->bias))
      return checkpoint_missing(module, suffix);
  }
  located->convention = CONVENTION_PYTORCH;
  return CUSEQ_STATUS_OK;
}

static cuseq_status locate_keras(const struct checkpoint *checkpoint, const struct source *source,
                                 const struct wanted_cell *wanted, struct located *located) {
  struct checkpoint_tensor *recurrent;
  if (wanted->layers != 1 || source->layer >= 0)
    return source_error(source, "a layer of Keras is one layer (needed \"%s.layers.N\" for each)",
                        strncmp(source->name->key, "decoder", 7) == 0 ? "decoder" : "encoder");
  TRY(find_one(checkpoint, source, source->name->module, "recurrent_kernel", "1", wanted->side, &recurrent));
  if (recurrent == NULL)
    return CUSEQ_STATUS_OK;
  located->arrays[ROLE_RECURRENT_KERNEL] = recurrent;
  located->arrays[ROLE_KERNEL] = beside(checkpoint, recurrent, "kernel", "0");
  located->arrays[ROLE_BIAS] = beside(checkpoint, recurrent, "bias", "2");
  located->convention = CONVENTION_KERAS;
  return located->arrays[ROLE_KERNEL] != NULL
             ? CUSEQ_STATUS_OK
             : source_error(source, "it has '%.200s', and no kernel beside it", recurrent->name);
}

cuseq_status locate_cell(const struct checkpoint *checkpoint, const struct source *source,
                         const struct wanted_cell *wanted, struct located *located) {
  *located = (struct located){0};
  const char *module = source->name->module;
  if (module == NULL) {
    if (wanted->side != NULL || wanted->layers != 1)
      return source_error(source, "they are of one cell (needed names for each: \"%s.layers.N%s\")",
                          strncmp(source->name->key, "decoder", 7) == 0 ? "decoder" : "encoder",
                          wanted->side != NULL ? ".forward\", ... \".backward" : "");
    return locate_named(checkpoint, source, located);
  }
  const struct recurrent found = module_look(checkpoint, module);
  if (found.layers > 0 || found.cell)
    return locate_pytorch(checkpoint, source, &found, wanted, located);
  TRY(locate_keras(checkpoint, source, wanted, located));
  if (located->arrays[ROLE_KERNEL] != NULL)
    return CUSEQ_STATUS_OK;
  char text[500];
  module_describe(checkpoint, module, "weight_ih", text, sizeof text);
  return source_error(source, "%s (needed %s, %sor a layer of Keras: kernel and recurrent_kernel%s)", text,
                      class_wanted(wanted->kind), wanted->side == NULL ? "a cell of it, " : "",
                      wanted->side != NULL ? ", of both directions" : "");
}

/* ---- dense layers, embeddings, vectors ------------------------------------------------------------ */

static cuseq_status locate_module(const struct checkpoint *checkpoint, const struct source *source,
                                  const char *module, struct located *located) {
  const char *word = source->kind == SOURCE_TABLE && module == source->name->module ? "embeddings" : "kernel";
  struct checkpoint_tensor *weight = checkpoint_find(checkpoint, module, "weight");
  if (weight != NULL) {
    located->arrays[ROLE_KERNEL] = weight;
    located->arrays[ROLE_BIAS] = checkpoint_find(checkpoint, module, "bias");
    located->convention = CONVENTION_PYTORCH;
    return CUSEQ_STATUS_OK;
  }
  TRY(find_one(checkpoint, source, module, word, "0", NULL, &weight));
  if (weight == NULL)
    return CUSEQ_STATUS_OK;
  located->arrays[ROLE_KERNEL] = weight;
  located->arrays[ROLE_BIAS] = beside(checkpoint, weight, "bias", "1");
  located->convention = CONVENTION_KERAS;
  return CUSEQ_STATUS_OK;
}

cuseq_status locate_dense(const struct checkpoint *checkpoint, const struct source *source,
                          const char *module, struct located *located) {
  *located = (struct located){0};
  if (module == NULL)
    return locate_named(checkpoint, source, located);
  struct checkpoint_tensor *array = *module != 0 ? checkpoint_named(checkpoint, module) : NULL;
  if (array != NULL) {
    located->arrays[ROLE_KERNEL] = array;
    return CUSEQ_STATUS_OK;
  }
  TRY(locate_module(checkpoint, source, module, located));
  if (located->arrays[ROLE_KERNEL] != NULL)
    return CUSEQ_STATUS_OK;
  char text[500];
  module_describe(checkpoint, module, "weight", text, sizeof text);
  if (module != source->name->module)
    return source_error(source, "it goes through '%.200s': %s (needed an nn.Linear or a layer Dense)", module,
                        text);
  return source_error(source, "%s (needed %s, a layer of Keras, or the name of an array)", text,
                      source->kind == SOURCE_TABLE ? "an nn.Embedding" : "an nn.Linear");
}
