"""Short ways to write version 2 configurations, for the cases of make_structures.py."""


def lstm(units, **options):
    return dict(kind="lstm", units=units, **options)


def gru(units, **options):
    return dict(kind="gru", units=units, **options)


def dense(units, activation="linear", **options):
    return dict(units=units, activation=activation, **options)


def layer(cell, direction="forward", **options):
    return dict(cell=cell, direction=direction, **options)


def both(cell, **options):
    return layer(cell, "bidirectional", **options)


TOKEN = dict(feedback="output", start_token=1)
GRU2 = [both(gru(4))]
LSTM2 = [both(lstm(4))]
SOFTMAX = dense(6, "softmax")


def model(layers, attention=None, decoder=None, output=None, state=None, **inputs):
    config = {"version": 2, "input": dict({"features": 5}, **inputs), "encoder": {"layers": layers}}
    parts = {"attention": attention, "state": state, "decoder": decoder, "output": output}
    config.update({name: part for name, part in parts.items() if part is not None})
    return config


def decoder(layers, reads, **options):
    return dict({"layers": layers, "reads": reads, "steps": 4}, **options)


def out(*layers, **options):
    return dict({"layers": list(layers) or [SOFTMAX]}, **options)


def head(over, *layers, **options):
    return dict({"over": over, "layers": list(layers)}, **options)


def zeros(cell, **options):
    states = {"initial_h": {"from": "zeros"}}
    if cell["kind"] == "lstm":
        states["initial_c"] = {"from": "zeros"}
    return dict(states, cell=cell, **options)


def tagger(*layers, **options):
    return model(list(layers), output=out(dense(4, "softmax"), over="every"), **options)


def bahdanau(cell=None, encoder=None, embedding=3, **options):
    """Attention looks before the cell, which reads the embedded token and the context."""
    cell = cell or gru(8)
    fed = dict(TOKEN, embedding=embedding, **options)
    return model(
        encoder or GRU2,
        {"score": "additive", "units": 5, "bias": True},
        decoder([{"cell": cell}], ["token", "context"], **fed),
        out(),
    )


def luong(score=None, layers=None, encoder=None, **options):
    """OpenNMT's: attention looks after the cells; tanh(W[c;s]) goes to the output and is fed in."""
    attentional = {"parts": ["context", "state"], "units": 5, "activation": "tanh", "bias": False}
    fed = dict(TOKEN, embedding=3, attentional=attentional, **options)
    layers = layers or [{"cell": lstm(8), **from_layer(0)}, {"cell": lstm(8), **from_layer(1)}]
    return model(
        encoder or [both(lstm(4)), both(lstm(4))],
        dict({"score": "general", "asks": "current"}, **(score or {})),
        decoder(layers, ["token", "attentional"], **fed),
        out(parts=["attentional"]),
    )


def from_layer(index, **options):
    return {"initial_h": dict(layer=index, **options), "initial_c": dict(layer=index, **options)}


def attending(attention, cell=None, encoder=None, asks=None):
    """A plain decoder that reads the context of any attention."""
    asks = {"asks": asks} if asks else {}
    return model(
        encoder or GRU2,
        dict(attention, **asks),
        decoder([{"cell": cell or gru(8)}], ["context", "token"], embedding=3, **TOKEN),
        out(parts=["state", "context"]),
    )


def starting(h, c=None, encoder=None):
    """Initial states of one LSTM, or GRU where there is no c, without attention."""
    cell = lstm(6) if c else gru(6)
    states = {"initial_h": h, "initial_c": c} if c else {"initial_h": h}
    part = decoder([dict(states, cell=cell)], ["token"], **TOKEN)
    return model(encoder or [both(lstm(6)), both(lstm(3))], None, part, out())


NORM = {"norm": {"epsilon": 1e-5}}


def normed():
    """Normalised behind each of two layers, the second in part; two heads that normalise, each in its way."""
    part = {"norm": {"epsilon": 0.1, "first": 2, "units": 3}}
    encoder = [both(lstm(3), dense=dense(6, **NORM)), layer(gru(6), residual=True, dense=dense(7, "tanh", **part))]
    one = head("mean", dense(8, "relu", bias=False, **NORM), dense(5, **part), dense(4, "softmax"))
    return model(encoder, output={"heads": [one, head("last", dense(5, "swish", **NORM), dense(3))]})


def asking(heads, units, value=None, **options):
    """A self-attention of several heads, as the frameworks have it: maps with biases, and its usual scale."""
    maps = {"key": dense(units), "query": dense(units), "value": dense(value or units)}
    return dict(maps, score="dot", heads=heads, scale=(units / heads) ** -0.5, **options)


BY_DENSE = {"dense": dense(6, "tanh")}
SPREAD = [dense(4, "tanh"), dense(3, "relu", bias=False), dense(1, "linear")]
ALL = ["linear", "tanh", "relu", "sigmoid", "hard_sigmoid", "hard_sigmoid_keras2", "elu", "selu", "gelu"]
ALL += ["gelu_tanh", "swish", "softplus", "softsign", "leaky_relu", "leaky_relu_0.2", "leaky_relu_0.3"]
ALL += ["exponential", "hard_tanh"]


def activations(names):
    """Heads over the mean, each with another activation between two layers, and one last."""
    heads = [head("mean", dense(4, a), dense(3, b)) for a, b in zip(names, names[1:] + names[:1])]
    return model([layer(gru(4))], output={"heads": heads})
