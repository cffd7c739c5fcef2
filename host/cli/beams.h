/* Beam search on the command line: what --beam and its companions ask for, and what comes of it. */
#ifndef CUSEQ_CLI_BEAMS_H
#define CUSEQ_CLI_BEAMS_H

#include "cli/command.h"
#include "cuseq/cuseq.h"

/* Fills in a search; its `beams` are 0 where none is asked for. `max_length` is what another option says
 * of it, 0: none. Returns an exit status. */
int beam_choose(const struct arguments *arguments, const cuseq_config *config, int32_t max_length,
                cuseq_beam *beam);

/* The results of searches, for some rows. */
struct beam_results {
  int32_t best, steps, time; /* N, Y, T */
  int32_t *tokens, *lengths; /* [rows,N,Y], [rows,N] */
  float *scores, *log_probabilities;
  float *alphas; /* [rows,N,Y,T]; NULL: not wanted */
};

/* Makes room for the results of a search, unless it is more than the machine has. Returns an exit status. */
int beam_results_make(struct beam_results *results, const cuseq_beam *beam, int64_t rows, int32_t time,
                      bool alphas);
void beam_results_free(struct beam_results *results);

/* Points a search at the rows from `first` on, of which each has the alphas of `time` positions. */
void beam_results_bind(const struct beam_results *results, int64_t first, cuseq_beam *beam);

/* The tokens of a row's hypothesis `n`; *length receives how many. */
const int32_t *beam_results_tokens(const struct beam_results *results, int64_t row, int32_t n,
                                   int32_t *length);

/* Writes the results of `rows` rows to an archive's entries, at most 5; returns how many. The names and
 * shapes are those of OUT.npz. */
struct npz_entry;
int32_t beam_results_entries(const struct beam_results *results, int64_t rows, struct npz_entry *entries);

#endif
