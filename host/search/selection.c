#include "search/selection.h"

#include <math.h>
#include <stdbool.h>

void selection_begin(struct selection *selection, int32_t capacity) {
  selection->capacity = capacity;
  selection->count = 0;
}

/* The order of results: the larger key, then the lower parent, then the lower token. */
static bool is_better(const struct candidate *a, const struct candidate *b) {
  if (a->key != b->key)
    return a->key > b->key;
  return a->parent != b->parent ? a->parent < b->parent : a->token < b->token;
}

static void swap(struct candidate *a, struct candidate *b) {
  struct candidate kept = *a;
  *a = *b;
  *b = kept;
}

static void sift_up(struct candidate *items, int32_t at) {
  for (int32_t above; at > 0 && is_better(&items[above = (at - 1) / 2], &items[at]); at = above)
    swap(&items[above], &items[at]);
}

/* Restores the heap of `count` items whose top alone may be too good for its place. */
static void sift_down(struct candidate *items, int32_t count) {
  for (int32_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && is_better(&items[child], &items[child + 1]))
      child++;
    if (!is_better(&items[at], &items[child]))
      return;
    swap(&items[at], &items[child]);
  }
}

static bool is_full(const struct selection *selection) {
  return selection->count == selection->capacity;
}

void selection_offer(struct selection *selection, const struct candidate *candidate) {
  struct candidate *items = selection->items;
  /* What is not a number ranks last, and stays out where there is anything else. */
  struct candidate offered = *candidate;
  if (isnan(offered.key))
    offered.key = offered.sum = -INFINITY;
  if (!is_full(selection)) {
    items[selection->count] = offered;
    sift_up(items, selection->count++);
  } else if (offered.key > items[0].key) {
    items[0] = offered;
    sift_down(items, selection->count);
  }
}

/* A log-probability below which no token of a parent gets into a full selection. It may be too low by a few
 * roundings: what passes is compared exactly. */
static float least_log(const struct selection *selection, double sum, double divisor) {
  double worst = selection->items[0].key * divisor;
  return (float)(worst - sum - 1e-12 * (fabs(worst) + fabs(sum)));
}

enum { BLOCK = 64 };

/* Whether any of BLOCK numbers reaches `least`. Without a branch inside, so that it is vector code. */
static bool block_reaches(const float *logs, float least) {
  int reached = 0;
  for (int i = 0; i < BLOCK; i++)
    reached |= logs[i] >= least;
  return reached;
}

void selection_offer_tokens(struct selection *selection, int32_t parent, double sum, double divisor,
                            const float *logs, int32_t count, int32_t excluded) {
  for (int32_t first = 0; first < count; first += BLOCK) {
    int32_t end = count - first < BLOCK ? count : first + BLOCK;
    bool full = is_full(selection);
    float least = full ? least_log(selection, sum, divisor) : -INFINITY;
    if (full && end - first == BLOCK && !block_reaches(logs + first, least))
      continue;
    for (int32_t token = first; token < end; token++) {
      if ((full && !(logs[token] >= least)) || token == excluded)
        continue;
      double total = sum + (double)logs[token];
      selection_offer(selection, &(struct candidate){total / divisor, total, parent, token});
    }
  }
}

void selection_sort(struct selection *selection) {
  for (int32_t left = selection->count - 1; left > 0; left--) {
    swap(&selection->items[0], &selection->items[left]);
    sift_down(selection->items, left);
  }
}
