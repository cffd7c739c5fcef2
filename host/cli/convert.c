/* cuseq convert: other people's model files. */
#include "convert/convert.h"

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/message.h"
#include "cli/output_path.h"
#include "error.h"
#include "formats/file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool ends_in(const char *path, const char *ending) {
  size_t length = strlen(path), wanted = strlen(ending);
  return length > wanted && strcasecmp(path + length - wanted, ending) == 0;
}

/* A small text file, zero-terminated. */
static int read_text(const char *path, char **text) {
  void *bytes = NULL;
  size_t size = 0;
  *text = NULL;
  cuseq_status status = file_read(path, &bytes, &size);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  char *grown = memchr(bytes, 0, size) ? NULL : realloc(bytes, size + 1);
  if (!grown) {
    free(bytes);
    return fail("%s: not a JSON text (found a zero byte)", path);
  }
  grown[size] = 0;
  *text = grown;
  return EXIT_DONE;
}

static bool begins_with(const char *text, const char *beginning) {
  return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* The last error of a conversion, under the name of the file that is at fault: the model's, or that of the JSON
 * (may be NULL) where it is about `part` of the configuration. */
static int fail_conversion(cuseq_status status, const char *model, const char *json, const char *part) {
  const char *text = error_text(), *rest = text;
  if (begins_with(text, model) && begins_with(text + strlen(model), ": "))
    rest = text + strlen(model) + 2;
  bool configuration = begins_with(rest, "configuration: ") || begins_with(rest, "names: ");
  if (!json || status == CUSEQ_STATUS_OUT_OF_MEMORY ||
      (rest != text && !(configuration && strstr(rest, part))))
    return fail_file(status);
  fail("%s: %s", json, rest);
  return exit_status(status);
}

/* What the notes of a conversion say, a line each. */
static void print_notes(const char *path, char *notes) {
  char *rest = notes;
  for (char *line; rest && (line = strsep(&rest, "\n"));)
    if (*line)
      note("%s: %s", path, line);
}

static int convert_keras(const struct arguments *arguments, cuseq_model **model, char **notes) {
  char *vocabulary = NULL;
  const char *path = arguments->operands[0];
  int result = arguments->vocabulary ? read_text(arguments->vocabulary, &vocabulary) : EXIT_DONE;
  if (result != EXIT_DONE)
    return result;
  cuseq_status status = keras_convert(path, vocabulary, model, notes);
  free(vocabulary);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE
                                   : fail_conversion(status, path, arguments->vocabulary, "vocabulary");
}

static int convert_pytorch(const struct arguments *arguments, cuseq_model **model) {
  char *config = NULL;
  int result = read_text(arguments->pytorch, &config);
  if (result != EXIT_DONE)
    return result;
  const char *path = arguments->operands[0];
  cuseq_status status = pytorch_convert(path, config, model);
  free(config);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_conversion(status, path, arguments->pytorch, "");
}

static int run_convert(const struct arguments *arguments) {
  const char *in = arguments->operands[0], *out = arguments->operands[1];
  bool keras = ends_in(in, ".h5") || ends_in(in, ".hdf5") || ends_in(in, ".keras");
  if (!ends_in(out, ".safetensors"))
    return fail("%s: unknown kind of file to write (needed OUT.safetensors)", out);
  if (!keras && !ends_in(in, ".safetensors"))
    return fail("%s: unknown kind of file (needed .h5, .hdf5, .keras, or .safetensors with --pytorch)", in);
  if (keras && arguments->pytorch)
    return fail("--pytorch: goes with a state_dict in .safetensors (found %s)", in);
  if (!keras && !arguments->pytorch)
    return fail("%s: a .safetensors file does not say what model it is (needed --pytorch CONFIG.json)", in);
  if (!keras && arguments->vocabulary)
    return fail("--vocabulary: goes with a Keras model (CONFIG.json of --pytorch has the vocabulary in it)");
  if (output_path_check(out, in) != EXIT_DONE)
    return EXIT_USER;
  cuseq_model *model = NULL;
  char *notes = NULL;
  int result = keras ? convert_keras(arguments, &model, &notes) : convert_pytorch(arguments, &model);
  if (result == EXIT_DONE && interrupt_requested())
    result = interrupt_leave();
  if (result == EXIT_DONE) {
    cuseq_status status = cuseq_model_save(model, out);
    if (status != CUSEQ_STATUS_OK)
      result = fail_library(status);
  }
  if (result == EXIT_DONE) {
    note("%s: read as a %s", in, keras ? "Keras model" : "PyTorch state_dict");
    print_notes(in, notes);
  }
  free(notes);
  cuseq_model_destroy(model);
  return result;
}

const struct command command_convert = {
    .name = "convert",
    .operands = "IN.h5|IN.keras|IN.safetensors OUT.safetensors",
    .fewest = 2,
    .most = 2,
    .summary = "make a model of a Keras model or a PyTorch checkpoint",
    .description =
        "Converts a whole Keras model (.h5 of Keras 2, .keras of Keras 3), or with --pytorch a PyTorch\n"
        "state_dict saved as .safetensors. What the model is comes from the Keras file itself, or from\n"
        "CONFIG.json. A model that cuseq cannot run the same way is refused, with the layer and the\n"
        "reason. What was recognised is said on stderr.",
    .example = "  cuseq convert dates.h5 dates.safetensors --vocabulary vocabulary.json\n"
               "  cuseq convert state_dict.safetensors dates.safetensors --pytorch config.json",
    .options = {OPTION_VOCABULARY, OPTION_PYTORCH, OPTION_HELP},
    .run = run_convert,
};
