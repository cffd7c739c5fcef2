"""LayerNormalization wherever people put it: behind recurrent layers and in front of them, in heads, between
convolutions, beside what is added, in decoders."""

from kinds import Built, kind

F, H, T, V, E = 5, 6, 6, 13, 5


def rows(k):
    return k.Input((T, F))


def bi(k, units=H, cell="LSTM", **more):
    return k.Bidirectional(getattr(k, cell)(units, return_sequences=True), **more)


@kind
def normed_encoder_stack(k):
    """behind each of three layers, the last one's final state"""
    y = x = rows(k)
    for units in (6, 5):
        y = k.LayerNormalization()(k.LSTM(units, return_sequences=True)(y))
    return k.Model(x, k.Dense(3, activation="softmax")(k.LayerNormalization(epsilon=1e-6)(k.GRU(4)(y))))


@kind
def normed_pooled(k):
    """mean and maximum of normalised outputs of a BiGRU"""
    x = rows(k)
    y = k.LayerNormalization(epsilon=1e-5)(bi(k, cell="GRU")(x))
    y = k.Concatenate()([k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y)])
    return k.Model(x, k.Dense(3)(y))


@kind
def normed_tagger(k):
    """at every position, then Dense relu, normalised again, softmax"""
    x = rows(k)
    y = k.Dense(7, activation="relu")(k.LayerNormalization()(bi(k)(x)))
    return k.Model(x, k.Dense(4, activation="softmax")(k.LayerNormalization()(y)))


@kind
def normed_residual_behind(k):
    """a sum of a layer and what it reads, normalised (post-norm), twice"""
    x = rows(k)
    y = k.LSTM(H, return_sequences=True)(x)
    for _ in range(2):
        y = k.LayerNormalization()(k.Add()([y, k.LSTM(H, return_sequences=True)(y)]))
    return k.Model(x, k.Dense(2)(k.GlobalAveragePooling1D()(y)))


@kind
def normed_residual_before(k):
    """what a layer reads is normalised, what is added is not (pre-norm)"""
    x = rows(k)
    y = k.Dense(H)(x)
    for _ in range(2):
        y = k.Add()([y, k.GRU(H, return_sequences=True)(k.LayerNormalization()(y))])
    return k.Model(x, k.Dense(2)(y))


@kind
def normed_input(k):
    """the features themselves, no factors"""
    x = rows(k)
    return k.Model(x, k.Dense(3)(k.LSTM(H)(k.LayerNormalization(center=False, scale=False)(x))))


@kind
def normed_embedding(k):
    """rows of an embedding"""
    x = k.Input((T,))
    y = k.LayerNormalization(scale=False)(k.Embedding(V, E)(x))
    return Built(k.Model(x, k.Dense(3)(k.Bidirectional(k.LSTM(H))(y))), ids=V)


@kind
def normed_masked(k):
    """behind a masked BiLSTM; the mask goes on"""
    x = k.Input((None,))
    y = k.LayerNormalization(center=False)(bi(k)(k.Embedding(V, E, mask_zero=True)(x)))
    y = k.Concatenate()([k.LSTM(4)(y), k.GlobalAveragePooling1D()(y)])
    return Built(k.Model(x, k.Dense(3)(y)), ids=V, masked=0)


@kind
def normed_head(k):
    """Dense, normalised, relu, Dense; the output normalised too"""
    x = rows(k)
    y = k.Activation("relu")(k.LayerNormalization()(k.Dense(8)(k.LSTM(H)(x))))
    return k.Model(x, k.LayerNormalization()(k.Dense(4)(y)))


@kind
def normed_head_beside(k):
    """final state and mean concatenated, normalised; Dense relu added to it; two outputs"""
    x = rows(k)
    y, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(x)
    z = k.LayerNormalization()(k.Concatenate()([h, k.GlobalAveragePooling1D()(y)]))
    z = k.Add()([z, k.Dense(2 * H, activation="relu")(z)])
    one = k.Dense(1, activation="sigmoid", name="one")(k.LayerNormalization()(z))
    return k.Model(x, [one, k.Dense(2, name="two")(z)])


@kind
def normed_convolutions(k):
    """Conv1D(same), normalised, relu, twice, in front of a BiLSTM"""
    y = x = rows(k)
    for filters in (6, 5):
        y = k.Activation("relu")(k.LayerNormalization()(k.Conv1D(filters, 3, padding="same")(y)))
    return k.Model(x, k.Dense(3, activation="softmax")(k.Bidirectional(k.LSTM(H))(y)))


@kind
def normed_pooled_convolution(k):
    """Conv1D, normalised, MaxPooling1D, LSTM"""
    x = k.Input((12, F))
    y = k.LayerNormalization()(k.Conv1D(6, 3, padding="same", activation="relu")(x))
    return k.Model(x, k.Dense(2)(k.LSTM(H)(k.MaxPooling1D(2)(y))))


@kind
def normed_valid_convolution(k):
    """Conv1D(valid), normalised, BiGRU"""
    x = k.Input((9, F))
    y = k.LayerNormalization()(k.Conv1D(6, 3, activation="relu")(x))
    return k.Model(x, k.Dense(2)(k.Bidirectional(k.GRU(H))(y)))


@kind
def normed_beside(k):
    """a layer normalised and another one as it is, concatenated, under a third"""
    x = rows(k)
    a, b = k.LayerNormalization()(k.LSTM(4, return_sequences=True)(x)), k.GRU(5, return_sequences=True)(x)
    return k.Model(x, k.Dense(2)(bi(k)(k.Concatenate()([a, b]))))


@kind
def normed_both_beside(k):
    """two layers, each normalised, concatenated, normalised, under a third; what is behind reads all of them"""
    x = rows(k)
    a, b = (k.LayerNormalization()(cell(4, return_sequences=True)(x)) for cell in (k.LSTM, k.GRU))
    both = k.LayerNormalization()(k.Concatenate()([a, b]))
    return k.Model(x, k.Dense(2)(k.GlobalMaxPooling1D()(k.Concatenate()([bi(k)(both), a, b, x]))))


@kind
def normed_attention(k):
    """attention pooling of normalised outputs, the context normalised"""
    x = rows(k)
    y = k.LayerNormalization()(bi(k)(x))
    alphas = k.Softmax(axis=1)(k.Dense(1)(k.Dense(5, activation="tanh")(y)))
    context = k.Flatten()(k.Dot(axes=1)([alphas, y]))
    return k.Model(x, k.Dense(3, activation="softmax")(k.LayerNormalization()(context)))


@kind
def normed_flattened(k):
    """normalised outputs flattened"""
    x = rows(k)
    y = k.TimeDistributed(k.LayerNormalization())(k.LSTM(H, return_sequences=True)(x))
    return k.Model(x, k.Dense(3)(k.Flatten()(y)))


@kind
def normed_last(k):
    """a normalised output at the last position, and at the second"""
    x = rows(k)
    y = k.LayerNormalization()(k.LSTM(H, return_sequences=True)(x))
    return k.Model(x, k.Dense(3)(k.Concatenate()([y[:, -1, :], y[:, 1, :]])))


@kind
def normed_autoencoder(k):
    """LSTM, normalised, RepeatVector, LSTM, normalised, Dense"""
    x = rows(k)
    y = k.RepeatVector(T)(k.LayerNormalization()(k.LSTM(4)(x)))
    return k.Model(x, k.TimeDistributed(k.Dense(F))(k.LayerNormalization()(k.LSTM(H, return_sequences=True)(y))))


@kind
def normed_translation(k):
    """attention over normalised outputs, what it gives and the decoder's state normalised before the softmax"""
    x, tokens = k.Input((None,)), k.Input((None,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    a = k.LayerNormalization()(a)
    y = k.LSTM(H, return_sequences=True)(k.Embedding(V, E)(tokens), initial_state=[h, c])
    y = k.LayerNormalization()(k.Concatenate()([y, k.Attention()([y, a])]))
    return Built(k.Model([x, tokens], k.Dense(V, activation="softmax")(y)), ids=V, targets=V)


@kind
def normed_decoder_layers(k):
    """normalised between a decoder's layers"""
    x, tokens = k.Input((None,)), k.Input((None,))
    _, h, c = k.LSTM(H, return_state=True)(k.Embedding(V, E)(x))
    y = k.LSTM(H, return_sequences=True)(k.Embedding(V, E)(tokens), initial_state=[h, c])
    y = k.LSTM(H, return_sequences=True)(k.LayerNormalization()(y))
    return Built(k.Model([x, tokens], k.Dense(V, activation="softmax")(y)), ids=V, targets=V)


@kind
def normed_along_positions(k):
    """along the positions, which is another thing"""
    x = rows(k)
    return k.Model(x, k.Dense(3)(k.LSTM(4)(k.LayerNormalization(axis=1)(k.LSTM(H, return_sequences=True)(x)))))
