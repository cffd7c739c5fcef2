/* Heat maps as SVG and PNG: what is in the files. */
#include "plot/canvas.h"
#include "plot/plot.h"
#include "plot/ramp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

static const float weights[] = {1, 0, 0.5f, 0.25f, 0, 1};
static const char *const rows[] = {"x", "<&\">"};
static const char *const columns[] = {"a", " ", "\xff\x1b"};
static const struct plot_panel panel = {"a \u2192 x", weights, 2, 3, 3, rows, columns};
static const struct plot_figure figure = {"title", "characters out", "characters in", &panel, 1};

/* The SVG of a figure; the caller frees it. */
static char *svg_of(const struct plot_figure *drawn) {
  char *text = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&text, &size);
  plot_svg(stream, drawn);
  fclose(stream);
  return text;
}

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (const char *found = text; (found = strstr(found, part)); found++)
    count++;
  return count;
}

/* Tags open and close in order, attributes are quoted, no bare & or <: what an XML reader insists on. */
static bool is_well_formed(const char *text) {
  const char *open[16];
  int depth = 0;
  for (; *text; text++) {
    if (*text == '&' && strncmp(text, "&lt;", 4) != 0 && strncmp(text, "&gt;", 4) != 0 &&
        strncmp(text, "&amp;", 5) != 0 && strncmp(text, "&quot;", 6) != 0)
      return false;
    if (*text != '<')
      continue;
    const char *name = text + 1;
    bool closes = *name == '/';
    for (bool quoted = false; *++text && (quoted || *text != '>');)
      if (*text == '"')
        quoted = !quoted;
      else if (*text == '<')
        return false;
    if (!*text)
      return false;
    size_t length = strcspn(name + closes, " />");
    if (closes && (depth == 0 || strncmp(open[--depth], name + 1, length) != 0))
      return false;
    if (!closes && text[-1] != '/') {
      if (depth == 16)
        return false;
      open[depth++] = name;
    }
  }
  return depth == 0;
}

Test(plot_svg, is_well_formed_whatever_the_labels_are) {
  char *text = svg_of(&figure);
  cr_assert(is_well_formed(text));
  cr_assert_eq(count_of(text, ">&lt;&amp;&quot;&gt;</text>"), 1, "a label's < & \" > are escaped");
  cr_assert_eq(count_of(text, ">\u2423</text>"), 1, "a space shows as an open box");
  cr_assert_eq(count_of(text, "\xff"), 0);
  cr_assert_eq(count_of(text, "\x1b"), 0);
  free(text);
}

Test(plot_svg, has_axes_title_scale_and_a_cell_for_each_weight_that_shows) {
  char *text = svg_of(&figure);
  static const char *const parts[] = {">characters in</text>",
                                      ">characters out</text>",
                                      ">title</text>",
                                      ">a \u2192 x</text>",
                                      ">x</text>",
                                      ">a</text>",
                                      ">weight</text>",
                                      ">0.5</text>",
                                      "prefers-color-scheme: dark"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    cr_assert(count_of(text, parts[i]) >= (i == 1 ? 0 : 1), "%s", parts[i]);
  cr_assert_eq(count_of(text, "<rect class=\"w") - (RAMP_LEVELS + 1) - 1, 4,
               "weights that are not 0, beside the "
               "scale and the panel");
  cr_assert_eq(count_of(text, "<title>x \u2190 a: 1</title>"), 1, "a pointer on a cell shows its weight");
  free(text);
}

Test(plot_svg, draws_any_weights_and_sizes) {
  static float many[200 * 90];
  for (size_t i = 0; i < sizeof many / sizeof *many; i++)
    many[i] = i % 7 == 0 ? NAN : i % 7 == 1 ? INFINITY : i % 7 == 2 ? -1 : 1e-9f;
  static const int32_t sizes[][2] = {{1, 1}, {1, 200}, {90, 1}, {90, 200}, {31, 33}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct plot_panel drawn = {NULL, many, sizes[i][0], sizes[i][1], 200, NULL, NULL};
    struct plot_panel several[3] = {drawn, panel, drawn};
    struct plot_figure figures = {NULL, "steps", "positions", several, 3};
    char *text = svg_of(&figures);
    cr_assert(is_well_formed(text));
    cr_assert_eq(count_of(text, "nan\""), 0, "no coordinate is NaN");
    free(text);
  }
}

Test(plot_svg, very_many_positions_share_cells_and_keep_their_peaks) {
  static float many[100000];
  many[77777] = 1;
  struct plot_panel drawn = {"row", many, 1, 100000, 100000, NULL, NULL};
  struct plot_figure wide = {NULL, "steps", "positions", &drawn, 1};
  double width, height;
  figure_size(&wide, &width, &height);
  cr_assert(width < 2400, "the width is %g", width);
  char *text = svg_of(&wide);
  cr_assert_eq(count_of(text, ": 1</title>"), 1);
  cr_assert_eq(count_of(text, ">20000</text>"), 1);
  free(text);
}

Test(plot_svg, a_long_title_is_cut) {
  char title[1000];
  memset(title, 'm', sizeof title - 1);
  title[sizeof title - 1] = 0;
  struct plot_panel drawn = panel;
  drawn.title = title;
  struct plot_figure titled = {title, "characters out", "characters in", &drawn, 1};
  double width, height;
  figure_size(&titled, &width, &height);
  cr_assert(width < 1400, "the width is %g", width);
  char *text = svg_of(&titled);
  cr_assert_eq(count_of(text, "m\u2026</text>"), 2);
  free(text);
}

struct picture {
  png_image image;
  uint8_t *pixels;
};

static struct picture picture_of(const struct plot_figure *drawn) {
  char *bytes = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&bytes, &size);
  cr_assert(plot_png(stream, drawn));
  fclose(stream);
  struct picture picture = {.image = {.version = PNG_IMAGE_VERSION}};
  cr_assert(png_image_begin_read_from_memory(&picture.image, bytes, size));
  picture.image.format = PNG_FORMAT_RGB;
  picture.pixels = malloc(PNG_IMAGE_SIZE(picture.image));
  cr_assert(png_image_finish_read(&picture.image, NULL, picture.pixels, 0, NULL));
  free(bytes);
  return picture;
}

static int pixels_of(const struct picture *picture, struct rgb color) {
  int count = 0;
  const uint8_t wanted[3] = {color.red, color.green, color.blue};
  for (size_t i = 0; i < PNG_IMAGE_SIZE(picture->image); i += 3)
    count += memcmp(picture->pixels + i, wanted, 3) == 0;
  return count;
}

Test(plot_png, has_twice_the_figures_size_and_the_weights_colors) {
  struct picture picture = picture_of(&figure);
  double width, height;
  figure_size(&figure, &width, &height);
  cr_assert_eq(picture.image.width, (unsigned)(2 * width));
  cr_assert_eq(picture.image.height, (unsigned)(2 * height));
  cr_assert_eq(memcmp(picture.pixels, "\xff\xff\xff", 3), 0, "white paper");
  /* A cell has 23 x 23 of the figure's pixels; the scale adds its own. */
  int cell = 46 * 46;
  cr_assert(pixels_of(&picture, ramp_color(RAMP_LIGHT, RAMP_LEVELS)) >= 2 * cell);
  cr_assert(pixels_of(&picture, ramp_color(RAMP_LIGHT, RAMP_LEVELS / 2)) >= cell);
  cr_assert(pixels_of(&picture, ramp_color(RAMP_LIGHT, RAMP_LEVELS / 4)) >= cell);
  cr_assert(pixels_of(&picture, (struct rgb){22, 32, 46}) > 100, "letters");
  free(picture.pixels);
}

Test(plot_png, text_changes_the_picture) {
  struct plot_panel other = panel;
  other.title = "b \u2192 x";
  struct picture a = picture_of(&figure),
                 b = picture_of(&(struct plot_figure){"title", "characters out", "characters in", &other, 1});
  cr_assert_eq(PNG_IMAGE_SIZE(a.image), PNG_IMAGE_SIZE(b.image));
  cr_assert_neq(memcmp(a.pixels, b.pixels, PNG_IMAGE_SIZE(a.image)), 0);
  free(a.pixels);
  free(b.pixels);
}

Test(plot_png, every_character_draws) {
  static const char *const texts[] = {
      " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
      "\u00c0\u00c9\u00ce\u00d1\u00d6\u00e5\u00e7\u00ef\u010d\u017e\u00df\u00e6\u2026\u2192\u2423\ufffd",
      "\u65e5\u672c\U0001F600\x01\xf5\xc3"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct plot_panel other = panel;
    other.title = texts[i];
    struct picture picture = picture_of(&(struct plot_figure){NULL, "out", "in", &other, 1});
    cr_assert(picture.image.width > 100);
    free(picture.pixels);
  }
}

Test(plot_png, a_picture_that_is_too_large_is_refused) {
  static float many[1000];
  static struct plot_panel panels[1500];
  for (size_t i = 0; i < 1500; i++)
    panels[i] = (struct plot_panel){"row", many, 1000, 1, 1, NULL, NULL};
  char *bytes = NULL;
  size_t size = 0;
  FILE *stream = open_memstream(&bytes, &size);
  cr_assert(!plot_png(stream, &(struct plot_figure){NULL, "out", "in", panels, 1500}));
  fclose(stream);
  cr_assert_eq(size, 0);
  free(bytes);
}

Test(plot_png, a_stream_that_fails_is_told) {
  FILE *stream = fopen("/dev/full", "w");
  setvbuf(stream, NULL, _IONBF, 0);
  cr_assert(!plot_png(stream, &figure));
  fclose(stream);
}

Test(plot_scale, is_the_least_that_holds_every_weight) {
  static const float cases[][2] = {{1, 1}, {0.51f, 1}, {0.5f, 0.5f}, {0.03f, 0.05f}, {0, 0.001f}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    float weight[] = {0, cases[i][0], NAN};
    struct plot_panel drawn = {NULL, weight, 1, 3, 3, NULL, NULL};
    float top = plot_scale(&(struct plot_figure){NULL, "out", "in", &drawn, 1});
    cr_assert_eq(top, cases[i][1], "%g gives %g", (double)cases[i][0], (double)top);
  }
}

Test(plot_scale, looks_at_every_panel_and_only_at_what_is_shown) {
  static const float some[] = {0.02f, 0.01f, 0.9f, 0.01f, 0.03f, 0.9f}, more[] = {0.01f, 0.15f};
  const struct plot_panel drawn[] = {{NULL, some, 2, 2, 3, NULL, NULL}, {NULL, more, 1, 2, 2, NULL, NULL}};
  cr_assert_eq(plot_scale(&(struct plot_figure){NULL, "out", "in", drawn, 1}), 0.05f);
  cr_assert_eq(plot_scale(&(struct plot_figure){NULL, "out", "in", drawn, 2}), 0.2f);
}

Test(plot_ramp, gets_darker_on_white_and_lighter_on_black) {
  for (int level = 1; level <= RAMP_LEVELS; level++) {
    struct rgb light = ramp_color(RAMP_LIGHT, level), before = ramp_color(RAMP_LIGHT, level - 1);
    cr_assert(light.green < before.green && light.red <= before.red);
    struct rgb dark = ramp_color(RAMP_DARK, level), below = ramp_color(RAMP_DARK, level - 1);
    cr_assert(dark.green > below.green && dark.red >= below.red);
  }
  cr_assert_eq(ramp_level(NAN, 1), 0);
  cr_assert_eq(ramp_level(-1, 1), 0);
  cr_assert_eq(ramp_level(INFINITY, 1), RAMP_LEVELS);
  cr_assert_eq(ramp_level(0.5f, 1), RAMP_LEVELS / 2);
  cr_assert_eq(ramp_level(0.49f, 1), RAMP_LEVELS / 2, "the nearest level");
}
