#include "support/beam_case.h"

#include "support/random_model.h"
#include "support/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT "{'version':2,'input':{'features':7,'embedding':4},"

/* Decoders of every kind that a search steps: what they hand from step to step differs. */
static const struct {
  const char *name, *json;
} structures[BEAM_STRUCTURES] = {
    {"input feeding, two layers, attention after the first",
     INPUT "'encoder':{'layers':[{'cell':{'kind':'lstm','units':3},'direction':'bidirectional'}]},"
           "'attention':{'score':'general','asks':'current','layer':0},"
           "'decoder':{'reads':['token','attentional'],'embedding':3,'feedback':'output','start_token':1,"
           "'end_token':2,'steps':6,'layers':[{'cell':{'kind':'lstm','units':6}},"
           "{'cell':{'kind':'lstm','units':6},'residual':true,'reads_context':true}],"
           "'attentional':{'parts':['context','state'],'units':5,'activation':'tanh'}},"
           "'output':{'parts':['attentional'],'layers':[{'units':9,'activation':'softmax'}]}}"},
    {"the context of the step before", INPUT
     "'encoder':{'layers':[{'cell':{'kind':'gru','units':5}}]},"
     "'attention':{'score':'additive','units':4,'asks':'current'},"
     "'decoder':{'reads':['context','token'],'feedback':'output','start_token':0,'end_token':0,'steps':5,"
     "'layers':[{'cell':{'kind':'gru','units':5}}]},"
     "'output':{'parts':['state','context'],'layers':[{'units':6,'activation':'log_softmax'}]}}"},
    {"gru and lstm, the token asks, and is given", INPUT
     "'encoder':{'layers':[{'cell':{'kind':'lstm','units':4}}]},"
     "'attention':{'score':'dot','asks':'token'},"
     "'decoder':{'reads':['token','context'],'embedding':4,'feedback':'given','start_token':3,'end_token':1,"
     "'steps':6,'layers':[{'cell':{'kind':'gru','units':4},'initial_h':{'from':'zeros'}},"
     "{'cell':{'kind':'lstm','units':3},'initial_h':{'from':'zeros'},'initial_c':{'from':'other'}}]},"
     "'output':{'layers':[{'units':8,'activation':'tanh'},{'units':5,'activation':'softmax'}]}}"},
    {"no attention, no end",
     INPUT "'encoder':{'layers':[{'cell':{'kind':'lstm','units':4}}]},"
           "'decoder':{'reads':['token'],'feedback':'output','start_token':0,'steps':4,"
           "'layers':[{'cell':{'kind':'lstm','units':4}}]},"
           "'output':{'layers':[{'units':7,'activation':'softmax'}]}}"},
    {"version 1",
     "{'version':1,'encoder':{'features':7,'units':3},'attention':{'score':'general'},"
     "'decoder':{'units':5,'steps':6,'initial_state':'zeros','feedback':'output','start_token':0,"
     "'end_token':4},'output':{'units':8}}"},
};

const char *beam_case_name(int32_t structure) {
  return structures[structure].name;
}

static void check(cuseq_status status) {
  if (status == CUSEQ_STATUS_OK)
    return;
  fprintf(stderr, "beam_case: %s\n", cuseq_last_error());
  abort();
}

const char *beam_case_json(const char *text) {
  static char json[2048];
  snprintf(json, sizeof json, "%s", text);
  for (char *c = json; *c; c++)
    *c = *c == '\'' ? '"' : *c;
  return json;
}

cuseq_model *beam_case_model_of(const char *text, uint64_t seed) {
  struct random random = {seed * 88172645463325252u};
  return random_model(beam_case_json(text), NULL, &random);
}

cuseq_model *beam_case_model(int32_t structure, uint64_t seed) {
  return beam_case_model_of(structures[structure].json, seed);
}

const char *beam_case_device(void) {
  const char *device = getenv("BEAM_DEVICE");
  return device ? device : "reference";
}

cuseq_session *beam_case_session_on(const char *device, const cuseq_model *model, int32_t beams,
                                    int32_t time) {
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, model);
  options.device = device;
  options.precision = results_precision(device);
  options.max_batch = ROWS;
  options.max_time = time;
  options.max_beams = beams;
  check(cuseq_session_open(model, &options, &session));
  return session;
}

cuseq_session *beam_case_session(const cuseq_model *model, int32_t beams, int32_t time) {
  return beam_case_session_on(beam_case_device(), model, beams, time);
}

static const int32_t ids[ROWS * TIME] = {0, 1, 2, 3, 4, 6, 5, 4, 3, 2, 1, 1, 0, 6, 2},
                                lengths[ROWS] = {5, 2, 4};

void beam_case_encode(cuseq_session *session, int32_t first, int32_t rows) {
  const cuseq_input input = {.size = sizeof(cuseq_input),
                             .data = ids + first * TIME,
                             .dtype = CUSEQ_DTYPE_I32,
                             .batch = rows,
                             .time = TIME,
                             .lengths = lengths + first};
  check(cuseq_encode(session, &input, NULL));
}

void beam_found_make(struct beam_found *found, const cuseq_model *model, int32_t beams, int32_t best) {
  memset(found, 0x55, sizeof *found);
  cuseq_beam_init(&found->beam, sizeof found->beam);
  found->beam.beams = beams;
  found->beam.n_best = best;
  found->beam.tokens = found->tokens;
  found->beam.lengths = found->lengths;
  found->beam.scores = found->scores;
  found->beam.log_probabilities = found->sums;
  found->beam.alphas = cuseq_model_config(model)->context_width > 0 ? found->alphas : NULL;
}
