/* What the threads of a small decoder's loop (decode_small.cuh) have of it: where they stand, their weights,
 * their places in shared memory. */
#ifndef CUSEQ_KERNELS_SMALL_PARTS_CUH
#define CUSEQ_KERNELS_SMALL_PARTS_CUH

#include "kernels/common/shared_floats.cuh"
#include "kernels/decoder/decode_row.cuh"

enum {
  SMALL_ATTENDING = 4,                    /* warps, and as many others */
  SMALL_THREADS = SMALL_ATTENDING * WARP, /* of those that attend, and of the others */
  SMALL_SET = 32,                         /* positions at once */
  SMALL_EACH = SMALL_SET / 2,             /* positions of a lane in the context */
  SMALL_K = DECODE_SMALL_STATE,           /* what is multiplied: h or the context, with zeros behind it */
  SMALL_CARRIED = 16,                     /* of k, for the gates of those that attend, by the others */
  /* Where things lie in PLACE_PARTIAL. */
  SMALL_STATE_AT = 0,                          /* [64] h, 0 beyond S */
  SMALL_CONTEXT_AT = SMALL_STATE_AT + SMALL_K, /* [64] sum p[t] a[t], 0 beyond A */
  SMALL_GATES_AT = SMALL_CONTEXT_AT + SMALL_K, /* [128] h U + b of the gates of those threads that attend */
  SMALL_LOGITS_AT = SMALL_GATES_AT + SMALL_THREADS, /* [4,32] quarters of the logits */
  SMALL_TOKEN_AT = SMALL_LOGITS_AT + SMALL_THREADS, /* [1] the token before */
  SMALL_SOURCE_AT = SMALL_TOKEN_AT + 4,             /* [8] struct small_source */
  SMALL_KEPT_AT = SMALL_SOURCE_AT + 8,              /* [256] small_kept()'s */
};

/* What energies may be at most for their exponentials to be taken as they are: neither these nor their sum
 * are near float32's ends then, and no maximum has to be found. tanh is at most 1, so that it is known of the
 * weights. */
static const float SMALL_ENERGY_MOST = 60.0f;

/* e^x for |x| <= 87, NaN of NaN: device_exp() without what is for results below 2^-126 and beyond 2^127, and
 * the nearest integer by an addition. 0 where `mask` is 0 and not ~0. */
__device__ __forceinline__ float small_exp(float x, int mask) {
  const float magic = 12582912.0f; /* 1.5 2^23: the sum's last bits are the integer */
  float n = fmaf(x, 1.44269504f, magic);
  float power = __int_as_float(((__float_as_int(n) << 23) + 0x3f800000) & mask);
  n -= magic;
  return device_exp_of_rest(device_exp_rest(x, n)) * power;
}

/* All threads of the block, whichever of the two loops they are in. */
__device__ __forceinline__ void small_barrier(void) {
  asm volatile("bar.sync 0, %0;" ::"n"((int)DECODE_THREADS) : "memory");
}

/* The first result of a row that is not finite, as step << 8 | stage; it is told behind the last step: a call
 * inside would cost all registers. */
struct small_fault {
  int first;
  __device__ __forceinline__ void look(bool good, int step, enum launch_stage stage) {
    first = good ? first : min(first, step << 8 | (int)stage);
  }
  __device__ __forceinline__ void look(float x, int step, enum launch_stage stage) {
    look(check_is_finite(x), step, stage);
  }
  __device__ __forceinline__ void tell(const struct launch_check &check, int row) const {
    if (first != INT32_MAX)
      check_tell(check, row, first >> 8, (enum launch_stage)(first & 255));
  }
};

__device__ __forceinline__ float small_read(const shared_floats &x, int k) {
  float v;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(v) : "r"(x.at + 4 * k));
  return v;
}

/* A value that the compiler keeps in a register, and does not make anew in every step: it comes from shared
 * memory, through the thread's place there. */
__device__ __forceinline__ int small_kept(const shared_floats &own, int x) {
  int kept;
  asm volatile("st.volatile.shared.b32 [%1], %2;\n\tld.volatile.shared.b32 %0, [%1];"
               : "=r"(kept)
               : "r"(own.at), "r"(x));
  return kept;
}
__device__ __forceinline__ float small_kept(const shared_floats &own, float x) {
  return __int_as_float(small_kept(own, __float_as_int(x)));
}

/* A row's annotations [T,A] and keys [T,U], `stride` and U floats apart. */
struct small_source {
  const float *annotations, *keys;
  int stride, columns, units, b;
};

/* A row and the block's arrays. */
struct small_row {
  int length, time;
  shared_floats state, context, logits, token, powers;
  /* What the thread reads of h for the query, and of the powers; where its power, column of the context,
   * gate, unit's h, and what it writes of context and h lie. */
  shared_floats state_quarter, power_half, power_own, context_own, gate_own, state_own, vector_own;
};

/* A thread's own place, `at` floats from another. */
__device__ __forceinline__ shared_floats small_place(const shared_floats &from, const shared_floats &own,
                                                     int at) {
  shared_floats place(from, at);
  place.at = (unsigned)small_kept(own, (int)place.at);
  return place;
}

/* The score as one formula: max(floor, sum_j bias[j] + value[j] tanh(key[j] + query[j])). */
struct small_score {
  int units; /* U */
  float floor;
  float value[2], bias; /* of units j and j + 8, which are the lane's; the bias is the first lane's */
  bool is_bounded;      /* energies are SMALL_ENERGY_MOST at most */
};

/* One lane's part of the cell. */
struct small_cell {
  float kernel[SMALL_K]; /* of its gate */
  /* The gate's function: add + scale tanh(scale x), which tanh and sigmoid are; or max(low, min(high, slope x
   * + add)). */
  float scale, add, slope, low, high; /* slope: 0 where it is the first */
  float floor;                        /* of act(c); infinity: it is tanh */
};

/* One lane's part of the attention, in those warps that attend. */
struct small_attention {
  float query[2][SMALL_K / 4];   /* of units j and j + 8, of its quarter: k = 16 m + 4 quarter + n */
  float key[2][2];               /* of its first two positions, units j and j + 8 */
  int mask[2];                   /* of these positions: ~0 in the row */
  float annotations[SMALL_EACH]; /* of its column and its half of the first 32 positions */
  float recurrent[SMALL_K - SMALL_CARRIED]; /* of its gate, what the others do not carry */
};

/* One lane's part of what the others do. */
struct small_writer {
  float other[SMALL_CARRIED],
      recurrent[SMALL_K]; /* of the gate of the thread that stands where it does among those that attend; */
  float other_bias, bias; /* and of its own */
  float output[SMALL_K / 4]; /* the output layer: of its class, and of its warp's quarter of k */
  float output_bias;
  float value,
      /* of a step whose turn it had: the logit, less the best one where softmax follows; what it is to be
       * multiplied by */
      part;
  int most;      /* the best logit's place in their order */
  int is_chosen; /* not 0: the class is the token */
  int turn;      /* what the warp does with the outputs of the step that is its own: 0 chooses the token, 1 to
                     3 follow, a step each; below 0: it has none yet */
  int wants;     /* SMALL_TOKENS, .. */
  unsigned below; /* the lanes below this one */
  /* The column of the context, or the unit of h, that the thread looks at and writes. */
  float *vector; /* that of the row's first step, or NULL */
  int apart;     /* from step to step */
  int is_state;
  float *alpha; /* of the row's first step and the thread's position, or NULL */
  float power;  /* of that position */
};
enum { SMALL_TOKENS = 1, SMALL_OUTPUTS = 2, SMALL_SOFTMAX = 4, SMALL_MORE = 8, SMALL_CLASS = 16 };

/* How a thread stands in the cell, in query and energies, and in the context. */
__device__ __forceinline__ int small_warp(int thread = (int)threadIdx.x) {
  return thread / WARP;
}
__device__ __forceinline__ int small_lane(int thread = (int)threadIdx.x) {
  return thread % WARP;
}
__device__ __forceinline__ int small_unit(int thread = (int)threadIdx.x) {
  return thread / 4;
}
__device__ __forceinline__ int small_gate(int thread = (int)threadIdx.x) {
  return thread & 3;
}
__device__ __forceinline__ int small_quarter(int thread = (int)threadIdx.x) {
  return thread >> 3 & 3;
}
__device__ __forceinline__ int small_eighth(int thread = (int)threadIdx.x) {
  return thread & 7;
}
__device__ __forceinline__ int small_position(int thread = (int)threadIdx.x) {
  return thread / 8;
}
__device__ __forceinline__ int small_column(int thread = (int)threadIdx.x) {
  return 16 * small_warp(thread) + (thread & 15);
}
__device__ __forceinline__ int small_half(int thread = (int)threadIdx.x) {
  return thread >> 4 & 1;
}

/* The thread's number, and what is made of it, found again: registers are short before a row, too. */
__device__ __forceinline__ int small_thread(void) {
  int thread = (int)threadIdx.x;
  asm volatile("" : "+r"(thread));
  return thread;
}

/* ---- what does not change from step to step ---- */

/* column[k apart], k < rows, 0 beyond. FULL: as below. On sm_75 the compiler would make the addresses of many
 * loads at once, and spill for them: there they stay one after the other. */
template <bool FULL, int COUNT>
__device__ __forceinline__ void small_load(float (&w)[COUNT], const float *column, int rows, int apart) {
#pragma unroll
  for (int k = 0; k < COUNT; k++)
#if __CUDA_ARCH__ >= 800
    w[k] = k < rows ? column[k * apart] : 0.0f;
#else
    w[k] = k >= rows ? 0.0f : FULL ? column[k * apart] : *(const volatile float *)(column + k * apart);
#endif
}

/* The cell's weights. FULL: S and A are 64, and the addresses of a column follow from its first one. */
template <bool FULL>
__device__ __forceinline__ void small_load_cell(struct small_cell &cell, const struct decode &d,
                                                const float *kernel) {
  int S = FULL ? (int)SMALL_K : d.score.state_units;
  int inputs = FULL ? (int)SMALL_K : small_unit() < S ? d.score.annotation_width : 0;
  small_load<FULL>(cell.kernel, kernel + threadIdx.x, inputs, 4 * S);
}

/* The same of h. */
template <bool FULL>
__device__ __forceinline__ void small_load_recurrent(struct small_attention &attention,
                                                     const struct decode &d, const float *recurrent) {
  int S = FULL ? (int)SMALL_K : d.score.state_units, gate = (int)threadIdx.x;
  small_load<FULL>(attention.recurrent, recurrent + SMALL_CARRIED * 4 * S + gate,
                   FULL || gate < 4 * S ? S - SMALL_CARRIED : 0, 4 * S);
}

template <bool FULL>
__device__ __forceinline__ void small_load_recurrent(struct small_writer &writer, const struct decode &d,
                                                     const float *recurrent) {
  int S = FULL ? (int)SMALL_K : d.score.state_units, gate = (int)threadIdx.x, other = gate - SMALL_THREADS;
  small_load<FULL>(writer.recurrent, recurrent + gate, FULL || gate < 4 * S ? S : 0, 4 * S);
  small_load<FULL>(writer.other, recurrent + other, FULL || other < 4 * S ? S : 0, 4 * S);
}

__device__ __forceinline__ void small_load_biases(struct small_writer &writer, const struct decode &d,
                                                  const float *bias) {
  int gates = 4 * d.score.state_units, gate = (int)threadIdx.x, other = gate - SMALL_THREADS;
  writer.bias = gate < gates ? bias[gate] : 0.0f;
  writer.other_bias = other < gates ? bias[other] : 0.0f;
}

__device__ __forceinline__ void small_load_gate(struct small_cell &cell, const struct device_gates &gates,
                                                const float *partial) {
  const shared_floats own(partial + SMALL_KEPT_AT + threadIdx.x);
  bool is_candidate = small_gate() == 2;
  bool is_smooth = is_candidate ? gates.is_tanh : gates.is_sigmoid;
  cell.scale = small_kept(own, is_candidate ? 1.0f : 0.5f);
  cell.add = is_candidate ? 0.0f : 0.5f;
  cell.slope = small_kept(own, is_smooth ? 0.0f : is_candidate ? 1.0f : gates.slope);
  cell.low = small_kept(own, is_candidate ? gates.floor : 0.0f);
  cell.high = is_candidate ? __builtin_inff() : 1.0f;
  cell.floor = small_kept(own, gates.is_tanh ? __builtin_inff() : gates.floor);
}

__device__ __forceinline__ struct small_score small_load_score(const struct attention_score &s) {
  bool is_one = s.score == CUSEQ_SCORE_CONCAT && s.layers == 1;
  bool has_last = s.score == CUSEQ_SCORE_CONCAT && !is_one;
  const float *values = has_last ? s.d_kernel[1] : s.d_value;
  struct small_score score;
  score.units = attention_keys_wide(s);
  for (int i = 0; i < 2; i++) {
    int j = small_eighth() + 8 * i;
    score.value[i] = j >= score.units ? 0.0f : (is_one ? 1.0f : values[j]) * s.scale;
  }
  score.bias = has_last && s.d_bias[1] && small_eighth() == 0 ? *s.d_bias[1] * s.scale : 0.0f;
  score.floor = has_last && s.activation[1] == CUSEQ_ACTIVATION_RELU ? 0.0f : -__builtin_inff();
  float most = fabsf(score.value[0]) + fabsf(score.value[1]) + fabsf(score.bias);
  most = lanes_sum(lanes_sum(lanes_sum(most, 1), 2), 4);
  score.is_bounded = s.scale > 0.0f && most <= SMALL_ENERGY_MOST;
  return score;
}

/* Units j and j + 8 of the query's kernel [S,U]. */
__device__ __forceinline__ void small_load_query(struct small_attention &attention, int S, int U,
                                                 const float *kernel) {
#pragma unroll
  for (int i = 0; i < 2; i++)
#pragma unroll
    for (int n = 0; n < SMALL_K / 4; n++) {
      int j = small_eighth() + 8 * i, k = 16 * (n / 4) + 4 * small_quarter() + n % 4;
      attention.query[i][n] = j < U && k < S ? kernel[k * U + j] : 0.0f;
    }
}

/* Where the row's arrays are, for those steps that read them: registers are short. */
__device__ __forceinline__ void small_keep_source(const struct small_source &source, float *partial) {
  if (threadIdx.x == 0)
    *(struct small_source *)(partial + SMALL_SOURCE_AT) = source;
}
__device__ __forceinline__ const float *small_pointer(float low, float high) {
  return (const float *)((uint64_t)__float_as_uint(high) << 32 | __float_as_uint(low));
}
__device__ __forceinline__ struct small_source small_kept_source(const struct small_row &row) {
  float4 at = row.state.load4(SMALL_SOURCE_AT), widths = row.state.load4(SMALL_SOURCE_AT + 4);
  return {small_pointer(at.x, at.y), small_pointer(at.z, at.w), __float_as_int(widths.x),
          __float_as_int(widths.y),  __float_as_int(widths.z),  __float_as_int(widths.w)};
}

__device__ __forceinline__ int small_kept_number(const struct small_row &row) {
  return __float_as_int(small_read(row.state, SMALL_SOURCE_AT + 7));
}

/* Key units j and j + 8 of the lane's two positions of a set; anything behind the row's end or the last
 * unit. */
__device__ __forceinline__ void small_keys(float (&key)[2][2], int (&mask)[2], const struct small_row &row,
                                           const struct small_source &source, int set) {
#pragma unroll
  for (int n = 0; n < 2; n++) {
    mask[n] = set + small_position() + 16 * n < row.length ? ~0 : 0;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      int t = min(set + small_position() + 16 * n, row.length - 1),
          j = min(small_eighth() + 8 * i, source.units - 1);
      key[n][i] = row.length > 0 ? source.keys[t * source.units + j] : 0.0f;
    }
  }
}

/* The lane's column at some of its positions of a set; anything behind the row's end, 0 beyond A. */
template <int COUNT>
__device__ __forceinline__ void small_annotations(float (&a)[COUNT], const struct small_row &row,
                                                  const struct small_source &source, int at) {
  bool there = small_column() < source.columns && row.length > 0;
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    int t = min(at + SMALL_EACH * small_half() + i, row.length - 1);
    a[i] = there ? source.annotations[t * source.stride + small_column()] : 0.0f;
  }
}

#endif
