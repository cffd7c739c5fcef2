"""The workloads' sizes, and what is the least that a call of each can cost.

"Least possible" counts floats, in sectors of 32 bytes: weights once per block (or cluster, or group of blocks) that holds
them, inputs and outputs once, and the declared intermediates.
"""

SECTOR = 32
GRID_UNITS = 16  # of a block of the mapping across SMs


class Workload:
    """Sizes as in bench/gpu/workload.c, and what is to be reached."""

    def __init__(self, title, B, T, F, H, ids=False, keys=1, S=0, Y=1, V=0, encodes_only=False, **reach):
        self.title, self.B, self.T, self.F, self.H, self.ids, self.keys = title, B, T, F, H, ids, keys
        self.S, self.Y, self.V, self.encodes_only, self.reach = S, Y, V, encodes_only, reach

    # ---- the fused kernels ----

    def encoder(self, T):
        """Floats of the encoder's weights of both directions; of ids only the rows of W that can be met."""
        rows = min(self.F, T) if self.ids else self.F
        return 2 * 4 * self.H * (rows + self.H + 1)

    def results(self, T):
        """What is written whatever is asked for: annotations, which stay in the session, and final states."""
        return self.B * T * 2 * self.H + 4 * self.B * self.H

    def whole(self, T):
        """Every row has a block, which holds all weights: once per block; input and results once."""
        A, S, u = 2 * self.H, self.S or 2 * self.H, self.keys
        weights = self.encoder(T) + (A + S + 1) * u + (u + 1 if self.S else 0)
        if self.S:
            weights += 4 * self.S * (A + self.S + 1) + (self.S + 1) * self.V
        moved = self.B * T * (1 if self.ids else self.F) + self.results(T)
        moved += self.B * self.Y * (A + T + (self.V + 1 if self.V else 0))
        return self.B * weights + moved

    def stages(self, T, holders, state):
        """A sequence kernel and the keys. xW is read once (its product is cuBLAS's, whose traffic the device does not count);
        U once per group of blocks that holds a direction; `state`: floats of h through memory per step; annotations are
        written, read for the keys, and the keys written."""
        H = self.H
        xw = self.B * T * 2 * 4 * H
        keys = self.B * T * 2 * H + 2 * H * self.keys + self.B * T * self.keys
        return holders * 4 * H * (H + 1) + xw + state * T + self.results(T) + keys

    def least(self, T, launches):
        if self.H <= 64:
            return self.whole(T) * 4 / SECTOR
        if self.H <= 128:  # a cluster of two blocks for each direction of a row
            return self.stages(T, 2 * self.B, 0) * 4 / SECTOR
        blocks = max((launch["counters"]["blocks"] for launch in launches if launch.get("cooperative")), default=0)
        each = self.H / GRID_UNITS  # blocks of a group, which has some of a direction's rows
        # h of a group's rows once per block and step, and written once
        return self.stages(T, blocks / each, (each + 1) * 2 * self.B * self.H) * 4 / SECTOR

    def cell_steps(self):
        """Steps of LSTM cells of the encoder, each of one row and direction."""
        return 2 * self.B * self.T

    def multiply_adds(self):
        """Of the encoder's kernel: h U, its units padded to what the mapping has, and x W where it is made inside."""
        H = next((units for units in (16, 32, 64, 128) if self.H <= units), self.H)
        inside = self.F * self.H if self.H <= 64 and not self.ids else 0
        return self.cell_steps() * 4 * (H * H + inside)

    def decoder_multiply_adds(self):
        """Of the decoder's loop, all steps and rows: cell, output layer, attention without K_a a."""
        A, S, u = 2 * self.H, self.S, self.keys
        return self.B * self.Y * ((A + S) * 4 * S + S * self.V + S * u + self.T * (u + A))

    # ---- products that cuBLAS makes, which the emulated device does not count: (how many, rows, columns, inner) ----

    def fused_products(self):
        return [] if self.H <= 64 else [(1, self.B * self.T, 8 * self.H, self.F)]

    def per_step_products(self):
        B, T, H, A, S, u = self.B, self.T, self.H, 2 * self.H, self.S or 2 * self.H, self.keys
        products = [(2 * T, B, 4 * H, H)] + ([] if self.ids else [(2, B * T, 4 * H, self.F)])
        if self.encodes_only:
            return products
        products += [(self.Y, B * T, u, A + S), (self.Y * B, 1, A, T)] + ([(self.Y, B * T, 1, u)] if u > 1 else [])
        if self.S:
            products += [(self.Y, B, 4 * S, A), (self.Y, B, 4 * S, S), (self.Y, B, self.V, S)]
        return products


def product_sectors(products):
    """Every operand read and the result written, once per product."""
    return sum(count * (m * n + m * k + n * k) for count, m, n, k in products) * 4 / SECTOR


def product_multiply_adds(products):
    return sum(count * m * n * k for count, m, n, k in products)


DATES = {"T": 30, "F": 37, "H": 32, "ids": True, "keys": 10, "S": 64, "Y": 10, "V": 11}
WORKLOADS = {
    "W1": Workload("W1, dense", 5, 30, 37, 16, launches=1, sectors=1.3, replays=0, barriers=0),
    "W2 B1": Workload("W2, B 1", 1, **DATES, launches=1, sectors=1.3, replays=2, barriers=0),
    "W2 B32": Workload("W2, B 32", 32, **DATES, launches=1, sectors=1.3, replays=2, barriers=0),
    "W3": Workload("W3, T 20", 32, 20, 128, 128, encodes_only=True, launches=3, sectors=1.5, replays=2, barriers=1),
    "W4": Workload("W4, T 4", 64, 4, 512, 512, encodes_only=True, launches=3, sectors=1.6, replays=5, barriers=1),
}


# ---- models of other structures ----


class Structure:
    """A model that bench_structures runs; of_row, of_step: floats that a row, and each of its steps, move at least."""

    def __init__(self, title, B, T, Y, launches, sectors, of_row, of_step):
        self.title, self.B, self.T, self.Y = title, B, T, Y
        self.reach = {"launches": launches, "sectors": sectors}
        self.of_row, self.of_step = of_row, of_step

    def least(self):
        """Sectors of a call."""
        return self.B * (self.of_row + self.Y * self.of_step) * 4 / SECTOR


def dates_gru(B):
    """As the dates model of version 1 (Workload.whole): a block a row, every weight once. A GRU's cell is packed as four sums a unit."""
    T, F, H, S, u, Y, V = 30, 37, 32, 64, 10, 10, 11
    A = 2 * H
    weights = 2 * 4 * H * (min(F, T) + H + 1) + (A + S + 1) * u + u + 1 + 4 * S * (A + S + 1) + (S + 1) * V
    moved = T + T * A + 4 * H
    return Structure(f"the dates as a GRU, B {B}", B, T, Y, 1, 1.3, weights + moved, A + T + V + 1)


def product(inputs, outputs, adds=False):
    """Floats of one row's product: the weights, the row, what it gives, and what that is added to."""
    return inputs * outputs + inputs + outputs * (2 if adds else 1)


def tutorial(B):
    """W5: rows of the embedding, xW (cuBLAS's, read once), a cluster's U, the keys; of a step its products - query, h U, context and
    token through W, logits - and what the other kernels read and write: the query's sums, keys and annotations, the cell's sums, the
    logits."""
    T, H, V, Y = 10, 128, 3000, 10
    lookup = T + 2 * T * H
    sequence = T * 4 * H + 4 * H * (H + 1) + T * H + H
    keys = T * H + (H + 1) * H + T * H
    step = 2 * H + (2 * T * H + 2 * H + T + H) + (4 * H + 4 * H + 2 * H) + (2 * V + 2 + 2 * H)
    step += product(H, H) + product(H, 4 * H) + 2 * product(H, 4 * H, adds=True) + product(H, V)
    return Structure(f"W5, B {B}", B, T, Y, 5, 1.3, lookup + sequence + keys, step)


def lemmatiser(B):
    """W9: rows of W that ids name, U once for each of two clusters; of a step its products - query, h U, the attentional vector through
    W, that vector, logits -, the query's sums, the annotations, the cell's sums and the row of the token, the attentional vector's sums,
    the logits."""
    T, H, S, V, Y = 10, 100, 200, 80, 12
    A = 2 * H
    encoder = T + 2 * 4 * H * (T + H + 1) + T * A + 4 * H
    step = 2 * A + (T * A + A + T + A) + (3 * 4 * S + 4 * S) + 2 * S + (2 * V + 2)
    step += product(S, A) + product(S, 4 * S) + product(S, 4 * S, adds=True) + product(A, S) + product(S, S, adds=True) + product(S, V)
    return Structure(f"W9, B {B}", B, T, Y, 2, 1.3, encoder + 4 * S, step)


STRUCTURES = {
    "dates GRU B1": dates_gru(1),
    "dates GRU B32": dates_gru(32),
    "W5 B1": tutorial(1),
    "W9 B1": lemmatiser(1),
}
