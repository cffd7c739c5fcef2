/* What a step of a large decoder does around its products: begin, output, end tokens, feedback; attention of
 * ended rows. */
#include "attention_host.h"

struct rows_case {
  int B, V, E, Y;
  bool softmax, feeds, ragged, previous, with_outputs;
  int end_token;
  bool targets;       /* of lengths by chance; log-probabilities of them */
  bool probabilities; /* are fed back, with softmax; no tokens are then */
};

struct rows_host {
  std::vector<double> outputs, logs;
  std::vector<int32_t> tokens, lengths, attended, fed;
};

static struct launch_device rows_device(void) {
  struct launch_device device = {};
  device.architecture = 90;
  device.multiprocessors = 4;
  CHECK_CUDA(cudaDeviceGetAttribute(&device.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  return device;
}

/* logits of all steps, float64; ties on purpose: every value is one of a few. */
static std::vector<float> few_values(random_source &random, size_t count) {
  std::vector<float> values(count);
  for (float &x : values)
    x = (float)((int)(random.next() % 9u) - 4) * 0.5f;
  return values;
}

static struct rows_host reference(const rows_case &c, const std::vector<float> &logits,
                                  const std::vector<float> &bias, const std::vector<int32_t> &lengths, int T,
                                  const std::vector<int32_t> &previous, int start,
                                  const std::vector<int32_t> &targets,
                                  const std::vector<int32_t> &target_lengths) {
  struct rows_host want;
  want.outputs.assign((size_t)c.B * c.Y * c.V, 0.0);
  want.logs.assign((size_t)c.B * c.Y, 0.0);
  want.tokens.assign((size_t)c.B * c.Y, c.end_token < 0 ? 0 : c.end_token);
  for (int b = 0; b < c.B; b++) {
    int length = c.targets ? target_lengths[b] : c.Y, fed = c.previous ? previous[b] : start;
    for (int y = 0; y < length; y++) {
      std::vector<double> o(c.V);
      int best = 0;
      double sum = 0;
      for (int v = 0; v < c.V; v++) {
        o[v] = (double)(logits[((size_t)y * c.B + b) * c.V + v] + bias[v]);
        best = o[v] > o[best] ? v : best;
      }
      for (int v = 0; v < c.V; v++)
        sum += std::exp(o[v] - o[best]);
      for (int v = 0; v < c.V; v++)
        want.outputs[((size_t)b * c.Y + y) * c.V + v] = c.softmax ? std::exp(o[v] - o[best]) / sum : o[v];
      want.tokens[(size_t)b * c.Y + y] = best;
      fed = c.targets ? targets[(size_t)b * c.Y + y] : best;
      want.logs[(size_t)b * c.Y + y] = o[fed] - o[best] - std::log(sum);
      if (!c.targets && c.end_token >= 0 && best == c.end_token)
        length = y + 1;
    }
    bool ended = c.targets || (c.end_token >= 0 && fed == c.end_token &&
                               want.tokens[(size_t)b * c.Y + length - 1] == c.end_token);
    want.lengths.push_back(length);
    want.attended.push_back(ended ? 0 : c.ragged ? lengths[b] : T);
    want.fed.push_back(fed);
  }
  return want;
}

/* What the next step reads: an output's probabilities, or those that are all of a given token. */
static void check_probabilities(const rows_case &c, const struct rows_host &want,
                                const std::vector<int32_t> &targets, const std::vector<float> &outputs,
                                const std::vector<float> &fed, const std::vector<float> &handed,
                                const char *name) {
  for (int b = 0; b < c.B; b++)
    for (int v = 0; v < c.V; v++) {
      size_t at = (size_t)b * c.Y + want.lengths[b] - 1, one = (size_t)b * c.V + v;
      float wanted = c.targets ? (float)(v == targets[at]) : outputs[at * c.V + v];
      check_that(fed[one] == wanted && handed[one] == wanted, name);
    }
}

static void check_rows(const rows_case &c, uint64_t seed) {
  const int T = 7, start = c.V - 1;
  random_source random(seed);
  std::vector<float> logits = few_values(random, (size_t)c.Y * c.B * c.V), bias = few_values(random, c.V);
  std::vector<float> embedding = random.values((size_t)c.V * c.E, 1.0f);
  std::vector<int32_t> lengths, previous, targets, target_lengths;
  for (int b = 0; b < c.B; b++) {
    lengths.push_back(1 + (int32_t)(random.next() % (uint32_t)T));
    previous.push_back((int32_t)(random.next() % (uint32_t)c.V));
    target_lengths.push_back(1 + (int32_t)(random.next() % (uint32_t)c.Y));
    for (int y = 0; y < c.Y; y++)
      targets.push_back((int32_t)(random.next() % (uint32_t)c.V));
  }
  struct rows_host want = reference(c, logits, bias, lengths, T, previous, start, targets, target_lengths);
  device_array<float> d_bias(bias), d_embedding(embedding), d_outputs((size_t)c.B * c.Y * c.V),
      d_fed((size_t)c.B * c.E), d_logs((size_t)c.B * c.Y), d_all_logs((size_t)c.B * c.Y * c.V);
  device_array<float> d_probabilities((size_t)c.B * c.V), d_handed((size_t)c.B * c.V);
  std::vector<float> vectors = random.values((size_t)c.B * 5, 1.0f);
  device_array<float> d_vectors(vectors), d_kept((size_t)c.B * c.Y * 3), d_last((size_t)c.B * 4);
  device_array<int32_t> d_targets(targets), d_target_lengths(target_lengths), d_lengths(lengths),
      d_previous(previous), d_tokens((size_t)c.B * c.Y), d_output_lengths(c.B), d_attended(c.B),
      d_fed_ids(c.B);
  struct decode_rows r = {};
  r.batch = c.B, r.time = T, r.steps = c.Y, r.outputs = c.V, r.end_token = c.end_token, r.start_token = start;
  r.d_lengths = c.ragged ? d_lengths.data() : NULL;
  r.embedding_units = c.E, r.d_embedding = c.E ? d_embedding.data() : NULL;
  r.d_targets = c.targets ? d_targets.data() : NULL;
  r.d_target_lengths = c.targets ? d_target_lengths.data() : NULL;
  r.d_log_probabilities = d_logs.data(), r.d_log_outputs = c.softmax ? d_all_logs.data() : NULL;
  /* three of five numbers of every step, and four of the last one */
  r.kept[0] = {d_vectors.data() + 1, 5, d_kept.data(), 3, 3, 0};
  r.kept[1] = {d_vectors.data(), 5, d_last.data(), 4, 4, 1};
  r.d_previous = c.previous ? d_previous.data() : NULL;
  r.output_activation = c.softmax ? CUSEQ_ACTIVATION_SOFTMAX : CUSEQ_ACTIVATION_LINEAR;
  r.d_output_bias = d_bias.data(), r.d_output_lengths = d_output_lengths.data(),
  r.d_attended = d_attended.data();
  r.d_fed_ids = c.feeds ? d_fed_ids.data() : NULL, r.d_fed = d_fed.data(), r.d_tokens = d_tokens.data();
  r.d_outputs = c.with_outputs ? d_outputs.data() : NULL;
  if (c.probabilities) {
    r.d_probabilities = d_probabilities.data();
    r.kept[2] = {d_probabilities.data(), c.V, d_handed.data(), c.V, c.V, 1};
  }
  char error[256] = "", name[160];
  struct launch_device device = rows_device();
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  std::snprintf(name, sizeof name, "rows B %d V %d E %d Y %d softmax %d feedback %d end %d", c.B, c.V, c.E,
                c.Y, c.softmax, c.feeds, c.end_token);
  bool good = launch_decode_begin(&r, &stream) == CUSEQ_STATUS_OK;
  if (c.feeds)
    check_that(d_fed_ids.read() == (c.previous ? previous : std::vector<int32_t>(c.B, start)), name);
  std::vector<float> begun = d_probabilities.read();
  for (size_t i = 0; c.probabilities && i < begun.size(); i++)
    check_that(begun[i] == (float)((int)i % c.V == (c.previous ? previous[i / c.V] : start)), name);
  for (int y = 0; good && y < c.Y; y++) {
    auto first = logits.begin() + (long)y * c.B * c.V;
    device_array<float> d_logits(std::vector<float>(first, first + (long)c.B * c.V));
    r.d_logits = d_logits.data();
    good = launch_decode_output(&r, y, &stream) == CUSEQ_STATUS_OK;
    CHECK_CUDA(cudaDeviceSynchronize());
    check_that(d_logits.intact(), name);
  }
  check_that(good, error);
  if (c.with_outputs)
    check_close(name, d_outputs.read(), want.outputs, BOUND_OF_A_SOFTMAX);
  if (c.softmax)
    check_close(name, d_logs.read(), want.logs, BOUND_OF_A_SOFTMAX);
  std::vector<float> all = d_all_logs.read(), logs = d_logs.read(), kept = d_kept.read(),
                     last = d_last.read();
  for (int b = 0; b < c.B; b++) {
    for (int y = 0; y < c.Y; y++) {
      size_t at = (size_t)b * c.Y + y;
      int fed = c.targets ? targets[at] : want.tokens[at];
      bool runs = y < want.lengths[b];
      check_that(!c.softmax || logs[at] == (runs ? all[at * c.V + fed] : 0.0f), name);
      for (int j = 0; j < 3; j++)
        check_that(kept[at * 3 + j] == (runs ? vectors[(size_t)b * 5 + 1 + j] : 0.0f), name);
    }
    for (int j = 0; j < 4; j++)
      check_that(last[(size_t)b * 4 + j] == vectors[(size_t)b * 5 + j], name);
  }
  check_that(d_tokens.read() == want.tokens, name);
  check_that(d_output_lengths.read() == want.lengths, name);
  check_that(d_attended.read() == want.attended, name);
  check_that(!c.feeds || d_fed_ids.read() == want.fed, name);
  std::vector<float> fed = d_fed.read();
  for (int b = 0; c.feeds && b < c.B; b++)
    for (int j = 0; j < c.E; j++)
      check_that(fed[(size_t)b * c.E + j] == embedding[(size_t)want.fed[b] * c.E + j], name);
  if (c.probabilities && c.with_outputs)
    check_probabilities(c, want, targets, d_outputs.read(), d_probabilities.read(), d_handed.read(), name);
  check_that(d_probabilities.intact() && d_handed.intact(), name);
  check_that(d_outputs.intact() && d_tokens.intact() && d_output_lengths.intact() && d_attended.intact() &&
                 d_fed_ids.intact() && d_fed.intact(),
             name);
}

/* Rows of length 0 between others: zeros, and the others' bits are those that they have without them. */
static void check_attention_of_no_positions(void) {
  const int B = 4, T = 5, A = 6;
  random_source random(3);
  device_array<float> d_annotations(random.values((size_t)B * T * A, 1.0f)),
      d_state(random.values((size_t)B * A, 1.0f));
  std::vector<float> alphas[2], contexts[2];
  for (int ended = 0; ended < 2; ended++) {
    device_array<int32_t> d_lengths(ended ? std::vector<int32_t>{5, 0, 3, 0}
                                          : std::vector<int32_t>{5, 2, 3, 1});
    device_array<float> d_alphas((size_t)B * T), d_context((size_t)B * A);
    struct attend a = {};
    a.score.score = CUSEQ_SCORE_DOT, a.score.scale = 1, a.score.annotation_width = A, a.score.state_units = A;
    a.start.state_units = A, a.start.d_given_h = d_state.data();
    a.batch = B, a.time = T, a.d_lengths = d_lengths.data(), a.d_annotations = d_annotations.data();
    a.d_alphas = d_alphas.data(), a.alphas_stride = T, a.d_context = d_context.data(), a.context_stride = A;
    char error[256] = "";
    struct launch_device device = rows_device();
    struct launch_stream stream = {NULL, &device, error, sizeof error};
    device_array<char> workspace(std::vector<char>(attend_workspace_bytes(&a, &device), 0));
    a.d_workspace = workspace.data();
    check_that(launch_attend(&a, &stream) == CUSEQ_STATUS_OK, error);
    alphas[ended] = d_alphas.read(), contexts[ended] = d_context.read();
  }
  for (int b = 0; b < B; b++) {
    for (int t = 0; t < T; t++)
      check_that(alphas[1][b * T + t] == (b % 2 ? 0.0f : alphas[0][b * T + t]),
                 "alphas beside rows of no positions");
    for (int i = 0; i < A; i++)
      check_that(contexts[1][b * A + i] == (b % 2 ? 0.0f : contexts[0][b * A + i]),
                 "contexts beside rows of no positions");
  }
}

static void refuse(const struct decode_rows &r, int step, const char *text) {
  char error[256] = "";
  struct launch_device device = rows_device();
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  check_that(launch_decode_output(&r, step, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT &&
                 std::strstr(error, text),
             text);
}

static void check_refusals(void) {
  static float floats[1];
  static int32_t integers[1];
  struct decode_rows good = {};
  good.batch = good.time = good.steps = good.outputs = 1;
  good.end_token = -1, good.d_output_lengths = good.d_attended = integers;
  good.d_logits = floats, good.d_output_bias = floats;
  refuse(good, 1, "no such step (found 1, steps 1)");
  struct decode_rows bad = good;
  bad.outputs = 0;
  refuse(bad, 0, "outputs below 1");
  bad = good, bad.d_attended = NULL;
  refuse(bad, 0, "are missing");
  bad = good, bad.d_embedding = floats, bad.embedding_units = 2;
  refuse(bad, 0, "an embedding without a place");
  bad = good, bad.d_probabilities = floats, bad.output_activation = CUSEQ_ACTIVATION_SOFTMAX;
  bad.d_fed_ids = integers;
  refuse(bad, 0, "probabilities that are none, or beside tokens");
  bad.d_fed_ids = NULL, bad.output_activation = CUSEQ_ACTIVATION_LINEAR;
  refuse(bad, 0, "probabilities that are none");
  bad = good, bad.d_target_lengths = integers;
  refuse(bad, 0, "target lengths without targets");
  bad = good, bad.d_logits = NULL;
  refuse(bad, 0, "the logits are missing");
}

int main(void) {
  static const int classes[] = {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 256, 1000};
  int i = 0;
  for (int V : classes)
    for (int way = 0; way < 4; way++, i++) {
      rows_case c = {1 + i % 5,  V,          way == 1 ? 3 : way == 2 ? 130 : 0,
                     1 + i % 4,  way != 3,   way == 1 || way == 2,
                     i % 2 == 0, i % 3 == 0, i % 7 != 6,
                     -1,         false,      false};
      check_rows(c, 100 + (uint64_t)i);
      c.end_token = V > 2 ? (int)(i % 3) : 0, c.Y = 5;
      check_rows(c, 500 + (uint64_t)i);
      c.targets = true;
      check_rows(c, 900 + (uint64_t)i);
      c.softmax = c.probabilities = true, c.feeds = false, c.E = 0;
      check_rows(c, 1300 + (uint64_t)i);
      c.targets = false;
      check_rows(c, 1700 + (uint64_t)i);
    }
  check_attention_of_no_positions();
  check_refusals();
  return check_end();
}
