/* What thin.c works with, and thin_clocks.c measures. */
#ifndef CUSEQ_RECOGNISE_THIN_PARTS_H
#define CUSEQ_RECOGNISE_THIN_PARTS_H

#include "convert/recognise/thin.h"

enum { THIN_MOST_STRIDE = 1024 };

/* What an expression is at a position relative to the block. */
struct phase {
  int32_t of, at, made;
};

struct thinning {
  struct expressions *expressions;
  const struct graph_node *node; /* of what thins, for messages */
  int32_t base;                  /* the input's clock */
  int32_t stride;                /* S */
  int32_t rate[MAX_CLOCKS];      /* of clocks of the base; 0: none */
  int64_t gap[MAX_CLOCKS];       /* how many positions fewer a clock has than its rate times the blocks */
  int32_t blocks;                /* the clock of the blocks */
  int32_t lost;                  /* blocks that have no position, while phases for them are made */
  struct phase *table;           /* [TABLE_SIZE], of == -1: free */
  int32_t made;
  int depth;
};

/* Refuses what thins, in front of what `node` does. */
cuseq_status thin_refuse(const struct thinning *thinning, const struct graph_node *node);

/* Finds the input's clock, S, and every clock's rate and gap; base -1: nothing is thinned. */
cuseq_status thin_measure(struct thinning *thinning);

/* floor(a / b) for b > 0. */
int64_t thin_floor(int64_t a, int64_t b);

#endif
