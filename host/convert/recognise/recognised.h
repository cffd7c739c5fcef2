/* What is recognised of a graph, and the parts of recognition. Everything here is named after its
 * counterpart in model/structure.h. */
#ifndef CUSEQ_RECOGNISED_H
#define CUSEQ_RECOGNISED_H

#include "convert/graph/affine.h"
#include "convert/recognise/recognise.h"
#include "convert/recognise/step.h"

enum { CHAIN_MAX = STRUCTURE_MAX_DENSE };

/* A layer normalisation of `units` of a level's sums from `first` on; units 0: none. */
struct level_norm {
  int32_t first, units;
  double epsilon;
  int32_t scale, offset; /* matrices */
};

/* activation(norm(x M + m)) */
struct level {
  struct affine map;
  struct level_norm norm;      /* of the encoder's layers, and of a head's but for the last one, alone */
  cuseq_activation activation; /* softmax and log_softmax in the last one of a head alone */
};

/* Levels one after the other, the first one reads. */
struct chain {
  int32_t count;
  struct level levels[CHAIN_MAX];
};

/* ---- states ---- */

struct found_initial {
  enum initial_from from;
  int32_t layer; /* of the encoder */
  bool takes_c;
  bool plain; /* both directions side by side, as they are; else through `dense`, which takes them so */
  struct level dense;
};

/* ---- attention ---- */

struct found_attention {
  bool present;
  int32_t context; /* the CONTEXT expression */
  enum attention_asks asks;
  int32_t asked_layer;
  struct bases query; /* what asks; count 0: nobody, the query is one zero */
  int32_t query_width;
  int32_t heads; /* of score dot; 0 is 1 */
  cuseq_score score;
  double scale;
  struct chain layers;         /* score concat and additive: the first takes key and query side by side */
  struct affine key, query_of; /* scores dot and general: both map to the vectors that are multiplied */
  bool has_key_map, has_value_map, has_query_map;
  struct level key_map, value_map, query_map;
  struct found_initial state; /* without a decoder: the state that asks */
};

/* ---- encoder ---- */

struct found_layer {
  enum layer_direction direction;
  cuseq_merge merge;
  int32_t index[2]; /* in expressions.layers, of the forward and the backward direction; may be two layers */
  int32_t child;    /* what its SEQUENCE and FINAL read */
  int32_t child_count; /* of these: more than the input where it is given initial states */
  const int32_t *children;
  struct bases final_h, final_c; /* FINAL expressions, forward before backward */
  struct affine front;           /* what lies between it and the layer below, or the input */
  bool residual;
  int32_t added;    /* of a residual layer: what it adds */
  int32_t weighted; /* the WEIGHTED that it gives so far, -1: its positions have no weights */
  /* every position of what it gives so far, `over`, asks all of them: the SELF_ATTENTION `itself` */
  bool attends;
  int32_t itself, over;
  struct found_attention self_attention;
  bool beside; /* and the two lie side by side */
  bool has_dense;
  struct level dense; /* behind it */
};

struct found_encoder {
  bool between; /* what lies between two layers, or below the first, is being read: refused then, it is no
                   stack */
  int32_t clock;
  int32_t count;
  struct found_layer layers[STRUCTURE_MAX_ENCODER_LAYERS]; /* the one that reads the input first */
  int32_t input;       /* the INPUT or EMBEDDING that the first layer reads through its front */
  int32_t embedding;   /* its matrix, or -1: the input is dense */
  int32_t annotations; /* what the last layer gives, -1: nothing reads it */
  const struct graph_node *mask;
};

/* ---- decoder ---- */

struct found_decoder_layer {
  int32_t cell;        /* the CELL_H expression */
  int32_t gives;       /* that, or the sum of it and what is below */
  int32_t h, c;        /* slots; c -1: none */
  int32_t cell_index;  /* in expressions.cells */
  struct affine input; /* of what it reads, in order */
  bool residual, reads_context;
  struct found_initial initial_h, initial_c;
};

/* What a decoder's step or a head reads side by side: parts and their expressions. */
struct found_parts {
  struct parts parts;
  struct bases bases;
};

struct found_decoder {
  bool present;
  int32_t count;
  struct found_decoder_layer layers[STRUCTURE_MAX_DECODER_LAYERS];
  struct found_parts reads;
  bool has_attentional;
  struct found_parts attentional_parts;
  struct level attentional;
  int32_t attentional_next; /* the expression that is the attentional vector, -1 */
  enum feedback feedback;
  int32_t token;      /* the expression that is the token as a vector, -1: none is read */
  int32_t token_slot; /* of the step, -1 */
  int32_t embedding;  /* a matrix, -1: the one-hot token */
  struct bases given; /* slots of numbers that every step is given, side by side */
  int32_t given_width;
  int32_t start_token, end_token;
  int32_t steps;
  struct step step;
};

/* ---- output ---- */

/* A vector of those that a head of a model without a decoder reads, as structure.h has it. */
struct found_read {
  enum head_source source;
  int32_t layer;
  bool takes_c;
  int32_t positions;
};

struct found_head {
  const char *name;
  enum head_source source; /* HEAD_STEP, or the first one's */
  int32_t read_count;
  struct found_read list[STRUCTURE_MAX_PARTS];
  struct found_parts reads; /* the parts of HEAD_STEP; otherwise the bases alone */
  struct chain layers;
};

struct recognised {
  struct found_encoder encoder;
  struct found_attention attention;
  struct found_decoder decoder;
  int32_t head_count;
  struct found_head heads[STRUCTURE_MAX_HEADS];
  /* what the graph has of arrays that cuseq gives, for outputs beside the model's */
  int32_t graph_steps;                                /* written out; otherwise 1 */
  int32_t *step_alphas, *step_contexts, *step_states; /* [graph_steps] expressions, or NULL */
  int32_t last_cell;                                  /* the cell state behind the last step, or -1 */
};

/* One recognition while it runs. */
struct recogniser {
  const struct recognise_request *request;
  struct expressions *expressions; /* the request's */
  struct arena *arena;             /* theirs */
  struct notes *notes;             /* the request's */
  struct recognised *model;
  const bool *reached;  /* [count of the graph's expressions] what the outputs are made of */
  int32_t graph_count;  /* of the graph's expressions; later ones are recognition's */
  const int32_t *steps; /* of the graph's expressions: how many written out steps of a decoder are in them */
};

/* ---- recognise.c ---- */

/* Begins; recogniser_end releases, but not after a failure. */
cuseq_status recogniser_begin(const struct recognise_request *request, struct recogniser *recogniser);
void recogniser_end(struct recogniser *recogniser);

/* What a request was found to be. A model that is RECOGNISED may still be refused when it is written down;
 * NO_STACK: its encoder's layers do not lie one on the other, as weave.c can make them do. */
enum recognition { NOT_RECOGNISED, NO_STACK, RECOGNISED };

/* Recognises a request and writes the model down. */
cuseq_status recognise_as_it_is(const struct recognise_request *request, enum recognition *recognition,
                                cuseq_model **model);

/* The clock of the encoder where the outputs and all that they are made of have no other than it and the
 * decoder's; -1: it is not certain. */
struct listed_outputs;
cuseq_status encoder_clock(struct recogniser *recogniser, const struct listed_outputs *listed,
                           int32_t *clock);

/* ---- chain.c ---- */

void chain_free(struct chain *chain);

/* Turns the layers' order around: they are found from the last to the first. */
void chain_reverse(struct chain *chain);

bool bases_have(const struct bases *bases, int32_t expression);

/* Adds a base unless it is there; false where there is no room. */
bool bases_add(struct bases *bases, int32_t expression);

/* What the levels of an expression end in: what its maps, activations and normalisations are made of. Stops
 * at atoms and at the expressions of `stops`.
 *   stops  may have none */
cuseq_status chain_leaves(const struct recogniser *recogniser, int32_t expression, const struct bases *stops,
                          struct bases *leaves);

/* Reads an expression as levels over the bases; at least one, an identity if need be. Refused in the name
 * of what does not fit: "cuseq cannot express what it does to SUBJECT".
 *   most   levels
 *   last   whether the last level may be a softmax: one that normalises then has another one behind it
 *   norms  whether levels may normalise */
cuseq_status chain_read(const struct recogniser *recogniser, int32_t expression, const struct bases *bases,
                        const char *subject, int32_t most, bool last, bool norms, struct chain *chain);

/* Takes a normalisation off an expression; false: it has none.
 *   norm  receives it, where it is one */
bool chain_norm(const struct recogniser *recogniser, const struct bases *stops, int32_t *expression,
                struct level_norm *norm);

/* Takes the last activation of a head off an expression, classes among them; CUSEQ_ACTIVATION_LINEAR where it
 * has none. */
cuseq_activation chain_activation(const struct recogniser *recogniser, const struct bases *stops,
                                  int32_t *expression);

/* ---- network.c ---- */

/* As chain_leaves, through any number of activations beside one another. */
cuseq_status network_leaves(const struct recogniser *recogniser, int32_t expression,
                            const struct bases *stops, struct bases *leaves);

/* As chain_read with `last`; dense layers that are no chain become one where that is exact. */
cuseq_status network_read(const struct recogniser *recogniser, int32_t expression, const struct bases *bases,
                          const char *subject, int32_t most, struct chain *chain);

/* Marks what expressions are made of, themselves among them, as far as `limit` expressions go.
 *   reached  [limit] */
cuseq_status reach(const struct expressions *expressions, int32_t expression, bool *reached, int32_t limit);
/* Of a list of them.
 *   reached  receives [expressions->count], in the arena */
cuseq_status reach_list(const struct expressions *expressions, const int32_t *list, size_t count,
                        bool **reached);
/* Whether an operation is in what an expression is made of. */
cuseq_status reaches_op(const struct expressions *expressions, int32_t expression, enum expression_op op,
                        bool *is);

/* ---- encoder.c ---- */

/* Recognises the encoder whose last layer is the one that gives `annotations`, or has the final state
 * `final` (the other one -1; with both, annotations are the last layer's). */
cuseq_status encoder_recognise(struct recogniser *recogniser, int32_t annotations, int32_t final);

/* Whether an expression is what a recurrent layer gives, without a dense layer behind it. */
bool encoder_gives(const struct expressions *expressions, int32_t expression);

/* Marks sums that are residual layers, and directions put together, as atoms: affine maps end at them. */
void encoder_mark(struct expressions *expressions);

/* The cell of a direction of a layer, and the number of units of both. */
const struct recurrent_cell *encoder_cell(const struct expressions *expressions,
                                          const struct found_layer *layer, int direction);

/* ---- initial.c ---- */

/* Zeros, or an input of the model, which stands for them: those who save such a model feed zeros. */
bool initial_is_zero(const struct expressions *expressions, int32_t expression);

/* Says that such an input is taken as zeros. */
cuseq_status initial_note_zero(struct recogniser *recogniser, int32_t expression);

/* Refuses a state that begins with something else. */
cuseq_status initial_refuse(const struct recogniser *recogniser, int32_t expression, bool hidden,
                            const struct graph_node *owner);

/* Where a state begins.
 *   expression  of the encoder's
 *   hidden      h rather than c, for messages
 *   owner       the layer in whose name it is refused */
cuseq_status initial_recognise(struct recogniser *recogniser, int32_t expression, bool hidden,
                               const struct graph_node *owner, struct found_initial *initial);

/* ---- attention.c ---- */

/* Recognises the attention of a CONTEXT expression, and with it the encoder. What asks is a layer of the
 * decoder or the token where there is a decoder, otherwise it is found and becomes attention.state. */
cuseq_status attention_recognise(struct recogniser *recogniser, int32_t context, int32_t final);

/* Collects the largest parts of energies that are the same at every position. */
cuseq_status attention_queries(const struct recogniser *recogniser, int32_t energies, struct bases *found);

/* ---- attention_energies.c ---- */

/* Reads energies over what is attended to and what asks, which attention->query says already.
 *   annotations  what is attended to
 *   itself       both are one sequence: then, and where there are several heads, keys and queries keep maps
 *                of their own rather than that the two are one matrix */
cuseq_status energies_read(struct recogniser *recogniser, struct found_attention *attention,
                           int32_t annotations, bool itself, int32_t energies);

/* ---- attention_itself.c ---- */

/* What a SELF_ATTENTION is over: the sequence that its values, keys and queries are made of, position by
 * position; -1: several, or none that `is` one.
 *   is  whether an expression may be that sequence */
int32_t self_attention_over(const struct expressions *expressions, int32_t attention,
                            bool (*is)(const struct expressions *expressions, int32_t expression));

/* Recognises one over a sequence. */
cuseq_status self_attention_recognise(struct recogniser *recogniser, int32_t expression, int32_t over,
                                      struct found_attention *attention);

/* ---- carry.c ---- */

/* Where a step reads vectors that are the same at every step, such as an encoder's last state that is
 * repeated: puts a layer in front that carries them. */
cuseq_status step_carry(struct recogniser *recogniser);

/* ---- decoder.c ---- */

/* Marks all that the outputs and what goes on from step to step are made of.
 *   marks  receives [expressions], from the arena */
cuseq_status reach_step(struct recogniser *recogniser, const struct step *step, bool **marks);

/* Recognises the decoder of decoder.step, and attention and encoder with it. */
cuseq_status decoder_recognise(struct recogniser *recogniser);

/* Refuses what no step can hand to the next beside states and token, whatever it begins with. */
cuseq_status decoder_check_fed(const struct recogniser *recogniser, const struct slot *slot);

/* The part of a step that an expression is; false: none. */
bool decoder_part(const struct recogniser *recogniser, int32_t expression, enum part *part);

/* Adds it to what is read side by side; all that is given is one part. false: there is no room. */
bool decoder_add_part(const struct recogniser *recogniser, struct found_parts *parts, enum part part,
                      int32_t expression);

/* ---- decoder_token.c ---- */

/* Whether what follows in a slot is the step's chosen token, or a row of an embedding for it. */
bool token_follows(const struct expressions *expressions, const struct slot *slot);

/* Whether what follows in a slot is the model's output itself, a softmax. */
bool token_is_probabilities(const struct recogniser *recogniser, const struct slot *slot);

/* The input that a slot begins with, a vector of the caller's and no sequence; NULL: it begins otherwise. */
const struct expression *token_input(const struct expressions *expressions, const struct slot *slot);

/* What a step makes of a given one-hot token by layers of any activation becomes rows of an embedding. */
cuseq_status token_tabulate(struct recogniser *recogniser);

/* Finds the expression that is the token as a vector, and its slot.
 *   reached  [limit] what the step is made of */
cuseq_status token_find(struct recogniser *recogniser, const bool *reached, int32_t limit);

/* Settles feedback, start and end token and steps. */
cuseq_status token_settle(struct recogniser *recogniser);

/* ---- outputs.c ---- */

/* One output of the model in its file's order. */
struct listed_output {
  struct value value;
  const int32_t *parts; /* the expressions that it joins, or itself */
  int32_t part_count;
  bool joined; /* along an axis of steps, or the features */
  bool flat;   /* joined along the features */
  bool beside; /* it is to be one of cuseq's arrays that every run gives; otherwise a model's output */
  bool last;   /* of a layer over given tokens, its state behind the last of them */
};

/* What the file lists as the model's outputs, held against the arrays that cuseq gives: the outputs of the
 * decoder's steps come all and in their order, and what stands beside them is one of cuseq's other arrays,
 * or the model is refused. */
struct listed_outputs {
  struct listed_output *list;
  size_t count;
  int32_t *main; /* what the outputs that are not beside consist of, in the file's order */
  int32_t main_count;
  const char **names; /* [main_count] of the outputs that they are of */
  int32_t
      *steps; /* [main_count] of each the number of its written out step, from 1 on; 0: there are no steps */
};

/* Takes the outputs apart. */
cuseq_status outputs_list(struct recogniser *recogniser, struct listed_outputs *listed);

/* The context of an attention-only model, which must be its one output but for those beside it; or that of an
 * attention whose weights are the one output. */
cuseq_status outputs_context(const struct recogniser *recogniser, struct listed_outputs *listed,
                             int32_t *context);

/* Refuses written out steps that are not listed all, once and in their order. */
cuseq_status outputs_check_order(const struct recogniser *recogniser, const struct listed_outputs *listed);

/* Once the model is recognised: refuses outputs whose numbers lie otherwise than cuseq's and outputs
 * beside the model's that are none of cuseq's arrays; says on the notes which array each one is. */
cuseq_status outputs_check(struct recogniser *recogniser, const struct listed_outputs *listed);

/* ---- outputs_join.c ---- */

/* The outputs of a decoder's steps as one, where there are several.
 *   at      receives the first one
 *   output  receives the expression */
cuseq_status outputs_join(struct recogniser *recogniser, const struct listed_outputs *listed, int32_t clock,
                          size_t *at, int32_t *output);

/* Reads the head of that, and says in which columns each output is. */
cuseq_status outputs_read_joined(struct recogniser *recogniser, const struct listed_outputs *listed,
                                 size_t at, int32_t joined);

/* ---- heads.c ---- */

/* The head of a decoder's step. */
cuseq_status head_of_step(struct recogniser *recogniser, int32_t output, const char *name);

/* Whether a head is over every position: then rows of `outputs` are positions. */
bool heads_over_every(const struct recognised *model);

/* Encoder, attention and heads of a model without a decoder. */
cuseq_status heads_recognise(struct recogniser *recogniser, const struct listed_outputs *listed);

/* ---- emit.c ---- */

/* Makes the model: folds what lies in front of matrices into them, writes configuration and tensors. */
cuseq_status emit_model(struct recogniser *recogniser, cuseq_model **model);

#endif
