"""PyTorch's own modules in float64, for structure_walk.py: nn.GRU, nn.LSTM and their cells, nn.Linear,
nn.Embedding, and its activations.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from structure_models import sides_of

torch.set_grad_enabled(False)
SIDES = "forward", "backward"


class Exponential(nn.Module):
    def forward(self, x):
        return torch.exp(x)


class ByFive(nn.Module):
    """Keras 2's hard sigmoid, which PyTorch does not have."""

    def forward(self, x):
        return torch.clamp(0.2 * x + 0.5, 0, 1)


ACTIVATIONS = {
    "linear": nn.Identity(),
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "sigmoid": nn.Sigmoid(),
    "hard_sigmoid": nn.Hardsigmoid(),
    "hard_sigmoid_keras2": ByFive(),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "swish": nn.SiLU(),
    "softplus": nn.Softplus(
        threshold=1000
    ),  # the formula itself; 20, the default, is beyond its own rounding
    "softsign": nn.Softsign(),
    "leaky_relu": nn.LeakyReLU(),
    "leaky_relu_0.2": nn.LeakyReLU(0.2),
    "leaky_relu_0.3": nn.LeakyReLU(0.3),
    "exponential": Exponential(),
    "hard_tanh": nn.Hardtanh(),
}


def tensor(x):
    return torch.from_numpy(np.ascontiguousarray(x))


def gates(kind, matrix):
    """From cuseq's [inputs, gates x units] to PyTorch's [gates x units, inputs]: GRU z, r, n to r, z, n."""
    if kind == "gru":
        z, r, n = np.split(matrix, 3, -1)
        matrix = np.concatenate([r, z, n], -1)
    return tensor(matrix.T)


def load(module, cell, weights, ending):
    """A module's parameters of one direction of one layer."""
    assert cell.get("activation", "tanh") == "tanh" and cell.get("reset", "after") == "after"
    assert cell.get("recurrent_activation", "sigmoid") == "sigmoid"
    kind, width = cell["kind"], weights["recurrent_kernel"].shape[1]
    getattr(module, "weight_ih" + ending).copy_(gates(kind, weights["kernel"]))
    getattr(module, "weight_hh" + ending).copy_(gates(kind, weights["recurrent_kernel"]))
    if module.bias:
        for name, bias in (("bias_ih", "bias"), ("bias_hh", "recurrent_bias")):
            getattr(module, name + ending).copy_(gates(kind, weights.get(bias, np.zeros(width))))


def has_bias(weights):
    return "bias" in weights or "recurrent_bias" in weights


def run_module(sides, weights, x, lengths, start):
    """One nn.GRU or nn.LSTM over the sides [(direction, cell)], all of one cell. A backward one alone is half
    of a module of two directions."""
    cell = sides[0][1]
    module = (nn.GRU if cell["kind"] == "gru" else nn.LSTM)(
        x.shape[2],
        cell["units"],
        batch_first=True,
        bidirectional=any(side == "backward" for side, _ in sides),
        bias=any(has_bias(weights[side]) for side, _ in sides),
    ).double()
    state = [np.zeros((2 if module.bidirectional else 1, len(x), cell["units"])) for _ in "hc"]
    for side, _ in sides:
        load(module, cell, weights[side], "_l0_reverse" if side == "backward" else "_l0")
        for number in range(2 if start else 0):
            state[number][SIDES.index(side)] = start[side][number]
    state = [tensor(s) for s in state]
    time, x = x.shape[1], tensor(x)
    if lengths is not None:
        x = pack_padded_sequence(x, torch.from_numpy(lengths.astype(np.int64)), True, enforce_sorted=False)
    hidden, final = module(x, state[0] if cell["kind"] == "gru" else tuple(state))
    if lengths is not None:
        hidden, _ = pad_packed_sequence(hidden, batch_first=True, total_length=time)
    h, c = (final, torch.zeros_like(final)) if cell["kind"] == "gru" else final
    halves = dict(zip(SIDES, np.split(hidden.numpy(), len(h), -1)))
    ends = {side: (h[SIDES.index(side)].numpy(), c[SIDES.index(side)].numpy()) for side, _ in sides}
    return {side: halves[side] for side, _ in sides}, ends


def encode_layer(layer, weights, x, lengths, start):
    sides, hidden, ends = sides_of(layer), {}, {}
    for together in [sides] if "backward_cell" not in layer else [[side] for side in sides]:
        made, states = run_module(together, weights, x, lengths, start)
        hidden.update(made)
        ends.update(states)
    merge = layer.get("merge", "concat")
    if len(hidden) == 1 or merge == "concat":
        return np.concatenate(list(hidden.values()), -1), ends
    assert merge == "sum"  # as people add them; the other merges are Keras' own
    return hidden["forward"] + hidden["backward"], ends


def cell(cell, weights):
    inputs = weights["kernel"].shape[0]
    kind = nn.GRUCell if cell["kind"] == "gru" else nn.LSTMCell
    module = kind(inputs, cell["units"], bias=has_bias(weights)).double()
    load(module, cell, weights, "")

    def step(x, h, c):
        if cell["kind"] == "gru":
            return module(tensor(x), tensor(h)).numpy(), c
        return tuple(state.numpy() for state in module(tensor(x), (tensor(h), tensor(c))))

    return step


def dense(part, kernel, bias):
    module = nn.Linear(*kernel.shape, bias=bias is not None).double()
    module.weight.copy_(tensor(kernel.T))
    if bias is not None:
        module.bias.copy_(tensor(bias))
    activation = ACTIVATIONS[part.get("activation", "linear")]
    return lambda x: activation(module(tensor(x))).numpy()


def norm(epsilon, scale, offset):
    module = nn.LayerNorm(len(scale), eps=epsilon).double()
    module.weight.copy_(tensor(scale))
    module.bias.copy_(tensor(offset))
    return lambda x: module(tensor(x)).numpy()


def embedding(table):
    module = nn.Embedding.from_pretrained(tensor(table))
    return lambda ids: module(torch.from_numpy(np.asarray(ids, np.int64))).numpy()


def multi_head(attention, weights, query, x, mask):
    """The contexts of nn.MultiheadAttention, and the mean of its heads' weights; of inner products and maps that are
    as wide as what asks, else None. Its output projection is the unit matrix: what is behind an attention is another
    layer's."""
    width, given, heads = query.shape[2], x.shape[2], attention.get("heads", 1)
    maps = [attention.get(name, {}) for name in ("query", "key", "value")]
    if attention["score"] != "dot" or any(part.get("units") != width for part in maps):
        return None
    assert attention["scale"] == (width / heads) ** -0.5
    module = nn.MultiheadAttention(width, heads, kdim=given, vdim=given, batch_first=True).double()
    kernels = [tensor(weights[name + "_map.kernel"].T) for name in ("query", "key", "value")]
    biases = [weights.get(name + "_map.bias", np.zeros(width)) for name in ("query", "key", "value")]
    if width == given:
        module.in_proj_weight.copy_(torch.cat(kernels))
    else:
        for name, kernel in zip(("q", "k", "v"), kernels):
            getattr(module, name + "_proj_weight").copy_(kernel)
    module.in_proj_bias.copy_(tensor(np.concatenate(biases)))
    module.out_proj.weight.copy_(torch.eye(width))
    module.out_proj.bias.zero_()
    x, left_out = tensor(x), ~torch.from_numpy(mask)
    return [y.numpy() for y in module(tensor(query), x, x, key_padding_mask=left_out, average_attn_weights=True)]


def self_attention(attention, weights, x, mask):
    made = multi_head(attention, weights, x, x, mask)
    return made and made[0]


def softmax(x):
    return nn.Softmax(-1)(tensor(x)).numpy()


def log_softmax(x):
    return nn.LogSoftmax(-1)(tensor(x)).numpy()


def pool(kind, x, lengths):
    rows = [tensor(row[:length]) for row, length in zip(x, lengths)]
    return np.stack([(row.mean(0) if kind == "mean" else row.max(0).values).numpy() for row in rows])
