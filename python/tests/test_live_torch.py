"""Live modules of PyTorch, where it is installed."""

import numpy as np
import pytest
from conftest import ROOT

import cuseq


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def modules(torch):
    """A tagger over ids, a classifier of numbers, an attention whose positions come first, and a loop."""
    nn = torch.nn

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm = nn.Embedding(11, 5), nn.LSTM(5, 4, bidirectional=True, batch_first=True)
            self.out = nn.Linear(8, 3)

        def forward(self, ids):
            return self.out(self.lstm(self.embedding(ids))[0])

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.out = nn.LSTM(5, 4, bidirectional=True, batch_first=True), nn.Linear(8, 3)

        def forward(self, x):
            _, (h, _) = self.lstm(x)
            return torch.softmax(self.out(torch.cat([h[0], h[1]], -1)), -1)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.key, self.energy = nn.GRU(5, 4), nn.Linear(4, 6), nn.Linear(6, 1, bias=False)
            self.out = nn.Linear(4, 3)

        def forward(self, x):
            annotations, _ = self.gru(x)
            alphas = torch.softmax(self.energy(torch.tanh(self.key(annotations))), 0)
            return self.out((alphas * annotations).sum(0))

    class Loop(nn.Module):
        """Reads position after position, so that the exported graph has as many as the example."""

        def __init__(self):
            super().__init__()
            self.cell, self.out = nn.LSTMCell(5, 4), nn.Linear(4, 3)

        def forward(self, x):
            h, c = x.new_zeros(len(x), 4), x.new_zeros(len(x), 4)
            for t in range(x.shape[1]):
                h, c = self.cell(x[:, t], (h, c))
            return self.out(h)

    torch.manual_seed(3)
    return {kind.__name__: kind() for kind in (Tagger, Classifier, Attention, Loop)}


CELL = {"kind": "lstm", "units": 4}
CONFIG = {
    "version": 2,
    "input": {"features": 5},
    "encoder": {"layers": [{"cell": CELL, "direction": "bidirectional"}]},
    "output": {"over": "final", "layers": [{"units": 3, "activation": "softmax"}]},
    "names": {"encoder.layers.0": "lstm", "output.layers.0": "out"},
}


def test_a_torch_module_comes_over_by_a_description(modules):
    module = modules["Classifier"]
    ours = cuseq.load(module, config=CONFIG)
    assert ours.info()["outputs"] == 3
    with pytest.raises(cuseq.ModelError, match="cannot be called with one tensor"):
        cuseq.load(module, config=CONFIG, verify=lambda x, y: x)
    with pytest.raises(cuseq.ModelError, match="none of the arrays"):
        cuseq.load(module, config=CONFIG, verify=lambda x: module(x) + 0.01)


@pytest.mark.parametrize("name", ["Tagger", "Classifier", "Attention"])
def test_a_torch_module_comes_over_by_its_exported_graph(torch, modules, name):
    pytest.importorskip("onnx")
    module = modules[name].train()
    ours = cuseq.load(module)
    assert module.training
    x = torch.randint(0, 11, (4, 9)) if name == "Tagger" else torch.randn(4, 9, 5)
    with torch.no_grad():
        want = module(x.transpose(0, 1) if name == "Attention" else x).numpy()
    assert np.abs(ours(x.numpy()).outputs.reshape(want.shape) - want).max() < 1e-6


def test_a_loop_over_positions_is_refused(modules):
    pytest.importorskip("onnx")
    with pytest.raises(cuseq.ModelError, match=r"^Loop: .*give config="):
        cuseq.load(modules["Loop"])


@pytest.mark.parametrize(("name", "dynamo"), [("Tagger", False), ("Tagger", True), ("Attention", True)])
def test_either_exporter_will_do(torch, modules, monkeypatch, name, dynamo):
    pytest.importorskip("onnx")
    if dynamo:
        pytest.importorskip("onnxscript")
    export, asked = torch.onnx.export, []

    def only(*args, **options):
        asked.append(options["dynamo"])
        if options["dynamo"] != dynamo:
            raise RuntimeError("left out")
        return export(*args, **options)

    monkeypatch.setattr(torch.onnx, "export", only)
    assert cuseq.load(modules[name]).info()["outputs"] == 3
    assert asked[-1] == dynamo


def test_a_module_that_differs_is_an_error(torch, modules):
    pytest.importorskip("onnx")

    class Differs(type(modules["Tagger"])):
        def forward(self, ids):
            found = super().forward(ids)
            return found if torch.onnx.is_in_onnx_export() else found + 1

    with pytest.raises(cuseq.ModelError, match="Differs: output 0 is none of the arrays"):
        cuseq.load(Differs())


def test_what_a_module_reads_is_asked_for_where_its_parts_do_not_tell(torch):
    class Bare(torch.nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(cuseq.ModelError, match="give example="):
        cuseq.load(Bare())


def test_other_things_are_named():
    with pytest.raises(TypeError, match="found int"):
        cuseq.load(5)


def test_a_configuration_brings_named_arrays_over(tmp_path):
    with pytest.raises(cuseq.ModelError):
        cuseq.load(ROOT / "models" / "dates.safetensors", config={"version": 2})
