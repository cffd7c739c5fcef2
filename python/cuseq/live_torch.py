"""Live modules of PyTorch: by torch.onnx where their forward has no loop of its own, or by a description of their
arrays."""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _cuseq
from .arrays import Array
from .convert import convert
from .errors import ModelError
from .live import ROWS, check

if TYPE_CHECKING:
    from .model import Model

_TYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "int32": "I32"}
_HINT = "give config=, which says what its arrays mean (docs/from-pytorch.md)"


def is_torch_module(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.nn.Module)


@contextlib.contextmanager
def _at_inference(module: Any) -> Iterator[None]:
    import torch

    training = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, was in training:
            part.training = was


def _host(x: Any) -> Array:
    return np.asarray(x.detach().cpu().numpy())


# ---- by a description ----


def _write_safetensors(path: str, arrays: Mapping[str, Array]) -> None:
    header, at = {}, 0
    for name, array in arrays.items():
        if array.dtype.name not in _TYPES:
            continue
        header[name] = {
            "dtype": _TYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in header:
            file.write(np.ascontiguousarray(arrays[name]).tobytes())


def described(module: Any, config: Mapping[str, Any], options: Sequence[str]) -> _cuseq.Model:
    arrays = {name: _host(tensor) for name, tensor in module.state_dict().items()}
    with tempfile.TemporaryDirectory(prefix="cuseq-") as folder:
        path, description = os.path.join(folder, "state_dict.safetensors"), os.path.join(folder, "config.json")
        _write_safetensors(path, arrays)
        with open(description, "w", encoding="utf-8") as file:
            json.dump(config, file)
        try:
            return convert(path, ["--config", description, *options])
        except ModelError as refusal:
            text = str(refusal).removeprefix(path + ": ").removeprefix(description + ": ")
            raise ModelError(f"{type(module).__name__}: {text}") from None


# ---- by torch.onnx ----


def _example(module: Any, time: int) -> tuple[Any, bool]:
    """An input for a module, told by the first of its parts that reads one; whether positions come before rows."""
    import torch

    turned = any(isinstance(part, torch.nn.RNNBase) and not part.batch_first for part in module.modules())
    shape = (time, ROWS) if turned else (ROWS, time)
    for part in module.modules():
        if isinstance(part, torch.nn.Embedding):
            return torch.randint(1, part.num_embeddings, shape), turned
        width = getattr(part, "in_features", None) or (part.input_size if isinstance(part, torch.nn.RNNBase) else None)
        if width is not None:
            return torch.randn(*shape, width), turned
    raise ModelError(f"{type(module).__name__}: what it reads is not told by its parts (give example=, a tensor)")


def _export(module: Any, x: Any, path: str, turned: bool, dynamo: bool) -> None:
    import torch

    axes = {0: "time", 1: "batch"} if turned else {0: "batch", 1: "time"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            # By its names the converter tells which axis is which; batch first is what it takes others for.
            dims = {axis: torch.export.Dim(word) if turned else torch.export.Dim.DYNAMIC for axis, word in axes.items()}
            torch.onnx.export(module, (x,), path, input_names=["x"], dynamo=True, dynamic_shapes=(dims,), verbose=False)
        else:
            torch.onnx.export(module, (x,), path, input_names=["x"], dynamic_axes={"x": axes}, dynamo=False)


def exported(
    module: Any,
    options: Sequence[str],
    verify: bool,
    forward: Callable[..., Any] | None,
    time: int,
    example: Any,
    model: Callable[[_cuseq.Model], Model],
) -> Model:
    """By either exporter: the first whose file is read and computes what the module does."""
    name, turned = type(module).__name__, False
    if example is None:
        example, turned = _example(module, time)
    reasons = []
    for dynamo in (False, True):
        with tempfile.TemporaryDirectory(prefix="cuseq-") as folder:
            path = os.path.join(folder, "module.onnx")
            try:
                with _at_inference(module), contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
                    _export(module, example, path, turned, dynamo)
            except Exception as reason:
                reasons.append(f"torch.onnx cannot export it: {type(reason).__name__}: {_first_line(reason)}")
                continue
            try:
                ours = model(convert(path, options))
                if verify:
                    verify_torch(module, ours, forward, time, turned)
                return ours
            except ModelError as refusal:
                reasons.append(str(refusal).removeprefix(path + ": ").removeprefix(name + ": "))
    raise ModelError(f"{name}: {'; '.join(dict.fromkeys(reasons))}; {_HINT}")


def _first_line(reason: BaseException) -> str:
    lines = [line.strip() for line in str(reason).splitlines() if line.strip()]
    return lines[0] if lines else ""


# ---- held against the module ----


def verify_torch(module: Any, ours: Model, forward: Callable[..., Any] | None, time: int, turned: bool = False) -> None:
    """Twice, with other numbers of rows and positions, as a loop over them may have been written out."""
    import torch

    info, random, name = ours.info(), np.random.default_rng(1), type(module).__name__
    for rows, positions in ((ROWS, time), (ROWS + 1, time + 4)):
        shape = (rows, positions) if info["ids_only"] else (rows, positions, info["features"])
        x: Array = (
            random.integers(1, info["features"], shape).astype(np.int64)
            if info["ids_only"]
            else random.standard_normal(shape).astype(np.float32)
        )
        given = torch.from_numpy(np.ascontiguousarray(x.swapaxes(0, 1)) if turned else x)
        parameter = next(module.parameters(), None)
        given = given.to(parameter.device) if parameter is not None else given
        try:
            with _at_inference(module):
                found = (forward or module)(given)
        except Exception as reason:
            raise ModelError(
                f"{name}: it cannot be called with one tensor {list(given.shape)} to be held against "
                f"({type(reason).__name__}: {reason}); give verify=, a function from it to outputs, or verify=False"
            ) from reason
        outputs = [_host(o) for o in _tensors(found)]
        if turned:
            outputs = [o.swapaxes(0, 1) if o.shape[:2] == (positions, rows) else o for o in outputs]
        check(ours, x, outputs, name)


def _tensors(found: Any) -> list[Any]:
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, (list, tuple)):
        return [x for part in found for x in _tensors(part)]
    return [found] if hasattr(found, "detach") else []
