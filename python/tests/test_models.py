"""Models: what they are, where they go, who uses them at once."""

import asyncio
import contextlib
import json
import multiprocessing
import pickle
import threading

import numpy as np
import pytest

import cuseq

X = np.arange(60, dtype=np.int32).reshape(2, 30) % 37


@contextlib.contextmanager
def dates_session(dates, precision):
    """A session that is closed in the end."""
    session = dates.session(device="cpu", precision=precision)
    yield session
    session.close()


def test_what_a_model_is(dates):
    info = dates.info()
    assert info["parameters"] == sum(tensor.size for tensor in dates.tensors().values()) == 52960
    assert dates.config["encoder"]["units"] == 32
    assert "37 features" in repr(dates)
    assert ("cpu" in dict(cuseq.devices())) and cuseq.__version__ == cuseq.version()
    assert 0 < dates.tolerance("outputs", 30) < 1e-4
    with pytest.raises(ValueError, match="tokens"):
        dates.tolerance("tokens", 30)


def test_a_precision_is_computed_in_or_refused(dates):
    with pytest.raises(ValueError, match='found "half", needed float32, tf32 or bf16'):
        dates(X, device="cpu", precision="half")
    with pytest.raises(cuseq.NotSupported, match="device reference has no precision bf16"):
        dates(X, device="reference", precision="bf16")
    with dates_session(dates, "float32") as session:
        assert session.precision == "float32"
    assert session.precision is None
    allowed = {array: dates.tolerance(array, 30, precision="bf16") for array in ("annotations", "outputs")}
    assert all(dates.tolerance(array, 30) < allowed[array] < 1 for array in allowed)
    if "with BF16" not in dict(cuseq.devices())["cpu"]:
        with pytest.raises(cuseq.NotSupported, match="this processor lacks AVX-512 BF16"):
            dates(X, device="cpu", precision="bf16")
        pytest.skip("this processor lacks AVX-512 BF16")
    with dates_session(dates, "bf16") as session:
        assert session.precision == "bf16"
    want, got = dates(X, device="reference"), dates(X, device="cpu", precision="bf16")
    for array, most in allowed.items():
        difference = np.abs(got[array] - want[array]).max()
        assert difference <= most and (difference > dates.tolerance(array, 30) or array == "outputs"), array
    texts = ["3 May 1979", "21 Aug 2008"]
    assert dates.translate(texts, device="cpu", precision="bf16") == dates.translate(texts, device="cpu")


def test_saved_made_and_pickled_models_are_the_same(dates, tmp_path):
    want = dates(X).outputs
    dates.save(tmp_path / "copy.safetensors")
    copies = [
        cuseq.load(tmp_path / "copy.safetensors"),
        cuseq.load((tmp_path / "copy.safetensors").read_bytes()),
        cuseq.create(dates.config, dates.tensors()),
        pickle.loads(pickle.dumps(dates)),
    ]
    for copy in copies:
        assert (copy(X).outputs == want).all()
    with pytest.raises(OSError, match="nowhere"):
        dates.save(tmp_path / "nowhere" / "copy.safetensors")


def test_wrong_tensors_are_named(dates):
    tensors = dates.tensors()
    kernel = tensors.pop("decoder.kernel")
    with pytest.raises(cuseq.ModelError, match=r"decoder\.kernel"):
        cuseq.create(dates.config, tensors)
    with pytest.raises(cuseq.ModelError, match=r"decoder\.kernel"):
        cuseq.create(dates.config, {**tensors, "decoder.kernel": kernel[1:]})
    with pytest.raises(cuseq.ModelError):
        cuseq.create("{}", {})
    with pytest.raises(cuseq.ModelError, match="version"):
        cuseq.create({**dates.config, "version": 99}, tensors)


def test_many_threads_use_one_model(dates):
    want = {batch: dates(np.tile(X[:1], (batch, 1))).outputs for batch in range(1, 9)}
    wrong = []

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(50):
            batch = int(random.integers(1, 9))
            if not (dates(np.tile(X[:1], (batch, 1)), threads=1).outputs == want[batch]).all():
                wrong.append(batch)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_session_is_one_threads_at_a_time(dates):
    session = dates.session(max_batch=2048)
    x = np.tile(X[:1], (2048, 1))
    refused = []

    def work():
        for _ in range(20):
            try:
                session.run(x, None, 0, ("tokens",))
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("in use by another thread" in text for text in refused)


def _in_child(dates, session, results):
    try:
        session.run(X)
    except RuntimeError as error:
        results.put(str(error))
    results.put(dates(X).outputs)


def test_after_a_fork_models_work_and_sessions_say_why_not(dates):
    want = dates(X).outputs
    session = dates.session(max_batch=2)
    session.run(X)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_in_child, args=(dates, session, results))
    child.start()
    assert "opened before a fork" in results.get(timeout=60)
    assert (results.get(timeout=60) == want).all()
    child.join(60)
    assert child.exitcode == 0
    assert (session.run(X)["outputs"] == want).all()


def test_a_call_may_be_awaited(dates):
    async def both():
        return await asyncio.gather(dates.arun(X), dates.arun(X[:1]))

    first, second = asyncio.run(both())
    assert (first.outputs[:1] == second.outputs).all()


def test_types_are_not_made_by_hand():
    with pytest.raises(TypeError):
        type(cuseq.load.__globals__["_cuseq"].Model)()  # the metaclass wants a name
    with pytest.raises(TypeError):
        cuseq.load.__globals__["_cuseq"].Model()
    with pytest.raises(TypeError):
        cuseq.Session("not a model")


# ---- several inputs in one ----


@pytest.fixture
def joined():
    """Words and tags, which are looked up, and what is the same at every position."""
    parts = [
        {"name": "words", "columns": 1},
        {"name": "tags", "columns": 1, "behind": 2},
        {"name": "who", "columns": 3, "repeated": True},
    ]
    lookups = [{"column": 0, "ids": 9, "units": 4}, {"column": 1, "ids": 5, "units": 2}]
    config = {
        "version": 2,
        "input": {"features": 5, "parts": parts, "lookups": lookups},
        "encoder": {"layers": [{"cell": {"kind": "lstm", "units": 3}}]},
        "output": {"over": "every", "layers": [{"units": 2, "activation": "softmax"}]},
    }
    random = np.random.default_rng(5)
    shapes = {
        "input.lookups.0.embedding": (9, 4),
        "input.lookups.1.embedding": (5, 2),
        "encoder.layers.0.forward.kernel": (9, 12),
        "encoder.layers.0.forward.recurrent_kernel": (3, 12),
        "encoder.layers.0.forward.bias": (12,),
        "output.layers.0.kernel": (3, 2),
        "output.layers.0.bias": (2,),
    }
    tensors = [
        (name, shape, random.standard_normal(shape).astype(np.float32).tobytes()) for name, shape in shapes.items()
    ]
    return cuseq.model._rebuild(json.dumps(config), tensors)


def test_arrays_of_several_inputs_become_columns(joined):
    random = np.random.default_rng(6)
    words, tags = random.integers(0, 9, (2, 7)), random.integers(0, 5, (2, 5))
    who = random.standard_normal((2, 3)).astype(np.float32)
    columns = np.zeros((2, 7, 5), np.float32)
    columns[:, :, 0], columns[:, 2:, 1], columns[:, :, 2:] = words, tags, who[:, None]
    want = joined(columns, device="reference").outputs
    assert joined.inputs == ("words", "tags", "who")
    for given in (
        [words, tags, who],
        {"who": who, "words": words[..., None], "tags": tags},
        (words, tags, who[:, None]),
    ):
        np.testing.assert_allclose(joined(given).outputs, want, atol=1e-6)
        np.testing.assert_array_equal(joined(given, device="reference").outputs, want)
    for given, text in (
        ([words, tags], "wrong number of arrays .found 2, needed words, tags, who"),
        ({"words": words, "tags": tags}, "'who' is missing"),
        ({"words": words, "tags": tags, "who": who, "x": who}, "there is no 'x'"),
        (
            [words, words, who],
            "'tags': 2 rows of 7 positions do not fit the others .needed 2 of 7|'words': 2 rows of 7",
        ),
        ([words, tags, who[:1]], "'who': 1 rows"),
        ([words, tags, who[:, :2]], r"'who': wrong shape .found \[2, 2\], needed \[B,3\]"),
        ([words[0], tags, who], r"'words': wrong shape .found \[7\], needed \[B,T\]"),
    ):
        with pytest.raises(cuseq.ArgumentError, match=text):
            joined(given)
    columns[1, 4, 0] = 2.5
    with pytest.raises(cuseq.ArgumentError, match=r"\[1,4,0\] is no id .found 2.5, needed a whole number from 0 to 8"):
        joined(columns)
