"""Series, sensors and speech as notebooks and repositories have them: forecasts, reconstructions, classes, and
recognisers up to the softmax that CTC reads."""

from kinds import Built, kind

H, T, F = 6, 12, 3


def series(k, features=F, length=T):
    return k.Input((length, features))


def stack(k, *layers, features=F, length=T):
    return Built(k.Sequential([series(k, features, length), *layers]), time=T)


def bi(k, units=H, cell="LSTM", **more):
    return k.Bidirectional(getattr(k, cell)(units, return_sequences=True), **more)


@kind
def sensor_stock(k):
    """two LSTMs of the closing price, Dense(25), Dense(1)"""
    return stack(k, k.LSTM(8, return_sequences=True), k.LSTM(8), k.Dense(25), k.Dense(1), features=1)


@kind
def sensor_life(k):
    """LSTM, dropout, LSTM, dropout, Dense relu, Dense: remaining useful life"""
    layers = [k.LSTM(8, return_sequences=True), k.Dropout(0.2), k.LSTM(5), k.Dropout(0.2)]
    return stack(k, *layers, k.Dense(4, activation="relu"), k.Dense(1, activation="linear"))


@kind
def sensor_strided(k):
    """Conv1D(strides=2, valid) in front of two GRUs, numbers at every position that is left"""
    layers = [k.Conv1D(6, 4, strides=2, padding="valid"), k.GRU(H, return_sequences=True)]
    return stack(k, *layers, k.GRU(H, return_sequences=True), k.TimeDistributed(k.Dense(4)), features=1)


@kind
def sensor_strided_forecast(k):
    """Conv1D(strides=2, causal, relu), GRU, Dense"""
    return stack(k, k.Conv1D(6, 4, strides=2, padding="causal", activation="relu"), k.GRU(H), k.Dense(5))


@kind
def sensor_pooled_forecast(k):
    """Conv1D(relu), MaxPooling1D(2), dropout, LSTM, Dense relu, Dense"""
    layers = [k.Conv1D(6, 3, activation="relu"), k.MaxPooling1D(2), k.Dropout(0.2), k.LSTM(H)]
    return stack(k, *layers, k.Dense(5, activation="relu"), k.Dense(1))


@kind
def sensor_pooled_twice(k):
    """Conv1D(same, relu), MaxPooling1D(2), twice, LSTM, classes"""
    layers = [k.Conv1D(6, 3, padding="same", activation="relu"), k.MaxPooling1D(2)]
    layers += [k.Conv1D(5, 3, padding="same", activation="relu"), k.MaxPooling1D(2)]
    return stack(k, *layers, k.LSTM(H), k.Dense(4, activation="softmax"))


@kind
def sensor_pooled_outputs(k):
    """an LSTM's outputs pooled by 2, flattened, Dense"""
    return stack(k, k.LSTM(H, return_sequences=True), k.MaxPooling1D(2), k.Flatten(), k.Dense(2))


@kind
def sensor_averaged_between(k):
    """AveragePooling1D(2) between two BiGRUs"""
    layers = [bi(k, cell="GRU"), k.AveragePooling1D(2), k.Bidirectional(k.GRU(H))]
    return stack(k, *layers, k.Dense(3, activation="softmax"))


@kind
def sensor_fully_convolutional(k):
    """a GRU with dropout beside three convolutions with batch normalisation and relu and their mean"""
    x = series(k)
    a = k.Dropout(0.8)(k.GRU(H)(x))
    y = x
    for filters, size in ((6, 8), (8, 5), (6, 3)):
        y = k.Activation("relu")(k.BatchNormalization()(k.Conv1D(filters, size, padding="same")(y)))
    y = k.Concatenate()([a, k.GlobalAveragePooling1D()(y)])
    return k.Model(x, k.Dense(4, activation="softmax")(y))


@kind
def sensor_fully_convolutional_shuffled(k):
    """the same with an LSTM that reads the series turned: features as positions"""
    x = series(k)
    a = k.Dropout(0.8)(k.LSTM(H)(k.Permute((2, 1))(x)))
    y = k.Activation("relu")(k.BatchNormalization()(k.Conv1D(6, 8, padding="same")(x)))
    y = k.Concatenate()([a, k.GlobalAveragePooling1D()(y)])
    return k.Model(x, k.Dense(4, activation="softmax")(y))


@kind
def sensor_one_step_beside_convolutions(k):
    """one step of many features into an LSTM, and the same as a series through convolutions"""
    x = k.Input((1, T))
    a = k.Dropout(0.8)(k.LSTM(H)(x))
    y = k.Activation("relu")(k.BatchNormalization()(k.Conv1D(6, 5, padding="same")(k.Permute((2, 1))(x))))
    y = k.Concatenate()([a, k.GlobalAveragePooling1D()(y)])
    return k.Model(x, k.Dense(4, activation="softmax")(y))


@kind
def sensor_linear_beside(k):
    """what a GRU says plus a linear function of the last four values: an autoregressive part"""
    x = series(k)
    y = k.Dense(F)(k.GRU(H)(k.Conv1D(5, 3, activation="relu", padding="causal")(x)))
    last = k.Dense(F)(k.Flatten()(x[:, -4:, :]))
    return k.Model(x, k.Add()([y, last]))


@kind
def sensor_heartbeats(k):
    """Conv1D(same), batch normalisation, relu, MaxPooling1D, BiLSTM, weighted sum, Dense relu, softmax"""
    x = series(k, 1)
    y = k.ReLU()(k.BatchNormalization()(k.Conv1D(6, 5, padding="same")(x)))
    y = bi(k)(k.MaxPooling1D(2)(y))
    weights = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(y))
    y = k.op("sum", k.Multiply()([y, weights]), axis=1)
    return k.Model(x, k.Dense(5, activation="softmax")(k.Dense(8, activation="relu")(y)))


@kind
def sensor_padded_by_hand(k):
    """ZeroPadding1D((2, 0)) in front of Conv1D(valid), LSTM, a number at every position"""
    layers = [k.ZeroPadding1D((2, 0)), k.Conv1D(6, 3, activation="relu"), k.LSTM(H, return_sequences=True)]
    return stack(k, *layers, k.Dense(1))


@kind
def sensor_cropped(k):
    """an LSTM's outputs without the first four (Cropping1D), flattened, Dense"""
    return stack(k, k.LSTM(H, return_sequences=True), k.Cropping1D((4, 0)), k.Flatten(), k.Dense(2))


@kind
def sensor_cropped_input(k):
    """the first two positions cut off (Cropping1D) in front of a GRU"""
    return stack(k, k.Cropping1D((2, 0)), k.GRU(H), k.Dense(2))


@kind
def sensor_two_series(k):
    """two series, an LSTM each, side by side"""
    a, b = series(k), series(k, 2)
    y = k.Concatenate()([k.LSTM(H)(a), k.LSTM(H)(b)])
    return Built(k.Model([a, b], k.Dense(2)(k.Dense(5, activation="relu")(y))), others=(0,))


@kind
def sensor_series_joined(k):
    """two series side by side at every position, BiLSTM"""
    a, b = series(k), series(k, 2)
    y = k.Bidirectional(k.LSTM(H))(k.Concatenate()([a, b]))
    return Built(k.Model([a, b], k.Dense(2)(y)), others=(0,))


@kind
def sensor_series_and_store(k):
    """a series and a store's number, embedded, beside the LSTM's output"""
    x, store = series(k), k.Input((1,))
    y = k.Concatenate()([k.LSTM(H)(x), k.Flatten()(k.Embedding(5, 3)(store))])
    return Built(k.Model([x, store], k.Dense(1)(k.Dense(5, activation="relu")(y))), others=(5,))


@kind
def sensor_series_and_repeated_statics(k):
    """features of the whole repeated beside the series at every position, GRU"""
    x, static = series(k), k.Input((2,))
    y = k.GRU(H)(k.Concatenate()([x, k.RepeatVector(T)(static)]))
    return Built(k.Model([x, static], k.Dense(1)(y)), others=(0,))


@kind
def sensor_stateful_tagger(k):
    """a stateful LSTM with a batch size, a number at every position"""
    x = k.Input(batch_shape=(3, T, F))
    y = k.LSTM(H, return_sequences=True, stateful=True)(x)
    return k.Model(x, k.Dense(1)(y))


@kind
def sensor_anomalies_relu(k):
    """LSTMs with relu of 8 and 4, RepeatVector, LSTMs of 4 and 8, TimeDistributed(Dense)"""
    layers = [
        k.LSTM(8, activation="relu", return_sequences=True),
        k.LSTM(4, activation="relu"),
        k.RepeatVector(T),
    ]
    layers += [
        k.LSTM(4, activation="relu", return_sequences=True),
        k.LSTM(8, activation="relu", return_sequences=True),
    ]
    return stack(k, *layers, k.TimeDistributed(k.Dense(F)))


@kind
def sensor_anomalies_flattened(k):
    """BiLSTM, Flatten, Dense relu, RepeatVector, BiLSTM, TimeDistributed(Dense)"""
    layers = [bi(k), k.Flatten(), k.Dense(5, activation="relu"), k.RepeatVector(T), bi(k)]
    return stack(k, *layers, k.TimeDistributed(k.Dense(F)))


@kind
def sensor_anomalies_regularised(k):
    """noise, a GRU with an activity regulariser, batch normalisation, RepeatVector, GRU, batch normalisation, Dense"""
    layers = [k.GaussianNoise(0.1), k.GRU(H, activity_regularizer="l2"), k.ActivityRegularization(l1=0.01)]
    layers += [
        k.BatchNormalization(),
        k.RepeatVector(T),
        k.GRU(H, return_sequences=True),
        k.BatchNormalization(),
    ]
    return stack(k, *layers, k.TimeDistributed(k.Dense(F, activation="sigmoid")))


@kind
def sensor_anomalies_every_position(k):
    """LSTMs of 8, 4 and 8 that keep every position, TimeDistributed(Dense): reconstruction without a bottleneck"""
    layers = [k.LSTM(units, return_sequences=True) for units in (8, 4, 8)]
    return stack(k, *layers, k.TimeDistributed(k.Dense(F)))


@kind
def sensor_gates_of_a_week(k):
    """Normalization, BiLSTM, dropout, Dense(7 * 2), Reshape: a week's numbers"""
    x, adapted = series(k), k.Normalization(axis=-1, mean=[0.5, 1.0, -2.0], variance=[1.0, 4.0, 0.25])
    y = k.Dense(14)(k.Dropout(0.2)(k.Bidirectional(k.LSTM(H))(adapted(x))))
    return k.Model(x, k.Reshape((7, 2))(y))


@kind
def sensor_projected_residuals(k):
    """Dense over the input, three LSTMs each added to what it reads, the last position, Dense"""
    x = series(k)
    y = k.Dense(H)(x)
    for _ in range(3):
        y = k.Add()([y, k.LSTM(H, return_sequences=True)(y)])
    return k.Model(x, k.Dense(1)(y[:, -1, :]))


@kind
def sensor_attention_query(k):
    """Conv1D(same), batch normalisation, two BiLSTMs, attention by a Dense of the last position, classes: keywords"""
    x = series(k, 8)
    y = k.BatchNormalization()(k.Conv1D(6, 5, padding="same", activation="relu")(x))
    y = bi(k)(bi(k)(y))
    query = k.Dense(2 * H)(y[:, -1])
    weights = k.Softmax()(k.Dot(axes=[1, 2])([query, y]))
    y = k.Dense(8, activation="relu")(k.Dot(axes=[1, 1])([weights, y]))
    return k.Model(x, k.Dense(5, activation="softmax")(k.Dense(6)(y)))


@kind
def speech_simple(k):
    """a GRU of as many units as characters, softmax"""
    x = series(k, 8, None)
    return Built(
        k.Model(x, k.Activation("softmax")(k.GRU(9, return_sequences=True, implementation=2)(x))), time=T
    )


@kind
def speech_deep(k):
    """two GRUs with relu, batch normalisation behind each, TimeDistributed(Dense), softmax"""
    x = series(k, 8, None)
    y = x
    for _ in range(2):
        y = k.BatchNormalization()(k.GRU(H, activation="relu", return_sequences=True, implementation=2)(y))
    return Built(k.Model(x, k.Activation("softmax")(k.TimeDistributed(k.Dense(9))(y))), time=T)


@kind
def speech_convolved(k):
    """Conv1D(strides=2, valid, relu), batch normalisation, SimpleRNN, batch normalisation, TimeDistributed, softmax"""
    x = series(k, 8, None)
    y = k.BatchNormalization()(k.Conv1D(7, 3, strides=2, padding="valid", activation="relu")(x))
    y = k.BatchNormalization()(k.SimpleRNN(H, activation="relu", return_sequences=True)(y))
    return Built(k.Model(x, k.Activation("softmax")(k.TimeDistributed(k.Dense(9))(y))), time=T)


@kind
def speech_convolved_same(k):
    """Conv1D(same, relu), batch normalisation, two BiGRUs, batch normalisation, TimeDistributed, softmax"""
    x = series(k, 8, None)
    y = k.BatchNormalization()(k.Conv1D(7, 5, padding="same", activation="relu")(x))
    for _ in range(2):
        y = k.BatchNormalization()(bi(k, cell="GRU")(y))
    return Built(k.Model(x, k.Activation("softmax")(k.TimeDistributed(k.Dense(9))(y))), time=T)


@kind
def speech_added_directions(k):
    """a GRU forwards and one with go_backwards, added as they come; two more, side by side, softmax: an OCR"""
    x = series(k, 8)
    y = k.Dense(7, activation="relu")(x)
    y = k.Add()([k.GRU(H, return_sequences=True)(y), k.GRU(H, return_sequences=True, go_backwards=True)(y)])
    pair = [k.GRU(H, return_sequences=True)(y), k.GRU(H, return_sequences=True, go_backwards=True)(y)]
    return k.Model(x, k.Activation("softmax")(k.Dense(9)(k.Concatenate()(pair))))


@kind
def speech_clipped(k):
    """three Dense layers with a clipped relu, BiLSTM summed, one more, softmax: the first deep speech"""
    x = series(k, 8, None)
    y = x
    for _ in range(3):
        y = k.Dropout(0.1)(k.TimeDistributed(k.Dense(7))(y))
        y = k.ReLU(max_value=20)(y)
    y = k.ReLU(max_value=20)(k.TimeDistributed(k.Dense(7))(bi(k, merge_mode="sum")(y)))
    return Built(k.Model(x, k.TimeDistributed(k.Dense(9, activation="softmax"))(y)), time=T)


@kind
def speech_picture(k):
    """Conv2D and MaxPooling2D of a picture, Reshape, Dense relu, BiLSTM, softmax: an OCR from the pixels"""
    x = k.Input((16, 8, 1))
    y = k.MaxPooling2D((2, 2))(k.Conv2D(4, (3, 3), padding="same", activation="relu")(x))
    y = k.Dense(6, activation="relu")(k.Reshape((8, 16))(y))
    return k.Model(x, k.Dense(9, activation="softmax")(bi(k)(y)))


@kind
def speech_emotion(k):
    """coefficients as a series, LSTM, LSTM, Dense relu three times with dropout, softmax"""
    layers = [k.LSTM(8, return_sequences=True), k.LSTM(H), k.Dense(8, activation="relu"), k.Dropout(0.3)]
    layers += [k.Dense(7, activation="relu"), k.Dropout(0.3), k.Dense(6, activation="relu"), k.Dropout(0.3)]
    return stack(k, *layers, k.Dense(5, activation="softmax"), features=8)


@kind
def speech_speaker(k):
    """three LSTMs, a Dense layer, the vector scaled to length 1: who speaks"""
    layers = [k.LSTM(H, return_sequences=True), k.LSTM(H, return_sequences=True), k.LSTM(H), k.Dense(5)]
    return stack(k, *layers, k.UnitNormalization(), features=8, length=None)


@kind
def speech_statistics(k):
    """causal dilated convolutions with relu and batch normalisation, a GRU, mean and maximum, Dense relu, softmax"""
    x = series(k, 8)
    y = x
    for dilation in (1, 2, 4):
        y = k.BatchNormalization()(
            k.Conv1D(6, 3, dilation_rate=dilation, padding="causal", activation="relu")(y)
        )
    y = k.GRU(H, return_sequences=True)(y)
    y = k.Concatenate()([k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y)])
    return k.Model(x, k.Dense(5, activation="softmax")(k.Dense(6, activation="relu")(y)))
