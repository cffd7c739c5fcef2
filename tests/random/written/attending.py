"""Sequences that attend to themselves: Keras' Attention, AdditiveAttention and MultiHeadAttention over recurrent
layers, in front of them, and between them; attention that people write by hand; and what cuseq has not."""

import numpy as np
from kinds import Built, kind

V, E, F, H, T = 12, 6, 4, 6, 7


def words(k, masked=False, length=T):
    x = k.Input((length,))
    return x, k.Embedding(V, E, mask_zero=masked)(x)


def numbers(k, length=T):
    x = k.Input((length, F))
    return x, x


def bi(k, units=H, cell="LSTM", **more):
    return k.Bidirectional(getattr(k, cell)(units, return_sequences=True), **more)


def of_words(k, x, y, masked=False):
    return Built(k.Model(x, y), ids=V, time=T, masked=0 if masked else None)


# ---- Keras' layers of one head


@kind
def attending_plain(k):
    """BiLSTM, Attention()([x, x]), GlobalAveragePooling1D, Dense: sentiment"""
    x, y = words(k)
    y = bi(k)(y)
    y = k.GlobalAveragePooling1D()(k.Attention()([y, y]))
    return of_words(k, x, k.Dense(1, activation="sigmoid")(y))


@kind
def attending_scaled_beside(k):
    """LSTM, Attention(use_scale=True)([x, x, x]), both concatenated, max pooling and dropout"""
    x, y = words(k)
    y = k.LSTM(H, return_sequences=True)(y)
    z = k.Attention(use_scale=True)([y, y, y])
    y = k.Dropout(0.3)(k.GlobalMaxPooling1D()(k.Concatenate()([y, z])))
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def attending_pooled_both(k):
    """GRU; the mean of the outputs and the mean of their attention side by side, as Keras' page of Attention has it"""
    x, y = words(k)
    y = k.GRU(H, return_sequences=True)(y)
    z = k.Attention()([y, y])
    y = k.Concatenate()([k.GlobalAveragePooling1D()(y), k.GlobalAveragePooling1D()(z)])
    return of_words(k, x, k.Dense(4, activation="softmax")(k.Dense(8, activation="relu")(y)))


@kind
def attending_additive_flattened(k):
    """BiGRU, AdditiveAttention()([x, x]), Flatten: a window of sensors"""
    x, y = numbers(k)
    y = bi(k, cell="GRU")(y)
    return k.Model(x, k.Dense(2)(k.Flatten()(k.AdditiveAttention()([y, y]))))


@kind
def attending_concat_mode(k):
    """LSTM, Attention(score_mode="concat"), then an LSTM that gives its last state"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.LSTM(5)(k.Attention(score_mode="concat", use_scale=True)([y, y]))
    return k.Model(x, k.Dense(1)(y))


@kind
def attending_added_tagger(k):
    """BiLSTM, Attention added to it, LayerNormalization, a tag at every position"""
    x, y = words(k)
    y = bi(k)(y)
    y = k.LayerNormalization()(k.Add()([y, k.Attention(dropout=0.2)([y, y])]))
    return of_words(k, x, k.TimeDistributed(k.Dense(5, activation="softmax"))(y))


@kind
def attending_keys_of_their_own(k):
    """Attention of Dense queries, values and keys over an LSTM, by its own arguments"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    z = k.Attention()([k.Dense(5)(y), k.Dense(8, activation="relu")(y), k.Dense(5, activation="tanh")(y)])
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(z)))


@kind
def attending_masked(k):
    """Embedding(mask_zero), BiLSTM, Attention, mean: padding is left out"""
    x, y = words(k, masked=True)
    y = bi(k)(y)
    y = k.GlobalAveragePooling1D()(k.Attention()([y, y]))
    return of_words(k, x, k.Dense(2, activation="softmax")(y), masked=True)


@kind
def attending_masked_additive_lstm(k):
    """a masked LSTM, AdditiveAttention, a second LSTM behind it"""
    x, y = words(k, masked=True)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.LSTM(5)(k.AdditiveAttention()([y, y]))
    return of_words(k, x, k.Dense(2)(y), masked=True)


@kind
def attending_before_the_lstm(k):
    """Attention over the features themselves, in front of an LSTM"""
    x, y = numbers(k)
    y = k.Concatenate()([y, k.Attention(use_scale=True)([y, y])])
    return k.Model(x, k.Dense(1)(k.LSTM(H)(y)))


@kind
def attending_two_layers(k):
    """BiLSTM, two layers of attention one after the other, last position"""
    x, y = numbers(k)
    y = bi(k)(y)
    y = k.Attention()([y, y])
    y = k.AdditiveAttention()([y, y])
    return k.Model(x, k.Dense(1)(y[:, -1, :]))


@kind
def attending_to_a_layer_below(k):
    """an LSTM over an LSTM; the upper one asks what the lower one gave"""
    x, y = numbers(k)
    below = k.LSTM(H, return_sequences=True)(y)
    above = k.LSTM(H, return_sequences=True)(below)
    y = k.Attention()([above, below])
    return k.Model(x, k.Dense(1)(k.GlobalMaxPooling1D()(k.Concatenate()([above, y]))))


# ---- several heads


@kind
def heads_pooled(k):
    """BiLSTM, MultiHeadAttention(2, 3)(x, x), mean"""
    x, y = words(k)
    y = bi(k)(y)
    y = k.GlobalAveragePooling1D()(k.MultiHeadAttention(num_heads=2, key_dim=3)(y, y))
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def heads_added_normalised(k):
    """LSTM, MultiHeadAttention with dropout, Add, LayerNormalization, dropout, mean: stock prices"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    z = k.MultiHeadAttention(num_heads=3, key_dim=2, dropout=0.1)(y, y)
    y = k.LayerNormalization(epsilon=1e-6)(k.Add()([y, z]))
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(k.Dropout(0.2)(y))))


@kind
def heads_without_bias(k):
    """GRU, MultiHeadAttention without biases, of other widths: value_dim, output_shape; Flatten"""
    x, y = numbers(k)
    y = k.GRU(H, return_sequences=True)(y)
    y = k.MultiHeadAttention(2, 3, value_dim=4, use_bias=False, output_shape=5)(y, y)
    return k.Model(x, k.Dense(2)(k.Flatten()(y)))


@kind
def heads_one(k):
    """LSTM, MultiHeadAttention of one head, max pooling"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.MultiHeadAttention(num_heads=1, key_dim=4)(query=y, value=y, key=y)
    return k.Model(x, k.Dense(1)(k.GlobalMaxPooling1D()(y)))


def transformer(k, y, heads=2, width=None, before=False):
    """A block of a transformer: attention and two Dense layers, each added to what it reads."""
    width = y.shape[-1]
    if before:  # normalised in front
        z = k.LayerNormalization(epsilon=1e-6)(y)
        y = k.Add()([y, k.Dropout(0.1)(k.MultiHeadAttention(heads, 3)(z, z))])
        z = k.LayerNormalization(epsilon=1e-6)(y)
        return k.Add()([y, k.Dense(width)(k.Dense(8, activation="relu")(z))])
    y = k.LayerNormalization(epsilon=1e-6)(k.Add()([y, k.MultiHeadAttention(heads, 3)(y, y)]))
    z = k.Dropout(0.1)(k.Dense(width)(k.Dense(8, activation="relu")(y)))
    return k.LayerNormalization(epsilon=1e-6)(k.Add()([y, z]))


@kind
def heads_block_behind(k):
    """BiLSTM, a block of a transformer, mean, Dense: texts"""
    x, y = words(k)
    y = k.GlobalAveragePooling1D()(transformer(k, bi(k, 3)(y)))
    return of_words(k, x, k.Dense(4, activation="softmax")(k.Dense(8, activation="relu")(y)))


@kind
def heads_block_in_front(k):
    """Embedding, a block of a transformer, BiLSTM"""
    x, y = words(k)
    return of_words(k, x, k.Dense(3, activation="softmax")(bi_last(k)(transformer(k, y))))


def bi_last(k):
    return k.Bidirectional(k.LSTM(5))


@kind
def heads_block_normalised_first(k):
    """LSTM, a block that normalises first, LSTM, forecast"""
    x, y = numbers(k)
    y = transformer(k, k.LSTM(H, return_sequences=True)(y), before=True)
    return k.Model(x, k.Dense(1)(k.LSTM(4)(y)))


@kind
def heads_in_front(k):
    """Embedding, MultiHeadAttention, LSTM"""
    x, y = words(k)
    y = k.MultiHeadAttention(num_heads=2, key_dim=3)(y, y)
    return of_words(k, x, k.Dense(1, activation="sigmoid")(k.LSTM(H)(y)))


@kind
def heads_masked(k):
    """Embedding(mask_zero), LSTM, MultiHeadAttention, Add, LayerNormalization, mean"""
    x, y = words(k, masked=True)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.LayerNormalization()(k.Add()([y, k.MultiHeadAttention(2, 3)(y, y)]))
    return of_words(k, x, k.Dense(2)(k.GlobalAveragePooling1D()(y)), masked=True)


@kind
def heads_masked_in_front(k):
    """Embedding(mask_zero), MultiHeadAttention, LSTM"""
    x, y = words(k, masked=True)
    return of_words(k, x, k.Dense(2)(k.LSTM(H)(k.MultiHeadAttention(2, 3)(y, y))), masked=True)


@kind
def heads_tagger(k):
    """BiLSTM, MultiHeadAttention concatenated with it, BiLSTM, a tag at every position"""
    x, y = words(k)
    y = bi(k)(y)
    y = bi(k, 4)(k.Concatenate()([y, k.MultiHeadAttention(2, 4)(y, y)]))
    return of_words(k, x, k.Dense(6, activation="softmax")(y))


@kind
def heads_weights_not_read(k):
    """LSTM, MultiHeadAttention that also returns its weights, which nobody reads"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y, _ = k.MultiHeadAttention(2, 3)(y, y, return_attention_scores=True)
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(y)))


@kind
def heads_then_decoder(k):
    """BiLSTM, MultiHeadAttention, and a decoder over RepeatVector of the final states that attends to it"""
    x, y = numbers(k)
    y, h, c = k.LSTM(H, return_sequences=True, return_state=True)(y)
    y = k.MultiHeadAttention(2, 3)(y, y)
    z = k.LSTM(H, return_sequences=True)(k.RepeatVector(3)(h), initial_state=[h, c])
    z = k.Concatenate()([z, k.Attention()([z, k.Dense(H)(y)])])
    return k.Model(x, k.TimeDistributed(k.Dense(2))(z))


@kind
def heads_autoencoder(k):
    """LSTM autoencoder over RepeatVector whose decoder attends to itself"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(k.RepeatVector(T)(k.LSTM(H)(y)))
    y = k.Add()([y, k.MultiHeadAttention(2, 3)(y, y)])
    return k.Model(x, k.TimeDistributed(k.Dense(F))(y))


# ---- by hand


@kind
def attending_by_hand_dot(k):
    """queries, keys and values by Dense layers, Dot, scaled, Softmax, Dot"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    q, key, v = k.Dense(5)(y), k.Dense(5)(y), k.Dense(5)(y)
    alphas = k.Softmax(axis=-1)(k.Rescaling(1 / np.sqrt(5))(k.Dot(axes=2)([q, key])))
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(k.Dot(axes=[2, 1])([alphas, v]))))


@kind
def attending_by_hand_matmul(k):
    """matmul(q, transposed k) / sqrt(d), softmax, matmul with v, added and normalised"""
    x, y = numbers(k)
    y = bi(k, 3)(y)
    q, key, v = k.Dense(6, use_bias=False)(y), k.Dense(6, use_bias=False)(y), k.Dense(6)(y)
    scores = k.op("matmul", q, k.op("transpose", key, [0, 2, 1])) / 6**0.5
    y = k.LayerNormalization()(y + k.op("matmul", k.op("softmax", scores, axis=-1), v))
    return k.Model(x, k.Dense(1)(k.LSTM(4)(y)))


@kind
def attending_by_hand_permuted(k):
    """Dot of x and its Permute, Activation softmax, Dot: without any Dense layer"""
    x, y = numbers(k)
    y = k.GRU(H, return_sequences=True)(y)
    alphas = k.Activation("softmax")(k.Dot(axes=(2, 1))([y, k.Permute((2, 1))(y)]))
    y = k.Concatenate()([y, k.Dot(axes=(2, 1))([alphas, y])])
    return k.Model(x, k.Dense(1)(k.Flatten()(y)))


@kind
def attending_by_hand_other_axis(k):
    """a softmax over the positions that ask: its columns are the weights"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    q, key, v = k.Dense(5)(y), k.Dense(5)(y), k.Dense(4)(y)
    alphas = k.Softmax(axis=1)(k.Dot(axes=2)([q, key]))
    return k.Model(x, k.Dense(1)(k.LSTM(3)(k.Dot(axes=1)([alphas, v]))))


@kind
def attending_by_hand_added(k):
    """tanh of query and key added over all pairs, a Dense layer of one unit, softmax: additive attention"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    pairs = k.Dense(5)(y)[:, :, None, :] + k.Dense(5)(y)[:, None, :, :]
    alphas = k.op("softmax", k.Dense(1)(k.Activation("tanh")(pairs))[:, :, :, 0], axis=2)
    return k.Model(x, k.Dense(1)(k.GlobalMaxPooling1D()(k.op("matmul", alphas, y))))


# ---- one vector that asks


@kind
def heads_asked_by_the_last_state(k):
    """the final state asks the outputs through a MultiHeadAttention of one head"""
    x, y = numbers(k)
    y, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(y)
    y = k.Flatten()(k.MultiHeadAttention(1, 4)(k.RepeatVector(1)(h), y))
    return k.Model(x, k.Dense(1)(y))


@kind
def heads_asked_by_the_last_position(k):
    """the last position asks all of them through several heads"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.MultiHeadAttention(2, 3)(y[:, -1:, :], y)
    return k.Model(x, k.Dense(1)(k.Flatten()(y)))


@kind
def attending_asked_by_the_last_position(k):
    """Attention whose query is the last position"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.Concatenate()([k.Flatten()(k.Attention()([y[:, -1:, :], y])), y[:, -1, :]])
    return k.Model(x, k.Dense(1)(y))


# ---- what cuseq has not


@kind
def heads_causal(k):
    """a causal mask"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    return k.Model(x, k.Dense(1)(k.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True)))


@kind
def attending_causal(k):
    """a causal mask"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    return k.Model(x, k.Dense(1)(k.Attention()([y, y], use_causal_mask=True)))


@kind
def attending_weights_given(k):
    """the weights of all pairs are an output"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y, alphas = k.Attention()([y, y], return_attention_scores=True)
    return k.Model(x, [k.Dense(1)(k.GlobalAveragePooling1D()(y)), alphas])


@kind
def heads_weights_given(k):
    """the weights of all heads are an output"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y, alphas = k.MultiHeadAttention(2, 3)(y, y, return_attention_scores=True)
    return k.Model(x, [k.Dense(1)(k.GlobalAveragePooling1D()(y)), alphas])


@kind
def attending_by_hand_masked(k):
    """attention by hand to masked positions"""
    x, y = words(k, masked=True)
    y = k.LSTM(H, return_sequences=True)(y)
    alphas = k.Softmax()(k.Dot(axes=2)([y, y]))
    y = k.LSTM(4)(k.Dot(axes=(2, 1))([alphas, y]))
    return of_words(k, x, k.Dense(1)(y), masked=True)


@kind
def attending_unweighted(k):
    """products of all pairs without a softmax"""
    x, y = numbers(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.Dot(axes=(2, 1))([k.Dot(axes=2)([y, y]), y])
    return k.Model(x, k.Dense(1)(k.GlobalAveragePooling1D()(y)))


@kind
def attending_with_a_mask_of_numbers(k):
    """attention_mask as a second input"""
    x, y = numbers(k)
    mask = k.Input((T, T))
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.MultiHeadAttention(2, 3)(y, y, attention_mask=mask)
    return k.Model([x, mask], k.Dense(1)(k.GlobalAveragePooling1D()(y)))


@kind
def attending_convolved(k):
    """Conv1D without padding, then attention: positions that are lost"""
    x, y = numbers(k)
    y = k.Conv1D(5, 3, activation="relu")(y)
    y = k.LSTM(H)(k.Attention()([y, y]))
    return k.Model(x, k.Dense(1)(y))
