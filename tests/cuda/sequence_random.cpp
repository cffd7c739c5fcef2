/* Random layers on every mapping that can run them: sequence_random CASES SEED. Prints nothing but failures,
 * with what it takes to see them again. */
#include "sequence_case.h"

static struct sequence_case draw(const struct launch_device &device) {
  const cuseq_activation cells[] = {CUSEQ_ACTIVATION_TANH, CUSEQ_ACTIVATION_RELU, CUSEQ_ACTIVATION_LINEAR};
  const int most[SEQUENCE_MAPPINGS] = {16, 32, 64, 128, 160};
  struct sequence_case c = {};
  c.form = case_random(2) ? CELL_FORM_GRU_RESET_AFTER : CELL_FORM_LSTM;
  do
    c.mapping = (enum sequence_mapping)case_random(SEQUENCE_MAPPINGS);
  while (!sequence_mapping_possible(c.mapping, 1, &device));
  c.H = 1 + (int)case_random((uint32_t)most[c.mapping]);
  c.B = 1 + (int)case_random(c.mapping == SEQUENCE_MAPPING_GRID ? 20 : 6);
  c.T = 1 + (int)case_random(c.mapping == SEQUENCE_MAPPING_GRID ? 6 : 40);
  c.F = 1 + (int)case_random(40);
  c.D = 1 + (int)case_random(2);
  c.source = (enum case_source)case_random(3);
  if (c.source == SOURCE_X && !sequence_mapping_takes_x(c.mapping, c.F, c.H))
    c.source = SOURCE_PROJECTED;
  c.activation = cells[case_random(3)];
  if (c.activation != CUSEQ_ACTIVATION_TANH && c.T > 10)
    c.T = 10; /* what does not saturate runs away, and its errors with it */
  c.recurrent = (cuseq_activation)(CUSEQ_ACTIVATION_SIGMOID + case_random(3));
  c.ragged = case_random(2), c.initial = case_random(2), c.ordered = case_random(2),
  c.concat = case_random(2);
  c.backward = c.D == 1 && case_random(2);
  return c;
}

int main(int argc, char **argv) {
  struct launch_device device = case_device();
  int cases = argc > 1 ? std::atoi(argv[1]) : 40;
  for (int i = 0; i < cases; i++) {
    case_state = (argc > 2 ? std::strtoull(argv[2], NULL, 10) : 1) * 1000003 + (uint64_t)i;
    case_random(1);
    struct sequence_case c = draw(device);
    struct launch_device restricted = device;
    restricted.multiprocessors = 1 + (int)case_random((uint32_t)device.multiprocessors);
    restricted.cooperative = device.cooperative && case_random(4) != 0;
    restricted.shared_bytes = (int)(40960 + case_random((uint32_t)device.shared_bytes - 40960 + 1));
    case_check(c, restricted);
  }
  return check_end();
}
