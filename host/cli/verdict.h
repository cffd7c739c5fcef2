/* Results of a device judged against the reference's. */
#ifndef CUSEQ_CLI_VERDICT_H
#define CUSEQ_CLI_VERDICT_H

#include "cli/results.h"

/* Of one array. The error of a value is |got - want| / max(1, |want|), infinite where that is NaN. */
struct verdict {
  double worst;     /* the largest error                                                                   */
  double got, want; /* there                                                                              */
  int64_t row;
  size_t element; /* within its row                                                                       */
  int64_t compared;
  int64_t missed; /* values beyond the tolerance                                                          */
};

/* Tokens may differ where the reference's outputs for both lie within twice the outputs' tolerance of its
 * best one: both sides may err by it. What a model that reads its own output, or that ends its rows, does
 * after such a step is not compared: those rows have parted. */
struct verdicts {
  double tolerance[RESULT_COUNT]; /* of each array; integers have none                                     */
  struct verdict arrays[RESULT_COUNT];
  int64_t ties;   /* tokens that differ where they may                                                    */
  int64_t parted; /* rows                                                                                 */
  bool given;     /* tokens were given, and what a model does depends on none of its own                   */
};

/* Takes up one value; element is its index within the row. */
void verdict_judge(struct verdict *verdict, double tolerance, double got, double want, int64_t row,
                   size_t element);

/* Whether each of two tokens might be the one of a step's largest output, where outputs may err by the
 * tolerance. */
bool verdict_is_tie(const float *outputs, int32_t count, int32_t a, int32_t b, double tolerance);

/* Sets the tolerance of every array: what the model's structure and the precision allow
 * (cuseq_model_tolerance), times `room`. */
void verdicts_allow(struct verdicts *verdicts, const cuseq_model *model, cuseq_precision precision,
                    int32_t time, int32_t steps, double room);

/* Takes up `count` rows, the first of which is row `first` of the whole. All arrays of the model must be
 * there. */
void verdicts_add(struct verdicts *verdicts, const cuseq_config *config, const struct results *got,
                  const struct results *want, int64_t first, int32_t count);

/* Whether any array missed the tolerance. */
bool verdicts_missed(const struct verdicts *verdicts);

/* The largest error of the floating-point arrays. */
double verdicts_worst(const struct verdicts *verdicts);

#endif
