/* The program of a kernel while it is built, and as the scheduler sees it. */
#ifndef EMU_BUILD_H
#define EMU_BUILD_H

#include "../parser/syntax.h"
#include "program.h"

/* Registers of a frame whose value is known when the frame is made: special registers, addresses of local
 * variables. */
enum emu_frame_constant_kind { EMU_CONSTANT_LOCAL, EMU_CONSTANT_SPECIAL };

enum emu_special {
  EMU_SPECIAL_TID_X,
  EMU_SPECIAL_TID_Y,
  EMU_SPECIAL_TID_Z,
  EMU_SPECIAL_NTID_X,
  EMU_SPECIAL_NTID_Y,
  EMU_SPECIAL_NTID_Z,
  EMU_SPECIAL_CTAID_X,
  EMU_SPECIAL_CTAID_Y,
  EMU_SPECIAL_CTAID_Z,
  EMU_SPECIAL_NCTAID_X,
  EMU_SPECIAL_NCTAID_Y,
  EMU_SPECIAL_NCTAID_Z,
  EMU_SPECIAL_CLUSTERID_X,
  EMU_SPECIAL_CLUSTERID_Y,
  EMU_SPECIAL_CLUSTERID_Z,
  EMU_SPECIAL_NCLUSTERID_X,
  EMU_SPECIAL_NCLUSTERID_Y,
  EMU_SPECIAL_NCLUSTERID_Z,
  EMU_SPECIAL_CLUSTER_CTAID_X,
  EMU_SPECIAL_CLUSTER_CTAID_Y,
  EMU_SPECIAL_CLUSTER_CTAID_Z,
  EMU_SPECIAL_CLUSTER_NCTAID_X,
  EMU_SPECIAL_CLUSTER_NCTAID_Y,
  EMU_SPECIAL_CLUSTER_NCTAID_Z,
  EMU_SPECIAL_CLUSTER_CTARANK,
  EMU_SPECIAL_CLUSTER_NCTARANK,
  EMU_SPECIAL_IS_EXPLICIT_CLUSTER,
  EMU_SPECIAL_LANEID,
  EMU_SPECIAL_WARPID,
  EMU_SPECIAL_NWARPID,
  EMU_SPECIAL_SMID,
  EMU_SPECIAL_NSMID,
  EMU_SPECIAL_GRIDID,
  EMU_SPECIAL_LANEMASK_EQ,
  EMU_SPECIAL_LANEMASK_LE,
  EMU_SPECIAL_LANEMASK_LT,
  EMU_SPECIAL_LANEMASK_GE,
  EMU_SPECIAL_LANEMASK_GT,
  EMU_SPECIAL_DYNAMIC_SMEM,
  EMU_SPECIAL_TOTAL_SMEM,
  EMU_SPECIAL_AGGR_SMEM,
  EMU_SPECIAL_RESERVED_BEGIN,
  EMU_SPECIAL_RESERVED_END,
  EMU_SPECIAL_RESERVED_0,
  EMU_SPECIAL_RESERVED_1,
  EMU_SPECIAL_ENVREG, /* + number, 0..31 */
  EMU_SPECIAL_COUNT = EMU_SPECIAL_ENVREG + 32
};

struct emu_frame_constant {
  enum emu_frame_constant_kind kind;
  uint32_t which; /* EMU_SPECIAL_* */
  uint64_t value; /* local: offset from the frame's place in the stack */
  uint32_t offset, bytes;
};

struct emu_code_function {
  const struct emu_function *syntax;
  uint32_t first, count; /* instructions */
  uint32_t frame_bytes;
  uint32_t sink;  /* scratch for `_`, 0 if there is none */
  uint32_t carry; /* condition code, 0 if there is none */
  struct emu_frame_constant *constants;
  uint32_t constant_count;
  size_t constant_capacity;
  struct emu_zeros {
    uint32_t offset, bytes;
  } * zeros; /* what of the frame has to be zero at the beginning */
  uint32_t zero_count;
  size_t zero_capacity;
  uint32_t *register_offset; /* by index of the symbol */
  uint32_t *variable_offset; /* local and param variables: place in the frame's part of the thread's stack */
  uint32_t local_bytes;
};

struct emu_program {
  struct emu_arena *arena;
  struct emu_syntax_module *syntax;
  struct emu_instruction *code;
  uint32_t code_count;
  struct emu_place *places;
  uint32_t place_count;
  unsigned char *pool; /* constants, 64-byte aligned */
  uint32_t pool_bytes, pool_capacity;
  uint32_t *pool_slots; /* hash table of pool offsets, + 1 */
  uint32_t pool_slot_count, pool_used;
  struct emu_code_function *functions; /* [0] is the kernel */
  uint32_t function_count;
  size_t function_capacity;
  uint32_t *function_by_index; /* of the module's function number: index into functions, EMU_NO_TARGET if not
                                  in here */
  uint32_t shared_bytes, dynamic_align;
  uint32_t parameter_bytes;
  uint32_t stack_bytes; /* of the deepest chain of calls; recursion is not in it */
  uint32_t registers;
  bool recursive, indirect_calls, calls_printf, calls_heap;
  bool uses_reserved_shared; /* the part of shared memory that belongs to the system */
  unsigned flags;            /* union of the instructions' */
};

struct emu_decoder {
  struct emu_program *program;
  struct emu_code_function *function;
  const struct emu_statement *statement;
  uint32_t taken; /* bit per modifier */
  char why[192];  /* reason of a refusal */
  bool no_memory;
};

/* build.c: NULL with `error` set. */
struct emu_program *emu_program_build(struct emu_syntax_module *syntax, const struct emu_function *kernel,
                                      struct emu_arena *arena, struct emu_error *error);
/* layout.c */
bool emu_layout_program(struct emu_program *program, struct emu_error *error);
/* decode.c */
void emu_decode_statement(struct emu_decoder *decoder, struct emu_instruction *out);
/* bind.c */
uint32_t emu_frame_constant(struct emu_decoder *decoder, struct emu_frame_constant wanted);
int emu_special_by_name(
    const char *name); /* EMU_SPECIAL_*, -1 if it is no special register of constant value */
bool emu_bind_label(struct emu_decoder *decoder, struct emu_instruction *out, unsigned slot, unsigned index);
uint32_t emu_pool_constant(struct emu_decoder *decoder, const void *lanes, uint32_t bytes);
/* flow.c: sets `reconverge` of the branches of a function. */
bool emu_flow_reconvergence(struct emu_program *program, const struct emu_code_function *function);

/* entry.c: finds `zeros` of a function. False without host memory. */
bool emu_find_zeros(struct emu_program *program, struct emu_code_function *function);
/* first_looks.c: finds the plain reads in front of compare-and-swap loops. False without host memory. */
bool emu_mark_first_looks(struct emu_program *program, const struct emu_code_function *function);
/* waits.c: finds the volatile and relaxed loads that no loop repeats. False without host memory. */
bool emu_mark_looks_once(struct emu_program *program, const struct emu_code_function *function);

/* brx.idx: extra points at this. */
struct emu_branch_targets {
  uint32_t count;
  uint32_t target[];
};

/* How a branch instruction names its targets, for flow.c: option[EMU_OPTION_FLOW]. */
enum { EMU_OPTION_FLOW = 3 };
enum emu_flow { EMU_FLOW_NEXT = 0, EMU_FLOW_BRANCH = 0x10001, EMU_FLOW_TABLE, EMU_FLOW_END };

#endif
