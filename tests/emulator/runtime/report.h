#ifndef EMU_RUNTIME_REPORT_H
#define EMU_RUNTIME_REPORT_H

#include "work.h"

/* What a run did: collected as it goes, written as it ends. */

/* Reads where to write, at the first call of the runtime. */
void emu_report_begin(void);
void emu_report_launch(const struct emu_work *work, const struct emu_kernel_info *info,
                       const struct emu_launch_result *result);
/* A cuBLAS call: one launch without instructions of its own. */
void emu_report_library(const char *name);
/* Says what is still allocated or not destroyed. */
void emu_report_leaks(void);
/* The same text, kept for the process's life. */
const char *emu_name(const char *text);

#endif
