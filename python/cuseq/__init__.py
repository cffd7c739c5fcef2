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
from .results import Classification, Evaluation, Hypothesis, Label, Result, Score, Tag, Translations

__version__ = version()
__all__ = [
    "ArgumentError",
    "Classification",
    "DeviceFailed",
    "Error",
    "Evaluation",
    "FileError",
    "Hypothesis",
    "Label",
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
    "Tag",
    "Tensor",
    "Translations",
    "WrongType",
    "create",
    "devices",
    "load",
    "version",
]


def __getattr__(name: str) -> object:
    """cuseq.torch and cuseq.keras, imported where they are asked for."""
    if name in ("keras", "torch"):
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
