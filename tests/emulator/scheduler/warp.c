/* The loop that executes instructions, and the turns that the paths of a warp take. */
#include "block.h"

#include "../checks/order.h"
#include "../checks/report.h"

#include <stdlib.h>
#include <string.h>

/* A path gives way after so many looks at memory that others may change, or steps; a warp after so many
 * steps. */
enum { POLLS_OF_TURN = 16, STEPS_OF_TURN = 100000, STEPS_BEFORE_RELEASE = 2000000 };

bool emu_warp_start(struct emu_warp_state *s, struct emu_block *block, uint32_t index) {
  struct emu_launch *l = block->launch;
  struct emu_dim3 dim = l->parameters.block;
  struct emu_warp *w = &s->warp;
  s->block = block;
  s->path_count = s->current = 0;
  s->blocked = false;
  s->turn_polls = s->vain = 0;
  s->turn_steps = 0;
  memset(s->cluster_phase, 0, sizeof s->cluster_phase);
  *w = (struct emu_warp){.index = index, .block = block, .launch = l, .worker = block->worker};
  w->base[EMU_BASE_POOL] = l->program->pool;
  uint32_t first = index * EMU_LANES, left = block->thread_count - first;
  uint32_t x = first % dim.x, y = first / dim.x % dim.y, z = first / dim.x / dim.y;
  w->existing = left < EMU_LANES ? (1u << left) - 1 : EMU_ALL_LANES;
  const bool row = x + EMU_LANES <= dim.x;
  for (uint32_t lane = 0; lane < EMU_LANES && row; lane++) {
    w->thread[0][lane] = x + lane;
    w->thread[1][lane] = y;
    w->thread[2][lane] = z;
  }
  for (uint32_t lane = 0; lane < EMU_LANES && !row; lane++) {
    w->thread[0][lane] = x;
    w->thread[1][lane] = y;
    w->thread[2][lane] = z;
    if (++x < dim.x)
      continue;
    x = 0;
    if (++y < dim.y)
      continue;
    y = 0;
    z++;
  }
  w->alive = w->existing;
  uint64_t local = l->local_bytes * EMU_LANES;
  if (local > s->local_capacity) {
    free(s->local);
    s->local = malloc(local);
    s->local_capacity = s->local ? local : 0;
    if (!s->local)
      return false;
  }
  struct emu_frame *frame = emu_frame_enter(s, &l->program->functions[0], NULL);
  if (!frame)
    return false;
  s->paths[s->path_count++] =
      (struct emu_path){.lanes = w->existing, .next = l->program->functions[0].first, .frame = frame};
  return true;
}

void emu_warp_end(struct emu_warp_state *s) {
  while (s->path_count)
    emu_path_remove(s, s->path_count - 1);
  s->unused_meetings = NULL;
  for (uint32_t i = 0; i < s->meeting_count; i++) {
    struct emu_meeting *m = s->meetings[i];
    if (m->listed)
      emu_frame_drop(s, m->frame);
    m->listed = false;
    m->outer = s->unused_meetings;
    s->unused_meetings = m;
  }
  free(s->warp.async);
  s->warp.async = NULL;
  emu_undefined_forget(&s->warp);
}

void emu_warp_free(struct emu_warp_state *s) {
  for (uint32_t i = 0; i < s->meeting_count; i++)
    free(s->meetings[i]);
  free(s->meetings);
  while (s->unused_frames) {
    struct emu_frame *next = s->unused_frames->parent;
    free(s->unused_frames->registers);
    free(s->unused_frames);
    s->unused_frames = next;
  }
  free(s->local);
  *s = (struct emu_warp_state){0};
}

void emu_lane_position(const struct emu_warp_state *s, unsigned lane, uint32_t position[3]) {
  for (unsigned axis = 0; axis < 3; axis++)
    position[axis] = s->warp.thread[axis][lane];
}

void emu_warp_retry(struct emu_warp *w) {
  w->next--;
  w->stop |= EMU_STOP_RETRY;
}

/* Executes the loaded path until it stops, for at most `budget` steps; returns how many it took. */
static uint64_t run_path(struct emu_warp_state *s, uint64_t budget) {
  struct emu_warp *w = &s->warp;
  const struct emu_instruction *code = w->launch->program->code;
  struct emu_tally *tallies = w->worker->tallies;
  const struct emu_meeting *meeting = s->paths[s->current].meeting;
  uint32_t meet_at = meeting ? meeting->at : EMU_NO_TARGET;
  uint64_t n = 0;
  uint32_t most_polls = w->polls + POLLS_OF_TURN;
  w->stop = EMU_STOP_NONE;
  while (n < budget && w->polls < most_polls) {
    uint32_t at = w->next;
    if (at == meet_at && w->frame == meeting->frame) {
      emu_path_save(s);
      emu_meeting_arrive(s);
      w->stop |= EMU_STOP_PATH;
      return n;
    }
    const struct emu_instruction *in = &code[at];
    uint32_t mask = w->active;
    if (in->guard != EMU_NO_GUARD)
      mask &= *(const uint32_t *)(w->base[EMU_BASE_FRAME] + in->guard) ^ in->guard_invert;
    struct emu_tally *tally = &tallies[at];
    tally->warps++;
    tally->threads += emu_count_lanes_of(mask);
    w->next = at + 1;
    n++;
    if (w->undefined && !emu_undefined_before(w, in, mask))
      break;
    if (mask)
      in->run(w, in, mask);
    if (w->stop) {
      if (w->stop & EMU_STOP_RETRY)
        emu_tally_undo(w, in, mask);
      break;
    }
  }
  return n;
}

/* Makes a ready path the current one: the current if it may go on, else the next one in turn. */
static bool choose(struct emu_warp_state *s, bool turn) {
  uint32_t from = s->current < s->path_count ? s->current : 0;
  for (uint32_t i = 0; i < s->path_count; i++) {
    uint32_t index = (from + i + turn) % s->path_count;
    if (s->paths[index].state == EMU_PATH_READY) {
      emu_path_load(s, index);
      return true;
    }
  }
  return false;
}

static uint32_t lanes_wanted(const struct emu_warp_state *s) {
  uint32_t wanted = 0;
  for (uint32_t i = 0; i < s->path_count; i++)
    if (s->paths[i].state == EMU_PATH_CONVERGE)
      wanted |= s->paths[i].wanted;
  return wanted;
}

/* No path is ready: perhaps those that wait for other lanes can be helped. */
static bool unblock(struct emu_warp_state *s) {
  if (emu_converge_complete(s))
    return true;
  uint32_t wanted = lanes_wanted(s);
  return wanted && emu_meeting_release(s, wanted);
}

static bool over_budget(struct emu_warp_state *s) {
  struct emu_worker *worker = s->warp.worker;
  if (worker->steps < s->warp.launch->max_steps || !s->path_count)
    return false;
  uint32_t index = s->current < s->path_count ? s->current : 0;
  emu_path_load(s, index);
  emu_fault(&s->warp, &s->warp.launch->program->code[s->warp.next], (unsigned)__builtin_ctz(s->warp.active),
            EMU_FAULT_TIMEOUT,
            "step budget: the launch has not ended after %llu warp instructions (CUSEQ_EMULATOR_MAX_STEPS "
            "raises it)",
            (unsigned long long)s->warp.launch->max_steps);
  return true;
}

bool emu_warp_run(struct emu_warp_state *s) {
  struct emu_warp *w = &s->warp;
  bool moved = false, turn = false;
  uint64_t steps = 0;
  s->blocked = s->yielded = false;
  while (s->path_count) {
    if (!choose(s, turn)) {
      if (unblock(s))
        continue;
      s->blocked = true;
      return moved;
    }
    turn = false;
    uint32_t polls = w->polls;
    uint64_t n = run_path(s, STEPS_OF_TURN);
    bool retry = (w->stop & EMU_STOP_RETRY) != 0;
    if (!(w->stop & EMU_STOP_PATH))
      emu_path_save(s);
    w->worker->steps += n;
    steps += n;
    s->turn_steps += n;
    s->turn_polls += w->polls - polls;
    moved = moved || n > (retry ? 1u : 0u);
    if (w->stop & EMU_STOP_FAULT || over_budget(s))
      return true;
    if (!retry && s->turn_polls < POLLS_OF_TURN && n < STEPS_OF_TURN)
      continue;
    s->vain = retry || s->turn_polls >= POLLS_OF_TURN ? s->vain + 1 : 0;
    uint32_t others = 0;
    for (uint32_t i = 0; i < s->path_count; i++)
      others += s->paths[i].state == EMU_PATH_READY;
    if (others <= 1 && (s->turn_polls >= POLLS_OF_TURN || retry || s->turn_steps > STEPS_BEFORE_RELEASE))
      emu_meeting_release(s, EMU_ALL_LANES);
    s->yielded = s->vain && (others <= 1 || s->vain > 2 * others);
    s->vain = s->yielded ? 0 : s->vain;
    s->turn_polls = 0;
    s->turn_steps = s->turn_steps > STEPS_BEFORE_RELEASE ? 0 : s->turn_steps;
    turn = true;
    if (others <= 1 || s->yielded || steps > 8 * STEPS_OF_TURN)
      return moved;
  }
  return true;
}
