/* The mapping GRID with tensor cores: whole sequences of any H across SMs. sm_80 and later. */
#include "kernels/recurrence/cell_gru.cuh"
#include "kernels/recurrence/cell_lstm.cuh"
#include "kernels/recurrence/grid_launch.cuh"
#include "kernels/recurrence/grid_tensor.cuh"

/* computes  s = x W + h U + b, four sums a unit, and of them what the cell makes (enum cell_form), for all
 *           steps of all rows.
 * shapes    struct sequence in launch_recurrence.h, struct sequence_grid in grid_group.cuh.
 * mapping   a group of blocks is a direction and its tiles of rows; a block owns every blocks-th tile of 8
 *           SLOTS units, with as many rows of their columns of U in shared memory as fit, and one or two
 *           teams of four warps, each with every teams-th of the group's tiles of rows; a warp a quarter of
 *           k.
 * launch    grid groups x blocks, at most one block an SM where blocks > 1 (cooperative), block 128 teams,
 *           shared teams sizeof(tensor_memory) + unit tiles of a block x (128 SLOTS, TENSOR_HALVES twice
 *           that, + 256 tiles of A x tensor_registers x resident / 16).
 * budget    255 registers, no spills; on sm_90 float32 255 (teams of 8 rows: 146), as tf32 254 (149), tf32
 *           231 (126), bf16 184 (112).
 * numerics  TENSOR_HALVES, float32 where h is a tanh's: h and U as two float16 numbers each, by a power of
 *           two for each row and each sum, three products of them; TENSOR_FLOAT32, where it is not: rounded
 *           to 22 bits, as two tf32 numbers each, three products; the others: rounded to the nearest. What
 *           tensor cores add up by themselves, rounding towards zero, are 128 k. The order of summation
 *           follows from H alone, so a row's bits do not depend on batch or grid.
 * why       a launch per step costs microseconds where a flag costs one; the whole grid never meets, only a
 *           group does. h goes from the L2 cache into registers, as the products take it: each warp needs a
 *           quarter, and no two the same. Two teams, because a step waits for flags and h for as long as it
 *           multiplies. x W of the next step is fetched behind the flag: a loop waits for all loads before
 *           it, which in front of the product are 117 cycles. float32 as float16, because two of them are 16
 *           k of an instruction where two tf32 are 8, in registers that need no more taking apart: a step of
 *           W4 has half as many instructions as with tf32 (5,040 cycles, which other cells take). Tried and
 *           lost there, by cycles of a step: U as [k][unit] (moves in front of every product, 7,900), sums
 *           folded in registers every 64 k (6,300; 250 registers), U loaded a turn ahead (moves again,
 *           6,600), h in parts of 64 k, each on its way while the one before is multiplied (5,210: a second
 *           wait, and a loop).
 * cost      W4: tensor cores' instructions are the fewest; of a step by its machine code:
 *           bench/machine/table.md. */
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
template <class Cell, tensor_kind KIND, int SLOTS, int EIGHTS>
__device__ __forceinline__ void tensor_block(const struct sequence_parameters &p,
                                             const struct sequence_grid &g) {
  extern __shared__ __align__(16) char memory[];
  typedef struct tensor_memory<SLOTS, EIGHTS> team_memory;
  int group = (int)blockIdx.x / g.blocks, D = p.a.directions, team = (int)threadIdx.x / TENSOR_TEAM;
  int thread = (int)threadIdx.x % TENSOR_TEAM;
  float4 *bias = (float4 *)(memory + g.teams * sizeof(team_memory));
  int units = grid_owned(p.a.units, 8 * SLOTS, g.blocks) * 8 * SLOTS;
  float4 *inverses = bias + units;
  uint4 *u = (uint4 *)(inverses + (KIND == TENSOR_HALVES ? units : 0));
  tensor_team<Cell, KIND, SLOTS, EIGHTS> here = {p,
                                                 g,
                                                 ((team_memory *)memory)[team],
                                                 u,
                                                 bias,
                                                 inverses,
                                                 (int)blockIdx.x % g.blocks,
                                                 group % D,
                                                 team + 1,
                                                 thread,
                                                 thread / 32,
                                                 thread % 32,
                                                 g.blocks * 8 * SLOTS,
                                                 g.blocks > 1 && thread == 0};
  unsigned *counter = g.counters + ((size_t)group * g.teams + team) * GRID_COUNTERS, round = 0;
  here.begin();
  here.load_weights(u, bias, inverses);
  __syncthreads(); /* U and the bias are there */
  for (int i = group / D * g.teams + team; i < g.tiles; i += g.groups / D * g.teams) {
    struct grid_tile tile;
    tile.d = group % D;
    tile.first = i * g.rows;
    tile.rows = min(g.rows, p.a.batch - tile.first);
    tile.hidden = g.hidden + ((size_t)tile.d * g.tiles + i) * 2 * g.rows * (16 * tensor_sixteens(p.a.units));
    here.run(tile, counter, round);
  }
  if (thread == 0)
    grid_leave(counter, (unsigned)g.blocks);
}
#define TENSOR_BODY(cell, kind, slots, eights) tensor_block<cell, kind, slots, eights>(p, g)
#else
#define TENSOR_BODY(cell, kind, slots, eights)                                                               \
  (void)p, (void)g, __trap() /* never reached: launch_tensor_cores_built() says so */
#endif

template <class Cell, tensor_kind KIND, int SLOTS, int EIGHTS>
static __global__ void __launch_bounds__(2 * TENSOR_TEAM, 1)
    sequence_tensor_kernel(const __grid_constant__ struct sequence_parameters p,
                           const __grid_constant__ struct sequence_grid g) {
  TENSOR_BODY(Cell, KIND, SLOTS, EIGHTS);
}

/* The shapes of a block: up to sixteen rows take all SMs that there are, eight to a team, many share loads of
 * h between more units. A row has the same bits in both. */
enum { FEW_SLOTS = 1, FEW_EIGHTS = 1, FEW_TEAMS = 2, MANY_SLOTS = 2, MANY_EIGHTS = 2, MANY_TEAMS = 2 };

/* What a block has in shared memory: of its teams, of bias and scales, and of each 16 rows of U, of H. */
struct room {
  size_t fixed, sixteen;
};

template <class Cell, tensor_kind KIND, int SLOTS, int EIGHTS>
static struct room room_of(int32_t units, int blocks, int teams) {
  size_t owned = (size_t)grid_owned(units, 8 * SLOTS, blocks), arrays = KIND == TENSOR_HALVES ? 2 : 1;
  return {teams * sizeof(struct tensor_memory<SLOTS, EIGHTS>) + arrays * owned * 8 * SLOTS * sizeof(float4),
          owned * tensor_tiles<Cell, SLOTS>::COUNT * tensor_registers(KIND) / 2 * 32 * sizeof(uint4)};
}

/* Rows of U that stay there; -1 where not even the rest has room. */
static int resident(int32_t units, const struct room &room, const struct launch_device *device) {
  if (device->shared_bytes < 0 || (size_t)device->shared_bytes < room.fixed)
    return -1;
  size_t fits = ((size_t)device->shared_bytes - room.fixed) / room.sixteen,
         all = (size_t)tensor_sixteens(units);
  return (int)(fits < all ? fits : all) * 16;
}

int tensor_resident(int32_t units, int32_t directions, cuseq_precision precision,
                    const struct launch_device *device) {
  int blocks = grid_blocks(units, 8 * MANY_SLOTS, directions, device);
  struct room room =
      precision == CUSEQ_PRECISION_BF16
          ? room_of<cell_lstm, TENSOR_BF16, MANY_SLOTS, MANY_EIGHTS>(units, blocks, MANY_TEAMS)
          : room_of<cell_lstm, TENSOR_HALVES, MANY_SLOTS, MANY_EIGHTS>(units, blocks, MANY_TEAMS);
  int rows = resident(units, room, device);
  return rows < units ? rows : units;
}

template <class Cell, tensor_kind KIND, int SLOTS, int EIGHTS>
static cudaError_t launch_shape(const struct sequence_parameters *p, struct sequence_grid *g,
                                const struct launch_device *device, cudaStream_t stream) {
  struct room room = room_of<Cell, KIND, SLOTS, EIGHTS>(p->a.units, g->blocks, g->teams);
  g->resident = resident(p->a.units, room, device);
  if (g->resident < 0)
    return cudaErrorInvalidConfiguration;
  return grid_launch((const void *)sequence_tensor_kernel<Cell, KIND, SLOTS, EIGHTS>, p, g,
                     g->teams * TENSOR_TEAM, room.fixed + room.sixteen * (size_t)(g->resident / 16), stream);
}

template <class Cell, tensor_kind KIND>
static cudaError_t launch_kind(const struct sequence_parameters *p, struct sequence_grid *g, bool few,
                               const struct launch_device *device, cudaStream_t stream) {
  return few ? launch_shape<Cell, KIND, FEW_SLOTS, FEW_EIGHTS>(p, g, device, stream)
             : launch_shape<Cell, KIND, MANY_SLOTS, MANY_EIGHTS>(p, g, device, stream);
}

template <class Cell>
static cudaError_t launch_cell(const struct sequence_parameters *p, struct sequence_grid *g, bool few,
                               const struct launch_device *device, cudaStream_t stream) {
  switch (p->a.precision) {
  case CUSEQ_PRECISION_TF32:
    return launch_kind<Cell, TENSOR_TF32>(p, g, few, device, stream);
  case CUSEQ_PRECISION_BF16:
    return launch_kind<Cell, TENSOR_BF16>(p, g, few, device, stream);
  default: /* of a relu or a linear function h may be as large as it likes */
    return p->gates.is_tanh ? launch_kind<Cell, TENSOR_HALVES>(p, g, few, device, stream)
                            : launch_kind<Cell, TENSOR_FLOAT32>(p, g, few, device, stream);
  }
}

cudaError_t tensor_launch(const struct sequence_parameters *parameters, const struct launch_device *device,
                          cudaStream_t stream) {
  const struct sequence *a = &parameters->a;
  struct sequence_grid g;
  int most = grid_room(a->directions, device);
  g.blocks = grid_blocks(a->units, 8 * FEW_SLOTS, a->directions, device);
  int eights = (a->batch + 8 * FEW_EIGHTS - 1) / (8 * FEW_EIGHTS), groups = most / g.blocks;
  /* A second team where a block has one tile of units: with two it would wait for U more than for flags. */
  bool few = eights <= groups * (grid_owned(a->units, 8 * FEW_SLOTS, g.blocks) == 1 ? FEW_TEAMS : 1);
  if (!few)
    g.blocks = grid_blocks(a->units, 8 * MANY_SLOTS, a->directions, device);
  g.teams = few ? (eights <= groups ? 1 : FEW_TEAMS) : MANY_TEAMS;
  /* Rows are spread over all the groups that there is room for: a step costs what its rows cost. */
  int room = (g.blocks == 1 ? a->batch : most / g.blocks) * g.teams, rows = (a->batch + room - 1) / room;
  int largest = 8 * (few ? FEW_EIGHTS : MANY_EIGHTS);
  g.rows = rows < largest ? (rows + 7) / 8 * 8 : largest;
  g.tiles = (a->batch + g.rows - 1) / g.rows;
  int wanted = (g.tiles + g.teams - 1) / g.teams;
  g.groups = a->directions * (wanted < room / g.teams ? wanted : room / g.teams);
  grid_place(a, device, &g);
  return a->form == CELL_FORM_LSTM ? launch_cell<cell_lstm>(parameters, &g, few, device, stream)
                                   : launch_cell<cell_gru>(parameters, &g, few, device, stream);
}

int32_t launch_tensor_cores_built(void) {
  struct cudaFuncAttributes attributes;
  cudaError_t status = cudaFuncGetAttributes(
      &attributes, (const void *)sequence_tensor_kernel<cell_lstm, TENSOR_FLOAT32, MANY_SLOTS, MANY_EIGHTS>);
  if (status != cudaSuccess)
    (void)cudaGetLastError();
  return status == cudaSuccess && attributes.ptxVersion >= 80;
}
