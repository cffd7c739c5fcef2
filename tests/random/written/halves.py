"""The models that people build for inference beside the training graph: an encoder, and one step of the
decoder whose states go in and out. Two that belong together are one model for cuseq."""

from kinds import Built, kind

V, W, E, H, T, Y = 9, 8, 5, 6, 7, 4


def classes(k):
    return k.Dense(W, activation="softmax")


def pair(k, encoder, decoder, **more):
    """An encoder and a decoder's step, saved in two files."""
    return Built(encoder, decoder=decoder, **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


@kind
def half_encoder_states(k):
    """the encoder's states alone"""
    x = k.Input((None,))
    return Built(k.Model(x, k.LSTM(H, return_state=True)(k.Embedding(V, E)(x))[1:]), ids=V)


@kind
def half_encoder_joined(k):
    """a BiLSTM's sequence, its states joined"""
    x = k.Input((None,))
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(k.Embedding(V, E)(x))
    return Built(k.Model(x, [a, k.Concatenate()([fh, bh]), k.Concatenate()([fc, bc])]), ids=V)


@kind
def pair_lstm(k):
    """LSTM to LSTM, states in between"""
    x, token = k.Input((None,)), k.Input((1,))
    h, c = k.Input((H,)), k.Input((H,))
    encoder = k.Model(x, k.LSTM(H, return_state=True)(k.Embedding(V, E)(x))[1:])
    y, *states = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(W, E)(token), initial_state=[h, c])
    return pair(k, encoder, k.Model([token, h, c], [classes(k)(y), *states]))


@kind
def pair_one_hot(k):
    """the same over one-hot characters, the decoder's length left open"""
    x, token = k.Input((None, V)), k.Input((None, W))
    h, c = k.Input((H,)), k.Input((H,))
    encoder = k.Model(x, k.LSTM(H, return_state=True)(x)[1:])
    y, *states = k.LSTM(H, return_sequences=True, return_state=True)(token, initial_state=[h, c])
    return pair(k, encoder, k.Model([token, h, c], [classes(k)(y), *states]), ids=0, one_hot=True)


@kind
def pair_attention(k):
    """the encoder's outputs go to the decoder, too, which attends behind its cell"""
    x, token = k.Input((T,)), k.Input((None,))
    h, c, seen = k.Input((H,)), k.Input((H,)), k.Input((T, H))
    encoder = k.Model(x, k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x)))
    y, *states = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(W, E)(token), initial_state=[h, c])
    y = k.Concatenate(axis=-1)([y, k.Attention()([y, seen])])
    decoder = k.Model([token, seen, h, c], [k.TimeDistributed(classes(k))(y), *states])
    return pair(k, encoder, decoder)


@kind
def pair_bidirectional_gru(k):
    """a BiGRU, joined states, AdditiveAttention, a decoder of twice the width"""
    x, token = k.Input((T,)), k.Input((1,))
    a, f, b = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(k.Embedding(V, E)(x))
    encoder = k.Model(x, [a, k.Concatenate()([f, b])])
    seen, h = k.Input((T, 2 * H)), k.Input((2 * H,))
    y, state = k.GRU(2 * H, return_sequences=True, return_state=True)(k.Embedding(W, E)(token), initial_state=h)
    y = k.Concatenate()([y, k.AdditiveAttention()([y, seen])])
    return pair(k, encoder, k.Model([token, seen, h], [classes(k)(y), state]))
