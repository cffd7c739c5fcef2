"""Ctrl-C in a call that takes long."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

X = np.arange(30, dtype=np.int32).reshape(1, 30) % 37

# So many rows take the reference device far longer than a signal needs.
LONG = 512


def until(what):
    while not what():
        time.sleep(0.001)


def interrupt_when(what):
    """Sends this process the signal of Ctrl-C as soon as that is so."""

    def watch():
        until(what)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.fixture
def session(dates):
    return dates.session(max_batch=LONG, device="reference")


def test_a_long_call_can_be_interrupted_and_the_session_lives_on(dates, session):
    want = dates(X, device="reference").outputs
    big = np.tile(X, (LONG, 1))
    thread = interrupt_when(lambda: session.busy)
    with pytest.raises(KeyboardInterrupt):
        session.run(big, None, 0, ("outputs",))
    assert session.busy  # the call is not done: nobody waited for it
    thread.join()
    for call in (lambda: session.run(X), session.decode, session.attend):
        with pytest.raises(RuntimeError, match="still computes the call that was interrupted"):
            call()
    until(lambda: not session.busy)
    # What it encoded is there, and so are as many rows as it encoded.
    assert session.decode(0, ("outputs",))["outputs"].shape == (LONG, 10, 11)
    assert (session.run(X)["outputs"] == want).all()


def test_arrays_of_an_interrupted_call_are_kept_until_it_is_done(dates):
    session = dates.session(max_batch=LONG, device="reference")
    big, out = np.tile(X, (LONG, 1)), {"outputs": np.zeros((LONG, 10, 11), np.float32)}
    references = sys.getrefcount(big), sys.getrefcount(out["outputs"])
    thread = interrupt_when(lambda: session.busy)
    with pytest.raises(KeyboardInterrupt):
        session.run(big, None, 0, ("outputs",), out=out)
    thread.join()
    assert sys.getrefcount(big) > references[0] and sys.getrefcount(out["outputs"]) > references[1]
    session.close()  # it does not wait
    assert session.closed
    with pytest.raises(RuntimeError, match="the session is closed"):
        session.run(X)
    session = None
    other = dates.session(threads=1, device="cpu")

    def released():
        other.run(X, None, 0, ())  # whichever session begins a call frees what is done
        return (sys.getrefcount(big), sys.getrefcount(out["outputs"])) == references

    until(released)
    assert (out["outputs"][0] == dates(X, device="reference").outputs[0]).all()  # it ran to its end


def test_a_model_takes_another_session_after_an_interrupted_call(dates):
    want = dates(X, device="reference").outputs
    pool = dates._pool("reference", 0)
    pool.idle.clear()
    session = pool.take(LONG, 30, 10)
    pool.give_back(session)
    thread = interrupt_when(lambda: session.busy)
    with pytest.raises(KeyboardInterrupt):
        dates(np.tile(X, (LONG, 1)), device="reference", arrays=["outputs"])
    thread.join()
    assert session not in pool.idle
    assert (dates(X, device="reference").outputs == want).all()
    pool.largest = [1, 1, 1, 1]


def test_a_handler_that_raises_nothing_interrupts_nothing(dates, session):
    seen = []
    before = signal.signal(signal.SIGINT, lambda *arguments: seen.append(arguments))
    try:
        thread = interrupt_when(lambda: session.busy)
        found = session.run(np.tile(X, (LONG // 2, 1)), None, 0, ("tokens",))
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 1 and not session.busy
    assert (found["tokens"] == dates(X).tokens).all()


def test_a_process_that_is_interrupted_ends_at_once(dates, tmp_path):
    """It does not wait for the call: one of so many rows that nobody would."""
    program = """
import os, signal, threading, time
import numpy as np
import cuseq
model = cuseq.load(os.environ["MODEL"])
session = model.session(max_batch=20000, max_time=30, device="reference")
def watch():
    while not session.busy:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=watch).start()
try:
    session.run(np.zeros((20000, 30), np.int32), None, 0, ("tokens",))
except KeyboardInterrupt:
    print("interrupted", session.busy)
"""
    dates.save(tmp_path / "model.safetensors")
    environment = {**os.environ, "MODEL": str(tmp_path / "model.safetensors")}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("interrupted True\n", "", 0)
