/* Configurations of the design by chance, with models and inputs. */
#ifndef TESTS_SUPPORT_RANDOM_CASE_H
#define TESTS_SUPPORT_RANDOM_CASE_H

#include "support/random_model.h"

/* A configuration with its model, and the sizes and input of a call. */
struct random_case {
  char json[2048];
  struct random_widths widths;
  int32_t B, T, Y;
  cuseq_model *model;
  int32_t *lengths; /* [B] or NULL */
  float *x;         /* [B,T,F] or NULL */
  int64_t *ids;     /* [B,T] or NULL */
};

/* Draws any configuration of the design, with sizes up to `largest` (units, features, batch, positions). */
void random_case_make(struct random_case *made, struct random *random, int32_t largest);
void random_case_free(struct random_case *made);

/* The case's input, for a call. */
cuseq_input random_case_input(const struct random_case *made);

#endif
