/* Functions and kernels. */
#include "parser.h"

#include <string.h>

enum { MAX_BLOCK_DEPTH = 64, MAX_PARAMETERS = 1024 };

static bool parse_parameters(struct emu_parser *p, struct emu_symbol ***symbols, uint32_t *count,
                             bool kernel) {
  size_t capacity = 0;
  *count = 0;
  *symbols = NULL;
  while (!emu_token_is(p, ")")) {
    enum emu_variable_space space = EMU_VARIABLE_PARAM;
    if (*count >= MAX_PARAMETERS)
      return emu_syntax_error(p, "a function has more than %d parameters", MAX_PARAMETERS);
    if (!emu_token_dotted(p, "param"))
      return emu_syntax_error(p, "a .param is needed");
    emu_next_token(p);
    struct emu_symbol *v = emu_parse_variable(p, space, false, true);
    if (!v)
      return false;
    v->kernel_parameter = kernel;
    *symbols = emu_arena_grow(p->module->arena, *symbols, sizeof **symbols, *count, &capacity);
    if (!*symbols)
      return emu_out_of_memory(p);
    (*symbols)[(*count)++] = v;
    if (!emu_accept(p, ","))
      break;
  }
  return emu_expect(p, ")");
}

static bool parse_numbers(struct emu_parser *p, uint32_t values[3]) {
  for (int i = 0; i < 3; i++) {
    uint64_t value;
    if (!emu_parse_constant(p, &value))
      return false;
    values[i] = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    if (!emu_accept(p, ","))
      break;
  }
  return true;
}

/* .maxntid 256, 1, 1 .minnctapersm 2 .noreturn ... between the parameters and the body. */
static bool parse_function_directives(struct emu_parser *p, struct emu_function *f) {
  while (p->token.kind == EMU_TOKEN_DOTTED) {
    uint32_t values[3] = {1, 1, 1};
    bool takes_numbers = !emu_token_dotted(p, "noreturn") && !emu_token_dotted(p, "explicitcluster") &&
                         !emu_token_dotted(p, "pragma") && !emu_token_dotted(p, "blocksareclusters");
    bool max_threads = emu_token_dotted(p, "maxntid"), required = emu_token_dotted(p, "reqntid");
    bool cluster = emu_token_dotted(p, "reqnctapercluster");
    f->noreturn = f->noreturn || emu_token_dotted(p, "noreturn");
    bool pragma = emu_token_dotted(p, "pragma");
    emu_next_token(p);
    if (pragma) {
      while (p->token.kind == EMU_TOKEN_STRING || emu_token_is(p, ","))
        emu_next_token(p);
      emu_accept(p, ";");
    } else if (takes_numbers && !parse_numbers(p, values)) {
      return false;
    }
    if (max_threads || required) {
      uint64_t product = (uint64_t)values[0] * values[1] * values[2];
      f->max_threads = product > 1024 || !product ? 1024 : (uint32_t)product;
    }
    if (required)
      memcpy(f->required_block, values, sizeof values);
    if (cluster)
      memcpy(f->required_cluster, values, sizeof values);
  }
  return true;
}

static bool parse_location(struct emu_parser *p) {
  struct emu_syntax_module *m = p->module;
  m->locations =
      emu_arena_grow(m->arena, m->locations, sizeof *m->locations, m->location_count, &m->location_capacity);
  if (!m->locations)
    return emu_out_of_memory(p);
  uint64_t numbers[6] = {0};
  for (int i = 0; i < 3; i++)
    if (!emu_parse_constant(p, &numbers[i]))
      return false;
  bool inlined = false;
  while (emu_accept(p, ",")) {
    if (emu_accept(p, "inlined_at")) {
      inlined = true;
      for (int i = 3; i < 6; i++)
        if (!emu_parse_constant(p, &numbers[i]))
          return false;
    } else if (emu_accept(p, "function_name")) {
      emu_next_token(p);
      uint64_t offset;
      if (emu_accept(p, "+") && !emu_parse_constant(p, &offset))
        return false;
    } else {
      return emu_syntax_error(p, "inlined_at or function_name is needed");
    }
  }
  struct emu_location l = {(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2], EMU_NO_LOCATION};
  enum { LOOK_BACK = 256 };
  uint32_t oldest = m->location_count > LOOK_BACK ? m->location_count - LOOK_BACK : 0;
  for (uint32_t i = m->location_count; inlined && i-- > oldest;) {
    const struct emu_location *o = &m->locations[i];
    if (o->file == numbers[3] && o->line == numbers[4] && o->column == numbers[5]) {
      l.parent = i;
      break;
    }
  }
  p->location = m->location_count;
  m->locations[m->location_count++] = l;
  return true;
}

static bool parse_body_directive(struct emu_parser *p) {
  static const struct {
    const char *name;
    enum emu_variable_space space;
  } spaces[] = {{"local", EMU_VARIABLE_LOCAL}, {"shared", EMU_VARIABLE_SHARED},
                {"param", EMU_VARIABLE_PARAM}, {"global", EMU_VARIABLE_GLOBAL},
                {"const", EMU_VARIABLE_CONST}, {"shared::cta", EMU_VARIABLE_SHARED}};
  if (emu_token_dotted(p, "loc")) {
    emu_next_token(p);
    return parse_location(p);
  }
  if (emu_token_dotted(p, "reg")) {
    emu_next_token(p);
    return emu_register_declare(p);
  }
  if (emu_token_dotted(p, "pragma")) {
    while (!emu_token_is(p, ";") && p->token.kind != EMU_TOKEN_END)
      emu_next_token(p);
    return emu_expect(p, ";");
  }
  bool external = emu_token_dotted(p, "extern");
  if (external)
    emu_next_token(p);
  for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
    if (emu_token_dotted(p, spaces[i].name)) {
      emu_next_token(p);
      return emu_parse_variable(p, spaces[i].space, external, false) && emu_expect(p, ";");
    }
  return emu_syntax_error(p, "a directive that a function body may have is needed");
}

static bool parse_block(struct emu_parser *p) {
  if (!emu_expect(p, "{"))
    return false;
  if (++p->depth > MAX_BLOCK_DEPTH)
    return emu_syntax_error(p, "blocks are nested more than %d deep", MAX_BLOCK_DEPTH);
  struct emu_symbol_scope *outer = p->scope;
  p->scope = emu_scope_open(p);
  while (!p->failed && !emu_token_is(p, "}")) {
    if (p->token.kind == EMU_TOKEN_END)
      return emu_syntax_error(p, "'}' is needed");
    if (emu_token_is(p, "{"))
      parse_block(p);
    else if (p->token.kind == EMU_TOKEN_DOTTED)
      parse_body_directive(p);
    else if (!emu_accept(p, ";"))
      emu_parse_statement(p);
  }
  p->scope = outer;
  p->depth--;
  return !p->failed && emu_expect(p, "}");
}

static struct emu_function *new_function(struct emu_parser *p, bool entry) {
  struct emu_syntax_module *m = p->module;
  struct emu_function *f = emu_arena_allocate(m->arena, sizeof *f);
  m->functions =
      emu_arena_grow(m->arena, m->functions, sizeof *m->functions, m->function_count, &p->function_capacity);
  if (!f || !m->functions) {
    emu_out_of_memory(p);
    return NULL;
  }
  m->functions[m->function_count++] = f;
  f->entry = entry;
  f->max_threads = 1024;
  f->line = p->token.line;
  p->body_variable_capacity = p->register_capacity = p->statement_capacity = 0;
  p->location = EMU_NO_LOCATION;
  p->function = f;
  f->scope = p->scope = emu_scope_open(p);
  return p->failed ? NULL : f;
}

static bool name_function(struct emu_parser *p, struct emu_function *f) {
  struct emu_syntax_module *m = p->module;
  if (p->token.kind != EMU_TOKEN_NAME)
    return emu_syntax_error(p, "a function name is needed");
  f->name = emu_token_copy(p);
  struct emu_symbol *symbol = (struct emu_symbol *)emu_find_symbol(m->scope, f->name);
  if (symbol && (symbol->kind != EMU_SYMBOL_FUNCTION || symbol->function->defined))
    return emu_syntax_error(p, "'%s' is defined twice", f->name);
  if (!symbol) {
    struct emu_symbol_scope *inner = p->scope;
    p->scope = m->scope;
    symbol = emu_symbol_add(p, f->name, EMU_SYMBOL_FUNCTION);
    p->scope = inner;
    if (!symbol)
      return false;
    symbol->index = m->function_count - 1;
  }
  symbol->function = f;
  f->symbol = symbol;
  emu_next_token(p);
  return true;
}

/* What stands behind a '.' at the beginning of a statement and belongs to the module, not to the body
 * alone. */
static bool is_of_module(const char *at, const char *end) {
  static const char *const names[] = {".global", ".const", ".extern"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if ((size_t)(end - at) > strlen(names[i]) && !memcmp(at, names[i], strlen(names[i])))
      return true;
  return false;
}

/* Steps over the body at whose '{' the parser is, and keeps where it is. False, and nothing is done, where it
 * declares what the module has to lay out, or has no end: then it has to be parsed. */
static bool leave_body(struct emu_parser *p, struct emu_function *f) {
  uint32_t line = p->line;
  unsigned depth = 1;
  char before = '{'; /* the last character that is no blank */
  const char *at = p->at, *end = p->end;
  for (; at < end && depth; at++) {
    char c = *at;
    if (c == ' ' || c == '\t')
      continue;
    if (c == '\n') {
      line++;
      continue;
    }
    if (c == '/' && at + 1 < end && at[1] == '/') {
      at = memchr(at, '\n', (size_t)(end - at));
      if (!at)
        return false;
      line++;
      continue;
    }
    if (c == '/' && at + 1 < end && at[1] == '*')
      return false; /* no compiler writes those */
    if (c == '"') {
      at = memchr(at + 1, '"', (size_t)(end - at - 1));
      if (!at)
        return false;
    } else if (c == '.' && (before == ';' || before == '{' || before == '}') && is_of_module(at, end)) {
      return false;
    }
    depth += c == '{';
    depth -= c == '}';
    before = c;
  }
  if (depth)
    return false;
  f->body = p->token.text;
  f->body_line = p->token.line;
  p->at = at;
  p->line = line;
  emu_next_token(p);
  return true;
}

enum emu_status emu_parse_body(struct emu_syntax_module *module, struct emu_function *f,
                               struct emu_error *error) {
  struct emu_parser p = {.module = module,
                         .error = error,
                         .at = f->body,
                         .end = module->text + module->length,
                         .line = f->body_line,
                         .function = f,
                         .scope = f->scope,
                         .location = EMU_NO_LOCATION,
                         .body_variable_capacity = f->body_variable_capacity};
  if (f->failure) {
    *error = *f->failure;
    return error->status;
  }
  emu_next_token(&p);
  if (parse_block(&p)) {
    f->body = NULL;
    return EMU_OK;
  }
  f->failure = emu_arena_allocate(module->arena, sizeof *f->failure);
  if (f->failure)
    *f->failure = *error;
  return error->status;
}

/* Behind .entry or .func. */
bool emu_parse_function(struct emu_parser *p, bool entry) {
  struct emu_function *f = new_function(p, entry);
  if (!f)
    return false;
  if (emu_accept(p, "(") && !parse_parameters(p, &f->results, &f->result_count, false))
    return false;
  if (!name_function(p, f))
    return false;
  if (emu_accept(p, "(") && !parse_parameters(p, &f->parameters, &f->parameter_count, entry))
    return false;
  bool ok = parse_function_directives(p, f);
  if (ok && emu_token_is(p, "{")) {
    f->defined = true;
    f->body_variable_capacity = p->body_variable_capacity;
    ok = (p->lazily && entry && leave_body(p, f)) || parse_block(p);
  } else if (ok) {
    emu_accept(p, ";");
  }
  p->function = NULL;
  p->scope = p->module->scope;
  return ok && !p->failed;
}
