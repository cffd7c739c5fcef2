"""Models as courses and workshops build them, step by step: one idea more in each."""

from kinds import Built, kind

V, W, E, H, T, Y, F = 13, 10, 4, 6, 7, 5, 3


def pair(k, x, y, out, **more):
    """A training graph over token ids."""
    return Built(k.Model([x, y], out), **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


@kind
def workshop_reversed_source(k):
    """an encoder that reads backwards, the decoder begins with its states"""
    x, y = k.Input((None,)), k.Input((None,))
    _, h, c = k.LSTM(H, return_state=True, go_backwards=True)(k.Embedding(V, E)(x))
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    return pair(k, x, y, k.TimeDistributed(k.Dense(W, activation="softmax"))(d))


def both_directions(k, join, dropout=0.0):
    """A GRU decoder that begins with what a layer makes of the states of both directions."""
    x, y = k.Input((None,)), k.Input((None,))
    both = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True, dropout=dropout))
    _, *states = both(k.Embedding(V, E)(x))
    d = k.GRU(H, return_sequences=True, dropout=dropout)(k.Embedding(W, E)(y), initial_state=join(states))
    return pair(k, x, y, k.Dense(W, activation="softmax")(k.Dropout(dropout)(d)))


@kind
def workshop_bidirectional_added(k):
    """the states of both directions added, GRU decoder, dropout everywhere"""
    return both_directions(k, k.Add(), 0.1)


@kind
def workshop_states_averaged(k):
    """the states of both directions averaged"""
    return both_directions(k, k.Average())


@kind
def workshop_deep_pair(k):
    """two encoder and two decoder layers, each begins with its own"""
    x, y = k.Input((None,)), k.Input((None,))
    a, h1, c1 = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    a, h2, c2 = k.LSTM(H, return_sequences=True, return_state=True)(a)
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h1, c1])
    d = k.LSTM(H, return_sequences=True)(d, initial_state=[h2, c2])
    return pair(k, x, y, k.Dense(W, activation="softmax")(d))


@kind
def workshop_deep_pair_attended(k):
    """the same with Attention between the last layers, scaled, and a tanh layer"""
    x, y = k.Input((None,)), k.Input((None,))
    a, h1, c1 = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    a, h2, c2 = k.LSTM(H, return_sequences=True, return_state=True)(a)
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h1, c1])
    d = k.LSTM(H, return_sequences=True)(d, initial_state=[h2, c2])
    z = k.Dense(H, activation="tanh")(k.Concatenate()([k.Attention(use_scale=True)([d, a]), d]))
    return pair(k, x, y, k.Dense(W, activation="softmax")(z))


@kind
def workshop_bottom_attends(k):
    """attention by the first of two decoder layers, the second reads context and state"""
    x, y = k.Input((None,)), k.Input((None,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    d = k.LSTM(H, return_sequences=True)(k.Concatenate()([d, k.Attention()([d, a])]))
    return pair(k, x, y, k.Dense(W, activation="softmax")(d))


@kind
def workshop_thought_beside_token(k):
    """Cho's: the encoder's last state beside the token at every step, and in the output"""
    x, y = k.Input((T,)), k.Input((Y,))
    h = k.GRU(H)(k.Embedding(V, E)(x))
    again = k.RepeatVector(Y)(h)
    d = k.GRU(H, return_sequences=True)(k.Concatenate()([k.Embedding(W, E)(y), again]), initial_state=h)
    return pair(k, x, y, k.Dense(W, activation="softmax")(k.Concatenate()([d, again])))


@kind
def workshop_no_states_handed(k):
    """a decoder from zeros, which has the source by attention alone"""
    x, y = k.Input((None,)), k.Input((None,))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Embedding(V, E)(x))
    d = k.LSTM(2 * H, return_sequences=True)(k.Embedding(W, E)(y))
    z = k.Concatenate()([d, k.AdditiveAttention()([d, a])])
    return pair(k, x, y, k.Dense(W, activation="softmax")(z))


@kind
def workshop_general_score(k):
    """Luong's general: Dense without bias on the annotations, dot, softmax over the source, tanh layer"""
    x, y = k.Input((None,)), k.Input((None,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    e = k.Dot(axes=(2, 2))([d, k.Dense(H, use_bias=False)(a)])
    z = k.Dot(axes=(2, 1))([k.Softmax(axis=-1)(e), a])
    z = k.Dense(H, activation="tanh", use_bias=False)(k.Concatenate()([z, d]))
    return pair(k, x, y, k.Dense(W)(z))


@kind
def workshop_score_over_decoder(k):
    """a softmax over the decoder's steps by mistake"""
    x, y = k.Input((T,)), k.Input((Y,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    e = k.Dot(axes=(2, 2))([d, a])
    z = k.Dot(axes=(2, 1))([k.Softmax(axis=1)(e), a])
    return pair(k, x, y, k.Dense(W)(k.Concatenate()([z, d])))


@kind
def workshop_one_hot_pair(k):
    """characters as one-hot rows on both sides (the examples' lstm_seq2seq)"""
    x, y = k.Input((None, V)), k.Input((None, W))
    _, h, c = k.LSTM(H, return_state=True)(x)
    d, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(y, initial_state=[h, c])
    return Built(k.Model([x, y], k.Dense(W, activation="softmax")(d)), targets=W, one_hot=True, time=T, steps=Y)


@kind
def workshop_gru_one_hot_pair(k):
    """the same of GRUs"""
    x, y = k.Input((None, V)), k.Input((None, W))
    _, h = k.GRU(H, return_state=True)(x)
    d, _ = k.GRU(H, return_sequences=True, return_state=True)(y, initial_state=h)
    return Built(k.Model([x, y], k.Dense(W, activation="softmax")(d)), targets=W, one_hot=True, time=T, steps=Y)


@kind
def workshop_convolved_source(k):
    """convolutions in front of the encoder, attention behind the decoder"""
    x, y = k.Input((T,)), k.Input((Y,))
    z = k.Conv1D(6, 3, padding="same", activation="relu")(k.Embedding(V, E)(x))
    a, h = k.GRU(H, return_sequences=True, return_state=True)(z)
    d = k.GRU(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=h)
    return pair(k, x, y, k.Dense(W, activation="softmax")(k.Concatenate()([d, k.Attention()([d, a])])))


@kind
def workshop_state_through_dense(k):
    """h and c each through a Dense layer of their own, relu"""
    x, y = k.Input((None,)), k.Input((None,))
    e = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(k.Embedding(V, E)(x))
    h = k.Dense(8, activation="relu")(k.Concatenate()([e[1], e[3]]))
    c = k.Dense(8, activation="relu")(k.Concatenate()([e[2], e[4]]))
    d = k.LSTM(8, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    return pair(k, x, y, k.Dense(W, activation="softmax")(d))


@kind
def workshop_sequence_label_twice(k):
    """two tags of each word: the second reads the first one's probabilities beside the states"""
    x = k.Input((T,))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Embedding(V, E)(x))
    one = k.Dense(4, activation="softmax", name="one")(a)
    two = k.Dense(5, activation="softmax", name="two")(k.Concatenate()([a, one]))
    return Built(k.Model(x, [one, two]), ids=V)


@kind
def workshop_chained_taggers(k):
    """part of speech below, names above: a head at each of two layers"""
    x = k.Input((T,))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Embedding(V, E)(x))
    b = k.Bidirectional(k.LSTM(H, return_sequences=True))(a)
    return Built(k.Model(x, [k.Dense(4, activation="softmax")(a), k.Dense(5, activation="softmax")(b)]), ids=V)


@kind
def workshop_highway(k):
    """a highway layer behind the recurrence: t relu(Dense) + (1 - t) x"""
    x = k.Input((T, F))
    a = k.GRU(H, return_sequences=True)(x)
    t = k.Dense(H, activation="sigmoid")(a)
    y = k.Add()([k.Multiply()([t, k.Dense(H, activation="relu")(a)]), k.Multiply()([k.Rescaling(-1.0, 1.0)(t), a])])
    return k.Model(x, k.Dense(2)(k.LSTM(4)(y)))


@kind
def workshop_gated_head(k):
    """a gated vector in the head: Dense tanh times Dense sigmoid"""
    x = k.Input((T, F))
    a = k.LSTM(H)(x)
    return k.Model(x, k.Dense(2)(k.Multiply()([k.Dense(5, activation="tanh")(a), k.Dense(5, activation="sigmoid")(a)])))


@kind
def workshop_squeeze_excite(k):
    """squeeze and excitation in LSTM-FCN: features weighted by a gate of their means"""
    x = k.Input((T, F))
    y = k.Conv1D(6, 3, padding="same", activation="relu")(x)
    s = k.Dense(6, activation="sigmoid")(k.Dense(2, activation="relu")(k.GlobalAveragePooling1D()(y)))
    y = k.Multiply()([y, k.Reshape((1, 6))(s)])
    z = k.Concatenate()([k.LSTM(H)(x), k.GlobalAveragePooling1D()(y)])
    return k.Model(x, k.Dense(3, activation="softmax")(z))


@kind
def workshop_weighted_by_state(k):
    """energies of annotations and the repeated last state, tanh, Dense(1), softmax, weighted mean, beside the state"""
    x = k.Input((T,))
    a, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    e = k.Dense(1)(k.Activation("tanh")(k.Add()([k.Dense(5)(a), k.RepeatVector(T)(k.Dense(5)(h))])))
    c = k.Flatten()(k.Dot(axes=1)([k.Softmax(axis=1)(e), a]))
    return Built(k.Model(x, k.Dense(3, activation="softmax")(k.Concatenate()([c, h]))), ids=V)


@kind
def workshop_masked_stack(k):
    """padded rows: Masking, two LSTMs with dropout, Dense at every position"""
    x = k.Input((T, F))
    y = k.Masking(0.0)(x)
    y = k.LSTM(H, return_sequences=True, dropout=0.2, recurrent_dropout=0.2)(y)
    y = k.LSTM(H, return_sequences=True)(y)
    return Built(k.Model(x, k.TimeDistributed(k.Dense(2, activation="softmax"))(y)), masked=0.0)


@kind
def workshop_bidirectional_merge(k):
    """three Bi-LSTMs with the merges sum, mul and ave"""
    x = k.Input((T, F))
    for merge in ("sum", "mul", "ave"):
        x_ = k.Bidirectional(k.LSTM(H, return_sequences=True), merge_mode=merge)(x if merge == "sum" else x_)
    return k.Model(x, k.Dense(2)(k.GlobalMaxPooling1D()(x_)))


@kind
def workshop_series_of_series(k):
    """several series, each through one shared LSTM, joined"""
    inputs = [k.Input((T, 1)) for _ in range(3)]
    lstm = k.LSTM(H)
    z = k.Concatenate()([lstm(one) for one in inputs])
    return Built(k.Model(inputs, k.Dense(1)(z)), others=(0, 0))


@kind
def workshop_difference_head(k):
    """what changes is forecast: Dense plus the last value"""
    x = k.Input((T, 1))
    z = k.Dense(1)(k.GRU(H)(x))
    return k.Model(x, k.Add()([z, k.Reshape((1,))(k.Cropping1D((T - 1, 0))(x))]))


@kind
def workshop_probabilities_and_logits(k):
    """the same logits twice, as they are and through softmax"""
    x = k.Input((T, F))
    z = k.Dense(4)(k.LSTM(H)(x))
    return k.Model(x, [z, k.Softmax()(z)])


@kind
def workshop_context_in_every_layer(k):
    """written out steps of two cells: Bahdanau's attention by the upper one, its context into both"""
    x = k.Input((T,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    low, high, out = k.LSTMCell(H), k.LSTMCell(H), k.Dense(W, activation="softmax")
    first, second = k.Dense(5, activation="tanh"), k.Dense(1)
    h1, c1, h2, c2, outputs = h, c, h, c, []
    for _ in range(Y):
        e = second(first(k.Concatenate()([a, k.RepeatVector(T)(h2)])))
        context = k.Flatten()(k.Dot(axes=1)([k.Softmax(axis=1)(e), a]))
        _, (h1, c1) = low(context, [h1, c1])
        _, (h2, c2) = high(k.Concatenate()([h1, context]), [h2, c2])
        outputs.append(out(h2))
    return Built(k.Model(x, outputs), ids=V)
