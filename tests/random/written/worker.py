"""worker.py PROGRAM FOLDER [NAME...]: makes the written models (all of them, or those of these names; woven_SEED,
drawn_SEED and probable_SEED are some by chance) under the Keras that is installed here, saves each as .keras and as
.h5, and prints a line of JSON for each file: what became of it."""

import json
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import lists
from drawn import drawn
from given import given, steps
from kinds import Built, Words
from match import Wrong, match
from probable import probable
from program import Fault, call, refusal
from woven import woven

logging.getLogger("absl").setLevel(logging.ERROR)
logging.getLogger("tensorflow").setLevel(logging.ERROR)
warnings.simplefilter("ignore")
VERSION = int(keras.__version__.split(".")[0])
BATCH, START = 3, 1  # rows; the token that given tokens begin with


class Case:
    """One written model with weights, what it is fed, and what Keras computes of it."""

    def __init__(self, kind):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        built = kind.make(Words(keras))
        self.built = built if isinstance(built, Built) else Built(built)
        self.rng = np.random.default_rng(sum(map(ord, kind.name)))
        self.model, self.decoder = self.built.model, self.built.decoder
        for layer in self.model.layers + (self.decoder.layers if self.decoder else []):
            self.set_weights(layer)
        self.feed()
        self.inputs = [one._keras_history[0].name for one in self.model.inputs]
        self.names, self.values = self.steps() if self.decoder else self.compute()

    def set_weights(self, layer):
        if layer.__class__.__name__ != "Normalization":  # it has what it was adapted to
            weights = []
            for variable in layer.weights:
                old, name = np.array(variable), getattr(variable, "path", variable.name)
                if np.issubdtype(old.dtype, np.floating):
                    low, high = (0.3, 1.2) if "variance" in name else (-0.7, 0.7)
                    old = self.rng.uniform(low, high, old.shape).astype(np.float32).astype(old.dtype)
                weights.append(old)
            layer.set_weights(weights)

    def feed(self):
        """The inputs: the sequence; given tokens behind it; zeros for everything else."""
        built, self.lengths, self.targets = self.built, None, None
        first, *others = [tuple(one.shape) for one in self.model.inputs]
        shape = (BATCH, *[size or built.time for size in first[1:]])
        if built.ids:
            self.x = self.rng.integers(1, built.ids, shape).astype(np.int32)
        elif built.one_hot:
            self.x = np.eye(shape[-1], dtype=np.float32)[self.rng.integers(0, shape[-1], shape[:-1])]
        else:
            self.x = self.rng.uniform(-1, 1, shape).astype(np.float32)
        if built.masked is not None:
            self.lengths = np.array([shape[1], shape[1] - 2, 1], np.int32)
            for row, length in enumerate(self.lengths):
                self.x[row, length:] = built.masked
        self.fed = [self.x]
        for n, other in enumerate(others):
            size = (BATCH, *[size or built.time for size in other[1:]])
            self.fed.append(self.further(size, built.others[n]) if built.others else np.zeros(size, np.float32))
        if self.decoder and not built.targets:
            size = (BATCH, built.steps, self.decoder.inputs[0].shape[-1])
            self.fed.append(self.rng.uniform(-1, 1, size).astype(np.float32))
        if built.given_mask:
            self.fed[1] = np.arange(shape[1]) < self.lengths[:, None]
        if built.start:
            self.fed[1][..., START if self.fed[1].ndim > 1 else slice(None)] = 1
        if built.targets:
            tokens = self.rng.integers(2, built.targets, (BATCH, built.steps)).astype(np.int32)
            self.targets = np.concatenate([tokens[:, 1:], tokens[:, :1]], 1)
            tokens[:, 0] = START
            tokens = np.eye(built.targets, dtype=np.float32)[tokens] if built.one_hot_targets else tokens
            self.fed[1:2] = [tokens]

    def further(self, shape, ids):
        """What a further input is fed: token ids below `ids`, or numbers."""
        if ids:
            tokens = self.rng.integers(1, ids, shape).astype(np.int32)
            if self.lengths is not None:  # padded as the first one
                tokens[np.arange(shape[1]) >= self.lengths[:, None]] = 0
            return tokens
        return self.rng.uniform(-1, 1, shape).astype(np.float32)

    def compute(self):
        """The model's outputs by their names, in the order that the file lists them."""
        for layer in self.model.layers:
            if getattr(layer, "stateful", False):  # from zeros on, as a model that was just loaded
                getattr(layer, "reset_state", getattr(layer, "reset_states", None))()
        given = self.model(self.fed if len(self.fed) > 1 else self.x, training=False)
        if isinstance(given, dict):
            given = [given[name] for name in sorted(given)]
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        names = list(getattr(self.model, "output_names", None) or [self.model.layers[-1].name])  # of a Sequential
        names = [name if names.count(name) == 1 else f"{name} {i}" for i, name in enumerate(names, 1)]
        return names, [np.array(one, np.float64) for one in given]

    def steps(self):
        """The outputs of all steps of a decoder that is a model of its own."""
        x, tokens = self.fed
        carried, steps = self.model(x, training=False), []
        carried = list(carried) if isinstance(carried, (list, tuple)) else [carried]
        for step in range(self.built.steps):
            given, *states = self.decoder([tokens[:, step : step + 1], *carried], training=False)
            carried[len(carried) - len(states) :] = states
            steps.append(np.array(given, np.float64))
        return ["outputs"], [np.concatenate(steps, 1)]

    def given(self, arrays, lines):
        """The numbers that a converted decoder's steps read, by what the conversion said."""
        if self.decoder:  # which is fed them as the model of all steps is
            arrays = {one._keras_history[0].name: self.fed[1] for one in self.decoder.inputs[:1]}
        return steps(arrays, lines)

    def save(self, path):
        """Saves it; the paths."""
        self.model.save(path)
        if not self.decoder:
            return [path]
        behind = path.with_stem(f"{path.stem}_decoder")
        self.decoder.save(behind)
        return [path, behind]


def judge(case, program, paths, folder):
    """What became of a file, or of two: "equal" or "refused", and the notes or the reason."""
    model, x, out = folder / "m.safetensors", folder / "x.npy", folder / "o.npz"
    model.unlink(missing_ok=True)
    options = ["--start-token", START] if case.targets is not None or case.built.start else []
    options += ["--steps", case.built.steps] if case.decoder else []
    status, lines = call(program, "convert", *paths, model, *options)
    if status == 2:
        if model.exists():
            raise Fault("a model in spite of a refusal")
        named = [path for path in paths if f"{path}: " in " ".join(lines)]
        return "refused", refusal(lines, named[0] if named else paths[0])
    arrays = dict(zip(case.inputs, case.fed))
    np.save(x, given(arrays, lines))
    words = ["run", model, x, "-o", out, "--device", "reference"]
    lengths = case.lengths if "give lengths" in " ".join(lines) else None
    for option, array in (("--lengths", lengths), ("--targets", case.targets), ("--given", case.given(arrays, lines))):
        if array is not None:
            np.save(folder / f"{option}.npy", array)
            words += [option, folder / f"{option}.npy"]
    status, said = call(program, *words)
    if status != 0:
        raise Wrong(f"converted, but run says: {' | '.join(said)}")
    with np.load(out) as file:
        got = {name: file[name] for name in file.files}
    match(dict(zip(case.names, case.values)), got, lines, lengths, case.x.shape[1])
    return "equal", " | ".join(lines)


def raised_by_keras(error):
    """Whether it comes from within Keras, and not from here."""
    return any("site-packages" in frame.filename for frame in traceback.extract_tb(error.__traceback__))


def one_kind(kind, program, folder):
    """Prints a line for each of its files."""
    facts = {"keras": VERSION, "name": kind.name, "covers": kind.covers}
    try:
        case = Case(kind)
    except Exception as error:  # whatever Keras raises
        text = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        verdict = "unmade" if raised_by_keras(error) else "FAULT"
        print(json.dumps({**facts, "file": "", "verdict": verdict, "reason": text}), flush=True)
        return
    for ending in (".keras", ".h5"):
        path = folder / f"{kind.name}{ending}"
        try:
            paths = case.save(path)
        except Exception as error:  # the same
            text = f"not saved: {(str(error).splitlines() or [''])[0][:150]}"
            print(json.dumps({**facts, "file": ending, "verdict": "unmade", "reason": text}), flush=True)
            continue
        try:
            verdict, reason = judge(case, program, paths, folder)
        except Wrong as wrong:
            verdict, reason = "WRONG", str(wrong)
        except Fault as fault:
            verdict, reason = "FAULT", str(fault)
        print(json.dumps({**facts, "file": ending, "verdict": verdict, "reason": reason}), flush=True)


def main(words):
    program, folder, only = Path(words[0]), Path(words[1]), words[2:]
    print(json.dumps({"version": keras.__version__, "backend": keras.backend.backend()}), flush=True)
    chosen = [word.split("_") for word in only]
    chance = [make(int(word[1])) for word in chosen for make in (woven, drawn, probable) if word[0] == make.__name__]
    for kind in lists.all_kinds() + chance:
        if VERSION in kind.keras and (not only or kind.name in only):
            one_kind(kind, program, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
