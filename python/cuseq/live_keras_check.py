"""A live Keras model and cuseq beside each other, on random input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array
from .errors import ModelError
from .live import ROWS, check
from .live_keras import is_own

if TYPE_CHECKING:
    from .model import Model


def _ids_below(tensor: Any) -> int | None:
    """What an integer input's ids must be below: the rows of the Embedding that reads it."""
    source = tensor._keras_history[0]
    for node in source._outbound_nodes:
        layer = node.operation if hasattr(node, "operation") else node.layer
        if hasattr(layer, "input_dim") and hasattr(layer, "output_dim"):
            return int(layer.input_dim)
    return None


def _random_input(random: np.random.Generator, tensor: Any, time: int) -> Array:
    """Numbers for an input of a Keras model: ids where an Embedding reads it."""
    shape = [ROWS, *(time if size is None else int(size) for size in tensor.shape[1:])]
    ids = _ids_below(tensor)
    if ids is None:
        return random.standard_normal(shape).astype(np.float32)
    return random.integers(1 if ids > 1 else 0, ids, shape).astype(np.int32)


def _named(model: Any, inputs: list[Array]) -> dict[str, Array]:
    """By the names of the layers that they come from."""
    return {tensor._keras_history[0].name: array for tensor, array in zip(model.inputs, inputs, strict=True)}


def _random_inputs(model: Any, time: int) -> tuple[list[Array], int]:
    """Numbers for every input of a Keras model, and which of them is the sequence; states are zeros, as in cuseq."""
    random = np.random.default_rng(1)
    inputs, sequence = [], -1
    for i, tensor in enumerate(model.inputs):
        array = _random_input(random, tensor, time)
        ids = array.dtype == np.int32
        is_vector = array.ndim == 2 and not ids and len(model.inputs) > 1  # a lone one is shaped to a sequence
        is_sequence = sequence < 0 and array.ndim > 1 and not is_vector
        if is_sequence:
            sequence = i
        inputs.append(array if ids or is_sequence else np.zeros_like(array))
    if sequence < 0:
        raise ModelError(f"model '{model.name}': no input is a sequence, [B,T,F] or [B,T] of token ids")
    return inputs, sequence


def _called(model: Any, inputs: list[Array]) -> list[Array]:
    import keras

    structure = getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))
    if isinstance(structure, dict):  # its tensors stand in the order of its keys, sorted
        given: Any = dict(zip(sorted(structure), inputs, strict=True))
    else:
        given = inputs if len(inputs) > 1 or isinstance(structure, (list, tuple)) else inputs[0]
    found = model(given, training=False)
    if isinstance(found, dict):
        found = [found[key] for key in sorted(found)]
    if not isinstance(found, (list, tuple)):
        found = [found]
    return [np.asarray(keras.ops.convert_to_numpy(x) if hasattr(keras, "ops") else x) for x in found]


def _as_read(ours: Model, x: Array) -> Array:
    """The same numbers where the model reads several positions as one (poolings and strides), ids as columns, what
    a position has along two axes as a vector, or a vector as a sequence."""
    features, positions = ours.info()["features"], x.shape[1]
    if x.ndim == 4:
        x = x.reshape(len(x), positions, -1)
    elif x.ndim == 2 and x.dtype == np.float32 and positions % features == 0:
        x = x.reshape(len(x), -1, features)
    each = features // (x.shape[2] if x.ndim == 3 else 1)
    looks_up = bool(ours.config.get("input", {}).get("lookups"))
    is_as_it_is = x.shape[2] == features if x.ndim == 3 else not looks_up
    if is_as_it_is or each < 1 or positions % each != 0:
        return x
    return x.reshape(len(x), positions // each, features).astype(np.float32)


def _verify_given(model: Any, ours: Model, time: int) -> None:
    """Of a decoder whose steps are given numbers: of the inputs one is what the encoder reads, and the others, in their
    order, are what the steps read."""
    random = np.random.default_rng(1)
    inputs = [_random_input(random, tensor, time) for tensor in model.inputs]
    inputs = [x if x.ndim == 3 or x.dtype == np.int32 else np.zeros_like(x) for x in inputs]
    outputs, features = _called(model, inputs), ours.info()["features"]
    failure = ModelError(f"model '{model.name}': none of its inputs is what cuseq's encoder reads")
    for i, x in enumerate(inputs):
        others = inputs[:i] + inputs[i + 1 :]
        numbers = [other for other in others if other.ndim == 3]
        width = sum(other.shape[2] for other in numbers)
        if (x.dtype != np.int32 and (x.ndim != 3 or x.shape[2] != features)) or width != ours.info()["given_width"]:
            continue
        tokens = [other for other in others if other.ndim == 2 and other.dtype == np.int32]
        try:
            given = tokens[0] if tokens else None
            check(ours, x, outputs, f"model '{model.name}'", given, np.concatenate(numbers, -1))
        except ModelError as error:
            failure = error
        else:
            return
    raise failure


def verify_keras(model: Any, ours: Model, time: int) -> None:
    """Twice where somebody's own code depends unseen on how many positions there are, which the model leaves open."""
    open_time = not is_own(model) and any(size is None for tensor in model.inputs for size in tensor.shape[1:])
    for positions in (time, time + 4) if open_time else (time,):
        if ours.inputs:
            random = np.random.default_rng(1)
            inputs = [_random_input(random, tensor, positions) for tensor in model.inputs]
            given = {name: array for name, array in _named(model, inputs).items() if name in ours.inputs}
            check(ours, given, _called(model, inputs), f"model '{model.name}'")
            continue
        if ours.info()["given_width"]:
            _verify_given(model, ours, positions)
            continue
        inputs, sequence = _random_inputs(model, positions)
        others = [x for i, x in enumerate(inputs) if i != sequence and x.dtype == np.int32 and x.ndim == 2]
        outputs = _called(model, inputs)
        check(ours, _as_read(ours, inputs[sequence]), outputs, f"model '{model.name}'", others[0] if others else None)
