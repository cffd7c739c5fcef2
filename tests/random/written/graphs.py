"""Odd but common ways to wire the same things: slices, stacks, shared layers, several models in one."""

from kinds import Built, kind

V, E, T, F, H = 20, 6, 6, 3, 5


@kind
def split_in_halves(k):
    """an LSTM's output split in two, one half a gate of the other"""
    x = k.Input((T, F))
    y = k.LSTM(6)(x)
    a, b = y[:, :3], y[:, 3:]
    return k.Model(x, k.Dense(2)(k.Multiply()([a, k.Activation("sigmoid")(b)])))


@kind
def halves_joined_again(k):
    """split, and joined in the other order"""
    x = k.Input((T, F))
    y = k.LSTM(6)(x)
    return k.Model(x, k.Dense(2)(k.Concatenate()([y[:, 3:], y[:, :3]])))


@kind
def stacked_heads(k):
    """two heads stacked in an axis of their own"""
    x = k.Input((T, F))
    y = k.LSTM(H)(x)
    return k.Model(x, k.op("stack", [k.Dense(3)(y), k.Dense(3)(y)], axis=1))


@kind
def joined_heads(k):
    """three heads concatenated"""
    x = k.Input((T, F))
    y = k.GRU(H)(x)
    return k.Model(x, k.Concatenate()([k.Dense(n, activation="sigmoid")(y) for n in (1, 2, 3)]))


@kind
def a_feature_chosen(k):
    """the model reads two of the features"""
    x = k.Input((T, F))
    return k.Model(x, k.Dense(1)(k.LSTM(H)(x[:, :, :2])))


@kind
def last_input_added(k):
    """the forecast is a change of the last value"""
    x = k.Input((T, 1))
    return k.Model(x, k.Add()([k.Dense(1)(k.LSTM(H)(x)), x[:, -1, :]]))


@kind
def average_of_two_heads(k):
    """the mean of two linear heads by Average"""
    x = k.Input((T, F))
    y = k.LSTM(H)(x)
    return k.Model(x, k.Average()([k.Dense(2)(y), k.Dense(2)(y)]))


@kind
def maximum_of_two_heads(k):
    """the larger of two heads by Maximum"""
    x = k.Input((T, F))
    y = k.LSTM(H)(x)
    return k.Model(x, k.Maximum()([k.Dense(2)(y), k.Dense(2)(y)]))


@kind
def mean_of_directions(k):
    """a forward and a backward LSTM averaged at every position, the backward one turned around"""
    x = k.Input((T, F))
    forward = k.LSTM(H, return_sequences=True)(x)
    backward = k.LSTM(H, return_sequences=True, go_backwards=True)(x)
    backward = backward[:, ::-1, :]
    return k.Model(x, k.TimeDistributed(k.Dense(2))(k.Average()([forward, backward])))


@kind
def one_layer_twice(k):
    """one LSTM that reads its own outputs: tied layers"""
    x = k.Input((T, H))
    read = k.LSTM(H, return_sequences=True)
    return k.Model(x, k.Dense(2)(k.GlobalAveragePooling1D()(read(read(x)))))


@kind
def one_dense_twice(k):
    """one Dense layer in two places"""
    x = k.Input((T, F))
    dense = k.Dense(H, activation="tanh")
    return k.Model(x, k.Dense(2)(dense(dense(k.LSTM(H)(x)))))


@kind
def encoder_and_head_as_models(k):
    """two models called one after the other"""
    inner_x = k.Input((T, F))
    encoder = k.Model(inner_x, k.Bidirectional(k.LSTM(H, return_sequences=True))(inner_x), name="encoder")
    sequence = k.Input((T, 2 * H))
    head = k.Model(sequence, k.Dense(3, activation="softmax")(k.GlobalMaxPooling1D()(sequence)), name="head")
    x = k.Input((T, F))
    return k.Model(x, head(encoder(x)))


@kind
def sequential_head(k):
    """a Sequential as the head of a functional model"""
    x = k.Input((None,))
    head = k.Sequential(
        [k.Input((H,)), k.Dense(6, activation="relu"), k.Dropout(0.5), k.Dense(3, activation="softmax")]
    )
    return Built(k.Model(x, head(k.GRU(H)(k.Embedding(V, E)(x)))), ids=V)


@kind
def states_among_outputs(k):
    """classes, states and the sequence, in that order"""
    x = k.Input((T, F))
    y, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    return k.Model(x, [k.Dense(3, activation="softmax", name="classes")(h), c, y])


@kind
def weights_among_outputs(k):
    """classes and the attention's weights"""
    x = k.Input((T, F))
    y, h = k.GRU(H, return_sequences=True, return_state=True)(x)
    context, alphas = k.AdditiveAttention()([k.Reshape((1, H))(h), y], return_attention_scores=True)
    return k.Model(x, [k.Dense(3, activation="softmax")(k.Flatten()(context)), alphas])


@kind
def cell_state_read(k):
    """classes of hidden and cell state side by side"""
    x = k.Input((T, F))
    _, h, c = k.LSTM(H, return_state=True)(x)
    return k.Model(x, k.Dense(3, activation="softmax")(k.Concatenate()([h, c])))


@kind
def embedding_behind_lookup(k):
    """the embedding of one column of several"""
    x = k.Input((T, 2))
    y = k.Embedding(V, E)(x[:, :, 0])
    return Built(k.Model(x, k.Dense(2)(k.LSTM(H)(y))), ids=V)


@kind
def two_embeddings(k):
    """words and their parts of speech, embedded and concatenated"""
    x, z = k.Input((T,)), k.Input((T,))
    y = k.Concatenate()([k.Embedding(V, E)(x), k.Embedding(V, 3)(z)])
    return Built(k.Model([x, z], k.Dense(2)(k.LSTM(H)(y))), ids=V)


@kind
def positions_stacked(k):
    """the first and the last output, stacked and flattened"""
    x = k.Input((T, F))
    y = k.LSTM(H, return_sequences=True)(x)
    both = k.op("stack", [y[:, 0], y[:, -1]], axis=1)
    return k.Model(x, k.Dense(2)(k.Flatten()(both)))


@kind
def scaled_and_shifted(k):
    """arithmetic on the outputs: they are scaled back"""
    x = k.Input((T, F))
    return k.Model(x, k.Rescaling(20.0, offset=3.0)(k.Dense(2)(k.LSTM(H)(x))))


@kind
def arithmetic(k):
    """the same by operators"""
    x = k.Input((T, F))
    y = k.Dense(2)(k.LSTM(H)(x))
    return k.Model(x, y * 20.0 + 3.0)


@kind
def differences(k):
    """the difference of two heads by Subtract"""
    x = k.Input((T, F))
    y = k.LSTM(H)(x)
    return k.Model(x, k.Subtract()([k.Dense(2)(y), k.Dense(2)(y)]))


@kind
def permuted_input(k):
    """features first, turned by Permute"""
    x = k.Input((F, T))
    return k.Model(x, k.Dense(2)(k.LSTM(H)(k.Permute((2, 1))(x))))


@kind
def reshaped_input(k):
    """a flat vector that Reshape makes a series of"""
    x = k.Input((T * F,))
    return k.Model(x, k.Dense(2)(k.LSTM(H)(k.Reshape((T, F))(x))))


@kind
def series_of_numbers(k):
    """numbers without an axis of features, which expand_dims adds"""
    x = k.Input((T,))
    return k.Model(x, k.Dense(1)(k.LSTM(H)(k.op("expand_dims", x, axis=-1))))


@kind
def float64_model(k):
    """all layers in float64"""
    x = k.Input((T, F), dtype="float64")
    y = k.LSTM(H, dtype="float64")(x)
    return k.Model(x, k.Dense(2, activation="softmax", dtype="float64")(y))


@kind
def last_three_outputs(k):
    """the last three outputs of a GRU side by side, as of a forecast that looks back"""
    x = k.Input((None, F))
    y = k.GRU(H, return_sequences=True)(x)
    return Built(k.Model(x, k.Dense(2)(k.Concatenate()([y[:, -1], y[:, -2], y[:, -3]]))), time=T)


@kind
def first_and_last_output(k):
    """the first and the last output of a BiLSTM"""
    x = k.Input((T, F))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(x)
    return k.Model(x, k.Dense(2)(k.Concatenate()([y[:, 0, :], y[:, -1, :]])))


@kind
def third_output(k):
    """the third output of a GRU that reads twice"""
    x = k.Input((T, F))
    y = k.GRU(H, return_sequences=True)(k.GRU(H, return_sequences=True)(x))
    return k.Model(x, k.Dense(2)(y[:, 2]))


@kind
def last_numbers_beside(k):
    """the last two numbers of the series beside what the LSTM makes of it"""
    x = k.Input((T, 1))
    return k.Model(x, k.Dense(1)(k.Concatenate()([k.LSTM(H)(x), x[:, -1], x[:, -2]])))


@kind
def words_without_recurrence(k):
    """embeddings, their mean, Dense layers: a bag of words"""
    x = k.Input((None,))
    y = k.GlobalAveragePooling1D()(k.Embedding(V, E)(x))
    return Built(k.Model(x, k.Dense(2, activation="softmax")(k.Dense(6, activation="relu")(y))), ids=V)


@kind
def last_two_flattened(k):
    """the last two positions as one tensor, flattened"""
    x = k.Input((T, F))
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(x)
    return k.Model(x, k.Dense(2)(k.Flatten()(y[:, -2:, :])))


@kind
def last_three_positions_each(k):
    """a number for each of the last three positions"""
    x = k.Input((T, F))
    return k.Model(x, k.Dense(1)(k.LSTM(H, return_sequences=True)(x)[:, -3:, :]))
