/* Instructions with a member mask: every lane that the mask names has to be there. */
#include "block.h"

static bool check_members(struct emu_warp *w, const struct emu_instruction *in,
                          const uint32_t members[EMU_LANES], uint32_t mask, uint32_t *wanted) {
  *wanted = 0;
  EMU_FOR_LANES (lane, mask) {
    if (!(members[lane] >> lane & 1)) {
      emu_fault(w, in, lane, EMU_FAULT_CHECK,
                "warp synchronisation: the lane is not in its own member mask (0x%08x)", members[lane]);
      return false;
    }
    *wanted |= members[lane];
  }
  *wanted &= w->existing;
  uint32_t gone = *wanted & ~w->alive;
  if (gone) {
    unsigned lane = (unsigned)__builtin_ctz(mask);
    emu_fault(w, in, lane, EMU_FAULT_CHECK,
              "warp synchronisation: lanes named by the member mask 0x%08x have exited (lanes 0x%08x)",
              members[lane], gone);
    return false;
  }
  return true;
}

/* All lanes of the path name each other and nobody else: the usual case. */
static bool is_among_itself(const uint32_t members[EMU_LANES], uint32_t mask, uint32_t alive) {
  uint32_t others = 0;
  for (unsigned lane = 0; lane < EMU_LANES; lane++)
    others |= mask >> lane & 1 ? members[lane] ^ mask : 0;
  return !others && !(mask & ~alive);
}

bool emu_warp_converge(struct emu_warp *w, const struct emu_instruction *in,
                       const uint32_t members[EMU_LANES], uint32_t mask) {
  struct emu_warp_state *s = emu_state(w);
  uint32_t wanted;
  if (is_among_itself(members, mask, w->alive)) {
    s->paths[s->current].granted = false;
    return true;
  }
  if (!check_members(w, in, members, mask, &wanted))
    return false;
  struct emu_path *p = &s->paths[s->current];
  if (!(wanted & ~mask)) {
    p->granted = false; /* or it would be for the next instruction, of a part of these lanes */
    return true;
  }
  if (mask == w->active && p->granted) {
    p->granted = false;
    return true;
  }
  emu_tally_undo(w, in, mask);
  if (mask != w->active) {
    emu_path_isolate(s, in, mask);
    return false;
  }
  w->next = in->index;
  emu_path_save(s);
  p->state = EMU_PATH_CONVERGE;
  p->wanted = wanted;
  w->stop |= EMU_STOP_PATH;
  return false;
}

static bool may_be_apart(const struct emu_warp_state *s, const struct emu_path *p) {
  return (s->warp.launch->program->code[p->next].flags & EMU_FLAG_APART) != 0;
}

/* Lanes of the paths that could go together with path `index`, and what all of those want. */
static uint32_t gather(const struct emu_warp_state *s, uint32_t index, bool apart, uint32_t *wanted) {
  const struct emu_path *p = &s->paths[index];
  uint32_t there = 0;
  *wanted = 0;
  for (uint32_t i = 0; i < s->path_count; i++) {
    const struct emu_path *q = &s->paths[i];
    if (q->state != EMU_PATH_CONVERGE)
      continue;
    bool same = q->next == p->next && q->frame == p->frame;
    if (!same && !(apart && may_be_apart(s, q) && (q->wanted & p->lanes)))
      continue;
    there |= q->lanes;
    *wanted |= q->wanted;
  }
  return there;
}

bool emu_converge_complete(struct emu_warp_state *s) {
  for (uint32_t i = 0; i < s->path_count; i++) {
    uint32_t wanted;
    if (s->paths[i].state != EMU_PATH_CONVERGE)
      continue;
    bool apart = may_be_apart(s, &s->paths[i]);
    uint32_t there = gather(s, i, false, &wanted);
    if (wanted & ~there) {
      if (!apart)
        continue;
      there = gather(s, i, true, &wanted);
      if (wanted & ~there)
        continue;
    }
    for (uint32_t k = 0; k < s->path_count; k++)
      if (s->paths[k].state == EMU_PATH_CONVERGE && (s->paths[k].lanes & there)) {
        s->paths[k].state = EMU_PATH_READY;
        s->paths[k].granted = true;
      }
    emu_path_merge(s);
    return true;
  }
  return false;
}
