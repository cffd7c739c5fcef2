"""Models of make_keras_files.py that version 2 of the configuration says: classifiers and taggers, encoder layers of all
kinds, decoders of several layers, attention behind the cell. What is expected is what the model gives."""

from keras_cases import Case
from keras_models import F, H, S, T, V, VOCABULARY, Graph


def whole(keras, model, tokens=False, masked=False):
    """A graph that is judged by its outputs, side by side."""
    outputs = [model.outputs[0]] if len(model.outputs) == 1 else list(model.outputs)
    if len(outputs) > 1:
        outputs = [keras.layers.Concatenate(axis=-1)(outputs)]
    return Graph(
        model,
        {"outputs": outputs[0]},
        tokens=tokens,
        masked=masked,
        heads=[o.shape[-1] for o in model.outputs],
    )


def features(keras):
    return keras.Input((T, F))


def classifier(keras):
    layers = keras.layers
    return whole(
        keras,
        keras.Sequential(
            [
                features(keras),
                layers.LSTM(H, name="whole"),
                layers.Dense(2, activation="softmax", name="verdict"),
            ]
        ),
    )


def both_ends(keras, merge="concat"):
    """Final states of two directions, two dense layers."""
    layers = keras.layers
    x = features(keras)
    h = layers.Bidirectional(layers.LSTM(H), merge_mode=merge)(x)
    return whole(
        keras, keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.Dense(5, activation="relu")(h)))
    )


def uneven(keras):
    """Layers of other widths, directions and activations, a dense layer between, an embedding in front."""
    layers = keras.layers
    x = keras.Input((T,), dtype="int32")
    a = layers.Embedding(VOCABULARY, 4)(x)
    a = layers.Bidirectional(layers.LSTM(H, return_sequences=True))(a)
    a = layers.TimeDistributed(layers.Dense(5, activation="tanh"))(a)
    a = layers.LSTM(4, activation="relu", return_sequences=True)(a)
    a = layers.Bidirectional(layers.LSTM(2, return_sequences=True), merge_mode="sum")(a)
    return whole(keras, keras.Model(x, layers.Dense(3, activation="softmax")(layers.LSTM(H)(a))), tokens=True)


def residual(keras):
    layers = keras.layers
    x = features(keras)
    a = layers.LSTM(4, return_sequences=True)(x)
    b = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(a)
    a = layers.Add()([a, b])
    a = layers.Add()([layers.LSTM(4, return_sequences=True)(a), a])
    return whole(keras, keras.Model(x, layers.Dense(3)(a)))


def tagger(keras):
    """One output for each position, two dense layers."""
    layers = keras.layers
    x = keras.Input((T,), dtype="int32")
    a = layers.Bidirectional(layers.LSTM(H, return_sequences=True))(layers.Embedding(VOCABULARY, 4)(x))
    a = layers.TimeDistributed(layers.Dense(5, activation="relu"))(a)
    return whole(
        keras, keras.Model(x, layers.TimeDistributed(layers.Dense(V, activation="softmax"))(a)), tokens=True
    )


def two_heads(keras):
    """Two outputs for each position."""
    layers = keras.layers
    x = features(keras)
    a = layers.LSTM(H, return_sequences=True)(x)
    b = layers.LSTM(4, return_sequences=True)(a)
    outputs = [
        layers.Dense(3, activation="softmax", name="kind")(b),
        layers.Dense(2, activation="softmax", name="case")(b),
    ]
    return whole(keras, keras.Model(x, outputs))


def pooled(keras):
    """Attention that nobody asks: the weights come of the encoder's outputs alone."""
    layers = keras.layers
    x = features(keras)
    a = layers.Bidirectional(layers.LSTM(H, return_sequences=True))(x)
    energies = layers.Dense(1)(layers.Dense(4, activation="tanh")(a))
    context = layers.Dot(axes=1)([layers.Softmax(axis=1)(energies), a])
    return whole(
        keras, keras.Model(x, layers.Dense(3, activation="softmax")(layers.Reshape((2 * H,))(context)))
    )


def decoder(keras, layers_=1, after=False, feeding=False, residual_=False, no_attention=False, value=False):
    """Two or three steps, written out."""
    layers = keras.layers
    x = features(keras)
    a, h, c = layers.LSTM(S, return_sequences=True, return_state=True)(x)
    cells = [layers.LSTM(S, return_state=True, name=f"cell_{i}") for i in range(layers_)]
    states = [[h, c] for _ in cells]
    asks, keys = layers.Dense(3, use_bias=False), layers.Dense(3, use_bias=False)(a)
    values = layers.Dense(5, activation="tanh")(a) if value else a
    combine, output = layers.Dense(5, activation="tanh"), layers.Dense(V, activation="softmax")
    row = layers.RepeatVector(1)

    def attend(s):
        energies = layers.Dot(axes=(2, 2))([keys, row(asks(s))])
        return layers.Dot(axes=1)([layers.Softmax(axis=1)(energies), values])

    flat = layers.Flatten()
    before, outputs = None, []
    if feeding:
        before = keras.ops.zeros_like(layers.Dense(5)(h)) if hasattr(keras, "ops") else None
    for _ in range(3):
        if no_attention:
            read = row(states[0][0])
        elif after:
            read = row(before)
        else:
            read = row(flat(attend(states[-1][0])))
        for i, cell in enumerate(cells):
            s, _, c = cell(read, initial_state=states[i])
            states[i] = [s, c]
            below, read = read, row(s)
            if residual_ and i > 0:
                read = layers.Add()([below, read])
        if after:
            before = combine(layers.Concatenate()([flat(attend(flat(read))), flat(read)]))
            outputs.append(output(before))
        else:
            outputs.append(output(flat(read)))
    stack = layers.Concatenate(axis=1)([row(one) for one in outputs])
    return Graph(keras.Model(x, outputs), {"outputs": stack})


def self_asked(keras):
    """The context of an attention asked by the last final state, and dense layers over it."""
    layers = keras.layers
    x = features(keras)
    a, h, _ = layers.LSTM(S, return_sequences=True, return_state=True)(x)
    context = layers.Attention()([layers.RepeatVector(1)(h), a])
    return whole(keras, keras.Model(x, layers.Dense(V, activation="softmax")(layers.Flatten()(context))))


def attended(keras, make):
    """One step of a decoder over what `make` makes of the input."""
    layers = keras.layers
    x, s0, c0 = keras.Input((T, F)), keras.Input((4,)), keras.Input((4,))
    a = make(layers)(x)
    u = layers.Concatenate()([a, layers.RepeatVector(T)(s0)])
    alphas = layers.Softmax(axis=1)(layers.Dense(1)(u))
    s, _, _ = layers.LSTM(4, return_state=True)(layers.Dot(axes=1)([alphas, a]), initial_state=[s0, c0])
    output = layers.Dense(3, activation="softmax")(s)
    return Graph(keras.Model([x, s0, c0], output), {"outputs": [output]})


def gru_encoder(keras, bidirectional=False):
    """A GRU as the encoder."""

    def make(layers):
        cell = layers.GRU(H, return_sequences=True, name="gated")
        return layers.Bidirectional(cell, name="gated_both") if bidirectional else cell

    return attended(keras, make)


def other_backward(keras):
    """A backward layer of its own."""

    def make(layers):
        forward = layers.LSTM(H, return_sequences=True, name="f")
        backward = layers.LSTM(H, return_sequences=True, activation="relu", go_backwards=True, name="b")
        return layers.Bidirectional(forward, backward_layer=backward, name="uneven")

    return attended(keras, make)


def masking_lost(keras):
    """Masking puts zeros into the place of its value, and an operation behind it ends the mask."""
    layers = keras.layers
    x = features(keras)
    a = keras.ops.multiply(layers.Masking(-1.0, name="padding")(x), 0.5)
    return Graph(keras.Model(x, layers.Dense(2)(layers.LSTM(H, name="whole")(a))), {})


def case(name, covers, graph, keras=(3,), kinds=("keras",), **options):
    return Case(name, covers, graph=graph, keras=keras, kinds=kinds, **options)


STRUCTURES = [
    case("gru_encoder", "a GRU encoder", gru_encoder, (2, 3), ("keras", "h5")),
    case("gru_encoder_both", "a bidirectional GRU", gru_encoder, bidirectional=True),
    case("uneven_directions", "directions of different activations", other_backward),
    case("classifier_both", "the last outputs of both directions, two Dense", both_ends),
    case("classifier_sum", "the same, added", both_ends, (2, 3), merge="sum"),
    case("uneven_layers", "layers of other widths, a Dense between", uneven, (2, 3)),
    case("residual_layers", "layers whose input is added to their output", residual),
    case("tagger", "an output for each position", tagger, (2, 3)),
    case("tagger_heads", "two outputs for each position", two_heads),
    case("pooled", "attention that nobody asks", pooled, (2, 3)),
    case("context_head", "dense layers over a context", self_asked),
    case("decoder_stacked", "a decoder of two layers", decoder, (2, 3), layers_=2),
    case("decoder_residual", "one of three, residual", decoder, layers_=3, residual_=True),
    case("decoder_attentional", "attention after the cell, input feeding", decoder, after=True, feeding=True),
    case("decoder_value", "values of an attention through a layer", decoder, value=True),
    case("bad_masking_lost", "zeros in the place of masked values, and no mask", masking_lost, expectation="refuse whole padding"),
]
