#include "formats/pickle_machine.h"

#include "error.h"

#include <string.h>

enum { MEMO_MOST = 1 << 20 };

cuseq_status machine_damaged(const struct machine *machine, const char *reason) {
  return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: not a readable pickle (%s)", machine->reader->place,
                   reason);
}

/* ---- memory --------------------------------------------------------------------------------------- */

static cuseq_status allocate(struct machine *machine, size_t size, void **bytes) {
  if (size > PICKLE_MOST_MEMORY || (machine->memory += size + 16) > PICKLE_MOST_MEMORY)
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "%s: too large to be %s (reading it would take more than %d MB beside the arrays)",
                     machine->reader->place, machine->reader->purpose, PICKLE_MOST_MEMORY >> 20);
  *bytes = arena_allocate(machine->arena, size);
  return *bytes != NULL ? CUSEQ_STATUS_OK : error_out_of_memory();
}

/* Room for one more in a list whose items lie in the arena. */
cuseq_status machine_grow(struct machine *machine, void **items, size_t count, size_t *capacity,
                          size_t item_size) {
  void *grown;
  if (count < *capacity)
    return CUSEQ_STATUS_OK;
  size_t wanted = *capacity > 0 ? 2 * *capacity : 4;
  TRY(allocate(machine, wanted * item_size, &grown));
  if (count > 0)
    memcpy(grown, *items, count * item_size);
  *items = grown;
  *capacity = wanted;
  return CUSEQ_STATUS_OK;
}

/* ---- stack ---------------------------------------------------------------------------------------- */

cuseq_status machine_push(struct machine *machine, struct pickle_value *value) {
  TRY(machine_grow(machine, (void **)&machine->stack, machine->depth, &machine->stack_capacity,
                   sizeof(void *)));
  machine->stack[machine->depth++] = value;
  return CUSEQ_STATUS_OK;
}

/* Pushes a new value. */
cuseq_status machine_push_new(struct machine *machine, enum pickle_kind kind, struct pickle_value **value) {
  TRY(allocate(machine, sizeof **value, (void **)value));
  (*value)->kind = kind;
  return machine_push(machine, *value);
}

cuseq_status machine_push_integer(struct machine *machine, enum pickle_kind kind, int64_t integer) {
  struct pickle_value *value;
  TRY(machine_push_new(machine, kind, &value));
  value->integer = integer;
  return CUSEQ_STATUS_OK;
}

/* The values above the last mark, or from the bottom where there is none. */
static size_t floor_of(const struct machine *machine) {
  return machine->mark_count > 0 ? machine->marks[machine->mark_count - 1] : 0;
}

/* Whether there are so many values that a mark does not lie between. */
bool machine_has(const struct machine *machine, size_t count) {
  return machine->depth - floor_of(machine) >= count;
}

struct pickle_value *machine_top(const struct machine *machine, size_t below) {
  return machine->stack[machine->depth - 1 - below];
}

/* Where the values above the last mark begin; the mark goes. */
cuseq_status machine_pop_mark(struct machine *machine, size_t *first) {
  if (machine->mark_count == 0)
    return machine_damaged(machine, "a mark is missing");
  *first = machine->marks[--machine->mark_count];
  return CUSEQ_STATUS_OK;
}

static cuseq_status append_to(struct machine *machine, struct pickle_value *owner,
                              struct pickle_value *item) {
  TRY(machine_grow(machine, (void **)&owner->items, owner->count, &owner->capacity, sizeof(void *)));
  owner->items[owner->count++] = item;
  return CUSEQ_STATUS_OK;
}

/* The values of the stack from `first` on become one. */
cuseq_status machine_gather(struct machine *machine, enum pickle_kind kind, size_t first) {
  struct pickle_value *value;
  TRY(allocate(machine, sizeof *value, (void **)&value));
  value->kind = kind;
  for (size_t i = first; i < machine->depth; i++)
    TRY(append_to(machine, value, machine->stack[i]));
  machine->depth = first;
  if (kind == PICKLE_DICT && value->count % 2 != 0)
    return machine_damaged(machine, "a key without a value");
  return machine_push(machine, value);
}

/* The values of the stack from `first` on go into the container below them. */
cuseq_status machine_gather_into(struct machine *machine, enum pickle_kind kind, size_t first) {
  if (first <= floor_of(machine) || machine->stack[first - 1]->kind != kind)
    return machine_damaged(machine, "what is filled is not what it should be");
  if (kind == PICKLE_DICT && (machine->depth - first) % 2 != 0)
    return machine_damaged(machine, "a key without a value");
  for (size_t i = first; i < machine->depth; i++)
    TRY(append_to(machine, machine->stack[first - 1], machine->stack[i]));
  machine->depth = first;
  return CUSEQ_STATUS_OK;
}

/* ---- arguments of opcodes ------------------------------------------------------------------------- */

cuseq_status machine_take(struct machine *machine, size_t size, const unsigned char **bytes) {
  if (size > machine->left)
    return machine_damaged(machine, "it is cut short");
  *bytes = machine->at;
  machine->at += size;
  machine->left -= size;
  return CUSEQ_STATUS_OK;
}

/* An unsigned integer, the least byte first. */
cuseq_status machine_take_integer(struct machine *machine, size_t size, uint64_t *value) {
  const unsigned char *bytes;
  TRY(machine_take(machine, size, &bytes));
  *value = 0;
  for (size_t i = 0; i < size; i++)
    *value |= (uint64_t)bytes[i] << (8 * i);
  return CUSEQ_STATUS_OK;
}

/* A text whose length takes `size` bytes. */
cuseq_status machine_take_text(struct machine *machine, size_t size, enum pickle_kind kind) {
  uint64_t length;
  const unsigned char *bytes;
  struct pickle_value *value;
  void *copy;
  TRY(machine_take_integer(machine, size, &length));
  TRY(machine_take(machine, length > SIZE_MAX ? SIZE_MAX : (size_t)length, &bytes));
  TRY(allocate(machine, (size_t)length + 1, &copy));
  memcpy(copy, bytes, (size_t)length);
  TRY(machine_push_new(machine, kind, &value));
  value->text = copy;
  value->size = (size_t)length;
  return CUSEQ_STATUS_OK;
}

/* An integer of any length, of which 64 bits are kept. */
cuseq_status machine_take_long(struct machine *machine, size_t size) {
  uint64_t length, value = 0;
  const unsigned char *bytes;
  TRY(machine_take_integer(machine, size, &length));
  TRY(machine_take(machine, (size_t)length, &bytes));
  if (length > 8)
    return machine_push_integer(machine, PICKLE_OTHER, 0);
  for (size_t i = 0; i < 8; i++) {
    unsigned char sign = length > 0 && bytes[length - 1] & 0x80 ? 0xff : 0;
    value |= (uint64_t)(i < length ? bytes[i] : sign) << (8 * i);
  }
  return machine_push_integer(machine, PICKLE_INT, (int64_t)value);
}

/* ---- memo ----------------------------------------------------------------------------------------- */

cuseq_status machine_memo_put(struct machine *machine, uint64_t place) {
  if (!machine_has(machine, 1) || place >= MEMO_MOST)
    return machine_damaged(machine, "its memo is wrong");
  while (place >= machine->memo_capacity)
    TRY(machine_grow(machine, (void **)&machine->memo, machine->memo_capacity, &machine->memo_capacity,
                     sizeof(void *)));
  machine->memo[place] = machine_top(machine, 0);
  if (place >= machine->memo_count)
    machine->memo_count = (size_t)place + 1;
  return CUSEQ_STATUS_OK;
}

cuseq_status machine_memo_get(struct machine *machine, uint64_t place) {
  if (place >= machine->memo_count || machine->memo[place] == NULL)
    return machine_damaged(machine, "its memo is wrong");
  return machine_push(machine, machine->memo[place]);
}
