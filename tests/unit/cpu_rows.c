/* A row alone, and two and three, go other ways through the cpu backend than a batch: several blocks of units
 * at a time, and input products of the steps ahead. The bits are the same, on every instruction set. */
#include "support/random_model.h"
#include "support/results.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 7, TIME = 15, MOST_UNITS = 256, MOST_FEATURES = 300 };

static float x[BATCH * TIME * MOST_FEATURES];
static double wide[BATCH * TIME * MOST_FEATURES];
static float whole[BATCH * TIME * 2 * MOST_UNITS], part[BATCH * TIME * 2 * MOST_UNITS];
static const int32_t lengths[BATCH] = {15, 1, 12, 13, 7, 14, 15};

static void encode(cuseq_session *session, int32_t features, bool narrow, int32_t first, int32_t count,
                   float *annotations) {
  const size_t at = (size_t)first * TIME * (size_t)features;
  const cuseq_input input = {.size = sizeof(cuseq_input),
                             .data = narrow ? (const void *)(x + at) : (const void *)(wide + at),
                             .dtype = narrow ? CUSEQ_DTYPE_F32 : CUSEQ_DTYPE_F64,
                             .batch = count,
                             .time = TIME,
                             .lengths = lengths + first};
  const cuseq_encoding wanted = {.size = sizeof(cuseq_encoding), .annotations = annotations};
  cr_assert_eq(cuseq_encode(session, &input, &wanted), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

/* One thread of the cpu, for all rows. */
static cuseq_session_options options_of(const cuseq_model *model) {
  cuseq_session_options options;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = results_precision("cpu");
  options.max_batch = BATCH;
  options.max_time = TIME;
  options.threads = 1;
  return options;
}

/* Rows in ones, twos, .. against the batch. */
static void check_parts(const cuseq_model *model, const char *isa, int32_t features, int32_t units) {
  const cuseq_session_options options = options_of(model);
  cuseq_session *session;
  const size_t row = (size_t)TIME * 2 * (size_t)units;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  encode(session, features, true, 0, BATCH, whole);
  for (int32_t count = 1; count <= 4; count++)
    for (int32_t first = 0; first + count <= BATCH; first++)
      for (int narrow = 0; narrow < 2; narrow++) {
        memset(part, 0xff, sizeof part);
        encode(session, features, narrow, first, count, part);
        cr_assert(memcmp(part, whole + (size_t)first * row, (size_t)count * row * sizeof *part) == 0,
                  "%s: F %d, H %d: rows %d to %d, %s", isa, (int)features, (int)units, (int)first,
                  (int)(first + count - 1), narrow ? "float32" : "float64");
      }
  cuseq_session_close(session);
}

Test(cpu_rows, few_rows_give_the_bits_of_a_batch_whatever_the_width) {
  static const char *const isas[] = {"avx512", "avx2", "portable"};
  static const struct {
    int32_t features, units, layers;
  } sizes[] = {{37, 16, 1}, {7, 24, 1}, {64, 32, 2}, {9, 48, 2}, {20, 75, 1}, {33, 100, 1}, {300, 256, 1}};
  size_t count = sizeof sizes / sizeof *sizes;
#ifdef __SANITIZE_ADDRESS__
  count--; /* the widest goes the same ways, and takes as long as all others */
#endif
  for (size_t s = 0; s < count; s++) {
    char json[256];
    struct random random = {3 + s};
    snprintf(json, sizeof json,
             "{\"version\":1,\"encoder\":{\"features\":%d,\"units\":%d,\"layers\":%d},"
             "\"attention\":{\"score\":\"concat\",\"layers\":[{\"units\":1,\"activation\":\"tanh\"}]}}",
             (int)sizes[s].features, (int)sizes[s].units, (int)sizes[s].layers);
    const struct random_widths widths = {.state_units = 2 * sizes[s].units};
    cuseq_model *model = random_model(json, &widths, &random);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
      wide[i] = (double)(x[i] = random_between(&random, -1.0f, 1.0f));
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
      setenv("CUSEQ_CPU_ISA", isas[i], 1);
      cuseq_session *session;
      const cuseq_session_options options = options_of(model);
      if (cuseq_session_open(model, &options, &session) != CUSEQ_STATUS_OK) {
        cr_log_info("skipped: %s", cuseq_last_error());
        continue;
      }
      cuseq_session_close(session);
      check_parts(model, isas[i], sizes[s].features, sizes[s].units);
    }
    cuseq_model_destroy(model);
  }
}

/* ---- decoders ---- */

enum { STEPS = 9, STATES = 256, CONTEXT = 128 };

/* What a decoding gives of each row. */
struct decoded {
  float log_probabilities[BATCH][STEPS], contexts[BATCH][STEPS][CONTEXT], h[BATCH][STATES], c[BATCH][STATES];
  int32_t tokens[BATCH][STEPS], lengths[BATCH];
};

/* `count` rows from row `first` on, whose data lie at `data`. */
static cuseq_input rows_of(const void *data, cuseq_dtype dtype, int32_t first, int32_t count) {
  return (cuseq_input){.size = sizeof(cuseq_input),
                       .data = data,
                       .dtype = dtype,
                       .batch = count,
                       .time = TIME,
                       .lengths = lengths + first};
}

static void decode(cuseq_session *session, int32_t first, int32_t count, struct decoded *to) {
  const cuseq_input input = rows_of(x + (size_t)first * TIME * 3, CUSEQ_DTYPE_F32, first, count);
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                   .tokens = to->tokens[first],
                                   .log_probabilities = to->log_probabilities[first],
                                   .contexts = to->contexts[first][0],
                                   .output_lengths = to->lengths + first,
                                   .final_h = to->h[first],
                                   .final_c = to->c[first],
                                   .steps = STEPS};
  cr_assert_eq(cuseq_run(session, &input, NULL, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

static const char decoder[] =
    "{\"version\":2,\"input\":{\"features\":3},"
    "\"encoder\":{\"layers\":[{\"cell\":{\"kind\":\"lstm\",\"units\":64},\"direction\":\"bidirectional\"}]},"
    "\"attention\":{\"score\":\"general\",\"asks\":\"current\"},"
    "\"decoder\":{\"reads\":[\"token\",\"attentional\"],\"embedding\":32,\"feedback\":\"output\","
    "\"start_token\":0,\"end_token\":7,\"steps\":9,\"layers\":["
    "{\"cell\":{\"kind\":\"lstm\",\"units\":128}},"
    "{\"cell\":{\"kind\":\"lstm\",\"units\":128},\"initial_h\":{\"from\":\"zeros\"},\"initial_c\":{\"from\":"
    "\"zeros\"}}],"
    "\"attentional\":{\"parts\":[\"context\",\"state\"],\"units\":64,\"activation\":\"tanh\",\"bias\":false}}"
    ","
    "\"output\":{\"parts\":[\"attentional\"],\"layers\":[{\"units\":300,\"activation\":\"softmax\"}]}}";

static void check_decoded(cuseq_session *session) {
  static struct decoded batch, one;
  decode(session, 0, BATCH, &batch);
  for (int32_t call = 0; call < 3; call++) {
    memset(&one, 0xff, sizeof one);
    for (int32_t row = 0; row < BATCH; row++)
      decode(session, row, 1, &one);
    cr_assert_eq(memcmp(&one, &batch, sizeof one), 0);
    memset(&one, 0xff, sizeof one);
    decode(session, 0, BATCH, &one);
    cr_assert_eq(memcmp(&one, &batch, sizeof one), 0);
  }
}

/* Of 1.1 MB a step: the last row that is left makes parts of its sums early (plan_state_first()). Sessions
 * count their calls, and take the weights the other way round in every second. */
Test(cpu_rows, one_row_gives_the_bits_of_a_batch_where_it_makes_parts_of_sums_early) {
  static const char *const isas[] = {"avx512", "avx2", "portable"};
  struct random random = {11};
  cuseq_model *model = random_model(decoder, NULL, &random);
  const cuseq_session_options options = options_of(model);
  for (size_t i = 0; i < (size_t)BATCH * TIME * 3; i++)
    x[i] = random_between(&random, -1.0f, 1.0f);
  for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
    cuseq_session *session;
    setenv("CUSEQ_CPU_ISA", isas[i], 1);
    if (cuseq_session_open(model, &options, &session) != CUSEQ_STATUS_OK) {
      cr_log_info("skipped: %s", cuseq_last_error());
      continue;
    }
    check_decoded(session);
    cuseq_session_close(session);
  }
  cuseq_model_destroy(model);
}

/* ---- embeddings ---- */

static int32_t ids[BATCH * TIME];

static void translate(cuseq_session *session, int32_t first, int32_t count, struct decoded *to) {
  const cuseq_input input = rows_of(ids + (size_t)first * TIME, CUSEQ_DTYPE_I32, first, count);
  const cuseq_decoding decoding = {.size = sizeof(cuseq_decoding),
                                   .tokens = to->tokens[first],
                                   .log_probabilities = to->log_probabilities[first],
                                   .output_lengths = to->lengths + first,
                                   .final_h = to->h[first],
                                   .steps = STEPS};
  cr_assert_eq(cuseq_run(session, &input, NULL, &decoding), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
}

/* Embeddings of `units`, encoder and decoder of `cell`: 24 units, and 256 of the decoder. */
static cuseq_model *translator(const char *cell, int32_t units, const char *reads, struct random *random) {
  char json[1024];
  snprintf(json, sizeof json,
           "{\"version\":2,\"input\":{\"features\":3000,\"embedding\":%d},"
           "\"encoder\":{\"layers\":[{\"cell\":{%s,\"units\":24},\"direction\":\"bidirectional\"}]},"
           "\"attention\":{\"score\":\"additive\",\"units\":20},"
           "\"decoder\":{\"reads\":[%s],\"embedding\":%d,\"feedback\":\"output\","
           "\"start_token\":0,\"end_token\":7,\"steps\":9,\"layers\":[{\"cell\":{%s,\"units\":256},"
           "\"initial_h\":{\"from\":\"zeros\"}%s}]},"
           "\"output\":{\"parts\":[\"state\"],\"layers\":[{\"units\":50,\"activation\":\"softmax\"}]}}",
           (int)units, cell, reads, (int)units, cell,
           strstr(cell, "lstm") ? ",\"initial_c\":{\"from\":\"zeros\"}" : "");
  return random_model(json, NULL, random);
}

static void check_translated(const cuseq_model *model, const char *what) {
  static struct decoded batch, one;
  const cuseq_session_options options = options_of(model);
  cuseq_session *session;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  memset(&batch, 0xff, sizeof batch);
  translate(session, 0, BATCH, &batch);
  for (int32_t count = 1; count <= 3; count++) {
    memset(&one, 0xff, sizeof one);
    for (int32_t row = 0; row < BATCH; row += count)
      translate(session, row, row + count <= BATCH ? count : BATCH - row, &one);
    cr_expect_eq(memcmp(&one, &batch, sizeof one), 0, "%s, %d rows", what, (int)count);
  }
  cuseq_session_close(session);
}

/* The products of embeddings are made when the weights are packed, or, where a token is not what is read
 * first, at every step. */
Test(cpu_rows, one_row_gives_the_bits_of_a_batch_where_tokens_have_embeddings) {
  static const char *const cells[] = {"\"kind\":\"lstm\"", "\"kind\":\"gru\"",
                                      "\"kind\":\"gru\",\"reset\":\"before\""};
  static const char *const reads[] = {"\"token\",\"context\"", "\"context\",\"token\""};
  struct random random = {17};
  for (int i = 0; i < BATCH * TIME; i++)
    ids[i] = (int32_t)random_below(&random, 3000);
  for (size_t c = 0; c < sizeof cells / sizeof *cells; c++)
    for (int r = 0; r < 2; r++) {
      cuseq_model *model = translator(cells[c], 16 + 21 * r, reads[r], &random);
      check_translated(model, cells[c]);
      cuseq_model_destroy(model);
    }
}
