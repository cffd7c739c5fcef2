"""Activations, dense layers and cells of version 2 models in numpy, float64, for structure_numpy.py:
written from docs/model-format.md alone.
"""

import math

import numpy as np

SELU = 1.0507009873554805, 1.6732632423543772
ERF = np.vectorize(math.erf, otypes=[float])


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def leaky(slope):
    return lambda x: np.where(x > 0, x, slope * x)


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


ACTIVATIONS = {
    "linear": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_keras2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "elu": elu,
    "selu": lambda x: SELU[0] * elu(x, SELU[1]),
    "gelu": lambda x: x / 2 * (1 + ERF(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "swish": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "leaky_relu": leaky(0.01),
    "leaky_relu_0.2": leaky(0.2),
    "leaky_relu_0.3": leaky(0.3),
    "exponential": np.exp,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
}


def log_softmax(x):
    x = x - np.max(x)
    return x - np.log(np.sum(np.exp(x)))


def softmax(x):
    return np.exp(log_softmax(x))


class Weights:
    """The tensors, in float64, each of which must be read."""

    def __init__(self, tensors):
        self.tensors = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
        self.unread = set(tensors)

    def __getitem__(self, name):
        self.unread.discard(name)
        return self.tensors[name]


# ---- layers ----


def normalise(w, norm, prefix, sums):
    first = norm.get("first", 0)
    some = slice(first, first + norm.get("units", sums.shape[-1] - first))
    z = sums[..., some]
    variance = np.mean((z - np.mean(z, -1, keepdims=True)) ** 2, -1, keepdims=True)
    made = (z - np.mean(z, -1, keepdims=True)) / np.sqrt(variance + float(np.float32(norm["epsilon"])))
    sums = np.array(sums)
    sums[..., some] = w[prefix + ".norm.scale"] * made + w[prefix + ".norm.offset"]
    return sums


def dense(w, part, prefix, x, kernel=None, vector=False):
    """One dense layer. vector: softmax and log_softmax are left to the caller."""
    sums = x @ (w[prefix + ".kernel"] if kernel is None else kernel)
    if part.get("bias", True):
        sums = sums + w[prefix + ".bias"]
    if "norm" in part:
        sums = normalise(w, part["norm"], prefix, sums)
    activation = part.get("activation", "linear")
    if activation in ("softmax", "log_softmax"):
        assert vector
        return sums
    return ACTIVATIONS[activation](sums)


def optional_dense(w, parent, key, prefix, x):
    return dense(w, parent[key], prefix, x) if key in parent else x


def step_cell(w, cell, prefix, x, h, c):
    act = ACTIVATIONS[cell.get("activation", "tanh")]
    rec = ACTIVATIONS[cell.get("recurrent_activation", "sigmoid")]
    units, kernel, recurrent = cell["units"], w[prefix + ".kernel"], w[prefix + ".recurrent_kernel"]
    with_bias = cell.get("bias", True)
    sums = x @ kernel + (w[prefix + ".bias"] if with_bias else 0)
    if cell["kind"] == "lstm":
        i, f, g, o = np.split(sums + h @ recurrent, 4)
        c = rec(f) * c + rec(i) * act(g)
        return rec(o) * act(c), c
    after = cell.get("reset", "after") == "after"
    has_second = cell.get("recurrent_bias", after and with_bias)
    second = w[prefix + ".recurrent_bias"] if has_second else np.zeros(3 * units)
    of_z, of_r, of_n = (slice(k * units, (k + 1) * units) for k in range(3))
    z = rec(sums[of_z] + h @ recurrent[:, of_z] + second[of_z])
    r = rec(sums[of_r] + h @ recurrent[:, of_r] + second[of_r])
    if after:
        n = act(sums[of_n] + r * (h @ recurrent[:, of_n] + second[of_n]))
    else:
        n = act(sums[of_n] + (r * h) @ recurrent[:, of_n])
    return z * h + (1 - z) * n, np.zeros(units)
