/* The words of configurations, each spelt once: readers and writers of JSON, the program and the converters
 * take them from here. */
#ifndef CUSEQ_MODEL_WORDS_H
#define CUSEQ_MODEL_WORDS_H

#include <stddef.h>

/* A word and its value. Lists of them end with a NULL text; the first is the default where a key may be
 * absent. */
struct word {
  const char *text;
  int value;
};

extern const struct word
    words_activation[]; /* enum cuseq_activation: any one that works element by element */
extern const struct word words_last_activation[];    /* those, and softmax and log_softmax */
extern const struct word words_cell_kind[];          /* enum cell_kind */
extern const struct word words_direction[];          /* enum layer_direction */
extern const struct word words_merge[];              /* enum cuseq_merge */
extern const struct word words_score[];              /* enum cuseq_score */
extern const struct word words_asks[];               /* enum attention_asks */
extern const struct word words_part[];               /* enum part */
extern const struct word words_initial_from[];       /* enum initial_from */
extern const struct word words_initial_directions[]; /* enum initial_directions */
extern const struct word words_state[];              /* of a cell: 0 h, 1 c */
extern const struct word words_feedback[];           /* enum feedback */
extern const struct word words_head_source[];        /* enum head_source */
extern const struct word words_reset[];              /* GRU: 1 after, 0 before */
extern const struct word words_precision[];          /* enum cuseq_precision */

/* The word of a value; "?" where the list has none. */
const char *word_of(const struct word *words, int value);

/* The value of a text. Returns 0 where the list has no such word. */
int word_find(const struct word *words, const char *text, int *value);

/* "a, b, c" of a list, for messages. */
void words_join(const struct word *words, char *text, size_t capacity);

#endif
