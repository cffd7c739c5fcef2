"""Models as recipes for Keras give them: translators, spellers, taggers, classifiers and forecasts."""

from kinds import Built, kind

V, W, E, H, T, Y, F = 14, 9, 5, 6, 8, 4, 3


@kind
def recipe_attend_last_hidden(k):
    """a Bi-LSTM whose last state asks by Attention, context and state side by side, two Dense layers"""
    x = k.Input((T,))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(k.Embedding(V, E)(x))
    a, h = y[0], k.Concatenate()([y[1], y[3]])
    context = k.Attention()([k.Reshape((1, 2 * H))(h), a])
    z = k.Concatenate()([k.Flatten()(context), h])
    return Built(k.Model(x, k.Dense(2, activation="softmax")(k.Dense(7, activation="relu")(z))), ids=V)


@kind
def recipe_attend_permuted(k):
    """the attention block of many a notebook: Permute, Dense(T, softmax), Permute, Multiply, behind an LSTM; Flatten"""
    x = k.Input((T, F))
    a = k.LSTM(H, return_sequences=True)(x)
    weights = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(a)))
    z = k.Flatten()(k.Multiply()([a, weights]))
    return k.Model(x, k.Dense(1, activation="sigmoid")(z))


@kind
def recipe_attend_permuted_front(k):
    """the same block in front of the LSTM"""
    x = k.Input((T, F))
    weights = k.Permute((2, 1))(k.Dense(T, activation="softmax")(k.Permute((2, 1))(x)))
    z = k.LSTM(H)(k.Multiply()([x, weights]))
    return k.Model(x, k.Dense(1, activation="sigmoid")(z))


@kind
def recipe_attend_flattened(k):
    """Dense(1, tanh), Flatten, softmax, RepeatVector, Permute, Multiply, Lambda-free sum by Dot with ones"""
    x = k.Input((T,))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Embedding(V, E)(x))
    e = k.Activation("softmax")(k.Flatten()(k.Dense(1, activation="tanh")(a)))
    w = k.Permute((2, 1))(k.RepeatVector(2 * H)(e))
    z = k.GlobalAveragePooling1D()(k.Multiply()([a, w]))
    return Built(k.Model(x, k.Dense(3, activation="softmax")(z)), ids=V)


@kind
def recipe_self_attention_pooled(k):
    """Attention([a, a]) behind a Bi-LSTM, GlobalMaxPooling, Dense"""
    x = k.Input((T,))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Embedding(V, E)(x))
    z = k.GlobalMaxPooling1D()(k.Attention()([a, a]))
    return Built(k.Model(x, k.Dense(2, activation="softmax")(k.Dropout(0.2)(z))), ids=V)


@kind
def recipe_heads_residual(k):
    """MultiHeadAttention behind a Bi-GRU, added and normalised, mean, Dense twice"""
    x = k.Input((T, F))
    a = k.Bidirectional(k.GRU(H, return_sequences=True))(x)
    b = k.MultiHeadAttention(num_heads=2, key_dim=5)(a, a)
    z = k.GlobalAveragePooling1D()(k.LayerNormalization()(k.Add()([a, b])))
    return k.Model(x, k.Dense(3, activation="softmax")(k.Dense(6, activation="relu")(z)))


@kind
def recipe_encoder_block(k):
    """a whole block of a transformer between two LSTM layers, forecast"""
    x = k.Input((T, F))
    a = k.LSTM(H, return_sequences=True)(x)
    b = k.LayerNormalization(epsilon=1e-6)(k.Add()([a, k.Dropout(0.1)(k.MultiHeadAttention(3, 2)(a, a))]))
    c = k.Dense(H)(k.Dense(12, activation="relu")(b))
    d = k.LayerNormalization(epsilon=1e-6)(k.Add()([b, c]))
    return k.Model(x, k.Dense(1)(k.LSTM(H)(d)))


@kind
def recipe_tagger_attended(k):
    """a tagger whose positions see the whole by AdditiveAttention, beside what they are"""
    x = k.Input((T,))
    a = k.Bidirectional(k.GRU(H, return_sequences=True))(k.Embedding(V, E)(x))
    b = k.Concatenate()([a, k.AdditiveAttention()([a, a])])
    return Built(k.Model(x, k.TimeDistributed(k.Dense(W, activation="softmax"))(b)), ids=V)


@kind
def recipe_luong_layer(k):
    """training graph: LSTMs, Luong's attention by dot, concat, tanh layer, softmax"""
    x, y = k.Input((None,)), k.Input((None,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    d, _, _ = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([d, a]))
    z = k.Concatenate()([k.Dot(axes=[2, 1])([weights, a]), d])
    z = k.TimeDistributed(k.Dense(7, activation="tanh"))(z)
    z = k.TimeDistributed(k.Dense(W, activation="softmax"))(z)
    return Built(k.Model([x, y], z), ids=V, targets=W, time=T, steps=Y)


@kind
def recipe_bidirectional_nmt(k):
    """training graph: a Bi-LSTM whose states are joined, an LSTM twice as wide, AdditiveAttention, dropout"""
    x, y = k.Input((None,)), k.Input((None,))
    e = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True, dropout=0.2))(k.Embedding(V, E)(x))
    h, c = k.Concatenate()([e[1], e[3]]), k.Concatenate()([e[2], e[4]])
    d = k.LSTM(2 * H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    z = k.Concatenate(axis=-1)([d, k.AdditiveAttention()([d, e[0]])])
    return Built(k.Model([x, y], k.Dense(W, activation="softmax")(k.Dropout(0.3)(z))), ids=V, targets=W, time=T, steps=Y)


@kind
def recipe_stacked_nmt(k):
    """training graph: three encoder LSTMs, whose last one's states begin the decoder, no attention"""
    x, y = k.Input((None,)), k.Input((None,))
    a = k.Embedding(V, E)(x)
    for _ in range(2):
        a = k.LSTM(H, return_sequences=True)(a)
    _, h, c = k.LSTM(H, return_state=True)(a)
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    return Built(k.Model([x, y], k.Dense(W, activation="softmax")(d)), ids=V, targets=W, time=T, steps=Y)


@kind
def recipe_shared_embedding(k):
    """training graph: one Embedding for both sides, GRUs, attention, mask"""
    x, y = k.Input((T,)), k.Input((Y,))
    embed = k.Embedding(V, E, mask_zero=True)
    a, h = k.GRU(H, return_sequences=True, return_state=True)(embed(x))
    d = k.GRU(H, return_sequences=True)(embed(y), initial_state=h)
    z = k.Concatenate()([d, k.Attention()([d, a])])
    return Built(k.Model([x, y], k.Dense(V, activation="softmax")(z)), ids=V, targets=V, masked=0, steps=Y)


@kind
def recipe_cross_heads(k):
    """training graph: MultiHeadAttention of one head from the decoder's states to the encoder's"""
    x, y = k.Input((None,)), k.Input((None,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    z = k.Concatenate()([d, k.MultiHeadAttention(1, 4)(d, a)])
    return Built(k.Model([x, y], k.Dense(W, activation="softmax")(z)), ids=V, targets=W, time=T, steps=Y)


@kind
def recipe_cross_heads_added(k):
    """training graph: two heads of MultiHeadAttention, added to the decoder's states and normalised (Keras' translator)"""
    x, y = k.Input((None,)), k.Input((None,))
    a = k.Bidirectional(k.GRU(H, return_sequences=True), merge_mode="sum")(k.Embedding(V, E)(x))
    d = k.GRU(H, return_sequences=True)(k.Embedding(W, E)(y))
    z = k.LayerNormalization()(k.Add()([d, k.MultiHeadAttention(2, 4)(query=d, value=a)]))
    return Built(k.Model([x, y], k.Dense(W)(z)), ids=V, targets=W, time=T, steps=Y)


@kind
def recipe_addition(k):
    """sums as texts: one-hot characters, an LSTM, RepeatVector, an LSTM, softmax"""
    m = k.Sequential([k.Input((T, V)), k.LSTM(H), k.RepeatVector(Y), k.LSTM(H, return_sequences=True)])
    m.add(k.Dense(W, activation="softmax"))
    return Built(m, one_hot=True)


@kind
def recipe_dates_unrolled(k):
    """dates: Bi-LSTM, repeated state, Dense tanh, Dense relu, softmax over the positions, LSTM steps from zeros"""
    x, s0, c0 = k.Input((T, V)), k.Input((2 * H,)), k.Input((2 * H,))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(x)
    repeat, join, first, second = k.RepeatVector(T), k.Concatenate(), k.Dense(7, activation="tanh"), k.Dense(1, activation="relu")
    over, dot, cell, out = k.Softmax(axis=1), k.Dot(axes=1), k.LSTM(2 * H, return_state=True), k.Dense(W, activation="softmax")
    s, c, outputs = s0, c0, []
    for _ in range(Y):
        context = dot([over(second(first(join([a, repeat(s)])))), a])
        s, _, c = cell(context, initial_state=[s, c])
        outputs.append(out(s))
    return Built(k.Model([x, s0, c0], outputs), one_hot=True)


@kind
def recipe_names_gru_cell(k):
    """names: steps by GRUCell, attention by scores through one Dense without a bias"""
    x = k.Input((T,))
    a, h = k.GRU(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    cell, score, out = k.GRUCell(H), k.Dense(1, use_bias=False), k.Dense(W, activation="softmax")
    of_key, of_query = k.Dense(5), k.Dense(5)
    outputs = []
    for _ in range(Y):
        e = score(k.Activation("tanh")(k.Add()([of_key(a), k.RepeatVector(T)(of_query(h))])))
        context = k.Flatten()(k.Dot(axes=1)([k.Softmax(axis=1)(e), a]))
        h, _ = cell(context, [h])
        outputs.append(out(h))
    return Built(k.Model(x, outputs), ids=V)


@kind
def recipe_intent_pooled(k):
    """texts: Embedding, SpatialDropout, Bi-GRU, mean and maximum and last side by side, Dense"""
    x = k.Input((T,))
    a, f, b = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(k.SpatialDropout1D(0.2)(k.Embedding(V, E)(x)))
    z = k.Concatenate()([k.GlobalAveragePooling1D()(a), k.GlobalMaxPooling1D()(a), f, b])
    return Built(k.Model(x, k.Dense(6, activation="sigmoid")(z)), ids=V)


@kind
def recipe_conv_lstm_text(k):
    """texts: Conv1D, MaxPooling1D, LSTM, Dense (the examples' imdb_cnn_lstm)"""
    m = k.Sequential([k.Input((T,)), k.Embedding(V, E), k.Dropout(0.25), k.Conv1D(6, 3, activation="relu"), k.MaxPooling1D(2)])
    m.add(k.LSTM(H))
    m.add(k.Dense(1, activation="sigmoid"))
    return Built(m, ids=V)


@kind
def recipe_ner_two_inputs(k):
    """names: words and their casing, two Embeddings, Bi-LSTM with recurrent dropout, TimeDistributed Dense"""
    words, casing = k.Input((T,)), k.Input((T,))
    x = k.Concatenate()([k.Embedding(V, E)(words), k.Embedding(4, 3)(casing)])
    a = k.Bidirectional(k.LSTM(H, return_sequences=True, recurrent_dropout=0.1))(x)
    z = k.TimeDistributed(k.Dense(W, activation="softmax"))(k.TimeDistributed(k.Dense(7, activation="relu"))(a))
    return Built(k.Model([words, casing], z), ids=V, others=(4,))


@kind
def recipe_weather(k):
    """forecast: LSTM, Dense of all steps, Reshape to steps and features"""
    m = k.Sequential([k.Input((T, F)), k.LSTM(H), k.Dense(Y * F), k.Reshape((Y, F))])
    return m


@kind
def recipe_stocks(k):
    """prices: four LSTM layers with dropout between them, Dense(1)"""
    m = k.Sequential([k.Input((T, 1))])
    for n in range(4):
        m.add(k.LSTM(H, return_sequences=n < 3))
        m.add(k.Dropout(0.2))
    m.add(k.Dense(1))
    return m


@kind
def recipe_anomalies(k):
    """reconstruction: two LSTMs down, RepeatVector, two LSTMs up, TimeDistributed Dense"""
    m = k.Sequential([k.Input((T, F)), k.LSTM(8, activation="relu", return_sequences=True), k.LSTM(4, activation="relu")])
    m.add(k.RepeatVector(T))
    m.add(k.LSTM(4, activation="relu", return_sequences=True))
    m.add(k.LSTM(8, activation="relu", return_sequences=True))
    m.add(k.TimeDistributed(k.Dense(F)))
    return m


@kind
def recipe_activity(k):
    """sensors: Conv1D, normalised, LSTM twice, GlobalAveragePooling, softmax"""
    x = k.Input((T, F))
    y = k.Activation("relu")(k.BatchNormalization()(k.Conv1D(6, 3, padding="same")(x)))
    y = k.LSTM(H, return_sequences=True)(k.LSTM(H, return_sequences=True)(y))
    return k.Model(x, k.Dense(5, activation="softmax")(k.GlobalAveragePooling1D()(y)))


@kind
def recipe_lstm_fcn(k):
    """LSTM-FCN: an LSTM beside three convolutions with normalisation and mean, joined"""
    x = k.Input((T, F))
    y = x
    for units, size in ((6, 5), (8, 3), (6, 3)):
        y = k.Activation("relu")(k.BatchNormalization()(k.Conv1D(units, size, padding="same")(y)))
    z = k.Concatenate()([k.LSTM(H)(x), k.GlobalAveragePooling1D()(y)])
    return k.Model(x, k.Dense(3, activation="softmax")(z))


@kind
def recipe_gated_sequence(k):
    """a gate for each position, Dense sigmoid, times the Bi-LSTM's outputs; maximum; Dense"""
    x = k.Input((T,))
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Embedding(V, E)(x))
    z = k.GlobalMaxPooling1D()(k.Multiply()([a, k.Dense(2 * H, activation="sigmoid")(a)]))
    return Built(k.Model(x, k.Dense(2, activation="softmax")(z)), ids=V)


@kind
def recipe_characters(k):
    """what comes next: one-hot characters, two LSTMs with dropout, softmax of the next one"""
    m = k.Sequential([k.Input((T, V)), k.LSTM(H, return_sequences=True), k.Dropout(0.2), k.LSTM(H)])
    m.add(k.Dropout(0.2))
    m.add(k.Dense(V, activation="softmax"))
    return Built(m, one_hot=True)


@kind
def recipe_next_word_stateful(k):
    """what comes next at every position: Embedding, GRU with states, logits"""
    x = k.Input((T,))
    y = k.GRU(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    return Built(k.Model(x, [k.Dense(V)(y[0]), y[1]]), ids=V)


@kind
def recipe_siamese(k):
    """two texts through one LSTM, absolute difference, Dense sigmoid"""
    one, two = k.Input((T,)), k.Input((T,))
    embed, lstm = k.Embedding(V, E), k.LSTM(H)
    a, b = lstm(embed(one)), lstm(embed(two))
    z = k.Concatenate()([a, b, k.Subtract()([a, b])])
    return Built(k.Model([one, two], k.Dense(1, activation="sigmoid")(z)), ids=V, others=(V,))


@kind
def recipe_hierarchy(k):
    """a text of sentences: TimeDistributed(Bidirectional(LSTM)) over words, Bi-LSTM over sentences"""
    words = k.Input((3, T))
    y = k.TimeDistributed(k.Embedding(V, E))(words)
    y = k.TimeDistributed(k.Bidirectional(k.LSTM(4)))(y)
    y = k.Bidirectional(k.LSTM(H))(y)
    return Built(k.Model(words, k.Dense(2, activation="softmax")(y)), ids=V)


@kind
def recipe_multi_horizon(k):
    """forecast: an encoder, RepeatVector, a decoder with attention behind it, joined, Dense"""
    x = k.Input((T, F))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True, activation="elu")(x)
    d = k.LSTM(H, return_sequences=True, activation="elu")(k.RepeatVector(Y)(k.BatchNormalization()(h)), initial_state=[h, c])
    weights = k.Activation("softmax")(k.Dot(axes=[2, 2])([d, a]))
    z = k.Concatenate()([k.BatchNormalization()(k.Dot(axes=[2, 1])([weights, a])), d])
    return k.Model(x, k.TimeDistributed(k.Dense(1))(z))


@kind
def recipe_quantiles(k):
    """forecast: GRU, three Dense heads of their own names"""
    x = k.Input((T, F))
    y = k.GRU(H)(x)
    return k.Model(x, [k.Dense(Y, name=f"q{n}")(k.Dense(5, activation="relu")(y)) for n in (10, 50, 90)])


@kind
def recipe_covariates(k):
    """forecast: a series and numbers of the whole through Dense, joined with the last state"""
    x, s = k.Input((T, F)), k.Input((4,))
    z = k.Concatenate()([k.LSTM(H)(x), k.Dense(5, activation="relu")(s)])
    return Built(k.Model([x, s], k.Dense(1)(k.Dense(8, activation="relu")(z))), others=(0,))


@kind
def recipe_caption(k):
    """captions: the picture's vector through Dense beside the words so far through an LSTM, added, the next word"""
    picture, words = k.Input((11,)), k.Input((T,))
    a = k.Dense(H, activation="relu")(k.Dropout(0.5)(picture))
    b = k.LSTM(H)(k.Dropout(0.5)(k.Embedding(V, E, mask_zero=True)(words)))
    z = k.Dense(H, activation="relu")(k.Add()([a, b]))
    return Built(k.Model([picture, words], k.Dense(V, activation="softmax")(z)), others=(V,))


@kind
def recipe_ctc_lines(k):
    """a line of writing, columns as positions: Dense, two Bi-LSTMs, softmax with a blank"""
    x = k.Input((T, 10))
    y = k.Dropout(0.2)(k.Dense(8, activation="relu")(x))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True, dropout=0.25))(y)
    y = k.Bidirectional(k.LSTM(5, return_sequences=True, dropout=0.25))(y)
    return k.Model(x, k.Dense(W + 1, activation="softmax")(y))


@kind
def recipe_speech_stack(k):
    """speech: BatchNormalization between three Bi-GRUs, Dense relu, softmax"""
    x = k.Input((T, 6))
    y = x
    for n in range(3):
        y = k.Bidirectional(k.GRU(H, return_sequences=True, reset_after=True))(y)
        if n < 2:
            y = k.Dropout(0.5)(y)
    y = k.Dropout(0.5)(k.ReLU()(k.Dense(12)(y)))
    return k.Model(x, k.Dense(W, activation="softmax")(y))


@kind
def recipe_lemmatiser_tags(k):
    """characters and a tag of the whole word that is repeated, encoder and decoder of given characters"""
    x, y = k.Input((T,)), k.Input((None,))
    a, h, c = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(V, E, mask_zero=True)(x))
    d = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(y), initial_state=[h, c])
    z = k.Dense(8, activation="tanh")(k.Concatenate()([d, k.Attention(use_scale=True)([d, a])]))
    return Built(k.Model([x, y], k.Dense(W, activation="softmax")(z)), ids=V, targets=W, masked=0, steps=Y)


@kind
def recipe_pool_between(k):
    """sensors: an LSTM, MaxPooling1D over its outputs, an LSTM, Dense"""
    m = k.Sequential([k.Input((T, F)), k.LSTM(H, return_sequences=True), k.MaxPooling1D(2), k.LSTM(H), k.Dense(3)])
    return m


@kind
def recipe_two_towers(k):
    """texts: a Bi-LSTM and a Conv1D with maximum beside one another, softmax"""
    x = k.Input((T,))
    y = k.Embedding(V, E)(x)
    a = k.GlobalMaxPooling1D()(k.Conv1D(6, 3, activation="relu")(y))
    b = k.Bidirectional(k.LSTM(H))(y)
    return Built(k.Model(x, k.Dense(4, activation="softmax")(k.Concatenate()([a, b]))), ids=V)
