"""Decoders that read their own probabilities, as the Keras blog's loop "without teacher forcing" has it, and as others
wire it: the first step reads a start token's one-hot row, zeros, or a vector of the encoder's."""

from kinds import Built, kind

V, W, E, H, T, Y = 9, 7, 4, 6, 7, 4


def classes(k):
    return k.Dense(W, activation="softmax")


def encoded(k, x):
    """All outputs of an LSTM, and its last states."""
    return k.LSTM(H, return_sequences=True, return_state=True)(x)


def started(k, inputs, outputs):
    """A model whose second input is the start token's row."""
    return Built(k.Model(inputs, outputs), start=True)


def joined(k, outputs):
    return k.Concatenate(axis=1)(outputs)


@kind
def probabilities_blog(k):
    """the blog's: an LSTM over its own probabilities, several at once where the layer is given more"""
    x, first = k.Input((None, V), name="encoder_inputs"), k.Input((1, W), name="decoder_inputs")
    _, h, c = k.LSTM(H, return_state=True)(x)
    cell, softmax, y, outputs = k.LSTM(H, return_sequences=True, return_state=True), classes(k), first, []
    states = [h, c]
    for _ in range(Y):
        y, h, c = cell(y, initial_state=states)
        y = softmax(y)
        outputs.append(y)
        states = [h, c]
    return started(k, [x, first], joined(k, outputs))


@kind
def probabilities_words(k):
    """word ids in, a BiGRU; the start row flat; a GRU's state h alone; outputs one by one"""
    x, first = k.Input((T,), name="words"), k.Input((W,), name="start")
    h = k.Dense(H, activation="tanh")(k.Bidirectional(k.GRU(H))(k.Embedding(V, E)(x)))
    cell, softmax, row, y, outputs = k.GRU(H, return_state=True), classes(k), k.Reshape((1, W)), first, []
    for _ in range(Y):
        _, h = cell(row(y), initial_state=h)
        y = softmax(h)
        outputs.append(y)
    return Built(k.Model([x, first], outputs), ids=V, start=True)


@kind
def probabilities_zeros(k):
    """the first step reads zeros, made of what it would give; attention by the state before; outputs stacked"""
    x = k.Input((T, V))
    a, h, c = encoded(k, x)
    attend, cell, softmax, join = k.Attention(), k.LSTM(H, return_state=True), classes(k), k.Concatenate()
    y, outputs = k.op("zeros_like", softmax(h)), []
    for _ in range(Y):
        context = attend([k.Reshape((1, H))(h), a])
        _, h, c = cell(join([context, k.Reshape((1, W))(y)]), initial_state=[h, c])
        y = softmax(h)
        outputs.append(y)
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def probabilities_bahdanau(k):
    """attention of Dense layers, asked by the state before, its context beside the probabilities; an LSTM"""
    x, first = k.Input((T, V)), k.Input((1, W))
    a, h1, c1, h2, c2 = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(x)
    h, c = k.Dense(H, activation="relu")(k.Concatenate()([h1, h2])), k.Dense(H)(k.Concatenate()([c1, c2]))
    repeat, join, tanh, one = k.RepeatVector(T), k.Concatenate(), k.Dense(5, activation="tanh"), k.Dense(1)
    weigh, dot, cell = k.Softmax(axis=1), k.Dot(axes=1), k.LSTM(H, return_state=True)
    softmax, y, outputs = k.TimeDistributed(classes(k)), first, []
    for _ in range(Y):
        context = dot([weigh(one(tanh(join([a, repeat(h)])))), a])
        y, h, c = cell(join([context, y]), initial_state=[h, c])
        y = softmax(k.Reshape((1, H))(y))
        outputs.append(y)
    return started(k, [x, first], joined(k, outputs))


@kind
def probabilities_luong(k):
    """attention behind the cell; Dense tanh over context and state, then the classes, which go on"""
    x, first = k.Input((T, V)), k.Input((1, W))
    a, h, c = encoded(k, x)
    cell, attend = k.LSTM(H, return_sequences=True, return_state=True), k.Attention(score_mode="dot")
    tanh, softmax, y, outputs = k.Dense(5, activation="tanh"), classes(k), first, []
    for _ in range(Y):
        y, h, c = cell(y, initial_state=[h, c])
        y = softmax(tanh(k.Concatenate()([attend([y, a]), y])))
        outputs.append(y)
    return started(k, [x, first], joined(k, outputs))


@kind
def probabilities_luong_zeros(k):
    """the same with a GRU, from zeros"""
    x = k.Input((T, V))
    a, h = k.GRU(H, return_sequences=True, return_state=True)(x)
    cell, attend = k.GRU(H, return_state=True), k.AdditiveAttention()
    tanh, softmax, outputs = k.Dense(5, activation="tanh"), classes(k), []
    y = k.op("zeros_like", softmax(tanh(k.Concatenate()([h, h]))))
    for _ in range(Y):
        _, h = cell(k.Reshape((1, W))(y), initial_state=h)
        context = k.Reshape((H,))(attend([k.Reshape((1, H))(h), a]))
        y = softmax(tanh(k.Concatenate()([context, h])))
        outputs.append(y)
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def probabilities_two_layers(k):
    """two LSTMs each with the encoder's states, dropout between, TimeDistributed classes through a Dense relu"""
    x, first = k.Input((T, V)), k.Input((1, W))
    a, h1, c1 = encoded(k, x)
    _, h2, c2 = k.LSTM(H, return_state=True)(a)
    low, high = (k.LSTM(H, return_sequences=True, return_state=True) for _ in "12")
    relu, softmax = k.TimeDistributed(k.Dense(8, activation="relu")), k.TimeDistributed(classes(k))
    y, outputs = first, []
    for _ in range(Y):
        z, h1, c1 = low(y, initial_state=[h1, c1])
        z, h2, c2 = high(k.Dropout(0.3)(z), initial_state=[h2, c2])
        y = softmax(relu(z))
        outputs.append(y)
    return started(k, [x, first], joined(k, outputs))


def embedded(k, embed):
    """A loop whose cell reads what a layer makes of the probabilities."""
    x, first = k.Input((T, V)), k.Input((1, W))
    _, h, c = encoded(k, x)
    cell, softmax, y, outputs = k.LSTM(H, return_state=True), classes(k), first, []
    for _ in range(Y):
        _, h, c = cell(embed(y), initial_state=[h, c])
        y = k.Reshape((1, W))(softmax(h))
        outputs.append(y)
    return started(k, [x, first], joined(k, outputs))


@kind
def probabilities_embedded(k):
    """a Dense without activation makes a vector of the probabilities, as an embedding does of a token"""
    return embedded(k, k.Dense(E, use_bias=False))


@kind
def probabilities_tanh_embedded(k):
    """the same with a tanh"""
    return embedded(k, k.Dense(E, activation="tanh"))


@kind
def probabilities_beside_the_encoders(k):
    """every step reads the encoder's last state beside the probabilities, and so does the output"""
    x, first = k.Input((T, V)), k.Input((1, W))
    _, last = k.GRU(H, return_state=True)(x)
    cell, softmax, join, y, h, outputs = k.GRU(H, return_state=True), classes(k), k.Concatenate(), first, last, []
    for _ in range(Y):
        _, h = cell(join([y, k.Reshape((1, H))(last)]), initial_state=h)
        y = k.Reshape((1, W))(softmax(join([h, last])))
        outputs.append(y)
    return started(k, [x, first], joined(k, outputs))


@kind
def probabilities_from_last_row(k):
    """symbols one-hot in and probabilities out: the first step reads the last symbol"""
    x = k.Input((T, W))
    _, h, c = encoded(k, x)
    cell, softmax, y, outputs = k.LSTM(H, return_state=True), classes(k), x[:, -1:], []
    for _ in range(Y):
        _, h, c = cell(y, initial_state=[h, c])
        y = k.Reshape((1, W))(softmax(h))
        outputs.append(y)
    return Built(k.Model(x, joined(k, outputs)), one_hot=True)


@kind
def probabilities_from_a_dense(k):
    """the first step reads a Dense of the encoder's state"""
    x = k.Input((T, V))
    _, h, c = encoded(k, x)
    cell, softmax, row, outputs = k.LSTM(H, return_state=True), classes(k), k.Reshape((1, W)), []
    y = k.Dense(W, activation="tanh")(h)
    for _ in range(Y):
        _, h, c = cell(row(y), initial_state=[h, c])
        y = softmax(h)
        outputs.append(y)
    return k.Model(x, k.op("stack", outputs, axis=1))


@kind
def probabilities_from_the_state(k):
    """the first step reads classes of the encoder's state"""
    x = k.Input((T, V))
    _, h, c = encoded(k, x)
    cell, softmax, row, outputs = k.LSTM(H, return_state=True), classes(k), k.Reshape((1, W)), []
    y = softmax(h)
    for _ in range(Y):
        _, h, c = cell(row(y), initial_state=[h, c])
        y = softmax(h)
        outputs.append(y)
    return k.Model(x, outputs)


@kind
def probabilities_cells(k):
    """two cells called by themselves, the upper one with the context beside"""
    x, first = k.Input((T, V)), k.Input((W,))
    a, h, c = encoded(k, x)
    g, attend, low, high = h, k.Attention(), k.LSTMCell(H), k.GRUCell(H)
    softmax, join, y, outputs = classes(k), k.Concatenate(), first, []
    for _ in range(Y):
        context = k.Reshape((H,))(attend([k.Reshape((1, H))(h), a]))
        z, [h, c] = low(y, [h, c])
        _, g = high(join([z, context]), g)
        g = g[0] if isinstance(g, (list, tuple)) else g
        y = softmax(g)
        outputs.append(y)
    return started(k, [x, first], k.op("stack", outputs, axis=1))


@kind
def probabilities_read_by_the_output(k):
    """classes of state, context and what the step has read; several Dense layers"""
    x, first = k.Input((T, V)), k.Input((W,))
    a, h, c = encoded(k, x)
    cell, attend, join = k.LSTM(H, return_sequences=True, return_state=True), k.AdditiveAttention(), k.Concatenate()
    relu, softmax, y, outputs = k.Dense(8, activation="relu"), classes(k), k.Reshape((1, W))(first), []
    for _ in range(Y):
        z, h, c = cell(y, initial_state=[h, c])
        y = softmax(relu(join([z, attend([z, a]), y])))
        outputs.append(y)
    return started(k, [x, first], joined(k, outputs))


@kind
def probabilities_ask(k):
    """the attention is asked by the probabilities, through a Dense"""
    x, first = k.Input((T, V)), k.Input((W,))
    a, h, c = encoded(k, x)
    query, attend, cell, softmax = k.Dense(H), k.Attention(), k.LSTM(H, return_state=True), classes(k)
    y, outputs = k.Reshape((1, W))(first), []
    for _ in range(Y):
        _, h, c = cell(k.Concatenate()([attend([query(y), a]), y]), initial_state=[h, c])
        y = k.Reshape((1, W))(softmax(h))
        outputs.append(y)
    return started(k, [x, first], joined(k, outputs))


@kind
def probabilities_not_the_output(k):
    """classes of the state go on, and the output is of other layers"""
    x, first = k.Input((T, V)), k.Input((1, W))
    _, h, c = encoded(k, x)
    cell, softmax, dense, y, outputs = k.LSTM(H, return_state=True), classes(k), k.Dense(2), first, []
    for _ in range(Y):
        _, h, c = cell(y, initial_state=[h, c])
        y = k.Reshape((1, W))(softmax(h))
        outputs.append(dense(h))
    return started(k, [x, first], outputs)
