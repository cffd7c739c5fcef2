/* Findings of a launch. */
#ifndef EMU_REPORT_H
#define EMU_REPORT_H

#include "../scheduler/block.h"

struct emu_reports;

struct emu_reports *emu_reports_create(void);
void emu_reports_destroy(struct emu_reports *reports);
/* A finding of a check, where the access itself could go on. In "report" mode it is only noted: false.
 * Otherwise it ends the launch: true. */
bool emu_finding(struct emu_warp *warp, const struct emu_instruction *in, unsigned lane, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
/* What is no fault but worth a line, once per instruction: "note: ..." with the kernel, its line, block and
 * thread. Not with CUSEQ_EMULATOR_NOTES=0. */
void emu_note(struct emu_warp *warp, const struct emu_instruction *in, unsigned lane, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Moves the text and the status of the lowest block that failed into the result. */
void emu_reports_finish(struct emu_reports *reports, struct emu_launch_result *result);

#endif
