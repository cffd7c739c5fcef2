"""Models as books, courses and the documentation of frameworks have them."""

import numpy as np
from kinds import Built, kind

V, W, E, T, F, H = 20, 8, 6, 7, 4, 5


@kind
def addition(k):
    """one-hot digits, LSTM, RepeatVector, LSTM, softmax at every step: learning to add"""
    layers = [k.Input((T, V)), k.LSTM(H), k.RepeatVector(4), k.LSTM(H, return_sequences=True)]
    return Built(k.Sequential(layers + [k.Dense(W, activation="softmax")]), one_hot=True)


@kind
def next_character(k):
    """one-hot characters, LSTM, softmax over the next one"""
    return Built(k.Sequential([k.Input((T, V)), k.LSTM(8), k.Dense(V, activation="softmax")]), one_hot=True)


@kind
def one_hot_text(k):
    """texts as one-hot rows made in the graph, BiLSTM, one sigmoid"""
    x = k.Input((None,), dtype="int32")
    y = k.op("one_hot", x, V)
    y = k.Dropout(0.5)(k.Bidirectional(k.LSTM(H))(y))
    return Built(k.Model(x, k.Dense(1, activation="sigmoid")(y)), ids=V)


@kind
def book_translation(k):
    """a bidirectional GRU that is summed, masked, begins the decoder; dropout; softmax"""
    source = k.Input((None,), dtype="int64", name="english")
    target = k.Input((None,), dtype="int64", name="spanish")
    state = k.Bidirectional(k.GRU(H), merge_mode="sum")(k.Embedding(V, E, mask_zero=True)(source))
    y = k.Embedding(W, E, mask_zero=True)(target)
    y = k.Dropout(0.5)(k.GRU(H, return_sequences=True)(y, initial_state=state))
    return Built(k.Model([source, target], k.Dense(W, activation="softmax")(y)), ids=V, targets=W, masked=0)


@kind
def temperature_gru(k):
    """two GRUs with recurrent dropout, dropout, one number"""
    x = k.Input((T, F))
    y = k.GRU(H, recurrent_dropout=0.5, return_sequences=True)(x)
    return k.Model(x, k.Dense(1)(k.Dropout(0.5)(k.GRU(H, recurrent_dropout=0.5)(y))))


@kind
def temperature_simple_rnn(k):
    """three SimpleRNNs"""
    x = k.Input((T, F))
    y = k.SimpleRNN(H, return_sequences=True)(k.SimpleRNN(H, return_sequences=True)(x))
    return k.Model(x, k.Dense(1)(k.SimpleRNN(H)(y)))


@kind
def simple_rnn_text(k):
    """Embedding, SimpleRNN, one sigmoid"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.SimpleRNN(H), k.Dense(1, activation="sigmoid")]
    return Built(k.Sequential(layers), ids=V)


@kind
def simple_rnn_forecast(k):
    """series of numbers whose axis is added, two SimpleRNNs, the outputs scaled up"""
    x = k.Input((T, 1))
    y = k.SimpleRNN(H)(k.SimpleRNN(H, return_sequences=True)(x))
    return k.Model(x, k.Rescaling(100.0)(k.Dense(1)(y)))


@kind
def simple_rnn_bidirectional(k):
    """Bidirectional(SimpleRNN) as a tagger"""
    x = k.Input((None,))
    y = k.Bidirectional(k.SimpleRNN(H, return_sequences=True))(k.Embedding(V, E)(x))
    return Built(k.Model(x, k.Dense(4, activation="softmax")(y)), ids=V)


@kind
def convolution_causal(k):
    """Conv1D(causal, relu), two LSTMs, Dense relu twice, scaled: the course on sequences"""
    layers = [k.Input((T, 1)), k.Conv1D(6, 3, strides=1, padding="causal", activation="relu")]
    layers += [k.LSTM(H, return_sequences=True), k.LSTM(H), k.Dense(6, activation="relu")]
    layers += [k.Dense(5, activation="relu"), k.Dense(1), k.Rescaling(400.0)]
    return k.Sequential(layers)


@kind
def convolution_same(k):
    """Conv1D(same, relu) in front of a BiLSTM tagger"""
    x = k.Input((T,))
    y = k.Conv1D(6, 3, padding="same", activation="relu")(k.Embedding(V, E)(x))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    return Built(k.Model(x, k.Dense(4, activation="softmax")(y)), ids=V)


@kind
def trigger_word(k):
    """a convolution with strides, GRUs with batch normalisations, a sigmoid at every step"""
    x = k.Input((22, F))
    y = k.Activation("relu")(k.BatchNormalization()(k.Conv1D(6, 5, strides=3)(x)))
    y = k.BatchNormalization()(k.Dropout(0.8)(k.GRU(H, return_sequences=True)(k.Dropout(0.8)(y))))
    y = k.BatchNormalization()(k.Dropout(0.8)(k.GRU(H, return_sequences=True)(y)))
    return k.Model(x, k.TimeDistributed(k.Dense(1, activation="sigmoid"))(k.Dropout(0.8)(y)))


@kind
def emojify(k):
    """frozen vectors, LSTM, dropout, LSTM, dropout, Dense, softmax as a layer"""
    x = k.Input((T,), dtype="int32")
    y = k.Embedding(V, E, trainable=False)(x)
    y = k.Dropout(0.5)(k.LSTM(8, return_sequences=True)(y))
    y = k.Dropout(0.5)(k.LSTM(8)(y))
    return Built(k.Model(x, k.Activation("softmax")(k.Dense(5)(y))), ids=V)


@kind
def jazz(k):
    """one LSTM cell that is called for each position, its outputs a list: improvising jazz"""
    x, h, c = k.Input((T, V)), k.Input((H,), name="a0"), k.Input((H,), name="c0")
    row, cell, dense = k.Reshape((1, V)), k.LSTM(H, return_state=True), k.Dense(V, activation="softmax")
    a, state, outputs = h, c, []
    for t in range(T):
        a, _, state = cell(row(x[:, t, :]), initial_state=[a, state])
        outputs.append(dense(a))
    return Built(k.Model([x, h, c], outputs), one_hot=True)


@kind
def music_of_three_heads(k):
    """an LSTM, pitch, step and duration"""
    x = k.Input((T, 3))
    y = k.LSTM(8)(x)
    heads = {"pitch": k.Dense(12, name="pitch")(y), "step": k.Dense(1, name="step")(y)}
    return k.Model(x, {**heads, "duration": k.Dense(1, name="duration")(y)})


@kind
def classical_piano(k):
    """three LSTMs, batch normalisation, dropout, Dense, relu and once more: notes"""
    layers = [k.Input((T, 1))] + [k.LSTM(H, return_sequences=n < 2, recurrent_dropout=0.3) for n in range(3)]
    layers += [k.BatchNormalization(), k.Dropout(0.3), k.Dense(7), k.Activation("relu")]
    layers += [k.BatchNormalization(), k.Dropout(0.3), k.Dense(V), k.Activation("softmax")]
    return k.Sequential(layers)


@kind
def captcha(k):
    """columns of an image as features, Dense relu in front, two BiLSTMs, softmax at every column"""
    x = k.Input((10, 12))
    y = k.Dropout(0.2)(k.Dense(6, activation="relu", name="dense1")(x))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True, dropout=0.25))(y)
    y = k.Bidirectional(k.LSTM(4, return_sequences=True, dropout=0.25))(y)
    return k.Model(x, k.Dense(V + 1, activation="softmax", name="dense2")(y))


@kind
def frames_of_a_video(k):
    """features of frames and a mask of them, two GRUs, classes"""
    x, mask = k.Input((T, F)), k.Input((T,), dtype="bool")
    y = k.GRU(H)(k.GRU(8, return_sequences=True)(x, mask=mask))
    y = k.Dense(6, activation="relu")(k.Dropout(0.4)(y))
    model = k.Model([x, mask], k.Dense(3, activation="softmax")(y))
    return Built(model, masked=0.0, given_mask=True)


@kind
def word_model(k):
    """Shakespeare's words: two LSTMs, Dense relu, softmax over the next word"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.LSTM(H, return_sequences=True), k.LSTM(H)]
    return Built(
        k.Sequential(layers + [k.Dense(8, activation="relu"), k.Dense(V, activation="softmax")]), ids=V
    )


@kind
def german_phrases(k):
    """masked vectors, LSTM, RepeatVector, LSTM, TimeDistributed(softmax)"""
    layers = [k.Input((T,)), k.Embedding(V, E, mask_zero=True), k.LSTM(H), k.RepeatVector(5)]
    layers += [k.LSTM(H, return_sequences=True), k.TimeDistributed(k.Dense(W, activation="softmax"))]
    return Built(k.Sequential(layers), ids=V, masked=0)


@kind
def composite_autoencoder(k):
    """one encoder, a decoder that reconstructs and one that goes on"""
    x = k.Input((T, F))
    h = k.LSTM(H, activation="relu")(x)
    back = k.LSTM(H, activation="relu", return_sequences=True)(k.RepeatVector(T)(h))
    on = k.LSTM(H, activation="relu", return_sequences=True)(k.RepeatVector(T - 1)(h))
    return k.Model(x, [k.TimeDistributed(k.Dense(F))(back), k.TimeDistributed(k.Dense(F))(on)])


@kind
def caption_by_merging(k):
    """a picture's vector and the words so far, added up, the next word"""
    picture, words = k.Input((12,)), k.Input((T,))
    a = k.Dense(8, activation="relu")(k.Dropout(0.5)(picture))
    b = k.LSTM(8)(k.Dropout(0.5)(k.Embedding(V, 8, mask_zero=True)(words)))
    y = k.Dense(8, activation="relu")(k.Add()([a, b]))
    return Built(k.Model([picture, words], k.Dense(V, activation="softmax")(y)), others=(V,))


@kind
def caption_by_state(k):
    """a picture's vector through Dense is the state that the words begin with"""
    picture, words = k.Input((12,)), k.Input((T,))
    h = k.Dense(8, activation="tanh")(picture)
    y = k.GRU(8, return_sequences=True)(k.Embedding(W, 8)(words), initial_state=h)
    model = k.Model([picture, words], k.Dense(W, activation="softmax")(y))
    return Built(model, targets=W, steps=T)


@kind
def human_activity(k):
    """LSTM, dropout, Dense relu, softmax over sensors' readings"""
    layers = [k.Input((T, 9)), k.LSTM(8), k.Dropout(0.5), k.Dense(8, activation="relu")]
    return k.Sequential(layers + [k.Dense(6, activation="softmax")])


@kind
def autoregressive(k):
    """a forecast whose cell reads what it has forecast"""
    x = k.Input((T, F))
    _, h, c = k.LSTM(H, return_state=True)(x)
    row, cell, dense = k.Reshape((1, F)), k.LSTM(H, return_state=True), k.Dense(F)
    y, outputs = dense(h), []
    for _ in range(4):
        outputs.append(row(y))
        _, h, c = cell(row(y), initial_state=[h, c])
        y = dense(h)
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def autoregressive_from_last(k):
    """a decoder that begins with the last value and reads its forecasts"""
    x = k.Input((T, 1))
    _, h, c = k.LSTM(H, return_state=True)(x)
    cell, dense, row = k.LSTM(H, return_state=True), k.Dense(1), k.Reshape((1, 1))
    y, outputs = x[:, -1:, :], []
    for _ in range(3):
        _, h, c = cell(y, initial_state=[h, c])
        y = row(dense(h))
        outputs.append(y)
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def parts_of_speech_one_hot(k):
    """one-hot words, LSTM, TimeDistributed(Dense), Activation"""
    layers = [k.Input((T, V)), k.LSTM(H, return_sequences=True), k.TimeDistributed(k.Dense(5))]
    return Built(k.Sequential(layers + [k.Activation("softmax")]), one_hot=True)


@kind
def adapted_input(k):
    """a Normalization with an axis for each feature in front of a GRU, clipped outputs"""
    normalise = k.Normalization(axis=-1)
    normalise.adapt(np.random.default_rng(3).normal(4, 2, (20, F)).astype(np.float32))
    x = k.Input((T, F))
    return k.Model(x, k.Dense(2, activation="sigmoid")(k.GRU(H)(normalise(x))))


@kind
def babi(k):
    """a story and a question, one LSTM each, side by side"""
    story, question = k.Input((T,)), k.Input((4,))
    a = k.LSTM(H)(k.Embedding(V, E)(story))
    b = k.LSTM(H)(k.Embedding(V, E)(question))
    return Built(k.Model([story, question], k.Dense(V, activation="softmax")(k.Concatenate()([a, b]))), ids=V)


@kind
def picture_by_rows(k):
    """the rows of a picture are the positions"""
    x = k.Input((9, 9))
    y = k.BatchNormalization()(k.LSTM(8)(k.Rescaling(1.0 / 255)(x)))
    return k.Model(x, k.Dense(5, activation="softmax")(y))


@kind
def picture_with_channel(k):
    """the same whose picture has a channel, reshaped away"""
    x = k.Input((9, 8, 1))
    y = k.Bidirectional(k.GRU(H))(k.Reshape((9, 8))(x))
    return k.Model(x, k.Dense(5, activation="softmax")(y))
