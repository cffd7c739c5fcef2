"""Whatever a caller has as an array becomes one that the library takes."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# The types that the library takes, in native byte order: numpy has one object for each.
_FLOAT32, _FLOAT64, _INT32, _INT64 = (np.dtype(name) for name in ("float32", "float64", "int32", "int64"))


def _from_other(x: Any, name: str) -> Array:
    """An array of another library, by DLPack where it has it; lists and the like by numpy."""
    if hasattr(x, "__dlpack__"):
        try:
            return np.from_dlpack(x)
        except (BufferError, RuntimeError, TypeError) as reason:
            raise TypeError(f"{name}: numpy cannot read it ({reason}); give it as an array in host memory") from None
    return np.asarray(x)


def as_array(x: Any, name: str) -> Array:
    """A numpy array of numbers, without a copy where there is none to be made."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name}: a masked array (give its data, and lengths for rows that end before others)")
    array = x if isinstance(x, np.ndarray) else _from_other(x, name)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: wrong type (found {array.dtype}, needed numbers)")
    return array


def input_array(x: Any) -> Array:
    """The input: [B,T,F] of float32 or float64, or [B,T] of int32 or int64, contiguous and in native byte order.
    Smaller integers become int32, float16 becomes float32; what would lose something is refused."""
    if type(x) is np.ndarray and x.flags.c_contiguous:
        dtype = x.dtype
        if dtype is _FLOAT32 or dtype is _INT32 or dtype is _FLOAT64 or dtype is _INT64:
            return x
    array = as_array(x, "input")
    kind, size = array.dtype.kind, array.dtype.itemsize
    wanted: type[np.generic]
    if kind == "f":
        wanted = np.float64 if size == 8 else np.float32
        if size > 8:
            raise TypeError(f"input: wrong type (found {array.dtype}, needed float32 or float64)")
    elif kind == "u" and size == 8:
        raise TypeError(f"input: wrong type (found {array.dtype}, needed int32 or int64)")
    else:
        wanted = np.int32 if size < 4 or (kind == "i" and size == 4) else np.int64
    return np.ascontiguousarray(array, dtype=wanted)


def as_integers(x: Any, name: str) -> Array:
    """int32, contiguous."""
    if type(x) is np.ndarray and x.dtype is _INT32 and x.flags.c_contiguous:
        return x
    array = as_array(x, name)
    if array.dtype.kind == "f":
        raise TypeError(f"{name}: wrong type (found {array.dtype}, needed integers)")
    if array.size and (array.max() > 2**31 - 1 or array.min() < -(2**31)):
        raise ValueError(f"{name}: a number beyond int32 (found {array.max()})")
    return np.ascontiguousarray(array, dtype=np.int32)


def integers(x: Any, name: str) -> Array | None:
    """The same; None stays None."""
    return None if x is None else as_integers(x, name)


def floats(x: Any, name: str) -> Array | None:
    """float32, contiguous; None stays None."""
    return None if x is None else np.ascontiguousarray(as_array(x, name), dtype=np.float32)
