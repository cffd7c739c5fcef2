/* PTX as parsed: symbols resolved by scope, instructions as written. All of it lives in the arena of the
 * module. */
#ifndef EMU_SYNTAX_H
#define EMU_SYNTAX_H

#include "../core.h"
#include "../program/arena.h"
#include "../program/decoder.h"

enum emu_symbol_kind { EMU_SYMBOL_REGISTER, EMU_SYMBOL_VARIABLE, EMU_SYMBOL_FUNCTION };

enum emu_variable_space {
  EMU_VARIABLE_GLOBAL,
  EMU_VARIABLE_CONST,
  EMU_VARIABLE_SHARED,
  EMU_VARIABLE_LOCAL,
  EMU_VARIABLE_PARAM
};

/* One piece of an initialiser: `bytes` of a constant, or of the address of `symbol` + value. */
struct emu_initial {
  uint64_t value;
  const struct emu_symbol *symbol;
  uint32_t bytes;
  uint32_t shift; /* bits: 0xFF00(symbol) style parts of an address */
  uint64_t offset;
};

struct emu_symbol {
  const char *name;
  enum emu_symbol_kind kind;
  enum emu_type type;
  uint32_t index; /* registers, variables: number within the function or module; key of the layout */
  /* variables */
  enum emu_variable_space space;
  uint32_t align;
  uint64_t bytes;
  bool external; /* .extern: dynamic shared memory, or a declaration */
  bool managed;
  bool unsized;
  bool kernel_parameter;
  struct emu_initial *initial;
  size_t initial_count;
  uint64_t address; /* global and const: once the module is laid out */
  /* functions */
  struct emu_function *function;
  struct emu_symbol *next; /* in its scope's bucket */
};

struct emu_symbol_scope {
  struct emu_symbol_scope *parent;
  struct emu_symbol **buckets;
  uint32_t bucket_count, symbol_count;
  struct emu_register_range *ranges; /* .reg .b32 %r<10> */
  struct emu_label *labels;
};

struct emu_register_range {
  const char *prefix;
  size_t length;
  uint64_t count;
  enum emu_type type;
  struct emu_register_range *next;
};

struct emu_label {
  const char *name;
  uint32_t hash;           /* of the name */
  uint32_t target;         /* index of the instruction that follows */
  struct emu_syntax *list; /* .branchtargets: names of labels; NULL for an ordinary label */
  uint32_t list_count;
  struct emu_symbol_scope *scope;
  struct emu_label *next;
};

enum emu_syntax_kind {
  EMU_SYNTAX_SYMBOL,  /* symbol + value */
  EMU_SYNTAX_NAME,    /* not a symbol: label, special register, sink */
  EMU_SYNTAX_INTEGER, /* value */
  EMU_SYNTAX_FLOAT,   /* value holds the bits; bytes says of what: 4 (0f), 8 (0d, decimal) */
  EMU_SYNTAX_ADDRESS, /* list[0] + value */
  EMU_SYNTAX_VECTOR,
  EMU_SYNTAX_PAIR, /* a|b */
  EMU_SYNTAX_LIST  /* (a, b) of a call */
};

struct emu_syntax {
  enum emu_syntax_kind kind;
  bool inverted; /* !p */
  uint8_t bytes;
  const char *name;
  const struct emu_symbol *symbol;
  uint64_t value;
  struct emu_syntax *list;
  uint32_t list_count;
};

enum { EMU_MODIFIERS = 16, EMU_SYNTAX_OPERANDS = 10 };

struct emu_statement {
  const char *opcode;
  const char *modifiers[EMU_MODIFIERS];
  uint8_t modifier_count, operand_count;
  bool guard_inverted;
  const struct emu_symbol *guard;
  struct emu_syntax *operands;
  struct emu_symbol_scope *scope;
  uint32_t line;              /* of the text */
  uint32_t location;          /* index into the module's locations */
  uint32_t text, text_length; /* of the statement in the module's text */
};

struct emu_function {
  const char *name;
  struct emu_symbol *symbol;
  bool entry, defined, noreturn;
  struct emu_symbol **results, **parameters;
  uint32_t result_count, parameter_count;
  struct emu_symbol_scope *scope;
  struct emu_statement *statements;
  uint32_t statement_count;
  uint32_t register_count, variable_count;
  struct emu_symbol **registers, **variables; /* variables: local, param, shared of the body */
  uint32_t max_threads, required_block[3], required_cluster[3];
  uint32_t line;
  const char *body; /* where its body begins, which is parsed when it is needed; NULL: it has been */
  uint32_t body_line;
  size_t body_variable_capacity; /* of `variables`, whose first are the parameters */
  struct emu_error *failure;     /* why the body could not be parsed */
};

struct emu_file {
  uint32_t number;
  const char *path;
};

/* A .loc; parent is the location that it was inlined at, EMU_NO_LOCATION if none. */
#define EMU_NO_LOCATION UINT32_MAX
struct emu_location {
  uint32_t file, line, column, parent;
};

struct emu_syntax_module {
  struct emu_arena *arena;
  const char *text;
  size_t length;
  int version, target; /* 90, 90 */
  struct emu_symbol_scope *scope;
  struct emu_symbol **variables;
  uint32_t variable_count;
  struct emu_function **functions;
  uint32_t function_count;
  struct emu_file *files;
  uint32_t file_count;
  struct emu_location *locations;
  uint32_t location_count;
  size_t location_capacity;
};

/* Parses `length` bytes of PTX; `module` has its arena set and the rest zero. Lazily: the bodies of kernels
 * are only looked through for their ends, and parsed by emu_parse_body. */
enum emu_status emu_parse(struct emu_syntax_module *module, const char *text, size_t length, bool lazily,
                          struct emu_error *error);
/* Parses a function's body that was left. The same error again where that failed before. */
enum emu_status emu_parse_body(struct emu_syntax_module *module, struct emu_function *function,
                               struct emu_error *error);
/* Path of a .file number; "" if there is none. */
const char *emu_syntax_file(const struct emu_syntax_module *module, uint32_t number);
/* NULL if there is no such label in scope. */
const struct emu_label *emu_find_label(const struct emu_symbol_scope *scope, const char *name);
const struct emu_symbol *emu_find_symbol(const struct emu_symbol_scope *scope, const char *name);

#endif
