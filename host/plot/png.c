/* A figure as PNG, two pixels for each of the figure's, on white. */
#include "plot/canvas.h"
#include "plot/font.h"
#include "plot/label.h"
#include "plot/raster.h"

#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

enum { SCALE = 2, POINTS = 512 };

static const double PI = 3.14159265358979323846;
static const double UNIT = 0.72 / 7; /* a glyph unit as a share of the font's size */
static const double BEARING = 0.9;   /* free space on either side of a glyph, in its units */
static const struct rgb inks[INK_COUNT] = {{22, 32, 46}, {91, 104, 121}, {185, 195, 208}};

struct pen {
  struct raster_point points[POINTS];
  size_t count;
};

static void pen_to(struct pen *pen, double x, double y, bool jump) {
  if (pen->count < POINTS)
    pen->points[pen->count++] = (struct raster_point){x, y, jump};
}

static void pen_arc(struct pen *pen, const double *a, bool jump) {
  int steps = (int)(fabs(a[5] - a[4]) / 12) + 1;
  for (int i = 0; i <= steps; i++) {
    double angle = (a[4] + (a[5] - a[4]) * i / steps) * PI / 180;
    pen_to(pen, a[0] + a[2] * cos(angle), a[1] + a[3] * sin(angle), jump && i == 0);
  }
}

static void pen_curve(struct pen *pen, const double *a) {
  struct raster_point from = pen->points[pen->count - 1];
  for (int i = 1; i <= 8; i++) {
    double u = i / 8.0, v = 1 - u;
    pen_to(pen, v * v * from.x + 2 * u * v * a[0] + u * u * a[2],
           v * v * from.y + 2 * u * v * a[1] + u * u * a[3], false);
  }
}

/* The strokes of a glyph, moved by (dx, dy); in glyph units. */
static void pen_glyph(struct pen *pen, const char *path, double dx, double dy) {
  size_t first = pen->count;
  while (*path) {
    char command = *path++;
    int count = command == 'Q' ? 4 : command == 'M' || command == 'L' ? 2 : 6;
    double a[6];
    for (int i = 0; i < count; i++)
      a[i] = strtod(path, (char **)&path);
    if (command == 'M' || command == 'L')
      pen_to(pen, a[0], a[1], command == 'M');
    else if (command == 'Q')
      pen_curve(pen, a);
    else
      pen_arc(pen, a, command == 'O');
  }
  for (size_t i = first; i < pen->count; i++) {
    pen->points[i].x += dx;
    pen->points[i].y += dy;
  }
}

static double text_width(const char *string) {
  double width = 0;
  const struct glyph *accent;
  for (uint32_t c; (c = label_next(&string));)
    width += font_glyph(c, &accent)->width + 2 * BEARING;
  return width;
}

static bool is_capital(const struct glyph *glyph) {
  return glyph->character >= 'A' && glyph->character <= 'Z';
}

static void pixels_text(void *self, const struct canvas_text *text, const char *string) {
  double unit = text->size * UNIT * SCALE, along = 0;
  double shift =
      text->anchor == ANCHOR_START ? 0 : text_width(string) * (text->anchor == ANCHOR_END ? 1 : 0.5);
  for (uint32_t c; (c = label_next(&string));) {
    struct pen pen = {.count = 0};
    const struct glyph *accent, *glyph = font_glyph(c, &accent);
    pen_glyph(&pen, glyph->path, 0, 0);
    if (accent)
      pen_glyph(&pen, accent->path, glyph->width / 2, is_capital(glyph) && accent->character != 7 ? 2 : 0);
    for (size_t i = 0; i < pen.count; i++) {
      double u = (along + BEARING - shift + pen.points[i].x) * unit, v = pen.points[i].y * unit;
      pen.points[i].x = text->x * SCALE + (text->upwards ? -v : u);
      pen.points[i].y = text->y * SCALE - (text->upwards ? u : v);
    }
    raster_stroke(self, pen.points, pen.count, unit * (text->font == FONT_BOLD ? 1.15 : 0.8),
                  inks[text->ink]);
    along += glyph->width + 2 * BEARING;
  }
}

static void pixels_cell(void *self, double x, double y, double width, double height, int level,
                        const char *hint) {
  (void)hint;
  raster_fill(self, x * SCALE, y * SCALE, width * SCALE, height * SCALE, ramp_color(RAMP_LIGHT, level));
}

static void pixels_frame(void *self, double x, double y, double width, double height) {
  double left = (x - 0.5) * SCALE, top = (y - 0.5) * SCALE, line = SCALE;
  double right = left + width * SCALE, bottom = top + height * SCALE;
  raster_fill(self, left, top, right - left + line, line, inks[INK_FRAME]);
  raster_fill(self, left, bottom, right - left + line, line, inks[INK_FRAME]);
  raster_fill(self, left, top, line, bottom - top + line, inks[INK_FRAME]);
  raster_fill(self, right, top, line, bottom - top + line, inks[INK_FRAME]);
}

static void png_data(png_structp png, png_bytep bytes, png_size_t count) {
  if (fwrite(bytes, 1, count, png_get_io_ptr(png)) != count)
    png_error(png, "write error");
}

static void png_flush_nothing(png_structp png) {
  (void)png;
}

static void png_silent(png_structp png, png_const_charp message) {
  (void)png, (void)message;
}

static void png_fail(png_structp png, png_const_charp message) {
  (void)message;
  png_longjmp(png, 1);
}

static bool raster_save(FILE *stream, const struct raster *raster) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, png_fail, png_silent);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_set_write_fn(png, stream, png_data, png_flush_nothing);
  png_set_IHDR(png, info, (png_uint_32)raster->width, (png_uint_32)raster->height, 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_pHYs(png, info, 96 * SCALE * 10000 / 254, 96 * SCALE * 10000 / 254, PNG_RESOLUTION_METER);
  png_write_info(png, info);
  for (int y = 0; y < raster->height; y++)
    png_write_row(png, raster->pixels + (size_t)y * (size_t)raster->width * 3);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  return true;
}

bool plot_png(FILE *stream, const struct plot_figure *figure) {
  double width, height;
  struct raster raster;
  figure_size(figure, &width, &height);
  if (!raster_init(&raster, width * SCALE, height * SCALE))
    return false;
  figure_draw(figure, &(struct canvas){&raster, pixels_cell, pixels_frame, pixels_text});
  bool done = raster_save(stream, &raster);
  free(raster.pixels);
  return done;
}
