"""An attention model as people write it in PyTorch, for make_pytorch.py."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

F, H, V, E, U = 6, 5, 7, 4, 8


class Seq2Seq(nn.Module):
    """An encoder, an attention and a decoder as a PyTorch user writes them."""

    def __init__(self, o):
        super().__init__()
        self.o = o
        directions = 1 if o["forward"] else 2
        self.width = directions * H
        self.state = o["state"] or self.width
        if o["ids"]:
            self.embed = nn.Embedding(V + 4, F)
        self.rnn = nn.LSTM(
            F, H, o["layers"], batch_first=True, bidirectional=not o["forward"], bias=o["bias"]
        )
        if o["score"] == "concat":
            self.energy = nn.Sequential(nn.Linear(self.width + self.state, U), nn.Tanh(), nn.Linear(U, 1))
        elif o["score"] == "additive":
            self.keys = nn.Linear(self.width, U, bias=o["key_bias"])
            self.queries = nn.Linear(self.state, U, bias=o["query_bias"])
            if o["value_vector"]:
                self.v = nn.Parameter(torch.zeros(U))
            else:
                self.value = nn.Linear(U, 1, bias=o["key_bias"])
        elif o["score"] == "general":
            sizes = (self.state, self.width) if o["state_mapped"] else (self.width, self.state)
            self.map = nn.Linear(*sizes, bias=False)
        if o["initial"] == "dense":
            self.bridge_h = nn.Linear(self.width, self.state)
            self.bridge_c = None if o["only"] else nn.Linear(self.width, self.state)
        if not o["only"]:
            fed = (E if o["embedded"] else V) if o["feedback"] else 0
            self.cell = nn.LSTMCell(self.width + fed, self.state, bias=o["bias"])
            if o["embedded"]:
                self.target_embed = nn.Embedding(V, E)
            self.out = nn.Linear(self.state, V)
            if o["tied"]:
                self.out.weight = self.target_embed.weight
        if o["extra"]:
            self.register_buffer("statistics", torch.zeros(3))

    def energies(self, a, s):
        if self.o["score"] == "concat":
            s = s[:, None].expand(-1, a.shape[1], -1)
            return self.energy(torch.cat([s, a] if self.o["state_first"] else [a, s], -1))[..., 0]
        if self.o["score"] == "additive":
            hidden = torch.tanh(self.keys(a) + self.queries(s)[:, None])
            return hidden @ self.v if self.o["value_vector"] else self.value(hidden)[..., 0]
        if self.o["score"] == "general" and self.o["state_mapped"]:
            return torch.einsum("bta,ba->bt", a, self.map(s))
        return torch.einsum("bts,bs->bt", self.map(a) if self.o["score"] == "general" else a, s)

    def attend(self, a, s, mask):
        alphas = torch.softmax(self.energies(a, s).masked_fill(~mask, -torch.inf), -1)
        return torch.einsum("bt,bta->ba", alphas, a), alphas

    def forward(self, x, lengths, start):
        if self.o["ids"]:
            x = self.embed(x)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        a, (h, c) = self.rnn(packed, start)
        a, _ = pad_packed_sequence(a, batch_first=True, total_length=x.shape[1])
        result = {"annotations": a, "encoder_h": h, "encoder_c": c}
        sides = ("fw",) if self.o["forward"] else ("fw", "bw")
        for index, side in enumerate(sides):
            result["h_" + side], result["c_" + side] = h[index - len(sides)], c[index - len(sides)]
        mask = torch.arange(x.shape[1])[None] < lengths[:, None]
        s, c = (torch.cat([result[k + side] for side in sides], -1) for k in ("h_", "c_"))
        if self.o["initial"] == "dense":
            s = torch.tanh(self.bridge_h(s))
            c = torch.tanh(self.bridge_c(c)) if self.bridge_c else c
        elif self.o["initial"] == "zeros":
            s = c = torch.zeros(len(x), self.state, dtype=a.dtype)
        if self.o["only"]:
            result["context"], result["alphas"] = self.attend(a, s, mask)
            return result
        return dict(result, **self.decode(a, s, c, mask))

    def decode(self, a, s, c, mask):
        rows = {name: [] for name in ("context", "alphas", "states", "outputs", "tokens", "cells")}
        token = torch.ones(len(a), dtype=torch.long)
        for _ in range(self.o["steps"]):
            context, alphas = self.attend(a, s, mask)
            fed = context
            if self.o["feedback"]:
                one_hot = nn.functional.one_hot(token, V).to(a.dtype)
                previous = self.target_embed(token) if self.o["embedded"] else one_hot
                fed = torch.cat([previous, context] if self.o["fed_first"] else [context, previous], -1)
            s, c = self.cell(fed, (s, c))
            output = self.out(s)
            if self.o["output"] == "softmax":
                output = torch.softmax(output, -1)
            token = output.argmax(-1)
            for name, value in zip(rows, (context, alphas, s, output, token, c)):
                rows[name].append(value)
        return {name: torch.stack(values, 1) for name, values in rows.items()}
