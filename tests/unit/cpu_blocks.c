/* How the weights of a cell's blocks of units lie on the cpu: the last units of an LSTM, whose sums share
 * vectors where they fill at most half of one, and blocks that lie side by side for one row; of one row and
 * of several, of all ways in which a step's sums begin. */
#include "backends/cpu/cpu.h"
#include "session.h"
#include "support/beam_case.h"
#include "support/results.h"
#include "support/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int32_t units_of[] = {1,  2,  4,  5,  8,  9,  16, 17, 20,  24,
                                   25, 33, 36, 40, 49, 65, 72, 84, 100, 136};
enum { SIZES = sizeof units_of / sizeof *units_of, POSITIONS = 4, STEPS = 3 };

Test(cpu_blocks, where_units_share_vectors) {
  static const struct {
    int32_t units, vectors;
  } cases[] = {{1, 1},  {4, 1},  {5, 2},  {8, 2},   {9, 0},  {15, 0},
               {16, 0}, {17, 1}, {24, 2}, {100, 1}, {200, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_expect_eq(cpu_tail_vectors(CELL_LSTM, cases[i].units, CPU_LANES), cases[i].vectors, "%d units",
                 (int)cases[i].units);
    cr_expect_eq(cpu_tail_vectors(CELL_GRU, cases[i].units, CPU_LANES), 0);
    cr_expect_eq(cpu_tail_vectors(CELL_LSTM, cases[i].units, CPU_LANES / 2), 0);
  }
}

/* A model with LSTMs of so many units, %d in the text. */
static void check(const char *text, const char *folded) {
  setenv("CUSEQ_CPU_FOLD", folded, 1);
  for (int i = 0; i < SIZES; i++) {
    char filled[1024];
    size_t at = 0;
    for (const char *from = text; *from; from++) {
      if (*from == '#')
        at += (size_t)snprintf(filled + at, sizeof filled - at, "%d", (int)units_of[i]);
      else
        filled[at++] = *from;
    }
    filled[at] = '\0';
    const char *json = beam_case_json(filled);
    for (int32_t batch = 1; batch <= ROWS_MOST; batch++)
      rows_expect_close(json, "cpu", batch, POSITIONS, STEPS);
    rows_expect_same_bits(json, "cpu", POSITIONS, STEPS);
  }
}

#define LSTM(inside) "{'cell':{'kind':'lstm','units':#" inside "}"
#define ZEROS ",'initial_h':{'from':'zeros'},'initial_c':{'from':'zeros'}}"
#define HEAD "'output':{'layers':[{'units':9,'activation':'softmax'}]}}"
#define TOKENS "'feedback':'output','start_token':1,'end_token':2,'steps':3,"

/* Tokens that are gathered; a context, which is folded or is not. */
static const char gathered[] = "{'version':2,'input':{'features':7},'encoder':{'layers':[" LSTM(
    "") ",'direction':'bidirectional'}]},'attention':{'score':'additive','units':5},"
        "'decoder':{'reads':['token','context']," TOKENS "'layers':[" LSTM("") ZEROS "]}," HEAD;

Test(cpu_blocks, tokens_that_are_gathered) {
  check(gathered, "0");
}

Test(cpu_blocks, contexts_that_are_folded) {
  check(gathered, "1");
}

/* Sums made of embeddings, several layers, an attentional vector, other activations. */
Test(cpu_blocks, tokens_whose_sums_are_made) {
  check("{'version':2,'input':{'features':7},'encoder':{'layers':[" LSTM(
            ",'recurrent_activation':'hard_"
            "sigmoid'") "}," LSTM("") ",'direction':'bidirectional'}]},"
                                      "'attention':{'score':'general','asks':'current'},'decoder':{'reads':['"
                                      "token','attentional'],"
                                      "'embedding':5," TOKENS "'layers':[" LSTM(
                                          ",'activation':'relu','recurrent_activation':'linear'") ZEROS
        "," LSTM("") ZEROS
        "],'attentional':{'parts':['context','state'],'units':6,'activation':'tanh'}}," HEAD,
        "");
}

/* Threads that make parts of a product, of which one may be the tail alone. */
Test(cpu_blocks, parts_of_threads) {
  setenv("CUSEQ_CPU_PART", "1", 1);
  check(gathered, "");
}

/* ---- blocks side by side ---- */

static const struct {
  const char *cell;
  bool beside;
} cells[] = {{"'kind':'lstm','units':228", true},
             {"'kind':'lstm','units':256", true},
             {"'kind':'lstm','units':244", true}, /* the last four end with the tail */
             {"'kind':'lstm','units':307", true},
             {"'kind':'gru','units':264", true},
             {"'kind':'lstm','units':200", false},
             {"'kind':'lstm','units':330", false},
             {"'kind':'lstm','units':256,'activation':'relu'", false},
             {"'kind':'gru','units':264,'reset':'before'", false}};

/* Whether the layers' weights lie side by side, as `beside` says where they may. */
static void expect_beside(const char *text, bool decoder, bool beside) {
  cuseq_model *model = beam_case_model_of(text, 1);
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = "cpu";
  options.precision = results_precision("cpu");
  options.max_time = POSITIONS;
  cr_assert_eq(cuseq_session_open(model, &options, &session), CUSEQ_STATUS_OK, "%s", cuseq_last_error());
  const struct cpu *cpu = session->state;
  const struct cpu_weights *weights = &cpu->packed->weights;
  const bool can = cpu->kernels->width == CPU_LANES && cpu->products->word_inputs == 1;
  cr_expect_eq((decoder ? weights->decoder[0].cell : weights->encoder[0].cells[0]).beside != NULL,
               can && beside, "%s", text);
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

/* One row, several, and threads that share the blocks. */
static void check_beside(const char *text) {
  const char *json = beam_case_json(text);
  rows_expect_close(json, "cpu", 1, POSITIONS, POSITIONS);
  rows_expect_close(json, "cpu", 2, POSITIONS, POSITIONS);
  rows_expect_same_bits(json, "cpu", POSITIONS, POSITIONS);
  setenv("CUSEQ_CPU_PART", "1", 1);
  rows_expect_same_bits(json, "cpu", POSITIONS, POSITIONS);
  unsetenv("CUSEQ_CPU_PART");
}

/* Of an encoder, whose rows are gathered where they are one-hot. */
Test(cpu_blocks, blocks_that_lie_side_by_side) {
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
    char text[512];
    snprintf(text, sizeof text,
             "{'version':2,'input':{'features':3},'encoder':{'layers':[{'cell':{%s}}]},"
             "'output':{'over':'every','layers':[{'units':4,'activation':'softmax'}]}}",
             cells[i].cell);
    expect_beside(text, false, cells[i].beside);
    check_beside(text);
  }
}

/* Of a decoder, which gathers its tokens, adds sums that are made of them, or multiplies their embeddings,
 * and reads a context or the state alone. */
Test(cpu_blocks, blocks_of_a_decoder_that_lie_side_by_side) {
  static const char *const reads[] = {"'reads':['token']", "'reads':['token'],'embedding':5",
                                      "'reads':['token','context']",
                                      "'reads':['context','token'],'embedding':5", "'reads':['context']"};
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
    for (size_t r = 0; cells[i].beside && r < sizeof reads / sizeof *reads; r++) {
      char text[1024];
      snprintf(text, sizeof text,
               "{'version':2,'input':{'features':3},'encoder':{'layers':[{'cell':{'kind':'gru','units':6}}]},"
               "%s'decoder':{%s,'feedback':'output','start_token':1,'end_token':2,'steps':4,"
               "'layers':[{'cell':{%s},'initial_h':{'from':'zeros'}%s}]}," HEAD,
               strstr(reads[r], "context") ? "'attention':{'score':'additive','units':5}," : "", reads[r],
               cells[i].cell, strstr(cells[i].cell, "lstm") ? ",'initial_c':{'from':'zeros'}" : "");
      expect_beside(text, true, true);
      check_beside(text);
    }
  }
}

/* A layer that is larger than the third-level cache, of one row to five positions of five rows. */
Test(cpu_blocks, columns_that_come_from_memory) {
  static const char text[] =
      "{'version':2,'input':{'features':3},'encoder':{'layers':[{'cell':{'kind':'gru','units':64}}]},"
      "'output':{'over':'every','layers':[{'units':65600,'activation':'log_softmax'}]}}";
  const char *json = beam_case_json(text);
  cr_assert_gt((size_t)64 * 65600 * sizeof(float), (size_t)CPU_THIRD_LEVEL);
  rows_expect_close(json, "cpu", 1, 1, 1);
  rows_expect_close(json, "cpu", ROWS_MOST, 5, 5);
  rows_expect_same_bits(json, "cpu", 2, 2);
}
