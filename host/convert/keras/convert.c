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

/* What was read of an HDF5 file: as large as it is. */
struct contents {
  void *stream;
  struct hdf5_tree tree; /* of the stream */
};

static cuseq_status read_hdf5(int file, struct contents *contents) {
  size_t size;
  TRY(hdf5_process_run(file, &contents->stream, &size));
  return hdf5_tree_parse(contents->stream, size, &contents->tree);
}

/* Releases; does nothing where it was released. */
static void contents_free(void *file) {
  struct contents *contents = file;
  hdf5_tree_free(&contents->tree);
  free(contents->stream);
  *contents = (struct contents){0};
}

static cuseq_status convert_legacy(int file, const struct model_hints *hints, cuseq_model **model,
                                   char **notes) {
  struct contents contents = {0};
  struct model_hints with = *hints;
  with.file_is_read = contents_free;
  with.file = &contents;
  cuseq_status status = read_hdf5(file, &contents);
  if (status == CUSEQ_STATUS_OK)
    status = model_text_convert_legacy(contents.tree.root, &with, model, notes);
  contents_free(&contents);
  return status;
}

static cuseq_status convert_members(struct archive *archive, const struct model_hints *hints,
                                    cuseq_model **model, char **notes) {
  json_t *metadata = NULL, *config = NULL;
  struct contents contents = {0};
  struct model_hints with = *hints;
  struct keras_version version;
  with.file_is_read = contents_free;
  with.file = &contents;
  cuseq_status status;
  TRY_CLEANUP(model_text_parse(archive->metadata.bytes, archive->metadata.size, "metadata.json", &metadata));
  const char *written_by = json_string_value(json_object_get(metadata, "keras_version"));
  if (written_by == NULL) {
    status = error_set(CUSEQ_STATUS_INVALID_FILE, "metadata.json: no keras_version");
    goto cleanup;
  }
  TRY_CLEANUP(model_text_version(written_by, strlen(written_by), &version));
  TRY_CLEANUP(model_text_parse(archive->config.bytes, archive->config.size, "config.json", &config));
  TRY_CLEANUP(read_hdf5(archive->weights, &contents));
  status = model_text_convert(config, &version, contents.tree.root, false, &with, model, notes);
cleanup:
  contents_free(&contents);
  json_decref(metadata);
  json_decref(config);
  return status;
}

static cuseq_status convert_archive(int file, const struct model_hints *hints, cuseq_model **model,
                                    char **notes) {
  struct archive archive;
  TRY(archive_read(file, &archive));
  cuseq_status status = convert_members(&archive, hints, model, notes);
  archive_free(&archive);
  return status;
}

static cuseq_status convert_file(int file, const struct model_hints *hints, cuseq_model **model,
                                 char **notes) {
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
    return convert_legacy(file, hints, model, notes);
  if (container == FILE_KIND_ZIP)
    return convert_archive(file, hints, model, notes);
  return error_set(CUSEQ_STATUS_INVALID_FILE,
                   "not a Keras model (neither HDF5, as .h5 is, nor a zip, as .keras is)");
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
static cuseq_status blame(cuseq_status status, int file, const struct model_hints *hints,
                          struct convert_json *text) {
  char reason[1024];
  cuseq_model *model = NULL;
  struct model_hints others = {.own = hints->own, .decoder = hints->decoder};
  snprintf(reason, sizeof reason, "%s", error_text());
  text->at_fault =
      status == CUSEQ_STATUS_INVALID_MODEL && convert_file(file, &others, &model, NULL) == CUSEQ_STATUS_OK;
  cuseq_model_destroy(model);
  return error_set(status, "%s", reason);
}

static cuseq_status convert_path(const char *path, const struct model_hints *hints,
                                 struct convert_json *vocabulary, cuseq_model **model, char **notes) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct rlimits_text reason;
  if (file < 0)
    return error_set(CUSEQ_STATUS_IO, "%s: %s", path, rlimits_reason(errno, &reason));
  cuseq_status status = convert_file(file, hints, model, notes);
  if (status != CUSEQ_STATUS_OK && vocabulary != NULL)
    blame(status, file, hints, vocabulary);
  close(file);
  bool about_file = vocabulary == NULL || !vocabulary->at_fault;
  return status != CUSEQ_STATUS_OK && about_file ? error_prefix(status, path) : status;
}

cuseq_status keras_convert(const char *path, struct convert_json *vocabulary, const char *own_activations,
                           const struct convert_decoder *decoder, cuseq_model **model, char **notes) {
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
  struct model_hints hints = {.vocabulary = json, .own = &own, .decoder = decoder};
  if (status == CUSEQ_STATUS_OK)
    status = convert_path(path, &hints, vocabulary, model, notes);
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
