#include "search.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {"a string", "an integer", "a boolean", "a number"};

static TRITONSERVER_Error *wrong_type(const struct setting *setting, const char *needed) {
  bool known = (unsigned)setting->type < sizeof type_names / sizeof *type_names;
  return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: is of another type (found %s, needed %s)", setting->name,
               known ? type_names[setting->type] : "bytes", needed);
}

TRITONSERVER_Error *setting_text(const struct setting *setting, const char **value) {
  if (setting->type != TRITONSERVER_PARAMETER_STRING)
    return wrong_type(setting, "a string");
  *value = setting->value;
  return NULL;
}

TRITONSERVER_Error *setting_number(const struct setting *setting, double least, double most, double *value) {
  double number = NAN;
  if (setting->type == TRITONSERVER_PARAMETER_DOUBLE) {
    number = *(const double *)setting->value;
  } else if (setting->type == TRITONSERVER_PARAMETER_INT) {
    number = (double)*(const int64_t *)setting->value;
  } else if (setting->type == TRITONSERVER_PARAMETER_STRING) {
    char *end;
    number = strtod(setting->value, &end);
    if (end == (const char *)setting->value || *end)
      return wrong_type(setting, "a number");
  } else {
    return wrong_type(setting, "a number");
  }
  if (!(number >= least && number <= most))
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: is out of range (found %g, needed %g to %g)",
                 setting->name, number, least, most);
  *value = number;
  return NULL;
}

TRITONSERVER_Error *setting_integer(const struct setting *setting, int32_t least, int32_t most,
                                    int32_t *value) {
  long long number = 0;
  if (setting->type == TRITONSERVER_PARAMETER_INT) {
    number = *(const int64_t *)setting->value;
  } else if (setting->type == TRITONSERVER_PARAMETER_STRING) {
    char *end;
    errno = 0;
    number = strtoll(setting->value, &end, 10);
    if (end == (const char *)setting->value || *end || errno)
      return wrong_type(setting, "an integer");
  } else {
    return wrong_type(setting, "an integer");
  }
  if (number < least || number > most)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: is out of range (found %lld, needed %d to %d)",
                 setting->name, number, (int)least, (int)most);
  *value = (int32_t)number;
  return NULL;
}

TRITONSERVER_Error *setting_flag(const struct setting *setting, bool *value) {
  if (setting->type == TRITONSERVER_PARAMETER_BOOL) {
    *value = *(const bool *)setting->value;
    return NULL;
  }
  bool text = setting->type == TRITONSERVER_PARAMETER_STRING;
  *value = text && strcmp(setting->value, "true") == 0;
  if (*value || (text && strcmp(setting->value, "false") == 0))
    return NULL;
  return wrong_type(setting, "true or false");
}

static TRITONSERVER_Error *penalty_set(const struct setting *setting, cuseq_length_penalty *penalty) {
  static const char *const names[] = {[CUSEQ_LENGTH_PENALTY_NONE] = "none",
                                      [CUSEQ_LENGTH_PENALTY_LENGTH] = "length",
                                      [CUSEQ_LENGTH_PENALTY_GNMT] = "gnmt"};
  const char *text = "";
  TRY(setting_text(setting, &text));
  for (int i = 0; i <= CUSEQ_LENGTH_PENALTY_GNMT; i++)
    if (strcmp(text, names[i]) == 0) {
      *penalty = (cuseq_length_penalty)i;
      return NULL;
    }
  return fault(TRITONSERVER_ERROR_INVALID_ARG,
               "%s: there is no such (found \"%.40s\", needed none, length or gnmt)", setting->name, text);
}

TRITONSERVER_Error *search_set(struct search *search, const struct setting *setting, bool *known) {
  const char *name = setting->name;
  *known = true;
  if (strcmp(name, "beam") == 0)
    return setting_integer(setting, 0, CUSEQ_MAX_BEAMS, &search->beam);
  if (strcmp(name, "n_best") == 0)
    return setting_integer(setting, 1, CUSEQ_MAX_BEAMS, &search->n_best);
  if (strcmp(name, "min_length") == 0)
    return setting_integer(setting, 0, INT32_MAX, &search->min_length);
  if (strcmp(name, "length_penalty") == 0)
    return penalty_set(setting, &search->length_penalty);
  if (strcmp(name, "alpha") == 0)
    return setting_number(setting, 1e-6, 10, &search->alpha); /* 0 stands for: not given */
  if (strcmp(name, "retire") == 0)
    return setting_flag(setting, &search->retire);
  if (strcmp(name, "prune_by_score") == 0)
    return setting_flag(setting, &search->prune_by_score);
  *known = false;
  return NULL;
}

/* What means something beside a beam alone. */
static const char *companion(const struct search *search) {
  return search->n_best > 0           ? "n_best"
         : search->min_length > 0     ? "min_length"
         : search->length_penalty > 0 ? "length_penalty"
         : search->alpha > 0          ? "alpha"
         : search->retire             ? "retire"
         : search->prune_by_score     ? "prune_by_score"
                                      : NULL;
}

TRITONSERVER_Error *search_check(const struct search *search, const cuseq_config *config, int32_t max_beam) {
  if (search->beam == 0) {
    const char *name = companion(search);
    return name ? fault(TRITONSERVER_ERROR_INVALID_ARG, "%s: goes with beam (found none)", name) : NULL;
  }
  if (!config->has_decoder)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "beam: the model has no decoder to search with");
  if (search->beam > max_beam)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "beam: too many (found %d, needed at most max_beam, %d)",
                 (int)search->beam, (int)max_beam);
  if (search->beam > config->outputs)
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "beam: more than the model's outputs (found %d, needed 1 to %d)", (int)search->beam,
                 (int)config->outputs);
  if (search->n_best > search->beam)
    return fault(TRITONSERVER_ERROR_INVALID_ARG, "n_best: more than beam (found %d, needed 1 to %d)",
                 (int)search->n_best, (int)search->beam);
  if (search->alpha > 0 && search->length_penalty == CUSEQ_LENGTH_PENALTY_NONE)
    return fault(TRITONSERVER_ERROR_INVALID_ARG,
                 "alpha: goes with length_penalty length or gnmt (found none)");
  return NULL;
}

cuseq_beam search_beam(const struct search *search) {
  cuseq_beam beam;
  cuseq_beam_init(&beam, sizeof beam);
  beam.beams = search->beam;
  beam.n_best = search->n_best > 0 ? search->n_best : 1;
  beam.min_length = search->min_length;
  beam.length_penalty = search->length_penalty;
  beam.alpha = search->alpha > 0 ? (float)search->alpha : 1;
  beam.finished = search->retire ? CUSEQ_FINISHED_RETIRES : CUSEQ_FINISHED_KEEPS;
  beam.prune_by_score = search->prune_by_score;
  return beam;
}

bool search_equal(const struct search *a, const struct search *b) {
  return a->beam == b->beam && a->n_best == b->n_best && a->min_length == b->min_length &&
         a->length_penalty == b->length_penalty && a->alpha == b->alpha && a->retire == b->retire &&
         a->prune_by_score == b->prune_by_score;
}
