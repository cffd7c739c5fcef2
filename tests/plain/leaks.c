/* The whole life of models and sessions, failures included, for a leak checker to look at. */
#include "support/beam_case.h"
#include "support/folder.h"
#include "support/random_case.h"
#include "support/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed;

static void expect(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "%s (%s)\n", what, cuseq_last_error());
    failed = 1;
  }
}

static void save_and_load(const cuseq_model *model) {
  const char *path = folder_path("model.safetensors");
  cuseq_model *loaded = NULL;
  expect(cuseq_model_save(model, path) == CUSEQ_STATUS_OK, "a model is saved");
  expect(cuseq_model_load(path, &loaded) == CUSEQ_STATUS_OK, "a model is loaded");
  expect(cuseq_model_tensor_count(loaded) == cuseq_model_tensor_count(model), "all tensors come back");
  expect(strcmp(cuseq_model_config_json(loaded), cuseq_model_config_json(model)) == 0,
         "the configuration comes back");
  cuseq_model_destroy(loaded);
  expect(cuseq_model_load(folder_path("absent.safetensors"), &loaded) == CUSEQ_STATUS_IO,
         "an absent file is refused");
  expect(cuseq_model_save(model, folder_path("absent/model.safetensors")) == CUSEQ_STATUS_IO,
         "an absent folder is refused");
}

/* A damaged file fails in every stage there is: header, configuration, tensors. */
static void load_damaged(const cuseq_model *model) {
  const char *path = folder_path("damaged.safetensors");
  expect(cuseq_model_save(model, path) == CUSEQ_STATUS_OK, "a model is saved");
  FILE *file = fopen(path, "rb");
  static unsigned char bytes[1 << 20];
  size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (file)
    fclose(file);
  for (size_t at = 0; at < size && at < 3000; at += 7) {
    unsigned char kept = bytes[at];
    bytes[at] ^= 0x15;
    cuseq_model *loaded;
    if (cuseq_model_load_memory(bytes, size, &loaded) == CUSEQ_STATUS_OK)
      cuseq_model_destroy(loaded);
    bytes[at] = kept;
    expect(cuseq_model_load_memory(bytes, at, &loaded) != CUSEQ_STATUS_OK, "a truncated file is refused");
  }
}

static void open_and_run(const struct random_case *made, const char *device) {
  struct results results;
  cuseq_input input = random_case_input(made);
  results_make(&results, made->model, made->B, made->T, made->Y);
  results_run(&results, made->model, device, 2, &input);
  results_free(&results);
  cuseq_session_options options;
  cuseq_session *session;
  cuseq_session_options_init(&options, sizeof options, made->model);
  options.device = "nowhere";
  expect(cuseq_session_open(made->model, &options, &session) == CUSEQ_STATUS_NO_DEVICE,
         "an unknown device is refused");
  cuseq_session_close(session);
}

/* Searches whose memory is taken at opening, and by the first of them. */
static void search(int32_t beams) {
  cuseq_model *model = beam_case_model(0, 1);
  cuseq_session *session = beam_case_session(model, beams, TIME);
  static struct beam_found found;
  beam_found_make(&found, model, beams, 1);
  beam_case_encode(session, 0, ROWS);
  expect(cuseq_beam_search(session, &found.beam) == CUSEQ_STATUS_OK, "a search is made");
  cuseq_session_close(session);
  cuseq_model_destroy(model);
}

int main(void) {
  struct random random = {77};
  search(1);
  search(WIDEST_BEAM);
  folder_make();
  for (int i = 0; i < 40; i++) {
    struct random_case made;
    random_case_make(&made, &random, 12);
    save_and_load(made.model);
    if (i < 4)
      load_damaged(made.model);
    open_and_run(&made, "reference");
    open_and_run(&made, "cpu");
    random_case_free(&made);
  }
  cuseq_model_destroy(NULL);
  cuseq_session_close(NULL);
  folder_remove();
  puts(failed ? "failed" : "models and sessions lived and went");
  return failed;
}
