#include "answer_text.h"

#include "labels.h"

#include <string.h>

/* ---- BYTES ---- */

struct packer {
  struct room *room;
  size_t used, capacity;
};

/* Appends an element: its length in four bytes, little-endian, and its bytes. */
static void pack(struct packer *packer, const char *text) {
  size_t length = strlen(text);
  unsigned char *to = (unsigned char *)packer->room->data + packer->used;
  for (int i = 0; i < 4; i++)
    to[i] = (unsigned char)(length >> (8 * i));
  memcpy(to + 4, text, length); // NOLINT(bugprone-not-null-terminated-result): its length stands in front
  packer->used += 4 + length;
}

static TRITONSERVER_Error *packed_send(const struct answer_source *source, const struct packer *packer) {
  struct job *job = source->job;
  const struct port *port = &source->served->ports.outputs[OUTPUT_TEXT];
  int64_t shape[PORT_RANK + 1] = {job->rows};
  for (int32_t i = 0; i < port->rank; i++)
    shape[i + 1] = axis_size(port->axes[i], job->time, job->steps, job_best(job));
  TRITONBACKEND_Output *output = NULL;
  TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
  int64_t id = 0;
  void *buffer = NULL;
  TRY(TRITONBACKEND_ResponseOutput(job->response, &output, port->name, port->type, shape,
                                   (uint32_t)port->rank + 1));
  TRY(TRITONBACKEND_OutputBuffer(output, &buffer, packer->used, &memory, &id));
  if (memory == TRITONSERVER_MEMORY_GPU)
    return fault(TRITONSERVER_ERROR_UNSUPPORTED, "TEXT: its buffer lies on a device (needed host memory)");
  memcpy(buffer, packer->room->data, packer->used);
  return NULL;
}

/* ---- texts of a decoder ---- */

static TRITONSERVER_Error *texts_reserve(const struct answer_source *source, struct answer_memory *memory) {
  size_t count = (size_t)source->job->rows * (size_t)job_best(source->job);
  size_t longest = (size_t)source->served->config->output_bytes * (size_t)source->job->steps + 1;
  TRY(room_reserve(&memory->text, longest, 1));
  return room_reserve(&memory->packed, count, longest + 4);
}

/* The tokens of hypothesis n of row b, and how many they are. */
static const int32_t *tokens_of(const struct answer_source *source, int32_t b, int32_t n, int32_t *count) {
  const struct call *call = source->call;
  size_t i = (size_t)source->first + (size_t)b, steps = (size_t)call->steps;
  bool searched = source->job->search.beam > 0;
  if (searched)
    i = i * (size_t)job_best(source->job) + (size_t)n;
  const int32_t *lengths = call->arrays[searched ? OUTPUT_BEAM_LENGTHS : OUTPUT_LENGTHS];
  *count = lengths ? lengths[i] : call->steps;
  const int32_t *tokens = call->arrays[searched ? OUTPUT_BEAM_TOKENS : OUTPUT_TOKENS];
  return tokens + i * steps;
}

static TRITONSERVER_Error *texts_make(const struct answer_source *source, struct answer_memory *memory) {
  struct packer packer = {.room = &memory->packed};
  TRY(texts_reserve(source, memory));
  for (int32_t b = 0; b < source->job->rows; b++)
    for (int32_t n = 0; n < job_best(source->job); n++) {
      int32_t count = 0;
      const int32_t *tokens = tokens_of(source, b, n, &count);
      TRY(fault_library(
          cuseq_text_decode(source->served->model, tokens, count, memory->text.data, memory->text.capacity),
          "TEXT"));
      pack(&packer, memory->text.data);
    }
  return packed_send(source, &packer);
}

/* The log-probability of each row's tokens, or of its targets. */
static void scores_make(const struct answer_source *source) {
  const struct call *call = source->call;
  const struct job *job = source->job;
  const float *logs = call->arrays[OUTPUT_LOG_PROBABILITIES];
  const int32_t *lengths = call->arrays[OUTPUT_LENGTHS];
  for (int32_t b = 0; b < job->rows; b++) {
    size_t i = (size_t)source->first + (size_t)b;
    int32_t count = lengths ? lengths[i] : call->steps;
    if (job->target_lengths && job->target_lengths[b] < count)
      count = job->target_lengths[b];
    double sum = 0;
    for (int32_t y = 0; y < count; y++)
      sum += (double)logs[i * (size_t)call->steps + (size_t)y];
    source->scores[b] = (float)sum;
  }
}

/* ---- labels ---- */

/* The labels of one row or position, each at its place. */
static TRITONSERVER_Error *labels_pack(const struct answer_source *source, const float *outputs,
                                       struct room *room, struct packer *packer, float *scores) {
  const cuseq_model *model = source->served->model;
  for (int32_t i = 0, n = 0; i < source->served->config->heads; i++) {
    cuseq_head head = CUSEQ_HEAD_INIT;
    TRY(fault_library(cuseq_model_head(model, i, &head), NULL));
    if (head.labels == 0)
      continue;
    float probability = 0;
    const char *label = "";
    if (outputs)
      TRY(label_best(model, i, outputs, room, &label, &probability));
    if (packer->room)
      pack(packer, label);
    if (scores)
      scores[n] = probability;
    n++;
  }
  return NULL;
}

/* How many bytes the labels of one position have at most. */
static TRITONSERVER_Error *labels_longest(const struct served *served, size_t *longest) {
  *longest = 0;
  for (int32_t i = 0; i < served->config->heads; i++) {
    cuseq_head head = CUSEQ_HEAD_INIT;
    size_t most = 0;
    TRY(fault_library(cuseq_model_head(served->model, i, &head), NULL));
    for (int32_t k = 0; k < head.labels; k++) {
      size_t length = strlen(cuseq_model_label(served->model, i, k));
      most = length > most ? length : most;
    }
    *longest += most + 4;
  }
  return NULL;
}

/* How many of a row's positions get labels. */
static int32_t positions_of(const struct job *job, int32_t b) {
  return job->own ? job->own[b] : job->lengths ? job->lengths[b] : job->time;
}

static TRITONSERVER_Error *labels_make(const struct answer_source *source, struct answer_memory *memory) {
  const struct served *served = source->served;
  const struct job *job = source->job;
  size_t longest = 0, V = (size_t)served->config->outputs;
  int32_t own = served->config->is_tagger ? job->time : 1;
  size_t stride = served->config->is_tagger ? (size_t)source->call->time : 1;
  bool texts = job->wanted & OUTPUT_BIT(OUTPUT_TEXT);
  struct packer packer = {.room = texts ? &memory->packed : NULL};
  TRY(labels_longest(served, &longest));
  TRY(room_reserve(&memory->packed, (size_t)job->rows * (size_t)own, longest));
  float *scores = source->scores;
  for (int32_t b = 0; b < job->rows; b++)
    for (int32_t t = 0; t < own; t++) {
      const float *outputs = (const float *)source->call->arrays[OUTPUT_OUTPUTS] +
                             (((size_t)source->first + (size_t)b) * stride + (size_t)t) * V;
      bool behind = served->config->is_tagger && t >= positions_of(job, b);
      TRY(labels_pack(source, behind ? NULL : outputs, &memory->probabilities, &packer, scores));
      scores = scores ? scores + served->all.labelled : NULL;
    }
  return texts ? packed_send(source, &packer) : NULL;
}

TRITONSERVER_Error *answer_text(const struct answer_source *source, struct answer_memory *memory) {
  if (!source->served->config->has_decoder)
    return labels_make(source, memory);
  if (source->scores)
    scores_make(source);
  return source->job->wanted & OUTPUT_BIT(OUTPUT_TEXT) ? texts_make(source, memory) : NULL;
}
