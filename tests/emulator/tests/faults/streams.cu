// Races between launches and copies on streams that nothing orders, and all that does order them.
#include "planted.h"

enum { N = 1024, BYTES = N * sizeof(int) };

__global__ void fill(int *to, int value) {
  to[blockIdx.x * blockDim.x + threadIdx.x] = value; // fault: two_writers
}

__global__ void sum_up(const int *from, int *to) {
  int sum = 0;
  for (int i = threadIdx.x; i < N; i += blockDim.x)
    sum += from[i];
  atomicAdd(to, sum);
}

static int *a, *sum, *host;
static cudaStream_t one, two;
static cudaEvent_t event;

static void begin(unsigned flags) {
  NEED(cudaMalloc(&a, BYTES));
  NEED(cudaMalloc(&sum, 4));
  NEED(cudaMallocHost(&host, BYTES));
  NEED(cudaMemset(a, 0, BYTES));
  NEED(cudaMemset(sum, 0, 4));
  NEED(cudaStreamCreateWithFlags(&one, flags));
  NEED(cudaStreamCreateWithFlags(&two, flags));
  NEED(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  memset(host, 0, BYTES);
  NEED(cudaDeviceSynchronize());
  planted_address(a);
}

static void end() {
  planted_waits();
  cudaFree(a);
  cudaFree(sum);
  cudaFreeHost(host);
  cudaStreamDestroy(one);
  cudaStreamDestroy(two);
  cudaEventDestroy(event);
}

#define SMALL(name, flags, body)                                                                             \
  static void name() {                                                                                       \
    begin(flags);                                                                                            \
    body;                                                                                                    \
    end();                                                                                                   \
  }

#define FILL(stream, value) fill<<<N / 64, 64, 0, stream>>>(a, value)
#define SUM(stream) sum_up<<<1, 64, 0, stream>>>(a, sum)

SMALL(two_writers, cudaStreamNonBlocking, FILL(one, 1); FILL(two, 2))
SMALL(writer_and_reader, cudaStreamNonBlocking, FILL(one, 1); SUM(two))
SMALL(two_readers, cudaStreamNonBlocking, SUM(one); SUM(two))
SMALL(writers_in_one_stream, cudaStreamNonBlocking, FILL(one, 1); FILL(one, 2))
SMALL(writers_apart, cudaStreamNonBlocking, (fill<<<1, 64, 0, one>>>(a, 1));
      (fill<<<1, 64, 0, two>>>(a + 64, 1)))
SMALL(ordered_by_an_event, cudaStreamNonBlocking, FILL(one, 1); NEED(cudaEventRecord(event, one));
      NEED(cudaStreamWaitEvent(two, event, 0)); SUM(two))
SMALL(event_recorded_too_early, cudaStreamNonBlocking, NEED(cudaEventRecord(event, one)); FILL(one, 1);
      NEED(cudaStreamWaitEvent(two, event, 0)); SUM(two))
SMALL(ordered_by_the_host, cudaStreamNonBlocking, FILL(one, 1); NEED(cudaStreamSynchronize(one)); SUM(two))
SMALL(ordered_by_an_event_of_the_host, cudaStreamNonBlocking, FILL(one, 1); NEED(cudaEventRecord(event, one));
      NEED(cudaEventSynchronize(event)); SUM(two))
SMALL(host_waits_for_the_wrong_stream, cudaStreamNonBlocking, FILL(one, 1); NEED(cudaStreamSynchronize(two));
      SUM(two))
SMALL(ordered_by_the_legacy_stream, cudaStreamDefault, FILL(one, 1); FILL(0, 2); SUM(two))
SMALL(legacy_stream_does_not_order, cudaStreamNonBlocking, FILL(one, 1); FILL(0, 2))
SMALL(copy_under_a_reader, cudaStreamNonBlocking, SUM(one);
      NEED(cudaMemcpyAsync(a, host, BYTES, cudaMemcpyHostToDevice, two)))
SMALL(copy_of_what_is_written, cudaStreamNonBlocking, FILL(one, 1);
      NEED(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, two)))
SMALL(set_under_a_writer, cudaStreamNonBlocking, FILL(one, 1); NEED(cudaMemsetAsync(a, 1, BYTES, two)))
SMALL(copy_after_an_event, cudaStreamNonBlocking, SUM(one); NEED(cudaEventRecord(event, one));
      NEED(cudaStreamWaitEvent(two, event, 0));
      NEED(cudaMemcpyAsync(a, host, BYTES, cudaMemcpyHostToDevice, two)))

// Copies in one stream, sums in the other, two buffers; events keep them apart, or the way back is missing.
static void buffers(bool both) {
  int *buffer[2];
  cudaEvent_t filled[2], used[2];
  begin(cudaStreamNonBlocking);
  for (int i = 0; i < 2; i++) {
    NEED(cudaMalloc(&buffer[i], BYTES));
    NEED(cudaEventCreate(&filled[i]));
    NEED(cudaEventCreate(&used[i]));
  }
  for (int i = 0; i < 6; i++) {
    if (i >= 2 && both)
      NEED(cudaStreamWaitEvent(one, used[i & 1], 0));
    NEED(cudaMemcpyAsync(buffer[i & 1], host, BYTES, cudaMemcpyHostToDevice, one));
    NEED(cudaEventRecord(filled[i & 1], one));
    NEED(cudaStreamWaitEvent(two, filled[i & 1], 0));
    sum_up<<<1, 64, 0, two>>>(buffer[i & 1], sum);
    NEED(cudaEventRecord(used[i & 1], two));
  }
  planted_waits();
  for (int i = 0; i < 2; i++) {
    cudaFree(buffer[i]);
    cudaEventDestroy(filled[i]);
    cudaEventDestroy(used[i]);
  }
  cudaFree(a);
  cudaFree(sum);
  cudaFreeHost(host);
  cudaStreamDestroy(one);
  cudaStreamDestroy(two);
  cudaEventDestroy(event);
}

static void double_buffering() {
  buffers(true);
}

static void double_buffering_without_way_back() {
  buffers(false);
}

// Two streams work on a half each, launch after launch; at the end one of them sums up both halves.
static void halves(bool waits) {
  begin(cudaStreamNonBlocking);
  for (int i = 0; i < 3; i++) {
    fill<<<N / 128, 64, 0, one>>>(a, i);
    fill<<<N / 128, 64, 0, two>>>(a + N / 2, i);
    NEED(cudaMemcpyAsync(host, a, BYTES / 2, cudaMemcpyDeviceToHost, one));
    NEED(cudaMemcpyAsync(host + N / 2, a + N / 2, BYTES / 2, cudaMemcpyDeviceToHost, two));
  }
  NEED(cudaEventRecord(event, one));
  if (waits)
    NEED(cudaStreamWaitEvent(two, event, 0));
  SUM(two);
  end();
}

static void halves_and_all() {
  halves(false);
}

static void halves_and_all_after_an_event() {
  halves(true);
}

// A copy reads what an earlier launch has read, which the next write is ordered after; after the copy it is
// not, or is. A third stream's launch is ordered with nothing.
static void copy_behind(bool waits) {
  cudaStream_t three;
  int *other;
  begin(cudaStreamNonBlocking);
  NEED(cudaStreamCreateWithFlags(&three, cudaStreamNonBlocking));
  NEED(cudaMalloc(&other, BYTES));
  fill<<<N / 64, 64, 0, three>>>(other, 1);
  SUM(one);
  NEED(cudaEventRecord(event, one));
  NEED(cudaStreamWaitEvent(two, event, 0));
  NEED(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, two));
  NEED(cudaEventRecord(event, two));
  if (waits)
    NEED(cudaStreamWaitEvent(one, event, 0));
  FILL(one, 2);
  planted_waits();
  cudaFree(other);
  cudaStreamDestroy(three);
  end();
}

static void copy_behind_a_reader() {
  copy_behind(false);
}

static void copy_behind_a_reader_waited_for() {
  copy_behind(true);
}

// Two kernel nodes of a graph, one after the other or side by side.
static void graph_of(bool edge) {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  begin(cudaStreamNonBlocking);
  NEED(cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal));
  NEED(cudaEventRecord(event, one));
  FILL(one, 1);
  if (edge)
    NEED(cudaEventRecord(event, one));
  NEED(cudaStreamWaitEvent(two, event, 0));
  SUM(two);
  NEED(cudaEventRecord(event, two));
  NEED(cudaStreamWaitEvent(one, event, 0));
  NEED(cudaStreamEndCapture(one, &graph));
  NEED(cudaGraphInstantiate(&exec, graph, 0));
  NEED(cudaGraphLaunch(exec, one));
  NEED(cudaGraphLaunch(exec, one));
  planted_waits();
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
  cudaFree(a);
  cudaFree(sum);
  cudaFreeHost(host);
  cudaStreamDestroy(one);
  cudaStreamDestroy(two);
  cudaEventDestroy(event);
}

static void graph_nodes_side_by_side() {
  graph_of(false);
}

static void graph_nodes_in_a_row() {
  graph_of(true);
}

#define BY_KERNEL(kernel, other)                                                                             \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race: kernel " kernel ", [^ ]*%S:[0-9]+, block \\([0-9]+,0,0\\), thread \\([0-9]+,0,0\\): global "    \
      "(read|write) of 4 bytes at 0x[0-9a-f]+ .[0-9]+ bytes into 4096 bytes by cudaMalloc at "               \
      "0x[0-9a-f]+.*, not "                                                                                  \
      "ordered after a (read|write) by (several blocks of |block \\([0-9]+,0,0\\) of )?" other
#define BY_EITHER(kernel, call)                                                                              \
  FINDING, cudaErrorLaunchFailure,                                                                           \
      "race: (kernel " kernel ", [^ ]*%S:[0-9]+, .*global (read|write) of 4 bytes at .*not ordered after a " \
      "(read|write) by " call "|" call                                                                       \
      " (reads|writes) 0x[0-9a-f]+ .*4096 bytes by cudaMalloc.*not ordered after a "                         \
      "(read|write) by (several blocks of |block \\([0-9]+,0,0\\) of )kernel " kernel ")"

static const struct planted_case cases[] = {
    {"two_writers", two_writers, BY_KERNEL("fill", "kernel fill")},
    {"writer_and_reader", writer_and_reader, BY_KERNEL("(fill|sum_up)", "kernel (fill|sum_up)")},
    {"two_readers", two_readers, TWIN},
    {"writers_in_one_stream", writers_in_one_stream, TWIN},
    {"writers_apart", writers_apart, TWIN},
    {"ordered_by_an_event", ordered_by_an_event, TWIN},
    {"event_recorded_too_early", event_recorded_too_early,
     BY_KERNEL("(fill|sum_up)", "kernel (fill|sum_up)")},
    {"ordered_by_the_host", ordered_by_the_host, TWIN},
    {"ordered_by_an_event_of_the_host", ordered_by_an_event_of_the_host, TWIN},
    {"host_waits_for_the_wrong_stream", host_waits_for_the_wrong_stream,
     BY_KERNEL("(fill|sum_up)", "kernel (fill|sum_up)")},
    {"ordered_by_the_legacy_stream", ordered_by_the_legacy_stream, TWIN},
    {"legacy_stream_does_not_order", legacy_stream_does_not_order, BY_KERNEL("fill", "kernel fill")},
    {"copy_under_a_reader", copy_under_a_reader, BY_EITHER("sum_up", "cudaMemcpyAsync")},
    {"copy_of_what_is_written", copy_of_what_is_written, BY_EITHER("fill", "cudaMemcpyAsync")},
    {"set_under_a_writer", set_under_a_writer, BY_EITHER("fill", "cudaMemsetAsync")},
    {"copy_after_an_event", copy_after_an_event, TWIN},
    {"double_buffering", double_buffering, TWIN},
    {"double_buffering_without_way_back", double_buffering_without_way_back,
     BY_EITHER("sum_up", "cudaMemcpyAsync")},
    {"halves_and_all", halves_and_all, BY_KERNEL("(fill|sum_up)", "kernel (fill|sum_up)")},
    {"halves_and_all_after_an_event", halves_and_all_after_an_event, TWIN},
    {"copy_behind_a_reader", copy_behind_a_reader, BY_EITHER("fill", "cudaMemcpyAsync")},
    {"copy_behind_a_reader_waited_for", copy_behind_a_reader_waited_for, TWIN},
    {"graph_nodes_side_by_side", graph_nodes_side_by_side,
     BY_KERNEL("(fill|sum_up)", "kernel (fill|sum_up)")},
    {"graph_nodes_in_a_row", graph_nodes_in_a_row, TWIN},
};

PLANTED_MAIN(cases)
