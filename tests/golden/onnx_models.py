"""PyTorch modules of the kinds that people export to ONNX: taggers, classifiers, encoders with one-step decoders,
loops of steps. Each is written as its tutorial or toolkit writes it, and small."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def packed(rnn, x, lengths, ordered):
    """A recurrent layer over a packed sequence; batch first."""
    sequence = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=ordered)
    outputs, final = rnn(sequence)
    return pad_packed_sequence(outputs, batch_first=True)[0], final


class Recurrent(nn.Module):
    """An embedding, or features, and a recurrent network; what the other modules begin with."""

    def __init__(self, kind="LSTM", inputs=11, embed=6, units=5, layers=1, both=True, pack=None, batch_first=True):
        super().__init__()
        self.embedding = nn.Embedding(inputs, embed) if embed else None
        self.rnn = getattr(nn, kind)(embed or inputs, units, layers, bidirectional=both, batch_first=batch_first)
        self.pack, self.batch_first = pack, batch_first
        self.width = units * (2 if both else 1)

    def forward(self, x, lengths=None):
        x = self.embedding(x) if self.embedding else x
        if self.pack is not None:
            return packed(self.rnn, x, lengths, self.pack == "sorted")
        if not self.batch_first:
            outputs, final = self.rnn(x.transpose(0, 1))
            return outputs.transpose(0, 1), final
        return self.rnn(x)


class Tagger(nn.Module):
    """A class for every position."""

    def __init__(self, classes=4, hidden=0, end="logits", **settings):
        super().__init__()
        self.front = Recurrent(**settings)
        self.hidden = nn.Linear(self.front.width, hidden) if hidden else None
        self.out = nn.Linear(hidden or self.front.width, classes)
        self.end = end

    def forward(self, x, lengths=None):
        y, _ = self.front(x, lengths)
        if self.hidden:
            y = torch.relu(self.hidden(y))
        y = self.out(y)
        return {"logits": lambda: y, "softmax": lambda: F.softmax(y, -1), "log_softmax": lambda: F.log_softmax(y, 2)}[self.end]()


class TimeFirstTagger(nn.Module):
    """Positions come first, as in PyTorch's own examples."""

    def __init__(self, features=7, units=5, classes=4):
        super().__init__()
        self.rnn, self.out = nn.LSTM(features, units, bidirectional=True), nn.Linear(2 * units, classes)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


class MaskOfIds(nn.Module):
    """Lengths and mask come from the ids: 0 is padding. The attention is AllenNLP's and Stanza's."""

    def __init__(self, ids=11, embed=6, units=5, classes=3):
        super().__init__()
        self.embedding = nn.Embedding(ids, embed)
        self.rnn = nn.LSTM(embed, units, bidirectional=True, batch_first=True)
        self.score, self.out = nn.Linear(2 * units, 1), nn.Linear(2 * units, classes)

    def forward(self, x):
        inside = x.ne(0)
        y, _ = packed(self.rnn, self.embedding(x), inside.sum(1), False)
        energies = self.score(torch.tanh(y)).squeeze(2).masked_fill(~inside, float("-inf"))
        context = torch.bmm(F.softmax(energies, 1).unsqueeze(1), y).squeeze(1)
        return F.softmax(self.out(context), 1)


class TaggerOfTwoHeads(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.front = Recurrent(**settings)
        self.first, self.second = nn.Linear(self.front.width, 4), nn.Linear(self.front.width, 3)

    def forward(self, x, lengths=None):
        y, _ = self.front(x, lengths)
        return F.log_softmax(self.first(y), -1), torch.sigmoid(self.second(y))


class Classifier(nn.Module):
    """A class for a whole row: of the final states, or of what a pooling leaves of the positions."""

    def __init__(self, pool="final", classes=3, end="softmax", **settings):
        super().__init__()
        self.front = Recurrent(**settings)
        self.pool, self.end = pool, end
        width = self.front.width
        self.out = nn.Linear(width, classes)

    def forward(self, x, lengths=None):
        y, final = self.front(x, lengths)
        h = final[0] if isinstance(final, tuple) else final
        both = self.front.rnn.bidirectional
        if self.pool == "final":
            v = torch.cat([h[-2], h[-1]], 1) if both else h[-1]
        elif self.pool == "last":
            v = y[:, -1, :]
        elif self.pool == "mean":
            v = y.mean(1)
        elif self.pool == "max":
            v = y.max(dim=1)[0]
        elif self.pool == "adaptive":
            v = F.adaptive_max_pool1d(y.transpose(1, 2), 1).squeeze(2)
        v = self.out(v)
        return {"softmax": lambda: F.softmax(v, 1), "logits": lambda: v, "sigmoid": lambda: torch.sigmoid(v),
                "log_softmax": lambda: F.log_softmax(v, 1)}[self.end]()


class AttentionClassifier(nn.Module):
    """Attention over the positions, by the final state or by a vector of weights, and a class of the context."""

    def __init__(self, by="final", classes=3, **settings):
        super().__init__()
        self.front = Recurrent(**settings)
        self.by = by
        self.map = nn.Linear(self.front.width, 7)
        self.score = nn.Linear(7, 1, bias=False)
        self.out = nn.Linear(self.front.width, classes)

    def forward(self, x, lengths=None):
        y, final = self.front(x, lengths)
        h = final[0] if isinstance(final, tuple) else final
        if self.by == "final":
            q = torch.cat([h[-2], h[-1]], 1) if self.front.rnn.bidirectional else h[-1]
            weights = F.softmax(torch.bmm(y, q.unsqueeze(2)).squeeze(2), 1)
            context = torch.bmm(y.transpose(1, 2), weights.unsqueeze(2)).squeeze(2)
        else:
            weights = F.softmax(self.score(torch.tanh(self.map(y))), dim=1)
            context = (weights * y).sum(1)
        return F.softmax(self.out(context), 1)


class SelfAttention(nn.Module):
    """A layer whose positions attend to one another: by hand, by nn.MultiheadAttention around which a sum is normalised, or a
    block of a transformer in front of it; and a class of the mean."""

    def __init__(self, by="hand", heads=2, axis=2, classes=3, **settings):
        super().__init__()
        self.front = Recurrent(**settings)
        width = self.front.width
        self.by, self.axis, self.scale = by, axis, width**-0.5
        if by == "hand":
            self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        elif by == "heads":
            self.heads = nn.MultiheadAttention(width, heads, batch_first=True)
        else:
            self.block = nn.TransformerEncoderLayer(width, heads, 8, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, classes)

    def forward(self, x, lengths=None):
        y, _ = self.front(x, lengths)
        if self.by == "hand":
            weights = F.softmax(self.scale * torch.bmm(self.q(y), self.k(y).transpose(1, 2)), self.axis)
            y = self.norm(y + torch.bmm(weights, self.v(y)))
        elif self.by == "heads":
            y = self.norm(y + self.heads(y, y, y)[0])
        else:
            y = self.block(y)
        return F.softmax(self.out(y.mean(1)), 1)


# ---- encoders -------------------------------------------------------------------------------------------------------


class Encoder(nn.Module):
    """Annotations and the final states as nn.LSTM or nn.GRU give them, directions summed or joined where asked."""

    def __init__(self, states="raw", sum_outputs=False, bridge=None, **settings):
        super().__init__()
        self.front = Recurrent(**settings)
        self.states, self.sum_outputs = states, sum_outputs
        units = self.front.rnn.hidden_size
        self.bridge = nn.Linear(self.front.width, bridge) if bridge else None
        self.units = units

    def joined(self, h):
        """[layers * 2, B, H] to [layers, B, 2 H], as OpenNMT joins the directions."""
        return torch.cat([h[0 : h.size(0) : 2], h[1 : h.size(0) : 2]], 2) if self.front.rnn.bidirectional else h

    def forward(self, x, lengths=None):
        y, final = self.front(x, lengths)
        if self.sum_outputs:
            y = y[:, :, : self.units] + y[:, :, self.units :]
        final = final if isinstance(final, tuple) else (final,)
        if self.states == "joined":
            final = tuple(self.joined(h) for h in final)
        elif self.states == "top":  # the last layer's
            final = tuple(h[-1] if not self.front.rnn.bidirectional else torch.cat([h[-2], h[-1]], 1) for h in final)
        elif self.states == "forward":  # PyTorch's chatbot tutorial: the first states
            final = tuple(h[: h.size(0) // 2] for h in final)
        if self.bridge:
            final = tuple(torch.tanh(self.bridge(h)) for h in final)
        return (y, *final)


class ResidualEncoder(nn.Module):
    """GNMT's: a bidirectional layer, then forward ones, residual from the third on."""

    def __init__(self, inputs=11, units=6, layers=3):
        super().__init__()
        self.embedding = nn.Embedding(inputs, units)
        self.first = nn.LSTM(units, units, bidirectional=True, batch_first=True)
        self.second = nn.LSTM(2 * units, units, batch_first=True)
        self.rest = nn.ModuleList([nn.LSTM(units, units, batch_first=True) for _ in range(layers - 2)])

    def forward(self, x):
        y, _ = self.first(self.embedding(x))
        y, _ = self.second(y)
        for layer in self.rest:
            below = y
            y, _ = layer(y)
            y = y + below
        return y


# ---- one step of a decoder ------------------------------------------------------------------------------------------


class Bahdanau(nn.Module):
    def __init__(self, query, key, units):
        super().__init__()
        self.Wa, self.Ua, self.Va = nn.Linear(query, units), nn.Linear(key, units), nn.Linear(units, 1)

    def forward(self, query, keys):  # [B, S], [B, T, A]
        scores = self.Va(torch.tanh(self.Wa(query.unsqueeze(1)) + self.Ua(keys))).squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights, keys), weights


class BahdanauStep(nn.Module):
    """PyTorch's translation tutorial: attention by the state before, a GRU over (token, context)."""

    def __init__(self, width, units=10, classes=8, embed=6):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.attention = Bahdanau(units, width, 7)
        self.gru = nn.GRU(embed + width, units, batch_first=True)
        self.out = nn.Linear(units, classes)

    def forward(self, token, hidden, annotations):  # [B, 1], [1, B, S], [B, T, A]
        embedded = self.embedding(token)
        context, weights = self.attention(hidden.permute(1, 0, 2).squeeze(1), annotations)
        output, hidden = self.gru(torch.cat((embedded, context), dim=2), hidden)
        return self.out(output), hidden, weights


class TrevettStep(nn.Module):
    """Ben Trevett's third notebook: energies of tanh(W (s, a)), outputs of (state, context, token)."""

    def __init__(self, width, units=10, classes=8, embed=6):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.attn = nn.Linear(units + width, units)
        self.v = nn.Linear(units, 1, bias=False)
        self.rnn = nn.GRU(embed + width, units)
        self.fc_out = nn.Linear(embed + width + units, classes)

    def forward(self, token, hidden, annotations):  # [B], [B, S], [B, T, A]
        embedded = self.embedding(token.unsqueeze(0))
        repeated = hidden.unsqueeze(1).repeat(1, annotations.shape[1], 1)
        energy = torch.tanh(self.attn(torch.cat((repeated, annotations), dim=2)))
        a = F.softmax(self.v(energy).squeeze(2), dim=1).unsqueeze(1)
        weighted = torch.bmm(a, annotations).permute(1, 0, 2)
        output, hidden = self.rnn(torch.cat((embedded, weighted), dim=2), hidden.unsqueeze(0))
        embedded, output, weighted = embedded.squeeze(0), output.squeeze(0), weighted.squeeze(0)
        return self.fc_out(torch.cat((output, weighted, embedded), dim=1)), hidden.squeeze(0)


class LuongStep(nn.Module):
    """PyTorch's chatbot tutorial: the cell first, then attention dot, general or concat, tanh(W (state, context))."""

    def __init__(self, width, units, classes=8, embed=6, score="dot", layers=1):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.gru = nn.GRU(embed, units, layers)
        self.score = score
        if score == "general":
            self.attn = nn.Linear(width, units)
        elif score == "concat":
            self.attn, self.v = nn.Linear(units + width, units), nn.Parameter(torch.randn(units))
        self.concat = nn.Linear(units + width, units)
        self.out = nn.Linear(units, classes)

    def energies(self, state, annotations):  # [1, B, S], [T, B, A]
        if self.score == "dot":
            return torch.sum(state * annotations, dim=2)
        if self.score == "general":
            return torch.sum(state * self.attn(annotations), dim=2)
        joined = torch.cat((state.expand(annotations.size(0), -1, -1), annotations), 2)
        return torch.sum(self.v * torch.tanh(self.attn(joined)), dim=2)

    def forward(self, token, hidden, annotations):  # [1, B], [layers, B, S], [B, T, A]
        annotations = annotations.transpose(0, 1)
        output, hidden = self.gru(self.embedding(token), hidden)
        weights = F.softmax(self.energies(output, annotations).t(), dim=1).unsqueeze(1)
        context = weights.bmm(annotations.transpose(0, 1))
        joined = torch.tanh(self.concat(torch.cat((output.squeeze(0), context.squeeze(1)), 1)))
        return F.softmax(self.out(joined), dim=1), hidden


class HeadsStep(nn.Module):
    """Several heads of nn.MultiheadAttention: asked by the state behind the cell, its output beside it, added to it and
    normalised, or through tanh(W (state, context)); or by the state before, and a GRU over (token, context)."""

    def __init__(self, width, units=8, classes=8, embed=6, heads=2, by="beside", kind="GRU", **settings):
        super().__init__()
        self.by, self.embedding = by, nn.Embedding(classes, embed)
        self.attention = nn.MultiheadAttention(units, heads, kdim=width, vdim=width, batch_first=True, **settings)
        self.rnn = getattr(nn, kind)(embed + (units if by == "before" else 0), units, batch_first=True)
        self.norm, self.concat = nn.LayerNorm(units), nn.Linear(2 * units, units)
        self.out = nn.Linear(units * (2 if by == "beside" else 1), classes)

    def attend(self, asks, annotations):
        return self.attention(asks, annotations, annotations)[0]

    def step(self, token, state, annotations):
        x = self.embedding(token)
        if self.by == "before":
            x = torch.cat((x, self.attend(state.transpose(0, 1), annotations)), 2)
        y, after = self.rnn(x, state)
        if self.by == "beside":
            y = torch.cat((y, self.attend(y, annotations)), 2)
        elif self.by == "normed":
            y = self.norm(y + self.attend(y, annotations))
        elif self.by == "tanh":
            y = torch.tanh(self.concat(torch.cat((y, self.attend(y, annotations)), 2)))
        return self.out(y).squeeze(1), after

    def forward(self, token, hidden, annotations):  # [B, 1], [1, B, S], [B, T, A]
        return self.step(token, hidden, annotations)


class HeadsLstmStep(HeadsStep):
    """The same behind an LSTM."""

    def __init__(self, width, **settings):
        super().__init__(width, kind="LSTM", **settings)

    def forward(self, token, h, c, annotations):
        output, (h, c) = self.step(token, (h, c), annotations)
        return output, h, c


class InputFeedStep(nn.Module):
    """OpenNMT: two LSTM cells over (token, attentional), general attention, tanh(W (context, state))."""

    def __init__(self, width, units=10, classes=8, embed=6, layers=2, cell="cells"):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        if cell == "cells":
            self.cells = nn.ModuleList([nn.LSTMCell(embed + units if i == 0 else units, units) for i in range(layers)])
            self.rnn = None
        else:
            self.rnn = nn.LSTM(embed + units, units, layers)
        self.linear_in = nn.Linear(units, width, bias=False)
        self.linear_out = nn.Linear(width + units, units, bias=False)
        self.generator = nn.Linear(units, classes)

    def forward(self, token, feed, h, c, annotations):  # [B], [B, S], [layers, B, S] twice, [B, T, A]
        x = torch.cat([self.embedding(token), feed], 1)
        if self.rnn is not None:
            x, (h, c) = self.rnn(x.unsqueeze(0), (h, c))
            x = x.squeeze(0)
        else:
            hs, cs = [], []
            for i, cell in enumerate(self.cells):
                h1, c1 = cell(x, (h[i], c[i]))
                x = h1
                hs.append(h1)
                cs.append(c1)
            h, c = torch.stack(hs), torch.stack(cs)
        query = self.linear_in(x).unsqueeze(1)
        weights = F.softmax(torch.bmm(query, annotations.transpose(1, 2)).squeeze(1), -1)
        context = torch.bmm(weights.unsqueeze(1), annotations).squeeze(1)
        feed = torch.tanh(self.linear_out(torch.cat([context, x], 1)))
        return F.log_softmax(self.generator(feed), -1), feed, h, c


class CellStep(nn.Module):
    """AllenNLP's: attention by the state before, bilinear or dot, masked or not; an LSTMCell over (token, context)."""

    def __init__(self, width, units=10, classes=8, embed=6, score="bilinear"):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.cell = nn.LSTMCell(embed + width, units)
        self.score = score
        self.W = nn.Parameter(torch.randn(units, width) * 0.3)
        self.out = nn.Linear(units, classes)

    def attend(self, h, annotations, mask=None):
        q = h.mm(self.W) if self.score == "bilinear" else h
        energies = q.unsqueeze(1).bmm(annotations.transpose(1, 2)).squeeze(1)
        if mask is not None:
            energies = energies.masked_fill(mask == 0, float("-inf"))
        return (F.softmax(energies, -1).unsqueeze(2) * annotations).sum(1)

    def forward(self, token, h, c, annotations):
        x = torch.cat([self.embedding(token), self.attend(h, annotations)], -1)
        h, c = self.cell(x, (h, c))
        return self.out(h), h, c


class MaskedCellStep(CellStep):
    def forward(self, token, h, c, annotations, mask):
        x = torch.cat([self.embedding(token), self.attend(h, annotations, mask)], -1)
        h, c = self.cell(x, (h, c))
        return self.out(h), h, c


class GruCellStep(CellStep):
    def __init__(self, width, units=10, classes=8, embed=6, score="dot"):
        super().__init__(width, units, classes, embed, score)
        self.cell = nn.GRUCell(embed + width, units)

    def forward(self, token, h, annotations):
        h = self.cell(torch.cat([self.embedding(token), self.attend(h, annotations)], -1), h)
        return self.out(h), h


class PlainStep(nn.Module):
    """No attention: a decoder of LSTM layers that begins with the encoder's states (g2p)."""

    def __init__(self, units=5, classes=8, embed=6, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.rnn = nn.LSTM(embed, units, layers, batch_first=True)
        self.out = nn.Linear(units, classes)

    def forward(self, token, h, c):  # [B, 1], [layers, B, S] twice
        y, (h, c) = self.rnn(self.embedding(token), (h, c))
        return F.log_softmax(self.out(y.squeeze(1)), 1), h, c


class OneHotStep(PlainStep):
    """Keras' example lstm_seq2seq: the last letter comes one-hot, as a sequence of one."""

    def __init__(self, units=5, classes=8, layers=1):
        super().__init__(units, classes, classes, layers)
        self.embedding = None

    def forward(self, token, h, c):  # [B, 1, V], [layers, B, S] twice
        y, (h, c) = self.rnn(token, (h, c))
        return F.softmax(self.out(y), 2), h, c


class PlainGruStep(PlainStep):
    def __init__(self, units=5, classes=8, embed=6, layers=1):
        super().__init__(units, classes, embed, layers)
        self.rnn = nn.GRU(embed, units, layers, batch_first=True)

    def forward(self, token, h):
        y, h = self.rnn(self.embedding(token), h)
        return F.log_softmax(self.out(y.squeeze(1)), 1), h


class FairseqStep(nn.Module):
    """fairseq's: LSTM cells over (token, attentional); energies are products with a projected state, over positions that
    come first; positions of padding are left out."""

    def __init__(self, width, units=10, classes=8, embed=6, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.layers = nn.ModuleList([nn.LSTMCell(embed + units if i == 0 else units, units) for i in range(layers)])
        self.input_proj = nn.Linear(units, width, bias=False)
        self.output_proj = nn.Linear(units + width, units, bias=False)
        self.fc_out = nn.Linear(units, classes)

    def forward(self, token, feed, h, c, annotations, mask):  # [B, 1], [B, S], [layers, B, S] twice, [B, T, A], [B, T]
        source = annotations.transpose(0, 1)
        x, hs, cs = torch.cat((self.embedding(token)[:, 0], feed), dim=1), [], []
        for i, cell in enumerate(self.layers):
            h1, c1 = cell(x, (h[i], c[i]))
            x = h1
            hs.append(h1)
            cs.append(c1)
        scores = (source * self.input_proj(x).unsqueeze(0)).sum(dim=2)
        scores = scores.float().masked_fill_((mask == 0).transpose(0, 1), float("-inf")).type_as(scores)
        weights = F.softmax(scores, dim=0)
        context = (weights.unsqueeze(2) * source).sum(dim=0)
        feed = torch.tanh(self.output_proj(torch.cat((context, x), dim=1)))
        return self.fc_out(feed), feed, torch.stack(hs), torch.stack(cs), weights.transpose(0, 1)


class StanzaStep(nn.Module):
    """Stanza's lemmatiser: an LSTM over the token, soft dot attention with its new state, tanh(W (context, state))."""

    def __init__(self, width, units=10, classes=8, embed=6):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.lstm_cell = nn.LSTMCell(embed, units)
        self.linear_in = nn.Linear(units, width, bias=False)
        self.linear_out = nn.Linear(units + width, units, bias=False)
        self.dec2vocab = nn.Linear(units, classes)

    def forward(self, token, h, c, annotations, mask):
        h, c = self.lstm_cell(self.embedding(token), (h, c))
        target = self.linear_in(h).unsqueeze(2)
        attn = torch.bmm(annotations, target).squeeze(2)
        attn = attn.masked_fill(mask == 0, -1e12)
        weighted = torch.bmm(F.softmax(attn, dim=1).unsqueeze(1), annotations).squeeze(1)
        tilde = torch.tanh(self.linear_out(torch.cat((weighted, h), 1)))
        return F.log_softmax(self.dec2vocab(tilde), dim=1), h, c


class JoeyStep(nn.Module):
    """joeynmt's: a GRU or LSTM over (token, attentional), projected keys, Bahdanau's energies with the state before."""

    def __init__(self, width, units=10, classes=8, embed=6, kind="GRU"):
        super().__init__()
        self.embedding = nn.Embedding(classes, embed)
        self.rnn = nn.GRU(embed + units, units, batch_first=True)
        self.key_layer, self.query_layer = nn.Linear(width, units, bias=False), nn.Linear(units, units, bias=False)
        self.energy_layer = nn.Linear(units, 1, bias=False)
        self.att_vector_layer = nn.Linear(units + width, units)
        self.output_layer = nn.Linear(units, classes, bias=False)

    def forward(self, token, feed, h, annotations, mask):  # [B, 1], [B, 1, S], [1, B, S], [B, T, A], [B, 1, T]
        _, h = self.rnn(torch.cat([self.embedding(token), feed], dim=2), h)
        query = h[-1].unsqueeze(1)
        scores = self.energy_layer(torch.tanh(self.query_layer(query) + self.key_layer(annotations)))
        scores = scores.squeeze(2).unsqueeze(1)
        scores = torch.where(mask.unsqueeze(1) > 0, scores, scores.new_full([1], float("-inf")))
        alphas = F.softmax(scores, dim=-1)
        context = alphas @ annotations
        feed = torch.tanh(self.att_vector_layer(torch.cat([query, context], dim=2)))
        return self.output_layer(feed), feed, h


class Pyramid(nn.Module):
    """LAS' listener: two positions become one in front of the second layer."""

    def __init__(self, features=7, units=5):
        super().__init__()
        self.first = nn.LSTM(features, units, bidirectional=True, batch_first=True)
        self.second = nn.LSTM(4 * units, units, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * units, 4)

    def forward(self, x):
        y, _ = self.first(x)
        y = y.reshape(y.size(0), y.size(1) // 2, 2 * y.size(2))
        return self.out(self.second(y)[0])


class GnmtStep(nn.Module):
    """GNMT's decoder: the first layer attends with its new state, the others read the context too; residual."""

    def __init__(self, width=6, units=6, classes=8, layers=3):
        super().__init__()
        self.embedding = nn.Embedding(classes, units)
        self.first = nn.LSTM(units, units, batch_first=True)
        self.rest = nn.ModuleList([nn.LSTM(units + width, units, batch_first=True) for _ in range(layers - 1)])
        self.query, self.key = nn.Linear(units, units, bias=False), nn.Linear(width, units, bias=False)
        self.v, self.bias = nn.Parameter(torch.randn(units)), nn.Parameter(torch.randn(units))
        self.out = nn.Linear(units, classes)

    def forward(self, token, h, c, annotations):  # [B, 1], [layers, B, S] twice
        x, (h0, c0) = self.first(self.embedding(token), (h[0:1], c[0:1]))
        scores = torch.tanh(self.query(x) + self.key(annotations) + self.bias).matmul(self.v)
        context = torch.bmm(F.softmax(scores, -1).unsqueeze(1), annotations)
        hs, cs = [h0], [c0]
        for i, layer in enumerate(self.rest):
            y, (h1, c1) = layer(torch.cat([x, context], 2), (h[i + 1 : i + 2], c[i + 1 : i + 2]))
            x = y + x if i > 0 else y
            hs.append(h1)
            cs.append(c1)
        return self.out(x), torch.cat(hs), torch.cat(cs)


class Greedy(nn.Module):
    """An encoder and a loop of steps in one graph: the best token of a step is the next one's."""

    def __init__(self, encoder, step, start, steps, begin):
        super().__init__()
        self.encoder, self.step, self.start, self.steps, self.begin = encoder, step, start, steps, begin

    def forward(self, x):
        y, *state = self.encoder(x)
        state = self.begin(y, *state)
        token = torch.full((x.size(0), 1), self.start, dtype=torch.long)
        outputs = []
        for _ in range(self.steps):
            output, *state = self.step(token, *state, y)[: len(state) + 1]
            output = output.reshape(x.size(0), -1)
            outputs.append(output)
            token = output.argmax(1, keepdim=True)
        return torch.stack(outputs, 1)


class CellLoop(nn.Module):
    """The first user's: attention by the state before over (a, s), an LSTMCell over the context alone, a class a step."""

    def __init__(self, features=7, units=5, state=8, classes=4, steps=3):
        super().__init__()
        self.lstm = nn.LSTM(features, units, bidirectional=True, batch_first=True)
        self.init_h, self.init_c = nn.Linear(2 * units, state), nn.Linear(2 * units, state)
        self.energy1, self.energy2 = nn.Linear(2 * units + state, 10), nn.Linear(10, 1)
        self.cell, self.out = nn.LSTMCell(2 * units, state), nn.Linear(state, classes)
        self.steps = steps

    def forward(self, x):
        a, (h, c) = self.lstm(x)
        h, c = self.init_h(torch.cat([h[0], h[1]], 1)), self.init_c(torch.cat([c[0], c[1]], 1))
        outputs = []
        for _ in range(self.steps):
            s = h.unsqueeze(1).expand(-1, a.size(1), -1)
            e = torch.relu(self.energy2(torch.tanh(self.energy1(torch.cat([a, s], 2)))))
            context = (F.softmax(e, 1) * a).sum(1)
            h, c = self.cell(context, (h, c))
            outputs.append(F.softmax(self.out(h), 1))
        return torch.stack(outputs, 1)
