"""Classifiers and taggers of texts as notebooks and repositories have them."""

from kinds import Built, kind

V, P, E, H, T = 15, 6, 5, 6, 7


def words(k, masked=False, length=T, **more):
    """Token ids and their vectors."""
    x = k.Input((length,))
    return x, k.Embedding(V, E, mask_zero=masked, **more)(x)


def of_words(k, x, y, masked=False, **more):
    return Built(k.Model(x, y), ids=V, time=T, masked=0 if masked else None, **more)


def bi(k, units=H, cell="LSTM", **more):
    return k.Bidirectional(getattr(k, cell)(units, return_sequences=True), **more)


@kind
def note_disaster_tweets(k):
    """frozen vectors, BiLSTM, GlobalMaxPool1D, batch normalisation, two hidden layers with dropout, sigmoid"""
    layers = [k.Input((T,)), k.Embedding(V, E, trainable=False), bi(k)]
    layers += [k.GlobalMaxPool1D(), k.BatchNormalization(), k.Dropout(0.5)]
    layers += [k.Dense(8, activation="relu"), k.Dropout(0.5), k.Dense(8, activation="relu"), k.Dropout(0.5)]
    return Built(k.Sequential(layers + [k.Dense(1, activation="sigmoid")]), ids=V)


@kind
def note_emotions(k):
    """BiLSTM, batch normalisation, dropout, BiLSTM, batch normalisation, Dense, softmax: emotions of tweets"""
    layers = [k.Input((T,)), k.Embedding(V, E), k.Dropout(0.2)]
    for last in (False, True):
        layers += [
            k.Bidirectional(k.LSTM(H, return_sequences=not last)),
            k.BatchNormalization(),
            k.Dropout(0.3),
        ]
    layers += [k.Dense(7), k.Activation("relu"), k.BatchNormalization(), k.Dense(6, activation="softmax")]
    return Built(k.Sequential(layers), ids=V)


@kind
def note_convolved_text_pooled(k):
    """Embedding, dropout, Conv1D(valid, relu), MaxPooling1D(2), LSTM, Dense, sigmoid as a layer: reviews"""
    layers = [
        k.Input((12,)),
        k.Embedding(V, E),
        k.Dropout(0.25),
        k.Conv1D(8, 3, padding="valid", activation="relu"),
    ]
    layers += [k.MaxPooling1D(pool_size=2), k.LSTM(H), k.Dense(1), k.Activation("sigmoid")]
    return Built(k.Sequential(layers), ids=V)


@kind
def note_convolved_text_same_pooled(k):
    """Conv1D(same, relu), MaxPooling1D(2), BiLSTM with dropout, Dense relu, softmax: news"""
    layers = [
        k.Input((12,)),
        k.Embedding(V, E),
        k.Conv1D(8, 3, padding="same", activation="relu"),
        k.MaxPooling1D(2),
    ]
    layers += [
        k.Bidirectional(k.LSTM(H, dropout=0.2)),
        k.Dense(8, activation="relu"),
        k.Dense(4, activation="softmax"),
    ]
    return Built(k.Sequential(layers), ids=V)


@kind
def note_tickets(k):
    """title and body, an LSTM each, and tags side by side; a priority and a department"""
    title, body, tags = (
        k.Input((None,), name="title"),
        k.Input((None,), name="body"),
        k.Input((4,), name="tags"),
    )
    a = k.LSTM(H)(k.Embedding(V, E)(title))
    b = k.LSTM(4)(k.Embedding(V, E)(body))
    y = k.Concatenate()([a, b, tags])
    outputs = [k.Dense(1, name="priority")(y), k.Dense(3, name="department")(y)]
    return of_words(k, [title, body, tags], outputs, others=(V, 0))


@kind
def note_text_and_numbers(k):
    """a text through an LSTM, numbers through Dense relu, side by side, Dense relu, softmax"""
    x, y = words(k)
    numbers = k.Input((3,))
    y = k.Concatenate()([k.LSTM(H)(y), k.Dense(5, activation="relu")(k.Dense(4, activation="relu")(numbers))])
    y = k.Dense(3, activation="softmax")(k.Dense(6, activation="relu")(y))
    return of_words(k, [x, numbers], y, others=(0,))


@kind
def note_text_and_numbers_directly(k):
    """a text through a BiLSTM and maximum pooling, numbers as they are beside it"""
    x, y = words(k)
    numbers = k.Input((3,), name="meta_input")
    y = k.Concatenate()([k.GlobalMaxPooling1D()(bi(k)(y)), numbers])
    y = k.Dense(1, activation="sigmoid")(k.Dropout(0.5)(k.Dense(6, activation="relu")(y)))
    return of_words(k, [x, numbers], y, others=(0,))


@kind
def note_duplicate_questions(k):
    """two questions through one embedding and one LSTM, side by side, batch normalisation, Dense relu, sigmoid"""
    a, b = k.Input((T,)), k.Input((T,))
    embed, read = k.Embedding(V, E, trainable=False), k.LSTM(H)
    y = k.BatchNormalization()(k.Concatenate()([read(embed(a)), read(embed(b))]))
    y = k.BatchNormalization()(k.Dropout(0.2)(k.Dense(7, activation="relu")(y)))
    return of_words(k, [a, b], k.Dense(1, activation="sigmoid")(y), others=(V,))


@kind
def note_context_beside_words(k):
    """a BiLSTM's outputs beside the words, Dense tanh at every position, the maximum: a recurrent CNN"""
    x, y = words(k)
    y = k.Conv1D(7, 1, activation="tanh")(k.Concatenate()([y, bi(k)(y)]))
    return of_words(k, x, k.Dense(4, activation="softmax")(k.GlobalMaxPooling1D()(y)))


@kind
def note_several_convolutions_first(k):
    """convolutions of 3, 4 and 5 words (same) side by side, an LSTM over them"""
    x, y = words(k)
    y = k.Concatenate()([k.Conv1D(4, n, padding="same", activation="relu")(y) for n in (3, 4, 5)])
    return of_words(k, x, k.Dense(3, activation="softmax")(k.LSTM(H)(k.Dropout(0.3)(y))))


@kind
def note_bag_beside_lstm(k):
    """an LSTM's last output beside the mean of the words"""
    x, y = words(k)
    y = k.Concatenate()([k.LSTM(H)(y), k.GlobalAveragePooling1D()(y)])
    return of_words(k, x, k.Dense(3, activation="softmax")(k.Dense(8, activation="relu")(y)))


@kind
def note_convolution_beside_lstm(k):
    """an LSTM's last output beside the maximum of a convolution of the words"""
    x, y = words(k)
    y = k.Concatenate()([k.LSTM(H)(y), k.GlobalMaxPooling1D()(k.Conv1D(5, 3, activation="relu")(y))])
    return of_words(k, x, k.Dense(1, activation="sigmoid")(y))


@kind
def note_aspects(k):
    """a sentiment of three classes for each of four aspects: four named outputs of a BiGRU, a hidden layer each"""
    x, y = words(k)
    y = k.Dropout(0.3)(k.Bidirectional(k.GRU(H))(k.SpatialDropout1D(0.2)(y)))
    heads = {}
    for name in ("food", "service", "price", "ambience"):
        heads[name] = k.Dense(3, activation="softmax", name=name)(k.Dense(4, activation="relu")(y))
    return of_words(k, x, heads)


@kind
def note_layer_norm_behind_bilstm(k):
    """LayerNormalization between a BiLSTM and the mean"""
    x, y = words(k)
    y = k.GlobalAveragePooling1D()(k.LayerNormalization()(bi(k)(y)))
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def note_layer_norm_of_state(k):
    """LayerNormalization of the BiGRU's last output in front of Dense relu"""
    x, y = words(k)
    y = k.LayerNormalization()(k.Bidirectional(k.GRU(H))(y))
    return of_words(k, x, k.Dense(3, activation="softmax")(k.Dense(8, activation="relu")(y)))


@kind
def note_structured_attention(k):
    """four weighted sums: Dense tanh, Dense(4), a softmax over the positions, Dot, flattened"""
    x, y = words(k)
    y = bi(k)(y)
    weights = k.Softmax(axis=1)(k.Dense(4, use_bias=False)(k.Dense(8, activation="tanh", use_bias=False)(y)))
    y = k.Flatten()(k.Dot(axes=1)([weights, y]))
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def note_attention_masked_words(k):
    """mask_zero, BiLSTM, Dense(1, tanh), Flatten, softmax, RepeatVector, Permute, Multiply, a sum: padding is attended"""
    x, y = words(k, True)
    y = bi(k)(y)
    weights = k.Activation("softmax")(k.Flatten()(k.Dense(1, activation="tanh")(y)))
    y = k.op("sum", k.Multiply()([y, k.Permute([2, 1])(k.RepeatVector(2 * H)(weights))]), axis=1)
    return of_words(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def note_attention_by_state_masked(k):
    """mask_zero, a GRU, Keras' Attention by its final state, beside that state"""
    x, y = words(k, True, None)
    y, h = k.GRU(H, return_sequences=True, return_state=True)(y)
    context = k.Attention()([k.Reshape((1, H))(h), y])
    y = k.Concatenate()([k.Reshape((H,))(context), h])
    return of_words(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def note_self_attention_beside(k):
    """Attention of a BiLSTM's outputs by themselves, concatenated with them, the maximum"""
    x, y = words(k)
    y = bi(k)(y)
    y = k.GlobalMaxPooling1D()(k.Concatenate()([y, k.Attention()([y, y])]))
    return of_words(k, x, k.Dense(1, activation="sigmoid")(y))


@kind
def note_characters(k):
    """characters as one-hot vectors of a frozen embedding, Conv1D(same), a pooling of 2, BiGRU, softmax: languages"""
    x, y = words(k, length=12, trainable=False)
    y = k.MaxPooling1D(2, padding="same")(k.Conv1D(6, 3, padding="same", activation="relu")(y))
    return of_words(k, x, k.Dense(4, activation="softmax")(k.Bidirectional(k.GRU(H))(y)))


@kind
def note_masked_words_pooled(k):
    """mask_zero, which a convolution ends, MaxPooling1D, LSTM: padding is read"""
    x, y = words(k, True, 12)
    y = k.MaxPooling1D(2)(k.Conv1D(6, 3, padding="same", activation="relu")(y))
    return of_words(k, x, k.Dense(3, activation="softmax")(k.LSTM(H)(y)), True)


@kind
def note_masked_lstm_convolved(k):
    """mask_zero, LSTM, Conv1D over its outputs, the maximum"""
    x, y = words(k, True)
    y = k.GlobalMaxPooling1D()(
        k.Conv1D(6, 3, padding="same", activation="relu")(k.LSTM(H, return_sequences=True)(y))
    )
    return of_words(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def note_masked_zeros(k):
    """the last position of a masked LSTM that gives zeros at masked positions"""
    x, y = words(k, True)
    y = k.LSTM(H, return_sequences=True, zero_output_for_mask=True)(y)[:, -1]
    return of_words(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def note_masked_pair(k):
    """two masked texts of lengths of their own through one LSTM"""
    a, b = k.Input((T,)), k.Input((T,))
    embed, read = k.Embedding(V, E, mask_zero=True), k.LSTM(H)
    y = k.Concatenate()([read(embed(a)), read(embed(b))])
    return of_words(k, [a, b], k.Dense(1, activation="sigmoid")(y), True, others=(V,))


@kind
def note_masked_entities_and_case(k):
    """masked words and their masked casing, embedded and side by side, BiLSTM, softmax at every word"""
    x, case = k.Input((None,), name="words"), k.Input((None,), name="casing")
    y = k.Concatenate()([k.Embedding(V, E, mask_zero=True)(x), k.Embedding(P, P, mask_zero=True)(case)])
    return of_words(k, [x, case], k.Dense(5, activation="softmax")(bi(k)(y)), True, others=(P,))


@kind
def note_masked_text_and_numbers(k):
    """a masked text through an LSTM beside numbers"""
    x, y = words(k, True)
    numbers = k.Input((3,))
    y = k.Dense(6, activation="relu")(k.Concatenate()([k.LSTM(H)(y), numbers]))
    return of_words(k, [x, numbers], k.Dense(3, activation="softmax")(y), True, others=(0,))


@kind
def note_answer_in_question(k):
    """Attention of one text to another, the mean of what it gives beside the mean of the question"""
    a, b = k.Input((T,)), k.Input((T,))
    embed, read = k.Embedding(V, E), k.Conv1D(6, 3, padding="same")
    a1, b1 = read(embed(a)), read(embed(b))
    y = [k.GlobalAveragePooling1D()(one) for one in (a1, k.Attention()([a1, b1]))]
    return of_words(k, [a, b], k.Dense(1, activation="sigmoid")(k.Concatenate()(y)), others=(V,))


@kind
def note_sum_and_product_of_states(k):
    """forward and backward state, their sum and their product side by side"""
    x, y = words(k)
    _, a, _, b, _ = k.Bidirectional(k.LSTM(H, return_state=True))(y)
    y = k.Concatenate()([k.Add()([a, b]), k.Multiply()([a, b])])
    return of_words(k, x, k.Dense(3, activation="softmax")(y))


@kind
def note_last_of_three_layers(k):
    """the last outputs of three stacked GRUs side by side, batch normalisation, softmax"""
    x, y = words(k)
    last = []
    for _ in range(3):
        y = k.GRU(H, return_sequences=True)(y)
        last.append(y[:, -1, :])
    return of_words(k, x, k.Dense(3, activation="softmax")(k.BatchNormalization()(k.Concatenate()(last))))


@kind
def note_entities_dense_first(k):
    """masked words, BiLSTM with dropouts, TimeDistributed Dense relu, TimeDistributed softmax"""
    layers = [k.Input((T,)), k.Embedding(V, E, mask_zero=True)]
    layers += [k.Bidirectional(k.LSTM(H, return_sequences=True, dropout=0.1, recurrent_dropout=0.1))]
    layers += [
        k.TimeDistributed(k.Dense(8, activation="relu")),
        k.TimeDistributed(k.Dense(5, activation="softmax")),
    ]
    return Built(k.Sequential(layers), ids=V, masked=0)


@kind
def note_entities_and_case(k):
    """words and their casing, embedded and side by side, BiLSTM, softmax at every word"""
    x, case = k.Input((None,), name="words"), k.Input((None,), name="casing")
    y = k.Concatenate()([k.Embedding(V, E, trainable=False)(x), k.Embedding(P, P)(case)])
    y = k.TimeDistributed(k.Dense(5, activation="softmax"))(bi(k)(y))
    return of_words(k, [x, case], y, others=(P,))


@kind
def note_entities_and_features(k):
    """words and numbers of each of them side by side, BiLSTM, softmax at every word"""
    x, features = k.Input((T,), name="words"), k.Input((T, 3), name="features")
    y = k.Concatenate()([k.Embedding(V, E)(x), features])
    return of_words(k, [x, features], k.Dense(5, activation="softmax")(bi(k)(y)), others=(0,))


@kind
def note_segmentation(k):
    """characters, two BiLSTMs merged by sum, dropout, four classes: where a word begins"""
    x, y = words(k, length=None)
    for _ in range(2):
        y = k.Dropout(0.2)(bi(k, merge_mode="sum")(y))
    return of_words(k, x, k.TimeDistributed(k.Dense(4, activation="softmax"))(y))


@kind
def note_intents_and_slots_of_states(k):
    """a BiLSTM: slots by its sequence beside its repeated state, the intent by the state"""
    x, y = words(k)
    y, a, _, b, _ = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(y)
    state = k.Concatenate()([a, b])
    slots = k.TimeDistributed(k.Dense(5, activation="softmax"), name="slots")(
        k.Concatenate()([y, k.RepeatVector(T)(state)])
    )
    return of_words(k, x, [k.Dense(4, activation="softmax", name="intent")(state), slots])


@kind
def note_punctuation(k):
    """BiLSTM, LSTM over it, batch normalisation at every word, Dense relu, softmax"""
    x, y = words(k, length=None)
    y = k.LSTM(H, return_sequences=True)(bi(k)(y))
    y = k.Dense(6, activation="relu")(k.TimeDistributed(k.BatchNormalization())(y))
    return of_words(k, x, k.Dense(4, activation="softmax")(y))


@kind
def note_proteins(k):
    """one-hot residues, convolutions of 3, 5 and 7 (same) beside them, two BiGRUs, Dense relu, softmax"""
    x = k.Input((None, 6))
    y = k.Concatenate()([x] + [k.Conv1D(4, n, padding="same", activation="relu")(x) for n in (3, 5, 7)])
    y = k.Concatenate()([bi(k, cell="GRU")(bi(k, cell="GRU")(y)), y])
    return Built(k.Model(x, k.Dense(8, activation="softmax")(k.Dense(7, activation="relu")(y))), time=T)


@kind
def note_tagger_normalised_residual(k):
    """batch-normalised BiLSTM added to a Dense layer over the words, once more, softmax"""
    x, y = words(k)
    for _ in range(2):
        y = k.Add()([k.Dense(2 * H)(y), k.BatchNormalization()(bi(k)(y))])
    return of_words(k, x, k.Dense(5, activation="softmax")(y))
