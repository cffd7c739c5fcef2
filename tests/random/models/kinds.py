"""Whole models: encoder, attention and decoder; attention alone; classifiers; parts of them as models in a
model."""

from attention import attention
from decoder import decoder, finals
from encoder import Encoded, encoder, front
from given import given, repeated
from outputs import Listed, outputs

# What may be unusual about a model. Those that stand more than once are more common.
TWISTS = """
stranger stranger stranger stranger stranger stranger
reversed shuffled sliced
without the first
without the last
the last alone
one missing
one twice
joined along the classes
joined along the batch
stacked last
transposed
two heads
side outputs
side outputs alone
cell state given
annotations given
final states given
own function
own function
own softmax
own softmax
softmax by hand
alphas changed
many heads
shared
shared
time_major
state is read
output of two states
own model class
lora quantised
front front
input reshaped
odd activation
odd recurrent activation
lstm among grus
simple rnn
stacked cells
go_backwards
uneven layers
unlike layers
between layers
stateful
training=True
own backward layer
encoder's initial state
directions swapped
one direction read
after encoder
after encoder
odd energies
wrong axis
wrong axis
no softmax
dense softmax
scale
other values
mean
joined twice
states normalised
cosine
mask argument
causal
bridges unlike
one state dense
states swapped
state twice
lower layer's states
directions of states swapped
states crossed
one direction's states
cell go_backwards
decoder gru
context through tanh
context twice
reads beside
normalised context
output activation
two output layers
temperature
output of the context
output of the cell state
output of the state before
attends twice
unshared cell
unshared attention
unshared output
feedback
states swapped in the loop
attends after
cell state attends
states added attend
first state attends
step unlike
inputs in another order
dictionary of outputs
"""


def twists():
    """Every line is one, or several single words."""
    names = []
    for line in TWISTS.strip().splitlines():
        words = line.split()
        single = words[0] in ("stranger", "front", "reversed", "lora")
        names += words if single else [line]
    return names


class Built:
    """A model, its inputs, and what it lists as its outputs."""

    def __init__(self, kind, inputs, listed):
        self.kind, self.inputs, self.listed = kind, inputs, listed
        self.model = None


def build(m):
    """A random model of any kind."""
    kinds = ["decoder"] * 9 + ["attention"] * 3 + ["classifier"] * 5 + ["tagger"] * 3
    kind = m.pick(kinds + ["given"] * 4 + ["repeated"] * 2)
    m.want(twists(), m.pick([0] * 7 + [1] * 8 + [2] * 4 + [3]))
    x, sequence = front(m)
    encoded = nested_encoder(m, sequence) if m.chance(0.15) else encoder(m, sequence, m.chance(0.9))
    make = (lambda width: nested_attention(m, encoded, width)) if m.chance(0.12) else None
    make = make or (lambda width: attention(m, encoded, width))
    if not encoded.h and kind == "attention":
        kind = "tagger"
    if kind == "decoder":
        listed = outputs(m, decoder(m, with_states(m, encoded), make))
    elif kind in ("given", "repeated"):
        listed = (given if kind == "given" else repeated)(m, with_states(m, encoded))
    elif kind == "attention":
        listed = attention_alone(m, encoded, make)
    else:
        listed = classifier(m, encoded, make, kind)
    tokens = [] if m.token_input is None else [m.token_input]
    inputs = [x, *tokens, *m.zero_inputs, *m.free_inputs]
    if m.twist("inputs in another order"):
        inputs = [inputs[i] for i in m.rng.permutation(len(inputs))]
    return Built(kind, inputs, listed)


def with_states(m, encoded):
    """A decoder may begin with the encoder's states: where there are none, they are the last annotation's."""
    if not encoded.h:
        encoded.h = encoded.c = [encoded.a[:, -1]]
        m.note("states of a slice")
    return encoded


def attention_alone(m, encoded, make):
    """The context of one attention, as a layer of a larger model would take it."""
    rule = m.pick(["finals", "finals", "input", "dense"])
    if rule == "input":
        s = m.zero_input((m.state,), "s")
    else:
        h, c = finals(m, encoded)
        s = c if m.twist("cell state attends") else h
        if rule == "dense":
            s = m.layer("Dense", "bridge", units=m.state, activation=m.pick(["tanh", "linear", "relu"]))(s)
    context, alphas = make(s.shape[-1])(s)
    listed = [Listed(context)]
    if alphas is not None and (m.chance(0.2) or m.twist("side outputs")):
        listed.insert(m.pick([0, 1]), Listed(alphas, "alphas"))
    if m.twist("attends twice"):
        listed.append(Listed(make(s.shape[-1])(s)[0], "other"))
    if m.twist("after context"):
        listed[0] = Listed(m.layer("Dense", units=m.classes)(context))
    m.probes.update(context=context, alphas=alphas)
    return listed


HIDDEN = ["relu", "relu", "tanh", "elu", "selu", "gelu", "swish", "softplus", "softsign", "sigmoid", "linear"]
LAST = ["softmax", "softmax", "sigmoid", "linear", "linear", "softplus", "tanh"]


def classifier(m, encoded, make, kind):
    """Classes of the whole sequence, or of every position; one head, or several."""
    vector = encoded.a if kind == "tagger" else summary(m, encoded, make)
    if m.chance(0.2):
        vector = m.layer("BatchNormalization")(vector)
    if m.chance(0.15):
        vector = m.layer("Dropout", rate=0.2)(vector)
    return [Listed(head(m, vector)) for _ in range(m.pick([1, 1, 1, 2, 3]))]


def summary(m, encoded, make):
    """One vector of the whole sequence."""
    how = m.pick(["attention", "final", "final", "mean", "maximum", "last", "op"])
    if how == "attention" and encoded.h:
        h, _ = finals(m, encoded)
        return make(h.shape[-1])(h)[0]
    if how == "last":
        return encoded.a[:, -1]
    if how == "op":
        return m.op(m.pick(["mean", "max"]), encoded.a, axis=1)
    if how == "final" and encoded.h:
        return finals(m, encoded)[0]
    return m.layer("GlobalAveragePooling1D" if how == "mean" else "GlobalMaxPooling1D")(encoded.a)


def head(m, x):
    """Up to three layers, with a normalisation, an activation of its own, arithmetic among them."""
    for _ in range(m.pick([0, 0, 0, 1, 2])):
        x = m.layer("Dense", units=m.inner, activation=m.pick(HIDDEN))(x)
        if m.chance(0.15):
            x = m.layer("BatchNormalization")(x)
        if m.chance(0.1):
            x = m.layer("LeakyReLU")(x)
    activation = m.pick(LAST)
    if m.chance(0.2):
        return m.layer("Activation", activation=activation)(m.layer("Dense", units=m.classes)(x))
    x = m.layer("Dense", units=m.classes, activation=activation)(x)
    return x * 2.0 + 1.0 if activation == "linear" and m.chance(0.2) else x


# ---- models in a model


def nested_encoder(m, sequence):
    """The encoder as a model of its own."""
    m.note("nested encoder")
    m.wanted.discard("encoder's initial state")
    x = m.keras.Input(sequence.shape[1:], name=m.name("inner"))
    made = encoder(m, x)
    tensors = [made.a, *made.h, *made.c]
    inner = m.keras.Model(x, tensors)
    m.made.append(inner)
    given = list(inner(sequence))
    count = len(made.h)
    m.probes = {"annotations": given[0]}
    outer = Encoded(given[0], given[1 : 1 + count], given[1 + count :], made.width)
    outer.below = None
    return outer


def nested_attention(m, encoded, width):
    """One attention step as a model of its own, which every step calls."""
    m.note("nested attention")
    a = m.keras.Input(encoded.a.shape[1:], name=m.name("annotations"))
    s = m.keras.Input((width,), name=m.name("state"))
    inner_encoded = Encoded(a, [], [], encoded.width)
    context, alphas = attention(m, inner_encoded, width)(s)
    given = [context] if alphas is None else [context, alphas]
    inner = m.keras.Model([a, s], given if len(given) > 1 else context)
    m.made.append(inner)

    def attend(state):
        result = inner([encoded.a, state])
        return tuple(result) if alphas is not None else (result, None)

    return attend
