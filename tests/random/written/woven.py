"""Encoders by chance, whose layers read what any of the layers below them give: of what people write the wilder kind.
`./run test-written --random N` makes N of them."""

import numpy as np
from kinds import Built, Kind

V, F, T = 9, 3, 6
ACTIVATIONS = ("tanh", "relu", "sigmoid", "elu", "linear")


class Graph:
    """Sequences, [B,T,width] each, of which further layers read one or several; final states."""

    def __init__(self, k, seed):
        self.k, self.rng = k, np.random.default_rng(seed)
        self.ids = bool(self.rng.integers(2))
        self.masked = self.ids and self.rng.random() < 0.2
        self.x = k.Input((T,) if self.ids else (T, F))
        self.sequences, self.finals = [self.x], []
        if self.ids:
            self.sequences = [k.Embedding(V, F, mask_zero=self.masked)(self.x)]
            if self.rng.random() < 0.2:
                self.sequences.append(k.Embedding(V, 2, mask_zero=self.masked)(self.x))

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def read(self):
        """What a layer reads: mostly the newest sequence, or several side by side."""
        count = 1 if self.rng.random() < 0.6 else 2
        chosen = [self.sequences[-1]]
        for _ in range(count - 1):
            other = self.sequences[self.rng.integers(len(self.sequences))]
            if other is not chosen[0]:
                chosen.append(other)
        if len(chosen) == 1:
            return chosen[0]
        if chosen[0].shape[-1] == chosen[1].shape[-1] and self.rng.random() < 0.5:
            return self.k.Add()(chosen)
        return self.k.Concatenate()(chosen)

    def recurrent(self):
        k, cell = self.k, self.pick("LSTM", "GRU", "SimpleRNN")
        layer = getattr(k, cell)(int(self.rng.integers(2, 5)), return_sequences=True, return_state=True)
        if self.rng.random() < 0.5:
            merge = self.pick("concat", "concat", "sum", "ave")
            layer = k.Bidirectional(layer, merge_mode=merge)
        y, *states = layer(self.read())
        self.sequences.append(y)
        self.finals.append(self.pick(*states))

    def other(self):
        k = self.k
        kinds = "dense", "convolution", "normalisation", "layer normalisation", "attention", "weights"
        kind = self.pick(*kinds)
        if kind == "dense":
            y = k.Dense(int(self.rng.integers(2, 5)), activation=self.pick(*ACTIVATIONS))(self.read())
        elif kind == "convolution" and not self.masked:
            size, padding = int(self.rng.integers(1, 5)), self.pick("same", "causal")
            y = k.Conv1D(3, size, padding=padding, activation=self.pick(*ACTIVATIONS))(self.read())
        elif kind == "attention":
            y = self.attending()
        elif kind == "weights":
            y = self.weighted()
        elif kind == "layer normalisation":
            y = k.LayerNormalization()(self.read())
        else:
            y = k.BatchNormalization()(self.read())
        self.sequences.append(y)

    def weighted(self):
        """A sequence whose positions have weights, for each feature by itself; now and then another one's."""
        k, y = self.k, self.read()
        a = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(y)))
        if self.rng.random() < 0.1:
            y = k.Dense(a.shape[-1])(y)
        return k.Multiply()([y, a])

    def attending(self):
        """A sequence that attends to itself, or asks what another one gives."""
        k, query, value = self.k, self.read(), self.read()
        if self.masked or self.rng.random() < 0.3:  # several attentions with masks are not certain
            value = query
        if self.rng.random() < 0.5:
            heads = k.MultiHeadAttention(int(self.rng.integers(1, 4)), 3, use_bias=bool(self.rng.integers(2)))
            return heads(query, value)
        query = query if query.shape[-1] == value.shape[-1] else k.Dense(value.shape[-1])(query)
        if self.rng.random() < 0.3:
            return k.AdditiveAttention()([query, value])
        return k.Attention(use_scale=True, score_mode=self.pick("dot", "dot", "concat"))([query, value])

    def summary(self):
        """A vector made of the positions, or of states."""
        k, y = self.k, self.sequences[-1 - int(self.rng.integers(min(2, len(self.sequences))))]
        kind = self.pick("mean", "maximum", "last", "final", "final", "context", "flat", "edge")
        if kind == "mean":
            return k.GlobalAveragePooling1D()(y)
        if kind == "maximum" and not self.masked:
            return k.GlobalMaxPooling1D()(y)
        if kind == "last" and not self.masked:
            return y[:, -1, :]
        if kind == "edge" and not self.masked:
            return y[:, int(self.pick(0, 1, -2, -3)), :]
        if kind == "flat" and not self.masked:
            return k.Flatten()(y)
        if kind == "context" and not self.masked:
            weights = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(y))
            return k.Flatten()(k.Dot(axes=1)([weights, y]))
        return self.pick(*self.finals)

    def head(self, y):
        """Dense layers one after the other, beside one another, or added to what they read."""
        k, kind = self.k, self.pick("chain", "chain", "beside", "added", "deep")
        y = k.Dense(4, activation=self.pick("relu", "tanh", "elu"))(y)
        if kind == "beside":
            y = k.Concatenate()([k.Dense(3, activation=self.pick("relu", "elu"))(y) for _ in range(2)])
        if self.rng.random() < 0.3:
            y = k.LayerNormalization(epsilon=1e-5)(y)
        for _ in range({"added": 1, "deep": 2}.get(kind, 0)):
            y = k.Add()([y, k.Dense(4, activation=self.pick("relu", "relu", "tanh"))(y)])
        return k.Dense(3, activation="softmax")(y)

    def outputs(self):
        k = self.k
        if self.rng.random() < 0.3:
            return k.Dense(3, activation="softmax")(self.read())
        found = [self.summary() for _ in range(int(self.rng.integers(1, 4)))]
        y = found[0] if len(found) == 1 else k.Concatenate()(found)
        return self.head(y)


def woven(seed):
    """The kind of this seed."""

    def make(k):
        """an encoder by chance"""
        graph = Graph(k, seed)
        graph.recurrent()
        for _ in range(int(graph.rng.integers(1, 4))):
            graph.recurrent() if graph.rng.random() < 0.5 else graph.other()
        model = k.Model(graph.x, graph.outputs())
        return Built(model, ids=V if graph.ids else 0, time=T, masked=0 if graph.masked else None)

    kind = Kind(make, (2, 3))
    kind.name = f"woven_{seed}"
    return kind
