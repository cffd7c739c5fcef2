#include "report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REPORTS = 100, MAX_TEXT = 1200 };

struct finding {
  uint64_t block;
  uint32_t index; /* of the instruction */
  enum emu_status status;
  bool ends;
  char text[MAX_TEXT];
};

struct emu_reports {
  pthread_mutex_t lock;
  struct finding *findings;
  uint32_t count;
  uint64_t left_out;
};

struct emu_reports *emu_reports_create(void) {
  struct emu_reports *r = calloc(1, sizeof *r);
  if (r)
    pthread_mutex_init(&r->lock, NULL);
  return r;
}

void emu_reports_destroy(struct emu_reports *r) {
  if (!r)
    return;
  pthread_mutex_destroy(&r->lock);
  free(r->findings);
  free(r);
}

/* "check: rest" becomes "check: kernel, file:line, block, thread: rest". */
static void compose(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, const char *message,
                    char *text, size_t bytes) {
  const char *colon = strstr(message, ": ");
  int length = colon ? (int)(colon - message) : 0;
  const struct emu_launch *l = w->launch;
  const struct emu_place *place = &l->program->places[in->place];
  const uint32_t *b = w->block->position;
  uint32_t t[3];
  char where[300];
  emu_lane_position(emu_state(w), lane % EMU_LANES, t);
  if (place->file[0])
    snprintf(where, sizeof where, "%s:%u", place->file, place->line);
  else
    snprintf(where, sizeof where, "PTX line %u", in->line);
  snprintf(text, bytes, "%.*s%skernel %s, %s, block (%u,%u,%u), thread (%u,%u,%u): %s", length, message,
           length ? ": " : "", l->kernel->readable_name, where, b[0], b[1], b[2], t[0], t[1], t[2],
           colon ? colon + 2 : message);
}

static void add(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, enum emu_status status,
                bool ends, const char *message) {
  struct emu_reports *r = w->launch->reports;
  uint64_t block = w->block->index;
  pthread_mutex_lock(&r->lock);
  for (uint32_t i = 0; i < r->count && !ends; i++)
    if (r->findings[i].index == in->index && r->findings[i].status == status) {
      r->left_out += status != EMU_OK;
      pthread_mutex_unlock(&r->lock);
      return;
    }
  if (r->count < MAX_REPORTS && !r->findings)
    r->findings = calloc(MAX_REPORTS + 1, sizeof *r->findings);
  if (r->findings && (r->count < MAX_REPORTS || ends)) {
    uint32_t at = r->count < MAX_REPORTS ? r->count++ : MAX_REPORTS - 1;
    struct finding *f = &r->findings[at];
    *f = (struct finding){.block = block, .index = in->index, .status = status, .ends = ends};
    compose(w, in, lane, message, f->text, sizeof f->text);
  }
  pthread_mutex_unlock(&r->lock);
}

static void stop_launch(struct emu_warp *w) {
  struct emu_launch *l = w->launch;
  w->stop |= EMU_STOP_FAULT;
  uint64_t now = atomic_load(&l->stop_block);
  while (w->block->index < now && !atomic_compare_exchange_weak(&l->stop_block, &now, w->block->index))
    ;
}

void emu_fault(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, enum emu_status status,
               const char *format, ...) {
  char message[900];
  va_list arguments;
  if (w->stop & EMU_STOP_FAULT)
    return;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  add(w, in, lane, status, true, message);
  stop_launch(w);
}

bool emu_finding(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, const char *format,
                 ...) {
  char message[900];
  va_list arguments;
  if (w->stop & EMU_STOP_FAULT)
    return true;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  add(w, in, lane, EMU_FAULT_CHECK, w->launch->stops, message);
  if (w->launch->stops)
    stop_launch(w);
  return w->launch->stops;
}

void emu_note(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, const char *format, ...) {
  char message[900] = "note: ";
  va_list arguments;
  if (!w->launch->checks || !emu_settings()->notes)
    return;
  va_start(arguments, format);
  vsnprintf(message + strlen(message), sizeof message - strlen(message), format, arguments);
  va_end(arguments);
  add(w, in, lane, EMU_OK, false, message);
}

void emu_note_first_look(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, unsigned kind) {
  if (!(kind & EMU_STRONG) && in->flags & EMU_FLAG_FIRST_LOOK)
    emu_note(w, in, lane,
             "a plain read in front of a compare-and-swap loop, not ordered after atomic operations of "
             "others (no race as "
             "long as what it reads is only compared)");
}

bool emu_same_value(struct emu_warp *w, const struct emu_instruction *in, unsigned lane, const void *at,
                    unsigned bytes) {
  if (!w->storing || memcmp(at, w->storing, bytes))
    return false;
  emu_note(w, in, lane,
           "several threads store the same value in one place, and nothing orders them (%u bytes; no race as "
           "long as the "
           "values are the same)",
           bytes);
  return true;
}

void emu_reports_finish(struct emu_reports *r, struct emu_launch_result *result) {
  const struct finding *first = NULL;
  size_t bytes = 128;
  for (uint32_t i = 0; i < r->count; i++) {
    const struct finding *f = &r->findings[i];
    if (f->ends && (!first || f->block < first->block))
      first = f;
    bytes += strlen(f->text) + 1;
  }
  result->status = first ? first->status : EMU_OK;
  result->report = r->count ? calloc(1, bytes) : NULL;
  if (!result->report)
    return;
  size_t used = 0;
  for (uint32_t i = 0; i < r->count; i++) {
    const struct finding *f = &r->findings[i];
    if (f->ends && f != first)
      continue; /* of a block that would not have run, had there been one host thread */
    used += (size_t)snprintf(result->report + used, bytes - used, "%s%s", used ? "\n" : "", f->text);
    result->reports++;
  }
  if (r->left_out)
    snprintf(result->report + used, bytes - used, "\nchecks: %llu more findings at the same instructions",
             (unsigned long long)r->left_out);
}

void emu_tally_undo(struct emu_warp *w, const struct emu_instruction *in, uint32_t mask) {
  struct emu_tally *t = &w->worker->tallies[in->index];
  t->warps--;
  t->threads -= (uint64_t)__builtin_popcount(mask);
}

bool emu_perturbs(const struct emu_warp *w) {
  return w->launch->perturb;
}
