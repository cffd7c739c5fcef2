"""The models that make_keras_files.py writes about two questions: whose class is it, and whose weights are they?

Classes of an author's own under the names of Keras' own must be refused wherever the file tells; parts that are frozen,
nested, shared or renamed put weights in other places, and change no number. What could be taken for each other
has the same shape here.
"""

import os
import tempfile

import numpy as np

from keras_cases import Case
from keras_models import F, H, S, T, V, Y, Graph


def registered(keras, cls, package="Author"):
    return keras.saving.register_keras_serializable(package=package)(cls)


def assemble(
    keras,
    encoder=None,
    dense=None,
    weights=None,
    dot=None,
    front=None,
    after=None,
    score=None,
    cell_options=None,
    features=F,
):
    """The exercise's graph of default names, with parts of it replaced: each is a function of keras."""
    layers = keras.layers
    x, s0, c0 = keras.Input((T, features), name="x"), keras.Input((S,)), keras.Input((S,))
    both = layers.Bidirectional(layers.LSTM(H, return_sequences=True, name="lstm"), name="both")
    a = (encoder(keras) if encoder else both)(front(keras)(x) if front else x)
    repeat, join = layers.RepeatVector(T), layers.Concatenate()
    energies = dense(keras) if dense else [layers.Dense(4, activation="tanh", name="energy")]
    energies = [*energies, layers.Dense(1, name="last_energy")]
    softmax = weights(keras) if weights else layers.Softmax(axis=1, name="weights")
    dot = dot(keras) if dot else layers.Dot(axes=1, name="context")

    def attend(s):
        u = join([a, repeat(s)])
        for layer in energies:
            u = layer(u)
        alphas = softmax(u)
        return dot([alphas, a]), alphas

    attend = score(keras, a) if score else attend
    cell = layers.LSTM(S, return_state=True, name="decoder", **(cell_options or {}))
    output = layers.Dense(V, activation="softmax", name="output")
    s, c, probes = s0, c0, dict(annotations=a, context=[], alphas=[], outputs=[])
    for _ in range(Y):
        context, alphas = attend(s)
        s, _, c = cell(context, initial_state=[s, c])
        for name, tensor in (("context", context), ("alphas", alphas), ("outputs", output(s))):
            probes[name].append(tensor)
    model = keras.Model([x, s0, c0], list(probes["outputs"]))
    if after:
        after(keras, model)
    return Graph(model, probes)


# ---- classes of the author's own -----------------------------------------------------------------


def own_softmax(keras, register=False, weight=False, parent="Layer"):
    class Softmax(getattr(keras.layers, parent)):
        def build(self, shape):
            if weight:
                self.temperature = self.add_weight(name="temperature", shape=(1,), initializer="ones")
            super().build(shape)

        def call(self, x):
            factor = self.temperature if weight else 2.0
            return keras.activations.softmax(factor * x, axis=1)

    options = dict(axis=1) if parent == "Softmax" else {}
    return (registered(keras, Softmax) if register else Softmax)(name="weights", **options)


def own_dense(keras, kind):
    layers = keras.layers

    class Dense(layers.Layer if kind == "layer" else layers.Dense):
        def __init__(self, units, **options):
            super().__init__(**options) if kind == "layer" else super().__init__(units, **options)
            self.units = units

        def build(self, shape):
            if kind == "layer":
                self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.units))
                self.bias = self.add_weight(name="bias", shape=(self.units,))
            else:
                super().build(shape)
                self.gain = self.add_weight(name="gain", shape=(self.units,))

        def call(self, x):
            if kind != "layer":
                return super().call(x) * self.gain
            return keras.activations.tanh(x @ self.kernel - self.bias)

        def get_config(self):
            return dict(super().get_config(), units=self.units)

    return [Dense(4, name="energy")]


def own_attention(keras, a, register=False):
    class Attention(keras.layers.Layer):
        def call(self, inputs):
            query, value = inputs
            alphas = keras.layers.Softmax(axis=1)(2.0 * keras.layers.Dot(axes=2)([value, query]))
            return keras.layers.Dot(axes=1)([alphas, value]), alphas

    attention = (registered(keras, Attention) if register else Attention)(name="attention")
    row, query = keras.layers.Reshape((1, 2 * H)), keras.layers.Dense(2 * H, name="query")
    return lambda s: attention([row(query(s)), a])


def own_lstm_in(where):
    return lambda keras: own_lstm(keras, where)


def own_lstm(keras, where):
    class LSTM(keras.layers.LSTM):
        def call(self, sequences, **options):
            return 0.5 * super().call(sequences, **options)

    class LSTMCell(keras.layers.LSTMCell):
        def call(self, inputs, states, training=None):
            return super().call(0.5 * inputs, states, training=training)

    layers = keras.layers
    if where == "cell":
        return layers.RNN(registered(keras, LSTMCell)(H), return_sequences=True, name="both")
    LSTM = registered(keras, LSTM)
    if where == "both":
        return layers.Bidirectional(LSTM(H, return_sequences=True), name="both")
    backward = LSTM(H, return_sequences=True, go_backwards=True)
    return layers.Bidirectional(layers.LSTM(H, return_sequences=True), backward_layer=backward, name="both")


def own_dropout(keras):
    class Dropout(keras.layers.Layer):
        def call(self, x):
            return 0.5 * x

    return Dropout(name="dropout")


def own_dot(keras):
    class Dot(keras.layers.Layer):
        def __init__(self, axes=1, **options):
            super().__init__(**options)
            self.axes = axes

        def call(self, inputs):
            return keras.layers.Dot(axes=1)([inputs[0], 0.5 * inputs[1]])

        def get_config(self):
            return dict(super().get_config(), axes=self.axes)

    return Dot(name="context")


# ---- weights in other places ---------------------------------------------------------------------


def both_of(keras, name="both", **options):
    layers = keras.layers
    return layers.Bidirectional(layers.LSTM(H, return_sequences=True, **options), name=name)


def cells_of(keras):
    layers = keras.layers
    return layers.Bidirectional(layers.RNN(layers.LSTMCell(H), return_sequences=True), name="both")


def encoder_model(keras, count, directions=2):
    """Layers of the same shape, as one model."""
    x = y = keras.Input((T, directions * H))
    for index in range(count):
        layer = keras.layers.LSTM(H, return_sequences=True, name=f"layer_{index}")
        y = (both_of(keras, f"layer_{index}") if directions == 2 else layer)(y)
    return keras.Model(x, y, name="encoder")


def attention_model(keras, a):
    """Energies of four Dense layers, the middle ones of the same shape, as one model that is called at each step."""
    layers = keras.layers
    x, s = keras.Input(a.shape[1:]), keras.Input((S,))
    u = layers.Concatenate()([x, layers.RepeatVector(T)(s)])
    for index in range(3):
        u = layers.Dense(4, activation="tanh", name=f"energy_{index}")(u)
    alphas = layers.Softmax(axis=1)(layers.Dense(1, name="last_energy")(u))
    model = keras.Model([x, s], [layers.Dot(axes=1)([alphas, x]), alphas], name="attention")
    return lambda step: model([a, step])


def first_alphas(keras):
    """The alphas of the first step are an output, from a model that is called at each step: in the list of outputs
    Keras 3 counts its calls from 1, elsewhere from 0."""
    graph = assemble(keras, score=attention_model)
    given = [*graph.probes["outputs"], graph.probes["alphas"][0]]
    return Graph(keras.Model(graph.model.inputs, given), graph.probes)


def called_before(keras):
    """Layers that were called before, in another model, as in a notebook whose cells run again."""
    layers = keras.layers
    energy, softmax, dot = layers.Dense(4, name="energy"), layers.Softmax(axis=1, name="weights"), layers.Dot(axes=1)
    parts = dict(dense=lambda _: [energy], weights=lambda _: softmax, dot=lambda _: dot)
    assemble(keras, **parts)
    return assemble(keras, **parts)


def shared_encoder(keras):
    """Two models with one LSTM in both, and one more in the second."""
    shared = keras.layers.LSTM(H, return_sequences=True, name="shared")
    x = keras.Input((T, H))
    first = keras.Model(x, shared(x), name="first")
    x = keras.Input((T, H))
    second = keras.Model(x, keras.layers.LSTM(H, return_sequences=True, name="alone")(shared(x)), name="second")
    return lambda y: second(first(y))


def own_directions(keras):
    """The forward layer has a name that looks like the other direction's."""
    layers = keras.layers
    forward = layers.LSTM(H, return_sequences=True, name="backward")
    backward = layers.LSTM(H, return_sequences=True, go_backwards=True, name="second")
    return layers.Bidirectional(forward, backward_layer=backward, name="forward_both")


def freeze(*path):
    """Freezes a layer by the names and attributes that lead to it."""

    def after(keras, model):
        part = model
        for name in path:
            part = part.get_layer(name) if hasattr(part, "get_layer") else getattr(part, name)
        part.trainable = False

    return after


def reloaded(keras):
    """A graph that was saved and loaded: Keras 3 then leaves a wrapper's name out of its weights' names."""
    with tempfile.TemporaryDirectory() as folder:
        assemble(keras).model.save(os.path.join(folder, "model.h5"))
        model = keras.models.load_model(os.path.join(folder, "model.h5"), compile=False)
    probes = {
        name: [node.outputs[0] for node in model.get_layer(layer)._inbound_nodes]
        for name, layer in (("alphas", "weights"), ("context", "context"))
    }
    return Graph(model, dict(probes, outputs=list(model.outputs)))


def half(keras):
    """All layers compute in half precision, but for the expectation's."""
    if keras.backend.floatx() == "float64":
        return assemble(keras)
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return assemble(keras)
    finally:
        keras.mixed_precision.set_global_policy("float32" if hasattr(keras, "ops") else None)


def with_lora(keras, model):
    for name in ("energy", "output"):
        model.get_layer(name).enable_lora(2)


def float8_dense(keras):
    policy = keras.dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", amax_history_length=4)
    return [keras.layers.Dense(4, activation="tanh", name="energy", dtype=policy)]


# ---- the cases -----------------------------------------------------------------------------------


def part(name, covers, expectation="same", **options):
    options.setdefault("kinds", ("keras", "h5"))
    options.setdefault("keras", (2, 3))
    options.setdefault("packed", True)
    return Case(name, covers, expectation, graph=options.pop("graph", assemble), kinds2=options["kinds"], **options)


OWN = [
    part("own_softmax", "an author's Softmax", "refuse weights author's", weights=own_softmax),
    part(
        "own_softmax_registered",
        "an author's Softmax, registered",
        "refuse weights",
        weights=lambda keras: own_softmax(keras, register=True),
        kinds=("keras",),
    ),
    part(
        "own_softmax_subclass",
        "a subclass of Softmax",
        "refuse weights author's",
        weights=lambda keras: own_softmax(keras, parent="Softmax"),
        kinds=("keras",),
    ),
    part(
        "own_softmax_weight",
        "a subclass of Softmax with a weight",
        "refuse weights temperature",
        weights=lambda keras: own_softmax(keras, weight=True, parent="Softmax"),
        kinds=("h5",),
    ),
    part(
        "own_dense",
        "an author's Dense with Keras' weights",
        "refuse energy author's",
        dense=lambda keras: own_dense(keras, "layer"),
    ),
    part(
        "own_dense_weight",
        "a subclass of Dense with one weight more",
        "refuse energy gain",
        dense=lambda keras: own_dense(keras, "gain"),
        kinds=("h5",),
    ),
    part(
        "own_dense_inside",
        "the same in a TimeDistributed layer",
        "refuse each author's",
        dense=lambda keras: [keras.layers.TimeDistributed(own_dense(keras, "gain")[0], name="each")],
        keras=(2,),
    ),
    part("own_attention", "an author's Attention", "refuse attention author's", score=own_attention),
    part(
        "own_attention_registered",
        "an author's Attention, registered",
        "refuse attention",
        score=lambda keras, a: own_attention(keras, a, register=True),
        kinds=("h5",),
        keras=(3,),
    ),
    part("own_lstm", "a subclass of LSTM in both directions", "refuse both LSTM author's", encoder=own_lstm_in("both")),
    part(
        "own_lstm_backward",
        "a subclass of LSTM as the backward layer",
        "refuse both backward_layer LSTM author's",
        encoder=own_lstm_in("backward"),
        kinds=("keras",),
    ),
    part("own_cell", "a subclass of LSTMCell in an RNN", "refuse both LSTMCell author's", encoder=own_lstm_in("cell")),
    part("own_dropout", "an author's Dropout", "refuse dropout author's", front=own_dropout, kinds=("keras",)),
    part("own_dot", "an author's Dot", "refuse context author's", dot=own_dot, kinds=("h5",)),
    part(
        "training",
        "dropout that is at work when the model is used",
        "refuse at_work training",
        front=lambda keras: lambda x: keras.layers.Dropout(0.5, name="at_work")(x, training=True),
        kinds=("keras",),
    ),
    part(
        "constant",
        "an array that is added",
        "refuse constant",
        front=lambda keras: lambda x: x + np.linspace(0, 1, F, dtype=keras.backend.floatx()),
        kinds=("keras",),
    ),
    part(
        "quantised_int8",
        "Dense layers of whole numbers",
        "refuse quantised int8",
        after=lambda keras, model: model.quantize("int8"),
        keras=(3,),
        kinds=("keras",),
    ),
    part(
        "quantised_float8",
        "a Dense layer of 8-bit floats",
        "refuse energy quantised float8",
        dense=float8_dense,
        keras=(3,),
        kinds=("keras",),
    ),
    part(
        "lora_apart",
        "LoRA in a .h5, which has its matrices apart",
        "refuse LoRA .keras",
        after=with_lora,
        keras=(3,),
        kinds=("h5",),
    ),
    part(
        "lost_calls",
        "Keras 3.2 writes every call of a layer as its first",
        "refuse called 3.2",
        keras=(3,),
        kinds=("keras",),
        only="3.2",
    ),
]

PLACES = [
    part(
        "frozen_direction",
        "one direction is frozen, after it was built",
        after=freeze("both", "forward_layer"),
        kinds=("h5",),
    ),
    part(
        "frozen_cell",
        "the cell of one direction is frozen",
        encoder=cells_of,
        after=freeze("both", "forward_layer", "cell"),
        kinds=("h5",),
    ),
    part(
        "frozen_nested_direction",
        "one direction in a model that is a layer is frozen",
        encoder=lambda keras: encoder_model(keras, 2),
        features=2 * H,
        after=freeze("encoder", "layer_0", "forward_layer"),
        kinds=("h5",),
    ),
    part(
        "frozen_nested_layer",
        "one of three layers of a shape is frozen, in a model that is a layer",
        encoder=lambda keras: encoder_model(keras, 3, directions=1),
        features=H,
        after=freeze("encoder", "layer_1"),
        kinds=("h5",),
    ),
    part(
        "frozen_nested_energy",
        "one of two Dense layers of a shape is frozen, in a model that is called at each step",
        score=attention_model,
        after=freeze("attention", "energy_1"),
        kinds=("keras", "h5"),
    ),
    part(
        "frozen_model",
        "a whole model that is a layer is frozen",
        encoder=lambda keras: encoder_model(keras, 2),
        features=2 * H,
        after=freeze("encoder"),
        kinds=("h5",),
        keras=(2,),
    ),
    part("backward_of_ones_own", "directions of names of their own", encoder=own_directions, kinds=("h5",)),
    part("shared_between_models", "one layer in two models", encoder=shared_encoder, features=H),
    part("reloaded", "loaded and saved again", graph=reloaded, keras=(3,), kinds=("h5",)),
    part("half_precision", "mixed_float16", "same+note half precision", graph=half, kinds=("keras",)),
    part("lora", "LoRA, which a .keras file has in the kernels", after=with_lora, keras=(3,), kinds=("keras",)),
    part(
        "old_folders",
        "Keras 2.13 counts layers that have weights twice",
        encoder=lambda keras: encoder_model(keras, 2),
        features=2 * H,
        keras=(2,),
        kinds=("keras",),
        only="2.13",
    ),
    part(
        "nested_first_alphas",
        "alphas of the first of several calls of a model",
        "same+note output 3 alphas step 1",
        graph=first_alphas,
    ),
    part("called_before", "layers that were called before", graph=called_before),
    part(
        "called_before",
        "layers that were called before, whose calls Keras 3.0 counts too",
        graph=called_before,
        kinds=("keras",),
        keras=(3,),
        only="3.0",
    ),
]
