#!/usr/bin/env python3
"""Trains the three models of tests/exactness/trained with PyTorch (any since 2.0) and writes them as cuseq's model files:

    python3 tests/exactness/train.py FOLDER

Each is small, learns its task in minutes on one core, and has what the dates model has not: GRU, Luong's attention, residual
layers, an embedding, dense input, the additive score. Weights depend on PyTorch's version; that they are trained is what counts.
"""

import json
import struct
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot


def cell(prefix: str, module: nn.Module, suffix: str = "", gru: bool = False) -> dict[str, Tensor]:
    """An nn.LSTM, nn.GRU or cell's direction by cuseq's names: kernels transposed, GRU gates as z, r, n."""

    def gates(array: Tensor) -> Tensor:
        if not gru:
            return array
        r, z, n = array.chunk(3)
        return torch.cat([z, r, n])

    w, u, b, c = (gates(getattr(module, f"{name}{suffix}").detach()) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    made = {f"{prefix}.kernel": w.T, f"{prefix}.recurrent_kernel": u.T}
    return made | ({f"{prefix}.bias": b, f"{prefix}.recurrent_bias": c} if gru else {f"{prefix}.bias": b + c})


def dense(prefix: str, module: nn.Linear) -> dict[str, Tensor]:
    """An nn.Linear by cuseq's names."""
    made = {f"{prefix}.kernel": module.weight.detach().T}
    return made if module.bias is None else made | {f"{prefix}.bias": module.bias.detach()}


def save(path: Path, config: dict, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file with the configuration in its metadata."""
    header: dict = {"__metadata__": {"cuseq": json.dumps(config)}}
    data = b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def fit(model: nn.Module, batch, steps: int, rate: float = 3e-3) -> None:
    """AdamW with a falling rate; batch() gives what the loss is made of."""
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        loss, right = model.loss(*batch())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 199:
            print(f"{type(model).__name__} {step + 1}: loss {loss.item():.4f}, right {right:.3f}", flush=True)


class Tagger(nn.Module):
    """Each symbol's count so far modulo 4, and whether the same symbol comes again: three BiLSTM layers, two of them residual."""

    SYMBOLS, EMBEDDING, UNITS, TIME, TAGS = 6, 64, 32, 40, 8

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(self.SYMBOLS, self.EMBEDDING)
        self.layers = nn.ModuleList(nn.LSTM(64, self.UNITS, bidirectional=True, batch_first=True) for _ in range(3))
        self.head = nn.Linear(64, self.TAGS)

    def batch(self) -> tuple[Tensor, Tensor]:
        ids = torch.randint(self.SYMBOLS, (64, self.TIME))
        hot = one_hot(ids, self.SYMBOLS)
        count = (hot.cumsum(1) * hot).sum(2) % 4
        again = (((hot.flip(1).cumsum(1).flip(1) - hot) * hot).sum(2) > 0).long()
        return ids, count * 2 + again

    def loss(self, ids: Tensor, tags: Tensor) -> tuple[Tensor, float]:
        x = self.embedding(ids)
        for i, layer in enumerate(self.layers):
            x = layer(x)[0] + (x if i else 0)
        scores = self.head(x)
        return cross_entropy(scores.flatten(0, 1), tags.flatten()), (scores.argmax(2) == tags).float().mean().item()

    def save(self, path: Path) -> None:
        layer = {"cell": {"kind": "lstm", "units": self.UNITS}, "direction": "bidirectional"}
        config = {
            "version": 2,
            "input": {"features": self.SYMBOLS, "embedding": self.EMBEDDING},
            "encoder": {"layers": [layer, layer | {"residual": True}, layer | {"residual": True}]},
            "output": {"over": "every", "layers": [{"units": self.TAGS, "activation": "softmax"}]},
        }
        tensors = {"input.embedding": self.embedding.weight.detach()} | dense("output.layers.0", self.head)
        for i, module in enumerate(self.layers):
            tensors |= cell(f"encoder.layers.{i}.forward", module, "_l0")
            tensors |= cell(f"encoder.layers.{i}.backward", module, "_l0_reverse")
        save(path, config, tensors)


class Reverser(nn.Module):
    """Reverses a word and doubles what stands twice in a row: BiGRU, Luong's general attention, GRU decoder with feedback."""

    SYMBOLS, EMBEDDING, UNITS, STATE, TIME = 12, 16, 32, 48, 12

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(self.SYMBOLS, self.EMBEDDING)
        self.encoder = nn.GRU(self.EMBEDDING, self.UNITS, bidirectional=True, batch_first=True)
        self.initial = nn.Linear(64, self.STATE)
        self.general = nn.Parameter(torch.randn(64, self.STATE) / 8)
        self.target = nn.Embedding(self.SYMBOLS, self.EMBEDDING)
        self.decoder = nn.GRUCell(self.EMBEDDING + self.STATE, self.STATE)
        self.attentional = nn.Linear(64 + self.STATE, self.STATE, bias=False)
        self.head = nn.Linear(self.STATE, self.SYMBOLS)

    def batch(self) -> tuple[Tensor, Tensor]:
        ids = torch.randint(2, self.SYMBOLS, (64, self.TIME))
        return ids, (ids.flip(1) - 2 + ids.flip(1).roll(1, 1)) % (self.SYMBOLS - 2) + 2

    def loss(self, ids: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        annotations, final = self.encoder(self.embedding(ids))
        h = torch.tanh(self.initial(torch.cat([final[0], final[1]], 1)))
        previous, fed, scores = torch.ones_like(wanted[:, 0]), torch.zeros(len(ids), self.STATE), []
        for y in range(self.TIME):
            h = self.decoder(torch.cat([self.target(previous), fed], 1), h)
            alphas = torch.softmax(torch.einsum("bta,as,bs->bt", annotations, self.general, h), 1)
            fed = torch.tanh(self.attentional(torch.cat([torch.einsum("bt,bta->ba", alphas, annotations), h], 1)))
            scores.append(self.head(fed))
            previous = wanted[:, y]
        made = torch.stack(scores, 1)
        return cross_entropy(made.flatten(0, 1), wanted.flatten()), (made.argmax(2) == wanted).float().mean().item()

    def save(self, path: Path) -> None:
        config = {
            "version": 2,
            "input": {"features": self.SYMBOLS, "embedding": self.EMBEDDING},
            "encoder": {"layers": [{"cell": {"kind": "gru", "units": self.UNITS}, "direction": "bidirectional"}]},
            "attention": {"score": "general", "asks": "current"},
            "decoder": {
                "reads": ["token", "attentional"],
                "embedding": self.EMBEDDING,
                "feedback": "output",
                "start_token": 1,
                "steps": self.TIME,
                "layers": [
                    {
                        "cell": {"kind": "gru", "units": self.STATE},
                        "initial_h": {"dense": {"units": self.STATE, "activation": "tanh"}},
                    }
                ],
                "attentional": {"parts": ["context", "state"], "units": self.STATE, "activation": "tanh", "bias": False},
            },
            "output": {"parts": ["attentional"], "layers": [{"units": self.SYMBOLS, "activation": "softmax"}]},
        }
        tensors = {"input.embedding": self.embedding.weight.detach(), "decoder.embedding": self.target.weight.detach()}
        tensors |= cell("encoder.layers.0.forward", self.encoder, "_l0", True)
        tensors |= cell("encoder.layers.0.backward", self.encoder, "_l0_reverse", True)
        tensors |= cell("decoder.layers.0", self.decoder, "", True) | dense("decoder.layers.0.initial_h", self.initial)
        tensors |= {"attention.general": self.general.detach()} | dense("decoder.attentional", self.attentional)
        save(path, config, tensors | dense("output.layers.0", self.head))


class Sorter(nn.Module):
    """The marked ones of noisy dense digits, in order: LSTM, the additive score before the cell, an LSTM decoder of two layers."""

    DIGITS, UNITS, STATE, KEYS, TIME, STEPS = 8, 32, 40, 24, 20, 4

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(self.DIGITS + 1, self.UNITS, bidirectional=True, batch_first=True)
        self.key = nn.Linear(64, self.KEYS, bias=False)
        self.query = nn.Linear(self.STATE, self.KEYS)
        self.value = nn.Parameter(torch.randn(self.KEYS) / 5)
        self.cells = nn.ModuleList([nn.LSTMCell(64, self.STATE), nn.LSTMCell(self.STATE, self.STATE)])
        self.head = nn.Linear(self.STATE, self.DIGITS)

    def batch(self) -> tuple[Tensor, Tensor]:
        digits = torch.randint(self.DIGITS, (64, self.TIME))
        marked = torch.rand(64, self.TIME).argsort(1)[:, : self.STEPS]
        marks = torch.zeros(64, self.TIME).scatter_(1, marked, 1.0)
        x = torch.cat([one_hot(digits, self.DIGITS) + 0.1 * torch.randn(64, self.TIME, self.DIGITS), marks[:, :, None]], 2)
        return x, digits.gather(1, marked).sort(1)[0]

    def loss(self, x: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        annotations = self.encoder(x)[0]
        keys, scores = self.key(annotations), []
        h, c = ([torch.zeros(len(x), self.STATE) for _ in range(2)] for _ in range(2))
        for _ in range(self.STEPS):
            alphas = torch.softmax(torch.tanh(keys + self.query(h[1])[:, None]) @ self.value, 1)
            read = torch.einsum("bt,bta->ba", alphas, annotations)
            for i, one in enumerate(self.cells):
                h[i], c[i] = one(read, (h[i], c[i]))
                read = h[i]
            scores.append(self.head(read))
        made = torch.stack(scores, 1)
        return cross_entropy(made.flatten(0, 1), wanted.flatten()), (made.argmax(2) == wanted).float().mean().item()

    def save(self, path: Path) -> None:
        zeros = {"initial_h": {"from": "zeros"}, "initial_c": {"from": "zeros"}}
        config = {
            "version": 2,
            "input": {"features": self.DIGITS + 1},
            "encoder": {"layers": [{"cell": {"kind": "lstm", "units": self.UNITS}, "direction": "bidirectional"}]},
            "attention": {"score": "additive", "units": self.KEYS, "bias": True},
            "decoder": {
                "reads": ["context"],
                "feedback": "none",
                "steps": self.STEPS,
                "layers": [{"cell": {"kind": "lstm", "units": self.STATE}} | zeros for _ in range(2)],
            },
            "output": {"layers": [{"units": self.DIGITS, "activation": "log_softmax"}]},
        }
        tensors = cell("encoder.layers.0.forward", self.encoder, "_l0")
        tensors |= cell("encoder.layers.0.backward", self.encoder, "_l0_reverse")
        tensors |= {"attention.key": self.key.weight.detach().T, "attention.query": self.query.weight.detach().T}
        tensors |= {"attention.value": self.value.detach(), "attention.bias": self.query.bias.detach()}
        for i, one in enumerate(self.cells):
            tensors |= cell(f"decoder.layers.{i}", one)
        save(path, config, tensors | dense("output.layers.0", self.head))


def main() -> None:
    """Trains and writes all three."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for kind, steps in ((Reverser, 2000), (Sorter, 2500), (Tagger, 1500)):
        torch.manual_seed(7)
        model = kind()
        fit(model, model.batch, steps)
        model.save(folder / f"{kind.__name__.lower()}.safetensors")


if __name__ == "__main__":
    main()
