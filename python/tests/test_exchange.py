"""Arrays of other libraries, in host memory."""

import array as arrays
import gc

import numpy as np
import producer
import pytest
from conftest import GOLDEN

import cuseq


class Interface:
    """An array that has __array_interface__ and nothing else."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape
        self.__array_interface__ = array.__array_interface__


@pytest.mark.parametrize("version", [None, (0, 8), (1, 0), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dlpack_of_any_version_is_read(model, x, version, dtype):
    given = producer.of(x.astype(dtype), version=version)
    assert (model(given).outputs == model(x).outputs).all()
    gc.collect()
    assert given.deleted == len(given.kept) == 1 and given.streams == [None]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_ids_are_read_by_dlpack(dates, dtype):
    ids = (np.arange(60).reshape(2, 30) % 37).astype(dtype)
    assert (dates(producer.of(ids)).outputs == dates(ids).outputs).all()


def test_read_only_arrays_are_read(model, x):
    assert (model(producer.of(x, read_only=True)).outputs == model(x).outputs).all()


def test_page_locked_host_memory_is_host_memory(model, x):
    assert (model(producer.of(x, kind=producer.CUDA_HOST)).outputs == model(x).outputs).all()


def test_a_tensor_hands_on_what_it_was_given(x):
    taken = cuseq.Tensor.from_dlpack(producer.of(x, read_only=True).__dlpack__(max_version=(1, 0)), 0)
    assert taken.read_only and taken.device == "cpu" and taken.shape == x.shape and taken.dtype == "float32"
    assert taken.__dlpack_device__() == (producer.CPU, 0)
    again = producer.described(taken.__dlpack__(max_version=(1, 0)))
    assert again == (x.ctypes.data, x.shape, tuple(step // 4 for step in x.strides), producer.CPU, 0, True)
    with pytest.raises(BufferError, match="read-only"):
        taken.__dlpack__()
    with pytest.raises(BufferError, match="stream: the tensor lies in host memory"):
        taken.__dlpack__(stream=1, max_version=(1, 0))
    with pytest.raises(AttributeError):
        _ = taken.__cuda_array_interface__
    view = memoryview(taken)
    assert view.readonly and view.shape == x.shape and view.format == "f" and (taken.numpy() == x).all()
    with pytest.raises(TypeError, match="no capsule of a tensor"):
        cuseq.Tensor.from_dlpack(taken, 0)
    capsule = x.__dlpack__()
    cuseq.Tensor.from_dlpack(capsule, 0)
    with pytest.raises(TypeError, match="no capsule of a tensor"):  # it was taken already
        cuseq.Tensor.from_dlpack(capsule, 0)


def test_arrays_with_gaps_and_of_any_order_are_copied(model, x):
    want = model(x).outputs
    whole = np.full((6, 20, 9), np.nan, np.float32)
    whole[::2, 2:18:2, 1:8] = x
    others = [
        whole[::2, 2:18:2, 1:8],
        np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2),
        np.ascontiguousarray(x.transpose(2, 1, 0)).transpose(2, 1, 0),
        np.ascontiguousarray(x[:, ::-1])[:, ::-1],
    ]
    for other in others:
        assert not other.flags.c_contiguous
        assert (model(producer.of(other)).outputs == want).all()
        assert (model(Interface(other)).outputs == want).all()
    behind = np.concatenate([np.zeros(5, np.float32), x.ravel()])
    given = producer.Producer(behind.ctypes.data, x.shape, offset=20)
    assert (model(given).outputs == want).all()


def test_a_session_takes_them_as_well(model, x):
    session = model.session(max_batch=len(x), max_time=x.shape[1])
    want = session.run(x)["outputs"]
    session.run(producer.of(x), producer.of(np.array([8, 8, 8], np.int32)))
    for given in (producer.of(x), Interface(x), memoryview(x), x[:, ::-1][:, ::-1], np.asfortranarray(x)):
        assert (session.run(given)["outputs"] == want).all()
    for wrong, found in (
        (x.astype(np.float16), "3 axes of float16"),
        (x.astype(object), "3 axes of O"),
        (x.astype(np.complex64), "3 axes of Zf"),
        (x[0], "2 axes of float32"),
        (np.zeros((3, 8), np.int16), "2 axes of int16"),
        (np.zeros((3, 8), bool), "2 axes of bool"),
    ):
        with pytest.raises(TypeError, match=f"input: needed .*found {found}"):
            session.run(wrong)
    with pytest.raises(TypeError, match="lengths: wrong type .found int64, needed int32"):
        session.run(x, np.array([8, 8, 8]))
    for wrong in (x.tolist(), 5, "text", None):
        with pytest.raises(TypeError, match="input: not an array"):
            session.run(wrong)


def test_a_masked_array_is_no_array(model, x):
    session = model.session(max_batch=len(x), max_time=x.shape[1])
    masked = np.ma.masked_less(x, 0)
    for call in (model, session.run):
        with pytest.raises(TypeError, match="input: a masked array"):
            call(masked)
    with pytest.raises(TypeError, match="lengths: a masked array"):
        session.run(x, np.ma.array([8, 8, 8], np.int32))


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"kind": producer.METAL}, TypeError, "input: it lies on a device of another kind .found Metal"),
        ({"kind": producer.ROCM}, TypeError, "found ROCm"),
        ({"kind": 77}, TypeError, "found DLPack's number 77"),
        (
            {"dtype": (producer.COMPLEX, 64)},
            TypeError,
            "input: it cannot be read .wrong type .found DLPack's kind 5 of 64",
        ),
        ({"dtype": (producer.BFLOAT, 16)}, TypeError, "input: it cannot be read .the buffer protocol has no bfloat16"),
        ({"major": 2}, TypeError, "input: it cannot be read .DLPack's version is another one .found 2.0"),
        ({"read_only": True, "version": None}, TypeError, "input: it cannot be read .the array is read-only"),
    ],
)
def test_what_cannot_be_read_is_named(model, x, given, error, text):
    made = producer.of(x, **given)
    with pytest.raises(error, match=text):
        model(made)
    gc.collect()
    assert made.deleted == len(made.kept)


def test_a_tensor_that_requires_grad_is_refused_with_what_to_call(model, x):
    class Trained:
        requires_grad = True
        shape = x.shape

        def __dlpack_device__(self):
            return producer.CPU, 0

        def __dlpack__(self, **options):
            raise AssertionError("nobody asks")

    with pytest.raises(TypeError, match=r"input: a tensor that requires grad .give x\.detach"):
        model(Trained())


# ---- given arrays for results ----


def outputs_of(model, x):
    return model(x).outputs


def test_results_go_into_given_arrays(model, x):
    want = model(x)
    out = {"outputs": np.full((3, 4, 8), -1, np.float32), "tokens": np.full((3, 4), -1, np.int32)}
    result = model(x, out=out)
    assert result.outputs is out["outputs"] and result.tokens is out["tokens"]
    assert (out["outputs"] == want.outputs).all() and (out["tokens"] == want.tokens).all()


def test_results_go_into_other_libraries_arrays(model, x):
    want = model(x)
    into = {
        name: np.full(want[name].shape, -1, want[name].dtype) for name in ("outputs", "tokens", "alphas", "context")
    }
    plain = arrays.array("f", [0.0] * want.context.size)
    out = {
        "outputs": producer.of(into["outputs"]),
        "tokens": Interface(into["tokens"]),
        "alphas": memoryview(into["alphas"]),
        "context": memoryview(plain).cast("B").cast("f", want.context.shape),
    }
    result = model(x, out=out)
    assert all(result[name] is out[name] for name in out)
    for name in ("outputs", "tokens", "alphas"):
        assert (into[name] == want[name]).all()
    assert (np.frombuffer(plain, np.float32) == want.context.ravel()).all()


def test_what_only_out_names_is_given_as_well(model, x):
    out = {"encoder_h": np.zeros(model(x, arrays=["encoder_h"]).encoder_h.shape, np.float32)}
    result = model(x, arrays=["outputs"], out=out)
    assert list(result) == ["encoder_h", "outputs"] and result.encoder_h is out["encoder_h"]
    assert (result.encoder_h == model(x, arrays=["encoder_h"]).encoder_h).all()


def read_only(shape):
    made = np.zeros(shape, np.float32)
    made.flags.writeable = False
    return made


SHAPE = (3, 4, 8)


@pytest.mark.parametrize(
    ("array", "error", "text"),
    [
        (np.zeros(SHAPE), TypeError, "outputs: wrong type .found float64, needed float32"),
        (np.zeros(SHAPE, np.int32), TypeError, "outputs: wrong type .found int32, needed float32"),
        (np.zeros((3, 4, 7), np.float32), ValueError, r"outputs: wrong shape .found \[3, 4, 7\], needed \[3, 4, 8\]"),
        (np.zeros((4, 3, 8), np.float32), ValueError, "outputs: wrong shape"),
        (np.zeros(96, np.float32), ValueError, r"outputs: wrong shape .found \[96\]"),
        (np.zeros((3, 4, 16), np.float32)[:, :, ::2], ValueError, "outputs: it is not contiguous"),
        (read_only(SHAPE), ValueError, "outputs: it is read-only"),
        (producer.of(read_only(SHAPE), read_only=True), ValueError, "outputs: it is read-only"),
        (b"abc", ValueError, "outputs: it is read-only"),
        ([[0.0]], TypeError, "outputs: not an array that can be written"),
        (None, TypeError, "outputs: not an array that can be written"),
        (np.ma.zeros(SHAPE, np.float32), TypeError, "outputs: a masked array"),
    ],
)
def test_given_arrays_that_do_not_fit_are_refused(model, x, array, error, text):
    with pytest.raises(error, match=text):
        model(x, out={"outputs": array})


def test_arrays_that_overlap_are_refused(model, x):
    room = np.zeros(200, np.float32)
    given = np.ascontiguousarray(x)
    cases = [
        ({"outputs": room[:96].reshape(SHAPE), "alphas": room[95:191].reshape(3, 4, 8)}, "outputs|alphas"),
        ({"outputs": given.ravel()[:96].reshape(SHAPE)}, "outputs overlaps input"),
    ]
    for out, text in cases:
        with pytest.raises(ValueError, match=f"out: ({text})"):
            model(given, out=out)
    beside = {"outputs": room[:96].reshape(SHAPE), "alphas": room[96:192].reshape(3, 4, 8)}
    assert (model(given, out=beside).outputs == outputs_of(model, x)).all()


def test_names_that_nobody_gives_are_refused(model, x):
    with pytest.raises(ValueError, match="nothing: there is no such array"):
        model(x, out={"nothing": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="final_fed: the model has no such array"):
        model(x, out={"final_fed": np.zeros(3, np.float32)})
    with pytest.raises(TypeError):
        model(x, out={5: np.zeros(3, np.float32)})


def test_a_state_may_be_carried_on_in_its_place(searched):
    x = np.load(GOLDEN / "search" / "luong.npz")["input"]
    session = searched.session(max_batch=len(x), max_time=x.shape[1])
    session.encode(x, None, ())
    first = session.decode(1, ("tokens", "final_h", "final_c", "final_fed"))
    given = {f"initial_{name}": first[f"final_{name}"].copy() for name in ("h", "c", "fed")}
    given["previous"] = first["tokens"].ravel()
    want = session.decode(1, ("final_h", "final_c", "final_fed"), **given)
    out = {f"final_{name}": given[f"initial_{name}"] for name in ("h", "c", "fed")}
    session.decode(1, (), out=out, **given)
    assert all((out[name] == want[name]).all() for name in out)


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_encoder_states_may_be_carried_on_in_their_place(model, device):
    """Of more rows than a device computes at once, by two threads."""
    x = np.random.default_rng(1).standard_normal((300, 4, 7)).astype(np.float32)
    session = model.session(max_batch=300, max_time=4, threads=2, device=device)
    names = ("encoder_h", "encoder_c")
    first = session.encode(x, None, names)
    want = session.encode(x, None, names, **first)
    session.encode(x, None, (), **first, out=first)
    assert all((first[name] == want[name]).all() for name in names)


# ---- the frameworks ----


def test_torch_tensors_are_read_and_written(model, x):
    torch = pytest.importorskip("torch")
    want = model(x)
    for given in (
        torch.tensor(x),
        torch.tensor(x, dtype=torch.float64),
        torch.tensor(x.transpose(1, 0, 2)).transpose(0, 1),
    ):
        assert (model(given).outputs == want.outputs).all()
    lengths = torch.tensor([8, 8, 8])
    out = torch.zeros(SHAPE)
    assert model(torch.tensor(x), lengths, out={"outputs": out}).outputs is out
    assert (out.numpy() == want.outputs).all()
    assert (torch.from_dlpack(model(x).outputs).numpy() == want.outputs).all()
    for wrong, text in (
        (torch.tensor(x, requires_grad=True), "requires grad .give x.detach"),
        (torch.tensor(x).to(torch.bfloat16), "input: "),
        (torch.tensor(x).to_sparse(), "input: "),
        (torch.zeros(3, 8, 7, device="meta"), "input: it lies on no device"),
    ):
        with pytest.raises(TypeError, match=text):
            model(wrong)
    assert (model(torch.tensor(x, requires_grad=True).detach()).outputs == want.outputs).all()


def test_jax_arrays_are_read_and_never_written(model, x):
    jax = pytest.importorskip("jax")
    want = model(x)
    given = jax.numpy.asarray(x)
    assert (model(given).outputs == want.outputs).all()
    assert (model(jax.numpy.asarray(x.transpose(1, 0, 2)).transpose(1, 0, 2)).outputs == want.outputs).all()
    with pytest.raises(ValueError, match="outputs: it is read-only"):
        model(x, out={"outputs": jax.numpy.zeros(SHAPE)})
    assert (np.asarray(jax.numpy.from_dlpack(want.outputs)) == want.outputs).all()


def test_tensorflow_tensors_are_read(model, x):
    tensorflow = pytest.importorskip("tensorflow")
    want = model(x).outputs
    assert (model(tensorflow.constant(x)).outputs == want).all()
    assert (model(tensorflow.Variable(x)).outputs == want).all()
    for wrong in (
        tensorflow.constant(["text"]),
        tensorflow.ragged.constant([[1, 2], [3]]),
        tensorflow.sparse.from_dense(x),
    ):
        with pytest.raises(TypeError, match="input: "):
            model(wrong)
    with pytest.raises(ValueError, match="outputs: it is read-only"):
        model(x, out={"outputs": tensorflow.zeros(SHAPE)})


def test_what_is_refused_is_of_one_family(model, x):
    """And of what Python people expect beside it."""
    session = model.session(max_batch=3, max_time=8)
    closed = model.session()
    closed.close()
    for call, kind in (
        (lambda: model(x.tolist()[0][0]), ValueError),
        (lambda: model(x[:, :, :6]), ValueError),
        (lambda: model(np.ma.array(x)), TypeError),
        (lambda: model(x.astype(complex)), TypeError),
        (lambda: model(producer.of(x, kind=producer.METAL)), TypeError),
        (lambda: model(x, out={"outputs": read_only(SHAPE)}), ValueError),
        (lambda: model(x, arrays=["nothing"]), ValueError),
        (lambda: model(x, results="nowhere"), ValueError),
        (lambda: session.run(x, out=5), TypeError),
        (lambda: session.run("text"), TypeError),
        (lambda: session.run(x, x), TypeError),
        (lambda: session.run(x, unknown=1), TypeError),
        (lambda: session.run(x, data=x), TypeError),
        (lambda: session.run(), TypeError),
        (lambda: closed.run(x), RuntimeError),
    ):
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value, cuseq.Error), caught.value
