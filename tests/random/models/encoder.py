"""The input, what stands in front of the encoder, and the encoder."""

VOCABULARY = 7
ODD_ACTIVATIONS = [
    "softsign",
    "elu",
    "sigmoid",
    "selu",
    "softplus",
    "swish",
    "gelu",
    "exponential",
    "hard_sigmoid",
]


class Encoded:
    """What the encoder gives: the annotations `a` [B,T,A], the final states of its last layer (h_fw, h_bw
    or h alone), and those of the layer below."""

    def __init__(self, a, h, c, width):
        self.a, self.h, self.c, self.width = a, h, c, width
        self.below = self.again = None


# ---- input and front


def front(m):
    """The model's input, and the sequence that the encoder reads."""
    known = not m.chance(0.1)
    m.time_known = known
    if m.chance(0.35):
        return ids(m, m.time if known else None)
    if m.twist("input reshaped"):
        x = m.input((m.time * m.features,), "flat")
        return x, between(m, m.layer("Reshape", target_shape=(m.time, m.features))(x))
    x = m.input((m.time if known else None, m.features), "x")
    y = x
    if m.chance(0.15):
        m.masked, m.mask_value = True, m.pick([0.0, 0.0, -1.0])
        y = m.layer("Masking", mask_value=m.mask_value)(x)
    return x, between(m, y)


def ids(m, time):
    """Token ids, looked up or made one-hot."""
    m.vocabulary = VOCABULARY
    x = m.input((time,), "ids", dtype="int32")
    if m.chance(0.2):
        return x, between(m, one_hot(m, x))
    m.masked = m.chance(0.2)
    table = m.layer("Embedding", input_dim=VOCABULARY, output_dim=m.features, mask_zero=m.masked)
    return x, between(m, table(x))


def one_hot(m, x):
    if m.version == 2 or m.chance(0.7):
        return m.op("one_hot", x, VOCABULARY)
    count = m.layer("CategoryEncoding", num_tokens=VOCABULARY, output_mode="one_hot")
    m.note("category encoding")
    return count(m.layer("Reshape", target_shape=(-1, 1))(x))


def between(m, x):
    """Layers between the input and the encoder."""
    if m.chance(0.25):
        x = plain(m)(x)
    if m.twist("front"):
        x = unusual(m, x)
    return x


def plain(m):
    """One that is linear, or does nothing once the model is trained."""
    if m.chance(0.1):
        dense, join = m.layer("Dense", units=m.features), m.layer("Concatenate")
        return lambda x: join([x, dense(x)])
    which = m.pick(
        ["Dense", "TimeDistributed", "Dropout", "SpatialDropout1D", "GaussianNoise", "Activation"]
        + ["BatchNormalization", "Rescaling"]
    )
    if which == "Dense":
        return m.layer("Dense", units=m.features, use_bias=m.chance(0.5))
    if which == "TimeDistributed":
        return m.layer("TimeDistributed", layer=m.layer("Dense", units=m.features))
    if which == "GaussianNoise":
        return m.layer("GaussianNoise", stddev=0.3)
    if which == "Activation":
        return m.layer("Activation", activation="linear")
    if which == "BatchNormalization":
        return m.layer(which, center=m.chance(0.8), scale=m.chance(0.8), epsilon=m.pick([1e-3, 1e-2]))
    if which == "Rescaling":
        return m.layer(which, scale=0.5, offset=m.pick([0.0, 0.25]))
    return m.layer(which, rate=0.3)


def unusual(m, x):
    """One that is not linear, or mixes the positions."""
    which = m.pick(["activation", "LayerNormalization", "Normalization", "Conv1D", "op", "op", "Lambda"])
    m.note(f"front {which}")
    if which == "activation":
        return m.layer("Dense", units=m.features, activation=m.pick(["tanh", "relu", "softmax", "elu"]))(x)
    if which == "Normalization":
        return m.layer("Normalization", mean=0.25, variance=m.pick([1.5, 0.5]))(x)
    if which == "Conv1D":
        return m.layer("Conv1D", filters=m.features, kernel_size=m.pick([1, 2]), padding="same")(x)
    if which == "Lambda":
        return m.layer("Lambda", function=double)(x)
    if which == "op":
        return [
            lambda: x * 2.0,
            lambda: x + 0.5,
            lambda: x[:, ::-1],
            lambda: m.op("tanh", x),
            lambda: x + x,
            lambda: m.op("flip", x, axis=1 if m.version == 3 else [1]),
            lambda: x[:, 1:],
            lambda: x[:, :, :1],
            lambda: 1.0 - x,
            lambda: x / 2.0,
        ][m.pick(range(10))]()
    return m.layer(which)(x)


def double(x):
    """A function of the author's own."""
    return x * 2


# ---- encoder


def cell_settings(m):
    """Activations and biases of an LSTM."""
    activation = m.pick(["tanh"] * 6 + ["relu", "linear"])
    recurrent = m.pick(["sigmoid"] * 5 + ["hard_sigmoid"])
    if m.twist("odd activation"):
        activation = m.pick(ODD_ACTIVATIONS)
    if m.twist("odd recurrent activation"):
        recurrent = m.pick(["tanh", "relu", "linear", "softsign"])
    settings = dict(activation=activation, recurrent_activation=recurrent)
    if m.chance(0.15):
        settings["use_bias"] = False
    if m.chance(0.2):
        settings["unit_forget_bias"] = m.chance(0.5)
    return settings


def recurrent(m, units, settings, **more):
    """An LSTM, or an RNN over an LSTMCell; as a twist another kind of cell."""
    more = dict(return_sequences=True, **more)
    if m.cell == "GRU" and not m.twist("lstm among grus"):
        return gru(m, units, settings, more)
    if m.twist("simple rnn"):
        return m.layer("SimpleRNN", units=units, **more)
    if m.chance(0.15):
        noise = dict(dropout=0.2, recurrent_dropout=m.pick([0.0, 0.2]))
        settings = {**settings, **(noise if m.chance(0.5) else {"kernel_regularizer": "l2"})}
    if m.twist("stacked cells"):
        cells = [m.layer("LSTMCell", units=units, **settings) for _ in range(2)]
        return m.layer("RNN", cell=cells, **more)
    if m.chance(0.1):
        return m.layer("RNN", cell=m.layer("LSTMCell", units=units, **settings), **more)
    if m.chance(0.1):
        more["unroll"] = m.time_known
    if m.version == 3 and m.masked and m.chance(0.2):
        more["zero_output_for_mask"] = True
    if m.twist("go_backwards"):
        more["go_backwards"] = True
    if m.version == 2 and m.twist("time_major"):
        more["time_major"] = True
    return m.layer("LSTM", units=units, **settings, **more)


def gru(m, units, settings, more):
    """A GRU, or an RNN over a GRUCell."""
    settings = {key: value for key, value in settings.items() if key != "unit_forget_bias"}
    settings["reset_after"] = m.chance(0.6)
    if m.chance(0.1):
        settings["dropout"] = 0.2
    if m.chance(0.1):
        return m.layer("RNN", cell=m.layer("GRUCell", units=units, **settings), **more)
    if m.twist("go_backwards"):
        more["go_backwards"] = True
    return m.layer("GRU", units=units, **settings, **more)


def encoder(m, x, states=True):
    """One to three layers. states: whether the last one returns its final states."""
    count = m.pick([1] * 6 + [2] * 3 + [3])
    both = m.chance(0.6)
    merge = m.pick(["concat"] * 5 + ["sum", "mul", "ave", None])
    settings, made = cell_settings(m), None
    for index in range(count):
        last = index == count - 1
        units = m.units + (1 if m.twist("uneven layers") and not last else 0)
        if m.twist("unlike layers"):
            settings = cell_settings(m)
        shared = made.again if made is not None and "shared" in m.wanted else None
        below, made = made, encoder_layer(m, x, both, merge, units, settings, states or m.chance(0.2), shared)
        made.below = below
        if not last:
            x = stacked(m, x, made.a)
    after_encoder(m, made)
    m.probes["annotations"] = made.a
    return made


def stacked(m, read, a):
    """What the next layer reads."""
    if m.chance(0.2):
        a = m.layer("Dropout", rate=0.3)(a)
    if m.chance(0.08):
        a = m.layer("Dense", units=m.units)(a)
    if m.twist("between layers"):
        which = m.pick(["LayerNormalization", "residual", "tanh", "BatchNormalization"])
        if which == "residual":
            return m.layer("Add")([a, m.layer("Dense", units=a.shape[-1])(read)])
        return m.layer("Activation", activation="tanh")(a) if which == "tanh" else m.layer(which)(a)
    if m.twist("shared"):
        return m.layer("Dense", units=read.shape[-1])(a)
    return a


def encoder_layer(m, x, both, merge, units, settings, states, shared):
    """shared: the layer below, applied once more; or None."""
    if shared:
        return shared(x)
    more = dict(return_state=states)
    if m.twist("stateful"):
        more["stateful"] = True
    call = {}
    if m.twist("training=True"):
        call["training"] = True
    elif m.chance(0.05):
        call["training"] = False
    if not both:
        return one_direction(m, x, units, settings, more, call)
    other_layer = {}
    forward = recurrent(m, units, settings, **more)
    if m.twist("own backward layer"):
        other = {**settings, "activation": m.pick(["tanh", "relu"])}
        kind = m.pick(["LSTM", "LSTM", "GRU"])
        if kind == "GRU":
            other.pop("unit_forget_bias", None)
        other_layer["backward_layer"] = m.layer(
            kind, units=units, go_backwards=True, return_sequences=True, **other, **more
        )
    layer = m.layer("Bidirectional", layer=forward, merge_mode=merge, **other_layer)
    return both_directions(m, layer, x, merge, states, call)


def both_directions(m, layer, x, merge, states, call):
    """What a Bidirectional gives of x."""
    result = layer(x, **call)
    result = list(result) if isinstance(result, (list, tuple)) else [result]
    a = result.pop(0)
    if merge is None:
        a = join_directions(m, a, result.pop(0))
    h, c = states_of(m, result, 2)
    if states and len(result) == 4:
        m.probes.update(h_fw=result[0], c_fw=result[1], h_bw=result[2], c_bw=result[3])
    if states and len(result) == 2:
        m.probes.update(h_fw=result[0], h_bw=result[1])
    made = Encoded(a, h, c, a.shape[-1])
    made.again = lambda y: both_directions(m, layer, y, merge, states, call)
    return made


def one_direction(m, x, units, settings, more, call):
    layer = recurrent(m, units, settings, **more)
    if m.twist("encoder's initial state"):
        zeros = [m.zero_input((units,), f"start_{k}") for k in ("hc" if m.cell == "LSTM" else "h")]
        call["initial_state"] = zeros if m.chance(0.7) else [m.layer("Dense", units=units)(z) for z in zeros]
    result = layer(x, **call)
    result = list(result) if isinstance(result, (list, tuple)) else [result]
    h, c = states_of(m, result[1:], 1)
    if len(result) == 3:
        m.probes.update(h_fw=result[1], c_fw=result[2])
    if len(result) == 2:
        m.probes.update(h_fw=result[1])
    return Encoded(result[0], h, c, result[0].shape[-1])


def join_directions(m, forward, backward):
    """merge_mode None, and the author's own merge."""
    if m.twist("directions swapped"):
        forward, backward = backward, forward
    if m.twist("one direction read"):
        return forward if m.chance(0.5) else backward
    return m.layer("Concatenate")([forward, backward])


def states_of(m, states, directions):
    """Lists of the hidden and of the cell states; a GRU has no cell states, and its hidden ones stand for
    them. Of cells that are stacked, each with a list of its own, those of the last."""
    if states and isinstance(states[0], (list, tuple)):
        cells = len(states) // directions
        states = [one for last in states[cells - 1 :: cells] for one in last]
    if len(states) == 2 * directions:
        return list(states[0::2]), list(states[1::2])
    return list(states[:directions]), list(states[:directions])


def after_encoder(m, made):
    """Between the encoder and the attention."""
    if m.chance(0.08):
        made.a = m.layer("Dropout", rate=0.2)(made.a)
    if m.twist("after encoder"):
        which = m.pick(
            ["LayerNormalization", "slice", "Dense", "tanh", "scaled", "BatchNormalization", "reverse"]
        )
        m.note(f"after encoder {which}")
        if which == "slice" and m.time_known:
            made.a = made.a[:, 1:]
        elif which == "reverse":
            made.a = made.a[:, ::-1]
        elif which == "scaled":
            made.a = made.a * 0.5
        elif which == "Dense":
            made.a = m.layer("Dense", units=made.width)(made.a)
        elif which == "tanh":
            made.a = m.layer("Activation", activation="tanh")(made.a)
        elif which != "slice":
            made.a = m.layer(which)(made.a)
