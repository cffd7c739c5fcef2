"""What questions about Keras show: mostly the usual, wired a little otherwise."""

from kinds import Built, kind

V, W, E, H, T, Y, F = 15, 8, 5, 6, 7, 4, 3


def given(k, x, y, **more):
    """A model of two inputs, the second one the given tokens."""
    return Built(k.Model(x, y), **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


def encoded(k, cell="LSTM", masked=False):
    """Both inputs, the encoder's sequence and states, the tokens' vectors."""
    x, tokens = k.Input((None,)), k.Input((None,))
    layer = getattr(k, cell)(H, return_sequences=True, return_state=True)
    a, *states = layer(k.Embedding(V, E, mask_zero=masked)(x))
    return x, tokens, a, states, k.Embedding(W, E, mask_zero=masked)(tokens)


@kind
def question_attention_concat(k):
    """Attention(score_mode="concat") behind a decoder, softmax"""
    x, tokens, a, states, y = encoded(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    y = k.Concatenate()([y, k.Attention(score_mode="concat", use_scale=True)([y, a])])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def question_additive_unscaled(k):
    """AdditiveAttention(use_scale=False), GRUs, the context alone through Dense tanh"""
    x, tokens, a, states, y = encoded(k, "GRU")
    y = k.GRU(H, return_sequences=True)(y, initial_state=states)
    y = k.Dense(7, activation="tanh")(k.AdditiveAttention(use_scale=False)([y, a]))
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def question_cosine(k):
    """Dot(normalize=True): cosines as energies"""
    x, tokens, a, states, y = encoded(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    weights = k.Softmax()(k.Dot(axes=2, normalize=True)([y, a]))
    y = k.Concatenate()([y, k.Dot(axes=[2, 1])([weights, a])])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def question_batch_normalised_steps(k):
    """TimeDistributed(BatchNormalization) and Dense layers behind a decoder"""
    x, tokens, _, states, y = encoded(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    y = k.TimeDistributed(k.BatchNormalization())(k.TimeDistributed(k.Dense(7, activation="relu"))(y))
    return given(k, [x, tokens], k.TimeDistributed(k.Dense(W, activation="softmax"))(y))


@kind
def question_states_from_gru(k):
    """an LSTM decoder that begins with a GRU's state as h and as c"""
    x, tokens, _, states, y = encoded(k, "GRU")
    y = k.LSTM(H, return_sequences=True)(y, initial_state=[states[0], states[0]])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def question_two_decoder_layers_attention(k):
    """attention behind the second of two decoder layers, both begin with the encoder's states, Dense twice"""
    x, tokens, a, states, y = encoded(k)
    y = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.Concatenate()([k.Attention()([y, a]), y])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(k.Dense(9, activation="relu")(y)))


@kind
def question_residual_decoder(k):
    """two decoder layers, the second one added to the first, a residual Dense head"""
    x, tokens, _, states, y = encoded(k)
    a = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    b = k.Add()([a, k.LSTM(H, return_sequences=True)(a)])
    b = k.Add()([b, k.Dense(H, activation="relu")(b)])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(b))


@kind
def question_context_into_decoder(k):
    """the encoder's state repeated beside the tokens, GRU, both again beside its output"""
    x, tokens = k.Input((T,)), k.Input((Y,))
    h = k.GRU(H)(k.Embedding(V, E)(x))
    repeated = k.RepeatVector(Y)(h)
    y = k.GRU(H, return_sequences=True)(k.Concatenate()([k.Embedding(W, E)(tokens), repeated]))
    y = k.Concatenate()([y, repeated])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))


@kind
def question_directions_apart(k):
    """Bidirectional(merge_mode=None), each direction's maximum"""
    x = k.Input((T, F))
    a, b = k.Bidirectional(k.LSTM(H, return_sequences=True), merge_mode=None)(x)
    y = k.Concatenate()([k.GlobalMaxPooling1D()(a), k.GlobalMaxPooling1D()(b)])
    return k.Model(x, k.Dense(2, activation="softmax")(y))


@kind
def question_average_of_layers(k):
    """the mean of three LSTMs' outputs at every position, a tagger"""
    x = k.Input((None,))
    y, outputs = k.Embedding(V, E)(x), []
    for _ in range(3):
        y = k.LSTM(H, return_sequences=True)(y)
        outputs.append(y)
    return Built(k.Model(x, k.Dense(4, activation="softmax")(k.Average()(outputs))), ids=V, time=T)


@kind
def question_embedding_normalised(k):
    """BatchNormalization of embedded words, BiGRU, two heads of several layers"""
    x = k.Input((T,))
    y = k.Bidirectional(k.GRU(H))(k.BatchNormalization()(k.Embedding(V, E)(x)))
    a = k.Dense(3, activation="softmax", name="a")(k.Dense(5, activation="relu")(y))
    b = k.Dense(1, name="b")(k.Dense(4, activation="tanh")(k.Dense(5, activation="elu")(y)))
    return Built(k.Model(x, [a, b]), ids=V)


@kind
def question_branches_of_a_head(k):
    """a linear and a deep branch of one state, added up"""
    x = k.Input((T, F))
    h = k.LSTM(8)(x)
    deep = k.Dense(2)(k.Dense(6, activation="relu")(k.Dense(7, activation="relu")(h)))
    return k.Model(x, k.Add()([k.Dense(2)(h), deep]))


@kind
def question_squeezed_excited(k):
    """the state times a sigmoid made of it: an attention over features"""
    x = k.Input((T, F))
    h = k.LSTM(8)(x)
    return k.Model(x, k.Dense(2)(k.Multiply()([h, k.Dense(8, activation="sigmoid")(h)])))


@kind
def question_input_gate(k):
    """features times a softmax over the features at each position, then an LSTM"""
    x = k.Input((T, F))
    y = k.Multiply()([x, k.Dense(F, activation="softmax")(x)])
    return k.Model(x, k.Dense(1)(k.LSTM(H)(y)))


@kind
def question_position_vectors(k):
    """a Dense layer over the input added to it, and three GRUs with skips"""
    x = k.Input((T, F))
    y = k.Add()([x, k.Dense(F, activation="tanh")(x)])
    for _ in range(2):
        y = k.Concatenate()([y, k.GRU(4, return_sequences=True)(y)])
    return k.Model(x, k.Dense(1)(k.GRU(H)(y)))


@kind
def question_reversed_input(k):
    """the series turned around before an LSTM"""
    x = k.Input((T, F))
    return k.Model(x, k.Dense(2)(k.LSTM(H)(k.op("flip", x, axis=1) if k.version == 3 else x[:, ::-1])))


@kind
def question_difference_of_neighbours(k):
    """what changes from position to position, by two slices"""
    x = k.Input((T, F))
    return k.Model(x, k.Dense(2)(k.LSTM(H)(k.Subtract()([x[:, 1:, :], x[:, :-1, :]]))))


@kind
def question_mean_of_last(k):
    """the mean of the last three outputs"""
    x = k.Input((T, F))
    y = k.LSTM(H, return_sequences=True)(x)[:, -3:, :]
    return k.Model(x, k.Dense(2)(k.GlobalAveragePooling1D()(y)))


@kind
def question_weights_and_classes(k):
    """classes and the weights of a pooled attention as outputs"""
    x = k.Input((T,))
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(k.Embedding(V, E)(x))
    weights = k.Softmax(axis=1, name="weights")(k.Dense(1)(k.Dense(5, activation="tanh")(y)))
    context = k.Dot(axes=1)([weights, y])
    return Built(k.Model(x, [k.Dense(3, activation="softmax")(k.Flatten()(context)), weights]), ids=V)


@kind
def question_two_pooled_attentions(k):
    """two weighted sums of one sequence, side by side"""
    x = k.Input((T, F))
    y = k.GRU(H, return_sequences=True)(x)
    sums = [k.Flatten()(k.Dot(axes=1)([k.Softmax(axis=1)(k.Dense(1)(y)), y])) for _ in range(2)]
    return k.Model(x, k.Dense(2)(k.Concatenate()(sums)))


@kind
def question_multiplied_states(k):
    """forward and backward state multiplied"""
    x = k.Input((T, F))
    _, fh, _, bh, _ = k.Bidirectional(k.LSTM(H, return_state=True))(x)
    return k.Model(x, k.Dense(2)(k.Multiply()([fh, bh])))


@kind
def question_softmax_of_outputs(k):
    """Softmax as a layer over a tagger's logits, scaled by a temperature"""
    x = k.Input((None,))
    y = k.Dense(4)(k.GRU(H, return_sequences=True)(k.Embedding(V, E)(x)))
    return Built(k.Model(x, k.Softmax()(y * 0.5)), ids=V, time=T)


@kind
def question_simple_bahdanau(k):
    """attention before the cell with one Dense(1, tanh), a GRU decoder, outputs stacked by an operation"""
    x = k.Input((T, F))
    a, h = k.GRU(H, return_sequences=True, return_state=True)(x)
    repeat, join, energy = k.RepeatVector(T), k.Concatenate(), k.Dense(1, activation="tanh")
    weigh, dot, cell, classes, outputs = k.Softmax(axis=1), k.Dot(axes=1), k.GRU(H, return_state=True), k.Dense(W), []
    for _ in range(Y):
        context = dot([weigh(energy(join([a, repeat(h)]))), a])
        _, h = cell(context, initial_state=h)
        outputs.append(classes(h))
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def question_context_and_output(k):
    """as the date exercise, but the output reads state and context and feeds nothing back; BatchNormalization"""
    x = k.Input((T, F))
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(3, return_sequences=True, return_state=True))(x)
    h, c, attend, row = k.Concatenate()([fh, bh]), k.Concatenate()([fc, bc]), k.Attention(), k.Reshape((1, 6))
    cell, normal, classes, outputs = k.LSTM(6, return_state=True), k.BatchNormalization(), k.Dense(W, "softmax"), []
    for _ in range(Y):
        context = attend([row(h), a])
        _, h, c = cell(context, initial_state=[h, c])
        outputs.append(classes(normal(k.Concatenate()([h, k.Flatten()(context)]))))
    return k.Model(x, outputs)


@kind
def question_seventeen_features(k):
    """a Permute back and forth around a Dense layer of every position, an LSTM"""
    x = k.Input((T, F))
    y = k.Permute((2, 1))(k.Permute((2, 1))(k.Dense(4)(x)))
    return k.Model(x, k.Dense(2)(k.LSTM(H)(y)))


@kind
def question_leaky_tagger(k):
    """LeakyReLU and a hard sigmoid at every position"""
    x = k.Input((T, F))
    y = k.LeakyReLU()(k.Dense(5)(k.Bidirectional(k.LSTM(H, return_sequences=True))(x)))
    return k.Model(x, k.Dense(2, activation="hard_sigmoid")(y))


@kind
def question_one_unit(k):
    """layers of one unit everywhere"""
    x = k.Input((T, 1))
    return k.Model(x, k.Dense(1)(k.GRU(1)(k.LSTM(1, return_sequences=True)(x))))


@kind
def question_output_of_decoder_states(k):
    """a training graph whose decoder's final states are outputs too"""
    x, tokens, _, states, y = encoded(k)
    y, h, c = k.LSTM(H, return_sequences=True, return_state=True)(y, initial_state=states)
    return given(k, [x, tokens], [k.Dense(W, activation="softmax")(y), h, c])


@kind
def question_masked_tokens_only(k):
    """mask_zero on the decoder's side alone"""
    x, tokens = k.Input((T,)), k.Input((None,))
    _, h, c = k.LSTM(H, return_state=True)(k.Embedding(V, E)(x))
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E, mask_zero=True)(tokens), initial_state=[h, c])
    return given(k, [x, tokens], k.Dense(W, activation="softmax")(y))
