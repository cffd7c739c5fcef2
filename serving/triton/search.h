/* How a request is decoded: greedily, or by a beam search, and how that one goes. Named as the options of
 * `cuseq translate`. A model's configuration has the defaults, a request's parameters replace them. */
#ifndef CUSEQ_SERVING_SEARCH_H
#define CUSEQ_SERVING_SEARCH_H

#include "fault.h"

struct search {
  int32_t beam;       /* K; 0: greedy                                                                      */
  int32_t n_best;     /* 0: one, where there is a beam                                                     */
  int32_t min_length; /* 0: any                                                                            */
  cuseq_length_penalty length_penalty;
  double alpha; /* 0: 1, where there is a penalty                                                          */
  bool retire, prune_by_score;
};

/* A value as it stands in a configuration or in a request. */
struct setting {
  const char *name;
  TRITONSERVER_ParameterType type;
  const void *value; /* of that type; a string may spell any other type                                    */
};

/* Readers of a setting; what is not of the type, or out of range, is refused by its name. */
TRITONSERVER_Error *setting_integer(const struct setting *setting, int32_t least, int32_t most,
                                    int32_t *value);
TRITONSERVER_Error *setting_number(const struct setting *setting, double least, double most, double *value);
TRITONSERVER_Error *setting_flag(const struct setting *setting, bool *value);
TRITONSERVER_Error *setting_text(const struct setting *setting, const char **value);

/* Takes a setting of the search.
 *   known  receives whether the setting is one of them */
TRITONSERVER_Error *search_set(struct search *search, const struct setting *setting, bool *known);

/* Whether the settings go together, and with the model. */
TRITONSERVER_Error *search_check(const struct search *search, const cuseq_config *config, int32_t max_beam);

/* As the library takes it; arrays and length are still to be set. */
cuseq_beam search_beam(const struct search *search);

bool search_equal(const struct search *a, const struct search *b);

#endif
