#include "plot/raster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RASTER_LARGEST = 32768, STROKE_LARGEST = 256 };

bool raster_init(struct raster *raster, double width, double height) {
  *raster = (struct raster){0};
  if (!(width >= 1 && height >= 1 && width <= RASTER_LARGEST && height <= RASTER_LARGEST))
    return false;
  raster->width = (int)width;
  raster->height = (int)height;
  size_t bytes = (size_t)raster->width * (size_t)raster->height * 3;
  raster->pixels = malloc(bytes);
  if (raster->pixels)
    memset(raster->pixels, 255, bytes);
  return raster->pixels;
}

static void blend(struct raster *raster, int x, int y, struct rgb color, double share) {
  if (share <= 0 || x < 0 || y < 0 || x >= raster->width || y >= raster->height)
    return;
  uint8_t *pixel = raster->pixels + ((size_t)y * (size_t)raster->width + (size_t)x) * 3;
  const uint8_t channels[3] = {color.red, color.green, color.blue};
  for (int c = 0; c < 3; c++)
    pixel[c] = (uint8_t)(pixel[c] + (channels[c] - pixel[c]) * share + 0.5);
}

/* How much of pixel `i` lies between two edges. */
static double overlap(int i, double from, double to) {
  return fmax(0, fmin(i + 1, to) - fmax(i, from));
}

void raster_fill(struct raster *raster, double x, double y, double width, double height, struct rgb color) {
  int bottom = (int)fmin(ceil(y + height), raster->height), right = (int)fmin(ceil(x + width), raster->width);
  for (int j = (int)fmax(floor(y), 0); j < bottom; j++) {
    double rows = overlap(j, y, y + height);
    for (int i = (int)fmax(floor(x), 0); i < right; i++)
      blend(raster, i, j, color, rows * overlap(i, x, x + width));
  }
}

static double segment_distance(double x, double y, const struct raster_point *a,
                               const struct raster_point *b) {
  double dx = b->x - a->x, dy = b->y - a->y, length = dx * dx + dy * dy;
  double along = length > 0 ? fmax(0, fmin(1, ((x - a->x) * dx + (y - a->y) * dy) / length)) : 0;
  return hypot(x - (a->x + along * dx), y - (a->y + along * dy));
}

/* What a shape covers of the pixels around it; one glyph at a time. */
struct mask {
  int left, top, width, height;
  float covered[STROKE_LARGEST * STROKE_LARGEST];
};

static bool mask_place(struct mask *mask, const struct raster_point *points, size_t count, double reach) {
  double left = INFINITY, right = -INFINITY, top = INFINITY, bottom = -INFINITY;
  for (size_t i = 0; i < count; i++) {
    left = fmin(left, points[i].x);
    right = fmax(right, points[i].x);
    top = fmin(top, points[i].y);
    bottom = fmax(bottom, points[i].y);
  }
  mask->left = (int)floor(left - reach);
  mask->top = (int)floor(top - reach);
  mask->width = (int)ceil(right + reach) - mask->left + 1;
  mask->height = (int)ceil(bottom + reach) - mask->top + 1;
  if (mask->width > STROKE_LARGEST || mask->height > STROKE_LARGEST)
    return false;
  memset(mask->covered, 0, sizeof(float) * (size_t)mask->width * (size_t)mask->height);
  return true;
}

static void mask_segment(struct mask *mask, const struct raster_point *a, const struct raster_point *b,
                         double half) {
  double reach = half + 1;
  int left = (int)floor(fmin(a->x, b->x) - reach), right = (int)ceil(fmax(a->x, b->x) + reach);
  int top = (int)floor(fmin(a->y, b->y) - reach), bottom = (int)ceil(fmax(a->y, b->y) + reach);
  for (int y = top < mask->top ? mask->top : top; y <= bottom && y < mask->top + mask->height; y++)
    for (int x = left < mask->left ? mask->left : left; x <= right && x < mask->left + mask->width; x++) {
      double share = fmin(1, half + 0.5 - segment_distance(x + 0.5, y + 0.5, a, b));
      float *covered = &mask->covered[(y - mask->top) * mask->width + x - mask->left];
      *covered = fmaxf(*covered, (float)share);
    }
}

void raster_stroke(struct raster *raster, const struct raster_point *points, size_t count, double thickness,
                   struct rgb color) {
  struct mask mask;
  if (count == 0 || !mask_place(&mask, points, count, thickness / 2 + 1))
    return;
  for (size_t i = 1; i < count; i++)
    if (!points[i].jump)
      mask_segment(&mask, &points[i - 1], &points[i], thickness / 2);
  for (int y = 0; y < mask.height; y++)
    for (int x = 0; x < mask.width; x++)
      blend(raster, mask.left + x, mask.top + y, color, (double)mask.covered[y * mask.width + x]);
}
