#include "cli/gallery.h"

#include "cli/message.h"
#include "error.h"
#include "formats/file.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const float VISIBLE = 0.005f; /* a sum of weights on padding below this is not shown */

void gallery_init(struct gallery *gallery, const cuseq_model *model, size_t most) {
  *gallery = (struct gallery){.model = model, .most = most};
}

static void panel_free(struct plot_panel *panel) {
  free((void *)panel->title);
  free((void *)panel->weights);
  free((void *)panel->row_labels);
  free((void *)panel->column_labels);
}

void gallery_clear(struct gallery *gallery) {
  for (size_t i = 0; i < gallery->count; i++)
    panel_free(&gallery->panels[i]);
  free(gallery->panels);
  gallery->panels = NULL;
  gallery->count = gallery->left_out = 0;
}

static bool is_padding(const struct gallery *gallery, int32_t id) {
  const char *symbol = cuseq_model_input_symbol(gallery->model, id);
  return symbol && strcmp(symbol, "<pad>") == 0;
}

/* What stands for a symbol: the unknown one as U+FFFD, other names as they are. */
static const char *symbol_label(const char *symbol) {
  if (!symbol)
    return "?";
  return strcmp(symbol, "<unk>") == 0 ? "\xef\xbf\xbd" : symbol;
}

static float tail_sum(const struct gallery_entry *entry, int32_t step, int32_t first) {
  float sum = 0;
  for (int32_t t = first; t < entry->length; t++)
    sum += entry->alphas[(size_t)step * (size_t)entry->time + (size_t)t];
  return sum;
}

/* Positions that are drawn one by one; *padding receives whether a column for the rest is needed. */
static int32_t columns_count(const struct gallery *gallery, const struct gallery_entry *entry,
                             bool *padding) {
  int32_t columns = entry->length;
  *padding = false;
  if (!entry->ids || !cuseq_model_input_symbol(gallery->model, 0))
    return columns;
  while (columns > 1 && is_padding(gallery, entry->ids[columns - 1]))
    columns--;
  for (int32_t y = 0; y < entry->steps && columns < entry->length; y++)
    *padding |= tail_sum(entry, y, columns) > VISIBLE;
  return columns;
}

static bool panel_labels(const struct gallery *gallery, const struct gallery_entry *entry,
                         struct plot_panel *panel, bool padding) {
  if (entry->tokens && cuseq_model_output_symbol(gallery->model, 0)) {
    const char **labels = malloc((size_t)panel->rows * sizeof *labels);
    panel->row_labels = labels;
    for (int32_t y = 0; labels && y < panel->rows; y++)
      labels[y] = symbol_label(cuseq_model_output_symbol(gallery->model, entry->tokens[y]));
    if (!labels)
      return false;
  }
  if (entry->ids && cuseq_model_input_symbol(gallery->model, 0)) {
    const char **labels = malloc((size_t)panel->columns * sizeof *labels);
    panel->column_labels = labels;
    for (int32_t t = 0; labels && t < panel->columns; t++)
      labels[t] = padding && t == panel->columns - 1
                      ? "pad"
                      : symbol_label(cuseq_model_input_symbol(gallery->model, entry->ids[t]));
    if (!labels)
      return false;
  }
  return true;
}

static bool panel_make(const struct gallery *gallery, const struct gallery_entry *entry,
                       struct plot_panel *panel) {
  bool padding;
  int32_t columns = columns_count(gallery, entry, &padding);
  *panel = (struct plot_panel){.rows = entry->steps, .columns = columns + padding};
  panel->stride = (size_t)panel->columns;
  float *weights = malloc((size_t)panel->rows * panel->stride * sizeof *weights);
  panel->weights = weights;
  panel->title = strdup(entry->title);
  if (!weights || !panel->title || !panel_labels(gallery, entry, panel, padding))
    return false;
  for (int32_t y = 0; y < panel->rows; y++) {
    float *row = weights + (size_t)y * panel->stride;
    memcpy(row, entry->alphas + (size_t)y * (size_t)entry->time, (size_t)columns * sizeof *row);
    if (padding)
      row[columns] = tail_sum(entry, y, columns);
  }
  return true;
}

int gallery_add(struct gallery *gallery, const struct gallery_entry *entry) {
  if (gallery->count == gallery->most) {
    gallery->left_out++;
    return EXIT_DONE;
  }
  struct plot_panel *panels = realloc(gallery->panels, (gallery->count + 1) * sizeof *panels);
  if (!panels)
    return fail_memory();
  gallery->panels = panels;
  struct plot_panel *panel = &panels[gallery->count];
  if (!panel_make(gallery, entry, panel)) {
    panel_free(panel);
    return fail_memory();
  }
  gallery->count++;
  return EXIT_DONE;
}

static struct plot_figure figure_make(const struct gallery *gallery) {
  const struct plot_panel *first = gallery->panels;
  const cuseq_config *config = cuseq_model_config(gallery->model);
  struct plot_figure figure = {.row_axis = config->has_decoder ? "steps" : "weights",
                               .column_axis = "positions",
                               .panels = gallery->panels,
                               .count = gallery->count};
  if (first->row_labels)
    figure.row_axis = !config->has_decoder   ? "outputs"
                      : config->output_words ? "words out"
                                             : "characters out";
  if (first->column_labels)
    figure.column_axis = config->input_words ? "words in" : "characters in";
  return figure;
}

void gallery_print(const struct gallery *gallery) {
  if (gallery->count == 0)
    return;
  struct winsize size = {0};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
    size.ws_col = 0;
  setlocale(LC_CTYPE, "");
  struct plot_terminal_style style = plot_terminal_style(size.ws_col);
  struct plot_figure figure = figure_make(gallery);
  plot_terminal(stdout, &figure, &style);
}

static bool ends_in(const char *path, const char *ending) {
  size_t length = strlen(path), wanted = strlen(ending);
  return length > wanted && strcasecmp(path + length - wanted, ending) == 0;
}

int gallery_check_path(const char *path) {
  if (!path || ends_in(path, ".svg") || ends_in(path, ".png"))
    return EXIT_DONE;
  return fail("--plot: unknown kind of picture (found \"%s\", needed FILE.svg or FILE.png)", path);
}

int gallery_write(const struct gallery *gallery, const char *path) {
  if (gallery->count == 0) {
    note("%s: not written (there is nothing to draw)", path);
    return EXIT_DONE;
  }
  struct output_file file = {0};
  cuseq_status status = output_file_open(&file, path);
  if (status == CUSEQ_STATUS_OK) {
    struct plot_figure figure = figure_make(gallery);
    errno = 0;
    bool drawn = true;
    if (ends_in(path, ".svg"))
      plot_svg(file.stream, &figure);
    else
      drawn = plot_png(file.stream, &figure);
    if (ferror(file.stream))
      file.reason = errno; /* as output_file_write would have it */
    if (!drawn && !ferror(file.stream)) {
      int reason = errno;
      output_file_discard(&file);
      if (reason == ENOMEM)
        return fail_file(error_set(CUSEQ_STATUS_OUT_OF_MEMORY, "%s: no memory to draw it", path));
      return fail("%s: cannot be drawn (%zu texts make too large a picture)", path, gallery->count);
    }
    status = output_file_commit(&file);
  }
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  if (gallery->left_out > 0)
    note("%s: holds the first %zu of %zu", path, gallery->count, gallery->count + gallery->left_out);
  return EXIT_DONE;
}
