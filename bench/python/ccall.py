"""cuseq_run by ctypes, and in a loop of C: what calls from the package are held against."""

import ctypes
import os
from pathlib import Path

import numpy as np

import cuseq

INT32, FLOAT32 = 4, 0


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


ENCODING = ("annotations", "h_fw", "c_fw", "h_bw", "c_bw", "final_h", "final_c")
GIVEN = ("rows", "initial_h", "initial_c", "initial_fed", "previous", "targets", "target_lengths")
DECODING = ("context", "alphas", "states", "outputs", "log_probabilities", "tokens", "output_lengths")


class Encoding(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t)] + [(name, ctypes.c_void_p) for name in ENCODING]


class Decoding(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("steps", ctypes.c_int32), ("batch", ctypes.c_int32)]
    _fields_ += [(name, ctypes.c_void_p) for name in (*GIVEN, *DECODING, "final_h", "final_c", "final_fed")]


class Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("device", ctypes.c_char_p)]
    _fields_ += [(name, ctypes.c_int32) for name in "batch time steps beams threads precision nonfinite memory".split()]
    _fields_ += [("stream", ctypes.c_void_p), ("asynchronous", ctypes.c_int32), ("plan", ctypes.c_char_p)]


class Calls:
    """A session of C with one thread, for calls on x alone."""

    def __init__(self, build: Path, model: Path, x: np.ndarray) -> None:
        self.library = ctypes.CDLL(str(build / "libcuseq.so"))
        self.loop = ctypes.CDLL(str(build / "bench" / "bench_python_call.so")).bench_call
        self.loop.restype = ctypes.c_double
        self.handle, self.session, options = ctypes.c_void_p(), ctypes.c_void_p(), Options()
        assert self.library.cuseq_model_load(os.fsencode(model), ctypes.byref(self.handle)) == 0
        size = ctypes.c_size_t(ctypes.sizeof(options))
        self.library.cuseq_session_options_init(ctypes.byref(options), size, self.handle)
        options.device, options.threads, options.batch, options.time = b"cpu", 1, *x.shape[:2]
        assert self.library.cuseq_session_open(self.handle, ctypes.byref(options), ctypes.byref(self.session)) == 0
        dtype = INT32 if x.dtype == np.int32 else FLOAT32
        self.input = Input(ctypes.sizeof(Input), x.ctypes.data, dtype, *x.shape[:2])
        self.x = x

    def arguments(self, result: cuseq.Result) -> tuple:
        """Those of cuseq_run, for arrays like the result's."""
        self.kept = {name: np.empty_like(array) for name, array in result.items()}
        addresses = {name: array.ctypes.data for name, array in self.kept.items()}
        encoding = Encoding(
            ctypes.sizeof(Encoding), **{name: addresses[name] for name in ENCODING if name in addresses}
        )
        decoding = Decoding(
            ctypes.sizeof(Decoding), **{name: addresses[name] for name in DECODING if name in addresses}
        )
        structures = self.input, encoding, decoding
        return self.session, *(ctypes.byref(structure) for structure in structures)
