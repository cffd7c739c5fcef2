/* Calls of functions, and of the functions that the driver provides. */
#ifndef EMU_SYSTEM_H
#define EMU_SYSTEM_H

#include "block.h"

enum emu_system { EMU_SYSTEM_NONE, EMU_SYSTEM_PRINTF, EMU_SYSTEM_MALLOC, EMU_SYSTEM_FREE, EMU_SYSTEM_ASSERT };

/* What a call instruction's extra points at. Arguments and results lie in the caller's part of the stack.
 * */
struct emu_call {
  enum emu_system system;
  uint32_t function; /* index in the program; EMU_NO_TARGET: operand 0 holds its address */
  uint32_t argument_count, result_count;
  struct emu_call_value {
    uint32_t offset, bytes; /* of the caller's variable; EMU_NO_TARGET: a register, in elements */
    struct emu_operand operand;
  } * arguments, *results;
};

/* system.c: decoding */
struct emu_call *emu_bind_call(struct emu_decoder *decoder, struct emu_instruction *out);
struct emu_branch_targets *emu_bind_table(struct emu_decoder *decoder, unsigned index);
/* call.c */
uint32_t emu_call_target(const struct emu_program *program, uint64_t address);
void emu_call_enter(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t function);
void emu_call_results(struct emu_warp_state *s, const struct emu_instruction *call,
                      const struct emu_frame *frame);
/* system.c */
void emu_system_call(struct emu_warp_state *s, const struct emu_instruction *in, uint32_t mask);
/* Host pointer of `bytes` readable bytes at a generic address of a lane; NULL if there are none. */
const void *emu_system_read(struct emu_warp_state *s, unsigned lane, uint64_t address, unsigned bytes);
/* printf.c: formats a device printf of one lane to `to`; false if the format or its arguments cannot be
 * read. */
bool emu_device_printf(struct emu_warp_state *s, unsigned lane, uint64_t format, uint64_t arguments, FILE *to,
                       int *count);

#endif
