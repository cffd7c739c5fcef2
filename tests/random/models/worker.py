"""worker.py PROGRAM FOLDER SEED FIRST LAST [KEEP]: makes the models FIRST to LAST - 1 under the Keras that
is installed here, and prints a line of JSON for each file of them: what became of it. The models follow
from SEED, their number and Keras' version alone. KEEP is where files that went wrong are left."""

import json
import logging
import os
import re
import sys
import traceback
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "numpy")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np

from damage import damaged
from judge import Wrong, differ, judge, rows
from kinds import build
from maker import BATCH, Maker

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from program import Fault, call, refusal
from save import Unmade, after_training, freeze, make_model, random_weights, save, set_weights
from signs import same_signs

logging.getLogger("absl").setLevel(logging.ERROR)
logging.getLogger("tensorflow").setLevel(logging.ERROR)
warnings.simplefilter("ignore")
VERSION = int(keras.__version__.split(".")[0])
if VERSION == 3:  # but for TensorFlow, Keras 3 computes tanh and softmax of float64 in float32
    from keras.src.backend.common.dtypes import BIT64_TO_BIT32_DTYPE

    BIT64_TO_BIT32_DTYPE["float64"] = "float64"


class Case:
    """A model, and what Keras computes of an input."""

    def __init__(self, seed, number):
        self.seed = [seed, VERSION, number]
        self.m, self.built = self.make(None)
        model, rng = self.built.model, np.random.default_rng([*self.seed, 1])
        exact_m, exact = self.exact = self.make("float64")
        for attempt in range(8):
            self.gain = float(rng.uniform(0.5, 1.0)) * 0.85**attempt
            weights = random_weights(model, rng, self.gain)
            set_weights(exact.model, weights)
            self.input, self.lengths = self.make_input(rng)
            self.tokens, self.targets = self.make_tokens(rng)
            self.values = self.compute(exact_m, exact)
            if self.is_lively():
                break
        self.noise = self.self_check()
        self.rounded = self.in_half_precision()
        self.finish(self.m, model)

    def make(self, policy, plain=False):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        m = Maker(keras, self.seed, policy, plain)
        built = build(m)
        make_model(m, built)
        return m, built

    def make_input(self, rng):
        """The input; where the model masks padding, the lengths of the rows and padding behind them."""
        m, time = self.m, self.m.time
        shape = (BATCH, *[n or time for n in self.first_input().shape[1:]])
        if m.vocabulary:
            x = rng.integers(1 if m.masked else 0, m.vocabulary, shape).astype(np.int32)
        else:
            x = rng.uniform(-1, 1, shape).astype(np.float32)
        if not m.masked:
            return x, None
        lengths = np.array([time, time - 2, 1], np.int32)
        for row, length in enumerate(lengths):
            x[row, length:] = m.mask_value
        return x, lengths

    def make_tokens(self, rng):
        """The tokens that a training graph is given, and those that follow them, which `run` takes; or
        None."""
        if not self.m.tokens:
            return None, None
        following = rng.integers(0, self.m.tokens, (BATCH, self.m.steps)).astype(np.int32)
        tokens = np.concatenate([np.full((BATCH, 1), self.m.start_token, np.int32), following[:, :-1]], 1)
        return tokens, following

    def first_input(self):
        others = [id(one) for one in self.m.zero_inputs + self.m.free_inputs + [self.m.token_input]]
        return next(one for one in self.built.inputs if id(one) not in others)

    def feeds(self, m, built):
        zeros, free = ([id(one) for one in some] for some in (m.zero_inputs, m.free_inputs))
        given = []
        for one in built.inputs:
            if one is m.token_input:
                one_hot = np.eye(m.tokens, dtype=m.forced or "float32")[self.tokens]
                given.append(one_hot if m.one_hot_tokens else self.tokens)
            elif id(one) in zeros or id(one) in free:
                given.append(
                    np.full((BATCH, one.shape[-1]), 0.0 if id(one) in zeros else 0.7, m.forced or "float32")
                )
            else:
                given.append(self.input.astype("float64") if m.forced and not m.vocabulary else self.input)
        return given if len(given) > 1 else given[0]

    def compute(self, m, built):
        """What the file lists, and the alphas and contexts beside it where there are some."""
        probe = keras.Model(
            built.inputs if len(built.inputs) > 1 else built.inputs[0], [one.tensor for one in built.listed]
        )
        got = probe(self.feeds(m, built), training=False)
        got = list(got) if isinstance(got, (list, tuple)) else [got]
        return [np.array(one, np.float64) * m.factor for one in got]

    def is_lively(self):
        """Whether the numbers are finite, and the model's outputs not the same at every row."""
        finite = all(np.all(np.isfinite(value)) and np.max(np.abs(value)) < 1e4 for value in self.values)
        return finite and any(np.max(np.ptp(value, axis=0)) > 1e-3 for value in self.values)

    def self_check(self):
        """How far Keras' own float32 lies from its float64."""
        if self.m.policy != "float32":
            return 0.0
        got = self.compute(self.m, self.built)
        return max(differ(rows(a), rows(b)) for a, b in zip(got, self.values))

    def in_half_precision(self):
        """What Keras itself computes in half precision; None: the model has none, or Keras cannot here."""
        if not has_half(self):
            return None
        try:
            return self.compute(self.m, self.built)
        except Exception:  # operations that a backend lacks for such numbers
            return None

    def twin(self):
        """The same model with Keras' own classes and functions in the place of the author's."""
        m, built = self.make(None, plain=True)
        self.finish(m, built.model)
        return built.model

    def finish(self, m, model):
        """What is done to a model that exists: parts are frozen, it was trained."""
        if m.twist("lora") and VERSION == 3 and not has_half(self):  # Keras saves the sum in half precision
            for layer in m.made:
                if layer.__class__.__name__ == "Dense" and layer.built and hasattr(layer, "enable_lora"):
                    layer.enable_lora(2)
        if m.chance(0.2):
            m.note("frozen")
            freeze(m)
        if m.twist("quantised") and VERSION == 3:
            model.quantize("int8")
        if m.chance(0.15):
            after_training(m, model)

    def names(self):
        """Of all layers, operations and inputs, of inner models too."""
        found, waiting = [], [self.built.model]
        while waiting:
            one = waiting.pop()
            found.append(one.name)
            waiting += list(getattr(one, "layers", [])) + list(getattr(one, "operations", []) or [])
        return found + [layer.name for layer in self.m.made]


def has_half(case):
    policies = [
        str(getattr(layer, "dtype_policy", "")) + str(getattr(layer, "dtype", ""))
        for layer in case.built.model.layers
    ]
    return case.m.policy.endswith("float16") or any("float16" in text for text in policies)


def cannot_be_told(case, path):
    """Whether the file has nothing that tells the author's classes and functions from Keras' own: the same
    model of Keras' own alone makes a file with the same configuration and weights of the same names."""
    if not case.m.has_own():
        return False
    copy = path.with_name(f"twin{path.suffix}")
    save(case.twin(), copy)
    return same_signs(path, copy)


def convert_and_compare(case, program, path, folder, sound=True):
    """The verdict on one file, and its reason. sound: it is as Keras saved it."""
    model, x, out, lengths = folder / "m.safetensors", folder / "x.npy", folder / "o.npz", folder / "l.npy"
    model.unlink(missing_ok=True)
    options = [] if case.m.start_token is None else ["--start-token", case.m.start_token]
    status, lines = call(program, "convert", path, model, *options)
    if status == 2 and case.m.own_meaning and "--own-activation" in " ".join(lines):
        options += ["--own-activation", case.m.own_meaning]
        status, lines = call(program, "convert", path, model, *options)
    if status == 2:
        if model.exists():
            raise Fault("a model in spite of a refusal")
        return "refused", refusal(lines, path, case.names() if sound else None)
    asked = re.search(r"give it as \[batch, (\d+), (\d+)\]", " ".join(lines))
    np.save(x, case.input.reshape(BATCH, int(asked[1]), int(asked[2])) if asked else case.input)
    words = ["run", model, x, "-o", out, "--device", "reference"]
    if case.lengths is not None and any("lengths" in line for line in lines):
        np.save(lengths, case.lengths)
        words += ["--lengths", lengths]
    if case.targets is not None:
        np.save(folder / "t.npy", case.targets)
        words += ["--targets", folder / "t.npy"]
    status, said = call(program, *words)
    if status != 0:
        raise Wrong(f"converted, but run says: {' | '.join(said)}")
    with np.load(out) as file:
        got = {name: file[name] for name in file.files}
    given = case.lengths if "--lengths" in words else None
    listed = [(one.kind, one.step) for one in case.built.listed]
    judge(listed, case.values, got, lines, given, int(asked[1]) if asked else case.input.shape[1])
    if case.m.zero_inputs and not any("zeros" in line for line in lines):
        raise Wrong(f"the input {case.m.zero_inputs[0].name} is taken as zeros without a word")
    if has_half(case):
        check_half(case, lines)
    return "equal", " | ".join(lines)


def check_half(case, lines):
    """Keras' own half precision lies near what the notes say of it: some models add up more of it than others."""
    said = [line for line in lines if "float16" in line]
    if not said:
        raise Wrong("half precision, of which no line says that the numbers differ from Keras' own")
    bound = 3e-2 if any("bfloat16" in line for line in said) else 1e-2
    for one, got, want in zip(case.built.listed, case.rounded or case.values, case.values):
        if not differ(rows(got), rows(want)) <= bound:
            raise Wrong(f"{one.kind}: Keras' own half precision differs by {differ(rows(got), rows(want)):.2g}")


def try_file(case, program, path, folder, sound=True):
    """The same, with failures among the verdicts."""
    try:
        verdict, reason = convert_and_compare(case, program, path, folder, sound)
    except Wrong as wrong:
        verdict, reason = "WRONG", str(wrong)
        if cannot_be_told(case, path):
            verdict = "hidden"
    except Fault as fault:
        verdict, reason = "FAULT", str(fault)
    if verdict == "WRONG" and case.noise > 1e-4 and not has_half(case):
        reason += f" (Keras' own numbers differ by {case.noise:.2g} between two calls)"
    return verdict, reason


def keep(case, path, folder, name, line):
    """Leaves a file, its input and what Keras computes of it for whoever looks for the reason."""
    folder.mkdir(parents=True, exist_ok=True)
    path.rename(folder / (name + path.suffix))
    arrays = {f"{i}_{one.kind}": value for i, (one, value) in enumerate(zip(case.built.listed, case.values))}
    np.savez(folder / f"{name}.npz", input=case.input, **arrays)
    (folder / f"{name}{path.suffix}.txt").write_text(line + "\n")


def raised_by_keras(error):
    """Whether it comes from within Keras, and not from here."""
    frames = traceback.extract_tb(error.__traceback__)
    return any("site-packages" in frame.filename for frame in frames)


def one_model(seed, number, program, folder, keeping):
    """Prints the lines of one model."""
    facts = {"keras": VERSION, "number": number}
    try:
        case = Case(seed, number)
    except (
        Exception
    ) as error:  # whatever Keras raises: it refuses what the dice made, and nothing is to be tested
        text = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        verdict, text = ("unmade", text) if raised_by_keras(error) else ("FAULT", f"of the generator: {text}")
        print(json.dumps({**facts, "verdict": verdict, "reason": text, "kind": "", "twists": []}), flush=True)
        return
    for ending in (".keras", ".h5"):
        path = folder / f"model{ending}"
        line = {
            **facts,
            "file": ending,
            "kind": case.built.kind,
            "twists": case.m.applied,
            "policy": case.m.policy,
        }
        try:
            save(case.built.model, path)
            line["verdict"], line["reason"] = try_file(case, program, path, folder)
        except Unmade as error:
            line["verdict"], line["reason"] = "unmade", str(error)
        report(case, path, line, keeping, seed)
        if line["verdict"] == "equal":
            try_damaged(case, program, path, folder, line, keeping, seed)


def try_damaged(case, program, path, folder, line, keeping, seed):
    """A sound file that converts, with one thing changed."""
    rng = np.random.default_rng([*case.seed, 2])
    for _ in range(2):
        copy, done = damaged(path, rng)
        verdict, reason = try_file(case, program, copy, folder, sound=False)
        told = {**line, "file": f"damaged {path.suffix}", "verdict": verdict, "reason": f"{reason} ({done})"}
        report(case, copy, told, keeping, seed)


def report(case, path, line, keeping, seed):
    """Prints a line, and keeps a file that went wrong."""
    print(json.dumps(line), flush=True)
    if keeping and line["verdict"] in ("WRONG", "FAULT") and path.exists():
        name = f"k{VERSION}_{seed}_{line['number']}{'_damaged' if 'damaged' in line['file'] else ''}"
        keep(case, path, keeping, name, json.dumps(line, indent=1))


def main(words):
    program, folder, seed, first, last = Path(words[0]), Path(words[1]), *map(int, words[2:5])
    keeping = Path(words[5]) if len(words) > 5 else None
    print(json.dumps({"version": keras.__version__, "backend": keras.backend.backend()}), flush=True)
    for number in range(first, last):
        one_model(seed, number, program, folder, keeping)


if __name__ == "__main__":
    main(sys.argv[1:])
