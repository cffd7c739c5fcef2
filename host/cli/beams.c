#include "cli/beams.h"

#include "cli/message.h"
#include "cli/results.h"
#include "formats/npz.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is asked for ---- */

/* The options that mean something beside --beam alone. */
static int companions_check(const struct arguments *arguments) {
  const struct {
    const char *name;
    bool given;
  } companions[] = {{"n-best", arguments->n_best > 0},
                    {"length-penalty", arguments->length_penalty != NULL},
                    {"alpha", arguments->alpha > 0},
                    {"min-length", arguments->min_length > 0},
                    {"max-length", arguments->max_length > 0},
                    {"retire", arguments->retire},
                    {"prune-by-score", arguments->prune_by_score}};
  for (size_t i = 0; i < sizeof companions / sizeof *companions; i++)
    if (companions[i].given && arguments->beam == 0)
      return fail("--%s: goes with --beam (found none)", companions[i].name);
  return EXIT_DONE;
}

static int penalty_choose(const struct arguments *arguments, cuseq_beam *beam) {
  static const struct {
    const char *name;
    cuseq_length_penalty penalty;
  } penalties[] = {{"none", CUSEQ_LENGTH_PENALTY_NONE},
                   {"length", CUSEQ_LENGTH_PENALTY_LENGTH},
                   {"gnmt", CUSEQ_LENGTH_PENALTY_GNMT}};
  size_t i = 0, count = sizeof penalties / sizeof *penalties;
  const char *name = arguments->length_penalty ? arguments->length_penalty : "none";
  while (i < count && strcmp(penalties[i].name, name) != 0)
    i++;
  if (i == count)
    return fail("--length-penalty: there is no such (found \"%s\", needed none, length or gnmt)", name);
  beam->length_penalty = penalties[i].penalty;
  if (arguments->alpha > 0 && beam->length_penalty == CUSEQ_LENGTH_PENALTY_NONE)
    return fail("--alpha: goes with --length-penalty length or gnmt (found none)");
  if (arguments->alpha > 10)
    return fail("--alpha: too large (found %g, needed at most 10)", arguments->alpha);
  beam->alpha = arguments->alpha > 0 ? (float)arguments->alpha : 1;
  return EXIT_DONE;
}

static int sizes_choose(const struct arguments *arguments, const cuseq_config *config, cuseq_beam *beam) {
  if (beam->beams > CUSEQ_MAX_BEAMS)
    return fail("--beam: too many (found %d, needed 1 to %d)", (int)beam->beams, CUSEQ_MAX_BEAMS);
  if (config->has_decoder && beam->beams > config->outputs)
    return fail("--beam: more than the model's outputs (found %d, needed 1 to %d)", (int)beam->beams,
                (int)config->outputs);
  if (beam->n_best > beam->beams)
    return fail("--n-best: more than --beam (found %d, needed 1 to %d)", (int)beam->n_best, (int)beam->beams);
  if (arguments->min_length > beam->max_length && beam->max_length > 0)
    return fail("--min-length: above the longest output (found %d, needed 1 to %d)",
                (int)arguments->min_length, (int)beam->max_length);
  return EXIT_DONE;
}

int beam_choose(const struct arguments *arguments, const cuseq_config *config, int32_t max_length,
                cuseq_beam *beam) {
  cuseq_beam_init(beam, sizeof *beam);
  beam->beams = arguments->beam;
  int status = companions_check(arguments);
  if (status != EXIT_DONE || beam->beams == 0)
    return status;
  beam->n_best = arguments->n_best > 0 ? arguments->n_best : 1;
  beam->min_length = arguments->min_length;
  status = steps_choose(config, max_length > 0 ? max_length : arguments->max_length, &beam->max_length);
  beam->finished = arguments->retire ? CUSEQ_FINISHED_RETIRES : CUSEQ_FINISHED_KEEPS;
  beam->prune_by_score = arguments->prune_by_score;
  if (status == EXIT_DONE)
    status = sizes_choose(arguments, config, beam);
  return status == EXIT_DONE ? penalty_choose(arguments, beam) : status;
}

/* ---- results ---- */

/* The arrays, and how many elements each has for a hypothesis. */
struct beam_array {
  const char *name;
  void *data;
  size_t elements;
  int32_t rank;
  bool integer;
};

enum { BEAM_ARRAYS = 5 };

static void arrays_of(const struct beam_results *results, struct beam_array arrays[BEAM_ARRAYS]) {
  size_t Y = (size_t)results->steps;
  const struct beam_array all[BEAM_ARRAYS] = {
      {"tokens", results->tokens, Y, 3, true},
      {"output_lengths", results->lengths, 1, 2, true},
      {"scores", results->scores, 1, 2, false},
      {"log_probabilities", results->log_probabilities, 1, 2, false},
      {"alphas", results->alphas, Y * (size_t)results->time, 4, false}};
  memcpy(arrays, all, sizeof all);
}

int beam_results_make(struct beam_results *results, const cuseq_beam *beam, int64_t rows, int32_t time,
                      bool alphas) {
  *results = (struct beam_results){.best = beam->n_best, .steps = beam->max_length, .time = time};
  struct beam_array arrays[BEAM_ARRAYS];
  arrays_of(results, arrays);
  double hypotheses = (double)rows * results->best, needed = 0;
  for (int i = 0; i < BEAM_ARRAYS - !alphas; i++)
    needed += hypotheses * (double)arrays[i].elements * sizeof(float);
  int status = results_memory_check(needed);
  if (status != EXIT_DONE)
    return status;
  size_t count = (size_t)rows * (size_t)results->best;
  results->tokens = calloc(count * arrays[0].elements, sizeof(int32_t));
  results->lengths = calloc(count, sizeof(int32_t));
  results->scores = calloc(count, sizeof(float));
  results->log_probabilities = calloc(count, sizeof(float));
  results->alphas = alphas ? calloc(count * arrays[4].elements, sizeof(float)) : NULL;
  bool whole = results->tokens && results->lengths && results->scores && results->log_probabilities &&
               (results->alphas || !alphas);
  return whole ? EXIT_DONE : fail_memory();
}

void beam_results_free(struct beam_results *results) {
  free(results->tokens);
  free(results->lengths);
  free(results->scores);
  free(results->log_probabilities);
  free(results->alphas);
  *results = (struct beam_results){0};
}

void beam_results_bind(const struct beam_results *results, int64_t first, cuseq_beam *beam) {
  size_t at = (size_t)first * (size_t)results->best, Y = (size_t)results->steps;
  beam->tokens = results->tokens + at * Y;
  beam->lengths = results->lengths + at;
  beam->scores = results->scores + at;
  beam->log_probabilities = results->log_probabilities + at;
  beam->alphas = results->alphas ? results->alphas + at * Y * (size_t)results->time : NULL;
}

const int32_t *beam_results_tokens(const struct beam_results *results, int64_t row, int32_t n,
                                   int32_t *length) {
  size_t at = (size_t)row * (size_t)results->best + (size_t)n;
  *length = results->lengths[at];
  return results->tokens + at * (size_t)results->steps;
}

int32_t beam_results_entries(const struct beam_results *results, int64_t rows, struct npz_entry *entries) {
  struct beam_array arrays[BEAM_ARRAYS];
  int32_t count = 0;
  arrays_of(results, arrays);
  for (int i = 0; i < BEAM_ARRAYS; i++) {
    if (!arrays[i].data)
      continue;
    const struct npy_array array = {.dtype = arrays[i].integer ? NPY_I32 : NPY_F32,
                                    .rank = arrays[i].rank,
                                    .shape = {rows, results->best, results->steps, results->time},
                                    .count = (size_t)rows * (size_t)results->best * arrays[i].elements,
                                    .data = arrays[i].data};
    entries[count++] = (struct npz_entry){arrays[i].name, array};
  }
  return count;
}
