"""Writes models/keras_*.safetensors and .npz: what Keras' own layers compute in float64 from float32
weights.

    python make_keras.py [NAME...]     under Keras 3 (made with 3.15 on jax), and again under Keras 2
                                       (made with 2.15): each knows its own hard sigmoid
"""

import os
import sys

os.environ["JAX_ENABLE_X64"] = "1"
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

keras.backend.set_floatx("float64")

if hasattr(keras, "ops"):  # but for TensorFlow, Keras 3 computes tanh and softmax of float64 in float32
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

    BIT64_TO_BIT32_DTYPE["float64"] = "float64"

import keras_runner
from golden_models import config_of, looks_somewhere, random_tensors, save, shapes_of, sizes_of

KERAS = int(keras.__version__.split(".")[0])
SMALL = [{"units": 5, "activation": "tanh"}, {"units": 1, "activation": "relu"}]
ONE = [{"units": 1, "activation": "tanh"}]
THREE = [
    {"units": 6, "activation": "sigmoid"},
    {"units": 4, "activation": "relu"},
    {"units": 1, "activation": "linear"},
]


def encoder(**options):
    return dict({"features": 7, "units": 6}, **options)


def decoder(**options):
    return dict({"units": 9, "steps": 4, "initial_state": "zeros"}, **options)


def output(units=8, activation="softmax"):
    return {"units": units, "activation": activation}


def concat(layers=None, **options):
    return dict({"score": "concat", "layers": layers or SMALL}, **options)


def full(encoder_options=None, attention=None, decoder_options=None, out=None):
    return config_of(
        encoder(**(encoder_options or {})),
        attention or concat(),
        decoder(**(decoder_options or {})),
        out or output(),
    )


BOTH = {"recurrent_activation": "hard_sigmoid"}
KERAS2 = {"recurrent_activation": "hard_sigmoid_keras2"}
FED = {"feedback": "output", "start_token": 2}

# name: (configuration, options). Options: batch, time, lengths, and those of shapes_of and random_tensors.
KERAS3_CASES = {
    "concat": (full(), {}),
    "one_dense": (full(attention=concat(ONE)), dict(lengths=True)),
    "three_dense": (full(attention=concat(THREE)), {}),
    "concat_scaled": (full(attention=concat(scale=2.5)), dict(lengths=True)),
    "merge_sum": (full({"merge": "sum"}), dict(lengths=True)),
    "merge_mul": (full({"merge": "mul"}), dict(lengths=True)),
    "merge_ave": (full({"merge": "ave"}), {}),
    "stacked": (full({"layers": 3}), dict(lengths=True)),
    "stacked_sum": (full({"layers": 2, "merge": "sum"}), {}),
    "forward": (full({"direction": "forward"}), dict(lengths=True)),
    "forward_stacked": (
        full({"direction": "forward", "layers": 2}, None, {"initial_state": "encoder", "units": 6}),
        {},
    ),
    "relu": (full({"activation": "relu"}, None, {"activation": "relu"}), dict(gain=1.0)),
    "linear": (full({"activation": "linear"}, None, {"activation": "linear"}), dict(gain=1.0)),
    "hard_sigmoid": (full(BOTH, None, BOTH), dict(gain=4.0)),
    "mixed_gates": (full(BOTH), {}),
    "states": (full(None, None, {"initial_state": "encoder", "units": 12}), dict(lengths=True)),
    "states_relu": (full(None, None, {"initial_state": "dense", "initial_activation": "relu"}), {}),
    "states_dense": (
        full(None, None, {"initial_state": "dense", "initial_activation": "tanh"}),
        dict(lengths=True),
    ),
    "states_dense_linear": (full({"direction": "forward"}, None, {"initial_state": "dense"}), {}),
    "linear_output": (full(out=output(8, "linear")), {}),
    "dot": (full(None, {"score": "dot"}, {"units": 12, "initial_state": "encoder"}), dict(lengths=True)),
    "dot_scaled": (full(None, {"score": "dot", "scale": 0.25}, {"units": 12}), {}),
    "general": (full(None, {"score": "general"}), dict(lengths=True)),
    "general_scaled": (full({"merge": "sum"}, {"score": "general", "scale": -1.5}), {}),
    "additive": (full(None, {"score": "additive"}), dict(additive_units=5)),
    "additive_bias": (
        full(None, {"score": "additive", "scale": 0.5}),
        dict(additive_units=5, additive_bias=True, lengths=True),
    ),
    "feedback": (full(None, None, FED), {}),
    "feedback_embedding": (full(None, None, FED), dict(embedding=5, lengths=True)),
    "feedback_end": (
        full(None, None, dict(FED, end_token=0, steps=9), output(4)),
        dict(batch=8, lengths=True),
    ),
    "feedback_embedding_end": (
        full(None, {"score": "additive"}, dict(FED, end_token=1, steps=9), output(4)),
        dict(batch=8, additive_units=5, embedding=3),
    ),
    "end": (full(None, None, dict(end_token=3, steps=9), output(4)), dict(batch=8)),
    "only_zeros": (
        config_of(encoder(), concat(), state={"initial_state": "zeros", "units": 9}),
        dict(lengths=True),
    ),
    "only": (config_of(encoder(), concat(ONE)), dict(lengths=True)),
    "only_dense": (
        config_of(
            encoder(), concat(), state={"initial_state": "dense", "units": 5, "initial_activation": "tanh"}
        ),
        {},
    ),
    "only_dot": (config_of(encoder(), {"score": "dot"}), {}),
    "only_forward": (config_of(encoder(direction="forward"), {"score": "general"}), dict(lengths=True)),
    "ids": (full(), dict(ids=True, lengths=True)),
    "ids_stacked": (full({"layers": 2, "features": 33}), dict(ids=True)),
    "given_states": (full({"layers": 2}), dict(start=True, initial=True, lengths=True)),
    "given_previous": (full(None, None, FED), dict(initial=True, previous=True)),
    "sharp": (
        full(
            attention=concat(
                [{"units": 5, "activation": "relu"}, {"units": 1, "activation": "linear"}], scale=120.0
            )
        ),
        dict(lengths=True),
    ),
    "ties": (full(), dict(ties=True)),
    "shifted": (full(attention=concat(THREE)), dict(shift=95.0, lengths=True)),
    "shifted_down": (full(attention=concat(THREE)), dict(shift=-95.0)),
    "long": (full({"units": 13}), dict(time=60, batch=2)),
    "one_position": (full(), dict(time=1)),
    "one_unit": (full({"units": 1, "features": 1}, concat(ONE), {"units": 1, "steps": 1}, output(1)), {}),
    "wide": (
        full(
            {"units": 33, "features": 17},
            concat([{"units": 31, "activation": "tanh"}, {"units": 1, "activation": "tanh"}]),
            {"units": 35, "steps": 3},
            output(37),
        ),
        dict(lengths=True, batch=2),
    ),
}
KERAS2_CASES = {
    "keras2_hard_sigmoid": (full(KERAS2, None, KERAS2), dict(gain=4.0, lengths=True)),
    "keras2_encoder_only": (full(dict(KERAS2, layers=2)), {}),
    "keras2_relu": (
        full(dict(KERAS2, activation="relu"), None, dict(KERAS2, activation="relu")),
        dict(gain=1.0),
    ),
    "keras2_only": (config_of(encoder(**KERAS2), concat(ONE)), dict(lengths=True)),
}


def make_input(config, options, rng):
    batch, time, features = options.get("batch", 3), options.get("time", 8), config["encoder"]["features"]
    arrays = {"input": rng.uniform(-2, 2, (batch, time, features)).astype(np.float32)}
    if options.get("ids"):
        arrays["input"] = rng.integers(0, features, (batch, time)).astype(np.int32)
    if options.get("lengths"):
        arrays["lengths"] = np.resize([time, 1, time - 3, 2], batch).astype(np.int32)
    units, directions, _, state = sizes_of(config)
    if options.get("start"):
        shape = (config["encoder"]["layers"] * directions, batch, units)
        arrays["start_h"], arrays["start_c"] = (rng.uniform(-1, 1, shape).astype(np.float32) for _ in "hc")
    if options.get("initial"):
        arrays["initial_h"], arrays["initial_c"] = (
            rng.uniform(-1, 1, (batch, state)).astype(np.float32) for _ in "hc"
        )
    if options.get("previous"):
        arrays["previous"] = rng.integers(0, config["output"]["units"], batch).astype(np.int32)
    return arrays


def make(name, config, options, seed):
    shape_options = {k: options[k] for k in ("additive_units", "additive_bias", "embedding") if k in options}
    for attempt in range(200):
        rng = np.random.default_rng([seed, attempt])
        tensors = random_tensors(shapes_of(config, **shape_options), rng, options.get("gain", 1.5))
        if options.get(
            "ties"
        ):  # the best and another output are the same number: the lower index is the token
            tensors["output.kernel"][:, 6] = tensors["output.kernel"][:, 1]
            tensors["output.bias"][[1, 6]] = 8
        arrays = make_input(config, options, rng)
        pairs = [
            (arrays[k + "_h"], arrays[k + "_c"]) if k + "_h" in arrays else None for k in ("start", "initial")
        ]
        result = keras_runner.run(
            config, tensors, arrays["input"], arrays.get("lengths"), *pairs, arrays.get("previous")
        )
        if worth_keeping(result, arrays.get("lengths"), options):
            print(name, attempt, flush=True)
            save("keras_" + name, config, tensors, dict(arrays, **result))
            return
    raise SystemExit(f"{name}: no seed gives tokens that differ and rows that end at different steps")


def worth_keeping(result, lengths, options):
    """Whether the vectors show something: attention that is not the same everywhere (as where a relu gives 0 for
    each position), tokens that differ, no near ties, rows that end here and there."""
    if not looks_somewhere(result, lengths):
        return False
    if "outputs" not in result or result["outputs"].shape[2] == 1:
        return True
    if options.get("ties"):
        return np.all(result["tokens"] == 1)
    live = result["outputs"][np.any(result["outputs"] != 0, -1)]
    two = np.sort(live, -1)[:, -2:]
    if np.min(two[:, 1] - two[:, 0]) < 1e-3 or len(np.unique(result["tokens"])) < 2:
        return False
    return "output_lengths" not in result or len(np.unique(result["output_lengths"])) >= 3


def main(only):
    for seed, (name, (config, options)) in enumerate((KERAS3_CASES if KERAS == 3 else KERAS2_CASES).items()):
        if not only or name in only:
            make(name, config, options, seed)


if __name__ == "__main__":
    main(sys.argv[1:])
