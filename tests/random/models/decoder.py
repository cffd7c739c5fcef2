"""The decoder, its steps unrolled in the graph, and where its states begin."""


class Steps:
    """What every step gives: lists of tensors."""

    def __init__(self):
        self.contexts, self.alphas, self.states, self.cells, self.outputs, self.second = (
            [],
            [],
            [],
            [],
            [],
            [],
        )


# ---- initial states


def initial_states(m, encoded):
    """(h, c, width); h and c are None where the cell is called without states."""
    choices = ["inputs"] * 3 + ["zeros"] + ["encoder"] * 3 + ["dense"] * 2
    rule = m.pick(choices)
    if rule == "inputs":
        return m.zero_input((m.state,), "s0"), m.zero_input((m.state,), "c0"), m.state
    if rule == "zeros":
        return None, None, m.state
    h, c = finals(m, encoded)
    if rule == "dense":
        activation = m.pick(["tanh", "tanh", "linear", "relu", "sigmoid"])
        both = m.layer("Dense", "bridge", units=m.state, activation=activation)
        other = both if m.chance(0.3) else m.layer("Dense", "bridge_c", units=m.state, activation=activation)
        if m.twist("bridges unlike"):
            other = m.layer("Dense", "bridge_c", units=m.state, activation="softsign")
        if m.twist("one state dense") and h.shape[-1] == m.state:
            return both(h), c, m.state
        h, c = both(h), other(c)
    elif m.chance(0.1):
        h = m.op("zeros_like", h)
        m.note("zeros_like")
    if m.twist("states swapped"):
        h, c = c, h
    if m.twist("state twice"):
        return h, h, h.shape[-1]
    return h, c, h.shape[-1]


def finals(m, encoded):
    """The encoder's final states as one vector each."""
    h, c = list(encoded.h), list(encoded.c)
    if m.twist("lower layer's states") and encoded.below is not None and encoded.below.h:
        h, c = list(encoded.below.h), list(encoded.below.c)
    if m.twist("directions of states swapped"):
        h, c = h[::-1], c[::-1]
    if m.twist("states crossed") and len(h) == 2:
        h, c = [h[0], c[1]], [c[0], h[1]]
    if len(h) == 1 or m.twist("one direction's states"):
        at = 0 if len(h) == 1 else m.pick([0, 1])
        return h[at], c[at]
    if m.chance(0.2):
        add = m.layer("Add")
        return add(h), add(c)
    join = m.layer("Concatenate")
    return join(h), join(c) if m.chance(0.5) else m.layer("Concatenate")(c)


# ---- steps


def cell_layer(m, width):
    """The decoder's cell."""
    activation = m.pick(["tanh"] * 6 + ["relu", "linear"])
    settings = dict(activation=activation, recurrent_activation=m.pick(["sigmoid"] * 5 + ["hard_sigmoid"]))
    if m.chance(0.1):
        settings["use_bias"] = False
    if m.chance(0.1):
        settings["dropout"] = 0.2
    more = dict(return_state=True)
    if m.chance(0.2):
        more["return_sequences"] = True
    if m.twist("cell go_backwards"):
        more["go_backwards"] = True
    if m.cell == "GRU" or m.twist("decoder gru"):
        settings["reset_after"] = m.chance(0.6)
        if m.chance(0.12):
            return m.layer("RNN", "decoder", cell=m.layer("GRUCell", units=width, **settings), **more)
        return m.layer("GRU", "decoder", units=width, **settings, **more)
    if m.chance(0.12):
        return m.layer("RNN", "decoder", cell=m.layer("LSTMCell", units=width, **settings), **more)
    return m.layer("LSTM", "decoder", units=width, **settings, **more)


def one_step(m, cell, x, h, c):
    """h and c after a step that reads x [B,1,N]."""
    gru = "GRU" in (
        cell.__class__.__name__,
        getattr(cell, "cell", cell).__class__.__name__.replace("Cell", ""),
    )
    states = {} if h is None else {"initial_state": [h] if gru else [h, c]}
    if m.twist("training=True"):
        states["training"] = True
    result = cell(x, **states)
    if gru:
        return result[1], result[1]
    return result[1], result[2]


def reader(m, encoded, width):
    """From a context [B,A], and the state before, to what the cell reads [B,1,N]."""
    row = m.layer("Reshape", target_shape=(1, encoded.width))
    if m.chance(0.15):
        dense = m.layer("Dense", "read", units=m.inner, use_bias=m.chance(0.5))
        return lambda context, s: dense(row(context))
    if m.twist("context through tanh"):
        dense = m.layer("Dense", "read", units=m.inner, activation="tanh")
        return lambda context, s: dense(row(context))
    if m.twist("context twice"):
        join = m.layer("Concatenate")
        return lambda context, s: join([row(context), row(context)])
    if m.twist("state is read") and width == encoded.width:
        add, row_of = m.layer("Add"), m.layer("Reshape", target_shape=(1, width))
        return lambda context, s: add([row(context), row_of(s)])
    if m.twist("reads beside"):
        beside = m.layer("Reshape", target_shape=(1, encoded.width))
        join, last = m.layer("Concatenate"), encoded.a[:, -1]
        return lambda context, s: join([row(context), beside(last)])
    if m.twist("normalised context"):
        norm = m.layer("LayerNormalization")
        return lambda context, s: norm(row(context))
    return lambda context, s: row(context)


def output_layers(m):
    """From a hidden state to an output."""
    activation = m.pick(["softmax"] * 5 + ["linear", None])
    if m.twist("output activation"):
        activation = m.pick(["sigmoid", "tanh", "relu", "hard_sigmoid"])
    layers = []
    if m.chance(0.1):
        layers.append(m.layer("Dropout", rate=0.3))
    if m.twist("two output layers"):
        layers.append(m.layer("Dense", units=m.inner, activation=m.pick(["tanh", "linear"])))
    if m.chance(0.15):
        layers += [
            m.layer("Dense", "output", units=m.classes),
            m.layer("Activation", activation=activation or "linear"),
        ]
    else:
        bias = not m.chance(0.15)
        layers.append(
            m.layer("Dense", "output", units=m.classes, activation=m.activation(activation), use_bias=bias)
        )
    if m.twist("temperature"):
        layers[-1:] = [m.layer("Dense", "output", units=m.classes), lambda x: x * 0.5, m.layer("Softmax")]
    return layers


def chain(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def beside_state(m, s, c, context, before):
    """What the output is made of: the hidden state, as a rule."""
    if m.twist("output of the context"):
        return m.twisted_join([s, context])
    if m.twist("output of two states") and before is not None:
        return m.twisted_join([s, before])
    if m.twist("output of the cell state"):
        return c
    if m.twist("output of the state before") and before is not None:
        return before
    return s


def decoder(m, encoded, make_attention):
    """Unrolls the steps. make_attention: from a state's width to a function from states to (context,
    alphas)."""
    h, c, width = initial_states(m, encoded)
    attend = make_attention(width)
    cell, read, last = cell_layer(m, width), reader(m, encoded, width), output_layers(m)
    if "output of the context" in m.wanted or "output of two states" in m.wanted:
        m.twisted_join = m.layer("Concatenate")
    second = (
        m.layer("Dense", "second", units=m.classes, activation="softmax") if m.twist("two heads") else None
    )
    count, steps = m.pick([1, 2, 2, 3, 3, 4, 5, 6] if m.version == 3 else [1, 2, 2, 3, 4]), Steps()
    start = h if h is not None else zero_state(m, encoded, width)
    s = start
    for index in range(count):
        attending = asks(m, s, c, index, start)
        context, alphas = attend(attending)
        if m.twist("attends twice"):
            context = m.layer("Add")([context, attend(context)[0]]) if width == encoded.width else context
        before = s
        if index and m.twist("unshared cell"):
            cell = cell_layer(m, width)
        if index and m.twist("unshared attention"):
            attend = make_attention(width)
        if index and m.twist("unshared output"):
            last = output_layers(m)
        fed = read(context, before)
        if m.twist("feedback") and index:
            fed = m.layer("Concatenate")(
                [fed, m.layer("Reshape", target_shape=(1, m.classes))(steps.outputs[-1])]
            )
            cell = cell_layer(m, width)
        s, c = one_step(m, cell, fed, h, c)
        h = s
        if m.twist("states swapped in the loop"):
            h, c = c, h
        if m.twist("attends after"):
            context, alphas = attend(s)
        out = chain(last, beside_state(m, s, c, context, before))
        for list_of, tensor in (
            (steps.contexts, context),
            (steps.alphas, alphas),
            (steps.states, s),
            (steps.cells, c),
            (steps.outputs, out),
        ):
            list_of.append(tensor)
        if second:
            steps.second.append(second(s))
    m.probes.update(context=steps.contexts, alphas=steps.alphas, states=steps.states, outputs=steps.outputs)
    return steps


def zero_state(m, encoded, width):
    """Zeros that attend at the first step, where the cell is called without states."""
    if m.chance(0.5):
        return m.zero_input((width,), "s0")
    base = m.input((width,), "any")
    m.free_inputs.append(base)
    return m.op("zeros_like", base)


def asks(m, s, c, index, start):
    """The state that attends."""
    if m.twist("cell state attends") and c is not None:
        return c
    if m.twist("states added attend") and c is not None:
        return m.layer("Add")([s, c])
    if m.twist("first state attends"):
        return start
    if m.twist("step unlike") and index == 1:
        return start
    return s
