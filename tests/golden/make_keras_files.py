"""Writes keras/*.keras, keras/*.h5, the expectations keras/*.npz beside them, and its share of
keras/index.tsv.

    python make_keras_files.py [NAME...]   under Keras 3 (any backend; made with keras 3.15 on jax) and again
                                           under Keras 2 (made with tensorflow-cpu 2.15): each writes its own;
                                           under keras 3.0, 3.2 and tensorflow-cpu 2.13 those of that version

A model is built twice with the same float32 weights: in float32, which is saved, and in float64, which
computes what is expected. index.tsv has a line for each file: the file, the .npz or "-", what must
become of it, what it covers and, where it needs one, what `--own-activation` is given. What must become of it is "same" (converts, and gives the arrays of the
.npz for its "input" and, if there, "lengths"), "same+note WORD..." (and its notes have each word), "refuse WORD..." (conversion fails, and its message has
each word) or "same-or-refuse WORD..." (either; never other numbers).
"""

import logging
import os
import pathlib
import sys
from zlib import crc32

os.environ["JAX_ENABLE_X64"] = "1"
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from golden_models import looks_somewhere
from keras_cases import CASES, LATER
from keras_identity import OWN, PLACES
from keras_models import VOCABULARY
from keras_outputs import OUTPUTS
from keras_refusals import REFUSALS
from keras_structures import STRUCTURES
from shrink import deflate, pack

logging.getLogger("absl").setLevel(logging.ERROR)

VERSION = ".".join(keras.__version__.split(".")[:2])
ONLY = {case.only for case in OWN + PLACES} - {None}

if (
    hasattr(keras, "ops") and VERSION not in ONLY
):  # but for TensorFlow, Keras 3 computes tanh and softmax of float64 in float32
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

    BIT64_TO_BIT32_DTYPE["float64"] = "float64"
FOLDER = pathlib.Path(__file__).resolve().parent / "keras"
KERAS = int(keras.__version__.split(".")[0])
BATCH = 3


def set_random_weights(model, seed):
    rng = np.random.default_rng(seed)
    weights = [
        rng.uniform(-0.9, 0.9, w.shape).astype(np.float32) if np.issubdtype(w.dtype, np.floating) else w
        for w in model.get_weights()
    ]
    model.set_weights(weights)
    return weights


def make_input(graph, seed):
    """The input, and the lengths where padding is masked: the rest of a row is then what is masked."""
    rng = np.random.default_rng(seed)
    _, time, *rest = graph.model.inputs[0].shape
    time = time or 6
    if graph.tokens:
        x = rng.integers(1 if graph.masked else 0, VOCABULARY, (BATCH, time)).astype(np.int32)
    else:
        x = rng.uniform(-1, 1, (BATCH, time, *rest)).astype(np.float32)
    if not graph.masked:
        return x, None
    lengths = np.array([time, 1, time - 2], np.int32)
    for row, length in enumerate(lengths):
        x[row, length:] = graph.padding
    return x, lengths


def expect(graph, x, lengths):
    """Every probed tensor in float64, shaped as `cuseq run` writes it."""
    names = list(graph.probes)
    tensors = [graph.probes[name] for name in names]
    flat = [t for group in tensors for t in (group if isinstance(group, list) else [group])]
    probe = keras.Model(graph.model.inputs, flat)
    feeds = [x if graph.tokens else x.astype(np.float64)]
    feeds += [np.zeros((BATCH, i.shape[-1])) for i in graph.model.inputs[1:]]
    values = probe(feeds if len(feeds) > 1 else feeds[0], training=False)
    values = [np.array(v) for v in (values if isinstance(values, (list, tuple)) else [values])]
    assert all(v.dtype == np.float64 for v in values), [v.dtype for v in values]
    result, at = {}, 0
    time = x.shape[1]
    for name, group in zip(names, tensors):
        if not isinstance(group, list):
            result[name], at = values[at], at + 1
            continue
        rows = [v.reshape(BATCH, time if name == "alphas" else -1) for v in values[at : at + len(group)]]
        at += len(group)
        result[name] = rows[0] if "outputs" not in graph.probes else np.stack(rows, 1)
    if "outputs" in result:
        ends = np.cumsum(graph.heads)[:-1] if len(graph.heads) > 1 else []
        tokens = [one.argmax(-1).astype(np.int32) for one in np.split(result["outputs"], ends, -1)]
        result["tokens"] = tokens[0] if len(tokens) == 1 else np.stack(tokens, -1)
    if (
        lengths is not None
    ):  # Keras repeats the last output behind the end; here it is 0 and nobody looks at it
        for row, length in enumerate(lengths):
            assert np.all(result["alphas"][row, ..., length:] < 1e-30)
            result["annotations"][row, length:] = 0
            result["alphas"][row, ..., length:] = 0
        result["lengths"] = lengths
    return dict(result, input=x)


def build(case, floatx):
    keras.backend.clear_session()
    keras.backend.set_floatx(floatx)
    return case.build(keras)


def train_a_step(model, x):
    """Leaves the model with an optimizer and its state."""
    model.compile("adam", "categorical_crossentropy")
    feeds = [x] + [np.zeros((BATCH, i.shape[-1]), np.float32) for i in model.inputs[1:]]
    targets = [np.eye(t.shape[-1], dtype=np.float32)[np.zeros(BATCH, int)] for t in model.outputs]
    model.fit(feeds, targets, verbose=0)


def make(case, seed):
    """The graph to save, and what it gives, where it is expected to convert."""
    for attempt in range(100):
        graph = build(case, case.saved)
        weights = set_random_weights(graph.model, [seed, attempt] if attempt else seed)
        x, lengths = make_input(graph, seed)
        if case.trained:
            train_a_step(graph.model, x)
            weights = [w.astype(np.float32) for w in graph.model.get_weights()]
        if not case.expectation.startswith("same"):
            return graph, None
        exact = build(case, "float64")
        exact.model.set_weights(weights)
        arrays = expect(exact, x, lengths)
        if "alphas" not in arrays or looks_somewhere(arrays, lengths):
            return graph, arrays
    raise SystemExit(f"{case.name}: no seed gives attention that is not the same everywhere")


def main(only):
    FOLDER.mkdir(exist_ok=True)
    lines = {}
    numbered = list(enumerate(CASES + REFUSALS + OUTPUTS + OWN + PLACES + STRUCTURES))
    for seed, case in numbered + [(crc32(case.name.encode()), case) for case in LATER]:
        if KERAS not in case.keras or (only and case.name not in only):
            continue
        if case.only != (VERSION if VERSION in ONLY else None):
            continue
        graph, arrays = make(case, seed)
        keras.backend.set_floatx(case.saved)
        if case.spoil:
            case.spoil(graph.model)
        suffix, kinds = ("", case.kinds) if KERAS == 3 else ("_keras2", case.keras2_kinds)
        suffix = "_keras" + case.only.replace(".", "_") if case.only else suffix
        for kind in kinds:
            graph.model.save(FOLDER / f"{case.name}{suffix}.{kind}")
            if kind == "keras" and not case.trained:
                deflate(FOLDER / f"{case.name}{suffix}.{kind}")
            if kind == "h5" and case.packed:
                pack(FOLDER / f"{case.name}{suffix}.{kind}")
        npz = "-" if arrays is None else f"{case.name}{suffix}.npz"
        if arrays is not None:
            np.savez_compressed(FOLDER / npz, **arrays)
        for kind in kinds:
            said = f"\t{case.said}" if case.said else ""
            lines[f"{case.name}{suffix}.{kind}"] = f"{npz}\t{case.expectation}\t{case.covers}{said}"
        print(case.name, flush=True)
    write_index(lines)


def write_index(lines):
    """Replaces this Keras version's lines; keeps the other's."""
    index = FOLDER / "index.tsv"
    if index.exists():
        for line in index.read_text(encoding="utf-8").splitlines():
            name, rest = line.split("\t", 1)
            if (FOLDER / name).exists():
                lines.setdefault(name, rest)
    index.write_text("".join(f"{name}\t{lines[name]}\n" for name in sorted(lines)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
