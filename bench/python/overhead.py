"""What a call from Python costs beside the same call from C.

    ./run bench python

The date model, one text, the arrays `outputs` and `tokens`, one thread. Each way of calling takes its turn in each
round; a round's figure is the best of some thousand calls, by the thread's own clock, and the table has the median of
the rounds. "ctypes" is the call of the C function alone, with structures that are ready: what the others are held
against.
"""

import argparse
import ctypes
import statistics
import sys
import time

import numpy as np

import cuseq

CALLS = 200


class Input(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("dtype", ctypes.c_int),
        ("batch", ctypes.c_int32),
        ("time", ctypes.c_int32),
        ("lengths", ctypes.c_void_p),
        ("initial_h", ctypes.c_void_p),
        ("initial_c", ctypes.c_void_p),
    ]


DECODING = "rows initial_h initial_c initial_fed previous targets target_lengths contexts alphas states outputs "
DECODING += "log_probabilities tokens output_lengths final_h final_c final_fed"


class Decoding(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("steps", ctypes.c_int32), ("batch", ctypes.c_int32)]
    _fields_ += [(name, ctypes.c_void_p) for name in DECODING.split()]


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("device", ctypes.c_char_p)]
    _fields_ += [(name, ctypes.c_int32) for name in "batch time steps beams threads precision nonfinite memory".split()]
    _fields_ += [("stream", ctypes.c_void_p), ("asynchronous", ctypes.c_int32), ("plan", ctypes.c_char_p)]


def c_call(library, path, ids, lengths, outputs, tokens):
    """A function of nothing that calls cuseq_run."""
    model, session, options = ctypes.c_void_p(), ctypes.c_void_p(), Options()
    assert library.cuseq_model_load(path.encode(), ctypes.byref(model)) == 0
    library.cuseq_session_options_init(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options)), model)
    options.device, options.threads = b"cpu", 1
    assert library.cuseq_session_open(model, ctypes.byref(options), ctypes.byref(session)) == 0
    int32 = 4
    given = Input(ctypes.sizeof(Input), ids.ctypes.data, int32, *ids.shape, lengths.ctypes.data)
    wanted = Decoding(size=ctypes.sizeof(Decoding), outputs=outputs.ctypes.data, tokens=tokens.ctypes.data)
    run, arguments = library.cuseq_run, (session, ctypes.byref(given), None, ctypes.byref(wanted))
    assert run(*arguments) == 0
    return lambda: run(*arguments)


def best(call):
    least = float("inf")
    for _ in range(20):
        start = time.thread_time()
        for _ in range(CALLS):
            call()
        least = min(least, (time.thread_time() - start) / CALLS)
    return least * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    model = cuseq.load(arguments.model)
    ids, lengths = model.encode_texts(["3 May 1979"])
    wanted = ("outputs", "tokens")
    session = model.session(max_time=ids.shape[1], threads=1, device="cpu")
    out = {name: np.empty_like(array) for name, array in session.run(ids, lengths, 0, wanted).items()}
    ways = {
        "ctypes": c_call(ctypes.CDLL(arguments.library), arguments.model, ids, lengths, out["outputs"], out["tokens"]),
        "session.run(x, out=)": lambda: session.run(ids, lengths, 0, wanted, out=out),
        "session.run(x)": lambda: session.run(ids, lengths, 0, wanted),
        "m(x)": lambda: model(ids, lengths, arrays=wanted, threads=1, device="cpu"),
        "m(x), every array": lambda: model(ids, lengths, threads=1, device="cpu"),
    }
    rounds = [{name: best(call) for name, call in ways.items()} for _ in range(arguments.rounds)]
    print(f"cuseq {cuseq.__version__}, Python {sys.version.split()[0]}, numpy {np.__version__}")
    for name in ways:
        median = statistics.median(one[name] for one in rounds)
        more = statistics.median(one[name] - one["ctypes"] for one in rounds)
        print(f"{name:24} {median:8.2f} us {more:+8.2f} us")


if __name__ == "__main__":
    main()
