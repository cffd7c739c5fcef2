"""Attentions as people write them: each maker gives a function from a state [B,S] to (context [B,A],
alphas [B,T])."""

STYLES = ["concat"] * 5 + ["additive", "dot", "general"] + ["Attention"] * 3 + ["AdditiveAttention"] * 2


def attention(m, encoded, width):
    """A random one over the encoder's outputs, for states that are `width` wide."""
    style = m.pick(STYLES)
    if m.masked and m.chance(0.7):
        style = m.pick(["Attention", "AdditiveAttention"])
    if style in ("concat", "additive") and not m.time_known:
        style = "Attention"
    m.style = style
    if m.twist("many heads"):
        return heads(m, encoded)
    if style == "concat":
        return concat(m, encoded, width)
    if style in ("Attention", "AdditiveAttention"):
        return layer(m, encoded, width, style)
    return sums(m, encoded, width, style)


def positions(encoded):
    return encoded.a.shape[1]


def energy_layers(m):
    """The Dense layers of a hand-written attention."""
    count = m.pick([1, 2, 2, 2, 3])
    plain = ["tanh", "tanh", "relu", "sigmoid", "linear", None]
    made = []
    for index in range(count):
        last = index == count - 1
        activation = m.pick(plain)
        if m.twist("odd energies"):
            activation = m.pick(["elu", "softsign", "selu", "softplus", "hard_sigmoid"])
        bias = not m.chance(0.2)
        one = m.layer(
            "Dense",
            "energy",
            units=1 if last else m.inner,
            activation=m.activation(activation),
            use_bias=bias,
        )
        if m.chance(0.08):
            one = m.layer("TimeDistributed", layer=one)
        made.append(one)
    if m.chance(0.1) and m.version == 3 and count > 1:
        made = [m.keras.Sequential(made)]
        m.note("sequential energies")
    return made


def normaliser(m, flat):
    """What makes weights of energies [B,T,1], or [B,T] where flat."""
    if m.twist("wrong axis"):
        return m.layer("Softmax", axis=m.pick([-1, 2]))
    if m.twist("no softmax"):
        return m.layer("Activation", activation=m.pick(["sigmoid", "relu", "tanh", "linear"]))
    if not flat and m.twist("own softmax"):
        return m.layer("Activation", activation=m.function("softmax", m.chance(0.5)))
    if m.version == 3 and not flat and m.twist("softmax by hand"):
        return lambda e: m.op("exp", e) / m.op("sum", m.op("exp", e), axis=1, keepdims=True)
    if flat and m.chance(0.6):
        return m.layer("Activation", activation="softmax")
    if flat:
        return m.layer("Softmax")
    if m.twist("dense softmax"):
        return m.layer("Dense", units=1, activation="softmax")
    if m.chance(0.1):
        return lambda e: m.op("softmax", e, axis=1)
    return m.layer("Softmax", axis=m.pick([1, 1, 1, -2]))


def scaled(m):
    """From energies to energies times a number; what is done is the same at every step."""
    if m.chance(0.1):
        factor = m.pick([0.5, 2.0, -1.5])
        return lambda e: e * factor
    if m.twist("scale"):
        ways = [lambda e: e / 2.0, lambda e: e + 1.0, lambda e: e * e, lambda e: 0.5 * e, lambda e: -e]
        return m.pick(ways)
    return lambda e: e


def weighted(m, encoded):
    """From alphas [B,T,1] to the context [B,A]."""
    values, change = encoded.a, None
    if m.twist("alphas changed"):
        ways = [m.layer("Softmax", axis=1), m.layer("Activation", activation="tanh"), lambda x: x * 2.0]
        change = m.pick(ways)
    if m.twist("other values"):
        values = m.layer("Dense", units=encoded.width)(encoded.a) if m.chance(0.5) else encoded.a * encoded.a
    way = m.pick(["Dot"] * 4 + ["sum", "multiply"])
    if m.twist("mean"):
        way = "mean"
    values_first, flat = m.chance(0.3), m.layer("Flatten")
    product = m.layer("Dot", axes=1) if way == "Dot" else m.layer("Multiply")

    def sum_up(alphas):
        alphas = change(alphas) if change else alphas
        if way == "Dot":
            return flat(product([values, alphas] if values_first else [alphas, values]))
        each = product([alphas, values]) if way == "multiply" else alphas * values
        return m.op("mean" if way == "mean" else "sum", each, axis=1)

    return sum_up


def concat(m, encoded, width):
    """Dense layers over concat(a_t, s)."""
    dense, flat = energy_layers(m), m.chance(0.2) and "wrong axis" not in m.wanted
    repeat, join = m.layer("RepeatVector", n=positions(encoded)), m.layer("Concatenate", axis=-1)
    state_first, reduce = m.chance(0.4), normaliser(m, flat)
    joined_twice, flatten = m.twist("joined twice"), m.layer("Flatten")
    spread = m.layer("Reshape", target_shape=(positions(encoded), 1))
    norm = m.layer("LayerNormalization") if m.twist("states normalised") else None
    scale, sum_up = scaled(m), weighted(m, encoded)

    def attend(s):
        s = norm(s) if norm else s
        parts = [repeat(s), encoded.a] if state_first else [encoded.a, repeat(s)]
        u = join(parts + [encoded.a] if joined_twice else parts)
        for one in dense:
            u = one(u)
        u = scale(u)
        alphas = spread(reduce(flatten(u))) if flat else reduce(u)
        return sum_up(alphas), alphas

    return attend


def sums(m, encoded, width, style):
    """v tanh(W a + U s), a . s, a . W s, written out."""
    flat, A = m.chance(0.2) and "wrong axis" not in m.wanted, encoded.width
    reduce, flatten, n = normaliser(m, flat), m.layer("Flatten"), positions(encoded)
    spread = m.layer("Reshape", target_shape=(n if n else -1, 1))
    scale, sum_up = scaled(m), weighted(m, encoded)
    if style == "additive":
        keys = m.layer("Dense", "keys", units=m.inner, use_bias=m.chance(0.5))
        queries = m.layer("Dense", "queries", units=m.inner, use_bias=m.chance(0.5))
        value = m.layer("Dense", "value", units=1, use_bias=m.chance(0.3))
        repeat, add, tanh = (
            m.layer("RepeatVector", n=n),
            m.layer("Add"),
            m.layer("Activation", activation="tanh"),
        )
        order, mapped = m.chance(0.5), keys(encoded.a)

        def energies(s):
            pair = [mapped, repeat(queries(s))] if order else [repeat(queries(s)), mapped]
            return value(tanh(add(pair)))

    else:
        mapped = style == "general" or width != A
        map_state = m.layer("Dense", "map", units=A, use_bias=m.chance(0.15)) if mapped else lambda s: s
        product = m.layer("Dot", axes=(2, 1), normalize=m.twist("cosine"))
        row = m.layer("Reshape", target_shape=(n or -1, 1))

        def energies(s):
            return row(product([encoded.a, map_state(s)]))

    def attend(s):
        u = scale(energies(s))
        alphas = spread(reduce(flatten(u))) if flat else reduce(u)
        return sum_up(alphas), alphas

    return attend


def layer_settings(m, style):
    settings = {}
    if m.chance(0.5):
        settings["use_scale"] = m.chance(0.6)
    if style == "Attention" and m.chance(0.25):
        settings["score_mode"] = "concat"
    if m.chance(0.1):
        settings["dropout"] = 0.2
    if m.version == 3 and m.chance(0.1):
        settings["seed"] = 3
    return settings


def layer(m, encoded, width, style):
    """Keras' own layers, over the state or a Dense map of it, with keys of their own or without."""
    settings, A = layer_settings(m, style), encoded.width
    values, key_units = encoded.a, A
    keys = None
    if m.chance(0.35):
        keys, key_units = m.layer("Dense", "keys", units=A, use_bias=m.chance(0.3))(encoded.a), A
    if m.twist("other values"):
        values, keys = m.layer("Dense", units=A)(encoded.a), encoded.a if keys is None else keys
    maps = width != key_units or m.chance(0.3)
    query = m.layer("Dense", "queries", units=key_units, use_bias=m.chance(0.2)) if maps else lambda s: s
    if maps and width == A and m.twist("shared"):
        keys = query(encoded.a)
    own, row = m.layer(style, **settings), m.layer("Reshape", target_shape=(1, key_units))
    call, scores, flat = {}, m.chance(0.6), m.layer("Flatten")
    if m.twist("training=True"):
        call["training"] = True
    if m.twist("mask argument"):
        call["mask"] = [None, mask_of(m, encoded)] + ([None] if keys is not None else [])
    if m.twist("causal") and style == "Attention":
        call["use_causal_mask"] = True

    def attend(s):
        q = row(query(s))
        parts = [q, values] if keys is None else [q, values, keys]
        if not scores:
            return flat(own(parts, **call)), None
        context, alphas = own(parts, return_attention_scores=True, **call)
        return flat(context), alphas

    return attend


def heads(m, encoded):
    """Keras' attention of several heads."""
    own = m.layer("MultiHeadAttention", num_heads=2, key_dim=m.inner)
    flat = m.layer("Flatten")

    def attend(s):
        query = m.layer("Reshape", target_shape=(1, s.shape[-1]))(s)
        return flat(own(query, encoded.a)), None

    return attend


def mask_of(m, encoded):
    """Of positions whose first annotation is positive, which no lengths can say."""
    if m.version == 3:
        return m.keras.ops.greater(encoded.a[:, :, 0], 0.0)
    import tensorflow

    return tensorflow.greater(encoded.a[:, :, 0], 0.0)
