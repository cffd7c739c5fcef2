/* Calls of a session in CUDA graphs of the caller's: launched again with other inputs, in other streams,
 * several in one graph. The results have the bits of calls that are not captured. */
#include "cuda/capture_case.h"
#include "cuda/runtime_calls.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ---- launched again ---- */

Test(capture, a_graph_of_a_call_reads_its_inputs_anew_at_every_launch) {
  cudaStream_t stream = stream_make(), other = stream_make();
  for (int i = 0; i < WAYS; i++) {
    cuseq_model *model = model_of(&ways[i], 41);
    struct call call;
    call_make(&call, model);
    cuseq_session *session = session_open(model, &ways[i], stream);
    cudaGraphExec_t graph = capture_run(session, stream, &call);
    for (uint64_t n = 2; n < 5; n++) {
      call_feed(&call, n);
      cuda_done(cudaGraphLaunch(graph, n == 3 ? other : stream));
      cuda_done(cudaStreamSynchronize(n == 3 ? other : stream));
      done(cuseq_session_synchronize(session));
      call_expect(&call, model, &ways[i], n);
    }
    /* and the session goes on without a graph */
    call_feed(&call, 7);
    done(cuseq_run(session, &call.input, &call.device.encoding, &call.device.decoding));
    done(cuseq_session_synchronize(session));
    call_expect(&call, model, &ways[i], 7);
    cuda_done(cudaGraphExecDestroy(graph));
    cuseq_session_close(session);
    call_free(&call);
    cuseq_model_destroy(model);
  }
  cuda_done(cudaStreamDestroy(stream));
  cuda_done(cudaStreamDestroy(other));
}

Test(capture, a_captured_call_allocates_nothing_and_waits_for_nothing) {
  cudaStream_t stream = stream_make();
  for (int i = 0; i < WAYS; i++) {
    cuseq_model *model = model_of(&ways[i], 42);
    struct call call;
    call_make(&call, model);
    cuseq_session *session = session_open(model, &ways[i], stream);
    begin(stream);
    runtime_calls_take();
    done(cuseq_run(session, &call.input, &call.device.encoding, &call.device.decoding));
    const struct runtime_calls calls = runtime_calls_take();
    cr_expect_eq(calls.waits, 0);
    cr_expect_eq(calls.allocations, 0);
    cuda_done(cudaGraphExecDestroy(end(stream)));
    cuseq_session_close(session);
    call_free(&call);
    cuseq_model_destroy(model);
  }
  cuda_done(cudaStreamDestroy(stream));
}

/* ---- two graphs ---- */

Test(capture, graphs_of_two_sessions_run_side_by_side_on_two_streams) {
  cudaStream_t streams[2] = {stream_make(), stream_make()};
  for (int i = 0; i < WAYS; i++) {
    cuseq_model *model = model_of(&ways[i], 43);
    struct call calls[2];
    cuseq_session *sessions[2];
    cudaGraphExec_t graphs[2];
    for (int g = 0; g < 2; g++) {
      call_make(&calls[g], model);
      sessions[g] = session_open(model, &ways[i], streams[g]);
      graphs[g] = capture_run(sessions[g], streams[g], &calls[g]);
    }
    for (uint64_t n = 2; n < 4; n++) {
      for (int g = 0; g < 2; g++)
        call_feed(&calls[g], n + 10 * (uint64_t)g);
      for (int g = 0; g < 2; g++)
        cuda_done(cudaGraphLaunch(graphs[g], streams[g]));
      for (int g = 0; g < 2; g++) {
        done(cuseq_session_synchronize(sessions[g]));
        call_expect(&calls[g], model, &ways[i], n + 10 * (uint64_t)g);
      }
    }
    for (int g = 0; g < 2; g++) {
      cuda_done(cudaGraphExecDestroy(graphs[g]));
      cuseq_session_close(sessions[g]);
      call_free(&calls[g]);
    }
    cuseq_model_destroy(model);
  }
  cuda_done(cudaStreamDestroy(streams[0]));
  cuda_done(cudaStreamDestroy(streams[1]));
}

/* A graph that encodes, by a call that decodes, too, or by one that does not. */
static cudaGraphExec_t capture_encoding(cuseq_session *session, cudaStream_t stream, const struct call *call,
                                        bool decodes) {
  const cuseq_decoding tokens = {.size = sizeof tokens, .steps = Y, .tokens = call->device.decoding.tokens};
  begin(stream);
  done(decodes ? cuseq_run(session, &call->input, &call->device.encoding, &tokens)
               : cuseq_encode(session, &call->input, &call->device.encoding));
  return end(stream);
}

/* What a decoding makes of the annotations, another's graph does not count on: the second of two that are
 * alike is launched without the first. */
static void check_decoding(const struct way *way, bool encoding_decodes, cudaStream_t stream,
                           cudaStream_t other) {
  cudaEvent_t encoded;
  cudaGraphExec_t decode[2];
  struct call call;
  cuseq_model *model = model_of(way, 44);
  cuda_done(cudaEventCreateWithFlags(&encoded, cudaEventDisableTiming));
  call_make(&call, model);
  cuseq_session *session = session_open(model, way, stream);
  const cudaGraphExec_t encode = capture_encoding(session, stream, &call, encoding_decodes);
  for (int g = 0; g < 2; g++) {
    begin(stream);
    done(cuseq_decode(session, &call.device.decoding));
    decode[g] = end(stream);
  }
  for (uint64_t n = 2; n < 4; n++) {
    call_feed(&call, n);
    cuda_done(cudaGraphLaunch(encode, stream));
    cuda_done(cudaEventRecord(encoded, stream));
    cuda_done(cudaStreamWaitEvent(other, encoded, 0));
    cuda_done(cudaGraphLaunch(decode[1], other));
    cuda_done(cudaStreamSynchronize(other));
    call_expect(&call, model, way, n);
  }
  cuda_done(cudaGraphExecDestroy(encode));
  cuda_done(cudaGraphExecDestroy(decode[0]));
  cuda_done(cudaGraphExecDestroy(decode[1]));
  cuseq_session_close(session);
  call_free(&call);
  cuseq_model_destroy(model);
  cuda_done(cudaEventDestroy(encoded));
}

Test(capture, a_decodings_graph_follows_that_of_the_encoding_in_another_stream) {
  cudaStream_t stream = stream_make(), other = stream_make();
  for (int i = 0; i < WAYS; i++) {
    check_decoding(&ways[i], false, stream, other);
    check_decoding(&ways[i], true, stream, other);
  }
  cuda_done(cudaStreamDestroy(stream));
  cuda_done(cudaStreamDestroy(other));
}

/* ---- a loop ---- */

/* A decoder's steps one by one, each beginning with the states and tokens that the one before has left. */
struct loop {
  float *d_h, *d_c, *d_outputs; /* [B,S], [B,S], [Y,B,V] */
  int32_t *d_tokens;            /* [B] */
};

static void loop_make(struct loop *loop) {
  cuda_done(cudaMalloc((void **)&loop->d_h, B * S * sizeof(float)));
  cuda_done(cudaMalloc((void **)&loop->d_c, B * S * sizeof(float)));
  cuda_done(cudaMalloc((void **)&loop->d_outputs, Y * B * V * sizeof(float)));
  cuda_done(cudaMalloc((void **)&loop->d_tokens, B * sizeof(int32_t)));
}

static void loop_free(const struct loop *loop) {
  cudaFree(loop->d_h);
  cudaFree(loop->d_c);
  cudaFree(loop->d_outputs);
  cudaFree(loop->d_tokens);
}

static void loop_queue(const struct loop *loop, cuseq_session *session, const struct call *call) {
  done(cuseq_encode(session, &call->input, NULL));
  for (int y = 0; y < Y; y++) {
    const cuseq_decoding step = {.size = sizeof(cuseq_decoding),
                                 .steps = 1,
                                 .initial_h = y > 0 ? loop->d_h : NULL,
                                 .initial_c = y > 0 ? loop->d_c : NULL,
                                 .previous = y > 0 ? loop->d_tokens : NULL,
                                 .outputs = loop->d_outputs + (size_t)y * B * V,
                                 .tokens = loop->d_tokens,
                                 .final_h = loop->d_h,
                                 .final_c = loop->d_c};
    done(cuseq_decode(session, &step));
  }
}

Test(capture, the_steps_of_a_loop_stand_in_one_graph) {
  cudaStream_t stream = stream_make();
  for (int i = 0; i < WAYS; i++) {
    cuseq_model *model = model_of(&ways[i], 45);
    struct call call;
    struct loop loop;
    float got[Y * B * V], want[Y * B * V];
    call_make(&call, model);
    loop_make(&loop);
    cuseq_session *session = session_open(model, &ways[i], stream);
    begin(stream);
    loop_queue(&loop, session, &call);
    cudaGraphExec_t graph = end(stream);
    for (uint64_t n = 2; n < 4; n++) {
      call_feed(&call, n);
      cuda_done(cudaGraphLaunch(graph, stream));
      done(cuseq_session_synchronize(session));
      cuda_done(cudaMemcpy(got, loop.d_outputs, sizeof got, cudaMemcpyDeviceToHost));
      loop_queue(&loop, session, &call);
      done(cuseq_session_synchronize(session));
      cuda_done(cudaMemcpy(want, loop.d_outputs, sizeof want, cudaMemcpyDeviceToHost));
      cr_expect(memcmp(got, want, sizeof got) == 0, "%s", ways[i].name);
      for (int k = 0; k < Y * B * V; k++)
        cr_expect(isfinite(got[k]));
    }
    cuda_done(cudaGraphExecDestroy(graph));
    cuseq_session_close(session);
    loop_free(&loop);
    call_free(&call);
    cuseq_model_destroy(model);
  }
  cuda_done(cudaStreamDestroy(stream));
}

/* A stream of the session's own is captured by an event of the stream whose capture it is. */
Test(capture, a_stream_of_the_sessions_own_joins_a_capture) {
  cudaStream_t stream = stream_make();
  cudaEvent_t forks, joins;
  cuseq_model *model = model_of(&ways[0], 46);
  struct call call;
  cuda_done(cudaEventCreateWithFlags(&forks, cudaEventDisableTiming));
  cuda_done(cudaEventCreateWithFlags(&joins, cudaEventDisableTiming));
  call_make(&call, model);
  cuseq_session *session = session_open(model, &ways[0], NULL);
  begin(stream);
  cuda_done(cudaEventRecord(forks, stream));
  cuda_done(cudaStreamWaitEvent(cuseq_session_stream(session), forks, 0));
  done(cuseq_run(session, &call.input, &call.device.encoding, &call.device.decoding));
  cuda_done(cudaEventRecord(joins, cuseq_session_stream(session)));
  cuda_done(cudaStreamWaitEvent(stream, joins, 0));
  cudaGraphExec_t graph = end(stream);
  call_feed(&call, 5);
  cuda_done(cudaGraphLaunch(graph, stream));
  cuda_done(cudaStreamSynchronize(stream));
  call_expect(&call, model, &ways[0], 5);
  cuda_done(cudaGraphExecDestroy(graph));
  cuseq_session_close(session);
  call_free(&call);
  cuseq_model_destroy(model);
  cuda_done(cudaEventDestroy(forks));
  cuda_done(cudaEventDestroy(joins));
  cuda_done(cudaStreamDestroy(stream));
}
