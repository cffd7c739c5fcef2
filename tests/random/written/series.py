"""Time series: forecasts, reconstructions."""

import numpy as np
from kinds import Built, kind

T, F, H, N = 6, 3, 5, 4


def series(k, features=F):
    return k.Input((T, features))


@kind
def forecast(k):
    """LSTM, Dense(1)"""
    return k.Sequential([series(k, 1), k.LSTM(H), k.Dense(1)])


@kind
def forecast_relu(k):
    """two LSTMs with activation relu, Dense(1)"""
    layers = [series(k), k.LSTM(H, activation="relu", return_sequences=True), k.LSTM(H, activation="relu")]
    return k.Sequential(layers + [k.Dense(1)])


@kind
def forecast_bidirectional(k):
    """a bidirectional LSTM with relu, several steps at once"""
    return k.Sequential([series(k), k.Bidirectional(k.LSTM(H, activation="relu")), k.Dense(N)])


@kind
def forecast_gru(k):
    """GRU, dropout, hidden layer, linear output"""
    layers = [
        series(k),
        k.GRU(H, return_sequences=True),
        k.Dropout(0.2),
        k.GRU(H),
        k.Dense(8, activation="relu"),
    ]
    return k.Sequential(layers + [k.Dense(N, activation="linear")])


@kind
def forecast_elu(k):
    """an LSTM with activation elu"""
    return k.Sequential([series(k), k.LSTM(H, activation="elu"), k.Dense(1)])


@kind
def forecast_reshaped(k):
    """Dense(N * F) and Reshape((N, F)), as the tutorial on forecasting has it"""
    return k.Sequential([series(k), k.LSTM(H), k.Dense(N * F, kernel_initializer="zeros"), k.Reshape([N, F])])


@kind
def forecast_every_position(k):
    """one value for each position"""
    return k.Sequential([series(k), k.LSTM(H, return_sequences=True), k.Dense(units=1)])


@kind
def forecast_normalised(k):
    """a Normalization layer that was adapted, in front of the LSTM"""
    normalise = k.Normalization()
    normalise.adapt(np.random.default_rng(5).uniform(-2, 5, (30, T, F)).astype(np.float32))
    x = series(k)
    return k.Model(x, k.Dense(1)(k.LSTM(H)(normalise(x))))


@kind
def forecast_rescaled(k):
    """Rescaling in front of the LSTM"""
    x = series(k)
    return k.Model(x, k.Dense(1)(k.GRU(H)(k.Rescaling(1.0 / 8, offset=-0.5)(x))))


@kind
def forecast_embedded_features(k):
    """a linear Dense layer in front of the LSTM, a batch normalisation behind it"""
    x = series(k)
    y = k.LSTM(H)(k.Dense(4)(x))
    return k.Model(x, k.Dense(1)(k.BatchNormalization()(y)))


@kind
def forecast_relu_features(k):
    """a Dense layer with relu in front of the LSTM"""
    x = series(k)
    return k.Model(x, k.Dense(1)(k.LSTM(H)(k.Dense(4, activation="relu")(x))))


@kind
def quantiles(k):
    """three outputs, one for each quantile"""
    x = series(k)
    y = k.LSTM(H)(x)
    return k.Model(x, [k.Dense(1, name=f"q{q}")(y) for q in (10, 50, 90)])


@kind
def positive(k):
    """softplus as the output's activation"""
    return k.Sequential([series(k), k.LSTM(H), k.Dense(2, activation="softplus")])


@kind
def static_features(k):
    """features of the whole series beside the LSTM's output"""
    x, static = series(k), k.Input((2,))
    y = k.Concatenate()([k.LSTM(H)(x), static])
    return k.Model([x, static], k.Dense(1)(y))


@kind
def two_branches(k):
    """an LSTM and a GRU over one series, side by side"""
    x = series(k)
    y = k.Concatenate()([k.LSTM(H)(x), k.GRU(H)(x)])
    return k.Model(x, k.Dense(1)(y))


@kind
def average_of_outputs(k):
    """the mean over all positions by an operation, not a layer"""
    x = series(k)
    y = k.op("mean", k.LSTM(H, return_sequences=True)(x), axis=1)
    return k.Model(x, k.Dense(1)(y))


@kind
def maximum_of_outputs(k):
    """the maximum over all positions by an operation"""
    x = series(k)
    y = k.op("max", k.GRU(H, return_sequences=True)(x), axis=1)
    return k.Model(x, k.Dense(1)(y))


@kind
def autoencoder(k):
    """LSTM, RepeatVector, LSTM, TimeDistributed(Dense)"""
    layers = [series(k), k.LSTM(H), k.RepeatVector(T), k.LSTM(H, return_sequences=True)]
    return k.Sequential(layers + [k.TimeDistributed(k.Dense(F))])


@kind
def autoencoder_deep(k):
    """two layers on either side, narrowing and widening"""
    layers = [series(k), k.LSTM(8, return_sequences=True), k.LSTM(4), k.RepeatVector(T)]
    layers += [k.LSTM(4, return_sequences=True), k.LSTM(8, return_sequences=True)]
    return k.Sequential(layers + [k.TimeDistributed(k.Dense(F))])


@kind
def encoder_decoder(k):
    """RepeatVector to the forecast's length, a hidden TimeDistributed layer"""
    layers = [
        series(k),
        k.LSTM(H, activation="relu"),
        k.RepeatVector(N),
        k.LSTM(H, activation="relu", return_sequences=True),
    ]
    return k.Sequential(
        layers + [k.TimeDistributed(k.Dense(6, activation="relu")), k.TimeDistributed(k.Dense(1))]
    )


@kind
def encoder_decoder_gru(k):
    """the same with GRUs"""
    layers = [series(k), k.GRU(H), k.RepeatVector(N), k.GRU(H, return_sequences=True), k.Dense(1)]
    return k.Sequential(layers)


@kind
def encoder_decoder_states(k):
    """the decoder reads the repeated state and begins with the encoder's states"""
    x = series(k)
    _, h, c = k.LSTM(H, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(N)(h), initial_state=[h, c])
    return k.Model(x, k.TimeDistributed(k.Dense(F))(y))


@kind
def encoder_decoder_luong(k):
    """the same with dot-product attention over the encoder's outputs by Dot layers"""
    x = series(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(N)(h), initial_state=[h, c])
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([y, a]))
    context = k.Dot(axes=[2, 1])([weights, a])
    return k.Model(x, k.TimeDistributed(k.Dense(F))(k.Concatenate()([context, y])))


@kind
def encoder_decoder_luong_normalised(k):
    """the same with BatchNormalization of the states and of the context"""
    x = series(k)
    a, h, c = k.LSTM(H, activation="elu", return_sequences=True, return_state=True)(x)
    h, c = k.BatchNormalization(momentum=0.6)(h), k.BatchNormalization(momentum=0.6)(c)
    y = k.LSTM(H, activation="elu", return_sequences=True)(k.RepeatVector(N)(h), initial_state=[h, c])
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([y, a]))
    context = k.BatchNormalization(momentum=0.6)(k.Dot(axes=[2, 1])([weights, a]))
    return k.Model(x, k.TimeDistributed(k.Dense(F))(k.Concatenate()([context, y])))


@kind
def encoder_decoder_attention_layer(k):
    """the same with Keras' Attention layer"""
    x = series(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(N)(h), initial_state=[h, c])
    return k.Model(x, k.TimeDistributed(k.Dense(1))(k.Concatenate()([y, k.Attention()([y, a])])))


@kind
def attention_then_lstm(k):
    """self-attention between two LSTMs"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    return k.Model(x, k.Dense(1)(k.LSTM(H)(k.Attention()([y, y]))))


@kind
def sum_of_position_attention(k):
    """softmax over the positions of Dense(1), the weighted sum by an operation"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    weights = k.op("softmax", k.Dense(1)(y), axis=1)
    return k.Model(x, k.Dense(1)(k.op("sum", weights * y, axis=1)))


@kind
def feature_attention(k):
    """a softmax over time for each feature, multiplied in"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    weights = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(y)))
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Multiply()([y, weights]))))


@kind
def decoder_features(k):
    """known features of the future as the decoder's inputs"""
    x, future = series(k), k.Input((N, 2))
    _, h, c = k.LSTM(H, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(future, initial_state=[h, c])
    return Built(k.Model([x, future], k.Dense(1)(y)), others=(0,))


@kind
def sum_of_last_two(k):
    """the last two positions joined"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    return k.Model(x, k.Dense(1)(k.Concatenate()([y[:, -1, :], y[:, -2, :]])))


@kind
def layers_of_lstm_with_skip(k):
    """the last outputs of two layers side by side"""
    x = series(k)
    a = k.LSTM(H, return_sequences=True)(x)
    b = k.LSTM(H)(a)
    return k.Model(x, k.Dense(1)(k.Concatenate()([a[:, -1, :], b])))


@kind
def half_precision(k):
    """a model under mixed_float16"""
    policy = "mixed_float16"
    x = series(k)
    y = k.LSTM(H, dtype=policy, recurrent_initializer="glorot_uniform")(x)
    return k.Model(x, k.Dense(1, dtype="float32")(y))


@kind
def gaussian_noise(k):
    """noise in training, L2 regularisation, unroll"""
    x = series(k)
    y = k.LSTM(H, unroll=True, kernel_regularizer="l2")(k.GaussianNoise(0.1)(x))
    return k.Model(x, k.Dense(1, kernel_regularizer="l2")(y))


@kind
def sequence_to_vector_to_softsign(k):
    """softsign and tanh in the output's layers"""
    x = series(k)
    y = k.Dense(4, activation="softsign")(k.Bidirectional(k.LSTM(H))(x))
    return k.Model(x, k.Dense(2, activation="tanh")(y))


@kind
def embedder(k):
    """an encoder whose final states are the outputs"""
    x = series(k)
    return k.Model(x, k.LSTM(H, return_sequences=True, return_state=True)(x))


@kind
def embedder_vector(k):
    """an encoder whose last output is the output"""
    x = series(k)
    return k.Model(x, k.Bidirectional(k.GRU(H))(x))


@kind
def embedder_sequence(k):
    """an encoder whose sequence is the output"""
    x = series(k)
    return k.Model(x, k.Bidirectional(k.LSTM(H, return_sequences=True))(x))
