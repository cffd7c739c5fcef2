/* The context vector alone: against sums in float64, over ragged rows, and a row's bits whatever its
 * batch; of several heads, and the mean of their weights. */
#include "attention_host.h"

static void context_check(int B, int T, int A, bool ragged, uint64_t seed) {
  random_source random(seed);
  test_device device;
  size_t gap = 3; /* rows of alphas and contexts do not lie side by side */
  std::vector<float> annotations = random.values((size_t)B * T * A, 1.0f),
                     alphas = random.values(B * (T + gap), 0.1f);
  std::vector<int32_t> lengths;
  std::vector<double> want;
  for (int b = 0; b < B; b++) {
    lengths.push_back(ragged ? (int32_t)(random.next() % (uint32_t)(T + 1)) : T);
    for (int t = lengths[b]; t < T; t++) /* nothing of these may be looked at */
      alphas[b * (T + gap) + t] = annotations[((size_t)b * T + t) * A] = NAN;
    for (int j = 0; j < A; j++) {
      double sum = 0;
      for (int t = 0; t < lengths[b]; t++)
        sum += (double)alphas[b * (T + gap) + t] * annotations[((size_t)b * T + t) * A + j];
      want.push_back(sum);
    }
  }
  device_array<float> d_annotations(annotations), d_alphas(alphas), d_context(B * (A + gap)),
      d_alone((size_t)A);
  device_array<int32_t> d_lengths(lengths);
  struct attention_context context = {.batch = B,
                                      .time = T,
                                      .annotation_width = A,
                                      .d_lengths = ragged ? d_lengths.data() : nullptr,
                                      .d_annotations = d_annotations.data(),
                                      .d_alphas = d_alphas.data(),
                                      .alphas_stride = (int64_t)(T + gap),
                                      .d_context = d_context.data(),
                                      .context_stride = (int64_t)(A + gap)};
  std::string what = "context B " + std::to_string(B) + " T " + std::to_string(T) + " A " + std::to_string(A);
  if (!device.launched(launch_attention_context(&context, &device.stream), what))
    return;
  CHECK_CUDA(cudaDeviceSynchronize());
  std::vector<float> got;
  for (int b = 0; b < B; b++) {
    std::vector<float> row((size_t)A);
    CHECK_CUDA(cudaMemcpy(row.data(), d_context.data() + b * (A + gap), A * 4, cudaMemcpyDeviceToHost));
    got.insert(got.end(), row.begin(), row.end());
  }
  check_close(what.c_str(), got, want, BOUND_OF_A_MEAN);
  int last = B - 1;
  if (lengths[last] > 0) { /* the last row alone, without what lies behind its length */
    struct attention_context alone = context;
    alone.batch = 1;
    alone.time = lengths[last];
    alone.d_lengths = nullptr;
    alone.d_annotations += (size_t)last * T * A;
    alone.d_alphas += last * (T + gap);
    alone.d_context = d_alone.data();
    if (!device.launched(launch_attention_context(&alone, &device.stream), what))
      return;
    check_that(std::memcmp(d_alone.read().data(), got.data() + (size_t)last * A, (size_t)A * 4) == 0,
               "a row alone has the same bits");
  }
  check_that(d_context.intact() && d_alone.intact(), "nothing is written outside of the contexts");
}

/* N parts of the columns, each with weights of its own; and the mean of these. */
static void heads_check(int B, int T, int N, int part, uint64_t seed) {
  random_source random(seed);
  test_device device;
  const int A = N * part;
  const std::string what = "B " + std::to_string(B) + " T " + std::to_string(T) + " of " + std::to_string(N) +
                           " heads of " + std::to_string(part);
  std::vector<float> annotations = random.values((size_t)B * T * A, 1.0f),
                     alphas = random.values((size_t)B * N * T, 0.1f);
  std::vector<double> contexts, means;
  for (int b = 0; b < B; b++) {
    for (int j = 0; j < A; j++) {
      double sum = 0;
      for (int t = 0; t < T; t++)
        sum += (double)alphas[((size_t)b * N + j / part) * T + t] * annotations[((size_t)b * T + t) * A + j];
      contexts.push_back(sum);
    }
    for (int t = 0; t < T; t++) {
      double sum = 0;
      for (int n = 0; n < N; n++)
        sum += alphas[((size_t)b * N + n) * T + t];
      means.push_back(sum / N);
    }
  }
  device_array<float> d_annotations(annotations), d_alphas(alphas), d_context((size_t)B * A),
      d_mean((size_t)B * T);
  const struct attention_context context = {.batch = B,
                                            .time = T,
                                            .annotation_width = A,
                                            .heads = N,
                                            .d_annotations = d_annotations.data(),
                                            .d_alphas = d_alphas.data(),
                                            .alphas_stride = T,
                                            .d_context = d_context.data(),
                                            .context_stride = A};
  const struct attention_mean mean = {B, T, N, d_alphas.data(), d_mean.data(), T};
  if (!device.launched(launch_attention_context(&context, &device.stream), "context " + what) ||
      !device.launched(launch_attention_mean(&mean, &device.stream), "mean " + what))
    return;
  check_close(("context " + what).c_str(), d_context.read(), contexts, BOUND_OF_A_MEAN);
  check_close(("mean " + what).c_str(), d_mean.read(), means, BOUND_OF_A_MEAN);
  check_that(d_context.intact() && d_mean.intact(), "nothing is written outside of contexts and means");
}

static void refusals_check(void) {
  test_device device;
  device_array<float> some((size_t)4);
  struct attention_context good = {.batch = 1,
                                   .time = 1,
                                   .annotation_width = 1,
                                   .d_lengths = nullptr,
                                   .d_annotations = some.data(),
                                   .d_alphas = some.data(),
                                   .alphas_stride = 1,
                                   .d_context = some.data(),
                                   .context_stride = 1};
  struct attention_context bad[] = {good, good, good, good, good, good};
  bad[0].batch = 0;
  bad[1].time = 0;
  bad[2].annotation_width = 0;
  bad[3].d_alphas = nullptr;
  bad[4].batch = bad[4].annotation_width = 1 << 20;
  bad[5].heads = 2;
  for (const struct attention_context &one : bad)
    check_that(launch_attention_context(&one, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT &&
                   device.error[0],
               "impossible sizes and missing arrays are refused");
  const struct attention_mean means[] = {{0, 1, 1, some.data(), some.data(), 1},
                                         {1, 0, 1, some.data(), some.data(), 1},
                                         {1, 1, 0, some.data(), some.data(), 1},
                                         {1, 1, 1, nullptr, some.data(), 1},
                                         {1, 1, 1, some.data(), nullptr, 1}};
  for (const struct attention_mean &one : means)
    check_that(launch_attention_mean(&one, &device.stream) == CUSEQ_STATUS_INVALID_ARGUMENT &&
                   device.error[0],
               "impossible means are refused");
}

int main() {
  const int sizes[] = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 256};
  for (int n : sizes) {
    context_check(3, n, 40, true, 10 + n);
    context_check(2, 30, n, false, 500 + n);
  }
  context_check(4, 1000, 600, true, 3);
  context_check(1, 16384, 33, false, 4);
  heads_check(3, 40, 2, 5, 21);
  heads_check(2, 300, 3, 33, 22);
  heads_check(1, 257, 8, 1, 23);
  refusals_check();
  return check_end();
}
