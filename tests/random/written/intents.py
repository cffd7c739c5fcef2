"""A label for each word and one for the sentence, at the same time."""

from kinds import Built, kind

V, E, H, T, F = 15, 6, 5, 7, 4


def words(k, masked=False, length=T):
    x = k.Input((length,))
    return x, k.Embedding(V, E, mask_zero=masked)(x)


def joint(k, x, y, sentence, masked=False, slots_first=True):
    slots = k.TimeDistributed(k.Dense(6, activation="softmax"), name="slots")(y)
    intent = k.Dense(3, activation="softmax", name="intent")(sentence)
    outputs = [slots, intent] if slots_first else [intent, slots]
    return Built(k.Model(x, outputs), ids=V, masked=0 if masked else None)


@kind
def intent_of_final_states(k):
    """the final states of both directions"""
    x, e = words(k)
    y, h, _, g, _ = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(e)
    return joint(k, x, y, k.Concatenate()([h, g]))


@kind
def intent_of_maximum(k):
    """the maximum over a BiGRU's positions, through a hidden layer; the sentence's output first"""
    x, e = words(k, length=None)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(e)
    return joint(k, x, y, k.Dense(6, activation="relu")(k.GlobalMaxPooling1D()(y)), slots_first=False)


@kind
def intent_masked(k):
    """the mean over what is no padding"""
    x, e = words(k, masked=True)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(e)
    return joint(k, x, y, k.GlobalAveragePooling1D()(y), masked=True)


@kind
def intent_of_a_second_layer(k):
    """a second layer's final state; the slots are of the first one, normalised"""
    x, e = words(k)
    y = k.LayerNormalization()(k.Bidirectional(k.LSTM(H, return_sequences=True))(e))
    return joint(k, x, y, k.LSTM(4)(y))


@kind
def intent_of_attention(k):
    """the context of an attention over the positions"""
    x, e = words(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(e)
    alphas = k.Softmax(axis=1)(k.Dense(1, activation="tanh")(y))
    return joint(k, x, y, k.Flatten()(k.Dot(axes=1)([alphas, y])))


@kind
def intent_and_state_of_a_machine(k):
    """features: a number at each position, two of the whole series"""
    x = k.Input((T, F))
    y = k.GRU(H, return_sequences=True)(k.LSTM(6, return_sequences=True)(x))
    return k.Model(x, [k.Dense(1)(y), k.Dense(2, activation="sigmoid")(y[:, -1, :])])
