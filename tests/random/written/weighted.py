"""Weights of the positions for each feature by itself, as Keras notebooks have them (`attention_3d_block`): Permute, a
Dense layer over the positions with a softmax, Permute, Multiply; and what looks like it and is something else."""

from kinds import Built, kind

T, F, H = 7, 4, 6


def rows(k):
    return k.Input((T, F))


def weighted(k, x, **more):
    """As most notebooks write it."""
    a = k.Permute((2, 1))(x)
    a = k.Dense(T, activation="softmax", **more)(a)
    a = k.Permute((2, 1))(a)
    return k.Multiply()([x, a])


def recurrent(k, x, units=H, cell="LSTM"):
    return getattr(k, cell)(units, return_sequences=True)(x)


@kind
def weighted_behind(k):
    """behind an LSTM, flattened: the model of the notebooks"""
    x = rows(k)
    y = k.Flatten()(weighted(k, recurrent(k, x)))
    return k.Model(x, k.Dense(1, activation="sigmoid")(y))


@kind
def weighted_in_front(k):
    """over the input itself, in front of an LSTM that gives its last state"""
    x = rows(k)
    return k.Model(x, k.Dense(1, activation="sigmoid")(k.LSTM(H)(weighted(k, x))))


@kind
def weighted_reshaped(k):
    """with the Reshape that says the shape once more, a GRU, weights without a bias"""
    x = rows(k)
    y = recurrent(k, x, cell="GRU")
    a = k.Reshape((H, T))(k.Permute((2, 1))(y))
    a = k.Permute((2, 1))(k.Dense(T, activation="softmax", use_bias=False)(a))
    return k.Model(x, k.Dense(3)(k.GlobalAveragePooling1D()(k.Multiply()([a, y]))))


@kind
def weighted_both_directions(k):
    """a BiLSTM, Dropout, the softmax a layer of its own, another LSTM behind"""
    x = rows(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(x)
    a = k.Dropout(0.2)(k.Dense(T)(k.Permute((2, 1))(y)))
    a = k.Permute((2, 1))(k.Dropout(0.2)(k.Activation("softmax")(a)))
    return k.Model(x, k.Dense(2, activation="softmax")(k.LSTM(5)(k.Dropout(0.3)(k.Multiply()([y, a])))))


@kind
def weighted_twice(k):
    """in front of the first layer and behind the second, the largest of the positions"""
    x = rows(k)
    y = recurrent(k, recurrent(k, weighted(k, x)), 5, "GRU")
    return k.Model(x, k.Dense(2)(k.GlobalMaxPooling1D()(weighted(k, y))))


@kind
def weighted_stacked(k):
    """of what is weighted already, and at every position a Dense layer"""
    x = rows(k)
    y = weighted(k, weighted(k, recurrent(k, x)))
    return k.Model(x, k.Dense(2)(y))


@kind
def weighted_of_a_dense_layer(k):
    """of a Dense layer with relu on an LSTM, by Softmax along the axis of the positions"""
    x = rows(k)
    y = k.Dense(5, activation="relu")(recurrent(k, x))
    a = k.Softmax(axis=-1)(k.Dense(T)(k.Permute((2, 1))(y)))
    return k.Model(x, k.Dense(2)(k.Flatten()(k.Multiply()([y, k.Permute((2, 1))(a)]))))


@kind
def weighted_one_feature(k):
    """a single series in front of an LSTM"""
    x = k.Input((T, 1))
    return k.Model(x, k.Dense(1)(k.LSTM(H)(weighted(k, x))))


@kind
def weighted_square(k):
    """as many features as positions"""
    x = k.Input((T, T))
    return k.Model(x, k.Dense(2)(k.Flatten()(weighted(k, recurrent(k, x, T)))))


@kind
def weighted_by_operations(k):
    """transpose and x * a rather than layers"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.op("transpose", k.Dense(T, activation="softmax")(k.op("transpose", y, (0, 2, 1))), (0, 2, 1))
    return k.Model(x, k.Dense(2)(k.GlobalAveragePooling1D()(a * y)))


@kind
def weighted_words(k):
    """embedded tokens in front of a BiGRU"""
    x = k.Input((T,))
    y = k.Bidirectional(k.GRU(H))(weighted(k, k.Embedding(11, 5)(x)))
    return Built(k.Model(x, k.Dense(1, activation="sigmoid")(y)), ids=11)


@kind
def weighted_convolved(k):
    """of a convolution over the input, in front of an LSTM"""
    x = rows(k)
    y = k.Conv1D(5, 3, padding="same", activation="relu")(x)
    return k.Model(x, k.Dense(2)(k.LSTM(H)(weighted(k, y))))


@kind
def weighted_autoencoder(k):
    """in front of an encoder whose last state a decoder reads at each of its steps"""
    x = rows(k)
    y = k.RepeatVector(T)(k.LSTM(H)(weighted(k, x)))
    return k.Model(x, k.TimeDistributed(k.Dense(F))(recurrent(k, y)))


@kind
def weighted_attended(k):
    """what is weighted is attended to, by energies of its own"""
    x = rows(k)
    y = weighted(k, recurrent(k, x))
    a = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(y))
    return k.Model(x, k.Dense(2)(k.Flatten()(k.Dot(axes=1)([a, y]))))


@kind
def weighted_attending(k):
    """what is weighted attends to itself"""
    x = rows(k)
    y = weighted(k, recurrent(k, x))
    y = k.MultiHeadAttention(2, 3)(y, y)
    return k.Model(x, k.Dense(2)(k.GlobalAveragePooling1D()(y)))


@kind
def weighted_gated(k):
    """what is weighted, times a gate of it"""
    x = rows(k)
    y = weighted(k, recurrent(k, x))
    return k.Model(x, k.Dense(2)(k.GRU(4)(k.Multiply()([y, k.Dense(H, activation="sigmoid")(y)]))))


@kind
def weighted_summed(k):
    """the sum over the positions"""
    x = rows(k)
    return k.Model(x, k.Dense(2)(k.op("sum", weighted(k, recurrent(k, x)), axis=1)))


# ---- something else: to be refused, or right


@kind
def weighted_single_vector(k):
    """the weights' mean over the features, the same for each: SINGLE_ATTENTION_VECTOR"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.Dense(T, activation="softmax")(k.Permute((2, 1))(y))
    a = k.Permute((2, 1))(k.RepeatVector(H)(k.op("mean", a, axis=1)))
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Multiply()([y, a]))))


@kind
def weighted_without_softmax(k):
    """a sigmoid of each energy"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.Permute((2, 1))(k.Dense(T, activation="sigmoid")(k.Permute((2, 1))(y)))
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Multiply()([y, a]))))


@kind
def weighted_linear(k):
    """the energies themselves"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.Permute((2, 1))(k.Dense(T)(k.Permute((2, 1))(y)))
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Multiply()([y, a]))))


@kind
def weighted_over_features(k):
    """a softmax over the features, behind the second Permute"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.Softmax()(k.Permute((2, 1))(k.Dense(T)(k.Permute((2, 1))(y))))
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Multiply()([y, a]))))


@kind
def weighted_features_along_positions(k):
    """a Dense layer over the features, and a softmax over the positions"""
    x = rows(k)
    y = recurrent(k, x)
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Multiply()([y, k.Softmax(axis=1)(k.Dense(H)(y))]))))


@kind
def weighted_another(k):
    """what is multiplied is not what was weighted"""
    x = rows(k)
    y, z = recurrent(k, x), recurrent(k, x)
    a = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(y)))
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Multiply()([z, a]))))


@kind
def weighted_beside(k):
    """beside what has no weights"""
    x = rows(k)
    y = recurrent(k, x)
    return k.Model(x, k.Dense(1)(k.LSTM(5)(k.Add()([y, weighted(k, y)]))))


@kind
def weighted_fewer(k):
    """a Dense layer that makes fewer positions of all"""
    x = rows(k)
    a = k.Permute((2, 1))(k.Dense(3, activation="softmax")(k.Permute((2, 1))(recurrent(k, x))))
    return k.Model(x, k.Dense(1)(k.Flatten()(a)))


@kind
def weighted_masked(k):
    """over positions some of which are masked"""
    x = k.Input((T,))
    y = k.LSTM(H, return_sequences=True)(k.Embedding(9, 5, mask_zero=True)(x))
    a = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(y)))
    y = k.Multiply()([y, a])
    return Built(k.Model(x, k.Dense(1)(k.LSTM(4)(y))), ids=9, masked=0)


@kind
def weighted_shown(k):
    """the weights are an output, too"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(y)))
    return k.Model(x, [k.Dense(1)(k.Flatten()(k.Multiply()([y, a]))), a])


@kind
def weighted_twice_with_a_rest(k):
    """a sum of two weightings of one sequence"""
    x = rows(k)
    y = recurrent(k, x)
    return k.Model(x, k.Dense(1)(k.Flatten()(k.Add()([weighted(k, y), weighted(k, y)]))))


@kind
def weighted_energies_mixed(k):
    """energies of the positions through a Dense layer over them, and then a context"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.Dense(T, activation="softmax")(k.Permute((2, 1))(k.Dense(1, activation="tanh")(y)))
    return k.Model(x, k.Dense(2)(k.Flatten()(k.Dot(axes=(2, 1))([a, y]))))


@kind
def weighted_energies_flat(k):
    """the same from flattened energies"""
    x = rows(k)
    y = recurrent(k, x)
    a = k.Dense(T, activation="softmax")(k.Flatten()(k.Dense(1, activation="tanh")(y)))
    a = k.Permute((2, 1))(k.RepeatVector(H)(a))
    return k.Model(x, k.Dense(2)(k.Flatten()(k.Multiply()([y, a]))))


@kind
def weighted_features_of_one_position(k):
    """a Dense layer over [batch, time, 1] seen as [batch, 1, time], without a second sequence"""
    x = k.Input((T, 1))
    y = k.Permute((2, 1))(x)
    return k.Model(x, k.Dense(2)(k.Flatten()(k.Dense(T, activation="softmax")(y))))
