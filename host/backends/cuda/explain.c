/* What a session's calls are run by, in words: the choice that plan.h makes, and why not another. */
#include "backends/cuda/explain.h"

#include "backends/cuda/loop.h"
#include "backends/cuda/whole_any.h"

#include <stdarg.h>
#include <stdio.h>

/* A text that grows; what does not fit is counted all the same. */
struct lines {
  char *text;
  size_t capacity, length;
};

__attribute__((format(printf, 2, 3))) static void add(struct lines *lines, const char *format, ...) {
  va_list values;
  va_start(values, format);
  size_t used = lines->length < lines->capacity ? lines->length : lines->capacity;
  int written =
      vsnprintf(lines->capacity > 0 ? lines->text + used : NULL, lines->capacity - used, format, values);
  va_end(values);
  lines->length += written > 0 ? (size_t)written : 0;
}

static void weighting_explain(const struct cuda_session *session, int32_t l, struct lines *lines) {
  if (session->model->lowered.encoder.layers[l].weighting.kernel)
    add(lines, "encoder layer %d, weights of its positions: one launch\n", (int)l);
}

static void self_attention_explain(const struct cuda_session *session, int32_t l, struct lines *lines) {
  const struct encoder_layer *layer = &session->model->lowered.encoder.layers[l];
  if (layer->self_attention == 0)
    return;
  int32_t window = cuda_self_attention_window(session, layer);
  if (window > 0)
    add(lines, "encoder layer %d, self-attention: a launch for every %d positions that ask\n", (int)l,
        (int)window);
  else
    add(lines, "encoder layer %d, self-attention: one launch\n", (int)l);
}

static void encoder_explain(const struct cuda_session *session, struct lines *lines) {
  const struct encoder_structure *encoder = &session->model->lowered.encoder;
  for (int32_t l = 0; l < encoder->count; l++) {
    for (int32_t i = 0; i < session->layers[l].count; i++) {
      const struct cuda_run *run = &session->layers[l].runs[i];
      const char *why = NULL;
      cuda_encoder_choose(&run->cells, &session->device, &session->forced, &why);
      add(lines, "encoder layer %d%s: %s", (int)l,
          session->layers[l].count == 1 ? ""
          : run->cells.first == 0       ? ", forward"
                                        : ", backward",
          cuda_encoder_names[run->encoder]);
      if (run->encoder != CUDA_ENCODER_CELL)
        add(lines, ", one launch\n");
      else if (why)
        add(lines, ", a graph of steps (one launch needs %s)\n", why);
      else
        add(lines, ", a graph of steps\n");
    }
    weighting_explain(session, l, lines);
    self_attention_explain(session, l, lines);
  }
}

static void decoder_explain(const struct cuda_session *session, struct lines *lines) {
  const struct structure *structure = &session->model->lowered;
  bool forced = session->forced.decoder == CUDA_DECODER_STEPS;
  if (!structure->decoder.present) {
    add(lines, structure->output.count > 0 ? "heads: a launch or a product for each layer\n" : "");
    return;
  }
  bool has_own = session->decoder && !forced && session->choice.decoder == CUDA_DECODER_LOOP;
  const char *why = has_own ? NULL : cuda_loop_reason(structure, session->limits.time, &session->device);
  const char *reason = has_own ? cuda_registers_reason(&session->model->config) : NULL;
  if (forced)
    add(lines, "decoder: steps, a graph of products and kernels (forced)\n");
  else if (why)
    add(lines, "decoder: steps, a graph of products and kernels (not one launch: %s)\n", why);
  else if (reason)
    add(lines, "decoder: loop, one launch (weights in registers need %s)\n", reason);
  else
    add(lines, "decoder: loop, one launch%s\n", has_own ? ", weights in registers" : "");
}

static void run_explain(const struct cuda_session *session, struct lines *lines) {
  const char *why = session->decoder && session->choice.whole ? NULL : cuda_whole_any_reason(session);
  bool decodes = session->model->lowered.decoder.present;
  if (session->forced.whole == 0)
    add(lines, "run: stages (forced)\n");
  else if (why)
    add(lines, "run: stages (not one launch: %s)\n", why);
  else
    add(lines, "run: whole, one launch for encoder and %s\n", decodes ? "decoder" : "heads");
}

size_t cuda_explain(const struct cuda_session *session, char *text, size_t capacity) {
  struct lines lines = {.text = text, .capacity = capacity};
  if (capacity > 0)
    text[0] = '\0';
  run_explain(session, &lines);
  encoder_explain(session, &lines);
  decoder_explain(session, &lines);
  return lines.length;
}
