"""A model as a layer of Keras, for inference: Keras 3 on any backend, and Keras 2."""

from __future__ import annotations

import base64
import os
import tempfile
from typing import Any

import keras
import numpy as np

from .arrays import Array
from .errors import WrongType
from .loading import load
from .model import Model

_BACKEND = keras.backend.backend()


@keras.utils.register_keras_serializable("cuseq")  # type: ignore[untyped-decorator,unused-ignore]
class Layer(keras.layers.Layer):  # type: ignore[misc]
    """A model inside a Keras model.

        x = keras.Input((30, 37))
        outputs = cuseq.keras.Layer(cuseq.load(trained))(x)

    It has no weights that are trained, and no gradients go through it. It computes on the CPU, or on the device that it
    is given. Files of the Keras model have its model in them; they are loaded where cuseq.keras was imported.

    array    the name of what it gives (see Result)
    options  of every call, as Model has them: steps, device, threads, precision
    """

    def __init__(self, model: Model, array: str = "outputs", options: Any = None, **kwargs: Any) -> None:
        kwargs.setdefault("trainable", False)
        super().__init__(**kwargs)
        if not isinstance(model, Model):
            raise WrongType(f"model: wrong type (found {type(model).__name__}, needed a cuseq.Model)")
        self.model, self.array, self.options = model, array, dict(options or {})
        self._shapes: dict[str, tuple[int | None, ...]] = {}
        self.built = True

    def _run(self, x: Any) -> Array:
        found: Array = self.model(np.asarray(x), arrays=[self.array], **self.options)[self.array]
        return found

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """By two calls of other sizes: what differs is the rows or the positions."""
        rows, *rest = input_shape
        key = repr(rest)  # Keras 2 sorts the keys
        if key not in self._shapes:
            shapes = []
            for batch, positions in ((2, 5), (3, 7)):
                sizes = (batch, *(positions if size is None else size for size in rest))
                x = np.zeros(sizes, np.int32 if len(sizes) == 2 else np.float32)
                shapes.append(self._run(x).shape)
            same = [n if n == m else None for n, m in zip(*shapes, strict=True)]
            self._shapes[key] = tuple(same[1:])
        return (rows, *self._shapes[key])

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(x.shape), "float32")

    def call(self, x: Any) -> Any:
        if _BACKEND == "tensorflow":
            import tensorflow as tf

            made = tf.numpy_function(self._run, [x], tf.float32, stateful=False)
            made.set_shape(self.compute_output_shape(x.shape))
            return made
        if _BACKEND == "jax":
            import jax

            return jax.pure_callback(self._run, jax.ShapeDtypeStruct(self.compute_output_shape(x.shape), np.float32), x)
        return keras.ops.convert_to_tensor(self._run(keras.ops.convert_to_numpy(x)))

    # ---- files ----

    def get_config(self) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="cuseq-") as folder:
            path = os.path.join(folder, "model.safetensors")
            self.model.save(path)
            with open(path, "rb") as file:
                text = base64.b64encode(file.read()).decode()
        return {**super().get_config(), "model": text, "array": self.array, "options": dict(self.options)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        return cls(**{**config, "model": load(base64.b64decode(config["model"]))})
