/* Attention weights collected for a picture. */
#ifndef CUSEQ_CLI_GALLERY_H
#define CUSEQ_CLI_GALLERY_H

#include "cuseq/cuseq.h"
#include "plot/plot.h"

struct gallery {
  const cuseq_model *model;
  struct plot_panel *panels; /* each owns its title, weights and labels (the labels' text is the model's) */
  size_t count;
  size_t most;
  size_t left_out; /* how many were beyond `most` */
};

/* One text's weights: alphas [steps,time], of which `length` positions count. */
struct gallery_entry {
  const char *title;
  const float *alphas;
  int32_t steps, time, length;
  const int32_t *ids;    /* [length] what was read; NULL: not known                                       */
  const int32_t *tokens; /* [steps] what was written; NULL: nothing                                       */
};

void gallery_init(struct gallery *gallery, const cuseq_model *model, size_t most);

/* Copies what it needs; trailing <pad> becomes one column that holds their sum, where that can be seen.
 * Returns an exit status. */
int gallery_add(struct gallery *gallery, const struct gallery_entry *entry);

/* Removes all entries. */
void gallery_clear(struct gallery *gallery);

/* Draws them on stdout, for its width and colours. */
void gallery_print(const struct gallery *gallery);

/* Writes FILE.svg or FILE.png, whole or not at all; says on stderr when entries had to be left out. Returns
 * an exit status. */
int gallery_write(const struct gallery *gallery, const char *path);

/* Refuses a path that is neither; NULL is fine. Returns an exit status. */
int gallery_check_path(const char *path);

#endif
