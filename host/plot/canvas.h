/* What a heat map is drawn on: SVG or pixels. Coordinates in pixels of 1/96 inch, y downwards. */
#ifndef CUSEQ_PLOT_CANVAS_H
#define CUSEQ_PLOT_CANVAS_H

#include "plot/plot.h"

enum canvas_anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };
enum canvas_ink { INK_TEXT, INK_MUTED, INK_FRAME, INK_COUNT };
enum canvas_font { FONT_PLAIN, FONT_BOLD, FONT_LABEL };

struct canvas_text {
  double x, y; /* of the anchor, on the baseline                                                          */
  double size; /* of the font                                                                             */
  enum canvas_anchor anchor;
  enum canvas_ink ink;
  enum canvas_font font;
  bool upwards; /* reads from bottom to top                                                               */
};

struct canvas {
  void *self;
  /* A filled rectangle in the colour of a ramp level; `hint` may be NULL: what a pointer on it shows. */
  void (*cell)(void *self, double x, double y, double width, double height, int level, const char *hint);
  void (*frame)(void *self, double x, double y, double width, double height);
  void (*text)(void *self, const struct canvas_text *text, const char *string);
};

/* The size of a figure, and the figure itself. */
void figure_size(const struct plot_figure *figure, double *width, double *height);
void figure_draw(const struct plot_figure *figure, const struct canvas *canvas);

#endif
