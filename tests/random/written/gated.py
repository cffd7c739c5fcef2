"""Sequences that are multiplied element by element: gates beside recurrent layers and between them."""

from kinds import Built, kind

V, E, F, H, T = 12, 6, 4, 6, 7


def numbers(k):
    x = k.Input((T, F))
    return x, x


def lstm(k, y, units=H):
    return k.LSTM(units, return_sequences=True)(y)


@kind
def gated_by_sigmoid(k):
    """LSTM outputs times a sigmoid Dense layer of them, mean: a gate"""
    x, y = numbers(k)
    y = lstm(k, y)
    y = k.Multiply()([y, k.Dense(H, activation="sigmoid")(y)])
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(y)))


@kind
def gated_linear_unit(k):
    """a gated linear unit with its residual sum and LayerNormalization, as of a temporal fusion transformer"""
    x, y = numbers(k)
    y = lstm(k, y)
    z = k.Dense(8, activation="elu")(y)
    z = k.Multiply()([k.Dense(H)(z), k.Dense(H, activation="sigmoid")(z)])
    y = k.LayerNormalization()(k.Add()([y, z]))
    return k.Model(x, k.Dense(2)(lstm(k, y, 4)))


@kind
def gated_features(k):
    """the features times weights of their own, made of them by sigmoid, then a BiLSTM"""
    x, y = numbers(k)
    y = k.Multiply()([k.Dense(F, activation="sigmoid")(y), y])
    return k.Model(x, k.Dense(1)(k.Bidirectional(k.LSTM(H))(y)))


@kind
def gated_positions(k):
    """each position times one number of its own, sigmoid of a Dense layer, then the maximum"""
    x, y = numbers(k)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    y = k.Multiply()([y, k.Dense(1, activation="sigmoid")(y)])
    return k.Model(x, k.Dense(1)(k.GlobalMaxPooling1D()(y)))


@kind
def gated_tanh_and_sigmoid(k):
    """tanh times sigmoid of convolutions, as of a WaveNet, added to what they read, then a GRU"""
    x, y = numbers(k)
    y = k.Dense(H)(y)
    z = k.Multiply()([k.Conv1D(H, 2, padding="causal", activation="tanh")(y),
                      k.Conv1D(H, 2, padding="causal", activation="sigmoid")(y)])
    y = k.Add()([y, k.Dense(H)(z)])
    return k.Model(x, k.Dense(1)(k.GRU(5)(y)))


@kind
def gated_two_layers(k):
    """the outputs of two LSTMs multiplied, a label at every position"""
    x, y = numbers(k)
    return k.Model(x, k.Dense(3, activation="softmax")(k.Multiply()([lstm(k, y), lstm(k, y)])))


@kind
def gated_masked(k):
    """Embedding(mask_zero), LSTM, a hard gate, LSTM"""
    x = k.Input((T,))
    y = lstm(k, k.Embedding(V, E, mask_zero=True)(x))
    y = k.LSTM(4)(k.Multiply()([y, k.Dense(H, activation="hard_sigmoid")(y)]))
    return Built(k.Model(x, k.Dense(2)(y)), ids=V, masked=0)


@kind
def gated_attention(k):
    """an attention of a sequence to itself, gated, added and normalised"""
    x, y = numbers(k)
    y = lstm(k, y)
    z = k.MultiHeadAttention(2, 3)(y, y)
    z = k.Multiply()([z, k.Dense(H, activation="sigmoid")(y)])
    y = k.LayerNormalization()(k.Add()([y, z]))
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(y)))


@kind
def gated_squares(k):
    """the outputs times themselves, and by relu"""
    x, y = numbers(k)
    y = lstm(k, y)
    y = k.Multiply()([k.Multiply()([y, y]), k.Activation("relu")(y)])
    return k.Model(x, k.Dense(1)(k.Flatten()(y)))


@kind
def gated_by_a_vector(k):
    """squeeze and excitation: every position times a vector that is made of their mean"""
    x, y = numbers(k)
    y = lstm(k, y)
    z = k.Dense(H, activation="sigmoid")(k.Dense(3, activation="relu")(k.GlobalAveragePooling1D()(y)))
    y = k.Multiply()([y, k.Reshape((1, H))(z)])
    return k.Model(x, k.Dense(1)(k.GlobalMaxPooling1D()(y)))


@kind
def gated_by_softmax(k):
    """the features times a softmax over the features"""
    x, y = numbers(k)
    y = k.Multiply()([y, k.Dense(F, activation="softmax")(y)])
    return k.Model(x, k.Dense(1)(k.LSTM(H)(y)))
