/* Whole sequences of any H across SMs, with flag barriers between the blocks that share a state: what the
 * mapping is given, and its kernel without tensor cores (sequence_tensor.cu has the other). */
#include "kernels/recurrence/cell_gru.cuh"
#include "kernels/recurrence/cell_lstm.cuh"
#include "kernels/recurrence/grid_block.cuh"
#include "kernels/recurrence/grid_launch.cuh"

/* Units of a tile: what 64 blocks cover. It depends on H alone, as the order of summation does. */
static int grid_units(int32_t units) {
  return units <= 512 ? 8 : 16;
}

size_t sequence_grid_workspace(int32_t batch, int32_t units, int32_t directions,
                               const struct launch_device *device) {
  size_t padded = ((size_t)units + 15) / 16 * 16; /* as the tensor kernel has it */
  size_t hidden = (size_t)directions * 2 * ((size_t)batch + GRID_ROWS) * padded * sizeof(float);
  return grid_counter_bytes(device) + grid_cell_bytes(batch, units, directions) + grid_round_up(hidden);
}

/* computes  s = x W + h U + b, four sums a unit, and of them what the cell makes (enum cell_form), for all
 *           steps of all rows.
 * shapes    struct sequence in launch_recurrence.h, struct sequence_grid in grid_group.cuh.
 * mapping   a group of blocks is a direction and its tiles of 8 to 64 rows; a block owns every blocks-th tile
 *           of UNITS units, with as many rows of their columns of U in shared memory as fit; a thread the
 *           four sums of a unit for SUB rows over every PARTS-th k; parts are summed by shuffles, then across
 *           warps through shared memory.
 * launch    grid groups x blocks, at most one block an SM where blocks > 1 (cooperative), block 256, shared
 *           sizeof(grid_memory) + 16 UNITS resident (unit tiles of a block).
 * budget    176 registers, no spills; shared memory: all that a block may have.
 * numerics  float32; the order of summation follows from H alone, so a row's bits do not depend on batch or
 *           grid.
 * why       a launch per step costs microseconds where a flag costs one; the whole grid never meets, only a
 *           group does.
 * cost      a step of 8 rows at H 256, by row: an LSTM 799 thousand thread instructions (310 float32, of them
 *           262 fma of the product), a GRU 695 (239, 197). For code before sm_80 alone: 2.9 times the
 *           instructions of the other at W4. */
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ < 800
#define GRID_BODY(cell, units, sub) grid_run<cell, units, sub>(p, g)
template <class Cell, int UNITS, int SUB>
__device__ __forceinline__ void grid_run(const struct sequence_parameters &p, const struct sequence_grid &g) {
  extern __shared__ __align__(16) char memory[];
  struct grid_memory<UNITS, SUB> &m = *(struct grid_memory<UNITS, SUB> *)memory;
  int group = (int)blockIdx.x / g.blocks, D = p.a.directions;
  grid_block<Cell, UNITS, SUB> block = {
      p, g, m, (float4 *)(memory + sizeof m), (int)blockIdx.x % g.blocks, group % D};
  unsigned *counter = g.counters + (size_t)group * GRID_COUNTERS, round = 0;
  block.load_weights();
  for (int i = group / D; i < g.tiles; i += g.groups / D) {
    struct grid_tile tile;
    tile.d = group % D;
    tile.first = i * g.rows;
    tile.rows = min(g.rows, p.a.batch - tile.first);
    tile.hidden = g.hidden + ((size_t)tile.d * g.tiles + i) * 2 * g.rows * p.a.units;
    block.run(tile, counter, round);
  }
  if (threadIdx.x == 0)
    grid_leave(counter, (unsigned)g.blocks);
}
#else
#define GRID_BODY(cell, units, sub) (void)p, (void)g, __trap() /* never reached: there are tensor cores */
#endif
template <class Cell, int UNITS, int SUB>
static __global__ void __launch_bounds__(GRID_THREADS, 1)
    sequence_grid_kernel(const __grid_constant__ struct sequence_parameters p,
                         const __grid_constant__ struct sequence_grid g) {
  GRID_BODY(Cell, UNITS, SUB);
}

/* Rows of U that stay in a block's shared memory, of H; -1 where not even the rest has room there. */
template <int UNITS, int SUB>
static int grid_resident(int32_t units, int blocks, const struct launch_device *device) {
  size_t fixed = sizeof(struct grid_memory<UNITS, SUB>),
         row = (size_t)grid_owned(units, UNITS, blocks) * UNITS * sizeof(float4);
  if (device->shared_bytes < 0 || (size_t)device->shared_bytes < fixed)
    return -1;
  size_t room = ((size_t)device->shared_bytes - fixed) / row;
  return room < (size_t)units ? (int)room : units;
}

int32_t sequence_grid_resident(int32_t units, int32_t directions, cuseq_precision precision,
                               const struct launch_device *device) {
  int blocks = grid_blocks(units, grid_units(units), directions, device);
  int resident = device->tensor_cores     ? tensor_resident(units, directions, precision, device)
                 : grid_units(units) == 8 ? grid_resident<8, 8>(units, blocks, device)
                                          : grid_resident<16, 8>(units, blocks, device);
  return resident < 0 ? 0 : resident;
}

template <class Cell, int UNITS, int SUB>
static cudaError_t launch_grid(const struct sequence_parameters *p, struct sequence_grid *g,
                               const struct launch_device *device, cudaStream_t stream) {
  g->resident = grid_resident<UNITS, SUB>(p->a.units, g->blocks, device);
  if (g->resident < 0)
    return cudaErrorInvalidConfiguration;
  size_t row = (size_t)grid_owned(p->a.units, UNITS, g->blocks) * UNITS * sizeof(float4);
  return grid_launch((const void *)sequence_grid_kernel<Cell, UNITS, SUB>, p, g, GRID_THREADS,
                     sizeof(struct grid_memory<UNITS, SUB>) + row * (size_t)g->resident, stream);
}

template <class Cell>
static cudaError_t launch_cell(const struct sequence_parameters *p, struct sequence_grid *g,
                               const struct launch_device *device, cudaStream_t stream) {
  bool narrow = grid_units(p->a.units) == 8;
  if (p->a.batch <= 4)
    return narrow ? launch_grid<Cell, 8, 4>(p, g, device, stream)
                  : launch_grid<Cell, 16, 4>(p, g, device, stream);
  return narrow ? launch_grid<Cell, 8, 8>(p, g, device, stream)
                : launch_grid<Cell, 16, 8>(p, g, device, stream);
}

cudaError_t sequence_launch_grid(const struct sequence_parameters *parameters,
                                 const struct launch_device *device, cudaStream_t stream) {
  const struct sequence *a = &parameters->a;
  struct sequence_grid g;
  if (device->tensor_cores)
    return tensor_launch(parameters, device, stream);
  g.teams = 1;
  g.blocks = grid_blocks(a->units, grid_units(a->units), a->directions, device);
  /* Rows are spread over all the groups that there is room for: a step costs what its rows cost. */
  int room = g.blocks == 1 ? a->batch : grid_room(a->directions, device) / g.blocks;
  int rows = (a->batch + room - 1) / room;
  g.rows = rows < GRID_ROWS ? (rows + 7) / 8 * 8 : GRID_ROWS;
  g.tiles = (a->batch + g.rows - 1) / g.rows;
  g.groups = a->directions * (g.tiles < room ? g.tiles : room);
  grid_place(a, device, &g);
  return a->form == CELL_FORM_LSTM ? launch_cell<cell_lstm>(parameters, &g, device, stream)
                                   : launch_cell<cell_gru>(parameters, &g, device, stream);
}
