/* The rules of beam search, by hand: lengths, places, ties, what is excluded. */
#include "search/search.h"
#include "support/random_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 6, STEPS = 6 };

struct run {
  struct search search;
  void *memory;
  int32_t lanes; /* of all steps together */
};

static int32_t ids[STEPS];

static const struct hypothesis *best_of(const struct run *run, int32_t n) {
  search_trace(&run->search, &run->search.row[0].retired[n], ids, NULL);
  return &run->search.row[0].retired[n];
}

/* Runs a search whose log-probabilities are the rows of `table`, whatever the lane. */
static void run_table(struct run *run, const float *table, const struct search_rules *rules) {
  const struct search_limits limits = {1, rules->beams, rules->max_length};
  float logs[CUSEQ_MAX_BEAMS * TOKENS];
  run->memory = malloc(search_size(&limits));
  search_make(&run->search, &limits, run->memory);
  search_begin(&run->search, rules, 1);
  for (int32_t step = 0; run->search.lanes > 0; step++) {
    run->lanes += run->search.lanes;
    for (int32_t lane = 0; lane < run->search.lanes; lane++)
      memcpy(logs + lane * rules->tokens, table + step * rules->tokens, (size_t)rules->tokens * sizeof *logs);
    search_step(&run->search, logs);
  }
  search_finish(&run->search);
}

Test(search_rules, the_length_of_a_score_counts_the_end_token) {
  /* token 0 ends. Ending at once: -1 of length 1. Going on: -2 - 0.5 of length 2. */
  const float table[] = {-1, -2, -0.5f, -9};
  struct search_rules rules = {.beams = 2, .tokens = 2, .end_token = 0, .max_length = 2, .alpha = 1};
  const struct {
    cuseq_length_penalty penalty;
    double first, second;
    int32_t first_length;
  } wanted[] = {{CUSEQ_LENGTH_PENALTY_NONE, -1, -2.5, 1},
                {CUSEQ_LENGTH_PENALTY_LENGTH, -1, -1.25, 1},
                {CUSEQ_LENGTH_PENALTY_GNMT, -1, -2.5 / (7.0 / 6), 1}};
  for (int i = 0; i < 3; i++) {
    struct run run = {0};
    rules.penalty = wanted[i].penalty;
    run_table(&run, table, &rules);
    cr_assert_eq(run.search.row[0].retired_count, 2);
    const struct hypothesis *first = best_of(&run, 0), *second = best_of(&run, 1);
    cr_expect(fabs(first->score - wanted[i].first) < 1e-12, "%d: %g", i, first->score);
    cr_expect(fabs(second->score - wanted[i].second) < 1e-12, "%d: %g", i, second->score);
    cr_expect_eq(first->length, wanted[i].first_length);
    free(run.memory);
  }
  /* Cubed, the longer one wins. */
  struct run run = {0};
  rules.penalty = CUSEQ_LENGTH_PENALTY_LENGTH;
  rules.alpha = 3;
  run_table(&run, table, &rules);
  cr_expect_eq(best_of(&run, 0)->length, 2);
  cr_expect(fabs(best_of(&run, 0)->score + 2.5 / 8) < 1e-12);
  free(run.memory);
}

Test(search_rules, a_finished_hypothesis_that_keeps_its_place_may_lose_it_and_one_that_retires_may_not) {
  /* Two beams. Step 0: "1" -1, the end (token 0) -1.1, "2" -9. Step 1: tokens 1 and 2 cost next to
   * nothing, so that "1 1" and "1 2" are better than what has ended. */
  const float table[] = {-1.1f, -1, -9, -8, -0.01f, -0.02f};
  struct search_rules rules = {.beams = 2, .tokens = 3, .end_token = 0, .max_length = 2};
  struct run run = {0};
  run_table(&run, table, &rules);
  cr_assert_eq(run.search.row[0].retired_count, 2);
  cr_expect_eq(best_of(&run, 0)->length, 2);
  cr_expect(ids[0] == 1 && ids[1] == 1);
  cr_expect_eq(best_of(&run, 1)->length, 2);
  cr_expect(ids[0] == 1 && ids[1] == 2);
  free(run.memory);
  rules.retires = true;
  run_table(&run, table, &rules);
  cr_assert_eq(run.search.row[0].retired_count, 3);
  cr_expect_eq(best_of(&run, 2)->length, 1, "what has retired is a result, the worst here");
  cr_expect(ids[0] == 0);
  free(run.memory);
}

/* "0" ends at once and keeps its place; "1 0" ends in the second step: the model steps for the row, then
 * for "1". */
Test(search_rules, finished_hypotheses_take_no_step_of_the_model) {
  const float table[] = {-1, -1.5f, -9, -0.1f, -9, -9, -1, -1, -1, -1, -1, -1};
  const struct search_rules rules = {.beams = 2, .tokens = 3, .end_token = 0, .max_length = 4};
  struct run run = {0};
  run_table(&run, table, &rules);
  cr_expect_eq(run.search.step, 2);
  cr_expect_eq(run.lanes, 2);
  cr_expect_eq(best_of(&run, 1)->length, 2);
  free(run.memory);
}

Test(search_rules, that_retires_ends_when_k_have_retired) {
  /* Each step the end is one of the two best: one retires in each of the first two. */
  const float table[] = {-1, -1.5f, -9, -1, -1.5f, -9, -0.001f, -9, -9};
  struct search_rules rules = {.beams = 2, .tokens = 3, .end_token = 0, .max_length = 3, .retires = true};
  struct run run = {0};
  run_table(&run, table, &rules);
  cr_expect_eq(run.search.step, 2);
  cr_assert_eq(run.search.row[0].retired_count, 2);
  cr_expect_eq(best_of(&run, 0)->length, 1);
  cr_expect_eq(best_of(&run, 1)->length, 2);
  free(run.memory);
}

Test(search_rules, ranked_by_scores_while_pruning_a_finished_hypothesis_is_held_against_its_length) {
  /* Ended: -1.1 of length 1. "1 1" and "1 2": -2.0 and -2.1 of length 2, better only as means. */
  const float table[] = {-1.1f, -1, -9, -8, -1.0f, -1.1f};
  struct search_rules rules = {.beams = 2,
                               .tokens = 3,
                               .end_token = 0,
                               .max_length = 2,
                               .penalty = CUSEQ_LENGTH_PENALTY_LENGTH,
                               .alpha = 1};
  struct run run = {0};
  run_table(&run, table, &rules);
  cr_expect_eq(best_of(&run, 1)->length, 1, "by sums it keeps its place");
  free(run.memory);
  rules.prunes_by_score = true;
  run_table(&run, table, &rules);
  cr_expect_eq(best_of(&run, 0)->length, 2);
  cr_expect_eq(best_of(&run, 1)->length, 2, "by scores it loses it");
  free(run.memory);
}

Test(search_rules, none_ends_below_the_minimum_length) {
  const float table[] = {-0.1f, -3, -0.1f, -3, -0.1f, -3, -0.1f, -3};
  for (int32_t least = 0; least <= 4; least++) {
    const struct search_rules rules = {
        .beams = 3, .tokens = 2, .end_token = 0, .min_length = least, .max_length = 4};
    struct run run = {0};
    run_table(&run, table, &rules);
    for (int32_t n = 0; n < run.search.row[0].retired_count; n++)
      cr_expect_geq(best_of(&run, n)->length, least);
    cr_expect_eq(best_of(&run, 0)->length, least > 1 ? least : 1);
    free(run.memory);
  }
}

/* A wide step: what passes the blocks of the selection is what a sort of all finds, whatever K and V. */
Test(search_rules, of_many_tokens_the_best_are_found_in_any_block) {
  struct random random = {99};
  for (int32_t i = 0; i < 60; i++) {
    int32_t V = 1 + random_below(&random, i % 2 ? 3000 : 200), K = 1 + random_below(&random, V < 64 ? V : 64);
    float *logs = malloc((size_t)V * sizeof *logs);
    struct selection selection;
    selection_begin(&selection, K);
    bool rising = i % 3 == 0, coarse = i % 3 == 1;
    double sums[3] = {-1.25, -1.5, -7};
    for (int32_t parent = 0; parent < 3; parent++) {
      struct random again = {(uint64_t)i + 5};
      for (int32_t v = 0; v < V; v++)
        logs[v] = rising   ? (float)v / (float)V - 2
                  : coarse ? -(float)random_below(&again, 9)
                           : random_between(&again, -9, 0);
      selection_offer_tokens(&selection, parent, sums[parent], 1, logs, V, V / 2);
    }
    selection_sort(&selection);
    int32_t wanted = 3 * (V - 1) < K ? 3 * (V - 1) : K;
    cr_assert_eq(selection.count, wanted);
    /* By counting: a candidate is at its place if exactly so many come before it. */
    for (int32_t n = 0; n < selection.count; n++) {
      const struct candidate *c = &selection.items[n];
      int32_t before = 0;
      for (int32_t parent = 0; parent < 3; parent++)
        for (int32_t v = 0; v < V; v++) {
          double key = sums[parent] + (double)logs[v];
          bool earlier = parent < c->parent || (parent == c->parent && v < c->token);
          before += v != V / 2 && (key > c->key || (key == c->key && earlier));
        }
      cr_assert_eq(before, n, "K %d, V %d: place %d has what belongs at %d", K, V, n, before);
      cr_assert_neq(c->token, V / 2, "an excluded token");
    }
    free(logs);
  }
}

Test(search_rules, what_is_not_a_number_ranks_behind_everything) {
  const float table[] = {NAN, -3, -INFINITY, -2, NAN, -9};
  const struct search_rules rules = {.beams = 2, .tokens = 3, .end_token = -1, .max_length = 2};
  struct run run = {0};
  run_table(&run, table, &rules);
  cr_expect(best_of(&run, 0)->sum == -5 && ids[0] == 1 && ids[1] == 0);
  cr_expect(best_of(&run, 1)->sum == -12 && ids[0] == 1 && ids[1] == 2);
  free(run.memory);
}

Test(search_rules, memory_that_cannot_be_counted_is_the_largest_size) {
  const struct search_limits limits = {INT32_MAX, INT32_MAX, INT32_MAX};
  cr_expect_eq(search_size(&limits), SIZE_MAX);
}
