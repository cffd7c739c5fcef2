/* Command lines: parsing, and the help that describes them, from one table. */
#ifndef CUSEQ_CLI_ARGUMENTS_H
#define CUSEQ_CLI_ARGUMENTS_H

#include "cli/command.h"

/* Parses what follows the command's name, argv[0]. Returns an exit status, and a message with it if it is not
 * 0. argv is permuted and must outlive `arguments`. */
int arguments_parse(const struct command *command, int argc, char **argv, struct arguments *arguments);

/* Prints to stdout. */
void help_command(const struct command *command);
void help_program(void);

/* The one of `names` (up to NULL) that `text` was probably meant to be, or NULL. */
const char *suggest(const char *text, const char *const *names);

#endif
