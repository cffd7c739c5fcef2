"""Classifiers, forecasts and taggers as blogs and questions about Keras have them."""

from kinds import Built, kind

V, E, T, F, H = 20, 6, 8, 3, 5


def vectors(k, masked=False, length=T):
    x = k.Input((length,))
    return x, k.Embedding(V, E, mask_zero=masked, name="embed")(x)


def texts(k, x, y, masked=False):
    return Built(k.Model(x, y), ids=V, time=T, masked=0 if masked else None)


@kind
def blog_sentiment_pooled(k):
    """SpatialDropout1D, BiLSTM, GlobalMaxPool1D, Dense relu, dropout, one sigmoid"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.SpatialDropout1D(0.2)]
    layers += [k.Bidirectional(k.LSTM(H, return_sequences=True)), k.GlobalMaxPool1D()]
    return Built(k.Sequential([*layers, k.Dense(6, activation="relu"), k.Dropout(0.3), k.Dense(1, "sigmoid")]), ids=V)


@kind
def blog_text_convolution_pooled(k):
    """Conv1D, MaxPooling1D, LSTM: the usual convolution in front of an LSTM on texts"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.Dropout(0.2)]
    layers += [k.Conv1D(6, 3, padding="valid", activation="relu", strides=1), k.MaxPooling1D(pool_size=2)]
    return Built(k.Sequential([*layers, k.LSTM(H), k.Dense(1), k.Activation("sigmoid")]), ids=V)


@kind
def blog_text_convolution(k):
    """Conv1D(valid, relu), LSTM, softmax"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.Conv1D(6, 3, activation="relu")]
    return Built(k.Sequential([*layers, k.LSTM(H), k.Dense(3, activation="softmax")]), ids=V)


@kind
def blog_series_convolution(k):
    """Conv1D(valid, relu), LSTM, Dense relu, Dense"""
    layers = [k.Input((T, F)), k.Conv1D(6, kernel_size=2, activation="relu"), k.LSTM(H, activation="relu")]
    return k.Sequential([*layers, k.Dense(6, activation="relu"), k.Dense(1)])


@kind
def blog_series_convolution_pooled(k):
    """Conv1D twice, MaxPooling1D, LSTM"""
    layers = [k.Input((T, F)), k.Conv1D(6, 3, activation="relu"), k.Conv1D(6, 3, activation="relu")]
    return k.Sequential([*layers, k.MaxPooling1D(2), k.LSTM(H), k.Dropout(0.5), k.Dense(3, "softmax")])


@kind
def blog_pieces_convolved(k):
    """pieces of a series, each through TimeDistributed Conv1D, MaxPooling1D, Flatten; LSTM over them"""
    layers = [k.Input((3, 4, F)), k.TimeDistributed(k.Conv1D(6, 1, activation="relu"))]
    layers += [k.TimeDistributed(k.MaxPooling1D(2)), k.TimeDistributed(k.Flatten())]
    return k.Sequential([*layers, k.LSTM(H, activation="relu"), k.Dense(1)])


@kind
def blog_one_step_window(k):
    """look-back as the features of one time step: the first forecast of many"""
    return k.Sequential([k.Input((1, 4)), k.LSTM(4), k.Dense(1)])


@kind
def blog_passengers_stateful(k):
    """two stateful LSTMs with a batch size"""
    layers = [k.Input((T, 1), batch_size=3), k.LSTM(4, stateful=True, return_sequences=True)]
    return k.Sequential([*layers, k.LSTM(4, stateful=True), k.Dense(1)])


@kind
def blog_next_hours(k):
    """two LSTMs, dropout, a number for each hour to come"""
    layers = [k.Input((T, F)), k.LSTM(8, return_sequences=True, activation="tanh"), k.Dropout(0.2)]
    return k.Sequential([*layers, k.LSTM(6, activation="tanh"), k.Dropout(0.2), k.Dense(12)])


@kind
def blog_bilstm_then_lstm(k):
    """BiLSTM, LSTM, Dense relu, Dense"""
    layers = [k.Input((T, F)), k.Bidirectional(k.LSTM(H, return_sequences=True)), k.LSTM(6)]
    return k.Sequential([*layers, k.Dense(5, activation="relu"), k.Dense(1)])


@kind
def blog_gru_stack_wide_head(k):
    """GRUs of two sizes, batch normalisation, Dense relu and dropout twice, softmax"""
    layers = [k.Input((T, F)), k.GRU(8, return_sequences=True), k.GRU(6), k.BatchNormalization()]
    layers += [k.Dense(8, activation="relu"), k.Dropout(0.4), k.Dense(6, activation="relu"), k.Dropout(0.4)]
    return k.Sequential([*layers, k.Dense(4, activation="softmax")])


@kind
def blog_attention_multiplied(k):
    """Dense(1, tanh), softmax over time, Multiply, a sum over time by a reshaped Dot"""
    x, y = vectors(k)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    weights = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(y))
    y = k.GlobalAveragePooling1D()(k.Multiply()([y, weights]))
    return texts(k, x, k.Dense(2, activation="softmax")(y))


@kind
def blog_attention_general(k):
    """general attention by the last output: Dense, Dot, softmax, Dot, concatenated, Dense tanh"""
    x = k.Input((T, F))
    y = k.LSTM(H, return_sequences=True)(x)
    last = y[:, -1]
    score = k.Dot(axes=(1, 2))([last, k.Dense(H, use_bias=False)(y)])
    context = k.Dot(axes=(1, 1))([y, k.Activation("softmax")(score)])
    return k.Model(x, k.Dense(1)(k.Dense(8, activation="tanh", use_bias=False)(k.Concatenate()([context, last]))))


@kind
def blog_attention_self(k):
    """Attention over the outputs of an LSTM by themselves, averaged"""
    x, y = vectors(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.GlobalAveragePooling1D()(k.Attention()([y, y]))
    return texts(k, x, k.Dense(2, activation="softmax")(y))


@kind
def blog_attention_own_layer(k):
    """a layer of the author's own: e = tanh(x W + b), softmax over time, the weighted sum"""

    class AttentionPool(k.keras.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(name="att_weight", shape=(shape[-1], 1), initializer="normal")
            self.b = self.add_weight(name="att_bias", shape=(shape[1], 1), initializer="zeros")

        def call(self, x):
            e = k.op("tanh", k.op("matmul", x, self.w) + self.b)
            return k.op("sum", x * k.op("softmax", e, axis=1), axis=1)

    x, y = vectors(k)
    y = AttentionPool()(k.LSTM(H, return_sequences=True)(y))
    return texts(k, x, k.Dense(1, activation="sigmoid")(y))


@kind
def blog_masked_sensors(k):
    """Masking(0), BiLSTM, batch normalisation, Dense relu, softmax"""
    x = k.Input((T, F))
    y = k.BatchNormalization()(k.Bidirectional(k.LSTM(H))(k.Masking(mask_value=0.0)(x)))
    return Built(k.Model(x, k.Dense(3, activation="softmax")(k.Dense(6, activation="relu")(y))), masked=0.0)


@kind
def blog_knowledge_tracing(k):
    """Masking, LSTM, dropout, TimeDistributed sigmoids: which exercise will be solved"""
    layers = [k.Input((None, F)), k.Masking(mask_value=-1.0), k.LSTM(H, return_sequences=True), k.Dropout(0.3)]
    model = k.Sequential([*layers, k.TimeDistributed(k.Dense(4, activation="sigmoid"))])
    return Built(model, time=T, masked=-1.0)


@kind
def blog_next_item(k):
    """items seen, masked, a GRU, dropout, softmax over the items: recommendations"""
    layers = [k.Input((None,)), k.Embedding(V, E, mask_zero=True), k.GRU(H), k.Dropout(0.2)]
    return Built(k.Sequential([*layers, k.Dense(V, activation="softmax")]), ids=V, time=T, masked=0)


@kind
def blog_next_item_scores(k):
    """the same through a linear layer, scores without a bias"""
    x = k.Input((T,))
    y = k.Dense(E)(k.GRU(H)(k.Embedding(V, E)(x)))
    return Built(k.Model(x, k.Dense(V, use_bias=False, activation="softmax")(y)), ids=V)


@kind
def blog_character_stateful(k):
    """characters, a stateful GRU with a batch size of one, logits: text generation"""
    layers = [k.Input((None,), batch_size=3), k.Embedding(V, E)]
    layers += [k.GRU(8, return_sequences=True, stateful=True, recurrent_initializer="glorot_uniform")]
    return Built(k.Sequential([*layers, k.Dense(V)]), ids=V, time=T)


@kind
def blog_character_one_hot(k):
    """one-hot characters, two LSTMs, dropout, softmax of the next"""
    layers = [k.Input((T, V)), k.LSTM(8, return_sequences=True), k.Dropout(0.2), k.LSTM(8), k.Dropout(0.2)]
    return Built(k.Sequential([*layers, k.Dense(V, activation="softmax")]), one_hot=True)


@kind
def blog_entities_two_layers(k):
    """masked BiLSTM, LSTM over it that is added, TimeDistributed softmax: residual entities"""
    x, y = vectors(k, True, None)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True, recurrent_dropout=0.2, dropout=0.2))(y)
    b = k.Bidirectional(k.LSTM(H, return_sequences=True, recurrent_dropout=0.2, dropout=0.2))(a)
    y = k.TimeDistributed(k.Dense(4, activation="softmax"))(k.add([a, b]) if k.version == 2 else k.Add()([a, b]))
    return texts(k, x, y, True)


@kind
def blog_entities_characters(k):
    """words and their characters, each with a network of its own"""
    words, letters = k.Input((T,)), k.Input((T, 4))
    a = k.Embedding(V, E)(words)
    b = k.TimeDistributed(k.LSTM(4))(k.TimeDistributed(k.Embedding(V, 3))(letters))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Concatenate()([a, b]))
    return Built(k.Model([words, letters], k.TimeDistributed(k.Dense(4, activation="softmax"))(y)), ids=V)


@kind
def blog_residual_head(k):
    """a Dense layer that is added to what it reads, behind an LSTM"""
    x = k.Input((T, F))
    y = k.LSTM(8)(x)
    y = k.Add()([y, k.Dropout(0.1)(k.Dense(8, activation="relu")(y))])
    return k.Model(x, k.Dense(1)(y))


@kind
def blog_layer_norm(k):
    """LayerNormalization behind each of two LSTMs"""
    x = k.Input((T, F))
    y = k.LayerNormalization()(k.LSTM(8, return_sequences=True)(x))
    return k.Model(x, k.Dense(1)(k.LayerNormalization()(k.LSTM(8)(y))))


@kind
def blog_cells_in_a_list(k):
    """RNN of three GRUCells with dropout, then a sigmoid"""
    layers = [k.Input((T, F)), k.RNN([k.GRUCell(6, dropout=0.1), k.GRUCell(5), k.GRUCell(4)])]
    return k.Sequential([*layers, k.Dense(1, activation="sigmoid")])


@kind
def blog_cells_stacked(k):
    """RNN(StackedRNNCells) over a sequence, a number at every position"""
    cells = k.StackedRNNCells([k.LSTMCell(6), k.LSTMCell(5)])
    return k.Sequential([k.Input((T, F)), k.RNN(cells, return_sequences=True), k.Dense(2)])


@kind
def blog_dilated_causal(k):
    """causal convolutions of growing dilation, a GRU over them"""
    x = k.Input((T, F))
    y = x
    for rate in (1, 2, 4):
        y = k.Conv1D(5, 2, padding="causal", dilation_rate=rate, activation="relu")(y)
    return k.Model(x, k.Dense(1)(k.GRU(H)(y)))


@kind
def blog_static_beside_series(k):
    """a series and features of the whole, through Dense relu, side by side"""
    x, static = k.Input((T, F), name="series"), k.Input((2,), name="static")
    y = k.Concatenate()([k.LSTM(8)(x), k.Dense(4, activation="relu")(static)])
    return k.Model([x, static], k.Dense(1)(k.Dense(6, activation="relu")(y)))


@kind
def blog_no_forget_bias(k):
    """LSTM with use_bias=False and hard_sigmoid, the last two outputs of a series"""
    x = k.Input((None, F))
    y = k.LSTM(H, use_bias=False, recurrent_activation="hard_sigmoid", unit_forget_bias=False)(x)
    return Built(k.Model(x, k.Dense(2, activation="tanh", name="out put 1")(y)), time=T)


@kind
def blog_multiplied_directions(k):
    """Bidirectional(GRU) with merge_mode mul and ave, one over the other"""
    x, y = vectors(k)
    y = k.Bidirectional(k.GRU(H, return_sequences=True), merge_mode="mul")(y)
    y = k.Bidirectional(k.GRU(H), merge_mode="ave")(y)
    return texts(k, x, k.Dense(3, activation="softmax")(y))


@kind
def blog_gated_head(k):
    """a gate: Dense tanh times Dense sigmoid of the same vector"""
    x = k.Input((T, F))
    y = k.LSTM(8)(x)
    y = k.Multiply()([k.Dense(6, activation="tanh")(y), k.Dense(6, activation="sigmoid")(y)])
    return k.Model(x, k.Dense(2)(y))


@kind
def blog_mean_and_state(k):
    """sequence's mean, final h and c, concatenated: a video's features"""
    x = k.Input((None, F))
    y, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    y = k.Concatenate()([k.GlobalAveragePooling1D()(y), h, c])
    return Built(k.Model(x, k.Dense(3, activation="softmax")(y)), time=T)
