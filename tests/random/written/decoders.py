"""Decoders as notebooks have them: the usual parts, put together otherwise."""

from kinds import Built, kind

V, W, E, H, S, T, Y, F = 10, 8, 5, 6, 8, 7, 4, 3


def given(k, x, y, **more):
    """A model of two inputs, the second one the given tokens."""
    return Built(k.Model(x, y), **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


def two(k, source=None, target=None):
    """Both inputs and their vectors."""
    x, tokens = k.Input((source,), name="inputs"), k.Input((target,), name="targets")
    return x, tokens, k.Embedding(V, E)(x), k.Embedding(W, E)(tokens)


def classes(k):
    return k.Dense(W, activation="softmax")


@kind
def notebook_teacher_steps_listed(k):
    """a loop over the given words: AdditiveAttention by the state before, its context beside the word, a GRU"""
    x, tokens, a, b = two(k, T, Y)
    a, f, g = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(a)
    h = k.Dense(2 * H, activation="tanh")(k.Concatenate()([f, g]))
    attend, cell, softmax, outputs = k.AdditiveAttention(), k.GRU(2 * H, return_state=True), classes(k), []
    for t in range(Y):
        context = attend([k.op("expand_dims", h, 1), a])
        y, h = cell(k.Concatenate()([context, b[:, t : t + 1]]), initial_state=h)
        outputs.append(softmax(y))
    return given(k, [x, tokens], outputs)


@kind
def notebook_teacher_steps_cell(k):
    """the same with an LSTMCell over single words, indexed"""
    x, tokens, a, b = two(k, T, Y)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    attend, cell, softmax, outputs = k.Attention(), k.LSTMCell(H), classes(k), []
    for t in range(Y):
        context = k.Reshape((H,))(attend([k.Reshape((1, H))(h), a]))
        y, [h, c] = cell(k.Concatenate()([b[:, t], context]), [h, c])
        outputs.append(softmax(k.Concatenate()([y, context])))
    return given(k, [x, tokens], k.op("stack", outputs, axis=1))


@kind
def notebook_chat_bot_stacked(k):
    """one Embedding, a BiLSTM merged by sum, two decoder LSTMs that begin with its added states, dropout"""
    x, tokens, embed = k.Input((None,)), k.Input((None,)), k.Embedding(W, E)
    layer = k.LSTM(H, return_sequences=True, return_state=True)
    a, fh, fc, bh, bc = k.Bidirectional(layer, merge_mode="sum")(embed(x))
    states = [k.Add()([fh, bh]), k.Add()([fc, bc])]
    y = k.LSTM(H, return_sequences=True)(embed(tokens), initial_state=states)
    y = k.LSTM(H, return_sequences=True)(k.Dropout(0.2)(y), initial_state=states)
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return given(k, [x, tokens], k.TimeDistributed(classes(k))(y), ids=W)


@kind
def notebook_ids_to_one_hot(k):
    """an Embedding for the source, one-hot rows for the target"""
    x, tokens = k.Input((None,)), k.Input((None, W))
    _, h, c = k.LSTM(H, return_state=True)(k.Embedding(V, E)(x))
    y = k.LSTM(H, return_sequences=True)(tokens, initial_state=[h, c])
    model = k.Model([x, tokens], classes(k)(y))
    return Built(model, ids=V, targets=W, time=T, steps=Y, one_hot_targets=True)


@kind
def notebook_pooled_beside_tokens(k):
    """a context that nobody asks for, repeated beside the words"""
    x, tokens, a, b = two(k, T, Y)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(a)
    weights = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(a))
    context = k.Flatten()(k.Dot(axes=1)([weights, a]))
    y = k.LSTM(H, return_sequences=True)(k.Concatenate()([k.RepeatVector(Y)(context), b]))
    return given(k, [x, tokens], classes(k)(y))


@kind
def notebook_caption_beside_words(k):
    """a picture's vector, repeated, beside an LSTM over the words; an LSTM over both"""
    picture, words = k.Input((12,)), k.Input((Y,))
    a = k.RepeatVector(Y)(k.Dense(E, activation="relu")(picture))
    b = k.TimeDistributed(k.Dense(E))(k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(words)))
    y = k.LSTM(H, return_sequences=True)(k.Concatenate()([a, b]))
    return given(k, [picture, words], k.TimeDistributed(classes(k))(y), ids=0)


@kind
def notebook_begun_by_mean(k):
    """the decoder begins with Dense tanh of the mean of the encoder's outputs"""
    x, tokens, a, b = two(k, T)
    a = k.Bidirectional(k.GRU(H, return_sequences=True))(a)
    h = k.Dense(S, activation="tanh")(k.GlobalAveragePooling1D()(a))
    y = k.GRU(S, return_sequences=True)(b, initial_state=h)
    context = k.AdditiveAttention()([k.Dense(5)(y), k.Dense(5)(a)])
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, context])))


@kind
def notebook_begun_by_last_position(k):
    """the decoder begins with Dense layers of the encoder's last position"""
    x, tokens, a, b = two(k, T)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(a)
    last = a[:, -1, :]
    h, c = k.Dense(S)(last), k.Dense(S)(last)
    y = k.LSTM(S, return_sequences=True)(b, initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y))


@kind
def notebook_begun_by_maximum(k):
    """the decoder begins with the maxima of the encoder's outputs"""
    x, tokens, a, b = two(k, T)
    h = k.GlobalMaxPooling1D()(k.GRU(H, return_sequences=True)(a))
    return given(k, [x, tokens], classes(k)(k.GRU(H, return_sequences=True)(b, initial_state=h)))


@kind
def notebook_mean_repeated(k):
    """the mean of a BiLSTM's outputs, repeated, an LSTM, Dense"""
    x = k.Input((T, F))
    mean = k.GlobalAveragePooling1D()(k.Bidirectional(k.LSTM(H, return_sequences=True))(x))
    return k.Model(x, k.Dense(1)(k.LSTM(H, return_sequences=True)(k.RepeatVector(Y)(mean))))


@kind
def notebook_dense_behind_repeat(k):
    """RepeatVector, TimeDistributed Dense relu, GRU, Dense"""
    layers = [k.Input((T, F)), k.GRU(H), k.RepeatVector(Y), k.TimeDistributed(k.Dense(5, activation="relu"))]
    return k.Sequential([*layers, k.GRU(H, return_sequences=True), k.Dense(2)])


@kind
def notebook_zeros_for_decoder(k):
    """the decoder's input is a sequence of zeros that the author feeds"""
    x, zeros = k.Input((T, F)), k.Input((Y, 1))
    _, h, c = k.LSTM(H, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(zeros, initial_state=[h, c])
    return k.Model([x, zeros], k.TimeDistributed(k.Dense(1))(y))


@kind
def notebook_fixed_batch(k):
    """batch sizes in the inputs' shapes"""
    x, tokens = k.Input(batch_shape=(3, T)), k.Input(batch_shape=(3, Y))
    _, h, c = k.LSTM(H, return_state=True)(k.Embedding(V, E)(x))
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(tokens), initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y))


@kind
def notebook_forecast_from_input(k):
    """a loop that reads its own forecasts and begins with an input of the author's"""
    x, first = k.Input((T, F)), k.Input((1, 1))
    _, h, c = k.LSTM(H, return_state=True)(x)
    cell, dense, y, outputs = k.LSTM(H, return_state=True), k.Dense(1), first, []
    for _ in range(Y):
        y, h, c = cell(y, initial_state=[h, c])
        y = k.Reshape((1, 1))(dense(y))
        outputs.append(y)
    return k.Model([x, first], k.Concatenate(axis=1)(outputs))


@kind
def notebook_probabilities_fed_back(k):
    """a loop that reads its own probabilities and begins with a one-hot start token"""
    x, first = k.Input((T, V)), k.Input((1, W))
    _, h, c = k.LSTM(H, return_state=True)(x)
    cell, softmax, y, outputs = k.LSTM(H, return_sequences=True, return_state=True), classes(k), first, []
    for _ in range(Y):
        y, h, c = cell(y, initial_state=[h, c])
        y = softmax(y)
        outputs.append(y)
    return Built(k.Model([x, first], k.Concatenate(axis=1)(outputs)), start=True)


@kind
def notebook_stacked_forecast(k):
    """a loop of two LSTMs that goes on from the last row by itself, a residual forecast"""
    x = k.Input((T, F))
    a, h1, c1 = k.LSTM(H, return_sequences=True, return_state=True)(x)
    _, h2, c2 = k.LSTM(H, return_state=True)(a)
    low, high, dense = k.LSTM(H, return_state=True), k.LSTM(H, return_state=True), k.Dense(F)
    y, outputs = x[:, -1], []
    for _ in range(Y):
        z, h1, c1 = low(k.Reshape((1, F))(y), initial_state=[h1, c1])
        z, h2, c2 = high(k.Reshape((1, H))(z), initial_state=[h2, c2])
        y = dense(z)
        outputs.append(y)
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def notebook_difference_forecast(k):
    """each forecast is added to the one before"""
    x = k.Input((T, F))
    _, h = k.GRU(H, return_state=True)(x)
    cell, dense, y, outputs = k.GRU(H, return_state=True), k.Dense(F), x[:, -1], []
    for _ in range(Y):
        z, h = cell(k.Reshape((1, F))(y), initial_state=h)
        y = k.Add()([y, dense(z)])
        outputs.append(y)
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def notebook_autoencoder_attention(k):
    """a decoder over the repeated state attends to the encoder, as many steps as positions"""
    x = k.Input((T, F))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(T)(h), initial_state=[h, c])
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return k.Model(x, k.TimeDistributed(k.Dense(F))(y))


@kind
def notebook_autoencoder_both_ways(k):
    """BiLSTMs on both sides of a narrow middle, twice each"""
    layers = [k.Input((T, F)), k.Bidirectional(k.LSTM(8, return_sequences=True)), k.Bidirectional(k.LSTM(4))]
    layers += [k.Dense(3, activation="tanh"), k.RepeatVector(T), k.Bidirectional(k.LSTM(4, return_sequences=True))]
    layers += [k.Dropout(0.2), k.Bidirectional(k.LSTM(8, return_sequences=True)), k.TimeDistributed(k.Dense(F))]
    return k.Sequential(layers)


@kind
def notebook_autoencoder_of_words(k):
    """words in, masked; a BiGRU; the words again by a decoder over the repeated state"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.Bidirectional(k.GRU(H)), k.RepeatVector(T)]
    model = k.Sequential([*layers, k.GRU(8, return_sequences=True), k.TimeDistributed(k.Dense(V, "softmax"))])
    return Built(model, ids=V)


@kind
def notebook_attention_asked_by_sum(k):
    """the sum of h and c asks"""
    x = k.Input((T, V))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    attend, cell, softmax, outputs = k.Attention(), k.LSTM(H, return_state=True), classes(k), []
    for _ in range(Y):
        context = attend([k.Reshape((1, H))(k.Add()([h, c])), a])
        _, h, c = cell(context, initial_state=[h, c])
        outputs.append(softmax(h))
    return k.Model(x, outputs)


@kind
def notebook_classes_of_everything(k):
    """classes of the state, the context and the word together, through two Dense layers, two decoder layers"""
    x, tokens, a, b = two(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    y = k.LSTM(H, return_sequences=True)(y)
    context = k.Attention(score_mode="concat")([y, a])
    y = k.Concatenate()([context, y, b])
    return given(k, [x, tokens], classes(k)(k.Dense(9, activation="relu")(k.Dense(7, activation="tanh")(y))))


@kind
def notebook_shared_lstm(k):
    """one LSTM layer is encoder and decoder"""
    x, tokens, embed = k.Input((None,)), k.Input((None,)), k.Embedding(W, E)
    layer = k.LSTM(H, return_sequences=True, return_state=True)
    _, h, c = layer(embed(x))
    y, _, _ = layer(embed(tokens), initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y), ids=W)


@kind
def notebook_last_output_repeated_twice(k):
    """a stacked encoder's last output repeated, a stacked decoder, attention over the lower encoder layer"""
    x = k.Input((T, F))
    a = k.LSTM(8, return_sequences=True)(x)
    h = k.LSTM(8)(a)
    y = k.LSTM(8, return_sequences=True)(k.LSTM(8, return_sequences=True)(k.RepeatVector(Y)(h)))
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return k.Model(x, k.TimeDistributed(k.Dense(1))(y))


@kind
def notebook_queries_and_keys(k):
    """Dense layers for queries, keys and values of a loop's attention, scaled by the width's root"""
    x = k.Input((T, V))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    queries, keys, values = k.Dense(4, use_bias=False), k.Dense(4, use_bias=False)(a), k.Dense(5)(a)
    cell, softmax, row, outputs = k.LSTM(H, return_state=True), classes(k), k.Reshape((1, H)), []
    for _ in range(Y):
        scores = k.op("matmul", queries(row(h)), k.op("transpose", keys, [0, 2, 1])) * 0.5
        context = k.op("matmul", k.op("softmax", scores), values)
        _, h, c = cell(context, initial_state=[h, c])
        outputs.append(softmax(h))
    return k.Model(x, k.op("stack", outputs, axis=1))
