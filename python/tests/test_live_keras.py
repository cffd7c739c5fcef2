"""Live models of Keras 3, on any backend, and of Keras 2, where one of them is installed."""

import live_layers
import numpy as np
import pytest

import cuseq

keras = pytest.importorskip("keras")
KERAS_3 = keras.__version__.split(".")[0] >= "3"
TENSORFLOW = keras.backend.backend() == "tensorflow"

LAYERS = live_layers.with_operations(keras) if KERAS_3 else {}
if TENSORFLOW:
    import tensorflow

    LAYERS |= {f"tf {name}": kind for name, kind in live_layers.with_tensorflow(keras, tensorflow).items()}
OPEN = [name for name in LAYERS if name.endswith(("weighted", "einsum", "operators", "luong"))]


def host(x):
    return np.asarray(keras.ops.convert_to_numpy(x) if KERAS_3 else x)


@pytest.mark.parametrize(("name", "positions"), [*((name, 6) for name in LAYERS), *((name, None) for name in OPEN)])
def test_a_layer_written_by_hand_comes_over(name, positions):
    keras.utils.set_random_seed(5)
    model = live_layers.model_of(keras, LAYERS[name](), positions)
    ours = cuseq.load(model)
    x = np.random.default_rng(2).standard_normal((4, 6, 5)).astype(np.float32)
    context, alphas = (host(output) for output in model(x))
    errors = ours.compare(x, {"context": context, "alphas": alphas.reshape(4, 6)})
    assert max(errors.values()) < 1e-6
    assert np.ptp(alphas) > 1e-3


def test_the_model_is_left_as_it_was():
    model = live_layers.model_of(keras, LAYERS["tf pasted" if TENSORFLOW else "written"]())
    before = [weight.shape for weight in model.weights], [layer.output is not None for layer in model.layers]
    cuseq.load(model)
    assert ([weight.shape for weight in model.weights], [layer.output is not None for layer in model.layers]) == before


def test_a_layer_that_cannot_be_followed_is_named():
    class Odd(keras.layers.Layer):
        def call(self, sequence, state):
            if TENSORFLOW:
                return tensorflow.math.cumsum(sequence, axis=1), state
            return np.sort(sequence), state

        def compute_output_spec(self, sequence, state):
            return keras.KerasTensor(sequence.shape), keras.KerasTensor(state.shape)

    model = live_layers.model_of(keras, Odd(name="strange"))
    with pytest.raises(cuseq.ModelError, match=r"layer 'strange' .Odd.: its call.. cannot be followed"):
        cuseq.load(model)


@pytest.mark.skipif(not TENSORFLOW, reason="TensorFlow's functions")
def test_what_is_random_is_refused():
    class Noisy(LAYERS["tf luong"] if TENSORFLOW else object):
        def call(self, sequence, s):
            return super().call(sequence, s + tensorflow.random.normal((8,)))

    with pytest.raises(cuseq.ModelError, match="RandomStandardNormal, whose result is another one every time"):
        cuseq.load(live_layers.model_of(keras, Noisy()))


def test_models_without_a_graph_are_named():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.LSTM(3)

        def call(self, x):
            return self.layer(x)

    model = Subclassed()
    with pytest.raises(cuseq.ModelError, match="it is not built"):
        cuseq.load(model)
    model(np.zeros((1, 3, 4), np.float32))
    with pytest.raises(cuseq.ModelError, match="without a graph"):
        cuseq.load(model)


def classifier(width=3):
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((None,), dtype="int32"), layers.Embedding(9, 4), layers.LSTM(5), layers.Dense(width, "softmax")]
    )


def test_a_difference_is_an_error(monkeypatch):
    from cuseq import live_keras

    model = classifier()
    weights = model.get_weights()
    convert = live_keras.convert

    def another(path, options):
        made = convert(path, options)
        model.set_weights([weight + 0.1 for weight in weights])
        return made

    monkeypatch.setattr(live_keras, "convert", another)
    with pytest.raises(cuseq.ModelError, match="output 0 is none of the arrays"):
        cuseq.load(model)


@pytest.mark.parametrize("takes_mask", [False, True])
def test_a_mask_that_a_layer_written_by_hand_does_not_tell_of_is_refused(takes_mask):
    """Keras attends to padding there, or does with the mask what nobody sees."""
    kind = LAYERS["tf weighted" if TENSORFLOW else "weighted"]

    class Masked(kind):
        def call(self, sequence, s, mask=None):
            return super().call(sequence, s)

    layers = keras.layers
    ids = keras.Input((6,), dtype="int32")
    sequence, state, _ = layers.LSTM(8, return_sequences=True, return_state=True)(
        layers.Embedding(9, 4, mask_zero=True)(ids)
    )
    model = keras.Model(ids, (Masked if takes_mask else kind)()(sequence, state)[0])
    with pytest.raises(cuseq.ModelError, match="mask"):
        cuseq.load(model)


def test_ids_and_classes_come_over():
    model = classifier()
    ours = cuseq.load(model)
    ids = np.random.default_rng(3).integers(0, 9, (4, 6)).astype(np.int32)
    assert np.abs(ours(ids).outputs - host(model(ids))).max() < 1e-6


@pytest.mark.parametrize("features", [1, 3])
def test_positions_that_are_sequences_of_their_own_come_over(features):
    layers = keras.layers
    inner = [layers.Conv1D(4, 3, activation="relu"), layers.MaxPooling1D(2), layers.Flatten()]
    model = keras.Sequential([layers.Input((4, 6, features)), *map(layers.TimeDistributed, inner)])
    model.add(layers.LSTM(5))
    ours = cuseq.load(model)
    x = np.random.default_rng(3).standard_normal((2, 4, 6, features)).astype(np.float32)
    assert np.abs(ours(x.reshape(2, 4, -1)).outputs - host(model(x))).max() < 1e-6


def test_a_vector_that_is_shaped_to_a_sequence_comes_over():
    layers = keras.layers
    model = keras.Sequential([layers.Input((18,)), layers.Reshape((6, 3)), layers.LSTM(5)])
    ours = cuseq.load(model)
    x = np.random.default_rng(3).standard_normal((2, 18)).astype(np.float32)
    assert np.abs(ours(x.reshape(2, 6, 3)).outputs - host(model(x))).max() < 1e-6


@pytest.mark.parametrize("first", [False, True])
def test_numbers_of_each_step_come_over(first):
    """A forecast whose decoder is given what is known of the days to come: the second input, or the first."""
    keras.utils.set_random_seed(7)
    past, days = keras.Input((6, 3)), keras.Input((4, 2))
    _, h, c = keras.layers.LSTM(5, return_state=True)(past)
    y = keras.layers.LSTM(5, return_sequences=True)(days, initial_state=[h, c])
    inputs = [days, past] if first else [past, days]
    model = keras.Model(inputs, keras.layers.Dense(1)(y))
    ours = cuseq.load(model)
    random = np.random.default_rng(4)
    x, given = (random.standard_normal(size).astype(np.float32) for size in ((3, 6, 3), (3, 4, 2)))
    want = host(model([given, x] if first else [x, given]))
    assert np.abs(ours(x, given=given).outputs - want).max() < 1e-6
