"""Decoders whose steps ask a MultiHeadAttention of several heads: behind their cells or before them, over given
tokens, in loops that are written out, one step in a file of its own; and states that ask without a decoder."""

from kinds import Built, kind

V, W, E, H, T, Y, F = 10, 8, 5, 6, 7, 4, 3


def given(k, x, y, **more):
    """A model of two inputs, the second one the given tokens."""
    return Built(k.Model(x, y), **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


def pair(k, encoder, decoder, **more):
    """An encoder and a decoder's step, saved in two files."""
    return Built(encoder, decoder=decoder, **{"ids": V, "targets": W, "time": T, "steps": Y, **more})


def two(k, source=None, target=None):
    """Both inputs and their vectors."""
    x, tokens = k.Input((source,), name="inputs"), k.Input((target,), name="targets")
    return x, tokens, k.Embedding(V, E)(x), k.Embedding(W, E)(tokens)


def states(k, a, units=H):
    return k.LSTM(units, return_sequences=True, return_state=True)(a)


def translating(k):
    """Both inputs, the encoder's vectors, and the states of an LSTM decoder that begins with the encoder's state."""
    x, tokens, a, b = two(k)
    a, h, c = states(k, a)
    return x, tokens, a, k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])


def classes(k):
    return k.Dense(W, activation="softmax")


# ---- behind the cells, over given tokens


@kind
def asked_beside_states(k):
    """training graph: the LSTM's states ask 4 heads, both concatenated, softmax: machine translation"""
    x, tokens, a, y = translating(k)
    z = k.MultiHeadAttention(num_heads=4, key_dim=3)(query=y, value=a)
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, z])))


@kind
def asked_added_and_normalised(k):
    """TensorFlow's translation tutorial: BiGRU, GRU, CrossAttention (MultiHeadAttention, Add, LayerNormalization)"""
    x, tokens, a, b = two(k)
    a = k.Bidirectional(k.GRU(H, return_sequences=True), merge_mode="sum")(a)
    y = k.GRU(H, return_sequences=True)(b)
    z = k.MultiHeadAttention(key_dim=H, num_heads=2)(query=y, value=a)
    y = k.LayerNormalization()(k.Add()([y, z]))
    return given(k, [x, tokens], k.Dense(W)(y))


@kind
def asked_added(k):
    """the attention's output added to the states, Dense tanh, softmax"""
    x, tokens, a, y = translating(k)
    y = k.Add()([y, k.MultiHeadAttention(2, 3)(y, a)])
    return given(k, [x, tokens], classes(k)(k.Dense(9, activation="tanh")(y)))


@kind
def asked_alone(k):
    """the softmax reads the attention's output alone, of another width; no biases"""
    x, tokens, a, y = translating(k)
    z = k.MultiHeadAttention(3, 2, value_dim=4, use_bias=False, output_shape=5)(y, a)
    return given(k, [x, tokens], classes(k)(z))


@kind
def asked_other_keys(k):
    """values are the encoder's outputs, keys a Dense layer over them, queries one over the states"""
    x, tokens, a, y = translating(k)
    z = k.MultiHeadAttention(2, 3)(query=k.Dense(5)(y), value=a, key=k.Dense(4)(a))
    return given(k, [x, tokens], classes(k)(k.Concatenate()([z, y])))


@kind
def asked_second_layer_reads(k):
    """a second decoder LSTM reads the states and the attention's output"""
    x, tokens, a, b = two(k)
    a, h, c = states(k, a)
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    z = k.MultiHeadAttention(2, 4)(y, a)
    y = k.LSTM(H, return_sequences=True)(k.Concatenate()([y, z]), initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y))


@kind
def asked_by_the_second_layer(k):
    """stacked LSTMs on both sides, dropout, the upper one asks; the weights are returned, and nobody reads them"""
    x, tokens, a, b = two(k)
    a = k.LSTM(H, return_sequences=True)(a)
    a, h, c = states(k, k.Dropout(0.2)(a))
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    y = k.LSTM(H, return_sequences=True)(k.Dropout(0.2)(y))
    z, _ = k.MultiHeadAttention(2, 3, dropout=0.1)(y, a, return_attention_scores=True)
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, z])))


@kind
def asked_behind_self_attention(k):
    """the encoder attends to itself through heads, and the decoder asks it through others"""
    x, tokens, a, b = two(k)
    a, h, c = states(k, a)
    a = k.Add()([a, k.MultiHeadAttention(2, 3)(a, a)])
    y = k.LSTM(H, return_sequences=True)(b, initial_state=[h, c])
    z = k.MultiHeadAttention(2, 4)(y, a)
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, z])))


@kind
def asked_by_tokens(k):
    """the embedded tokens ask, and an LSTM reads them and the attention's output"""
    x, tokens, a, b = two(k)
    a, h, c = states(k, a)
    z = k.MultiHeadAttention(2, 3)(b, a)
    y = k.LSTM(H, return_sequences=True)(k.Concatenate()([b, z]), initial_state=[h, c])
    return given(k, [x, tokens], classes(k)(y))


@kind
def asked_over_repeated(k):
    """RepeatVector of the last state, an LSTM, 2 heads, a forecast of numbers"""
    x = k.Input((T, F))
    a, h, c = states(k, x)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(Y)(h), initial_state=[h, c])
    z = k.MultiHeadAttention(num_heads=2, key_dim=8)(y, a)
    return k.Model(x, k.TimeDistributed(k.Dense(1))(k.Concatenate()([y, z])))


# ---- written out, step by step


@kind
def asked_before_the_cell(k):
    """a loop over the given words: the state before asks 2 heads, the context beside the word, a GRU"""
    x, tokens, a, b = two(k, T, Y)
    a, h = k.GRU(H, return_sequences=True, return_state=True)(a)
    attend, cell, softmax, outputs = k.MultiHeadAttention(2, 3), k.GRU(H, return_state=True), classes(k), []
    for t in range(Y):
        context = attend(k.op("expand_dims", h, 1), a)
        y, h = cell(k.Concatenate()([context, b[:, t : t + 1]]), initial_state=h)
        outputs.append(softmax(y))
    return given(k, [x, tokens], outputs)


@kind
def asked_by_a_dates_loop(k):
    """the dates example with 2 heads: the state asks, a post-attention LSTM, softmax at each step"""
    x = k.Input((T, F))
    a = k.Bidirectional(k.LSTM(4, return_sequences=True))(x)
    h, c = k.Input((H,)), k.Input((H,))
    state, cell_state, outputs = h, c, []
    attend, cell, softmax = k.MultiHeadAttention(2, 4), k.LSTM(H, return_state=True), classes(k)
    for _ in range(Y):
        context = attend(query=k.Reshape((1, H))(state), value=a, key=a)
        state, _, cell_state = cell(context, initial_state=[state, cell_state])
        outputs.append(softmax(state))
    return k.Model([x, h, c], outputs)


@kind
def asked_with_input_feeding(k):
    """Luong's loop through 2 heads: the attentional vector is fed to the next step"""
    x, tokens, a, b = two(k, T, Y)
    a, h, c = states(k, a)
    attend, cell, softmax, outputs = k.MultiHeadAttention(2, 3), k.LSTM(H, return_state=True), classes(k), []
    mix, fed = k.Dense(5, activation="tanh"), None
    for t in range(Y):
        word = b[:, t : t + 1]
        fed = k.op("zeros_like", word) if fed is None else fed
        y, h, c = cell(k.Concatenate()([word, fed]), initial_state=[h, c])
        y = k.op("expand_dims", y, 1)
        fed = mix(k.Concatenate()([attend(y, a), y]))
        outputs.append(softmax(k.op("squeeze", fed, 1)))
    return given(k, [x, tokens], k.op("stack", outputs, axis=1))


# ---- one step in a file of its own


@kind
def asked_pair(k):
    """an encoder, and one step that asks 4 heads behind its cell"""
    x, token = k.Input((T,)), k.Input((1,))
    h, c, seen = k.Input((H,)), k.Input((H,)), k.Input((T, H))
    encoder = k.Model(x, states(k, k.Embedding(V, E)(x)))
    y, *after = k.LSTM(H, return_sequences=True, return_state=True)(k.Embedding(W, E)(token), initial_state=[h, c])
    z = k.MultiHeadAttention(num_heads=4, key_dim=2)(query=y, value=seen, key=seen)
    y = k.Concatenate(axis=-1)([y, z])
    return pair(k, encoder, k.Model([token, seen, h, c], [classes(k)(y), *after]))


@kind
def asked_pair_added(k):
    """the same with a GRU, the two added"""
    x, token = k.Input((T,)), k.Input((1,))
    h, seen = k.Input((H,)), k.Input((T, H))
    a = k.GRU(H, return_sequences=True, return_state=True)(k.Embedding(V, E)(x))
    y, after = k.GRU(H, return_sequences=True, return_state=True)(k.Embedding(W, E)(token), initial_state=h)
    y = k.Add()([y, k.MultiHeadAttention(2, 3)(y, seen)])
    return pair(k, k.Model(x, a), k.Model([token, seen, h], [classes(k)(y), after]))


# ---- without a decoder


@kind
def asked_by_the_final_state(k):
    """the final state asks the outputs through 2 heads; a softmax over the context"""
    x = k.Input((T, F))
    y, h, _ = states(k, x)
    y = k.Flatten()(k.MultiHeadAttention(2, 4)(k.RepeatVector(1)(h), y))
    return k.Model(x, k.Dense(3, activation="softmax")(y))


@kind
def asked_by_a_layer_of_the_state(k):
    """a Dense layer of the final states of a BiLSTM asks 3 heads; the context beside the states"""
    x = k.Input((T, F))
    y, f, _, b, _ = k.Bidirectional(k.LSTM(4, return_sequences=True, return_state=True))(x)
    h = k.Concatenate()([f, b])
    z = k.MultiHeadAttention(3, 2)(k.Reshape((1, 5))(k.Dense(5, activation="tanh")(h)), y)
    return k.Model(x, k.Dense(3, activation="softmax")(k.Concatenate()([k.Flatten()(z), h])))


# ---- masks


@kind
def asked_masked(k):
    """Embedding(mask_zero) on the encoder's side"""
    x, tokens = k.Input((None,)), k.Input((None,))
    a, h, c = states(k, k.Embedding(V, E, mask_zero=True)(x))
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(tokens), initial_state=[h, c])
    z = k.MultiHeadAttention(2, 3)(y, a)
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, z])), masked=0)


@kind
def asked_masked_twice(k):
    """two MultiHeadAttentions over masked words: which of them Keras masks is not certain"""
    x, tokens = k.Input((None,)), k.Input((None,))
    a, h, c = states(k, k.Embedding(V, E, mask_zero=True)(x))
    a = k.Add()([a, k.MultiHeadAttention(2, 3)(a, a)])
    y = k.LSTM(H, return_sequences=True)(k.Embedding(W, E)(tokens), initial_state=[h, c])
    z = k.MultiHeadAttention(2, 3)(y, a)
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, z])), masked=0)


# ---- what cuseq has not


@kind
def asked_twice(k):
    """two attentions that the states ask, one behind the other"""
    x, tokens, a, y = translating(k)
    z = k.MultiHeadAttention(2, 3)(k.MultiHeadAttention(2, 3)(y, a), a)
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, z])))


@kind
def asked_layers_twice(k):
    """values are the encoder's outputs, keys a Dense tanh layer over them, queries one over the states"""
    x, tokens, a, y = translating(k)
    z = k.MultiHeadAttention(2, 3)(
        query=k.Dense(5, activation="tanh")(y), value=a, key=k.Dense(4, activation="tanh")(a)
    )
    return given(k, [x, tokens], classes(k)(k.Concatenate()([z, y])))


@kind
def asked_by_what_asked_itself(k):
    """the decoder's states attend to themselves, causally, and ask the encoder then: a transformer's decoder"""
    x, tokens, a, y = translating(k)
    y = k.Add()([y, k.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True)])
    z = k.MultiHeadAttention(2, 3)(y, a)
    return given(k, [x, tokens], classes(k)(k.Concatenate()([y, z])))
