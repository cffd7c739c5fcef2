"""TensorFlow's operations, each made again of Keras' layers and operations (live_tensorflow.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import Array
from .live_make import Unfollowed
from .live_tensorflow import Given, Tracer, Value


def _sizes(operation: Any, output: int = 0) -> tuple[int, ...]:
    return tuple(int(size) for size in operation.outputs[output].shape)


def _plain(tracer: Tracer, operation: Any, tensor: Any) -> Value:
    return Value(tensor, _sizes(operation))


def _tensor(value: Given) -> Any:
    """A Keras tensor whose axes are the graph's."""
    if not isinstance(value, Value) or value.merged > 1:
        what = "rows and positions as one axis" if isinstance(value, Value) else f"an array {list(value.shape)}"
        raise Unfollowed(f"{what} where a tensor of rows is needed")
    return value.tensor


def _number(value: Given) -> Any:
    if isinstance(value, Value):
        raise Unfollowed("a size or an axis that depends on what is computed")
    return value.tolist()


def _axis(value: Given, rank: int) -> int:
    axis = int(np.asarray(_number(value)).reshape(-1)[0])
    axis += rank if axis < 0 else 0
    if axis == 0:
        raise Unfollowed("an operation across the rows")
    return axis


def _unary(name: str) -> Callable[..., Value]:
    def make(tracer: Tracer, operation: Any, x: Value) -> Value:
        return Value(tracer.maker.activation(name, x.tensor), x.sizes, x.merged)

    return make


def _same(tracer: Tracer, operation: Any, *inputs: Given) -> list[Given]:
    return list(inputs[: len(operation.outputs)])


def _cast(tracer: Tracer, operation: Any, x: Value) -> Value:
    if not (operation.inputs[0].dtype.is_floating and operation.outputs[0].dtype.is_floating):
        raise Unfollowed(f"a cast from {operation.inputs[0].dtype.name} to {operation.outputs[0].dtype.name}")
    return x


def _negate(tracer: Tracer, operation: Any, x: Value) -> Value:
    return Value(-x.tensor, x.sizes, x.merged)


def _leaky(tracer: Tracer, operation: Any, x: Value) -> Value:
    return Value(tracer.maker.leaky_relu(x.tensor, operation.get_attr("alpha")), x.sizes, x.merged)


def _softmax(tracer: Tracer, operation: Any, x: Value) -> Value:
    return Value(tracer.maker.softmax(x.tensor, -1), x.sizes, x.merged)


def _binary(kind: str) -> Callable[..., Value]:
    def make(tracer: Tracer, operation: Any, a: Given, b: Given) -> Value:
        if isinstance(a, Value) and isinstance(b, Value):
            if a.merged != b.merged or (a.merged > 1 and a.sizes != b.sizes):
                raise Unfollowed("rows and positions as one axis beside another tensor")
            made = tracer.maker.binary(kind, a.tensor, b.tensor)
            return Value(made, a.sizes if a.merged > 1 else _sizes(operation), a.merged)
        x, array = (a, b) if isinstance(a, Value) else (b, a)
        assert isinstance(x, Value) and not isinstance(array, Value)
        if _sizes(operation) != x.shape:
            raise Unfollowed(f"a tensor {list(x.shape)} that an array {list(array.shape)} makes larger")
        return Value(tracer.maker.with_array(kind, x.tensor, array, x is b), x.sizes, x.merged)

    return make


def _add_n(tracer: Tracer, operation: Any, *inputs: Given) -> Given:
    total = inputs[0]
    for x in inputs[1:]:
        total = _binary("add")(tracer, operation, total, x)
    return total


def _linear(tracer: Tracer, x: Value, matrix: Array) -> Value:
    return Value(tracer.maker.linear(x.tensor, matrix), (*x.sizes[:-1], matrix.shape[1]), x.merged)


def _matmul(tracer: Tracer, operation: Any, a: Given, b: Given) -> Value:
    turn_a, turn_b = operation.get_attr("transpose_a"), operation.get_attr("transpose_b")
    if isinstance(a, Value) and not isinstance(b, Value) and not turn_a:
        return _linear(tracer, a, b.T if turn_b else b)
    raise Unfollowed("a matrix product across the rows")


def _batch_matmul(tracer: Tracer, operation: Any, a: Given, b: Given) -> Value:
    turn_a, turn_b = operation.get_attr("adj_x"), operation.get_attr("adj_y")
    if isinstance(a, Value) and not isinstance(b, Value) and not turn_a and b.size == b.shape[-1] * b.shape[-2]:
        matrix = b.reshape(b.shape[-2:])
        return _linear(tracer, a, matrix.T if turn_b else matrix)
    if len(operation.outputs[0].shape) != 3:
        raise Unfollowed("a product of tensors of more than three axes")
    return _plain(tracer, operation, tracer.maker.matmul(_tensor(a), _tensor(b), turn_a, turn_b))


def _einsum(tracer: Tracer, operation: Any, *inputs: Given) -> Value:
    if len(inputs) != 2:
        raise Unfollowed(f"einsum of {len(inputs)} tensors")
    a, b = (_tensor(x) if isinstance(x, Value) else x for x in inputs)
    equation = operation.get_attr("equation").decode()
    return _plain(tracer, operation, tracer.maker.einsum(equation, a, b))


def _reduce(kind: str) -> Callable[..., Value]:
    def make(tracer: Tracer, operation: Any, x: Given, axes: Given) -> Value:
        rank, listed = len(operation.inputs[0].shape), np.asarray(_number(axes)).reshape(-1)
        return _plain(
            tracer,
            operation,
            tracer.maker.reduce(
                kind, _tensor(x), [_axis(np.asarray(a), rank) for a in listed], operation.get_attr("keep_dims")
            ),
        )

    return make


def _concat(tracer: Tracer, operation: Any, *inputs: Given) -> Value:
    axis = _axis(inputs[-1], len(operation.outputs[0].shape))
    parts = [_tensor(x) for x in inputs[:-1]]
    if len(parts) > 1 and all(x is parts[0] for x in parts) and operation.inputs[0].shape[axis] == 1:
        return _plain(tracer, operation, tracer.maker.repeat(parts[0], axis, len(parts)))
    return _plain(tracer, operation, tracer.maker.concat(parts, axis))


def _pack(tracer: Tracer, operation: Any, *inputs: Given) -> Value:
    axis = _axis(np.asarray(operation.get_attr("axis")), len(operation.outputs[0].shape))
    return _plain(tracer, operation, tracer.maker.stack([_tensor(x) for x in inputs], axis))


def _unpack(tracer: Tracer, operation: Any, x: Given) -> list[Given]:
    axis = _axis(np.asarray(operation.get_attr("axis")), len(operation.inputs[0].shape))
    before = (slice(None),) * axis
    return [
        Value(tracer.maker.index(_tensor(x), (*before, i)), _sizes(operation, i)) for i in range(len(operation.outputs))
    ]


def _split(tracer: Tracer, operation: Any, x: Given, axis: Given) -> list[Given]:
    at, first, made = _axis(axis, len(operation.inputs[0].shape)), 0, []
    for i in range(len(operation.outputs)):
        last = first + _sizes(operation, i)[at]
        index = (*((slice(None),) * at), slice(first, last))
        made.append(
            Value(
                _tensor(x) if len(operation.outputs) == 1 else tracer.maker.index(_tensor(x), index),
                _sizes(operation, i),
            )
        )
        first = last
    return list(made)


def _slice(tracer: Tracer, operation: Any, x: Given, begin: Given, end: Given, strides: Given) -> Value:
    begins, ends, steps = _number(begin), _number(end), _number(strides)
    masks = {
        name: operation.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    index: list[Any] = []
    new: list[int] = []
    for i in range(len(begins)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            later = sum(1 for k in range(i + 1, len(begins)) if not masks["new_axis"] & (1 << k))
            index += [slice(None)] * (len(operation.inputs[0].shape) - len(index) - later)
        elif masks["new_axis"] & bit:
            new.append(len([k for k in index if isinstance(k, slice)]) + len(new))
        elif masks["shrink_axis"] & bit:
            index.append(begins[i])
        else:
            first = None if masks["begin"] & bit else begins[i]
            last = None if masks["end"] & bit else ends[i]
            index.append(slice(first, last, None if steps[i] == 1 else steps[i]))
    if index and index[0] != slice(None):
        raise Unfollowed("a part of the rows")
    tensor = tracer.maker.index(_tensor(x), tuple(index))
    for axis in new:
        if axis == 0:
            raise Unfollowed("an axis in front of the rows")
        tensor = tracer.maker.expand(tensor, axis)
    return _plain(tracer, operation, tensor)


def _expand(tracer: Tracer, operation: Any, x: Given, axis: Given) -> Value:
    at = _axis(axis, len(operation.outputs[0].shape))
    return _plain(tracer, operation, tracer.maker.expand(_tensor(x), at))


def _squeeze(tracer: Tracer, operation: Any, x: Given) -> Value:
    shape, tensor = _sizes_of_input(operation), _tensor(x)
    axes = [a % len(shape) for a in operation.get_attr("squeeze_dims")] or [i for i, n in enumerate(shape) if n == 1]
    for axis in sorted(axes, reverse=True):
        tensor = tracer.maker.squeeze(tensor, axis)
    return _plain(tracer, operation, tensor)


def _sizes_of_input(operation: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in operation.inputs[0].shape)


def _transpose(tracer: Tracer, operation: Any, x: Value, order: Given) -> Value:
    listed = _number(order)
    if listed == list(range(len(listed))):
        return x
    return _plain(tracer, operation, tracer.maker.transpose(_tensor(x), listed))


def _reshape(tracer: Tracer, operation: Any, x: Value, shape: Given) -> Value:
    target = _sizes(operation)
    if target == x.sizes:
        return Value(x.tensor, x.sizes)
    if target[0] != tracer.rows:
        for merged in range(2, len(x.sizes)):
            if target == Value(None, x.sizes, merged).shape:
                return Value(x.tensor, x.sizes, merged)
        raise Unfollowed(f"{list(x.shape)} in another shape, {list(target)}")
    return Value(tracer.maker.reshape(x.tensor, [-1 if n == tracer.positions else n for n in target[1:]]), target)


def _tile(tracer: Tracer, operation: Any, x: Given, multiples: Given) -> Given:
    return _repeat(tracer, operation, x, [(i, n) for i, n in enumerate(_number(multiples)) if n != 1])


def _broadcast(tracer: Tracer, operation: Any, x: Given, shape: Given) -> Given:
    before, after = _sizes_of_input(operation), _sizes(operation)
    if len(before) != len(after):
        raise Unfollowed(f"{list(before)} made as large as {list(after)}")
    return _repeat(tracer, operation, x, [(i, n) for i, n in enumerate(after) if n != before[i]])


def _repeat(tracer: Tracer, operation: Any, x: Given, longer: list[tuple[int, int]]) -> Given:
    if not longer:
        return x
    (axis, count), *others = longer
    if others or axis == 0 or _sizes_of_input(operation)[axis] != 1:
        raise Unfollowed("a repetition along anything but one axis of one entry")
    if count == tracer.positions:
        raise Unfollowed(
            "a repetition for every position where the model does not say how many there are (say it in "
            "Input, or leave the repetition to broadcasting)"
        )
    return _plain(tracer, operation, tracer.maker.repeat(_tensor(x), axis, count))


def _gather(tracer: Tracer, operation: Any, table: Given, ids: Given, axis: Given) -> Value:
    if not isinstance(table, Value):
        if table.ndim != 2 or int(np.asarray(_number(axis))) != 0:
            raise Unfollowed("ids into anything but a table of vectors")
        return _plain(tracer, operation, tracer.maker.embedding(_tensor(ids), table))
    at, listed = _axis(axis, len(table.sizes)), _number(ids)
    if not isinstance(listed, int):
        raise Unfollowed("several entries of an axis, chosen by a list")
    return _plain(tracer, operation, tracer.maker.index(_tensor(table), (*((slice(None),) * at), listed)))


def _reverse(tracer: Tracer, operation: Any, x: Given, axes: Given) -> Value:
    listed = _number(axes)
    if len(listed) != 1:
        raise Unfollowed("a reversal of several axes")
    axis = _axis(np.asarray(listed[0]), len(operation.inputs[0].shape))
    return _plain(tracer, operation, tracer.maker.flip(_tensor(x), axis))


def _zeros_like(tracer: Tracer, operation: Any, x: Given) -> Value:
    return _plain(tracer, operation, tracer.maker.zeros_like(_tensor(x)))


def _source(x: Any) -> Any:
    """The operation that made a tensor, through those that change nothing."""
    while x.op.type in ("Identity", "StopGradient", "Cast"):
        x = x.op.inputs[0]
    return x


def softmax_of(tracer: Tracer, operation: Any) -> Value | None:
    """exp(x) / sum(exp(x)), as it is written by hand, with or without a maximum that is taken off before."""
    if operation.type != "RealDiv":
        return None
    above, below = (_source(x) for x in operation.inputs)
    if above.op.type != "Exp" or below.op.type != "Sum" or _source(below.op.inputs[0]) is not above:
        return None
    axes = np.asarray(tracer.values[below.op.inputs[1].name]).reshape(-1)
    if len(axes) != 1 or not below.op.get_attr("keep_dims"):
        return None
    energies = _source(above.op.inputs[0])
    if energies.op.type == "Sub":
        of, largest = (_source(x) for x in energies.op.inputs)
        if largest.op.type == "Max" and _source(largest.op.inputs[0]) is of:
            energies = of
    value = tracer.values[energies.name]
    if not isinstance(value, Value):
        return None
    axis = _axis(axes, len(value.sizes))
    return Value(tracer.maker.softmax(_tensor(value), axis), value.sizes)


_ACTIVATIONS = {
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Elu": "elu",
    "Selu": "selu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Exp": "exponential",
}

TABLE: dict[str, Callable[..., Any]] = {
    **{operation: _unary(name) for operation, name in _ACTIVATIONS.items()},
    "Identity": _same,
    "IdentityN": _same,
    "StopGradient": _same,
    "PreventGradient": _same,
    "Cast": _cast,
    "Neg": _negate,
    "LeakyRelu": _leaky,
    "Softmax": _softmax,
    "Add": _binary("add"),
    "AddV2": _binary("add"),
    "BiasAdd": _binary("add"),
    "AddN": _add_n,
    "Sub": _binary("subtract"),
    "Mul": _binary("multiply"),
    "RealDiv": _binary("divide"),
    "Maximum": _binary("maximum"),
    "MatMul": _matmul,
    "BatchMatMulV2": _batch_matmul,
    "BatchMatMulV3": _batch_matmul,
    "Einsum": _einsum,
    "Sum": _reduce("sum"),
    "Mean": _reduce("mean"),
    "Max": _reduce("max"),
    "ConcatV2": _concat,
    "Pack": _pack,
    "Unpack": _unpack,
    "Split": lambda tracer, operation, axis, x: _split(tracer, operation, x, axis),
    "SplitV": lambda tracer, operation, x, sizes, axis: _split(tracer, operation, x, axis),
    "StridedSlice": _slice,
    "ExpandDims": _expand,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Tile": _tile,
    "BroadcastTo": _broadcast,
    "GatherV2": _gather,
    "ReverseV2": _reverse,
    "ZerosLike": _zeros_like,
}
