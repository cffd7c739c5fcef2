"""Writes arrays/page.pt, .safetensors and .json by the very code of docs/from-pytorch.md, and what PyTorch computes of the page's
model in float64.

    python3 make_pytorch_page.py       with PyTorch (made with 2.15) and the safetensors package
"""

import os
import pathlib

import numpy as np
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).resolve().parent
BATCH, TIME = 3, 9


def blocks_of_page():
    """The model and its configuration, the first two blocks of the example."""
    text = (HERE.parent.parent / "docs" / "from-pytorch.md").read_text(encoding="utf-8")
    section = text.split("\n## An example\n")[1].split("\n## ")[0]
    blocks, block = [], []
    for line in section.splitlines() + ["end"]:
        if line.startswith("    ") or (block and not line):
            block.append(line[4:])
        elif block:
            blocks.append("\n".join(block) + "\n")
            block = []
    return blocks[:2]


def main():
    code, configuration = blocks_of_page()
    torch.manual_seed(20260101)
    torch.set_grad_enabled(False)
    os.chdir(HERE / "arrays")
    scope = {}
    exec(code, scope)
    model = scope["model"]
    for parameter in model.parameters():  # sums of two are exact in float32, and tokens change from step to step
        parameter.data = torch.round(parameter.data * 4 * 64) / 64
    torch.save(model.state_dict(), "page.pt")
    os.remove("checkpoint.pt")
    safetensors.torch.save_file(model.state_dict(), "page.safetensors")
    os.chmod("page.safetensors", 0o644)
    pathlib.Path("page.json").write_text(configuration.strip() + "\n", encoding="utf-8")
    ids = torch.randint(0, 37, (BATCH, TIME))
    outputs = model.double()(ids)
    np.savez("page.npz", input=ids.int().numpy(), outputs=outputs.numpy(), tokens=outputs.argmax(-1).int().numpy())


if __name__ == "__main__":
    main()
