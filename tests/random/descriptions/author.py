"""A model as its author wrote it in PyTorch: the tensors of its state_dict under PyTorch's names, and what
its forward pass computes of them, in plain Python, whose numbers are float64. Nothing here knows of
cuseq's converter."""

import math
import random

from arrays import Tensor

ACTIVATIONS = {
    "linear": lambda x: x,
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x)),
}


def matrix(weight: Tensor, x: list[float], bias: Tensor | None = None) -> list[float]:
    """nn.Linear: weight [out, in] times x, plus bias."""
    result = [math.fsum(a * b for a, b in zip(row, x, strict=True)) for row in weight.rows()]
    return [a + b for a, b in zip(result, bias.numbers, strict=True)] if bias else result


def softmax(energies: list[float]) -> list[float]:
    """Of a vector."""
    largest = max(energies)
    parts = [math.exp(energy - largest) for energy in energies]
    return [part / math.fsum(parts) for part in parts]


class Author:
    """The options of a model, drawn at random, and its tensors."""

    def __init__(self, rng: random.Random):
        self.rng, self.tensors = rng, {}
        pick, chance = rng.choice, lambda p: rng.random() < p
        self.features, self.units, self.inner = pick([2, 3, 4]), pick([2, 3, 4]), pick([2, 3, 4])
        self.layers, self.both = pick([1, 1, 1, 2, 3]), chance(0.65)
        self.bias = chance(0.85)
        self.split = pick([""] * 15 + ["cells", "layers"] * 2)  # the encoder is modules of their own
        self.width = self.units * (2 if self.both else 1)
        self.vocabulary = pick([0, 0, 5])
        self.score = pick(["concat"] * 4 + ["additive"] * 2 + ["general"] * 2 + ["dot"])
        self.initial = pick(["zeros", "encoder", "encoder", "dense"])
        self.initial_activation = pick(["tanh", "linear", "relu", "sigmoid"])
        self.state = (
            self.width if self.initial == "encoder" or self.score == "dot" else pick([2, 3, self.width])
        )
        self.only = chance(0.2)
        self.scale = pick([None, None, None, 0.5, -1.5])
        self.draw_attention(pick, chance)
        self.draw_decoder(pick, chance)
        self.dtype = pick(["F32"] * 6 + ["F64", "F16", "BF16"])
        self.make_tensors()

    def draw_attention(self, pick, chance) -> None:
        """The attention's options."""
        self.energies = [pick(["tanh", "relu", "sigmoid", "linear"]) for _ in range(pick([1, 2, 2, 3]))]
        self.state_first, self.of_state = chance(0.4), chance(0.4)
        self.value_vector, self.key_bias, self.query_bias = chance(0.4), chance(0.5), chance(0.5)
        self.general_bias = chance(0.2) and not self.of_state

    def draw_decoder(self, pick, chance) -> None:
        """The decoder's and the output's options."""
        self.steps, self.classes = pick([1, 2, 3, 4]), pick([3, 4, 5])
        self.feedback, self.embedded = chance(0.4), pick([0, 2, 3])
        self.fed_first, self.cell_class = chance(0.5), pick(["LSTM", "LSTMCell"])
        self.softmax = self.feedback or chance(0.8)
        self.output_bias, self.start, self.end = chance(0.9), pick([0, 1]), pick([None, None, None, 2])

    # ---- tensors

    def add(self, name: str, *shape: int) -> None:
        """A tensor of numbers that float16 and bfloat16 have too."""
        count = math.prod(shape)
        wide = 1 if name.startswith(("out.", "energy.")) else 2
        numbers = [self.rng.randint(-60, 60) / (64 * wide) * (2 if wide == 1 else 1) for _ in range(count)]
        self.tensors[name] = Tensor(shape, numbers, self.dtype)

    def add_linear(self, name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        """nn.Linear."""
        self.add(f"{name}.weight", outputs, inputs)
        if bias:
            self.add(f"{name}.bias", outputs)

    def add_lstm(self, prefix: str, ending: str, inputs: int, units: int, bias: bool) -> None:
        """One layer and direction of nn.LSTM, or with an empty ending an nn.LSTMCell."""
        self.add(f"{prefix}.weight_ih{ending}", 4 * units, inputs)
        self.add(f"{prefix}.weight_hh{ending}", 4 * units, units)
        if bias:
            self.add(f"{prefix}.bias_ih{ending}", 4 * units)
            self.add(f"{prefix}.bias_hh{ending}", 4 * units)

    def encoder_name(self, layer: int, side: int) -> tuple[str, str]:
        """Module and ending of one layer and direction."""
        if self.split == "cells":
            return f"cells.{layer}.{('forward', 'backward')[side]}", ""
        ending = "_reverse" if side else ""
        return (f"stack.{layer}", f"_l0{ending}") if self.split else ("rnn", f"_l{layer}{ending}")

    def make_tensors(self) -> None:
        """All of them."""
        width, state = self.width, self.state
        if self.vocabulary:
            self.add("embed.weight", self.vocabulary, self.features)
        for layer in range(self.layers):
            for side in range(2 if self.both else 1):
                inputs = width if layer else self.features
                self.add_lstm(*self.encoder_name(layer, side), inputs, self.units, self.bias)
        self.make_attention(width, state)
        if self.initial == "dense":
            self.add_linear("bridge_h", width, state)
            if not self.only:
                self.add_linear("bridge_c", width, state)
        if not self.only:
            fed = (self.embedded or self.classes) if self.feedback else 0
            self.add_lstm("cell", self.cell_ending(), width + fed, state, self.bias)
            if self.feedback and self.embedded:
                self.add("target.weight", self.classes, self.embedded)
            self.add_linear("out", state, self.classes, self.output_bias)

    def cell_ending(self) -> str:
        """Of the decoder's tensors."""
        return "_l0" if self.cell_class == "LSTM" else ""

    def make_attention(self, width: int, state: int) -> None:
        """The attention's."""
        if self.score == "concat":
            inputs = width + state
            for index in range(len(self.energies)):
                outputs = 1 if index == len(self.energies) - 1 else self.inner
                self.add_linear(f"energy.{2 * index}", inputs, outputs)
                inputs = outputs
        elif self.score == "additive":
            self.add_linear("keys", width, self.inner, self.key_bias)
            self.add_linear("queries", state, self.inner, self.query_bias)
            if self.value_vector:
                self.add("v", self.inner)
            else:
                self.add_linear("value", self.inner, 1, self.key_bias)
        elif self.score == "general":
            sizes = (state, width) if self.of_state else (width, state)
            self.add_linear("map", *sizes, self.general_bias)

    # ---- forward pass

    def lstm_step(self, prefix: str, ending: str, x, h, c) -> tuple[list[float], list[float]]:
        """h and c behind one step; PyTorch's gates are i, f, g, o."""
        tensors, units = self.tensors, len(h)
        z = matrix(tensors[f"{prefix}.weight_ih{ending}"], x, tensors.get(f"{prefix}.bias_ih{ending}"))
        r = matrix(tensors[f"{prefix}.weight_hh{ending}"], h, tensors.get(f"{prefix}.bias_hh{ending}"))
        z = [a + b for a, b in zip(z, r, strict=True)]
        gates = [z[k * units : (k + 1) * units] for k in range(4)]
        i, f, o = ([ACTIVATIONS["sigmoid"](v) for v in gates[k]] for k in (0, 1, 3))
        g = [math.tanh(v) for v in gates[2]]
        c = [f[k] * c[k] + i[k] * g[k] for k in range(units)]
        return [o[k] * math.tanh(c[k]) for k in range(units)], c

    def encode(self, row: list) -> dict:
        """Annotations and final states of one row, all of whose positions count."""
        xs = [self.tensors["embed.weight"].row(token) for token in row] if self.vocabulary else row
        finals: dict = {}
        for layer in range(self.layers):
            sides = []
            for side in range(2 if self.both else 1):
                name, h, c = self.encoder_name(layer, side), [0.0] * self.units, [0.0] * self.units
                outputs = []
                for x in xs[::-1] if side else xs:
                    h, c = self.lstm_step(*name, x, h, c)
                    outputs.append(h)
                sides.append(outputs[::-1] if side else outputs)
                finals["h_" + ("fw", "bw")[side]], finals["c_" + ("fw", "bw")[side]] = h, c
            xs = [sum(parts, []) for parts in zip(*sides)]
        return {"annotations": xs, **finals}

    def energy(self, a: list[float], s: list[float]) -> float:
        """Of one annotation and a state."""
        tensors = self.tensors
        if self.score == "concat":
            u = s + a if self.state_first else a + s
            for index, activation in enumerate(self.energies):
                u = matrix(tensors[f"energy.{2 * index}.weight"], u, tensors[f"energy.{2 * index}.bias"])
                u = [ACTIVATIONS[activation](v) for v in u]
            return u[0]
        if self.score == "additive":
            key = matrix(tensors["keys.weight"], a, tensors.get("keys.bias"))
            query = matrix(tensors["queries.weight"], s, tensors.get("queries.bias"))
            hidden = [math.tanh(x + y) for x, y in zip(key, query, strict=True)]
            if self.value_vector:
                return math.fsum(x * y for x, y in zip(hidden, tensors["v"].numbers, strict=True))
            return matrix(tensors["value.weight"], hidden, tensors.get("value.bias"))[0]
        if self.score == "general" and self.of_state:
            s = matrix(tensors["map.weight"], s)
        elif self.score == "general":
            a = matrix(tensors["map.weight"], a, tensors.get("map.bias"))
        return math.fsum(x * y for x, y in zip(a, s, strict=True))

    def attend(self, annotations: list, s: list[float]) -> tuple[list[float], list[float]]:
        """Context and alphas."""
        alphas = softmax([(1 if self.scale is None else self.scale) * self.energy(a, s) for a in annotations])
        context = [
            math.fsum(alpha * a[k] for alpha, a in zip(alphas, annotations)) for k in range(self.width)
        ]
        return context, alphas

    def begin(self, found: dict, kind: str) -> list[float]:
        """The initial hidden or cell state."""
        if self.initial == "zeros":
            return [0.0] * self.state
        final = found[f"{kind}_fw"] + (found[f"{kind}_bw"] if self.both else [])
        if self.initial == "encoder":
            return final
        name = f"bridge_{kind}"
        mapped = matrix(self.tensors[f"{name}.weight"], final, self.tensors[f"{name}.bias"])
        return [ACTIVATIONS[self.initial_activation](value) for value in mapped]

    def forward(self, row: list) -> dict:
        """Everything that cuseq gives of one row, under the names of its output file."""
        found = self.encode(row)
        s = self.begin(found, "h")
        if self.only:
            found["context"], found["alphas"] = self.attend(found["annotations"], s)
            return found
        c, token = self.begin(found, "c"), self.start
        steps = {"context": [], "alphas": [], "states": [], "outputs": [], "tokens": []}
        for _ in range(self.steps):
            context, alphas = self.attend(found["annotations"], s)
            s, c = self.lstm_step("cell", self.cell_ending(), self.reads(context, token), s, c)
            output = matrix(self.tensors["out.weight"], s, self.tensors.get("out.bias"))
            output = softmax(output) if self.softmax else output
            token = output.index(max(output))
            for name, value in zip(steps, (context, alphas, s, output, token)):
                steps[name].append(value)
            if token == self.end:
                break
        return {**found, **steps}

    def reads(self, context: list[float], token: int) -> list[float]:
        """What the decoder's cell reads."""
        if not self.feedback:
            return context
        one_hot = [1.0 if k == token else 0.0 for k in range(self.classes)]
        fed = self.tensors["target.weight"].row(token) if self.embedded else one_hot
        return fed + context if self.fed_first else context + fed
