/* Paths: lanes that are at one place. Branches split them; they are joined where they meet. */
#include "block.h"

void emu_path_load(struct emu_warp_state *s, uint32_t index) {
  struct emu_path *p = &s->paths[index];
  s->current = index;
  s->warp.active = p->lanes;
  s->warp.next = p->next;
  s->warp.frame = p->frame;
  s->warp.base[EMU_BASE_FRAME] = p->frame->registers;
}

void emu_path_save(struct emu_warp_state *s) {
  struct emu_path *p = &s->paths[s->current];
  p->lanes = s->warp.active;
  p->next = s->warp.next;
  p->frame = s->warp.frame;
}

void emu_path_remove(struct emu_warp_state *s, uint32_t index) {
  emu_frame_drop(s, s->paths[index].frame);
  s->paths[index] = s->paths[--s->path_count];
  if (s->current == s->path_count)
    s->current = index;
}

void emu_path_split(struct emu_warp_state *s, uint32_t lanes, uint32_t next, uint32_t meet_at) {
  emu_path_save(s);
  struct emu_path *p = &s->paths[s->current];
  s->warp.stop |= EMU_STOP_PATH;
  if (meet_at != EMU_NO_TARGET && !emu_meeting_open(s, p, meet_at))
    return;
  struct emu_path other = *p;
  other.lanes = lanes;
  other.next = next;
  emu_frame_hold(other.frame);
  p->lanes &= ~lanes;
  s->warp.active = p->lanes;
  s->paths[s->path_count++] = other;
}

void emu_path_isolate(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t mask) {
  s->warp.next = in->index + 1;
  emu_path_split(s, mask, in->index, in->index + 1);
}

void emu_path_exit(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t lanes) {
  emu_path_save(s);
  struct emu_path *p = &s->paths[s->current];
  s->warp.stop |= EMU_STOP_PATH;
  s->warp.alive &= ~lanes;
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    s->exit_index[lane] = lanes >> lane & 1 ? in->index : s->exit_index[lane];
  struct emu_meeting *meeting = p->meeting;
  p->lanes &= ~lanes;
  s->warp.active = p->lanes;
  if (!p->lanes)
    emu_path_remove(s, s->current);
  emu_meeting_leave(s, meeting, NULL, lanes);
}

static struct emu_meeting *common_meeting(struct emu_meeting *a, struct emu_meeting *b) {
  for (struct emu_meeting *m = a; m; m = m->outer)
    for (struct emu_meeting *n = b; n; n = n->outer)
      if (m == n)
        return m;
  return NULL;
}

void emu_path_join(struct emu_warp_state *s, uint32_t index, uint32_t other) {
  struct emu_path *a = &s->paths[index], *b = &s->paths[other];
  struct emu_meeting *common = common_meeting(a->meeting, b->meeting);
  struct emu_meeting *of_a = a->meeting, *of_b = b->meeting;
  uint32_t lanes_a = a->lanes, lanes_b = b->lanes;
  a->lanes |= b->lanes;
  a->meeting = common;
  if (s->current == index)
    s->warp.active = a->lanes;
  emu_path_remove(s, other);
  emu_meeting_leave(s, of_a, common, lanes_a);
  emu_meeting_leave(s, of_b, common, lanes_b);
}

void emu_path_merge(struct emu_warp_state *s) {
  for (uint32_t i = 0; i < s->path_count; i++)
    for (uint32_t k = i + 1; k < s->path_count; k++) {
      const struct emu_path *a = &s->paths[i], *b = &s->paths[k];
      if (a->state != EMU_PATH_READY || b->state != EMU_PATH_READY || a->next != b->next ||
          a->frame != b->frame)
        continue;
      emu_path_join(s, i, k);
      k = i;
    }
}
