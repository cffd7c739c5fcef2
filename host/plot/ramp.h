/* The colours of weights, from none to all. */
#ifndef CUSEQ_PLOT_RAMP_H
#define CUSEQ_PLOT_RAMP_H

#include <stdint.h>

enum { RAMP_LEVELS = 32 }; /* levels 0 .. RAMP_LEVELS */

enum ramp_theme { RAMP_LIGHT, RAMP_DARK, RAMP_TERMINAL };

struct rgb {
  uint8_t red, green, blue;
};

/* The level of a weight on a scale that ends at `top`; NaN and what is below 0 give 0. */
int ramp_level(float weight, float top);

struct rgb ramp_color(enum ramp_theme theme, int level);

#endif
