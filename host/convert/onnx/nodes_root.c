/* Sqrt. */
#include "convert/onnx/nodes.h"
#include "convert/onnx/numbers.h"
#include "error.h"

#include <math.h>

/* Of constants alone, as of the number by which an attention's energies are divided. */
cuseq_status node_square_root(struct evaluator *evaluator, struct node_call *call) {
  struct numbers numbers;
  float *data;
  TRY(node_arity(call, 1, 1));
  TRY(attributes_check(call, ""));
  if (!numbers_are(call->inputs[0]))
    return call_refuse(call, "cuseq can express square roots of constants alone");
  TRY(numbers_open(evaluator, call, call->inputs[0], "what it takes the root of", &numbers));
  cuseq_status status = numbers_make(evaluator, call, numbers.rank, numbers.dims, &call->outputs[0], &data);
  for (size_t i = 0; status == CUSEQ_STATUS_OK && i < numbers.count; i++)
    data[i] = sqrtf(numbers.data[i]);
  numbers_close(&numbers);
  return status;
}
