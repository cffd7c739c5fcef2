/* Meetings. A path's lanes are expected, and have not arrived, at every meeting from path->meeting
 * outwards;
 * so a meeting at which all the expected lanes have arrived is in no path's chain any more and is given
 * back.
 */
#include "block.h"

#include <stdlib.h>

static struct emu_meeting *take_meeting(struct emu_warp_state *s) {
  struct emu_meeting *m = s->unused_meetings;
  if (m) {
    s->unused_meetings = m->outer;
  } else {
    if (s->meeting_count == s->meeting_capacity) {
      uint32_t wanted = s->meeting_capacity ? s->meeting_capacity * 2 : 32;
      struct emu_meeting **grown = realloc(s->meetings, wanted * sizeof *grown);
      if (!grown)
        return NULL;
      s->meetings = grown;
      s->meeting_capacity = wanted;
    }
    m = calloc(1, sizeof *m);
    if (!m)
      return NULL;
    s->meetings[s->meeting_count++] = m; /* all there are, used or not */
  }
  return m;
}

static void give_back(struct emu_warp_state *s, struct emu_meeting *m) {
  emu_frame_drop(s, m->frame);
  m->listed = false;
  m->expected = m->arrived = 0;
  m->outer = s->unused_meetings;
  s->unused_meetings = m;
}

bool emu_meeting_open(struct emu_warp_state *s, struct emu_path *path, uint32_t at) {
  if (path->meeting && path->meeting->at == at && path->meeting->frame == path->frame)
    return true;
  struct emu_meeting *m = take_meeting(s);
  if (!m) {
    emu_fault(&s->warp, &s->warp.launch->program->code[s->warp.next], (unsigned)__builtin_ctz(path->lanes),
              EMU_ERROR_HOST_MEMORY, "no host memory to go on");
    return false;
  }
  *m = (struct emu_meeting){
      .outer = path->meeting, .frame = path->frame, .at = at, .expected = path->lanes, .listed = true};
  emu_frame_hold(path->frame);
  path->meeting = m;
  return true;
}

/* Lets those that have arrived go on from the meeting, to the next one outside of it. */
static void go_on(struct emu_warp_state *s, struct emu_meeting *m) {
  emu_frame_hold(m->frame);
  s->paths[s->path_count++] = (struct emu_path){
      .lanes = m->arrived, .next = m->at, .state = EMU_PATH_READY, .frame = m->frame, .meeting = m->outer};
}

void emu_meeting_arrive(struct emu_warp_state *s) {
  struct emu_meeting *m = s->paths[s->current].meeting;
  m->arrived |= s->paths[s->current].lanes;
  if (m->arrived != m->expected) {
    emu_path_remove(s, s->current);
    return;
  }
  struct emu_path *p = &s->paths[s->current];
  p->lanes = m->arrived;
  p->meeting = m->outer;
  give_back(s, m);
}

void emu_meeting_leave(struct emu_warp_state *s, struct emu_meeting *inner, const struct emu_meeting *outer,
                       uint32_t lanes) {
  for (struct emu_meeting *m = inner, *next; m && m != outer; m = next) {
    next = m->outer;
    m->expected &= ~lanes;
    if (m->arrived != m->expected)
      continue;
    if (m->arrived)
      go_on(s, m);
    give_back(s, m);
  }
}

bool emu_meeting_release(struct emu_warp_state *s, uint32_t lanes) {
  bool released = false;
  for (uint32_t i = 0; i < s->meeting_count; i++) {
    struct emu_meeting *m = s->meetings[i];
    if (!m->listed || !(m->arrived & lanes))
      continue;
    go_on(s, m);
    m->expected &= ~m->arrived;
    m->arrived = 0;
    released = true;
  }
  return released;
}
