/* Calls of functions: a frame of registers and a part of the stack; parameters are copied from the
 * caller's part to the callee's. */
#include "system.h"

#include <string.h>

enum { MAX_DEPTH = 4096 };

uint32_t emu_call_target(const struct emu_program *p, uint64_t address) {
  uint64_t number = (address - EMU_WINDOW_CODE - 16) / 16;
  if (address < EMU_WINDOW_CODE + 16 || address % 16 || number >= p->syntax->function_count)
    return EMU_NO_TARGET;
  uint32_t function = p->function_by_index[number];
  return function == 0 ? EMU_NO_TARGET : function;
}

static unsigned char *stack_of(const struct emu_warp_state *s, unsigned lane) {
  return s->local + s->warp.launch->local_bytes * lane;
}

void emu_call_enter(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t function) {
  const struct emu_call *call = in->extra;
  const struct emu_program *program = s->warp.launch->program;
  const struct emu_code_function *f = &program->functions[function];
  struct emu_warp *w = &s->warp;
  struct emu_frame *caller = w->frame;
  unsigned lane0 = (unsigned)__builtin_ctz(w->active);
  if (call->argument_count != f->syntax->parameter_count || call->result_count != f->syntax->result_count) {
    emu_fault(w, in, lane0, EMU_FAULT_ILLEGAL_INSTRUCTION,
              "call: %s takes %u and gives %u values (called with %u and %u)", f->syntax->name,
              f->syntax->parameter_count, f->syntax->result_count, call->argument_count, call->result_count);
    return;
  }
  uint64_t base = caller->local_base + caller->function->local_bytes;
  if (caller->depth >= MAX_DEPTH || base + f->local_bytes > w->launch->local_bytes) {
    emu_fault(w, in, lane0, EMU_FAULT_HARDWARE_STACK,
              "stack: calls are nested too deep (%u calls, %llu bytes of %llu in use)", caller->depth,
              (unsigned long long)base, (unsigned long long)w->launch->local_bytes);
    return;
  }
  if (!emu_meeting_open(s, &s->paths[s->current], in->index + 1))
    return;
  struct emu_frame *frame = emu_frame_enter(s, f, caller);
  if (!frame) {
    emu_fault(w, in, lane0, EMU_ERROR_HOST_MEMORY, "no host memory for a call");
    return;
  }
  frame->return_to = in->index + 1;
  for (uint32_t i = 0; i < call->argument_count; i++) {
    const struct emu_call_value *from = &call->arguments[i];
    const struct emu_symbol *to = f->syntax->parameters[i];
    uint64_t bytes = from->bytes < to->bytes ? from->bytes : to->bytes;
    EMU_FOR_LANES (lane, w->active)
      memcpy(stack_of(s, lane) + frame->local_base + f->variable_offset[to->index],
             stack_of(s, lane) + caller->local_base + from->offset, bytes);
  }
  emu_frame_drop(s, caller); /* the callee's frame holds it */
  w->frame = frame;
  w->next = f->first;
  w->base[EMU_BASE_FRAME] = frame->registers;
  emu_path_save(s);
  w->stop |= EMU_STOP_PATH;
}

void emu_call_results(struct emu_warp_state *s, const struct emu_instruction *call_instruction,
                      const struct emu_frame *frame) {
  const struct emu_call *call = call_instruction->extra;
  const struct emu_code_function *f = frame->function;
  for (uint32_t i = 0; i < call->result_count && i < f->syntax->result_count; i++) {
    const struct emu_call_value *to = &call->results[i];
    const struct emu_symbol *from = f->syntax->results[i];
    uint64_t bytes = to->bytes < from->bytes ? to->bytes : from->bytes;
    EMU_FOR_LANES (lane, s->warp.active)
      memcpy(stack_of(s, lane) + frame->parent->local_base + to->offset,
             stack_of(s, lane) + frame->local_base + f->variable_offset[from->index], bytes);
  }
}
