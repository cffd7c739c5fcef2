/* Beam search apart from any model: against a search through all sequences, and a plain search. */
#include "search/search.h"
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 6, MOST_STEPS = 6, MOST_ROWS = 3 };

/* A log-probability made up from the row and all tokens so far, the same for the same ones. `grain` above
 * 0 makes equal sums frequent: all are multiples of it. */
struct language {
  int32_t tokens;
  uint64_t seed;
  float grain;
};

static float log_probability(const struct language *language, int32_t row, const int32_t *sequence,
                             int32_t length, int32_t token) {
  struct random random = {language->seed + 977u * (uint64_t)row + 1};
  for (int32_t y = 0; y < length; y++) {
    random.state = random.state * 31 + (uint64_t)sequence[y] + 3;
    random_bits(&random);
  }
  for (int32_t v = 0; v <= token; v++)
    random_bits(&random);
  float value = random_between(&random, -4.0f, -0.1f);
  return language->grain > 0 ? language->grain * floorf(value / language->grain) : value;
}

/* ---- a search, run ---- */

struct run {
  struct search search;
  void *memory;
  int32_t sequences[MOST_ROWS * CUSEQ_MAX_BEAMS][MOST_STEPS]; /* of each lane */
};

/* Searches `rows` rows to the end. */
static void run_make(struct run *run, const struct language *language, const struct search_rules *rules,
                     int32_t rows) {
  const struct search_limits limits = {rows, rules->beams, rules->max_length};
  int32_t(*next)[MOST_STEPS] = calloc(MOST_ROWS * CUSEQ_MAX_BEAMS, sizeof *next);
  float *logs = calloc((size_t)rows * rules->beams * rules->tokens, sizeof *logs);
  run->memory = malloc(search_size(&limits));
  cr_assert(next && logs && run->memory);
  search_make(&run->search, &limits, run->memory);
  struct search *search = &run->search;
  search_begin(search, rules, rows);
  cr_assert_eq(search->lanes, rows);
  for (int32_t step = 0; search->lanes > 0; step++) {
    cr_assert_lt(step, rules->max_length, "the search should have ended");
    for (int32_t lane = 0; lane < search->lanes; lane++)
      for (int32_t v = 0; v < rules->tokens; v++)
        logs[lane * rules->tokens + v] =
            log_probability(language, search->lane_rows[lane], run->sequences[lane], step, v);
    search_step(search, logs);
    for (int32_t lane = 0; lane < search->lanes; lane++) {
      memcpy(next[lane], run->sequences[search->lane_parents[lane]], sizeof *next);
      next[lane][step] = search->lane_tokens[lane];
    }
    memcpy(run->sequences, next, sizeof run->sequences);
  }
  search_finish(search);
  free(next);
  free(logs);
}

/* ---- all sequences ---- */

struct found {
  int32_t tokens[MOST_STEPS], length;
  double sum, score;
};

struct all {
  const struct language *language;
  const struct search_rules *rules;
  int32_t row, count;
  struct found found[4096];
};

static double score_of(const struct search_rules *rules, double sum, int32_t length) {
  double n = rules->penalty == CUSEQ_LENGTH_PENALTY_LENGTH ? length
             : rules->penalty == CUSEQ_LENGTH_PENALTY_GNMT ? (5 + length) / 6.0
                                                           : 1;
  return sum / pow(n, rules->alpha);
}

/* Every sequence that begins with `sequence`, and has ended or is as long as may be. */
static void enumerate(struct all *all, int32_t *sequence, int32_t length, double sum) {
  const struct search_rules *rules = all->rules;
  bool ended = length > 0 && sequence[length - 1] == rules->end_token;
  if (ended || length == rules->max_length) {
    struct found *found = &all->found[all->count++];
    cr_assert_leq(all->count, 4096);
    *found = (struct found){.length = length, .sum = sum, .score = score_of(rules, sum, length)};
    memcpy(found->tokens, sequence, (size_t)length * sizeof *sequence);
    return;
  }
  for (int32_t v = 0; v < rules->tokens; v++) {
    if (v == rules->end_token && length + 1 < rules->min_length)
      continue;
    sequence[length] = v;
    enumerate(all, sequence, length + 1,
              sum + (double)log_probability(all->language, all->row, sequence, length, v));
  }
}

static int by_score(const void *a, const void *b) {
  double x = ((const struct found *)a)->score, y = ((const struct found *)b)->score;
  return (x < y) - (x > y);
}

static void expect_result(const struct search *search, int32_t row, int32_t n, const struct found *want) {
  int32_t tokens[MOST_STEPS];
  cr_assert_lt(n, search->row[row].retired_count, "row %d has only %d results", row,
               search->row[row].retired_count);
  const struct hypothesis *got = &search->row[row].retired[n];
  search_trace(search, got, tokens, NULL);
  cr_assert_eq(got->length, want->length, "row %d, result %d: length %d, wanted %d", row, n, got->length,
               want->length);
  cr_assert(memcmp(tokens, want->tokens, (size_t)want->length * sizeof *tokens) == 0, "row %d, result %d",
            row, n);
  cr_assert(fabs(got->sum - want->sum) < 1e-12 && fabs(got->score - want->score) < 1e-12,
            "row %d, result %d: sum %.15g, score %.15g, wanted %.15g and %.15g", row, n, got->sum, got->score,
            want->sum, want->score);
}

static void expect_exact(const struct language *language, const struct search_rules *rules) {
  struct run run = {0};
  struct all all = {.language = language, .rules = rules};
  run_make(&run, language, rules, MOST_ROWS);
  for (all.row = 0; all.row < MOST_ROWS; all.row++) {
    int32_t sequence[MOST_STEPS], best;
    all.count = 0;
    enumerate(&all, sequence, 0, 0);
    qsort(all.found, (size_t)all.count, sizeof *all.found, by_score);
    best = all.count < rules->beams ? all.count : rules->beams;
    for (int32_t n = 0; n < best; n++)
      expect_result(&run.search, all.row, n, &all.found[n]);
  }
  free(run.memory);
}

/* V 2 and 6 steps, or V 3 and 4: never more than 64 hypotheses at a time, so that none is lost. */
Test(search, a_beam_that_holds_all_hypotheses_finds_the_best_of_all_sequences) {
  static const cuseq_length_penalty penalties[] = {CUSEQ_LENGTH_PENALTY_NONE, CUSEQ_LENGTH_PENALTY_LENGTH,
                                                   CUSEQ_LENGTH_PENALTY_GNMT};
  for (uint64_t seed = 1; seed <= 6; seed++)
    for (int32_t i = 0; i < 3 * 2 * 2 * 3; i++) {
      bool three = i / 3 % 2;
      const struct language language = {.tokens = three ? 3 : 2, .seed = seed * 7919};
      const struct search_rules rules = {.beams = CUSEQ_MAX_BEAMS,
                                         .tokens = language.tokens,
                                         .end_token = seed % 3 == 0 ? -1 : (int32_t)(seed % 2),
                                         .min_length = 1 + i / 12,
                                         .max_length = three ? 3 : 6,
                                         .penalty = penalties[i % 3],
                                         .alpha = 0.25 * (double)seed,
                                         .retires = i / 6 % 2,
                                         .prunes_by_score = seed % 2};
      expect_exact(&language, &rules);
    }
}

/* A plain beam search: all candidates in a list, sorted as a whole. */
struct plain {
  struct found beam[CUSEQ_MAX_BEAMS], done[2 * CUSEQ_MAX_BEAMS];
  bool finished[CUSEQ_MAX_BEAMS];
  int32_t count, done_count;
};

struct plain_candidate {
  double key;
  int32_t parent, token;
  struct found found;
};

static int by_key(const void *a, const void *b) {
  const struct plain_candidate *x = a, *y = b;
  if (x->key != y->key)
    return x->key < y->key ? 1 : -1;
  return x->parent != y->parent ? x->parent - y->parent : x->token - y->token;
}

static void plain_step(struct plain *plain, const struct language *language, const struct search_rules *rules,
                       int32_t row, int32_t step) {
  static struct plain_candidate candidates[CUSEQ_MAX_BEAMS * MOST_TOKENS];
  int32_t count = 0, kept = 0;
  for (int32_t i = 0; i < plain->count; i++)
    for (int32_t v = 0; v < (plain->finished[i] ? 1 : rules->tokens); v++) {
      struct plain_candidate *c = &candidates[count];
      *c = (struct plain_candidate){.parent = i, .token = v, .found = plain->beam[i]};
      if (!plain->finished[i]) {
        if (v == rules->end_token && step + 1 < rules->min_length)
          continue;
        c->found.sum += (double)log_probability(language, row, c->found.tokens, step, v);
        c->found.tokens[c->found.length++] = v;
      }
      c->key = rules->prunes_by_score ? score_of(rules, c->found.sum, c->found.length) : c->found.sum;
      count++;
    }
  qsort(candidates, (size_t)count, sizeof *candidates, by_key);
  for (int32_t i = 0; i < count && i < rules->beams; i++) {
    const struct found *found = &candidates[i].found;
    bool ended = found->tokens[found->length - 1] == rules->end_token;
    if (ended && rules->retires) {
      plain->done[plain->done_count++] = *found;
    } else {
      plain->finished[kept] = ended;
      plain->beam[kept++] = *found;
    }
  }
  plain->count = kept;
}

static void plain_search(struct plain *plain, const struct language *language,
                         const struct search_rules *rules, int32_t row) {
  *plain = (struct plain){.count = 1};
  for (int32_t step = 0; step < rules->max_length && plain->done_count < rules->beams; step++)
    plain_step(plain, language, rules, row, step);
  for (int32_t i = 0; plain->done_count < rules->beams && i < plain->count; i++)
    plain->done[plain->done_count + i] = plain->beam[i];
  if (plain->done_count < rules->beams)
    plain->done_count += plain->count;
  for (int32_t i = 0; i < plain->done_count; i++)
    plain->done[i].score = score_of(rules, plain->done[i].sum, plain->done[i].length);
  /* a stable sort */
  for (int32_t i = 1; i < plain->done_count; i++)
    for (int32_t j = i; j > 0 && plain->done[j].score > plain->done[j - 1].score; j--) {
      struct found kept = plain->done[j];
      plain->done[j] = plain->done[j - 1];
      plain->done[j - 1] = kept;
    }
}

static void expect_plain(const struct language *language, const struct search_rules *rules) {
  struct run run = {0};
  static struct plain plain;
  run_make(&run, language, rules, MOST_ROWS);
  for (int32_t row = 0; row < MOST_ROWS; row++) {
    plain_search(&plain, language, rules, row);
    cr_assert_eq(run.search.row[row].retired_count, plain.done_count, "row %d: %d results, wanted %d", row,
                 run.search.row[row].retired_count, plain.done_count);
    for (int32_t n = 0; n < plain.done_count; n++)
      expect_result(&run.search, row, n, &plain.done[n]);
  }
  free(run.memory);
}

/* Rules by chance. */
static struct search_rules rules_draw(struct random *random, int32_t tokens) {
  struct search_rules rules = {.beams = 1 + random_below(random, 9),
                               .tokens = tokens,
                               .end_token = random_below(random, tokens + 1) - 1,
                               .max_length = 1 + random_below(random, MOST_STEPS),
                               .penalty = (cuseq_length_penalty)random_below(random, 3),
                               .alpha = 0.25 * random_below(random, 6),
                               .retires = random_below(random, 2),
                               .prunes_by_score = random_below(random, 2)};
  rules.min_length = random_below(random, rules.max_length + 1);
  return rules;
}

Test(search, finds_what_a_plain_search_that_sorts_all_candidates_finds) {
  struct random random = {4711};
  for (int i = 0; i < 3000; i++) {
    const struct language language = {.tokens = 2 + random_below(&random, MOST_TOKENS - 1),
                                      .seed = 100003u + (uint64_t)i};
    const struct search_rules rules = rules_draw(&random, language.tokens);
    expect_plain(&language, &rules);
  }
}

/* Where many sums are equal - and equal exactly: they are sums of halves - the order says which of them
 * live. */
Test(search, of_equal_sums_the_lower_parent_and_then_the_lower_token_live) {
  struct random random = {815};
  for (int i = 0; i < 3000; i++) {
    const struct language language = {
        .tokens = 2 + random_below(&random, MOST_TOKENS - 1), .seed = 900001u + (uint64_t)i, .grain = 0.5f};
    struct search_rules rules = rules_draw(&random, language.tokens);
    rules.alpha = random_below(&random, 2);
    expect_plain(&language, &rules);
  }
}
