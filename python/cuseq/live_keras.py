"""Live models of Keras 3 and of Keras 2 (TensorFlow's): saved as files that the converter reads, where every layer of a
class of the author's own is replaced by what its call() does."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import _cuseq
from .arrays import Array
from .convert import convert
from .errors import ModelError
from .live_make import Maker, Unfollowed

_KINDS = {
    "Matmul": "matmul",
    "Dot": "matmul",
    "Tensordot": "matmul",
    "Einsum": "einsum",
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Divide": "divide",
    "TrueDivide": "divide",
    "Maximum": "maximum",
}
"""Keras 3's operations that may have an array, or a layer's weight, beside a tensor."""


def is_keras_model(x: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(x, keras.Model)


def version() -> int:
    import keras

    return int(keras.__version__.split(".")[0])


def is_own(layer: Any) -> bool:
    """Whether a layer, and all that it is made of, is of Keras' own classes."""
    parts = list(layer._flatten_layers()) if hasattr(layer, "_flatten_layers") else [layer]
    return all(type(part).__module__.split(".")[0] == "keras" for part in parts)


def _is_graph(layer: Any) -> bool:
    return getattr(layer, "_nodes_by_depth", None) is not None or getattr(layer, "_functional", None) is not None


def _is_tensor(x: Any) -> bool:
    """One of Keras' symbolic tensors."""
    import keras

    kind = getattr(keras, "KerasTensor", None) or keras.src.engine.keras_tensor.KerasTensor
    return isinstance(x, kind)


def _flatten(structure: Any) -> list[Any]:
    if isinstance(structure, dict):
        return [x for key in sorted(structure) for x in _flatten(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [x for part in structure for x in _flatten(part)]
    return [structure]


def _replaced(structure: Any, waiting: Iterator[Any]) -> Any:
    """A structure with other tensors in the places of its tensors, in the order of _flatten."""
    if isinstance(structure, dict):
        return {key: _replaced(structure[key], waiting) for key in sorted(structure)}
    if isinstance(structure, (list, tuple)):
        return type(structure)(_replaced(part, waiting) for part in structure)
    return next(waiting) if _is_tensor(structure) else structure


def _check(model: Any) -> None:
    if not model.built:
        raise ModelError(f"model '{model.name}': it is not built (call it once, or give it an Input)")
    if getattr(model, "inputs", None) is None or not _is_graph(model):
        raise ModelError(
            f"model '{model.name}': a subclass of keras.Model without a graph (needed keras.Model(inputs, outputs))"
        )


# ---- the graph again, without classes of the author's own ----


class _Same(list[Any]):
    """Keras 2 takes a tensor off a list each time that it is read."""

    def pop(self, *_: Any) -> Any:
        return self[0]


class _Rebuilt:
    """A model's graph, made again with the same layers, and with what call() does in the place of the author's."""

    def __init__(self) -> None:
        self.maker = Maker()
        self.followed: dict[tuple[int, str], Any] = {}

    def run(self, graph: Any, inputs: Sequence[Any]) -> list[Any]:
        """The graph's outputs for other inputs."""
        known: dict[int, Any] = {id(old): new for old, new in zip(graph.inputs, inputs, strict=True)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                outputs = _flatten(node.outputs)
                if all(id(x) in known for x in outputs):
                    continue
                if hasattr(node, "operation"):  # Keras 3
                    layer, (args, kwargs) = node.operation, node.arguments.fill_in(known)
                else:
                    boxed = {str(key): _Same([value]) for key, value in known.items()}
                    layer, (args, kwargs) = node.layer, node.map_arguments(boxed)
                made = [x for x in _flatten(self.call(layer, args, kwargs)) if _is_tensor(x)]
                known.update((id(old), new) for old, new in zip(outputs, made, strict=True))
        return [known[id(x)] for x in _flatten(graph.outputs)]

    def call(self, layer: Any, args: Any, kwargs: Any) -> Any:
        import keras

        if not isinstance(layer, keras.layers.Layer):
            return self._operation(layer, args, kwargs)
        if is_own(layer):
            return layer(*args, **kwargs)
        if _is_graph(layer) and type(layer).__module__.split(".")[0] == "keras":
            graph = getattr(layer, "_functional", None) or layer
            return self.run(graph, _flatten(args[0] if args else list(kwargs.values())))
        try:
            return self._author(layer, args, kwargs)
        except ModelError:
            raise
        except Exception as reason:
            kind = "" if isinstance(reason, Unfollowed) else f"{type(reason).__name__}: "
            raise ModelError(
                f"layer '{layer.name}' ({type(layer).__name__}): its call() cannot be followed ({kind}{reason})"
            ) from reason

    def _author(self, layer: Any, args: Any, kwargs: Any) -> Any:
        """What a layer's call() does, as a model that is a layer: it is followed once, however often it is called."""
        import keras

        flat = _flatten([args, kwargs])
        tensors = [x for x in flat if _is_tensor(x)]
        key = id(layer), repr([(x.shape, x.dtype) if _is_tensor(x) else x for x in flat])
        if key not in self.followed:
            inputs = [keras.Input(shape=tuple(x.shape[1:]), dtype=x.dtype) for x in tensors]
            waiting = iter(inputs)
            found = self._follow(layer, *_replaced((args, kwargs), waiting))
            name = f"{layer.name}_{len(self.followed)}" if any(k[0] == key[0] for k in self.followed) else layer.name
            self.followed[key] = keras.Model(inputs, found, name=name)
        return self.followed[key](tensors if len(tensors) > 1 else tensors[0])

    def _follow(self, layer: Any, args: Any, kwargs: Any) -> Any:
        """With keras.ops a call() can be called with symbolic tensors; TensorFlow's functions are traced."""
        import keras

        if keras.backend.backend() != "tensorflow":
            try:
                return self._symbolic(layer, args, kwargs)
            except (Unfollowed, ModelError):
                raise
            except Exception as reason:
                raise Unfollowed(
                    f"{type(reason).__name__}: {reason}; under Keras' {keras.backend.backend()} backend it needs "
                    "keras.ops and Keras' layers"
                ) from reason
        if version() >= 3:
            try:
                return self._symbolic(layer, args, kwargs)
            except Exception:  # noqa: S110 - TensorFlow's own functions: they take no symbolic tensors
                pass
        from .live_tensorflow import Tracer

        return Tracer(is_own).follow(layer.call, args, kwargs, _is_tensor)

    def _symbolic(self, layer: Any, args: Any, kwargs: Any) -> Any:
        """By Keras 3's symbolic tensors; layers of the author's own that are called inside are followed likewise."""
        import keras

        given = [x for x in _flatten([args, kwargs]) if _is_tensor(x)]
        inner = {id(x): keras.KerasTensor(x.shape, x.dtype) for x in given}

        def fresh(x: Any) -> Any:
            return inner.get(id(x), x)

        found = layer.call(*keras.tree.map_structure(fresh, args), **keras.tree.map_structure(fresh, kwargs))
        function = keras.Function(list(inner.values()), [x for x in _flatten(found) if _is_tensor(x)])
        outputs = self.run(function, given)
        return outputs[0] if _is_tensor(found) else outputs

    def _operation(self, operation: Any, args: Any, kwargs: Any) -> Any:
        """One of Keras 3's operations. A weight beside a tensor becomes a layer's."""
        arrays = [x for x in _flatten([args, kwargs]) if not _is_tensor(x) and len(getattr(x, "shape", ()))]
        kind: str | None = _KINDS.get(type(operation).__name__)
        if kind == "einsum" and not arrays and len(_flatten(args)) == 2:
            return self.maker.einsum(operation.subscripts, *_flatten(args))
        if not arrays:
            return operation(*args, **kwargs)
        values = [x if _is_tensor(x) else _array(x) for x in _flatten(args)]
        if kind is None or len(values) != 2 or kwargs or len(arrays) != 1:
            raise Unfollowed(f"the operation {type(operation).__name__} with an array {list(arrays[0].shape)}")
        a, b = values
        if kind == "einsum":
            return self.maker.einsum(operation.subscripts, a, b)
        if kind != "matmul":
            x, array = (a, b) if _is_tensor(a) else (b, a)
            return self.maker.with_array(kind, x, array, x is b)
        if not _is_tensor(a) or not _contracts_last(operation, len(a.shape)):
            raise Unfollowed("a matrix product that sums over anything but the last axis")
        return self.maker.linear(a, b)


def _contracts_last(operation: Any, rank: int) -> bool:
    axes: Any = getattr(operation, "axes", 1)
    return axes == 1 or [list(np.atleast_1d(a)) for a in axes] in ([[rank - 1], [0]], [[-1], [0]])


def _array(x: Any) -> Array:
    import keras

    return np.asarray(x if isinstance(x, np.ndarray) else keras.ops.convert_to_numpy(x))


@contextlib.contextmanager
def _nodes_kept(model: Any) -> Iterator[None]:
    """Layers remember every call of theirs; afterwards they remember those of before."""
    operations = {id(layer): layer for layer in model._flatten_layers()}
    for layer in list(operations.values()):
        for inner in getattr(layer, "_operations", []):
            operations[id(inner)] = inner
    before = [
        (nodes, len(nodes))
        for operation in operations.values()
        for nodes in (getattr(operation, "_inbound_nodes", None), getattr(operation, "_outbound_nodes", None))
        if isinstance(nodes, list)
    ]
    try:
        yield
    finally:
        for nodes, count in before:
            del nodes[count:]


def _without_own_classes(model: Any) -> Any:
    import keras

    graph = getattr(model, "_functional", None) or model
    inputs = [
        keras.Input(shape=tuple(x.shape[1:]), dtype=x.dtype, name=getattr(x, "name", "").split(":")[0] or None)
        for x in graph.inputs
    ]
    return keras.Model(inputs, _Rebuilt().run(graph, inputs))


def from_keras(model: Any, options: Sequence[str]) -> _cuseq.Model:
    _check(model)
    with tempfile.TemporaryDirectory(prefix="cuseq-") as folder:
        path = os.path.join(folder, "model.keras")
        try:
            if is_own(model):
                model.save(path)
            else:
                with _nodes_kept(model):
                    _without_own_classes(model).save(path)
            return convert(path, options)
        except ModelError as refusal:
            raise ModelError(f"model '{model.name}': {str(refusal).removeprefix(path + ': ')}") from None
