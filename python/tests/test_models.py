"""Models: what they are, where they go, who uses them at once."""

import asyncio
import contextlib
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
