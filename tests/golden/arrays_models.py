"""Models as the toolkits and tutorials of PyTorch wire them, small, for make_arrays.py. Each is written anew from
what its original computes; attributes have the names that the originals give, since state_dicts have them.

A model that decodes has encode(ids, lengths), which gives what its steps attend to and the state before them, and
step(token, state, memory), which gives logits and the next state. Others have forward(ids, lengths): logits, a list
of them where they have several heads.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

SOURCES, TARGETS, STEPS, START, END = 13, 11, 6, 1, 2


def run_packed(rnn, x, lengths):
    """Annotations and final states of ragged rows."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, final = rnn(packed)
    return pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])[0], final


def sides(state, layer=-1):
    """Both directions of one layer side by side, of a state [layers x 2, B, H]."""
    layers = state.view(-1, 2, *state.shape[1:])
    return torch.cat((layers[layer, 0], layers[layer, 1]), -1)


def mask_of(x, lengths):
    return torch.arange(x.shape[1])[None] < lengths[:, None]


def attend(energies, memory):
    alphas = torch.softmax(energies.masked_fill(~memory["mask"], -torch.inf), -1)
    return torch.einsum("bt,bta->ba", alphas, memory["values"])


class BahdanauTutorial(nn.Module):
    """PyTorch's tutorial on translation, its current version."""

    class Encoder(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embedding = nn.Embedding(SOURCES, hidden)
            self.gru = nn.GRU(hidden, hidden, batch_first=True)

    class Attention(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.Wa, self.Ua, self.Va = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)

    class Decoder(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embedding = nn.Embedding(TARGETS, hidden)
            self.attention = BahdanauTutorial.Attention(hidden)
            self.gru = nn.GRU(2 * hidden, hidden, batch_first=True)
            self.out = nn.Linear(hidden, TARGETS)

    def __init__(self, hidden=6):
        super().__init__()
        self.encoder, self.decoder = self.Encoder(hidden), self.Decoder(hidden)

    def encode(self, ids, lengths):
        values, final = run_packed(self.encoder.gru, self.encoder.embedding(ids), lengths)
        return {"values": values, "mask": mask_of(ids, lengths)}, final

    def step(self, token, state, memory):
        layers = self.decoder.attention
        energies = layers.Va(torch.tanh(layers.Wa(state[-1])[:, None] + layers.Ua(memory["values"])))[..., 0]
        fed = torch.cat((self.decoder.embedding(token), attend(energies, memory)), -1)
        outputs, state = self.decoder.gru(fed[:, None], state)
        return self.decoder.out(outputs[:, 0]), state


class ChatbotTutorial(nn.Module):
    """PyTorch's chatbot: Luong's dot after a stacked GRU, whose layers begin with the two directions of the encoder's
    first layer; one embedding for both languages."""

    class Encoder(nn.Module):
        def __init__(self, hidden, embedding):
            super().__init__()
            self.embedding = embedding
            self.gru = nn.GRU(hidden, hidden, 2, bidirectional=True, batch_first=True)

    class Decoder(nn.Module):
        def __init__(self, hidden, embedding):
            super().__init__()
            self.embedding = embedding
            self.gru = nn.GRU(hidden, hidden, 2, batch_first=True)
            self.concat = nn.Linear(2 * hidden, hidden)
            self.out = nn.Linear(hidden, TARGETS)

    def __init__(self, hidden=5):
        super().__init__()
        embedding = nn.Embedding(TARGETS, hidden)
        self.encoder, self.decoder = self.Encoder(hidden, embedding), self.Decoder(hidden, embedding)

    def encode(self, ids, lengths):
        outputs, final = run_packed(self.encoder.gru, self.encoder.embedding(ids), lengths)
        values = outputs[..., : outputs.shape[-1] // 2] + outputs[..., outputs.shape[-1] // 2 :]
        return {"values": values, "mask": mask_of(ids, lengths)}, final[:2]

    def step(self, token, state, memory):
        outputs, state = self.decoder.gru(self.decoder.embedding(token)[:, None], state)
        context = attend(torch.einsum("bta,ba->bt", memory["values"], outputs[:, 0]), memory)
        return self.decoder.out(torch.tanh(self.decoder.concat(torch.cat((outputs[:, 0], context), 1)))), state


class OpenNMT(nn.Module):
    """OpenNMT-py's rnn: bidirectional LSTMs, stacked LSTMCells with input feeding, general attention."""

    class Embeddings(nn.Module):
        def __init__(self, count, width):
            super().__init__()
            self.emb_luts = nn.Sequential(nn.Embedding(count, width))

        def forward(self, ids):
            return self.emb_luts(ids)

    class Encoder(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embeddings = OpenNMT.Embeddings(SOURCES, 5)
            self.rnn = nn.LSTM(5, hidden // 2, 2, bidirectional=True, batch_first=True)

    class Stacked(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.layers = nn.ModuleList([nn.LSTMCell(4 + hidden, hidden), nn.LSTMCell(hidden, hidden)])

    class Attention(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.linear_in = nn.Linear(hidden, hidden, bias=False)
            self.linear_out = nn.Linear(2 * hidden, hidden, bias=False)

    class Decoder(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embeddings = OpenNMT.Embeddings(TARGETS, 4)
            self.rnn = OpenNMT.Stacked(hidden)
            self.attn = OpenNMT.Attention(hidden)

    def __init__(self, hidden=6):
        super().__init__()
        self.encoder, self.decoder = self.Encoder(hidden), self.Decoder(hidden)
        self.generator = nn.Sequential(nn.Linear(hidden, TARGETS), nn.LogSoftmax(-1))

    def encode(self, ids, lengths):
        values, (h, c) = run_packed(self.encoder.rnn, self.encoder.embeddings(ids), lengths)
        state = [(sides(h, layer), sides(c, layer)) for layer in range(2)]
        return {"values": values, "mask": mask_of(ids, lengths)}, (state, torch.zeros_like(state[0][0]))

    def step(self, token, state, memory):
        cells, fed = state
        x, following = torch.cat((self.decoder.embeddings(token), fed), -1), []
        for layer, cell in zip(self.decoder.rnn.layers, cells):
            following.append(layer(x, cell))
            x = following[-1][0]
        energies = torch.einsum("bta,ba->bt", memory["values"], self.decoder.attn.linear_in(x))
        joined = torch.cat((attend(energies, memory), x), -1)
        fed = torch.tanh(self.decoder.attn.linear_out(joined))
        return self.generator(fed), (following, fed)


class Fairseq(nn.Module):
    """fairseq's lstm: attention over what the last cell gives, projected; what comes of it is fed and read out."""

    class Encoder(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.embed_tokens = nn.Embedding(SOURCES, 5)
            self.lstm = nn.LSTM(5, hidden, bidirectional=True, batch_first=True)

    class Attention(nn.Module):
        def __init__(self, units, width):
            super().__init__()
            self.input_proj = nn.Linear(units, width, bias=False)
            self.output_proj = nn.Linear(units + width, units, bias=False)

    class Decoder(nn.Module):
        def __init__(self, hidden, units):
            super().__init__()
            self.embed_tokens = nn.Embedding(TARGETS, 4)
            self.encoder_hidden_proj = nn.Linear(2 * hidden, units)
            self.encoder_cell_proj = nn.Linear(2 * hidden, units)
            self.layers = nn.ModuleList([nn.LSTMCell(units + 4, units)])
            self.attention = Fairseq.Attention(units, 2 * hidden)
            self.additional_fc = nn.Linear(units, 4)
            self.fc_out = nn.Linear(4, TARGETS)

    def __init__(self, hidden=3, units=5):
        super().__init__()
        self.encoder, self.decoder = self.Encoder(hidden), self.Decoder(hidden, units)

    def encode(self, ids, lengths):
        values, (h, c) = run_packed(self.encoder.lstm, self.encoder.embed_tokens(ids), lengths)
        state = self.decoder.encoder_hidden_proj(sides(h)), self.decoder.encoder_cell_proj(sides(c))
        return {"values": values, "mask": mask_of(ids, lengths)}, (state, torch.zeros_like(state[0]))

    def step(self, token, state, memory):
        cell, fed = state
        cell = self.decoder.layers[0](torch.cat((self.decoder.embed_tokens(token), fed), -1), cell)
        energies = torch.einsum("bta,ba->bt", memory["values"], self.decoder.attention.input_proj(cell[0]))
        joined = torch.cat((attend(energies, memory), cell[0]), -1)
        fed = torch.tanh(self.decoder.attention.output_proj(joined))
        return self.decoder.fc_out(self.decoder.additional_fc(fed)), (cell, fed)


class JoeyNMT(nn.Module):
    """joeynmt's recurrent model: a bridge for h and c of all layers, additive attention after an LSTM, input feeding."""

    class Embeddings(nn.Module):
        def __init__(self, count, width):
            super().__init__()
            self.lut = nn.Embedding(count, width)

    class Encoder(nn.Module):
        def __init__(self, hidden):
            super().__init__()
            self.rnn = nn.LSTM(5, hidden, bidirectional=True, batch_first=True)

    class Attention(nn.Module):
        def __init__(self, width, units):
            super().__init__()
            self.key_layer = nn.Linear(width, units, bias=False)
            self.query_layer = nn.Linear(units, units, bias=False)
            self.energy_layer = nn.Linear(units, 1, bias=False)

    class Decoder(nn.Module):
        def __init__(self, width, units):
            super().__init__()
            self.rnn = nn.LSTM(4 + units, units, 2, batch_first=True)
            self.att_vector_layer = nn.Linear(units + width, units)
            self.output_layer = nn.Linear(units, TARGETS, bias=False)
            self.attention = JoeyNMT.Attention(width, units)
            self.bridge_layer = nn.Linear(width, units)

    def __init__(self, hidden=3, units=5):
        super().__init__()
        self.src_embed, self.trg_embed = self.Embeddings(SOURCES, 5), self.Embeddings(TARGETS, 4)
        self.encoder, self.decoder = self.Encoder(hidden), self.Decoder(2 * hidden, units)

    def encode(self, ids, lengths):
        values, (h, _) = run_packed(self.encoder.rnn, self.src_embed.lut(ids), lengths)
        first = torch.tanh(self.decoder.bridge_layer(sides(h)))
        state = torch.stack((first, first))
        return {"values": values, "mask": mask_of(ids, lengths)}, ((state, state), torch.zeros_like(first))

    def step(self, token, state, memory):
        cells, fed = state
        layers = self.decoder.attention
        x = torch.cat((self.trg_embed.lut(token), fed), -1)
        _, cells = self.decoder.rnn(x[:, None], tuple(c.contiguous() for c in cells))
        query = cells[0][-1]
        hidden = torch.tanh(layers.query_layer(query)[:, None] + layers.key_layer(memory["values"]))
        context = attend(layers.energy_layer(hidden)[..., 0], memory)
        fed = torch.tanh(self.decoder.att_vector_layer(torch.cat((query, context), -1)))
        return self.decoder.output_layer(fed), (cells, fed)


class StanzaLemmatizer(nn.Module):
    """Stanza's lemmatiser, its network: LSTM with soft dot attention, nothing fed but the token; one embedding."""

    class Soft(nn.Module):
        def __init__(self, units):
            super().__init__()
            self.linear_in = nn.Linear(units, units, bias=False)
            self.linear_out = nn.Linear(2 * units, units, bias=False)

    class Attending(nn.Module):
        def __init__(self, width, units):
            super().__init__()
            self.lstm_cell = nn.LSTMCell(width, units)
            self.attention_layer = StanzaLemmatizer.Soft(units)

    def __init__(self, hidden=3):
        super().__init__()
        self.embedding = nn.Embedding(TARGETS, 5)
        self.encoder = nn.LSTM(5, hidden, bidirectional=True, batch_first=True)
        self.decoder = self.Attending(5, 2 * hidden)
        self.dec2vocab = nn.Linear(2 * hidden, TARGETS)

    def encode(self, ids, lengths):
        values, (h, c) = run_packed(self.encoder, self.embedding(ids), lengths)
        return {"values": values, "mask": mask_of(ids, lengths)}, (sides(h), sides(c))

    def step(self, token, state, memory):
        state = self.decoder.lstm_cell(self.embedding(token), state)
        layers = self.decoder.attention_layer
        context = attend(torch.einsum("bta,ba->bt", memory["values"], layers.linear_in(state[0])), memory)
        return self.dec2vocab(torch.tanh(layers.linear_out(torch.cat((context, state[0]), 1)))), state


class AllenNLP(nn.Module):
    """AllenNLP's simple_seq2seq: the state before the step attends, by a bilinear score; c begins with zeros."""

    class Bilinear(nn.Module):
        def __init__(self, units, width):
            super().__init__()
            self._weight_matrix = nn.Parameter(torch.zeros(units, width))

    class Wrapped(nn.Module):
        def __init__(self, module):
            super().__init__()
            self._module = module

    class Embedder(nn.Module):
        def __init__(self):
            super().__init__()
            self.token_embedder_tokens = nn.Embedding(SOURCES, 5)

    def __init__(self, hidden=3):
        super().__init__()
        units = 2 * hidden
        self._source_embedder = self.Embedder()
        self._encoder = self.Wrapped(nn.LSTM(5, hidden, 2, bidirectional=True, batch_first=True))
        self._attention = self.Bilinear(units, units)
        self._target_embedder = nn.Embedding(TARGETS, 4)
        self._decoder_cell = nn.LSTMCell(units + 4, units)
        self._output_projection_layer = nn.Linear(units, TARGETS)

    def encode(self, ids, lengths):
        embedded = self._source_embedder.token_embedder_tokens(ids)
        values, (h, _) = run_packed(self._encoder._module, embedded, lengths)
        return {"values": values, "mask": mask_of(ids, lengths)}, (sides(h), torch.zeros_like(sides(h)))

    def step(self, token, state, memory):
        energies = torch.einsum("bs,sa,bta->bt", state[0], self._attention._weight_matrix, memory["values"])
        fed = torch.cat((attend(energies, memory), self._target_embedder(token)), -1)
        state = self._decoder_cell(fed, state)
        return self._output_projection_layer(state[0]), state
