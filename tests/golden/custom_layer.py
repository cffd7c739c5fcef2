"""Models around the attention layer of examples/notebook, which is that of docs/from-keras.md, "From a hand-written
attention layer"."""

import pathlib
import sys

import keras
from keras.layers import LSTM, Bidirectional, Concatenate, Dense, Input, RepeatVector

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "notebook"))

from manual_attention import ManualAttention


class Sizes:
    def __init__(self, T=6, F=5, H=3, S=4, Y=3, V=4):
        self.T, self.F, self.H, self.S, self.Y, self.V = T, F, H, S, Y, V


def initial_states(kind, h, c, sizes):
    """Returns s, c and the model's further inputs."""
    if kind == "encoder":
        return h, c, []
    if kind == "dense":
        return Dense(sizes.S, activation="tanh")(h), Dense(sizes.S, activation="tanh")(c), []
    if kind == "half":  # h through a Dense layer, c zeros
        zeros = Input((sizes.S,), name="c0")
        return Dense(sizes.S)(h), zeros, [zeros]
    if kind == "plain_half":  # h the encoder's, c zeros
        zeros = Input((2 * sizes.H,), name="c0")
        return h, zeros, [zeros]
    s, zeros = Input((sizes.S,), name="s0"), Input((sizes.S,), name="c0")
    return s, zeros, [s, zeros]


def build(kind, steps, sizes):
    """The model as its author has it, and the tensors that a run of cuseq gives, by name."""
    inputs = Input((sizes.T, sizes.F))
    encoder = Bidirectional(LSTM(sizes.H, return_sequences=True, return_state=True))
    sequence, h_fw, c_fw, h_bw, c_bw = encoder(inputs)
    h, c = Concatenate()([h_fw, h_bw]), Concatenate()([c_fw, c_bw])
    attention = ManualAttention(sizes.S)
    if not steps:
        s = h if kind == "encoder" else Dense(sizes.S, activation="tanh" if kind == "dense" else None)(h)
        context, alphas = attention(sequence, s)
        return keras.Model(inputs, [context, alphas]), {"context": [context], "alphas": [alphas]}
    s, c, further = initial_states(kind, h, c, sizes)
    decoder, output = LSTM(s.shape[-1], return_state=True), Dense(sizes.V, activation="softmax")
    row, probes = RepeatVector(1), {"context": [], "alphas": [], "states": [], "outputs": []}
    for _ in range(sizes.Y):
        context, alphas = attention(sequence, s)
        s, _, c = decoder(row(context), initial_state=[s, c])
        for name, tensor in zip(probes, (context, alphas, s, output(s))):
            probes[name].append(tensor)
    return keras.Model([inputs, *further], list(probes["outputs"])), probes
