/* cuseq, the program. */
#include "cli/arguments.h"
#include "cli/interrupt.h"
#include "cli/message.h"
#include "cli/stack.h"
#include "cuseq/cuseq.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { COMMANDS = 12 };

const struct command *const commands[COMMANDS + 1] = {&command_run,
                                                      &command_translate,
                                                      &command_classify,
                                                      &command_tag,
                                                      &command_compare,
                                                      &command_evaluate,
                                                      &command_score,
                                                      &command_convert,
                                                      &command_inspect,
                                                      &command_info,
                                                      &command_bench,
                                                      &command_devices,
                                                      NULL};

/* A file that is opened must not become stdin, stdout or stderr of a caller who closed them; what is printed
 * to one that was closed fails. */
static void descriptors_fill(void) {
  for (int descriptor = 0; descriptor <= 2; descriptor++)
    if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) < 0)
      _exit(EXIT_MACHINE);
}

static const struct command *find_command(const char *name) {
  for (const struct command *const *command = commands; *command; command++)
    if (strcmp((*command)->name, name) == 0)
      return *command;
  return NULL;
}

static int unknown_command(const char *name) {
  const char *names[COMMANDS + 1];
  for (int i = 0; i < COMMANDS; i++)
    names[i] = commands[i]->name;
  names[COMMANDS] = NULL;
  const char *meant = suggest(name, names);
  if (meant)
    return fail("%s: unknown command (did you mean %s?)", name, meant);
  return fail("%s: unknown command (see cuseq --help)", name);
}

static int program(int argc, char **argv) {
  if (argc < 2)
    return fail("no command (see cuseq --help)");
  const char *name = argv[1];
  if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
    printf("cuseq %s\n", cuseq_version());
    return EXIT_DONE;
  }
  bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
  if (help || (strcmp(name, "help") == 0 && argc == 2)) {
    help_program();
    return EXIT_DONE;
  }
  if (strcmp(name, "help") == 0)
    return find_command(argv[2]) ? help_command(find_command(argv[2])), EXIT_DONE : unknown_command(argv[2]);
  if (name[0] == '-')
    return fail("%s: unknown option (see cuseq --help; options of a command go after its name)", name);
  const struct command *command = find_command(name);
  if (!command)
    return unknown_command(name);
  struct arguments arguments;
  int status = arguments_parse(command, argc - 1, argv + 1, &arguments);
  if (status != EXIT_DONE)
    return status;
  if (arguments.help) {
    help_command(command);
    return EXIT_DONE;
  }
  interrupt_install();
  return command->run(&arguments);
}

int main(int argc, char **argv) {
  descriptors_fill();
  int status = stack_reserve();
  if (status == EXIT_DONE)
    status = program(argc, argv);
  int printed = stdout_check();
  return status == EXIT_DONE ? printed : status;
}
