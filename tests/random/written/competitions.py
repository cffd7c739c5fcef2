"""Models as notebooks and competitions have them: texts with pooled layers, sensors, prices, attention by hand."""

from kinds import Built, kind

V, E, T, F, H = 20, 6, 7, 4, 5


def words(k, masked=False, length=T):
    x = k.Input((length,))
    return x, k.Embedding(V, E, mask_zero=masked)(x)


def of_words(k, x, y, masked=False):
    return Built(k.Model(x, y), ids=V, time=T, masked=0 if masked else None)


def bi(k, cell="LSTM", units=H, **more):
    return k.Bidirectional(getattr(k, cell)(units, return_sequences=True, **more))


@kind
def toxic_pooled(k):
    """BiGRU, average and maximum side by side, six sigmoids"""
    x, y = words(k)
    y = bi(k, "GRU")(k.SpatialDropout1D(0.2)(y))
    y = k.Concatenate()([k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y)])
    return of_words(k, x, k.Dense(6, activation="sigmoid")(y))


@kind
def toxic_pooled_with_state(k):
    """BiGRU with its states, average, maximum and last state side by side"""
    x, y = words(k)
    y, forward, backward = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(y)
    y = [k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y), forward, backward]
    y = k.Dense(6, activation="relu")(k.Concatenate()(y))
    return of_words(k, x, k.Dense(6, activation="sigmoid")(y))


@kind
def toxic_convolution(k):
    """BiGRU, Conv1D, average and maximum side by side"""
    x, y = words(k)
    y = k.Conv1D(6, 2, padding="valid")(bi(k, "GRU")(y))
    y = k.Concatenate()([k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y)])
    return of_words(k, x, k.Dense(6, activation="sigmoid")(y))


@kind
def unintended_bias(k):
    """two BiLSTMs, maximum and mean, Dense layers that are added to what they read, two heads"""
    x, y = words(k)
    y = bi(k)(bi(k)(k.SpatialDropout1D(0.3)(y)))
    y = k.Concatenate()([k.GlobalMaxPooling1D()(y), k.GlobalAveragePooling1D()(y)])
    for _ in range(2):
        y = k.Add()([y, k.Dense(4 * H, activation="relu")(y)])
    return of_words(k, x, [k.Dense(1, activation="sigmoid")(y), k.Dense(6, activation="sigmoid")(y)])


@kind
def insincere(k):
    """BiLSTM, BiGRU over it, means and maxima of both"""
    x, y = words(k)
    a = bi(k)(k.SpatialDropout1D(0.1)(y))
    b = bi(k, "GRU")(a)
    y = [k.GlobalAveragePooling1D()(a), k.GlobalAveragePooling1D()(b), k.GlobalMaxPooling1D()(b)]
    y = k.Dropout(0.1)(k.Dense(8, activation="relu")(k.Concatenate()(y)))
    return of_words(k, x, k.Dense(1, activation="sigmoid")(y))


@kind
def last_and_maximum(k):
    """an LSTM's last output and the maximum over all of them"""
    x, y = words(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.Concatenate()([y[:, -1, :], k.GlobalMaxPooling1D()(y)])
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def attention_and_pools(k):
    """weighted sum, mean and maximum side by side"""
    x, y = words(k)
    y = bi(k)(y)
    weights = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(y))
    context = k.Flatten()(k.Dot(axes=1)([weights, y]))
    y = k.Concatenate()([context, k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y)])
    return of_words(k, x, k.Dense(3, activation="softmax")(k.Dense(8, activation="relu")(y)))


@kind
def attention_and_last(k):
    """weighted sum beside the final state, Dense, classes"""
    x, y = words(k)
    y, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(y)
    weights = k.Activation("softmax")(k.Flatten()(k.Dense(1)(y)))
    context = k.Dot(axes=1)([weights, y])
    return of_words(k, x, k.Dense(3, activation="softmax")(k.Concatenate()([h, context])))


@kind
def tweets(k):
    """SpatialDropout1D, LSTM with dropouts, two classes"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.SpatialDropout1D(0.4)]
    layers += [k.LSTM(8, dropout=0.2, recurrent_dropout=0.2), k.Dense(2, activation="softmax")]
    return Built(k.Sequential(layers), ids=V)


@kind
def spam(k):
    """LSTM, Dense relu, dropout, one sigmoid, all as layers of their own"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.LSTM(8), k.Dense(8, name="FC1"), k.Activation("relu")]
    return Built(k.Sequential([*layers, k.Dropout(0.5), k.Dense(1), k.Activation("sigmoid")]), ids=V)


@kind
def fake_news(k):
    """BiLSTM, batch normalisation, dropout, Dense relu, one sigmoid"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.Bidirectional(k.LSTM(H)), k.BatchNormalization()]
    layers += [k.Dropout(0.5), k.Dense(8, activation="relu"), k.Dense(1, activation="sigmoid")]
    return Built(k.Sequential(layers), ids=V)


@kind
def intents(k):
    """masked vectors, BiLSTM, Dense relu, dropout, softmax"""
    x, y = words(k, True)
    y = k.Dense(8, activation="relu")(k.Bidirectional(k.LSTM(H))(y))
    return of_words(k, x, k.Dense(4, activation="softmax")(k.Dropout(0.5)(y)), True)


@kind
def reviews_flattened(k):
    """LSTM over all positions, flattened, Dense"""
    x, y = words(k)
    y = k.Flatten()(k.LSTM(H, return_sequences=True)(y))
    return of_words(k, x, k.Dense(1, activation="sigmoid")(k.Dense(8, activation="relu")(y)))


@kind
def stock_prices(k):
    """four LSTMs of 50 units with dropout between them"""
    layers = [k.Input((T, 1))]
    for n in range(4):
        layers += [k.LSTM(6, return_sequences=n < 3), k.Dropout(0.2)]
    return k.Sequential(layers + [k.Dense(units=1)])


@kind
def bitcoin(k):
    """GRU, LeakyReLU(0.1) as a layer, dropout, one number"""
    x = k.Input((T, F))
    slope = {"alpha": 0.1} if k.version == 2 else {"negative_slope": 0.1}
    y = k.LeakyReLU(**slope)(k.Dense(6)(k.GRU(H)(x)))
    return k.Model(x, k.Dense(1)(k.Dropout(0.2)(y)))


@kind
def parametric_relu(k):
    """PReLU behind a Dense layer"""
    x = k.Input((T, F))
    return k.Model(x, k.Dense(1)(k.PReLU()(k.Dense(6)(k.LSTM(H)(x)))))


@kind
def relu_six(k):
    """ReLU(max_value=6) as a layer"""
    x = k.Input((T, F))
    return k.Model(x, k.Dense(1)(k.ReLU(max_value=6.0)(k.Dense(6)(k.LSTM(H)(x)))))


@kind
def ventilator(k):
    """four BiLSTMs, Dense selu, a number at every step"""
    x = k.Input((T, F))
    y = x
    for units in (8, 7, 6, 5):
        y = bi(k, units=units)(y)
    return k.Model(x, k.Dense(1)(k.Dense(6, activation="selu")(y)))


@kind
def ventilator_skipping(k):
    """features through Dense, BiLSTMs each of which is concatenated with what it reads"""
    x = k.Input((T, F))
    a = bi(k)(x)
    b = bi(k)(k.Concatenate()([x, a]))
    return k.Model(x, k.Dense(1)(k.Dense(6, activation="selu")(k.Concatenate()([a, b]))))


@kind
def vaccine(k):
    """three BiGRUs, the first positions alone, five numbers each"""
    x, y = words(k)
    y = bi(k, "GRU")(bi(k, "GRU")(k.SpatialDropout1D(0.2)(y)))
    return of_words(k, x, k.Dense(5, activation="linear")(y[:, :4]))


@kind
def dense_in_front(k):
    """TimeDistributed(Dense relu) in front of a GRU"""
    x = k.Input((T, F))
    y = k.TimeDistributed(k.Dense(6, activation="relu"))(x)
    return k.Model(x, k.Dense(1)(k.GRU(H)(y)))


@kind
def dense_between(k):
    """two Dense layers with relu between recurrent layers"""
    x = k.Input((T, F))
    y = k.LSTM(H, return_sequences=True)(x)
    y = k.Dense(6, activation="relu")(k.Dense(6, activation="relu")(y))
    return k.Model(x, k.Dense(1)(k.LSTM(H)(y)))


@kind
def activation_on_vectors(k):
    """embedded tokens through Dense tanh in front of a BiLSTM"""
    x, y = words(k)
    y = k.Bidirectional(k.LSTM(H))(k.Dense(6, activation="tanh")(y))
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def anomalies(k):
    """LSTM, dropout, RepeatVector, LSTM, dropout, TimeDistributed(Dense)"""
    layers = [k.Input((T, 1)), k.LSTM(8, activation="tanh"), k.Dropout(0.2), k.RepeatVector(T)]
    layers += [k.LSTM(8, return_sequences=True), k.Dropout(0.2), k.TimeDistributed(k.Dense(1))]
    return k.Sequential(layers)


@kind
def anomalies_through_bottleneck(k):
    """the encoder's state through Dense relu and Dense before it is repeated"""
    x = k.Input((T, F))
    y = k.Dense(3, activation="relu")(k.LSTM(H)(x))
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(T)(y))
    return k.Model(x, k.TimeDistributed(k.Dense(F))(y))


@kind
def anomalies_in_both_directions(k):
    """a bidirectional decoder over a repeated vector"""
    x = k.Input((T, F))
    y = k.RepeatVector(T)(k.Bidirectional(k.LSTM(H))(x))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    return k.Model(x, k.TimeDistributed(k.Dense(F))(y))


@kind
def energy_demand(k):
    """encoder and decoder states, a RepeatVector, TimeDistributed Dense relu and Dense"""
    x = k.Input((T, F))
    y, h, c = k.LSTM(8, return_state=True)(x)
    y = k.LSTM(8, return_sequences=True)(k.RepeatVector(3)(y), initial_state=[h, c])
    y = k.TimeDistributed(k.Dense(6, activation="relu"))(y)
    return k.Model(x, k.TimeDistributed(k.Dense(1))(y))


@kind
def two_encoder_layers_to_two(k):
    """two layers on each side, the states of each its own, over a repeated state"""
    x = k.Input((T, F))
    a, *first = k.LSTM(H, return_sequences=True, return_state=True)(x)
    b, *second = k.LSTM(H, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(4)(second[0]), initial_state=first)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=second)
    return k.Model(x, k.TimeDistributed(k.Dense(1))(y))


@kind
def flattened_forecast(k):
    """the steps' numbers flattened to one row"""
    x = k.Input((T, F))
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(4)(k.LSTM(H)(x)))
    return k.Model(x, k.Flatten()(k.TimeDistributed(k.Dense(1))(y)))


@kind
def layer_normalised_forecast(k):
    """LayerNormalization between LSTMs"""
    x = k.Input((T, F))
    y = k.LayerNormalization()(k.LSTM(H, return_sequences=True)(x))
    return k.Model(x, k.Dense(1)(k.LSTM(H)(y)))


@kind
def attention_block(k):
    """Permute, Dense over the positions, Permute, Multiply, Flatten: a block that many copied"""
    x = k.Input((T, F))
    y = k.LSTM(H, return_sequences=True)(x)
    weights = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(y)))
    return k.Model(x, k.Dense(1, activation="sigmoid")(k.Flatten()(k.Multiply()([y, weights]))))


@kind
def self_attention_flattened(k):
    """Attention()([y, y]) behind an LSTM, flattened"""
    x = k.Input((T, F))
    y = k.LSTM(H, return_sequences=True)(x)
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Attention()([y, y]))))


@kind
def series_and_calendar(k):
    """a series and what is known of the day, joined behind the LSTM"""
    x, day = k.Input((T, F)), k.Input((3,))
    y = k.Concatenate()([k.LSTM(H)(x), k.Dense(4, activation="relu")(day)])
    return k.Model([x, day], k.Dense(1)(k.Dense(6, activation="relu")(y)))


@kind
def seven_heads(k):
    """a number of its own for each day of the week"""
    x = k.Input((T, F))
    y = k.Dense(8, activation="relu")(k.LSTM(8)(x))
    return k.Model(x, [k.Dense(1, name=f"day_{n}")(y) for n in range(7)])


@kind
def deep_head(k):
    """six Dense layers behind a GRU"""
    x = k.Input((T, F))
    y = k.GRU(8)(x)
    for units in (8, 7, 6, 5, 4):
        y = k.Dropout(0.1)(k.Dense(units, activation="relu")(y))
    return k.Model(x, k.Dense(2, activation="softmax")(y))


@kind
def parallel_units(k):
    """LSTMs of two sizes over one text, side by side"""
    x, y = words(k)
    y = k.Concatenate()([k.LSTM(4)(y), k.LSTM(6)(y)])
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def multi_head_forecast(k):
    """MultiHeadAttention, a sum, LayerNormalization, the mean: half a transformer on an LSTM"""
    x = k.Input((T, F))
    y = k.LSTM(8, return_sequences=True)(x)
    y = k.LayerNormalization()(k.Add()([y, k.MultiHeadAttention(2, 4)(y, y)]))
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(y)))


@kind
def masked_attention(k):
    """Attention by the last state over masked outputs, beside that state"""
    x, y = words(k, True)
    y, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(y)
    context = k.Attention()([k.Reshape((1, H))(h), y])
    y = k.Concatenate()([k.Flatten()(context), h])
    return of_words(k, x, k.Dense(3, activation="softmax")(y), True)
