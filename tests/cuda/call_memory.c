#include "cuda/call_memory.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was made, so that it is freed as it was made. */
enum { MADE = 256 };
static struct {
  void *memory;
  enum memory_kind kind;
} made[MADE];

static void done(cudaError_t error) {
  if (error == cudaSuccess)
    return;
  fprintf(stderr, "call_memory: %s\n", cudaGetErrorString(error));
  abort();
}

static void *make(enum memory_kind kind, size_t bytes) {
  void *memory = NULL;
  if (kind == MEMORY_DEVICE)
    done(cudaMalloc(&memory, bytes));
  else if (kind == MEMORY_MANAGED)
    done(cudaMallocManaged(&memory, bytes, cudaMemAttachGlobal));
  else if (kind == MEMORY_LOCKED)
    done(cudaMallocHost(&memory, bytes));
  else
    memory = malloc(bytes);
  if (kind == MEMORY_REGISTERED)
    done(cudaHostRegister(memory, bytes, cudaHostRegisterDefault));
  for (int i = 0; i < MADE; i++)
    if (!made[i].memory) {
      made[i].memory = memory;
      made[i].kind = kind;
      return memory;
    }
  abort();
}

void *memory_copy(enum memory_kind kind, const void *data, size_t bytes) {
  if (!data)
    return NULL;
  void *memory = make(kind, bytes);
  if (kind == MEMORY_DEVICE)
    done(cudaMemcpy(memory, data, bytes, cudaMemcpyHostToDevice));
  else
    memcpy(memory, data, bytes);
  return memory;
}

void memory_free(void *memory) {
  for (int i = 0; memory && i < MADE; i++) {
    if (made[i].memory != memory)
      continue;
    made[i].memory = NULL;
    if (made[i].kind == MEMORY_DEVICE || made[i].kind == MEMORY_MANAGED)
      done(cudaFree(memory));
    else if (made[i].kind == MEMORY_LOCKED)
      done(cudaFreeHost(memory));
    if (made[i].kind == MEMORY_REGISTERED)
      done(cudaHostUnregister(memory));
    if (made[i].kind == MEMORY_REGISTERED || made[i].kind == MEMORY_PAGEABLE)
      free(memory);
    return;
  }
}

void memory_fetch(void *host, const void *memory, size_t bytes) {
  if (host && memory)
    done(cudaMemcpy(host, memory, bytes, cudaMemcpyDefault));
}

/* ---- all arrays ---- */

enum { OUTPUTS = 17 };

/* The outputs of a call as places of pointers. */
static void outputs_of(cuseq_encoding *encoding, cuseq_decoding *decoding, void **places[OUTPUTS]) {
  void *all[OUTPUTS] = {
      &encoding->annotations,    &encoding->h_fw,    &encoding->c_fw,    &encoding->h_bw,
      &encoding->c_bw,           &encoding->final_h, &encoding->final_c, &decoding->contexts,
      &decoding->alphas,         &decoding->states,  &decoding->outputs, &decoding->tokens,
      &decoding->output_lengths, &decoding->final_h, &decoding->final_c, &decoding->log_probabilities,
      &decoding->final_fed};
  for (int i = 0; i < OUTPUTS; i++)
    places[i] = all[i];
}

static size_t bytes_of(const struct results *results, const void *data) {
  if (data == results->tokens)
    return (size_t)results->B * (size_t)results->Y * (size_t)results->N * sizeof(int32_t);
  if (data == results->output_lengths)
    return (size_t)results->B * sizeof(int32_t);
  for (int i = 0; i < RESULTS_FLOATS; i++)
    if (results->floats[i].data == data)
      return results->floats[i].rows * results->floats[i].columns * sizeof(float);
  return 0;
}

void call_memory_make(struct call_memory *memory, const struct results *results, enum memory_kind kind) {
  void **places[OUTPUTS];
  memory->encoding = results->encoding;
  memory->decoding = results->decoding;
  outputs_of(&memory->encoding, &memory->decoding, places);
  for (int i = 0; i < OUTPUTS; i++)
    *places[i] = memory_copy(kind, *places[i], *places[i] ? bytes_of(results, *places[i]) : 0);
}

void call_memory_fetch(const struct call_memory *memory, struct results *results) {
  void **from[OUTPUTS], **to[OUTPUTS];
  struct call_memory copy = *memory;
  outputs_of(&copy.encoding, &copy.decoding, from);
  outputs_of(&results->encoding, &results->decoding, to);
  for (int i = 0; i < OUTPUTS; i++)
    if (*to[i])
      memory_fetch(*to[i], *from[i], bytes_of(results, *to[i]));
}

void call_memory_free(struct call_memory *memory) {
  void **places[OUTPUTS];
  outputs_of(&memory->encoding, &memory->decoding, places);
  for (int i = 0; i < OUTPUTS; i++)
    memory_free(*places[i]);
}

cuseq_input input_memory_make(const cuseq_input *input, size_t bytes, size_t state_bytes,
                              enum memory_kind kind) {
  cuseq_input copy = *input;
  copy.data = memory_copy(kind, input->data, bytes);
  copy.lengths = memory_copy(kind, input->lengths, (size_t)input->batch * sizeof *input->lengths);
  copy.initial_h = memory_copy(kind, input->initial_h, state_bytes);
  copy.initial_c = memory_copy(kind, input->initial_c, state_bytes);
  return copy;
}

void input_memory_free(cuseq_input *input) {
  memory_free((void *)input->data);
  memory_free((void *)input->lengths);
  memory_free((void *)input->initial_h);
  memory_free((void *)input->initial_c);
}
