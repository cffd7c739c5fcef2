/* Variables: .global .align 8 .u64 p[2] = {generic(a), b+4}; and formal parameters. */
#include "parser.h"

#include <string.h>

enum { MAX_VARIABLE_BYTES = 1 << 30, MAX_BRACES = 8 };

/* [3][4][] behind the name. */
static bool parse_dimensions(struct emu_parser *p, struct emu_symbol *v, uint64_t *elements) {
  *elements = 1;
  while (emu_accept(p, "[")) {
    uint64_t n = 0;
    if (emu_token_is(p, "]"))
      v->unsized = true;
    else if (!emu_parse_constant(p, &n))
      return false;
    if (n > MAX_VARIABLE_BYTES || *elements * n > MAX_VARIABLE_BYTES)
      return emu_syntax_error(p, "'%s' is too large (at most %d elements)", v->name, MAX_VARIABLE_BYTES);
    *elements *= v->unsized ? (n ? n : 1) : n;
    if (!emu_expect(p, "]"))
      return false;
  }
  if (v->unsized)
    *elements = 0;
  return !p->failed;
}

struct initial_list {
  struct emu_symbol *variable;
  size_t capacity;
};

/* One value: number, symbol, symbol+4, generic(symbol), generic(symbol)+4, 0xFF00(symbol). */
static bool parse_initial_value(struct emu_parser *p, struct initial_list *list) {
  struct emu_symbol *v = list->variable;
  v->initial =
      emu_arena_grow(p->module->arena, v->initial, sizeof *v->initial, v->initial_count, &list->capacity);
  if (!v->initial)
    return emu_out_of_memory(p);
  struct emu_initial *initial = &v->initial[v->initial_count++];
  initial->bytes = emu_type_bytes(v->type);
  bool parenthesis = false;
  if (emu_accept(p, "generic")) {
    if (!emu_expect(p, "("))
      return false;
    parenthesis = true;
  } else if (p->token.kind == EMU_TOKEN_INTEGER) {
    struct emu_token mask = p->token;
    if (!emu_parse_constant(p, &initial->value))
      return false;
    if (!emu_accept(p, "("))
      return true;
    for (initial->shift = 0; mask.value && !(mask.value & 0xff) && initial->shift < 56; initial->shift += 8)
      mask.value >>= 8;
    initial->value = 0;
    initial->bytes = 1;
    parenthesis = true;
  }
  if (p->token.kind == EMU_TOKEN_NAME) {
    const char *name = emu_token_copy(p);
    initial->symbol = emu_symbol_lookup(p, name);
    if (!initial->symbol || initial->symbol->kind == EMU_SYMBOL_REGISTER)
      return emu_syntax_error(p, "'%s' is not declared", name);
    emu_next_token(p);
    if (parenthesis && emu_accept(p, ")"))
      parenthesis = false;
    if (emu_token_is(p, "+") || emu_token_is(p, "-")) {
      bool minus = emu_accept(p, "-");
      if (!minus)
        emu_accept(p, "+");
      if (!emu_parse_constant(p, &initial->value))
        return false;
      initial->value = minus ? -initial->value : initial->value;
    }
    return !parenthesis || emu_expect(p, ")");
  }
  if (p->token.kind == EMU_TOKEN_FLOAT) {
    initial->value = p->token.value;
    if (p->token.bytes == 8 && initial->bytes == 4) {
      double wide;
      memcpy(&wide, &initial->value, sizeof wide);
      float narrow = (float)wide;
      initial->value = 0;
      memcpy(&initial->value, &narrow, sizeof narrow);
    }
    emu_next_token(p);
    return true;
  }
  return emu_parse_constant(p, &initial->value);
}

static bool parse_initial_list(struct emu_parser *p, struct initial_list *list, unsigned depth,
                               uint64_t *offset) {
  if (depth > MAX_BRACES)
    return emu_syntax_error(p, "braces are nested too deep");
  if (!emu_accept(p, "{")) {
    size_t index = list->variable->initial_count;
    if (!parse_initial_value(p, list))
      return false;
    list->variable->initial[index].offset = *offset;
    *offset += list->variable->initial[index].bytes;
    return *offset <= list->variable->bytes ||
           emu_syntax_error(p, "'%s' has too many initial values", list->variable->name);
  }
  while (!emu_token_is(p, "}")) {
    if (!parse_initial_list(p, list, depth + 1, offset))
      return false;
    if (!emu_accept(p, ","))
      break;
  }
  return emu_expect(p, "}");
}

static bool parse_attributes(struct emu_parser *p, struct emu_symbol *v, uint64_t *vector) {
  bool of_target = false; /* behind .ptr, an alignment is that of what is pointed to */
  v->align = 0;
  *vector = 1;
  while (p->token.kind == EMU_TOKEN_DOTTED) {
    if (emu_token_dotted(p, "align")) {
      emu_next_token(p);
      uint64_t align = 0;
      if (!emu_parse_constant(p, &align))
        return false;
      if (!align || (align & (align - 1)) || align > 4096)
        return emu_syntax_error(p, "an alignment that is a power of two is needed");
      if (!of_target)
        v->align = (uint32_t)align;
      continue;
    }
    if (emu_token_dotted(p, "attribute")) {
      emu_next_token(p);
      if (!emu_expect(p, "("))
        return false;
      while (p->token.kind == EMU_TOKEN_DOTTED || emu_token_is(p, ",")) {
        v->managed = v->managed || emu_token_dotted(p, "managed");
        emu_next_token(p);
      }
      if (!emu_expect(p, ")"))
        return false;
      continue;
    }
    if (emu_token_dotted(p, "v2") || emu_token_dotted(p, "v4")) {
      *vector = (uint64_t)(p->token.text[1] - '0');
    } else if (emu_token_dotted(p, "ptr") || emu_token_dotted(p, "global") || emu_token_dotted(p, "const") ||
               emu_token_dotted(p, "shared") || emu_token_dotted(p, "local")) {
      /* .param .u64 .ptr .global .align 16 name: a hint about what is pointed to */
      of_target = of_target || emu_token_dotted(p, "ptr");
    } else {
      enum emu_type type = emu_type_by_name(p->token.text, p->token.length);
      if (type == EMU_TYPE_NONE)
        return emu_syntax_error(p, "a type is needed");
      v->type = type;
    }
    emu_next_token(p);
  }
  return true;
}

static bool keep_variable(struct emu_parser *p, struct emu_symbol *v, bool of_body) {
  struct emu_function *f = p->function;
  struct emu_symbol ***array = of_body ? &f->variables : &p->module->variables;
  uint32_t *count = of_body ? &f->variable_count : &p->module->variable_count;
  *array = emu_arena_grow(p->module->arena, *array, sizeof **array, *count,
                          of_body ? &p->body_variable_capacity : &p->variable_capacity);
  if (!*array)
    return emu_out_of_memory(p);
  v->index = *count;
  (*array)[(*count)++] = v;
  return true;
}

struct emu_symbol *emu_parse_variable(struct emu_parser *p, enum emu_variable_space space, bool external,
                                      bool parameter) {
  struct emu_symbol attributes = {0};
  uint64_t vector, elements;
  if (!parse_attributes(p, &attributes, &vector))
    return NULL;
  if (attributes.type == EMU_TYPE_NONE || p->token.kind != EMU_TOKEN_NAME) {
    emu_syntax_error(p, "a type and a name are needed");
    return NULL;
  }
  const char *name = emu_token_copy(p);
  const struct emu_symbol *before = p->function ? NULL : emu_find_symbol(p->scope, name);
  if (before && before->kind == EMU_SYMBOL_VARIABLE && (before->external || external) &&
      before->space == space)
    ((struct emu_symbol *)before)->name = ""; /* declared before: the definition takes its place */
  struct emu_symbol *v = emu_symbol_add(p, name, EMU_SYMBOL_VARIABLE);
  if (!v)
    return NULL;
  v->type = attributes.type;
  v->space = space;
  v->external = external;
  v->managed = attributes.managed;
  emu_next_token(p);
  if (!parse_dimensions(p, v, &elements))
    return NULL;
  uint64_t one = (v->type == EMU_PRED ? 1 : emu_type_bytes(v->type)) * vector;
  v->bytes = elements * one;
  v->align = attributes.align ? attributes.align : (uint32_t)one;
  if (v->bytes > MAX_VARIABLE_BYTES) {
    emu_syntax_error(p, "'%s' is too large (%llu bytes, at most %d)", name, (unsigned long long)v->bytes,
                     MAX_VARIABLE_BYTES);
    return NULL;
  }
  bool of_body = p->function != NULL && space != EMU_VARIABLE_GLOBAL && space != EMU_VARIABLE_CONST;
  if (!keep_variable(p, v, of_body || parameter))
    return NULL;
  if (!parameter && emu_accept(p, "=")) {
    struct initial_list list = {v, 0};
    uint64_t offset = 0;
    if (v->unsized)
      emu_syntax_error(p, "'%s' has an initial value but no size", name);
    if (p->failed || !parse_initial_list(p, &list, 0, &offset))
      return NULL;
  }
  return v;
}
