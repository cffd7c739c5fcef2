"""Classifiers of whole sequences: texts, mostly."""

from kinds import Built, kind

V, E, T, H = 20, 6, 7, 5


def text(k, masked=False, length=None):
    """Token ids and their vectors."""
    x = k.Input((length,))
    return x, k.Embedding(V, E, mask_zero=masked)(x)


def of_text(k, x, y, masked=False):
    return Built(k.Model(x, y), ids=V, time=T, masked=0 if masked else None)


@kind
def imdb_lstm(k):
    """Embedding, LSTM, one sigmoid"""
    return Built(
        k.Sequential(
            [k.Input((None,)), k.Embedding(V, E), k.LSTM(H, dropout=0.2), k.Dense(1, activation="sigmoid")]
        ),
        ids=V,
    )


@kind
def imdb_bidirectional(k):
    """two bidirectional LSTMs, the second one's last output, one sigmoid"""
    x, y = text(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    y = k.Bidirectional(k.LSTM(H))(y)
    return of_text(k, x, k.Dense(1, activation="sigmoid")(y))


@kind
def gru_softmax(k):
    """Embedding, GRU, softmax"""
    x, y = text(k)
    return of_text(k, x, k.Dense(4, activation="softmax")(k.GRU(H)(y)))


@kind
def gru_reset_before(k):
    """a GRU of Keras 1 and 2's kind: reset_after=False"""
    x, y = text(k)
    return of_text(
        k,
        x,
        k.Dense(4, activation="softmax")(k.GRU(H, reset_after=False, recurrent_activation="hard_sigmoid")(y)),
    )


@kind
def gru_without_bias(k):
    """a GRU with use_bias=False"""
    x, y = text(k)
    return of_text(k, x, k.Dense(4, activation="softmax")(k.GRU(H, use_bias=False)(y)))


@kind
def stacked_lstm_news(k):
    """three LSTMs, dropout between them, softmax"""
    layers = [k.Input((T,)), k.Embedding(V, E)]
    for last in (False, False, True):
        layers += [k.LSTM(H, return_sequences=not last), k.Dropout(0.3)]
    return Built(k.Sequential(layers + [k.Dense(4, activation="softmax")]), ids=V)


@kind
def stacked_lstm_narrowing(k):
    """LSTMs of 8, 6 and 4 units"""
    layers = [
        k.Input((T,)),
        k.Embedding(V, E),
        k.LSTM(8, return_sequences=True),
        k.LSTM(6, return_sequences=True),
        k.LSTM(4),
    ]
    return Built(k.Sequential(layers + [k.Dense(3, activation="softmax")]), ids=V)


@kind
def toxic_max_pool(k):
    """BiLSTM, GlobalMaxPooling1D, Dense relu, six sigmoids"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    y = k.Dropout(0.1)(k.GlobalMaxPooling1D()(y))
    y = k.Dropout(0.1)(k.Dense(6, activation="relu")(y))
    return of_text(k, x, k.Dense(6, activation="sigmoid")(y))


@kind
def average_pool(k):
    """BiLSTM, GlobalAveragePooling1D, softmax"""
    x, y = text(k)
    y = k.GlobalAveragePooling1D()(k.Bidirectional(k.LSTM(H, return_sequences=True))(y))
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def pooled_gru(k):
    """SpatialDropout1D, BiGRU, average and maximum pooling side by side"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(k.SpatialDropout1D(0.2)(y))
    y = k.Concatenate()([k.GlobalAveragePooling1D()(y), k.GlobalMaxPooling1D()(y)])
    return of_text(k, x, k.Dense(6, activation="sigmoid")(y))


@kind
def gru_max_pool(k):
    """two BiGRUs, GlobalMaxPooling1D, Dense, Activation as layers of their own"""
    layers = [k.Input((T,)), k.Embedding(V, E)]
    layers += [k.Bidirectional(k.GRU(H, return_sequences=True)) for _ in range(2)]
    layers += [k.GlobalMaxPooling1D(), k.Dense(8), k.Activation("relu"), k.Dense(1), k.Activation("sigmoid")]
    return Built(k.Sequential(layers), ids=V)


@kind
def masked_lstm(k):
    """mask_zero and an LSTM's last output"""
    x, y = text(k, True)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.LSTM(H)(y)), True)


@kind
def masked_bilstm(k):
    """mask_zero and the last outputs of two directions"""
    x, y = text(k, True)
    y = k.Bidirectional(k.LSTM(H))(y)
    return of_text(k, x, k.Dense(1, activation="sigmoid")(k.Dense(8, activation="relu")(y)), True)


@kind
def masked_average_pool(k):
    """the mean over the positions that are no padding"""
    x, y = text(k, True)
    y = k.GlobalAveragePooling1D()(k.Bidirectional(k.GRU(H, return_sequences=True))(y))
    return of_text(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def masked_max_pool(k):
    """GlobalMaxPooling1D knows no masks"""
    x, y = text(k, True)
    y = k.GlobalMaxPooling1D()(k.Bidirectional(k.LSTM(H, return_sequences=True))(y))
    return of_text(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def masked_gru_stack(k):
    """mask_zero through two GRUs"""
    x, y = text(k, True)
    y = k.GRU(H)(k.GRU(H, return_sequences=True)(y))
    return of_text(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def masking_features(k):
    """Masking of dense features, LSTM"""
    x = k.Input((T, 3))
    y = k.LSTM(H)(k.Masking(-10.0)(x))
    return Built(k.Model(x, k.Dense(2, activation="softmax")(y)), masked=-10.0)


@kind
def merge_sum(k):
    """Bidirectional, merge_mode sum"""
    x, y = text(k)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Bidirectional(k.LSTM(H), merge_mode="sum")(y)))


@kind
def merge_ave(k):
    """Bidirectional, merge_mode ave"""
    x, y = text(k)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Bidirectional(k.GRU(H), merge_mode="ave")(y)))


@kind
def merge_mul_pooled(k):
    """Bidirectional, merge_mode mul, maximum"""
    x, y = text(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True), merge_mode="mul")(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.GlobalMaxPooling1D()(y)))


@kind
def merge_mul_last(k):
    """the product of the two directions' last outputs"""
    x, y = text(k)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Bidirectional(k.LSTM(H), merge_mode="mul")(y)))


@kind
def batch_normalised(k):
    """BatchNormalization behind the LSTM and behind a Dense layer"""
    x, y = text(k)
    y = k.BatchNormalization()(k.LSTM(H)(y))
    y = k.BatchNormalization()(k.Dense(8, activation="relu")(y))
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def batch_normalised_between(k):
    """BatchNormalization between recurrent layers"""
    x, y = text(k)
    y = k.BatchNormalization()(k.Bidirectional(k.LSTM(H, return_sequences=True))(y))
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Bidirectional(k.LSTM(H))(y)))


@kind
def layer_normalised(k):
    """LayerNormalization behind the LSTM"""
    x, y = text(k)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.LayerNormalization()(k.LSTM(H)(y))))


@kind
def simple_rnn(k):
    """SimpleRNN"""
    x, y = text(k)
    return of_text(k, x, k.Dense(1, activation="sigmoid")(k.SimpleRNN(H)(y)))


@kind
def convolution_first(k):
    """Conv1D and MaxPooling1D in front of the LSTM"""
    x, y = text(k, length=T)
    y = k.MaxPooling1D(2)(k.Conv1D(8, 3, activation="relu")(y))
    return of_text(k, x, k.Dense(1, activation="sigmoid")(k.LSTM(H)(y)))


@kind
def flattened(k):
    """Flatten over all positions of a BiLSTM"""
    x, y = text(k, length=T)
    y = k.Flatten()(k.Bidirectional(k.LSTM(H, return_sequences=True))(y))
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def attention_permuted(k):
    """weights by Dense(1, tanh), Flatten, softmax, RepeatVector, Permute, Multiply; their sum"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    weights = k.Activation("softmax")(k.Flatten()(k.Dense(1, activation="tanh")(y)))
    weights = k.Permute([2, 1])(k.RepeatVector(2 * H)(weights))
    y = k.op("sum", k.Multiply()([y, weights]), axis=1)
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def attention_softmax_over_time(k):
    """weights by Dense(8, tanh), Dense(1, no bias), Softmax(axis=1), Dot"""
    x, y = text(k, length=T)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    weights = k.Softmax(axis=1)(k.Dense(1, use_bias=False)(k.Dense(8, activation="tanh")(y)))
    y = k.Flatten()(k.Dot(axes=1)([weights, y]))
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Dropout(0.3)(y)))


@kind
def attention_lambda(k):
    """the sum of the weighted outputs by a Lambda"""
    x, y = text(k, length=T)
    y = k.LSTM(H, return_sequences=True)(y)
    weights = k.Activation("softmax")(k.Flatten()(k.Dense(1, activation="tanh")(y)))
    y = k.Multiply()([y, k.Permute([2, 1])(k.RepeatVector(H)(weights))])
    y = k.Lambda(lambda a: k.op("sum", a, axis=1), output_shape=(H,))(y)
    return of_text(k, x, k.Dense(1, activation="sigmoid")(y))


@kind
def many_to_one_attention(k):
    """score = (h W) . h_last, context and h_last side by side, Dense tanh"""
    x, y = text(k, length=T)
    y = k.LSTM(H, return_sequences=True)(y)
    last = y[:, -1, :]
    score = k.Dot(axes=[1, 2])([last, k.Dense(H, use_bias=False)(y)])
    context = k.Dot(axes=[1, 1])([y, k.Activation("softmax")(score)])
    y = k.Dense(8, use_bias=False, activation="tanh")(k.Concatenate()([context, last]))
    return of_text(k, x, k.Dense(1)(y))


@kind
def final_state_attention(k):
    """Attention()([h, sequence]) by the LSTM's final state, then classes"""
    x, y = text(k)
    y, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(y)
    context = k.Attention()([k.Reshape((1, H))(h), y])
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Flatten()(context)))


@kind
def final_state_additive(k):
    """AdditiveAttention by the GRU's final state, then classes"""
    x, y = text(k)
    y, h = k.GRU(H, return_sequences=True, return_state=True)(y)
    context = k.AdditiveAttention()([k.Reshape((1, H))(h), y])
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Reshape((H,))(context)))


@kind
def bahdanau_of_final_state(k):
    """Dense over sequence and final state, joined by Add, tanh, Dense(1), Dot; then classes"""
    x, y = text(k, length=T)
    y, fh, _, bh, _ = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(y)
    state = k.RepeatVector(T)(k.Dense(8)(k.Concatenate()([fh, bh])))
    energy = k.Dense(1)(k.Activation("tanh")(k.Add()([k.Dense(8)(y), state])))
    context = k.Flatten()(k.Dot(axes=1)([k.Softmax(axis=1)(energy), y]))
    return of_text(k, x, k.Dense(3, activation="softmax")(k.Dense(8, activation="relu")(context)))


@kind
def self_attention_pooled(k):
    """Attention()([x, x]) and an average"""
    x, y = text(k)
    y = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    y = k.GlobalAveragePooling1D()(k.Attention()([y, y]))
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def multi_head(k):
    """MultiHeadAttention over an LSTM's outputs"""
    x, y = text(k)
    y = k.LSTM(H, return_sequences=True)(y)
    y = k.GlobalAveragePooling1D()(k.MultiHeadAttention(2, 4)(y, y))
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def last_of_sequence(k):
    """the last position by x[:, -1, :]"""
    x, y = text(k)
    y = k.LSTM(H, return_sequences=True)(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(y[:, -1, :]))


@kind
def last_of_bidirectional(k):
    """x[:, -1] of two directions, of which the backward one has read a single token there"""
    x, y = text(k)
    y = k.Bidirectional(k.GRU(H, return_sequences=True))(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(y[:, -1]))


@kind
def two_heads(k):
    """intent and sentiment, two named outputs of one vector"""
    x, y = text(k)
    y = k.Bidirectional(k.LSTM(H))(y)
    intent = k.Dense(4, activation="softmax", name="intent")(y)
    mood = k.Dense(1, activation="sigmoid", name="sentiment")(k.Dense(6, activation="relu")(y))
    return of_text(k, x, [intent, mood])


@kind
def heads_of_a_dictionary(k):
    """outputs as a dictionary, whose order is that of its keys"""
    x, y = text(k)
    y = k.GRU(H)(y)
    heads = {
        name: k.Dense(n, activation="softmax", name=name)(y) for name, n in (("topic", 4), ("language", 3))
    }
    return of_text(k, x, heads)


@kind
def activations_of_heads(k):
    """elu, selu, gelu, swish in hidden layers and LeakyReLU as a layer"""
    x, y = text(k)
    y = k.Dense(6, activation="elu")(k.LSTM(H)(y))
    y = k.LeakyReLU()(k.Dense(5)(y))
    y = k.Dense(4, activation="swish")(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def own_backward_layer(k):
    """Bidirectional with a backward_layer of its own: an LSTM with relu"""
    x, y = text(k)
    y = k.Bidirectional(k.LSTM(H), backward_layer=k.LSTM(H, activation="relu", go_backwards=True))(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def lstm_and_gru_directions(k):
    """an LSTM forward, a GRU backward"""
    x, y = text(k)
    y = k.Bidirectional(k.LSTM(H), backward_layer=k.GRU(H, go_backwards=True))(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def reads_backwards(k):
    """an LSTM with go_backwards, its last output"""
    x, y = text(k)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.LSTM(H, go_backwards=True)(y)))


@kind
def reads_backwards_masked(k):
    """the same with mask_zero: it begins with the last token that is no padding"""
    x, y = text(k, True)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.GRU(H, go_backwards=True)(y)), True)


@kind
def last_of_masked(k):
    """x[:, -1] behind a masked LSTM, which is the row's last output"""
    x, y = text(k, True)
    y = k.LSTM(H, return_sequences=True)(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(y[:, -1]), True)


@kind
def masked_forward_max_pool(k):
    """the maximum over a masked LSTM that reads forwards"""
    x, y = text(k, True)
    y = k.GlobalMaxPooling1D()(k.Dense(4, activation="relu")(k.LSTM(H, return_sequences=True)(y)))
    return of_text(k, x, k.Dense(3, activation="softmax")(y), True)


@kind
def two_directions_by_hand(k):
    """a forward and a backward LSTM side by side, concatenated"""
    x, y = text(k)
    y = k.Concatenate()([k.LSTM(H)(y), k.LSTM(H, go_backwards=True)(y)])
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def residual_bilstm(k):
    """the second layer's output is added to the first one's"""
    x, y = text(k)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True))(y)
    b = k.Bidirectional(k.LSTM(H, return_sequences=True))(a)
    y = k.GlobalMaxPooling1D()(k.Add()([a, b]))
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def gru_cell_in_rnn(k):
    """RNN(GRUCell)"""
    x, y = text(k)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.RNN(k.GRUCell(H))(y)))


@kind
def stacked_cells(k):
    """RNN of two LSTMCells"""
    x, y = text(k)
    return of_text(k, x, k.Dense(3, activation="softmax")(k.RNN([k.LSTMCell(H), k.LSTMCell(4)])(y)))


@kind
def siamese(k):
    """one encoder for two texts, their distance"""
    a, b = k.Input((T,)), k.Input((T,))
    embed, read = k.Embedding(V, E), k.LSTM(H)
    y = k.Subtract()([read(embed(a)), read(embed(b))])
    return of_text(k, [a, b], k.Dense(1, activation="sigmoid")(y))


@kind
def hierarchical(k):
    """words to sentences to documents, by TimeDistributed of a model"""
    sentence = k.Input((5,))
    inner = k.Model(sentence, k.LSTM(H)(k.Embedding(V, E)(sentence)))
    x = k.Input((4, 5))
    y = k.LSTM(H)(k.TimeDistributed(inner)(x))
    return of_text(k, x, k.Dense(3, activation="softmax")(y))


@kind
def nested_encoder(k):
    """the encoder as a model of its own, called as a layer"""
    inner_x, inner_y = text(k)
    inner = k.Model(inner_x, k.Bidirectional(k.GRU(H))(inner_y), name="encoder")
    x = k.Input((None,))
    return of_text(k, x, k.Dense(3, activation="softmax")(inner(x)))


@kind
def sequential_in_sequential(k):
    """a Sequential in a Sequential"""
    inner = k.Sequential([k.Input((None,)), k.Embedding(V, E), k.LSTM(H)])
    return Built(
        k.Sequential([inner, k.Dense(4, activation="relu"), k.Dense(2, activation="softmax")]), ids=V
    )


@kind
def language_model_last(k):
    """the next character of one-hot text, from the last output"""
    x = k.Input((T, 9))
    y = k.LSTM(H)(x)
    return k.Model(x, k.Activation("softmax")(k.Dense(9)(y)))


@kind
def logits(k):
    """classes without an activation"""
    x, y = text(k)
    return of_text(k, x, k.Dense(5)(k.Bidirectional(k.GRU(H))(y)))


@kind
def five_dense_layers(k):
    """more dense layers than a head may have"""
    x, y = text(k)
    y = k.LSTM(H)(y)
    for units in (8, 7, 6, 5):
        y = k.Dense(units, activation="relu")(y)
    return of_text(k, x, k.Dense(3, activation="softmax")(y))
