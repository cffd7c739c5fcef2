"""Sequence to sequence: graphs for training, with given tokens, and unrolled decoders."""

from kinds import Built, kind

V, W, E, H, T, Y = 9, 8, 5, 6, 7, 4  # W: classes of the outputs


def given(k, x, y, **more):
    """A model of two inputs, the second one the given tokens."""
    more = {"ids": V, "targets": W, "time": T, "steps": Y, **more}
    return Built(k.Model(x, y), **more)


def translate(k, cell="LSTM", masked=False, directions=1, length=None, units=H):
    """Both inputs, the encoder's outputs and states (through Concatenate of two directions), the decoder's
    vectors."""
    x, tokens = k.Input((length,), name="encoder_inputs"), k.Input((None,), name="decoder_inputs")
    y = k.Embedding(V, E, mask_zero=masked)(x)
    layer = getattr(k, cell)(units, return_sequences=True, return_state=True)
    if directions == 1:
        a, *states = layer(y)
    else:
        a, *finals = k.Bidirectional(layer)(y)
        half = len(finals) // 2
        states = [k.Concatenate()([finals[i], finals[half + i]]) for i in range(half)]
    return x, tokens, a, states, k.Embedding(W, E, mask_zero=masked)(tokens)


@kind
def keras_example(k):
    """LSTM to LSTM over one-hot characters, as Keras' own example has it"""
    x, tokens = k.Input((None, V)), k.Input((None, W))
    _, h, c = k.LSTM(H, return_state=True)(x)
    y, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(tokens, initial_state=[h, c])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), ids=0, one_hot=True)


@kind
def keras_example_gru(k):
    """the same with GRUs"""
    x, tokens = k.Input((None, V)), k.Input((None, W))
    _, h = k.GRU(H, return_state=True)(x)
    y = k.GRU(H, return_sequences=True)(tokens, initial_state=h)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), ids=0, one_hot=True)


@kind
def words(k):
    """embeddings on both sides"""
    x, tokens, _, states, y = translate(k)
    y, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(y, initial_state=states)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def words_masked(k):
    """the same with mask_zero on both sides"""
    x, tokens, _, states, y = translate(k, masked=True)
    y, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(y, initial_state=states)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), masked=0)


@kind
def words_bidirectional(k):
    """a bidirectional encoder, whose states are concatenated for a decoder of twice the width"""
    x, tokens, _, states, y = translate(k, directions=2)
    y = k.LSTM(2 * H, return_sequences=True)(y, initial_state=states)
    return given(k, [x, tokens], k.TimeDistributed(k.Dense(W, activation="softmax"))(y))


@kind
def words_gru(k):
    """GRUs on both sides, a hidden layer before the classes"""
    x, tokens, _, states, y = translate(k, "GRU")
    y = k.GRU(H, return_sequences=True)(y, initial_state=states)
    y = k.Dense(7, activation="relu")(k.Dropout(0.2)(y))
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def words_stacked(k):
    """two LSTMs on either side, each pair with its states"""
    x, tokens = k.Input((None,)), k.Input((None,))
    a, h1, c1 = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    _, h2, c2 = k.LSTM(H, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(tokens), initial_state=[h1, c1])
    y = k.LSTM(H, return_sequences=True)(y, initial_state=[h2, c2])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def states_through_dense(k):
    """the decoder begins with Dense tanh layers of the encoder's states"""
    x, tokens, _, states, y = translate(k, directions=2)
    states = [k.Dense(5, activation="tanh")(state) for state in states]
    y = k.LSTM(5, return_sequences=True)(y, initial_state=states)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def one_embedding(k):
    """one Embedding for both sides"""
    x, tokens, embed = k.Input((None,)), k.Input((None,)), k.Embedding(W, E)
    _, h, c = k.LSTM(H, return_state=True)(embed(x))
    y = k.LSTM(H, return_sequences=True)(embed(tokens), initial_state=[h, c])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), ids=W)


@kind
def attention_layer(k):
    """Attention()([decoder, encoder]) behind the decoder, concatenated, classes"""
    x, tokens, a, states, y = translate(k)
    y, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(y, initial_state=states)
    y = k.Concatenate(axis=-1)([y, k.Attention()([y, a])])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def attention_layer_masked(k):
    """the same with mask_zero on both sides"""
    x, tokens, a, states, y = translate(k, masked=True)
    y, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(y, initial_state=states)
    y = k.Concatenate(axis=-1)([y, k.Attention()([y, a])])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), masked=0)


@kind
def attention_layer_scaled(k):
    """Attention(use_scale=True) over a bidirectional encoder; the context comes first"""
    x, tokens, a, states, y = translate(k, directions=2)
    y = k.LSTM(2 * H, return_sequences=True)(y, initial_state=states)
    y = k.Concatenate()([k.Attention(use_scale=True)([y, a]), y])
    return given(k, [x, tokens], k.TimeDistributed(k.Dense(W, activation="softmax"))(y))


@kind
def additive_attention_layer(k):
    """AdditiveAttention behind a GRU, without projections"""
    x, tokens, a, states, y = translate(k, "GRU")
    y = k.GRU(H, return_sequences=True)(y, initial_state=states)
    y = k.Concatenate()([y, k.AdditiveAttention()([y, a])])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def additive_attention_projected(k):
    """AdditiveAttention of Dense layers over query and key, then Dense tanh: a forecast of tokens"""
    x, tokens, a, states, y = translate(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    query, key = k.Dense(5, use_bias=False)(y), k.Dense(5, use_bias=False)(a)
    context, alphas = k.AdditiveAttention()([query, a, key], return_attention_scores=True)
    y = k.Dense(5, activation="tanh", use_bias=False)(k.Concatenate()([context, y]))
    return given(k, [x, tokens], [k.Dense(W, name="logits")(y), alphas])


@kind
def luong_by_hand(k):
    """Dot, Activation softmax, Dot, Concatenate, Dense tanh, classes"""
    x, tokens, a, states, y = translate(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    weights = k.Activation("softmax", name="attention_vector")(k.Dot(axes=[2, 2])([y, a]))
    context = k.Dot(axes=[2, 1])([weights, a])
    y = k.TimeDistributed(k.Dense(7, activation="tanh"))(k.Concatenate(axis=-1)([context, y]))
    return given(k, [x, tokens], k.TimeDistributed(k.Dense(W, activation="softmax"))(y))


@kind
def luong_general(k):
    """Luong's general score by a Dense layer over the encoder's outputs"""
    x, tokens, a, states, y = translate(k, directions=2)
    y = k.LSTM(2 * H, return_sequences=True)(y, initial_state=states)
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([y, k.Dense(2 * H, use_bias=False)(a)]))
    y = k.Concatenate()([y, k.Dot(axes=[2, 1])([weights, a])])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(k.Dense(7, activation="tanh")(y)))


@kind
def luong_gru(k):
    """Luong's dot score with GRUs and one-hot tokens"""
    x, tokens = k.Input((T, V)), k.Input((None, W))
    a, h = k.GRU(H, return_sequences=True, return_state=True)(x)
    y = k.GRU(H, return_sequences=True)(tokens, initial_state=h)
    weights = k.Softmax()(k.Dot(axes=[2, 2])([y, a]))
    y = k.Concatenate()([k.Dot(axes=[2, 1])([weights, a]), y])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y), ids=0, one_hot=True)


@kind
def luong_stacked(k):
    """two layers on either side, the upper one attends"""
    x, tokens = k.Input((None,)), k.Input((None,))
    a, h1, c1 = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    a, h2, c2 = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(tokens), initial_state=[h1, c1])
    y = k.LSTM(H, return_sequences=True)(k.Dropout(0.2)(y), initial_state=[h2, c2])
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(k.Dense(7, activation="tanh")(y)))


@kind
def attention_without_concatenation(k):
    """classes of the context alone"""
    x, tokens, a, states, y = translate(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(k.Attention()([y, a])))


@kind
def values_projected(k):
    """Attention over Dense layers of the encoder's outputs: query, value and key of their own"""
    x, tokens, a, states, y = translate(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    context = k.Attention()([k.Dense(5)(y), k.Dense(4)(a), k.Dense(5)(a)])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(k.Concatenate()([y, context])))


@kind
def three_layer_summary(k):
    """three LSTMs in the encoder, one in the decoder: a text's headline"""
    x, tokens = k.Input((T,)), k.Input((None,))
    a = k.Embedding(V, E)(x)
    for _ in range(3):
        a, h, c = k.LSTM(H, return_sequences=True, return_state=True, dropout=0.4, recurrent_dropout=0.4)(a)
    y, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(
        k.Embedding(W, E)(tokens), initial_state=[h, c]
    )
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return given(k, [x, tokens], k.TimeDistributed(k.Dense(W, activation="softmax"))(y))


@kind
def decoder_layer_normalised(k):
    """LayerNormalization behind the decoder"""
    x, tokens, _, states, y = translate(k)
    y = k.LayerNormalization()(k.LSTM(H, return_sequences=True)(y, initial_state=states))
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def decoder_self_attention(k):
    """the decoder attends to itself"""
    x, tokens, _, states, y = translate(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(k.Attention()([y, y])))


@kind
def decoder_bidirectional(k):
    """a bidirectional decoder, which sees the tokens that are to come"""
    x, tokens, _, states, y = translate(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y, initial_state=states + states)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def thought_vector(k):
    """the encoder's last output, repeated, beside each token: Cho's decoder"""
    x, tokens = k.Input((T,)), k.Input((Y,))
    h = k.GRU(H)(k.Embedding(V, E)(x))
    y = k.Concatenate()([k.Embedding(W, E)(tokens), k.RepeatVector(Y)(h)])
    y = k.GRU(H, return_sequences=True)(y, initial_state=h)
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def caption(k):
    """no sequence in front: a vector that begins the decoder"""
    vector, tokens = k.Input((4,)), k.Input((None,))
    h = k.Dense(H, activation="tanh")(vector)
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(tokens), initial_state=[h, h])
    return given(k, [vector, tokens], k.Dense(W, activation="softmax")(y), ids=0)


@kind
def date_notebook(k):
    """the course's notebook on dates: attention of two Dense layers, LSTM, ten outputs of their own"""
    x, s, c = k.Input((T, V)), k.Input((8,), name="s0"), k.Input((8,), name="c0")
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(x)
    repeat, join, first = k.RepeatVector(T), k.Concatenate(axis=-1), k.Dense(10, activation="tanh")
    second, weigh, dot = k.Dense(1, activation="relu"), k.Softmax(axis=1), k.Dot(axes=1)
    cell, classes, outputs, h, state = (
        k.LSTM(8, return_state=True),
        k.Dense(W, activation="softmax"),
        [],
        s,
        c,
    )
    for _ in range(Y):
        context = dot([weigh(second(first(join([a, repeat(h)])))), a])
        h, _, state = cell(context, initial_state=[h, state])
        outputs.append(classes(h))
    return k.Model([x, s, c], outputs)


@kind
def date_gru(k):
    """the same with a GRU that begins with the encoder's final state"""
    x = k.Input((T, V))
    a, forward, backward = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(x)
    h = k.Concatenate()([forward, backward])
    repeat, join, first = k.RepeatVector(T), k.Concatenate(axis=-1), k.Dense(10, activation="tanh")
    second, weigh, dot = k.Dense(1), k.Softmax(axis=1), k.Dot(axes=1)
    cell, classes, outputs = k.GRU(2 * H, return_state=True), k.Dense(W, activation="softmax"), []
    for _ in range(Y):
        context = dot([weigh(second(first(join([a, repeat(h)])))), a])
        _, h = cell(context, initial_state=h)
        outputs.append(classes(h))
    return k.Model(x, outputs)


@kind
def date_additive_layer(k):
    """steps that attend by AdditiveAttention, all joined in one output"""
    x = k.Input((T, V))
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(x)
    h, c = k.Concatenate()([fh, bh]), k.Concatenate()([fc, bc])
    attend, row, cell = k.AdditiveAttention(), k.Reshape((1, 2 * H)), k.LSTM(2 * H, return_state=True)
    classes, outputs = k.Dense(W, activation="softmax"), []
    for _ in range(Y):
        _, h, c = cell(attend([row(h), a]), initial_state=[h, c])
        outputs.append(k.Reshape((1, W))(classes(h)))
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def date_stacked(k):
    """steps of two LSTMs"""
    x = k.Input((T, V))
    a, h1, c1 = k.LSTM(H, return_sequences=True, return_state=True)(x)
    h2, c2 = h1, c1
    attend, row, low, high = (
        k.Attention(),
        k.Reshape((1, H)),
        k.LSTM(H, return_state=True),
        k.LSTM(H, return_state=True),
    )
    classes, outputs = k.Dense(W, activation="softmax"), []
    for _ in range(Y):
        y, h1, c1 = low(attend([row(h2), a]), initial_state=[h1, c1])
        _, h2, c2 = high(row(y), initial_state=[h2, c2])
        outputs.append(classes(h2))
    return k.Model(x, outputs)


@kind
def date_hidden_layer(k):
    """a hidden layer between the decoder and the classes"""
    x = k.Input((T, V))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    attend, row, cell = k.Attention(), k.Reshape((1, H)), k.LSTM(H, return_state=True)
    hidden, classes, outputs = k.Dense(7, activation="tanh"), k.Dense(W, activation="softmax"), []
    for _ in range(Y):
        _, h, c = cell(attend([row(h), a]), initial_state=[h, c])
        outputs.append(classes(hidden(h)))
    return k.Model(x, outputs)


@kind
def luong_steps(k):
    """steps that attend behind the cell and feed what comes of it back"""
    x = k.Input((T, V))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    attend, row, cell, join = k.Attention(), k.Reshape((1, H)), k.LSTM(H, return_state=True), k.Concatenate()
    mix, classes, outputs = k.Dense(H, activation="tanh"), k.Dense(W, activation="softmax"), []
    fed = k.op("zeros_like", row(h))
    for _ in range(Y):
        y, h, c = cell(fed, initial_state=[h, c])
        fed = mix(join([row(y), attend([row(y), a])]))
        outputs.append(classes(fed))
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def own_output_fed_back(k):
    """steps that read the probabilities of the step before"""
    x = k.Input((T, V))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    attend, cell, join = k.Attention(), k.LSTM(H, return_state=True), k.Concatenate()
    classes, outputs = k.Dense(W, activation="softmax"), []
    before = k.op("zeros_like", k.Dense(W)(h))
    for _ in range(Y):
        context = attend([k.Reshape((1, H))(h), a])
        _, h, c = cell(join([context, k.Reshape((1, W))(before)]), initial_state=[h, c])
        before = classes(h)
        outputs.append(before)
    return k.Model(x, outputs)


@kind
def best_token_fed_back(k):
    """steps that read the one-hot best token of the step before, the first one token 1"""
    x, start = k.Input((T, V)), k.Input((W,), name="start")
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(x)
    attend, cell, join = k.Attention(), k.LSTM(H, return_state=True), k.Concatenate()
    classes, outputs, before = k.Dense(W, activation="softmax"), [], start
    for _ in range(Y):
        context = attend([k.Reshape((1, H))(h), a])
        _, h, c = cell(join([context, k.Reshape((1, W))(before)]), initial_state=[h, c])
        outputs.append(classes(h))
        best = k.op("argmax", outputs[-1], axis=-1)
        before = k.op("one_hot", best, W)
    return Built(k.Model([x, start], outputs), start=True)


@kind
def encoder_for_inference(k):
    """the encoder's half of an attention model: outputs and states"""
    x = k.Input((None,))
    return Built(k.Model(x, k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))), ids=V)


@kind
def decoder_for_inference(k):
    """one step of the decoder, its states as inputs and outputs"""
    tokens, h, c = k.Input((None,)), k.Input((H,)), k.Input((H,))
    y, *states = k.LSTM(H, return_sequences=True, return_state=True)(
        k.Embedding(W, E)(tokens), initial_state=[h, c]
    )
    return Built(k.Model([tokens, h, c], [k.Dense(W, activation="softmax")(y), *states]), ids=W)
