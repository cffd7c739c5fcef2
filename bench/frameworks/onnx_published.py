"""W5 to W9 as ONNX graphs: LSTM and GRU nodes, the decoders unrolled, each step's token gathered from the table of the one
before. There is no beam search among the operators."""

import numpy as np
from onnx import TensorProto

from onnx_model import Graph
from workload import Workload


class Builder:
    """A workload's graph while it is made."""

    def __init__(self, w: Workload) -> None:
        self.w, self.graph = w, Graph()
        self.axes: dict[int, str] = {}

    def axis(self, number: int) -> str:
        """A constant that names an axis."""
        if number not in self.axes:
            self.axes[number] = self.graph.constant(np.array([number], np.int64))
        return self.axes[number]

    def tensor(self, name: str) -> str:
        """One of the model's tensors."""
        return self.graph.constant(self.w.tensors[name])

    def dense(self, x: str, kernel: str, bias: str | None = None) -> str:
        """x kernel + bias over the last axis."""
        product = self.graph.add("MatMul", x, self.tensor(kernel))
        return self.graph.add("Add", product, self.tensor(bias)) if bias else product

    def squeeze(self, x: str, axis: int) -> str:
        return self.graph.add("Squeeze", x, self.axis(axis))

    def unsqueeze(self, x: str, axis: int) -> str:
        return self.graph.add("Unsqueeze", x, self.axis(axis))

    def cell(self, kind: str, prefixes: list[str], x: str, *state: str) -> list[str]:
        """A node; its outputs."""
        node = self.graph.gru if kind == "gru" else self.graph.lstm
        return node(prefixes, self.w.tensors, x, *state)

    def encode(self, x: str) -> tuple[str, list[list[str]]]:
        """All layers: annotations [T,B,A] and the final states [D,B,H] of each."""
        finals, layers = [], self.w.config["encoder"]["layers"]
        for number, layer in enumerate(layers):
            both = layer["direction"] == "bidirectional"
            prefixes = [f"encoder.layers.{number}.{d}" for d in ("forward", "backward")[: 1 + both]]
            y, *final = self.cell(layer["cell"]["kind"], prefixes, x)
            shape = self.graph.constant(np.array([self.w.T, self.w.B, -1], np.int64))
            x = self.graph.add("Reshape", self.graph.add("Transpose", y, perm=[0, 2, 1, 3]), shape)
            finals.append(final)
        return x, finals

    def initial(self, final: str) -> str:
        """The directions' final states [D,B,H] side by side, as a node of one step takes them: [1,B,S]."""
        shape = self.graph.constant(np.array([1, self.w.B, self.w.S], np.int64))
        return self.graph.add("Reshape", self.graph.add("Transpose", final, perm=[1, 0, 2]), shape)

    def attend(self, energies: str, values: str) -> str:
        """Energies [B,T,1] and annotations [B,T,A]: the context [B,A]."""
        alphas = self.graph.add("Transpose", self.graph.add("Softmax", energies, axis=1), perm=[0, 2, 1])
        return self.squeeze(self.graph.add("MatMul", alphas, values), 1)


class Bahdanau:
    """W5's attention and cell."""

    def __init__(self, builder: Builder, annotations: str, finals: list[list[str]]) -> None:
        self.builder, self.values = builder, annotations
        self.keys = builder.dense(annotations, "attention.key", "attention.bias")
        self.h = builder.initial(finals[0][0])
        self.value = builder.graph.constant(builder.w.tensors["attention.value"].reshape(-1, 1))

    def step(self, token: str) -> str:
        """What the output reads."""
        b, add = self.builder, self.builder.graph.add
        query = b.unsqueeze(b.dense(b.squeeze(self.h, 0), "attention.query"), 1)
        energies = add("MatMul", add("Tanh", add("Add", self.keys, query)), self.value)
        x = add("Concat", token, b.attend(energies, self.values), axis=1)
        _, self.h = b.cell("gru", ["decoder.layers.0"], b.unsqueeze(x, 0), self.h)
        return b.squeeze(self.h, 0)


class Luong:
    """W6's and W9's."""

    def __init__(self, builder: Builder, annotations: str, finals: list[list[str]]) -> None:
        self.builder, self.values = builder, annotations
        self.general = builder.graph.constant(builder.w.tensors["attention.general"].T)
        layers = len(builder.w.config["decoder"]["layers"])
        self.states = [[builder.initial(s) for s in finals[layer]] for layer in range(layers)]
        self.feeds = "attentional" in builder.w.config["decoder"]["reads"]
        self.fed = builder.graph.constant(np.zeros((builder.w.B, builder.w.S), np.float32))

    def step(self, token: str) -> str:
        """What the output reads."""
        b, add = self.builder, self.builder.graph.add
        x = b.unsqueeze(add("Concat", token, self.fed, axis=1) if self.feeds else token, 0)
        for layer, state in enumerate(self.states):
            _, *self.states[layer] = b.cell("lstm", [f"decoder.layers.{layer}"], x, *state)
            x = self.states[layer][0]
        h = b.squeeze(x, 0)
        energies = add("MatMul", self.values, b.unsqueeze(add("MatMul", h, self.general), 2))
        read = add("Concat", b.attend(energies, self.values), h, axis=1)
        self.fed = add("Tanh", b.dense(read, "decoder.attentional.kernel"))
        return self.fed


def decode(builder: Builder, annotations: str, finals: list[list[str]]) -> list[str]:
    """The unrolled decoder: tokens and log-probabilities [B,Y]."""
    w, add = builder.w, builder.graph.add
    annotations = add("Transpose", annotations, perm=[1, 0, 2])
    kind = Bahdanau if w.config["attention"]["score"] == "additive" else Luong
    decoder = kind(builder, annotations, finals)
    table = builder.tensor("decoder.embedding")
    token = builder.graph.constant(np.zeros(w.B, np.int64))
    tokens, probabilities = [], []
    for _ in range(w.Y):
        read = decoder.step(add("Gather", table, token, axis=0))
        logits = builder.dense(read, "output.layers.0.kernel", "output.layers.0.bias")
        token = add("ArgMax", logits, axis=1, keepdims=0)
        tokens.append(builder.unsqueeze(token, 1))
        probabilities.append(add("ReduceMax", add("LogSoftmax", logits, axis=1), axes=[1], keepdims=1))
    return [add("Concat", *tokens, axis=1), add("Concat", *probabilities, axis=1)]


def make_published(w: Workload) -> tuple[bytes, list[str], dict[str, np.ndarray]]:
    """The model's bytes, its outputs and its inputs."""
    builder = Builder(w)
    add = builder.graph.add
    if w.encode_only:
        x = {"x": np.ascontiguousarray(w.input.transpose(1, 0, 2)), "lengths": np.array(w.lengths, np.int32)}
        prefixes = [f"encoder.layers.0.{d}" for d in ("forward", "backward")]
        y, _, _ = builder.graph.lstm(prefixes, w.tensors, "x", lengths="lengths")
        return builder.graph.model(x, [y], [TensorProto.FLOAT]), [y], x
    x = {"x": np.ascontiguousarray(w.input.T)}
    embedded = add("Gather", builder.tensor("input.embedding"), "x", axis=0)
    annotations, finals = builder.encode(embedded)
    if "decoder" in w.config:
        outputs = decode(builder, annotations, finals)
        return builder.graph.model(x, outputs, [TensorProto.INT64, TensorProto.FLOAT]), outputs, x
    logits = builder.dense(annotations, "output.layers.0.kernel", "output.layers.0.bias")
    outputs = [add("Transpose", add("Softmax", logits, axis=2), perm=[1, 0, 2])]
    return builder.graph.model(x, outputs, [TensorProto.FLOAT]), outputs, x
