"""Writes models/page_*.safetensors by the very code of docs/from-keras.md, "From a hand-written attention layer", from
models with such a layer, and models/page_*.npz, what Keras computes from them in float64.

    python make_custom_layer.py     under Keras 3 (made with keras 3.15 on jax) and again under Keras 2 (2.15)

Every model is built twice before it is written, as in a notebook whose cells are run again: the names of its layers
end in numbers.
"""

import os
import pathlib

os.environ["JAX_ENABLE_X64"] = "1"
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from custom_layer import Sizes, build
from save_attention import save_attention  # beside the layer, which custom_layer finds

if hasattr(keras, "ops"):  # but for TensorFlow, Keras 3 computes tanh and softmax of float64 in float32
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

    BIT64_TO_BIT32_DTYPE["float64"] = "float64"

HERE = pathlib.Path(__file__).resolve().parent
SUFFIX = "" if hasattr(keras, "ops") else "_keras2"
NOTEBOOK = Sizes(30, 37, 16, 20, 10, 11)
CASES = [
    ("page_only", "encoder", False, NOTEBOOK),
    ("page_only_dense", "dense", False, Sizes()),
    ("page_only_linear", "linear", False, Sizes()),
    ("page_loop", "encoder", True, Sizes()),
    ("page_loop_dense", "dense", True, Sizes()),
    ("page_loop_half", "half", True, Sizes()),
    ("page_loop_plain_half", "plain_half", True, Sizes()),
    ("page_loop_zeros", "zeros", True, Sizes()),
]
KERAS2 = ("page_only", "page_loop_dense")  # what is made again under Keras 2
BATCH = 3


def expect(model, probes, x):
    names = [name for name in probes for _ in probes[name]]
    feeds = [x.astype(np.float64)] + [np.zeros((len(x), i.shape[-1])) for i in model.inputs[1:]]
    flat = keras.Model(model.inputs, [tensor for name in probes for tensor in probes[name]])
    values = [np.array(v) for v in flat(feeds if len(feeds) > 1 else feeds[0], training=False)]
    assert all(v.dtype == np.float64 for v in values)
    arrays = {}
    for name, value in zip(names, values):
        arrays.setdefault(name, []).append(value.reshape(len(x), -1))
    arrays = {name: np.stack(rows, 1) if "outputs" in probes else rows[0] for name, rows in arrays.items()}
    if "outputs" in arrays:
        arrays["tokens"] = arrays["outputs"].argmax(-1).astype(np.int32)
    return dict(arrays, input=x)


def main():
    keras.backend.set_floatx("float64")
    os.chdir(HERE / "models")
    for seed, (name, kind, steps, sizes) in enumerate(CASES):
        if SUFFIX and name not in KERAS2:
            continue
        build(kind, steps, sizes)
        model, probes = build(kind, steps, sizes)
        rng = np.random.default_rng(seed)
        model.set_weights([rng.uniform(-0.7, 0.7, w.shape).astype(np.float32) for w in model.get_weights()])
        path = pathlib.Path(f"{name}{SUFFIX}.safetensors")
        save_attention(model, str(path))
        path.chmod(0o644)
        x = rng.uniform(-1, 1, (BATCH, sizes.T, sizes.F)).astype(np.float32)
        np.savez_compressed(f"{name}{SUFFIX}.npz", **expect(model, probes, x))
        print(name + SUFFIX, [layer.name for layer in model.layers if "attention" in layer.name], flush=True)


if __name__ == "__main__":
    main()
