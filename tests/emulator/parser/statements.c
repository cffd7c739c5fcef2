/* Instructions: @!%p opcode.modifier.modifier operand, {a, b}, [address+4], (list); */
#include "parser.h"

#include <string.h>

enum { MAX_OPERAND_DEPTH = 4, MAX_LIST = 256 };

/* An integer constant: 5, -5, ~0, (4+4). */
bool emu_parse_constant(struct emu_parser *p, uint64_t *value) {
  bool minus = false, complement = false;
  for (int i = 0; i < 8 && (emu_token_is(p, "-") || emu_token_is(p, "~") || emu_token_is(p, "+")); i++) {
    minus ^= emu_token_is(p, "-");
    complement ^= emu_token_is(p, "~");
    emu_next_token(p);
  }
  if (p->token.kind != EMU_TOKEN_INTEGER)
    return emu_syntax_error(p, "an integer is needed");
  *value = p->token.value;
  if (complement)
    *value = ~*value;
  if (minus)
    *value = -*value;
  emu_next_token(p);
  return true;
}

static bool parse_displacement(struct emu_parser *p, uint64_t *value) {
  bool minus = false;
  while (emu_token_is(p, "+") || emu_token_is(p, "-")) {
    minus = emu_token_is(p, "-");
    emu_next_token(p);
    uint64_t more;
    if (!emu_parse_constant(p, &more))
      return false;
    *value += minus ? -more : more;
  }
  return true;
}

static bool parse_list(struct emu_parser *p, struct emu_syntax *operand, const char *end, unsigned depth) {
  size_t capacity = 0;
  while (!emu_token_is(p, end)) {
    if (operand->list_count >= MAX_LIST)
      return emu_syntax_error(p, "a list has more than %d elements", MAX_LIST);
    operand->list = emu_arena_grow(p->module->arena, operand->list, sizeof *operand->list,
                                   operand->list_count, &capacity);
    if (!operand->list)
      return emu_out_of_memory(p);
    if (!emu_parse_operand(p, &operand->list[operand->list_count++], depth + 1))
      return false;
    if (!emu_accept(p, ","))
      break;
  }
  return emu_expect(p, end);
}

static bool parse_address(struct emu_parser *p, struct emu_syntax *operand, unsigned depth) {
  operand->kind = EMU_SYNTAX_ADDRESS;
  operand->list = emu_arena_allocate(p->module->arena, 2 * sizeof *operand->list);
  if (!operand->list)
    return emu_out_of_memory(p);
  operand->list_count = 1;
  if (!emu_parse_operand(p, operand->list, depth + 1))
    return false;
  if (operand->list->kind == EMU_SYNTAX_SYMBOL || operand->list->kind == EMU_SYNTAX_INTEGER) {
    operand->value = operand->list->value;
    operand->list->value = 0;
  }
  if (!parse_displacement(p, &operand->value))
    return false;
  if (emu_accept(p, ",")) { /* texture and tensor map coordinates */
    operand->list_count = 2;
    if (!emu_parse_operand(p, operand->list + 1, depth + 1))
      return false;
  }
  return emu_expect(p, "]");
}

static bool parse_name(struct emu_parser *p, struct emu_syntax *operand) {
  const char *name = emu_token_copy(p);
  emu_next_token(p);
  operand->symbol = emu_symbol_lookup(p, name);
  operand->name = name;
  operand->kind = operand->symbol ? EMU_SYNTAX_SYMBOL : EMU_SYNTAX_NAME;
  if (!operand->symbol && name[0] == '%' && p->token.kind == EMU_TOKEN_DOTTED) { /* %tid.x */
    char whole[64];
    snprintf(whole, sizeof whole, "%.40s.%.*s", name, p->token.length > 16 ? 16 : (int)p->token.length,
             p->token.text);
    operand->name = emu_arena_text(p->module->arena, whole, strlen(whole));
    emu_next_token(p);
  }
  if (operand->symbol && operand->symbol->kind == EMU_SYMBOL_VARIABLE)
    return parse_displacement(p, &operand->value);
  return !p->failed;
}

bool emu_parse_operand(struct emu_parser *p, struct emu_syntax *operand, unsigned depth) {
  if (p->failed)
    return false;
  if (depth > MAX_OPERAND_DEPTH)
    return emu_syntax_error(p, "an operand is nested too deep");
  if (emu_accept(p, "!"))
    operand->inverted = true;
  bool done;
  if (emu_accept(p, "[")) {
    done = parse_address(p, operand, depth);
  } else if (emu_accept(p, "{")) {
    operand->kind = EMU_SYNTAX_VECTOR;
    done = parse_list(p, operand, "}", depth);
  } else if (emu_accept(p, "(")) {
    operand->kind = EMU_SYNTAX_LIST;
    done = parse_list(p, operand, ")", depth);
  } else if (p->token.kind == EMU_TOKEN_NAME) {
    done = parse_name(p, operand);
  } else {
    bool minus = false;
    if (emu_token_is(p, "-")) {
      minus = true;
      emu_next_token(p);
    }
    if (p->token.kind == EMU_TOKEN_FLOAT) {
      operand->kind = EMU_SYNTAX_FLOAT;
      operand->bytes = p->token.bytes;
      operand->value = p->token.value ^ (minus ? UINT64_C(1) << (8 * p->token.bytes - 1) : 0);
      emu_next_token(p);
      done = true;
    } else {
      operand->kind = EMU_SYNTAX_INTEGER;
      done = emu_parse_constant(p, &operand->value);
      operand->value = minus ? -operand->value : operand->value;
    }
  }
  if (!done || !emu_token_is(p, "|"))
    return done;
  struct emu_syntax *pair = emu_arena_allocate(p->module->arena, 2 * sizeof *pair);
  if (!pair)
    return emu_out_of_memory(p);
  emu_next_token(p);
  pair[0] = *operand;
  *operand = (struct emu_syntax){.kind = EMU_SYNTAX_PAIR, .list = pair, .list_count = 2};
  return emu_parse_operand(p, &pair[1], depth + 1);
}

static bool parse_guard(struct emu_parser *p, struct emu_statement *s) {
  if (!emu_accept(p, "@"))
    return true;
  s->guard_inverted = emu_accept(p, "!");
  if (p->token.kind != EMU_TOKEN_NAME)
    return emu_syntax_error(p, "a predicate is needed behind @");
  s->guard = emu_symbol_lookup(p, emu_token_copy(p));
  if (!s->guard || s->guard->kind != EMU_SYMBOL_REGISTER || s->guard->type != EMU_PRED)
    return emu_syntax_error(p, "a declared predicate is needed behind @");
  emu_next_token(p);
  return true;
}

/* `name: .branchtargets a, b;` and `name: .callprototype ...;`: the token behind the colon is looked at. */
static bool parse_label(struct emu_parser *p, const char *name) {
  struct emu_syntax list = {0};
  if (emu_token_dotted(p, "branchtargets")) {
    emu_next_token(p);
    return parse_list(p, &list, ";", 0) && emu_label_add(p, name, list.list, list.list_count);
  }
  if (emu_token_dotted(p, "callprototype") || emu_token_dotted(p, "calltargets")) {
    while (!emu_token_is(p, ";") && p->token.kind != EMU_TOKEN_END)
      emu_next_token(p);
    return emu_expect(p, ";");
  }
  return emu_label_add(p, name, NULL, 0);
}

/* A label, or an instruction up to its semicolon. */
bool emu_parse_statement(struct emu_parser *p) {
  struct emu_function *f = p->function;
  struct emu_statement s = {.scope = p->scope, .line = p->token.line, .location = p->location};
  const char *start = p->token.text;
  if (!parse_guard(p, &s))
    return false;
  if (p->token.kind != EMU_TOKEN_NAME)
    return emu_syntax_error(p, "an instruction is needed");
  s.opcode = emu_token_copy(p);
  emu_next_token(p);
  if (!s.guard && emu_accept(p, ":"))
    return parse_label(p, s.opcode);
  while (p->token.kind == EMU_TOKEN_DOTTED) {
    if (s.modifier_count >= EMU_MODIFIERS)
      return emu_syntax_error(p, "an instruction has more than %d modifiers", EMU_MODIFIERS);
    s.modifiers[s.modifier_count++] = emu_token_copy(p);
    emu_next_token(p);
  }
  struct emu_syntax operands[EMU_SYNTAX_OPERANDS] = {0};
  while (!emu_token_is(p, ";")) {
    if (s.operand_count >= EMU_SYNTAX_OPERANDS)
      return emu_syntax_error(p, "an instruction has more than %d operands", EMU_SYNTAX_OPERANDS);
    if (!emu_parse_operand(p, &operands[s.operand_count++], 0))
      return false;
    if (!emu_accept(p, ",") && !emu_token_is(p, ";"))
      return emu_syntax_error(p, "',' or ';' is needed");
  }
  s.operands = emu_arena_allocate(p->module->arena, sizeof operands[0] * (s.operand_count + 1u));
  f->statements = emu_arena_grow(p->module->arena, f->statements, sizeof *f->statements, f->statement_count,
                                 &p->statement_capacity);
  if (!s.operands || !f->statements)
    return emu_out_of_memory(p);
  memcpy(s.operands, operands, sizeof operands[0] * s.operand_count);
  s.text = (uint32_t)(start - p->module->text);
  s.text_length = (uint32_t)(p->token.text - start);
  f->statements[f->statement_count++] = s;
  return emu_expect(p, ";");
}
