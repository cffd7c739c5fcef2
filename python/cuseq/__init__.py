"""Recurrent models with attention, on CPUs and NVIDIA GPUs.

    import cuseq
    m = cuseq.load("model.safetensors")
    r = m(x)                                   # r.outputs, r.alphas, r.context, r.tokens, ...
    m.translate(["3 May 1979"], beam=5)

Errors are exceptions of one family, cuseq.Error, and what Python people expect beside it: ValueError, OSError,
MemoryError, RuntimeError.
"""

import sys

if "t" in getattr(sys, "abiflags", ""):
    raise ImportError("cuseq: a free-threaded Python (needed one with the GIL: the extension is of the stable ABI)")

from ._cuseq import Session, Tensor, devices, version
from .errors import (
    ArgumentError,
    DeviceFailed,
    Error,
    FileError,
    MemoryFull,
    ModelError,
    NoDevice,
    NonFinite,
    NotSupported,
    ReadError,
    SessionError,
    WrongType,
)
from .loading import create, load
from .model import Model
from .results import Evaluation, Hypothesis, Result, Score, Translations

__version__ = version()
__all__ = [
    "ArgumentError",
    "DeviceFailed",
    "Error",
    "Evaluation",
    "FileError",
    "Hypothesis",
    "MemoryFull",
    "Model",
    "ModelError",
    "NoDevice",
    "NonFinite",
    "NotSupported",
    "ReadError",
    "Result",
    "Score",
    "Session",
    "SessionError",
    "Tensor",
    "Translations",
    "WrongType",
    "create",
    "devices",
    "load",
    "version",
]
