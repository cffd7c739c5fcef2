#include "search/search.h"

#include "sizes.h"

#include <math.h>
#include <stdint.h>

/* ---- memory ---- */

size_t search_size(const struct search_limits *limits) {
  size_t places = size_times((size_t)limits->rows, (size_t)limits->beams);
  size_t integers =
      size_plus(size_times(3, places), size_times(size_times(3, places), (size_t)limits->steps));
  return size_plus(size_plus(size_times((size_t)limits->rows, sizeof(struct search_row)),
                             size_times(size_times(3, places), sizeof(struct hypothesis))),
                   size_times(integers, sizeof(int32_t)));
}

void search_make(struct search *search, const struct search_limits *limits, void *memory) {
  size_t rows = (size_t)limits->rows, places = rows * (size_t)limits->beams;
  size_t chosen = places * (size_t)limits->steps;
  *search = (struct search){.limits = *limits};
  search->row = memory;
  search->hypotheses = (struct hypothesis *)(search->row + rows);
  search->lane_rows = (int32_t *)(search->hypotheses + 3 * places);
  search->lane_tokens = search->lane_rows + places;
  search->lane_parents = search->lane_tokens + places;
  search->chosen_tokens = search->lane_parents + places;
  search->chosen_after = search->chosen_tokens + chosen;
  search->chosen_lanes = search->chosen_after + chosen;
}

/* Where a step's choices begin. */
static size_t choices_of(const struct search *search, int32_t step) {
  return (size_t)step * (size_t)search->limits.rows * (size_t)search->limits.beams;
}

/* ---- scores ---- */

/* What a sum of log-probabilities is divided by. */
static double length_divisor(const struct search_rules *rules, int32_t length) {
  switch (rules->penalty) {
  case CUSEQ_LENGTH_PENALTY_LENGTH:
    return pow(length, rules->alpha);
  case CUSEQ_LENGTH_PENALTY_GNMT:
    return pow((5.0 + length) / 6.0, rules->alpha);
  case CUSEQ_LENGTH_PENALTY_NONE:
    break;
  }
  return 1.0;
}

double search_pruning_divisor(const struct search_rules *rules, int32_t length) {
  return rules->prunes_by_score ? length_divisor(rules, length) : 1.0;
}

/* ---- steps ---- */

static void add_lane(struct search *search, int32_t row, int32_t token, int32_t parent,
                     struct hypothesis *hypothesis) {
  hypothesis->lane = search->lanes;
  search->lane_rows[search->lanes] = row;
  search->lane_tokens[search->lanes] = token;
  search->lane_parents[search->lanes++] = parent;
}

void search_begin(struct search *search, const struct search_rules *rules, int32_t rows) {
  search->rules = *rules;
  search->rows = rows;
  search->step = search->lanes = 0;
  for (int32_t r = 0; r < rows; r++) {
    struct hypothesis *own = search->hypotheses + (size_t)r * 3 * (size_t)rules->beams;
    search->row[r] =
        (struct search_row){.beam = own, .retired = own + rules->beams, .beam_count = 1, .is_live = true};
    own[0] = (struct hypothesis){.last = -1};
    add_lane(search, r, -1, -1, &own[0]);
  }
}

/* The best K of all that a row's hypotheses may become: each live one goes on with any token, a finished
 * one stays. */
static void select_row(struct search *search, const struct search_row *row, const float *logs) {
  const struct search_rules *rules = &search->rules;
  int32_t length = search->step + 1, V = rules->tokens;
  double divisor = search_pruning_divisor(rules, length);
  int32_t excluded = length < rules->min_length ? rules->end_token : -1;
  selection_begin(&search->selection, rules->beams);
  for (int32_t i = 0; i < row->beam_count; i++) {
    const struct hypothesis *h = &row->beam[i];
    if (h->is_finished)
      selection_offer(&search->selection,
                      &(struct candidate){h->sum / search_pruning_divisor(rules, h->length), h->sum, i, -1});
    else
      selection_offer_tokens(&search->selection, i, h->sum, divisor, logs + (size_t)h->lane * (size_t)V, V,
                             excluded);
  }
  selection_sort(&search->selection);
}

/* A row's hypothesis number `place` that a candidate becomes; what it was chosen after and from is kept. */
static struct hypothesis advance(struct search *search, int32_t row, int32_t place,
                                 const struct candidate *candidate) {
  const struct hypothesis *parent = &search->row[row].beam[candidate->parent];
  if (parent->is_finished)
    return *parent;
  int32_t chosen = row * search->rules.beams + place;
  size_t at = choices_of(search, search->step) + (size_t)chosen;
  search->chosen_tokens[at] = candidate->token;
  search->chosen_after[at] = parent->last;
  search->chosen_lanes[at] = parent->lane;
  return (struct hypothesis){.sum = candidate->sum,
                             .length = search->step + 1,
                             .last = chosen,
                             .is_finished = candidate->token == search->rules.end_token};
}

static void row_step(struct search *search, int32_t index, const float *logs) {
  struct search_row *row = &search->row[index];
  const struct search_rules *rules = &search->rules;
  const struct selection *selection = &search->selection;
  struct hypothesis next[CUSEQ_MAX_BEAMS];
  int32_t parents[CUSEQ_MAX_BEAMS], tokens[CUSEQ_MAX_BEAMS], count = 0;
  select_row(search, row, logs);
  for (int32_t i = 0; i < selection->count; i++) {
    const struct candidate *candidate = &selection->items[i];
    struct hypothesis h = advance(search, index, i, candidate);
    if (h.is_finished && rules->retires) {
      row->retired[row->retired_count++] = h;
      continue;
    }
    parents[count] = row->beam[candidate->parent].lane;
    tokens[count] = candidate->token;
    next[count++] = h;
  }
  bool goes_on = search->step + 1 < rules->max_length && row->retired_count < rules->beams;
  row->beam_count = count;
  row->is_live = false;
  for (int32_t i = 0; i < count; i++) {
    row->beam[i] = next[i];
    if (!goes_on || next[i].is_finished)
      continue;
    add_lane(search, index, tokens[i], parents[i], &row->beam[i]);
    row->is_live = true;
  }
}

void search_step(struct search *search, const float *logs) {
  search->lanes = 0;
  for (int32_t r = 0; r < search->rows; r++)
    if (search->row[r].is_live)
      row_step(search, r, logs);
  search->step++;
}

/* ---- results ---- */

/* By scores, the best first; equal ones keep their order. */
static void sort_results(struct hypothesis *results, int32_t count) {
  for (int32_t i = 1; i < count; i++) {
    struct hypothesis sorted = results[i];
    int32_t place = i;
    for (; place > 0 && sorted.score > results[place - 1].score; place--)
      results[place] = results[place - 1];
    results[place] = sorted;
  }
}

void search_finish(struct search *search) {
  const struct search_rules *rules = &search->rules;
  for (int32_t r = 0; r < search->rows; r++) {
    struct search_row *row = &search->row[r];
    /* Where K have retired, what was still live is not looked at. */
    bool takes_beam = row->retired_count < rules->beams;
    for (int32_t i = 0; takes_beam && i < row->beam_count; i++)
      row->retired[row->retired_count++] = row->beam[i];
    for (int32_t i = 0; i < row->retired_count; i++)
      row->retired[i].score = row->retired[i].sum / length_divisor(rules, row->retired[i].length);
    sort_results(row->retired, row->retired_count);
  }
}

void search_trace(const struct search *search, const struct hypothesis *hypothesis, int32_t *tokens,
                  int32_t *lanes) {
  int32_t chosen = hypothesis->last;
  for (int32_t y = hypothesis->length - 1; y >= 0; y--) {
    size_t at = choices_of(search, y) + (size_t)chosen;
    if (tokens)
      tokens[y] = search->chosen_tokens[at];
    if (lanes)
      lanes[y] = search->chosen_lanes[at];
    chosen = search->chosen_after[at];
  }
}
