"""golden.py [NAME...]: writes those of the random models that tests/golden/keras keeps, listed in
random_cases.tsv, as the Keras that is installed here makes them: the files, the expectations beside them
and the lines of index.tsv, as make_keras_files.py does.

random_cases.tsv has a line for each file: its name without an ending, Keras' version, seed, number,
.keras or .h5, "sound" or "damaged N" (the Nth damaged copy), what must become of it, what it covers.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from worker import VERSION, Case, damaged, keras, save

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
sys.path.insert(0, str(GOLDEN))
from shrink import deflate, pack


def expectations(case):
    """Every probe of the exact model, shaped as `cuseq run` writes it."""
    m, built = case.exact
    names = [name for name, probe in m.probes.items() if whole(probe)]
    tensors = [m.probes[name] for name in names]
    flat = [one for probe in tensors for one in (probe if isinstance(probe, list) else [probe])]
    model = keras.Model(built.inputs if len(built.inputs) > 1 else built.inputs[0], flat)
    values = model(case.feeds(m, built), training=False)
    values = [
        np.array(one, np.float64) for one in (values if isinstance(values, (list, tuple)) else [values])
    ]
    arrays, time = {"input": case.input}, case.input.shape[1]
    for name, probe in zip(names, tensors):
        count = len(probe) if isinstance(probe, list) else 1
        rows, values = values[:count], values[count:]
        if name in ("alphas", "context"):
            rows = [one.reshape(len(one), -1) for one in rows]
        arrays[name] = np.stack(rows, 1) if isinstance(probe, list) else rows[0]
    if case.lengths is not None:
        arrays["lengths"] = case.lengths
        for row, length in enumerate(case.lengths):
            arrays["annotations"][row, length:] = 0
            if "alphas" in arrays:
                arrays["alphas"][row, ..., length:time] = 0
    if "outputs" in arrays:
        arrays["tokens"] = arrays["outputs"].argmax(-1).astype(np.int32)
    return arrays


def whole(probe):
    """Whether there is a tensor for every step."""
    return all(one is not None for one in probe) if isinstance(probe, list) else probe is not None


def write(line, folder):
    """One line of random_cases.tsv: its file and, where it converts, its expectation. Returns its line of the
    index."""
    name, _, seed, number, ending, state, expectation, covers = line
    case = Case(int(seed), int(number))
    path = folder / f"model{ending}"
    save(case.built.model, path)
    if state.startswith("damaged"):
        rng = np.random.default_rng([*case.seed, 2])
        for _ in range(int(state.split()[1])):
            path, done = damaged(folder / f"model{ending}", rng)
        covers = f"{covers}: {done}"
    target = GOLDEN / "keras" / f"{name}{ending}"
    target.write_bytes(path.read_bytes())
    deflate(target) if ending == ".keras" else pack(target)
    npz = "-"
    if expectation.startswith("same"):
        npz = f"{name}.npz"
        np.savez_compressed(GOLDEN / "keras" / npz, **expectations(case))
    return f"{target.name}\t{npz}\t{expectation}\t{covers}"


def main(only):
    """Replaces the lines of this Keras' files in the index."""
    lines = [one.split("\t") for one in (GOLDEN / "random_cases.tsv").read_text().splitlines()]
    index = GOLDEN / "keras/index.tsv"
    known = {one.split("\t")[0]: one for one in index.read_text(encoding="utf-8").splitlines()}
    with tempfile.TemporaryDirectory() as folder:
        for line in lines:
            if int(line[1]) == VERSION and (not only or line[0] in only):
                made = write(line, Path(folder))
                known[made.split("\t")[0]] = made
                print(made, file=sys.stderr)
    index.write_text("".join(known[name] + "\n" for name in sorted(known)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
