"""make_written.py [NAME...]: writes keras/written_*, the models of tests/random/written that are kept here, as
the Keras that is installed here makes them: the files, the expectations beside them, and their lines of
keras/index.tsv, as make_keras_files.py does. Those that a training graph's given tokens begin have them as
`previous` and `targets`. CUSEQ is the program, whose lines say how inputs are given that it takes otherwise.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "numpy")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "random/written"))

sys.path.insert(0, str(HERE.parent / "random"))

import numpy as np
from given import given, steps
from program import call
from shrink import deflate, pack
from worker import START, VERSION, Case, keras
from written_cases import KERAS2, REFUSED, SAME

import lists

if VERSION == 3:  # but for TensorFlow, Keras 3 computes tanh and softmax of float64 in float32
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

    BIT64_TO_BIT32_DTYPE["float64"] = "float64"


def set_floatx(name):
    keras.backend.set_floatx(name)
    if VERSION == 3:
        keras.config.set_dtype_policy(name)
    else:
        keras.mixed_precision.set_global_policy(name)


def expectation(kind, case):
    """What the same model gives in float64, and what it is fed."""
    set_floatx("float64")
    exact = Case(kind)
    exact.model.set_weights(case.model.get_weights())
    if case.decoder:
        exact.decoder.set_weights(case.decoder.get_weights())
    exact.x, exact.fed, exact.lengths = case.x, case.fed, case.lengths
    _, values = exact.steps() if case.decoder else exact.compute()
    set_floatx("float32")
    if kind.name.startswith("intent"):  # what is of a row is the same at every position
        positions = max(v.shape[1] for v in values if v.ndim == 3)
        values = [v if v.ndim == 3 else np.repeat(v[:, None], positions, 1) for v in values]
    timed = all(value.ndim == 3 for value in values)
    listed = kind.name.startswith("date") or kind.name in ("jazz", "notebook_teacher_steps_listed")
    if listed:  # the outputs of steps
        values, timed = [np.stack(values, 1)], True
    outputs = np.concatenate(values if timed else [value.reshape(len(value), -1) for value in values], -1)
    arrays = {"input": case.x, "outputs": outputs}
    if case.lengths is not None:
        arrays["lengths"] = case.lengths
        if timed and case.targets is None:
            arrays["output_lengths"] = case.lengths
            for row, length in enumerate(case.lengths):
                outputs[row, length:] = 0
    if case.targets is not None:
        arrays["targets"] = case.targets
        arrays["previous"] = np.full(len(case.x), START, np.int32)
    return arrays


def write(kind, ending, words, folder):
    """One file and its expectation; its line of the index."""
    case = Case(kind)
    name = f"written_{kind.name}{'' if VERSION == 3 else '_keras2'}"
    path, npz = Path(folder) / f"{name}{ending}", "-"
    for saved in case.save(path):  # of two, the decoder's is found by its name
        target = HERE / "keras" / saved.name
        target.write_bytes(saved.read_bytes())
        deflate(target) if ending == ".keras" else pack(target)
    if words.startswith("same"):
        npz = f"{name}.npz"
        arrays = expectation(kind, case)
        if "columns" in words or "at a time" in words or "given" in words:
            _, lines = call(os.environ["CUSEQ"], "convert", path, Path(folder) / "model.safetensors")
            names = [one._keras_history[0].name for one in case.model.inputs]
            fed = dict(zip(names, case.fed))
            arrays["input"], numbers = given(fed, lines).astype(np.float32), steps(fed, lines)
            if numbers is not None:
                arrays["given"] = numbers.astype(np.float32)
        if "give it as" in words:
            arrays["input"] = arrays["input"].reshape(len(case.x), *SAME[kind.name][1])
        np.savez_compressed(HERE / "keras" / npz, **arrays)
    return f"{path.name}\t{npz}\t{words}\t{kind.covers}"


def main(only):
    index = HERE / "keras/index.tsv"
    known = {one.split("\t")[0]: one for one in index.read_text(encoding="utf-8").splitlines()}
    with tempfile.TemporaryDirectory() as folder:
        for kind in lists.all_kinds():
            words = SAME[kind.name][0] if kind.name in SAME else REFUSED.get(kind.name)
            if words is None or VERSION not in kind.keras or (only and kind.name not in only):
                continue
            if VERSION == 2 and kind.name not in KERAS2:
                continue
            made = write(kind, ".keras" if VERSION == 3 else ".h5", words, folder)
            known[made.split("\t")[0]] = made
            print(made, file=sys.stderr)
    index.write_text("".join(known[name] + "\n" for name in sorted(known)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
