/* The parser's inner parts: tokens and the state that its files share. */
#ifndef EMU_PARSER_H
#define EMU_PARSER_H

#include "syntax.h"

enum emu_token_kind {
  EMU_TOKEN_END = 0,
  EMU_TOKEN_NAME,    /* add, %r1, $L_1 */
  EMU_TOKEN_DOTTED,  /* .reg, .shared::cta: text without the dot */
  EMU_TOKEN_INTEGER, /* value */
  EMU_TOKEN_FLOAT,   /* value: bits; bytes 4 or 8 */
  EMU_TOKEN_STRING,
  EMU_TOKEN_SYMBOL, /* one character: text[0] */
  EMU_TOKEN_BAD
};

struct emu_token {
  enum emu_token_kind kind;
  const char *text;
  size_t length;
  uint64_t value;
  uint8_t bytes;
  uint32_t line;
};

struct emu_parser {
  struct emu_syntax_module *module;
  const char *at, *end;
  uint32_t line;
  struct emu_token token; /* the one being looked at */
  struct emu_function *function;
  struct emu_symbol_scope *scope;
  unsigned depth;
  uint32_t location;
  struct emu_error *error;
  bool failed, lazily;
  size_t variable_capacity, function_capacity, file_capacity;
  size_t statement_capacity, body_variable_capacity, register_capacity;
};

/* lexer.c */
void emu_next_token(struct emu_parser *parser);
bool emu_token_is(const struct emu_parser *parser, const char *text); /* a name or one-character symbol */
bool emu_token_dotted(const struct emu_parser *parser, const char *text);
bool emu_accept(struct emu_parser *parser, const char *text); /* name or symbol; moves on if it is there */
bool emu_expect(struct emu_parser *parser, const char *text); /* fails if it is not */
const char *emu_token_copy(struct emu_parser *parser);
/* Notes the first error, at the current token. Always returns false. */
bool emu_syntax_error(struct emu_parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool emu_out_of_memory(struct emu_parser *parser);

/* symbols.c */
struct emu_symbol_scope *emu_scope_open(struct emu_parser *parser);
struct emu_symbol *emu_symbol_add(struct emu_parser *parser, const char *name, enum emu_symbol_kind kind);
const struct emu_symbol *emu_symbol_lookup(struct emu_parser *parser, const char *name);
bool emu_register_declare(struct emu_parser *parser);
bool emu_label_add(struct emu_parser *parser, const char *name, struct emu_syntax *list, uint32_t count);
enum emu_type emu_type_by_name(const char *name, size_t length);

/* variables.c: after the space directive has been read (the token behind it is looked at). */
struct emu_symbol *emu_parse_variable(struct emu_parser *parser, enum emu_variable_space space, bool external,
                                      bool parameter);

/* functions.c */
bool emu_parse_function(struct emu_parser *parser, bool entry);

/* statements.c */
bool emu_parse_statement(struct emu_parser *parser);
bool emu_parse_operand(struct emu_parser *parser, struct emu_syntax *operand, unsigned depth);
bool emu_parse_constant(struct emu_parser *parser, uint64_t *value);

#endif
