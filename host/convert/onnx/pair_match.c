/* Which outputs the inputs of a decoder's step are: what the caller says, names, shapes. */
#include "convert/onnx/pair_match.h"
#include "error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- shapes --------------------------------------------------------------------------------------- */

/* Whether a declared shape may be that of a tensor: sizes that both know are the same. */
static bool may_be(const struct declared *declared, const struct tensor *tensor) {
  int64_t size;
  if (declared->rank < 0)
    return true;
  if (declared->rank != tensor_rank(tensor))
    return false;
  for (int32_t i = 0; i < declared->rank; i++) {
    struct dim dim = tensor_dim(tensor, i);
    bool constant = dim_constant(&dim, &size);
    if (constant && declared->dims[i] != size)
      return false;
  }
  return true;
}

const char *pair_describe(const struct declared *declared, char *text, size_t capacity) {
  size_t used = 0;
  for (int32_t i = 0; i < declared->rank && used + 2 < capacity; i++) {
    char size[64];
    const char *symbol =
        declared->symbols[i] != NULL && declared->symbols[i][0] != '\0' ? declared->symbols[i] : "?";
    if (declared->dims[i] >= 0)
      snprintf(size, sizeof size, "%lld", (long long)declared->dims[i]);
    else
      snprintf(size, sizeof size, "%.40s", symbol);
    used += (size_t)snprintf(text + used, capacity - used, "%s%s", i == 0 ? "[" : ", ", size);
  }
  if (used + 2 < capacity)
    snprintf(text + used, capacity - used, used == 0 ? "[]" : "]");
  return text;
}

/* ---- names ---------------------------------------------------------------------------------------- */

/* What is left of a name without the words that tell before from after: "next_h", "h_in" and "h0" are all
 * "h". */
static void root_of(const char *name, char *root, size_t capacity) {
  static const char *const words[] = {"next",  "new",     "prev", "previous", "last",    "out",   "output",
                                      "in",    "input",   "init", "cur",      "initial", "final", "n",
                                      "state", "encoder", "enc",  "decoder",  "dec",     "past",  "present"};
  size_t used = 0;
  for (const char *at = name; *at != '\0';) {
    size_t length = 0;
    while (isalpha((unsigned char)at[length]))
      length++;
    bool dropped = length == 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
      dropped = dropped || (strlen(words[i]) == length && strncasecmp(words[i], at, length) == 0);
    for (size_t i = 0; !dropped && i < length && used + 1 < capacity; i++)
      root[used++] = (char)tolower((unsigned char)at[i]);
    at += length > 0 ? length : 1;
  }
  root[used] = '\0';
}

bool pair_same_root(const char *a, const char *b) {
  char first[64], second[64];
  root_of(a, first, sizeof first);
  root_of(b, second, sizeof second);
  return first[0] != '\0' && strcmp(first, second) == 0;
}

const char *pair_step_output(const struct pair *pair, int32_t at) {
  const char *name = pair->step->file->model->graph->output[at]->name;
  return name != NULL ? name : "";
}

/* ---- what the caller says ------------------------------------------------------------------------- */

static int32_t find_encoder_output(const struct pair *pair, const char *name, size_t length) {
  for (int32_t i = 0; i < pair->output_count; i++)
    if (strlen(pair->outputs[i].name) == length && strncmp(pair->outputs[i].name, name, length) == 0)
      return i;
  return -1;
}

static int32_t find_step_output(const struct pair *pair, const char *name, size_t length) {
  for (int32_t i = 0; i < pair->step_output_count; i++)
    if (strlen(pair_step_output(pair, i)) == length && strncmp(pair_step_output(pair, i), name, length) == 0)
      return i;
  return -1;
}

/* "h=hn,h=state_h": the step's input h begins with the encoder's state_h and goes on with the step's hn. */
cuseq_status pair_read_links(struct pair *pair) {
  for (const char *at = pair->links; at != NULL && *at != '\0';) {
    size_t length = strcspn(at, ","), left = strcspn(at, "=");
    struct step_input *input = NULL;
    for (int32_t i = 0; left < length && i < pair->input_count; i++)
      if (strlen(pair->inputs[i].declared.name) == left &&
          strncmp(pair->inputs[i].declared.name, at, left) == 0)
        input = &pair->inputs[i];
    if (input == NULL)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT,
                       "--link '%.*s': the decoder has no such input (needed INPUT=OUTPUT)",
                       length < 100 ? (int)length : 100, at);
    const char *name = at + left + 1;
    size_t rest = length - left - 1;
    int32_t encoder = find_encoder_output(pair, name, rest), step = find_step_output(pair, name, rest);
    bool zeros = rest == 5 && strncmp(name, "zeros", rest) == 0 && encoder < 0 && step < 0;
    input->zeros = input->zeros || zeros;
    if (encoder < 0 && step < 0 && !zeros)
      return error_set(CUSEQ_STATUS_INVALID_ARGUMENT, "--link '%.*s': neither file has an output '%.*s'",
                       length < 100 ? (int)length : 100, at, rest < 100 ? (int)rest : 100, name);
    if (encoder >= 0 && (step < 0 || input->initial < 0))
      input->initial = encoder;
    else if (step >= 0)
      input->next = step;
    at += length + (at[length] == ',');
  }
  return CUSEQ_STATUS_OK;
}

/* ---- what an input begins with -------------------------------------------------------------------- */

bool pair_is_taken(const struct pair *pair, int32_t output) {
  for (int32_t i = 0; i < pair->input_count; i++)
    if (pair->inputs[i].initial == output)
      return true;
  return false;
}

/* The only one of the encoder's outputs that is not taken, fits and, where `named`, is called alike; -1:
 * none, -2: several. */
static int32_t only_output(const struct pair *pair, const struct declared *input, bool named) {
  int32_t found = -1;
  for (int32_t i = 0; i < pair->output_count; i++) {
    bool alike = !named || strcmp(input->name, pair->outputs[i].name) == 0 ||
                 pair_same_root(input->name, pair->outputs[i].name);
    if (pair_is_taken(pair, i) || !alike || pair->output_tensors[i].kind != TENSOR_TABLE ||
        !may_be(input, &pair->output_tensors[i]))
      continue;
    if (strcmp(input->name, pair->outputs[i].name) == 0)
      return i;
    found = found == -1 ? i : -2;
  }
  return found;
}

cuseq_status pair_refuse_ambiguous(const struct declared *input, const char *whose) {
  char text[128];
  return error_set(CUSEQ_STATUS_INVALID_MODEL,
                   "input '%.100s' %s of the decoder may be any of several outputs of the %s: say which with "
                   "--link %.100s=OUTPUT",
                   input->name, pair_describe(input, text, sizeof text), whose, input->name);
}

/* By name where that is enough, otherwise by shape where only one fits. */
cuseq_status pair_find_initial(struct pair *pair) {
  for (int pass = 0; pass < 2; pass++)
    for (int32_t i = 0; i < pair->input_count; i++) {
      struct step_input *input = &pair->inputs[i];
      if (input->initial >= 0 || input->token || input->mask || input->zeros)
        continue;
      int32_t found = only_output(pair, &input->declared, pass == 0);
      if (found == -2 && pass == 1)
        return pair_refuse_ambiguous(&input->declared, "encoder");
      if (found >= 0)
        input->initial = found;
    }
  return CUSEQ_STATUS_OK;
}

/* ---- a token that is one-hot ---------------------------------------------------------------------- */

static bool may_be_one_hot(const struct pair *pair, const struct step_input *input,
                           const struct declared *output) {
  const struct declared *declared = &input->declared;
  const int32_t last = declared->rank - 1;
  bool vector = declared->rank == 2 || (declared->rank == 3 && declared->dims[1] <= 1);
  if (!vector || input->mask || input->zeros || input->initial >= 0 || input->next >= 0)
    return false;
  if (declared->dims[last] < 2 || output->rank < 1 || output->dims[output->rank - 1] != declared->dims[last])
    return false;
  for (int32_t i = 0; i < pair->output_count; i++)
    if (pair->output_tensors[i].kind == TENSOR_TABLE && may_be(declared, &pair->output_tensors[i]))
      return false;
  return true;
}

cuseq_status pair_find_one_hot(struct pair *pair) {
  struct declared output;
  struct step_input *found = NULL;
  if (pair->step_output_count < 1)
    return CUSEQ_STATUS_OK;
  TRY(declared_read(pair->step->file->model->graph->output[0], &output));
  for (int32_t i = 0; i < pair->input_count; i++) {
    struct step_input *input = &pair->inputs[i];
    bool fits = may_be_one_hot(pair, input, &output);
    if (input->token || (found != NULL && fits))
      return CUSEQ_STATUS_OK;
    found = fits ? input : found;
  }
  if (found != NULL)
    found->token = true;
  return CUSEQ_STATUS_OK;
}
