/* The sequence kernels, each mapping and cell by itself: sequence MAPPING CELL [long T | large T], 0 to 4 as
 * in launch_recurrence.h, and 0 LSTM, 1 GRU; long: T steps of H 512 alone; large: H 768 and 1024 alone. Each
 * runs at the sizes it is chosen for and, where it can, at those it is not. */
#include "sequence_case.h"

static const int sizes[] = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 256};

static enum cell_form form;

static struct sequence_case plain(enum sequence_mapping mapping, int H) {
  struct sequence_case c = {};
  c.form = form, c.mapping = mapping;
  c.B = 3, c.T = 5, c.F = 7, c.H = H, c.D = 2;
  c.activation = CUSEQ_ACTIVATION_TANH, c.recurrent = CUSEQ_ACTIVATION_SIGMOID;
  c.ragged = c.initial = c.ordered = c.concat = true;
  return c;
}

/* Every size, from each source. */
static void check_sizes(enum sequence_mapping mapping, const struct launch_device &device) {
  for (int H : sizes)
    for (int source = SOURCE_PROJECTED; source <= SOURCE_X; source++) {
      struct sequence_case c = plain(mapping, H);
      c.source = (enum case_source)source;
      if (sequence_mapping_possible(mapping, H, &device) &&
          (source != SOURCE_X || sequence_mapping_takes_x(mapping, c.F, H)))
        case_check(c, device);
    }
}

/* Every pair of functions, with and without lengths, initial states and order, one direction and separate
 * outputs. */
static void check_configurations(enum sequence_mapping mapping, int H, const struct launch_device &device) {
  const cuseq_activation cells[] = {CUSEQ_ACTIVATION_TANH, CUSEQ_ACTIVATION_RELU, CUSEQ_ACTIVATION_LINEAR};
  const cuseq_activation gates[] = {CUSEQ_ACTIVATION_SIGMOID, CUSEQ_ACTIVATION_HARD_SIGMOID,
                                    CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2};
  for (int i = 0; i < 9; i++) {
    struct sequence_case c = plain(mapping, H);
    c.activation = cells[i / 3], c.recurrent = gates[i % 3];
    c.source = i & 1 ? SOURCE_IDS : SOURCE_PROJECTED;
    c.ragged = i & 1, c.initial = i & 2, c.ordered = i & 4, c.concat = i % 3 == 0, c.D = i % 4 == 1 ? 1 : 2;
    c.backward = i == 5;
    case_check(c, device);
  }
}

/* Longer than what is loaded ahead, and dense x as wide as is taken. */
static void check_long(enum sequence_mapping mapping, int H, const struct launch_device &device) {
  for (int T : {1, 2, 31, 33, 70})
    for (int source = SOURCE_PROJECTED; source <= SOURCE_X; source++) {
      struct sequence_case c = plain(mapping, H);
      c.T = T;
      c.B = T == 70 ? 2 : 3;
      c.source = (enum case_source)source;
      c.F = source == SOURCE_X && T == 33 ? 128 : 37;
      c.once = mapping == SEQUENCE_MAPPING_GRID && T > 2;
      if (source != SOURCE_X || sequence_mapping_takes_x(mapping, c.F, H))
        case_check(c, device);
    }
}

/* A row alone has the bits that it has in a batch, of B rows. */
static void check_bits(enum sequence_mapping mapping, int H, int B, const struct launch_device &device,
                       cuseq_precision precision = CUSEQ_PRECISION_FLOAT32) {
  struct sequence_case c = plain(mapping, H);
  c.precision = precision;
  c.B = B, c.T = mapping == SEQUENCE_MAPPING_GRID ? 3 : 5;
  c.source = SOURCE_IDS, c.initial = false, c.once = true;
  struct sequence_data data = case_data(c);
  struct sequence_results batch = case_run(c, data, device);
  for (int b = 0; b < c.B; b += B / 2) {
    struct sequence_case alone = c;
    struct sequence_data one = data;
    alone.B = 1;
    one.ids.assign(data.ids.begin() + (long)b * c.T, data.ids.begin() + (long)(b + 1) * c.T);
    one.lengths = {data.lengths[b]};
    one.order = {0};
    struct sequence_results row = case_run(alone, one, device);
    check_that(std::memcmp(row.output.data(), batch.output.data() + row.output.size() * b,
                           row.output.size() * sizeof(float)) == 0,
               (case_name(c) + ": a row alone has the same bits").c_str());
  }
}

/* Devices that hold little: few SMs (several tiles of units a block), little shared memory (U through the
 * caches), none of the cooperative launches; more rows than a tile; H beyond one and two chunks. */
static void check_devices(const struct launch_device &device) {
  struct launch_device few = device, small = device, alone = device, one = device;
  few.multiprocessors = 7, few.shared_bytes = 48 << 10;
  small.shared_bytes = 40 << 10;
  alone.cooperative = 0;
  one.multiprocessors = 1;
  for (int H : {65, 530}) {
    struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, H);
    c.T = 2, c.source = SOURCE_IDS;
    for (const struct launch_device *restricted : {&few, &small, &alone, &one})
      case_check(c, *restricted);
    c.B = 9;
    case_check(c, few);
  }
  struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, 40);
  c.B = 150, c.source = SOURCE_IDS;
  case_check(c, device);
  case_check(c, few);
  case_check(c, alone);
  c.H = 1040, c.B = 2, c.T = 2, c.D = 1;
  case_check(c, device);
}

/* States and weights that are far from 1: float16 has few exponents, so that rows and weights have scales of
 * their own. Columns of U are zeros, as good as zeros, as they are, and large. */
static void check_scales(const struct launch_device &device) {
  const float sizes[] = {1e-6f, 1.0f, 4000.0f, 1e9f}, columns[] = {0.0f, 0x1p-60f, 1.0f, 0x1p6f};
  for (float size : sizes)
    for (int H : {140, 530}) {
      struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, H);
      c.source = SOURCE_IDS, c.T = 3, c.B = H == 140 ? 30 : 3, c.once = true;
      struct sequence_data data = case_data(c);
      for (size_t i = 0; i < data.initial_h.size(); i++) /* of every other row */
        data.initial_h[i] *= i / H % 2 ? size : 1.0f;
      for (int d = 0; d < c.D && size == 1.0f; d++)
        for (size_t i = 0; i < data.cells[d].recurrent.size(); i++)
          data.cells[d].recurrent[i] *= columns[i % 4];
      double bound = case_bound(c) * (size == 1.0f ? columns[3] : std::fmax(1.0, size));
      struct sequence_wanted want = case_reference(c, data);
      struct sequence_results got = case_run(c, data, device);
      std::string name = case_name(c) + ": states of " + std::to_string(size);
      check_close((name + ", output").c_str(), got.output, want.output, bound);
      check_close((name + ", final h").c_str(), got.final_h, want.final_h, bound);
    }
}

/* Sums of 512 and of 1,024 products, of which a tensor core adds up but 128 by itself. */
static void check_wide(const struct launch_device &device) {
  for (int H : {512, 1024}) {
    struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, H);
    c.B = 2, c.T = H == 512 ? 6 : 2, c.D = 1, c.source = SOURCE_IDS, c.ragged = false;
    case_check(c, device);
  }
}

/* Factors that are rounded: results err by so much, and not by less than a hundredth of it; a row has the
 * same bits alone. */
static void check_precisions(const struct launch_device &device) {
  for (cuseq_precision precision : {CUSEQ_PRECISION_TF32, CUSEQ_PRECISION_BF16})
    for (int H : {140, 530}) {
      struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, H);
      c.precision = precision, c.source = SOURCE_IDS, c.B = H == 140 ? 30 : 3, c.T = 4, c.once = true;
      struct sequence_data data = case_data(c);
      struct sequence_wanted want = case_reference(c, data);
      struct sequence_results got = case_run(c, data, device);
      check_close((case_name(c) + ": output").c_str(), got.output, want.output, case_bound(c));
      double largest = 0.0;
      for (size_t i = 0; i < got.output.size(); i++)
        largest = std::fmax(largest, std::fabs(got.output[i] - want.output[i]));
      check_that(largest >= 0.01 * case_bound(c), (case_name(c) + ": factors are rounded").c_str());
    }
}

/* Errors do not grow with T: to run with a thousand steps. */
static void check_steps(int T, const struct launch_device &device) {
  struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, 512);
  c.B = 2, c.T = T, c.D = 1, c.source = SOURCE_IDS, c.once = true;
  case_check(c, device);
}

/* Sixteen rows of wide layers: two teams of every block, and all of U in the blocks' shared memory. */
static void check_large(int T, const struct launch_device &device) {
  for (int H : {768, 1024})
    for (cuseq_precision precision : {CUSEQ_PRECISION_FLOAT32, CUSEQ_PRECISION_TF32, CUSEQ_PRECISION_BF16}) {
      struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, H);
      c.B = 16, c.T = T, c.D = 1, c.source = SOURCE_IDS, c.precision = precision, c.once = true;
      case_check(c, device);
    }
}

/* Batches of other sizes follow one another on one workspace. */
static void check_workspace(const struct launch_device &device) {
  struct sequence_case c = plain(SEQUENCE_MAPPING_GRID, 70);
  c.source = SOURCE_IDS;
  size_t bytes = sequence_workspace_bytes(c.mapping, 40, c.H, c.D, &device);
  device_array<char> workspace(std::vector<char>(bytes, 0));
  for (int B : {40, 1, 40, 9, 17, 40}) {
    c.B = B;
    struct sequence_data data = case_data(c);
    struct sequence_results got = case_run(c, data, device, workspace.data());
    check_close((case_name(c) + ": on a used workspace").c_str(), got.output, case_reference(c, data).output,
                case_bound(c));
  }
  check_that(workspace.intact(), "nothing is written outside of the workspace");
}

/* What cannot be run is refused in one line. */
static void check_refusals(const struct launch_device &device) {
  char error[160] = "";
  struct launch_stream stream = {NULL, &device, error, sizeof error};
  struct sequence a = {};
  a.mapping = SEQUENCE_MAPPING_WARP32;
  check_that(launch_sequence(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "empty sizes are refused");
  a.batch = a.time = a.directions = 1, a.units = 33, error[0] = 0;
  check_that(launch_sequence(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "too many units are refused");
  a.units = 32, error[0] = 0;
  check_that(launch_sequence(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "no input is refused");
  device_array<float> some((size_t)64);
  a.d_projected = some.data() + 1, a.d_recurrent = a.d_bias = some.data(), error[0] = 0;
  a.recurrent_activation = CUSEQ_ACTIVATION_SIGMOID;
  check_that(launch_sequence(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "misalignment is refused");
  a.d_projected = some.data(), a.form = CELL_FORM_GRU_RESET_BEFORE, error[0] = 0;
  check_that(launch_sequence(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "a cell that needs a second product is refused");
  a.form = CELL_FORM_LSTM, a.directions = 2, a.is_backward = true, error[0] = 0;
  check_that(launch_sequence(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "two directions that are one are refused");
  struct launch_device without = device;
  without.tensor_cores = 0;
  stream.device = &without, error[0] = 0;
  a.directions = 1, a.is_backward = false, a.mapping = SEQUENCE_MAPPING_GRID,
  a.precision = CUSEQ_PRECISION_BF16;
  check_that(launch_sequence(&a, &stream) == CUSEQ_STATUS_INVALID_ARGUMENT && error[0],
             "bf16 without tensor cores is refused");
  check_that(!std::strchr(error, '\n'), "an error is one line");
}

int main(int argc, char **argv) {
  struct launch_device device = case_device();
  enum sequence_mapping mapping = (enum sequence_mapping)(argc > 1 ? std::atoi(argv[1]) : 0);
  form = (enum cell_form)(argc > 2 ? std::atoi(argv[2]) : 0);
  const int typical[SEQUENCE_MAPPINGS] = {13, 30, 50, 100, 140};
  if (!sequence_mapping_possible(mapping, 1, &device)) {
    std::printf("skipped: mapping %d does not run on compute capability %d\n", (int)mapping,
                device.architecture);
    return 77;
  }
  if (argc > 4) {
    (std::strcmp(argv[3], "long") == 0 ? check_steps : check_large)(std::atoi(argv[4]), device);
    return check_end();
  }
  check_sizes(mapping, device);
  check_configurations(mapping, typical[mapping], device);
  check_long(mapping, typical[mapping], device);
  check_bits(mapping, typical[mapping], 11, device);
  if (mapping == SEQUENCE_MAPPING_GRID) {
    struct launch_device small = device;
    small.shared_bytes =
        60 << 10; /* a part of U through the caches, of which a batch's blocks hold less than a row's */
    check_bits(mapping, 330, 20, device);
    check_bits(mapping, 330, 20, small);
    check_wide(device);
    check_scales(device);
    if (device.tensor_cores) {
      check_precisions(device);
      check_bits(mapping, 330, 20, device, CUSEQ_PRECISION_BF16);
    }
    check_devices(device);
    check_workspace(device);
  }
  check_refusals(device);
  return check_end();
}
