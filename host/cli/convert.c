/* cuseq convert: other people's model files. */
#include "convert/convert.h"

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/kinds.h"
#include "cli/message.h"
#include "cli/output_path.h"
#include "error.h"
#include "formats/file_kind.h"

#include <errno.h>
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

/* A token that an option says: a number or, where it is none, a symbol of the vocabulary. */
static int read_token(const char *option, const char *said, const struct arguments *arguments,
                      struct convert_json *vocabulary, int32_t *token) {
  char *end;
  *token = -1;
  if (!said)
    return EXIT_DONE;
  errno = 0;
  const long number = strtol(said, &end, 10);
  if (!*end && !errno && number >= 0 && number <= INT32_MAX) {
    *token = (int32_t)number;
    return EXIT_DONE;
  }
  if (!vocabulary->text)
    return fail(
        "--%s: not a whole number that fits (found \"%s\", needed 0 to %d, or a symbol of --vocabulary)",
        option, said, INT32_MAX);
  const cuseq_status status = convert_symbol(vocabulary, said, token);
  if (status != CUSEQ_STATUS_OK)
    return fail_conversion(status, arguments->vocabulary, vocabulary);
  return *token >= 0
             ? EXIT_DONE
             : fail("--%s: no number, and no symbol of the vocabulary's output (found \"%s\")", option, said);
}

static int read_decoder(const struct arguments *arguments, struct convert_json *vocabulary,
                        struct convert_decoder *decoder) {
  decoder->steps = arguments->steps;
  const int status =
      read_token("start-token", arguments->start_token, arguments, vocabulary, &decoder->start_token);
  return status != EXIT_DONE
             ? status
             : read_token("end-token", arguments->end_token, arguments, vocabulary, &decoder->end_token);
}

static int convert_keras(const struct arguments *arguments, cuseq_model **model, char **notes) {
  char *text = NULL;
  size_t size;
  int result =
      arguments->vocabulary ? text_load(arguments->vocabulary, WANTED_JSON, &text, &size) : EXIT_DONE;
  if (result != EXIT_DONE)
    return result;
  struct convert_json vocabulary = {.text = text};
  struct convert_decoder decoder;
  result = read_decoder(arguments, &vocabulary, &decoder);
  if (result != EXIT_DONE) {
    free(text);
    return result;
  }
  const char *paths[2] = {arguments->operands[0], arguments->operands[1]};
  struct convert_json *words = text ? &vocabulary : NULL;
  cuseq_status status =
      arguments->operand_count > 2
          ? keras_convert_pair(paths, words, arguments->own_activation, &decoder, arguments->link, model,
                               notes)
          : keras_convert(paths[0], words, arguments->own_activation, &decoder, model, notes);
  free(text);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_conversion(status, arguments->vocabulary, &vocabulary);
}

static int convert_arrays(const struct arguments *arguments, cuseq_model **model) {
  char *text;
  size_t size;
  int result = text_load(arguments->config, WANTED_JSON, &text, &size);
  if (result != EXIT_DONE)
    return result;
  struct convert_json description = {.text = text};
  cuseq_status status = arrays_convert(arguments->operands[0], &description, model);
  free(text);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_conversion(status, arguments->config, &description);
}

/* One file, or an encoder and its decoder. */
static int convert_onnx(const struct arguments *arguments, cuseq_model **model, char **notes) {
  char *text = NULL;
  size_t size;
  int result =
      arguments->vocabulary ? text_load(arguments->vocabulary, WANTED_JSON, &text, &size) : EXIT_DONE;
  if (result != EXIT_DONE)
    return result;
  struct convert_json vocabulary = {.text = text};
  struct convert_decoder decoder;
  result = read_decoder(arguments, &vocabulary, &decoder);
  if (result != EXIT_DONE) {
    free(text);
    return result;
  }
  const char *paths[2] = {arguments->operands[0], arguments->operands[1]};
  cuseq_status status = onnx_convert(paths, (size_t)arguments->operand_count - 1, text ? &vocabulary : NULL,
                                     &decoder, arguments->link, model, notes);
  free(text);
  return status == CUSEQ_STATUS_OK ? EXIT_DONE : fail_conversion(status, arguments->vocabulary, &vocabulary);
}

/* Whether a file of this kind has named arrays. */
static bool has_arrays(enum file_kind kind) {
  return kind == FILE_KIND_NAMED_ARRAYS || kind == FILE_KIND_BROKEN_SAFETENSORS || kind == FILE_KIND_NPZ ||
         kind == FILE_KIND_TORCH || kind == FILE_KIND_KERAS || kind == FILE_KIND_HDF5;
}

/* Whether a file has a whole Keras model, as far as its first bytes tell. */
static bool is_keras(enum file_kind kind) {
  return kind == FILE_KIND_KERAS || kind == FILE_KIND_HDF5;
}

/* The second file of two, a decoder's, which is of the same kind as the first; and --link, which goes with
 * it. */
static int choose_second(const struct arguments *arguments, enum file_kind first) {
  enum file_kind kind;
  if (arguments->operand_count == 2)
    return !arguments->link ? EXIT_DONE
                            : fail("--link: goes with two files (needed ENCODER DECODER OUT.safetensors)");
  cuseq_status status = file_kind_find(arguments->operands[1], &kind);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  if (kind == first || (is_keras(kind) && is_keras(first)))
    return EXIT_DONE;
  if (kind == FILE_KIND_ONNX || is_keras(kind))
    return fail("%s: %s, and its encoder is %s (needed two files of one kind)", arguments->operands[1],
                file_kind_name(kind), file_kind_name(first));
  return fail_other_kind(arguments->operands[1], WANTED_OTHER_MODEL, kind);
}

/* The options of ONNX models. */
static int choose_onnx(const struct arguments *arguments) {
  if (arguments->config)
    return fail("--config: goes with named arrays (found %s, %s)", arguments->operands[0],
                file_kind_name(FILE_KIND_ONNX));
  if (arguments->own_activation)
    return fail("--own-activation: goes with a Keras model (found %s, %s)", arguments->operands[0],
                file_kind_name(FILE_KIND_ONNX));
  return choose_second(arguments, FILE_KIND_ONNX);
}

/* What the file is, whatever its name; refuses all that has no converter, and options that do not go
 * together. */
static int choose_converter(const struct arguments *arguments, enum file_kind *kind) {
  const char *in = arguments->operands[0];
  cuseq_status status = file_kind_find(in, kind);
  if (status != CUSEQ_STATUS_OK)
    return fail_file(status);
  bool keras = is_keras(*kind);
  if (*kind == FILE_KIND_ONNX)
    return choose_onnx(arguments);
  bool whole = keras && !arguments->config;
  if (!whole && (arguments->operand_count > 2 || arguments->link))
    return fail("%s: %s (a second file, and --link, go with ONNX models and whole Keras models)", in,
                file_kind_name(*kind));
  if (!has_arrays(*kind) || (*kind == FILE_KIND_BROKEN_SAFETENSORS && !arguments->config))
    return fail_other_kind(in, WANTED_OTHER_MODEL, *kind);
  if (!keras && !arguments->config)
    return fail("%s: %s, which does not say what model it is (needed --config CONFIG.json, which cuseq "
                "inspect -o begins)",
                in, file_kind_name(*kind));
  if (arguments->config && arguments->vocabulary)
    return fail("--vocabulary: goes without --config (CONFIG.json has the vocabulary in it)");
  if (arguments->own_activation && (arguments->config || !keras))
    return fail(
        "--own-activation: goes with a Keras model, without --config (CONFIG.json names activations)");
  bool said = arguments->start_token || arguments->end_token || arguments->steps > 0;
  if (said && arguments->config)
    return fail("--start-token, --end-token and --steps: go without --config (CONFIG.json has them in it)");
  return whole ? choose_second(arguments, *kind) : EXIT_DONE;
}

/* What it was taken for. */
static const char *read_as(const struct arguments *arguments, enum file_kind kind) {
  if (kind == FILE_KIND_ONNX)
    return arguments->operand_count > 2 ? "the encoder of an ONNX model of two files" : "an ONNX model";
  if (!arguments->config)
    return arguments->operand_count > 2 ? "the encoder of a Keras model of two files" : "a Keras model";
  switch (kind) {
  case FILE_KIND_TORCH:
    return "the arrays of a PyTorch checkpoint";
  case FILE_KIND_NPZ:
    return "the arrays of an .npz";
  case FILE_KIND_KERAS:
  case FILE_KIND_HDF5:
    return "the arrays of an HDF5 file";
  default:
    return "the arrays of a .safetensors file";
  }
}

static int run_convert(const struct arguments *arguments) {
  const char *in = arguments->operands[0], *out = arguments->operands[arguments->operand_count - 1];
  enum file_kind kind = FILE_KIND_UNKNOWN;
  if (!ends_in(out, ".safetensors"))
    return fail("%s: unknown kind of file to write (needed OUT.safetensors)", out);
  for (int32_t i = 0; i + 1 < arguments->operand_count; i++)
    if (output_path_check(out, arguments->operands[i]) != EXIT_DONE)
      return EXIT_USER;
  cuseq_model *model = NULL;
  char *notes = NULL;
  int result = choose_converter(arguments, &kind);
  if (result == EXIT_DONE)
    result = arguments->config        ? convert_arrays(arguments, &model)
             : kind == FILE_KIND_ONNX ? convert_onnx(arguments, &model, &notes)
                                      : convert_keras(arguments, &model, &notes);
  if (result == EXIT_DONE && interrupt_requested())
    result = interrupt_leave();
  if (result == EXIT_DONE) {
    cuseq_status status = cuseq_model_save(model, out);
    if (status != CUSEQ_STATUS_OK)
      result = fail_library(status);
  }
  if (result == EXIT_DONE) {
    note("%s: read as %s", in, read_as(arguments, kind));
    print_notes(in, notes);
  }
  free(notes);
  cuseq_model_destroy(model);
  return result;
}

const struct command command_convert = {
    .name = "convert",
    .operands = "IN [DECODER] OUT.safetensors",
    .fewest = 2,
    .most = 3,
    .summary = "make a model of a Keras or ONNX model, or of named arrays and a configuration",
    .description =
        "Converts a whole Keras model (.h5 of Keras 2, .keras of Keras 3), an ONNX model (.onnx), of either "
        "an\n"
        "encoder and, behind it, one step of its decoder, or with --config the named arrays of a PyTorch\n"
        "checkpoint (.pt, .pth, .bin, .safetensors), of an .npz or of HDF5 (.h5, .keras). What the model is\n"
        "comes from the file itself, or from CONFIG.json. A model that cuseq cannot run the same way is\n"
        "refused, with the layer or node and the reason. What was recognised is said on stderr. What IN\n"
        "is, is told by what it holds, not by its name.",
    .example =
        "  cuseq convert dates.h5 dates.safetensors --vocabulary vocabulary.json\n"
        "  cuseq convert encoder.onnx decoder.onnx g2p.safetensors --start-token 1 --end-token 2 --steps 30\n"
        "  cuseq convert checkpoint.pt dates.safetensors --config config.json",
    .options = {OPTION_VOCABULARY, OPTION_CONFIG, OPTION_PYTORCH, OPTION_OWN_ACTIVATION, OPTION_START_TOKEN,
                OPTION_END_TOKEN, OPTION_STEPS, OPTION_LINK, OPTION_HELP},
    .run = run_convert,
};
