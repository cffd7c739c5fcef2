"""The package itself: what an import brings, where it is refused, and that nothing is left behind by calls."""

import ctypes
import gc
import subprocess
import sys

import numpy as np
import producer
import pytest
from conftest import GOLDEN

import cuseq


def python(program, **options):
    """What a program of its own prints."""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, **options)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_an_import_brings_little_beside_numpy():
    brought = python(
        "import sys, numpy; there = set(sys.modules); import cuseq; print(*sorted(set(sys.modules) - there))"
    )
    others = {name.partition(".")[0] for name in brought.split()} - {"cuseq", "json", "_json", "typing", "_typing"}
    assert others <= {"__future__", "_cuseq"}
    assert not {"cuseq.live", "cuseq.plot"} & set(brought.split())


SUBINTERPRETER = """
try:
    import _interpreters as interpreters
    kinds = ("isolated", "legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    kinds = ({"isolated": True}, {"isolated": False})
run = getattr(interpreters, "run_string", None) or interpreters.exec
program = '''
try:
    import cuseq
    print("imported")
except ImportError as reason:
    print(reason)
'''
for kind in kinds:
    run(interpreters.create(kind) if isinstance(kind, str) else interpreters.create(**kind), program)
"""


def test_a_sub_interpreter_is_refused():
    try:
        lines = python(SUBINTERPRETER).splitlines()
    except AssertionError as reason:
        if "No module named" in str(reason):
            pytest.skip("this Python has no module for sub-interpreters")
        raise
    assert len(lines) == 2
    for line in lines:
        assert "a sub-interpreter (needed the main one" in line or "does not support loading in subinterpreters" in line


def test_a_free_threaded_python_is_refused():
    program = """
import sys
sys.abiflags = "t"
try:
    import cuseq
except ImportError as reason:
    print(reason)
"""
    assert python(program).startswith("cuseq: a free-threaded Python (needed one with the GIL")


class Heap(ctypes.Structure):
    """mallinfo2 of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


def heap_bytes():
    """What of the C library's heap is in use; 0 where nobody counts it."""
    count = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if count is None:
        return 0
    count.restype = Heap
    found = count()
    return found.uordblks + found.hblkhd


def count(calls, times, watched):
    """References, blocks and bytes that are there more after so many of the calls."""
    for call in calls:
        for _ in range(100):
            call()
    gc.collect()
    before = [sys.getrefcount(thing) for thing in watched], sys.getallocatedblocks(), heap_bytes()
    for call in calls:
        for _ in range(times):
            call()
    gc.collect()
    references = [sys.getrefcount(thing) for thing in watched]
    return references == before[0], sys.getallocatedblocks() - before[1], heap_bytes() - before[2]


def refused(call, *arguments, **options):
    def one():
        try:
            call(*arguments, **options)
        except (TypeError, ValueError):
            return
        raise AssertionError("it was not refused")

    return one


def test_nothing_is_left_behind_by_a_hundred_thousand_calls():
    model = cuseq.load(GOLDEN / "models" / "keras_concat.safetensors")
    x, lengths = np.zeros((1, 1, 7), np.float32), np.array([1], np.int32)
    session = model.session(max_time=1, max_steps=1, threads=1, device="cpu")
    names = ("outputs", "tokens")
    out = dict(session.run(x, lengths, 1, names))
    calls = [
        lambda: session.run(x, lengths, 1, names),
        lambda: session.run(x, lengths, 1, names, out=out),
        lambda: model(x, lengths, steps=1, threads=1, device="cpu"),
    ]
    watched = [x, lengths, session, model._handle, names, out, *out.values(), *names]
    same, blocks, size = count(calls, 34000, watched)
    assert same and blocks < 500 and size < 20_000, (blocks, size)


def test_nothing_is_left_behind_by_what_is_refused_or_converted():
    model = cuseq.load(GOLDEN / "models" / "keras_concat.safetensors")
    x, small = np.zeros((1, 1, 7), np.float32), np.zeros((1, 1), np.float32)
    session = model.session(max_time=1, max_steps=1, threads=1, device="cpu")
    given, gaps = producer.of(x), np.zeros((1, 1, 14), np.float32)[:, :, ::2]

    def by_dlpack():
        session.run(given, None, 1, ())
        given.kept.clear()
        given.streams.clear()

    calls = [
        by_dlpack,
        lambda: session.run(gaps, None, 1, ()),
        lambda: session.run(memoryview(x), None, 1, ()),
        lambda: model.tensors(),
        lambda: cuseq.Tensor.from_dlpack(x.__dlpack__(), 0).numpy(),
        refused(session.run, small),
        refused(session.run, x, None, 1, ("nothing",)),
        refused(session.run, x, None, 1, (), out={"outputs": small}),
        refused(session.run, x, None, 1, ("outputs", "tokens"), out={"tokens": x}),
        refused(session.run, np.full((1, 1), 99, np.int32)),
        refused(session.run, "text"),
        refused(session.search, wanted=("nothing",)),
        refused(model, producer.of(x, kind=producer.METAL)),
        refused(cuseq.Tensor.from_dlpack, object(), 0),
    ]
    same, blocks, size = count(calls, 600, [x, small, gaps, session, model._handle])
    assert same and blocks < 500 and size < 20_000, (blocks, size)
    assert given.deleted > 600
