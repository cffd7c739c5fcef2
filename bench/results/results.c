#include "results.h"

#include "cuseq/cuseq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The line of a command's output, or "unknown". */
static void first_line(const char *command, char *text, size_t capacity) {
  FILE *pipe = popen(command, "r");
  if (!pipe || !fgets(text, (int)capacity, pipe))
    snprintf(text, capacity, "unknown");
  text[strcspn(text, "\n")] = 0;
  if (pipe)
    pclose(pipe);
}

static void command_make(struct heading *heading, int argc, char **argv) {
  const size_t capacity = sizeof heading->command;
  snprintf(heading->command, capacity, "./run bench %s", heading->bench);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) {
      i++;
      continue;
    }
    if (strncmp(argv[i], "--json=", 7) == 0)
      continue;
    size_t used = strlen(heading->command);
    snprintf(heading->command + used, capacity - used, " %s", argv[i]);
  }
}

void heading_make(struct heading *heading, const char *bench, const char *processor, int argc, char **argv) {
  char model[256];
  heading->bench = bench;
  first_line("sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo", model, sizeof model);
  snprintf(heading->machine, sizeof heading->machine, "%s: %.120s", model, processor);
  first_line("bench/results/commit.sh 2>/dev/null", heading->commit, sizeof heading->commit);
  time_t now = time(NULL);
  strftime(heading->date, sizeof heading->date, "%Y-%m-%d %H:%M UTC", gmtime(&now));
  command_make(heading, argc, argv);
}

void heading_print(const struct heading *heading) {
  printf("# machine   %s\n# compiler  %s\n# cuseq     %s, commit %s, %s\n# command   %s\n", heading->machine,
         BENCH_COMPILER, cuseq_version(), heading->commit, heading->date, heading->command);
}

struct results {
  FILE *file;
  char *path, *beside; /* beside: NULL once the file has its name */
  bool rows;
};

enum { BUFFER = 1 << 20 }; /* rows between two savings reach the file in one piece */

static void results_free(struct results *results) {
  free(results->path);
  free(results->beside);
  free(results);
}

static void json_text(FILE *file, const char *text) {
  fputc('"', file);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fputc('\\', file);
    fputc((unsigned char)*text < 0x20 ? ' ' : *text, file);
  }
  fputc('"', file);
}

static void results_heading(FILE *file, const struct heading *heading, int rounds) {
  fputs("{\n  \"bench\": ", file);
  json_text(file, heading->bench);
  fputs(",\n  \"machine\": ", file);
  json_text(file, heading->machine);
  fputs(",\n  \"versions\": {\"cuseq\": ", file);
  json_text(file, cuseq_version());
  fputs(", \"compiler\": ", file);
  json_text(file, BENCH_COMPILER);
  fputs("},\n  \"date\": ", file);
  json_text(file, heading->date);
  fputs(",\n  \"commit\": ", file);
  json_text(file, heading->commit);
  fputs(",\n  \"command\": ", file);
  json_text(file, heading->command);
  fprintf(file, ",\n  \"rounds\": %d,\n  \"rows\": [", rounds);
}

/* The structure with its file open for writing; NULL with a message. */
static struct results *results_open(const char *path) {
  struct results *results = calloc(1, sizeof *results);
  if (results) {
    results->path = strdup(path);
    if (asprintf(&results->beside, "%s.%ld", path, (long)getpid()) < 0)
      results->beside = NULL;
  }
  if (results && results->path && results->beside)
    results->file = fopen(results->beside, "w");
  if (results && results->file) {
    setvbuf(results->file, NULL, _IOFBF, BUFFER);
    return results;
  }
  fprintf(stderr, "bench: %s: cannot be written\n", path);
  if (results)
    results_free(results);
  return NULL;
}

bool results_possible(const char *path) {
  struct results *results = results_open(path);
  if (!results)
    return false;
  fclose(results->file);
  unlink(results->beside);
  results_free(results);
  return true;
}

struct results *results_begin(const char *path, const struct heading *heading, int rounds) {
  struct results *results = results_open(path);
  if (results)
    results_heading(results->file, heading, rounds);
  return results;
}

void results_row(struct results *results, const char *kind) {
  fputs(results->rows ? "},\n    {\"kind\": " : "\n    {\"kind\": ", results->file);
  json_text(results->file, kind);
  results->rows = true;
}

static void results_key(struct results *results, const char *key) {
  fputs(", ", results->file);
  json_text(results->file, key);
  fputs(": ", results->file);
}

void results_text(struct results *results, const char *key, const char *value) {
  results_key(results, key);
  json_text(results->file, value);
}

void results_bool(struct results *results, const char *key, bool value) {
  results_key(results, key);
  fputs(value ? "true" : "false", results->file);
}

void results_number(struct results *results, const char *key, double value) {
  results_key(results, key);
  if (isfinite(value))
    fprintf(results->file, "%.6g", value);
  else
    fputs("null", results->file);
}

/* Writes what the rows so far lack of a file. */
static bool results_close_rows(struct results *results) {
  fputs(results->rows ? "}\n  ]\n}\n" : "]\n}\n", results->file);
  return fflush(results->file) == 0 && !ferror(results->file);
}

/* Gives the file its name. */
static bool results_name(struct results *results) {
  if (!results->beside)
    return true;
  if (rename(results->beside, results->path) != 0)
    return false;
  free(results->beside);
  results->beside = NULL;
  return true;
}

static bool results_told(const struct results *results, bool whole) {
  if (!whole)
    fprintf(stderr, "bench: %s: cannot be written\n", results->path);
  return whole;
}

bool results_save(struct results *results) {
  const long end = ftell(results->file);
  return results_told(results, end >= 0 && results_close_rows(results) && results_name(results) &&
                                   fseek(results->file, end, SEEK_SET) == 0);
}

bool results_end(struct results *results) {
  bool whole = results_close_rows(results);
  whole = fclose(results->file) == 0 && whole;
  whole = results_told(results, whole && results_name(results));
  if (results->beside)
    unlink(results->beside);
  results_free(results);
  return whole;
}
