"""golden.py: writes those of the random descriptions that tests/golden/pytorch keeps: checkpoints,
configurations, what their authors compute of an input, and the lines of index.tsv.

tests/golden/random_descriptions.tsv has a line for each: its name without "random_", seed, case, what must
become of it. What it covers, in the index, is what was done to the description, or else what the model is.
"""

import io
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

from test_descriptions import BATCH, TIME, Case, flat

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
FOLDER = GOLDEN / "pytorch"


def npy(shape: tuple[int, ...], numbers: list, kind: str) -> bytes:
    """kind: f4, f8 or i4."""
    text = repr({"descr": f"<{kind}", "fortran_order": False, "shape": tuple(shape)}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    code = {"f4": "f", "f8": "d", "i4": "i"}[kind]
    data = struct.pack(f"<{len(numbers)}{code}", *numbers)
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def expectation(case: Case) -> dict[str, bytes]:
    """The input and what the author's forward pass gives, as the files of tests/golden/models have it."""
    model, found = case.model, case.wanted
    if model.vocabulary:
        arrays = {"input": npy((BATCH, TIME), sum(case.input, []), "i4")}
    else:
        arrays = {"input": npy((BATCH, TIME, model.features), flat(case.input), "f4")}
    if case.lengths:
        arrays["lengths"] = npy((BATCH,), case.lengths, "i4")
    steps = 1 if model.only else model.steps
    widths = {"annotations": (TIME, model.width), "context": (steps, model.width), "alphas": (steps, TIME)}
    widths |= {"states": (steps, model.state), "outputs": (steps, model.classes), "tokens": (steps,)}
    for name in found[0]:
        shape = widths.get(name, (model.units,))
        rows = [padded(row[name], shape, model.only and name != "annotations") for row in found]
        if model.only and name in ("context", "alphas"):
            shape = shape[1:]
        numbers = flat(rows)
        if name == "tokens":
            arrays[name] = npy((BATCH, *shape), [int(token) for token in numbers], "i4")
        else:
            arrays[name] = npy((BATCH, *shape), numbers, "f8")
    return arrays


def padded(value, shape: tuple[int, ...], plain: bool) -> list:
    """A row's array with zeros at the positions that the row does not have."""
    if plain or len(shape) == 1:
        return value + [0.0] * (shape[-1] - len(value))
    return [padded(one, shape[1:], False) for one in value] + [[0.0] * shape[1]] * (shape[0] - len(value))


def about(case: Case) -> str:
    """A few words on the model."""
    model = case.model
    directions = "bidirectional" if model.both else "forward"
    words = [model.score, f"{model.layers} {directions} {model.split or 'nn.LSTM'}"]
    words += [model.initial, model.dtype] + (["attention-only"] if model.only else [])
    words += ["embedded"] * bool(model.vocabulary) + ["feedback"] * (model.feedback and not model.only)
    return ", ".join(words + ["no bias"] * (not model.bias))


def write(name: str, seed: str, number: str, becomes: str) -> str:
    """One line of the list: its files. Returns its line of the index."""
    case, name = Case(int(seed), int(number)), f"random_{name}"
    with tempfile.TemporaryDirectory() as made:
        case.write(Path(made))
        for source, target in (("checkpoint.safetensors", "safetensors"), ("config.json", "json")):
            (FOLDER / f"{name}.{target}").write_bytes((Path(made) / source).read_bytes())
    npz = "-"
    if becomes == "same":
        npz, content = f"{name}.npz", io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for array, data in expectation(case).items():
                member = zipfile.ZipInfo(f"{array}.npy", (2026, 1, 1, 0, 0, 0))
                archive.writestr(member, data, zipfile.ZIP_DEFLATED)
        (FOLDER / npz).write_bytes(content.getvalue())
    return f"{name}.safetensors\t{name}.json\t{npz}\t{becomes}\t{', '.join(case.broken.done) or about(case)}"


def main() -> None:
    """Replaces the files and lines of random descriptions, behind all others."""
    for old in FOLDER.glob("random_*"):
        old.unlink()
    index = FOLDER / "index.tsv"
    lines = [one.split("\t") for one in (GOLDEN / "random_descriptions.tsv").read_text().splitlines()]
    kept = [one for one in index.read_text(encoding="utf-8").splitlines() if not one.startswith("random_")]
    made = [write(*line) for line in lines]
    index.write_text("".join(line + "\n" for line in kept + made), encoding="utf-8")
    print(f"{len(made)} descriptions", file=sys.stderr)


if __name__ == "__main__":
    main()
