"""Forecasts and reconstructions of several steps: decoders over a RepeatVector, over features that are known,
and loops that go on from what they said."""

from kinds import Built, kind

F, H, T, Y, O = 3, 6, 7, 4, 2


def repeated(k, cell="LSTM", activation="tanh", **more):
    """The series, the encoder's outputs and final states, and its last output for each step."""
    x = k.Input((T, F))
    layer = getattr(k, cell)(H, activation=activation, return_sequences=True, return_state=True, **more)
    a, *states = layer(x)
    return x, a, states, k.RepeatVector(Y)(states[0])


def heads(k, y, units=O):
    return k.TimeDistributed(k.Dense(units))(y)


@kind
def forecast_luong(k):
    """elu LSTMs, batch-normalised states, dot, softmax, dot, a normalised context beside the decoder's outputs"""
    x, a, (h, c), _ = repeated(k, activation="elu", dropout=0.2, recurrent_dropout=0.2)
    h, c = k.BatchNormalization(momentum=0.6)(h), k.BatchNormalization(momentum=0.6)(c)
    y = k.LSTM(H, activation="elu", return_sequences=True)(k.RepeatVector(Y)(h), initial_state=[h, c])
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([y, a]))
    context = k.BatchNormalization(momentum=0.6)(k.Dot(axes=[2, 1])([weights, a]))
    return k.Model(x, heads(k, k.Concatenate()([context, y])))


@kind
def forecast_luong_gru(k):
    """the same with GRUs and without the normalisations"""
    x, a, (h,), y = repeated(k, "GRU", dropout=0.2)
    y = k.GRU(H, return_sequences=True)(y, initial_state=h)
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([y, a]))
    return k.Model(x, heads(k, k.Concatenate()([k.Dot(axes=[2, 1])([weights, a]), y])))


@kind
def forecast_plain_states(k):
    """elu, the state repeated and handed over, dropouts, two decoder outputs, a single number a step"""
    x, _, (h, c), y = repeated(k, activation="elu", dropout=0.2, recurrent_dropout=0.2)
    y, _, _ = k.LSTM(H, activation="elu", return_state=True, return_sequences=True)(y, initial_state=[h, c])
    return k.Model(x, heads(k, y, 1))


@kind
def forecast_bidirectional_states(k):
    """a BiLSTM whose joined state is repeated and begins the decoder, Dense relu in between"""
    x = k.Input((T, F))
    _, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_state=True))(x)
    h, c = k.Concatenate()([fh, bh]), k.Concatenate()([fc, bc])
    y = k.LSTM(2 * H, return_sequences=True)(k.RepeatVector(Y)(h), initial_state=[h, c])
    return k.Model(x, heads(k, k.TimeDistributed(k.Dense(5, activation="relu"))(y)))


@kind
def forecast_hourglass(k):
    """LSTMs of 8, 5, a RepeatVector, LSTMs of 5, 8, batch normalisation and dropout between all of them"""
    layers = [k.Input((T, F)), k.LSTM(8, return_sequences=True), k.BatchNormalization(), k.Dropout(0.2)]
    layers += [k.LSTM(5), k.BatchNormalization(), k.RepeatVector(T), k.LSTM(5, return_sequences=True)]
    layers += [k.BatchNormalization(), k.LSTM(8, return_sequences=True), k.Dropout(0.2), k.Dense(F)]
    return k.Sequential(layers)


@kind
def forecast_additive_behind(k):
    """GRUs over a RepeatVector, AdditiveAttention behind, Dense tanh, a number a step"""
    x, a, (h,), y = repeated(k, "GRU")
    y = k.GRU(H, return_sequences=True)(y, initial_state=h)
    y = k.Concatenate()([y, k.AdditiveAttention()([y, a])])
    return k.Model(x, k.Dense(1)(k.Dense(5, activation="tanh")(y)))


@kind
def forecast_pooled_context(k):
    """attention that nobody asks: Dense(1) tanh, softmax over time, the weighted sum, repeated, an LSTM"""
    x = k.Input((T, F))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(x)
    alphas = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(a))
    context = k.op("sum", k.Multiply()([a, alphas]), axis=1)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(Y)(context))
    return k.Model(x, heads(k, y))


@kind
def forecast_known_future(k):
    """the decoder reads features of the days to come"""
    x, future = k.Input((T, F)), k.Input((Y, 2))
    _, h, c = k.LSTM(H, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(future, initial_state=[h, c])
    return Built(k.Model([x, future], heads(k, y, 1)), others=(0,))


@kind
def forecast_known_future_repeated(k):
    """the same, beside the encoder's state"""
    x, future = k.Input((T, F)), k.Input((Y, 2))
    h = k.LSTM(H)(x)
    y = k.LSTM(H, return_sequences=True)(k.Concatenate()([k.RepeatVector(Y)(h), future]))
    return Built(k.Model([x, future], heads(k, y, 1)), others=(0,))


@kind
def forecast_convolved_pooled(k):
    """Conv1D twice, MaxPooling1D, Flatten, RepeatVector, LSTM, Dense relu, Dense"""
    layers = [k.Input((T, F)), k.Conv1D(5, 3, activation="relu"), k.Conv1D(5, 3, activation="relu")]
    layers += [k.MaxPooling1D(2), k.Flatten(), k.RepeatVector(Y), k.LSTM(H, return_sequences=True)]
    return k.Sequential([*layers, k.TimeDistributed(k.Dense(5, activation="relu")), k.TimeDistributed(k.Dense(1))])


@kind
def forecast_convolved(k):
    """Conv1D(same) twice, an LSTM over them, RepeatVector, LSTM, Dense relu, Dense"""
    layers = [k.Input((T, F)), k.Conv1D(5, 3, padding="same", activation="relu")]
    layers += [k.Conv1D(5, 3, padding="same", activation="relu"), k.LSTM(H), k.RepeatVector(Y)]
    layers += [k.LSTM(H, activation="relu", return_sequences=True)]
    return k.Sequential([*layers, k.TimeDistributed(k.Dense(5, activation="relu")), k.TimeDistributed(k.Dense(1))])


@kind
def forecast_flattened(k):
    """a window through Flatten, Dense relu and RepeatVector into an LSTM: no recurrent encoder"""
    layers = [k.Input((T, F)), k.Flatten(), k.Dense(8, activation="relu"), k.RepeatVector(Y)]
    return k.Sequential([*layers, k.LSTM(H, return_sequences=True), k.TimeDistributed(k.Dense(1))])


@kind
def forecast_warm_up(k):
    """an LSTM over the window, then its own cell goes on from its forecasts; the first comes of the window"""
    x = k.Input((T, F))
    cell, dense = k.LSTMCell(H), k.Dense(F)
    y, *state = k.RNN(cell, return_state=True)(x)
    outputs = [dense(y)]
    for _ in range(Y - 1):
        y, state = cell(outputs[-1], state)
        outputs.append(dense(y))
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def forecast_goes_on(k):
    """a GRU decoder that begins with the window's last row and reads its own forecasts"""
    x = k.Input((T, F))
    _, h = k.GRU(H, return_state=True)(x)
    cell, dense, y, outputs = k.GRU(H, return_state=True), k.Dense(F), x[:, -1:, :], []
    for _ in range(Y):
        y, h = cell(y, initial_state=h)
        y = k.Reshape((1, F))(dense(y))
        outputs.append(y)
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def forecast_mean_and_spread(k):
    """a decoder's steps through two heads, the second one softplus"""
    x, _, states, y = repeated(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    return k.Model(x, [heads(k, y, 1), k.TimeDistributed(k.Dense(1, activation="softplus"))(y)])


@kind
def forecast_quantiles(k):
    """three numbers of each step by Dense layers of their own, joined"""
    x, _, states, y = repeated(k, "GRU")
    y = k.GRU(H, return_sequences=True)(y, initial_state=states[0])
    return k.Model(x, k.Concatenate()([k.Dense(1, name=f"q{i}")(y) for i in range(3)]))


@kind
def forecast_last_row_repeated(k):
    """the decoder reads the window's last row at every step"""
    x = k.Input((T, F))
    _, h, c = k.LSTM(H, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(Y)(x[:, -1, :]), initial_state=[h, c])
    return k.Model(x, heads(k, y))


@kind
def forecast_bottleneck(k):
    """LSTM, Dense, a RepeatVector, LSTM: an autoencoder with a narrow middle"""
    layers = [k.Input((T, F)), k.LSTM(8), k.Dense(2, activation="relu"), k.RepeatVector(T)]
    return k.Sequential([*layers, k.LSTM(8, return_sequences=True), k.TimeDistributed(k.Dense(F))])


@kind
def forecast_nested_autoencoder(k):
    """an encoder and a decoder, each a Sequential, in a model of both"""
    encoder = k.Sequential([k.Input((T, F)), k.LSTM(8, return_sequences=True), k.LSTM(4)])
    layers = [k.Input((4,)), k.RepeatVector(T), k.LSTM(4, return_sequences=True)]
    decoder = k.Sequential([*layers, k.LSTM(8, return_sequences=True), k.TimeDistributed(k.Dense(F))])
    x = k.Input((T, F))
    return k.Model(x, decoder(encoder(x)))


@kind
def forecast_masked(k):
    """Masking, LSTM, RepeatVector, LSTM: an autoencoder of padded series"""
    layers = [k.Input((T, F)), k.Masking(mask_value=0.0), k.LSTM(H), k.RepeatVector(T)]
    model = k.Sequential([*layers, k.LSTM(H, return_sequences=True), k.TimeDistributed(k.Dense(F))])
    return Built(model, masked=0.0)


@kind
def forecast_read_both_ways(k):
    """a bidirectional decoder over the repeated state"""
    x, _, _, y = repeated(k)
    return k.Model(x, heads(k, k.Bidirectional(k.LSTM(H, return_sequences=True))(y)))


@kind
def forecast_dense_at_the_end(k):
    """the decoder's steps flattened into one Dense layer"""
    x, _, states, y = repeated(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    return k.Model(x, k.Dense(Y)(k.Flatten()(y)))


@kind
def forecast_attention_over_steps(k):
    """Keras' Attention of the encoder's outputs by themselves, averaged, repeated"""
    x, a, _, _ = repeated(k)
    context = k.GlobalAveragePooling1D()(k.Attention()([a, a]))
    return k.Model(x, heads(k, k.LSTM(H, return_sequences=True)(k.RepeatVector(Y)(context))))


@kind
def forecast_decoder_layers(k):
    """two encoder layers whose states begin two decoder layers over the last output, repeated"""
    x = k.Input((T, F))
    a, *first = k.LSTM(H, return_sequences=True, return_state=True)(x)
    last, *second = k.LSTM(H, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True, return_state=True)(k.RepeatVector(Y)(last), initial_state=first)[0]
    y = k.LSTM(H, return_sequences=True, return_state=True)(y, initial_state=second)[0]
    return k.Model(x, heads(k, k.Dropout(0.1)(y), 1))


@kind
def forecast_attention_steps(k):
    """a loop: additive attention by Dense layers, the context beside the last forecast, a GRU, a number"""
    x = k.Input((T, F))
    a, h = k.GRU(H, return_sequences=True, return_state=True)(x)
    keys, asks, energy, cell, dense = k.Dense(5), k.Dense(5), k.Dense(1), k.GRU(H, return_state=True), k.Dense(1)
    y, outputs = x[:, -1, :1], []
    for _ in range(Y):
        e = energy(k.Activation("tanh")(k.Add()([keys(a), k.RepeatVector(T)(asks(h))])))
        context = k.Flatten()(k.Dot(axes=1)([k.Softmax(axis=1)(e), a]))
        _, h = cell(k.Reshape((1, H + 1))(k.Concatenate()([context, y])), initial_state=h)
        y = dense(h)
        outputs.append(y)
    return k.Model(x, k.Concatenate(axis=1)(outputs))
