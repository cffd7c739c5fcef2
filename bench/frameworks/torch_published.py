"""W5 to W9 in PyTorch, as those who published the models write them: nn.GRU, nn.LSTM and their cells, the attention from
torch's own operations, the decoder's steps in a loop of Python. Beam search is OpenNMT-py's: K x B rows, the best K of the
K x V sums of a row, states reordered by index_select.

A `step` makes one step of the decoder and chooses what comes next; it is what torch.compile is given."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from workload import Workload

GATES = {"lstm": 4, "gru": 3}


def tensor(array: np.ndarray) -> Tensor:
    """A copy."""
    return torch.from_numpy(np.array(array, np.float32))


def gates(kind: str, array: np.ndarray) -> Tensor:
    """Kernels transposed, gates along the first axis in PyTorch's order: i, f, g, o as cuseq's, but r, z, n for z, r, n."""
    blocks = np.split(array, GATES[kind], axis=-1)
    if kind == "gru":
        blocks = [blocks[1], blocks[0], blocks[2]]
    return tensor(np.concatenate(blocks, axis=-1).T.copy())


def cell_tensors(w: Workload, kind: str, prefix: str) -> list[Tensor]:
    """weight_ih, weight_hh, bias_ih, bias_hh."""
    bias = w.tensors[f"{prefix}.bias"]
    second = w.tensors.get(f"{prefix}.recurrent_bias", np.zeros_like(bias))
    kernels = [w.tensors[f"{prefix}.kernel"], w.tensors[f"{prefix}.recurrent_kernel"]]
    return [gates(kind, array) for array in (*kernels, bias, second)]


def embedding(w: Workload, name: str) -> nn.Embedding:
    """A table."""
    return nn.Embedding.from_pretrained(tensor(w.tensors[name]))


def linear(kernel: np.ndarray, bias: np.ndarray | None = None) -> nn.Linear:
    """x kernel + bias."""
    layer = nn.Linear(*kernel.shape, bias=bias is not None)
    layer.weight.data = tensor(kernel.T.copy())
    if bias is not None:
        layer.bias.data = tensor(bias)
    return layer


def recurrent(w: Workload, first: int, layers: int, directions: list[str]) -> nn.Module:
    """The encoder's layers from `first` on as nn.GRU or nn.LSTM, time first."""
    cell = w.config["encoder"]["layers"][0]["cell"]
    inputs = w.tensors[f"encoder.layers.{first}.{directions[0]}.kernel"].shape[0]
    make = nn.GRU if cell["kind"] == "gru" else nn.LSTM
    module = make(inputs, cell["units"], num_layers=layers, bidirectional=len(directions) == 2)
    for layer in range(layers):
        for direction, suffix in zip(directions, ("", "_reverse")):
            found = cell_tensors(w, cell["kind"], f"encoder.layers.{first + layer}.{direction}")
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            for name, value in zip(names, found):
                getattr(module, f"{name}_l{layer}{suffix}").data = value
    return module


class Tagger(nn.Module):
    """W7: ids [T,B] to probabilities [T,B,V]."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        self.embedding = embedding(w, "input.embedding")
        self.encoder = recurrent(w, 0, 2, ["forward", "backward"])
        self.output = linear(w.tensors["output.layers.0.kernel"], w.tensors["output.layers.0.bias"])

    def forward(self, ids: Tensor) -> Tensor:
        return torch.softmax(self.output(self.encoder(self.embedding(ids))[0]), dim=-1)


class Decoder(nn.Module):
    """What the decoders share: ids [T,B] to tokens and log-probabilities, the best of each step or of a beam."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        layers = w.config["encoder"]["layers"]
        both = ["forward", "backward"] if layers[0]["direction"] == "bidirectional" else ["forward"]
        self.input = embedding(w, "input.embedding")
        self.encoder = recurrent(w, 0, len(layers), both)
        self.embedding = embedding(w, "decoder.embedding")
        self.output = linear(w.tensors["output.layers.0.kernel"], w.tensors["output.layers.0.bias"])
        self.steps, self.beams, self.V = w.Y, w.beams, w.V
        self.chosen: Callable = self.best if w.beams == 0 else self.beam
        kind, make = w.config["decoder"]["layers"][0]["cell"]["kind"], nn.LSTMCell
        if kind == "gru":
            make = nn.GRUCell
        self.cells = nn.ModuleList()
        for number in range(len(w.config["decoder"]["layers"])):
            found = cell_tensors(w, kind, f"decoder.layers.{number}")
            cell = make(found[0].shape[1], found[1].shape[1])
            for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), found):
                getattr(cell, name).data = value
            self.cells.append(cell)

    def logits(self, token: Tensor, states: list[Tensor], keys: Tensor, values: Tensor) -> tuple:
        """One step: logits and new states."""
        raise NotImplementedError

    def begin(self, ids: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Keys [B,T,.], values [B,T,A] and states [B,.]."""
        raise NotImplementedError

    def best(self, token: Tensor, states: list[Tensor], keys: Tensor, values: Tensor) -> tuple:
        """The best token of every row, its log-probability and the states after it."""
        logits, states = self.logits(token, states, keys, values)
        probability, token = torch.log_softmax(logits, dim=-1).max(dim=-1)
        return token, probability, states

    def beam(
        self, token: Tensor, states: list[Tensor], keys: Tensor, values: Tensor, sums: Tensor, base: Tensor
    ) -> tuple:
        """The K best hypotheses of every row: tokens and places of their parents [B*K], sums [B,K], states."""
        logits, states = self.logits(token, states, keys, values)
        totals = torch.log_softmax(logits, dim=-1).view(-1, self.beams, self.V) + sums.unsqueeze(-1)
        sums, index = totals.view(-1, self.beams * self.V).topk(self.beams, dim=-1)
        parents = (torch.div(index, self.V, rounding_mode="floor") + base).view(-1)
        return torch.fmod(index, self.V).view(-1), parents, sums, [s.index_select(0, parents) for s in states]

    def greedy(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens and log-probabilities [B,Y]."""
        keys, values, states = self.begin(ids)
        token = torch.zeros(ids.shape[1], dtype=torch.long)
        tokens, probabilities = [], []
        for _ in range(self.steps):
            token, probability, states = self.chosen(token, states, keys, values)
            tokens.append(token)
            probabilities.append(probability)
        return torch.stack(tokens, 1), torch.stack(probabilities, 1)

    def search(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [B,K,Y] and sums [B,K]."""
        rows, K = ids.shape[1], self.beams
        keys, values, states = self.begin(ids)
        keys, values = keys.repeat_interleave(K, 0), values.repeat_interleave(K, 0)
        states = [s.repeat_interleave(K, 0) for s in states]
        base = (torch.arange(rows) * K).unsqueeze(1)
        token = torch.zeros(rows * K, dtype=torch.long)
        sums = torch.full((rows, K), -torch.inf)
        sums[:, 0] = 0.0
        tokens = torch.zeros(rows * K, 0, dtype=torch.long)
        for _ in range(self.steps):
            token, parents, sums, states = self.chosen(token, states, keys, values, sums, base)
            tokens = torch.cat([tokens.index_select(0, parents), token.unsqueeze(1)], 1)
        return tokens.view(rows, K, -1), sums

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.search(ids) if self.beams else self.greedy(ids)


class Bahdanau(Decoder):
    """W5."""

    def __init__(self, w: Workload) -> None:
        super().__init__(w)
        self.key = linear(w.tensors["attention.key"], w.tensors["attention.bias"])
        self.query = linear(w.tensors["attention.query"])
        self.value = linear(w.tensors["attention.value"].reshape(-1, 1))

    def begin(self, ids: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        annotations, h = self.encoder(self.input(ids))
        annotations = annotations.transpose(0, 1).contiguous()
        return self.key(annotations), annotations, [h[0]]

    def logits(self, token: Tensor, states: list[Tensor], keys: Tensor, values: Tensor) -> tuple:
        energies = self.value(torch.tanh(keys + self.query(states[0]).unsqueeze(1))).squeeze(-1)
        context = torch.bmm(torch.softmax(energies, dim=-1).unsqueeze(1), values).squeeze(1)
        h = self.cells[0](torch.cat([self.embedding(token), context], dim=-1), states[0])
        return self.output(h), [h]


class Luong(Decoder):
    """W6 and W9. States: h and c of every layer, then the attentional vector where it is fed."""

    def __init__(self, w: Workload) -> None:
        super().__init__(w)
        self.general = linear(w.tensors["attention.general"].T)
        self.attentional = linear(w.tensors["decoder.attentional.kernel"])
        self.feeds = "attentional" in w.config["decoder"]["reads"]
        self.S = w.S

    def begin(self, ids: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        annotations, (h, c) = self.encoder(self.input(ids))
        annotations = annotations.transpose(0, 1).contiguous()
        states = []
        for layer in range(len(self.cells)):
            states += [torch.cat([s[2 * layer], s[2 * layer + 1]], dim=-1) for s in (h, c)]
        if self.feeds:
            states.append(torch.zeros(ids.shape[1], self.S))
        return annotations, annotations, states

    def logits(self, token: Tensor, states: list[Tensor], keys: Tensor, values: Tensor) -> tuple:
        x = self.embedding(token)
        if self.feeds:
            x = torch.cat([x, states[-1]], dim=-1)
        after = []
        for layer, cell in enumerate(self.cells):
            h, c = cell(x, (states[2 * layer], states[2 * layer + 1]))
            after += [h, c]
            x = h
        energies = torch.bmm(keys, self.general(x).unsqueeze(2)).squeeze(2)
        context = torch.bmm(torch.softmax(energies, dim=-1).unsqueeze(1), values).squeeze(1)
        attentional = torch.tanh(self.attentional(torch.cat([context, x], dim=-1)))
        if self.feeds:
            after.append(attentional)
        return self.output(attentional), after


class Packed(nn.Module):
    """W8 as packed sequences."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        self.encoder = recurrent(w, 0, 1, ["forward", "backward"])

    def forward(self, x: nn.utils.rnn.PackedSequence) -> nn.utils.rnn.PackedSequence:
        return self.encoder(x)[0]


class Padded(nn.Module):
    """W8 with all rows as long as the longest: the backward direction reads rows that were turned around by hand."""

    def __init__(self, w: Workload) -> None:
        super().__init__()
        self.forth = recurrent(w, 0, 1, ["forward"])
        self.back = recurrent(w, 0, 1, ["backward"])

    def forward(self, pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self.forth(pair[0])[0], self.back(pair[1])[0]


def turned(x: Tensor, lengths: list[int]) -> Tensor:
    """[T,B,.] with the positions of every row turned around, what is behind its length left."""
    turned_rows = x.clone()
    for b, length in enumerate(lengths):
        turned_rows[:length, b] = x[:length, b].flip(0)
    return turned_rows


def open_ragged(w: Workload, padded: bool) -> tuple[nn.Module, object, Callable]:
    """W8: module, what it is called with, and what makes annotations [B,T,A] of its result."""
    x = tensor(w.input).transpose(0, 1).contiguous()
    lengths = torch.tensor(w.lengths)
    if padded:

        def results(pair: tuple[Tensor, Tensor]) -> list[np.ndarray]:
            both = torch.cat([pair[0], turned(pair[1], w.lengths)], dim=-1).transpose(0, 1)
            return [(both * (torch.arange(w.T) < lengths.unsqueeze(1)).unsqueeze(2)).numpy()]

        return Padded(w), (x, turned(x, w.lengths)), results
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)

    def results(packed: nn.utils.rnn.PackedSequence) -> list[np.ndarray]:
        return [nn.utils.rnn.pad_packed_sequence(packed, batch_first=True, total_length=w.T)[0].numpy()]

    return Packed(w), packed, results


def open_published(w: Workload, padded: bool) -> tuple[nn.Module, object, Callable]:
    """Module, what it is called with, and what makes the judged arrays of its result."""
    if w.encode_only:
        return open_ragged(w, padded)
    ids = torch.from_numpy(w.input.T.astype(np.int64).copy())
    if "decoder" not in w.config:
        return Tagger(w), ids, lambda outputs: [outputs.transpose(0, 1).numpy()]
    made = (Bahdanau if w.config["attention"]["score"] == "additive" else Luong)(w)
    return made, ids, lambda pair: [array.numpy().astype(np.float32) for array in pair]
