/* The machine of a pickle: a stack of values, marks on it, and a memo. What pickle.c makes its opcodes of. */
#ifndef CUSEQ_FORMATS_PICKLE_MACHINE_H
#define CUSEQ_FORMATS_PICKLE_MACHINE_H

#include "formats/pickle.h"

struct machine {
  const unsigned char *at;
  size_t left;
  const struct pickle_reader *reader;
  struct arena *arena;
  size_t memory; /* taken of the arena */
  struct pickle_value **stack;
  size_t depth, stack_capacity;
  size_t *marks; /* depths of the stack */
  size_t mark_count, mark_capacity;
  struct pickle_value **memo;
  size_t memo_count, memo_capacity; /* count: one more than the largest place */
};

/* An error about the pickle: "data.pkl: not a readable pickle (reason)". */
cuseq_status machine_damaged(const struct machine *machine, const char *reason);

/* Room for one more in a list whose items lie in the arena. */
cuseq_status machine_grow(struct machine *machine, void **items, size_t count, size_t *capacity,
                          size_t item_size);

/* Pushes a new value. */
cuseq_status machine_push_new(struct machine *machine, enum pickle_kind kind, struct pickle_value **value);
cuseq_status machine_push_integer(struct machine *machine, enum pickle_kind kind, int64_t integer);
cuseq_status machine_push(struct machine *machine, struct pickle_value *value);

/* Whether there are so many values that a mark does not lie between, and the one with so many on it. */
bool machine_has(const struct machine *machine, size_t count);
struct pickle_value *machine_top(const struct machine *machine, size_t below);

/* Where the values above the last mark begin; the mark goes. */
cuseq_status machine_pop_mark(struct machine *machine, size_t *first);

/* The values of the stack from `first` on become one, or go into the container below them. */
cuseq_status machine_gather(struct machine *machine, enum pickle_kind kind, size_t first);
cuseq_status machine_gather_into(struct machine *machine, enum pickle_kind kind, size_t first);

/* Arguments of an opcode: bytes; an unsigned integer of `size` bytes, the least first; a text, or a signed
 * integer of any length, behind its length in `size` bytes, which are pushed. */
cuseq_status machine_take(struct machine *machine, size_t size, const unsigned char **bytes);
cuseq_status machine_take_integer(struct machine *machine, size_t size, uint64_t *value);
cuseq_status machine_take_text(struct machine *machine, size_t size, enum pickle_kind kind);
cuseq_status machine_take_long(struct machine *machine, size_t size);

/* The value on top gets a place in the memo, or the one at a place is pushed. */
cuseq_status machine_memo_put(struct machine *machine, uint64_t place);
cuseq_status machine_memo_get(struct machine *machine, uint64_t place);

#endif
