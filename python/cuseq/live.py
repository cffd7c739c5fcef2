"""Models that live in Keras or PyTorch: brought over, and held against the live model before they are returned."""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _cuseq
from .arrays import Array
from .convert import convert
from .errors import ModelError

if TYPE_CHECKING:
    from .model import Model

ROWS = 3
TOLERANCE = 2e-5
"""How far the live model's numbers, float32 like ours, may be from ours: |got - want| / max(1, |want|)."""


def is_keras_model(x: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(x, keras.Model)


def is_torch_module(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.nn.Module)


# ---- Keras ----


def _is_keras_own(layer: Any) -> bool:
    return type(layer).__module__.split(".")[0] == "keras"


def _without_own_classes(model: Any) -> Any:
    """The model with every layer of a class of the author's own replaced by what its call() does, in the same graph and
    with the same weights."""
    import keras

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_keras_own(layer):
            return layer(*args, **kwargs)
        try:
            return layer.call(*args, **kwargs)
        except Exception as reason:
            raise ModelError(
                f"layer '{layer.name}' ({type(layer).__name__}): its call() cannot be followed with symbolic tensors "
                f"({type(reason).__name__}: {reason}); write it with keras.ops and Keras' layers"
            ) from reason

    if all(_is_keras_own(layer) for layer in model._flatten_layers()):
        return model
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


def _check_keras(model: Any) -> None:
    import keras

    if int(keras.__version__.split(".")[0]) < 3:
        raise ModelError(f"Keras {keras.__version__}: live models need Keras 3 (save it as .h5 and load that)")
    if not model.built:
        raise ModelError(f"model '{model.name}': it is not built (call it once, or give it an Input)")
    if not isinstance(model, (keras.models.Sequential, keras.models.Model)) or getattr(model, "inputs", None) is None:
        raise ModelError(
            f"model '{model.name}': a subclass of keras.Model without a graph (needed keras.Model(inputs, outputs))"
        )


def from_keras(model: Any, options: Sequence[str]) -> _cuseq.Model:
    _check_keras(model)
    with tempfile.TemporaryDirectory(prefix="cuseq-") as folder:
        path = os.path.join(folder, "model.keras")
        _without_own_classes(model).save(path)
        try:
            return convert(path, options)
        except ModelError as refusal:
            raise ModelError(f"model '{model.name}': {str(refusal).removeprefix(path + ': ')}") from None


def _widest_ids(tensor: Any) -> int | None:
    """What an integer input's ids must be below: the rows of the Embedding that reads it."""
    for layer, *_ in [(node.operation,) for node in getattr(tensor, "_keras_history", [None])[0]._outbound_nodes]:
        if hasattr(layer, "input_dim"):
            return int(layer.input_dim)
    return None


def _random_inputs(model: Any, time: int) -> tuple[list[Array], int]:
    """Numbers for every input of a Keras model, and which of them is the sequence; states are zeros, as in cuseq."""
    random = np.random.default_rng(1)
    inputs, sequence = [], -1
    for i, tensor in enumerate(model.inputs):
        shape = [ROWS, *(time if size is None else size for size in tensor.shape[1:])]
        ids = _widest_ids(tensor)
        is_sequence = sequence < 0 and (len(shape) == 3 or (len(shape) == 2 and ids is not None))
        if is_sequence:
            sequence = i
        if ids is not None:
            inputs.append(random.integers(1, ids, shape).astype(np.int32))
        else:
            inputs.append((random.standard_normal(shape) if is_sequence else np.zeros(shape)).astype(np.float32))
    if sequence < 0:
        raise ModelError(f"model '{model.name}': no input is a sequence, [B,T,F] or [B,T] of token ids")
    return inputs, sequence


def verify_keras(model: Any, ours: Model, time: int) -> None:
    inputs, sequence = _random_inputs(model, time)
    listed = len(inputs) > 1 or isinstance(getattr(model, "_inputs_struct", None), (list, tuple))
    found = model(inputs if listed else inputs[0], training=False)
    outputs = [np.asarray(_host(x)) for x in (found if isinstance(found, (list, tuple)) else [found])]
    others = [x for i, x in enumerate(inputs) if i != sequence and x.dtype == np.int32 and x.ndim == 2]
    _verify(ours, inputs[sequence], outputs, f"model '{model.name}'", others[0] if others else None)


def _host(x: Any) -> Any:
    """An array of a framework as one that numpy reads."""
    return x.detach().cpu().numpy() if hasattr(x, "detach") else x


# ---- PyTorch ----

_TYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "int32": "I32"}


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


def from_torch(module: Any, config: Mapping[str, Any], options: Sequence[str]) -> _cuseq.Model:
    arrays = {name: np.asarray(_host(tensor)) for name, tensor in module.state_dict().items()}
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


def verify_torch(module: Any, ours: Model, forward: Callable[[Any], Any] | None, time: int) -> None:
    import torch

    info, random = ours.info(), np.random.default_rng(1)
    ids = info["ids_only"]
    x: Array = (
        random.integers(1, info["features"], (ROWS, time)).astype(np.int64)
        if ids
        else random.standard_normal((ROWS, time, info["features"])).astype(np.float32)
    )
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            found = (forward or module)(torch.from_numpy(x))
    except Exception as reason:
        raise ModelError(
            f"{type(module).__name__}: it cannot be called with one tensor {list(x.shape)} to be held against "
            f"({type(reason).__name__}: {reason}); give verify=, a function from it to outputs, or verify=False"
        ) from reason
    finally:
        module.train(training)
    outputs = (
        found if isinstance(found, (list, tuple)) else list(found.values()) if isinstance(found, dict) else [found]
    )
    _verify(ours, x, [np.asarray(_host(o)) for o in outputs if hasattr(o, "detach")], type(module).__name__, None)


# ---- both ----


def _candidates(found: Mapping[str, Array]) -> list[tuple[str, Array]]:
    """Everything that an output of a framework's model may be: arrays, their steps, and those with an axis of one."""
    listed = []
    for name, array in found.items():
        listed.append((name, array))
        if array.ndim == 3:
            listed += [(f"{name}[:, {y}]", array[:, y]) for y in range(array.shape[1])]
    return listed


def _distance(got: Array, want: Array) -> float:
    if got.size != want.size or [n for n in got.shape if n != 1] != [n for n in want.shape if n != 1]:
        return np.inf
    difference = np.abs(got.reshape(want.shape).astype(np.float64) - want) / np.maximum(1.0, np.abs(want))
    return float(difference.max(initial=0.0))


def _verify(ours: Model, x: Array, outputs: list[Array], subject: str, given: Array | None) -> None:
    """Refuses unless every output of the live model is one of our arrays, or a step of one.

    given  [B,Y] the tokens that the decoder of a teacher-forced graph reads, each step's own"""
    options: dict[str, Any] = {}
    if given is not None:
        options = {"targets": np.roll(given, -1, axis=1), "initial": {"previous": given[:, 0]}}
    found = ours(x, device="cpu", **options)
    candidates = _candidates(found)
    for i, want in enumerate(outputs):
        if want.dtype.kind != "f":
            continue
        name, distance = min(((n, _distance(got, want)) for n, got in candidates), key=lambda pair: pair[1])
        if not distance <= TOLERANCE:
            what = f"nearest is {name}, {distance:.2g} away" if np.isfinite(distance) else f"shape {list(want.shape)}"
            raise ModelError(
                f"{subject}: output {i} is none of the arrays that cuseq gives for the same input ({what})"
            )
    if not outputs:
        raise ModelError(f"{subject}: no outputs to hold the model against")
