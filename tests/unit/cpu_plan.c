/* How the cpu backend cuts a call into tasks. */
#include "backends/cpu/plan.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(cpu_plan, tiles_hold_every_row_once_in_even_shares) {
  for (int32_t batch = 1; batch < 200; batch += 3)
    for (int32_t tiles = 1; tiles <= batch; tiles++) {
      int32_t next = 0;
      for (int32_t i = 0; i < tiles; i++) {
        struct cpu_tile tile = plan_tile(batch, tiles, i);
        cr_assert_eq(tile.first, next);
        cr_assert(tile.count >= batch / tiles && tile.count <= (batch + tiles - 1) / tiles);
        next += tile.count;
      }
      cr_assert_eq(next, batch);
    }
}

Test(cpu_plan, rows_are_sorted_by_length_and_stay_in_order_otherwise) {
  enum { BATCH = 50, TIME = 9 };
  int32_t lengths[BATCH], own[BATCH], order[BATCH], counts[TIME + 1];
  struct cpu cpu = {.lengths = own, .order = order, .counts = counts};
  for (int32_t b = 0; b < BATCH; b++)
    lengths[b] = 1 + b * 7 % TIME;
  plan_order(&cpu, lengths, BATCH, TIME);
  cr_expect_eq(cpu.batch, BATCH);
  cr_expect_eq(cpu.time, TIME);
  for (int32_t i = 1; i < BATCH; i++) {
    int32_t before = order[i - 1], now = order[i];
    cr_assert(lengths[before] > lengths[now] || (lengths[before] == lengths[now] && before < now));
    cr_assert_eq(own[now], lengths[now]);
  }
  plan_order(&cpu, NULL, BATCH, TIME);
  for (int32_t b = 0; b < BATCH; b++)
    cr_assert(order[b] == b && own[b] == TIME);
}

/* A bidirectional LSTM of that many units over as many features, and one attention step over it. */
static struct cpu example(int32_t units, int32_t batch, int32_t threads) {
  static struct structure structure;
  const struct cell cell = {.kind = CELL_LSTM, .inputs = units, .units = units};
  structure = (struct structure){
      .encoder = {.count = 1, .width = 2 * units},
      .attention = {
          .present = true, .query_inputs = 2 * units, .key_width = 2 * units, .context_width = 2 * units}};
  structure.encoder.layers[0] =
      (struct encoder_layer){.direction = LAYER_BIDIRECTIONAL, .inputs = units, .cells = {cell, cell}};
  struct cpu cpu = {.structure = &structure, .products = &cpu_kernels_portable.products};
  cpu.limits.batch = batch;
  cpu.limits.time = 30;
  cpu.limits.steps = 1;
  cpu.limits.threads = threads;
  cpu.tile_rows = plan_tile_rows(&cpu);
  cpu.part_bytes = plan_part_bytes();
  return cpu;
}

Test(cpu_plan, one_small_example_gets_one_thread_when_none_are_asked_for) {
  struct cpu cpu = example(16, 1, 0);
  cr_expect_eq(plan_threads(&cpu), 1);
}

Test(cpu_plan, tasks_fit_their_workspaces_and_tiles_the_batch) {
  static const int32_t sizes[] = {1, 2, 5, 11, 12, 24, 31, 36, 37, 64, 96, 97, 300, 1024};
  for (int32_t threads = 1; threads <= 9; threads++)
    for (int32_t units = 8; units <= 512; units *= 4)
      for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct cpu cpu = example(units, 1024, threads);
        cr_assert_eq(pool_open(threads, &cpu.pool), CUSEQ_STATUS_OK);
        struct cpu_plan plan = plan_call(&cpu, true, sizes[i], 30, 1);
        cr_assert(plan.encode_tiles >= 1 && plan.encode_tiles <= sizes[i]);
        cr_assert(plan.decode_tiles >= 1 && plan.decode_tiles <= sizes[i]);
        for (int32_t t = 0; t < plan.encode_tiles; t++)
          cr_assert(plan_tile(sizes[i], plan.encode_tiles, t).count <= cpu.tile_rows);
        for (int32_t t = 0; t < plan.decode_tiles; t++)
          cr_assert(plan_tile(sizes[i], plan.decode_tiles, t).count <= cpu.tile_rows);
        if (plan.whole)
          cr_assert_eq(plan.encode_tiles, plan.decode_tiles);
        pool_close(cpu.pool);
      }
}

Test(cpu_plan, directions_whose_weights_leave_the_third_level_cache_are_shared_in_turn) {
  setenv("CUSEQ_CPU_PART", "73728", 1); /* as it is, but that threads need no cores of their own */
  static const struct {
    int32_t units, threads, parts;
  } cases[] = {{512, 2, 1}, {724, 2, 1}, {725, 2, 2}, {1024, 2, 2}, {1024, 1, 1}, {512, 4, 4}, {1024, 4, 4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct cpu cpu = example(cases[i].units, 1, cases[i].threads);
    cr_assert_eq(pool_open(cases[i].threads, &cpu.pool), CUSEQ_STATUS_OK);
    const struct cpu_plan plan = plan_call(&cpu, true, 1, 30, 0);
    cr_expect_eq(plan_directions_in_turn(&cpu, &cpu.structure->encoder.layers[0]), cases[i].units > 724);
    cr_expect_eq(plan.parts, cases[i].parts, "%d units, %d threads: %d parts", (int)cases[i].units,
                 (int)cases[i].threads, (int)plan.parts);
    pool_close(cpu.pool);
  }
}

/* An LSTM decoder of two layers of that many units, which reads its token's embedding. */
static struct cpu decoder_example(struct structure *structure, int32_t units) {
  const struct cell cell = {.kind = CELL_LSTM, .inputs = units, .units = units};
  *structure = (struct structure){.decoder = {.present = true, .count = 2, .embedding_units = units}};
  structure->decoder.reads = (struct parts){.count = 1, .list = {PART_TOKEN}};
  for (int32_t l = 0; l < 2; l++)
    structure->decoder.layers[l].cell = cell;
  return (struct cpu){.structure = structure, .products = &cpu_kernels_portable.products};
}

Test(cpu_plan, products_of_embeddings_are_made_ahead_where_they_are_few) {
  struct structure structure;
  decoder_example(&structure, 128);
  structure.decoder.feedback = FEEDBACK_OUTPUT;
  structure.decoder.tokens = 4096; /* of 4 x 128 sums: 8 MB */
  cr_expect(plan_decoder_token_sums(&structure));
  structure.decoder.tokens++;
  cr_expect(!plan_decoder_token_sums(&structure));
  structure.decoder.tokens = 100;
  cr_expect(plan_decoder_token_sums(&structure));
  structure.decoder.reads = (struct parts){.count = 2, .list = {PART_CONTEXT, PART_TOKEN}};
  cr_expect(!plan_decoder_token_sums(&structure), "the token is not what is read first");
  decoder_example(&structure, 128);
  structure.decoder.feedback = FEEDBACK_OUTPUT;
  structure.decoder.tokens = 100;
  structure.decoder.embedding_units = 0;
  cr_expect(!plan_decoder_token_sums(&structure), "a token without an embedding is gathered");

  const struct cell gru = {.kind = CELL_GRU, .inputs = 64, .units = 100}; /* 112 in whole vectors */
  structure.encoder.layers[0] =
      (struct encoder_layer){.direction = LAYER_BIDIRECTIONAL, .inputs = 64, .cells = {gru, gru}};
  structure.input = (struct input_structure){.features = 6241, .embedding_units = 64, .width = 64};
  cr_expect(plan_encoder_token_sums(&structure, 0));
  structure.encoder.layers[0].cells[1].kind = CELL_LSTM;
  cr_expect(!plan_encoder_token_sums(&structure, 1), "four sums a unit");
  structure.input.embedding_folded = true;
  cr_expect(!plan_encoder_token_sums(&structure, 0));
}

Test(cpu_plan,
     sums_begin_with_the_state_where_a_step_s_weights_leave_the_cache_and_may_be_found_there_again) {
  struct structure structure;
  struct cpu cpu = decoder_example(&structure, 64); /* 256 KB */
  cr_expect(!plan_state_first(&cpu));
  cpu = decoder_example(&structure, 320); /* 6.25 MB */
  cr_expect(!plan_state_first(&cpu));
  cpu = decoder_example(&structure, 128); /* 1 MB */
  cr_expect(plan_state_first(&cpu));
  structure.decoder.embedding_units = 0; /* rows of weights are gathered first */
  cr_expect(!plan_state_first(&cpu));
  cpu = decoder_example(&structure, 128);
  structure.decoder.layers[1].cell.kind = CELL_GRU;
  cr_expect(!plan_state_first(&cpu));
  structure.decoder.present = false;
  cr_expect(!plan_state_first(&cpu));
}

/* A decoder and nothing else, with a dense layer of as many outputs: 17 units^2 weights a step. */
static struct cpu shared_example(struct structure *structure, int32_t units, int32_t threads) {
  struct cpu cpu = decoder_example(structure, units);
  structure->attention = (struct attention_structure){0};
  structure->encoder.count = 0;
  structure->output.count = 1;
  structure->output.heads[0].layers =
      (struct dense_chain){.count = 1, .layers = {{.inputs = units, .units = units}}};
  cpu.limits = (struct backend_limits){.batch = 64, .time = 1, .steps = 10, .threads = threads};
  cpu.tile_rows = 64;
  cpu.part_bytes = plan_part_bytes();
  return cpu;
}

/* How many threads share the products of a decoding of `rows` rows, of a session's `threads`. */
static int32_t parts_of(int32_t units, int32_t threads, int32_t rows) {
  static struct structure structure;
  struct cpu cpu = shared_example(&structure, units, threads);
  cr_assert_eq(pool_open(threads > 0 ? threads : 2, &cpu.pool), CUSEQ_STATUS_OK);
  const struct cpu_plan plan = plan_call(&cpu, false, rows, 1, 10);
  cr_expect(plan.parts == 1 || (plan.decode_tiles == 1 && plan.threads >= plan.parts));
  pool_close(cpu.pool);
  return plan.parts;
}

Test(cpu_plan, few_rows_share_products_that_are_large_enough) {
  setenv("CUSEQ_CPU_PART", "73728", 1); /* as it is, but that threads need no cores of their own */
  cr_expect_eq(parts_of(200, 2, 1), 2);
  cr_expect_eq(parts_of(200, 1, 1), 1);
  cr_expect_eq(parts_of(64, 2, 1), 1, "two parts of 64 KB");
  cr_expect_eq(parts_of(200, 8, 7), 8, "threads without a row");
  cr_expect_eq(parts_of(200, 8, 8), 1, "a row for each of many threads");
  cr_expect_eq(parts_of(200, 2, 6), 2);
  cr_expect_eq(parts_of(200, 2, 7), 1);
  cr_expect_eq(parts_of(512, 2, 24), 2, "18 MB a step");
  cr_expect_eq(parts_of(512, 2, 25), 1);
}

Test(cpu_plan, a_session_that_asks_for_no_threads_shares_products_that_are_worth_it) {
  setenv("CUSEQ_CPU_PART", "73728", 1);
  cr_expect_eq(parts_of(200, 0, 1), 2, "27 MB in 10 steps");
  cr_expect_eq(parts_of(120, 0, 1), 1, "10 MB in 10 steps");
  cr_expect_eq(parts_of(64, 0, 1), 1);
}
