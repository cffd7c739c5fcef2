/* What is said of a measurement: `#` lines with the machine, a row for each case and peer, and JSON. */
#ifndef BENCH_GPU_REPORT_H
#define BENCH_GPU_REPORT_H

#include "cases.h"
#include "floor.h"
#include "measure.h"

struct report;

/* json NULL: no file. NULL with a message on stderr. */
struct report *report_begin(int argc, char **argv, const struct device *device, int rounds, const char *json);

/* The rows of a case; the first contestant is cuseq, whom the others are compared with. The JSON file is
 * whole after each. false with a message on stderr where it cannot be written. */
bool report_case(struct report *report, const struct bench_case *bench_case, const struct instance *instance,
                 const struct contestant *contestants, int count);

/* false with a message on stderr where the file could not be written. */
bool report_end(struct report *report);

#endif
