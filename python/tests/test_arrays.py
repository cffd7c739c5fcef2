"""What goes in and comes out."""

import numpy as np
import pytest

import cuseq


def test_types_and_layouts_give_the_same_bits(model, x):
    want = model(x).outputs
    transposed = np.ascontiguousarray(x.transpose(2, 1, 0)).transpose(2, 1, 0)
    others = [
        x.astype(np.float64),
        transposed,
        np.repeat(x, 2, axis=1)[:, ::2],
        x.astype(">f4"),
        x.tolist(),
        memoryview(np.ascontiguousarray(x)),
    ]
    for other in others:
        assert (model(other).outputs == want).all()


def test_ids_are_one_hot_rows(dates):
    ids = np.arange(60).reshape(2, 30) % 37
    want = dates(np.eye(37, dtype=np.float32)[ids]).outputs
    for dtype in (np.int32, np.int64, np.int16, np.uint8):
        assert (dates(ids.astype(dtype)).outputs == want).all()


def test_the_input_is_left_as_it_is(model, x):
    given = x.copy()
    given.flags.writeable = False
    model(given)
    assert (given == x).all()


def test_results_are_attributes_and_a_mapping(model, x):
    result = model(x)
    assert (result.alphas == result["alphas"]).all() and set(result) == set(dict(result))
    assert result.alphas.dtype == np.float32 and result.tokens.dtype == np.int32
    assert "alphas" in dir(result)
    with pytest.raises(AttributeError, match="it has"):
        _ = result.nothing


def test_only_what_is_asked_for_comes(model, x):
    assert list(model(x, arrays=["alphas", "encoder_h"])) == ["encoder_h", "alphas"]
    assert len(model(x, arrays=[])) == 0


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (np.zeros((3, 8, 6), np.float32), ValueError, "number of features .found 6, needed 7"),
        (np.zeros(7, np.float32), ValueError, "too few axes"),
        (np.zeros((1, 2, 3, 4), np.float32), TypeError, "found 4 axes"),
        (np.zeros((0, 8, 7), np.float32), ValueError, "wrong size"),
        (np.zeros((3, 8, 7), np.complex64), TypeError, "found complex64"),
        (np.zeros((3, 8, 7), bool), TypeError, "found bool"),
        (np.zeros((3, 8), np.uint64), TypeError, "found uint64"),
        (np.array([["a", "b"]]), TypeError, "needed numbers"),
        (np.array([[None, 1]]), TypeError, "found object"),
        (np.ma.zeros((3, 8, 7)), TypeError, "a masked array"),
        (np.full((3, 8, 7), np.nan), cuseq.NonFinite, "not finite"),
        (np.full((3, 8, 7), np.inf, np.float32), ValueError, "not finite"),
        (np.full((3, 8), 7), cuseq.ArgumentError, "out of range .found 7"),
    ],
)
def test_bad_input_is_named(model, data, error, text):
    with pytest.raises(error, match=text):
        model(data)


def test_bad_arguments_are_named(model, x):
    for options, error, text in [
        ({"lengths": [8, 8]}, ValueError, "lengths: wrong shape"),
        ({"lengths": [9, 8, 8]}, ValueError, "lengths"),
        ({"lengths": [1.5, 8, 8]}, TypeError, "needed integers"),
        ({"lengths": [2**40, 8, 8]}, ValueError, "beyond int32"),
        ({"steps": -1}, ValueError, "steps"),
        ({"arrays": ["nothing"]}, ValueError, "nothing: there is no such array"),
        ({"device": "cuda:99"}, cuseq.NoDevice, "cuda:99"),
        ({"device": "tpu"}, cuseq.Error, "tpu"),
        ({"initial": {"h": x}}, ValueError, "initial: unknown"),
        ({"initial": {"initial_h": np.zeros((3, 2), np.float32)}}, ValueError, "initial_h: wrong shape"),
        ({"target_lengths": [1, 1, 1]}, ValueError, "without targets"),
        ({"targets": np.zeros((2, 4), np.int32)}, ValueError, "targets: wrong shape"),
        ({"given": np.zeros((3, 4, 1), np.float32)}, ValueError, "given: wrong shape"),
    ]:
        with pytest.raises(error, match=text):
            model(x, **options)
