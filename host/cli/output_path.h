/* Where a command may write. */
#ifndef CUSEQ_CLI_OUTPUT_PATH_H
#define CUSEQ_CLI_OUTPUT_PATH_H

/* Refuses to write `output` over the file at `used`, which the command reads or also writes. Either may be
 * NULL. Links to one file are the same file. Returns an exit status. */
int output_path_check(const char *output, const char *used);

#endif
