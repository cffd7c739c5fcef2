/* The commands of the program and what they take. */
#ifndef CUSEQ_CLI_COMMAND_H
#define CUSEQ_CLI_COMMAND_H

#include "cuseq/cuseq.h"

#include <stdbool.h>
#include <stdint.h>

/* The options of all commands; a command sets and reads those that it lists. */
struct arguments {
  const char *device;
  const char *output;
  const char *lengths;
  const char *plot;
  const char *vocabulary;
  const char *config;
  const char *own_activation;
  const char *link;
  const char *targets;
  const char *given;
  const char *first_token;
  const char *start_token, *end_token; /* of convert */
  const char *with;
  const char *length_penalty;
  cuseq_precision precision;
  int32_t steps;   /* 0: the model's                                                                      */
  int32_t threads; /* 0: as many as help                                                                  */
  int32_t batch;   /* 0: the command's default                                                            */
  int32_t time;    /* 0: the command's default                                                            */
  int32_t show_wrong;
  int32_t top;    /* 0: 1                                                                                 */
  int32_t beam;   /* 0: none, greedy decoding                                                             */
  int32_t n_best; /* 0: 1                                                                                 */
  int32_t min_length, max_length; /* 0: not said                                                          */
  double alpha;                   /* of the length penalty; 0: not said                                   */
  double tolerance; /* 0: by the length of the sequences                                                  */
  bool allow_nonfinite;
  bool truncate;
  bool scores;
  bool json;
  bool retire;
  bool prune_by_score;
  bool help;
  char **operands;
  int32_t operand_count;
};

enum option_id {
  OPTION_OUTPUT,
  OPTION_CONFIG_OUT,
  OPTION_DEVICE,
  OPTION_PRECISION,
  OPTION_LENGTHS,
  OPTION_STEPS,
  OPTION_THREADS,
  OPTION_PLOT,
  OPTION_ALLOW_NONFINITE,
  OPTION_TRUNCATE,
  OPTION_SCORES,
  OPTION_TOLERANCE,
  OPTION_BATCH_LARGEST,
  OPTION_BATCH_MEASURED,
  OPTION_TIME,
  OPTION_SHOW_WRONG,
  OPTION_VOCABULARY,
  OPTION_CONFIG,
  OPTION_PYTORCH,
  OPTION_OWN_ACTIVATION,
  OPTION_START_TOKEN,
  OPTION_END_TOKEN,
  OPTION_LINK,
  OPTION_BEAM,
  OPTION_N_BEST,
  OPTION_LENGTH_PENALTY,
  OPTION_ALPHA,
  OPTION_MIN_LENGTH,
  OPTION_MAX_LENGTH,
  OPTION_RETIRE,
  OPTION_PRUNE_BY_SCORE,
  OPTION_TARGETS,
  OPTION_GIVEN,
  OPTION_FIRST_TOKEN,
  OPTION_WITH,
  OPTION_TOP,
  OPTION_JSON,
  OPTION_HELP,
  OPTION_COUNT
};

enum { COMMAND_OPTIONS = 20 };

struct command {
  const char *name;
  const char *operands; /* "MODEL INPUT.npy"                                                              */
  int32_t fewest, most; /* operands; most -1: any number                                                  */
  const char *summary;
  const char *description;
  const char *example;
  enum option_id options[COMMAND_OPTIONS]; /* up to OPTION_HELP, which all have                           */
  int (*run)(const struct arguments *arguments);
};

extern const struct command command_run, command_translate, command_classify, command_tag, command_compare,
    command_evaluate, command_score, command_convert, command_inspect, command_info, command_bench,
    command_devices;

/* All of them, in the order of the help; ends with NULL. */
extern const struct command *const commands[];

#endif
