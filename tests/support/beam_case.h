/* Models for beam search, and what a search of them gives. */
#ifndef TESTS_SUPPORT_BEAM_CASE_H
#define TESTS_SUPPORT_BEAM_CASE_H

#include "cuseq/cuseq.h"

enum {
  BEAM_STRUCTURES = 5,
  BEAM_GIVEN = 2, /* the structure whose tokens are given */
  ROWS = 3,
  TIME = 5,
  WIDEST_BEAM = 8,
  LONGEST = 8, /* of outputs */
  RESULTS = ROWS * WIDEST_BEAM
};

/* What is special about a structure. */
const char *beam_case_name(int32_t structure);

/* A model of it by chance. All read ids below 7. */
cuseq_model *beam_case_model(int32_t structure, uint64_t seed);

/* The same of a configuration whose quotes are single ones, and its JSON, valid until the next call. */
cuseq_model *beam_case_model_of(const char *text, uint64_t seed);
const char *beam_case_json(const char *text);

/* The device that BEAM_DEVICE in the environment names: the reference where it names none. */
const char *beam_case_device(void);

/* A session for ROWS rows, on that device or another. */
cuseq_session *beam_case_session_on(const char *device, const cuseq_model *model, int32_t beams,
                                    int32_t time);
cuseq_session *beam_case_session(const cuseq_model *model, int32_t beams, int32_t time);

/* Encodes `rows` of the ROWS rows, from the first on: ragged ids. */
void beam_case_encode(cuseq_session *session, int32_t first, int32_t rows);

/* What a search gives, with room for all searches here; poisoned. */
struct beam_found {
  cuseq_beam beam;
  int32_t tokens[RESULTS * LONGEST], lengths[RESULTS];
  float scores[RESULTS], sums[RESULTS], alphas[RESULTS * LONGEST * TIME];
};

/* A search of the defaults that gives everything that the model has. */
void beam_found_make(struct beam_found *found, const cuseq_model *model, int32_t beams, int32_t best);

#endif
