"""Parts of a Keras graph, made of what somebody's code does with tensors and arrays: in Keras 3 and Keras 2 alike, and
of Keras' own layers and operations alone, so that a file of it can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import Array


class Unfollowed(Exception):
    """What cannot be said with Keras' own layers and operations; the text says what it is."""


def _shape(x: Any) -> list[Any]:
    return list(x.shape)


class Maker:
    """Makes symbolic tensors of symbolic tensors. Arrays become the weights of Dense layers; equal ones are one layer,
    so that steps that are written out one by one are seen to share what they compute with."""

    def __init__(self) -> None:
        import keras

        self.layers = keras.layers
        self.ops = getattr(keras, "ops", None)
        if self.ops is None:
            import tensorflow

            self.tf = tensorflow
        self.dense: dict[tuple[Any, ...], Any] = {}

    # ---- with arrays ----

    def linear(self, x: Any, kernel: Array, bias: Array | None = None) -> Any:
        """x [...,I] times kernel [I,O], plus bias [O]."""
        if kernel.ndim != 2 or _shape(x)[-1] != kernel.shape[0]:
            raise Unfollowed(f"a product of {_shape(x)} and an array {list(kernel.shape)}")
        weights = [np.ascontiguousarray(w, np.float32) for w in (kernel, bias) if w is not None]
        key = tuple((w.shape, w.tobytes()) for w in weights)
        layer = self.dense.get(key)
        if layer is None:
            layer = self.layers.Dense(kernel.shape[1], use_bias=bias is not None, dtype="float32")
            layer.build((None, kernel.shape[0]))
            layer.set_weights(weights)
            self.dense[key] = layer
        return layer(x)

    def _vector(self, x: Any, array: Array) -> float | Array:
        """An array beside x [...,F] as one number, or as [F]."""
        rank = len(_shape(x))
        beside = _shape(x)[rank - array.ndim :] if array.ndim <= rank else []
        if not all(n in (1, m) for n, m in zip(array.shape, beside, strict=False)) or array.ndim > rank:
            raise Unfollowed(f"{_shape(x)} beside an array {list(array.shape)}")
        if array.size and (array == array.flat[0]).all():
            return float(array.flat[0])
        if array.size != array.shape[-1] or array.size != _shape(x)[-1]:
            raise Unfollowed(f"an array {list(array.shape)} that differs from position to position beside {_shape(x)}")
        return array.reshape(-1)

    def with_array(self, kind: str, x: Any, array: Array, first: bool) -> Any:
        """x kind array; first: array kind x. kind is add, subtract, multiply, divide or maximum."""
        value = self._vector(x, np.asarray(array))
        if kind == "maximum":
            if not isinstance(value, float) or value != 0:
                raise Unfollowed("a maximum with anything but 0")
            return self.activation("relu", x)
        if kind == "divide":
            if first:
                raise Unfollowed("a number divided by a tensor")
            return x / value if isinstance(value, float) else self.linear(x, np.diag(1.0 / value.astype(np.float64)))
        if isinstance(value, float):
            if kind == "subtract":
                return -x + value if first else x - value
            return x + value if kind == "add" else x * value
        if kind == "multiply":
            return self.linear(x, np.diag(value))
        unit, shift = np.eye(value.size), value
        if kind == "subtract":
            unit, shift = (-unit, value) if first else (unit, -value)
        return self.linear(x, unit, shift)

    def embedding(self, ids: Any, table: Array) -> Any:
        layer = self.layers.Embedding(*table.shape, dtype="float32")
        layer.build((None, None))
        layer.set_weights([np.ascontiguousarray(table, np.float32)])
        return layer(ids)

    # ---- with tensors alone ----

    def binary(self, kind: str, a: Any, b: Any) -> Any:
        if len(_shape(a)) != len(_shape(b)):
            raise Unfollowed(f"{kind} of {_shape(a)} and {_shape(b)}")
        functions: dict[str, Callable[[Any, Any], Any]] = {
            "add": lambda x, y: x + y,
            "subtract": lambda x, y: x - y,
            "multiply": lambda x, y: x * y,
            "divide": lambda x, y: x / y,
        }
        if kind not in functions:
            raise Unfollowed(f"{kind} of two tensors")
        return functions[kind](a, b)

    def activation(self, name: str, x: Any) -> Any:
        return self.layers.Activation(name)(x)

    def leaky_relu(self, x: Any, slope: float) -> Any:
        return self.layers.LeakyReLU(slope)(x)

    def softmax(self, x: Any, axis: int) -> Any:
        return self.layers.Softmax(axis=axis)(x)

    def reduce(self, kind: str, x: Any, axes: Sequence[int], keep: bool) -> Any:
        axis = axes[0] if len(axes) == 1 else tuple(axes)
        if self.ops is not None:
            return getattr(self.ops, kind)(x, axis=axis, keepdims=keep)
        return getattr(self.tf, f"reduce_{kind}")(x, axis=axis, keepdims=keep)

    def matmul(self, a: Any, b: Any, turn_a: bool, turn_b: bool) -> Any:
        if self.ops is None:
            return self.tf.matmul(a, b, transpose_a=turn_a, transpose_b=turn_b)
        a, b = (self.transpose(x, (0, 2, 1)) if turn else x for x, turn in ((a, turn_a), (b, turn_b)))
        return self.ops.matmul(a, b)

    def einsum(self, equation: str, a: Any, b: Any) -> Any:
        """A product that sums over one letter, of two tensors or of one and an array."""
        left, _, result = equation.replace(" ", "").partition("->")
        one, _, two = left.partition(",")
        summed = (set(one) & set(two)) - set(result)
        if not result or len(summed) != 1 or "." in equation or len(set(one)) != len(one) or len(set(two)) != len(two):
            raise Unfollowed(f"einsum {equation}")
        (letter,) = summed
        if isinstance(a, np.ndarray):
            one, two, a, b = two, one, b, a
        rest_one, rest_two = one.replace(letter, ""), two.replace(letter, "")
        if isinstance(b, np.ndarray):
            if len(two) != 2 or set(rest_two) & set(one):
                raise Unfollowed(f"einsum {equation} with an array {list(b.shape)}")
            kernel = b if two[0] == letter else b.T
            turned = [*(one.index(i) for i in rest_one), one.index(letter)]
            made, letters = self.linear(self.transpose(a, turned), kernel), rest_one + rest_two
        else:
            if one[0] != two[0] or one[0] != result[0] or set(rest_one[1:]) & set(rest_two[1:]):
                raise Unfollowed(f"einsum {equation}")
            made = self.layers.Dot(axes=(one.index(letter), two.index(letter)))([a, b])
            letters = rest_one + rest_two[1:]
            if len(letters) == 1:
                made = self.reshape(made, ())
        if sorted(letters) != sorted(result):
            raise Unfollowed(f"einsum {equation}")
        return self.transpose(made, [letters.index(i) for i in result])

    # ---- that rearranges ----

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        """shape is without the rows' axis; -1 is the size that is not known."""
        return self.layers.Reshape(tuple(shape))(x)

    def transpose(self, x: Any, order: Sequence[int]) -> Any:
        if list(order) == list(range(len(order))):
            return x
        if order[0] != 0:
            raise Unfollowed(f"axes in the order {list(order)}, with the rows in another place")
        return self.layers.Permute(tuple(order[1:]))(x)

    def expand(self, x: Any, axis: int) -> Any:
        return (self.ops or self.tf).expand_dims(x, axis)

    def squeeze(self, x: Any, axis: int) -> Any:
        return (self.ops or self.tf).squeeze(x, axis)

    def repeat(self, x: Any, axis: int, count: int) -> Any:
        return (self.ops or self.tf).repeat(x, count, axis=axis)

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        return parts[0] if len(parts) == 1 else self.layers.Concatenate(axis=axis)(list(parts))

    def stack(self, parts: Sequence[Any], axis: int) -> Any:
        return (self.ops or self.tf).stack(list(parts), axis=axis)

    def flip(self, x: Any, axis: int) -> Any:
        return self.ops.flip(x, axis=axis) if self.ops is not None else self.tf.reverse(x, axis=[axis])

    def zeros_like(self, x: Any) -> Any:
        return (self.ops or self.tf).zeros_like(x)

    def index(self, x: Any, index: tuple[Any, ...]) -> Any:
        if all(i == slice(None) for i in index):
            return x
        return x[index]
