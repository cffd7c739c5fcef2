"""Decoders as blogs and questions about Keras have them: translations, chat bots, forecasts of several steps."""

from kinds import Built, kind

V, W, E, H, T, Y, F = 9, 8, 5, 6, 7, 4, 3


def given(k, x, y, **more):
    """A model of two inputs, the second one the given tokens."""
    return Built(k.Model(x, y), **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


def two(k, masked=False, lengths=(None, None)):
    """Both inputs and their vectors."""
    x, tokens = k.Input((lengths[0],), name="encoder_input"), k.Input((lengths[1],), name="decoder_input")
    return x, tokens, k.Embedding(V, E, mask_zero=masked)(x), k.Embedding(W, E, mask_zero=masked)(tokens)


@kind
def post_chat_bot(k):
    """masked embeddings, LSTM to LSTM, softmax: a chat bot"""
    x, tokens, a, b = two(k, True)
    _, h, c = k.LSTM(H, return_state=True)(a)
    y, _, _ = k.LSTM(H, return_state=True, return_sequences=True)(b, initial_state=[h, c])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), masked=0)


@kind
def post_translation_attention(k):
    """BiLSTM encoder, decoder of twice the width, Attention, Concatenate, TimeDistributed softmax"""
    x, tokens, a, b = two(k)
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(a)
    states = [k.Concatenate()([fh, bh]), k.Concatenate()([fc, bc])]
    y, _, _ = k.LSTM(2 * H, return_sequences=True, return_state=True)(b, initial_state=states)
    y = k.Concatenate(axis=-1, name="concat_layer")([y, k.Attention(name="attention_layer")([y, a])])
    return given(k, [x, tokens], k.TimeDistributed(k.Dense(W, activation="softmax"))(y))


@kind
def post_translation_additive(k):
    """GRU to GRU, AdditiveAttention by the decoder's outputs, Dense tanh, dropout, softmax, masked"""
    x, tokens, a, b = two(k, True)
    a, h = k.GRU(H, return_sequences=True, return_state=True)(a)
    y = k.GRU(H, return_sequences=True)(b, initial_state=h)
    y = k.Concatenate()([k.AdditiveAttention()([y, a]), y])
    y = k.Dropout(0.3)(k.Dense(7, activation="tanh")(y))
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), masked=0)


@kind
def post_stacked_translation(k):
    """three LSTMs on each side, every pair with its states, dropout between"""
    x, tokens, a, b = two(k)
    states = []
    for _ in range(3):
        a, *of_layer = k.LSTM(H, return_sequences=True, return_state=True, dropout=0.2)(a)
        states.append(of_layer)
    for of_layer in states:
        b, _, _ = k.LSTM(H, return_sequences=True, return_state=True, dropout=0.2)(b, initial_state=of_layer)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(b))


@kind
def post_stacked_from_last(k):
    """two decoder LSTMs that both begin with the states of the encoder's last layer"""
    x, tokens, a, b = two(k)
    a = k.LSTM(H, return_sequences=True)(a)
    _, h, c = k.LSTM(H, return_state=True)(a)
    for _ in range(2):
        b = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(b))


@kind
def post_one_hot_dense(k):
    """one-hot on both sides, LSTM to LSTM, batch normalisation, TimeDistributed softmax"""
    x, tokens = k.Input((None, V)), k.Input((None, W))
    _, h, c = k.LSTM(H, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(tokens, initial_state=[h, c])
    y = k.TimeDistributed(k.Dense(W, activation="softmax"))(k.BatchNormalization()(y))
    return given(k, [x, tokens], y, ids=0, one_hot=True)


@kind
def post_repeat_translation(k):
    """masked words, LSTM, RepeatVector, LSTM, Dense softmax: the simplest translation"""
    layers = [k.Input((T,)), k.Embedding(V, E, mask_zero=True), k.LSTM(H), k.RepeatVector(Y)]
    layers += [k.LSTM(H, return_sequences=True), k.Dense(W, activation="softmax")]
    return Built(k.Sequential(layers), ids=V, masked=0)


@kind
def post_repeat_bidirectional(k):
    """BiGRU, RepeatVector, BiGRU, TimeDistributed Dense relu, dropout, softmax"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.Bidirectional(k.GRU(H)), k.RepeatVector(Y)]
    layers += [k.Bidirectional(k.GRU(H, return_sequences=True)), k.TimeDistributed(k.Dense(7, activation="relu"))]
    return Built(k.Sequential([*layers, k.Dropout(0.5), k.TimeDistributed(k.Dense(W, activation="softmax"))]), ids=V)


@kind
def post_repeat_two_layers(k):
    """two LSTMs, RepeatVector, two LSTMs, TimeDistributed Dense"""
    layers = [k.Input((T, F)), k.LSTM(8, activation="relu", return_sequences=True), k.LSTM(6, activation="relu")]
    layers += [k.RepeatVector(Y), k.LSTM(6, activation="relu", return_sequences=True)]
    layers += [k.LSTM(8, activation="relu", return_sequences=True), k.TimeDistributed(k.Dense(F))]
    return k.Sequential(layers)


@kind
def post_forecast_fed_back(k):
    """a forecast of several steps whose decoder reads its own last number, the first one zero"""
    x = k.Input((T, F))
    _, h, c = k.LSTM(H, return_state=True)(x)
    cell, dense, row, outputs = k.LSTM(H, return_state=True), k.Dense(1), k.Reshape((1, 1)), []
    y = x[:, -1:, :1]
    for _ in range(Y):
        y, h, c = cell(y, initial_state=[h, c])
        y = row(dense(y))
        outputs.append(y)
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def post_forecast_attention_fed_back(k):
    """the same with attention over the encoder's outputs in every step, beginning with zeros"""
    x = k.Input((T, F))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    cell, dense, row, attend, outputs = k.LSTM(H, return_state=True), k.Dense(2), k.Reshape((1, 2)), k.Attention(), []
    y = k.op("zeros_like", x[:, -1:, :2])
    for _ in range(Y):
        context = attend([k.Reshape((1, H))(h), a])
        _, h, c = cell(k.Concatenate()([context, y]), initial_state=[h, c])
        y = row(dense(h))
        outputs.append(y)
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def post_teacher_numbers(k):
    """a decoder over given numbers, as a forecast is trained with the true ones"""
    x, before = k.Input((T, F)), k.Input((Y, 1))
    _, h, c = k.LSTM(H, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(before, initial_state=[h, c])
    return k.Model([x, before], k.TimeDistributed(k.Dense(1))(y))


@kind
def post_caption_attention(k):
    """a picture's regions as positions, a GRU over the words, AdditiveAttention, softmax"""
    regions, tokens = k.Input((T, F)), k.Input((None,))
    a = k.Dense(H, activation="relu")(regions)
    y = k.GRU(H, return_sequences=True)(k.Embedding(W, E)(tokens))
    y = k.Concatenate()([k.AdditiveAttention()([y, a]), y])
    return given(k, [regions, tokens], k.Dense(W, activation="softmax")(y), ids=0)


@kind
def post_caption_first_word(k):
    """a picture's vector is the first word of an LSTM over the words"""
    picture, words = k.Input((12,)), k.Input((Y,))
    first = k.Reshape((1, E))(k.Dense(E, activation="relu")(picture))
    y = k.Concatenate(axis=1)([first, k.Embedding(W, E)(words)])
    y = k.LSTM(H)(y)
    return Built(k.Model([picture, words], k.Dense(W, activation="softmax")(y)), targets=W, steps=Y)


@kind
def post_caption_states(k):
    """h and c of the decoder through Dense layers of their own over a picture's vector"""
    picture, words = k.Input((12,)), k.Input((None,))
    h, c = k.Dense(H, activation="relu")(picture), k.Dense(H, activation="relu")(picture)
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E, mask_zero=True)(words), initial_state=[h, c])
    return given(k, [picture, words], k.Dense(W, activation="softmax")(k.Dropout(0.4)(y)), ids=0)


@kind
def post_subclassed_attention(k):
    """Bahdanau's attention as a class of the author's own in an unrolled decoder"""

    class BahdanauAttention(k.keras.layers.Layer):
        def __init__(self, units, **more):
            super().__init__(**more)
            self.W1, self.W2, self.V = k.Dense(units), k.Dense(units), k.Dense(1)

        def build(self, shape):
            self.built = True

        def call(self, query, values):
            score = self.V(k.op("tanh", self.W1(k.op("expand_dims", query, axis=1)) + self.W2(values)))
            return k.op("sum", k.op("softmax", score, axis=1) * values, axis=1)

    x = k.Input((T, V))
    a, h = k.GRU(H, return_sequences=True, return_state=True)(x)
    attend, cell, classes, outputs = BahdanauAttention(5), k.GRU(H, return_state=True), k.Dense(W, "softmax"), []
    for _ in range(Y):
        _, h = cell(k.Reshape((1, H))(attend(h, a)), initial_state=h)
        outputs.append(classes(h))
    return k.Model(x, outputs)


@kind
def post_functional_bahdanau(k):
    """Bahdanau's attention by Dense layers, RepeatVector, Add, Activation, in an unrolled decoder of GRUs"""
    x = k.Input((T, V))
    a, f, b = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(x)
    h = k.Dense(H, activation="tanh")(b)
    keys, of_query, energy = k.Dense(5)(a), k.Dense(5), k.Dense(1, use_bias=False)
    cell, classes, outputs = k.GRU(H, return_state=True), k.Dense(W, activation="softmax"), []
    for _ in range(Y):
        scores = energy(k.Activation("tanh")(k.Add()([keys, k.RepeatVector(T)(of_query(h))])))
        context = k.Dot(axes=1)([k.Softmax(axis=1)(scores), a])
        _, h = cell(context, initial_state=h)
        outputs.append(k.Reshape((1, W))(classes(k.Concatenate()([h, k.Flatten()(context)]))))
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def post_cells_translation(k):
    """RNN of lists of LSTMCells on both sides, all states handed over"""
    x, tokens = k.Input((None, V)), k.Input((None, W))
    encoder = k.RNN([k.LSTMCell(6), k.LSTMCell(5)], return_state=True)
    decoder = k.RNN([k.LSTMCell(6), k.LSTMCell(5)], return_sequences=True, return_state=True)
    states = encoder(x)[1:]
    y = decoder(tokens, initial_state=states)[0]
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), ids=0, one_hot=True)


@kind
def post_summary_of_numbers(k):
    """an autoencoder of a series with its classes: the encoder's state repeated and classified"""
    x = k.Input((T, F))
    h = k.LSTM(H)(x)
    back = k.TimeDistributed(k.Dense(F), name="back")(k.LSTM(H, return_sequences=True)(k.RepeatVector(T)(h)))
    return k.Model(x, [back, k.Dense(3, activation="softmax", name="classes")(h)])
