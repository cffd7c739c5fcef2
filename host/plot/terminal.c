/* A figure on a terminal: one line per row of weights, a cell one or two characters wide, column labels read
 * from top to bottom. */
#include "plot/label.h"
#include "plot/plot.h"
#include "plot/ramp.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { HEADER_LINES = 6, GUTTER_LARGEST = 16, NARROWEST = 20, WIDEST = 1000 };

/* How a panel fits the width: `group` neighbouring positions share a cell, which shows their largest weight.
 */
struct fit {
  int32_t gutter;
  int32_t cell;
  int32_t group;
  int32_t cells;
  float top;
};

struct plot_terminal_style plot_terminal_style(int32_t width) {
  const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *depth = getenv("COLORTERM");
  const char *columns = getenv("COLUMNS");
  struct plot_terminal_style style = {.width = width, .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
  if (style.width <= 0 && columns)
    style.width = (int32_t)strtol(columns, NULL, 10);
  if (style.width <= 0)
    style.width = 80;
  style.width = style.width < NARROWEST ? NARROWEST : style.width > WIDEST ? WIDEST : style.width;
  if ((no_color && *no_color) || !term || strcmp(term, "dumb") == 0)
    return style;
  if (depth && (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0))
    style.color = PLOT_COLOR_TRUE;
  else if (strstr(term, "256color"))
    style.color = PLOT_COLOR_256;
  return style;
}

static int32_t character_width(uint32_t character) {
  int width = wcwidth((wchar_t)character);
  return width < 0 ? 1 : width;
}

static int32_t text_width(const char *text) {
  int32_t width = 0;
  for (uint32_t c; (c = label_next(&text));)
    width += character_width(c);
  return width;
}

static void put_character(FILE *stream, uint32_t character, const struct plot_terminal_style *style) {
  char bytes[5];
  if (character >= 0x80 && !style->utf8)
    character = character == 0x2423 ? '_' : character == 0x2192 ? '>' : '?';
  label_put(character, bytes);
  fputs(bytes, stream);
}

static void put_spaces(FILE *stream, int32_t count) {
  for (int32_t i = 0; i < count; i++)
    fputc(' ', stream);
}

/* At most `limit` columns of `text`; returns how many. */
static int32_t put_text(FILE *stream, const char *text, int32_t limit,
                        const struct plot_terminal_style *style) {
  int32_t width = 0;
  for (uint32_t c; (c = label_next(&text)) && width + character_width(c) <= limit;) {
    put_character(stream, c, style);
    width += character_width(c);
  }
  return width;
}

static void put_style(FILE *stream, const char *code, const struct plot_terminal_style *style) {
  if (style->color != PLOT_COLOR_NONE)
    fprintf(stream, "\033[%sm", code);
}

/* The nearest of the 6 x 6 x 6 colours that 256-colour terminals have. */
static int color_256(struct rgb color) {
  const uint8_t channels[3] = {color.red, color.green, color.blue};
  int index = 16;
  static const int weights[3] = {36, 6, 1};
  for (int c = 0; c < 3; c++)
    index += weights[c] * (channels[c] < 48 ? 0 : channels[c] < 115 ? 1 : (channels[c] - 35) / 40);
  return index;
}

static void put_cell(FILE *stream, int level, int32_t width, const struct plot_terminal_style *style) {
  static const char *const shades[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
  static const char letters[] = " .:-=+*#%@";
  if (style->color == PLOT_COLOR_NONE) {
    for (int32_t i = 0; i < width; i++) {
      if (style->utf8)
        fputs(shades[(level * 4 + RAMP_LEVELS - 1 - RAMP_LEVELS / 8) / RAMP_LEVELS], stream);
      else
        fputc(letters[level * 9 / RAMP_LEVELS], stream);
    }
    return;
  }
  struct rgb color = ramp_color(RAMP_TERMINAL, level);
  if (style->color == PLOT_COLOR_TRUE)
    fprintf(stream, "\033[48;2;%d;%d;%dm", color.red, color.green, color.blue);
  else
    fprintf(stream, "\033[48;5;%dm", color_256(color));
  put_spaces(stream, width);
}

static const char *last_word(const char *text) {
  const char *space = strrchr(text, ' ');
  return space ? space + 1 : text;
}

static struct fit fit_panel(const struct plot_figure *figure, const struct plot_panel *panel,
                            const struct plot_terminal_style *style) {
  struct fit fit = {.gutter = text_width(last_word(figure->row_axis)) + 2, .top = plot_scale(figure)};
  char number[LABEL_BYTES];
  for (int32_t i = 0; i < panel->rows; i++) {
    int32_t width = text_width(label_get(panel->row_labels, i, number));
    fit.gutter = width > fit.gutter ? width : fit.gutter;
  }
  if (fit.gutter > GUTTER_LARGEST)
    fit.gutter = GUTTER_LARGEST;
  int32_t room = style->width - fit.gutter - 2;
  room = room < 1 ? 1 : room;
  fit.cell = panel->columns <= room / 2 ? 2 : 1;
  fit.group = (panel->columns - 1) / room + 1;
  fit.cells = (panel->columns - 1) / fit.group + 1;
  return fit;
}

/* The `line`-th of `lines` characters of a label that stands upright on the last line; 0: nothing there. */
static uint32_t label_character(const char *label, int32_t line, int32_t lines) {
  int32_t skip = lines - label_length(label);
  uint32_t character = 0;
  for (int32_t i = skip > 0 ? skip : 0; i <= line; i++)
    if (!(character = label_next(&label)))
      return 0;
  return line < skip ? 0 : character;
}

/* The labels of a panel whose cells carry one each, read from top to bottom, the `line`-th character of them.
 */
static void put_label_line(FILE *stream, const struct plot_panel *panel, const struct fit *fit, int32_t line,
                           int32_t lines, const struct plot_terminal_style *style) {
  char number[LABEL_BYTES];
  for (int32_t t = 0; t < fit->cells; t++) {
    uint32_t character = label_character(label_get(panel->column_labels, t, number), line, lines);
    int32_t width = character ? character_width(character) : 0;
    bool fits = width > 0 && width <= fit->cell;
    if (fits)
      put_character(stream, character, style);
    put_spaces(stream, fit->cell - (fits ? width : 0));
  }
}

/* The numbers of positions that have no labels, or share cells: at every cell, fifth cell or tenth cell. */
static void put_number_line(FILE *stream, const struct fit *fit, const struct plot_terminal_style *style) {
  int32_t step = fit->cells <= 10 && fit->cell > 1 ? 1
                 : fit->cells > 40                 ? 10
                                                   : 5,
          room = style->width - fit->gutter - 1, used = 0;
  for (int32_t t = 0; t < fit->cells; t += step) {
    char number[LABEL_BYTES];
    int32_t length = (int32_t)strlen(label_get(NULL, t * fit->group, number));
    put_spaces(stream, t * fit->cell - used);
    used = t * fit->cell;
    if (used + length > room)
      break;
    fputs(number, stream);
    used += length;
  }
}

static void put_header(FILE *stream, const struct plot_figure *figure, const struct plot_panel *panel,
                       const struct fit *fit, const struct plot_terminal_style *style) {
  char number[LABEL_BYTES];
  int32_t lines = 1;
  bool labels = panel->column_labels && fit->group == 1;
  for (int32_t t = 0; labels && t < fit->cells; t++) {
    int32_t length = label_length(label_get(panel->column_labels, t, number));
    lines = length > lines ? length : lines;
  }
  if (lines > HEADER_LINES)
    lines = HEADER_LINES;
  put_spaces(stream, fit->gutter + 1);
  put_style(stream, "2", style);
  put_text(stream, figure->column_axis, style->width - fit->gutter - 4, style);
  fputs(style->utf8 ? " \u2192" : " >", stream);
  put_style(stream, "0", style);
  fputc('\n', stream);
  for (int32_t line = 0; line < lines; line++) {
    int32_t used = 0;
    if (line == lines - 1) {
      put_style(stream, "2", style);
      used = put_text(stream, last_word(figure->row_axis), fit->gutter - 2, style) + 2;
      fputs(style->utf8 ? " \u2193" : " v", stream);
      put_style(stream, "0", style);
    }
    put_spaces(stream, fit->gutter + 1 - used);
    if (labels)
      put_label_line(stream, panel, fit, line, lines, style);
    else
      put_number_line(stream, fit, style);
    fputc('\n', stream);
  }
}

static float group_weight(const float *row, const struct plot_panel *panel, const struct fit *fit,
                          int32_t cell) {
  float largest = 0;
  for (int32_t t = cell * fit->group; t < panel->columns && t < (cell + 1) * fit->group; t++)
    largest = row[t] > largest ? row[t] : largest;
  return largest;
}

static void put_panel(FILE *stream, const struct plot_figure *figure, const struct plot_panel *panel,
                      const struct plot_terminal_style *style) {
  struct fit fit = fit_panel(figure, panel, style);
  char number[LABEL_BYTES];
  if (panel->title) {
    put_style(stream, "1", style);
    put_text(stream, panel->title, style->width, style);
    put_style(stream, "0", style);
    fputc('\n', stream);
  }
  put_header(stream, figure, panel, &fit, style);
  for (int32_t i = 0; i < panel->rows; i++) {
    const char *label = label_get(panel->row_labels, i, number);
    put_spaces(stream, fit.gutter - text_width(label));
    put_text(stream, label, fit.gutter, style);
    fputc(' ', stream);
    for (int32_t t = 0; t < fit.cells; t++)
      put_cell(stream,
               ramp_level(group_weight(panel->weights + (size_t)i * panel->stride, panel, &fit, t), fit.top),
               fit.cell, style);
    put_style(stream, "0", style);
    fputc('\n', stream);
  }
  if (fit.group > 1)
    fprintf(stream, "(a cell shows the largest weight of %d positions)\n", (int)fit.group);
}

static void put_scale(FILE *stream, float top, const struct plot_terminal_style *style) {
  put_style(stream, "2", style);
  fputs("weight 0 ", stream);
  put_style(stream, "0", style);
  for (int level = 0; level <= RAMP_LEVELS; level += style->width < 32 ? 8 : 2)
    put_cell(stream, level, 1, style);
  put_style(stream, "0", style);
  put_style(stream, "2", style);
  fprintf(stream, " %g", (double)top);
  put_style(stream, "0", style);
  fputc('\n', stream);
}

void plot_terminal(FILE *stream, const struct plot_figure *figure, const struct plot_terminal_style *style) {
  if (figure->title) {
    put_style(stream, "1", style);
    put_text(stream, figure->title, style->width, style);
    put_style(stream, "0", style);
    fputs("\n\n", stream);
  }
  for (size_t p = 0; p < figure->count; p++) {
    put_panel(stream, figure, &figure->panels[p], style);
    if (p + 1 < figure->count)
      fputc('\n', stream);
  }
  put_scale(stream, plot_scale(figure), style);
}
