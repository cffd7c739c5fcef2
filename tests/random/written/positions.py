"""Attention that an author wrote out position by position: a[:, i] for every i."""

from kinds import kind

T, F, H, W, Y = 6, 5, 3, 4, 2


def encoder(k):
    x = k.Input((T, F))
    a, fh, fc, bh, bc = k.Bidirectional(k.LSTM(H, return_sequences=True, return_state=True))(x)
    return x, a, k.Concatenate()([fh, bh]), k.Concatenate()([fc, bc])


def energies(k, a, s, join, energy):
    return [energy(join([a[:, i], s])) for i in range(T)]


@kind
def date_positions(k):
    """energies one by one, joined along the positions"""
    x, a, h, c = encoder(k)
    join, energy, row = k.Concatenate(), k.Dense(1, activation="tanh"), k.Reshape((1, 1))
    weigh, dot, cell = k.Softmax(axis=1), k.Dot(axes=1), k.LSTM(2 * H, return_state=True)
    classes, outputs, join_positions = k.Dense(W, activation="softmax"), [], k.Concatenate(axis=1)
    for _ in range(Y):
        alphas = weigh(join_positions([row(e) for e in energies(k, a, h, join, energy)]))
        h, _, c = cell(dot([alphas, a]), initial_state=[h, c])
        outputs.append(classes(h))
    return k.Model(x, outputs)


@kind
def positions_beside_each_other(k):
    """energies one by one, joined as [batch, time], and a softmax of them"""
    x, a, h, c = encoder(k)
    join, energy = k.Concatenate(), k.Dense(1, activation="tanh")
    alphas = k.Softmax()(k.Concatenate()(energies(k, a, h, join, energy)))
    context = k.Dot(axes=1)([k.Reshape((T, 1))(alphas), a])
    return k.Model(x, k.Dense(W, activation="softmax")(k.Flatten()(context)))


@kind
def positions_out_of_order(k):
    """the same, two positions in the other order: nothing that cuseq has"""
    x, a, h, _ = encoder(k)
    join, energy = k.Concatenate(), k.Dense(1, activation="tanh")
    found = energies(k, a, h, join, energy)
    found[1], found[2] = found[2], found[1]
    alphas = k.Softmax()(k.Concatenate()(found))
    context = k.Dot(axes=1)([k.Reshape((T, 1))(alphas), a])
    return k.Model(x, k.Dense(W, activation="softmax")(k.Flatten()(context)))


@kind
def positions_of_one_more(k):
    """an energy that another position takes part in"""
    x, a, h, _ = encoder(k)
    join, energy = k.Concatenate(), k.Dense(1, activation="tanh")
    found = [energy(join([a[:, i], a[:, 0], h])) for i in range(T)]
    alphas = k.Softmax()(k.Concatenate()(found))
    context = k.Dot(axes=1)([k.Reshape((T, 1))(alphas), a])
    return k.Model(x, k.Dense(W, activation="softmax")(k.Flatten()(context)))


@kind
def positions_of_a_forward_layer(k):
    """the last position of a layer that reads forwards is its final state"""
    x = k.Input((T, F))
    a, h, _ = k.LSTM(H, return_sequences=True, return_state=True)(x)
    join, energy = k.Concatenate(), k.Dense(1, activation="tanh")
    alphas = k.Softmax()(k.Concatenate()(energies(k, a, h, join, energy)))
    return k.Model(x, k.Dense(W, activation="softmax")(k.Flatten()(k.Dot(axes=1)([k.Reshape((T, 1))(alphas), a]))))


@kind
def positions_through_a_dense_layer(k):
    """no attention: a tagger whose positions go through one layer each"""
    x, a, _, _ = encoder(k)
    classes, row = k.Dense(W, activation="softmax"), k.Reshape((1, W))
    return k.Model(x, k.Concatenate(axis=1)([row(classes(a[:, i])) for i in range(T)]))


@kind
def positions_of_one_number(k):
    """a number at each position, flattened, and Dense layers over all of them"""
    x = k.Input((T, F))
    y = k.Flatten()(k.TimeDistributed(k.Dense(1))(k.LSTM(H, return_sequences=True)(x)))
    return k.Model(x, k.Dense(Y)(k.Dense(4, activation="relu")(y)))


@kind
def positions_of_one_unit(k):
    """a GRU of one unit over another, flattened"""
    x = k.Input((T, F))
    y = k.GRU(1, return_sequences=True)(k.GRU(H, return_sequences=True)(x))
    return k.Model(x, k.Dense(Y, activation="softmax")(k.Flatten()(y)))


@kind
def positions_of_one_number_masked(k):
    """the same over padding"""
    x = k.Input((T,))
    y = k.LSTM(H, return_sequences=True)(k.Embedding(9, 4, mask_zero=True)(x))
    return k.Model(x, k.Dense(Y)(k.Flatten()(k.Dense(1)(y))))
