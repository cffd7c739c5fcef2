"""Keras' own layers in float64, for structure_walk.py: GRU, LSTM, Bidirectional and their cells, Dense,
Embedding, pooling, and its activations. For Keras 3, and Keras 2 with its own hard sigmoid.
"""

import os

os.environ["JAX_ENABLE_X64"] = "1"
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

keras.backend.set_floatx("float64")

from keras_runner import as_tensor, with_weights
from structure_models import sides_of

layers, activations = keras.layers, keras.activations
KERAS = int(keras.__version__.split(".")[0])
if KERAS == 3:
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

    BIT64_TO_BIT32_DTYPE["float64"] = "float64"


def activation(name):
    """What a Keras layer takes as its activation."""
    if name == "gelu_tanh":
        return lambda x: activations.gelu(x, approximate=True)
    if name == "leaky_relu_0.2":
        return activations.leaky_relu
    if name == "leaky_relu_0.3":
        return layers.LeakyReLU()
    assert (name == "hard_sigmoid_keras2") <= (KERAS == 2) and (name == "hard_sigmoid") <= (KERAS == 3)
    return name.replace("_keras2", "")


def options_of(cell):
    options = {
        "activation": activation(cell.get("activation", "tanh")),
        "recurrent_activation": activation(cell.get("recurrent_activation", "sigmoid")),
        "use_bias": cell.get("bias", True),
    }
    if cell["kind"] == "gru":
        options["reset_after"] = cell.get("reset", "after") == "after"
    return options


def weights_of(cell, weights):
    """In Keras' order; the two biases of a GRU are the rows of one array."""
    kernels = [weights["kernel"], weights["recurrent_kernel"]]
    if "recurrent_bias" in weights:
        return kernels + [np.stack([weights["bias"], weights["recurrent_bias"]])]
    assert cell.get("reset", "after") == "before" or cell["kind"] == "lstm" or "bias" not in weights
    return kernels + ([weights["bias"]] if "bias" in weights else [])


def layer_of(cell, **options):
    kind = layers.GRU if cell["kind"] == "gru" else layers.LSTM
    return kind(cell["units"], return_sequences=True, return_state=True, **options_of(cell), **options)


def encode_layer(layer, weights, x, lengths, start):
    sides, options = sides_of(layer), {}
    if lengths is not None:
        options["mask"] = np.arange(x.shape[1])[None] < lengths[:, None]
    if start is not None:
        count = 1 if sides[0][1]["kind"] == "gru" else 2
        options["initial_state"] = [as_tensor(s) for side, _ in sides for s in start[side][:count]]
    if len(sides) == 2:
        module = layers.Bidirectional(layer_of(sides[0][1]), merge_mode=layer.get("merge", "concat"))
        if "backward_cell" in layer:
            backward = layer_of(sides[1][1], go_backwards=True)
            module = layers.Bidirectional(
                layer_of(sides[0][1]), backward_layer=backward, merge_mode=layer.get("merge", "concat")
            )
    else:
        module = layer_of(sides[0][1], go_backwards=sides[0][0] == "backward")
    parameters = [w for side, cell in sides for w in weights_of(cell, weights[side])]
    hidden, *states = [np.array(v) for v in with_weights(module, parameters, x, **options)(x, **options)]
    ends = {}
    for side, cell in sides:
        h = states.pop(0)
        ends[side] = h, states.pop(0) if cell["kind"] == "lstm" else np.zeros_like(h)
    if len(sides) == 1 and sides[0][0] == "backward":
        hidden = hidden[:, ::-1]  # in the order in which they were read: as many positions as the row has
    return hidden, ends


def cell(cell, weights):
    kind = layers.GRUCell if cell["kind"] == "gru" else layers.LSTMCell
    count = 1 if cell["kind"] == "gru" else 2
    module = kind(cell["units"], **options_of(cell))
    empty = np.zeros((1, cell["units"]))
    with_weights(
        module,
        weights_of(cell, weights),
        as_tensor(np.zeros((1, len(weights["kernel"])))),
        [as_tensor(empty)] * count,
    )

    def step(x, h, c):
        _, states = module(as_tensor(x), [as_tensor(s) for s in (h, c)[:count]])
        states = [np.array(s) for s in (states if isinstance(states, (list, tuple)) else [states])]
        return states[0], states[1] if count == 2 else c

    return step


def dense(part, kernel, bias):
    name = activation(part.get("activation", "linear"))
    module = layers.Dense(kernel.shape[1], activation=name, use_bias=bias is not None)
    weights = [kernel] + ([bias] if bias is not None else [])
    with_weights(module, weights, np.zeros((1, len(kernel))))
    return lambda x: np.array(module(x))


def norm(epsilon, scale, offset):
    module = with_weights(layers.LayerNormalization(epsilon=epsilon), [scale, offset], np.zeros((1, len(scale))))
    return lambda x: np.array(module(x))


def embedding(table):
    module = with_weights(layers.Embedding(*table.shape), [table], np.zeros(1, np.int32))
    return lambda ids: np.array(module(np.asarray(ids, np.int32)))


def multi_head(attention, weights, query, x, mask):
    """The contexts of MultiHeadAttention, whose output projection is the unit matrix, and the mean of its heads'
    weights."""
    heads, width = attention["heads"], attention["value"]["units"]
    units = attention["key"]["units"] // heads
    assert attention["scale"] == units**-0.5
    module = layers.MultiHeadAttention(heads, units, value_dim=width // heads, output_shape=width)
    parameters = []
    for name in ("query", "key", "value"):
        kernel = weights[name + "_map.kernel"]
        parameters.append(kernel.reshape(len(kernel), heads, -1))
        parameters.append(weights.get(name + "_map.bias", np.zeros(kernel.shape[1])).reshape(heads, -1))
    parameters += [np.eye(width).reshape(heads, -1, width), np.zeros(width)]
    options = {"attention_mask": np.repeat(mask[:, None], query.shape[1], 1)}
    options["return_attention_scores"] = True  # else jax needs values that are as wide as keys
    context, alphas = with_weights(module, parameters, query, x, **options)(query, x, **options)
    return np.array(context), np.array(alphas).mean(1)


def self_attention(attention, weights, x, mask):
    """MultiHeadAttention, or Attention and AdditiveAttention behind Dense layers, all with a scale."""
    if "heads" in attention:
        return multi_head(attention, weights, x, x, mask)[0]
    parts = {}
    for name in ("query", "value", "key"):
        y = x
        if name in attention:
            y = dense(attention[name], weights[name + "_map.kernel"], weights.get(name + "_map.bias"))(y)
        if attention["score"] == "additive" and name != "value":
            y = dense({}, weights[name], weights.get("bias") if name == "key" else None)(y)
        parts[name] = y
    if attention["score"] == "additive":
        assert "scale" not in attention
        module, scale = layers.AdditiveAttention(use_scale=True), weights["value"]
    else:
        assert attention["score"] == "dot"
        module, scale = layers.Attention(use_scale=True), np.array(attention.get("scale", 1.0), np.float32)
    inputs = [as_tensor(y) for y in parts.values()]
    return np.array(with_weights(module, [scale], inputs)(inputs, mask=[mask, mask]))


def softmax(x):
    return np.array(activations.softmax(as_tensor(x)))


def log_softmax(x):
    if KERAS == 2:
        return np.log(softmax(x))
    return np.array(activations.log_softmax(as_tensor(x)))


def pool(kind, x, lengths):
    if kind == "mean":
        mask = np.arange(x.shape[1])[None] < lengths[:, None]
        return np.array(layers.GlobalAveragePooling1D()(x, mask=mask))
    rows = [np.array(layers.GlobalMaxPooling1D()(row[None, :length])) for row, length in zip(x, lengths)]
    return np.concatenate(rows)
