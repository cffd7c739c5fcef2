#include "plot/ramp.h"

#include "plot/plot.h"

/* One hue each, lightness falling (light theme) or rising (dark theme) evenly, so that the order survives
 * a grey print and every colour vision. The terminal's background is unknown: its ramp turns from blue to
 * yellow and stands out from black and from white. */
enum { STOPS = 5 };
static const struct rgb ramp_stops[][STOPS] = {
    [RAMP_LIGHT] = {{243, 246, 251}, {180, 208, 238}, {98, 156, 214}, {35, 98, 173}, {8, 43, 99}},
    [RAMP_DARK] = {{24, 31, 46}, {27, 66, 114}, {40, 120, 184}, {104, 182, 232}, {226, 246, 255}},
    [RAMP_TERMINAL] = {{44, 58, 107}, {38, 101, 141}, {40, 148, 134}, {118, 196, 92}, {250, 224, 60}},
};

int ramp_level(float weight, float top) {
  float share = weight / top;
  if (!(share > 0))
    return 0;
  return share >= 1 ? RAMP_LEVELS : (int)(share * RAMP_LEVELS + 0.5f);
}

static uint8_t ramp_mix(uint8_t a, uint8_t b, double share) {
  return (uint8_t)(a + (b - a) * share + 0.5);
}

struct rgb ramp_color(enum ramp_theme theme, int level) {
  double position = (double)level / RAMP_LEVELS * (STOPS - 1);
  int stop = (int)position;
  if (stop > STOPS - 2)
    stop = STOPS - 2;
  struct rgb a = ramp_stops[theme][stop], b = ramp_stops[theme][stop + 1];
  double share = position - stop;
  return (struct rgb){ramp_mix(a.red, b.red, share), ramp_mix(a.green, b.green, share),
                      ramp_mix(a.blue, b.blue, share)};
}

float plot_scale(const struct plot_figure *figure) {
  float largest = 0;
  for (size_t p = 0; p < figure->count; p++) {
    const struct plot_panel *panel = &figure->panels[p];
    for (int32_t y = 0; y < panel->rows; y++)
      for (int32_t t = 0; t < panel->columns; t++)
        if (panel->weights[(size_t)y * panel->stride + (size_t)t] > largest)
          largest = panel->weights[(size_t)y * panel->stride + (size_t)t];
  }
  static const float tops[] = {0.001f, 0.002f, 0.005f, 0.01f, 0.02f, 0.05f, 0.1f, 0.2f, 0.5f};
  for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
    if (largest <= tops[i])
      return tops[i];
  return 1;
}
