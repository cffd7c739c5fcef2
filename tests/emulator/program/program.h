/* The decoded program of one kernel: a flat array of instructions (the kernel's, then those of every
 * function it can reach) whose operands are places in a warp's frame or in the program's pool of constants.
 *
 * Register file. A frame holds each register as 32 values side by side, lane by lane, aligned to 64 bytes:
 * .b16 (and .b8) as uint16_t[32], .b32 as uint32_t[32], .b64 as uint64_t[32], .b128 as uint64_t[32] low
 * halves followed by uint64_t[32] high halves. A predicate is one uint32_t, lane i in bit i. Immediates lie
 * in the pool in the same layouts, so that a handler need not know what its operand is. */
#ifndef EMU_PROGRAM_H
#define EMU_PROGRAM_H

#include "../core.h"
#include "arena.h"

struct emu_warp;
struct emu_instruction;

/* Executes `in` for the lanes in `mask`, a non-empty subset of the warp's active lanes with the
 * instruction's guard predicate applied. Writes only the lanes in `mask` of its results. The core moves on to
 * the next instruction afterwards unless the handler changed warp->next or raised something (see
 * interpreter.h). */
typedef void emu_handler(struct emu_warp *warp, const struct emu_instruction *in, uint32_t mask);

enum emu_operand_kind {
  EMU_OPERAND_NONE = 0,
  EMU_OPERAND_VALUE, /* 16, 32, 64 or 128-bit values: register, immediate, or a scratch register for the sink
                        `_` */
  EMU_OPERAND_PREDICATE, /* a lane mask: register or constant; xor with `invert` gives its value */
  EMU_OPERAND_ADDRESS,   /* address register (or 0) + displacement; bytes is 4 or 8, the width of the register
                          */
  EMU_OPERAND_VECTOR, /* {a, b, ...}: elements[0..count) of in->elements + first; also for |-pairs of results:
                         p|q, r|p */
  EMU_OPERAND_LABEL,  /* target: index of an instruction */
  EMU_OPERAND_FUNCTION, /* target: index of a function in the program */
};

enum { EMU_BASE_FRAME = 0, EMU_BASE_POOL = 1 };

struct emu_operand {
  uint8_t kind;
  uint8_t base;          /* EMU_BASE_* */
  uint8_t bytes;         /* width of one lane's value; 0 for predicates */
  uint8_t immediate;     /* 1: every lane has the same, constant value, which is `value` */
  uint32_t offset;       /* into the frame or pool */
  uint32_t invert;       /* predicate: all ones if written as !p */
  uint16_t first, count; /* vector */
  union {
    int64_t displacement;
    uint64_t value;
    uint32_t target;
  };
};

enum { EMU_OPERANDS = 5 };

enum emu_instruction_flag {
  EMU_FLAG_APART = 16,  /* member mask: lanes may come at different instructions (bar.warp.sync) */
  EMU_FLAG_BARRIER = 1, /* counted as a block barrier */
  EMU_FLAG_SERIAL = 2, /* the launch has to stay on one host thread: atomics, volatile, acquire, printf ... */
  EMU_FLAG_SYNCHRONISES =
      4, /* may order threads of different blocks: fences, acquire, release, atomics, volatile */
  EMU_FLAG_SELECTS = 32,      /* selp: takes one of two sources */
  EMU_FLAG_SHUFFLES = 64,     /* says itself what becomes of undefined values */
  EMU_FLAG_LOADS = 128,       /* operand 0 is a result, though the class is one of memory */
  EMU_FLAG_COMPARES = 256,    /* atom.cas: operand 1 is its address, 2 what it compares with */
  EMU_FLAG_FIRST_LOOK = 512,  /* a load in front of a compare-and-swap loop: races with plain stores only */
  EMU_FLAG_LOOKS_ONCE = 1024, /* a volatile or relaxed load that no loop repeats at the same place */
  EMU_FLAG_ANY_SPACE = 8, /* generic access: its class is counted by the handler, by the space that was hit */
};

struct emu_instruction {
  emu_handler *run;
  uint32_t guard;        /* offset of the guard predicate in the frame, EMU_NO_GUARD if none */
  uint32_t guard_invert; /* all ones for @!p */
  uint16_t flags;
  uint8_t class; /* enum emu_class; EMU_CLASS_OTHER if the decoder sets none */
  uint8_t operand_count;
  uint8_t space;       /* enum emu_space of a memory access */
  uint32_t index;      /* of this instruction in the program */
  uint32_t line;       /* of the PTX text */
  uint32_t place;      /* index into the program's source places */
  uint32_t reconverge; /* branches: where the lanes meet again, EMU_NO_TARGET if nowhere */
  uint32_t option[4];  /* the family's own */
  const void *extra;   /* the family's own, in the program's arena */
  const struct emu_operand *elements;
  struct emu_operand operand[EMU_OPERANDS];
};

#define EMU_NO_GUARD UINT32_MAX
#define EMU_NO_TARGET UINT32_MAX

struct emu_place {
  const char *file;
  uint32_t line;
};

#endif
