/* PTX text into tokens. */
#include "parser.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool name_start(char c) {
  return isalpha((unsigned char)c) || c == '_' || c == '$' || c == '%';
}

static bool name_rest(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '$';
}

static void skip_blank(struct emu_parser *p) {
  while (p->at < p->end) {
    char c = *p->at;
    if (c == '\n') {
      p->line++;
      p->at++;
    } else if (isspace((unsigned char)c) || c == '\0') {
      p->at++;
    } else if (c == '/' && p->at + 1 < p->end && p->at[1] == '/') {
      while (p->at < p->end && *p->at != '\n')
        p->at++;
    } else if (c == '/' && p->at + 1 < p->end && p->at[1] == '*') {
      p->at += 2;
      while (p->at < p->end && !(p->at[0] == '*' && p->at + 1 < p->end && p->at[1] == '/'))
        p->line += *p->at++ == '\n';
      p->at = p->end - p->at < 2 ? p->end : p->at + 2;
    } else {
      return;
    }
  }
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = (char)tolower((unsigned char)c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Hexadecimal digits of a 0f or 0d literal: exactly `digits` of them. */
static bool lex_bits(struct emu_parser *p, unsigned digits) {
  uint64_t value = 0;
  p->at += 2;
  for (unsigned i = 0; i < digits; i++, p->at++) {
    if (p->at >= p->end || digit_of(*p->at) > 15)
      return false;
    value = value << 4 | (uint64_t)digit_of(*p->at);
  }
  p->token.kind = EMU_TOKEN_FLOAT;
  p->token.value = value;
  p->token.bytes = digits == 8 ? 4 : 8;
  return true;
}

static bool lex_decimal_float(struct emu_parser *p, const char *start) {
  char text[64];
  const char *end = start;
  while (end < p->end &&
         (isdigit((unsigned char)*end) || *end == '.' || *end == 'e' || *end == 'E' ||
          ((*end == '-' || *end == '+') && end > start && (end[-1] == 'e' || end[-1] == 'E'))))
    end++;
  if ((size_t)(end - start) >= sizeof text)
    return false;
  memcpy(text, start, (size_t)(end - start));
  text[end - start] = '\0';
  char *stop;
  double value = strtod(text, &stop);
  if (*stop)
    return false;
  memcpy(&p->token.value, &value, sizeof value);
  p->token.bytes = 8;
  p->token.kind = EMU_TOKEN_FLOAT;
  p->at = end;
  return true;
}

static bool lex_number(struct emu_parser *p) {
  const char *start = p->at;
  size_t left = (size_t)(p->end - p->at);
  if (left > 1 && start[0] == '0' && tolower((unsigned char)start[1]) == 'f')
    return lex_bits(p, 8);
  if (left > 1 && start[0] == '0' && tolower((unsigned char)start[1]) == 'd')
    return lex_bits(p, 16);
  int base = 10;
  if (left > 1 && start[0] == '0') {
    char c = (char)tolower((unsigned char)start[1]);
    base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
    p->at += c == 'x' || c == 'b' ? 2 : 1;
  }
  uint64_t value = 0;
  const char *digits = p->at;
  for (; p->at < p->end && digit_of(*p->at) < base; p->at++) {
    if (value > (UINT64_MAX - (uint64_t)digit_of(*p->at)) / (uint64_t)base)
      return false;
    value = value * (uint64_t)base + (uint64_t)digit_of(*p->at);
  }
  if (base != 16 && p->at < p->end && (*p->at == '.' || *p->at == 'e' || *p->at == 'E') &&
      !(*p->at == '.' && p->at + 1 < p->end && isalpha((unsigned char)p->at[1])))
    return lex_decimal_float(p, start);
  if (p->at == digits && base != 8)
    return false;
  if (p->at < p->end && *p->at == 'U')
    p->at++;
  p->token.kind = EMU_TOKEN_INTEGER;
  p->token.value = value;
  return true;
}

static void lex_string(struct emu_parser *p) {
  const char *start = ++p->at;
  while (p->at < p->end && *p->at != '"' && *p->at != '\n')
    p->at += *p->at == '\\' && p->at + 1 < p->end ? 2 : 1;
  p->token.text = start;
  p->token.length = (size_t)((p->at < p->end ? p->at : p->end) - start);
  p->token.kind = p->at < p->end && *p->at == '"' ? EMU_TOKEN_STRING : EMU_TOKEN_BAD;
  p->at = p->at < p->end ? p->at + 1 : p->end;
}

void emu_next_token(struct emu_parser *p) {
  skip_blank(p);
  p->token = (struct emu_token){.kind = EMU_TOKEN_END, .text = p->at, .line = p->line};
  if (p->at >= p->end)
    return;
  const char *start = p->at;
  char c = *start;
  if (name_start(c)) {
    while (p->at < p->end && (p->at == start || name_rest(*p->at)))
      p->at++;
    p->token.kind = EMU_TOKEN_NAME;
  } else if (c == '.' && p->at + 1 < p->end && (isalnum((unsigned char)start[1]) || start[1] == '_')) {
    p->token.text = ++start;
    p->at++;
    while (p->at < p->end && (name_rest(*p->at) || (*p->at == ':' && p->at + 2 < p->end && p->at[1] == ':')))
      p->at += *p->at == ':' ? 2 : 1;
    p->token.kind = EMU_TOKEN_DOTTED;
  } else if (isdigit((unsigned char)c)) {
    if (!lex_number(p)) {
      p->token.kind = EMU_TOKEN_BAD;
      p->at = p->at > start ? p->at : start + 1;
    }
  } else if (c == '"') {
    lex_string(p);
    return;
  } else {
    p->at++;
    p->token.kind = strchr(",;:(){}[]<>=+-!|@~*&^?/%", c) ? EMU_TOKEN_SYMBOL : EMU_TOKEN_BAD;
  }
  p->token.length = (size_t)(p->at - start);
}

bool emu_token_is(const struct emu_parser *p, const char *text) {
  return (p->token.kind == EMU_TOKEN_NAME || p->token.kind == EMU_TOKEN_SYMBOL) &&
         p->token.length == strlen(text) && !memcmp(p->token.text, text, p->token.length);
}

bool emu_token_dotted(const struct emu_parser *p, const char *text) {
  return p->token.kind == EMU_TOKEN_DOTTED && p->token.length == strlen(text) &&
         !memcmp(p->token.text, text, p->token.length);
}

bool emu_accept(struct emu_parser *p, const char *text) {
  if (p->failed || !emu_token_is(p, text))
    return false;
  emu_next_token(p);
  return true;
}

bool emu_expect(struct emu_parser *p, const char *text) {
  return emu_accept(p, text) || emu_syntax_error(p, "'%s' is needed", text);
}

const char *emu_token_copy(struct emu_parser *p) {
  const char *copy = emu_arena_text(p->module->arena, p->token.text, p->token.length);
  if (!copy)
    emu_out_of_memory(p);
  return copy ? copy : "";
}

bool emu_syntax_error(struct emu_parser *p, const char *format, ...) {
  if (p->failed)
    return false;
  p->failed = true;
  char why[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  char found[48];
  int shown = p->token.length > 40 ? 40 : (int)p->token.length;
  for (int i = 0; i < shown; i++)
    found[i] = isprint((unsigned char)p->token.text[i]) ? p->token.text[i] : '?';
  found[shown] = '\0';
  p->error->status = EMU_ERROR_INVALID_PTX;
  if (p->token.kind == EMU_TOKEN_END)
    snprintf(p->error->text, sizeof p->error->text, "PTX line %u: %s (found the end of the text)", p->line,
             why);
  else
    snprintf(p->error->text, sizeof p->error->text, "PTX line %u: %s (found '%s')", p->token.line, why,
             found);
  return false;
}

bool emu_out_of_memory(struct emu_parser *p) {
  if (!p->failed) {
    p->failed = true;
    p->error->status = EMU_ERROR_HOST_MEMORY;
    snprintf(p->error->text, sizeof p->error->text, "PTX: no memory to parse it");
  }
  return false;
}
