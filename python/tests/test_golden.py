"""The frameworks' own numbers, through Python: every vector that the C library is held against."""

import numpy as np
import pytest
from conftest import GOLDEN

import cuseq

MODELS = sorted(path.stem for path in (GOLDEN / "models").glob("*.safetensors"))
GIVEN = {"start_h": "encoder_h", "start_c": "encoder_c"}
INITIAL = ("initial_h", "initial_c", "initial_fed", "previous")


def compare(model, name, got, want, time, steps):
    got, want = np.asarray(got), np.asarray(want)
    assert got.size == want.size, name
    want = want.reshape(got.shape)  # encoder states are in one row there, tokens of one head have an axis of one
    if want.dtype.kind == "i":
        assert (got == want).all(), name
        return
    error = np.abs(got.astype(np.float64) - want) / np.maximum(1.0, np.abs(want))
    tolerance = model.tolerance("states" if name == "final_fed" else name, time, steps)
    assert error.max(initial=0.0) <= max(tolerance, 1e-6), name


@pytest.mark.parametrize("name", MODELS)
def test_the_frameworks_arrays_come_out(name):
    model = cuseq.load(GOLDEN / "models" / f"{name}.safetensors")
    vector = dict(np.load(GOLDEN / "models" / f"{name}.npz"))
    if "rows" in vector:
        return  # a decoding of other rows than the encoded ones: test_steps.py
    x = vector.pop("input")
    initial = {GIVEN[key]: vector.pop(key) for key in GIVEN if key in vector}
    initial |= {key: vector.pop(key) for key in INITIAL if key in vector}
    options = {key: vector.pop(key, None) for key in ("lengths", "targets", "target_lengths", "given")}
    shaped = vector.get("alphas", vector.get("outputs"))
    steps = shaped.shape[1] if shaped is not None and shaped.ndim == 3 and model.info()["has_decoder"] else 0
    result = model(x, initial=initial, arrays=list(vector), steps=steps, **options)
    for key, want in vector.items():
        compare(model, key, result[key], want, x.shape[1], steps)


def test_there_are_vectors():
    assert len(MODELS) > 150


def test_wrong_numbers_are_found(dates):
    x = np.zeros((1, 30), np.int32)
    want = dates(x).outputs.astype(np.float64)
    assert dates.compare(x, {"outputs": want})["outputs"] == 0
    want[0, 3, 5] += 1e-3
    assert dates.compare(x, {"outputs": want})["outputs"] > 9e-4
