/* The outermost level of PTX: .version, .target, variables, functions, files. */
#include "parser.h"

#include <string.h>

enum { NEWEST_VERSION = 90, OLDEST_VERSION = 10 };

static bool parse_version(struct emu_parser *p) {
  emu_next_token(p);
  if (p->token.kind != EMU_TOKEN_FLOAT || p->token.bytes != 8)
    return emu_syntax_error(p, "a version like 9.0 is needed");
  double version;
  memcpy(&version, &p->token.value, sizeof version);
  p->module->version = version > 0 && version < 100 ? (int)(version * 10 + 0.5) : 0;
  if (p->module->version > NEWEST_VERSION || p->module->version < OLDEST_VERSION) {
    emu_syntax_error(p, "this version of PTX is not known (at most %d.%d)", NEWEST_VERSION / 10,
                     NEWEST_VERSION % 10);
    p->error->status = EMU_ERROR_UNSUPPORTED_PTX;
    return false;
  }
  emu_next_token(p);
  return true;
}

static bool parse_target(struct emu_parser *p) {
  do {
    emu_next_token(p);
    if (p->token.kind != EMU_TOKEN_NAME)
      return emu_syntax_error(p, "a target is needed");
    int number = 0;
    const char *name = emu_token_copy(p);
    if (!strncmp(name, "sm_", 3) && sscanf(name + 3, "%3d", &number) == 1)
      p->module->target = number;
    emu_next_token(p);
  } while (emu_token_is(p, ","));
  return p->module->target > 0 || emu_syntax_error(p, "a target like sm_90 is needed");
}

static bool parse_file(struct emu_parser *p) {
  struct emu_syntax_module *m = p->module;
  uint64_t number;
  emu_next_token(p);
  if (!emu_parse_constant(p, &number))
    return false;
  if (p->token.kind != EMU_TOKEN_STRING)
    return emu_syntax_error(p, "a file name is needed");
  m->files = emu_arena_grow(m->arena, m->files, sizeof *m->files, m->file_count, &p->file_capacity);
  if (!m->files)
    return emu_out_of_memory(p);
  m->files[m->file_count++] = (struct emu_file){(uint32_t)number, emu_token_copy(p)};
  emu_next_token(p);
  uint64_t ignored;
  while (emu_accept(p, ","))
    if (!emu_parse_constant(p, &ignored))
      return false;
  return true;
}

static bool skip_section(struct emu_parser *p) {
  while (p->token.kind != EMU_TOKEN_END && !emu_token_is(p, "{"))
    emu_next_token(p);
  unsigned depth = 0;
  do {
    if (p->token.kind == EMU_TOKEN_END)
      return emu_syntax_error(p, "'}' is needed at the end of a .section");
    depth += emu_token_is(p, "{");
    depth -= emu_token_is(p, "}");
    emu_next_token(p);
  } while (depth);
  return true;
}

static bool skip_to_semicolon(struct emu_parser *p) {
  while (p->token.kind != EMU_TOKEN_END && !emu_token_is(p, ";"))
    emu_next_token(p);
  return emu_expect(p, ";");
}

static bool parse_definition(struct emu_parser *p, bool external) {
  static const struct {
    const char *name;
    enum emu_variable_space space;
  } spaces[] = {
      {"global", EMU_VARIABLE_GLOBAL}, {"const", EMU_VARIABLE_CONST}, {"shared", EMU_VARIABLE_SHARED}};
  if (emu_token_dotted(p, "entry") || emu_token_dotted(p, "func")) {
    bool entry = emu_token_dotted(p, "entry");
    emu_next_token(p);
    while (emu_token_dotted(p, "attribute") || emu_token_dotted(p, "noreturn")) {
      emu_next_token(p);
      if (emu_accept(p, "("))
        while (!emu_accept(p, ")") && p->token.kind != EMU_TOKEN_END)
          emu_next_token(p);
    }
    return emu_parse_function(p, entry);
  }
  for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
    if (emu_token_dotted(p, spaces[i].name)) {
      emu_next_token(p);
      return emu_parse_variable(p, spaces[i].space, external, false) && emu_expect(p, ";");
    }
  return emu_syntax_error(p, "a directive that this emulator knows is needed");
}

static bool parse_top(struct emu_parser *p) {
  if (p->token.kind != EMU_TOKEN_DOTTED)
    return emu_syntax_error(p, "a directive is needed");
  if (emu_token_dotted(p, "version"))
    return parse_version(p);
  if (emu_token_dotted(p, "target"))
    return parse_target(p);
  if (emu_token_dotted(p, "address_size")) {
    uint64_t bits;
    emu_next_token(p);
    return emu_parse_constant(p, &bits) && (bits == 64 || emu_syntax_error(p, "64-bit addresses are needed"));
  }
  if (emu_token_dotted(p, "file"))
    return parse_file(p);
  if (emu_token_dotted(p, "section"))
    return skip_section(p);
  if (emu_token_dotted(p, "pragma") || emu_token_dotted(p, "alias"))
    return skip_to_semicolon(p);
  bool external = false;
  while (emu_token_dotted(p, "visible") || emu_token_dotted(p, "extern") || emu_token_dotted(p, "weak") ||
         emu_token_dotted(p, "common")) {
    external = external || emu_token_dotted(p, "extern");
    emu_next_token(p);
  }
  return parse_definition(p, external);
}

enum emu_status emu_parse(struct emu_syntax_module *module, const char *text, size_t length, bool lazily,
                          struct emu_error *error) {
  struct emu_parser p = {.module = module, .error = error, .line = 1, .lazily = lazily};
  if (length > UINT32_MAX / 2) {
    error->status = EMU_ERROR_INVALID_PTX;
    snprintf(error->text, sizeof error->text, "PTX: too long (%zu bytes)", length);
    return error->status;
  }
  module->text = emu_arena_text(module->arena, text, length);
  module->length = length;
  module->scope = p.scope = emu_scope_open(&p);
  if (!module->text || !module->scope) {
    emu_out_of_memory(&p);
    return error->status;
  }
  p.at = module->text;
  p.end = module->text + length;
  emu_next_token(&p);
  while (!p.failed && p.token.kind != EMU_TOKEN_END)
    parse_top(&p);
  if (!p.failed && (!module->version || !module->target))
    emu_syntax_error(&p, ".version and .target are needed");
  return p.failed ? error->status : EMU_OK;
}

const char *emu_syntax_file(const struct emu_syntax_module *module, uint32_t number) {
  for (uint32_t i = 0; i < module->file_count; i++)
    if (module->files[i].number == number)
      return module->files[i].path;
  return "";
}
