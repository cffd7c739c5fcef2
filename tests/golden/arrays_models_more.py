"""More models for make_arrays.py, as arrays_models.py has them: deep ones, and those that do not attend or decode."""

import torch
from torch import nn

from arrays_models import SOURCES, TARGETS, attend, mask_of, run_packed, sides


class GNMT(nn.Module):
    """GNMT: a bidirectional layer, residual ones over it; the first decoder layer asks, all above read the context."""

    class Encoder(nn.Module):
        def __init__(self, units):
            super().__init__()
            self.embedder = nn.Embedding(SOURCES, 5)
            self.rnn_layers = nn.ModuleList(
                [
                    nn.LSTM(5, units // 2, bidirectional=True, batch_first=True),
                    nn.LSTM(units, units, batch_first=True),
                    nn.LSTM(units, units, batch_first=True),
                ]
            )

    class Attention(nn.Module):
        def __init__(self, units):
            super().__init__()
            self.linear_q = nn.Linear(units, units, bias=False)
            self.linear_k = nn.Linear(units, units, bias=False)
            self.linear_att = nn.Parameter(torch.zeros(units))

    class First(nn.Module):
        def __init__(self, inputs, units):
            super().__init__()
            self.rnn = nn.LSTM(inputs, units, batch_first=True)
            self.attn = GNMT.Attention(units)

    class Decoder(nn.Module):
        def __init__(self, units, feeds):
            super().__init__()
            self.embedder = nn.Embedding(TARGETS, 4)
            self.att_rnn = GNMT.First(4 + (units if feeds else 0), units)
            self.rnn_layers = nn.ModuleList([nn.LSTM(2 * units, units, batch_first=True) for _ in range(2)])
            self.classifier = nn.Linear(units, TARGETS)

    feeds = False  # the first layer reads the token alone

    def __init__(self, units=6):
        super().__init__()
        self.units = units
        self.encoder, self.decoder = self.Encoder(units), self.Decoder(units, self.feeds)

    def encode(self, ids, lengths):
        x = self.encoder.embedder(ids)
        for number, rnn in enumerate(self.encoder.rnn_layers):
            below = x
            x, _ = run_packed(rnn, x, lengths)
            x = x + below if number >= 2 else x
        mask = mask_of(ids, lengths)
        x = x * mask[:, :, None]
        zeros = torch.zeros(1, len(ids), self.units, dtype=x.dtype)
        return {"values": x, "mask": mask}, ([(zeros, zeros)] * 3, zeros[0])

    def step(self, token, state, memory):
        cells, before = state
        first, layers = self.decoder.att_rnn, self.decoder.att_rnn.attn
        fed = self.decoder.embedder(token)
        fed = torch.cat((fed, before), -1) if self.feeds else fed
        x, cell = first.rnn(fed[:, None], cells[0])
        x, following = x[:, 0], [cell]
        energies = torch.tanh(layers.linear_q(x)[:, None] + layers.linear_k(memory["values"])) @ layers.linear_att
        context = attend(energies, memory)
        for number, rnn in enumerate(self.decoder.rnn_layers):
            below = x
            x, cell = rnn(torch.cat((x, context), -1)[:, None], cells[number + 1])
            following.append(cell)
            x = x[:, 0] + below if number >= 1 else x[:, 0]
        return self.decoder.classifier(x), (following, context)


class GNMTFed(GNMT):
    """The other wiring: the first layer also reads the context of the step before."""

    feeds = True


class ListenAttendSpell(nn.Module):
    """LAS without the pyramid, over features: phi(s) . psi(h), the speller reads the context that it had, and the
    characters are read from its state and the new one."""

    class Listener(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.pooled = nn.Linear(4, 5)
            self.blstm = nn.LSTM(5, hidden, 2, bidirectional=True, batch_first=True)

    class Speller(nn.Module):
        def __init__(self, width, units):
            super().__init__()
            self.embedding = nn.Embedding(TARGETS, 4)
            self.rnn_layer = nn.LSTM(4 + width, units, 2, batch_first=True)
            self.phi, self.psi = nn.Linear(units, 5), nn.Linear(width, 5)
            self.character_distribution = nn.Linear(units + width, TARGETS)

    features = True

    def __init__(self, hidden=3, units=5):
        super().__init__()
        self.units, self.width = units, 2 * hidden
        self.listener, self.speller = self.Listener(hidden), self.Speller(2 * hidden, units)

    def encode(self, x, lengths):
        values, _ = run_packed(self.listener.blstm, self.listener.pooled(x), lengths)
        zeros = torch.zeros(2, len(x), self.units, dtype=x.dtype)
        memory = {"values": values, "mask": mask_of(x, lengths)}
        return memory, ((zeros, zeros), torch.zeros(len(x), self.width, dtype=x.dtype))

    def step(self, token, state, memory):
        cells, context = state
        fed = torch.cat((self.speller.embedding(token), context), -1)
        outputs, cells = self.speller.rnn_layer(fed[:, None], cells)
        phi, psi = torch.relu(self.speller.phi(outputs[:, 0])), torch.relu(self.speller.psi(memory["values"]))
        context = attend(torch.einsum("bu,btu->bt", phi, psi), memory)
        joined = torch.cat((outputs[:, 0], context), -1)
        return self.speller.character_distribution(joined), (cells, context)


class G2P(nn.Module):
    """Graphemes to phonemes: two GRUs and no attention."""

    def __init__(self, units=6):
        super().__init__()
        self.enc_emb, self.dec_emb = nn.Embedding(SOURCES, 5), nn.Embedding(TARGETS, 4)
        self.enc, self.dec = nn.GRU(5, units, batch_first=True), nn.GRUCell(4, units)
        self.fc = nn.Linear(units, TARGETS)

    def encode(self, ids, lengths):
        return {}, run_packed(self.enc, self.enc_emb(ids), lengths)[1][-1]

    def step(self, token, state, memory):
        state = self.dec(self.dec_emb(token), state)
        return self.fc(state), state


class StanzaTagger(nn.Module):
    """A tagger of two heads over stacked BiLSTMs behind a projection of the embedding, as Stanza's has them."""

    def __init__(self, hidden=4):
        super().__init__()
        self.word_emb = nn.Embedding(SOURCES, 6)
        self.trans_word = nn.Linear(6, 5, bias=False)
        self.taggerlstm = nn.LSTM(5, hidden, 2, bidirectional=True, batch_first=True)
        self.upos_hid, self.upos_clf = nn.Linear(2 * hidden, 5), nn.Linear(5, 7)
        self.xpos_hid, self.xpos_clf = nn.Linear(2 * hidden, 5), nn.Linear(5, 9)

    def forward(self, ids, lengths):
        outputs, _ = run_packed(self.taggerlstm, self.trans_word(self.word_emb(ids)), lengths)
        upos = self.upos_clf(torch.relu(self.upos_hid(outputs)))
        return [upos, self.xpos_clf(torch.relu(self.xpos_hid(outputs)))]


class LinearTagger(nn.Module):
    """A tagger with an nn.Linear behind each BiLSTM."""

    def __init__(self, hidden=4):
        super().__init__()
        self.embed = nn.Embedding(SOURCES, 5)
        self.rnns = nn.ModuleList(
            [
                nn.LSTM(5, hidden, bidirectional=True, batch_first=True),
                nn.LSTM(6, hidden, bidirectional=True, batch_first=True, bias=False),
            ]
        )
        self.linears = nn.ModuleList([nn.Linear(2 * hidden, 6), nn.Linear(2 * hidden, 5)])
        self.tag = nn.Linear(5, 7)

    def forward(self, ids, lengths):
        x = self.embed(ids)
        for rnn, linear in zip(self.rnns, self.linears):
            x = linear(run_packed(rnn, x, lengths)[0])
        return [self.tag(x)]


class Pooled(nn.Module):
    """A classifier of sentences: the largest, the mean or the final of a BiGRU's states."""

    def __init__(self, pool, hidden=4):
        super().__init__()
        self.pool = pool
        self.embedding = nn.Embedding(SOURCES, 5)
        self.rnn = nn.GRU(5, hidden, bidirectional=True, batch_first=True, bias=pool != "final")
        self.classifier = nn.Sequential(nn.Linear(2 * hidden, 6), nn.Tanh(), nn.Linear(6, 3))

    def forward(self, ids, lengths):
        outputs, final = run_packed(self.rnn, self.embedding(ids), lengths)
        mask = mask_of(ids, lengths)[:, :, None]
        if self.pool == "maximum":
            pooled = outputs.masked_fill(~mask, -torch.inf).amax(1)
        elif self.pool == "mean":
            pooled = (outputs * mask).sum(1) / lengths[:, None]
        else:
            pooled = sides(final)
        return [self.classifier(pooled)]


class AttentionPooled(nn.Module):
    """A classifier whose positions are weighed by a vector of its own: u . tanh(W h + b)."""

    def __init__(self, hidden=4):
        super().__init__()
        self.embedding = nn.Embedding(SOURCES, 5)
        self.lstm = nn.LSTM(5, hidden, bidirectional=True, batch_first=True)
        self.word_weight = nn.Parameter(torch.zeros(2 * hidden, 6))
        self.word_bias = nn.Parameter(torch.zeros(1, 6))
        self.context_weight = nn.Parameter(torch.zeros(6, 1))
        self.fc = nn.Linear(2 * hidden, 3)

    def forward(self, ids, lengths):
        values, _ = run_packed(self.lstm, self.embedding(ids), lengths)
        energies = (torch.tanh(values @ self.word_weight + self.word_bias) @ self.context_weight)[..., 0]
        return [self.fc(attend(energies, {"values": values, "mask": mask_of(ids, lengths)}))]


class SelfAttentive(nn.Module):
    """A tagger whose positions look at one another: nn.MultiheadAttention with a residual sum and a normalisation
    behind a BiLSTM, then maps of its author's own behind an LSTM."""

    def __init__(self, hidden=4):
        super().__init__()
        self.embed = nn.Embedding(SOURCES, 5)
        self.below = nn.LSTM(5, hidden, bidirectional=True, batch_first=True)
        self.attention = nn.MultiheadAttention(2 * hidden, 2, batch_first=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.above = nn.LSTM(2 * hidden, 6, batch_first=True)
        self.query, self.key = nn.Linear(6, 4), nn.Linear(6, 4, bias=False)
        self.value = nn.Linear(6, 3)
        self.tag = nn.Linear(3, 4)

    def forward(self, ids, lengths):
        mask = mask_of(ids, lengths)
        x, _ = run_packed(self.below, self.embed(ids), lengths)
        x = self.norm(x + self.attention(x, x, x, key_padding_mask=~mask, need_weights=False)[0])
        x, _ = run_packed(self.above, x, lengths)
        energies = self.query(x) @ self.key(x).transpose(1, 2) / 2
        alphas = torch.softmax(energies.masked_fill(~mask[:, None], -torch.inf), -1)
        return [self.tag(alphas @ self.value(x))]


class AskedHeads(nn.Module):
    """A GRU whose states ask two heads of an nn.MultiheadAttention, which alone is classified."""

    def __init__(self, hidden=6):
        super().__init__()
        self.source, self.target = nn.Embedding(SOURCES, 5), nn.Embedding(TARGETS, 4)
        self.encoder = nn.GRU(5, hidden // 2, bidirectional=True, batch_first=True)
        self.decoder = nn.GRU(4, hidden, batch_first=True)
        self.attention = nn.MultiheadAttention(hidden, 2, batch_first=True)
        self.out = nn.Linear(hidden, TARGETS)

    def encode(self, ids, lengths):
        values, final = run_packed(self.encoder, self.source(ids), lengths)
        return {"values": values, "mask": mask_of(ids, lengths)}, sides(final, 0)[None]

    def step(self, token, state, memory):
        y, state = self.decoder(self.target(token)[:, None], state)
        y, _ = self.attention(y, memory["values"], memory["values"], key_padding_mask=~memory["mask"])
        return self.out(y[:, 0]), state
