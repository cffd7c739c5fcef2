"""cuseq.torch.Module, where PyTorch is installed."""

import numpy as np
import pytest
from conftest import GOLDEN

import cuseq

torch = pytest.importorskip("torch")
import cuseq.torch  # noqa: E402 - where PyTorch is there

X = torch.from_numpy(np.random.default_rng(6).standard_normal((3, 8, 7)).astype(np.float32))


@pytest.fixture(scope="module")
def ours():
    return cuseq.load(GOLDEN / "models" / "keras_concat.safetensors")


def test_a_module_computes_what_the_model_does(ours):
    module = cuseq.torch.Module(ours).eval()
    want = ours(X.numpy())
    assert (module(X).numpy() == want.outputs).all()
    assert (module(X.double()).numpy() == want.outputs).all()
    assert (module(X, lengths=[8, 8, 8]).numpy() == want.outputs).all()
    both = torch.nn.Sequential(module, torch.nn.Softmax(-1))
    assert torch.allclose(both(X), torch.softmax(torch.from_numpy(want.outputs), -1))
    outputs, alphas = cuseq.torch.Module(ours, ("outputs", "alphas"))(X)
    assert (alphas.numpy() == want.alphas).all() and (outputs.numpy() == want.outputs).all()
    assert module(X.bfloat16()).dtype == torch.float32


def test_a_module_has_no_gradients(ours):
    module = cuseq.torch.Module(ours)
    assert list(module.parameters()) == [] and not module(X).requires_grad
    with pytest.raises(TypeError, match=r"x\.detach"):
        module(X.clone().requires_grad_())


def test_a_module_is_saved_and_loaded(ours, dates, tmp_path):
    module = cuseq.torch.Module(ours)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    other = cuseq.torch.Module(dates)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (other(X) == module(X)).all()
    torch.save(module, tmp_path / "module.pt")
    assert (torch.load(tmp_path / "module.pt", weights_only=False)(X) == module(X)).all()


def test_what_is_no_model_is_named():
    with pytest.raises(cuseq.Error, match="found int, needed a cuseq.Model"):
        cuseq.torch.Module(5)
    with pytest.raises(AttributeError, match="nothing"):
        _ = cuseq.nothing
