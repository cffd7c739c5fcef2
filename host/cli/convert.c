/* cuseq convert: other people's model files. */
#include "convert/convert.h"

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/output_path.h"
#include "error.h"
#include "formats/file_kind.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool ends_in(const char *path, const char *ending) {
  size_t length = strlen(path), wanted = strlen(ending);
  return length > wanted && strcasecmp(path + length - wanted, ending) == 0;
}

/* The last error of a conversion, under the name of the file that it is about: the model's, which it names
 * itself, or that of the JSON. */
static int fail_conversion(cuseq_status status, const char *path, const struct convert_json *json) {
  if (!json->at_fault)
    return fail_file(status);
  fail("%s: %s", path, error_text());
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
  char *text = NULL;
  size_t size;
  int result =
      arguments->vocabulary ? text_load(arguments->vocabulary, WANTED_JSON, &text, &size) : EXIT_DONE;
  if (result != EXIT_DONE)
    return result;
  struct convert_json vocabulary = {.text = text};
  cuseq_status status = keras_convert(arguments->operands[0], text ? &vocabulary : NULL, model, notes);
  free(text);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_conversion(status, arguments->vocabulary, &vocabulary);
}

static int convert_pytorch(const struct arguments *arguments, cuseq_model **model) {
  char *text;
  size_t size;
  int result = text_load(arguments->pytorch, WANTED_JSON, &text, &size);
  if (result != EXIT_DONE)
    return result;
  struct convert_json description = {.text = text};
  cuseq_status status = pytorch_convert(arguments->operands[0], &description, model);
  free(text);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_conversion(status, arguments->pytorch, &description);
}

/* What the file is, whatever its name; refuses all that has no converter, and options of the other one. */
static int choose_converter(const struct arguments *arguments, bool *keras) {
  const char *in = arguments->operands[0];
  enum file_kind kind;
  cuseq_status status = file_kind_find(in, &kind);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  *keras = kind == FILE_KIND_KERAS || kind == FILE_KIND_HDF5;
  bool arrays = kind == FILE_KIND_NAMED_ARRAYS || kind == FILE_KIND_BROKEN_SAFETENSORS;
  if ((!*keras && !arrays) || (kind == FILE_KIND_BROKEN_SAFETENSORS && !arguments->pytorch))
    return fail_other_kind(in, WANTED_OTHER_MODEL, kind);
  if (*keras && arguments->pytorch)
    return fail("--pytorch: goes with a state_dict in .safetensors (found %s, %s)", in, file_kind_name(kind));
  if (arrays && !arguments->pytorch)
    return fail("%s: a .safetensors file does not say what model it is (needed --pytorch CONFIG.json)", in);
  if (arrays && arguments->vocabulary)
    return fail("--vocabulary: goes with a Keras model (CONFIG.json of --pytorch has the vocabulary in it)");
  return EXIT_DONE;
}

static int run_convert(const struct arguments *arguments) {
  const char *in = arguments->operands[0], *out = arguments->operands[1];
  bool keras = false;
  if (!ends_in(out, ".safetensors"))
    return fail("%s: unknown kind of file to write (needed OUT.safetensors)", out);
  if (output_path_check(out, in) != EXIT_DONE)
    return EXIT_USER;
  cuseq_model *model = NULL;
  char *notes = NULL;
  int result = choose_converter(arguments, &keras);
  if (result == EXIT_DONE)
    result = keras ? convert_keras(arguments, &model, &notes) : convert_pytorch(arguments, &model);
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
        "reason. What was recognised is said on stderr. What IN is, is told by what it holds, not by its\n"
        "name.",
    .example = "  cuseq convert dates.h5 dates.safetensors --vocabulary vocabulary.json\n"
               "  cuseq convert state_dict.safetensors dates.safetensors --pytorch config.json",
    .options = {OPTION_VOCABULARY, OPTION_PYTORCH, OPTION_HELP},
    .run = run_convert,
};
