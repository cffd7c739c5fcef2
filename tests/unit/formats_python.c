/* numpy and the safetensors package read what is written here. Runs python3, or what CUSEQ_PYTHON names. */
#include "error.h"
#include "formats/npz.h"
#include "formats/safetensors.h"
#include "support/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(python, .init = folder_make, .fini = folder_remove, .timeout = 120);

/* The exit status of a Python program that is run in the test's folder. */
static int run(const char *program) {
  const char *python = getenv("CUSEQ_PYTHON");
  char command[2048];
  snprintf(command, sizeof command, "cd '%s' && '%s' -c '%s'", folder_path(""), python ? python : "python3",
           program);
  return system(command);
}

static void skip_without(const char *package) {
  char program[256];
  snprintf(program, sizeof program,
           "import importlib.util, sys; sys.exit(importlib.util.find_spec(\"%s\") is None)", package);
  if (run(program) != 0)
    cr_skip_test("Python has no %s here", package);
}

static float floats[] = {1.5f, -2, 3, 4, 5, 6};
static double doubles[] = {0.1, 1e300};
static int32_t ids[] = {-1, 2147483647};
static int64_t large[] = {1ll << 40};
static struct npz_entry entries[] = {
    {"floats", {NPY_F32, 2, {2, 3}, 6, floats}},
    {"doubles", {NPY_F64, 1, {2}, 2, doubles}},
    {"ids", {NPY_I32, 2, {2, 1}, 2, ids}},
    {"large", {NPY_I64, 1, {1}, 1, large}},
};

Test(python, numpy_loads_the_npy_files_that_are_written) {
  skip_without("numpy");
  for (int i = 0; i < 4; i++)
    cr_assert_eq(npy_write(folder_path(entries[i].name), &entries[i].array), CUSEQ_STATUS_OK, "%s",
                 error_text());
  cr_assert_eq(run("import numpy as np\n"
                   "def same(got, want): assert got.dtype == want.dtype and np.array_equal(got, want), got\n"
                   "same(np.load(\"floats\"), np.array([[1.5, -2, 3], [4, 5, 6]], np.float32))\n"
                   "same(np.load(\"doubles\"), np.array([0.1, 1e300]))\n"
                   "same(np.load(\"ids\"), np.array([[-1], [2147483647]], np.int32))\n"
                   "same(np.load(\"large\"), np.array([2**40]))\n"),
               0);
}

Test(python, numpy_loads_the_npz_files_that_are_written) {
  skip_without("numpy");
  struct npz archive = {entries, 4};
  cr_assert_eq(npz_write(folder_path("stored.npz"), &archive, NPZ_STORED), CUSEQ_STATUS_OK, "%s",
               error_text());
  cr_assert_eq(npz_write(folder_path("deflated.npz"), &archive, NPZ_DEFLATED), CUSEQ_STATUS_OK, "%s",
               error_text());
  cr_assert_eq(run("import numpy as np\n"
                   "for name in [\"stored.npz\", \"deflated.npz\"]:\n"
                   "  got = np.load(name)\n"
                   "  assert got.files == [\"floats\", \"doubles\", \"ids\", \"large\"], got.files\n"
                   "  assert np.array_equal(got[\"floats\"], np.array([[1.5, -2, 3], [4, 5, 6]]))\n"
                   "  assert np.array_equal(got[\"doubles\"], np.array([0.1, 1e300]))\n"
                   "  assert np.array_equal(got[\"ids\"], np.array([[-1], [2147483647]]))\n"
                   "  assert np.array_equal(got[\"large\"], np.array([2**40]))\n"),
               0);
}

Test(python, the_safetensors_package_loads_what_is_written) {
  skip_without("safetensors");
  skip_without("numpy");
  struct safetensors_tensor tensors[] = {
      {.name = "floats", .dtype = CUSEQ_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = floats, .bytes = 24},
      {.name = "empty", .dtype = CUSEQ_DTYPE_F64, .rank = 2, .shape = {0, 3}, .data = doubles, .bytes = 0},
      {.name = "scalar", .dtype = CUSEQ_DTYPE_I64, .rank = 0, .data = large, .bytes = 8},
  };
  struct safetensors_pair metadata[] = {{"cuseq", "{\"version\":1}"}};
  struct safetensors file = {tensors, 3, metadata, 1, NULL};
  cr_assert_eq(safetensors_write(folder_path("file"), &file), CUSEQ_STATUS_OK, "%s", error_text());
  cr_assert_eq(
      run("import numpy as np, safetensors\n"
          "with safetensors.safe_open(\"file\", \"np\") as file:\n"
          "  assert file.metadata() == {\"cuseq\": \"{\\\"version\\\":1}\"}, file.metadata()\n"
          "  assert set(file.keys()) == {\"floats\", \"empty\", \"scalar\"}, file.keys()\n"
          "  assert np.array_equal(file.get_tensor(\"floats\"), np.array([[1.5, -2, 3], [4, 5, 6]]))\n"
          "  assert file.get_tensor(\"empty\").shape == (0, 3)\n"
          "  assert file.get_tensor(\"scalar\") == 2**40\n"),
      0);
}
