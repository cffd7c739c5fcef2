"""Several arrays as the one input of a model that was made of a graph of several inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .arrays import Array, as_array
from .errors import ArgumentError


def _named(parts: Sequence[Mapping[str, Any]], given: Any) -> list[Any]:
    """The arrays in the parts' order."""
    names = [part["name"] for part in parts]
    if isinstance(given, Mapping):
        if unknown := [name for name in given if name not in names]:
            raise ArgumentError(f"input: there is no {unknown[0]!r} (needed {', '.join(names)})")
        if missing := [name for name in names if name not in given]:
            raise ArgumentError(f"input: {missing[0]!r} is missing (needed {', '.join(names)})")
        return [given[name] for name in names]
    if len(given) != len(parts):
        raise ArgumentError(f"input: wrong number of arrays (found {len(given)}, needed {', '.join(names)})")
    return list(given)


def _columns(part: Mapping[str, Any], given: Any) -> Array:
    """[B,T,columns] of a part; T is 1 of one that is the same at every position."""
    name, columns = part["name"], part["columns"]
    repeated = part.get("repeated", False)
    array = as_array(given, f"input {name!r}")
    if repeated and array.ndim > 0 and array.size == len(array) * columns:
        array = array.reshape(len(array), 1, columns)
    elif not repeated and columns == 1 and array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] != columns:
        form = f"[B,{columns}]" if repeated else "[B,T]" if columns == 1 else f"[B,T,{columns}]"
        raise ArgumentError(f"input {name!r}: wrong shape (found {list(array.shape)}, needed {form})")
    return array


def joined(parts: Sequence[Mapping[str, Any]], given: Any) -> Array:
    """[B,T,F] of arrays by name, or in the order of the parts: input.parts of docs/model-format.md."""
    arrays = [_columns(part, array) for part, array in zip(parts, _named(parts, given), strict=True)]
    batch = len(arrays[0])
    lengths = [
        array.shape[1] + part.get("behind", 0)
        for part, array in zip(parts, arrays, strict=True)
        if not part.get("repeated", False)
    ]
    time = max(lengths, default=1)
    wide = any(array.dtype == np.float64 for array in arrays)
    whole = np.zeros((batch, time, sum(part["columns"] for part in parts)), np.float64 if wide else np.float32)
    column = 0
    for part, array in zip(parts, arrays, strict=True):
        behind = 0 if part.get("repeated", False) else part.get("behind", 0)
        if len(array) != batch or (not part.get("repeated", False) and array.shape[1] + behind != time):
            raise ArgumentError(
                f"input {part['name']!r}: {len(array)} rows of {array.shape[1]} positions do not fit the others "
                f"(needed {batch} of {time - behind})"
            )
        whole[:, behind:, column : column + part["columns"]] = array
        column += part["columns"]
    return whole
