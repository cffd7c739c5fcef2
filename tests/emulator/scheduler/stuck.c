/* What is said when nothing in a block can move any more. */
#include "block.h"

#include "../checks/report.h"

/* Describes where a thread is: "thread (1,0,0) has exited at a.cu:5". */
static void describe_thread(const struct emu_warp_state *s, unsigned lane, char *text, size_t bytes) {
  const struct emu_program *program = s->warp.launch->program;
  uint32_t at = s->exit_index[lane];
  const char *what = "has exited";
  if (s->warp.alive >> lane & 1) {
    what = "waits for other lanes of its warp";
    for (uint32_t i = 0; i < s->path_count; i++)
      if (s->paths[i].lanes >> lane & 1) {
        at = s->paths[i].next;
        if (s->paths[i].state == EMU_PATH_BARRIER) {
          what = "waits at another barrier";
          at--;
        }
      }
    for (uint32_t i = 0; i < s->meeting_count; i++)
      if (s->meetings[i]->listed && s->meetings[i]->arrived >> lane & 1)
        at = s->meetings[i]->at;
  }
  const struct emu_place *place = &program->places[program->code[at].place];
  snprintf(text, bytes, "thread (%u,%u,%u) %s at %s:%u", s->warp.thread[0][lane], s->warp.thread[1][lane],
           s->warp.thread[2][lane], what, place->file, place->line);
}

static bool report_barrier(struct emu_block *block, uint32_t number) {
  const struct emu_barrier *b = &block->barriers[number];
  struct emu_warp_state *waits = NULL;
  char missing[320] = "";
  unsigned lane = 0;
  for (uint32_t i = 0; i < block->warp_count; i++) {
    struct emu_warp_state *s = &block->warps[i];
    if (b->lanes[i] && !waits) {
      waits = s;
      lane = (unsigned)__builtin_ctz(b->lanes[i]);
    }
    uint32_t absent = s->warp.existing & ~b->lanes[i];
    if (absent && !missing[0])
      describe_thread(s, (unsigned)__builtin_ctz(absent), missing, sizeof missing);
  }
  if (!waits)
    return false;
  emu_fault(&waits->warp, &block->launch->program->code[b->index], lane, EMU_FAULT_CHECK,
            "barrier: not all threads come to barrier %u (%u of %u are there; %s)", number, b->arrived,
            b->expected, missing);
  return true;
}

static bool report_convergence(struct emu_block *block) {
  for (uint32_t i = 0; i < block->warp_count; i++) {
    struct emu_warp_state *s = &block->warps[i];
    for (uint32_t k = 0; k < s->path_count; k++) {
      const struct emu_path *p = &s->paths[k];
      uint32_t absent = p->wanted & ~p->lanes;
      if (p->state != EMU_PATH_CONVERGE || !absent)
        continue;
      char missing[320];
      describe_thread(s, (unsigned)__builtin_ctz(absent), missing, sizeof missing);
      emu_fault(&s->warp, &block->launch->program->code[p->next], (unsigned)__builtin_ctz(p->lanes),
                EMU_FAULT_CHECK,
                "warp synchronisation: not all lanes named by the member mask come (lanes 0x%08x are there, "
                "0x%08x are named; %s)",
                p->lanes, p->wanted, missing);
      return true;
    }
  }
  return false;
}

void emu_block_stuck(struct emu_block *block) {
  for (uint32_t i = 0; i < EMU_BARRIERS; i++)
    if (block->barriers[i].arrived && report_barrier(block, i))
      return;
  if (report_convergence(block))
    return;
  for (uint32_t i = 0; i < block->warp_count; i++) {
    struct emu_warp_state *s = &block->warps[i];
    if (!s->path_count && !s->warp.alive)
      continue;
    uint32_t at = s->path_count ? s->paths[0].next : 0;
    emu_fault(&s->warp, &block->launch->program->code[at], (unsigned)__builtin_ctz(s->warp.alive | 1u << 31),
              EMU_FAULT_CHECK, "barrier: the block cannot go on: what its threads wait for never comes");
    return;
  }
}
