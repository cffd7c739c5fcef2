"""What the lists of written models share: the register they enter, and a few words that Keras 2 and 3 spell
differently.

A kind is a function that makes one model as people write it: `make(k)` gives a keras.Model or Sequential,
or a Built where more must be known of it than its first input's shape."""

KINDS = []  # in the order of the files


class Kind:
    """One model: its name, its maker, the versions of Keras it is for."""

    def __init__(self, make, keras):
        self.name, self.covers, self.make, self.keras = make.__name__, make.__doc__, make, keras


def kind(make=None, keras=(2, 3)):
    """Enters a maker into the register, under its own name."""

    def enter(function):
        KINDS.append(Kind(function, keras))
        return function

    return enter(make) if make else enter


class Built:
    """A model and how it is fed.
    ids       how many token ids the first input takes; 0: it takes features
    time      T of an input whose shape leaves it open
    masked    the value that stands at padded positions, where the model masks them
    targets   the second input is the given tokens: of so many classes; by their ids, or one-hot
    start     the second input is the token before the first step, which the user says: a number, or one-hot
    one_hot_targets  only these are one-hot
    steps     Y of the given tokens, where the input's shape leaves it open
    given_mask  the second input is the mask: true within each row's length
    decoder   one step of a decoder, a model of its own: its inputs are the token, or numbers, and then the model's
              outputs, the last of which its outputs behind the first one are in the next step
    others    of each input behind the first: how many token ids it takes; 0: numbers. Else they are zeros
    """

    def __init__(
        self,
        model,
        ids=0,
        time=6,
        masked=None,
        targets=0,
        one_hot=False,
        steps=4,
        given_mask=False,
        decoder=None,
        one_hot_targets=False,
        start=False,
        others=(),
    ):
        self.model, self.ids, self.time, self.masked, self.given_mask = model, ids, time, masked, given_mask
        self.targets, self.one_hot, self.steps, self.decoder = targets, one_hot, steps, decoder
        self.start, self.others = start, others
        self.one_hot_targets = one_hot or one_hot_targets


class Words:
    """The Keras that is installed here: layers by their names, operations by those of keras.ops."""

    def __init__(self, keras):
        self.keras, self.version = keras, int(keras.__version__.split(".")[0])
        self.Input, self.Model, self.Sequential = keras.Input, keras.Model, keras.Sequential

    def __getattr__(self, name):
        return getattr(self.keras.layers, name)

    def op(self, name, *arguments, **settings):
        """An operation that is no layer."""
        if self.version == 3:
            return getattr(self.keras.ops, name)(*arguments, **settings)
        import tensorflow

        functions = {"sum": "reduce_sum", "mean": "reduce_mean", "max": "reduce_max", "concatenate": "concat"}
        functions["take"] = "gather"
        where = tensorflow.nn if name in ("softmax", "tanh", "sigmoid", "relu") else tensorflow
        return getattr(where, functions.get(name, name))(*arguments, **settings)
