"""Writes arrays/keras_*: weights of Keras in every kind of file that has them, and what Keras computes in float64.

    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python make_arrays_keras.py      with Keras 3 (made with 3.15)

One tagger - a BiLSTM merged by sum, a BiGRU with two biases, a dense layer behind it, a GRU that resets before the
product - as NAME.weights.h5, as a whole model in .h5 and .keras, and its weights by their paths in an .npz
(keras_single.npz); a configuration for each kind of names; keras_tagger.npz, as golden_models.py tells.
"""

import json
import pathlib

import keras
import numpy as np
from keras import layers

FOLDER = pathlib.Path(__file__).resolve().parent / "arrays"
CONFIG = {
    "version": 2,
    "input": {"features": 13, "embedding": 4},
    "encoder": {
        "layers": [
            {"cell": {"kind": "lstm", "units": 3}, "direction": "bidirectional", "merge": "sum"},
            {
                "cell": {"kind": "gru", "units": 2},
                "direction": "bidirectional",
                "dense": {"units": 3, "activation": "tanh"},
            },
            {"cell": {"kind": "gru", "units": 4, "reset": "before"}},
        ]
    },
    "output": {"over": "every", "layers": [{"units": 5, "activation": "softmax"}]},
}


def tagger():
    ids = keras.Input((6,), dtype="int32")
    x = layers.Embedding(13, 4, name="table")(ids)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum", name="first")(x)
    x = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="second")(x)
    x = layers.Dense(3, activation="tanh", name="between")(x)
    x = layers.GRU(4, return_sequences=True, reset_after=False, name="third")(x)
    model = keras.Model(ids, layers.Dense(5, activation="softmax", name="tags")(x))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(np.round(rng.uniform(-1.2, 1.2, weight.shape) * 64) / 64)
    return model


def names_of(table, first, second, between, third, tags):
    return {
        "input.embedding": table,
        "encoder.layers.0": first,
        "encoder.layers.1": second,
        "encoder.layers.1.dense": between,
        "encoder.layers.2": third,
        "output.layers.0": tags,
    }


def single():
    """Each array by its own name."""

    def cell(path):
        return {
            "kernel": path + "/kernel",
            "recurrent_kernel": path + "/recurrent_kernel",
            "bias": path + "/bias",
            "gates": "i,f,c,o" if "lstm" in path else "z,r,h",
        }

    names = names_of("table/embeddings", None, None, "between", cell("third/gru_cell"), "tags")
    for layer, cells in enumerate(("first/{}_lstm/lstm_cell", "second/{}_gru/gru_cell")):
        del names[f"encoder.layers.{layer}"]
        for side in ("forward", "backward"):
            names[f"encoder.layers.{layer}.{side}"] = cell(cells.format(side))
    return names


def write(name, names):
    (FOLDER / f"{name}.json").write_text(json.dumps(dict(CONFIG, names=names), indent=1) + "\n")


def main():
    keras.backend.set_floatx("float64")
    model = tagger()
    model.save_weights(FOLDER / "keras_numbered.weights.h5")
    model.save(FOLDER / "keras_numbered.keras")
    model.save(FOLDER / "keras_whole.h5")
    np.savez(FOLDER / "keras_single.npz", **{weight.path: weight.numpy() for weight in model.weights})
    numbered = ("embedding", "bidirectional", "bidirectional_1", "dense", "gru", "dense_1")
    write("keras_numbered", names_of(*("layers/" + name for name in numbered)))
    whole = ("table", "first", "second", "between", "third", "tags")
    write("keras_whole", names_of(*("model_weights/" + name for name in whole)))
    write("keras_single", single())
    ids = np.random.default_rng(2).integers(0, 13, (3, 6)).astype(np.int32)
    outputs = np.asarray(model(ids))
    np.savez(FOLDER / "keras_tagger.npz", input=ids, outputs=outputs, tokens=outputs.argmax(-1)[..., None].astype(np.int32))


if __name__ == "__main__":
    main()
