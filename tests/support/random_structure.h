/* Structures of version 2 by chance, every ingredient of docs/model-format.md among them, with models,
 * inputs and decodings: the same for the same seed on every machine. Each function that draws a structure
 * draws one number of `random`; what the structure is depends on that number, and each of its parts on that
 * number and the part's name (random_named), so that a new kind of part changes no other. */
#ifndef TESTS_SUPPORT_RANDOM_STRUCTURE_H
#define TESTS_SUPPORT_RANDOM_STRUCTURE_H

#include "support/random_model.h"
#include "support/results.h"

#include <stdbool.h>

enum { RANDOM_STRUCTURE_JSON = 16384 };

/* A structure with its model, and the sizes and arrays of a call; an array that is not given is NULL. */
struct random_structure {
  char json[RANDOM_STRUCTURE_JSON];
  struct random drawn; /* the generator that its numbers are named of */
  cuseq_model *model;
  int32_t encoded; /* rows of what is encoded */
  int32_t B, T, Y; /* rows of what is decoded, positions, steps */
  int32_t *lengths;
  float *x;       /* [encoded,T,F], or ids */
  int32_t *ids;   /* [encoded,T] */
  float *start_h; /* [encoder_state_width x encoded], as cuseq_input.initial_h */
  float *start_c;
  int32_t *rows;
  float *initial_h, *initial_c, *initial_fed;
  float *given; /* [B,Y,G] */
  int32_t *previous, *targets, *target_lengths;
  bool no_contexts; /* they are not asked for */
};

/* Writes a configuration, with sizes up to `largest`, for inputs of `time` positions and decodings of
 * `steps` steps. */
void random_structure_json(struct random *random, int32_t largest, int32_t time, int32_t steps,
                           char json[RANDOM_STRUCTURE_JSON]);

/* Changes one thing: another word, truth value or number, up to `largest` + 1, in the place of one of the
 * same kind, or one item of a list or object less. What comes out may be no configuration, or no JSON. */
void random_structure_mutate(char json[RANDOM_STRUCTURE_JSON], struct random *random, int32_t largest);

/* Has the decoder's steps read numbers that are given, up to `largest` of them, and now and then the head;
 * false: there is no decoder. Draws nothing of `random`. */
bool random_structure_json_give(char json[RANDOM_STRUCTURE_JSON], const struct random *random,
                                int32_t largest);

/* Draws a structure with sizes up to `largest` (units, features, batch, positions). */
void random_structure_make(struct random_structure *made, struct random *random, int32_t largest);
/* The same of a configuration that is right, with up to `largest` rows. */
void random_structure_of(struct random_structure *made, const char *json, struct random *random,
                         int32_t largest, int32_t time, int32_t steps);
/* Makes of a structure one whose steps are given numbers, with another model; false: it has no decoder and
 * stays. */
bool random_structure_give(struct random_structure *made, int32_t largest);
void random_structure_free(struct random_structure *made);

/* Runs it on a device, into results made for it here (results_free is due). */
void random_structure_run(const struct random_structure *made, const char *device, int32_t threads,
                          struct results *results);

#endif
