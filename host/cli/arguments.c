#include "cli/arguments.h"

#include "cli/message.h"
#include "cli/precision.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum value_kind { VALUE_NONE, VALUE_TEXT, VALUE_COUNT, VALUE_COUNT_OR_ZERO, VALUE_POSITIVE, VALUE_PRECISION };

struct option_description {
  const char *name;
  const char *value;
  const char *help;
  size_t offset; /* of its member of struct arguments */
  enum value_kind kind;
  char letter; /* 0: none */
};

static const struct option_description descriptions[OPTION_COUNT] = {
    [OPTION_OUTPUT] = {"output", "OUT.npz", "write every array of the result (default: none)",
                       offsetof(struct arguments, output), VALUE_TEXT, 'o'},
    [OPTION_CONFIG_OUT] = {"output", "CONFIG.json", "write a configuration to complete (default: none)",
                           offsetof(struct arguments, output), VALUE_TEXT, 'o'},
    [OPTION_DEVICE] = {"device", "DEVICE", "auto, reference, cpu, cuda or cuda:N (default: auto)",
                       offsetof(struct arguments, device), VALUE_TEXT, 0},
    [OPTION_PRECISION] = {"precision", "P",
                          "of products with weights: float32, tf32 or bf16 (default: float32)",
                          offsetof(struct arguments, precision), VALUE_PRECISION, 0},
    [OPTION_LENGTHS] = {"lengths", "L.npy", "integers [B], the rows' lengths (default: all T)",
                        offsetof(struct arguments, lengths), VALUE_TEXT, 0},
    [OPTION_STEPS] = {"steps", "Y", "decoder steps (default: the model's)", offsetof(struct arguments, steps),
                      VALUE_COUNT, 0},
    [OPTION_THREADS] = {"threads", "N", "CPU threads (default: as many as help)",
                        offsetof(struct arguments, threads), VALUE_COUNT, 0},
    [OPTION_PLOT] = {"plot", "FILE", "draw the attention to FILE.svg or FILE.png (default: none)",
                     offsetof(struct arguments, plot), VALUE_TEXT, 0},
    [OPTION_ALLOW_NONFINITE] = {"allow-nonfinite", NULL,
                                "let NaN and infinity in the input through (default: refuse)",
                                offsetof(struct arguments, allow_nonfinite), VALUE_NONE, 0},
    [OPTION_TRUNCATE] = {"truncate", NULL, "cut texts that are too long (default: refuse)",
                         offsetof(struct arguments, truncate), VALUE_NONE, 0},
    [OPTION_SCORES] = {"scores", NULL,
                       "add the output's log-probability, or of --beam its score (default: no)",
                       offsetof(struct arguments, scores), VALUE_NONE, 0},
    [OPTION_TOLERANCE] = {"tolerance", "X", "largest error of every array (default: each by the structure)",
                          offsetof(struct arguments, tolerance), VALUE_POSITIVE, 0},
    [OPTION_BATCH_LARGEST] = {"batch", "B", "pairs computed at a time (default: 64)",
                              offsetof(struct arguments, batch), VALUE_COUNT, 0},
    [OPTION_BATCH_MEASURED] = {"batch", "B", "sequences per run (default: 1)",
                               offsetof(struct arguments, batch), VALUE_COUNT, 0},
    [OPTION_TIME] = {"time", "T", "positions per sequence (default: the vocabulary's length, or 30)",
                     offsetof(struct arguments, time), VALUE_COUNT, 0},
    [OPTION_SHOW_WRONG] = {"show-wrong", "N", "list the first N wrong outputs (default: 0)",
                           offsetof(struct arguments, show_wrong), VALUE_COUNT_OR_ZERO, 0},
    [OPTION_VOCABULARY] = {"vocabulary", "FILE.json", "put this vocabulary into the model (default: none)",
                           offsetof(struct arguments, vocabulary), VALUE_TEXT, 0},
    [OPTION_CONFIG] = {"config", "CONFIG.json", "what the arrays of IN mean (default: IN says it itself)",
                       offsetof(struct arguments, config), VALUE_TEXT, 0},
    [OPTION_PYTORCH] = {"pytorch", "CONFIG.json", "the older name of --config (default: none)",
                        offsetof(struct arguments, config), VALUE_TEXT, 0},
    [OPTION_OWN_ACTIVATION] = {"own-activation", "NAME=MEANING",
                               "the author's function NAME computes MEANING (default: refuse it)",
                               offsetof(struct arguments, own_activation), VALUE_TEXT, 0},
    [OPTION_START_TOKEN] = {"start-token", "TOKEN",
                            "before a decoder's first step, a number or a symbol (default: not known)",
                            offsetof(struct arguments, start_token), VALUE_TEXT, 0},
    [OPTION_END_TOKEN] = {"end-token", "TOKEN",
                          "ends what a decoder gives, a number or a symbol (default: none)",
                          offsetof(struct arguments, end_token), VALUE_TEXT, 0},
    [OPTION_LINK] = {"link", "INPUT=OUTPUT,...",
                     "what inputs of the decoder begin with, or are next (default: by names and shapes)",
                     offsetof(struct arguments, link), VALUE_TEXT, 0},
    [OPTION_BEAM] = {"beam", "K",
                     "search with K hypotheses, 1 to 64 (default: none, the best token at each step)",
                     offsetof(struct arguments, beam), VALUE_COUNT, 0},
    [OPTION_N_BEST] = {"n-best", "N", "of --beam: results for each input (default: 1)",
                       offsetof(struct arguments, n_best), VALUE_COUNT, 0},
    [OPTION_LENGTH_PENALTY] = {"length-penalty", "KIND", "of --beam: none, length or gnmt (default: none)",
                               offsetof(struct arguments, length_penalty), VALUE_TEXT, 0},
    [OPTION_ALPHA] = {"alpha", "A", "of --length-penalty: its exponent, to 10 (default: 1)",
                      offsetof(struct arguments, alpha), VALUE_POSITIVE, 0},
    [OPTION_MIN_LENGTH] = {"min-length", "M", "of --beam: fewest tokens, the end token counted (default: 1)",
                           offsetof(struct arguments, min_length), VALUE_COUNT, 0},
    [OPTION_MAX_LENGTH] = {"max-length", "Y", "of --beam: most tokens (default: the model's steps)",
                           offsetof(struct arguments, max_length), VALUE_COUNT, 0},
    [OPTION_RETIRE] = {"retire", NULL, "of --beam: what has ended leaves its place (default: it keeps it)",
                       offsetof(struct arguments, retire), VALUE_NONE, 0},
    [OPTION_PRUNE_BY_SCORE] = {"prune-by-score", NULL,
                               "of --beam: rank by scores at each step, too (default: by sums)",
                               offsetof(struct arguments, prune_by_score), VALUE_NONE, 0},
    [OPTION_TARGETS] = {"targets", "TOKENS.npy",
                        "integers [B,Y]: the tokens to follow (default: the model's own)",
                        offsetof(struct arguments, targets), VALUE_TEXT, 0},
    [OPTION_GIVEN] = {"given", "GIVEN.npy", "numbers [B,Y,G] that the steps read (default: none)",
                      offsetof(struct arguments, given), VALUE_TEXT, 0},
    [OPTION_FIRST_TOKEN] = {"start-token", "TOKEN",
                            "the token before the first step, a number or a symbol (default: the model's)",
                            offsetof(struct arguments, first_token), VALUE_TEXT, 0},
    [OPTION_WITH] = {"with", "FRAMEWORK.npz",
                     "compare with these arrays, by name or shape (default: the reference)",
                     offsetof(struct arguments, with), VALUE_TEXT, 0},
    [OPTION_TOP] = {"top", "N", "how many labels of each head are printed (default: 1)",
                    offsetof(struct arguments, top), VALUE_COUNT, 0},
    [OPTION_JSON] = {"json", NULL, "print JSON (default: text)", offsetof(struct arguments, json), VALUE_NONE,
                     0},
    [OPTION_HELP] = {"help", NULL, "print this and exit", offsetof(struct arguments, help), VALUE_NONE, 'h'},
};

enum { FIRST_LONG = 256 };

struct parser {
  struct option options[COMMAND_OPTIONS + 1];
  const char *names[COMMAND_OPTIONS + 1];
  char letters[2 * COMMAND_OPTIONS + 2];
};

static void parser_make(const struct command *command, struct parser *parser) {
  size_t count = 0, letters = 0;
  parser->letters[letters++] = ':';
  for (bool last = false; !last; count++) {
    enum option_id id = command->options[count];
    const struct option_description *description = &descriptions[id];
    parser->names[count] = description->name;
    parser->options[count] = (struct option){
        description->name, description->value ? required_argument : no_argument, NULL, FIRST_LONG + (int)id};
    if (description->letter) {
      parser->letters[letters++] = description->letter;
      if (description->value)
        parser->letters[letters++] = ':';
    }
    last = id == OPTION_HELP;
  }
  parser->names[count] = NULL;
  parser->options[count] = (struct option){0};
  parser->letters[letters] = 0;
}

static int store(const struct option_description *description, const char *text,
                 struct arguments *arguments) {
  void *member = (char *)arguments + description->offset;
  char *end = NULL;
  errno = 0;
  switch (description->kind) {
  case VALUE_NONE:
    *(bool *)member = true;
    return EXIT_DONE;
  case VALUE_TEXT:
    if (!*text)
      return fail("--%s: empty value (needed %s)", description->name, description->value);
    *(const char **)member = text;
    return EXIT_DONE;
  case VALUE_POSITIVE: {
    double value = strtod(text, &end);
    if (!*text || *end || !(value > 0) || !isfinite(value))
      return fail("--%s: not a positive number (found \"%s\")", description->name, text);
    *(double *)member = value;
    return EXIT_DONE;
  }
  case VALUE_PRECISION:
    return precision_parse(text, member);
  case VALUE_COUNT:
  case VALUE_COUNT_OR_ZERO: {
    long smallest = description->kind == VALUE_COUNT, value = strtol(text, &end, 10);
    if (!*text || *end || errno || value < smallest || value > INT32_MAX)
      return fail("--%s: not a whole number that fits (found \"%s\", needed %ld to %d)", description->name,
                  text, smallest, INT32_MAX);
    *(int32_t *)member = (int32_t)value;
    return EXIT_DONE;
  }
  }
  return EXIT_USER;
}

/* What getopt_long did not accept: argv[optind - 1], or the letter in optopt. */
static int refuse(const struct command *command, const struct parser *parser, char **argv) {
  const char *text = argv[optind - 1];
  if (optopt > 0 && optopt < FIRST_LONG)
    return fail("-%c: unknown option (see cuseq %s --help; a text that begins with - goes after --)", optopt,
                command->name);
  if (optopt >= FIRST_LONG)
    return fail("--%s: takes no value (found \"%s\")", descriptions[optopt - FIRST_LONG].name, text);
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(text + 2, "="), text + 2);
  int alike = 0;
  for (const char *const *known = parser->names; *known; known++)
    alike += strncmp(*known, name, strlen(name)) == 0;
  if (alike > 1)
    return fail("--%s: could be more than one option (see cuseq %s --help)", name, command->name);
  const char *meant = suggest(name, parser->names);
  if (meant)
    return fail("--%s: unknown option (did you mean --%s?)", name, meant);
  return fail("--%s: unknown option (see cuseq %s --help)", name, command->name);
}

/* The description of what getopt_long returns: one of the command's own, as a letter may be another option's
 * of another command. */
static const struct option_description *find_description(const struct command *command, int code) {
  const enum option_id *option = command->options;
  if (code >= FIRST_LONG)
    return &descriptions[code - FIRST_LONG];
  while (descriptions[*option].letter != code)
    option++;
  return &descriptions[*option];
}

int arguments_parse(const struct command *command, int argc, char **argv, struct arguments *arguments) {
  struct parser parser;
  parser_make(command, &parser);
  *arguments = (struct arguments){0};
  opterr = 0;
  for (int code; (code = getopt_long(argc, argv, parser.letters, parser.options, NULL)) != -1;) {
    if (code == '?')
      return refuse(command, &parser, argv);
    const struct option_description *description = find_description(command, code == ':' ? optopt : code);
    if (code == ':')
      return fail("--%s: needs a value (%s; see cuseq %s --help)", description->name, description->value,
                  command->name);
    int status = store(description, optarg, arguments);
    if (status != EXIT_DONE)
      return status;
    if (arguments->help)
      return EXIT_DONE;
  }
  arguments->operands = argv + optind;
  arguments->operand_count = argc - optind;
  if (arguments->operand_count < command->fewest)
    return fail("%s: too few arguments (found %d, needed %s)", command->name, (int)arguments->operand_count,
                command->operands);
  if (command->most >= 0 && arguments->operand_count > command->most)
    return fail("%s: too many arguments (found \"%s\", needed %s)", command->name,
                argv[optind + command->most], *command->operands ? command->operands : "none");
  return EXIT_DONE;
}

void help_command(const struct command *command) {
  printf("usage: cuseq %s%s%s [options]\n\n%s\n\noptions:\n", command->name, *command->operands ? " " : "",
         command->operands, command->description);
  for (int i = 0;; i++) {
    const struct option_description *description = &descriptions[command->options[i]];
    char left[64], letter[8] = "    ";
    if (description->letter)
      snprintf(letter, sizeof letter, "-%c, ", description->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, description->name, description->value ? " " : "",
             description->value ? description->value : "");
    printf("  %-26s %s\n", left, description->help);
    if (command->options[i] == OPTION_HELP)
      break;
  }
  printf("\nexample:\n%s\n", command->example);
}

void help_program(void) {
  printf("usage: cuseq COMMAND [arguments]\n\n"
         "Runs recurrent models with attention: encoders of LSTM or GRU layers, attention over\n"
         "their hidden states, decoders, classifiers and taggers.\n\ncommands:\n");
  for (const struct command *const *command = commands; *command; command++)
    printf("  %-10s %s\n", (*command)->name, (*command)->summary);
  printf("\noptions:\n"
         "  -h, --help     print this and exit; cuseq COMMAND --help describes a command\n"
         "  -V, --version  print the version and exit\n\n"
         "exit status:\n"
         "  0 done, 1 a comparison missed its tolerance, 2 the user can mend it (usage, a bad file,\n"
         "  a full disk, no such device), 3 the device or the machine failed, 130 interrupted\n\n"
         "example:\n"
         "  cuseq translate models/dates.safetensors \"3 May 1979\"\n");
}
