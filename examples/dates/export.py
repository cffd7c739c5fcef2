"""Writes cuseq's model file from dates.keras by hand, with the safetensors package: what `cuseq convert`
does by itself.

    python export.py dates.keras ../../models/dates.safetensors

Of use where a model's attention is a layer of one's own, which no converter can read: put the arrays
under the names of docs/model-format.md, describe the model in the metadata, done. Keras keeps the gates
in cuseq's order, i, f, c, o.
"""

import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import safetensors.numpy

from vocabulary import VOCABULARY

CONFIG = {
    "version": 1,
    "encoder": {"features": 37, "units": 32, "layers": 1, "direction": "bidirectional", "merge": "concat"},
    "attention": {
        "score": "concat",
        "layers": [{"units": 10, "activation": "tanh"}, {"units": 1, "activation": "linear"}],
    },
    "decoder": {"units": 64, "steps": 10, "initial_state": "zeros", "feedback": "none"},
    "output": {"units": 11, "activation": "softmax"},
    "vocabulary": VOCABULARY,
}
NAMES = {
    "encoder.layers.0.forward": ("encoder", 0, ["kernel", "recurrent_kernel", "bias"]),
    "encoder.layers.0.backward": ("encoder", 3, ["kernel", "recurrent_kernel", "bias"]),
    "attention.layers.0": ("attention_hidden", 0, ["kernel", "bias"]),
    "attention.layers.1": ("attention_energy", 0, ["kernel", "bias"]),
    "decoder": ("decoder", 0, ["kernel", "recurrent_kernel", "bias"]),
    "output": ("date", 0, ["kernel", "bias"]),
}


def main():
    model = keras.models.load_model(sys.argv[1])
    tensors = {}
    for prefix, (layer, first, kinds) in NAMES.items():
        weights = model.get_layer(layer).get_weights()
        for index, kind in enumerate(kinds):
            tensors[f"{prefix}.{kind}"] = weights[first + index]
    safetensors.numpy.save_file(tensors, sys.argv[2], {"cuseq": json.dumps(CONFIG)})


if __name__ == "__main__":
    main()
