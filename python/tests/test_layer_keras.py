"""cuseq.keras.Layer, where Keras is installed."""

import numpy as np
import pytest
from conftest import GOLDEN

import cuseq

keras = pytest.importorskip("keras")
import cuseq.keras  # noqa: E402 - where Keras is there

X = np.random.default_rng(6).standard_normal((3, 8, 7)).astype(np.float32)


@pytest.fixture(scope="module")
def ours():
    return cuseq.load(GOLDEN / "models" / "keras_concat.safetensors")


def inside(ours, positions=8, array="outputs"):
    x = keras.Input((positions, 7))
    return keras.Model(x, cuseq.keras.Layer(ours, array, name="ours")(x))


@pytest.mark.parametrize("positions", [8, None])
@pytest.mark.parametrize("array", ["outputs", "alphas", "annotations"])
def test_a_layer_computes_what_the_model_does(ours, positions, array):
    model = inside(ours, positions, array)
    want = ours(X)[array]
    shape = tuple(model.outputs[0].shape)
    assert len(shape) == 3 and all(size in (None, n) for size, n in zip(shape, want.shape, strict=True))
    assert (np.asarray(model.predict(X, verbose=0)) == want).all()
    assert (np.asarray(model(X)) == want).all()


def test_layers_of_keras_go_on_from_it(ours):
    x = keras.Input((8, 7))
    doubled = keras.layers.Rescaling(2.0)(cuseq.keras.Layer(ours)(x))
    found = keras.Model(x, doubled).predict(X, verbose=0)
    assert np.allclose(found, 2 * ours(X).outputs)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_layer_is_saved_with_its_model(ours, tmp_path, ending):
    inside(ours).save(tmp_path / f"model{ending}")
    again = keras.models.load_model(tmp_path / f"model{ending}")
    assert (again.predict(X, verbose=0) == ours(X).outputs).all()
    assert again.get_layer("ours").model.config == ours.config


def test_what_is_no_model_is_named():
    with pytest.raises(cuseq.Error, match="found int, needed a cuseq.Model"):
        cuseq.keras.Layer(5)
