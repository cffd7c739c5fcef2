"""Small attention models as people build them in Keras, and graphs that look like them but are not.

The same builders run under Keras 2 (tf.keras 2.15) and Keras 3. `build(keras, **options)` gives a
Graph: the model as its author would save it, and the tensors inside that a converted model must
reproduce, under the names of `cuseq run`'s output file. Sizes are small and all different, so that a
swapped pair of dimensions cannot go unnoticed.
"""

T, F, H, S, Y, V, VOCABULARY = 6, 5, 3, 4, 2, 7, 9


class Graph:
    def __init__(self, model, probes, tokens=False, masked=False, padding=0, heads=()):
        self.model = model  # what is saved
        self.probes = probes  # name -> a tensor, or a list of one tensor for each decoder step
        self.tokens = tokens  # the input is token ids [B,T]
        self.masked = masked  # padding is masked: the expectations need lengths
        self.padding = padding  # the number that padding is
        self.heads = heads  # of several outputs side by side: their widths


def encoder(keras, x, o, probes, parts):
    """Returns the annotations, and the final states as [h..., c...] where options ask for them."""
    layers = keras.layers
    states = o["initial"] in ("states", "dense") or o["attention_only"]
    common = dict(
        activation=o["activation"],
        recurrent_activation=o["recurrent_activation"],
        use_bias=o["use_bias"],
        return_sequences=True,
        **o["encoder_options"],
    )
    a = x
    for index in range(o["encoder_layers"]):
        last = index == o["encoder_layers"] - 1
        name = o["names"]["encoder"] + ("" if last else f"_{index}")
        units = H if last else H + o["widening"]
        cell = layers.LSTM(
            units, return_state=states and last, name=name + "_lstm" if o["bidirectional"] else name, **common
        )
        layer = layers.Bidirectional(cell, merge_mode=o["merge"], name=name) if o["bidirectional"] else cell
        a = layer(a, **o["encoder_call"])
        if not last:
            parts["lower"] = a
        if o["dropout"] and not last:
            a = layers.Dropout(0.3, name=f"dropout_{index}")(a)
    final = []
    if states:
        a, *final = a
        probes.update(zip(("h_fw", "c_fw", "h_bw", "c_bw"), final))
    if o["merge"] is None:
        directions = a if not states else [a, final.pop(0)]
        a = layers.Concatenate(axis=-1, name="both_directions")(directions)
    probes["annotations"] = a
    return a, final


def initial_states(keras, final, o, width):
    """Returns s_0, c_0 and the model's further inputs."""
    layers = keras.layers
    if o["initial"] == "inputs":
        s0, c0 = keras.Input((width,), name="s0"), keras.Input((width,), name="c0")
        return s0, c0, [s0, c0]
    h, c = final[0::2], final[1::2]
    if o["swapped_directions"]:
        h, c = h[::-1], c[::-1]
    h = layers.Concatenate(name="h_both")(h) if len(h) > 1 else h[0]
    c = layers.Concatenate(name="c_both")(c) if len(c) > 1 else c[0]
    if o["hidden_twice"]:
        c = h
    if o["initial"] == "dense":
        h = layers.Dense(width, activation=o["initial_activation"], name="bridge_h")(h)
        c = layers.Dense(width, activation=o["initial_activation"], name="bridge_c")(c)
    return (c, h, []) if o["swapped_states"] else (h, c, [])


def concat_score(keras, a, o):
    """A hand-written attention, Dense layers over concat(a_t, s). Returns s -> (context [B,1,A], alphas)."""
    layers = keras.layers
    names = o["names"]
    time = a.shape[1]
    repeat = layers.RepeatVector(time, name=names["repeat"])
    concatenate = layers.Concatenate(axis=-1, name=names["concatenate"])
    dense = [
        layers.Dense(units, activation=activation, use_bias=o["use_bias"], name=f"{names['dense']}_{i}")
        for i, (units, activation) in enumerate(o["dense"])
    ]
    if o["time_distributed"]:
        dense = [layers.TimeDistributed(layer, name="each_" + layer.name) for layer in dense]
    style = o["style"]
    if style == "flat":
        flatten = layers.Flatten(name="flat_energies")
        softmax = layers.Activation("softmax", name=names["softmax"])
        reshape = layers.Reshape((1, a.shape[-1]), name="context_row")
    elif style == "custom_softmax":
        softmax = layers.Activation(o["softmax"], name=names["softmax"])
    else:
        softmax = layers.Softmax(axis=o["softmax_axis"], name=names["softmax"])
    dot = layers.Dot(axes=1, name=names["dot"])

    def attend(s):
        u = concatenate([repeat(s), a] if o["state_first"] else [a, repeat(s)])
        for layer in dense:
            u = layer(u)
        if style == "flat":
            alphas = softmax(flatten(u))
            return reshape(dot([alphas, a])), alphas
        alphas = softmax(u)
        if style == "ops":
            return keras.ops.sum(alphas * a, axis=1, keepdims=True), alphas
        if style == "ops_softmax":
            alphas = keras.ops.softmax(u, axis=1)
        return dot([alphas, a]), alphas

    return attend


def layer_score(keras, a, o):
    """Keras' own Attention and AdditiveAttention layers. Returns s -> (context [B,1,A], alphas)."""
    layers = keras.layers
    width = a.shape[-1]
    query = key = None
    if o["query_units"]:
        query = layers.Dense(o["query_units"], use_bias=o["query_bias"], name="query_map")
    if o["key_units"]:
        key = layers.Dense(o["key_units"], use_bias=o["key_bias"], name="key_map")(a)
    row = layers.Reshape((1, o["query_units"] or o["key_units"] or width), name="query_row")
    if o["score"] == "AdditiveAttention":
        attention = layers.AdditiveAttention(use_scale=o["use_scale"], name=o["names"]["softmax"])
    else:
        options = {"score_mode": o["score_mode"]} if o["score_mode"] != "dot" else {}
        attention = layers.Attention(use_scale=o["use_scale"], name=o["names"]["softmax"], **options)

    def attend(s):
        q = row(query(s) if query else s)
        context, alphas = attention([q, a, key] if key is not None else [q, a], return_attention_scores=True)
        if not o["probing"]:
            context = attention([q, a, key] if key is not None else [q, a])
        return context, alphas

    return attend


DEFAULTS = dict(
    bidirectional=True,
    merge="concat",
    encoder_layers=1,
    widening=0,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    encoder_options={},
    decoder_options={},
    dropout=False,
    initial="inputs",
    first_call="both",
    initial_activation="tanh",
    swapped_directions=False,
    swapped_states=False,
    hidden_twice=False,
    own_mask=False,
    unused_input=False,
    mask_lost=False,
    encoder_call={},
    outputs=None,
    compiled=None,
    classes=V,
    mask_value=0.0,
    attention_only=False,
    score="concat",
    dense=((4, "tanh"), (1, "relu")),
    style="dot",
    softmax=None,
    softmax_axis=1,
    state_first=False,
    time_distributed=False,
    query_units=0,
    query_bias=False,
    key_units=0,
    key_bias=False,
    use_scale=False,
    score_mode="dot",
    units=None,
    steps=Y,
    decoder_activation=None,
    output="softmax",
    tokens=False,
    mask_zero=False,
    masking=False,
    unshared=False,
    front=None,
    before_output=None,
    features=F,
    time=T,
    probing=True,
    batch=None,
    names=dict(
        encoder="encoder",
        repeat="repeat",
        concatenate="join",
        dense="energy",
        softmax="attention_weights",
        dot="context",
        decoder="decoder",
        output="output",
    ),
)


def build(keras, **options):
    layers = keras.layers
    o = dict(DEFAULTS, **options)
    o["names"] = dict(DEFAULTS["names"], **options.get("names", {}))
    probes, parts = {}, {}
    if o["tokens"]:
        x = keras.Input((o["time"],), dtype="int32", name="ids")
        front = layers.Embedding(VOCABULARY, o["features"], mask_zero=o["mask_zero"], name="characters")(x)
    else:
        x = keras.Input((o["time"], o["features"]), batch_size=o["batch"], name="x")
        front = layers.Masking(mask_value=o["mask_value"], name="padding")(x) if o["masking"] else x
    if o["front"]:
        front = o["front"](keras, front)
    if o["own_mask"]:
        parts["own_mask"] = keras.Input((o["time"],), dtype="bool", name="own_mask")
        o["encoder_call"] = dict(mask=parts["own_mask"])
    a, final = encoder(keras, front, o, probes, parts)
    attend = (concat_score if o["score"] == "concat" else layer_score)(keras, a, o)
    nothing_is_nan = o["mask_value"] == o["mask_value"]
    masked = ((o["masking"] and nothing_is_nan) or o["mask_zero"]) and not o["mask_lost"]

    if o["attention_only"]:
        h = final[0::2]
        s = layers.Concatenate(name="h_both")(h) if len(h) > 1 else h[0]
        context, alphas = attend(s)
        probes.update(context=[context], alphas=[alphas])
        listed = o["outputs"](keras, probes, parts) if o["outputs"] else context
        return Graph(keras.Model(x, listed), probes, o["tokens"], masked, o["mask_value"])

    width = o["units"] or (len(final[0::2]) * H if o["initial"] == "states" else S)
    s, c, further = initial_states(keras, final, o, width)
    decoder = layers.LSTM(
        width,
        return_state=True,
        use_bias=o["use_bias"],
        name=o["names"]["decoder"],
        activation=o["decoder_activation"] or o["activation"],
        recurrent_activation=o["recurrent_activation"],
        **o["decoder_options"],
    )
    output = layers.Dense(
        o["classes"], activation=o["output"], use_bias=o["use_bias"], name=o["names"]["output"]
    )
    probes.update(context=[], alphas=[], states=[], outputs=[])
    parts.update(s0=s, cells=[])
    for step in range(o["steps"]):
        context, alphas = attend(s)
        given = dict(initial_state=[s, c])
        if step == 0 and o["first_call"] == "none":  # the LSTM begins with zeros of its own
            given = {}
        if step == 0 and o["first_call"] == "others":
            further += [keras.Input((width,), name="h0")]
            given = dict(initial_state=[further[-1], c])
        s, _, c = decoder(context, **given)
        last = o["before_output"](keras, s) if o["before_output"] else s
        parts["cells"].append(c)
        if o["unshared"] and step:
            output = layers.Dense(V, activation=o["output"], name=f"output_{step}")
        for name, tensor in zip(
            ("context", "alphas", "states", "outputs"), (context, alphas, s, output(last))
        ):
            probes[name].append(tensor)
    listed = list(probes["outputs"]) if o["steps"] > 1 else probes["outputs"][0]
    if o["outputs"]:
        listed = o["outputs"](keras, probes, parts)
    further += [parts["own_mask"]] if o["own_mask"] else []
    further += [keras.Input((5,), name="nobody")] if o["unused_input"] else []
    model = keras.Model([x, *further], listed)
    if o["compiled"]:
        model.compile(o["compiled"](keras), "categorical_crossentropy")
    return Graph(model, probes, o["tokens"], masked, o["mask_value"])
