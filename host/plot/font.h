/* The letters of a PNG: strokes, so that they are sharp at every size and need no font on the machine. */
#ifndef CUSEQ_PLOT_FONT_H
#define CUSEQ_PLOT_FONT_H

#include <stdint.h>

/* A glyph's strokes in units of a seventh of a capital's height, baseline at 0, y upwards:
 *   M x y           begins a stroke        O cx cy rx ry a b   begins with an arc, from angle a to b
 * (degrees) L x y           a line                 A cx cy rx ry a b   a line to such an arc, and the arc Q
 * cx cy x y     a quadratic curve                                                                         */
struct glyph {
  uint16_t character;
  double width;
  const char *path;
};

/* The glyph of a code point, that of U+FFFD for one the font lacks. *accent is the mark that goes on top of
 * (or below) it, or NULL. */
const struct glyph *font_glyph(uint32_t character, const struct glyph **accent);

#endif
