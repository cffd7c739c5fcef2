/* A figure as SVG: one self-contained file. Colours are attributes, for readers that know no style sheets;
 * one style sheet turns them where the reader asks for dark colours. */
#include "plot/canvas.h"
#include "plot/label.h"
#include "plot/ramp.h"

#include <string.h>

static const char *const ink_names[INK_COUNT] = {"ink", "muted", "frame"};
static const char *const ink_light[INK_COUNT] = {"#16202e", "#5b6879", "#b9c3d0"};
static const char *const ink_dark[INK_COUNT] = {"#e8edf5", "#9aa8bb", "#3c4a60"};
static const char *const paper_light = "#ffffff", *const paper_dark = "#0d121c";

static void svg_escaped(FILE *stream, const char *text) {
  for (uint32_t c; (c = label_next(&text));) {
    char bytes[5];
    label_put(c, bytes);
    fputs(c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : bytes, stream);
  }
}

static void svg_cell(void *self, double x, double y, double width, double height, int level,
                     const char *hint) {
  struct rgb color = ramp_color(RAMP_LIGHT, level);
  fprintf(self, "<rect class=\"w%d\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"#%02x%02x%02x\"",
          level, x, y, width, height, color.red, color.green, color.blue);
  if (hint) {
    fputs("><title>", self);
    svg_escaped(self, hint);
    fputs("</title></rect>\n", self);
  } else {
    fputs("/>\n", self);
  }
}

static void svg_frame(void *self, double x, double y, double width, double height) {
  fprintf(
      self,
      "<rect class=\"frame\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"none\" stroke=\"%s\"/>\n", x,
      y, width, height, ink_light[INK_FRAME]);
}

static void svg_text(void *self, const struct canvas_text *text, const char *string) {
  static const char *const anchors[] = {"start", "middle", "end"};
  if (!*string)
    return;
  fprintf(self, "<text class=\"%s\" x=\"%g\" y=\"%g\" font-size=\"%g\" fill=\"%s\"", ink_names[text->ink],
          text->x, text->y, text->size, ink_light[text->ink]);
  if (text->anchor != ANCHOR_START)
    fprintf(self, " text-anchor=\"%s\"", anchors[text->anchor]);
  if (text->font == FONT_BOLD)
    fputs(" font-weight=\"600\"", self);
  if (text->font == FONT_LABEL)
    fputs(" font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\"", self);
  if (text->upwards)
    fprintf(self, " transform=\"rotate(-90 %g %g)\"", text->x, text->y);
  fputc('>', self);
  svg_escaped(self, string);
  fputs("</text>\n", self);
}

static void svg_style(FILE *stream) {
  fprintf(stream, "<style>@media (prefers-color-scheme: dark) {\n.paper { fill: %s }\n", paper_dark);
  for (int ink = 0; ink < INK_COUNT; ink++)
    fprintf(stream, ".%s { %s: %s }\n", ink_names[ink], ink == INK_FRAME ? "stroke" : "fill", ink_dark[ink]);
  for (int level = 0; level <= RAMP_LEVELS; level++) {
    struct rgb color = ramp_color(RAMP_DARK, level);
    fprintf(stream, ".w%d { fill: #%02x%02x%02x }\n", level, color.red, color.green, color.blue);
  }
  fputs("}</style>\n", stream);
}

void plot_svg(FILE *stream, const struct plot_figure *figure) {
  double width, height;
  figure_size(figure, &width, &height);
  fprintf(stream,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" "
          "role=\"img\" "
          "font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif\">\n<title>",
          width, height, width, height);
  svg_escaped(stream, figure->title ? figure->title : "Attention weights");
  fputs("</title>\n", stream);
  svg_style(stream);
  fprintf(stream, "<rect class=\"paper\" width=\"%g\" height=\"%g\" fill=\"%s\"/>\n", width, height,
          paper_light);
  figure_draw(figure, &(struct canvas){stream, svg_cell, svg_frame, svg_text});
  fputs("</svg>\n", stream);
}
