/* keras_convert: files in, models out. */
#include "convert/convert.h"
#include "convert/keras/archive.h"
#include "convert/keras/model_text.h"
#include "error.h"
#include "formats/file_kind.h"
#include "formats/hdf5/process.h"
#include "model/config.h"
#include "rlimits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file's configuration and weights: as large as the file. */
struct contents {
  json_t *config;
  void *stream;
  struct hdf5_tree tree; /* of the stream */
  struct model_text text;
};

/* Up to two files. */
struct files {
  struct contents list[2];
};

static cuseq_status read_hdf5(int file, struct contents *contents) {
  size_t size;
  TRY(hdf5_process_run(file, &contents->stream, &size));
  return hdf5_tree_parse(contents->stream, size, &contents->tree);
}

/* Releases the weights; does nothing where they were released. */
static void files_are_read(void *files) {
  for (int i = 0; i < 2; i++) {
    struct contents *contents = &((struct files *)files)->list[i];
    hdf5_tree_free(&contents->tree);
    free(contents->stream);
    contents->tree = (struct hdf5_tree){0};
    contents->stream = NULL;
  }
}

static void files_free(struct files *files) {
  files_are_read(files);
  for (int i = 0; i < 2; i++)
    json_decref(files->list[i].config);
}

static cuseq_status read_legacy(int file, struct contents *contents) {
  TRY(read_hdf5(file, contents));
  return model_text_legacy(contents->tree.root, &contents->config, &contents->text);
}

static cuseq_status read_members(struct archive *archive, struct contents *contents) {
  json_t *metadata;
  TRY(model_text_parse(archive->metadata.bytes, archive->metadata.size, "metadata.json", &metadata));
  const char *written_by = json_string_value(json_object_get(metadata, "keras_version"));
  cuseq_status status = written_by == NULL
                            ? error_set(CUSEQ_STATUS_INVALID_FILE, "metadata.json: no keras_version")
                            : model_text_version(written_by, strlen(written_by), &contents->text.version);
  json_decref(metadata);
  TRY(status);
  TRY(model_text_parse(archive->config.bytes, archive->config.size, "config.json", &contents->config));
  TRY(read_hdf5(archive->weights, contents));
  contents->text.config = contents->config;
  contents->text.root = contents->tree.root;
  return CUSEQ_STATUS_OK;
}

static cuseq_status read_archive(int file, struct contents *contents) {
  struct archive archive;
  TRY(archive_read(file, &archive));
  cuseq_status status = read_members(&archive, contents);
  archive_free(&archive);
  return status;
}

static cuseq_status read_file(int file, struct contents *contents) {
  struct stat facts;
  if (fstat(file, &facts) != 0)
    return error_set(CUSEQ_STATUS_IO, "%s", strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return error_set(CUSEQ_STATUS_INVALID_FILE, "not a regular file");
  enum file_kind container = file_kind_container(file);
  if (container == FILE_KIND_UNKNOWN && errno != 0)
    return error_set(CUSEQ_STATUS_IO, "%s", strerror(errno));
  if (container == FILE_KIND_EMPTY)
    return error_set(CUSEQ_STATUS_INVALID_FILE, "the file is empty (needed a Keras .h5 or .keras)");
  if (container == FILE_KIND_HDF5)
    return read_legacy(file, contents);
  if (container == FILE_KIND_ZIP)
    return read_archive(file, contents);
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "not a Keras model (neither HDF5, as .h5 is, nor a zip, as .keras is)");
}

static cuseq_status read_path(const char *path, struct contents *contents) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct rlimits_text reason;
  if (file < 0)
    return error_set(CUSEQ_STATUS_IO, "%s", rlimits_reason(errno, &reason));
  cuseq_status status = read_file(file, contents);
  close(file);
  return status;
}

/* One file, or an encoder's and that of one step of its decoder.
 *   at  receives, with an error, which of them it is about; the error names no file */
static cuseq_status convert_paths(const char *const *paths, size_t count, const struct model_hints *hints,
                                  size_t *at, cuseq_model **model, char **notes) {
  struct files files = {{{0}, {0}}};
  struct model_hints with = *hints;
  struct model_text texts[2];
  cuseq_status status = CUSEQ_STATUS_OK;
  bool second = false;
  with.file_is_read = files_are_read;
  with.file = &files;
  for (size_t i = 0; status == CUSEQ_STATUS_OK && i < count; i++) {
    *at = i;
    status = read_path(paths[i], &files.list[i]);
    texts[i] = files.list[i].text;
  }
  if (status == CUSEQ_STATUS_OK) {
    status = count == 2 ? model_text_convert_pair(texts, &with, &second, model, notes)
                        : model_text_convert(texts[0].config, &texts[0].version, texts[0].root,
                                             texts[0].legacy, &with, model, notes);
    *at = second ? 1 : 0;
  }
  files_free(&files);
  return status;
}

/* The vocabulary is at fault where the same code that loads models refuses it by itself. */
static cuseq_status check_vocabulary(struct convert_json *text, json_t **json) {
  struct vocabulary vocabulary = {0};
  cuseq_status status = model_text_parse(text->text, strlen(text->text), "vocabulary", json);
  if (status == CUSEQ_STATUS_OK)
    status = vocabulary_parse(*json, &vocabulary);
  vocabulary_free(&vocabulary);
  text->at_fault = status != CUSEQ_STATUS_OK && status != CUSEQ_STATUS_OUT_OF_MEMORY;
  return status;
}

/* ... and where the model converts without it. Returns `status`, with the text of its error. */
static cuseq_status blame(cuseq_status status, const char *const *paths, size_t count,
                          const struct model_hints *hints, struct convert_json *text) {
  char reason[1024];
  size_t at;
  cuseq_model *model = NULL;
  struct model_hints others = {.own = hints->own, .decoder = hints->decoder, .links = hints->links};
  snprintf(reason, sizeof reason, "%s", error_text());
  text->at_fault = status == CUSEQ_STATUS_INVALID_MODEL &&
                   convert_paths(paths, count, &others, &at, &model, NULL) == CUSEQ_STATUS_OK;
  cuseq_model_destroy(model);
  return error_set(status, "%s", reason);
}

static cuseq_status convert(const char *const *paths, size_t count, struct convert_json *vocabulary,
                            const char *own_activations, const struct convert_decoder *decoder,
                            const char *links, cuseq_model **model, char **notes) {
  json_t *json = NULL;
  struct own_activations own = {0};
  cuseq_status status = CUSEQ_STATUS_OK;
  *model = NULL;
  if (notes != NULL)
    *notes = NULL;
  if (own_activations != NULL)
    status = own_activations_parse(own_activations, &own);
  if (status == CUSEQ_STATUS_OK && vocabulary != NULL)
    status = check_vocabulary(vocabulary, &json);
  struct model_hints hints = {.vocabulary = json, .own = &own, .decoder = decoder, .links = links};
  if (status == CUSEQ_STATUS_OK) {
    size_t at;
    status = convert_paths(paths, count, &hints, &at, model, notes);
    if (status != CUSEQ_STATUS_OK && vocabulary != NULL)
      blame(status, paths, count, &hints, vocabulary);
    if (status != CUSEQ_STATUS_OK && (vocabulary == NULL || !vocabulary->at_fault))
      error_prefix(status, paths[at]);
  }
  if (status == CUSEQ_STATUS_OK)
    status = own_activations_all_used(&own);
  if (status != CUSEQ_STATUS_OK) {
    cuseq_model_destroy(*model);
    *model = NULL;
    if (notes != NULL) {
      free(*notes);
      *notes = NULL;
    }
  }
  json_decref(json);
  return status;
}

cuseq_status keras_convert(const char *path, struct convert_json *vocabulary, const char *own_activations,
                           const struct convert_decoder *decoder, cuseq_model **model, char **notes) {
  return convert(&path, 1, vocabulary, own_activations, decoder, NULL, model, notes);
}

cuseq_status keras_convert_pair(const char *const *paths, struct convert_json *vocabulary,
                                const char *own_activations, const struct convert_decoder *decoder,
                                const char *links, cuseq_model **model, char **notes) {
  return convert(paths, 2, vocabulary, own_activations, decoder, links, model, notes);
}
