"""What a layer's call() does with TensorFlow's functions, as Keras' own layers and operations: the call is traced to a
graph of TensorFlow's, and that graph's operations are made again on Keras' symbolic tensors.

While it is traced the rows are a number of their own (see _sizes_apart), so that a shape tells which of its sizes they
are, and a layer of Keras' own that is called inside stays a layer: its results are placeholders in the graph, and it is
called again where they are read."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array
from .live_make import Maker, Unfollowed


@dataclass
class Value:
    """A Keras tensor in the place of one of the graph's."""

    tensor: Any
    sizes: tuple[int, ...]
    """The sizes of its axes while it was traced."""
    merged: int = 1
    """So many leading axes are one axis in the graph: rows and positions, laid into one for a matrix product."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (int(np.prod(self.sizes[: self.merged])), *self.sizes[self.merged :])


Given = Value | Array


@dataclass
class _LayerCall:
    """A call of a layer of Keras' own inside the call that is traced."""

    layer: Any
    args: Any
    kwargs: Any
    outputs: list[Any]


def _sizes_apart(tensors: list[Any]) -> tuple[int, int]:
    """Two primes that divide no size of the tensors': for the rows, and for positions whose number is not said."""
    known = {int(size) for tensor in tensors for size in tensor.shape[1:] if size is not None}
    free = (n for n in range(61, 10000, 2) if all(n % i for i in range(3, n, 2)) and all(k % n for k in known))
    return next(free), next(free)


class Tracer:
    """Follows one call of a layer. `is_own(layer)` tells which layers are Keras' own all through."""

    def __init__(self, is_own: Callable[[Any], bool]) -> None:
        import tensorflow

        self.tf, self.is_own, self.maker = tensorflow, is_own, Maker()
        self.rows = self.positions = 0
        self.calls: dict[str, _LayerCall] = {}
        self.values: dict[str, Given] = {}

    def follow(self, call: Callable[..., Any], args: Any, kwargs: Any, is_tensor: Callable[[Any], bool]) -> Any:
        """What call(*args, **kwargs) gives, as Keras' symbolic tensors."""
        tf = self.tf
        flat = tf.nest.flatten((args, kwargs))
        tensors = [x for x in flat if is_tensor(x)]
        self.rows, self.positions = _sizes_apart(tensors)
        specs = []
        for x in tensors:
            sizes = (self.rows, *(self.positions if size is None else int(size) for size in x.shape[1:]))
            specs.append(tf.TensorSpec(sizes, x.dtype))

        def traced(*given: Any) -> Any:
            waiting = iter(given)
            filled = [next(waiting) if is_tensor(x) else x for x in flat]
            new_args, new_kwargs = tf.nest.pack_sequence_as((args, kwargs), filled)
            eager = tf.config.functions_run_eagerly()
            tf.config.run_functions_eagerly(True)  # a tf.function inside is traced in line
            try:
                with self._own_layers_kept():
                    return call(*new_args, **new_kwargs)
            finally:
                tf.config.run_functions_eagerly(eager)

        function = tf.function(traced, autograph=False).get_concrete_function(*specs)
        graph = function.graph
        for inside, x in zip(graph.inputs, tensors, strict=False):
            self.values[inside.name] = Value(x, tuple(inside.shape))
        for outside, inside in graph.captures:
            if outside.dtype != tf.resource:
                self.values[inside.name] = outside.numpy()
        resources = {inside.name: outside for outside, inside in graph.captures}
        outputs = [x for x in tf.nest.flatten(function.structured_outputs) if tf.is_tensor(x)]
        self._make(graph, outputs, resources)
        made = [self._plain(self.values[x.name]) for x in outputs]
        return made[0] if tf.is_tensor(function.structured_outputs) else made

    @contextlib.contextmanager
    def _own_layers_kept(self) -> Iterator[None]:
        """Calls of Keras' own layers are noted, and give placeholders."""
        import keras

        tf, original, depth = self.tf, keras.layers.Layer.__call__, [0]

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            if depth[0] or not self.is_own(layer):
                return original(layer, *args, **kwargs)
            depth[0] += 1
            try:
                found = original(layer, *args, **kwargs)
            finally:
                depth[0] -= 1
            outputs = [tf.compat.v1.placeholder(x.dtype, x.shape) for x in tf.nest.flatten(found)]
            noted = _LayerCall(layer, args, {k: v for k, v in kwargs.items() if v is not None}, outputs)
            self.calls.update((x.op.name, noted) for x in outputs)
            return tf.nest.pack_sequence_as(found, outputs)

        keras.layers.Layer.__call__ = call
        try:
            yield
        finally:
            keras.layers.Layer.__call__ = original

    # ---- the graph again, operation by operation ----

    def _sources(self, operation: Any) -> list[Any]:
        noted = self.calls.get(operation.name)
        if noted is None:
            return list(operation.inputs)
        return [x for x in self.tf.nest.flatten((noted.args, noted.kwargs)) if self._in_graph(x)]

    def _in_graph(self, x: Any) -> bool:
        return bool(self.tf.is_tensor(x)) and not hasattr(x, "numpy") and hasattr(x, "op")

    def _make(self, graph: Any, outputs: list[Any], resources: dict[str, Any]) -> None:
        needed, waiting = set(), [x.op for x in outputs]
        while waiting:
            operation = waiting.pop()
            if operation.name not in needed:
                needed.add(operation.name)
                waiting += [x.op for x in self._sources(operation)]
        for operation in graph.get_operations():  # each stands behind what it reads
            if operation.name not in needed or all(x.name in self.values for x in operation.outputs):
                continue
            noted = self.calls.get(operation.name)
            if noted is not None:
                self._call_layer(noted)
            elif operation.type == "ReadVariableOp":
                handle = resources[operation.inputs[0].name]
                read = self.tf.raw_ops.ReadVariableOp(resource=handle, dtype=operation.outputs[0].dtype)
                self.values[operation.outputs[0].name] = read.numpy()
            elif operation.type != "Placeholder":
                self._operation(operation)

    def _call_layer(self, noted: _LayerCall) -> None:
        def given(x: Any) -> Any:
            return self._plain(self.values[x.name]) if self._in_graph(x) else x

        args, kwargs = self.tf.nest.map_structure(given, (noted.args, noted.kwargs))
        made = self.tf.nest.flatten(noted.layer(*args, **kwargs))
        for x, tensor in zip(noted.outputs, made, strict=True):
            self.values[x.name] = Value(tensor, tuple(x.shape))

    def _plain(self, value: Given) -> Any:
        if not isinstance(value, Value):
            raise Unfollowed(f"an array {list(value.shape)} where a tensor is needed")
        if value.merged > 1:
            raise Unfollowed("rows and positions as one axis")
        return value.tensor

    def _operation(self, operation: Any) -> None:
        from .live_operations import TABLE, softmax_of

        if operation.op_def.is_stateful or "Random" in operation.type:
            raise Unfollowed(f"TensorFlow's operation {operation.type}, whose result is another one every time")
        inputs = [self.values[x.name] for x in operation.inputs]
        if not any(isinstance(x, Value) for x in inputs):
            made: Any = self._computed(operation, inputs)
        else:
            made = softmax_of(self, operation)
            function = TABLE.get(operation.type)
            if made is None and function is None:
                raise Unfollowed(f"TensorFlow's operation {operation.type}")
            if made is None and function is not None:
                made = function(self, operation, *inputs)
        made = made if isinstance(made, list) else [made]
        self.values.update((x.name, value) for x, value in zip(operation.outputs, made, strict=True))

    def _computed(self, operation: Any, inputs: list[Any]) -> list[Array]:
        """An operation on arrays, carried out."""
        tf = self.tf
        if operation.type == "Const":
            return [tf.get_static_value(operation.outputs[0])]
        function, waiting, arguments = getattr(tf.raw_ops, operation.type), list(inputs), {}
        for argument in operation.op_def.input_arg:
            count = operation.get_attr(argument.number_attr) if argument.number_attr else None
            arguments[argument.name] = waiting.pop(0) if count is None else [waiting.pop(0) for _ in range(count)]
        for name in inspect.signature(function).parameters:
            if name not in arguments and name != "name":
                arguments[name] = operation.get_attr(name)
        with tf.init_scope():
            found = function(**arguments)
        return [x.numpy() for x in tf.nest.flatten(found)]
