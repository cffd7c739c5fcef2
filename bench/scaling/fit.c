#include "fit.h"

#include <math.h>

struct fit fit_power(const double *x, const double *y, int count) {
  struct fit fit = {count, NAN, NAN};
  if (count < 2)
    return fit;
  double mean_x = 0.0, mean_y = 0.0;
  for (int i = 0; i < count; i++) {
    mean_x += log(x[i]) / count;
    mean_y += log(y[i]) / count;
  }
  double square = 0.0, product = 0.0;
  for (int i = 0; i < count; i++) {
    square += (log(x[i]) - mean_x) * (log(x[i]) - mean_x);
    product += (log(x[i]) - mean_x) * (log(y[i]) - mean_y);
  }
  fit.exponent = product / square;
  if (count < 3)
    return fit;
  double residual = 0.0;
  for (int i = 0; i < count; i++) {
    double miss = log(y[i]) - mean_y - fit.exponent * (log(x[i]) - mean_x);
    residual += miss * miss;
  }
  fit.error = sqrt(residual / (count - 2) / square);
  return fit;
}

struct range fit_on_floor(const double *shares, int count, double least) {
  struct range longest = {0, 0};
  for (int first = 0; first < count; first++) {
    int end = first;
    while (end < count && shares[end] >= least)
      end++;
    if (end - first > longest.end - longest.first)
      longest = (struct range){first, end};
    first = end;
  }
  return longest;
}
