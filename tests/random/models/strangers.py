"""Classes of an author's own that have the names of Keras' layers and compute something else.

Three ways of writing one: "subclass" overrides call() and has its parent's configuration and weights,
"extended" has a setting and a weight more, "layer" is written from scratch on keras.layers.Layer.
"""

import functools
import inspect

NAMES = {
    "subclass": [
        "Attention",
        "AdditiveAttention",
        "Softmax",
        "Dense",
        "LSTM",
        "LSTMCell",
        "Dropout",
        "Embedding",
    ]
    + [
        "Concatenate",
        "Dot",
        "Activation",
        "RepeatVector",
        "Bidirectional",
        "Masking",
        "Reshape",
        "Add",
        "RNN",
    ],
    "extended": ["Dense", "Softmax", "LSTM", "Attention", "Dropout", "Embedding", "Concatenate"],
    "layer": ["Softmax", "Dense", "Dropout", "Attention", "Concatenate", "RepeatVector", "Activation"],
}


class Stranger:
    """A class of the author's own: how it is written, whether it is registered. Its name is that of one of
    the first layers that are made."""

    def __init__(self, way, registered, harmless, everywhere, skipped):
        self.way, self.registered, self.harmless, self.all, self.skipped = (
            way,
            registered,
            harmless,
            everywhere,
            skipped,
        )
        self.name, self.used = None, False

    def __str__(self):
        facts = [self.name, self.way] + ["harmless"] * self.harmless + ["registered"] * self.registered
        return " ".join(map(str, facts))

    def takes(self, kind):
        """Whether a layer of Keras' class `kind`, which is about to be made, is to be of the author's own
        class."""
        if self.name is None and kind in NAMES[self.way]:
            self.skipped -= 1
            if self.skipped < 0:
                self.name = kind
        taken = kind == self.name and (self.all or not self.used)
        self.used |= taken
        return taken

    def of(self, base, config):
        """The class in place of Keras' own, and the configuration that it takes."""
        make = make_class(base, self.way, self.registered, self.harmless)
        if self.way == "layer":
            taken = inspect.signature(make.__init__).parameters
            config = {key: value for key, value in config.items() if key in taken or key in ("name", "dtype")}
        return make, config


def draw(m):
    """A random one."""
    way = m.pick(["subclass", "subclass", "extended", "layer"])
    harmless = way == "subclass" and m.chance(0.1)
    return Stranger(way, m.chance(0.4), harmless, m.chance(0.5), int(m.rng.integers(6)))


@functools.cache
def make_class(base, way, registered, harmless):
    """A class of base's name; the same one for the same arguments."""
    import keras

    made = {"subclass": subclass, "extended": extended, "layer": from_scratch}[way](keras, base, harmless)
    made.__name__ = made.__qualname__ = base.__name__
    made.__module__ = "__main__"
    if registered:
        made = keras.saving.register_keras_serializable(package=f"mine_{way}")(made)
    return made


def changed(result):
    """A layer's result, its first tensor less than Keras' own."""
    if isinstance(result, (list, tuple)):
        return type(result)([result[0] * 0.5, *result[1:]])
    return result * 0.5


def subclass(keras, base, harmless):
    """call() with the parent's signature, which Keras looks at."""

    class Own(base):
        def call(self, *arguments, **settings):
            result = super().call(*arguments, **settings)
            return result if harmless else changed(result)

    Own.call = functools.wraps(base.call)(Own.call)
    return Own


def extended(keras, base, harmless):
    class Own(base):
        def __init__(self, *arguments, factor=1.5, **settings):
            super().__init__(*arguments, **settings)
            self.factor = factor

        def build(self, *arguments, **settings):
            super().build(*arguments, **settings)
            self.gain = self.add_weight(name="gain", shape=(1,), initializer="ones")
            self.built = True

        def call(self, *arguments, **settings):
            result = super().call(*arguments, **settings)
            if isinstance(result, (list, tuple)):
                return type(result)([result[0] * self.gain * self.factor, *result[1:]])
            return result * self.gain * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    Own.call = functools.wraps(base.call)(Own.call)
    Own.build = functools.wraps(base.build)(Own.build)
    return Own


def softmax(x, axis):
    """By sums and products, as hand-written layers have it."""
    import keras

    if hasattr(keras, "ops"):
        return keras.ops.softmax(x * 0.5, axis=axis)
    import tensorflow

    return tensorflow.nn.softmax(x * 0.5, axis=axis)


def from_scratch(keras, base, harmless):
    return {
        "Softmax": own_softmax,
        "Dense": own_dense,
        "Dropout": own_dropout,
        "Attention": own_attention,
        "Concatenate": own_concatenate,
        "RepeatVector": own_repeat,
        "Activation": own_activation,
    }[base.__name__](keras.layers)


def own_softmax(layers):
    class Own(layers.Layer):
        def __init__(self, axis=-1, **settings):
            super().__init__(**settings)
            self.axis = axis

        def call(self, inputs):
            return softmax(inputs, self.axis)

        def get_config(self):
            return {**super().get_config(), "axis": self.axis}

    return Own


def own_dense(layers):
    class Own(layers.Layer):
        def __init__(self, units=1, activation=None, use_bias=True, **settings):
            super().__init__(**settings)
            self.units, self.activation, self.use_bias = units, activation, use_bias

        def build(self, shape):
            self.w = self.add_weight(name="kernel", shape=(shape[-1], self.units))
            self.b = self.add_weight(name="bias", shape=(self.units,))
            self.built = True

        def call(self, inputs):
            return inputs @ self.w * 0.5 + self.b

        def get_config(self):
            own = {"units": self.units, "activation": self.activation, "use_bias": self.use_bias}
            return {**super().get_config(), **own}

    return Own


def own_dropout(layers):
    class Own(layers.Layer):
        def __init__(self, rate=0.5, **settings):
            super().__init__(**settings)
            self.rate = rate

        def call(self, inputs):
            return inputs * (1 - self.rate)

        def get_config(self):
            return {**super().get_config(), "rate": self.rate}

    return Own


def own_attention(layers):
    class Own(layers.Layer):
        def __init__(self, **settings):
            super().__init__(**settings)

        def call(self, inputs, return_attention_scores=False):
            query, value = inputs[:2]
            scores = query @ swapped(inputs[-1])
            alphas = softmax(scores, -1)
            return (alphas @ value, alphas) if return_attention_scores else alphas @ value

    return Own


def swapped(x):
    """Its last two axes exchanged."""
    import keras

    if hasattr(keras, "ops"):
        return keras.ops.transpose(x, (0, 2, 1))
    import tensorflow

    return tensorflow.transpose(x, (0, 2, 1))


def own_concatenate(layers):
    class Own(layers.Layer):
        def call(self, inputs):
            return layers.concatenate(list(inputs[::-1]), axis=-1)

    return Own


def own_repeat(layers):
    class Own(layers.Layer):
        def __init__(self, n=1, **settings):
            super().__init__(**settings)
            self.n = n

        def call(self, inputs):
            import keras

            if hasattr(keras, "ops"):
                return keras.ops.repeat(inputs[:, None, :], self.n, axis=1) * 0.5
            import tensorflow

            return tensorflow.repeat(inputs[:, None, :], self.n, axis=1) * 0.5

        def get_config(self):
            return {**super().get_config(), "n": self.n}

    return Own


def own_activation(layers):
    class Own(layers.Layer):
        def __init__(self, activation=None, **settings):
            super().__init__(**settings)
            self.activation = activation

        def call(self, inputs):
            return inputs * 0.5

        def get_config(self):
            return {**super().get_config(), "activation": self.activation}

    return Own
