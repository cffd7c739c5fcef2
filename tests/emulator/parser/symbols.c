/* Scopes, registers, labels. */
#include "parser.h"

#include <string.h>

static uint32_t hash_of(const char *name) {
  uint32_t h = 2166136261u;
  for (; *name; name++)
    h = (h ^ (unsigned char)*name) * 16777619u;
  return h;
}

struct emu_symbol_scope *emu_scope_open(struct emu_parser *p) {
  struct emu_symbol_scope *scope = emu_arena_allocate(p->module->arena, sizeof *scope);
  if (!scope) {
    emu_out_of_memory(p);
    return NULL;
  }
  scope->parent = p->scope;
  return scope;
}

static bool grow_buckets(struct emu_parser *p, struct emu_symbol_scope *scope) {
  uint32_t count = scope->bucket_count ? scope->bucket_count * 4 : 16;
  struct emu_symbol **buckets = emu_arena_allocate(p->module->arena, count * sizeof *buckets);
  if (!buckets)
    return emu_out_of_memory(p);
  for (uint32_t i = 0; i < scope->bucket_count; i++)
    for (struct emu_symbol *s = scope->buckets[i]; s;) {
      struct emu_symbol *next = s->next;
      uint32_t slot = hash_of(s->name) & (count - 1);
      s->next = buckets[slot];
      buckets[slot] = s;
      s = next;
    }
  scope->buckets = buckets;
  scope->bucket_count = count;
  return true;
}

static struct emu_symbol *find_in(const struct emu_symbol_scope *scope, const char *name, uint32_t hash) {
  if (!scope->bucket_count)
    return NULL;
  for (struct emu_symbol *s = scope->buckets[hash & (scope->bucket_count - 1)]; s; s = s->next)
    if (!strcmp(s->name, name))
      return s;
  return NULL;
}

static struct emu_symbol *add_to(struct emu_parser *p, struct emu_symbol_scope *scope, const char *name,
                                 enum emu_symbol_kind kind) {
  struct emu_symbol *s = emu_arena_allocate(p->module->arena, sizeof *s);
  if (!s || (scope->symbol_count >= scope->bucket_count && !grow_buckets(p, scope))) {
    emu_out_of_memory(p);
    return NULL;
  }
  s->name = name;
  s->kind = kind;
  uint32_t slot = hash_of(name) & (scope->bucket_count - 1);
  s->next = scope->buckets[slot];
  scope->buckets[slot] = s;
  scope->symbol_count++;
  return s;
}

struct emu_symbol *emu_symbol_add(struct emu_parser *p, const char *name, enum emu_symbol_kind kind) {
  if (p->failed)
    return NULL;
  if (find_in(p->scope, name, hash_of(name))) {
    emu_syntax_error(p, "'%s' is declared twice", name);
    return NULL;
  }
  return add_to(p, p->scope, name, kind);
}

static struct emu_symbol *add_register(struct emu_parser *p, struct emu_symbol_scope *scope, const char *name,
                                       enum emu_type type) {
  struct emu_function *f = p->function;
  struct emu_symbol *s = add_to(p, scope, name, EMU_SYMBOL_REGISTER);
  if (!s)
    return NULL;
  s->type = type;
  s->index = f->register_count;
  f->registers = emu_arena_grow(p->module->arena, f->registers, sizeof *f->registers, f->register_count,
                                &p->register_capacity);
  if (!f->registers) {
    emu_out_of_memory(p);
    return NULL;
  }
  f->registers[f->register_count++] = s;
  return s;
}

/* %r12 of a range %r<20>: made at its first use, so that a range of a million registers costs nothing. */
static struct emu_symbol *find_in_ranges(struct emu_parser *p, struct emu_symbol_scope *scope,
                                         const char *name) {
  size_t length = strlen(name), digits = length;
  while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
    digits--;
  for (struct emu_register_range *r = scope->ranges; r; r = r->next) {
    if (r->length < digits || r->length >= length || memcmp(r->prefix, name, r->length))
      continue;
    uint64_t number = 0;
    for (size_t i = r->length; i < length && number < r->count; i++)
      number = number * 10 + (uint64_t)(name[i] - '0');
    if (number < r->count)
      return add_register(p, scope, name, r->type);
  }
  return NULL;
}

const struct emu_symbol *emu_symbol_lookup(struct emu_parser *p, const char *name) {
  uint32_t hash = hash_of(name);
  for (struct emu_symbol_scope *scope = p->scope; scope; scope = scope->parent) {
    struct emu_symbol *s = find_in(scope, name, hash);
    if (!s && scope->ranges)
      s = find_in_ranges(p, scope, name);
    if (s || p->failed)
      return s;
  }
  return NULL;
}

const struct emu_symbol *emu_find_symbol(const struct emu_symbol_scope *scope, const char *name) {
  const struct emu_symbol *s = NULL;
  for (; scope && !s; scope = scope->parent)
    s = find_in(scope, name, hash_of(name));
  return s;
}

/* .reg .b32 %r<10>, %a, %b; the token behind .reg is looked at. */
bool emu_register_declare(struct emu_parser *p) {
  if (!p->function)
    return emu_syntax_error(p, ".reg is not possible outside of a function");
  if (p->token.kind != EMU_TOKEN_DOTTED)
    return emu_syntax_error(p, "a type is needed behind .reg");
  enum emu_type type = emu_type_by_name(p->token.text, p->token.length);
  if (type == EMU_TYPE_NONE)
    return emu_syntax_error(p, "a register type is needed");
  do {
    emu_next_token(p);
    if (p->token.kind != EMU_TOKEN_NAME)
      return emu_syntax_error(p, "a register name is needed");
    const char *name = emu_token_copy(p);
    emu_next_token(p);
    if (emu_accept(p, "<")) {
      struct emu_register_range *r = emu_arena_allocate(p->module->arena, sizeof *r);
      if (!r)
        return emu_out_of_memory(p);
      *r = (struct emu_register_range){name, strlen(name), p->token.value, type, p->scope->ranges};
      if (p->token.kind != EMU_TOKEN_INTEGER)
        return emu_syntax_error(p, "a number of registers is needed");
      p->scope->ranges = r;
      emu_next_token(p);
      if (!emu_expect(p, ">"))
        return false;
    } else {
      if (find_in(p->scope, name, hash_of(name)))
        return emu_syntax_error(p, "'%s' is declared twice", name);
      if (!add_register(p, p->scope, name, type))
        return false;
    }
  } while (emu_token_is(p, ","));
  return emu_expect(p, ";");
}

static struct emu_label *label_in(const struct emu_symbol_scope *scope, const char *name, uint32_t hash) {
  struct emu_label *l = scope->labels;
  while (l && (l->hash != hash || strcmp(l->name, name)))
    l = l->next;
  return l;
}

bool emu_label_add(struct emu_parser *p, const char *name, struct emu_syntax *list, uint32_t count) {
  if (label_in(p->scope, name, hash_of(name)))
    return emu_syntax_error(p, "label '%s' is there twice", name);
  struct emu_label *label = emu_arena_allocate(p->module->arena, sizeof *label);
  if (!label)
    return emu_out_of_memory(p);
  label->name = name;
  label->hash = hash_of(name);
  label->target = p->function->statement_count;
  label->list = list;
  label->list_count = count;
  label->scope = p->scope;
  label->next = p->scope->labels;
  p->scope->labels = label;
  return true;
}

const struct emu_label *emu_find_label(const struct emu_symbol_scope *scope, const char *name) {
  const struct emu_label *label = NULL;
  for (uint32_t hash = hash_of(name); scope && !label; scope = scope->parent)
    label = label_in(scope, name, hash);
  return label;
}

static const struct {
  const char *name;
  enum emu_type type;
} types[] = {
    {"u8", EMU_U8},         {"u16", EMU_U16},       {"u32", EMU_U32},       {"u64", EMU_U64},
    {"s8", EMU_S8},         {"s16", EMU_S16},       {"s32", EMU_S32},       {"s64", EMU_S64},
    {"b8", EMU_B8},         {"b16", EMU_B16},       {"b32", EMU_B32},       {"b64", EMU_B64},
    {"b128", EMU_B128},     {"f16", EMU_F16},       {"f16x2", EMU_F16X2},   {"bf16", EMU_BF16},
    {"bf16x2", EMU_BF16X2}, {"tf32", EMU_TF32},     {"f32", EMU_F32},       {"f32x2", EMU_F32X2},
    {"f64", EMU_F64},       {"u16x2", EMU_U16X2},   {"s16x2", EMU_S16X2},   {"e4m3", EMU_E4M3},
    {"e5m2", EMU_E5M2},     {"e4m3x2", EMU_E4M3X2}, {"e5m2x2", EMU_E5M2X2}, {"pred", EMU_PRED},
};

enum emu_type emu_type_by_name(const char *name, size_t length) {
  for (size_t i = 0; length && i < sizeof types / sizeof types[0]; i++)
    if (types[i].name[0] == name[0] && !strncmp(types[i].name, name, length) && !types[i].name[length])
      return types[i].type;
  return EMU_TYPE_NONE;
}

unsigned emu_type_bytes(enum emu_type type) {
  static const uint8_t bytes[] = {
      [EMU_U8] = 1,    [EMU_U16] = 2,    [EMU_U32] = 4,    [EMU_U64] = 8,   [EMU_S8] = 1,     [EMU_S16] = 2,
      [EMU_S32] = 4,   [EMU_S64] = 8,    [EMU_B8] = 1,     [EMU_B16] = 2,   [EMU_B32] = 4,    [EMU_B64] = 8,
      [EMU_B128] = 16, [EMU_F16] = 2,    [EMU_F16X2] = 4,  [EMU_BF16] = 2,  [EMU_BF16X2] = 4, [EMU_TF32] = 4,
      [EMU_F32] = 4,   [EMU_F32X2] = 8,  [EMU_F64] = 8,    [EMU_U16X2] = 4, [EMU_S16X2] = 4,  [EMU_E4M3] = 1,
      [EMU_E5M2] = 1,  [EMU_E4M3X2] = 2, [EMU_E5M2X2] = 2, [EMU_PRED] = 0,
  };
  return bytes[type];
}

bool emu_type_signed(enum emu_type type) {
  return (type >= EMU_S8 && type <= EMU_S64) || type == EMU_S16X2;
}
