/* The layout of a figure: panels in a grid, axes with their labels, one colour scale for all. */
#include "plot/canvas.h"
#include "plot/label.h"
#include "plot/ramp.h"

#include <math.h>
#include <string.h>

/* Pixels. */
enum {
  MARGIN = 28,
  GAP = 40, /* between panels */
  CELL = 24,
  LABELED_CELL = 10, /* smaller cells cannot carry a label each */
  TICK_SPACE = 40,
  FIGURE_TITLE = 20,
  PANEL_TITLE = 16,
  LABEL = 13,
  UPRIGHT_LABEL = 2, /* characters; longer column labels are turned */
  AXIS = 12,
  BAR = 14,
  BAR_SPACE = 84, /* the colour scale with its gap, numbers and caption */
  GRID_WIDTH = 1000,
  GRID_HEIGHT = 1200,
  MOST_COLUMNS = 2 * GRID_WIDTH, /* beyond, neighbouring positions share a cell */
  TITLE_LONGEST = 90,            /* characters */
};

static const double LABEL_ADVANCE = 0.62; /* a label character's width as a share of its size */
static const double TITLE_ADVANCE = 0.6;
static const double ASPECT = 1.6;

struct layout {
  double cell_width, cell_height; /* of one position and one row */
  int32_t group;                  /* positions that share a cell, which shows their largest weight */
  double gutter;                  /* left of the cells: axis name and row labels */
  double header;                  /* above the cells: title, axis name, column labels */
  double labels_height;           /* the column labels' share of it */
  double width, height;           /* of one panel, all alike */
  double top;                     /* above the first panel */
  int across, down;
  float scale;
};

static double clamp(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

static int32_t longest_label(const char *const *labels, int32_t count) {
  int32_t longest = 1;
  char number[LABEL_BYTES];
  for (int32_t i = labels ? 0 : count - 1; i < count; i++) {
    int32_t length = label_length(label_get(labels, i, number));
    longest = length > longest ? length : longest;
  }
  return longest;
}

/* The columns of the grid whose figure comes nearest to a slide's shape. */
static int best_across(const struct layout *layout, size_t count) {
  int best = 1;
  double best_distance = INFINITY;
  for (size_t across = 1; across <= count; across++) {
    size_t down = (count + across - 1) / across;
    double width = (double)across * (layout->width + GAP) + BAR_SPACE;
    double height = (double)down * (layout->height + GAP) + layout->top;
    double distance = fabs(log(width / height / ASPECT));
    if (distance < best_distance) {
      best_distance = distance;
      best = (int)across;
    }
  }
  return best;
}

static int32_t title_length(const char *title) {
  int32_t length = label_length(title);
  return length < TITLE_LONGEST ? length : TITLE_LONGEST;
}

static void draw_title(const struct canvas *canvas, const struct canvas_text *text, const char *title) {
  char cut[4 * TITLE_LONGEST + 8];
  size_t used = 0;
  bool fits = label_length(title) <= TITLE_LONGEST;
  for (int32_t i = 0; i < (fits ? TITLE_LONGEST : TITLE_LONGEST - 1); i++) {
    uint32_t character = label_next(&title);
    if (!character)
      break;
    used += label_put(character, cut + used);
  }
  snprintf(cut + used, sizeof cut - used, "%s", fits ? "" : "\u2026");
  canvas->text(canvas->self, text, cut);
}

static struct layout layout_make(const struct plot_figure *figure) {
  int32_t rows = 1, columns = 1, row_label = 1, column_label = 1;
  double title = 0;
  for (size_t p = 0; p < figure->count; p++) {
    const struct plot_panel *panel = &figure->panels[p];
    rows = panel->rows > rows ? panel->rows : rows;
    columns = panel->columns > columns ? panel->columns : columns;
    int32_t length = longest_label(panel->row_labels, panel->rows);
    row_label = length > row_label ? length : row_label;
    length = panel->column_labels ? longest_label(panel->column_labels, panel->columns) : 1;
    column_label = length > column_label ? length : column_label;
    if (panel->title)
      title = fmax(title, title_length(panel->title) * TITLE_ADVANCE * PANEL_TITLE);
  }
  int32_t group = (columns - 1) / MOST_COLUMNS + 1;
  struct layout layout = {
      .cell_width = clamp(floor(GRID_WIDTH / (double)columns), 1, CELL) / group,
      .group = group,
      .cell_height = clamp(floor(GRID_HEIGHT / (double)rows), 1, CELL),
      .gutter = AXIS + 12 + clamp(row_label, 1, 24) * LABEL * LABEL_ADVANCE + 8,
      .top = MARGIN + (figure->title ? FIGURE_TITLE + 20 : 0),
      .scale = plot_scale(figure),
  };
  bool upwards = column_label > UPRIGHT_LABEL && layout.cell_width >= LABELED_CELL;
  layout.labels_height = upwards ? clamp(column_label, 1, 24) * LABEL * LABEL_ADVANCE + 6 : LABEL + 6;
  layout.header = PANEL_TITLE + 12 + AXIS + 6 + layout.labels_height;
  layout.width = fmax(layout.gutter + columns * layout.cell_width, title);
  layout.height = layout.header + rows * layout.cell_height;
  layout.across = best_across(&layout, figure->count);
  layout.down = (int)((figure->count + (size_t)layout.across - 1) / (size_t)layout.across);
  return layout;
}

static void layout_extent(const struct plot_figure *figure, const struct layout *layout, double *width,
                          double *height) {
  double title = figure->title ? title_length(figure->title) * TITLE_ADVANCE * FIGURE_TITLE : 0;
  *width = ceil(2 * MARGIN + fmax(layout->across * (layout->width + GAP) - GAP + BAR_SPACE, title));
  *height = ceil(layout->top + layout->down * (layout->height + GAP) - GAP + MARGIN);
}

void figure_size(const struct plot_figure *figure, double *width, double *height) {
  struct layout layout = layout_make(figure);
  layout_extent(figure, &layout, width, height);
}

/* Every how many cells there is a label: 1, 2, 5, 10, 20, ... such that neighbours do not touch. */
static int32_t tick_step(double cell, double space) {
  int32_t step = 1;
  for (int i = 0; step * cell < space && step < 1000000000; i++)
    step = i % 3 == 1 ? step / 2 * 5 : step * 2;
  return step;
}

static void draw_column_labels(const struct plot_panel *panel, const struct layout *layout,
                               const struct canvas *canvas, double x, double y) {
  bool every = panel->column_labels && layout->cell_width >= LABELED_CELL;
  int32_t step = every ? 1 : tick_step(layout->cell_width, panel->columns <= 100 ? CELL : TICK_SPACE);
  struct canvas_text text = {.size = LABEL, .anchor = ANCHOR_MIDDLE, .font = FONT_LABEL, .y = y - 6};
  if (layout->cell_width < 14)
    text.size = 11;
  char number[LABEL_BYTES];
  for (int32_t t = 0; t < panel->columns; t += step) {
    text.upwards = every && label_length(label_get(panel->column_labels, t, number)) > UPRIGHT_LABEL;
    text.anchor = text.upwards ? ANCHOR_START : ANCHOR_MIDDLE;
    text.x = x + (t + 0.5) * layout->cell_width + (text.upwards ? text.size * 0.35 : 0);
    canvas->text(canvas->self, &text, label_get(every ? panel->column_labels : NULL, t, number));
  }
}

static void draw_row_labels(const struct plot_panel *panel, const struct layout *layout,
                            const struct canvas *canvas, double x, double y) {
  bool every = panel->row_labels && layout->cell_height >= LABELED_CELL;
  int32_t step = every ? 1 : tick_step(layout->cell_height, LABEL + 3);
  struct canvas_text text = {.size = LABEL, .anchor = ANCHOR_END, .font = FONT_LABEL, .x = x - 8};
  char number[LABEL_BYTES];
  for (int32_t i = 0; i < panel->rows; i += step) {
    text.y = y + (i + 0.5) * layout->cell_height + text.size * 0.35;
    canvas->text(canvas->self, &text, label_get(every ? panel->row_labels : NULL, i, number));
  }
}

/* Labels come from files: cut, so that a cell's hint has a bounded length. */
static void hint_make(const struct plot_panel *panel, int32_t row, int32_t column, float weight, char *hint,
                      size_t capacity) {
  char numbers[2][LABEL_BYTES];
  snprintf(hint, capacity, "%.24s \u2190 %.24s: %.3g", label_get(panel->row_labels, row, numbers[0]),
           label_get(panel->column_labels, column, numbers[1]), (double)weight);
}

static float largest_weight(const float *weights, int32_t count) {
  float largest = 0;
  for (int32_t i = 0; i < count; i++)
    largest = weights[i] > largest ? weights[i] : largest;
  return largest;
}

static void draw_cells(const struct plot_panel *panel, const struct layout *layout,
                       const struct canvas *canvas, double x, double y) {
  double width = panel->columns * layout->cell_width, height = panel->rows * layout->cell_height;
  canvas->cell(canvas->self, x, y, width, height, 0, NULL);
  double seam_x = layout->cell_width >= 8 ? 1 : 0, seam_y = layout->cell_height >= 8 ? 1 : 0;
  for (int32_t i = 0; i < panel->rows; i++)
    for (int32_t t = 0; t < panel->columns; t += layout->group) {
      int32_t shared = panel->columns - t < layout->group ? panel->columns - t : layout->group;
      float weight = largest_weight(panel->weights + (size_t)i * panel->stride + t, shared);
      int level = ramp_level(weight, layout->scale);
      if (level == 0)
        continue;
      char hint[2 * LABEL_BYTES];
      hint_make(panel, i, t, weight, hint, sizeof hint);
      canvas->cell(canvas->self, x + t * layout->cell_width, y + i * layout->cell_height,
                   shared * layout->cell_width - seam_x, layout->cell_height - seam_y, level, hint);
    }
  canvas->frame(canvas->self, x - 0.5, y - 0.5, width + 1, height + 1);
}

static void draw_panel(const struct plot_figure *figure, const struct plot_panel *panel,
                       const struct layout *layout, const struct canvas *canvas, double x, double y) {
  double grid_x = x + layout->gutter, grid_y = y + layout->header;
  if (panel->title)
    draw_title(canvas,
               &(struct canvas_text){.x = x, .y = y + PANEL_TITLE, .size = PANEL_TITLE, .font = FONT_BOLD},
               panel->title);
  canvas->text(
      canvas->self,
      &(struct canvas_text){.x = grid_x, .y = y + PANEL_TITLE + 12 + AXIS, .size = AXIS, .ink = INK_MUTED},
      figure->column_axis);
  canvas->text(canvas->self,
               &(struct canvas_text){.x = x + AXIS,
                                     .y = grid_y + panel->rows * layout->cell_height / 2,
                                     .size = AXIS,
                                     .anchor = ANCHOR_MIDDLE,
                                     .ink = INK_MUTED,
                                     .upwards = true},
               panel->rows * layout->cell_height < 60 ? "" : figure->row_axis);
  draw_column_labels(panel, layout, canvas, grid_x, grid_y);
  draw_row_labels(panel, layout, canvas, grid_x, grid_y);
  draw_cells(panel, layout, canvas, grid_x, grid_y);
}

static void draw_bar(const struct layout *layout, const struct canvas *canvas, double x, double y) {
  double height = clamp(floor((layout->height - layout->header) / (RAMP_LEVELS + 1)), 2, 8);
  double bottom = y + height * (RAMP_LEVELS + 1);
  for (int level = 0; level <= RAMP_LEVELS; level++)
    canvas->cell(canvas->self, x, bottom - (level + 1) * height, BAR, height, level, NULL);
  canvas->frame(canvas->self, x - 0.5, y - 0.5, BAR + 1, bottom - y + 1);
  for (int part = 0; part <= 2; part++) {
    char number[LABEL_BYTES];
    snprintf(number, sizeof number, "%g", part / 2.0 * (double)layout->scale);
    canvas->text(canvas->self,
                 &(struct canvas_text){.x = x + BAR + 5,
                                       .y = bottom - (bottom - y) * part / 2 + LABEL * 0.35,
                                       .size = LABEL - 1,
                                       .font = FONT_LABEL},
                 number);
  }
  canvas->text(canvas->self,
               &(struct canvas_text){
                   .x = x + BAR / 2.0, .y = y - 10, .size = AXIS, .anchor = ANCHOR_MIDDLE, .ink = INK_MUTED},
               "weight");
}

void figure_draw(const struct plot_figure *figure, const struct canvas *canvas) {
  struct layout layout = layout_make(figure);
  double width, height;
  layout_extent(figure, &layout, &width, &height);
  if (figure->title)
    draw_title(canvas,
               &(struct canvas_text){
                   .x = MARGIN, .y = MARGIN + FIGURE_TITLE, .size = FIGURE_TITLE, .font = FONT_BOLD},
               figure->title);
  for (size_t p = 0; p < figure->count; p++) {
    int row = (int)p / layout.across, column = (int)p % layout.across;
    draw_panel(figure, &figure->panels[p], &layout, canvas, MARGIN + column * (layout.width + GAP),
               layout.top + row * (layout.height + GAP));
  }
  draw_bar(&layout, canvas, width - MARGIN - BAR_SPACE + GAP, layout.top + layout.header);
}
