/* The part of plan.h for the encoder: what runs together, and on which mapping. */
#include "backends/cuda/plan.h"

#include "error.h"
#include "model/words.h"

/* The sequence kernel across SMs is taken up to here, and where at least half of U (tensor cores: of its
 * sixteens of rows) stays in shared memory: what does not is read again for every eight or sixteen rows of a
 * step, and beyond half of it a product over all rows is less work. */
enum { GRID_MOST_UNITS = 1024, GRID_SIXTEEN = 16 };

const char *const cuda_encoder_names[] = {"warp16", "warp32", "block64", "cluster128", "grid", "cell"};

enum cell_form cuda_cell_form(const struct cell *cell) {
  return cell->kind == CELL_LSTM ? CELL_FORM_LSTM
         : cell->reset_after     ? CELL_FORM_GRU_RESET_AFTER
                                 : CELL_FORM_GRU_RESET_BEFORE;
}

static struct cuda_cells cells_of_one(const struct encoder_layer *layer, int32_t direction) {
  const struct cell *cell = &layer->cells[direction];
  return (struct cuda_cells){.form = cuda_cell_form(cell),
                             .inputs = cell->inputs,
                             .units = cell->units,
                             .activation = cell->activation,
                             .recurrent_activation = cell->recurrent_activation,
                             .directions = 1,
                             .first = direction};
}

static bool alike(const struct cuda_cells *a, const struct cuda_cells *b) {
  return a->form == b->form && a->units == b->units && a->activation == b->activation &&
         a->recurrent_activation == b->recurrent_activation;
}

int32_t cuda_cells_of(const struct encoder_layer *layer, struct cuda_cells cells[2]) {
  if (layer->direction != LAYER_BIDIRECTIONAL) {
    cells[0] = cells_of_one(layer, layer->direction == LAYER_BACKWARD);
    return 1;
  }
  cells[0] = cells_of_one(layer, 0);
  cells[1] = cells_of_one(layer, 1);
  if (!alike(&cells[0], &cells[1]))
    return 2;
  cells[0].directions = 2;
  return 1;
}

const char *cuda_mapping_fault(const struct cuda_cells *cells, enum sequence_mapping mapping,
                               const struct launch_device *device) {
  if (cells->form == CELL_FORM_GRU_RESET_BEFORE)
    return "the reset after the product";
  if (cells->activation != CUSEQ_ACTIVATION_TANH && cells->activation != CUSEQ_ACTIVATION_RELU &&
      cells->activation != CUSEQ_ACTIVATION_LINEAR)
    return "activation tanh, relu or linear";
  if (cells->recurrent_activation < CUSEQ_ACTIVATION_SIGMOID ||
      cells->recurrent_activation > CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2)
    return "recurrent_activation sigmoid, hard_sigmoid or hard_sigmoid_keras2";
  if (!sequence_mapping_possible(mapping, cells->units, device))
    return mapping == SEQUENCE_MAPPING_CLUSTER128 ? "H <= 128 and clusters" : "a smaller H";
  return NULL;
}

/* Why the mapping that fits is not worth it; NULL where it is. */
static const char *not_worth_it(const struct cuda_cells *cells, enum sequence_mapping mapping,
                                const struct launch_device *device) {
  if (mapping != SEQUENCE_MAPPING_GRID)
    return NULL;
  if (cells->units > GRID_MOST_UNITS)
    return "H up to 1024";
  int32_t whole = device->tensor_cores ? GRID_SIXTEEN - 1 : 0; /* that tensor cores' sixteens leave over */
  int32_t resident = sequence_grid_resident(cells->units, cells->directions, cells->precision, device);
  if (2 * resident + whole < cells->units)
    return "at least half of the recurrent weights in shared memory";
  return NULL;
}

enum cuda_encoder cuda_encoder_choose(const struct cuda_cells *cells, const struct launch_device *device,
                                      const struct cuda_forced *forced, const char **why) {
  enum sequence_mapping mapping = sequence_mapping_choose(cells->units, device);
  const char *fault = cuda_mapping_fault(cells, mapping, device);
  if (!fault)
    fault = not_worth_it(cells, mapping, device);
  enum cuda_encoder chosen = fault ? CUDA_ENCODER_CELL : (enum cuda_encoder)mapping;
  if (forced->encoder != CUDA_FREE)
    chosen = (enum cuda_encoder)forced->encoder;
  if (why)
    *why = chosen == CUDA_ENCODER_CELL ? fault : NULL;
  return chosen;
}

static cuseq_status cells_refuse(int32_t layer, const struct cuda_cells *cells, enum sequence_mapping mapping,
                                 const char *needed, int32_t architecture) {
  return error_set(
      CUSEQ_STATUS_NOT_SUPPORTED,
      "cuda plan: \"encoder=%s\" cannot run this model (found encoder.layers.%d: %s, H %d, %s and %s, on "
      "compute capability %d.%d; needed %s)",
      cuda_encoder_names[mapping], (int)layer,
      cells->form == CELL_FORM_LSTM              ? "lstm"
      : cells->form == CELL_FORM_GRU_RESET_AFTER ? "gru"
                                                 : "gru with reset before",
      (int)cells->units, word_of(words_activation, (int)cells->activation),
      word_of(words_activation, (int)cells->recurrent_activation), (int)(architecture / 10),
      (int)(architecture % 10), needed);
}

cuseq_status cuda_encoder_check(const struct encoder_structure *encoder, const struct launch_device *device,
                                const struct cuda_forced *forced) {
  if (forced->encoder == CUDA_FREE || forced->encoder == CUDA_ENCODER_CELL)
    return CUSEQ_STATUS_OK;
  enum sequence_mapping mapping = (enum sequence_mapping)forced->encoder;
  for (int32_t l = 0; l < encoder->count; l++) {
    struct cuda_cells cells[2];
    int32_t count = cuda_cells_of(&encoder->layers[l], cells);
    for (int32_t i = 0; i < count; i++) {
      const char *needed = cuda_mapping_fault(&cells[i], mapping, device);
      if (needed)
        return cells_refuse(l, &cells[i], mapping, needed, device->architecture);
    }
  }
  return CUSEQ_STATUS_OK;
}
