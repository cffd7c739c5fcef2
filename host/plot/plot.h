/* Attention weights as heat maps: on a terminal, as SVG, as PNG. Plain arrays and strings in, characters or
 * pixels out; knows nothing of models. */
#ifndef CUSEQ_PLOT_PLOT_H
#define CUSEQ_PLOT_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One heat map: the weights of one text. Nothing is copied; everything belongs to the caller. */
struct plot_panel {
  const char *title;    /* UTF-8, may be NULL                                                 */
  const float *weights; /* [rows] rows of `columns`, `stride` floats apart; NaN draws as 0    */
  int32_t rows;         /* at least 1                                                         */
  int32_t columns;      /* at least 1                                                         */
  size_t stride;
  const char *const *row_labels;    /* [rows] UTF-8, or NULL: 0, 1, 2, ...                                */
  const char *const *column_labels; /* [columns] UTF-8, or NULL: 0, 1, 2, ...                             */
};

struct plot_figure {
  const char *title;       /* may be NULL                                                                 */
  const char *row_axis;    /* what the rows are, "characters out"; its last word stands for it where space is
                              short                                                                       */
  const char *column_axis; /* what the columns are, "characters in"                                       */
  const struct plot_panel *panels;
  size_t count; /* at least 1                                                                             */
};

enum plot_color { PLOT_COLOR_NONE, PLOT_COLOR_256, PLOT_COLOR_TRUE };

struct plot_terminal_style {
  enum plot_color color;
  bool utf8;     /* false: ASCII only                                                                     */
  int32_t width; /* columns of the terminal; wider heat maps put several positions into one cell          */
};

/* What the environment says about the terminal: NO_COLOR, TERM, COLORTERM, the locale's character set (the
 * caller has called setlocale(LC_CTYPE, "")). `width` is what the terminal itself said, 0: unknown, then
 * COLUMNS or 80. */
struct plot_terminal_style plot_terminal_style(int32_t width);

/* Draw. Whether everything could be written is for the caller to ask of the stream (ferror). Control
 * characters in labels and titles draw as '?'. plot_png returns false when memory runs out or libpng fails,
 * with nothing or part of a file written. */
void plot_terminal(FILE *stream, const struct plot_figure *figure, const struct plot_terminal_style *style);
void plot_svg(FILE *stream, const struct plot_figure *figure);
bool plot_png(FILE *stream, const struct plot_figure *figure);

/* The value at the top of the colour scale: the smallest of 1, 0.5, 0.2, 0.1, ... that no weight exceeds. */
float plot_scale(const struct plot_figure *figure);

#endif
