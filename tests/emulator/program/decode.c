/* Modifiers, and the choice of the family that decodes an instruction. */
#include "build.h"

#include "../interpreter/interpreter.h"
#include "../interpreter/level.h"

#include <string.h>

enum emu_type emu_type_by_name(const char *name, size_t length);

const char *emu_opcode(const struct emu_decoder *d) {
  return d->statement->opcode;
}

bool emu_take(struct emu_decoder *d, const char *name) {
  for (unsigned i = 0; i < d->statement->modifier_count; i++)
    if (!(d->taken >> i & 1) && !strcmp(d->statement->modifiers[i], name)) {
      d->taken |= 1u << i;
      return true;
    }
  return false;
}

int emu_take_one(struct emu_decoder *d, const char *const *names) {
  for (unsigned m = 0; m < d->statement->modifier_count; m++)
    for (int i = 0; !(d->taken >> m & 1) && names[i]; i++)
      if (!strcmp(d->statement->modifiers[m], names[i])) {
        d->taken |= 1u << m;
        return i;
      }
  return -1;
}

bool emu_has(const struct emu_decoder *d, const char *name) {
  for (unsigned i = 0; i < d->statement->modifier_count; i++)
    if (!strcmp(d->statement->modifiers[i], name))
      return true;
  return false;
}

static enum emu_type type_at(const struct emu_decoder *d, unsigned i) {
  return emu_type_by_name(d->statement->modifiers[i], strlen(d->statement->modifiers[i]));
}

enum emu_type emu_peek_type(const struct emu_decoder *d) {
  for (unsigned i = 0; i < d->statement->modifier_count; i++)
    if (!(d->taken >> i & 1) && type_at(d, i) != EMU_TYPE_NONE)
      return type_at(d, i);
  return EMU_TYPE_NONE;
}

enum emu_type emu_last_type(const struct emu_decoder *d) {
  for (unsigned i = d->statement->modifier_count; i-- > 0;)
    if (type_at(d, i) != EMU_TYPE_NONE)
      return type_at(d, i);
  return EMU_TYPE_NONE;
}

enum emu_type emu_take_type(struct emu_decoder *d) {
  for (unsigned i = 0; i < d->statement->modifier_count; i++)
    if (!(d->taken >> i & 1) && type_at(d, i) != EMU_TYPE_NONE) {
      d->taken |= 1u << i;
      return type_at(d, i);
    }
  return EMU_TYPE_NONE;
}

enum emu_decode_result emu_refuse(struct emu_decoder *d, const char *why) {
  if (!d->why[0])
    snprintf(d->why, sizeof d->why, "%s", why);
  return EMU_UNSUPPORTED;
}

struct emu_arena *emu_decoder_arena(struct emu_decoder *d) {
  return d->program->arena;
}

int emu_decoder_capability(const struct emu_decoder *d) {
  (void)d;
  return emu_settings()->capability;
}

void emu_take_space(struct emu_decoder *d, struct emu_instruction *out) {
  static const struct {
    const char *name;
    enum emu_space space;
  } spaces[] = {{"global", EMU_SPACE_GLOBAL},
                {"shared", EMU_SPACE_SHARED},
                {"local", EMU_SPACE_LOCAL},
                {"const", EMU_SPACE_CONST},
                {"param", EMU_SPACE_PARAM},
                {"shared::cta", EMU_SPACE_SHARED},
                {"shared::cluster", EMU_SPACE_SHARED},
                {"param::entry", EMU_SPACE_PARAM},
                {"param::func", EMU_SPACE_PARAM}};
  out->space = EMU_SPACE_GENERIC;
  for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
    if (emu_take(d, spaces[i].name)) {
      out->space = (uint8_t)spaces[i].space;
      return;
    }
}

static void run_unsupported(struct emu_warp *warp, const struct emu_instruction *in, uint32_t mask) {
  emu_fault(warp, in, (unsigned)__builtin_ctz(mask), EMU_FAULT_ILLEGAL_INSTRUCTION,
            "unsupported instruction: %s", (const char *)in->extra);
}

/* The statement as written, on one line. */
static void statement_text(const struct emu_decoder *d, char *text, size_t bytes) {
  const char *from = d->program->syntax->text + d->statement->text;
  size_t n = 0;
  for (uint32_t i = 0; i < d->statement->text_length && n + 1 < bytes; i++) {
    char c = from[i];
    if (c == '\n' || c == '\t' || c == '\r')
      c = ' ';
    if (c != ' ' || (n && text[n - 1] != ' '))
      text[n++] = (char)(c < 32 || c > 126 ? '?' : c);
  }
  text[n] = '\0';
}

static void refuse(struct emu_decoder *d, struct emu_instruction *out) {
  char text[160], whole[400];
  statement_text(d, text, sizeof text);
  snprintf(whole, sizeof whole, "'%s' (%s)", text, d->why[0] ? d->why : "not known");
  out->run = run_unsupported;
  out->class = EMU_CLASS_OTHER;
  out->extra = emu_arena_text(d->program->arena, whole, strlen(whole));
  d->no_memory = d->no_memory || !out->extra;
}

static bool all_taken(struct emu_decoder *d) {
  for (unsigned i = 0; i < d->statement->modifier_count; i++)
    if (!(d->taken >> i & 1)) {
      snprintf(d->why, sizeof d->why, "modifier .%.40s is not known here", d->statement->modifiers[i]);
      return false;
    }
  return true;
}

void emu_decode_statement(struct emu_decoder *d, struct emu_instruction *out) {
  struct emu_instruction blank = *out;
  const struct emu_family *const *families = emu_level_families();
  const char *opcode = d->statement->opcode;
  d->why[0] = '\0';
  for (; *families; families++)
    for (const struct emu_opcode_entry *e = (*families)->opcodes; e->name; e++) {
      if (e->name[0] != opcode[0] || strcmp(e->name, opcode))
        continue;
      *out = blank;
      d->taken = 0;
      switch (e->decode(d, out)) {
      case EMU_NOT_MINE:
        continue;
      case EMU_DECODED:
        if (all_taken(d))
          return;
        break;
      case EMU_UNSUPPORTED:
        break;
      }
      struct emu_instruction refused = blank;
      refuse(d, &refused);
      *out = refused;
      return;
    }
  *out = blank;
  refuse(d, out);
}
