/* The inputs and outputs that a model has, by name: what a configuration may list, and what it is filled in
 * with. */
#ifndef CUSEQ_SERVING_PORTS_H
#define CUSEQ_SERVING_PORTS_H

#include "fault.h"

enum input_id {
  INPUT_TEXT,    /* BYTES [B,1]                                                                            */
  INPUT_DATA,    /* "INPUT": INT32 or INT64 ids [B,T], or FP32 or FP64 [B,T,F]                             */
  INPUT_LENGTHS, /* INT32 [B,1]                                                                            */
  INPUT_TARGETS, /* INT32 [B,Y]                                                                            */
  INPUT_TARGET_LENGTHS, /* INT32 [B,1]                                                                     */
  INPUT_START,          /* INT32 [B,1]                                                                     */
  INPUT_GIVEN,          /* FP32 [B,Y,G]                                                                    */
  INPUT_COUNT
};

/* Arrays are named as `cuseq run` names them, in capitals. Those of a beam search have a name of their own,
 * since they have one axis more. */
enum output_id {
  OUTPUT_TEXT,   /* BYTES [B,N] of a decoder; labels [B,heads], or [B,T,heads]                             */
  OUTPUT_SCORES, /* FP32, like TEXT: log-probabilities or scores; probabilities of labels                  */
  OUTPUT_TOKENS,
  OUTPUT_LENGTHS, /* "OUTPUT_LENGTHS"                                                                      */
  OUTPUT_LOG_PROBABILITIES,
  OUTPUT_OUTPUTS,
  OUTPUT_CONTEXT,
  OUTPUT_ALPHAS,
  OUTPUT_STATES,
  OUTPUT_ANNOTATIONS,
  OUTPUT_H_FW,
  OUTPUT_C_FW,
  OUTPUT_H_BW,
  OUTPUT_C_BW,
  OUTPUT_BEAM_TOKENS,
  OUTPUT_BEAM_LENGTHS,
  OUTPUT_BEAM_LOG_PROBABILITIES,
  OUTPUT_BEAM_ALPHAS,
  OUTPUT_COUNT
};

#define OUTPUT_BIT(id) (1u << (id))

enum { PORT_RANK = 3 };

/* What an axis of a port counts; a positive number is that many. */
enum axis { AXIS_TIME = -1, AXIS_STEPS = -2, AXIS_BEST = -3 };

/* One input or output: its axes are those behind the rows. rank < 0: the model has no such port. */
struct port {
  const char *name;
  TRITONSERVER_DataType type;
  int32_t rank;
  int32_t axes[PORT_RANK];
};

struct ports {
  struct port inputs[INPUT_COUNT];
  struct port outputs[OUTPUT_COUNT];
  int32_t
      labelled; /* heads that have labels; they are what TEXT and SCORES of a model without decoder are of */
};

/* All ports of a model, with INPUT as it is filled in: ids where the model takes nothing else or has a
 * vocabulary, else FP32. */
void ports_make(struct ports *ports, const cuseq_model *model);

/* The port of a name; COUNT where there is none. */
enum input_id ports_input(const struct ports *ports, const char *name);
enum output_id ports_output(const struct ports *ports, const char *name);

/* How many bytes an element has; 0 of BYTES and of what no port has. */
size_t type_size(TRITONSERVER_DataType type);

#endif
