// Streams, events and host functions: what is ordered, what is not, and what the host may see when.
#include "check.h"

#include <math.h>
#include <string.h>

__global__ void add(int *to, const int *from, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    to[i] += from[i];
}

__global__ void fill(int *to, int n, int value) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n)
    to[i] = value;
}

enum { N = 512, BYTES = N * 4 };
#define GRID (N / 128), 128

static int *a, *b, *host;

static void a_copy_to_the_host_shows_poison_until_it_is_waited_for() {
  cudaStream_t one, two;
  OK(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  memset(host, 0, BYTES);
  fill<<<GRID, 0, one>>>(a, N, 42);
  OK(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, one));
  CHECK(host[0] == -1 && host[N - 1] == -1);
  OK(cudaStreamSynchronize(two)); // the wrong stream: whatever ran, the host has not waited for it
  CHECK(host[0] == -1);
  OK(cudaStreamSynchronize(one));
  CHECK(host[0] == 42 && host[N - 1] == 42);
  float pageable[4];
  fill<<<GRID, 0, one>>>(a, N, 0x3f800000);
  OK(cudaMemcpyAsync(pageable, a, sizeof pageable, cudaMemcpyDeviceToHost, one));
  CHECK(isnan(pageable[0]));
  OK(cudaStreamSynchronize(one));
  CHECK(pageable[3] == 1);
  OK(cudaStreamDestroy(one));
  OK(cudaStreamDestroy(two));
}

static void a_pinned_source_is_read_when_the_copy_runs() {
  cudaStream_t stream;
  OK(cudaStreamCreate(&stream));
  int late[N], plain[N];
  for (int i = 0; i < N; i++)
    host[i] = plain[i] = 1;
  OK(cudaMemcpyAsync(a, host, BYTES, cudaMemcpyHostToDevice, stream));
  OK(cudaMemcpyAsync(b, plain, BYTES, cudaMemcpyHostToDevice, stream));
  host[0] = plain[0] = 2; // pinned: too early; pageable: the copy has been taken
  OK(cudaMemcpyAsync(late, a, BYTES, cudaMemcpyDeviceToHost, stream));
  OK(cudaStreamSynchronize(stream));
  CHECK_EQUAL(late[0], 2);
  OK(cudaMemcpy(late, b, BYTES, cudaMemcpyDeviceToHost));
  CHECK_EQUAL(late[0], 1);
  OK(cudaStreamDestroy(stream));
}

// Through one buffer, there and back, without the host waiting in between.
static void one_buffer_may_serve_both_ways() {
  cudaStream_t stream;
  OK(cudaStreamCreate(&stream));
  for (int i = 0; i < N; i++)
    host[i] = i;
  OK(cudaMemcpyAsync(a, host, BYTES, cudaMemcpyHostToDevice, stream));
  add<<<GRID, 0, stream>>>(a, a, N);
  OK(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, stream));
  OK(cudaMemcpyAsync(b, host, BYTES, cudaMemcpyHostToDevice, stream));
  add<<<GRID, 0, stream>>>(b, host, N); // reads the pinned memory itself
  OK(cudaMemcpyAsync(host, b, BYTES, cudaMemcpyDeviceToHost, stream));
  OK(cudaStreamSynchronize(stream));
  CHECK(host[1] == 4 && host[N - 1] == 4 * (N - 1));
  OK(cudaStreamDestroy(stream));
}

static void events_order_streams() {
  cudaStream_t one, two;
  cudaEvent_t event;
  OK(cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&two, cudaStreamNonBlocking));
  OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  for (int round = 0; round < 20; round++) {
    fill<<<GRID, 0, one>>>(a, N, round);
    OK(cudaEventRecord(event, one));
    OK(cudaStreamWaitEvent(two, event, 0));
    fill<<<GRID, 0, two>>>(b, N, 1);
    add<<<GRID, 0, two>>>(b, a, N);
    OK(cudaMemcpyAsync(host, b, BYTES, cudaMemcpyDeviceToHost, two));
    OK(cudaStreamSynchronize(two));
    CHECK_EQUAL(host[5], round + 1);
  }
  OK(cudaEventDestroy(event));
  OK(cudaStreamDestroy(one));
  OK(cudaStreamDestroy(two));
}

static void the_legacy_stream_orders_blocking_streams() {
  cudaStream_t one, two;
  OK(cudaStreamCreate(&one));
  OK(cudaStreamCreate(&two));
  for (int round = 0; round < 20; round++) {
    fill<<<GRID, 0, one>>>(a, N, round);
    fill<<<GRID>>>(b, N, 3);
    add<<<GRID>>>(b, a, N);
    add<<<GRID, 0, two>>>(b, a, N);
    OK(cudaMemcpyAsync(host, b, BYTES, cudaMemcpyDeviceToHost, two));
    OK(cudaStreamSynchronize(two));
    CHECK_EQUAL(host[N - 1], 2 * round + 3);
  }
  OK(cudaStreamDestroy(one));
  OK(cudaStreamDestroy(two));
}

struct visit {
  int *seen, value, calls;
  cudaError_t inside;
};

static void visit_host(void *data) {
  struct visit *v = (struct visit *)data;
  void *p;
  v->value = v->seen[3];
  v->calls++;
  v->inside = cudaMalloc(&p, 4);
}

static void called_back(cudaStream_t, cudaError_t status, void *data) {
  CHECK_EQUAL(status, cudaSuccess);
  ((struct visit *)data)->calls++;
}

static void host_functions_run_in_their_turn() {
  cudaStream_t stream;
  struct visit v = {host, 0, 0, cudaSuccess};
  OK(cudaStreamCreate(&stream));
  fill<<<GRID, 0, stream>>>(a, N, 99);
  OK(cudaMemcpyAsync(host, a, BYTES, cudaMemcpyDeviceToHost, stream));
  OK(cudaLaunchHostFunc(stream, visit_host, &v));
  OK(cudaStreamAddCallback(stream, called_back, &v, 0));
  OK(cudaStreamSynchronize(stream));
  CHECK_EQUAL(v.value, 99);
  CHECK_EQUAL(v.calls, 2);
  CHECK_EQUAL(v.inside, cudaErrorNotPermitted);
  CODE(cudaLaunchHostFunc(stream, NULL, NULL), cudaErrorInvalidValue);
  OK(cudaStreamDestroy(stream));
  cudaGetLastError();
}

static void queries_bring_work_forward() {
  cudaStream_t stream;
  cudaEvent_t start, end;
  OK(cudaStreamCreate(&stream));
  OK(cudaEventCreate(&start));
  OK(cudaEventCreate(&end));
  OK(cudaStreamQuery(stream));
  OK(cudaEventQuery(end));
  OK(cudaEventRecord(start, stream));
  for (int i = 0; i < 5; i++)
    fill<<<GRID, 0, stream>>>(a, N, i);
  OK(cudaEventRecord(end, stream));
  CODE(cudaStreamQuery(stream), cudaErrorNotReady);
  int asked = 0;
  float ms = -1;
  while (cudaEventQuery(end) == cudaErrorNotReady && asked < 1000)
    asked++;
  CHECK(asked > 0 && asked < 1000);
  OK(cudaStreamQuery(stream));
  OK(cudaEventElapsedTime(&ms, start, end));
  CHECK(ms >= 0);
  cudaEvent_t fresh, untimed;
  OK(cudaEventCreate(&fresh));
  OK(cudaEventCreateWithFlags(&untimed, cudaEventDisableTiming));
  CODE(cudaEventElapsedTime(&ms, start, fresh), cudaErrorInvalidResourceHandle);
  OK(cudaEventRecord(untimed, stream));
  CODE(cudaEventElapsedTime(&ms, start, untimed), cudaErrorInvalidResourceHandle);
  OK(cudaEventRecord(fresh, stream));
  fill<<<GRID, 0, stream>>>(a, N, 1);
  OK(cudaEventRecord(end, stream));
  CODE(cudaEventElapsedTime(&ms, start, end), cudaErrorNotReady);
  OK(cudaEventSynchronize(end));
  OK(cudaEventElapsedTime(&ms, fresh, end));
  CODE(cudaEventCreateWithFlags(&fresh, 64), cudaErrorInvalidValue);
  OK(cudaEventDestroy(start));
  OK(cudaEventDestroy(end));
  OK(cudaEventDestroy(fresh));
  OK(cudaEventDestroy(untimed));
  CODE(cudaEventDestroy(untimed), cudaErrorInvalidResourceHandle);
  CODE(cudaEventRecord(untimed, stream), cudaErrorInvalidResourceHandle);
  OK(cudaStreamDestroy(stream));
  CODE(cudaStreamDestroy(stream), cudaErrorInvalidResourceHandle);
  CODE(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  CODE(cudaStreamSynchronize((cudaStream_t)0x123450), cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}

static void work_outlives_its_stream() {
  cudaStream_t blocking, free_running;
  int back[N];
  OK(cudaStreamCreate(&blocking));
  OK(cudaStreamCreateWithFlags(&free_running, cudaStreamNonBlocking));
  fill<<<GRID, 0, blocking>>>(a, N, 21);
  fill<<<GRID, 0, free_running>>>(host, N, 22);
  OK(cudaStreamDestroy(blocking));
  OK(cudaStreamDestroy(free_running));
  OK(cudaMemcpy(back, a, BYTES, cudaMemcpyDeviceToHost)); // the legacy stream waits for it still
  CHECK_EQUAL(back[7], 21);
  OK(cudaDeviceSynchronize());
  CHECK_EQUAL(host[7], 22);
}

static void streams_say_what_they_are() {
  cudaStream_t stream;
  int least, greatest, priority, device;
  unsigned flags;
  unsigned long long id, other;
  OK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  CHECK(greatest < least);
  OK(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest - 10));
  OK(cudaStreamGetPriority(stream, &priority));
  CHECK_EQUAL(priority, greatest);
  OK(cudaStreamGetFlags(stream, &flags));
  CHECK_EQUAL(flags, cudaStreamNonBlocking);
  OK(cudaStreamGetDevice(stream, &device));
  CHECK_EQUAL(device, 0);
  OK(cudaStreamGetId(stream, &id));
  OK(cudaStreamGetId(0, &other));
  CHECK(id != other);
  CODE(cudaStreamCreateWithFlags(&stream, 8), cudaErrorInvalidValue);
  CODE(cudaStreamGetFlags(stream, NULL), cudaErrorInvalidValue);
  OK(cudaStreamDestroy(stream));
  CODE(cudaStreamCreate(NULL), cudaErrorInvalidValue);
  cudaGetLastError();
}

int main() {
  OK(cudaMalloc(&a, BYTES));
  OK(cudaMalloc(&b, BYTES));
  OK(cudaMallocHost(&host, BYTES));
  a_copy_to_the_host_shows_poison_until_it_is_waited_for();
  a_pinned_source_is_read_when_the_copy_runs();
  one_buffer_may_serve_both_ways();
  events_order_streams();
  the_legacy_stream_orders_blocking_streams();
  host_functions_run_in_their_turn();
  queries_bring_work_forward();
  work_outlives_its_stream();
  streams_say_what_they_are();
  OK(cudaFree(a));
  OK(cudaFree(b));
  OK(cudaFreeHost(host));
  return finish();
}
