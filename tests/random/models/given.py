"""Decoders over a sequence that is given: the tokens of training graphs, or one vector repeated
(RepeatVector); attention, where there is one, comes behind the cells."""

from decoder import finals
from outputs import Listed

TOKENS = 5  # of the given tokens and the classes of the outputs


def given(m, encoded):
    """A training graph: the second input is the tokens before those that are to come."""
    m.tokens, m.steps = TOKENS, m.pick([2, 3, 4])
    m.start_token = 1
    if m.chance(0.3):
        m.one_hot_tokens = True
        x = m.input((m.steps if m.chance(0.5) else None, TOKENS), "tokens")
        read = x
    else:
        x = m.input((m.steps if m.chance(0.5) else None,), "tokens", dtype="int32")
        read = m.layer("Embedding", "token", input_dim=TOKENS, output_dim=m.inner)(x)
    m.token_input = x
    if m.chance(0.15):
        read = m.layer("Dropout", rate=0.2)(read)
    return steps(m, encoded, read, TOKENS, "softmax")


def repeated(m, encoded):
    """One vector, as a rule the encoder's state, at every step."""
    m.steps = m.pick([2, 3, 4])
    h, _ = finals(m, encoded)
    if m.chance(0.2):
        h = m.layer("Dense", "code", units=m.inner, activation=m.pick(["linear", "tanh"]))(h)
    read = m.layer("RepeatVector", n=m.steps)(h)
    return steps(m, encoded, read, m.classes, m.pick([None, None, "linear", "relu", "softmax"]))


def begins(m, encoded):
    """The initial states of a layer, and its units."""
    rule = m.pick(["encoder"] * 5 + ["dense", "zeros"])
    if rule == "zeros":
        return None, None, m.state
    h, c = finals(m, encoded)
    if rule == "dense":
        activation = m.pick(["tanh", "linear"])
        h = m.layer("Dense", "begin_h", units=m.state, activation=activation)(h)
        c = m.layer("Dense", "begin_c", units=m.state, activation=activation)(c)
    return h, c, h.shape[-1]


def steps(m, encoded, read, classes, activation):
    """The cells, the attention, what is made of both."""
    count, depends = m.pick([1, 1, 1, 2]), False  # whether anything comes of the encoder
    for index in range(count):
        h, c, width = begins(m, encoded)
        depends = depends or h is not None or m.token_input is None
        kind = m.pick([m.cell, m.cell, m.cell, "LSTM"])
        settings = dict(return_sequences=True, return_state=m.chance(0.5))
        cell = m.layer(kind, f"decoder_{index}", units=width, **settings)
        states = {} if h is None else {"initial_state": [h, c] if kind == "LSTM" else [h]}
        y = cell(read, **states)
        y = y[0] if isinstance(y, (list, tuple)) else y
        read = y
    alphas = None
    if m.chance(0.6) or not depends:
        y, alphas = attend(m, encoded, y)
    for _ in range(m.pick([0, 0, 1])):
        y = m.layer("Dense", "mix", units=m.inner, activation=m.pick(["tanh", "relu"]))(y)
    last = m.layer("Dense", "classes", units=classes, activation=activation)
    if m.chance(0.3):
        last = m.layer("TimeDistributed", layer=last)
    listed = [Listed(last(y))]
    if alphas is not None and m.chance(0.2):
        listed.append(Listed(alphas, "alphas"))
    return listed


def attend(m, encoded, y):
    """The steps and their contexts side by side."""
    a, width = encoded.a, y.shape[-1]
    alphas = None
    how = m.pick(["layer", "layer", "additive", "hand", "general", "context alone"])
    if width != encoded.width or how == "general":
        key = m.layer("Dense", "key", units=width, use_bias=m.chance(0.5))(a)
    else:
        key = a
    if how in ("layer", "context alone", "general"):
        layer = m.layer("Attention", use_scale=m.chance(0.3))
        context = layer([y, a, key] if key is not a else [y, a])
    elif how == "additive":
        layer = m.layer("AdditiveAttention", use_scale=m.chance(0.7))
        context, alphas = layer([y, a, key], return_attention_scores=True)
    else:
        alphas = m.layer("Softmax")(m.layer("Dot", axes=[2, 2])([y, key]))
        context = m.layer("Dot", axes=[2, 1])([alphas, a])
    if how == "context alone":
        return context, alphas
    both = [context, y] if m.chance(0.5) else [y, context]
    return m.layer("Concatenate")(both), alphas
