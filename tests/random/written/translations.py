"""Training graphs of translations, summaries and chat bots: the decoder reads the tokens of the right answer."""

from kinds import Built, kind

V, W, E, H, T, Y = 10, 8, 5, 6, 7, 4


def given(k, x, y, **more):
    """A model of two inputs, the second one the given tokens."""
    return Built(k.Model(x, y), **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


def sides(k, masked=False, source=None, target=None):
    """Both inputs and their vectors."""
    x, tokens = k.Input((source,), name="encoder_inputs"), k.Input((target,), name="decoder_inputs")
    return x, tokens, k.Embedding(V, E, mask_zero=masked)(x), k.Embedding(W, E, mask_zero=masked)(tokens)


def both_ways(k, cell, units, x, **more):
    """A bidirectional layer's sequence, and its states, those of two directions joined."""
    layer = getattr(k, cell)(units, return_sequences=True, return_state=True)
    a, *finals = k.Bidirectional(layer, **more)(x)
    half = len(finals) // 2
    return a, [k.Concatenate()([finals[i], finals[half + i]]) for i in range(half)]


def classes(k):
    return k.Dense(W, activation="softmax")


@kind
def translation_summary_additive(k):
    """three encoder LSTMs with dropouts, AdditiveAttention, Concatenate, TimeDistributed softmax"""
    x, tokens, a, b = sides(k, source=T)
    for _ in range(3):
        a, h, c = k.LSTM(H, return_sequences=True, return_state=True, dropout=0.4, recurrent_dropout=0.4)(a)
    y, _, _ = k.LSTM(H, return_sequences=True, return_state=True, dropout=0.4)(b, initial_state=[h, c])
    context, scores = k.AdditiveAttention(name="attention_layer")([y, a], return_attention_scores=True)
    y = k.Concatenate(axis=-1, name="concat_layer")([y, context])
    return given(k, [x, tokens], k.TimeDistributed(classes(k))(y))


@kind
def translation_attention_swapped(k):
    """the encoder asks and the decoder is attended to, by mistake: Attention()([encoder, decoder])"""
    x, tokens, a, b = sides(k, source=Y, target=Y)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    y = k.Concatenate()([y, k.Attention()([a, y])])
    return given(k, [x, tokens], k.TimeDistributed(classes(k))(y), time=Y)


@kind
def translation_two_directions_twice(k):
    """two bidirectional LSTMs, each hands its joined states to a decoder layer of its own"""
    x, tokens, a, b = sides(k)
    a, low = both_ways(k, "LSTM", H, a)
    a, high = both_ways(k, "LSTM", H, k.Dropout(0.2)(a))
    y, _, _ = k.LSTM(2 * H, return_sequences=True, return_state=True)(b, initial_state=low)
    y, _, _ = k.LSTM(2 * H, return_sequences=True, return_state=True)(k.Dropout(0.2)(y), initial_state=high)
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_states_added(k):
    """merge_mode sum, the directions' states added, Luong's dot score"""
    x, tokens, a, b = sides(k)
    layer = k.LSTM(H, return_sequences=True, return_state=True)
    a, fh, fc, bh, bc = k.Bidirectional(layer, merge_mode="sum")(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[k.Add()([fh, bh]), k.Add()([fc, bc])])
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_states_averaged(k):
    """GRUs; the decoder begins with the directions' mean"""
    x, tokens, a, b = sides(k)
    a, f, g = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True), merge_mode="ave")(a)
    y = k.GRU(H, return_sequences=True)(b, initial_state=k.Average()([f, g]))
    return given(k, [x, tokens], classes(k)(k.Concatenate()([k.Attention()([y, a]), y])))


@kind
def translation_luong_query_dense(k):
    """Luong's general score, the Dense layer with its bias on the decoder's side"""
    x, tokens, a, b = sides(k)
    a, states = both_ways(k, "LSTM", H, a)
    y = k.LSTM(9, return_sequences=True)(b, initial_state=[k.Dense(9)(state) for state in states])
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([k.Dense(2 * H)(y), a]))
    y = k.Concatenate(axis=-1)([k.Dot(axes=[2, 1])([weights, a]), y])
    return given(k, [x, tokens], classes(k)(k.Dense(7, activation="tanh")(y)))


@kind
def translation_luong_encoder_first(k):
    """Dot of the encoder's outputs and the decoder's: a softmax over axis 1"""
    x, tokens, a, b = sides(k, source=T, target=Y)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    weights = k.Softmax(axis=1)(k.Dot(axes=(2, 2))([a, y]))
    y = k.Concatenate()([k.Dot(axes=(1, 1))([weights, a]), y])
    return given(k, [x, tokens], k.TimeDistributed(classes(k))(y))


@kind
def translation_matrix_products(k):
    """the attention by matmul, transpose and softmax, divided by the width's root"""
    x, tokens, a, b = sides(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    scores = k.op("matmul", y, k.op("transpose", a, [0, 2, 1])) / H**0.5
    y = k.Concatenate()([y, k.op("matmul", k.op("softmax", scores), a)])
    return given(k, [x, tokens], classes(k)(k.Dense(7, activation="relu")(y)))


@kind
def translation_bahdanau_broadcast(k):
    """all energies at once: Dense(query)[:, :, None] + Dense(keys)[:, None], tanh, Dense(1)"""
    x, tokens, a, b = sides(k, source=T, target=Y)
    a, states = both_ways(k, "GRU", H, a)
    y = k.GRU(2 * H, return_sequences=True)(b, initial_state=states[0])
    query = k.op("expand_dims", k.Dense(5)(y), 2)
    keys = k.op("expand_dims", k.Dense(5)(a), 1)
    scores = k.op("squeeze", k.Dense(1)(k.op("tanh", query + keys)), -1)
    y = k.Concatenate()([k.op("matmul", k.op("softmax", scores), a), y])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_token_asks(k):
    """the embedded tokens attend; their contexts stand beside them as the decoder's input"""
    x, tokens, a, b = sides(k)
    a, h, c = k.LSTM(E, return_sequences=True, return_state=True)(a)
    y = k.Concatenate()([k.Attention()([b, a]), b])
    y = k.LSTM(E, return_sequences=True)(y, initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_dense_behind_embeddings(k):
    """a Dense relu behind each Embedding"""
    x, tokens, a, b = sides(k)
    _, h, c = k.LSTM(H, return_state=True)(k.Dense(7, activation="relu")(a))
    y = k.LSTM(H, return_sequences=True)(k.Dense(7, activation="relu")(b), initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_dropouts(k):
    """SpatialDropout1D, Dropout, dropout and recurrent_dropout wherever they go; masks"""
    x, tokens, a, b = sides(k, True)
    settings = {"return_sequences": True, "dropout": 0.2, "recurrent_dropout": 0.1}
    a, h, c = k.LSTM(H, return_state=True, **settings)(k.SpatialDropout1D(0.2)(a))
    y = k.LSTM(H, **settings)(k.SpatialDropout1D(0.2)(b), initial_state=[k.Dropout(0.1)(h), c])
    y = k.Concatenate()([k.Dropout(0.1)(y), k.Attention(dropout=0.2)([y, a])])
    return given(k, [x, tokens], classes(k)(k.Dropout(0.5)(y)), masked=0)


@kind
def translation_bridge_gru(k):
    """BiGRU, Dense tanh of the backward state, AdditiveAttention of Dense layers, maximal Dense"""
    x, tokens, a, b = sides(k)
    a, _, backward = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(a)
    y = k.GRU(8, return_sequences=True)(b, initial_state=k.Dense(8, activation="tanh")(backward))
    context = k.AdditiveAttention()([k.Dense(7, use_bias=False)(y), a, k.Dense(7, use_bias=False)(a)])
    y = k.Dense(9, activation="relu")(k.Concatenate()([y, context, b]))
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_one_embedding_masked(k):
    """one masked Embedding for both sides, GRUs, Attention"""
    x, tokens, embed = k.Input((None,)), k.Input((None,)), k.Embedding(W, E, mask_zero=True)
    a, h = k.GRU(H, return_sequences=True, return_state=True)(embed(x))
    y = k.GRU(H, return_sequences=True)(embed(tokens), initial_state=h)
    y = k.Concatenate()([y, k.Attention()([y, a])])
    return given(k, [x, tokens], classes(k)(y), ids=W, masked=0)


@kind
def translation_one_bridge(k):
    """one Dense layer makes the decoder's h and its c"""
    x, tokens, a, b = sides(k)
    _, states = both_ways(k, "LSTM", H, a)
    bridge = k.Dense(8, activation="relu")
    y = k.LSTM(8, return_sequences=True)(b, initial_state=[bridge(state) for state in states])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_convolved(k):
    """Conv1D over the source's vectors, a BiLSTM, a decoder with attention"""
    x, tokens, a, b = sides(k)
    a, states = both_ways(k, "LSTM", H, k.Conv1D(7, 3, padding="same", activation="relu")(a))
    y = k.LSTM(2 * H, return_sequences=True)(b, initial_state=states)
    y = k.Concatenate()([y, k.AdditiveAttention()([y, a])])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_residual(k):
    """a BiLSTM and two LSTMs, the last one added; a decoder of two layers, the second one added; attention"""
    x, tokens, a, b = sides(k)
    a = k.LSTM(H, return_sequences=True)(k.Bidirectional(k.LSTM(H, return_sequences=True))(a))
    upper, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    a = k.Add()([a, upper])
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    y = k.Add()([y, k.LSTM(H, return_sequences=True)(y)])
    y = k.Concatenate()([y, k.Attention(use_scale=True)([y, a])])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_softmax_apart(k):
    """logits, then a Softmax layer of their own; SimpleRNNs"""
    x, tokens, a, b = sides(k)
    _, h = k.SimpleRNN(H, return_state=True)(a)
    y = k.SimpleRNN(H, return_sequences=True)(b, initial_state=h)
    return given(k, [x, tokens], k.Softmax()(k.TimeDistributed(k.Dense(W))(y)))


@kind
def translation_states_listed(k):
    """the training graph lists the decoder's last states behind the classes"""
    x, tokens, a, b = sides(k)
    _, h, c = k.LSTM(H, return_state=True)(a)
    y, h, c = k.LSTM(H, return_sequences=True, return_state=True)(b, initial_state=[h, c])
    return given(k, [x, tokens], [classes(k)(y), h, c])


@kind
def translation_scores_first(k):
    """the attention's weights are the first output, the classes the second"""
    x, tokens, a, b = sides(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    context, scores = k.Attention(name="weights")([y, a], return_attention_scores=True)
    return given(k, [x, tokens], [scores, classes(k)(k.Concatenate()([context, y]))])


@kind
def translation_frozen_embeddings(k):
    """word vectors from elsewhere on both sides, not trained; a Dense layer behind them"""
    x, tokens = k.Input((T,)), k.Input((None,))
    a, b = k.Embedding(V, E, trainable=False)(x), k.Embedding(W, E, trainable=False)(tokens)
    a, states = both_ways(k, "LSTM", H, k.Dense(E)(a))
    y = k.LSTM(2 * H, return_sequences=True)(b, initial_state=states)
    return given(k, [x, tokens], classes(k)(k.Dense(9, activation="tanh")(y)))


@kind
def translation_nested_halves(k):
    """an encoder and a decoder as models of their own, joined in a third"""
    source, words, a, b = sides(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    encoder = k.Model(source, [a, h, c], name="encoder")
    seen, h, c = k.Input((None, H)), k.Input((H,)), k.Input((H,))
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    y = classes(k)(k.Concatenate()([y, k.Attention()([y, seen])]))
    decoder = k.Model([words, seen, h, c], y, name="decoder")
    x, tokens = k.Input((None,)), k.Input((None,))
    return given(k, [x, tokens], decoder([tokens, *encoder(x)]))


@kind
def translation_nested_head(k):
    """the layers behind the decoder are a Sequential, applied to every step"""
    x, tokens, a, b = sides(k, target=Y)
    _, h, c = k.LSTM(H, return_state=True)(a)
    head = k.Sequential([k.Input((H,)), k.Dense(7, activation="relu"), k.Dropout(0.3), classes(k)])
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    return given(k, [x, tokens], k.TimeDistributed(head)(y))


@kind
def translation_backwards(k):
    """the source is read backwards"""
    x, tokens, a, b = sides(k)
    _, h, c = k.LSTM(H, return_state=True, go_backwards=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_context_everywhere(k):
    """the encoder's state beside every token, beside every output, and attention"""
    x, tokens, a, b = sides(k, source=T, target=Y)
    a, h = k.GRU(H, return_sequences=True, return_state=True)(a)
    repeated = k.RepeatVector(Y)(h)
    y = k.GRU(H, return_sequences=True)(k.Concatenate()([b, repeated]), initial_state=h)
    y = k.Concatenate()([y, k.Attention()([y, a]), b])
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_one_hot_dense(k):
    """one-hot characters through TimeDistributed(Dense) on both sides"""
    x, tokens = k.Input((None, V)), k.Input((None, W))
    _, h, c = k.LSTM(H, return_state=True)(k.TimeDistributed(k.Dense(E))(x))
    y = k.TimeDistributed(k.Dense(E, activation="tanh"))(tokens)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y), ids=0, one_hot=True)


@kind
def translation_gated(k):
    """a sigmoid gate decides between the context and the decoder's outputs"""
    x, tokens, a, b = sides(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    context = k.Attention()([y, a])
    gate = k.Dense(H, activation="sigmoid")(k.Concatenate()([y, context]))
    return given(k, [x, tokens], classes(k)(k.Add()([y, k.Multiply()([gate, context])])))


@kind
def translation_context_added(k):
    """the context is added to the decoder's output, batch normalised"""
    x, tokens, a, b = sides(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    y = k.BatchNormalization()(k.Add()([y, k.Attention()([y, a])]))
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_attention_between(k):
    """attention behind the first decoder layer; the second one reads what comes of it"""
    x, tokens, a, b = sides(k)
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    y = k.Concatenate()([y, k.AdditiveAttention()([y, a])])
    y = k.LSTM(H, return_sequences=True)(y)
    return given(k, [x, tokens], classes(k)(y))


@kind
def translation_unrolled_teacher(k):
    """a loop over the given words: attention by the state before, beside each word into one LSTM"""
    x, tokens, a, b = sides(k, source=T, target=Y)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(a)
    s, c = k.Input((8,), name="s0"), k.Input((8,), name="c0")
    repeat, join, first = k.RepeatVector(T), k.Concatenate(axis=-1), k.Dense(10, activation="tanh")
    second, weigh, dot = k.Dense(1), k.Softmax(axis=1), k.Dot(axes=1)
    cell, softmax, beside, outputs = k.LSTM(8, return_state=True), classes(k), k.Concatenate(axis=2), []
    h, state = s, c
    for t in range(Y):
        context = dot([weigh(second(first(join([a, repeat(h)])))), a])
        y, h, state = cell(beside([context, b[:, t : t + 1, :]]), initial_state=[h, state])
        outputs.append(softmax(y))
    return given(k, [x, tokens, s, c], k.op("stack", outputs, axis=1))


@kind
def translation_unrolled_luong(k):
    """a loop over the given words: the cell, then attention, then Dense tanh, then classes; joined"""
    x, tokens, a, b = sides(k, source=T, target=Y)
    a, h = k.GRU(H, return_sequences=True, return_state=True)(a)
    cell, attend, row = k.GRU(H, return_state=True), k.Attention(), k.Reshape((1, H))
    mix, softmax, outputs = k.Dense(H, activation="tanh"), classes(k), []
    for t in range(Y):
        _, h = cell(b[:, t : t + 1], initial_state=h)
        y = k.Concatenate()([attend([row(h), a]), row(h)])
        outputs.append(softmax(mix(y)))
    return given(k, [x, tokens], k.Concatenate(axis=1)(outputs))
