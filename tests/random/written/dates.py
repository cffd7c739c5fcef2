"""Decoders that are a loop in the author's code: steps of layers that all of them share, as the course's
notebook on dates has them, and what people made of it."""

from kinds import Built, kind

V, W, E, H, S, T, Y = 9, 8, 5, 6, 8, 7, 4


def directions(k, x, cell="LSTM"):
    """The bidirectional encoder's outputs."""
    return k.Bidirectional(getattr(k, cell)(H, return_sequences=True))(x)


def starts(k, count=2, width=S):
    """Inputs that stand for zeros."""
    return [k.Input((width,), name=f"s{i}") for i in range(count)]


def classes(k):
    return k.Dense(W, activation="softmax")


class Attend:
    """One step of the notebook's attention: repeat, join, two Dense layers, a softmax over time, Dot."""

    def __init__(self, k, hidden=10, second="relu"):
        self.repeat, self.join, self.dot = k.RepeatVector(T), k.Concatenate(axis=-1), k.Dot(axes=1)
        self.first, self.second = k.Dense(hidden, activation="tanh"), k.Dense(1, activation=second)
        self.weigh = k.Softmax(axis=1)

    def alphas(self, a, s):
        return self.weigh(self.second(self.first(self.join([a, self.repeat(s)]))))

    def __call__(self, a, s):
        return self.dot([self.alphas(a, s), a])


@kind
def dates_embedded(k):
    """ids in, an Embedding, two bidirectional layers with dropout in front of the loop"""
    x, (s, c) = k.Input((T,)), starts(k)
    a = k.Bidirectional(k.LSTM(H, return_sequences=True, dropout=0.2))(k.Embedding(V, E)(x))
    a, attend, cell, softmax, outputs = directions(k, a), Attend(k), k.LSTM(S, return_state=True), classes(k), []
    h, state = s, c
    for _ in range(Y):
        h, _, state = cell(attend(a, h), initial_state=[h, state])
        outputs.append(softmax(h))
    return Built(k.Model([x, s, c], outputs), ids=V)


@kind
def dates_softmax_lambda(k):
    """the softmax over time is a Lambda of the author's"""
    x, (h, c) = k.Input((T, V)), starts(k)
    first = [h, c]
    a, attend, cell, softmax, outputs = directions(k, x), Attend(k), k.LSTM(S, return_state=True), classes(k), []
    attend.weigh = k.Lambda(lambda e: k.op("softmax", e, axis=1))
    for _ in range(Y):
        h, _, c = cell(attend(a, h), initial_state=[h, c])
        outputs.append(softmax(h))
    return k.Model([x, *first], outputs)


@kind
def dates_previous_output(k):
    """the cell reads the context beside the probabilities of the step before"""
    x, (s, c) = k.Input((T, V)), starts(k)
    before = k.Input((W,), name="out0")
    first, h = [s, c, before], s
    a, attend, cell, softmax, outputs = directions(k, x), Attend(k), k.LSTM(S, return_state=True), classes(k), []
    for _ in range(Y):
        y = k.Concatenate()([attend(a, h), k.Reshape((1, W))(before)])
        h, _, c = cell(y, initial_state=[h, c])
        before = softmax(h)
        outputs.append(before)
    return k.Model([x, *first], outputs)


@kind
def dates_cell(k):
    """an LSTMCell over the flat context"""
    x, (s, c) = k.Input((T, V)), starts(k)
    a, attend, cell, softmax, outputs, h, state = directions(k, x), Attend(k), k.LSTMCell(S), classes(k), [], s, c
    for _ in range(Y):
        h, (h, state) = cell(k.Flatten()(attend(a, h)), [h, state])
        outputs.append(softmax(h))
    return k.Model([x, s, c], outputs)


@kind
def dates_energies_added(k):
    """Bahdanau's sum by broadcasting: tanh(Dense(a) + Dense(s)[:, None]), softmax, product, sum over time"""
    x = k.Input((T, V))
    a, f, b = k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))(x)
    of_keys, of_state, energy = k.Dense(9), k.Dense(9), k.Dense(1)
    h, cell, softmax, outputs = k.Add()([f, b]), k.GRU(H, return_state=True), classes(k), []
    for _ in range(Y):
        asked = k.op("expand_dims", of_state(h), 1)
        alphas = k.op("softmax", energy(k.op("tanh", of_keys(a) + asked)), axis=1)
        context = k.op("sum", alphas * a, axis=1)
        _, h = cell(k.op("expand_dims", context, 1), initial_state=h)
        outputs.append(softmax(h))
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def dates_dot(k):
    """Luong's score by the state before: Dot, softmax, Dot"""
    x = k.Input((T, V))
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(x)
    h, c = k.Concatenate()([fh, bh]), k.Concatenate()([fc, bc])
    score, weigh, combine = k.Dot(axes=[2, 1]), k.Activation("softmax"), k.Dot(axes=[1, 1])
    cell, softmax, row, outputs = k.LSTM(2 * H, return_state=True), classes(k), k.Reshape((1, 2 * H)), []
    for _ in range(Y):
        context = combine([weigh(score([a, h])), a])
        h, _, c = cell(row(context), initial_state=[h, c])
        outputs.append(softmax(h))
    return k.Model(x, outputs)


@kind
def dates_flattened_weights(k):
    """Dense(1), Flatten, softmax, RepeatVector, Permute, Multiply, the sum over time"""
    x, (s, c) = k.Input((T, V)), starts(k)
    a, attend, cell, softmax, outputs, h, state = (
        directions(k, x),
        Attend(k, second="tanh"),
        k.LSTM(S, return_state=True),
        classes(k),
        [],
        s,
        c,
    )
    for _ in range(Y):
        energies = attend.second(attend.first(attend.join([a, attend.repeat(h)])))
        alphas = k.Activation("softmax")(k.Flatten()(energies))
        weights = k.Permute((2, 1))(k.RepeatVector(2 * H)(alphas))
        context = k.op("sum", k.Multiply()([a, weights]), axis=1, keepdims=True)
        h, _, state = cell(context, initial_state=[h, state])
        outputs.append(softmax(h))
    return k.Model([x, s, c], outputs)


@kind
def dates_begun_by_dense(k):
    """h by Dense tanh of the first backward output, c zeros; classes of state and context"""
    x = k.Input((T, V))
    a = directions(k, x, "GRU")
    h = k.Dense(S, activation="tanh")(a[:, 0, H:])
    state, attend, cell, softmax, outputs = (
        k.op("zeros_like", h),
        Attend(k),
        k.LSTM(S, return_state=True),
        classes(k),
        [],
    )
    for _ in range(Y):
        context = attend(a, h)
        h, _, state = cell(context, initial_state=[h, state])
        outputs.append(softmax(k.Concatenate()([h, k.Flatten()(context)])))
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def dates_low_layer_asks(k):
    """two LSTMs in every step, the lower one's state asks, four inputs of zeros"""
    x, begin = k.Input((T, V)), starts(k, 4)
    h1, c1, h2, c2 = begin
    a, attend, softmax, outputs = directions(k, x), Attend(k), classes(k), []
    low, high, row = k.LSTM(S, return_state=True), k.LSTM(S, return_state=True), k.Reshape((1, S))
    for _ in range(Y):
        h1, _, c1 = low(attend(a, h1), initial_state=[h1, c1])
        h2, _, c2 = high(row(h1), initial_state=[h2, c2])
        outputs.append(softmax(h2))
    return k.Model([x, *begin], outputs)


@kind
def dates_normalised_head(k):
    """dropout and batch normalisation between the cell and two Dense layers"""
    x, (s, c) = k.Input((T, V)), starts(k)
    a, attend, cell, outputs, h, state = directions(k, x), Attend(k), k.LSTM(S, return_state=True), [], s, c
    norm, hidden, drop, softmax = k.BatchNormalization(), k.Dense(9, activation="relu"), k.Dropout(0.3), classes(k)
    for _ in range(Y):
        h, _, state = cell(attend(a, h), initial_state=[h, state])
        outputs.append(softmax(drop(norm(hidden(h)))))
    return k.Model([x, s, c], outputs)


@kind
def dates_head_for_each_step(k):
    """a Dense layer for each step of its own"""
    x, (s, c) = k.Input((T, V)), starts(k)
    a, attend, cell, outputs, h, state = directions(k, x), Attend(k), k.LSTM(S, return_state=True), [], s, c
    for _ in range(Y):
        h, _, state = cell(attend(a, h), initial_state=[h, state])
        outputs.append(classes(k)(h))
    return k.Model([x, s, c], outputs)


@kind
def dates_with_weights(k):
    """the classes of all steps, then the attention's weights of all steps"""
    x, (s, c) = k.Input((T, V)), starts(k)
    a, attend, cell, softmax, h, state = directions(k, x), Attend(k), k.LSTM(S, return_state=True), classes(k), s, c
    outputs, weights = [], []
    for _ in range(Y):
        alphas = attend.alphas(a, h)
        h, _, state = cell(attend.dot([alphas, a]), initial_state=[h, state])
        outputs.append(softmax(h))
        weights.append(alphas)
    return k.Model([x, s, c], outputs + weights)


@kind
def dates_nested_attention(k):
    """the attention's step is a model of its own"""
    x, (s, c) = k.Input((T, V)), starts(k)
    seen, asks = k.Input((T, 2 * H)), k.Input((S,))
    attend = k.Model([seen, asks], Attend(k)(seen, asks), name="one_step_attention")
    a, cell, softmax, outputs, h, state = directions(k, x), k.LSTM(S, return_state=True), classes(k), [], s, c
    for _ in range(Y):
        h, _, state = cell(attend([a, h]), initial_state=[h, state])
        outputs.append(softmax(h))
    return k.Model([x, s, c], outputs)


@kind
def dates_nested_step(k):
    """the whole step is a model of its own: classes and both states come out of it"""
    x, (s, c) = k.Input((T, V)), starts(k)
    seen, asks, carried = k.Input((T, 2 * H)), k.Input((S,)), k.Input((S,))
    after, _, kept = k.LSTM(S, return_state=True)(Attend(k)(seen, asks), initial_state=[asks, carried])
    step = k.Model([seen, asks, carried], [classes(k)(after), after, kept], name="step")
    a, outputs, h, state = directions(k, x), [], s, c
    for _ in range(Y):
        y, h, state = step([a, h, state])
        outputs.append(y)
    return k.Model([x, s, c], outputs)


@kind
def dates_context_once(k):
    """the attention is made once, before the loop; every step reads its context"""
    x = k.Input((T, V))
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(x)
    h, c = k.Dense(S)(k.Concatenate()([fh, bh])), k.Dense(S)(k.Concatenate()([fc, bc]))
    context, cell, softmax, outputs = Attend(k)(a, h), k.LSTM(S, return_state=True), classes(k), []
    for _ in range(Y):
        h, _, c = cell(context, initial_state=[h, c])
        outputs.append(softmax(h))
    return k.Model(x, outputs)


@kind
def dates_best_token_embedded(k):
    """each step reads the embedded best token of the step before beside the context"""
    x, start = k.Input((T, V)), k.Input((), dtype="int32", name="start")
    a, h = k.GRU(H, return_sequences=True, return_state=True)(x)
    embed, attend, cell = k.Embedding(W, E), k.Attention(), k.GRU(H, return_state=True)
    softmax, outputs, token = classes(k), [], start
    for _ in range(Y):
        context = attend([k.Reshape((1, H))(h), a])
        _, h = cell(k.Concatenate()([context, k.Reshape((1, E))(embed(token))]), initial_state=h)
        outputs.append(softmax(h))
        token = k.op("argmax", outputs[-1], axis=-1)
    return Built(k.Model([x, start], outputs), start=True)


@kind
def dates_additive_layer(k):
    """AdditiveAttention asked by the state, Dense bridges, context and state into the classes"""
    x = k.Input((T, V))
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(x)
    h, c = k.Dense(2 * H, "tanh")(k.Concatenate()([fh, bh])), k.Dense(2 * H, "tanh")(k.Concatenate()([fc, bc]))
    attend, row, cell = k.AdditiveAttention(), k.Reshape((1, 2 * H)), k.LSTM(2 * H, return_state=True)
    hidden, softmax, outputs = k.Dense(9, activation="relu"), classes(k), []
    for _ in range(Y):
        context = attend([row(h), a])
        _, h, c = cell(context, initial_state=[h, c])
        outputs.append(softmax(hidden(k.Concatenate()([row(h), context]))))
    return k.Model(x, k.Concatenate(axis=1)(outputs))


@kind
def dates_three_energies(k):
    """three Dense layers make the energies; the state stands before the encoder's outputs"""
    x, (s, c) = k.Input((T, V)), starts(k)
    a = directions(k, k.Dropout(0.1)(x))
    repeat, join = k.RepeatVector(T), k.Concatenate()
    layers = [k.Dense(10, activation="tanh"), k.Dense(6, activation="relu"), k.Dense(1)]
    cell, softmax, outputs, h, state = k.LSTM(S, return_state=True), classes(k), [], s, c
    for _ in range(Y):
        energies = join([repeat(h), a])
        for layer in layers:
            energies = layer(energies)
        context = k.Dot(axes=1)([k.Softmax(axis=1)(energies), a])
        h, _, state = cell(context, initial_state=[h, state])
        outputs.append(softmax(h))
    return k.Model([x, s, c], outputs)


@kind
def dates_steps_reordered(k):
    """the last step's classes first: the list is reversed"""
    x, (s, c) = k.Input((T, V)), starts(k)
    a, attend, cell, softmax, outputs, h, state = (
        directions(k, x),
        Attend(k),
        k.LSTM(S, return_state=True),
        classes(k),
        [],
        s,
        c,
    )
    for _ in range(Y):
        h, _, state = cell(attend(a, h), initial_state=[h, state])
        outputs.insert(0, softmax(h))
    return k.Model([x, s, c], outputs)


@kind
def dates_no_attention(k):
    """a loop without attention: every step reads the encoder's last output"""
    x = k.Input((T, V))
    y, h, c = k.LSTM(S, return_state=True)(x)
    row, cell, softmax, outputs = k.Reshape((1, S)), k.LSTM(S, return_state=True), classes(k), []
    read = row(y)
    for _ in range(Y):
        _, h, c = cell(read, initial_state=[h, c])
        outputs.append(softmax(h))
    return k.Model(x, k.op("stack", outputs, axis=1))
