/* Models by chance, the same for the same seed on every machine. */
#ifndef TESTS_SUPPORT_RANDOM_MODEL_H
#define TESTS_SUPPORT_RANDOM_MODEL_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stdint.h>

/* A generator of its own (xorshift64*), so that the C library's does not matter. Seed with anything but 0. */
struct random {
  uint64_t state;
};

uint32_t random_bits(struct random *random);
int32_t random_below(struct random *random, int32_t bound); /* 0 .. bound - 1 */
float random_between(struct random *random, float low, float high);

/* A generator for one of many: what it gives depends on how many there were before, not on what they drew. */
struct random random_next(struct random *random);
/* A generator for what is named: what it gives depends on `random` and the name alone, and draws nothing of
 * `random`. So nothing else changes where one more thing is drawn. */
struct random random_named(const struct random *random, const char *name);

/* The widths that only tensors tell; 0 where the configuration does not need them. */
struct random_widths {
  int32_t state_units;
  int32_t additive_units;
  bool additive_bias;
  int32_t embedding_units;
};

/* A model of the given configuration with weights of about 1/sqrt(inputs). Aborts on a configuration that is
 * wrong. */
cuseq_model *random_model(const char *json, const struct random_widths *widths, struct random *random);

/* The same with weights as large as trained models have them: gates that saturate, sharp attention, sure
 * outputs. docs/exactness.md has the measurements. */
cuseq_model *trained_like_model(const char *json, const struct random_widths *widths, struct random *random);
/* The same with the kernels of cells times `cells`. */
cuseq_model *calmer_model(const char *json, const struct random_widths *widths, struct random *random,
                          float cells);

#endif
