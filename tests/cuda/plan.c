/* The choice among the mappings of the CUDA backend, on paper: shapes and properties of devices, no
 * device. */
#include "backends/cuda/plan.h"
#include "error.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct launch_device devices[] = {
    {.architecture = 75, .multiprocessors = 40, .shared_bytes = 64 << 10, .cooperative = 1},
    {.architecture = 80,
     .multiprocessors = 108,
     .shared_bytes = 163 << 10,
     .cooperative = 1,
     .tensor_cores = 1},
    {.architecture = 90,
     .multiprocessors = 132,
     .shared_bytes = 227 << 10,
     .cooperative = 1,
     .clusters = 1,
     .tensor_cores = 1},
    {.architecture = 120,
     .multiprocessors = 170,
     .shared_bytes = 99 << 10,
     .cooperative = 1,
     .clusters = 1,
     .tensor_cores = 1},
};
enum { SM75, SM80, SM90, SM120, DEVICES };

/* The dates' model at other sizes. */
static cuseq_config model_of(int32_t H, int32_t S) {
  return (cuseq_config){.features = 37,
                        .units = H,
                        .layers = 1,
                        .direction = CUSEQ_DIRECTION_BIDIRECTIONAL,
                        .activation = CUSEQ_ACTIVATION_TANH,
                        .recurrent_activation = CUSEQ_ACTIVATION_SIGMOID,
                        .annotation_width = 2 * H,
                        .scale = 1,
                        .attention_layers = 2,
                        .attention_units = {10, 1},
                        .attention_activation = {CUSEQ_ACTIVATION_TANH, CUSEQ_ACTIVATION_RELU},
                        .state_units = S,
                        .has_decoder = 1,
                        .steps = 10,
                        .decoder_activation = CUSEQ_ACTIVATION_TANH,
                        .decoder_recurrent_activation = CUSEQ_ACTIVATION_SIGMOID,
                        .start_token = -1,
                        .end_token = -1,
                        .outputs = 11,
                        .output_activation = CUSEQ_ACTIVATION_SOFTMAX};
}

static struct cuda_choice choice_of(const cuseq_config *config, int32_t time,
                                    const struct launch_device *device, const char *text) {
  struct cuda_forced forced;
  struct cuda_shape shape = {.time = time};
  cr_assert_eq(cuda_forced_parse(text, &forced), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_assert_eq(cuda_forced_check(config, time, device, &forced), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return cuda_choose(config, &shape, device, &forced);
}

/* An LSTM, of the dates' activations. */
static struct cuda_cells cells_of(int32_t H, int32_t directions) {
  return (struct cuda_cells){.form = CELL_FORM_LSTM,
                             .inputs = 37,
                             .units = H,
                             .activation = CUSEQ_ACTIVATION_TANH,
                             .recurrent_activation = CUSEQ_ACTIVATION_SIGMOID,
                             .directions = directions};
}

static enum cuda_encoder encoder_of(const struct cuda_cells *cells, const struct launch_device *device,
                                    const char *text, const char **why) {
  struct cuda_forced forced;
  cr_assert_eq(cuda_forced_parse(text, &forced), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  return cuda_encoder_choose(cells, device, &forced, why);
}

enum { W16, W32, B64, C128, GRID, CELL };

Test(plan, every_width_has_the_encoder_that_keeps_its_weights_on_the_chip) {
  static const struct {
    int32_t units;
    int encoder[DEVICES];
  } cases[] = {
      {1, {W16, W16, W16, W16}},        {15, {W16, W16, W16, W16}},       {16, {W16, W16, W16, W16}},
      {17, {W32, W32, W32, W32}},       {32, {W32, W32, W32, W32}},       {33, {B64, B64, B64, B64}},
      {64, {B64, B64, B64, B64}},       {65, {GRID, GRID, C128, C128}},   {128, {GRID, GRID, C128, C128}},
      {129, {GRID, GRID, GRID, GRID}},  {256, {GRID, GRID, GRID, GRID}},  {513, {CELL, GRID, GRID, GRID}},
      {512, {CELL, GRID, GRID, GRID}},  {1024, {CELL, CELL, GRID, CELL}}, {1025, {CELL, CELL, CELL, CELL}},
      {4096, {CELL, CELL, CELL, CELL}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int d = 0; d < DEVICES; d++) {
      struct cuda_cells cells = cells_of(cases[i].units, 2);
      const char *why = "";
      int got = (int)encoder_of(&cells, &devices[d], NULL, &why);
      cr_expect_eq(got, cases[i].encoder[d], "H %d on sm_%d: encoder %d", (int)cases[i].units,
                   (int)devices[d].architecture, got);
      cr_expect_eq(why != NULL, got == CELL, "H %d on sm_%d: %s", (int)cases[i].units,
                   (int)devices[d].architecture, why ? why : "no reason");
    }
}

Test(plan, one_direction_has_all_multiprocessors_to_itself) {
  struct cuda_cells both = cells_of(320, 2), one = cells_of(320, 1);
  cr_expect_eq(encoder_of(&both, &devices[SM75], NULL, NULL), CUDA_ENCODER_CELL);
  cr_expect_eq(encoder_of(&one, &devices[SM75], NULL, NULL), CUDA_ENCODER_GRID);
}

Test(plan, without_cooperative_launches_a_block_holds_too_little_of_wide_layers) {
  struct launch_device device = devices[SM90];
  struct cuda_cells cells = cells_of(256, 2);
  device.cooperative = 0;
  cr_expect_eq(encoder_of(&cells, &device, NULL, NULL), CUDA_ENCODER_CELL);
}

Test(plan, what_no_mapping_computes_runs_step_by_step_and_says_why) {
  struct cuda_cells cells = cells_of(16, 1);
  const char *why = NULL;
  cells.activation = CUSEQ_ACTIVATION_GELU;
  cr_expect_eq(encoder_of(&cells, &devices[SM90], NULL, &why), CUDA_ENCODER_CELL);
  cr_expect_str_eq(why, "activation tanh, relu or linear");
  cells = cells_of(16, 1);
  cells.recurrent_activation = CUSEQ_ACTIVATION_TANH;
  cr_expect_eq(encoder_of(&cells, &devices[SM90], NULL, &why), CUDA_ENCODER_CELL);
  cr_expect_str_eq(why, "recurrent_activation sigmoid, hard_sigmoid or hard_sigmoid_keras2");
  cells = cells_of(1025, 1);
  cr_expect_eq(encoder_of(&cells, &devices[SM90], NULL, &why), CUDA_ENCODER_CELL);
  cr_expect_str_eq(why, "H up to 1024");
  cells = cells_of(1024, 2);
  cr_expect_eq(encoder_of(&cells, &devices[SM80], NULL, &why), CUDA_ENCODER_CELL);
  cr_expect_str_eq(why, "at least half of the recurrent weights in shared memory");
  cells = cells_of(16, 1);
  cells.form = CELL_FORM_GRU_RESET_BEFORE;
  cr_expect_eq(encoder_of(&cells, &devices[SM90], NULL, &why), CUDA_ENCODER_CELL);
  cr_expect_str_eq(why, "the reset after the product");
  cells.form = CELL_FORM_GRU_RESET_AFTER;
  cr_expect_eq(encoder_of(&cells, &devices[SM90], NULL, &why), CUDA_ENCODER_WARP16);
  cr_expect_null(why);
}

Test(plan, bf16_keeps_layers_on_the_chip_that_float32_does_not) {
  struct cuda_cells cells = cells_of(1024, 2);
  cells.precision = CUSEQ_PRECISION_TF32;
  cr_expect_eq(encoder_of(&cells, &devices[SM80], NULL, NULL), CUDA_ENCODER_CELL);
  cells.precision = CUSEQ_PRECISION_BF16;
  cr_expect_eq(encoder_of(&cells, &devices[SM80], NULL, NULL), CUDA_ENCODER_GRID);
  cr_expect_eq(encoder_of(&cells, &devices[SM120], NULL, NULL), CUDA_ENCODER_GRID);
}

Test(plan, directions_go_together_where_their_cells_are_alike) {
  struct encoder_layer layer = {
      .direction = LAYER_BIDIRECTIONAL,
      .cells = {{.kind = CELL_LSTM, .inputs = 3, .units = 5}, {.kind = CELL_LSTM, .inputs = 3, .units = 5}}};
  struct cuda_cells cells[2];
  cr_expect_eq(cuda_cells_of(&layer, cells), 1);
  cr_expect_eq(cells[0].directions, 2);
  layer.cells[1].units = 6;
  cr_expect_eq(cuda_cells_of(&layer, cells), 2);
  cr_expect(cells[0].directions == 1 && cells[0].first == 0 && cells[0].units == 5);
  cr_expect(cells[1].directions == 1 && cells[1].first == 1 && cells[1].units == 6);
  layer.cells[1].units = 5;
  layer.cells[1].kind = CELL_GRU;
  cr_expect_eq(cuda_cells_of(&layer, cells), 2);
  layer.cells[1].kind = CELL_LSTM;
  layer.cells[1].activation = CUSEQ_ACTIVATION_RELU;
  cr_expect_eq(cuda_cells_of(&layer, cells), 2);
  layer.direction = LAYER_BACKWARD;
  cr_expect_eq(cuda_cells_of(&layer, cells), 1);
  cr_expect(cells[0].directions == 1 && cells[0].first == 1);
}

Test(plan, what_stays_of_the_weights_follows_from_the_room) {
  cr_expect_eq(sequence_grid_resident(512, 2, CUSEQ_PRECISION_FLOAT32, &devices[SM90]), 512);
  cr_expect_eq(sequence_grid_resident(256, 1, CUSEQ_PRECISION_FLOAT32, &devices[SM80]), 256);
  cr_expect_eq(sequence_grid_resident(768, 2, CUSEQ_PRECISION_FLOAT32, &devices[SM90]), 768);
  cr_expect_eq(sequence_grid_resident(1024, 2, CUSEQ_PRECISION_BF16, &devices[SM90]), 1024);
  struct launch_device device = devices[SM80];
  int32_t before = sequence_grid_resident(1024, 2, CUSEQ_PRECISION_FLOAT32, &device);
  device.shared_bytes += 2 * 2 * 16 * 16 * 16; /* two times sixteen rows of two tiles of 16 units */
  cr_expect_eq(sequence_grid_resident(1024, 2, CUSEQ_PRECISION_FLOAT32, &device), before + 32);
  device.tensor_cores = 0;
  before = sequence_grid_resident(1024, 2, CUSEQ_PRECISION_FLOAT32, &device);
  device.shared_bytes += 10 * 2 * 16 * 16; /* ten rows of the same */
  cr_expect_eq(sequence_grid_resident(1024, 2, CUSEQ_PRECISION_FLOAT32, &device), before + 10);
  device.shared_bytes = 1000;
  cr_expect_eq(sequence_grid_resident(1024, 2, CUSEQ_PRECISION_FLOAT32, &device), 0);
}

Test(plan, small_models_are_one_launch_and_large_ones_are_not) {
  for (int d = 0; d < DEVICES; d++) {
    cuseq_config config = model_of(16, 13);
    cr_expect(choice_of(&config, 8, &devices[d], NULL).whole);
    cr_expect_not(choice_of(&config, 8, &devices[d], "stages").whole);
    cr_expect(choice_of(&config, 8, &devices[d], "whole").whole);
    cr_expect_not(choice_of(&config, 16384, &devices[d], NULL).whole);
    config.layers = 4;
    cr_expect(choice_of(&config, 8, &devices[d], NULL).whole);
    config.layers = 5;
    cr_expect_not(choice_of(&config, 8, &devices[d], NULL).whole);
    config = model_of(64, 129);
    cr_expect_not(choice_of(&config, 8, &devices[d], NULL).whole);
    config = model_of(65, 13);
    cr_expect_not(choice_of(&config, 8, &devices[d], NULL).whole);
    config = model_of(256, 13);
    cr_expect_not(choice_of(&config, 8, &devices[d], NULL).whole);
  }
  cuseq_config dates = model_of(32, 64);
  cr_expect(choice_of(&dates, 30, &devices[SM90], NULL).whole);
  cuseq_config largest = model_of(64, 128);
  cr_expect(choice_of(&largest, 200, &devices[SM90], NULL).whole);
}

Test(plan, the_decoder_is_one_kernel_up_to_its_bounds) {
  static const struct {
    int32_t H, S, time;
    enum cuda_decoder_kind kind;
  } cases[] = {
      {128, 128, 512, CUDA_DECODER_LOOP},  {128, 128, 513, CUDA_DECODER_STEPS},
      {128, 129, 512, CUDA_DECODER_STEPS}, {129, 128, 512, CUDA_DECODER_STEPS},
      {1, 1, 1, CUDA_DECODER_LOOP},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int d = 0; d < DEVICES; d++) {
      cuseq_config config = model_of(cases[i].H, cases[i].S);
      cr_expect_eq(choice_of(&config, cases[i].time, &devices[d], NULL).decoder, cases[i].kind, "case %zu",
                   i);
      cr_expect_eq(choice_of(&config, cases[i].time, &devices[d], "decoder=loop").decoder, CUDA_DECODER_LOOP);
      cr_expect_eq(choice_of(&config, cases[i].time, &devices[d], "decoder=steps").decoder,
                   CUDA_DECODER_STEPS);
    }
}

Test(plan, a_forced_mapping_is_taken_and_means_stages) {
  static const char *const texts[] = {"encoder=warp16",     "encoder=warp32", "encoder=block64",
                                      "encoder=cluster128", "encoder=grid",   "encoder=cell"};
  cuseq_config config = model_of(16, 13);
  struct cuda_cells cells = cells_of(16, 2);
  for (int i = 0; i < 6; i++) {
    struct cuda_choice choice = choice_of(&config, 8, &devices[SM90], texts[i]);
    cr_expect_eq((int)encoder_of(&cells, &devices[SM90], texts[i], NULL), i);
    cr_expect_not(choice.whole);
    cr_expect_eq(choice.decoder, CUDA_DECODER_LOOP);
  }
  struct cuda_choice choice = choice_of(&config, 8, &devices[SM90], "decoder=steps,stages,encoder=grid");
  cr_expect_eq(encoder_of(&cells, &devices[SM90], "decoder=steps,stages,encoder=grid", NULL),
               CUDA_ENCODER_GRID);
  cr_expect_eq(choice.decoder, CUDA_DECODER_STEPS);
  cr_expect_not(choice_of(&config, 8, &devices[SM90], "decoder=loop").whole);
  cr_expect(choice_of(&config, 8, &devices[SM90], "").whole);
}

static void expect_impossible(int32_t H, int32_t time, int device, const char *text, const char *error) {
  cuseq_config config = model_of(H, 13);
  struct cuda_forced forced;
  cr_assert_eq(cuda_forced_parse(text, &forced), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(cuda_forced_check(&config, time, &devices[device], &forced), CUSEQ_STATUS_NOT_SUPPORTED);
  cr_expect_str_eq(cuseq_last_error(), error);
}

/* The second of two layers is what cannot be run. */
static void expect_no_mapping(const struct cell *cell, int device, const char *text, const char *error) {
  static struct encoder_structure encoder;
  encoder.count = 2;
  encoder.layers[0].cells[0] = (struct cell){.kind = CELL_LSTM,
                                             .units = 4,
                                             .activation = CUSEQ_ACTIVATION_TANH,
                                             .recurrent_activation = CUSEQ_ACTIVATION_SIGMOID};
  encoder.layers[1].cells[0] = *cell;
  struct cuda_forced forced;
  cr_assert_eq(cuda_forced_parse(text, &forced), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  cr_expect_eq(cuda_encoder_check(&encoder, &devices[device], &forced),
               error ? CUSEQ_STATUS_NOT_SUPPORTED : CUSEQ_STATUS_OK);
  if (error)
    cr_expect_str_eq(cuseq_last_error(), error);
}

Test(plan, what_cannot_run_the_model_is_refused) {
  struct cell cell = {.kind = CELL_LSTM,
                      .units = 17,
                      .activation = CUSEQ_ACTIVATION_TANH,
                      .recurrent_activation = CUSEQ_ACTIVATION_SIGMOID};
  expect_no_mapping(&cell, SM90, "encoder=warp32", NULL);
  expect_no_mapping(
      &cell, SM90, "encoder=warp16",
      "cuda plan: \"encoder=warp16\" cannot run this model (found encoder.layers.1: lstm, H 17, tanh and "
      "sigmoid, on compute capability 9.0; needed a smaller H)");
  expect_no_mapping(
      &cell, SM80, "encoder=cluster128",
      "cuda plan: \"encoder=cluster128\" cannot run this model (found encoder.layers.0: lstm, H 4, tanh and "
      "sigmoid, on compute capability 8.0; needed H <= 128 and clusters)");
  cell.activation = CUSEQ_ACTIVATION_SELU;
  expect_no_mapping(
      &cell, SM90, "encoder=grid",
      "cuda plan: \"encoder=grid\" cannot run this model (found encoder.layers.1: lstm, H 17, selu and "
      "sigmoid, on compute capability 9.0; needed activation tanh, relu or linear)");
  expect_no_mapping(&cell, SM90, "encoder=cell", NULL);
  expect_impossible(256, 8, SM75, "whole",
                    "cuda plan: \"whole\" cannot run this model (found layers 1, H 256, S 13, max_time 8 on "
                    "compute capability 7.5, needed a model that one block holds)");
}

Test(plan, a_text_that_says_nothing_clear_is_refused) {
  static const char *const texts[] = {"x",
                                      "stages,",
                                      ",stages",
                                      "encoder=",
                                      "encoder=warp",
                                      "encoder=warp166",
                                      "decoder=cell",
                                      "Whole",
                                      "stages whole",
                                      "stages,whole",
                                      "stages,stages",
                                      "whole,encoder=grid",
                                      "encoder=grid,encoder=cell",
                                      "decoder=loop,decoder=loop",
                                      "decoder=steps,whole",
                                      " stages"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct cuda_forced forced;
    cr_expect_eq(cuda_forced_parse(texts[i], &forced), CUSEQ_STATUS_INVALID_ARGUMENT, "\"%s\"", texts[i]);
    cr_expect(strncmp(cuseq_last_error(), "cuda plan: ", 11) == 0, "%s", cuseq_last_error());
  }
}

Test(cuda_plan, weights_stay_in_registers_where_the_decoder_is_small_whatever_the_device) {
  cuseq_config config = model_of(32, 64);
  cr_expect_null(cuda_registers_reason(&config));
  config.outputs = 33;
  cr_expect_str_eq(cuda_registers_reason(&config), "at most 32 classes");
  config = model_of(32, 65);
  cr_expect_str_eq(cuda_registers_reason(&config), "S and A of at most 64");
  config = model_of(33, 64);
  cr_expect_str_eq(cuda_registers_reason(&config), "S and A of at most 64");
  config = model_of(32, 64);
  config.attention_units[0] = 17;
  cr_expect_str_eq(cuda_registers_reason(&config), "keys of at most 16 units");
  config = model_of(32, 64);
  config.attention_activation[0] = CUSEQ_ACTIVATION_SIGMOID;
  cr_expect_str_eq(cuda_registers_reason(&config), "tanh over the keys");
  config = model_of(32, 64);
  config.score = CUSEQ_SCORE_GENERAL;
  cr_expect_str_eq(cuda_registers_reason(&config), "score additive, or concat with one layer or two");
  config = model_of(32, 64);
  config.feedback = CUSEQ_FEEDBACK_OUTPUT;
  cr_expect_null(cuda_registers_reason(&config));
  config.embedding_units = 4;
  cr_expect_str_eq(cuda_registers_reason(&config), "tokens without an embedding");
}
