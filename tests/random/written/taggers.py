"""Models that give something for every position: taggers and character models."""

from classifiers import E, H, T, V, of_text, text
from kinds import Built, kind


@kind
def ner_bilstm(k):
    """Embedding, SpatialDropout1D, BiLSTM, TimeDistributed(Dense softmax)"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True, recurrent_dropout=0.1))(k.SpatialDropout1D(0.1)(y))
    return of_text(k, x, k.TimeDistributed(k.Dense(4, activation="softmax"))(y))


@kind
def ner_masked(k):
    """the same with mask_zero"""
    x, y = text(k, True)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    return of_text(k, x, k.TimeDistributed(k.Dense(4, activation="softmax"))(y), True)


@kind
def pos_stacked_gru(k):
    """two BiGRUs, Dense relu, Dense softmax"""
    x, y = text(k)
    for _ in range(2):
        y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    y = k.TimeDistributed(k.Dense(6, activation="relu"))(y)
    return of_text(k, x, k.Dense(4, activation="softmax")(y))


@kind
def pos_forward(k):
    """an LSTM alone, classes by Dense and an Activation layer"""
    layers = [
        k.Input((None,)),
        k.Embedding(V, E),
        k.LSTM(H, return_sequences=True),
        k.Dense(4),
        k.Activation("softmax"),
    ]
    return Built(k.Sequential(layers), ids=V)


@kind
def two_taggers(k):
    """parts of speech and entities, two named outputs at every position"""
    x, y = text(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    heads = [k.Dense(n, activation="softmax", name=name)(y) for name, n in (("pos", 5), ("entity", 3))]
    return of_text(k, x, heads)


@kind
def diacritics(k):
    """three heads over two merged BiLSTMs that are added up, masked: as vowel marks are restored"""
    x, y = text(k, True)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True), merge_mode="sum")(y)
    b = k.Bidirectional(k.LSTM(H, return_sequences=True), merge_mode="sum")(a)
    y = k.Dense(6)(k.Add()([a, b]))
    return of_text(k, x, [k.Dense(n, name=name)(y) for name, n in (("N", 4), ("D", 3), ("S", 2))], True)


@kind
def joint_intent_and_slots(k):
    """a class of the text and one of every token"""
    x, y = text(k)
    y, fh, _, bh, _ = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(y)
    slots = k.Dense(5, activation="softmax", name="slots")(y)
    intent = k.Dense(3, activation="softmax", name="intent")(k.Concatenate()([fh, bh]))
    return of_text(k, x, [slots, intent])


@kind
def residual_tagger(k):
    """a residual connection around the second layer"""
    x, y = text(k)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    b = k.Bidirectional(k.LSTM(H, return_sequences=True))(a)
    return of_text(k, x, k.Dense(4, activation="softmax")(k.Add()([a, b])))


@kind
def skip_by_concatenation(k):
    """both layers' outputs side by side"""
    x, y = text(k)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    b = k.Bidirectional(k.LSTM(H, return_sequences=True))(a)
    return of_text(k, x, k.Dense(4, activation="softmax")(k.Concatenate()([a, b])))


@kind
def character_model(k):
    """the next character at every position, two LSTMs"""
    layers = [
        k.Input((None,)),
        k.Embedding(V, E),
        k.LSTM(H, return_sequences=True),
        k.LSTM(H, return_sequences=True),
    ]
    return Built(k.Sequential(layers + [k.Dense(V, activation="softmax")]), ids=V)


@kind
def character_gru_logits(k):
    """a GRU and logits, as the tutorial on text generation has it"""
    x, y = text(k)
    return of_text(k, x, k.Dense(V)(k.GRU(H, return_sequences=True)(y)))


@kind
def character_gru_with_states(k):
    """the same with its final state among the outputs"""
    x, y = text(k)
    y, h = k.GRU(H, return_sequences=True, return_state=True)(y)
    return of_text(k, x, [k.Dense(V)(y), h])


@kind
def stateful_model(k):
    """a stateful GRU"""
    x = k.Input((T,), batch_size=3)
    y = k.GRU(H, return_sequences=True, stateful=True)(k.Embedding(V, E)(x))
    return of_text(k, x, k.Dense(V)(y))


@kind
def one_label_a_position(k):
    """a single sigmoid at every position"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.GRU(H, return_sequences=True), merge_mode="ave")(y)
    return of_text(k, x, k.TimeDistributed(k.Dense(1, activation="sigmoid"))(y))


@kind
def labels_without_last_axis(k):
    """one logit a position, its axis flattened away"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    return of_text(k, x, k.Flatten()(k.Dense(1)(y)))


@kind
def span_of_an_answer(k):
    """a softmax over the positions, as of an answer's begin"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    return of_text(k, x, k.Softmax()(k.Flatten()(k.Dense(1)(y))))


@kind
def dense_behind_every_layer(k):
    """a Dense layer with tanh behind each BiLSTM"""
    x, y = text(k)
    for _ in range(2):
        y = k.TimeDistributed(k.Dense(6, activation="tanh"))(
            k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
        )
    return of_text(k, x, k.Dense(4, activation="softmax")(y))


@kind
def backward_tagger(k):
    """go_backwards with return_sequences: the outputs come last position first"""
    x, y = text(k)
    y = k.LSTM(H, return_sequences=True, go_backwards=True)(y)
    return of_text(k, x, k.Dense(4, activation="softmax")(y))


@kind
def features_tagger(k):
    """dense features, batch normalisation, BiGRU, a softmax at every frame: speech"""
    x = k.Input((None, 5))
    y = k.BatchNormalization()(x)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    y = k.BatchNormalization()(y)
    return k.Model(x, k.TimeDistributed(k.Dense(4, activation="softmax"))(y))


@kind
def layer_normalised_tagger(k):
    """LayerNormalization between layers"""
    x, y = text(k)
    y = k.LayerNormalization()(k.Bidirectional(k.LSTM(H, return_sequences=True))(y))
    return of_text(k, x, k.Dense(4, activation="softmax")(y))
