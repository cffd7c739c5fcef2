/* The memory of beam searches, which a session takes once. */
#ifndef CUSEQ_HOST_BEAM_H
#define CUSEQ_HOST_BEAM_H

#include "backends/backend.h"
#include "search/search.h"

#include <stddef.h>

/* A decoder's states and what its steps hand on, of all lanes; NULL where the model has none. */
struct beam_states {
  float *h, *c, *fed; /* [lanes, S], [lanes, S], [lanes, X] */
};

/* Widths of a decoder's states; that of c is 0 where no layer has one. */
struct beam_widths {
  size_t h, c, fed;
};
struct beam_widths beam_widths(const cuseq_model *model);

/* A zeroed one has none. */
struct beams {
  void *memory;
  struct search search;
  float *logs;                      /* [lanes, V] */
  struct beam_states before, after; /* a step */
  int32_t *trace;                   /* [steps] lanes that a result came by */
  float *alphas;                    /* [steps, lanes, T] of the searches that give them; grows by itself */
  size_t alphas_room;
};

/* Takes the memory that searches of a session with such limits need, but for alphas. is_stepped: with what
 * the model's steps give, which a device that searches by itself holds itself. Refuses what does not fit and
 * says what would. */
cuseq_status beams_open(struct beams *beams, const cuseq_model *model, bool is_stepped,
                        const struct backend_limits *limits);
void beams_close(struct beams *beams);

/* Room for that many floats of alphas. */
cuseq_status beams_need_alphas(struct beams *beams, size_t floats);

/* Why a model cannot be searched; NULL: it can. */
const char *beam_unsearchable(const cuseq_model *model);

#endif
