/* A layer of a decoder that carries vectors which are the same at every step (carry.c). */
#ifndef CUSEQ_RECOGNISE_CARRY_H
#define CUSEQ_RECOGNISE_CARRY_H

#include "convert/recognise/recognised.h"

struct carry {
  struct step *step;
  int32_t cell;         /* the CELL_H that it is put in front of */
  struct bases held;    /* what is the same at every step */
  struct bases asking;  /* what of it an attention is asked by */
  struct bases begun;   /* slots that do not begin with zeros, and what they begin with */
  struct bases initial; /* of each of them */
  struct bases passed; /* what else is read; behind it the slots, as they would be if they began with zeros */
  int32_t held_width, begun_width, passed_width;
  int32_t carrier;  /* the new layer's CELL_H: of what is held, begun, begun and moved on, passed */
  int32_t slot;     /* that before the step */
  int32_t new_cell; /* that one, over it */
};

/* carry_layer.c: makes the layer of what a cell reads; slot and carrier receive it. */
cuseq_status carry_make(struct recogniser *recogniser, struct carry *carry);

#endif
