"""Decoders by chance whose steps read their own probabilities: what the first step reads, how probabilities come to the
cells, who attends, what the output reads."""

import numpy as np
from drawn import Draw
from kinds import Built, Kind

V, W, H, T, Y = 9, 7, 6, 7, 4


class Loop(Draw):
    """One model, by the choices of a generator of random numbers; vectors are [B,1,...] in its steps."""

    def first(self, x, h):
        """What the first step reads, and whether that is an input of the user's."""
        k, row = self.k, self.k.Reshape((1, W))
        flat, long = k.Input((W,), name="flat"), k.Input((1, W), name="long")
        kind = self.one("flat", "long", "long", "zeros", "dense", "last")
        if kind == "last" and x.shape[-1] == W:
            return x[:, -1:], None
        made = {
            "flat": lambda: (row(flat), flat),
            "long": lambda: (long, long),
            "zeros": lambda: (row(k.op("zeros_like", k.Dense(W)(h))), None),
        }.get(kind, lambda: (row(k.Dense(W, activation=self.activation())(h)), None))
        return made()

    def read(self):
        """What comes of probabilities before a cell or an attention reads them."""
        k, kind = self.k, self.rng.integers(6)
        layer = k.Dense(5, use_bias=self.maybe(), activation=self.activation() if kind == 0 else None)
        return layer if kind < 2 else lambda y: y

    def classes(self):
        """The output's layers."""
        k = self.k
        last = k.Dense(W, activation="softmax") if self.maybe() else k.TimeDistributed(k.Dense(W, activation="softmax"))
        hidden = k.Dense(7, activation=self.activation()) if self.maybe(0.4) else None
        return lambda y: last(hidden(y) if hidden else y)

    def loop(self):
        """The whole."""
        k, join, row = self.k, self.k.Concatenate(), self.k.Reshape((1, H))
        x = k.Input((T, self.one(V, W)))
        a, h, c = self.encode(x)
        y, given = self.first(x, h)
        attend, read, classes = self.attend(a) if self.maybe(0.7) else None, self.read(), self.classes()
        cells = [self.one(k.LSTM, k.GRU)(H, return_state=True) for _ in range(self.rng.integers(1, 3))]
        states = [[h, c] if isinstance(cell, k.LSTM) else [h] for cell in cells]
        before, beside, again = self.maybe(), self.maybe(0.2), self.maybe(0.2)
        last, outputs = h, []
        for _ in range(Y):
            parts = [read(y)]
            parts += [attend(row(states[-1][0]))] if attend and before else []
            parts += [row(last)] if again else []
            z = join(parts) if len(parts) > 1 else parts[0]
            for number, cell in enumerate(cells):
                z, *states[number] = cell(z, initial_state=states[number])
                z = row(z)
            parts = [z]
            parts += [attend(z)] if attend and not before else []
            parts += [y] if beside else []
            y = classes(join(parts) if len(parts) > 1 else z)
            outputs.append(y)
        inputs = [x] if given is None else [x, given]
        return Built(k.Model(inputs, k.Concatenate(axis=1)(outputs)), start=given is not None)


def probable(seed):
    """The kind of a number."""

    def make(k):
        return Loop(k, np.random.default_rng(seed)).loop()

    make.__name__, make.__doc__ = f"probable_{seed}", "a decoder by chance that reads its probabilities"
    return Kind(make, (2, 3))
