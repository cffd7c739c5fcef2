"""Live models of Keras 3 and PyTorch, where these are installed."""

import numpy as np
import pytest
from conftest import ROOT

import cuseq


@pytest.fixture(scope="module")
def keras():
    keras = pytest.importorskip("keras")
    if keras.__version__.split(".")[0] < "3":
        pytest.skip("live models need Keras 3")
    return keras


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def attention_model(keras, author, T=6, F=5, H=3):
    """Attention over a bidirectional LSTM, by Keras' layers or by a class of the author's own."""
    layers = keras.layers
    scored = layers.Dense(4, activation="tanh"), layers.Dense(1)
    repeat, join = layers.RepeatVector(T), layers.Concatenate()

    def attend(sequence, state):
        energies = scored[1](scored[0](join([sequence, repeat(state)])))
        alphas = keras.ops.softmax(energies, axis=1)
        return keras.ops.sum(alphas * sequence, axis=1), alphas

    class Attention(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.scored = scored

        def call(self, sequence, state):
            return attend(sequence, state)

    x = keras.Input((T, F))
    encoder = layers.Bidirectional(layers.LSTM(H, return_sequences=True, return_state=True))
    sequence, forward, _, backward, _ = encoder(x)
    state = layers.Concatenate()([forward, backward])
    return keras.Model(x, list((Attention() if author else attend)(sequence, state)))


@pytest.mark.parametrize("author", [False, True])
def test_a_keras_model_comes_over(keras, author):
    model = attention_model(keras, author)
    ours = cuseq.load(model)
    x = np.random.default_rng(2).standard_normal((4, 6, 5)).astype(np.float32)
    context, alphas = (np.asarray(output) for output in model(x))
    errors = ours.compare(x, {"context": context, "alphas": alphas[..., 0]})
    assert max(errors.values()) < 1e-5


def test_keras_models_without_a_graph_are_named(keras):
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


def test_a_difference_is_an_error(keras, monkeypatch):
    from cuseq import live

    model = attention_model(keras, False)
    weights = model.get_weights()
    convert = live.convert

    def another(path, options):
        made = convert(path, options)
        model.set_weights([weight + 0.1 for weight in weights])
        return made

    monkeypatch.setattr(live, "convert", another)
    with pytest.raises(cuseq.ModelError, match="output 0 is none of the arrays"):
        cuseq.load(model)


def test_a_torch_module_comes_over(torch):
    class Classifier(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(5, 4, bidirectional=True, batch_first=True)
            self.out = torch.nn.Linear(8, 3)

        def forward(self, x):
            _, (h, _) = self.lstm(x)
            return torch.softmax(self.out(torch.cat([h[0], h[1]], -1)), -1)

    cell = {"kind": "lstm", "units": 4}
    config = {
        "version": 2,
        "input": {"features": 5},
        "encoder": {"layers": [{"cell": cell, "direction": "bidirectional"}]},
        "output": {"over": "final", "layers": [{"units": 3, "activation": "softmax"}]},
        "names": {"encoder.layers.0": "lstm", "output.layers.0": "out"},
    }
    module = Classifier()
    ours = cuseq.load(module, config=config)
    assert ours.info()["outputs"] == 3
    with pytest.raises(cuseq.ModelError, match="cannot be called with one tensor"):
        cuseq.load(module, config=config, verify=lambda x, y: x)
    with pytest.raises(cuseq.ModelError, match="none of the arrays"):
        cuseq.load(module, config=config, verify=lambda x: module(x) + 0.01)
    with pytest.raises(ValueError, match="a PyTorch module needs one"):
        cuseq.load(module)


def test_other_things_are_named():
    with pytest.raises(TypeError, match="found int"):
        cuseq.load(5)


def test_a_configuration_brings_named_arrays_over(tmp_path):
    with pytest.raises(cuseq.ModelError):
        cuseq.load(ROOT / "models" / "dates.safetensors", config={"version": 2})
