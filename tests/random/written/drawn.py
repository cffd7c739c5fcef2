"""Decoders by chance: what lies over the tokens, how the encoder's states come to the decoder, who attends to
what, how the steps are written, what the outputs read."""

import numpy as np
from kinds import Built, Kind

V, W, E, H, T, Y, F = 9, 8, 5, 6, 7, 4, 3
ACTIVATIONS = ("tanh", "relu", "sigmoid", "elu", "softplus", "linear")


class Draw:
    """One model, by the choices of a generator of random numbers."""

    def __init__(self, k, rng):
        self.k, self.rng = k, rng

    def one(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def maybe(self, part=0.5):
        return self.rng.random() < part

    def activation(self):
        return self.one(*ACTIVATIONS)

    def over_tokens(self, ids):
        """Vectors of tokens: one embedding or two, with layers over them."""
        k, y = self.k, self.k.Embedding(W, E)(ids)
        if self.maybe(0.3):
            y = k.Concatenate()([y, k.Embedding(W, 3)(ids)])
        for _ in range(self.rng.integers(3)):
            width = y.shape[-1]
            y = self.one(
                lambda y: k.Dense(5, activation=self.activation())(y),
                lambda y, width=width: k.Add()([y, k.Dense(width, activation=self.activation())(y)]),
                lambda y, width=width: k.Multiply()([y, k.Dense(width, activation="sigmoid")(y)]),
                lambda y: k.BatchNormalization()(y),
            )(y)
        return y

    def encode(self, x):
        """The encoder's outputs, and hidden and cell state of the width H."""
        k, y = self.k, x
        for _ in range(self.rng.integers(2)):
            y = k.Bidirectional(k.LSTM(4, return_sequences=True))(y)
        cell = self.one(k.LSTM, k.GRU)
        layer = cell(H, return_sequences=True, return_state=True)
        if self.maybe():
            a, *states = layer(y)
            return a, states[0], states[-1]
        a, *states = k.Bidirectional(layer, merge_mode=self.one("concat", "sum", "ave"))(y)
        half = len(states) // 2
        merge = self.one(k.Add, k.Average, lambda: None)()
        if merge is None:
            join = [k.Concatenate()([states[i], states[half + i]]) for i in range(half)]
            join = [k.Dense(H, activation=self.activation())(state) for state in join]
        else:
            join = [merge([states[i], states[half + i]]) for i in range(half)]
        return a, join[0], join[-1]

    def attend(self, a):
        """A function of the state [B,1,H] that gives the context [B,1,A]."""
        k = self.k
        kind = self.rng.integers(4)
        if kind == 0:
            layer, keys = k.AdditiveAttention(), k.Dense(H)(a)
            return lambda h: layer([h, a, keys])
        if kind == 1:
            layer, keys, values = k.Attention(use_scale=self.maybe()), k.Dense(H)(a), k.Dense(5)(a)
            return lambda h: layer([h, values, keys])
        if kind == 2:
            first, second, join = k.Dense(7, activation="tanh"), k.Dense(1), k.Concatenate()
            repeat = k.RepeatVector(T)
            alphas = k.Softmax(axis=1)
            return lambda h: k.Dot(axes=1)([alphas(second(first(join([a, repeat(k.Flatten()(h))])))), a])
        dense, weigh = k.Dense(a.shape[-1], use_bias=False), k.Activation("softmax")
        return lambda h: k.Dot(axes=[2, 1])([weigh(k.Dot(axes=[2, 2])([dense(h), a])), a])

    def head(self):
        k, units = self.k, W
        hidden = k.Dense(7, activation=self.activation()) if self.maybe() else None
        last = k.Dense(units, activation="softmax")
        return lambda y: last(hidden(y) if hidden else y)

    def given(self):
        """A training graph: the decoder is layers over given tokens, or a loop over them."""
        k, x, tokens = self.k, self.k.Input((T,)), self.k.Input((Y,))
        a, h, c = self.encode(k.Embedding(V, E)(x))
        words, head = self.over_tokens(tokens), self.head()
        if self.maybe():
            y = words
            if self.maybe(0.3):
                y = k.Concatenate()([y, k.RepeatVector(Y)(h)])
            for _ in range(self.rng.integers(1, 3)):
                cell = self.one(k.LSTM, k.GRU)
                y = cell(H, return_sequences=True)(y, initial_state=[h, c] if cell is k.LSTM else h)
            parts = [y]
            if self.maybe(0.6):
                parts.append(k.Attention()([y, a if a.shape[-1] == H else k.Dense(H)(a)]))
            if self.maybe(0.3):
                parts.append(words)
            if self.maybe(0.2):
                parts.append(k.RepeatVector(Y)(h))
            outputs = head(k.Concatenate()(parts) if len(parts) > 1 else y)
        else:
            attend, row, single = self.attend(a), k.Reshape((1, H)), k.Reshape((H,))
            cell, outputs, before, beside = k.GRU(H, return_state=True), [], self.maybe(), self.maybe(0.3)
            for t in range(Y):
                word = words[:, t : t + 1]
                y = k.Concatenate()([attend(row(h)), word]) if before else word
                _, h = cell(y, initial_state=h)
                read = [row(h)] if before else [row(h), attend(row(h))]
                outputs.append(head(k.Concatenate()([*read, word]) if beside else
                                    k.Concatenate()(read) if len(read) > 1 else single(h)))
            outputs = [k.Reshape((1, W))(y) for y in outputs]
            outputs = k.Concatenate(axis=1)(outputs)
        return Built(k.Model([x, tokens], outputs), ids=V, targets=W, time=T, steps=Y)

    def repeated(self):
        """A decoder over a repeated vector: of as many steps as positions, or others."""
        k, x = self.k, self.k.Input((T, F))
        a, h, c = self.encode(x)
        steps = self.one(T, Y)
        vector = self.one(
            lambda: h,
            lambda: k.Dense(5, activation=self.activation())(h),
            lambda: k.GlobalAveragePooling1D()(a),
            lambda: k.Flatten()(k.Dot(axes=1)([k.Softmax(axis=1)(k.Dense(1)(a)), a])),
        )()
        y = k.RepeatVector(steps)(vector)
        for _ in range(self.rng.integers(1, 3)):
            cell = self.one(k.LSTM, k.GRU)
            if self.maybe(0.4):
                y = k.Bidirectional(cell(H, return_sequences=True), merge_mode=self.one("concat", "sum"))(y)
            else:
                begin = {"initial_state": [h, c] if cell is k.LSTM else h} if self.maybe(0.4) else {}
                y = cell(H, return_sequences=True)(y, **begin)
        if self.maybe(0.3) and y.shape[-1] == a.shape[-1]:
            y = k.Concatenate()([y, k.Attention()([y, a])])
        if self.maybe(0.3):
            return k.Model(x, [k.Dense(2)(y), k.Dense(1, activation=self.one("softplus", "relu", "tanh", "linear"))(y)])
        return k.Model(x, k.TimeDistributed(k.Dense(F, activation=self.one("linear", "tanh")))(y))

    def written_out(self):
        """Steps that read contexts, or what they said before."""
        k, x = self.k, self.k.Input((T, F))
        a, h, c = self.encode(x)
        attend, row, outputs = self.attend(a), k.Reshape((1, H)), []
        cell, dense = self.one(k.LSTMCell, k.GRUCell)(H), k.Dense(F)
        states = [h, c] if isinstance(cell, k.LSTMCell) else [h]
        once, fed, asked = self.maybe(0.3), self.maybe(0.4), attend(row(h))
        y = x[:, -1] if self.maybe() else k.op("zeros_like", dense(h))
        for _ in range(Y):
            read = [k.Flatten()(asked if once else attend(row(states[0])))]
            read += [y] if fed else []
            h, states = cell(k.Concatenate()(read) if fed else read[0], states)
            states = states if isinstance(states, (list, tuple)) else [states]
            y = dense(h)
            outputs.append(y)
        return k.Model(x, k.op("stack", outputs, axis=1))


def drawn(seed):
    """The kind of a number."""

    def make(k):
        draw = Draw(k, np.random.default_rng(seed))
        return draw.one(draw.given, draw.given, draw.repeated, draw.written_out)()

    make.__name__, make.__doc__ = f"drawn_{seed}", "a decoder by chance"
    return Kind(make, (2, 3))
