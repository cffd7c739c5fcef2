"""Arrays on a CUDA device: read where they lie, and results that stay there."""

import ctypes
import gc
import os
import signal
import threading
import time

import device
import numpy as np
import producer
import pytest
from conftest import GOLDEN

import cuseq

DEVICES = [name for name, _ in cuseq.devices() if name.startswith("cuda:")]
pytestmark = pytest.mark.skipif(not DEVICES, reason="there is no CUDA device")


@pytest.fixture(scope="module")
def runtime():
    return device.Runtime()


@pytest.fixture(scope="module")
def want(model, x):
    return model(x, device="cpu")


@pytest.fixture
def put(runtime):
    """Puts arrays on the device, and frees them after the test."""
    made = []

    def one(array, **more):
        made.append(device.DeviceArray(runtime, array, **more))
        return made[-1]

    yield one
    gc.collect()
    for array in made:
        assert array.deleted == len(array.kept)
        array.free()


def close(got, want):
    got = got.numpy() if isinstance(got, cuseq.Tensor) else got
    assert got.shape == want.shape and got.dtype == want.dtype
    assert np.abs(got.astype(np.float64) - want).max() < 1e-5


@pytest.mark.parametrize("version", [None, (1, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_array_on_the_device_gives_results_there(model, x, want, put, version, dtype):
    given = put(x.astype(dtype), version=version)
    found = model(given)
    assert set(found) == set(want)
    for name in found:
        assert isinstance(found[name], cuseq.Tensor) and found[name].device == "cuda:0"
        assert not found[name].read_only and found[name].shape == want[name].shape
        close(found[name], want[name])
    assert len(given.streams) == 1 and given.streams[0] not in (None, -1, 0, 1, 2)


def test_an_array_that_says_nothing_but_dlpack(model, x, want, put):
    given = put(x)

    class Bare:
        def __dlpack_device__(self):
            return given.__dlpack_device__()

        def __dlpack__(self, **options):
            return given.__dlpack__(**options)

    close(model(Bare()).outputs, want.outputs)
    assert given.streams == [1]  # nobody knew yet which session would read it


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_ids_on_the_device(dates, put, dtype):
    ids = (np.arange(60).reshape(2, 30) % 37).astype(dtype)
    found = dates(put(ids))
    close(found.outputs, dates(ids, device="cpu").outputs)
    assert (found.tokens.numpy() == dates(ids, device="cpu").tokens).all()


def test_the_producers_stream_is_waited_for(model, x, want, put):
    """With a stream of the caller's, and by __cuda_array_interface__, which names the producer's."""
    session = model.session(max_batch=len(x), max_time=x.shape[1], device="cuda")
    for _ in range(4):
        given = put(x)
        close(session.run(given)["outputs"], want.outputs)
        assert given.streams == [session.stream]
        close(session.run(device.Interface(put(x)))["outputs"], want.outputs)
        close(model(device.Interface(put(x))).outputs, want.outputs)


def test_a_session_runs_on_the_callers_stream(model, x, want, put, runtime):
    stream = device.Stream(runtime)
    for of in (stream.address, stream):
        session = model.session(max_batch=len(x), max_time=x.shape[1], device="cuda", stream=of)
        assert session.stream == stream.address
        given = put(x)
        close(session.run(given)["outputs"], want.outputs)
        assert given.streams == [stream.address]
        session.close()
    stream.close()
    for wrong in ("1", 0, object(), 1.5):
        with pytest.raises(TypeError, match="stream: no CUDA stream"):
            model.session(device="cuda", stream=wrong)
    with pytest.raises(cuseq.ArgumentError, match="takes no stream"):
        model.session(device="cpu", stream=16)


def layouts(x):
    """(what lies on the device, shape, strides, offset): x with gaps and in other orders."""
    whole = np.full((6, 20, 9), np.nan, np.float32)
    whole[::2, 2:18:2, 1:8] = x
    B, T, F = x.shape
    time_major = np.ascontiguousarray(x.transpose(1, 0, 2))
    reversed_all = np.ascontiguousarray(x.transpose(2, 1, 0))
    return {
        "gaps": (whole, (360, 18, 1), 4 * (2 * 9 + 1)),
        "time first": (time_major, (F, B * F, 1), 0),
        "features first": (reversed_all, (1, B, T * B), 0),
        "backwards": (np.ascontiguousarray(x[:, ::-1]), (T * F, -F, 1), 4 * (T - 1) * F),
    }


@pytest.mark.parametrize("name", ["gaps", "time first", "features first", "backwards"])
def test_arrays_with_gaps_and_of_any_order_are_copied_on_the_device(model, x, want, put, name):
    memory, strides, offset = layouts(x)[name]
    close(model(put(memory, shape=x.shape, strides=strides, offset=offset)).outputs, want.outputs)
    as_bytes = tuple(4 * step for step in strides)
    if offset == 0:
        close(model(device.Interface(put(memory), shape=x.shape, strides=as_bytes)).outputs, want.outputs)


def test_one_row_for_all_is_read_as_often_as_it_says(model, x, want, put):
    given = put(x[:1], shape=x.shape, strides=(0, x.shape[2], 1))
    close(model(given).outputs, np.repeat(want.outputs[:1], 3, axis=0))


def test_where_results_lie_can_be_said(model, x, want, put):
    assert isinstance(model(x, device="cuda").outputs, np.ndarray)
    there = model(x, device="cuda", results="device")
    here = model(put(x), results="host")
    assert all(isinstance(array, cuseq.Tensor) for array in there.values())
    assert all(isinstance(array, np.ndarray) for array in here.values())
    for name in want:
        close(there[name], want[name])
        close(here[name], want[name])
    with pytest.raises(ValueError, match="results: the session's device has no memory of its own .found cpu"):
        model(x, device="cpu", results="device")
    with pytest.raises(ValueError, match="results: unknown .found nowhere"):
        model(x, results="nowhere")


def test_results_come_out_without_a_copy(model, x, want, runtime):
    found = model(x, device="cuda", results="device").outputs
    address = found.__cuda_array_interface__["data"][0]
    assert found.__cuda_array_interface__ == {
        "shape": (3, 4, 8),
        "typestr": "<f4",
        "strides": None,
        "data": (address, False),
        "version": 3,
        "stream": None,
    }
    close(device.read(runtime, address, found.shape, np.float32), want.outputs)
    assert found.__dlpack_device__() == (producer.CUDA, 0)
    for version in (None, (0, 8), (1, 0), (1, 1), (2, 0)):
        capsule = found.__dlpack__(stream=None, max_version=version)
        assert producer.described(capsule) == (address, (3, 4, 8), (32, 8, 1), producer.CUDA, 0, False)
        assert ("versioned" in repr(capsule)) == (version is not None and version >= (1, 0))
    again = cuseq.Tensor.from_dlpack(found.__dlpack__(stream=-1, max_version=(1, 0)), 0)
    assert again.__cuda_array_interface__["data"][0] == address
    for options, text in (
        ({"stream": 0}, "0 may be either"),
        ({"dl_device": (1, 0)}, "another device"),
        ({"copy": True}, "as it lies"),
    ):
        with pytest.raises(BufferError, match=text):
            found.__dlpack__(**options)
    with pytest.raises(BufferError, match="lies on a device"):
        memoryview(found)
    close(np.asarray(found), want.outputs)
    assert np.asarray(found, np.float64).dtype == np.float64
    assert found.reshape(12, 8).shape == (12, 8) and len(found) == 3 and found.ndim == 3 and found.dtype == "float32"
    assert repr(found) == "<cuseq.Tensor of float32 (3, 4, 8) on cuda:0>"
    with pytest.raises(ValueError, match="another number of elements"):
        found.reshape(5)


def test_memory_outlives_its_session_and_goes_with_its_last_user(model, x, want, put, runtime):
    session = model.session(max_batch=3, max_time=8, device="cuda")
    given = put(x)
    session.run(given)
    before = device.free_bytes(runtime)
    found = session.run(given)
    outputs, alphas = found["outputs"], found["alphas"]
    del found
    capsule = outputs.__dlpack__(stream=1)
    session.close()
    close(outputs, want.outputs)
    close(alphas, want.alphas)
    del outputs, alphas
    address, shape, *_ = producer.described(capsule)
    close(device.read(runtime, address, shape, np.float32), want.outputs)
    held = device.free_bytes(runtime)
    del capsule
    gc.collect()
    assert held < device.free_bytes(runtime) >= before


def test_nothing_is_left_on_the_device(model, x, put, runtime):
    given = put(x)
    for _ in range(2):
        model(given)
    gc.collect()
    before = device.free_bytes(runtime)
    for _ in range(20):
        model(given).outputs.numpy()
        with pytest.raises(TypeError):
            model(given, lengths="x")
        with pytest.raises(ValueError, match="wrong shape"):
            model(given, out={"outputs": given})
    gc.collect()
    assert device.free_bytes(runtime) == before
    assert given.deleted == len(given.kept)


# ---- given arrays ----


def test_results_go_into_arrays_on_the_device(model, x, want, put, runtime):
    outputs, tokens = (put(np.full(want[name].shape, -1, want[name].dtype)) for name in ("outputs", "tokens"))
    out = {"outputs": outputs, "tokens": device.Interface(tokens)}
    before = device.free_bytes(runtime)
    found = model(put(x), out=out, arrays=["outputs", "tokens"])
    assert found.outputs is outputs and found.tokens is out["tokens"]
    close(outputs.host(), want.outputs)
    assert (tokens.host() == want.tokens).all() and before > 0
    host = np.zeros_like(want.outputs)
    mixed = model(put(x), out={"outputs": host})
    close(host, want.outputs)
    close(mixed.alphas, want.alphas)


def test_given_arrays_on_the_device_that_do_not_fit_are_refused(model, x, want, put):
    shape = want.outputs.shape
    given = put(x)
    for array, error, text in (
        (put(np.zeros(shape)), TypeError, "outputs: wrong type .found float64, needed float32"),
        (put(np.zeros((4, 3, 8), np.float32)), ValueError, "outputs: wrong shape"),
        (put(np.zeros(shape, np.float32), read_only=True), ValueError, "outputs: it is read-only"),
        (
            put(np.zeros((3, 4, 16), np.float32), shape=shape, strides=(64, 16, 2)),
            ValueError,
            "outputs: it is not contiguous",
        ),
    ):
        with pytest.raises(error, match=text):
            model(given, out={"outputs": array})
        with pytest.raises(ValueError, match="outputs: it lies on another device .found cuda:0, needed cpu"):
            model(x, device="cpu", out={"outputs": put(np.zeros(shape, np.float32))})
    room = put(np.zeros(192, np.float32))
    behind = producer.Producer(room.address + 4 * 95, shape, kind=producer.CUDA)
    first = producer.Producer(room.address, shape, kind=producer.CUDA)
    with pytest.raises(ValueError, match="out: outputs overlaps alphas|out: alphas overlaps outputs"):
        model(given, out={"outputs": first, "alphas": behind})
    whole = put(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="out: outputs overlaps alphas|out: alphas overlaps outputs"):
        model(given, out={"outputs": whole, "alphas": device.Interface(whole)})


# ---- calls in a graph ----


class Ready(device.DeviceArray):
    """One that lies there before the capture begins: nobody has to wait for it."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.host()

    def ready_on(self, stream):
        pass

    def put(self, array):
        to_device = 1
        size = ctypes.c_size_t(array.nbytes)
        self.runtime("cudaMemcpy", device.pointer(self.address), device.pointer(array.ctypes.data), size, to_device)


def captured(runtime, stream, call):
    """The graph of what a call queues on a stream, ready to be launched."""
    graph, ready = ctypes.c_void_p(), ctypes.c_void_p()
    runtime("cudaStreamBeginCapture", device.pointer(stream.address), 0)
    call()
    runtime("cudaStreamEndCapture", device.pointer(stream.address), ctypes.byref(graph))
    runtime("cudaGraphInstantiate", ctypes.byref(ready), graph, ctypes.c_ulonglong(0))
    runtime("cudaGraphDestroy", graph)
    return ready


def test_calls_are_captured_in_a_graph_of_the_caller_s(model, x, want, runtime):
    stream = device.Stream(runtime)
    session = model.session(max_batch=len(x), max_time=x.shape[1], device="cuda", stream=stream, capture=True)
    given = Ready(runtime, x)
    out = {name: Ready(runtime, np.zeros_like(want[name])) for name in ("outputs", "tokens")}
    call = captured(runtime, stream, lambda: session.run(given, None, 0, tuple(out), out=out))
    for other in (x, x[::-1].copy(), -x):
        given.put(other)
        runtime("cudaGraphLaunch", call, device.pointer(stream.address))
        session.synchronize()
        wanted = model(other, device="cpu")
        close(out["outputs"].host(), wanted.outputs)
        assert (out["tokens"].host() == wanted.tokens).all()
    bad = x.copy()
    bad[1, 2, 3] = np.nan
    given.put(bad)
    runtime("cudaGraphLaunch", call, device.pointer(stream.address))
    with pytest.raises(cuseq.NonFinite):
        session.synchronize()
    given.put(x)
    session.run(given, None, 0, tuple(out), out=out)  # without a capture it is queued
    session.synchronize()
    close(out["outputs"].host(), want.outputs)
    runtime("cudaGraphExecDestroy", call)
    session.close()
    for array in (given, *out.values()):
        array.free()
    stream.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.synchronize()


def test_what_a_graph_could_not_hold_is_refused(model, x, put, runtime):
    session = model.session(max_batch=len(x), max_time=x.shape[1], device="cuda", capture=True)
    for arguments, out, text in (
        ((x,), {}, "input: it lies in host memory .a session that captures needed cuda:0"),
        ((put(x), np.array([8, 8, 8], np.int32)), {}, "lengths: it lies in host memory"),
        ((put(x),), {}, "out: annotations is missing .a session that captures makes no arrays"),
        ((put(x), None, 0, ("context",)), {"context": np.zeros(3, np.float32)}, "context: it lies in host memory"),
        ((put(x[:, ::-1].copy(), strides=(56, -7, 1), offset=4 * 49),), {}, "input: it is not contiguous"),
    ):
        with pytest.raises(ValueError, match=text):
            session.run(*arguments, out=out)
    for options in ({"device": "cpu"}, {"device": "cuda", "max_beams": 2}):
        with pytest.raises(cuseq.ArgumentError, match="capture"):
            model.session(capture=True, **options)


# ---- bad input ----


def test_what_is_wrong_in_the_device_s_memory_is_reported_at_once(model, dates, x, want, put):
    bad = x.copy()
    bad[1, 2, 3] = np.nan
    with pytest.raises(cuseq.NonFinite):
        model(put(bad))
    close(model(put(x)).outputs, want.outputs)
    for wrong in (37, -1):
        ids = np.zeros((2, 30), np.int32)
        ids[1, 7] = wrong
        with pytest.raises(cuseq.ArgumentError):
            dates(put(ids))
    with pytest.raises(cuseq.ArgumentError):
        model.session(max_batch=3, max_time=8, device="cuda").run(put(x), put(np.array([8, 9, 8], np.int32)))


def test_bad_arrays_on_the_device_are_named(model, x, put):
    for array, device_name, text in (
        (put(x), "cpu", "input: it lies on another device .found cuda:0, needed cpu"),
        (put(x), "reference", "needed reference"),
        (put(x.astype(np.float64)[:, :, :6]), None, "number of features .found 6, needed 7"),
        (put(x[0]), None, "found 2 axes of float32"),
        (put(np.zeros((3, 8), np.float32), shape=(3, 0, 7)), None, "wrong size .found 3 rows of 0"),
    ):
        with pytest.raises((TypeError, ValueError), match=text):
            model(array, device=device_name)
    with pytest.raises(TypeError, match="found 3 axes of float16"):
        made = put(x)
        made.dtype = (producer.FLOAT, 16)
        model(made)
    masked = device.Interface(put(x))
    masked.__cuda_array_interface__["mask"] = masked
    with pytest.raises(TypeError, match="input: a masked array"):
        model(masked)
    swapped = device.Interface(put(x))
    swapped.__cuda_array_interface__["typestr"] = ">f4"
    with pytest.raises(TypeError, match="native byte order"):
        model(swapped)
    nowhere = device.Interface(put(x))
    nowhere.__cuda_array_interface__["data"] = (x.ctypes.data, False)
    with pytest.raises((TypeError, ValueError), match="no memory of a device"):
        model(nowhere)


# ---- what goes beside ----


def test_lengths_and_states_may_lie_on_the_device(model, x, put):
    lengths = np.array([8, 3, 5])
    first = model(x, device="cpu", arrays=["encoder_h", "encoder_c", "final_h", "final_c"])
    states = {name: first[name] for name in ("encoder_h", "encoder_c")}
    wanted = model(x, lengths, initial=states, device="cpu")
    there = {name: put(array) for name, array in states.items()}
    found = model(put(x), put(lengths), initial=there)
    close(found.outputs, wanted.outputs)
    close(found.alphas, wanted.alphas)
    kept = model(put(x), arrays=["encoder_h", "encoder_c"])
    assert kept.encoder_h.shape == first.encoder_h.shape
    close(model(put(x), lengths, initial=dict(kept)).outputs, wanted.outputs)


def test_a_loop_stays_on_the_device(searched, put):
    x = np.load(GOLDEN / "search" / "luong.npz")["input"]
    names = ("h", "c", "fed")
    steps = {}
    for place in ("cpu", "cuda"):
        session = searched.session(max_batch=len(x), max_time=x.shape[1], device=place)
        session.encode(put(x) if place == "cuda" else x, None, ())
        states, tokens = {}, []
        for _ in range(4):
            step = session.decode(1, ("tokens", *(f"final_{name}" for name in names)), **states)
            assert all(isinstance(array, cuseq.Tensor) == (place == "cuda") for array in step.values())
            tokens.append(np.asarray(step["tokens"])[:, 0])
            states = {f"initial_{name}": step[f"final_{name}"] for name in names}
            states["previous"] = step["tokens"].reshape(len(x))
        steps[place] = np.array(tokens)
        attention = session.attend()
        assert attention["alphas"].shape == (len(x), x.shape[1])
        search = session.search(beams=1, results="host")
        assert isinstance(search["tokens"], np.ndarray)
    assert (steps["cpu"] == steps["cuda"]).all()


@pytest.mark.skipif(len(DEVICES) < 2, reason="there is one CUDA device alone")
def test_the_model_runs_where_its_input_lies(model, x, want, put, runtime):
    there = put(x, device=1)
    found = model(there)
    assert found.outputs.device == "cuda:1" and found.outputs.__dlpack_device__() == (producer.CUDA, 1)
    close(found.outputs, want.outputs)
    close(model(device.Interface(put(x, device=1))).outputs, want.outputs)
    with pytest.raises(ValueError, match="input: it lies on another device .found cuda:1, needed cuda:0"):
        model(there, device="cuda:0")
    with pytest.raises(ValueError, match="outputs: it lies on another device .found cuda:0, needed cuda:1"):
        model(there, out={"outputs": put(np.zeros(want.outputs.shape, np.float32))})
    current = ctypes.c_int(-1)
    runtime("cudaGetDevice", ctypes.byref(current))
    assert current.value == 0


def test_a_long_call_can_be_interrupted(model, x, want, put):
    """One of so many positions that it waits on a thread of its own; what it took is kept until it is done."""
    session = model.session(max_batch=3, max_time=10000, device="cuda")
    long = put(np.random.default_rng(0).standard_normal((1, 10000, 7)).astype(np.float32))
    found = session.run(long, None, 1, ("context",))["context"]
    close(found, model(long.source, steps=1, arrays=["context"], device="cpu").context)

    def interrupt():
        while not session.busy:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.run(long, None, 1, ("context",))
    thread.join()
    while session.busy:
        time.sleep(0.001)
    close(session.run(put(x))["outputs"], want.outputs)
