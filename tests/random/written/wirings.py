"""What answers to questions show of models without decoders: the usual layers, wired in ways that look different
and often are not."""

from kinds import Built, kind

V, E, H, T, F = 15, 5, 6, 7, 3


def series(k, **more):
    return k.Input((T, F), **more)


def words(k, masked=False):
    x = k.Input((T,))
    return x, k.Embedding(V, E, mask_zero=masked)(x)


def of_words(k, x, y, masked=False):
    return Built(k.Model(x, y), ids=V, masked=0 if masked else None)


@kind
def wired_unstacked(k):
    """the outputs unstacked along time, the last two concatenated"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    parts = k.op("unstack", y, T, axis=1)
    return k.Model(x, k.Dense(2)(k.Concatenate()([parts[-1], parts[-2]])))


@kind
def wired_split_features(k):
    """the features split in two, each through an LSTM of its own"""
    x = k.Input((T, 4))
    a, b = k.op("split", x, 2, axis=-1)
    return k.Model(x, k.Dense(2)(k.Concatenate()([k.LSTM(H)(a), k.LSTM(4)(b)])))


@kind
def wired_largest_pool(k):
    """the larger of the mean and the last output"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    return k.Model(x, k.Dense(2)(k.Maximum()([k.GlobalAveragePooling1D()(y), y[:, -1]])))


@kind
def wired_average_of_pools(k):
    """the average of mean and maximum, two hidden layers"""
    x, y = words(k)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    y = k.Average()([k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y)])
    return of_words(
        k, x, k.Dense(2, activation="softmax")(k.Dense(7, activation="tanh")(k.Dense(8, "relu")(y)))
    )


@kind
def wired_sum_of_pool_and_state(k):
    """mean plus final state, batch-normalised"""
    x = series(k)
    y, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(x)
    return k.Model(x, k.Dense(2)(k.BatchNormalization()(k.Add()([k.GlobalAveragePooling1D()(y), h]))))


@kind
def wired_mean_weights(k):
    """one weight a position for all features: Permute, Dense(T, softmax), the mean, RepeatVector, Permute, Multiply"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    a = k.Dense(T, activation="softmax")(k.Permute((2, 1))(y))
    a = k.Permute((2, 1))(k.RepeatVector(H)(k.op("mean", a, axis=1)))
    return k.Model(x, k.Dense(1, activation="sigmoid")(k.Flatten()(k.Multiply()([y, a]))))


@kind
def wired_softmax_by_flatten(k):
    """Dense(1), Flatten, softmax, then Dot of [batch, time] with the outputs"""
    x, y = words(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    weights = k.Softmax()(k.Flatten()(k.Dense(1)(y)))
    return of_words(k, x, k.Dense(3, activation="softmax")(k.Dot(axes=1)([weights, y])))


@kind
def wired_weights_by_matmul(k):
    """Dense(4, tanh), Dense(1), softmax over time, transposed times the outputs by matmul, squeezed"""
    x, y = words(k)
    y = k.GRU(H, return_sequences=True)(y)
    weights = k.op("softmax", k.Dense(1)(k.Dense(4, activation="tanh")(y)), axis=1)
    y = k.op("squeeze", k.op("matmul", k.op("transpose", weights, (0, 2, 1)), y), axis=1)
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def wired_attention_over_states_of_layers(k):
    """attention over the first layer's outputs by the second layer's last one"""
    x, y = words(k)
    a = k.LSTM(H, return_sequences=True)(y)
    h = k.LSTM(H)(a)
    context = k.AdditiveAttention()([k.Reshape((1, H))(h), a])
    return of_words(k, x, k.Dense(3, activation="softmax")(k.Concatenate()([k.Flatten()(context), h])))


@kind
def wired_masked_tagger_features(k):
    """Masking(0), two BiLSTMs, TimeDistributed sigmoids"""
    x = series(k)
    y = k.Masking(mask_value=0.0)(x)
    for _ in range(2):
        y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    return Built(k.Model(x, k.TimeDistributed(k.Dense(3, activation="sigmoid"))(y)), masked=0.0)


@kind
def wired_skip_from_input(k):
    """the input, through Dense, added to an LSTM's outputs, then the maximum"""
    x = series(k)
    y = k.Add()([k.LSTM(H, return_sequences=True)(x), k.Dense(H)(x)])
    return k.Model(x, k.Dense(2)(k.GlobalMaxPooling1D()(y)))


@kind
def wired_last_input_beside(k):
    """the last position of the input beside the GRU's output, Dense relu, Dense"""
    x = series(k)
    y = k.Concatenate()([k.GRU(H)(x), x[:, -1, :]])
    return k.Model(x, k.Dense(1)(k.Dense(5, activation="relu")(y)))


@kind
def wired_one_feature_of_last_input(k):
    """the forecast is the last value of the first feature plus what the LSTM says"""
    x = series(k)
    return k.Model(x, k.Add()([x[:, -1, 0:1], k.Dense(1)(k.LSTM(H)(x))]))


@kind
def wired_heads_in_other_order(k):
    """three heads, listed in another order than made, one of them the encoder's vector"""
    x = series(k)
    y = k.Bidirectional(k.LSTM(H), name="encoding")(x)
    a = k.Dense(2, name="a")(y)
    b = k.Dense(3, activation="softmax", name="b")(k.Dense(5, activation="relu")(y))
    return k.Model(x, [b, y, a])


@kind
def wired_classes_and_sequence_head(k):
    """a class of the whole and a number for each position"""
    x = series(k)
    y = k.GRU(H, return_sequences=True)(x)
    whole = k.Dense(2, activation="softmax", name="whole")(k.GlobalMaxPooling1D()(y))
    return k.Model(x, [whole, k.TimeDistributed(k.Dense(1), name="each")(y)])


@kind
def wired_tied_embedding_as_classes(k):
    """a masked LSTM's last output, Dense to the vectors' width, Dense to the words without a bias"""
    x, y = words(k, True)
    y = k.Dense(E, activation="gelu")(k.LSTM(H)(y))
    return of_words(k, x, k.Dense(V, use_bias=False, activation="softmax")(y), True)


@kind
def wired_shared_layers_both_ways(k):
    """one LSTM called on the series and on the series turned around, side by side"""
    x = series(k)
    read = k.LSTM(H)
    back = k.op("flip", x, axis=1) if k.version == 3 else x[:, ::-1, :]
    return k.Model(x, k.Dense(2)(k.Concatenate()([read(x), read(back)])))


@kind
def wired_own_backward_sequence(k):
    """Bidirectional of a GRU and a SimpleRNN, concatenated, then the mean"""
    x = series(k)
    y = k.Bidirectional(
        k.GRU(H, return_sequences=True),
        backward_layer=k.SimpleRNN(H, return_sequences=True, go_backwards=True),
    )(x)
    return k.Model(x, k.Dense(2)(k.GlobalAveragePooling1D()(y)))


@kind
def wired_none_merged_by_hand(k):
    """merge_mode=None, the two directions averaged by a layer, then LSTM"""
    x = series(k)
    a, b = k.Bidirectional(k.LSTM(H, return_sequences=True), merge_mode=None)(x)
    return k.Model(x, k.Dense(2)(k.LSTM(4)(k.Average()([a, b]))))


@kind
def wired_options(k):
    """unroll, implementation=1, no forget bias, constraints, dropouts, sigmoid as activation"""
    x = series(k)
    y = k.LSTM(H, unroll=True, implementation=1, unit_forget_bias=False, dropout=0.1, return_sequences=True)(
        x
    )
    y = k.GRU(H, activation="sigmoid", recurrent_activation="hard_sigmoid", kernel_constraint="max_norm")(y)
    return k.Model(x, k.Dense(2, kernel_regularizer="l2", bias_initializer="ones")(y))


@kind
def wired_models_in_a_chain(k):
    """a normalising model, a recurrent model and a head, called one after the other"""
    a, b, c = k.Input((T, F)), k.Input((T, F)), k.Input((2 * H,))
    front = k.Model(a, k.BatchNormalization()(k.Rescaling(0.5, offset=-1.0)(a)))
    middle = k.Model(b, k.Bidirectional(k.GRU(H))(b))
    head = k.Model(c, k.Dense(3, activation="softmax")(k.Dropout(0.2)(c)))
    x = series(k)
    return k.Model(x, head(middle(front(x))))


@kind
def wired_states_of_all_layers(k):
    """h and c of two stacked LSTMs side by side, batch-normalised, Dense selu, two outputs"""
    x = series(k)
    y, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    _, g, d = k.LSTM(4, return_state=True)(y)
    y = k.Dense(6, activation="selu")(k.BatchNormalization()(k.Concatenate()([h, c, g, d])))
    return k.Model(x, k.Dense(2)(y))


@kind
def wired_clipped_and_scaled(k):
    """sigmoid outputs scaled back to the range of the data by Rescaling"""
    x = series(k)
    return k.Model(x, k.Rescaling(40.0, offset=-20.0)(k.Dense(2, activation="sigmoid")(k.LSTM(H)(x))))


@kind
def wired_weighted_by_first_unit(k):
    """the outputs times a sigmoid of themselves at every position: a gate, then the mean"""
    x = series(k)
    y = k.GRU(H, return_sequences=True)(x)
    y = k.Multiply()([y, k.Dense(1, activation="sigmoid")(y)])
    return k.Model(x, k.Dense(2)(k.GlobalAveragePooling1D()(y)))


@kind
def wired_variance(k):
    """mean and standard deviation of the outputs over time: statistics pooling"""
    x = series(k)
    y = k.LSTM(H, return_sequences=True)(x)
    mean = k.op("mean", y, axis=1)
    spread = k.op("sqrt", k.op("mean", k.op("square", y), axis=1) + 1e-3)
    return k.Model(x, k.Dense(2)(k.Concatenate()([mean, spread])))


@kind
def wired_one_number_each(k):
    """logits of a position flattened, a sigmoid of them: which positions are anomalies"""
    x = series(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(x)
    return k.Model(x, k.Activation("sigmoid")(k.Flatten()(k.TimeDistributed(k.Dense(1))(y))))


@kind
def wired_time_on_features(k):
    """Permute, a Dense layer over the positions, Permute back, LSTM"""
    x = series(k)
    y = k.Permute((2, 1))(k.Dense(5, activation="relu")(k.Permute((2, 1))(x)))
    return k.Model(x, k.Dense(2)(k.LSTM(H)(y)))
