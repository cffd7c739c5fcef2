/* The opcodes of a pickle. */
#include "formats/pickle.h"

#include "error.h"
#include "formats/pickle_machine.h"

#include <string.h>

enum { NAME_MOST = 200 };

/* As the pickle module numbers them. */
enum opcode {
  OP_MARK = '(',
  OP_STOP = '.',
  OP_POP = '0',
  OP_POP_MARK = '1',
  OP_DUP = '2',
  OP_BINFLOAT = 'G',
  OP_BININT = 'J',
  OP_BININT1 = 'K',
  OP_BININT2 = 'M',
  OP_NONE = 'N',
  OP_BINPERSID = 'Q',
  OP_REDUCE = 'R',
  OP_BINUNICODE = 'X',
  OP_EMPTY_LIST = ']',
  OP_APPEND = 'a',
  OP_BUILD = 'b',
  OP_GLOBAL = 'c',
  OP_DICT = 'd',
  OP_EMPTY_DICT = '}',
  OP_APPENDS = 'e',
  OP_BINGET = 'h',
  OP_LONG_BINGET = 'j',
  OP_LIST = 'l',
  OP_EMPTY_TUPLE = ')',
  OP_BINPUT = 'q',
  OP_LONG_BINPUT = 'r',
  OP_SETITEM = 's',
  OP_TUPLE = 't',
  OP_SETITEMS = 'u',
  OP_BINSTRING = 'T',
  OP_SHORT_BINSTRING = 'U',
  OP_BINBYTES = 'B',
  OP_SHORT_BINBYTES = 'C',
  OP_PROTO = 0x80,
  OP_TUPLE1 = 0x85,
  OP_TUPLE2 = 0x86,
  OP_TUPLE3 = 0x87,
  OP_NEWTRUE = 0x88,
  OP_NEWFALSE = 0x89,
  OP_LONG1 = 0x8a,
  OP_LONG4 = 0x8b,
  OP_SHORT_BINUNICODE = 0x8c,
  OP_BINUNICODE8 = 0x8d,
  OP_BINBYTES8 = 0x8e,
  OP_EMPTY_SET = 0x8f,
  OP_ADDITEMS = 0x90,
  OP_FROZENSET = 0x91,
  OP_STACK_GLOBAL = 0x93,
  OP_MEMOIZE = 0x94,
  OP_FRAME = 0x95,
};

/* ---- globals and calls ---------------------------------------------------------------------------- */

static cuseq_status push_global(struct machine *machine, const char *module, size_t module_size,
                                const char *name, size_t name_size) {
  for (int i = 0; machine->reader->globals[i].module != NULL; i++) {
    const struct pickle_global *known = &machine->reader->globals[i];
    if (strlen(known->module) == module_size && memcmp(known->module, module, module_size) == 0 &&
        strlen(known->name) == name_size && memcmp(known->name, name, name_size) == 0)
      return machine_push_integer(machine, PICKLE_GLOBAL, i);
  }
  return error_set(
      CUSEQ_STATUS_INVALID_FILE,
      "%s: it has '%.*s.%.*s', which is none of the names that %s needs; nothing was run (needed "
      "%s saved by itself)",
      machine->reader->place, (int)(module_size < NAME_MOST ? module_size : NAME_MOST), module,
      (int)(name_size < NAME_MOST ? name_size : NAME_MOST), name, machine->reader->purpose,
      machine->reader->purpose);
}

/* A line without its end. */
static cuseq_status take_line(struct machine *machine, const char **line, size_t *size) {
  const unsigned char *end = memchr(machine->at, '\n', machine->left), *bytes;
  if (end == NULL)
    return machine_damaged(machine, "it is cut short");
  *size = (size_t)(end - machine->at);
  TRY(machine_take(machine, *size + 1, &bytes));
  *line = (const char *)bytes;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_global(struct machine *machine) {
  const char *module = "", *name = "";
  size_t module_size = 0, name_size = 0;
  TRY(take_line(machine, &module, &module_size));
  TRY(take_line(machine, &name, &name_size));
  return push_global(machine, module, module_size, name, name_size);
}

static cuseq_status read_stack_global(struct machine *machine) {
  if (!machine_has(machine, 2) || machine_top(machine, 0)->kind != PICKLE_TEXT ||
      machine_top(machine, 1)->kind != PICKLE_TEXT)
    return machine_damaged(machine, "a global without a name");
  const struct pickle_value *module = machine_top(machine, 1), *name = machine_top(machine, 0);
  machine->depth -= 2;
  return push_global(machine, module->text, module->size, name->text, name->size);
}

static cuseq_status read_call(struct machine *machine) {
  struct pickle_value *result;
  if (!machine_has(machine, 2) || machine_top(machine, 1)->kind != PICKLE_GLOBAL ||
      machine_top(machine, 0)->kind != PICKLE_TUPLE)
    return machine_damaged(machine, "a call of what cannot be called");
  const struct pickle_value *function = machine_top(machine, 1), *arguments = machine_top(machine, 0);
  machine->depth -= 2;
  TRY(machine_push_new(machine, PICKLE_OTHER, &result));
  return machine->reader->call(machine->reader->context, (int)function->integer, arguments, result);
}

static cuseq_status read_persistent(struct machine *machine) {
  struct pickle_value *result;
  if (!machine_has(machine, 1))
    return machine_damaged(machine, "a persistent id is missing");
  const struct pickle_value *id = machine_top(machine, 0);
  machine->depth--;
  TRY(machine_push_new(machine, PICKLE_OTHER, &result));
  return machine->reader->persistent(machine->reader->context, id, result);
}

/* The attributes of an object, a state_dict's _metadata say: nothing that is wanted. */
static cuseq_status read_build(struct machine *machine) {
  if (!machine_has(machine, 2) || machine_top(machine, 0)->kind != PICKLE_DICT)
    return machine_damaged(machine, "attributes that are no dictionary");
  machine->depth--;
  return CUSEQ_STATUS_OK;
}

/* ---- one opcode, by what it does ------------------------------------------------------------------ */

static cuseq_status step_number(struct machine *machine, enum opcode opcode) {
  uint64_t value = 0;
  const unsigned char *bytes;
  switch (opcode) {
  case OP_NONE:
    return machine_push_integer(machine, PICKLE_NONE, 0);
  case OP_NEWTRUE:
  case OP_NEWFALSE:
    return machine_push_integer(machine, PICKLE_BOOL, opcode == OP_NEWTRUE);
  case OP_BININT:
    TRY(machine_take_integer(machine, 4, &value));
    return machine_push_integer(machine, PICKLE_INT, (int32_t)value);
  case OP_BININT1:
  case OP_BININT2:
    TRY(machine_take_integer(machine, opcode == OP_BININT1 ? 1 : 2, &value));
    return machine_push_integer(machine, PICKLE_INT, (int64_t)value);
  case OP_LONG1:
  case OP_LONG4:
    return machine_take_long(machine, opcode == OP_LONG1 ? 1 : 4);
  default:
    TRY(machine_take(machine, 8, &bytes));
    return machine_push_integer(machine, PICKLE_FLOAT, 0);
  }
}

static cuseq_status step_container(struct machine *machine, enum opcode opcode) {
  size_t first = machine->depth;
  switch (opcode) {
  case OP_EMPTY_TUPLE:
    return machine_gather(machine, PICKLE_TUPLE, first);
  case OP_EMPTY_LIST:
    return machine_gather(machine, PICKLE_LIST, first);
  case OP_EMPTY_DICT:
    return machine_gather(machine, PICKLE_DICT, first);
  case OP_EMPTY_SET:
    return machine_gather(machine, PICKLE_SET, first);
  case OP_TUPLE1:
  case OP_TUPLE2:
  case OP_TUPLE3: {
    size_t count = (size_t)opcode - OP_TUPLE1 + 1;
    return machine_has(machine, count) ? machine_gather(machine, PICKLE_TUPLE, first - count)
                                       : machine_damaged(machine, "a tuple without its parts");
  }
  case OP_APPEND:
    return machine_has(machine, 2) ? machine_gather_into(machine, PICKLE_LIST, first - 1)
                                   : machine_damaged(machine, "no list");
  case OP_SETITEM:
    return machine_has(machine, 3) ? machine_gather_into(machine, PICKLE_DICT, first - 2)
                                   : machine_damaged(machine, "no dictionary");
  default:
    break;
  }
  TRY(machine_pop_mark(machine, &first));
  switch (opcode) {
  case OP_TUPLE:
    return machine_gather(machine, PICKLE_TUPLE, first);
  case OP_LIST:
    return machine_gather(machine, PICKLE_LIST, first);
  case OP_DICT:
    return machine_gather(machine, PICKLE_DICT, first);
  case OP_FROZENSET:
    return machine_gather(machine, PICKLE_SET, first);
  case OP_APPENDS:
    return machine_gather_into(machine, PICKLE_LIST, first);
  case OP_SETITEMS:
    return machine_gather_into(machine, PICKLE_DICT, first);
  case OP_ADDITEMS:
    return machine_gather_into(machine, PICKLE_SET, first);
  default: /* OP_POP_MARK */
    machine->depth = first;
    return CUSEQ_STATUS_OK;
  }
}

static cuseq_status step_text(struct machine *machine, enum opcode opcode) {
  switch (opcode) {
  case OP_SHORT_BINUNICODE:
    return machine_take_text(machine, 1, PICKLE_TEXT);
  case OP_BINUNICODE8:
    return machine_take_text(machine, 8, PICKLE_TEXT);
  case OP_SHORT_BINSTRING:
    return machine_take_text(machine, 1, PICKLE_TEXT);
  case OP_BINSTRING:
  case OP_BINUNICODE:
    return machine_take_text(machine, 4, PICKLE_TEXT);
  case OP_SHORT_BINBYTES:
    return machine_take_text(machine, 1, PICKLE_BYTES);
  case OP_BINBYTES:
    return machine_take_text(machine, 4, PICKLE_BYTES);
  default:
    return machine_take_text(machine, 8, PICKLE_BYTES);
  }
}

static cuseq_status step_stack(struct machine *machine, enum opcode opcode) {
  uint64_t value;
  switch (opcode) {
  case OP_MARK:
    TRY(machine_grow(machine, (void **)&machine->marks, machine->mark_count, &machine->mark_capacity,
                     sizeof *machine->marks));
    machine->marks[machine->mark_count++] = machine->depth;
    return CUSEQ_STATUS_OK;
  case OP_POP:
    if (!machine_has(machine, 1))
      return machine_damaged(machine, "its stack is empty");
    machine->depth--;
    return CUSEQ_STATUS_OK;
  case OP_DUP:
    return machine_has(machine, 1) ? machine_push(machine, machine_top(machine, 0))
                                   : machine_damaged(machine, "its stack is empty");
  case OP_MEMOIZE:
    return machine_memo_put(machine, machine->memo_count);
  case OP_BINPUT:
  case OP_LONG_BINPUT:
    TRY(machine_take_integer(machine, opcode == OP_BINPUT ? 1 : 4, &value));
    return machine_memo_put(machine, value);
  default:
    TRY(machine_take_integer(machine, opcode == OP_BINGET ? 1 : 4, &value));
    return machine_memo_get(machine, value);
  }
}

/* What is left: the beginning, frames, globals and calls; refuses all that data does not need. */
static cuseq_status step_other(struct machine *machine, unsigned char byte) {
  uint64_t value;
  switch ((enum opcode)byte) {
  case OP_PROTO:
    TRY(machine_take_integer(machine, 1, &value));
    return value >= 2 && value <= 5 ? CUSEQ_STATUS_OK
                                    : machine_damaged(machine, "a protocol that is not 2 to 5");
  case OP_FRAME:
    return machine_take_integer(machine, 8, &value);
  case OP_GLOBAL:
    return read_global(machine);
  case OP_STACK_GLOBAL:
    return read_stack_global(machine);
  case OP_REDUCE:
    return read_call(machine);
  case OP_BINPERSID:
    return read_persistent(machine);
  case OP_BUILD:
    return read_build(machine);
  default:
    return error_set(CUSEQ_STATUS_INVALID_FILE,
                     "%s: it has the opcode 0x%02x, which %s does not need; nothing was run",
                     machine->reader->place, byte, machine->reader->purpose);
  }
}

static cuseq_status step(struct machine *machine, unsigned char byte) {
  switch ((enum opcode)byte) {
  case OP_NONE:
  case OP_NEWTRUE:
  case OP_NEWFALSE:
  case OP_BININT:
  case OP_BININT1:
  case OP_BININT2:
  case OP_LONG1:
  case OP_LONG4:
  case OP_BINFLOAT:
    return step_number(machine, byte);
  case OP_EMPTY_TUPLE:
  case OP_EMPTY_LIST:
  case OP_EMPTY_DICT:
  case OP_EMPTY_SET:
  case OP_TUPLE1:
  case OP_TUPLE2:
  case OP_TUPLE3:
  case OP_APPEND:
  case OP_SETITEM:
  case OP_TUPLE:
  case OP_LIST:
  case OP_DICT:
  case OP_FROZENSET:
  case OP_APPENDS:
  case OP_SETITEMS:
  case OP_ADDITEMS:
  case OP_POP_MARK:
    return step_container(machine, byte);
  case OP_SHORT_BINUNICODE:
  case OP_BINUNICODE:
  case OP_BINUNICODE8:
  case OP_SHORT_BINSTRING:
  case OP_BINSTRING:
  case OP_SHORT_BINBYTES:
  case OP_BINBYTES:
  case OP_BINBYTES8:
    return step_text(machine, byte);
  case OP_MARK:
  case OP_POP:
  case OP_DUP:
  case OP_MEMOIZE:
  case OP_BINPUT:
  case OP_LONG_BINPUT:
  case OP_BINGET:
  case OP_LONG_BINGET:
    return step_stack(machine, byte);
  default:
    return step_other(machine, byte);
  }
}

cuseq_status pickle_read(const void *bytes, size_t size, const struct pickle_reader *reader,
                         struct arena *arena, struct pickle_value **result) {
  struct machine machine = {.at = bytes, .left = size, .reader = reader, .arena = arena};
  if (size > PICKLE_MOST_BYTES)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "%s: too large to be %s (%zu bytes, at most %d)",
                     reader->place, reader->purpose, size, PICKLE_MOST_BYTES);
  for (;;) {
    const unsigned char *opcode;
    TRY(machine_take(&machine, 1, &opcode));
    if (*opcode == OP_STOP)
      break;
    TRY(step(&machine, *opcode));
  }
  if (machine.depth != 1 || machine.mark_count != 0)
    return machine_damaged(&machine, "its stack does not end with one value");
  *result = machine.stack[0];
  return machine.left == 0 ? CUSEQ_STATUS_OK : machine_damaged(&machine, "bytes behind its end");
}
