/* Heat maps on a terminal, character by character. */
#include "plot/plot.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const float weights[] = {1, 0, 0.5f, 0.25f, 0, 1};
static const char *const rows[] = {"x", "<end>"};
static const char *const columns[] = {"a", " ", "pad"};
static const struct plot_panel panel = {"a \u2192 x", weights, 2, 3, 3, rows, columns};
static const struct plot_figure figure = {NULL, "characters out", "characters in", &panel, 1};

static char *text_of(const struct plot_figure *drawn, struct plot_terminal_style style) {
  setlocale(LC_CTYPE, "C.UTF-8");
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  plot_terminal(stream, drawn, &style);
  fclose(stream);
  return text;
}

static void expect(const struct plot_figure *drawn, struct plot_terminal_style style, const char *wanted) {
  char *text = text_of(drawn, style);
  cr_assert_str_eq(text, wanted, "got:\n%s", text);
  free(text);
}

Test(plot_terminal, draws_blocks_under_labels) {
  expect(&figure, (struct plot_terminal_style){PLOT_COLOR_NONE, true, 80},
         "a \u2192 x\n"
         "      characters in \u2192\n"
         "          p \n"
         "          a \n"
         "out \u2193 a \u2423 d \n"
         "    x \u2588\u2588  \u2592\u2592\n"
         "<end> \u2591\u2591  \u2588\u2588\n"
         "weight 0  "
         "\u2591\u2591\u2591\u2591\u2592\u2592\u2592\u2592\u2593\u2593\u2593\u2593\u2588\u2588\u2588\u2588"
         " 1\n");
}

Test(plot_terminal, draws_ascii_where_there_is_no_more) {
  expect(&figure, (struct plot_terminal_style){PLOT_COLOR_NONE, false, 80},
         "a > x\n"
         "      characters in >\n"
         "          p \n"
         "          a \n"
         "out v a _ d \n"
         "    x @@  ==\n"
         "<end> ::  @@\n"
         "weight 0   ..::--=++**##%@ 1\n");
}

Test(plot_terminal, positions_without_labels_have_numbers) {
  static float many[12];
  many[11] = 1;
  struct plot_panel numbers = {NULL, many, 1, 12, 12, NULL, NULL};
  struct plot_figure drawn = {NULL, "steps", "positions", &numbers, 1};
  expect(&drawn, (struct plot_terminal_style){PLOT_COLOR_NONE, false, 40},
         "        positions >\n"
         "steps v 0         5         10\n"
         "      0                       @@\n"
         "weight 0   ..::--=++**##%@ 1\n");
}

Test(plot_terminal, positions_share_cells_where_there_are_more_than_columns) {
  static float many[100];
  many[0] = 0.5f;
  many[1] = 1;
  many[99] = 0.5f;
  struct plot_panel wide = {NULL, many, 1, 100, 100, NULL, NULL};
  struct plot_figure drawn = {NULL, "steps", "positions", &wide, 1};
  expect(&drawn, (struct plot_terminal_style){PLOT_COLOR_NONE, false, 34},
         "        positions >\n"
         "steps v 0    20   40   60   80\n"
         "      0 @                       =\n"
         "(a cell shows the largest weight of 4 positions)\n"
         "weight 0   ..::--=++**##%@ 1\n");
}

Test(plot_terminal, colors_end_with_each_line) {
  static const enum plot_color colors[] = {PLOT_COLOR_256, PLOT_COLOR_TRUE};
  for (int i = 0; i < 2; i++) {
    char *text = text_of(&figure, (struct plot_terminal_style){colors[i], true, 80}), *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
      char *last = NULL;
      for (char *found = line; (found = strstr(found, "\033[")); found++)
        last = found;
      cr_assert(!last || strncmp(last, "\033[0m", 4) == 0, "the line %s", line);
    }
    free(text);
  }
}

Test(plot_terminal, escapes_of_a_label_do_not_reach_the_terminal) {
  static const char *const evil[] = {"\033[2J", "\xc2\x9b", "\xff"};
  struct plot_panel drawn = {"\033]0;x\a", weights, 2, 3, 3, evil, evil};
  char *text = text_of(&(struct plot_figure){"\r\n", "out", "in", &drawn, 1},
                       (struct plot_terminal_style){PLOT_COLOR_NONE, true, 80});
  for (const char *c = text; *c; c++)
    cr_assert((unsigned char)*c >= 0x20 || *c == '\n');
  cr_assert_null(strstr(text, "\xc2\x9b"));
  free(text);
}

static struct plot_terminal_style style_with(const char *term, const char *depth, const char *no_color) {
  unsetenv("NO_COLOR");
  unsetenv("COLORTERM");
  unsetenv("TERM");
  if (term)
    setenv("TERM", term, 1);
  if (depth)
    setenv("COLORTERM", depth, 1);
  if (no_color)
    setenv("NO_COLOR", no_color, 1);
  return plot_terminal_style(100);
}

Test(plot_terminal, colors_are_what_the_environment_says) {
  cr_assert_eq(style_with("xterm", NULL, NULL).color, PLOT_COLOR_NONE);
  cr_assert_eq(style_with("xterm-256color", NULL, NULL).color, PLOT_COLOR_256);
  cr_assert_eq(style_with("xterm-256color", "truecolor", NULL).color, PLOT_COLOR_TRUE);
  cr_assert_eq(style_with("xterm", "24bit", NULL).color, PLOT_COLOR_TRUE);
  cr_assert_eq(style_with("xterm-256color", "truecolor", "1").color, PLOT_COLOR_NONE);
  cr_assert_eq(style_with("xterm-256color", NULL, "").color, PLOT_COLOR_256);
  cr_assert_eq(style_with("dumb", "truecolor", NULL).color, PLOT_COLOR_NONE);
  cr_assert_eq(style_with(NULL, "truecolor", NULL).color, PLOT_COLOR_NONE);
}

Test(plot_terminal, the_width_is_the_terminals_or_columns_or_80) {
  setenv("COLUMNS", "61", 1);
  cr_assert_eq(plot_terminal_style(100).width, 100);
  cr_assert_eq(plot_terminal_style(0).width, 61);
  setenv("COLUMNS", "x", 1);
  cr_assert_eq(plot_terminal_style(0).width, 80);
  unsetenv("COLUMNS");
  cr_assert_eq(plot_terminal_style(0).width, 80);
  cr_assert_eq(plot_terminal_style(3).width, 20);
}
