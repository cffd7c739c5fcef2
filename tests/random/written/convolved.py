"""Convolutions without padding, dilated ones, and what stands behind them."""

from kinds import Built, kind

V, E, T, F, H = 20, 6, 9, 3, 5


def convolved(k, size=3, filters=6, **more):
    """A series through a convolution that loses positions."""
    x = k.Input((T, F))
    return x, k.Conv1D(filters, size, **{"activation": "relu", **more})(x)


@kind
def convolved_bidirectional(k):
    """Conv1D(valid), BiLSTM, softmax"""
    x, y = convolved(k)
    return k.Model(x, k.Dense(3, activation="softmax")(k.Bidirectional(k.LSTM(H))(y)))


@kind
def convolved_stacked(k):
    """Conv1D(valid) twice, batch normalisation, two LSTMs, dropout"""
    x, y = convolved(k)
    y = k.BatchNormalization()(k.Conv1D(5, 2, activation="relu")(y))
    y = k.LSTM(4)(k.Dropout(0.2)(k.LSTM(H, return_sequences=True)(y)))
    return k.Model(x, k.Dense(1)(y))


@kind
def convolved_texts_of_any_length(k):
    """words of any number, Conv1D(valid, tanh), GRU"""
    x = k.Input((None,))
    y = k.Conv1D(6, 4, activation="tanh")(k.Embedding(V, E)(x))
    return Built(k.Model(x, k.Dense(1, activation="sigmoid")(k.GRU(H)(y))), ids=V, time=T)


@kind
def convolved_maximum(k):
    """Conv1D(valid), LSTM, the maximum"""
    x, y = convolved(k)
    return k.Model(x, k.Dense(2)(k.GlobalMaxPooling1D()(k.LSTM(H, return_sequences=True)(y))))


@kind
def convolved_pools_of_both_directions(k):
    """Conv1D(valid), BiGRU, maximum and mean side by side"""
    x, y = convolved(k)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    y = k.Concatenate()([k.GlobalMaxPooling1D()(y), k.GlobalAveragePooling1D()(y)])
    return k.Model(x, k.Dense(2, activation="softmax")(y))


@kind
def convolved_flattened(k):
    """Conv1D(valid), LSTM over all positions, flattened"""
    x, y = convolved(k)
    return k.Model(x, k.Dense(2)(k.Flatten()(k.LSTM(H, return_sequences=True)(y))))


@kind
def convolved_last(k):
    """Conv1D(valid, elu), SimpleRNN, the last position"""
    x, y = convolved(k, activation="elu")
    return k.Model(x, k.Dense(2)(k.SimpleRNN(H, return_sequences=True)(y)[:, -1]))


@kind
def convolved_attention(k):
    """Conv1D(valid), GRU, a weighted sum whose energies are linear"""
    x, y = convolved(k)
    y = k.GRU(H, return_sequences=True)(y)
    weights = k.Softmax(axis=1)(k.Dense(1)(y))
    return k.Model(x, k.Dense(2)(k.Flatten()(k.Dot(axes=1)([weights, y]))))


@kind
def convolved_attention_tanh(k):
    """the same whose energies go through tanh"""
    x, y = convolved(k)
    y = k.LSTM(H, return_sequences=True)(y)
    weights = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(y))
    return k.Model(x, k.Dense(2)(k.Flatten()(k.Dot(axes=1)([weights, y]))))


@kind
def convolved_tagger(k):
    """Conv1D(valid), LSTM, something for each position that is left"""
    x, y = convolved(k)
    return k.Model(x, k.Dense(2)(k.LSTM(H, return_sequences=True)(y)))


@kind
def convolved_bidirectional_stacked(k):
    """Conv1D(valid), two BiLSTMs: each direction reads both below"""
    x, y = convolved(k)
    y = k.Bidirectional(k.LSTM(H))(k.Bidirectional(k.LSTM(H, return_sequences=True))(y))
    return k.Model(x, k.Dense(2)(y))


@kind
def convolved_behind(k):
    """BiLSTM, Conv1D(valid) over its outputs, the maximum"""
    x = k.Input((T, F))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(x)
    return k.Model(x, k.Dense(2)(k.GlobalMaxPooling1D()(k.Conv1D(6, 3, activation="relu")(y))))


@kind
def convolved_of_several_sizes(k):
    """convolutions of 2, 3 and 4 positions, the maximum of each, side by side, behind a BiGRU"""
    x = k.Input((T,))
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(k.Embedding(V, E)(x))
    y = k.Concatenate()([k.GlobalMaxPooling1D()(k.Conv1D(4, n, activation="relu")(y)) for n in (2, 3, 4)])
    return Built(k.Model(x, k.Dense(2, activation="softmax")(y)), ids=V)


@kind
def convolved_to_a_forecast(k):
    """Conv1D(valid), LSTM, RepeatVector, LSTM, TimeDistributed(Dense)"""
    x, y = convolved(k)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(4)(k.LSTM(H)(y)))
    return k.Model(x, k.TimeDistributed(k.Dense(1))(y))


@kind
def convolved_sigmoid(k):
    """an LSTM whose activation is sigmoid, which is not zero at zero, behind Conv1D(valid)"""
    x, y = convolved(k)
    return k.Model(x, k.Dense(2)(k.LSTM(H, activation="sigmoid")(y)))


@kind
def convolved_dilated(k):
    """Conv1D(same) of dilation 2 and Conv1D(valid) of dilation 3, GRU"""
    x, y = convolved(k, padding="same", dilation_rate=2)
    return k.Model(x, k.Dense(2)(k.GRU(H)(k.Conv1D(4, 2, dilation_rate=3)(y))))
