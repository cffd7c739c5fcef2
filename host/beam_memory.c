#include "beam.h"

#include "error.h"
#include "sizes.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct beam_widths beam_widths(const cuseq_model *model) {
  const struct decoder_structure *decoder = &model->structure.decoder;
  struct beam_widths widths = {.h = (size_t)decoder->state_width, .fed = (size_t)decoder->fed_width};
  for (int32_t l = 0; l < decoder->count; l++)
    if (cell_has_c(decoder->layers[l].cell.kind))
      widths.c = widths.h;
  return widths;
}

/* What the searches of some limits need, in bytes. */
struct beam_sizes {
  size_t search, logs, states, trace, whole;
};

/* is_stepped: the session makes the steps and holds what they give; otherwise the device does. */
static struct beam_sizes sizes_of(const cuseq_model *model, bool is_stepped, int32_t rows, int32_t beams,
                                  int32_t steps) {
  const struct search_limits limits = {rows, beams, steps};
  const struct beam_widths widths = beam_widths(model);
  size_t lanes = size_times((size_t)rows, (size_t)beams), width = widths.h + widths.c + widths.fed;
  size_t held = is_stepped ? lanes : 0;
  struct beam_sizes sizes = {.search = search_size(&limits),
                             .logs =
                                 size_times(held, (size_t)model->structure.decoder.tokens * sizeof(float)),
                             .states = size_times(held, width * 2 * sizeof(float)),
                             .trace = (size_t)steps * sizeof(int32_t)};
  sizes.whole = size_plus(size_plus(sizes.search, sizes.logs), size_plus(sizes.states, sizes.trace));
  return sizes;
}

/* Memory that is only promised must not be asked for: the system would end the process in the middle of a
 * search. */
static void *take(size_t bytes) {
  double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  return bytes < SIZE_MAX / 2 && (double)bytes <= there ? malloc(bytes) : NULL;
}

static bool would_fit(const cuseq_model *model, bool is_stepped, int32_t rows, int32_t beams, int32_t steps) {
  void *memory = take(sizes_of(model, is_stepped, rows, beams, steps).whole);
  free(memory);
  return memory != NULL;
}

/* The largest batch, or the most beams of one row, that would fit; 0: none. */
static int32_t largest(const cuseq_model *model, bool is_stepped, const struct backend_limits *limits,
                       bool is_batch) {
  int32_t fits = 0, beyond = is_batch ? limits->batch : limits->beams;
  while (beyond - fits > 1) {
    int32_t middle = fits + (beyond - fits) / 2;
    if (would_fit(model, is_stepped, is_batch ? middle : 1, is_batch ? limits->beams : middle, limits->steps))
      fits = middle;
    else
      beyond = middle;
  }
  return fits;
}

static cuseq_status too_large(const cuseq_model *model, bool is_stepped, const struct backend_limits *limits,
                              size_t needed) {
  char fits[80] = "not even one beam of one row would fit";
  int32_t rows = largest(model, is_stepped, limits, true),
          beams = rows > 0 ? 0 : largest(model, is_stepped, limits, false);
  if (rows > 0)
    snprintf(fits, sizeof fits, "max_batch %d would fit", (int)rows);
  else if (beams > 0)
    snprintf(fits, sizeof fits, "max_batch 1 and max_beams %d would fit", (int)beams);
  return error_set(
      CUSEQ_STATUS_OUT_OF_MEMORY,
      "beam search: out of memory (needed %s%zu MiB for max_batch %d, max_beams %d, max_steps %d and %d "
      "outputs; %s)",
      needed == SIZE_MAX ? "more than " : "", (needed >> 20) + 1, (int)limits->batch, (int)limits->beams,
      (int)limits->steps, (int)model->structure.decoder.tokens, fits);
}

/* Cuts `count` floats off; NULL where there are none. */
static float *cut(char **rest, size_t count) {
  float *floats = count > 0 ? (float *)*rest : NULL;
  *rest += count * sizeof(float);
  return floats;
}

cuseq_status beams_open(struct beams *beams, const cuseq_model *model, bool is_stepped,
                        const struct backend_limits *limits) {
  const struct search_limits room = {limits->batch, limits->beams, limits->steps};
  const struct beam_sizes sizes = sizes_of(model, is_stepped, room.rows, room.beams, room.steps);
  const struct beam_widths widths = beam_widths(model);
  size_t lanes = is_stepped ? (size_t)room.rows * (size_t)room.beams : 0;
  beams->memory = take(sizes.whole);
  if (!beams->memory)
    return too_large(model, is_stepped, limits, sizes.whole);
  char *rest = beams->memory;
  search_make(&beams->search, &room, rest);
  rest += sizes.search;
  beams->logs = cut(&rest, sizes.logs / sizeof(float));
  struct beam_states *const both[] = {&beams->before, &beams->after};
  for (int i = 0; i < 2; i++)
    *both[i] = (struct beam_states){.h = cut(&rest, lanes * widths.h),
                                    .c = cut(&rest, lanes * widths.c),
                                    .fed = cut(&rest, lanes * widths.fed)};
  beams->trace = (int32_t *)rest;
  return CUSEQ_STATUS_OK;
}

void beams_close(struct beams *beams) {
  free(beams->memory);
  free(beams->alphas);
  *beams = (struct beams){0};
}

cuseq_status beams_need_alphas(struct beams *beams, size_t floats) {
  if (floats <= beams->alphas_room)
    return CUSEQ_STATUS_OK;
  free(beams->alphas);
  beams->alphas = take(size_times(floats, sizeof(float)));
  beams->alphas_room = beams->alphas ? floats : 0;
  return beams->alphas ? CUSEQ_STATUS_OK
                       : error_set(CUSEQ_STATUS_OUT_OF_MEMORY,
                                   "beam search: out of memory (the alphas of all hypotheses need %zu MiB; "
                                   "fewer rows, beams or steps need less)",
                                   (floats * sizeof(float) >> 20) + 1);
}
