"""What the builders of random models share: one source of random decisions, layers with names and dtypes,
the twists.

A model is built twice from the same seed, so every decision comes from Maker.rng and none from what Keras
gives back. A twist is one thing about a model that is not as usual; which ones a model shall have is drawn
first, and a builder that comes to the place of one asks for it by twist().
"""

import numpy as np

import strangers
from functions import own_function

POLICIES = ["float64", "mixed_float16", "mixed_bfloat16", "float16", "bfloat16"]
BATCH = 3
ODD_NAMES = {
    2: [
        "b.c-d_e",
        "x>y",
        "lstm.cell",
        "0",
        "Dense",
        "a/b",
        "kernel",
        "layer",
        "bias",
        "forward_lstm",
        "n" * 150,
    ],
    3: [
        "b.c-d_e",
        "x>y",
        "two words",
        "größe",
        'quo"te',
        "it's",
        "two\nlines",
        "tab\tbed",
        "%s%n",
        "0",
        "Dense",
    ]
    + ["layers", "vars", "cell", "forward_layer", "kernel", "-", "n" * 150, "\x1b[31m", "back\\slash"],
}
CLASHING_NAMES = ["lstm", "dense", "bidirectional", "attention", "dot", "repeat_vector", "layer"]
CLASHING_NAMES += [
    "lstm_1",
    "dense_1",
    "dense_2",
    "embedding",
    "masking",
    "activation",
    "lstm_2",
    "rnn",
    "cell",
]


class Maker:
    """Random decisions, layers and what was noted on the way, for one model."""

    def __init__(self, keras, seed, policy=None, plain=False):
        """`policy`, where given, replaces all dtype policies that the model would have. plain: Keras' own
        classes and functions stand in the place of the author's."""
        self.keras, self.layers = keras, keras.layers
        self.version = int(keras.__version__.split(".")[0])
        self.rng = np.random.default_rng(seed)
        self.forced, self.plain = policy, plain
        self.policy = self.pick(POLICIES) if self.chance(0.2) else "float32"
        self.wanted, self.applied = set(), []
        self.naming = self.pick(["keras"] * 5 + ["plain"] * 3 + ["clashing", "odd"])
        self.name_count, self.used_names = 0, set()
        self.made = []  # layers, in the order of their making
        self.probes = {}  # name of an array of cuseq's -> a tensor, or a list of one for each step
        self.zero_inputs, self.free_inputs = (
            [],
            [],
        )  # the author feeds zeros; whatever is fed, nothing depends on it
        self.masked, self.mask_value, self.vocabulary = False, 0.0, 0
        self.tokens, self.steps, self.start_token = 0, 0, None  # of a training graph's given tokens
        self.token_input, self.one_hot_tokens = None, False
        self.cell = self.pick(["LSTM", "LSTM", "GRU"])  # of most of the model's layers
        self.stranger = self.own_function = None
        self.own_meaning = None  # what the author may say of it, for --own-activation
        self.time, self.features, self.units, self.state, self.inner, self.classes = (
            int(n) for n in self.rng.integers([4, 2, 2, 2, 3, 3], [8, 5, 5, 6, 6, 6])
        )
        self.set_policy()

    # ---- decisions

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def pick(self, choices):
        return choices[int(self.rng.integers(len(choices)))]

    def want(self, names, count):
        """Draws the twists that the model shall have."""
        self.wanted = {self.pick(names) for _ in range(count)}
        if "stranger" in self.wanted:
            self.stranger = strangers.draw(self)

    def twist(self, name):
        """Whether the model has this twist; noted once."""
        if name not in self.wanted:
            return False
        self.note(name)
        return True

    def note(self, name):
        if name not in self.applied:
            self.applied.append(name)

    # ---- dtypes

    def set_policy(self):
        policy = self.forced or self.policy
        floatx = policy if policy == "float64" else "float32"
        self.keras.backend.set_floatx(floatx)
        if self.version == 3:
            self.keras.config.set_dtype_policy(policy)
        else:
            self.keras.mixed_precision.set_global_policy(policy)

    # ---- layers

    def name(self, base):
        """A name for a layer, or None for Keras' own."""
        self.name_count += 1
        if self.naming == "keras":
            return None
        choices = {"plain": [f"{base}_"], "clashing": CLASHING_NAMES, "odd": ODD_NAMES[self.version]}[
            self.naming
        ]
        name = self.pick(choices)
        while name in self.used_names or name.endswith("_"):
            name = f"{name}{self.name_count}" if name.endswith("_") else f"{name}_{self.name_count}"
        self.used_names.add(name)
        return name

    def layer(self, kind, base=None, **config):
        """A layer of the class `kind`, or of the author's own class of that name where the model has one."""
        config.setdefault("name", self.name(base or kind.lower()))
        policy = self.pick(POLICIES)
        if self.chance(0.004) and not self.forced:
            config.setdefault("dtype", policy)
        if kind in ("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell"):
            config.setdefault("recurrent_initializer", "glorot_uniform")  # the usual one knows no float16
        make = getattr(self.layers, kind)
        if self.stranger and self.stranger.takes(kind):
            if not self.plain:
                make, config = self.stranger.of(make, config)
            self.note(f"stranger {self.stranger}")
        if config["name"] is None:
            del config["name"]
        layer = make(**config)
        if self.version == 2:
            without_gpu_kernel(layer)
        self.made.append(layer)
        return layer

    def input(self, shape, base, **config):
        """A model's input; a stateful layer takes batches of one size only."""
        if "stateful" in self.wanted:
            config["batch_size"] = BATCH
        return self.keras.Input(shape, name=self.name(base), **config)

    def zero_input(self, shape, base):
        """An input that an author feeds zeros."""
        made = self.input(shape, base)
        self.zero_inputs.append(made)
        return made

    def activation(self, usual):
        """The usual activation, or a function of the author's own."""
        if self.own_function is None and self.twist("own function"):
            name = usual if usual in ("tanh", "relu", "linear") else self.pick(["tanh", "relu", "linear"])
            return self.function(name, self.chance(0.8))
        return usual

    def function(self, name, other):
        """A function of the author's own, called `name`."""
        self.own_function = name if self.plain else own_function(self.keras, name, other)
        if not other:  # what its author may say of it
            self.own_meaning = f"{name}={'softmax_axis1' if name == 'softmax' else name}"
        return self.own_function

    def has_own(self):
        """Whether a class or function of the model is the author's own."""
        stranger = self.stranger is not None and self.stranger.name is not None
        return stranger or self.own_function is not None or self.model_name is not None

    # ---- operations that are no layers

    def op(self, name, *arguments, **settings):
        """softmax, sum, stack, ... of keras.ops, or TensorFlow's of the same meaning."""
        if self.version == 3:
            return getattr(self.keras.ops, name)(*arguments, **settings)
        import tensorflow

        functions = {"sum": "reduce_sum", "mean": "reduce_mean", "max": "reduce_max"}
        functions |= {"concatenate": "concat", "flip": "reverse"}
        function = functions.get(name, name)
        where = tensorflow.nn if name in ("softmax", "tanh", "sigmoid", "relu") else tensorflow
        return getattr(where, function)(*arguments, **settings)


def without_gpu_kernel(layer):
    """Keeps Keras 2 from tracing each LSTM for a GPU too, which takes most of the time of its making."""
    for one in (layer, getattr(layer, "forward_layer", None), getattr(layer, "backward_layer", None)):
        if hasattr(one, "_could_use_gpu_kernel"):
            one._could_use_gpu_kernel = False
