/* cuseq: recurrent models with attention - encoders of LSTM or GRU layers, attention over their hidden
 * states, recurrent decoders, beam search, classifiers and taggers - with the same answers on a CPU and on
 * NVIDIA GPUs.
 *
 * Letters used throughout: B batch, T encoder positions, F features, H encoder units per direction,
 * A annotation width (2H, or H for a forward-only encoder and the merges other than concat), S decoder
 * units, Y decoder steps, V output classes, D directions (2, or 1 for a forward-only encoder).
 *
 * Arrays are row-major, batch first, float32 unless said otherwise. An LSTM's gate blocks lie in the order i,
 * f, c, o along the last axis of every kernel and bias, as Keras stores them; PyTorch's order i, f, g, o is
 * the same one (its g is c here), only its matrices are transposed and its bias is the sum of bias_ih and
 * bias_hh. A GRU's lie z, r, n (PyTorch: r, z, n).
 *
 * Every call that can fail returns a cuseq_status; cuseq_last_error() then has one line that names the file,
 * tensor, shape or argument at fault. No call prints, exits or aborts. A model is immutable and may be shared
 * by any number of threads. A session belongs to one thread at a time; different sessions are independent,
 * also on one device. No call changes the calling thread's current CUDA device.
 *
 * Structures that callers make - of options, input, encoding, decoding, beams, devices, heads - begin with
 * their size, so that later versions can have more members. These come last, and zero in them is what was
 * before.
 *
 *     cuseq_decoding decoding = CUSEQ_DECODING_INIT;
 *     decoding.tokens = tokens;
 *     cuseq_input input = {.size = sizeof input, .data = ids, ...};      the same, in C and in C++20
 *
 * Members that are not set are zero, which is their default. Every call checks the size. 0 is refused: nobody
 * has set it. Of a smaller structure, compiled with an older header, what is missing has its default. A
 * larger one, compiled with a newer header, is taken where all is zero that this library does not know of it,
 * else refused with CUSEQ_STATUS_NOT_SUPPORTED. cuseq_config may grow, too, at its end; callers only read it.
 * cuseq_tensor never grows.
 */
#ifndef CUSEQ_CUSEQ_H
#define CUSEQ_CUSEQ_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUSEQ_VERSION_MAJOR 0
#define CUSEQ_VERSION_MINOR 1
#define CUSEQ_VERSION_PATCH 0

#if defined(__GNUC__) || defined(__clang__)
#define CUSEQ_API __attribute__((visibility("default")))
#else
#define CUSEQ_API
#endif

/* The initializer of a structure whose first member is its size; all others are zero. */
#ifdef __cplusplus
#define CUSEQ_SIZED(structure)                                                                               \
  { sizeof(structure) }
#else
#define CUSEQ_SIZED(structure)                                                                               \
  { .size = sizeof(structure) }
#endif

/* ---- status and errors ---------------------------------------------------------------------------- */

typedef enum cuseq_status {
  CUSEQ_STATUS_OK = 0,
  CUSEQ_STATUS_INVALID_ARGUMENT = 1, /* an argument of the call: NULL, a size, a length, an id            */
  CUSEQ_STATUS_INVALID_FILE = 2,     /* a file that is not what it should be                              */
  CUSEQ_STATUS_INVALID_MODEL = 3,    /* a configuration or tensors that do not make a model               */
  CUSEQ_STATUS_IO = 4,               /* a file that cannot be read or written                             */
  CUSEQ_STATUS_OUT_OF_MEMORY = 5,
  CUSEQ_STATUS_NO_DEVICE = 6,     /* a device that is not there                                           */
  CUSEQ_STATUS_NOT_SUPPORTED = 7, /* something the interface has and this version does not do             */
  CUSEQ_STATUS_NON_FINITE = 8,    /* NaN or infinity in the input                                         */
  CUSEQ_STATUS_DEVICE_FAILED = 9, /* the device failed; the session refuses further work                  */
} cuseq_status;

/* The name of a status, such as "invalid argument"; never NULL. Static text. */
CUSEQ_API const char *cuseq_status_string(cuseq_status status);

/* The text of this thread's last error, one line without a newline; "" before the first. Valid until the next
 * failing call of the same thread. A call that succeeds leaves it as it was. */
CUSEQ_API const char *cuseq_last_error(void);

/* The library's version, "MAJOR.MINOR.PATCH". Static text. */
CUSEQ_API const char *cuseq_version(void);

/* ---- models --------------------------------------------------------------------------------------- */

typedef enum cuseq_dtype {
  CUSEQ_DTYPE_F32 = 0,
  CUSEQ_DTYPE_F64 = 1,
  CUSEQ_DTYPE_F16 = 2,
  CUSEQ_DTYPE_BF16 = 3,
  CUSEQ_DTYPE_I32 = 4,
  CUSEQ_DTYPE_I64 = 5,
} cuseq_dtype;

#define CUSEQ_MAX_RANK 4
#define CUSEQ_MAX_ATTENTION_LAYERS 8
#define CUSEQ_MAX_BEAMS 64

/* A named array. name and data belong to whoever made the structure. */
typedef struct cuseq_tensor {
  const char *name; /* as in docs/model-format.md, for example "encoder.layers.0.forward.kernel"           */
  cuseq_dtype dtype;
  int32_t rank;
  int64_t shape[CUSEQ_MAX_RANK]; /* the first `rank` entries                                               */
  const void *data;              /* dense, row-major, native byte order                                    */
} cuseq_tensor;

typedef enum cuseq_activation {
  CUSEQ_ACTIVATION_LINEAR = 0,
  CUSEQ_ACTIVATION_TANH = 1,
  CUSEQ_ACTIVATION_RELU = 2,
  CUSEQ_ACTIVATION_SIGMOID = 3,
  CUSEQ_ACTIVATION_HARD_SIGMOID = 4,        /* Keras 3, PyTorch: clip(x/6 + 0.5, 0, 1)                     */
  CUSEQ_ACTIVATION_HARD_SIGMOID_KERAS2 = 5, /* Keras 2: clip(0.2x + 0.5, 0, 1)                             */
  CUSEQ_ACTIVATION_SOFTMAX = 6,             /* over a vector: of the last output layer only                */
  CUSEQ_ACTIVATION_LOG_SOFTMAX = 7,         /* likewise                                                    */
  CUSEQ_ACTIVATION_ELU = 8,                 /* x > 0 ? x : exp(x) - 1                                      */
  CUSEQ_ACTIVATION_SELU = 9,           /* 1.0507009873554805 (x > 0 ? x : 1.6732632423543772 (exp(x) - 1)) */
  CUSEQ_ACTIVATION_GELU = 10,          /* x/2 (1 + erf(x / sqrt(2)))                                  */
  CUSEQ_ACTIVATION_GELU_TANH = 11,     /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))               */
  CUSEQ_ACTIVATION_SWISH = 12,         /* x sigmoid(x)                                                */
  CUSEQ_ACTIVATION_SOFTPLUS = 13,      /* log(1 + exp(x))                                             */
  CUSEQ_ACTIVATION_SOFTSIGN = 14,      /* x / (1 + |x|)                                               */
  CUSEQ_ACTIVATION_LEAKY_RELU = 15,    /* x > 0 ? x : 0.01 x                                          */
  CUSEQ_ACTIVATION_LEAKY_RELU_02 = 16, /* x > 0 ? x : 0.2 x                                           */
  CUSEQ_ACTIVATION_LEAKY_RELU_03 = 17, /* x > 0 ? x : 0.3 x                                           */
  CUSEQ_ACTIVATION_EXPONENTIAL = 18,   /* exp(x)                                                      */
  CUSEQ_ACTIVATION_HARD_TANH = 19,     /* clip(x, -1, 1)                                              */
} cuseq_activation;

typedef enum cuseq_direction {
  CUSEQ_DIRECTION_FORWARD = 0,
  CUSEQ_DIRECTION_BIDIRECTIONAL = 1
} cuseq_direction;

typedef enum cuseq_merge {
  CUSEQ_MERGE_CONCAT = 0,
  CUSEQ_MERGE_SUM = 1,
  CUSEQ_MERGE_MUL = 2,
  CUSEQ_MERGE_AVE = 3,
} cuseq_merge;

typedef enum cuseq_score {
  CUSEQ_SCORE_CONCAT = 0,   /* e = dense layers over concat(a_t, s)                                        */
  CUSEQ_SCORE_DOT = 1,      /* e = a_t . s                                                                 */
  CUSEQ_SCORE_GENERAL = 2,  /* e = a_t G s                                                                 */
  CUSEQ_SCORE_ADDITIVE = 3, /* e = v . tanh(a_t K_a + s K_s + k)                                           */
} cuseq_score;

typedef enum cuseq_initial_state {
  CUSEQ_INITIAL_STATE_ZEROS = 0,
  CUSEQ_INITIAL_STATE_ENCODER = 1, /* the encoder's final states, forward then backward                    */
  CUSEQ_INITIAL_STATE_DENSE = 2,   /* those, each through a dense layer                                    */
} cuseq_initial_state;

/* What a decoder's step reads of the step before's outputs. */
typedef enum cuseq_feedback {
  CUSEQ_FEEDBACK_NONE = 0,
  CUSEQ_FEEDBACK_OUTPUT = 1,        /* the best token                                                      */
  CUSEQ_FEEDBACK_PROBABILITIES = 2, /* all probabilities, as a vector                                      */
} cuseq_feedback;

/* What a model is. Read it from cuseq_model_config(); it is made from the JSON of docs/model-format.md. */
typedef struct cuseq_config {
  /* encoder */
  int32_t features; /* F */
  int32_t units;    /* H */
  int32_t layers;
  cuseq_direction direction;
  cuseq_merge merge;
  cuseq_activation activation;           /* tanh, relu, linear                                             */
  cuseq_activation recurrent_activation; /* sigmoid, hard_sigmoid, hard_sigmoid_keras2                     */
  int32_t annotation_width;              /* A                                                              */
  /* attention */
  cuseq_score score;
  float scale;
  int32_t attention_layers; /* score concat: how many dense layers; otherwise 0                            */
  int32_t attention_units[CUSEQ_MAX_ATTENTION_LAYERS];
  cuseq_activation attention_activation[CUSEQ_MAX_ATTENTION_LAYERS];
  int32_t additive_units; /* score additive: u; otherwise 0                                       */
  /* the state that attends: the decoder's, or in an attention-only model the encoder's final one */
  cuseq_initial_state initial_state;
  cuseq_activation initial_activation; /* of the dense layers of initial_state "dense"                     */
  int32_t state_units;                 /* S                                                                */
  /* decoder and output; has_decoder 0: an attention-only model, and the rest is 0 */
  int32_t has_decoder;
  int32_t steps; /* Y that cuseq_run takes when the caller gives none                                      */
  cuseq_feedback feedback;
  cuseq_activation decoder_activation;
  cuseq_activation decoder_recurrent_activation;
  int32_t start_token;                /* -1: none                                                           */
  int32_t end_token;                  /* -1: none                                                           */
  int32_t embedding_units;            /* E of decoder.embedding [V,E]; 0: none, feedback is one-hot         */
  int32_t outputs;                    /* V                                                                  */
  cuseq_activation output_activation; /* of the last layer; of several heads the first one's              */
  /* what callers allocate by, of models of either version */
  int32_t encoder_state_width; /* of all layers' and directions' final states; a sum of widths H          */
  int32_t context_width;       /* C; 0 without attention                                                   */
  int32_t query_width;         /* Q of cuseq_attend: of what asks; 0 without attention                     */
  int32_t decoder_state_width; /* S of decodings: all layers side by side; 0 without a decoder             */
  int32_t fed_width;           /* X of decodings                                                           */
  int32_t heads;               /* N: outputs side by side; 0 in an attention-only model                    */
  int32_t ids_only;            /* not 0: the model has an embedding; dense input must be one-hot          */
  int32_t backward_units;      /* H of the last layer's backward direction; 0: it has none                */
  int32_t is_tagger;           /* not 0: outputs for every position                                        */
  int32_t only_time;           /* T that every call has to have, as weights are of positions; 0: any      */
  /* vocabulary; 0 where the model has none */
  int32_t text_length; /* the length that texts are padded to, or may have                                */
  int32_t input_symbols;
  int32_t output_symbols;
  int32_t input_words;   /* not 0: texts are cut into words, at white space; 0: into characters             */
  int32_t output_words;  /* the same of what the model writes                                               */
  int32_t output_bytes;  /* the most bytes that a token adds to a text                                      */
  int32_t needs_targets; /* not 0: the decoder follows the caller's tokens at every step (feedback "given") */
  int32_t given_width;   /* G of decodings: numbers that every step has to be given; 0: none              */
} cuseq_config;

typedef struct cuseq_model cuseq_model;

/* Loads a model from a .safetensors file.
 *   path   the file
 *   model  receives the model; NULL is stored on failure. Free it with cuseq_model_destroy.
 * Blocks while it reads. Thread-safe. */
CUSEQ_API cuseq_status cuseq_model_load(const char *path, cuseq_model **model);

/* The same from the bytes of such a file. The bytes are copied: they may go when the call returns. */
CUSEQ_API cuseq_status cuseq_model_load_memory(const void *bytes, size_t size, cuseq_model **model);

/* Makes a model from arrays, without a file.
 *   config_json  the configuration, the JSON object of docs/model-format.md, zero-terminated
 *   tensors      [count], exactly those that the configuration asks for, in any order; F32, F64, F16 or BF16.
 *                Names and data are copied.
 *   model        receives the model, as in cuseq_model_load */
CUSEQ_API cuseq_status cuseq_model_create(const char *config_json, const cuseq_tensor *tensors, size_t count,
                                          cuseq_model **model);

/* Writes the model as .safetensors. The file appears whole or not at all; an old one is replaced. */
CUSEQ_API cuseq_status cuseq_model_save(const cuseq_model *model, const char *path);

/* Frees a model; NULL does nothing. Sessions that are open keep what they need of it. */
CUSEQ_API void cuseq_model_destroy(cuseq_model *model);

/* The model's configuration, as structure and as JSON text. Both live as long as the model. */
CUSEQ_API const cuseq_config *cuseq_model_config(const cuseq_model *model);
CUSEQ_API const char *cuseq_model_config_json(const cuseq_model *model);

/* The model's tensors, F32, in the order of docs/model-format.md.
 *   index   0 .. cuseq_model_tensor_count(model) - 1
 *   tensor  receives name, shape and data, which live as long as the model */
CUSEQ_API size_t cuseq_model_tensor_count(const cuseq_model *model);
CUSEQ_API cuseq_status cuseq_model_tensor(const cuseq_model *model, size_t index, cuseq_tensor *tensor);

/* One of the heads that lie side by side in `outputs`: a decoder's only one, or those of a classifier or
 * tagger. */
typedef struct cuseq_head {
  size_t size;                 /* sizeof(cuseq_head), as CUSEQ_HEAD_INIT puts it                           */
  const char *name;            /* lives as long as the model                                               */
  int32_t units;               /* how many outputs it has                                                  */
  int32_t offset;              /* of the first of them among the V                                         */
  cuseq_activation activation; /* of its last layer                                                        */
  int32_t labels;              /* how many labels the vocabulary has for it; 0: none                       */
} cuseq_head;

#define CUSEQ_HEAD_INIT CUSEQ_SIZED(cuseq_head)

/* A head; index 0 .. cuseq_config.heads - 1. Thread-safe.
 *   head  its size is set; the rest is filled in */
CUSEQ_API cuseq_status cuseq_model_head(const cuseq_model *model, int32_t index, cuseq_head *head);

/* What an output of a head means (UTF-8): output i has label i; of one unit with two labels, label 1 is what
 * the unit's probability is of, and label 0 the opposite. NULL when there is none. Lives as long as the
 * model. */
CUSEQ_API const char *cuseq_model_label(const cuseq_model *model, int32_t head, int32_t index);

/* How probable each label of a head is, from its outputs: they themselves, exp() of log_softmax's, the
 * softmax of linear ones; of one unit with two labels p and 1 - p, where p is the output, or the sigmoid of a
 * linear one. Thread-safe.
 *   outputs        [V] of all heads, of one text or one token: a row of cuseq_decoding.outputs
 *   probabilities  [labels] receives them, in the labels' order */
CUSEQ_API cuseq_status cuseq_model_label_probabilities(const cuseq_model *model, int32_t head,
                                                       const float *outputs, double *probabilities);

/* ---- exactness ------------------------------------------------------------------------------------ */

/* How products with weights are computed: what their two factors, a weight and what it is multiplied by, are
 * rounded to before they are multiplied, to the nearest. These are the products of recurrent cells and of
 * dense layers: those between encoder layers, the attention's keys, values, queries and layers, the
 * attentional vector, initial states, outputs. All else is float32 whatever the precision: sums, biases,
 * states and cells, activations, products of a key and a query, the softmax, contexts, every array of a call.
 * A device may leave a product more precise where nothing is gained.
 *   CUSEQ_PRECISION_FLOAT32  not rounded. All devices
 *   CUSEQ_PRECISION_TF32     to 11 significant bits, with float32's range. cuda, from compute capability 8.0
 *                            on
 *   CUSEQ_PRECISION_BF16     to 8 significant bits, with float32's range. cuda, from compute capability 8.0
 *                            on; cpu, on processors with AVX-512 BF16, where weights take half the memory
 * What a device cannot do is refused when a session opens, with CUSEQ_STATUS_NOT_SUPPORTED: nothing is
 * computed in another precision than the one that was asked for. The reference computes in float64 and takes
 * float32 alone. */
typedef enum cuseq_precision {
  CUSEQ_PRECISION_FLOAT32 = 0,
  CUSEQ_PRECISION_TF32 = 1,
  CUSEQ_PRECISION_BF16 = 2,
} cuseq_precision;

/* "float32", "tf32", "bf16"; "?" for what is none. Thread-safe. */
CUSEQ_API const char *cuseq_precision_name(cuseq_precision precision);

/* The arrays of results, by what they are, for cuseq_model_tolerance(). */
typedef enum cuseq_result {
  CUSEQ_RESULT_ANNOTATIONS = 0,
  CUSEQ_RESULT_ENCODER_H = 1, /* h_fw, h_bw, final_h of cuseq_encoding                                     */
  CUSEQ_RESULT_ENCODER_C = 2, /* c_fw, c_bw, final_c                                                       */
  CUSEQ_RESULT_CONTEXTS = 3,
  CUSEQ_RESULT_ALPHAS = 4,
  CUSEQ_RESULT_STATES = 5,    /* states, final_h, and of final_fed what is no context or probability        */
  CUSEQ_RESULT_DECODER_C = 6, /* final_c                                                                   */
  CUSEQ_RESULT_OUTPUTS = 7,
  CUSEQ_RESULT_LOG_PROBABILITIES = 8, /* of a softmax or log_softmax */
} cuseq_result;

/* How far a device may be from the reference: |got - want| / max(1, |want|) is to be at most this, for every
 * value of the array. A function of the model's structure alone - layers, widths, score, activations -, of
 * the precision and of the sizes of a call; it bounds what such arithmetic errs on models with weights like
 * trained ones, and docs/exactness.md derives it. What `cuseq compare`, the benchmarks and this library's
 * tests judge by. Cells that do not saturate (relu, linear) and run away have no tolerance: this one is for
 * stable ones.
 *   model      NULL: 0 is returned
 *   precision  of the session that is judged; one that does not exist: 0 is returned
 *   time       T
 *   steps      Y; 0: the model's. Not looked at without a decoder
 *   result     which array. Tokens have none: they are equal where the two best outputs differ by more than
 *              twice the tolerance of the outputs
 * Thread-safe. */
CUSEQ_API double cuseq_model_tolerance(const cuseq_model *model, cuseq_precision precision, int32_t time,
                                       int32_t steps, cuseq_result result);

/* ---- texts ---------------------------------------------------------------------------------------- */

/* Turns a text into ids by the model's vocabulary: lower-cased and characters dropped where the vocabulary
 * says so, cut at every character or at white space, what is unknown as <unk>, padded with <pad> where the
 * vocabulary has it.
 *   text      UTF-8, zero-terminated
 *   truncate  not 0: a text that is too long is cut; 0: it is an error
 *   ids       [text_length] receives the ids; those past *length are <pad>, or 0 where there is no <pad>
 *   length    receives the number of positions to encode: text_length with <pad>, else that of the text
 *   tokens    may be NULL: receives how many of the ids are the text's own
 * CUSEQ_STATUS_INVALID_ARGUMENT without a vocabulary, for a text that is too long, empty (and no <pad>), not
 * UTF-8, or with an unknown character or word where there is no <unk>. Thread-safe. */
CUSEQ_API cuseq_status cuseq_text_encode(const cuseq_model *model, const char *text, int truncate,
                                         int32_t *ids, int32_t *length, int32_t *tokens);

/* Where in a text the tokens lie that cuseq_text_encode makes ids of.
 *   spans  [text_length,2] receives of each token the byte that it begins at, and the one behind its end.
 *          What a vocabulary drops within a word lies between them
 *   count  receives how many tokens there are; those beyond text_length are not looked for
 * CUSEQ_STATUS_INVALID_ARGUMENT without a vocabulary, and for a text that is not UTF-8 or 2 GB long.
 * Thread-safe. */
CUSEQ_API cuseq_status cuseq_text_spans(const cuseq_model *model, const char *text, int32_t *spans,
                                        int32_t *count);

/* Turns tokens into a text: the output symbols one after the other, words with a space between them, up to
 * the end token if the model has one; named symbols (<pad>, <start>, ...) print nothing, <unk> prints U+FFFD.
 *   tokens    [count]
 *   text      receives the zero-terminated UTF-8
 *   capacity  bytes at text; cuseq_config.output_bytes * count + 1 always suffice, and where symbols are
 *             characters 4 * count + 1 do */
CUSEQ_API cuseq_status cuseq_text_decode(const cuseq_model *model, const int32_t *tokens, int32_t count,
                                         char *text, size_t capacity);

/* Turns a text that the model might have written into its tokens, the reverse of cuseq_text_decode: one for
 * each character or word, unknown ones as <unk> where the output vocabulary has it, and the end token behind
 * them if the model has one.
 *   text    UTF-8, zero-terminated
 *   tokens  [capacity] receives them
 *   count   receives how many they are
 * CUSEQ_STATUS_INVALID_ARGUMENT without an output vocabulary, for a text of more than `capacity` tokens, of
 * none, not UTF-8, or with an unknown character or word where there is no <unk>. Thread-safe. */
CUSEQ_API cuseq_status cuseq_text_tokens(const cuseq_model *model, const char *text, int32_t *tokens,
                                         int32_t capacity, int32_t *count);

/* The symbol (UTF-8, or a name in <>) of an id; NULL when there is none. Lives as long as the model. */
CUSEQ_API const char *cuseq_model_input_symbol(const cuseq_model *model, int32_t id);
CUSEQ_API const char *cuseq_model_output_symbol(const cuseq_model *model, int32_t id);

/* ---- devices -------------------------------------------------------------------------------------- */

typedef struct cuseq_device {
  size_t size;           /* sizeof(cuseq_device), as CUSEQ_DEVICE_INIT puts it                             */
  char name[32];         /* what `device` of cuseq_session_options takes: "reference", "cpu", "cuda:0"     */
  char description[128]; /* for people: the instruction set and core count, the GPU's name                 */
} cuseq_device;

#define CUSEQ_DEVICE_INIT CUSEQ_SIZED(cuseq_device)

/* How many devices this machine has, and which; index 0 .. count - 1. Thread-safe.
 *   device  its size is set; the rest is filled in, as much as fits */
CUSEQ_API int32_t cuseq_device_count(void);
CUSEQ_API cuseq_status cuseq_device_get(int32_t index, cuseq_device *device);

/* ---- sessions ------------------------------------------------------------------------------------- */

/* Where a call's arrays lie. On reference and cpu that is host memory always. A cuda session takes each array
 * of each call where it lies: in host memory - from malloc, or page-locked by cudaMallocHost or
 * cudaHostRegister, which copies faster - or in memory of the session's device, from cudaMalloc and its like.
 * Managed memory (cudaMallocManaged) counts as the device's, unless the session was promised host arrays. An
 * array on another device is refused.
 *   CUSEQ_MEMORY_ANY     each array is told apart by the CUDA runtime: one query for each array of each call
 *   CUSEQ_MEMORY_HOST    a promise: all arrays are in host memory. One elsewhere is refused; the runtime is
 *                        asked only where an argument's address is not that of the call before
 *   CUSEQ_MEMORY_DEVICE  a promise: all arrays are in the device's memory. One elsewhere is refused */
typedef enum cuseq_memory {
  CUSEQ_MEMORY_ANY = 0,
  CUSEQ_MEMORY_HOST = 1,
  CUSEQ_MEMORY_DEVICE = 2,
} cuseq_memory;

typedef struct cuseq_session_options {
  size_t size;        /* sizeof(cuseq_session_options), as cuseq_session_options_init() puts it            */
  const char *device; /* "auto", "reference" (float64), "cpu", "cuda", "cuda:N"; NULL is "auto"            */
  int32_t max_batch;  /* the largest B of any later call; at least 1                                       */
  int32_t max_time;   /* the largest T                                                                     */
  int32_t max_steps;  /* the largest Y; 0: the model's steps                                               */
  int32_t max_beams; /* the largest K of a beam search, 1 .. CUSEQ_MAX_BEAMS; 0 is 1. max_batch counts encoded
                         rows: a decoding with `rows` may have max_batch x max_beams                       */
  int32_t threads;   /* CPU threads, which share a call's rows, or the products of a few; 0: as many as help
                         at these sizes. A row's results have the same bits on any number */
  cuseq_precision precision; /* what the device cannot do is refused                                      */
  int32_t allow_nonfinite; /* not 0: NaN and infinity in the input are let through instead of refused      */
  /* What follows is for cuda. On reference and cpu a stream and CUSEQ_MEMORY_DEVICE are refused, and the rest
   * is not looked at: their calls are complete when they return. */
  cuseq_memory memory;
  /* The cudaStream_t that all work of the session is queued on: one of the session's device, not being
   * captured when the session opens. It stays the caller's and must be there until the session is closed. The
   * legacy default stream is passed as cudaStreamLegacy. NULL: a non-blocking stream of the session's own. */
  void *stream;
  int32_t asynchronous; /* not 0: calls return when their work is queued; see "Arrays in flight"           */
  /* How work is mapped to kernels; NULL: chosen from the model's sizes and the device, or what
   * CUSEQ_CUDA_PLAN in the environment says. A comma-separated list of "stages" (never encoder and decoder
   * in one launch), "whole" (one launch), "encoder=warp16|warp32|block64|cluster128|grid|cell" and
   * "decoder=loop|steps" forces what it names; what cannot run the model on the device is refused at
   * opening. Results agree within the tolerance, not in their bits. Copied: it may go when
   * cuseq_session_open returns. */
  const char *cuda_plan;
  /* not 0: calls can be captured in a CUDA graph of the caller's; see "Calls in a graph". Implies
   * CUSEQ_MEMORY_DEVICE and asynchronous. What cannot be captured is refused at opening: CUSEQ_MEMORY_HOST,
   * max_beams above 1, the legacy default stream, devices other than cuda. */
  int32_t capture;
} cuseq_session_options;

typedef struct cuseq_session cuseq_session;

/* Fills in the defaults: device "auto", max_batch 1, max_time the vocabulary's length, only_time or 1,
 * max_steps 0, max_beams 1, threads 0, float32, non-finite input refused, arrays anywhere, a stream of its
 * own, calls that wait.
 *   size   sizeof(cuseq_session_options) of the caller
 *   model  may be NULL */
CUSEQ_API void cuseq_session_options_init(cuseq_session_options *options, size_t size,
                                          const cuseq_model *model);

/* Opens a session: one device's copy of the weights - on the cpu one for all sessions of the model that are
 * open - and all the memory that later calls need. Nothing is allocated and no weight is copied after that,
 * but for CUDA graphs: on cuda, models whose layers run step by step make one when a call first has its sizes
 * and kind of input, up to a fixed number.
 *   options  NULL: the defaults
 *   session  receives the session; NULL is stored on failure. Close it with cuseq_session_close. */
CUSEQ_API cuseq_status cuseq_session_open(const cuseq_model *model, const cuseq_session_options *options,
                                          cuseq_session **session);

/* Closes a session, after all its work is done: it waits for the stream. NULL does nothing. */
CUSEQ_API void cuseq_session_close(cuseq_session *session);

/* The device that the session runs on ("cpu", ...), and its threads (1 where that has no meaning). */
CUSEQ_API const char *cuseq_session_device(const cuseq_session *session);
CUSEQ_API int32_t cuseq_session_threads(const cuseq_session *session);

/* The precision that it was opened with. */
CUSEQ_API cuseq_precision cuseq_session_precision(const cuseq_session *session);

/* Which kernels run the session's calls, for as many rows, positions and steps as it was opened for: one line
 * for each layer of the encoder and one for the decoder, each ended by a newline, with the reason where one
 * launch does not do. Empty on devices that have one way only (reference, cpu).
 *   text      receives as much as fits, ended by '\0'; may be NULL
 *   capacity  bytes of it
 * Returns the length of the whole text, without the '\0'. */
CUSEQ_API size_t cuseq_session_plan(const cuseq_session *session, char *text, size_t capacity);

/* ---- arrays in flight: calls of cuda sessions -----------------------------------------------------
 *
 * Every array of a call may lie in host memory or on the device (cuseq_memory), each for itself. All work
 * of a session - copies and kernels - runs in the order of its stream. Other streams are ordered against it
 * by the caller, with events on cuseq_session_stream(): what fills a device array before a call, what reads
 * one after it. A session's own stream does not wait for the legacy default stream.
 *
 * asynchronous = 0: a call with an output in host memory waits for the stream once, at its end; then all its
 *   outputs are complete. A call whose outputs are all on the device, or that has none, does not wait: they
 *   are ready in stream order. Host inputs may be changed or freed as soon as any call has returned.
 * asynchronous = 1: no call waits for its work. All outputs are ready in stream order: after
 *   cuseq_session_synchronize(), or after what the caller waits with. Outputs in host memory must be
 *   page-locked; others are refused. Inputs in page-locked memory are read in stream order and must stay as
 *   they are until then; those in ordinary memory may go when the call returns. For these a call may block a
 *   while, where the staging memory is still in use by earlier calls.
 *
 * Device arrays are aligned to their elements. They are read and written in stream order: inputs must stay as
 * they are, and outputs be left alone, until the call's work is done. An output may be the very memory of an
 * input (a state that is carried on); outputs must not overlap one another.
 *
 * Device inputs are checked on the device, as strictly as host ones: ids and tokens in range, lengths in
 * 1..T, numbers finite. Nothing is read out of bounds. What is found is reported by the first call of the
 * session that waits - that very call, a later one, or cuseq_session_synchronize() - with the status that a
 * host array gets at once. The outputs of the call at fault are unspecified, and after the report the
 * session has no annotations. Where the lengths are on the device, all input is checked there. One-hot rows
 * are not looked for in input that is checked there: they are multiplied.
 *
 * After a failure of the device (CUSEQ_STATUS_DEVICE_FAILED) a session refuses all further work, with the
 * text of the first failure. Other sessions go on where CUDA lets them: most faults of a kernel are the end
 * of all work of the process on that device.
 *
 * A device array given to a reference or cpu session is refused where the process has opened a cuda session
 * before; elsewhere reading it is the fault that it is in any host code. */

/* ---- calls in a graph: sessions opened with capture -------------------------------------------------
 *
 * While the session's stream is being captured, cuseq_encode, cuseq_attend, cuseq_decode and cuseq_run add
 * their kernels, products and copies to that graph and run nothing: all arrays lie on the device, nothing
 * passes through memory of the session's on the host, nothing waits and nothing is allocated. Captured or
 * not, the results have the same bits. What other sessions launch as a graph of their own stands in the
 * caller's graph node by node. A call that fails may have left some of its work in the graph, which is then
 * to be thrown away. A stream of the session's own can be captured, too, by an event that makes it wait for a
 * captured stream.
 *
 * The graph holds the call's sizes and the addresses of its arrays and of the session's memory: arrays and
 * session must be there as long as it is launched. Inputs are read and outputs written anew at every launch.
 * Graphs of one session, and its other calls, work in the same memory: they run one after the other, in any
 * streams that the caller orders so. Graphs that are to run side by side need a session each, which on the
 * device costs the weights again. A graph of cuseq_decode or cuseq_attend decodes what the session encoded
 * last, which must be of the sizes that it was captured with: the call, or the graph of the call, that
 * encoded when it was captured is launched before it.
 *
 * Device inputs are checked at every launch; what is found is reported by the next
 * cuseq_session_synchronize() after the caller has waited for the graph, as a fault of an earlier call. That
 * call, cuseq_beam_search and all calls of sessions that were opened without capture are refused while the
 * stream is being captured. */

/* Waits until all work of the session is done, and reports what of it failed since the last report:
 * CUSEQ_STATUS_INVALID_ARGUMENT or _NON_FINITE for a value in a device array, _DEVICE_FAILED. Not needed
 * before cuseq_session_close(). On reference and cpu there is nothing to wait for. */
CUSEQ_API cuseq_status cuseq_session_synchronize(cuseq_session *session);

/* The cudaStream_t that the session's work is queued on: the caller's, or the session's own, which goes
 * when it is closed. NULL on reference and cpu. */
CUSEQ_API void *cuseq_session_stream(const cuseq_session *session);

/* What is to be encoded. Every array belongs to the caller and is only read. */
typedef struct cuseq_input {
  size_t size;            /* sizeof(cuseq_input), as CUSEQ_INPUT_INIT puts it                            */
  const void *data;       /* [B,T,F] F32 or F64 (rounded to float32 first), or [B,T] I32 or I64 token ids:
                               id k stands for the one-hot row k, 0 <= k < F. Ids at t >= the row's length are
                               not looked at, neither are dense values there. A model that looks columns up
                               (input.lookups) takes [B,T,F] in host memory, ids in them as numbers        */
  cuseq_dtype dtype;      /* of data                                                                     */
  int32_t batch;          /* B, 1 .. max_batch                                                           */
  int32_t time;           /* T, 1 .. max_time                                                            */
  const int32_t *lengths; /* [B] each 1 .. T; NULL: every row has T positions                            */
  const float *initial_h; /* [layers x D, B, H] the encoder's initial states, forward before backward in */
  const float *initial_c; /* each layer (PyTorch's h_0, c_0); NULL: zeros. Layers of other widths: blocks
                             [B,H] one after the other. The c of a GRU is 0 and not looked at            */
} cuseq_input;

#define CUSEQ_INPUT_INIT CUSEQ_SIZED(cuseq_input)

/* What encoding gives. Every array is the caller's and may be NULL when it is not wanted. */
typedef struct cuseq_encoding {
  size_t size;        /* sizeof(cuseq_encoding), as CUSEQ_ENCODING_INIT puts it                            */
  float *annotations; /* [B,T,A]; 0 at t >= the row's length                                               */
  float *h_fw;        /* [B,H] the last layer's forward states after t = L-1; NULL where it has none       */
  float *c_fw;        /* [B,H]                                                                             */
  float *h_bw;        /* [B,H] the last layer's backward states after t = 0; must be NULL where D is 1     */
  float *c_bw;        /* [B,H]                                                                             */
  float *final_h;     /* [layers x D, B, H] the final states of all layers, as cuseq_input.initial_h       */
  float *final_c;     /* takes them                                                                        */
} cuseq_encoding;

#define CUSEQ_ENCODING_INIT CUSEQ_SIZED(cuseq_encoding)

/* One decoding: what it starts from and what it gives. Every array is the caller's and may be NULL.
 *
 * B here is the number of rows that are decoded. A row attends to the encoded row of the same number, or to
 * the one that `rows` names: a beam of hypotheses needs no second encoding. S is the width of all decoder
 * layers' states side by side, layer 0 first (cuseq_config.decoder_state_width); a GRU's part of a c is 0 and
 * not looked at. X is the width of what a step hands to the next one beside states and token
 * (cuseq_config.fed_width), side by side: the attentional vector of input feeding, the context where
 * attention looks after the cells, the probabilities of the feedback "probabilities" (or the one-hot row of
 * the target that took their place); 0 in most models. S', C and V are those of cuseq_config: state_units,
 * context_width, outputs.
 *
 * G is the width of the numbers that a decoder is given at every step, such as what is known of the days that
 * a forecast is of (cuseq_config.given_width); 0 in most models.
 *
 * A model without a decoder makes one step, or, with a head over every position, as many as there are
 * positions: Y is 1 or T then. It gives outputs and tokens, and where it attends also contexts and alphas. */
typedef struct cuseq_decoding {
  size_t size; /* sizeof(cuseq_decoding), as CUSEQ_DECODING_INIT puts it                                 */
  /* in */
  int32_t steps;            /* Y, 1 .. max_steps; 0: the model's, or 1 or T where it has no decoder      */
  int32_t batch;            /* B, 1 .. max_batch x max_beams, where `rows` is there; else 0: that of what is
                               encoded                                                                   */
  const int32_t *rows;      /* [B] each 0 .. (rows encoded) - 1; NULL: every encoded row                 */
  const float *initial_h;   /* [B,S] the decoder's state before the first step; NULL: as the model says  */
  const float *initial_c;   /* [B,S]; give both or neither; NULL where no decoder layer is an LSTM, and in
                                models without a decoder (which take an initial_h where the state asks)   */
  const float *initial_fed; /* [B,X] what the last step handed on; NULL: zeros, and for probabilities those
                                that are all of the token before the first step                           */
  const int32_t *previous;  /* [B] tokens before the first step, 0 .. V-1; NULL: the model's start token.
                                Not looked at without feedback; with the feedback "probabilities" not beside
                                initial_fed, and NULL is no token where there is no start token: zeros    */
  const int32_t *targets;   /* [B,Y] teacher forcing: step y is followed by this token whatever the output
                                says, 0 .. V-1; NULL: by the output's. Needed by the feedback "given". In a
                                model without feedback they only choose the log_probabilities             */
  const int32_t *target_lengths; /* [B] how many of the targets count, 1 .. Y; NULL: all. A row ends there */
  /* out */
  float *contexts;          /* [B,Y,C]                                                                   */
  float *alphas;            /* [B,Y,T]; 0 at t >= the row's length; of several heads their mean           */
  float *states;            /* [B,Y,S'] what the last decoder layer gives                                */
  float *outputs;           /* [B,Y,V]                                                                   */
  float *log_probabilities; /* [B,Y] of the targets where there are any, else of the tokens; needs softmax
                                or log_softmax outputs                                                  */
  int32_t *tokens;          /* [B,Y] argmax of the outputs, lowest index first; [B,Y,N] of N heads       */
  int32_t *output_lengths;  /* [B] steps up to and with the end token; Y where a row does not end        */
  float *final_h;           /* [B,S] the decoder's state after the row's last step, to continue from     */
  float *final_c;           /* [B,S]                                                                     */
  float *final_fed;         /* [B,X]                                                                     */
  /* in, of later versions */
  const float *given; /* [B,Y,G] numbers that the decoder reads at every step; needed where the model reads
                         them (cuseq_config.given_width), else NULL. Steps behind a row's target_lengths are
                         not looked at                                                                   */
} cuseq_decoding;

#define CUSEQ_DECODING_INIT CUSEQ_SIZED(cuseq_decoding)

/* Encodes. The annotations stay in the session, for cuseq_attend and cuseq_decode, until the next
 * cuseq_encode or cuseq_run; a call that fails leaves the session without any.
 *   encoding  may be NULL: nothing is wanted but what stays in the session
 * The arrays are complete when the call returns, but see "Arrays in flight". On failure their contents are
 * unspecified. */
CUSEQ_API cuseq_status cuseq_encode(cuseq_session *session, const cuseq_input *input,
                                    const cuseq_encoding *encoding);

/* One attention step over what was encoded, for callers who run a decoder of their own. Complete as
 * cuseq_encode is.
 *   state    [B,Q] what asks (cuseq_config.query_width): the hidden state of the decoder layer that asks, or
 *            the embedded token; NULL: the model's initial state, or its start token
 *   context  [B,C], may be NULL
 *   alphas   [B,T], may be NULL; of several heads their mean */
CUSEQ_API cuseq_status cuseq_attend(cuseq_session *session, const float *state, float *context,
                                    float *alphas);

/* Decodes what was encoded, any number of times. For a loop of one's own - sampling, say - decode one step at
 * a time: steps = 1, initial_h, initial_c and initial_fed from the last final_h, final_c and final_fed,
 * previous = the tokens chosen, rows = the encoded row of each, given = [B,1,G] the numbers of that step,
 * where the model reads some. Rows that emit the model's end token end
 * within one call only. An attention-only model gives contexts [B,1,A] and alphas [B,1,T]; its other outputs
 * must be NULL. Complete as cuseq_encode is. */
CUSEQ_API cuseq_status cuseq_decode(cuseq_session *session, const cuseq_decoding *decoding);

/* Encodes and decodes in one call, the fastest way through a whole model. Complete as cuseq_encode is.
 *   encoding  may be NULL when nothing of it is wanted
 *   decoding  may be NULL: nothing is decoded */
CUSEQ_API cuseq_status cuseq_run(cuseq_session *session, const cuseq_input *input,
                                 const cuseq_encoding *encoding, const cuseq_decoding *decoding);

/* ---- beam search ---------------------------------------------------------------------------------- */

/* How the sum of a hypothesis' log-probabilities becomes the score by which results are ranked. The length
 * counts the end token. */
typedef enum cuseq_length_penalty {
  CUSEQ_LENGTH_PENALTY_NONE = 0,   /* the sum                                                             */
  CUSEQ_LENGTH_PENALTY_LENGTH = 1, /* sum / length^alpha                                                  */
  CUSEQ_LENGTH_PENALTY_GNMT = 2,   /* sum / ((5 + length) / 6)^alpha (Wu et al. 2016)                     */
} cuseq_length_penalty;

/* What becomes of a hypothesis that has emitted the end token. */
typedef enum cuseq_finished {
  /* It stays one of the K, and is given up where K others become better. The search of a row ends when all K
   * have finished. */
  CUSEQ_FINISHED_KEEPS = 0,
  /* It leaves its place to the live ones and is never given up. The search of a row ends when K have left;
   * live ones count then no more. */
  CUSEQ_FINISHED_RETIRES = 1,
} cuseq_finished;

/* One beam search: how, from what, and what it gives. B rows are encoded; letters as in cuseq_decoding. */
typedef struct cuseq_beam {
  size_t size; /* sizeof(cuseq_beam), as cuseq_beam_init() puts it                                         */
  /* how */
  int32_t beams;      /* K hypotheses a row, 1 .. max_beams of the session and at most V                  */
  int32_t n_best;     /* N of them that come out, 1 .. K                                                  */
  int32_t min_length; /* no hypothesis ends with fewer tokens, the end token counted; 0 or 1: any length  */
  int32_t max_length; /* Y: none is longer; up to max_steps of the session; 0: the model's steps          */
  cuseq_length_penalty length_penalty;
  float alpha; /* of the length penalty, 0 .. 10                                                           */
  cuseq_finished finished;
  int32_t prune_by_score; /* not 0: while searching, too, hypotheses are ranked by their scores rather than by
                             sums: it matters where finished ones, which are shorter, keep their places   */
  /* in; every array is the caller's and may be NULL */
  const float *initial_h; /* [B,S] as of a decoding                                                        */
  const float *initial_c;
  const float *initial_fed; /* [B,X]                                                                      */
  const int32_t *previous;  /* [B]                                                                        */
  /* out, best hypothesis first; every array is the caller's and may be NULL. A row that has fewer than N
   * hypotheses - few tokens, early ends - fills up with ones of length 0 and score -infinity. */
  int32_t *tokens;  /* [B,N,Y] with the end token; behind it the end token, or 0 where there is none */
  int32_t *lengths; /* [B,N] tokens, the end token counted                                        */
  float *scores;    /* [B,N] what they are ranked by                                              */
  float *log_probabilities; /* [B,N] the sum of the log-probabilities of its tokens                       */
  float *alphas; /* [B,N,Y,T] what each of its tokens attended to, the mean of heads; 0 behind its length */
} cuseq_beam;

/* Fills in the defaults: one beam, one result, any length up to the model's steps, no length penalty (and
 * alpha 1), finished hypotheses keep their places, no arrays.
 *   size  sizeof(cuseq_beam) of the caller */
CUSEQ_API void cuseq_beam_init(cuseq_beam *beam, size_t size);

/* Searches for the most probable outputs of what was encoded (cuseq_encode comes first), any number of times.
 * At each step every live hypothesis goes on with every token, and of all that they may become the K with the
 * largest sums of log-probabilities live on; of equal ones that of the better parent, then that of the lower
 * token. K = 1 gives the tokens of cuseq_decode.
 *
 * For models that read tokens - those that feed back their best one, or follow the caller's - and whose
 * output is softmax or log_softmax. The memory of searches is taken when a session with max_beams above 1
 * opens, with max_beams 1 by the first search; that of alphas by the first search that gives them, and again
 * by one that needs more. Otherwise no search allocates. The arrays are complete when the call returns; on
 * failure their contents are unspecified. */
CUSEQ_API cuseq_status cuseq_beam_search(cuseq_session *session, const cuseq_beam *beam);

#ifdef __cplusplus
}
#endif

#endif
