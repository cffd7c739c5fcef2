"""Writes models/page_torch_*.safetensors by the very code of docs/from-pytorch.md, "Models of version 2", and
models/page_torch_*.npz, what PyTorch computes from them in float64.

    python3 make_pytorch_page.py       with PyTorch (made with 2.15) and the safetensors package

page_torch_gru is the page's own model. page_torch_lstm is of modules that the page's functions take besides:
stacked nn.LSTM, with biases and without, an nn.LSTMCell.
"""

import os
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
BATCH, TIME = 3, 9


def blocks_of_page():
    """The three blocks of code: functions, model, how it is written."""
    text = (HERE.parent.parent / "docs" / "from-pytorch.md").read_text(encoding="utf-8")
    section = text.split("\n## Models of version 2\n")[1].split("\n## ")[0]
    blocks, block = [], []
    for line in section.splitlines() + ["end"]:
        if line.startswith("    ") or (block and not line):
            block.append(line[4:])
        elif block:
            blocks.append("\n".join(block) + "\n")
            block = []
    assert len(blocks) == 3, len(blocks)
    return blocks


class Recorded(torch.nn.Module):
    """Softmax, combining layer and cell of the page's model, with what passes through kept."""

    def __init__(self, module, kept):
        super().__init__()
        self.module, self.kept = module, kept

    def forward(self, *given):
        self.kept.append(self.module(*given))
        return self.kept[-1]


def expect_gru(model, ids):
    """What the page's own forward pass computes; alphas and contexts by its attention, once more."""
    model = model.double()
    states = []
    model.cell = Recorded(model.cell, states)
    with torch.no_grad():
        outputs = model(ids)
        annotations, final = model.encoder(model.source(ids))
        states = torch.stack(states, 1)
        alphas = torch.softmax(states @ model.score(annotations).transpose(1, 2), -1)
        return {
            "annotations": annotations,
            "h_fw": final[0],
            "h_bw": final[1],
            "alphas": alphas,
            "context": alphas @ annotations,
            "states": states,
            "outputs": outputs,
            "tokens": outputs.argmax(-1).int(),
        }


class Lstm(torch.nn.Module):
    """No attention: an encoder of two layers, a decoder of two, which reads tokens alone."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.LSTM(5, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.first = torch.nn.LSTMCell(7, 8)
        self.second = torch.nn.LSTM(8, 8, bias=False, batch_first=True)
        self.out = torch.nn.Linear(8, 7, bias=False)

    def forward(self, x):
        _, (h, c) = self.encoder(x)
        h, c = torch.cat((h[2], h[3]), -1), torch.cat((c[2], c[3]), -1)
        first, second, token, outputs = (h, c), (h[None], c[None]), torch.full((len(x),), 2), []
        for _ in range(4):
            first = self.first(torch.eye(7, dtype=x.dtype)[token], first)
            above, second = self.second(first[0][:, None], second)
            outputs.append(torch.log_softmax(self.out(above[:, 0]), -1))
            token = outputs[-1].argmax(-1)
        return torch.stack(outputs, 1)


LSTM_CONFIG = {
    "version": 2,
    "input": {"features": 5},
    "encoder": {"layers": [{"cell": {"kind": "lstm", "units": 4}, "direction": "bidirectional"}] * 2},
    "decoder": {
        "reads": ["token"],
        "feedback": "output",
        "start_token": 2,
        "steps": 4,
        "layers": [
            {"cell": {"kind": "lstm", "units": 8}},
            {"cell": {"kind": "lstm", "units": 8, "bias": False}},
        ],
    },
    "output": {"layers": [{"units": 7, "activation": "log_softmax", "bias": False}]},
}


def lstm_parts(model, cell, dense):
    parts = {
        f"encoder.layers.{layer}.{side}": cell(model.encoder, f"_l{layer}{ending}")
        for layer in (0, 1)
        for side, ending in (("forward", ""), ("backward", "_reverse"))
    }
    decoder = {"decoder.layers.0": cell(model.first), "decoder.layers.1": cell(model.second, "_l0")}
    return {**parts, **decoder, "output.layers.0": dense(model.out)}


def main():
    functions, model_code, writing = blocks_of_page()
    torch.manual_seed(20260101)
    scope = {}
    exec(functions + model_code, scope)
    os.chdir(HERE / "models")
    scope["model"].out.weight.data *= 6  # so that tokens change from step to step
    exec(writing, scope)
    os.replace("model.safetensors", "page_torch_gru.safetensors")
    ids = torch.randint(0, 37, (BATCH, TIME))
    arrays = expect_gru(scope["model"], ids)
    arrays = {name: array.numpy() for name, array in arrays.items()}
    np.savez_compressed("page_torch_gru.npz", input=ids.int().numpy(), **arrays)

    model = Lstm()
    model.out.weight.data *= 12
    scope["model"], lines = model, writing.splitlines(keepends=True)
    last = next(i for i, line in enumerate(lines) if line.startswith("tensors = "))
    keep = [line for line in lines[last:] if not line.startswith("tensors[")]
    scope.update(config=LSTM_CONFIG, parts=lstm_parts(model, scope["cell"], scope["dense"]))
    exec("".join(keep), scope)
    os.replace("model.safetensors", "page_torch_lstm.safetensors")
    x = torch.randn(BATCH, TIME, 5)
    with torch.no_grad():
        outputs = model.double()(x.double())
    arrays = {"outputs": outputs.numpy(), "tokens": outputs.argmax(-1).int().numpy()}
    np.savez_compressed("page_torch_lstm.npz", input=x.numpy(), **arrays)


if __name__ == "__main__":
    main()
