"""Writes arrays/*: models as toolkits and tutorials of PyTorch wire them, and what they compute in float64.

    python make_arrays.py          with PyTorch (made with 2.15) and the safetensors package

For each case there are the state_dict as torch.save and as the safetensors package write it (arrays/NAME.pt and
.safetensors), the configuration with which it converts (NAME.json), what PyTorch gives (NAME.npz, as
golden_models.py tells) and, of models that decode, what a beam search over its steps finds (NAME_beam.npz: tokens
[B,N,Y], padded with the end token, lengths [B,N], sums [B,N]). All numbers of the weights are multiples of 1/64, so
that sums of biases and products of layers that are folded are exact in float32.
"""

import json
import pathlib

import numpy as np
import safetensors.torch
import torch

import arrays_models as base
from arrays_cases import CASES
from arrays_cases_more import CASES as MORE_CASES
from make_search import search

FOLDER = pathlib.Path(__file__).resolve().parent / "arrays"
BATCH, TIME, BEAMS = 4, 7, 3
LENGTHS = torch.tensor([7, 5, 1, 6])


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        drawn = torch.rand(parameter.shape, generator=generator) * 2.4 - 1.2
        parameter.data = torch.round(drawn * 64) / 64
    return model


def inputs_of(model, count, seed):
    generator = torch.Generator().manual_seed(seed)
    if getattr(model, "features", False):
        x = torch.round(torch.rand((BATCH, TIME, 4), generator=generator) * 128 - 64) / 64
        return x.double(), x.numpy().astype(np.float32)
    ids = torch.randint(0, count, (BATCH, TIME), generator=generator)
    return ids, ids.numpy().astype(np.int32)


def greedy(model, x):
    """Tokens, outputs and log-probabilities until the end token, and zeros behind it."""
    memory, state = model.encode(x, LENGTHS)
    token = torch.full((BATCH,), base.START)
    tokens, outputs, logs = [], [], []
    for _ in range(base.STEPS):
        logits, state = model.step(token, state, memory)
        outputs.append(torch.softmax(logits, -1))
        token = outputs[-1].argmax(-1)
        tokens.append(token)
        logs.append(torch.log_softmax(logits, -1).amax(-1))
    tokens, outputs, logs = torch.stack(tokens, 1), torch.stack(outputs, 1), torch.stack(logs, 1)
    ended = (tokens == base.END).numpy()
    lengths = np.where(ended.any(1), ended.argmax(1) + 1, base.STEPS).astype(np.int32)
    after = np.arange(base.STEPS)[None] >= lengths[:, None]
    tokens, outputs, logs = tokens.numpy().astype(np.int32), outputs.numpy(), logs.numpy()
    tokens[after], outputs[after], logs[after] = base.END, 0, 0
    return {"tokens": tokens, "outputs": outputs, "log_probabilities": logs, "output_lengths": lengths}


def beam(model, x):
    """What a search finds of each row, run by itself."""
    rules = {"penalty": 0, "beams": BEAMS, "end": base.END, "shortest": 1, "longest": base.STEPS}
    rules.update(retires=0, prunes=0, best=BEAMS, alpha=1.0)
    found = {"tokens": np.full((BATCH, BEAMS, base.STEPS), base.END, np.int32)}
    found["lengths"] = np.zeros((BATCH, BEAMS), np.int32)
    found["sums"] = np.zeros((BATCH, BEAMS))
    margin = np.inf
    for row in range(BATCH):
        memory, state = model.encode(x[row : row + 1, : LENGTHS[row]], LENGTHS[row : row + 1])

        def step(state, token):
            logits, following = model.step(torch.tensor([token]), state, memory)
            return torch.log_softmax(logits[0], -1).tolist(), following

        hypotheses, near = search(step, (state, base.START), rules)
        margin = min(margin, near)
        for n, (tokens, total, _) in enumerate(hypotheses):
            found["tokens"][row, n, : len(tokens)] = tokens
            found["lengths"][row, n], found["sums"][row, n] = len(tokens), total
    return found, margin


def classes(model, x, every):
    """Outputs of all heads side by side and a token of each."""
    heads = [torch.softmax(logits, -1).numpy() for logits in model(x, LENGTHS)]
    outputs, tokens = np.concatenate(heads, -1), np.stack([head.argmax(-1) for head in heads], -1)
    if not every:
        return {"outputs": outputs, "tokens": tokens.astype(np.int32)}
    padding = np.arange(TIME)[None] >= LENGTHS.numpy()[:, None]
    outputs[padding], tokens[padding] = 0, 0
    return {"outputs": outputs, "tokens": tokens.astype(np.int32), "output_lengths": LENGTHS.numpy().astype(np.int32)}


def compute(case, seed):
    """A model of random weights and its arrays; weights are drawn anew where a search comes too near to another
    outcome to be the same in float32."""
    model = randomise(case["model"](), seed)
    state = model.state_dict()  # what is tied has one storage in it
    model.double()
    x, array = inputs_of(model, case["config"]["input"]["features"], seed)
    arrays = {"input": array, "lengths": LENGTHS.numpy().astype(np.int32)}
    if "decoder" not in case["config"]:
        return state, dict(arrays, **classes(model, x, "every" in json.dumps(case["config"]["output"]))), None
    found, margin = beam(model, x)
    if margin < 1e-3:
        return compute(case, seed + 1000)
    return state, dict(arrays, **greedy(model, x)), found


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.set_grad_enabled(False)
    lines = []
    for seed, (name, case) in enumerate({**CASES, **MORE_CASES}.items()):
        state, arrays, found = compute(case, seed)
        torch.save(case.get("saved", lambda state: state)(state), FOLDER / f"{name}.pt")
        apart = {key: tensor.clone() for key, tensor in state.items()}
        safetensors.torch.save_file(apart, FOLDER / f"{name}.safetensors")
        (FOLDER / f"{name}.safetensors").chmod(0o644)
        config = dict(case["config"], names=case["names"])
        (FOLDER / f"{name}.json").write_text(json.dumps(config, indent=1) + "\n")
        np.savez(FOLDER / f"{name}.npz", **arrays)
        if found is not None:
            np.savez(FOLDER / f"{name}_beam.npz", **found)
        lines.append(f"{name}\t{'beam' if found is not None else '-'}\t{case['covers']}")
    (FOLDER / "index.tsv").write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
