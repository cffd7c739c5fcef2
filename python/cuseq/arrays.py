"""Whatever a caller has as an array becomes one that the library takes: numpy's in host memory, a Tensor elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._cuseq import Tensor
from .errors import ArgumentError, WrongType

Array = np.ndarray[Any, Any]

_INT32 = np.dtype("int32")  # numpy has one object for the type

# Devices by DLPack's numbers: those whose memory is read here, and the names of others.
_HOST, _CUDA = (1, 3), (2, 13)
_OTHERS = {4: "OpenCL", 7: "Vulkan", 8: "Metal", 10: "ROCm", 11: "ROCm", 12: "an extension", 14: "oneAPI", 15: "WebGPU"}

_INITIAL = ("encoder_h", "encoder_c", "initial_h", "initial_c", "initial_fed", "previous")
_WAYS = ("__dlpack__", "__cuda_array_interface__", "__array_interface__")

# Libraries whose __dlpack__ ends the process for arrays that are not of numbers; numpy reads theirs as well.
_BY_NUMPY = ("tensorflow",)

# Libraries whose arrays never change, which not all of them say when they hand one out.
_IMMUTABLE = ("jax", "jaxlib", "tensorflow")

# The legacy default stream: what is ready there, the session's stream is made to wait for.
_LEGACY_STREAM = 1


# ---- other libraries ----


def _refuse_lossy(x: Any, name: str) -> None:
    """What looks like an array and would lose something that it is."""
    masked = sys.modules.get("numpy.ma")  # without it there are none
    if masked is not None and isinstance(x, masked.MaskedArray):
        raise WrongType(f"{name}: a masked array (give its data, and lengths for rows that end before others)")
    if getattr(x, "requires_grad", False) is True:
        raise WrongType(f"{name}: a tensor that requires grad (give x.detach(): nothing here has a gradient)")


def _library(x: Any) -> str:
    """The name of the package that the object's type is of."""
    return type(x).__module__.partition(".")[0]


def _device(x: Any, name: str) -> int | None:
    """The number of the CUDA device that it lies on; None: host memory."""
    if type(x) is Tensor:
        return int(x.device.removeprefix("cuda:")) if x.device != "cpu" else None
    if hasattr(x, "__dlpack_device__") and hasattr(x, "__dlpack__"):
        try:
            kind, number = x.__dlpack_device__()
        except (BufferError, RuntimeError, TypeError, ValueError) as reason:
            raise WrongType(f"{name}: it lies on no device that DLPack knows ({reason})") from None
        if int(kind) in _HOST:
            return None
        if int(kind) in _CUDA:
            return int(number)
        found = _OTHERS.get(int(kind), f"DLPack's number {int(kind)}")
        raise WrongType(f"{name}: it lies on a device of another kind (found {found}, needed host memory or CUDA)")
    if hasattr(x, "__cuda_array_interface__"):
        return Tensor.device_number(x.__cuda_array_interface__["data"][0])
    return None


def device_of(x: Any, name: str) -> str | None:
    """ "cuda:N" of an array that lies on a device; None of all else."""
    if isinstance(x, np.ndarray):
        return None
    number = _device(x, name)
    return None if number is None else f"cuda:{number}"


def _capsule(x: Any, name: str, stream: int | None) -> Any:
    """What x.__dlpack__ gives, of version 1 where it has that, ready in the stream."""
    options = {} if stream is None else {"stream": stream}
    try:
        try:
            return x.__dlpack__(max_version=(1, 0), **options)
        except TypeError:  # of an older DLPack
            return x.__dlpack__(**options)
    except (BufferError, RuntimeError, TypeError, ValueError) as reason:
        raise WrongType(f"{name}: it cannot be read ({reason})") from None


def _by_interface(x: Any, name: str) -> Tensor:
    """By __cuda_array_interface__, versions 2 and 3."""
    about = x.__cuda_array_interface__
    if about.get("mask") is not None:
        raise WrongType(f"{name}: a masked array (give its data, and lengths for rows that end before others)")
    order, kind, size = about["typestr"][0], about["typestr"][1], int(about["typestr"][2:])
    if order == ">":
        raise WrongType(f"{name}: wrong type (found {about['typestr']}, needed native byte order)")
    pointer, read_only = about["data"]
    stream = about.get("stream") or 0
    return Tensor.from_interface(x, pointer, read_only, kind, size, tuple(about["shape"]), about.get("strides"), stream)


def _imported(x: Any, name: str, stream: int) -> Any:
    """A numpy array of the same memory, or a Tensor on its device; of things that say nothing about their memory what
    numpy makes of them. stream: what will read it; 0: not known yet."""
    _refuse_lossy(x, name)
    if isinstance(x, np.ndarray):
        return np.asarray(x)
    try:
        on_device = _device(x, name) is not None
        if type(x) is Tensor:
            return x if on_device else np.asarray(x)
        by_numpy = not on_device and _library(x) in _BY_NUMPY
        if by_numpy or not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
            return _by_interface(x, name) if on_device else np.asarray(x)
        if on_device:
            wanted = stream or _LEGACY_STREAM
            return Tensor.from_dlpack(_capsule(x, name, wanted), 0 if stream else _LEGACY_STREAM)
        return np.asarray(Tensor.from_dlpack(_capsule(x, name, None), 0))
    except (BufferError, RuntimeError, TypeError, ValueError) as reason:
        if str(reason).startswith(f"{name}: "):
            raise
        raise WrongType(f"{name}: it cannot be read ({reason})") from None


# ---- what the extension asks for ----


def for_reading(x: Any, name: str, stream: int) -> Any:
    """A contiguous numpy array, or a Tensor. A session is strict: it takes arrays, no lists."""
    if not isinstance(x, np.ndarray) and not _has_memory(x):
        raise WrongType(f"{name}: not an array (found {type(x)})")
    found = _imported(x, name, stream)
    return np.ascontiguousarray(found) if isinstance(found, np.ndarray) else found


def for_writing(x: Any, name: str, stream: int) -> Any:
    """The same memory as a contiguous, writable numpy array, or a Tensor."""
    if not isinstance(x, np.ndarray) and not _has_memory(x):
        raise WrongType(f"{name}: not an array that can be written (found {type(x)})")
    if _library(x) in _IMMUTABLE:
        raise ArgumentError(f"{name}: it is read-only (arrays of {type(x)} never change)")
    by_buffer = not any(hasattr(x, way) for way in _WAYS)
    found = _imported(memoryview(x) if by_buffer else x, name, stream)
    if isinstance(found, np.ndarray):
        if not found.flags.writeable:
            raise ArgumentError(f"{name}: it is read-only (needed an array that can be written)")
        if not found.flags.c_contiguous:
            raise ArgumentError(f"{name}: it is not contiguous")
        return found.view(np.ndarray)
    return found


def _has_memory(x: Any) -> bool:
    if any(hasattr(x, way) for way in _WAYS):
        return True
    try:
        memoryview(x).release()
    except TypeError:
        return False
    return True


# ---- what models ask for ----


def as_array(x: Any, name: str) -> Array:
    """A numpy array of numbers, without a copy where there is none to be made."""
    if isinstance(x, np.ndarray):
        _refuse_lossy(x, name)
        array = x
    else:
        found = _imported(x, name, 0)
        array = found.numpy() if type(found) is Tensor else found
    if array.dtype.kind not in "fiu":
        raise WrongType(f"{name}: wrong type (found {array.dtype}, needed numbers)")
    return array


def input_array(x: Any) -> Any:
    """The input: [B,T,F] of float32 or float64, or [B,T] of int32 or int64. In host memory it is contiguous and in
    native byte order; smaller integers become int32, float16 becomes float32; what would lose something is refused. On
    a device it stays as it is."""
    if device_of(x, "input") is not None:
        _refuse_lossy(x, "input")
        return x if hasattr(x, "shape") else _imported(x, "input", 0)
    array = as_array(x, "input")
    kind, size = array.dtype.kind, array.dtype.itemsize
    wanted: type[np.generic]
    if kind == "f":
        wanted = np.float64 if size == 8 else np.float32
        if size > 8:
            raise WrongType(f"input: wrong type (found {array.dtype}, needed float32 or float64)")
    elif kind == "u" and size == 8:
        raise WrongType(f"input: wrong type (found {array.dtype}, needed int32 or int64)")
    else:
        wanted = np.int32 if size < 4 or (kind == "i" and size == 4) else np.int64
    return np.ascontiguousarray(array, dtype=wanted)


def as_integers(x: Any, name: str) -> Array:
    """int32, contiguous; a copy of what lies on a device."""
    if type(x) is np.ndarray and x.dtype is _INT32 and x.flags.c_contiguous:
        return x
    array = as_array(x, name)
    if array.dtype.kind == "f":
        raise WrongType(f"{name}: wrong type (found {array.dtype}, needed integers)")
    if array.size and (array.max() > 2**31 - 1 or array.min() < -(2**31)):
        raise ArgumentError(f"{name}: a number beyond int32 (found {array.max()})")
    return np.ascontiguousarray(array, dtype=np.int32)


def integers(x: Any, name: str) -> Array | None:
    """The same; None stays None."""
    return None if x is None else as_integers(x, name)


def floats(x: Any, name: str) -> Array | None:
    """float32, contiguous; None stays None."""
    return None if x is None else np.ascontiguousarray(as_array(x, name), dtype=np.float32)


def states(x: Any, name: str) -> Any:
    """The same, but what lies on a device stays there, for a session that is there, too."""
    return x if x is not None and device_of(x, name) is not None else floats(x, name)


def given_targets(targets: Any, target_lengths: Any, batch: int) -> dict[str, Any]:
    """What a session is told of given tokens."""
    if targets is None:
        raise ArgumentError("target_lengths: without targets")
    given = as_integers(targets, "targets")
    if given.ndim != 2 or given.shape[0] != batch:
        raise ArgumentError(f"targets: wrong shape (found {list(given.shape)}, needed [{batch},Y])")
    return {"targets": given, "target_lengths": integers(target_lengths, "target_lengths")}


def given_numbers(given: Any, batch: int, width: int) -> Any:
    """[B,Y,G] of what the steps are given; what lies on a device stays there."""
    array = states(given, "given")
    if len(array.shape) != 3 or array.shape[0] != batch or array.shape[2] != width:
        raise ArgumentError(f"given: wrong shape (found {list(array.shape)}, needed [{batch},Y,{width}])")
    return array


def given_states(initial: Mapping[str, Any]) -> dict[str, Any]:
    """What a session is told of states to begin with."""
    for name in initial:
        if name not in _INITIAL:
            raise ArgumentError(f"initial: unknown (found {name!r}, needed {', '.join(_INITIAL)})")
    return {
        name: integers(state, name) if name == "previous" else states(state, name) for name, state in initial.items()
    }
