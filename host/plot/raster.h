/* Pixels: rectangles and rounded strokes with smooth edges. */
#ifndef CUSEQ_PLOT_RASTER_H
#define CUSEQ_PLOT_RASTER_H

#include "plot/ramp.h"

#include <stdbool.h>
#include <stddef.h>

struct raster {
  int width, height;
  uint8_t *pixels; /* [height, width, 3], the caller's to free() */
};

/* A white picture; false when memory runs out or the size is beyond 32768 pixels either way. */
bool raster_init(struct raster *raster, double width, double height);

/* Edges that fall within a pixel colour it in part. */
void raster_fill(struct raster *raster, double x, double y, double width, double height, struct rgb color);

/* A polyline [count] with round ends, drawn as one shape: where it crosses itself it is not darker. */
struct raster_point {
  double x, y;
  bool jump; /* no line leads to this point */
};
void raster_stroke(struct raster *raster, const struct raster_point *points, size_t count, double thickness,
                   struct rgb color);

#endif
