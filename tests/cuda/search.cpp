/* Beam search between two steps of a model: candidates of a lane, the best of a row, the lanes that go on,
 * their states; against host formulas, with ties on purpose. */
#include "attention_host.h"

#include <algorithm>
#include <memory>
#include <string>

struct search_case {
  int B, K, V, steps;
  int end_token, min_length;
  bool retires, ragged, previous;
  int distinct; /* logarithms are one of so many numbers */
};

/* A hypothesis on the host, with what it came from. */
struct host_hypothesis {
  double sum;
  int length, last, lane;
  bool is_finished;
};

struct host_offer {
  double key, sum;
  int parent, token;
};

/* ---- one lane ---- */

/* The best K tokens of a row of logarithms, larger first, then lower tokens; NaN is minus infinity. */
static std::vector<int> host_candidates(const float *logs, int V, int K, int excluded) {
  std::vector<int> order;
  auto log_of = [&](int v) { return std::isnan(logs[v]) ? -INFINITY : logs[v]; };
  for (int v = 0; v < V; v++)
    if (v != excluded)
      order.push_back(v);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return log_of(a) > log_of(b); });
  order.resize(std::min((size_t)K, order.size()));
  return order;
}

/* ---- a row ---- */

struct host_row {
  std::vector<host_hypothesis> beam, retired;
  bool live;
};

struct host_lanes {
  std::vector<int32_t> parents, tokens, running, attended;
};

static double host_divisor(int length) {
  return std::pow((5.0 + length) / 6.0, 0.7);
}

/* What the row's hypotheses may become, best first: the larger key, the lower parent, then a parent's own
 * order. */
static std::vector<host_offer> host_offers(const search_case &c, const host_row &row, const float *logs,
                                           int step) {
  std::vector<host_offer> offers;
  for (int i = 0; i < (int)row.beam.size(); i++) {
    const host_hypothesis &h = row.beam[i];
    if (h.is_finished) {
      offers.push_back({h.sum / host_divisor(h.length), h.sum, i, -1});
      continue;
    }
    const float *of_lane = logs + (size_t)h.lane * c.V;
    for (int v : host_candidates(of_lane, c.V, c.K, step + 1 < c.min_length ? c.end_token : -1)) {
      double log = std::isnan(of_lane[v]) ? -INFINITY : (double)of_lane[v], sum = h.sum + log;
      offers.push_back({sum / host_divisor(step + 1), sum, i, v});
    }
  }
  std::stable_sort(offers.begin(), offers.end(), [](const host_offer &a, const host_offer &b) {
    return a.key > b.key || (a.key == b.key && a.parent < b.parent);
  });
  offers.resize(std::min((size_t)c.K, offers.size()));
  return offers;
}

static void host_advance(const search_case &c, host_row &row, const float *logs, int step, int first,
                         int length, std::vector<int32_t> &chosen, host_lanes &lanes) {
  std::vector<host_hypothesis> next;
  std::vector<int> parents, tokens;
  int place = 0;
  for (const host_offer &offer : host_offers(c, row, logs, step)) {
    host_hypothesis h = row.beam[offer.parent];
    if (!h.is_finished) {
      chosen[(size_t)step * c.B * c.K + first + place] = offer.token;
      h = {offer.sum, step + 1, first + place, h.lane, offer.token == c.end_token};
    }
    place++;
    if (h.is_finished && c.retires) {
      row.retired.push_back(h);
      continue;
    }
    parents.push_back(row.beam[offer.parent].lane);
    tokens.push_back(offer.token);
    next.push_back(h);
  }
  bool goes_on = step + 1 < c.steps && (int)row.retired.size() < c.K;
  row.live = false;
  for (int i = 0; i < c.K; i++) {
    bool live = i < (int)next.size() && goes_on && !next[i].is_finished;
    if (i < (int)next.size())
      next[i].lane = first + i;
    lanes.running[first + i] = live;
    lanes.attended[first + i] = live ? length : 0;
    lanes.parents[first + i] = live ? parents[i] : first + i;
    lanes.tokens[first + i] = live ? tokens[i] : 0;
    row.live |= live;
  }
  row.beam = next;
}

/* ---- the comparison ---- */

/* All arrays of a search on the device. */
struct device_search {
  device_array<struct search_settings> settings;
  device_array<double> divisors;
  device_array<int32_t> lengths, previous, beam_count, retired_count, live, step, tokens, after, from, rows,
      parents, lane_tokens, running, attended;
  device_array<struct search_candidate> candidates;
  device_array<struct search_hypothesis> beam, retired;
  device_array<float> alphas, all_alphas;
  struct search_arrays a = {};

  static std::vector<double> divisors_of(int steps) {
    std::vector<double> made;
    for (int length = 0; length <= steps; length++)
      made.push_back(host_divisor(length));
    return made;
  }
  device_search(const search_case &c, int T, const std::vector<int32_t> &row_lengths,
                const std::vector<int32_t> &begin, const std::vector<float> &step_alphas)
      : settings(std::vector<struct search_settings>{
            {c.end_token, c.min_length, c.steps, c.retires ? 1 : 0, c.V - 1}}),
        divisors(divisors_of(c.steps)), lengths(row_lengths), previous(begin), beam_count(c.B),
        retired_count(c.B), live(c.B), step(1), tokens((size_t)c.steps * c.B * c.K),
        after((size_t)c.steps * c.B * c.K), from((size_t)c.steps * c.B * c.K), rows((size_t)c.B * c.K),
        parents((size_t)c.B * c.K), lane_tokens((size_t)c.B * c.K), running((size_t)c.B * c.K),
        attended((size_t)c.B * c.K), candidates((size_t)c.B * c.K * c.K), beam((size_t)c.B * c.K),
        retired((size_t)c.B * 2 * c.K), alphas(step_alphas), all_alphas((size_t)c.steps * c.B * c.K * T) {
    a.rows = c.B, a.beams = c.K, a.tokens = c.V, a.time = T;
    a.d_settings = settings.data(), a.d_divisors = divisors.data();
    a.d_lengths = c.ragged ? lengths.data() : NULL, a.d_previous = c.previous ? previous.data() : NULL;
    a.d_alphas = alphas.data(), a.d_all_alphas = all_alphas.data(), a.d_candidates = candidates.data();
    a.d_beam = beam.data(), a.d_retired = retired.data(), a.d_beam_count = beam_count.data();
    a.d_retired_count = retired_count.data(), a.d_live = live.data(), a.d_step = step.data();
    a.step_stride = (int64_t)c.B * c.K;
    a.d_chosen_tokens = tokens.data(), a.d_chosen_after = after.data(), a.d_chosen_lanes = from.data();
    a.d_lane_rows = rows.data(), a.d_lane_parents = parents.data(), a.d_lane_tokens = lane_tokens.data();
    a.d_running = running.data(), a.d_attended = attended.data();
  }
};

/* Candidates of lanes that run. */
static void check_candidates(const char *name, const search_case &c, const device_search &d,
                             const std::vector<float> &logs, const std::vector<int32_t> &running, int step) {
  std::vector<struct search_candidate> got = d.candidates.read();
  bool good = true;
  for (int lane = 0; lane < c.B * c.K; lane++) {
    const float *row = logs.data() + (size_t)lane * c.V;
    std::vector<int> want = host_candidates(row, c.V, c.K, step + 1 < c.min_length ? c.end_token : -1);
    for (int i = 0; running[lane] && i < c.K; i++) {
      struct search_candidate found = got[(size_t)lane * c.K + i];
      good &= i < (int)want.size() ? found.token == want[i] : found.token == INT32_MAX;
    }
  }
  check_that(good, (std::string(name) + ": candidates").c_str());
}

static void check_beams(const char *name, const search_case &c, const device_search &d,
                        const std::vector<host_row> &want) {
  std::vector<struct search_hypothesis> beam = d.beam.read(), retired = d.retired.read();
  std::vector<int32_t> count = d.beam_count.read(), gone = d.retired_count.read(), live = d.live.read();
  bool good = true;
  auto same = [](const struct search_hypothesis &got, const host_hypothesis &h) {
    return (got.sum == h.sum || (std::isinf(got.sum) && std::isinf(h.sum))) && got.length == h.length &&
           got.last == h.last && (got.is_finished != 0) == h.is_finished;
  };
  for (int b = 0; b < c.B; b++) {
    good &= count[b] == (int)want[b].beam.size() && gone[b] == (int)want[b].retired.size() &&
            (live[b] > 0) == want[b].live;
    for (size_t i = 0; good && i < want[b].beam.size(); i++)
      good &= same(beam[(size_t)b * c.K + i], want[b].beam[i]) &&
              beam[(size_t)b * c.K + i].lane == want[b].beam[i].lane;
    for (size_t i = 0; good && i < want[b].retired.size(); i++)
      good &= same(retired[(size_t)b * 2 * c.K + i], want[b].retired[i]);
  }
  check_that(good, (std::string(name) + ": hypotheses").c_str());
}

/* States of three widths take their parents'; one is missing. */
static void check_gather(const char *name, const search_case &c, device_search &d, random_source &random,
                         const struct launch_stream &stream, int step) {
  const int widths[] = {1, 37, 300};
  std::vector<int32_t> parents = d.parents.read();
  std::vector<std::vector<float>> before;
  std::vector<std::unique_ptr<device_array<float>>> states;
  struct search_gather g = {};
  g.rows = c.B, g.beams = c.K, g.d_lane_parents = d.parents.data(), g.d_step = d.step.data();
  for (int i = 0; i < 3; i++) {
    before.push_back(random.values((size_t)c.B * c.K * widths[i], 1.0f));
    states.emplace_back(new device_array<float>(before[i]));
    g.states[i == 2 ? 3 : i] = {states[i]->data(), widths[i]};
  }
  check_that(launch_search_gather(&g, &stream) == CUSEQ_STATUS_OK, name);
  for (int i = 0; i < 3; i++) {
    std::vector<float> want(before[i].size()), got = states[i]->read();
    for (int lane = 0; lane < c.B * c.K; lane++)
      std::copy_n(before[i].begin() + (long)parents[lane] * widths[i], widths[i],
                  want.begin() + (long)lane * widths[i]);
    check_that(got == want && states[i]->intact(), (std::string(name) + ": states").c_str());
  }
  check_that(d.step.read()[0] == step + 1, (std::string(name) + ": the step is counted").c_str());
}

static void check_search(const search_case &c, uint64_t seed) {
  const int T = 5, lanes = c.B * c.K;
  random_source random(seed);
  std::vector<int32_t> lengths, previous;
  for (int b = 0; b < c.B; b++) {
    lengths.push_back(1 + (int32_t)(random.next() % (uint32_t)T));
    previous.push_back((int32_t)(random.next() % (uint32_t)c.V));
  }
  std::vector<float> alphas = random.values((size_t)lanes * T, 1.0f);
  device_search d(c, T, lengths, previous, alphas);
  struct launch_device device = {};
  char error[256] = "", name[160];
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  std::snprintf(name, sizeof name, "search B %d K %d V %d end %d min %d%s%s", c.B, c.K, c.V, c.end_token,
                c.min_length, c.retires ? " retires" : "", c.ragged ? " ragged" : "");
  std::vector<host_row> want((size_t)c.B);
  host_lanes want_lanes = {std::vector<int32_t>(lanes), std::vector<int32_t>(lanes),
                           std::vector<int32_t>(lanes), std::vector<int32_t>(lanes)};
  std::vector<int32_t> chosen((size_t)c.steps * lanes, -1);
  for (int b = 0; b < c.B; b++) {
    want[b] = {{{0.0, 0, -1, b * c.K, false}}, {}, true};
    want_lanes.running[b * c.K] = 1;
  }
  std::vector<float> unused((size_t)lanes * c.V);
  device_array<float> d_unused(unused);
  d.a.d_logs = d_unused.data();
  check_that(launch_search_begin(&d.a, &stream) == CUSEQ_STATUS_OK, error);
  std::vector<int32_t> began = d.lane_tokens.read();
  for (int b = 0; b < c.B; b++)
    check_that(began[b * c.K] == (c.previous ? previous[b] : c.V - 1),
               (std::string(name) + ": begin").c_str());
  for (int step = 0; step < c.steps; step++) {
    std::vector<float> logs((size_t)lanes * c.V);
    for (float &x : logs) {
      uint32_t drawn = random.next() % 97u;
      x = drawn == 0 ? NAN : drawn == 1 ? -INFINITY : -0.25f * (float)(random.next() % (uint32_t)c.distinct);
    }
    device_array<float> d_logs(logs);
    d.a.d_logs = d_logs.data();
    std::vector<int32_t> running = d.running.read();
    check_that(running == want_lanes.running, (std::string(name) + ": lanes that run").c_str());
    bool good = launch_search_candidates(&d.a, &stream) == CUSEQ_STATUS_OK &&
                launch_search_step(&d.a, &stream) == CUSEQ_STATUS_OK;
    check_that(good, error);
    check_candidates(name, c, d, logs, running, step);
    for (int b = 0; b < c.B; b++)
      if (want[b].live)
        host_advance(c, want[b], logs.data(), step, b * c.K, c.ragged ? lengths[b] : T, chosen, want_lanes);
    check_beams(name, c, d, want);
    check_that(d.attended.read() == want_lanes.attended && d.lane_tokens.read() == want_lanes.tokens &&
                   d.parents.read() == want_lanes.parents,
               (std::string(name) + ": lanes").c_str());
    check_gather(name, c, d, random, stream, step);
    std::vector<float> kept = d.all_alphas.read();
    for (int lane = 0; lane < lanes; lane++)
      for (int t = 0; running[lane] && t < T; t++)
        check_that(kept[((size_t)step * lanes + lane) * T + t] == alphas[(size_t)lane * T + t],
                   (std::string(name) + ": alphas").c_str());
  }
  std::vector<int32_t> tokens = d.tokens.read();
  for (size_t i = 0; i < chosen.size(); i++)
    check_that(chosen[i] < 0 || tokens[i] == chosen[i], (std::string(name) + ": chosen tokens").c_str());
}

static void check_refusals(void) {
  const search_case c = {1, 2, 3, 1, -1, 0, false, false, false, 4};
  device_search d(c, 5, {5}, {0}, std::vector<float>(10));
  device_array<float> logs(std::vector<float>(6));
  struct launch_device device = {};
  char error[256] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  struct search_arrays a = d.a;
  check_that(launch_search_step(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "no logarithms are refused");
  a.d_logs = logs.data(), a.beams = 65;
  check_that(launch_search_step(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT, "65 beams are refused");
}

int main(void) {
  static const search_case cases[] = {
      {1, 1, 1, 3, -1, 0, false, false, false, 4},  {3, 1, 7, 4, 2, 0, false, true, true, 3},
      {2, 3, 31, 5, 0, 0, true, true, false, 3},    {3, 5, 2, 4, 1, 3, false, false, true, 2},
      {2, 5, 257, 4, 256, 2, true, false, true, 6}, {1, 33, 32, 4, 5, 0, false, true, false, 5},
      {2, 64, 13, 4, 3, 0, true, true, true, 2},    {1, 64, 1000, 3, 17, 0, false, false, false, 40},
      {4, 7, 5, 6, 4, 0, true, false, false, 1},    {2, 2, 3, 3, 2, 9, false, false, false, 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_search(cases[i], 100 + i);
  check_refusals();
  return check_end();
}
