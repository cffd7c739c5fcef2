"""Models whose positions are short sequences of their own, as CNN-LSTM forecasts are written: convolutions and
poolings in a TimeDistributed layer."""

from kinds import Built, kind

N, F, H = 6, 3, 5  # vectors a position, features, units


def many(k, *inner, n=N, f=F, time=4):
    """A Sequential model that begins with TimeDistributed layers of these."""
    return k.Sequential([k.Input((time, n, f)), *[k.TimeDistributed(layer) for layer in inner]])


@kind
def segments_univariate(k):
    """the forecast of many a tutorial: Conv1D of one place, MaxPooling1D, Flatten, LSTM, Dense; one number a step"""
    m = many(k, k.Conv1D(8, 1, activation="relu"), k.MaxPooling1D(2), k.Flatten(), n=2, f=1, time=2)
    m.add(k.LSTM(H, activation="relu"))
    m.add(k.Dense(1))
    return m


@kind
def segments_open(k):
    """the same with any number of positions"""
    m = many(k, k.Conv1D(6, 3, activation="relu"), k.MaxPooling1D(2), k.Flatten(), n=8, f=1, time=None)
    m.add(k.LSTM(H))
    m.add(k.Dense(1))
    return Built(m, time=3)


@kind
def segments_activity(k):
    """human activity: two Conv1D, Dropout, MaxPooling1D, Flatten, LSTM, Dropout, Dense, softmax"""
    m = many(k, k.Conv1D(8, 3, activation="relu"), k.Conv1D(8, 3, activation="relu"), k.Dropout(0.5), k.MaxPooling1D(2))
    m.add(k.TimeDistributed(k.Flatten()))
    m.add(k.LSTM(H))
    m.add(k.Dropout(0.5))
    m.add(k.Dense(7, activation="relu"))
    m.add(k.Dense(4, activation="softmax"))
    return m


@kind
def segments_same(k):
    """padding same with strides, AveragePooling1D of padding same, tagger"""
    m = many(k, k.Conv1D(4, 3, padding="same", strides=2, activation="tanh"), k.AveragePooling1D(2, padding="same"))
    m.add(k.TimeDistributed(k.Flatten()))
    m.add(k.Bidirectional(k.LSTM(H, return_sequences=True)))
    m.add(k.TimeDistributed(k.Dense(3, activation="softmax")))
    return m


@kind
def segments_causal(k):
    """padding causal and dilations, a maximum of all"""
    m = many(k, k.Conv1D(4, 2, padding="causal", dilation_rate=2, activation="elu"), k.GlobalMaxPooling1D())
    m.add(k.GRU(H))
    m.add(k.Dense(2))
    return m


@kind
def segments_normalised(k):
    """BatchNormalization and activations as layers of their own, the mean of all"""
    inner = [k.Conv1D(4, 3, use_bias=False), k.BatchNormalization(), k.Activation("relu"), k.GlobalAveragePooling1D()]
    m = many(k, *inner)
    m.add(k.LSTM(H, return_sequences=True))
    m.add(k.LSTM(4))
    m.add(k.Dense(1))
    return m


@kind
def segments_layer_normalised(k):
    """LayerNormalization of each vector of a position, then Dense, Flatten"""
    m = many(k, k.LayerNormalization(), k.Dense(4, activation="relu"), k.Flatten())
    m.add(k.LSTM(H))
    m.add(k.Dense(1))
    return m


@kind
def segments_flat(k):
    """nothing but Flatten in front of the LSTM"""
    m = many(k, k.Flatten())
    m.add(k.LSTM(H))
    m.add(k.Dense(1))
    return m


@kind
def segments_flat_numbers(k):
    """the same of single numbers"""
    m = many(k, k.Flatten(), f=1)
    m.add(k.LSTM(H))
    m.add(k.Dense(1))
    return m


@kind
def segments_reshaped(k):
    """columns of a picture of three channels as positions, by Reshape"""
    x = k.Input((4, N, F))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Reshape((4, N * F))(x))
    return k.Model(x, k.Dense(5, activation="softmax")(y))


@kind
def segments_reshaped_open(k):
    """the same, any number of columns"""
    x = k.Input((None, N, F))
    y = k.GRU(H, return_sequences=True)(k.Reshape((-1, N * F))(x))
    return Built(k.Model(x, k.Dense(5, activation="softmax")(y)), time=5)


@kind
def segments_autoencoder(k):
    """convolutions in front of an encoder and a repeated decoder"""
    m = many(k, k.Conv1D(4, 3, activation="relu"), k.MaxPooling1D(2), k.Flatten())
    m.add(k.LSTM(H))
    m.add(k.RepeatVector(3))
    m.add(k.LSTM(H, return_sequences=True))
    m.add(k.TimeDistributed(k.Dense(2)))
    return m


@kind
def segments_recurrent_inner(k):
    """an LSTM of each position's vectors, which cuseq has not"""
    m = many(k, k.LSTM(4))
    m.add(k.LSTM(H))
    m.add(k.Dense(1))
    return m


@kind
def segments_channels_first(k):
    """poolings along the features"""
    m = many(k, k.MaxPooling1D(2, data_format="channels_first"), k.Flatten())
    m.add(k.LSTM(H))
    m.add(k.Dense(1))
    return m


@kind
def segments_along_vectors(k):
    """a normalisation along the vectors of a position"""
    m = many(k, k.BatchNormalization(axis=1), k.Flatten())
    m.add(k.LSTM(H))
    m.add(k.Dense(1))
    return m
